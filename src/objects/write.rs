//! A content on its way into the store.

use std::mem;

use aws_lc_rs::digest::{Context, SHA256};
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio::task::JoinHandle;

use super::frames::{Frames, PIECE, stored_length};
use super::keys::{FileKey, SealedKey};
use super::name::ObjectName;
use super::{Object, ObjectError, Objects};

impl Objects {
    /// Begins a content of at most `limit` bytes. Nothing is seen of it in the store before [`Writing::finish`].
    ///
    /// # Errors
    /// [`ObjectError::Encryption`].
    pub fn begin(&self, limit: u64) -> Result<Writing, ObjectError> {
        let name = ObjectName::random();
        let key = FileKey::random().ok_or(ObjectError::Encryption)?;
        Ok(Writing {
            objects: self.clone(),
            name,
            sealed: self.keys.seal(&key, name)?,
            frames: Frames::new(&key, name).map_err(|_| ObjectError::Encryption)?,
            limit,
            length: 0,
            digest: Context::new(&SHA256),
            piece: Vec::new(),
            number: 0,
            part: Vec::new(),
            upload: None,
            on_its_way: None,
        })
    }
}

/// A content that is being written. Dropped unfinished, what was sent of it is taken away in the background, as long as the
/// process lives; after that by [`super::unfinished`], or the bucket's own rule.
///
/// It holds at most two parts at a time: one that fills, and one on its way.
pub struct Writing {
    objects: Objects,
    name: ObjectName,
    sealed: SealedKey,
    frames: Frames,
    limit: u64,
    length: u64,
    digest: Context,
    /// What is not encrypted yet: the last piece is encrypted as such, so that one is always held back.
    piece: Vec<u8>,
    number: u64,
    /// What is encrypted and not sent.
    part: Vec<u8>,
    upload: Option<Box<dyn MultipartUpload>>,
    on_its_way: Option<JoinHandle<object_store::Result<()>>>,
}

impl Writing {
    /// The name that the content will have.
    pub fn name(&self) -> ObjectName {
        self.name
    }

    /// How much has been taken, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes more it takes.
    pub fn room(&self) -> u64 {
        self.limit.saturating_sub(self.length)
    }

    /// Takes more of the content; waits while the store is slower than the sender.
    ///
    /// # Errors
    /// [`ObjectError::TooLong`], [`ObjectError::Unavailable`], [`ObjectError::Full`]. After an error drop it.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), ObjectError> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length > self.limit {
            return Err(ObjectError::TooLong { limit: self.limit });
        }
        self.digest.update(bytes);
        while !bytes.is_empty() {
            if self.piece.len() == PIECE {
                self.seal(false)?;
                self.send_whole_parts().await?;
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(PIECE.saturating_sub(self.piece.len())));
            self.piece.extend_from_slice(taken);
            bytes = rest;
        }
        Ok(())
    }

    /// Ends the content. When this returns it is in the store, whole, and durable there.
    ///
    /// # Errors
    /// [`ObjectError::Unavailable`], [`ObjectError::Full`].
    pub async fn finish(mut self) -> Result<Object, ObjectError> {
        self.seal(true)?;
        let rest = mem::take(&mut self.part);
        let written = match self.upload.take() {
            None => put(self.objects.store.as_ref(), self.name, rest).await,
            Some(mut upload) => {
                let written = self.complete(upload.as_mut(), rest).await;
                if written.is_err() {
                    abort(upload, None).await;
                }
                written
            }
        };
        match written {
            Ok(()) => {}
            // It may have arrived although the answer did not. The name is nobody else's, so the length settles it.
            Err(error) => match self.objects.store.head(&self.name.path()).await {
                Ok(found) if found.size == stored_length(self.length) => {}
                _ => return Err(ObjectError::of(error)),
            },
        }
        let mut sha256 = [0; 32];
        sha256.iter_mut().zip(self.digest.clone().finish().as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Object { name: self.name, key: self.sealed.clone(), length: self.length, sha256 })
    }

    /// Gives the content up. When this returns, what was sent of it is taken away.
    pub async fn abandon(mut self) {
        if let Some(upload) = self.upload.take() {
            abort(upload, self.on_its_way.take()).await;
        }
    }

    fn seal(&mut self, last: bool) -> Result<(), ObjectError> {
        self.frames.seal(self.number, last, &self.piece, &mut self.part).map_err(|_| ObjectError::Encryption)?;
        self.number += 1;
        self.piece.clear();
        Ok(())
    }

    /// Parts but the last are all of one length: some stores want that.
    async fn send_whole_parts(&mut self) -> Result<(), ObjectError> {
        while self.part.len() >= self.objects.part_bytes {
            let rest = self.part.split_off(self.objects.part_bytes);
            let part = mem::replace(&mut self.part, rest);
            self.arrived().await.map_err(ObjectError::of)?;
            if self.upload.is_none() {
                let begun = self.objects.store.put_multipart(&self.name.path()).await;
                self.upload = Some(begun.map_err(ObjectError::of)?);
            }
            if let Some(upload) = &mut self.upload {
                self.on_its_way = Some(tokio::spawn(upload.put_part(PutPayload::from(part))));
            }
        }
        Ok(())
    }

    async fn arrived(&mut self) -> object_store::Result<()> {
        match self.on_its_way.take() {
            None => Ok(()),
            Some(part) => part.await?,
        }
    }

    async fn complete(&mut self, upload: &mut dyn MultipartUpload, rest: Vec<u8>) -> object_store::Result<()> {
        self.arrived().await?;
        if !rest.is_empty() {
            upload.put_part(PutPayload::from(rest)).await?;
        }
        upload.complete().await.map(|_| ())
    }
}

async fn put(store: &dyn ObjectStore, name: ObjectName, content: Vec<u8>) -> object_store::Result<()> {
    store.put_opts(&name.path(), PutPayload::from(content), PutMode::Create.into()).await.map(|_| ())
}

impl Drop for Writing {
    fn drop(&mut self) {
        let (upload, part) = (self.upload.take(), self.on_its_way.take());
        if let (Some(upload), Ok(runtime)) = (upload, tokio::runtime::Handle::try_current()) {
            runtime.spawn(abort(upload, part));
        }
    }
}

/// Takes away what was sent. Where that fails too, the store's own rule for unfinished uploads does it.
async fn abort(mut upload: Box<dyn MultipartUpload>, part: Option<JoinHandle<object_store::Result<()>>>) {
    if let Some(part) = part {
        drop(part.await);
    }
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, "an unfinished upload stays in the object store until its rule for unfinished uploads removes it");
    }
}
