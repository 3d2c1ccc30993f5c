//! A decision on one node, and when the others act by it.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hjemmel::agreements::import::Import;
use hjemmel::agreements::route::store::{Decision, InTheWay};
use hjemmel::agreements::{Agreements, CacheSettings, State, Store};
use hjemmel::clock::civil_day;
use hjemmel::refusal::Refusal;
use hjemmel::store::Settings;
use hjemmel::store::jobs::{Jobs, Rules};

use crate::agreements::{FRONT, NOW, SERVICE, at, both_sides, certificate, exttest, korsbaek, routes};
use crate::decides::Decides;
use crate::kept::{Kept, on};
use crate::postgres::Cluster;

/// Longer than any test takes: what is seen before was not seen by asking again.
const NEVER: Duration = Duration::from_secs(3600);

/// A node: its own connections and its own memory.
struct Node {
    store: Store,
    agreements: Agreements,
}

impl Node {
    async fn start(settings: &Settings, refresh: Duration) -> Self {
        let store = Store::open(settings).await.unwrap();
        let cache = CacheSettings { refresh, staleness: NEVER, negative: refresh, capacity: 100 };
        Self { agreements: Agreements::new(store.clone(), cache), store }
    }

    async fn listening(settings: &Settings) -> Self {
        let node = Self::start(settings, NEVER).await;
        node.store.database().listen();
        node.is_listening().await;
        node
    }

    /// One that is told of nothing, and asks.
    async fn asking(settings: &Settings) -> Self {
        let node = Self::start(settings, NEVER).await;
        node.store.database().ask();
        while node.store.database().asked_ago().is_none() {
            tokio::task::yield_now().await;
        }
        node
    }

    async fn is_listening(&self) {
        while !self.store.database().is_listening() {
            tokio::task::yield_now().await;
        }
    }

    async fn lets_through(&self) -> bool {
        match self.agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await {
            Ok(_) => true,
            Err(Refusal::ServiceAgreementNotActive { .. } | Refusal::ServiceAgreementNotFound) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    /// How long it takes until it does, or does no longer.
    async fn until(&self, lets_through: bool) -> Duration {
        let began = Instant::now();
        while self.lets_through().await != lets_through {
            assert!(began.elapsed() < Duration::from_secs(60), "never");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        began.elapsed()
    }

    async fn decide(&self, to: State) {
        self.store.decide(FRONT, to, "underskriver", "sag", at(NOW)).await.unwrap();
    }
}

crate::on_both! {
    what_nobody_remembers_is_written_without_anything_being_asked_for_anew_and_a_decision_is_heard;
    a_decision_on_one_node_holds_on_one_that_asks_within_a_second_for_agreements_and_for_routes;
    a_caller_who_hangs_up_while_the_store_is_asked_leaves_nobody_with_what_was_decided_otherwise;
}

/// Has it looked at so often, and gives it up where it is not done then.
async fn given_up_after(looks: usize, asking: impl Future) {
    let mut asking = std::pin::pin!(asking);
    for _ in 0..looks {
        if asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn a_caller_who_hangs_up_while_the_store_is_asked_leaves_nobody_with_what_was_decided_otherwise(kept: Kept) {
    let node = Node::start(&kept.settings, NEVER).await;
    import(&node.store).await;
    assert!(node.lets_through().await);
    for looks in [1, 1, 2, 3, 5, 8, 13] {
        for (to, lets_through) in [(State::Suspended, false), (State::Approved, true)] {
            node.decide(to).await;
            for _ in 0..5 {
                given_up_after(looks, node.lets_through()).await;
            }
            node.until(lets_through).await;
        }
    }
}

async fn what_nobody_remembers_is_written_without_anything_being_asked_for_anew_and_a_decision_is_heard(kept: Kept) {
    let store = Store::open(&kept.settings).await.unwrap();
    import(&store).await;
    // A memory that refuses as soon as it asks and is not answered.
    let cache = CacheSettings { refresh: NEVER, staleness: Duration::ZERO, negative: NEVER, capacity: 100 };
    let node = Node { agreements: Agreements::new(store.clone(), cache), store };
    assert!(node.lets_through().await);
    let database = node.store.database();
    kept.execute("ALTER TABLE revision RENAME TO not_to_be_asked").await.unwrap();
    let jobs = Jobs::new(database.clone(), "test", Rules::default());
    let before = database.changes();
    for _ in 0..20 {
        let mut transaction = database.begin_beside_others().await.unwrap();
        jobs.add(&mut transaction, b"a delivery", None).await.unwrap();
        transaction.commit().await.unwrap();
        assert!(node.lets_through().await, "what is remembered serves");
    }
    assert_eq!(database.changes() - before, 0, "nobody was woken");

    // On PostgreSQL a decision takes the revision's lock, so it must be there.
    kept.execute("ALTER TABLE not_to_be_asked RENAME TO revision").await.unwrap();
    database.begin().await.unwrap().commit().await.unwrap();
    assert_eq!(database.changes() - before, 1, "a decision is heard, once");
    kept.execute("ALTER TABLE revision RENAME TO not_to_be_asked").await.unwrap();
    let asked = node.agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await;
    assert_eq!(asked.unwrap_err(), Refusal::AgreementsUnavailable, "and asked about");
}

async fn import(store: &Store) {
    let import = Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap();
    store.import(&import, at(NOW)).await.unwrap();
}

#[tokio::test]
async fn a_decision_on_one_node_holds_on_another_within_a_second() {
    let Some(kept) = Kept::in_postgres() else { return };
    let one = Node::start(&kept.settings, NEVER).await;
    let other = Node::listening(&kept.settings).await;
    assert!(!other.lets_through().await, "that there is none is remembered");
    import(&one.store).await;
    let mut took = vec![other.until(true).await];
    for (to, lets_through) in [(State::Suspended, false), (State::Approved, true), (State::Terminated, false)] {
        one.decide(to).await;
        took.push(other.until(lets_through).await);
    }
    within_a_second(&took);
}

/// The least: how long most of them take is the machine's too, which others have meanwhile. `cargo bench --bench gateway -- stores`
/// tells the middle one, beside a bare notice.
fn within_a_second(took: &[Duration]) {
    assert!(took.iter().min().unwrap() < &Duration::from_secs(1), "{took:?}");
}

async fn a_decision_on_one_node_holds_on_one_that_asks_within_a_second_for_agreements_and_for_routes(kept: Kept) {
    let one = Node::start(&kept.settings, NEVER).await;
    let (asking, neither) = (Node::asking(&kept.settings).await, Node::start(&kept.settings, NEVER).await);
    assert!(!asking.lets_through().await, "that there is none is remembered");
    import(&one.store).await;
    let mut took = vec![asking.until(true).await];
    assert!(neither.lets_through().await);
    for (to, lets_through) in [(State::Suspended, false), (State::Approved, true), (State::Suspended, false)] {
        one.decide(to).await;
        took.push(asking.until(lets_through).await);
    }
    assert!(neither.lets_through().await, "who neither hears nor asks knows nothing of it");

    let route = routes::route(7, "2026-01-01", None);
    let (sender, receiver) = (route.sender.unwrap(), route.receiver.unwrap());
    let receives = async || asking.agreements.route(SERVICE, sender, receiver, &exttest(), at(NOW)).await.is_ok();
    assert!(!receives().await, "that there is no route is remembered");
    let decision = |at| Decision { by: "drift".into(), reason: "sag".into(), at };
    for received in [true, false] {
        match received {
            true => drop(one.store.add_routes(std::slice::from_ref(&route), InTheWay::Refuse, &decision(at(NOW))).await.unwrap()),
            false => drop(one.store.end_route(route.id, civil_day(at(NOW)).unwrap(), &decision(at(NOW))).await.unwrap()),
        }
        let began = Instant::now();
        while receives().await != received {
            assert!(began.elapsed() < Duration::from_secs(60), "never");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took.push(began.elapsed());
    }
    within_a_second(&took);
    assert!(!one.lets_through().await, "its own decisions need neither");
}

#[tokio::test]
async fn what_changed_while_nobody_listened_is_asked_for_when_somebody_does_again() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (settings, _dir) = on(&cluster, &database);
    let node = Node::listening(&settings).await;
    import(&node.store).await;
    assert!(node.lets_through().await);
    // The connection is cut, and the change is made by means that tell this program nothing of it.
    cluster.psql(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"));
    cluster.terminate(&database);
    while node.store.database().is_listening() {
        tokio::task::yield_now().await;
    }
    cluster.psql(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true"));
    let suspend = format!("UPDATE agreement SET state = 'SUSPENDERET' WHERE id = '{FRONT}'");
    cluster.psql_in(&database, &suspend);
    node.is_listening().await;
    node.until(false).await;
}

#[tokio::test]
async fn a_change_by_other_means_is_told_like_any_other() {
    let Some(kept) = Kept::in_postgres() else { return };
    let node = Node::listening(&kept.settings).await;
    import(&node.store).await;
    assert!(node.lets_through().await);
    kept.execute("UPDATE agreement SET state = 'SUSPENDERET'").await.unwrap();
    node.until(false).await;
}

#[tokio::test]
async fn a_database_that_is_away_is_survived_for_the_bounded_time_and_no_longer() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (settings, _dir) = on(&cluster, &database);
    let store = Store::open(&settings).await.unwrap();
    import(&store).await;
    let remembering = |staleness| {
        let cache = CacheSettings { refresh: Duration::ZERO, staleness, negative: Duration::ZERO, capacity: 100 };
        Node { agreements: Agreements::new(store.clone(), cache), store: store.clone() }
    };
    let (bounded, strict) = (remembering(NEVER), remembering(Duration::ZERO));
    assert!(bounded.lets_through().await && strict.lets_through().await);
    cluster.stop();
    assert!(bounded.lets_through().await, "what is remembered serves");
    let refused = strict.agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await;
    assert_eq!(refused.unwrap_err(), Refusal::AgreementsUnavailable, "past max_staleness nothing does");
    assert!(!store.answers().await, "readiness tells");
    cluster.start();
    strict.until_it_answers().await;
    assert!(strict.lets_through().await);
}

impl Node {
    async fn until_it_answers(&self) {
        let began = Instant::now();
        while !self.store.answers().await {
            assert!(began.elapsed() < Duration::from_secs(60), "never");
        }
    }
}
