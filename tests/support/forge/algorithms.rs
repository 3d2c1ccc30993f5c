//! Algorithms, keys, SignedInfo, and texts split for one reader and whole for another.

use super::*;
use hjemmel::signature::names::{EXC_C14N, WSSE, WSU};

/// Only the algorithms of the list verify.
pub fn algorithms() -> Vec<Case> {
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
    // Signed for real, with what everybody has of the key: its certificate, its public part, as bytes and as text.
    let certificate = CLIENT.certificate.der().to_vec();
    let as_text = piece(&good, "<X509Certificate>", "</X509Certificate>")
        .replace("<X509Certificate>", "")
        .replace("</X509Certificate>", "");
    for (algorithm, hash) in [
        ("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", aws_lc_rs::hmac::HMAC_SHA256),
        ("http://www.w3.org/2000/09/xmldsig#hmac-sha1", aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
    ] {
        for key in [certificate.as_slice(), as_text.as_bytes(), STS.certificate.der(), b""] {
            let forged = in_signature(&good, rsa, algorithm);
            let document = parse(&forged).unwrap();
            let security = parts(&document).unwrap().security;
            let info = security.named(DSIG, "Signature").last().unwrap().named(DSIG, "SignedInfo").next().unwrap();
            let value = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(hash, key), &canonical_bytes(info));
            let old = piece(message_signature(&forged), "<ds:SignatureValue>", "</ds:SignatureValue>");
            let new = format!("<ds:SignatureValue>{}</ds:SignatureValue>", hjemmel::signature::base64::encode(value.as_ref()));
            cases.push(("HMAC keyed with a certificate", in_signature(&forged, old, &new), ALGORITHM));
        }
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
    cases
}

/// The message does not say which key is trusted.
pub fn keys() -> Vec<Case> {
    let good = request();
    let info = piece(message_signature(&good), "<ds:KeyInfo>", "</ds:KeyInfo>").to_owned();
    let with = |new: &str| in_signature(&good, &info, new);
    let own = hjemmel::signature::base64::encode(STRANGER.certificate.der());
    let binary = format!("<wsse:BinarySecurityToken xmlns:wsu=\"{WSU}\" wsu:Id=\"own\">{own}</wsse:BinarySecurityToken>");
    let stolen = request_with(&issued(&assertion()), &STRANGER);
    vec![
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
        (
            "a stolen token and one's own certificate in KeyInfo",
            in_signature(
                &stolen,
                &info,
                &format!("<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{own}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"),
            ),
            STRUCTURE,
        ),
        ("a stolen token and another key", stolen, &["SignatureInvalid"]),
        (
            "a token signed by someone, with the STS's certificate in its KeyInfo",
            request_with(&issued_by(&assertion(), &STRANGER), &CLIENT).replacen(
                &own,
                &hjemmel::signature::base64::encode(STS.certificate.der()),
                1,
            ),
            // The exchange changes the canonical form of the token, and nothing of whose key signed it.
            &["SignatureInvalid", "DigestMismatch"],
        ),
        (
            "a token signed by someone with the STS's name",
            request_with(&issued_by(&assertion(), &STRANGER), &CLIENT),
            &["TokenIssuerUntrusted"],
        ),
        ("a token that the client signed", request_with(&issued_by(&assertion(), &CLIENT), &CLIENT), &["TokenIssuerUntrusted"]),
    ]
}

/// Signed info is read once and whole.
pub fn signed_info() -> Vec<Case> {
    let good = request();
    let info = piece(message_signature(&good), "<ds:SignedInfo", "</ds:SignedInfo>").to_owned();
    let digest = piece(reference(&good, "body"), "<ds:DigestValue>", "</ds:DigestValue>").to_owned();
    let value = digest.trim_start_matches("<ds:DigestValue>").trim_end_matches("</ds:DigestValue>").to_owned();
    let with_digest = |new: &str| signed_again(&good, &digest, new);
    vec![
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
            &["DigestMismatch"],
        ),
        ("Body changed", good.replace(PERSON, "6101801235"), &["DigestMismatch"]),
        ("white space in Body changed", good.replace(END, &format!(" {END}")), &["DigestMismatch"]),
    ]
}

/// A signed text is read whole or not at all.
pub fn split_text() -> Vec<Case> {
    let good = request();
    let comment = |at: &str| good.replace(at, &at.replace('>', "><!-- x -->"));
    let mut cases: Vec<Case> = vec![
        ("a comment in NameID", comment("<NameID>"), &["CommentRefused"]),
        ("a comment in the CVR", good.replace(">11111111<", ">1111<!-- -->1111<"), &["CommentRefused"]),
        ("a comment in Audience", comment("<Audience>"), &["CommentRefused"]),
        ("a comment in MessageID", good.replace(">urn:uuid:", "><!-- -->urn:uuid:"), &["CommentRefused", "AddressingInvalid"]),
        ("a comment outside the root", format!("{good}<!-- x -->"), &["CommentRefused"]),
        ("an instruction in NameID", good.replace("<NameID>", "<NameID><?x y?>"), &["ProcessingInstructionRefused"]),
        // CDATA has the same canonical form: the signature holds, so the reader must refuse.
        ("CDATA in the CVR", good.replace(">11111111<", ">1111<![CDATA[1111]]><"), &["TokenInvalid"]),
        (
            "CDATA in Audience",
            good.replace(&format!("<Audience>{ENTITY}<"), &format!("<Audience><![CDATA[{ENTITY}]]><")),
            &["TokenInvalid"],
        ),
        ("CDATA in Created", good.replace("<wsu:Created>20", "<wsu:Created><![CDATA[20]]>"), &["SecurityStructure"]),
        ("a DTD", format!("<!DOCTYPE x>{good}"), &["DtdRefused"]),
        ("a second Header", good.replace("<soap:Body", "<soap:Header></soap:Header><soap:Body"), &["EnvelopeStructure"]),
        (
            "a second Security",
            good.replace("</soap:Header>", &format!("<wsse:Security xmlns:wsse=\"{WSSE}\"/></soap:Header>")),
            &["EnvelopeStructure"],
        ),
        ("a Security in Body", good.replace(INNER, &format!("<wsse:Security xmlns:wsse=\"{WSSE}\"/>{INNER}")), STRUCTURE),
    ];
    // In the middle of every text that decides something. The markup is put in after signing: a comment and an instruction
    // are refused for what they are, and CDATA, which canonicalisation does not see, by whoever reads the text.
    for (start, end) in [
        ("<NameID>", "</NameID>"),
        (">1111", "1111<"),
        ("<Audience>", "</Audience>"),
        ("<Issuer>", "</Issuer>"),
        ("<wsa:MessageID", "</wsa:MessageID>"),
        ("<wsa:To", "</wsa:To>"),
        ("<wsa:Action", "</wsa:Action>"),
        ("<wsu:Created>", "</wsu:Created>"),
    ] {
        let text = piece(&good, start, end);
        let middle = text.find('>').unwrap() + 1 + 4;
        let split = |markup: &str| good.replacen(text, &format!("{}{markup}{}", &text[..middle], &text[middle..]), 1);
        cases.push(("a comment in the middle", split("<!-- x -->"), &["CommentRefused", "AddressingInvalid"]));
        cases.push(("an instruction in the middle", split("<?x?>"), &["ProcessingInstructionRefused"]));
        // The headers are read by the envelope's reader: tests/attacks/soap.rs.
        if !start.starts_with("<wsa:") {
            let refused: &[&str] = &["TokenInvalid", "TokenAudience", "TokenIssuerUntrusted", "SecurityStructure"];
            cases.push(("CDATA in the middle", split("<![CDATA[]]>"), refused));
        }
    }
    cases
}
