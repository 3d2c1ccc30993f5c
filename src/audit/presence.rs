//! Whether the log's files are still those that are open.
//!
//! A file that is open can be written after somebody has removed or replaced it: its records would go where no auditor finds
//! them. So before each write the names are held against the open files, and every ten seconds the segments are counted.

use std::{
    fs::File,
    io,
    path::Path,
    time::{Duration, Instant},
};

use super::retire;

/// How often the names of all segments are read.
const LOOK: Duration = Duration::from_secs(10);

/// When the names were last read.
#[derive(Debug)]
pub(super) struct Presence {
    looked: Option<Instant>,
}

impl Presence {
    pub(super) fn new() -> Self {
        Self { looked: None }
    }

    /// Every segment is there or stated as retired; asked of the folder at most every ten seconds while it is so.
    pub(super) fn segments(&mut self, dir: &Path) -> io::Result<()> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        self.looked = None;
        if let Some(segment) = retire::missing(dir)? {
            return Err(io::Error::other(format!(
                "segment {segment} is missing, and no signed statement says that it was retired"
            )));
        }
        self.looked = Some(Instant::now());
        Ok(())
    }
}

/// The name still leads to the open file.
#[cfg(unix)]
pub(super) fn stands(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let gone = || io::Error::other(format!("{} was removed or replaced while it was being written", path.display()));
    let (named, open) = (std::fs::metadata(path).map_err(|_| gone())?, file.metadata()?);
    if (named.dev(), named.ino()) == (open.dev(), open.ino()) { Ok(()) } else { Err(gone()) }
}

/// The name still leads to a file.
#[cfg(not(unix))]
pub(super) fn stands(path: &Path, _: &File) -> io::Result<()> {
    std::fs::metadata(path).map(drop)
}
