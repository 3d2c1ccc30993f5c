//! What a token must say, each rule with a token that breaks it and is signed by the right issuer; and the clock.

use crate::support::*;
use bytes::Bytes;
use hjemmel::saml::metadata::Entity;
use hjemmel::saml::trust::{Issuer, TrustError};
use hjemmel::signature::base64;
use hjemmel::signature::c14n::{Exclusive, canonicalise};
use hjemmel::signature::sign::{self, SoapVersion, Token};
use hjemmel::signature::verify::{verify_issued, verify_metadata};
use jiff::SignedDuration;

#[test]
fn a_token_that_breaks_a_rule_is_refused_though_its_issuer_signed_it() {
    let good = assertion();
    let certificate = piece(&good, "<X509Certificate>", "</X509Certificate>");
    let data = piece(&good, "<X509Data>", "</X509Data>");
    let restriction = piece(&good, "<AudienceRestriction>", "</AudienceRestriction>");
    let audience = piece(&good, "<Audience>", "</Audience>");
    let confirmation = piece(&good, "<SubjectConfirmation ", "</SubjectConfirmation>");
    let cvr = piece(&good, "<Attribute Name=\"dk:gov:saml:attribute:CvrNumberIdentifier\"", "</Attribute>");
    let value = piece(cvr, "<AttributeValue", "</AttributeValue>");
    let statement = piece(&good, "<AttributeStatement>", "</AttributeStatement>");
    let conditions = piece(&good, "<Conditions ", ">");
    let confirmed = piece(&good, "<SubjectConfirmationData ", ">");
    let level = |text: &str| good.replace(">3</AttributeValue>", &format!(">{text}</AttributeValue>"));
    let lasts = |from: &str, to: &str| {
        good.replace(conditions, &conditions.replace("2026-11-22T11:00:00Z", from).replace("2026-11-22T19:00:00Z", to))
    };
    let confirmed_for = |from: &str, to: &str| {
        good.replace(confirmed, &confirmed.replace("2026-11-22T11:00:00Z", from).replace("2026-11-22T19:00:00Z", to))
    };
    let (hok, twice) = ("cm:holder-of-key", |piece: &str| piece.repeat(2));
    let cases: Vec<(&str, String, &str)> = vec![
        ("bearer", good.replace(hok, "cm:bearer"), "HolderOfKey"),
        ("sender-vouches", good.replace(hok, "cm:sender-vouches"), "HolderOfKey"),
        ("a method with a suffix", good.replace(hok, "cm:holder-of-key:x"), "HolderOfKey"),
        ("two confirmations", good.replace(confirmation, &twice(confirmation)), "HolderOfKey"),
        (
            "bearer beside holder-of-key",
            good.replace(confirmation, &format!("{}{confirmation}", confirmation.replace(hok, "cm:bearer"))),
            "HolderOfKey",
        ),
        ("no confirmation", good.replace(confirmation, ""), "HolderOfKey"),
        ("two certificates", good.replace(certificate, &twice(certificate)), "HolderOfKey"),
        ("two X509Data", good.replace(data, &twice(data)), "HolderOfKey"),
        ("no key", good.replace(data, ""), "HolderOfKey"),
        ("a key by name", good.replace(data, "<KeyName>x</KeyName>"), "HolderOfKey"),
        ("a certificate that is none", good.replace(certificate, "<X509Certificate>AAAA</X509Certificate>"), "HolderOfKey"),
        ("another audience", good.replace(audience, "<Audience>http://other.example</Audience>"), "TokenAudience"),
        ("an audience with a suffix", good.replace(audience, &audience.replace("/6<", "/66<")), "TokenAudience"),
        ("an audience with a slash", good.replace(audience, &audience.replace("/6<", "/6/<")), "TokenAudience"),
        ("an audience cut short", good.replace(audience, &audience.replace("/6<", "/<")), "TokenAudience"),
        ("an audience in capitals", good.replace(audience, &audience.replace("entityid", "ENTITYID")), "TokenAudience"),
        ("an audience with white space", good.replace(audience, &audience.replace("/6<", "/6 <")), "TokenAudience"),
        (
            "two audiences",
            good.replace(audience, &format!("{audience}<Audience>http://other.example</Audience>")),
            "TokenAudience",
        ),
        ("two restrictions", good.replace(restriction, &twice(restriction)), "TokenInvalid"),
        ("no restriction", good.replace(restriction, ""), "TokenInvalid"),
        ("a condition that is not known", good.replace(restriction, &format!("{restriction}<OneTimeUse/>")), "TokenInvalid"),
        (
            "another recipient",
            good.replace(&format!("Recipient=\"{ENTITY}\""), "Recipient=\"http://other.example\""),
            "TokenAudience",
        ),
        ("no recipient", good.replace(&format!("Recipient=\"{ENTITY}\""), ""), "TokenAudience"),
        ("another issuer", good.replace(ISSUER, "https://other.example"), "TokenIssuerUntrusted"),
        ("an issuer with a suffix", good.replace(ISSUER, &format!("{ISSUER}/")), "TokenIssuerUntrusted"),
        ("version 1.1", good.replace("Version=\"2.0\"", "Version=\"1.1\""), "TokenInvalid"),
        ("no version", good.replace(" Version=\"2.0\"", ""), "TokenInvalid"),
        ("expired", lasts("2026-11-22T05:00:00Z", "2026-11-22T11:59:00Z"), "TokenExpired"),
        ("not yet", lasts("2026-11-22T12:01:01Z", "2026-11-22T19:00:00Z"), "TokenExpired"),
        ("inverted", lasts("2026-11-22T19:00:00Z", "2026-11-22T11:00:00Z"), "TokenInvalid"),
        ("without a zone", lasts("2026-11-22T11:00:00", "2026-11-22T19:00:00"), "TokenInvalid"),
        ("the year 10000", lasts("2026-11-22T11:00:00Z", "10000-11-22T19:00:00Z"), "TokenInvalid"),
        ("for ten years", lasts("2026-11-22T11:00:00Z", "2036-11-22T11:00:00Z"), "TokenInvalid"),
        ("for a second too long", lasts("2026-11-22T11:00:00Z", "2026-11-22T19:01:01Z"), "TokenInvalid"),
        ("a confirmation that has expired", confirmed_for("2026-11-22T05:00:00Z", "2026-11-22T11:59:00Z"), "TokenExpired"),
        ("a confirmation not yet", confirmed_for("2026-11-22T12:01:01Z", "2026-11-22T19:00:00Z"), "TokenExpired"),
        (
            "a confirmation without an end",
            good.replace(confirmed, &confirmed.replace("NotOnOrAfter=\"2026-11-22T19:00:00Z\"", "")),
            "TokenInvalid",
        ),
        ("an address that nobody checks", good.replace("Recipient=", "Address=\"10.0.0.1\" Recipient="), "TokenInvalid"),
        ("issued in the future", good.replace("IssueInstant=\"2026-11-22T11", "IssueInstant=\"2026-11-22T13"), "TokenInvalid"),
        ("two attributes with a CVR", good.replace(cvr, &twice(cvr)), "TokenInvalid"),
        (
            "two values of the CVR",
            good.replace(value, &format!("{value}{}", value.replace("11111111", "99999991"))),
            "TokenInvalid",
        ),
        ("a CVR of nine digits", good.replace(">11111111<", ">111111111<"), "TokenInvalid"),
        ("a CVR with a space", good.replace(">11111111<", ">1111111 <"), "TokenInvalid"),
        ("a CVR in other digits", good.replace(">11111111<", ">١١١١١١١١<"), "TokenInvalid"),
        ("no CVR", good.replace(cvr, ""), "TokenInvalid"),
        ("an element in the CVR", good.replace(">11111111<", ">1111<x/>1111<"), "TokenInvalid"),
        ("xsi:nil", good.replace(value, &value.replace("a:type=\"xs:string\"", "a:nil=\"true\"")), "TokenInvalid"),
        ("another profile", good.replace("DK-SAML-2.0", "DK-SAML-3.0"), "TokenInvalid"),
        ("another KombitSpecVer", good.replace(">1.0<", ">2.0<"), "TokenInvalid"),
        ("assurance level 2", level("2"), "TokenInvalid"),
        ("assurance level in words", level("three"), "TokenInvalid"),
        ("Advice", good.replace("<AttributeStatement>", "<Advice/><AttributeStatement>"), "TokenInvalid"),
        ("two attribute statements", good.replace(statement, &twice(statement)), "TokenInvalid"),
        ("privileges that are no base64", good.replace("PHN", "*").replace("PGI6UHJpdm", "*"), "TokenInvalid"),
    ];
    accept(&request()).unwrap();
    for (reason, token, code) in cases {
        assert_ne!(token, good, "{reason}");
        match accept(&request_with(&issued(&token), &CLIENT)) {
            Ok(_) => panic!("accepted: {reason}"),
            Err(refusal) => assert_eq!(refusal.code(), code, "{reason}: {refusal}"),
        }
    }
    for (reason, token) in [("level 4", level("4")), ("level 3.0", level("3.0"))] {
        accept(&request_with(&issued(&token), &CLIENT)).expect(reason);
    }
}

#[test]
fn the_timestamp_is_held_against_the_clock() {
    let good = request();
    let created = |text: &str| {
        let message = sign::Message { created: text.parse().unwrap(), ..message(SoapVersion::V12) };
        String::from_utf8(sign::with_token(&message, &issued(&assertion()), &CLIENT.key).unwrap()).unwrap()
    };
    let lives = |lifetime: SignedDuration| {
        let message = sign::Message { lifetime, ..message(SoapVersion::V12) };
        String::from_utf8(sign::with_token(&message, &issued(&assertion()), &CLIENT.key).unwrap()).unwrap()
    };
    for (reason, message, code) in [
        ("new", created("2026-11-22T12:00:00Z"), None),
        ("a clock a minute ahead", created("2026-11-22T12:01:00Z"), None),
        ("a clock further ahead", created("2026-11-22T12:01:01Z"), Some("TimestampOutside")),
        ("six minutes old, with the skew", created("2026-11-22T11:54:01Z"), None),
        ("older", created("2026-11-22T11:53:59Z"), Some("TimestampOutside")),
        (
            "expired a minute and more ago",
            {
                let _ = &good;
                created("2026-11-22T11:53:00Z")
            },
            Some("TimestampOutside"),
        ),
        ("inverted", lives(-SignedDuration::from_secs(1)), Some("SecurityStructure")),
        ("no life at all", lives(SignedDuration::ZERO), Some("SecurityStructure")),
        ("a short life", lives(SignedDuration::from_secs(30)), None),
        ("a life of ten years", lives(SignedDuration::from_hours(87_600)), Some("SecurityStructure")),
    ] {
        assert_eq!(accept(&message).err().map(|refusal| refusal.code()), code, "{reason}");
    }
    let refusal = accept(&created("2026-11-22T11:50:00Z")).unwrap_err().to_string();
    for told in ["11:50:00Z", "12:00:00Z", "600 seconds", "360"] {
        assert!(refusal.contains(told), "the fault tells both clocks, the difference and what is allowed: {refusal}");
    }
}

#[test]
fn metadata_names_the_issuer_and_its_keys() {
    let descriptor = |use_: &str, party: &Party| {
        format!(
            "<md:KeyDescriptor{use_}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
            base64::encode(party.certificate.der())
        )
    };
    let entity = |attributes: &str, role: &str| {
        format!(
            "<?xml version=\"1.0\"?><md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:fed=\"http://docs.oasis-open.org/wsfed/federation/200706\" \
             ID=\"m\" entityID=\"{ISSUER}\" {attributes}><!-- by hand -->{role}</md:EntityDescriptor>"
        )
    };
    let idp = |keys: &str| format!("<md:IDPSSODescriptor protocolSupportEnumeration=\"x\">{keys}</md:IDPSSODescriptor>");
    let read = |xml: String| Issuer::from_metadata(Bytes::from(xml), None, now());
    let keys = descriptor(" use=\"signing\"", &STS) + &descriptor("", &CLIENT) + &descriptor(" use=\"encryption\"", &STRANGER);
    let issuer = read(entity("", &idp(&keys))).unwrap();
    assert_eq!(issuer.entity_id(), ISSUER);
    assert_eq!(
        issuer.certificates(),
        [STS.certificate.clone(), CLIENT.certificate.clone()],
        "several at once, none for encryption"
    );
    assert_eq!(issuer.keys(now()).len(), 2);
    assert_eq!(issuer.keys("2028-02-01T00:00:00Z".parse().unwrap()).len(), 0, "a certificate that has ended verifies nothing");
    assert!(issuer.warnings(now()).is_empty());
    assert_eq!(issuer.warnings("2027-12-20T00:00:00Z".parse().unwrap()).len(), 2, "a month before there is a warning");

    let sts = format!("<md:RoleDescriptor xsi:type=\"fed:SecurityTokenServiceType\">{keys}</md:RoleDescriptor>");
    assert_eq!(
        read(entity("validUntil=\"2026-12-01T00:00:00Z\"", &sts)).unwrap().keys("2026-12-01T00:00:00Z".parse().unwrap()).len(),
        0
    );
    for (reason, xml) in [
        ("another role", entity("", &sts.replace("SecurityTokenServiceType", "ApplicationServiceType"))),
        ("the type in another namespace", entity("", &sts).replace("federation/200706", "federation/2007")),
        ("no keys", entity("", &idp(""))),
        ("only a key for encryption", entity("", &idp(&descriptor(" use=\"encryption\"", &STS)))),
        ("another namespace", entity("", &idp(&keys)).replace("SAML:2.0:metadata", "SAML:1.0:metadata")),
        ("a DTD", entity("", &idp(&keys)).replace("?>", "?><!DOCTYPE x>")),
        ("past its end", entity("validUntil=\"2026-11-22T12:00:00Z\"", &idp(&keys))),
        ("an end without a zone", entity("validUntil=\"2027-11-22T12:00:00\"", &idp(&keys))),
        ("no entity id", entity("", &idp(&keys)).replace(&format!("entityID=\"{ISSUER}\""), "")),
    ] {
        assert!(read(xml).is_err(), "{reason}");
    }
    let signed =
        sign::sign_enveloped(entity("", &idp(&keys)).replace("<!-- by hand -->", "").as_bytes(), &STS.key, &STS.certificate)
            .unwrap();
    let signers = [STS.certificate.key().clone()];
    Issuer::from_metadata(Bytes::from(signed.clone()), Some(&signers), now()).unwrap();
    let stranger = [STRANGER.certificate.key().clone()];
    assert!(matches!(Issuer::from_metadata(Bytes::from(signed), Some(&stranger), now()), Err(TrustError::Signature(_))));
}

#[test]
fn the_gateways_own_metadata_can_be_signed_and_read() {
    let certificates = [CLIENT.certificate.clone()];
    let entity = Entity { entity_id: "http://x.example/?a=1&b=2", address: "https://x.example/", certificates: &certificates };
    let document = parse(&entity.to_xml()).unwrap();
    assert_eq!(document.root().attribute("", "entityID"), Some("http://x.example/?a=1&b=2"));
    let signed = String::from_utf8(entity.to_signed_xml(&CLIENT.key, &CLIENT.certificate).unwrap()).unwrap();
    let document = parse(&signed).unwrap();
    verify_metadata(document.root(), &[CLIENT.certificate.key().clone()]).unwrap();
}

#[test]
fn a_token_taken_out_of_an_answer_still_verifies() {
    let prefixed = String::from(
        "<saml:Assertion ID=\"a\"><saml:Issuer>x</saml:Issuer><saml:V x:type=\"x:y\">1</saml:V><inner/></saml:Assertion>",
    );
    let outer = |inner: &str| {
        format!("<r xmlns=\"urn:default\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" xmlns:x=\"urn:x\">{inner}</r>")
    };
    let standalone = prefixed.replace(
        "<saml:Assertion ",
        "<saml:Assertion xmlns=\"urn:default\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" xmlns:x=\"urn:x\" ",
    );
    let signed = String::from_utf8(sign::sign_enveloped(standalone.as_bytes(), &STS.key, &STS.certificate).unwrap()).unwrap();
    let inside = outer(&signed.replace(
        "<saml:Assertion xmlns=\"urn:default\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" xmlns:x=\"urn:x\" ",
        "<saml:Assertion ",
    ));
    let document = parse(&inside).unwrap();
    let element = document.root().elements().next().unwrap();
    verify_issued(element, &[STS.certificate.key().clone()]).map(|_| ()).unwrap();
    let token = Token::from_element(element).unwrap();
    let alone = parse(std::str::from_utf8(token.bytes()).unwrap()).unwrap();
    verify_issued(alone.root(), &[STS.certificate.key().clone()]).map(|_| ()).expect("inherited declarations travel with it");
    assert!(Token::from_bytes(element.source()).is_err(), "its bare bytes do not stand alone");
}

#[test]
fn a_prefixed_token_is_accepted_in_both_forms_that_the_str_transform_has() {
    let prefixed =
        assertion().replace("<Assertion xmlns=", "<saml:Assertion xmlns:saml=").replace("</Assertion>", "</saml:Assertion>");
    let names = [
        "Issuer",
        "Subject",
        "NameID",
        "SubjectConfirmation",
        "SubjectConfirmationData",
        "Conditions",
        "AudienceRestriction",
        "Audience",
        "AttributeStatement",
        "Attribute",
        "AttributeValue",
        "AuthnStatement",
        "AuthnContext",
        "AuthnContextClassRef",
    ];
    let prefixed = names.iter().fold(prefixed, |xml, name| {
        [" ", ">"].iter().fold(xml.replace(&format!("</{name}>"), &format!("</saml:{name}>")), |xml, end| {
            xml.replace(&format!("<{name}{end}"), &format!("<saml:{name}{end}"))
        })
    });
    let token = issued(&prefixed);
    let plain = request_with(&token, &CLIENT);
    accept(&plain).unwrap();
    let canonical = parse(std::str::from_utf8(token.bytes()).unwrap()).unwrap();
    let form = |method: &Exclusive| {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        canonicalise(canonical.root(), method, None, &mut context);
        base64::encode(context.finish().as_ref())
    };
    let wss4j = Exclusive::new().with_default_on_apex();
    assert_ne!(form(&Exclusive::new()), form(&wss4j));
    accept(&resign(&in_signature(&plain, &form(&Exclusive::new()), &form(&wss4j)))).expect("as WSS4J writes the apex");
}
