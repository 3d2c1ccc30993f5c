//! A running node: put together from its configuration, started, reloaded, watched and drained.

mod agreements;
mod anchor;
pub mod assemble;
pub mod campus;
mod console;
pub mod domains;
pub mod examine;
pub mod files;
pub mod log;
mod mailboxes;
pub mod manager;
mod notices;
mod record;
pub mod reload;
mod routes;
pub mod sftp;
mod ship;
pub mod signals;
pub mod watch;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::api;
use crate::archive::ship::Shipper;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::{self, EdgeLimits, Report};
use crate::edge::admin::Admin;
use crate::edge::http::boxed;
use crate::edge::refused::Refusals;
use crate::edge::router::Router;
use crate::edge::serve::{Drained, Readiness, Transport, serve};
use crate::edge::sftp::host_keys::HostKeyError;
use crate::edge::tls::TlsError;
use crate::files::Files;
use crate::files::partner::core::Mailboxes;
use crate::gateway::open::Client;
use crate::metrics::{self, Metrics};
use crate::notices::post::Post;
use crate::notices::work::Sender as Letters;
use crate::outbound::SetupError;
use crate::persons::erase::replay::Logs;
use crate::revocation::list::RevocationError;
use crate::revocation::ocsp::StapleError;
use crate::revocation::verify::RootsError;
use crate::services::Service;
use crate::services::jobs::Sending;
use crate::trust::domains::UnknownDomain;
use crate::work::Work;
use assemble::{AssembleError, Lasting, OnClose};
use examine::{Purpose, examine};
use manager::Pulse;
pub use reload::Reloader;

/// A checked configuration with the services of this gateway.
pub type Config = config::Config<Service>;
/// The same, and what will be wrong with it before long.
pub type Loaded = config::Loaded<Service>;
/// The same, or why there is none.
pub type Finished = config::Finished<Service>;

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
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
    /// A section whose certificates nobody judges.
    #[error(transparent)]
    Domain(#[from] UnknownDomain),
    /// The client that fetches revocation lists.
    #[error("revocation.roots: {0}")]
    Fetcher(#[from] SetupError),
    /// The OCSP response to be stapled.
    #[error("listen.ocsp_response: {0}")]
    Staple(#[from] StapleError),
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
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The signal handlers.
    #[error("signals cannot be received: {0}")]
    Signal(std::io::Error),
    #[error("the log cannot be written: {0}")]
    Log(std::io::Error),
    /// The service manager.
    #[error("NOTIFY_SOCKET names no socket that can be told that the gateway serves: {0}; start it by its unit, or unset it")]
    Manager(std::io::Error),
    /// A host key of the SFTP server.
    #[error("sftp.host_keys: {0}")]
    HostKey(#[from] HostKeyError),
    /// Traces.
    #[error(transparent)]
    Telemetry(#[from] crate::telemetry::TelemetryError),
    /// Reports which segments are in the archive.
    #[error("audit.directory: archived.jsonl cannot be read or mended: {0}; look at the folder's rights and its disk")]
    Archive(std::io::Error),
    /// The files of the common design system.
    #[error("console.assets: {0}")]
    Assets(std::io::Error),
    /// What logs people on to the console.
    #[error(transparent)]
    LogOn(#[from] crate::console::saml::LogOnError),
    /// The SFTP server without a place for its files.
    #[error("[sftp] needs [objects], where the contents of files lie; deploy/hjemmel.example.toml shows one")]
    NoObjects,
    /// A part of the start that panicked, or was called off.
    #[error("the start did not come to its end: {0}")]
    Broken(String),
}

/// How long a stopping node waits for what speaks with the store: with the drain it stays within `TimeoutStopSec` of deploy/hjemmel.service.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// A gateway that runs.
pub struct Node {
    stop_admin: Sender<()>,
    stop: Sender<()>,
    api: Option<(SocketAddr, JoinHandle<Drained>)>,
    console: Option<(SocketAddr, JoinHandle<Drained>)>,
    sftp: Option<(SocketAddr, JoinHandle<Drained>)>,
    recorder: JoinHandle<()>,
    stop_recorder: Sender<()>,
    sight: JoinHandle<()>,
    service: JoinHandle<Drained>,
    admin: JoinHandle<Drained>,
    audit: Audit,
    mailboxes: Option<Mailboxes>,
    sending: Option<Sending>,
    letters: Option<Letters>,
    /// The mailboxes, for the same.
    pub files: Option<crate::files::Files>,
    /// The metrics, for whoever runs the gateway in-process.
    pub metrics: Arc<Metrics>,
    /// Reads the configuration anew.
    pub reloader: Arc<Reloader>,
    /// Whether all that a call needs of this process still works, for the service manager's watchdog.
    pub pulse: Pulse,
}

/// Reads a configuration and what it names, off the threads that serve calls: a file may lie on a disk that hangs.
///
/// # Errors
/// `Config`, with every problem.
pub async fn read(file: &Path, clock: &Clock) -> Result<Loaded, ServeError> {
    let Finished { config, problems, warnings, .. } = examine(file, clock, &Purpose::Serve).await;
    config.map(|config| Loaded { config, warnings }).ok_or(ServeError::Config(problems))
}

/// Logs what the configuration was warned of.
pub fn warn_of(loaded: &Loaded) {
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
    let mail = config.mail.clone();
    let limits = config.limits.clone();
    let (lasting, sight) = Lasting::open(&config, clock, &metrics, on_close).await?;
    let (audit, agreements, work) = (lasting.audit.clone(), lasting.agreements.clone(), lasting.work.clone());
    let (checkpoint_interval, anchor_interval) = (config.audit.checkpoint_interval, config.audit.anchor_interval);
    let (api_address, audit_directory) = (config.api.address, config.audit.directory.clone());
    let listeners = config.listeners();
    let console_settings = console::Settings::of(&config);
    let sessions = console_settings.as_ref().map(console::Settings::sessions);
    let at = config.listen.address;
    let audit_of_console = audit_directory.clone();
    let replay_of_console = lasting.replay.clone();
    let archive = config.audit.archive.as_ref().map(|archive| archive.at.clone());
    let folders = config.objects.iter().map(|objects| objects.place.clone()).chain(archive.clone()).collect();
    let sealer = lasting.sealer.clone();
    let kept = lasting.kept.clone();
    let persons_at_work = config.shared.persons_are_at_work();
    let of_persons = Logs { folder: audit_directory.clone(), archive: archive.clone(), anchors: Vec::new() };
    let homes = sftp::mailboxes(&config, &lasting, clock)?;
    let mailboxes = mailboxes::open(&config, &lasting, clock).await?;
    let handing_on = campus::open(&config, &lasting, clock, &metrics)?;
    let reloader = Reloader::start(config, lasting, clock, &metrics)?;
    let readiness = Readiness::new();
    let (stop, stopped) = channel(());
    let decided = Arc::new(Notify::new());
    let of_life = decided.clone();
    let anchorer = anchor::Anchorer {
        store: agreements.store().clone(),
        audit: audit.clone(),
        directory: audit_directory.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        every: checkpoint_interval,
        in_chain_every: anchor_interval,
    };
    tokio::spawn(anchorer.run(stopped.clone()));
    if let Some(worker) = handing_on {
        campus::run(worker, stopped.clone());
    }
    if let Some(at) = archive {
        let directory = audit_directory.clone();
        let shipper = off_the_runtime(move || Shipper::open(&directory)).await?.map_err(ServeError::Archive)?;
        let (store, clock, metrics) = (agreements.store().clone(), clock.clone(), metrics.clone());
        let archiver = ship::Archiver { at, shipper, store, clock, metrics, every: checkpoint_interval };
        tokio::spawn(archiver.run(stopped.clone()));
    }
    let recorder = record::Recorder {
        store: agreements.store().clone(),
        audit: audit.clone(),
        directory: audit_directory,
        clock: clock.clone(),
        decided: decided.clone(),
        node: Uuid::new_v4(),
    };
    // What is decided while the API and the console drain is recorded too.
    let (stop_recorder, recorder_stopped) = channel(());
    let recorder = tokio::spawn(recorder.run(recorder_stopped));
    // Where no route may lead: the gateway's own listeners.
    let own = [&listener, &admin].map(TcpListener::local_addr).into_iter().collect::<Result<Vec<_>, _>>();
    let own = own.map_err(|error| ServeError::Listen { address: at, error })?;
    // As they were bound, where the system chose a port.
    let own: Vec<_> = listeners.into_iter().chain(own).collect();
    let console = match console_settings {
        Some(settings) => {
            let parts = console::Parts {
                store: agreements.store().clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                audit: audit_of_console,
                log: audit.clone(),
                sealer: sealer.clone(),
                own: own.clone(),
                known: reloader.clone(),
                decided: decided.clone(),
                tls: reloader.console_tls.clone(),
                log_on: reloader.log_on.clone(),
                replay: replay_of_console,
            };
            console::open(settings, parts, limits.clone(), stopped.clone()).await?
        }
        None => None,
    };
    let api = match (api_address, reloader.api.clone()) {
        (Some(address), Some((tls, clients))) => {
            let listener = bind(address).await?;
            let bound = listener.local_addr().map_err(|error| ServeError::Listen { address, error })?;
            let counted = metrics.clone();
            let served = api::Served::new(api::Settings {
                store: agreements.store().clone(),
                clients,
                clock: clock.clone(),
                mailboxes: mailboxes.clone(),
                own: own.iter().copied().chain([bound]).chain(console.as_ref().map(|(at, _)| *at)).collect(),
                notices: reloader.standing.notices.clone(),
                rules: reloader.standing.rules.clone(),
                doors: reloader.standing.doors.clone(),
                body_bytes: limits.request_bytes,
                decided,
                answered: Box::new(move |path, status| counted.api_answered(path, status)),
            });
            let make = move |peer: crate::edge::serve::Peer| served.service(peer.chain().clone());
            let refusals = Refusals::answering("api", metrics.clone(), |headers| api::problem::overloaded(headers).map(boxed));
            // Places of its own: an overload by calls must not keep an authority from suspending an agreement.
            let work = Work::unbounded();
            let serving = serve(
                listener,
                Transport::Tls(tls),
                limits.clone(),
                work,
                refusals,
                Readiness::new(),
                make,
                until(stopped.clone()),
            );
            Some((bound, tokio::spawn(serving)))
        }
        _ => None,
    };
    let of_admin = Readiness::new();
    let pulse = Pulse::new(vec![readiness.clone(), of_admin.clone()], audit.clone());
    let of_mailboxes = mailboxes.clone();
    if let Some(mailboxes) = mailboxes.clone() {
        mailboxes::run(mailboxes, &metrics, stopped.clone())?;
    }
    let files = homes.as_ref().map(|(_, files, _)| files.clone());
    let of_files = files.clone();
    let of_sending = homes.as_ref().map(|(_, _, sending)| sending.clone());
    let sftp = match homes {
        Some((settings, files, sending)) => {
            Some(sftp::open(&settings, (files, sending, mailboxes), &metrics, clock, stopped.clone()).await?)
        }
        None => None,
    };
    // The admin listener goes last: while calls drain, /readyz says so.
    let (stop_admin, admin_stopped) = channel(());
    let store_answers = Arc::new(AtomicBool::new(true));
    let database = agreements.store().database().clone();
    // To the end of it: calls that drain still decide by the store.
    let sight = tokio::spawn(watch::sight(sight, metrics.clone(), clock.clone(), admin_stopped.clone()));
    tokio::spawn(watch::persons(agreements.store().clone(), of_persons, clock.clone(), persons_at_work, stopped.clone()));
    tokio::spawn(watch::deliveries(agreements.store().database().clone(), kept, stopped.clone()));
    tokio::spawn(watch::chores(agreements.store().clone(), metrics.clone(), clock.clone(), sessions, stopped.clone()));
    tokio::spawn(watch::unfinished(folders, clock.clone(), stopped.clone()));
    let letters = mail.map(|mail| Letters::new(agreements.store(), Post::new(mail)));
    if let Some(letters) = letters.clone() {
        tokio::spawn(notices::send(letters, stopped.clone()));
    }
    tokio::spawn(notices::look(agreements.store().clone(), reloader.clone(), clock.clone(), of_life, stopped.clone()));
    tokio::spawn(watch::store(agreements, store_answers.clone(), stopped.clone()));
    tokio::spawn(watch::certificates(reloader.clone(), clock.clone(), stopped.clone()));
    tokio::spawn(watch::routes(reloader.clone(), stopped.clone()));
    tokio::spawn(reloader.clone().keep_revocation_fresh(stopped.clone()));

    let (in_force, of_calls) = (reloader.in_force.clone(), metrics.clone());
    let refusals = Refusals::new("service", metrics.clone());
    let of_router = refusals.clone();
    let make = move |peer: crate::edge::serve::Peer| {
        Router {
            in_force: in_force.clone(),
            client: Client { chain: peer.chain().clone(), who: peer.who() },
            address: peer.address(),
            refusals: of_router.clone(),
            metrics: of_calls.clone(),
        }
        .service()
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
            if database.doubted().is_some() {
                return Some("the store is an earlier state, put back; `hjemmel store restored` accepts it".to_owned());
            }
            if !store_answers.load(Ordering::Relaxed) {
                return Some("the agreements store does not answer".to_owned());
            }
            files.as_ref().and_then(Files::trouble).map(str::to_owned)
        }),
        readiness,
    };
    let admin_transport = reloader.admin_tls.clone().map_or(Transport::Plain, Transport::Tls);
    // What reports an overload must answer during it.
    let work = Work::unbounded();
    let refusals = Refusals::new("admin", metrics.clone());
    let handler = handler.service();
    let make = move |_| handler.clone();
    // It is told to stop when all others have ended.
    let limits = EdgeLimits { drain_delay: Duration::ZERO, ..limits };
    let admin = serve(admin, admin_transport, limits, work, refusals, of_admin, make, until(admin_stopped));
    Ok(Node {
        stop,
        stop_admin,
        api,
        console,
        sftp,
        mailboxes: of_mailboxes,
        sending: of_sending,
        letters,
        files: of_files,
        recorder,
        stop_recorder,
        sight,
        service: tokio::spawn(service),
        admin: tokio::spawn(admin),
        audit,
        metrics,
        reloader,
        pulse,
    })
}

impl Node {
    /// Where the API listens, if there is one.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(|(address, _)| *address)
    }

    /// Where the console listens, if there is one.
    pub fn console(&self) -> Option<SocketAddr> {
        self.console.as_ref().map(|(address, _)| *address)
    }

    /// Where the SFTP server listens, if there is one.
    pub fn sftp(&self) -> Option<SocketAddr> {
        self.sftp.as_ref().map(|(address, _)| *address)
    }

    /// Drains and stops; gives how many connections had to be cut.
    pub async fn stop(self, patience: std::time::Duration) -> usize {
        let _ = self.stop.send(());
        let mut cut = self.service.await.map_or(0, |drained| drained.cut);
        if let Some((_, api)) = self.api {
            cut += api.await.map_or(0, |drained| drained.cut);
        }
        if let Some((_, console)) = self.console {
            cut += console.await.map_or(0, |drained| drained.cut);
        }
        if let Some((_, sftp)) = self.sftp {
            cut += sftp.await.map_or(0, |drained| drained.cut);
        }
        let until = tokio::time::Instant::now() + LAST_WORDS;
        // What was worked on was given back when that ended. What a request was putting together is given back after the last of them.
        let given_back = async {
            if let Some(mailboxes) = &self.mailboxes {
                mailboxes.stopped().await;
            }
            if let Some(files) = &self.files {
                files.stopped().await;
            }
            if let Some(sending) = &self.sending {
                sending.stopped().await;
            }
            if let Some(letters) = &self.letters {
                letters.stopped().await;
            }
        };
        let given_back = async {
            if tokio::time::timeout_at(until, given_back).await.is_err() {
                tracing::warn!(
                    "files, value lists and letters that this node was working on wait until its time with them is over"
                );
            }
        };
        // At once: neither takes the other's time where the store is slow.
        let _ = self.stop_recorder.send(());
        tokio::join!(given_back, ended(self.recorder, until));
        let _ = self.stop_admin.send(());
        ended(self.sight, until).await;
        ended(self.admin, until).await;
        if !self.audit.stop(patience).await {
            tracing::error!("the audit log could not be closed with everything written");
        }
        cut
    }
}

/// A task's end, or the end of it: where the store does not answer it would hang, and another node or start does what it left.
async fn ended<T>(mut task: JoinHandle<T>, until: tokio::time::Instant) {
    if tokio::time::timeout_at(until, &mut task).await.is_err() {
        tracing::warn!("a task of this node did not end in time, and was ended");
        task.abort();
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
