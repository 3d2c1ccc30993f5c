//! The record as it stands in the log: what is written is read back, and what nobody wrote is not read.

use std::borrow::Cow;

use hjemmel::audit::{Counts, Sealed};
use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;

use super::*;

/// Every field that a record of TerminalAdgang can have, as this form was first written.
const TERMINALADGANG: &str = concat!(
    r#"{"call":"00000000-0000-0000-0000-000000000001","opened_at":"2026-11-22T12:00:00.123456789Z","service":"terminaladgang-6","#,
    r#""operation":"fremsoeg","binding":"token","client_system":"00000000-0000-0000-0000-000000000002","#,
    r#""certificate":"5555555555555555555555555555555555555555555555555555555555555555","authority":"11111111","#,
    r#""front_agreement":"00000000-0000-0000-0000-000000000003","back_agreements":["00000000-0000-0000-0000-000000000004"],"#,
    r#""policy":{"id":"terminaladgang-6","version":"1","digest":"66"},"legal_basis":"Lov § 8","purpose":"Prøve","#,
    r#""persons":[{"pseudonym":"77","key":"88","enc":"AA==","wrapped":"AA==","ciphertext":"AA=="}],"persons_left_out":2,"#,
    r#""window_asked":{"from":"2026-09-01T00:00:00Z","to":null},"#,
    r#""window_applied":{"from":"2026-08-31T22:00:00Z","to":"2026-12-01T00:00:00Z"},"#,
    r#""settings":{"future":"release","outside":"refuse","person_check":"prove"},"#,
    r#""released":{"objects":{"released":3},"fields":{"period":3}},"removed":{"objects":{"grant":1},"fields":{"unnamed":40}},"#,
    r#""outcome":"refused","refusal":"PeerFault","caller_transaction":"00000000-0000-0000-0000-000000000005","#,
    r#""own_transaction":"00000000-0000-0000-0000-000000000006","timings_us":{"envelope":12,"seal":7},"duration_us":99}"#,
);

/// Every field that a pass-through service adds, and no other but those without which there is no record.
const PASS_THROUGH: &str = concat!(
    r#"{"call":"00000000-0000-0000-0000-000000000001","opened_at":"2026-11-22T12:00:00Z","service":"finans","schema":"99","#,
    r#""receiver":"22222222","route":"00000000-0000-0000-0000-000000000007","delivery":"aa","outcome":"served"}"#,
);

/// What an import of persons adds.
const PERSONS: &str = concat!(
    r#"{"call":"00000000-0000-0000-0000-000000000001","opened_at":"2026-11-29T12:00:00Z","service":"personimport","#,
    r#""import":{"persons":3,"statuses":{"AFVIST":1,"OPRETTET":2},"findings":{"PER003":1},"repeated":true},"outcome":"served"}"#,
);

/// A call that was refused before anything was known of it.
const EARLY: &str = concat!(
    r#"{"call":"00000000-0000-0000-0000-000000000001","opened_at":"2026-11-22T12:00:00Z","service":"terminaladgang-6","#,
    r#""released":{},"removed":{},"outcome":"refused","refusal":"MalformedXml"}"#,
);

fn read(text: &str) -> Result<Record, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn a_record_of_each_service_is_read_and_written_back_to_the_same_bytes() {
    for text in [TERMINALADGANG, PASS_THROUGH, PERSONS, EARLY] {
        assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), text);
    }
}

#[test]
fn whose_record_it_is_follows_from_its_fields() {
    let about = |text: &str| read(text).unwrap().about;
    assert_eq!(about(TERMINALADGANG).terminaladgang().unwrap().policy.digest, "66");
    assert_eq!(about(PASS_THROUGH).passthrough().unwrap().schema, "99");
    assert_eq!(about(PERSONS).persons().unwrap().statuses["OPRETTET"], 2);
    assert_eq!(about(EARLY), About::Nothing);
}

#[test]
fn no_service_fills_in_what_another_adds() {
    let about = |text: &str| read(text).unwrap().about;
    assert!(about(PASS_THROUGH).terminaladgang_mut().is_none() && about(EARLY).terminaladgang_mut().is_none());
    assert!(about(TERMINALADGANG).passthrough_mut().is_none() && about(EARLY).passthrough_mut().is_none());
}

#[test]
fn a_record_with_fields_of_two_services_is_not_read() {
    let policy = r#""policy":{"id":"terminaladgang-6","version":"1","digest":"66"},"schema""#;
    let window = r#""window_applied":{"from":null,"to":null},"schema""#;
    for added in [policy, window, r#""settings":{"future":"release"},"schema""#, r#""released":{},"schema""#] {
        let mixed = PASS_THROUGH.replace("\"schema\"", added);
        assert!(read(&mixed).unwrap_err().contains("fields of two services"), "{mixed}");
    }
}

#[test]
fn a_record_of_persons_with_fields_of_another_service_is_not_read() {
    for added in [r#""schema":"99","import""#, r#""released":{},"import""#] {
        let mixed = PERSONS.replace("\"import\"", added);
        assert!(read(&mixed).unwrap_err().contains("fields of two services"), "{mixed}");
    }
}

#[test]
fn a_record_without_what_its_service_always_says_is_not_read() {
    let policy = r#""policy":{"id":"terminaladgang-6","version":"1","digest":"66"},"#;
    assert!(read(&TERMINALADGANG.replace(policy, "")).unwrap_err().contains("without `policy`"));
    assert!(read(&PASS_THROUGH.replace(r#""schema":"99","#, "")).unwrap_err().contains("without `schema`"));
}

#[test]
fn a_record_with_a_field_that_is_not_known_is_not_read() {
    let more = EARLY.replace(r#""outcome""#, r#""about":{},"outcome""#);
    assert!(read(&more).unwrap_err().contains("unknown field `about`"));
}

#[test]
fn a_delivery_is_found_by_its_id_and_the_log_does_not_hold_the_id() {
    let house = House::new();
    let mark = |id: &str| {
        let key = keys::pseudonym_key(&house.key("pseudonym.key")).unwrap();
        serde_json::to_string(&key.delivery(id)).unwrap()
    };
    let sealer = keys::sealer(&house.key("pseudonym.key"), &house.key("auditors.pub")).unwrap();
    let id = format!("leverance om {CPR}");
    assert_eq!(serde_json::to_string(&sealer.delivery(&id)).unwrap(), mark(&id));
    assert_ne!(mark(&id), mark("leverance"));
    assert!(!mark(&id).contains(CPR));
    let person = keys::pseudonym_key(&house.key("pseudonym.key")).unwrap().pseudonym(CPR).unwrap();
    assert!(!mark(CPR).contains(&person), "a person and a delivery of the same text are two things");
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (-2_000_000_000_i64..4_000_000_000, 0..1_000_000_000).prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap())
}

fn cvr() -> impl Strategy<Value = hjemmel::id::cvr::Cvr> {
    "[0-9]{8}".prop_map(|text| text.parse().unwrap())
}

fn window() -> impl Strategy<Value = Window> {
    (option::of(instant()), option::of(instant())).prop_map(|(from, to)| Window { from, to })
}

fn counts() -> impl Strategy<Value = Counts> {
    let by_rule = || btree_map("[a-z-]{1,9}", any::<u64>(), 0..3);
    let places = || btree_map("[a-z-]{1,9}", btree_map("[A-Z/a-z]{1,9}", any::<u64>(), 1..3), 0..3);
    (by_rule(), by_rule(), places()).prop_map(|(objects, fields, places)| Counts { objects, fields, places })
}

fn terminaladgang() -> impl Strategy<Value = About> {
    let settings = btree_map("[a-z_]{1,9}", "\\PC{0,9}", 0..3);
    let policy = ("\\PC{0,9}", "\\PC{0,9}", "[0-9a-f]{64}").prop_map(|(id, version, digest)| PolicyRef { id, version, digest });
    (policy, settings, option::of(window()), option::of(window()), counts(), counts()).prop_map(
        |(policy, settings, window_asked, window_applied, released, removed)| {
            let about = AboutTerminalAdgang::new(policy, settings);
            AboutTerminalAdgang { window_asked, window_applied, released, removed, ..about }.into()
        },
    )
}

fn passthrough() -> impl Strategy<Value = About> {
    let delivery = option::of("[0-9a-f]{64}".prop_map(|text| serde_json::from_value(text.into()).unwrap()));
    ("[0-9a-f]{64}", option::of(cvr()), option::of(uuid()), delivery).prop_map(|(schema, receiver, route, delivery)| {
        let for_all = receiver.is_none() && route.is_some();
        AboutPassThrough { receiver, for_all, route, delivery, ..AboutPassThrough::new(schema) }.into()
    })
}

fn about() -> impl Strategy<Value = About> {
    prop_oneof![Just(About::Nothing), terminaladgang(), passthrough()]
}

fn sealed() -> impl Strategy<Value = Sealed> {
    ("[0-9a-f]{64}", "[0-9a-f]{16}", "[A-Za-z0-9+/]{9}").prop_map(|(pseudonym, key, text)| Sealed {
        pseudonym,
        key,
        enc: text.clone(),
        wrapped: text.clone(),
        ciphertext: text,
    })
}

prop_compose! {
    fn who()(
        operation in option::of("\\PC{0,9}"),
        binding in option::of(prop_oneof![Just(Binding::Token), Just(Binding::AuthorityContext)]),
        client_system in option::of(uuid()),
        certificate in option::of(any::<[u8; 32]>().prop_map(Thumbprint::from)),
        authority in option::of(cvr()),
        front_agreement in option::of(uuid()),
        back_agreements in vec(uuid(), 0..3),
        legal_basis in option::of("\\PC{0,9}"),
        purpose in option::of("\\PC{0,9}"),
        persons in vec(sealed(), 0..3),
    ) -> Record {
        Record {
            operation, binding, client_system, certificate, authority, front_agreement, back_agreements, legal_basis, purpose,
            persons, ..Record::new(Uuid::nil(), Timestamp::UNIX_EPOCH, "")
        }
    }
}

prop_compose! {
    fn record()(
        who in who(),
        call in uuid(),
        opened_at in instant(),
        service in "\\PC{0,9}",
        persons_left_out in any::<u64>(),
        own in (option::of(uuid()), option::of(uuid())),
        ended in (
            option::of(prop_oneof![Just(Outcome::Served), Just(Outcome::Refused), Just(Outcome::Abandoned)]),
            option::of("[A-Za-z]{1,9}"),
        ),
        took in (btree_map("[a-z]{1,9}".prop_map(Cow::Owned), any::<u64>(), 0..3), option::of(any::<u64>())),
        about in about(),
    ) -> Record {
        Record {
            call, opened_at, service, persons_left_out, about,
            caller_transaction: own.0, own_transaction: own.1, outcome: ended.0, refusal: ended.1,
            timings_us: took.0, duration_us: took.1, ..who
        }
    }
}

proptest! {
    #[test]
    fn whatever_a_record_says_it_says_after_it_was_written_and_read(record in record()) {
        let text = serde_json::to_string(&record).unwrap();
        prop_assert_eq!(read(&text).unwrap(), record);
    }
}
