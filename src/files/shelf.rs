//! What lies in the homes, as rows: who sees which file, which content it has, and when a content may go.
//!
//! Whoever adds or takes away a row does it by these functions, in a transaction: they keep what is counted of a home.

use uuid::Uuid;

use super::home::Folder;
use super::name::Name;
use super::users::{count, us};
use crate::objects::{Object, ObjectName, SealedKey};
use crate::store::{Dialect, Query, Row, Session, StoreError, by_dialect, sql};

/// What a file in a home is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In OUT: what its user has put.
    Upload,
    /// In IN: a file that was delivered.
    Data,
    /// In IN: what is said of it.
    Metadata,
    /// In IN: what became of a file that its user sent.
    Receipt,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Upload, Self::Data, Self::Metadata, Self::Receipt];

    fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Data => "data",
            Self::Metadata => "metadata",
            Self::Receipt => "receipt",
        }
    }
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bytes {
    /// In the object store.
    Content(Uuid),
    /// In the row: what the platform writes itself.
    Here(Vec<u8>),
}

/// A row.
#[derive(Debug, Clone)]
pub struct Lying {
    /// Its identity.
    pub id: Uuid,
    /// In whose home.
    pub owner: Uuid,
    /// In which folder.
    pub folder: Folder,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// The transfer that it belongs to.
    pub transfer: Option<Uuid>,
    /// Whether its transfer has it, so that its user does not see it.
    pub held: bool,
    /// In bytes.
    pub size: u64,
    /// When it came to lie there, in microseconds.
    pub modified_us: i64,
    /// Its content.
    pub bytes: Bytes,
    /// Whether it was read to its end.
    pub is_read: bool,
}

macro_rules! lying_where {
    ($condition:literal) => {
        sql(lying_where!(@ $condition))
    };
    (@ $condition:literal) => {
        concat!(
            "SELECT id, owner, folder, name, kind, transfer, held, size, modified_us, content, body, read_us FROM home_file WHERE ",
            $condition
        )
    };
}
pub(super) use lying_where;

pub(super) fn read(row: &Row) -> Result<Lying, StoreError> {
    let unreadable = |column| StoreError::Unreadable { column };
    let folder: String = row.get("folder")?;
    let kind: String = row.get("kind")?;
    let name: String = row.get("name")?;
    Ok(Lying {
        id: row.get("id")?,
        owner: row.get("owner")?,
        folder: Folder::ALL.into_iter().find(|known| known.name() == folder).ok_or(unreadable("folder"))?,
        name: Name::new(&name).map_err(|_| unreadable("name"))?,
        kind: Kind::ALL.into_iter().find(|known| known.name() == kind).ok_or(unreadable("kind"))?,
        transfer: row.maybe("transfer")?,
        held: row.get("held")?,
        size: count(row, "size")?,
        modified_us: row.get("modified_us")?,
        bytes: match row.maybe("content")? {
            Some(content) => Bytes::Content(content),
            None => Bytes::Here(row.get("body")?),
        },
        is_read: row.maybe::<i64>("read_us")?.is_some(),
    })
}

/// The file of a name, held or not.
pub(super) async fn find(session: &mut Session, owner: Uuid, folder: Folder, name: &Name) -> Result<Option<Lying>, StoreError> {
    let query = lying_where!("owner = $1 AND folder = $2 AND name_key = $3").bind(owner).bind(folder.name()).bind(name.key());
    session.first(query).await?.as_ref().map(read).transpose()
}

/// The files that a user sees in a folder, sorted by name, after `after`.
pub(super) async fn page(
    session: &mut Session,
    owner: Uuid,
    folder: Folder,
    after: Option<&Name>,
    at_most: usize,
) -> Result<Vec<Lying>, StoreError> {
    let query = lying_where!("owner = $1 AND folder = $2 AND name_key > $3 AND NOT held ORDER BY name_key LIMIT $4")
        .bind(owner)
        .bind(folder.name())
        .bind(after.map_or("", Name::key))
        .bind(i64::try_from(at_most).unwrap_or(i64::MAX));
    session.all(query).await?.iter().map(read).collect()
}

fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Adds a file; its name must be free. The home's own row is written to first, so that two who add wait for each other.
pub(super) async fn add(session: &mut Session, file: &Lying) -> Result<(), StoreError> {
    counted(session, file.owner, length(file.size), 1).await?;
    let (content, body) = match &file.bytes {
        Bytes::Content(content) => (Some(*content), None),
        Bytes::Here(body) => (None, Some(body.clone())),
    };
    let add =
        sql("INSERT INTO home_file (id, owner, folder, name, name_key, kind, transfer, held, size, modified_us, content, body)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
        .bind(file.id)
        .bind(file.owner)
        .bind(file.folder.name())
        .bind(file.name.spelt())
        .bind(file.name.key())
        .bind(file.kind.name())
        .bind(file.transfer)
        .bind(file.held)
        .bind(length(file.size))
        .bind(file.modified_us)
        .bind(content)
        .bind(body);
    session.execute(add).await.map(drop)
}

/// Takes a file away. Whether it was there: of two that take it away, one does. Its content is let go of by [`release`].
pub(super) async fn remove(session: &mut Session, file: &Lying) -> Result<bool, StoreError> {
    counted(session, file.owner, -length(file.size), -1).await?;
    let gone = session.execute(sql("DELETE FROM home_file WHERE id = $1").bind(file.id)).await? == 1;
    if !gone {
        counted(session, file.owner, length(file.size), 1).await?;
    }
    Ok(gone)
}

async fn counted(session: &mut Session, owner: Uuid, bytes: i64, files: i64) -> Result<(), StoreError> {
    let count = sql("UPDATE sftp_user SET bytes_used = bytes_used + $1, files_used = files_used + $2 WHERE id = $3");
    session.execute(count.bind(bytes).bind(files).bind(owner)).await.map(drop)
}

/// The row of a home locked until the transaction ends, so that what it holds stays as it is read.
pub(super) async fn lock_home(session: &mut Session, owner: Uuid) -> Result<(), StoreError> {
    session.execute(sql("UPDATE sftp_user SET files_used = files_used WHERE id = $1").bind(owner)).await.map(drop)
}

/// Notes a content that is about to be written to the object store, so that it is found if nothing comes of it.
pub(super) async fn announce(session: &mut Session, name: ObjectName, now: jiff::Timestamp) -> Result<(), StoreError> {
    let nothing: &[u8] = &[];
    let announce =
        sql("INSERT INTO file_content (id, in_use, sealed_key, length, sha256, since_us) VALUES ($1, $2, $3, 0, $3, $4)");
    session.execute(announce.bind(name.uuid()).bind(false).bind(nothing).bind(us(now))).await.map(drop)
}

/// A content is whole, and something refers to it from now on.
pub(super) async fn keep(session: &mut Session, object: &Object) -> Result<Uuid, StoreError> {
    let id = object.name.uuid();
    let keep = sql("UPDATE file_content SET in_use = $1, sealed_key = $2, length = $3, sha256 = $4 WHERE id = $5")
        .bind(true)
        .bind(object.key.as_bytes())
        .bind(length(object.length))
        .bind(object.sha256.as_slice())
        .bind(id);
    match session.execute(keep).await? {
        1 => Ok(id),
        // It was taken for abandoned and removed: the upload took days.
        _ => Err(StoreError::Unreadable { column: "file_content" }),
    }
}

/// A content, to be read.
pub(super) async fn object(session: &mut Session, content: Uuid) -> Result<Object, StoreError> {
    let unreadable = || StoreError::Unreadable { column: "file_content" };
    let query = sql("SELECT id, sealed_key, length, sha256 FROM file_content WHERE id = $1 AND in_use = $2");
    let row = session.first(query.bind(content).bind(true)).await?.ok_or_else(unreadable)?;
    object_of(&row)
}

/// The same of a row that is here.
pub(super) fn object_of(row: &Row) -> Result<Object, StoreError> {
    let unreadable = || StoreError::Unreadable { column: "file_content" };
    Ok(Object {
        name: ObjectName::of(row.get("id")?),
        key: SealedKey::from_bytes(&row.get::<Vec<u8>>("sealed_key")?).ok_or_else(unreadable)?,
        length: count(row, "length")?,
        sha256: row.get::<Vec<u8>>("sha256")?.try_into().map_err(|_| unreadable())?,
    })
}

/// Lets go of a content where nothing refers to it any more: its key is gone with this transaction, and the content can be read
/// by nobody. Returns whether the object may be deleted, once it is committed.
pub(super) async fn release(session: &mut Session, content: Uuid, now: jiff::Timestamp) -> Result<bool, StoreError> {
    // Of two that let go of the last two references at once, each would see the other's.
    let lock: Query =
        by_dialect("SELECT id FROM file_content WHERE id = $1", "SELECT id FROM file_content WHERE id = $1 FOR UPDATE");
    session.first(lock.bind(content)).await?;
    let nothing: &[u8] = &[];
    let release = sql("UPDATE file_content SET in_use = $2, sealed_key = $3, sha256 = $3, since_us = $4
                       WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM home_file WHERE content = $1)
                           AND NOT EXISTS (SELECT 1 FROM transfer WHERE content = $1)
                           AND NOT EXISTS (SELECT 1 FROM mailbox_file WHERE content = $1)
                           AND NOT EXISTS (SELECT 1 FROM mailbox_upload WHERE content = $1)
                           AND NOT EXISTS (SELECT 1 FROM mailbox_part WHERE content = $1)");
    Ok(session.execute(release.bind(content).bind(false).bind(nothing).bind(us(now))).await? == 1)
}

/// Lets go of the contents of a delivery's pieces, which nothing else refers to.
pub(super) async fn release_pieces(
    session: &mut Session,
    mailbox: Uuid,
    delivery: Uuid,
    now: jiff::Timestamp,
) -> Result<(), StoreError> {
    let nothing: &[u8] = &[];
    let release = sql("UPDATE file_content SET in_use = $1, sealed_key = $2, sha256 = $2, since_us = $3
                       WHERE id IN (SELECT content FROM mailbox_part WHERE mailbox = $4 AND delivery = $5)");
    session.execute(release.bind(false).bind(nothing).bind(us(now)).bind(mailbox).bind(delivery)).await.map(drop)
}

/// A content that is in use by nothing and was deleted from the object store.
pub(super) async fn forget(session: &mut Session, content: Uuid) -> Result<(), StoreError> {
    session.execute(sql("DELETE FROM file_content WHERE id = $1 AND in_use = $2").bind(content).bind(false)).await.map(drop)
}

/// Contents that nothing refers to, and that have been so since before `before_us`.
pub(super) async fn abandoned(session: &mut Session, before_us: i64, most: u32) -> Result<Vec<Uuid>, StoreError> {
    let query = match session.dialect() {
        Dialect::Sqlite => sql("SELECT id FROM file_content WHERE in_use = 0 AND since_us < $1 ORDER BY since_us LIMIT $2"),
        Dialect::Postgres => sql("SELECT id FROM file_content WHERE NOT in_use AND since_us < $1 ORDER BY since_us LIMIT $2"),
    };
    session.all(query.bind(before_us).bind(i64::from(most))).await?.iter().map(|row| row.get("id")).collect()
}
