//! HTTP/2 frame by frame: what HTTP/1.1 calls smuggling, and floods. Each message goes over a connection of its own, beside
//! one that must be served throughout.

use super::*;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A field, literally, as HPACK writes one that it does not index.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127);
        out.push(u8::try_from(text.len()).unwrap());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

const GOOD: [(&str, &str); 4] = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")];

fn with(more: &[(&str, &str)]) -> Vec<u8> {
    fields(&[&GOOD, more].concat())
}

fn opening() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat()
}

/// The kind, stream and payload of each frame that comes back, until the end, or until a ping is answered that was sent once
/// it was known what became of a stream. Where neither comes: until nothing has come for two seconds.
async fn answered(edge: &Running, frames: &[Vec<u8>]) -> Vec<(u8, u32, Vec<u8>)> {
    const LAST: &[u8; 8] = b"the last";
    let mut stream = edge.connect_as(None, &[b"h2"]).await.unwrap();
    // The server may hang up while the rest is still being written.
    let _ = stream.write_all(&[opening(), frames.concat()].concat()).await;
    let (mut answer, mut pinged) = (Vec::new(), false);
    let mut buffer = [0; 16 * 1024];
    while let Ok(Ok(length @ 1..)) = timeout(Duration::from_secs(2), stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..length]);
        let (frames, known) = parsed(&answer);
        if frames.iter().any(|(kind, _, payload)| *kind == PING && payload == LAST) {
            break;
        }
        if known && !pinged {
            pinged = true;
            let _ = stream.write_all(&frame(PING, 0, 0, LAST)).await;
        }
    }
    parsed(&answer).0
}

/// The frames, and whether one of them ends a stream or the connection.
fn parsed(answer: &[u8]) -> (Vec<(u8, u32, Vec<u8>)>, bool) {
    let (mut frames, mut known, mut rest) = (Vec::new(), false, answer);
    while let [a, b, c, kind, flags, s1, s2, s3, s4, payload @ ..] = rest {
        let length = (u32::from_be_bytes([0, *a, *b, *c]) as usize).min(payload.len());
        frames.push((*kind, u32::from_be_bytes([*s1, *s2, *s3, *s4]), payload[..length].to_vec()));
        known |= match *kind {
            RST_STREAM | GOAWAY => true,
            DATA | HEADERS => flags & END_STREAM != 0,
            _ => false,
        };
        rest = &payload[length..];
    }
    (frames, known)
}

/// `:status 200` from HPACK's static table.
fn served(frames: &[(u8, u32, Vec<u8>)]) -> usize {
    frames.iter().filter(|(kind, _, payload)| *kind == HEADERS && payload.first() == Some(&0x88)).count()
}

#[tokio::test]
async fn a_request_that_http_1_1_would_call_smuggled_is_not_served() {
    let edge = start(small()).await;
    let mut steady = h2(&edge).await;
    let whole = |head: &[u8], body: &[u8]| vec![frame(HEADERS, END_HEADERS, 1, head), frame(DATA, END_STREAM, 1, body)];
    let good = whole(&with(&[]), b"hej");
    assert_eq!(served(&answered(&edge, &good).await), 1, "the frame that the others are made from is in order");
    let without = |left_out: &str| fields(&GOOD.into_iter().filter(|(name, _)| *name != left_out).collect::<Vec<_>>());
    for (reason, frames) in [
        ("a length shorter than the body", whole(&with(&[("content-length", "2")]), b"hej")),
        ("a length longer than the body", whole(&with(&[("content-length", "4")]), b"hej")),
        ("a length and no body", vec![frame(HEADERS, END_HEADERS | END_STREAM, 1, &with(&[("content-length", "3")]))]),
        ("two lengths", whole(&with(&[("content-length", "3"), ("content-length", "4")]), b"hej")),
        ("a length that is none", whole(&with(&[("content-length", "+3")]), b"hej")),
        ("Transfer-Encoding", whole(&with(&[("transfer-encoding", "chunked")]), b"hej")),
        ("Connection", whole(&with(&[("connection", "keep-alive")]), b"hej")),
        ("Upgrade", whole(&with(&[("upgrade", "h2c")]), b"hej")),
        ("Proxy-Connection", whole(&with(&[("proxy-connection", "keep-alive")]), b"hej")),
        ("Keep-Alive", whole(&with(&[("keep-alive", "timeout=5")]), b"hej")),
        ("TE with more than trailers", whole(&with(&[("te", "gzip")]), b"hej")),
        ("a name in capitals", whole(&with(&[("X-Name", "1")]), b"hej")),
        ("a line break in a value", whole(&with(&[("x", "a\r\nhost: b")]), b"hej")),
        ("a NUL in a value", whole(&with(&[("x", "a\0b")]), b"hej")),
        ("a line break in a name", whole(&with(&[("x\r\ny", "1")]), b"hej")),
        ("a colon in a name", whole(&with(&[("x:y", "1")]), b"hej")),
        ("an empty name", whole(&with(&[("", "1")]), b"hej")),
        ("two paths", whole(&with(&[(":path", "/other")]), b"hej")),
        ("two methods", whole(&with(&[(":method", "GET")]), b"hej")),
        ("two authorities", whole(&with(&[(":authority", "other")]), b"hej")),
        ("a pseudo-header after a header", whole(&fields(&[&[("x", "1")], GOOD.as_slice()].concat()), b"hej")),
        ("a pseudo-header that nobody knows", whole(&with(&[(":proto", "x")]), b"hej")),
        ("a pseudo-header of answers", whole(&with(&[(":status", "200")]), b"hej")),
        ("no method", whole(&without(":method"), b"hej")),
        ("no scheme", whole(&without(":scheme"), b"hej")),
        ("no path", whole(&without(":path"), b"hej")),
        ("an empty path", whole(&fields(&[&GOOD[..3], &[(":path", "")]].concat()), b"hej")),
        ("a path with a line break", whole(&fields(&[&GOOD[..3], &[(":path", "/ HTTP/1.1\r\nx: y")]].concat()), b"hej")),
        ("a method with a space", whole(&fields(&[&[(":method", "POST /x")], &GOOD[1..]].concat()), b"hej")),
        ("a stream of the server's number", vec![frame(HEADERS, END_HEADERS | END_STREAM, 2, &with(&[]))]),
        ("a body before its head", vec![frame(DATA, END_STREAM, 1, b"hej"), frame(HEADERS, END_HEADERS, 1, &with(&[]))]),
        ("a head that is not HPACK", vec![frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 32])]),
        (
            "another frame inside a head",
            vec![
                frame(HEADERS, 0, 1, &with(&[])[..10]),
                frame(DATA, 0, 1, b"hej"),
                frame(CONTINUATION, END_HEADERS, 1, &with(&[])[10..]),
            ],
        ),
    ] {
        assert_eq!(served(&answered(&edge, &frames).await), 0, "{reason}");
        assert_eq!(steady.send_request(h2_post("/", b"")).await.unwrap().status(), 200, "beside: {reason}");
    }
    // A second head after the body is trailers, whatever it holds: dropped, and one answer to what the first head said.
    for second in [with(&[]), fields(&[("content-length", "0"), ("x", "1")])] {
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, &second);
        let frames = answered(&edge, &[frame(HEADERS, END_HEADERS, 1, &with(&[])), frame(DATA, 0, 1, b"hej"), trailers]).await;
        assert!(served(&frames) <= 1, "never two requests");
        let body: Vec<u8> = frames.into_iter().filter(|(kind, ..)| *kind == DATA).flat_map(|(.., payload)| payload).collect();
        assert!(["", "3 bytes, anonymous"].contains(&String::from_utf8_lossy(&body).as_ref()), "{body:?}");
    }
}

/// CVE-2024-2758 and its kin: a head that never ends, and frames that cost the sender nothing.
#[tokio::test]
async fn a_flood_of_frames_ends_its_connection_and_no_other() {
    let edge = start(small()).await;
    let mut steady = h2(&edge).await;
    let endless = |flags: u8, piece: &[u8]| {
        let first = frame(HEADERS, flags, 1, &with(&[]));
        [vec![first], vec![frame(CONTINUATION, 0, 1, piece); 20_000]].concat()
    };
    let reset_by_us: Vec<_> = (1..2001)
        .step_by(2)
        .flat_map(|stream| {
            // The server resets the stream for a window of nothing, and has the request begun all the same (CVE-2025-8671).
            [frame(HEADERS, END_HEADERS, stream, &with(&[])), frame(WINDOW_UPDATE, 0, stream, &[0; 4])]
        })
        .collect();
    let cancelled: Vec<_> = (1..2001)
        .step_by(2)
        .flat_map(|stream| [frame(HEADERS, END_HEADERS, stream, &with(&[])), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())])
        .collect();
    for (reason, frames) in [
        ("a head without an end", endless(0, &field("x", &"y".repeat(120)))),
        ("a head without an end, in empty pieces", endless(0, &[])),
        ("requests cancelled as they begin", cancelled),
        ("requests that the server must reset", reset_by_us),
    ] {
        let kinds: Vec<_> = answered(&edge, &frames).await.into_iter().map(|(kind, ..)| kind).collect();
        assert!(kinds.contains(&GOAWAY) || !kinds.contains(&HEADERS), "{reason}: {kinds:?}");
        assert_eq!(steady.send_request(h2_post("/", b"")).await.unwrap().status(), 200, "beside: {reason}");
    }
    for (reason, frames) in [
        ("pings", vec![frame(PING, 0, 0, &[7; 8]); 20_000]),
        ("settings", vec![frame(SETTINGS, 0, 0, &[]); 20_000]),
        ("empty bodies", [vec![frame(HEADERS, END_HEADERS, 1, &with(&[]))], vec![frame(DATA, 0, 1, &[]); 20_000]].concat()),
    ] {
        answered(&edge, &frames).await;
        assert_eq!(steady.send_request(h2_post("/", b"")).await.unwrap().status(), 200, "beside: {reason}");
    }
}
