//! The gateway on PostgreSQL, in processes of its own: what callers and operators see of a database that is shared, restarts,
//! stands still, has no connection to spare, or is not who it should be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hjemmel::agreements::{State, Store};
use hjemmel::audit::anchors;
use hjemmel::cli::call::client::{Client, Exchange};
use hjemmel::cli::call::words::Said;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::decisions::statement::Signer;
use hjemmel::decisions::{self, Because, By};
use hjemmel::signature::key::SigningKey;
use hjemmel::signature::sign::Token;
use hjemmel::soap::envelope::Version;
use hjemmel::store::{Access, Database, Settings, moving, sql};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};

use crate::decides::Decides;
use crate::postgres::{Cluster, Shown, free_port};
use crate::process::{Gateway, HJEMMEL, comes_to, in_runtime};
use crate::request::{and, search};
use crate::stage::{admin, options, person, try_admin};

mod archive;
mod away;

/// A world whose gateways keep everything in one database.
pub struct Shared {
    pub world: World,
    pub cluster: Cluster,
    pub database: String,
    /// Where the nodes reach the database, where that is not the cluster itself: a pooler's port.
    pub pooler: Option<u16>,
    /// The same where it is an address that leads to whichever server is the first at the moment.
    pub leads_to: Option<u16>,
    pub dir: tempfile::TempDir,
}

/// A gateway of a world.
pub struct Node {
    pub gateway: Gateway,
    client: Client,
    pub admin: std::net::SocketAddr,
    log: PathBuf,
}

impl Shared {
    pub async fn new() -> Option<Self> {
        let cluster = Cluster::own()?;
        let database = cluster.database().name;
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let from = Database::open(&Settings::sqlite(&dir.path().join("agreements.sqlite")), Access::Change).await.unwrap();
        let to = Database::open(&cluster.settings(&database), Access::Make).await.unwrap();
        moving::moved(&from, &to, |_, _, _| ()).await.unwrap();
        from.close().await;
        to.close().await;
        Some(Self { world, cluster, database, pooler: None, leads_to: None, dir })
    }

    /// The configuration of another node, with its own ports and its own audit log: its file.
    pub fn configuration(&self, name: &str, port: u16, more: &str) -> PathBuf {
        let text = std::fs::read_to_string(&self.world.configuration).unwrap();
        let mut settings: toml::Table = text.parse().unwrap();
        let mut set = |section: &str, key: &str, value: String| {
            let section = settings.entry(section).or_insert_with(|| toml::Table::new().into());
            section.as_table_mut().unwrap().insert(key.to_owned(), value.into());
        };
        let database = |port: u16| format!("postgres://hjemmel@localhost:{port}/{}", self.database);
        let direct = self.leads_to.unwrap_or(self.cluster.port());
        set("store", "url", database(self.pooler.unwrap_or(direct)));
        if self.pooler.is_some() {
            set("store", "direct_url", database(direct));
        }
        set("store", "password_file", self.cluster.password_file().display().to_string());
        set("listen", "address", format!("127.0.0.1:{port}"));
        set("admin", "address", format!("127.0.0.1:{}", free_port()));
        set("audit", "directory", format!("audit-{name}"));
        set("audit", "checkpoint_interval", "1s".to_owned());
        set("audit", "anchor_interval", "1s".to_owned());
        let store = settings["store"].as_table_mut().unwrap();
        store.insert("tls_roots".to_owned(), vec![self.cluster.root().display().to_string()].into());
        std::fs::create_dir_all(self.dir.path().join(format!("audit-{name}"))).unwrap();
        let file = self.dir.path().join(format!("{name}.toml"));
        let settings = toml::to_string(&settings).unwrap();
        let (top, sections) = more.split_at(more.find('[').unwrap_or(more.len()));
        let text = format!("replay_memory = \"database\"\nreplay_wait = \"1s\"\n{top}\n{settings}\n{sections}");
        std::fs::write(&file, text).unwrap();
        file
    }

    pub async fn node(&self, name: &str) -> Node {
        self.node_with(name, "").await
    }

    /// With more settings: of the top level, and then whole sections.
    async fn node_with(&self, name: &str, more: &str) -> Node {
        // A free port may be taken by another before the node has it, so several are tried.
        for _ in 0..5 {
            if let Some(node) = self.started(name, more).await {
                return node;
            }
        }
        panic!("{name} did not start: {}", std::fs::read_to_string(self.dir.path().join(format!("{name}.log"))).unwrap());
    }

    /// `None` where it ended before it was ready.
    async fn started(&self, name: &str, more: &str) -> Option<Node> {
        self.launched(name, &self.configuration(name, free_port(), more)).await
    }

    /// Starts a node, or starts it again, as its configuration says. `None` where it ended before it was ready.
    pub async fn launched(&self, name: &str, file: &Path) -> Option<Node> {
        self.launched_in(name, file, &[]).await
    }

    /// The same with this in its environment.
    pub async fn launched_in(&self, name: &str, file: &Path, environment: &[(&str, String)]) -> Option<Node> {
        let log = self.dir.path().join(format!("{name}.log"));
        let output = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut serve = Command::new(HJEMMEL);
        serve.args(["serve", "--config"]).arg(file).stderr(output);
        if !environment.is_empty() {
            serve.env_remove("FAKETIME").envs(environment.iter().map(|(name, value)| (name, value)));
        }
        let child = serve.spawn().unwrap();
        let settings: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
        let port = settings["listen"]["address"].as_str().unwrap().rsplit(':').next().unwrap();
        let admin_at = settings["admin"]["address"].as_str().unwrap().parse().unwrap();
        let mut client = self.world.client(None).unwrap();
        client.service = format!("https://localhost:{port}{}", client.service.path()).parse().unwrap();
        let mut node = Node { gateway: Gateway(child), client, admin: admin_at, log };
        let mut ended = false;
        comes_to(&format!("{name} is ready: {}", node.logged()), async || {
            ended = node.gateway.0.try_wait().unwrap().is_some();
            ended || try_admin(node.admin, "/readyz").await.is_ok_and(|(status, _)| status == 200)
        })
        .await;
        (!ended).then_some(node)
    }

    pub async fn caller(&self) -> Caller {
        Caller::of(&self.world).await
    }
}

impl Node {
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a message: what came of it.
    pub async fn asks(&self, message: &Bytes) -> Outcome {
        let exchange = self.client.send(Version::V12, message.clone()).await.unwrap();
        Outcome::of(&exchange)
    }

    async fn metric(&self, name: &str) -> f64 {
        let (_, text) = admin(self.admin, "/metrics").await;
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{name}: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Served,
    Refused { code: String, status: u16, retry_after: Option<String> },
}

impl Outcome {
    fn of(exchange: &Exchange) -> Self {
        match Said::read(&exchange.answer) {
            Said::Fault { code, texts } => {
                assert_eq!(texts.len(), 2, "in Danish and in English");
                let retry_after = exchange.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
                Self::Refused { code: code.to_string(), status: exchange.status, retry_after }
            }
            _ => {
                assert_eq!(exchange.status, 200);
                Self::Served
            }
        }
    }

    pub fn code(&self) -> &str {
        match self {
            Self::Served => "served",
            Self::Refused { code, .. } => code,
        }
    }

    fn unavailable() -> Self {
        Self::Refused { code: "ReplayMemoryUnavailable".to_owned(), status: 503, retry_after: Some("5".to_owned()) }
    }
}

/// Signs messages.
pub struct Caller {
    signing: Client,
    token: Token,
    key: SigningKey,
}

impl Caller {
    pub async fn of(world: &World) -> Self {
        Self {
            signing: world.client(None).unwrap(),
            token: world.token(Role::Korsbaek, KORSBAEK).await.unwrap().assertion().clone(),
            key: world.key(Role::Korsbaek).unwrap(),
        }
    }

    pub fn message(&self) -> Bytes {
        let input = search(&and(&[&person(demo::UDK_ONLY)]));
        self.signing.token_message(&self.token, &self.key, input.as_bytes(), Clock::system().now()).unwrap().0
    }

    /// A call with a message of its own.
    pub async fn calls(&self, node: &Node) -> Outcome {
        node.asks(&self.message()).await
    }

    /// Calls until it is served again, with a new message each time.
    pub async fn is_served_again(&self, node: &Node) {
        comes_to(&format!("a call is served: {}", node.logged()), async || self.calls(node).await == Outcome::Served).await;
    }
}

#[test]
fn of_two_processes_on_one_database_one_lets_a_message_through_also_while_the_database_restarts() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let nodes = Arc::new([shared.node("one").await, shared.node("two").await]);
        let caller = Arc::new(shared.caller().await);
        assert_eq!(caller.calls(&nodes[0]).await, Outcome::Served);
        assert_eq!(caller.calls(&nodes[1]).await, Outcome::Served);

        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let (nodes, caller, stop, asked) = (nodes.clone(), caller.clone(), stop.clone(), asked.clone());
                tokio::spawn(async move {
                    let mut outcomes = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let message = caller.message();
                        // At once on both, and again on each.
                        let (one, other) = tokio::join!(nodes[0].asks(&message), nodes[1].asks(&message));
                        outcomes.push([one, other, nodes[0].asks(&message).await, nodes[1].asks(&message).await]);
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                    outcomes
                })
            })
            .collect();
        let more = async |messages: usize| {
            let due = asked.load(Ordering::Relaxed) + messages;
            comes_to("messages are answered", async || asked.load(Ordering::Relaxed) >= due).await;
        };
        let before = shared.world.index_requests();
        more(10).await;
        shared.cluster.restart();
        more(10).await;
        shared.cluster.terminate(&shared.database);
        more(10).await;
        shared.cluster.kill();
        shared.cluster.start();
        more(10).await;
        stop.store(true, Ordering::Relaxed);

        let (mut served, mut refused) = (0, BTreeMap::<String, usize>::new());
        for sender in senders {
            for outcomes in sender.await.unwrap() {
                let times = outcomes.iter().filter(|outcome| **outcome == Outcome::Served).count();
                assert!(times <= 1, "let through {times} times: {outcomes:?}");
                served += times;
                for outcome in outcomes.iter().filter(|outcome| **outcome != Outcome::Served) {
                    *refused.entry(outcome.code().to_owned()).or_default() += 1;
                    assert!(outcome.code() != "ReplayMemoryUnavailable" || *outcome == Outcome::unavailable());
                }
            }
        }
        println!("served {served}, refused {refused:?}");
        assert!(served >= 20, "{refused:?}");
        let known = ["Replay", "ReplayMemoryUnavailable"];
        assert!(refused.keys().all(|code| known.contains(&code.as_str())), "{refused:?}");
        assert!(shared.world.index_requests() - before <= served as u64 + 8, "nothing reached the index twice");
        caller.is_served_again(&nodes[0]).await;
        caller.is_served_again(&nodes[1]).await;
    });
}

/// An address that leads to a server, and later to another, as one that fails over does.
struct Address {
    port: u16,
    leads_to: Arc<AtomicU16>,
}

impl Address {
    async fn of(cluster: &Cluster) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, leads_to) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU16::new(cluster.port())));
        let to = leads_to.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let to = to.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    if let Ok(mut server) = tokio::net::TcpStream::connect(("127.0.0.1", to)).await {
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
                    }
                });
            }
        });
        Self { port, leads_to }
    }
}

#[test]
fn a_standby_that_takes_over_lets_nothing_through_twice_obeys_what_was_decided_and_serves_new_messages() {
    in_runtime(async {
        let Some(mut shared) = Shared::new().await else { return };
        let address = Address::of(&shared.cluster).await;
        shared.leads_to = Some(address.port);
        let standby = shared.cluster.standby(true).await;
        let short = "clock_skew = \"2s\"";
        let nodes = [shared.node_with("one", short).await, shared.node_with("two", short).await];
        let caller = shared.caller().await;
        let mut served = Vec::new();
        for n in 0..20 {
            let message = caller.message();
            if nodes[n % 2].asks(&message).await == Outcome::Served {
                served.push(message);
            }
        }
        assert_eq!(served.len(), 20);
        // A decision that stands: of the agreements of another authority, for the calls must go on.
        let store = Store::open(&shared.cluster.settings(&shared.database)).await.unwrap();
        let agreements = store.list().await.unwrap();
        let other = agreements.iter().find(|agreement| agreement.authority.to_string() != KORSBAEK).unwrap().id;
        store.decide(other, State::Suspended, "Prøve", "prøve", shared.world.clock.now()).await.unwrap();
        store.close().await;

        shared.cluster.kill();
        assert_eq!(caller.calls(&nodes[0]).await, Outcome::unavailable(), "without a database nothing passes");
        address.leads_to.store(standby.port(), Ordering::SeqCst);
        // Still a standby: it takes no writes, so no message can be remembered.
        assert_eq!(caller.calls(&nodes[1]).await, Outcome::unavailable());
        standby.promote();
        for node in &nodes {
            caller.is_served_again(node).await;
        }
        for message in &served {
            for node in &nodes {
                let again = node.asks(message).await;
                assert!(["Replay", "CreatedBeforeMemory"].contains(&again.code()), "{again:?}");
            }
        }
        let store = Store::open(&standby.settings(&shared.database)).await.unwrap();
        assert_eq!(store.get(other).await.unwrap().state, State::Suspended);
        store.close().await;
        let told = nodes[0].logged() + &nodes[1].logged();
        assert!(told.contains("another server took over"), "{told}");
    });
}

#[test]
fn a_suspension_holds_in_every_process_long_before_they_would_ask_again() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let remembering = "agreements.cache_ttl = \"10m\"";
        let nodes = [shared.node_with("one", remembering).await, shared.node_with("other", remembering).await];
        let caller = shared.caller().await;
        let listening = "SELECT count(*) = 2 FROM pg_stat_activity WHERE query = 'LISTEN \"hjemmel_revision\"'";
        shared.cluster.wait_until(listening).await;
        for node in &nodes {
            assert_eq!(caller.calls(node).await, Outcome::Served);
        }
        let store = Store::open(&shared.cluster.settings(&shared.database)).await.unwrap();
        let agreements = store.list().await.unwrap();
        for agreement in agreements.iter().filter(|agreement| agreement.authority.to_string() == KORSBAEK) {
            store.decide(agreement.id, State::Suspended, "Prøve", "prøve", shared.world.clock.now()).await.unwrap();
        }
        let began = Instant::now();
        for node in &nodes {
            let suspended =
                async || matches!(caller.calls(node).await, Outcome::Refused { code, .. } if code == "ServiceAgreementNotActive");
            while !suspended().await {
                assert!(began.elapsed() < Duration::from_secs(60), "{}", node.logged());
            }
        }
        println!("both refuse {:?} after the decision", began.elapsed());
    });
}

#[test]
fn a_database_that_was_put_back_under_a_gateway_opens_nothing_until_somebody_accepts_it() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let (node, caller) = (shared.node("one").await, shared.caller().await);
        assert_eq!(caller.calls(&node).await, Outcome::Served);
        let dump = shared.cluster.dump(&shared.database);

        let store = Store::open(&shared.cluster.settings(&shared.database)).await.unwrap();
        let signatory = Signer::new(shared.world.pki.credentials(Role::PersonSignatory).unwrap()).unwrap();
        let because = Because::new("sag 7".to_owned(), shared.world.clock.now());
        for shown in store.list().await.unwrap().iter().filter(|agreement| agreement.authority.to_string() == KORSBAEK) {
            let by = By::Key(&signatory);
            decisions::agreement::decide(&store, by, shown, State::Suspended, &because, None).await.unwrap();
        }
        comes_to("the suspension holds", async || caller.calls(&node).await.code() == "ServiceAgreementNotActive").await;
        let last = store.every_decision().await.unwrap().last().unwrap().id.to_string();
        let seen = shared.dir.path().join("audit-one/store-seen.json");
        comes_to("the node has seen it", async || std::fs::read_to_string(&seen).is_ok_and(|text| text.contains(&last))).await;

        shared.cluster.restore(&shared.database, &dump);
        comes_to("it is told", async || node.metric("hjemmel_store_put_back").await == 1.0).await;
        assert_eq!(caller.calls(&node).await.code(), "ReplayMemoryUnavailable");
        let (status, text) = admin(node.admin, "/readyz").await;
        assert!(status == 503 && text.contains("earlier state"), "{text}");
        let told = node.logged();
        assert!(told.contains("nothing of the store is believed") && told.contains(&last), "{told}");

        node.gateway.signal("-TERM");
        assert!(node.gateway.ended().await);
        let file = shared.dir.path().join("one.toml");
        let hjemmel = |arguments: &[&str]| Command::new(HJEMMEL).args(arguments).arg("--config").arg(&file).output().unwrap();
        let started = hjemmel(&["serve"]);
        let told = String::from_utf8_lossy(&started.stderr).into_owned();
        assert!(!started.status.success() && told.contains("earlier state than this node has seen"), "{told}");
        assert!(hjemmel(&["store", "restored", "--reason", "sag 7"]).status.success());
        let node = shared.node("one").await;
        // What was sent before it was accepted cannot be told from a replay.
        assert_eq!(caller.calls(&node).await.code(), "CreatedBeforeMemory");
        let log = shared.dir.path().join("audit-one");
        comes_to("that it was accepted stands in the audit log", async || {
            let decisions = hjemmel::audit::decided::decisions(&log).unwrap();
            decisions.iter().any(|(decided, _)| (decided.subject.name(), &*decided.to) == ("store", "RESTORED"))
        })
        .await;
    });
}

#[test]
fn a_reload_is_taken_while_the_database_is_away_and_a_start_is_not() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let node = shared.node("one").await;
        shared.cluster.stop();
        let applied = r#"hjemmel_reload_total{result="applied",what="configuration"}"#;
        assert_eq!(node.metric(applied).await, 0.0);
        node.gateway.signal("-HUP");
        comes_to("the reload is taken", async || node.metric(applied).await == 1.0).await;
        assert!(node.logged().contains("agreements.max_staleness bounds what is served"), "{}", node.logged());
        let another = shared.configuration("other", free_port(), "");
        let started = Command::new(HJEMMEL).args(["serve", "--config"]).arg(&another).output().unwrap();
        let told = String::from_utf8_lossy(&started.stderr).into_owned();
        assert!(!started.status.success() && told.contains("it does not answer"), "{told}");
    });
}

#[test]
fn a_database_that_holds_a_lock_has_no_connection_to_spare_or_stands_still_refuses_calls_and_no_longer() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let Shared { cluster, database, .. } = &shared;
        let (node, caller) = (shared.node("one").await, shared.caller().await);
        assert_eq!(caller.calls(&node).await, Outcome::Served);
        let failures = "hjemmel_replay_database_failures_total{cause=\"slow\"}";

        // Another holds the table's lock.
        let mut other = cluster.superuser(database).await;
        sqlx::raw_sql("BEGIN; LOCK TABLE replay_message").execute(&mut other).await.unwrap();
        let asked = Instant::now();
        let message = caller.message();
        assert_eq!(node.asks(&message).await, Outcome::unavailable());
        assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        caller.is_served_again(&node).await;
        assert_eq!(node.asks(&message).await.code(), "Replay", "what waited was remembered");
        assert!(node.metric(failures).await >= 1.0);

        // No connection is to be had.
        cluster.psql("ALTER ROLE hjemmel CONNECTION LIMIT 0");
        cluster.terminate(database);
        comes_to("calls are refused", async || caller.calls(&node).await == Outcome::unavailable()).await;
        cluster.psql("ALTER ROLE hjemmel CONNECTION LIMIT -1");
        caller.is_served_again(&node).await;

        // The server stands still, with its connections open.
        let paused = cluster.pause();
        assert_eq!(caller.calls(&node).await, Outcome::unavailable());
        drop(paused);
        caller.is_served_again(&node).await;

        // The server shows another certificate from now on, and whoever is connected has to come again.
        for shown in [Shown::WrongRoot, Shown::WrongName, Shown::Expired] {
            cluster.show(shown);
            cluster.terminate(database);
            comes_to("calls are refused", async || caller.calls(&node).await == Outcome::unavailable()).await;
            cluster.show(Shown::Good);
            caller.is_served_again(&node).await;
        }

        let log = node.logged();
        let told = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        assert!(told("the replay memory does not answer") >= 3 && told("the replay memory answers again") >= 3, "{log}");
        assert!(told("certificate") >= 3, "the operator is told that it is the certificate: {log}");
        assert_eq!(admin(node.admin, "/readyz").await.0, 200);
        node.gateway.signal("-TERM");
        assert!(node.gateway.ended().await);
    });
}

/// `hjemmel check`: whether it was content, and what it said.
fn check(file: &Path) -> (bool, String) {
    let done = Command::new(HJEMMEL).args(["check", "--config"]).arg(file).output().unwrap();
    (done.status.success(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

#[test]
fn check_refuses_a_server_that_is_not_who_it_should_be_and_warns_of_a_memory_that_is_not_shared() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let (good, said) = check(&shared.configuration("good", free_port(), ""));
        assert!(good && !said.contains("replay_memory"), "{said}");
        let alone = shared.configuration("alone", free_port(), "");
        let text = std::fs::read_to_string(&alone).unwrap().replace("replay_memory = \"database\"", "replay_memory = \"node\"");
        std::fs::write(&alone, text).unwrap();
        let (good, said) = check(&alone);
        assert!(good && said.contains("replay_memory") && said.contains("a message passes once on each of them"), "{said}");
        for shown in [Shown::WrongRoot, Shown::WrongName, Shown::Expired] {
            shared.cluster.show(shown);
            let (good, said) = check(&shared.configuration("wrong", free_port(), ""));
            assert!(!good && said.contains("certificate is not accepted") && said.contains("tls_roots"), "{shown:?}: {said}");
        }
        shared.cluster.show(Shown::Good);
        shared.cluster.offer_tls(false);
        let (good, said) = check(&shared.configuration("plain", free_port(), ""));
        assert!(!good && said.contains("does not support TLS"), "{said}");
    });
}

/// The last entry of a log that the store knows of, and the one that another node's log names.
async fn anchored(shared: &Shared, log: &str, other: &str) -> (u64, u64) {
    let folder = |name: &str| shared.dir.path().join(format!("audit-{name}"));
    let Some(name) = anchors::name_of(&folder(log)).unwrap() else { return (0, 0) };
    let database = Database::open(&shared.cluster.settings(&shared.database), Access::Look).await.unwrap();
    let last = |latest: &anchors::Latest| {
        latest.get(&name).and_then(|of| of.values().next_back()).map_or(0, |checkpoint| checkpoint.covers)
    };
    let kept = last(&anchors::kept(&database).await.unwrap());
    database.close().await;
    // Read here line by line: what the other node's chain says of this one.
    let text = std::fs::read_to_string(folder(other).join("segment-00000001.jsonl")).unwrap();
    let told = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told = told.map(|line| line["entry"]["event"]["anchored"].clone());
    let told = told.filter(|anchored| anchored["log"] == name.to_string().as_str());
    (kept, told.filter_map(|anchored| anchored["checkpoint"]["covers"].as_u64()).max().unwrap_or(0))
}

#[test]
fn a_log_whose_end_was_cut_off_or_that_is_gone_is_told_by_the_store_and_by_the_other_nodes_log_also_after_kills() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let folder = |name: &str| shared.dir.path().join(name);
        let verify = |dirs: &[&str], config: bool| {
            let mut command = Command::new(HJEMMEL);
            command.current_dir(shared.dir.path()).args(["audit", "verify", "--key", "audit-keys/checkpoint.pub"]).args(dirs);
            if config {
                command.args(["--config", "one.toml"]);
            }
            let said = command.output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (said.status.success(), text(&said.stdout) + &text(&said.stderr))
        };
        let caller = shared.caller().await;
        let (one, two) = (shared.node("one").await, shared.node("two").await);
        assert_eq!(caller.calls(&one).await, Outcome::Served);
        comes_to("both know of the log", async || {
            let (kept, told) = anchored(&shared, "one", "two").await;
            kept > 0 && told > 0
        })
        .await;
        // What somebody puts back later: the head first, for the log grows past it.
        std::fs::create_dir(folder("early")).unwrap();
        for file in ["head.json", "log-id", "segment-00000001.jsonl"] {
            std::fs::copy(folder("audit-one").join(file), folder("early").join(file)).unwrap();
        }
        let early = std::fs::read_to_string(folder("early/segment-00000001.jsonl")).unwrap();
        let whole_lines = early.rfind('\n').unwrap() + 1;
        std::fs::write(folder("early/segment-00000001.jsonl"), &early[..whole_lines]).unwrap();

        // Killed while it anchors, wherever that is, and started again.
        let mut one = one;
        for _ in 0..3 {
            assert_eq!(caller.calls(&one).await, Outcome::Served);
            one.gateway.signal("-KILL");
            assert!(!one.gateway.ended().await);
            one = shared.node("one").await;
        }
        assert_eq!(caller.calls(&one).await, Outcome::Served);
        let due = early[..whole_lines].lines().count() as u64;
        comes_to("both know of what came after", async || {
            let (kept, told) = anchored(&shared, "one", "two").await;
            kept > due && told > due
        })
        .await;
        for node in [one, two] {
            node.gateway.signal("-TERM");
            assert!(node.gateway.ended().await);
        }
        let (whole, said) = verify(&["audit-one", "audit-two"], true);
        assert!(whole && said.matches("anchors of the store and of other nodes' logs hold").count() == 2, "{said}");
        let (whole, said) = verify(&["audit-one", "audit-two"], false);
        assert!(whole, "{said}");

        // The end is cut off, and the head rolled back: the log alone contradicts nothing.
        let (whole, said) = verify(&["early"], false);
        assert!(whole, "{said}");
        let (whole, said) = verify(&["early", "audit-two"], false);
        assert!(!whole && said.contains("its end was cut off") && said.contains("another node's log says so"), "{said}");
        let (whole, said) = verify(&["early", "audit-two"], true);
        assert!(!whole && said.contains("NOT WHOLE") && said.contains("its end was cut off"), "{said}");

        // It is gone with its folder.
        let name = anchors::name_of(&folder("audit-one")).unwrap().unwrap();
        let (whole, said) = verify(&["audit-two"], true);
        let gone = format!("none of the folders is the log {name}, which had entry ");
        assert!(!whole && said.contains(&gone) && said.contains("the store tells of it"), "{said}");
        assert!(said.contains("another node's log tells of it"), "{said}");

        // Nobody takes an anchor back, not even with the store in hand.
        let database = Database::open(&shared.cluster.settings(&shared.database), Access::Change).await.unwrap();
        for statement in ["DELETE FROM audit_anchor", "UPDATE audit_anchor SET covers = 1", "TRUNCATE audit_anchor"] {
            let mut transaction = database.begin_beside_others().await.unwrap();
            let refused = transaction.execute(sql(statement)).await.unwrap_err().to_string();
            assert!(refused.contains("an anchor of an audit log"), "{statement}: {refused}");
        }
        database.close().await;
    });
}
