//! Values of simple types, as they are mostly written.

use std::collections::HashSet;

use super::pattern::Pattern;
use crate::schema::model::{Facets, Model, Simple, Variety};
use crate::soap::strict::is_space;

/// Digits before and behind the point that are compared: twice as many fit into what they are compared as.
const WHOLE: usize = 18;
const FRACTION: usize = 18;

/// A number in units of 10⁻¹⁸.
type Number = i128;

/// What a value must be.
#[derive(Debug)]
pub(super) struct Check {
    kind: Kind,
    patterns: Vec<Vec<Pattern>>,
    enumeration: Option<HashSet<String>>,
    /// Characters.
    length: (u64, u64),
}

#[derive(Debug)]
enum Kind {
    /// Text; whether its spaces are collapsed, and whether what it holds between them matters.
    Text {
        collapsed: bool,
        plain: bool,
    },
    Boolean,
    Number {
        integer: bool,
        signed: bool,
        low: Number,
        high: Number,
        total: usize,
        fraction: usize,
    },
    Date,
    DateTime,
    Base64,
}

impl Check {
    /// The check of a simple type; `None` where it is not among those that are made here.
    pub(super) fn new(simple: &Simple) -> Option<Self> {
        let Variety::Atomic(name) = &simple.variety else { return None };
        let facets = &simple.facets;
        let mut patterns = Vec::new();
        for step in &facets.patterns {
            patterns.push(step.iter().map(|pattern| Pattern::new(pattern)).collect::<Option<Vec<_>>>()?);
        }
        let enumeration = facets.enumeration.as_ref().map(|values| values.iter().cloned().collect());
        let kind = kind(name, facets)?;
        // Its white space is taken out before it is judged, and facets are held against what remains.
        if matches!(kind, Kind::Base64) && !(patterns.is_empty() && facets.enumeration.is_none()) {
            return None;
        }
        if !matches!(kind, Kind::Text { .. }) && facets.has_length()
            || !matches!(kind, Kind::Number { .. }) && facets.has_bounds()
        {
            return None;
        }
        let least = facets.min_length.max(facets.length).unwrap_or(0);
        let most = [facets.max_length, facets.length].into_iter().flatten().min().unwrap_or(u64::MAX);
        Some(Self { kind, patterns, enumeration, length: (least, most) })
    }

    /// Whether it is certain that the value is valid.
    pub(super) fn accepts(&self, value: &str) -> bool {
        self.is_of_kind(value)
            && self.patterns.iter().all(|step| step.iter().any(|pattern| pattern.takes(value)))
            && self.enumeration.as_ref().is_none_or(|values| values.contains(value))
    }

    /// The same of an attribute, of whose base64 no white space is taken out.
    pub(super) fn accepts_attribute(&self, value: &str) -> bool {
        !(matches!(self.kind, Kind::Base64) && value.contains(is_space)) && self.accepts(value)
    }

    fn is_of_kind(&self, value: &str) -> bool {
        match &self.kind {
            Kind::Text { collapsed, plain } => {
                let kept = if *collapsed { is_collapsed(value) } else { *plain || !value.contains(['\t', '\n', '\r']) };
                let (least, most) = self.length;
                kept && (self.length == (0, u64::MAX) || (least..=most).contains(&(value.chars().count() as u64)))
            }
            Kind::Boolean => matches!(value, "true" | "false" | "1" | "0"),
            Kind::Number { integer, signed, low, high, total, fraction } => number(value).is_some_and(|read| {
                (*signed || !value.starts_with('-'))
                    && (!*integer || !value.contains('.'))
                    && (*low..=*high).contains(&read.number)
                    && read.digits <= *total
                    && read.fraction <= *fraction
            }),
            Kind::Date => date(value.as_bytes()).is_some_and(is_zone),
            Kind::DateTime => date_time(value.as_bytes()).is_some_and(is_zone),
            Kind::Base64 => is_base64(value),
        }
    }
}

/// The check of every simple type of a model, in its places.
pub(super) fn checks(model: &Model) -> Vec<Option<Check>> {
    model.simple.iter().map(Check::new).collect()
}

impl Facets {
    fn has_length(&self) -> bool {
        self.length.is_some() || self.min_length.is_some() || self.max_length.is_some()
    }

    fn has_bounds(&self) -> bool {
        let bounds = [&self.min_inclusive, &self.max_inclusive, &self.min_exclusive, &self.max_exclusive];
        bounds.iter().any(|bound| bound.is_some()) || self.total_digits.is_some() || self.fraction_digits.is_some()
    }
}

fn kind(name: &str, facets: &Facets) -> Option<Kind> {
    let plain = facets.patterns.is_empty() && facets.enumeration.is_none();
    Some(match name {
        "string" => Kind::Text { collapsed: facets.collapse == Some(true), plain },
        "normalizedString" => Kind::Text { collapsed: facets.collapse == Some(true), plain: false },
        "token" => Kind::Text { collapsed: true, plain: false },
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "dateTime" => Kind::DateTime,
        "base64Binary" => Kind::Base64,
        name => return of_numbers(name, facets),
    })
}

fn of_numbers(name: &str, facets: &Facets) -> Option<Kind> {
    let unit: Number = 10_i128.pow(FRACTION as u32);
    let least = -(unit * unit - 1);
    let (integer, low, high) = match name {
        "decimal" => (false, least, -least),
        "integer" => (true, least, -least),
        // Beyond what is compared here: the least and the greatest are left to the library.
        "long" => (true, least, -least),
        "unsignedLong" | "nonNegativeInteger" => (true, 0, -least),
        "positiveInteger" => (true, unit, -least),
        "int" => (true, unit * Number::from(i32::MIN), unit * Number::from(i32::MAX)),
        "short" => (true, unit * Number::from(i16::MIN), unit * Number::from(i16::MAX)),
        "byte" => (true, unit * Number::from(i8::MIN), unit * Number::from(i8::MAX)),
        "unsignedInt" => (true, 0, unit * Number::from(u32::MAX)),
        "unsignedShort" => (true, 0, unit * Number::from(u16::MAX)),
        "unsignedByte" => (true, 0, unit * Number::from(u8::MAX)),
        _ => return None,
    };
    let bound = |bound: &Option<String>| match bound {
        Some(bound) => number(bound).map(|read| Some(read.number)),
        None => Some(None),
    };
    let low = [Some(low), bound(&facets.min_inclusive)?, bound(&facets.min_exclusive)?.map(|low| low + 1)];
    let high = [Some(high), bound(&facets.max_inclusive)?, bound(&facets.max_exclusive)?.map(|high| high - 1)];
    Some(Kind::Number {
        integer,
        signed: !matches!(
            name,
            "unsignedLong" | "nonNegativeInteger" | "positiveInteger" | "unsignedInt" | "unsignedShort" | "unsignedByte"
        ),
        low: low.into_iter().flatten().max()?,
        high: high.into_iter().flatten().min()?,
        total: facets.total_digits.map_or(usize::MAX, |digits| digits as usize),
        fraction: facets.fraction_digits.map_or(usize::MAX, |digits| digits as usize),
    })
}

/// A number as it is written: its value, its digits without leading zeros, those behind the point.
struct Read {
    number: Number,
    digits: usize,
    fraction: usize,
}

fn number(value: &str) -> Option<Read> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let shown = if digits.contains('.') { fraction.len() } else { 0 };
    let are_digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole, WHOLE) || !are_digits(fraction, FRACTION) {
        return None;
    }
    // Of so few digits each part is read as a shorter number, which costs a fraction.
    const UNIT: u64 = 10_u64.pow(FRACTION as u32);
    let behind = 10_u64.pow(u32::try_from(FRACTION - fraction.len()).ok()?);
    let units = Number::from(fraction.parse::<u64>().ok()? * behind);
    let number = Number::from(whole.parse::<u64>().ok()?) * Number::from(UNIT) + units;
    let number = if value.starts_with('-') { -number } else { number };
    Some(Read { number, digits: whole.trim_start_matches('0').len() + shown, fraction: shown })
}

fn is_collapsed(value: &str) -> bool {
    !value.starts_with(' ') && !value.ends_with(' ') && !value.contains("  ") && !value.contains(['\t', '\n', '\r'])
}

/// Two digits at the beginning, within these bounds.
fn two(value: &[u8], bounds: std::ops::RangeInclusive<u32>) -> Option<(u32, &[u8])> {
    let ([tens, ones], rest) = value.split_first_chunk::<2>()?;
    let digit = |byte: &u8| char::from(*byte).to_digit(10);
    let number = digit(tens)? * 10 + digit(ones)?;
    bounds.contains(&number).then_some((number, rest))
}

fn sign(value: &[u8], sign: u8) -> Option<&[u8]> {
    value.split_first().filter(|(first, _)| **first == sign).map(|(_, rest)| rest)
}

/// A date of the years 1 to 9999, and what stands behind it.
fn date(value: &[u8]) -> Option<&[u8]> {
    let (century, rest) = two(value, 0..=99)?;
    let (year, rest) = two(rest, 0..=99)?;
    let year = century * 100 + year;
    let (month, rest) = two(sign(rest, b'-')?, 1..=12)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let (_, rest) = two(sign(rest, b'-')?, 1..=days)?;
    (year > 0).then_some(rest)
}

/// A date and time before midnight, and what stands behind it.
fn date_time(value: &[u8]) -> Option<&[u8]> {
    let (_, rest) = two(sign(date(value)?, b'T')?, 0..=23)?;
    let (_, rest) = two(sign(rest, b':')?, 0..=59)?;
    let (_, rest) = two(sign(rest, b':')?, 0..=59)?;
    let Some(fraction) = sign(rest, b'.') else { return Some(rest) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=9).contains(&digits).then(|| fraction.get(digits..))?
}

/// No zone, UTC, or less than 14 hours from it.
fn is_zone(value: &[u8]) -> bool {
    let offset = |rest| {
        let (_, rest) = two(rest, 0..=13)?;
        two(sign(rest, b':')?, 0..=59).map(|(_, rest)| rest.is_empty())
    };
    match value {
        [] | [b'Z'] => true,
        [b'+' | b'-', rest @ ..] => offset(rest) == Some(true),
        _ => false,
    }
}

/// White space is taken out of base64 before the library judges it; here likewise.
fn is_base64(value: &str) -> bool {
    let (mut characters, mut last, mut padding) = (0_usize, b'A', 0_usize);
    for byte in value.bytes().filter(|byte| !is_space(char::from(*byte))) {
        match byte {
            b'=' => padding += 1,
            byte if padding == 0 && (byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')) => last = byte,
            _ => return false,
        }
        characters += 1;
    }
    let is_whole = match padding {
        0 => true,
        // The bits that the padding stands for are 0.
        1 => b"AEIMQUYcgkosw048".contains(&last),
        2 => b"AQgw".contains(&last),
        _ => false,
    };
    is_whole && characters.is_multiple_of(4)
}
