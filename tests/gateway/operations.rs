//! What operators do to a gateway that runs: reload, rotation of certificates, revocation. Over real TLS, each in a world of its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hjemmel::audit::Record;
use hjemmel::cli::call::client::Client;
use hjemmel::cli::call::question::Question;
use hjemmel::cli::demo::scenes::{Scene, play};
use hjemmel::cli::demo::world::{ENTITY_ID, World};
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::node::examine::{Purpose, examine};
use hjemmel::outbound::{Outbound, OutboundSettings};
use hjemmel::signature::verify::verify_metadata;
use hjemmel::soap::document::Document;
use hjemmel::soap::envelope::Version;
use hjemmel::soap::strict::Limits;
use hjemmel::stub::pki::{DevPki, KeyBits, Leaf, Role, Usage, pem};
use hjemmel::stub::population::{KORSBAEK, demo};
use http_body_util::BodyExt;
use jiff::SignedDuration;

use crate::process::comes_to;
use crate::stage::options;

struct Node {
    world: World,
    /// The configuration as the world wrote it.
    original: String,
    /// By how many days the gateway's clock is ahead; TLS itself keeps the machine's.
    ahead: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

impl Node {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (system, ahead) = (Clock::system(), Arc::new(AtomicI64::new(0)));
        let days = ahead.clone();
        let clock = Clock::from_fn(move || system.now() + SignedDuration::from_hours(24 * days.load(Ordering::SeqCst)));
        let world = World::start(options(dir.path(), clock, "")).await.unwrap();
        let original = std::fs::read_to_string(dir.path().join("hjemmel.toml")).unwrap();
        Self { world, original, ahead, _dir: dir }
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.world.dir.join(file), content).unwrap();
    }

    /// Reloads the original configuration with these parts exchanged.
    async fn reload(&self, changes: &[(&str, &str)]) -> Result<(), String> {
        let mut text = self.original.clone();
        for (from, to) in changes {
            assert!(text.contains(from), "{from} is not in the configuration");
            text = text.replacen(from, to, 1);
        }
        self.write("hjemmel.toml", text);
        self.world.reload().await.map_err(|error| error.to_string())
    }

    /// The refusal's code, or nothing where the call was served, and the call's record.
    async fn plays(&self, scene: Scene) -> (Option<String>, Record) {
        let played = play(&self.world, scene).await.unwrap();
        (played.record.refusal.clone(), played.record)
    }

    fn client(&self) -> Client {
        self.world.client(Some(Role::Korsbaek)).unwrap()
    }

    /// A call over the AuthorityContext binding on a connection of this client's.
    async fn calls(&self, client: &Client) -> Result<Option<String>, String> {
        let question = Question::about(Cpr::parse(demo::UDK_ONLY).unwrap());
        let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), &question.input());
        client.send(Version::V11, message).await.map_err(|error| error.to_string())?;
        Ok(self.world.records.recv_timeout(Duration::from_secs(60)).unwrap().refusal)
    }

    /// A call over the token binding with this token: the refusal's code, or nothing where it was served.
    async fn calls_with(&self, token: &hjemmel::sts::Token) -> Option<String> {
        let (client, key) = (self.world.client(None).unwrap(), self.world.key(Role::Korsbaek).unwrap());
        let question = Question::about(Cpr::parse(demo::UDK_ONLY).unwrap()).input();
        let (message, _) = client.token_message(token.assertion(), &key, &question, self.world.clock.now()).unwrap();
        client.send(Version::V12, message).await.unwrap();
        self.world.records.recv_timeout(Duration::from_secs(60)).unwrap().refusal
    }

    async fn get(&self, uri: &str) -> (u16, Bytes) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        let response = outbound(&self.world).get(&uri.parse().unwrap(), deadline).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }

    /// The value of a series.
    async fn metric(&self, series: &str) -> Option<f64> {
        let text = scrape(self.world.admin).await;
        let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit(' ').next().unwrap().parse().ok()
    }

    fn revocation_list(&self, revoked: &[Role], days: i64) -> Vec<u8> {
        let certificates: Vec<_> = revoked.iter().map(|role| self.world.pki.credentials(*role).unwrap().leaf()).collect();
        let now = Clock::system().now();
        let day = SignedDuration::from_hours(24);
        self.world.pki.revocation_list(&certificates, now - day * 10, now + day * i32::try_from(days).unwrap()).unwrap()
    }
}

fn outbound(world: &World) -> Outbound {
    let settings = OutboundSettings::new(vec![world.pki.root().clone()]);
    Outbound::new(settings).unwrap()
}

async fn scrape(admin: SocketAddr) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(admin).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// As the demo names them.
const CLIENT_ROOTS: &str = "client_roots = [\"pki/root.pem\", \"pki/issuing.pem\"]";
const CRLS: (&str, &str) = (CLIENT_ROOTS, "client_roots = [\"pki/root.pem\", \"pki/issuing.pem\"]\ncrls = [\"issuing.crl\"]");
const SYSTEM: &str = "[system]\ncertificate = \"pki/gateway-client.pem\"\nkey = \"pki/gateway-client.key.pem\"";

/// The gateway's own system with the certificate of another.
fn system(role: Role) -> String {
    let name = role.file_name();
    format!("[system]\ncertificate = \"pki/{name}.pem\"\nkey = \"pki/{name}.key.pem\"")
}

const EVERY_SECOND: (&str, &str) = ("[sts]\n", "[revocation]\ninterval = \"1s\"\n\n[sts]\n");

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads_the_program_and_never_ends_it() {
    let Node { world, _dir: dir, .. } = Node::start().await;
    let (file, admin) = (world.configuration.clone(), world.admin);
    assert_eq!(world.stop().await, 0, "no connection had to be cut");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_hjemmel"))
        .args(["serve", "--config"])
        .arg(&file)
        .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let signal = |name: &str| {
        assert!(std::process::Command::new("kill").args([name, &program.id().to_string()]).status().unwrap().success());
    };
    let reloads = |result: &str| format!("hjemmel_reload_total{{result=\"{result}\",what=\"configuration\"}} 1\n");
    wait_for(admin, "hjemmel_build_info").await;
    signal("-HUP");
    wait_for(admin, &reloads("applied")).await;
    std::fs::write(&file, "environment = 7").unwrap();
    signal("-HUP");
    wait_for(admin, &reloads("refused")).await;
    signal("-TERM");
    assert!(program.wait().unwrap().success(), "it drained and ended well");
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains("the old one stays in force") && log.contains("is in force"), "{log}");
}

/// Waits until the metrics hold `text`.
async fn wait_for(admin: SocketAddr, text: &str) {
    let holds = async || tokio::net::TcpStream::connect(admin).await.is_ok() && scrape(admin).await.contains(text);
    comes_to(text, holds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_of_the_gateway_is_signed_by_the_key_it_names() {
    let node = &Node::start().await;
    let (status, xml) = node.get(&format!("{}?metadata", node.world.service)).await;
    assert_eq!(status, 200);
    let document = Document::parse(xml.clone(), &Limits::default()).unwrap();
    let own = node.world.gateway_certificate().unwrap();
    verify_metadata(document.root(), std::slice::from_ref(own.key())).unwrap();
    assert_eq!(document.root().attribute("", "entityID"), Some(ENTITY_ID));
    let other = Role::Intruder;
    let intruder = hjemmel::signature::key::Certificate::from_der(node.world.pki.credentials(other).unwrap().leaf()).unwrap();
    assert!(verify_metadata(document.root(), std::slice::from_ref(intruder.key())).is_err());
    // Made once: two readers get the same bytes.
    assert_eq!(node.get(&format!("{}?metadata", node.world.service)).await.1, xml);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_in_order_leaves_everything_as_it_was() {
    let node = &Node::start().await;
    let digest = node.plays(Scene::Municipality).await.1.about.terminaladgang().unwrap().policy.digest.clone();
    let bad = [
        ("environment = \"demo\"", "environment = \"DEMO\"", "is not an environment"),
        ("sts-metadata.xml", "hjemmel.toml", "metadata"),
        ("pki/index-signing.pem", "pki/none.pem", "none.pem"),
        ("policies = \"policies\"\n", "policies = \"policies\"\npolicy = \"broken\"\n", "broken"),
    ];
    node.write("policies/broken.toml", "id = 1");
    for (number, (from, to, says)) in bad.into_iter().enumerate() {
        let error = node.reload(&[(from, to)]).await.unwrap_err();
        assert!(error.contains(says), "{error}");
        let (refusal, record) = node.plays(Scene::Municipality).await;
        assert_eq!((refusal, record.about.terminaladgang().unwrap().policy.digest.clone()), (None, digest.clone()), "after {to}");
        let refused = node.metric("hjemmel_reload_total{result=\"refused\",what=\"configuration\"}").await;
        assert_eq!(refused, Some((number + 1) as f64));
    }
    assert_eq!(node.metric("hjemmel_reload_total{result=\"applied\",what=\"configuration\"}").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_holds_from_the_next_call_and_one_of_the_future_is_refused() {
    let node = &Node::start().await;
    let policy = std::fs::read_to_string(node.world.dir.join("policies/terminaladgang-6.toml")).unwrap();
    let second =
        policy.replace("version = \"1\"", "version = \"2\"").replace("valid-from = 2026-01-01", "valid-from = 2026-01-02");
    node.write("policies/second.toml", second);
    // Agreements are bound to the version before, which is kept.
    std::fs::create_dir(node.world.dir.join("policies/history")).unwrap();
    node.write("policies/history/second.v1.toml", policy.clone());
    node.write("policies/future.toml", policy.replace("valid-from = 2026-01-01", "valid-from = 2099-01-01"));
    let choose = |name: &str| format!("policies = \"policies\"\npolicy = \"{name}\"\n");
    node.reload(&[("policies = \"policies\"\n", &choose("second"))]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.1.about.terminaladgang().unwrap().policy.version, "2");
    let error = node.reload(&[("policies = \"policies\"\n", &choose("future"))]).await.unwrap_err();
    assert!(error.contains("holds from 2099-01-01 only"), "{error}");
    assert_eq!(node.plays(Scene::Municipality).await.1.about.terminaladgang().unwrap().policy.version, "2", "the old one stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_dropped_while_reloads_go_on() {
    let node = &Node::start().await;
    let (client, called, reloaded) = (node.client(), tokio::sync::Notify::new(), AtomicBool::new(false));
    let calls = async {
        let mut made = 0;
        while made < 30 || !reloaded.load(Ordering::SeqCst) {
            assert_eq!(node.calls(&client).await, Ok(None));
            made += 1;
            called.notify_one();
        }
    };
    let reloads = async {
        for _ in 0..5 {
            node.reload(&[]).await.unwrap();
            called.notified().await;
        }
        reloaded.store(true, Ordering::SeqCst);
    };
    tokio::join!(calls, reloads);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_certificate_is_shown_to_the_next_connection() {
    let node = &Node::start().await;
    let before = shown(node).await;
    let leaf = leaf(Usage::Server);
    let fresh = node.world.pki.issue(&leaf).unwrap();
    let chain: String = fresh.chain().iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
    node.write("fresh.pem", chain);
    node.write("fresh.key.pem", pem("PRIVATE KEY", fresh.key().secret_der()));
    node.reload(&[("pki/gateway-server.pem", "fresh.pem"), ("pki/gateway-server.key.pem", "fresh.key.pem")]).await.unwrap();
    assert_ne!(before, shown(node).await);
    assert_eq!(fresh.leaf().to_vec(), shown(node).await);
    node.reload(&[]).await.unwrap();
    assert_eq!(before, shown(node).await);
}

/// The certificate that the gateway shows in the handshake.
async fn shown(node: &Node) -> Vec<u8> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(node.world.pki.root().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = format!("127.0.0.1:{}", node.world.service.port_u16().unwrap());
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn leaf(usage: Usage) -> Leaf {
    let now = Clock::system().now();
    Leaf {
        common_name: "Hjemmel, successor".to_owned(),
        organization: "Hjemmel (test)".to_owned(),
        cvr: "99999991".to_owned(),
        uuid: "0b6c4cc1-52a9-4c5a-8a1c-6f9a3a1b2c3d".to_owned(),
        usage,
        not_before: now - SignedDuration::from_hours(24),
        not_after: now + SignedDuration::from_hours(24 * 30),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_signs_with_its_new_system_certificate_after_a_reload() {
    let node = &Node::start().await;
    // Any system certificate shows it: the metadata names it, and is signed by it.
    node.reload(&[(SYSTEM, &system(Role::Korsbaek))]).await.unwrap();
    let (_, xml) = node.get(&format!("{}?metadata", node.world.service)).await;
    let document = Document::parse(xml, &Limits::default()).unwrap();
    let successor = node.world.pki.credentials(Role::Korsbaek).unwrap();
    let successor = hjemmel::signature::key::Certificate::from_der(successor.leaf()).unwrap();
    verify_metadata(document.root(), std::slice::from_ref(successor.key())).unwrap();
    // It has no token of its predecessor's to use: the STS does not give this one any for the index.
    assert_eq!(node.plays(Scene::Municipality).await.0.as_deref(), Some("StsRefused"));
    node.reload(&[]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.0, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sts_certificate_that_is_gone_from_the_configuration_opens_nothing_any_more() {
    let node = &Node::start().await;
    let other = "certificates = [\"pki/client-intruder.pem\"]";
    let both = format!("metadata = [\"sts-metadata.xml\"]\n{other}");
    node.reload(&[("metadata = [\"sts-metadata.xml\"]", &both)]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.0, None, "both are trusted while one takes over");
    node.reload(&[("metadata = [\"sts-metadata.xml\"]", other)]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.0.as_deref(), Some("TokenIssuerUntrusted"));
    node.reload(&[]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.0, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_index_certificate_that_is_exchanged_holds_at_once() {
    let node = &Node::start().await;
    node.reload(&[("pki/index-signing.pem", "pki/client-intruder.pem")]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.0.as_deref(), Some("PeerSignatureInvalid"));
    node.reload(&[]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.0, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_all_that_is_wrong_with_what_the_file_names() {
    let node = &Node::start().await;
    let problems = async |changes: &[(&str, &str)]| {
        let changed = changes.iter().fold(node.original.clone(), |text, (from, to)| text.replacen(from, to, 1));
        node.write("checked.toml", changed);
        let file = node.world.dir.join("checked.toml");
        examine(&file, &Clock::system(), &Purpose::Serve).await.problems.problems().to_vec()
    };
    assert_eq!(problems(&[]).await, []);
    node.write("policies/broken.toml", "id = 1");
    node.write("issuing.crl", "not a list");
    let wrong = [
        ("policies = \"policies\"\n", "policies = \"policies\"\npolicy = \"broken\"\n"),
        ("https://sts.hjemmel.example/runtime", "https://another.example/"),
        ("audit-keys/checkpoint.key", "audit-keys/pseudonym.key"),
        ("audit-keys/auditors.pub", "pki/root.pem"),
        CRLS,
    ];
    let found = problems(&wrong).await;
    let settings: BTreeSet<_> = found.iter().map(|problem| problem.setting.as_str()).collect();
    let all = ["audit.auditors", "audit.checkpoint_key", "listen.crls", "service.terminaladgang-6.policy", "tokens"];
    assert_eq!((settings, found.len()), (BTreeSet::from(all), all.len()), "{found:#?}");
    let says = "is the metadata of https://sts.hjemmel.example/runtime";
    assert!(found.iter().any(|problem| problem.setting == "tokens" && problem.text.contains(says)), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_client_is_refused_on_the_connection_it_has_open_and_on_a_new_one() {
    let node = &Node::start().await;
    node.write("issuing.crl", node.revocation_list(&[Role::Intruder], 10));
    node.reload(&[CRLS]).await.unwrap();
    let client = node.client();
    assert_eq!(node.calls(&client).await, Ok(None), "the list is in force and does not name it");
    assert_eq!(node.plays(Scene::Municipality).await.0, None);

    node.write("issuing.crl", node.revocation_list(&[Role::Intruder, Role::Korsbaek], 10));
    node.reload(&[CRLS]).await.unwrap();
    assert_eq!(
        node.calls(&client).await,
        Ok(Some("ClientCertificateInvalid".to_owned())),
        "the connection is older than the list"
    );
    assert!(node.calls(&node.client()).await.is_err(), "TLS refuses a new connection");
    // The token that the STS gave its holder before outlives the certificate; it gives nothing either.
    assert_eq!(node.plays(Scene::Municipality).await.0.as_deref(), Some("HolderOfKey"));
    node.reload(&[]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.0, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_list_is_taken_up_without_a_signal() {
    let node = &Node::start().await;
    const APPLIED: &str = "hjemmel_reload_total{result=\"applied\",what=\"crls\"}";
    node.write("issuing.crl", node.revocation_list(&[], 10));
    node.reload(&[CRLS, EVERY_SECOND]).await.unwrap();
    let client = node.client();
    assert_eq!(node.calls(&client).await, Ok(None));
    let before = node.metric(APPLIED).await.unwrap();
    let pem_form = pem("X509 CRL", &node.revocation_list(&[Role::Korsbaek], 10));
    node.write("issuing.crl", pem_form);
    comes_to("the list is taken up", async || node.metric(APPLIED).await.unwrap() > before).await;
    assert_eq!(node.calls(&client).await, Ok(Some("ClientCertificateInvalid".to_owned())));
    assert!(node.calls(&node.client()).await.is_err());
}

/// The memory knows what a token says; what reloads and lists change is asked of each call.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_remembered_gives_nothing_once_its_holder_is_revoked_or_its_issuer_distrusted() {
    let node = &Node::start().await;
    const HITS: &str = "hjemmel_assertion_memory_lookups_total{result=\"hit\"}";
    const APPLIED: &str = "hjemmel_reload_total{result=\"applied\",what=\"crls\"}";
    node.write("issuing.crl", node.revocation_list(&[], 10));
    node.reload(&[CRLS, EVERY_SECOND]).await.unwrap();
    let token = node.world.token(Role::Korsbaek, KORSBAEK).await.unwrap();
    let before = node.metric(HITS).await.unwrap();
    assert_eq!(node.calls_with(&token).await, None);
    assert_eq!(node.calls_with(&token).await, None);
    assert_eq!(node.metric(HITS).await, Some(before + 1.0), "the second call found the token known");
    assert_eq!(node.metric("hjemmel_assertion_memory_entries").await, Some(1.0), "a reload begins with an empty memory");

    // No reload: the memory stays, and the new list is asked all the same.
    let applied = node.metric(APPLIED).await.unwrap();
    node.write("issuing.crl", node.revocation_list(&[Role::Korsbaek], 10));
    comes_to("the list is taken up", async || node.metric(APPLIED).await.unwrap() > applied).await;
    assert_eq!(node.calls_with(&token).await.as_deref(), Some("HolderOfKey"));
    assert_eq!(node.metric(HITS).await, Some(before + 2.0), "it was known, and refused");

    node.reload(&[]).await.unwrap();
    assert_eq!(node.calls_with(&token).await, None, "without a list nobody is revoked");
    let other = "certificates = [\"pki/client-intruder.pem\"]";
    node.reload(&[("metadata = [\"sts-metadata.xml\"]", other)]).await.unwrap();
    assert_eq!(node.calls_with(&token).await.as_deref(), Some("TokenIssuerUntrusted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_its_authority_did_not_sign_is_refused() {
    let node = &Node::start().await;
    let mut forged = node.revocation_list(&[], 10);
    *forged.last_mut().unwrap() ^= 1;
    node.write("issuing.crl", forged);
    let error = node.reload(&[CRLS]).await.unwrap_err();
    assert!(error.contains("the signature of") && error.contains("does not hold"), "{error}");
    node.write("issuing.crl", node.revocation_list(&[], 10));
    let unknown = (CLIENT_ROOTS, "client_roots = [\"pki/root.pem\"]\ncrls = [\"issuing.crl\"]");
    let error = node.reload(&[unknown]).await.unwrap_err();
    assert!(error.contains("is not among the trusted CAs"), "{error}");
    assert_eq!(node.plays(Scene::AuthorityContext).await.0, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_list_refuses_unless_the_operator_chose_otherwise() {
    let node = &Node::start().await;
    node.write("issuing.crl", node.revocation_list(&[Role::Intruder], -2));
    node.reload(&[CRLS]).await.unwrap();
    assert!(node.calls(&node.client()).await.is_err());
    assert_eq!(node.plays(Scene::Municipality).await.0.as_deref(), Some("HolderOfKey"));
    let accept = (CRLS.0, &*format!("{}\ncrl_missing = \"accept\"", CRLS.1));
    node.reload(&[accept]).await.unwrap();
    assert_eq!(node.calls(&node.client()).await, Ok(None));
    assert_eq!(node.plays(Scene::Municipality).await.0, None);
    // A revocation is for good, however old the list is.
    assert!(node.calls(&node.world.client(Some(Role::Intruder)).unwrap()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_that_ends_on_a_long_connection_gives_nothing_any_more() {
    let node = &Node::start().await;
    let client = node.client();
    assert_eq!(node.calls(&client).await, Ok(None));
    node.ahead.store(91, Ordering::SeqCst);
    assert_eq!(node.calls(&client).await, Ok(Some("ClientCertificateInvalid".to_owned())));
}

/// A session that outlived its trust, resumed or kept open, would go on in its name.
#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_is_no_longer_trusted_gives_nothing_on_the_connection_it_has_open() {
    let node = &Node::start().await;
    let client = node.client();
    assert_eq!(node.calls(&client).await, Ok(None));
    let other = DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap();
    node.write("other.pem", pem("CERTIFICATE", other.root()));
    node.reload(&[(CLIENT_ROOTS, "client_roots = [\"pki/root.pem\", \"other.pem\"]")]).await.unwrap();
    assert_eq!(node.calls(&client).await, Ok(None), "both are trusted while one takes over");
    node.reload(&[(CLIENT_ROOTS, "client_roots = [\"other.pem\"]")]).await.unwrap();
    assert_eq!(node.calls(&client).await, Ok(Some("ClientCertificateInvalid".to_owned())));
    assert!(node.calls(&node.client()).await.is_err(), "TLS refuses a new connection");
    node.reload(&[]).await.unwrap();
    assert_eq!(node.calls(&node.client()).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_tell_what_happened() {
    let node = &Node::start().await;
    let client = node.client();
    for _ in 0..22 {
        assert_eq!(node.calls(&client).await, Ok(None));
    }
    for _ in 0..10 {
        assert_eq!(node.plays(Scene::Municipality).await.0, None);
    }
    // The STS gives this system no token for the index.
    node.reload(&[(SYSTEM, &system(Role::Korsbaek))]).await.unwrap();
    assert_eq!(node.plays(Scene::Municipality).await.0.as_deref(), Some("StsRefused"));
    assert!(node.metric("hjemmel_token_cache_requests_total{result=\"hit\"}").await.unwrap() > 20.0);
    assert!(node.metric("hjemmel_token_cache_requests_total{result=\"miss\"}").await.unwrap() >= 1.0);
    assert!(node.metric("hjemmel_token_cache_requests_total{result=\"failed\"}").await.unwrap() >= 1.0);
    assert!(node.metric("hjemmel_replay_memory_messages").await.unwrap() >= 10.0);
    assert!(node.metric("hjemmel_replay_memory_capacity").await.unwrap() >= 1_000_000.0);
    assert_eq!(node.metric("hjemmel_inflight_requests").await, Some(0.0));
    assert_eq!(node.metric("hjemmel_breaker_state{state=\"closed\",target=\"ydelsesindeks\"}").await, Some(1.0));
    assert!(node.metric("hjemmel_reload_timestamp_seconds").await.unwrap() > 1.7e9);
    assert!(node.metric("hjemmel_certificate_expiry_timestamp_seconds{name=\"tokens.metadata\"}").await.unwrap() > 1.7e9);
}
