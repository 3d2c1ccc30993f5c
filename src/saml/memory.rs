//! Assertions that were verified once: what they say is remembered, never whether it counts.
//!
//! A client system sends one token with all its calls for hours, so the issuer's signature, the two digests of the assertion
//! and the holder's certificate would be worked out anew thousands of times from the same bytes. What depends on those bytes
//! alone is remembered here: the [`Statement`] and the digest that the message's STR-Transform asks for. What depends on
//! anything else is asked of each message: the trust in the key that signed, the times, the audience, the holder's
//! certificate and its revocation, the message's own signature by the holder, replay.
//!
//! The same bytes may mean something else in another place: prefixes are bound by the elements around them. So the key is the
//! assertion's own bytes *and* every namespace declaration in whose scope they stand, compared byte by byte (a digest of them
//! would cost more, and say less). An attacker who puts the bytes of a known token where its prefixes mean other namespaces
//! has a token that nobody knows, and whose signature does not hold.
//!
//! Only a message that was proven as a whole puts its token here, so neither junk nor a stolen token takes up room.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use super::assertion::Statement;
use crate::signature::verify::TokenDigest;
use crate::soap::document::Element;

/// What an entry takes beside twice its bytes (as they came, and as they were read): its holder's key in parsed form, and
/// the cache's own. It bounds the entries, too.
const OVERHEAD: usize = 8 * 1024;
/// How long an entry is kept at most: as long as any token lives. Whether the token still holds is judged at each use.
const LONGEST: Duration = Duration::from_secs(8 * 3600);

/// The declarations in scope, and the assertion's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    bytes: Vec<u8>,
    /// Worked out once, for it is asked twice of an assertion that is not known. Keyed, as the library's is, so that no holder
    /// of many tokens can build some that fall on one place.
    hash: u64,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl AssertionMemory {
    /// Where an assertion is to be looked for; `None` where its bytes were not kept.
    pub(super) fn key(&self, assertion: Element<'_>) -> Option<Key> {
        let bytes = assertion.source();
        if bytes.is_empty() {
            return None;
        }
        let mut key = Vec::with_capacity(bytes.len() + 1024);
        let around = std::iter::successors(assertion.parent(), Element::parent);
        // Innermost first, as a prefix is looked up. XML forbids the NUL in a name and in the assertion, so that no two lists
        // and assertions look alike: a pair ends with one, and only pairs stand before an assertion, which begins with `<`.
        for (prefix, namespace) in around.flat_map(|element| element.declarations()) {
            for part in [prefix, namespace] {
                key.extend_from_slice(part.as_bytes());
                key.push(0);
            }
        }
        key.extend_from_slice(bytes);
        Some(Key { hash: self.hasher.hash_one(&key), bytes: key })
    }
}

/// One assertion that was verified.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) statement: Arc<Statement>,
    pub(super) digest: TokenDigest,
    bytes: usize,
}

/// What the memory did, counted since the process began: for the metrics. One may serve several memories in turn.
#[derive(Debug, Default)]
pub struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// [`Counts`] at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages whose assertion was known.
    pub hits: u64,
    /// Messages whose assertion was not.
    pub misses: u64,
}

impl Counts {
    /// The figures now.
    pub fn stats(&self) -> Stats {
        Stats { hits: self.hits.load(Ordering::Relaxed), misses: self.misses.load(Ordering::Relaxed) }
    }
}

/// The memory. Bounded in bytes, and thereby in entries; what is used most is kept.
#[derive(Debug)]
pub struct AssertionMemory {
    known: Cache<Key, Arc<Remembered>>,
    hasher: RandomState,
    counts: Arc<Counts>,
}

impl AssertionMemory {
    /// An empty memory of at most `bytes` (each entry counts twice its assertion's length and 8 KiB), which counts what it
    /// does in `counts`.
    pub fn new(bytes: usize, counts: Arc<Counts>) -> Self {
        let weight = |_: &Key, entry: &Arc<Remembered>| u32::try_from(2 * entry.bytes + OVERHEAD).unwrap_or(u32::MAX);
        let known = Cache::builder().max_capacity(bytes as u64).weigher(weight).time_to_live(LONGEST).build();
        Self { known, hasher: RandomState::new(), counts }
    }

    /// About how many assertions are remembered.
    pub fn entries(&self) -> u64 {
        self.known.run_pending_tasks();
        self.known.entry_count()
    }

    pub(super) fn find(&self, key: &Key) -> Option<Arc<Remembered>> {
        let found = self.known.get(key);
        let count = if found.is_some() { &self.counts.hits } else { &self.counts.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    pub(super) fn remember(&self, key: Key, statement: Arc<Statement>, digest: TokenDigest, bytes: usize) {
        self.known.insert(key, Arc::new(Remembered { statement, digest, bytes }));
    }
}
