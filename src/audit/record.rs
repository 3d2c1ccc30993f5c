//! What is written about a call.
//!
//! No field can hold a person in the clear: identifiers are [`Sealed`], texts come from policy, agreement or code, and
//! whatever a caller supplies is held as a type (a UUID, a CVR number, an instant) that has no room for anything else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::seal::Sealed;
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

/// Which policy decided, so that yesterday's decision can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    /// The policy's id, such as `terminaladgang-6`.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
}

/// A stretch of time `[from, to)`; a bound that is absent is infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first instant in it.
    pub from: Option<Timestamp>,
    /// The first instant after it.
    pub to: Option<Timestamp>,
}

/// How many objects and fields, by the name of the rule that decided on them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Index objects.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, u64>,
    /// Fields within objects.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, u64>,
}

/// One call. Made when the call is opened, filled in as it goes, written once when it is admitted and once when it closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The call's id (UUID version 7), which every fault quotes.
    pub call: Uuid,
    /// When the call was opened.
    pub opened_at: Timestamp,
    /// The service, by its name in the gateway.
    pub service: String,
    /// The operation, once it is known to be one of the service's: never the caller's own text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// The client system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_system: Option<Uuid>,
    /// The client system's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Thumbprint>,
    /// The authority on whose behalf it called. A claim until `front_agreement` is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<Cvr>,
    /// The front agreement that admitted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front_agreement: Option<Uuid>,
    /// The back agreements: one for a municipality, several for UDK.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back_agreements: Vec<Uuid>,
    /// The policy that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRef>,
    /// The paragraph that gives access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// The purpose, from the agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Everybody whom the call names: the person asked about, and in a refused call whoever else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub persons: Vec<Sealed>,
    /// How many more a refused call named than are sealed.
    #[serde(default, skip_serializing_if = "is_none_left_out")]
    pub persons_left_out: u64,
    /// The window that stood in the call; the hull of all, where there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_asked: Option<Window>,
    /// The window that was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_applied: Option<Window>,
    /// Settings that are recorded decisions of the data controller, such as `person_check`, `outside` and `future`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// What was released.
    #[serde(default)]
    pub released: Counts,
    /// What was removed.
    #[serde(default)]
    pub removed: Counts,
    /// How it ended; absent in the record of admission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The caller's own TransactionUUID. Unsigned: kept, never trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_transaction: Option<Uuid>,
    /// The TransactionUUID that the gateway sends to the index: the index's log knows the call by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_transaction: Option<Uuid>,
    /// What each step took, in microseconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timings_us: BTreeMap<Cow<'static, str>, u64>,
    /// What the whole call took, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none_left_out(left_out: &u64) -> bool {
    *left_out == 0
}

impl Record {
    /// Whether one of the sealed persons has this pseudonym.
    pub fn names(&self, pseudonym: &str) -> bool {
        self.persons.iter().any(|person| person.pseudonym == pseudonym)
    }

    /// What a record of admission must say and this one does not: who, on what basis, about whom, for which time, and
    /// under which number of ours. A call without it is not admitted, however it came so far.
    pub fn missing_for_admission(&self) -> Option<&'static str> {
        [
            ("operation", self.operation.is_none()),
            ("binding", self.binding.is_none()),
            ("certificate", self.certificate.is_none()),
            ("authority", self.authority.is_none()),
            ("front_agreement", self.front_agreement.is_none()),
            ("back_agreements", self.back_agreements.is_empty()),
            ("policy", self.policy.is_none()),
            ("legal_basis", self.legal_basis.is_none()),
            ("purpose", self.purpose.is_none()),
            ("persons", self.persons.is_empty()),
            ("window_applied", self.window_applied.is_none()),
            ("own_transaction", self.own_transaction.is_none()),
        ]
        .into_iter()
        .find_map(|(field, missing)| missing.then_some(field))
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
            policy: None,
            legal_basis: None,
            purpose: None,
            persons: Vec::new(),
            persons_left_out: 0,
            window_asked: None,
            window_applied: None,
            settings: BTreeMap::new(),
            released: Counts::default(),
            removed: Counts::default(),
            outcome: None,
            refusal: None,
            caller_transaction: None,
            own_transaction: None,
            timings_us: BTreeMap::new(),
            duration_us: None,
        }
    }
}
