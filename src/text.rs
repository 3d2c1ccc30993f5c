//! What texts, instants and ids must be, whichever way they come in: by the API, the command line or a file.

use jiff::Timestamp;
use memchr::memchr_iter;
use uuid::Uuid;

use crate::refusal::Detail;

/// The longest text, in characters, as JSON Schema counts them.
pub const LONGEST: usize = 1000;

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Nothing is seen of it.
    Empty,
    /// More than [`LONGEST`] characters, the white space around it counted.
    TooLong,
    /// Control characters, line breaks, and what nobody sees.
    Unseen,
    /// A spreadsheet would take it for a formula.
    Formula,
}

impl Unfit {
    /// As it stands in a sentence.
    pub fn describe(self) -> Detail {
        match self {
            Self::Empty => Detail::new("det er tomt", "it is empty"),
            Self::TooLong => {
                Detail::new(format!("det er længere end {LONGEST} tegn"), format!("it is longer than {LONGEST} characters"))
            }
            Self::Unseen => Detail::new(
                "det indeholder linjeskift, kontroltegn eller usynlige tegn",
                "it holds line breaks, control characters or invisible characters",
            ),
            Self::Formula => Detail::new("det begynder med =, +, - eller @", "it begins with =, +, - or @"),
        }
    }
}

/// One line of text that people read, without the white space around it. It will stand in lists, mails, header fields and
/// spreadsheets.
///
/// # Errors
/// [`Unfit`].
pub fn line(text: &str) -> Result<String, Unfit> {
    let inner = text.trim();
    match () {
        () if inner.is_empty() => Err(Unfit::Empty),
        () if text.chars().count() > LONGEST => Err(Unfit::TooLong),
        () if inner.chars().any(is_unseen) => Err(Unfit::Unseen),
        () if inner.starts_with(['=', '+', '-', '@']) => Err(Unfit::Formula),
        () => Ok(inner.to_owned()),
    }
}

/// A cell of a table: a text that a spreadsheet would take for a formula has an apostrophe before it, which reading takes off again.
pub fn cell(text: &str) -> String {
    let begins = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']);
    if begins(text) { format!("'{text}") } else { text.to_owned() }
}

/// Control characters, and those that turn the direction of text, break lines or are not seen at all.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        )
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(c, '\u{e0000}'..='\u{e0fff}')
}

/// An instant as RFC 3339 writes it: nothing left out, and always with an offset.
pub fn instant(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let (begin, mut rest) = bytes.split_at_checked(19)?;
    if !written_as(begin, b"0000-00-00T00:00:00") || begin.ends_with(b"60") {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = fraction.get(digits..).filter(|_| digits > 0)?;
    }
    let offset = |sign: &[u8]| {
        let hours_and_minutes = rest.strip_prefix(sign).filter(|rest| written_as(rest, b"00:00"));
        hours_and_minutes.is_some_and(|offset| offset < b"24".as_slice() && offset.get(3).is_some_and(|tens| *tens < b'6'))
    };
    let zoned = matches!(rest, b"Z" | b"z") || offset(b"+") || offset(b"-");
    text.parse().ok().filter(|_| zoned)
}

/// Whether there is a digit wherever the pattern has one, and elsewhere what the pattern has, letters of either case.
fn written_as(text: &[u8], pattern: &[u8]) -> bool {
    let same = |(byte, due): (&u8, &u8)| if *due == b'0' { byte.is_ascii_digit() } else { byte.eq_ignore_ascii_case(due) };
    text.len() == pattern.len() && text.iter().zip(pattern).all(same)
}

/// A UUID with its hyphens, as RFC 9562 writes it; digits of either case. No braces, no `urn:uuid:`.
pub fn uuid(text: &str) -> Option<Uuid> {
    text.parse::<uuid::fmt::Hyphenated>().ok().map(uuid::fmt::Hyphenated::into_uuid)
}

/// The line, from 1, in which the byte at `offset` stands. Asked for each key of a file, so that it must be fast.
pub fn line_at(text: &[u8], offset: usize) -> usize {
    1 + memchr_iter(b'\n', text.get(..offset).unwrap_or(text)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_after_the_one_before_it_has_ended() {
        let text = b"one\r\ntwo\n\nfour";
        for (offset, line) in [(0, 1), (4, 1), (5, 2), (8, 2), (9, 3), (10, 4), (14, 4), (99, 4)] {
            assert_eq!(line_at(text, offset), line, "{offset}");
        }
    }

    #[test]
    fn a_text_is_one_line_that_does_nothing_to_whoever_shows_it() {
        assert_eq!(line("  Opkrævning § 8 ").unwrap(), "Opkrævning § 8");
        assert_eq!(line("Lov om social service – § 1\u{a0}b").unwrap(), "Lov om social service – § 1\u{a0}b");
        for (bad, why) in [
            ("", Unfit::Empty),
            (" \u{a0} ", Unfit::Empty),
            ("a\r\nBcc: x", Unfit::Unseen),
            ("a\nb", Unfit::Unseen),
            ("a\tb", Unfit::Unseen),
            ("a\u{7}", Unfit::Unseen),
            ("a\u{0}b", Unfit::Unseen),
            ("a\u{202e}b", Unfit::Unseen),
            ("a\u{61c}b", Unfit::Unseen),
            ("a\u{200b}b", Unfit::Unseen),
            ("\u{200b}", Unfit::Unseen),
            ("\u{ad}=1", Unfit::Unseen),
            ("a\u{2028}b", Unfit::Unseen),
            ("a\u{3164}b", Unfit::Unseen),
            ("a\u{feff}", Unfit::Unseen),
            ("a\u{fe0f}", Unfit::Unseen),
            ("a\u{e0061}", Unfit::Unseen),
            ("=1+1", Unfit::Formula),
            (" +1", Unfit::Formula),
            ("-1", Unfit::Formula),
            ("@a", Unfit::Formula),
        ] {
            assert_eq!(line(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn the_length_of_a_text_is_that_of_its_characters_and_of_the_white_space_around_it() {
        assert!(line(&"æ".repeat(LONGEST)).is_ok());
        assert!(line(&"\u{1f600}".repeat(LONGEST)).is_ok());
        assert_eq!(line(&"æ".repeat(LONGEST + 1)), Err(Unfit::TooLong));
        assert_eq!(line(&format!("a{}", " ".repeat(LONGEST))), Err(Unfit::TooLong));
    }

    #[test]
    fn an_instant_is_written_as_rfc_3339_says() {
        for good in [
            "2026-01-01T00:00:00+01:00",
            "2026-01-01T00:00:00Z",
            "2026-01-01t00:00:00z",
            "2026-01-01T00:00:00.123456789-00:00",
            "2026-02-28T23:59:59.5+23:59",
        ] {
            assert_eq!(instant(good), good.parse().ok(), "{good}");
            assert!(instant(good).is_some(), "{good}");
        }
        for bad in [
            "2026-01-01",
            "20260101T000000Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00Z",
            "2026-01-01T00Z",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+01",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+01:60",
            "2026-01-01T00:00:00+01:00:00",
            "2026-01-01T00:00:00+01:00[Europe/Copenhagen]",
            "2026-01-01T00:00:00Z[u-ca=iso8601]",
            "2026-01-01T00:00:60Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "+002026-01-01T00:00:00Z",
            " 2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z ",
            "٢026-01-01T00:00:00Z",
            "",
        ] {
            assert_eq!(instant(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_uuid_has_its_hyphens_and_nothing_around_it() {
        let due = Uuid::from_u128(0x5a0c_7b52_6a5e_4b0e_9d53_0a1f_3c6b_100a);
        for good in ["5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a", "5A0C7B52-6A5E-4B0E-9D53-0A1F3C6B100A"] {
            assert_eq!(uuid(good), Some(due), "{good}");
        }
        for bad in [
            "5a0c7b526a5e4b0e9d530a1f3c6b100a",
            "{5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a}",
            "urn:uuid:5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a",
            "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a ",
            "5a0c7b526-a5e-4b0e-9d53-0a1f3c6b100a",
            "",
        ] {
            assert_eq!(uuid(bad), None, "{bad:?}");
        }
    }
}
