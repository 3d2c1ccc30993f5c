//! The archive: segments of every node's audit log that have ended, away from the nodes' own disks, in a folder or a bucket.
//!
//! A name says what lies under it: the log, the segment's number and the SHA-256 of its bytes. So whoever puts the same again changes
//! nothing, nobody needs to have been first, and no condition of the store is relied on. The bytes are those of the node's file,
//! as they are: what an auditor proves, the archive holds, and no key of the gateway's is needed for it.
//!
//! Read [`ship`] for how segments get there, [`place`] for how a log is read from there, and [`retire`] for how they leave.

pub mod place;
pub mod retire;
pub mod ship;

use std::collections::BTreeMap;
use std::path::Path as File;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::audit::log::{segment_name, sha256_of};
use crate::objects::settings::{OpenError, Place as At};

/// What is sent and read at a time: the least that a bucket takes as a part is 5 MiB.
const PART: usize = 8 << 20;

/// Why the archive could not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum ArchiveError {
    /// It does not answer, or refuses.
    #[error("the archive does not answer: {0}")]
    Unavailable(#[source] Error),
    /// It holds something else under the name than was put there.
    #[error("the archive does not give back what was put under {0}")]
    Differs(Path),
    /// A file of this machine.
    #[error("{file}: {source}", file = .file.display())]
    Local {
        file: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file changed while it was being sent.
    #[error("{} was changed while it was sent to the archive", .0.display())]
    Changed(std::path::PathBuf),
    /// What lies in the archive cannot be what a gateway put there.
    #[error("the archive holds {0}, which no gateway put there")]
    Foreign(String),
}

impl ArchiveError {
    fn local(file: &File) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Local { file: file.to_owned(), source }
    }
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
}

impl Content {
    /// Reads it. Waits for the disk.
    fn of(file: &File) -> std::io::Result<Self> {
        Ok(Self { bytes: std::fs::metadata(file)?.len(), sha256: sha256_of(file)? })
    }
}

/// The archive. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    at: String,
}

/// What the archive has of one log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Segments by number.
    pub segments: BTreeMap<u64, Content>,
    /// Torn ends by their name in the log, and SHA-256.
    pub torn: BTreeMap<(String, String), u64>,
    /// Statements of what was retired, by the first segment that each names.
    pub statements: BTreeMap<u64, Path>,
}

impl Archive {
    /// Makes ready what reaches the archive; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(at: &At) -> Result<Self, OpenError> {
        Ok(Self { store: at.open()?, at: at.to_string() })
    }

    /// Takes a store, for tests.
    pub fn of(store: Arc<dyn ObjectStore>, at: impl Into<String>) -> Self {
        Self { store, at: at.into() }
    }

    /// The logs that it has something of.
    ///
    /// # Errors
    /// [`ArchiveError::Unavailable`].
    pub async fn logs(&self) -> Result<Vec<Uuid>, ArchiveError> {
        let listed = self.store.list_with_delimiter(None).await.map_err(ArchiveError::Unavailable)?;
        let mut logs: Vec<Uuid> = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename()?.parse().ok()).collect();
        logs.sort();
        Ok(logs)
    }

    /// What it has of a log, by the names.
    ///
    /// # Errors
    /// [`ArchiveError::Unavailable`]; [`ArchiveError::Foreign`] where two different segments have one number.
    pub async fn shelf(&self, log: Uuid) -> Result<Shelf, ArchiveError> {
        let listed = self.store.list_with_delimiter(Some(&Path::from(log.to_string()))).await;
        let mut shelf = Shelf::default();
        for found in listed.map_err(ArchiveError::Unavailable)?.objects {
            let name = found.location.filename().unwrap_or_default();
            let twice = || ArchiveError::Foreign(format!("two things for one: {}", found.location));
            match Name::of(name) {
                Some(Name::Segment(number, sha256)) => {
                    let content = Content { bytes: found.size, sha256 };
                    shelf.segments.insert(number, content).map_or(Ok(()), |_| Err(twice()))?;
                }
                Some(Name::Torn(torn, sha256)) => drop(shelf.torn.insert((torn, sha256), found.size)),
                Some(Name::Retired(from)) => {
                    shelf.statements.insert(from, found.location.clone()).map_or(Ok(()), |_| Err(twice()))?;
                }
                None => {}
            }
        }
        Ok(shelf)
    }

    /// Puts a file there, and reads back whether it arrived whole. Where it is there already nothing is sent.
    ///
    /// # Errors
    /// [`ArchiveError`]; the same may be tried again at any time.
    pub async fn put(&self, name: &Path, file: &File, content: &Content) -> Result<(), ArchiveError> {
        if self.gives_back(name, content).await? {
            return Ok(());
        }
        self.send(name, file, content).await?;
        if self.gives_back(name, content).await? { Ok(()) } else { Err(ArchiveError::Differs(name.clone())) }
    }

    /// The same of bytes in memory.
    ///
    /// # Errors
    /// As [`Archive::put`].
    pub async fn put_bytes(&self, name: &Path, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        let content = Content { bytes: bytes.len() as u64, sha256: sha256(&bytes) };
        if self.gives_back(name, &content).await? {
            return Ok(());
        }
        self.store.put(name, PutPayload::from(bytes)).await.map_err(ArchiveError::Unavailable)?;
        if self.gives_back(name, &content).await? { Ok(()) } else { Err(ArchiveError::Differs(name.clone())) }
    }

    /// Whether all of the content can be read from under the name.
    ///
    /// # Errors
    /// [`ArchiveError::Unavailable`].
    pub async fn gives_back(&self, name: &Path, content: &Content) -> Result<bool, ArchiveError> {
        match self.store.head(name).await {
            Err(Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(ArchiveError::Unavailable(error)),
            Ok(found) if found.size != content.bytes => return Ok(false),
            Ok(_) => {}
        }
        let (mut digest, mut from) = (Context::new(&SHA256), 0);
        while from < content.bytes {
            let to = from.saturating_add(PART as u64).min(content.bytes);
            let piece = self.store.get_range(name, from..to).await.map_err(ArchiveError::Unavailable)?;
            if piece.len() as u64 != to - from {
                return Ok(false);
            }
            digest.update(&piece);
            from = to;
        }
        Ok(crate::hex::encode(digest.finish().as_ref()) == content.sha256)
    }

    /// The bytes of something short.
    async fn bytes(&self, name: &Path) -> Result<bytes::Bytes, ArchiveError> {
        self.store.get(name).await.map_err(ArchiveError::Unavailable)?.bytes().await.map_err(ArchiveError::Unavailable)
    }

    async fn delete(&self, name: &Path) -> Result<(), ArchiveError> {
        match self.store.delete(name).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(ArchiveError::Unavailable(error)),
        }
    }

    async fn send(&self, name: &Path, file: &File, content: &Content) -> Result<(), ArchiveError> {
        let mut opened = tokio::fs::File::open(file).await.map_err(ArchiveError::local(file))?;
        if content.bytes <= PART as u64 {
            let part = part(&mut opened).await.map_err(ArchiveError::local(file))?;
            if part.len() as u64 != content.bytes || sha256(&part) != content.sha256 {
                return Err(ArchiveError::Changed(file.to_owned()));
            }
            self.store.put(name, PutPayload::from(part)).await.map_err(ArchiveError::Unavailable)?;
            return Ok(());
        }
        let mut upload = self.store.put_multipart(name).await.map_err(ArchiveError::Unavailable)?;
        let mut digest = Context::new(&SHA256);
        let sent = async {
            loop {
                let part = part(&mut opened).await.map_err(ArchiveError::local(file))?;
                if part.is_empty() {
                    break;
                }
                digest.update(&part);
                upload.put_part(PutPayload::from(part)).await.map_err(ArchiveError::Unavailable)?;
            }
            match crate::hex::encode(digest.finish().as_ref()) == content.sha256 {
                true => upload.complete().await.map(drop).map_err(ArchiveError::Unavailable),
                false => Err(ArchiveError::Changed(file.to_owned())),
            }
        }
        .await;
        if sent.is_err() && upload.abort().await.is_err() {
            tracing::debug!(%name, "an unfinished upload stays in the archive until its rule for unfinished uploads removes it");
        }
        sent
    }
}

impl std::fmt::Display for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.at)
    }
}

/// The next part of a file; all are of one length but the last, as some stores want it.
async fn part(file: &mut tokio::fs::File) -> std::io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.take(PART as u64).read_to_end(&mut part).await?;
    Ok(part)
}

fn sha256(bytes: &[u8]) -> String {
    crate::hex::encode(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref())
}

/// What a name in the archive says.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    /// `segment-NNNNNNNN-SHA256.jsonl`.
    Segment(u64, String),
    /// The name of a torn end in the log, and its SHA-256.
    Torn(String, String),
    /// `retired-FROM-SHA256.json`.
    Retired(u64),
}

impl Name {
    /// None where it is no name of ours.
    fn of(text: &str) -> Option<Self> {
        let (stem, ending) = text.rsplit_once('.')?;
        let (what, sha256) = stem.rsplit_once('-')?;
        if sha256.len() != 64 || !sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let sha256 = sha256.to_owned();
        let name = match ending {
            "jsonl" => Self::Segment(what.strip_prefix("segment-")?.parse().ok()?, sha256),
            "bin" => Self::Torn(format!("{what}.bin"), sha256),
            "json" => Self::Retired(what.strip_prefix("retired-")?.parse().ok()?),
            _ => return None,
        };
        // As it is written, and no other spelling of the same number.
        let again = match &name {
            Self::Segment(number, sha256) => segment(*number, sha256),
            Self::Torn(torn, sha256) => torn_end(torn, sha256),
            Self::Retired(from) => statement(*from, stem.rsplit_once('-')?.1),
        };
        (again == text).then_some(name)
    }
}

fn segment(number: u64, sha256: &str) -> String {
    format!("{}-{sha256}.jsonl", segment_name(number).trim_end_matches(".jsonl"))
}

fn torn_end(name: &str, sha256: &str) -> String {
    format!("{}-{sha256}.bin", name.trim_end_matches(".bin"))
}

fn statement(from: u64, sha256: &str) -> String {
    format!("retired-{from:08}-{sha256}.json")
}

fn place(log: Uuid, name: String) -> Path {
    Path::from_iter([log.to_string(), name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_lies_under_it_and_no_other_spelling_does() {
        let digest = "ab".repeat(32);
        assert_eq!(Name::of(&segment(7, &digest)), Some(Name::Segment(7, digest.clone())));
        let torn = "torn-00000007-4711.bin";
        assert_eq!(Name::of(&torn_end(torn, &digest)), Some(Name::Torn(torn.to_owned(), digest.clone())));
        assert_eq!(Name::of(&statement(1, &digest)), Some(Name::Retired(1)));
        for other in [
            format!("segment-7-{digest}.jsonl"),
            format!("segment-00000007-{}.jsonl", digest.to_uppercase()),
            "segment-00000007.jsonl".to_owned(),
            format!("retired-1-{digest}.json"),
            "log-id".to_owned(),
        ] {
            assert_eq!(Name::of(&other), None, "{other}");
        }
    }
}
