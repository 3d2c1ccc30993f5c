//! The catalogue of services, each with what is measured of it here.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;

use crate::console::Console;
use crate::console::frame::{Frame, Place, page};
use crate::console::known::Offered;
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::metrics::summary::Calls;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place { href: "/services", name: ("Services", "Services"), for_whom: |_| true };

pub(super) fn router() -> Router<Console> {
    Router::new().route("/services", get(list))
}

#[derive(Template)]
#[template(path = "console/services.html")]
struct ServicesPage {
    frame: Frame,
    since: Timestamp,
    services: Vec<Entry>,
    may_request: bool,
}

/// A service of the catalogue.
struct Entry {
    of: Offered,
    measured: Option<Measured>,
}

/// What is measured of it at this node.
struct Measured {
    calls: u64,
    /// The part of the calls that did not fail at the gateway or behind it.
    sound: String,
    average: Option<String>,
    p95: Option<String>,
}

impl Measured {
    fn of(calls: &Calls, frame: &Frame) -> Option<Self> {
        let told = calls.served + calls.refused;
        let failed: u64 = calls.by_cause.iter().filter(|(code, _)| super::is_of_the_gateway(code)).map(|(_, many)| many).sum();
        let ms = |ms: Option<f64>| ms.map(|ms| frame.decimal(ms, 0));
        (told > 0).then(|| Self {
            calls: calls.closed,
            sound: frame.decimal((told - failed.min(told)) as f64 / told as f64 * 100.0, 1),
            average: ms(calls.average_ms()),
            p95: ms(calls.quantile_ms(0.95)),
        })
    }
}

async fn list(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    let frame = visit.frame(&console, "Servicekatalog", "Catalogue of services");
    let (summary, own) = (console.metrics.summary(), visit.actor().scope().services);
    let offered = console.known.services().await.into_iter();
    let services = offered
        .filter(|service| own.is_empty() || own.contains(&service.id))
        .map(|of| Entry { measured: summary.by_service.get(&of.name).and_then(|calls| Measured::of(calls, &frame)), of });
    let may_request = visit.actor().may(Action::RequestAgreement).is_ok();
    page(&ServicesPage { may_request, since: console.since, services: services.collect(), frame })
}
