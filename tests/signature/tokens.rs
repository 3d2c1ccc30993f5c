//! What a token must say, each rule with a token that breaks it and is signed by the right issuer; and the clock.

use crate::forge::*;
use bytes::Bytes;
use hjemmel::saml::metadata::Entity;
use hjemmel::saml::trust::{Issuer, TrustError};
use hjemmel::signature::base64;
use hjemmel::signature::c14n::{Exclusive, canonicalise};
use hjemmel::signature::sign::{self, Token};
use hjemmel::signature::verify::{verify_issued, verify_metadata};
use jiff::SignedDuration;

#[test]
fn what_is_high_enough_or_new_enough_is_accepted() {
    let good = assertion();
    for level in ["4", "3.0"] {
        let token = good.replace(">3</AttributeValue>", &format!(">{level}</AttributeValue>"));
        accept(&request_with(&issued(&token), &CLIENT)).expect(level);
    }
    for (reason, message) in [
        ("new", tokens::created(0)),
        ("a clock a minute ahead", tokens::created(60)),
        ("six minutes old, with the skew", tokens::created(-359)),
        ("a short life", tokens::lives(SignedDuration::from_secs(30))),
    ] {
        accept(&message).expect(reason);
    }
}

#[test]
fn a_fault_about_time_tells_both_clocks_the_difference_and_what_is_allowed() {
    let refusal = accept(&tokens::created(-600)).unwrap_err().to_string();
    for told in ["11:50:00Z", "12:00:00Z", "600 seconds behind", "360"] {
        assert!(refusal.contains(told), "{told}: {refusal}");
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

/// CXF reads the published policy so: the token through its reference (SignedSupportingTokens) and by its ID (ProtectTokens).
#[test]
fn a_token_may_be_covered_by_its_id_beside_its_reference_but_not_instead_and_not_twice() {
    let token = issued(&assertion());
    let good = request_with(&token, &CLIENT);
    let canonical = parse(std::str::from_utf8(token.bytes()).unwrap()).unwrap();
    let digest = |element| {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        canonicalise(element, &Exclusive::new(), None, &mut context);
        base64::encode(context.finish().as_ref())
    };
    let through = reference(&good, "str").to_owned();
    let by_id = |digest: &str| {
        let body = reference(&good, "body");
        let value = piece(body, "<ds:DigestValue>", "</ds:DigestValue>");
        body.replace("#body", "#_token").replace(value, &format!("<ds:DigestValue>{digest}</ds:DigestValue>"))
    };
    let own = by_id(&digest(canonical.root()));
    let with = |references: &str| accept(&resign(&in_signature(&good, &through, references))).map(|_| ());
    let code = |references: &str| with(references).unwrap_err().code();
    with(&format!("{through}{own}")).expect("both ways cover the same element");
    with(&format!("{own}{through}")).expect("in whatever order");
    assert_eq!(code(&own), "SignatureCoverage", "its ID alone says nothing about what KeyInfo means");
    assert_eq!(code(&format!("{through}{own}{own}")), "SecurityStructure");
    assert_eq!(code(&format!("{through}{through}")), "SecurityStructure");
    assert_eq!(code(&format!("{through}{}", by_id(&digest(parse("<other/>").unwrap().root())))), "DigestMismatch");
}
