//! The static backend: an index whose answers are made beforehand.
//!
//! The gateway takes only an answer that relates to its very message and is signed. So the Body, which is large, and its
//! digest are made once; what is made for each call is the head with its one signature. Pass-through peers get the same
//! bytes. The backend runs in this program, whose CPU time nobody counts.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use hjemmel::cli::call::question::Question;
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::kle::Constraint;
use hjemmel::services::terminaladgang::law::request as policy;
use hjemmel::services::terminaladgang::law::window::Window;
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::signature::names::ANONYMOUS;
use hjemmel::signature::sign::{Message, SoapVersion, head_with_certificate};
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{Population, demo};
use hjemmel::stub::sts::Switch;
use hjemmel::stub::ydelsesindeks::answer::{Answer, Padding};
use hjemmel::stub::ydelsesindeks::evaluate::{Index, Join};
use hjemmel::stub::ydelsesindeks::names::SEARCH_ANSWER;
use hjemmel::stub::ydelsesindeks::request;
use http::{Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::keys::Keys;

/// As long as a piece is that is handed to TLS at a time.
const PIECE: usize = 64 * 1024;
const END: &[u8] = b"</soap:Envelope>";

/// An answer made beforehand.
#[derive(Clone)]
pub struct Prepared {
    body: Bytes,
    digest: [u8; 32],
    /// How many objects it holds.
    pub objects: usize,
}

impl Prepared {
    /// An answer about [`demo::UDK_ONLY`] with about `bytes` bytes of payments, to the nearest whole number of them, one at
    /// the least, of which about `alike` bytes may be released; the rest are thirteen months older. With it comes the grant
    /// that they refer to.
    pub fn new(policy: &Policy, population: &Arc<Population>, bytes: u64, alike: u64) -> Self {
        let policy = policy.request();
        let question = document(Question::about(Cpr::parse(demo::UDK_ONLY).unwrap()).input());
        let window = Window::at(Clock::system().now(), policy.reading).unwrap();
        let search = policy::check(question.root(), policy, &window, &Constraint::unconstrained()).unwrap();
        let search = request::read(&document(search.forward().to_vec()).root()).unwrap();
        let mut found = Index::new(population.clone()).search(&search, Join::Pointwise);
        found.effectuations.truncate(1);
        let payment = &population.effectuations[found.effectuations[0]];
        let lines = payment.registrations.iter().flat_map(|registration| &registration.lines);
        let referred: Vec<_> = lines.filter_map(|line| line.grant.as_ref()).map(|(grant, _)| *grant).collect();
        found.grants.retain(|grant| referred.contains(&population.grants[*grant].uuid));
        let bytes = bytes.saturating_sub(HALF_AN_OBJECT);
        let padding = Some(Padding { bytes, alike: alike.min(bytes) });
        let answer = Answer { population: population.clone(), status: 20, text: None, found, filter: None, padding };
        let pieces: Vec<_> = answer.pieces().collect();
        let objects = pieces.iter().filter(|piece| piece.windows(OBJECT.len()).any(|window| window == OBJECT)).count();
        let body = Bytes::from(pieces.concat());
        let digest = digest(&SHA256, &body).as_ref().try_into().unwrap();
        Self { body, digest, objects }
    }

    /// The signed part.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

fn document(xml: Vec<u8>) -> Document {
    Document::parse(Bytes::from(xml), &Limits::default()).unwrap()
}

const HALF_AN_OBJECT: u64 = 3_300;
const OBJECT: &[u8] = b"<yi:OekonomiskEffektueringFiltreretOejebliksbillede";

/// The backend, running.
pub struct Backend {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it answers.
    pub answer: Switch<Prepared>,
    /// How long it takes to find an answer.
    pub pause: Switch<Duration>,
    /// Of so many answers the last takes so long instead.
    pub late: Switch<Option<(usize, Duration)>>,
    /// How long the last request was, in bytes.
    pub request_bytes: Arc<AtomicUsize>,
}

struct Signer {
    certificate: Certificate,
    key: SigningKey,
    clock: Clock,
}

impl Backend {
    /// Serves on a listener that is bound already. Clients must show a certificate of the PKI.
    pub fn start(listener: TcpListener, keys: &Keys, answer: Prepared) -> Self {
        let address = listener.local_addr().unwrap();
        let signing = keys.credentials(Role::IndexSigning);
        let signer = Arc::new(Signer {
            certificate: Certificate::from_der(signing.leaf()).unwrap(),
            key: SigningKey::from_der(signing.key()).unwrap(),
            clock: Clock::system(),
        });
        let acceptor = TlsAcceptor::from(Arc::new(tls(keys)));
        let (answer, pause, late) = (Switch::new(answer), Switch::new(Duration::ZERO), Switch::new(None));
        let request_bytes = Arc::new(AtomicUsize::new(0));
        let (shown, paused, seen) = (answer.clone(), pause.clone(), request_bytes.clone());
        let (some_late, asked) = (late.clone(), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (acceptor, shown, signer, seen) = (acceptor.clone(), shown.clone(), signer.clone(), seen.clone());
                let (paused, some_late, asked) = (paused.clone(), some_late.clone(), asked.clone());
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(|request| {
                        let (answer, signer, seen) = (shown.get(), signer.clone(), seen.clone());
                        let number = asked.fetch_add(1, Ordering::Relaxed);
                        let is_late = |(of, _): &(usize, Duration)| number % of == of - 1;
                        let pause = some_late.get().filter(is_late).map_or_else(|| paused.get(), |(_, long)| long);
                        async move {
                            if !pause.is_zero() {
                                tokio::time::sleep(pause).await;
                            }
                            respond(request, answer, signer, seen).await
                        }
                    });
                    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, answer, pause, late, request_bytes }
    }
}

async fn respond(
    request: Request<Incoming>,
    answer: Prepared,
    signer: Arc<Signer>,
    seen: Arc<AtomicUsize>,
) -> Result<Response<Pieces>, Infallible> {
    let request = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    seen.store(request.len(), Ordering::Relaxed);
    let relates_to = message_id(&request).unwrap_or("urn:uuid:00000000-0000-4000-8000-000000000000");
    let message = Message {
        version: SoapVersion::V12,
        action: Some(SEARCH_ANSWER),
        message_id: &format!("urn:uuid:{}", Uuid::new_v4()),
        relates_to: Some(relates_to),
        to: Some(ANONYMOUS),
        reply_to: false,
        framework: false,
        created: signer.clock.now(),
        lifetime: jiff::SignedDuration::from_mins(5),
        extra_headers: &[],
        body: b"",
    };
    let head = head_with_certificate(&message, &answer.digest, &signer.certificate, &signer.key).unwrap();
    let mut response = Response::new(Pieces::new([Bytes::from(head), answer.body, Bytes::from_static(END)]));
    let soap = http::HeaderValue::from_static("application/soap+xml; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, soap);
    Ok(response)
}

fn message_id(request: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(request).ok()?;
    let (_, after) = text.split_once("MessageID")?;
    Some(after.split_once('>')?.1.split_once('<')?.0)
}

/// The TLS of a backend: clients show a certificate of the PKI.
pub fn tls(keys: &Keys) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(keys.roots().into(), provider.clone()).build().unwrap();
    let own = keys.credentials(Role::IndexServer);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(own.chain().to_vec(), own.key().clone_key())
        .unwrap();
    config.alpn_protocols = match std::env::var_os("HJEMMEL_BENCH_BACKEND_H1") {
        Some(_) => vec![b"http/1.1".to_vec()],
        None => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    config
}

/// A body of known length, given piece by piece.
struct Pieces {
    parts: VecDeque<Bytes>,
    left: u64,
}

impl Pieces {
    fn new(parts: [Bytes; 3]) -> Self {
        let left = parts.iter().map(|part| part.len() as u64).sum();
        Self { parts: parts.into(), left }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(part) = self.parts.front_mut() else { return Poll::Ready(None) };
        let piece = part.split_to(part.len().min(PIECE));
        if part.is_empty() {
            self.parts.pop_front();
        }
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
