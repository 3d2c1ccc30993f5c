//! The logs that a command is given: folders of nodes' logs, copies of them, and the archive.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::AuditError;
use crate::archive::Archive;
use crate::audit::log;
use crate::audit::place::{Folder, Place};
use crate::objects::settings::Place as At;
use crate::services::Service;

/// Waits for what asks a store or an archive, on a thread of a command.
pub fn wait<T>(asked: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| Handle::current().block_on(asked))
}

/// That a folder is there: a misspelt one is no log that lacks its segments.
///
/// # Errors
/// It cannot be read.
pub fn there(dir: &Path) -> Result<(), AuditError> {
    std::fs::read_dir(dir).map(drop).map_err(|error| AuditError::Folder { path: dir.to_owned(), error })
}

/// The places of all logs: a folder may be that of a log, or an archive's.
///
/// # Errors
/// A folder that cannot be read; an archive that does not answer.
pub fn places(dirs: &[PathBuf], archive: Option<&Archive>) -> Result<Vec<Box<dyn Place>>, AuditError> {
    dirs.iter().try_for_each(|dir| there(dir))?;
    let mut places = Vec::<Box<dyn Place>>::new();
    let mut take = |archive: &Archive| -> Result<(), AuditError> {
        for log in wait(archive.every_log())? {
            places.push(Box::new(log));
        }
        Ok(())
    };
    let (archives, logs): (Vec<_>, Vec<_>) = dirs.iter().partition(|dir| is_archive(dir));
    for dir in archives {
        take(&Archive::open(&At::Folder(dir.clone()))?)?;
    }
    if let Some(archive) = archive {
        take(archive)?;
    }
    places.extend(logs.into_iter().map(|dir| Box::new(Folder(dir.clone())) as Box<dyn Place>));
    Ok(places)
}

/// The archive that a configuration names.
///
/// # Errors
/// It names none, or one that cannot be opened.
pub fn archive(config: &Path, now: Timestamp) -> Result<Archive, AuditError> {
    let archive = crate::config::archive_of::<Service>(config, now).map_err(AuditError::Config)?;
    Ok(Archive::open(&archive.ok_or_else(|| AuditError::NoArchive(config.to_owned()))?.at)?)
}

/// Whether a folder is an archive's: folders with the names of logs, and no log of its own.
fn is_archive(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    let is_log = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.parse::<Uuid>().is_ok());
    let has_logs = entries.flatten().any(|entry| is_log(&entry.file_name()) && entry.path().is_dir());
    has_logs && log::segments(dir).is_ok_and(|segments| segments.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_whose_folder_is_misspelt_is_told_by_its_path_and_not_as_one_that_is_not_whole() {
        let said = places(&["/no/such/log".into()], None).err().unwrap().to_string();
        assert!(said.starts_with("/no/such/log: No such file or directory") && said.contains("; correct the path"), "{said}");
    }
}
