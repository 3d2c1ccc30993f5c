//! The persons queue: what waits to be handed on to Campus, what Campus refuses, and what is done about it. A person is shown by the
//! running number alone.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::api::problem::of_decision;
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, Place, page};
use crate::console::note::Note;
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::{Because, By};
use crate::persons::campus::queue::{Operation, QueueError, operate};
use crate::persons::outbox::{self, Figures, Standing};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::text::LONGEST;
use crate::users::Actor;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place { href: "/persons", name: ("Personkø", "Persons queue"), for_whom: operates };

/// The most rows of a page: what is given up first, then the oldest.
const MOST: u32 = 100;

/// The gateway's operators, of all services: an institution sees what became of its persons in the answer to its import.
fn operates(actor: &Actor) -> bool {
    actor.scope().is_everything() && actor.may(Action::SeeCalls).is_ok()
}

pub(super) fn router() -> Router<Console> {
    Router::new().route("/persons", get(list)).route("/persons/{row}/decide", post(decide))
}

#[derive(Template)]
#[template(path = "console/persons.html")]
struct QueuePage {
    frame: Frame,
    figures: Figures,
    rows: Vec<Standing>,
    may_change: bool,
    note: Option<Note>,
    reason: String,
}

async fn drawn(console: &Console, visit: &Visit, note: Option<Note>, reason: String) -> Result<Response, Stop> {
    if !operates(visit.actor()) {
        return Err(ApiRefusal::ApiNotAllowed { action: Action::SeeCalls.describe() }.into());
    }
    let frame = visit.frame(console, "Personkø til Campus", "Persons queue to Campus");
    let (database, now) = (console.store.database(), console.clock.now());
    let (figures, rows) = (outbox::figures(database, now).await?, outbox::oldest(database, MOST).await?);
    let may_change = visit.actor().may(Action::ManageUsers).is_ok();
    let status = Note::status(note.as_ref());
    Ok((status, page(&QueuePage { figures, rows, may_change, note, reason, frame })?).into_response())
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    let done = visit.was_done(&Fields::of_query(request.uri())?);
    drawn(&console, &visit, done.then_some(Note::Done), String::new()).await
}

async fn decide(State(console): State<Console>, Path(row): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    visit.may(Action::ManageUsers).map_err(|stop| form.stop(stop))?;
    let row = row.parse::<i64>().map_err(|_| ConsoleRefusal::ConsolePageUnknown)?;
    let operation = match &*form.fields.text("what") {
        "retry" => Operation::Retry,
        "drop" => Operation::Drop,
        _ => return Err(ConsoleRefusal::ConsoleFormUnreadable.into()),
    };
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason.clone(), console.clock.now());
    match operate(&console.store, Some(By::User(visit.actor())), row, operation, &because).await {
        Ok(()) => {
            console.decided.notify_one();
            Ok(visit.done_at("/persons"))
        }
        // Somebody else decided between the look and the decision, or the form came twice.
        Err(QueueError::NotDead(_)) => drawn(&console, visit, Some(Note::Changed), reason).await,
        Err(QueueError::Erased(_)) => {
            let frame = visit.frame(&console, "", "");
            let what = frame.t("En sletning kan ikke fjernes fra køen.", "An erasure cannot be dropped.");
            let (da, en) = ("Slet brugeren i Campus, og prøv så igen.", "Delete the user in Campus, then try again.");
            let note = Note::Refused(what.to_owned(), frame.t(da, en).to_owned());
            drawn(&console, visit, Some(note), reason).await
        }
        Err(QueueError::Decide(error)) => Err(form.stop(of_decision(error))),
    }
}
