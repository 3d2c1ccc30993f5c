//! What is written about a call.
//!
//! No field can hold a person in the clear: identifiers are [`Sealed`], texts come from configuration, agreement or code, and
//! whatever a caller supplies is held as a type (a UUID, a CVR number, an instant) that has no room for anything else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::about::About;
use super::seal::Sealed;
use super::wire::Flat;
use crate::agreements::Thumbprint;
use crate::id::cvr::Cvr;

/// How the caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// A SAML token and a signed message (OIO IDWS).
    Token,
    /// A client certificate and an AuthorityContext.
    AuthorityContext,
}

impl Binding {
    /// The name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Binding::Token => "token",
            Binding::AuthorityContext => "authority_context",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer was released.
    Served,
    /// The gateway said no; see the record's `refusal`.
    Refused,
    /// The caller hung up, or the call was dropped, before it had an outcome.
    Abandoned,
}

impl Outcome {
    /// The name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Served => "served",
            Outcome::Refused => "refused",
            Outcome::Abandoned => "abandoned",
        }
    }
}

/// One call. Made when the call is opened, filled in as it goes, written once when it is admitted and once when it closes.
///
/// In JSON it is one flat object, without the fields that have no value; see `docs/audit.md`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Flat<'static>")]
#[allow(missing_docs)] // the names say it
pub struct Record {
    /// The call's id (UUID version 7), which every fault quotes.
    pub call: Uuid,
    /// When the call was opened.
    pub opened_at: Timestamp,
    /// The service, by its name in the gateway.
    pub service: String,
    /// The operation, once it is known to be one of the service's: never the caller's own text.
    pub operation: Option<String>,
    pub binding: Option<Binding>,
    pub client_system: Option<Uuid>,
    /// The client system's certificate; of a file, the SHA-256 of the SSH key.
    pub certificate: Option<Thumbprint>,
    /// The authority on whose behalf it called. A claim until `front_agreement` is there.
    pub authority: Option<Cvr>,
    /// The front agreement that admitted it.
    pub front_agreement: Option<Uuid>,
    /// The back agreements by which it goes on.
    pub back_agreements: Vec<Uuid>,
    /// The paragraph that gives access.
    pub legal_basis: Option<String>,
    /// The purpose, from the agreement.
    pub purpose: Option<String>,
    /// Everybody whom the call names.
    pub persons: Vec<Sealed>,
    /// How many more it named than are sealed.
    pub persons_left_out: u64,
    /// The caller's own TransactionUUID. Unsigned: kept, never trusted.
    pub caller_transaction: Option<Uuid>,
    /// The TransactionUUID that the gateway sends on: the peer's log knows the call by it.
    pub own_transaction: Option<Uuid>,
    /// How it ended; absent in the record of admission.
    pub outcome: Option<Outcome>,
    /// The code of the refusal.
    pub refusal: Option<String>,
    /// What each step took, in microseconds.
    pub timings_us: BTreeMap<Cow<'static, str>, u64>,
    /// What the whole call took, in microseconds.
    pub duration_us: Option<u64>,
    /// What the service adds.
    pub about: About,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Flat::from(self).serialize(serializer)
    }
}

impl Record {
    /// Whether one of the sealed persons has this pseudonym.
    pub fn names(&self, pseudonym: &str) -> bool {
        self.persons.iter().any(|person| person.pseudonym == pseudonym)
    }

    /// What a record of admission must say and this one does not: who, on what basis, under which number of ours, and what
    /// the service demands. A call without it is not admitted, however it came so far.
    pub fn missing_for_admission(&self) -> Option<&'static str> {
        let goes_on = self.about.goes_on();
        [
            ("operation", self.operation.is_none()),
            ("binding", self.about.has_binding() && self.binding.is_none()),
            ("certificate", self.certificate.is_none()),
            ("authority", self.authority.is_none()),
            ("front_agreement", self.front_agreement.is_none()),
            ("back_agreements", goes_on && self.back_agreements.is_empty()),
            ("legal_basis", self.legal_basis.is_none()),
            ("purpose", self.purpose.is_none()),
            ("own_transaction", goes_on && self.own_transaction.is_none()),
        ]
        .into_iter()
        .find_map(|(field, missing)| missing.then_some(field))
        .or_else(|| self.about.missing_for_admission(&self.persons))
    }

    /// The record of a call of which nothing is known yet but where it came in.
    pub fn new(call: Uuid, opened_at: Timestamp, service: &str) -> Self {
        Self {
            call,
            opened_at,
            service: service.to_owned(),
            operation: None,
            binding: None,
            client_system: None,
            certificate: None,
            authority: None,
            front_agreement: None,
            back_agreements: Vec::new(),
            legal_basis: None,
            purpose: None,
            persons: Vec::new(),
            persons_left_out: 0,
            outcome: None,
            refusal: None,
            caller_transaction: None,
            own_transaction: None,
            timings_us: BTreeMap::new(),
            duration_us: None,
            about: About::Nothing,
        }
    }
}
