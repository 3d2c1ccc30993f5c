//! The auditor's page: who has asked about a person, and why the auditor wants to know. The question is in the audit's chain before
//! it is answered. The person's number is never shown again, and no address has it.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use uuid::Uuid;

use super::{authority_names, calls, named};
use crate::audit::chain::Checkpoint;
use crate::audit::log::read_head;
use crate::audit::place::{Folder, Place as Log};
use crate::audit::question::{Question, Seen};
use crate::console::Console;
use crate::console::form::Form;
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::id::cpr::Cpr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place =
    Place { href: "/auditor", name: ("Revision", "Audit"), for_whom: |actor| actor.may(Action::AskAudit).is_ok() };

/// The most calls of one answer.
const MOST: usize = 500;
/// The longest reason, in characters.
const REASON: usize = 200;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/auditor", get(form).post(ask))
}

#[derive(Template)]
#[template(path = "console/auditor.html")]
struct AuditorPage {
    frame: Frame,
    head: Option<Checkpoint>,
    answer: Option<Answer>,
}

/// What was found.
struct Answer {
    question: Uuid,
    asked_at: Timestamp,
    reason: String,
    calls: Vec<Line>,
    newest: bool,
    read_back_to: Option<Timestamp>,
    unreadable: u64,
}

struct Line {
    id: Uuid,
    at: Timestamp,
    service: String,
    authority: String,
    legal_basis: String,
    refusal: Option<String>,
}

/// How far the log of this node has come by its last checkpoint.
async fn head(console: &Console) -> Result<Option<Checkpoint>, Stop> {
    let folder = console.audit.clone();
    let read = tokio::task::spawn_blocking(move || read_head(&folder)).await;
    read.map_err(|_| ApiRefusal::ApiInternal)?.map_err(|error| {
        tracing::error!(%error, "the head of the audit log cannot be read");
        ApiRefusal::ApiUnavailable.into()
    })
}

async fn form(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    visit.may(Action::AskAudit)?;
    let frame = visit.frame(&console, "Revision", "Audit");
    page(&AuditorPage { head: head(&console).await?, answer: None, frame })
}

async fn ask(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    form.visit.may(Action::AskAudit)?;
    let sees = calls::sees(&console, &form.visit).await?;
    let number: String = form.fields.text("cpr").chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    let cpr = Cpr::parse(&number).ok_or_else(|| {
        let field = Detail::new("CPR-nummer", "CPR number");
        form.stop(ConsoleRefusal::ConsoleField { field, what: Detail::new("det er ikke ti cifre", "it is not ten digits") })
    })?;
    let called = Detail::new("Begrundelse", "Reason");
    let reason = form.fields.line("reason", called.clone(), REASON).map_err(|refusal| form.stop(refusal))?;
    let (id, now, user) = (Uuid::now_v7(), console.clock.now(), form.visit.actor().user());
    let person = console.sealer.seal(id, cpr.expose()).map_err(|_| ApiRefusal::ApiInternal)?;
    let pseudonym = person.pseudonym.clone();
    let folder = console.audit.clone();
    let seen = tokio::task::spawn_blocking(move || {
        let places: Vec<Box<dyn Log>> = vec![Box::new(Folder(folder))];
        Seen::of(&places)
    });
    let seen = seen.await.map_err(|_| ApiRefusal::ApiInternal)?.map_err(|error| {
        tracing::error!(%error, "the audit log cannot be read");
        ApiRefusal::ApiUnavailable
    })?;
    let question = Question {
        question: id,
        asked_at: now,
        by: user.name.clone(),
        user: Some(user.id),
        reason: reason.clone(),
        person: Some(person),
        call: None,
        authority: user.party,
        certificate: None,
        from: None,
        to: None,
        logs: vec![seen],
        signed: None,
    };
    question.sound().map_err(|_| {
        let what = Detail::new("det må ikke indeholde et personnummer", "it must not hold a person's number");
        form.stop(ConsoleRefusal::ConsoleField { field: called, what })
    })?;
    // Before anything is read: what is not on record is not answered.
    console.log.asked(question).await.map_err(|_| ApiRefusal::ApiUnavailable)?;
    let found = calls::read(&console, MOST, move |record| sees(record) && record.names(&pseudonym)).await?;
    let names = authority_names(&console).await?;
    let line = |call: &crate::audit::search::Followed| Line {
        id: call.record.call,
        at: call.record.opened_at,
        service: call.record.service.clone(),
        authority: call.record.authority.map(|cvr| named(&names, cvr)).unwrap_or_default(),
        legal_basis: call.record.legal_basis.clone().unwrap_or_default(),
        refusal: call.record.refusal.clone(),
    };
    let answer = Answer {
        question: id,
        asked_at: now,
        reason,
        calls: found.calls.iter().map(line).collect(),
        newest: found.calls.len() == MOST,
        read_back_to: found.read_back_to,
        unreadable: found.unreadable,
    };
    let frame = form.visit.frame(&console, "Revision: svar", "Audit: answer");
    page(&AuditorPage { head: head(&console).await?, answer: Some(answer), frame })
}
