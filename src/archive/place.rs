//! A log as it is read from the archive, for commands: each segment piece by piece, held against the digest in its name.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::{Archive, ArchiveError, Content, PART, Shelf};
use crate::audit::chain::Checkpoint;
use crate::audit::log::is_torn_name;
use crate::audit::place::Place;
use crate::audit::retire::{self, Retirement};

/// One log of the archive.
#[derive(Debug, Clone)]
pub struct Archived {
    archive: Archive,
    log: Uuid,
    shelf: Shelf,
    pub(super) statements: Vec<Retirement>,
}

impl Archive {
    /// A log, as it lies there now.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn log(&self, log: Uuid) -> Result<Archived, ArchiveError> {
        // The segments before the statements: one that went meanwhile was stated first.
        let mut shelf = self.shelf(log).await?;
        shelf.statements = self.shelf(log).await?.statements;
        let mut text = Vec::new();
        for name in shelf.statements.values() {
            text.extend_from_slice(&self.bytes(name).await?);
        }
        let statements = retire::parse(&text).map_err(|_| ArchiveError::Foreign(format!("statements of log {log}")))?;
        Ok(Archived { archive: self.clone(), log, shelf, statements })
    }

    /// Every log of it.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn every_log(&self) -> Result<Vec<Archived>, ArchiveError> {
        let mut logs = Vec::new();
        for log in self.logs().await? {
            logs.push(self.log(log).await?);
        }
        Ok(logs)
    }
}

impl Archived {
    /// The log's name.
    pub fn name(&self) -> Uuid {
        self.log
    }

    /// What the archive has of it.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }
}

/// Runs what asks the archive, from a thread of a command.
fn wait<T>(asked: impl Future<Output = Result<T, object_store::Error>>) -> io::Result<T> {
    tokio::task::block_in_place(|| Handle::current().block_on(asked)).map_err(io::Error::other)
}

impl Place for Archived {
    fn log(&self) -> io::Result<Option<Uuid>> {
        Ok(Some(self.log))
    }

    fn segments(&self) -> io::Result<Vec<(u64, u64)>> {
        Ok(self.shelf.segments.iter().map(|(number, content)| (*number, content.bytes)).collect())
    }

    fn open(&self, segment: u64) -> io::Result<Box<dyn Read + Send>> {
        let content = self.shelf.segments.get(&segment).ok_or(io::ErrorKind::NotFound)?.clone();
        let name = super::place(self.log, super::segment(segment, &content.sha256));
        let read = Pieces {
            archive: self.archive.clone(),
            name,
            content,
            at: 0,
            piece: Bytes::new(),
            digest: Some(Context::new(&SHA256)),
        };
        Ok(Box::new(read))
    }

    fn retired(&self) -> io::Result<Vec<Retirement>> {
        Ok(self.statements.clone())
    }

    fn is_written_here(&self) -> bool {
        false
    }

    fn head(&self) -> io::Result<Option<Checkpoint>> {
        Ok(None)
    }

    fn is_being_written(&self) -> bool {
        false
    }

    fn keeps(&self, torn: &str, sha256: &str) -> bool {
        let Some(bytes) = self.shelf.torn.get(&(torn.to_owned(), sha256.to_owned())) else { return false };
        let content = Content { bytes: *bytes, sha256: sha256.to_owned() };
        let name = super::place(self.log, super::torn_end(torn, sha256));
        let given = tokio::task::block_in_place(|| Handle::current().block_on(self.archive.gives_back(&name, &content)));
        is_torn_name(torn) && given.is_ok_and(|given| given)
    }

    fn file(&self, name: &str) -> PathBuf {
        let log = format!("{}/{}", self.archive, self.log);
        if name.is_empty() { log.into() } else { format!("{log}/{name}").into() }
    }

    fn digests(&self) -> Option<BTreeMap<u64, String>> {
        Some(self.shelf.segments.iter().map(|(number, content)| (*number, content.sha256.clone())).collect())
    }
}

/// The bytes of an object. At the end their digest is held against the name.
struct Pieces {
    archive: Archive,
    name: Path,
    content: Content,
    at: u64,
    piece: Bytes,
    digest: Option<Context>,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.at < self.content.bytes {
            let to = self.at.saturating_add(PART as u64).min(self.content.bytes);
            self.piece = wait(self.archive.store.get_range(&self.name, self.at..to))?;
            self.at += self.piece.len() as u64;
            if let Some(digest) = &mut self.digest {
                digest.update(&self.piece);
            }
            if self.piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if self.piece.is_empty()
            && let Some(digest) = self.digest.take()
            && crate::hex::encode(digest.finish().as_ref()) != self.content.sha256
        {
            return Err(io::Error::other("it is not what its name in the archive says"));
        }
        let taken = self.piece.split_to(self.piece.len().min(into.len()));
        into.iter_mut().zip(&taken).for_each(|(to, from)| *to = *from);
        Ok(taken.len())
    }
}
