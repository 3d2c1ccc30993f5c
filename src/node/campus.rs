//! Persons are handed on to Campus by every node that serves, where the configuration has `[campus]`.

use tokio::sync::watch::Receiver;

use super::assemble::{AssembleError, Lasting};
use super::{Config, ServeError, until};
use crate::audit::anchors;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::outbound::{Outbound, OutboundSettings};
use crate::persons::campus::client::Campus;
use crate::persons::campus::counts::Counts;
use crate::persons::campus::work::{Rules, Worker};

/// The worker, where persons are handed on.
///
/// # Errors
/// Roots or credentials that cannot be used; a metric of the same name is there.
pub fn open(config: &Config, lasting: &Lasting, clock: &Clock, metrics: &Metrics) -> Result<Option<Worker>, ServeError> {
    let Some(campus) = &config.shared.campus else { return Ok(None) };
    let settings = OutboundSettings { connections: config.outbound.clone(), ..campus.outbound(&config.system) };
    let domain = lasting.domains.named(campus.domain())?;
    let outbound = Outbound::checked(settings, domain, campus.stapling).map_err(AssembleError::from)?;
    let client = Campus::new(outbound, &campus.address, campus.token.clone(), campus.deadline, clock.clone())
        .with_extension(campus.extension);
    let database = lasting.agreements.store().database().clone();
    let counts = Counts::new(metrics.registry())?;
    let directory = &config.audit.directory;
    let node = anchors::named(directory).map_err(|error| AssembleError::File { path: directory.display().to_string(), error })?;
    Ok(Some(Worker::new(database, node, client, clock.clone(), Rules::usual(campus.at_once), Some(counts), None)))
}

/// Hands on until the node stops. What is under way then is done again, by whichever node comes first.
pub fn run(worker: Worker, stopped: Receiver<()>) {
    tokio::spawn(async move {
        tokio::select! {
            () = worker.run() => {}
            () = until(stopped) => {}
        }
    });
}
