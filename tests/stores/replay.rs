//! The memories against replay: one suite on a node's own, SQLite and PostgreSQL, and what the shared one does when its
//! database goes away.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use hjemmel::clock::Clock;
use hjemmel::refusal::Refusal;
use hjemmel::replay::database::{DatabaseMemory, Rules};
use hjemmel::replay::node::NodeMemory;
use hjemmel::replay::{ReplayMemory, Seen};
use hjemmel::store::{Access, At, Database, Settings};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::postgres::{Bouncer, Cluster, Mode, ROLE, TestDatabase};
use crate::tables;

const KEEP: Duration = Duration::from_secs(720);
/// A disk that is slow for a while refuses nothing here.
const RULES: Rules = Rules { keep: KEEP, skew: Duration::from_secs(60), patience: Duration::from_secs(60) };
/// As long as a call may wait, where its database is away.
const SHORT: Rules = Rules { patience: Duration::from_secs(2), ..RULES };

const UNAVAILABLE: Result<(), Refusal> = Err(Refusal::ReplayMemoryUnavailable { seconds: 5 });

/// Two nodes that remember messages, in one memory where there is a store; and the time there.
struct World {
    nodes: [Arc<ReplayMemory>; 2],
    store: Option<Database>,
    now: Timestamp,
    server: Option<(&'static Cluster, TestDatabase)>,
    clock: Clock,
    /// By how much the clock of the nodes on SQLite was put on, in microseconds.
    put_on: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl World {
    /// One of each kind that can be had.
    async fn all() -> Vec<(&'static str, Self)> {
        let folder = || tempfile::tempdir().unwrap();
        let now = Clock::system().now();
        let node = Arc::new(ReplayMemory::Node(NodeMemory::new(100_000, KEEP, now)));
        let mut all = vec![(
            "node",
            Self {
                nodes: [node.clone(), node],
                store: None,
                now,
                server: None,
                clock: Clock::system(),
                put_on: Arc::default(),
                _folder: folder(),
            },
        )];
        let files = folder();
        let put_on = Arc::new(AtomicI64::new(0));
        let by = put_on.clone();
        // The nodes' own looks at the memory are at the time of the test, or they would miss what it has forgotten. It stands still
        // between: they would forget sooner than the test where the machine is slow.
        let clock = Clock::from_fn(move || now + Duration::from_micros(by.load(Ordering::SeqCst).unsigned_abs()));
        let settings = tables::in_file(&files.path().join("store.sqlite")).await;
        let store = Database::open(&settings, Access::Make).await.unwrap();
        let nodes = shared(&store, &clock).await;
        all.push(("SQLite", Self { nodes, store: Some(store), now: clock.now(), server: None, clock, put_on, _folder: files }));
        if let Some(cluster) = Cluster::shared() {
            let database = cluster.database();
            let clock = clock_of(cluster, &database);
            let settings = tables::patient(cluster.settings(&database.name));
            let store = Database::open(&settings, Access::Make).await.unwrap();
            let nodes = shared(&store, &clock).await;
            let (now, server) = (clock.now(), Some((cluster, database)));
            all.push((
                "PostgreSQL",
                Self { nodes, store: Some(store), now, server, clock, put_on: Arc::default(), _folder: folder() },
            ));
        }
        all
    }

    async fn remember(&self, id: &str) -> Result<(), Refusal> {
        self.asks(0, b"k", id).await
    }

    /// Asks a node about a message that was made just now.
    async fn asks(&self, node: usize, sender: &[u8], id: &str) -> Result<(), Refusal> {
        // PostgreSQL looks at its own clock as well: there rows grow older, and the time stays.
        let now = if self.server.is_some() { self.clock.now() } else { self.now };
        self.nodes[node].remember(Seen::new(sender, id, now), now).await
    }

    /// Time goes by, and what has expired is forgotten.
    async fn pass(&mut self, by: Duration) {
        self.now += by;
        self.put_on.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
        let mut now = self.now;
        if let (Some((cluster, database)), Some(store)) = (&self.server, &self.store) {
            // Nodes that had seen a row when it was young would miss it: they go before it grows old, and others come.
            let nobody = Arc::new(ReplayMemory::Node(NodeMemory::new(1, KEEP, now)));
            self.nodes = [nobody.clone(), nobody];
            let asks = format!("datname = '{}' AND usename = '{ROLE}' AND state = 'active'", database.name);
            cluster.wait_until(&format!("SELECT count(*) = 0 FROM pg_stat_activity WHERE {asks}")).await;
            cluster.psql_in(&database.name, &format!("UPDATE replay_message SET until_us = until_us - {}", by.as_micros()));
            self.nodes = shared(store, &self.clock).await;
            now = self.clock.now();
        }
        if let ReplayMemory::Database(memory) = &*self.nodes[0] {
            memory.forget(now).await.unwrap();
        }
    }
}

/// The server's clock, as the nodes of an installation share it: `tests/days.sh` moves that of this program alone.
fn clock_of(cluster: &Cluster, database: &TestDatabase) -> Clock {
    let server: f64 = cluster.psql_in(&database.name, "SELECT extract(epoch FROM clock_timestamp())").trim().parse().unwrap();
    let apart = SignedDuration::from_secs(server as i64 - Clock::system().now().as_second());
    if apart.abs() < SignedDuration::from_mins(1) {
        Clock::system()
    } else {
        Clock::from_fn(move || Clock::system().now() + apart)
    }
}

async fn shared(store: &Database, clock: &Clock) -> [Arc<ReplayMemory>; 2] {
    let open = async || DatabaseMemory::open(store.clone(), RULES, clock.clone()).await.unwrap();
    [open().await, open().await].map(|memory| Arc::new(ReplayMemory::Database(memory)))
}

async fn open(settings: &Settings, rules: Rules) -> DatabaseMemory {
    let store = Database::open(settings, Access::Make).await.unwrap();
    DatabaseMemory::open(store, rules, Clock::system()).await.unwrap()
}

#[tokio::test]
async fn the_same_message_passes_once_until_its_timestamp_has_long_expired() {
    for (kind, mut world) in World::all().await {
        assert_eq!(world.remember("urn:uuid:1").await, Ok(()), "{kind}");
        assert_eq!(world.remember("urn:uuid:1").await, Err(Refusal::Replay), "{kind}");
        world.pass(KEEP - Duration::from_secs(120)).await;
        assert_eq!(world.remember("urn:uuid:1").await, Err(Refusal::Replay), "{kind}: kept for as long as it could pass");
        world.pass(Duration::from_secs(240)).await;
        assert_eq!(world.remember("urn:uuid:1").await, Ok(()), "{kind}: by now the Timestamp check refuses it");
    }
}

#[tokio::test]
async fn one_sender_cannot_use_up_the_ids_of_another() {
    for (kind, World { nodes: [node, _], now, .. }) in World::all().await {
        for sender in [b"k", b"l"] {
            assert_eq!(node.remember(Seen::new(sender, "urn:uuid:1", now), now).await, Ok(()), "{kind}");
        }
    }
}

#[tokio::test]
async fn what_was_created_before_the_memory_was_made_cannot_be_told_from_a_replay() {
    for (kind, World { nodes: [node, _], now, .. }) in World::all().await {
        let before = now - SignedDuration::from_hours(1);
        let refused = node.remember(Seen::new(b"k", "urn:uuid:1", before), now).await.unwrap_err();
        let due = if kind == "node" { "CreatedBeforeStart" } else { "CreatedBeforeMemory" };
        assert_eq!(refused.code(), due, "{kind}");
    }
}

#[tokio::test]
async fn of_many_copies_at_once_on_two_nodes_one_passes() {
    for (kind, world) in World::all().await {
        let World { nodes, now, .. } = &world;
        let now = *now;
        let copies: Vec<_> = (0..400)
            .map(|n| {
                let (node, message) = (nodes[n % 2].clone(), Seen::new(b"k", &format!("urn:uuid:{}", n / 8), now));
                tokio::spawn(async move { (message.key, node.remember(message, now).await) })
            })
            .collect();
        let mut passed: HashMap<_, usize> = HashMap::new();
        for copy in copies {
            match copy.await.unwrap() {
                (key, Ok(())) => *passed.entry(key).or_default() += 1,
                (_, refused) => assert_eq!(refused, Err(Refusal::Replay), "{kind}"),
            }
        }
        assert_eq!(passed.len(), 50, "{kind}");
        assert!(passed.values().all(|times| *times == 1), "{kind}: {passed:?}");
    }
}

/// What a memory does, in a few lines: a message passes unless it passed within the time for which messages are kept.
#[derive(Default)]
struct Model(BTreeMap<u8, Timestamp>);

impl Model {
    fn passes(&mut self, id: u8, now: Timestamp) -> bool {
        let known = self.0.get(&id).is_some_and(|until| *until >= now);
        if !known {
            self.0.insert(id, now + KEEP);
        }
        !known
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_in_whatever_order_passes_as_the_model_says() {
    for (kind, world) in World::all().await {
        let (world, cases) = (tokio::sync::Mutex::new(world), AtomicUsize::new(0));
        // Messages by number, on the one node or the other; and pauses, in tenths of the time for which messages are kept,
        // and a little more, so that no end falls on a question: ten tenths are over, and after nine 45 s are left, in which the
        // clock of PostgreSQL may go on meanwhile.
        let step = prop_oneof![8 => (0_u8..12, any::<bool>()).prop_map(Ok), 1 => (1_u32..13).prop_map(Err)];
        let mut runner = TestRunner::new(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() });
        let handle = tokio::runtime::Handle::current();
        let done = tokio::task::block_in_place(|| {
            runner.run(&prop::collection::vec(step, 1..60), |steps| {
                handle.block_on(async {
                    let mut world = world.lock().await;
                    let case = cases.fetch_add(1, Ordering::Relaxed);
                    let mut model = Model::default();
                    for step in &steps {
                        match *step {
                            Ok((id, on_second)) => {
                                let sender = format!("{case:04}");
                                let asked = world.asks(on_second.into(), sender.as_bytes(), &id.to_string()).await;
                                let passes = asked.is_ok();
                                prop_assert_eq!(passes, model.passes(id, world.now), "{} {:?} {:?}", id, asked, steps);
                            }
                            Err(tenths) => world.pass(KEEP / 10 * tenths + Duration::from_secs(3)).await,
                        }
                    }
                    Ok(())
                })
            })
        });
        done.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[tokio::test]
async fn only_digests_are_kept() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let memory = open(&cluster.settings(&database.name), RULES).await;
    let now = Clock::system().now();
    memory.remember(Seen::new(b"key-of-the-sender", "urn:uuid:9c1bcb4e", now), now).await.unwrap();
    let dump = cluster.dump(&database.name);
    assert!(dump.contains("replay_message"));
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for part in ["key-of-the-sender", "9c1bcb4e"] {
        assert!(!dump.contains(part) && !dump.contains(&hex(part)), "{part}");
    }
}

/// Two nodes that are sent every message several times, without a pause, while something happens to their database.
struct Load {
    passed: HashMap<String, usize>,
    refused: BTreeMap<&'static str, usize>,
}

impl Load {
    async fn under(settings: &Settings, happens: impl AsyncFnOnce(&dyn Fn() -> usize)) -> Self {
        let nodes = [Arc::new(open(settings, RULES).await), Arc::new(open(settings, RULES).await)];
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let senders: Vec<_> = (0..8_usize)
            .map(|sender| {
                let (nodes, stop, done) = (nodes.clone(), stop.clone(), done.clone());
                tokio::spawn(async move {
                    let mut answers = Vec::new();
                    for n in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let id = format!("{sender}-{n}");
                        let now = Clock::system().now();
                        let message = Seen::new(b"k", &id, now);
                        // At once on both, and once more after the answer.
                        let (one, other) = tokio::join!(nodes[0].remember(message, now), nodes[1].remember(message, now));
                        let again = nodes[n % 2].remember(message, now).await;
                        answers.extend([one, other, again].map(|answer| (id.clone(), answer)));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    answers
                })
            })
            .collect();
        happens(&|| done.load(Ordering::Relaxed)).await;
        stop.store(true, Ordering::Relaxed);
        let mut load = Self { passed: HashMap::new(), refused: BTreeMap::new() };
        for sender in senders {
            for (id, answer) in sender.await.unwrap() {
                match answer {
                    Ok(()) => *load.passed.entry(id).or_default() += 1,
                    Err(refusal) => *load.refused.entry(refusal.code()).or_default() += 1,
                }
            }
        }
        load
    }

    fn nothing_passed_twice(&self) {
        let twice: Vec<_> = self.passed.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "let through twice: {twice:?}");
        let other: Vec<_> = self.refused.keys().filter(|code| !["Replay", "ReplayMemoryUnavailable"].contains(code)).collect();
        assert!(other.is_empty(), "{other:?}");
    }
}

/// Waits until so many more messages were answered.
async fn more(done: &dyn Fn() -> usize, messages: usize) {
    let due = done() + messages;
    while done() < due {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_twice_on_two_nodes_while_the_database_restarts_dies_and_loses_connections() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database();
    let load = Load::under(&cluster.settings(&database.name), async |done| {
        for _ in 0..2 {
            more(done, 100).await;
            cluster.restart();
            more(done, 100).await;
            cluster.terminate(&database.name);
            more(done, 100).await;
            cluster.kill();
            cluster.start();
        }
        more(done, 100).await;
    })
    .await;
    load.nothing_passed_twice();
    assert!(load.passed.len() > 500, "passed {}, refused {:?}", load.passed.len(), load.refused);
    println!("passed {}, refused {:?}", load.passed.len(), load.refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_twice_through_a_pooler_that_is_restarted() {
    let Some(cluster) = Cluster::own() else { return };
    // In transaction mode where there is one that can; fewer connections than both nodes have between them.
    let newer = Bouncer::newer(&cluster, Mode::Transaction, 3, "");
    let Some(bouncer) = newer.or_else(|| Bouncer::before(&cluster, Mode::Session, 20)) else { return };
    let database = cluster.database();
    let mut settings = cluster.settings_at(bouncer.port(), &database.name);
    if let (At::Postgres(pooled), At::Postgres(own)) = (&mut settings.at, cluster.settings(&database.name).at) {
        pooled.direct = Some(own.address);
    }
    let load = Load::under(&settings, async |done| {
        for _ in 0..3 {
            more(done, 100).await;
            bouncer.restart();
            more(done, 100).await;
            cluster.terminate(&database.name);
        }
        more(done, 100).await;
    })
    .await;
    load.nothing_passed_twice();
    assert!(load.passed.len() > 400, "passed {}, refused {:?}", load.passed.len(), load.refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_twice_and_nothing_is_refused_where_the_database_isolates_more_than_is_needed() {
    let Some(cluster) = Cluster::own() else { return };
    for level in ["repeatable read", "serializable"] {
        cluster.psql(&format!("ALTER ROLE hjemmel SET default_transaction_isolation = '{level}'"));
        let database = cluster.database();
        let load = Load::under(&cluster.settings(&database.name), async |done| more(done, 300).await).await;
        load.nothing_passed_twice();
        assert!(load.passed.len() >= 300, "{level}: passed {}, refused {:?}", load.passed.len(), load.refused);
        let unavailable = load.refused.get("ReplayMemoryUnavailable").copied().unwrap_or_default();
        assert!(unavailable * 20 < load.passed.len(), "{level}: {:?}", load.refused);
    }
}

#[tokio::test]
async fn a_message_that_passed_is_known_after_the_database_died_also_where_it_does_not_wait_for_its_disk() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database();
    cluster.psql("ALTER ROLE hjemmel SET synchronous_commit = off");
    cluster.psql("ALTER SYSTEM SET wal_writer_delay = '10s'");
    cluster.restart();
    let memory = open(&cluster.settings(&database.name), SHORT).await;
    let now = Clock::system().now();
    for round in 0..5 {
        let message = Seen::new(b"k", &round.to_string(), now);
        assert_eq!(memory.remember(message, now).await, Ok(()));
        cluster.kill();
        assert_eq!(memory.remember(message, now).await, UNAVAILABLE);
        cluster.start();
        assert_eq!(once_there(&memory, message, now).await, Err(Refusal::Replay));
    }
}

#[tokio::test]
async fn a_server_that_took_over_or_was_restored_remembers_from_then_on() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database();
    let memory = open(&cluster.settings(&database.name), RULES).await;
    let now = || Clock::system().now();

    // A standby that had not received the last rows yet takes over.
    let message = Seen::new(b"k", "before the fail-over", now());
    assert_eq!(memory.remember(message, now()).await, Ok(()));
    cluster.fail_over();
    cluster.psql_in(&database.name, "DELETE FROM replay_message");
    assert_eq!(settled(&memory, message).await.code(), "CreatedBeforeMemory");

    // A dump is put back.
    let soon = now() + SignedDuration::from_secs(120);
    let (message, dump) = (Seen::new(b"k", "after the dump", soon), cluster.dump(&database.name));
    assert_eq!(memory.remember(message, soon).await, Ok(()), "made after the skew that is waited for");
    cluster.restore(&database.name, &dump);
    assert_eq!(settled(&memory, Seen { created: now(), ..message }).await.code(), "CreatedBeforeMemory");

    // A disk is put back from a snapshot. To the server nothing has happened since, but this node let a message through.
    let soon = now() + SignedDuration::from_secs(120);
    let message = Seen::new(b"k", "after the snapshot", soon);
    cluster.snapshot();
    for n in 0.. {
        if memory.remember(Seen::new(b"reconnects", &n.to_string(), soon), soon).await.is_ok() {
            break;
        }
    }
    assert_eq!(memory.remember(message, soon).await, Ok(()));
    cluster.put_disk_back();
    assert_eq!(settled(&memory, Seen { created: now(), ..message }).await.code(), "CreatedBeforeMemory");
}

#[tokio::test]
async fn a_node_that_only_looked_knows_that_rows_of_another_node_are_gone() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database();
    let nodes = [open(&cluster.settings(&database.name), RULES).await, open(&cluster.settings(&database.name), RULES).await];
    // Made after the skew that is waited for when a memory begins.
    let soon = Clock::system().now() + SignedDuration::from_secs(120);
    let rows = cluster.rows(&database.name);
    let message = Seen::new(b"k", "1", soon);
    assert_eq!(nodes[0].remember(message, soon).await, Ok(()));
    nodes[1].look(&Clock::fixed(soon)).await.unwrap();
    cluster.put_rows_back(&database.name, &rows);
    let again = Seen { created: Clock::system().now(), ..message };
    assert_eq!(nodes[1].remember(again, soon).await.unwrap_err().code(), "CreatedBeforeMemory");
}

#[tokio::test]
async fn a_node_that_stood_still_while_it_looked_does_not_miss_what_was_forgotten_in_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let settings = tables::in_file(&folder.path().join("store.sqlite")).await;
    let store = Database::open(&settings, Access::Make).await.unwrap();
    let before = Clock::system().now();
    let after = before + KEEP * 2;
    let (is_over, begun) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let over = is_over.clone();
    let clock = Clock::from_fn(move || if over.load(Ordering::SeqCst) { after } else { before });
    let memory = DatabaseMemory::open(store, RULES, clock).await.unwrap();
    assert_eq!(memory.remember(Seen::new(b"k", "1", before), before).await, Ok(()));
    is_over.store(true, Ordering::SeqCst);
    // Unless it did by itself.
    memory.forget(after).await.unwrap();
    // It began to look in time, and was answered when the row was gone.
    let stood_still = Clock::from_fn(move || if begun.swap(true, Ordering::SeqCst) { after } else { before });
    memory.look(&stood_still).await.unwrap();
    assert_eq!(memory.remember(Seen::new(b"k", "2", before), after).await, Ok(()), "it is the memory that it was");
    // Another that was gone before its time is missed.
    memory.forget(after + KEEP * 2).await.unwrap();
    memory.look(&Clock::fixed(after)).await.unwrap();
    assert_eq!(memory.remember(Seen::new(b"k", "3", before), after).await.unwrap_err().code(), "CreatedBeforeMemory");
}

/// What the memory says of a message once the database answers again.
async fn once_there(memory: &DatabaseMemory, message: Seen, now: Timestamp) -> Result<(), Refusal> {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let said = memory.remember(message, now).await;
        if said != UNAVAILABLE || std::time::Instant::now() > deadline {
            return said;
        }
    }
}

/// What the memory says once it has a connection again; others are asked about until then.
async fn settled(memory: &DatabaseMemory, message: Seen) -> Refusal {
    let now = Clock::system().now();
    for n in 0.. {
        let other = memory.remember(Seen::new(b"other", &n.to_string(), now), now).await;
        if !matches!(other, Err(Refusal::ReplayMemoryUnavailable { .. })) {
            break;
        }
    }
    memory.remember(message, now).await.unwrap_err()
}

#[tokio::test]
async fn a_database_that_stands_still_refuses_in_the_time_that_a_call_may_wait() {
    let Some(cluster) = Cluster::own() else { return };
    let settings = cluster.settings(&cluster.database().name);
    let memory = open(&settings, Rules { patience: Duration::from_secs(1), ..RULES }).await;
    let now = Clock::system().now();
    // Only so that it has a connection: on a busy machine the first takes longer than a call may wait.
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    for n in 0.. {
        let before = memory.remember(Seen::new(b"k", &format!("before {n}"), now), now).await;
        if before.is_ok() {
            break;
        }
        assert!(before == UNAVAILABLE && std::time::Instant::now() < deadline, "{before:?}");
    }
    let paused = cluster.pause();
    let asked = std::time::Instant::now();
    assert_eq!(memory.remember(Seen::new(b"k", "meanwhile", now), now).await, UNAVAILABLE);
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    drop(paused);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let mut after = memory.remember(Seen::new(b"k", "after", now), now).await;
    for n in 0.. {
        if after.is_ok() || std::time::Instant::now() > deadline {
            break;
        }
        after = memory.remember(Seen::new(b"k", &format!("after {n}"), now), now).await;
    }
    assert_eq!(after, Ok(()));
    let meanwhile = once_there(&memory, Seen::new(b"k", "meanwhile", now), now).await;
    assert_eq!(meanwhile, Err(Refusal::Replay), "the call was given up, and its message remembered");
    let stats = memory.stats();
    assert!(stats.failures[1] >= 1, "{stats:?}");
}

#[tokio::test]
async fn a_lock_that_another_holds_refuses_and_what_waited_for_it_is_remembered() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let memory = open(&cluster.settings(&database.name), Rules { patience: Duration::from_millis(300), ..RULES }).await;
    let now = Clock::system().now();
    let mut other = cluster.superuser(&database.name).await;
    sqlx::raw_sql("BEGIN; LOCK TABLE replay_message").execute(&mut other).await.unwrap();
    let message = Seen::new(b"k", "1", now);
    assert_eq!(memory.remember(message, now).await, UNAVAILABLE);
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    loop {
        match memory.remember(message, now).await {
            Err(Refusal::Replay) => break,
            again => assert_eq!(again, UNAVAILABLE),
        }
    }
}

#[tokio::test]
async fn two_nodes_with_the_same_messages_in_another_order_never_wait_for_each_other() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let settings = cluster.settings(&database.name);
    let nodes = [Arc::new(open(&settings, RULES).await), Arc::new(open(&settings, RULES).await)];
    let now = Clock::system().now();
    for round in 0..20 {
        let mut asked = Vec::new();
        for n in 0..60 {
            for (node, n) in [(&nodes[0], n), (&nodes[1], 59 - n)] {
                let (node, message) = (node.clone(), Seen::new(b"k", &format!("{round}-{n}"), now));
                asked.push(tokio::spawn(async move { node.remember(message, now).await }));
            }
        }
        let mut passed = 0;
        for answer in asked {
            match answer.await.unwrap() {
                Ok(()) => passed += 1,
                refused => assert_eq!(refused, Err(Refusal::Replay)),
            }
        }
        assert_eq!(passed, 60);
    }
    assert!(!cluster.log().contains("deadlock"), "{}", cluster.log());
}

#[tokio::test]
async fn expired_messages_are_deleted_in_bounded_steps_and_only_when_every_clock_agrees() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let memory = open(&cluster.settings(&database.name), RULES).await;
    let fill = "INSERT INTO replay_message SELECT sha256(n::text::bytea), 1 FROM generate_series(1, 2500) n";
    cluster.psql_in(&database.name, fill);
    let now = Clock::system().now();
    assert_eq!(memory.remember(Seen::new(b"k", "1", now), now).await, Ok(()));
    loop {
        // The memory's own task does the same.
        match memory.forget(now).await.unwrap() {
            0 => break,
            deleted => assert!(deleted <= 1000, "{deleted}"),
        }
    }
    assert_eq!(cluster.psql_in(&database.name, "SELECT count(*) FROM replay_message").trim(), "1");
    let years = SignedDuration::from_hours(24 * 1000);
    assert_eq!(memory.forget(now + years).await.unwrap(), 0, "a node whose clock is years ahead deletes nothing");
    assert_eq!(memory.remember(Seen::new(b"k", "1", now), now).await, Err(Refusal::Replay));
}
