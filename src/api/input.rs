//! What the values of a request must be, and how one that is not so is told.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::{Timestamp, civil::Date};
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};

use crate::agreements::route::day;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;

/// The longest text, in bytes.
pub const LONGEST: usize = 1000;

/// A field whose value cannot be used.
pub fn wrong(field: &str, da: impl Into<String>, en: impl Into<String>) -> ApiRefusal {
    ApiRefusal::ApiFieldInvalid { field: field.to_owned(), what: Detail::new(da, en) }
}

/// A parameter of the query that cannot be used.
pub fn wrong_parameter(parameter: &str, da: impl Into<String>, en: impl Into<String>) -> ApiRefusal {
    ApiRefusal::ApiQueryInvalid { parameter: parameter.to_owned(), what: Detail::new(da, en) }
}

/// One line of text that people read: no control characters, for it will stand in lists, mails and headers, and none of the
/// beginnings that make a spreadsheet take it for a formula.
pub fn line(field: &str, text: &str) -> Result<String, ApiRefusal> {
    let text = text.trim();
    match text {
        "" => Err(wrong(field, "det er tomt", "it is empty")),
        text if text.len() > LONGEST => {
            Err(wrong(field, format!("det er længere end {LONGEST} byte"), format!("it is longer than {LONGEST} bytes")))
        }
        text if text.chars().any(is_unseen) => {
            Err(wrong(field, "det indeholder kontroltegn eller linjeskift", "it holds control characters or line breaks"))
        }
        text if text.starts_with(['=', '+', '-', '@']) => {
            Err(wrong(field, "det begynder med =, +, - eller @", "it begins with =, +, - or @"))
        }
        text => Ok(text.to_owned()),
    }
}

/// Control characters, and those that turn the direction of text, break lines or are not seen at all.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A map whose names stand once each: of a repeated one it would be left open which holds.
pub fn named_once<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    struct Once;
    impl<'de> Visitor<'de> for Once {
        type Value = BTreeMap<String, Vec<String>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while let Some((name, values)) = entries.next_entry()? {
                if found.insert(name, values).is_some() {
                    return Err(serde::de::Error::custom("a name is repeated"));
                }
            }
            Ok(found)
        }
    }
    from.deserialize_map(Once)
}

/// The reason of an import: one decision has one, so that none of several is dropped.
pub fn one_reason<'r>(mut reasons: impl Iterator<Item = &'r str>) -> Result<String, ApiRefusal> {
    let first = reasons.next().unwrap_or_default();
    if reasons.any(|reason| reason != first) {
        return Err(wrong(
            "reason",
            "en import har én begrundelse, ens overalt",
            "an import has one reason, the same throughout",
        ));
    }
    Ok(first.to_owned())
}

/// A value of another type.
pub fn parsed<T: FromStr>(field: &str, text: &str, da: &str, en: &str) -> Result<T, ApiRefusal> {
    text.parse().map_err(|_| wrong(field, da, en))
}

/// An instant with an offset.
pub fn instant(field: &str, text: &str) -> Result<Timestamp, ApiRefusal> {
    parsed(
        field,
        text,
        "det er ikke et tidspunkt med tidszone; skriv fx 2027-01-01T00:00:00+01:00",
        "it is not an instant with an offset; write 2027-01-01T00:00:00+01:00, say",
    )
}

/// A civil day.
pub fn civil(field: &str, text: &str) -> Result<Date, ApiRefusal> {
    day(text).map_err(|_| wrong(field, "det er ikke en dato; skriv fx 2027-01-01", "it is not a day; write 2027-01-01, say"))
}

/// A list within bounds, each item read.
pub fn list<T>(
    field: &str,
    items: &[String],
    most: usize,
    read: impl Fn(&str) -> Result<T, ApiRefusal>,
) -> Result<Vec<T>, ApiRefusal> {
    if items.len() > most {
        return Err(wrong(field, format!("der er flere end {most}"), format!("there are more than {most}")));
    }
    items.iter().map(|item| read(item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_that_does_nothing_to_whoever_shows_it() {
        assert_eq!(line("purpose", "  Opkrævning § 8 ").unwrap(), "Opkrævning § 8");
        for bad in [
            "",
            "  ",
            "a\r\nBcc: x",
            "a\nb",
            "a\tb",
            "a\u{7}",
            "a\u{0}b",
            "a\u{202e}b",
            "a\u{61c}b",
            "a\u{200b}b",
            "\u{ad}=1",
            "a\u{2028}b",
            "=1+1",
            "+1",
            "-1",
            "@a",
        ] {
            assert!(matches!(line("purpose", bad), Err(ApiRefusal::ApiFieldInvalid { .. })), "{bad:?}");
        }
        assert!(line("purpose", &"æ".repeat(501)).is_err());
    }
}
