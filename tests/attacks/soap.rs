//! Row 24: one message, two readings of what it asks for, of whom, and where the answer goes.

use hjemmel::soap::names::{REQUEST_HEADER, SOAP11 as ENVELOPE11, SOAP12 as ENVELOPE12, WSA};

use crate::arena::{SOAP11, SOAP12, arena, with_action};
use crate::forge::{self, END, OPEN, piece};

/// Reason, headers, message, codes.
type Confusion = (&'static str, Vec<(&'static str, String)>, String, &'static [&'static str]);

const STRUCTURE: &[&str] = &["EnvelopeStructure"];
const ACTION: &[&str] = &["ActionMismatch"];
const ADDRESS: &[&str] = &["AddressingInvalid"];
const XSI: &str = "xmlns:x=\"http://www.w3.org/2001/XMLSchema-instance\"";
const ENCODING: &str = "http://www.w3.org/2003/05/soap-encoding";
const NOTHING: &str = "http://www.w3.org/2003/05/soap-envelope/encoding/none";
const DELETE: &str = "http://kombit.dk/sts/ydelseindeks/slet";

fn table() -> Vec<Confusion> {
    let good = forge::request();
    let plain = || vec![("content-type", SOAP12.to_owned())];
    let headers = |blocks: &str| good.replace("<wsse:Security ", &format!("{blocks}<wsse:Security "));
    let action = piece(&good, "<wsa:Action", "</wsa:Action>").to_owned();
    let to = piece(&good, "<wsa:To", "</wsa:To>").to_owned();
    let reply_to = piece(&good, "<wsa:ReplyTo", "</wsa:ReplyTo>").to_owned();
    let payload = piece(&good, OPEN, END).to_owned();
    let beacon = "http://beacon.invalid/";
    let going = |name: &str, address: &str| format!("<w:{name} xmlns:w=\"{WSA}\"><w:Address>{address}</w:Address></w:{name}>");
    let old = forge::request_in(hjemmel::soap::envelope::Version::V11);
    let rh = format!("<q:RequestHeader xmlns:q=\"{REQUEST_HEADER}\">");
    let style = |style: &str| format!("soap:encodingStyle=\"{style}\" ");
    let role = |role: &str| good.replace("<wsse:Security ", &format!("<wsse:Security soap:role=\"{role}\" "));
    let mut table: Vec<Confusion> = vec![
        ("the content type names another operation", vec![("content-type", with_action(DELETE))], good.clone(), ACTION),
        (
            "the content type names two operations",
            vec![("content-type", format!("{}; action=\"{DELETE}\"", with_action(super::parties::ACTION)))],
            good.clone(),
            ACTION,
        ),
        (
            "the content type names the operation in capitals",
            vec![("content-type", with_action(&super::parties::ACTION.to_uppercase()))],
            good.clone(),
            ACTION,
        ),
        ("Action names another operation", plain(), good.replace(super::parties::ACTION, DELETE), ACTION),
        (
            "two Actions",
            plain(),
            good.replace(&action, &format!("{action}{}", action.replace(super::parties::ACTION, DELETE))),
            ADDRESS,
        ),
        ("To is another service", plain(), good.replace(&to, &to.replace("/6<", "/5<")), ADDRESS),
        ("To has a query", plain(), good.replace(&to, &to.replace("</", "?wsdl</")), ADDRESS),
        ("two Tos", plain(), good.replace(&to, &to.repeat(2)), ADDRESS),
        (
            "another operation in Body",
            plain(),
            good.replace("FremsoegYdelseIndeksInput", "SletYdelseIndeksInput"),
            &["OperationUnknown"],
        ),
        (
            "the operation of another version",
            plain(),
            good.replace("ydelseindeks:6\"", "ydelseindeks:5\""),
            &["OperationUnknown"],
        ),
        ("two payloads", plain(), good.replace(&payload, &payload.repeat(2)), STRUCTURE),
        ("no payload", plain(), good.replace(&payload, ""), STRUCTURE),
        ("text beside the payload", plain(), good.replace(&payload, &format!("x{payload}")), STRUCTURE),
        (
            "two Bodies",
            plain(),
            {
                let body = piece(&good, "<soap:Body", "</soap:Body>");
                good.replace(body, &body.repeat(2))
            },
            STRUCTURE,
        ),
        (
            "Body before Header",
            plain(),
            {
                let body = piece(&good, "<soap:Body", "</soap:Body>");
                let header = piece(&good, "<soap:Header", "</soap:Header>");
                good.replace(body, "").replace(header, &format!("{body}{header}"))
            },
            STRUCTURE,
        ),
        ("two Headers", plain(), good.replace("<soap:Body", "<soap:Header></soap:Header><soap:Body"), STRUCTURE),
        ("an element after Body", plain(), good.replace("</soap:Envelope>", "<x/></soap:Envelope>"), STRUCTURE),
        ("no Envelope", plain(), payload.clone(), &["NotSoap"]),
        ("an Envelope of no namespace", plain(), "<Envelope><Body/></Envelope>".to_owned(), &["NotSoap"]),
        ("an Envelope inside a Body", plain(), good.replace(&payload, &good), &["OperationUnknown", "EnvelopeStructure"]),
        (
            "SOAP 1.1 in the content type, SOAP 1.2 in the message",
            vec![("content-type", SOAP11.to_owned())],
            good.clone(),
            &["ContentTypeMismatch"],
        ),
        (
            "SOAP 1.2 in the content type, SOAP 1.1 in the message",
            plain(),
            good.replace(ENVELOPE12, ENVELOPE11),
            &["ContentTypeMismatch"],
        ),
        (
            "a SOAP 1.1 Body in a SOAP 1.2 Envelope",
            plain(),
            good.replace("<soap:Body ", &format!("<o:Body xmlns:o=\"{ENVELOPE11}\" ")).replace("</soap:Body>", "</o:Body>"),
            STRUCTURE,
        ),
        (
            "a SOAP 1.1 Header beside it",
            plain(),
            good.replace("<soap:Header", &format!("<o:Header xmlns:o=\"{ENVELOPE11}\"/><soap:Header")),
            STRUCTURE,
        ),
        (
            "a header that must be understood",
            plain(),
            headers("<x:H xmlns:x=\"urn:x\" soap:mustUnderstand=\"true\"/>"),
            &["MustUnderstand"],
        ),
        (
            "mustUnderstand that is no boolean",
            plain(),
            headers("<x:H xmlns:x=\"urn:x\" soap:mustUnderstand=\"yes\"/>"),
            STRUCTURE,
        ),
        ("a header for a role of its own", plain(), headers("<x:H xmlns:x=\"urn:x\" soap:role=\"urn:other\"/>"), STRUCTURE),
        ("Security for another role", plain(), role("urn:other"), STRUCTURE),
        ("Security for no role", plain(), role("http://www.w3.org/2003/05/soap-envelope/role/none"), STRUCTURE),
        ("Security for an empty role", plain(), role(""), STRUCTURE),
        (
            "a second Security for another role",
            plain(),
            headers(
                "<wsse:Security xmlns:wsse=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\" soap:role=\"urn:other\"/>",
            ),
            STRUCTURE,
        ),
        (
            "two RequestHeaders",
            plain(),
            headers(&format!("{rh}<q:TransactionUUID>1</q:TransactionUUID></q:RequestHeader>").repeat(2)),
            STRUCTURE,
        ),
        (
            "two numbers in RequestHeader",
            plain(),
            headers(&format!("{rh}{0}{0}</q:RequestHeader>", "<q:TransactionUUID>1</q:TransactionUUID>")),
            STRUCTURE,
        ),
        ("another element in RequestHeader", plain(), headers(&format!("{rh}<q:Other/></q:RequestHeader>")), STRUCTURE),
        ("text in RequestHeader", plain(), headers(&format!("{rh}x</q:RequestHeader>")), STRUCTURE),
        (
            "an attribute on RequestHeader",
            plain(),
            headers(&format!("{}</q:RequestHeader>", rh.replace('>', " a=\"\">"))),
            STRUCTURE,
        ),
        (
            "an attribute in RequestHeader",
            plain(),
            headers(&format!("{rh}<q:TransactionUUID a=\"\">1</q:TransactionUUID></q:RequestHeader>")),
            STRUCTURE,
        ),
        (
            "an element in the number of RequestHeader",
            plain(),
            headers(&format!("{rh}<q:TransactionUUID><x/></q:TransactionUUID></q:RequestHeader>")),
            STRUCTURE,
        ),
        ("two Frameworks", plain(), headers("<l:Framework xmlns:l=\"urn:liberty:sb:2006-08\"/>"), STRUCTURE),
        ("To that is nil", plain(), good.replace("<wsa:To ", &format!("<wsa:To {XSI} x:nil=\"true\" ")), ADDRESS),
        (
            "To that is a parameter of a reference",
            plain(),
            good.replace("<wsa:To ", "<wsa:To wsa:IsReferenceParameter=\"true\" "),
            ADDRESS,
        ),
        ("two ReplyTos", plain(), good.replace(&reply_to, &reply_to.repeat(2)), ADDRESS),
        ("ReplyTo with text", plain(), good.replace("</wsa:ReplyTo>", "x</wsa:ReplyTo>"), ADDRESS),
        (
            "ReplyTo with parameters",
            plain(),
            good.replace("</wsa:ReplyTo>", "<wsa:ReferenceParameters><x/></wsa:ReferenceParameters></wsa:ReplyTo>"),
            ADDRESS,
        ),
        (
            "encodingStyle on Envelope",
            plain(),
            good.replace("<soap:Envelope ", &format!("<soap:Envelope {}", style(ENCODING))),
            STRUCTURE,
        ),
        (
            "encodingStyle on Header",
            plain(),
            good.replace("<soap:Header", &format!("<soap:Header {}", style(ENCODING))),
            STRUCTURE,
        ),
        ("encodingStyle on Body", plain(), good.replace("<soap:Body ", &format!("<soap:Body {}", style(ENCODING))), STRUCTURE),
        (
            "encodingStyle that claims nothing on Envelope",
            plain(),
            good.replace("<soap:Envelope ", &format!("<soap:Envelope {}", style(NOTHING))),
            STRUCTURE,
        ),
        (
            "encodingStyle on the payload",
            plain(),
            good.replace(OPEN, &format!("{OPEN}{}", style(ENCODING))),
            &["DataEncodingUnknown"],
        ),
        (
            "encodingStyle on a header",
            plain(),
            good.replace("<wsa:To ", &format!("<wsa:To {}", style(ENCODING))),
            &["DataEncodingUnknown"],
        ),
        (
            "encodingStyle on a SOAP 1.1 Envelope",
            vec![("content-type", SOAP11.to_owned())],
            old.replace("<soap:Envelope ", &format!("<soap:Envelope {}", style("http://schemas.xmlsoap.org/soap/encoding/"))),
            &["DataEncodingUnknown"],
        ),
        ("FaultTo elsewhere", plain(), headers(&going("FaultTo", beacon)), ADDRESS),
        ("ReplyTo elsewhere", plain(), good.replace(&reply_to, &going("ReplyTo", beacon)), ADDRESS),
        (
            "ReplyTo nowhere",
            plain(),
            good.replace(&reply_to, &going("ReplyTo", "http://www.w3.org/2005/08/addressing/none")),
            ADDRESS,
        ),
        ("ReplyTo without an address", plain(), good.replace(&reply_to, &format!("<w:ReplyTo xmlns:w=\"{WSA}\"/>")), ADDRESS),
        (
            "ReplyTo with two addresses",
            plain(),
            good.replace(
                &reply_to,
                &going("ReplyTo", "http://www.w3.org/2005/08/addressing/anonymous")
                    .replace("</w:ReplyTo>", &format!("<w:Address>{beacon}</w:Address></w:ReplyTo>")),
            ),
            ADDRESS,
        ),
        ("an addressing header that nobody knows", plain(), headers(&going("Elsewhere", beacon)), ADDRESS),
        ("From that nobody signed", plain(), headers(&going("From", beacon)), &["SignatureCoverage"]),
        (
            "addressing of an older version for another operation",
            plain(),
            headers(&format!(
                "<o:Action xmlns:o=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" soap:mustUnderstand=\"1\">{DELETE}</o:Action>"
            )),
            &["MustUnderstand"],
        ),
    ];
    // The texts of signed headers, split by what canonicalisation does not see.
    for (header, code) in
        [(&action, ADDRESS), (&to, ADDRESS), (&piece(&good, "<wsa:MessageID", "</wsa:MessageID>").to_owned(), ADDRESS)]
    {
        let middle = header.find('>').unwrap() + 5;
        let split = format!("{}<![CDATA[]]>{}", &header[..middle], &header[middle..]);
        table.push(("CDATA in a header's text", plain(), good.replace(header.as_str(), &split), code));
    }
    for (reason, kind) in [
        ("no content type", None),
        ("XML", Some("application/xml")),
        ("a form", Some("application/x-www-form-urlencoded")),
        ("text", Some("text/plain")),
        ("a type with a suffix", Some("application/soap+xmlx")),
        ("two types in one", Some("application/soap+xml, text/xml")),
    ] {
        let headers = kind.map(|kind| ("content-type", kind.to_owned())).into_iter().collect();
        table.push((reason, headers, good.clone(), &["MediaTypeRefused"]));
    }
    table
}

pub fn count() -> Vec<(u8, usize)> {
    vec![(24, table().len() + UNREMARKABLE + 2)]
}

#[test]
fn a_message_says_one_thing_in_one_place_or_is_refused() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        let mut wrong = Vec::new();
        for (reason, headers, message, codes) in table() {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = arena.send_as(&headers, message);
            if !codes.contains(&answer.code.as_str()) || !(400..600).contains(&answer.status) {
                wrong.push(format!("{reason}: HTTP {} {} instead of {codes:?}", answer.status, answer.code));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// What is served beside what is refused above, so that no honest client is shut out with it.
const UNREMARKABLE: usize = 6;

#[test]
fn what_soap_allows_beside_a_message_is_served() {
    let arena = arena();
    let rh = format!("<q:RequestHeader xmlns:q=\"{REQUEST_HEADER}\"");
    let with = |block: &str| forge::request().replacen("<wsse:Security ", &format!("{block}<wsse:Security "), 1);
    let v11 = || forge::request_in(hjemmel::soap::envelope::Version::V11);
    let served: [(&str, String); UNREMARKABLE] = [
        (
            "RequestHeader that must be understood and has an id",
            with(&format!(
                "{rh} soap:mustUnderstand=\"0\" Id=\"rh\">\n<q:TransactionUUID>1</q:TransactionUUID>\n</q:RequestHeader>"
            )),
        ),
        ("an empty RequestHeader", with(&format!("{rh}/>"))),
        (
            "a header that nobody knows, twice",
            with("<x:H xmlns:x=\"urn:x\" a=\"b\">text</x:H>").replace("<x:H", "<x:H xmlns:x=\"urn:x\"/><x:H"),
        ),
        ("encodingStyle that claims nothing on a header", with(&format!("{rh} soap:encodingStyle=\"{NOTHING}\"/>"))),
        (
            "encodingStyle that claims nothing in SOAP 1.1",
            v11().replacen("><soap:Header>", " soap:encodingStyle=\"\"><soap:Header>", 1),
        ),
        ("namespaces that nobody uses", forge::request().replace("<soap:Header>", "<soap:Header xmlns:unused=\"urn:unused\">")),
    ];
    for (reason, message) in served {
        let answer = arena.send(message);
        assert!(answer.is_served(), "{reason}: {} {} {}", answer.status, answer.code, answer.text);
    }
}

/// CVE-2012-5633: a request that is not POST went past the checks.
#[test]
fn no_method_but_post_and_no_other_path_reaches_the_service() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        let path = arena.world.service.path();
        for (request, status) in [
            (format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"), "405"),
            (format!("HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"), "405"),
            (format!("PUT {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), "405"),
            (format!("OPTIONS {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"), "405"),
            (
                format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-http-method-override: POST\r\nconnection: close\r\n\r\n"),
                "405",
            ),
            (format!("POST /x/..{path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), "404"),
            (format!("POST /{path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), "404"),
        ] {
            let answer = arena.raw(request.as_bytes());
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}{answer}");
        }
    });
}
