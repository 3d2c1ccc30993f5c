//! Homes that are plain folders: what a door for files is tested against, and what a supplier can try a client with.
//!
//! `ROOT/USER/IN` and `ROOT/USER/OUT`; uploads are staged in `ROOT/USER/STAGED`. When `X.trigger` is closed in OUT, or renamed to, and
//! `X` lies there, both go: `X` to the sender's own IN, with a receipt. Nothing is validated, encrypted or audited.

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::files::home::{self, Account, Entry, Fingerprint, Folder, Item, Opening, Place, Problem, Quota};
use crate::files::name::Name;
use crate::files::parts::{APART, Parts};

/// The folders of some users.
#[derive(Clone)]
pub struct PlainHomes(Arc<Inner>);

struct Inner {
    root: PathBuf,
    users: Mutex<HashMap<String, Account>>,
    /// Names being written, by home.
    busy: Mutex<HashSet<(PathBuf, Name)>>,
    largest_file: u64,
}

impl PlainHomes {
    /// Homes below `root`, with nobody who may log on.
    pub fn new(root: PathBuf, largest_file: u64) -> Self {
        Self(Arc::new(Inner { root, users: Mutex::default(), busy: Mutex::default(), largest_file }))
    }

    /// Lets a user log on with these keys from now on, and with no others. Without keys: no longer.
    ///
    /// # Errors
    /// The home cannot be made.
    pub fn allow(&self, name: &str, keys: Vec<Fingerprint>) -> io::Result<()> {
        for folder in ["IN", "OUT", "STAGED"] {
            fs::create_dir_all(self.0.root.join(name).join(folder))?;
        }
        let mut users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.entry(name.to_owned()).or_insert_with(|| Account { id: Uuid::new_v4(), keys: Vec::new() }).keys = keys;
        Ok(())
    }

    fn holds(&self, user: Uuid, key: Fingerprint) -> Option<String> {
        let users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.iter().find(|(_, account)| account.id == user && account.keys.contains(&key)).map(|(name, _)| name.clone())
    }
}

impl home::Homes for PlainHomes {
    type Home = PlainHome;

    async fn account(&self, name: &str) -> Result<Option<Account>, Problem> {
        let users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(users.get(name).filter(|account| !account.keys.is_empty()).cloned())
    }

    async fn enter(&self, user: Uuid, key: Fingerprint, _from: IpAddr) -> Result<PlainHome, Problem> {
        let name = self.holds(user, key).ok_or(Problem::KeyNotAllowed)?;
        Ok(PlainHome { homes: self.clone(), user, key, place: self.0.root.join(name) })
    }

    fn wrong_key(&self, _user: Uuid) {}
}

/// One home.
#[derive(Clone)]
pub struct PlainHome {
    homes: PlainHomes,
    user: Uuid,
    key: Fingerprint,
    place: PathBuf,
}

fn problem(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::NoSuchFile,
        io::ErrorKind::AlreadyExists => Problem::Exists,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Problem::DiskFull,
        io::ErrorKind::FileTooLarge => Problem::TooLarge,
        _ => Problem::Unavailable,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    spawn_blocking(work).await.unwrap_or(Err(Problem::Unavailable))
}

fn entry_at(path: &Path) -> Result<Entry, Problem> {
    let spelt = path.file_name().and_then(|name| name.to_str()).and_then(|name| Name::new(name).ok());
    let about = fs::metadata(path).map_err(|error| problem(&error))?;
    let modified = about.modified().ok().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Entry { name: spelt.ok_or(Problem::NoSuchFile)?, size: about.len(), modified })
}

/// The names of a folder; what is no name is not shown.
fn names(folder: &Path) -> Result<Vec<Name>, Problem> {
    let entries = fs::read_dir(folder).map_err(|error| problem(&error))?;
    let name = |entry: io::Result<fs::DirEntry>| Name::new(entry.ok()?.file_name().to_str()?).ok();
    Ok(entries.filter_map(name).collect())
}

/// Where the file of a name lies: by its spelling or another of the same name.
fn place_of(folder: &Path, name: &Name) -> Result<PathBuf, Problem> {
    let direct = folder.join(name.spelt());
    if direct.exists() || name.spelt().is_ascii() {
        return Ok(direct);
    }
    Ok(names(folder)?.iter().find(|there| *there == name).map_or(direct, |there| folder.join(there.spelt())))
}

impl PlainHome {
    fn at(&self, folder: Folder) -> PathBuf {
        self.place.join(folder.name())
    }

    /// What the close of a trigger does.
    fn fire(&self, trigger: &Name) -> Result<(), Problem> {
        let Some(data) = trigger.spelt().strip_suffix(".trigger").and_then(|data| Name::new(data).ok()) else { return Ok(()) };
        let (from, own) = (place_of(&self.at(Folder::Out), &data)?, self.at(Folder::In));
        if from.exists() {
            fs::remove_file(self.at(Folder::Out).join(trigger.spelt())).map_err(|error| problem(&error))?;
            fs::rename(from, own.join(data.spelt())).map_err(|error| problem(&error))?;
            fs::write(own.join(format!("{}.sftpreceipt", data.spelt())), "SUCCESS").map_err(|error| problem(&error))?;
        }
        Ok(())
    }
}

impl home::Home for PlainHome {
    type Folder = Folder;
    type File = PlainFile;

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
        self.homes.holds(self.user, self.key).map(|_| ()).ok_or(Problem::KeyNotAllowed)
    }

    async fn stat(&self, folder: &Folder, name: &Name) -> Result<Entry, Problem> {
        let (folder, name) = (self.at(*folder), name.clone());
        blocking(move || entry_at(&place_of(&folder, &name)?)).await
    }

    async fn list(&self, folder: Option<&Folder>, after: Option<&Name>, at_most: usize) -> Result<Vec<Item>, Problem> {
        let Some(folder) = folder else { return Ok(Folder::listed(after)) };
        let (folder, after) = (self.at(*folder), after.cloned());
        blocking(move || {
            let mut names = names(&folder)?;
            names.retain(|name| after.as_ref().is_none_or(|after| name > after));
            names.sort();
            // One that was removed meanwhile is not listed.
            Ok(names.iter().filter_map(|name| entry_at(&folder.join(name.spelt())).ok()).map(Item::File).take(at_most).collect())
        })
        .await
    }

    async fn read(&self, folder: &Folder, name: &Name) -> Result<PlainFile, Problem> {
        let (folder, name) = (self.at(*folder), name.clone());
        blocking(move || {
            let path = place_of(&folder, &name)?;
            let file = fs::File::open(&path).map_err(|error| problem(&error))?;
            Ok(PlainFile { file: Arc::new(file), entry: entry_at(&path)?, staged: None, written: Parts::default() })
        })
        .await
    }

    async fn write(&self, _: &Folder, name: &Name, how: Opening) -> Result<PlainFile, Problem> {
        let (home, name) = (self.clone(), name.clone());
        blocking(move || {
            let path = place_of(&home.at(Folder::Out), &name)?;
            let there = path.exists();
            match (there, how) {
                (true, Opening { new_only: true, .. }) => return Err(Problem::Exists),
                (false, Opening { create: false, .. }) => return Err(Problem::NoSuchFile),
                _ => {}
            }
            let busy =
                home.homes.0.busy.lock().unwrap_or_else(PoisonError::into_inner).insert((home.place.clone(), name.clone()));
            if !busy {
                return Err(Problem::Busy);
            }
            let at = home.place.join("STAGED").join(Uuid::new_v4().to_string());
            let staged = Staged { home, name: name.clone(), at, refused: None, keeps: false };
            if there && !how.truncate {
                fs::copy(&path, &staged.at).map_err(|error| problem(&error))?;
            }
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&staged.at);
            let file = file.map_err(|error| problem(&error))?;
            let size = file.metadata().map_err(|error| problem(&error))?.len();
            let entry = Entry { name, size, modified: entry_at(&staged.at)?.modified };
            let mut written = Parts::default();
            written.add(0, size, APART);
            Ok(PlainFile { file: Arc::new(file), entry, staged: Some(staged), written })
        })
        .await
    }

    async fn remove(&self, folder: &Folder, name: &Name) -> Result<(), Problem> {
        let (folder, name) = (self.at(*folder), name.clone());
        blocking(move || fs::remove_file(place_of(&folder, &name)?).map_err(|error| problem(&error))).await
    }

    async fn rename(&self, (_, from): (&Folder, &Name), (_, to): (&Folder, &Name), replace: bool) -> Result<(), Problem> {
        let (home, from, to) = (self.clone(), from.clone(), to.clone());
        blocking(move || {
            let out = home.at(Folder::Out);
            let (old, new) = (place_of(&out, &from)?, place_of(&out, &to)?);
            if !old.exists() {
                return Err(Problem::NoSuchFile);
            }
            if new.exists() && old != new {
                match replace {
                    true => fs::remove_file(&new).map_err(|error| problem(&error))?,
                    false => return Err(Problem::Exists),
                }
            }
            fs::rename(old, out.join(to.spelt())).map_err(|error| problem(&error))?;
            home.fire(&to)
        })
        .await
    }

    async fn quota(&self, _: Option<&Folder>) -> Result<Quota, Problem> {
        let home = self.clone();
        blocking(move || {
            let mut quota = Quota { bytes_used: 0, bytes_limit: Some(10 << 30), files_used: 0, files_limit: Some(1_000_000) };
            for folder in Folder::ALL.map(|folder| home.at(folder)) {
                for name in names(&folder)? {
                    quota.files_used += 1;
                    quota.bytes_used += entry_at(&folder.join(name.spelt())).map_or(0, |entry| entry.size);
                }
            }
            Ok(quota)
        })
        .await
    }
}

/// A file being read or written.
pub struct PlainFile {
    file: Arc<fs::File>,
    entry: Entry,
    staged: Option<Staged>,
    written: Parts,
}

/// A file being written: gone when it is dropped, unless it was closed.
struct Staged {
    home: PlainHome,
    name: Name,
    at: PathBuf,
    refused: Option<Problem>,
    keeps: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.keeps {
            let _ = fs::remove_file(&self.at);
        }
        let mut busy = self.home.homes.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&(self.home.place.clone(), self.name.clone()));
    }
}

impl PlainFile {
    async fn change(
        &mut self,
        size: u64,
        work: impl FnOnce(&fs::File) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Problem> {
        let Some(staged) = self.staged.as_mut() else { return Err(Problem::Denied) };
        let file = Arc::clone(&self.file);
        let done = match size > staged.home.homes.0.largest_file {
            true => Err(Problem::TooLarge),
            false => blocking(move || work(&file).map_err(|error| problem(&error))).await,
        };
        match done {
            Ok(()) => self.entry.size = size,
            Err(ref problem) => staged.refused = Some(problem.clone()),
        }
        done
    }
}

impl home::File for PlainFile {
    fn entry(&self) -> Entry {
        self.entry.clone()
    }

    async fn read_at(&mut self, offset: u64, length: u32) -> Result<Bytes, Problem> {
        let (file, left) = (Arc::clone(&self.file), self.entry.size.saturating_sub(offset));
        let length = usize::try_from(left.min(u64::from(length))).map_err(|_| Problem::TooLarge)?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        blocking(move || {
            let mut into = vec![0; length];
            file.read_exact_at(&mut into, offset).map_err(|error| problem(&error))?;
            Ok(into.into())
        })
        .await
    }

    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<(), Problem> {
        let end = offset.saturating_add(bytes.len() as u64);
        self.change(end.max(self.entry.size), move |file| file.write_all_at(&bytes, offset)).await?;
        self.written.add(offset, end, APART);
        Ok(())
    }

    async fn set_size(&mut self, size: u64) -> Result<(), Problem> {
        self.change(size, move |file| file.set_len(size)).await?;
        self.written.cut(size);
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), Problem> {
        let file = Arc::clone(&self.file);
        blocking(move || file.sync_data().map_err(|error| problem(&error))).await
    }

    async fn close(mut self) -> Result<(), Problem> {
        let Some(mut staged) = self.staged.take() else { return Ok(()) };
        if let Some(refused) = staged.refused.take() {
            return Err(refused);
        }
        // Parts that were never written would be zeros.
        if !self.written.is_whole(self.entry.size) {
            return Err(Problem::NotWhole);
        }
        blocking(move || {
            let out = place_of(&staged.home.at(Folder::Out), &staged.name)?;
            fs::rename(&staged.at, out).map_err(|error| problem(&error))?;
            staged.keeps = true;
            staged.home.fire(&staged.name)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::home::{File as _, Home as _, Homes as _};

    const NEW: Opening = Opening { create: true, new_only: false, truncate: true };

    async fn home(root: &Path) -> PlainHome {
        let homes = PlainHomes::new(root.to_owned(), 1 << 20);
        let key = Fingerprint([7; 32]);
        homes.allow("KY", vec![key]).unwrap();
        let account = homes.account("KY").await.unwrap().unwrap();
        homes.enter(account.id, key, IpAddr::from([127, 0, 0, 1])).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_there_when_it_is_closed_and_its_trigger_takes_it() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path()).await;
        let name = Name::new("a\u{30a}.xml").unwrap();
        let mut file = home.write(&Folder::Out, &name, NEW).await.unwrap();
        file.write_at(3, Bytes::from_static(b"def")).await.unwrap();
        file.write_at(0, Bytes::from_static(b"abc")).await.unwrap();
        assert_eq!(home.stat(&Folder::Out, &name).await, Err(Problem::NoSuchFile));
        assert_eq!(home.write(&Folder::Out, &name, NEW).await.err(), Some(Problem::Busy));
        file.close().await.unwrap();

        let composed = Name::new("\u{e5}.xml").unwrap();
        let mut read = home.read(&Folder::Out, &composed).await.unwrap();
        assert_eq!(read.read_at(2, 100).await, Ok(Bytes::from_static(b"cdef")));
        assert_eq!(home.list(Some(&Folder::Out), None, 10).await.unwrap().len(), 1);

        let trigger = home.write(&Folder::Out, &Name::new("a\u{30a}.xml.trigger").unwrap(), NEW).await.unwrap();
        trigger.close().await.unwrap();
        assert_eq!(home.list(Some(&Folder::Out), None, 10).await, Ok(vec![]));
        let there: Vec<_> = home
            .list(Some(&Folder::In), None, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|item| match item {
                Item::File(entry) => entry.size,
                Item::Folder(name) => panic!("a folder {name:?}"),
            })
            .collect();
        assert_eq!(there, [6, 7]);
    }

    #[tokio::test]
    async fn what_has_a_hole_is_refused_at_its_close_and_what_is_gone_on_with_has_none() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path()).await;
        let name = Name::new("x").unwrap();
        let mut file = home.write(&Folder::Out, &name, NEW).await.unwrap();
        file.write_at(3, Bytes::from_static(b"def")).await.unwrap();
        assert_eq!(file.close().await, Err(Problem::NotWhole));
        let mut file = home.write(&Folder::Out, &name, NEW).await.unwrap();
        file.write_at(0, Bytes::from_static(b"abc")).await.unwrap();
        file.close().await.unwrap();
        let mut file = home.write(&Folder::Out, &name, Opening { truncate: false, ..NEW }).await.unwrap();
        file.write_at(3, Bytes::from_static(b"def")).await.unwrap();
        file.close().await.unwrap();
        assert_eq!(home.stat(&Folder::Out, &name).await.map(|entry| entry.size), Ok(6));
    }

    #[tokio::test]
    async fn what_was_refused_or_dropped_leaves_nothing_and_frees_the_name() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path()).await;
        let name = Name::new("x").unwrap();
        let mut file = home.write(&Folder::Out, &name, NEW).await.unwrap();
        assert_eq!(file.write_at(1 << 62, Bytes::from_static(b"x")).await, Err(Problem::TooLarge));
        assert_eq!(file.close().await, Err(Problem::TooLarge));
        drop(home.write(&Folder::Out, &name, NEW).await.unwrap());
        assert!(home.write(&Folder::Out, &name, NEW).await.is_ok());
        assert_eq!(home.list(Some(&Folder::Out), None, 1).await, Ok(vec![]));
        assert_eq!(fs::read_dir(root.path().join("KY/STAGED")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_key_that_is_taken_away_is_refused_from_then_on() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path()).await;
        assert_eq!(home.admitted().await, Ok(()));
        home.homes.allow("KY", vec![]).unwrap();
        assert_eq!(home.admitted().await, Err(Problem::KeyNotAllowed));
        assert_eq!(home.homes.account("KY").await, Ok(None));
    }
}
