//! A store that was put back from a copy: whom the audit's logs say to be erased is erased again, before anybody is imported.
//!
//! An erasure stands in the log of whichever node wrote it down, so every log must have been read that the copy knows of (by the
//! anchors that it keeps), and every log that one of these names (a node keeps another's in its own). A node reads its own when it
//! starts; the log of a node that does not start any more is read from its folder by `hjemmel persons replay`, or is given up by
//! somebody's decision. Segments that left a folder are read in the archive.
//!
//! A log counts as read only where it is whole: each line follows from the one before, and it goes as far as its head, the store and
//! other nodes' logs say that it had come. A line that cannot be read could be the erasure. Signatures are not looked at, which is
//! `hjemmel audit verify`'s: whoever can write a log's folder can roll it back, with its head, as far as the last entry that is known of
//! elsewhere. An anchor of whoever has the log read shows that ([`Logs::anchors`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::{ERASED, EraseError, erased, number, outbox};
use crate::agreements::Store;
use crate::archive::Archive;
use crate::archive::place::Archived;
use crate::audit::chain::{self, Broken, Checkpoint, Entry, Event, Head};
use crate::audit::log::Lines;
use crate::audit::place::{Folder, Place};
use crate::audit::verify::Anchor;
use crate::audit::{Subject, anchors};
use crate::clock::Clock;
use crate::decisions::record::What;
use crate::decisions::{Because, By, DecideError};
use crate::objects::settings::Place as At;
use crate::persons::campus::queue::operator;
use crate::store::{Database, Row, Session, StoreError, sql, until_it_holds};

/// Where logs are read.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// The folder of a log.
    pub folder: PathBuf,
    /// The archive, where there is one.
    pub archive: Option<At>,
    /// Entries that the log must have, kept elsewhere by whoever has it read. One in a part that is not read is not looked at.
    pub anchors: Vec<Anchor>,
}

/// Why a log was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The store does not answer, or persons in it cannot be erased.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// The log, or a part of it.
    #[error("what was erased cannot be read from the audit at {at}: {error}")]
    Log {
        /// Where.
        at: String,
        /// Why.
        error: io::Error,
    },
    /// The store was not put back.
    #[error("the store was not put back from a copy: there is nothing to erase again")]
    NotPutBack,
    /// The folder holds none.
    #[error("{0} holds no audit log: there is no file log-id in it")]
    NoLog(String),
}

impl From<StoreError> for ReplayError {
    fn from(error: StoreError) -> Self {
        Self::Erase(error.into())
    }
}

impl From<DecideError> for ReplayError {
    fn from(error: DecideError) -> Self {
        Self::Erase(error.into())
    }
}

async fn put_back(session: &mut Session) -> Result<Option<Timestamp>, StoreError> {
    let row = session.first(sql("SELECT max(at) AS restored FROM store_restored")).await?;
    row.map(|row| row.maybe("restored")).transpose().map(Option::flatten)
}

/// The logs up to a putting back.
async fn replayed(session: &mut Session) -> Result<BTreeMap<Uuid, Timestamp>, StoreError> {
    let rows = session.all(sql("SELECT node, restored FROM person_replayed")).await?;
    rows.iter().map(|row: &Row| Ok((row.get("node")?, row.get("restored")?))).collect()
}

/// The logs that are still to be read before anybody is imported; none where the store was not put back. `node`: the own log's name,
/// nil where there is none.
///
/// # Errors
/// The store does not answer.
pub async fn missing(session: &mut Session, node: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let Some(restored) = put_back(session).await? else { return Ok(Vec::new()) };
    let replayed = replayed(session).await?;
    let mut logs: BTreeSet<Uuid> = replayed.keys().copied().collect();
    for row in session.all(sql("SELECT DISTINCT log FROM audit_anchor")).await? {
        logs.insert(row.get("log")?);
    }
    // Of a store that never served nobody knows a log: then the nil one is waited for.
    if !node.is_nil() || logs.is_empty() {
        logs.insert(node);
    }
    logs.retain(|log| replayed.get(log).is_none_or(|until| *until < restored));
    Ok(logs.into_iter().collect())
}

/// What a log says.
#[derive(Default)]
struct Told {
    erased: BTreeSet<i64>,
    /// Other nodes' logs, and the last checkpoint of each that this one keeps.
    logs: BTreeMap<Uuid, Checkpoint>,
    /// The number of the entry up to which it was read.
    read_to: u64,
}

/// What is wrong with a log, in the kind of error that says whether it may be whole elsewhere.
fn broken(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

fn too_short(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, why.into())
}

/// Reads a log and believes nothing that does not follow from the line before: an entry that cannot be read may be an erasure.
struct Reading<'a> {
    told: Told,
    /// The segment that was read last, and the chain after it.
    after: Option<(u64, Head)>,
    /// Entries that somebody else knows of.
    anchors: &'a [Anchor],
}

impl Reading<'_> {
    /// `is_open`: the log may be written to, so that its last line may have no end yet, or was cut off by a crash and never held.
    fn segment(&mut self, number: u64, bytes: Box<dyn io::Read + Send>, is_open: bool) -> io::Result<()> {
        let (mut lines, mut nth, mut is_cut) = (Lines::of(bytes), 0_u64, false);
        let mut head = match self.after {
            Some((before, head)) if before.checked_add(1) == Some(number) => Some(head),
            _ if number == 1 => Some(Head::GENESIS),
            _ => None,
        };
        while let Some(line) = lines.read()? {
            nth += 1;
            let at = |why: Broken| broken(format!("segment {number}, line {nth}: {why}"));
            if is_cut {
                return Err(at(Broken::Form));
            }
            if is_open && !line.ends_with(b"\n") {
                is_cut = true;
                continue;
            }
            // What came before was not read: the segment itself tells where it goes on from.
            let before = match head {
                Some(head) => head,
                None => begun(line).ok_or_else(|| at(Broken::Form))?,
            };
            let (entry, followed) = chain::follow(&before, line).map_err(at)?;
            let begins = matches!(&entry.event, Event::Segment { number: stated, previous }
                if *stated == number && *previous == crate::hex::encode(&before.hash));
            if begins != (nth == 1) {
                return Err(broken(format!("segment {number} does not begin by naming itself and the segment before it")));
            }
            if self.anchors.iter().any(|anchor| anchor.sequence == followed.sequence && anchor.hash != followed.hash) {
                return Err(broken(format!("entry {} is another than the one that is known of elsewhere", followed.sequence)));
            }
            self.event(entry.event);
            head = Some(followed);
        }
        self.after = head.map(|head| (number, head));
        self.told.read_to = head.map_or(self.told.read_to, |head| head.sequence);
        Ok(())
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Decided(decided) if decided.subject == Subject::Person && decided.to == ERASED => {
                self.told.erased.extend(number(decided.id));
            }
            Event::Anchored(anchored) if !anchored.questions => {
                let known = self.told.logs.get(&anchored.log);
                if known.is_none_or(|known| known.covers < anchored.checkpoint.covers) {
                    self.told.logs.insert(anchored.log, anchored.checkpoint);
                }
            }
            _ => {}
        }
    }
}

/// Where a segment goes on from, by its first line.
fn begun(line: &[u8]) -> Option<Head> {
    let (_, entry) = chain::split(line)?;
    let entry: Entry = serde_json::from_slice(entry).ok()?;
    let Event::Segment { previous, .. } = entry.event else { return None };
    Some(Head { sequence: entry.seq.checked_sub(1)?, hash: crate::hex::decode(&previous)? })
}

fn anchor(covers: u64, head: &str) -> Option<Anchor> {
    crate::hex::decode(head).map(|hash| Anchor { sequence: covers, hash })
}

impl Told {
    /// Reads a log from a segment on: in its folder, and in the archive what left it. `known`: the segment that the store's copy knows
    /// of; `anchors`: entries that the log must have. Without a folder the log is given up, and may end anywhere.
    fn of(folder: Option<&Path>, archived: Option<&Archived>, known: Option<u64>, mut anchors: Vec<Anchor>) -> io::Result<Self> {
        let from = known.unwrap_or(1);
        let (mut there, mut due, mut last) = (BTreeSet::new(), BTreeSet::new(), 0);
        if let Some(folder) = folder {
            let place = Folder(folder.to_owned());
            // Before the segments: a log that is being written grows past it meanwhile, never falls behind it.
            let head = place.head()?.ok_or_else(|| too_short("its head.json is missing, so that it may have been cut short"))?;
            anchors.extend(anchor(head.covers, &head.head));
            // The segments before the statements: one that goes meanwhile was stated first.
            there.extend(place.segments()?.into_iter().map(|(number, _)| number));
            let retired = place.retired()?.last().map_or(0, |last| last.to);
            last = there.last().copied().unwrap_or_default().max(retired);
            if last < from {
                return Err(too_short(format!("it ends before segment {from}, which must be in it")));
            }
            due.extend(from..=last);
        }
        let shelf: BTreeSet<u64> = match archived {
            Some(archived) => archived.segments()?.into_iter().map(|(number, _)| number).collect(),
            None => BTreeSet::new(),
        };
        due.extend(shelf.iter().copied().filter(|number| *number >= from));
        let mut reading = Reading { told: Self::default(), after: None, anchors: &anchors };
        for segment in due {
            let (bytes, is_open) = match (folder, archived) {
                (Some(folder), _) if there.contains(&segment) => (Folder(folder.to_owned()).open(segment)?, segment == last),
                (_, Some(archived)) if shelf.contains(&segment) => (archived.open(segment)?, false),
                _ => {
                    let why = format!("segment {segment} is not there any more, and in no archive that the configuration names");
                    return Err(io::Error::new(io::ErrorKind::NotFound, why));
                }
            };
            reading.segment(segment, bytes, is_open)?;
        }
        let told = reading.told;
        match anchors.iter().map(|anchor| anchor.sequence).find(|sequence| *sequence > told.read_to) {
            Some(lost) if folder.is_some() => {
                Err(too_short(format!("it ends before entry {lost}, which its head or another log or the store knows of")))
            }
            _ => Ok(told),
        }
    }
}

/// The last segment of a log that the copy knows of, from which on it may hold what the copy does not know: what was written down before
/// an anchor was kept stood in the store before that.
async fn last_known(session: &mut Session, log: Uuid, restored: Timestamp) -> Result<Option<u64>, StoreError> {
    let last = sql("SELECT max(segment) AS last FROM audit_anchor WHERE log = $1 AND anchored_at <= $2");
    let row = session.first(last.bind(log).bind(restored)).await?;
    let last: Option<i64> = row.map(|row| row.maybe("last")).transpose()?.flatten();
    Ok(last.and_then(|last| u64::try_from(last).ok()).map(|last| last.max(1)))
}

/// What the log must have: how far it had come by the store, from a segment on, and by other nodes' logs.
async fn anchors_of(session: &mut Session, log: Uuid, from: Option<u64>) -> Result<Vec<Anchor>, StoreError> {
    let from = i64::try_from(from.unwrap_or(1)).unwrap_or(i64::MAX);
    let kept = sql("SELECT signed_checkpoint FROM audit_anchor WHERE log = $1 AND segment >= $2 ORDER BY segment");
    let mut anchors = Vec::new();
    for row in session.all(kept.bind(log).bind(from)).await? {
        let checkpoint: Option<Checkpoint> = serde_json::from_str(&row.get::<String>("signed_checkpoint")?).ok();
        let anchor = checkpoint.and_then(|checkpoint| anchor(checkpoint.covers, &checkpoint.head));
        anchors.push(anchor.ok_or(StoreError::Unreadable { column: "signed_checkpoint" })?);
    }
    let told = sql("SELECT told_to, told_head FROM person_replayed WHERE node = $1 AND told_to IS NOT NULL");
    if let Some(row) = session.first(told.bind(log)).await? {
        let to = u64::try_from(row.get::<i64>("told_to")?).unwrap_or_default();
        anchors.push(anchor(to, &row.get::<String>("told_head")?).ok_or(StoreError::Unreadable { column: "told_head" })?);
    }
    Ok(anchors)
}

/// A log that was read, of which nothing was done yet.
struct Read {
    log: Uuid,
    told: Told,
    /// The putting back for which it was read.
    restored: Timestamp,
    /// Whether nobody has it any more, so that it was read as far as the archive has it.
    is_given_up: bool,
}

/// Reads a log.
async fn read(
    database: &Database,
    log: Uuid,
    (folder, kept): (Option<&Path>, &[Anchor]),
    archive: Option<&At>,
) -> Result<Read, ReplayError> {
    let mut session = database.session().await?;
    let restored = put_back(&mut session).await?.ok_or(ReplayError::NotPutBack)?;
    let known = last_known(&mut session, log, restored).await?;
    let mut anchors = anchors_of(&mut session, log, known).await?;
    anchors.extend_from_slice(kept);
    drop(session);
    let place = folder.map_or_else(|| format!("the archive's {log}"), |folder| folder.display().to_string());
    let unread = |error| ReplayError::Log { at: place.clone(), error };
    let archived = match archive {
        Some(archive) => {
            let opened = archive.clone();
            let opened = tokio::task::spawn_blocking(move || Archive::open(&opened)).await.map_err(io::Error::other);
            let opened = opened.map_err(unread)?.map_err(|error| unread(io::Error::other(error)))?;
            Some(opened.log(log).await.map_err(|error| unread(io::Error::other(error)))?)
        }
        None => None,
    };
    let (is_given_up, folder) = (folder.is_none(), folder.map(Path::to_owned));
    let read = tokio::task::spawn_blocking(move || Told::of(folder.as_deref(), archived.as_ref(), known, anchors)).await;
    let told = read.map_err(io::Error::other).flatten().map_err(unread)?;
    Ok(Read { log, told, restored, is_given_up })
}

/// Erases whom a log names, and tells Campus of each of them: one who was imported and erased since the copy is not in it, and may be
/// in Campus all the same. How many of them were there again.
async fn erase_again(database: &Database, read: Read, clock: &Clock) -> Result<u64, ReplayError> {
    let Read { log, told, restored, is_given_up } = read;
    let (mut count, numbers) = (0, told.erased.into_iter().collect::<Vec<_>>());
    for some in numbers.chunks(500) {
        count += until_it_holds(async || {
            let mut transaction = database.begin_beside_others().await?;
            // Not the instant of the beginning: what came meanwhile came before the erasure.
            let at = clock.now();
            let gone = erased(&mut transaction, &some.iter().copied().collect(), at).await?;
            for number in some.iter().filter(|number| !gone.contains(number)) {
                outbox::erase(&mut transaction, *number, at).await?;
            }
            // It is not known any more in whose answers they stand, nor of which institution's files they may come once more.
            transaction.execute(sql("UPDATE person_key SET answer = ''")).await?;
            let noted = sql("UPDATE person_institution SET erased_us = $1 WHERE erased_us IS NULL OR erased_us < $1");
            transaction.execute(noted.bind(at.as_microsecond())).await?;
            transaction.commit().await.map(|()| gone.len() as u64)
        })
        .await?;
    }
    let sequence = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let read_to = if is_given_up { i64::MAX } else { sequence(told.read_to) };
    until_it_holds(async || {
        let mut transaction = database.begin_beside_others().await?;
        // What was anchored after the store was put back names nothing that the store lacks.
        for (other, checkpoint) in told.logs.iter().filter(|(_, checkpoint)| checkpoint.at <= restored) {
            // One that was read, but not as far as it is known here to have come, is waited for again.
            let waited_for = sql("INSERT INTO person_replayed (node, restored, told_to, told_head) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (node) DO UPDATE SET told_to = excluded.told_to, told_head = excluded.told_head,
                     restored = CASE WHEN coalesce(person_replayed.read_to, 0) < excluded.told_to THEN excluded.restored
                         ELSE person_replayed.restored END
                 WHERE coalesce(person_replayed.told_to, 0) < excluded.told_to");
            let waited_for = waited_for.bind(*other).bind(Timestamp::UNIX_EPOCH).bind(sequence(checkpoint.covers));
            transaction.execute(waited_for.bind(checkpoint.head.clone())).await?;
        }
        let done = sql("INSERT INTO person_replayed (node, restored, read_to) VALUES ($1, $2, $3)
             ON CONFLICT (node) DO UPDATE SET restored = excluded.restored, read_to = excluded.read_to");
        transaction.execute(done.bind(log).bind(restored).bind(read_to)).await?;
        transaction.commit().await
    })
    .await?;
    Ok(count)
}

/// In a store that was put back: erases again whom the node's own log says to be erased, once. How many of them were there again.
///
/// # Errors
/// [`ReplayError`]; it is to be tried again.
pub async fn own(database: &Database, node: Uuid, logs: &Logs, clock: &Clock) -> Result<u64, ReplayError> {
    let mut session = database.session().await?;
    let Some(restored) = put_back(&mut session).await? else { return Ok(0) };
    let is_done = replayed(&mut session).await?.get(&node).is_some_and(|until| *until >= restored);
    drop(session);
    if is_done {
        return Ok(0);
    }
    let read = read(database, node, (Some(&logs.folder), &logs.anchors), logs.archive.as_ref()).await?;
    erase_again(database, read, clock).await
}

/// The same of another node's log, by the decision of whoever has its folder. The log's name, how many were there again, and which logs
/// are still to be read.
///
/// # Errors
/// [`ReplayError`]; nothing is noted then.
pub async fn of_folder(
    store: &Store,
    by: Option<By<'_>>,
    logs: &Logs,
    because: &Because,
    clock: &Clock,
) -> Result<(Uuid, u64, Vec<Uuid>), ReplayError> {
    let folder = logs.folder.clone();
    let named = tokio::task::spawn_blocking(move || anchors::name_of(&folder)).await.map_err(io::Error::other).flatten();
    let place = logs.folder.display().to_string();
    let log = named.map_err(|error| ReplayError::Log { at: place.clone(), error })?.ok_or(ReplayError::NoLog(place))?;
    let read = read(store.database(), log, (Some(&logs.folder), &logs.anchors), logs.archive.as_ref()).await?;
    // Who says so is proven and stands there before anybody is erased.
    noted(store, by, log, "ERASURES_REPLAYED", because).await?;
    let again = erase_again(store.database(), read, clock).await?;
    Ok((log, again, missing(&mut store.database().session().await?, log).await?))
}

/// Goes on without a log that is lost: what the archive has of it is read, and what it alone told since is not known. As
/// [`of_folder`].
///
/// # Errors
/// [`ReplayError`]; nothing is noted then.
pub async fn without(
    store: &Store,
    by: Option<By<'_>>,
    log: Uuid,
    archive: Option<&At>,
    because: &Because,
    clock: &Clock,
) -> Result<(u64, Vec<Uuid>), ReplayError> {
    let database = store.database();
    let read = read(database, log, (None, &[]), archive).await?;
    // Who says so stands there before it holds.
    noted(store, by, log, "LOG_GIVEN_UP", because).await?;
    let again = erase_again(database, read, clock).await?;
    Ok((again, missing(&mut database.session().await?, log).await?))
}

async fn noted(store: &Store, by: Option<By<'_>>, log: Uuid, to: &str, because: &Because) -> Result<(), ReplayError> {
    until_it_holds(async || noted_once(store, by, log, to, because).await).await
}

async fn noted_once(store: &Store, by: Option<By<'_>>, log: Uuid, to: &str, because: &Because) -> Result<(), ReplayError> {
    let what = What { subject: Subject::Store, id: log, from: None, to: to.to_owned(), shown: None };
    let proven = operator(store, by, &what, because).await?;
    let mut change = store.change().await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    Ok(change.commit().await?)
}
