//! Business receipts: what a recipient makes of a file, and by when it must say so.
//!
//! A file that is answered has a row from the moment that it is judged. Delivered, it waits: overdue after [`DUE`] days, and after
//! [`LAST`] no answer is taken any more.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::users::{count, us};
use crate::store::{Row, Session, StoreError, sql};

/// Within so many days a recipient answers.
pub const DUE: i64 = 30;
/// After so many days an answer is refused.
pub const LAST: i64 = 40;

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// MODTAGET: the file is being judged, and nobody has it.
    Taken,
    /// AFVENTER: it is delivered and not answered.
    Awaited,
    /// FORSINKET: it should have been answered by now.
    Overdue,
    /// ACCEPTERET: the whole was accepted.
    Accepted,
    /// AFVIST: it was rejected, or a part of it.
    Rejected,
    /// UDLOEBET: it was not answered, and no answer is taken any more.
    Lapsed,
}

impl Standing {
    const ALL: [Self; 6] = [Self::Taken, Self::Awaited, Self::Overdue, Self::Accepted, Self::Rejected, Self::Lapsed];

    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Taken => "MODTAGET",
            Standing::Awaited => "AFVENTER",
            Standing::Overdue => "FORSINKET",
            Standing::Accepted => "ACCEPTERET",
            Standing::Rejected => "AFVIST",
            Standing::Lapsed => "UDLOEBET",
        }
    }

    /// Whether an answer may come yet.
    pub fn is_open(self) -> bool {
        matches!(self, Standing::Awaited | Standing::Overdue)
    }
}

/// What is known of the answer to a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The transfer that is answered.
    pub transfer: Uuid,
    /// What its content is known by, as the rule of its InfRef has it.
    pub mark: Vec<u8>,
    /// The id that stands in it.
    pub subject: Uuid,
    /// How many things are in it that are judged one by one.
    pub things: u64,
    /// Where it stands.
    pub standing: Standing,
    /// Until when it is to be answered.
    pub due: Option<Timestamp>,
    /// Until when an answer is taken.
    pub last: Option<Timestamp>,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// The transfer of the answer.
    pub answer: Option<Uuid>,
}

macro_rules! answers_where {
    ($condition:literal) => {
        sql(concat!(
            "SELECT transfer, mark, subject, things, state, due_us, last_us, answered_us, answer FROM file_answer WHERE ",
            $condition
        ))
    };
}

fn read(row: &Row) -> Result<Awaited, StoreError> {
    let state: String = row.get("state")?;
    let unreadable = StoreError::Unreadable { column: "state" };
    let instant = |column: &'static str| -> Result<Option<Timestamp>, StoreError> {
        row.maybe::<i64>(column)?.map(|us| super::users::instant(us, column)).transpose()
    };
    Ok(Awaited {
        transfer: row.get("transfer")?,
        mark: row.get("mark")?,
        subject: row.get("subject")?,
        things: count(row, "things")?,
        standing: Standing::ALL.into_iter().find(|known| known.name() == state).ok_or(unreadable)?,
        due: instant("due_us")?,
        last: instant("last_us")?,
        answered: instant("answered_us")?,
        answer: row.maybe("answer")?,
    })
}

/// That of a transfer.
///
/// # Errors
/// The store.
pub async fn of(session: &mut Session, transfer: Uuid) -> Result<Option<Awaited>, StoreError> {
    session.first(answers_where!("transfer = $1").bind(transfer)).await?.as_ref().map(read).transpose()
}

/// The newest of what is known by a mark: delivered, and answered or not.
///
/// # Errors
/// The store.
pub async fn by_mark(session: &mut Session, mark: &[u8]) -> Result<Option<Awaited>, StoreError> {
    let query = answers_where!("mark = $1 AND state <> 'MODTAGET' ORDER BY due_us DESC, transfer LIMIT 1").bind(mark);
    session.first(query).await?.as_ref().map(read).transpose()
}

/// A transfer is being judged whose content has this mark.
///
/// # Errors
/// The store.
pub async fn taken(session: &mut Session, transfer: Uuid, mark: &[u8], subject: Uuid, things: u64) -> Result<(), StoreError> {
    let taken = sql("INSERT INTO file_answer (transfer, mark, subject, things, state) VALUES ($1, $2, $3, $4, 'MODTAGET')
                     ON CONFLICT (transfer) DO UPDATE SET mark = excluded.mark, subject = excluded.subject, things = excluded.things
                     WHERE file_answer.state = 'MODTAGET'");
    let things = i64::try_from(things).unwrap_or(i64::MAX);
    session.execute(taken.bind(transfer).bind(mark).bind(subject).bind(things)).await.map(drop)
}

/// It is delivered, and the clocks run.
///
/// # Errors
/// The store.
pub async fn awaited(session: &mut Session, transfer: Uuid, now: Timestamp) -> Result<(), StoreError> {
    let after = |days: i64| us(now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(now));
    let awaited = sql("UPDATE file_answer SET state = 'AFVENTER', due_us = $1, last_us = $2 WHERE transfer = $3");
    // Without its row the claim was given back meanwhile, and the file must not be delivered.
    match session.execute(awaited.bind(after(DUE)).bind(after(LAST)).bind(transfer)).await? {
        1 => Ok(()),
        _ => Err(StoreError::Unreadable { column: "file_answer.state" }),
    }
}

/// Nothing comes of the transfer: the mark of its delivery, where it had one and was not delivered.
///
/// # Errors
/// The store.
pub async fn taken_back(session: &mut Session, transfer: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
    let back = sql("DELETE FROM file_answer WHERE transfer = $1 AND state = 'MODTAGET' RETURNING mark");
    session.first(back.bind(transfer)).await?.map(|row| row.get("mark")).transpose()
}

/// It is answered; whether this is the first answer.
///
/// # Errors
/// The store.
pub async fn answered(
    session: &mut Session,
    transfer: Uuid,
    standing: Standing,
    answer: Uuid,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let answered = sql("UPDATE file_answer SET state = $1, answered_us = $2, answer = $3
                        WHERE transfer = $4 AND state IN ('AFVENTER', 'FORSINKET')");
    Ok(session.execute(answered.bind(standing.name()).bind(us(now)).bind(answer).bind(transfer)).await? == 1)
}

/// Nothing came of the transfer.
///
/// # Errors
/// The store.
pub async fn forget(session: &mut Session, transfer: Uuid) -> Result<(), StoreError> {
    let forget = sql("DELETE FROM file_answer WHERE transfer = $1 AND state = 'MODTAGET'");
    session.execute(forget.bind(transfer)).await.map(drop)
}

/// It is overdue from now on; whether that is new.
pub(super) async fn overdue(session: &mut Session, transfer: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let overdue = sql("UPDATE file_answer SET state = 'FORSINKET' WHERE transfer = $1 AND state = 'AFVENTER' AND due_us <= $2");
    Ok(session.execute(overdue.bind(transfer).bind(us(now))).await? == 1)
}

/// It was not answered; whether that is new.
pub(super) async fn lapsed(session: &mut Session, transfer: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let lapsed = sql("UPDATE file_answer SET state = 'UDLOEBET'
                      WHERE transfer = $1 AND state IN ('AFVENTER', 'FORSINKET') AND last_us <= $2");
    Ok(session.execute(lapsed.bind(transfer).bind(us(now))).await? == 1)
}

/// What stands with the newest transfers, by transfer.
///
/// # Errors
/// The store.
pub async fn newest(session: &mut Session, most: u32) -> Result<Vec<Awaited>, StoreError> {
    let query = answers_where!("state <> 'MODTAGET' ORDER BY due_us DESC, transfer LIMIT $1");
    session.all(query.bind(i64::from(most))).await?.iter().map(read).collect()
}
