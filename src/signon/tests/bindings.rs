//! Requests, log-outs, addresses and metadata.

use super::*;
use crate::refusal::logon::LogOnRefusal;
use crate::signature::names::{METADATA, SAML};
use crate::signature::verify::verify_metadata;
use crate::signon::logout::{Leaving, leave, left, ordered};
use crate::signon::names::{SAMLP, XENC11};
use crate::signon::redirect::{self, Kind, Query};
use crate::signon::request::{local_path, log_on};
use crate::signon::response::NameId;
use crate::soap::document::Document;
use crate::soap::strict::Limits;

fn query(address: &str) -> &str {
    address.split_once('?').unwrap().1
}

fn parsed(xml: Vec<u8>) -> Document {
    Document::parse(Bytes::from(xml), &Limits::default()).unwrap()
}

#[test]
fn a_request_is_signed_and_says_who_asks_where_to_answer_and_how_sure_to_be() {
    let secret = Secret::new().unwrap();
    let provider = provider(Answers::ForAll);
    let address = log_on(&STAGE.own, &provider, &STAGE.rules, &secret, "/agreements?state=ANMODET", now()).unwrap();
    assert!(address.starts_with("https://idp.test/sso?SAMLRequest="));
    let read = Query::read(query(&address)).unwrap();
    read.verify(&[STAGE.partner.key().clone()]).unwrap();
    assert_eq!(read.relay_state().as_deref(), Some("/agreements?state=ANMODET"));
    let document = parsed(read.message().unwrap());
    let root = document.root();
    assert!(root.is(SAMLP, "AuthnRequest"));
    assert_eq!(root.attribute("", "ID"), Some(secret.request_id().as_str()));
    assert_eq!(root.attribute("", "AssertionConsumerServiceURL"), Some("https://console.test/saml/acs"));
    assert_eq!(root.attribute("", "Destination"), Some("https://idp.test/sso"));
    assert_eq!(root.only(SAML, "Issuer").unwrap().unwrap().text().unwrap(), "https://console.test/saml/metadata");
    let context = root.descendants().find(|element| element.is(SAML, "AuthnContextClassRef")).unwrap();
    assert_eq!(context.text().unwrap(), "https://data.gov.dk/concept/core/nsis/loa/Substantial");
}

#[test]
fn after_a_log_on_one_goes_to_a_page_of_the_consoles_own_and_nowhere_else() {
    for (relay_state, page) in [
        ("/", "/"),
        ("/agreements", "/agreements"),
        ("/agreements?state=ANMODET&page=2", "/agreements?state=ANMODET&page=2"),
        ("", "/"),
        ("agreements", "/"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example/", "/"),
        ("/a\\b", "/"),
        ("\t//elsewhere.example/", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("/\u{a0}/elsewhere.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/saml/logout", "/"),
        (&format!("/{}", "a".repeat(200)), "/"),
    ] {
        assert_eq!(local_path(relay_state), page, "{relay_state:?}");
    }
}

fn order(session: Option<&str>) -> String {
    idp::log_out_request(IDP, STAGE.own.log_out(), "korsbaek-1", session, now())
}

fn sent(xml: &str, relay_state: Option<&str>) -> String {
    redirect::address(STAGE.own.log_out(), Kind::Request, xml.as_bytes(), relay_state, STAGE.keys.own.key()).unwrap()
}

fn follow(raw: &str) -> Result<crate::signon::logout::Order, LogOnRefusal> {
    ordered(&Query::read(raw)?, &STAGE.own, &usual(), &STAGE.rules, now())
}

#[test]
fn a_provider_ends_the_session_it_names_or_all_of_that_name() {
    let one = follow(query(&sent(&order(Some("_s1")), None))).unwrap();
    assert!(one.ends(IDP, "korsbaek-1", Some("_s1")));
    assert!(!one.ends(IDP, "korsbaek-1", Some("_s2")) && !one.ends(IDP, "korsbaek-1", None));
    let all = follow(query(&sent(&order(None), Some("back")))).unwrap();
    assert!(all.ends(IDP, "korsbaek-1", Some("_s2")) && all.ends(IDP, "korsbaek-1", None));
    assert!(!all.ends(IDP, "korsbaek-2", None), "another person's stay");
    assert!(!all.ends("https://other.test/md", "korsbaek-1", None), "another provider's stay");

    let address = sent(&order(None), Some("back"));
    let read = Query::read(query(&address)).unwrap();
    let answer = all.answer(&read, &STAGE.own, now()).unwrap().unwrap();
    assert!(answer.starts_with("https://idp.test/slo?SAMLResponse="));
    let answered = Query::read(query(&answer)).unwrap();
    answered.verify(&[STAGE.partner.key().clone()]).unwrap();
    assert_eq!(answered.relay_state().as_deref(), Some("back"));
}

#[test]
fn an_order_without_its_signature_over_the_query_as_it_came_ends_nothing() {
    let good = sent(&order(None), Some("a b"));
    let raw = query(&good);
    assert!(follow(raw).is_ok());
    let cut = raw.split("&SigAlg=").next().unwrap();
    let other = raw.replace("RelayState=a%20b", "RelayState=c");
    let respelt = raw.replace("RelayState=a%20b", "RelayState=a+b");
    let sha1 = raw.replace("2001%2F04%2Fxmldsig-more%23rsa-sha256", "2000%2F09%2Fxmldsig%23rsa-sha1");
    let expired = sent(&order(None).replace(&format!("{:.3}", now())[..10], "2020-01-01"), None);
    let elsewhere = sent(&order(None).replace("https://console.test", "https://elsewhere.test"), None);
    let stranger = sent(&order(None).replace(IDP, "https://other.test/md"), None);
    let nameless = sent(&order(None).replace("saml:NameID", "saml:BaseID"), None);
    for (reason, raw, due) in [
        ("unsigned", cut, "LogOutUnsigned"),
        ("only the algorithm", raw.split("&Signature=").next().unwrap(), "LogOutUnsigned"),
        ("another RelayState", &other, "LogOnSignature"),
        ("the same RelayState, spelt otherwise", &respelt, "LogOnSignature"),
        ("SHA-1", &sha1, "LogOnAlgorithm"),
        ("an empty signature", &format!("{}&Signature=", raw.split("&Signature=").next().unwrap()), "LogOnSignature"),
        ("too old", query(&expired), "LogOutInvalid"),
        ("for another", query(&elsewhere), "LogOutInvalid"),
        ("from another", query(&stranger), "LogOutInvalid"),
        ("of nobody", query(&nameless), "LogOutInvalid"),
        ("a parameter twice", &format!("{raw}&RelayState=x"), "LogOutInvalid"),
        ("both messages", &format!("{raw}&SAMLResponse=x"), "LogOutInvalid"),
        ("none", "RelayState=x", "LogOutInvalid"),
    ] {
        assert_eq!(code(follow(raw)), Some(due), "{reason}");
    }
}

#[test]
fn a_small_query_that_inflates_to_a_megabyte_is_refused_at_the_limit() {
    let bomb = order(None).replace("</samlp:LogoutRequest>", &format!("{}</samlp:LogoutRequest>", " ".repeat(1 << 20)));
    let address = sent(&bomb, None);
    assert!(address.len() < 8_000, "it is small: {}", address.len());
    assert_eq!(code(follow(query(&address))), Some("LogOutInvalid"));
    assert_eq!(code(Query::read(&"a".repeat(100_000)).map(drop)), Some("LogOutInvalid"));
}

#[test]
fn who_leaves_is_named_to_the_provider_as_the_provider_named_them() {
    let name_id = NameId {
        value: "a<b>&\"c".to_owned(),
        format: Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned()),
        qualifiers: [Some("https://idp.test/md".to_owned()), None],
    };
    let person = Leaving { name_id, session: Some("_s1".to_owned()) };
    let provider = provider(Answers::ForAll);
    let address = leave(&STAGE.own, &provider, &person, now()).unwrap().unwrap();
    let read = Query::read(query(&address)).unwrap();
    read.verify(&[STAGE.partner.key().clone()]).unwrap();
    let document = parsed(read.message().unwrap());
    let named = document.root().only(SAML, "NameID").unwrap().unwrap();
    assert_eq!(named.text().unwrap(), "a<b>&\"c");
    assert_eq!(named.attribute("", "NameQualifier"), Some("https://idp.test/md"));
    assert_eq!(document.root().only(SAMLP, "SessionIndex").unwrap().unwrap().text().unwrap(), "_s1");

    let response = |status: &str| {
        format!(
            "<samlp:LogoutResponse xmlns:saml=\"{SAML}\" xmlns:samlp=\"{SAMLP}\" Destination=\"{}\" ID=\"_r\" IssueInstant=\"{:.3}\" \
             Version=\"2.0\"><saml:Issuer>{IDP}</saml:Issuer><samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{status}\"/>\
             </samlp:Status></samlp:LogoutResponse>",
            STAGE.own.log_out(),
            now()
        )
    };
    for (status, success) in [("Success", true), ("Requester", false)] {
        let address =
            redirect::address(STAGE.own.log_out(), Kind::Response, response(status).as_bytes(), None, STAGE.keys.own.key());
        let address = address.unwrap();
        assert_eq!(left(&Query::read(query(&address)).unwrap(), &STAGE.own, &usual(), &STAGE.rules, now()), Ok(success));
    }
}

#[test]
fn the_consoles_metadata_are_signed_and_ask_for_gcm_first() {
    let document = parsed(STAGE.own.metadata().unwrap());
    verify_metadata(document.root(), &[STAGE.partner.key().clone()]).unwrap();
    let role = document.root().only(METADATA, "SPSSODescriptor").unwrap().unwrap();
    assert_eq!(role.attribute("", "AuthnRequestsSigned"), Some("true"));
    assert_eq!(role.attribute("", "WantAssertionsSigned"), Some("true"));
    let methods: Vec<&str> = role
        .descendants()
        .filter(|element| element.is(METADATA, "EncryptionMethod"))
        .filter_map(|method| method.attribute("", "Algorithm"))
        .collect();
    assert_eq!(methods[0], format!("{XENC11}aes256-gcm"));
    assert!(methods.iter().all(|method| !method.contains("cbc") && !method.contains("rsa-1_5")), "{methods:?}");
}

#[test]
fn metadata_that_are_not_one_providers_are_not_taken() {
    let good = idp::metadata(IDP, "https://idp.test", STAGE.keys.own.certificate());
    let read = |xml: &str| Provider::from_metadata("test", Bytes::from(xml.to_owned()), Answers::ForAll, now());
    assert!(read(&good).is_ok());
    let single = |what: &str| good.replace(what, "md:Other");
    for (reason, xml) in [
        ("a DTD", format!("<!DOCTYPE x>{good}")),
        ("several entities", format!("<md:EntitiesDescriptor xmlns:md=\"{METADATA}\">{good}</md:EntitiesDescriptor>")),
        ("another namespace", good.replace(METADATA, "urn:example:other")),
        ("no provider", single("md:IDPSSODescriptor")),
        ("no place to log on", single("md:SingleSignOnService")),
        ("no key", single("md:KeyDescriptor")),
        ("a script", good.replace("https://idp.test", "javascript:alert(1)//")),
        ("a line of its own", good.replace("https://idp.test/sso", "https://idp.test/&#10;x")),
        ("no XML", "hello".to_owned()),
    ] {
        assert!(read(&xml).is_err(), "{reason}");
    }
}
