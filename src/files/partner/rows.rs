//! Files of mailboxes as the store keeps them.

use jiff::Timestamp;
use uuid::Uuid;

use super::agreement::Number;
use super::validate::Remark;
use crate::files::name::Name;
use crate::files::users::{count, instant};
use crate::store::{Query, Row, Session, StoreError, sql};

/// The most folders that are looked for among the files of an inbox.
const FOLDERS: usize = 2_000;

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
    /// What it is called in the inbox, and since when it lies there.
    pub shown: Option<(Name, Timestamp)>,
    /// Whether its sender is told by a receipt.
    pub by_sftp: bool,
}

macro_rules! files_where {
    ($condition:literal) => {
        $crate::store::sql(concat!(
            "SELECT f.id, f.delivery, f.sender, s.number AS from_number, f.recipient, r.number AS to_number, f.stream, f.alias_kind,
                 f.alias_code, f.name, f.size, f.sha256, f.content, f.validation, f.remarks, f.excepted, f.excepted_by, f.transport,
                 f.received_us, f.fetched_us, u.name AS fetcher, f.confirmed_us, f.keep_days, f.number AS place, f.sent, f.job,
                 f.shown, f.shown_us, f.by_sftp
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
        shown: match (row.maybe::<String>("shown")?, at("shown_us")?) {
            (Some(shown), Some(since)) => Some((Name::new(&shown).map_err(|_| unreadable("shown"))?, since)),
            _ => None,
        },
        by_sftp: row.get("by_sftp")?,
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

/// What became of the validation of a delivery whose history is deleted.
pub(super) async fn past(session: &mut Session, sender: Uuid, delivery: Uuid) -> Result<Option<Validation>, StoreError> {
    let query = sql("SELECT validation FROM mailbox_past WHERE sender = $1 AND delivery = $2").bind(sender).bind(delivery);
    let Some(row) = session.first(query).await? else { return Ok(None) };
    let name: String = row.get("validation")?;
    let found = Validation::ALL.into_iter().find(|known| known.name() == name);
    found.map(Some).ok_or(StoreError::Unreadable { column: "validation" })
}

/// Forgets files whose content went before an instant, but that there was such a delivery and what became of it: sent again, it must not
/// become another, and a status of its day goes on counting it.
pub(super) async fn forget(session: &mut Session, before_us: i64) -> Result<(), StoreError> {
    let keep = sql("INSERT INTO mailbox_past (sender, delivery, validation, transport, received_us)
         SELECT sender, delivery, validation, transport, received_us FROM mailbox_file WHERE content IS NULL AND delete_us <= $1
         ON CONFLICT (sender, delivery) DO NOTHING");
    session.execute(keep.bind(before_us)).await?;
    // What became due since is kept first at the next sweep.
    let gone = sql("DELETE FROM mailbox_file WHERE content IS NULL AND delete_us <= $1 AND EXISTS
         (SELECT 1 FROM mailbox_past AS p WHERE p.sender = mailbox_file.sender AND p.delivery = mailbox_file.delivery)");
    session.execute(gone.bind(before_us)).await.map(drop)
}

/// A file of an inbox.
pub(super) async fn arrived(session: &mut Session, recipient: Uuid, id: Uuid) -> Result<Option<File>, StoreError> {
    one(session, files_where!("f.recipient = $1 AND f.id = $2 AND f.number IS NOT NULL").bind(recipient).bind(id)).await
}

/// What a file that comes into its inbox is called there: as its sender calls it, with its id in front where a file of that name lies
/// there. The recipient's row is locked by whoever asks.
pub(super) async fn name_in_inbox(session: &mut Session, file: &File) -> Result<Name, StoreError> {
    let taken = sql("SELECT id FROM mailbox_file WHERE recipient = $1 AND stream = $2 AND alias_kind = $3 AND alias_code = $4
         AND shown_key = $5 AND transport = 'KLAR'");
    let taken = taken.bind(file.recipient).bind(&file.stream).bind(&file.alias_kind).bind(&file.alias_code);
    match session.first(taken.bind(file.name.key())).await? {
        None => Ok(file.name.clone()),
        Some(_) => {
            let name = Name::new(&format!("{}-{}", file.id, file.name.spelt()));
            name.map_err(|_| StoreError::Unreadable { column: "name" })
        }
    }
}

/// Since when the file with a number lies in its inbox: now, and not before the one before it, whatever the clocks of nodes say.
pub(super) async fn since_in_inbox(
    session: &mut Session,
    recipient: Uuid,
    number: i64,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let before = sql("SELECT shown_us FROM mailbox_file WHERE recipient = $1 AND number = $2");
    let before = session.first(before.bind(recipient).bind(number.saturating_sub(1))).await?;
    let before = before.map(|row| row.maybe::<i64>("shown_us")).transpose()?.flatten();
    Ok(before.unwrap_or_default().max(crate::files::users::us(now)))
}

/// The file that an inbox shows under a name, of a stream and an alias.
pub(super) async fn called(
    session: &mut Session,
    recipient: Uuid,
    (stream, kind, code): (&str, &str, &str),
    name: &Name,
) -> Result<Option<File>, StoreError> {
    let query = files_where!(
        "f.recipient = $1 AND f.stream = $2 AND f.alias_kind = $3 AND f.alias_code = $4 AND f.shown_key = $5 AND f.transport = 'KLAR'"
    );
    one(session, query.bind(recipient).bind(stream).bind(kind).bind(code).bind(name.key())).await
}

/// The files that an inbox shows of a stream and an alias, by name.
pub(super) async fn lying(
    session: &mut Session,
    recipient: Uuid,
    (stream, kind, code): (&str, &str, &str),
    after: Option<&Name>,
    at_most: usize,
) -> Result<Vec<File>, StoreError> {
    let query = files_where!(
        "f.recipient = $1 AND f.stream = $2 AND f.alias_kind = $3 AND f.alias_code = $4 AND f.shown_key > $5 AND f.transport = 'KLAR'
         ORDER BY f.shown_key LIMIT $6"
    );
    let query = query.bind(recipient).bind(stream).bind(kind).bind(code).bind(after.map_or("", Name::key));
    session.all(query.bind(i64::try_from(at_most).unwrap_or(i64::MAX))).await?.iter().map(read).collect()
}

/// Streams of which files lie in an inbox.
pub(super) async fn streams_lying(session: &mut Session, recipient: Uuid) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<String> = Vec::new();
    // From one to the next by the index: an inbox may have a million files.
    while found.len() < FOLDERS {
        let next = sql("SELECT stream FROM mailbox_file WHERE recipient = $1 AND stream > $2 AND transport = 'KLAR'
                 AND shown_key IS NOT NULL ORDER BY stream LIMIT 1");
        let next = next.bind(recipient).bind(found.last().map_or("", String::as_str));
        let Some(row) = session.first(next).await? else { break };
        found.push(row.get("stream")?);
    }
    Ok(found)
}

/// Aliases of which files of a stream lie in an inbox, as `KIND=CODE`.
pub(super) async fn aliases_lying(session: &mut Session, recipient: Uuid, stream: &str) -> Result<Vec<String>, StoreError> {
    let (mut found, mut last) = (Vec::new(), (String::new(), String::new()));
    while found.len() < FOLDERS {
        let next = sql("SELECT alias_kind, alias_code FROM mailbox_file WHERE recipient = $1 AND stream = $2
                 AND (alias_kind, alias_code) > ($3, $4) AND transport = 'KLAR' AND shown_key IS NOT NULL
             ORDER BY alias_kind, alias_code LIMIT 1");
        let Some(row) = session.first(next.bind(recipient).bind(stream).bind(&last.0).bind(&last.1)).await? else { break };
        last = (row.get("alias_kind")?, row.get("alias_code")?);
        found.push(format!("{}={}", last.0, last.1));
    }
    Ok(found)
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
