//! `hjemmel serve`: run the gateway until it is told to stop.
#![allow(clippy::print_stderr)] // the output of a command

mod reload;
mod watch;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{self, Config, LogFormat, Report};
use crate::edge::admin::Admin;
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
pub use reload::Reloader;

/// Run the gateway.
///
/// SIGHUP reads the configuration anew without dropping a call; a file that is not in order leaves the old one in force.
/// It serves until SIGTERM or SIGINT, then drains: no new connection is taken, calls under way finish within
/// `[limits] drain_timeout`, and the audit log is closed with a signed checkpoint.
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

/// Carries out the command.
///
/// # Errors
/// [`ServeError`].
pub async fn run(args: &Args, clock: &Clock) -> Result<(), ServeError> {
    // First of all: without a handler, a SIGHUP that comes early would end the process.
    let mut hangup = signal(SignalKind::hangup()).map_err(ServeError::Signal)?;
    let loaded = config::load(&args.config, clock.now()).map_err(ServeError::Config)?;
    log_to_stderr(loaded.config.log_format);
    for warning in loaded.warnings.problems() {
        tracing::warn!(setting = %warning.setting, "{}", warning.text);
    }
    let config = loaded.config;
    let (patience, address, admin_address) = (config.limits.drain_timeout, config.listen.address, config.admin.address);
    let (listener, admin) = (bind(address).await?, bind(admin_address).await?);
    let node = start(config, listener, admin, clock, Box::new(|_| {})).await?;
    tracing::info!(%address, admin = %admin_address, "serving");
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        tokio::select! {
            stopped = &mut stop => break stopped.map_err(ServeError::Signal)?,
            // What came of it has been logged and counted; the gateway goes on either way.
            _ = hangup.recv() => drop(node.reloader.reload(&args.config).await),
        }
    }
    tracing::info!("draining");
    let cut = node.stop(patience).await;
    tracing::info!(cut, "stopped");
    Ok(())
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
    let make = move |peer: crate::edge::serve::Peer| Router {
        in_force: in_force.clone(),
        peer: Peer { chain: peer.chain().clone() },
        metrics: of_calls.clone(),
    };
    let transport = Transport::Tls(reloader.tls.clone());
    let service = serve(listener, transport, limits.clone(), work, readiness.clone(), make, until(stopped.clone()));

    let (shown, ready_audit) = (reloader.clone(), audit.clone());
    let handler = Admin {
        metrics: Arc::new(move || shown.show_metrics()),
        unready: Arc::new(move || {
            if !ready_audit.is_ready() {
                return Some("the audit log cannot be written".to_owned());
            }
            (!store_answers.load(Ordering::Relaxed)).then(|| "the agreements store does not answer".to_owned())
        }),
        readiness,
    };
    let admin_transport = reloader.admin_tls.clone().map_or(Transport::Plain, Transport::Tls);
    // What tells of an overload must answer during it.
    let work = Work::unbounded();
    let admin = serve(admin, admin_transport, limits, work, Readiness::new(), move |_| handler.clone(), until(admin_stopped));
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

fn log_to_stderr(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HJEMMEL_LOG").unwrap_or_else(|_| "info".into());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for people: in a file or a journal they are noise between the words that one searches for.
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        // Told on stderr too, by a macro that panics: a log on a full disk would take the call with it.
        .log_internal_errors(false);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.init(),
    }
}

/// Completes at SIGTERM or SIGINT.
///
/// # Errors
/// The handlers could not be installed.
pub async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Loads a configuration, for commands that need one.
///
/// # Errors
/// `Config`.
pub fn load(file: &Path, clock: &Clock) -> Result<Config, ServeError> {
    config::load(file, clock.now()).map(|loaded| loaded.config).map_err(ServeError::Config)
}
