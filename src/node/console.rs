//! The console of a node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::Uri;
use tokio::sync::Notify;
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;

use super::{Config, Reloader, ServeError, bind, off_the_runtime, until};
use crate::agreements::Store;
use crate::audit::{Audit, Sealer};
use crate::clock::Clock;
use crate::config::{EdgeLimits, OneTimeLinks};
use crate::console::assets::Assets;
use crate::console::guard::Origin;
use crate::console::known::{Known, Later, Offered};
use crate::console::saml::LogOnNow;
use crate::console::{self, Served};
use crate::edge::http::boxed;
use crate::edge::refused::Refusals;
use crate::edge::serve::{Drained, Readiness, Transport, serve};
use crate::edge::tls::ServerTls;
use crate::metrics::Metrics;
use crate::replay::ReplayMemory;
use crate::users::sessions::Limits;
use crate::work::Work;

/// What the configuration says of it.
pub(super) struct Settings {
    address: SocketAddr,
    public_url: Option<Uri>,
    assets: Option<PathBuf>,
    environment: String,
    contact: Option<String>,
    sessions: Limits,
    one_time_links: OneTimeLinks,
}

impl Settings {
    /// How long its sessions last.
    pub(super) fn sessions(&self) -> Limits {
        self.sessions
    }

    pub(super) fn of(config: &Config) -> Option<Self> {
        let of = &config.console;
        Some(Self {
            address: of.address?,
            public_url: of.public_url.clone(),
            assets: of.assets.clone(),
            environment: config.environment.clone(),
            contact: of.contact.clone(),
            sessions: Limits { idle: of.idle_timeout, lifetime: of.lifetime },
            one_time_links: of.one_time_links,
        })
    }
}

/// What it needs of the node.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) audit: PathBuf,
    pub(super) log: Audit,
    pub(super) sealer: Arc<Sealer>,
    pub(super) known: Arc<Reloader>,
    pub(super) own: Vec<SocketAddr>,
    pub(super) decided: Arc<Notify>,
    pub(super) tls: Option<Arc<ServerTls>>,
    pub(super) log_on: LogOnNow,
    pub(super) replay: Arc<ReplayMemory>,
}

/// Opens the listener.
pub(super) async fn open(
    settings: Settings,
    parts: Parts,
    limits: EdgeLimits,
    stopped: Receiver<()>,
) -> Result<Option<(SocketAddr, JoinHandle<Drained>)>, ServeError> {
    let Some(tls) = parts.tls else { return Ok(None) };
    let listener = bind(settings.address).await?;
    let bound = listener.local_addr().map_err(|error| ServeError::Listen { address: settings.address, error })?;
    let assets = match settings.assets {
        Some(folder) => off_the_runtime(move || Assets::of(&folder)).await?.map_err(ServeError::Assets)?,
        None => Assets::default(),
    };
    let (rules, notices) = (parts.known.standing.rules.clone(), parts.known.standing.notices.clone());
    let served = Served::new(console::Settings {
        store: parts.store,
        clock: parts.clock,
        metrics: parts.metrics.clone(),
        audit: parts.audit,
        log: parts.log,
        sealer: parts.sealer,
        known: parts.known,
        environment: settings.environment,
        contact: settings.contact,
        origin: settings.public_url.as_ref().map_or_else(|| Origin::loopback(bound), Origin::public),
        sessions: settings.sessions,
        one_time_links: settings.one_time_links,
        log_on: parts.log_on,
        replay: parts.replay,
        assets,
        rules,
        notices,
        own: parts.own.into_iter().chain([bound]).collect(),
        decided: parts.decided,
    });
    let refusals = Refusals::answering("console", parts.metrics, |headers| console::overloaded(headers).map(boxed));
    // Places of its own: an overload by calls must not keep an authority from suspending an agreement.
    let work = Work::unbounded();
    let make = move |peer: crate::edge::serve::Peer| served.service(peer.address());
    let serving = serve(listener, Transport::Tls(tls), limits, work, refusals, Readiness::new(), make, until(stopped));
    Ok(Some((bound, tokio::spawn(serving))))
}

impl Known for Reloader {
    fn services(&self) -> Later<'_, Vec<Offered>> {
        Box::pin(Reloader::services(self))
    }

    fn expiries(&self) -> Later<'_, Vec<(String, jiff::Timestamp)>> {
        Box::pin(Reloader::expiries(self))
    }
}
