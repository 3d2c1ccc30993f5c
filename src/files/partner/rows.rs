//! Files of mailboxes as the store keeps them.

use jiff::Timestamp;
use uuid::Uuid;

use super::agreement::Number;
use super::validate::Remark;
use crate::files::name::Name;
use crate::files::users::{count, instant};
use crate::store::{Query, Row, Session, StoreError, sql};

/// What became of a file's validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// It is not judged yet.
    Received,
    /// It may be fetched.
    Approved,
    /// It is refused, and fetched by nobody.
    Rejected,
    /// It is refused, and a person has said why that need not be mended.
    Excepted,
}

impl Validation {
    /// Each.
    pub const ALL: [Self; 4] = [Self::Received, Self::Approved, Self::Rejected, Self::Excepted];

    /// The name in the store, in answers and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "MODTAGET",
            Self::Approved => "GODKENDT",
            Self::Rejected => "AFVIST",
            Self::Excepted => "UNDTAGET",
        }
    }
}

/// Whether its recipient has a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// It was not confirmed.
    Ready,
    /// Its recipient has confirmed that it has all of it.
    Fetched,
    /// Nobody did in time, and it is deleted.
    Expired,
}

impl Transport {
    /// Each.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Fetched, Self::Expired];

    /// The name in the store, in answers and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "KLAR",
            Self::Fetched => "AFHENTET",
            Self::Expired => "UDLOEBET",
        }
    }
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its identity.
    pub id: Uuid,
    /// The id that its sender gave it.
    pub delivery: Uuid,
    /// The agreement that it comes from.
    pub sender: Uuid,
    /// Its number.
    pub from: Number,
    /// The agreement that it is for.
    pub recipient: Uuid,
    /// Its number.
    pub to: Number,
    /// The stream's code.
    pub stream: String,
    /// The alias's kind.
    pub alias_kind: String,
    /// The alias's code.
    pub alias_code: String,
    /// What its sender calls it.
    pub name: Name,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// Its content; none: it is deleted.
    pub content: Option<Uuid>,
    /// What became of its validation.
    pub validation: Validation,
    /// What is wrong with it.
    pub remarks: Vec<Remark>,
    /// Why it is excepted.
    pub excepted: Option<String>,
    /// By whom.
    pub excepted_by: Option<String>,
    /// Whether its recipient has it.
    pub transport: Transport,
    /// When it was taken.
    pub received: Timestamp,
    /// When it was first read to its end.
    pub fetched: Option<Timestamp>,
    /// By which user.
    pub fetched_by: Option<String>,
    /// When it was confirmed.
    pub confirmed: Option<Timestamp>,
    /// Days that it is kept from then on.
    pub keep_days: i64,
    /// Its place in the inbox, once it may be fetched.
    pub number: Option<i64>,
    /// Its place in the outbox.
    pub sent: i64,
    /// The job that judges it.
    pub job: Option<i64>,
}

macro_rules! files_where {
    ($condition:literal) => {
        $crate::store::sql(concat!(
            "SELECT f.id, f.delivery, f.sender, s.number AS from_number, f.recipient, r.number AS to_number, f.stream, f.alias_kind,
                 f.alias_code, f.name, f.size, f.sha256, f.content, f.validation, f.remarks, f.excepted, f.excepted_by, f.transport,
                 f.received_us, f.fetched_us, u.name AS fetcher, f.confirmed_us, f.keep_days, f.number AS place, f.sent, f.job
             FROM mailbox_file AS f JOIN mailbox AS s ON s.id = f.sender JOIN mailbox AS r ON r.id = f.recipient
                 LEFT JOIN mailbox_user AS u ON u.id = f.fetched_by WHERE ",
            $condition
        ))
    };
}
pub(super) use files_where;

pub(super) fn read(row: &Row) -> Result<File, StoreError> {
    let unreadable = |column| StoreError::Unreadable { column };
    let at = |column| row.maybe::<i64>(column)?.map(|us| instant(us, column)).transpose();
    let (name, validation): (String, String) = (row.get("name")?, row.get("validation")?);
    let (transport, remarks): (String, String) = (row.get("transport")?, row.get("remarks")?);
    Ok(File {
        id: row.get("id")?,
        delivery: row.get("delivery")?,
        sender: row.get("sender")?,
        from: row.parsed("from_number")?,
        recipient: row.get("recipient")?,
        to: row.parsed("to_number")?,
        stream: row.get("stream")?,
        alias_kind: row.get("alias_kind")?,
        alias_code: row.get("alias_code")?,
        name: Name::new(&name).map_err(|_| unreadable("name"))?,
        size: count(row, "size")?,
        sha256: row.get("sha256")?,
        content: row.maybe("content")?,
        validation: Validation::ALL.into_iter().find(|known| known.name() == validation).ok_or(unreadable("validation"))?,
        remarks: serde_json::from_str(&remarks).map_err(|_| unreadable("remarks"))?,
        excepted: row.maybe("excepted")?,
        excepted_by: row.maybe("excepted_by")?,
        transport: Transport::ALL.into_iter().find(|known| known.name() == transport).ok_or(unreadable("transport"))?,
        received: instant(row.get("received_us")?, "received_us")?,
        fetched: at("fetched_us")?,
        fetched_by: row.maybe("fetcher")?,
        confirmed: at("confirmed_us")?,
        keep_days: row.get("keep_days")?,
        number: row.maybe("place")?,
        sent: row.get("sent")?,
        job: row.maybe("job")?,
    })
}

async fn one(session: &mut Session, query: Query) -> Result<Option<File>, StoreError> {
    session.first(query).await?.as_ref().map(read).transpose()
}

/// A file by its id.
pub(super) async fn with_id(session: &mut Session, id: Uuid) -> Result<Option<File>, StoreError> {
    one(session, files_where!("f.id = $1").bind(id)).await
}

/// A file of an outbox by the id that its sender gave it.
pub(super) async fn delivered(session: &mut Session, sender: Uuid, delivery: Uuid) -> Result<Option<File>, StoreError> {
    one(session, files_where!("f.sender = $1 AND f.delivery = $2").bind(sender).bind(delivery)).await
}

/// A file of an inbox.
pub(super) async fn arrived(session: &mut Session, recipient: Uuid, id: Uuid) -> Result<Option<File>, StoreError> {
    one(session, files_where!("f.recipient = $1 AND f.id = $2 AND f.number IS NOT NULL").bind(recipient).bind(id)).await
}

/// The next number of an inbox (`newest`), or of an outbox. The agreement's row is locked by whoever asks.
pub(super) async fn next(session: &mut Session, mailbox: Uuid, inbox: bool) -> Result<i64, StoreError> {
    let (count, told) = match inbox {
        true => {
            (sql("UPDATE mailbox SET newest = newest + 1 WHERE id = $1"), sql("SELECT newest AS n FROM mailbox WHERE id = $1"))
        }
        false => (sql("UPDATE mailbox SET sent = sent + 1 WHERE id = $1"), sql("SELECT sent AS n FROM mailbox WHERE id = $1")),
    };
    session.execute(count.bind(mailbox)).await?;
    session.first(told.bind(mailbox)).await?.ok_or(StoreError::Unreadable { column: "mailbox" })?.get("n")
}
