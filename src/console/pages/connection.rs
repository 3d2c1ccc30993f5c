//! A connection is added and ended, its tasks are given to persons, and a statement is taken back. As [`connections`](super::connections)
//! it decides nothing itself.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use uuid::Uuid;

use super::connections::{over, seen};
use crate::api::connections::of_connection;
use crate::api::input::{civil, parsed, wrong};
use crate::connection::decide::{self, Assigning, ConnectionError, New, Stating};
use crate::connection::graph::Graph;
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, page};
use crate::console::note::Note;
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::{Because, By};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::text::LONGEST;
use crate::users::rights::Action;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/connections/new", get(begin))
        .route("/connections/{id}/end", post(end))
        .route("/connections/{id}/assign", post(assign))
        .route("/connections/{id}/withdraw", post(withdraw))
}

/// What the fields of the form are called on the page.
const LABELS: [(&str, &str, &str); 8] = [
    ("graph", "Forbindelse til", "Connection to"),
    ("service", "Service", "Service"),
    ("authority", "Myndighed", "Authority"),
    ("client", "Anvendersystem", "Client system"),
    ("client_supplier", "Leverandør", "Supplier"),
    ("receiver", "Modtagersystem", "Receiving system"),
    ("receiver_authority", "Modtagers myndighed", "Receiver's authority"),
    ("receiver_supplier", "Modtagers leverandør", "Receiver's supplier"),
];

#[derive(Template)]
#[template(path = "console/connection-new.html")]
struct NewPage {
    frame: Frame,
    graphs: &'static [Graph],
    services: Vec<(Uuid, String)>,
    fields: Fields,
    chosen: Vec<String>,
    note: Option<Note>,
}

impl NewPage {
    fn has(&self, option: &str) -> bool {
        self.chosen.iter().any(|chosen| chosen == option)
    }
}

async fn blank(console: &Console, visit: &Visit, fields: Fields, note: Option<Note>) -> Result<Response, Stop> {
    visit.may(Action::AddConnection)?;
    let frame = visit.frame(console, "Opret en forbindelse", "Add a connection");
    let services = console.known.services().await.into_iter().map(|service| (service.id, service.name)).collect();
    let chosen = fields.all("option").map(str::to_owned).collect();
    let status = Note::status(note.as_ref());
    let graphs = crate::connection::graphs();
    Ok((status, page(&NewPage { frame, graphs, services, fields, chosen, note })?).into_response())
}

async fn begin(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    blank(&console, &visit, Fields::default(), None).await
}

fn filled(console: &Console, fields: &Fields) -> Result<New, ApiRefusal> {
    let uuid =
        |name: &str| crate::text::uuid(&fields.text(name)).ok_or_else(|| wrong(name, "det er ikke en UUID", "it is not a UUID"));
    let cvr = |name: &str| parsed::<Cvr>(name, &fields.text(name), "det er ikke otte cifre", "it is not eight digits");
    let given = |name: &str| (!fields.text(name).is_empty()).then_some(name.to_owned());
    Ok(New {
        graph: fields.text("graph").into_owned(),
        service: uuid("service")?,
        environment: console.environment.parse().map_err(|_| ApiRefusal::ApiInternal)?,
        authority: cvr("authority")?,
        client: uuid("client")?,
        client_supplier: given("client_supplier").map(|name| cvr(&name)).transpose()?,
        receiver: given("receiver").map(|name| uuid(&name)).transpose()?,
        receiver_authority: given("receiver_authority").map(|name| cvr(&name)).transpose()?,
        receiver_supplier: given("receiver_supplier").map(|name| cvr(&name)).transpose()?,
        // Each choice is of a graph: that of another is not sent on.
        options: fields
            .all("option")
            .filter_map(|option| option.split_once(':'))
            .filter(|(graph, _)| *graph == fields.text("graph"))
            .map(|(_, option)| option.to_owned())
            .collect::<BTreeSet<_>>(),
    })
}

fn reason(form: &Form) -> Result<String, Stop> {
    form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))
}

pub(super) async fn add(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    visit.may(Action::AddConnection).map_err(|stop| form.stop(stop))?;
    let because = Because::new(reason(&form)?, console.clock.now());
    let new = filled(&console, &form.fields);
    let field = |what: Detail| ApiRefusal::ApiFieldInvalid { field: "graph".to_owned(), what };
    let made = new.and_then(|new| {
        new.connection(because.at).map_err(|error| match error {
            ConnectionError::Refused(what) => field(what),
            error => of_connection(error),
        })
    });
    let added = match made {
        // Sent twice, it is there: the page says which it is.
        Ok(connection) => {
            let added = decide::add(&console.store, By::User(visit.actor()), &connection, &because, None).await;
            added.map(|added| added.id).map_err(of_connection)
        }
        Err(refusal) => Err(refusal),
    };
    match added {
        Ok(id) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/connections/{id}")))
        }
        Err(refusal) => match Note::of(visit, &refusal, &LABELS) {
            Some(note) => blank(&console, visit, form.fields.clone(), Some(note)).await,
            None => Err(form.stop(refusal)),
        },
    }
}

async fn end(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let view = seen(&console, visit, &id).await.map_err(|why| form.stop(why))?;
    visit.may(Action::AddConnection).map_err(|stop| form.stop(stop))?;
    let because = Because::new(reason(&form)?, console.clock.now());
    let ended = decide::end(&console.store, By::User(visit.actor()), &view.connection, &because, None).await;
    over(&console, &form, &id, ended.map(drop)).await
}

async fn assign(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let view = seen(&console, visit, &id).await.map_err(|why| form.stop(why))?;
    visit.may(Action::AssignTask).map_err(|stop| form.stop(stop))?;
    let because = Because::new(reason(&form)?, console.clock.now());
    let text = |name: &str| Some(form.fields.text(name).into_owned()).filter(|text| !text.is_empty());
    let field = |da: &'static str, en: &'static str, what: Detail| {
        form.stop(ConsoleRefusal::ConsoleField { field: Detail::new(da, en), what })
    };
    let no_day = || Detail::new("det er ikke en dato", "it is no day");
    let no_wave = || Detail::new("det er ikke et tal fra 1 til 999", "it is no number from 1 to 999");
    let person = text("person").map(|id| crate::text::uuid(&id).ok_or(ConsoleRefusal::ConsoleFormUnreadable)).transpose()?;
    let due = text("due").map(|day| civil("due", &day).map_err(|_| field("Frist", "Due", no_day()))).transpose()?;
    let wave = text("wave").map(|wave| wave.parse().map_err(|_| field("Bølge", "Wave", no_wave()))).transpose()?;
    // Where two authorities give it each to its own, the task is chosen with the one.
    let chosen = form.fields.text("task").into_owned();
    let (task, party) = chosen.split_once(' ').map_or((chosen.as_str(), None), |(task, party)| (task, Some(party)));
    let party =
        party.map(|party| party.parse::<Cvr>().map_err(|_| form.stop(ConsoleRefusal::ConsoleFormUnreadable))).transpose()?;
    let assigning = Assigning { connection: view.connection.id, task: task.to_owned(), party, person, due, wave };
    let assigned = decide::assign(&console.store, By::User(visit.actor()), &assigning, &because, None).await;
    over(&console, &form, &id, assigned.map(drop)).await
}

async fn withdraw(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let view = seen(&console, visit, &id).await.map_err(|why| form.stop(why))?;
    visit.may(Action::StateTask).map_err(|stop| form.stop(stop))?;
    let because = Because::new(reason(&form)?, console.clock.now());
    let party = form.fields.text("party").parse().map_err(|_| form.stop(ConsoleRefusal::ConsoleFormUnreadable))?;
    let task = form.fields.text("task").into_owned();
    let stating = Stating { connection: view.connection.id, task, party: Some(party), reference: None };
    let withdrawn = decide::state(&console.store, By::User(visit.actor()), &stating, &because, None).await;
    over(&console, &form, &id, withdrawn.map(drop)).await
}
