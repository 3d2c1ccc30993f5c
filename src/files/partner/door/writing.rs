//! A file that is put: delivered at its close, or where its name is not final at its rename.

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Folder, PartnerHome, code, of_store, problem};
use crate::files::codes::Code;
use crate::files::core::{Failed, Written, drop_content};
use crate::files::home::{Entry, Item, Opening, Problem};
use crate::files::judge::name_is_allowed;
use crate::files::name::Name;
use crate::files::partner::core::{Entered, MailboxError, Mailboxes, Passing, Purpose, Step};
use crate::files::partner::deliver::{Delivery, Through};
use crate::files::partner::rows::File as Row;
use crate::files::partner::work::UPLOADS_STAY_HOURS;
use crate::files::partner::{receipts, room};
use crate::files::shelf;
use crate::files::staged::Staged;
use crate::files::users::{count, instant, us};
use crate::objects::Object;
use crate::refusal::api::ApiRefusal;
use crate::store::{Row as Columns, StoreError, Transaction, sql, until_it_holds};

/// Uploads of one user that wait for their names.
const WAITING: u64 = 64;
/// What clients put behind a name until all of the file is there: rclone, WinSCP, others.
const NOT_FINAL: [&str; 5] = [".partial", ".filepart", ".part", ".tmp", ".writing"];

/// Whether a client will rename the file: it begins with a dot, as lftp has it, or ends as one that is being written.
pub(super) fn is_waiting(name: &Name) -> bool {
    let lower = name.spelt().to_lowercase();
    lower.starts_with('.') || NOT_FINAL.iter().any(|suffix| lower.ends_with(suffix))
}

/// What lies in OUT until it is renamed.
pub(super) struct Upload {
    pub(super) id: Uuid,
    name: Name,
    pub(super) content: Uuid,
    size: u64,
    modified: Timestamp,
}

impl Upload {
    pub(super) fn entry(&self) -> Entry {
        Entry { name: self.name.clone(), size: self.size, modified: self.modified }
    }

    fn read(row: &Columns) -> Result<Self, StoreError> {
        let name: String = row.get("name")?;
        Ok(Self {
            id: row.get("id")?,
            name: Name::new(&name).map_err(|_| StoreError::Unreadable { column: "name" })?,
            content: row.get("content")?,
            size: count(row, "size")?,
            modified: instant(row.get("modified_us")?, "modified_us")?,
        })
    }
}

macro_rules! uploads_where {
    ($condition:literal) => {
        sql(concat!(
            "SELECT id, name, content, size, modified_us FROM mailbox_upload
             WHERE mailbox_user = $1 AND mailbox = $2 AND stream = $3 AND alias_kind = $4 AND alias_code = $5 AND ",
            $condition
        ))
    };
}

impl PartnerHome {
    /// The user's own upload of a name that is not final.
    pub(super) async fn upload(&self, folder: &Folder, name: &Name) -> Result<Option<Upload>, Problem> {
        let own = self.agreement(folder, Purpose::See).await?;
        let Some((stream, (kind, code))) = folder.whole() else { return Ok(None) };
        let query = uploads_where!("name_key = $6").bind(self.user).bind(own.id).bind(stream).bind(kind).bind(code);
        let row = self.mailboxes().database().first(query.bind(name.key())).await.map_err(of_store)?;
        row.as_ref().map(Upload::read).transpose().map_err(of_store)
    }

    pub(super) async fn uploads(&self, folder: &Folder, after: Option<&Name>, at_most: usize) -> Result<Vec<Item>, Problem> {
        let own = self.agreement(folder, Purpose::See).await?;
        let Some((stream, (kind, code))) = folder.whole() else { return Ok(Vec::new()) };
        let query = uploads_where!("name_key > $6 ORDER BY name_key LIMIT $7");
        let query = query.bind(self.user).bind(own.id).bind(stream).bind(kind).bind(code).bind(after.map_or("", Name::key));
        let many = i64::try_from(at_most).unwrap_or(i64::MAX);
        let rows = self.mailboxes().database().all(query.bind(many)).await.map_err(of_store)?;
        rows.iter().map(|row| Ok(Item::File(Upload::read(row).map_err(of_store)?.entry()))).collect()
    }

    /// What a refusal on the wire says, also as a receipt: many clients do not show the former.
    pub(super) async fn refuse(&self, folder: &Folder, name: &Name, error: MailboxError) -> Problem {
        // Whoever does not deliver on the agreement has no receipts there.
        let Ok(own) = self.agreement(folder, Purpose::SeeReceipts).await else { return problem(error) };
        let (codes, mailboxes) = ([code(&error)], self.mailboxes());
        let written = until_it_holds(async || -> Result<(), StoreError> {
            let mut transaction = mailboxes.database().begin_beside_others().await?;
            super::super::core::lock(&mut transaction, &[own.id]).await?;
            receipts::write(&mut transaction, own.id, None, name, &codes, mailboxes.now()).await?;
            transaction.commit().await
        });
        match written.await {
            Ok(()) => problem(error),
            Err(error) => of_store(error),
        }
    }

    /// Hands in a content that lies in the object store.
    async fn hand_in(
        &self,
        entered: &Entered,
        folder: &Folder,
        name: &Name,
        object: &Object,
        upload: Option<Uuid>,
    ) -> Result<Row, MailboxError> {
        let (stream, (kind, code)) = folder.whole().ok_or(ApiRefusal::MailboxNotAgreed)?;
        let delivery = Delivery {
            number: folder.number,
            delivery: Uuid::now_v7(),
            stream: stream.to_owned(),
            alias: (kind.to_owned(), code.to_owned()),
            name: name.clone(),
            size: object.length,
            sha256: crate::hex::encode(&object.sha256),
            through: Through::Sftp(upload),
        };
        self.mailboxes().taken(entered, &delivery, object).await
    }

    /// An upload gets another name: a final one delivers it.
    pub(super) async fn renamed(
        &self,
        (old, from): (&Folder, &Name),
        (new, to): (&Folder, &Name),
        replace: bool,
    ) -> Result<(), Problem> {
        let upload = self.upload(old, from).await?.ok_or(Problem::NoSuchFile)?;
        let mailboxes = self.mailboxes();
        if is_waiting(to) {
            let there = self.upload(new, to).await?.filter(|there| there.id != upload.id);
            if there.is_some() && !replace {
                return Err(Problem::Exists);
            }
            let own = self.agreement(new, Purpose::Deliver).await?;
            let Some((stream, (kind, code))) = new.whole() else { return Err(Problem::Denied) };
            let renamed = until_it_holds(async || -> Result<Option<Uuid>, MailboxError> {
                let mut transaction = mailboxes.database().begin_beside_others().await?;
                let of = || sql("SELECT mailbox FROM mailbox_upload WHERE id = $1").bind(upload.id);
                let gone = || MailboxError::from(Failed::Told(Problem::NoSuchFile));
                let was: Uuid = transaction.first(of()).await?.ok_or_else(gone)?.get("mailbox")?;
                if was != own.id || there.is_some() {
                    super::super::core::lock(&mut transaction, &[was, own.id]).await?;
                }
                // What has the name gives way with the rename, or stays.
                let released = match &there {
                    Some(there) => mailboxes.upload_taken_away(&mut transaction, there.id).await?,
                    None => None,
                };
                if was != own.id {
                    room::give_back(&mut transaction, was, upload.size).await?;
                    room::take(&mut transaction, own.id, upload.size).await?;
                }
                // Another session may have renamed it, delivered it or taken it away while this one waited.
                let rename =
                    sql("UPDATE mailbox_upload SET mailbox = $1, stream = $2, alias_kind = $3, alias_code = $4, name = $5,
                         name_key = $6 WHERE id = $7 AND mailbox = $8")
                    .bind(own.id)
                    .bind(stream)
                    .bind(kind)
                    .bind(code)
                    .bind(to.spelt())
                    .bind(to.key())
                    .bind(upload.id)
                    .bind(was);
                if transaction.execute(rename).await? == 0 {
                    return Err(gone());
                }
                transaction.commit().await?;
                Ok(released)
            });
            return match renamed.await {
                Ok(released) => {
                    drop_content(&mailboxes.0.parts, released).await;
                    Ok(())
                }
                Err(error @ MailboxError::Refused(_)) => Err(self.refuse(new, to, error).await),
                Err(error) => Err(problem(error)),
            };
        }
        let entered = self.entered().await?;
        let handed = async {
            allowed(to)?;
            let object = shelf::object(&mut mailboxes.database().session().await?, upload.content).await?;
            let limit = self.limit(&entered, new).await?;
            if object.length > limit {
                return Err(ApiRefusal::MailboxTooLarge { limit }.into());
            }
            self.hand_in(&entered, new, to, &object, Some(upload.id)).await
        };
        match handed.await {
            Ok(file) => {
                mailboxes.0.due.notify_one();
                // The same was put a moment ago.
                if file.content != Some(upload.content) {
                    let released = until_it_holds(async || mailboxes.upload_gone(upload.id).await).await.map_err(problem)?;
                    drop_content(&mailboxes.0.parts, released).await;
                }
                Ok(())
            }
            // Another session delivered it or took it away: whoever did has the receipt.
            Err(MailboxError::Failed(Failed::Told(Problem::NoSuchFile))) => Err(Problem::NoSuchFile),
            Err(error) => Err(self.refuse(new, to, error).await),
        }
    }

    /// How large a file may be there, for a user who may put it.
    async fn limit(&self, entered: &Entered, folder: &Folder) -> Result<u64, MailboxError> {
        Ok(self.limits(entered, folder).await?.0)
    }

    /// The same, with how many bytes more the agreement may have lying, and how many in all.
    async fn limits(&self, entered: &Entered, folder: &Folder) -> Result<(u64, (u64, u64)), MailboxError> {
        let (stream, alias) = folder.whole().ok_or(ApiRefusal::MailboxNotAgreed)?;
        let mut session = self.mailboxes().database().session().await?;
        let way = self.mailboxes().way(&mut session, entered, folder.number, stream, alias).await?;
        Ok((way.stream.largest_bytes, room::left(&mut session, way.own.id).await?))
    }
}

fn allowed(name: &Name) -> Result<(), MailboxError> {
    match name_is_allowed(name) {
        Err(Code::FIL1004 { what }) => Err(ApiRefusal::MailboxName { what }.into()),
        _ => Ok(()),
    }
}

impl Mailboxes {
    /// Takes an upload away. Returns a content to delete.
    pub(super) async fn upload_gone(&self, upload: Uuid) -> Result<Option<Uuid>, MailboxError> {
        let mut transaction = self.database().begin_beside_others().await?;
        let released = self.upload_taken_away(&mut transaction, upload).await?;
        transaction.commit().await?;
        Ok(released)
    }

    /// The same, with whatever else `transaction` writes.
    async fn upload_taken_away(&self, transaction: &mut Transaction, upload: Uuid) -> Result<Option<Uuid>, MailboxError> {
        let gone = sql("DELETE FROM mailbox_upload WHERE id = $1 RETURNING content, mailbox, size").bind(upload);
        let Some(gone) = transaction.first(gone).await? else { return Ok(None) };
        room::give_back(transaction, gone.get("mailbox")?, count(&gone, "size")?).await?;
        let content: Uuid = gone.get("content")?;
        Ok(shelf::release(transaction, content, self.now()).await?.then_some(content))
    }

    /// An upload got no final name in time: it goes, and a receipt says that it was delivered to nobody. Its sender was told OK at the
    /// close, and may know nothing of waiting names. Returns a content to delete.
    pub(in crate::files::partner) async fn upload_over(
        &self,
        upload: Uuid,
        now: Timestamp,
    ) -> Result<Option<Uuid>, MailboxError> {
        let mut transaction = self.database().begin_beside_others().await?;
        let whose = transaction.first(sql("SELECT mailbox FROM mailbox_upload WHERE id = $1").bind(upload)).await?;
        let Some(whose) = whose else { return Ok(None) };
        let mailbox: Uuid = whose.get("mailbox")?;
        super::super::core::lock(&mut transaction, &[mailbox]).await?;
        // Under the lock: it may have been renamed to its final name meanwhile.
        let gone = sql("DELETE FROM mailbox_upload WHERE id = $1 RETURNING content, name, size, mailbox").bind(upload);
        let Some(gone) = transaction.first(gone).await? else { return Ok(None) };
        room::give_back(&mut transaction, gone.get("mailbox")?, count(&gone, "size")?).await?;
        let (content, name): (Uuid, String) = (gone.get("content")?, gone.get("name")?);
        let name = Name::new(&name).map_err(|_| StoreError::Unreadable { column: "name" })?;
        receipts::write(&mut transaction, mailbox, None, &name, &[Code::FIL1013 { hours: UPLOADS_STAY_HOURS }], now).await?;
        let released = shelf::release(&mut transaction, content, now).await?.then_some(content);
        transaction.commit().await?;
        tracing::warn!(%mailbox, %upload, "an upload to a mailbox got no final name within a day; it is deleted, and was delivered to nobody (1013)");
        Ok(released)
    }
}

/// A file that is written.
pub struct Writing {
    home: PartnerHome,
    folder: Folder,
    name: Name,
    staged: Staged,
    /// How large it may become.
    limit: u64,
    /// How many bytes more its agreement may have lying, as it was at the opening, and how many in all.
    room: (u64, u64),
    modified: Timestamp,
    refused: Option<Problem>,
    _taken: Written,
    _passing: Passing,
}

impl Writing {
    pub(super) async fn open(home: &PartnerHome, folder: &Folder, name: &Name, how: Opening) -> Result<Self, Problem> {
        let (entered, mailboxes, files) = (home.entered().await?, home.mailboxes(), &home.homes.files);
        let may = async {
            if !is_waiting(name) {
                allowed(name)?;
            }
            home.limits(&entered, folder).await
        };
        let (limit, room) = match may.await {
            Ok(limits) => limits,
            Err(error) => return Err(home.refuse(folder, name, error).await),
        };
        let Some((stream, (kind, code))) = folder.whole() else { return Err(Problem::Denied) };
        let taken = format!("{}/{stream}/{kind}={code}/{}", folder.number, name.key());
        let Some(taken) = files.take_name(home.user, &taken) else {
            return Err(home.refuse(folder, name, Failed::Told(Problem::Busy).into()).await);
        };
        let found = home.upload(folder, name).await?;
        match &found {
            Some(_) if how.create && how.new_only => return Err(Problem::Exists),
            None if !how.create => return Err(Problem::NoSuchFile),
            _ => {}
        }
        let passing = match mailboxes.passing(home.user) {
            Ok(passing) => passing,
            Err(error) => return Err(home.refuse(folder, name, error).await),
        };
        let mut staged = match Staged::new(&files.0.settings.staging).await {
            Ok(staged) => staged,
            Err(error) => return Err(home.refuse(folder, name, Failed::from(error).into()).await),
        };
        if let Some(upload) = found.filter(|_| !how.truncate) {
            let object = async { shelf::object(&mut mailboxes.database().session().await?, upload.content).await };
            let object = object.await.map_err(of_store)?;
            let mut old = mailboxes.0.parts.objects.read(&object, 0).await.map_err(Failed::from)?;
            while let Some(bytes) = old.next().await.map_err(Failed::from)? {
                staged.write_at(staged.size(), bytes).await.map_err(Failed::from)?;
            }
        }
        Ok(Self {
            home: home.again(),
            folder: folder.clone(),
            name: name.clone(),
            staged,
            limit,
            room,
            modified: mailboxes.now(),
            refused: None,
            _taken: taken,
            _passing: passing,
        })
    }

    /// As a listing would show it.
    pub(super) fn entry(&self) -> Entry {
        Entry { name: self.name.clone(), size: self.staged.size(), modified: self.modified }
    }

    pub(super) async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Problem> {
        Ok(self.staged.read_at(offset, length).await.map_err(Failed::from)?)
    }

    pub(super) async fn sync(&self) -> Result<(), Problem> {
        Ok(self.staged.sync().await.map_err(Failed::from)?)
    }

    /// What was refused stays so: a later write that is taken would leave a hole. The receipt says why.
    pub(super) async fn changed(
        &mut self,
        size: u64,
        change: impl AsyncFnOnce(&mut Staged) -> std::io::Result<()>,
    ) -> Result<(), Problem> {
        if let Some(problem) = &self.refused {
            return Err(problem.clone());
        }
        let done: Result<(), MailboxError> = if size > self.limit {
            Err(ApiRefusal::MailboxTooLarge { limit: self.limit }.into())
        } else if size > self.room.0 {
            Err(ApiRefusal::MailboxFull { limit: self.room.1 }.into())
        } else if self.home.homes.files.staging_is_full() {
            Err(Failed::Told(Problem::DiskFull).into())
        } else {
            change(&mut self.staged).await.map_err(|error| Failed::from(error).into())
        };
        self.modified = self.home.mailboxes().now();
        match done {
            Ok(()) => Ok(()),
            Err(error) => {
                let problem = self.home.refuse(&self.folder, &self.name, error).await;
                self.refused = Some(problem.clone());
                Err(problem)
            }
        }
    }

    /// It is delivered from now on, or lies there until it is renamed.
    pub(super) async fn close(self) -> Result<(), Problem> {
        if let Some(problem) = self.refused {
            return Err(problem);
        }
        match self.closed().await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.home.refuse(&self.folder, &self.name, error).await),
        }
    }

    async fn closed(&self) -> Result<(), MailboxError> {
        if !self.staged.is_whole() {
            return Err(Failed::Told(Problem::NotWhole).into());
        }
        let mailboxes = self.home.mailboxes();
        let entered = mailboxes.enter(super::Shown::Key(self.home.key)).await?;
        let object = self.stored().await?;
        mailboxes.reached(Step::Stored);
        let name = object.name.uuid();
        if is_waiting(&self.name) {
            let kept = until_it_holds(async || self.waits(&object).await).await;
            return match kept {
                Ok(released) => {
                    mailboxes.reached(Step::Waiting);
                    drop_content(&mailboxes.0.parts, released).await;
                    Ok(())
                }
                Err(error) => {
                    if matches!(error, MailboxError::Refused(_) | MailboxError::Failed(Failed::Told(_))) {
                        drop_content(&mailboxes.0.parts, Some(name)).await;
                    }
                    Err(error)
                }
            };
        }
        let handed = self.home.hand_in(&entered, &self.folder, &self.name, &object, None).await;
        match &handed {
            Ok(file) if file.content == Some(name) => mailboxes.0.due.notify_one(),
            // The same was put a moment ago, or it is refused.
            Ok(_) | Err(MailboxError::Refused(_)) => drop_content(&mailboxes.0.parts, Some(name)).await,
            // Whether it was kept is not known; what is in use by nothing is cleaned up later.
            Err(MailboxError::Failed(_)) => {}
        }
        handed.map(drop)
    }

    /// The staged bytes, in the object store. A row says so before they are there.
    async fn stored(&self) -> Result<Object, MailboxError> {
        let mailboxes = self.home.mailboxes();
        self.staged.sync().await.map_err(Failed::from)?;
        mailboxes.reached(Step::Staged);
        let mut writing = mailboxes.0.parts.objects.begin(self.limit)?;
        shelf::announce(&mut mailboxes.database().session().await?, writing.name(), mailboxes.now()).await?;
        self.staged.hand_on(&mut writing).await?;
        Ok(writing.finish().await?)
    }

    /// Keeps it under its name that is not final. Returns a content to delete: of what had the name.
    async fn waits(&self, object: &Object) -> Result<Option<Uuid>, MailboxError> {
        let mailboxes = self.home.mailboxes();
        let own = self.home.agreement(&self.folder, Purpose::Deliver).await.map_err(Failed::Told)?;
        let (stream, (kind, code)) = self.folder.whole().ok_or(ApiRefusal::MailboxNotAgreed)?;
        let now = mailboxes.now();
        let mut transaction = mailboxes.database().begin_beside_others().await?;
        super::super::core::lock(&mut transaction, &[own.id]).await?;
        let old = uploads_where!("name_key = $6").bind(self.home.user).bind(own.id).bind(stream).bind(kind).bind(code);
        let old = transaction.first(old.bind(self.name.key())).await?.as_ref().map(Upload::read).transpose()?;
        let mut released = None;
        if let Some(old) = old {
            transaction.execute(sql("DELETE FROM mailbox_upload WHERE id = $1").bind(old.id)).await?;
            room::give_back(&mut transaction, own.id, old.size).await?;
            released = shelf::release(&mut transaction, old.content, now).await?.then_some(old.content);
        }
        let many = sql("SELECT count(*) AS n FROM mailbox_upload WHERE mailbox_user = $1").bind(self.home.user);
        let many = transaction.first(many).await?.map(|row| count(&row, "n")).transpose()?.unwrap_or_default();
        if many >= WAITING {
            return Err(Failed::Told(Problem::NoSpace).into());
        }
        room::take(&mut transaction, own.id, object.length).await?;
        let content = shelf::keep(&mut transaction, object).await?;
        let add =
            sql("INSERT INTO mailbox_upload (id, mailbox_user, mailbox, stream, alias_kind, alias_code, name, name_key, content,
                 size, modified_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(Uuid::now_v7())
            .bind(self.home.user)
            .bind(own.id)
            .bind(stream)
            .bind(kind)
            .bind(code)
            .bind(self.name.spelt())
            .bind(self.name.key())
            .bind(content)
            .bind(i64::try_from(object.length).unwrap_or(i64::MAX))
            .bind(us(now));
        transaction.execute(add).await?;
        transaction.commit().await?;
        Ok(released)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_clients_give_to_unfinished_files_wait_and_others_do_not() {
        let waits = |name| is_waiting(&Name::new(name).unwrap());
        for name in
            ["loen.txt.5c1f2a3b.partial", "loen.txt.filepart", ".in.loen.txt", "loen.txt.PART", "x.tmp", "loen.txt.writing"]
        {
            assert!(waits(name), "{name}");
        }
        for name in ["loen.txt", "partial", "loen.partial.txt", "tmp"] {
            assert!(!waits(name), "{name}");
        }
    }
}
