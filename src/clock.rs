//! The only caller of `now()`.
//!
//! Every rule that depends on the time (window, expiry, replay, retention) takes a [`Clock`] or an instant,
//! so that a test can hold the time still and an auditor can repeat yesterday's decision.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// The zone that a day, and a date without an offset, belong to.
///
/// The zone data are compiled in, so `None` means a broken build; callers refuse then.
pub fn copenhagen() -> Option<TimeZone> {
    TimeZone::get("Europe/Copenhagen").ok()
}

/// The civil day that it is in Copenhagen.
pub fn civil_day(instant: Timestamp) -> Option<Date> {
    Some(instant.to_zoned(copenhagen()?).date())
}

/// Where the time comes from. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's own clock.
    #[allow(clippy::disallowed_methods)] // the one place where it is allowed
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that stands still at `instant`.
    pub fn fixed(instant: Timestamp) -> Self {
        Self(Arc::new(move || instant))
    }

    /// A clock that a test moves by hand.
    pub fn from_fn(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The present instant, as this clock sees it.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
