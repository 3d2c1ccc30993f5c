//! Who may read and write the files that a configuration names: tried as the present user, or judged for another by owner
//! and mode.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// For whom files are judged.
#[derive(Debug, Clone)]
pub enum Who {
    /// The user who runs this: everything is really tried.
    Myself,
    /// Another: owner and mode are read. Access lists and security modules are not known.
    User(User),
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    name: String,
    id: u32,
    groups: Vec<u32>,
}

impl User {
    /// The user of this name, and its groups, as `id` tells them: from wherever the machine has its users.
    ///
    /// # Errors
    /// There is no such user, or no `id`; the text says so.
    pub fn named(name: &str) -> Result<Self, String> {
        let ask = |what: &str| -> Result<Vec<u32>, String> {
            let said =
                Command::new("id").args([what, "--", name]).output().map_err(|error| format!("id cannot be run: {error}"))?;
            let numbers = String::from_utf8_lossy(&said.stdout);
            let numbers = numbers.split_whitespace().map(|number| number.parse().map_err(|_| "id gave no number".to_owned()));
            match said.status.success() {
                true => numbers.collect(),
                false => Err(format!("there is no user {name} on this machine; name the one that runs the gateway")),
            }
        };
        let id = ask("-u")?.first().copied().ok_or("id gave no number")?;
        Ok(Self { name: name.to_owned(), id, groups: ask("-G")? })
    }

    /// Whether the user has this right (4 read, 2 write, 1 enter) by owner and mode.
    fn has(&self, right: u32, of: &Metadata) -> bool {
        let granted = match () {
            () if self.id == 0 => return true,
            () if of.uid() == self.id => of.mode() >> 6,
            () if self.groups.contains(&of.gid()) => of.mode() >> 3,
            () => of.mode(),
        };
        granted & right == right
    }

    /// The first folder or file on the way to `path` that keeps the user from it.
    fn stopped_at(&self, path: &Path, right: u32) -> io::Result<Option<PathBuf>> {
        let path = path.canonicalize()?;
        for folder in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            if !self.has(1, &fs::metadata(folder)?) {
                return Ok(Some(folder.to_owned()));
            }
        }
        Ok((!self.has(right, &fs::metadata(&path)?)).then_some(path))
    }

    fn may(&self, path: &Path, right: u32, verb: &str) -> Result<(), String> {
        let User { name, .. } = self;
        match self.stopped_at(path, right) {
            Ok(None) => Ok(()),
            Ok(Some(place)) => {
                let what = format!("{name} may not {verb} {}", path.display());
                let mode = fs::metadata(&place).map(|data| data.mode() & 0o7777).unwrap_or_default();
                Err(format!("{what} ({} has mode {mode:04o}); give it to {name} with chown, or change its mode", place.display()))
            }
            Err(error) => Err(format!("{} cannot be judged for {name}: {error}; run this as root", path.display())),
        }
    }
}

/// Whether a file that the present user has read can be read by whom it is judged for.
pub fn reads(file: &Path, who: &Who) -> Result<(), String> {
    match who {
        Who::Myself => Ok(()),
        Who::User(user) => user.may(file, 4, "read"),
    }
}

/// Whether files can be made in `folder`.
pub fn can_write_in(folder: &Path, who: &Who) -> Result<(), String> {
    match who {
        Who::User(user) => user.may(folder, 3, "write in"),
        Who::Myself => {
            let tried = folder.join(format!(".hjemmel-check-{}", std::process::id()));
            let made = OpenOptions::new().write(true).create_new(true).open(&tried).and_then(|_| fs::remove_file(&tried));
            made.map_err(|error| unwritable(&format!("no file can be made in {}", folder.display()), &error))
        }
    }
}

/// Whether the file can be written, or made where there is none. SQLite makes others beside it.
pub fn can_write_to(file: &Path, who: &Who) -> Result<(), String> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if file.exists() {
        match who {
            Who::User(user) => user.may(file, 6, "write")?,
            Who::Myself => OpenOptions::new()
                .read(true)
                .write(true)
                .open(file)
                .map(drop)
                .map_err(|error| unwritable(&format!("{} cannot be written", file.display()), &error))?,
        }
    }
    can_write_in(folder, who)
}

fn unwritable(what: &str, error: &io::Error) -> String {
    format!("{what} ({error}); let the service's own user write there, and run this check as that user (or with --user)")
}

/// Who beside the owner can read a secret: by its mode, where the folders above let them come so far.
pub fn others_who_read(file: &Path, who: &Who) -> Option<String> {
    let data = fs::metadata(file).ok()?;
    let file_path = file.canonicalize().ok()?;
    let folders: Vec<Metadata> = file_path.ancestors().skip(1).filter_map(|folder| fs::metadata(folder).ok()).collect();
    let open_to = |bits: u32| folders.iter().all(|folder| folder.mode() & bits != 0);
    let mode = data.mode() & 0o7777;
    let by = if mode & 0o006 != 0 && open_to(0o001) {
        "every user of this machine".to_owned()
    } else if mode & 0o060 != 0 && open_to(0o011) && owner_reads(&data, who) {
        format!("the group {}", data.gid())
    } else {
        return None;
    };
    let file = file.display();
    Some(format!("{file} has mode {mode:04o}: {by} can read or change it; chmod 0600 {file}, owned by the service's own user"))
}

/// Where the service reads the file as its owner, its group needs no right. A service that reads by its group needs one.
fn owner_reads(data: &Metadata, who: &Who) -> bool {
    let reader = match who {
        Who::User(user) => Some(user.id),
        // The kernel's own note of this process; elsewhere than on Linux nothing is said of groups.
        Who::Myself => fs::metadata("/proc/self").ok().map(|own| own.uid()),
    };
    reader == Some(data.uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), 0o755);
        dir
    }

    fn stranger() -> User {
        User { name: "stranger".to_owned(), id: 4_000_000, groups: vec![4_000_000] }
    }

    #[test]
    fn a_secret_that_others_can_read_is_told_with_its_mode() {
        let dir = folder();
        let file = dir.path().join("key.pem");
        fs::write(&file, "x").unwrap();
        for (mode, told) in
            [(0o600, None), (0o400, None), (0o644, Some("every user")), (0o640, Some("the group")), (0o660, Some("the group"))]
        {
            set(&file, mode);
            let said = others_who_read(&file, &Who::Myself);
            assert_eq!(said.as_ref().map(|said| said.contains(told.unwrap_or("?"))), told.map(|_| true), "{mode:o} {said:?}");
        }
        set(&file, 0o640);
        assert_eq!(others_who_read(&file, &Who::User(stranger())), None, "a service that is not the owner may read by its group");
        set(&file, 0o644);
        set(dir.path(), 0o700);
        assert_eq!(others_who_read(&file, &Who::Myself), None, "nobody else comes so far");
    }

    #[test]
    fn another_user_is_judged_by_owner_and_mode_on_the_whole_way() {
        let dir = folder();
        let file = dir.path().join("key.pem");
        fs::write(&file, "x").unwrap();
        let who = Who::User(stranger());
        set(&file, 0o644);
        assert_eq!(reads(&file, &who), Ok(()));
        set(&file, 0o600);
        assert!(reads(&file, &who).unwrap_err().contains("stranger may not read"));
        assert!(can_write_in(dir.path(), &who).unwrap_err().contains("has mode 0755"));
        assert!(can_write_to(&file, &who).unwrap_err().contains("may not write"));
        set(dir.path(), 0o777);
        assert_eq!(can_write_in(dir.path(), &who), Ok(()));
        set(dir.path(), 0o700);
        set(&file, 0o644);
        assert!(reads(&file, &who).unwrap_err().contains("has mode 0700"), "the folder is in the way");
        assert_eq!(reads(&file, &Who::User(User { id: 0, ..stranger() })), Ok(()), "root may all");
    }

    #[test]
    fn the_users_of_the_machine_are_known() {
        assert_eq!(User::named("root").unwrap().id, 0);
        assert!(User::named("nobody-of-this-name").unwrap_err().contains("there is no user"));
    }

    #[test]
    fn what_cannot_be_written_is_told_with_the_cause() {
        let dir = folder();
        assert_eq!(can_write_in(dir.path(), &Who::Myself), Ok(()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
        assert_eq!(can_write_to(&dir.path().join("store.sqlite"), &Who::Myself), Ok(()));
        assert!(can_write_in(Path::new("/proc"), &Who::Myself).unwrap_err().contains("no file can be made in /proc"));
        assert!(can_write_to(dir.path(), &Who::Myself).unwrap_err().contains("cannot be written"));
    }
}
