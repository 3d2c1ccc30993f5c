//! A store that was put back from a copy: whom the audit's logs say to be erased is erased again, before anybody is imported.
//!
//! An erasure stands in the log of whichever node wrote it down, so every log must have been read that the copy knows of (by the
//! anchors that it keeps), and every log that one of these tells of (a node keeps another's in its own). A node reads its own when it
//! starts; the log of a node that does not start any more is read from its folder by `hjemmel persons replay`, or is given up by
//! somebody's decision. Segments that left a folder are read in the archive.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::{ERASED, EraseError, erased, number};
use crate::agreements::Store;
use crate::archive::Archive;
use crate::archive::place::Archived;
use crate::audit::chain::{self, Entry, Event};
use crate::audit::log::Lines;
use crate::audit::place::{Folder, Place};
use crate::audit::{Subject, anchors};
use crate::decisions::record::What;
use crate::decisions::{Because, By, DecideError};
use crate::objects::settings::Place as At;
use crate::persons::campus::queue::operator;
use crate::store::{Database, Row, Session, StoreError, sql};

/// Where logs are read.
#[derive(Debug, Clone)]
pub struct Logs {
    /// The folder of a log.
    pub folder: PathBuf,
    /// The archive, where there is one.
    pub archive: Option<At>,
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

/// What a log tells.
#[derive(Default)]
struct Told {
    erased: BTreeSet<i64>,
    /// Other nodes' logs.
    logs: BTreeSet<Uuid>,
}

impl Told {
    fn read(&mut self, bytes: Box<dyn io::Read + Send>) -> io::Result<()> {
        let mut lines = Lines::of(bytes);
        while let Some(line) = lines.read()? {
            let entry = chain::split(line).and_then(|(_, entry)| serde_json::from_slice::<Entry>(entry).ok());
            match entry.map(|entry| entry.event) {
                Some(Event::Decided(decided)) if decided.subject == Subject::Person && decided.to == ERASED => {
                    self.erased.extend(number(decided.id));
                }
                Some(Event::Anchored(anchored)) if !anchored.questions => drop(self.logs.insert(anchored.log)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a log from a segment on: in its folder, and in the archive what left it.
    fn of(folder: Option<&Path>, archived: Option<&Archived>, known: Option<u64>) -> io::Result<Self> {
        let (mut told, from) = (Self::default(), known.unwrap_or(1));
        let (mut there, mut due) = (BTreeSet::new(), BTreeSet::new());
        if let Some(folder) = folder {
            let place = Folder(folder.to_owned());
            // The segments before the statements: one that goes meanwhile was stated first.
            there.extend(place.segments()?.into_iter().map(|(number, _)| number));
            let retired = place.retired()?.last().map_or(0, |last| last.to);
            let last = there.last().copied().unwrap_or_default().max(retired);
            if known.is_some_and(|known| last < known) {
                let why = format!("it ends before segment {from}, which the store's copy knows of");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            due.extend(from..=last);
        }
        let shelf: BTreeSet<u64> = match archived {
            Some(archived) => archived.segments()?.into_iter().map(|(number, _)| number).collect(),
            None => BTreeSet::new(),
        };
        due.extend(shelf.iter().copied().filter(|number| *number >= from));
        for segment in due {
            let bytes = match (folder, archived) {
                (Some(folder), _) if there.contains(&segment) => Folder(folder.to_owned()).open(segment)?,
                (_, Some(archived)) if shelf.contains(&segment) => archived.open(segment)?,
                _ => {
                    let why = format!("segment {segment} is not there any more, and in no archive that the configuration names");
                    return Err(io::Error::new(io::ErrorKind::NotFound, why));
                }
            };
            told.read(bytes)?;
        }
        Ok(told)
    }
}

/// The last segment of a log that the copy knows of, from which on it may tell what the copy does not know: what was written down before
/// an anchor was kept stood in the store before that.
async fn last_known(session: &mut Session, log: Uuid, restored: Timestamp) -> Result<Option<u64>, StoreError> {
    let last = sql("SELECT max(segment) AS last FROM audit_anchor WHERE log = $1 AND anchored_at <= $2");
    let row = session.first(last.bind(log).bind(restored)).await?;
    let last: Option<i64> = row.map(|row| row.maybe("last")).transpose()?.flatten();
    Ok(last.and_then(|last| u64::try_from(last).ok()).map(|last| last.max(1)))
}

/// Reads a log and erases whom it names; how many of them were there again.
async fn replay(
    database: &Database,
    log: Uuid,
    folder: Option<&Path>,
    archive: Option<&At>,
    at: Timestamp,
) -> Result<u64, ReplayError> {
    let mut session = database.session().await?;
    let restored = put_back(&mut session).await?.ok_or(ReplayError::NotPutBack)?;
    let known = last_known(&mut session, log, restored).await?;
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
    let folder = folder.map(Path::to_owned);
    let read = tokio::task::spawn_blocking(move || Told::of(folder.as_deref(), archived.as_ref(), known)).await;
    let told = read.map_err(io::Error::other).flatten().map_err(unread)?;
    let (mut count, numbers) = (0, told.erased.into_iter().collect::<Vec<_>>());
    for some in numbers.chunks(500) {
        let mut transaction = database.begin_beside_others().await?;
        count += erased(&mut transaction, &some.iter().copied().collect(), at).await?.len() as u64;
        transaction.commit().await?;
    }
    let mut transaction = database.begin_beside_others().await?;
    for other in told.logs {
        let waited_for = sql("INSERT INTO person_replayed (node, restored) VALUES ($1, $2) ON CONFLICT (node) DO NOTHING");
        transaction.execute(waited_for.bind(other).bind(Timestamp::UNIX_EPOCH)).await?;
    }
    let done = sql("INSERT INTO person_replayed (node, restored) VALUES ($1, $2)
         ON CONFLICT (node) DO UPDATE SET restored = excluded.restored");
    transaction.execute(done.bind(log).bind(restored)).await?;
    transaction.commit().await?;
    Ok(count)
}

/// In a store that was put back: erases again whom the node's own log says to be erased, once. How many of them were there again.
///
/// # Errors
/// [`ReplayError`]; it is to be tried again.
pub async fn own(database: &Database, node: Uuid, logs: &Logs, at: Timestamp) -> Result<u64, ReplayError> {
    let mut session = database.session().await?;
    let Some(restored) = put_back(&mut session).await? else { return Ok(0) };
    let is_done = replayed(&mut session).await?.get(&node).is_some_and(|until| *until >= restored);
    drop(session);
    if is_done {
        return Ok(0);
    }
    replay(database, node, Some(&logs.folder), logs.archive.as_ref(), at).await
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
) -> Result<(Uuid, u64, Vec<Uuid>), ReplayError> {
    let folder = logs.folder.clone();
    let named = tokio::task::spawn_blocking(move || anchors::name_of(&folder)).await.map_err(io::Error::other).flatten();
    let place = logs.folder.display().to_string();
    let log = named.map_err(|error| ReplayError::Log { at: place.clone(), error })?.ok_or(ReplayError::NoLog(place))?;
    let again = replay(store.database(), log, Some(&logs.folder), logs.archive.as_ref(), because.at).await?;
    noted(store, by, log, "ERASURES_REPLAYED", because).await?;
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
) -> Result<(u64, Vec<Uuid>), ReplayError> {
    let database = store.database();
    put_back(&mut database.session().await?).await?.ok_or(ReplayError::NotPutBack)?;
    // Who says so stands there before it holds.
    noted(store, by, log, "LOG_GIVEN_UP", because).await?;
    let again = replay(database, log, None, archive, because.at).await?;
    Ok((again, missing(&mut database.session().await?, log).await?))
}

async fn noted(store: &Store, by: Option<By<'_>>, log: Uuid, to: &str, because: &Because) -> Result<(), ReplayError> {
    let what = What { subject: Subject::Store, id: log, from: None, to: to.to_owned(), shown: None };
    let proven = operator(store, by, &what, because).await?;
    let mut change = store.change().await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    Ok(change.commit().await?)
}
