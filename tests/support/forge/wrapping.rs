//! Signed parts moved about, ids that are not unique, and signatures that cover too little.

use super::*;
use hjemmel::signature::names::{SAML, WSU};

/// A forged assertion is refused wherever the real one went.
pub fn token() -> Vec<Case> {
    let good = request();
    let real = piece(&good, "<Assertion", "</Assertion>").to_owned();
    let forged = real.replace(">11111111<", ">99999991<");
    let other = forged.replace("\"_token\"", "\"_forged\"");
    let inside = |host: &str, place: &str| other.replace("</Assertion>", &format!("<{host}>{place}</{host}></Assertion>"));
    let object = other.replace("</ds:Signature>", &format!("<ds:Object>{real}</ds:Object></ds:Signature>"));
    let wrapper = format!("</wsse:Security><x:W xmlns:x=\"urn:x\">{real}</x:W>");
    vec![
        ("the assertion changed in place", good.replace(&real, &forged), &["DigestMismatch"]),
        ("XSW 1: a forged assertion before", good.replace(&real, &format!("{other}{real}")), STRUCTURE),
        ("XSW 2: a forged assertion after", good.replace(&real, &format!("{real}{other}")), STRUCTURE),
        ("XSW 3: the same ID twice", good.replace(&real, &format!("{forged}{real}")), IDS),
        (
            "XSW 4: the real one inside",
            good.replace(&real, &other.replace("</Assertion>", &format!("{real}</Assertion>"))),
            STRUCTURE,
        ),
        ("XSW 5: the real one in Advice", good.replace(&real, &inside("Advice", &real)), STRUCTURE),
        ("XSW 6: the real one in an Object of its signature", good.replace(&real, &object), STRUCTURE),
        ("XSW 7: the real one in Extensions", good.replace(&real, &inside("Extensions", &real)), STRUCTURE),
        ("XSW 8: the real one in another header", good.replace(&real, &other).replace("</wsse:Security>", &wrapper), STRUCTURE),
        ("the same ID twice, the forged one after", good.replace(&real, &format!("{real}{forged}")), IDS),
        ("XSW 4 with one ID", good.replace(&real, &forged.replace("</Assertion>", &format!("{real}</Assertion>"))), IDS),
        ("XSW 6 with one ID", good.replace(&real, &object.replace("\"_forged\"", "\"_token\"")), IDS),
        ("XSW 8 with one ID", good.replace(&real, &forged).replace("</wsse:Security>", &wrapper), IDS),
        (
            "a forged one inside the real one, as Advice",
            good.replace(&real, &real.replace("</Assertion>", &format!("<Advice>{other}</Advice></Assertion>"))),
            STRUCTURE,
        ),
        (
            "the real one in KeyInfo",
            in_signature(&good.replace(&real, &other), "<ds:KeyInfo>", &format!("<ds:KeyInfo>{real}")),
            STRUCTURE,
        ),
        (
            "a forged one of SAML 1.1 beside it",
            good.replace(&real, &format!("{real}{}", other.replace(":2.0:assertion", ":1.0:assertion"))),
            STRUCTURE,
        ),
        ("the real one in Body", good.replace(&real, &other).replace(END, &format!("{real}{END}")), STRUCTURE),
        ("no assertion", good.replace(&real, ""), STRUCTURE),
        ("an encrypted one beside it", good.replace(END, &format!("<EncryptedAssertion xmlns=\"{SAML}\"/>{END}")), STRUCTURE),
    ]
}

/// A signed part that was moved away does not cover what stands in its place.
pub fn parts() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (part, id, from, to) in [
        ("Body", "body", "<soap:Body", "</soap:Body>"),
        ("Timestamp", "timestamp", "<wsu:Timestamp", "</wsu:Timestamp>"),
        ("To", "to", "<wsa:To", "</wsa:To>"),
        ("Action", "action", "<wsa:Action", "</wsa:Action>"),
        ("MessageID", "messageid", "<wsa:MessageID", "</wsa:MessageID>"),
        ("ReplyTo", "replyto", "<wsa:ReplyTo", "</wsa:ReplyTo>"),
        ("Framework", "framework", "<sbf:Framework", "</sbf:Framework>"),
    ] {
        // Framework need only be signed in SOAP 1.1.
        let good = request_in(if part == "Framework" { SoapVersion::V11 } else { SoapVersion::V12 });
        let real = piece(&good, from, to).to_owned();
        let id = format!(" wsu:Id=\"{id}\"");
        for new in [real.replace(&id, ""), real.replace(&id, " wsu:Id=\"new\""), real.clone()] {
            let swapped = good.replace(&real, &new);
            let wrapped = format!("<x:W xmlns:x=\"urn:x\">{real}</x:W>");
            let places = [
                ("a wrapper header", swapped.replace("<wsse:Security ", &format!("{wrapped}<wsse:Security "))),
                ("Security", swapped.replace("</wsse:Security>", &format!("{wrapped}</wsse:Security>"))),
                (
                    "an Object of the Signature",
                    swapped.replace(
                        "</ds:Signature></wsse:Security>",
                        &format!("<ds:Object>{real}</ds:Object></ds:Signature></wsse:Security>"),
                    ),
                ),
                (
                    "the STR",
                    swapped.replace(
                        "</wsse:SecurityTokenReference><ds:Sig",
                        &format!("{real}</wsse:SecurityTokenReference><ds:Sig"),
                    ),
                ),
                ("a trailer", swapped.replace("</soap:Envelope>", &format!("{wrapped}</soap:Envelope>"))),
                ("the new Body", swapped.replace(END, &format!("{real}{END}"))),
            ];
            for (place, forged) in places {
                let reason: &'static str = Box::leak(format!("{part} moved to {place}").into_boxed_str());
                cases.push((reason, forged, &["SignatureCoverage", "SecurityStructure", "DuplicateId", "EnvelopeStructure"]));
            }
        }
    }
    assert!(cases.len() > 100);
    cases
}

/// One id names one element whatever the attribute is called.
pub fn ids() -> Vec<Case> {
    let good = request();
    let header =
        |attribute: &str| good.replace("<wsse:Security ", &format!("<x:H xmlns:x=\"urn:x\" {attribute}/><wsse:Security "));
    let body = |attribute: &str| good.replace("wsu:Id=\"body\"", &format!("wsu:Id=\"body\" {attribute}"));
    // The reference to the token is not signed itself, so its id can be called anything.
    let token = piece(&good, "<wsse:SecurityTokenReference", ">");
    let named = |from: &str, to: &str| good.replacen(token, &token.replace(from, to), 1);
    vec![
        ("the only id is in a foreign namespace", named(&format!("xmlns:wsu=\"{WSU}\""), "xmlns:wsu=\"urn:x\""), STRUCTURE),
        ("the only id is xml:id", named("wsu:Id=", "xml:id="), STRUCTURE),
        ("Id", header("Id=\"body\""), &["DuplicateId"]),
        ("ID", header("ID=\"body\""), &["DuplicateId"]),
        ("id", header("id=\"body\""), &["DuplicateId"]),
        ("iD", header("iD=\"body\""), &["DuplicateId"]),
        ("xml:id", header("xml:id=\"body\""), &["DuplicateId"]),
        ("a foreign Id", header("x:Id=\"body\""), &["DuplicateId"]),
        ("an old wsu:Id", header("xmlns:o=\"http://schemas.xmlsoap.org/ws/2002/07/utility\" o:Id=\"body\""), &["DuplicateId"]),
        ("the assertion's ID on a header", header("Id=\"_token\""), &["DuplicateId"]),
        ("two ids on one element", body("Id=\"other\""), STRUCTURE),
        ("an ID beside wsu:Id, the same", body("ID=\"body\""), STRUCTURE),
        ("xml:id beside wsu:Id", body("xml:id=\"timestamp\""), STRUCTURE),
        ("two elements deep in Body", good.replace(INNER, &format!("<A id=\"body\"></A>{INNER}")), &["DuplicateId"]),
    ]
}

/// A document that its author signed, as content of Body.
pub fn signed_document() -> String {
    let document = "<d:Dokument xmlns:d=\"urn:example:dokument\" ID=\"dok-1\"><d:Tekst>Bilag</d:Tekst></d:Dokument>";
    String::from_utf8(sign::sign_enveloped(document.as_bytes(), &STRANGER.key, &STRANGER.certificate).unwrap()).unwrap()
}

/// A Signature in Body is content: it proves nothing of the message, and takes nobody's place.
pub fn signatures_in_body() -> Vec<Case> {
    let document = signed_document();
    let good = request().replace(END, &format!("{document}{END}"));
    let own = message_signature(&good).to_owned();
    let moved = |signature: &str, place: &str| good.replacen(signature, "", 1).replace(place, &format!("{signature}{place}"));
    let of_token = piece(piece(&good, "<Assertion", "</Assertion>"), "<ds:Signature", "</ds:Signature>").to_owned();
    let body = reference(&good, "body").to_owned();
    vec![
        ("altered, where the message was signed with it", good.replace("Bilag", "Bilog"), &["DigestMismatch"]),
        ("the message's Signature there", moved(&own, END), STRUCTURE),
        ("the message's Signature there as well", good.replace(END, &format!("{own}{END}")), &["DigestMismatch"]),
        ("the token's Signature there", moved(&of_token, END), STRUCTURE),
        ("one in another header beside it", moved(piece(&good, "<d:Dokument", "</d:Dokument>"), "<wsse:Security "), STRUCTURE),
        (
            "one that covers Body, which the message's does not",
            {
                let without = in_signature(&good, &body, "");
                resign(&without.replace(END, &format!("{own}{END}")))
            },
            COVERAGE,
        ),
        (
            "a reference of the message's Signature into it",
            signed_again(&good.replace("<d:Tekst>", "<d:Tekst Id=\"text\">"), "#body", "#text"),
            STRUCTURE,
        ),
        ("a reference of the message's Signature to what it signs", signed_again(&good, "#body", "#dok-1"), STRUCTURE),
        ("with the id of Body", good.replace("\"dok-1\"", "\"body\""), &["DuplicateId"]),
        ("with the token's ID", good.replace("\"dok-1\"", "\"_token\""), &["DuplicateId"]),
    ]
}

/// A signature that covers too little is refused though it is valid.
pub fn coverage() -> Vec<Case> {
    let good = request();
    let mut cases: Vec<Case> = Vec::new();
    for id in ["body", "timestamp", "action", "messageid", "to", "replyto", "framework", "str"] {
        let good = request_in(if id == "framework" { SoapVersion::V11 } else { SoapVersion::V12 });
        cases.push(("a part is left out", signed_again(&good, reference(&good, id), ""), COVERAGE));
    }
    let all = piece(message_signature(&good), "<ds:Reference", "</ds:SignedInfo>").replace("</ds:SignedInfo>", "");
    let body = reference(&good, "body");
    let child = good.replace(OPEN, &format!("{OPEN}Id=\"child\" "));
    cases.extend([
        ("nothing is signed", signed_again(&good, &all, ""), STRUCTURE),
        ("one part twice", signed_again(&good, body, &format!("{body}{body}")), STRUCTURE),
        ("33 references", signed_again(&good, body, &body.repeat(33)), STRUCTURE),
        ("only a child of Body", signed_again(&child, "#body", "#child"), STRUCTURE),
        ("the empty URI", signed_again(&good, "\"#body\"", "\"\""), STRUCTURE),
        ("a file", signed_again(&good, "\"#body\"", "\"file:///etc/passwd\""), STRUCTURE),
        ("an address", signed_again(&good, "\"#body\"", "\"http://beacon.invalid/\""), STRUCTURE),
        ("an xpointer", signed_again(&good, "\"#body\"", "\"#xpointer(id('body'))\""), STRUCTURE),
        ("cid", signed_again(&good, "\"#body\"", "\"cid:body\""), STRUCTURE),
        (
            "the signature itself",
            signed_again(&in_signature(&good, "<ds:Signature ", "<ds:Signature Id=\"sig\" "), "#body", "#sig"),
            STRUCTURE,
        ),
        (
            "Security itself",
            signed_again(&good.replace("<wsse:Security ", "<wsse:Security Id=\"sec\" "), "#body", "#sec"),
            STRUCTURE,
        ),
        (
            "a manifest",
            signed_again(
                &good,
                "<ds:Reference URI=\"#body\">",
                "<ds:Reference Type=\"http://www.w3.org/2000/09/xmldsig#Manifest\" URI=\"#body\">",
            ),
            STRUCTURE,
        ),
        (
            "a second addressing header that is not signed",
            good.replace("<wsa:MessageID", "<wsa:FaultTo xmlns:wsa=\"http://www.w3.org/2005/08/addressing\"/><wsa:MessageID"),
            &["SignatureCoverage", "AddressingInvalid"],
        ),
    ]);
    cases
}
