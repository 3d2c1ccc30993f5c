//! Persons taken out for good: their running number, their employments, and what waits to be handed on. Campus is told to delete.
//!
//! Three ways lead here: the data controller decides it; the agreement's term after the last employment became inactive is over; and
//! in a store that was put back from a copy, what the audit's logs say was erased is erased again ([`replay`]) before anything is
//! imported. Each erasure is a decision, so that it stands in a log. Whoever is imported afterwards is new, with a running number that
//! has nothing to do with the one before.

pub mod replay;

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use uuid::Uuid;

use super::outbox::{self, Handed};
use super::rows;
use crate::agreements::Store;
use crate::audit::Subject;
use crate::clock::Clock;
use crate::decisions::record::What;
use crate::decisions::service::{Decision, For};
use crate::decisions::{Because, By, DecideError};
use crate::id::cvr::Cvr;
use crate::store::{Database, StoreError, Transaction, sql, until_it_holds};
use crate::users::rights::Action;

/// The state of a person in decisions.
const KNOWN: &str = "KENDT";
const ERASED: &str = "SLETTET";
/// Why a person is erased whom nobody decides on.
const TERM: &str = "aftalens frist for sletning er udløbet";
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

fn erasure(number: i64) -> What {
    What { subject: Subject::Person, id: id(number), from: Some(KNOWN.into()), to: ERASED.into(), shown: None }
}

fn number(id: Uuid) -> Option<i64> {
    i64::try_from(id.as_u128()).ok()
}

/// Erases a person, by a decision of the authority that is its data controller. `service`: the one that persons are imported by.
///
/// # Errors
/// [`EraseError`]; nothing was erased then.
pub async fn erase(store: &Store, by: By<'_>, person: i64, service: Uuid, because: &Because) -> Result<(), EraseError> {
    until_it_holds(async || erase_once(store, by, person, service, because).await).await
}

async fn erase_once(store: &Store, by: By<'_>, person: i64, service: Uuid, because: &Because) -> Result<(), EraseError> {
    let home = store.database().first(sql("SELECT home FROM person WHERE number = $1 LIMIT 1").bind(person)).await?;
    let home: String = home.ok_or(EraseError::NoSuch(person))?.get("home")?;
    let authority: Option<Cvr> = home.split('/').next().and_then(|cvr| cvr.parse().ok());
    let authority = authority.ok_or(StoreError::Unreadable { column: "home" })?;
    let decision = Decision { what: erasure(person), action: Action::ErasePerson, whose: For::Own(authority), service, because };
    let mut deciding = decision.begin(store, by).await?;
    if erased(deciding.change.transaction(), &[person].into(), because.at).await?.is_empty() {
        return Err(EraseError::NoSuch(person));
    }
    Ok(deciding.keep(None, &()).await?)
}

/// Whether persons were ever imported in this store.
///
/// # Errors
/// The store does not answer.
pub async fn are_kept(database: &Database) -> Result<bool, StoreError> {
    Ok(database.first(sql("SELECT id FROM person_counter")).await?.is_some())
}

/// How much earlier than a file came an erasure still counts as after it: for clocks that differ, and for a decision that was signed first.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// Whether a person of an authority was erased since something came.
///
/// # Errors
/// The store does not answer.
pub async fn any_since(database: &Database, authority: Cvr, came: Timestamp) -> Result<bool, StoreError> {
    let query = sql("SELECT home FROM person_institution WHERE home LIKE $1 AND erased_us >= $2 LIMIT 1");
    Ok(database.first(query.bind(format!("{authority}/%")).bind(since(came))).await?.is_some())
}

/// The same of an institution, which the transaction holds.
pub(super) async fn is_since(transaction: &mut Transaction, home: &str, came: Timestamp) -> Result<bool, StoreError> {
    let query = sql("SELECT home FROM person_institution WHERE home = $1 AND erased_us >= $2");
    Ok(transaction.first(query.bind(home).bind(since(came))).await?.is_some())
}

fn since(came: Timestamp) -> i64 {
    came.checked_sub(CLOCKS).unwrap_or(came).as_microsecond()
}

/// Erases persons, and says which of them there were.
async fn erased(transaction: &mut Transaction, numbers: &BTreeSet<i64>, at: Timestamp) -> Result<Vec<i64>, StoreError> {
    let mut homes = BTreeSet::new();
    for row in rows::of_numbers(transaction, "SELECT DISTINCT home FROM person WHERE number", numbers).await? {
        homes.insert(row.get::<String>("home")?);
    }
    for home in &homes {
        rows::hold(transaction, home).await?;
        let noted = sql("UPDATE person_institution SET erased_us = $1 WHERE home = $2 AND (erased_us IS NULL OR erased_us < $1)");
        transaction.execute(noted.bind(at.as_microsecond()).bind(home)).await?;
        // Answers that are given again for their key hold the running number. The key stays used: the import that it is of would bring the
        // person back. So does one whose import is under way, for nobody knows here whether that has the person.
        let authority = home.split('/').next().unwrap_or_default();
        transaction.execute(sql("UPDATE person_key SET answer = '' WHERE authority = $1").bind(authority)).await?;
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
    let mut gone = Vec::new();
    for number in numbers {
        if transaction.execute(sql("DELETE FROM person_number WHERE number = $1").bind(*number)).await? > 0 {
            outbox::erase(transaction, *number, at).await?;
            gone.push(*number);
        }
    }
    Ok(gone)
}

/// Erases those whose last employment became inactive as long ago as the agreement says, each by a decision that nobody needs to make.
/// How many there were. Where the persons of an institution cannot be read, the log says so, and those of the others are erased.
///
/// # Errors
/// The store does not answer.
pub async fn over(store: &Store, today: Date, clock: &Clock) -> Result<u64, StoreError> {
    let database = store.database();
    let terms = sql("SELECT home, erase_after_months FROM person_institution WHERE erase_after_months IS NOT NULL ORDER BY home");
    let mut count = 0;
    for row in database.all(terms).await? {
        let (home, months): (String, i64) = (row.get("home")?, row.get("erase_after_months")?);
        let Ok(last) = Span::new().try_months(months).and_then(|span| today.checked_sub(span)) else { continue };
        match over_in(store, &home, last, clock, &mut count).await {
            Err(error @ StoreError::Unreadable { .. }) => {
                tracing::error!(%error, institution = home, "persons whose term is over are not erased; it is tried again");
            }
            done => done?,
        }
    }
    Ok(count)
}

/// The same of one institution's, up to the day `last`.
async fn over_in(store: &Store, home: &str, last: Date, clock: &Clock, count: &mut u64) -> Result<(), StoreError> {
    loop {
        let due = sql("SELECT DISTINCT number FROM person WHERE home = $1 AND inactive_from <= $2
             AND NOT EXISTS (SELECT 1 FROM person AS other WHERE other.number = person.number
                 AND (other.inactive_from IS NULL OR other.inactive_from > $2)) ORDER BY number LIMIT $3");
        let due = due.bind(home).bind(last).bind(AT_ONCE);
        // Looked at first without the lock: most of the time there is nothing.
        if store.database().all(due.clone()).await?.is_empty() {
            return Ok(());
        }
        let mut change = store.change().await?;
        rows::hold(change.transaction(), home).await?;
        // Not the instant of the beginning: what came meanwhile came before the erasure.
        let because = Because::new(TERM.to_owned(), clock.now());
        let found = change.transaction().all(due).await?;
        let numbers = found.iter().map(|row| row.get("number")).collect::<Result<_, StoreError>>()?;
        let mut erased_now = 0;
        for number in erased(change.transaction(), &numbers, because.at).await? {
            change.made_by_nobody(&erasure(number), &because).await?;
            erased_now += 1;
        }
        change.commit().await?;
        *count += erased_now;
    }
}
