//! Names of contents that are announced before there is anything of them.
//!
//! A content has a row before anything of it is sent, so that it is found if nothing comes of it. That row is a transaction of its own; where many files
//! come in a short time one announces several. A name that is never used is a content that nothing came of, and is cleaned up as such.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::core::{Failed, Files};
use super::shelf;
use crate::objects::ObjectName;
use crate::store::{StoreError, until_it_holds};

/// Names that are announced at a time, at most.
const MOST: usize = 32;
/// Where names are used up within this, twice as many are announced the next time.
const SOON: SignedDuration = SignedDuration::from_secs(1);
/// After so long they are used no more: what is announced is abandoned one day.
const KEPT: SignedDuration = SignedDuration::from_mins(10);

/// The names that are announced and not used.
#[derive(Default)]
pub(super) struct Ahead(Mutex<Names>);

#[derive(Default)]
struct Names {
    ready: Vec<ObjectName>,
    many: usize,
    since: Timestamp,
}

impl Names {
    /// One, and since when it is announced; or how many are to be announced now.
    fn next(&mut self, now: Timestamp) -> Result<(ObjectName, Timestamp), usize> {
        let age = now.duration_since(self.since);
        if age.is_negative() || age >= KEPT {
            self.ready.clear();
        }
        if let Some(name) = self.ready.pop() {
            return Ok((name, self.since));
        }
        let soon = !age.is_negative() && age < SOON;
        self.many = if soon { self.many.saturating_mul(2).clamp(1, MOST) } else { 1 };
        Err(self.many)
    }
}

impl Ahead {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// A name that is announced, for one content, and since when it is.
    pub(super) async fn announced(&self) -> Result<(ObjectName, Timestamp), Failed> {
        let now = self.now();
        let next = self.0.ahead.names().next(now);
        let many = match next {
            Ok(name) => return Ok(name),
            Err(many) => many,
        };
        let name = ObjectName::random();
        let others: Vec<ObjectName> = (1..many).map(|_| ObjectName::random()).collect();
        until_it_holds(async || -> Result<(), StoreError> {
            let mut transaction = self.database().begin_beside_others().await?;
            for name in others.iter().chain([&name]) {
                shelf::announce(&mut transaction, *name, now).await?;
            }
            transaction.commit().await
        })
        .await?;
        let mut names = self.0.ahead.names();
        if names.ready.is_empty() {
            names.since = now;
        }
        // Others may have announced some meanwhile.
        names.ready.extend(others);
        Ok((name, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_files_come_one_after_the_other_more_are_announced_at_a_time_and_none_is_used_that_is_old() {
        let mut names = Names::default();
        let begun: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let after = |seconds: i64| begun.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        let announce = |names: &mut Names, many: usize, at| {
            (names.ready, names.since) = ((1..many).map(|_| ObjectName::random()).collect(), at);
        };
        let mut asked = Vec::new();
        for _ in 0..100 {
            if let Err(many) = names.next(begun) {
                announce(&mut names, many, begun);
                asked.push(many);
            }
        }
        assert_eq!(asked, [1, 2, 4, 8, 16, 32, 32, 32]);
        assert!(names.next(after(9 * 60)).is_ok(), "of those that are there");
        assert_eq!(names.next(after(10 * 60)), Err(1));
        assert_eq!(names.next(after(-1)), Err(1), "a clock that was set back");
    }
}
