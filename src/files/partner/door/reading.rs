//! A file of an inbox that is got, or an upload that is looked at.

use std::time::Instant;

use bytes::Bytes;
use uuid::Uuid;

use super::writing::Upload;
use super::{BELIEVED, Folder, PartnerHome, entry_of, of_store, problem};
use crate::audit::{Durable, OpenRecord};
use crate::files::core::Failed;
use crate::files::home::{Entry, Problem};
use crate::files::name::Name;
use crate::files::partner::core::{Mailboxes, Moved, Passing, Purpose, Step};
use crate::files::seeking::{Out, Seeking};
use crate::files::shelf;
use crate::files::users::us;
use crate::store::{StoreError, sql};

/// A content that goes out.
pub struct Reading {
    pub(super) entry: Entry,
    seeking: Seeking,
    /// What of it was handed out.
    out: Out,
    fetch: Option<Fetch>,
    /// Of an inbox: whose, where, and when it was last looked whether the user may still fetch there.
    may: Option<(PartnerHome, Folder, Instant)>,
    _passing: Passing,
}

/// A file that counts as fetched once all of it was handed out.
struct Fetch {
    mailboxes: Mailboxes,
    file: Uuid,
    user: Uuid,
    record: (OpenRecord, Durable),
}

impl Reading {
    /// That it is handed out is in the audit before its first byte is.
    pub(super) async fn of_inbox(home: &PartnerHome, folder: &Folder, name: &Name) -> Result<Self, Problem> {
        let (own, file) = home.lying(folder, name).await?;
        let (entered, mailboxes) = (home.entered().await?, home.mailboxes());
        let passing = mailboxes.passing(entered.user.id).map_err(problem)?;
        let content = file.content.ok_or(Problem::NoSuchFile)?;
        let object = async { shelf::object(&mut mailboxes.database().session().await?, content).await };
        let object = object.await.map_err(of_store)?;
        let record = mailboxes.admitted("HentFil", &entered, &Moved::fetched(&file, &own)).await.map_err(problem)?;
        let fetch = Fetch { mailboxes: mailboxes.clone(), file: file.id, user: entered.user.id, record };
        let (entry, seeking) = (entry_of(&file)?, Seeking::new(mailboxes.0.parts.objects.clone(), object));
        let may = Some((home.again(), folder.clone(), Instant::now()));
        Ok(Self { out: home.homes.files.0.handed.of(file.id), entry, seeking, fetch: Some(fetch), may, _passing: passing })
    }

    pub(super) async fn of_upload(home: &PartnerHome, upload: &Upload) -> Result<Self, Problem> {
        let mailboxes = home.mailboxes();
        let passing = mailboxes.passing(home.user).map_err(problem)?;
        let object = async { shelf::object(&mut mailboxes.database().session().await?, upload.content).await };
        let object = object.await.map_err(of_store)?;
        let seeking = Seeking::new(mailboxes.0.parts.objects.clone(), object);
        let out = home.homes.files.0.handed.of(upload.id);
        Ok(Self { entry: upload.entry(), seeking, out, fetch: None, may: None, _passing: passing })
    }

    /// Up to `length` bytes from `offset`.
    pub(super) async fn read(&mut self, offset: u64, length: usize) -> Result<Bytes, Problem> {
        let end = offset.saturating_add(length as u64).min(self.entry.size);
        if offset >= end {
            return Ok(Bytes::new());
        }
        // A large file takes hours: a right taken away or an agreement suspended meanwhile ends it.
        if let Some((home, folder, looked)) = &mut self.may
            && looked.elapsed() >= BELIEVED
        {
            home.agreement(folder, Purpose::Fetch).await?;
            *looked = Instant::now();
        }
        let bytes = self.seeking.read(offset, end).await.map_err(Failed::from)?;
        self.out.add(offset, bytes.len());
        // Not at the close alone: lftp sends none.
        self.noted().await?;
        Ok(bytes)
    }

    /// A file that was handed out whole was fetched; told once, and its record ends.
    async fn noted(&mut self) -> Result<(), Problem> {
        if !self.out.is_whole(self.entry.size) {
            return Ok(());
        }
        let Some(fetch) = &self.fetch else { return Ok(()) };
        let noted = async {
            let fetched = sql("UPDATE mailbox_file SET fetched_us = $1, fetched_by = $2 WHERE id = $3 AND fetched_us IS NULL");
            let fetched = fetched.bind(us(fetch.mailboxes.now())).bind(fetch.user).bind(fetch.file);
            fetch.mailboxes.database().execute(fetched).await
        };
        let noted: Result<u64, StoreError> = noted.await;
        noted.map_err(of_store)?;
        if let Some(fetch) = self.fetch.take() {
            fetch.mailboxes.reached(Step::Fetched);
            fetch.record.0.served();
        }
        Ok(())
    }

    /// The end; an empty file has no other.
    pub(super) async fn close(mut self) -> Result<(), Problem> {
        self.noted().await?;
        if let Some(fetch) = self.fetch.take() {
            fetch.record.0.served();
        }
        Ok(())
    }
}
