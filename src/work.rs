//! How many calls the gateway works on at once, so that those it takes are served in time.
//!
//! Where more calls come than the processors can serve, each one that is let in makes all others later, until every one of
//! them is late. So the calls that are *worked on* are counted: from when the whole request is here, to when the answer is
//! made, and not while the index or the token service is waited for. A client that sends its body slowly holds nothing, and
//! an index that takes its time leaves the places to others.
//!
//! Several calls a processor are always taken. More are taken as a burst, which is worked off in no time. Where a burst does
//! not end, it is no burst but overload: from then on only as many are worked on as keep the processors busy, so that each
//! of them is quick, and the others are refused, until none has had to be for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// More calls than are usually taken may be worked on for this long without a break.
const BURST: Duration = Duration::from_millis(100);
/// And so many times as many calls as usual at the most: a burst must be worked off before anybody gives up.
const BURST_OF: i64 = 4;
/// No burst is let in before no call has been refused for this long.
const CALM: Duration = Duration::from_secs(1);

/// The calls that are worked on, and the limit on them. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Work(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    usual: i64,
    overloaded: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Calls that came back from the index are let in whatever the limit: they are almost done.
    working: i64,
    /// Since when as many as usual, or more, have been worked on without a break.
    full_since: Option<Instant>,
    last_refused: Option<Instant>,
    refused: u64,
}

/// What [`Work`] did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Calls that are worked on.
    pub working: i64,
    /// Calls that were refused for want of room.
    pub refused: u64,
}

/// One call's place. Given back when dropped.
#[derive(Debug)]
#[must_use = "the call counts as worked on while this is held"]
pub struct Place(Work);

/// A call waits for somebody else. It is worked on again when this is dropped.
#[derive(Debug)]
#[must_use = "the call counts as waiting while this is held"]
pub struct Away(Work);

impl Work {
    /// So many calls are always taken where there is no overload, and so many (no more than that) where there is.
    pub fn new(usual: usize, overloaded: usize) -> Self {
        let [usual, overloaded] = [usual, overloaded.min(usual)].map(|calls| i64::try_from(calls).unwrap_or(i64::MAX));
        Self(Arc::new(Shared { usual, overloaded, state: Mutex::default() }))
    }

    /// The same, for each processor.
    pub fn for_processors(usual: usize, overloaded: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(usual.saturating_mul(processors), overloaded.saturating_mul(processors))
    }

    /// No limit.
    pub fn unbounded() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }

    /// A place for one more call, whose whole request is here; `None`: it is to be refused, and counts as such.
    pub fn enter(&self) -> Option<Place> {
        self.enter_at(Instant::now())
    }

    fn enter_at(&self, now: Instant) -> Option<Place> {
        let mut state = self.state();
        if !self.takes(&mut state, now) {
            return None;
        }
        self.add(&mut state, now);
        Some(Place(self.clone()))
    }

    /// Whether a call would be taken now; it counts as refused if not. So a call too many is known before any of it is read.
    pub fn has_room(&self) -> bool {
        self.takes(&mut self.state(), Instant::now())
    }

    /// Counts a call as refused that another limit refused.
    pub fn refuse(&self) {
        self.state().refused += 1;
    }

    /// For a call that has a place: it waits for somebody else.
    pub fn away(&self) -> Away {
        self.remove(&mut self.state());
        Away(self.clone())
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        let state = self.state();
        Stats { working: state.working, refused: state.refused }
    }

    fn takes(&self, state: &mut State, now: Instant) -> bool {
        if state.working < self.0.overloaded {
            return true;
        }
        let within = |since: Option<Instant>, long| since.is_some_and(|since| now.duration_since(since) < long);
        let most = if within(state.full_since, BURST) { self.0.usual.saturating_mul(BURST_OF) } else { self.0.usual };
        if state.working < most && !within(state.last_refused, CALM) {
            return true;
        }
        state.last_refused = Some(now);
        state.refused += 1;
        false
    }

    fn add(&self, state: &mut State, now: Instant) {
        state.working += 1;
        if state.working >= self.0.usual && state.full_since.is_none() {
            state.full_since = Some(now);
        }
    }

    fn remove(&self, state: &mut State) {
        state.working -= 1;
        if state.working < self.0.usual {
            state.full_since = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.remove(&mut self.0.state());
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.0.add(&mut self.0.state(), Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(work: &Work, calls: usize, now: Instant) -> Vec<Place> {
        (0..calls).map_while(|_| work.enter_at(now)).collect()
    }

    /// Six places, two under overload; all are taken, and a burst has just been refused.
    fn overloaded() -> (Work, Vec<Place>, Instant) {
        let (work, now) = (Work::new(6, 2), Instant::now());
        let places = enter(&work, 6, now);
        assert!(work.enter_at(now + BURST).is_none());
        (work, places, now + BURST)
    }

    #[test]
    fn as_many_calls_as_usual_are_never_refused_however_long_they_take() {
        let (work, mut now) = (Work::new(6, 2), Instant::now());
        let mut places = enter(&work, 6, now);
        for _ in 0..1000 {
            now += BURST;
            places.pop();
            places.extend(work.enter_at(now));
            assert_eq!(places.len(), 6);
        }
        assert_eq!(work.stats(), Stats { working: 6, refused: 0 });
    }

    #[test]
    fn a_burst_is_taken_whole() {
        let work = Work::new(6, 2);
        let places = enter(&work, 20, Instant::now());
        assert_eq!(places.len(), 20);
        drop(places);
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
    }

    #[test]
    fn a_burst_that_would_take_long_to_work_off_is_overload() {
        let (work, now) = (Work::new(6, 2), Instant::now());
        assert_eq!(enter(&work, 100, now).len(), 24, "four times as many as usual");
        assert_eq!(enter(&work, 100, now).len(), 2);
    }

    #[test]
    fn a_burst_that_does_not_end_is_overload() {
        let (work, now) = (Work::new(6, 2), Instant::now());
        let mut places = enter(&work, 10, now);
        places.extend(work.enter_at(now + BURST / 2));
        assert_eq!(places.len(), 11, "not yet");
        let now = now + BURST;
        assert!(work.enter_at(now).is_none(), "as many as usual have been there for as long as a burst may take");
        places.truncate(2);
        assert!(work.enter_at(now).is_none(), "fewer than usual are worked on until it is over: each of them is quick");
        places.truncate(1);
        places.extend(work.enter_at(now));
        assert_eq!(places.len(), 2, "a place that is free is given away, overload or not");
        assert_eq!(work.stats(), Stats { working: 2, refused: 2 });
    }

    #[test]
    fn bursts_are_taken_again_when_none_has_been_refused_for_a_while() {
        let (work, places, now) = overloaded();
        drop(places);
        let now = now + CALM / 2;
        assert_eq!(enter(&work, 100, now).len(), 2);
        // The last of those hundred was refused just now.
        let now = now + CALM / 2;
        assert_eq!(enter(&work, 100, now).len(), 2);
        assert_eq!(enter(&work, 20, now + CALM).len(), 20);
    }

    #[test]
    fn a_call_that_waits_for_the_index_leaves_its_place_to_another() {
        let (work, places, now) = overloaded();
        drop(places);
        let mut waiting = Vec::new();
        for _ in 0..300 {
            let place = work.enter_at(now).expect("an index that takes its time must not fill the gateway");
            waiting.push((work.away(), place));
        }
        // All answers come at once: none of these calls is refused so late, and new ones are until they are done.
        let back: Vec<_> = waiting.into_iter().map(|(away, place)| (drop(away), place)).collect();
        assert_eq!(work.stats().working, 300);
        assert!(work.enter_at(now).is_none());
        drop(back);
        assert_eq!(work.stats().working, 0, "nothing is counted twice or lost");
        assert!(work.enter_at(now).is_some());
    }

    #[test]
    fn asking_for_room_takes_none() {
        let work = Work::new(1, 1);
        assert!(work.has_room() && work.has_room());
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
    }
}
