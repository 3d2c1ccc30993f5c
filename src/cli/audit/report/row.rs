//! One call as the report shows it, whatever it is then written as.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use uuid::Uuid;

use super::names::Names;
use crate::audit::about::facts::{Fact, Facts, Label, Value, place};
use crate::audit::{Record, Window};
use crate::cli::lang::Lang;

/// A number or an id, and its name.
#[derive(Debug, Clone, Serialize)]
pub struct Named {
    /// The number or id.
    pub id: String,
    /// Its name, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.id),
            None => f.write_str(&self.id),
        }
    }
}

/// What something is, and its values as they are shown.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Told {
    /// For programs.
    pub key: &'static str,
    /// For people.
    pub what: String,
    pub values: Vec<String>,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.values.join(", "))
    }
}

/// By what a call was judged.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct JudgedBy {
    /// `policy` or `contract`.
    pub kind: &'static str,
    /// The same for people.
    #[serde(skip)]
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of it.
    pub sha256: String,
}

/// How many by one rule.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct ByRule {
    pub rule: String,
    /// What it says: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How many.
    pub count: u64,
    /// Of removed fields: where they stood, and how many there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<(String, u64)>,
}

/// Objects and fields, by rule.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Amounts {
    pub objects: Vec<ByRule>,
    /// Fields in objects.
    pub fields: Vec<ByRule>,
}

/// One call.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Row {
    /// The folder of the log.
    pub log: String,
    pub call: Uuid,
    /// When it was opened, in Copenhagen.
    pub when: String,
    /// The same in UTC.
    pub when_utc: Timestamp,
    /// How it ended; `unfinished`: admitted and never closed.
    pub outcome: &'static str,
    /// The code of the refusal.
    pub refusal: Option<String>,
    /// On whose behalf.
    pub authority: Option<Named>,
    /// Whether an agreement shows that it was on that authority's behalf.
    pub authority_proven: bool,
    pub client_system: Option<Uuid>,
    /// Its name, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_system_name: Option<String>,
    pub certificate: Option<String>,
    /// How it was proven.
    pub binding: Option<&'static str>,
    pub service: String,
    pub operation: Option<String>,
    /// On what legal basis.
    pub legal_basis: Option<String>,
    pub purpose: Option<String>,
    /// By which agreement it came in.
    pub front_agreement: Option<Uuid>,
    /// By which it went on.
    pub back_agreements: Vec<Uuid>,
    pub judged_by: Option<JudgedBy>,
    /// How many persons it names, sealed.
    pub persons: u64,
    /// How many more.
    pub persons_left_out: u64,
    pub asked: Vec<Told>,
    pub decided: Vec<Told>,
    /// What was released; none: the service does not judge that, its answer passes whole or not at all.
    pub released: Option<Amounts>,
    /// What was handed over whole, of such a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_whole: Option<String>,
    /// What was removed, and why.
    pub removed: Option<Amounts>,
    /// Whether the record says where the removed fields stood.
    pub removed_places_recorded: Option<bool>,
}

/// What the rows of a report have in common.
#[allow(missing_docs)] // the names say it
pub struct Telling<'n> {
    pub names: &'n Names,
    /// The language.
    pub lang: Lang,
    /// Copenhagen.
    pub zone: TimeZone,
}

impl Telling<'_> {
    /// The row of a record.
    pub fn row(&self, log: &str, record: &Record) -> Row {
        let Facts { judged_by, asked, decided, released, whole } = record.about.facts();
        let served = record.outcome == Some(crate::audit::Outcome::Served);
        let digest = judged_by.as_ref().map(|by| by.digest.clone()).unwrap_or_default();
        let amounts = |counts: &crate::audit::Counts| Amounts {
            objects: counts.objects.iter().map(|(rule, many)| self.by_rule(&digest, rule, *many)).collect(),
            fields: counts
                .fields
                .iter()
                .map(|(rule, many)| {
                    let places = counts.places.get(rule).into_iter().flatten();
                    let places = places.map(|(path, many)| (self.place(path), *many)).collect();
                    ByRule { places, ..self.by_rule(&digest, rule, *many) }
                })
                .collect(),
        };
        Row {
            log: log.to_owned(),
            call: record.call,
            when: self.when(record.opened_at),
            when_utc: record.opened_at,
            outcome: record.outcome.map_or("unfinished", crate::audit::Outcome::name),
            refusal: record.refusal.clone(),
            authority: record.authority.map(|cvr| self.authority(cvr)),
            authority_proven: record.front_agreement.is_some(),
            client_system: record.client_system,
            client_system_name: record.client_system.and_then(|id| self.names.system(id)).map(str::to_owned),
            certificate: record.certificate.map(|certificate| certificate.to_string()),
            binding: record.binding.map(crate::audit::Binding::name),
            service: record.service.clone(),
            operation: record.operation.clone(),
            legal_basis: record.legal_basis.clone(),
            purpose: record.purpose.clone(),
            front_agreement: record.front_agreement,
            back_agreements: record.back_agreements.clone(),
            persons: record.persons.len() as u64,
            persons_left_out: record.persons_left_out,
            asked: asked.iter().map(|fact| self.describe(fact)).collect(),
            decided: decided.iter().map(|fact| self.describe(fact)).collect(),
            released: released.as_ref().map(|of| amounts(of.released)),
            released_whole: whole.filter(|_| served).map(|whole| self.label(whole)),
            removed: released.as_ref().map(|of| amounts(of.removed)),
            removed_places_recorded: released.as_ref().map(crate::audit::about::facts::Released::places_recorded),
            judged_by: judged_by.map(|by| JudgedBy {
                kind: by.what.key,
                what: self.label(by.what),
                name: by.name,
                version: by.version,
                sha256: by.digest,
            }),
        }
    }

    /// An authority with its name.
    pub fn authority(&self, cvr: crate::id::cvr::Cvr) -> Named {
        Named { id: cvr.to_string(), name: self.names.authority(cvr).map(str::to_owned) }
    }

    /// An instant as people read it.
    pub fn when(&self, at: Timestamp) -> String {
        let at: Zoned = at.to_zoned(self.zone.clone());
        at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    fn by_rule(&self, digest: &str, rule: &str, count: u64) -> ByRule {
        let words = self.names.rule(digest, rule);
        let why = words.map(|words| {
            let basis = self.lang.basis(&words.basis, words.basis_da.as_deref());
            format!("{} [{basis}]", self.lang.word(&words.da, &words.en))
        });
        ByRule { rule: rule.to_owned(), why, count, places: Vec::new() }
    }

    fn place(&self, path: &str) -> String {
        match path {
            "*" => self.lang.word("andre felter og hele dele", "other fields, and whole parts"),
            path => place(path),
        }
    }

    fn label(&self, label: Label) -> String {
        self.lang.word(label.da, label.en)
    }

    fn describe(&self, fact: &Fact) -> Told {
        let value = |value: &Value| match value {
            Value::Words(label) => self.label(*label),
            Value::Text(text) => text.clone(),
            Value::Window(Window { from, to }) => {
                let bound = |at: &Option<Timestamp>| at.map_or_else(|| "…".to_owned(), |at| self.when(at));
                format!("[{}, {})", bound(from), bound(to))
            }
            Value::Authority(cvr) => self.authority(*cvr).to_string(),
            Value::Code(code, 1) => code.clone(),
            Value::Code(code, many) => format!("{code} ×{many}"),
        };
        Told { key: fact.what.key, what: self.label(fact.what), values: fact.values.iter().map(value).collect() }
    }
}
