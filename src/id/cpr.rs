//! The person a call asks about, by CPR number.
//!
//! The number is personal data: it never reaches a log line, an error or a metric, so neither `Debug` nor `Display`
//! prints it, and [`Cpr::expose`] is easy to search for. Checked are form and possible date, never modulus 11, which
//! the CPR office gave up in 2007.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// The scheme that a person is named by, and the only one that can be compared in the answer.
pub const CPR_URN: &str = "urn:oio:cpr-nr:";

/// A CPR number of a possible form: ten digits, a possible date.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cpr([u8; 10]);

/// Who may be named in the environment for tests: numbers that nobody has by birth (days 61–91), and those of a list that the operator
/// keeps. Whether another number is somebody's cannot be told from the number.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TestNumbers(Arc<HashSet<Cpr>>);

impl TestNumbers {
    /// Those of a list beside days 61–91: a number a line; empty lines and what follows `#` are left out.
    ///
    /// # Errors
    /// The line, from 1, that is no CPR number.
    pub fn read(list: &str) -> Result<Self, usize> {
        let mut numbers = HashSet::new();
        for (line, text) in (1_usize..).zip(list.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if !text.is_empty() {
                numbers.insert(Cpr::parse(&text.replacen('-', "", 1)).ok_or(line)?);
            }
        }
        Ok(Self(Arc::new(numbers)))
    }

    /// Whether this is one.
    pub fn has(&self, cpr: &Cpr) -> bool {
        matches!(&cpr.0, [b'6'..=b'9', ..]) || self.0.contains(cpr)
    }
}

impl fmt::Debug for TestNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestNumbers({} listed)", self.0.len())
    }
}

/// Why a person's identifier was not taken. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCpr {
    /// Another scheme than `urn:oio:cpr-nr:`, or none.
    Scheme,
    /// Not ten digits, or no possible date.
    Number,
}

impl Cpr {
    /// Reads `urn:oio:cpr-nr:` and ten digits, exactly.
    ///
    /// # Errors
    /// [`NotCpr`] says which part was wrong.
    pub fn from_urn(urn: &str) -> Result<Self, NotCpr> {
        Self::parse(urn.strip_prefix(CPR_URN).ok_or(NotCpr::Scheme)?).ok_or(NotCpr::Number)
    }

    /// Reads ten ASCII digits that begin with a possible date (`DDMMYY`; days 61–91 are replacement and test numbers).
    pub fn parse(number: &str) -> Option<Self> {
        let digits: [u8; 10] = number.as_bytes().try_into().ok()?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let [d1, d2, m1, m2, y1, y2, century, ..] = digits.map(|digit| i16::from(digit - b'0'));
        let day = match d1 * 10 + d2 {
            day @ 61..=91 => day - 60,
            day => day,
        };
        let year = y1 * 10 + y2;
        // The seventh digit gives the century; it decides whether 29 February was a day (CPR-kontoret, "Personnummeret i CPR").
        let year = match (century, year) {
            (0..=3, _) | (4 | 9, 37..) => 1900 + year,
            (4 | 9, _) | (_, 0..=57) => 2000 + year,
            _ => 1800 + year,
        };
        jiff::civil::Date::new(year, i8::try_from(m1 * 10 + m2).ok()?, i8::try_from(day).ok()?).ok()?;
        Some(Self(digits))
    }

    /// The ten digits: for the request to the index, the comparison with its answer, and the sealing in the audit record.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The number as the index spells it, `urn:oio:cpr-nr:` in front. The same care as [`Cpr::expose`].
    pub fn expose_urn(&self) -> String {
        format!("{CPR_URN}{}", self.expose())
    }
}

impl fmt::Debug for Cpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cpr(..)")
    }
}

impl fmt::Display for Cpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cpr(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_ten_ascii_digits_and_a_possible_date() {
        for number in ["6101801234", "9112994321", "6102001234", "8902004234", "8902045234"] {
            assert!(Cpr::parse(number).is_some(), "{number}");
        }
        for (number, why) in [
            ("", "nothing"),
            ("610180123", "nine digits"),
            ("61018012345", "eleven digits"),
            ("610180-1234", "a hyphen"),
            ("610180123x", "a letter"),
            ("６101801234", "a digit that is not ASCII"),
            ("6001801234", "day 60 is day 0"),
            ("9201801234", "day 92"),
            ("3201801234", "day 32"),
            ("6113801234", "month 13"),
            ("6100801234", "month 0"),
            ("9104801234", "31 April"),
            ("8902011234", "29 February 1901"),
            ("8902001234", "29 February 1900, which was no leap year"),
        ] {
            assert!(Cpr::parse(number).is_none(), "{number}: {why}");
        }
    }

    #[test]
    fn the_century_decides_about_leap_days_and_never_modulus_11() {
        for (number, possible) in [
            ("8902363234", true),  // 1936
            ("8902364234", true),  // 2036
            ("8902374234", false), // 1937
            ("8902585234", false), // 1858
            ("8902605234", true),  // 1860
            ("8902565234", true),  // 2056
            ("8902009234", true),  // 2000
            ("8902003234", false), // 1900
        ] {
            assert_eq!(Cpr::parse(number).is_some(), possible, "{number}");
        }
    }

    #[test]
    fn a_person_is_named_by_exactly_one_scheme() {
        assert!(Cpr::from_urn("urn:oio:cpr-nr:6101801234").is_ok());
        for other in [
            "6101801234",
            "URN:OIO:CPR-NR:6101801234",
            "urn:oio:cvr-nr:11111111",
            "urn:oio:udk:borgerid:123456789012",
            " urn:oio:cpr-nr:6101801234",
            "",
        ] {
            assert_eq!(Cpr::from_urn(other), Err(NotCpr::Scheme), "{other}");
        }
        for wrong in ["urn:oio:cpr-nr:", "urn:oio:cpr-nr:6101801234 ", "urn:oio:cpr-nr: 6101801234", "urn:oio:cpr-nr:9999999999"]
        {
            assert_eq!(Cpr::from_urn(wrong), Err(NotCpr::Number), "{wrong}");
        }
    }

    /// Days 61 to 91 begin with 6 to 9, and no other possible day does. The others here are of persons who are born in 2057.
    #[test]
    fn a_number_for_tests_is_one_of_days_61_to_91_or_one_of_the_list() {
        let cpr = |number: &str| Cpr::parse(number).unwrap();
        let (none, some) = (TestNumbers::default(), TestNumbers::read("# CPR-kontoret\n\n010157-5234 # Test\r\n").unwrap());
        for (number, usual, listed) in
            [("6101801234", true, true), ("9112994321", true, true), ("0101575234", false, true), ("3112575321", false, false)]
        {
            assert_eq!((none.has(&cpr(number)), some.has(&cpr(number))), (usual, listed), "{number}");
        }
        assert_eq!(TestNumbers::read("0101575234\n12\n"), Err(2));
        assert_eq!(format!("{some:?}"), "TestNumbers(1 listed)");
    }

    #[test]
    fn a_number_is_never_printed_by_accident() {
        let person = Cpr::parse("6101801234").unwrap();
        assert_eq!(format!("{person:?} {person} {:#?}", Some(&person)), "Cpr(..) Cpr(..) Some(\n    Cpr(..),\n)");
        assert_eq!(person.expose(), "6101801234");
        assert_eq!(person.expose_urn(), "urn:oio:cpr-nr:6101801234");
    }
}
