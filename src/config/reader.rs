//! Reading settings from a TOML table, one by one, so that a wrong one does not hide the next.
//!
//! serde stops at the first error. An operator who has five things to mend should be told five things.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use jiff::{SignedDuration, Timestamp};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use uuid::Uuid;

use super::report::Problem;
use super::{Content, FileRead, Source};
use crate::agreements::rules::TRIAL;
use crate::id::cpr::TestNumbers;

/// A setting that was asked for, and what it is: for the tests of the annotated example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) setting: String,
    pub(crate) value: String,
    pub(crate) by_default: bool,
}

/// What is gathered while a file is read.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) problems: RefCell<Vec<Problem>>,
    pub(crate) warnings: RefCell<Vec<Problem>>,
    pub(crate) seen: RefCell<Vec<Seen>>,
    pub(crate) read: RefCell<Vec<FileRead>>,
}

impl Gathered {
    pub(crate) fn with(problem: Problem) -> Self {
        Self { problems: RefCell::new(vec![problem]), ..Self::default() }
    }
}

/// One table of the file, or the absence of it.
pub struct Reader<'a> {
    gathered: &'a Gathered,
    /// The folder of the file: relative paths in it start here.
    pub(crate) folder: &'a Path,
    pub(crate) now: Timestamp,
    name: String,
    table: Option<&'a DeTable<'a>>,
    pub(crate) header: Option<Range<usize>>,
    pub(crate) known: BTreeSet<&'static str>,
    /// Keys that have been reported already.
    excused: Vec<&'a str>,
    /// Settings without a default that are not written, and what to say of it.
    missing: Vec<(&'static str, String)>,
}

/// A value and where it stands.
type Value<'a> = &'a Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    pub(crate) fn root(table: Option<&'a DeTable<'a>>, folder: &'a Path, now: Timestamp, gathered: &'a Gathered) -> Self {
        Self {
            gathered,
            folder,
            now,
            name: String::new(),
            table,
            header: None,
            known: BTreeSet::new(),
            excused: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Reads the table `key` with `read`, and then reports the keys in it that nobody asked for.
    pub(crate) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<T> {
        let value = self.find(key).or_else(|| self.misspelt_section(key));
        let table = value.and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.problem(key, Some(value.span()), format!("is not a table; write it as [{}]", self.path(key)));
            }
            table
        });
        self.within(key, table, value.map(Spanned::span), read)
    }

    /// As [`Reader::section`], of a table that may be absent.
    pub(crate) fn optional_section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.find(key).or_else(|| self.misspelt_section(key)) {
            None => Some(None),
            Some(_) => self.section(key, read).map(Some),
        }
    }

    /// Reads each table in the table `key`, as `[peer.NAME]`, with `read`, and gives those that could be read by their names.
    pub(crate) fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, &mut Reader<'a>) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let Some(value) = self.find(key).or_else(|| self.misspelt_section(key)) else { return BTreeMap::new() };
        let Some(tables) = value.get_ref().as_table() else {
            self.problem(key, Some(value.span()), format!("is not a table; write it as [{}.NAME]", self.path(key)));
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (name, value) in tables {
            let path = format!("{key}.{}", name.get_ref());
            let Some(table) = value.get_ref().as_table() else {
                if self.gathered.problems.borrow().iter().any(|problem| problem.setting == self.path(&path)) {
                    continue;
                }
                self.problem(&path, Some(name.span()), format!("stands outside [{key}.NAME]; write it below the header of one"));
                continue;
            };
            let name = name.get_ref().as_ref();
            if !is_name(name) {
                let text = "is not a name; use 1 to 64 letters of a-z, digits and hyphens".to_owned();
                self.problem(&path, Some(value.span()), text);
                continue;
            }
            if let Some(one) = self.within(&path, Some(table), Some(value.span()), |section| read(name, section)) {
                found.insert(name.to_owned(), one);
            }
        }
        found
    }

    fn within<T>(
        &self,
        key: &str,
        table: Option<&'a DeTable<'a>>,
        header: Option<Range<usize>>,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut section = Reader {
            gathered: self.gathered,
            folder: self.folder,
            now: self.now,
            name: self.path(key),
            table,
            header: header.or(self.header.clone()),
            known: BTreeSet::new(),
            excused: Vec::new(),
            missing: Vec::new(),
        };
        let result = read(&mut section);
        section.finish();
        result
    }

    /// Reports a section that is not written, unless another turns out to be a slip for it.
    pub(crate) fn missing_section(&mut self, key: &'static str, text: &str) {
        self.missing.push((key, text.to_owned()));
    }

    /// Leaves the keys that nobody asks for unreported: what they mean depends on one that is wrong.
    pub(crate) fn excuse_the_rest(&mut self) {
        self.excused.extend(self.table.into_iter().flatten().map(|(key, _)| key.get_ref().as_ref()));
    }

    /// Where the section `key` is not written, but one of a name like it is: what stands in that is checked too, so that one
    /// slip is reported as one.
    fn misspelt_section(&mut self, key: &'static str) -> Option<Value<'a>> {
        let like = |name: &str| !SECTIONS.contains(&name) && alike(name, key);
        let (name, value) =
            self.table?.iter().find(|(name, value)| value.get_ref().is_table() && like(name.get_ref().as_ref()))?;
        self.excused.push(name.get_ref().as_ref());
        self.problem(name.get_ref(), Some(name.span()), format!("is not a section; did you mean [{key}]?"));
        Some(value)
    }

    /// Reports the keys that nobody asked for, and those that are missing where no such key is a slip for them.
    pub(crate) fn finish(mut self) {
        for (key, _) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if self.known.contains(name) || self.excused.contains(&name) {
                continue;
            }
            let text = match self.nearest(name) {
                Some(near) => {
                    self.missing.retain(|(missing, _)| *missing != near);
                    format!("is not a setting; did you mean {near}?")
                }
                None => "is not a setting; remove it, or see the annotated example".to_owned(),
            };
            self.problem(name, Some(key.span()), text);
        }
        for (key, text) in std::mem::take(&mut self.missing) {
            self.problem(key, self.header.clone(), text);
        }
    }

    fn nearest(&self, key: &str) -> Option<&'static str> {
        nearest(self.known.iter().copied(), key)
    }

    /// Whether any of these keys is given.
    pub(crate) fn has_any(&self, keys: &[&'static str]) -> bool {
        self.table.into_iter().flatten().any(|(key, _)| keys.contains(&key.get_ref().as_ref()))
    }

    // ---- kinds of settings; `None` means that a problem has been reported ----

    pub(crate) fn text(&mut self, key: &'static str, default: Option<&str>) -> Option<String> {
        self.setting(key, default.map(str::to_owned), as_text)
    }

    /// A text that may be absent.
    pub(crate) fn optional_text(&mut self, key: &'static str) -> Option<Option<String>> {
        self.setting(key, Some(None), |value| as_text(value).map(Some))
    }

    pub(crate) fn environment(&mut self, key: &'static str) -> Option<String> {
        self.setting(key, None, |value| {
            let name = as_text(value)?;
            let fits = (1..=32).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            if fits {
                Ok(name)
            } else {
                Err("is not an environment; use 1 to 32 of a-z, 0-9 and hyphen, such as prod".to_owned())
            }
        })
    }

    /// Who alone may be named in the environment for tests; none in any other, where no list is taken.
    pub(crate) fn test_numbers(&mut self, key: &'static str, environment: Option<&str>) -> Option<Option<TestNumbers>> {
        let list = self.optional_file(key)?;
        if environment != Some(TRIAL) {
            if list.is_some() {
                let text = format!("is for the environment {TRIAL} alone, where only test numbers are taken; remove it");
                self.problem_at(key, text);
                return None;
            }
            return Some(None);
        }
        let Some(file) = list else { return Some(Some(TestNumbers::default())) };
        match std::fs::read_to_string(&file).map_err(|error| error.to_string()) {
            Ok(text) => match TestNumbers::read(&text) {
                Ok(numbers) => return Some(Some(numbers)),
                // Never the line itself.
                Err(line) => self.problem_at(key, format!("has no CPR number in line {line}; write ten digits a line")),
            },
            Err(error) => self.problem_at(key, format!("cannot be read: {error}")),
        }
        None
    }

    pub(crate) fn uuid(&mut self, key: &'static str, default: Uuid) -> Option<Uuid> {
        self.setting(key, Some(default), |value| {
            as_text(value)?.parse().map_err(|_| "is not a UUID; write it as 8-4-4-4-12 hexadecimal digits".to_owned())
        })
    }

    pub(crate) fn instant(&mut self, key: &'static str) -> Option<Timestamp> {
        self.setting(key, None, |value| {
            const FORM: &str = "is not an instant; write it in quotes, for instance \"2026-12-01T08:00:00+01:00\"";
            as_text(value).ok().and_then(|text| text.parse().ok()).ok_or_else(|| FORM.to_owned())
        })
    }

    pub(crate) fn socket(&mut self, key: &'static str, default: Option<SocketAddr>) -> Option<SocketAddr> {
        self.setting(key, default, as_socket)
    }

    /// An address and port that may be absent.
    pub(crate) fn optional_socket(&mut self, key: &'static str) -> Option<Option<SocketAddr>> {
        self.setting(key, Some(None), |value| as_socket(value).map(Some))
    }

    pub(crate) fn https(&mut self, key: &'static str) -> Option<Uri> {
        self.setting(key, None, |value| {
            let uri: Option<Uri> = as_text(value)?.parse().ok();
            uri.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty()))
                .ok_or_else(|| "is not an https address; write for instance \"https://host.example/path\"".to_owned())
        })
    }

    pub(crate) fn duration(&mut self, key: &'static str, default: Duration, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.setting(key, Some(default), |value| {
            const FORM: &str = "write for instance \"30s\", \"5m\" or \"8h\"";
            let text = as_text(value).map_err(|_| format!("is not a duration; {FORM}"))?;
            let duration: SignedDuration = text.parse().map_err(|_| format!("is not a duration; {FORM}"))?;
            let duration = Duration::try_from(duration).map_err(|_| "is negative; durations are positive".to_owned())?;
            within(duration, &range)
        })
    }

    pub(crate) fn number(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> Option<u64> {
        self.setting(key, Some(default), |value| {
            let integer = value.as_integer().ok_or_else(|| "is not a whole number; write it without quotes".to_owned())?;
            let number = u64::from_str_radix(integer.as_str(), integer.radix())
                .map_err(|_| format!("is out of range; use {} to {}", range.start(), range.end()))?;
            within(number, &range)
        })
    }

    pub(crate) fn size(&mut self, key: &'static str, default: usize, range: RangeInclusive<u64>) -> Option<usize> {
        self.number(key, default as u64, range).and_then(|number| usize::try_from(number).ok())
    }

    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> Option<bool> {
        self.setting(key, Some(default), |value| {
            value.as_bool().ok_or_else(|| "is not true or false; write it without quotes".to_owned())
        })
    }

    /// One of the named choices.
    pub(crate) fn choice<T: Copy + Debug>(&mut self, key: &'static str, default: Option<T>, choices: &[(&str, T)]) -> Option<T> {
        self.setting(key, default, |value| one_of(value, choices))
    }

    /// Some of the named choices, at least one, none twice.
    pub(crate) fn choices<T: Copy + Debug + PartialEq>(
        &mut self,
        key: &'static str,
        default: &[T],
        choices: &[(&str, T)],
    ) -> Option<Vec<T>> {
        self.setting(key, Some(default.to_vec()), |value| {
            let mut chosen = Vec::new();
            for item in as_array(value)? {
                let choice = one_of(item.get_ref(), choices)?;
                if chosen.contains(&choice) {
                    return Err("names a choice twice; name each once".to_owned());
                }
                chosen.push(choice);
            }
            if chosen.is_empty() { Err("is empty; name at least one".to_owned()) } else { Ok(chosen) }
        })
    }

    /// A folder that exists.
    pub(crate) fn directory(&mut self, key: &'static str) -> Option<PathBuf> {
        let folder = self.folder;
        self.setting(key, None, |value| existing(folder.join(as_text(value)?)))
    }

    /// Notes what a file holds, for the report.
    pub(crate) fn note(&self, key: &str, file: &Path, holds: Vec<Content>, secret: bool) {
        let read = FileRead { setting: self.path(key), file: file.to_owned(), holds, secret };
        self.gathered.read.borrow_mut().push(read);
    }

    /// A file that can be read.
    pub(crate) fn file(&mut self, key: &'static str) -> Option<PathBuf> {
        let folder = self.folder;
        self.setting(key, None, |value| readable(placed(folder, &as_text(value)?)?))
    }

    /// A folder that exists; none by default.
    pub(crate) fn optional_directory(&mut self, key: &'static str) -> Option<Option<PathBuf>> {
        let folder = self.folder;
        self.setting(key, Some(None), |value| existing(folder.join(as_text(value)?)).map(Some))
    }

    /// A file that can be read; none by default.
    pub(crate) fn optional_file(&mut self, key: &'static str) -> Option<Option<PathBuf>> {
        let folder = self.folder;
        self.setting(key, Some(None), |value| readable(placed(folder, &as_text(value)?)?).map(Some))
    }

    /// Files that can be read, and http or https addresses; none by default.
    pub(crate) fn sources(&mut self, key: &'static str) -> Option<Vec<Source>> {
        let folder = self.folder;
        self.setting(key, Some(Vec::new()), |value| {
            let source = |text: String| match text.split_once("://") {
                None => readable(placed(folder, &text)?).map(Source::File),
                Some(_) => {
                    let uri: Option<Uri> = text.parse().ok();
                    let known = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
                    // No password: addresses stand in the log.
                    let plain = |uri: &Uri| uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
                    let uri = uri.filter(|uri| known(uri) && plain(uri) && uri.host().is_some_and(|host| !host.is_empty()));
                    let form =
                        "holds an address that is neither http nor https, or has a password; write for instance \"http://ca.example/list.crl\"";
                    uri.map(Source::Address).ok_or_else(|| form.to_owned())
                }
            };
            as_array(value)?.iter().map(|item| source(as_text(item.get_ref())?)).collect()
        })
    }

    /// Files that can be read; none by default.
    pub(crate) fn files(&mut self, key: &'static str) -> Option<Vec<PathBuf>> {
        let folder = self.folder;
        self.setting(key, Some(Vec::new()), |value| {
            as_array(value)?.iter().map(|item| readable(placed(folder, &as_text(item.get_ref())?)?)).collect()
        })
    }

    // ---- the common part ----

    /// Reads one setting, records it, and reports what is wrong with it.
    pub(crate) fn setting<T: Debug>(
        &mut self,
        key: &'static str,
        default: Option<T>,
        parse: impl FnOnce(&DeValue<'a>) -> Result<T, String>,
    ) -> Option<T> {
        let given = self.find(key);
        let by_default = given.is_none();
        let value = match (given, default) {
            (Some(value), _) => match parse(value.get_ref()) {
                Ok(parsed) => Some(parsed),
                Err(text) => {
                    self.problem(key, Some(value.span()), text);
                    None
                }
            },
            (None, Some(default)) => Some(default),
            (None, None) => {
                let place =
                    if self.name.is_empty() { "at the top of the file".to_owned() } else { format!("in [{}]", self.name) };
                self.missing.push((key, format!("is missing; add {key} {place}")));
                None
            }
        };
        self.gathered.seen.borrow_mut().push(Seen { setting: self.path(key), value: format!("{value:?}"), by_default });
        value
    }

    pub(crate) fn find(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.insert(key);
        self.table.into_iter().flatten().find(|(name, _)| name.get_ref().as_ref() == key).map(|(_, value)| value)
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Reports a problem with `key`.
    pub(crate) fn problem(&self, key: &str, span: Option<Range<usize>>, text: String) {
        self.gathered.problems.borrow_mut().push(Problem { setting: self.path(key), text, span });
    }

    /// Reports a problem with the section itself.
    pub(crate) fn problem_of_section(&self, text: &str) {
        let problem = Problem { setting: self.name.clone(), text: text.to_owned(), span: self.header.clone() };
        self.gathered.problems.borrow_mut().push(problem);
    }

    /// Reports a problem with `key` where it stands.
    pub(crate) fn problem_at(&mut self, key: &'static str, text: String) {
        let span = self.find(key).map(Spanned::span).or(self.header.clone());
        self.problem(key, span, text);
    }

    /// Reports what does not keep the gateway from starting, with `key` where it stands.
    pub(crate) fn warning_at(&mut self, key: &'static str, text: String) {
        let span = self.find(key).map(Spanned::span).or(self.header.clone());
        self.warning(key, span, text);
    }

    /// Reports what will be a problem before long.
    pub(crate) fn warning(&self, key: &str, span: Option<Range<usize>>, text: String) {
        self.gathered.warnings.borrow_mut().push(Problem { setting: self.path(key), text, span });
    }
}

/// The names of all sections: one of them is never taken for another misspelt.
const SECTIONS: [&str; 16] = [
    "outbound",
    "listen",
    "admin",
    "api",
    "console",
    "system",
    "service",
    "peer",
    "tokens",
    "signers",
    "revocation",
    "sts",
    "store",
    "agreements",
    "audit",
    "limits",
];

/// Whether a service or a peer may be called so: its name stands in settings, log lines and metrics.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// The name that another may be a slip for.
pub(crate) fn nearest<'n>(names: impl Iterator<Item = &'n str>, name: &str) -> Option<&'n str> {
    names.filter(|known| alike(known, name)).max_by(|one, other| likeness(one, name).total_cmp(&likeness(other, name)))
}

/// Whether one may be a slip for the other: a letter or two, another case, or one cut short.
fn alike(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let (one_plain, other_plain) = (plain(one), plain(other));
    let shorter = one_plain.len().min(other_plain.len());
    let cut_short = shorter >= 3 && (one_plain.starts_with(&other_plain) || other_plain.starts_with(&one_plain));
    cut_short || likeness(one, other) >= 0.6
}

/// 1 for the same name, 0 for nothing in common.
fn likeness(one: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}

fn as_socket(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    as_text(value)?
        .parse()
        .map_err(|_| "is not an address and port; write for instance \"0.0.0.0:8443\" or \"[::1]:9464\"".to_owned())
}

pub(crate) fn as_text(value: &DeValue<'_>) -> Result<String, String> {
    match value.as_str() {
        Some("") => Err("is empty; write a value or remove the setting".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("is {}; write a text in quotes", value.type_str())),
    }
}

pub(crate) fn as_array<'v, 'a>(value: &'v DeValue<'a>) -> Result<&'v [Spanned<DeValue<'a>>], String> {
    match value.as_array() {
        Some(array) => Ok(array),
        None => Err("is not a list; write it as [\"…\", \"…\"]".to_owned()),
    }
}

pub(crate) fn one_of<T: Copy>(value: &DeValue<'_>, choices: &[(&str, T)]) -> Result<T, String> {
    let text = as_text(value)?;
    choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!("is not known; use {}", names.join(" or "))
    })
}

fn within<T: PartialOrd + Debug>(value: T, range: &RangeInclusive<T>) -> Result<T, String> {
    if range.contains(&value) { Ok(value) } else { Err(format!("is out of range; use {:?} to {:?}", range.start(), range.end())) }
}

/// Where a file that a setting names lies: seen from the folder of the configuration, or among the credentials that the service
/// manager hands to the process (`LoadCredential=` of systemd).
pub(crate) fn placed(folder: &Path, text: &str) -> Result<PathBuf, String> {
    let Some(name) = text.strip_prefix(CREDENTIALS) else { return Ok(folder.join(text)) };
    match std::env::var_os("CREDENTIALS_DIRECTORY").filter(|given| !given.is_empty()) {
        Some(given) => Ok(Path::new(&given).join(name)),
        None => {
            Err("names a credential, and $CREDENTIALS_DIRECTORY is not set; it is where the process is started by a unit with \
                     LoadCredential="
                .to_owned())
        }
    }
}

/// How a path among the credentials begins.
const CREDENTIALS: &str = "$CREDENTIALS_DIRECTORY/";

fn existing(path: PathBuf) -> Result<PathBuf, String> {
    match path.is_dir() {
        true => Ok(path),
        false => Err(format!("names {}, which is not a folder; make it, or correct the path", path.display())),
    }
}

fn readable(path: PathBuf) -> Result<PathBuf, String> {
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => Ok(path),
        Ok(_) => Err(format!("names {}, which is not a file; correct the path", path.display())),
        Err(cause) => Err(format!(
            "names {}, which cannot be read ({cause}); correct the path, or let the service's own user read it",
            path.display()
        )),
    }
}
