//! The times within which an authority's deliveries may be tests (`Proeve`), as its system responsible has opened them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::id::cvr::Cvr;

/// From an instant to another, which is not within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The first instant.
    pub from: Timestamp,
    /// The first one after it.
    pub to: Timestamp,
}

impl Opening {
    /// `None` where nothing lies between the two.
    pub fn new(from: Timestamp, to: Timestamp) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// Whether the instant is within.
    pub fn is_open(&self, at: Timestamp) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// The openings by sending authority. Where nothing is said no test is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Openings(BTreeMap<Cvr, Vec<Opening>>);

impl Openings {
    /// Those that are said.
    pub fn new(said: impl IntoIterator<Item = (Cvr, Opening)>) -> Self {
        let mut openings: BTreeMap<Cvr, Vec<Opening>> = BTreeMap::new();
        for (sender, opening) in said {
            openings.entry(sender).or_default().push(opening);
        }
        Self(openings)
    }

    /// Whether a test of this sender is taken at this instant.
    pub fn are_open(&self, sender: &Cvr, at: Timestamp) -> bool {
        self.0.get(sender).is_some_and(|openings| openings.iter().any(|opening| opening.is_open(at)))
    }

    /// Each with its sender.
    pub fn all(&self) -> impl Iterator<Item = (Cvr, Opening)> + '_ {
        self.0.iter().flat_map(|(sender, openings)| openings.iter().map(|opening| (*sender, *opening)))
    }
}
