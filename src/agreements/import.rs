//! The file by which authorities and agreements are brought in.
//!
//! TOML, with `[[authority]]` and `[[agreement]]` tables. Unknown keys are refused, for a misspelt `valid_to` would be an
//! agreement without an end; every problem is reported at once, each with its line and its remedy.

use std::{collections::BTreeSet, fmt, ops::Range, str::FromStr};

use jiff::Timestamp;
use toml::{Spanned, de::DeTable, de::DeValue};
use uuid::Uuid;

use super::model::{Agreement, Authority, Environment, Role, Side, State, Thumbprint, is_kle_pattern};
use crate::id::cvr::Cvr;

/// The longest text of one value, in bytes: names and purposes are sentences, not documents.
const TEXT_LIMIT: usize = 1000;

/// What a file holds, once it has been found in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Import {
    /// The authorities, in the file's order.
    pub authorities: Vec<Authority>,
    /// The agreements, in the file's order.
    pub agreements: Vec<Agreement>,
}

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

impl Import {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Every problem found, in the file's order.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader { text, problems: Vec::new() };
        for error in errors {
            reader.problem(error.span().unwrap_or(0..0), format!("not TOML: {}", error.message()));
        }
        if reader.problems.is_empty() {
            let import = reader.document(document.get_ref());
            if reader.problems.is_empty() {
                return Ok(import);
            }
        }
        reader.problems.sort_by_key(|problem| problem.line);
        Err(reader.problems)
    }
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, at: Range<usize>, message: impl Into<String>) {
        let before = self.text.as_bytes().get(..at.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        self.problems.push(Problem { line, message: message.into() });
    }

    fn document(&mut self, document: &DeTable<'_>) -> Import {
        let mut import = Import::default();
        for (key, value) in document {
            let name: &str = key.get_ref();
            if name != "authority" && name != "agreement" {
                self.problem(key.span(), format!("unknown key {name}; the file holds [[authority]] and [[agreement]]"));
                continue;
            }
            let Some(tables) = value.get_ref().as_array() else {
                self.problem(key.span(), format!("write [[{name}]], with two brackets"));
                continue;
            };
            for entry in tables.iter() {
                match entry.get_ref().as_table() {
                    Some(table) if name == "authority" => import.authorities.extend(self.authority(entry.span(), table)),
                    Some(table) => import.agreements.extend(self.agreement(entry.span(), table)),
                    None => self.problem(entry.span(), format!("write [[{name}]] as a table")),
                }
            }
        }
        self.twice(document, "authority", import.authorities.iter().map(|a| a.cvr.to_string()));
        self.twice(document, "agreement", import.agreements.iter().map(|a| a.id.to_string()));
        import
    }

    /// Two entries of one name would make the file's order decide which holds.
    fn twice(&mut self, document: &DeTable<'_>, what: &str, names: impl Iterator<Item = String>) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.clone()) {
                let at = document.get(what).map(Spanned::span).unwrap_or(0..0);
                self.problem(at, format!("{what} {name} stands more than once; keep one"));
            }
        }
    }

    fn authority(&mut self, at: Range<usize>, table: &DeTable<'_>) -> Option<Authority> {
        let mut fields = Fields::new(self, at, table, &["cvr", "name", "role"]);
        let cvr = fields.parsed::<Cvr>("cvr", "eight digits, in quotes");
        let name = fields.text("name");
        let role = fields.one_of("role", &[("udk", Role::Udk), ("municipality", Role::Municipality)]);
        Some(Authority { cvr: cvr?, name: name?, role: role? })
    }

    fn agreement(&mut self, at: Range<usize>, table: &DeTable<'_>) -> Option<Agreement> {
        let mut fields = Fields::new(
            self,
            at.clone(),
            table,
            &[
                "id",
                "side",
                "system",
                "certificates",
                "service",
                "authority",
                "environment",
                "valid_from",
                "valid_to",
                "state",
                "legal_basis",
                "purpose",
                "kle",
                "sensitivity",
                "decided_by",
                "decided_at",
                "reason",
            ],
        );
        let id = fields.parsed::<Uuid>("id", "a UUID");
        let side = fields.one_of("side", &[("front", Side::Front), ("back", Side::Back)]);
        let system = fields.parsed::<Uuid>("system", "the client system's UUID");
        let certificates = fields
            .list("certificates", "SHA-256 of the certificate's DER, 64 hexadecimal digits", |t| t.parse::<Thumbprint>().ok());
        let service = fields.parsed::<Uuid>("service", "the service's UUID");
        let authority = fields.parsed::<Cvr>("authority", "the authority's CVR number, eight digits, in quotes");
        let environment = fields.parsed::<Environment>("environment", "a name such as prod or exttest");
        let valid_from = fields.instant("valid_from");
        let valid_to = if fields.has("valid_to") { fields.instant("valid_to").map(Some) } else { Some(None) };
        let state = fields.parsed::<State>("state", "ANMODET, GODKENDT, AFVIST, TRUKKET, SUSPENDERET, OPSAGT or UDLØBET");
        let legal_basis = fields.text("legal_basis");
        let purpose = fields.text("purpose");
        let kle = fields.list("kle", "a KLE number or pattern such as 32.03.04, 32.03.* or 32.*", |t| {
            is_kle_pattern(t).then(|| t.to_owned())
        });
        let sensitivity = fields.list("sensitivity", "a name of A-Z and _", |t| is_sensitivity(t).then(|| t.to_owned()));
        let decided_by = if fields.has("decided_by") { fields.text("decided_by").map(Some) } else { Some(None) };
        let decided_at = if fields.has("decided_at") { fields.instant("decided_at").map(Some) } else { Some(None) };
        let reason = if fields.has("reason") { fields.text("reason").map(Some) } else { Some(None) };
        let agreement = Agreement {
            id: id?,
            side: side?,
            system: system?,
            certificates: certificates?,
            service: service?,
            authority: authority?,
            environment: environment?,
            valid_from: valid_from?,
            valid_to: valid_to?,
            state: state?,
            legal_basis: legal_basis?,
            purpose: purpose?,
            kle: kle?,
            sensitivity: sensitivity?,
            decided_by: decided_by?,
            decided_at: decided_at?,
            reason: reason?,
        };
        self.agrees_with_itself(at, &agreement);
        Some(agreement)
    }

    fn agrees_with_itself(&mut self, at: Range<usize>, agreement: &Agreement) {
        if agreement.side == Side::Front && agreement.certificates.is_empty() {
            self.problem(at.clone(), "a front agreement names at least one of the client system's certificates");
        }
        if agreement.valid_to.is_some_and(|end| end <= agreement.valid_from) {
            self.problem(at.clone(), "valid_to is not after valid_from");
        }
        if agreement.state != State::Requested && (agreement.decided_by.is_none() || agreement.decided_at.is_none()) {
            self.problem(at, format!("state {} is somebody's decision; add decided_by and decided_at", agreement.state));
        }
    }
}

/// The keys of one table, each asked for once.
struct Fields<'r, 't, 'd> {
    reader: &'r mut Reader<'t>,
    at: Range<usize>,
    table: &'d DeTable<'d>,
}

impl<'r, 't, 'd> Fields<'r, 't, 'd> {
    fn new(reader: &'r mut Reader<'t>, at: Range<usize>, table: &'d DeTable<'d>, known: &[&str]) -> Self {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                reader.problem(key.span(), format!("unknown key {name}; known are {}", known.join(", ")));
            }
        }
        Self { reader, at, table }
    }

    fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    fn value(&mut self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        let value = self.table.get(key);
        if value.is_none() {
            self.reader.problem(self.at.clone(), format!("{key} is missing"));
        }
        value
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() && text.len() <= TEXT_LIMIT && !text.chars().any(char::is_control) => {
                Some(text.to_owned())
            }
            _ => {
                self.reader.problem(value.span(), format!("{key} is a text in quotes of 1-{TEXT_LIMIT} bytes on one line"));
                None
            }
        }
    }

    fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T> {
        let value = self.value(key)?;
        let parsed = value.get_ref().as_str().and_then(|text| text.parse().ok());
        if parsed.is_none() {
            self.reader.problem(value.span(), format!("{key} is not {what}"));
        }
        parsed
    }

    fn one_of<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
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
    fn instant(&mut self, key: &str) -> Option<Timestamp> {
        let value = self.value(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(datetime) => datetime.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        let instant = text.parse().ok();
        if instant.is_none() {
            self.reader.problem(value.span(), format!("{key} is not an instant with an offset; write 2026-01-01T00:00:00+01:00"));
        }
        instant
    }

    /// A list that may be left out. Order and repetition carry no meaning, so they are taken away.
    fn list<T: Ord>(&mut self, key: &str, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let Some(value) = self.table.get(key) else { return Some(Vec::new()) };
        let Some(items) = value.get_ref().as_array() else {
            self.reader.problem(value.span(), format!("{key} is a list: [\"…\", \"…\"]"));
            return None;
        };
        let mut read_items = BTreeSet::new();
        let mut whole = true;
        for item in items.iter() {
            match item.get_ref().as_str().and_then(&read) {
                Some(read_item) => {
                    read_items.insert(read_item);
                }
                None => {
                    whole = false;
                    self.reader.problem(item.span(), format!("{key} holds a value that is not {what}"));
                }
            }
        }
        whole.then(|| read_items.into_iter().collect())
    }
}

fn is_sensitivity(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
