//! Routes: which system receives a service's calls, on which days, and who would receive one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use jiff::civil::Date;
use uuid::Uuid;

use super::{authority_names, named, route};
use crate::agreements::Environment;
use crate::agreements::route::{OnDay, Route, Standing, on_day};
use crate::api::page::{after, cut, limit, list as of_list};
use crate::clock::civil_day;
use crate::console::Console;
use crate::console::form::Fields;
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::route::is_seen;
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::users::Whose;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place =
    Place { href: "/routes", name: ("Ruter", "Routes"), for_whom: |actor| actor.may(Action::SeeRoutes).is_ok() };

/// The days of the calendar before today, and after it.
const BEFORE: i64 = 90;
const DAYS: i64 = 455;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/routes", get(list).post(route::add))
}

#[derive(Template)]
#[template(path = "console/routes.html")]
struct RoutesPage {
    frame: Frame,
    services: Vec<(Uuid, String)>,
    asked: Asked,
    answer: Option<Answer>,
    may_add: bool,
    lines: Vec<Line>,
    next: Option<String>,
    from: Date,
    to: Date,
}

/// The question as it was filled in.
struct Asked {
    service: String,
    sender: String,
    receiver: String,
    on: String,
}

/// Who would receive a call.
enum Answer {
    /// This system, until then.
    Route(Line),
    /// Nobody; the route that ended last, and the one that begins next.
    Nobody(Option<Line>, Option<Line>),
}

/// A route as the page shows it.
struct Line {
    id: Uuid,
    service: String,
    sender: Option<String>,
    receiver: Option<String>,
    from: Date,
    to: Option<Date>,
    standing: Standing,
    system: Uuid,
    address: String,
    /// In days from the calendar's first day: where the bar begins, and how long it is.
    x: i64,
    width: i64,
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    visit.may(Action::SeeRoutes)?;
    let party = match visit.actor().scope().whose {
        Whose::Everybody => None,
        Whose::Authority(own) => Some(own),
        Whose::Supplier(_) | Whose::Nobody => {
            return Err(ApiRefusal::ApiNotAllowed { action: Action::SeeRoutes.describe() }.into());
        }
    };
    let frame = visit.frame(&console, "Ruter", "Routes");
    let fields = Fields::of_query(request.uri())?;
    let text = |name: &str| fields.text(name).into_owned();
    let asked = Asked { service: text("service"), sender: text("sender"), receiver: text("receiver"), on: text("on") };
    let today = civil_day(console.clock.now()).ok_or(ApiRefusal::ApiInternal)?;
    let first = today.saturating_sub(jiff::Span::new().days(BEFORE));
    let last = first.saturating_add(jiff::Span::new().days(DAYS));
    let names = authority_names(&console).await?;
    let services: Vec<(Uuid, String)> =
        console.known.services().await.into_iter().map(|service| (service.id, service.name)).collect();
    let line = |route: &Route| {
        let since = |day: Date| i64::from(first.until(day).map_or(0, |span| span.get_days())).clamp(0, DAYS);
        let (from, to) = (route.period.from(), route.period.to());
        let x = since(from);
        Line {
            id: route.id,
            service: services
                .iter()
                .find(|(id, _)| *id == route.service)
                .map_or_else(|| route.service.to_string(), |(_, name)| name.clone()),
            sender: route.sender.map(|cvr| named(&names, cvr)),
            receiver: route.receiver.map(|cvr| named(&names, cvr)),
            from,
            to,
            standing: route.period.standing(today),
            system: route.system,
            address: route.address.to_string(),
            x,
            width: to.map_or(DAYS, since) - x,
        }
    };
    let answer = match asked.sender.is_empty() && asked.receiver.is_empty() {
        true => None,
        false => Some(answered(&console, &visit, &asked, today, line).await?),
    };
    let own = of_list("console routes", &party, visit.actor().user().id);
    let many = limit(None)?;
    let from = text("after");
    let from = after((!from.is_empty()).then_some(from.as_str()), &own)?;
    let found = console.store.route_page(party, &visit.actor().scope().services, from, many + 1).await?;
    let (found, next) = cut(found, many, &own, |route| route.id);
    page(&RoutesPage {
        lines: found.iter().map(line).collect(),
        services: services.clone(),
        asked,
        answer,
        may_add: visit.actor().may(Action::AddRoute).is_ok(),
        next,
        from: first,
        to: last,
        frame,
    })
}

async fn answered(
    console: &Console,
    visit: &Visit,
    asked: &Asked,
    today: Date,
    line: impl Fn(&Route) -> Line,
) -> Result<Answer, Stop> {
    let wrong = |da: &'static str, en: &'static str, what_da: &'static str, what_en: &'static str| ConsoleRefusal::ConsoleField {
        field: Detail::new(da, en),
        what: Detail::new(what_da, what_en),
    };
    let cvr = |text: &str, da, en| -> Result<Cvr, ConsoleRefusal> {
        text.parse().map_err(|_| wrong(da, en, "det er ikke otte cifre", "it is not eight digits"))
    };
    let service = crate::text::uuid(&asked.service).ok_or(ConsoleRefusal::ConsoleFormUnreadable)?;
    let (sender, receiver) = (cvr(&asked.sender, "Afsender", "Sender")?, cvr(&asked.receiver, "Modtager", "Receiver")?);
    let day = match asked.on.as_str() {
        "" => today,
        text => text.parse().map_err(|_| wrong("Dag", "Day", "det er ikke en dato", "it is no day"))?,
    };
    let environment: Environment = console.environment.parse().map_err(|_| ApiRefusal::ApiInternal)?;
    let mut routes = console.store.routes_between(service, sender, &environment).await?;
    routes.retain(|route| is_seen(visit.actor(), route));
    let routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
    match on_day(&routes, sender, receiver, day) {
        OnDay::Route(route) => Ok(Answer::Route(line(&route))),
        OnDay::Nobody { last, next } => Ok(Answer::Nobody(last.as_deref().map(&line), next.as_deref().map(&line))),
        OnDay::Several(one, other) => {
            tracing::error!(%one, %other, "two routes carry the same calls: end one");
            Err(ApiRefusal::ApiInternal.into())
        }
    }
}
