//! Dates as an index holds them: the text somebody delivered, and the instant that it means.
//!
//! Honest deliverers write winter dates with a summer offset, or no offset at all. The stub keeps each text as it is and
//! compares instants; a text without an offset is Europe/Copenhagen. This is the stub's own reading, apart from the
//! gateway's, so that one does not confirm the other's mistakes.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

/// An `xs:dateTime`: as written, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    text: String,
    instant: Timestamp,
}

/// How a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With the offset that held in Denmark.
    Local,
    /// Without any offset.
    Naive,
    /// In UTC, with `Z`.
    Utc,
    /// With the other season's offset: the same instant, an hour apart in the text.
    WrongSeason,
    /// With an offset from the far side of the world.
    FarOffset,
    /// With a fraction of a second.
    Fraction,
}

impl Style {
    /// All of them.
    pub const ALL: [Style; 6] = [Style::Local, Style::Naive, Style::Utc, Style::WrongSeason, Style::FarOffset, Style::Fraction];
}

/// `instant` moved by whole days, back where `days` is negative. It stays where it is at the ends of time.
pub fn moved(instant: Timestamp, days: i64) -> Timestamp {
    instant.checked_add(SignedDuration::from_hours(days.saturating_mul(24))).unwrap_or(instant)
}

/// Denmark's time zone. UTC stands in should the bundled database lack it, which a test rules out.
pub fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").unwrap_or(TimeZone::UTC)
}

impl Moment {
    /// Writes an instant in the given style. The instant survives in every style.
    pub fn write(instant: Timestamp, style: Style) -> Self {
        let zone = copenhagen();
        let local = zone.to_offset(instant);
        let at = |offset: Offset| (offset.to_datetime(instant), offset);
        let (civil, offset) = match style {
            Style::Local | Style::Naive | Style::Fraction => at(local),
            Style::Utc => at(Offset::UTC),
            Style::WrongSeason => at(Offset::constant(if local.seconds() == 3600 { 2 } else { 1 })),
            Style::FarOffset => at(Offset::constant(14)),
        };
        let date = civil.strftime("%Y-%m-%dT%H:%M:%S");
        let text = match style {
            Style::Naive => date.to_string(),
            Style::Utc => format!("{date}Z"),
            Style::Fraction => format!("{date}.000{}", offset_text(offset)),
            _ => format!("{date}{}", offset_text(offset)),
        };
        Self { text, instant }
    }

    /// Reads an `xs:dateTime`; `None` where it is none. White space around it is passed over, as the schema does.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim_matches(crate::soap::strict::is_space);
        let (date, rest) = text.split_once('T')?;
        let (clock, offset) = match rest.find(['Z', '+', '-']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (clock, extra) = match clock.strip_prefix("24:00:00") {
            Some(zeros) if zeros.trim_start_matches('.').bytes().all(|b| b == b'0') => ("00:00:00", 1),
            Some(_) => return None,
            None => (clock, 0),
        };
        let civil: DateTime = format!("{date}T{clock}").parse().ok()?;
        let civil = civil.checked_add(extra.days()).ok()?;
        let instant = match offset {
            "" => copenhagen().to_timestamp(civil).ok()?,
            "Z" => Offset::UTC.to_timestamp(civil).ok()?,
            signed => {
                let (hours, minutes) = signed.get(1..)?.split_once(':')?;
                let minutes: i64 = hours.parse::<i64>().ok()?.checked_mul(60)?.checked_add(minutes.parse().ok()?)?;
                let east = if signed.starts_with('-') { -minutes } else { minutes };
                let utc = Offset::UTC.to_timestamp(civil).ok()?;
                utc.checked_sub(SignedDuration::from_mins(east)).ok()?
            }
        };
        Some(Self { text: text.to_owned(), instant })
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means.
    pub fn instant(&self) -> Timestamp {
        self.instant
    }
}

fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_means_the_same_instant_in_summer_and_in_winter() {
        for instant in ["2026-07-31T10:00:00Z", "2026-11-30T10:00:00Z"] {
            let instant: Timestamp = instant.parse().unwrap();
            for style in Style::ALL {
                let written = Moment::write(instant, style);
                assert_eq!(Moment::read(written.text()).unwrap().instant(), instant, "{style:?}: {}", written.text());
            }
        }
    }

    #[test]
    fn dates_are_read_by_their_meaning() {
        let cases = [
            ("2026-08-01T00:00:00", "2026-07-31T22:00:00Z"),
            ("2026-12-01T00:00:00", "2026-11-30T23:00:00Z"),
            ("2026-11-30T24:00:00", "2026-11-30T23:00:00Z"),
            ("2026-08-01T00:00:00+02:00", "2026-07-31T22:00:00Z"),
            ("2026-08-01T14:00:00+14:00", "2026-08-01T00:00:00Z"),
            ("2026-07-31T10:00:00-14:00", "2026-08-01T00:00:00Z"),
            ("2026-08-01T00:00:00.5Z", "2026-08-01T00:00:00.5Z"),
        ];
        for (text, instant) in cases {
            assert_eq!(Moment::read(text).unwrap().instant(), instant.parse().unwrap(), "{text}");
        }
        for text in ["", "2026-08-01", "2026-13-01T00:00:00", "yesterday", "2026-08-01T24:00:01Z"] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }
}
