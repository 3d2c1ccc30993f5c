//! The case files that the release's own tests try against the policy that ships, for whoever reads the law: what each shows, in
//! words. `hjemmel policy cases` tries them, or others, against any policy.

use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;

use super::law::document::Policy;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../cases/", $name, ".toml")))),*]
    };
}

/// The case files, by name.
pub const FILES: &[(&str, &str)] = shipped![
    "window/answer-shape",
    "window/everywhere",
    "window/kle",
    "window/narrowing",
    "window/natural",
    "window/period",
    "window/person",
    "window/schema",
    "window/versions",
    "window/withheld",
    "release/answer",
    "release/payment",
    "release/person",
];
/// The policy that they are tried against.
const POLICY: &str = include_str!("../../../policies/terminaladgang-6.toml");

/// A case file.
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub struct CaseFile {
    pub name: &'static str,
    pub cases: Vec<Case>,
}

/// What a case shows.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // the names say it
pub struct Case {
    pub id: String,
    /// In Danish.
    pub da: String,
    /// In English.
    pub en: String,
    /// The rules that it shows, by their ids.
    #[serde(default)]
    pub shows: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    shows: Vec<String>,
    case: Vec<Case>,
}

/// Every case, by file. A file that is none has no cases; a test holds that there is none such.
pub fn all() -> &'static [CaseFile] {
    static ALL: OnceLock<Vec<CaseFile>> = OnceLock::new();
    ALL.get_or_init(|| {
        let read = |(name, text): &(&'static str, &str)| {
            let file = toml::from_str::<File>(text).ok()?;
            let own = |mut case: Case| {
                if case.shows.is_empty() {
                    case.shows.clone_from(&file.shows);
                }
                case
            };
            Some(CaseFile { name, cases: file.case.into_iter().map(own).collect() })
        };
        FILES.iter().filter_map(read).collect()
    })
}

/// Whether it is a policy that they were tried against.
pub fn hold_for(policy: &Policy) -> bool {
    static DIGEST: OnceLock<Option<[u8; 32]>> = OnceLock::new();
    let digest =
        DIGEST.get_or_init(|| Policy::read(POLICY, Path::new("terminaladgang-6.toml")).ok().map(|policy| *policy.digest()));
    digest.as_ref() == Some(policy.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_file_of_the_project_is_told_whole() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        let mut there = Vec::new();
        for folder in ["window", "release"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                there.push(format!("{folder}/{}", path.file_stem().unwrap().to_string_lossy()));
            }
        }
        there.sort();
        let mut named: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        named.sort();
        assert_eq!(named, there);
        for ((name, text), told) in FILES.iter().zip(all()) {
            assert_eq!((told.name, told.cases.len()), (*name, text.matches("\n[[case]]").count()), "{name}");
            assert!(told.cases.iter().all(|case| !case.shows.is_empty() && !case.da.is_empty()), "{name}");
        }
        assert!(hold_for(&Policy::read(POLICY, Path::new("any.toml")).unwrap()));
    }
}
