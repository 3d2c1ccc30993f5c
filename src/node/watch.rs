//! What is looked at now and then while the gateway serves.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use super::reload::Reloader;
use crate::agreements::{Agreements, Store};
use crate::audit::anchors;
use crate::clock::{Clock, civil_day};
use crate::metrics::Metrics;
use crate::objects::settings::Place;
use crate::persons::erase;
use crate::persons::erase::replay::{self, Logs, ReplayError};
use crate::services::jobs as of_services;
use crate::services::kept::Kept;
use crate::store::seen::Sight;
use crate::store::{Database, Dialect, StoreError, jobs};
use crate::users::sessions::Limits;

/// Asks the store now and then, so that readiness costs no query. All nodes ask the same one: a node that were not ready as soon as
/// it fails would be gone with all others, and callers would find nobody where they could be served from memory or told why not.
pub(super) async fn store(agreements: Agreements, answers: Arc<AtomicBool>, mut stopped: watch::Receiver<()>) {
    let mut failed = 0;
    loop {
        failed = if agreements.store_answers().await { 0 } else { failed + 1 };
        let (ready, again) = after(failed);
        answers.store(ready, Ordering::Relaxed);
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(again) => {}
        }
    }
}

/// How often it is looked whether the store was put back.
const LOOKED: Duration = Duration::from_secs(1);
/// How long a stopping node waits for the store to take its last word.
const LEAVING: Duration = Duration::from_secs(2);

/// Looks whether the store is as far as this node has seen it, and keeps how far it is.
pub(super) async fn sight(mut sight: Sight, metrics: Arc<Metrics>, clock: Clock, mut stopped: watch::Receiver<()>) {
    let mut tick = tokio::time::interval(LOOKED);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut trouble = None;
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            _ = tick.tick() => {}
        }
        let looked = sight.look(clock.now()).await;
        metrics.observe_put_back(looked.as_ref().is_err_and(StoreError::is_put_back));
        let told = looked.as_ref().err().map(ToString::to_string);
        match &looked {
            // Once for each trouble: a store that is away is reported elsewhere too.
            Err(_) if told == trouble => {}
            Err(error) if error.is_put_back() => tracing::error!(%error, "nothing of the store is believed: calls are refused"),
            Err(error) => tracing::warn!(%error, "it cannot be kept how far the store has come"),
            Ok(()) if trouble.is_some() => tracing::info!("the store is as far as this node has seen it"),
            Ok(()) => {}
        }
        trouble = told;
    }
    let _ = tokio::time::timeout(LEAVING, sight.leave(clock.now())).await;
}

/// Whether the store counts as there after it has failed so many times in a row, and when it is asked again: soon where it has.
fn after(failed: u32) -> (bool, Duration) {
    match failed {
        0 => (true, Duration::from_secs(5)),
        _ => (failed < 4, Duration::from_secs(1)),
    }
}

/// Looks for deliveries whose node went, and forgets those whose days are over.
pub(super) async fn deliveries(store: Database, kept: Kept, mut stopped: watch::Receiver<()>) {
    tokio::select! {
        _ = stopped.changed() => {}
        () = of_services::look_after(store, kept) => {}
    }
}

/// How often it is looked for uploads that a killed process left.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// Removes from the folders of objects and of the archive what a process that was killed left of its uploads. Each node does so; it does no
/// harm.
pub(super) async fn unfinished(folders: Vec<Place>, clock: Clock, mut stopped: watch::Receiver<()>) {
    let mut tick = tokio::time::interval(UNFINISHED);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = tick.tick() => {}
        }
        for place in folders.clone() {
            let (folder, now) = (place.to_string(), clock.now());
            let cleared =
                tokio::task::spawn_blocking(move || place.clear_unfinished(now)).await.map_err(io::Error::other).flatten();
            match cleared {
                Ok(0) => {}
                Ok(cleared) => tracing::info!(folder, cleared, "uploads that nobody went on with were removed"),
                Err(error) => {
                    tracing::warn!(folder, %error, "uploads that nobody goes on with could not be removed; it is tried again in an hour")
                }
            }
        }
    }
}

/// How often it is looked whose term is over, and whether the store was put back.
const ERASED: Duration = Duration::from_secs(30);

/// Erases persons whose term is over, by the calendar of Copenhagen; and again, in a store that was put back, those whom this node's
/// audit log says to be erased: before that, and before every other log was read, nobody is imported or handed on. `at_work`: whether
/// this node imports persons or hands them on. One that does not may have written erasures down all the same.
pub(super) async fn persons(store: Store, logs: Logs, clock: Clock, at_work: bool, mut stopped: watch::Receiver<()>) {
    let mut tick = tokio::time::interval(ERASED);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut waited_for = Vec::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = tick.tick() => {}
        }
        match erase_persons(&store, &logs, at_work, &clock).await {
            Ok((over, again, missing)) => {
                if over + again > 0 {
                    tracing::info!(over, again, "persons were erased: their term is over, or the store was put back");
                }
                if missing != waited_for && !missing.is_empty() {
                    let logs = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    tracing::error!(
                        logs,
                        "the store was put back: nobody is imported before these audit logs were read for erasures, nor handed on to Campus; start their nodes, or run `hjemmel persons replay`"
                    );
                }
                waited_for = missing;
            }
            Err(error) => tracing::warn!(%error, "persons to be erased are not; it is tried again"),
        }
    }
}

async fn erase_persons(store: &Store, logs: &Logs, at_work: bool, clock: &Clock) -> Result<(u64, u64, Vec<Uuid>), ReplayError> {
    if !at_work && !erase::are_kept(store.database()).await? {
        return Ok((0, 0, Vec::new()));
    }
    let folder = logs.folder.clone();
    let named = tokio::task::spawn_blocking(move || anchors::named(&folder)).await.map_err(std::io::Error::other).flatten();
    let node = named.map_err(|error| ReplayError::Log { at: logs.folder.display().to_string(), error })?;
    let again = replay::own(store.database(), node, logs, clock).await;
    // Terms do not wait for a log that cannot be read.
    let over = match civil_day(clock.now()) {
        Some(today) => erase::over(store, today, clock).await?,
        None => 0,
    };
    Ok((over, again?, replay::missing(&mut store.database().session().await?, node).await?))
}

/// How often jobs are counted.
const COUNTED: Duration = Duration::from_secs(30);
/// Every how many counts what is over is deleted: once an hour.
const CLEANED: u64 = 120;
/// For how long a job that was done can be looked at.
const DONE_JOBS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most jobs that one statement deletes.
const BATCH: u32 = 1000;

/// Counts jobs for the metrics, and deletes from the store what its time is over of: jobs that were done, and answers to requests
/// with an Idempotency-Key. The memory against replay deletes its own. On several nodes each does so; it does no harm.
/// Sessions are counted where there is a console (`sessions`).
pub(super) async fn chores(
    store: Store,
    metrics: Arc<Metrics>,
    clock: Clock,
    sessions: Option<Limits>,
    mut stopped: watch::Receiver<()>,
) {
    let mut tick = tokio::time::interval(COUNTED);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for count in 0_u64.. {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = tick.tick() => {}
        }
        let database = store.database();
        metrics.observe_notices(database.dialect() == Dialect::Sqlite || database.is_listening(), database.asked_ago());
        match jobs::figures(database).await {
            Ok(kinds) => metrics.observe_jobs(&kinds),
            Err(error) => tracing::warn!(%error, "jobs could not be counted: the store did not answer"),
        }
        if let Some(limits) = sessions {
            match store.sessions(limits, clock.now()).await {
                Ok(many) => metrics.observe_sessions(many),
                Err(error) => tracing::warn!(%error, "the console's sessions could not be counted: the store did not answer"),
            }
        }
        if count % CLEANED == 0
            && let Err(error) = clean(&store, clock.now()).await
        {
            tracing::warn!(%error, "what is over could not be deleted from the store; it is tried again in an hour");
        }
    }
}

/// Deletes what is over.
async fn clean(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let keys = store.forget_keys(now).await? + of_services::forget(store.database(), now).await?;
    let sessions = store.forget_sessions(now).await?;
    let mut done = 0;
    loop {
        let deleted = jobs::clean(store.database(), DONE_JOBS_KEPT, BATCH).await?;
        done += deleted;
        if deleted < u64::from(BATCH) {
            break;
        }
    }
    if keys + done + sessions > 0 {
        tracing::info!(jobs = done, idempotency_keys = keys, sessions, "deleted from the store what was over");
    }
    Ok(())
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Logs, at the start, once a day and when one has ended, which certificates end before long.
pub(super) async fn certificates(reloader: Arc<Reloader>, clock: Clock, mut stopped: watch::Receiver<()>) {
    loop {
        let (all, now) = (reloader.expiries().await, clock.now());
        for (setting, ends) in &all {
            match Left::until(*ends, now) {
                Left::Enough => {}
                Left::Days60 => tracing::info!(setting, %ends, "certificate ends within 60 days: order its successor"),
                Left::Days30 => tracing::warn!(setting, %ends, "certificate ends within 30 days: order its successor now"),
                Left::Days7 => tracing::error!(setting, %ends, "certificate ends within 7 days: put its successor in place"),
                Left::None => tracing::error!(setting, %ends, "certificate has ended: calls that need it are refused"),
            }
        }
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(until_next_report(all.iter().map(|(_, ends)| *ends), now)) => {}
        }
    }
}

/// A day, or until the next certificate has ended.
fn until_next_report(ends: impl Iterator<Item = Timestamp>, now: Timestamp) -> Duration {
    let left = ends.filter_map(|ends| Duration::try_from(ends.duration_since(now)).ok()).filter(|left| !left.is_zero());
    left.min().map_or(DAY, |next| (next + Duration::from_secs(1)).min(DAY))
}

/// Logs, once a day, what is wrong with the stored routes. At the start the configuration's examination does.
pub(super) async fn routes(reloader: Arc<Reloader>, mut stopped: watch::Receiver<()>) {
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + DAY, DAY);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = tick.tick() => match reloader.route_warnings().await {
                Ok(warnings) => warnings.iter().for_each(|warning| tracing::warn!(setting = "store.url", "{warning}")),
                Err(error) => tracing::warn!(%error, "the routes cannot be read, so that nothing is told of them"),
            },
        }
    }
}

/// How long a certificate has left, in the steps at which operators are warned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Enough,
    Days60,
    Days30,
    Days7,
    None,
}

impl Left {
    fn until(ends: Timestamp, now: Timestamp) -> Self {
        let left = ends.duration_since(now);
        let within = |days: i64| left <= SignedDuration::from_hours(24 * days);
        match () {
            () if within(0) => Self::None,
            () if within(7) => Self::Days7,
            () if within(30) => Self::Days30,
            () if within(60) => Self::Days60,
            () => Self::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_restarts_leaves_its_nodes_ready_and_one_that_stays_away_does_not_until_it_is_back() {
        assert_eq!(after(0), (true, Duration::from_secs(5)));
        for blip in 1..=3 {
            assert_eq!(after(blip), (true, Duration::from_secs(1)));
        }
        assert_eq!(after(4), (false, Duration::from_secs(1)), "within five seconds and as long as four answers may take");
        assert_eq!(after(1000), (false, Duration::from_secs(1)), "it is asked again each second, for it may be back");
    }

    #[test]
    fn the_end_of_a_certificate_is_told_when_it_comes_and_otherwise_once_a_day() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let told =
            |ends: &[i64]| until_next_report(ends.iter().map(|hours| now + SignedDuration::from_hours(*hours)), now).as_secs();
        assert_eq!(told(&[]), 24 * 3600);
        assert_eq!(told(&[-5, 0, 100]), 24 * 3600, "what has ended is told of daily");
        assert_eq!(told(&[-5, 7, 3]), 3 * 3600 + 1);
    }

    #[test]
    fn the_warning_grows_at_60_30_and_7_days() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let after = |hours: i64| Left::until(now + SignedDuration::from_hours(hours), now);
        let days =
            [(61, Left::Enough), (59, Left::Days60), (29, Left::Days30), (6, Left::Days7), (0, Left::None), (-1, Left::None)];
        for (days, left) in days {
            assert_eq!(after(days * 24), left, "{days} days");
        }
    }
}
