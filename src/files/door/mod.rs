//! What doors ask ([`crate::files::home`]), answered by the store.

mod reading;
mod writing;

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes as Shared;
use jiff::Timestamp;
use tokio::runtime::Handle;
use uuid::Uuid;

use self::reading::ReadFile;
use self::writing::Writing;
use crate::files::codes::Code;
use crate::files::core::{Failed, Files};
use crate::files::home::{Account, Entry, File, Fingerprint, Folder, Home, Homes, Item, Opening, Place, Problem, Quota, Told};
use crate::files::name::Name;
use crate::files::shelf::{self, Bytes, Kind, Lying};
use crate::files::staged::Staged;
use crate::files::transfers::{self, State, Transfer};
use crate::files::users;
use crate::store::{Session, StoreError, Transaction, until_it_holds};

/// For how long a session believes that its key is allowed: asked before each read and write, the store would do nothing else.
const BELIEVED: Duration = Duration::from_millis(250);
/// How much of a file that is gone on with is read at a time.
const PIECE: usize = 256 * 1024;
/// Files that may lie in a home: an empty one takes no bytes of its quota.
const MOST_FILES: u64 = 1_000_000;
/// What a trigger's name ends in.
const TRIGGER: &str = ".trigger";

impl Homes for Files {
    type Home = SessionHome;

    async fn account(&self, name: &str) -> Result<Option<Account>, Problem> {
        let found = async {
            let mut session = self.database().session().await?;
            users::may_log_on(&mut session, name, &self.0.settings.environment, self.now()).await
        };
        let found = found.await.map_err(Failed::from)?;
        Ok(found.map(|(id, keys)| Account { id, keys }))
    }

    async fn enter(&self, user: Uuid, key: Fingerprint, _from: IpAddr) -> Result<SessionHome, Problem> {
        let home = SessionHome { files: self.clone(), user, key, believed: Mutex::new(None) };
        home.admitted().await?;
        let noted = async { users::saw(&mut self.database().session().await?, user, key, self.now()).await };
        noted.await.map_err(Failed::from)?;
        Ok(home)
    }

    fn wrong_key(&self, user: Uuid) {
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.0.wrong_keys.add(user) {
            return;
        }
        let files = self.clone();
        runtime.spawn(async move {
            while let Some(user) = files.0.wrong_keys.take() {
                if let Err(error) = files.note_refused(user).await {
                    tracing::warn!(%error, "it is not noted that a user of the SFTP service gave a wrong key");
                }
            }
        });
    }
}

impl Files {
    /// Notes that a user gave a wrong key, once a minute at the most.
    ///
    /// # Errors
    /// The store.
    pub async fn note_refused(&self, user: Uuid) -> Result<(), StoreError> {
        users::refused(&mut self.database().session().await?, user, self.now()).await
    }
}

/// A user's home in one session.
pub struct SessionHome {
    files: Files,
    user: Uuid,
    key: Fingerprint,
    believed: Mutex<Option<Instant>>,
}

fn entry(file: &Lying) -> Entry {
    Entry {
        name: file.name.clone(),
        size: file.size,
        modified: Timestamp::from_microsecond(file.modified_us).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// The data file's name, where this is a trigger's.
fn triggered(name: &Name) -> Option<Name> {
    name.spelt().strip_suffix(TRIGGER).and_then(|name| Name::new(name).ok())
}

fn refused(code: &Code) -> Problem {
    let entry = code.entry();
    let text = |text: &crate::refusal::Text| format!("{} {} {}", code.number(), text.what, text.remedy);
    Problem::Refused(Told { danish: text(&entry.da).into(), english: text(&entry.en).into() })
}

impl SessionHome {
    async fn seen(&self, folder: Folder, name: &Name) -> Result<Lying, Failed> {
        let found = shelf::find(&mut self.files.database().session().await?, self.user, folder, name).await?;
        found.filter(|file| !file.held).ok_or(Failed::Told(Problem::NoSuchFile))
    }

    async fn removed(&self, folder: Folder, name: &Name) -> Result<(), Failed> {
        let now = self.files.now();
        let mut transaction = self.files.database().begin_beside_others().await?;
        shelf::lock_home(&mut transaction, self.user).await?;
        let found = shelf::find(&mut transaction, self.user, folder, name).await?;
        let file = found.filter(|file| !file.held).ok_or(Failed::Told(Problem::NoSuchFile))?;
        let released = self.files.taken_away(&mut transaction, &file, now).await?;
        transaction.commit().await?;
        self.files.dropped(released).await;
        Ok(())
    }

    async fn renamed(&self, from: &Name, to: &Name, replace: bool) -> Result<(), Failed> {
        let now = self.files.now();
        // A trigger is read before anything is locked.
        let trigger = match triggered(to) {
            Some(name) => Some((name, self.files.small(&self.seen(Folder::Out, from).await?).await?)),
            None => None,
        };
        let mut transaction = self.files.database().begin_beside_others().await?;
        shelf::lock_home(&mut transaction, self.user).await?;
        let found = shelf::find(&mut transaction, self.user, Folder::Out, from).await?;
        let file = found.filter(|file| !file.held).ok_or(Failed::Told(Problem::NoSuchFile))?;
        if from == to && trigger.is_none() {
            transfers::rename(&mut transaction, file.id, to).await?;
            return Ok(transaction.commit().await?);
        }
        let mut released = Vec::new();
        if let Some(there) = shelf::find(&mut transaction, self.user, Folder::Out, to).await?.filter(|there| there.id != file.id)
        {
            if there.held {
                drop(transaction);
                return Err(self.refuse(to, Code::FIL1012).await);
            }
            if !replace {
                return Err(Problem::Exists.into());
            }
            released.extend(self.files.taken_away(&mut transaction, &there, now).await?);
        }
        match trigger {
            Some((name, bytes)) => {
                released.extend(self.files.taken_away(&mut transaction, &file, now).await?);
                if !self.files.trigger(&mut transaction, (self.user, self.key), &name, bytes).await? {
                    drop(transaction);
                    return Err(self.refuse(&name, Code::FIL1012).await);
                }
            }
            None => {
                transfers::rename(&mut transaction, file.id, to).await?;
                self.files.arrived(&mut transaction, &Lying { name: to.clone(), ..file }).await?;
            }
        }
        transaction.commit().await?;
        self.files.0.due.notify_one();
        for content in released {
            self.files.dropped(Some(content)).await;
        }
        Ok(())
    }

    /// How large a file may become that takes the place of another.
    async fn room(&self, replaced: Option<&Lying>) -> Result<u64, Failed> {
        let user = users::with_id(&mut self.files.database().session().await?, self.user).await?;
        let user = user.ok_or(Failed::Told(Problem::KeyNotAllowed))?;
        let others = user.used.bytes.saturating_sub(replaced.map_or(0, |file| file.size));
        if replaced.is_none() && user.used.files >= MOST_FILES {
            return Err(Problem::NoSpace.into());
        }
        Ok(user.bytes_limit.saturating_sub(others))
    }

    /// What a refusal on the wire says, also as a receipt: many clients do not show the former.
    async fn refuse(&self, name: &Name, code: Code) -> Failed {
        let about = triggered(name).unwrap_or_else(|| name.clone());
        let codes = [code.clone()];
        let written = until_it_holds(async || -> Result<(), StoreError> {
            let mut transaction = self.files.database().begin_beside_others().await?;
            let now = self.files.now();
            // Of no transfer: the one that is under way keeps its own answer.
            transfers::refusal(&mut transaction, (self.user, Uuid::now_v7(), &about), &codes, now).await?;
            transaction.commit().await
        });
        match written.await {
            Ok(()) => Failed::Told(refused(&code)),
            Err(error) => error.into(),
        }
    }
}

impl Home for SessionHome {
    type Folder = Folder;
    type File = Opened;

    fn place(&self, parts: &[&str]) -> Place<Folder> {
        Folder::place(parts)
    }

    fn takes(&self, folder: &Folder) -> bool {
        *folder == Folder::Out
    }

    async fn folder(&self, _: &Folder) -> Result<(), Problem> {
        Ok(())
    }

    async fn admitted(&self) -> Result<(), Problem> {
        let believed = *self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if believed.is_some_and(|at| at.elapsed() < BELIEVED) {
            return Ok(());
        }
        let asked = async {
            let mut session = self.files.database().session().await?;
            users::may_go_on(&mut session, self.user, self.key, self.files.now()).await
        };
        match asked.await.map_err(Failed::from)? {
            true => {
                *self.believed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                Ok(())
            }
            false => Err(Problem::KeyNotAllowed),
        }
    }

    async fn stat(&self, folder: &Folder, name: &Name) -> Result<Entry, Problem> {
        Ok(entry(&self.seen(*folder, name).await?))
    }

    async fn list(&self, folder: Option<&Folder>, after: Option<&Name>, at_most: usize) -> Result<Vec<Item>, Problem> {
        let Some(folder) = folder else { return Ok(Folder::listed(after)) };
        let listed = async {
            let mut session = self.files.database().session().await?;
            shelf::page(&mut session, self.user, *folder, after, at_most).await
        };
        Ok(listed.await.map_err(Failed::from)?.iter().map(entry).map(Item::File).collect())
    }

    async fn read(&self, folder: &Folder, name: &Name) -> Result<Opened, Problem> {
        let file = self.seen(*folder, name).await?;
        Ok(Opened::Read(Box::new(self.files.opened(file).await?)))
    }

    async fn write(&self, _: &Folder, name: &Name, how: Opening) -> Result<Opened, Problem> {
        let taken = self.files.take_name(self.user, name.key()).ok_or(Problem::Busy)?;
        let found = async { shelf::find(&mut self.files.database().session().await?, self.user, Folder::Out, name).await };
        let found = found.await.map_err(Failed::from)?;
        match &found {
            Some(file) if file.held => return Err(self.refuse(name, Code::FIL1012).await.into()),
            Some(_) if how.create && how.new_only => return Err(Problem::Exists),
            None if !how.create => return Err(Problem::NoSuchFile),
            _ => {}
        }
        // A trigger does not stay: a home that its file fills can still send the file on.
        let room = match triggered(name) {
            Some(_) => u64::MAX,
            None => match self.room(found.as_ref()).await {
                Ok(room) => room,
                Err(Failed::Told(Problem::NoSpace)) => return Err(self.refuse(name, writing::no_room_for_more()).await.into()),
                Err(error) => return Err(error.into()),
            },
        };
        let staged = Staged::new(&self.files.0.settings.staging).await.map_err(Failed::from)?;
        let mut writing = Writing {
            files: self.files.clone(),
            user: self.user,
            key: self.key,
            name: name.clone(),
            staged,
            room,
            modified: self.files.now(),
            refused: None,
            _taken: taken,
        };
        if let Some(file) = found.filter(|_| !how.truncate) {
            let mut old = self.files.opened(file).await?;
            let mut offset = 0;
            loop {
                let bytes = old.read(offset, PIECE).await?;
                if bytes.is_empty() {
                    break;
                }
                let length = bytes.len() as u64;
                writing.staged.write_at(offset, bytes).await.map_err(Failed::from)?;
                offset += length;
            }
        }
        Ok(Opened::Written(Box::new(writing)))
    }

    async fn remove(&self, folder: &Folder, name: &Name) -> Result<(), Problem> {
        Ok(until_it_holds(async || self.removed(*folder, name).await).await?)
    }

    async fn rename(&self, (_, from): (&Folder, &Name), (_, to): (&Folder, &Name), replace: bool) -> Result<(), Problem> {
        Ok(until_it_holds(async || self.renamed(from, to, replace).await).await?)
    }

    async fn quota(&self, _: Option<&Folder>) -> Result<Quota, Problem> {
        let user = async { users::with_id(&mut self.files.database().session().await?, self.user).await };
        let user = user.await.map_err(Failed::from)?.ok_or(Problem::KeyNotAllowed)?;
        Ok(Quota {
            bytes_used: user.used.bytes,
            bytes_limit: Some(user.bytes_limit),
            files_used: user.used.files,
            files_limit: Some(MOST_FILES),
        })
    }
}

/// An open file.
pub enum Opened {
    /// To be read.
    Read(Box<ReadFile>),
    /// To be written, in OUT.
    Written(Box<Writing>),
}

impl File for Opened {
    fn entry(&self) -> Entry {
        match self {
            Opened::Read(read) => entry(&read.file),
            Opened::Written(writing) => writing.entry(),
        }
    }

    async fn read_at(&mut self, offset: u64, length: u32) -> Result<Shared, Problem> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match self {
            Opened::Read(read) => Ok(read.read(offset, length).await?),
            Opened::Written(writing) => Ok(writing.staged.read_at(offset, length).await.map_err(Failed::from)?),
        }
    }

    async fn write_at(&mut self, offset: u64, bytes: Shared) -> Result<(), Problem> {
        let Opened::Written(writing) = self else { return Err(Problem::Denied) };
        let end = offset.saturating_add(bytes.len() as u64);
        writing.changed(end, async |staged| staged.write_at(offset, bytes).await).await
    }

    async fn set_size(&mut self, size: u64) -> Result<(), Problem> {
        let Opened::Written(writing) = self else { return Err(Problem::Denied) };
        writing.changed(size, async |staged| staged.set_size(size).await).await
    }

    async fn sync(&mut self) -> Result<(), Problem> {
        match self {
            Opened::Read(_) => Ok(()),
            Opened::Written(writing) => Ok(writing.staged.sync().await.map_err(Failed::from)?),
        }
    }

    async fn close(self) -> Result<(), Problem> {
        match self {
            Opened::Written(writing) => Ok(writing.close().await?),
            Opened::Read(read) => Ok(read.close().await?),
        }
    }
}

impl Files {
    /// A data file has come to lie in OUT: a trigger may wait for it.
    async fn arrived(&self, transaction: &mut Transaction, file: &Lying) -> Result<(), Failed> {
        let waiting = transfers::open(transaction, file.owner, &file.name).await?;
        let Some(transfer) = waiting.filter(|transfer| transfer.state == State::Awaits) else { return Ok(()) };
        hold(transaction, file.id, transfer.id).await?;
        self.go_on(transaction, transfer.id, State::Taken).await
    }

    /// Takes a trigger. `false`: another one of that name is under way; the same one once more is taken and changes nothing.
    pub(super) async fn trigger(
        &self,
        transaction: &mut Transaction,
        (sender, fingerprint): (Uuid, Fingerprint),
        name: &Name,
        bytes: Vec<u8>,
    ) -> Result<bool, Failed> {
        if let Some(open) = transfers::open(transaction, sender, name).await? {
            return Ok(open.trigger == bytes);
        }
        let now = self.now();
        let data = shelf::find(transaction, sender, Folder::Out, name).await?.filter(|file| !file.held);
        let state = if data.is_some() { State::Taken } else { State::Awaits };
        let transfer = Transfer {
            id: Uuid::new_v4(),
            sender,
            fingerprint,
            state,
            name: name.clone(),
            trigger: bytes,
            content: None,
            codes: String::new(),
            repeats: None,
            job: None,
            received: now,
            wait_until: Some(self.wait_until(now)),
            ended: None,
        };
        transfers::add(transaction, &transfer).await?;
        if let Some(data) = data {
            hold(transaction, data.id, transfer.id).await?;
        }
        self.go_on(transaction, transfer.id, state).await?;
        Ok(true)
    }

    /// Adds the job that goes on with a transfer.
    pub(super) async fn go_on(&self, transaction: &mut Transaction, transfer: Uuid, state: State) -> Result<(), Failed> {
        let job = self.0.jobs.add(transaction, transfer.as_bytes(), None).await?;
        Ok(transfers::set(transaction, transfer, state, Some(job)).await?)
    }

    /// Takes a file out of a home, and says what follows for its transfer. Returns a content to delete once it is committed.
    pub(super) async fn taken_away(
        &self,
        session: &mut Session,
        file: &Lying,
        now: Timestamp,
    ) -> Result<Option<Uuid>, StoreError> {
        if !shelf::remove(session, file).await? {
            return Ok(None);
        }
        if let (Kind::Data, Some(transfer)) = (file.kind, file.transfer) {
            transfers::removed(session, transfer, file.owner, now).await?;
        }
        match file.bytes {
            Bytes::Content(content) if shelf::release(session, content, now).await? => Ok(Some(content)),
            _ => Ok(None),
        }
    }
}

/// An upload is its transfer's from now on.
async fn hold(session: &mut Session, file: Uuid, transfer: Uuid) -> Result<(), StoreError> {
    let hold = crate::store::sql("UPDATE home_file SET held = $1, transfer = $2 WHERE id = $3");
    session.execute(hold.bind(true).bind(transfer).bind(file)).await.map(drop)
}
