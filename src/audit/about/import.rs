use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tally::{Family, Tally};
use crate::audit::record::{Outcome, Record};
use crate::audit::wire::Flat;

/// What a person's number is, where no CPR number is kept: part of what pseudonyms are made of, so that it never changes.
pub const RUNNING_NUMBER: &[u8] = b"running number";

const IMPORTS: Family = Family {
    name: "hjemmel_persons_imports_total",
    help: "Imports of persons by call or file, by what became of them.",
    label: "outcome",
};
const PERSONS: Family =
    Family { name: "hjemmel_persons_total", help: "Persons that imports answered, by the status.", label: "status" };
const FINDINGS: Family = Family {
    name: "hjemmel_persons_findings_total",
    help: "Errors and warnings that persons were answered with, by code.",
    label: "code",
};
/// What is counted of imports of persons: what became of them, and what was wrong. No person, no authority.
pub(super) const FAMILIES: [Family; 3] = [IMPORTS, PERSONS, FINDINGS];

/// An import of persons: how many, and what became of them. Nothing of a person's: whose running numbers it gave or found stands, sealed,
/// among the record's persons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AboutPersons {
    /// How many persons were named. Of a file it is known at its end.
    pub persons: u64,
    /// What became of them, counted by status. None: they are not answered yet, or were not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statuses: BTreeMap<String, u64>,
    /// What was wrong or odd, counted by code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<String, u64>,
    /// Whether it was answered as the same request was before, and nothing done again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl AboutPersons {
    /// What became of an import, in one word.
    fn outcome(&self, record: &Record) -> &'static str {
        match record.outcome {
            Some(Outcome::Served) if self.repeated => "repeated",
            Some(Outcome::Served) => "answered",
            Some(Outcome::Refused) => "refused",
            Some(Outcome::Abandoned) | None => "abandoned",
        }
    }

    /// What it adds to [`FAMILIES`].
    pub(super) fn tallies(&self, record: &Record) -> Vec<Tally<'_>> {
        let mut tallies = vec![IMPORTS.add(self.outcome(record), 1)];
        // The answer of before was counted then.
        if !self.repeated {
            tallies.extend(self.statuses.iter().map(|(status, count)| PERSONS.add(status, *count)));
            tallies.extend(self.findings.iter().map(|(code, count)| FINDINGS.add(code, *count)));
        }
        tallies
    }

    /// What it comes to, in a line.
    pub(super) fn summary(&self) -> String {
        let counted = |counts: &BTreeMap<String, u64>| -> String {
            counts.iter().map(|(name, count)| format!(", {name} ×{count}")).collect()
        };
        let repeated = if self.repeated { ", answered as before" } else { "" };
        format!("{} persons{}{}{repeated}", self.persons, counted(&self.statuses), counted(&self.findings))
    }

    /// Puts it into the record's line.
    pub(super) fn write<'r>(&'r self, line: &mut Flat<'r>) {
        line.import = Some(Cow::Borrowed(self));
    }
}
