//! Several logs read as one, in the order in which their entries were written, with a few lines in memory.
//!
//! Each line is read for itself, so that a damaged log can still be asked; what was not as it should be is counted. Whether a
//! log is whole and who signed it is the question of [`super::verify`].

use std::io;
use std::path::{Path, PathBuf};

use super::chain::{self, Entry, Hash, Head};
use super::log::{self, Lines};
use super::retire::{self, Retirement};

/// What was not as it should be in one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubts {
    /// Lines that could not be read.
    pub unreadable: u64,
    /// Lines whose hash does not follow from the line before.
    pub broken: u64,
    /// The first segment that is missing, and that no statement tells of.
    pub missing: Option<u64>,
    /// The log ends before the entry that its head tells of, or has no head.
    pub cut_off: bool,
}

impl Doubts {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// One log.
struct Reading {
    dir: PathBuf,
    segments: std::vec::IntoIter<(u64, PathBuf)>,
    lines: Option<Lines>,
    previous: Hash,
    next: Option<Entry>,
    last: u64,
    head: u64,
    doubts: Doubts,
    retired: Option<Retirement>,
}

/// Several logs.
pub struct Readings {
    logs: Vec<Reading>,
    bytes: u64,
    read: u64,
}

impl Readings {
    /// Opens the logs of these folders.
    ///
    /// # Errors
    /// A folder that cannot be read, or holds no log.
    pub fn open(dirs: &[PathBuf]) -> io::Result<Self> {
        let mut readings = Self { logs: Vec::new(), bytes: 0, read: 0 };
        for dir in dirs {
            let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", dir.display()));
            // The head before the segments: a log that is being written grows past it.
            let head = log::read_head(dir).map_err(at)?;
            let mut segments = log::segments(dir).map_err(at)?;
            let retired = retire::read(dir).map_err(at)?.pop();
            let missing = retire::missing(dir).map_err(at)?;
            segments.retain(|(number, _)| retired.as_ref().is_none_or(|retired| *number > retired.to));
            if segments.is_empty() {
                return Err(io::Error::other(format!("{} holds no audit log", dir.display())));
            }
            for (_, path) in &segments {
                readings.bytes += std::fs::metadata(path).map_err(at)?.len();
            }
            let before = retired.as_ref().and_then(Retirement::head).unwrap_or(Head::GENESIS);
            let mut reading = Reading {
                dir: dir.clone(),
                segments: segments.into_iter(),
                lines: None,
                previous: before.hash,
                next: None,
                last: before.sequence,
                head: head.as_ref().map_or(u64::MAX, |head| head.covers),
                doubts: Doubts { missing, ..Doubts::default() },
                retired,
            };
            readings.read += reading.advance().map_err(at)?;
            readings.logs.push(reading);
        }
        Ok(readings)
    }

    /// The next entry of all, with the place of its log among the folders.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn next_entry(&mut self) -> io::Result<Option<(usize, Entry)>> {
        let waiting = self.logs.iter().enumerate().filter_map(|(at, log)| Some((log.next.as_ref()?.at, at)));
        let Some((_, at)) = waiting.min() else { return Ok(None) };
        let Some(log) = self.logs.get_mut(at) else { return Ok(None) };
        let entry = log.next.take();
        self.read += log.advance().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", log.dir.display())))?;
        Ok(entry.map(|entry| (at, entry)))
    }

    /// How many bytes were read, and how many there were when the logs were opened.
    pub fn progress(&self) -> (u64, u64) {
        (self.read.min(self.bytes), self.bytes)
    }

    /// What was not as it should be so far, by folder.
    pub fn doubts(&self) -> impl Iterator<Item = (&Path, Doubts)> {
        self.logs.iter().map(|log| (log.dir.as_path(), log.doubts))
    }

    /// Whose first entries were retired.
    pub fn retired(&self) -> impl Iterator<Item = (&Path, &Retirement)> {
        self.logs.iter().filter_map(|log| Some((log.dir.as_path(), log.retired.as_ref()?)))
    }
}

impl Reading {
    /// Reads up to the next entry; how many bytes that was.
    fn advance(&mut self) -> io::Result<u64> {
        let mut read = 0;
        loop {
            let Some(lines) = &mut self.lines else {
                let Some((_, path)) = self.segments.next() else {
                    self.doubts.cut_off = self.last <= self.head;
                    return Ok(read);
                };
                self.lines = Some(Lines::open(&path)?);
                continue;
            };
            let Some(line) = lines.read()? else {
                self.lines = None;
                continue;
            };
            read += line.len() as u64;
            // The end of a line that is being written.
            if !line.ends_with(b"\n") && self.segments.len() == 0 && log::is_being_written(&self.dir) {
                continue;
            }
            let Some((hash, entry)) = chain::split(line) else {
                self.doubts.unreadable += 1;
                continue;
            };
            if chain::link(&self.previous, entry) != hash {
                self.doubts.broken += 1;
            }
            self.previous = hash;
            match serde_json::from_slice::<Entry>(entry) {
                Ok(entry) => {
                    self.last = entry.seq;
                    self.next = Some(entry);
                    return Ok(read);
                }
                Err(_) => self.doubts.unreadable += 1,
            }
        }
    }
}
