//! The demo's connection: what must be done before Korsbæk's system may deliver vouchers, step by step to a test that is accepted.

use super::finance::{Finance, LEDGER_SYSTEM};
use super::persons::Persons;
use super::world::{World, WorldError};
use crate::agreements::Store;
use crate::cli::connection::look::look;
use crate::cli::verify_connection;
use crate::connection::decide::{self, New, Stating};
use crate::connection::shown::View;
use crate::decisions::{Because, By};
use crate::store::Settings;
use crate::stub::pki::Role;
use crate::stub::population::KORSBAEK;

/// What happens, in a line.
pub const TITLE: &str = "Korsbæk's system is connected to SF1590_A, task by task, to an accepted test";
/// What comes of it.
const DONE: &str = "connected";

/// A connection that was shown.
pub struct Played {
    /// What came of it.
    pub code: String,
    /// What was done, a line each.
    pub lines: Vec<String>,
    /// Whether every task is done.
    pub as_expected: bool,
}

/// Adds the connection, has an operator state what nobody sees, sends the test, and tells each task as it is done.
///
/// # Errors
/// A decision that is refused, a test that is not accepted, or a store that does not answer.
pub async fn play(world: &World, finance: &Finance) -> Result<Played, WorldError> {
    let store = Store::open(&Settings::sqlite(&world.dir.join("agreements.sqlite"))).await?;
    let played = steps(world, finance, &store).await;
    store.close().await;
    played
}

async fn steps(world: &World, finance: &Finance, store: &Store) -> Result<Played, WorldError> {
    let persons = Persons::known(&world.pki)?;
    let because = || Because::new("demo".to_owned(), world.clock.now());
    let new = New {
        graph: "sf1590a".to_owned(),
        service: finance.service(),
        environment: "demo".parse()?,
        authority: KORSBAEK.parse()?,
        client: Role::Korsbaek.uuid().parse()?,
        client_supplier: None,
        receiver: Some(LEDGER_SYSTEM.parse()?),
        receiver_authority: None,
        receiver_supplier: None,
        options: ["straks", "verification"].map(str::to_owned).into(),
    };
    let connection = new.connection(world.clock.now())?;
    decide::add(store, By::Key(persons.operator()), &connection, &because(), None).await?;
    // The ledger's address is asked once, as an operator would.
    look(store, std::slice::from_ref(&connection), world.clock.now(), &mut std::io::sink()).await?;
    let current = async || -> Result<View, WorldError> {
        let view = store.connection_view(connection.id, world.clock.now()).await?;
        Ok(view.ok_or("the connection is gone")?)
    };
    let mut view = current().await?;
    let (seen, needed) = view.done();
    let mut lines = vec![format!("{seen} of {needed} tasks are seen done: agreements, approvals, route, ledger, users")];
    // Each turn does one task: there are never more turns than tasks.
    for _ in 0..needed {
        let Some(next) = view.next().into_iter().find(|shown| shown.task.stated).map(|shown| shown.task) else { break };
        let (id, text) = (&next.id, next.text.en());
        let stating =
            Stating { connection: connection.id, task: id.clone(), party: None, reference: Some(format!("demo, {id}")) };
        view = decide::state(store, By::Key(persons.operator()), &stating, &because(), None).await?;
        lines.push(format!("{id} is stated: {text}"));
        let test = view.next().into_iter().any(|shown| shown.task.id == "TF107");
        if test {
            let record = finance.tested(world).await?;
            view = verify_connection::mark(store, connection.id, &record, world.clock.now()).await?;
            lines.push(format!("TF107 is seen done: call {} was accepted by the ledger", record.call));
        }
    }
    let (done, needed) = view.done();
    lines.push(format!("{done} of {needed} tasks are done: hjemmel connection show {} --config hjemmel.toml", connection.id));
    let open = |view: &View| view.next().iter().map(|shown| shown.task.id.as_str()).collect::<Vec<_>>().join(", ");
    let code = if view.is_finished() { DONE.to_owned() } else { format!("waits for {}", open(&view)) };
    Ok(Played { as_expected: code == DONE, code, lines })
}
