//! Opens one connection: TCP, TLS, and HTTP/2 or HTTP/1.1 as the peer chooses.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header::HOST, uri::Scheme};
use http_body_util::Full;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::Service;

use super::guard::Guard;
use super::{ConnectionLimits, OutboundError, chain};

/// What is taken from the socket at a time, in bytes. rustls itself reads 4 KiB at a time, which for an answer of ten
/// megabytes is 2500 system calls; a TLS record has 16 KiB at most.
const READ: usize = 64 * 1024;
/// The longest piece of an answer that a peer may send at a time over HTTP/2, in bytes. The 16 KiB that it may anyhow are
/// moved once more for each piece: 6 % of what an answer of ten megabytes costs.
pub(super) const FRAME: u32 = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Answer = http::Response<hyper::body::Incoming>;
pub(super) type SendError = TrySendError<Request<Full<Bytes>>>;

/// Opens connections.
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Option<TlsConnector>,
    clear: bool,
    timeout: Duration,
    guard: Option<Guard>,
    http2: http2::Builder<TokioExecutor>,
}

/// What requests go out by. The connection ends when the last clone is dropped.
#[derive(Clone)]
pub(super) enum Sender {
    /// One call at a time.
    Http1(Arc<Mutex<http1::SendRequest<Full<Bytes>>>>),
    /// As many as the peer allows.
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// An open connection.
pub(super) struct Opened {
    pub(super) sender: Sender,
    /// How many calls it takes at once.
    pub(super) room: Arc<AtomicUsize>,
    /// The certificate that the server showed.
    pub(super) certificate: Option<Arc<[u8]>>,
    /// What moves its bytes, until it ends.
    pub(super) driver: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
}

impl Connector {
    /// Without `tls`, only plain HTTP; without `clear`, only TLS. `limit` holds for TCP and TLS together.
    pub(super) fn new(
        tls: Option<ClientConfig>,
        clear: bool,
        (limit, guard): (Duration, Option<Guard>),
        limits: &ConnectionLimits,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // HTTP/1.1 has no PING: this is how a flow is found dead on which nothing is sent.
        tcp.set_keepalive(Some(limits.ping_interval));
        tcp.set_keepalive_interval(Some(limits.ping_timeout));
        tcp.set_keepalive_retries(Some(1));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_frame_size(FRAME)
            .keep_alive_interval(limits.ping_interval)
            .keep_alive_timeout(limits.ping_timeout)
            .keep_alive_while_idle(true);
        Self { tcp, tls: tls.map(|config| TlsConnector::from(Arc::new(config))), clear, timeout: limit, guard, http2 }
    }

    pub(super) async fn open(&self, uri: &Uri) -> Result<Opened, OutboundError> {
        match timeout(self.timeout, self.connect(uri)).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(error)) => Err(OutboundError::Connect(chain(&*error))),
            Err(_) => Err(OutboundError::Connect(format!("not open within {:?}", self.timeout))),
        }
    }

    async fn connect(&self, uri: &Uri) -> Result<Opened, BoxError> {
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        // Never in the clear, whatever the configuration says, but where the caller's answers prove themselves.
        let clear = self.clear && uri.scheme() == Some(&Scheme::HTTP);
        if !secure && !clear {
            return Err("the address is not https".into());
        }
        let tls = self.tls.as_ref().filter(|_| secure);
        if secure && tls.is_none() {
            return Err("no CA is named for https".into());
        }
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let stream = match &self.guard {
            Some(guard) => self.guarded(guard, uri, host).await?,
            None => self.tcp.clone().call(uri.clone()).await?.into_inner(),
        };
        let Some(tls) = tls else { return http1(stream, None).await };
        let stream = tls.connect(ServerName::try_from(host.to_owned())?, BufReader::with_capacity(READ, stream)).await?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first).map(|shown| shown.as_ref().into());
        if session.alpn_protocol() == Some(b"h2") {
            self.http2(stream, certificate).await
        } else {
            http1(stream, certificate).await
        }
    }

    /// Connects to an address that was judged: the name is not looked up again.
    async fn guarded(&self, guard: &Guard, uri: &Uri, host: &str) -> Result<TcpStream, BoxError> {
        let port = uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 });
        let found = guard.addresses(host, port).await?;
        // One that does not answer leaves time for the others.
        let share = self.timeout / u32::try_from(found.len().max(1)).unwrap_or(u32::MAX);
        let mut last: BoxError = "the name has no address".into();
        for address in found {
            let direct: Uri = format!("http://{address}/").parse()?;
            match timeout(share, self.tcp.clone().call(direct)).await {
                Ok(Ok(stream)) => return Ok(stream.into_inner()),
                Ok(Err(error)) => last = error.into(),
                Err(_) => last = format!("{address}: no answer within {share:?}").into(),
            }
        }
        Err(last)
    }

    async fn http2<T>(&self, stream: T, certificate: Option<Arc<[u8]>>) -> Result<Opened, BoxError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, mut connection) = self.http2.handshake(TokioIo::new(stream)).await?;
        let room = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
        let shown = room.clone();
        let driver = poll_fn(move |context| {
            let polled = Pin::new(&mut connection).poll(context);
            shown.store(connection.current_max_send_streams(), Ordering::Relaxed);
            polled
        });
        Ok(Opened { sender: Sender::Http2(sender), room, certificate, driver: Box::pin(driver) })
    }
}

async fn http1<T>(stream: T, certificate: Option<Arc<[u8]>>) -> Result<Opened, BoxError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await?;
    Ok(Opened {
        sender: Sender::Http1(Arc::new(Mutex::new(sender))),
        room: Arc::new(AtomicUsize::new(1)),
        certificate,
        driver: Box::pin(connection),
    })
}

impl Sender {
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => locked(sender).is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    /// Waits until a request can be sent; false: the connection has ended.
    pub(super) async fn ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => poll_fn(|context| locked(sender).poll_ready(context)).await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    pub(super) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, Box<SendError>> {
        match self {
            Self::Http1(sender) => {
                as_http1(&mut request);
                let sent = locked(sender).try_send_request(request);
                sent.await.map_err(Box::new)
            }
            Self::Http2(sender) => sender.try_send_request(request).await.map_err(Box::new),
        }
    }
}

fn locked<T>(sender: &Mutex<T>) -> MutexGuard<'_, T> {
    sender.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The target in origin form, and the host in its header (RFC 9112 3.2).
fn as_http1(request: &mut Request<Full<Bytes>>) {
    let default = if request.uri().scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let host = match (request.uri().host(), request.uri().port_u16()) {
        (Some(host), Some(port)) if port != default => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    if let Ok(host) = host.try_into() {
        request.headers_mut().insert(HOST, host);
    }
    *request.uri_mut() = request.uri().path_and_query().cloned().map(Uri::from).unwrap_or_default();
}
