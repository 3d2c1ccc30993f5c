//! A file that is read, from the object store or from its row.

use bytes::Bytes as Shared;

use crate::files::core::{Failed, Files};
use crate::files::deliver::shared;
use crate::files::home::Folder;
use crate::files::seeking::{Out, Seeking};
use crate::files::shelf::{self, Bytes, Kind, Lying};
use crate::files::transfers;
use crate::files::users::us;
use crate::files::xml::trigger::LARGEST as LARGEST_TRIGGER;
use crate::store::until_it_holds;

/// A file that is read. It stays readable when its row goes: its key was taken along.
pub struct ReadFile {
    files: Files,
    pub(super) file: Lying,
    source: Source,
    /// What of it was handed out.
    out: Out,
}

enum Source {
    Here(Shared),
    Store(Box<Seeking>),
}

impl ReadFile {
    /// Up to `length` bytes from `offset`.
    pub(super) async fn read(&mut self, offset: u64, length: usize) -> Result<Shared, Failed> {
        let end = offset.saturating_add(length as u64).min(self.file.size);
        let read = match &mut self.source {
            Source::Here(body) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(body.len());
                body.slice(from..from.saturating_add(length).min(body.len()))
            }
            Source::Store(_) if offset >= self.file.size => Shared::new(),
            Source::Store(stored) => stored.read(offset, end).await?,
        };
        self.out.add(offset, read.len());
        // Not at the close alone: lftp sends none.
        self.noted().await?;
        Ok(read)
    }

    /// A file of IN that was handed out whole was fetched.
    async fn noted(&mut self) -> Result<(), Failed> {
        if self.file.folder == Folder::In && !self.file.is_read && self.out.is_whole(self.file.size) {
            until_it_holds(async || self.files.fetched(&self.file).await).await?;
            self.file.is_read = true;
        }
        Ok(())
    }

    /// The end; an empty file has no other.
    pub(super) async fn close(mut self) -> Result<(), Failed> {
        self.noted().await
    }
}

impl Files {
    /// Opens a file for reading.
    pub(super) async fn opened(&self, file: Lying) -> Result<ReadFile, Failed> {
        let source = match &file.bytes {
            Bytes::Here(body) => Source::Here(shared(body.clone())),
            Bytes::Content(content) => {
                let object = shelf::object(&mut self.database().session().await?, *content).await?;
                Source::Store(Box::new(Seeking::new(self.objects().clone(), object)))
            }
        };
        let out = self.0.handed.of(file.id);
        Ok(ReadFile { files: self.clone(), file, source, out })
    }

    /// The whole of a file that is to be a trigger, or one byte more than a trigger may have.
    pub(super) async fn small(&self, file: &Lying) -> Result<Vec<u8>, Failed> {
        Ok(self.opened(file.clone()).await?.read(0, LARGEST_TRIGGER + 1).await?.to_vec())
    }

    /// A file in IN was read to its end.
    async fn fetched(&self, file: &Lying) -> Result<(), Failed> {
        let now = self.now();
        let mut transaction = self.database().begin_beside_others().await?;
        shelf::lock_home(&mut transaction, file.owner).await?;
        let read = crate::store::sql("UPDATE home_file SET read_us = $1 WHERE id = $2 AND read_us IS NULL");
        transaction.execute(read.bind(us(now)).bind(file.id)).await?;
        if let (Kind::Data, Some(transfer)) = (file.kind, file.transfer) {
            transfers::fetched(&mut transaction, transfer, file.owner, now).await?;
        }
        Ok(transaction.commit().await?)
    }
}
