//! A configuration as far as it could be read: what is right of it is there, whatever else is wrong, so that everything that
//! is wrong can be told at once.

use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::{Gathered, Reader};
use super::service::{clashes, without_peer};
use super::{Config, Problem, Report, Sections, ServiceSection, sections};

/// A file that a setting names, and what was read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct FileRead {
    pub setting: String,
    pub file: PathBuf,
    /// What it holds; empty where that is not counted.
    pub holds: Vec<Content>,
    /// Whether only the service itself may read it.
    pub secret: bool,
}

/// One thing in a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Content {
    /// What it is, such as `certificate`.
    pub kind: &'static str,
    /// Whose it is, or who issued it; empty for a key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// When it ends, or its successor is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

/// A file under examination.
pub struct Draft<S: ServiceSection> {
    file: PathBuf,
    text: String,
    folder: PathBuf,
    sections: Sections<S>,
    gathered: Gathered,
}

/// A file that has been examined.
#[derive(Debug)]
pub struct Finished<S: ServiceSection> {
    /// The configuration. `None`: there are problems.
    pub config: Option<Config<S>>,
    /// What keeps the gateway from starting.
    pub problems: Report,
    /// What does not, and should be mended all the same.
    pub warnings: Report,
    /// The files that it names, and what they hold.
    pub read: Vec<FileRead>,
}

impl<S: ServiceSection> Draft<S> {
    /// Reads `file`, and the certificates and keys that it names, as of `now`.
    pub fn open(file: &Path, now: Timestamp) -> Self {
        // `hjemmel.toml` has the parent "", which is no folder to the operating system.
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let text = std::fs::read_to_string(file);
        let unreadable = text.as_ref().err().map(|cause| {
            let text = format!("cannot be read ({cause}); name the configuration with --config FILE");
            Problem { setting: String::new(), text, span: None }
        });
        let text = text.unwrap_or_default();
        let (sections, gathered) = match unreadable {
            None => read(&text, &folder, now),
            Some(problem) => (Sections::default(), Gathered::with(problem)),
        };
        Self { file: file.to_owned(), text, folder, sections, gathered }
    }

    /// A file that could not be looked at.
    pub fn failed(file: &Path, cause: &str) -> Self {
        let problem = Problem { setting: String::new(), text: format!("cannot be examined: {cause}"), span: None };
        let (sections, gathered) = (Sections::default(), Gathered::with(problem));
        Self { file: file.to_owned(), text: String::new(), folder: PathBuf::new(), sections, gathered }
    }

    /// Whether nothing is wrong so far.
    pub fn is_sound(&self) -> bool {
        self.gathered.problems.borrow().is_empty()
    }

    /// What could be read.
    pub fn sections(&self) -> &Sections<S> {
        &self.sections
    }

    /// The configuration's own folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that settings name.
    pub fn read(&self) -> Vec<FileRead> {
        self.gathered.read.borrow().clone()
    }

    /// Notes what a file holds.
    pub fn note(&self, read: FileRead) {
        self.gathered.read.borrow_mut().push(read);
    }

    /// Reports a problem with what a setting names. It stands at the setting's line, or at its section's where the setting is
    /// not written.
    pub fn problem(&self, setting: &str, text: String) {
        let problem = Problem { setting: setting.to_owned(), text, span: self.span(setting) };
        self.gathered.problems.borrow_mut().push(problem);
    }

    /// Reports what does not keep the gateway from starting.
    pub fn warning(&self, setting: &str, text: String) {
        let problem = Problem { setting: setting.to_owned(), text, span: self.span(setting) };
        self.gathered.warnings.borrow_mut().push(problem);
    }

    /// Whether something is wrong with one of some settings and sections.
    pub fn is_wrong(&self, names: &[&str]) -> bool {
        self.gathered.problems.borrow().iter().any(|problem| is_of(problem, names))
    }

    /// The problems of some settings and sections; of all where there is none of these.
    pub fn problems_of(&self, names: &[&str]) -> Report {
        let all = self.gathered.problems.borrow();
        let some: Vec<Problem> = all.iter().filter(|problem| is_of(problem, names)).cloned().collect();
        Report::new(&self.file, &self.text, if some.is_empty() { all.clone() } else { some })
    }

    /// Ends the examination.
    pub fn finish(self) -> Finished<S> {
        let problems = Report::new(&self.file, &self.text, self.gathered.problems.into_inner());
        let warnings = Report::new(&self.file, &self.text, self.gathered.warnings.into_inner());
        let config = if problems.problems().is_empty() { self.sections.whole() } else { None };
        Finished { config, problems, warnings, read: self.gathered.read.into_inner() }
    }

    /// What the file itself says of a setting that is a text.
    pub fn written(&self, setting: &str) -> Option<String> {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        let (value, whole) = deepest(table.get_ref(), setting)?;
        value.get_ref().as_str().filter(|_| whole).map(str::to_owned)
    }

    fn span(&self, setting: &str) -> Option<Range<usize>> {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        deepest(table.get_ref(), setting).map(|(value, _)| value.span())
    }
}

/// Whether a problem is one of these settings', or of a setting in these sections.
fn is_of(problem: &Problem, names: &[&str]) -> bool {
    names.iter().any(|name| problem.setting.split('.').next() == Some(*name) || problem.setting == *name)
}

/// The value of a setting such as `peer.NAME.deadline`, or of the innermost of its sections that is written; and whether it
/// is its own.
fn deepest<'t, 'a>(table: &'t DeTable<'a>, setting: &str) -> Option<(&'t Spanned<DeValue<'a>>, bool)> {
    let (key, rest) = setting.split_once('.').unwrap_or((setting, ""));
    let value = table.iter().find(|(name, _)| name.get_ref().as_ref() == key).map(|(_, value)| value)?;
    let inner = value.get_ref().as_table().filter(|_| !rest.is_empty()).and_then(|table| deepest(table, rest));
    Some(inner.unwrap_or((value, rest.is_empty())))
}

pub(super) fn read<S: ServiceSection>(text: &str, folder: &Path, now: Timestamp) -> (Sections<S>, Gathered) {
    let gathered = Gathered::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let text = format!("is not TOML ({}); correct the line", error.message());
        let problem = Problem { setting: String::new(), text, span: error.span() };
        gathered.problems.borrow_mut().push(problem);
    }
    // What follows from a line that cannot be read would only bury it.
    if !errors.is_empty() {
        return (Sections::default(), gathered);
    }
    let mut root = Reader::root(Some(table.get_ref()), folder, now, &gathered);
    let sections: Sections<S> = sections::read(&mut root);
    root.finish();
    let placed = |(setting, text): (String, String)| {
        let span = deepest(table.get_ref(), &setting).map(|(value, _)| value.span());
        Problem { setting, text, span }
    };
    // Peers that are there, even where something is wrong with them: that has been reported.
    let peers = deepest(table.get_ref(), "peer").and_then(|(value, _)| value.get_ref().as_table());
    let written = peers.into_iter().flatten().map(|(name, _)| name.get_ref().as_ref());
    let peers: Vec<&str> = written.chain(sections.peers.keys().map(String::as_str)).collect();
    let wrong = clashes(&sections.services).into_iter().chain(without_peer(&sections.services, &peers));
    gathered.problems.borrow_mut().extend(wrong.map(placed));
    let asked: Vec<&str> = sections.services.values().filter_map(ServiceSection::peer).collect();
    let idle = sections.peers.keys().filter(|name| !asked.contains(&name.as_str()));
    // Where a service could not be read, nobody knows which peers it names.
    let readable = gathered.problems.borrow().is_empty();
    let text = || "is named by no service; remove it, or name it as peer in a [service.NAME]".to_owned();
    gathered.warnings.borrow_mut().extend(idle.filter(|_| readable).map(|name| placed((format!("peer.{name}"), text()))));
    (sections, gathered)
}
