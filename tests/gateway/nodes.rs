//! Two nodes on one PostgreSQL behind PgBouncer and HAProxy, under load, while they are restarted in turn, killed, and lose
//! their database and its pooler. A driver keeps of every call what was sent and what came of it, and all of it is held
//! against the nodes' audit logs and the index at the end.
//!
//! ```sh
//! HJEMMEL_NODES_SECONDS=600 cargo test --test gateway two_nodes -- --nocapture
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hjemmel::audit::{Outcome, search};
use hjemmel::cli::call::words::Said;
use hjemmel::services::terminaladgang::names::{INDEX_ACTION, SERVICE_PATH};
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use uuid::Uuid;

use crate::database::{Caller, Node, Shared};
use crate::not_run::did_not_run;
use crate::postgres::{Bouncer, Mode, free_port};
use crate::process::{HJEMMEL, comes_to, in_runtime};
use crate::wire::Http;

const NAMES: [&str; 2] = ["one", "two"];
/// Of so many calls one is sent again, to each node.
const REPLAYED: usize = 4;
/// Between two calls of a worker, so that the load is what a quiet day brings.
const PAUSE: Duration = Duration::from_millis(15);

/// What happens to the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Nothing,
    RollingRestart,
    PoolerRestarts,
    NodeIsKilled,
    DatabaseRestarts,
}

const PHASES: [Phase; 5] =
    [Phase::Nothing, Phase::RollingRestart, Phase::PoolerRestarts, Phase::NodeIsKilled, Phase::DatabaseRestarts];

/// HAProxy as docs/install.md has it, which asks each node whether it is ready. Without a time for its check it would take one
/// that answers late, on a machine that is busy, for gone.
struct Balancer {
    child: Child,
    port: u16,
    told: PathBuf,
    log: PathBuf,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Balancer {
    /// `None`, and a line that says what did not run, without HAProxy.
    fn before(dir: &Path, nodes: &[Place; 2]) -> Option<Self> {
        let program = Path::new("/usr/sbin/haproxy");
        if !program.exists() {
            did_not_run("two nodes behind HAProxy", "apt-get install haproxy");
            return None;
        }
        let (port, told, file) = (free_port(), dir.join("balancer.sock"), dir.join("haproxy.cfg"));
        let server = |name: &str, place: &Place| {
            format!("  server {name} {} check port {} inter 300ms fall 2 rise 1\n", place.service, place.admin.port())
        };
        let servers: String = NAMES.iter().zip(nodes).map(|(name, place)| server(name, place)).collect();
        let config = format!(
            "global\n  stats socket {}\n  maxconn 1000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout check 10s\n  timeout client 5m\n  timeout server 5m\n\
             frontend front\n  bind 127.0.0.1:{port}\n  default_backend gateways\n\
             backend gateways\n  balance roundrobin\n  option redispatch 1\n  retries 3\n\
             \x20 option httpchk\n  http-check send meth GET uri /readyz ver HTTP/1.1 hdr host gateway\n{servers}",
            told.display()
        );
        std::fs::write(&file, config).unwrap();
        let log = dir.join("haproxy.log");
        let output = std::fs::File::create(&log).unwrap();
        // A clock that is set for the tests alone is none of its own.
        let child = Command::new(program)
            .env_clear()
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .unwrap();
        Some(Self { child, port, told, log })
    }

    /// Waits until it sends calls to both nodes.
    async fn has_both(&self) {
        comes_to("the balancer has both nodes", async || {
            let Ok(mut socket) = UnixStream::connect(&self.told).await else { return false };
            socket.write_all(b"show stat\n").await.unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).await.unwrap();
            let up =
                |name: &&str| text.lines().any(|line| line.starts_with(&format!("gateways,{name},")) && line.contains(",UP,"));
            NAMES.iter().all(up)
        })
        .await;
    }
}

/// Where a node is.
#[derive(Debug, Clone)]
struct Place {
    service: SocketAddr,
    admin: SocketAddr,
    configuration: PathBuf,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Came {
    Served { call: Uuid },
    Refused { code: String },
    Lost { how: String },
}

/// What a worker keeps of a call.
struct Kept {
    phase: Phase,
    transaction: Uuid,
    came: Came,
    /// Sent again, to each node.
    again: Vec<Came>,
}

/// A client's connection, which it keeps from call to call as long as it is told that it may.
pub enum Connection {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// A request that failed; and whether nobody can have read it, so that it may be sent again.
#[derive(Debug)]
pub struct Failed {
    how: String,
    unsent: bool,
}

impl Failed {
    fn of(failed: &TrySendError<Request<Full<Bytes>>>) -> Self {
        let error = failed.error();
        // A stream above the last one that GOAWAY names was not processed (RFC 9113, 6.8).
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
        let went =
            source.is_some_and(|error| error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR));
        let refused = source.is_some_and(|error| error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM));
        Self { how: format!("{error:?}"), unsent: failed.message().is_some() || went || refused }
    }
}

impl Connection {
    pub async fn open(tls: &TlsConnector, at: SocketAddr, http: Http) -> Result<Self, String> {
        let opened = async {
            let stream = TcpStream::connect(at).await.map_err(|error| format!("no connection: {error}"))?;
            let _ = stream.set_nodelay(true);
            let name = ServerName::try_from("localhost").unwrap();
            let stream = tls.connect(name, stream).await.map_err(|error| format!("no TLS: {error}"))?;
            let told = |error: hyper::Error| format!("no HTTP: {error:?}");
            Ok(match http {
                Http::One => {
                    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
                    tokio::spawn(connection);
                    Self::One(sender)
                }
                Http::Two => {
                    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
                    let (sender, connection) = handshake.await.map_err(told)?;
                    tokio::spawn(connection);
                    Self::Two(sender)
                }
            })
        };
        tokio::time::timeout(Duration::from_secs(30), opened).await.unwrap_or_else(|_| Err("no connection in time".to_owned()))
    }

    /// Whether a call may be sent over it, as far as it is known.
    pub async fn is_open(&mut self) -> bool {
        match self {
            Self::One(sender) => sender.ready().await.is_ok(),
            Self::Two(sender) => sender.ready().await.is_ok(),
        }
    }

    pub async fn send(&mut self, message: Bytes) -> Result<Response<Incoming>, Failed> {
        let content = format!("application/soap+xml; charset=utf-8; action=\"{INDEX_ACTION}\"");
        let request = match self {
            Self::One(_) => Request::post(SERVICE_PATH).header(header::HOST, "localhost"),
            Self::Two(_) => Request::post(format!("https://localhost{SERVICE_PATH}")),
        };
        let request = request.header(header::CONTENT_TYPE, content).body(Full::new(message)).unwrap();
        match self {
            Self::One(sender) => sender.try_send_request(request).await.map_err(|failed| Failed::of(&failed)),
            Self::Two(sender) => sender.try_send_request(request).await.map_err(|failed| Failed::of(&failed)),
        }
    }
}

/// A client over one kind of HTTP.
struct Line<'d> {
    driver: &'d Driver,
    http: Http,
    kept: Option<Connection>,
}

impl Line<'_> {
    /// One call, over the connection that is kept or a new one.
    async fn call(&mut self, at: SocketAddr, message: &Bytes) -> Came {
        loop {
            let mut kept = self.kept.take();
            if let Some(connection) = &mut kept
                && !connection.is_open().await
            {
                kept = None;
            }
            let mut connection = match kept {
                Some(kept) => kept,
                None => match Connection::open(self.driver.tls(self.http), at, self.http).await {
                    Ok(opened) => opened,
                    Err(how) => return Came::Lost { how },
                },
            };
            let answered = tokio::time::timeout(Duration::from_secs(60), connection.send(message.clone())).await;
            let response = match answered {
                Ok(Ok(response)) => response,
                Ok(Err(failed)) if failed.unsent => continue,
                Ok(Err(failed)) => return Came::Lost { how: failed.how },
                Err(_) => return Came::Lost { how: "no answer in time".to_owned() },
            };
            let (head, body) = response.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => return Came::Lost { how: format!("half an answer: {error:?}") },
            };
            // As a client with a pool does: what the answer closes is not used again.
            if head.headers.get(header::CONNECTION).is_none_or(|value| value != "close") {
                self.kept = Some(connection);
            }
            return came(&head.headers, head.status.as_u16(), &body);
        }
    }
}

fn came(headers: &HeaderMap, status: u16, body: &Bytes) -> Came {
    match Said::read(body) {
        Said::Fault { code, .. } => Came::Refused { code: code.to_string() },
        Said::Answer { .. } if status == 200 => {
            Came::Served { call: headers["x-call-id"].to_str().unwrap().parse().expect("an answer names its call") }
        }
        _ => Came::Refused { code: String::from_utf8_lossy(body).lines().next().unwrap_or_default().to_owned() },
    }
}

/// The callers, and what they were told.
struct Driver {
    caller: Caller,
    balancer: SocketAddr,
    nodes: [SocketAddr; 2],
    tls: [TlsConnector; 2],
    phase: Mutex<Phase>,
    /// Calls that were sent in each phase and are not answered.
    under_way: [AtomicUsize; PHASES.len()],
    /// Calls in a row that were served.
    in_a_row: AtomicUsize,
    stop: AtomicBool,
}

impl Driver {
    fn new(shared: &Shared, caller: Caller, balancer: u16, nodes: [SocketAddr; 2]) -> Self {
        let tls = |protocol: &[u8]| {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(shared.world.pki.root().clone()).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
            let mut config = builder.with_root_certificates(roots).with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Self {
            caller,
            balancer: ([127, 0, 0, 1], balancer).into(),
            nodes,
            tls: [tls(b"http/1.1"), tls(b"h2")],
            phase: Mutex::new(Phase::Nothing),
            under_way: Default::default(),
            in_a_row: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn tls(&self, http: Http) -> &TlsConnector {
        &self.tls[usize::from(http == Http::Two)]
    }

    /// Calls over one connection after another until it is told to stop. `keeps`: whether it keeps connections.
    async fn works(self: Arc<Self>, http: Http, keeps: bool) -> Vec<Kept> {
        let (mut line, mut calls) = (Line { driver: &self, http, kept: None }, Vec::new());
        while !self.stop.load(Ordering::Relaxed) {
            let message = self.caller.message();
            let transaction = transaction(&message);
            let phase = {
                let phase = self.phase.lock().unwrap();
                self.under_way[*phase as usize].fetch_add(1, Ordering::SeqCst);
                *phase
            };
            let came = line.call(self.balancer, &message).await;
            self.under_way[phase as usize].fetch_sub(1, Ordering::SeqCst);
            match came {
                Came::Served { .. } => self.in_a_row.fetch_add(1, Ordering::SeqCst),
                _ => self.in_a_row.swap(0, Ordering::SeqCst),
            };
            let mut again = Vec::new();
            if matches!(came, Came::Lost { .. }) || calls.len() % REPLAYED == 0 {
                for node in self.nodes {
                    again.push(Line { driver: &self, http, kept: None }.call(node, &message).await);
                }
            }
            calls.push(Kept { phase, transaction, came, again });
            if !keeps {
                line.kept = None;
            }
            tokio::time::sleep(PAUSE).await;
        }
        calls
    }

    /// What is sent from now on is sent in this phase; nothing that was sent before is under way any more.
    async fn enters(&self, phase: Phase) {
        let before = std::mem::replace(&mut *self.phase.lock().unwrap(), phase);
        let under_way = &self.under_way[before as usize];
        comes_to("what is under way is answered", async || under_way.load(Ordering::SeqCst) == 0).await;
    }

    /// Waits until so many calls in a row were served.
    async fn serves(&self, calls: usize) {
        self.in_a_row.store(0, Ordering::SeqCst);
        comes_to("calls are served", async || self.in_a_row.load(Ordering::SeqCst) >= calls).await;
    }
}

fn transaction(message: &[u8]) -> Uuid {
    let text = std::str::from_utf8(message).unwrap();
    let (_, after) = text.split_once("TransactionUUID").unwrap();
    after[after.find('>').unwrap() + 1..][..36].parse().unwrap()
}

/// Two nodes and what stands before and behind them.
struct Played {
    shared: Shared,
    bouncer: Bouncer,
    balancer: Balancer,
    places: [Place; 2],
    nodes: [Option<Node>; 2],
    driver: Arc<Driver>,
}

impl Played {
    /// `None`, and a line that says what did not run, where something is not installed.
    async fn new(drain_delay: &str) -> Option<Self> {
        let mut shared = Shared::new().await?;
        // In transaction mode where there is one that can.
        let newer = Bouncer::newer(&shared.cluster, Mode::Transaction, 10, "");
        let bouncer = newer.or_else(|| Bouncer::before(&shared.cluster, Mode::Session, 25))?;
        shared.pooler = Some(bouncer.port());
        // A machine that is busy with other things makes a database slow, which is none of what is played here.
        let more = format!("replay_wait = \"10s\"\nlimits.drain_delay = \"{drain_delay}\"");
        let places = NAMES.map(|name| {
            let port = free_port();
            let configuration = shared.configuration(name, port, "");
            let text = std::fs::read_to_string(&configuration).unwrap();
            let mut settings: toml::Table = text.parse().unwrap();
            hjemmel::cli::demo::world::merge(&mut settings, more.parse().unwrap());
            // Not one that the kernel gives to whoever asks for any while the node is down.
            let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
            settings["admin"].as_table_mut().unwrap().insert("address".to_owned(), admin.to_string().into());
            std::fs::write(&configuration, settings.to_string()).unwrap();
            Place { service: ([127, 0, 0, 1], port).into(), admin, configuration }
        });
        let balancer = Balancer::before(shared.dir.path(), &places)?;
        let caller = shared.caller().await;
        let driver = Arc::new(Driver::new(&shared, caller, balancer.port, places.clone().map(|place| place.service)));
        let mut played = Self { shared, bouncer, balancer, places, nodes: [None, None], driver };
        for node in [0, 1] {
            played.start(node).await;
        }
        played.balancer.has_both().await;
        Some(played)
    }

    async fn start(&mut self, node: usize) {
        let started = self.shared.launched(NAMES[node], &self.places[node].configuration).await;
        self.nodes[node] = Some(started.unwrap_or_else(|| panic!("{} starts", NAMES[node])));
    }

    /// As an operator restarts for a new release: one node after the other, each ready before the next.
    async fn restart_in_turn(&mut self) {
        self.balancer.has_both().await;
        for node in [0, 1] {
            let going = self.nodes[node].take().unwrap();
            let told = going.logged();
            going.gateway.signal("-TERM");
            assert!(going.gateway.ended().await, "{told}");
            self.start(node).await;
            self.balancer.has_both().await;
            self.driver.serves(10).await;
        }
    }

    async fn kill(&mut self, node: usize) {
        let killed = self.nodes[node].take().unwrap();
        killed.gateway.signal("-KILL");
        assert!(!killed.gateway.ended().await);
        self.driver.serves(20).await;
        self.start(node).await;
        self.balancer.has_both().await;
    }

    /// Everything once.
    async fn round(&mut self, number: usize) {
        let driver = self.driver.clone();
        driver.enters(Phase::RollingRestart).await;
        self.restart_in_turn().await;
        driver.enters(Phase::PoolerRestarts).await;
        self.bouncer.restart();
        driver.serves(30).await;
        driver.enters(Phase::NodeIsKilled).await;
        self.kill(number % 2).await;
        driver.serves(30).await;
        driver.enters(Phase::DatabaseRestarts).await;
        self.shared.cluster.restart();
        driver.serves(30).await;
        driver.enters(Phase::Nothing).await;
        driver.serves(30).await;
    }
}

/// What is known of the calls when all is over.
struct Account {
    calls: Vec<Kept>,
    rounds: usize,
    /// Served, refused and lost, by phase; and why.
    table: BTreeMap<Phase, [usize; 3]>,
    reasons: BTreeMap<(Phase, String), usize>,
}

impl Account {
    fn of(calls: Vec<Kept>, rounds: usize) -> Self {
        let (mut table, mut reasons) = (BTreeMap::<_, [usize; 3]>::new(), BTreeMap::new());
        for call in &calls {
            let (at, why) = match &call.came {
                Came::Served { .. } => (0, None),
                Came::Refused { code } => (1, Some(code.clone())),
                Came::Lost { how } => (2, Some(how.clone())),
            };
            table.entry(call.phase).or_default()[at] += 1;
            if let Some(why) = why {
                *reasons.entry((call.phase, why)).or_default() += 1;
            }
        }
        Self { calls, rounds, table, reasons }
    }

    fn shown(&self) -> String {
        let mut text = format!("{:<18} {:>8} {:>8} {:>6}   in {} rounds\n", "", "served", "refused", "lost", self.rounds);
        for (phase, [served, refused, lost]) in &self.table {
            text += &format!("{:<18} {served:>8} {refused:>8} {lost:>6}\n", format!("{phase:?}"));
        }
        for ((phase, why), times) in &self.reasons {
            text += &format!("  {phase:?}: {times} × {why}\n");
        }
        text
    }

    fn each_is_as_it_must_be(&self) {
        let shown = self.shown();
        for phase in [Phase::Nothing, Phase::RollingRestart] {
            let [served, refused, lost] = self.table[&phase];
            assert!(served > 0 && refused == 0 && lost == 0, "{phase:?} costs no call:\n{shown}");
        }
        for phase in [Phase::DatabaseRestarts, Phase::PoolerRestarts] {
            assert_eq!(self.table[&phase][2], 0, "each call is answered:\n{shown}");
        }
        let known = ["ReplayMemoryUnavailable", "AgreementsUnavailable"];
        let refused = self.calls.iter().filter_map(|call| match &call.came {
            Came::Refused { code } => Some(code.as_str()),
            _ => None,
        });
        let unknown: HashSet<_> = refused.filter(|code| !known.contains(code)).collect();
        assert!(unknown.is_empty(), "{unknown:?}\n{shown}");
        let again: Vec<_> = self.calls.iter().flat_map(|call| &call.again).collect();
        let through = self.calls.iter().filter(|call| {
            let times = call.again.iter().filter(|came| matches!(came, Came::Served { .. })).count();
            times + usize::from(matches!(call.came, Came::Served { .. })) > 1
        });
        assert_eq!(through.count(), 0, "a message passes once");
        assert!(again.iter().filter(|came| matches!(came, Came::Refused { code } if code == "Replay")).count() > 10);
    }

    /// Against what the nodes wrote: each call that was served is there, and no message was admitted twice.
    fn stands_in_the_logs(&self, folders: &[PathBuf], asked_of_the_index: u64) {
        let (mut records, mut admitted) = (HashMap::new(), HashMap::<Uuid, usize>::new());
        let mut may_have_been_forwarded = 0;
        for folder in folders {
            let (calls, unreadable) = search::follow(folder, |_| true).unwrap();
            assert_eq!(unreadable, 0);
            for call in calls {
                if call.admitted.is_some() {
                    may_have_been_forwarded += 1;
                    *admitted.entry(call.record.caller_transaction.expect("an admitted call names it")).or_default() += 1;
                }
                records.insert(call.record.call, call);
            }
        }
        let twice: Vec<_> = admitted.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "admitted more than once: {twice:?}");
        let mut served = 0;
        for call in &self.calls {
            let Came::Served { call: id } = &call.came else { continue };
            served += 1;
            let record = records.get(id).unwrap_or_else(|| panic!("{id} was served, and there is no record of it"));
            assert!(record.admitted.is_some(), "{id} was admitted before it was served");
            assert_eq!(record.record.caller_transaction, Some(call.transaction), "{id} is that call");
            assert!(matches!(record.record.outcome, None | Some(Outcome::Served)), "{:?}", record.record.outcome);
        }
        assert!(asked_of_the_index <= may_have_been_forwarded, "the index was asked {asked_of_the_index} times");
        println!(
            "{served} calls served, each with its record; {may_have_been_forwarded} admitted, the index asked {asked_of_the_index} times"
        );
    }
}

#[test]
fn two_nodes_lose_no_call_to_rolling_restarts_and_record_all_and_pass_nothing_twice_through_kills_and_outages() {
    let seconds = std::env::var("HJEMMEL_NODES_SECONDS").ok().map(|seconds| seconds.parse().expect("a number of seconds"));
    let least = seconds.map_or(Duration::ZERO, Duration::from_secs);
    in_runtime(async {
        let Some(mut played) = Played::new("5s").await else { return };
        let kinds = [(Http::One, true), (Http::One, true), (Http::Two, true), (Http::One, false)];
        let workers: Vec<_> = kinds.map(|(http, keeps)| tokio::spawn(played.driver.clone().works(http, keeps))).into();
        let (began, mut rounds) = (Instant::now(), 0);
        played.driver.serves(30).await;
        while rounds == 0 || began.elapsed() < least {
            played.round(rounds).await;
            rounds += 1;
        }
        played.driver.stop.store(true, Ordering::Relaxed);
        let mut calls = Vec::new();
        for worker in workers {
            calls.extend(worker.await.unwrap());
        }
        let account = Account::of(calls, rounds);
        println!("{:.0} s\n{}", began.elapsed().as_secs_f64(), account.shown());
        let balancer = std::fs::read_to_string(&played.balancer.log).unwrap();
        balancer.lines().filter(|line| line.contains("no server available")).for_each(|line| println!("{line}"));
        for node in played.nodes.into_iter().flatten() {
            node.gateway.signal("-TERM");
            assert!(node.gateway.ended().await);
        }
        account.each_is_as_it_must_be();
        let folders = NAMES.map(|name| played.shared.dir.path().join(format!("audit-{name}")));
        account.stands_in_the_logs(&folders, played.shared.world.index_requests());
        let mut verify = Command::new(HJEMMEL);
        verify.current_dir(played.shared.dir.path()).args(["audit", "verify", "--key", "audit-keys/checkpoint.pub"]);
        let said = verify.args(folders).arg("--config").arg(&played.places[0].configuration).output().unwrap();
        let said = (said.status.success(), String::from_utf8([said.stdout, said.stderr].concat()).unwrap());
        assert!(said.0 && said.1.matches("anchors of the store and of other nodes' logs hold").count() == 2, "{}", said.1);
    });
}
