//! A content of the object store read from any byte on, as clients of a door ask for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use uuid::Uuid;

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
/// Parts of one file that are kept apart.
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
        if length > 0 {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).add(from, from.saturating_add(length as u64));
        }
    }

    /// Whether all of a file of this size was.
    pub(super) fn is_whole(&self, size: u64) -> bool {
        size == 0
            || self.0.lock().unwrap_or_else(PoisonError::into_inner).0.first().is_some_and(|part| part.0 == 0 && part.1 >= size)
    }
}

/// Ranges that do not touch each other, in order.
#[derive(Default)]
struct Parts(Vec<(u64, u64)>);

impl Parts {
    fn add(&mut self, mut from: u64, mut to: u64) {
        self.0.retain(|&(begins, ends)| {
            let apart = ends < from || to < begins;
            if !apart {
                (from, to) = (from.min(begins), to.max(ends));
            }
            apart
        });
        let at = self.0.partition_point(|&(begins, _)| begins < from);
        self.0.insert(at, (from, to));
        // Whoever reads in so many pieces is not counted, and may begin anew.
        self.0.truncate(PARTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(parts: &[(u64, usize)], size: u64) -> bool {
        let out = Handed::default().of(Uuid::nil());
        parts.iter().for_each(|(from, length)| out.add(*from, *length));
        out.is_whole(size)
    }

    #[test]
    fn a_file_is_handed_out_when_each_of_its_bytes_was_in_whatever_order() {
        assert!(whole(&[], 0));
        assert!(whole(&[(0, 10)], 10) && whole(&[(0, 5), (5, 5)], 10) && whole(&[(5, 5), (0, 6)], 10));
        assert!(whole(&[(8, 2), (0, 2), (4, 2), (2, 2), (6, 2)], 10));
        for parts in [&[][..], &[(9, 1)], &[(0, 9)], &[(10, 0)], &[(0, 4), (5, 5)], &[(1, 9)]] {
            assert!(!whole(parts, 10), "{parts:?}");
        }
        let scattered: Vec<(u64, usize)> = (0..10_000).map(|at| (at * 2, 1)).collect();
        assert!(!whole(&scattered, 20_000));
    }
}
