//! A whole gateway: what is decided over its API opens and closes calls, and stands in its audit chain, once.

use std::time::Duration;

use hjemmel::agreements::Thumbprint;
use hjemmel::audit::decided::decisions;
use hjemmel::audit::verify::verify;
use hjemmel::audit::{Decided, Subject, keys};
use hjemmel::cli::call::client::Client;
use hjemmel::cli::call::question::Question;
use hjemmel::cli::demo::world::{Options, World};
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::{DevPki, KeyBits, Role};
use hjemmel::stub::population::{KORSBAEK, demo};
use http::Request;
use serde_json::{Value, json};

use crate::house::{SERVICE, text, value};
use crate::wire::{self, Answer, Http, Sent};

const SETTINGS: &str = "[agreements]\ncache_ttl = \"1s\"\n[store]\npatience = \"60s\"\nstatement_timeout = \"60s\"\n\
     [sts]\nconnect_timeout = \"60s\"\n[peer.ydelsesindeks]\nconnect_timeout = \"60s\"\n";

async fn ask(world: &World, role: Role, method: &str, path: &str, etag: &str, body: Option<&Value>) -> Answer {
    let body = body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    if !body.is_empty() {
        request = request.header("content-type", "application/json").header("content-length", body.len());
    }
    if !etag.is_empty() {
        request = request.header("if-match", etag);
    }
    let own = world.pki.credentials(role).unwrap();
    let stream = wire::tls(world.pki.root(), world.api().unwrap().port(), Some(own), Http::Two).await;
    wire::send(stream, Http::Two, request.body(Sent::whole(body)).unwrap()).await.unwrap()
}

/// The supplier registers a system and its certificate.
async fn register(world: &World, system: &str, own: Role) {
    let named = json!({"id": system, "name": "Fagsystem A", "contact": "drift@example.dk", "reason": "sag 1"});
    let registered = ask(world, Role::PersonSupplier, "POST", "/api/v1/systems", "", Some(&named)).await;
    assert_eq!(registered.status, 201, "{}", registered.text());
    let credentials = world.pki.credentials(own).unwrap();
    let certificate = hjemmel::pem::encode("CERTIFICATE", credentials.leaf()).to_string();
    let proof = hjemmel::decisions::system::prove(credentials, system.parse().unwrap()).unwrap();
    let added = json!({"certificate": certificate, "proof": proof, "reason": "sag 1"});
    let changes = format!("/api/v1/systems/{system}/changes");
    let added = ask(world, Role::PersonSupplier, "POST", &changes, registered.header("etag"), Some(&added)).await;
    assert_eq!(added.status, 200, "{}", added.text());
}

async fn decide(world: &World, role: Role, agreement: &Value, decision: &str) -> Value {
    let path = format!("/api/v1/agreements/{}/decisions", text(agreement, "id"));
    let body = json!({"decision": decision, "reason": "sag 7", "shown": agreement["text_sha256"]});
    let answer = ask(world, role, "POST", &path, text(agreement, "etag"), Some(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    value(&answer)
}

/// Calls until the gateway has seen what was decided.
async fn until(world: &World, status: u16) {
    let input = Question::about(Cpr::parse(demo::UDK_ONLY).unwrap()).input();
    let client = world.client(Some(Role::Intruder)).unwrap();
    let called = async {
        loop {
            let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), &input);
            if client.send(Version::V11, message).await.unwrap().status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), called).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_passes_from_the_approval_to_the_end_and_each_decision_stands_in_the_chain_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let pki = std::sync::Arc::new(DevPki::generate(&clock, KeyBits::Bits2048).unwrap());
    let options =
        Options { dir: dir.path().to_owned(), port: 0, seed: 1, persons: 50, clock, extra: SETTINGS.to_owned(), pki: Some(pki) };
    let world = World::start(options).await.unwrap();
    until(&world, 500).await;
    let certificate = Thumbprint::of_der(world.pki.credentials(Role::Intruder).unwrap().leaf());
    register(&world, Role::Intruder.uuid(), Role::Intruder).await;
    let request = json!({
        "side": "front", "system": Role::Intruder.uuid(), "certificates": [certificate.to_string()], "service": SERVICE,
        "authority": KORSBAEK, "environment": "demo", "valid_from": "2026-01-01T00:00:00+01:00",
        "legal_basis": "Lov om Udbetaling Danmark § 8, stk. 1", "purpose": "prøve", "reason": "sag 1",
        "name": "Ydelser i Fagsystem A", "kind": "without-passing-on", "justification": "Sagsbehandlere slår ydelser op",
        "contract": "DBA-2026-17", "categories": ["ydelser"], "retention": "slettes efter 5 år"
    });
    let asked = ask(&world, Role::PersonSupplier, "POST", "/api/v1/agreements", "", Some(&request)).await;
    assert_eq!(asked.status, 201, "{}", asked.text());
    let approved = decide(&world, Role::PersonSignatory, &value(&asked), "approve").await;
    until(&world, 200).await;
    let ended = decide(&world, Role::PersonSupplier, &approved, "end").await;
    until(&world, 500).await;
    world.stop().await;

    let log = dir.path().join("audit");
    let key = keys::checkpoint_public_key(&dir.path().join("audit-keys/checkpoint.pub")).unwrap();
    let verified = verify(&log, &[key], &[]).unwrap();
    let found = decisions(&log).unwrap();
    let own = 2 + 1 + 3;
    assert_eq!(
        verified.decided,
        7 + 2 * 7 + own,
        "the demo's users and agreements; the system, its certificate, a request, three on it"
    );
    assert!(found.iter().all(|(_, times)| *times == 1), "{found:?}");
    let id = text(&ended, "id");
    let is_on_it = |decided: &&Decided| decided.subject == Subject::Agreement && decided.id.to_string() == id;
    let on_agreement: Vec<&Decided> = found.iter().map(|(decided, _)| decided).filter(is_on_it).collect();
    let users = [Role::PersonSupplier, Role::PersonSignatory, Role::PersonSupplier];
    let states = [(None, "ANMODET"), (Some("ANMODET"), "GODKENDT"), (Some("GODKENDT"), "OPSAGT")];
    assert_eq!(on_agreement.len(), states.len());
    for ((decided, role), (from, to)) in on_agreement.iter().zip(users).zip(states) {
        assert_eq!((decided.from.as_deref(), &*decided.to, decided.id.to_string().as_str()), (from, to, id));
        assert_eq!(decided.user.unwrap().to_string(), role.uuid());
        let shown = Thumbprint::of_der(hjemmel_leaf(&dir, role).as_slice());
        assert_eq!(decided.certificate, Some(shown), "the certificate that TLS proved");
    }
    let lines = std::fs::read_to_string(log.join("segment-00000001.jsonl")).unwrap();
    for word in ["Demo Underskriver", "Demo Leverandør", "sag 7", "sag 1"] {
        assert!(!lines.contains(word), "no name and no words of a person in the chain: {word}");
    }
    golden(&on_agreement);
}

fn hjemmel_leaf(dir: &tempfile::TempDir, role: Role) -> Vec<u8> {
    let file = dir.path().join(format!("pki/{}.pem", role.file_name()));
    hjemmel::signature::credentials::certificates_from_pem_file(&file).unwrap()[0].to_vec()
}

/// The record's JSON as auditors read it: names and their order, what differs from run to run replaced by its kind.
fn golden(decisions: &[&Decided]) {
    let mut shape = String::new();
    for decided in decisions {
        let mut line = serde_json::to_value(decided).unwrap();
        for (name, value) in line.as_object_mut().unwrap() {
            match name.as_str() {
                "decision" | "id" => *value = "<uuid>".into(),
                "decided_at" => *value = "<instant>".into(),
                "certificate" | "shown_sha256" => *value = "<sha256>".into(),
                _ => {}
            }
        }
        shape += &serde_json::to_string_pretty(&line).unwrap();
        shape.push('\n');
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/golden/decided.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, &shape).unwrap();
    }
    let due = std::fs::read_to_string(file).unwrap_or_default();
    assert!(shape == due, "tests/api/golden/decided.json says otherwise: {shape}");
}
