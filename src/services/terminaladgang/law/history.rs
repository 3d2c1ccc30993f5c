//! Policies have a history: which version was in force on a day.
//!
//! The files are kept, so that yesterday's decision can be explained by yesterday's rules; the audit record names version
//! and digest.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

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
pub struct Timetable(Vec<(Timestamp, Arc<Policy>)>);

impl Timetable {
    /// The version in force at `now`; `None` before the first.
    pub fn at(&self, now: Timestamp) -> Option<&Arc<Policy>> {
        self.0.iter().rev().find(|(from, _)| *from <= now).map(|(_, policy)| policy)
    }
}

impl TryFrom<History> for Timetable {
    type Error = jiff::Error;

    fn try_from(history: History) -> Result<Self, jiff::Error> {
        let zone = copenhagen().ok_or_else(|| jiff::Error::from_args(format_args!("there is no Europe/Copenhagen")))?;
        let begins = |policy: Policy| Ok((policy.valid_from().to_zoned(zone.clone())?.timestamp(), Arc::new(policy)));
        history.0.into_iter().map(begins).collect::<Result<_, _>>().map(Self)
    }
}
