//! HTTP over TLS for the stubs: small, and able to misbehave, which a proper server takes care not to.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::signature::credentials::Credentials;

/// The longest request that a stub reads, in bytes.
const LONGEST: usize = 32 * 1024 * 1024;

/// The body of a stub's answer. An error in it cuts the connection, once what came before it has been sent.
pub type Reply = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// Why a stub did not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are named for what they are
pub enum StartError {
    #[error("cannot listen on {address}: {cause}; choose another address, or port 0 for any free one")]
    Listen { address: SocketAddr, cause: io::Error },
    #[error("the server certificate cannot be used: {0}; make new ones with `hjemmel certs dev`")]
    Certificate(String),
    #[error("no answers can be made from the service's schema: {0}")]
    Schema(String),
}

/// What answers requests. `None` closes the connection without a byte.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: Request<Bytes>) -> impl Future<Output = Option<Reply>> + Send;
}

/// A stub that runs; it stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests have reached it, whatever became of them.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Stops it at once: the listener and every connection are gone when this returns.
    pub async fn stop(mut self) {
        self.task.abort();
        // The one error there can be is the abort just asked for.
        let _ = (&mut self.task).await;
    }

    /// Waits for as long as it runs.
    pub async fn wait(mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts serving on `address`.
///
/// # Errors
/// [`StartError`]: the address is taken, or the certificate cannot be used.
pub async fn start(address: SocketAddr, credentials: &Credentials, handler: Arc<impl Handler>) -> Result<Running, StartError> {
    serve(address, tls(credentials, None)?, handler).await
}

/// The same for callers with a certificate below one of `roots`, and for nobody else.
///
/// # Errors
/// As [`start`].
pub async fn start_mutual(
    address: SocketAddr,
    credentials: &Credentials,
    roots: &[CertificateDer<'static>],
    handler: Arc<impl Handler>,
) -> Result<Running, StartError> {
    serve(address, tls(credentials, Some(roots))?, handler).await
}

async fn serve(address: SocketAddr, tls: ServerConfig, handler: Arc<impl Handler>) -> Result<Running, StartError> {
    let tls = TlsAcceptor::from(Arc::new(tls));
    let failed = |cause| StartError::Listen { address, cause };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let requests = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&requests);
    let task = tokio::spawn(async move {
        // Dropped with the task, and the connections with it.
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, tls.clone(), Arc::clone(&handler), Arc::clone(&counted)));
                }
                // Out of file descriptors, most likely: accepting again at once would spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            while connections.try_join_next().is_some() {}
        }
    });
    Ok(Running { address, requests, task })
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, handler: Arc<impl Handler>, requests: Arc<AtomicU64>) {
    // A stub keeps no log of broken connections: whoever broke one knows.
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let hung_up = Arc::new(Notify::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (handler, hang_up) = (Arc::clone(&handler), Arc::clone(&hung_up));
        requests.fetch_add(1, Ordering::SeqCst);
        async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, LONGEST).collect().await.map_err(|_| io::Error::other("request too long"))?;
            let Some(answer) = handler.answer(Request::from_parts(head, body.to_bytes())).await else {
                hang_up.notify_one();
                return std::future::pending().await;
            };
            Ok::<_, io::Error>(answer.map(|body| Cutting { body: Some(body), hang_up }))
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = &mut serving => return,
        () = hung_up.notified() => {}
    }
    // One more turn writes what was ready when the connection was to be cut.
    tokio::select! {
        biased;
        _ = serving => {}
        () = std::future::ready(()) => {}
    }
}

/// A body whose error cuts the connection. Given to HTTP/2 it would reset the stream, and throw away what was not sent yet,
/// the head of the answer included.
struct Cutting {
    /// `None` once its error came: it neither goes on nor ends.
    body: Option<UnsyncBoxBody<Bytes, io::Error>>,
    hang_up: Arc<Notify>,
}

impl Body for Cutting {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.body else { return Poll::Pending };
        let frame = Pin::new(body).poll_frame(context);
        if let Poll::Ready(Some(Err(_))) = frame {
            self.body = None;
            self.hang_up.notify_one();
            return Poll::Pending;
        }
        frame
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }
}

fn tls(credentials: &Credentials, clients: Option<&[CertificateDer<'static>]>) -> Result<ServerConfig, StartError> {
    let unusable = |error: rustls::Error| StartError::Certificate(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(unusable)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            for root in clients {
                roots.add(root.clone()).map_err(unusable)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| StartError::Certificate(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(credentials.chain().to_vec(), credentials.key().clone_key()).map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// An answer that is at hand.
pub fn reply(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
    with_body(status, content_type, Full::new(body.into()).map_err(|never| match never {}).boxed_unsync())
}

/// An answer that is still being made: what comes over the channel, until it closes or sends an error.
pub fn streamed(status: u16, content_type: &str, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Reply {
    with_body(status, content_type, Pieces(pieces).boxed_unsync())
}

fn with_body(status: u16, content_type: &str, body: UnsyncBoxBody<Bytes, io::Error>) -> Reply {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = http::HeaderValue::from_str(content_type) {
        response.headers_mut().insert(http::header::CONTENT_TYPE, value);
    }
    response
}

struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use tokio::time::Instant;

    use super::*;
    use crate::outbound::{Outbound, OutboundSettings};
    use crate::stub::pki::{Role, for_tests};

    /// Answers three bytes and an error, both there before the head is sent.
    struct Cuts;

    impl Handler for Cuts {
        async fn answer(&self, _: Request<Bytes>) -> Option<Reply> {
            let (sender, pieces) = mpsc::channel(2);
            sender.try_send(Ok(Bytes::from_static(b"abc"))).unwrap();
            sender.try_send(Err(io::Error::from(io::ErrorKind::ConnectionReset))).unwrap();
            Some(streamed(200, "text/plain", pieces))
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_is_cut_at_once_arrives_as_far_as_it_went() {
        let any = ([127, 0, 0, 1], 0).into();
        let stub = start(any, for_tests().credentials(Role::IndexServer).unwrap(), Arc::new(Cuts)).await.unwrap();
        let uri = format!("https://localhost:{}/", stub.address().port()).parse().unwrap();
        let outbound = Outbound::new(OutboundSettings::new(vec![for_tests().root().clone()])).unwrap();
        for _ in 0..20 {
            let soon = Instant::now() + Duration::from_secs(60);
            let mut answer = outbound.post(&uri, HeaderMap::new(), Bytes::new(), soon).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let first = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(first, "abc");
            assert!(answer.into_body().collect().await.is_err(), "and then the connection breaks");
        }
    }
}
