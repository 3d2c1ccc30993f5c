//! One route: it is added by a form, shown with its history, and given an end. A form that is sent twice adds one route.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::civil::Date;
use uuid::Uuid;

use super::history::{Past, past};
use super::{authority_names, named};
use crate::agreements::route::{ProviderSecurity, Route, Standing};
use crate::api::input::{civil, wrong};
use crate::api::problem::of_decision;
use crate::api::routes::RouteRequest;
use crate::audit::Subject;
use crate::clock::civil_day;
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, page};
use crate::console::note::Note;
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::{Because, By, route as decisions, shown};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::text::LONGEST;
use crate::users::rights::Action;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/routes/new", get(begin)).route("/routes/{id}", get(show)).route("/routes/{id}/end", post(end))
}

/// What the fields of the form are called on the page.
const LABELS: [(&str, &str, &str); 12] = [
    ("service", "Service", "Service"),
    ("sender", "Afsender", "Sender"),
    ("receiver", "Modtager", "Receiver"),
    ("valid_from", "Første dag", "First day"),
    ("valid_to", "Første dag, hvor ruten ikke gælder", "First day on which it no longer holds"),
    ("system", "Modtagende system", "Receiving system"),
    ("address", "Adresse", "Address"),
    ("entity_id", "Entity id", "Entity id"),
    ("roots", "Rodcertifikater", "Root certificates"),
    ("signing_certificates", "Underskriftscertifikater", "Signing certificates"),
    ("reason", "Begrundelse", "Reason"),
    ("on", "Første dag, hvor ruten ikke gælder", "First day on which it no longer holds"),
];

#[derive(Template)]
#[template(path = "console/route-new.html")]
struct NewPage {
    frame: Frame,
    id: Uuid,
    services: Vec<(Uuid, String)>,
    fields: Fields,
    note: Option<Note>,
}

async fn blank(console: &Console, visit: &Visit, id: Uuid, fields: Fields, note: Option<Note>) -> Result<Response, Stop> {
    visit.may(Action::AddRoute)?;
    let frame = visit.frame(console, "Opret en rute", "Add a route");
    let services = console.known.services().await.into_iter().map(|service| (service.id, service.name)).collect();
    let status = Note::status(note.as_ref());
    Ok((status, page(&NewPage { frame, id, services, fields, note })?).into_response())
}

async fn begin(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    // The id goes with the form: sent twice, it is one route.
    blank(&console, &visit, Uuid::now_v7(), Fields::default(), None).await
}

/// The form as the API's request.
fn filled(console: &Console, id: Uuid, fields: &Fields) -> Result<RouteRequest, ApiRefusal> {
    let text = |name: &str| fields.text(name).into_owned();
    let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let no_uuid = |name: &str| wrong(name, "det er ikke en UUID", "it is not a UUID");
    let uuid = |name: &str| crate::text::uuid(&text(name)).ok_or_else(|| no_uuid(name));
    Ok(RouteRequest {
        id: Some(id),
        service: uuid("service")?,
        environment: console.environment.clone(),
        sender: text("sender"),
        receiver: text("receiver"),
        valid_from: text("valid_from"),
        valid_to: given("valid_to"),
        system: uuid("system")?,
        address: text("address"),
        entity_id: text("entity_id"),
        roots: text("roots"),
        signing_certificates: given("signing_certificates"),
        reason: text("reason"),
        replace: text("replace") == "1",
    })
}

pub(super) async fn add(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    visit.may(Action::AddRoute).map_err(|stop| form.stop(stop))?;
    let id = crate::text::uuid(&form.fields.text("id")).ok_or(ConsoleRefusal::ConsoleFormUnreadable)?;
    // The back button, and a second press: the route is there.
    if decisions::seen(&console.store, visit.actor(), id).await.is_ok() {
        return Ok(Redirect::to(&format!("/routes/{id}")).into_response());
    }
    let (now, own) = (console.clock.now(), console.own.as_slice());
    let added = match filled(&console, id, &form.fields).and_then(RouteRequest::read) {
        Ok((route, in_the_way, reason)) => {
            let because = Because::new(reason, now);
            let by = By::User(visit.actor());
            decisions::add(&console.store, by, &[route], in_the_way, own, &because, None).await.map_err(of_decision)
        }
        Err(refusal) => Err(refusal),
    };
    match added {
        Ok(_) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/routes/{id}")))
        }
        Err(refusal) => match Note::of(visit, &refusal, &LABELS) {
            Some(note) => blank(&console, visit, id, form.fields.clone(), Some(note)).await,
            None => Err(form.stop(refusal)),
        },
    }
}

#[derive(Template)]
#[template(path = "console/route.html")]
struct RoutePage {
    frame: Frame,
    route: Route,
    service: String,
    sender: Option<String>,
    receiver: Option<String>,
    standing: Standing,
    etag: String,
    may_end: bool,
    past: Vec<Past>,
    note: Option<Note>,
    on: String,
    reason: String,
}

impl RoutePage {
    fn is_signed(&self) -> bool {
        matches!(self.route.security, ProviderSecurity::Token { .. })
    }
}

async fn drawn(
    console: &Console,
    visit: &Visit,
    route: Route,
    note: Option<Note>,
    written: Option<&Fields>,
) -> Result<Response, Stop> {
    let frame = visit.frame(console, "En rute", "A route");
    let today: Date = civil_day(console.clock.now()).ok_or(ApiRefusal::ApiInternal)?;
    let names = authority_names(console).await?;
    let services = console.known.services().await;
    let service = services.into_iter().find(|known| known.id == route.service);
    let standing = route.period.standing(today);
    let open = matches!(standing, Standing::Holds | Standing::NotBegun);
    let text = |name: &str| written.map(|fields| fields.text(name).into_owned()).unwrap_or_default();
    let status = Note::status(note.as_ref());
    let drawn = page(&RoutePage {
        service: service.map_or_else(|| route.service.to_string(), |known| known.name),
        sender: route.sender.map(|cvr| named(&names, cvr)),
        receiver: route.receiver.map(|cvr| named(&names, cvr)),
        etag: shown::etag_of_route(&route),
        may_end: open && decisions::may_end(visit.actor(), &route),
        past: past(console, &frame, Subject::Route, route.id).await?,
        on: text("on"),
        reason: text("reason"),
        standing,
        route,
        note,
        frame,
    })?;
    Ok((status, drawn).into_response())
}

async fn seen(console: &Console, visit: &Visit, id: &str) -> Result<Route, Stop> {
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("rute", "route") };
    let id = crate::text::uuid(id).ok_or_else(nothing)?;
    Ok(decisions::seen(&console.store, visit.actor(), id).await?)
}

async fn show(State(console): State<Console>, visit: Visit, Path(id): Path<String>, request: Request) -> Result<Response, Stop> {
    let route = seen(&console, &visit, &id).await?;
    let done = visit.was_done(&Fields::of_query(request.uri())?);
    drawn(&console, &visit, route, done.then_some(Note::Done), None).await
}

async fn end(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let route = seen(&console, visit, &id).await.map_err(|stop| form.stop(stop))?;
    visit.may(Action::EndRoute).map_err(|stop| form.stop(stop))?;
    if form.fields.text("etag") != shown::etag_of_route(&route) {
        return drawn(&console, visit, route, Some(Note::Changed), Some(&form.fields)).await;
    }
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason, console.clock.now());
    let ended = match civil("on", &form.fields.text("on")) {
        Ok(on) => {
            decisions::end_on(&console.store, By::User(visit.actor()), &route, on, &because, None).await.map_err(of_decision)
        }
        Err(refusal) => Err(refusal),
    };
    match ended {
        Ok(_) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/routes/{}", route.id)))
        }
        Err(ApiRefusal::ApiPreconditionFailed) => {
            let now = seen(&console, visit, &id).await?;
            drawn(&console, visit, now, Some(Note::Changed), Some(&form.fields)).await
        }
        Err(refusal) => match Note::of(visit, &refusal, &LABELS) {
            Some(note) => drawn(&console, visit, route, Some(note), Some(&form.fields)).await,
            None => Err(form.stop(refusal)),
        },
    }
}
