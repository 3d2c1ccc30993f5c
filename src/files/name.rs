//! The name of a file in a home.

use std::cmp::Ordering;
use std::fmt;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A name that can stand in a folder: 1 to 255 bytes of UTF-8 without `/` and control characters, neither `.` nor `..`.
///
/// Two names are the same if their Unicode NFC forms are. The sender's own spelling is kept and shown. What a profile forbids
/// beyond this is the profile's own check. A name can hold a person's data: it does not print itself.
#[derive(Clone)]
pub struct Name {
    spelt: String,
    /// The NFC form, where it differs.
    composed: Option<String>,
}

/// What keeps bytes from being a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAName {
    /// No bytes, `.` or `..`.
    Empty,
    /// More than [`Name::LONGEST`] bytes, as spelt or in NFC.
    Long,
    /// Not UTF-8, or with U+FFFD, which libraries put where bytes were not.
    NotUtf8,
    /// A control character, a line or paragraph separator, or `/`.
    Character,
}

impl Name {
    /// The most bytes of a name.
    pub const LONGEST: usize = 255;

    /// Checks a name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(spelt: &str) -> Result<Self, NotAName> {
        let forbidden = |c: char| c == '/' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if matches!(spelt, "" | "." | "..") {
            return Err(NotAName::Empty);
        }
        if spelt.len() > Self::LONGEST {
            return Err(NotAName::Long);
        }
        if spelt.contains('\u{FFFD}') {
            return Err(NotAName::NotUtf8);
        }
        if spelt.contains(forbidden) {
            return Err(NotAName::Character);
        }
        let composed: Option<String> = match is_nfc_quick(spelt.chars()) {
            IsNormalized::Yes => None,
            _ => Some(spelt.nfc().collect()),
        };
        if composed.as_ref().is_some_and(|composed| composed.len() > Self::LONGEST) {
            return Err(NotAName::Long);
        }
        Ok(Self { composed: composed.filter(|composed| composed != spelt), spelt: spelt.to_owned() })
    }

    /// As the sender spelt it.
    pub fn spelt(&self) -> &str {
        &self.spelt
    }

    /// In Unicode NFC: what names are compared and sorted by, byte for byte.
    pub fn key(&self) -> &str {
        self.composed.as_deref().unwrap_or(&self.spelt)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_folder_cannot_hold_is_no_name() {
        for (spelt, wrong) in [
            ("", NotAName::Empty),
            (".", NotAName::Empty),
            ("..", NotAName::Empty),
            ("a/b", NotAName::Character),
            ("a\nb", NotAName::Character),
            ("a\0", NotAName::Character),
            ("\u{7f}", NotAName::Character),
            ("a\u{85}", NotAName::Character),
            ("a\u{2028}", NotAName::Character),
            ("a\u{FFFD}", NotAName::NotUtf8),
            (&"x".repeat(256), NotAName::Long),
            // U+0958 is 3 bytes and 6 in NFC.
            (&"\u{958}".repeat(85), NotAName::Long),
        ] {
            assert_eq!(Name::new(spelt).err(), Some(wrong), "{spelt:?}");
        }
        for spelt in ["...", " ", "-", "Sortiment 2.xml", &"x".repeat(255), "a:b", "a\\b"] {
            assert!(Name::new(spelt).is_ok(), "{spelt:?}");
        }
    }

    #[test]
    fn two_spellings_of_one_name_are_one_and_each_is_kept() {
        let composed = Name::new("SortimentOverf\u{f8}rt \u{e5}").unwrap();
        let decomposed = Name::new("SortimentOverf\u{f8}rt a\u{30a}").unwrap();
        assert_eq!(composed, decomposed);
        assert_eq!(composed.key(), decomposed.key());
        assert_eq!(decomposed.spelt(), "SortimentOverf\u{f8}rt a\u{30a}");
        assert_ne!(Name::new("a").unwrap(), Name::new("A").unwrap());
    }

    #[test]
    fn a_name_does_not_print_itself() {
        assert_eq!(format!("{:?}", Name::new("Hansen").unwrap()), "Name");
    }
}
