//! The memory that all nodes of one store share.
//!
//! # What holds
//!
//! - A message passes on one node, once. A key is inserted where it is not there yet, in one statement; of two nodes that insert
//!   it at once one waits for the other's commit and is told that it is there. A call passes only on that answer, and only
//!   when the insert is on the database's disk. Where the answer was lost the call is refused, whatever became of the row.
//! - The table holds digests and an end, nothing of a message or a person.
//! - Rows are deleted after their end, a bounded number at a time, by whichever node comes first. The end is reckoned, and judged,
//!   by the slowest of the clocks at hand (the node's and the database's), so a node whose clock is ahead deletes nothing
//!   that another still needs. Rows are kept for twice as long as a message may pass, so the clocks of two nodes may
//!   differ by `timestamp_max_age` before a message could pass on the one when it is forgotten already.
//! - The memory knows since when it remembers. A copy that was restored, or a standby that took over and may lack the last
//!   rows, is another memory: its rows say so by the server's identity, its timeline and the table's oid (SQLite: the file's
//!   device and inode). What was created before that, or by a clock that is ahead in the first `clock_skew` after it, is refused.
//! - A disk's snapshot and rows filled in from a dump say the same of themselves as before. So each statement asks, too, for the
//!   last row that this node knows to be there, its own or another's, for as long as none may have deleted it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::AbortHandle;

use super::batch::{Failure, Keeper, Kept, Queue};
use super::counts::Counts;
use super::{Key, Seen, Stats};
use crate::clock::Clock;
use crate::refusal::Refusal;
use crate::store::{Database, Dialect, GaveWay, Query, StoreError, sql};

/// Which memory it is, of all that a copy could have made of it.
macro_rules! memory {
    () => {
        "((SELECT system_identifier FROM pg_control_system()) || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
          || ' ' || 'replay_message'::regclass::oid)"
    };
}

/// The database's clock, in microseconds.
macro_rules! clock {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

/// `$1` the keys, one after the other; `$2` now; `$3` how long; `$4` a row that must be there. Where the database does not wait for its disk by itself, this
/// transaction does.
const KEEP: &str = concat!(
    "INSERT INTO replay_message (key, until_us)
     SELECT key, greatest($2, ",
    clock!(),
    ") + $3 FROM (
         SELECT substring($1 FROM n * 32 + 1 FOR 32) AS key FROM generate_series(0, length($1) / 32 - 1) AS n
     ) AS asked ORDER BY key
     ON CONFLICT (key) DO NOTHING
     RETURNING key,
         (SELECT since_us FROM replay_memory) AS since_us,
         coalesce((SELECT memory = ",
    memory!(),
    " FROM replay_memory), false) AS same,
         (SELECT count(*) FROM replay_message WHERE key = $4) AS witnesses,
         (SELECT CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
             THEN set_config('synchronous_commit', 'on', true) END) AS durable"
);

/// The same, and `$5` which memory it is.
const KEEP_SQLITE: &str =
    "WITH RECURSIVE asked (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM asked WHERE (n + 2) * 32 <= length($1))
     INSERT INTO replay_message (key, until_us) SELECT substr($1, n * 32 + 1, 32), $2 + $3 FROM asked WHERE true
     ON CONFLICT (key) DO NOTHING
     RETURNING key,
         (SELECT since_us FROM replay_memory) AS since_us,
         coalesce((SELECT memory = $5 FROM replay_memory), 0) AS same,
         (SELECT count(*) FROM replay_message WHERE key = $4) AS witnesses";

/// The row that is kept longest, and whether there is `$1`.
const LOOK: &str = "SELECT (SELECT count(*) FROM replay_message WHERE key = $1) AS witnesses, last.key, last.until_us
     FROM (SELECT 1 AS one) AS always
     LEFT JOIN (SELECT key, until_us FROM replay_message ORDER BY until_us DESC LIMIT 1) AS last ON TRUE";

/// `$1` now, `$2` how much longer where there was another memory before. Answers since when this one remembers.
const SETTLE: &str = concat!(
    "INSERT INTO replay_memory (one, memory, since_us) VALUES (1, ",
    memory!(),
    ", $1)
     ON CONFLICT (one) DO UPDATE SET memory = excluded.memory, since_us = excluded.since_us + $2
     WHERE replay_memory.memory <> excluded.memory"
);

/// The same, and `$3` which memory it is.
const SETTLE_SQLITE: &str = "INSERT INTO replay_memory (one, memory, since_us) VALUES (1, $3, $1)
     ON CONFLICT (one) DO UPDATE SET memory = excluded.memory, since_us = excluded.since_us + $2
     WHERE replay_memory.memory <> excluded.memory";

/// `$1` now, `$2` how many at most.
const FORGET: &str = concat!(
    "DELETE FROM replay_message WHERE key IN (SELECT key FROM replay_message WHERE until_us < least($1, ",
    clock!(),
    ")
     ORDER BY until_us LIMIT $2 FOR UPDATE SKIP LOCKED)"
);

const FORGET_SQLITE: &str =
    "DELETE FROM replay_message WHERE key IN (SELECT key FROM replay_message WHERE until_us < $1 ORDER BY until_us LIMIT $2)";

/// Rows that are deleted in one statement at most.
const FORGET_AT_ONCE: u32 = 1_000;
/// How often it is looked for rows to delete.
const FORGET_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked what others let through.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the memory remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a message is kept after it came: at least twice the greatest age plus skew.
    pub keep: Duration,
    /// How far a sender's clock may be ahead.
    pub skew: Duration,
    /// How long a call waits for an answer, before it is refused.
    pub patience: Duration,
}

/// The messages that any node of a store has seen.
pub struct DatabaseMemory {
    rows: Rows,
    queue: Queue,
    counts: Arc<Counts>,
    tasks: [AbortHandle; 2],
}

impl DatabaseMemory {
    /// Opens the memory in a store, and begins one where there is none.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn open(store: Database, rules: Rules, clock: Clock) -> Result<Self, StoreError> {
        let rows = Rows { store, rules, witness: Arc::default() };
        rows.settle(clock.now()).await?;
        rows.begin_file_anew(clock.now()).await?;
        let counts = Arc::new(Counts::default());
        let forgetting = tokio::spawn(forget(rows.clone(), clock.clone(), counts.clone())).abort_handle();
        let looking = tokio::spawn(look(rows.clone(), clock)).abort_handle();
        let queue = Queue::start(rows.clone(), rules.patience, counts.clone());
        Ok(Self { queue, rows, counts, tasks: [forgetting, looking] })
    }

    /// Remembers a message, or says why it may not pass.
    ///
    /// # Errors
    /// `Replay`, `ReplayMemoryUnavailable`, `CreatedBeforeMemory`.
    pub async fn remember(&self, message: Seen, now: Timestamp) -> Result<(), Refusal> {
        self.queue.remember(message, now).await
    }

    /// Deletes messages whose time is over, a bounded number of them; how many there were. It is done every ten seconds without
    /// being asked.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn forget(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.rows.forget(now).await
    }

    /// Looks what other nodes let through, so that it is known here if it is gone. It is done every second without being asked.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn look(&self, clock: &Clock) -> Result<(), StoreError> {
        self.rows.look(clock).await
    }

    /// What it did since the start.
    pub fn stats(&self) -> Stats {
        self.counts.stats()
    }
}

impl Drop for DatabaseMemory {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// The tables `replay_message` and `replay_memory`.
#[derive(Clone)]
struct Rows {
    store: Database,
    rules: Rules,
    /// The last row that is known to be there.
    witness: Arc<Mutex<Option<Witness>>>,
}

/// A row that was seen, and when: by a clock that nobody sets, and by the node's.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Witness {
    key: Key,
    since: Instant,
    at: Timestamp,
}

impl Rows {
    /// Makes sure that the memory in the store is the one that its row speaks of; if not, it remembers from now on.
    async fn settle(&self, now: Timestamp) -> Result<(), StoreError> {
        let statement = self.by_dialect(SETTLE_SQLITE, SETTLE).bind(now.as_microsecond()).bind(microseconds(self.rules.skew));
        let statement = self.of_this_file(statement).await?;
        self.store.session().await?.execute(statement).await.map(drop)
    }

    /// A file that was overwritten with a copy of itself while nobody had it open looks as it did before: so from each start of
    /// a process on it remembers from then on, as a node's own memory does.
    async fn begin_file_anew(&self, now: Timestamp) -> Result<(), StoreError> {
        if self.store.dialect() == Dialect::Sqlite {
            let begin = sql("UPDATE replay_memory SET since_us = max(since_us, $1)").bind(now.as_microsecond());
            self.store.session().await?.execute(begin).await?;
        }
        Ok(())
    }

    async fn insert(&self, keys: &[Key], now: Timestamp) -> Result<(HashSet<Key>, Option<Timestamp>), StoreError> {
        let statement = self.by_dialect(KEEP_SQLITE, KEEP).bind(keys.as_flattened());
        let statement = statement.bind(now.as_microsecond()).bind(microseconds(self.rules.keep));
        let witness = self.witness(now);
        let statement = self.of_this_file(statement.bind(witness.map(|key| key.to_vec()).unwrap_or_default())).await?;
        let mut new = HashSet::new();
        let mut since = Some(Timestamp::MIN);
        // Once: where it gave way the queue asks again, and at once.
        let rows = self.store.session().await?.all(statement).await?;
        for row in rows {
            let key = Key::try_from(row.get::<Vec<u8>>("key")?).map_err(|_| StoreError::Unreadable { column: "key" })?;
            new.insert(key);
            let whole = witness.is_none() || row.get::<i64>("witnesses")? > 0;
            since = match whole && row.get::<bool>("same")? {
                true => Timestamp::from_microsecond(row.get("since_us")?).ok(),
                false => None,
            };
        }
        match new.iter().next() {
            Some(_) if since.is_none() => self.begin_anew().await?,
            Some(key) => self.saw(*key, now),
            None => {}
        }
        Ok((new, since))
    }

    /// The row that must be there: none is deleted in the first half of its time, also where this node's clock was set.
    fn witness(&self, now: Timestamp) -> Option<Key> {
        self.last_seen(now).map(|last| last.key)
    }

    fn last_seen(&self, now: Timestamp) -> Option<Witness> {
        let last = *self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|last| self.is_young(last, now))
    }

    fn is_young(&self, last: &Witness, now: Timestamp) -> bool {
        let half = self.rules.keep / 2;
        last.since.elapsed() < half && now.duration_since(last.at).unsigned_abs() < half
    }

    fn saw(&self, key: Key, now: Timestamp) {
        *self.witness.lock().unwrap_or_else(PoisonError::into_inner) = Some(Witness { key, since: Instant::now(), at: now });
    }

    /// Looks for a row that another node let through, so that this one knows of it before it is asked.
    async fn look(&self, clock: &Clock) -> Result<(), StoreError> {
        let known = self.last_seen(clock.now());
        let query = sql(LOOK).bind(known.map(|last| last.key.to_vec()).unwrap_or_default());
        let Some(row) = self.store.first(query).await? else { return Ok(()) };
        // By the time of the answer: where this node stood still before it, the row's own time may be over.
        let now = clock.now();
        if let Some(known) = known
            && row.get::<i64>("witnesses")? == 0
        {
            return if self.is_young(&known, now) { self.begin_anew().await } else { Ok(()) };
        }
        // In the first half of its time, and unless a call was faster.
        let until = row.maybe::<i64>("until_us")?.unwrap_or_default();
        if until > now.as_microsecond() + microseconds(self.rules.keep / 2) && self.last_seen(now) == known {
            let key = Key::try_from(row.get::<Vec<u8>>("key")?).map_err(|_| StoreError::Unreadable { column: "key" })?;
            self.saw(key, now);
        }
        Ok(())
    }

    /// Has the memory begin anew, whatever it says of itself.
    async fn begin_anew(&self) -> Result<(), StoreError> {
        *self.witness.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.store.session().await?.execute(sql("UPDATE replay_memory SET memory = ''")).await.map(drop)
    }

    async fn since(&self) -> Result<Timestamp, StoreError> {
        let unreadable = || StoreError::Unreadable { column: "since_us" };
        let row = self.store.first(sql("SELECT since_us FROM replay_memory")).await?;
        Timestamp::from_microsecond(row.ok_or_else(unreadable)?.get("since_us")?).map_err(|_| unreadable())
    }

    async fn forget(&self, now: Timestamp) -> Result<u64, StoreError> {
        let statement = self.by_dialect(FORGET_SQLITE, FORGET).bind(now.as_microsecond()).bind(i64::from(FORGET_AT_ONCE));
        self.store.session().await?.execute(statement).await
    }

    fn by_dialect(&self, sqlite: &'static str, postgres: &'static str) -> Query {
        crate::store::by_dialect(sqlite, postgres)
    }

    async fn of_this_file(&self, statement: Query) -> Result<Query, StoreError> {
        Ok(match self.store.file().await? {
            Some(file) => statement.bind(file),
            None => statement,
        })
    }
}

impl Keeper for Rows {
    async fn keep(&mut self, keys: &[Key], now: Timestamp) -> Result<Kept, Failure> {
        let (new, since) = self.insert(keys, now).await.map_err(failure)?;
        let since = match since {
            Some(since) => since,
            None => {
                tracing::warn!("the replay memory was restored, or another server took over: it remembers from now on");
                self.settle(now).await.map_err(failure)?;
                self.since().await.map_err(failure)?
            }
        };
        Ok(Kept { new, since })
    }
}

fn failure(error: StoreError) -> Failure {
    let text = error.to_string();
    match error {
        error if error.gave_way() => Failure::GaveWay(text),
        StoreError::TooSlow(_) => Failure::Slow(text),
        // The server answered with an error: it kept nothing. Not so where a pooler says that a connection broke, or a server
        // that it is going.
        StoreError::Database(sqlx::Error::Database(refused)) => match refused.code().as_deref() {
            Some(code) if code.starts_with("08") || code.starts_with("57P") => Failure::Broken(text),
            _ => Failure::Unavailable(text),
        },
        StoreError::Database(_) | StoreError::Undecided(_) => Failure::Broken(text),
        _ => Failure::Unavailable(text),
    }
}

async fn forget(rows: Rows, clock: Clock, counts: Arc<Counts>) {
    loop {
        match rows.forget(clock.now()).await {
            Ok(deleted) => {
                counts.forgot(deleted);
                if deleted >= u64::from(FORGET_AT_ONCE) {
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "expired messages could not be deleted from the replay memory"),
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

async fn look(rows: Rows, clock: Clock) {
    loop {
        // What cannot be looked at now is told by the calls.
        let _ = rows.look(&clock).await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}
