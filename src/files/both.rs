//! Both profiles behind one door: whoever logs on has a home of the SFTP service, or mailboxes of partner agreements.

use std::net::IpAddr;

use bytes::Bytes;
use uuid::Uuid;

use super::core::Files;
use super::door::{Opened as InHome, SessionHome};
use super::home::{self, Account, Entry, File, Fingerprint, Home, Homes, Item, Opening, Place, Problem, Quota};
use super::name::Name;
use super::partner::door::{Folder as MailboxFolder, Opened as InMailbox, PartnerHome, PartnerHomes};

/// The homes, and the mailboxes where they are.
#[derive(Clone)]
pub struct Both {
    files: Files,
    mailboxes: Option<PartnerHomes>,
}

impl Both {
    /// What one door serves.
    pub fn new(files: Files, mailboxes: Option<PartnerHomes>) -> Self {
        Self { files, mailboxes }
    }
}

impl Homes for Both {
    type Home = EitherHome;

    async fn account(&self, name: &str) -> Result<Option<Account>, Problem> {
        // Both are asked whatever the first says, so that the time tells nothing. A name is one user's.
        let of_home = self.files.account(name).await?;
        match (&self.mailboxes, of_home) {
            (Some(mailboxes), None) => mailboxes.account(name).await,
            (Some(mailboxes), found) => mailboxes.account("-").await.map(|_| found),
            (None, found) => Ok(found),
        }
    }

    async fn enter(&self, user: Uuid, key: Fingerprint, from: IpAddr) -> Result<EitherHome, Problem> {
        match (self.files.enter(user, key, from).await, &self.mailboxes) {
            (Err(Problem::KeyNotAllowed), Some(mailboxes)) => mailboxes.enter(user, key, from).await.map(EitherHome::Mailboxes),
            (entered, _) => entered.map(EitherHome::Files),
        }
    }

    // It is a user of one of them; the other knows no such id.
    fn wrong_key(&self, user: Uuid) {
        self.files.wrong_key(user);
        if let Some(mailboxes) = &self.mailboxes {
            mailboxes.wrong_key(user);
        }
    }
}

/// Where a user is.
pub enum EitherHome {
    /// In its home.
    Files(SessionHome),
    /// In its mailboxes.
    Mailboxes(PartnerHome),
}

/// A folder of either.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EitherFolder {
    /// Of a home.
    Files(home::Folder),
    /// Of mailboxes.
    Mailboxes(MailboxFolder),
}

/// An open file of either.
pub enum EitherFile {
    /// Of a home.
    Files(InHome),
    /// Of mailboxes.
    Mailboxes(InMailbox),
}

fn mapped<F, G>(place: Place<F>, to: impl FnOnce(F) -> G) -> Place<G> {
    match place {
        Place::Root => Place::Root,
        Place::Folder(folder) => Place::Folder(to(folder)),
        Place::File(folder, name) => Place::File(to(folder), name),
        Place::NoName(wrong) => Place::NoName(wrong),
        Place::Elsewhere => Place::Elsewhere,
    }
}

impl Home for EitherHome {
    type Folder = EitherFolder;
    type File = EitherFile;

    fn place(&self, parts: &[&str]) -> Place<EitherFolder> {
        match self {
            Self::Files(home) => mapped(home.place(parts), EitherFolder::Files),
            Self::Mailboxes(home) => mapped(home.place(parts), EitherFolder::Mailboxes),
        }
    }

    fn takes(&self, folder: &EitherFolder) -> bool {
        match (self, folder) {
            (Self::Files(home), EitherFolder::Files(folder)) => home.takes(folder),
            (Self::Mailboxes(home), EitherFolder::Mailboxes(folder)) => home.takes(folder),
            _ => false,
        }
    }

    async fn admitted(&self) -> Result<(), Problem> {
        match self {
            Self::Files(home) => home.admitted().await,
            Self::Mailboxes(home) => home.admitted().await,
        }
    }

    async fn folder(&self, folder: &EitherFolder) -> Result<(), Problem> {
        match (self, folder) {
            (Self::Files(home), EitherFolder::Files(folder)) => home.folder(folder).await,
            (Self::Mailboxes(home), EitherFolder::Mailboxes(folder)) => home.folder(folder).await,
            _ => Err(Problem::NoSuchFile),
        }
    }

    async fn stat(&self, folder: &EitherFolder, name: &Name) -> Result<Entry, Problem> {
        match (self, folder) {
            (Self::Files(home), EitherFolder::Files(folder)) => home.stat(folder, name).await,
            (Self::Mailboxes(home), EitherFolder::Mailboxes(folder)) => home.stat(folder, name).await,
            _ => Err(Problem::NoSuchFile),
        }
    }

    async fn list(&self, folder: Option<&EitherFolder>, after: Option<&Name>, at_most: usize) -> Result<Vec<Item>, Problem> {
        match (self, folder) {
            (Self::Files(home), None) => home.list(None, after, at_most).await,
            (Self::Mailboxes(home), None) => home.list(None, after, at_most).await,
            (Self::Files(home), Some(EitherFolder::Files(folder))) => home.list(Some(folder), after, at_most).await,
            (Self::Mailboxes(home), Some(EitherFolder::Mailboxes(folder))) => home.list(Some(folder), after, at_most).await,
            _ => Err(Problem::NoSuchFile),
        }
    }

    async fn read(&self, folder: &EitherFolder, name: &Name) -> Result<EitherFile, Problem> {
        match (self, folder) {
            (Self::Files(home), EitherFolder::Files(folder)) => home.read(folder, name).await.map(EitherFile::Files),
            (Self::Mailboxes(home), EitherFolder::Mailboxes(folder)) => home.read(folder, name).await.map(EitherFile::Mailboxes),
            _ => Err(Problem::NoSuchFile),
        }
    }

    async fn write(&self, folder: &EitherFolder, name: &Name, how: Opening) -> Result<EitherFile, Problem> {
        match (self, folder) {
            (Self::Files(home), EitherFolder::Files(folder)) => home.write(folder, name, how).await.map(EitherFile::Files),
            (Self::Mailboxes(home), EitherFolder::Mailboxes(folder)) => {
                home.write(folder, name, how).await.map(EitherFile::Mailboxes)
            }
            _ => Err(Problem::Denied),
        }
    }

    async fn remove(&self, folder: &EitherFolder, name: &Name) -> Result<(), Problem> {
        match (self, folder) {
            (Self::Files(home), EitherFolder::Files(folder)) => home.remove(folder, name).await,
            (Self::Mailboxes(home), EitherFolder::Mailboxes(folder)) => home.remove(folder, name).await,
            _ => Err(Problem::NoSuchFile),
        }
    }

    async fn rename(&self, from: (&EitherFolder, &Name), to: (&EitherFolder, &Name), replace: bool) -> Result<(), Problem> {
        match (self, from, to) {
            (Self::Files(home), (EitherFolder::Files(old), from), (EitherFolder::Files(new), to)) => {
                home.rename((old, from), (new, to), replace).await
            }
            (Self::Mailboxes(home), (EitherFolder::Mailboxes(old), from), (EitherFolder::Mailboxes(new), to)) => {
                home.rename((old, from), (new, to), replace).await
            }
            _ => Err(Problem::Denied),
        }
    }

    async fn quota(&self, folder: Option<&EitherFolder>) -> Result<Quota, Problem> {
        match (self, folder) {
            (Self::Files(home), None) => home.quota(None).await,
            (Self::Mailboxes(home), None) => home.quota(None).await,
            (Self::Files(home), Some(EitherFolder::Files(folder))) => home.quota(Some(folder)).await,
            (Self::Mailboxes(home), Some(EitherFolder::Mailboxes(folder))) => home.quota(Some(folder)).await,
            _ => Err(Problem::NoSuchFile),
        }
    }
}

impl File for EitherFile {
    fn entry(&self) -> Entry {
        match self {
            Self::Files(file) => file.entry(),
            Self::Mailboxes(file) => file.entry(),
        }
    }

    async fn read_at(&mut self, offset: u64, length: u32) -> Result<Bytes, Problem> {
        match self {
            Self::Files(file) => file.read_at(offset, length).await,
            Self::Mailboxes(file) => file.read_at(offset, length).await,
        }
    }

    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<(), Problem> {
        match self {
            Self::Files(file) => file.write_at(offset, bytes).await,
            Self::Mailboxes(file) => file.write_at(offset, bytes).await,
        }
    }

    async fn set_size(&mut self, size: u64) -> Result<(), Problem> {
        match self {
            Self::Files(file) => file.set_size(size).await,
            Self::Mailboxes(file) => file.set_size(size).await,
        }
    }

    async fn sync(&mut self) -> Result<(), Problem> {
        match self {
            Self::Files(file) => file.sync().await,
            Self::Mailboxes(file) => file.sync().await,
        }
    }

    async fn close(self) -> Result<(), Problem> {
        match self {
            Self::Files(file) => file.close().await,
            Self::Mailboxes(file) => file.close().await,
        }
    }
}
