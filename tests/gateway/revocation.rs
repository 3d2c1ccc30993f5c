//! Revocation: lists fetched over HTTP, stapled OCSP responses, and every trust domain that asks for them. A world of its own
//! for each over real TLS, a real HTTP server for the lists, and lists that the world's own CA signs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hjemmel::cli::call::client::Client;
use hjemmel::cli::call::question::Question;
use hjemmel::cli::demo::scenes::{Scene, play};
use hjemmel::cli::demo::world::{World, merge};
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::outbound::{Outbound, OutboundSettings};
use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::{DevPki, KeyBits, ListKind, OcspStatus, Role};
use hjemmel::stub::population::{KORSBAEK, demo};
use jiff::{SignedDuration, Timestamp};

use crate::not_run::did_not_run;
use crate::process::comes_to;
use crate::stage::options;

/// What the authority's web server does.
#[derive(Clone)]
enum Web {
    /// Answers these bytes.
    Gives(Vec<u8>),
    /// Answers this head, and these bytes after it.
    Answers(&'static str, Vec<u8>),
    /// Takes the request and says nothing.
    Stalls,
    /// Hangs up.
    HangsUp,
}

struct WebServer {
    address: SocketAddr,
    does: Arc<Mutex<Web>>,
    asked: Arc<AtomicU64>,
}

impl WebServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Self { address: listener.local_addr().unwrap(), does: Arc::new(Mutex::new(Web::HangsUp)), asked: Arc::default() };
        let (does, asked) = (server.does.clone(), server.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, web) = (stream.unwrap(), does.lock().unwrap().clone());
                asked.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let (head, body) = match web {
                        Web::Gives(body) => ("HTTP/1.1 200 OK\r\n", body),
                        Web::Answers(head, body) => (head, body),
                        // Until the other side hangs up.
                        Web::Stalls => return drop(stream.read_to_end(&mut Vec::new())),
                        Web::HangsUp => return,
                    };
                    let _ = stream.read(&mut [0; 4096]);
                    let length = body.len();
                    let _ = write!(stream, "{head}content-length: {length}\r\nconnection: close\r\n\r\n");
                    let _ = stream.write_all(&body);
                });
            }
        });
        server
    }

    fn does(&self, web: Web) {
        *self.does.lock().unwrap() = web;
    }

    fn uri(&self) -> String {
        format!("http://{}/issuing.crl", self.address)
    }
}

struct Node {
    world: World,
    original: String,
    web: WebServer,
    began: Timestamp,
    dir: tempfile::TempDir,
}

const EVERY_SECOND: &str = "interval = \"1s\"\nrefresh = \"1s\"\ntimeout = \"1s\"\nlist_bytes = 20000\ncache = \"crls\"";

impl Node {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let began = clock.now();
        let world = World::start(options(dir.path(), clock, "")).await.unwrap();
        std::fs::create_dir(dir.path().join("crls")).unwrap();
        let original = std::fs::read_to_string(dir.path().join("hjemmel.toml")).unwrap();
        Self { world, original, web: WebServer::start(), began, dir }
    }

    /// A list of clients is in force, which names the intruder alone.
    async fn with_a_list() -> Self {
        let node = Self::start().await;
        node.web.does(Web::Gives(node.list(&[Role::Intruder])));
        node.reload(&node.clients("")).await.unwrap();
        node
    }

    /// Reloads the original configuration with these settings over it.
    async fn reload(&self, over: &str) -> Result<(), String> {
        self.write("hjemmel.toml", self.with(over));
        self.world.reload().await.map_err(|error| error.to_string())
    }

    fn with(&self, over: &str) -> String {
        let mut settings: toml::Table = self.original.parse().unwrap();
        merge(&mut settings, over.parse().unwrap());
        settings.to_string()
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.world.dir.join(file), content).unwrap();
    }

    /// The clients' list, from the web server.
    fn clients(&self, more: &str) -> String {
        format!(
            "[listen]\nclient_roots = [\"pki/root.pem\", \"pki/issuing.pem\"]\ncrls = [\"{}\"]\n[revocation]\n{EVERY_SECOND}\n{more}",
            self.web.uri()
        )
    }

    /// A list of now, which holds for a day.
    fn list(&self, revoked: &[Role]) -> Vec<u8> {
        self.list_until(revoked, self.began + SignedDuration::from_hours(24))
    }

    fn list_until(&self, revoked: &[Role], until: Timestamp) -> Vec<u8> {
        let certificates: Vec<_> = revoked.iter().map(|role| self.world.pki.credentials(*role).unwrap().leaf()).collect();
        let began = self.began.min(until - SignedDuration::from_secs(1));
        self.world.pki.revocation_list(&certificates, began, until).unwrap()
    }

    async fn plays(&self, scene: Scene) -> Option<String> {
        play(&self.world, scene).await.unwrap().record.refusal
    }

    fn client(&self, role: Role) -> Client {
        self.world.client(Some(role)).unwrap()
    }

    /// A call over the AuthorityContext binding: the refusal where there is one, an error where there is no connection.
    async fn calls(&self, client: &Client) -> Result<Option<String>, String> {
        let question = Question::about(Cpr::parse(demo::UDK_ONLY).unwrap());
        let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), &question.input());
        client.send(Version::V11, message).await.map_err(|error| error.to_string())?;
        Ok(self.world.records.recv_timeout(Duration::from_secs(60)).unwrap().refusal)
    }

    async fn metric(&self, name: &str) -> f64 {
        let text = tokio::task::block_in_place(|| scrape(self.world.admin));
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until a metric is as it should be.
    async fn until(&self, name: &str, holds: impl Fn(f64) -> bool) {
        comes_to(name, async || holds(self.metric(name).await)).await;
    }

    /// Has the web server do this until the gateway has taken the list from it.
    async fn gives(&self, list: Vec<u8>) {
        self.web.does(Web::Gives(list));
        // What was on the wire when the list changed may be the one before: the next is surely this one.
        for _ in 0..2 {
            let before = self.metric(FETCHED).await;
            self.until(FETCHED, |at| at > before).await;
        }
    }
}

const FETCHED: &str = "hjemmel_crl_fetched_timestamp_seconds{name=\"listen.crls.0/issuing.crl\"}";
const FAILURES: &str = "hjemmel_crl_failures_in_a_row{name=\"listen.crls.0/issuing.crl\"}";
const NEXT_UPDATE: &str = "hjemmel_crl_next_update_timestamp_seconds{name=\"listen.crls.0/issuing.crl\"}";

fn scrape(admin: SocketAddr) -> String {
    let Ok(mut stream) = TcpStream::connect(admin) else { return String::new() };
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_never_there_is_refused_at_a_reload() {
    let node = &Node::start().await;
    let error = node.reload(&node.clients("")).await.unwrap_err();
    assert!(error.contains("issuing.crl cannot be fetched"), "{error}");
    for uri in ["ftp://127.0.0.1/x.crl", "http://", "http://user:secret@127.0.0.1/x.crl"] {
        let error = node.reload(&format!("[listen]\ncrls = [\"{uri}\"]")).await.unwrap_err();
        assert!(error.contains("neither http nor https, or has a password"), "{uri}: {error}");
    }
    let https = node.web.uri().replace("http", "https");
    let error = node.reload(&format!("[listen]\ncrls = [\"{https}\"]")).await.unwrap_err();
    assert!(error.contains("revocation.roots names no CA"), "{error}");
    // Everything of before is in force.
    assert_eq!(node.calls(&node.client(Role::Korsbaek)).await, Ok(None));
    assert_eq!(node.plays(Scene::Municipality).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_revoked_is_refused_within_a_refresh() {
    let node = &Node::start().await;
    node.web.does(Web::Gives(node.list(&[Role::Intruder])));
    node.reload(&node.clients("")).await.unwrap();
    let client = node.client(Role::Korsbaek);
    assert_eq!(node.calls(&client).await, Ok(None));
    assert!(node.calls(&node.client(Role::Intruder)).await.is_err());

    node.gives(node.list(&[Role::Intruder, Role::Korsbaek])).await;
    assert_eq!(node.calls(&client).await, Ok(Some("ClientCertificateInvalid".to_owned())), "a connection older than the list");
    assert!(node.calls(&node.client(Role::Korsbaek)).await.is_err(), "a new connection");
    assert_eq!(node.plays(Scene::Municipality).await.as_deref(), Some("HolderOfKey"));

    // The web server is not believed for itself: only the CA can take the revocation back.
    node.gives(node.list(&[Role::Intruder])).await;
    assert_eq!(node.calls(&client).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_believed_leaves_the_list_in_force() {
    let node = &Node::with_a_list().await;
    let day = SignedDuration::from_hours(24);
    let (began, until) = (node.began, node.began + day);
    let empty = node.list(&[]);
    let mut forged = empty.clone();
    *forged.last_mut().unwrap() ^= 1;
    let other = DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap();
    let of_kind = |kind| node.world.pki.revocation_list_of(kind, &[], began, until).unwrap();
    let of_time = |from, until| node.world.pki.revocation_list(&[], from, until).unwrap();
    // Each would bring the intruder's certificate back to life.
    for (reason, web) in [
        ("changed on the way", Web::Gives(forged)),
        ("signed by another CA of the same name", Web::Gives(other.revocation_list(&[], began, until).unwrap())),
        ("of what changed alone", Web::Gives(of_kind(ListKind::Delta))),
        ("of other authorities' certificates", Web::Gives(of_kind(ListKind::Indirect))),
        ("older than the one in force", Web::Gives(of_time(began - day, until))),
        ("of the future", Web::Gives(of_time(began + day, until + day))),
        ("larger than the limit", Web::Gives([empty.clone(), vec![0; 20_000]].concat())),
        ("endless", Web::Answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n", b"fffffff\r\n".repeat(10_000))),
        ("not a list", Web::Gives(b"<html>Log in to the hotel's network</html>".to_vec())),
        ("nothing", Web::Gives(Vec::new())),
        ("half of it", Web::Gives(empty[..empty.len() / 2].to_vec())),
        ("an error with a list", Web::Answers("HTTP/1.1 500 Oh\r\n", empty.clone())),
        ("elsewhere", Web::Answers("HTTP/1.1 302 Found\r\nlocation: http://localhost/\r\n", empty.clone())),
        ("coded", Web::Answers("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n", empty.clone())),
        ("not HTTP", Web::Answers("SSH-2.0\r\n", empty.clone())),
        ("too slow", Web::Stalls),
        ("gone", Web::HangsUp),
    ] {
        node.web.does(web);
        node.until(FAILURES, |failures| failures >= 1.0).await;
        assert!(node.calls(&node.client(Role::Intruder)).await.is_err(), "{reason}");
        assert_eq!(node.calls(&node.client(Role::Korsbaek)).await, Ok(None), "{reason}");
        node.web.does(Web::Gives(node.list(&[Role::Intruder])));
        node.until(FAILURES, |failures| failures == 0.0).await;
    }
    // It is of another scope, so it does not take the place of the list that speaks for clients: that one stays to its end.
    node.gives(of_kind(ListKind::AuthoritiesAlone)).await;
    assert!(node.calls(&node.client(Role::Intruder)).await.is_err());
    assert_eq!(node.calls(&node.client(Role::Korsbaek)).await, Ok(None));
    // In its own scope no client's certificate lies: where it alone was ever seen, it speaks for nobody.
    node.reload(&node.clients("").replace("/issuing.crl", "/authorities.crl")).await.unwrap();
    assert!(node.calls(&node.client(Role::Korsbaek)).await.is_err());
    assert_eq!(node.plays(Scene::Municipality).await.as_deref(), Some("HolderOfKey"));
    node.web.does(Web::Gives(node.list(&[Role::Intruder])));
    node.reload(&node.clients("")).await.unwrap();
    node.gives(node.list(&[Role::Intruder])).await;
    assert_eq!(node.calls(&node.client(Role::Korsbaek)).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_gone_leaves_its_list_until_its_end_and_no_longer() {
    let node = &Node::with_a_list().await;
    let end = Clock::system().now() + SignedDuration::from_secs(20);
    node.gives(node.list_until(&[Role::Intruder], end)).await;
    assert!((node.metric(NEXT_UPDATE).await - end.as_second() as f64).abs() < 2.0);
    node.web.does(Web::HangsUp);
    node.until(FAILURES, |failures| failures >= 1.0).await;
    let client = node.client(Role::Korsbaek);
    if Clock::system().now() < end - SignedDuration::from_secs(2) {
        assert_eq!(node.calls(&client).await, Ok(None), "the old list holds until its end");
    }
    comes_to("the list's end", async || Clock::system().now() > end + SignedDuration::from_secs(1)).await;
    assert!(node.calls(&node.client(Role::Korsbaek)).await.is_err(), "past it nobody is known to stand");
    assert_eq!(node.plays(Scene::Municipality).await.as_deref(), Some("HolderOfKey"));

    // The operator's choices: a grace, or to do without. The list itself outlasts the reload: there is no network.
    for choice in
        [node.clients("grace = \"1h\""), node.clients("").replace("[revocation]", "crl_missing = \"accept\"\n[revocation]")]
    {
        node.reload(&choice).await.unwrap();
        assert_eq!(node.calls(&node.client(Role::Korsbaek)).await, Ok(None));
        assert_eq!(node.plays(Scene::Municipality).await, None);
        assert!(node.calls(&node.client(Role::Intruder)).await.is_err(), "a revocation is for good");
    }
    node.web.does(Web::Gives(node.list(&[Role::Intruder])));
    node.reload(&node.clients("")).await.unwrap();
    node.until(FAILURES, |failures| failures == 0.0).await;
    assert_eq!(node.calls(&node.client(Role::Korsbaek)).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_tokens_and_answers_is_looked_up() {
    let node = &Node::start().await;
    let signers = "[signers]\nauthorities = [\"pki/issuing.pem\"]\ncrls = [\"signers.crl\"]\n[revocation]\ninterval = \"1s\"";
    node.write("signers.crl", node.list(&[Role::Intruder]));
    node.reload(signers).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await, None, "neither is on the list");

    // Taken up without a signal; the tokens that the gateway holds already were signed by it too.
    let applied = "hjemmel_reload_total{result=\"applied\",what=\"crls\"}";
    for (role, refusal) in [(Role::StsSigning, "TokenIssuerUntrusted"), (Role::IndexSigning, "PeerSignatureInvalid")] {
        let before = node.metric(applied).await;
        node.write("signers.crl", node.list(&[role]));
        node.until(applied, |applied| applied > before).await;
        assert_eq!(node.plays(Scene::Municipality).await.as_deref(), Some(refusal));
    }
    let foreign = "[signers]\ncrls = [\"signers.crl\"]";
    let error = node.reload(foreign).await.unwrap_err();
    assert!(error.contains("add that CA's own certificate to signers.authorities"), "{error}");
    node.reload("").await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tls_servers_of_sts_and_index_are_looked_up() {
    let node = &Node::start().await;
    for (section, role, refusal) in
        [("sts", Role::StsServer, "StsUnavailable"), ("peer.ydelsesindeks", Role::IndexServer, "PeerUnavailable")]
    {
        let roots = "roots = [\"pki/root.pem\", \"pki/issuing.pem\"]";
        let over = format!("[{section}]\n{roots}\ncrls = [\"server.crl\"]\n[revocation]\ninterval = \"1s\"");
        node.write("server.crl", node.list(&[Role::Intruder]));
        node.reload(&over).await.unwrap();
        assert_eq!(node.plays(Scene::AuthorityContext).await, None, "{section}: it stands");
        // The connection that the call went over is kept, and older than the list.
        let applied = "hjemmel_reload_total{result=\"applied\",what=\"crls\"}";
        let before = node.metric(applied).await;
        node.write("server.crl", node.list(&[role]));
        node.until(applied, |applied| applied > before).await;
        if section == "peer.ydelsesindeks" {
            assert_eq!(node.plays(Scene::AuthorityContext).await.as_deref(), Some(refusal), "{section}: on a kept connection");
        }
        // Roots in another order make the reload open connections of its own, and fetch tokens of its own.
        node.reload(&over.replace(roots, "roots = [\"pki/issuing.pem\", \"pki/root.pem\"]")).await.unwrap();
        assert_eq!(node.plays(Scene::AuthorityContext).await.as_deref(), Some(refusal), "{section}: it is revoked");
        node.write("server.crl", node.list_until(&[], node.began - SignedDuration::from_secs(1)));
        node.reload(&over).await.unwrap();
        assert_eq!(node.plays(Scene::AuthorityContext).await.as_deref(), Some(refusal), "{section}: the list is overdue");
        node.reload(&over.replace("[revocation]", "crl_missing = \"accept\"\n[revocation]")).await.unwrap();
        assert_eq!(node.plays(Scene::AuthorityContext).await, None, "{section}: the operator does without");
        node.reload("").await.unwrap();
        assert_eq!(node.plays(Scene::AuthorityContext).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_must_staple_and_does_not_is_not_spoken_to() {
    let node = &Node::start().await;
    for (section, refusal) in [("sts", "StsUnavailable"), ("peer.ydelsesindeks", "PeerUnavailable")] {
        node.reload(&format!("[{section}]\nrequire_stapling = true")).await.unwrap();
        assert_eq!(node.plays(Scene::AuthorityContext).await.as_deref(), Some(refusal), "{section}");
        node.reload("").await.unwrap();
        assert_eq!(node.plays(Scene::AuthorityContext).await, None);
    }
}

const OCSP: &str = "[listen]\nocsp_response = \"server.ocsp\"\n[revocation]\ninterval = \"1s\"";
const STAPLED: &str = "hjemmel_ocsp_response_next_update_timestamp_seconds";

#[tokio::test(flavor = "multi_thread")]
async fn the_ocsp_response_of_the_server_is_stapled_as_long_as_it_holds() {
    let node = &Node::start().await;
    let (hour, began) = (SignedDuration::from_hours(1), node.began - SignedDuration::from_hours(10));
    let server = node.world.pki.credentials(Role::GatewayServer).unwrap().leaf();
    let response = |status, until| node.world.pki.ocsp_response(server, status, began, until, None).unwrap();
    let other = node.world.pki.credentials(Role::IndexServer).unwrap().leaf();
    let good = response(OcspStatus::Good, node.began + hour);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let of_other = node.world.pki.ocsp_response(other, OcspStatus::Good, began, node.began + hour, None).unwrap();
    for (response, says) in [
        (response(OcspStatus::Revoked, node.began + hour), "revoked or unknown"),
        (response(OcspStatus::Unknown, node.began + hour), "revoked or unknown"),
        (of_other, "does not speak for this certificate"),
        (forged, "signed it"),
        (b"nothing".to_vec(), "not a successful OCSP response"),
    ] {
        node.write("server.ocsp", response);
        let error = node.reload(OCSP).await.unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    node.write("server.ocsp", response(OcspStatus::Good, began + hour));
    node.reload(OCSP).await.unwrap();
    assert_eq!(node.metric(STAPLED).await, 0.0, "one that has ended is not stapled");
    let said = status(node);
    assert!(said.as_ref().is_none_or(|said| said.contains("OCSP response: no response sent")), "{said:?}");

    // Put in place by a timer, and taken up without a signal.
    node.write("server.ocsp", good);
    node.until(STAPLED, |until| until > 0.0).await;
    if let Some(said) = status(node) {
        assert!(said.contains("OCSP Response Status: successful") && said.contains("Cert Status: good"), "{said}");
    }
    assert_eq!(node.calls(&node.client(Role::Korsbaek)).await, Ok(None));

    let end = Clock::system().now() + SignedDuration::from_secs(4);
    node.write("server.ocsp", response(OcspStatus::Good, end));
    node.until(STAPLED, |until| until == 0.0).await;
    // A response tells whole seconds.
    assert!(Clock::system().now() >= end - SignedDuration::from_secs(1), "it is stapled until its end");
    let said = status(node);
    assert!(said.as_ref().is_none_or(|said| said.contains("OCSP response: no response sent")), "{said:?}");
}

/// What `openssl s_client` sees stapled.
fn status(node: &Node) -> Option<String> {
    let address = format!("localhost:{}", node.world.service.port_u16().unwrap());
    let root = node.world.dir.join("pki/root.pem");
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address, "-status", "-servername", "localhost", "-CAfile"]).arg(root);
    match command.stdin(std::process::Stdio::null()).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(_) => {
            did_not_run("what is stapled, seen from outside", "apt-get install openssl");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_dropped_while_lists_change() {
    let node = &Node::with_a_list().await;
    node.reload(&node.clients("")).await.unwrap();
    let client = node.client(Role::Korsbaek);
    let asked = node.web.asked.load(Ordering::SeqCst);
    for round in 0..40 {
        // A new edition each second, and reloads in between.
        node.web.does(Web::Gives(node.list_until(&[Role::Intruder], node.began + SignedDuration::from_hours(24 + round))));
        if round % 10 == 0 {
            node.reload(&node.clients("")).await.unwrap();
        }
        assert_eq!(node.calls(&client).await, Ok(None));
        if round % 20 == 19 {
            let before = node.web.asked.load(Ordering::SeqCst);
            comes_to("a list is fetched", async || node.web.asked.load(Ordering::SeqCst) > before).await;
        }
    }
    assert!(node.web.asked.load(Ordering::SeqCst) > asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_the_network_has_the_lists_it_had() {
    let node = Node::with_a_list().await;
    node.gives(node.list(&[Role::Intruder, Role::Udk])).await;
    let admin_list = node.list(&[Role::Korsbaek]);
    node.write("admin.crl", admin_list);
    // Operators need a certificate now too, and theirs are looked up in a list of their own.
    let admin = "[admin]\nclient_roots = [\"pki/root.pem\", \"pki/issuing.pem\"]\ncrls = [\"admin.crl\"]";
    node.write("hjemmel.toml", node.with(&format!("{}\n{admin}", node.clients(""))));
    let Node { world, web, dir, .. } = node;
    web.does(Web::HangsUp);
    let (service, address) = (world.service.clone(), world.admin);
    let (root, roles) = (world.pki.root().clone(), [Role::Korsbaek, Role::Udk, Role::GatewayClient]);
    let [korsbaek, udk, gateway] = roles.map(|role| world.pki.credentials(role).unwrap().clone());
    world.stop().await;

    let mut program = Command::new(env!("CARGO_BIN_EXE_hjemmel"))
        .args(["serve", "--config"])
        .arg(dir.path().join("hjemmel.toml"))
        .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let gets = async |uri: String, credentials: &hjemmel::signature::credentials::Credentials| {
        let outbound = Outbound::new(OutboundSettings {
            credentials: Some(credentials.clone()),
            ..OutboundSettings::new(vec![root.clone()])
        });
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        outbound.unwrap().get(&uri.parse().unwrap(), deadline).await.is_ok_and(|answer| answer.status() == 200)
    };
    let metrics = format!("https://localhost:{}/metrics", address.port());
    comes_to("an operator whose certificate stands is answered", async || gets(metrics.clone(), &gateway).await).await;
    assert!(!gets(metrics, &korsbaek).await, "an operator whose certificate is revoked");
    let wsdl = format!("{service}?wsdl");
    assert!(gets(wsdl.clone(), &korsbaek).await, "the list on disk is in force, and does not name it");
    assert!(!gets(wsdl, &udk).await, "the list on disk is in force, and names it");
    assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
    assert!(program.wait().unwrap().success());
}
