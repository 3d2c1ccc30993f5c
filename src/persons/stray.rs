//! CPR numbers where none belongs: what is formed like one is refused in every field but the two that are made for it, whoever's number it
//! may be. HR systems use it as staff number and user name, and people write it into titles; what is kept and handed on must hold none.
//!
//! Formed like one are ten digits that begin with a possible date, alone or in groups of 6 and 4, of 2, 4 and 4 (as Apache POI writes a cell
//! that shows its number as 000000-0000) or of 2, 2, 2 and 4, whatever stands between (but a letter). The row's own numbers are found in any
//! grouping, and without the zero that a spreadsheet takes away.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::field::{Field, Kind};
use super::row::Row;
use crate::id::cpr::Cpr;

/// Fewer digits are no number, not even one that lost its zero.
const FEWEST: usize = 9;

/// The CPR numbers of a row.
pub(super) struct Own([Option<Zeroizing<String>>; 2]);

impl Own {
    pub(super) fn of(row: &Row) -> Self {
        let number = |field| {
            let digits = |text: &&str| text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
            row.cell(field).filter(digits).map(|text| Zeroizing::new(text.to_owned()))
        };
        Self([number(Field::CPRnummer), number(Field::LederCPRnummer)])
    }

    /// Whether a CPR number stands in the value of a field.
    pub(super) fn or_any_stands_in(&self, kind: Kind, text: &str) -> bool {
        if text.bytes().filter(|byte| byte.is_ascii_digit() || !byte.is_ascii()).count() < FEWEST {
            return false;
        }
        // Digits of full width and the like are digits.
        let plain: Zeroizing<String> = Zeroizing::new(text.nfkc().collect());
        let numeric = plain.chars().filter(|c| c.is_numeric());
        let (ascii, others) = numeric.fold((0, 0), |(ascii, others), c| match c.is_ascii_digit() {
            true => (ascii + 1, others),
            false => (ascii, others + 1),
        });
        if ascii + others < FEWEST {
            return false;
        }
        // So many digits, and some of another script: nobody can tell what they say.
        if others > 0 {
            return true;
        }
        let digits: Zeroizing<String> = Zeroizing::new(plain.chars().filter(char::is_ascii_digit).collect());
        let holds = |number: &str| digits.contains(number) || number.strip_prefix('0').is_some_and(|rest| digits.contains(rest));
        // A number with a country's code is a phone's.
        let abroad = kind == Kind::Phone && plain.starts_with('+');
        self.0.iter().flatten().any(|number| holds(number)) || !abroad && is_formed_like_one(&plain)
    }
}

fn is_formed_like_one(text: &str) -> bool {
    text.split(char::is_alphabetic).any(|part| {
        let groups: Vec<&str> = part.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
        [&[10][..], &[6, 4], &[2, 4, 4], &[2, 2, 2, 4]].into_iter().any(|form| {
            groups.windows(form.len()).any(|window| {
                window.iter().zip(form).all(|(group, length)| group.len() == *length)
                    && Cpr::parse(&Zeroizing::new(window.concat())).is_some()
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_formed_like_a_cpr_number_is_found_in_its_disguises_and_other_numbers_are_not() {
        let mut row = Row::new(1);
        row.give("CPRnummer", "0161801234");
        row.give("LederCPRnummer", "6202801234");
        let own = Own::of(&row);
        for (kind, text) in [
            // Anybody's.
            (Kind::Code, "6101801234"),
            (Kind::Text, "u6101801234"),
            (Kind::Text, "barn 610180-1234 og"),
            (Kind::Text, "610180.1234"),
            (Kind::Code, "610180/1234"),
            (Kind::Code, "610180_1234"),
            (Kind::Text, "610180\u{2013}1234"),
            (Kind::Text, "610180\u{a0}1234"),
            (Kind::Text, "61 01 80 1234"),
            (Kind::Code, "61-0180-1234"),
            (Kind::Text, "61 0180 1234"),
            (Kind::Text, "６１０１８０１２３４"),
            (Kind::Text, "٦١٠١٨٠١٢٣٤"),
            (Kind::Phone, "6101801234"),
            (Kind::Email, "6101801234@skole.example"),
            // The row's own.
            (Kind::Text, "620 280 1234"),
            (Kind::Text, "6-2-0-2-8-0-1-2-3-4"),
            (Kind::Text, "99620280123499"),
            (Kind::Code, "161801234"),
            (Kind::Phone, "+6202801234"),
        ] {
            assert!(own.or_any_stands_in(kind, text), "{text}");
        }
        for (kind, text) in [
            (Kind::Text, "Lærer, 3. b, 2026-2027"),
            (Kind::Phone, "+45 61 01 80 12"),
            (Kind::Phone, "+4561018012"),
            (Kind::Phone, "+6101801234"),
            (Kind::Ean, "5798000420526"),
            (Kind::Code, "9999999999"),
            (Kind::Code, "61018012345"),
            (Kind::Text, "610180 a 1234"),
            (Kind::Day, "1980-01-01"),
            (Kind::Text, "ÅÆØåæøÅÆØåæø"),
        ] {
            assert!(!own.or_any_stands_in(kind, text), "{text}");
        }
    }
}
