//! `xs:dateTime` with a zone, and the WS-Security Timestamp.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::names::WSU;
use super::signed_info::bad;
use crate::refusal::{Detail, Refusal};
use crate::soap::document::Element;

/// Reads an `xs:dateTime` that names its zone: `2026-11-22T12:00:00Z`, `…12:00:00.123+01:00`.
///
/// Four digits of year, at most nine of fraction, `Z` or an offset up to ±14:00, no white space, no `24:00:00`, no leap
/// second. A time without a zone is nobody's time: two readers add two offsets.
pub fn instant(text: &str) -> Option<Timestamp> {
    let (clock, zone) = match text.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => {
            let (clock, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            let (hours, minutes) = (number(offset.get(1..3)?, 2)?, number(offset.get(4..)?, 2)?);
            let in_range = minutes < 60 && hours * 60 + minutes <= 14 * 60 && offset.get(3..4) == Some(":");
            let seconds = i32::from(hours * 60 + minutes) * 60;
            match offset.get(..1)? {
                "+" if in_range => (clock, seconds),
                "-" if in_range => (clock, -seconds),
                _ => return None,
            }
        }
    };
    let (whole, fraction) = clock.split_once('.').map_or((clock, None), |(whole, fraction)| (whole, Some(fraction)));
    let nanos = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{digits:0<9}").parse().ok()?
        }
        Some(_) => return None,
    };
    let (date, time) = whole.split_once('T')?;
    let mut date = date.split('-');
    let mut time = time.split(':');
    let (year, month, day) = (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    let (hour, minute, second) = (number(time.next()?, 2)?, number(time.next()?, 2)?, number(time.next()?, 2)?);
    if date.next().is_some() || time.next().is_some() || second > 59 {
        return None;
    }
    let small = |value: i16| i8::try_from(value).ok();
    let civil = DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, nanos).ok()?;
    Offset::from_seconds(zone).ok()?.to_timestamp(civil).ok()
}

fn number(digits: &str, length: usize) -> Option<i16> {
    (digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// What a Timestamp may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRules {
    /// How far apart two clocks may be, in either direction.
    pub skew: SignedDuration,
    /// How old a message may be, skew not included.
    pub max_age: SignedDuration,
    /// The longest time from Created to Expires.
    pub max_life: SignedDuration,
}

impl Default for TimeRules {
    /// A minute of skew, five minutes of age and of life: what the profile suggests and its peers do.
    fn default() -> Self {
        Self { skew: SignedDuration::from_mins(1), max_age: SignedDuration::from_mins(5), max_life: SignedDuration::from_mins(5) }
    }
}

/// Checks a `wsu:Timestamp` against the clock and returns its Created.
///
/// # Errors
/// `SecurityStructure` where it cannot be read, is inverted or lives too long; `TimestampOutside` where the clocks or
/// the message's age are apart.
pub fn check(timestamp: Element<'_>, rules: &TimeRules, now: Timestamp) -> Result<Timestamp, Refusal> {
    let mut children = timestamp.elements();
    let read = |element: Element<'_>| element.text().and_then(|text| instant(&text));
    let created = children.next().filter(|element| element.is(WSU, "Created")).ok_or_else(|| {
        bad("Timestamp har ingen Created, eller den står ikke først", "the Timestamp has no Created, or it is not first")
    })?;
    let created =
        read(created).ok_or_else(|| bad("Created er ikke en dateTime med tidszone", "Created is not a dateTime with a zone"))?;
    let expires = match children.next() {
        None => None,
        Some(element) if element.is(WSU, "Expires") => Some(
            read(element)
                .ok_or_else(|| bad("Expires er ikke en dateTime med tidszone", "Expires is not a dateTime with a zone"))?,
        ),
        Some(_) => {
            return Err(bad(
                "Timestamp rummer andet end Created og Expires",
                "the Timestamp has another child than Created and Expires",
            ));
        }
    };
    if children.next().is_some() || timestamp.has_stray_text() {
        return Err(bad(
            "Timestamp har mere end én Created og én Expires",
            "the Timestamp has more than one Created and one Expires",
        ));
    }
    let apart = |theirs: Timestamp, allowed: SignedDuration| Refusal::TimestampOutside {
        theirs: theirs.to_string(),
        ours: now.to_string(),
        difference: Detail::seconds_apart(theirs.duration_since(now).as_secs()),
        allowed: allowed.as_secs(),
    };
    if let Some(expires) = expires {
        let life = expires.duration_since(created);
        if life <= SignedDuration::ZERO {
            return Err(bad("Expires ligger ikke efter Created", "Expires is not after Created"));
        }
        if life > rules.max_life {
            let (life, allowed) = (life.as_secs(), rules.max_life.as_secs());
            return Err(bad(
                format!("Timestamp gælder i {life} sekunder; højst {allowed} er tilladt"),
                format!("the Timestamp lives for {life} seconds; {allowed} are allowed"),
            ));
        }
    }
    let age = now.duration_since(created);
    if age > rules.max_age + rules.skew {
        return Err(apart(created, rules.max_age + rules.skew));
    }
    if -age > rules.skew {
        return Err(apart(created, rules.skew));
    }
    if let Some(expires) = expires.filter(|expires| now.duration_since(*expires) >= rules.skew) {
        return Err(apart(expires, rules.skew));
    }
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_time_is_read_only_with_a_zone_and_without_tricks() {
        for (text, same) in [
            ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
            ("2026-11-22T12:00:00.5Z", "2026-11-22T12:00:00.5Z"),
            ("2026-11-22T12:00:00.123456789+01:00", "2026-11-22T11:00:00.123456789Z"),
            ("2026-11-22T12:00:00-14:00", "2026-11-23T02:00:00Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ] {
            assert_eq!(instant(text), Some(same.parse().unwrap()), "{text}");
        }
        for bad in [
            "2026-11-22T12:00:00",
            "2026-11-22",
            "2026-11-22T24:00:00Z",
            "2026-11-22T23:59:60Z",
            "12026-11-22T12:00:00Z",
            "-2026-11-22T12:00:00Z",
            "+2026-11-22T12:00:00Z",
            "2026-11-22T12:00:00+14:01",
            "2026-11-22T12:00:00+01",
            "2026-11-22T12:00:00+0100",
            "2026-11-22 12:00:00Z",
            "2026-11-22T12:00:00z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T12:00:00.1234567890Z",
            " 2026-11-22T12:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-11-22T12:00Z",
            "",
            "Z",
            "2026-11-22T12:00:00\u{2212}01:00",
            "2026-11-22T12:00:00+00:60",
            "2026-11-22T12:00:00ZZ",
            "２０26-11-22T12:00:00Z",
        ] {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }
}
