//! How connections end: a last answer says that it is the last and can be read; where none says so, the next call is served.

use super::*;

/// Reads one answer of HTTP/1.1 and leaves the connection as it is.
async fn one_answer(stream: &mut TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    let reading = async {
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            let text = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&text);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
                if body.len() >= length {
                    return text.to_owned();
                }
            }
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).await.expect("the answer is not destroyed");
            assert!(read > 0, "the connection ended before the answer did: {text}");
            answer.extend_from_slice(&piece[..read]);
        }
    };
    timeout(Duration::from_secs(60), reading).await.expect("an answer")
}

fn announced(answer: &str) -> bool {
    answer.split("\r\n\r\n").next().unwrap().lines().any(|line| line.eq_ignore_ascii_case("connection: close"))
}

/// As a client with a pool does: one request, and where the answer allows it the next over the same connection.
async fn pooled(edge: &Running, reason: &str, request: &[u8], status: &str, closes: bool) {
    let mut stream = edge.connect().await;
    stream.write_all(request).await.unwrap();
    let answer = one_answer(&mut stream).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{reason}: {answer}");
    assert_eq!(announced(&answer), closes, "{reason}: {answer}");
    if closes {
        assert_eq!(exchange(&mut stream, b"").await, "", "{reason}: nothing comes after the last answer");
    } else {
        stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nhej").await.unwrap();
        let next = one_answer(&mut stream).await;
        assert!(next.starts_with("HTTP/1.1 200") && next.ends_with("3 bytes, anonymous"), "{reason}: {next}");
    }
}

fn with_length(path: &str, more: &str, body: usize) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: {body}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; body]].concat()
}

#[tokio::test]
async fn a_head_that_is_refused_is_answered_with_the_last_answer() {
    let edge = start(small()).await;
    for (reason, request, status) in [
        ("no request", "garbage\r\n\r\n".to_owned(), "400"),
        ("two lengths", "POST / HTTP/1.1\r\nHost: l\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(), "400"),
        ("a NUL", "POST / HTTP/1.1\r\nHost: l\r\nX: a\0b\r\n\r\n".to_owned(), "400"),
        ("too large", format!("POST / HTTP/1.1\r\nHost: l\r\nX: {}\r\n\r\n", "x".repeat(40_000)), "431"),
        ("too many fields", format!("POST / HTTP/1.1\r\nHost: l\r\n{}\r\n", "X: y\r\n".repeat(200)), "431"),
        ("too long an address", format!("POST /{} HTTP/1.1\r\nHost: l\r\n\r\n", "x".repeat(70_000)), "4"),
    ] {
        pooled(&edge, reason, request.as_bytes(), status, true).await;
    }
}

#[tokio::test]
async fn a_body_that_was_not_read_to_its_end_is_answered_with_the_last_answer_and_any_other_keeps_the_connection() {
    let limits = EdgeLimits { request_bytes: 1000, body_timeout: Duration::from_millis(300), ..EdgeLimits::default() };
    let edge = start(limits).await;
    let late = b"POST / HTTP/1.1\r\nHost: l\r\nContent-Length: 50\r\n\r\nhalf".to_vec();
    let late_unread = b"POST /unread HTTP/1.1\r\nHost: l\r\nContent-Length: 50\r\n\r\nhalf".to_vec();
    let chunk = format!("{:x}\r\n{}\r\n", 900, "x".repeat(900));
    let chunked = |path: &str, chunks: usize, end: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n{}{end}", chunk.repeat(chunks)).into_bytes()
    };
    for (reason, request, status, closes) in [
        ("a body over the limit, read all the same", with_length("/", "", 1500), "413", false),
        ("a body far over the limit", with_length("/", "", 5000), "413", true),
        ("chunks over the limit, read all the same", chunked("/", 2, "0\r\n\r\n"), "413", false),
        ("chunks without an end", chunked("/", 4, ""), "413", true),
        ("half a body", late, "408", true),
        ("a short body that the service leaves", with_length("/unread", "", 5000), "200", false),
        ("a long body that the service leaves", with_length("/unread", "", 100_000), "200", true),
        ("half a body that the service leaves", late_unread, "200", true),
        ("chunks that the service leaves", chunked("/unread", 4, "0\r\n\r\n"), "200", true),
        ("a body that waits for 100 (Continue)", with_length("/", "Expect: 100-continue\r\n", 500), "200", false),
    ] {
        pooled(&edge, reason, &request, status, closes).await;
    }
}

#[tokio::test]
async fn the_refusal_of_a_large_body_can_be_read_while_the_client_still_sends_it() {
    let edge = start(small()).await;
    for path in ["/", "/unread"] {
        let stream = edge.connect().await;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let sending = tokio::spawn(async move {
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 64 << 20);
            writer.write_all(head.as_bytes()).await.unwrap();
            // Until the gateway has had enough.
            while writer.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
        });
        // The answer waits in the socket while megabytes are sent past it.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = timeout(Duration::from_secs(60), reader.read(&mut piece)).await.expect("an end") {
            answer.extend_from_slice(&piece[..read]);
        }
        let text = String::from_utf8_lossy(&answer);
        assert!(announced(&text), "{path}: {text}");
        assert!(
            text.starts_with("HTTP/1.1 413") && text.contains("BodyTooLarge") || text.ends_with("not read"),
            "{path}: {text}"
        );
        sending.await.unwrap();
    }
}

#[tokio::test]
async fn a_request_with_two_framings_gets_the_last_answer() {
    let edge = start(small()).await;
    for heads in ["Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"] {
        let request = format!("POST / HTTP/1.1\r\nHost: l\r\n{heads}\r\n3\r\nhej\r\n0\r\n\r\n");
        let mut stream = edge.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = one_answer(&mut stream).await;
        assert!(announced(&answer), "{heads}: {answer}");
        assert_eq!(exchange(&mut stream, &post("/", "hej")).await, "", "{heads}");
    }
}

#[tokio::test]
async fn a_call_too_many_with_a_long_body_gets_the_last_answer() {
    let work = Work::new(1, 1);
    let edge = start_with(small(), work.clone()).await;
    let place = work.enter(local()).await.unwrap();
    while work.has_room(local()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut stream = edge.connect().await;
    stream.write_all(&with_length("/", "", 100_000)).await.unwrap();
    let answer = one_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 503") && announced(&answer), "{answer}");
    drop(place);
}

/// Kind, stream and payload of the next frame.
async fn next_frame(stream: &mut TlsStream<TcpStream>) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    timeout(Duration::from_secs(60), stream.read_exact(&mut head)).await.expect("a frame or the end").ok()?;
    let [a, b, c, kind, _, s1, s2, s3, s4] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((kind, u32::from_be_bytes([s1, s2, s3, s4]), payload))
}

#[tokio::test]
async fn http2_says_goaway_with_the_last_stream_and_finishes_what_is_under_way() {
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GOAWAY: u8 = 7;
    let mut edge = start(small()).await;
    let mut stream = edge.connect_as(None, &[b"h2"]).await.unwrap();
    // `POST https://localhost/wait` from HPACK's static table.
    let head = [&[0x83, 0x87, 0x04, 5], b"/wait".as_slice(), &[0x41, 9], b"localhost"].concat();
    let opening = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[]), frame(HEADERS, 0x5, 1, &head)];
    stream.write_all(&opening.concat()).await.unwrap();
    edge.arrived.notified().await;
    edge.stop();
    let mut last_streams = Vec::new();
    let mut answered = false;
    while let Some((kind, number, payload)) = next_frame(&mut stream).await {
        match kind {
            PING if last_streams.len() == 1 => {
                // RFC 9113, 6.8: after a round trip the last stream is known, and only then the call is let go on.
                stream.write_all(&frame(PING, 1, 0, &payload)).await.unwrap();
                edge.release.notify_one();
            }
            GOAWAY => last_streams.push((u32::from_be_bytes(payload[..4].try_into().unwrap()), payload[4..8].to_vec())),
            HEADERS => {
                assert_eq!((number, payload[0]), (1, 0x88), "the call under way is served");
                answered = true;
            }
            _ => {}
        }
    }
    assert!(answered);
    assert_eq!(last_streams, [(0x7fff_ffff, vec![0; 4]), (1, vec![0; 4])]);
    drop(stream);
    assert_eq!(edge.task.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn an_idle_connection_over_http2_is_let_go_with_goaway() {
    let edge = start(EdgeLimits { idle_timeout: Duration::from_millis(500), ..small() }).await;
    let mut stream = edge.connect_as(None, &[b"h2"]).await.unwrap();
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat()).await.unwrap();
    let mut kinds = Vec::new();
    while let Some((kind, ..)) = next_frame(&mut stream).await {
        kinds.push(kind);
    }
    assert!(kinds.contains(&7), "{kinds:?}");
}
