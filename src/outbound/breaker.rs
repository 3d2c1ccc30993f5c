//! A circuit breaker: a peer that fails again and again is left alone for a while, and callers get their answer at once
//! instead of waiting for a timeout each. And a bound on the calls that are under way to it, so that one that hangs does not
//! fill the gateway before that.
//!
//! ```text
//! closed --(failures in a row)--> open --(rest over)--> half open --(the probe succeeds)--> closed
//!                                  ^------------------------'  (the probe fails)
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When to open, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// This many failures in a row open the breaker; at least 1.
    pub failures: u32,
    /// How long the peer is left alone before one call probes it.
    pub rest: Duration,
    /// How many calls to the peer may be under way at once; at least 1.
    pub at_once: u32,
}

/// What the breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// The rest is over: one call passes as a probe, the others are refused until it has ended.
    HalfOpen,
}

/// A breaker for one peer. Cheap to clone; clones share their state.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    state: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    under_way: u32,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { since: Instant, probing: bool },
}

/// Why the peer is not called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// It is left alone; try again after this time.
    #[error("the peer is left alone for {remaining:?}")]
    Resting {
        /// How long the rest lasts still; zero while a probe is under way.
        remaining: Duration,
    },
    /// As many calls as may be are under way to it.
    #[error("too many calls are under way to the peer")]
    Busy,
}

/// Leave to call the peer once. Say how it went; a pass that is dropped (the caller hung up) says nothing.
#[derive(Debug)]
#[must_use = "say how the call went"]
pub struct Pass {
    breaker: Breaker,
    probe: bool,
}

impl Breaker {
    /// What it was made with.
    pub fn settings(&self) -> BreakerSettings {
        self.settings
    }

    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: Arc::new(Mutex::new(Inner { state: State::Closed { failures: 0 }, under_way: 0 })) }
    }

    /// Asks leave for one call.
    ///
    /// # Errors
    /// [`NotNow`]: the peer is left alone, another call is probing it, or too many are under way.
    pub fn admit(&self, now: Instant) -> Result<Pass, NotNow> {
        let mut inner = self.lock();
        let busy = inner.under_way >= self.settings.at_once.max(1);
        let probe = match &mut inner.state {
            State::Closed { .. } if busy => return Err(NotNow::Busy),
            State::Closed { .. } => false,
            State::Open { since, probing } => {
                let remaining = self.settings.rest.saturating_sub(now.saturating_duration_since(*since));
                if !remaining.is_zero() || *probing {
                    return Err(NotNow::Resting { remaining });
                }
                // One more than may be, where those from before still hang: it alone can find that the peer is back.
                *probing = true;
                true
            }
        };
        inner.under_way += 1;
        Ok(Pass { breaker: self.clone(), probe })
    }

    /// The state at `now`, for metrics.
    pub fn state(&self, now: Instant) -> BreakerState {
        match &self.lock().state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { since, .. } if now.saturating_duration_since(*since) >= self.settings.rest => BreakerState::HalfOpen,
            State::Open { .. } => BreakerState::Open,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Whether this call tries a peer that was left alone.
    pub fn is_trial(&self) -> bool {
        self.probe
    }

    /// The peer answered.
    pub fn succeeded(mut self) {
        let probe = std::mem::take(&mut self.probe);
        let state = &mut self.breaker.lock().state;
        // A call admitted before the breaker opened says nothing of the peer now: only the probe closes it.
        if probe || matches!(*state, State::Closed { .. }) {
            *state = State::Closed { failures: 0 };
        }
    }

    /// The peer did not answer, or not in a usable way.
    pub fn failed(mut self, now: Instant) {
        let probe = std::mem::take(&mut self.probe);
        let settings = self.breaker.settings;
        let state = &mut self.breaker.lock().state;
        match state {
            State::Closed { failures } => {
                *failures = failures.saturating_add(1);
                if *failures >= settings.failures.max(1) {
                    *state = State::Open { since: now, probing: false };
                }
            }
            State::Open { .. } if probe => *state = State::Open { since: now, probing: false },
            State::Open { .. } => {}
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inner = self.breaker.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
        if self.probe
            && let State::Open { probing, .. } = &mut inner.state
        {
            *probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens, at which second.
    enum Step {
        /// A call is asked for and admitted, and goes well.
        Good(u64),
        /// A call is asked for and admitted, and fails.
        Bad(u64),
        /// A call is asked for, admitted, and abandoned by its caller.
        Abandoned(u64),
        /// A call is asked for and refused; so many seconds of rest remain.
        Refused(u64, u64),
    }
    use Step::{Abandoned, Bad, Good, Refused};

    /// Two failures open the breaker for ten seconds.
    fn run(steps: &[Step], state_at: u64) -> BreakerState {
        let breaker = Breaker::new(BreakerSettings { failures: 2, rest: Duration::from_secs(10), at_once: 9 });
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        for step in steps {
            match *step {
                Good(second) => breaker.admit(at(second)).unwrap().succeeded(),
                Bad(second) => breaker.admit(at(second)).unwrap().failed(at(second)),
                Abandoned(second) => drop(breaker.admit(at(second)).unwrap()),
                Refused(second, remaining) => {
                    let remaining = Duration::from_secs(remaining);
                    assert_eq!(breaker.admit(at(second)).unwrap_err(), NotNow::Resting { remaining });
                }
            }
        }
        breaker.state(at(state_at))
    }

    #[test]
    fn the_breaker_goes_through_its_states_as_drawn() {
        use BreakerState::{Closed, HalfOpen, Open};
        let cases: &[(&str, &[Step], u64, BreakerState)] = &[
            ("a new one is closed", &[], 0, Closed),
            ("one failure is not yet a pattern", &[Bad(0)], 0, Closed),
            ("failures in a row open it", &[Bad(0), Bad(1), Refused(2, 9)], 2, Open),
            ("a success between them starts the count again", &[Bad(0), Good(1), Bad(2)], 2, Closed),
            ("when the rest is over, it is half open", &[Bad(0), Bad(0), Refused(9, 1)], 10, HalfOpen),
            ("a probe that succeeds closes it", &[Bad(0), Bad(0), Good(10)], 10, Closed),
            ("a probe that fails opens it for a whole rest", &[Bad(0), Bad(0), Bad(10), Refused(19, 1)], 19, Open),
            ("an abandoned probe leaves room for another", &[Bad(0), Bad(0), Abandoned(10), Good(11)], 11, Closed),
            ("an abandoned call is not a failure", &[Bad(0), Abandoned(1), Abandoned(2)], 2, Closed),
        ];
        for (name, steps, second, expected) in cases {
            assert_eq!(run(steps, *second), *expected, "{name}");
        }
    }

    #[test]
    fn only_one_call_probes_at_a_time() {
        let breaker = Breaker::new(BreakerSettings { failures: 1, rest: Duration::from_secs(1), at_once: 9 });
        let start = Instant::now();
        breaker.admit(start).unwrap().failed(start);
        let later = start + Duration::from_secs(1);
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "a second call would be a second probe");
        probe.succeeded();
        breaker.admit(later).unwrap().succeeded();
    }

    #[test]
    fn no_more_calls_than_may_be_are_under_way_and_each_that_ends_makes_room() {
        let breaker = Breaker::new(BreakerSettings { failures: 9, rest: Duration::from_secs(1), at_once: 2 });
        let now = Instant::now();
        let (one, other) = (breaker.admit(now).unwrap(), breaker.admit(now).unwrap());
        assert_eq!(breaker.admit(now).unwrap_err(), NotNow::Busy);
        one.succeeded();
        let third = breaker.admit(now).unwrap();
        assert_eq!(breaker.admit(now).unwrap_err(), NotNow::Busy);
        other.failed(now);
        drop(third);
        let _both = (breaker.admit(now).unwrap(), breaker.admit(now).unwrap());
        assert_eq!(breaker.admit(now).unwrap_err(), NotNow::Busy);
    }

    #[test]
    fn a_probe_is_let_through_though_the_calls_from_before_still_hang() {
        let breaker = Breaker::new(BreakerSettings { failures: 1, rest: Duration::from_secs(1), at_once: 2 });
        let start = Instant::now();
        let _hangs = breaker.admit(start).unwrap();
        breaker.admit(start).unwrap().failed(start);
        let _hangs_too = breaker.admit(start + Duration::from_secs(1)).unwrap();
        assert!(matches!(breaker.admit(start + Duration::from_secs(1)), Err(NotNow::Resting { .. })));
    }

    #[test]
    fn a_call_from_before_the_opening_neither_closes_nor_prolongs_it() {
        let breaker = Breaker::new(BreakerSettings { failures: 1, rest: Duration::from_secs(10), at_once: 9 });
        let start = Instant::now();
        let (early, late) = (breaker.admit(start).unwrap(), breaker.admit(start).unwrap());
        breaker.admit(start).unwrap().failed(start);
        early.succeeded();
        late.failed(start + Duration::from_secs(5));
        assert_eq!(breaker.state(start + Duration::from_secs(9)), BreakerState::Open);
        assert_eq!(breaker.state(start + Duration::from_secs(10)), BreakerState::HalfOpen);
    }
}
