//! What a shared memory did, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Why messages were not remembered, as the metric's label says it.
pub const CAUSES: [&str; 4] = ["queue_full", "slow", "unavailable", "unknown"];

/// Why a message was not remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Too many waited already.
    QueueFull,
    /// No answer in the time that a call may wait.
    Slow,
    /// The database does not answer, or refuses.
    Unavailable,
    /// It may have been remembered, by this call or another.
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    messages: AtomicU64,
    statements: AtomicU64,
    waited_us: AtomicU64,
    failures: [AtomicU64; CAUSES.len()],
    forgotten: AtomicU64,
}

/// The counts, all since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages asked about.
    pub messages: u64,
    /// Statements that were sent for them.
    pub statements: u64,
    /// How long calls waited, in microseconds, all together.
    pub waited_us: u64,
    /// Messages refused because they could not be remembered, by [`CAUSES`].
    pub failures: [u64; CAUSES.len()],
    /// Messages that had expired and were deleted by this node.
    pub forgotten: u64,
}

impl Counts {
    pub(super) fn waited(&self, wait: Duration) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.waited_us.fetch_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn sent(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, cause: Cause) {
        if let Some(count) = self.failures.get(cause as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn forgot(&self, messages: u64) {
        self.forgotten.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut failures = [0; CAUSES.len()];
        failures.iter_mut().zip(&self.failures).for_each(|(shown, count)| *shown = now(count));
        Stats {
            messages: now(&self.messages),
            statements: now(&self.statements),
            waited_us: now(&self.waited_us),
            failures,
            forgotten: now(&self.forgotten),
        }
    }
}
