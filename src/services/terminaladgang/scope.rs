//! What agreements say in this service's words: what they are narrowed to, and what part an authority plays.

use serde::Deserialize;

use crate::agreements::{Role, ScopeKey};
use crate::id::kle::Pattern;
use crate::services::terminaladgang::law::kle::Sensitivity;

/// What an agreement may be narrowed by, as a file says it.
pub const KEYS: &[ScopeKey] = &[
    ScopeKey {
        name: "kle",
        what: "a KLE number or pattern such as 32.03.04, 32.03.* or 32.*",
        fits: |text| Pattern::parse(text).is_some(),
    },
    ScopeKey {
        name: "sensitivity",
        what: "IKKE_FORTROLIGE_DATA, FORTROLIGE_PERSONOPLYSNINGER, FOELSOMME_PERSONOPLYSNINGER or VIP_SAGER",
        fits: |text| Sensitivity::parse(text).is_some(),
    },
];

/// What an agreement is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// The KLE numbers that it gives, as patterns (`32.03.04`, `9*`, `99.*`, `99.9*`, `99.99.*`, `99.99.9*`). Empty: all.
    pub kle: Vec<String>,
    /// The sensitivities that it gives. Empty: no constraint.
    pub sensitivity: Vec<String>,
}

/// What part an authority plays: it decides whose benefits it may ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Udbetaling Danmark, who asks about benefits that municipalities own.
    Udk,
    /// A municipality, which asks about benefits that Udbetaling Danmark owns.
    Municipality,
}

impl Part {
    /// Each, by the name of its role in the register.
    pub const ROLES: [(&str, Part); 2] = [("udk", Part::Udk), ("municipality", Part::Municipality)];

    /// The part of a role; none of one that this service does not know.
    pub fn of(role: &Role) -> Option<Self> {
        Self::ROLES.into_iter().find(|(name, _)| *name == role.as_str()).map(|(_, part)| part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreements::import::Import;
    use crate::services::vocabulary;

    /// The problems of an agreement with this line, apart from those of the keys that it lacks.
    fn problems(line: &str) -> Vec<String> {
        let problems = Import::parse(&format!("[[agreement]]\n{line}\n"), &vocabulary()).unwrap_err();
        problems.into_iter().map(|problem| problem.to_string()).filter(|problem| !problem.ends_with("is missing")).collect()
    }

    #[test]
    fn a_file_narrows_by_patterns_of_kle_numbers_and_by_sensitivities_that_the_index_has() {
        for good in [
            "kle = []",
            r#"kle = ["9*", "99.*", "99.9*", "99.99.*", "99.99.9*", "32.03.04"]"#,
            r#"sensitivity = ["IKKE_FORTROLIGE_DATA", "FORTROLIGE_PERSONOPLYSNINGER", "FOELSOMME_PERSONOPLYSNINGER", "VIP_SAGER"]"#,
        ] {
            assert_eq!(problems(good), Vec::<String>::new(), "{good}");
        }
        for (wrong, what) in [
            (r#"kle = ["*"]"#, "line 2: kle holds a value that is not a KLE number"),
            (r#"kle = ["32*"]"#, "line 2: kle holds a value that is not a KLE number"),
            ("kle = [32]", "line 2: kle holds a value that is no text"),
            (r#"sensitivity = ["vip_sager"]"#, "line 2: sensitivity holds a value that is not IKKE_FORTROLIGE_DATA, "),
            // Well-formed, and no sensitivity: every call would be refused by an agreement narrowed to it.
            (r#"sensitivity = ["IKKE_FORTROLIGE_PERSONOPLYSNINGER"]"#, "line 2: sensitivity holds a value"),
        ] {
            let found = problems(wrong);
            assert!(found.len() == 1 && found[0].starts_with(what), "{wrong}: {found:?}");
        }
    }

    #[test]
    fn the_scope_of_a_file_is_read_as_the_service_means_it() {
        let read = |json: &str| crate::agreements::Scope::read(json).unwrap().to::<Scope>();
        assert_eq!(read("{}").unwrap(), Scope::default());
        let narrowed = read(r#"{"kle":["32.*"],"sensitivity":["VIP_SAGER"]}"#).unwrap();
        assert_eq!((narrowed.kle, narrowed.sensitivity), (vec!["32.*".to_owned()], vec!["VIP_SAGER".to_owned()]));
        for unknown in [r#"{"kinds":["a"]}"#, r#"{"kinds":[],"kle":["32.*"]}"#, r#"{"kle":"32.*"}"#, r#"{"kle":null}"#] {
            assert_eq!(read(unknown).unwrap_err().code(), "ServiceAgreementNotActive", "{unknown}");
        }
    }

    #[test]
    fn a_role_that_the_service_does_not_know_is_no_part_in_it() {
        let part = |role: &str| Part::of(&role.parse().unwrap());
        assert_eq!((part("udk"), part("municipality")), (Some(Part::Udk), Some(Part::Municipality)));
        assert_eq!((part("region"), part("udk-")), (None, None));
    }
}
