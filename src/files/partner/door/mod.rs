//! Mailboxes by SFTP, for the users that have a key.
//!
//! ```text
//! /PA85858/OUT/LOENPOSTER/LOENGRUPPE=4711/loen.txt     put: delivered at its close
//! /PA85858/IN/KVITTERINGER/LOENGRUPPE=4711/svar.txt    got to its end, then removed: confirmed
//! /PA85858/RECEIPT/loen.txt.sftpreceipt                what became of it
//! ```
//!
//! A user sees the agreements that it has rights on, their streams, and the aliases that a file can be of. What is put under a name
//! that is not final (`writing`) waits for its rename.

mod folders;
mod reading;
mod writing;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

pub use self::folders::Folder;
use self::folders::Part;
use self::reading::Reading;
use self::writing::Writing;
use super::agreement::Agreement;
use super::core::{Entered, MailboxError, Mailboxes, Purpose};
use super::rows::File as Row;
use super::users::{self, Shown};
use super::{receipts, room, rows};
use crate::files::core::{Failed, Files, drop_content};
use crate::files::home::{Account, Entry, File, Fingerprint, Home, Homes, Item, Opening, Place, Problem, Quota, Told};
use crate::files::name::Name;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::store::until_it_holds;

/// For how long a session believes that its user may go on: asked before each read and write, the store would do nothing else.
const BELIEVED: Duration = Duration::from_millis(250);

/// The mailboxes, and where what is put in them is staged.
#[derive(Clone)]
pub struct PartnerHomes {
    mailboxes: Mailboxes,
    files: Files,
}

impl PartnerHomes {
    /// Behind the same door as the first profile's homes, whose folder for staged files is used.
    pub fn new(mailboxes: Mailboxes, files: Files) -> Self {
        Self { mailboxes, files }
    }
}

/// A refusal as the wire has it.
fn problem(error: MailboxError) -> Problem {
    let refusal = match error {
        MailboxError::Failed(failed) => return failed.into(),
        MailboxError::Refused(refusal) => refusal,
    };
    match refusal {
        ApiRefusal::ApiNotFound { .. } | ApiRefusal::MailboxFileGone => Problem::NoSuchFile,
        ApiRefusal::MailboxRefused => Problem::KeyNotAllowed,
        ApiRefusal::MailboxRight { .. } => Problem::Denied,
        ApiRefusal::MailboxTooLarge { .. } => Problem::TooLarge,
        ApiRefusal::MailboxFull { .. } => Problem::NoSpace,
        ApiRefusal::ApiInternal | ApiRefusal::ApiUnavailable => Problem::Unavailable,
        other => {
            let entry = other.entry();
            let told = |text: &crate::refusal::Text| format!("{} {}", text.what, text.remedy);
            Problem::Refused(Told { danish: told(&entry.da).into(), english: told(&entry.en).into() })
        }
    }
}

fn of_store(error: crate::store::StoreError) -> Problem {
    Failed::from(error).into()
}

impl Homes for PartnerHomes {
    type Home = PartnerHome;

    async fn account(&self, name: &str) -> Result<Option<Account>, Problem> {
        let mailboxes = &self.mailboxes;
        let found = async {
            let mut session = mailboxes.database().session().await?;
            users::may_log_on(&mut session, name, &mailboxes.0.environment, mailboxes.now()).await
        };
        let found = found.await.map_err(of_store)?;
        if found.is_none() {
            self.mailboxes.not_let_in(name);
        }
        Ok(found.map(|(id, keys)| Account { id, keys }))
    }

    async fn enter(&self, user: Uuid, key: Fingerprint, _from: IpAddr) -> Result<PartnerHome, Problem> {
        let home = PartnerHome { homes: self.clone(), key, user, believed: Mutex::new(None) };
        home.entered().await?;
        Ok(home)
    }

    fn wrong_key(&self, user: Uuid) {
        self.mailboxes.wrong_key(user);
    }
}

/// The mailboxes of a user in one session.
pub struct PartnerHome {
    homes: PartnerHomes,
    key: Fingerprint,
    user: Uuid,
    believed: Mutex<Option<(Instant, Arc<Entered>)>>,
}

impl PartnerHome {
    /// The same session, for a file that is open in it.
    fn again(&self) -> Self {
        Self { homes: self.homes.clone(), key: self.key, user: self.user, believed: Mutex::new(None) }
    }

    fn mailboxes(&self) -> &Mailboxes {
        &self.homes.mailboxes
    }

    /// The user as it is now, with its rights.
    async fn entered(&self) -> Result<Arc<Entered>, Problem> {
        let believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, entered)) = believed
            && at.elapsed() < BELIEVED
        {
            return Ok(entered);
        }
        let entered = self.mailboxes().enter(Shown::Key(self.key)).await.map_err(problem)?;
        if entered.user.id != self.user {
            return Err(Problem::KeyNotAllowed);
        }
        let entered = Arc::new(entered);
        *self.believed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), entered.clone()));
        Ok(entered)
    }

    async fn agreement(&self, folder: &Folder, purpose: Purpose) -> Result<Agreement, Problem> {
        let entered = self.entered().await?;
        self.mailboxes().agreement(&entered, folder.number, purpose).await.map_err(problem)
    }

    /// The file of an inbox that is called so.
    async fn lying(&self, folder: &Folder, name: &Name) -> Result<(Agreement, Row), Problem> {
        let own = self.agreement(folder, Purpose::Fetch).await?;
        let (stream, (kind, code)) = folder.whole().ok_or(Problem::NoSuchFile)?;
        let mut session = self.mailboxes().database().session().await.map_err(of_store)?;
        let found = rows::called(&mut session, own.id, (stream, kind, code), name).await.map_err(of_store)?;
        Ok((own, found.ok_or(Problem::NoSuchFile)?))
    }

    async fn receipt_removed(&self, own: &Agreement, name: &Name) -> Result<(), Problem> {
        let gone = async { receipts::remove(&mut self.mailboxes().database().session().await?, own.id, name).await };
        if gone.await.map_err(of_store)? { Ok(()) } else { Err(Problem::NoSuchFile) }
    }
}

fn entry_of(file: &Row) -> Result<Entry, Problem> {
    let (name, modified) = file.shown.clone().ok_or(Problem::NoSuchFile)?;
    Ok(Entry { name, size: file.size, modified })
}

/// A file that nobody has read to its end cannot be confirmed by removing it.
fn not_fetched() -> Problem {
    Problem::Refused(Told {
        danish: "Filen er ikke hentet helt; den slettes først, når den er. Hent den, og slet den så.".into(),
        english: "The file was not fetched to its end, and is not removed before it is. Get it, and then remove it.".into(),
    })
}

impl Home for PartnerHome {
    type Folder = Folder;
    type File = Opened;

    fn place(&self, parts: &[&str]) -> Place<Folder> {
        Folder::place(parts)
    }

    fn takes(&self, folder: &Folder) -> bool {
        folder.which == Some(Part::Out) && folder.whole().is_some()
    }

    async fn admitted(&self) -> Result<(), Problem> {
        self.entered().await.map(drop)
    }

    async fn folder(&self, folder: &Folder) -> Result<(), Problem> {
        self.is_there(folder).await
    }

    async fn stat(&self, folder: &Folder, name: &Name) -> Result<Entry, Problem> {
        match folder.which {
            Some(Part::In) => entry_of(&self.lying(folder, name).await?.1),
            Some(Part::Receipt) => {
                let own = self.agreement(folder, Purpose::SeeReceipts).await?;
                let found = async { receipts::find(&mut self.mailboxes().database().session().await?, own.id, name).await };
                found.await.map_err(of_store)?.map(|receipt| receipt.entry).ok_or(Problem::NoSuchFile)
            }
            _ => self.upload(folder, name).await?.map(|upload| upload.entry()).ok_or(Problem::NoSuchFile),
        }
    }

    async fn list(&self, folder: Option<&Folder>, after: Option<&Name>, at_most: usize) -> Result<Vec<Item>, Problem> {
        self.listed(folder, after, at_most).await
    }

    async fn read(&self, folder: &Folder, name: &Name) -> Result<Opened, Problem> {
        match folder.which {
            Some(Part::In) => Reading::of_inbox(self, folder, name).await.map(Opened::reading),
            Some(Part::Receipt) => {
                let own = self.agreement(folder, Purpose::SeeReceipts).await?;
                let found = async { receipts::find(&mut self.mailboxes().database().session().await?, own.id, name).await };
                let found = found.await.map_err(of_store)?.ok_or(Problem::NoSuchFile)?;
                Ok(Opened::Here(found.entry, Bytes::from(found.body)))
            }
            _ => {
                let upload = self.upload(folder, name).await?.ok_or(Problem::NoSuchFile)?;
                Reading::of_upload(self, &upload).await.map(Opened::reading)
            }
        }
    }

    async fn write(&self, folder: &Folder, name: &Name, how: Opening) -> Result<Opened, Problem> {
        Writing::open(self, folder, name, how).await.map(|writing| Opened::Written(Box::new(writing)))
    }

    async fn remove(&self, folder: &Folder, name: &Name) -> Result<(), Problem> {
        match folder.which {
            Some(Part::In) => {
                let (_, file) = self.lying(folder, name).await?;
                if file.fetched.is_none() {
                    return Err(not_fetched());
                }
                let entered = self.entered().await?;
                let confirmed = self.mailboxes().confirm(&entered, folder.number, file.id, &file.sha256).await;
                confirmed.map(drop).map_err(problem)
            }
            Some(Part::Receipt) => {
                let own = self.agreement(folder, Purpose::SeeReceipts).await?;
                self.receipt_removed(&own, name).await
            }
            _ => {
                let upload = self.upload(folder, name).await?.ok_or(Problem::NoSuchFile)?;
                let released = until_it_holds(async || self.mailboxes().upload_gone(upload.id).await).await.map_err(problem)?;
                drop_content(&self.mailboxes().0.parts, released).await;
                Ok(())
            }
        }
    }

    async fn rename(&self, from: (&Folder, &Name), to: (&Folder, &Name), replace: bool) -> Result<(), Problem> {
        self.renamed(from, to, replace).await
    }

    /// That of the agreement: what it has sent and still lies. The root is that of one agreement where the user has one alone, and else of
    /// none, so that it has no limit.
    async fn quota(&self, folder: Option<&Folder>) -> Result<Quota, Problem> {
        let entered = self.entered().await?;
        let number = match (folder, entered.user.rights.as_slice()) {
            (Some(folder), _) => folder.number,
            (None, [only]) => only.number,
            (None, _) => return Ok(Quota { bytes_used: 0, bytes_limit: None, files_used: 0, files_limit: None }),
        };
        let own = self.mailboxes().agreement(&entered, number, Purpose::See).await.map_err(problem)?;
        let lying = async { room::lying(&mut self.mailboxes().database().session().await?, own.id).await };
        let lying = lying.await.map_err(of_store)?;
        Ok(Quota {
            bytes_used: lying.bytes,
            bytes_limit: Some(lying.most_bytes),
            files_used: lying.files,
            files_limit: Some(room::MOST_FILES),
        })
    }
}

/// An open file.
pub enum Opened {
    /// A receipt.
    Here(Entry, Bytes),
    /// A file that is read.
    Read(Box<Reading>),
    /// A file that is written.
    Written(Box<Writing>),
}

impl Opened {
    fn reading(reading: Reading) -> Self {
        Self::Read(Box::new(reading))
    }
}

impl File for Opened {
    fn entry(&self) -> Entry {
        match self {
            Opened::Here(entry, _) => entry.clone(),
            Opened::Read(reading) => reading.entry.clone(),
            Opened::Written(writing) => writing.entry(),
        }
    }

    async fn read_at(&mut self, offset: u64, length: u32) -> Result<Bytes, Problem> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match self {
            Opened::Here(_, body) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(body.len());
                Ok(body.slice(from..from.saturating_add(length).min(body.len())))
            }
            Opened::Read(reading) => reading.read(offset, length).await,
            Opened::Written(writing) => writing.read(offset, length).await,
        }
    }

    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<(), Problem> {
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
            Opened::Written(writing) => writing.sync().await,
            _ => Ok(()),
        }
    }

    async fn close(self) -> Result<(), Problem> {
        match self {
            Opened::Here(..) => Ok(()),
            Opened::Read(reading) => reading.close().await,
            Opened::Written(writing) => writing.close().await,
        }
    }
}

/// What a receipt says of a refusal as a file came.
fn code(error: &MailboxError) -> crate::files::codes::Code {
    use crate::files::codes::Code;
    match error {
        MailboxError::Refused(ApiRefusal::MailboxName { what }) => Code::FIL1004 { what: what.clone() },
        MailboxError::Refused(ApiRefusal::MailboxTooLarge { limit }) => {
            let what = Detail::new(
                format!("{limit} bytes er aftalt for datastrømmen"),
                format!("{limit} bytes are agreed for the stream"),
            );
            Code::FIL1060 { what }
        }
        MailboxError::Refused(ApiRefusal::MailboxFull { limit }) => {
            let what = Detail::new(
                format!("af det, partneraftalen har afleveret, må {limit} bytes ligge på én gang"),
                format!("of what the partner agreement has delivered, {limit} bytes may lie at once"),
            );
            Code::FIL1060 { what }
        }
        MailboxError::Refused(ApiRefusal::ApiOverloaded) => {
            no_room("for mange filer er på vej på én gang", "too many files are on their way at once")
        }
        MailboxError::Refused(refusal) => {
            let entry = refusal.entry();
            // The code's own text ends the sentence.
            let plain = |text: &str| text.trim_end_matches('.').to_owned();
            Code::FIL1055 { what: Detail::new(plain(&entry.da.what), plain(&entry.en.what)) }
        }
        MailboxError::Failed(Failed::Told(problem)) => match problem {
            Problem::DiskFull => no_room("platformens disk er fuld", "the platform's disk is full"),
            Problem::NoSpace => no_room(
                "der ligger for mange filer, som venter på deres navn",
                "too many files lie there that wait for their names",
            ),
            Problem::Busy => Code::FIL1012,
            Problem::NotWhole => Code::FIL1014,
            _ => Code::FIL1091,
        },
        MailboxError::Failed(_) => Code::FIL1091,
    }
}

fn no_room(danish: &'static str, english: &'static str) -> crate::files::codes::Code {
    crate::files::codes::Code::FIL1060 { what: Detail::new(danish, english) }
}
