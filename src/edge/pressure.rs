//! How many calls may be worked on at once: as many as keep their turn.
//!
//! Where more calls come than the processors can bear, each call that is let in makes all others slower, until every one
//! of them is late. What tells this apart from calls that merely wait for a slow index is how long a task that is *ready*
//! waits for its turn. That is measured by a task which asks to be woken every few milliseconds and looks how late it was.
//!
//! A few calls a processor are always let in. Beyond them the limit rises slowly while tasks get their turn, and falls
//! quickly when they do not, as TCP does with its window: between that floor and the configured `concurrent_requests`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How often the turn is measured.
const TICK: Duration = Duration::from_millis(10);
/// A turn that comes later than this is late. Timers are a millisecond late by themselves.
const LATE: Duration = Duration::from_millis(6);
/// Calls that are let in whatever is measured, for each processor.
const ALWAYS: usize = 8;

/// The limit, and what counts against it. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Pressure(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    under_way: AtomicUsize,
    limit: AtomicUsize,
    lowest: usize,
    highest: usize,
}

/// One call's place. Given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

impl Pressure {
    /// At most `highest` places, all free. Measures for as long as a clone of it lives; to be called within a runtime.
    pub fn new(highest: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let shared = Arc::new(Shared::new(ALWAYS * processors, highest));
        let measured = Arc::downgrade(&shared);
        tokio::spawn(async move {
            loop {
                let due = Instant::now() + TICK;
                sleep_until(due).await;
                let late = due.elapsed() > LATE;
                let Some(shared) = measured.upgrade() else { return };
                shared.adjust(late);
            }
        });
        Self(shared)
    }

    /// A place for one more call; `None` where there is none.
    pub fn place(&self) -> Option<Place> {
        let limit = self.0.limit.load(Relaxed);
        let taken = self.0.under_way.fetch_update(Relaxed, Relaxed, |taken| (taken < limit).then(|| taken + 1));
        taken.ok().map(|_| Place(self.0.clone()))
    }
}

impl Shared {
    fn new(lowest: usize, highest: usize) -> Self {
        Self { under_way: AtomicUsize::new(0), limit: AtomicUsize::new(highest), lowest: lowest.min(highest), highest }
    }

    /// Only this writes the limit, from one task.
    fn adjust(&self, late: bool) {
        let limit = self.limit.load(Relaxed);
        let next = match late {
            // From what is under way, not from a limit that nobody reached: otherwise the first seconds of a rush pass.
            true => limit.min(self.under_way.load(Relaxed)) * 3 / 4,
            false => limit + 1,
        };
        self.limit.store(next.clamp(self.lowest, self.highest), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(shared: &Arc<Shared>) -> Vec<Place> {
        let pressure = Pressure(shared.clone());
        std::iter::from_fn(|| pressure.place()).collect()
    }

    #[test]
    fn a_place_is_taken_once_and_given_back() {
        let shared = Arc::new(Shared::new(2, 3));
        let places = full(&shared);
        assert_eq!(places.len(), 3, "all places are free at first");
        drop(places);
        assert_eq!(full(&shared).len(), 3, "and free again");
    }

    #[test]
    fn late_turns_lower_the_limit_to_the_floor_and_no_further() {
        let shared = Arc::new(Shared::new(4, 100));
        let mut places = full(&shared);
        shared.adjust(true);
        places.truncate(75);
        assert!(full(&shared).is_empty(), "a quarter fewer at once, the calls under way counted");
        for _ in 0..20 {
            shared.adjust(true);
        }
        drop(places);
        assert_eq!(full(&shared).len(), 4, "a few calls are let in whatever is measured");
    }

    #[test]
    fn a_limit_that_nobody_reached_falls_to_what_is_under_way() {
        let shared = Arc::new(Shared::new(1, 1000));
        let pressure = Pressure(shared.clone());
        let _held: Vec<_> = (0..8).filter_map(|_| pressure.place()).collect();
        shared.adjust(true);
        assert!(pressure.place().is_none(), "a rush does not get the places that were free before it");
    }

    #[test]
    fn turns_in_time_raise_the_limit_to_what_is_configured_and_no_further() {
        let shared = Arc::new(Shared::new(2, 10));
        for _ in 0..20 {
            shared.adjust(true);
        }
        assert_eq!(full(&shared).len(), 2);
        for expected in 3..=10 {
            shared.adjust(false);
            assert_eq!(full(&shared).len(), expected);
        }
        shared.adjust(false);
        assert_eq!(full(&shared).len(), 10);
    }

    #[test]
    fn a_configured_limit_below_the_floor_holds() {
        let shared = Arc::new(Shared::new(16, 4));
        assert_eq!(full(&shared).len(), 4);
        shared.adjust(true);
        assert_eq!(full(&shared).len(), 4);
    }
}
