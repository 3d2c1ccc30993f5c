//! The proof that a log is whole: nothing altered, removed, reordered, put in or cut off.
//!
//! Every line must follow from the one before (hash and number), every segment from the one before (the first from what a signed statement
//! says was retired), every checkpoint must
//! be signed by a key that the auditor brings, and the checkpoint of `head.json` must be in the log. Whoever could also
//! roll `head.json` back is caught by an [`Anchor`]: number and hash of an entry, kept elsewhere (the gateway logs one at
//! each checkpoint).

use std::{
    collections::{BTreeSet, HashSet},
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    anchors::{self, Latest},
    chain::{self, Broken, Checkpoint, CheckpointPublicKey, Event, Hash, Head, Occasion},
    log::{self, Lines},
    place::{Folder, Place},
    retire::{self, Retirement},
};

/// An entry of which somebody outside kept number and hash: written `NUMBER:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The entry's number.
    pub sequence: u64,
    /// Its line's hash.
    pub hash: Hash,
}

impl FromStr for Anchor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = "an anchor is written NUMBER:HASH, the hash as 64 hexadecimal digits";
        let (sequence, hash) = text.split_once(':').ok_or(error)?;
        Ok(Self { sequence: sequence.parse().map_err(|_| error)?, hash: crate::hex::decode(hash).ok_or(error)? })
    }
}

/// Where a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEnd {
    /// The segment.
    pub number: u64,
    /// The chain after its last line.
    pub head: Head,
    /// When its first entry was written.
    pub first_at: Timestamp,
    /// When its last entry was written.
    pub last_at: Timestamp,
}

/// What a whole log was found to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Segment files.
    pub segments: u64,
    /// Entries, of every kind.
    pub entries: u64,
    /// Decisions on agreements, routes and users.
    pub decided: u64,
    /// Questions of auditors.
    pub asked: u64,
    /// Calls admitted.
    pub admitted: u64,
    /// Calls closed.
    pub closed: u64,
    /// Calls admitted but not closed: in flight, or cut off by a crash.
    pub unclosed: u64,
    /// Checkpoints, each with a good signature.
    pub checkpoints: u64,
    /// Torn ends, kept aside after a crash.
    pub torn: u64,
    /// Entries after the last checkpoint: bound by hash, not yet by signature.
    pub unsigned: u64,
    /// The last entry's number.
    pub sequence: u64,
    /// The last line's hash, in hexadecimal.
    pub hash: String,
    /// Whether the gateway stopped in good order.
    pub stopped: bool,
    /// What was removed when its time was over, each statement with a good signature; the log is whole from there on.
    pub retired: Vec<Retirement>,
    /// Segment files that a statement names as removed and that are still there.
    pub leftover: u64,
    /// Anchors of entries that are retired: there is nothing left to hold them against.
    pub anchors_retired: u64,
    /// How far the logs of other nodes had come, as this one has it.
    pub anchored: Latest,
    /// Those of them that are logs of auditors' questions.
    pub of_questions: BTreeSet<Uuid>,
    /// Each segment's end.
    pub ends: Vec<SegmentEnd>,
}

/// Where a log is not whole, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Failure {
    pub file: PathBuf,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: u64,
    /// The number of the last entry that is proven to be in order.
    pub good_until: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum Fault {
    #[error("{0}")]
    Line(#[from] Broken),
    /// There is no log.
    #[error("there is no segment")]
    Empty,
    /// A segment is gone.
    #[error("segment {0} is missing, and no signed statement says that it was retired")]
    SegmentMissing(u64),
    /// The statements of what was retired are not signed by any key given.
    #[error("the statement that segments {0} to {1} were retired is not signed by any key given")]
    RetirementSignature(u64, u64),
    /// A statement of what left another place than this one.
    #[error("the statement that segments {0} to {1} were retired is of another place, and explains nothing here")]
    RetirementPlace(u64, u64),
    /// The first segment does not continue from what was retired.
    #[error("the segment does not continue from the last entry that retired.jsonl tells of")]
    RetirementEnd,
    /// The first line of a segment does not continue the segment before.
    #[error("the segment does not begin by naming itself and the segment before it")]
    SegmentBegin,
    /// A segment stands before another but does not end in a checkpoint.
    #[error("the segment does not end in a checkpoint, so its end was cut off")]
    SegmentEnd,
    /// A checkpoint names another entry than the one before it.
    #[error("the checkpoint does not tell of the line before it")]
    CheckpointContent,
    /// None of the keys given signed it.
    #[error("the checkpoint is not signed by any key given")]
    CheckpointSignature,
    /// No checkpoint at all: anybody could have written this log.
    #[error("there is no checkpoint, so nothing proves who wrote the log")]
    NoCheckpoint,
    /// `head.json` is gone.
    #[error("head.json is missing, so the log may have been cut short")]
    HeadMissing,
    /// `head.json` is not signed by any key given.
    #[error("head.json is not signed by any key given")]
    HeadSignature,
    /// The log ends before the checkpoint of `head.json`.
    #[error("the log ends before entry {0}, which head.json tells of: its end was cut off")]
    CutOff(u64),
    /// The log has another entry than `head.json` names.
    #[error("entry {0} is another than the one head.json tells of")]
    HeadDiffers(u64),
    /// The log ends before an anchor.
    #[error("the log ends before entry {0}, of which an anchor was kept: its end was cut off")]
    BeforeAnchor(u64),
    /// The log has another entry than the anchor.
    #[error("entry {0} is another than the one of which an anchor was kept: the log was made anew")]
    AnchorDiffers(u64),
    /// The file with a torn end is gone or altered.
    #[error("{0}, the torn end that was kept aside, is missing or altered")]
    TornFile(String),
    /// A file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        write!(f, ": {} (entries up to {} are in order)", self.fault, self.good_until)
    }
}

impl std::error::Error for Failure {}

/// Verifies the log of a directory against the gateway's checkpoint keys (several, where one replaced another) and
/// whatever anchors were kept. A log that is being written may be verified; an unfinished last line is then no fault.
///
/// # Errors
/// The first place, in the log's order, where it is not whole.
pub fn verify(dir: &Path, keys: &[CheckpointPublicKey], anchors: &[Anchor]) -> Result<Verified, Box<Failure>> {
    verify_at(&Folder::from(dir), keys, anchors)
}

/// The same of a log at any place. Where it is not written, every segment must have ended, and nothing shows how far it goes on
/// elsewhere.
///
/// # Errors
/// As [`verify`].
pub fn verify_at(place: &dyn Place, keys: &[CheckpointPublicKey], anchors: &[Anchor]) -> Result<Verified, Box<Failure>> {
    let mut walk = Walk {
        place,
        keys,
        anchors,
        expected: None,
        head: Head::GENESIS,
        found: Verified::default(),
        open: HashSet::new(),
        seen_head: false,
    };
    // Read before the segments: a log that is being written grows past it meanwhile, never falls behind it.
    walk.expected = place.head().map_err(|error| walk.failure("head.json", 0, Fault::Io(error.to_string())))?;
    let segments = place.segments().map_err(|error| walk.failure("", 0, Fault::Io(error.to_string())))?;
    let mut segments: Vec<_> = segments.into_iter().map(|(number, _)| number).collect();
    // Read after the names of the segments: one that went meanwhile was stated first.
    let retired = walk.retired()?;
    let leftover: Vec<_> = segments.extract_if(.., |number| *number <= retired).collect();
    let of_the_node =
        |statement: &&Retirement| statement.archive.is_none() && leftover.iter().any(|left| statement.covers(*left));
    // What left a node's disk before there was an archive was never in it.
    if !place.is_written_here()
        && let Some(statement) = walk.found.retired.iter().find(of_the_node)
    {
        return Err(walk.failure(retire::FILE, 0, Fault::RetirementPlace(statement.from, statement.to)));
    }
    walk.found.leftover = leftover.len() as u64;
    let last = segments.len();
    for (at, number) in segments.iter().enumerate() {
        let due = retired + at as u64 + 1;
        if *number != due {
            return Err(walk.failure("", 0, Fault::SegmentMissing(due)));
        }
        walk.segment(*number, place.is_written_here() && at + 1 == last)?;
    }
    walk.finish()
}

impl Head {
    fn contradicts(&self, anchor: &Anchor) -> bool {
        anchor.sequence == self.sequence && anchor.hash != self.hash
    }
}

struct Walk<'a> {
    place: &'a dyn Place,
    keys: &'a [CheckpointPublicKey],
    anchors: &'a [Anchor],
    expected: Option<Checkpoint>,
    head: Head,
    found: Verified,
    /// Calls admitted and not closed so far: as many as were ever in flight at once, or lost in crashes.
    open: HashSet<Uuid>,
    seen_head: bool,
}

impl Walk<'_> {
    fn failure(&self, name: &str, line: u64, fault: Fault) -> Box<Failure> {
        Box::new(Failure { file: self.place.file(name), line, good_until: self.head.sequence, fault })
    }

    /// Judges the statements, takes up the chain after the last, and gives the last segment that was retired.
    fn retired(&mut self) -> Result<u64, Box<Failure>> {
        let file = retire::FILE;
        let read = self.place.retired().map_err(|error| self.failure(file, 0, Fault::Io(error.to_string())))?;
        for (line, statement) in (1..).zip(&read) {
            if !statement.is_signed_by(self.keys) {
                return Err(self.failure(file, line, Fault::RetirementSignature(statement.from, statement.to)));
            }
            // A folder refuses every statement of what left the archive when it reads them.
            if statement.archive.is_some() && statement.archive != self.place.log().ok().flatten() {
                return Err(self.failure(file, line, Fault::RetirementPlace(statement.from, statement.to)));
            }
            self.head = statement.head().ok_or_else(|| self.failure(file, line, Fault::RetirementEnd))?;
            if let Some(anchor) = self.anchors.iter().find(|anchor| self.head.contradicts(anchor)) {
                return Err(self.failure(file, line, Fault::AnchorDiffers(anchor.sequence)));
            }
        }
        self.found.anchors_retired = self.anchors.iter().filter(|anchor| anchor.sequence < self.head.sequence).count() as u64;
        let last = read.last().map_or(0, |last| last.to);
        self.found.retired = read;
        Ok(last)
    }

    /// `open`: whether it may be one that has not ended.
    fn segment(&mut self, number: u64, open: bool) -> Result<(), Box<Failure>> {
        let name = log::segment_name(number);
        let cannot_read = |walk: &Self, error: io::Error| walk.failure(&name, 0, Fault::Io(error.to_string()));
        let mut lines = self.place.open(number).map(Lines::of).map_err(|error| cannot_read(self, error))?;
        let (mut ended, mut first_at, mut last_at) = (false, None, Timestamp::UNIX_EPOCH);
        loop {
            let line = match lines.read() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => return Err(cannot_read(self, error)),
            };
            if open && !line.ends_with(b"\n") && self.place.is_being_written() {
                break;
            }
            let (entry, head) = match chain::follow(&self.head, line) {
                Ok(followed) => followed,
                // A first line that does not follow from what was retired: the statement is of another log, or segments after
                // those that it names are gone.
                Err(Broken::Hash) if self.found.segments == 0 && lines.number == 1 && !self.found.retired.is_empty() => {
                    return Err(self.failure(&name, 1, Fault::RetirementEnd));
                }
                Err(broken) => return Err(self.failure(&name, lines.number, broken.into())),
            };
            let begins = matches!(&entry.event, Event::Segment { number: stated, previous }
                if *stated == number && *previous == crate::hex::encode(&self.head.hash));
            if begins != (lines.number == 1) {
                return Err(self.failure(&name, lines.number, Fault::SegmentBegin));
            }
            ended = matches!(&entry.event, Event::Checkpoint(checkpoint) if checkpoint.occasion == Occasion::SegmentEnd);
            if let Err(fault) = self.event(&entry.event, number, &head) {
                return Err(self.failure(&name, lines.number, fault));
            }
            self.head = head;
            last_at = entry.at;
            first_at.get_or_insert(entry.at);
        }
        if !open && !ended {
            return Err(self.failure(&name, lines.number.saturating_sub(1), Fault::SegmentEnd));
        }
        self.found.segments += 1;
        self.found.ends.extend(first_at.map(|first_at| SegmentEnd { number, head: self.head, first_at, last_at }));
        Ok(())
    }

    fn event(&mut self, event: &Event, segment: u64, head: &Head) -> Result<(), Fault> {
        let found = &mut self.found;
        found.entries += 1;
        found.unsigned += 1;
        found.stopped = false;
        match event {
            Event::Segment { .. } => {}
            Event::Admitted(record) => {
                found.admitted += 1;
                self.open.insert(record.call);
            }
            Event::Closed(record) => {
                found.closed += 1;
                self.open.remove(&record.call);
            }
            Event::Decided(_) => self.found.decided += 1,
            Event::Asked(_) => self.found.asked += 1,
            Event::Anchored(anchored) => {
                if anchored.questions {
                    self.found.of_questions.insert(anchored.log);
                }
                anchors::take(&mut self.found.anchored, (**anchored).clone());
            }
            Event::Checkpoint(checkpoint) => {
                if checkpoint.covers != self.head.sequence
                    || checkpoint.head != crate::hex::encode(&self.head.hash)
                    || checkpoint.segment != segment
                {
                    return Err(Fault::CheckpointContent);
                }
                if !checkpoint.is_signed_by(self.keys) {
                    return Err(Fault::CheckpointSignature);
                }
                found.checkpoints += 1;
                found.unsigned = 0;
                found.stopped = checkpoint.occasion == Occasion::Stopped;
                match &self.expected {
                    Some(expected) if expected == checkpoint => self.seen_head = true,
                    Some(expected) if expected.covers == checkpoint.covers => {
                        return Err(Fault::HeadDiffers(expected.covers));
                    }
                    _ => {}
                }
            }
            Event::Torn { sha256, kept_as, .. } => {
                found.torn += 1;
                if !self.place.keeps(kept_as, sha256) {
                    return Err(Fault::TornFile(kept_as.clone()));
                }
            }
        }
        match self.anchors.iter().find(|anchor| head.contradicts(anchor)) {
            Some(anchor) => Err(Fault::AnchorDiffers(anchor.sequence)),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Verified, Box<Failure>> {
        let here = self.place.is_written_here();
        // What was written was archived and is over; the statements show how far the chain had come.
        let all_retired = !here && self.found.segments == 0 && !self.found.retired.is_empty();
        let fault = if self.found.segments == 0 && !all_retired {
            Some(Fault::Empty)
        } else if let Some(anchor) = self.anchors.iter().find(|anchor| anchor.sequence > self.head.sequence) {
            Some(Fault::BeforeAnchor(anchor.sequence))
        } else if self.found.checkpoints == 0 && !all_retired {
            Some(Fault::NoCheckpoint)
        } else if !here {
            None
        } else {
            match &self.expected {
                None => Some(Fault::HeadMissing),
                Some(head) if !head.is_signed_by(self.keys) => Some(Fault::HeadSignature),
                Some(head) if !self.seen_head && head.covers >= self.head.sequence => Some(Fault::CutOff(head.covers + 1)),
                Some(head) if !self.seen_head => Some(Fault::HeadDiffers(head.covers)),
                Some(_) => None,
            }
        };
        if let Some(fault) = fault {
            return Err(self.failure(if here { "head.json" } else { "" }, 0, fault));
        }
        self.found.unclosed = self.open.len() as u64;
        self.found.sequence = self.head.sequence;
        self.found.hash = crate::hex::encode(&self.head.hash);
        Ok(self.found)
    }
}
