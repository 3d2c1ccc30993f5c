//! Numbers within their bounds and digits.

use crate::schema::model::Facets;
use crate::stub::random::Random;

/// Whether a built-in type is one of decimal numbers.
pub(super) fn is_number(built_in: &str) -> bool {
    built_in == "decimal" || whole(built_in).is_some()
}

/// The bounds of the types of whole numbers.
pub(super) fn whole(built_in: &str) -> Option<(i128, i128)> {
    const FAR: i128 = 10_i128.pow(12);
    Some(match built_in {
        "integer" => (-FAR, FAR),
        "nonNegativeInteger" => (0, FAR),
        "positiveInteger" => (1, FAR),
        "nonPositiveInteger" => (-FAR, 0),
        "negativeInteger" => (-FAR, -1),
        "long" => (i64::MIN.into(), i64::MAX.into()),
        "int" => (i32::MIN.into(), i32::MAX.into()),
        "short" => (i16::MIN.into(), i16::MAX.into()),
        "byte" => (i8::MIN.into(), i8::MAX.into()),
        "unsignedLong" => (0, u64::MAX.into()),
        "unsignedInt" => (0, u32::MAX.into()),
        "unsignedShort" => (0, u16::MAX.into()),
        "unsignedByte" => (0, u8::MAX.into()),
        _ => return None,
    })
}

/// A number without its point: the digits, and how many stand behind the point.
fn decimal(text: &str) -> Option<(i128, u32)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (before, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let behind = behind.trim_end_matches('0');
    let all = format!("{before}{behind}");
    let number: i128 = if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) { return None } else { all.parse().ok()? };
    Some((sign * number, u32::try_from(behind.len()).ok()?))
}

/// A number at a scale: its value times ten to that power.
fn at_scale(text: &str, scale: u32) -> Option<i128> {
    let (number, own) = decimal(text)?;
    number.checked_mul(10_i128.checked_pow(scale.checked_sub(own)?)?)
}

/// Whether a text is a number of the type that keeps the facets.
pub(super) fn keeps(built_in: &str, facets: &Facets, text: &str) -> bool {
    let Some((number, scale)) = decimal(text) else { return false };
    if let Some((least, most)) = whole(built_in)
        && (text.contains('.') || !(least..=most).contains(&number))
    {
        return false;
    }
    let bound = |bound: &Option<String>, holds: fn(i128, i128) -> bool| {
        bound.as_ref().is_none_or(|bound| {
            let common = decimal(bound).map_or(scale, |(_, own)| own.max(scale));
            matches!((at_scale(text, common), at_scale(bound, common)), (Some(value), Some(bound)) if holds(value, bound))
        })
    };
    let digits = number.unsigned_abs().to_string().len() as u32;
    bound(&facets.min_inclusive, |value, bound| value >= bound)
        && bound(&facets.max_inclusive, |value, bound| value <= bound)
        && bound(&facets.min_exclusive, |value, bound| value > bound)
        && bound(&facets.max_exclusive, |value, bound| value < bound)
        && facets.fraction_digits.is_none_or(|most| scale <= most)
        && facets.total_digits.is_none_or(|most| digits.max(scale) <= most)
}

/// A number of a built-in type, most often within the facets.
pub(super) fn written(built_in: &str, facets: &Facets, random: &mut Random) -> String {
    let (least, most) = whole(built_in).unwrap_or((-1_000_000, 1_000_000));
    let most_digits = facets.fraction_digits.unwrap_or(2).min(facets.total_digits.unwrap_or(u32::MAX)).min(6);
    let scale = if whole(built_in).is_some() { 0 } else { random.below(most_digits as usize + 1) as u32 };
    // Bounds may have more digits than the value gets; what then falls outside is tried again.
    let bound = |text: &Option<String>, up: bool| {
        let (number, own) = decimal(text.as_ref()?)?;
        if own <= scale {
            return number.checked_mul(10_i128.checked_pow(scale - own)?);
        }
        let unit = 10_i128.checked_pow(own - scale)?;
        Some(number.div_euclid(unit) + i128::from(up && number.rem_euclid(unit) != 0))
    };
    let unit = 10_i128.pow(scale);
    let low = bound(&facets.min_inclusive, true).or(bound(&facets.min_exclusive, false).map(|low| low.saturating_add(1)));
    let high = bound(&facets.max_inclusive, false).or(bound(&facets.max_exclusive, true).map(|high| high.saturating_sub(1)));
    let digits =
        facets.total_digits.map_or(i128::MAX, |digits| 10_i128.checked_pow(digits).unwrap_or(i128::MAX).saturating_sub(1));
    let mut low = low.unwrap_or(least.saturating_mul(unit)).max(-digits).max(least.saturating_mul(unit));
    let mut high = high.unwrap_or(most.saturating_mul(unit)).min(digits).min(most.saturating_mul(unit));
    // Most numbers in messages are small and not negative.
    if low < 0 && high >= 0 && random.chance(80) {
        low = 0;
    }
    if random.chance(70) {
        high = high.min(low.saturating_add(100_000));
    }
    let span = high.saturating_sub(low).saturating_add(1).max(1);
    let number = low.saturating_add(i128::from(random.bits()) % span);
    if scale == 0 {
        return number.to_string();
    }
    let (sign, all) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
    let (before, behind) = (all / unit.unsigned_abs(), all % unit.unsigned_abs());
    format!("{sign}{before}.{behind:0width$}", width = scale as usize)
}
