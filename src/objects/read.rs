//! A content on its way out of the store.

use bytes::Bytes;
use object_store::ObjectStoreExt;

use super::frames::{Frames, PIECE, TAG, frames, stored_length};
use super::{Object, ObjectError, Objects};

/// How many frames are fetched at a time: 1 MiB.
const FETCHED: u64 = 16;

impl Objects {
    /// Opens a content at byte `from`. That all of it is there is asked first.
    ///
    /// # Errors
    /// [`ObjectError::Missing`], [`ObjectError::Damaged`], [`ObjectError::OtherKey`], [`ObjectError::Unavailable`].
    pub async fn read(&self, object: &Object, from: u64) -> Result<Reading, ObjectError> {
        let name = object.name;
        let key = self.keys.open(&object.key, name)?;
        let found = match self.store.head(&name.path()).await {
            Err(object_store::Error::NotFound { .. }) => return Err(ObjectError::Missing(name)),
            found => found.map_err(ObjectError::of)?,
        };
        if found.size != stored_length(object.length) {
            return Err(ObjectError::Damaged(name));
        }
        let frames = Frames::new(&key, name).map_err(|_| ObjectError::Damaged(name))?;
        Ok(Reading { objects: self.clone(), object: object.clone(), frames, at: from })
    }
}

/// A content that is being read. Every byte that it gives was verified before.
pub struct Reading {
    objects: Objects,
    object: Object,
    frames: Frames,
    at: u64,
}

impl Reading {
    /// Where the next bytes begin.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The next bytes, at most 1 MiB; none at the end.
    ///
    /// # Errors
    /// [`ObjectError::Damaged`], [`ObjectError::Missing`], [`ObjectError::Unavailable`]; it may be called again after the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        let Object { name, length, .. } = self.object;
        let (first, all) = (self.at / PIECE as u64, frames(length));
        // An empty content has a frame too, which is opened as every other.
        if self.at >= length && (length > 0 || self.at > 0) {
            return Ok(None);
        }
        let end = first.saturating_add(FETCHED).min(all);
        let place = |frame: u64| frame.saturating_mul((PIECE + TAG) as u64).min(stored_length(length));
        let fetched = match self.objects.store.get_range(&name.path(), place(first)..place(end)).await {
            Err(object_store::Error::NotFound { .. }) => return Err(ObjectError::Missing(name)),
            fetched => fetched.map_err(ObjectError::of)?,
        };
        let damaged = || ObjectError::Damaged(name);
        if fetched.len() as u64 != place(end) - place(first) {
            return Err(damaged());
        }
        let mut fetched = Vec::from(fetched);
        let mut content = Vec::with_capacity(fetched.len());
        for (number, frame) in (first..end).zip(fetched.chunks_mut(PIECE + TAG)) {
            let piece = self.frames.open(number, number + 1 == all, frame).map_err(|_| damaged())?;
            content.extend_from_slice(piece);
        }
        let before = usize::try_from(self.at - first * PIECE as u64).map_err(|_| damaged())?;
        let mut content = Bytes::from(content);
        let content = content.split_off(before.min(content.len()));
        self.at += (content.len() as u64).max(u64::from(length == 0));
        Ok((!content.is_empty()).then_some(content))
    }
}
