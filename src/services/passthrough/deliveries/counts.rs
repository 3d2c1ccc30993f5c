//! What became of deliveries that were known before, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted, by its name in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Sent again, and answered with the receipt of before.
    Repeated,
    /// Refused: the id was used with other content.
    Altered,
    /// Refused: an earlier attempt is under way.
    UnderWay,
    /// The answer was lost after the delivery was passed on: nobody here knows whether it was taken.
    Unknown,
    /// Passed on once more with the same id, to hear what became of it.
    AskedAgain,
    /// Refused: nobody knows what became of it, and the receiver may not be asked again.
    Unanswered,
    /// The store did not answer.
    StoreFailed,
}

impl What {
    /// All, by name.
    pub const ALL: [(&str, Self); 7] = [
        ("repeated", Self::Repeated),
        ("altered", Self::Altered),
        ("under_way", Self::UnderWay),
        ("unknown", Self::Unknown),
        ("asked_again", Self::AskedAgain),
        ("unanswered", Self::Unanswered),
        ("store_failed", Self::StoreFailed),
    ];
}

/// The counts.
#[derive(Debug, Default)]
pub struct Counts([AtomicU64; What::ALL.len()]);

impl Counts {
    /// Counts `times`.
    pub fn add(&self, what: What, times: u64) {
        if let Some(count) = self.0.get(what as usize) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// How often each happened since the start.
    pub fn stats(&self) -> [(&'static str, u64); What::ALL.len()] {
        What::ALL.map(|(name, what)| (name, self.0.get(what as usize).map_or(0, |count| count.load(Ordering::Relaxed))))
    }
}
