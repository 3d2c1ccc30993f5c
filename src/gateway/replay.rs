//! Replay: the same message is let through once.
//!
//! The memory never forgets before the message has expired by its own Timestamp: when it is full, new messages wait
//! (`ReplayMemoryFull`) rather than old ones slip out. After a restart the memory is empty, so what was created before
//! the start is refused (`CreatedBeforeStart`). Test and remembrance are one operation under one lock: of eight copies
//! that arrive at once, one passes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};

use super::authenticate::{Authenticated, Message};
use super::call::{Call, OfCall};
use super::persons::Named;
use super::step::Check;
use crate::clock::Clock;
use crate::refusal::Refusal;

/// How many locks the memory is spread over.
const SHARDS: usize = 16;

type Key = [u8; 32];

#[derive(Default)]
struct Shard {
    until: HashMap<Key, Timestamp>,
    /// In order of arrival; as every message is kept equally long after it came, also in order of expiry.
    order: VecDeque<(Timestamp, Key)>,
}

/// The messages seen, each kept until it could no longer pass the Timestamp check.
pub struct ReplayMemory {
    shards: Vec<Mutex<Shard>>,
    per_shard: usize,
    keep: SignedDuration,
    started: Timestamp,
}

impl ReplayMemory {
    /// A memory for `capacity` messages, each kept for `keep` after it came (at least twice the greatest age plus skew).
    pub fn new(capacity: usize, keep: Duration, started: Timestamp) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            per_shard: capacity.div_ceil(SHARDS).max(1),
            keep: SignedDuration::try_from(keep).unwrap_or(SignedDuration::from_hours(1)),
            started,
        }
    }

    /// Remembers a message, or says why it may not pass. `sender` (the key's thumbprint) keeps one caller from using up
    /// another's ids.
    ///
    /// # Errors
    /// `Replay`, `ReplayMemoryFull`, `CreatedBeforeStart`.
    pub fn remember(&self, sender: &[u8], message_id: &str, created: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        if created < self.started {
            return Err(Refusal::CreatedBeforeStart);
        }
        // The sender's thumbprint has one length, so no two pairs give the same bytes.
        let key = digest(&SHA256, &[sender, message_id.as_bytes()].concat());
        let key: Key = key.as_ref().try_into().map_err(|_| Refusal::Internal)?;
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

/// A call that was not seen before.
pub struct Fresh {
    named: Named,
}

impl Fresh {
    /// The call, and who makes it.
    pub fn authenticated(&self) -> &Authenticated {
        self.named.authenticated()
    }
    /// The call, and whom it names.
    pub fn named(&self) -> &Named {
        &self.named
    }
}

impl OfCall for Fresh {
    fn call(&self) -> &Call {
        self.named.call()
    }
}

/// The step. Stands after `authenticate`: only a proven sender's id is worth a place in the memory, so junk cannot fill it.
pub struct Replay {
    /// The memory.
    pub memory: std::sync::Arc<ReplayMemory>,
    /// The clock.
    pub clock: Clock,
}

impl Check for Replay {
    const NAME: &'static str = "replay";
    type In = Named;
    type Out = Fresh;

    async fn check(&self, named: Named) -> Result<Fresh, Refusal> {
        let authenticated = named.authenticated();
        // Mutual TLS keeps a recorded AuthorityContext call from being sent again by anyone but the system itself.
        if let Some(Message { id, created }) = authenticated.caller().message() {
            self.memory.remember(authenticated.caller().system(), id, *created, self.clock.now())?;
        }
        Ok(Fresh { named })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn memory(capacity: usize) -> ReplayMemory {
        ReplayMemory::new(capacity, Duration::from_secs(720), at(0))
    }

    #[test]
    fn the_same_message_passes_once_until_its_timestamp_has_long_expired() {
        let memory = memory(1000);
        assert_eq!(memory.remember(b"k", "urn:uuid:1", at(1), at(1)), Ok(()));
        assert_eq!(memory.remember(b"k", "urn:uuid:1", at(1), at(2)), Err(Refusal::Replay));
        assert_eq!(memory.remember(b"k", "urn:uuid:1", at(1), at(721)), Err(Refusal::Replay), "the last instant counts");
        assert_eq!(memory.remember(b"k", "urn:uuid:1", at(1), at(722)), Ok(()), "by now the Timestamp check refuses it");
    }

    #[test]
    fn one_sender_cannot_use_up_the_ids_of_another() {
        let memory = memory(1000);
        assert_eq!(memory.remember(b"k", "urn:uuid:1", at(1), at(1)), Ok(()));
        assert_eq!(memory.remember(b"l", "urn:uuid:1", at(1), at(1)), Ok(()));
    }

    #[test]
    fn a_full_memory_refuses_new_messages_and_forgets_none() {
        let memory = memory(SHARDS);
        let mut full = false;
        for n in 0..200 {
            match memory.remember(b"k", &format!("urn:uuid:{n}"), at(1), at(1)) {
                Ok(()) => {}
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::ReplayMemoryFull { seconds: 30 });
                    full = true;
                }
            }
        }
        assert!(full);
        assert_eq!(memory.len(), SHARDS);
        assert_eq!(memory.remember(b"k", "urn:uuid:0", at(1), at(1)), Err(Refusal::Replay), "the first is still known");
        assert_eq!(memory.remember(b"k", "urn:uuid:new", at(700), at(722)), Ok(()), "room comes with expiry, not before");
    }

    #[test]
    fn what_was_created_before_the_start_cannot_be_told_from_a_replay() {
        assert_eq!(memory(9).remember(b"k", "urn:uuid:1", at(-1), at(1)), Err(Refusal::CreatedBeforeStart));
    }

    #[test]
    fn of_eight_copies_at_once_one_passes() {
        let memory = memory(1000);
        let passed = std::thread::scope(|scope| {
            let tries: Vec<_> =
                (0..8).map(|_| scope.spawn(|| memory.remember(b"k", "urn:uuid:1", at(1), at(1)).is_ok())).collect();
            tries.into_iter().map(|t| t.join().unwrap()).filter(|passed| *passed).count()
        });
        assert_eq!(passed, 1);
    }
}
