//! The SFTP server of a running node.

use std::net::SocketAddr;

use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;

use super::assemble::{AssembleError, Lasting};
use super::{Config, ServeError, bind, off_the_runtime, until};
use crate::agreements::Environment;
use crate::clock::Clock;
use crate::config::Sftp;
use crate::edge::serve::Drained;
use crate::edge::sftp::counts::Counts;
use crate::edge::sftp::{Door, host_keys};
use crate::files::both::Both;
use crate::files::core::{Files, Parts, Settings};
use crate::files::counts::Counts as FileCounts;
use crate::files::partner::core::Mailboxes;
use crate::files::partner::door::PartnerHomes;
use crate::metrics::Metrics;
use crate::services::jobs::Sending;

/// The mailboxes that the server opens on, where it is configured.
///
/// # Errors
/// There is no place for their files.
pub fn mailboxes(config: &Config, lasting: &Lasting, clock: &Clock) -> Result<Option<(Sftp, Files, Sending)>, ServeError> {
    let Some(settings) = config.sftp.clone() else { return Ok(None) };
    let environment: Environment = config
        .environment
        .parse()
        .map_err(|_| AssembleError::Setting("environment is none; write 1 to 32 of a-z, 0-9 and hyphen"))?;
    let parts = Parts {
        database: lasting.agreements.store().database().clone(),
        objects: lasting.objects.clone().ok_or(ServeError::NoObjects)?,
        audit: lasting.audit.clone(),
        sealer: lasting.sealer.clone(),
        clock: clock.clone(),
        contents: lasting.contents.clone(),
    };
    let usual = Settings::usual(environment, settings.staging.clone());
    let of_files = Settings { largest_file: settings.largest_file, wait_for_data: settings.wait_for_data, ..usual };
    let files = Files::new(parts, of_files);
    let sending = Sending::new(&config.services, files.clone(), lasting.agreements.store().clone(), clock.clone());
    Ok(Some((settings, files, sending)))
}

/// Opens the server on its mailboxes, and goes on with transfers. It drains once told to stop.
///
/// # Errors
/// A host key that cannot be used, an address that is taken.
pub async fn open(
    settings: &Sftp,
    (files, sending, mailboxes): (Files, Sending, Option<Mailboxes>),
    metrics: &Metrics,
    clock: &Clock,
    stopped: Receiver<()>,
) -> Result<(SocketAddr, JoinHandle<Drained>), ServeError> {
    let paths = settings.host_keys.clone();
    let keys = off_the_runtime(move || host_keys::read(&paths)).await??;
    let (working, told) = (files.clone(), stopped.clone());
    let figures = FileCounts::new(metrics.registry())?;
    tokio::spawn(async move {
        tokio::select! {
            () = working.work() => {}
            () = working.keep_sweeping(&figures) => {}
            () = working.keep_looking_at_staging(&figures) => {}
            () = sending.work() => {}
            () = until(told) => {}
        }
        // Nobody works on it from here on, and the last session may be an hour away.
        working.stopped().await;
        sending.stopped().await;
    });
    let mailboxes = mailboxes.map(|mailboxes| PartnerHomes::new(mailboxes, files.clone()));
    let door =
        Door::new(Both::new(files, mailboxes), keys, settings.limits.clone(), Counts::new(metrics.registry())?, clock.clone());
    let listener = bind(settings.address).await?;
    let address = listener.local_addr().map_err(|error| ServeError::Listen { address: settings.address, error })?;
    Ok((address, tokio::spawn(door.serve(listener, until(stopped)))))
}
