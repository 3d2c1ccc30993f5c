//! The gateway is killed (SIGKILL of a process of its own) at each point between receiving a delivery and answering it, is started again by the
//! same configuration, on the same ports and with the same audit log, and gets the delivery once more. The ledger counts what it was given and what it booked: nothing twice, nothing lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hjemmel::agreements::Store;
use hjemmel::services::finance::rules::delivery::{Head, NAMESPACE};
use hjemmel::soap::document::Element;
use hjemmel::store::{Access, Database, Dialect, Settings, Transaction, moving, sql};
use hjemmel::stub::finance::ledger::Ledger;
use hjemmel::stub::finance::sample::Sample;
use hjemmel::stub::service::serve::Content;
use hjemmel::stub::sts::StsMode;
use hjemmel::users::rights::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::folder;
use super::gateway::{Finance, receipt, texts, told_by_mail};
use crate::deliveries::without_asking_again;
use crate::postgres::Cluster;
use crate::tables;
use crate::wire::Answer;
use crate::world::{BY_TOKEN, Passing, content};

/// Where the ledger stands still until it is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Still {
    /// Nowhere.
    No,
    /// It has the delivery, and has not booked it; let go, it never does.
    BeforeBooking,
    /// It has booked it, and has not answered.
    AfterBooking,
}

/// A ledger that stands still where it is told to, and counts how often each delivery came.
#[derive(Debug)]
struct Held {
    ledger: Ledger,
    given: Mutex<BTreeMap<String, u64>>,
    still: Mutex<(Still, bool)>,
    changed: Condvar,
}

impl Held {
    fn stand(&self, still: Still) {
        *self.still.lock().unwrap() = (still, false);
    }
    fn stands(&self) -> bool {
        self.still.lock().unwrap().1
    }
    fn go(&self) {
        *self.still.lock().unwrap() = (Still::No, false);
        self.changed.notify_all();
    }
    fn wait(&self) {
        let mut still = self.still.lock().unwrap();
        still.1 = true;
        while still.0 != Still::No {
            still = self.changed.wait(still).unwrap();
        }
    }
}

impl Content for Held {
    fn answer(&self, request: Element<'_>) -> Option<Vec<u8>> {
        let delivery = request.elements().find(|child| child.is(NAMESPACE, "FinansbilagLeverance"))?;
        *self.given.lock().unwrap().entry(Head::read(delivery).unwrap().id.to_string()).or_default() += 1;
        let still = self.still.lock().unwrap().0;
        match still {
            Still::No => self.ledger.answer(request),
            Still::BeforeBooking => {
                self.wait();
                None
            }
            Still::AfterBooking => {
                let receipt = self.ledger.answer(request);
                self.wait();
                receipt
            }
        }
    }
}

/// A gateway in a process of its own.
pub(super) struct Gateway {
    child: Child,
    pub(super) port: u16,
}

impl Gateway {
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A world whose gateways are processes on one store.
pub(super) struct Scene {
    pub(super) passing: Passing,
    ledger: Arc<Held>,
    pub(super) store: Settings,
    pub(super) cluster: Option<Cluster>,
    database: Database,
    /// The ports of each node, the service's and the operators', by its name: a node that starts again has them again.
    ports: BTreeMap<&'static str, (u16, u16)>,
    /// For how long a node that is started waits for the store.
    patience: &'static str,
}

/// A port that nobody is given who asks for any, so that it is still there when its node has been killed.
fn own_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port =
            12_000 + ((std::process::id() as u16).wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % 18_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until it is so, and fails where the delivery is answered first.
async fn comes_before(what: &str, sent: &mut JoinHandle<Answer>, mut holds: impl AsyncFnMut() -> bool) {
    comes_to(what, async || {
        if sent.is_finished() && !holds().await {
            panic!("{what}: before it, {:?}", (&mut *sent).await.map(|answer| content(&answer.body)));
        }
        holds().await
    })
    .await;
}

async fn comes_to(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(90);
    while !holds().await {
        assert!(Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

async fn is_ready(admin: u16) -> bool {
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", admin)).await else { return false };
    let mut text = String::new();
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    asked.is_ok() && stream.read_to_string(&mut text).await.is_ok() && text.starts_with("HTTP/1.1 200")
}

impl Scene {
    pub(super) async fn new(dialect: Dialect) -> Option<Self> {
        Self::with(dialect, &folder(), "").await
    }

    /// One of another service, with more in the configuration.
    async fn with(dialect: Dialect, service: &Path, sections: &str) -> Option<Self> {
        let cluster = match dialect {
            Dialect::Sqlite => None,
            Dialect::Postgres => Some(Cluster::own()?),
        };
        let ledger = Arc::new(Held {
            ledger: Ledger::default(),
            given: Mutex::default(),
            still: Mutex::new((Still::No, false)),
            changed: Condvar::new(),
        });
        let more = format!("kind = \"finance\"\n[service.pass.deliveries]\nwait = \"30s\"\n{sections}");
        let passing = Passing::without_gateway(service, &more, ledger.clone()).await;
        let mut store = tables::patient(Settings::sqlite(&passing.world.dir.join("agreements.sqlite")));
        if let Some(cluster) = &cluster {
            let from = Database::open(&store, Access::Change).await.unwrap();
            store = tables::patient(cluster.settings(&cluster.database().name));
            let to = Database::open(&store, Access::Make).await.unwrap();
            moving::moved(&from, &to, |_, _, _| ()).await.unwrap();
            from.close().await;
            to.close().await;
        }
        let database = Database::open(&store, Access::Change).await.unwrap();
        Some(Self { passing, ledger, store, cluster, database, ports: BTreeMap::new(), patience: "60s" })
    }

    fn configuration(&self, port: u16, admin: u16, name: &str) -> PathBuf {
        let dir = &self.passing.world.dir;
        let text = std::fs::read_to_string(&self.passing.world.configuration).unwrap();
        let mut settings: toml::Table = text.parse().unwrap();
        let mut set = |section: &str, key: &str, value: toml::Value| {
            let section = settings.entry(section).or_insert_with(|| toml::Table::new().into());
            section.as_table_mut().unwrap().insert(key.to_owned(), value);
        };
        if let Some(cluster) = &self.cluster {
            set("store", "url", self.store.at.to_string().into());
            set("store", "password_file", cluster.password_file().display().to_string().into());
            set("store", "tls_roots", vec![cluster.root().display().to_string()].into());
        }
        set("store", "patience", self.patience.into());
        // Longer than any test takes: what is seen before was not seen because a memory had grown old.
        set("agreements", "cache_ttl", "10m".into());
        set("listen", "address", format!("127.0.0.1:{port}").into());
        set("admin", "address", format!("127.0.0.1:{admin}").into());
        set("audit", "directory", format!("audit-{name}").into());
        std::fs::create_dir_all(dir.join(format!("audit-{name}"))).unwrap();
        let file = dir.join(format!("{name}.toml"));
        std::fs::write(&file, toml::to_string(&settings).unwrap()).unwrap();
        file
    }

    /// Starts a node, or starts it again, and waits until it serves.
    pub(super) async fn node(&mut self, name: &'static str) -> Gateway {
        let (port, admin) = *self.ports.entry(name).or_insert_with(|| (own_port(), own_port()));
        let file = self.configuration(port, admin, name);
        let log = self.passing.world.dir.join(format!("{name}.log"));
        let output = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let hjemmel = Path::new(env!("CARGO_BIN_EXE_hjemmel"));
        let child = Command::new(hjemmel).args(["serve", "--config"]).arg(&file).stderr(output).spawn().unwrap();
        let mut gateway = Gateway { child, port };
        comes_to("the gateway is ready", async || {
            let ended = gateway.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", std::fs::read_to_string(&log).unwrap());
            is_ready(admin).await
        })
        .await;
        gateway
    }

    /// What the audit log of a node says when it is checked, after however many ends.
    fn audit_is_whole(&self, name: &str) {
        let dir = &self.passing.world.dir;
        let (log, key) = (dir.join(format!("audit-{name}")), dir.join("audit-keys/checkpoint.pub"));
        let hjemmel = Path::new(env!("CARGO_BIN_EXE_hjemmel"));
        let checked = Command::new(hjemmel).args(["audit", "verify"]).arg(&log).arg("--key").arg(&key).output().unwrap();
        let told = [checked.stdout, checked.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(checked.status.success(), "{told}");
    }

    /// Sends a delivery; what comes of it, where something does.
    pub(super) async fn send(&self, to: u16, sample: &Sample) -> JoinHandle<Answer> {
        let body = sample.request("");
        let message = self.passing.signed(&[], &body, "").await;
        tokio::spawn(self.passing.send_signed_to(to, &body, message))
    }

    async fn states(&self) -> BTreeMap<String, i64> {
        let rows = self.database.all(sql("SELECT state, count(*) AS many FROM delivery GROUP BY state")).await.unwrap();
        rows.iter().map(|row| (row.get("state").unwrap(), row.get("many").unwrap())).collect()
    }

    async fn under_way(&self) -> bool {
        self.states().await.contains_key("under way")
    }

    /// Keeps everybody else from writing what is known of deliveries.
    async fn hold(&self) -> Transaction {
        let mut held = self.database.begin_beside_others().await.unwrap();
        if held.dialect() == Dialect::Postgres {
            held.execute(sql("LOCK TABLE delivery IN EXCLUSIVE MODE")).await.unwrap();
        }
        held
    }

    /// Waits until the node waits to write what is held. SQLite tells nobody who waits: there it has a moment to come so far.
    async fn waits_for_the_store(&self, sent: &mut JoinHandle<Answer>, statement: &str) {
        if self.database.dialect() == Dialect::Sqlite {
            tokio::time::sleep(Duration::from_millis(700)).await;
            return;
        }
        let waits = "SELECT count(*) AS many FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
             WHERE NOT granted AND datname = current_database() AND relation = 'delivery'::regclass AND activity.query LIKE '%' || $1 || '%'";
        comes_before("the node waits for the store", sent, async || {
            let rows = self.database.all(sql(waits).bind(statement)).await.unwrap();
            rows[0].get::<i64>("many").unwrap() > 0
        })
        .await;
    }

    /// Kills a node at this point of a delivery.
    async fn killed(&mut self, at: Point, sample: &Sample) {
        let node = self.node("node").await;
        match at {
            Point::BeforeTheClaim => {
                let held = self.hold().await;
                let mut sent = self.send(node.port, sample).await;
                self.waits_for_the_store(&mut sent, "INSERT INTO delivery AS held").await;
                node.kill();
                drop(held);
                assert!(sent.await.is_err());
            }
            Point::BeforeForwarding => {
                let body = sample.request("");
                let message = self.passing.signed(&[], &body, "").await;
                self.passing.world.sts_mode.set(StsMode::Slow(Duration::from_secs(60)));
                let mut sent = tokio::spawn(self.passing.send_signed_to(node.port, &body, message));
                comes_before("it is claimed", &mut sent, async || self.under_way().await).await;
                node.kill();
                self.passing.world.sts_mode.set(StsMode::Honest);
                assert!(sent.await.is_err());
            }
            Point::BeforeBooking | Point::AfterBooking => {
                self.ledger.stand(if at == Point::AfterBooking { Still::AfterBooking } else { Still::BeforeBooking });
                let mut sent = self.send(node.port, sample).await;
                comes_before("the ledger has it", &mut sent, async || self.ledger.stands()).await;
                node.kill();
                self.ledger.go();
                assert!(sent.await.is_err());
            }
            Point::BeforeTheReceiptIsKept => {
                self.ledger.stand(Still::AfterBooking);
                let mut sent = self.send(node.port, sample).await;
                comes_before("the ledger has it", &mut sent, async || self.ledger.stands()).await;
                let held = self.hold().await;
                self.ledger.go();
                self.waits_for_the_store(&mut sent, "SET state = 'answered'").await;
                node.kill();
                drop(held);
                assert!(sent.await.is_err());
            }
            Point::WhenTheReceiptIsKept => {
                let before = self.states().await.get("answered").copied();
                let sent = self.send(node.port, sample).await;
                comes_to("it is answered", async || self.states().await.get("answered").copied() != before).await;
                node.kill();
                // Whether the sender has it is chance.
                let _ = sent.await;
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    BeforeTheClaim,
    BeforeForwarding,
    BeforeBooking,
    AfterBooking,
    BeforeTheReceiptIsKept,
    WhenTheReceiptIsKept,
}

/// Each point, and how often the ledger is given the delivery in all: once more where it had it and its answer was lost.
const POINTS: [(Point, u64); 6] = [
    (Point::BeforeTheClaim, 1),
    (Point::BeforeForwarding, 1),
    (Point::BeforeBooking, 2),
    (Point::AfterBooking, 2),
    (Point::BeforeTheReceiptIsKept, 2),
    (Point::WhenTheReceiptIsKept, 1),
];

async fn nothing_twice_and_nothing_lost(scene: &mut Scene) {
    let samples: Vec<Sample> = (0..POINTS.len()).map(|at| Finance::sample(500 + at as u64, BY_TOKEN, 2)).collect();
    for ((at, _), sample) in POINTS.iter().zip(&samples) {
        scene.killed(*at, sample).await;
    }
    let node = scene.node("node").await;
    let mut again = Vec::new();
    for sample in &samples {
        again.push(scene.send(node.port, sample).await);
    }
    for (((at, given), sample), answer) in POINTS.iter().zip(&samples).zip(again) {
        let receipt = receipt(&answer.await.unwrap()).await;
        assert_eq!(texts(&receipt, "ForretningsValideringsKode"), ["ACCEPTERET"], "{at:?}: {receipt}");
        let times = scene.ledger.given.lock().unwrap().get(&sample.id).copied();
        assert_eq!(times, Some(*given), "{at:?}");
        // And once more: the ledger hears nothing of it.
        let third = super::gateway::receipt(&scene.send(node.port, sample).await.await.unwrap()).await;
        assert_eq!(third, receipt, "{at:?}");
        assert_eq!(scene.ledger.given.lock().unwrap().get(&sample.id).copied(), times);
    }
    let booked = scene.ledger.ledger.booked();
    assert_eq!(booked.len(), 2 * POINTS.len(), "nothing is lost");
    assert!(booked.values().all(|times| *times == 1), "nothing is booked twice: {booked:?}");
    node.kill();
    scene.audit_is_whole("node");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_at_any_point_books_nothing_twice_and_loses_nothing_with_sqlite() {
    let mut scene = Scene::new(Dialect::Sqlite).await.unwrap();
    nothing_twice_and_nothing_lost(&mut scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_at_any_point_books_nothing_twice_and_loses_nothing_with_postgresql() {
    let Some(mut scene) = Scene::new(Dialect::Postgres).await else { return };
    nothing_twice_and_nothing_lost(&mut scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_gateway_was_killed_and_the_ledger_may_not_be_asked_again_its_operations_are_told_by_mail() {
    let (mail, service) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let section = format!("[mail]\nfrom = \"Hjemmel <hjemmel@example.dk>\"\nfolder = \"{}\"\n", mail.path().display());
    let service = without_asking_again(service.path());
    let mut scene = Scene::with(Dialect::Sqlite, &service, &section).await.unwrap();
    let store = Store::open(&scene.store).await.unwrap();
    told_by_mail(&store, None, Role::Operator, "drift@example.dk").await;
    told_by_mail(&store, Some(BY_TOKEN), Role::SystemResponsible, "modtager@example.dk").await;
    let sample = Finance::sample(610, BY_TOKEN, 1);
    scene.killed(Point::AfterBooking, &sample).await;
    // The lease of the dead is over.
    scene.database.session().await.unwrap().execute(sql("UPDATE delivery SET held_until_us = 0")).await.unwrap();
    let is_told = async |address: &str| {
        let files = std::fs::read_dir(mail.path()).unwrap();
        let mut letters = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
        letters.any(|letter| letter.contains(address) && letter.contains("Answer to a delivery is lost"))
    };
    let node = scene.node("node").await;
    comes_to("the operators are told that a gateway was killed", async || is_told("drift@example.dk").await).await;
    assert!(!is_told("modtager@example.dk").await, "whose it is nobody knows before it is sent again");
    let told = receipt(&scene.send(node.port, &sample).await.await.unwrap()).await;
    assert!(told.contains("det vides ikke, om bilagene er bogført"), "{told}");
    comes_to("the receiver is told of what nobody knows of", async || is_told("modtager@example.dk").await).await;
    assert_eq!(scene.ledger.given.lock().unwrap().get(&sample.id).copied(), Some(1));
    node.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_equal_deliveries_to_two_nodes_at_once_one_reaches_the_ledger() {
    let Some(mut scene) = Scene::new(Dialect::Postgres).await else { return };
    let (first, second) = (scene.node("first").await, scene.node("second").await);
    let sample = Finance::sample(600, BY_TOKEN, 3);
    let mut sent = Vec::new();
    for at in 0..8 {
        let port = if at % 2 == 0 { first.port } else { second.port };
        sent.push(scene.send(port, &sample).await);
    }
    let mut receipts = std::collections::BTreeSet::new();
    for answer in sent {
        receipts.insert(receipt(&answer.await.unwrap()).await);
    }
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!(scene.ledger.given.lock().unwrap().get(&sample.id), Some(&1));
    assert!(scene.ledger.ledger.booked().values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_two_nodes_pass_no_delivery_on_and_each_goes_on_by_itself() {
    let Some(mut scene) = Scene::new(Dialect::Postgres).await else { return };
    scene.patience = "5s";
    let nodes = [scene.node("first").await, scene.node("second").await];
    let sample = |number: u64| Finance::sample(620 + number, BY_TOKEN, 1);
    let (scene, samples) = (&scene, [sample(0), sample(1), sample(2), sample(3)]);
    let is_accepted = async |node: &Gateway, sample: &Sample| {
        let answer = scene.send(node.port, sample).await.await.unwrap();
        answer.status == 200 && texts(&content(&answer.body), "ForretningsValideringsKode") == ["ACCEPTERET"]
    };
    // What a node remembers of agreements and routes serves while the store is away.
    for (node, sample) in nodes.iter().zip(&samples) {
        comes_to("a node has passed one on", async || is_accepted(node, sample).await).await;
    }

    let (cluster, given) = (scene.cluster.as_ref().unwrap(), || scene.ledger.given.lock().unwrap().clone());
    let before = given();
    cluster.stop();
    let (known, new) = samples.split_at(2);
    let mut sent = Vec::new();
    for node in &nodes {
        for sample in [&known[0], &new[0]] {
            sent.push(scene.send(node.port, sample).await);
        }
    }
    for answer in sent {
        let answer = answer.await.unwrap();
        assert!(answer.text().contains(">DeliveriesUnavailable<"), "{}", answer.text());
    }
    assert_eq!(given(), before, "nothing was passed on");

    cluster.start();
    for (node, other) in nodes.iter().zip(new) {
        for sample in [&new[0], other, &known[0]] {
            comes_to("a node goes on", async || is_accepted(node, sample).await).await;
        }
    }
    let booked = scene.ledger.ledger.booked();
    assert_eq!(booked.len(), samples.len(), "each was passed on, whichever node it came to");
    assert!(booked.values().all(|times| *times == 1), "nothing is booked twice: {booked:?}");
}
