//! How much of what an agreement has sent may lie at once: until it is deleted, also what others have not fetched, and what waits for its
//! final name or its next piece (each piece counts as a file). It is counted in the agreement's row, which whoever delivers has locked, so that a mailbox with a million files costs no
//! more than one with a thousand.

use uuid::Uuid;

use super::core::{MailboxError, Mailboxes, lock};
use crate::files::users::count;
use crate::refusal::api::ApiRefusal;
use crate::store::{Session, StoreError, sql, until_it_holds};

/// Where the terms say nothing, in bytes: twice the largest file that a stream may have.
pub const USUAL_BYTES: u64 = 200_000_000_000;
/// The most files.
pub const MOST_FILES: u64 = 2_000_000;

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What of an agreement lies.
pub(super) struct Lies {
    pub(super) bytes: u64,
    pub(super) files: u64,
    /// Bytes that may.
    pub(super) most_bytes: u64,
}

/// What of an agreement lies.
pub(super) async fn lying(session: &mut Session, mailbox: Uuid) -> Result<Lies, StoreError> {
    let lying = sql("SELECT bytes_lying, files_lying, COALESCE(quota_bytes, $1) AS quota_bytes FROM mailbox WHERE id = $2");
    let lying = session.first(lying.bind(signed(USUAL_BYTES)).bind(mailbox)).await?;
    let lying = lying.ok_or(StoreError::Unreadable { column: "mailbox" })?;
    let (bytes, files) = (count(&lying, "bytes_lying")?, count(&lying, "files_lying")?);
    Ok(Lies { bytes, files, most_bytes: count(&lying, "quota_bytes")? })
}

/// How many bytes more may lie, and how many may in all.
pub(super) async fn left(session: &mut Session, mailbox: Uuid) -> Result<(u64, u64), StoreError> {
    let Lies { bytes, files, most_bytes } = lying(session, mailbox).await?;
    Ok((if files < MOST_FILES { most_bytes.saturating_sub(bytes) } else { 0 }, most_bytes))
}

/// A file comes to lie. The agreement's row is locked by whoever asks.
pub(super) async fn take(session: &mut Session, mailbox: Uuid, bytes: u64) -> Result<(), MailboxError> {
    let (left, limit) = left(session, mailbox).await?;
    if bytes > left || left == 0 {
        return Err(ApiRefusal::MailboxFull { limit }.into());
    }
    let take = sql("UPDATE mailbox SET bytes_lying = bytes_lying + $1, files_lying = files_lying + 1 WHERE id = $2");
    Ok(session.execute(take.bind(signed(bytes)).bind(mailbox)).await.map(drop)?)
}

/// A file lies no more.
pub(super) async fn give_back(session: &mut Session, mailbox: Uuid, bytes: u64) -> Result<(), StoreError> {
    give_back_all(session, mailbox, bytes, 1).await
}

/// So many files, of so many bytes together, lie no more.
pub(super) async fn give_back_all(session: &mut Session, mailbox: Uuid, bytes: u64, files: u64) -> Result<(), StoreError> {
    let give = sql("UPDATE mailbox SET bytes_lying = CASE WHEN bytes_lying > $1 THEN bytes_lying - $1 ELSE 0 END,
             files_lying = CASE WHEN files_lying > $2 THEN files_lying - $2 ELSE 0 END WHERE id = $3");
    session.execute(give.bind(signed(bytes)).bind(signed(files)).bind(mailbox)).await.map(drop)
}

impl Mailboxes {
    /// Counts anew what lies: a node of the release before did not count.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn count_what_lies(&self) -> Result<(), StoreError> {
        for row in self.database().all(sql("SELECT id FROM mailbox ORDER BY id")).await? {
            let mailbox: Uuid = row.get("id")?;
            until_it_holds(async || self.counted_anew(mailbox).await).await?;
        }
        Ok(())
    }

    async fn counted_anew(&self, mailbox: Uuid) -> Result<(), StoreError> {
        let mut transaction = self.database().begin_beside_others().await?;
        lock(&mut transaction, &[mailbox]).await?;
        // A statement of its own: it sees what was committed before the lock was had.
        let count = sql("UPDATE mailbox SET
             bytes_lying = (SELECT COALESCE(CAST(sum(size) AS bigint), 0) FROM mailbox_file WHERE sender = $1 AND content IS NOT NULL)
                 + (SELECT COALESCE(CAST(sum(size) AS bigint), 0) FROM mailbox_upload WHERE mailbox = $1)
                 + (SELECT COALESCE(CAST(sum(size) AS bigint), 0) FROM mailbox_part WHERE mailbox = $1),
             files_lying = (SELECT count(*) FROM mailbox_file WHERE sender = $1 AND content IS NOT NULL)
                 + (SELECT count(*) FROM mailbox_upload WHERE mailbox = $1)
                 + (SELECT count(*) FROM mailbox_part WHERE mailbox = $1)
             WHERE id = $1");
        transaction.execute(count.bind(mailbox)).await?;
        transaction.commit().await
    }
}
