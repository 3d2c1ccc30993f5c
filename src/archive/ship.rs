//! How segments that have ended get into the archive, in their order, each once it was read back from there.
//!
//! `archived.jsonl` beside the segments says which are there. A process that is killed at any point does what it did last once more,
//! which changes nothing in the archive: the name holds the digest.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Archive, ArchiveError, Content};
use crate::audit::chain::{self, Checkpoint, Entry, Event, Hash, Occasion};
use crate::audit::retire::{self, Retirement};
use crate::audit::{anchors, log};

/// The file of what is in the archive.
const FILE: &str = "archived.jsonl";
/// The last line of a segment is a checkpoint, and shorter than this.
const LAST_LINE: u64 = 8 << 10;

/// A segment that is in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Its number.
    pub segment: u64,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
    /// The checkpoint in which it ends.
    pub checkpoint: Checkpoint,
}

/// What waits for the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Segments that have ended and are not there.
    pub segments: u64,
    /// When the first of them ended.
    pub since: Option<Timestamp>,
}

/// What ships a node's segments. Cheap to clone; one alone ships.
#[derive(Debug, Clone)]
pub struct Shipper {
    directory: PathBuf,
    log: Uuid,
    marks: Arc<Mutex<BTreeMap<u64, Mark>>>,
}

impl Shipper {
    /// Reads how far it came before. Waits for the disk: not for a thread that serves.
    ///
    /// # Errors
    /// The folder of the log cannot be read or written.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let log = anchors::named(directory)?;
        let marks = Arc::new(Mutex::new(read_marks(directory)?));
        Ok(Self { directory: directory.to_owned(), log, marks })
    }

    /// The name of the log.
    pub fn log(&self) -> Uuid {
        self.log
    }

    /// What is there, by segment.
    pub fn marks(&self) -> BTreeMap<u64, Mark> {
        self.held().clone()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<u64, Mark>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits. Waits for the disk.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn waiting(&self) -> io::Result<Waiting> {
        let marks = self.marks();
        let left: Vec<_> = ended(&self.directory)?.into_iter().filter(|number| !marks.contains_key(number)).collect();
        let since = left.first().map(|first| last_checkpoint(&self.directory.join(log::segment_name(*first)))).transpose()?;
        Ok(Waiting { segments: left.len() as u64, since: since.map(|checkpoint| checkpoint.at) })
    }

    /// Ships the first segment that waits, with the torn ends that it names; `None` where none waits.
    ///
    /// # Errors
    /// [`ArchiveError`]. Nothing is lost by it: the same is tried by the next call.
    pub async fn ship_next(&self, archive: &Archive) -> Result<Option<Mark>, ArchiveError> {
        let (directory, marks) = (self.directory.clone(), self.marks());
        let next = move || next(&directory, &marks);
        let Some(Next { statements, segment }) = off_the_runtime(&self.directory, next).await? else { return Ok(None) };
        self.state(archive, &statements).await?;
        for (torn, content) in &segment.torn {
            let name = super::place(self.log, super::torn_end(torn, &content.sha256));
            archive.put(&name, &self.directory.join(torn), content).await?;
        }
        let Mark { segment: number, bytes, sha256, .. } = segment.mark.clone();
        let name = super::place(self.log, super::segment(number, &sha256));
        let file = self.directory.join(log::segment_name(number));
        archive.put(&name, &file, &Content { bytes, sha256 }).await?;
        let (directory, mark) = (self.directory.clone(), segment.mark.clone());
        off_the_runtime(&self.directory, move || append_mark(&directory, &mark)).await?;
        self.held().insert(number, segment.mark.clone());
        Ok(Some(segment.mark))
    }

    /// States what was retired here before there was an archive: without it the log would begin in the middle there. Of what the
    /// archive has, or has stated itself, nothing is stated, also where the marks that show it were lost.
    async fn state(&self, archive: &Archive, statements: &[Retirement]) -> Result<(), ArchiveError> {
        if statements.is_empty() {
            return Ok(());
        }
        let shelf = archive.shelf(self.log).await?;
        for statement in statements {
            let line = retire::line_of(statement).map_err(ArchiveError::local(&self.directory))?;
            let name = super::place(self.log, super::statement(statement.from, &super::sha256(&line)));
            let has = shelf.segments.range(statement.from..=statement.to).next().is_some();
            let there = shelf.statements.get(&statement.from) == Some(&name);
            if !there && (has || shelf.statements.range(statement.from..).next().is_some()) {
                // Those that follow would continue from this one.
                break;
            }
            archive.put_bytes(&name, line).await?;
        }
        Ok(())
    }
}

async fn off_the_runtime<T: Send + 'static>(
    directory: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ArchiveError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(ArchiveError::local(directory))
}

/// What goes next.
struct Next {
    statements: Vec<Retirement>,
    segment: Ended,
}

/// A segment that has ended.
struct Ended {
    mark: Mark,
    torn: Vec<(String, Content)>,
}

fn next(directory: &Path, marks: &BTreeMap<u64, Mark>) -> io::Result<Option<Next>> {
    let Some(number) = ended(directory)?.into_iter().find(|number| !marks.contains_key(number)) else { return Ok(None) };
    let before = |statement: &Retirement| statement.to < number && !marks.contains_key(&statement.to);
    let statements = retire::read(directory)?.into_iter().take_while(before).collect();
    Ok(Some(Next { statements, segment: read_ended(directory, number)? }))
}

/// The segments of a log that have ended, by number.
///
/// # Errors
/// The folder cannot be read.
pub fn ended(directory: &Path) -> io::Result<Vec<u64>> {
    let retired = retire::read(directory)?.last().map_or(0, |retired| retired.to);
    let segments = log::segments(directory)?;
    let Some((last, _)) = segments.last() else { return Ok(Vec::new()) };
    let last_has_ended =
        log::read_head(directory)?.is_some_and(|head| head.segment == *last && head.occasion == Occasion::SegmentEnd);
    let ended = |number: &u64| *number > retired && (number < last || last_has_ended);
    Ok(segments.iter().map(|(number, _)| *number).filter(ended).collect())
}

fn read_ended(directory: &Path, number: u64) -> io::Result<Ended> {
    let path = directory.join(log::segment_name(number));
    let checkpoint = last_checkpoint(&path)?;
    let mut torn = Vec::new();
    for name in retire::torn_ends(&path)? {
        let content = Content::of(&directory.join(&name))?;
        torn.push((name, content));
    }
    let Content { bytes, sha256 } = Content::of(&path)?;
    Ok(Ended { mark: Mark { segment: number, bytes, sha256, checkpoint }, torn })
}

/// The checkpoint in which a segment ends.
fn last_checkpoint(path: &Path) -> io::Result<Checkpoint> {
    let line = last_line(path)?;
    let entry = chain::split(&line).and_then(|(_, entry)| serde_json::from_slice::<Entry>(entry).ok());
    match entry.map(|entry| entry.event) {
        Some(Event::Checkpoint(checkpoint)) => Ok(checkpoint),
        _ => Err(io::Error::other(format!("{} does not end in a checkpoint", path.display()))),
    }
}

/// The hash that the last line of a segment states; none where that is no line of a log, or longer than a checkpoint.
pub(super) fn hash_at_end(path: &Path) -> io::Result<Option<Hash>> {
    Ok(chain::split(&last_line(path)?).map(|(hash, _)| hash))
}

/// The last line of a segment, or the end of it.
fn last_line(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_LINE)))?;
    let mut tail = Vec::new();
    file.take(LAST_LINE).read_to_end(&mut tail)?;
    Ok(tail.split_inclusive(|byte| *byte == b'\n').next_back().unwrap_or_default().to_vec())
}

/// The marks, whose last a crash may have cut off: it is made anew. One that cannot be read costs no other.
fn read_marks(directory: &Path) -> io::Result<BTreeMap<u64, Mark>> {
    let path = directory.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let (mut marks, mut lines) = (BTreeMap::new(), bytes.split_inclusive(|byte| *byte == b'\n').peekable());
    while let Some(line) = lines.next() {
        match serde_json::from_slice::<Mark>(line) {
            Ok(mark) if line.ends_with(b"\n") => drop(marks.insert(mark.segment, mark)),
            _ if lines.peek().is_some() => {
                tracing::warn!(
                    "archived.jsonl has a line that cannot be read; what it told of is looked for in the archive again"
                );
            }
            _ => {
                tracing::warn!("archived.jsonl ended in a torn line; what it told of is looked for in the archive again");
                let file = OpenOptions::new().write(true).open(&path)?;
                file.set_len((bytes.len() - line.len()) as u64)?;
                file.sync_all()?;
            }
        }
    }
    Ok(marks)
}

fn append_mark(directory: &Path, mark: &Mark) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(directory.join(FILE))?;
    let mut line = serde_json::to_vec(mark)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}
