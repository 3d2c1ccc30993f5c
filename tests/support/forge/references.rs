//! References: the STR-Transform, and every transform that is none of ours.

use super::*;
use hjemmel::signature::names::{BASE64, EXC_C14N, STR_TRANSFORM};

/// The reference to the token leads to the one token and nowhere else.
pub fn token() -> Vec<Case> {
    let good = request();
    let whole = piece(&good, "<wsse:SecurityTokenReference", "</wsse:SecurityTokenReference>");
    let identifier = piece(whole, "<wsse:KeyIdentifier", "</wsse:KeyIdentifier>");
    let direct = "<wsse:Reference URI=\"#_token\"></wsse:Reference>";
    let in_str = |new: String| good.replacen(whole, &whole.replace(identifier, &new), 1);
    let parameters = piece(message_signature(&good), "<wsse:TransformationParameters", "</wsse:TransformationParameters>");
    vec![
        ("two STRs", good.replacen(whole, &format!("{whole}{}", whole.replace("\"str\"", "\"str2\"")), 1), STRUCTURE),
        ("no STR", good.replacen(whole, "", 1), STRUCTURE),
        ("two KeyIdentifiers", in_str(format!("{identifier}{identifier}")), STRUCTURE),
        ("Reference and KeyIdentifier", in_str(format!("{direct}{identifier}")), STRUCTURE),
        ("a Reference instead", in_str(direct.into()), STRUCTURE),
        ("Embedded", in_str("<wsse:Embedded></wsse:Embedded>".into()), STRUCTURE),
        ("another ID", in_str(identifier.replace("_token", "_other")), STRUCTURE),
        ("the STR names Body", in_str(identifier.replace("_token", "body")), STRUCTURE),
        ("the STR names itself", in_str(identifier.replace(">_token<", ">str<")), STRUCTURE),
        (
            "the STR inside KeyInfo is signed, and names another token",
            {
                let named = in_signature(
                    &good,
                    "<ds:KeyInfo><wsse:SecurityTokenReference",
                    "<ds:KeyInfo><wsse:SecurityTokenReference wsu:Id=\"key\"",
                );
                signed_again(&in_signature(&named, ">_token<", ">_other<"), "#str", "#key")
            },
            STRUCTURE,
        ),
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
    ]
}

/// A good request whose token is covered through the reference in KeyInfo, as WSS4J protects a token. `kept`: the reference
/// in Security stays where it was, and no signature names it.
pub fn through_key_info(kept: bool) -> String {
    let good = request();
    let in_security = piece(&good, "<wsse:SecurityTokenReference", "</wsse:SecurityTokenReference>");
    let in_key_info = piece(message_signature(&good), "<wsse:SecurityTokenReference", "</wsse:SecurityTokenReference>");
    let named = in_key_info.replacen("Reference ", "Reference wsu:Id=\"keystr\" ", 1);
    let xml = in_signature(&in_signature(&good, in_key_info, &named), "\"#str\"", "\"#keystr\"");
    resign(&if kept { xml } else { xml.replacen(in_security, "", 1) })
}

/// The reference in KeyInfo covers the token as the one in Security does, and nothing else.
pub fn key_info() -> Vec<Case> {
    let good = through_key_info(true);
    let reference = piece(message_signature(&good), "<wsse:SecurityTokenReference", "</wsse:SecurityTokenReference>");
    let identifier = piece(reference, "<wsse:KeyIdentifier", "</wsse:KeyIdentifier>");
    let parameters = piece(message_signature(&good), "<wsse:TransformationParameters", "</wsse:TransformationParameters>");
    let token = super::reference(&good, "keystr");
    let real = piece(&good, "<Assertion", "</Assertion>");
    let elsewhere = reference.replace("\"keystr\"", "\"far\"");
    let leading_far = |xml: &str| signed_again(xml, "\"#keystr\"", "\"#far\"");
    vec![
        ("it names another token", in_signature(&good, ">_token<", ">_other<"), STRUCTURE),
        ("it names two", in_signature(&good, identifier, &identifier.repeat(2)), STRUCTURE),
        ("there are two", in_signature(&good, reference, &format!("{reference}{elsewhere}")), STRUCTURE),
        (
            "it is signed itself, the token is not",
            signed_again(
                &good,
                &format!("<ds:Transform Algorithm=\"{STR_TRANSFORM}\">{parameters}"),
                &format!("<ds:Transform Algorithm=\"{EXC_C14N}\">"),
            ),
            STRUCTURE,
        ),
        (
            "both references are signed, one for another token",
            signed_again(
                &good,
                token,
                &format!("{token}{}", token.replace("#keystr", "#str").replace("<ds:DigestValue>", "<ds:DigestValue>AAAA")),
            ),
            &["DigestMismatch"],
        ),
        (
            "the signature leads to one in a header",
            leading_far(&good.replace("<wsse:Security ", &format!("{elsewhere}<wsse:Security "))),
            STRUCTURE,
        ),
        ("the signature leads to one in Body", leading_far(&good.replace(END, &format!("{elsewhere}{END}"))), STRUCTURE),
        (
            "the signature leads to one in the token's KeyInfo",
            leading_far(&good.replacen(
                "</ds:X509Data></ds:KeyInfo></ds:Signature>",
                &format!("</ds:X509Data>{elsewhere}</ds:KeyInfo></ds:Signature>"),
                1,
            )),
            STRUCTURE,
        ),
        ("the signature does not name the token", signed_again(&good, token, ""), COVERAGE),
        (
            "the token is another than was signed",
            good.replace(real, &real.replace(">11111111<", ">99999991<")),
            &["DigestMismatch"],
        ),
        (
            "a second token stands beside it",
            good.replace(real, &format!("{real}{}", real.replace("\"_token\"", "\"_two\""))),
            STRUCTURE,
        ),
        (
            "the encoding of the ID is none that is known",
            in_signature(&good, "<wsse:KeyIdentifier ", "<wsse:KeyIdentifier EncodingType=\"urn:example:hex\" "),
            STRUCTURE,
        ),
        (
            "the ID is encoded as its EncodingType says",
            in_signature(
                &good,
                identifier,
                &identifier
                    .replace(">_token<", &format!(">{}<", base64::encode(b"_token")))
                    .replace("Identifier ", &format!("Identifier EncodingType=\"{BASE64}\" ")),
            ),
            STRUCTURE,
        ),
    ]
}

const XSLT: &str = "http://www.w3.org/TR/1999/REC-xslt-19991116";
const XPATH: &str = "http://www.w3.org/TR/1999/REC-xpath-19991116";

fn stylesheet(template: &str) -> String {
    format!(
        "<x:stylesheet xmlns:x=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"><x:template match=\"/\">{template}\
         </x:template></x:stylesheet>"
    )
}

/// No transform computes anything.
pub fn transforms() -> Vec<Case> {
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
    for (reason, algorithm, content) in [
        ("a stylesheet of a constant", XSLT, stylesheet("<x:text>constant</x:text>")),
        ("a stylesheet that fetches", XSLT, stylesheet("<x:copy-of select=\"document('http://beacon.invalid/')\"/>")),
        ("a stylesheet that reads a file", XSLT, stylesheet("<x:copy-of select=\"document('file:///etc/passwd')\"/>")),
        (
            "a stylesheet that never ends",
            XSLT,
            stylesheet("<x:call-template name=\"l\"/></x:template><x:template name=\"l\"><x:call-template name=\"l\"/>"),
        ),
        (
            "a stylesheet with an extension",
            XSLT,
            stylesheet("<x:value-of xmlns:r=\"http://xml.apache.org/xalan/java/java.lang.Runtime\" select=\"r:getRuntime()\"/>"),
        ),
        ("XPath that selects nothing", XPATH, "<ds:XPath>false()</ds:XPath>".to_owned()),
        ("XPath that asks where it stands", XPATH, "<ds:XPath>count(here()/ancestor::*) = 0</ds:XPath>".to_owned()),
        (
            "XPath that takes for ever",
            XPATH,
            format!("<ds:XPath>{}</ds:XPath>", "count(//.[".repeat(30) + "1" + &"])".repeat(30)),
        ),
        (
            "a filter that subtracts all",
            "http://www.w3.org/2002/06/xmldsig-filter2",
            "<f:XPath xmlns:f=\"http://www.w3.org/2002/06/xmldsig-filter2\" Filter=\"subtract\">/</f:XPath>".to_owned(),
        ),
    ] {
        let one = format!("<ds:Transform Algorithm=\"{algorithm}\">{content}</ds:Transform>");
        cases.push((reason, with(&format!("<ds:Transforms>{one}{c14n}</ds:Transforms>")), ALGORITHM));
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
    cases
}

/// A namespace that canonicalisation cannot write, so that it might write nothing.
pub fn void() -> Vec<Case> {
    let good = request();
    let named = |name: &str| {
        good.replace(NAMESPACE, &NAMESPACE.replace(&NAMESPACE[NAMESPACE.find('"').unwrap()..], &format!("\"{name}\"")))
    };
    let beside = |name: &str| good.replace(OPEN, &format!("{OPEN}xmlns:void=\"{name}\" "));
    let malformed: &[&str] = &["MalformedXml"];
    // What a verifier that fails without noticing would compute: the digest of nothing.
    let empty = |xml: &str| {
        let old = piece(reference(xml, "body"), "<ds:DigestValue>", "</ds:DigestValue>");
        in_signature(xml, old, "<ds:DigestValue>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</ds:DigestValue>")
    };
    vec![
        ("the digest of nothing", resign(&empty(&good)), &["DigestMismatch"]),
        ("the digest of nothing beside a relative namespace", empty(&named("1")), malformed),
        ("a relative namespace", named("1"), malformed),
        ("a namespace that is no URI", named("http://[:"), malformed),
        ("an unused relative namespace on Body's child", beside("1"), malformed),
        ("an unused namespace with a space", beside("urn:a b"), malformed),
        ("a prefix bound to nothing", beside(""), malformed),
        ("a relative namespace in Security", good.replace("<wsse:Security ", "<wsse:Security xmlns:void=\"../1\" "), malformed),
    ]
}
