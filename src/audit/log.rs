//! The files: segments that only grow, the head beside them, and what a crash leaves behind.
//!
//! A directory holds `segment-00000001.jsonl`, `segment-00000002.jsonl` …; `head.json`, the last checkpoint once more, so
//! that a log cut short contradicts it; `lock`, held by the one writer; and `torn-…` files with what was found after the
//! last good line when a crash had cut a write off.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::chain::{self, Checkpoint, CheckpointKey, CheckpointPublicKey, Event, Hash, Head, Occasion};
use super::presence::{Presence, stands};
use super::retire;

/// No line is longer: a record is a few KiB. Reading stops here, so that a log turned to garbage cannot fill memory.
const LINE_LIMIT: u64 = 1 << 20;

/// When segments end and checkpoints are made.
#[derive(Debug, Clone)]
pub struct Limits {
    /// A segment ends once it is this long, in bytes.
    pub segment_bytes: u64,
    /// A checkpoint is due after so many entries …
    pub checkpoint_entries: u64,
    /// … or after so long, where there is anything to sign.
    pub checkpoint_interval: Duration,
}

/// Why the log cannot be opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes this log.
    #[error("{}: another process writes this audit log", .0.display())]
    Locked(PathBuf),
    /// `head.json` names entries that are no longer there, or is itself gone. A crash cannot do that, for they were on
    /// disk before `head.json` was: somebody removed them. Nothing is written on top of it.
    #[error("{}: the log is shorter than its head says, or the head is gone; run `hjemmel audit verify`", .0.display())]
    Shortened(PathBuf),
    /// A segment is gone. Nothing is written to a log with a gap that nobody has explained.
    #[error(
        "{}: segment {segment} is missing and no signed statement says that it was retired; put it back, or keep this folder as \
         evidence and give [audit] directory a new one",
        dir.display()
    )]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The first that is missing.
        segment: u64,
    },
    /// The log holds another entry than the one `head.json` names.
    #[error("{}: the log is not the one its head tells of; run `hjemmel audit verify`", .0.display())]
    Altered(PathBuf),
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> LogError + '_ {
    move |source| LogError::Io { path: path.to_owned(), source }
}

/// The segments of a directory, by number.
///
/// # Errors
/// When the directory cannot be read.
pub fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number =
            name.strip_prefix("segment-").and_then(|rest| rest.strip_suffix(".jsonl")).and_then(|digits| digits.parse().ok());
        if let Some(number) = number
            && segment_name(number) == name
        {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The file name of a segment.
pub fn segment_name(number: u64) -> String {
    format!("segment-{number:08}.jsonl")
}

/// The checkpoint that `head.json` repeats; none where there is no such file.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_head(dir: &Path) -> io::Result<Option<Checkpoint>> {
    let bytes = match std::fs::read(dir.join("head.json")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let head: Checkpoint = serde_json::from_slice(&bytes)?;
    // Byte for byte as it is written: other bytes of the same meaning were put there by somebody else.
    if serde_json::to_vec(&head)? == bytes {
        Ok(Some(head))
    } else {
        Err(io::Error::other("head.json is not as the gateway writes it"))
    }
}

/// The lines of one segment, one at a time.
pub struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    /// The number of the line read last, from 1.
    pub number: u64,
}

impl Lines {
    /// Opens a segment.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::of(Box::new(File::open(path)?)))
    }

    /// The lines of these bytes.
    pub fn of(bytes: Box<dyn Read + Send>) -> Self {
        Self { reader: BufReader::new(bytes), line: Vec::new(), number: 0 }
    }

    /// The next line with its newline; one without is the file's torn end, or longer than any record.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        (&mut self.reader).take(LINE_LIMIT).read_until(b'\n', &mut self.line)?;
        self.number += 1;
        Ok((!self.line.is_empty()).then_some(&self.line))
    }
}

/// Whether the log of a directory can be continued; nothing of it is written. While a gateway writes it, too.
///
/// # Errors
/// [`LogError`], but for `Locked`.
pub fn look(dir: &Path, key: Option<&CheckpointKey>) -> Result<(), LogError> {
    survey(dir, key).map(drop)
}

/// Where the chain of a directory's log ends. `key`: the one that signs it, where it could be read.
fn survey(dir: &Path, key: Option<&CheckpointKey>) -> Result<Tail, LogError> {
    let head = read_head(dir).map_err(io_at(&dir.join("head.json")))?;
    if let Some(segment) = retire::missing(dir).map_err(io_at(dir))? {
        return Err(LogError::Missing { dir: dir.to_owned(), segment });
    }
    let mut segments = segments(dir).map_err(io_at(dir))?;
    let retired = retire::read(dir).map_err(io_at(dir))?.pop();
    let by_own_key =
        |(retired, key): (&retire::Retirement, CheckpointPublicKey)| retired.key == key.id() && !retired.is_signed_by(&[key]);
    if retired.as_ref().zip(key.map(CheckpointKey::public)).is_some_and(by_own_key) {
        return Err(LogError::Altered(dir.to_owned()));
    }
    segments.retain(|(number, _)| retired.as_ref().is_none_or(|retired| *number > retired.to));
    let tail = match segments.as_slice() {
        [] => Tail { segment: 0, head: Head::GENESIS, length: 0, ended: true, torn: None, contradicts_head: false },
        [.., (before, before_path), (number, path)] => {
            match Tail::read(*number, path, head.as_ref()).map_err(io_at(path))? {
                tail if tail.length > 0 => tail,
                // The crash came while the segment was begun: its chain continues from the segment before, whose end was on
                // disk by then.
                begun => match Tail::read(*before, before_path, head.as_ref()).map_err(io_at(before_path))? {
                    before if before.ended && before.torn.is_none() => Tail { torn: begun.torn, ..before },
                    _ => return Err(LogError::Altered(dir.to_owned())),
                },
            }
        }
        [(number, path)] => match Tail::read(*number, path, head.as_ref()).map_err(io_at(path))? {
            tail if tail.length > 0 => tail,
            begun => Tail { segment: 0, ended: true, ..begun },
        },
    };
    match &head {
        _ if tail.contradicts_head => return Err(LogError::Altered(dir.to_owned())),
        // The checkpoint stands right after the entry that it covers.
        Some(head) if tail.head.sequence <= head.covers => return Err(LogError::Shortened(dir.to_owned())),
        // Without a head only the very first write (segment and checkpoint) may have happened.
        None if tail.head.sequence > 2 => return Err(LogError::Shortened(dir.to_owned())),
        _ => {}
    }
    Ok(tail)
}

/// The log, open for writing. One per directory, by its lock.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    key: CheckpointKey,
    limits: Limits,
    file: File,
    segment: u64,
    head: Head,
    /// How much of the segment is durable.
    length: u64,
    /// A failed write may have left something behind `length`.
    leftover: bool,
    /// Entries since the last checkpoint.
    unsigned: u64,
    last_checkpoint: Instant,
    /// The segment has ended; the next write begins another.
    ended: bool,
    presence: Presence,
    /// `head.json` could not be written, and that has been reported.
    head_failing: bool,
    /// Held until the log is dropped.
    lock: File,
}

impl Log {
    /// Opens the log of a directory, which is made where it is not, and continues its chain from the last good line.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn open(dir: &Path, key: CheckpointKey, limits: Limits, at: Timestamp) -> Result<Self, LogError> {
        make_private_dir(dir).map_err(io_at(dir))?;
        let lock = lock(dir)?;
        let tail = survey(dir, Some(&key))?;
        let mut events = Vec::new();
        if let Some(torn) = &tail.torn {
            events.push(torn.keep_aside(dir).map_err(io_at(dir))?);
        }
        let path = dir.join(if tail.ended { "lock".to_owned() } else { segment_name(tail.segment) });
        let mut log = Self {
            dir: dir.to_owned(),
            key,
            limits,
            // Where the segment has ended nothing is written to this handle: the first write opens the next segment.
            file: OpenOptions::new().write(true).open(&path).map_err(io_at(&path))?,
            segment: tail.segment,
            head: tail.head,
            length: tail.length,
            leftover: false,
            unsigned: 0,
            last_checkpoint: Instant::now(),
            ended: tail.ended,
            presence: Presence::new(),
            head_failing: false,
            lock,
        };
        log.write(at, &events, Some(Occasion::Started)).map_err(io_at(dir))?;
        Ok(log)
    }

    /// Appends `events` and a checkpoint where one is due, and returns once all of it is on disk; with no events, only
    /// the checkpoint.
    ///
    /// # Errors
    /// When it cannot be written. Then none of it counts as written, and the same may be tried again.
    pub fn append(&mut self, at: Timestamp, events: &[Event]) -> io::Result<()> {
        self.write(at, events, None)
    }

    /// Appends a checkpoint, due or not: to try a disk that failed, or because the writer stops.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn checkpoint(&mut self, at: Timestamp, occasion: Occasion) -> io::Result<()> {
        self.write(at, &[], Some(occasion))
    }

    /// How far the chain has come, on disk.
    pub fn head(&self) -> Head {
        self.head
    }

    /// What is written now would stand where an auditor finds it.
    fn stands(&mut self) -> io::Result<()> {
        stands(&self.dir.join("lock"), &self.lock)?;
        // Of a segment that has ended only the name counts.
        if !self.ended {
            let path = self.dir.join(segment_name(self.segment));
            stands(&path, &self.file)?;
            let length = self.file.metadata()?.len();
            if length < self.length || (length > self.length && !self.leftover) {
                return Err(io::Error::other(format!("{} was changed while it was being written", path.display())));
            }
        }
        self.presence.segments(&self.dir)
    }

    fn write(&mut self, at: Timestamp, events: &[Event], occasion: Option<Occasion>) -> io::Result<()> {
        self.stands()?;
        if events.is_empty()
            && occasion.is_none()
            && (self.unsigned == 0 || self.last_checkpoint.elapsed() < self.limits.checkpoint_interval)
        {
            return Ok(());
        }
        if self.ended {
            self.begin_segment(at)?;
        }
        let (mut batch, mut head) = (Vec::new(), self.head);
        for event in events {
            head = chain::append(&mut batch, &head, at, event)?;
        }
        let unsigned = self.unsigned + events.len() as u64;
        let full = self.length + batch.len() as u64 >= self.limits.segment_bytes;
        let due = unsigned >= self.limits.checkpoint_entries || self.last_checkpoint.elapsed() >= self.limits.checkpoint_interval;
        let occasion = occasion.or(if full { Some(Occasion::SegmentEnd) } else { due.then_some(Occasion::Due) });
        let mut signed = None;
        if let Some(occasion) = occasion {
            let checkpoint = self.key.sign(&head, self.segment, at, occasion);
            head = chain::append(&mut batch, &head, at, &Event::Checkpoint(checkpoint.clone()))?;
            signed = Some(checkpoint);
        }
        self.commit(&batch)?;
        self.head = head;
        self.unsigned = unsigned;
        if let Some(checkpoint) = signed {
            self.unsigned = 0;
            self.last_checkpoint = Instant::now();
            self.ended = checkpoint.occasion == Occasion::SegmentEnd;
            // Elsewhere than on this disk, these two numbers are an anchor: see `verify`.
            tracing::info!(sequence = checkpoint.covers, hash = %checkpoint.head, "audit checkpoint");
            let head = self.write_head(&checkpoint);
            if let Err(error) = &head
                && !self.head_failing
            {
                // The log itself is whole; an older head only proves less, and the next checkpoint tries again.
                tracing::warn!(%error, "the audit log's head.json cannot be written");
            }
            self.head_failing = head.is_err();
        }
        Ok(())
    }

    /// Writes behind what is durable, and makes it durable.
    fn commit(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.leftover {
            self.file.set_len(self.length)?;
        }
        self.leftover = true;
        self.file.seek(SeekFrom::Start(self.length))?;
        let written = self.file.write_all(batch).and_then(|()| self.file.sync_data());
        if written.is_ok() {
            self.length += batch.len() as u64;
            self.leftover = false;
        } else if self.file.set_len(self.length).is_ok() {
            // Half-written lines are taken back at once, so that a reader sees none.
            self.leftover = false;
        }
        written
    }

    fn begin_segment(&mut self, at: Timestamp) -> io::Result<()> {
        let number = self.segment + 1;
        let path = self.dir.join(segment_name(number));
        // Whatever stands there is a beginning that failed: a segment that was begun is `self.segment`.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        let mut line = Vec::new();
        let event = Event::Segment { number, previous: crate::hex::encode(&self.head.hash) };
        let head = chain::append(&mut line, &self.head, at, &event)?;
        file.write_all(&line)?;
        file.sync_all()?;
        sync_dir(&self.dir)?;
        self.file = file;
        self.segment = number;
        self.head = head;
        self.length = line.len() as u64;
        self.leftover = false;
        self.unsigned = 1;
        self.ended = false;
        Ok(())
    }

    fn write_head(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let (new, path) = (self.dir.join("head.json.new"), self.dir.join("head.json"));
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(checkpoint)?)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        sync_dir(&self.dir)
    }
}

/// The end of a log, as a start finds it.
struct Tail {
    segment: u64,
    /// After the last good line.
    head: Head,
    /// Bytes up to and with the last good line.
    length: u64,
    ended: bool,
    torn: Option<Torn>,
    contradicts_head: bool,
}

struct Torn {
    path: PathBuf,
    segment: u64,
    offset: u64,
}

impl Tail {
    fn read(number: u64, path: &Path, expected: Option<&Checkpoint>) -> io::Result<Self> {
        let mut lines = Lines::open(path)?;
        let mut tail =
            Self { segment: number, head: Head::GENESIS, length: 0, ended: false, torn: None, contradicts_head: false };
        while let Some(line) = lines.read()? {
            let followed = if tail.length == 0 { begin(number, line) } else { chain::follow(&tail.head, line).ok() };
            let Some((entry, head)) = followed else {
                tail.torn = Some(Torn { path: path.to_owned(), segment: number, offset: tail.length });
                break;
            };
            if expected
                .is_some_and(|expected| expected.covers == head.sequence && expected.head != crate::hex::encode(&head.hash))
            {
                tail.contradicts_head = true;
            }
            tail.ended = matches!(&entry.event, Event::Checkpoint(checkpoint) if checkpoint.occasion == Occasion::SegmentEnd);
            tail.head = head;
            tail.length += line.len() as u64;
        }
        Ok(tail)
    }
}

/// The first line of a segment, by its own word on what came before; `verify` holds that word against the file before.
fn begin(number: u64, line: &[u8]) -> Option<(chain::Entry, Head)> {
    let entry: chain::Entry = serde_json::from_slice(chain::split(line)?.1).ok()?;
    let Event::Segment { number: stated, previous } = &entry.event else { return None };
    let hash: Hash = crate::hex::decode(previous)?;
    let before = Head { sequence: entry.seq.checked_sub(1)?, hash };
    (*stated == number).then(|| chain::follow(&before, line).ok()).flatten()
}

impl Torn {
    /// Copies the bytes to a file of their own, and only then cuts them off.
    fn keep_aside(&self, dir: &Path) -> io::Result<Event> {
        let mut segment = OpenOptions::new().read(true).write(true).open(&self.path)?;
        segment.seek(SeekFrom::Start(self.offset))?;
        let kept_as = format!("torn-{:08}-{}.bin", self.segment, self.offset);
        let path = dir.join(&kept_as);
        let mut file = File::create(&path)?;
        let bytes = io::copy(&mut segment, &mut file)?;
        file.sync_all()?;
        sync_dir(dir)?;
        segment.set_len(self.offset)?;
        tracing::warn!(segment = self.segment, offset = self.offset, bytes, kept_as, "the audit log ended in a torn line");
        Ok(Event::Torn { segment: self.segment, offset: self.offset, bytes, sha256: sha256_of(&path)?, kept_as })
    }
}

/// Whether a torn end may have this name, which comes from the log and must not lead out of the directory.
pub fn is_torn_name(name: &str) -> bool {
    name.starts_with("torn-") && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// SHA-256 of a file, in hexadecimal; read piece by piece, for what a crash left may be long.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    loop {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            return Ok(crate::hex::encode(digest.finish().as_ref()));
        }
        digest.update(piece);
        let read = piece.len();
        reader.consume(read);
    }
}

fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io_at(&path))?;
    // A moment's patience: a process that was just started elsewhere holds every open file until it has become another
    // program, a lock that was given up meanwhile included.
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(source)) => return Err(LogError::Io { path, source }),
        }
    }
    Err(LogError::Locked(dir.to_owned()))
}

/// How often the lock is tried for, 20 ms apart, before somebody else is taken to hold it for good.
const LOCK_TRIES: u32 = 50;

/// Whether a writer holds the log just now.
pub fn is_being_written(dir: &Path) -> bool {
    // A shared lock is enough to see: it does not keep two readers from asking at once.
    File::open(dir.join("lock")).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

pub(super) fn make_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes new and renamed names durable.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
