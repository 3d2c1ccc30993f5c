//! What a token must say, each rule with a token that breaks it and is signed by the right issuer; and the clock.

use crate::forge::*;
use bytes::Bytes;
use hjemmel::refusal::Refusal;
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

/// Every statement, condition and attribute of an assertion to which SAML Core 2.0 gives a meaning of time or validity, in the
/// order of docs/decisions/saml.md: what is changed in a good token, and what is said of it.
#[test]
fn every_part_of_an_assertion_that_says_when_or_for_whom_it_holds_is_judged_or_refused() {
    let good = assertion();
    let (from, until) = (at(-3600), at(7 * 3600));
    let restriction = piece(&good, "<AudienceRestriction>", "</AudienceRestriction>").to_owned();
    let other = restriction.replace(ENTITY, "http://other.example");
    let several = |before: &str, after: &str| {
        restriction
            .replace("<Audience>", &format!("{before}<Audience>"))
            .replace("</AudienceRestriction>", &format!("{after}</AudienceRestriction>"))
    };
    let audience = "<Audience>http://other.example</Audience>";
    let authn = piece(&good, "<AuthnStatement ", "</AuthnStatement>").to_owned();
    let says = |attributes: &str| authn.replace("<AuthnStatement ", &format!("<AuthnStatement {attributes} "));
    let data = "<SubjectConfirmationData ";
    let conditions = format!("<Conditions NotBefore=\"{from}\" NotOnOrAfter=\"{until}\">");
    let confirmed = |begins: Option<String>, ends: Option<String>| {
        let named = |name: &str, value: Option<String>| value.map(|value| format!("{name}=\"{value}\" ")).unwrap_or_default();
        format!("{}{}", named("NotBefore", begins), named("NotOnOrAfter", ends))
    };
    let both = format!("NotBefore=\"{from}\" NotOnOrAfter=\"{until}\" ");
    let on_data = |attributes: String| {
        let (head, tail) = good.split_once(data).unwrap();
        format!("{head}{data}{}", tail.replacen(&both, &attributes, 1))
    };
    let with = |old: &str, new: &str| {
        assert!(good.contains(old), "{old}");
        good.replacen(old, new, 1)
    };
    let begins = |at: &str| with(&conditions, &conditions.replace(&from, at));
    let ends = |at: &str| with(&conditions, &conditions.replace(&until, at));
    let xsi = "xmlns:x=\"http://www.w3.org/2001/XMLSchema-instance\" x:type=\"Other\"";
    let rows: Vec<(&str, String, &str)> = vec![
        ("Assertion/@Version 2.1", with("Version=\"2.0\"", "Version=\"2.1\""), "TokenInvalid"),
        ("Assertion/@ID empty", with("ID=\"_token\"", "ID=\"\""), "SecurityStructure"),
        (
            "Assertion/@IssueInstant in the skew",
            with(&format!("IssueInstant=\"{from}\""), &format!("IssueInstant=\"{}\"", at(60))),
            "",
        ),
        (
            "Assertion/@IssueInstant ahead of it",
            with(&format!("IssueInstant=\"{from}\""), &format!("IssueInstant=\"{}\"", at(61))),
            "TokenInvalid",
        ),
        ("Assertion with another attribute", with("Version=", "Other=\"x\" Version="), "TokenInvalid"),
        ("Assertion of another type", with("<Assertion ", &format!("<Assertion {xsi} ")), "TokenInvalid"),
        (
            "Issuer that is an entity",
            with("<Issuer>", "<Issuer Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:entity\">"),
            "",
        ),
        (
            "Issuer that is another kind of name",
            with("<Issuer>", "<Issuer Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">"),
            "TokenInvalid",
        ),
        ("Conditions/@NotBefore in the skew", begins(&at(60)), ""),
        ("Conditions/@NotBefore ahead of it", begins(&at(61)), "TokenExpired"),
        ("Conditions/@NotOnOrAfter in the skew", ends(&at(-59)), ""),
        ("Conditions/@NotOnOrAfter at its end", ends(&at(-60)), "TokenExpired"),
        (
            "Conditions with another attribute",
            with(&conditions, &conditions.replace("<Conditions", "<Conditions Other=\"x\"")),
            "TokenInvalid",
        ),
        ("one Audience among several", with(&restriction, &several(audience, "")), ""),
        ("one Audience among several, first", with(&restriction, &several("", audience)), ""),
        (
            "two AudienceRestrictions with ours in each",
            with(&restriction, &format!("{restriction}{}", several(audience, ""))),
            "",
        ),
        ("two AudienceRestrictions with ours in one", with(&restriction, &format!("{restriction}{other}")), "TokenAudience"),
        ("AudienceRestriction without ours", with(&restriction, &other), "TokenAudience"),
        ("Audience with another attribute", with("<Audience>", "<Audience Other=\"x\">"), "TokenInvalid"),
        ("OneTimeUse", with(&restriction, &format!("{restriction}<OneTimeUse/>")), "TokenInvalid"),
        ("ProxyRestriction", with(&restriction, &format!("{restriction}<ProxyRestriction Count=\"0\"/>")), "TokenInvalid"),
        ("Condition of an extension", with(&restriction, &format!("{restriction}<Condition {xsi}/>")), "TokenInvalid"),
        ("a condition alone", with(&restriction, "<OneTimeUse/>"), "TokenInvalid"),
        ("no condition", with(&restriction, ""), "TokenInvalid"),
        ("SubjectConfirmationData/@NotBefore missing", on_data(confirmed(None, Some(until.clone()))), ""),
        ("SubjectConfirmationData/@NotBefore ahead", on_data(confirmed(Some(at(61)), Some(until.clone()))), "TokenExpired"),
        ("SubjectConfirmationData/@NotOnOrAfter missing", on_data(confirmed(Some(from.clone()), None)), "TokenInvalid"),
        ("SubjectConfirmationData/@NotOnOrAfter passed", on_data(confirmed(None, Some(at(-60)))), "TokenExpired"),
        (
            "SubjectConfirmationData/@Recipient another",
            with(&format!("Recipient=\"{ENTITY}\""), "Recipient=\"http://other.example\""),
            "TokenAudience",
        ),
        ("SubjectConfirmationData/@InResponseTo", with(data, &format!("{data}InResponseTo=\"_1\" ")), "TokenInvalid"),
        ("SubjectConfirmationData/@Address", with(data, &format!("{data}Address=\"10.0.0.1\" ")), "TokenInvalid"),
        ("SubjectConfirmation with a NameID of its own", with(data, &format!("<NameID>x</NameID>{data}")), "TokenInvalid"),
        ("Subject with a BaseID", with("<NameID>", "<BaseID/><NameID>"), "TokenInvalid"),
        ("Subject with an EncryptedID", with("<NameID>", "<EncryptedID/><NameID>"), "TokenInvalid"),
        ("AuthnStatement/@AuthnInstant in the skew", with(&authn, &authn.replace(&from, &at(60))), ""),
        ("AuthnStatement/@AuthnInstant ahead of it", with(&authn, &authn.replace(&from, &at(61))), "TokenInvalid"),
        (
            "AuthnStatement/@AuthnInstant without a zone",
            with(&authn, &authn.replace(&from, from.trim_end_matches('Z'))),
            "TokenInvalid",
        ),
        (
            "AuthnStatement/@AuthnInstant missing",
            with(&authn, &authn.replace(&format!("AuthnInstant=\"{from}\""), "")),
            "TokenInvalid",
        ),
        ("AuthnStatement/@SessionNotOnOrAfter to come", with(&authn, &says(&format!("SessionNotOnOrAfter=\"{}\"", at(1)))), ""),
        (
            "AuthnStatement/@SessionNotOnOrAfter passed",
            with(&authn, &says(&format!("SessionNotOnOrAfter=\"{}\"", at(-60)))),
            "TokenExpired",
        ),
        (
            "AuthnStatement/@SessionNotOnOrAfter unreadable",
            with(&authn, &says("SessionNotOnOrAfter=\"tomorrow\"")),
            "TokenInvalid",
        ),
        (
            "a second AuthnStatement whose session is over",
            with(&authn, &format!("{authn}{}", says(&format!("SessionNotOnOrAfter=\"{}\"", at(-60))))),
            "TokenExpired",
        ),
        ("AuthnStatement/@SessionIndex", with(&authn, &says("SessionIndex=\"1\"")), ""),
        ("AuthnStatement with another attribute", with(&authn, &says("Other=\"1\"")), "TokenInvalid"),
        ("AuthnStatement/SubjectLocality", with("<AuthnContext>", "<SubjectLocality Address=\"10.0.0.1\"/><AuthnContext>"), ""),
        ("AuthnStatement with something else", with("<AuthnContext>", "<Other/><AuthnContext>"), "TokenInvalid"),
        ("no AuthnStatement", with(&authn, ""), ""),
        (
            "AuthzDecisionStatement",
            with("<AttributeStatement>", "<AuthzDecisionStatement Resource=\"\" Decision=\"Deny\"/><AttributeStatement>"),
            "TokenInvalid",
        ),
        (
            "Statement of an extension",
            with("<AttributeStatement>", &format!("<Statement {xsi}/><AttributeStatement>")),
            "TokenInvalid",
        ),
        (
            "AttributeStatement of another type",
            with("<AttributeStatement>", &format!("<AttributeStatement {xsi}>")),
            "TokenInvalid",
        ),
        ("EncryptedAttribute", with("<AttributeStatement>", "<AttributeStatement><EncryptedAttribute/>"), "TokenInvalid"),
        ("Advice", with("<AttributeStatement>", "<Advice/><AttributeStatement>"), "TokenInvalid"),
    ];
    let mut wrong = Vec::new();
    for (part, token, expected) in rows {
        let came = accept(&request_with(&issued(&token), &CLIENT)).map_or_else(|refusal| refusal.code(), |_| "");
        if came != expected {
            wrong.push(format!("{part}: must be {expected:?}, is {came:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_token_ends_when_its_session_does() {
    let session = at(600);
    let token = assertion().replace("<AuthnStatement ", &format!("<AuthnStatement SessionNotOnOrAfter=\"{session}\" "));
    let identity = accept(&request_with(&issued(&token), &CLIENT)).unwrap();
    assert_eq!(identity.not_on_or_after().to_string(), session);
}

/// A tool that prints XML nicely puts white space into the Signature as well, so the issuer's signature fails before any
/// digest is looked at. What the sender did is told all the same.
#[test]
fn a_token_or_message_that_was_indented_after_signing_is_told_so_by_the_part() {
    let indented = |xml: &str| xml.replace("><", ">\n  <");
    let good = request();
    let token = piece(&good, "<Assertion ", "</Assertion>");
    let refusal = accept(&good.replace(token, &indented(token))).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::DigestMismatch { reference, part } if reference == "#_token" && part == "Assertion"),
        "{refusal}"
    );
    assert!(refusal.to_string().contains("not even line breaks and indentation"), "{refusal}");
    assert_eq!(accept(&indented(&good)).unwrap_err().code(), "DigestMismatch");
    let signature = piece(token, "<ds:Signature", "</ds:Signature>");
    let refusal = accept(&good.replace(signature, &indented(signature))).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::SignatureInvalid { of } if of.en() == "the token's signature"),
        "only SignedInfo: {refusal}"
    );
    let rest = good.replace(token, "TOKEN");
    let refusal = accept(&indented(&rest).replace("TOKEN", token)).unwrap_err();
    assert!(matches!(&refusal, Refusal::DigestMismatch { part, .. } if part != "Assertion"), "only the message: {refusal}");
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
        canonicalise(canonical.root(), method, &[], &mut context);
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
        canonicalise(element, &Exclusive::new(), &[], &mut context);
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
