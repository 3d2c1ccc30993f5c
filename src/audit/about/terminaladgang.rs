use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use crate::audit::seal::Sealed;
use crate::audit::wire::{Flat, NotARecord};

/// Which policy decided, so that yesterday's decision can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct PolicyRef {
    /// The policy's id, such as `terminaladgang-6`.
    pub id: String,
    pub version: String,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
}

/// A stretch of time `[from, to)`; a bound that is absent is infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first instant in it.
    pub from: Option<Timestamp>,
    /// The first instant after it.
    pub to: Option<Timestamp>,
}

/// What a search asked for beside its person and window: names of the contract and of the classification, never the caller's text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct AskedFor {
    /// What it tested, by the names of the contract.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<String>,
    /// The kinds of benefit that it named, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kle: Vec<String>,
    /// How many more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kle_left_out: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sorting: Vec<String>,
    /// Which parts of the answer it wanted to see; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<String>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What TerminalAdgang decided, from the step on that chooses the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct AboutTerminalAdgang {
    /// The policy that decided.
    pub policy: PolicyRef,
    /// Settings that are recorded decisions of the data controller, such as `person_check`, `outside` and `future`.
    pub settings: BTreeMap<String, String>,
    /// What was asked for. Older records do not have it.
    pub asked: Option<AskedFor>,
    /// The window that stood in the call; the hull of all, where there were several.
    pub window_asked: Option<Window>,
    pub window_applied: Option<Window>,
    pub released: Counts,
    pub removed: Counts,
}

impl AboutTerminalAdgang {
    /// A call on which this policy decides, with these decisions of the data controller.
    pub fn new(policy: PolicyRef, settings: BTreeMap<String, String>) -> Self {
        Self {
            policy,
            settings,
            asked: None,
            window_asked: None,
            window_applied: None,
            released: Counts::default(),
            removed: Counts::default(),
        }
    }

    /// How much was released.
    pub(super) fn summary(&self) -> String {
        format!("objects released {}", self.released.objects.values().sum::<u64>())
    }

    /// What is missing for an admission: the person asked about, and for which time.
    pub(super) fn missing_for_admission(&self, persons: &[Sealed]) -> Option<&'static str> {
        match self {
            _ if persons.is_empty() => Some("persons"),
            Self { window_applied: None, .. } => Some("window_applied"),
            _ => None,
        }
    }

    /// Puts it into the record's line.
    pub(super) fn write<'r>(&'r self, line: &mut Flat<'r>) {
        line.policy = Some(Cow::Borrowed(&self.policy));
        line.settings = (!self.settings.is_empty()).then_some(Cow::Borrowed(&self.settings));
        line.asked = self.asked.as_ref().map(Cow::Borrowed);
        (line.window_asked, line.window_applied) = (self.window_asked, self.window_applied);
        (line.released, line.removed) = (Some(Cow::Borrowed(&self.released)), Some(Cow::Borrowed(&self.removed)));
    }

    /// Whether a record's line says any of it.
    pub(super) fn is_in(line: &Flat<'_>) -> bool {
        let counted = [&line.released, &line.removed].into_iter().flatten().any(|counts| !counts.is_empty());
        let windows = line.window_asked.is_some() || line.window_applied.is_some();
        line.policy.is_some() || line.asked.is_some() || line.settings.is_some() || windows || counted
    }

    /// What a record's line says of it.
    pub(super) fn read(line: &Flat<'_>) -> Result<Self, NotARecord> {
        Ok(Self {
            policy: line.policy.as_deref().cloned().ok_or(NotARecord::Without("policy"))?,
            settings: line.settings.as_deref().cloned().unwrap_or_default(),
            asked: line.asked.as_deref().cloned(),
            window_asked: line.window_asked,
            window_applied: line.window_applied,
            released: line.released.as_deref().cloned().unwrap_or_default(),
            removed: line.removed.as_deref().cloned().unwrap_or_default(),
        })
    }
}
