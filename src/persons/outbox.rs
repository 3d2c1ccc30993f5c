//! The outbox to Campus: what is to be handed on of each person, written in the transaction that changes the person.
//!
//! A row is one employment, whole, or the notice that a person is erased. Campus is told how the employment is when the row is taken. Rows of one person are taken one after the other; of two
//! takers none has a row that the other has. A row is deleted in the transaction that notes what Campus holds. It is handed on at least
//! once; the worker ([`super::campus::work`]) sees to it that Campus has it once.
//!
//! Running numbers alone stand here, never a CPR number.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::value::assembled_for;
use crate::store::{Database, Dialect, Row, Session, StoreError, Transaction, by_dialect, sql, until_it_holds};

/// Of why Campus did not take a row so much is kept, in characters.
const PROBLEM_CHARACTERS: usize = 300;
/// What a row says that tells Campus to delete.
pub(super) const ERASED: &str = "SLET";
/// Rows that are written with one statement.
const AT_ONCE: usize = 500;

/// One employment of one person, as it is handed on: whole. What is not there is absent in Campus too.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Handed {
    /// The person's running number.
    pub number: i64,
    /// The CVR number of the authority whose institution it is.
    pub authority: String,
    /// InstitutionsID1.
    pub institution: String,
    /// The staff number: with authority and institution it tells one employment of a person from the others.
    pub staff_number: String,
    /// InstitutionsID2.
    pub department: String,
    /// The municipality's code.
    pub municipality: Option<String>,
    /// 0 a man, 1 a woman, 2 unknown.
    pub sex: Option<String>,
    pub first_names: Option<String>,
    pub surname: Option<String>,
    /// E-mail.
    pub email: Option<String>,
    pub user_name: Option<String>,
    pub birth_date: Option<Date>,
    /// The collective agreement's number (PKAT), three digits.
    pub collective_agreement: Option<String>,
    pub pay_frame: Option<String>,
    /// The position's code (STIKO).
    pub position: Option<String>,
    /// From this day on the employment is not active (the action code's date).
    pub inactive_from: Option<Date>,
    /// The day of employment.
    pub employed_from: Option<Date>,
    pub class: Option<String>,
    /// Job: the id of a competence profile.
    pub job: Option<String>,
    /// The job's title.
    pub job_title: Option<String>,
    pub phone: Option<String>,
    /// The manager's running number.
    pub manager: Option<i64>,
    /// The manager's staff number.
    #[serde(default)]
    pub manager_staff_number: Option<String>,
    pub ean: Option<String>,
    pub nationality: Option<String>,
}

impl Handed {
    /// Whether both are about one employment.
    pub fn is_of(&self, other: &Self) -> bool {
        let employment = |one: &Self| (one.number, one.authority.clone(), one.institution.clone(), one.staff_number.clone());
        employment(self) == employment(other)
    }
}

impl std::fmt::Debug for Handed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handed({})", self.number)
    }
}

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An employment.
    Person(Box<Handed>),
    /// What Campus was told before, as it reads today: an employment has ended, or a manager has come.
    Again,
    /// The person is erased.
    Erased,
    /// What this release cannot read: it holds up that person alone.
    Unreadable,
}

/// A row that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its number. Of one person, later ones are greater.
    pub id: i64,
    /// The person.
    pub number: i64,
    /// What it says.
    pub what: What,
    /// How often Campus has been asked to take it and did not.
    pub attempts: u32,
    lease: Uuid,
}

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its number.
    pub id: i64,
    /// The person.
    pub number: i64,
    /// PERSON, IGEN or SLET.
    pub what: String,
    /// Whether it is given up.
    pub is_dead: bool,
    /// How often Campus did not take it.
    pub attempts: i64,
    /// Why not, the last time.
    pub problem: Option<String>,
    /// Since when it waits.
    pub added: Timestamp,
    /// When it is tried next.
    pub due: Timestamp,
}

/// The state of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Rows that wait or are under way.
    pub waiting: u64,
    /// Rows that are given up.
    pub dead: u64,
    /// For how long the oldest that waits has waited.
    pub oldest: Duration,
}

/// Why nothing became of it.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lease ended, and another may have the row.
    #[error("row {0} was not finished within its lease and may have been given to another")]
    Lost(i64),
}

fn microseconds(at: Timestamp) -> i64 {
    at.as_microsecond()
}

fn instant(row: &Row, column: &'static str) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|_| StoreError::Unreadable { column })
}

/// Writes employments that are to be handed on; they are there when `transaction` is committed. Of one person they are handed on in
/// the order in which they are written: the caller holds the person's row, so that two imports of it follow each other.
///
/// # Errors
/// The store does not do as asked.
pub async fn put(transaction: &mut Transaction, handed: &[Handed], now: Timestamp) -> Result<(), StoreError> {
    for some in handed.chunks(AT_ONCE) {
        let mut text = "INSERT INTO person_outbox (number, what, content, state, attempts, added_us, due_us) VALUES ".to_owned();
        for nth in 0..some.len() {
            let comma = if nth == 0 { "" } else { ", " };
            // The last parameter is the instant.
            let (number, content, at) = (2 * nth + 1, 2 * nth + 2, 2 * some.len() + 1);
            let _ = write!(text, "{comma}(${number}, 'PERSON', ${content}, 'VENTER', 0, ${at}, ${at})");
        }
        let mut query = assembled_for(text.clone(), text);
        for one in some {
            let content = serde_json::to_vec(one).map_err(|_| StoreError::Unreadable { column: "content" })?;
            query = query.bind(one.number).bind(content);
        }
        transaction.execute(query.bind(microseconds(now))).await?;
    }
    Ok(())
}

/// The person is erased: what waits is not handed on, and Campus is told to delete the user.
///
/// # Errors
/// The store does not do as asked.
pub async fn erase(transaction: &mut Transaction, number: i64, now: Timestamp) -> Result<(), StoreError> {
    // One that is under way keeps its place, so that what follows waits for it; taken again it tells nothing.
    let nothing: &[u8] = &[];
    let emptied = sql("UPDATE person_outbox SET what = 'IGEN', content = $2 WHERE number = $1 AND lease IS NOT NULL");
    transaction.execute(emptied.bind(number).bind(nothing)).await?;
    transaction.execute(sql("DELETE FROM person_outbox WHERE number = $1 AND lease IS NULL").bind(number)).await?;
    transaction.execute(sql("DELETE FROM person_handed WHERE number = $1").bind(number)).await?;
    // Also of one that Campus is not known to have: an answer may have been lost.
    transaction.execute(add(number, ERASED, now)).await.map(drop)
}

fn add(number: i64, what: &'static str, now: Timestamp) -> crate::store::Query {
    let nothing: &[u8] = &[];
    sql("INSERT INTO person_outbox (number, what, content, state, attempts, added_us, due_us) VALUES ($1, $2, $3, 'VENTER', 0, $4, $4)")
        .bind(number)
        .bind(what)
        .bind(nothing)
        .bind(microseconds(now))
}

/// Takes rows that are due, the oldest first, `most` at most, and of each person only the first, and none while another has one.
///
/// PostgreSQL gives a row its number before it is committed: an earlier one may come to be seen after a later one was taken. So a
/// person of whom anybody has a row is left alone whatever the numbers, and takers follow each other.
///
/// An erasure goes before whatever else there is of the person that is not under way: what Campus refused, or is to be told again later,
/// must not keep the user there.
///
/// # Errors
/// The store does not answer. What it may have given is given again when the lease ends.
pub async fn take(database: &Database, most: u32, lease: Duration, now: Timestamp) -> Result<Vec<Taken>, StoreError> {
    let take = by_dialect(
        "WITH next AS MATERIALIZED (
             SELECT id FROM person_outbox AS waiting WHERE state = 'VENTER' AND due_us <= $1
               AND NOT EXISTS (SELECT 1 FROM person_outbox AS other WHERE other.number = waiting.number
                   AND (other.lease IS NOT NULL AND other.due_us > $1
                       OR waiting.what <> 'SLET' AND (other.id < waiting.id OR other.what = 'SLET')))
             ORDER BY id LIMIT $2)
         UPDATE person_outbox SET lease = $3, due_us = $4 WHERE id IN (SELECT id FROM next)
         RETURNING id, number, what, content, attempts",
        "WITH next AS MATERIALIZED (
             SELECT id FROM person_outbox AS waiting WHERE state = 'VENTER' AND due_us <= $1
               AND NOT EXISTS (SELECT 1 FROM person_outbox AS other WHERE other.number = waiting.number
                   AND (other.lease IS NOT NULL AND other.due_us > $1
                       OR waiting.what <> 'SLET' AND (other.id < waiting.id OR other.what = 'SLET')))
             ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
         UPDATE person_outbox SET lease = $3, due_us = $4 WHERE id IN (SELECT id FROM next)
         RETURNING id, number, what, content, attempts",
    );
    let (own, now) = (Uuid::new_v4(), microseconds(now));
    let until = now.saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX / 4));
    let take = take.bind(now).bind(i64::from(most)).bind(own).bind(until);
    let rows = until_it_holds(async || {
        let mut transaction = database.begin_beside_others().await?;
        if transaction.dialect() == Dialect::Postgres {
            transaction.execute(sql("SELECT pg_advisory_xact_lock(hashtextextended('person_outbox', 0))")).await?;
        }
        let rows = transaction.all(take.clone()).await?;
        transaction.commit().await.map(|()| rows)
    })
    .await?;
    let mut taken = rows.iter().map(|row| read(row, own)).collect::<Result<Vec<_>, _>>()?;
    taken.sort_by_key(|taken| taken.id);
    Ok(taken)
}

fn read(row: &Row, lease: Uuid) -> Result<Taken, StoreError> {
    let what = match row.get::<String>("what")?.as_str() {
        "PERSON" => {
            let content: Vec<u8> = row.get("content")?;
            serde_json::from_slice(&content).map_or(What::Unreadable, What::Person)
        }
        "IGEN" => What::Again,
        ERASED => What::Erased,
        _ => What::Unreadable,
    };
    let attempts: i64 = row.get("attempts")?;
    let attempts = u32::try_from(attempts).map_err(|_| StoreError::Unreadable { column: "attempts" })?;
    Ok(Taken { id: row.get("id")?, number: row.get("number")?, what, attempts, lease })
}

/// A person of whom nobody takes anything until [`let_go`], or until the lease ends.
#[derive(Debug)]
pub struct Held {
    number: i64,
    lease: Uuid,
}

/// Holds a person for a change in Campus that no row asks for: what waits, also an erasure that comes meanwhile, is taken after it. `None`:
/// nobody has the number any more. A lease that ends tells Campus nothing by itself.
///
/// # Errors
/// The store does not do as asked.
pub async fn hold(database: &Database, number: i64, lease: Duration, now: Timestamp) -> Result<Option<Held>, StoreError> {
    let own = Uuid::new_v4();
    let until = microseconds(now).saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX / 4));
    until_it_holds(async || -> Result<Option<Held>, StoreError> {
        let mut transaction = database.begin_beside_others().await?;
        if !is_somebodys(&mut transaction, number).await? {
            return Ok(None);
        }
        let nothing: &[u8] = &[];
        let hold = sql("INSERT INTO person_outbox (number, what, content, state, attempts, added_us, due_us, lease)
             VALUES ($1, 'IGEN', $2, 'VENTER', 0, $3, $4, $5)");
        transaction.execute(hold.bind(number).bind(nothing).bind(microseconds(now)).bind(until).bind(own)).await?;
        transaction.commit().await?;
        Ok(Some(Held { number, lease: own }))
    })
    .await
}

/// Lets go of a person; whether the number is still somebody's. Where it is not, Campus is told to delete once more: what was told
/// before may have come before the change.
///
/// # Errors
/// The store does not do as asked.
pub async fn let_go(transaction: &mut Transaction, held: &Held, now: Timestamp) -> Result<bool, StoreError> {
    let is_somebodys = is_somebodys(transaction, held.number).await?;
    let own = sql("DELETE FROM person_outbox WHERE number = $1 AND lease = $2");
    transaction.execute(own.bind(held.number).bind(held.lease)).await?;
    if !is_somebodys {
        erase(transaction, held.number, now).await?;
    }
    Ok(is_somebodys)
}

/// Whether somebody has a running number; an erasure waits until the transaction ends.
async fn is_somebodys(transaction: &mut Transaction, number: i64) -> Result<bool, StoreError> {
    let find = by_dialect(
        "SELECT number FROM person_number WHERE number = $1",
        "SELECT number FROM person_number WHERE number = $1 FOR UPDATE",
    );
    Ok(transaction.first(find.bind(number)).await?.is_some())
}

fn held(taken: &Taken, rows: u64) -> Result<(), OutboxError> {
    if rows == 0 { Err(OutboxError::Lost(taken.id)) } else { Ok(()) }
}

/// Campus has it: the row is gone when `transaction` is committed, with what else is noted there.
///
/// # Errors
/// [`OutboxError::Lost`]: do not commit.
pub async fn done_with(transaction: &mut Transaction, taken: &Taken) -> Result<(), OutboxError> {
    let done = sql("DELETE FROM person_outbox WHERE id = $1 AND lease = $2").bind(taken.id).bind(taken.lease);
    held(taken, transaction.execute(done).await?)
}

/// Campus has nobody of an erased person's number any more: with the erasure goes what was left behind it.
///
/// # Errors
/// [`OutboxError::Lost`]: do not commit.
pub async fn erased_with(transaction: &mut Transaction, taken: &Taken) -> Result<(), OutboxError> {
    done_with(transaction, taken).await?;
    // One that is under way by now belongs to its taker, who finds nobody.
    let left = sql("DELETE FROM person_outbox WHERE number = $1 AND id < $2 AND lease IS NULL");
    Ok(transaction.execute(left.bind(taken.number).bind(taken.id)).await.map(drop)?)
}

/// What becomes of a row that Campus did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again at this instant. `counted`: Campus saw it.
    Again {
        /// When.
        due: Timestamp,
        /// Whether Campus saw it.
        counted: bool,
    },
    /// It is given up until somebody retries or drops it, and holds up what follows of the same person, but not an erasure.
    Dead,
}

/// Campus did not take it. `why`: nothing of a person.
///
/// # Errors
/// [`OutboxError::Lost`]: another has it.
pub async fn not_taken(database: &Database, taken: &Taken, why: &str, fate: Fate) -> Result<(), OutboxError> {
    let why: String = why.chars().take(PROBLEM_CHARACTERS).collect();
    let (state, due, counted) = match fate {
        Fate::Again { due, counted } => ("VENTER", Some(microseconds(due)), counted),
        Fate::Dead => ("OPGIVET", None, true),
    };
    let failed = sql(
        "UPDATE person_outbox SET state = $3, due_us = coalesce($4, due_us), attempts = attempts + $5, problem = $6, lease = NULL
         WHERE id = $1 AND lease = $2 AND state = 'VENTER'",
    );
    let failed = failed.bind(taken.id).bind(taken.lease).bind(state).bind(due).bind(i64::from(counted)).bind(why);
    held(taken, database.execute(failed).await?)
}

/// Its state.
///
/// # Errors
/// The store does not answer.
pub async fn figures(database: &Database, now: Timestamp) -> Result<Figures, StoreError> {
    let count = sql(
        "SELECT count(CASE WHEN state = 'VENTER' THEN 1 END) AS waiting, count(CASE WHEN state = 'OPGIVET' THEN 1 END) AS dead,
             coalesce(min(CASE WHEN state = 'VENTER' THEN added_us END), $1) AS oldest_us FROM person_outbox",
    );
    let row = database.first(count.bind(microseconds(now))).await?.ok_or(StoreError::Unreadable { column: "waiting" })?;
    let positive = |column| Ok::<_, StoreError>(u64::try_from(row.get::<i64>(column)?).unwrap_or_default());
    let oldest = microseconds(now).saturating_sub(row.get("oldest_us")?);
    Ok(Figures {
        waiting: positive("waiting")?,
        dead: positive("dead")?,
        oldest: Duration::from_micros(u64::try_from(oldest).unwrap_or_default()),
    })
}

/// The oldest rows, `most` at most; those that are given up come first.
///
/// # Errors
/// The store does not answer.
pub async fn oldest(database: &Database, most: u32) -> Result<Vec<Standing>, StoreError> {
    let list = sql("SELECT id, number, what, state, attempts, problem, added_us, due_us FROM person_outbox
         ORDER BY CASE WHEN state = 'OPGIVET' THEN 0 ELSE 1 END, id LIMIT $1");
    database.all(list.bind(i64::from(most))).await?.iter().map(standing).collect()
}

/// One row.
///
/// # Errors
/// The store does not answer.
pub async fn with_id(session: &mut Session, id: i64) -> Result<Option<Standing>, StoreError> {
    let find = sql("SELECT id, number, what, state, attempts, problem, added_us, due_us FROM person_outbox WHERE id = $1");
    session.first(find.bind(id)).await?.as_ref().map(standing).transpose()
}

fn standing(row: &Row) -> Result<Standing, StoreError> {
    Ok(Standing {
        id: row.get("id")?,
        number: row.get("number")?,
        what: row.get("what")?,
        is_dead: row.get::<String>("state")? == "OPGIVET",
        attempts: row.get("attempts")?,
        problem: row.maybe("problem")?,
        added: instant(row, "added_us")?,
        due: instant(row, "due_us")?,
    })
}

/// What waits of employments, from the row after `after` on, `most` at most, with the last row's number.
///
/// # Errors
/// The store does not answer.
pub async fn waiting(database: &Database, after: i64, most: u32) -> Result<Vec<(i64, Handed)>, StoreError> {
    let read = |(id, handed): (i64, Option<Handed>)| Ok((id, handed.ok_or(StoreError::Unreadable { column: "content" })?));
    waiting_as_read(database, after, most).await?.into_iter().map(read).collect()
}

/// The same; nothing of what cannot be read.
pub(super) async fn waiting_as_read(
    database: &Database,
    after: i64,
    most: u32,
) -> Result<Vec<(i64, Option<Handed>)>, StoreError> {
    let list = sql("SELECT id, content FROM person_outbox WHERE what = 'PERSON' AND id > $1 ORDER BY id LIMIT $2");
    let rows = database.all(list.bind(after).bind(i64::from(most))).await?;
    let read = |row: &Row| {
        let content: Vec<u8> = row.get("content")?;
        Ok((row.get("id")?, serde_json::from_slice(&content).ok()))
    };
    rows.iter().map(read).collect()
}

/// Every row that is given up.
///
/// # Errors
/// The store does not answer.
pub async fn dead(session: &mut Session) -> Result<Vec<i64>, StoreError> {
    let dead = session.all(sql("SELECT id FROM person_outbox WHERE state = 'OPGIVET' ORDER BY id")).await?;
    dead.iter().map(|row| row.get("id")).collect()
}

/// Whether there are rows that are given up and of which the operators do not know.
///
/// # Errors
/// The store does not answer.
pub async fn is_unreported(session: &mut Session) -> Result<bool, StoreError> {
    let untold = sql("SELECT id FROM person_outbox WHERE state = 'OPGIVET' AND told_us IS NULL LIMIT 1");
    Ok(session.first(untold).await?.is_some())
}

/// The operators know of every row that is given up; how many are new to them.
///
/// # Errors
/// The store does not answer.
pub async fn mark_reported(session: &mut Session, now: Timestamp) -> Result<u64, StoreError> {
    let told = sql("UPDATE person_outbox SET told_us = $1 WHERE state = 'OPGIVET' AND told_us IS NULL");
    session.execute(told.bind(microseconds(now))).await
}

/// Begins a row that is given up anew; whether there is one.
///
/// # Errors
/// The store does not answer.
pub async fn retry(session: &mut Session, id: i64, now: Timestamp) -> Result<bool, StoreError> {
    let retry = sql(
        "UPDATE person_outbox SET state = 'VENTER', attempts = 0, due_us = $2, told_us = NULL WHERE id = $1 AND state = 'OPGIVET'",
    );
    Ok(session.execute(retry.bind(id).bind(microseconds(now))).await? > 0)
}

/// Drops a row that is given up: those behind it go on. Whether there is one.
///
/// # Errors
/// The store does not answer.
pub async fn drop_dead(session: &mut Session, id: i64) -> Result<bool, StoreError> {
    let drop = sql("DELETE FROM person_outbox WHERE id = $1 AND state = 'OPGIVET'");
    Ok(session.execute(drop.bind(id)).await? > 0)
}

/// Writes down what follows from the day and from managers who came: for each person who changes by it, that Campus is told again.
/// How many there are.
///
/// # Errors
/// The store does not answer.
pub async fn awaken(database: &Database, today: Date, now: Timestamp) -> Result<usize, StoreError> {
    const MOST: i64 = 1000;
    let wake = sql("SELECT number FROM person_campus WHERE wakes <= $1 ORDER BY number LIMIT $2");
    let manager = sql(
        "SELECT DISTINCT person_handed.number AS number FROM person_handed JOIN person_campus ON person_campus.number = person_handed.manager
         WHERE manager_missing = 1 ORDER BY 1 LIMIT $1",
    );
    let mut session = database.session().await?;
    let woken = session.all(wake.bind(today).bind(MOST)).await?;
    let found = session.all(manager.bind(MOST)).await?;
    drop(session);
    if woken.is_empty() && found.is_empty() {
        return Ok(0);
    }
    let of = |rows: &[Row]| rows.iter().map(|row| row.get("number")).collect::<Result<BTreeSet<i64>, StoreError>>();
    let (woken, found) = (of(&woken)?, of(&found)?);
    until_it_holds(async || {
        let mut written = 0;
        let mut transaction = database.begin_beside_others().await?;
        // What another node wrote meanwhile changes no row here.
        for number in &woken {
            let woke = sql("UPDATE person_campus SET wakes = NULL WHERE number = $1 AND wakes <= $2").bind(*number).bind(today);
            if transaction.execute(woke).await? > 0 {
                transaction.execute(add(*number, "IGEN", now)).await?;
                written += 1;
            }
        }
        for number in &found {
            let told = sql("UPDATE person_handed SET manager_missing = 0 WHERE number = $1 AND manager_missing = 1
                            AND manager IN (SELECT number FROM person_campus)");
            if transaction.execute(told.bind(*number)).await? > 0 {
                transaction.execute(add(*number, "IGEN", now)).await?;
                written += 1;
            }
        }
        transaction.commit().await.map(|()| written)
    })
    .await
}
