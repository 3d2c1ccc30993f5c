//! Transfers: one file that is handed over, from its trigger until it is forgotten.

use jiff::Timestamp;
use uuid::Uuid;

use super::codes::Code;
use super::home::{Fingerprint, Folder};
use super::name::Name;
use super::shelf::{self, Bytes, Kind, Lying, lying_where};
use super::users::us;
use super::xml::written::{self, Answer};
use crate::store::{Query, Row, Session, StoreError, by_dialect, sql};

/// Where a transfer stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// MODTAGET: trigger and data are there, and it waits to be judged and delivered.
    Taken,
    /// AFVENTER_DATAFIL: the trigger is there, the data file is not yet.
    Awaits,
    /// AFVIST: its sender has been told why.
    Refused,
    /// GENTAGET: the same was delivered before, and its sender has the receipt of that. In the store it is AFVIST, and `repeats`
    /// says of which.
    Repeated,
    /// KLAR: every recipient has it; where it stands with each is in its deliveries.
    Delivered,
}

impl State {
    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            State::Taken => "MODTAGET",
            State::Awaits => "AFVENTER_DATAFIL",
            State::Refused => "AFVIST",
            State::Repeated => "GENTAGET",
            State::Delivered => "KLAR",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Taken, Self::Awaits, Self::Refused, Self::Delivered].into_iter().find(|state| state.name() == name)
    }
}

/// A transfer.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Its identity: `FileTransferUUID`.
    pub id: Uuid,
    /// The sending user.
    pub sender: Uuid,
    /// The key that the sender was logged on with.
    pub fingerprint: Fingerprint,
    /// Where it stands.
    pub state: State,
    /// The data file's name: the trigger's own without `.trigger`.
    pub name: Name,
    /// The trigger as it came.
    pub trigger: Vec<u8>,
    /// The content, once it is delivered and until the copy is forgotten.
    pub content: Option<Uuid>,
    /// The codes that it was refused for.
    pub codes: String,
    /// The one that delivered the same before, whose receipt was the answer.
    pub repeats: Option<Uuid>,
    /// The job that has it.
    pub job: Option<i64>,
    /// When the trigger came.
    pub received: Timestamp,
    /// Until when the data file may come.
    pub wait_until: Option<Timestamp>,
    /// When the last recipient was done with it, or it was refused.
    pub ended: Option<Timestamp>,
}

/// Where a transfer stands with one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// KLAR: it lies in the recipient's IN.
    Ready,
    /// HENTET: it was read to its end.
    Fetched,
    /// SLETTET_AF_MODTAGER: the recipient removed it.
    Removed,
    /// UDLOEBET: it was not fetched in time, and was deleted.
    Expired,
    /// GENLEVERET: it was delivered once more.
    Again,
}

impl Fetched {
    const ALL: [Self; 5] = [Self::Ready, Self::Fetched, Self::Removed, Self::Expired, Self::Again];

    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Fetched::Ready => "KLAR",
            Fetched::Fetched => "HENTET",
            Fetched::Removed => "SLETTET_AF_MODTAGER",
            Fetched::Expired => "UDLOEBET",
            Fetched::Again => "GENLEVERET",
        }
    }
}

/// A delivery to one recipient.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Delivery {
    pub transfer: Uuid,
    pub recipient: Uuid,
    /// The order by which it went.
    pub order: Uuid,
    /// Where it stands.
    pub state: Fetched,
    /// When it was delivered.
    pub delivered: Timestamp,
    /// When it was first read to its end.
    pub fetched: Option<Timestamp>,
    /// When it was removed or deleted.
    pub ended: Option<Timestamp>,
}

macro_rules! transfers_where {
    ($condition:literal) => {
        sql(transfers_where!(@ $condition))
    };
    (@ $condition:literal) => {
        concat!(
            "SELECT id, sender, fingerprint, state, name, trigger_xml, content, codes, repeats, job, received_us, wait_until_us,
                 ended_us FROM transfer WHERE ",
            $condition
        )
    };
}

fn maybe_instant(row: &Row, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
    row.maybe::<i64>(column)?.map(|us| super::users::instant(us, column)).transpose()
}

fn read(row: &Row) -> Result<Transfer, StoreError> {
    let unreadable = |column| StoreError::Unreadable { column };
    let (state, name): (String, String) = (row.get("state")?, row.get("name")?);
    let (state, repeats) = (State::named(&state).ok_or(unreadable("state"))?, row.maybe("repeats")?);
    Ok(Transfer {
        id: row.get("id")?,
        sender: row.get("sender")?,
        fingerprint: row.get::<String>("fingerprint")?.parse().map_err(|()| unreadable("fingerprint"))?,
        state: if repeats.is_some() { State::Repeated } else { state },
        name: Name::new(&name).map_err(|_| unreadable("name"))?,
        trigger: row.get("trigger_xml")?,
        content: row.maybe("content")?,
        codes: row.get("codes")?,
        repeats,
        job: row.maybe("job")?,
        received: maybe_instant(row, "received_us")?.ok_or(unreadable("received_us"))?,
        wait_until: maybe_instant(row, "wait_until_us")?,
        ended: maybe_instant(row, "ended_us")?,
    })
}

fn read_delivery(row: &Row) -> Result<Delivery, StoreError> {
    let unreadable = |column| StoreError::Unreadable { column };
    let state: String = row.get("state")?;
    Ok(Delivery {
        transfer: row.get("transfer")?,
        recipient: row.get("recipient")?,
        order: row.get("file_order")?,
        state: Fetched::ALL.into_iter().find(|known| known.name() == state).ok_or(unreadable("state"))?,
        delivered: maybe_instant(row, "delivered_us")?.ok_or(unreadable("delivered_us"))?,
        fetched: maybe_instant(row, "fetched_us")?,
        ended: maybe_instant(row, "ended_us")?,
    })
}

/// A transfer, as it is.
///
/// # Errors
/// The store.
pub async fn with_id(session: &mut Session, id: Uuid) -> Result<Option<Transfer>, StoreError> {
    session.first(transfers_where!("id = $1").bind(id)).await?.as_ref().map(read).transpose()
}

/// The newest transfers, at most `most`: of one sender, or all.
///
/// # Errors
/// The store.
pub async fn newest(session: &mut Session, sender: Option<Uuid>, most: u32) -> Result<Vec<Transfer>, StoreError> {
    let query = match sender {
        Some(sender) => transfers_where!("sender = $2 ORDER BY received_us DESC, id LIMIT $1").bind(i64::from(most)).bind(sender),
        None => transfers_where!("TRUE ORDER BY received_us DESC, id LIMIT $1").bind(i64::from(most)),
    };
    session.all(query).await?.iter().map(read).collect()
}

/// Those of a submission that a user sent, that were delivered to a recipient and that it answers; two of them at most, for then it is not
/// known which is meant. What of the submission others got is none of its business.
pub async fn of_submission(
    session: &mut Session,
    sender: Uuid,
    transaction: Uuid,
    recipient: Uuid,
) -> Result<Vec<Uuid>, StoreError> {
    let query = sql("SELECT t.id FROM transfer AS t JOIN file_delivery AS d ON d.transfer = t.id AND d.recipient = $3
             JOIN file_answer AS a ON a.transfer = t.id
         WHERE t.sender = $1 AND t.transaction_id = $2 AND t.state = 'KLAR' ORDER BY t.id LIMIT 2");
    session.all(query.bind(sender).bind(transaction).bind(recipient)).await?.iter().map(|row| row.get("id")).collect()
}

/// A transfer, locked until the transaction ends.
pub(super) async fn locked(session: &mut Session, id: Uuid) -> Result<Option<Transfer>, StoreError> {
    let query = by_dialect(transfers_where!(@ "id = $1"), transfers_where!(@ "id = $1 FOR UPDATE"));
    session.first(query.bind(id)).await?.as_ref().map(read).transpose()
}

/// The transfer of a name that is not ended, locked.
pub(super) async fn open(session: &mut Session, sender: Uuid, name: &Name) -> Result<Option<Transfer>, StoreError> {
    let query = by_dialect(
        transfers_where!(@ "sender = $1 AND name_key = $2 AND state IN ('MODTAGET', 'AFVENTER_DATAFIL')"),
        transfers_where!(@ "sender = $1 AND name_key = $2 AND state IN ('MODTAGET', 'AFVENTER_DATAFIL') FOR UPDATE"),
    );
    session.first(query.bind(sender).bind(name.key())).await?.as_ref().map(read).transpose()
}

/// The one that delivered this name of this submission before, and the digest of what it delivered.
pub(super) async fn earlier(
    session: &mut Session,
    sender: Uuid,
    transaction: Uuid,
    name: &Name,
) -> Result<Option<(Uuid, Vec<u8>)>, StoreError> {
    let query =
        sql("SELECT id, sha256 FROM transfer WHERE sender = $1 AND transaction_id = $2 AND name_key = $3 AND state = 'KLAR'");
    let row = session.first(query.bind(sender).bind(transaction).bind(name.key())).await?;
    row.map(|row| Ok((row.get("id")?, row.get("sha256")?))).transpose()
}

/// A new transfer.
pub(super) async fn add(session: &mut Session, transfer: &Transfer) -> Result<(), StoreError> {
    let add =
        sql("INSERT INTO transfer (id, sender, fingerprint, state, name, name_key, trigger_xml, received_us, wait_until_us)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(transfer.id)
        .bind(transfer.sender)
        .bind(transfer.fingerprint.to_string())
        .bind(transfer.state.name())
        .bind(transfer.name.spelt())
        .bind(transfer.name.key())
        .bind(transfer.trigger.as_slice())
        .bind(us(transfer.received))
        .bind(transfer.wait_until.map(us));
    session.execute(add).await.map(drop)
}

/// Gives a transfer a state and the job that goes on with it.
pub(super) async fn set(session: &mut Session, id: Uuid, state: State, job: Option<i64>) -> Result<(), StoreError> {
    let set = sql("UPDATE transfer SET state = $1, job = $2 WHERE id = $3").bind(state.name()).bind(job).bind(id);
    session.execute(set).await.map(drop)
}

/// Triggers of refused transfers that are kept of one sender, to be tried again: whoever is refused for ever must not fill the store.
pub const REFUSED_TRIGGERS_KEPT: i64 = 100;

/// It was refused, for these codes.
pub(super) async fn refuse(session: &mut Session, id: Uuid, codes: &[Code], now: Timestamp) -> Result<(), StoreError> {
    let codes: Vec<String> = codes.iter().map(|code| code.number().to_string()).collect();
    let refuse =
        sql("UPDATE transfer SET state = 'AFVIST', codes = $1, ended_us = $2, wait_until_us = NULL, job = NULL WHERE id = $3");
    session.execute(refuse.bind(codes.join(" ")).bind(us(now)).bind(id)).await?;
    let nothing: &[u8] = &[];
    let older = sql("UPDATE transfer SET trigger_xml = $1 WHERE id IN
         (SELECT id FROM transfer WHERE sender = (SELECT sender FROM transfer WHERE id = $2) AND state = 'AFVIST'
              AND length(trigger_xml) > 0 ORDER BY received_us DESC, id DESC LIMIT 100 OFFSET $3)");
    session.execute(older.bind(nothing).bind(id).bind(REFUSED_TRIGGERS_KEPT)).await.map(drop)
}

/// Forgets what was refused of a sender before its newest `kept`, with the receipts of it: one trigger a second would be millions of rows
/// before their days are over. The audit has each. What a row of a delivery or of an answer names stays, and so does `id`, which is being
/// refused. The sender's home is locked.
pub(super) async fn forget_refused(session: &mut Session, sender: Uuid, id: Uuid, kept: i64) -> Result<(), StoreError> {
    let oldest = sql("SELECT received_us, id FROM transfer WHERE sender = $1 AND state = 'AFVIST'
         ORDER BY received_us DESC, id DESC LIMIT 1 OFFSET $2");
    let Some(oldest) = session.first(oldest.bind(sender).bind(kept)).await? else { return Ok(()) };
    let beyond = sql("SELECT id FROM transfer WHERE sender = $1 AND state = 'AFVIST' AND content IS NULL AND id <> $4
             AND (received_us < $2 OR received_us = $2 AND id <= $3)
             AND NOT EXISTS (SELECT 1 FROM file_delivery WHERE file_delivery.transfer = transfer.id)
             AND NOT EXISTS (SELECT 1 FROM file_answer WHERE file_answer.transfer = transfer.id)
             AND NOT EXISTS (SELECT 1 FROM home_file WHERE home_file.transfer = transfer.id AND home_file.kind <> 'receipt')
         ORDER BY received_us, id LIMIT 100");
    let beyond = beyond.bind(sender).bind(oldest.get::<i64>("received_us")?).bind(oldest.get::<Uuid>("id")?).bind(id);
    for row in session.all(beyond).await? {
        let old: Uuid = row.get("id")?;
        // An operator may just now have it tried again.
        let still = by_dialect(
            "SELECT id FROM transfer WHERE id = $1 AND state = 'AFVIST'",
            "SELECT id FROM transfer WHERE id = $1 AND state = 'AFVIST' FOR UPDATE",
        );
        if session.first(still.bind(old)).await?.is_none() {
            continue;
        }
        let receipts = session.all(lying_where!("transfer = $1 AND kind = 'receipt'").bind(old)).await?;
        // One that cannot be read keeps no refusal from being told.
        let Ok(receipts) = receipts.iter().map(shelf::read).collect::<Result<Vec<_>, _>>() else { continue };
        for receipt in receipts {
            shelf::remove(session, &receipt).await?;
        }
        session.execute(sql("DELETE FROM transfer WHERE id = $1").bind(old)).await?;
    }
    Ok(())
}

/// It was answered with the receipt of `earlier`, which delivered the same.
pub(super) async fn repeated(session: &mut Session, id: Uuid, earlier: Uuid, now: Timestamp) -> Result<(), StoreError> {
    refuse(session, id, &[], now).await?;
    session.execute(sql("UPDATE transfer SET repeats = $1 WHERE id = $2").bind(earlier).bind(id)).await.map(drop)
}

/// It was delivered.
pub(super) async fn delivered(
    session: &mut Session,
    id: Uuid,
    transaction: Option<Uuid>,
    content: Uuid,
    sha256: &[u8],
) -> Result<(), StoreError> {
    let set = sql("UPDATE transfer SET state = 'KLAR', codes = '', wait_until_us = NULL, ended_us = NULL, job = NULL,
                       transaction_id = $1, content = $2, sha256 = $3 WHERE id = $4");
    session.execute(set.bind(transaction).bind(content).bind(sha256).bind(id)).await.map(drop)
}

/// The deliveries of a transfer.
///
/// # Errors
/// The store.
pub async fn deliveries(session: &mut Session, transfer: Uuid) -> Result<Vec<Delivery>, StoreError> {
    let query = sql("SELECT transfer, recipient, file_order, state, delivered_us, fetched_us, ended_us FROM file_delivery
                     WHERE transfer = $1 ORDER BY recipient");
    session.all(query.bind(transfer)).await?.iter().map(read_delivery).collect()
}

/// Writes a receipt into the sender's IN. It gets the plain name; one that lies there unread gets its own transfer's id into its
/// name, so that an old success is not read as the new answer.
pub(super) async fn receipt(
    session: &mut Session,
    about: (Uuid, Uuid, &Name),
    senders_file_id: Option<&str>,
    answer: &Answer<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    write_receipt(session, about, Some(about.1), senders_file_id, answer, now).await
}

async fn write_receipt(
    session: &mut Session,
    (sender, transfer, name): (Uuid, Uuid, &Name),
    of: Option<Uuid>,
    senders_file_id: Option<&str>,
    answer: &Answer<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let body = written::receipt(transfer, senders_file_id, answer).into_bytes();
    let plain = named(&format!("{}.sftpreceipt", name.spelt()), transfer)?;
    shelf::lock_home(session, sender).await?;
    if let Some(older) = shelf::find(session, sender, Folder::In, &plain).await? {
        let same = older.transfer.is_some() && older.transfer == of;
        let id = older.transfer.unwrap_or(older.id);
        let aside = named(&format!("{}.{id}.sftpreceipt", name.spelt()), id)?;
        if same || older.is_read || aside == plain || shelf::find(session, sender, Folder::In, &aside).await?.is_some() {
            shelf::remove(session, &older).await?;
        } else {
            rename(session, older.id, &aside).await?;
        }
    }
    let file = Lying {
        id: Uuid::now_v7(),
        owner: sender,
        folder: Folder::In,
        name: plain,
        kind: Kind::Receipt,
        transfer: of,
        held: false,
        size: body.len() as u64,
        modified_us: stamp(session, sender, now).await?,
        bytes: Bytes::Here(body),
        is_read: false,
    };
    shelf::add(session, &file).await
}

/// The name of a receipt; the transfer's id where the file's own name leaves no room.
fn named(name: &str, transfer: Uuid) -> Result<Name, StoreError> {
    let by_id = || Name::new(&format!("{transfer}.sftpreceipt")).map_err(|_| StoreError::Unreadable { column: "name" });
    Name::new(name).or_else(|_| by_id())
}

/// Another name for a file.
pub(super) async fn rename(session: &mut Session, file: Uuid, name: &Name) -> Result<(), StoreError> {
    let rename = sql("UPDATE home_file SET name = $1, name_key = $2 WHERE id = $3");
    session.execute(rename.bind(name.spelt()).bind(name.key()).bind(file)).await.map(drop)
}

/// The time that a file gets which is delivered into a home now: now, and never earlier than one before it, for clients ask for
/// what is newer than their last visit.
pub(super) async fn stamp(session: &mut Session, owner: Uuid, now: Timestamp) -> Result<i64, StoreError> {
    let stamp: Query = by_dialect(
        "UPDATE sftp_user SET newest_us = max(newest_us, $1) WHERE id = $2 RETURNING newest_us",
        "UPDATE sftp_user SET newest_us = greatest(newest_us, $1) WHERE id = $2 RETURNING newest_us",
    );
    let row = session.first(stamp.bind(us(now)).bind(owner)).await?;
    row.ok_or(StoreError::Unreadable { column: "newest_us" })?.get("newest_us")
}

/// Receipts of refusals at the door that a home keeps: a client that tries for ever must not fill it.
pub const REFUSALS_KEPT: i64 = 100;

/// A receipt of what was never a transfer: refused at the door. Where a home has as many as it may, the oldest goes.
pub(super) async fn refusal(
    session: &mut Session,
    (sender, id, name): (Uuid, Uuid, &Name),
    codes: &[Code],
    now: Timestamp,
) -> Result<(), StoreError> {
    write_receipt(session, (sender, id, name), None, None, &Answer::Refused(codes), now).await?;
    let beyond = lying_where!(
        "owner = $1 AND kind = 'receipt' AND transfer IS NULL ORDER BY modified_us DESC, id DESC LIMIT 100 OFFSET $2"
    );
    for row in session.all(beyond.bind(sender).bind(REFUSALS_KEPT)).await? {
        shelf::remove(session, &shelf::read(&row)?).await?;
    }
    Ok(())
}

/// A recipient read a file to its end.
pub(super) async fn fetched(session: &mut Session, transfer: Uuid, recipient: Uuid, now: Timestamp) -> Result<(), StoreError> {
    let fetched = sql("UPDATE file_delivery SET state = 'HENTET', fetched_us = coalesce(fetched_us, $1)
                       WHERE transfer = $2 AND recipient = $3 AND state IN ('KLAR', 'GENLEVERET')");
    session.execute(fetched.bind(us(now)).bind(transfer).bind(recipient)).await.map(drop)
}

/// A recipient removed a file.
pub(super) async fn removed(session: &mut Session, transfer: Uuid, recipient: Uuid, now: Timestamp) -> Result<(), StoreError> {
    done(session, transfer, recipient, Fetched::Removed, now).await
}

/// A recipient is done with a file. When the last is, the copy is kept for the days that the orders say.
pub(super) async fn done(
    session: &mut Session,
    transfer: Uuid,
    recipient: Uuid,
    state: Fetched,
    now: Timestamp,
) -> Result<(), StoreError> {
    locked(session, transfer).await?;
    let end = sql("UPDATE file_delivery SET state = $1, ended_us = $2 WHERE transfer = $3 AND recipient = $4");
    session.execute(end.bind(state.name()).bind(us(now)).bind(transfer).bind(recipient)).await?;
    let kept = sql("SELECT max(o.keep_days) AS days FROM file_delivery AS d JOIN file_order AS o ON o.id = d.file_order
                    WHERE d.transfer = $1 AND NOT EXISTS (SELECT 1 FROM file_delivery WHERE transfer = $1 AND ended_us IS NULL)");
    let Some(days) = session.first(kept.bind(transfer)).await?.map(|row| row.maybe::<i64>("days")).transpose()?.flatten() else {
        return Ok(());
    };
    let until = now.checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap_or(now);
    let keep = sql("UPDATE transfer SET ended_us = $1, keep_until_us = $2 WHERE id = $3");
    session.execute(keep.bind(us(now)).bind(us(until)).bind(transfer)).await?;
    // Nothing is to be kept: the content goes with the file.
    if days == 0 { forget_copy(session, transfer).await } else { Ok(()) }
}

/// The copy of a transfer's content is no longer kept.
pub(super) async fn forget_copy(session: &mut Session, transfer: Uuid) -> Result<(), StoreError> {
    session.execute(sql("UPDATE transfer SET content = NULL WHERE id = $1").bind(transfer)).await.map(drop)
}
