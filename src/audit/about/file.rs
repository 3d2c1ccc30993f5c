use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AboutPersons, FinanceFigures};
use crate::audit::seal::Sealed;
use crate::audit::wire::Flat;
use crate::id::cvr::Cvr;

/// A file that one system hands to others. Its name can hold a person's data, and is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AboutFile {
    /// Its name, sealed to the auditors.
    pub name: Sealed,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal; empty where it was refused before there was one.
    pub sha256: String,
    /// The receiving users; none where it was refused.
    pub recipients: Vec<Uuid>,
    /// The authority that receives it; of several recipients, the first's.
    pub receiver: Option<Cvr>,
    /// What is in it, where it is a delivery of vouchers or the answer to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finance: Option<FinanceFigures>,
    /// What became of the persons in it, where the platform itself took them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<AboutPersons>,
}

impl AboutFile {
    /// What it comes to, in a line.
    pub(super) fn summary(&self) -> String {
        let receiver = self.receiver.map_or("-".to_owned(), |cvr| cvr.to_string());
        let finance = self.finance.as_ref().map_or(String::new(), |figures| format!(", {}", figures.summary()));
        let import = self.import.as_ref().map_or(String::new(), |about| format!(", {}", about.summary()));
        format!("file of {} bytes to {} recipients, receiver {receiver}{finance}{import}", self.bytes, self.recipients.len())
    }

    /// What is missing for an admission: who receives it.
    pub(super) fn missing_for_admission(&self) -> Option<&'static str> {
        match self {
            Self { receiver: None, .. } => Some("receiver"),
            Self { recipients, .. } if recipients.is_empty() => Some("recipients"),
            Self { .. } => None,
        }
    }

    /// Puts it into the record's line.
    pub(super) fn write<'r>(&'r self, line: &mut Flat<'r>) {
        line.file = Some(Cow::Borrowed(self));
    }
}
