//! `hjemmel connection look`: asks the receivers' addresses whether they answer, as a call would reach them.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::CommandError;
use crate::agreements::route::{Route, Standing};
use crate::agreements::{Environment, Store};
use crate::clock::civil_day;
use crate::config::DEMO;
use crate::connection::decide;
use crate::connection::graph::Look;
use crate::connection::store::Connection;
use crate::decisions::endpoint;
use crate::outbound::OutboundSettings;
use crate::outbound::probe::probe;
use crate::revocation::domain::Domain;
use crate::revocation::verify::Stapling;

/// How long one address is given.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks each receiver of these connections once, keeps what it said, and gives how many did not answer.
pub(in crate::cli) async fn look(
    store: &Store,
    connections: &[Connection],
    now: Timestamp,
    out: &mut impl Write,
) -> Result<usize, CommandError> {
    let day = civil_day(now).unwrap_or_default();
    let routes = store.routes().await?;
    let mut receivers = BTreeMap::new();
    for connection in connections {
        let asks = |graph: &crate::connection::graph::Graph| graph.tasks.iter().any(|task| task.seen == Some(Look::Answers));
        if let Some(receiver) = connection.receiver.filter(|_| connection.graph().is_some_and(asks)) {
            let key = (connection.service, connection.environment.as_str(), receiver);
            receivers.entry(key).or_insert(connection);
        }
    }
    let mut silent = 0;
    for ((service, environment, receiver), connection) in receivers {
        let leads = |route: &&Route| {
            let place =
                (route.service, Environment::as_str(&route.environment), route.system) == (service, environment, receiver);
            place && route.period.standing(day) == Standing::Holds
        };
        let Some(route) = routes.iter().find(leads) else {
            writeln!(out, "  unseen   {receiver}: no route leads to it today")?;
            continue;
        };
        let guard = Some(endpoint::guard(Vec::new(), environment == DEMO));
        let settings = OutboundSettings { guard, ..OutboundSettings::new(route.roots.as_slice().to_vec()) };
        let met = probe(settings, Domain::unasked(), Stapling::Optional, route.address.uri(), Instant::now() + PATIENCE).await;
        // Whoever wants a certificate of the client's own has answered by then.
        let answers = met.tls.is_some();
        decide::saw_answer(store, connection, answers, now).await?;
        let verdict = if answers { "answers" } else { "SILENT" };
        let why = met.lost.filter(|_| !answers).map_or_else(String::new, |(_, why)| format!(": {why}"));
        writeln!(out, "  {verdict:<7}  {receiver} at {}{why}", route.address)?;
        silent += usize::from(!answers);
    }
    Ok(silent)
}
