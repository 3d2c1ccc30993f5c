//! Rows 21 to 23: framings, slow and heavy clients, compressed and multipart bodies, on the bytes of the connection.
//!
//! The edge alone is tested more closely, with limits of its own, in `src/edge/serve/tests.rs`.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::arena::{Arena, SOAP12, arena};
use crate::forge;

/// Heads that say twice, or in disguise, where a body ends. Behind each stands a good call, as the smuggled request.
const FRAMINGS: &[(&str, &str)] = &[
    ("two lengths that differ", "content-length: 4\r\ncontent-length: 5\r\n"),
    ("a list of lengths", "content-length: 4, 5\r\n"),
    ("a length with a sign", "content-length: +4\r\n"),
    ("a negative length", "content-length: -4\r\n"),
    ("a length in hexadecimal", "content-length: 0x4\r\n"),
    ("a length with a space inside", "content-length: 4 4\r\n"),
    ("a length that overflows", "content-length: 18446744073709551620\r\n"),
    ("an empty length", "content-length:\r\n"),
    ("an unknown coding", "transfer-encoding: gzip\r\n"),
    ("a coding after chunked", "transfer-encoding: chunked, identity\r\n"),
    ("a coding in disguise", "transfer-encoding: xchunked\r\n"),
    ("a coding in quotes", "transfer-encoding: \"chunked\"\r\n"),
    ("a coding behind a vertical tab", "transfer-encoding: \x0bchunked\r\n"),
    ("identity", "transfer-encoding: identity\r\n"),
    ("a space before the colon", "content-length : 4\r\n"),
    ("a folded length", "content-length:\r\n 4\r\n"),
    ("a folded coding", "transfer-encoding:\r\n chunked\r\n"),
    ("a bare carriage return", "x: a\rcontent-length: 4\r\n"),
    ("a NUL in a value", "x: a\0b\r\ncontent-length: 0\r\n"),
    ("a NUL in a name", "x\0: b\r\ncontent-length: 0\r\n"),
    ("a line that is no header", "garbage\r\ncontent-length: 0\r\n"),
    ("a header without a name", ": x\r\ncontent-length: 0\r\n"),
    ("a folded header", "x: a\r\n b\r\ncontent-length: 0\r\n"),
    ("a coding twice in two headers, the last not chunked", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n"),
    ("a coding list that begins with nothing and ends otherwise", "transfer-encoding: ,chunked,x\r\n"),
    ("a coding with a parameter", "transfer-encoding: chunked;q=1\r\n"),
    ("a bare line feed between headers", "x: a\ncontent-length : 4\r\n"),
];

/// Chunks that readers measure differently.
const CHUNKS: &[(&str, &str)] = &[
    ("a size with a sign", "+4\r\nabcd\r\n0\r\n\r\n"),
    ("a size with a prefix", "0x4\r\nabcd\r\n0\r\n\r\n"),
    ("a size that overflows", "10000000000000004\r\nabcd\r\n0\r\n\r\n"),
    ("a size with a space before", " 4\r\nabcd\r\n0\r\n\r\n"),
    ("a size that ends in a bare line feed", "4\nabcd\r\n0\r\n\r\n"),
    ("a chunk longer than its size", "4\r\nabcdefgh\r\n0\r\n\r\n"),
    ("no size", "\r\nabcd\r\n0\r\n\r\n"),
    ("an extension with a bare line feed", "4;a\nb\r\nabcd\r\n0\r\n\r\n"),
    ("an endless extension", "4;aaaaaaaa"),
];

/// Reason, headers, body, code.
type Sent = (&'static str, Vec<(&'static str, String)>, Vec<u8>, &'static str);

/// Bodies that are not the bytes that were sent, or have more than one root.
fn bodies() -> Vec<Sent> {
    let good = forge::request();
    let soap = ("content-type", SOAP12.to_owned());
    let related = |rest: &str| vec![("content-type", format!("multipart/related; {rest}"))];
    let part = |name: &str, content: &str| {
        format!(
            "--b\r\ncontent-type: application/xop+xml; type=\"application/soap+xml\"\r\ncontent-id: <{name}>\r\n\r\n{content}\r\n"
        )
    };
    let other = good.replace(forge::PERSON, "6606551239");
    let two = format!("{}{}--b--\r\n", part("good", &good), part("other", &other)).into_bytes();
    let xop = |href: &str| {
        let include = format!("<xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"{href}\"/>");
        good.replace(forge::INNER, &format!("{include}{}", forge::INNER)).into_bytes()
    };
    let coding = |coding: &str| vec![soap.clone(), ("content-encoding", coding.to_owned())];
    // Ten megabytes of spaces in ten kilobytes would be the point of it; what counts is that nobody unpacks.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".repeat(100);
    let mut cases = vec![
        ("MTOM", related("type=\"application/xop+xml\"; boundary=b; start=\"<good>\""), two.clone(), "MediaTypeRefused"),
        (
            "MTOM that starts at the other root",
            related("type=\"application/xop+xml\"; boundary=b; start=\"<other>\""),
            two.clone(),
            "MediaTypeRefused",
        ),
        ("SOAP with attachments", related("type=\"text/xml\"; boundary=b"), two.clone(), "MediaTypeRefused"),
        ("multipart without a boundary", related("type=\"text/xml\""), two.clone(), "MediaTypeRefused"),
        ("multipart with two boundaries", related("boundary=a; boundary=b"), two.clone(), "MediaTypeRefused"),
        ("multipart with a preamble", related("boundary=b"), [good.as_bytes(), b"\r\n", &two].concat(), "MediaTypeRefused"),
        ("multipart/mixed", vec![("content-type", "multipart/mixed; boundary=b".into())], two.clone(), "MediaTypeRefused"),
        ("a form with a file", vec![("content-type", "multipart/form-data; boundary=b".into())], two.clone(), "MediaTypeRefused"),
        (
            "application/xop+xml alone",
            vec![("content-type", "application/xop+xml; type=\"application/soap+xml\"".into())],
            good.clone().into_bytes(),
            "MediaTypeRefused",
        ),
        (
            "a start beside the honest type",
            vec![("content-type", format!("{SOAP12}; start=\"<x>\""))],
            good.clone().into_bytes(),
            "MediaTypeRefused",
        ),
        (
            "a boundary beside the honest type",
            vec![("content-type", format!("{SOAP12}; boundary=b"))],
            two.clone(),
            "MediaTypeRefused",
        ),
        ("a multipart body under the honest type", vec![soap.clone()], two, "MalformedXml"),
        (
            "two content types, the honest one first",
            vec![soap.clone(), ("content-type", "multipart/related; boundary=b".into())],
            good.clone().into_bytes(),
            "MediaTypeRefused",
        ),
        (
            "two content types, the honest one last",
            vec![("content-type", "multipart/related; boundary=b".into()), soap.clone()],
            good.clone().into_bytes(),
            "MediaTypeRefused",
        ),
        ("xop:Include of an address", vec![soap.clone()], xop("http://beacon.invalid/"), "DigestMismatch"),
        ("xop:Include of a file", vec![soap.clone()], xop("file:///etc/passwd"), "DigestMismatch"),
        ("xop:Include of a part", vec![soap.clone()], xop("cid:other"), "DigestMismatch"),
        ("gzip bytes without saying so", vec![soap.clone()], gzip.clone(), "EncodingRefused"),
    ];
    for name in ["gzip", "deflate", "br", "zstd", "compress", "x-gzip", "identity", "gzip, gzip", ""] {
        cases.push(("a content coding", coding(name), gzip.clone(), "ContentCodingRefused"));
    }
    cases
}

pub fn count() -> Vec<(u8, usize)> {
    vec![(21, FRAMINGS.len() + CHUNKS.len() + HOSTS.len() + 7), (22, 5 + 9), (23, bodies().len() - 9)]
}

fn head(arena: &Arena, more: &str) -> String {
    format!("POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {SOAP12}\r\n{more}\r\n", arena.world.service.path())
}

/// A good call as a request of its own: what a smuggler wants to be read where nobody looked.
fn smuggled(arena: &Arena) -> String {
    let body = forge::request();
    format!("{}{body}", head(arena, &format!("content-length: {}\r\nconnection: close\r\n", body.len())))
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[test]
fn a_request_that_ends_in_two_places_never_becomes_two_requests() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        for (reason, framing) in FRAMINGS {
            let text = arena.raw(format!("{}0\r\n\r\n{}", head(arena, framing), smuggled(arena)).as_bytes());
            assert!(answers(&text) <= 1 && !text.contains("200 OK"), "{reason}: {text}");
        }
        for (reason, chunks) in CHUNKS {
            let head = head(arena, "transfer-encoding: chunked\r\n");
            let text = arena.raw(format!("{head}{chunks}{}", smuggled(arena)).as_bytes());
            assert!(answers(&text) <= 1 && !text.contains("200 OK"), "{reason}: {text}");
        }
        for (reason, bytes) in [
            ("HTTP/2 in the clear", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
            ("HTTP/0.9", format!("POST {}\r\n", arena.world.service.path())),
        ] {
            let text = arena.raw(bytes.as_bytes());
            assert!(answers(&text) <= 1 && !text.contains("200 OK"), "{reason}: {text}");
        }
    });
}

/// Requests that are for two hosts, or for none.
const HOSTS: &[(&str, &str)] = &[
    ("a second Host", "host: localhost\r\nhost: other\r\n"),
    ("the same Host twice", "host: localhost\r\nhost: localhost\r\n"),
    ("no Host", "x: 1\r\n"),
];

#[test]
fn a_request_is_for_one_host() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        let (path, body) = (arena.world.service.path(), forge::request());
        let rest = format!("content-type: {SOAP12}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        for (reason, hosts) in HOSTS {
            let text = arena.raw(format!("POST {path} HTTP/1.1\r\n{hosts}{rest}").as_bytes());
            assert!(
                answers(&text) == 1 && text.starts_with("HTTP/1.1 400") && text.contains("HostAmbiguous"),
                "{reason}: {text}"
            );
        }
        let other = arena.raw(format!("POST https://other{path} HTTP/1.1\r\nhost: localhost\r\n{rest}").as_bytes());
        assert!(other.contains("HostAmbiguous"), "an address beside another Host: {other}");
    });
}

/// What hyper lets pass is still one request, read in one way, after which nothing more is read from that connection: the
/// gateway is where the caller's TLS ends, and writes what it sends on itself, so there is no second reader to differ.
#[test]
fn a_good_call_in_a_doubtful_frame_is_forwarded_once_and_the_call_behind_it_never() {
    let arena = arena();
    for (reason, framing, extension) in [
        ("a length before the coding", "content-length: 4\r\ntransfer-encoding: chunked\r\n", ""),
        ("a length after the coding", "transfer-encoding: chunked\r\ncontent-length: 4\r\n", ""),
        ("a NUL in an extension", "transfer-encoding: chunked\r\nconnection: close\r\n", ";a=\0"),
    ] {
        let (before, good) = (arena.reached(), forge::request());
        let head = head(&arena, framing);
        let bytes = format!("{head}{:x}{extension}\r\n{good}\r\n0\r\n\r\n{}", good.len(), smuggled(&arena));
        let text = arena.runtime.block_on(async {
            let mut stream = arena.connect().await;
            let _ = stream.write_all(bytes.as_bytes()).await;
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "{reason}: the connection was left open");
            String::from_utf8_lossy(&answer).into_owned()
        });
        assert_eq!(answers(&text), 1, "{reason}: {text}");
        assert!(text.starts_with("HTTP/1.1 200 OK"), "{reason}: {text}");
        assert_eq!(arena.reached(), before + 1, "{reason}: forwarded once");
    }
    arena.serves();
}

/// RFC 9112, 6.1: the coding counts, the connection is closed after the one answer.
#[test]
fn a_length_beside_chunks_is_one_request_and_the_connection_ends_with_it() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        for framing in
            ["content-length: 4\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 4\r\n"]
        {
            let text = arena.raw(format!("{}0\r\n\r\n{}", head(arena, framing), smuggled(arena)).as_bytes());
            assert!(answers(&text) <= 1 && !text.contains("200 OK"), "{framing}: {text}");
        }
    });
}

#[test]
fn trailers_add_nothing_to_what_the_head_said() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        let body = forge::request();
        let head = format!("POST {} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ntrailer: content-type\r\nconnection: close\r\n\r\n", arena.world.service.path());
        let text = arena.raw(format!("{head}{:x}\r\n{body}\r\n0\r\ncontent-type: {SOAP12}\r\n\r\n", body.len()).as_bytes());
        assert!(text.contains("MediaTypeRefused"), "{text}");
    });
}

#[test]
fn slow_and_heavy_clients_are_let_go_while_others_are_served() {
    let arena = arena();
    let half_a_body = format!("{}<", head(&arena, "content-length: 1000\r\nconnection: close\r\n"));
    let waiting = arena.runtime.block_on(async {
        let twenty = async |bytes: &str| {
            let mut waiting = Vec::new();
            for _ in 0..20 {
                let mut stream = arena.connect().await;
                stream.write_all(bytes.as_bytes()).await.unwrap();
                waiting.push((bytes.len(), stream));
            }
            waiting
        };
        let (silent, begun) = (twenty("").await, twenty("POST").await);
        let deadline = Instant::now() + Duration::from_secs(60);
        // All their heads are read, and none of them holds a place among the calls that are worked on. On a slow machine the
        // first may be let go before the last is there: then others come.
        let halves = 'all: loop {
            let (halves, came) = (twenty(&half_a_body).await, Instant::now());
            while came.elapsed() < Duration::from_secs(2) {
                if arena.metrics().await.contains("hjemmel_inflight_requests 20\n") {
                    break 'all halves;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(Instant::now() < deadline, "{}", arena.metrics().await);
        };
        assert!(arena.metrics().await.contains("hjemmel_working_requests 0\n"));
        [silent, begun, halves].into_iter().flatten().collect::<Vec<_>>()
    });
    arena.serves();
    arena.nothing_passes(|arena| {
        arena.runtime.block_on(async {
            for (sent, mut stream) in waiting.into_iter().filter(|(sent, _)| *sent > 0) {
                let mut answer = Vec::new();
                let closed = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
                let text = String::from_utf8_lossy(&answer);
                assert!(closed.is_ok(), "let go after {sent} bytes");
                assert!(!text.contains("200 OK") && (sent < 10 || text.starts_with("HTTP/1.1 408")), "{text}");
            }
        });
        let fields: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
        let long = format!("x: {}\r\n", "a".repeat(100_000));
        for (reason, bytes, status) in [
            ("two hundred headers", head(arena, &fields), "431"),
            ("a header of 100 kB", head(arena, &long), "431"),
            ("a path of 100 kB", format!("POST /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(100_000)), "4"),
            ("a length of a terabyte", head(arena, "content-length: 1099511627776\r\n"), "413"),
        ] {
            let text = arena.raw(bytes.as_bytes());
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")) || text.is_empty(), "{reason}: {text}");
        }
    });
}

#[test]
fn a_body_is_one_document_in_plain_bytes() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        let mut wrong = Vec::new();
        for (reason, headers, body, code) in bodies() {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = arena.send_as(&headers, body);
            if answer.code != code {
                wrong.push(format!("{reason} {headers:?}: HTTP {} {} instead of {code}", answer.status, answer.code));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}
