//! Jobs and outboxes: work that is written down with a decision, and done after it, by whichever node comes first.
//!
//! A job is a row. It is added in the caller's own transaction, so it is there exactly when the decision is. Whoever takes it has
//! it for the time of a lease; one that stops gives it back ([`Jobs::give_back`]), and one that dies by the lease's end. A job is
//! done at least once: what it does must be idempotent, or be written in the transaction that finishes it
//! ([`Jobs::done_with`]).
//!
//! - Of several takers at once none has a job that another has (`FOR UPDATE SKIP LOCKED`; SQLite has one writer at a time).
//! - Jobs of one order are done one after the other, as they were added. One that is dead holds up those behind it, until somebody
//!   retries or discards it.
//! - One that fails is tried again, later each time; after the last attempt it is dead, and stays for somebody to look at.
//! - The time is the database's, so the clocks of nodes do not matter.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Database, Dialect, Query, Session, StoreError, Transaction, by_dialect, sql, until_it_holds};

/// A job's content is at most so large, in bytes. What is larger belongs in a file, and its name in the job.
pub const PAYLOAD_BYTES: usize = 64 * 1024;
/// Of why a job failed so much is kept, in characters.
const PROBLEM_CHARACTERS: usize = 500;

/// The database's clock, in microseconds since the Unix epoch; and the lock on rows that are to be taken, where there is one.
macro_rules! piece {
    (sqlite, NOW) => {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    };
    (postgres, NOW) => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
    (sqlite, LOCKED) => {
        ""
    };
    (postgres, LOCKED) => {
        "FOR UPDATE SKIP LOCKED"
    };
    ($dialect:ident, $text:literal) => {
        $text
    };
}

macro_rules! statement {
    ($($piece:tt)+) => {
        by_dialect(concat!($(piece!(sqlite, $piece)),+), concat!($(piece!(postgres, $piece)),+))
    };
}

/// How jobs of a kind are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Rules {
    /// For how long whoever takes a job has it.
    pub lease: Duration,
    /// How often it is tried.
    pub attempts: u32,
    /// How long after the first failure it is tried again; twice as long after each further one.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            attempts: 10,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(15 * 60),
        }
    }
}

impl Rules {
    fn pause(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.checked_pow(attempt.saturating_sub(1)).and_then(|factor| self.first_pause.checked_mul(factor));
        doubled.unwrap_or(self.longest_pause).min(self.longest_pause)
    }
}

/// A job that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its number. Of one order, later ones are greater.
    pub id: i64,
    /// What it is about.
    pub payload: Vec<u8>,
    /// The order that it belongs to.
    pub order: Option<String>,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    lease: Uuid,
    since: Instant,
}

/// A job that is not done, for whoever looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Its number.
    pub id: i64,
    /// What it is about.
    pub payload: Vec<u8>,
    /// Whether it was given up.
    pub dead: bool,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it failed last.
    pub problem: Option<String>,
}

/// What becomes of a job that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again after so long.
    Again(Duration),
    /// It was the last attempt.
    Dead,
}

/// The state of the jobs of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Not done yet: waiting, or under way.
    pub waiting: u64,
    /// Given up.
    pub dead: u64,
    /// For how long the oldest that waits has waited.
    pub oldest: Duration,
}

/// Why nothing became of it.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The content is too large.
    #[error("a job of {0} bytes is too large; {PAYLOAD_BYTES} is the limit")]
    TooLarge(usize),
    /// The lease ended, and another may have the job.
    #[error("job {0} was not finished within its lease and may have been given to another")]
    Lost(i64),
    /// There is no such job in that state.
    #[error("there is no dead job {0}")]
    NotDead(i64),
}

/// The jobs of one kind. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs {
    store: Database,
    kind: &'static str,
    rules: Rules,
    /// The leases that were begun here, and when, as far as they may not be over.
    begun: Arc<Mutex<VecDeque<(Uuid, Instant)>>>,
}

impl Jobs {
    /// The jobs named `kind`.
    pub fn new(store: Database, kind: &'static str, rules: Rules) -> Self {
        Self { store, kind, rules, begun: Arc::default() }
    }

    /// Their kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// For how long whoever takes one has it.
    pub fn lease(&self) -> Duration {
        self.rules.lease
    }

    /// Adds a job; it is there when `transaction` is committed. With an `order` it is done after all that were added to the same
    /// order before it; whoever else adds to that order waits for this transaction.
    ///
    /// # Errors
    /// The content is too large, or the store does not do as asked.
    pub async fn add(&self, transaction: &mut Transaction, payload: &[u8], order: Option<&str>) -> Result<i64, JobError> {
        if payload.len() > PAYLOAD_BYTES {
            return Err(JobError::TooLarge(payload.len()));
        }
        if let (Some(order), Dialect::Postgres) = (order, transaction.dialect()) {
            // Numbers are given out before the commit: without the lock a later number could be seen, and taken, first.
            let lock = sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(format!("job {} {order}", self.kind));
            transaction.execute(lock).await?;
        }
        let add = statement!(
            "INSERT INTO job (kind, in_order, payload, state, attempts, added_us, due_us)
             VALUES ($1, $2, $3, 'waiting', 0, " NOW ", " NOW ") RETURNING id"
        );
        let added = transaction.first(add.bind(self.kind).bind(order.map(str::to_owned)).bind(payload)).await?;
        Ok(added.ok_or(StoreError::Unreadable { column: "id" })?.get("id")?)
    }

    /// Takes jobs that are due, the oldest first, `most` of them at most, and of each order only the first.
    ///
    /// # Errors
    /// The store does not answer. What it may have given is given again when the lease ends.
    pub async fn take(&self, most: u32) -> Result<Vec<Taken>, StoreError> {
        let take = statement!(
            "WITH next AS MATERIALIZED (
                 SELECT id FROM job AS waiting
                 WHERE kind = $1 AND state = 'waiting' AND due_us <= " NOW " AND attempts < $5
                   AND (in_order IS NULL OR NOT EXISTS (
                       SELECT 1 FROM job AS earlier
                       WHERE earlier.kind = waiting.kind AND earlier.in_order = waiting.in_order AND earlier.id < waiting.id
                         AND earlier.state <> 'done'))
                 ORDER BY id LIMIT $2 " LOCKED "
             )
             UPDATE job SET lease = $3, due_us = " NOW " + $4, attempts = attempts + 1
             WHERE id IN (SELECT id FROM next) RETURNING id, payload, in_order, attempts"
        );
        let (lease, since) = (Uuid::new_v4(), Instant::now());
        let take = take.bind(self.kind).bind(i64::from(most)).bind(lease).bind(microseconds(self.rules.lease));
        // Its last lease may have ended since those that are given up were looked for.
        let take = take.bind(i64::from(self.rules.attempts));
        // Before it is asked for: whoever stops meanwhile never hears what was given.
        self.begins(lease);
        // What was taken by an attempt that gave way was not.
        let rows = until_it_holds(async || {
            let mut transaction = self.store.begin_beside_others().await?;
            self.bury(&mut transaction).await?;
            let rows = transaction.all(take.clone()).await?;
            transaction.commit().await.map(|()| rows)
        })
        .await?;
        let mut taken = rows
            .iter()
            .map(|row| {
                let attempts: i64 = row.get("attempts")?;
                let attempt = u32::try_from(attempts).map_err(|_| StoreError::Unreadable { column: "attempts" })?;
                Ok(Taken {
                    id: row.get("id")?,
                    payload: row.get("payload")?,
                    order: row.maybe("in_order")?,
                    attempt,
                    lease,
                    since,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        taken.sort_by_key(|taken| taken.id);
        Ok(taken)
    }

    /// Gives back what was taken here and of which nothing is kept: whoever works on it has ended. This was no attempt. It may be said
    /// again: what was being taken, or finished, when it was said first may be there only then.
    ///
    /// # Errors
    /// The store does not answer. What was not given back is given again when its lease ends.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        let own: HashSet<Uuid> = self.begun().iter().map(|(lease, _)| *lease).collect();
        if own.is_empty() {
            return Ok(());
        }
        let under_way = sql("SELECT id, lease FROM job WHERE kind = $1 AND state = 'waiting' AND lease IS NOT NULL");
        for row in self.store.all(under_way.bind(self.kind)).await? {
            let (id, lease): (i64, Uuid) = (row.get("id")?, row.get("lease")?);
            if own.contains(&lease) {
                let back = statement!(
                    "UPDATE job SET attempts = attempts - 1, due_us = " NOW ", lease = NULL
                     WHERE id = $1 AND lease = $2 AND state = 'waiting'"
                );
                self.store.execute(back.bind(id).bind(lease)).await?;
            }
        }
        Ok(())
    }

    fn begun(&self) -> MutexGuard<'_, VecDeque<(Uuid, Instant)>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease begins, or begins anew. The database counts from a little later.
    fn begins(&self, lease: Uuid) {
        let over = self.rules.lease.saturating_mul(2);
        let mut begun = self.begun();
        while begun.front().is_some_and(|(_, since)| since.elapsed() >= over) {
            begun.pop_front();
        }
        begun.push_back((lease, Instant::now()));
    }

    /// Gives up those whose takers all ended without a word.
    async fn bury(&self, session: &mut Session) -> Result<(), StoreError> {
        let bury = statement!(
            "UPDATE job SET state = 'dead', lease = NULL, problem = 'whoever took it never said what became of it'
             WHERE kind = $1 AND state = 'waiting' AND due_us <= " NOW " AND attempts >= $2"
        );
        session.execute(bury.bind(self.kind).bind(i64::from(self.rules.attempts))).await.map(drop)
    }

    /// Begins the lease anew, for work that takes longer.
    ///
    /// # Errors
    /// [`JobError::Lost`]: stop, another has it.
    pub async fn keep(&self, taken: &Taken) -> Result<(), JobError> {
        let keep = statement!(
            "UPDATE job SET due_us = " NOW " + $3 WHERE id = $1 AND lease = $2 AND state = 'waiting' AND due_us > " NOW
        );
        let keep = keep.bind(taken.id).bind(taken.lease).bind(microseconds(self.rules.lease));
        self.begins(taken.lease);
        held(taken, self.store.execute(keep).await?)
    }

    /// The same, for what is about to be finished: where most of the lease is left nothing is written.
    ///
    /// # Errors
    /// As [`Jobs::keep`].
    pub async fn keep_for_the_end(&self, taken: &Taken) -> Result<(), JobError> {
        if taken.since.elapsed() < self.rules.lease / 8 { Ok(()) } else { self.keep(taken).await }
    }

    /// The job is done. Its content is forgotten.
    ///
    /// # Errors
    /// [`JobError::Lost`]: it was done, and may be done again.
    pub async fn done(&self, taken: &Taken) -> Result<(), JobError> {
        held(taken, self.store.execute(finished(taken)).await?)
    }

    /// The job is done when `transaction` is committed, with whatever else it writes: that is then done once.
    ///
    /// # Errors
    /// [`JobError::Lost`]: do not commit.
    pub async fn done_with(&self, transaction: &mut Transaction, taken: &Taken) -> Result<(), JobError> {
        held(taken, transaction.execute(finished(taken)).await?)
    }

    /// The attempt failed. `why` is kept for whoever looks at it: nothing of a person.
    ///
    /// # Errors
    /// [`JobError::Lost`]: another has it.
    pub async fn failed(&self, taken: &Taken, why: &str) -> Result<Fate, JobError> {
        let pause = self.rules.pause(taken.attempt);
        let fate = if taken.attempt >= self.rules.attempts { Fate::Dead } else { Fate::Again(pause) };
        let state = if fate == Fate::Dead { "dead" } else { "waiting" };
        let why: String = why.chars().take(PROBLEM_CHARACTERS).collect();
        let failed = statement!(
            "UPDATE job SET state = $3, due_us = " NOW " + $4, lease = NULL, problem = $5
             WHERE id = $1 AND lease = $2 AND state = 'waiting'"
        );
        let failed = failed.bind(taken.id).bind(taken.lease).bind(state).bind(microseconds(pause)).bind(why);
        held(taken, self.store.execute(failed).await?)?;
        Ok(fate)
    }

    /// The attempt failed, and no other would succeed: the job is dead at once.
    ///
    /// # Errors
    /// [`JobError::Lost`]: another has it.
    pub async fn give_up(&self, taken: &Taken, why: &str) -> Result<(), JobError> {
        let why: String = why.chars().take(PROBLEM_CHARACTERS).collect();
        let dead =
            sql("UPDATE job SET state = 'dead', lease = NULL, problem = $3 WHERE id = $1 AND lease = $2 AND state = 'waiting'");
        held(taken, self.store.execute(dead.bind(taken.id).bind(taken.lease).bind(why)).await?)
    }

    /// Those that are not done, the oldest first, `most` of them at most.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn open(&self, most: u32) -> Result<Vec<Open>, StoreError> {
        let open = sql("SELECT id, payload, state, attempts, problem FROM job
             WHERE kind = $1 AND state <> 'done' ORDER BY id LIMIT $2");
        let rows = self.store.all(open.bind(self.kind).bind(i64::from(most))).await?;
        rows.iter()
            .map(|row| {
                Ok(Open {
                    id: row.get("id")?,
                    payload: row.get("payload")?,
                    dead: row.get::<String>("state")? == "dead",
                    attempts: row.get("attempts")?,
                    problem: row.maybe("problem")?,
                })
            })
            .collect()
    }

    /// Gives a job back that could not begin: this was no attempt.
    ///
    /// # Errors
    /// [`JobError::Lost`]: it is another's by now.
    pub async fn later(&self, taken: &Taken, pause: Duration) -> Result<(), JobError> {
        let later = statement!(
            "UPDATE job SET attempts = attempts - 1, due_us = " NOW " + $3, lease = NULL
             WHERE id = $1 AND lease = $2 AND state = 'waiting'"
        );
        let later = later.bind(taken.id).bind(taken.lease).bind(microseconds(pause));
        held(taken, self.store.execute(later).await?)
    }

    /// Begins a dead job anew.
    ///
    /// # Errors
    /// There is no such dead job.
    pub async fn retry(&self, id: i64) -> Result<(), JobError> {
        let retry = statement!(
            "UPDATE job SET state = 'waiting', attempts = 0, due_us = " NOW " WHERE id = $1 AND kind = $2 AND state = 'dead'"
        );
        self.of_dead(id, retry.bind(id).bind(self.kind)).await
    }

    /// Gives a dead job up for good: those behind it in its order go on.
    ///
    /// # Errors
    /// There is no such dead job.
    pub async fn discard(&self, id: i64) -> Result<(), JobError> {
        let discard = sql("DELETE FROM job WHERE id = $1 AND kind = $2 AND state = 'dead'");
        self.of_dead(id, discard.bind(id).bind(self.kind)).await
    }

    async fn of_dead(&self, id: i64, statement: Query) -> Result<(), JobError> {
        match self.store.execute(statement).await? {
            0 => Err(JobError::NotDead(id)),
            _ => Ok(()),
        }
    }

    /// Their state.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        let all = figures(&self.store).await?;
        Ok(all.into_iter().find(|(kind, _)| kind == self.kind).map(|(_, figures)| figures).unwrap_or_default())
    }
}

/// The state of the jobs of each kind that has any which are not done.
///
/// # Errors
/// The store does not answer.
pub async fn figures(store: &Database) -> Result<Vec<(String, Figures)>, StoreError> {
    let count = statement!(
        "SELECT kind, count(CASE WHEN state = 'waiting' THEN 1 END) AS waiting, count(CASE WHEN state = 'dead' THEN 1 END) AS dead,
             coalesce(" NOW " - min(CASE WHEN state = 'waiting' THEN added_us END), 0) AS oldest_us
         FROM job WHERE state <> 'done' GROUP BY kind"
    );
    let of_kind = |row: &super::Row| {
        let positive = |column| Ok::<_, StoreError>(u64::try_from(row.get::<i64>(column)?).unwrap_or_default());
        let figures = Figures {
            waiting: positive("waiting")?,
            dead: positive("dead")?,
            oldest: Duration::from_micros(positive("oldest_us")?),
        };
        Ok((row.get("kind")?, figures))
    };
    store.all(count).await?.iter().map(of_kind).collect()
}

/// Deletes jobs of every kind that have been done for longer than `after`, `most` of them at most; how many there were.
///
/// # Errors
/// The store does not answer.
pub async fn clean(store: &Database, after: Duration, most: u32) -> Result<u64, StoreError> {
    let clean = statement!(
        "DELETE FROM job WHERE id IN (
             SELECT id FROM job WHERE state = 'done' AND due_us < " NOW " - $1 ORDER BY due_us LIMIT $2 " LOCKED ")"
    );
    store.execute(clean.bind(microseconds(after)).bind(i64::from(most))).await
}

fn finished(taken: &Taken) -> Query {
    // Of a job that is done, `due_us` says since when.
    let done = statement!(
        "UPDATE job SET state = 'done', due_us = " NOW ", lease = NULL, payload = $3, problem = NULL
         WHERE id = $1 AND lease = $2 AND state = 'waiting'"
    );
    let nothing: &[u8] = &[];
    done.bind(taken.id).bind(taken.lease).bind(nothing)
}

fn held(taken: &Taken, rows: u64) -> Result<(), JobError> {
    if rows == 0 { Err(JobError::Lost(taken.id)) } else { Ok(()) }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_the_one_before_up_to_the_longest() {
        let rules = Rules { first_pause: Duration::from_secs(1), longest_pause: Duration::from_secs(10), ..Rules::default() };
        let pauses: Vec<u64> = [1, 2, 3, 4, 5, 40, u32::MAX].map(|attempt| rules.pause(attempt).as_secs()).to_vec();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10, 10]);
    }
}
