//! KLE numbers, which name a kind of task or benefit, and the patterns that tokens and agreements write for several.

use std::fmt;

/// A KLE number of the form `dd.dd.dd`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kle(String);

impl Kle {
    /// Reads exactly `dd.dd.dd`, ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 8 && is_prefix(text)).then(|| Self(text.to_owned()))
    }

    /// The number as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` begins some `dd.dd.dd`.
fn is_prefix(text: &str) -> bool {
    text.len() <= 8 && text.bytes().enumerate().all(|(at, byte)| if at % 3 == 2 { byte == b'.' } else { byte.is_ascii_digit() })
}

/// One of `9*`, `99.*`, `99.9*`, `99.99.*`, `99.99.9*`, or an exact number. A bare `*` is none of them: no constraint is
/// written as an empty list.
///
/// ```
/// use hjemmel::id::kle::{Kle, Pattern};
///
/// let pattern = Pattern::parse("32.0*").unwrap();
/// assert!(pattern.permits(&Kle::parse("32.03.04").unwrap()));
/// assert!(!pattern.permits(&Kle::parse("32.10.04").unwrap()));
/// assert_eq!(Pattern::parse("32*"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Exact(Kle),
    Begins(String),
}

impl Pattern {
    /// Reads a pattern; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let form = match text.strip_suffix('*') {
            None => Form::Exact(Kle::parse(text)?),
            // `99*` and `99.99*` would be `99.*` with the point left out; the profile does not know them.
            Some(begin) if is_prefix(begin) && matches!(begin.len(), 1 | 3 | 4 | 6 | 7) => Form::Begins(begin.to_owned()),
            Some(_) => return None,
        };
        Some(Self(form))
    }

    /// Whether a number is among those that it stands for.
    pub fn permits(&self, kle: &Kle) -> bool {
        match &self.0 {
            Form::Exact(exact) => exact == kle,
            Form::Begins(begin) => kle.0.starts_with(begin.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_numbers_that_begin_with_it() {
        for (pattern, inside, outside) in [
            ("3*", "32.03.04", "23.03.04"),
            ("32.*", "32.30.08", "33.03.04"),
            ("32.0*", "32.03.04", "32.10.04"),
            ("32.03.*", "32.03.16", "32.04.16"),
            ("32.03.1*", "32.03.16", "32.03.04"),
            ("32.03.04", "32.03.04", "32.03.05"),
        ] {
            let permits = |number: &str| Pattern::parse(pattern).unwrap().permits(&Kle::parse(number).unwrap());
            assert!(permits(inside), "{pattern} permits {inside}");
            assert!(!permits(outside), "{pattern} does not permit {outside}");
        }
    }

    #[test]
    fn only_the_profiles_patterns_are_read() {
        for none in [
            "",
            "*",
            "a*",
            "32*",
            "32",
            "32.",
            "32.**",
            "32.03",
            "32.03*",
            "32.03.04*",
            "32.03.041",
            "32.03.04.05",
            "*.03.04",
            "32.*.04",
            "32.03.0?",
            " 32.03.04",
            "32.03.04 ",
            "３2.03.04",
            "٣*",
            "32-03-04",
        ] {
            assert_eq!(Pattern::parse(none), None, "{none:?}");
        }
    }
}
