//! One date as it stands in a message, read strictly as the schema's `dateTime`, to the instants that it may mean.
//!
//! Dates are judged as instants, never as text: an honest client sends a winter date with a summer offset, and a
//! dishonest one sends text that two readers take for two days. So a value is its whole element text, in ASCII digits,
//! with a year from 0001 to 9999 and a real day. White space around it is no part of a `dateTime`: a search takes it off
//! before it reads the value, as the schema does, and forwards the value without it. What can be read in several ways keeps them all ([`Readings`]), and
//! each bound is judged by the reading that helps it least: `Fra` by the earliest, `Til` by the latest, a point by both.
//!
//! - **No offset** means Europe/Copenhagen ([`Naive`]). Where the clocks go back, the earlier and the later instant are
//!   both readings. Where they go forward the time does not exist; a peer may take it by the offset before the change or
//!   by the one after, so both are readings here too.
//! - **Fractions** finer than a millisecond are widened outwards to whole milliseconds, for a peer may cut or round them:
//!   the earliest reading downwards, the latest upwards.
//! - **`24:00:00`** is the first instant of the next day.

use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::{AmbiguousOffset, Offset};
use jiff::{Timestamp, ToSpan};

use super::rules::Naive;
use crate::clock::copenhagen;

/// The instants that one date text may mean, widened outwards to whole milliseconds.
///
/// Instants outside the years that [`Timestamp`] holds (the last day of 9999) stand at its ends; no window reaches there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readings {
    earliest: Timestamp,
    latest: Timestamp,
}

impl Readings {
    /// The earliest instant that it may mean: how a `FraTidspunkt` is judged.
    pub fn earliest(&self) -> Timestamp {
        self.earliest
    }
    /// The latest instant that it may mean: how a `TilTidspunkt` is judged.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }
    /// Whether it lies in `[from, to)` under every reading: how a point is judged.
    pub fn inside(&self, from: Timestamp, to: Timestamp) -> bool {
        from <= self.earliest && self.latest < to
    }
}

/// Reads the whole text of an element as a `dateTime`.
///
/// `None`: it is not exactly one, or it has no offset where `naive` refuses that.
pub fn read(text: &str, naive: Naive) -> Option<Readings> {
    let mut rest = Rest(text.as_bytes());
    let year = i16::try_from(rest.digits(4)?).ok().filter(|year| *year >= 1)?;
    rest.byte(b'-')?;
    let month = i8::try_from(rest.digits(2)?).ok()?;
    rest.byte(b'-')?;
    let day = i8::try_from(rest.digits(2)?).ok()?;
    rest.byte(b'T')?;
    let hour = i8::try_from(rest.digits(2)?).ok()?;
    rest.byte(b':')?;
    let minute = i8::try_from(rest.digits(2)?).ok()?;
    rest.byte(b':')?;
    let second = i8::try_from(rest.digits(2)?).ok()?;
    let fraction = rest.fraction()?;
    let offset = rest.offset()?;

    let day = Date::new(year, month, day).ok()?;
    let local = if hour == 24 {
        if (minute, second, fraction) != (0, 0, Fraction::default()) {
            return None;
        }
        day.checked_add(1.day()).ok()?.to_datetime(Time::midnight())
    } else {
        day.to_datetime(Time::new(hour, minute, second, 0).ok()?)
    };
    let (early, late) = match (offset, naive) {
        (Some(seconds), _) => (seconds, seconds),
        (None, Naive::Refuse) => return None,
        (None, Naive::Copenhagen) => offsets(local)?,
    };
    // A greater offset is an earlier instant.
    let (early, late) = (early.max(late), early.min(late));
    Some(Readings { earliest: instant(local, early, fraction.down)?, latest: instant(local, late, fraction.up)? })
}

/// The offsets, in seconds, that a local time in Copenhagen may have: one, or the two on either side of a clock change.
fn offsets(local: DateTime) -> Option<(i64, i64)> {
    let seconds = |offset: Offset| i64::from(offset.seconds());
    Some(match copenhagen()?.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => (seconds(offset), seconds(offset)),
        AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => (seconds(before), seconds(after)),
    })
}

fn instant(local: DateTime, offset: i64, milliseconds: i64) -> Option<Timestamp> {
    let since_epoch = local.duration_since(date(1970, 1, 1).to_datetime(Time::midnight())).as_secs();
    let instant = since_epoch.checked_sub(offset)?.checked_mul(1000)?.checked_add(milliseconds)?;
    // `from_millisecond` would refuse the fractions of the last second that a timestamp holds.
    let nanoseconds = i32::try_from(instant.rem_euclid(1000) * 1_000_000).ok()?;
    let at = Timestamp::new(instant.div_euclid(1000), nanoseconds);
    Some(at.unwrap_or(if instant < 0 { Timestamp::MIN } else { Timestamp::MAX }))
}

/// A fraction of a second as whole milliseconds, rounded either way (0–1000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Fraction {
    down: i64,
    up: i64,
}

/// What is left of a text.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self, expected: u8) -> Option<()> {
        (self.next()? == expected).then_some(())
    }

    fn digit(&mut self) -> Option<u32> {
        self.next().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'))
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// `.` and one digit or more, or nothing.
    fn fraction(&mut self) -> Option<Fraction> {
        if self.0.first() != Some(&b'.') {
            return Some(Fraction::default());
        }
        self.next()?;
        let (mut down, mut finer, mut count) = (0, false, 0_usize);
        while self.0.first().is_some_and(u8::is_ascii_digit) {
            let digit = self.digit()?;
            match count {
                0..3 => down = down * 10 + i64::from(digit),
                _ => finer |= digit != 0,
            }
            count += 1;
        }
        let down = match count {
            0 => return None,
            1 => down * 100,
            2 => down * 10,
            _ => down,
        };
        Some(Fraction { down, up: down + i64::from(finer) })
    }

    /// The rest: `Z`, `±hh:mm` up to 14:00 (in seconds), or nothing.
    fn offset(&mut self) -> Option<Option<i64>> {
        let sign = match self.next() {
            None => return Some(None),
            Some(b'Z') => return self.0.is_empty().then_some(Some(0)),
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return None,
        };
        let hours = self.digits(2)?;
        self.byte(b':')?;
        let minutes = self.digits(2)?;
        let possible = minutes <= 59 && hours * 60 + minutes <= 14 * 60;
        (possible && self.0.is_empty()).then(|| Some(sign * i64::from(hours * 60 + minutes) * 60))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn readings(text: &str) -> (Timestamp, Timestamp) {
        let readings = read(text, Naive::Copenhagen).unwrap_or_else(|| panic!("{text} must be read"));
        (readings.earliest(), readings.latest())
    }

    #[test]
    fn a_date_with_an_offset_is_one_instant_whatever_the_season() {
        for (text, instant) in [
            ("2026-11-01T00:00:00+01:00", "2026-10-31T23:00:00Z"),
            ("2026-11-01T00:00:00+02:00", "2026-10-31T22:00:00Z"),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:00:00-00:00", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:00:00+14:00", "2026-10-31T10:00:00Z"),
            ("2026-11-01T00:00:00-14:00", "2026-11-01T14:00:00Z"),
            ("2026-10-31T24:00:00+01:00", "2026-10-31T23:00:00Z"),
            ("2026-12-31T24:00:00.000Z", "2027-01-01T00:00:00Z"),
            ("2028-02-29T12:00:00Z", "2028-02-29T12:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(readings(text), (at(instant), at(instant)), "{text}");
        }
    }

    #[test]
    fn a_date_without_an_offset_is_copenhagen_time_or_refused() {
        assert_eq!(readings("2026-08-01T00:00:00").0, at("2026-07-31T22:00:00Z"));
        assert_eq!(readings("2026-12-01T00:00:00").1, at("2026-11-30T23:00:00Z"));
        assert_eq!(read("2026-08-01T00:00:00", Naive::Refuse), None);
        assert!(read("2026-08-01T00:00:00Z", Naive::Refuse).is_some());
    }

    #[test]
    fn around_a_clock_change_neither_bound_benefits() {
        // Clocks go back at 03:00 on 2026-10-25: half past two comes twice.
        assert_eq!(readings("2026-10-25T02:30:00"), (at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")));
        // Clocks go forward at 02:00 on 2026-03-29: half past two does not come.
        assert_eq!(readings("2026-03-29T02:30:00"), (at("2026-03-29T00:30:00Z"), at("2026-03-29T01:30:00Z")));
    }

    #[test]
    fn fractions_are_widened_outwards_to_whole_milliseconds() {
        assert_eq!(readings("2026-11-01T00:00:00.5Z").0, at("2026-11-01T00:00:00.5Z"));
        assert_eq!(readings("2026-11-01T00:00:00.123000Z"), (at("2026-11-01T00:00:00.123Z"), at("2026-11-01T00:00:00.123Z")));
        assert_eq!(readings("2026-11-01T00:00:00.1230001Z"), (at("2026-11-01T00:00:00.123Z"), at("2026-11-01T00:00:00.124Z")));
        assert_eq!(readings("2026-11-30T23:59:59.99999999999999999999Z").1, at("2026-12-01T00:00:00Z"));
    }

    #[test]
    fn far_years_are_read_and_lie_outside_every_window() {
        assert_eq!(readings("9999-12-31T23:59:59Z").1, Timestamp::MAX);
        let last = "9999-12-30T22:00:00.001Z"; // in the last second that a timestamp holds
        assert_eq!(readings(last), (at(last), at(last)));
        assert_eq!(readings("9999-12-31T00:00:00").0, Timestamp::MAX);
        assert_eq!(readings("0001-01-01T00:00:00").0.to_zoned(TimeZone::UTC).year(), 0);
    }

    #[test]
    fn what_is_not_exactly_a_date_time_is_not_read() {
        for text in [
            "",
            " ",
            "2026",
            "2026-11-01",
            "2026-11-01T00:00",
            "2026-11-01 00:00:00",
            "2026-11-01t00:00:00",
            " 2026-11-01T00:00:00Z",
            "2026-11-01T00:00:00Z ",
            "2026-11-01T00:00:00Z\n",
            "\u{FEFF}2026-11-01T00:00:00Z",
            "-2026-11-01T00:00:00Z",
            "+2026-11-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "12026-11-01T00:00:00Z",
            "02026-11-01T00:00:00Z",
            "26-11-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2027-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-11-01T25:00:00Z",
            "2026-11-01T24:00:01Z",
            "2026-11-01T24:01:00Z",
            "2026-11-01T24:00:00.001Z",
            "2026-11-01T24:00:00.0000001Z",
            "2026-11-01T00:60:00Z",
            "2026-11-01T23:59:60Z",
            "2026-11-01T00:00:00.Z",
            "2026-11-01T00:00:00,5Z",
            "2026-11-01T00:00:00.5.5Z",
            "2026-11-01T00:00:00z",
            "2026-11-01T00:00:00ZZ",
            "2026-11-01T00:00:00+1:00",
            "2026-11-01T00:00:00+0100",
            "2026-11-01T00:00:00+01",
            "2026-11-01T00:00:00+14:01",
            "2026-11-01T00:00:00-15:00",
            "2026-11-01T00:00:00+01:60",
            "2026-11-01T00:00:00+01:00Z",
            "2026-11-01T00:00:00+01:00[Europe/Copenhagen]",
            "2026-11-01T00:00:00−01:00",
            "２０２６-11-01T00:00:00Z",
            "٢٠٢٦-11-01T00:00:00Z",
            "9999-12-31T24:00:00Z",
            "2026-W45-1T00:00:00Z",
            "20261101T000000Z",
        ] {
            assert_eq!(read(text, Naive::Copenhagen), None, "{text:?}");
        }
    }

    #[test]
    fn a_point_is_inside_only_under_every_reading() {
        let (from, to) = (at("2026-10-25T01:00:00Z"), at("2026-11-01T00:00:00Z"));
        assert!(!read("2026-10-25T02:30:00", Naive::Copenhagen).unwrap().inside(from, to), "its earlier reading is before");
        assert!(read("2026-10-25T02:30:00+01:00", Naive::Copenhagen).unwrap().inside(from, to));
        assert!(!read("2026-11-01T00:00:00Z", Naive::Copenhagen).unwrap().inside(from, to), "the end is exclusive");
        assert!(
            !read("2026-10-31T23:59:59.9999Z", Naive::Copenhagen).unwrap().inside(from, to),
            "it may be rounded up to the end"
        );
    }
}
