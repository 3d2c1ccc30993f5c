//! When agreements are over once an end is decided, and when the last of several is.
//!
//! What several agreements cover stays for as long as any of them holds, and no longer: one that is itself under notice keeps it until its
//! own end. Nothing happens at that end by itself, so that what goes with it is settled with whichever end is decided last.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use crate::agreements::Agreement;

/// What ends or is closed with an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken<T> {
    /// The agreement or the route, as it was before.
    pub thing: T,
    /// The first instant at which it no longer holds, or carries anything.
    pub ends_at: Timestamp,
    /// The agreement whose end that is: the last of those that it goes with.
    pub until: Uuid,
    /// The agreements by whose notices it ends. If any of these goes on after all, it is judged anew.
    pub(super) by: BTreeSet<Uuid>,
}

/// An end that an agreement is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) at: Timestamp,
    pub(super) until: Uuid,
    pub(super) by: BTreeSet<Uuid>,
}

/// The ends of agreements as they are once what is proposed is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ends(pub(super) BTreeMap<Uuid, Given>);

impl Ends {
    /// The first instant at which an agreement that is open no longer holds. None: neither notice nor what is proposed ends it. A period alone
    /// is no end here: when it is over, what goes with it is judged then.
    pub(super) fn of(&self, line: &Agreement) -> Option<Timestamp> {
        let end = self.0.get(&line.id).map(|given| given.at).into_iter().chain(line.ends_at).min()?;
        Some(line.valid_to.map_or(end, |to| end.min(to)))
    }

    /// When the last of these is over, and with whose end that is. None: one of them goes on, or there are none.
    pub(super) fn last<'a>(&self, lines: impl IntoIterator<Item = &'a Agreement>) -> Option<(Timestamp, Uuid)> {
        let ends: Option<Vec<_>> = lines.into_iter().map(|line| Some((self.of(line)?, line.id))).collect();
        let (at, id) = ends?.into_iter().max()?;
        Some((at, self.0.get(&id).map_or(id, |given| given.until)))
    }

    /// The agreements by whose notices these end: those that what is proposed goes back to, and those with a notice of their own.
    pub(super) fn by<'a>(&self, lines: impl IntoIterator<Item = &'a Agreement>) -> BTreeSet<Uuid> {
        let own = |line: &Agreement| BTreeSet::from([line.id]);
        lines.into_iter().flat_map(|line| self.0.get(&line.id).map_or_else(|| own(line), |given| given.by.clone())).collect()
    }
}
