//! The world that is attacked: one for all tests, its clock held by hand, and one test in it at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hjemmel::cli::call::words::Said;
use hjemmel::cli::demo::world::{Options, World};
use hjemmel::clock::Clock;
use hjemmel::outbound::{Outbound, OutboundSettings};
use hjemmel::signature::credentials::Credentials;
use hjemmel::stub::pki::Role;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::client::TlsStream;

use crate::faults::Log;
use crate::forge::{self, Group};
/// The content type of the token binding.
pub const SOAP12: &str = "application/soap+xml; charset=utf-8";
/// The content type of the AuthorityContext binding.
pub const SOAP11: &str = "text/xml; charset=utf-8";

static CLOCK: AtomicI64 = AtomicI64::new(0);

/// The world's time.
pub fn now() -> Timestamp {
    started();
    Timestamp::from_second(CLOCK.load(Ordering::SeqCst)).unwrap()
}

/// What is known of the world from its start on.
pub struct Started {
    arena: Mutex<Arena>,
    pub credentials: BTreeMap<Role, Credentials>,
    pub service: String,
    pub log: Log,
}

/// The world, for one test at a time.
pub struct Arena {
    pub world: World,
    pub runtime: Runtime,
    anonymous: Outbound,
    _dir: TempDir,
}

static STARTED: LazyLock<Started> = LazyLock::new(|| {
    let log = Log::listen();
    let begin = Clock::system().now().as_second();
    CLOCK.store(begin, Ordering::SeqCst);
    let clock = Clock::from_fn(|| Timestamp::from_second(CLOCK.load(Ordering::SeqCst)).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    // Limits that a test can wait for; none is so short that an honest call meets it on a slow machine.
    let extra = "\n[limits]\nbody_timeout = \"2s\"\nheader_timeout = \"2s\"\n\
                 [store]\npatience = \"60s\"\nstatement_timeout = \"60s\"\n[sts]\nconnect_timeout = \"60s\"\n[peer.ydelsesindeks]\nconnect_timeout = \"60s\"\n"
        .to_owned();
    let options = Options { dir: dir.path().to_owned(), port: 0, seed: 1, persons: 50, clock, extra, pki: None };
    let world = runtime.block_on(World::start(options)).unwrap();
    // An hour later: what was created before the start is refused for that alone, and is no test of anything else.
    CLOCK.store(begin + 3600, Ordering::SeqCst);
    let credentials = Role::ALL.iter().map(|role| (*role, world.pki.credentials(*role).unwrap().clone())).collect();
    let service = world.service.to_string();
    let anonymous = runtime.block_on(async { outbound(&world, None) });
    Started { arena: Mutex::new(Arena { world, runtime, anonymous, _dir: dir }), credentials, service, log }
});

/// The world, started where it is not yet.
pub fn started() -> &'static Started {
    &STARTED
}

/// The world, for the test that holds it.
pub fn arena() -> MutexGuard<'static, Arena> {
    started().arena.lock().unwrap_or_else(PoisonError::into_inner)
}

fn outbound(world: &World, credentials: Option<Credentials>) -> Outbound {
    Outbound::new(OutboundSettings { credentials, ..OutboundSettings::new(vec![world.pki.root().clone()]) }).unwrap()
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The code of the fault, or `StatusKode NN` of an answer.
    pub code: String,
    pub text: String,
}

impl Answer {
    pub fn read(status: u16, body: &Bytes) -> Self {
        let code = match Said::read(body) {
            Said::Fault { code, .. } => code,
            Said::Answer { status, lines } => format!("StatusKode {status} with {}", lines.len()),
            Said::Unknown(_) => String::new(),
        };
        Self { status, code, text: String::from_utf8_lossy(body).into_owned() }
    }

    /// Whether it is an answer with benefits in it.
    pub fn is_served(&self) -> bool {
        self.status == 200 && self.code.starts_with("StatusKode 20")
    }
}

impl Arena {
    /// How many requests have reached the index.
    pub fn reached(&self) -> u64 {
        self.world.received.get().count
    }

    /// The last request that reached it.
    pub fn last_reached(&self) -> String {
        String::from_utf8_lossy(&self.world.received.get().last).into_owned()
    }

    /// A client with a certificate of its own (or none).
    pub fn client(&self, credentials: Option<Credentials>) -> Outbound {
        outbound(&self.world, credentials)
    }

    /// Posts with exactly these headers; the future lives by itself, so that several can race.
    pub fn post(
        &self,
        client: &Outbound,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> impl Future<Output = Result<Answer, String>> + Send + 'static {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let (client, service) = (client.clone(), self.world.service.clone());
        async move {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
            let sent = client.post(&service, map, Bytes::from(body), deadline).await;
            let (head, body) = sent.map_err(|error| error.to_string())?.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(Answer::read(head.status.as_u16(), &body))
        }
    }

    /// What the admin listener shows at `/metrics`, with the head.
    pub async fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.world.admin).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// A connection of HTTP/1.1 over TLS, to write bytes on.
    pub async fn connect(&self) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.world.pki.root().clone()).unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(hjemmel::edge::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tcp = TcpStream::connect(("127.0.0.1", self.world.service.port_u16().unwrap())).await.unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), tcp).await.unwrap()
    }

    /// Sends bytes on a fresh connection and reads until the gateway closes it, or for as long as a smuggled request
    /// would need to be answered.
    pub fn raw(&self, bytes: &[u8]) -> String {
        self.runtime.block_on(async {
            let mut stream = self.connect().await;
            // The gateway may close while the rest is still being written.
            let _ = stream.write_all(bytes).await;
            // The first byte is waited for; after it, what comes without four seconds of silence.
            let (mut answer, mut patience) = (Vec::new(), Duration::from_secs(60));
            while let Ok(Ok(1..)) = tokio::time::timeout(patience, stream.read_buf(&mut answer)).await {
                patience = Duration::from_secs(4);
            }
            String::from_utf8_lossy(&answer).into_owned()
        })
    }

    /// Posts without a client certificate, and waits.
    pub fn send_as(&self, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        self.runtime.block_on(self.post(&self.anonymous, headers, body.into())).unwrap()
    }

    /// Sends a message of the token binding.
    pub fn send(&self, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let old = body.starts_with(format!("<soap:Envelope xmlns:soap=\"{}\"", hjemmel::soap::names::SOAP11).as_bytes());
        self.send_as(&[("content-type", if old { SOAP11 } else { SOAP12 })], body)
    }

    /// The gateway still does what it is for: a good call is served, and goes to the index.
    pub fn serves(&self) {
        let before = self.reached();
        let answer = self.send(forge::request());
        assert!(answer.is_served(), "a good call is served: {} {} {}", answer.status, answer.code, answer.text);
        assert_eq!(self.reached(), before + 1);
    }

    /// Nothing of what `attack` sends reaches the index, and afterwards a good call is served.
    pub fn nothing_passes(&self, attack: impl FnOnce(&Self)) {
        let before = self.reached();
        attack(self);
        assert_eq!(self.reached(), before, "something reached the index");
        self.serves();
    }

    /// Every message of the table is refused, with one of its codes and SOAP's status for a caller's fault.
    pub fn all_refused(&self, groups: Vec<Group>) {
        self.nothing_passes(|arena| {
            let mut wrong = Vec::new();
            let cases = groups.into_iter().flat_map(|group| {
                println!("row {}: {} messages: {}", group.row, group.cases.len(), group.sentence);
                let row = group.row;
                group.cases.into_iter().map(move |case| (row, case))
            });
            for (row, (reason, message, codes)) in cases {
                let before = arena.reached();
                let answer = arena.send(message);
                if !codes.contains(&answer.code.as_str()) || answer.status != 500 || arena.reached() != before {
                    let text: String =
                        answer.text.chars().skip(answer.text.rfind("<spf:ErrorText").unwrap_or(0)).take(160).collect();
                    wrong.push(format!(
                        "row {row}: {reason}: HTTP {} {} instead of {codes:?}: {text}",
                        answer.status, answer.code
                    ));
                }
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        });
    }

    /// Moves the world's clock.
    pub fn wait(&self, duration: SignedDuration) {
        CLOCK.fetch_add(duration.as_secs(), Ordering::SeqCst);
    }
}

/// The header that names the operation in SOAP 1.2, as `Content-Type`.
pub fn with_action(action: &str) -> String {
    format!("{SOAP12}; action=\"{action}\"")
}
