//! What token and agreement say about kinds of benefit (KLE numbers) and about sensitivity.
//!
//! Both only narrow: each source that speaks must permit, and a source that names nothing permits nothing.

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

/// One of `9*`, `99.*`, `99.9*`, `99.99.*`, `99.99.9*`, or an exact number.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exact(Kle),
    Begins(String),
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('*') {
            None => Kle::parse(text).map(Self::Exact),
            // `99*` and `99.99*` would be `99.*` with the point left out; the profile does not know them.
            Some(begin) if is_prefix(begin) && matches!(begin.len(), 1 | 3 | 4 | 6 | 7) => Some(Self::Begins(begin.to_owned())),
            Some(_) => None,
        }
    }

    fn permits(&self, kle: &Kle) -> bool {
        match self {
            Self::Exact(exact) => exact == kle,
            Self::Begins(begin) => kle.0.starts_with(begin.as_str()),
        }
    }
}

/// A constraint that cannot be read; what it was meant to permit is unknown, so the caller refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

/// Which KLE numbers a caller may see: every source that speaks must permit a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraint {
    sources: Vec<Vec<Pattern>>,
}

impl Constraint {
    /// No source speaks: every number is permitted.
    pub fn unconstrained() -> Self {
        Self::default()
    }

    /// Adds a source (a token, an agreement) with the patterns it names.
    ///
    /// # Errors
    /// [`Unreadable`] with the pattern that is none.
    pub fn and<'p>(mut self, patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, Unreadable> {
        let read = |pattern: &'p str| Pattern::parse(pattern).ok_or_else(|| Unreadable(pattern.to_owned()));
        self.sources.push(patterns.into_iter().map(read).collect::<Result<_, _>>()?);
        Ok(self)
    }

    /// Whether any source speaks.
    pub fn is_constrained(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Whether every source permits this number.
    pub fn permits(&self, kle: &Kle) -> bool {
        self.sources.iter().all(|source| source.iter().any(|pattern| pattern.permits(kle)))
    }
}

/// How sensitive a grant is (`bi:Foelsomhed`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sensitivity {
    /// `IKKE_FORTROLIGE_DATA`
    NotConfidential,
    /// `FORTROLIGE_PERSONOPLYSNINGER`
    Confidential,
    /// `FOELSOMME_PERSONOPLYSNINGER`
    Sensitive,
    /// `VIP_SAGER`
    Vip,
}

impl Sensitivity {
    /// Reads the schema's spelling, exactly.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "IKKE_FORTROLIGE_DATA" => Some(Self::NotConfidential),
            "FORTROLIGE_PERSONOPLYSNINGER" => Some(Self::Confidential),
            "FOELSOMME_PERSONOPLYSNINGER" => Some(Self::Sensitive),
            "VIP_SAGER" => Some(Self::Vip),
            _ => None,
        }
    }
}

/// Which sensitivities a caller may see: every source that speaks must name it, and `VIP_SAGER` must be named by one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SensitivityConstraint {
    sources: Vec<Vec<Sensitivity>>,
}

impl SensitivityConstraint {
    /// No source speaks: everything but `VIP_SAGER` is permitted.
    pub fn unconstrained() -> Self {
        Self::default()
    }

    /// Adds a source with the values it names, as the schema spells them. No value implies another.
    ///
    /// # Errors
    /// [`Unreadable`] with the value that is none.
    pub fn and<'v>(mut self, values: impl IntoIterator<Item = &'v str>) -> Result<Self, Unreadable> {
        let read = |value: &'v str| Sensitivity::parse(value).ok_or_else(|| Unreadable(value.to_owned()));
        self.sources.push(values.into_iter().map(read).collect::<Result<_, _>>()?);
        Ok(self)
    }

    /// Whether any source speaks.
    pub fn is_constrained(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Whether a grant of this sensitivity may be seen; `None` is a grant that does not say, which no source names.
    pub fn permits(&self, sensitivity: Option<Sensitivity>) -> bool {
        let Some(sensitivity) = sensitivity else { return !self.is_constrained() };
        let by_default = sensitivity != Sensitivity::Vip || self.is_constrained();
        by_default && self.sources.iter().all(|source| source.contains(&sensitivity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kle(text: &str) -> Kle {
        Kle::parse(text).unwrap()
    }

    #[test]
    fn only_the_profiles_patterns_are_read() {
        let permits = |pattern: &str, number: &str| Constraint::unconstrained().and([pattern]).unwrap().permits(&kle(number));
        for (pattern, inside, outside) in [
            ("3*", "32.03.04", "23.03.04"),
            ("32.*", "32.30.08", "33.03.04"),
            ("32.0*", "32.03.04", "32.10.04"),
            ("32.03.*", "32.03.16", "32.04.16"),
            ("32.03.1*", "32.03.16", "32.03.04"),
            ("32.03.04", "32.03.04", "32.03.05"),
        ] {
            assert!(permits(pattern, inside), "{pattern} permits {inside}");
            assert!(!permits(pattern, outside), "{pattern} does not permit {outside}");
        }
        for none in [
            "",
            "*",
            "32*",
            "32",
            "32.",
            "32.03",
            "32.03*",
            "32.03.04*",
            "32.03.041",
            "*.03.04",
            "32.*.04",
            "32.03.0?",
            " 32.03.04",
            "３2.03.04",
            "32-03-04",
        ] {
            assert_eq!(Constraint::unconstrained().and([none]), Err(Unreadable(none.to_owned())), "{none:?}");
        }
    }

    #[test]
    fn every_source_must_permit_and_one_that_names_nothing_permits_nothing() {
        let both = Constraint::unconstrained().and(["32.03.*", "32.06.*"]).unwrap().and(["32.03.04", "32.10.*"]).unwrap();
        assert!(both.permits(&kle("32.03.04")));
        assert!(!both.permits(&kle("32.06.04")), "the second source does not name it");
        assert!(!both.permits(&kle("32.10.04")), "the first source does not name it");
        assert!(Constraint::unconstrained().permits(&kle("99.99.99")));
        assert!(!Constraint::unconstrained().and([]).unwrap().permits(&kle("32.03.04")));
    }

    #[test]
    fn vip_cases_are_never_within_a_constraint_unless_named() {
        let none = SensitivityConstraint::unconstrained();
        assert!(none.permits(Some(Sensitivity::Sensitive)) && none.permits(None));
        assert!(!none.permits(Some(Sensitivity::Vip)), "nobody named it");
        let some = none.clone().and(["IKKE_FORTROLIGE_DATA", "FOELSOMME_PERSONOPLYSNINGER"]).unwrap();
        assert!(some.permits(Some(Sensitivity::Sensitive)));
        assert!(!some.permits(Some(Sensitivity::Confidential)), "no value implies another");
        assert!(!some.permits(Some(Sensitivity::Vip)) && !some.permits(None));
        let vip = none.and(["VIP_SAGER"]).unwrap();
        assert!(vip.permits(Some(Sensitivity::Vip)));
        assert!(!vip.and(["IKKE_FORTROLIGE_DATA"]).unwrap().permits(Some(Sensitivity::Vip)), "the other source does not name it");
        assert_eq!(SensitivityConstraint::unconstrained().and(["vip_sager"]), Err(Unreadable("vip_sager".into())));
    }
}
