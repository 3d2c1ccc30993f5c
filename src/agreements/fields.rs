//! Reading the TOML files by which agreements and routes are brought in: unknown keys are refused, and every problem is reported
//! at once, each with its line and its remedy.

use std::{collections::BTreeSet, fmt, ops::Range, str::FromStr};

use jiff::{Timestamp, civil::Date};
use toml::{Spanned, de::DeTable, de::DeValue};

use crate::text::{self, LONGEST};

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// Reads a file's text with `read`.
///
/// # Errors
/// Every problem found, in the file's order.
pub(super) fn read<T>(text: &str, read: impl FnOnce(&mut Reader<'_>, &DeTable<'_>) -> T) -> Result<T, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, problems: Vec::new() };
    for error in errors {
        reader.problem(error.span().unwrap_or(0..0), format!("not TOML: {}", error.message()));
    }
    if reader.problems.is_empty() {
        let found = read(&mut reader, document.get_ref());
        if reader.problems.is_empty() {
            return Ok(found);
        }
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(reader.problems)
}

/// A file that is read, and what is wrong with it so far.
pub(super) struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, at: Range<usize>, message: impl Into<String>) {
        let line = text::line_at(self.text.as_bytes(), at.start);
        self.problems.push(Problem { line, message: message.into() });
    }

    /// Goes through the file's tables, which are of these kinds.
    pub(super) fn tables(
        &mut self,
        document: &DeTable<'_>,
        kinds: &[&str],
        mut each: impl FnMut(&mut Self, &str, Range<usize>, &DeTable<'_>),
    ) {
        for (key, value) in document {
            let name: &str = key.get_ref();
            if !kinds.contains(&name) {
                let known: Vec<_> = kinds.iter().map(|kind| format!("[[{kind}]]")).collect();
                self.problem(key.span(), format!("unknown key {name}; the file holds {}", known.join(" and ")));
                continue;
            }
            let Some(tables) = value.get_ref().as_array() else {
                self.problem(key.span(), format!("write [[{name}]], with two brackets"));
                continue;
            };
            for entry in tables.iter() {
                match entry.get_ref().as_table() {
                    Some(table) => each(self, name, entry.span(), table),
                    None => self.problem(entry.span(), format!("write [[{name}]] as a table")),
                }
            }
        }
    }

    /// Two entries of one name would make the file's order decide which holds.
    pub(super) fn twice(&mut self, document: &DeTable<'_>, what: &str, names: impl Iterator<Item = String>) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.clone()) {
                let at = document.get(what).map(Spanned::span).unwrap_or(0..0);
                self.problem(at, format!("{what} {name} stands more than once; keep one"));
            }
        }
    }
}

/// The keys of one table, each asked for once.
pub(super) struct Fields<'r, 't, 'd> {
    reader: &'r mut Reader<'t>,
    at: Range<usize>,
    table: &'d DeTable<'d>,
}

impl<'r, 't, 'd> Fields<'r, 't, 'd> {
    pub(super) fn new(reader: &'r mut Reader<'t>, at: Range<usize>, table: &'d DeTable<'d>, known: &[&str]) -> Self {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                reader.problem(key.span(), format!("unknown key {name}; known are {}", known.join(", ")));
            }
        }
        Self { reader, at, table }
    }

    /// A problem of the table as a whole.
    pub(super) fn problem(&mut self, message: impl Into<String>) {
        self.reader.problem(self.at.clone(), message);
    }

    /// A problem of one key's value.
    pub(super) fn problem_at(&mut self, key: &str, message: &str) {
        let at = self.table.get(key).map_or_else(|| self.at.clone(), Spanned::span);
        self.reader.problem(at, format!("{key} {message}"));
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    pub(super) fn value(&mut self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        let value = self.table.get(key);
        if value.is_none() {
            self.problem(format!("{key} is missing"));
        }
        value
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        match value.get_ref().as_str().map(text::line) {
            Some(Ok(line)) => Some(line),
            Some(Err(unfit)) => {
                let why = unfit.describe();
                self.reader.problem(value.span(), format!("{key} is a text of 1-{LONGEST} characters on one line: {}", why.en()));
                None
            }
            None => {
                self.reader.problem(value.span(), format!("{key} is a text in quotes"));
                None
            }
        }
    }

    pub(super) fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let value = self.value(key)?;
        let parsed = value.get_ref().as_str().and_then(|text| text.parse().ok());
        if parsed.is_none() {
            self.reader.problem(value.span(), format!("{key} is not {what}"));
        }
        parsed
    }

    pub(super) fn one_of<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.value(key)?;
        let text = value.get_ref().as_str().unwrap_or_default();
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.reader.problem(value.span(), format!("{key} is one of {}", names.join(", ")));
        }
        chosen
    }

    /// An instant, as a TOML date-time with an offset: a local time would be another instant on another machine.
    pub(super) fn instant(&mut self, key: &str) -> Option<Timestamp> {
        let value = self.value(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(datetime) => datetime.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        let instant = text::instant(&text);
        if instant.is_none() {
            self.reader.problem(value.span(), format!("{key} is not an instant with an offset; write 2026-01-01T00:00:00+01:00"));
        }
        instant
    }

    /// A civil day, as a TOML date or in quotes.
    pub(super) fn day(&mut self, key: &str) -> Option<Date> {
        let value = self.value(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(datetime) => datetime.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        let day = super::route::day(&text).ok();
        if day.is_none() {
            self.reader.problem(value.span(), format!("{key} is not a day; write 2027-01-01"));
        }
        day
    }

    /// A list that may be left out. Order and repetition carry no meaning, so they are taken away.
    pub(super) fn list<T: Ord>(&mut self, key: &str, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let read = |text: &str| read(text).ok_or_else(|| format!("holds a value that is not {what}"));
        Some(self.each(key, read)?.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// A list of texts that may be left out, each read by itself.
    pub(super) fn each<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let Some(value) = self.table.get(key) else { return Some(Vec::new()) };
        let Some(items) = value.get_ref().as_array() else {
            self.reader.problem(value.span(), format!("{key} is a list: [\"…\", \"…\"]"));
            return None;
        };
        let mut read_items = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_str().ok_or_else(|| "holds a value that is no text in quotes".to_owned()).and_then(&read) {
                Ok(read_item) => read_items.push(read_item),
                Err(wrong) => self.reader.problem(item.span(), format!("{key} {wrong}")),
            }
        }
        (read_items.len() == items.len()).then_some(read_items)
    }
}
