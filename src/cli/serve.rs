//! `hjemmel serve`: run the gateway until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::clock::Clock;
use crate::node::log::Log;
use crate::node::manager::Manager;
use crate::node::signals::Signals;
use crate::node::{ServeError, bind, read, start, warn_of};

/// Run the gateway.
///
/// SIGHUP reads the configuration anew without dropping a call; a file that is not in order leaves the old one in force.
/// It serves until SIGTERM or SIGINT, then drains: for `[limits] drain_delay` it serves on and sends callers elsewhere, then no
/// new connection is taken, calls under way finish within `[limits] drain_timeout`, and the audit log is closed with a signed
/// checkpoint. A start that waits ends at once.
///
/// A service manager that sets NOTIFY_SOCKET (systemd with Type=notify) is told when it serves, reloads and drains, and its
/// watchdog is fed while all that a call needs of the process works.
///
/// The log goes to stderr. HJEMMEL_LOG in the environment says what is written: error, warn, info (the default), debug or
/// trace, or other levels for single parts, as HJEMMEL_LOG=info,hjemmel::edge=debug.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file (`hjemmel check` tells all that is wrong with it)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// How long the end waits for a log that is not read.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a start that was called off may take to end, where it is in the middle of something that cannot be.
const CALLED_OFF: Duration = Duration::from_secs(5);

/// Carries out the command.
///
/// # Errors
/// Signals cannot be received, or the log has no thread. Everything else is logged.
pub async fn run(args: &Args, clock: &Clock) -> Result<ExitCode, ServeError> {
    // First of all. Without a handler a signal ends the process, or is lost where it is the first of its container.
    let mut signals = Signals::install().map_err(ServeError::Signal)?;
    let log = Log::to_stderr().map_err(ServeError::Log)?;
    let code = match serve_until_stopped(args, clock, &mut signals, &log).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by `eprintln!`, which waits for the reader for ever.
            log.say(&format!("hjemmel: {error}\n"));
            ExitCode::FAILURE
        }
    };
    // What waits for a collector goes, or is lost.
    let _ = tokio::task::spawn_blocking(|| crate::telemetry::stop(LAST_WORDS)).await;
    log.flush(LAST_WORDS);
    Ok(code)
}

async fn serve_until_stopped(args: &Args, clock: &Clock, signals: &mut Signals, log: &Log) -> Result<(), ServeError> {
    let manager = Manager::of_environment().map_err(ServeError::Manager)?;
    let (file, own_clock, own_log) = (args.config.clone(), clock.clone(), log.clone());
    let mut starting = tokio::spawn(async move {
        let loaded = read(&file, &own_clock).await?;
        own_log.subscribe(loaded.config.log_format);
        if let Some(settings) = &loaded.config.telemetry {
            crate::telemetry::start(settings, &loaded.config.environment)?;
        }
        warn_of(&loaded);
        let config = loaded.config;
        let (patience, address, admin_address) = (config.limits.drain_timeout, config.listen.address, config.admin.address);
        let services = config.services.keys().cloned().collect::<Vec<_>>().join(", ");
        let (listener, admin) = (bind(address).await?, bind(admin_address).await?);
        let node = start(config, listener, admin, &own_clock, Box::new(|_| {})).await?;
        let api = node.api().map(|api| api.to_string());
        let console = node.console().map(|console| console.to_string());
        let sftp = node.sftp().map(|sftp| sftp.to_string());
        tracing::info!(%address, admin = %admin_address, api, console, sftp, services, "serving");
        Ok::<_, ServeError>((node, patience))
    });
    let started = tokio::select! {
        started = &mut starting => started,
        () = signals.stop.received() => {
            tracing::info!("told to stop before it served");
            starting.abort();
            // A start that was past its last pause has made a gateway all the same, which ends as any other.
            match tokio::time::timeout(CALLED_OFF, starting).await {
                Ok(Ok(Ok((node, patience)))) => drop(node.stop(patience).await),
                _ => tracing::info!("stopped"),
            }
            return Ok(());
        }
    };
    let (node, patience) = started.map_err(|error| ServeError::Broken(error.to_string()))??;
    manager.ready("serving").await;
    let feeding = manager.feed(node.pulse.clone());
    loop {
        tokio::select! {
            () = signals.stop.received() => break,
            _ = signals.hangup.recv() => {
                manager.reloading().await;
                tokio::select! {
                    // What came of it has been logged and counted; the gateway goes on either way.
                    reloaded = node.reloader.reload(&args.config) => manager.ready(match reloaded {
                        Ok(()) => "serving",
                        Err(_) => "serving; the last reload was refused, see the log",
                    }).await,
                    // Nothing has been exchanged yet: a reload exchanges everything after its last pause.
                    () = signals.stop.received() => break,
                }
            }
        }
    }
    tracing::info!("draining");
    manager.stopping().await;
    let cut = node.stop(patience).await;
    if let Some(feeding) = feeding {
        feeding.abort();
    }
    tracing::info!(cut, "stopped");
    Ok(())
}
