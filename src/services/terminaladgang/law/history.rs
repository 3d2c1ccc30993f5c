//! Policies have a history: which version was in force on a day.
//!
//! The files are kept, so that yesterday's decision can be explained by yesterday's rules; the audit record names version
//! and digest.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::diff::{Effect, differences};
use super::document::Policy;
use crate::clock::copenhagen;

/// Every version of one policy, by the day from which it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History(Vec<Policy>);

/// Why some policies are no history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Two policies with different ids.
    #[error("{0} and {1} are two policies; keep each policy's versions by themselves")]
    Ids(String, String),
    /// A version twice.
    #[error("version {0} is there twice; each change has its own version")]
    Version(String),
    /// A day twice.
    #[error("two versions are in force from {0}; give each its own valid-from")]
    Day(Date),
}

impl History {
    /// Puts versions in order.
    ///
    /// # Errors
    /// [`HistoryError`]: on no day may two versions be in force.
    pub fn new(mut versions: Vec<Policy>) -> Result<Self, HistoryError> {
        versions.sort_by_key(Policy::valid_from);
        for (n, policy) in versions.iter().enumerate() {
            for later in versions.iter().skip(n + 1) {
                if policy.id() != later.id() {
                    return Err(HistoryError::Ids(policy.id().to_owned(), later.id().to_owned()));
                }
                if policy.version() == later.version() {
                    return Err(HistoryError::Version(policy.version().to_owned()));
                }
                if policy.valid_from() == later.valid_from() {
                    return Err(HistoryError::Day(policy.valid_from()));
                }
            }
        }
        Ok(Self(versions))
    }

    /// The version in force on a day (Europe/Copenhagen); `None` before the first.
    pub fn at(&self, day: Date) -> Option<&Policy> {
        self.0.iter().rev().find(|policy| policy.valid_from() <= day)
    }

    /// Every version, the oldest first.
    pub fn versions(&self) -> &[Policy] {
        &self.0
    }
}

/// Every version by the instant from which it is in force, so that a call is judged by the version of its own instant: one
/// whose day comes takes force at that midnight (Europe/Copenhagen), without a restart.
#[derive(Debug)]
pub struct Timetable {
    versions: Vec<(Timestamp, Arc<Policy>)>,
    /// Whether the second version of each two gives nothing beyond the first.
    no_wider: BTreeSet<(usize, usize)>,
}

impl Timetable {
    /// The version in force at `now`; `None` before the first.
    pub fn at(&self, now: Timestamp) -> Option<&Arc<Policy>> {
        self.place_at(now).and_then(|place| self.versions.get(place)).map(|(_, policy)| policy)
    }

    fn place_at(&self, now: Timestamp) -> Option<usize> {
        self.versions.iter().rposition(|(from, _)| *from <= now)
    }

    /// Every version, the oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.versions.iter().map(|(_, policy)| policy)
    }

    fn place_of(&self, digest: &str) -> Option<usize> {
        self.versions.iter().position(|(_, policy)| crate::hex::encode(policy.digest()) == digest)
    }

    /// Whether a version gives nothing beyond the one with this digest. One that is not kept is covered by nothing.
    pub fn covers(&self, digest: &str, policy: &Policy) -> bool {
        let place = self.versions.iter().position(|(_, known)| known.digest() == policy.digest());
        self.place_of(digest).zip(place).is_some_and(|pair| self.no_wider.contains(&pair))
    }

    /// The version by which a call is judged at `now` that stands on agreements approved under the versions with these digests: the
    /// latest that gives nothing beyond the one in force, nor beyond any that was approved. `None`: there is none.
    pub fn approved(&self, now: Timestamp, digests: &[&str]) -> Option<&Arc<Policy>> {
        let in_force = self.place_at(now)?;
        let mut bounds = vec![in_force];
        for digest in digests {
            bounds.push(self.place_of(digest)?);
        }
        let within = |place: usize| bounds.iter().all(|bound| self.no_wider.contains(&(*bound, place)));
        let place = (0..=in_force).rev().find(|place| within(*place))?;
        self.versions.get(place).map(|(_, policy)| policy)
    }
}

impl TryFrom<History> for Timetable {
    type Error = jiff::Error;

    fn try_from(history: History) -> Result<Self, jiff::Error> {
        let zone = copenhagen().ok_or_else(|| jiff::Error::from_args(format_args!("there is no Europe/Copenhagen")))?;
        let begins = |policy: Policy| Ok((policy.valid_from().to_zoned(zone.clone())?.timestamp(), Arc::new(policy)));
        let versions = history.0.into_iter().map(begins).collect::<Result<Vec<_>, jiff::Error>>()?;
        let mut no_wider = BTreeSet::new();
        for (before, (_, old)) in versions.iter().enumerate() {
            for (after, (_, new)) in versions.iter().enumerate() {
                if differences(old, new).iter().all(|difference| difference.effect != Effect::Widening) {
                    no_wider.insert((before, after));
                }
            }
        }
        Ok(Self { versions, no_wider })
    }
}
