//! The number of an authority in the Danish central business register.

use serde::{Deserialize, Serialize};

/// A CVR number: exactly eight ASCII digits. Held as digits, so that a leading zero survives and two spellings cannot
/// name one authority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cvr([u8; 8]);

/// What a CVR number stands behind where OIO names an authority by a URN.
pub const URN: &str = "urn:oio:cvr-nr:";

impl Cvr {
    /// The authority that a URN names: [`URN`], and eight digits.
    pub fn of_urn(text: &str) -> Option<Self> {
        text.strip_prefix(URN)?.parse().ok()
    }

    /// The URN that names it.
    pub fn urn(self) -> String {
        format!("{URN}{self}")
    }
}

/// The text is not eight ASCII digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a CVR number is exactly eight digits")]
pub struct NotACvr;

impl std::str::FromStr for Cvr {
    type Err = NotACvr;

    fn from_str(text: &str) -> Result<Self, NotACvr> {
        let digits: [u8; 8] = text.as_bytes().try_into().map_err(|_| NotACvr)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(NotACvr) }
    }
}

impl TryFrom<String> for Cvr {
    type Error = NotACvr;

    fn try_from(text: String) -> Result<Self, NotACvr> {
        text.parse()
    }
}

impl From<Cvr> for String {
    fn from(cvr: Cvr) -> String {
        cvr.to_string()
    }
}

impl std::fmt::Display for Cvr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).map_err(|_| std::fmt::Error)?)
    }
}

impl std::fmt::Debug for Cvr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cvr({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_a_cvr_and_come_back_as_written() {
        for text in ["11111111", "00000001", "99999991"] {
            assert_eq!(text.parse::<Cvr>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_urn_names_an_authority_by_its_whole_number_alone() {
        let cvr: Cvr = "00000001".parse().unwrap();
        assert_eq!((cvr.urn().as_str(), Cvr::of_urn(&cvr.urn())), ("urn:oio:cvr-nr:00000001", Some(cvr)));
        for text in ["", "00000001", "urn:oio:cvr-nr:", "urn:oio:cvr-nr:1", "urn:oio:cvr-nr: 0000001", "URN:OIO:CVR-NR:00000001"]
        {
            assert_eq!(Cvr::of_urn(text), None, "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_because_a_trimmed_number_could_name_another_authority() {
        for text in ["", "1111111", "111111111", "1111111a", " 1111111", "1111 111", "+1111111", "１１１１１１１１", "1111111\n"]
        {
            assert_eq!(text.parse::<Cvr>(), Err(NotACvr), "{text:?}");
        }
    }
}
