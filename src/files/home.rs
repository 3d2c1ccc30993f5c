//! What a door asks of the core: who may log on, and the home of a user with its two folders.
//!
//! A door (SFTP) translates its protocol to these calls and holds nothing of its own but open handles. The core decides what is
//! allowed, when a file is visible, and what a closed trigger sets going. `stub::files` is a plain folder behind the same traits:
//! what the door is tested against.
//!
//! Every call may be made from many sessions at once, and none may block a runtime thread.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::name::{Name, NotAName};

/// The SHA-256 of a public key as SSH writes it: what `ssh-keygen -l` shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| Error::custom("a key's fingerprint is SHA256: and 43 characters, as ssh-keygen -l shows it"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A user that may log on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its identity, which may stand in logs.
    pub id: Uuid,
    /// The keys that it may log on with at this instant: neither disabled nor expired.
    pub keys: Vec<Fingerprint>,
}

/// Everybody's homes.
pub trait Homes: Clone + Send + Sync + 'static {
    /// A user's home in one session.
    type Home: Home;

    /// The user with exactly this name, with the keys that it may use now; none where there is no such user, or it is blocked,
    /// disabled or expired. The time it takes must not tell which. The name is untrusted and of any length.
    ///
    /// # Errors
    /// The store cannot be asked: nobody logs on.
    fn account(&self, name: &str) -> impl Future<Output = Result<Option<Account>, Problem>> + Send;

    /// Opens the home of a user that has proven one of its keys. The core notes the log-on (last seen, of user and of key).
    ///
    /// # Errors
    /// The key is no longer allowed, or the store cannot be asked.
    fn enter(&self, user: Uuid, key: Fingerprint, from: IpAddr) -> impl Future<Output = Result<Self::Home, Problem>> + Send;

    /// A connection that gave this user's name and keys that are not the user's has ended, and nobody has logged on. It is noted aside:
    /// nothing waits for it, and whoever tries again and again sets no pace of writing.
    fn wrong_key(&self, user: Uuid);
}

/// The two folders of every home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Folder {
    /// What others sent: list, read, remove.
    In,
    /// What is to be sent: list, read, write, rename, remove one's own.
    Out,
}

impl Folder {
    /// Both.
    pub const ALL: [Folder; 2] = [Folder::In, Folder::Out];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Folder::In => "IN",
            Folder::Out => "OUT",
        }
    }
}

impl Folder {
    /// What a path names in a home of these two folders.
    pub fn place(parts: &[&str]) -> Place<Folder> {
        let folder = |name: &str| Folder::ALL.into_iter().find(|folder| folder.name() == name);
        match parts {
            [] => Place::Root,
            [name] => folder(name).map_or(Place::Elsewhere, Place::Folder),
            [first, name] => folder(first).map_or(Place::Elsewhere, |folder| Place::file(folder, name)),
            _ => Place::Elsewhere,
        }
    }

    /// Both as the root lists them, after a name.
    pub fn listed(after: Option<&Name>) -> Vec<Item> {
        let names = Folder::ALL.into_iter().filter_map(|folder| Name::new(folder.name()).ok());
        names.filter(|name| after.is_none_or(|after| name > after)).map(Item::Folder).collect()
    }
}

/// What a path names, by its form alone: whether it is there is asked apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<F> {
    /// `/`.
    Root,
    /// A folder.
    Folder(F),
    /// A file in one.
    File(F, Name),
    /// A file in one whose name cannot be one.
    NoName(NotAName),
    /// Anything else: there is nothing there and cannot be.
    Elsewhere,
}

impl<F> Place<F> {
    /// A file in a folder, as its name is written.
    pub fn file(folder: F, name: &str) -> Self {
        Name::new(name).map_or_else(Place::NoName, |name| Place::File(folder, name))
    }
}

/// What a folder has in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Another folder.
    Folder(Name),
    /// A file.
    File(Entry),
}

impl Item {
    /// What it is called.
    pub fn name(&self) -> &Name {
        match self {
            Item::Folder(name) => name,
            Item::File(entry) => &entry.name,
        }
    }
}

/// A file in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// In bytes.
    pub size: u64,
    /// When it came to lie in this folder; never goes back.
    pub modified: Timestamp,
}

/// How a file is opened for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Create it where there is none.
    pub create: bool,
    /// Fail where there is one ([`Problem::Exists`]); with `create` alone.
    pub new_only: bool,
    /// Empty it first.
    pub truncate: bool,
}

/// What a home holds and may hold. `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes that lie there.
    pub bytes_used: u64,
    /// Bytes that may.
    pub bytes_limit: Option<u64>,
    /// Files that lie there.
    pub files_used: u64,
    /// Files that may.
    pub files_limit: Option<u64>,
}

/// A user's home in one session. Dropped when the session ends.
pub trait Home: Send + Sync + 'static {
    /// A folder of it, but for the root.
    type Folder: Clone + Eq + Hash + Send + Sync + 'static;
    /// A file that was opened.
    type File: File;

    /// What a path names whose parts these are.
    fn place(&self, parts: &[&str]) -> Place<Self::Folder>;

    /// Whether files are put in a folder: written, renamed, one's own removed.
    fn takes(&self, folder: &Self::Folder) -> bool;

    /// Whether a folder is there.
    ///
    /// # Errors
    /// [`Problem::NoSuchFile`] where it is not.
    fn folder(&self, folder: &Self::Folder) -> impl Future<Output = Result<(), Problem>> + Send;

    /// Whether the key that the session logged on with is still allowed. The door asks before **every** operation, READ and WRITE
    /// too, and ends the session at [`Problem::KeyNotAllowed`]; so it must be cheap (in memory, with a notice of change).
    ///
    /// # Errors
    /// [`Problem::KeyNotAllowed`]; or the answer is not known, and the operation alone is refused.
    fn admitted(&self) -> impl Future<Output = Result<(), Problem>> + Send;

    /// The file of that name. A file that is being written is not there before it is closed.
    ///
    /// # Errors
    /// [`Problem::NoSuchFile`] where there is none.
    fn stat(&self, folder: &Self::Folder, name: &Name) -> impl Future<Output = Result<Entry, Problem>> + Send;

    /// What is in a folder, or in the root, after the item of the name `after`, at most `at_most`; none: the end.
    ///
    /// # Errors
    /// The store cannot be asked.
    fn list(
        &self,
        folder: Option<&Self::Folder>,
        after: Option<&Name>,
        at_most: usize,
    ) -> impl Future<Output = Result<Vec<Item>, Problem>> + Send;

    /// Opens a file for reading. What was opened can be read to its end even if the file is removed or replaced meanwhile.
    ///
    /// # Errors
    /// [`Problem::NoSuchFile`], or what is wrong.
    fn read(&self, folder: &Self::Folder, name: &Name) -> impl Future<Output = Result<Self::File, Problem>> + Send;

    /// Opens a file for writing in a folder that takes files, and for reading what was written. It is staged: others see it at [`File::close`], and a
    /// file that is dropped without it leaves nothing.
    ///
    /// # Errors
    /// [`Problem::NoSuchFile`] without `create`, [`Problem::Exists`] with `new_only`, [`Problem::Busy`] where the name is being
    /// written by this or another session, [`Problem::NameNotAllowed`], [`Problem::Denied`], [`Problem::NoSpace`].
    fn write(&self, folder: &Self::Folder, name: &Name, how: Opening)
    -> impl Future<Output = Result<Self::File, Problem>> + Send;

    /// Removes a file.
    ///
    /// # Errors
    /// [`Problem::NoSuchFile`], or what is wrong.
    fn remove(&self, folder: &Self::Folder, name: &Name) -> impl Future<Output = Result<(), Problem>> + Send;

    /// Renames a file in folders that take files; to the name of a trigger it counts as the close of one. With `replace`, what had the new name goes.
    ///
    /// # Errors
    /// [`Problem::NoSuchFile`]; [`Problem::Exists`] without `replace`; or what is wrong.
    fn rename(
        &self,
        from: (&Self::Folder, &Name),
        to: (&Self::Folder, &Name),
        replace: bool,
    ) -> impl Future<Output = Result<(), Problem>> + Send;

    /// What the place holds and may hold that a folder belongs to; without a folder, the root's.
    ///
    /// # Errors
    /// There is no such place for this user, or the store cannot be asked.
    fn quota(&self, folder: Option<&Self::Folder>) -> impl Future<Output = Result<Quota, Problem>> + Send;
}

/// An open file. Calls come one at a time.
pub trait File: Send + 'static {
    /// Its size now, and when it was last changed.
    fn entry(&self) -> Entry;

    /// Up to `length` bytes from `offset`; no bytes: the end. Fewer than asked for only at the end.
    ///
    /// # Errors
    /// It cannot be read.
    fn read_at(&mut self, offset: u64, length: u32) -> impl Future<Output = Result<Bytes, Problem>> + Send;

    /// Writes at `offset`, which is untrusted and may be near 2⁶⁴; a gap before it reads as zeros and must cost no memory.
    ///
    /// # Errors
    /// [`Problem::Denied`] where it was opened for reading; [`Problem::NoSpace`], [`Problem::DiskFull`], [`Problem::TooLarge`]. What was refused is
    /// remembered: the close fails too, and the sender gets a receipt.
    fn write_at(&mut self, offset: u64, bytes: Bytes) -> impl Future<Output = Result<(), Problem>> + Send;

    /// Cuts or extends it.
    ///
    /// # Errors
    /// As [`File::write_at`].
    fn set_size(&mut self, size: u64) -> impl Future<Output = Result<(), Problem>> + Send;

    /// Waits until what was written is on disk.
    ///
    /// # Errors
    /// As [`File::write_at`].
    fn sync(&mut self) -> impl Future<Output = Result<(), Problem>> + Send;

    /// Closes it. Where it was written, it is there from now on, or refused; the close of a trigger sets its transfer going.
    /// A file that was read to its end counts as fetched.
    ///
    /// # Errors
    /// It was refused: nothing of it is left.
    fn close(self) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// Why a call was not done. The set is closed: each door has an answer of its protocol for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// There is no such file.
    NoSuchFile,
    /// The name is taken.
    Exists,
    /// Not allowed here: writing in IN, say.
    Denied,
    /// The quota is used.
    NoSpace,
    /// The platform's own disk, or its object store, is full.
    DiskFull,
    /// More than the largest file.
    TooLarge,
    /// Parts of it were never written, or it came in so many parts that it is not known.
    NotWhole,
    /// The name is being written.
    Busy,
    /// The profile does not take such a name.
    NameNotAllowed,
    /// The key that the session logged on with is disabled or expired, or its user is.
    KeyNotAllowed,
    /// The store, the object store or the audit cannot be reached: later it may succeed.
    Unavailable,
    /// What the profile says of the content or the agreement.
    Refused(Told),
}

/// What a caller is told, in both languages, without names of files and persons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// In Danish.
    pub danish: Cow<'static, str>,
    /// In English.
    pub english: Cow<'static, str>,
}

impl Problem {
    /// What the caller is told.
    pub fn describe(&self) -> Told {
        let (danish, english) = match self {
            Problem::NoSuchFile => ("Filen findes ikke.", "There is no such file."),
            Problem::Exists => ("Navnet er i brug.", "The name is in use."),
            Problem::Denied => ("Det er ikke tilladt her.", "This is not allowed here."),
            Problem::NoSpace => (
                "Pladsen er brugt. Slet eller hent filer, og send igen.",
                "The space is used. Remove or fetch files, and send again.",
            ),
            Problem::DiskFull => (
                "Platformens disk er fuld; driften er alarmeret. Vent, og send igen.",
                "The platform's disk is full; its operators are told. Wait, and send again.",
            ),
            Problem::TooLarge => ("Filen er større end tilladt.", "The file is larger than allowed."),
            Problem::NotWhole => (
                "Filen er ikke skrevet hel. Send alle dens bytes, fra begyndelsen til enden.",
                "The file was not written whole. Send all of its bytes, from beginning to end.",
            ),
            Problem::Busy => ("En fil med dette navn er ved at blive sendt.", "A file of this name is being sent."),
            Problem::NameNotAllowed => ("Filnavnet er ikke tilladt.", "The file name is not allowed."),
            Problem::KeyNotAllowed => ("Nøglen må ikke længere bruges.", "The key may no longer be used."),
            Problem::Unavailable => ("Midlertidig fejl. Prøv igen senere.", "A passing fault. Try again later."),
            Problem::Refused(told) => return told.clone(),
        };
        Told { danish: Cow::Borrowed(danish), english: Cow::Borrowed(english) }
    }
}
