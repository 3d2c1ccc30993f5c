//! Accepting connections, and letting them go.
//!
//! Each connection is a task of its own: whatever happens to one, the others are served. A connection is in one of three
//! phases, and only work may take long:
//!
//! - *idle*, for at most the idle timeout, after which it is asked to close and then closed;
//! - *head*: over HTTP/1.1, bytes of a request have arrived and its head is not complete. A client that drips bytes
//!   (slowloris) is closed when the header timeout ends, however steadily it drips;
//! - *busy*: a request is being worked on; the limits of [`super::http`] and the service's own deadlines hold.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::io::InspectReader;
use tower::util::BoxCloneService;
use tower::{Service, ServiceExt};
use tracing::debug;

use super::http::{BoxError, Limited, RequestBody, ResponseBody, last_answer};
use super::linger::Lingering;
use super::refused::{self, Cause, Refusals};
use super::tls::ServerTls;
use crate::config::EdgeLimits;
use crate::refusal::Refusal;
use crate::signature::credentials::thumbprint;
use crate::work::{Shares, Who, Work};

/// How long a connection that was asked to close may take before it is cut, or the idle timeout where that is shorter.
const CLOSING: Duration = Duration::from_secs(5);

/// Who is at the other end of a connection. Made only by [`serve`], from the connection itself and never from a header.
#[derive(Debug, Clone)]
pub struct Peer {
    address: SocketAddr,
    chain: Arc<[CertificateDer<'static>]>,
}

impl Peer {
    /// The address the connection came from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The client's certificate, where it showed one, and what it sent of its chain: verified against the client roots, and
    /// its key proven, in the handshake. It may have expired since, on a connection that lasts.
    pub fn chain(&self) -> &Arc<[CertificateDer<'static>]> {
        &self.chain
    }

    /// Who it is, as far as a share of the gateway goes.
    pub fn who(&self) -> Who {
        match self.chain.first() {
            Some(certificate) => Who::Certificate(thumbprint(certificate)),
            None => Who::at(self.address.ip()),
        }
    }
}

/// Whether a listener takes connections; false from the moment it drains. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Listening>);

#[derive(Debug)]
struct Listening {
    ready: AtomicBool,
    /// How many times whoever accepts was asked whether it still does, and up to which time it answered.
    asked: watch::Sender<u64>,
    answered: watch::Sender<u64>,
}

impl Readiness {
    /// Not ready yet.
    pub fn new() -> Self {
        let (asked, answered) = (watch::Sender::new(0), watch::Sender::new(0));
        Self(Arc::new(Listening { ready: AtomicBool::new(false), asked, answered }))
    }

    /// Whether the listener takes connections.
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    /// Completes when the loop that accepts connections has taken its turn: never where it hangs or has ended.
    pub async fn accepts(&self) {
        let mut answered = self.0.answered.subscribe();
        let mut this = 0;
        self.0.asked.send_modify(|asked| {
            *asked += 1;
            this = *asked;
        });
        // The sender is ours, so there is no error.
        let _ = answered.wait_for(|answered| *answered >= this).await;
    }

    fn set(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Release);
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

/// What lies between the socket and HTTP.
#[derive(Clone)]
pub enum Transport {
    /// TLS, as all callers use it.
    Tls(Arc<ServerTls>),
    /// Nothing: for the admin listener on loopback alone.
    Plain,
}

/// How far a listener is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    No,
    /// Calls are served, and those who have made theirs are sent elsewhere.
    Soon,
    /// Nothing new is taken.
    Now,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that had to be cut because their calls did not finish in time.
    pub cut: usize,
}

/// Serves `listener` until `shutdown` completes, then drains. For the drain delay it is not ready, and serves as before but
/// for sending each client elsewhere after its call: a client whose connection is closed at once may have sent a call into it
/// already. Then no new connection is accepted, calls under way finish within the drain timeout, and what is left is cut.
/// `make` gives the service for one connection; a call for which `work` has no
/// room does not reach it. `refusals` counts all that is refused before it.
#[allow(clippy::too_many_arguments)] // each is another part of the node's
pub async fn serve<M, S, B>(
    listener: TcpListener,
    transport: Transport,
    limits: EdgeLimits,
    work: Work,
    refusals: Refusals,
    readiness: Readiness,
    make: M,
    shutdown: impl Future<Output = ()>,
) -> Drained
where
    M: Fn(Peer) -> S,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    M: Clone + Send + 'static,
{
    let limits = Arc::new(limits);
    let limited = Limited::new(&limits, work);
    let places = Arc::new(Semaphore::new(limits.connections));
    let shares = Shares::new(limits.connections);
    let (drain, draining) = watch::channel(Leaving::No);
    let mut connections = JoinSet::new();
    let delay = limits.drain_delay;
    let mut over = pin!(async {
        shutdown.await;
        readiness.set(false);
        if !delay.is_zero() {
            let _ = drain.send(Leaving::Soon);
            tokio::time::sleep(delay).await;
        }
    });
    let mut asked = readiness.0.asked.subscribe();
    readiness.set(true);
    let admit = |connections: &mut JoinSet<()>, stream: TcpStream, address: SocketAddr| {
        // Closed at once rather than left waiting, so that the caller or its load balancer turns elsewhere.
        let Ok(place) = places.clone().try_acquire_owned() else {
            refusals.record(address, Cause::TooManyConnections, "");
            return;
        };
        let (limited, make, of_overload) = (limited.clone(), make.clone(), refusals.clone());
        let serving: Serving = Box::new(move |peer| {
            let who = peer.who();
            limited.layer(who, make(peer), move |headers| {
                of_overload.record(address, Cause::Overloaded, &format!(" to {who}"));
                of_overload.overloaded(headers)
            })
        });
        let accepted = Accepted { address, limits: limits.clone(), shares: shares.clone(), refusals: refusals.clone() };
        let (transport, draining) = (transport.clone(), draining.clone());
        connections.spawn(async move {
            let _place = place;
            let _ = stream.set_nodelay(true);
            if let Err(error) = accepted.connection(stream, &transport, serving, draining).await {
                debug!(%address, %error, "connection ended");
            }
        });
    };

    loop {
        let accepted = tokio::select! {
            () = &mut over => break,
            Ok(()) = asked.changed() => {
                readiness.0.answered.send_replace(*asked.borrow_and_update());
                continue;
            }
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => admit(&mut connections, stream, address),
            // Out of file descriptors, most likely: accepting again at once would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }

    // What the kernel has accepted already is served: closing the port would reset it.
    if let Ok(listener) = listener.into_std() {
        for (stream, address) in std::iter::from_fn(|| listener.accept().ok()).take(limits.connections) {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                admit(&mut connections, stream, address);
            }
        }
    }
    let _ = drain.send(Leaving::Now);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(limits.drain_timeout, all_ended).await;
    let cut = connections.len();
    connections.shutdown().await;
    Drained { cut }
}

/// What serves the connection of a peer, within the limits. Boxed, so that connections are compiled once for all listeners.
type Serving = Box<dyn FnOnce(Peer) -> BoxCloneService<Request<Incoming>, Response<ResponseBody>, BoxError> + Send>;

/// One connection, and what it is served within.
struct Accepted {
    address: SocketAddr,
    limits: Arc<EdgeLimits>,
    /// Connections, of which no caller can have all.
    shares: Shares,
    refusals: Refusals,
}

impl Accepted {
    async fn connection(
        &self,
        stream: TcpStream,
        transport: &Transport,
        serving: Serving,
        draining: watch::Receiver<Leaving>,
    ) -> Result<(), BoxError> {
        let address = self.address;
        let Transport::Tls(tls) = transport else {
            return self.http1(stream, Peer { address, chain: Arc::default() }, serving, draining).await;
        };
        let Some(stream) = self.handshake(stream, tls).await? else { return Ok(()) };
        let (_, session) = stream.get_ref();
        let chain: Arc<[_]> =
            session.peer_certificates().unwrap_or_default().iter().cloned().map(CertificateDer::into_owned).collect();
        let peer = Peer { address, chain };
        // Only now is it known who it is.
        let Some(_share) = self.shares.take(peer.who()) else {
            self.refusals.record(
                address,
                Cause::TooManyConnections,
                &format!("; of these, the most by one caller: {}", peer.who()),
            );
            return Ok(());
        };
        // The protocol is what TLS agreed on, not what the first bytes look like.
        if session.alpn_protocol() == Some(b"h2") {
            self.http2(stream, peer, serving, draining).await
        } else {
            self.http1(stream, peer, serving, draining).await
        }
    }

    /// The connection in TLS; `None` where the client was told why not.
    async fn handshake(&self, stream: TcpStream, tls: &ServerTls) -> Result<Option<TlsStream<TcpStream>>, BoxError> {
        let handshake = async {
            // Left unread, for TLS or for the answer to find. A TLS record of a handshake begins with 22, a method with a letter.
            let mut first = [0];
            if stream.peek(&mut first).await? == 1 && first[0].is_ascii_alphabetic() {
                return Ok(Err(stream));
            }
            Ok(Ok(refused::accepting(TlsAcceptor::from(tls.current()).accept(stream).into_fallible()).await))
        };
        match timeout(self.limits.handshake_timeout, handshake).await {
            Err(late) => {
                self.refusals.record(self.address, Cause::HandshakeTimeout, "");
                Err(late.into())
            }
            Ok(Err::<_, std::io::Error>(error)) => {
                self.refusals.record(self.address, Cause::Closed, "");
                Err(error.into())
            }
            Ok(Ok(Err(plain))) => {
                self.refusals.record(self.address, Cause::PlainHttp, "");
                refuse_and_close(Lingering::new(plain), &Refusal::HttpsRequired).await?;
                Ok(None)
            }
            Ok(Ok(Ok(Ok(stream)))) => Ok(Some(stream)),
            Ok(Ok(Ok(Err((error, shown, stream))))) => {
                let (cause, detail) = refused::cause(&error, shown.as_ref());
                let shown = shown.map(|shown| shown.to_string()).unwrap_or_default();
                self.refusals.record(self.address, cause, &format!("{detail}{shown}"));
                // The alert tells the client why, unless a reset overtakes it: its request is on its way already in TLS 1.3.
                let _ = timeout(CLOSING, Lingering::new(stream).shutdown()).await;
                Err(error.into())
            }
        }
    }

    async fn http1(
        &self,
        stream: impl Stream,
        peer: Peer,
        serving: Serving,
        draining: watch::Receiver<Leaving>,
    ) -> Result<(), BoxError> {
        let phase = watch::Sender::new(Phase::Idle(Instant::now()));
        let service = counted(serving(peer), phase.clone(), Some(draining.clone()));
        let stream = Lingering::new(stream);
        let writing = stream.writing();
        let io = TokioIo::new(first_byte(stream, phase.clone()));
        let mut connection = http1(&self.limits).serve_connection(io, service);
        match supervise(Pin::new(&mut connection), Http::One, phase, &self.limits, draining).await {
            Ended::Closed(ended) => self.record_end(ended),
            Ended::Lingered => Err("the connection lingered".into()),
            // What came was no head at all, and that has been reported: see `Lingering`.
            Ended::HeadTimeout if writing.is_closed() => self.record_end(timeout(CLOSING, connection).await?),
            Ended::HeadTimeout => {
                self.refusals.record(self.address, Cause::HttpHeadTimeout, "");
                if !writing.is_stuck() {
                    let stream = connection.into_parts().io.into_inner().into_inner();
                    refuse_and_close(stream, &Refusal::BodyTimeout { seconds: self.limits.header_timeout.as_secs() }).await?;
                }
                Ok(())
            }
        }
    }

    async fn http2(
        &self,
        stream: impl Stream,
        peer: Peer,
        serving: Serving,
        draining: watch::Receiver<Leaving>,
    ) -> Result<(), BoxError> {
        let phase = watch::Sender::new(Phase::Idle(Instant::now()));
        let service = counted(serving(peer), phase.clone(), None);
        let connection = pin!(http2(&self.limits).serve_connection(TokioIo::new(Lingering::new(stream)), service));
        match supervise(connection, Http::Two, phase, &self.limits, draining).await {
            Ended::Closed(ended) => self.record_end(ended),
            Ended::HeadTimeout | Ended::Lingered => Err("the connection lingered".into()),
        }
    }

    /// How a connection ended, reported where hyper refused what came over it.
    fn record_end(&self, ended: Result<(), hyper::Error>) -> Result<(), BoxError> {
        let Err(error) = ended else { return Ok(()) };
        if error.is_parse_too_large() {
            self.refusals.record(self.address, Cause::HttpHeadTooLarge, "");
        } else if error.is_parse() {
            self.refusals.record(self.address, Cause::HttpMalformed, &format!(" ({error})"));
        }
        Err(error.into())
    }
}

/// Sends a refusal to a client with which nothing more can be spoken, and closes.
async fn refuse_and_close(mut stream: Lingering<impl Stream>, refusal: &Refusal) -> std::io::Result<()> {
    // The answer is small, but the client may have closed its window.
    let telling = async {
        stream.write_all(&last_answer(refusal)).await?;
        stream.shutdown().await
    };
    timeout(CLOSING, telling).await.unwrap_or(Ok(()))
}

/// What HTTP is spoken over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

fn http1(limits: &EdgeLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // hyper's own timer also runs while a connection is idle; `supervise` tells the two apart.
        .header_read_timeout(None)
        .max_headers(limits.header_fields)
        .max_header_size(limits.header_bytes)
        // What is buffered of an unfinished head; hyper asks for at least 8 KiB.
        .max_buf_size(limits.header_bytes.max(16 * 1024))
        .half_close(false);
    builder
}

fn http2(limits: &EdgeLimits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        // Rapid reset (CVE-2023-44487) and streams that we reset ourselves (CVE-2025-8671): few, then GOAWAY.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        // What one connection may make us hold: 256 KiB unread, and 64 KiB unsent a stream.
        .initial_connection_window_size(256 * 1024)
        .initial_stream_window_size(128 * 1024)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(limits.idle_timeout / 2)
        .keep_alive_timeout(limits.header_timeout);
    builder
}

/// What a connection is doing, and since when.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Idle(Instant),
    Head(Instant),
    Busy(usize),
}

impl Phase {
    /// When the phase has lasted too long.
    fn ends(self, limits: &EdgeLimits) -> Option<Instant> {
        match self {
            Phase::Idle(since) => Some(since + limits.idle_timeout),
            Phase::Head(since) => Some(since + limits.header_timeout),
            Phase::Busy(_) => None,
        }
    }
}

/// Which HTTP a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Http {
    /// Told that it ends by an answer.
    One,
    /// Told by GOAWAY, which loses no request.
    Two,
}

/// How a connection came to its end.
enum Ended {
    /// By itself, or because it was asked to.
    Closed(Result<(), hyper::Error>),
    /// It began a request and did not come to the end of its head.
    HeadTimeout,
    /// It did not close when it was asked to.
    Lingered,
}

/// Runs a connection until it ends, drains, or lingers in a phase.
async fn supervise<C>(
    mut connection: Pin<&mut C>,
    http: Http,
    phase: watch::Sender<Phase>,
    limits: &EdgeLimits,
    mut draining: watch::Receiver<Leaving>,
) -> Ended
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut changes = phase.subscribe();
    let mut cut_at: Option<Instant> = None;
    let (mut called, mut told, opened) = (false, false, opened(&phase));
    // One that comes while the listener leaves makes its call first.
    let first_call_by = (*draining.borrow() != Leaving::No).then(|| Instant::now() + CLOSING);
    loop {
        let now_in = *changes.borrow_and_update();
        // A call may be over before anybody looks.
        called |= match now_in {
            Phase::Idle(since) => Some(since) != opened,
            Phase::Head(_) => false,
            Phase::Busy(_) => true,
        };
        let leaving = *draining.borrow_and_update();
        let tell = match leaving {
            Leaving::No => false,
            Leaving::Soon => http == Http::Two && called,
            Leaving::Now => called || first_call_by.is_none(),
        };
        if tell && !told {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        let ends = match (now_in, cut_at) {
            (Phase::Busy(_), _) => None,
            (_, Some(cut_at)) => Some(cut_at),
            (waiting, None) if leaving == Leaving::Now && !told => waiting.ends(limits).min(first_call_by),
            (waiting, None) => waiting.ends(limits),
        };
        tokio::select! {
            ended = connection.as_mut() => return Ended::Closed(ended),
            _ = draining.changed(), if leaving != Leaving::Now => {}
            _ = changes.changed() => {}
            () = sleep_until(ends.unwrap_or_else(Instant::now)), if ends.is_some() => {
                if matches!(now_in, Phase::Head(_)) {
                    return Ended::HeadTimeout;
                }
                if cut_at.is_some() {
                    return Ended::Lingered;
                }
                cut_at = Some(Instant::now() + CLOSING.min(limits.idle_timeout));
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Since when a connection is idle on which nothing has come.
fn opened(phase: &watch::Sender<Phase>) -> Option<Instant> {
    match *phase.borrow() {
        Phase::Idle(since) => Some(since),
        _ => None,
    }
}

/// One request under way, or one answer not handed over yet.
struct Busy(watch::Sender<Phase>);

impl Busy {
    fn begin(phase: &watch::Sender<Phase>) -> Self {
        phase.send_modify(|phase| {
            *phase = match *phase {
                Phase::Busy(others) => Phase::Busy(others + 1),
                _ => Phase::Busy(1),
            }
        });
        Self(phase.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|phase| {
            *phase = match *phase {
                Phase::Busy(several @ 2..) => Phase::Busy(several - 1),
                _ => Phase::Idle(Instant::now()),
            }
        });
    }
}

/// The service as hyper calls it, the connection being busy from the request's head to the answer's last frame. Where the
/// listener is `leaving`, the answer ends the connection.
fn counted<S>(
    service: S,
    phase: watch::Sender<Phase>,
    leaving: Option<watch::Receiver<Leaving>>,
) -> impl hyper::service::HttpService<
    Incoming,
    ResBody = Held,
    Error = BoxError,
    Future = impl Future<Output = Result<Response<Held>, BoxError>> + Send + 'static,
>
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let busy = Busy::begin(&phase);
        let response = service.clone().oneshot(request);
        let leaving = leaving.clone();
        async move {
            let mut response = response.await?;
            if leaving.is_some_and(|leaving| *leaving.borrow() != Leaving::No) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, BoxError>(response.map(|body| Held { body, _busy: busy }))
        }
    })
}

/// An answer's body that keeps its connection busy.
struct Held {
    body: ResponseBody,
    _busy: Busy,
}

impl Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Marks the first byte that arrives on an idle HTTP/1.1 connection.
fn first_byte<T: AsyncRead>(io: T, phase: watch::Sender<Phase>) -> InspectReader<T, impl FnMut(&[u8])> {
    InspectReader::new(io, move |bytes| {
        phase.send_if_modified(|phase| {
            let begins = !bytes.is_empty() && matches!(phase, Phase::Idle(_));
            if begins {
                *phase = Phase::Head(Instant::now());
            }
            begins
        });
    })
}

#[cfg(test)]
mod tests;
