//! What operators do with single transfers: try one again, deliver one once more.

use uuid::Uuid;

use super::deliver::suffixed;
use super::home::Folder;
use super::monitoring;
use super::shelf::{self, Bytes, Kind, Lying};
use super::transfers::{self, Fetched, State};
use super::users;
use super::xml::{trigger, written};
use super::{core, orders};
use crate::clock::{Clock, civil_day};
use crate::store::jobs::{JobError, Jobs};
use crate::store::{Database, StoreError, Transaction, sql};

/// Why it was not done. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The jobs.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The order of the delivery.
    #[error(transparent)]
    Order(#[from] orders::OrderError),
    /// There is none.
    #[error("there is no transfer {0}")]
    NoSuchTransfer(Uuid),
    /// It is in another state.
    #[error("the transfer is {0}; {1}")]
    State(&'static str, &'static str),
    /// Its trigger gave way to those of newer ones.
    #[error("its trigger is no longer kept; have the sender send file and trigger again")]
    NoTrigger,
    /// The data file is gone.
    #[error("the data file is no longer in the sender's OUT; have the sender send it again")]
    NoData,
    /// No copy is kept any more.
    #[error("no copy of the content is kept any more; have the sender send it again")]
    NoCopy,
    /// It was not delivered to that user.
    #[error("the transfer was not delivered to {0}; `hjemmel transfers show` lists its recipients")]
    NotARecipient(String),
    /// Its order cannot be used now.
    #[error(
        "the route order of that delivery cannot be used: {0}; have the authority approve or resume one, and the sender send the file again"
    )]
    OrderNotUsable(String),
    /// The recipient may not log on.
    #[error("{0} is disabled or has expired; open it first")]
    NotOpen(String),
    /// The recipient's quota is used.
    #[error("{0} has no room for the file; have it fetch or remove what lies there, or raise its limit")]
    NoRoom(String),
    /// The recipient has it.
    #[error("the recipient has a file of that name in IN; it is fetched or removed first")]
    StillThere,
}

/// Tries a refused transfer again, as after its order was approved: the same trigger, the same id, the data file that is in OUT.
///
/// # Errors
/// [`OperateError`].
pub async fn retry(database: &Database, transaction: &mut Transaction, id: Uuid) -> Result<(), OperateError> {
    let seen = transfers::with_id(transaction, id).await?.ok_or(OperateError::NoSuchTransfer(id))?;
    shelf::lock_home(transaction, seen.sender).await?;
    let transfer = transfers::locked(transaction, id).await?.ok_or(OperateError::NoSuchTransfer(id))?;
    if transfer.state != State::Refused {
        return Err(OperateError::State(transfer.state.name(), "only one that is AFVIST is tried again"));
    }
    if transfer.trigger.is_empty() {
        return Err(OperateError::NoTrigger);
    }
    if transfers::open(transaction, transfer.sender, &transfer.name).await?.is_some() {
        return Err(OperateError::State(transfer.state.name(), "and another of that name is under way"));
    }
    let data = shelf::find(transaction, transfer.sender, Folder::Out, &transfer.name).await?;
    let data = data.filter(|file| !file.held).ok_or(OperateError::NoData)?;
    let hold = sql("UPDATE home_file SET held = $1, transfer = $2 WHERE id = $3").bind(true).bind(id).bind(data.id);
    transaction.execute(hold).await?;
    let begin = sql("UPDATE transfer SET codes = '', ended_us = NULL WHERE id = $1").bind(id);
    transaction.execute(begin).await?;
    let job = Jobs::new(database.clone(), core::JOBS, core::RULES).add(transaction, id.as_bytes(), None).await?;
    Ok(transfers::set(transaction, id, State::Taken, Some(job)).await?)
}

/// Delivers a transfer once more to one of its recipients, from the copy that is kept.
///
/// # Errors
/// [`OperateError`].
pub async fn redeliver(transaction: &mut Transaction, id: Uuid, recipient: &str, clock: &Clock) -> Result<(), OperateError> {
    let now = clock.now();
    let not_his = || OperateError::NotARecipient(recipient.to_owned());
    let user = users::named(transaction, recipient).await?.ok_or_else(not_his)?;
    shelf::lock_home(transaction, user.id).await?;
    let transfer = transfers::locked(transaction, id).await?.ok_or(OperateError::NoSuchTransfer(id))?;
    let deliveries = transfers::deliveries(transaction, id).await?;
    let delivery = deliveries.iter().find(|delivery| delivery.recipient == user.id).ok_or_else(not_his)?;
    // As when it was delivered first: an order that an authority has suspended or ended carries nothing again.
    let order = orders::with_id(transaction, delivery.order).await?;
    let today = civil_day(now).ok_or(StoreError::Unreadable { column: "today" })?;
    order.usable(today).map_err(|what| OperateError::OrderNotUsable(what.en().to_owned()))?;
    if !user.is_open(now) {
        return Err(OperateError::NotOpen(user.name));
    }
    let content = transfer.content.ok_or(OperateError::NoCopy)?;
    let object = shelf::object(transaction, content).await?;
    if user.used.bytes.saturating_add(object.length) > user.bytes_limit {
        return Err(OperateError::NoRoom(user.name));
    }
    let told = trigger::read(&transfer.trigger).map_err(|_| OperateError::NoCopy)?;
    if shelf::find(transaction, user.id, Folder::In, &transfer.name).await?.is_some() {
        return Err(OperateError::StillThere);
    }
    let beside = suffixed(&transfer.name, ".metadata")?;
    if let Some(old) = shelf::find(transaction, user.id, Folder::In, &beside).await? {
        shelf::remove(transaction, &old).await?;
    }
    let modified_us = transfers::stamp(transaction, user.id, now).await?;
    let root = if user.older_root { written::Root::Trigger } else { written::Root::FileMetadata };
    let body = written::metadata(id, &told, &user.name, root).into_bytes();
    let metadata = Lying {
        id: Uuid::now_v7(),
        owner: user.id,
        folder: Folder::In,
        name: beside,
        kind: Kind::Metadata,
        transfer: Some(id),
        held: false,
        size: body.len() as u64,
        modified_us,
        bytes: Bytes::Here(body),
        is_read: false,
    };
    shelf::add(transaction, &metadata).await?;
    let file = Lying {
        id: Uuid::now_v7(),
        name: transfer.name.clone(),
        kind: Kind::Data,
        size: object.length,
        bytes: Bytes::Content(content),
        ..metadata
    };
    shelf::add(transaction, &file).await?;
    let inf_ref = told.routing.as_ref().map(|routing| routing.inf_ref.as_str());
    let (alarm_us, delete_us) = monitoring::received(transaction, &order, transfer.name.spelt(), inf_ref, now).await?;
    let again = sql("UPDATE file_delivery SET state = $1, ended_us = NULL, told_us = NULL, alarm_us = $2, delete_us = $3
                     WHERE transfer = $4 AND recipient = $5")
    .bind(Fetched::Again.name())
    .bind(alarm_us)
    .bind(delete_us)
    .bind(id)
    .bind(user.id);
    transaction.execute(again).await?;
    transaction.execute(sql("UPDATE transfer SET ended_us = NULL, keep_until_us = NULL WHERE id = $1").bind(id)).await?;
    Ok(())
}
