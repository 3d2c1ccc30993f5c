//! The client for the index and the security token service: hyper over rustls, trusting only the roots it is given.
//!
//! It follows no redirect, reads no proxy variable and knows no platform trust store: where a message with personal data
//! goes is decided by the configuration alone. Connections are kept and used again. A request is sent once more only where
//! a connection failed before a byte was answered on it.

pub mod breaker;
mod connector;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::clock::Clock;
use crate::revocation::domain::Domain;
use crate::revocation::verify::{RootsError, ServerVerifier, Stapling};
use crate::signature::credentials::Credentials;
use crate::work::{Away, Work};
use connector::{Connector, PeerCertificate, answered_on};

/// The longest piece of an answer that a peer may send at a time over HTTP/2, in bytes. The 16 KiB that it may anyhow are
/// moved once more for each piece: 6 % of what an answer of ten megabytes costs.
const FRAME: u32 = 64 * 1024;

/// How the client reaches one peer.
pub struct OutboundSettings {
    /// The certificates that the peer's server certificate must descend from.
    pub roots: Vec<CertificateDer<'static>>,
    /// The certificate that the client shows where the peer asks for one.
    pub credentials: Option<Credentials>,
    /// How long the TCP connection to one address may take.
    pub connect_timeout: Duration,
    /// How long a connection without a request is kept.
    pub idle_timeout: Duration,
    /// Whether a request is sent once more after a connection that failed before a byte was answered on it.
    pub retry: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
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
    client: Client<Connector, Full<Bytes>>,
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
    /// Roots or credentials that cannot be used.
    pub fn checked(settings: OutboundSettings, domain: Arc<Domain>, stapling: Stapling) -> Result<Self, SetupError> {
        let verifier = ServerVerifier::new(&settings.roots, domain.clone(), stapling)?;
        let tls = client_config(verifier, settings.credentials.as_ref())?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            // Only for requests that have not left the process: another connection takes them.
            .retry_canceled_requests(true)
            .http2_max_frame_size(FRAME)
            .build(Connector::new(tcp, Arc::new(tls)));
        Ok(Self { client, domain, retry: settings.retry, work: None })
    }

    /// While the peer is waited for, the call is not counted as being worked on. For a client that only such calls use.
    #[must_use]
    pub fn waited_for_by(self, work: &Work) -> Self {
        Self { work: Some(work.clone()), ..self }
    }

    /// Posts `body` to an `https` address and gives the answer's head, its body still to come. The one `deadline` holds
    /// for everything: connecting, the retry, the head, and the body as it is read.
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

    /// Gets `uri`, as [`Outbound::post`] does: for metadata and a WSDL.
    ///
    /// # Errors
    /// As [`Outbound::post`].
    pub async fn get(&self, uri: &Uri, deadline: Instant) -> Result<Response<AnswerBody>, OutboundError> {
        self.send(Method::GET, uri, HeaderMap::new(), Bytes::new(), deadline).await
    }

    async fn send(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Response<AnswerBody>, OutboundError> {
        let away = self.work.as_ref().map(Work::away);
        let used = Mutex::new(None);
        let attempt = || {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            *used.lock().unwrap_or_else(PoisonError::into_inner) = Some(capture_connection(&mut request));
            timeout_at(deadline, self.client.request(request))
        };
        let mut outcome = attempt().await.map_err(|_| OutboundError::Timeout)?;
        if self.retry
            && let Err(error) = &outcome
            && !answered_on(error)
        {
            outcome = attempt().await.map_err(|_| OutboundError::Timeout)?;
        }
        drop(away);
        let response = outcome.map_err(|error| classify(&error))?;
        // A connection that is always in use would outlive the server's certificate for ever.
        let certificate = response.extensions().get::<PeerCertificate>();
        let lists = self.domain.current();
        if let Some(why) = certificate.and_then(|shown| lists.refusal(&shown.0, Clock::system().now())) {
            let used = used.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Some(connected) = used.as_ref().map(CaptureConnection::connection_metadata).as_deref().and_then(Option::as_ref)
            {
                connected.poison();
            }
            return Err(OutboundError::Connect(format!("the server's certificate {}", why.told().1)));
        }
        let work = self.work.clone();
        Ok(response.map(|body| AnswerBody { inner: body, deadline: Box::pin(sleep_until(deadline)), work, away: None }))
    }
}

/// An answer's body, data only: trailers are dropped, and the call's deadline holds until its end.
pub struct AnswerBody {
    inner: Incoming,
    deadline: Pin<Box<Sleep>>,
    work: Option<Work>,
    /// While more of it is waited for.
    away: Option<Away>,
}

impl AnswerBody {
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        // Asked first, so that a peer which always has one more byte to send cannot outlive the deadline.
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(OutboundError::Timeout)));
        }
        loop {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(_trailers)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(OutboundError::Broken(chain(&error))))),
                None => return Poll::Ready(None),
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

fn client_config(verifier: ServerVerifier, credentials: Option<&Credentials>) -> Result<ClientConfig, SetupError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(SetupError::Credentials)?
        // rustls' own verifier reads no stapled response and holds its lists for good.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match credentials {
        Some(own) => {
            builder.with_client_auth_cert(own.chain().to_vec(), own.key().clone_key()).map_err(SetupError::Credentials)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn classify(error: &hyper_util::client::legacy::Error) -> OutboundError {
    let text = chain(error);
    if error.is_connect() {
        return OutboundError::Connect(text);
    }
    let hyper = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    match hyper {
        Some(cause) if cause.is_parse() || cause.is_user() => OutboundError::Protocol(text),
        Some(_) => OutboundError::Broken(text),
        None => OutboundError::Protocol(text),
    }
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

#[cfg(test)]
mod tests;
