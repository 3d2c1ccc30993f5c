//! The file by which authorities and agreements are brought in.
//!
//! TOML, with `[[authority]]` and `[[agreement]]` tables. Unknown keys are refused, for a misspelt `valid_to` would be an
//! agreement without an end; every problem is reported at once, each with its line and its remedy.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;
use uuid::Uuid;

use super::fields::{self, Fields, Problem, Reader};
use super::model::{Agreement, Authority, Environment, Role, Side, State, Thumbprint};
use super::scope::Scope;
use crate::id::cvr::Cvr;

/// What the services know of what an agreement says in their words. They hand it in.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The roles that an authority may have.
    pub roles: Vec<&'static str>,
    /// What an agreement may be narrowed by.
    pub scope: Vec<&'static ScopeKey>,
    /// Where the services are known: the keys of those that may narrow the agreements of each, by its UUID.
    pub narrowed_by: BTreeMap<Uuid, Vec<&'static str>>,
}

/// One thing that an agreement may be narrowed by: in the file, a key of the agreement with a list of texts.
#[derive(Debug)]
pub struct ScopeKey {
    /// The key.
    pub name: &'static str,
    /// What each text is, as a problem says it.
    pub what: &'static str,
    /// Whether a text is that.
    pub fits: fn(&str) -> bool,
}

/// The keys of an agreement that are not of a service.
const KEYS: [&str; 15] = [
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
    "decided_by",
    "decided_at",
    "reason",
];

/// What a file holds, once it has been found in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Import {
    /// The authorities, in the file's order.
    pub authorities: Vec<Authority>,
    /// The agreements, in the file's order.
    pub agreements: Vec<Agreement>,
}

impl Import {
    /// Reads a file's text, in which the services' words are those of `vocabulary`.
    ///
    /// # Errors
    /// Every problem found, in the file's order.
    pub fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Self, Vec<Problem>> {
        fields::read(text, |reader, document| reader.import(document, vocabulary))
    }
}

impl Reader<'_> {
    fn import(&mut self, document: &DeTable<'_>, words: &Vocabulary) -> Import {
        let mut import = Import::default();
        self.tables(document, &["authority", "agreement"], |reader, name, at, table| match name {
            "authority" => import.authorities.extend(reader.authority(at, table, words)),
            _ => import.agreements.extend(reader.agreement(at, table, words)),
        });
        self.twice(document, "authority", import.authorities.iter().map(|a| a.cvr.to_string()));
        self.twice(document, "agreement", import.agreements.iter().map(|a| a.id.to_string()));
        import
    }

    fn authority(&mut self, at: Range<usize>, table: &DeTable<'_>, words: &Vocabulary) -> Option<Authority> {
        let mut fields = Fields::new(self, at, table, &["cvr", "name", "role"]);
        let cvr = fields.parsed::<Cvr>("cvr", "eight digits, in quotes");
        let name = fields.text("name");
        let roles: Vec<_> = words.roles.iter().map(|role| (*role, *role)).collect();
        let role = fields.one_of("role", &roles).and_then(|role| role.parse::<Role>().ok());
        Some(Authority { cvr: cvr?, name: name?, role: role? })
    }

    fn agreement(&mut self, at: Range<usize>, table: &DeTable<'_>, words: &Vocabulary) -> Option<Agreement> {
        let known: Vec<_> = KEYS.into_iter().chain(words.scope.iter().map(|key| key.name)).collect();
        let mut fields = Fields::new(self, at.clone(), table, &known);
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
        let scope = fields.scope(words, service);
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
            scope: scope?,
            decided_by: decided_by?,
            decided_at: decided_at?,
            reason: reason?,
            terms: None,
            ends_at: None,
            asked: None,
            basis: None,
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

impl Fields<'_, '_, '_> {
    /// What the agreement is narrowed to. An empty list narrows nothing, as one that is left out.
    fn scope(&mut self, words: &Vocabulary, service: Option<Uuid>) -> Option<Scope> {
        let own = service.and_then(|service| words.narrowed_by.get(&service));
        let mut entries = Some(Vec::new());
        for key in &words.scope {
            match (self.list(key.name, key.what, |text| (key.fits)(text).then(|| text.to_owned())), &mut entries) {
                (Some(texts), _) if !texts.is_empty() && own.is_some_and(|own| !own.contains(&key.name)) => {
                    self.problem_at(key.name, "narrows nothing of this service, which would refuse the calls; remove it");
                    entries = None;
                }
                (Some(texts), Some(entries)) if !texts.is_empty() => entries.push((key.name.to_owned(), texts.into())),
                (Some(_), _) => {}
                (None, _) => entries = None,
            }
        }
        match Scope::of(entries?) {
            Ok(scope) => Some(scope),
            Err(error) => {
                self.problem(error.to_string());
                None
            }
        }
    }
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
