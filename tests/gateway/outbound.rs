//! Flows that a firewall forgets, names that move, peers that drain or refuse, addresses that are wrong: towards the index,
//! the security token service and the sources of revocation lists, over real TLS.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hjemmel::cli::demo::scenes::{Scene, play};
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::outbound::lists::Fetcher;
use hjemmel::outbound::{Outbound, OutboundSettings};
use hjemmel::revocation::Fetch as _;
use hjemmel::stub::pki::Role;
use hjemmel::stub::ydelsesindeks::mode::FaultMode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::log;
use crate::stage::options;

/// Passes bytes on, until it is told to forget: then what is open becomes a black hole, read and never answered nor ended.
#[derive(Clone)]
struct Relay {
    port: u16,
    opened: Arc<AtomicUsize>,
    forgotten: Arc<Mutex<HashSet<usize>>>,
}

impl Relay {
    async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = Self { port, opened: Arc::default(), forgotten: Arc::default() };
        let all = relay.clone();
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let number = all.opened.fetch_add(1, Ordering::SeqCst);
                let forgotten = all.forgotten.clone();
                tokio::spawn(async move {
                    let far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::join!(pump(near_in, far_out, number, &forgotten), pump(far_in, near_out, number, &forgotten));
                });
            }
        });
        relay
    }

    fn forget(&self) {
        self.forgotten.lock().unwrap().extend(0..self.opened());
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    number: usize,
    forgotten: &Mutex<HashSet<usize>>,
) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if forgotten.lock().unwrap().contains(&number) {
            // Neither end hears of it.
            std::future::pending::<()>().await;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}

/// A server in front of another over HTTP/2, which can refuse streams and drain connections.
pub struct Front {
    pub port: u16,
    /// The `traceparent` of each request, where it has one.
    pub contexts: Arc<Mutex<Vec<Option<String>>>>,
    connections: Arc<AtomicUsize>,
    refusals: Arc<AtomicUsize>,
    drains: Arc<AtomicUsize>,
}

/// Counts down; whether there was something to count.
fn taken(from: &AtomicUsize) -> bool {
    from.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Front {
    pub async fn of(world: &World, shows: Role, target: u16) -> Self {
        let own = world.pki.credentials(shows).unwrap();
        let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(own.chain().to_vec(), own.key().clone_key())
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let credentials = Some(world.pki.credentials(Role::GatewayClient).unwrap().clone());
        let behind =
            Outbound::new(OutboundSettings { credentials, ..OutboundSettings::new(vec![world.pki.root().clone()]) }).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let contexts = Arc::<Mutex<Vec<_>>>::default();
        let seen = contexts.clone();
        let front = Self { port, contexts, connections: Arc::default(), refusals: Arc::default(), drains: Arc::default() };
        let (connections, refusals, drains) = (front.connections.clone(), front.refusals.clone(), front.drains.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                let (refusals, drains, seen) = (refusals.clone(), drains.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let mut connection = h2::server::handshake(stream).await.unwrap();
                    while let Some(Ok((request, mut respond))) = connection.accept().await {
                        if taken(&refusals) {
                            respond.send_reset(h2::Reason::REFUSED_STREAM);
                            continue;
                        }
                        if taken(&drains) {
                            connection.graceful_shutdown();
                        }
                        let context = request.headers().get("traceparent").map(|value| value.to_str().unwrap().to_owned());
                        seen.lock().unwrap().push(context);
                        tokio::spawn(pass_on(request, respond, behind.clone(), target));
                    }
                });
            }
        });
        front
    }
}

async fn pass_on(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    behind: Outbound,
    target: u16,
) {
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(piece)) = incoming.data().await {
        let _ = incoming.flow_control().release_capacity(piece.len());
        body.extend_from_slice(&piece);
    }
    let uri = format!("https://localhost:{target}{}", head.uri.path()).parse().unwrap();
    let headers = http::HeaderMap::from_iter([(CONTENT_TYPE, head.headers[CONTENT_TYPE].clone())]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let answer = behind.post(&uri, headers, body.into(), deadline).await.unwrap();
    let mut response = http::Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get(CONTENT_TYPE) {
        response = response.header(CONTENT_TYPE, kind);
    }
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
    stream.send_data(body, true).unwrap();
}

struct Node {
    world: World,
    /// The configuration as the world wrote it, with short limits.
    original: String,
    index: String,
    sts: String,
    /// By how many hours the gateway's clock is ahead; TLS itself keeps the machine's.
    ahead: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

fn port(address: &str) -> u16 {
    address.parse::<http::Uri>().unwrap().port_u16().unwrap()
}

impl Node {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (system, ahead) = (Clock::system(), Arc::new(AtomicI64::new(0)));
        let hours = ahead.clone();
        let clock = Clock::from_fn(move || system.now() + SignedDuration::from_hours(hours.load(Ordering::SeqCst)));
        let extra =
            "[peer.ydelsesindeks]\ndeadline = \"3s\"\nbreaker_failures = 2\nbreaker_rest = \"1s\"\n[sts]\ndeadline = \"3s\"\n";
        let world = World::start(options(dir.path(), clock, extra)).await.unwrap();
        let original = std::fs::read_to_string(dir.path().join("hjemmel.toml")).unwrap();
        let table: toml::Table = original.parse().unwrap();
        let address = |section: &toml::Value| section["address"].as_str().unwrap().to_owned();
        let (index, sts) = (address(&table["peer"]["ydelsesindeks"]), address(&table["sts"]));
        Self { world, original, index, sts, ahead, _dir: dir }
    }

    /// Reloads the original configuration with this address in place of that one, and these settings besides.
    async fn reload(&self, address: &str, other: &str, extra: &str) {
        let text = self.original.replace(&format!("\"{address}\""), &format!("\"{other}\""));
        std::fs::write(self.world.dir.join("hjemmel.toml"), format!("{text}\n{extra}")).unwrap();
        self.world.reload().await.unwrap();
    }

    /// The refusal's code, or nothing where the call was served.
    async fn call(&self) -> Option<String> {
        play(&self.world, Scene::Municipality).await.unwrap().record.refusal
    }

    /// The token that the gateway holds has expired: the next call needs a new one.
    fn token_expires(&self) {
        self.ahead.fetch_add(9, Ordering::SeqCst);
    }

    async fn metric(&self, series: &str) -> u64 {
        let mut stream = TcpStream::connect(self.world.admin).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).unwrap_or_else(|| panic!("{text}"));
        line.parse().unwrap()
    }
}

fn through(address: &str, port_instead: u16) -> String {
    address.replace(&format!(":{}/", port(address)), &format!(":{port_instead}/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_flow_to_the_index_costs_one_call() {
    let node = &Node::start().await;
    let relay = Relay::to(port(&node.index)).await;
    node.reload(&node.index, &through(&node.index, relay.port), "").await;
    assert_eq!((node.call().await, node.call().await, relay.opened()), (None, None, 1), "the connection is kept");
    relay.forget();
    assert_eq!(node.call().await.as_deref(), Some("PeerTimeout"));
    assert_eq!((node.call().await, relay.opened()), (None, 2));
    let closed = node.metric("hjemmel_outbound_connections_closed_total{cause=\"timed_out\",peer=\"ydelsesindeks\"}").await;
    assert_eq!(closed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_breakers_trial_gets_a_connection_of_its_own() {
    let node = &Node::start().await;
    let relay = Relay::to(port(&node.index)).await;
    node.reload(&node.index, &through(&node.index, relay.port), "").await;
    // The index fails on a connection that works, so that it is kept; then the flow is forgotten as well.
    node.world.index_mode.set(FaultMode::WrongContentType);
    for _ in 0..2 {
        assert!(node.call().await.is_some());
    }
    assert_eq!(node.call().await.as_deref(), Some("PeerResting"));
    node.world.index_mode.set(FaultMode::Honest);
    relay.forget();
    let mut outcome = node.call().await;
    while outcome.as_deref() == Some("PeerResting") {
        outcome = node.call().await;
    }
    assert_eq!((outcome, relay.opened()), (None, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_reached_anew_when_the_connection_is_old() {
    let node = &Node::start().await;
    let relay = Relay::to(port(&node.index)).await;
    node.reload(&node.index, &through(&node.index, relay.port), "[outbound]\nlifetime = \"1s\"\n").await;
    while relay.opened() < 3 {
        assert_eq!(node.call().await, None, "no call is lost over it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_refuses_or_drains_loses_no_call() {
    let node = &Node::start().await;
    let front = Front::of(&node.world, Role::IndexServer, port(&node.index)).await;
    node.reload(&node.index, &through(&node.index, front.port), "").await;
    refuses_and_drains(node, &front, "ydelsesindeks", async || {}).await;
}

/// One stream refused, and one GOAWAY: each call is served, and the index saw each once.
async fn refuses_and_drains(node: &Node, front: &Front, peer: &str, prepare: impl AsyncFn()) {
    let resent = format!("hjemmel_outbound_requests_resent_total{{cause=\"refused\",peer=\"{peer}\"}}");
    let (before, seen) = (node.metric(&resent).await, node.world.index_requests());
    front.refusals.store(1, Ordering::SeqCst);
    prepare().await;
    let log = log::now();
    let record = play(&node.world, Scene::Municipality).await.unwrap().record;
    assert_eq!((record.refusal, node.metric(&resent).await), (None, before + 1));
    let lines = String::from_utf8(log.lines()).unwrap();
    let mut lines = lines.lines().filter(|line| line.contains("it is sent once more"));
    assert!(lines.any(|line| line.contains(&record.call.to_string())), "it is told with the call's id");
    let connections = front.connections.load(Ordering::SeqCst);
    front.drains.store(1, Ordering::SeqCst);
    for _ in 0..2 {
        prepare().await;
        assert_eq!(node.call().await, None);
    }
    assert_eq!(front.connections.load(Ordering::SeqCst), connections + 1);
    assert_eq!(node.world.index_requests(), seen + 3);
    front.refusals.store(2, Ordering::SeqCst);
    prepare().await;
    assert!(node.call().await.is_some(), "once more, and not twice");
    front.refusals.store(0, Ordering::SeqCst);
    assert_eq!(node.call().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_flow_to_the_sts_costs_one_call() {
    let node = &Node::start().await;
    let relay = Relay::to(port(&node.sts)).await;
    node.reload(&node.sts, &through(&node.sts, relay.port), "").await;
    assert_eq!((node.call().await, relay.opened()), (None, 1));
    relay.forget();
    node.token_expires();
    assert_eq!(node.call().await.as_deref(), Some("StsUnavailable"));
    assert_eq!((node.call().await, relay.opened()), (None, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sts_that_refuses_or_drains_loses_no_call() {
    let node = &Node::start().await;
    let front = Front::of(&node.world, Role::StsServer, port(&node.sts)).await;
    node.reload(&node.sts, &through(&node.sts, front.port), "").await;
    refuses_and_drains(node, &front, "sts", async || node.token_expires()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_are_told_apart_from_bad_answers() {
    let node = &Node::start().await;
    node.reload(&node.sts, &format!("{}/wrong", node.sts), "").await;
    assert_eq!(node.call().await.as_deref(), Some("StsNotSoap"));
    node.reload(&node.index, &format!("{}/wrong", node.index), "").await;
    assert_eq!(node.call().await.as_deref(), Some("PeerAnswerInvalid"));
}

// ---- revocation lists ----

/// A server over plain HTTP that answers its first requests with these bytes, and no other.
async fn web(answers: &'static [&'static str]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = count.clone();
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                    let answer = answers.get(asked.fetch_add(1, Ordering::SeqCst)).unwrap_or(&"");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (address, asked)
}

fn fetcher(timeout: Duration) -> (Fetcher, OutboundSettings) {
    let settings = OutboundSettings::new(Vec::new());
    let shared = OutboundSettings { counts: settings.counts.clone(), ..OutboundSettings::new(Vec::new()) };
    (Fetcher::new(settings, timeout, 1 << 20).unwrap(), shared)
}

const LIST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlist";

#[tokio::test]
async fn a_forgotten_flow_to_the_source_of_a_list_costs_one_try() {
    let (address, asked) = web(&[LIST, "", LIST]).await;
    let uri = format!("http://localhost:{}/a.crl", address.port()).parse().unwrap();
    let (fetcher, counted) = fetcher(Duration::from_secs(5));
    assert_eq!(fetcher.get(&uri).await.unwrap(), b"list");
    let error = fetcher.get(&uri).await.unwrap_err().to_string();
    assert!(error.contains("no complete answer within 5 s"), "{error}");
    assert_eq!(fetcher.get(&uri).await.unwrap(), b"list");
    assert_eq!((asked.load(Ordering::SeqCst), counted.counts.opened()), (3, 2));
}

#[tokio::test]
async fn the_wrong_address_of_a_list_is_told_with_its_status_and_a_redirect_is_not_followed() {
    const GONE: &str = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nnone";
    const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: /b.crl\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";
    let (address, asked) = web(&[GONE, MOVED, LIST]).await;
    let uri = format!("http://localhost:{}/a.crl", address.port()).parse().unwrap();
    let (fetcher, _) = fetcher(Duration::from_secs(30));
    for says in ["the answer is HTTP 404 (text/html)", "the answer is HTTP 302, a redirect, which is never followed (text/html)"]
    {
        let error = fetcher.get(&uri).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
