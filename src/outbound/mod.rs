//! The client for the index, the security token service and revocation lists: hyper over rustls, trusting only the roots
//! it is given.
//!
//! It follows no redirect, reads no proxy variable and knows no platform trust store: where a message with personal data
//! goes is decided by the configuration alone. Connections are kept and used again, within [`ConnectionLimits`]. A request
//! is sent once more only where it is certain that the peer processed nothing of it (`docs/decisions/outbound.md`).

pub mod breaker;
mod connect;
pub mod counts;
pub mod guard;
pub mod lists;
mod pool;
pub mod probe;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::CertificateDer;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::clock::Clock;
use crate::revocation::domain::Domain;
use crate::revocation::verify::{RootsError, ServerVerifier, Stapling};
use crate::signature::credentials::Credentials;
use crate::work::{Away, Work};
use connect::{Connector, SendError};
use counts::{Closed, Counts, Unprocessed};
use guard::Guard;
use pool::{Lease, Pool};

/// How the client reaches one peer.
#[derive(Clone)]
pub struct OutboundSettings {
    /// The certificates that the peer's server certificate must descend from.
    pub roots: Vec<CertificateDer<'static>>,
    /// The certificate that the client shows where the peer asks for one.
    pub credentials: Option<Credentials>,
    /// How long connecting to one address may take, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long connections live.
    pub connections: ConnectionLimits,
    /// Whether a request that the peer says it did not process is sent once more.
    pub retry: bool,
    /// Whether plain HTTP will do: for what is believed for its own signature alone.
    pub clear: bool,
    /// What became of the connections is counted here.
    pub counts: Arc<Counts>,
    /// Judges where a name leads, each time that it is connected to; none: the address is the operator's own.
    pub guard: Option<Guard>,
}

impl OutboundSettings {
    /// The usual settings, without a certificate of the client's own.
    pub fn new(roots: Vec<CertificateDer<'static>>) -> Self {
        Self {
            roots,
            credentials: None,
            connect_timeout: Duration::from_secs(5),
            connections: ConnectionLimits::default(),
            retry: true,
            clear: false,
            counts: Arc::default(),
            guard: None,
        }
    }
}

/// How long connections live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// A connection without a call is kept so long.
    pub idle: Duration,
    /// No connection takes calls longer than this after it was opened, so that a name that moved is followed.
    pub lifetime: Duration,
    /// After so long without a byte from the peer it is asked whether it is there: with PING over HTTP/2, with TCP
    /// keep-alive otherwise.
    pub ping_interval: Duration,
    /// How long its answer to that may take.
    pub ping_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30),
            lifetime: Duration::from_secs(300),
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OutboundError {
    /// No connection: name, address, TCP or TLS. The peer has seen nothing of the request.
    #[error("no connection: {0}")]
    Connect(String),
    /// The deadline passed.
    #[error("no complete answer before the deadline")]
    Timeout,
    /// The connection broke before the answer was complete.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// What came is not HTTP, or the request cannot be sent as HTTP.
    #[error("not HTTP: {0}")]
    Protocol(String),
}

/// The settings cannot be used for TLS.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A trust root cannot be used, or there is none.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The client's certificate or key cannot be used.
    #[error("the client certificate and key cannot be used for TLS: {0}")]
    Credentials(rustls::Error),
}

/// A client for one peer or several under the same trust. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Outbound {
    pool: Arc<Pool>,
    domain: Arc<Domain>,
    retry: bool,
    work: Option<Work>,
}

impl Outbound {
    /// Makes the client; no connection is opened yet.
    ///
    /// # Errors
    /// Roots or credentials that cannot be used.
    pub fn new(settings: OutboundSettings) -> Result<Self, SetupError> {
        let own = Domain::unasked();
        Self::checked(settings, own, Stapling::Optional)
    }

    /// The same, where the peer's certificates are looked up in the revocation lists of `domain`, and a stapled OCSP
    /// response is demanded or not; one that is there must hold either way.
    ///
    /// # Errors
    /// Roots or credentials that cannot be used. None are needed where plain HTTP will do.
    pub fn checked(settings: OutboundSettings, domain: Arc<Domain>, stapling: Stapling) -> Result<Self, SetupError> {
        let tls = if settings.clear && settings.roots.is_empty() {
            None
        } else {
            let verifier = ServerVerifier::new(&settings.roots, domain.clone(), stapling)?;
            Some(client_config(Arc::new(verifier), settings.credentials.as_ref())?)
        };
        let guarded = (settings.connect_timeout, settings.guard);
        let connector = Connector::new(tls, settings.clear, guarded, &settings.connections);
        Ok(Self { pool: Pool::new(connector, settings.connections, settings.counts), domain, retry: settings.retry, work: None })
    }

    /// While the peer is waited for, the call is not counted as being worked on. For a client that only such calls use.
    #[must_use]
    pub fn waited_for_by(self, work: &Work) -> Self {
        Self { work: Some(work.clone()), ..self }
    }

    /// No connection that is open now takes another call; calls under way go on.
    pub fn renew_connections(&self) {
        self.pool.renew();
    }

    /// Posts `body` to an `https` address and gives the answer's head, its body still to come. The one `deadline` holds
    /// for everything: connecting, sending once more, the head, and the body as it is read.
    ///
    /// # Errors
    /// [`OutboundError`]; an answer of any HTTP status is an answer.
    pub async fn post(
        &self,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Response<AnswerBody>, OutboundError> {
        self.send(Method::POST, uri, headers, body, deadline).await
    }

    /// Gets `uri`, as [`Outbound::post`] does: for metadata, a WSDL and revocation lists.
    ///
    /// # Errors
    /// As [`Outbound::post`].
    pub async fn get(&self, uri: &Uri, deadline: Instant) -> Result<Response<AnswerBody>, OutboundError> {
        self.send(Method::GET, uri, HeaderMap::new(), Bytes::new(), deadline).await
    }

    /// Sends a request of any method, as [`Outbound::post`] does.
    ///
    /// # Errors
    /// As [`Outbound::post`].
    pub async fn send(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Response<AnswerBody>, OutboundError> {
        let away = self.work.as_ref().map(Work::away);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        let (lease, response) = match self.attempt(request.clone(), deadline).await? {
            Ok(answered) => answered,
            Err(failed) => {
                let why = unprocessed(&failed).filter(|why| self.retry || *why == Unprocessed::Unsent);
                let why = why.ok_or_else(|| classify(failed.error()))?;
                self.pool.counts.resend(why);
                tracing::info!(peer = uri.host(), ?why, "the peer processed nothing of a request: it is sent once more");
                Box::pin(self.attempt(request, deadline)).await?.map_err(|failed| classify(failed.error()))?
            }
        };
        drop(away);
        // A connection that is always in use would outlive the server's certificate.
        let lists = self.domain.current();
        if let Some(why) = lease.certificate.as_ref().and_then(|shown| lists.refusal(shown, Clock::system().now())) {
            lease.close(Closed::Certificate);
            return Err(OutboundError::Connect(format!("the server's certificate {}", why.describe().1)));
        }
        let (work, deadline) = (self.work.clone(), Box::pin(sleep_until(deadline)));
        Ok(response.map(|inner| AnswerBody { inner, deadline, lease: Some(lease), work, away: None }))
    }

    async fn attempt(&self, request: Request<Full<Bytes>>, deadline: Instant) -> Result<Attempt, OutboundError> {
        let mut lease = timeout_at(deadline, self.pool.lease(request.uri())).await.map_err(|_| OutboundError::Timeout)??;
        match timeout_at(deadline, lease.send(request)).await {
            Ok(Ok(response)) => Ok(Ok((lease, response))),
            Ok(Err(failed)) => {
                if unprocessed(&failed) == Some(Unprocessed::Unsent) {
                    lease.close_with_idle(Closed::Peer);
                }
                Ok(Err(failed))
            }
            Err(_) => {
                lease.close_with_idle(Closed::TimedOut);
                Err(OutboundError::Timeout)
            }
        }
    }
}

type Attempt = Result<(Lease, Response<Incoming>), Box<SendError>>;

/// How it is known that the peer processed nothing of the request, where it is known. Over HTTP/1.1 a request of which
/// anything was written may have been processed.
fn unprocessed(failed: &SendError) -> Option<Unprocessed> {
    if failed.message().is_some() {
        return Some(Unprocessed::Unsent);
    }
    let error = std::error::Error::source(failed.error())?.downcast_ref::<h2::Error>()?;
    match () {
        () if !error.is_remote() => None,
        // h2 gives this to the streams that the peer's GOAWAY leaves out, and to no other.
        () if error.is_go_away() => Some(Unprocessed::GoneAway),
        () if error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) => Some(Unprocessed::Refused),
        () => None,
    }
}

/// What an answer that is none says of itself, for the log and for whoever set the address.
pub fn describe(status: StatusCode, headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no Content-Type");
    let redirect = if status.is_redirection() { ", a redirect, which is never followed" } else { "" };
    let kind: String = kind.chars().take(100).collect();
    format!("HTTP {}{redirect} ({kind})", status.as_u16())
}

/// An answer's body, data only: trailers are dropped, and the call's deadline holds until its end.
pub struct AnswerBody {
    inner: Incoming,
    deadline: Pin<Box<Sleep>>,
    /// Until the body has been read.
    lease: Option<Lease>,
    work: Option<Work>,
    /// While more of it is waited for.
    away: Option<Away>,
}

impl AnswerBody {
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        // Asked first, so that a peer which always has one more byte to send cannot outlive the deadline.
        if self.deadline.as_mut().poll(context).is_ready() {
            if let Some(lease) = self.lease.take() {
                lease.close_with_idle(Closed::TimedOut);
            }
            return Poll::Ready(Some(Err(OutboundError::Timeout)));
        }
        loop {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(_trailers)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(OutboundError::Broken(chain(&error))))),
                None => {
                    self.lease = None;
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = OutboundError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        let polled = self.poll_data(context);
        let this = &mut *self;
        if polled.is_ready() {
            this.away = None;
        } else if this.away.is_none() {
            this.away = this.work.as_ref().map(Work::away);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

fn client_config(verifier: Arc<dyn ServerCertVerifier>, credentials: Option<&Credentials>) -> Result<ClientConfig, SetupError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(SetupError::Credentials)?
        // rustls' own verifier reads no stapled response and holds its lists for good.
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match credentials {
        Some(own) => {
            builder.with_client_auth_cert(own.chain().to_vec(), own.key().clone_key()).map_err(SetupError::Credentials)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn classify(error: &hyper::Error) -> OutboundError {
    let text = chain(error);
    if error.is_parse() || error.is_user() { OutboundError::Protocol(text) } else { OutboundError::Broken(text) }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// What rustls names the alerts with which a peer ends a connection because of the certificate that it was shown.
const OF_CERTIFICATES: [&str; 8] = [
    "BadCertificate",
    "UnsupportedCertificate",
    "CertificateRevoked",
    "CertificateExpired",
    "CertificateUnknown",
    "CertificateRequired",
    "UnknownCA",
    "AccessDenied",
];

/// The alert in an error's words with which the peer refused the certificate that it was shown, if that is why.
pub(crate) fn alert_of_certificate(said: &str) -> Option<&str> {
    let (_, alert) = said.rsplit_once("received fatal alert: ")?;
    OF_CERTIFICATES.iter().any(|of| alert.starts_with(of)).then_some(alert)
}

#[cfg(test)]
mod tests;
