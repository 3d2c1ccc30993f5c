//! `hjemmel serve`: run the gateway until it is told to stop.

pub mod log;
mod reload;
pub mod signals;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::audit::Audit;
use crate::cli::check::examine::{Purpose, examine};
use crate::clock::Clock;
use crate::config::{self, Config, Finished, Loaded, Report};
use crate::edge::admin::Admin;
use crate::edge::refused::Refusals;
use crate::edge::router::Router;
use crate::edge::serve::{Drained, Readiness, Transport, serve};
use crate::edge::tls::TlsError;
use crate::gateway::open::Peer;
use crate::metrics::{self, Metrics};
use crate::outbound::SetupError;
use crate::revocation::list::RevocationError;
use crate::revocation::ocsp::StapleError;
use crate::revocation::verify::RootsError;
use crate::services::terminaladgang::assemble::{AssembleError, Lasting, OnClose};
use crate::work::Work;
use log::Log;
pub use reload::Reloader;
use signals::Signals;

/// Run the gateway.
///
/// SIGHUP reads the configuration anew without dropping a call; a file that is not in order leaves the old one in force.
/// It serves until SIGTERM or SIGINT, then drains: no new connection is taken, calls under way finish within
/// `[limits] drain_timeout`, and the audit log is closed with a signed checkpoint. A start that waits ends at once.
///
/// The log goes to stderr. HJEMMEL_LOG in the environment says what is written: error, warn, info (the default), debug or
/// trace, or other levels for single parts, as HJEMMEL_LOG=info,hjemmel::edge=debug.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file (`hjemmel check` tells all that is wrong with it)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration.
    #[error("{0}")]
    Config(Report),
    /// What the configuration names.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// Client certificates.
    #[error("client certificates: {0}")]
    Clients(#[from] RootsError),
    /// A revocation list.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// The client that fetches revocation lists.
    #[error("revocation.roots: {0}")]
    Fetcher(#[from] SetupError),
    /// The OCSP response to be stapled.
    #[error("listen.ocsp_response: {0}")]
    Staple(#[from] StapleError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener.
    #[error("cannot listen on {address}: {error}; free the port or change the setting")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The metrics.
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The signal handlers.
    #[error("signals cannot be received: {0}")]
    Signal(std::io::Error),
    /// The log.
    #[error("the log cannot be written: {0}")]
    Log(std::io::Error),
    /// A part of the start that panicked, or was called off.
    #[error("the start did not come to its end: {0}")]
    Broken(String),
}

/// A gateway that runs.
pub struct Node {
    stop_admin: Sender<()>,
    stop: Sender<()>,
    service: JoinHandle<Drained>,
    admin: JoinHandle<Drained>,
    audit: Audit,
    /// The metrics, for whoever runs the gateway in-process.
    pub metrics: Arc<Metrics>,
    /// Reads the configuration anew.
    pub reloader: Arc<Reloader>,
}

/// How long the end waits for a log that is not read.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a start that was called off may take to end, where it is in the middle of something that cannot be.
const CALLED_OFF: Duration = Duration::from_secs(5);

/// Carries out the command.
///
/// # Errors
/// Signals cannot be received, or the log has no thread. Everything else is told in the log.
pub async fn run(args: &Args, clock: &Clock) -> Result<ExitCode, ServeError> {
    // First of all. Without a handler a signal ends the process, or is lost where it is the first of its container.
    let mut signals = Signals::install().map_err(ServeError::Signal)?;
    let log = Log::to_stderr().map_err(ServeError::Log)?;
    let code = match serve_until_told(args, clock, &mut signals, &log).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by `eprintln!`, which waits for the reader for ever.
            log.say(&format!("hjemmel: {error}\n"));
            ExitCode::FAILURE
        }
    };
    log.flush(LAST_WORDS);
    Ok(code)
}

async fn serve_until_told(args: &Args, clock: &Clock, signals: &mut Signals, log: &Log) -> Result<(), ServeError> {
    let (file, own_clock, own_log) = (args.config.clone(), clock.clone(), log.clone());
    let mut starting = tokio::spawn(async move {
        let loaded = read(&file, &own_clock).await?;
        own_log.subscribe(loaded.config.log_format);
        warn_of(&loaded);
        let config = loaded.config;
        let (patience, address, admin_address) = (config.limits.drain_timeout, config.listen.address, config.admin.address);
        let (listener, admin) = (bind(address).await?, bind(admin_address).await?);
        let node = start(config, listener, admin, &own_clock, Box::new(|_| {})).await?;
        tracing::info!(%address, admin = %admin_address, "serving");
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
    loop {
        tokio::select! {
            () = signals.stop.received() => break,
            _ = signals.hangup.recv() => tokio::select! {
                // What came of it has been logged and counted; the gateway goes on either way.
                _ = node.reloader.reload(&args.config) => {}
                // Nothing has been exchanged yet: a reload exchanges everything after its last pause.
                () = signals.stop.received() => break,
            },
        }
    }
    tracing::info!("draining");
    let cut = node.stop(patience).await;
    tracing::info!(cut, "stopped");
    Ok(())
}

/// Reads a configuration and what it names, off the threads that serve calls: a file may lie on a disk that hangs.
async fn read(file: &Path, clock: &Clock) -> Result<Loaded, ServeError> {
    let Finished { config, problems, warnings, .. } = examine(file, clock, &Purpose::Serve).await;
    config.map(|config| Loaded { config, warnings }).ok_or(ServeError::Config(problems))
}

fn warn_of(loaded: &Loaded) {
    for warning in loaded.warnings.problems() {
        tracing::warn!(setting = %warning.setting, "{}", warning.text);
    }
}

/// Runs what may wait for a disk.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ServeError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ServeError::Broken(error.to_string()))
}

/// Binds a listener.
///
/// # Errors
/// `Listen`.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, error })
}

/// Starts the gateway on listeners that are bound already. `on_close` sees every audit record as its call closes.
///
/// # Errors
/// [`ServeError`].
pub async fn start(
    config: Config,
    listener: TcpListener,
    admin: TcpListener,
    clock: &Clock,
    on_close: OnClose,
) -> Result<Node, ServeError> {
    let metrics = Arc::new(Metrics::new()?);
    let limits = config.limits.clone();
    let lasting = Lasting::open(&config, clock, &metrics, on_close).await?;
    let (audit, agreements, work) = (lasting.audit.clone(), lasting.agreements.clone(), lasting.work.clone());
    let reloader = Reloader::start(config, lasting, clock, &metrics)?;
    let readiness = Readiness::new();
    let (stop, stopped) = channel(());
    // The admin listener goes last: while calls drain, /readyz says so.
    let (stop_admin, admin_stopped) = channel(());
    let store_answers = Arc::new(AtomicBool::new(true));
    tokio::spawn(watch::store(agreements, store_answers.clone(), stopped.clone()));
    tokio::spawn(watch::certificates(reloader.clone(), clock.clone(), stopped.clone()));
    tokio::spawn(reloader.clone().keep_revocation_fresh(stopped.clone()));

    let (in_force, of_calls) = (reloader.in_force.clone(), metrics.clone());
    let refusals = Refusals::new("service", metrics.clone());
    let of_router = refusals.clone();
    let make = move |peer: crate::edge::serve::Peer| Router {
        in_force: in_force.clone(),
        peer: Peer { chain: peer.chain().clone() },
        address: peer.address(),
        refusals: of_router.clone(),
        metrics: of_calls.clone(),
    };
    let transport = Transport::Tls(reloader.tls.clone());
    let service = serve(listener, transport, limits.clone(), work, refusals, readiness.clone(), make, until(stopped.clone()));

    let (shown, ready_audit) = (reloader.clone(), audit.clone());
    let handler = Admin {
        metrics: Arc::new(move || shown.show_metrics()),
        unready: Arc::new(move || {
            if let Some(trouble) = ready_audit.trouble() {
                return Some(trouble);
            }
            (!store_answers.load(Ordering::Relaxed)).then(|| "the agreements store does not answer".to_owned())
        }),
        readiness,
    };
    let admin_transport = reloader.admin_tls.clone().map_or(Transport::Plain, Transport::Tls);
    // What tells of an overload must answer during it.
    let work = Work::unbounded();
    let refusals = Refusals::new("admin", metrics.clone());
    let make = move |_| handler.clone();
    let admin = serve(admin, admin_transport, limits, work, refusals, Readiness::new(), make, until(admin_stopped));
    Ok(Node { stop, stop_admin, service: tokio::spawn(service), admin: tokio::spawn(admin), audit, metrics, reloader })
}

impl Node {
    /// Drains and stops; gives how many connections had to be cut.
    pub async fn stop(self, patience: std::time::Duration) -> usize {
        let _ = self.stop.send(());
        let cut = self.service.await.map_or(0, |drained| drained.cut);
        let _ = self.stop_admin.send(());
        let _ = self.admin.await;
        if !self.audit.stop(patience).await {
            tracing::error!("the audit log could not be closed with everything written");
        }
        cut
    }
}

async fn until(mut stopped: Receiver<()>) {
    let _ = stopped.changed().await;
}

fn breaker_state(breaker: &crate::outbound::breaker::Breaker) -> metrics::Breaker {
    use crate::outbound::breaker::BreakerState;
    match breaker.state(std::time::Instant::now()) {
        BreakerState::Closed => metrics::Breaker::Closed,
        BreakerState::HalfOpen => metrics::Breaker::HalfOpen,
        BreakerState::Open => metrics::Breaker::Open,
    }
}

/// Loads a configuration, for commands that need one.
///
/// # Errors
/// `Config`.
pub fn load(file: &Path, clock: &Clock) -> Result<Config, ServeError> {
    config::load(file, clock.now()).map(|loaded| loaded.config).map_err(ServeError::Config)
}
