//! Bad input: a clear fault or status each, nothing forwarded, and the gateway serves on.

use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};

use crate::request::{and, search};
use crate::stage::{INDEX_ACTION, REQUEST_BYTES, SOAP11, XML_TEXT_BYTES, on_stage, person};
use crate::wire::{Http, Sent};

const MULTIPART: &str = "--b\r\nContent-Type: text/xml\r\n\r\n<x/>\r\n--b--\r\n";

const ENDLESS: &str = "without end, past what is read only to be refused";

#[test]
fn bad_input_is_refused_clearly_forwards_nothing_and_leaves_the_gateway_serving() {
    on_stage(async |stage| {
        let good = stage.by_tls(Version::V11, KORSBAEK, &search(&and(&[&person(demo::UDK_ONLY)])));
        let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xb3\xa9\xd0\xb7\x03\x00".to_vec();
        let latin1 = "text/xml; charset=iso-8859-1";
        let action = format!("application/soap+xml; action=\"{INDEX_ACTION}\"");
        let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
            ("cut off in the middle", "text/xml", good.as_bytes()[..good.len() / 2].to_vec(), "MalformedXml"),
            ("oversized", "text/xml", vec![b' '; REQUEST_BYTES + 1], "BodyTooLarge"),
            (ENDLESS, "text/xml", vec![b' '; 2 * REQUEST_BYTES + 1], "BodyTooLarge"),
            (
                "a text past the setting xml_text_bytes",
                "text/xml",
                good.replace("</s:Body>", &format!("<x>{}</x></s:Body>", "x".repeat(XML_TEXT_BYTES + 1))).into_bytes(),
                "XmlTooComplex",
            ),
            ("JSON", "text/xml", b"{\"cpr\": \"6101801234\"}".to_vec(), "MalformedXml"),
            ("zero bytes", "text/xml", vec![0; 1000], "MalformedXml"),
            ("bytes that are no UTF-8", "text/xml", b"<x>\xff\xfe</x>".to_vec(), "EncodingRefused"),
            ("UTF-16", "text/xml", b"\xff\xfe<\0x\0/\0>\0".to_vec(), "EncodingRefused"),
            ("nothing", "text/xml", Vec::new(), "MalformedXml"),
            ("HTML", "text/xml", b"<html></html>".to_vec(), "NotSoap"),
            ("another namespace", "text/xml", good.replace(SOAP11, "urn:x").into_bytes(), "NotSoap"),
            (
                "a SOAP version that is none",
                "text/xml",
                good.replace(SOAP11, "http://www.w3.org/2099/soap-envelope").into_bytes(),
                "NotSoap",
            ),
            ("SOAP 1.1 that claims to be 1.2", &action, good.clone().into_bytes(), "ContentTypeMismatch"),
            ("another operation", "text/xml", good.replace("FremsoegRequest", "OpretRequest").into_bytes(), "OperationUnknown"),
            (
                "the operation in another namespace",
                "text/xml",
                good.replace("TerminalAdgang/6/\"", "TerminalAdgang/5/\"").into_bytes(),
                "OperationUnknown",
            ),
            ("gzip unannounced", "text/xml", gzip, "EncodingRefused"),
            ("multipart", "multipart/related; boundary=b", MULTIPART.into(), "MediaTypeRefused"),
            ("multipart called XML", "text/xml; boundary=b", MULTIPART.into(), "MediaTypeRefused"),
            ("another character set", latin1, good.clone().into_bytes(), "EncodingRefused"),
            ("a form", "application/x-www-form-urlencoded", b"a=b".to_vec(), "MediaTypeRefused"),
        ];
        for (what, mime, body, code) in cases {
            for http in [Http::One, Http::Two] {
                let before = stage.world.index_requests();
                // Whoever goes on sending may lose the answer to a connection that is closed under it; so this one waits.
                let sent = if what == ENDLESS { Sent::stalled(body.clone()) } else { Sent::whole(body.clone()) };
                let mut request = stage.request(http, Version::V11).body(sent).unwrap();
                request.headers_mut().insert("content-type", mime.parse().unwrap());
                let answer = stage.send(http, Some(Role::Korsbaek), request).await.unwrap();
                assert!((400..600).contains(&answer.status), "{what}");
                eprintln!("{what} over {http:?}: {} {code}", answer.status);
                stage.refused(&answer, code);
                assert_eq!(stage.world.index_requests(), before, "{what}: nothing is forwarded");
            }
            stage.serves().await;
        }
    });
}

#[test]
fn other_methods_and_paths_are_answered_by_http() {
    on_stage(async |stage| {
        let before = stage.world.index_requests();
        let base = format!("https://localhost:{}", stage.port());
        let path = stage.world.service.path();
        let (call, document) = (Some("POST"), Some("GET, HEAD, POST"));
        for (method, path, status, allow) in [
            ("GET", path.to_owned(), 405, call),
            ("GET", format!("{path}?wsdl=other"), 405, call),
            ("GET", format!("{path}?wsdl"), 200, None),
            ("PUT", path.to_owned(), 405, call),
            ("DELETE", path.to_owned(), 405, call),
            ("TRACE", path.to_owned(), 405, call),
            ("OPTIONS", path.to_owned(), 405, call),
            ("PUT", format!("{path}?wsdl"), 405, document),
            ("POST", "/".to_owned(), 404, None),
            ("POST", format!("{path}/../../x"), 404, None),
            ("GET", "/metrics".to_owned(), 404, None),
        ] {
            let request = http::Request::builder().method(method).uri(format!("{base}{path}")).body(Sent::whole("")).unwrap();
            let answer = stage.send(Http::Two, None, request).await.unwrap();
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
            let told = answer.headers.get("allow").map(|allow| allow.to_str().unwrap());
            assert_eq!(told, allow, "{method} {path}");
            let text = answer.text();
            assert!(
                status != 405 || text.contains("POST til kald") && text.contains("GET with ?wsdl"),
                "{method} {path}: {text}"
            );
            assert!(!answer.body.is_empty(), "{method} {path} is told what to do");
        }
        assert_eq!(stage.world.index_requests(), before);
        stage.serves().await;
    });
}
