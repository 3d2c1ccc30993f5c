//! Hearing of changes that other processes make.
//!
//! PostgreSQL tells whoever listens that the revision is another (the trigger `revise`); what changed is then asked for. A
//! notice that comes while nobody listens is lost, so that listening anew counts as a notice.
//!
//! Beside that the revision is asked for at short intervals, once for the whole program: SQLite notifies of nothing, the direct
//! address may be away, and a connection that hangs is found out late.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::MissedTickBehavior;

use super::StoreError;

/// How often the revision is asked for, and how long an answer may take before whoever needs what is remembered asks for it:
/// one second in all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    every: Duration,
    late: Duration,
}

/// A query four times a second costs the database nothing that can be measured beside calls.
pub(super) const PACE: Pace = Pace { every: Duration::from_millis(250), late: Duration::from_millis(750) };

/// What a change of the revision is told on.
const CHANNEL: &str = "hjemmel_revision";

/// After so long without a notice the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(10);

/// How long the server may take to begin to tell, or to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nobody listens after the connection was lost: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What was heard of changes, by every part of the program that shares the store.
#[derive(Debug, Default)]
pub(super) struct Heard {
    changes: AtomicU64,
    listening: AtomicBool,
    /// When the store last said what its revision is; none where nobody asks.
    asked: Mutex<Option<Instant>>,
}

impl Heard {
    /// Something changed, or may have.
    pub(super) fn change(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// How often something may have changed: while it is the same, nothing was heard.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }

    /// How long ago the store last said what its revision is, to who asks at intervals.
    pub(super) fn asked_ago(&self) -> Option<Duration> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }
}

/// Asks for the revision until nobody is interested any more. That the store does not answer counts as a change: who needs
/// what is remembered asks, and is refused or served as the memory's own rules say.
pub(super) async fn ask<F>(revision: impl Fn() -> F, heard: Weak<Heard>, pace: Pace)
where
    F: Future<Output = Result<Vec<u8>, StoreError>>,
{
    let (mut known, mut unknown) = (None, false);
    let mut tick = tokio::time::interval(pace.every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(begun) = heard.upgrade().map(|_| Instant::now()) else { return };
        let mut asking = pin!(revision());
        let (answer, in_time) = match tokio::time::timeout(pace.late, &mut asking).await {
            Ok(answer) => (answer, true),
            Err(_) => {
                let Some(heard) = heard.upgrade() else { return };
                if !std::mem::replace(&mut unknown, true) {
                    heard.change();
                }
                // Not given up: a store that was just replaced is being checked meanwhile.
                (asking.await, false)
            }
        };
        let Some(heard) = heard.upgrade() else { return };
        match answer {
            Ok(revision) => {
                *heard.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
                unknown &= !in_time;
                if known.as_ref() != Some(&revision) {
                    known = Some(revision);
                    heard.change();
                }
            }
            // Once: a store that does not answer is not asked by every call.
            Err(_) => {
                if !std::mem::replace(&mut unknown, true) {
                    heard.change();
                }
            }
        }
    }
}

/// Listens until nobody is interested any more.
pub(super) async fn listen(direct: PgConnectOptions, heard: Weak<Heard>) {
    let mut wait = FIRST_WAIT;
    loop {
        let lost = until_lost(&direct, &heard, &mut wait).await;
        let Some(heard) = heard.upgrade() else { return };
        if heard.listening.swap(false, Ordering::Relaxed) {
            tracing::warn!(cause = %lost, "the store tells of no changes until it is reached again; they are asked for meanwhile");
        }
        drop(heard);
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn until_lost(direct: &PgConnectOptions, heard: &Weak<Heard>, wait: &mut Duration) -> String {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).max_lifetime(None).idle_timeout(None);
    let pool = pool.connect_lazy_with(direct.clone());
    let begun = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    let mut listener = match tokio::time::timeout(PATIENCE, begun).await {
        Ok(Ok(listener)) => listener,
        Ok(Err(error)) => return error.to_string(),
        Err(_) => return "it did not answer in time".to_owned(),
    };
    match heard.upgrade() {
        Some(heard) => {
            // What changed while nobody listened was not heard.
            heard.change();
            heard.listening.store(true, Ordering::Relaxed);
        }
        None => return String::new(),
    }
    *wait = FIRST_WAIT;
    loop {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return "the connection was closed".to_owned(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => match tokio::time::timeout(PATIENCE, sqlx::query("SELECT 1").execute(&mut listener)).await {
                Ok(Ok(_)) if heard.strong_count() > 0 => continue,
                Ok(Ok(_)) => return String::new(),
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "it did not answer in time".to_owned(),
            },
        }
        match heard.upgrade() {
            Some(heard) => heard.change(),
            None => return String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU8;

    use super::*;

    const PACE: Pace = Pace { every: Duration::from_millis(1), late: Duration::from_millis(5) };
    /// What the store says beside revisions: nothing in time, and that it is away.
    const SLOW: u8 = 100;
    const AWAY: u8 = 101;

    /// A store that says what it is told to, and how often it was asked.
    #[derive(Default)]
    struct Store {
        says: AtomicU8,
        asked: AtomicU64,
    }

    impl Store {
        async fn revision(self: Arc<Self>) -> Result<Vec<u8>, StoreError> {
            let says = self.says.load(Ordering::SeqCst);
            if says == SLOW {
                tokio::time::sleep(PACE.late * 10).await;
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            match says {
                AWAY => Err(StoreError::TooSlow(PACE.late)),
                SLOW => Ok(vec![1]),
                revision => Ok(vec![revision]),
            }
        }

        /// Until it was asked and asked again, so that what came of the first is known.
        async fn was_asked(&self) {
            let due = self.asked.load(Ordering::SeqCst) + 3;
            while self.asked.load(Ordering::SeqCst) < due {
                tokio::time::sleep(PACE.every).await;
            }
        }
    }

    #[tokio::test]
    async fn a_change_and_a_store_that_does_not_answer_in_time_are_told_once_each() {
        let (heard, store) = (Arc::new(Heard::default()), Arc::new(Store::default()));
        let asked = store.clone();
        let asking = tokio::spawn(ask(move || asked.clone().revision(), Arc::downgrade(&heard), PACE));
        let mut told = 0;
        // From "away" to what it was before nothing has changed; a memory that was told of "away" has asked by itself since.
        for (says, due) in
            [(1, 1), (1, 0), (2, 1), (2, 0), (AWAY, 1), (2, 0), (AWAY, 1), (3, 1), (1, 1), (SLOW, 1), (SLOW, 0), (1, 0), (4, 1)]
        {
            store.says.store(says, Ordering::SeqCst);
            store.was_asked().await;
            assert_eq!(heard.changes() - told, due, "{says}");
            told = heard.changes();
        }
        assert!(heard.asked_ago().is_some());
        drop(heard);
        asking.await.unwrap();
    }
}
