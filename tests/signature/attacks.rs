//! Attacks on a message that is good until then. Each names its trick and what must stop it.

use crate::support::*;
use hjemmel::signature::names::{DSIG, EXC_C14N, SAML, STR_TRANSFORM, WSSE, WSU};

/// Each case: the reason, the forged message, and the codes that may refuse it.
type Case = (&'static str, String, &'static [&'static str]);

const STRUCTURE: &[&str] = &["SecurityStructure"];
const COVERAGE: &[&str] = &["SignatureCoverage"];
const ALGORITHM: &[&str] = &["SignatureAlgorithm"];
const IDS: &[&str] = &["DuplicateId", "SecurityStructure"];

fn all_refused(cases: Vec<Case>) {
    let good = request();
    accept(&good).expect("the message is good before it is forged");
    for (reason, forged, codes) in cases {
        assert_ne!(forged, good, "{reason}: nothing was forged");
        match accept(&forged) {
            Ok(_) => panic!("accepted: {reason}"),
            Err(refusal) => assert!(codes.contains(&refusal.code()), "{reason}: {refusal}"),
        }
    }
}

/// The message as it is, after its Signature was edited and its holder signed it again.
fn signed_again(xml: &str, from: &str, to: &str) -> String {
    resign(&in_signature(xml, from, to))
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

#[test]
fn a_forged_assertion_is_refused_wherever_the_real_one_went() {
    let good = request();
    let real = piece(&good, "<Assertion", "</Assertion>").to_owned();
    let forged = real.replace(">11111111<", ">99999991<");
    let other = forged.replace("\"_token\"", "\"_forged\"");
    let inside = |host: &str, place: &str| other.replace("</Assertion>", &format!("<{host}>{place}</{host}></Assertion>"));
    let object = other.replace("</ds:Signature>", &format!("<ds:Object>{real}</ds:Object></ds:Signature>"));
    let wrapper = format!("</wsse:Security><x:W xmlns:x=\"urn:x\">{real}</x:W>");
    all_refused(vec![
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
        ("the real one in Body", good.replace(&real, &other).replace("</q:Search>", &format!("{real}</q:Search>")), STRUCTURE),
        ("no assertion", good.replace(&real, ""), STRUCTURE),
        (
            "an encrypted one beside it",
            good.replace("</q:Search>", &format!("<EncryptedAssertion xmlns=\"{SAML}\"/></q:Search>")),
            STRUCTURE,
        ),
    ]);
}

#[test]
fn a_signed_part_that_was_moved_away_does_not_cover_what_stands_in_its_place() {
    let good = request();
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
                ("the new Body", swapped.replace("</q:Search>", &format!("{real}</q:Search>"))),
            ];
            for (place, forged) in places {
                let reason: &'static str = Box::leak(format!("{part} moved to {place}").into_boxed_str());
                cases.push((reason, forged, &["SignatureCoverage", "SecurityStructure", "DuplicateId"]));
            }
        }
    }
    assert!(cases.len() > 100);
    all_refused(cases);
}

#[test]
fn one_id_names_one_element_whatever_the_attribute_is_called() {
    let good = request();
    let header =
        |attribute: &str| good.replace("<wsse:Security ", &format!("<x:H xmlns:x=\"urn:x\" {attribute}/><wsse:Security "));
    let body = |attribute: &str| good.replace("wsu:Id=\"body\"", &format!("wsu:Id=\"body\" {attribute}"));
    all_refused(vec![
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
        ("two elements deep in Body", good.replace("<Empty>", "<A id=\"body\"></A><Empty>"), &["DuplicateId"]),
    ]);
}

#[test]
fn a_signature_that_covers_too_little_is_refused_though_it_is_valid() {
    let good = request();
    let mut cases: Vec<Case> = Vec::new();
    for id in ["body", "timestamp", "action", "messageid", "to", "replyto", "framework", "str"] {
        cases.push(("a part is left out", signed_again(&good, reference(&good, id), ""), COVERAGE));
    }
    let all = piece(message_signature(&good), "<ds:Reference", "</ds:SignedInfo>").replace("</ds:SignedInfo>", "");
    let body = reference(&good, "body");
    let child = good.replace("<q:Search ", "<q:Search Id=\"child\" ");
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
            COVERAGE,
        ),
    ]);
    all_refused(cases);
}

#[test]
fn the_reference_to_the_token_leads_to_the_one_token_and_nowhere_else() {
    let good = request();
    let whole = piece(&good, "<wsse:SecurityTokenReference", "</wsse:SecurityTokenReference>");
    let identifier = piece(whole, "<wsse:KeyIdentifier", "</wsse:KeyIdentifier>");
    let direct = "<wsse:Reference URI=\"#_token\"></wsse:Reference>";
    let in_str = |new: String| good.replacen(whole, &whole.replace(identifier, &new), 1);
    let parameters = piece(message_signature(&good), "<wsse:TransformationParameters", "</wsse:TransformationParameters>");
    all_refused(vec![
        ("two STRs", good.replacen(whole, &format!("{whole}{}", whole.replace("\"str\"", "\"str2\"")), 1), STRUCTURE),
        ("no STR", good.replacen(whole, "", 1), STRUCTURE),
        ("two KeyIdentifiers", in_str(format!("{identifier}{identifier}")), STRUCTURE),
        ("Reference and KeyIdentifier", in_str(format!("{direct}{identifier}")), STRUCTURE),
        ("a Reference instead", in_str(direct.into()), STRUCTURE),
        ("Embedded", in_str("<wsse:Embedded></wsse:Embedded>".into()), STRUCTURE),
        ("another ID", in_str(identifier.replace("_token", "_other")), STRUCTURE),
        ("another ValueType", in_str(identifier.replace("#SAMLID", "#SAMLAssertionID")), STRUCTURE),
        ("another TokenType", good.replacen(whole, &whole.replace("#SAMLV2.0", "#SAMLV1.1"), 1), STRUCTURE),
        ("KeyInfo names another token", in_signature(&good, ">_token<", ">_other<"), STRUCTURE),
        (
            "the STR is signed, the token is not",
            signed_again(
                &good,
                &format!("<ds:Transform Algorithm=\"{STR_TRANSFORM}\">{parameters}"),
                &format!("<ds:Transform Algorithm=\"{EXC_C14N}\">"),
            ),
            COVERAGE,
        ),
        (
            "the STR-Transform is on Body",
            signed_again(&signed_again(&good, reference(&good, "body"), ""), "#str", "#body"),
            STRUCTURE,
        ),
        ("the STR-Transform is on the token", signed_again(&good, "#str", "#_token"), STRUCTURE),
        ("no parameters", signed_again(&good, parameters, ""), STRUCTURE),
        (
            "inclusive canonicalisation as the parameter",
            signed_again(&good, parameters, &parameters.replace(EXC_C14N, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")),
            ALGORITHM,
        ),
        ("two parameters", signed_again(&good, parameters, &format!("{parameters}{parameters}")), STRUCTURE),
        (
            "the URI that the profile misspells",
            signed_again(&good, STR_TRANSFORM, &STR_TRANSFORM.replace("wss-soap", "wsssoap")),
            ALGORITHM,
        ),
    ]);
}

#[test]
fn no_transform_computes_anything() {
    let good = request();
    let chain = piece(reference(&good, "body"), "<ds:Transforms>", "</ds:Transforms>").to_owned();
    let body = reference(&good, "body").to_owned();
    let with = |new: &str| signed_again(&good, &body, &body.replace(&chain, new));
    let c14n = format!("<ds:Transform Algorithm=\"{EXC_C14N}\"></ds:Transform>");
    let mut cases: Vec<Case> = Vec::new();
    for other in [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/2002/07/decrypt#XML",
        "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Content-Signature-Transform",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "HTTP://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/10/xml-exc-c14n",
        "",
    ] {
        let one = format!("<ds:Transform Algorithm=\"{other}\"></ds:Transform>");
        cases.push(("another transform alone", with(&format!("<ds:Transforms>{one}</ds:Transforms>")), ALGORITHM));
        cases.push(("another transform first", with(&format!("<ds:Transforms>{one}{c14n}</ds:Transforms>")), ALGORITHM));
        cases.push(("another transform last", with(&format!("<ds:Transforms>{c14n}{one}</ds:Transforms>")), STRUCTURE));
    }
    let list = (0..33).map(|n| format!("p{n} ")).collect::<String>();
    cases.extend([
        ("no transforms", with(""), STRUCTURE),
        ("an empty chain", with("<ds:Transforms></ds:Transforms>"), STRUCTURE),
        ("two canonicalisations", with(&format!("<ds:Transforms>{c14n}{c14n}</ds:Transforms>")), STRUCTURE),
        ("a thousand", with(&format!("<ds:Transforms>{}</ds:Transforms>", c14n.repeat(1000))), STRUCTURE),
        (
            "enveloped-signature on Body",
            with(&format!("<ds:Transforms><ds:Transform Algorithm=\"{DSIG}enveloped-signature\"/>{c14n}</ds:Transforms>")),
            STRUCTURE,
        ),
        (
            "a stylesheet inside exc-c14n",
            with(&chain.replace("></ds:Transform>", "><x xmlns=\"urn:x\"/></ds:Transform>")),
            STRUCTURE,
        ),
        (
            "a long PrefixList",
            with(&chain.replace(
                "></ds:Transform>",
                &format!("><InclusiveNamespaces xmlns=\"{EXC_C14N}\" PrefixList=\"{list}\"/></ds:Transform>"),
            )),
            STRUCTURE,
        ),
    ]);
    all_refused(cases);
}

#[test]
fn only_the_algorithms_of_the_list_verify() {
    let good = request();
    let rsa = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    let mut cases: Vec<Case> = Vec::new();
    for other in [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2001/04/xmldsig-more#RSA-SHA256",
        " http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "none",
    ] {
        cases.push(("another signature algorithm", signed_again(&good, rsa, other), ALGORITHM));
    }
    for other in [
        "http://www.w3.org/2000/09/xmldsig#sha1",
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "http://www.w3.org/2001/04/xmldsig-more#sha224",
        "",
    ] {
        cases.push(("another digest", signed_again(&good, sha256, other), ALGORITHM));
    }
    let method = format!("<ds:CanonicalizationMethod Algorithm=\"{EXC_C14N}\">");
    let value = piece(message_signature(&good), "<ds:SignatureValue>", "</ds:SignatureValue>");
    let with_value = |new: &str| in_signature(&good, value, &format!("<ds:SignatureValue>{new}</ds:SignatureValue>"));
    let base64 = value.trim_start_matches("<ds:SignatureValue>").trim_end_matches("</ds:SignatureValue>");
    cases.extend([
        (
            "an elliptic algorithm by an RSA key",
            signed_again(&good, rsa, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
            &["SignatureInvalid"][..],
        ),
        (
            "SHA-512 said, SHA-256 signed",
            signed_again(&good, rsa, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"),
            &["SignatureInvalid"],
        ),
        (
            "inclusive canonicalisation of SignedInfo",
            signed_again(&good, &method, &method.replace(EXC_C14N, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")),
            ALGORITHM,
        ),
        (
            "canonicalisation with comments",
            signed_again(&good, &method, &method.replace(EXC_C14N, "http://www.w3.org/2001/10/xml-exc-c14n#WithComments")),
            ALGORITHM,
        ),
        (
            "HMACOutputLength",
            signed_again(&good, &format!("{rsa}\">"), &format!("{rsa}\"><ds:HMACOutputLength>0</ds:HMACOutputLength>")),
            STRUCTURE,
        ),
        ("an empty signature", with_value(""), STRUCTURE),
        ("a signature cut short", with_value("AAAA"), &["SignatureInvalid"]),
        ("a signature of zeros", with_value(&"AAAA".repeat(86)), &["SignatureInvalid"]),
        ("base64 with a stray character", with_value(&format!("!{base64}")), STRUCTURE),
        ("base64 without its padding", with_value(base64.trim_end_matches('=')), STRUCTURE),
        ("base64 in CDATA", with_value(&format!("<![CDATA[{base64}]]>")), STRUCTURE),
        ("base64 around an element", with_value(&format!("{base64}<x/>")), STRUCTURE),
    ]);
    all_refused(cases);
}

#[test]
fn the_message_does_not_say_which_key_is_trusted() {
    let good = request();
    let info = piece(message_signature(&good), "<ds:KeyInfo>", "</ds:KeyInfo>").to_owned();
    let with = |new: &str| in_signature(&good, &info, new);
    let own = hjemmel::signature::base64::encode(STRANGER.certificate.der());
    let binary = format!("<wsse:BinarySecurityToken xmlns:wsu=\"{WSU}\" wsu:Id=\"own\">{own}</wsse:BinarySecurityToken>");
    let stolen = request_with(&issued(&assertion()), &STRANGER);
    all_refused(vec![
        ("KeyValue", with("<ds:KeyInfo><ds:KeyValue></ds:KeyValue></ds:KeyInfo>"), STRUCTURE),
        (
            "a certificate",
            with(&format!("<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{own}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>")),
            STRUCTURE,
        ),
        ("KeyName", with("<ds:KeyInfo><ds:KeyName>x</ds:KeyName></ds:KeyInfo>"), STRUCTURE),
        ("RetrievalMethod", with("<ds:KeyInfo><ds:RetrievalMethod URI=\"http://beacon.invalid/\"/></ds:KeyInfo>"), STRUCTURE),
        ("none", with(""), STRUCTURE),
        ("empty", with("<ds:KeyInfo></ds:KeyInfo>"), STRUCTURE),
        (
            "a second key beside the STR",
            with(&info.replace("</ds:KeyInfo>", "<ds:KeyName>x</ds:KeyName></ds:KeyInfo>")),
            STRUCTURE,
        ),
        (
            "a BinarySecurityToken of one's own",
            stolen.replace("</wsu:Timestamp>", &format!("</wsu:Timestamp>{binary}")),
            STRUCTURE,
        ),
        ("a stolen token and another key", stolen, &["SignatureInvalid"]),
        (
            "a token signed by someone with the STS's name",
            request_with(&issued_by(&assertion(), &STRANGER), &CLIENT),
            &["TokenIssuerUntrusted"],
        ),
        ("a token that the client signed", request_with(&issued_by(&assertion(), &CLIENT), &CLIENT), &["TokenIssuerUntrusted"]),
    ]);
}

#[test]
fn signed_info_is_read_once_and_whole() {
    let good = request();
    let info = piece(message_signature(&good), "<ds:SignedInfo", "</ds:SignedInfo>").to_owned();
    let digest = piece(reference(&good, "body"), "<ds:DigestValue>", "</ds:DigestValue>").to_owned();
    let value = digest.trim_start_matches("<ds:DigestValue>").trim_end_matches("</ds:DigestValue>").to_owned();
    let with_digest = |new: &str| signed_again(&good, &digest, new);
    all_refused(vec![
        ("two SignedInfos", in_signature(&good, &info, &format!("{info}{info}")), STRUCTURE),
        (
            "a SignedInfo in an Object",
            in_signature(&good, "</ds:Signature>", &format!("<ds:Object>{info}</ds:Object></ds:Signature>")),
            STRUCTURE,
        ),
        (
            "SignatureValue first",
            in_signature(&good, "<ds:SignedInfo", "<ds:SignatureValue>AAAA</ds:SignatureValue><ds:SignedInfo"),
            STRUCTURE,
        ),
        ("two DigestValues", with_digest(&format!("{digest}{digest}")), STRUCTURE),
        ("a comment in DigestValue", with_digest(&digest.replace("</", "<!-- x --></")), &["CommentRefused"]),
        (
            "an instruction in DigestValue",
            in_signature(&good, &digest, &digest.replace("</", "<?x?></")),
            &["ProcessingInstructionRefused"],
        ),
        ("CDATA in DigestValue", with_digest(&format!("<ds:DigestValue><![CDATA[{value}]]></ds:DigestValue>")), STRUCTURE),
        ("an element in DigestValue", with_digest(&digest.replace("</", "<x/></")), STRUCTURE),
        ("text between the parts", in_signature(&good, "<ds:SignedInfo", "x<ds:SignedInfo"), STRUCTURE),
        (
            "an element of another namespace",
            in_signature(&good, "<ds:SignatureValue>", "<x:Y xmlns:x=\"urn:x\"/><ds:SignatureValue>"),
            STRUCTURE,
        ),
        (
            "a digest changed, signed again",
            with_digest(&digest.replace(&value, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
            &["DigestMismatch"],
        ),
        (
            "a digest changed, not signed again",
            in_signature(&good, &value, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            &["SignatureInvalid"],
        ),
        ("Body changed", good.replace("6101801234", "6101801235"), &["DigestMismatch"]),
        ("white space in Body changed", good.replace("</q:Person>\n", "</q:Person> \n"), &["DigestMismatch"]),
    ]);
}

#[test]
fn a_signed_text_is_read_whole_or_not_at_all() {
    let good = request();
    let comment = |at: &str| good.replace(at, &at.replace('>', "><!-- x -->"));
    all_refused(vec![
        ("a comment in NameID", comment("<NameID>"), &["CommentRefused"]),
        ("a comment in the CVR", good.replace(">11111111<", ">1111<!-- -->1111<"), &["CommentRefused"]),
        ("a comment in Audience", comment("<Audience>"), &["CommentRefused"]),
        ("a comment in MessageID", good.replace(">urn:uuid:0", "><!-- -->urn:uuid:0"), &["CommentRefused"]),
        ("a comment outside the root", format!("{good}<!-- x -->"), &["CommentRefused"]),
        ("an instruction in NameID", good.replace("<NameID>", "<NameID><?x y?>"), &["ProcessingInstructionRefused"]),
        // CDATA has the same canonical form: the signature holds, so the reader must refuse.
        ("CDATA in the CVR", good.replace(">11111111<", ">1111<![CDATA[1111]]><"), &["TokenInvalid"]),
        (
            "CDATA in Audience",
            good.replace(&format!("<Audience>{ENTITY}<"), &format!("<Audience><![CDATA[{ENTITY}]]><")),
            &["TokenInvalid"],
        ),
        ("CDATA in Created", good.replace("<wsu:Created>2026", "<wsu:Created><![CDATA[2026]]>"), &["SecurityStructure"]),
        ("void canonicalisation", good.replace("xmlns:q=\"urn:example:q\"", "xmlns:q=\"1\""), &["MalformedXml"]),
        ("a DTD", format!("<!DOCTYPE x>{good}"), &["DtdRefused"]),
        ("a second Header", good.replace("<soap:Body", "<soap:Header></soap:Header><soap:Body"), &["EnvelopeStructure"]),
        (
            "a second Security",
            good.replace("</soap:Header>", &format!("<wsse:Security xmlns:wsse=\"{WSSE}\"/></soap:Header>")),
            &["EnvelopeStructure"],
        ),
        ("a Security in Body", good.replace("<Empty>", &format!("<wsse:Security xmlns:wsse=\"{WSSE}\"/><Empty>")), STRUCTURE),
    ]);
    // References to characters are no trick: every reader puts the same characters in their place.
    let same = good.replace(">11111111<", ">1111&#49;11&#x31;<");
    assert_eq!(accept(&same).unwrap().cvr(), "11111111");
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
