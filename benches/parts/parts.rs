//! The parts of a call, each on a message made by the project's own tools.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use hjemmel::audit::chain::{self, Event, Head};
use hjemmel::audit::{AboutTerminalAdgang, Binding, PolicyRef, Record, Window as AuditWindow};
use hjemmel::cli::call::question::Question;
use hjemmel::id::cpr::Cpr;
use hjemmel::saml::memory::AssertionMemory;
use hjemmel::saml::{Expectations, authenticate};
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use hjemmel::services::terminaladgang::law::release::{Ask, Filter, Limits as ReleaseLimits};
use hjemmel::services::terminaladgang::law::request;
use hjemmel::services::terminaladgang::law::rules::{Asked, Naive};
use hjemmel::services::terminaladgang::law::window::Window;
use hjemmel::signature::c14n::canonical_bytes;
use hjemmel::signature::names::DSIG;
use hjemmel::signature::sign::{self, Message, SoapVersion};
use hjemmel::signature::{base64, verify};
use hjemmel::soap::document::Document;
use hjemmel::soap::envelope::Envelope;
use hjemmel::soap::reading::Reading;
use hjemmel::soap::stream::StreamReader;
use hjemmel::soap::strict::{Limits, Token};
use hjemmel::stub::population::{Population, UDK, demo};
use hjemmel::stub::ydelsesindeks::answer::{Answer, Padding};
use hjemmel::stub::ydelsesindeks::evaluate::{Index, Join};
use hjemmel::stub::ydelsesindeks::request as stub;
use quick_xml::events::Event as XmlEvent;
use uuid::Uuid;

use super::measure::Part;
use super::reading::{Pieces, now};
use super::support;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let text = include_str!("../../policies/terminaladgang-6.toml");
    Policy::read(text, Path::new("policies/terminaladgang-6.toml")).unwrap()
});
pub static SIGNED: LazyLock<Bytes> = LazyLock::new(|| {
    let token = support::issued(&support::assertion());
    let body = sign::canonical_content(&question()).unwrap();
    let message = Message { body: &body, ..support::message(SoapVersion::V12) };
    Bytes::from(sign::with_token(&message, &token, &support::CLIENT.key).unwrap())
});

/// Answers: a name, about how many bytes, and how many of them may be released.
const ANSWERS: [(&str, u64, u64); 3] = [
    ("release 12.6 KB, all released", 8_800, u64::MAX),
    ("release 97 KB, all released", 97_000, u64::MAX),
    ("release 1 MB, 5 % released", 1_000_000, 50_000),
];
/// Those that others are asked too; the larger take long to make, and under callgrind to read.
const MORE_ANSWERS: [(&str, u64, u64); 3] = [
    ("release 100 KB, 8 % released", 100_000, 5_000),
    ("release 10 MB, 5 % released", 10_000_000, 500_000),
    ("release 100 MB, 5 % released", 100_000_000, 5_000_000),
];

pub fn all() -> Vec<Part> {
    let parts = [envelope(), verification(), verification_of_a_known_token(), window(), signing(), audit()];
    let releases = ANSWERS.map(|(name, bytes, alike)| release(name, answer(bytes, alike)));
    parts.into_iter().chain(releases).collect()
}

/// The answers whose names contain `only`, large ones too, each made when it is its turn.
pub fn answers(only: &str) -> impl Iterator<Item = (Part, Bytes)> {
    let all = ANSWERS.into_iter().chain(MORE_ANSWERS).filter(move |(name, ..)| name.contains(only));
    all.map(|(name, bytes, alike)| {
        let answer = answer(bytes, alike);
        (release(name, answer.clone()), answer)
    })
}

fn question() -> Vec<u8> {
    Question::about(Cpr::parse(demo::UDK_ONLY).unwrap()).input()
}

fn document(bytes: &Bytes) -> Document {
    Document::parse(bytes.clone(), &Limits::default()).unwrap()
}

fn today() -> Window {
    Window::at(support::now(), POLICY.request().reading).unwrap()
}

/// The floor of whatever reads XML: quick-xml's events, and nothing done with them.
fn events(bytes: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_reader(bytes);
    let mut seen = 0;
    loop {
        match reader.read_event().unwrap() {
            XmlEvent::Eof => return seen,
            _ => seen += 1,
        }
    }
}

fn envelope() -> Part {
    let read = || Envelope::read(document(&SIGNED)).unwrap().must_be_signed().len();
    Part {
        name: "envelope",
        floor: "one event pass of quick-xml",
        bytes: SIGNED.len(),
        ours_work: Box::new(read),
        floor_work: Box::new(|| events(&SIGNED)),
    }
}

/// Reading and judging a signed request: the envelope, the token's signature, the message's signature, the token. `memory`:
/// how many bytes of verified tokens may be remembered.
pub fn verify_request(memory: usize) -> impl Fn() -> usize {
    let (trust, memory) = (support::trust(), AssertionMemory::new(memory, Arc::default()));
    move || {
        let envelope = Envelope::read(document(&SIGNED)).unwrap();
        let (header, security, body) = (envelope.header().unwrap(), envelope.security().unwrap(), envelope.body().unwrap());
        let parts = verify::Parts { header, security, body, must_cover: envelope.must_be_signed() };
        let expectations = Expectations { memory: Some(&memory), ..Expectations::new(&trust, support::ENTITY) };
        let (identity, _) = authenticate(envelope.document(), &parts, &expectations, support::now()).unwrap();
        identity.assertion_id().len()
    }
}

/// Cold: the memory has no room, so the token is looked for, verified and put there each time.
fn verification() -> Part {
    Part {
        name: "verification",
        floor: "2 RSA-2048 verifications, SHA-256 of what is digested, one event pass",
        bytes: SIGNED.len(),
        ours_work: Box::new(verify_request(0)),
        floor_work: Box::new(verification_floor()),
    }
}

/// The next message with a token that was verified, beside the floor of a message whose token was not.
fn verification_of_a_known_token() -> Part {
    Part { name: "verification, token known", ours_work: Box::new(verify_request(1 << 20)), ..verification() }
}

fn verification_floor() -> impl Fn() -> usize {
    let document = document(&SIGNED);
    let by_id = |id: &str| {
        let is =
            |e: &hjemmel::soap::document::Element<'_>| e.attributes().any(|a| ["Id", "ID"].contains(&a.local) && a.value == id);
        document.elements().find(is).unwrap()
    };
    let keys = [support::STS.certificate.key().clone(), support::CLIENT.certificate.key().clone()];
    let mut signed = Vec::new();
    let mut digested = Vec::new();
    for signature in document.elements().filter(|element| element.is(DSIG, "Signature")) {
        let info = signature.named(DSIG, "SignedInfo").next().unwrap();
        let value = signature.named(DSIG, "SignatureValue").next().unwrap().text().unwrap().into_owned();
        signed.push((canonical_bytes(info), base64::decode(&value).unwrap()));
        for reference in info.named(DSIG, "Reference") {
            let id = reference.attribute("", "URI").unwrap().trim_start_matches('#').to_owned();
            digested.push(canonical_bytes(by_id(&id)));
        }
    }
    // The message's reference to the token's reference digests the token itself.
    let token = document.elements().find(|element| element.local() == "Assertion").unwrap();
    digested.push(canonical_bytes(token));
    assert_eq!(signed.len(), 2, "the token's signature and the message's");
    move || {
        let mut made = events(&SIGNED);
        for bytes in &digested {
            made += usize::from(digest(&SHA256, bytes).as_ref()[0]);
        }
        for (key, (info, value)) in keys.iter().zip(&signed) {
            assert!(key.verifies(hjemmel::signature::algorithms::SignatureAlgorithm::RsaSha256, info, value));
        }
        made
    }
}

fn window() -> Part {
    let asked = Bytes::from(question());
    let read = document(&asked);
    let window = today();
    let ours = move || {
        let free = Constraint::unconstrained();
        request::check(read.root(), POLICY.request(), &window, &free).unwrap().forward().len()
    };
    let (bytes, floor) = (asked.len(), move || events(&asked));
    Part {
        name: "window",
        floor: "one event pass of quick-xml over the search",
        bytes,
        ours_work: Box::new(ours),
        floor_work: Box::new(floor),
    }
}

/// Signing the answer to a caller: certificate, Timestamp, addressing and a Body of 8.8 KB.
fn signing() -> Part {
    let body = content(&answer(8_800, u64::MAX));
    let message = body.clone();
    let ours = move || {
        let message = Message { body: &message, ..support::message(SoapVersion::V12) };
        sign::with_certificate(&message, &support::STS.certificate, &support::STS.key).unwrap().len()
    };
    let (bytes, floor) = (body.len(), move || {
        let hashed = digest(&SHA256, &body);
        support::STS.key.sign(hashed.as_ref()).unwrap().len()
    });
    Part {
        name: "signing",
        floor: "1 RSA-2048 signature, SHA-256 of the Body",
        bytes,
        ours_work: Box::new(ours),
        floor_work: Box::new(floor),
    }
}

/// One line of the audit log, without the disk: what is on disk is one write and one sync for many calls.
fn audit() -> Part {
    let mut record = Record::new(Uuid::from_u128(7), support::now(), "terminaladgang");
    record.operation = Some("fremsoeg".to_owned());
    record.binding = Some(Binding::Token);
    record.authority = Some("11111111".parse().unwrap());
    record.front_agreement = Some(Uuid::from_u128(1));
    record.back_agreements = vec![Uuid::from_u128(2)];
    let policy = PolicyRef { id: "terminaladgang-6".to_owned(), version: "1".to_owned(), digest: "0".repeat(64) };
    let mut about = AboutTerminalAdgang::new(policy, BTreeMap::new());
    about.window_applied = Some(AuditWindow { from: Some(today().from()), to: Some(today().to()) });
    record.about = about.into();
    record.legal_basis = Some("LUD § 8, stk. 1".to_owned());
    record.own_transaction = Some(uuid::Uuid::from_u128(7));
    let event = Event::Admitted(Box::new(record));
    let same = event.clone();
    let head = Head { sequence: 41, hash: [7; 32] };
    let ours = move || {
        let mut line = Vec::new();
        chain::append(&mut line, &head, support::now(), &event).unwrap();
        line.len()
    };
    let floor = move || {
        let written = serde_json::to_vec(&same).unwrap();
        written.len() + usize::from(digest(&SHA256, &written).as_ref()[0])
    };
    Part {
        name: "audit append",
        floor: "serde_json of the record, SHA-256 of it",
        bytes: 0,
        ours_work: Box::new(ours),
        floor_work: Box::new(floor),
    }
}

/// The Body of an answer about [`demo::UDK_ONLY`], of about `bytes` bytes, of which `alike` may be released.
fn answer(bytes: u64, alike: u64) -> Bytes {
    let population = Arc::new(Population::generate(1, 50, support::now()));
    let index = Index::new(Arc::clone(&population));
    let search =
        request::check(document(&Bytes::from(question())).root(), POLICY.request(), &today(), &Constraint::unconstrained());
    let forward = Bytes::copy_from_slice(search.unwrap().forward());
    let mut found = index.search(&stub::read(&document(&forward).root()).unwrap(), Join::Pointwise);
    found.effectuations.truncate(1);
    let answer = Answer { population, status: 20, text: None, found, filter: None, padding: Some(Padding { bytes, alike }) };
    Bytes::from(answer.pieces().collect::<Vec<_>>().concat())
}

/// What stands inside a Body, on its own.
fn content(body: &Bytes) -> Vec<u8> {
    let document = document(body);
    canonical_bytes(document.root().elements().next().unwrap())
}

fn release(name: &'static str, answer: Bytes) -> Part {
    let ask = Ask {
        person: Cpr::parse(demo::UDK_ONLY).unwrap(),
        window: today(),
        counterpart: [UDK.to_owned()].into(),
        names: Arc::new(BTreeMap::from([(UDK.to_owned(), "Udbetaling Danmark (test)".to_owned())])),
        kle: Constraint::unconstrained(),
        sensitivity: SensitivityConstraint::unconstrained(),
        asked: Asked::Everything,
        naive: Naive::Copenhagen,
        limits: ReleaseLimits::default(),
        decisions: false,
    };
    let whole = answer.clone();
    let ours = move || {
        let mut reader =
            StreamReader::new(Pieces { rest: whole.clone(), size: 16 * 1024 }, Limits { nodes: usize::MAX, ..Limits::default() });
        let mut filter = Filter::new(POLICY.release().clone(), ask.clone());
        assert_eq!(now(reader.next()).unwrap(), Token::Start);
        loop {
            let token = match reader.ready().unwrap() {
                Some(token) => token,
                None => now(reader.next()).unwrap(),
            };
            if token == Token::End && reader.read().depth() == 0 {
                let released = filter.finish().unwrap();
                assert!(released.counts().objects_released > 0);
                return released.body().len();
            }
            filter.feed(token, reader.read()).unwrap();
        }
    };
    Part {
        name,
        floor: "one event pass of quick-xml over the answer",
        bytes: answer.len(),
        ours_work: Box::new(ours),
        floor_work: Box::new(move || events(&answer)),
    }
}
