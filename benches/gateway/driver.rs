//! A load driver for what `oha` cannot do: a fresh signed message for each call, handshakes of one kind for all peers,
//! thousands of idle connections, and calls at a rate whatever the answers do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hjemmel::config::EdgeLimits;
use hjemmel::signature::credentials::Credentials;
use hjemmel::stub::pki::Role;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::keys::Keys;

/// Whether it was told what a failed call was answered.
static TOLD: Once = Once::new();

/// How a caller of one binding writes its HTTP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    AuthorityContext,
    Token,
    /// AuthorityContext, to SF1590_A Finans.
    Vouchers,
}

impl Binding {
    /// The headers that a call has, by name.
    pub fn headers(self) -> Vec<(&'static str, String)> {
        match self {
            Binding::AuthorityContext => vec![
                ("content-type", "text/xml; charset=utf-8".to_owned()),
                ("soapaction", format!("\"{}\"", hjemmel::services::terminaladgang::names::WRAPPER_ACTION)),
            ],
            Binding::Vouchers => vec![
                ("content-type", "text/xml; charset=utf-8".to_owned()),
                (
                    "soapaction",
                    format!("\"{}:ModtagFinansbilagStraksleverance\"", hjemmel::services::finance::rules::delivery::NAMESPACE),
                ),
            ],
            Binding::Token => {
                let action = hjemmel::services::terminaladgang::names::INDEX_ACTION;
                vec![("content-type", format!("application/soap+xml; charset=utf-8; action=\"{action}\""))]
            }
        }
    }
}

/// Messages to send, each once, or one of them for ever.
pub enum Messages {
    /// The same message, this many times.
    Same(Bytes, usize),
    /// Each of them once.
    Each(Vec<Bytes>),
}

impl Messages {
    fn get(&self, at: usize) -> Option<Bytes> {
        match self {
            Messages::Same(message, times) => (at < *times).then(|| message.clone()),
            Messages::Each(messages) => messages.get(at).cloned(),
        }
    }
}

/// How calls went.
#[derive(Default, Clone)]
pub struct Went {
    /// How long each served call took, in seconds, sorted.
    pub served: Vec<f64>,
    /// How long each refusal for want of room (503) took, in seconds, sorted.
    pub refused: Vec<f64>,
    /// Calls that ended otherwise.
    pub failed: usize,
    /// The length of the last served answer, in bytes.
    pub answer_bytes: usize,
    /// Connections that had to be opened again.
    pub reopened: usize,
    /// From the first call to the end of the last, in seconds.
    pub seconds: f64,
}

impl Went {
    fn add(&mut self, other: Went) {
        self.served.extend(other.served);
        self.refused.extend(other.refused);
        self.failed += other.failed;
        self.reopened += other.reopened;
        self.answer_bytes = self.answer_bytes.max(other.answer_bytes);
    }
    /// Of several who called beside one another.
    pub fn together(all: Vec<Self>) -> Self {
        let mut together = Self::default();
        let seconds = all.iter().map(|went| went.seconds).fold(0.0, f64::max);
        all.into_iter().for_each(|went| together.add(went));
        together.served.sort_by(f64::total_cmp);
        together.refused.sort_by(f64::total_cmp);
        Self { seconds, ..together }
    }
    fn sorted(mut self, started: Instant) -> Self {
        self.seconds = started.elapsed().as_secs_f64();
        self.served.sort_by(f64::total_cmp);
        self.refused.sort_by(f64::total_cmp);
        self
    }
    fn note(&mut self, answer: Option<(StatusCode, usize)>, took: Duration) {
        match answer {
            Some((StatusCode::OK, length)) => {
                self.served.push(took.as_secs_f64());
                self.answer_bytes = length;
            }
            Some((StatusCode::SERVICE_UNAVAILABLE, _)) => self.refused.push(took.as_secs_f64()),
            _ => self.failed += 1,
        }
    }
}

/// The value below which `share` of the sorted values lie.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// A caller of one address, with a client certificate.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    host: String,
    path: &'static str,
    tls: TlsConnector,
    headers: Arc<Vec<(&'static str, String)>>,
}

type Connection = SendRequest<Full<Bytes>>;

impl Caller {
    /// A caller; its handshakes are full ones of TLS 1.3 on X25519, whoever is called.
    pub fn new(keys: &Keys, address: SocketAddr, path: &'static str, binding: Binding) -> Self {
        Self::with(keys.roots(), &keys.credentials(Role::Korsbaek), address, path, binding)
    }

    /// The same with a certificate of its own.
    pub fn with(roots: RootCertStore, own: &Credentials, address: SocketAddr, path: &'static str, binding: Binding) -> Self {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(own.chain().to_vec(), own.key().clone_key())
            .unwrap();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let host = "localhost".to_owned();
        Self { address, host, path, tls: TlsConnector::from(Arc::new(config)), headers: Arc::new(binding.headers()) }
    }

    /// A browser of the console at that address, with its cookie.
    pub fn browser(keys: &Keys, address: SocketAddr, cookie: String) -> Self {
        let caller = Self::new(keys, address, "/", Binding::AuthorityContext);
        Self { host: format!("localhost:{}", address.port()), headers: Arc::new(vec![("cookie", cookie)]), ..caller }
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Option<Connection> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let stream = self.tls.connect(ServerName::try_from("localhost").unwrap(), stream).await.ok()?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(sender)
    }

    async fn send(&self, connection: &mut Connection, method: Method, path: &str, message: Bytes) -> Option<(StatusCode, usize)> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        for (name, value) in self.headers.iter() {
            request = request.header(*name, value);
        }
        connection.ready().await.ok()?;
        let response = connection.send_request(request.body(Full::new(message)).unwrap()).await.ok()?;
        let (status, mut body, mut length) = (response.status(), response.into_body(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.ok()?;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            if length == 0 && !matches!(status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE | StatusCode::NOT_FOUND) {
                TOLD.call_once(|| eprintln!("the first answer that is none: {status} {}", String::from_utf8_lossy(data)));
            }
            length += data.len();
        }
        Some((status, length))
    }

    /// One call, for its status and its answer's length.
    pub async fn once(&self, message: Bytes) -> Option<(StatusCode, usize)> {
        let mut connection = self.connect().await?;
        self.send(&mut connection, Method::POST, self.path, message).await
    }

    /// Asks for a page so many times over one connection: how long each took, in seconds, sorted.
    pub async fn pages(&self, path: &str, count: usize) -> Vec<f64> {
        let mut connection = self.connect().await.expect("a connection");
        let mut took = Vec::new();
        for _ in 0..count {
            let asked = Instant::now();
            let answer = self.send(&mut connection, Method::GET, path, Bytes::new()).await;
            took.push(asked.elapsed().as_secs_f64());
            assert!(matches!(answer, Some((StatusCode::OK, _))), "{path}: {answer:?}");
        }
        took.sort_by(f64::total_cmp);
        took
    }

    /// Sends the messages over so many connections, each connection one after the other.
    pub async fn closed_loop(&self, connections: usize, messages: Messages) -> Went {
        let (messages, next) = (Arc::new(messages), Arc::new(AtomicUsize::new(0)));
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(self.connect().await.expect("a connection"));
        }
        let (started, mut tasks) = (Instant::now(), JoinSet::new());
        for mut connection in open {
            let (caller, messages, next) = (self.clone(), messages.clone(), next.clone());
            tasks.spawn(async move {
                let mut went = Went::default();
                while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    let answer = caller.send(&mut connection, Method::POST, caller.path, message).await;
                    went.note(answer, sent.elapsed());
                    if (answer.is_none() || connection.is_closed())
                        && let Some(new) = caller.connect().await
                    {
                        connection = new;
                        went.reopened += 1;
                    }
                }
                went
            });
        }
        gather(tasks).await.sorted(started)
    }

    /// How many calls a second a gateway serves at most that has so many processors, over so many connections or fewer.
    pub async fn capacity(&self, connections: usize, processors: usize, message: &Bytes) -> f64 {
        // A connection has one call under way. Half as many as are always taken keep the processors busy, and none of them is refused:
        // a refusal is quick, and would count as a call that found no room.
        let connections = connections.min(EdgeLimits::default().calls_per_processor / 2 * processors);
        self.closed_loop(connections, Messages::Same(message.clone(), 200)).await;
        let full = self.closed_loop(connections, Messages::Same(message.clone(), 1500)).await;
        let (refused, failed) = (full.refused.len(), full.failed);
        assert!(
            refused == 0 && failed == 0,
            "the capacity is not known: over {connections} connections {refused} calls were refused and {failed} failed"
        );
        full.served.len() as f64 / full.seconds
    }

    /// Sends the message `rate` times a second for so long, whatever becomes of it, over connections that are open
    /// already. A call for which no connection is free fails.
    pub async fn open_loop(&self, connections: usize, message: &Bytes, rate: f64, seconds: f64) -> Went {
        let (give_back, mut idle) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..connections {
            give_back.send(self.connect().await.expect("a connection")).unwrap();
        }
        let (started, mut tasks, mut went) = (Instant::now(), JoinSet::new(), Went::default());
        for number in 0..(rate * seconds) as u64 {
            let due = started + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            let Ok(mut connection) = idle.try_recv() else {
                went.failed += 1;
                continue;
            };
            let (caller, message, give_back) = (self.clone(), message.clone(), give_back.clone());
            tasks.spawn(async move {
                let mut went = Went::default();
                let sent = Instant::now();
                let answer = caller.send(&mut connection, Method::POST, caller.path, message).await;
                went.note(answer, sent.elapsed());
                // The answer may say that the connection ends, which is known a moment later.
                tokio::task::yield_now().await;
                if answer.is_none() || connection.ready().await.is_err() {
                    went.reopened += 1;
                    let Some(new) = caller.connect().await else { return went };
                    connection = new;
                }
                let _ = give_back.send(connection);
                went
            });
        }
        went.add(gather(tasks).await);
        went.sorted(started)
    }

    /// Opens so many connections, one after another over `side_by_side` tasks, asks each for a page that is not there, and
    /// closes it. Gives how many succeeded.
    pub async fn handshakes(&self, side_by_side: usize, count: usize) -> usize {
        let (next, mut tasks) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        for _ in 0..side_by_side {
            let (caller, next) = (self.clone(), next.clone());
            tasks.spawn(async move {
                let mut good = 0;
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let Some(mut connection) = caller.connect().await else { continue };
                    // The client's certificate is judged after the client's side of the handshake: an answer proves it.
                    let answer = caller.send(&mut connection, Method::GET, "/no-such-page", Bytes::new()).await;
                    good += usize::from(matches!(answer, Some((StatusCode::NOT_FOUND, _))));
                }
                good
            });
        }
        tasks.join_all().await.into_iter().sum()
    }

    /// Opens so many connections, and leaves them open and idle for as long as what it gives is kept.
    pub async fn idle(&self, count: usize) -> Vec<Connection> {
        let mut tasks: JoinSet<Vec<Connection>> = JoinSet::new();
        for part in 0..16 {
            let caller = self.clone();
            let share = count / 16 + usize::from(part < count % 16);
            tasks.spawn(async move {
                let mut open = Vec::new();
                for _ in 0..share {
                    let mut connection = caller.connect().await.expect("a connection");
                    let answer = caller.send(&mut connection, Method::GET, "/no-such-page", Bytes::new()).await;
                    assert!(answer.is_some(), "an idle connection is a connection");
                    open.push(connection);
                }
                open
            });
        }
        tasks.join_all().await.into_iter().flatten().collect()
    }
}

async fn gather(tasks: JoinSet<Went>) -> Went {
    let mut all = Went::default();
    tasks.join_all().await.into_iter().for_each(|went| all.add(went));
    all
}
