//! A content of the object store read from any byte on, as clients of a door ask for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use uuid::Uuid;

use super::parts::Parts;
use crate::objects::{Object, ObjectError, Objects, Reading};

/// A content, with what was read of it last and where that stands. Its key is here: it stays readable when its row goes.
pub(super) struct Seeking {
    objects: Objects,
    object: Object,
    reading: Option<Reading>,
    ahead: (u64, Bytes),
}

impl Seeking {
    pub(super) fn new(objects: Objects, object: Object) -> Self {
        Self { objects, object, reading: None, ahead: (0, Bytes::new()) }
    }

    /// From one byte to before another, which is not behind the end.
    pub(super) async fn read(&mut self, offset: u64, end: u64) -> Result<Bytes, ObjectError> {
        let mut out = Vec::new();
        let mut at = offset;
        while at < end {
            let (from, held) = &self.ahead;
            let skip = at.checked_sub(*from).and_then(|skip| usize::try_from(skip).ok()).filter(|skip| *skip < held.len());
            if let Some(skip) = skip {
                let upto = held.len().min(skip.saturating_add(usize::try_from(end - at).unwrap_or(usize::MAX)));
                let piece = held.slice(skip..upto);
                at += piece.len() as u64;
                // What is asked for lies in one piece nearly always, and is handed on as it is.
                if out.is_empty() && at >= end {
                    return Ok(piece);
                }
                out.reserve(usize::try_from(end - offset).unwrap_or_default().saturating_sub(out.len()));
                out.extend_from_slice(&piece);
                continue;
            }
            let fresh = match self.reading.take() {
                Some(reading) if reading.position() == at => reading,
                _ => self.objects.read(&self.object, at).await?,
            };
            let fresh = self.reading.insert(fresh);
            match fresh.next().await? {
                Some(bytes) => self.ahead = (at, bytes),
                None => break,
            }
        }
        Ok(Bytes::from(out))
    }
}

/// Files of which it is remembered what was handed out, and for how long after the last of it.
const FILES: u64 = 100_000;
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// Parts of one file that are kept apart: whoever reads in more pieces is not counted, and may begin anew.
const PARTS: usize = 256;

/// What of which file was handed out on this node: a file counts as fetched when all of it was, by however many handles and sessions.
#[derive(Clone)]
pub(super) struct Handed(Cache<Uuid, Arc<Mutex<Parts>>>);

impl Default for Handed {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(FILES).time_to_idle(REMEMBERED).build())
    }
}

impl Handed {
    /// That of one file.
    pub(super) fn of(&self, file: Uuid) -> Out {
        Out(self.0.get_with(file, Arc::default))
    }
}

/// What of one file was handed out.
pub(super) struct Out(Arc<Mutex<Parts>>);

impl Out {
    pub(super) fn add(&self, from: u64, length: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(from, from.saturating_add(length as u64), PARTS);
    }

    /// Whether all of a file of this size was.
    pub(super) fn is_whole(&self, size: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_whole(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_of_a_file_is_one_by_whatever_handles() {
        let (handed, file) = (Handed::default(), Uuid::new_v4());
        handed.of(file).add(5, 5);
        assert!(!handed.of(file).is_whole(10) && handed.of(file).is_whole(0));
        handed.of(Uuid::nil()).add(0, 5);
        assert!(!handed.of(file).is_whole(10), "another's");
        handed.of(file).add(0, 5);
        assert!(handed.of(file).is_whole(10));
    }
}
