//! Reads TOML with lines: every key that is missing, unknown or of the wrong type becomes a problem, and reading goes on.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::PolicyError;
use crate::text::line_at;

/// The file being read, and what is wrong with it so far.
pub(super) struct Reader<'t> {
    text: &'t str,
    problems: Vec<PolicyError>,
}

/// A table of the file.
#[derive(Clone)]
pub(super) struct Section<'t> {
    table: DeTable<'t>,
    line: usize,
    /// The line of each key, by name.
    lines: Vec<(String, usize)>,
}

impl Section<'_> {
    /// The line on which the table begins.
    pub(super) fn line(&self) -> usize {
        self.line
    }
    /// The line of a key, or of the table where the key is missing.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.lines.iter().find(|(name, _)| name == key).map_or(self.line, |(_, line)| *line)
    }
    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
    fn get(&self, key: &str) -> Option<&DeValue<'_>> {
        self.table.get(key).map(Spanned::get_ref)
    }
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: Vec::new() }
    }

    /// The root table; `None` where the text is not TOML.
    pub(super) fn parse(&mut self) -> Option<Section<'t>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = error.span().map_or(1, |span| self.line_at(span.start));
            self.problem(
                line,
                format!("This is not TOML: {}.", error.message().trim_end_matches('.')),
                "Mend the syntax (https://toml.io).".to_owned(),
            );
        }
        errors.is_empty().then(|| self.section(root.into_inner(), 1))
    }

    fn line_at(&self, offset: usize) -> usize {
        line_at(self.text.as_bytes(), offset)
    }

    fn section<'s>(&self, table: DeTable<'s>, line: usize) -> Section<'s> {
        let lines = table.keys().map(|key| (key.get_ref().to_string(), self.line_at(key.span().start))).collect();
        Section { table, line, lines }
    }

    pub(super) fn problem(&mut self, line: usize, what: String, remedy: String) {
        self.problems.push(PolicyError { line, what, remedy });
    }

    /// A name that the code does not know.
    pub(super) fn unknown(&mut self, line: usize, what: &str, names: &[&str]) {
        self.problem(line, format!("{what} is not known."), format!("Use one of: {}.", names.join(", ")));
    }

    /// The problems, by line.
    pub(super) fn into_problems(mut self) -> Vec<PolicyError> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }

    /// SHA-256 of the file's bytes.
    pub(super) fn digest(&self) -> [u8; 32] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.text.as_bytes());
        digest.as_ref().try_into().unwrap_or_default()
    }

    /// Reports the keys beside those named.
    pub(super) fn close(&mut self, section: &Section<'_>, keys: &[&str]) {
        for (key, line) in section.lines.iter().filter(|(key, _)| !keys.contains(&key.as_str())) {
            self.problem(
                *line,
                format!("The key \"{key}\" is not known here."),
                format!("Remove it, or use one of: {}.", keys.join(", ")),
            );
        }
    }

    /// A value of one kind, or a problem that says which kind was expected.
    fn take<T>(&mut self, section: &Section<'_>, key: &str, kind: &str, read: impl Fn(&DeValue<'_>) -> Option<T>) -> Option<T> {
        let value = section.get(key).map(read);
        match value {
            Some(Some(value)) => return Some(value),
            Some(None) => {
                self.problem(section.line_of(key), format!("\"{key}\" is not {kind}."), format!("Write {key} as {kind}."))
            }
            None => self.problem(section.line(), format!("The key \"{key}\" is missing."), format!("Add {key}: {kind}.")),
        }
        None
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, section: &Section<'_>, key: &str) -> Option<String> {
        self.take(section, key, "a text that is not empty", |value| {
            value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
        })
    }

    pub(super) fn boolean(&mut self, section: &Section<'_>, key: &str) -> Option<bool> {
        self.take(section, key, "true or false", |value| value.as_bool())
    }

    pub(super) fn number(&mut self, section: &Section<'_>, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let kind = format!("a whole number from {} to {}", range.start(), range.end());
        self.take(section, key, &kind, |value| integer(value).filter(|number| range.contains(number)))
    }

    pub(super) fn one_of(&mut self, section: &Section<'_>, key: &str, numbers: &[u64]) -> Option<u64> {
        let kind = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" or ");
        self.take(section, key, &kind, |value| integer(value).filter(|number| numbers.contains(number)))
    }

    pub(super) fn date(&mut self, section: &Section<'_>, key: &str) -> Option<jiff::civil::Date> {
        self.take(section, key, "a date, such as 2026-11-01", |value| {
            let text = value.as_datetime()?.to_string();
            text.parse().ok().filter(|date: &jiff::civil::Date| date.to_string() == text)
        })
    }

    pub(super) fn table<'s>(&mut self, section: &Section<'s>, key: &str) -> Option<Section<'s>> {
        self.take(section, key, "a table", |value| value.is_table().then_some(()))?;
        let value = section.table.get(key)?.get_ref().clone();
        let DeValue::Table(table) = value else { return None };
        Some(self.section(table, section.line_of(key)))
    }

    /// A list of tables; a missing one is empty.
    pub(super) fn tables<'s>(&mut self, section: &Section<'s>, key: &str) -> Vec<Section<'s>> {
        let mut found = Vec::new();
        let Some(value) = section.table.get(key) else { return found };
        let DeValue::Array(array) = value.get_ref() else {
            self.problem(
                section.line_of(key),
                format!("\"{key}\" is not a list of tables."),
                format!("Write each as [[….{key}]]."),
            );
            return found;
        };
        for item in array.iter() {
            let line = self.line_at(item.span().start);
            match item.get_ref() {
                DeValue::Table(table) => found.push(self.section(table.clone(), line)),
                _ => self.problem(line, format!("An entry of \"{key}\" is not a table."), format!("Write each as [[….{key}]].")),
            }
        }
        found
    }

    /// A list of texts that is not empty, each with its line.
    pub(super) fn texts(&mut self, section: &Section<'_>, key: &str) -> Vec<(String, usize)> {
        let text = self.text;
        self.take(section, key, "a list of texts that is not empty", |value| {
            let one = |item: &Spanned<DeValue<'_>>| {
                Some((item.get_ref().as_str()?.to_owned(), line_at(text.as_bytes(), item.span().start)))
            };
            value.as_array()?.iter().map(one).collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())
        })
        .unwrap_or_default()
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}
