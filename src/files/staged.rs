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

/// The staged file.
#[derive(Debug)]
pub(super) struct Staged {
    file: Arc<File>,
    size: u64,
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
        Ok(Self { file: Arc::new(file.await?), size: 0 })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) async fn write_at(&mut self, offset: u64, bytes: Bytes) -> io::Result<()> {
        let (file, end) = (Arc::clone(&self.file), offset.saturating_add(bytes.len() as u64));
        aside(move || file.write_all_at(&bytes, offset)).await?;
        self.size = self.size.max(end);
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
        Ok(())
    }

    /// What was written is on the disk, or the disk said that it is not.
    pub(super) async fn sync(&self) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        aside(move || file.sync_data()).await
    }
}
