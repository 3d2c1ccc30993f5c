//! `hjemmel serve`: run the gateway until it is told to stop.
#![allow(clippy::print_stderr)] // the output of a command

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{self, Config, LogFormat, Report};
use crate::edge::admin::Admin;
use crate::edge::http::RequestBody;
use crate::edge::router::Router;
use crate::edge::serve::{Drained, Readiness, Transport, serve};
use crate::edge::tls::{ClientCertificate, ServerTls, TlsError};
use crate::gateway::open::Peer;
use crate::metrics::{self, Metrics};
use crate::services::terminaladgang::assemble::{AssembleError, Assembled, OnClose, assemble};
use crate::services::terminaladgang::contract::contract;

/// Run the gateway.
///
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
    stop: watch::Sender<()>,
    service: JoinHandle<Drained>,
    admin: JoinHandle<Drained>,
    audit: Audit,
    /// The metrics, for whoever runs the gateway in-process.
    pub metrics: Arc<Metrics>,
}

/// Carries out the command.
///
/// # Errors
/// [`ServeError`].
pub async fn run(args: &Args, clock: &Clock) -> Result<(), ServeError> {
    let loaded = config::load(&args.config, clock.now()).map_err(ServeError::Config)?;
    log_to_stderr(loaded.config.log_format);
    for warning in loaded.warnings.problems() {
        tracing::warn!(setting = %warning.setting, "{}", warning.text);
    }
    let config = loaded.config;
    let (listener, admin) = (bind(config.listen.address).await?, bind(config.admin.address).await?);
    let node = start(&config, listener, admin, clock, Box::new(|_| {})).await?;
    tracing::info!(address = %config.listen.address, admin = %config.admin.address, "serving");
    stop_signal().await.map_err(ServeError::Signal)?;
    tracing::info!("draining");
    let cut = node.stop(config.limits.drain_timeout).await;
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
    config: &Config,
    listener: TcpListener,
    admin: TcpListener,
    clock: &Clock,
    on_close: OnClose,
) -> Result<Node, ServeError> {
    let metrics = Arc::new(Metrics::new()?);
    for (name, ends) in config.expiries() {
        metrics.certificate_expires(name, ends);
    }
    let assembled = assemble(config, clock, &metrics, on_close).await?;
    let Assembled { gateway, definition, agreements, audit, breaker, replay: _, .. } = assembled;
    let readiness = Readiness::new();
    let (stop, stopped) = watch::channel(());

    let tls = Arc::new(ServerTls::new(&config.listen.credentials, &config.listen.client_roots, ClientCertificate::Optional)?);
    let (path, address): (Arc<str>, _) = (config.service.path.trim_end_matches('/').into(), definition.address.clone());
    let contract = Arc::new(move |query: &str| contract(query, &address));
    let connection = gateway.stack::<RequestBody>();
    let make = move |peer: crate::edge::serve::Peer| Router {
        path: path.clone(),
        contract: contract.clone(),
        gateway: connection(Peer { certificate: peer.certificate().cloned() }),
    };
    let service = serve(listener, Transport::Tls(tls), config.limits.clone(), readiness.clone(), make, until(stopped.clone()));

    let admin_transport = match config.admin.client_roots.as_slice() {
        [] => Transport::Plain,
        roots => Transport::Tls(Arc::new(ServerTls::new(&config.listen.credentials, roots, ClientCertificate::Required)?)),
    };
    let (own_metrics, own_audit) = (metrics.clone(), audit.clone());
    let (ready_audit, render) = (audit.clone(), move || {
        own_metrics.observe_audit(&own_audit.stats());
        own_metrics.breaker("index", breaker_state(&breaker));
        own_metrics.render().unwrap_or_default()
    });
    let store_answers = Arc::new(std::sync::atomic::AtomicBool::new(true));
    watch_store(agreements, store_answers.clone(), stopped.clone());
    let handler = Admin {
        metrics: Arc::new(render),
        unready: Arc::new(move || {
            if !ready_audit.is_ready() {
                return Some("the audit log cannot be written".to_owned());
            }
            (!store_answers.load(std::sync::atomic::Ordering::Relaxed)).then(|| "the agreements store does not answer".to_owned())
        }),
        readiness,
    };
    let admin = serve(admin, admin_transport, config.limits.clone(), Readiness::new(), move |_| handler.clone(), until(stopped));
    Ok(Node { stop, service: tokio::spawn(service), admin: tokio::spawn(admin), audit, metrics })
}

impl Node {
    /// Drains and stops; gives how many connections had to be cut.
    pub async fn stop(self, patience: std::time::Duration) -> usize {
        let _ = self.stop.send(());
        let cut = self.service.await.map_or(0, |drained| drained.cut);
        let _ = self.admin.await;
        if !self.audit.stop(patience).await {
            tracing::error!("the audit log could not be closed with everything written");
        }
        cut
    }
}

async fn until(mut stopped: watch::Receiver<()>) {
    let _ = stopped.changed().await;
}

/// Asks the store now and then, so that readiness costs no query.
fn watch_store(
    agreements: crate::agreements::Agreements,
    answers: Arc<std::sync::atomic::AtomicBool>,
    stopped: watch::Receiver<()>,
) {
    tokio::spawn(async move {
        let mut stopped = stopped;
        let mut tick = tokio::time::interval(std::time::Duration::from_secs(5));
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                _ = tick.tick() => answers.store(agreements.store_answers().await, std::sync::atomic::Ordering::Relaxed),
            }
        }
    });
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
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
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
