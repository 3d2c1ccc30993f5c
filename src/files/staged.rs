//! A file that is being written: random access, on this machine's disk, seen by nobody.
//!
//! It has no name there: it is opened and unlinked at once, so that a process that dies leaves nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::core::Failed;
use super::parts::{APART, Parts};
use crate::objects::Writing;

/// How much of it goes to the object store at a time.
const PIECE: usize = 256 * 1024;

/// The staged file.
#[derive(Debug)]
pub(super) struct Staged {
    file: Arc<File>,
    size: u64,
    written: Parts,
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The bytes that are free for us on the disk of a folder.
pub(super) async fn free(folder: &Path) -> io::Result<u64> {
    let folder = folder.to_owned();
    aside(move || {
        let disk = rustix::fs::statvfs(&folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    })
    .await
}

impl Staged {
    pub(super) async fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("{}.staged", Uuid::new_v4()));
        let file = aside(move || {
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        });
        Ok(Self { file: Arc::new(file.await?), size: 0, written: Parts::default() })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether each of its bytes was written: the disk reads what was not as zeros.
    pub(super) fn is_whole(&self) -> bool {
        self.written.is_whole(self.size)
    }

    pub(super) async fn write_at(&mut self, offset: u64, bytes: Bytes) -> io::Result<()> {
        let (file, end) = (Arc::clone(&self.file), offset.saturating_add(bytes.len() as u64));
        aside(move || file.write_all_at(&bytes, offset)).await?;
        self.size = self.size.max(end);
        self.written.add(offset, end, APART);
        Ok(())
    }

    /// Up to `length` bytes; fewer only at the end.
    pub(super) async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(length);
        let file = Arc::clone(&self.file);
        aside(move || {
            let mut buffer = vec![0; left];
            file.read_exact_at(&mut buffer, offset)?;
            Ok(Bytes::from(buffer))
        })
        .await
    }

    pub(super) async fn set_size(&mut self, size: u64) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        aside(move || file.set_len(size)).await?;
        self.size = size;
        self.written.cut(size);
        Ok(())
    }

    /// What was written is on the disk, or the disk said that it is not.
    pub(super) async fn sync(&self) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        aside(move || file.sync_data()).await
    }

    /// Hands all of it on to the object store. While one piece is encrypted the next is read.
    pub(super) async fn hand_on(&self, writing: &mut Writing) -> Result<(), Failed> {
        let mut piece = self.read_at(0, PIECE).await?;
        let mut offset = 0;
        while !piece.is_empty() {
            offset += piece.len() as u64;
            let next = async { Ok::<_, Failed>(self.read_at(offset, PIECE).await?) };
            let written = async { Ok::<_, Failed>(writing.write(&piece).await?) };
            (piece, ()) = tokio::try_join!(next, written)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_whole_once_each_of_its_bytes_was_written_in_whatever_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut staged = Staged::new(folder.path()).await.unwrap();
        assert!(staged.is_whole(), "an empty one");
        staged.write_at(4, Bytes::from_static(b"56")).await.unwrap();
        assert!(!staged.is_whole(), "its beginning is to come");
        staged.write_at(0, Bytes::from_static(b"1234")).await.unwrap();
        assert!(staged.is_whole());
        staged.set_size(8).await.unwrap();
        assert!(!staged.is_whole(), "made longer, and not written");
        staged.write_at(6, Bytes::from_static(b"78")).await.unwrap();
        assert!(staged.is_whole());
        staged.set_size(3).await.unwrap();
        assert!(staged.is_whole(), "cut");
        staged.write_at(8, Bytes::new()).await.unwrap();
        assert!(!staged.is_whole(), "nothing, far behind the end");
    }
}
