use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use crate::audit::seal::Sealed;

/// Which policy decided, so that yesterday's decision can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    /// The policy's id, such as `terminaladgang-6`.
    pub id: String,
    /// Its version.
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

/// What TerminalAdgang decided, from the step on that chooses the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutTerminalAdgang {
    /// The policy that decided.
    pub policy: PolicyRef,
    /// Settings that are recorded decisions of the data controller, such as `person_check`, `outside` and `future`.
    pub settings: BTreeMap<String, String>,
    /// The window that stood in the call; the hull of all, where there were several.
    pub window_asked: Option<Window>,
    /// The window that was applied.
    pub window_applied: Option<Window>,
    /// What was released.
    pub released: Counts,
    /// What was removed.
    pub removed: Counts,
}

impl AboutTerminalAdgang {
    /// A call on which this policy decides, with these decisions of the data controller.
    pub fn new(policy: PolicyRef, settings: BTreeMap<String, String>) -> Self {
        Self {
            policy,
            settings,
            window_asked: None,
            window_applied: None,
            released: Counts::default(),
            removed: Counts::default(),
        }
    }

    /// What is missing for an admission: the person asked about, and for which time.
    pub(super) fn missing_for_admission(&self, persons: &[Sealed]) -> Option<&'static str> {
        match self {
            _ if persons.is_empty() => Some("persons"),
            Self { window_applied: None, .. } => Some("window_applied"),
            _ => None,
        }
    }
}
