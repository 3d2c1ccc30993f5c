//! The memory of one process.
//!
//! It never forgets before the message has expired by its own Timestamp: when it is full, new messages wait
//! (`ReplayMemoryFull`) rather than old ones slip out. After a restart it is empty, so what was created before the start is
//! refused (`CreatedBeforeStart`). Test and remembrance are done under one lock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Key, Seen};
use crate::refusal::Refusal;

/// How many locks the memory is spread over.
const SHARDS: usize = 16;

#[derive(Default)]
struct Shard {
    until: HashMap<Key, Timestamp>,
    /// In order of arrival; as every message is kept equally long after it came, also in order of expiry.
    order: VecDeque<(Timestamp, Key)>,
}

/// The messages seen, each kept until it could no longer pass the Timestamp check.
pub struct NodeMemory {
    shards: Vec<Mutex<Shard>>,
    per_shard: usize,
    keep: SignedDuration,
    started: Timestamp,
}

impl NodeMemory {
    /// A memory for `capacity` messages, each kept for `keep` after it came (at least twice the greatest age plus skew).
    pub fn new(capacity: usize, keep: Duration, started: Timestamp) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            per_shard: capacity.div_ceil(SHARDS).max(1),
            keep: SignedDuration::try_from(keep).unwrap_or(SignedDuration::from_hours(1)),
            started,
        }
    }

    /// Remembers a message, or says why it may not pass.
    ///
    /// # Errors
    /// `Replay`, `ReplayMemoryFull`, `CreatedBeforeStart`.
    pub fn remember(&self, message: Seen, now: Timestamp) -> Result<(), Refusal> {
        let Seen { key, created } = message;
        if created < self.started {
            return Err(Refusal::CreatedBeforeStart);
        }
        let first = usize::from(key.first().copied().unwrap_or_default());
        let shard = self.shards.get(first % SHARDS).ok_or(Refusal::Internal)?;
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((until, key)) = shard.order.front().copied().filter(|(until, _)| *until < now) {
            shard.order.pop_front();
            if shard.until.get(&key) == Some(&until) {
                shard.until.remove(&key);
            }
        }
        if shard.until.contains_key(&key) {
            return Err(Refusal::Replay);
        }
        if shard.until.len() >= self.per_shard {
            return Err(Refusal::ReplayMemoryFull { seconds: 30 });
        }
        let until = now.checked_add(self.keep).map_err(|_| Refusal::Internal)?;
        shard.until.insert(key, until);
        shard.order.push_back((until, key));
        Ok(())
    }

    /// How many messages are remembered, for the metrics.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).until.len()).sum()
    }

    /// How many can be remembered.
    pub fn capacity(&self) -> usize {
        self.per_shard * SHARDS
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn memory(capacity: usize) -> NodeMemory {
        NodeMemory::new(capacity, Duration::from_secs(720), at(0))
    }

    fn seen(id: &str, created: i64) -> Seen {
        Seen::new(b"k", id, at(created))
    }

    #[test]
    fn a_full_memory_refuses_new_messages_and_forgets_none() {
        let memory = memory(SHARDS);
        let mut full = false;
        for n in 0..200 {
            match memory.remember(seen(&format!("urn:uuid:{n}"), 1), at(1)) {
                Ok(()) => {}
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::ReplayMemoryFull { seconds: 30 });
                    full = true;
                }
            }
        }
        assert!(full);
        assert_eq!(memory.len(), SHARDS);
        assert_eq!(memory.remember(seen("urn:uuid:0", 1), at(1)), Err(Refusal::Replay), "the first is still known");
        assert_eq!(memory.remember(seen("urn:uuid:new", 700), at(722)), Ok(()), "room comes with expiry, not before");
    }

    #[test]
    fn what_was_created_before_the_start_cannot_be_told_from_a_replay() {
        assert_eq!(memory(9).remember(seen("urn:uuid:1", -1), at(1)), Err(Refusal::CreatedBeforeStart));
    }

    #[test]
    fn of_eight_copies_at_once_one_passes() {
        let memory = memory(1000);
        let passed = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| memory.remember(seen("urn:uuid:1", 1), at(1)).is_ok())).collect();
            tries.into_iter().map(|t| t.join().unwrap()).filter(|passed| *passed).count()
        });
        assert_eq!(passed, 1);
    }
}
