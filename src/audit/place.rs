//! Where the segments of a log are read from: its own folder, a copy of it, or the archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::chain::Checkpoint;
use super::retire::{self, Retirement};
use super::{anchors, log};

/// A place that holds a log, or a part of it.
pub trait Place: Send + Sync {
    /// The name of the log; none where it was not given one.
    ///
    /// # Errors
    /// The place cannot be read.
    fn log(&self) -> io::Result<Option<Uuid>>;
    /// The segments, in order of their numbers, each with its length in bytes. One that a statement names as retired may be among them.
    ///
    /// # Errors
    /// The place cannot be read.
    fn segments(&self) -> io::Result<Vec<(u64, u64)>>;
    /// The bytes of a segment.
    ///
    /// # Errors
    /// The place cannot be read, or has no such segment.
    fn open(&self, segment: u64) -> io::Result<Box<dyn Read + Send>>;
    /// The statements of what was retired from this place, oldest first.
    ///
    /// # Errors
    /// The place cannot be read, or holds what is no statement.
    fn retired(&self) -> io::Result<Vec<Retirement>>;
    /// Whether the log is written here, so that its last segment may be open, and `head.json` says how far it has come. Where it
    /// is not, every segment is one that has ended.
    fn is_written_here(&self) -> bool;
    /// The last checkpoint once more, as it is kept beside the segments.
    ///
    /// # Errors
    /// It is there and cannot be read.
    fn head(&self) -> io::Result<Option<Checkpoint>>;
    /// Whether a writer holds the log just now.
    fn is_being_written(&self) -> bool;
    /// Whether a torn end is still as it was kept aside.
    fn keeps(&self, torn: &str, sha256: &str) -> bool;
    /// How a file of this place is named to people; the place itself where `name` is empty.
    fn file(&self, name: &str) -> PathBuf;
    /// SHA-256 of each segment, where the place is one that names them by it.
    fn digests(&self) -> Option<BTreeMap<u64, String>> {
        None
    }
}

/// The folder of a log, or a copy of it.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Place for Folder {
    fn log(&self) -> io::Result<Option<Uuid>> {
        anchors::name_of(&self.0)
    }

    fn segments(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        for (number, path) in log::segments(&self.0)? {
            match std::fs::metadata(&path) {
                Ok(file) => found.push((number, file.len())),
                // It was retired meanwhile, which was stated first.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn open(&self, segment: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.0.join(log::segment_name(segment)))?))
    }

    fn retired(&self) -> io::Result<Vec<Retirement>> {
        retire::read(&self.0)
    }

    fn is_written_here(&self) -> bool {
        true
    }

    fn head(&self) -> io::Result<Option<Checkpoint>> {
        log::read_head(&self.0)
    }

    fn is_being_written(&self) -> bool {
        log::is_being_written(&self.0)
    }

    fn keeps(&self, torn: &str, sha256: &str) -> bool {
        log::is_torn_name(torn) && log::sha256_of(&self.0.join(torn)).is_ok_and(|found| found == sha256)
    }

    fn file(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.clone() } else { self.0.join(name) }
    }
}

impl From<&Path> for Folder {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}
