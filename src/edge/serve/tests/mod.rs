//! Over real sockets: what a caller, honest or not, sees of the edge.

use std::sync::OnceLock;

use http_body_util::{BodyExt, Full};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::clock::Clock;
use crate::edge::http::plain_refusal;
use crate::edge::tls::{ALPN, Prepared, provider};
use crate::metrics::Metrics;
use crate::outbound::{Outbound, OutboundSettings};
use crate::refusal::Refusal;
use crate::signature::credentials::Credentials;
use crate::stub::pki::{DevPki, KeyBits, Role, for_tests};
use crate::trust::clients::ClientCertificate;

mod ends;
mod h2;
mod refused;
mod tls;

/// A running edge whose service answers with the length of what it got, after an optional wait.
struct Running {
    address: SocketAddr,
    readiness: Readiness,
    tls: Arc<ServerTls>,
    metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Drained>,
    /// A call to `/wait` is answered when this is notified.
    release: Arc<Notify>,
    /// Notified when a call to `/wait` has reached the service.
    arrived: Arc<Notify>,
}

async fn start(limits: EdgeLimits) -> Running {
    start_with(limits, Work::unbounded()).await
}

/// The same, within this work.
async fn start_with(limits: EdgeLimits, work: Work) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pki = for_tests();
    let server = pki.credentials(Role::GatewayServer).unwrap();
    let tls = Arc::new(ServerTls::new(Prepared::with_roots(server, &[pki.root().clone()], ClientCertificate::Optional).unwrap()));
    let (readiness, release, arrived) = (Readiness::new(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (stop, stopped) = oneshot::channel();
    let make = {
        let (release, arrived) = (release.clone(), arrived.clone());
        move |peer: Peer| {
            let (release, arrived) = (release.clone(), arrived.clone());
            tower::service_fn(move |request: Request<RequestBody>| {
                let (release, arrived, peer) = (release.clone(), arrived.clone(), peer.clone());
                async move {
                    match request.uri().path() {
                        "/wait" => {
                            arrived.notify_one();
                            release.notified().await;
                        }
                        "/unread" => return Ok(Response::new(Full::new(Bytes::from_static(b"not read")))),
                        "/large" => return Ok(Response::new(Full::new(Bytes::from(vec![b'x'; 16 << 20])))),
                        "/panic" => panic!("a fault of the service's own, made by the test"),
                        _ => {}
                    }
                    Ok::<_, Infallible>(match request.into_body().collect().await {
                        Ok(body) => {
                            let certificate = if !peer.chain().is_empty() { "certificate" } else { "anonymous" };
                            Response::new(Full::new(Bytes::from(format!("{} bytes, {certificate}", body.to_bytes().len()))))
                        }
                        Err(refusal) => plain_refusal(&refusal),
                    })
                }
            })
        }
    };
    let transport = Transport::Tls(tls.clone());
    let metrics = Arc::new(Metrics::new().unwrap());
    let refusals = Refusals::new("service", metrics.clone());
    let shutdown = async move {
        let _ = stopped.await;
    };
    let task = tokio::spawn(serve(listener, transport, limits, work, refusals, readiness.clone(), make, shutdown));
    Running { address, readiness, tls, metrics, stop: Some(stop), task, release, arrived }
}

impl Running {
    async fn connect(&self) -> TlsStream<TcpStream> {
        self.connect_as(None, &[b"http/1.1"]).await.unwrap()
    }

    async fn connect_as(&self, client: Option<&Credentials>, alpn: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
        self.over(TcpStream::connect(self.address).await?, client, alpn).await
    }

    /// TLS over a connection that is there.
    async fn over(&self, tcp: TcpStream, client: Option<&Credentials>, alpn: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(for_tests().root().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match client {
            Some(own) => builder.with_client_auth_cert(own.chain().to_vec(), own.key().clone_key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }

    /// Sends bytes on a fresh connection and reads until the server closes it.
    async fn raw(&self, bytes: &[u8]) -> String {
        exchange(&mut self.connect().await, bytes).await
    }

    fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }
}

/// Writes, then reads to the end; a reset after an answer counts as the end.
async fn exchange(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> String {
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await.expect("the server must end it");
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

fn small() -> EdgeLimits {
    EdgeLimits { request_bytes: 100, drain_delay: Duration::ZERO, ..EdgeLimits::default() }
}

/// A caller without a certificate, who asks as much as it likes.
fn local() -> Who {
    Who::Address([127, 0, 0, 1].into())
}

/// A second PKI, of another CA.
fn other_pki() -> &'static DevPki {
    static OTHER: OnceLock<DevPki> = OnceLock::new();
    OTHER.get_or_init(|| DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap())
}

// ---- TLS ----

#[tokio::test]
async fn a_client_without_a_certificate_is_let_in_and_seen_as_anonymous() {
    let edge = start(small()).await;
    assert!(edge.raw(&post("/", "hej")).await.ends_with("3 bytes, anonymous"));
}

#[tokio::test]
async fn a_client_certificate_signed_with_rsassa_pss_is_accepted() {
    let edge = start(small()).await;
    let client = for_tests().credentials(Role::Korsbaek).unwrap();
    let mut stream = edge.connect_as(Some(client), &[b"http/1.1"]).await.unwrap();
    assert!(exchange(&mut stream, &post("/", "")).await.ends_with("0 bytes, certificate"));
}

#[tokio::test]
async fn a_client_certificate_of_another_ca_is_refused() {
    let edge = start(small()).await;
    let stranger = other_pki().credentials(Role::Korsbaek).unwrap();
    // In TLS 1.3 the client learns of it when it first reads.
    let answer = match edge.connect_as(Some(stranger), &[b"http/1.1"]).await {
        Ok(mut stream) => exchange(&mut stream, &post("/", "hej")).await,
        Err(_) => String::new(),
    };
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_server_certificate_or_an_expired_one_does_not_serve_as_a_client_certificate() {
    let edge = start(small()).await;
    let now = Clock::system().now();
    let day = |days: i64| now + jiff::SignedDuration::from_hours(24 * days);
    let expired = for_tests()
        .issue(&crate::stub::pki::Leaf {
            common_name: "Udløbet".to_owned(),
            organization: "Korsbæk Kommune".to_owned(),
            cvr: "11111111".to_owned(),
            uuid: "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b10ff".to_owned(),
            usage: crate::stub::pki::Usage::System,
            not_before: day(-20),
            not_after: day(-10),
        })
        .unwrap();
    for client in [for_tests().credentials(Role::GatewayServer).unwrap(), &expired] {
        let answer = match edge.connect_as(Some(client), &[b"http/1.1"]).await {
            Ok(mut stream) => exchange(&mut stream, &post("/", "hej")).await,
            Err(_) => String::new(),
        };
        assert_eq!(answer, "", "{client:?}");
    }
}

#[tokio::test]
async fn tls_1_1_and_1_0_are_refused() {
    let edge = start(small()).await;
    let address = edge.address.to_string();
    for version in ["-tls1", "-tls1_1", "-tls1_2", "-tls1_3"] {
        let run = tokio::process::Command::new("openssl")
            // Security level 0 makes openssl itself willing to speak the old versions.
            .args(["s_client", "-connect", &address, version, "-cipher", "ALL:@SECLEVEL=0"])
            .stdin(std::process::Stdio::null())
            .output()
            .await;
        let Ok(output) = run else { return println!("NOT RUN: openssl is not installed") };
        let text = String::from_utf8_lossy(&output.stdout);
        let agreed = text.contains("BEGIN CERTIFICATE");
        assert_eq!(agreed, matches!(version, "-tls1_2" | "-tls1_3"), "{version}: {text}");
        if !agreed {
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(error.contains("alert"), "{version} must be refused by the server: {error}");
        }
    }
}

#[tokio::test]
async fn a_replaced_certificate_serves_the_next_connection_and_a_bad_one_cannot_be_prepared() {
    let edge = start(small()).await;
    let leaf = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let first = for_tests().credentials(Role::GatewayServer).unwrap();
    let second = for_tests().credentials(Role::IndexServer).unwrap();
    assert_eq!(&leaf(&edge.connect().await), first.leaf());
    edge.tls.replace(Prepared::with_roots(second, &[for_tests().root().clone()], ClientCertificate::Optional).unwrap());
    assert_eq!(&leaf(&edge.connect().await), second.leaf());
    assert!(Prepared::with_roots(first, &[], ClientCertificate::Optional).is_err(), "no roots");
}

#[tokio::test]
async fn no_session_is_resumed_past_the_verification_of_its_certificate() {
    let edge = start(small()).await;
    let config = edge.tls.current();
    assert_eq!(config.send_tls13_tickets, 0);
    assert!(!config.session_storage.can_cache());
    assert_eq!(config.max_early_data_size, 0);
    assert_eq!(config.alpn_protocols, ALPN);
}

// ---- HTTP/1.1: framing ----

#[tokio::test]
async fn a_request_with_two_framings_never_gets_two_answers() {
    let edge = start(small()).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let heads = [
        ("Content-Length and Transfer-Encoding", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
        ("the same, the other way round", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
        ("two different lengths", "Content-Length: 4\r\nContent-Length: 5\r\n"),
        ("a list of lengths", "Content-Length: 4, 5\r\n"),
        ("a signed length", "Content-Length: +4\r\n"),
        ("a length in hexadecimal", "Content-Length: 0x4\r\n"),
        ("an unknown coding", "Transfer-Encoding: gzip\r\n"),
        ("a coding after chunked", "Transfer-Encoding: chunked, identity\r\n"),
        ("a disguised coding", "Transfer-Encoding: xchunked\r\n"),
        ("a space before the colon", "Content-Length : 4\r\n"),
        ("a folded header", "Content-Length:\r\n 4\r\n"),
        ("a bare carriage return", "X: a\rContent-Length: 4\r\n"),
        ("a NUL", "X: a\0b\r\nContent-Length: 0\r\n"),
    ];
    for (name, head) in heads {
        let request = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{head}\r\n0\r\n\r\n{smuggled}");
        let mut stream = edge.connect().await;
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = vec![0; 4096];
        let read = timeout(Duration::from_secs(20), stream.read(&mut answer)).await;
        let length = read.map_or(0, Result::unwrap_or_default);
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        // RFC 9112, 6.1: Transfer-Encoding overrides Content-Length, and the connection is closed after the one answer.
        let overridden = head.contains("Content-Length: 4\r\n") && head.contains("Transfer-Encoding: chunked\r\n");
        assert!(answers(&text) <= 1, "{name}: {text}");
        assert_eq!(text.contains("200 OK"), overridden, "{name}: {text}");
        assert!(!overridden || text.contains("0 bytes"), "{name}: framed by its chunks: {text}");
        if length > 0 {
            let mut rest = Vec::new();
            let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("closed after a refusal");
            assert_eq!(answers(&String::from_utf8_lossy(&rest)), 0, "{name}: a second answer");
        }
    }
}

#[tokio::test]
async fn http2_in_the_clear_inside_http1_is_not_spoken() {
    let edge = start(small()).await;
    let text = edge.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!text.contains("200"), "{text}");
    let upgrade = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n";
    assert!(edge.raw(upgrade.as_bytes()).await.starts_with("HTTP/1.1 200"), "answered in the protocol agreed on");
}

// ---- bodies ----

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_its_length_declared_hidden_or_absent() {
    let edge = start(small()).await;
    let declared = edge.raw(&post("/", &"x".repeat(101))).await;
    assert!(declared.starts_with("HTTP/1.1 413") && declared.contains("BodyTooLarge"), "{declared}");

    let huge = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
    assert!(edge.raw(huge.as_bytes()).await.starts_with("HTTP/1.1 413"), "refused before the body is sent");

    let chunk = format!("40\r\n{}\r\n", "x".repeat(64));
    let chunked = format!("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(2));
    let mut stream = edge.connect().await;
    let _ = stream.write_all(chunked.as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");

    let endless = format!("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(9));
    assert!(edge.raw(endless.as_bytes()).await.starts_with("HTTP/1.1 413"), "without waiting for an end");
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_served() {
    let edge = start(small()).await;
    assert!(edge.raw(&post("/", &"x".repeat(100))).await.contains("100 bytes"));
}

#[tokio::test]
async fn a_body_that_stops_halfway_is_refused_in_time_or_when_cut() {
    let edge = start(EdgeLimits { body_timeout: Duration::from_millis(300), ..small() }).await;
    let half = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 50\r\n\r\nhalf";
    let began = Instant::now();
    let text = edge.raw(half.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

// ---- heads ----

#[tokio::test]
async fn a_head_that_drips_is_closed_when_its_time_is_up() {
    let edge = start(EdgeLimits { header_timeout: Duration::from_millis(500), ..small() }).await;
    let began = Instant::now();
    let mut stream = edge.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    let answered = async {
        loop {
            let mut begun = [0; 12];
            tokio::select! {
                read = stream.read(&mut begun) => break (read.unwrap(), begun),
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
            let _ = stream.write_all(b"X-Drip: 1\r\n").await;
        }
    };
    let answer = timeout(Duration::from_secs(60), answered).await.expect("a steady drip must not keep the connection");
    assert_eq!(answer, (12, *b"HTTP/1.1 408"));
    assert!(began.elapsed() >= Duration::from_millis(400), "an honest client has its time");
    assert_eq!(exchange(&mut stream, b"").await.matches("BodyTimeout").count(), 1, "it can read why, and that is the end");
}

#[tokio::test]
async fn a_silent_client_is_closed_in_the_handshake_and_after_it() {
    let edge =
        start(EdgeLimits { handshake_timeout: Duration::from_secs(1), idle_timeout: Duration::from_secs(1), ..small() }).await;
    let mut before = TcpStream::connect(edge.address).await.unwrap();
    let mut after = edge.connect().await;
    let mut bytes = Vec::new();
    let _ = timeout(Duration::from_secs(60), before.read_to_end(&mut bytes)).await.expect("closed in the handshake");
    let _ = timeout(Duration::from_secs(60), after.read_to_end(&mut bytes)).await.expect("closed when idle");
}

#[tokio::test]
async fn an_answer_that_is_not_fetched_is_cut_over_both_protocols() {
    let edge = start(EdgeLimits { idle_timeout: Duration::from_secs(1), ..small() }).await;
    let mut unread = edge.connect().await;
    unread.write_all(&post("/large", "")).await.unwrap();
    let mut sender = h2(&edge).await;
    let answer = sender.send_request(h2_post("/large", b"")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;

    let mut text = Vec::new();
    let _ = unread.read_to_end(&mut text).await;
    assert!(text.starts_with(b"HTTP/1.1 200") && text.len() < 16 << 20, "cut after {} bytes", text.len());
    assert!(answer.into_body().collect().await.is_err());
}

#[tokio::test]
async fn an_idle_connection_is_used_again_within_the_idle_timeout_though_the_header_timeout_is_shorter() {
    let edge = start(EdgeLimits { header_timeout: Duration::from_millis(100), ..small() }).await;
    let mut stream = edge.connect().await;
    for _ in 0..2 {
        stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        let mut buffer = [0; 1024];
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn a_head_too_large_or_with_too_many_fields_is_refused() {
    let edge = start(small()).await;
    let large = format!("POST / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100));
    for (name, request) in [("large", large), ("many", many)] {
        let text = edge.raw(request.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{name}: {text}");
    }
}

// ---- places ----

#[tokio::test]
async fn a_call_too_many_is_answered_503_at_once_while_the_earlier_one_is_served() {
    let edge = start(EdgeLimits { concurrent_requests: 1, ..small() }).await;
    let mut first = edge.connect().await;
    first.write_all(&post("/wait", "")).await.unwrap();
    edge.arrived.notified().await;

    // The first is not released until after this answer: that it comes at all shows that it did not wait for a place.
    let second = edge.raw(&post("/", "hej")).await;
    assert!(second.starts_with("HTTP/1.1 503") && second.contains("retry-after: 1\r\n"), "{second}");
    assert!(second.contains("Overloaded") && second.contains(&Refusal::Overloaded { seconds: 1 }.entry().da.what), "{second}");

    edge.release.notify_one();
    assert!(exchange(&mut first, b"").await.contains("200 OK"), "the earlier call is served");
    assert!(edge.raw(&post("/", "hej")).await.contains("200 OK"), "its place is free again");
}

#[tokio::test]
async fn a_call_for_which_there_is_no_room_is_refused_unread_and_its_connection_kept() {
    let work = Work::new(1, 1);
    let edge = start_with(small(), work.clone()).await;
    let mut stream = edge.connect().await;
    let mut ask = async |end: &str| {
        stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nhej").await.unwrap();
        let mut text = String::new();
        while !text.ends_with(end) {
            let mut piece = [0; 4096];
            let read = timeout(Duration::from_secs(60), stream.read(&mut piece)).await.expect("at once").unwrap();
            assert!(read > 0, "the connection is kept: {text}");
            text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        text
    };
    assert!(ask("3 bytes, anonymous").await.starts_with("HTTP/1.1 200"));
    // The one place is taken, for as long as no burst takes.
    let place = work.enter(local()).await.unwrap();
    while work.has_room(local()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = ask("\n").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1\r\n"), "{refused}");
    assert!(refused.contains("Overloaded"), "{refused}");
    drop(place);
    assert!(ask("3 bytes, anonymous").await.starts_with("HTTP/1.1 200"), "and served as soon as there is room");
}

#[tokio::test]
async fn beside_a_caller_who_asks_too_much_one_with_another_certificate_is_served() {
    let work = Work::new(1, 1);
    let edge = start_with(small(), work.clone()).await;
    let [busy, other] = [Role::Korsbaek, Role::GatewayClient].map(|role| for_tests().credentials(role).unwrap());
    let who = Who::Certificate(thumbprint(busy.leaf()));
    let place = work.enter(who).await.unwrap();
    while work.has_room(who) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = async |own: &Credentials| {
        let mut stream = edge.connect_as(Some(own), &[b"http/1.1"]).await.unwrap();
        exchange(&mut stream, &post("/", "hej")).await.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(status(busy).await, "503");
    assert_eq!(status(other).await, "200");
    assert_eq!(status(busy).await, "503");
    drop(place);
    assert_eq!(status(busy).await, "200");
}

#[tokio::test]
async fn one_caller_cannot_hold_every_connection() {
    let edge = start(EdgeLimits { connections: 5, ..small() }).await;
    let [greedy, other] = [Role::Korsbaek, Role::GatewayClient].map(|role| for_tests().credentials(role).unwrap());
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = edge.connect_as(Some(greedy), &[b"http/1.1"]).await.unwrap();
        assert!(pooled_once(&mut stream, "certificate").await.contains("200 OK"));
        held.push(stream);
    }
    let mut fifth = edge.connect_as(Some(greedy), &[b"http/1.1"]).await.unwrap();
    assert_eq!(exchange(&mut fifth, &post("/", "hej")).await, "", "four fifths is all it gets");
    edge.counts(Cause::TooManyConnections).await;
    let another = async {
        // The place of the fifth is free again in a moment.
        while edge.connect_as(Some(other), &[b"http/1.1"]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), another).await.expect("there is one for another");
}

#[tokio::test]
async fn a_connection_too_many_is_closed_at_once() {
    let edge = start(EdgeLimits { connections: 1, ..small() }).await;
    let first = edge.connect().await;
    let second = timeout(Duration::from_secs(3), edge.connect_as(None, &[b"http/1.1"])).await.expect("at once");
    assert!(second.is_err());
    drop(first);
    let again = async {
        while edge.connect_as(None, &[b"http/1.1"]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), again).await.expect("the place is free again");
}

#[tokio::test]
async fn a_panic_in_one_request_leaves_the_others_served() {
    let edge = start(small()).await;
    assert_eq!(edge.raw(&post("/panic", "")).await, "");
    assert!(edge.raw(&post("/", "hej")).await.contains("200 OK"));
}

// ---- draining ----

#[tokio::test]
async fn draining_finishes_calls_under_way_and_takes_no_new_ones() {
    let mut edge = start(small()).await;
    let mut under_way = edge.connect().await;
    under_way.write_all(b"POST /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    edge.arrived.notified().await;
    let mut idle = edge.connect().await;
    assert!(edge.readiness.is_ready());

    edge.stop();
    assert_eq!(exchange(&mut idle, b"").await, "", "an idle connection is let go");
    assert!(!edge.readiness.is_ready());
    assert!(TcpStream::connect(edge.address).await.is_err(), "nobody listens any more");

    edge.release.notify_one();
    let answer = exchange(&mut under_way, b"").await;
    assert!(answer.contains("200 OK") && answer.contains("connection: close"), "{answer}");
    assert_eq!(edge.task.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_call_that_outlasts_the_drain_is_cut_and_counted() {
    let mut edge = start(EdgeLimits { drain_timeout: Duration::from_millis(200), ..small() }).await;
    let mut under_way = edge.connect().await;
    under_way.write_all(&post("/wait", "")).await.unwrap();
    edge.arrived.notified().await;
    edge.stop();
    assert_eq!(edge.task.await.unwrap(), Drained { cut: 1 });
}

/// Longer than any test takes: what happens happens before it is over.
const A_WHILE: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_listener_that_leaves_serves_who_is_connected_and_who_comes_and_sends_them_elsewhere_by_its_answers() {
    let mut edge = start(EdgeLimits { drain_delay: A_WHILE, ..small() }).await;
    let call = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nhej";
    let (mut idle, mut steady) = (edge.connect().await, h2(&edge).await);
    assert_eq!(steady.send_request(h2_post("/", b"hej")).await.unwrap().status(), 200);
    edge.stop();
    while edge.readiness.is_ready() {
        tokio::task::yield_now().await;
    }
    for (name, stream) in [("that stood idle", &mut idle), ("that comes", &mut edge.connect().await)] {
        let answer = exchange(stream, call).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "a connection {name}: {answer}");
    }
    // GOAWAY: a client learns that it must open another connection before it sends a request.
    while !steady.is_closed() {
        tokio::task::yield_now().await;
    }
    let mut newcomer = h2(&edge).await;
    assert_eq!(newcomer.send_request(h2_post("/", b"hej")).await.unwrap().status(), 200, "HTTP/2 that comes");
}

#[tokio::test]
async fn a_listener_closes_its_port_and_what_is_idle_when_its_time_is_up() {
    let mut edge = start(EdgeLimits { drain_delay: Duration::from_millis(200), ..small() }).await;
    let mut idle = edge.connect().await;
    assert!(pooled_once(&mut idle, "anonymous").await.contains("200 OK"));
    edge.stop();
    assert_eq!(exchange(&mut idle, b"").await, "");
    assert_eq!(edge.task.await.unwrap(), Drained { cut: 0 });
    assert!(TcpStream::connect(edge.address).await.is_err(), "nobody listens any more");
}

/// One call, after which the connection stands open.
async fn pooled_once(stream: &mut TlsStream<TcpStream>, seen_as: &str) -> String {
    stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nhej").await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with(&format!("3 bytes, {seen_as}")) {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "{answer}");
        answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    answer
}

#[tokio::test]
async fn who_was_connected_by_the_kernel_when_the_port_closed_is_served() {
    for _ in 0..8 {
        let mut edge = start(small()).await;
        // One thread runs everything here: the listener sees all of these and the order to stop in one moment.
        let connected: Vec<_> = (0..4).map(|_| std::net::TcpStream::connect(edge.address).unwrap()).collect();
        edge.stop();
        for stream in connected {
            stream.set_nonblocking(true).unwrap();
            let mut stream = edge.over(TcpStream::from_std(stream).unwrap(), None, &[b"http/1.1"]).await.unwrap();
            let answer = exchange(&mut stream, &post("/", "hej")).await;
            assert!(answer.contains("200 OK") && answer.contains("connection: close"), "{answer}");
        }
        assert_eq!(edge.task.await.unwrap(), Drained { cut: 0 });
    }
}

// ---- HTTP/2 ----

async fn h2(edge: &Running) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
    let stream = edge.connect_as(None, &[b"h2"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn h2_post(path: &str, body: &'static [u8]) -> Request<Full<Bytes>> {
    Request::post(format!("https://localhost{path}")).body(Full::new(Bytes::from_static(body))).unwrap()
}

#[tokio::test]
async fn http2_is_served_within_the_same_limits() {
    let edge = start(EdgeLimits { concurrent_requests: 1, ..small() }).await;
    let mut sender = h2(&edge).await;
    let answer = sender.send_request(h2_post("/", b"hej")).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "3 bytes, anonymous");
    let too_large = sender.send_request(h2_post("/", &[b'x'; 101])).await.unwrap();
    assert_eq!(too_large.status(), 413);

    let waiting = tokio::spawn(sender.send_request(h2_post("/wait", b"")));
    edge.arrived.notified().await;
    let refused = sender.send_request(h2_post("/", b"")).await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    edge.release.notify_one();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn http2_heads_over_the_limit_are_refused() {
    let edge = start(small()).await;
    let mut sender = h2(&edge).await;
    let mut request = h2_post("/", b"");
    request.headers_mut().insert("x", "x".repeat(20_000).parse().unwrap());
    let refused = sender.send_request(request).await;
    assert!(refused.is_err() || refused.is_ok_and(|answer| answer.status() == 431));
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [length.as_slice(), &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn a_flood_of_reset_streams_ends_its_connection_and_no_other() {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    let edge = start(small()).await;
    let mut steady = h2(&edge).await;
    let mut flooding = edge.connect_as(None, &[b"h2"]).await.unwrap();

    // `POST https://localhost/` from HPACK's static table, begun and cancelled a hundred times in one write (CVE-2023-44487).
    let head = [&[0x83, 0x87, 0x84, 0x41, 9], b"localhost".as_slice()].concat();
    let mut flood = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
    for stream in (1..200).step_by(2) {
        flood.extend(frame(HEADERS, 0x4, stream, &head));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    flooding.write_all(&flood).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(60), flooding.read_to_end(&mut answer)).await.expect("the server must end it");
    let mut kinds = Vec::new();
    let mut rest = answer.as_slice();
    while let [a, b, c, kind, _, _, _, _, _, payload @ ..] = rest {
        kinds.push(*kind);
        rest = payload.get(u32::from_be_bytes([0, *a, *b, *c]) as usize..).unwrap_or_default();
    }
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");

    assert_eq!(steady.send_request(h2_post("/", b"")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_call_abandoned_by_its_client_gives_its_place_back() {
    let edge = start(EdgeLimits { concurrent_requests: 1, ..small() }).await;
    let mut stream = edge.connect().await;
    stream.write_all(&post("/wait", "")).await.unwrap();
    edge.arrived.notified().await;
    drop(stream);
    let free = async {
        while !edge.raw(&post("/", "")).await.contains("200 OK") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), free).await.expect("the place is free again");
}

/// The edge as the peer of the gateway's own client, which has its other tests in `outbound`.
#[tokio::test]
async fn the_outbound_client_speaks_http2_and_shows_its_certificate_where_one_is_demanded() {
    let edge = start(small()).await;
    let pki = for_tests();
    let server = pki.credentials(Role::GatewayServer).unwrap();
    edge.tls.replace(Prepared::with_roots(server, &[pki.root().clone()], ClientCertificate::Required).unwrap());
    assert_eq!(edge.raw(&post("/", "")).await, "", "without a certificate there is no answer");

    let outbound = Outbound::new(OutboundSettings {
        credentials: Some(pki.credentials(Role::GatewayClient).unwrap().clone()),
        connect_timeout: Duration::from_secs(60),
        ..OutboundSettings::new(vec![pki.root().clone()])
    });
    let uri = format!("https://localhost:{}/", edge.address.port()).parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let answer = outbound.unwrap().post(&uri, http::HeaderMap::new(), Bytes::from_static(b"hej"), deadline).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "3 bytes, certificate");
}

#[tokio::test]
async fn plain_refusals_carry_code_and_both_languages() {
    let response = plain_refusal(&Refusal::BodyTimeout { seconds: 15 });
    assert_eq!(response.status(), 408);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text);
    for part in ["BodyTimeout", "ikke modtaget efter 15 sekunder", "had not arrived after 15 seconds"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
