//! What became of a file that was put by SFTP, for its sender to read: most clients show no refusal.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::files::codes::Code;
use crate::files::deliver::suffixed;
use crate::files::home::Entry;
use crate::files::name::Name;
use crate::files::users::{instant, us};
use crate::files::xml::written::{Answer, receipt};
use crate::store::{Row, Session, StoreError, sql};

/// How long receipts lie.
const STAY: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Receipts of refusals as a file came, of one agreement; of files that were taken there are as many as files.
const REFUSALS: i64 = 100;

/// A receipt.
pub(super) struct Receipt {
    pub(super) entry: Entry,
    pub(super) body: Vec<u8>,
}

/// Writes one; without codes it says SUCCESS. The newest has the file's name, and an older one that was not removed gets its id into its.
pub(super) async fn write(
    session: &mut Session,
    mailbox: Uuid,
    file: Option<Uuid>,
    name: &Name,
    codes: &[Code],
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = file.unwrap_or_else(Uuid::now_v7);
    let answer = if codes.is_empty() { Answer::Delivered(&[]) } else { Answer::Refused(codes) };
    let body = receipt(id, None, &answer).into_bytes();
    // A name that is too long to be one of ours leaves its id alone.
    let named = |middle: &str| suffixed(name, &format!("{middle}.sftpreceipt"));
    let plain = match named("") {
        Ok(plain) => plain,
        Err(_) => Name::new(&format!("{id}.sftpreceipt")).map_err(|_| StoreError::Unreadable { column: "name" })?,
    };
    let older = sql("SELECT id FROM mailbox_receipt WHERE mailbox = $1 AND name_key = $2").bind(mailbox).bind(plain.key());
    if let Some(older) = session.first(older).await? {
        let older: Uuid = older.get("id")?;
        let other = match named(&format!(".{older}")) {
            Ok(other) => other,
            Err(_) => Name::new(&format!("{older}.sftpreceipt")).map_err(|_| StoreError::Unreadable { column: "name" })?,
        };
        // A sender chooses names, and may have taken this one too: then the older receipt goes, and the newest is written all the same.
        let taken = sql("SELECT id FROM mailbox_receipt WHERE mailbox = $1 AND name_key = $2").bind(mailbox).bind(other.key());
        let aside = match session.first(taken).await? {
            Some(_) => sql("DELETE FROM mailbox_receipt WHERE id = $1").bind(older),
            None => {
                let rename = sql("UPDATE mailbox_receipt SET name = $1, name_key = $2 WHERE id = $3");
                rename.bind(other.spelt()).bind(other.key()).bind(older)
            }
        };
        session.execute(aside).await?;
    }
    let add = sql(
        "INSERT INTO mailbox_receipt (id, mailbox, file, name, name_key, body, written_us) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    let add = add.bind(id).bind(mailbox).bind(file).bind(plain.spelt()).bind(plain.key()).bind(body).bind(us(now));
    session.execute(add).await?;
    if file.is_none() {
        let bounded = sql("DELETE FROM mailbox_receipt WHERE mailbox = $1 AND file IS NULL AND id NOT IN
             (SELECT id FROM mailbox_receipt WHERE mailbox = $1 AND file IS NULL ORDER BY written_us DESC, id DESC LIMIT $2)");
        session.execute(bounded.bind(mailbox).bind(REFUSALS)).await?;
    }
    Ok(())
}

fn read(row: &Row) -> Result<Receipt, StoreError> {
    let unreadable = |column| StoreError::Unreadable { column };
    let (name, body): (String, Vec<u8>) = (row.get("name")?, row.get("body")?);
    let entry = Entry {
        name: Name::new(&name).map_err(|_| unreadable("name"))?,
        size: body.len() as u64,
        modified: instant(row.get("written_us")?, "written_us")?,
    };
    Ok(Receipt { entry, body })
}

pub(super) async fn find(session: &mut Session, mailbox: Uuid, name: &Name) -> Result<Option<Receipt>, StoreError> {
    let query = sql("SELECT name, written_us, body FROM mailbox_receipt WHERE mailbox = $1 AND name_key = $2");
    session.first(query.bind(mailbox).bind(name.key())).await?.as_ref().map(read).transpose()
}

pub(super) async fn page(
    session: &mut Session,
    mailbox: Uuid,
    after: Option<&Name>,
    at_most: usize,
) -> Result<Vec<Receipt>, StoreError> {
    let query = sql("SELECT name, written_us, body FROM mailbox_receipt WHERE mailbox = $1 AND name_key > $2
         ORDER BY name_key LIMIT $3");
    let query = query.bind(mailbox).bind(after.map_or("", Name::key)).bind(i64::try_from(at_most).unwrap_or(i64::MAX));
    session.all(query).await?.iter().map(read).collect()
}

/// Whether there was one.
pub(super) async fn remove(session: &mut Session, mailbox: Uuid, name: &Name) -> Result<bool, StoreError> {
    let gone = sql("DELETE FROM mailbox_receipt WHERE mailbox = $1 AND name_key = $2").bind(mailbox).bind(name.key());
    Ok(session.execute(gone).await? == 1)
}

pub(super) async fn clean(session: &mut Session, now: Timestamp) -> Result<(), StoreError> {
    let before = us(now.checked_sub(STAY).unwrap_or(now));
    session.execute(sql("DELETE FROM mailbox_receipt WHERE written_us < $1").bind(before)).await.map(drop)
}
