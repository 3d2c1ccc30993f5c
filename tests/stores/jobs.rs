//! Jobs and outboxes, on SQLite and PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hjemmel::store::jobs::{Fate, Figures, JobError, Jobs, PAYLOAD_BYTES, Rules, Taken, clean};
use hjemmel::store::{Access, Database, Settings, sql};
use sqlx::{AssertSqlSafe, Connection};

use crate::postgres::Cluster;
use crate::tables;

/// Leases and pauses that a test can wait for.
const RULES: Rules = Rules {
    lease: Duration::from_millis(300),
    attempts: 3,
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_millis(40),
};
/// A lease that does not end while a test runs.
const LONG: Rules = Rules { lease: Duration::from_secs(600), ..RULES };

struct World {
    kind: &'static str,
    settings: Settings,
    store: Database,
    _folder: tempfile::TempDir,
}

impl World {
    async fn all() -> Vec<Self> {
        let mut worlds = Vec::new();
        for (kind, settings, _folder) in tables::on_each().await {
            let store = Database::open(&settings, Access::Make).await.unwrap();
            worlds.push(Self { kind, settings, store, _folder });
        }
        worlds
    }

    fn jobs(&self, rules: Rules) -> Jobs {
        Jobs::new(self.store.clone(), "test", rules)
    }
}

async fn add(jobs: &Jobs, store: &Database, payloads: &[&str], order: Option<&str>) -> Vec<i64> {
    let mut transaction = store.begin_beside_others().await.unwrap();
    let mut added = Vec::new();
    for payload in payloads {
        added.push(jobs.add(&mut transaction, payload.as_bytes(), order).await.unwrap());
    }
    transaction.commit().await.unwrap();
    added
}

fn payloads(taken: &[Taken]) -> Vec<&str> {
    taken.iter().map(|taken| std::str::from_utf8(&taken.payload).unwrap()).collect()
}

/// Takes until there is something to take: a lease or a pause ends.
async fn take_when_due(jobs: &Jobs) -> Vec<Taken> {
    loop {
        let taken = jobs.take(9).await.unwrap();
        if !taken.is_empty() {
            return taken;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_job_is_there_exactly_when_the_decision_is_that_it_was_added_with() {
    for world in World::all().await {
        let jobs = world.jobs(LONG);
        let mut transaction = world.store.begin().await.unwrap();
        jobs.add(&mut transaction, b"of a decision that was not made", None).await.unwrap();
        drop(transaction);
        assert_eq!(jobs.take(9).await.unwrap(), [], "{}", world.kind);
        add(&jobs, &world.store, &["1", "2", "3"], None).await;
        let taken = jobs.take(2).await.unwrap();
        assert_eq!(payloads(&taken), ["1", "2"], "{}", world.kind);
        assert_eq!(payloads(&jobs.take(9).await.unwrap()), ["3"], "{}", world.kind);
        assert_eq!(jobs.take(9).await.unwrap(), [], "{}", world.kind);
    }
}

#[tokio::test]
async fn what_is_done_is_never_taken_again_and_its_content_is_gone() {
    for world in World::all().await {
        let jobs = world.jobs(RULES);
        add(&jobs, &world.store, &["a decision"], None).await;
        let taken = jobs.take(1).await.unwrap();
        jobs.done(&taken[0]).await.unwrap();
        assert!(matches!(jobs.done(&taken[0]).await, Err(JobError::Lost(_))), "{}", world.kind);
        tokio::time::sleep(RULES.lease * 2).await;
        assert_eq!(jobs.take(9).await.unwrap(), [], "{}", world.kind);
        let row = world.store.first(sql("SELECT payload, state FROM job")).await.unwrap().unwrap();
        assert_eq!((row.get::<Vec<u8>>("payload").unwrap(), row.get::<String>("state").unwrap()), (vec![], "done".to_owned()));
        assert_eq!(clean(&world.store, Duration::from_secs(60), 10).await.unwrap(), 0, "{}: kept for a while", world.kind);
        assert_eq!(clean(&world.store, Duration::ZERO, 10).await.unwrap(), 1, "{}", world.kind);
    }
}

#[tokio::test]
async fn a_job_is_done_with_what_else_its_transaction_writes_or_not_at_all() {
    for world in World::all().await {
        let (jobs, effects) = (world.jobs(RULES), Jobs::new(world.store.clone(), "effect", LONG));
        add(&jobs, &world.store, &["1"], None).await;
        let taken = jobs.take(1).await.unwrap();
        let again = take_when_due(&jobs).await;
        let mut transaction = world.store.begin_beside_others().await.unwrap();
        effects.add(&mut transaction, b"effect", None).await.unwrap();
        let late = jobs.done_with(&mut transaction, &taken[0]).await;
        assert!(matches!(late, Err(JobError::Lost(_))), "{}", world.kind);
        drop(transaction);
        let mut transaction = world.store.begin_beside_others().await.unwrap();
        effects.add(&mut transaction, b"effect", None).await.unwrap();
        jobs.done_with(&mut transaction, &again[0]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(effects.take(9).await.unwrap().len(), 1, "{}: the effect is there once", world.kind);
    }
}

#[tokio::test]
async fn whoever_dies_gives_the_job_back_and_whoever_is_slow_may_keep_it() {
    for world in World::all().await {
        let jobs = world.jobs(Rules { attempts: 1000, ..RULES });
        add(&jobs, &world.store, &["1"], None).await;
        let dead = jobs.take(1).await.unwrap();
        let mut again = take_when_due(&jobs).await;
        assert_eq!((again[0].id, again[0].attempt), (dead[0].id, 2), "{}", world.kind);
        assert!(matches!(jobs.done(&dead[0]).await, Err(JobError::Lost(_))), "{}: it is another's", world.kind);
        assert!(matches!(jobs.keep(&dead[0]).await, Err(JobError::Lost(_))), "{}", world.kind);
        let patient = world.jobs(LONG);
        // On a busy machine the lease may end before it is lengthened.
        while patient.keep(&again[0]).await.is_err() {
            again = take_when_due(&jobs).await;
        }
        tokio::time::sleep(RULES.lease * 2).await;
        assert_eq!(jobs.take(9).await.unwrap(), [], "{}: kept", world.kind);
        jobs.done(&again[0]).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_about_to_be_finished_writes_its_lease_anew_only_where_much_of_it_is_used() {
    for world in World::all().await {
        let jobs = world.jobs(LONG);
        let id = add(&jobs, &world.store, &["1"], None).await[0];
        let ends = async || -> i64 {
            let due = world.store.first(sql("SELECT due_us FROM job WHERE id = $1").bind(id)).await.unwrap();
            due.unwrap().get("due_us").unwrap()
        };
        let taken = jobs.take(1).await.unwrap();
        let begun = ends().await;
        jobs.keep_for_the_end(&taken[0]).await.unwrap();
        assert_eq!(ends().await, begun, "{}: most of it is left", world.kind);
        // Of a lease of no length all is used.
        world.jobs(Rules { lease: Duration::ZERO, ..LONG }).keep_for_the_end(&taken[0]).await.unwrap();
        assert_ne!(ends().await, begun, "{}", world.kind);
    }
}

#[tokio::test]
async fn whoever_stops_gives_back_what_it_has_said_nothing_of_and_that_was_no_attempt() {
    for world in World::all().await {
        let (stops, other) = (world.jobs(LONG), world.jobs(LONG));
        add(&stops, &world.store, &["1", "2", "3", "4"], None).await;
        let [own, done, given_up] = &stops.take(3).await.unwrap()[..] else { panic!("{}", world.kind) };
        let anothers = other.take(1).await.unwrap();
        stops.done(done).await.unwrap();
        stops.give_up(given_up, "tried").await.unwrap();
        stops.give_back().await.unwrap();
        let again = other.take(9).await.unwrap();
        assert_eq!(payloads(&again), ["1"], "{}: neither what is over nor what another has", world.kind);
        assert_eq!(again[0].attempt, 1, "{}", world.kind);
        assert!(matches!(stops.done(own).await, Err(JobError::Lost(_))), "{}: it is another's by now", world.kind);
        stops.give_back().await.unwrap();
        assert_eq!(other.take(9).await.unwrap(), [], "{}: it gives back once", world.kind);
        other.done(&again[0]).await.unwrap();
        other.done(&anothers[0]).await.unwrap();
    }
}

/// How many jobs somebody has.
async fn under_way(store: &Database) -> i64 {
    let count = sql("SELECT count(*) AS n FROM job WHERE lease IS NOT NULL");
    store.first(count).await.unwrap().unwrap().get("n").unwrap()
}

#[tokio::test]
async fn what_was_given_to_one_that_stops_before_it_hears_of_it_is_given_back_too() {
    for world in World::all().await {
        let (stops, other) = (world.jobs(LONG), world.jobs(LONG));
        add(&stops, &world.store, &["1"], None).await;
        let until = Instant::now() + Duration::from_secs(60);
        let mut take = Box::pin(stops.take(1));
        while under_way(&world.store).await == 0 {
            assert!(Instant::now() < until, "{}: it is heard of each time", world.kind);
            // A step of it, and no more.
            tokio::select! {
                biased;
                heard = &mut take => {
                    assert_eq!(payloads(&heard.unwrap()), ["1"], "{}", world.kind);
                    stops.give_back().await.unwrap();
                    take = Box::pin(stops.take(1));
                }
                () = std::future::ready(()) => {}
            }
        }
        drop(take);
        stops.give_back().await.unwrap();
        let again = other.take(9).await.unwrap();
        assert_eq!(payloads(&again), ["1"], "{}", world.kind);
        assert_eq!(again[0].attempt, 1, "{}: it was no attempt", world.kind);
        other.done(&again[0]).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_nearly_finished_by_one_that_stops_is_given_back_too() {
    for world in World::all().await {
        let (stops, other) = (world.jobs(LONG), world.jobs(LONG));
        add(&stops, &world.store, &["1"], None).await;
        let taken = stops.take(1).await.unwrap();
        let mut transaction = world.store.begin_beside_others().await.unwrap();
        stops.done_with(&mut transaction, &taken[0]).await.unwrap();
        drop(transaction);
        stops.give_back().await.unwrap();
        let again = other.take(9).await.unwrap();
        assert_eq!((payloads(&again), again[0].attempt), (vec!["1"], 1), "{}", world.kind);
    }
}

#[tokio::test]
async fn what_fails_is_tried_later_and_is_dead_after_the_last_attempt() {
    for world in World::all().await {
        let jobs = world.jobs(RULES);
        let added = add(&jobs, &world.store, &["1"], None).await;
        let mut fates = Vec::new();
        for attempt in 1..=3 {
            let taken = take_when_due(&jobs).await;
            assert_eq!(taken[0].attempt, attempt, "{}", world.kind);
            fates.push(jobs.failed(&taken[0], &"the chain does not answer ".repeat(100)).await.unwrap());
        }
        let pauses = [Fate::Again(Duration::from_millis(20)), Fate::Again(Duration::from_millis(40)), Fate::Dead];
        assert_eq!(fates, pauses, "{}", world.kind);
        tokio::time::sleep(RULES.longest_pause * 2).await;
        assert_eq!(jobs.take(9).await.unwrap(), [], "{}", world.kind);
        let figures = jobs.figures().await.unwrap();
        assert_eq!((figures.waiting, figures.dead), (0, 1), "{}", world.kind);
        jobs.retry(added[0]).await.unwrap();
        let taken = jobs.take(9).await.unwrap();
        assert_eq!(taken[0].attempt, 1, "{}", world.kind);
        assert!(matches!(jobs.retry(added[0]).await, Err(JobError::NotDead(_))), "{}", world.kind);
    }
}

#[tokio::test]
async fn a_job_that_kills_whoever_takes_it_does_not_do_so_for_ever() {
    for world in World::all().await {
        let jobs = world.jobs(Rules { lease: Duration::from_millis(10), ..RULES });
        add(&jobs, &world.store, &["poison"], None).await;
        for _ in 0..3 {
            take_when_due(&jobs).await;
        }
        while jobs.figures().await.unwrap().dead == 0 {
            assert_eq!(jobs.take(9).await.unwrap(), [], "{}", world.kind);
        }
    }
}

#[tokio::test]
async fn of_an_order_one_is_under_way_and_a_dead_one_holds_up_those_behind_it() {
    for world in World::all().await {
        let jobs = world.jobs(Rules { attempts: 1, ..LONG });
        add(&jobs, &world.store, &["a1", "a2", "a3"], Some("a")).await;
        add(&jobs, &world.store, &["b1"], Some("b")).await;
        add(&jobs, &world.store, &["free"], None).await;
        let first = jobs.take(9).await.unwrap();
        assert_eq!(payloads(&first), ["a1", "b1", "free"], "{}", world.kind);
        assert_eq!(jobs.take(9).await.unwrap(), [], "{}", world.kind);
        jobs.done(&first[0]).await.unwrap();
        let second = jobs.take(9).await.unwrap();
        assert_eq!(payloads(&second), ["a2"], "{}", world.kind);
        assert_eq!(jobs.failed(&second[0], "refused").await.unwrap(), Fate::Dead, "{}", world.kind);
        assert_eq!(jobs.take(9).await.unwrap(), [], "{}: a3 waits for somebody to look at a2", world.kind);
        jobs.discard(second[0].id).await.unwrap();
        assert_eq!(payloads(&jobs.take(9).await.unwrap()), ["a3"], "{}", world.kind);
    }
}

#[tokio::test]
async fn kinds_know_nothing_of_each_other() {
    for world in World::all().await {
        let (one, other) = (world.jobs(LONG), Jobs::new(world.store.clone(), "other", LONG));
        add(&one, &world.store, &["1"], Some("order")).await;
        add(&other, &world.store, &["2"], Some("order")).await;
        assert_eq!(payloads(&other.take(9).await.unwrap()), ["2"], "{}", world.kind);
        assert_eq!(other.figures().await.unwrap().waiting, 1, "{}", world.kind);
    }
}

#[tokio::test]
async fn a_job_that_is_too_large_is_not_added() {
    for world in World::all().await {
        let jobs = world.jobs(LONG);
        let mut transaction = world.store.begin_beside_others().await.unwrap();
        let refused = jobs.add(&mut transaction, &vec![0; PAYLOAD_BYTES + 1], None).await;
        assert!(matches!(refused, Err(JobError::TooLarge(65_537))), "{}", world.kind);
        jobs.add(&mut transaction, &vec![0; PAYLOAD_BYTES], None).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(jobs.take(1).await.unwrap()[0].payload.len(), PAYLOAD_BYTES, "{}", world.kind);
        let Figures { waiting, dead, oldest } = jobs.figures().await.unwrap();
        let kinds = hjemmel::store::jobs::figures(&world.store).await.unwrap();
        assert!(kinds.iter().any(|(kind, of)| kind == jobs.kind() && (of.waiting, of.dead) == (waiting, dead)), "{kinds:?}");
        assert_eq!((waiting, dead), (1, 0), "{}", world.kind);
        assert!(oldest < Duration::from_secs(60), "{}: {oldest:?}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_takers_on_two_nodes_none_has_what_another_has_and_each_order_is_kept() {
    for world in World::all().await {
        let second = Database::open(&world.settings, Access::Make).await.unwrap();
        let nodes = [world.store.clone(), second];
        let adders = (0..4).map(|adder| {
            let store = nodes[adder % 2].clone();
            tokio::spawn(async move {
                let jobs = Jobs::new(store.clone(), "test", LONG);
                for n in 0..20 {
                    // Two add to each order, each in its own sequence.
                    add(&jobs, &store, &[&format!("{adder} {n:02}")], Some(if adder < 2 { "x" } else { "y" })).await;
                }
            })
        });
        let adders: Vec<_> = adders.collect();
        let all_are_added = Arc::new(AtomicBool::new(false));
        let takers: Vec<_> = (0..4)
            .map(|taker| {
                let (store, all_are_added) = (nodes[taker % 2].clone(), all_are_added.clone());
                tokio::spawn(async move {
                    let jobs = Jobs::new(store, "test", LONG);
                    let mut done = Vec::new();
                    loop {
                        let last = all_are_added.load(Relaxed);
                        let taken = jobs.take(3).await.unwrap();
                        // What waits behind a job in another's hands is taken by that other.
                        if last && taken.is_empty() {
                            break;
                        }
                        for taken in taken {
                            let now = std::time::Instant::now();
                            jobs.done(&taken).await.unwrap();
                            done.push((now, taken));
                        }
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                    done
                })
            })
            .collect();
        for adder in adders {
            adder.await.unwrap();
        }
        all_are_added.store(true, Relaxed);
        let mut done = Vec::new();
        for taker in takers {
            done.extend(taker.await.unwrap());
        }
        done.sort_by_key(|(when, _)| *when);
        let ids: BTreeSet<i64> = done.iter().map(|(_, taken)| taken.id).collect();
        assert_eq!((done.len(), ids.len()), (80, 80), "{}: each once", world.kind);
        let mut orders: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        let mut senders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (_, taken) in &done {
            orders.entry(taken.order.as_deref().unwrap()).or_default().push(taken.id);
            let (sender, n) = std::str::from_utf8(&taken.payload).unwrap().split_once(' ').unwrap();
            senders.entry(sender).or_default().push(n);
        }
        assert!(orders.values().all(|ids| ids.is_sorted()), "{}: {orders:?}", world.kind);
        assert!(senders.values().all(|sent| sent.is_sorted()), "{}: {senders:?}", world.kind);
    }
}

/// What is done while another transaction changes a job, which is committed once the first waits for it.
async fn meets<T: Send + 'static>(
    cluster: &Cluster,
    database: &str,
    id: i64,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let mut other = cluster.superuser(database).await;
    let change = format!("BEGIN; UPDATE job SET problem = 'of another' WHERE id = {id}");
    sqlx::raw_sql(AssertSqlSafe(change)).execute(&mut other).await.unwrap();
    let work = tokio::spawn(work);
    cluster.wait_until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')").await;
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    work.await.unwrap()
}

#[tokio::test]
async fn who_gives_way_where_the_database_isolates_more_takes_and_finishes_jobs_all_the_same() {
    for isolation in ["repeatable read", "serializable"] {
        let Some(cluster) = Cluster::own() else { return };
        cluster.psql(&format!("ALTER ROLE hjemmel SET default_transaction_isolation = '{isolation}'"));
        let name = cluster.database().name;
        let store = Database::open(&tables::patient(cluster.settings(&name)), Access::Make).await.unwrap();
        let jobs = Jobs::new(store.clone(), "test", LONG);
        let added = add(&jobs, &store, &["dead", "kept", "failed", "given up", "put off", "done"], None).await;
        // Whoever took it never said what became of it, so that it is given up by the next who takes any.
        cluster.psql_in(&name, &format!("UPDATE job SET attempts = {} WHERE id = {}", LONG.attempts, added[0]));
        let takes = jobs.clone();
        let taken = meets(&cluster, &name, added[0], async move { takes.take(9).await }).await.unwrap();
        assert_eq!(payloads(&taken), ["kept", "failed", "given up", "put off", "done"], "{isolation}");
        assert!(taken.iter().all(|taken| taken.attempt == 1), "{isolation}: what gave way was no attempt");
        let [kept, failed, given_up, put_off, done] = &taken[..] else { panic!("{taken:?}") };
        let with = |taken: &Taken| (jobs.clone(), taken.clone());
        let (of, taken) = with(kept);
        meets(&cluster, &name, kept.id, async move { of.keep(&taken).await }).await.unwrap();
        let (of, taken) = with(failed);
        let fate = meets(&cluster, &name, failed.id, async move { of.failed(&taken, "nobody answers").await }).await.unwrap();
        assert!(matches!(fate, Fate::Again(_)), "{isolation}: {fate:?}");
        let (of, taken) = with(given_up);
        meets(&cluster, &name, given_up.id, async move { of.give_up(&taken, "no such place").await }).await.unwrap();
        let (of, taken) = with(put_off);
        meets(&cluster, &name, put_off.id, async move { of.later(&taken, LONG.lease).await }).await.unwrap();
        let (of, taken) = with(done);
        meets(&cluster, &name, done.id, async move { of.done(&taken).await }).await.unwrap();
        let (of, id) = (jobs.clone(), added[0]);
        meets(&cluster, &name, id, async move { of.retry(id).await }).await.unwrap();
        let (of, id) = (jobs.clone(), given_up.id);
        meets(&cluster, &name, id, async move { of.discard(id).await }).await.unwrap();
        let left: Vec<_> = jobs.open(9).await.unwrap().into_iter().map(|open| (open.payload, open.dead)).collect();
        let due = ["dead", "kept", "failed", "put off"].map(|payload| (payload.as_bytes().to_vec(), false));
        assert_eq!(left, due, "{isolation}");
    }
}

#[tokio::test]
async fn one_that_was_added_first_and_committed_last_is_not_overtaken_in_its_order() {
    let Some(cluster) = Cluster::shared() else { return };
    let store = Database::open(&cluster.settings(&cluster.database().name), Access::Make).await.unwrap();
    let jobs = Jobs::new(store.clone(), "test", LONG);
    let mut slow = store.begin_beside_others().await.unwrap();
    jobs.add(&mut slow, b"first", Some("order")).await.unwrap();
    let quick = tokio::spawn({
        let (jobs, store) = (jobs.clone(), store.clone());
        async move { add(&jobs, &store, &["second"], Some("order")).await }
    });
    cluster.wait_until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'advisory')").await;
    assert_eq!(jobs.take(9).await.unwrap(), [], "the second waits for the first");
    slow.commit().await.unwrap();
    quick.await.unwrap();
    assert_eq!(payloads(&jobs.take(9).await.unwrap()), ["first"]);
}

#[tokio::test]
async fn nothing_is_lost_or_done_twice_over_restarts_of_the_database() {
    let Some(cluster) = Cluster::own() else { return };
    let store = Database::open(&cluster.settings(&cluster.database().name), Access::Make).await.unwrap();
    // Each job is done with a row of its own: a job that is done twice would leave two.
    // None is given up, however often it was begun.
    let jobs = Jobs::new(store.clone(), "test", Rules { attempts: 1000, ..RULES });
    let effects = Jobs::new(store.clone(), "effect", LONG);
    let names: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    add(&jobs, &store, &names.iter().map(String::as_str).collect::<Vec<_>>(), None).await;
    let mut restarts = 0;
    while !jobs.figures().await.is_ok_and(|figures| figures.waiting == 0) || restarts < 3 {
        let Ok(taken) = jobs.take(7).await else { continue };
        for (n, taken) in taken.iter().enumerate() {
            let Ok(mut transaction) = store.begin_beside_others().await else { continue };
            if effects.add(&mut transaction, &taken.payload, None).await.is_err() {
                continue;
            }
            if n == 3 && restarts < 3 {
                restarts += 1;
                cluster.kill();
                cluster.start();
            }
            if jobs.done_with(&mut transaction, taken).await.is_ok() {
                // Whether it was, when this fails, nobody knows: the lease decides.
                let _ = transaction.commit().await;
            }
        }
    }
    let done = effects.take(200).await.unwrap();
    let distinct: BTreeSet<&str> = payloads(&done).into_iter().collect();
    assert_eq!((done.len(), distinct.len()), (60, 60));
}
