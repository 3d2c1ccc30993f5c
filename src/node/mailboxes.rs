//! The mailboxes of a running node: they are there where the API or the SFTP server is, and a place for files.

use tokio::sync::watch::Receiver;

use super::assemble::{AssembleError, Lasting};
use super::{Config, ServeError, until};
use crate::agreements::Environment;
use crate::clock::Clock;
use crate::files::core::Parts;
use crate::files::partner::core::Mailboxes;
use crate::files::partner::counts::Counts;
use crate::metrics::Metrics;

/// Whether a configuration has mailboxes, and homes or none: then contents of files are judged.
pub(super) fn are_in(config: &Config) -> bool {
    config.objects.is_some() && (config.api.address.is_some() || config.sftp.is_some())
}

/// The mailboxes, where the configuration has `[objects]`, and `[api]` or `[sftp]`. Asked for before the node serves.
///
/// # Errors
/// The environment has no name that agreements could have.
pub async fn open(config: &Config, lasting: &Lasting, clock: &Clock) -> Result<Option<Mailboxes>, ServeError> {
    let Some(objects) = lasting.objects.clone().filter(|_| are_in(config)) else {
        return Ok(None);
    };
    let environment: Environment = config
        .environment
        .parse()
        .map_err(|_| AssembleError::Setting("environment is none; write 1 to 32 of a-z, 0-9 and hyphen"))?;
    let parts = Parts {
        database: lasting.agreements.store().database().clone(),
        objects,
        audit: lasting.audit.clone(),
        sealer: lasting.sealer.clone(),
        clock: clock.clone(),
        contents: lasting.contents.clone(),
    };
    let mailboxes = Mailboxes::new(parts, environment);
    if let Err(error) = mailboxes.started().await {
        tracing::warn!(%error, "what an earlier run was putting together waits until its time is over");
    }
    Ok(Some(mailboxes))
}

/// Judges files and cleans up after them until the node stops.
///
/// # Errors
/// A metric of the same name is there.
pub fn run(mailboxes: Mailboxes, metrics: &Metrics, stopped: Receiver<()>) -> Result<(), ServeError> {
    let counts = Counts::new(metrics.registry())?;
    tokio::spawn(async move {
        tokio::select! {
            () = mailboxes.work() => {}
            () = mailboxes.keep_sweeping(&counts) => {}
            () = until(stopped) => {}
        }
        // Nobody works on it from here on, and the last request may be an hour away.
        mailboxes.judges_no_more().await;
    });
    Ok(())
}
