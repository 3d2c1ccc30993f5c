//! Replay: the same message is let through once.
//!
//! A memory holds a digest of every message that was let through, until the message could no longer pass the Timestamp check.
//! It is kept by each node for itself ([`node`]), or by all nodes in their store ([`database`]). Both have the same rules:
//!
//! - Test and remembrance are one operation: of eight copies that arrive at once, one passes.
//! - Nothing is forgotten early. What cannot be remembered, or of which nobody knows whether it was, is refused.
//! - What was created before the memory remembers cannot be told from a replay, and is refused.

mod batch;
mod counts;
pub mod database;
pub mod node;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;

use crate::refusal::Refusal;
pub use counts::{CAUSES, Stats};
use database::DatabaseMemory;
use node::NodeMemory;

/// What stands for a message.
pub type Key = [u8; 32];

/// A message, as much of it as a memory is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// A digest of sender and message id: neither is kept.
    pub key: Key,
    /// When its sender says that it was made.
    pub created: Timestamp,
}

impl Seen {
    /// `sender` (the key's thumbprint, of one length always) keeps one caller from using up another's ids.
    pub fn new(sender: &[u8], message_id: &str, created: Timestamp) -> Self {
        let mut key = Key::default();
        // The sender's thumbprint has one length, so no two pairs give the same bytes.
        let digest = digest(&SHA256, &[sender, message_id.as_bytes()].concat());
        key.iter_mut().zip(digest.as_ref()).for_each(|(byte, of)| *byte = *of);
        Self { key, created }
    }
}

/// The memory that the configuration chose.
pub enum ReplayMemory {
    /// Of this process alone.
    Node(NodeMemory),
    /// Shared by all nodes of one store.
    Database(DatabaseMemory),
}

impl ReplayMemory {
    /// Remembers a message, or says why it may not pass.
    ///
    /// # Errors
    /// `Replay`; `ReplayMemoryFull` and `CreatedBeforeStart` of a node's memory; `ReplayMemoryUnavailable` and
    /// `CreatedBeforeMemory` of a shared one.
    pub async fn remember(&self, message: Seen, now: Timestamp) -> Result<(), Refusal> {
        match self {
            ReplayMemory::Node(memory) => memory.remember(message, now),
            ReplayMemory::Database(memory) => memory.remember(message, now).await,
        }
    }
}
