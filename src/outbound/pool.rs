//! The connections that are kept for further calls, and when each is given up.
//!
//! What is in the pool takes calls; what is taken out of it takes no more, ends the calls that are under way, and then
//! closes. A call holds a [`Lease`] until its answer has been read.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{
    Request, Uri,
    uri::{Authority, Scheme},
};
use http_body_util::Full;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::connect::{Answer, Connector, Opened, SendError, Sender};
use super::counts::{Closed, Counts};
use super::{ConnectionLimits, OutboundError};

/// How long a kept HTTP/1.1 connection may take to be done with the call before.
const READY: Duration = Duration::from_millis(100);
/// How long a connection that takes no more calls may stay to end those under way: the longest deadline of a call.
const DRAIN: Duration = Duration::from_secs(300);
/// How many times a call waits for connections that others then fill or the peer closes at once.
const WAITS: usize = 16;

type Origin = (Scheme, Authority);
/// How an opening that several calls wait for went.
type Told = Option<Result<(), OutboundError>>;

/// The connections of one client.
pub(super) struct Pool {
    connector: Connector,
    limits: ConnectionLimits,
    pub(super) counts: Arc<Counts>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Vec<Kept>,
    peers: HashMap<Origin, Peer>,
    next: u64,
}

#[derive(Default)]
struct Peer {
    /// The opening that calls wait for, so that many do not open one connection each where HTTP/2 needs one for all.
    opening: Option<watch::Receiver<Told>>,
    /// It spoke HTTP/1.1 last, so that each call needs a connection of its own.
    http1: bool,
}

struct Kept {
    id: u64,
    origin: Origin,
    sender: Sender,
    room: Arc<AtomicUsize>,
    calls: usize,
    opened: Instant,
    idle_since: Instant,
    certificate: Option<Arc<[u8]>>,
}

/// The use of a connection for one call, until it is dropped.
pub(super) struct Lease {
    pool: Weak<Pool>,
    id: u64,
    origin: Origin,
    sender: Sender,
    pub(super) certificate: Option<Arc<[u8]>>,
}

enum Next {
    Kept(Lease),
    Wait(watch::Receiver<Told>),
    OpenOwn,
}

impl Pool {
    pub(super) fn new(connector: Connector, limits: ConnectionLimits, counts: Arc<Counts>) -> Arc<Self> {
        Arc::new(Self { connector, limits, counts, state: Mutex::default() })
    }

    /// A connection that is ready for one call: a kept one with room, or a new one.
    pub(super) async fn lease(self: &Arc<Self>, uri: &Uri) -> Result<Lease, OutboundError> {
        let scheme = uri.scheme().cloned().ok_or_else(|| OutboundError::Connect("the address has no scheme".to_owned()))?;
        let host = uri.authority().cloned().ok_or_else(|| OutboundError::Connect("the address names no host".to_owned()))?;
        let origin = (scheme, host);
        let mut waits = 0;
        loop {
            match self.next(&origin, uri) {
                Next::Kept(mut lease) => {
                    if lease.ready().await {
                        return Ok(lease);
                    }
                    lease.close(Closed::Peer);
                }
                // On the heap: a handshake is large, and hardly a call makes one.
                Next::OpenOwn => return Box::pin(self.open(&origin, uri)).await,
                Next::Wait(_) if waits == WAITS => {
                    return Err(OutboundError::Connect("every connection closed again before it could be used".to_owned()));
                }
                Next::Wait(mut opening) => {
                    waits += 1;
                    match opening.wait_for(Option::is_some).await.as_deref() {
                        Ok(Some(Err(error))) => return Err(error.clone()),
                        Ok(_) => {}
                        Err(_) => return Err(OutboundError::Connect("the opening was given up".to_owned())),
                    }
                }
            }
        }
    }

    /// Every connection takes no more calls: what comes next gets a new one.
    pub(super) fn renew(&self) {
        self.close_where(Closed::Doubted, |_| true);
    }

    /// What stands idle beside a connection that failed takes no more calls: a firewall forgets them together.
    pub(super) fn doubt_idle(&self, origin: &Origin) {
        self.close_where(Closed::Doubted, |kept| kept.calls == 0 && kept.origin == *origin);
    }

    fn next(self: &Arc<Self>, origin: &Origin, uri: &Uri) -> Next {
        let now = Instant::now();
        // Here too, beside the timers, which may come late.
        self.close_where(Closed::Lifetime, |kept| kept.outlived(&self.limits, now));
        self.close_where(Closed::Idle, |kept| kept.idled(&self.limits, now));
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(kept) = state.kept.iter_mut().find(|kept| kept.origin == *origin && kept.has_room()) {
            return Next::Kept(kept.lease(self));
        }
        let peer = state.peers.entry(origin.clone()).or_default();
        if peer.http1 {
            return Next::OpenOwn;
        }
        match &peer.opening {
            // An opening that was given up says nothing any more.
            Some(opening) if opening.has_changed().is_ok() => Next::Wait(opening.clone()),
            _ => {
                let (tell, told) = watch::channel(None);
                peer.opening = Some(told.clone());
                let (pool, origin, uri) = (self.clone(), origin.clone(), uri.clone());
                // In a task of its own: others wait for it, even if this caller hangs up.
                tokio::spawn(async move {
                    let outcome = pool.open(&origin, &uri).await.map(drop);
                    if let Some(peer) = pool.lock().peers.get_mut(&origin) {
                        peer.opening = None;
                    }
                    let _ = tell.send(Some(outcome));
                });
                Next::Wait(told)
            }
        }
    }

    async fn open(self: &Arc<Self>, origin: &Origin, uri: &Uri) -> Result<Lease, OutboundError> {
        let opened = self.connector.open(uri).await;
        let mut state = self.lock();
        let peer = state.peers.entry(origin.clone()).or_default();
        let Opened { sender, room, certificate, driver } = opened.inspect_err(|_| peer.http1 = false)?;
        peer.http1 = matches!(sender, Sender::Http1(_));
        let (id, now) = (state.next, Instant::now());
        state.next += 1;
        let mut kept = Kept { id, origin: origin.clone(), sender, room, calls: 0, opened: now, idle_since: now, certificate };
        let lease = kept.lease(self);
        state.kept.push(kept);
        self.counts.open();
        tokio::spawn(drive(driver, Arc::downgrade(self), id));
        Ok(lease)
    }

    /// One that is no longer kept ends with the last lease.
    fn give_back(&self, id: u64) {
        if let Some(kept) = self.lock().kept.iter_mut().find(|kept| kept.id == id) {
            kept.calls = kept.calls.saturating_sub(1);
            kept.idle_since = Instant::now();
        }
    }

    /// When the connection is to be looked at again; `None`: it is no longer kept.
    fn due(&self, id: u64) -> Option<Instant> {
        let now = Instant::now();
        self.close_where(Closed::Lifetime, |kept| kept.id == id && kept.outlived(&self.limits, now));
        self.close_where(Closed::Idle, |kept| kept.id == id && kept.idled(&self.limits, now));
        let state = self.lock();
        let kept = state.kept.iter().find(|kept| kept.id == id)?;
        let idle_since = if kept.calls == 0 { kept.idle_since } else { now };
        Some((kept.opened + self.limits.lifetime).min(idle_since + self.limits.idle))
    }

    fn close_where(&self, why: Closed, which: impl Fn(&Kept) -> bool) {
        let closed: Vec<_> = self.lock().kept.extract_if(.., |kept| which(kept)).collect();
        closed.iter().for_each(|_| self.counts.close(why));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close_where(Closed::Replaced, |_| true);
    }
}

/// Moves a connection's bytes until it ends, and has its limits kept while it stands idle.
async fn drive(driver: impl Future<Output = hyper::Result<()>>, pool: Weak<Pool>, id: u64) {
    let mut driver = pin!(driver);
    while let Some(due) = pool.upgrade().and_then(|pool| pool.due(id)) {
        tokio::select! {
            ended = &mut driver => {
                let why = if ended.is_err_and(|error| error.is_timeout()) { Closed::NoPong } else { Closed::Peer };
                if let Some(pool) = pool.upgrade() {
                    pool.close_where(why, |kept| kept.id == id);
                }
                return;
            }
            () = sleep_until(due) => {}
        }
    }
    let _ = timeout(DRAIN, driver).await;
}

impl Kept {
    fn has_room(&self) -> bool {
        self.calls < self.room.load(Ordering::Relaxed) && !self.sender.is_closed()
    }

    fn outlived(&self, limits: &ConnectionLimits, now: Instant) -> bool {
        now.saturating_duration_since(self.opened) >= limits.lifetime
    }

    fn idled(&self, limits: &ConnectionLimits, now: Instant) -> bool {
        self.calls == 0 && now.saturating_duration_since(self.idle_since) >= limits.idle
    }

    fn lease(&mut self, pool: &Arc<Pool>) -> Lease {
        self.calls += 1;
        let (origin, sender, certificate) = (self.origin.clone(), self.sender.clone(), self.certificate.clone());
        Lease { pool: Arc::downgrade(pool), id: self.id, origin, sender, certificate }
    }
}

impl Lease {
    async fn ready(&mut self) -> bool {
        timeout(READY, self.sender.ready()).await.unwrap_or(false)
    }

    /// Sends a request; the answer's body is still to come.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Box<SendError>> {
        self.sender.send(request).await
    }

    /// The connection takes no more calls.
    pub(super) fn close(&self, why: Closed) {
        if let Some(pool) = self.pool.upgrade() {
            pool.close_where(why, |kept| kept.id == self.id);
        }
    }

    /// The connection takes no more calls, and neither do those that stand idle beside it.
    pub(super) fn close_with_idle(&self, why: Closed) {
        self.close(why);
        if let Some(pool) = self.pool.upgrade() {
            pool.doubt_idle(&self.origin);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.give_back(self.id);
        }
    }
}
