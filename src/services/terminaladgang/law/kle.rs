//! What token and agreement say about kinds of benefit (KLE numbers) and about sensitivity.
//!
//! Both only narrow: each source that speaks must permit, and a source that names nothing permits nothing.

use crate::id::kle::{Kle, Pattern};

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
    fn a_pattern_that_is_none_is_refused_by_name() {
        assert_eq!(Constraint::unconstrained().and(["32.*", "32*"]), Err(Unreadable("32*".to_owned())));
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
