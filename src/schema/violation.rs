//! Which element breaks which rule of its schema, and what was expected. Never a value: it may be a person's.

use crate::refusal::Detail;

/// How many violations are reported one by one.
pub const TOLD: usize = 20;
/// How many expected names or values are reported.
pub const EXPECTED: usize = 12;

/// A rule of XML Schema, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The element is not declared, or stands where the schema has no place for it, or one is missing.
    Content,
    /// Text where only elements may stand, or content where there may be none.
    Text,
    /// The root is not the element that the operation asks for.
    Root,
    /// An attribute that the schema does not have here.
    AttributeUnknown,
    /// A mandatory attribute is missing.
    AttributeMissing,
    /// The value is not of the type.
    Value,
    /// The value does not have the pattern.
    Pattern,
    /// The value is not among those listed.
    Enumeration,
    /// The value is too short, too long, or not of the one length.
    Length,
    /// The number or date is outside its bounds.
    Range,
    /// The number has too many digits.
    Digits,
    /// The value is fixed to another.
    Fixed,
    /// `xsi:nil` where it may not stand, or beside content.
    Nil,
    /// `xsi:type` names no type, or one that may not stand here.
    Type,
    /// An ID twice, an IDREF without its ID, a key twice or without its value.
    Identity,
    /// Another rule.
    Other,
}

impl Rule {
    /// The rule behind a constraint's name in the recommendation (`cvc-…`).
    pub(super) fn of(constraint: &str) -> Self {
        const RULES: &[(&str, Rule)] = &[
            ("cvc-elt.1", Rule::Content),
            ("cvc-elt.2", Rule::Content),
            ("cvc-elt.3", Rule::Nil),
            ("cvc-elt.4", Rule::Type),
            ("cvc-elt.5.2.2", Rule::Fixed),
            ("cvc-type.2", Rule::Type),
            ("cvc-complex-type.2.1", Rule::Text),
            ("cvc-complex-type.2.3", Rule::Text),
            ("cvc-complex-type.2.4", Rule::Content),
            ("cvc-complex-type.3", Rule::AttributeUnknown),
            ("cvc-complex-type.4", Rule::AttributeMissing),
            ("cvc-assess-attr", Rule::AttributeUnknown),
            ("cvc-attribute.4", Rule::Fixed),
            ("cvc-au", Rule::Fixed),
            ("cvc-pattern-valid", Rule::Pattern),
            ("cvc-enumeration-valid", Rule::Enumeration),
            ("cvc-length-valid", Rule::Length),
            ("cvc-minLength-valid", Rule::Length),
            ("cvc-maxLength-valid", Rule::Length),
            ("cvc-minInclusive-valid", Rule::Range),
            ("cvc-maxInclusive-valid", Rule::Range),
            ("cvc-minExclusive-valid", Rule::Range),
            ("cvc-maxExclusive-valid", Rule::Range),
            ("cvc-totalDigits-valid", Rule::Digits),
            ("cvc-fractionDigits-valid", Rule::Digits),
            ("cvc-datatype-valid", Rule::Value),
            ("cvc-simple-type", Rule::Value),
            ("cvc-type", Rule::Value),
            ("cvc-attribute", Rule::Value),
            ("cvc-id", Rule::Identity),
        ];
        RULES.iter().find(|(name, _)| constraint.starts_with(name)).map_or(Self::Other, |(_, rule)| *rule)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Content => (
                "elementet, eller et element i det, står forkert eller mangler",
                "the element, or one in it, is misplaced or missing",
            ),
            Self::Text => (
                "der står tekst, hvor der kun må stå elementer, eller omvendt",
                "there is text where only elements may stand, or the reverse",
            ),
            Self::Root => ("elementet er ikke det, som operationen har", "the element is not the operation's"),
            Self::AttributeUnknown => {
                ("der er en attribut, som skemaet ikke har", "there is an attribute that the schema does not have")
            }
            Self::AttributeMissing => ("en obligatorisk attribut mangler", "a mandatory attribute is missing"),
            Self::Value => ("værdien er ikke af typen", "the value is not of the type"),
            Self::Pattern => ("værdien følger ikke mønstret", "the value does not follow the pattern"),
            Self::Enumeration => ("værdien er ikke en af de tilladte", "the value is not one of those allowed"),
            Self::Length => ("værdien har ikke en tilladt længde", "the value does not have an allowed length"),
            Self::Range => ("værdien ligger uden for grænserne", "the value lies outside its bounds"),
            Self::Digits => ("tallet har for mange cifre", "the number has too many digits"),
            Self::Fixed => ("værdien er ikke den fastsatte", "the value is not the fixed one"),
            Self::Nil => ("xsi:nil må ikke stå her", "xsi:nil may not stand here"),
            Self::Type => {
                ("xsi:type må ikke stå her, eller nævner en ukendt type", "xsi:type may not stand here, or names an unknown type")
            }
            Self::Identity => ("et id eller en nøgle er brugt to gange eller mangler", "an id or a key is used twice or missing"),
            Self::Other => ("en regel i skemaet er brudt", "a rule of the schema is broken"),
        }
    }
}

/// One place where a message breaks its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Violation {
    /// Where, by the names that the schema has: `/Leverance/Bilag[2]/@id`.
    pub path: String,
    pub rule: Rule,
    /// Its name in the recommendation, such as `cvc-complex-type.2.4`.
    pub constraint: &'static str,
    /// What the schema has there: names, a type, a pattern.
    pub expected: Vec<String>,
}

/// All that is wrong with a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations {
    /// The first of them, at most [`TOLD`].
    pub told: Vec<Violation>,
    /// How many there are in all.
    pub count: usize,
}

impl Violations {
    /// In words: places, rules, what was expected, and how many more there are.
    pub fn detail(&self) -> Detail {
        let more = self.count.saturating_sub(self.told.len());
        let text = |danish: bool| {
            let mut parts: Vec<String> = self.told.iter().map(|violation| violation.text(danish)).collect();
            if more > 0 {
                parts.push(if danish { format!("og {more} fejl mere") } else { format!("and {more} more errors") });
            }
            parts.join("; ")
        };
        Detail::new(text(true), text(false))
    }
}

impl Violation {
    fn text(&self, danish: bool) -> String {
        let (da, en) = self.rule.words();
        let (words, label) = if danish { (da, "forventet") } else { (en, "expected") };
        let expected = if self.expected.is_empty() { String::new() } else { format!(", {label}: {}", self.expected.join(" | ")) };
        format!("{}: {words} ({}{expected})", self.path, self.constraint)
    }
}
