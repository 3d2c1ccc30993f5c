//! Service agreements: a list, and one with the text that is decided on. What is decided is decided in [`crate::decisions`], of the
//! text that was on the page: where the agreement is another meanwhile nothing is done, and it is shown as it is now.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use jiff::Timestamp;
use uuid::Uuid;

use super::{authority_names, named, seen_agreements};
use crate::agreements::{Agreement, State as Stands};
use crate::api::page::{after, cut, limit, list as of_list};
use crate::api::problem::of_decision;
use crate::audit::Subject;
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::agreement as decisions;
use crate::decisions::record::Made;
use crate::decisions::{Because, By, approval, ending, life, shown};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::text::LONGEST;
use crate::users::Same;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place {
    href: "/agreements",
    name: ("Serviceaftaler", "Service agreements"),
    for_whom: |actor| actor.may(Action::SeeAgreements).is_ok(),
};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/agreements", get(list))
        .route("/agreements/{id}", get(show))
        .route("/agreements/{id}/decide", post(decide))
}

/// What may be decided, in the words of the form.
const DECISIONS: [(&str, Stands); 6] = [
    ("approve", Stands::Approved),
    ("reject", Stands::Rejected),
    ("withdraw", Stands::Withdrawn),
    ("suspend", Stands::Suspended),
    ("resume", Stands::Approved),
    ("end", Stands::Terminated),
];

/// The decision that leads from one state to another.
fn decision(from: Stands, to: Stands) -> Option<&'static str> {
    match (from, to) {
        (Stands::Suspended | Stands::Terminated, Stands::Approved) => Some("resume"),
        _ => DECISIONS.iter().find(|(name, leads)| *leads == to && *name != "resume").map(|(name, _)| *name),
    }
}

#[derive(Template)]
#[template(path = "console/agreements.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    services: Vec<(Uuid, String)>,
    lines: Vec<Line>,
    next: Option<String>,
}

/// The filter as it was filled in.
struct Asked {
    authority: String,
    service: String,
    state: String,
}

struct Line {
    id: Uuid,
    authority: String,
    service: String,
    front: bool,
    state: Stands,
    valid_from: Timestamp,
    valid_to: Option<Timestamp>,
}

async fn services(console: &Console) -> Vec<(Uuid, String)> {
    console.known.services().await.into_iter().map(|service| (service.id, service.name)).collect()
}

fn service_name(services: &[(Uuid, String)], id: Uuid) -> String {
    services.iter().find(|(known, _)| *known == id).map_or_else(|| id.to_string(), |(_, name)| name.clone())
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    visit.may(Action::SeeAgreements)?;
    let frame = visit.frame(&console, "Serviceaftaler", "Service agreements");
    let fields = Fields::of_query(request.uri())?;
    let text = |name: &str| fields.text(name).into_owned();
    let asked = Asked { authority: text("authority"), service: text("service"), state: text("state") };
    let wrong = || {
        let field = Detail::new("Myndighed", "Authority");
        ConsoleRefusal::ConsoleField { field, what: Detail::new("det er ikke otte cifre", "it is not eight digits") }
    };
    let unreadable = || ConsoleRefusal::ConsoleFormUnreadable;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut wanted = seen_agreements(visit.actor())?;
    wanted.authority = given(&asked.authority).map(|cvr| cvr.parse().map_err(|_| wrong())).transpose()?;
    wanted.service = given(&asked.service).map(|id| crate::text::uuid(&id).ok_or_else(unreadable)).transpose()?;
    wanted.state = given(&asked.state).map(|state| state.parse().map_err(|_| unreadable())).transpose()?;
    let own = of_list("console agreements", &wanted, visit.actor().user().id);
    let (many, from) = (limit(None)?, given(&fields.text("after")));
    (wanted.after, wanted.limit) = (after(from.as_deref(), &own)?, many + 1);
    let (found, next) = cut(console.store.page(&wanted).await?, many, &own, |agreement| agreement.id);
    let (names, services, now) = (authority_names(&console).await?, services(&console).await, console.clock.now());
    let lines = found.iter().map(|agreement| Line {
        id: agreement.id,
        authority: named(&names, agreement.authority),
        service: service_name(&services, agreement.service),
        front: agreement.side == crate::agreements::Side::Front,
        state: agreement.standing(now).state(),
        valid_from: agreement.valid_from,
        valid_to: agreement.valid_to,
    });
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("authority", &asked.authority), ("service", &asked.service), ("state", &asked.state)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    let next = next.map(|next| format!("/agreements?{}", query.append_pair("after", &next).finish()));
    page(&ListPage { lines: lines.collect(), services, asked, next, frame })
}

#[derive(Template)]
#[template(path = "console/agreement.html")]
struct AgreementPage {
    frame: Frame,
    agreement: Agreement,
    authority: String,
    service: String,
    state: Stands,
    text: String,
    shown: String,
    /// What this user may decide now.
    may: Vec<&'static str>,
    /// What would end with it, where the user may end it: the text that is shown, its digest, and how many files wait.
    ending: Option<(String, String, i64)>,
    /// What a new version says otherwise than the one that it is to take the place of.
    differs: Vec<String>,
    /// The end that it would have if it is approved, by what it depends on, with which, and how many files wait.
    ends: Option<(Timestamp, Vec<Uuid>, i64)>,
    /// Whether the user may have the signatories told once more.
    may_remind: bool,
    over: bool,
    /// Whether the user may approve but for having requested it.
    own: Option<Same>,
    /// Whether it is only whom the user acts for who may have requested it.
    own_by_principal: bool,
    past: Vec<Past>,
    note: Option<Note>,
    /// What was written before.
    reason: String,
}

/// What came of a form.
enum Note {
    Done,
    /// The agreement is another than the one that was shown; nothing was done.
    Changed,
    /// It may not be; nothing was done.
    Refused(String, String),
}

/// A decision that was made.
struct Past {
    to: String,
    by: String,
    at: Timestamp,
    reason: String,
    shown: Option<String>,
}

async fn drawn(
    console: &Console,
    visit: &Visit,
    agreement: Agreement,
    note: Option<Note>,
    reason: String,
) -> Result<Response, Stop> {
    let frame = visit.frame(console, "En serviceaftale", "A service agreement");
    let made = console.store.made_on(Subject::Agreement, agreement.id).await?;
    let mut users = BTreeMap::new();
    for user in made.iter().flat_map(Made::users) {
        if let Entry::Vacant(place) = users.entry(user) {
            place.insert(console.store.user(user).await.ok());
        }
    }
    let actor = visit.actor();
    let now = console.clock.now();
    let own = decisions::wrote(&mut console.store.database().session().await?, &agreement, &made, actor, now).await?;
    let possible = Stands::ALL.into_iter().filter(|to| agreement.may_become(*to, now));
    let may = possible.filter_map(|to| {
        let action = Action::of_change(agreement.state, to)?;
        let allowed = actor.may(action).is_ok() && !(own.is_some() && action == Action::ApproveAgreement);
        decision(agreement.state, to).filter(|_| allowed)
    });
    let mut may: Vec<_> = may.collect();
    // What ended while it was suspended stands in the way of another until that is lifted.
    let over = decisions::is_over(&agreement, now);
    let stands = over && decisions::is_suspended(&console.store, &made).await?;
    if stands && actor.may(Action::ResumeAgreement).is_ok() {
        may.push("resume");
    }
    let ending = match may.contains(&"end") {
        true => {
            let ending = ending::propose(&console.store, &agreement, None, &console.rules, now).await?;
            let text = ending.text();
            let shown = shown::sha256(&text);
            Some((text, shown, ending.files.waiting))
        }
        false => None,
    };
    let differs = life::differs(&console.store, &console.rules, &agreement).await?;
    let may_remind = agreement.state == Stands::Requested && actor.may(Action::RequestAgreement).is_ok();
    let past = made.iter().map(|made| Past {
        to: made.what.to.clone(),
        by: made
            .by(|user| users.get(&user).and_then(|user| user.as_ref()).map(|user| user.name.clone()))
            .unwrap_or_else(|| frame.t("Driften, ved lageret", "The operators, at the store").to_owned()),
        at: made.because.at,
        reason: made.because.reason.clone(),
        shown: made.what.shown.clone(),
    });
    let (names, services) = (authority_names(console).await?, services(console).await);
    let approval = approval::propose(&console.store, &agreement, &console.rules, now).await?;
    let text = approval.text();
    let status = match note {
        None | Some(Note::Done) => StatusCode::OK,
        Some(Note::Changed | Note::Refused(..)) => StatusCode::CONFLICT,
    };
    let drawn = page(&AgreementPage {
        authority: named(&names, agreement.authority),
        service: service_name(&services, agreement.service),
        state: agreement.standing(now).state(),
        shown: shown::sha256(&text),
        text,
        may,
        ending,
        differs,
        ends: approval.ending.map(|ending| (ending.ends_at, approval.with, ending.files.waiting)),
        may_remind,
        over,
        own_by_principal: matches!(&own, Some(Same::Unsaid(pairs)) if pairs.iter().all(|pair| pair.users[1] != actor.own().id)),
        own: own.filter(|_| agreement.state == Stands::Requested),
        past: past.collect(),
        note,
        reason,
        agreement,
        frame,
    })?;
    Ok((status, drawn).into_response())
}

async fn seen(console: &Console, visit: &Visit, id: &str) -> Result<Agreement, Stop> {
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("serviceaftale", "service agreement") };
    let id = crate::text::uuid(id).ok_or_else(nothing)?;
    Ok(decisions::seen(&console.store, visit.actor(), id).await?)
}

async fn show(State(console): State<Console>, visit: Visit, Path(id): Path<String>, request: Request) -> Result<Response, Stop> {
    let agreement = seen(&console, &visit, &id).await?;
    let fields = Fields::of_query(request.uri())?;
    // What was written when the session ended comes back so.
    let (done, reason) = (visit.was_done(&fields), visit.written_reason(&fields));
    drawn(&console, &visit, agreement, done.then_some(Note::Done), reason).await
}

async fn decide(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let agreement = seen(&console, visit, &id).await.map_err(|stop| form.stop(stop))?;
    let wanted = form.fields.text("decision");
    let (_, to) = DECISIONS.into_iter().find(|(name, _)| *name == wanted).ok_or(ConsoleRefusal::ConsoleFormUnreadable)?;
    let written = form.fields.text("reason").into_owned();
    let now = console.clock.now();
    let ending = match to {
        Stands::Terminated => Some(ending::propose(&console.store, &agreement, None, &console.rules, now).await?),
        _ => None,
    };
    let approval = approval::propose(&console.store, &agreement, &console.rules, now).await?;
    let text = ending.as_ref().map_or_else(|| approval.text(), ending::Ending::text);
    if form.fields.text("shown") != shown::sha256(&text) {
        return drawn(&console, visit, agreement, Some(Note::Changed), written).await;
    }
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    // By what it does, whatever it is called: an approval by another name is one.
    let approves = Action::of_change(agreement.state, to) == Some(Action::ApproveAgreement);
    if approves && form.fields.text("read") != "1" {
        let field = Detail::new("Jeg har læst teksten", "I have read the text");
        let what = Detail::new("det skal sættes, før aftalen godkendes", "it must be set before the agreement is approved");
        return Err(form.stop(ConsoleRefusal::ConsoleField { field, what }));
    }
    let because = Because::new(reason, now);
    let decided = match &ending {
        Some(ending) => ending::end(&console.store, By::User(visit.actor()), ending, &because, None).await,
        None if to == Stands::Approved && decisions::is_over(&agreement, now) => {
            decisions::lift(&console.store, By::User(visit.actor()), &agreement, &because, None).await
        }
        None => decisions::decide_as_shown(&console.store, By::User(visit.actor()), &approval, to, &because, None).await,
    };
    match decided {
        Ok(decided) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/agreements/{}", decided.id)))
        }
        Err(error) => match of_decision(error) {
            // Somebody else decided between the look and the decision.
            ApiRefusal::ApiPreconditionFailed => {
                let now = seen(&console, visit, &id).await?;
                drawn(&console, visit, now, Some(Note::Changed), written).await
            }
            refusal @ (ApiRefusal::ApiCreatorApproves { .. }
            | ApiRefusal::ApiCreatorUnknown
            | ApiRefusal::ApiSuspendedAbove
            | ApiRefusal::ApiNoticeOfAnother
            | ApiRefusal::ApiConflict { .. }
            | ApiRefusal::ApiTransition { .. }) => {
                let entry = refusal.entry();
                let text = if visit.asked.language.tag() == "en" { entry.en } else { entry.da };
                drawn(&console, visit, agreement, Some(Note::Refused(text.what, text.remedy)), written).await
            }
            refusal => Err(form.stop(refusal)),
        },
    }
}
