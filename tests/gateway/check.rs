//! `hjemmel check` and `hjemmel serve` before anything is served: what keeps the gateway from starting is told by both, and what
//! it depends on is asked.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hjemmel::agreements::import::Import;
use hjemmel::agreements::{Agreement, Authority, Scope, Store};
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::store::Settings;
use hjemmel::stub::pki::{DevPki, KeyBits, Role, pem};
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::server::{self, Handler, Reply, Running, reply};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use uuid::Uuid;

use crate::stage::options;

/// Where the stubs of a world run, and its configuration to be changed.
struct Place {
    world: World,
    original: toml::Table,
}

/// What a command said and how it ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }

    /// The answer of one peer, in JSON.
    fn peer(&self, name: &str) -> Value {
        let asked = self.json()["asked"].as_array().expect("peers were asked").clone();
        asked.into_iter().find(|answer| answer["peer"] == name).unwrap_or_else(|| panic!("{name} in {}", self.out))
    }
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap().keep();
        let options = options(&dir, Clock::system(), "");
        let world = World::without_gateway(options).await.unwrap();
        let original = std::fs::read_to_string(&world.configuration).unwrap().parse().unwrap();
        Self { world, original }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.world.dir.join(name);
        std::fs::write(&file, content).unwrap();
        file
    }

    /// The original with these settings (`section.key`, value in TOML) in place of its own, as a file.
    fn with(&self, changes: &[(&str, &str)]) -> PathBuf {
        let mut table = self.original.clone();
        for (setting, value) in changes {
            let value: toml::Table = format!("value = {value}").parse().unwrap();
            let (section, key) = setting.rsplit_once('.').unwrap();
            let inner = section.split('.').fold(&mut table, |table, name| {
                table.entry(name).or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap()
            });
            inner.insert(key.to_owned(), value["value"].clone());
        }
        self.file("changed.toml", table.to_string())
    }

    async fn check(&self, changes: &[(&str, &str)], more: &[&str]) -> Ended {
        let file = self.with(changes);
        hjemmel(&[&["check", "--config", file.to_str().unwrap()], more].concat(), &self.world.dir).await
    }
}

async fn hjemmel(arguments: &[&str], folder: &Path) -> Ended {
    let command = Command::new(env!("CARGO_BIN_EXE_hjemmel"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(120), command)
        .await
        .unwrap_or_else(|_| panic!("{arguments:?} does not end"))
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// The line of a setting, or of its section where it is not written.
fn line_of(text: &str, setting: &str) -> usize {
    let (section, key) = setting.rsplit_once('.').unwrap_or((setting, ""));
    let (mut inside, mut header) = (false, None);
    for (line, number) in text.lines().zip(1..) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = name == section;
            header = if inside { Some(number) } else { header };
        } else if inside && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return number;
        }
    }
    header.unwrap_or_else(|| panic!("{setting} in {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_the_gateway_from_starting_is_told_by_check_with_line_and_remedy() {
    let place = Place::new().await;
    place.file("garbage", "neither a list nor a database");
    place.file("short.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    std::fs::create_dir(place.world.dir.join("altered")).unwrap();
    place.file("altered/head.json", "{}");
    std::fs::create_dir(place.world.dir.join("other-policies")).unwrap();
    place.file("other-policies/terminaladgang-6.toml", "not a policy");
    let joined = place.world.pki.root();
    let roots = pem("CERTIFICATE", joined).trim_end().to_owned() + &pem("CERTIFICATE", place.world.pki.issuing());
    place.file("joined.pem", roots);
    let admin = format!("\"{}\"", place.world.admin);

    // The setting, what is written there, and what both say of it.
    let failures = [
        ("listen.address", admin.as_str(), "admin.address", "both cannot have one port"),
        ("listen.address", "\"192.0.2.1:8443\"", "listen.address", "cannot listen on 192.0.2.1:8443"),
        ("listen.client_roots", "[\"joined.pem\"]", "listen.client_roots", "two sections are joined on one line"),
        (
            "listen.client_roots",
            "[\"pki/gateway-server.key.pem\"]",
            "listen.client_roots",
            "holds a private key where none belongs",
        ),
        ("listen.certificate", "\"short.pem\"", "listen.certificate", "is cut off: section 1"),
        ("listen.crls", "[\"garbage\"]", "listen.crls", "garbage"),
        ("listen.ocsp_response", "\"garbage\"", "listen.ocsp_response", "garbage"),
        ("listen.key", "\"pki/gateway-client.key.pem\"", "listen.certificate", "belongs to the private key"),
        ("system.key", "\"nowhere.pem\"", "system.key", "cannot be read"),
        ("tokens.issuer", "\"https://another.example/\"", "tokens", "is the metadata of"),
        ("tokens.metadata", "[\"garbage\"]", "tokens.metadata", "garbage: the metadata cannot be read"),
        ("store.url", "\"sqlite:garbage\"", "store.url", "is no agreements store"),
        ("store.url", "\"sqlite:/proc/agreements.sqlite\"", "store.url", "no file can be made in /proc"),
        ("service.terminaladgang-6.policies", "\"other-policies\"", "service.terminaladgang-6.policy", "terminaladgang-6.toml"),
        ("audit.directory", "\"/proc\"", "audit.directory", "no file can be made in /proc"),
        ("audit.directory", "\"altered\"", "audit.directory", "head.json"),
        ("audit.checkpoint_key", "\"auditor/auditors.key\"", "audit.checkpoint_key", "Ed25519 private key"),
        ("audit.auditors", "\"audit-keys/checkpoint.pub\"", "audit.auditors", "X25519 public key"),
        ("audit.auditors", "\"auditor/auditors.key\"", "audit.auditors", "holds a private key where none belongs"),
        ("audit.pseudonym_key", "\"garbage\"", "audit.pseudonym_key", "32 bytes in hexadecimal"),
    ];
    for (changed, value, setting, says) in failures {
        let checked = place.check(&[(changed, value)], &[]).await;
        let text = std::fs::read_to_string(place.world.dir.join("changed.toml")).unwrap();
        let said = checked.all();
        assert_eq!(checked.code, Some(1), "{changed} = {value}: {said}");
        let problems = said.split("Warnings:").next().unwrap();
        let told = problems.lines().find(|line| line.contains(says)).unwrap_or_else(|| panic!("{changed} = {value}: {said}"));
        assert!(told.contains(&format!("changed.toml:{}: {setting}: ", line_of(&text, setting))), "{changed} = {value}: {told}");
        assert!(told.contains("; "), "there is no remedy: {told}");

        let served = hjemmel(&["serve", "--config", "changed.toml"], &place.world.dir).await;
        assert_eq!(served.code, Some(1), "{changed} = {value}: {}", served.all());
        assert!(served.all().contains(says), "{changed} = {value}: {}", served.all());
    }
    let all = [
        ("listen.crls", "[\"garbage\"]"),
        ("system.key", "\"nowhere.pem\""),
        ("service.terminaladgang-6.policies", "\"other-policies\""),
        ("store.url", "\"sqlite:garbage\""),
        ("audit.pseudonym_key", "\"garbage\""),
    ];
    let together = place.check(&all, &["--json"]).await.json();
    let settings: Vec<_> = together["problems"].as_array().unwrap().iter().map(|problem| problem["setting"].clone()).collect();
    assert_eq!(settings.len(), 5, "all in one report, those too that stand beside a section that cannot be read: {together}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_could_open_what_it_seals_is_refused_until_the_auditors_have_their_key_alone() {
    let place = Place::new().await;
    let dir = &place.world.dir;
    assert_eq!(place.check(&[], &[]).await.code, Some(0), "the demo's auditor has a folder of its own");
    let key = dir.join("auditor/auditors.key");
    let (beside, settings, log) = (dir.join("audit-keys/a"), dir.join("b.pem"), dir.join("audit/c"));
    let (tls, deliveries) = (dir.join("pki/d"), dir.join("delivery-keys/e"));
    for place_of_it in [&beside, &settings, &log, &tls, &deliveries] {
        std::fs::copy(&key, place_of_it).unwrap();
        refused_for(&place, place_of_it).await;
    }
    // As Kubernetes mounts a secret.
    std::os::unix::fs::symlink(&key, &beside).unwrap();
    refused_for(&place, &beside).await;
    assert_eq!(place.check(&[], &[]).await.code, Some(0), "and once it is moved away, all is well");
}

/// Neither `check` nor `serve` takes a configuration with this file of the auditors' beside it, which is then removed.
async fn refused_for(place: &Place, file: &Path) {
    let checked = place.check(&[], &["--json"]).await;
    assert_eq!(checked.code, Some(1), "{file:?}: {}", checked.all());
    let problem = &checked.json()["problems"][0];
    let text = problem["text"].as_str().unwrap();
    assert!(problem["setting"] == "audit.auditors" && problem["line"].is_u64(), "{problem}");
    assert!(
        text.contains("the auditors' private key lies on this machine") && text.contains("move it to the auditors"),
        "{text}"
    );
    assert!(text.contains(file.file_name().unwrap().to_str().unwrap()), "it names the file: {text}");
    let served = hjemmel(&["serve", "--config", "changed.toml"], &place.world.dir).await;
    assert!(served.code == Some(1) && served.all().contains("the auditors' private key lies"), "{}", served.all());
    std::fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lies_neither_where_what_it_opens_is_copied_nor_with_the_log_and_has_one_use() {
    let place = Place::new().await;
    let dir = &place.world.dir;
    for folder in ["objects/inner", "elsewhere", "audit"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let keys = [
        ("audit.pseudonym_key", "audit-keys/pseudonym.key"),
        ("deliveries.key", "delivery-keys/deliveries.key"),
        ("persons.key", "elsewhere/persons.key"),
        ("objects.key", "elsewhere/content.key"),
    ];
    for (_, made) in &keys[2..] {
        hjemmel::objects::keys::generate(&dir.join(made)).unwrap();
    }
    let apart = [
        ("objects.url", "\"file:objects\""),
        ("objects.key", "\"elsewhere/content.key\""),
        ("persons.key", "\"elsewhere/persons.key\""),
    ];
    let told = async |setting: &str, value: &str, says: &str| {
        let ended = place.check(&[&apart[..], &[(setting, value)]].concat(), &["--json"]).await;
        assert_eq!(ended.code, Some(1), "{setting} = {value}: {}", ended.all());
        let report = ended.json();
        let problems = report["problems"].as_array().unwrap();
        assert!(
            problems.iter().any(|problem| {
                let text = problem["text"].as_str().unwrap();
                problem["line"].is_u64() && text.contains(says) && text.contains("; m")
            }),
            "{setting} = {value}: {says}\n{report}"
        );
        problems.iter().map(|problem| problem["setting"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let sound = place.check(&apart, &[]).await;
    assert_eq!(sound.code, Some(0), "each in a folder of its own: {}", sound.all());
    for (setting, file) in keys {
        for (moved, says) in [
            ("moved.key", "lies in the folder of the store"),
            ("objects/inner/moved.key", "lies in the folder of the store"),
            ("audit/moved.key", "lies in the audit's folder"),
        ] {
            std::fs::copy(dir.join(file), dir.join(moved)).unwrap();
            assert_eq!(told(setting, &format!("\"{moved}\""), says).await, [setting], "{moved}");
            std::fs::remove_file(dir.join(moved)).unwrap();
        }
    }
    std::fs::copy(dir.join("elsewhere/content.key"), dir.join("before.key")).unwrap();
    assert_eq!(told("objects.earlier_keys", "[\"before.key\"]", "lies in the folder of the store").await, ["objects.key"]);
    for (at, (_, file)) in keys.iter().enumerate() {
        for (setting, _) in &keys[at + 1..] {
            let copy = dir.join("elsewhere/copy.key");
            std::fs::copy(dir.join(file), &copy).unwrap();
            let settings = told(setting, "\"elsewhere/copy.key\"", &format!("is also {}", keys[at].0)).await;
            assert_eq!(settings, [*setting]);
            std::fs::remove_file(copy).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_cost_the_operator_a_call_is_warned_of_before() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new().await;
    let dir = &place.world.dir;
    let warned = async |changes: &[(&str, &str)], setting: &str, says: &str| {
        let ended = place.check(changes, &["--json"]).await;
        assert_eq!(ended.code, Some(0), "the gateway would start: {}", ended.all());
        let warnings = ended.json()["warnings"].as_array().unwrap().clone();
        let found = warnings.iter().any(|warning| {
            warning["setting"] == setting && warning["line"].is_u64() && warning["text"].as_str().unwrap().contains(says)
        });
        found.then_some(()).ok_or(ended.out)
    };
    let told = async |changes: &[(&str, &str)], setting: &str, says: &str| {
        warned(changes, setting, says).await.unwrap_or_else(|report| panic!("{setting}: {says}\n{report}"));
    };
    told(&[("listen.public_url", "\"https://gateway.example\"")], "listen.public_url", "its names: localhost, 127.0.0.1, ::1")
        .await;
    told(&[("listen.public_url", "\"https://LocalHost:443\"")], "listen.public_url", "as https://localhost (RFC 3986, 6.2)")
        .await;
    told(&[("listen.client_roots", "[\"pki/root.pem\"]")], "listen.client_roots", "holds roots only").await;

    let both = "[\"pki/root.pem\", \"pki/issuing.pem\"]";
    assert!(warned(&[("listen.client_roots", both)], "listen.client_roots", "").await.is_err());
    assert!(warned(&[], "listen.public_url", "").await.is_err(), "localhost is in the certificate");
    assert!(warned(&[], "listen.key", "").await.is_err(), "a key of mode 0600 is right");
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (file, setting) in [("pki/gateway-server.key.pem", "listen.key"), ("audit-keys/checkpoint.key", "audit.checkpoint_key")] {
        std::fs::set_permissions(dir.join(file), std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::set_permissions(dir.join(file).parent().unwrap(), std::fs::Permissions::from_mode(0o755)).unwrap();
        told(&[], setting, "mode 0644: every user of this machine can read").await;
    }

    let strict = place.check(&[("listen.client_roots", "[\"pki/root.pem\"]")], &["--strict"]).await;
    assert_eq!(strict.code, Some(1), "{}", strict.all());
    let nobody = place.check(&[], &["--user", "nobody"]).await;
    assert_eq!(nobody.code, Some(1), "{}", nobody.all());
    assert!(nobody.err.contains("nobody may not write in"), "{}", nobody.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_service_can_apply_of_stored_agreements_is_warned_of() {
    let place = Place::new().await;
    let warnings = async || place.check(&[], &["--json"]).await.json()["warnings"].to_string();
    assert!(!warnings().await.contains("store.url"), "those of the demo are in order");
    let store = Store::open(&Settings::sqlite(&place.world.dir.join("agreements.sqlite"))).await.unwrap();
    let held = store.list().await.unwrap();
    // As an earlier release imported it.
    let scope = Scope::read(r#"{"sensitivity":["IKKE_FORTROLIGE_PERSONOPLYSNINGER"]}"#).unwrap();
    let narrowed = Agreement { scope: scope.clone(), ..held[0].clone() };
    let elsewhere = Agreement { id: Uuid::from_u128(1), environment: "prod".parse().unwrap(), ..narrowed.clone() };
    let region = Authority { cvr: "99999989".parse().unwrap(), name: "Prøveregionen".into(), role: "region".parse().unwrap() };
    let import = Import { authorities: vec![region], agreements: vec![narrowed, elsewhere] };
    store.import(&import, place.world.clock.now()).await.unwrap();
    store.close().await;
    let told = warnings().await;
    assert!(told.contains("no service knows the role region, of 99999989; import them with role udk or municipality"), "{told}");
    let narrowed = format!("so that it refuses their calls: {}; import", held[0].id);
    assert!(told.contains("agreements of service.terminaladgang-6 are narrowed") && told.contains(&narrowed), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_another_has_is_warned_of_for_it_may_be_the_gateway_itself() {
    let place = Place::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("\"{}\"", taken.local_addr().unwrap());
    let ended = place.check(&[("listen.address", &address)], &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.out.contains("is taken: by the gateway, if it runs"), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_runs_in_the_configurations_own_folder_and_tells_what_each_file_holds() {
    let place = Place::new().await;
    let (pki, now) = (&place.world.pki, Clock::system().now());
    let list = pki.revocation_list(&[], now, now + SignedDuration::from_hours(240)).unwrap();
    place.file("both.crl", pem("X509 CRL", &list) + &pem("X509 CRL", &list));
    let roots = "[\"pki/root.pem\", \"pki/issuing.pem\"]";
    place.with(&[("listen.client_roots", roots), ("listen.crls", "[\"both.crl\"]")]);
    let ended = hjemmel(&["check", "--config", "changed.toml"], &place.world.dir).await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let due = (now + SignedDuration::from_hours(240)).strftime("%Y-%m-%d");
    for line in [
        &format!("listen.crls                  ./both.crl: 2 revocation lists, next due {due}"),
        "listen.certificate           ./pki/gateway-server.pem: 2 certificates, valid until ",
        "listen.key                   ./pki/gateway-server.key.pem: 1 private key",
        "tokens.metadata              ./sts-metadata.xml: 1 signing certificate, valid until ",
        "store.url                    ./agreements.sqlite: 1 store, schema ",
    ] {
        assert!(ended.out.contains(line), "{line}\nin\n{}", ended.out);
    }
}

/// A peer that answers as it is told.
struct Odd {
    status: u16,
    /// How far its clock is ahead; that of the machine where it says nothing.
    ahead: Option<SignedDuration>,
}

impl Handler for Odd {
    async fn answer(&self, _: Request<Bytes>) -> Option<Reply> {
        let mut answer = reply(self.status, "text/plain", "");
        if let Some(ahead) = self.ahead {
            let date = (Clock::system().now() + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            answer.headers_mut().insert("date", date.parse().unwrap());
        }
        Some(answer)
    }
}

async fn odd(pki: &DevPki, status: u16, ahead: Option<SignedDuration>) -> Running {
    odd_at("127.0.0.1:0", pki, status, ahead).await
}

async fn odd_at(address: &str, pki: &DevPki, status: u16, ahead: Option<SignedDuration>) -> Running {
    let credentials = pki.credentials(Role::IndexServer).unwrap();
    server::start(address.parse().unwrap(), credentials, Arc::new(Odd { status, ahead })).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_the_gateway_depends_on_is_asked_and_what_answers_is_told() {
    let place = Place::new().await;
    let before = place.world.index_requests();
    let ended = place.check(&[], &["--connect", "--json", "--token", KORSBAEK]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    for (peer, role) in [("sts", Role::StsServer), ("peer.ydelsesindeks", Role::IndexServer)] {
        let answer = ended.peer(peer);
        assert_eq!(answer["http_status"], 405, "{answer}");
        assert_eq!(answer["tls"], "TLS 1.3");
        assert_eq!(answer["certificate"]["trusted"], true);
        let leaf = place.world.pki.credentials(role).unwrap().leaf();
        let facts = hjemmel::signature::credentials::inspect(leaf).unwrap();
        assert_eq!(answer["certificate"]["subject"], facts.subject.as_str());
        assert_eq!(answer["certificate"]["issuer"], facts.issuer.as_str());
        assert_eq!(answer["certificate"]["ends"].as_str().unwrap().parse::<Timestamp>().unwrap(), facts.not_after);
        assert!(answer["clock_ahead_seconds"].as_i64().unwrap().abs() <= 2, "{answer}");
        assert!(answer["milliseconds"].is_u64());
    }
    assert!(ended.peer("sts (token)")["said"].as_str().unwrap().starts_with("a token for"), "{}", ended.out);
    assert!(ended.peer("store")["said"].as_str().unwrap().starts_with("schema "), "{}", ended.out);
    assert_eq!(place.world.index_requests(), before + 1, "the index was sent one request, a GET without a body");

    let text = place.check(&[], &["--connect"]).await.out;
    assert!(text.contains("peer.ydelsesindeks   answers") && text.contains("HTTP 405, TLS 1.3"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_answer_as_it_must_fails_with_what_to_do() {
    let place = Place::new().await;
    let pki = &place.world.pki;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let stranger = DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap();
    place.file("stranger.pem", pem("CERTIFICATE", stranger.root()));
    let clear = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clear_address = clear.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = clear.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    let (absent, moved, shut, away, slow_clock, right) = (
        odd(pki, 404, None).await,
        odd(pki, 301, None).await,
        odd(pki, 403, None).await,
        odd(pki, 503, None).await,
        odd(pki, 405, Some(SignedDuration::from_hours(-2))).await,
        odd(pki, 405, None).await,
    );
    let at = |running: &Running| format!("\"https://localhost:{}/\"", running.address().port());
    let by_number = odd_at("127.0.0.2:0", pki, 405, None).await;
    let address_by_number = format!("\"https://{}/\"", by_number.address());
    let address = |value: String| vec![("peer.ydelsesindeks.address", value)];
    let cases = [
        (address(format!("\"https://{free}/\"")), "ask whether it runs there"),
        (
            address("\"https://no-such-host.invalid/\"".to_owned()),
            "correct peer.ydelsesindeks.address, or this machine's name service",
        ),
        (address(format!("\"https://localhost:{}/\"", clear_address.port())), "it must speak TLS 1.2 or 1.3"),
        (address(at(&absent)), "HTTP 404; there is nothing at this path"),
        (address(at(&moved)), "HTTP 301; the gateway follows no redirect"),
        (address(at(&shut)), "HTTP 403; it does not let the certificate of system.certificate in"),
        (address(at(&away)), "HTTP 503; it is away or overloaded"),
        (address(at(&slow_clock)), "s behind this machine's, and clock_skew allows 60 s"),
        (
            vec![("peer.ydelsesindeks.address", at(&right)), ("peer.ydelsesindeks.roots", "[\"stranger.pem\"]".to_owned())],
            "which is not below peer.ydelsesindeks.roots; add that CA",
        ),
        (address(address_by_number), "its certificate is not for 127.0.0.2; correct peer.ydelsesindeks.address"),
    ];
    for (changes, says) in cases {
        let changes: Vec<_> = changes.iter().map(|(setting, value)| (*setting, value.as_str())).collect();
        let ended = place.check(&changes, &["--connect", "--json"]).await;
        assert_eq!(ended.code, Some(3), "{says}: {}", ended.all());
        let (index, sts) = (ended.peer("peer.ydelsesindeks"), ended.peer("sts"));
        assert_eq!((&index["ok"], &sts["ok"]), (&Value::Bool(false), &Value::Bool(true)), "{says}: {}", ended.out);
        let problem = index["problem"].as_str().unwrap();
        assert!(problem.contains(says) && problem.contains(';'), "{says}: {problem}");
        if says.contains("behind") {
            assert!((-7205..=-7195).contains(&index["clock_ahead_seconds"].as_i64().unwrap()), "{index}");
        }
        let refused = says.contains("certificate is not") || says.contains("peer.ydelsesindeks.roots");
        if refused {
            assert_eq!(index["certificate"]["trusted"], false, "what was shown is told: {index}");
        }
    }
    let text = place.check(&[("peer.ydelsesindeks.address", &at(&absent))], &["--connect"]).await;
    assert!(text.out.contains("peer.ydelsesindeks   FAILS"), "{}", text.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_list_at_an_address_is_fetched_and_verified() {
    let place = Place::new().await;
    let (pki, now) = (&place.world.pki, Clock::system().now());
    let list = pki.revocation_list(&[], now, now + SignedDuration::from_hours(24)).unwrap();
    let serve = async |head: &'static str, body: Vec<u8>| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 1024]).await;
                let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
            }
        });
        format!("http://{address}/list.crl")
    };
    let mut forged = list.clone();
    *forged.last_mut().unwrap() ^= 1;
    let good = serve("200 OK", list.clone()).await;
    let cases = [
        (good.clone(), 0, "1 list(s): "),
        (
            serve("404 Not Found", Vec::new()).await,
            3,
            "the answer is HTTP 404 (no Content-Type); correct the address in listen.crls",
        ),
        (serve("200 OK", forged).await, 3, "does not hold; fetch the list again, and find out who changed it"),
    ];
    for (address, code, says) in cases {
        let roots = "[\"pki/root.pem\", \"pki/issuing.pem\"]";
        let crls = format!("[\"{address}\"]");
        let ended = place.check(&[("listen.client_roots", roots), ("listen.crls", &crls)], &["--connect", "--json"]).await;
        assert_eq!(ended.code, Some(code), "{}", ended.all());
        let answer = ended.peer("listen.crls");
        assert_eq!(answer["at"], address.as_str());
        assert!(answer.to_string().contains(says), "{answer}");
    }
}

/// The world's configuration as it would have been written before services and peers had names.
fn of_before(settings: &toml::Table) -> String {
    let mut settings = settings.clone();
    let take = |settings: &mut toml::Table, section: &str, name: &str| {
        settings.remove(section).unwrap().as_table_mut().unwrap().remove(name).unwrap().as_table().unwrap().clone()
    };
    let mut service = take(&mut settings, "service", "terminaladgang-6");
    let mut index = take(&mut settings, "peer", "ydelsesindeks");
    service.retain(|key, _| !["kind", "peer"].contains(&key));
    settings.insert("udk_cvr".to_owned(), service.remove("udk_cvr").unwrap());
    let policy = toml::Table::from_iter([("directory".to_owned(), service.remove("policies").unwrap())]);
    index.remove("entity_id");
    let url = settings.remove("store").unwrap()["url"].as_str().unwrap().strip_prefix("sqlite:").unwrap().to_owned();
    let agreements = settings.entry("agreements").or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap();
    agreements.insert("store".to_owned(), url.into());
    for (section, table) in [("service", service), ("index", index), ("policy", policy)] {
        settings.insert(section.to_owned(), table.into());
    }
    settings.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_before_is_refused_converted_and_then_means_the_same() {
    let place = Place::new().await;
    place.file("old.toml", of_before(&place.original));
    let refused = hjemmel(&["check", "--config", "old.toml"], &place.world.dir).await;
    assert_eq!(refused.code, Some(1), "{}", refused.all());
    assert!(refused.err.contains("`hjemmel check --migrate FILE` writes the new file"), "{}", refused.err);

    let converted = hjemmel(&["check", "--migrate", "old.toml"], &place.world.dir).await;
    assert_eq!(converted.code, Some(0), "{}", converted.all());
    assert!(converted.out.starts_with("old.new.toml: written, and in order, 0 warning(s)."), "{}", converted.out);
    let mut written: toml::Table = std::fs::read_to_string(place.world.dir.join("old.new.toml")).unwrap().parse().unwrap();
    // The section is left where it was, without the setting that was alone in it.
    assert_eq!(written.remove("agreements"), Some(toml::Table::new().into()));
    assert_eq!(written, place.original);

    let again = hjemmel(&["check", "--migrate", "old.toml"], &place.world.dir).await;
    assert_eq!(again.code, Some(1), "{}", again.all());
    assert!(again.err.contains("old.new.toml is there already and is not overwritten"), "{}", again.err);
    let named = hjemmel(&["check", "--migrate", "old.toml", "--out", "named.toml"], &place.world.dir).await;
    assert_eq!(named.code, Some(0), "{}", named.all());
    let present = hjemmel(&["check", "--migrate", "named.toml"], &place.world.dir).await;
    assert!(present.err.contains("has services or peers with names already"), "{}", present.all());
}

/// The original with a second service.
fn with_a_second(place: &Place) -> PathBuf {
    place.with(&[
        ("service.anden-1.kind", "\"terminaladgang\""),
        ("service.anden-1.entity_id", "\"http://entityid.hjemmel.example/service/anden/1\""),
        ("service.anden-1.service_uuid", "\"7e2c3d9a-6f0b-4a53-9d70-3c1c5f6d2b11\""),
        ("service.anden-1.path", "\"/service/Anden/1\""),
        ("service.anden-1.udk_cvr", "\"99999991\""),
        ("service.anden-1.policies", "\"policies\""),
        ("service.anden-1.peer", "\"ydelsesindeks\""),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_is_told_with_its_address_and_whom_it_asks() {
    let place = Place::new().await;
    let file = with_a_second(&place);
    let check =
        async |more: &[&str]| hjemmel(&[&["check", "--config", file.to_str().unwrap()], more].concat(), &place.world.dir).await;
    let told = check(&["--json"]).await.json();
    let services: Vec<_> = told["offered"].as_array().unwrap().iter().map(|service| &service["service"]).collect();
    assert_eq!(services, ["anden-1", "terminaladgang-6"], "{told}");
    assert_eq!(told["offered"][1]["address"], place.world.service.to_string(), "{told}");
    assert_eq!(told["offered"][0]["bindings"], serde_json::json!(["token"]), "{told}");
    let index = place.original["peer"]["ydelsesindeks"]["address"].as_str().unwrap();
    let text = check(&[]).await.out;
    assert!(text.contains(&format!("by the policy terminaladgang-6 asks ydelsesindeks at {index}\n")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_asks_which_service_is_meant_where_there_are_several() {
    let place = Place::new().await;
    with_a_second(&place);
    place.file("request.xml", "<x/>");
    let commands: [&[&str]; 2] = [&["explain", "request.xml", "--json"], &["policy", "show"]];
    for command in commands {
        let command = [command, &["--config", "changed.toml"]].concat();
        let unsaid = hjemmel(&command, &place.world.dir).await;
        let says = "the configuration has several services; name one with --service NAME. There are: anden-1, terminaladgang-6";
        assert!(unsaid.code == Some(1) && unsaid.err.contains(says), "{}", unsaid.all());
        let wrong = hjemmel(&[command.as_slice(), &["--service", "terminaladgang"]].concat(), &place.world.dir).await;
        let says = "there is no service terminaladgang in the configuration; did you mean terminaladgang-6? There are: anden-1, ";
        assert!(wrong.code == Some(1) && wrong.err.contains(says), "{}", wrong.all());
    }
    let named = hjemmel(&["policy", "show", "--config", "changed.toml", "--service", "anden-1"], &place.world.dir).await;
    assert!(named.code == Some(0) && named.out.contains("terminaladgang-6"), "{}", named.all());
    let explained = ["explain", "request.xml", "--json", "--config", "changed.toml", "--service", "anden-1"];
    let explained = hjemmel(&explained, &place.world.dir).await;
    assert_eq!(explained.json()["service"], "anden-1", "{}", explained.all());

    let list = async |service: &str| {
        hjemmel(&["agreement", "list", "--json", "--config", "changed.toml", "--service", service], &place.world.dir).await
    };
    let (first, second) = (list("terminaladgang-6").await.json(), list("anden-1").await.json());
    assert!(!first.as_array().unwrap().is_empty() && second.as_array().unwrap().is_empty(), "{first} {second}");
    assert!(list("anden").await.err.contains("did you mean anden-1?"));
}
