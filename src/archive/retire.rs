//! How segments leave a node's disk once they are in the archive, and the archive once their time is over.
//!
//! Both times a signed statement is written first, and stays: in the node's `retired.jsonl`, or beside the segments in the archive.

use std::io;
use std::path::Path;

use uuid::Uuid;

use super::place::Archived;
use super::ship::hash_at_end;
use super::{Archive, ArchiveError, Content};
use crate::audit::chain::CheckpointPublicKey;
use crate::audit::log::segment_name;
use crate::audit::retire::{self, Plan, Retirement};
use crate::audit::{anchors, log};

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum LeaveError {
    /// The archive has not got it.
    #[error("the archive does not have segment {0} as it is here, so nothing is removed; a gateway that serves ships it")]
    NotArchived(u64),
    /// Another was faster.
    #[error(
        "another `hjemmel audit retire` stated something else of this log; nothing was removed, look with `hjemmel audit verify`"
    )]
    Contended,
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The log's folder.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Archive {
    /// Whether the archive gives back every segment of the folder that the plan would remove, and its torn ends, byte for byte. Those
    /// that left it, as a statement of this very log says that one of `keys` signed, are over.
    ///
    /// # Errors
    /// [`LeaveError::NotArchived`] of the first that it does not.
    pub async fn holds(&self, directory: &Path, keys: &[CheckpointPublicKey], plan: &Plan) -> Result<(), LeaveError> {
        let name = anchors::named(directory)?;
        let over = self.over(name, directory, keys).await?;
        let leaves = |number: u64| number <= plan.last && !over.iter().any(|stated| stated.covers(number));
        for (number, path) in log::segments(directory)?.into_iter().filter(|(number, _)| leaves(*number)) {
            for (at, content) in tokio::task::spawn_blocking(move || leaving(number, &path)).await.map_err(io::Error::other)?? {
                if !self.gives_back(&super::place(name, at), &content).await? {
                    return Err(LeaveError::NotArchived(number));
                }
            }
        }
        Ok(())
    }

    /// The statements of what left the archive, where the chain of the folder came by the end of the last.
    async fn over(&self, log: Uuid, directory: &Path, keys: &[CheckpointPublicKey]) -> Result<Vec<Retirement>, LeaveError> {
        let mut over = self.log(log).await?.statements;
        over.retain(|statement| statement.archive == Some(log) && statement.is_signed_by(keys));
        let Some(last) = over.last() else { return Ok(over) };
        let path = directory.join(segment_name(last.to));
        let ends_in = tokio::task::spawn_blocking(move || hash_at_end(&path)).await.map_err(io::Error::other)?;
        match ends_in {
            Ok(hash) if hash.is_some() && hash == last.head().map(|head| head.hash) => Ok(over),
            Ok(_) => Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the statement beside the segments, and then removes those that it names, with their torn ends.
    ///
    /// # Errors
    /// [`LeaveError::Contended`], [`LeaveError::Archive`]. What was stated and is still there goes with the next run.
    pub async fn retire(&self, archived: &Archived, plan: &Plan) -> Result<(), LeaveError> {
        let log = archived.name();
        if let Some(statement) = &plan.statement {
            let line = retire::line_of(statement)?;
            let name = super::place(log, super::statement(statement.from, &super::sha256(&line)));
            self.put_bytes(&name, line).await?;
            // No condition of a store is relied on: whoever sees two statements takes their own back.
            if !self.log(log).await.is_ok_and(|now| now.statements().last() == Some(statement)) {
                self.delete(&name).await?;
                return Err(LeaveError::Contended);
            }
        }
        let leaving = archived.shelf().segments.iter().filter(|(number, _)| **number <= plan.last);
        for (number, content) in leaving {
            self.delete(&super::place(log, super::segment(*number, &content.sha256))).await?;
        }
        for (torn, digest) in archived.shelf().torn.keys() {
            // That of the last one may be named in the segment after it, which stays.
            if torn_of(torn).is_some_and(|number| number < plan.last) {
                self.delete(&super::place(log, super::torn_end(torn, digest))).await?;
            }
        }
        Ok(())
    }
}

/// What leaves a node's disk with a segment, by its name in the archive: the segment, and the torn ends that it names.
fn leaving(number: u64, path: &Path) -> io::Result<Vec<(String, Content)>> {
    let content = Content::of(path)?;
    let mut leaving = vec![(super::segment(number, &content.sha256), content)];
    for torn in retire::torn_ends(path)? {
        match Content::of(&path.with_file_name(&torn)) {
            Ok(content) => leaving.push((super::torn_end(&torn, &content.sha256), content)),
            // A run that was cut off has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(leaving)
}

/// The segment in which a torn end was found: it names it, or the one after it does.
fn torn_of(name: &str) -> Option<u64> {
    name.strip_prefix("torn-")?.split('-').next()?.parse().ok()
}

impl Archived {
    /// The statements of what left the archive.
    pub fn statements(&self) -> &[Retirement] {
        &self.statements
    }
}
