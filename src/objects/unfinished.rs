//! Uploads to a folder that nobody goes on with.
//!
//! An upload is written beside its place, under that name, `#` and a number, and comes into its place when it is whole. Whoever gives
//! one up takes it away; a process that is killed cannot, and the store lists no such name. So a serving node looks for them in
//! the folder itself. In a bucket the bucket's own rule removes unfinished uploads.

use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::settings::Place;

/// An upload that was not written to for so long is nobody's: four times as long as one may take.
pub const IDLE: SignedDuration = SignedDuration::from_hours(48);

/// Folders within each other: shelves, and logs of the archive.
const DEEPEST: usize = 4;

impl Place {
    /// Removes uploads to a folder that were last written to before `now` less [`IDLE`]. How many there were; in a bucket none.
    ///
    /// # Errors
    /// The folder cannot be read, or something in it not be removed.
    pub fn clear_unfinished(&self, now: Timestamp) -> io::Result<u64> {
        match self {
            Self::Folder(folder) => clear(folder, now - IDLE, DEEPEST),
            Self::S3(_) => Ok(0),
        }
    }
}

fn clear(folder: &Path, before: Timestamp, deep: usize) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Made with the first content.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut cleared = 0;
    for entry in entries {
        let entry = entry?;
        // Of the entry itself: a link is neither.
        let kind = entry.file_type()?;
        if kind.is_dir() && deep > 0 {
            cleared += clear(&entry.path(), before, deep - 1)?;
        } else if kind.is_file() && is_unfinished(&entry) && written(&entry)?.is_some_and(|at| at < before) {
            match fs::remove_file(entry.path()) {
                Ok(()) => cleared += 1,
                // Another node was first.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(cleared)
}

fn is_unfinished(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let parts = name.to_str().and_then(|name| name.rsplit_once('#'));
    parts.is_some_and(|(name, number)| !name.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// When it was last written to; none where it is gone.
fn written(entry: &DirEntry) -> io::Result<Option<Timestamp>> {
    match entry.metadata().and_then(|meta| meta.modified()) {
        Ok(at) => Timestamp::try_from(at).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
