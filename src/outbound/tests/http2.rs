//! A peer over HTTP/2, frame by frame, so that it can do what no library's server does.

use super::*;

const PREFACE: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
/// `:status 200` in the static table of HPACK.
const STATUS_200: u8 = 0x88;

/// What the peer does with one request, having read it whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Answers "ok".
    Answers,
    /// Answers with a body of so many bytes in one piece.
    AnswersAtLength(usize),
    /// Resets the stream with REFUSED_STREAM.
    Refuses,
    /// Resets the stream with INTERNAL_ERROR.
    Resets,
    /// Sends GOAWAY that names an earlier stream as the last, and keeps the connection open.
    LeavesOut,
    /// Sends GOAWAY that names this stream as the last, and hangs up without an answer.
    GoesAwayWithin,
    /// Sends GOAWAY that names this stream as the last, then answers.
    DrainsAndAnswers,
    /// Answers no call from here on; PING is answered.
    Stalls,
    /// Nothing comes from here on, whatever is sent: a flow that a firewall forgot.
    IsGone,
}

pub struct Http2Peer {
    pub address: SocketAddr,
    pub requests: Arc<AtomicUsize>,
    pub connections: Arc<AtomicUsize>,
    pub pings: Arc<AtomicUsize>,
    /// Connections that ended.
    pub ended: tokio::sync::watch::Receiver<usize>,
}

impl Http2Peer {
    pub fn seen(&self) -> (usize, usize) {
        (self.requests.load(Ordering::SeqCst), self.connections.load(Ordering::SeqCst))
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

fn answer(stream: u32, body: &[u8]) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, &[STATUS_200]), frame(DATA, END_STREAM, stream, body)].concat()
}

/// A peer that does, request by request, what the script says, and the last of it from then on.
pub async fn http2(script: &[Reaction]) -> Http2Peer {
    http2_with(script, 100).await
}

/// The same, which takes so many calls at once on a connection.
pub async fn http2_with(script: &[Reaction], streams: u32) -> Http2Peer {
    let script: Arc<[Reaction]> = script.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = tls(Role::IndexServer);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (tell, ended) = tokio::sync::watch::channel(0);
    let peer = Http2Peer {
        address: listener.local_addr().unwrap(),
        requests: Arc::default(),
        connections: Arc::default(),
        pings: Arc::default(),
        ended,
    };
    let (requests, connections, pings) = (peer.requests.clone(), peer.connections.clone(), peer.pings.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, script, requests) = (acceptor.clone(), script.clone(), requests.clone());
            let (pings, tell) = (pings.clone(), tell.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let _ = serve(stream, &script, streams, &requests, &pings).await;
                tell.send_modify(|ended| *ended += 1);
            });
        }
    });
    peer
}

async fn serve(
    mut stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    script: &[Reaction],
    streams: u32,
    requests: &AtomicUsize,
    pings: &AtomicUsize,
) -> std::io::Result<()> {
    stream.read_exact(&mut [0; PREFACE]).await?;
    let settings = [&MAX_CONCURRENT_STREAMS.to_be_bytes()[..], &streams.to_be_bytes()].concat();
    stream.write_all(&frame(SETTINGS, 0, 0, &settings)).await?;
    let mut gone = false;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await?;
        let (kind, flags, id) = (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        let reply = match kind {
            _ if gone => Vec::new(),
            SETTINGS if flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => {
                pings.fetch_add(1, Ordering::SeqCst);
                frame(PING, ACK, 0, &payload)
            }
            DATA if flags & END_STREAM != 0 => {
                let number = requests.fetch_add(1, Ordering::SeqCst);
                match script.get(number).or(script.last()).copied().unwrap() {
                    Reaction::Answers => answer(id, b"ok"),
                    Reaction::AnswersAtLength(length) => answer(id, &vec![b'x'; length]),
                    Reaction::Refuses => frame(RST_STREAM, 0, id, &REFUSED_STREAM.to_be_bytes()),
                    Reaction::Resets => frame(RST_STREAM, 0, id, &INTERNAL_ERROR.to_be_bytes()),
                    Reaction::LeavesOut => go_away(id.saturating_sub(2), NO_ERROR),
                    Reaction::GoesAwayWithin => {
                        stream.write_all(&go_away(id, INTERNAL_ERROR)).await?;
                        return stream.shutdown().await;
                    }
                    Reaction::DrainsAndAnswers => [go_away(id, NO_ERROR), answer(id, b"ok")].concat(),
                    Reaction::Stalls => Vec::new(),
                    Reaction::IsGone => {
                        gone = true;
                        Vec::new()
                    }
                }
            }
            _ => Vec::new(),
        };
        stream.write_all(&reply).await?;
    }
}
