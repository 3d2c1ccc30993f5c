//! The core as one thing: where it keeps what, and what it waits for.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use super::content::{self, Contents, Passing};
use super::home::Problem;
use super::seeking::Handed;
use super::wrong_keys::WrongKeys;
use crate::agreements::Environment;
use crate::audit::{Audit, Sealer};
use crate::clock::Clock;
use crate::objects::{ObjectError, Objects};
use crate::refusal::Refusal;
use crate::store::jobs::{JobError, Jobs, Rules};
use crate::store::{Database, StoreError};

/// What may be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose users may log on.
    pub environment: Environment,
    /// A folder on this machine's disk for what is being written.
    pub staging: PathBuf,
    /// The largest file, in bytes.
    pub largest_file: u64,
    /// For how long a trigger waits for its data file.
    pub wait_for_data: Duration,
    /// For how many days a transfer that has ended is remembered.
    pub history_days: i64,
    /// Of one sender so many transfers that were refused are remembered at the most, the newest of them.
    pub refused_kept: i64,
    /// The disk of the staging folder is full where less than so many bytes are free.
    pub least_free: u64,
}

impl Settings {
    /// The defaults.
    pub fn usual(environment: Environment, staging: PathBuf) -> Self {
        Self {
            environment,
            staging,
            largest_file: 2_000_000_000,
            wait_for_data: Duration::from_secs(15 * 60),
            history_days: 90,
            refused_kept: 10_000,
            least_free: 64 << 20,
        }
    }
}

/// A place in the way of a file at which a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The content is in the object store; no row names it.
    Stored,
    /// The upload is in OUT.
    Uploaded,
    /// The trigger has been taken; its job waits.
    Triggered,
    /// The trigger has been judged; nothing is recorded.
    Judged,
    /// The admission is in the audit.
    Admitted,
    /// Everything is written and nothing is committed.
    Written,
    /// It is delivered; the record is not closed.
    Delivered,
}

impl Step {
    /// Each, in the order of a file's way.
    pub const ALL: [Step; 7] =
        [Step::Stored, Step::Uploaded, Step::Triggered, Step::Judged, Step::Admitted, Step::Written, Step::Delivered];
}

/// What a test does at a step.
type AtStep = Arc<dyn Fn(Step) + Send + Sync>;

/// What the core stands on.
#[derive(Clone)]
pub struct Parts {
    /// Users, orders, transfers.
    pub database: Database,
    /// Contents.
    pub objects: Objects,
    /// Where each delivery is recorded before it is made.
    pub audit: Audit,
    /// Hides names of files in it.
    pub sealer: Arc<Sealer>,
    /// The time.
    pub clock: Clock,
    /// What contents must be, by their InfRef.
    pub contents: Arc<Contents>,
}

pub(super) struct Inner {
    pub(super) parts: Parts,
    pub(super) settings: Settings,
    pub(super) jobs: Jobs,
    /// Something may be due.
    pub(super) due: Notify,
    /// Places for contents that are being judged.
    pub(super) judging: Arc<Semaphore>,
    /// Users of whom is to be noted that they were refused.
    pub(super) wrong_keys: WrongKeys,
    /// Names that are being written by sessions of this node.
    writing: Mutex<HashSet<(Uuid, String)>>,
    /// What of which file of IN was handed out.
    pub(super) handed: Handed,
    /// Whether there is room in the staging folder, as it was last looked at.
    staging_is_full: AtomicBool,
    at_step: Option<AtStep>,
}

/// The core. Cheap to clone.
#[derive(Clone)]
pub struct Files(pub(super) Arc<Inner>);

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Files")
    }
}

/// The kind of the jobs that deliver.
pub const JOBS: &str = "files";

/// How a delivery is tried: for some hours, then its sender is told.
pub const RULES: Rules = Rules {
    lease: Duration::from_secs(120),
    attempts: 12,
    first_pause: Duration::from_secs(2),
    longest_pause: Duration::from_secs(15 * 60),
};

impl Files {
    /// Takes its parts.
    pub fn new(parts: Parts, settings: Settings) -> Self {
        Self::with(parts, settings, RULES, None)
    }

    /// The same, with other rules for its jobs, and something that is done at each step: how tests kill it there.
    pub fn with(parts: Parts, settings: Settings, rules: Rules, at_step: Option<AtStep>) -> Self {
        let jobs = Jobs::new(parts.database.clone(), JOBS, rules);
        Self(Arc::new(Inner {
            parts,
            settings,
            jobs,
            due: Notify::new(),
            judging: Arc::new(Semaphore::new(content::AT_ONCE)),
            wrong_keys: WrongKeys::default(),
            writing: Mutex::default(),
            handed: Handed::default(),
            staging_is_full: AtomicBool::new(false),
            at_step,
        }))
    }

    /// The same as if it were this instant.
    pub fn as_of(&self, at: Timestamp) -> Self {
        let parts = Parts { clock: Clock::fixed(at), ..self.0.parts.clone() };
        Self::new(parts, self.0.settings.clone())
    }

    pub(super) fn database(&self) -> &Database {
        &self.0.parts.database
    }

    pub(super) fn objects(&self) -> &Objects {
        &self.0.parts.objects
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    pub(super) fn reached(&self, step: Step) {
        if let Some(at_step) = &self.0.at_step {
            at_step(step);
        }
    }

    pub(super) fn wait_until(&self, now: Timestamp) -> Timestamp {
        SignedDuration::try_from(self.0.settings.wait_for_data).ok().and_then(|wait| now.checked_add(wait).ok()).unwrap_or(now)
    }

    pub(super) fn staging_is_full(&self) -> bool {
        self.0.staging_is_full.load(Ordering::Relaxed)
    }

    /// Why this node cannot take files, for whoever asks whether it is ready.
    pub fn trouble(&self) -> Option<&'static str> {
        self.staging_is_full().then_some("the disk for files that are being sent (sftp.staging) is full")
    }

    /// Looks how much room the staging folder has, in bytes: what is written when there is none is refused.
    pub async fn look_at_staging(&self) -> std::io::Result<u64> {
        let free = super::staged::free(&self.0.settings.staging).await?;
        let is_full = free < self.0.settings.least_free;
        if self.0.staging_is_full.swap(is_full, Ordering::Relaxed) != is_full {
            match is_full {
                true => tracing::error!(
                    free,
                    "the disk for files that are being sent (sftp.staging) is full; uploads are refused until there is room"
                ),
                false => tracing::info!(free, "the disk for files that are being sent (sftp.staging) has room again"),
            }
        }
        Ok(free)
    }

    /// Looks for ever, and shows it.
    pub async fn keep_looking_at_staging(&self, counts: &super::counts::Counts) {
        loop {
            match self.look_at_staging().await {
                Ok(free) => counts.staging(free),
                Err(error) => tracing::warn!(%error, "it is not known how much room sftp.staging has"),
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }

    /// Takes a name for writing; none where a session of this node has it.
    pub(super) fn take_name(&self, owner: Uuid, name: &str) -> Option<Written> {
        let key = (owner, name.to_owned());
        let mut writing = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.insert(key.clone()).then(|| Written { files: self.clone(), key })
    }
}

/// Deletes a content that nobody refers to any more. Where that fails it is done later: its key is gone already.
pub(super) async fn drop_content(parts: &Parts, content: Option<Uuid>) {
    let Some(content) = content else { return };
    let deleted = parts.objects.delete(&crate::objects::ObjectName::of(content)).await;
    let forgotten = async { super::shelf::forget(&mut parts.database.session().await?, content).await };
    if let Err(error) = deleted {
        tracing::warn!(%error, "a content that is in use by nothing stays in the object store until it is cleaned up");
    } else if let Err(error) = forgotten.await {
        tracing::debug!(%error, "the row of a deleted content stays until it is cleaned up");
    }
}

/// A name that is being written, until it is dropped.
pub(super) struct Written {
    files: Files,
    key: (Uuid, String),
}

impl Drop for Written {
    fn drop(&mut self) {
        self.files.0.writing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Why the core could not do as asked. Names no file and no person.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Job(#[from] JobError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error("{0}")]
    Audit(#[from] Refusal),
    /// The disk for staged files.
    #[error("the folder for files that are being sent (sftp.staging): {0}")]
    Staging(#[from] std::io::Error),
    /// The name of a file cannot be sealed.
    #[error("{0}")]
    Seal(#[from] crate::audit::seal::SealError),
    /// The content, of which a rule says nothing now.
    #[error(transparent)]
    Content(#[from] Passing),
    /// What a caller is told.
    #[error("it was refused")]
    Told(Problem),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Told(problem)
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Told(problem) => problem,
            Failed::Objects(ObjectError::Full) => Problem::DiskFull,
            Failed::Objects(ObjectError::TooLong { .. }) => Problem::TooLarge,
            Failed::Staging(error)
                if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) =>
            {
                Problem::DiskFull
            }
            other => {
                tracing::warn!(error = %other, "a file could not be handled");
                Problem::Unavailable
            }
        }
    }
}
