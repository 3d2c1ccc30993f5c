//! The window W: the disposition dates that the law lets the caller see.
//!
//! Lov om Udbetaling Danmark § 8, stk. 1 says "de seneste 3 måneder"; the documented service reads that as the current
//! month and three months back from today. `W = [from, to)` in Europe/Copenhagen; which instant `from` and `to` are is
//! the setting [`Reading`]. Time is an argument, so that yesterday's decision can be repeated.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::dates::Readings;
use super::rules::Reading;
use crate::clock::copenhagen;
use crate::refusal::Refusal;

/// A window `[from, to)` of instants. Displayed with Copenhagen's offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Edge,
    to: Edge,
    /// The first instant of the day after the call's.
    tomorrow: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    at: Timestamp,
    offset: Offset,
}

impl Window {
    /// The window as it is at `now`.
    ///
    /// # Errors
    /// `Internal`: the calendar cannot reach it (a clock at the ends of time), or the zone data are missing.
    pub fn at(now: Timestamp, reading: Reading) -> Result<Self, Refusal> {
        Self::compute(now, reading).ok_or(Refusal::Internal)
    }

    fn compute(now: Timestamp, reading: Reading) -> Option<Self> {
        let zone = copenhagen()?;
        let today = now.to_zoned(zone.clone()).date();
        // Subtracting months keeps the day, or takes the month's last where there is no such day.
        let back = today.checked_sub(3.months()).ok()?;
        let from = match reading {
            Reading::CalendarMonths => back.first_of_month(),
            Reading::RollingStart | Reading::Rolling => back,
        };
        let to = match reading {
            Reading::CalendarMonths | Reading::RollingStart => today.last_of_month().tomorrow().ok()?,
            Reading::Rolling => today.tomorrow().ok()?,
        };
        let tomorrow = Edge::first_of(today.tomorrow().ok()?, &zone)?.at;
        Some(Self { from: Edge::first_of(from, &zone)?, to: Edge::first_of(to, &zone)?, tomorrow })
    }

    /// The first instant that is inside.
    pub fn from(&self) -> Timestamp {
        self.from.at
    }
    /// The first instant that is outside again.
    pub fn to(&self) -> Timestamp {
        self.to.at
    }
    /// `from` as it is written into a request: `2026-08-01T00:00:00+02:00`.
    pub fn from_text(&self) -> String {
        self.from.to_string()
    }
    /// `to` as it is written into a request: `2026-12-01T00:00:00+01:00`.
    pub fn to_text(&self) -> String {
        self.to.to_string()
    }
    /// Whether a point lies no later than the day of the call in Copenhagen, under every reading of it. By the day and not by
    /// the instant: a disposition date is a day, on which the amount is at the citizen's disposal, and indexes write it
    /// with whatever time of day they have.
    pub fn has_come(&self, point: &Readings) -> bool {
        point.latest() < self.tomorrow
    }
    /// Whether a point lies inside, under every reading of it.
    pub fn contains(&self, point: &Readings) -> bool {
        point.inside(self.from.at, self.to.at)
    }
}

/// `from – to`, both with their offsets, `to` not included.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} – {}", self.from, self.to)
    }
}

impl Edge {
    fn first_of(day: Date, zone: &TimeZone) -> Option<Self> {
        let at = day.to_zoned(zone.clone()).ok()?;
        Some(Self { at: at.timestamp(), offset: at.offset() })
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at.display_with_offset(self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(now: &str, reading: Reading) -> (String, String) {
        let window = Window::at(now.parse().unwrap(), reading).unwrap();
        (window.from_text(), window.to_text())
    }

    #[test]
    fn the_window_follows_its_reading_on_any_day() {
        use Reading::{CalendarMonths, Rolling, RollingStart};
        for (now, reading, from, to) in [
            ("2026-11-22T12:00:00+01:00", CalendarMonths, "2026-08-01T00:00:00+02:00", "2026-12-01T00:00:00+01:00"),
            ("2026-11-22T12:00:00+01:00", RollingStart, "2026-08-22T00:00:00+02:00", "2026-12-01T00:00:00+01:00"),
            ("2026-11-22T12:00:00+01:00", Rolling, "2026-08-22T00:00:00+02:00", "2026-11-23T00:00:00+01:00"),
            // Year change.
            ("2027-01-31T12:00:00+01:00", CalendarMonths, "2026-10-01T00:00:00+02:00", "2027-02-01T00:00:00+01:00"),
            ("2026-12-31T23:59:59+01:00", CalendarMonths, "2026-09-01T00:00:00+02:00", "2027-01-01T00:00:00+01:00"),
            // Today is today in Copenhagen, not in UTC.
            ("2026-11-30T22:59:59Z", CalendarMonths, "2026-08-01T00:00:00+02:00", "2026-12-01T00:00:00+01:00"),
            ("2026-11-30T23:00:00Z", CalendarMonths, "2026-09-01T00:00:00+02:00", "2027-01-01T00:00:00+01:00"),
            ("2026-06-30T22:00:00Z", CalendarMonths, "2026-04-01T00:00:00+02:00", "2026-08-01T00:00:00+02:00"),
            // Month ends are clamped, leap days exist in leap years only.
            ("2026-05-31T12:00:00+02:00", RollingStart, "2026-02-28T00:00:00+01:00", "2026-06-01T00:00:00+02:00"),
            ("2028-05-31T12:00:00+02:00", RollingStart, "2028-02-29T00:00:00+01:00", "2028-06-01T00:00:00+02:00"),
            ("2028-02-29T12:00:00+01:00", Rolling, "2027-11-29T00:00:00+01:00", "2028-03-01T00:00:00+01:00"),
            ("2028-02-28T12:00:00+01:00", Rolling, "2027-11-28T00:00:00+01:00", "2028-02-29T00:00:00+01:00"),
            // The days of the clock changes.
            ("2026-03-29T12:00:00+02:00", Rolling, "2025-12-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
            ("2026-10-25T12:00:00+01:00", Rolling, "2026-07-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
        ] {
            assert_eq!(window(now, reading), (from.to_owned(), to.to_owned()), "{now} {reading:?}");
        }
    }

    #[test]
    fn a_clock_at_the_end_of_time_gives_no_window() {
        assert_eq!(Window::at(Timestamp::MAX, Reading::CalendarMonths), Err(Refusal::Internal));
        assert_eq!(Window::at(Timestamp::MIN, Reading::CalendarMonths), Err(Refusal::Internal));
    }
}
