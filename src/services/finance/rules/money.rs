//! Amounts of Danish kroner, exactly: whole øre, never a binary fraction.

use std::fmt;

/// The most digits in front of the decimals that are read: far above what the schema lets through, and far below what overflows.
const DIGITS: usize = 18;

/// An amount in øre. 128 bits hold the sum of more postings than any file has bytes, so that sums cannot overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Oere(i128);

/// An amount as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// What it is worth.
    pub amount: Oere,
    /// Whether it was written with exactly two decimals.
    pub two_decimals: bool,
}

impl Oere {
    /// Reads digits, and perhaps a point and one or two decimals, as the schema has them. `None`: it is no such amount.
    pub fn read(text: &str) -> Option<Written> {
        let (whole, decimals) = text.split_once('.').map_or((text, None), |(whole, decimals)| (whole, Some(decimals)));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || whole.len() > DIGITS {
            return None;
        }
        let whole: i128 = whole.parse().ok()?;
        let (oere, two_decimals) = match decimals {
            None => (0, false),
            Some(one) if one.len() == 1 && digits(one) => (one.parse::<i128>().ok()? * 10, false),
            Some(two) if two.len() == 2 && digits(two) => (two.parse().ok()?, true),
            Some(_) => return None,
        };
        Some(Written { amount: Self(whole * 100 + oere), two_decimals })
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::AddAssign for Oere {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

/// With a point and two decimals, as the contract writes it.
impl fmt::Display for Oere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, oere) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:02}", oere / 100, oere % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, oere, two) in [
            ("0.00", 0, true),
            ("0.01", 1, true),
            ("1.5", 150, false),
            ("12", 1200, false),
            ("0010.10", 1010, true),
            ("99999999999.99", 9_999_999_999_999, true),
        ] {
            assert_eq!(Oere::read(text), Some(Written { amount: Oere(oere), two_decimals: two }), "{text}");
        }
        for text in ["", ".", ".50", "1.", "-1.00", "+1.00", "1,00", "1.000", "1e2", "１.00", "1 000.00", "1234567890123456789"]
        {
            assert_eq!(Oere::read(text), None, "{text}");
        }
        assert_eq!([Oere(5), Oere(123_456), Oere(-7)].map(|amount| amount.to_string()), ["0.05", "1234.56", "-0.07"]);
    }

    #[test]
    fn a_tenth_added_ten_times_is_one() {
        let mut sum = Oere::default();
        (0..10).for_each(|_| sum += Oere::read("0.10").unwrap().amount);
        assert_eq!(Some(sum), Oere::read("1.00").map(|written| written.amount));
    }
}
