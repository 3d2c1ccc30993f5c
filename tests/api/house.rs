//! The API on a listener of its own, with users who have certificates.

use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hjemmel::agreements::import::Import;
use hjemmel::agreements::rules::Rules;
use hjemmel::agreements::system::System;
use hjemmel::agreements::{Store, Thumbprint, Vocabulary};
use hjemmel::api::problem::overloaded;
use hjemmel::api::{Clients, Served};
use hjemmel::clock::Clock;
use hjemmel::config::EdgeLimits;
use hjemmel::decisions::{Because, user};
use hjemmel::edge::http::boxed;
use hjemmel::edge::refused::Refusals;
use hjemmel::edge::serve::{Readiness, Transport, serve};
use hjemmel::edge::tls::{Prepared, ServerTls};
use hjemmel::metrics::Metrics;
use hjemmel::revocation::domain::Domain;
use hjemmel::signature::credentials::Credentials;
use hjemmel::signature::key::Certificate;
use hjemmel::store::Settings;
use hjemmel::stub::pki::{DevPki, KeyBits, Leaf, Role as Of, Usage};
use hjemmel::trust::clients::{ClientCertificate, ClientTrust};
use hjemmel::users::rights::Role;
use hjemmel::users::{Kind, User};
use hjemmel::work::Work;
use http::Request;
use jiff::SignedDuration;
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::tables;
use crate::wire::{self, Answer, Http, Sent};

pub const OWN: &str = "11111111";
pub const OTHER: &str = "99999981";
pub const COMPANY: &str = "99999991";
pub const SERVICE: &str = "3053ec89-31fe-4206-878b-bba6783d7a88";
/// The supplier's client system, and Korsbæk's own.
pub const SYSTEM: &str = "00000000-0000-4000-8000-0000000000aa";
pub const OWN_SYSTEM: &str = "00000000-0000-4000-8000-0000000000bb";
/// The largest body here, in bytes.
pub const BODY: usize = 256 * 1024;

pub fn pki() -> &'static DevPki {
    static PKI: OnceLock<DevPki> = OnceLock::new();
    PKI.get_or_init(|| DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap())
}

/// A certificate for somebody, with a key that no other has in this test. The tests share the keys: making them was half of the
/// processor's time.
pub fn certificate(name: &str, cvr: &str) -> Credentials {
    thread_local! { static MADE: Cell<usize> = const { Cell::new(0) }; }
    static KEYS: Mutex<Vec<PrivateKeyDer<'static>>> = Mutex::new(Vec::new());
    let mine = MADE.replace(MADE.get() + 1);
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = keys.get(mine).map(PrivateKeyDer::clone_key) {
        drop(keys);
        return pki().issue_to(&key, &leaf(name, cvr)).unwrap();
    }
    let credentials = pki().issue(&leaf(name, cvr)).unwrap();
    keys.push(credentials.key().clone_key());
    credentials
}

fn leaf(name: &str, cvr: &str) -> Leaf {
    let now = Clock::system().now();
    Leaf {
        common_name: name.to_owned(),
        organization: "Prøve".to_owned(),
        cvr: cvr.to_owned(),
        uuid: Uuid::new_v4().to_string(),
        usage: Usage::System,
        not_before: now - SignedDuration::from_hours(24),
        not_after: now + SignedDuration::from_hours(48),
    }
}

/// The certificates of both systems, whose keys are theirs alone in all tests.
fn systems() -> &'static [(Uuid, &'static str, Certificate); 2] {
    static SYSTEMS: OnceLock<[(Uuid, &'static str, Certificate); 2]> = OnceLock::new();
    SYSTEMS.get_or_init(|| {
        [(SYSTEM, COMPANY), (OWN_SYSTEM, OWN)].map(|(id, party)| {
            (id.parse().unwrap(), party, Certificate::from_der(pki().issue(&leaf("Fagsystem", party)).unwrap().leaf()).unwrap())
        })
    })
}

/// SHA-256 of the certificate of a system.
pub fn thumbprint(system: &str) -> String {
    let of = systems().iter().find(|(id, ..)| id.to_string() == system).unwrap();
    Thumbprint::from(*of.2.thumbprint()).to_string()
}

/// Registers both systems with their certificates.
async fn register_systems(store: &Store) {
    let at = Clock::system().now();
    let mut change = store.change().await.unwrap();
    for (id, party, certificate) in systems() {
        let party = Some(party.parse().unwrap());
        let (name, contact) = ("Fagsystem A".to_owned(), "drift@example.dk".to_owned());
        change.write_system(&System { id: *id, party, name, contact, made_at: at, changed_at: at }).await.unwrap();
        change.add_system_certificate(*id, certificate, at).await.unwrap();
    }
    change.commit().await.unwrap();
}

/// Who asks: a certificate, and the user whom it belongs to.
#[derive(Clone)]
pub struct Who {
    pub id: Uuid,
    pub credentials: Credentials,
}

pub struct House {
    pub store: Store,
    pub port: u16,
    pub mailboxes: hjemmel::files::partner::core::Mailboxes,
    pub rules: Arc<Rules>,
    pub operator: Who,
    pub supplier: Who,
    pub owner: Who,
    pub responsible: Who,
    pub signatory: Who,
    pub other_signatory: Who,
    pub _dir: tempfile::TempDir,
}

impl House {
    pub async fn build() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = match on_postgres().await {
            Some(settings) => settings,
            None => tables::in_file(&dir.path().join("store.sqlite")).await,
        };
        Self::on(Store::open(&settings).await.unwrap(), dir).await
    }

    /// The same on a store that is there.
    pub async fn on(store: Store, dir: tempfile::TempDir) -> Self {
        Self::within(EdgeLimits { request_bytes: BODY, ..EdgeLimits::default() }, store, dir).await
    }

    /// The same within other limits.
    pub async fn within(limits: EdgeLimits, store: Store, dir: tempfile::TempDir) -> Self {
        Self::serving(store.clone(), limits, store, dir).await
    }

    /// The same where requests are served from `served`, which leads to the same database as `store`.
    pub async fn serving(served: Store, limits: EdgeLimits, store: Store, dir: tempfile::TempDir) -> Self {
        let authorities = format!(
            "[[authority]]\ncvr = \"{OWN}\"\nname = \"Korsbæk Kommune\"\nrole = \"municipality\"\n\
             [[authority]]\ncvr = \"{OTHER}\"\nname = \"Andeby Kommune\"\nrole = \"municipality\"\n"
        );
        let words = Vocabulary { roles: vec!["municipality", "udk"], ..Vocabulary::default() };
        store.import(&Import::parse(&authorities, &words).unwrap(), Clock::system().now()).await.unwrap();
        register_systems(&store).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let roots = [pki().root().clone(), pki().issuing().clone()];
        let trust = ClientTrust::new(&roots, Domain::unasked(), ClientCertificate::Required).unwrap();
        let tls = Prepared::with_roots(pki().credentials(Of::GatewayServer).unwrap(), &roots, ClientCertificate::Required);
        let mailboxes = crate::mailboxes::open(&store, dir.path());
        let rules = Arc::<Rules>::default();
        let served = Served::new(hjemmel::api::Settings {
            mailboxes: Some(mailboxes.clone()),
            store: served,
            clients: Arc::new(Clients::new(Arc::new(trust))),
            clock: Clock::system(),
            own: vec!["192.0.2.9:9464".parse().unwrap()],
            notices: Arc::default(),
            rules: rules.clone(),
            doors: Arc::default(),
            body_bytes: BODY,
            decided: Arc::new(Notify::new()),
            answered: Box::new(|_, _| {}),
        });
        tokio::spawn(serve(
            listener,
            Transport::Tls(Arc::new(ServerTls::new(tls.unwrap()))),
            limits,
            Work::unbounded(),
            Refusals::answering("api", Arc::new(Metrics::new().unwrap()), |headers| overloaded(headers).map(boxed)),
            Readiness::new(),
            move |peer| served.service(peer.chain().clone()),
            std::future::pending(),
        ));
        let person = async |name: &str, role, party| user_of(&store, name, Kind::Person, role, party).await;
        Self {
            operator: person("O. Drift", Role::Operator, None).await,
            supplier: person("L. Leverandør", Role::SupplierAdministrator, Some(COMPANY)).await,
            owner: person("E. Ejer", Role::SystemOwner, Some(OWN)).await,
            responsible: person("A. Ansvarlig", Role::SystemResponsible, Some(OWN)).await,
            signatory: person("U. Underskriver", Role::Signatory, Some(OWN)).await,
            other_signatory: person("A. Anden", Role::Signatory, Some(OTHER)).await,
            store,
            mailboxes,
            rules,
            port,
            _dir: dir,
        }
    }

    pub async fn ask(&self, who: &Who, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let body = body.map(|body| serde_json::to_vec(body).unwrap());
        let json = [("content-type", "application/json")];
        let all: Vec<_> = if body.is_some() { json.iter().chain(headers).copied().collect() } else { headers.to_vec() };
        self.send(who, method, path, &all, body.unwrap_or_default()).await
    }

    pub async fn send(&self, who: &Who, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", format!("localhost:{}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let stream = wire::tls(pki().root(), self.port, Some(&who.credentials), Http::One).await;
        let request = request.header("content-length", body.len()).body(Sent::whole(body)).unwrap();
        wire::send(stream, Http::One, request).await.unwrap()
    }

    pub async fn get(&self, who: &Who, path: &str) -> Answer {
        self.ask(who, "GET", path, &[], None).await
    }

    /// Requests an agreement for an authority, and gives it as it was answered.
    pub async fn requested(&self, who: &Who, authority: &str) -> Value {
        let mut body = request(authority);
        if self.store.user(who.id).await.unwrap().party == Some(OWN.parse().unwrap()) {
            (body["system"], body["certificates"]) = (json!(OWN_SYSTEM), json!([thumbprint(OWN_SYSTEM)]));
        }
        let answer = self.ask(who, "POST", "/api/v1/agreements", &[], Some(&body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        value(&answer)
    }

    pub async fn decide(&self, who: &Who, agreement: &Value, decision: &str) -> Answer {
        let (id, etag) = (text(agreement, "id"), text(agreement, "etag"));
        let body = json!({"decision": decision, "reason": "sag 7", "shown": agreement["text_sha256"]});
        let path = format!("/api/v1/agreements/{id}/decisions");
        self.ask(who, "POST", &path, &[("if-match", etag)], Some(&body)).await
    }
}

/// Every second test, by its name, is on PostgreSQL where that is installed. `HJEMMEL_API_STORE=postgres`, or `=sqlite`, has all
/// of them on one.
async fn on_postgres() -> Option<Settings> {
    let thread = std::thread::current();
    let letters: usize = thread.name().unwrap_or_default().bytes().map(usize::from).sum();
    if !std::env::var("HJEMMEL_API_STORE").map_or(letters % 2 == 1, |store| store == "postgres") {
        return None;
    }
    let (cluster, name) = tables::on_cluster().await?;
    println!("this test is on PostgreSQL");
    Some(tables::patient(cluster.settings(&name)))
}

/// A user of this role, added by whoever holds the store.
pub async fn user_of(store: &Store, name: &str, kind: Kind, role: Role, party: Option<&str>) -> Who {
    user_for(store, (name, kind), role, party, Vec::new()).await
}

/// A user of some services alone.
pub async fn user_for(store: &Store, (name, kind): (&str, Kind), role: Role, party: Option<&str>, services: Vec<Uuid>) -> Who {
    let credentials = certificate(name, party.unwrap_or("99999999"));
    let certificate = Certificate::from_der(credentials.leaf()).unwrap();
    let id = Uuid::new_v4();
    let user = User {
        id,
        person: id,
        name: name.to_owned(),
        kind,
        party: party.map(|cvr| cvr.parse().unwrap()),
        roles: vec![role],
        services,
        certificates: vec![Thumbprint::from(*certificate.thumbprint())],
        valid_from: Clock::system().now() - SignedDuration::from_hours(1),
        valid_to: None,
        known: hjemmel::users::Known::default(),
    };
    let because = Because::new("prøve".to_owned(), Clock::system().now());
    user::add(store, None, &user.clone().sound().unwrap(), &[certificate], &because).await.unwrap();
    Who { id: user.id, credentials }
}

/// A request that is in order.
pub fn request(authority: &str) -> Value {
    json!({
        "side": "front", "system": SYSTEM, "certificates": [thumbprint(SYSTEM)], "service": SERVICE,
        "authority": authority, "environment": "exttest", "valid_from": "2026-01-01T00:00:00+01:00",
        "legal_basis": "LUD § 8, stk. 1", "purpose": "prøve", "reason": "sag 1", "name": "Sygedagpenge i Fagsystem A",
        "kind": "without-passing-on", "justification": "Sagsbehandlere slår ydelser op", "contract": "DBA-2026-17",
        "categories": ["ydelser"], "retention": "slettes efter 5 år"
    })
}

pub fn value(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{} {}", answer.status, answer.text()))
}

pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is no text in {value}"))
}

/// The answer is this problem, whole.
#[track_caller]
pub fn is_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{code}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json", "{code}");
    let problem = value(answer);
    assert_eq!(text(&problem, "code"), code, "{problem}");
    assert_eq!(problem["status"], status, "{problem}");
    assert_eq!(text(&problem, "type"), format!("/api/v1/problems#{code}"));
    assert!(
        text(&problem, "title").ends_with('.') && text(&problem, "detail").ends_with('.'),
        "it says how to mend it: {problem}"
    );
    assert!(text(&problem, "instance").starts_with("urn:uuid:"), "{problem}");
}
