//! The request for agreements: one header (what is asked for, why, on what terms), and a line for each authority and service. A
//! draft is its maker's alone and may be unfinished; when it is requested each line becomes an agreement with a state of its own.

pub mod store;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::import::Vocabulary;
use super::model::{Agreement, Environment, ModelError, Side, State, Thumbprint};
use super::rules::Rules;
use super::scope::Scope;
use super::terms::{Kind, Terms};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::store::value::to_microsecond;

/// The most lines of one request.
pub const MOST_LINES: usize = 1000;

/// Where a request stands. Its lines have states of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// KLADDE: being written; nobody is asked yet.
    Draft,
    /// ANMODET: its lines are asked for.
    Requested,
    /// TRUKKET: taken back before anybody was asked, or with every line that was not answered.
    Withdrawn,
}

impl Standing {
    /// The Danish name, as the store and screens spell it.
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Draft => "KLADDE",
            Self::Requested => "ANMODET",
            Self::Withdrawn => "TRUKKET",
        }
    }
}

impl FromStr for Standing {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        [Self::Draft, Self::Requested, Self::Withdrawn]
            .into_iter()
            .find(|standing| standing.wire_name() == text)
            .ok_or(ModelError("a request is KLADDE, ANMODET or TRUKKET"))
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wire_name())
    }
}

/// A service that is asked for, and what the agreement about it is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Part {
    pub service: Uuid,
    /// Front or back.
    pub side: Side,
    /// What it is narrowed to: each of the service's words with its values.
    #[serde(default)]
    pub scope: BTreeMap<String, Vec<String>>,
}

/// What a request says: the form. What is left out of a draft is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // the names say it
pub struct Content {
    /// The type.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// Why it is asked for, written for those who approve.
    pub justification: String,
    /// Where it is to hold.
    pub environment: Option<Environment>,
    /// The first instant; none: as soon as it is requested.
    pub valid_from: Option<Timestamp>,
    /// The first instant at which it no longer holds; none: no end.
    pub valid_to: Option<Timestamp>,
    /// The client system.
    pub system: Option<Uuid>,
    pub certificates: Vec<Thumbprint>,
    pub authorities: Vec<Cvr>,
    pub services: Vec<Part>,
    /// The reference of the data-processing agreement.
    pub contract: String,
    /// What the data may be used for.
    pub purpose: String,
    /// The paragraph that gives access.
    pub legal_basis: String,
    /// The categories of data.
    pub categories: Vec<String>,
    /// For how long the data are kept.
    pub retention: String,
    /// The requests without whose agreements it makes no sense.
    pub depends_on: Vec<Uuid>,
    /// The request whose new version it is.
    pub replaces: Option<Uuid>,
}

/// A field of a request that cannot be requested as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Wrong {
    pub field: &'static str,
    /// What is wrong with it.
    pub what: Detail,
}

impl Content {
    /// Whether it asks for one of these services, or for none yet. Empty: all.
    pub fn asks_any_of(&self, services: &[Uuid]) -> bool {
        let none = services.is_empty() || self.services.is_empty();
        none || self.services.iter().any(|part| services.contains(&part.service))
    }

    /// Whether it asks for these services alone. Empty: all.
    pub fn asks_only_for(&self, services: &[Uuid]) -> bool {
        services.is_empty() || self.services.iter().all(|part| services.contains(&part.service))
    }

    /// What is missing or wrong, all of it: it can be requested where that is nothing.
    pub fn wrong(&self, vocabulary: &Vocabulary) -> Vec<Wrong> {
        let mut found = self.wrong_texts();
        let mut is_wrong = |field, da: &str, en: &str| found.push(Wrong { field, what: Detail::new(da, en) });
        if self.environment.is_none() {
            is_wrong("environment", "det mangler", "it is missing");
        }
        if self.system.is_none() {
            is_wrong("system", "det mangler", "it is missing");
        }
        if self.authorities.is_empty() {
            is_wrong("authorities", "der er ingen", "there are none");
        }
        if self.services.is_empty() {
            is_wrong("services", "der er ingen", "there are none");
        }
        if self.authorities.len().saturating_mul(self.services.len()) > MOST_LINES {
            is_wrong("authorities", "det bliver til mere end 1000 aftaler", "it makes more than 1000 agreements");
        }
        let mut parts: Vec<_> = self.services.iter().map(|part| (part.service, part.side.name())).collect();
        parts.sort_unstable();
        parts.dedup();
        if parts.len() < self.services.len() {
            is_wrong("services", "en service står to gange", "a service stands twice");
        }
        if self.services.iter().any(|part| part.side == Side::Front) && self.certificates.is_empty() {
            is_wrong("certificates", "en aftale på front har mindst ét", "an agreement on the front has at least one");
        }
        if let (Some(from), Some(to)) = (self.valid_from, self.valid_to)
            && to <= from
        {
            is_wrong("valid_to", "det er ikke efter valid_from", "it is not after valid_from");
        }
        if self.services.iter().any(|part| vocabulary.scope_of(part.service, &part.scope).is_err()) {
            is_wrong(
                "services",
                "en afgrænsning er ikke en, som servicen kender",
                "a narrowing is not one that the service knows",
            );
        }
        found
    }

    /// What is missing or wrong of what is written for those who approve: whatever the door, it is the same.
    pub fn wrong_texts(&self) -> Vec<Wrong> {
        let mut found = Vec::new();
        let mut is_wrong = |field, da: &str, en: &str| found.push(Wrong { field, what: Detail::new(da, en) });
        let texts = [
            ("name", &self.name),
            ("justification", &self.justification),
            ("contract", &self.contract),
            ("purpose", &self.purpose),
            ("legal_basis", &self.legal_basis),
            ("retention", &self.retention),
        ];
        for (field, text) in texts {
            if text.is_empty() {
                is_wrong(field, "det mangler", "it is missing");
            } else if names_a_person(text) {
                is_wrong(field, "det indeholder noget, der ligner et CPR-nummer", "it holds what looks like a CPR number");
            }
        }
        if self.categories.is_empty() {
            is_wrong("categories", "der er ingen", "there are none");
        } else if self.categories.iter().any(|category| names_a_person(category)) {
            is_wrong("categories", "en indeholder noget, der ligner et CPR-nummer", "one holds what looks like a CPR number");
        }
        found
    }

    /// The request that an agreement is the only line of, where it was asked for by itself; none where it says nothing of a request.
    pub fn of_one(agreement: &Agreement) -> Option<Self> {
        let terms = agreement.terms.as_ref()?;
        let texts = |value: &serde_json::Value| {
            value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let scope = agreement.scope.names().filter_map(|name| Some((name.to_owned(), texts(agreement.scope.get(name)?))));
        Some(Self {
            kind: terms.kind,
            name: terms.name.clone(),
            justification: terms.justification.clone(),
            environment: Some(agreement.environment.clone()),
            valid_from: Some(agreement.valid_from),
            valid_to: agreement.valid_to,
            system: Some(agreement.system),
            certificates: agreement.certificates.clone(),
            authorities: vec![agreement.authority],
            services: vec![Part { service: agreement.service, side: agreement.side, scope: scope.collect() }],
            contract: terms.contract.clone(),
            purpose: agreement.purpose.clone(),
            legal_basis: agreement.legal_basis.clone(),
            categories: terms.categories.clone(),
            retention: terms.retention.clone(),
            depends_on: terms.depends_on.clone(),
            replaces: None,
        })
    }

    /// Its lines, one for each authority and service, as agreements that are ANMODET. `replaced`: what is open or waits of the request's
    /// earlier versions, that which is to be replaced before others.
    ///
    /// # Errors
    /// [`Content::wrong`].
    pub fn lines(
        &self,
        request: Uuid,
        replaced: &[Agreement],
        rules: &Rules,
        vocabulary: &Vocabulary,
        at: Timestamp,
    ) -> Result<Vec<Agreement>, Vec<Wrong>> {
        let wrong = self.wrong(vocabulary);
        let (Some(environment), Some(system), true) = (&self.environment, self.system, wrong.is_empty()) else {
            return Err(wrong);
        };
        let mut lines = Vec::new();
        for part in &self.services {
            let scope = vocabulary.scope_of(part.service, &part.scope).map_err(|wrong| vec![wrong])?;
            let basis = rules.of(part.service).basis;
            for authority in &self.authorities {
                let mut line = Agreement {
                    id: Uuid::now_v7(),
                    side: part.side,
                    system,
                    certificates: if part.side == Side::Front { self.certificates.clone() } else { Vec::new() },
                    service: part.service,
                    authority: *authority,
                    environment: environment.clone(),
                    valid_from: to_microsecond(self.valid_from.unwrap_or(at)),
                    valid_to: self.valid_to.map(to_microsecond),
                    state: State::Requested,
                    legal_basis: self.legal_basis.clone(),
                    purpose: self.purpose.clone(),
                    scope: scope.clone(),
                    decided_by: None,
                    decided_at: None,
                    reason: None,
                    terms: None,
                    ends_at: None,
                    asked: None,
                    basis: basis.clone(),
                };
                let counts = |held: &Agreement| held.is_open(at) || held.state == State::Requested;
                let open = |held: &&Agreement| held.same_parties(&line) && counts(held);
                line.terms = Some(Arc::new(Terms {
                    request,
                    kind: self.kind,
                    name: self.name.clone(),
                    justification: self.justification.clone(),
                    contract: self.contract.clone(),
                    categories: self.categories.clone(),
                    retention: self.retention.clone(),
                    basis: basis.clone(),
                    replaces: replaced.iter().find(open).map(|held| held.id),
                    depends_on: self.depends_on.clone(),
                }));
                lines.push(line);
            }
        }
        Ok(lines)
    }
}

/// Whether a text holds ten digits that could be a CPR number, with or without the hyphen after six. Texts of agreements are
/// mailed and shown to many.
pub fn names_a_person(text: &str) -> bool {
    let bytes = text.as_bytes();
    (0..bytes.len()).any(|at| {
        let starts = at == 0 || !bytes.get(at - 1).is_some_and(u8::is_ascii_digit);
        let mut digits = String::new();
        for (place, byte) in bytes.get(at..).unwrap_or_default().iter().enumerate() {
            match byte {
                b'0'..=b'9' => digits.push(char::from(*byte)),
                b'-' | b' ' if place == 6 => {}
                _ => break,
            }
            if digits.len() > 10 {
                break;
            }
        }
        starts && digits.len() == 10 && crate::id::cpr::Cpr::parse(&digits).is_some()
    })
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its identity.
    pub id: Uuid,
    /// Where it stands.
    pub state: Standing,
    /// How often it was written: each change counts one.
    pub edition: i64,
    /// The authority or company for which it is made; none for the gateway's operators.
    pub party: Option<Cvr>,
    /// The user who began it.
    pub made_by: Uuid,
    /// What it says.
    pub content: Content,
    /// When it was begun.
    pub made_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

impl Request {
    /// What whoever requests it is shown: all that it says, a line each.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn fmt::Display| {
            let _ = writeln!(text, "{name}: {value}");
        };
        let content = &self.content;
        line("anmodning", &self.id);
        line("udgave", &self.edition);
        line("type", &content.kind.danish());
        line("navn", &content.name);
        line("begrundelse", &content.justification);
        line("miljø", &content.environment.as_ref().map_or("", Environment::as_str));
        line("gælder fra", &content.valid_from.map_or("straks".to_owned(), |from| from.to_string()));
        line("gælder til (ikke med)", &content.valid_to.map_or("uden slutdato".to_owned(), |to| to.to_string()));
        line("system", &content.system.map_or(String::new(), |system| system.to_string()));
        content.certificates.iter().for_each(|certificate| line("certifikat (SHA-256)", certificate));
        content.authorities.iter().for_each(|authority| line("myndighed (CVR)", authority));
        for part in &content.services {
            line("service", &format!("{} ({})", part.service, part.side.name()));
            part.scope.iter().for_each(|(name, values)| line(&format!("afgrænset, {name}"), &values.join(", ")));
        }
        line("databehandleraftale", &content.contract);
        line("formål", &content.purpose);
        line("hjemmel", &content.legal_basis);
        line("datakategorier", &content.categories.join("; "));
        line("opbevaring", &content.retention);
        content.depends_on.iter().for_each(|request| line("afhænger af anmodning", request));
        if let Some(replaces) = content.replaces {
            line("ny udgave af anmodning", &replaces);
        }
        text
    }
}

impl Vocabulary {
    /// What an agreement of a service is narrowed to, in the service's words. An empty list narrows nothing.
    ///
    /// # Errors
    /// A word or a value that the service does not have.
    pub fn scope_of(&self, service: Uuid, asked: &BTreeMap<String, Vec<String>>) -> Result<Scope, Wrong> {
        let wrong = |da: String, en: String| Wrong { field: "services", what: Detail::new(da, en) };
        let own = self.narrowed_by.get(&service);
        let mut entries = Vec::new();
        for (name, texts) in asked {
            let key = self.scope.iter().find(|key| key.name == name && own.is_none_or(|own| own.contains(&key.name)));
            let Some(key) = key else {
                return Err(wrong("servicen afgrænses ikke sådan".to_owned(), "the service does not narrow by it".to_owned()));
            };
            if !texts.iter().all(|text| (key.fits)(text)) {
                return Err(wrong(
                    format!("en værdi af {} kendes ikke", key.name),
                    format!("a value of {} is not {}", key.name, key.what),
                ));
            }
            let mut texts = texts.clone();
            texts.sort();
            texts.dedup();
            if !texts.is_empty() {
                entries.push((name.clone(), texts.into()));
            }
        }
        Scope::of(entries)
            .map_err(|_| wrong("afgrænsningen er for lang".to_owned(), "the narrowing is longer than 256 KiB".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_a_cpr_number_is_seen_however_it_is_spelt_and_other_numbers_are_not() {
        for text in ["sag 6102031234", "610203-1234", "se 610203 1234.", "(9112990000)"] {
            assert!(names_a_person(text), "{text}");
        }
        for text in ["CVR 11111111", "sag 2026-11-29", "12345678901", "4567890123", "", "61020312345", "journal 2026/123456"] {
            assert!(!names_a_person(text), "{text}");
        }
    }
}
