//! A record as it stands in the log: one flat object, whose names and order auditors' programs rely on.
//!
//! Which service's it is follows from its fields ([`About::read`]). A record that mixes two services' is not read: the gateway
//! did not write it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::about::{About, AboutFile, AboutPersons, AskedFor, Counts, FinanceFigures, PolicyRef, Window};
use super::record::{Binding, Outcome, Record};
use super::seal::{DeliveryMark, Sealed};
use crate::agreements::Thumbprint;
use crate::id::cvr::Cvr;

/// Borrows a record to write it; owns what was read. Fields that other files of the audit see are of one service each.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flat<'r> {
    call: Uuid,
    opened_at: Timestamp,
    service: Cow<'r, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<Binding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_system: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Thumbprint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<Cvr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    front_agreement: Option<Uuid>,
    #[serde(default, skip_serializing_if = "<[Uuid]>::is_empty")]
    back_agreements: Cow<'r, [Uuid]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<Cow<'r, PolicyRef>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_basis: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<Cow<'r, str>>,
    #[serde(default, skip_serializing_if = "<[Sealed]>::is_empty")]
    persons: Cow<'r, [Sealed]>,
    #[serde(default, skip_serializing_if = "is_zero")]
    persons_left_out: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) asked: Option<Cow<'r, AskedFor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) window_asked: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) window_applied: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) settings: Option<Cow<'r, BTreeMap<String, String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) released: Option<Cow<'r, Counts>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) removed: Option<Cow<'r, Counts>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receiver: Option<Cvr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) route: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivery: Option<Cow<'r, DeliveryMark>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repeated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finance: Option<Cow<'r, FinanceFigures>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<Cow<'r, AboutFile>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) import: Option<Cow<'r, AboutPersons>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_transaction: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    own_transaction: Option<Uuid>,
    #[serde(default, skip_serializing_if = "no_timings")]
    timings_us: Cow<'r, BTreeMap<Cow<'static, str>, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(left_out: &u64) -> bool {
    *left_out == 0
}

fn no_timings(timings: &BTreeMap<Cow<'static, str>, u64>) -> bool {
    timings.is_empty()
}

impl<'r> From<&'r Record> for Flat<'r> {
    fn from(record: &'r Record) -> Self {
        let mut flat = Self {
            call: record.call,
            opened_at: record.opened_at,
            service: Cow::Borrowed(&record.service),
            operation: record.operation.as_deref().map(Cow::Borrowed),
            binding: record.binding,
            client_system: record.client_system,
            certificate: record.certificate,
            authority: record.authority,
            front_agreement: record.front_agreement,
            back_agreements: Cow::Borrowed(&record.back_agreements),
            policy: None,
            legal_basis: record.legal_basis.as_deref().map(Cow::Borrowed),
            purpose: record.purpose.as_deref().map(Cow::Borrowed),
            persons: Cow::Borrowed(&record.persons),
            persons_left_out: record.persons_left_out,
            asked: None,
            window_asked: None,
            window_applied: None,
            settings: None,
            released: None,
            removed: None,
            schema: None,
            receiver: None,
            route: None,
            delivery: None,
            repeated: None,
            finance: None,
            file: None,
            import: None,
            outcome: record.outcome,
            refusal: record.refusal.as_deref().map(Cow::Borrowed),
            caller_transaction: record.caller_transaction,
            own_transaction: record.own_transaction,
            timings_us: Cow::Borrowed(&record.timings_us),
            duration_us: record.duration_us,
        };
        record.about.write(&mut flat);
        flat
    }
}

/// Why an object of known fields is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotARecord {
    /// It mixes services.
    #[error("a record with fields of two services")]
    Mixed,
    /// A field is missing without which the service would not have written the others.
    #[error("a record with fields of a service, but without `{0}`")]
    Without(&'static str),
}

impl TryFrom<Flat<'_>> for Record {
    type Error = NotARecord;

    fn try_from(flat: Flat<'_>) -> Result<Self, NotARecord> {
        let about = About::read(&flat)?;
        Ok(Self {
            call: flat.call,
            opened_at: flat.opened_at,
            service: flat.service.into_owned(),
            operation: flat.operation.map(Cow::into_owned),
            binding: flat.binding,
            client_system: flat.client_system,
            certificate: flat.certificate,
            authority: flat.authority,
            front_agreement: flat.front_agreement,
            back_agreements: flat.back_agreements.into_owned(),
            legal_basis: flat.legal_basis.map(Cow::into_owned),
            purpose: flat.purpose.map(Cow::into_owned),
            persons: flat.persons.into_owned(),
            persons_left_out: flat.persons_left_out,
            caller_transaction: flat.caller_transaction,
            own_transaction: flat.own_transaction,
            outcome: flat.outcome,
            refusal: flat.refusal.map(Cow::into_owned),
            timings_us: flat.timings_us.into_owned(),
            duration_us: flat.duration_us,
            about,
        })
    }
}
