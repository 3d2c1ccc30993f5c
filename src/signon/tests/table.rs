//! The judge, by a table of answers; and what one table cannot say.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::refusal::Table as _;
use crate::replay::ReplayMemory;
use crate::replay::node::NodeMemory;
use crate::stub::idp::answer::{Method, UNASKED_CPR, encrypt};

fn memory() -> ReplayMemory {
    let started = now().checked_sub(jiff::SignedDuration::from_mins(1)).unwrap();
    ReplayMemory::Node(NodeMemory::new(1_000, Duration::from_secs(720), started))
}

#[test]
fn every_way_in_which_a_provider_answers_is_let_in_or_refused_for_its_own_reason() {
    for (mode, name, refusal) in Mode::ALL.iter().filter(|(mode, ..)| *mode != Mode::Again) {
        assert_eq!(code(log_on(&signatory(), *mode, &STAGE.rules)), *refusal, "{name}");
    }
}

#[tokio::test]
async fn a_person_is_known_again_and_acts_in_the_roles_of_the_privileges() {
    let memory = memory();
    let mut ids = BTreeSet::new();
    for person in idp::demo_people() {
        for mode in [Mode::Plain, Mode::Encrypted] {
            let logged_on = log_on(&person, mode, &STAGE.rules).unwrap().once(&memory, now()).await.unwrap();
            assert_eq!(logged_on.roles(), person.roles, "{}", person.name);
            assert_eq!(logged_on.organisation(), person.cvr);
            assert_eq!(logged_on.party(), (!person.roles.contains(&Role::Operator)).then_some(person.cvr));
            assert_eq!(logged_on.name(), Some(&*person.name));
            ids.insert(logged_on.id());
        }
    }
    assert_eq!(ids.len(), idp::demo_people().len(), "one id for each person, whatever the log-on");
}

#[tokio::test]
async fn an_answer_opens_one_session_and_no_second() {
    let memory = memory();
    let request = Secret::new().unwrap().request_id();
    let response = respond(&asked(&request, &signatory()), Mode::Both, &STAGE.keys).unwrap();
    let candidate = || judge(&response, Some(&request), &STAGE.rules).unwrap().person(&STAGE.rules).unwrap();
    assert!(candidate().once(&memory, now()).await.is_ok());
    assert_eq!(code(candidate().once(&memory, now()).await), Some("LogOnReplayed"));
}

#[tokio::test]
async fn what_cannot_be_told_from_a_second_use_opens_none() {
    let later = now().checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
    let began_after = ReplayMemory::Node(NodeMemory::new(10, Duration::from_secs(720), later));
    let candidate = log_on(&signatory(), Mode::Plain, &STAGE.rules).unwrap();
    assert_eq!(code(candidate.once(&began_after, now()).await), Some("LogOnMemory"));
}

#[test]
fn an_answer_is_for_the_browser_that_asked() {
    let (own, other) = (Secret::new().unwrap(), Secret::new().unwrap());
    let response = respond(&asked(&own.request_id(), &signatory()), Mode::Both, &STAGE.keys).unwrap();
    assert!(judge(&response, Some(&own.request_id()), &STAGE.rules).is_ok());
    assert_eq!(code(judge(&response, Some(&other.request_id()), &STAGE.rules)), Some("LogOnOtherRequest"));
    assert_eq!(code(judge(&response, None, &STAGE.rules)), Some("LogOnOtherRequest"), "a browser without the cookie");

    let known = Secret::from_cookie(own.expose()).unwrap();
    assert_eq!(known.request_id(), own.request_id());
    assert!(!own.request_id().as_str().contains(own.expose()), "the request does not tell the secret");
    for wrong in ["", "x", &"g".repeat(64), &"0".repeat(63), &format!("{} ", own.expose())] {
        assert!(Secret::from_cookie(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn aes_cbc_is_taken_where_it_is_turned_on_and_only_in_a_signed_response() {
    let allowing = Rules { allow_cbc: true, ..STAGE.rules.clone() };
    assert_eq!(code(log_on(&signatory(), Mode::EncryptedCbc, &allowing)), None);
    assert_eq!(code(log_on(&signatory(), Mode::CbcUnsigned, &allowing)), Some("LogOnEncryption"));
    assert_eq!(code(log_on(&signatory(), Mode::TripleDes, &allowing)), Some("LogOnEncryption"));
}

/// Every way of failing from the key on, one by one: the refusals are the same to the last letter.
#[test]
fn decryption_fails_in_one_way() {
    let request = Secret::new().unwrap().request_id();
    let person = signatory();
    let asked = asked(&request, &person);
    let to = STAGE.partner.certificate();
    let whole = String::from_utf8(respond(&asked, Mode::EncryptedResponseUnsigned, &STAGE.keys).unwrap()).unwrap();
    assert!(judge(whole.as_bytes(), Some(&request), &STAGE.rules).is_ok());
    let values: Vec<&str> = whole.split("<xenc:CipherValue>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    let [key, content] = values.as_slice() else { panic!("two cipher values") };
    let flip = |value: &str, at: usize| {
        let mut bytes = base64::decode(value).unwrap();
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= 1;
        base64::encode(&bytes)
    };
    let around = |inside: &str| {
        let start = whole.find("<saml:EncryptedAssertion").unwrap();
        format!("{}{inside}</samlp:Response>", &whole[..start])
    };
    let cases = [
        ("the key", whole.replace(key, &flip(key, 0))),
        ("a key cut short", whole.replace(key, &base64::encode(&base64::decode(key).unwrap()[..100]))),
        ("the nonce", whole.replace(content, &flip(content, 0))),
        ("the content", whole.replace(content, &flip(content, 100))),
        ("the tag", whole.replace(content, &flip(content, usize::MAX))),
        ("content cut short", whole.replace(content, &base64::encode(&[1; 20]))),
        ("no content", whole.replace(content, &base64::encode(&[1; 5]))),
        ("a key of another length", whole.replace("aes256-gcm", "aes128-gcm")),
        ("for another", around(&encrypt("<x/>", for_tests().credentials(Key::Intruder).unwrap().leaf(), Method::Gcm).unwrap())),
        ("no XML", around(&encrypt("not XML", to, Method::Gcm).unwrap())),
        ("a DTD", around(&encrypt("<!DOCTYPE x><saml:Assertion ID=\"a\"/>", to, Method::Gcm).unwrap())),
        ("another element", around(&encrypt("<saml:Advice/>", to, Method::Gcm).unwrap())),
        ("two assertions", around(&encrypt("<saml:Assertion/><saml:Assertion/>", to, Method::Gcm).unwrap())),
        ("out of its element", around(&encrypt("</opened><opened><saml:Assertion/>", to, Method::Gcm).unwrap())),
        ("an assertion in it", around(&encrypt("<saml:Assertion><saml:Assertion/></saml:Assertion>", to, Method::Gcm).unwrap())),
        ("a comment", around(&encrypt("<saml:Assertion><!-- --></saml:Assertion>", to, Method::Gcm).unwrap())),
    ];
    let refusals: BTreeSet<String> = cases
        .iter()
        .map(|(reason, response)| {
            let refusal = judge(response.as_bytes(), Some(&request), &STAGE.rules).err();
            format!("{:?}", refusal.unwrap_or_else(|| panic!("{reason} was let in")))
        })
        .collect();
    assert_eq!(refusals.into_iter().collect::<Vec<_>>(), ["LogOnDecryption"]);
}

#[test]
fn a_cpr_number_that_nobody_asked_for_is_not_even_copied() {
    let request = Secret::new().unwrap().request_id();
    let response = respond(&asked(&request, &signatory()), Mode::Cpr, &STAGE.keys).unwrap();
    assert!(String::from_utf8_lossy(&response).contains(UNASKED_CPR), "the provider sent it");
    let attested = judge(&response, Some(&request), &STAGE.rules).unwrap();
    let kept: String = attested.attributes.iter().map(|(name, values)| format!("{name} {values:?}")).collect();
    assert!(!kept.contains(UNASKED_CPR) && !kept.contains("Cpr"), "{kept}");

    let renamed = Person { name: format!("Ulla {}-{}", &UNASKED_CPR[..6], &UNASKED_CPR[6..]), ..signatory() };
    let candidate = log_on(&renamed, Mode::Plain, &STAGE.rules).unwrap();
    assert_eq!(candidate.person_for_tests().name(), None, "a name with such a number is not shown");
    let by_uuid = Person { id: "e7a61010-1999-4b0e-9d53-0a1f3c6b1001".to_owned(), ..signatory() };
    assert_eq!(code(log_on(&by_uuid, Mode::Plain, &STAGE.rules)), None, "ten digits in a UUID are none");
}

#[test]
fn a_provider_answers_for_its_own_authorities_and_operators_are_the_operators_own() {
    let mut elsewhere = signatory();
    elsewhere.cvr = "99999972".parse().unwrap();
    assert_eq!(code(log_on(&elsewhere, Mode::Plain, &STAGE.rules)), Some("LogOnAuthority"));
    let usurper = Person { roles: vec![Role::Operator], ..signatory() };
    assert_eq!(code(log_on(&usurper, Mode::Plain, &STAGE.rules)), Some("LogOnNoRole"));
    let both = Person { roles: vec![Role::Signatory, Role::SupplierAdministrator], ..signatory() };
    assert_eq!(code(log_on(&both, Mode::Plain, &STAGE.rules)), Some("LogOnNoRole"), "two sides at once");
}

#[test]
fn the_level_is_what_the_answer_says_and_each_place_that_says_it_must_say_enough() {
    let with = |assurance, contexts: &[&str]| {
        let contexts = contexts.iter().map(|context| (*context).to_owned()).collect();
        Rules { assurance, contexts, ..STAGE.rules.clone() }
    };
    let unspecified = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";
    use super::super::person::Assurance::{High, Low, Substantial};
    for (reason, mode, rules, due) in [
        ("enough", Mode::Plain, with(Substantial, &[]), None),
        ("more is asked", Mode::Plain, with(High, &[]), Some("LogOnAssurance")),
        ("low, and low is asked", Mode::LowAssurance, with(Low, &[]), None),
        ("low, and a context is taken", Mode::LowAssurance, with(Substantial, &[unspecified]), Some("LogOnAssurance")),
        ("not stated", Mode::Unspecified, with(Low, &[]), Some("LogOnAssurance")),
        ("not stated, and the context is taken", Mode::Unspecified, with(High, &[unspecified]), None),
        ("not stated, and another context is taken", Mode::Unspecified, with(Low, &["urn:x"]), Some("LogOnAssurance")),
    ] {
        assert_eq!(code(log_on(&signatory(), mode, &rules)), due, "{reason}");
    }
}

#[test]
fn while_a_provider_changes_its_key_both_hold_and_afterwards_only_the_new_one() {
    let request = Secret::new().unwrap().request_id();
    let person = signatory();
    let signed =
        |keys: &Keys| Answer::read(&base64::encode(&respond(&asked(&request, &person), Mode::Both, keys).unwrap())).unwrap();
    let signer = |key| Signer::new(credentials(key)).unwrap();
    let new = Keys { own: signer(Key::IndexSigning), other: signer(Key::Intruder) };
    let only = |certificate| idp::metadata(IDP, "https://idp.test", certificate);
    let (old_metadata, new_metadata) = (only(STAGE.keys.own.certificate()), only(new.own.certificate()));
    let descriptor = |metadata: &str| {
        let start = metadata.find("<md:KeyDescriptor").unwrap();
        metadata[start..metadata.find("</md:KeyDescriptor>").unwrap() + "</md:KeyDescriptor>".len()].to_owned()
    };
    let both = old_metadata.replace(&descriptor(&old_metadata), &(descriptor(&old_metadata) + &descriptor(&new_metadata)));
    let verdict = |metadata: &str, keys: &Keys| {
        let provider = Provider::from_metadata("test", Bytes::from(metadata.to_owned()), Answers::ForAll, now()).unwrap();
        code(signed(keys).judge(&STAGE.own, &[provider], &STAGE.rules, Some(&request), now()))
    };
    assert_eq!([verdict(&both, &STAGE.keys), verdict(&both, &new)], [None, None]);
    assert_eq!([verdict(&new_metadata, &STAGE.keys), verdict(&new_metadata, &new)], [Some("LogOnSignature"), None]);
    assert_eq!(verdict(&old_metadata.replace(IDP, "https://other.test/md"), &STAGE.keys), Some("LogOnIssuer"));
}

#[test]
fn what_is_no_response_is_refused_before_anything_is_asked_of_it() {
    for (reason, field, due) in [
        ("not base64", "%".to_owned(), "LogOnUnreadable"),
        ("too long", "A".repeat(1_000_000), "LogOnUnreadable"),
        ("not XML", base64::encode(b"hello"), "LogOnUnreadable"),
        ("a DTD", base64::encode(b"<!DOCTYPE r [<!ENTITY e SYSTEM 'http://beacon.invalid/'>]><r>&e;</r>"), "LogOnUnreadable"),
        ("another root", base64::encode(b"<Response/>"), "LogOnStructure"),
    ] {
        let judged = Answer::read(&field).and_then(|answer| answer.judge(&STAGE.own, &usual(), &STAGE.rules, None, now()));
        assert_eq!(code(judged), Some(due), "{reason}");
    }
}

#[test]
fn every_refusal_of_the_table_is_seen_in_these_tests() {
    let in_table = Mode::ALL.iter().filter_map(|(_, _, refusal)| *refusal);
    let elsewhere = ["LogOnUnreadable", "LogOnIssuer", "LogOnMemory", "LogOutUnsigned", "LogOutInvalid"];
    let seen: BTreeSet<&str> = in_table.chain(elsewhere).collect();
    let table: BTreeSet<&str> = LogOnRefusal::every().iter().map(LogOnRefusal::code).collect();
    assert_eq!(seen, table);
    for row in LogOnRefusal::every().iter().map(LogOnRefusal::row) {
        assert!(row.da.consequence.contains("session") && row.en.consequence.contains("session"));
    }
}
