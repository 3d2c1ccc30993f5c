//! What is written of a decision on an agreement, a route, a user, a value list or a time for tests.
//!
//! The decision stands in the store, with the name of whoever made it. Here stands that it was made: by which user, proven by
//! which certificate, on what text. No field has room for a person's name or for words that somebody wrote: of the reason
//! there is the digest alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::about::Subject;
use super::chain::{self, Entry, Event};
use super::log::{self, Lines};
use crate::agreements::Thumbprint;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Decided {
    /// The decision's id (UUID version 7). Should it stand in the log more than once, it was made once.
    pub decision: Uuid,
    /// When it was made.
    pub decided_at: Timestamp,
    /// What was decided on.
    pub subject: Subject,
    pub id: Uuid,
    /// The state before; none for what was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Cow<'static, str>>,
    /// The state after.
    pub to: Cow<'static, str>,
    /// The user who decided; none: whoever holds the store, at its command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Uuid>,
    /// The role in which it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Cow<'static, str>>,
    /// The certificate by which the user was proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Thumbprint>,
    /// The session of the console in which it was decided, where no certificate was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// The delegation by which the user decided for another; none: in their own right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Uuid>,
    /// SHA-256 of the signature that the user's key made of the decision, in hexadecimal; none where TLS proved the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_sha256: Option<String>,
    /// SHA-256 of the text that was shown to whoever decided, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown_sha256: Option<String>,
    /// SHA-256 of the reason given, in hexadecimal.
    pub reason_sha256: String,
}

/// The decisions in a log, each once, in the order in which it was written; and how often each stands in it.
///
/// # Errors
/// A file cannot be read.
pub fn decisions(dir: &Path) -> std::io::Result<Vec<(Decided, u64)>> {
    let mut found: Vec<(Decided, u64)> = Vec::new();
    let mut places: BTreeMap<Uuid, usize> = BTreeMap::new();
    for (_, path) in log::segments(dir)? {
        each(&path, |decided| match places.get(&decided.decision).and_then(|at| found.get_mut(*at)) {
            Some((_, times)) => *times += 1,
            None => {
                places.insert(decided.decision, found.len());
                found.push((decided, 1));
            }
        })?;
    }
    Ok(found)
}

fn each(segment: &Path, mut see: impl FnMut(Decided)) -> std::io::Result<()> {
    let mut lines = Lines::open(segment)?;
    while let Some(line) = lines.read()? {
        let entry = chain::split(line).and_then(|(_, entry)| serde_json::from_slice::<Entry>(entry).ok());
        if let Some(Event::Decided(decided)) = entry.map(|entry| entry.event) {
            see(*decided);
        }
    }
    Ok(())
}

/// Which decisions stand in a log, for whoever asks again and again: a segment that has not grown is not read again.
#[derive(Debug, Default)]
pub struct Standing {
    /// The length of each segment before it was read, by its number.
    read: BTreeMap<u64, u64>,
    decisions: HashSet<Uuid>,
}

impl Standing {
    /// Reads what the log has beyond what was read.
    ///
    /// # Errors
    /// A file cannot be read. What was read before stays known.
    pub fn look(&mut self, dir: &Path) -> std::io::Result<()> {
        for (number, path) in log::segments(dir)? {
            let length = std::fs::metadata(&path)?.len();
            if self.read.get(&number) != Some(&length) {
                each(&path, |decided| {
                    self.decisions.insert(decided.decision);
                })?;
                self.read.insert(number, length);
            }
        }
        Ok(())
    }

    /// Whether a decision stood in it.
    pub fn has(&self, decision: &Uuid) -> bool {
        self.decisions.contains(decision)
    }
}
