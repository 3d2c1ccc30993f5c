//! How segments leave the log when their time is over, and what stays in their place.
//!
//! `retired.jsonl` holds one signed statement a line: which segments were removed, up to which entry and hash, by whom, when
//! and why. The first segment that is left continues from there, so `verify` can tell a log that was shortened by a decision
//! from one that somebody cut: without the checkpoint key nobody can make a statement, and a statement fits one log only.
//!
//! The statement is on disk before the first file goes. A crash in between leaves files that are stated as retired; the next
//! run removes them.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    chain::{self, CheckpointKey, CheckpointPublicKey, Event, Hash, Head},
    log::{self, Lines},
    place::Place,
    verify::{Failure, Verified, verify_at},
};

/// The file of the statements.
pub(super) const FILE: &str = "retired.jsonl";
/// Nobody's reason is longer, in characters.
const LONGEST: usize = 200;

/// A signed statement: these segments were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// The first segment removed: 1, or the one after the last that the statement before names.
    pub from: u64,
    /// The last segment removed.
    pub to: u64,
    /// The number of the last entry removed.
    pub sequence: u64,
    /// Its line's hash, in hexadecimal; the segment that follows begins by naming it.
    pub hash: String,
    /// When the first entry was written.
    pub first_at: Timestamp,
    /// When the last entry was written.
    pub last_at: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
    /// Who decided: `user ID`, whose decision stands in the store and in a node's chain. Before that was so: a name.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The log, where its segments left the archive; none where they left the node's own folder. A statement of the one explains
    /// nothing in the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Uuid>,
    /// Which key signed, as in a checkpoint.
    pub key: String,
    /// The Ed25519 signature, base64.
    pub signature: String,
}

impl Retirement {
    /// The bytes that are signed: every field but key and signature, one a line, after a line that names their use.
    fn message(&self) -> Vec<u8> {
        let Self { from, to, sequence, hash, first_at, last_at, at, by, reason, archive, .. } = self;
        let of = match archive {
            Some(log) => format!("hjemmel audit archive retirement v1\n{log}"),
            None => "hjemmel audit retirement v1".to_owned(),
        };
        format!("{of}\n{from}\n{to}\n{sequence}\n{hash}\n{first_at}\n{last_at}\n{at}\n{by}\n{reason}\n").into_bytes()
    }

    /// SHA-256 of what is signed, in hexadecimal: by this a decision says which statement it is of.
    pub fn digest(&self) -> String {
        crate::hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.message()).as_ref())
    }

    /// Whether it names this segment.
    pub fn covers(&self, segment: u64) -> bool {
        (self.from..=self.to).contains(&segment)
    }

    /// Whether one of `keys` signed it.
    pub fn is_signed_by(&self, keys: &[CheckpointPublicKey]) -> bool {
        // A line break in a text would make one message of two statements.
        is_somebody(&self.by)
            && is_plain(&self.reason)
            && BASE64_STANDARD
                .decode(&self.signature)
                .is_ok_and(|signature| chain::is_signed(&self.message(), &signature, &self.key, keys))
    }

    /// Where the chain stood after the last entry removed; none where the hash is no hash.
    pub fn head(&self) -> Option<Head> {
        let hash: Hash = crate::hex::decode(&self.hash)?;
        Some(Head { sequence: self.sequence, hash })
    }
}

/// The statements of a log, oldest first; empty where nothing was ever retired. Signatures are not judged here.
///
/// # Errors
/// When the file cannot be read, or is not as [`retire`] writes it.
pub fn read(dir: &Path) -> io::Result<Vec<Retirement>> {
    let bytes = match std::fs::read(dir.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let statements = parse(&bytes)?;
    match statements.iter().any(|statement| statement.archive.is_some()) {
        true => Err(io::Error::other(format!("{FILE} has a statement of what left the archive, which explains nothing here"))),
        false => Ok(statements),
    }
}

/// The statements in these bytes, one a line, each continuing the one before.
///
/// # Errors
/// They are not as [`retire`] writes them.
pub fn parse(bytes: &[u8]) -> io::Result<Vec<Retirement>> {
    let mut statements: Vec<Retirement> = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let statement: Retirement = serde_json::from_slice(line)?;
        let (next, after) = statements.last().map_or((1, 0), |last| (last.to.saturating_add(1), last.sequence));
        let continues = statement.from == next && statement.to >= statement.from && statement.sequence > after;
        // Byte for byte as it is written: other bytes of the same meaning were put there by somebody else.
        if !continues || line_of(&statement)? != line {
            return Err(io::Error::other(format!("{FILE} is not as it was written")));
        }
        statements.push(statement);
    }
    Ok(statements)
}

/// A statement as it is written, its line end included.
///
/// # Errors
/// It cannot be written.
pub fn line_of(statement: &Retirement) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(statement)?;
    line.push(b'\n');
    Ok(line)
}

/// What is to be retired, by whose decision.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Segments whose last entry is older than this.
    pub before: Timestamp,
    /// Nothing younger than this may go, whatever `before` says: the end of the time for which records must be kept.
    pub kept_from: Timestamp,
    /// Who decides: `user ID`, the user of the store whose decision it is.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Why nothing was retired.
#[derive(Debug, thiserror::Error)]
pub enum RetireError {
    /// The log has to be whole first: a statement must not cover up what somebody did.
    #[error("THE LOG IS NOT WHOLE, so nothing is removed from it: {0}")]
    NotWhole(#[from] Box<Failure>),
    /// Within the retention period.
    #[error("[audit] retention_days keeps everything from {0} on; give an earlier --before")]
    Kept(Timestamp),
    /// No segment ends before the date.
    #[error("no whole segment, ended and signed, is older than that; where the log is written, its last segment always stays")]
    Nothing,
    /// A text that cannot stand in a statement.
    #[error("--reason is one line of 1 to {LONGEST} characters, and never holds a person's number")]
    Text,
    /// Another run is under way.
    #[error("another `hjemmel audit retire` is under way")]
    Locked,
    /// Reading, writing, removing.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What a decision would remove.
#[derive(Debug)]
pub struct Plan {
    /// The statement, ready to be written; none where only files are left that an earlier one names.
    pub statement: Option<Retirement>,
    /// How many segment files go.
    pub files: u64,
    /// The last segment that goes, or is gone.
    pub last: u64,
}

/// Proves the log whole, and finds the segments that the decision lets go: from the first on, each ended and signed, each
/// wholly older. Where the log is written, its last one always stays. `keys` are those of every part of the log; `key` signs.
///
/// # Errors
/// [`RetireError`].
pub fn plan(
    place: &dyn Place,
    key: &CheckpointKey,
    keys: &[CheckpointPublicKey],
    decision: &Decision,
    now: Timestamp,
) -> Result<Plan, RetireError> {
    if decision.before > decision.kept_from {
        return Err(RetireError::Kept(decision.kept_from));
    }
    if !is_somebody(&decision.by) || !is_plain(&decision.reason) {
        return Err(RetireError::Text);
    }
    let Verified { ends, leftover, retired, .. } = verify_at(place, keys, &[])?;
    let ended = match place.is_written_here() {
        true => ends.split_last().map_or(&[][..], |(_, ended)| ended),
        false => &ends,
    };
    let going = ended.iter().take_while(|end| end.last_at < decision.before);
    let (files, last) = (going.clone().count() as u64 + leftover, going.last());
    let statement = match (last, ended.first()) {
        (Some(last), Some(first)) => {
            let mut statement = Retirement {
                from: first.number,
                to: last.number,
                sequence: last.head.sequence,
                hash: crate::hex::encode(&last.head.hash),
                first_at: first.first_at,
                last_at: last.last_at,
                at: now,
                by: decision.by.clone(),
                reason: decision.reason.clone(),
                archive: if place.is_written_here() { None } else { place.log()? },
                key: key.public().id(),
                signature: String::new(),
            };
            statement.signature = BASE64_STANDARD.encode(key.sign_bytes(&statement.message()));
            Some(statement)
        }
        _ if leftover > 0 => None,
        _ => return Err(RetireError::Nothing),
    };
    let last = statement.as_ref().or(retired.last()).map_or(0, |statement| statement.to);
    Ok(Plan { statement, files, last })
}

/// Writes the statement, and then removes what it names.
///
/// # Errors
/// [`RetireError::Locked`], [`RetireError::Io`].
pub fn retire(dir: &Path, plan: &Plan) -> Result<(), RetireError> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(dir.join(FILE))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(RetireError::Locked),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    if let Some(statement) = &plan.statement {
        // Between plan and lock another run may have retired the same: two statements of one segment fit no log.
        if read(dir)?.last().map_or(1, |last| last.to.saturating_add(1)) != statement.from {
            return Err(RetireError::Locked);
        }
        file.write_all(&line_of(statement)?)?;
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
    }
    for (number, path) in log::segments(dir)? {
        if number <= plan.last {
            // Its torn ends first: they are named in it alone.
            for name in torn_ends(&path)? {
                match std::fs::remove_file(dir.join(name)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
            std::fs::remove_file(path)?;
        }
    }
    Ok(File::open(dir)?.sync_all()?)
}

/// The files with torn ends that a segment names.
///
/// # Errors
/// The segment cannot be read.
pub fn torn_ends(path: &Path) -> io::Result<Vec<String>> {
    let (mut lines, mut names) = (Lines::open(path)?, Vec::new());
    while let Some(line) = lines.read()? {
        let entry = chain::split(line).and_then(|(_, entry)| serde_json::from_slice::<chain::Entry>(entry).ok());
        if let Some(Event::Torn { kept_as, .. }) = entry.map(|entry| entry.event)
            && log::is_torn_name(&kept_as)
        {
            names.push(kept_as);
        }
    }
    Ok(names)
}

/// A user of the store by id, which may hold any number of digits in a row; or, as it was before, a name.
fn is_somebody(text: &str) -> bool {
    let id = |text: &str| text.strip_prefix("user ")?.parse::<Uuid>().ok();
    id(text).is_some_and(|id| text == format!("user {id}")) || is_plain(text)
}

/// One line of a length that people write, without ten digits in a row (a hyphen or blank among them or not), which could be
/// a person's number.
pub(super) fn is_plain(text: &str) -> bool {
    let mut run = 0;
    let number = text.chars().any(|character| {
        run = match character {
            '-' | ' ' => run,
            digit if digit.is_ascii_digit() => run + 1,
            _ => 0,
        };
        run >= 10
    });
    !number && !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
}

/// The first segment that should be there and is not; none where all are. Cheap: it reads names only.
///
/// # Errors
/// When the folder or the statements cannot be read.
pub fn missing(dir: &Path) -> io::Result<Option<u64>> {
    // The names before the statements: segments that go meanwhile were stated first.
    let segments = log::segments(dir)?;
    let retired = read(dir)?.last().map_or(0, |last| last.to);
    let mut due = retired.saturating_add(1);
    for (number, _) in segments {
        if number > due {
            return Ok(Some(due));
        }
        due = due.max(number.saturating_add(1));
    }
    Ok(None)
}
