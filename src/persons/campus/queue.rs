//! What operators decide on what Campus refuses: to try it again, or to drop it. As every decision, each is put into the audit's chain.
//! They are told of it by mail.

use jiff::Timestamp;
use uuid::Uuid;

use crate::agreements::Store;
use crate::audit::Subject;
use crate::decisions::record::What;
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, DecideError};
use crate::notices::audience::Audience;
use crate::notices::{Kind, Notice};
use crate::persons::outbox;
use crate::store::{StoreError, until_it_holds};
use crate::users::Actor;
use crate::users::rights::{Action, Role};

/// What is done to a row that is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It is tried again.
    Retry,
    /// It is dropped: Campus is not told, and what follows of the same person goes on. Not where the person is erased.
    Drop,
}

/// Why it was not decided. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// There is no such row.
    #[error("there is no row {0} in the queue that is given up; `hjemmel persons queue show` lists them")]
    NotDead(i64),
    /// Campus may still have the user of a person who is erased.
    #[error(
        "row {0} says that a person is erased, and is not dropped: delete the user in Campus, and then try the row again; it ends by \
         itself when Campus has nobody with that number"
    )]
    Erased(i64),
}

impl From<StoreError> for QueueError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

/// The id under which decisions on a row stand.
fn subject(row: i64) -> Uuid {
    Uuid::from_u64_pair(0, u64::from_ne_bytes(row.to_ne_bytes()))
}

/// Who decides, and that this user may: none is whoever holds the store.
pub(crate) async fn operator(
    store: &Store,
    by: Option<By<'_>>,
    what: &What,
    because: &Because,
) -> Result<Option<(Actor, Role)>, DecideError> {
    let Some(by) = by else { return Ok(None) };
    let actor = by.of(store, what, because).await?;
    let role = actor.may(Action::ManageUsers)?;
    Ok(Some((actor, role)))
}

/// Notifies the operators by mail of rows that were given up since the last notice, once an hour at most, whichever node sees it. Whether
/// there is a letter.
///
/// # Errors
/// The store does not answer.
pub async fn report_dead(store: &Store, now: Timestamp) -> Result<bool, StoreError> {
    if !outbox::is_unreported(&mut store.database().session().await?).await? {
        return Ok(false);
    }
    let mut change = store.change().await?;
    let hour = now.as_second().div_euclid(3600);
    if !change.gives(&format!("persons not handed on {hour}"), now).await?
        || outbox::mark_reported(change.connection(), now).await? == 0
    {
        return Ok(false);
    }
    let notice = Notice {
        kind: Kind::PersonNotHandedOn,
        name: "Campus".to_owned(),
        page: "/services".to_owned(),
        authority: None,
        service: None,
        system: None,
        environment: None,
        at: Some(now),
        reason: None,
        differs: Vec::new(),
        english: None,
        by: None,
    };
    change.notify(store.database(), &notice, &[Audience::Operators], now).await?;
    change.commit().await?;
    Ok(true)
}

/// Does it to a row, and writes who did.
///
/// # Errors
/// [`QueueError`].
pub async fn operate(
    store: &Store,
    by: Option<By<'_>>,
    row: i64,
    operation: Operation,
    because: &Because,
) -> Result<(), QueueError> {
    until_it_holds(async || operate_once(store, by, row, operation, because).await).await
}

async fn operate_once(
    store: &Store,
    by: Option<By<'_>>,
    row: i64,
    operation: Operation,
    because: &Because,
) -> Result<(), QueueError> {
    let to = match operation {
        Operation::Retry => "retried",
        Operation::Drop => "dropped",
    };
    let mut session = store.database().session().await?;
    let standing = outbox::with_id(&mut session, row).await?.filter(|standing| standing.is_dead);
    drop(session);
    let standing = standing.ok_or(QueueError::NotDead(row))?;
    if operation == Operation::Drop && standing.what == "SLET" {
        return Err(QueueError::Erased(row));
    }
    let shown = format!("{}\n{}\n{}\n", standing.number, standing.what, standing.problem.unwrap_or_default());
    let (from, shown) = (Some("dead".to_owned()), Some(sha256(&shown)));
    let what = What { subject: Subject::PersonQueue, id: subject(row), from, to: to.to_owned(), shown };
    let proven = operator(store, by, &what, because).await?;
    let mut change = store.change().await?;
    let done = match operation {
        Operation::Retry => outbox::retry(change.connection(), row, because.at).await?,
        Operation::Drop => outbox::drop_dead(change.connection(), row).await?,
    };
    if !done {
        return Err(QueueError::NotDead(row));
    }
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    Ok(change.commit().await?)
}
