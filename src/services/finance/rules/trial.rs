//! The time within which an authority's deliveries may be tests (`Proeve`), as its system responsible has opened it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::id::cvr::Cvr;

/// From an instant to another, which is not within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    from: Timestamp,
    to: Timestamp,
}

impl Opening {
    /// `None` where nothing lies between the two.
    pub fn new(from: Timestamp, to: Timestamp) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }
}

/// The openings by sending authority. Where nothing is said no test is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Openings(BTreeMap<Cvr, Opening>);

impl Openings {
    /// Those that are said.
    pub fn new(said: BTreeMap<Cvr, Opening>) -> Self {
        Self(said)
    }

    /// Whether a test of this sender is taken at this instant.
    pub fn are_open(&self, sender: &Cvr, at: Timestamp) -> bool {
        self.0.get(sender).is_some_and(|opening| (opening.from..opening.to).contains(&at))
    }
}
