//! What is sent to the service manager (`sd_notify(3)`), where there is one: systemd with `Type=notify`, or a program that knows the
//! same protocol.
//!
//! The watchdog is fed for what a call needs, not by a timer: see [`Pulse`].

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as Unbound};
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::net::UnixDatagram;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::audit::Audit;
use crate::edge::serve::Readiness;

/// How long sending may take: a manager whose queue is full must not hold up what is reported to it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager. Without one, nothing is sent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Manager {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The manager that `NOTIFY_SOCKET` names, and how often its watchdog wants to hear of us (`WATCHDOG_USEC`, `WATCHDOG_PID`).
    ///
    /// # Errors
    /// `NOTIFY_SOCKET` names no socket that can be reached. The manager would wait for a word that never comes.
    pub fn of_environment() -> io::Result<Self> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Self { socket: None, watchdog: None });
        };
        let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|process| process == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|microseconds| ours && *microseconds > 0).map(Duration::from_micros);
        Ok(Self { socket: Some(Arc::new(connected(&name)?)), watchdog })
    }

    /// The gateway serves, or serves again after [`Manager::reloading`].
    pub async fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}")).await;
    }

    /// The configuration is being read anew, until the next [`Manager::ready`].
    pub async fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS=reading the configuration anew")).await;
    }

    /// The gateway drains.
    pub async fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=draining: calls under way are finished").await;
    }

    /// Feeds the watchdog, oftener than it asks for, for as long as `pulse` beats. `None` without a watchdog.
    pub fn feed(&self, pulse: Pulse) -> Option<JoinHandle<()>> {
        // Two of these, a wait and a slow answer, are still sooner than what is asked for.
        let patience = self.watchdog? / 3;
        let manager = self.clone();
        Some(tokio::spawn(async move {
            let mut tick = interval(patience);
            loop {
                tick.tick().await;
                match timeout(patience, pulse.beats()).await {
                    Ok(true) => manager.send("WATCHDOG=1").await,
                    Ok(false) => tracing::error!("the audit's writer has ended: the watchdog is not fed"),
                    Err(_) => tracing::error!("a part of the gateway does not answer: the watchdog is not fed"),
                }
            }
        }))
    }

    async fn send(&self, what: &str) {
        let Some(socket) = &self.socket else { return };
        match timeout(PATIENCE, socket.send(what.as_bytes())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the service manager could not be told"),
            Err(_) => tracing::warn!("the service manager does not read what it is told"),
        }
    }
}

/// A socket to that address: a path, or a name in the abstract namespace, which begins with `@`.
fn connected(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = Unbound::unbound()?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => socket.connect(name)?,
    }
    socket.set_nonblocking(true)?;
    UnixDatagram::from_std(socket)
}

/// Whether all that a call needs of this process still works: tasks are scheduled, the pool for what may block takes work,
/// each listener's loop accepts, and the thread that writes the audit is there. A disk, a store or a peer that fails is none of it:
/// a restart would mend none of those, and drop what is remembered.
#[derive(Clone)]
pub struct Pulse {
    listeners: Vec<Readiness>,
    audit: Audit,
}

impl Pulse {
    /// The pulse of a node with these listeners.
    pub(super) fn new(listeners: Vec<Readiness>, audit: Audit) -> Self {
        Self { listeners, audit }
    }

    /// Completes when everything has answered: with `false` where the audit's writer is gone, and never where something hangs.
    pub async fn beats(&self) -> bool {
        // A listener that drains accepts no more, and how long that may take is limited elsewhere.
        for listener in self.listeners.iter().filter(|listener| listener.is_ready()) {
            listener.accepts().await;
        }
        let scheduled = tokio::spawn(async {}).await.is_ok();
        let blocking = tokio::task::spawn_blocking(|| {}).await.is_ok();
        scheduled && blocking && !(self.audit.has_ended() && self.listeners.iter().any(Readiness::is_ready))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditSettings, keys};
    use crate::clock::Clock;
    use crate::config::EdgeLimits;
    use crate::edge::admin::Admin;
    use crate::edge::refused::Refusals;
    use crate::edge::serve::{Transport, serve};
    use crate::metrics::Metrics;
    use crate::work::Work;

    /// An audit, a listener that is served, and their pulse.
    async fn living() -> (tempfile::TempDir, Audit, JoinHandle<()>, Pulse) {
        let dir = tempfile::tempdir().unwrap();
        keys::generate(dir.path()).unwrap();
        let key = keys::checkpoint_key(&dir.path().join("checkpoint.key")).unwrap();
        let audit = Audit::start(AuditSettings::in_dir(dir.path().join("log")), key, Clock::system(), |_| {}).unwrap();
        let readiness = Readiness::new();
        let admin = Admin { metrics: Arc::new(String::new), unready: Arc::new(|| None), readiness: readiness.clone() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusals = Refusals::new("admin", Arc::new(Metrics::new().unwrap()));
        let (own, limits) = (readiness.clone(), EdgeLimits::default());
        let serving = tokio::spawn(async move {
            let make = move |_| admin.clone().service();
            serve(listener, Transport::Plain, limits, Work::unbounded(), refusals, own, make, std::future::pending()).await;
        });
        while !readiness.is_ready() {
            tokio::task::yield_now().await;
        }
        let pulse = Pulse::new(vec![readiness], audit.clone());
        (dir, audit, serving, pulse)
    }

    #[tokio::test]
    async fn the_pulse_beats_while_the_listener_accepts_and_the_audit_writes() {
        let (_dir, audit, _serving, pulse) = living().await;
        for _ in 0..3 {
            assert!(pulse.beats().await);
        }
        assert!(audit.stop(Duration::from_secs(60)).await);
        assert!(!pulse.beats().await, "nothing can be recorded any more, and no time will mend it");
    }

    #[tokio::test]
    async fn a_listener_whose_loop_is_gone_stops_the_pulse_although_the_runtime_works() {
        let (_dir, _audit, serving, pulse) = living().await;
        assert!(pulse.beats().await);
        // As a panic would end it: the port is closed, and nobody set readiness back.
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert!(timeout(Duration::from_millis(500), pulse.beats()).await.is_err());
    }

    #[tokio::test]
    async fn a_socket_in_the_abstract_namespace_is_told_too() {
        let name = format!("hjemmel-manager-{}", std::process::id());
        let heard = Unbound::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let socket = Some(Arc::new(connected(OsStr::new(&format!("@{name}"))).unwrap()));
        Manager { socket, watchdog: None }.stopping().await;
        let mut told = [0; 256];
        let length = heard.recv(&mut told).unwrap();
        assert!(told[..length].starts_with(b"STOPPING=1\n"));
        assert!(connected(OsStr::new("/nobody/listens/here")).is_err());
    }
}
