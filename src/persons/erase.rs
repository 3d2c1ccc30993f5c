//! Persons taken out for good: their running number, their employments, and what waits to be handed on. Campus is told to delete.
//!
//! Three ways lead here: the data controller decides it; the agreement's term after the last employment became inactive is over; and
//! in a store that was put back from a copy, what the audit's chain says was erased is erased again before anything is imported.
//! Whoever is imported afterwards is new, with a running number that has nothing to do with the one before.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use uuid::Uuid;

use super::outbox::{self, Handed};
use super::rows;
use crate::agreements::Store;
use crate::audit::{Subject, decided};
use crate::decisions::record::What;
use crate::decisions::service::{Decision, For};
use crate::decisions::{Because, By, DecideError};
use crate::id::cvr::Cvr;
use crate::store::{Database, Row, StoreError, Transaction, sql};
use crate::users::rights::Action;

/// The state of a person in decisions.
const KNOWN: &str = "KENDT";
const ERASED: &str = "SLETTET";
/// How many are erased in one transaction.
const AT_ONCE: i64 = 500;

/// Why nobody was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// There is none.
    #[error("there is no person with the running number {0}; `hjemmel persons show` finds one")]
    NoSuch(i64),
    /// The audit's log cannot be read.
    #[error("what was erased cannot be read from the audit at {}: {error}", path.display())]
    Audit {
        /// Its folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

impl From<StoreError> for EraseError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

/// A person's id in decisions and in the audit: the running number.
pub fn id(number: i64) -> Uuid {
    Uuid::from_u128(u128::try_from(number).unwrap_or_default())
}

fn number(id: Uuid) -> Option<i64> {
    i64::try_from(id.as_u128()).ok()
}

/// Erases a person, by a decision of the authority that is its data controller. `service`: the one that persons are imported by.
///
/// # Errors
/// [`EraseError`]; nothing was erased then.
pub async fn erase(store: &Store, by: By<'_>, person: i64, service: Uuid, because: &Because) -> Result<(), EraseError> {
    let home = store.database().first(sql("SELECT home FROM person WHERE number = $1 LIMIT 1").bind(person)).await?;
    let home: String = home.ok_or(EraseError::NoSuch(person))?.get("home")?;
    let authority: Option<Cvr> = home.split('/').next().and_then(|cvr| cvr.parse().ok());
    let authority = authority.ok_or(StoreError::Unreadable { column: "home" })?;
    let what = What { subject: Subject::Person, id: id(person), from: Some(KNOWN.into()), to: ERASED.into(), shown: None };
    let decision = Decision { what, action: Action::ErasePerson, whose: For::Own(authority), service, because };
    let mut deciding = decision.begin(store, by).await?;
    if erased(deciding.change.transaction(), &[person].into(), because.at).await? == 0 {
        return Err(EraseError::NoSuch(person));
    }
    Ok(deciding.keep(None, &()).await?)
}

/// Erases persons, and says how many there were.
async fn erased(transaction: &mut Transaction, numbers: &BTreeSet<i64>, at: Timestamp) -> Result<u64, StoreError> {
    let mut homes = BTreeSet::new();
    for row in rows::of_numbers(transaction, "SELECT DISTINCT home FROM person WHERE number", numbers).await? {
        homes.insert(row.get::<String>("home")?);
    }
    for home in &homes {
        rows::hold(transaction, home).await?;
    }
    let mut freed = Vec::new();
    for (key, mut employment) in rows::managed(transaction, numbers).await? {
        if !numbers.contains(&key.0) {
            employment.manager = None;
            freed.push((key, employment));
        }
    }
    let changed: Vec<_> = freed.iter().map(|(key, employment)| (key, employment)).collect();
    rows::keep(transaction, &changed).await?;
    let handed: Vec<Handed> = freed.iter().map(|(key, employment)| employment.handed(key)).collect();
    outbox::put(transaction, &handed, at).await?;
    rows::of_numbers(transaction, "DELETE FROM person WHERE number", numbers).await?;
    let mut count = 0;
    for number in numbers {
        let gone = transaction.execute(sql("DELETE FROM person_number WHERE number = $1").bind(*number)).await?;
        if gone > 0 {
            outbox::erase(transaction, *number, at).await?;
        }
        count += gone;
    }
    Ok(count)
}

/// Erases those whose last employment became inactive as long ago as the agreement says. How many there were.
///
/// # Errors
/// The store does not answer.
pub async fn over(database: &Database, today: Date, at: Timestamp) -> Result<u64, StoreError> {
    let terms = sql("SELECT home, erase_after_months FROM person_institution WHERE erase_after_months IS NOT NULL ORDER BY home");
    let mut count = 0;
    for row in database.all(terms).await? {
        let (home, months): (String, i64) = (row.get("home")?, row.get("erase_after_months")?);
        let Ok(last) = Span::new().try_months(months).and_then(|span| today.checked_sub(span)) else { continue };
        loop {
            let due = sql("SELECT DISTINCT number FROM person WHERE home = $1 AND inactive_from <= $2
                 AND NOT EXISTS (SELECT 1 FROM person AS other WHERE other.number = person.number
                     AND (other.inactive_from IS NULL OR other.inactive_from > $2)) ORDER BY number LIMIT $3");
            let due = due.bind(&home).bind(last).bind(AT_ONCE);
            // Looked at first without the lock: most of the time there is nothing.
            if database.all(due.clone()).await?.is_empty() {
                break;
            }
            let mut transaction = database.begin_beside_others().await?;
            rows::hold(&mut transaction, &home).await?;
            let numbers =
                { transaction.all(due).await? }.iter().map(|row| row.get("number")).collect::<Result<_, StoreError>>()?;
            count += erased(&mut transaction, &numbers, at).await?;
            transaction.commit().await?;
        }
    }
    Ok(count)
}

/// When the store was last put back, and whether this node has erased again since.
async fn put_back(database: &Database, node: Uuid) -> Result<(Option<Timestamp>, bool), StoreError> {
    let row = database.first(standing().bind(node)).await?;
    let row = row.ok_or(StoreError::Unreadable { column: "restored" })?;
    let restored = row.maybe::<Timestamp>("restored")?;
    Ok((restored, is_current(&row)?))
}

fn standing() -> crate::store::Query {
    sql(
        "SELECT (SELECT max(at) FROM store_restored) AS restored, (SELECT max(restored) FROM person_replayed WHERE node = $1) AS replayed",
    )
}

fn is_current(row: &Row) -> Result<bool, StoreError> {
    let (restored, replayed) = (row.maybe::<Timestamp>("restored")?, row.maybe::<Timestamp>("replayed")?);
    Ok(restored.is_none() || restored <= replayed)
}

/// Whether those who were erased are erased, as far as the node knows.
pub(super) async fn is_done(transaction: &mut Transaction, node: Uuid) -> Result<bool, StoreError> {
    let row = transaction.first(standing().bind(node)).await?;
    is_current(&row.ok_or(StoreError::Unreadable { column: "restored" })?)
}

/// In a store that was put back: erases again whom the node's audit says to be erased. How many of them were there again.
///
/// # Errors
/// [`EraseError::Audit`], or a store that does not answer.
pub async fn again(database: &Database, node: Uuid, audit: &Path, at: Timestamp) -> Result<u64, EraseError> {
    let (Some(restored), false) = put_back(database, node).await? else { return Ok(0) };
    let folder = audit.to_owned();
    let read = tokio::task::spawn_blocking(move || decided::decisions(&folder)).await;
    let read = read.map_err(std::io::Error::other).flatten();
    let decisions = read.map_err(|error| EraseError::Audit { path: audit.to_owned(), error })?;
    let erasures = decisions.into_iter().map(|(decided, _)| decided);
    let erasures = erasures.filter(|decided| decided.subject == Subject::Person && decided.to == ERASED);
    let numbers: Vec<i64> = erasures.filter_map(|decided| number(decided.id)).collect();
    let mut count = 0;
    for some in numbers.chunks(500) {
        let mut transaction = database.begin_beside_others().await?;
        count += erased(&mut transaction, &some.iter().copied().collect(), at).await?;
        transaction.commit().await?;
    }
    let told = sql("INSERT INTO person_replayed (node, restored) VALUES ($1, $2)
         ON CONFLICT (node) DO UPDATE SET restored = excluded.restored");
    let mut transaction = database.begin_beside_others().await?;
    transaction.execute(told.bind(node).bind(restored)).await?;
    transaction.commit().await?;
    Ok(count)
}
