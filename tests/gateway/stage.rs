//! The world of a test, and what a test says to it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use hjemmel::agreements::Store;
use hjemmel::audit::verify::verify;
use hjemmel::audit::{Record, keys};
use hjemmel::cli::call::words::Said;
use hjemmel::cli::demo::world::{ENTITY_ID, Options, STS_ENTITY_ID, World};
use hjemmel::clock::Clock;
use hjemmel::decisions::{self, Because};
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::signature::sign::{self, Message, Token};
use hjemmel::soap::envelope::Version;
use hjemmel::store::Settings;
use hjemmel::stub::pki::{self, DevPki, KeyBits, Leaf, Role, Usage};
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::sts::PrivilegeGroup;
use hjemmel::stub::sts::issue::Assertion;
use hjemmel::users::{Kind, User, rights};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::log;
use crate::tables;
use crate::wire::{self, Answer, Http, Sent};

pub const WRAPPER: &str = "http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/";
pub const AUTHORITY_CONTEXT: &str = "http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/";
pub const INDEX_ACTION: &str = "http://kombit.dk/sts/ydelseindeks/fremsoeg";
pub const WSA: &str = "http://www.w3.org/2005/08/addressing";
pub const REQUEST_HEADER: &str = "http://kombit.dk/xml/schemas/RequestHeader/1/";
pub const PRIVILEGE: &str = "http://hjemmel.example/roles/usersystemrole/terminaladgang/1";
pub const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// How many calls are worked on at once here.
pub const PLACES: usize = 3;
/// The largest message here, in bytes.
pub const REQUEST_BYTES: usize = 64 * 1024;
/// The longest text in a message here, in bytes.
pub const XML_TEXT_BYTES: usize = 16 * 1024;
/// The most that is released here, in bytes.
pub const RELEASED_BYTES: u64 = 128 * 1024;

const SETTINGS: &str = r#"
[service.terminaladgang-6]
privilege_role = "http://hjemmel.example/roles/usersystemrole/terminaladgang/1"
[sts]
deadline = "20s"
connect_timeout = "60s"
[peer.ydelsesindeks]
deadline = "20s"
connect_timeout = "60s"
breaker_failures = 3
breaker_rest = "10s"
[store]
patience = "60s"
statement_timeout = "60s"
[agreements]
cache_ttl = "1s"
max_staleness = "5s"
[limits]
concurrent_requests = 3
request_bytes = 65536
xml_text_bytes = 16384
released_bytes = 131072
body_timeout = "3s"
"#;

pub struct Stage {
    pub world: World,
    shift: Arc<AtomicI64>,
    pub started: Timestamp,
    secrets: RefCell<Vec<String>>,
    persons: HashSet<Vec<u8>>,
    log: log::Since,
    _dir: tempfile::TempDir,
}

/// Plays one test in a world of its own.
pub fn on_stage(play: impl AsyncFnOnce(&Stage)) {
    on_stage_with(SETTINGS, play);
}

/// The same, where an index and a token service that do not answer are given up after seconds that a test can wait for.
pub fn on_hasty_stage(play: impl AsyncFnOnce(&Stage)) {
    on_stage_with(&SETTINGS.replace("deadline = \"20s\"", "deadline = \"4s\""), play);
}

fn on_stage_with(settings: &str, play: impl AsyncFnOnce(&Stage)) {
    crate::process::in_runtime(async {
        let stage = Stage::build(settings).await;
        play(&stage).await;
        stage.clean().await;
    });
}

impl Stage {
    async fn build(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = log::now();
        let shift = Arc::new(AtomicI64::new(0));
        let own = shift.clone();
        let system = Clock::system();
        let clock = Clock::from_fn(move || system.now() + SignedDuration::from_secs(own.load(Ordering::SeqCst)));
        let started = clock.now();
        let world = World::start(options(dir.path(), clock, settings)).await.unwrap();
        let mut secrets = Vec::new();
        for role in Role::ALL {
            let pem = std::fs::read_to_string(dir.path().join(format!("pki/{}.key.pem", role.file_name()))).unwrap();
            secrets.push(pem.lines().nth(3).unwrap().to_owned());
        }
        for key in ["audit-keys/checkpoint.key", "audit-keys/pseudonym.key"] {
            let text = std::fs::read_to_string(dir.path().join(key)).unwrap();
            secrets.push(text.lines().find(|line| !line.starts_with("-----")).unwrap().to_owned());
        }
        let persons = world.population.persons.iter().map(|person| person.cpr.clone().into_bytes()).collect();
        Self { world, shift, started, secrets: RefCell::new(secrets), persons, log, _dir: dir }
    }

    /// Moves the clock of everybody.
    pub fn travel(&self, by: SignedDuration) {
        self.shift.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    pub fn port(&self) -> u16 {
        self.world.service.port_u16().unwrap()
    }

    // --- messages

    /// A message of the AuthorityContext binding: wrapper, the authority's number, the request.
    pub fn by_tls(&self, version: Version, authority: &str, input: &str) -> String {
        format!(
            "<s:Envelope xmlns:s=\"{}\"><s:Body><ta:FremsoegRequest xmlns:ta=\"{WRAPPER}\"><ac:AuthorityContext \
             xmlns:ac=\"{AUTHORITY_CONTEXT}\"><ac:MunicipalityCVR>{authority}</ac:MunicipalityCVR></ac:AuthorityContext>{input}\
             </ta:FremsoegRequest></s:Body></s:Envelope>",
            version.namespace()
        )
    }

    /// A token as the STS would issue it, but for what the mint changes.
    pub fn mint(&self, mint: &Mint) -> Token {
        self.mint_with(mint, |xml| xml)
    }

    /// As [`Stage::mint`]; `change` alters the assertion before it is signed.
    pub fn mint_with(&self, mint: &Mint, change: impl Fn(String) -> String) -> Token {
        let of = |role| Certificate::from_der(self.world.pki.credentials(role).unwrap().leaf()).unwrap();
        let holder = of(mint.holder);
        let (certificate, key) = (of(mint.signer), self.key(mint.signer));
        let groups = [PrivilegeGroup {
            scope: mint.cvr.clone(),
            privileges: mint.privileges.clone(),
            constraints: mint.constraints.clone(),
        }];
        let assertion = Assertion {
            issuer: &mint.issuer,
            audience: &mint.audience,
            cvr: &mint.cvr,
            holder: &holder,
            groups: &groups,
            from: self.world.clock.now() + mint.from,
            lifetime: SignedDuration::from_hours(8),
        };
        let signed = String::from_utf8(assertion.signed(&certificate, &key).unwrap()).unwrap();
        let (start, end) = (signed.find("<Signature").unwrap(), signed.find("</Signature>").unwrap() + 12);
        let bare = change(format!("{}{}", &signed[..start], &signed[end..]));
        let signed = sign::sign_enveloped(bare.as_bytes(), &key, &certificate).unwrap();
        let token = Token::from_bytes(&signed).unwrap();
        self.secret(&token);
        token
    }

    /// A token of the STS itself.
    pub async fn token(&self, role: Role, cvr: &str) -> Token {
        let token = self.world.token(role, cvr).await.unwrap().assertion().clone();
        self.secret(&token);
        token
    }

    /// From now on the token may be found nowhere.
    fn secret(&self, token: &Token) {
        let text = String::from_utf8(token.bytes().to_vec()).unwrap();
        let value = text.split("SignatureValue").nth(1).unwrap().trim_start_matches('>')[..40].to_owned();
        self.secrets.borrow_mut().extend([token.id().to_owned(), value]);
    }

    pub fn key(&self, role: Role) -> SigningKey {
        self.world.key(role).unwrap()
    }

    /// A signed message, as a client system writes it.
    pub fn signed(&self, signed: &Signed<'_>) -> String {
        let header = format!(
            "<rh:RequestHeader xmlns:rh=\"{REQUEST_HEADER}\"><rh:TransactionUUID>{}</rh:TransactionUUID></rh:RequestHeader>",
            signed.transaction
        );
        let message = Message {
            version: signed.version,
            action: Some(INDEX_ACTION),
            message_id: &signed.message_id,
            relates_to: None,
            to: Some(&signed.to.clone().unwrap_or_else(|| self.world.service.to_string())),
            reply_to: true,
            framework: signed.framework,
            created: self.world.clock.now() + signed.age,
            lifetime: SignedDuration::from_mins(5),
            extra_headers: &[header.as_bytes()],
            body: &sign::canonical_content(signed.body.as_bytes()).unwrap(),
        };
        String::from_utf8(sign::with_token(&message, signed.token, &self.key(signed.signer)).unwrap()).unwrap()
    }

    // --- calls

    /// The head of a call.
    pub fn request(&self, http: Http, version: Version) -> http::request::Builder {
        let builder = Request::builder().method("POST");
        let builder = match http {
            Http::Two => builder.uri(self.world.service.clone()),
            Http::One => builder.uri(self.world.service.path()).header("host", format!("localhost:{}", self.port())),
        };
        match version {
            Version::V11 => {
                builder.header("content-type", "text/xml; charset=utf-8").header("soapaction", format!("\"{WRAPPER}fremsoeg\""))
            }
            Version::V12 => {
                builder.header("content-type", format!("application/soap+xml; charset=utf-8; action=\"{INDEX_ACTION}\""))
            }
        }
    }

    /// Any request, on a new connection.
    pub async fn send(&self, http: Http, role: Option<Role>, request: Request<Sent>) -> hyper::Result<Answer> {
        let own = role.map(|role| self.world.pki.credentials(role).unwrap());
        let stream = wire::tls(self.world.pki.root(), self.port(), own, http).await;
        let answer = wire::send(stream, http, request).await;
        self.remember_forwarded();
        answer
    }

    /// The gateway's own token, as it has just shown it to the index: a secret of this run from now on.
    fn remember_forwarded(&self) {
        let forwarded = self.world.received.get().last;
        let forwarded = String::from_utf8_lossy(&forwarded);
        let Some((token, _)) = forwarded.rsplit_once("Assertion>") else { return assert!(forwarded.is_empty()) };
        let value = token.split("SignatureValue>").nth(1).unwrap()[..40].to_owned();
        let mut secrets = self.secrets.borrow_mut();
        if !secrets.contains(&value) {
            secrets.push(value);
        }
    }

    /// A SOAP message with the headers that belong to it.
    pub async fn call(&self, version: Version, role: Option<Role>, message: impl Into<Bytes>) -> Answer {
        let request = self.post(version).body(Sent::whole(message.into())).unwrap();
        self.send(Http::Two, role, request).await.unwrap()
    }

    /// The head of a call over HTTP/2.
    pub fn post(&self, version: Version) -> http::request::Builder {
        self.request(Http::Two, version)
    }

    /// Korsbæk asks over mutual TLS about this person.
    pub async fn ask(&self, cpr: &str) -> Answer {
        let input = crate::request::search(&crate::request::and(&[&person(cpr)]));
        self.call(Version::V11, Some(Role::Korsbaek), self.by_tls(Version::V11, KORSBAEK, &input)).await
    }

    /// The gateway serves: a good call has an answer with something in it.
    #[track_caller]
    pub fn serves<'a>(&'a self) -> impl Future<Output = Record> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.ask(hjemmel::stub::population::demo::UDK_ONLY).await;
            assert_eq!(answer.status, 200, "{place}: a good call is served: {}", answer.text());
            assert!(!lines(&answer).is_empty(), "{place}: with something in it");
            self.record(&answer)
        }
    }

    /// The audit record of the call that was answered so.
    pub fn record(&self, answer: &Answer) -> Record {
        let id = answer.header("x-call-id");
        assert!(!id.is_empty(), "an answer names its call: {answer:?}");
        self.record_of(id)
    }

    pub fn record_of(&self, id: &str) -> Record {
        loop {
            let record = self.world.records.recv_timeout(Duration::from_secs(60)).expect("the call is recorded");
            if record.call.to_string() == id {
                return record;
            }
        }
    }

    /// A fault with this code, told in both languages with the call's id, and recorded under it.
    pub fn refused(&self, answer: &Answer, code: &str) -> Record {
        let Said::Fault { code: told, texts } = Said::read(&answer.body) else {
            panic!("{code}: not a fault: {} {}", answer.status, answer.text());
        };
        assert_eq!(told, code, "{texts:?}");
        assert_eq!(texts.len(), 2, "{code}: Danish and English");
        assert!(texts[0].contains(" Kaldet ") && texts[1].contains(" The call "), "{code}: Danish first: {texts:?}");
        let id = answer.header("x-call-id");
        for text in &texts {
            assert!(text.ends_with(&format!("Call-id: {id}")) && !id.is_empty(), "{code}: {text}");
        }
        self.nobody_in(code, &answer.body);
        let record = self.record(answer);
        assert_eq!(record.refusal.as_deref(), Some(code), "the record says the same");
        record
    }

    /// No person's number in these bytes.
    fn nobody_in(&self, what: &str, bytes: &[u8]) {
        for at in 0..bytes.len().saturating_sub(9) {
            let ten = &bytes[at..at + 10];
            if ten.iter().all(u8::is_ascii_digit) && self.persons.contains(ten) {
                let around = String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).into_owned();
                panic!("{what}: a person's number after {around:?}");
            }
        }
    }

    /// Log, metrics and audit since the test began: no person, token or key; and the audit log is whole.
    async fn clean(&self) {
        let metrics = admin(self.world.admin, "/metrics").await;
        let mut all = vec![("log".to_owned(), self.log.lines()), ("metrics".to_owned(), metrics.1.into_bytes())];
        let audit = self.world.dir.join("audit");
        for entry in std::fs::read_dir(&audit).unwrap() {
            let path = entry.unwrap().path();
            all.push((path.display().to_string(), std::fs::read(path).unwrap_or_default()));
        }
        for (name, bytes) in &all {
            self.nobody_in(name, bytes);
            let text = String::from_utf8_lossy(bytes);
            for secret in self.secrets.borrow().iter() {
                assert!(!text.contains(secret), "{name} holds a token or key: {secret}");
            }
        }
        let key = keys::checkpoint_public_key(&self.world.dir.join("audit-keys/checkpoint.pub")).unwrap();
        verify(&audit, &[key], &[]).unwrap();
    }
}

/// GET on the admin listener: status and text.
pub async fn admin(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    try_admin(address, path).await.unwrap()
}

/// The same of a process that may end meanwhile.
pub async fn try_admin(address: std::net::SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    status.map(|status| (status, text)).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

pub fn options(dir: &Path, clock: Clock, extra: &str) -> Options {
    // One PKI for all worlds of the process: making keys would be most of what the tests do.
    static PKI: LazyLock<Arc<DevPki>> =
        LazyLock::new(|| Arc::new(DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap()));
    tables::in_world(dir);
    let (dir, extra) = (dir.to_path_buf(), extra.to_owned());
    Options { dir, port: 0, seed: 1, persons: 50, clock, extra, pki: Some(PKI.clone()) }
}

/// Adds the auditor R. Visor of Korsbæk to a world's store: the options by which a question is signed, from the world's folder.
pub async fn auditor(world: &World, store: &Settings) -> [&'static str; 4] {
    auditor_of(world, store, "R. Visor", KORSBAEK, "auditor").await;
    ["--signed-certificate", "pki/auditor.pem", "--signed-key", "pki/auditor.key.pem"]
}

/// Adds an auditor of an authority to a world's store, with certificate and key in files of this name in its folder `pki`.
pub async fn auditor_of(world: &World, store: &Settings, name: &str, cvr: &str, file: &str) {
    let (id, now) = (Uuid::new_v4(), world.clock.now());
    let leaf = Leaf {
        common_name: name.to_owned(),
        organization: "Prøve Kommune".to_owned(),
        cvr: cvr.to_owned(),
        uuid: id.to_string(),
        usage: Usage::System,
        not_before: now - SignedDuration::from_hours(24),
        not_after: now + SignedDuration::from_hours(24 * 30),
    };
    let credentials = world.pki.issue(&leaf).unwrap();
    let write = |ending: &str, text: String| std::fs::write(world.dir.join(format!("pki/{file}{ending}")), text).unwrap();
    write(".pem", pki::pem("CERTIFICATE", credentials.leaf()));
    write(".key.pem", pki::pem("PRIVATE KEY", credentials.key().secret_der()));
    let certificate = Certificate::from_der(credentials.leaf()).unwrap();
    let user = User {
        id,
        person: id,
        name: name.to_owned(),
        kind: Kind::Person,
        party: Some(cvr.parse().unwrap()),
        roles: vec![rights::Role::Auditor],
        services: Vec::new(),
        certificates: vec![(*certificate.thumbprint()).into()],
        valid_from: now,
        valid_to: None,
        known: hjemmel::users::Known::default(),
    };
    let store = Store::open(store).await.unwrap();
    let because = Because::new("tilsyn".to_owned(), now);
    decisions::user::add(&store, None, &user.sound().unwrap(), &[certificate], &because).await.unwrap();
    store.close().await;
}

/// The effectuations of an answer, in words; a fault fails the test.
#[track_caller]
pub fn lines(answer: &Answer) -> Vec<String> {
    match Said::read(&answer.body) {
        Said::Answer { lines, .. } => lines,
        other => panic!("not an answer: {} {other:?}", answer.status),
    }
}

/// `B(P)`
pub fn person(cpr: &str) -> String {
    crate::request::grant(&crate::request::party(&crate::request::cpr(cpr)))
}

/// What a token says.
pub struct Mint {
    pub issuer: String,
    pub audience: String,
    pub cvr: String,
    pub holder: Role,
    pub privileges: Vec<String>,
    pub constraints: Vec<(String, String)>,
    pub from: SignedDuration,
    pub signer: Role,
}

impl Default for Mint {
    fn default() -> Self {
        Self {
            issuer: STS_ENTITY_ID.to_owned(),
            audience: ENTITY_ID.to_owned(),
            cvr: KORSBAEK.to_owned(),
            holder: Role::Korsbaek,
            privileges: vec![PRIVILEGE.to_owned()],
            constraints: Vec::new(),
            from: SignedDuration::ZERO,
            signer: Role::StsSigning,
        }
    }
}

/// A signed message.
pub struct Signed<'a> {
    pub version: Version,
    pub token: &'a Token,
    pub signer: Role,
    pub message_id: String,
    pub transaction: Uuid,
    pub to: Option<String>,
    pub framework: bool,
    pub age: SignedDuration,
    pub body: String,
}

impl<'a> Signed<'a> {
    pub fn new(version: Version, token: &'a Token, body: impl Into<String>) -> Self {
        Self {
            version,
            token,
            signer: Role::Korsbaek,
            message_id: format!("urn:uuid:{}", Uuid::new_v4()),
            transaction: Uuid::new_v4(),
            to: None,
            framework: false,
            age: SignedDuration::ZERO,
            body: body.into(),
        }
    }
}
