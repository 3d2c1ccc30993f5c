//! Case files: what the law gives and what it does not, one case after the other, for readers without Rust.
//!
//! A case file says in words and by example what becomes of a search (`cases/window/*.toml`) or of an answer
//! (`cases/release/*.toml`) and which rules of the policy it shows; `cases/README.md` explains the format. What is
//! expected stands in the case and is never computed. The same files are tried by the tests against the policy that
//! ships, and by `hjemmel policy cases` against any other, so that whoever changes a policy sees what it changes.

mod answer;
mod notation;
mod release;
mod search;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use serde::de::DeserializeOwned;

use crate::clock::copenhagen;
use crate::services::terminaladgang::law::document::{Policy, PolicyErrors};

/// The invented person that the cases ask about. Day 61 to 91 marks a number that is nobody's.
pub(crate) const P: &str = "6101801234";
/// Another invented person.
pub(crate) const Q: &str = "6202755678";

/// A case, tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The file without its ending, such as `window/person`.
    pub file: String,
    /// The case's id, unlike every other of its folder.
    pub id: String,
    /// What it shows, in Danish.
    pub da: String,
    /// The same in English.
    pub en: String,
    /// The ids of the policy's rules that it shows.
    pub shows: Vec<String>,
    /// What came out otherwise than the case says; empty where all is as it says.
    pub trouble: Vec<String>,
}

/// Case files that cannot be tried.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum CasesError {
    /// A folder or file that cannot be read.
    #[error("{}", crate::cli::file::describe(path, error))]
    File {
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A folder without case files, or a file without cases.
    #[error("{0}: there is no case")]
    Empty(PathBuf),
    /// What is wrong in a file.
    #[error("{path}: {what}")]
    Format { path: PathBuf, what: String },
}

/// A policy with its text, so that a case can show what another wording would do.
pub struct PolicyText {
    path: PathBuf,
    text: String,
    policy: Arc<Policy>,
}

impl PolicyText {
    /// A policy that was read from a file; `path` is for messages.
    ///
    /// # Errors
    /// [`PolicyErrors`].
    pub fn new(path: &Path, text: String) -> Result<Self, PolicyErrors> {
        let policy = Arc::new(Policy::read(&text, path)?);
        Ok(Self { path: path.to_owned(), text, policy })
    }

    /// The policy, with some of its text replaced.
    fn with(&self, changes: &[[String; 2]]) -> Result<Arc<Policy>, String> {
        if changes.is_empty() {
            return Ok(self.policy.clone());
        }
        let text = replaced(&self.text, changes).map_err(|what| format!("the policy does not say {what}"))?;
        Policy::read(&text, &self.path).map(Arc::new).map_err(|errors| errors.to_string())
    }
}

/// What every case has.
trait Case {
    fn id(&self) -> &str;
    fn words(&self) -> [&str; 2];
    fn shows(&self) -> Option<&[String]>;
    /// What keeps it from being a case, or nothing.
    fn flaw(&self) -> Option<&'static str>;
}

/// What every file has.
trait File {
    type Case: Case;
    fn cases(&self) -> &[Self::Case];
    fn shows(&self) -> &[String];
    /// Tries one case: what came out otherwise than it says.
    async fn try_out(&self, case: &Self::Case, policy: &PolicyText) -> Vec<String>;
}

/// Tries the cases of `window/` and `release/` in a folder.
///
/// # Errors
/// [`CasesError`]: a folder that cannot be read or is empty, a key that is not known, a case without expectation, rule or
/// words, two cases of one id.
pub async fn try_all(dir: &Path, policy: &PolicyText) -> Result<Vec<Tried>, CasesError> {
    let mut tried = try_window(dir, policy).await?;
    tried.extend(try_release(dir, policy).await?);
    Ok(tried)
}

/// Tries the cases of `window/`: what may be asked.
///
/// # Errors
/// As [`try_all`].
pub async fn try_window(dir: &Path, policy: &PolicyText) -> Result<Vec<Tried>, CasesError> {
    try_folder::<window::File>(dir, "window", policy).await
}

/// Tries the cases of `release/`: what of an answer is released.
///
/// # Errors
/// As [`try_all`].
pub async fn try_release(dir: &Path, policy: &PolicyText) -> Result<Vec<Tried>, CasesError> {
    try_folder::<release::File>(dir, "release", policy).await
}

async fn try_folder<F: File + DeserializeOwned>(dir: &Path, name: &str, policy: &PolicyText) -> Result<Vec<Tried>, CasesError> {
    let (mut tried, mut ids) = (Vec::new(), BTreeSet::new());
    for path in files(&dir.join(name))? {
        let format = |what: String| CasesError::Format { path: path.clone(), what };
        let text = std::fs::read_to_string(&path).map_err(|error| CasesError::File { path: path.clone(), error })?;
        let file: F = toml::from_str(&text).map_err(|error| format(error.to_string()))?;
        if file.cases().is_empty() {
            return Err(CasesError::Empty(path));
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for case in file.cases() {
            let wrong = |flaw: &str| format(format!("{}: {flaw}", case.id()));
            if !ids.insert(case.id().to_owned()) {
                return Err(wrong("another case has the same id"));
            }
            if case.words().iter().any(|words| words.trim().is_empty()) {
                return Err(wrong("it says nothing in one of its languages"));
            }
            if let Some(flaw) = case.flaw() {
                return Err(wrong(flaw));
            }
            let shows = case.shows().unwrap_or_else(|| file.shows());
            if shows.is_empty() {
                return Err(wrong("it names no rule that it shows (shows)"));
            }
            let [da, en] = case.words().map(str::to_owned);
            let trouble = file.try_out(case, policy).await;
            tried.push(Tried {
                file: format!("{name}/{stem}"),
                id: case.id().to_owned(),
                da,
                en,
                shows: shows.to_vec(),
                trouble,
            });
        }
    }
    Ok(tried)
}

/// The TOML files of a folder, by name.
fn files(dir: &Path) -> Result<Vec<PathBuf>, CasesError> {
    let failed = |error| CasesError::File { path: dir.to_owned(), error };
    let entries = std::fs::read_dir(dir).map_err(failed)?;
    let mut found = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    found.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    found.sort();
    if found.is_empty() { Err(CasesError::Empty(dir.to_owned())) } else { Ok(found) }
}

/// `text` with each first part replaced by its second; each must stand there once, or the case would show something else.
fn replaced(text: &str, changes: &[[String; 2]]) -> Result<String, String> {
    let mut text = text.to_owned();
    for [from, to] in changes {
        match text.matches(from.as_str()).count() {
            1 => text = text.replacen(from.as_str(), to, 1),
            times => return Err(format!("{from:?} once, but {times} times")),
        }
    }
    Ok(text)
}

/// `text` with `each` in place of `{}`, and each `{name}` replaced by what the file's `[words]` say; words may stand in words.
fn with_words(text: &str, words: &BTreeMap<String, String>, each: &str) -> String {
    /// Words in words in words; a word that names itself comes to an end too.
    const ROUNDS: usize = 4;
    let once = |text: String| words.iter().fold(text, |text, (name, word)| text.replace(&format!("{{{name}}}"), word));
    (0..ROUNDS).fold(text.replace("{}", each), |text, _| once(text))
}

/// Noon of a day in Denmark.
fn noon(day: Date) -> Result<Timestamp, String> {
    let zone: TimeZone = copenhagen().ok_or("Europe/Copenhagen is not in the time zone database")?;
    day.at(12, 0, 0, 0).to_zoned(zone).map(|noon| noon.timestamp()).map_err(|error| error.to_string())
}

/// What [`compare`] says, in Danish; `None` for another deviation.
pub(super) fn lists_in_danish(trouble: &str) -> Option<String> {
    let (_, lists) = trouble.split_once(": missing ")?;
    let (lacks, more) = lists.split_once(", not expected ")?;
    Some(format!("mangler {lacks}, ikke forventet {more}"))
}

/// Reports where two lists differ.
fn compare(trouble: &mut Vec<String>, what: &str, expected: &[String], came: &[String]) {
    if expected != came {
        let lacks: Vec<_> = expected.iter().filter(|line| !came.contains(line)).collect();
        let more: Vec<_> = came.iter().filter(|line| !expected.contains(line)).collect();
        trouble.push(match (lacks.is_empty(), more.is_empty()) {
            (true, true) => format!("{what}: {came:?}, expected {expected:?}"),
            _ => format!("{what}: missing {lacks:?}, not expected {more:?}"),
        });
    }
}
