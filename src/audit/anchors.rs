//! How far each node's chain has come, kept away from the node's own disk: in the store, and in the chain of another node.
//!
//! A log whose end was cut off together with its `head.json`, and a log that is gone with its folder, contradict nothing that is
//! left on their own disk. What is kept here they contradict. Each log has a name of its own, made with it, in the file `log-id`.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::chain::Checkpoint;
use super::log::make_private_dir;
use super::verify::Anchor;
use crate::store::{Database, StoreError, sql};

/// The file that names a log.
const FILE: &str = "log-id";

/// How far a log had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Anchored {
    pub log: Uuid,
    /// Its last checkpoint then.
    pub checkpoint: Checkpoint,
    /// Whether it is a log of auditors' questions, and no node's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub questions: bool,
}

/// The last anchor of each segment of each log.
pub type Latest = BTreeMap<Uuid, BTreeMap<u64, Checkpoint>>;

/// Takes an anchor among the others, where it is further on than what is there.
pub fn take(latest: &mut Latest, Anchored { log, checkpoint, .. }: Anchored) {
    let of_log = latest.entry(log).or_default();
    if of_log.get(&checkpoint.segment).is_none_or(|known| known.covers < checkpoint.covers) {
        of_log.insert(checkpoint.segment, checkpoint);
    }
}

/// The anchors as `verify` takes them. One whose hash is none can be of no log.
pub fn of_log(latest: &Latest, log: Uuid) -> Vec<Anchor> {
    let checkpoints = latest.get(&log).into_iter().flatten();
    checkpoints
        .map(|(_, checkpoint)| Anchor {
            sequence: checkpoint.covers,
            hash: crate::hex::decode(&checkpoint.head).unwrap_or([0; 32]),
        })
        .collect()
}

/// The name of a log; none where it was not given one yet.
///
/// # Errors
/// The file cannot be read, or holds no name.
pub fn name_of(dir: &Path) -> io::Result<Option<Uuid>> {
    match std::fs::read_to_string(dir.join(FILE)) {
        Ok(text) => {
            text.trim().parse().map(Some).map_err(|_| io::Error::other(format!("{FILE} does not hold the name of a log")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name of a log, which is given one where it has none. Of several that ask at once all get the same.
///
/// # Errors
/// The file cannot be read or made.
pub fn named(dir: &Path) -> io::Result<Uuid> {
    if let Some(name) = name_of(dir)? {
        return Ok(name);
    }
    make_private_dir(dir)?;
    let name = Uuid::new_v4();
    let new = dir.join(format!("{FILE}.{name}"));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
    writeln!(file, "{name}")?;
    file.sync_all()?;
    // A link, unlike a rename, never takes the place of what another has put there meanwhile.
    let linked = std::fs::hard_link(&new, dir.join(FILE));
    std::fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => std::fs::File::open(dir)?.sync_all()?,
    }
    name_of(dir)?.ok_or_else(|| io::Error::other(format!("{FILE} was removed while it was made")))
}

/// Keeps an anchor in the store. One that is behind what the store has changes nothing.
///
/// # Errors
/// A store that does not answer.
pub async fn keep(database: &Database, anchored: &Anchored, at: Timestamp) -> Result<(), StoreError> {
    let Anchored { log, checkpoint, .. } = anchored;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let text = serde_json::to_string(checkpoint).unwrap_or_default();
    let kept = sql("INSERT INTO audit_anchor (log, segment, covers, signed_checkpoint, anchored_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (log, segment) DO UPDATE
         SET covers = excluded.covers, signed_checkpoint = excluded.signed_checkpoint, anchored_at = excluded.anchored_at
         WHERE audit_anchor.covers < excluded.covers");
    let kept = kept.bind(*log).bind(number(checkpoint.segment)).bind(number(checkpoint.covers)).bind(text).bind(at);
    database.write(kept).await.map(drop)
}

/// Every anchor in the store.
///
/// # Errors
/// A store that does not answer, or holds what is no checkpoint.
pub async fn kept(database: &Database) -> Result<Latest, StoreError> {
    let mut latest = Latest::new();
    for row in database.all(sql("SELECT log, signed_checkpoint FROM audit_anchor ORDER BY log, segment")).await? {
        take(&mut latest, anchored_of(&row)?);
    }
    Ok(latest)
}

/// Of each log, the last anchor in the store.
///
/// # Errors
/// As [`kept`].
pub async fn last_of_each(database: &Database) -> Result<Vec<Anchored>, StoreError> {
    let rows = database
        .all(sql(
            "SELECT log, signed_checkpoint FROM audit_anchor
             WHERE segment = (SELECT MAX(last.segment) FROM audit_anchor AS last WHERE last.log = audit_anchor.log) ORDER BY log",
        ))
        .await?;
    rows.iter().map(anchored_of).collect()
}

/// What the store knows of logs.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The last anchor of each segment of each node's log.
    pub nodes: Latest,
    /// The last anchor of each log of auditors' questions.
    pub questions: Latest,
    /// SHA-256, in hexadecimal, of each segment that was put in the archive, by log.
    pub archived: BTreeMap<Uuid, BTreeMap<u64, String>>,
}

impl Known {
    /// Reads it.
    ///
    /// # Errors
    /// As [`kept`].
    pub async fn of(database: &Database) -> Result<Self, StoreError> {
        let mut known = Self { nodes: kept(database).await?, ..Self::default() };
        for anchored in last_questions(database).await? {
            take(&mut known.questions, anchored);
        }
        for row in database.all(sql("SELECT log, segment, sha256 FROM audit_archived ORDER BY log, segment")).await? {
            let (log, segment): (Uuid, i64) = (row.get("log")?, row.get("segment")?);
            let of_log = known.archived.entry(log).or_default();
            of_log.insert(u64::try_from(segment).unwrap_or_default(), row.get("sha256")?);
        }
        Ok(known)
    }
}

/// The segments of a log that the store knows to be in the archive.
///
/// # Errors
/// A store that does not answer.
pub async fn archived(database: &Database, log: Uuid) -> Result<std::collections::BTreeSet<u64>, StoreError> {
    let rows = database.all(sql("SELECT segment FROM audit_archived WHERE log = $1").bind(log)).await?;
    let segment = |row: &crate::store::Row| row.get::<i64>("segment").map(|segment| u64::try_from(segment).unwrap_or_default());
    rows.iter().map(segment).collect()
}

/// Records in the store that a segment is in the archive; recorded again, it changes nothing.
///
/// # Errors
/// A store that does not answer.
pub async fn record_archived(
    database: &Database,
    log: Uuid,
    segment: u64,
    sha256: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let told = sql("INSERT INTO audit_archived (log, segment, sha256, archived_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (log, segment) DO NOTHING");
    let segment = i64::try_from(segment).unwrap_or(i64::MAX);
    database.write(told.bind(log).bind(segment).bind(sha256.to_owned()).bind(at)).await.map(drop)
}

/// Keeps an anchor of a log of questions in the store.
///
/// # Errors
/// A store that does not answer.
pub async fn keep_question(database: &Database, anchored: &Anchored, at: Timestamp) -> Result<(), StoreError> {
    let Anchored { log, checkpoint, .. } = anchored;
    let text = serde_json::to_string(checkpoint).unwrap_or_default();
    let kept = sql("INSERT INTO audit_question_anchor (log, covers, signed_checkpoint, anchored_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (log) DO UPDATE
         SET covers = excluded.covers, signed_checkpoint = excluded.signed_checkpoint, anchored_at = excluded.anchored_at
         WHERE audit_question_anchor.covers < excluded.covers");
    let covers = i64::try_from(checkpoint.covers).unwrap_or(i64::MAX);
    database.write(kept.bind(*log).bind(covers).bind(text).bind(at)).await.map(drop)
}

/// The anchors of logs of questions.
///
/// # Errors
/// As [`kept`].
pub async fn last_questions(database: &Database) -> Result<Vec<Anchored>, StoreError> {
    let rows = database.all(sql("SELECT log, signed_checkpoint FROM audit_question_anchor ORDER BY log")).await?;
    rows.iter().map(|row| Ok(Anchored { questions: true, ..anchored_of(row)? })).collect()
}

fn anchored_of(row: &crate::store::Row) -> Result<Anchored, StoreError> {
    let text: String = row.get("signed_checkpoint")?;
    let checkpoint = serde_json::from_str(&text).map_err(|_| StoreError::Unreadable { column: "signed_checkpoint" })?;
    Ok(Anchored { log: row.get("log")?, checkpoint, questions: false })
}
