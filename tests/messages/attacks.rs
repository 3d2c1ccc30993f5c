//! Attacks on a message that is good until then. Each names its trick and what must stop it.

use hjemmel::signature::names::EXC_C14N;
use hjemmel::signature::sign::{self, Message, SoapVersion};
use hjemmel::signature::verify::verify_with_certificate;

use crate::forge::*;

#[test]
fn every_forged_message_is_refused() {
    accept(&request()).expect("the message is good before it is forged");
    let mut cases = 0;
    let mut wrong = Vec::new();
    for Group { row, sentence, cases: group } in groups() {
        for (reason, forged, codes) in group {
            cases += 1;
            assert_ne!(forged, request(), "{reason}: nothing was forged");
            match accept(&forged) {
                Ok(_) => wrong.push(format!("row {row}, {sentence}: accepted: {reason}")),
                Err(refusal) if !codes.contains(&refusal.code()) => wrong.push(format!("row {row}: {reason}: {refusal}")),
                Err(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases > 380, "only {cases} cases");
}

/// OIO IDWS puts the reference to the token into Security; WSS4J protects a token through the one in KeyInfo. Both stand in
/// their place and name the one token, so both say the same.
#[test]
fn a_token_may_be_covered_through_either_reference_to_it() {
    for kept in [true, false] {
        let xml = references::through_key_info(kept);
        assert_eq!(accept(&xml).unwrap().cvr(), "11111111", "kept: {kept}");
        let token = reference(&xml, "keystr");
        let both = resign(&xml.replace(token, &format!("{token}{}", token.replace("#keystr", "#str"))));
        assert_eq!(accept(&both).is_ok(), kept, "through both, where there are both");
        let changed = xml.replace(PERSON, "6101801235");
        assert_eq!(accept(&changed).unwrap_err().code(), "DigestMismatch");
    }
}

/// Old toolkits say how a KeyIdentifier is encoded, though an assertion's ID is not encoded at all. It is read as it stands.
#[test]
fn a_key_identifier_may_say_its_encoding() {
    let encoding = format!("<wsse:KeyIdentifier EncodingType=\"{}\" ", hjemmel::signature::names::BASE64);
    let xml = request().replace("<wsse:KeyIdentifier ", &encoding);
    assert_eq!(xml.matches("EncodingType").count(), 2, "in Security and in KeyInfo");
    assert_eq!(accept(&xml).unwrap().cvr(), "11111111");
}

/// A signed document in a message is everyday, and no business of the message's Signature beyond being covered by it.
#[test]
fn a_document_in_body_may_have_a_signature_of_its_own() {
    let body = XML.replace(END, &format!("{}{END}", wrapping::signed_document()));
    let body = sign::canonical_content(body.as_bytes()).unwrap();
    for version in [SoapVersion::V11, SoapVersion::V12] {
        let message = Message { body: &body, ..message(version) };
        let xml = String::from_utf8(sign::with_token(&message, &issued(&assertion()), &CLIENT.key).unwrap()).unwrap();
        assert_eq!(xml.matches("</ds:Signature>").count(), 3, "of the message, its token and the document");
        assert_eq!(accept(&xml).unwrap().cvr(), "11111111");
        assert_eq!(accept(&xml.replace("Bilag", "Bilog")).unwrap_err().code(), "DigestMismatch");
    }
}

/// What a message holds may have any ids: those of the message go out of their way.
#[test]
fn a_body_may_use_the_ids_that_we_give_the_parts_of_a_message() {
    let ids = ["body", "timestamp", "action", "messageid", "to", "replyto", "framework", "str", "x509", "p1-body"];
    let inside: String = ids.iter().map(|id| format!("<d:D xmlns:d=\"urn:example:d\" Id=\"{id}\"></d:D>")).collect();
    let body = XML.replace(END, &format!("{inside}{END}"));
    let body = sign::canonical_content(body.as_bytes()).unwrap();
    for version in [SoapVersion::V11, SoapVersion::V12] {
        let message = Message { body: &body, ..message(version) };
        let by_token = sign::with_token(&message, &issued(&assertion()), &CLIENT.key).unwrap();
        assert_eq!(accept(std::str::from_utf8(&by_token).unwrap()).unwrap().cvr(), "11111111");
        let by_certificate = sign::with_certificate(&message, &CLIENT.certificate, &CLIENT.key).unwrap();
        let document = parse(std::str::from_utf8(&by_certificate).unwrap()).unwrap();
        let verified = verify_with_certificate(&document, &parts(&document).unwrap()).unwrap();
        assert_eq!(verified.certificate().der(), CLIENT.certificate.der());
    }
}

/// References to characters are no trick: every reader puts the same characters in their place.
#[test]
fn characters_by_reference_are_the_characters() {
    let same = request().replace(">11111111<", ">1111&#49;11&#x31;<");
    assert_eq!(accept(&same).unwrap().cvr(), "11111111");
}

#[test]
fn the_message_is_good_until_it_is_forged() {
    let identity = accept(&request()).unwrap();
    assert_eq!(identity.cvr(), "11111111");
    assert_eq!(identity.holder(), &CLIENT.certificate);
    assert_eq!(identity.issuer(), ISSUER);
    assert_eq!(identity.name_id(), "C=DK,CN=client & co");
    assert_eq!(identity.privileges().of("11111111").count(), 1);
    assert_eq!(identity.privileges().of("99999981").count(), 0);
    assert_eq!(identity.message_created(), "2026-11-22T11:59:30.5Z".parse().unwrap());
    accept(&resign(&request())).expect("and signing it again by hand changes nothing");
}

/// Whatever is accepted after a change says the same: Body, addressing, Timestamp and token are the very ones.
#[test]
fn no_single_change_lets_another_message_through() {
    let good = request();
    let said = |xml: &str| {
        let document = parse(xml).unwrap();
        let parts = parts(&document).unwrap();
        let signed = |element: &hjemmel::soap::document::Element<'_>| element.local() != "Security";
        let in_security = |element: &hjemmel::soap::document::Element<'_>| matches!(element.local(), "Timestamp" | "Assertion");
        let header = parts.header.elements().filter(signed);
        let all = header.chain(parts.security.elements().filter(in_security)).chain([parts.body]);
        all.map(hjemmel::signature::c14n::canonical_bytes).collect::<Vec<_>>()
    };
    let original = said(&good);
    let letters = b"<>&\"'=/: \n0aAzZ#-;!";
    let mut random: u64 = 7;
    let mut below = |n: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % n
    };
    let mut accepted = 0;
    for _ in 0..6000 {
        let mut bytes = good.clone().into_bytes();
        let at = below(bytes.len());
        match below(4) {
            0 => bytes[at] = letters[below(letters.len())],
            1 => bytes.insert(at, letters[below(letters.len())]),
            2 => drop(bytes.remove(at)),
            _ => {
                let to = (at + below(200)).min(bytes.len());
                let copied = bytes[at..to].to_vec();
                let into = below(bytes.len());
                bytes.splice(into..into, copied);
            }
        }
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        if accept(&changed).is_ok() {
            accepted += 1;
            assert_eq!(said(&changed), original, "{changed}");
        }
    }
    println!("{accepted} of 6000 changes were accepted, and none of them said anything else");
    assert!(accepted < 600, "most of a message is signed");
}

/// References and prefixes are work that is done before anything is proven, so there is a bound on both. It is far above
/// what honest messages have (eight, and two or three).
#[test]
fn there_is_a_bound_on_references_and_on_prefixes() {
    let good = request();
    let body = reference(&good, "body");
    let refusal = |xml: &str| accept(xml).unwrap_err().to_string();
    let others = message_signature(&good).matches("<ds:Reference ").count() - 1;
    let of_references = |number: usize| resign(&in_signature(&good, body, &body.repeat(number - others)));
    // There is no honest way to so many: within the bound it is seen that they lead to the same part.
    assert!(refusal(&of_references(32)).contains("two References to one part"));
    assert!(refusal(&of_references(33)).contains("more References than any honest one"));

    let of_prefixes = |number: usize| {
        let prefixes: Vec<_> = (0..number).map(|n| format!("p{n}")).collect();
        let list = prefixes.join(" ");
        let list = format!("><ec:InclusiveNamespaces xmlns:ec=\"{EXC_C14N}\" PrefixList=\"{list}\"></ec:InclusiveNamespaces></");
        resign(&in_signature(&good, body, &body.replacen("></", &list, 1)))
    };
    accept(&of_prefixes(32)).expect("32 prefixes, none of which is declared");
    assert!(refusal(&of_prefixes(33)).contains("a PrefixList is longer than any honest one"));
}
