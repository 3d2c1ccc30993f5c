//! Connections: the list with the longest wait first, and one with its picture and its tasks. A task is stated in a form; what comes of
//! it is decided in [`crate::connection::decide`], as over the API and at the command line.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use uuid::Uuid;

use super::connection;
use crate::api::problem::of_decision;
use crate::connection::consent;
use crate::connection::decide::{self, ConnectionError, LONGEST_REFERENCE, Stating};
use crate::connection::graph::Consenting;
use crate::connection::picture;
use crate::connection::shown::{Names, Shown, View, waited};
use crate::connection::standing::State as Stands;
use crate::connection::store::{MOST, Wanted};
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::service::For;
use crate::decisions::{Because, By};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::text::LONGEST;
use crate::users::Kind;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place {
    href: "/connections",
    name: ("Forbindelser", "Connections"),
    for_whom: |actor| actor.may(Action::SeeConnections).is_ok(),
};

/// The most lines of the list: the longest waits.
const LINES: usize = 200;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/connections", get(list).post(connection::add))
        .route("/connections/{id}", get(show))
        .route("/connections/{id}/state", post(state))
        .route("/connections/{id}/consent", post(consent))
}

#[derive(Template)]
#[template(path = "console/connections.html")]
struct ListPage {
    frame: Frame,
    may_add: bool,
    authority: String,
    lines: Vec<Line>,
    /// How many there are besides.
    more: usize,
    /// Where there are more than are read at once: how many were.
    cut: Option<u32>,
}

struct Line {
    id: Uuid,
    graph: String,
    authority: String,
    receiver: Option<String>,
    done: usize,
    needed: usize,
    turn: Option<Turn>,
    /// The side that has yet to agree, where nobody can do anything before.
    awaits: Option<String>,
}

/// The task that has waited longest.
struct Turn {
    task: String,
    whose: String,
    waited: String,
}

fn in_language(frame: &Frame, text: &Detail) -> String {
    frame.t(text.da(), text.en()).to_owned()
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    visit.may(Action::SeeConnections)?;
    let frame = visit.frame(&console, "Forbindelser", "Connections");
    let authority = Fields::of_query(request.uri())?.text("authority").into_owned();
    let wrong = || {
        let field = Detail::new("Myndighed", "Authority");
        ConsoleRefusal::ConsoleField { field, what: Detail::new("det er ikke otte cifre", "it is not eight digits") }
    };
    let wanted = (!authority.is_empty()).then(|| authority.parse::<Cvr>().map_err(|_| wrong())).transpose()?;
    let wanted = Wanted { authority: wanted, limit: MOST, ..Wanted::default() };
    let now = console.clock.now();
    let mut views = console.store.connection_views(&wanted, &visit.actor().scope(), now).await?;
    let cut = (views.len() >= MOST as usize).then_some(MOST);
    views.sort_by_cached_key(View::waits_since);
    let more = views.len().saturating_sub(LINES);
    views.truncate(LINES);
    let names = Names::of(&console.store).await?;
    let lines = views.iter().map(|view| {
        let (done, needed) = view.done();
        let connection = &view.connection;
        let turn = view.next().first().map(|shown| Turn {
            task: shown.task.id.clone(),
            whose: names.party(shown.whose),
            waited: shown.standing.since.map_or_else(|| "–".to_owned(), |since| in_language(&frame, &waited(since, now))),
        });
        Line {
            id: connection.id,
            graph: in_language(&frame, &view.graph.name),
            authority: names.party(connection.authority),
            receiver: (connection.receiver_authority != connection.authority).then(|| names.party(connection.receiver_authority)),
            done,
            needed,
            awaits: view.awaits_in_words().filter(|_| turn.is_none()).map(|waits| in_language(&frame, &waits)),
            turn,
        }
    });
    let may_add = visit.actor().may(Action::AddConnection).is_ok();
    page(&ListPage { may_add, lines: lines.collect(), authority, more, cut, frame })
}

#[derive(Template)]
#[template(path = "console/connection.html")]
struct ConnectionPage {
    frame: Frame,
    id: Uuid,
    graph: String,
    authority: String,
    client: (String, Uuid),
    receiver: Option<(String, String, Uuid)>,
    done: usize,
    needed: usize,
    picture: String,
    tasks: Vec<TaskLine>,
    forms: Vec<StateForm>,
    /// What the user may take back.
    withdrawals: Vec<StateForm>,
    /// The persons whom the user may give tasks to, where the user may give any.
    people: Option<Vec<(Uuid, String)>>,
    assign: AssignForm,
    may_end: bool,
    end_reason: String,
    note: Option<Note>,
    ended: bool,
    /// Whether a side has yet to agree, and for which this user may.
    awaits_receiver: bool,
    awaits_authority: bool,
    consents: Vec<ConsentForm>,
}

impl ConnectionPage {
    fn gives(&self, task: &str, party: &Cvr) -> bool {
        self.assign.task == format!("{task} {party}")
    }

    fn gives_to(&self, person: &Uuid) -> bool {
        self.assign.person == person.to_string()
    }
}

/// A side for which the user may agree.
struct ConsentForm {
    side: &'static str,
    told: String,
    reason: String,
}

/// What was written of whom a task is to be given to.
struct AssignForm {
    task: String,
    person: String,
    due: String,
    wave: String,
    reason: String,
}

struct TaskLine {
    id: String,
    text: String,
    state: &'static str,
    state_told: String,
    told: String,
    is_next: bool,
    given: Vec<String>,
    /// For whom the user may give it to somebody: by CVR number, and what that is called where there are two.
    assigns: Vec<(Cvr, Option<String>)>,
}

/// A task that the user may state now, for one party.
struct StateForm {
    task: String,
    text: String,
    party: Cvr,
    party_told: String,
    reference: String,
    reason: String,
}

/// What came of a form.
enum Note {
    /// It was stated.
    Done,
    /// It may not be; nothing was done. Why, and what was written: its form may be gone from the page.
    Refused(String, String),
}

async fn drawn(
    console: &Console,
    visit: &Visit,
    view: View,
    note: Option<Note>,
    written: Option<&Form>,
) -> Result<Response, Stop> {
    let frame = visit.frame(console, "En forbindelse", "A connection");
    let (names, now) = (Names::of(&console.store).await?, console.clock.now());
    let connection = &view.connection;
    let words: picture::Words = if frame.english() { Detail::en } else { Detail::da };
    let line = |shown: &Shown| {
        let given = shown.given.iter().filter_map(|(party, assignment)| {
            let person = assignment.person.map(|person| names.user(person));
            let due = assignment.due.map(|due| format!("{} {due}", frame.t("frist", "due")));
            let wave = assignment.wave.map(|wave| format!("{} {wave}", frame.t("bølge", "wave")));
            let given: Vec<String> = [person, due, wave].into_iter().flatten().collect();
            let by = if shown.task.both { format!("{}: ", names.party(*party)) } else { String::new() };
            (!given.is_empty()).then(|| by + &given.join(", "))
        });
        let assigns = decide::assigns(visit.actor(), connection, shown.task);
        let by = |party: Cvr| (party, (assigns.len() > 1).then(|| names.party(party)));
        TaskLine {
            id: shown.task.id.clone(),
            text: in_language(&frame, &shown.task.text),
            state: shown.standing.state.name(),
            state_told: in_language(&frame, &shown.standing.state.describe()),
            told: in_language(&frame, &shown.describe(&view, &names, now)),
            is_next: shown.standing.state.is_next(),
            given: given.collect(),
            assigns: assigns.iter().copied().map(by).collect(),
        }
    };
    // What the connection does not need stands in no picture and last in the list.
    let (needless, needed): (Vec<&Shown>, Vec<&Shown>) =
        view.tasks.iter().partition(|shown| shown.standing.state == Stands::NotNeeded);
    let mut first = view.next();
    first.extend(needed.iter().filter(|shown| !shown.standing.state.is_next()));
    first.extend(needless);
    // What was written in a form is in that one again: of a task, a party or a side, in theirs.
    let wrote = |form: &str, of: &[(&str, &str)], name: &str| {
        let own = written.filter(|sent| sent.asks() == form && of.iter().all(|(field, value)| sent.fields.text(field) == *value));
        own.map(|sent| sent.fields.text(name).into_owned()).unwrap_or_default()
    };
    let may = view
        .next()
        .into_iter()
        .flat_map(|shown| decide::may_state(visit.actor(), &view, shown).into_iter().map(move |party| (shown, party)));
    let state_form = |form: &str, (shown, party): (&Shown, Cvr)| {
        let (task, cvr) = (shown.task.id.as_str(), party.to_string());
        let of = [("task", task), ("party", cvr.as_str())];
        StateForm {
            task: task.to_owned(),
            text: in_language(&frame, &shown.task.text),
            party,
            party_told: names.party(party),
            reference: wrote(form, &of, "reference"),
            reason: wrote(form, &of, "reason"),
        }
    };
    let forms = may.map(|of| state_form("state", of));
    let back = view
        .tasks
        .iter()
        .flat_map(|shown| decide::may_withdraw(visit.actor(), &view, shown).into_iter().map(move |party| (shown, party)));
    let withdrawals = back.map(|of| state_form("withdraw", of));
    let (actor, open) = (visit.actor(), connection.ended.is_none());
    let people = match view.tasks.iter().any(|shown| !decide::assigns(actor, connection, shown.task).is_empty()) {
        true => {
            let own = actor.user().party;
            let parties = connection.parties();
            let known = console.store.users().await?.into_iter();
            let known = known.filter(|user| user.kind == Kind::Person && user.holds(now));
            // Whom another party has stays its own.
            let known =
                known.filter(|user| user.party.is_some_and(|party| own.map_or(parties.contains(&party), |own| own == party)));
            Some(known.map(|user| (user.id, user.name)).collect())
        }
        false => None,
    };
    let ends = For::OneOf([connection.authority, connection.client_supplier.unwrap_or(connection.authority)]);
    let may_end = open && actor.may(Action::AddConnection).is_ok() && ends.is_for(actor, connection.service);
    let status = match note {
        None | Some(Note::Done) => StatusCode::OK,
        Some(Note::Refused(..)) => StatusCode::CONFLICT,
    };
    let mine = consent::may_consent(&console.store, actor, connection, now).await?;
    let consents = mine.into_iter().map(|side| ConsentForm {
        side: side.name(),
        told: in_language(&frame, &side.describe()),
        reason: wrote("consent", &[("side", side.name())], "reason"),
    });
    let assigned = |name: &str| wrote("assign", &[], name);
    let assign = AssignForm {
        task: assigned("task"),
        person: assigned("person"),
        due: assigned("due"),
        wave: assigned("wave"),
        reason: assigned("reason"),
    };
    let (done, of) = view.done();
    let receiver = connection.receiver.zip(view.graph.receiver.as_ref());
    let drawn = page(&ConnectionPage {
        id: connection.id,
        graph: in_language(&frame, &view.graph.name),
        authority: names.party(connection.authority),
        client: (in_language(&frame, &view.graph.client), connection.client),
        receiver: receiver
            .map(|(system, called)| (in_language(&frame, called), names.party(connection.receiver_authority), system)),
        done,
        needed: of,
        picture: picture::svg(&view, &names, words),
        tasks: first.into_iter().map(line).collect(),
        forms: if open { forms.collect() } else { Vec::new() },
        withdrawals: if open { withdrawals.collect() } else { Vec::new() },
        people,
        assign,
        may_end,
        end_reason: wrote("end", &[], "reason"),
        note,
        ended: connection.ended.is_some(),
        awaits_receiver: open && connection.consented.is_none(),
        awaits_authority: open && connection.authority_consented.is_none(),
        consents: consents.collect(),
        frame,
    })?;
    Ok((status, drawn).into_response())
}

pub(super) async fn seen(console: &Console, visit: &Visit, id: &str) -> Result<View, Stop> {
    visit.may(Action::SeeConnections)?;
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("forbindelse", "connection") };
    let id = crate::text::uuid(id).ok_or_else(nothing)?;
    let view = console.store.connection_view(id, console.clock.now()).await?;
    let seen = view.filter(|view| view.connection.is_seen_by(&visit.actor().scope()));
    Ok(seen.ok_or_else(nothing)?)
}

async fn show(State(console): State<Console>, visit: Visit, Path(id): Path<String>, request: Request) -> Result<Response, Stop> {
    let view = seen(&console, &visit, &id).await?;
    let done = visit.was_done(&Fields::of_query(request.uri())?);
    drawn(&console, &visit, view, done.then_some(Note::Done), None).await
}

async fn consent(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let view = seen(&console, visit, &id).await.map_err(|why| form.stop(why))?;
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason, console.clock.now());
    let side = Some(form.fields.text("side")).filter(|side| !side.is_empty());
    let side = side.map(|side| side.parse::<Consenting>()).transpose();
    let side = side.map_err(|_| form.stop(ConsoleRefusal::ConsoleFormUnreadable))?;
    match consent::consent(&console.store, By::User(visit.actor()), (&view.connection, side), &because, None).await {
        Ok(known) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/connections/{}", known.id)))
        }
        Err(error) => refused(&console, &form, &id, error).await,
    }
}

/// The page again, with why nothing was done and with what was written.
async fn refused(console: &Console, form: &Form, id: &str, error: ConnectionError) -> Result<Response, Stop> {
    let visit = &form.visit;
    match error {
        ConnectionError::Refused(why) => {
            let now = seen(console, visit, id).await.map_err(|why| form.stop(why))?;
            let written = ["reference", "reason"].map(|name| form.fields.text(name).into_owned());
            let written = written.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
            let why = in_language(&visit.frame(console, "", ""), &why);
            drawn(console, visit, now, Some(Note::Refused(why, written)), Some(form)).await
        }
        ConnectionError::NoSuch(_) => Err(form.stop(ConsoleRefusal::ConsolePageUnknown)),
        ConnectionError::Decide(error) => Err(form.stop(of_decision(error))),
    }
}

async fn state(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let view = seen(&console, visit, &id).await.map_err(|why| form.stop(why))?;
    let reference = form.fields.line("reference", Detail::new("Reference", "Reference"), LONGEST_REFERENCE);
    let reference = reference.map_err(|why| form.stop(why))?;
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let party = form.fields.text("party").parse().map_err(|_| form.stop(ConsoleRefusal::ConsoleFormUnreadable))?;
    let stating = Stating {
        connection: view.connection.id,
        task: form.fields.text("task").into_owned(),
        party: Some(party),
        reference: Some(reference),
    };
    let because = Because::new(reason, console.clock.now());
    let stated = decide::state(&console.store, By::User(visit.actor()), &stating, &because, None).await;
    over(&console, &form, &id, stated.map(drop)).await
}

/// Where a form on a connection leads to.
pub(super) async fn over(console: &Console, form: &Form, id: &str, done: Result<(), ConnectionError>) -> Result<Response, Stop> {
    let visit = &form.visit;
    match done {
        Ok(()) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/connections/{id}")))
        }
        Err(error) => refused(console, form, id, error).await,
    }
}
