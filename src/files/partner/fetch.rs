//! A file goes out: listed since a place, read from any byte on, confirmed as often as one likes.

use std::ops::Range;

use bytes::Bytes;
use jiff::SignedDuration;
use uuid::Uuid;

use super::agreement::{Agreement, Number};
use super::core::{Entered, MailboxError, Mailboxes, Moved, Passing, Purpose, Step, lock, nothing};
use super::deliver::is_past;
use super::rows::{self, File, files_where};
use crate::audit::{Durable, OpenRecord};
use crate::files::shelf;
use crate::files::users::us;
use crate::objects::Reading;
use crate::refusal::api::ApiRefusal;
use crate::store::{StoreError, sql, until_it_holds};

fn no_file() -> MailboxError {
    nothing("fil", "file").into()
}

/// Which box of an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// What was sent to it.
    Inbox,
    /// What it has sent.
    Outbox,
}

impl Which {
    fn seen(self) -> Purpose {
        match self {
            Self::Inbox => Purpose::SeeInbox,
            Self::Outbox => Purpose::See,
        }
    }
}

/// A content that goes out.
pub struct Sending {
    mailboxes: Mailboxes,
    user: Uuid,
    file: File,
    reading: Reading,
    left: u64,
    whole: bool,
    /// Open until the last byte is handed over.
    record: Option<(OpenRecord, Durable)>,
    _passing: Passing,
}

impl Mailboxes {
    /// The files of a box after a place, the oldest first. Places are given in the order in which files come to be seen, so that none is
    /// left out by whoever goes on from the last one.
    ///
    /// # Errors
    /// [`MailboxError`].
    pub async fn list(
        &self,
        entered: &Entered,
        number: Number,
        which: Which,
        after: i64,
        many: u32,
    ) -> Result<Vec<File>, MailboxError> {
        let own = self.agreement(entered, number, which.seen()).await?;
        let query = match which {
            Which::Inbox => files_where!("f.recipient = $1 AND f.number > $2 ORDER BY f.number LIMIT $3"),
            Which::Outbox => files_where!("f.sender = $1 AND f.sent > $2 ORDER BY f.sent LIMIT $3"),
        };
        let found = self.database().all(query.bind(own.id).bind(after).bind(i64::from(many))).await?;
        Ok(found.iter().map(rows::read).collect::<Result<_, _>>()?)
    }

    /// A file of an inbox, or by its sender's id of an outbox.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiNotFound`], also where it is another agreement's; [`ApiRefusal::MailboxDeliveryPast`].
    pub async fn file(&self, entered: &Entered, number: Number, which: Which, id: Uuid) -> Result<File, MailboxError> {
        let own = self.agreement(entered, number, which.seen()).await?;
        let mut session = self.database().session().await?;
        let found = match which {
            Which::Inbox => rows::arrived(&mut session, own.id, id).await?,
            Which::Outbox => rows::delivered(&mut session, own.id, id).await?,
        };
        if let (None, Which::Outbox) = (&found, which)
            && let Some(validation) = rows::past(&mut session, own.id, id).await?
        {
            return Err(is_past(validation));
        }
        found.ok_or_else(no_file)
    }

    async fn to_fetch(&self, entered: &Entered, number: Number, id: Uuid) -> Result<(Agreement, File), MailboxError> {
        let own = self.agreement(entered, number, Purpose::Fetch).await?;
        let file = rows::arrived(&mut self.database().session().await?, own.id, id).await?;
        Ok((own, file.ok_or_else(no_file)?))
    }

    /// Opens bytes of a file's content. That it is handed out is in the audit before its first byte is.
    ///
    /// # Errors
    /// [`MailboxError`]: it is deleted, or too many are on their way.
    pub async fn open(&self, entered: &Entered, number: Number, id: Uuid, range: Range<u64>) -> Result<Sending, MailboxError> {
        let (own, file) = self.to_fetch(entered, number, id).await?;
        let content = file.content.ok_or(ApiRefusal::MailboxFileGone)?;
        let passing = self.passing(entered.user.id)?;
        let object = shelf::object(&mut self.database().session().await?, content).await?;
        let reading = self.0.parts.objects.read(&object, range.start).await?;
        let record = self.admitted("HentFil", entered, &Moved::fetched(&file, &own)).await?;
        let whole = range.end >= file.size;
        Ok(Sending {
            mailboxes: self.clone(),
            user: entered.user.id,
            left: range.end.saturating_sub(range.start),
            file,
            reading,
            whole,
            record: Some(record),
            _passing: passing,
        })
    }

    /// Confirms that the recipient has all of a file: its SHA-256 says so, and it was read to its end, for the list tells the SHA-256 too.
    /// Once more changes nothing.
    ///
    /// # Errors
    /// [`ApiRefusal::MailboxContentDiffers`] for another digest; [`ApiRefusal::MailboxNotFetched`].
    pub async fn confirm(&self, entered: &Entered, number: Number, id: Uuid, sha256: &str) -> Result<File, MailboxError> {
        until_it_holds(async || {
            let (own, file) = self.to_fetch(entered, number, id).await?;
            if file.sha256 != sha256 {
                return Err(ApiRefusal::MailboxContentDiffers.into());
            }
            if file.confirmed.is_some() {
                return Ok(file);
            }
            if file.fetched.is_none() {
                return Err(ApiRefusal::MailboxNotFetched.into());
            }
            let now = self.now();
            let delete = now.checked_add(SignedDuration::from_hours(24 * file.keep_days)).unwrap_or(now);
            let mut transaction = self.database().begin_beside_others().await?;
            lock(&mut transaction, &[own.id]).await?;
            let confirm = sql("UPDATE mailbox_file SET transport = 'AFHENTET', confirmed_us = $1, delete_us = $2
                 WHERE id = $3 AND transport = 'KLAR'");
            let done = transaction.execute(confirm.bind(us(now)).bind(us(delete)).bind(id)).await?;
            let seen = sql("UPDATE mailbox_user SET fetched_us = $1 WHERE id = $2");
            transaction.execute(seen.bind(us(now)).bind(entered.user.id)).await?;
            let file = rows::with_id(&mut transaction, id).await?.ok_or_else(no_file)?;
            // It expired meanwhile: nobody has it by our word.
            if done == 0 && file.confirmed.is_none() {
                return Err(ApiRefusal::MailboxFileGone.into());
            }
            self.reached(Step::Confirmed);
            transaction.commit().await?;
            Ok(file)
        })
        .await
    }
}

impl Sending {
    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The next bytes; none: that was all.
    ///
    /// # Errors
    /// The object store, or what lies there is damaged.
    pub async fn next(&mut self) -> Result<Option<Bytes>, MailboxError> {
        let next = if self.left == 0 { None } else { self.reading.next().await? };
        if next.is_none() && self.left == 0 {
            // Also of an empty file, of which no byte is read.
            self.read_to_its_end().await?;
        }
        let Some(mut bytes) = next else {
            if let Some((record, _)) = self.record.take() {
                record.served();
            }
            return Ok(None);
        };
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= bytes.len() as u64;
        if self.left == 0 {
            // Before its last byte is handed over, so that whoever has it may confirm.
            self.read_to_its_end().await?;
        }
        Ok(Some(bytes))
    }

    async fn read_to_its_end(&mut self) -> Result<(), StoreError> {
        if self.whole && self.file.fetched.is_none() {
            let now = self.mailboxes.now();
            let fetched = sql("UPDATE mailbox_file SET fetched_us = $1, fetched_by = $2 WHERE id = $3 AND fetched_us IS NULL");
            let mut session = self.mailboxes.database().session().await?;
            session.execute(fetched.bind(us(now)).bind(self.user).bind(self.file.id)).await?;
            self.file.fetched = Some(now);
            self.mailboxes.reached(Step::Fetched);
        }
        Ok(())
    }
}
