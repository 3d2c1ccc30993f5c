//! Delegations: whom one lets act in one's role, for whom one may act oneself, and where one begins and stops to.
//!
//! Whoever acts for a colleague does so in a session of its own, which the one before gives way to: its pages show both names, it has the
//! role and the services of the delegation alone, and it is over with that.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use crate::api::input::{civil, parsed, wrong};
use crate::api::page::{after, cut, limit, list as of_list};
use crate::api::problem::of_decision;
use crate::clock::{civil_day, copenhagen};
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, Place, page, role_name};
use crate::console::note::Note;
use crate::console::session::{Visit, exchange};
use crate::console::stop::Stop;
use crate::decisions::delegation::{self as decisions, New};
use crate::decisions::{Because, By};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::text::LONGEST;
use crate::users::User;
use crate::users::delegation::{Told, are_colleagues};
use crate::users::rights::{Action, Role};

/// In the menu.
pub const PLACE: Place =
    Place { href: "/delegations", name: ("Delegering", "Delegation"), for_whom: |actor| decisions::seen_by(actor).is_ok() };

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/delegations", get(list).post(give))
        .route("/delegations/own", post(own))
        .route("/delegations/{id}/act", post(act))
        .route("/delegations/{id}/end", post(end))
}

/// A delegation as the page shows it.
struct Line {
    told: Told,
    role: &'static str,
    /// The services by name; none: all.
    services: Vec<String>,
    stands: &'static str,
    may_act: bool,
    may_end: bool,
}

#[derive(Template)]
#[template(path = "console/delegations.html")]
struct DelegationsPage {
    frame: Frame,
    lines: Vec<Line>,
    next: Option<String>,
    /// The roles that the user may delegate, by name and in words.
    roles: Vec<(&'static str, &'static str)>,
    colleagues: Vec<(Uuid, String)>,
    services: Vec<(Uuid, String)>,
    today: Date,
    /// The id that the form sends: sent twice, it is one delegation.
    id: Uuid,
    fields: Fields,
    note: Option<Note>,
}

async fn drawn(console: &Console, visit: &Visit, query: &Fields, fields: Fields, note: Option<Note>) -> Result<Response, Stop> {
    let (actor, now) = (visit.actor(), console.clock.now());
    let mut wanted = decisions::seen_by(actor)?;
    let frame = visit.frame(console, "Delegering", "Delegation");
    let of = of_list("console delegations", &wanted, actor.user().id);
    let from = Some(query.text("after").into_owned()).filter(|from| !from.is_empty());
    let many = limit(None)?;
    (wanted.after, wanted.limit) = (after(from.as_deref(), &of)?, many + 1);
    let (found, next) = cut(console.store.delegations(&wanted).await?, many, &of, |told| told.delegation.id);
    let known: Vec<(Uuid, String)> =
        console.known.services().await.into_iter().map(|service| (service.id, service.name)).collect();
    let called = |id: &Uuid| known.iter().find(|(known, _)| known == id).map_or_else(|| id.to_string(), |(_, name)| name.clone());
    let (user, acts) = (actor.own(), actor.by_delegation().is_some());
    let manages = actor.may(Action::ManageUsers).is_ok();
    let lines = found.into_iter().map(|told| {
        let given = &told.delegation;
        let stands = given.stands(now);
        let concerns = told.is_from(user) || told.is_to(user);
        Line {
            role: role_name(given.role, frame.english()),
            services: given.services.iter().map(called).collect(),
            stands,
            may_act: !acts && stands == "in-force" && told.is_to(user),
            may_end: !acts && matches!(stands, "in-force" | "to-come") && (concerns || manages),
            told,
        }
    });
    let lines: Vec<Line> = lines.collect();
    let roles: Vec<_> = match actor.may(Action::Delegate) {
        Ok(_) => {
            let own = user.roles.iter().filter(|role| role.is_delegable());
            own.map(|role| (role.name(), role_name(*role, frame.english()))).collect()
        }
        Err(_) => Vec::new(),
    };
    let mut colleagues = Vec::new();
    if !roles.is_empty() {
        let mut all = console.store.users().await?;
        all.retain(|other| are_colleagues(user, other) && other.holds(now));
        // Each once: an identity provider's roles make another user of the same person.
        let newest = |other: &&User| {
            !all.iter().any(|it| it.person == other.person && (it.valid_from, it.id) > (other.valid_from, other.id))
        };
        colleagues.extend(all.iter().filter(newest).map(|other| (other.id, other.name.clone())));
    }
    let services = known.into_iter().filter(|(id, _)| user.services.is_empty() || user.services.contains(id)).collect();
    let status = Note::status(note.as_ref());
    let drawn = page(&DelegationsPage {
        lines,
        next,
        roles,
        colleagues,
        services,
        today: civil_day(now).ok_or(ApiRefusal::ApiInternal)?,
        id: Uuid::now_v7(),
        fields,
        note,
        frame,
    })?;
    Ok((status, drawn).into_response())
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    let query = Fields::of_query(request.uri())?;
    let done = visit.was_done(&query);
    drawn(&console, &visit, &query, Fields::default(), done.then_some(Note::Done)).await
}

/// What the fields are called on the page.
const LABELS: [(&str, &str, &str); 6] = [
    ("substitute", "Stedfortræder", "Substitute"),
    ("role", "Rolle", "Role"),
    ("services", "Services", "Services"),
    ("valid_from", "Første dag", "First day"),
    ("valid_to", "Sidste dag", "Last day"),
    ("reason", "Begrundelse", "Reason"),
];

/// The midnight in Copenhagen with which a day begins.
fn midnight(day: Date) -> Result<Timestamp, ApiRefusal> {
    let zone = copenhagen().ok_or(ApiRefusal::ApiInternal)?;
    day.to_zoned(zone).map(|midnight| midnight.timestamp()).map_err(|_| ApiRefusal::ApiInternal)
}

fn new(fields: &Fields, now: Timestamp) -> Result<New, ApiRefusal> {
    let uuid = |name: &str, text: &str| {
        crate::text::uuid(text).ok_or_else(|| wrong(name, "vælg en på listen", "choose one of the list"))
    };
    let first = fields.text("valid_from");
    let first = if first.is_empty() { None } else { Some(civil("valid_from", &first)?) };
    let last = civil("valid_to", &fields.text("valid_to"))?;
    let after_it = last.checked_add(1.day()).map_err(|_| wrong("valid_to", "det er ingen dag", "it is no day"))?;
    Ok(New {
        id: uuid("id", &fields.text("id"))?,
        substitute: uuid("substitute", &fields.text("substitute"))?,
        role: parsed::<Role>("role", &fields.text("role"), "vælg en på listen", "choose one of the list")?,
        services: fields.all("service").map(|service| uuid("services", service)).collect::<Result<_, _>>()?,
        // Today is from now on.
        from: first.filter(|first| Some(*first) != civil_day(now)).map(midnight).transpose()?,
        to: midnight(after_it)?,
    })
}

async fn give(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    visit.may(Action::Delegate).map_err(|stop| form.stop(stop))?;
    // The back button, and a second press: it is there.
    if let Some(id) = crate::text::uuid(&form.fields.text("id"))
        && decisions::seen(&console.store, visit.actor(), id).await.is_ok()
    {
        return Ok(Redirect::to("/delegations").into_response());
    }
    let because = because(&console, &form)?;
    let wanted = new(&form.fields, because.at);
    let wanted = wanted.and_then(|new| decisions::are_services(&new.services, &console.rules).map(|()| new));
    let given = match wanted {
        Ok(new) => decisions::give(&console.store, By::User(visit.actor()), &new, &because, None).await.map_err(of_decision),
        Err(refusal) => Err(refusal),
    };
    over(&console, &form, given.map(drop)).await
}

async fn end(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let id = found(&id).map_err(|refusal| form.stop(refusal))?;
    let because = because(&console, &form)?;
    let ended = decisions::take_back(&console.store, By::User(form.visit.actor()), id, &because, None).await;
    over(&console, &form, ended.map(drop).map_err(of_decision)).await
}

/// Begins to act for a colleague.
async fn act(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let id = found(&id)?;
    exchange(&console, &form.visit, Some(id), "/").await
}

/// Acts in one's own right again.
async fn own(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    match form.visit.actor().by_delegation() {
        Some(_) => exchange(&console, &form.visit, None, "/").await,
        None => Ok(Redirect::to("/").into_response()),
    }
}

fn found(id: &str) -> Result<Uuid, ApiRefusal> {
    crate::text::uuid(id).ok_or_else(|| ApiRefusal::ApiNotFound { what: Detail::new("delegering", "delegation") })
}

fn because(console: &Console, form: &Form) -> Result<Because, Stop> {
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST);
    Ok(Because::new(reason.map_err(|why: ConsoleRefusal| form.stop(why))?, console.clock.now()))
}

/// Where a form leads to.
async fn over(console: &Console, form: &Form, done: Result<(), ApiRefusal>) -> Result<Response, Stop> {
    let refusal = match done {
        Ok(()) => {
            console.decided.notify_one();
            return Ok(form.visit.done_at("/delegations"));
        }
        Err(refusal) => refusal,
    };
    match Note::of(&form.visit, &refusal, &LABELS) {
        Some(note) => drawn(console, &form.visit, &Fields::default(), form.fields.clone(), Some(note)).await,
        None => Err(form.stop(refusal)),
    }
}
