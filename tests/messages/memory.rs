//! A token that was verified once and is remembered: whatever may have changed since is asked of every message anew.

use std::sync::Arc;

use crate::forge::*;
use hjemmel::refusal::Refusal;
use hjemmel::saml::memory::{AssertionMemory, Counts, Stats};
use hjemmel::saml::trust::{Issuer, Trust};
use hjemmel::saml::{Expectations, Identity, authenticate};
use hjemmel::signature::base64;
use hjemmel::signature::sign::{self, SoapVersion};
use jiff::{SignedDuration, Timestamp};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

struct Service {
    trust: Trust,
    entity: &'static str,
    now: Timestamp,
    counts: Arc<Counts>,
    memory: Arc<AssertionMemory>,
}

impl Service {
    fn new(bytes: usize) -> Self {
        let counts = Arc::<Counts>::default();
        let memory = Arc::new(AssertionMemory::new(bytes, counts.clone()));
        Self { trust: trust(), entity: ENTITY, now: now(), counts, memory }
    }

    /// Which has seen the good token.
    fn that_knows() -> Self {
        let service = Self::new(1 << 20);
        service.accept(&request()).unwrap();
        assert_eq!((service.counts.stats(), service.memory.entries()), (Stats { hits: 0, misses: 1 }, 1));
        service
    }

    fn accept(&self, xml: &str) -> Result<Identity, Refusal> {
        let document = parse(xml)?;
        let parts = parts(&document)
            .ok_or(Refusal::EnvelopeStructure { what: hjemmel::refusal::Detail::new("i testen", "in the test") })?;
        let expectations = Expectations { memory: Some(&self.memory), ..Expectations::new(&self.trust, self.entity) };
        authenticate(&document, &parts, &expectations, self.now).map(|(identity, _)| identity)
    }

    /// The refusal of a message whose token is known.
    fn refuses_though_it_knows(&self, xml: &str) -> &'static str {
        let before = self.counts.stats();
        let refusal = self.accept(xml).unwrap_err();
        assert_eq!(self.counts.stats(), Stats { hits: before.hits + 1, ..before }, "the token is remembered");
        refusal.code()
    }
}

/// Another message with the good token.
fn later(created: SignedDuration) -> String {
    let created = now() + created;
    let message =
        sign::Message { message_id: "urn:uuid:00000000-0000-4000-8000-00000000000a", created, ..message(SoapVersion::V12) };
    let token = issued(&assertion());
    String::from_utf8(sign::with_token(&message, &token, &CLIENT.key).unwrap()).unwrap()
}

#[test]
fn the_next_message_with_a_token_finds_it_known_and_the_same_is_said_of_it() {
    let service = Service::that_knows();
    let first = Service::new(1 << 20).accept(&request()).unwrap();
    let again = service.accept(&later(SignedDuration::ZERO)).unwrap();
    assert_eq!(service.counts.stats(), Stats { hits: 1, misses: 1 });
    let said = |identity: &Identity| {
        let (cvr, name, id) = (identity.cvr().to_owned(), identity.name_id().to_owned(), identity.assertion_id().to_owned());
        (cvr, name, id, identity.holder().clone(), identity.not_on_or_after(), identity.privileges().clone())
    };
    assert_eq!(said(&first), said(&again));
    assert_ne!(first.message_created(), again.message_created(), "the message's own time is its own");
}

#[test]
fn every_forged_message_is_refused_alike_whether_its_token_is_known_or_not() {
    let service = Service::that_knows();
    let mut wrong = Vec::new();
    for Group { sentence, cases, .. } in groups() {
        for (reason, forged, _) in cases {
            let (cold, warm) = (accept(&forged), service.accept(&forged));
            // Compared by what is told, the reference of a digest that differs too.
            if cold.as_ref().err() != warm.as_ref().err() || warm.is_ok() {
                wrong.push(format!("{sentence}: {reason}: {:?}, known: {:?}", cold.err(), warm.err()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let Stats { hits, misses } = service.counts.stats();
    assert!(hits > 20 && misses > 50, "{hits} with the known token, {misses} with others");
    assert_eq!(service.memory.entries(), 1, "what was refused is not remembered");
}

#[test]
fn any_changed_byte_of_a_known_token_makes_it_another() {
    let service = Service::that_knows();
    let good = request();
    let token = piece(&good, "<Assertion ", "</Assertion>");
    let start = good.find(token).unwrap();
    // Places in markup, names, values, digest, signature and certificate by turns.
    let mut unknown = 0;
    for place in (0..token.len()).step_by(23) {
        let mut changed = good.clone().into_bytes();
        let byte = &mut changed[start + place];
        *byte = if *byte == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let (cold, warm) = (accept(&changed), service.accept(&changed));
        assert_eq!(cold.as_ref().err(), warm.as_ref().err(), "byte {place}");
        unknown += 1;
    }
    assert!(unknown > 150 && service.counts.stats().hits == 0, "none of them was taken for the known one");
}

/// The bytes of a token say nothing by themselves about what its prefixes mean.
#[test]
fn the_bytes_of_a_known_token_among_other_namespaces_are_another_token() {
    // As a stack that declares its prefixes once, on the envelope, sends it; exc-c14n writes the same canonical bytes.
    let declared = format!(" xmlns:a=\"{XSI}\"");
    let outside = request().replace(&declared, "").replacen("<soap:Envelope ", &format!("<soap:Envelope{declared} "), 1);
    let service = Service::new(1 << 20);
    service.accept(&outside).unwrap();
    service.accept(&outside).unwrap();
    assert_eq!(service.counts.stats(), Stats { hits: 1, misses: 1 });

    let token = |xml: &str| piece(xml, "<Assertion ", "</Assertion>").to_owned();
    let elsewhere = |namespace: &str| outside.replacen(&declared, &format!(" xmlns:a=\"{namespace}\""), 1);
    for forged in [
        elsewhere("urn:example:other"),
        elsewhere("http://www.w3.org/2001/XMLSchema-instanc"),
        // Bound anew nearer by, on Security.
        outside.replacen("<wsse:Security ", "<wsse:Security xmlns:a=\"urn:example:other\" ", 1),
        // Not bound at all: the strict reader refuses it.
        outside.replacen(&declared, "", 1),
    ] {
        assert_eq!(token(&forged), token(&outside), "the token's bytes are those that are known");
        let (cold, warm) = (accept(&forged), service.accept(&forged));
        assert!(cold.is_err());
        assert_eq!(cold.err(), warm.err());
    }
    assert_eq!(service.counts.stats().hits, 1, "none of them was taken for the known one");

    // Declarations that change nothing make it unknown, and it is verified anew: slower, never wrong.
    let more = outside.replacen(&declared, &format!("{declared} xmlns:unused=\"urn:example:unused\""), 1);
    service.accept(&more).unwrap();
    assert_eq!(service.counts.stats(), Stats { hits: 1, misses: 5 });
}

#[test]
fn a_known_token_ends_when_it_says_so() {
    let mut service = Service::that_knows();
    let until = now() + SignedDuration::from_hours(7);
    let skew = SignedDuration::from_secs(60);
    for (ahead, code) in [(skew - SignedDuration::from_secs(1), None), (skew, Some("TokenExpired"))] {
        service.now = until + ahead;
        let message = later(service.now.duration_since(now()));
        assert_eq!(service.accept(&message).err().map(|refusal| refusal.code()), code);
    }
    assert_eq!(service.counts.stats(), Stats { hits: 2, misses: 1 });
}

#[test]
fn a_known_token_ends_with_its_confirmation_and_with_its_holders_certificate() {
    // The confirmation ends before the token does, as some issuers write it.
    let mut service = Service::new(1 << 20);
    let good = assertion();
    let data = piece(&good, "<SubjectConfirmationData ", ">");
    let short = issued(&good.replace(data, &data.replace(&at(7 * 3600), &at(600))));
    service.accept(&request_with(&short, &CLIENT)).unwrap();
    service.now = now() + SignedDuration::from_secs(660);
    let message = sign::Message { created: service.now, ..message(SoapVersion::V12) };
    let message = String::from_utf8(sign::with_token(&message, &short, &CLIENT.key).unwrap()).unwrap();
    assert_eq!(service.refuses_though_it_knows(&message), "TokenExpired");

    // A token that is issued an hour before the holder's certificate (and the issuer's, which is as old) ends.
    let end: Timestamp = "2028-01-01T00:00:00Z".parse().unwrap();
    let mut service = Service::new(1 << 20);
    let shift = end.duration_since(now()) - SignedDuration::from_hours(1);
    let moved = |at: i64| (now() + shift + SignedDuration::from_secs(at)).to_string();
    let late = good.replace(&at(-3600), &moved(-3600)).replace(&at(7 * 3600), &moved(6 * 3600));
    let late = issued(&late);
    let at = |when: Timestamp| {
        let message = sign::Message { created: when, ..crate::forge::message(SoapVersion::V12) };
        String::from_utf8(sign::with_token(&message, &late, &CLIENT.key).unwrap()).unwrap()
    };
    service.now = end - SignedDuration::from_secs(5);
    service.accept(&at(service.now)).unwrap();
    service.now = end + SignedDuration::from_secs(5);
    assert_eq!(service.refuses_though_it_knows(&at(service.now)), "TokenIssuerUntrusted", "the issuer's certificate ended");
}

#[test]
fn a_known_token_counts_for_nothing_once_its_issuers_key_is_not_trusted() {
    for (reason, trust) in [
        ("another key of the same issuer", Issuer::from_certificates(ISSUER, vec![STRANGER.certificate.clone()]).unwrap()),
        (
            "another issuer with the same key",
            Issuer::from_certificates("https://other.example", vec![STS.certificate.clone()]).unwrap(),
        ),
    ] {
        // The gateway makes a new memory with new trust; even one that is kept gives nothing.
        let mut service = Service::that_knows();
        service.trust = Trust::new(vec![trust]);
        assert_eq!(service.accept(&later(SignedDuration::ZERO)).unwrap_err().code(), "TokenIssuerUntrusted", "{reason}");
        service.trust = crate::forge::trust();
        service.accept(&later(SignedDuration::ZERO)).expect("and counts again when it is");
    }
}

#[test]
fn a_known_token_counts_for_no_other_service() {
    let mut service = Service::that_knows();
    service.entity = "http://other.example";
    assert_eq!(service.refuses_though_it_knows(&later(SignedDuration::ZERO)), "TokenAudience");
}

#[test]
fn a_known_token_counts_for_the_holder_of_its_key_alone() {
    let service = Service::that_knows();
    let token = issued(&assertion());
    assert_eq!(service.refuses_though_it_knows(&request_with(&token, &STRANGER)), "SignatureInvalid");
    assert_eq!(service.refuses_though_it_knows(&request_with(&token, &STS)), "SignatureInvalid");
}

#[test]
fn what_the_message_signs_is_digested_anew_though_the_token_is_known() {
    let service = Service::that_knows();
    let altered = request().replace(PERSON, "6101801235");
    assert_eq!(service.refuses_though_it_knows(&altered), "DigestMismatch");
    // Its holder can sign any digest of the token: only the token's own is taken.
    let good = request();
    let to_token = piece(&good, "#STR-Transform", "</ds:Reference>");
    let digest = piece(to_token, "<ds:DigestValue>", "</ds:DigestValue>");
    let forged = resign(&in_signature(&good, digest, &format!("<ds:DigestValue>{}</ds:DigestValue>", base64::encode(&[7; 32]))));
    assert_eq!(service.refuses_though_it_knows(&forged), "DigestMismatch");
    service.accept(&later(SignedDuration::from_secs(-400))).expect_err("and the message's own time is judged");
}

#[test]
fn a_stolen_token_takes_up_no_room() {
    let service = Service::new(1 << 20);
    let token = issued(&assertion());
    service.accept(&request_with(&token, &STRANGER)).unwrap_err();
    assert_eq!(service.memory.entries(), 0);
}

#[test]
fn the_memory_is_bounded() {
    let service = Service::new(100_000);
    for n in 0..30 {
        service.accept(&request_with(&issued(&assertion().replace("_token", &format!("_token{n}"))), &CLIENT)).unwrap();
    }
    assert_eq!(service.counts.stats().misses, 30);
    // Each takes twice its length and 8 KiB: about 17 KB here.
    assert!((1..=6).contains(&service.memory.entries()), "{}", service.memory.entries());
}
