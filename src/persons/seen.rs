//! Which persons a request has named already. A mark of eight bytes each, so that a file of a million takes nine megabytes.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::judge::Whom;

/// Parts, each sorted by itself: what comes is put in its place by moving a few hundred at most.
const PARTS: usize = 4096;
/// For how many a part makes room at once.
const ROOM: usize = 32;

/// What a request has named.
pub(super) struct Seen {
    hasher: RandomState,
    parts: Vec<Vec<u64>>,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), parts: Vec::new() }
    }

    /// The mark of an employment, under a key that nobody outside knows.
    pub(super) fn mark(&self, whom: &Whom) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(whom.person.as_bytes());
        hasher.write(whom.staff.as_bytes());
        hasher.finish()
    }

    fn part(mark: u64) -> usize {
        usize::try_from(mark % PARTS as u64).unwrap_or_default()
    }

    pub(super) fn has(&self, mark: u64) -> bool {
        self.parts.get(Self::part(mark)).is_some_and(|part| part.binary_search(&mark).is_ok())
    }

    pub(super) fn add(&mut self, mark: u64) {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, Vec::new);
        }
        if let Some(part) = self.parts.get_mut(Self::part(mark))
            && let Err(place) = part.binary_search(&mark)
        {
            if part.len() == part.capacity() {
                part.reserve_exact(ROOM);
            }
            part.insert(place, mark);
        }
    }
}
