//! The policy's files, every version of it.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::law::diff::{Effect, differences};
use super::law::document::{Policy, PolicyErrors};
use super::law::history::{History, HistoryError, Timetable};
use super::settings::PolicyFile;
use crate::services::parts::OfferError;

/// Why the policy cannot be applied. Each says what to mend.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum PoliciesError {
    #[error("{path}: {error}")]
    File {
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The policy file.
    #[error("{0}")]
    Policy(#[from] PolicyErrors),
    /// A policy's history.
    #[error("the policy's history is not one: {0}")]
    History(#[from] HistoryError),
    /// A policy that is not in force yet.
    #[error("the policy {id} holds from {from} only; name one that holds today")]
    NotInForce {
        id: String,
        /// From when.
        from: jiff::civil::Date,
    },
    /// No version of it is in force.
    #[error("no version of the policy is in force")]
    NoneInForce,
    /// A version holds from a day that is none here.
    #[error("the day from which a version of the policy holds is no day in Europe/Copenhagen")]
    NoDay,
}

impl From<PoliciesError> for OfferError {
    fn from(error: PoliciesError) -> Self {
        Self::Own(Box::new(error))
    }
}

/// What a version gives beyond another, a line each.
pub fn widenings(before: &Policy, after: &Policy) -> Vec<String> {
    let wider = differences(before, after).into_iter().filter(|difference| difference.effect == Effect::Widening);
    wider.map(|difference| format!("+ {}: {} → {}", difference.id, difference.before, difference.after)).collect()
}

/// Reads the version of the policy that is in force at `now`.
///
/// # Errors
/// As [`read_policies`].
pub fn read_policy(settings: &PolicyFile, now: Timestamp) -> Result<Arc<Policy>, PoliciesError> {
    read_policies(settings, now)?.at(now).cloned().ok_or(PoliciesError::NoneInForce)
}

/// Reads every version of the policy, of which one must be in force at `now`.
///
/// # Errors
/// `File`, `Policy`, `History`, `NotInForce`, `NoDay`.
pub fn read_policies(settings: &PolicyFile, now: Timestamp) -> Result<Timetable, PoliciesError> {
    let history = read_history(&settings.directory, &settings.name)?;
    let from = history.versions().first().map(Policy::valid_from).unwrap_or_default();
    let timetable = Timetable::try_from(history).map_err(|_| PoliciesError::NoDay)?;
    match timetable.at(now) {
        Some(_) => Ok(timetable),
        None => Err(PoliciesError::NotInForce { id: settings.name.clone(), from }),
    }
}

/// Reads every version of a policy: `NAME.toml`, and those before it in `history/NAME.v*.toml`.
///
/// # Errors
/// `File`, `Policy`, `History`.
pub fn read_history(directory: &Path, name: &str) -> Result<History, PoliciesError> {
    let mut files = vec![directory.join(format!("{name}.toml"))];
    let (before, earlier) = (format!("{name}.v"), directory.join("history"));
    if earlier.is_dir() {
        let failed = |error| PoliciesError::File { path: earlier.display().to_string(), error };
        for entry in std::fs::read_dir(&earlier).map_err(failed)? {
            let file = entry.map_err(failed)?.file_name();
            if file.to_str().is_some_and(|file| file.starts_with(&before) && file.ends_with(".toml")) {
                files.push(earlier.join(file));
            }
        }
    }
    let versions = files.iter().map(|path| Ok(Policy::read(&read(path)?, path)?)).collect::<Result<_, PoliciesError>>()?;
    Ok(History::new(versions)?)
}

fn read(path: &Path) -> Result<String, PoliciesError> {
    std::fs::read_to_string(path).map_err(|error| PoliciesError::File { path: path.display().to_string(), error })
}
