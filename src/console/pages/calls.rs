//! Calls: by id, time, authority, outcome and refusal, from this node's audit log. No person is among what is read.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{authority_names, named, refusal};
use crate::audit::search::{Followed, Newest, newest};
use crate::audit::{Outcome, Record};
use crate::clock::copenhagen;
use crate::console::Console;
use crate::console::form::Fields;
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::id::cvr::Cvr;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::refusal::{Detail, Party, Retry};
use crate::users::Whose;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place { href: "/calls", name: ("Kald", "Calls"), for_whom: |actor| actor.may(Action::SeeCalls).is_ok() };

/// The most calls of one answer.
const MOST: usize = 100;
/// The most of the log that is read for one answer.
const BYTES: u64 = 256 << 20;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/calls", get(list)).route("/calls/{id}", get(show))
}

/// Which calls, as somebody asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) call: Option<Uuid>,
    pub(super) authority: Option<Cvr>,
    pub(super) outcome: Option<Outcome>,
    pub(super) refusal: Option<String>,
    pub(super) service: Option<String>,
    pub(super) from: Option<Timestamp>,
    pub(super) before: Option<Timestamp>,
}

impl Wanted {
    fn takes(&self, record: &Record) -> bool {
        self.call.is_none_or(|call| record.call == call)
            && self.authority.is_none_or(|cvr| record.authority == Some(cvr))
            && self.outcome.is_none_or(|outcome| record.outcome == Some(outcome))
            && self.refusal.as_ref().is_none_or(|code| record.refusal.as_ref() == Some(code))
            && self.service.as_ref().is_none_or(|service| record.service == *service)
            && self.from.is_none_or(|from| record.opened_at >= from)
            && self.before.is_none_or(|before| record.opened_at < before)
    }
}

/// Whose calls somebody sees: an authority those that were admitted for it, and a user of some services theirs alone. What a call
/// claims before it is proven is nobody's. A record names its service as the configuration does: the calls of one that is offered no
/// more are shown to those who see all services.
pub(super) async fn sees(console: &Console, visit: &Visit) -> Result<impl Fn(&Record) -> bool + Send + Sync + 'static, Stop> {
    visit.may(Action::SeeCalls)?;
    let scope = visit.actor().scope();
    let of = of_services(console, &scope.services).await;
    Ok(move |record: &Record| {
        let whose = match scope.whose {
            Whose::Everybody => true,
            Whose::Authority(own) => record.authority == Some(own) && record.front_agreement.is_some(),
            Whose::Supplier(_) | Whose::Nobody => false,
        };
        whose && of.as_ref().is_none_or(|names| names.contains(&record.service))
    })
}

/// What these services are called here; none: all services.
async fn of_services(console: &Console, services: &[Uuid]) -> Option<BTreeSet<String>> {
    if services.is_empty() {
        return None;
    }
    let offered = console.known.services().await.into_iter().filter(|service| services.contains(&service.id));
    Some(offered.map(|service| service.name).collect())
}

/// Reads the log off the threads that serve, few at a time.
pub(super) async fn read(
    console: &Console,
    most: usize,
    takes: impl Fn(&Record) -> bool + Send + 'static,
) -> Result<Newest, Stop> {
    let place = console.readers.clone().acquire_owned().await.map_err(|_| ApiRefusal::ApiInternal)?;
    let folder = console.audit.clone();
    let read = tokio::task::spawn_blocking(move || {
        // Held until the reading ends, also where whoever asked has gone: a page that is pressed again and again reads no more
        // than before.
        let _place = place;
        newest(&folder, most, BYTES, takes)
    })
    .await;
    match read {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::error!(%error, "the audit log could not be read for the console");
            Err(ApiRefusal::ApiUnavailable.into())
        }
        Err(_) => Err(ApiRefusal::ApiInternal.into()),
    }
}

#[derive(Template)]
#[template(path = "console/calls.html")]
struct CallsPage {
    frame: Frame,
    asked: Asked,
    calls: Vec<Line>,
    newest: bool,
    read_back_to: Option<Timestamp>,
    unreadable: u64,
    services: Vec<String>,
}

/// The form as it was filled in.
struct Asked {
    call: String,
    authority: String,
    outcome: String,
    refusal: String,
    service: String,
    from: String,
    to: String,
}

struct Line {
    id: Uuid,
    at: Timestamp,
    what: String,
    authority: Option<String>,
    outcome: Option<Outcome>,
    refusal: Option<String>,
    took: Option<String>,
}

fn outcome_of(text: &str) -> Option<Outcome> {
    [Outcome::Served, Outcome::Refused, Outcome::Abandoned].into_iter().find(|outcome| outcome.name() == text)
}

fn wrong(da: &'static str, en: &'static str, what_da: &'static str, what_en: &'static str) -> ConsoleRefusal {
    ConsoleRefusal::ConsoleField { field: Detail::new(da, en), what: Detail::new(what_da, what_en) }
}

/// The beginning of a day in Copenhagen, so many days later.
fn midnight(text: &str, later: i32) -> Option<Timestamp> {
    let day: Date = text.parse().ok()?;
    let day = (0..later).try_fold(day, |day, _| day.tomorrow().ok())?;
    Some(day.to_zoned(copenhagen()?).ok()?.timestamp())
}

fn wanted(fields: &Fields) -> Result<(Wanted, Asked), ConsoleRefusal> {
    let text = |name: &str| fields.text(name).into_owned();
    let asked = Asked {
        call: text("call"),
        authority: text("authority"),
        outcome: text("outcome"),
        refusal: text("refusal"),
        service: text("service"),
        from: text("from"),
        to: text("to"),
    };
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let call = match given(&asked.call) {
        None => None,
        Some(id) => Some(crate::text::uuid(&id).ok_or(wrong("Kald-id", "Call id", "det er ikke et id", "it is no id"))?),
    };
    let cvr = |text: String| {
        text.parse().map_err(|_| wrong("Myndighed", "Authority", "det er ikke otte cifre", "it is not eight digits"))
    };
    let outcome = |text: String| outcome_of(&text).ok_or(ConsoleRefusal::ConsoleFormUnreadable);
    let day = |text: &str, later: i32, da, en| match given(text) {
        None => Ok(None),
        Some(day) => midnight(&day, later).map(Some).ok_or(wrong(da, en, "det er ikke en dato", "it is no day")),
    };
    let wanted = Wanted {
        call,
        authority: given(&asked.authority).map(cvr).transpose()?,
        outcome: given(&asked.outcome).map(outcome).transpose()?,
        refusal: given(&asked.refusal),
        service: given(&asked.service),
        from: day(&asked.from, 0, "Fra", "From")?,
        before: day(&asked.to, 1, "Til", "To")?,
    };
    Ok((wanted, asked))
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    let sees = sees(&console, &visit).await?;
    let frame = visit.frame(&console, "Kald", "Calls");
    let (wanted, asked) = wanted(&Fields::of_query(request.uri())?)?;
    let names = authority_names(&console).await?;
    let found = read(&console, MOST, move |record| sees(record) && wanted.takes(record)).await?;
    let line = |call: &Followed| Line {
        id: call.record.call,
        at: call.record.opened_at,
        what: what(&call.record),
        authority: call.record.authority.map(|cvr| named(&names, cvr)),
        outcome: call.record.outcome,
        refusal: call.record.refusal.clone(),
        took: call.record.duration_us.map(|micros| took(micros, &frame)),
    };
    let own = visit.actor().scope().services;
    let offered = console.known.services().await.into_iter().filter(|service| own.is_empty() || own.contains(&service.id));
    let services = offered.map(|service| service.name).collect();
    page(&CallsPage {
        calls: found.calls.iter().map(line).collect(),
        newest: found.calls.len() == MOST,
        read_back_to: found.read_back_to,
        unreadable: found.unreadable,
        asked,
        services,
        frame,
    })
}

fn what(record: &Record) -> String {
    match &record.operation {
        Some(operation) => format!("{} · {operation}", record.service),
        None => record.service.clone(),
    }
}

fn took(micros: u64, frame: &Frame) -> String {
    frame.decimal(micros as f64 / 1000.0, 1)
}

#[derive(Template)]
#[template(path = "console/call.html")]
struct CallPage {
    frame: Frame,
    record: Record,
    what: String,
    authority: Option<String>,
    admitted: Option<Timestamp>,
    closed: Option<Timestamp>,
    fault: Option<Fault>,
    steps: Vec<(String, String)>,
    took: Option<String>,
}

/// What the caller was told.
struct Fault {
    code: String,
    what: String,
    remedy: String,
    mended_by: String,
    by_caller: bool,
    later: bool,
}

async fn show(State(console): State<Console>, visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let sees = sees(&console, &visit).await?;
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("kald", "call") };
    let id = crate::text::uuid(&id).ok_or_else(nothing)?;
    let found = read(&console, 1, move |record| record.call == id && sees(record)).await?;
    let call = found.calls.into_iter().next().ok_or_else(nothing)?;
    let frame = visit.frame(&console, "Et kald", "A call");
    let names = authority_names(&console).await?;
    let fault = call.record.refusal.as_deref().map(|code| {
        let entry = refusal(code);
        let text = entry.map(|entry| if frame.english() { &entry.en } else { &entry.da });
        let mended_by = entry.map(|entry| entry.audience.describe());
        Fault {
            code: code.to_owned(),
            what: text.map(|text| text.what.clone()).unwrap_or_default(),
            remedy: text.map(|text| text.remedy.clone()).unwrap_or_default(),
            mended_by: mended_by
                .map(|who| if frame.english() { who.en().to_owned() } else { who.da().to_owned() })
                .unwrap_or_default(),
            by_caller: entry.is_none_or(|entry| entry.party == Party::Caller),
            later: entry.is_some_and(|entry| entry.retry == Retry::Later),
        }
    });
    let steps = call.record.timings_us.iter().map(|(step, micros)| (step.to_string(), took(*micros, &frame)));
    page(&CallPage {
        what: what(&call.record),
        authority: call.record.authority.map(|cvr| named(&names, cvr)),
        admitted: call.admitted,
        closed: call.closed,
        fault,
        steps: steps.collect(),
        took: call.record.duration_us.map(|micros| took(micros, &frame)),
        record: call.record,
        frame,
    })
}
