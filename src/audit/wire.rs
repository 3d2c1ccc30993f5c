//! A record as it stands in the log: one flat object, whose names and order auditors' programs rely on.
//!
//! Which service's it is follows from its fields. A record that mixes two services' is not read: nobody wrote it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::about::{About, AboutPassThrough, AboutTerminalAdgang, Counts, PolicyRef, Window};
use super::record::{Binding, Outcome, Record};
use super::seal::{DeliveryMark, Sealed};
use crate::agreements::Thumbprint;
use crate::id::cvr::Cvr;

/// Borrows a record to write it; owns what was read.
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
    /// TerminalAdgang.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Cow<'r, PolicyRef>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_basis: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<Cow<'r, str>>,
    #[serde(default, skip_serializing_if = "<[Sealed]>::is_empty")]
    persons: Cow<'r, [Sealed]>,
    #[serde(default, skip_serializing_if = "is_zero")]
    persons_left_out: u64,
    /// TerminalAdgang, as the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_asked: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_applied: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Cow<'r, BTreeMap<String, String>>>,
    /// TerminalAdgang; there and empty, as the next, where nothing of the service is known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<Cow<'r, Counts>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Cow<'r, Counts>>,
    /// Pass-through services, as the next three.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver: Option<Cvr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Cow<'r, DeliveryMark>>,
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
        let flat = Self {
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
            window_asked: None,
            window_applied: None,
            settings: None,
            released: None,
            removed: None,
            schema: None,
            receiver: None,
            route: None,
            delivery: None,
            outcome: record.outcome,
            refusal: record.refusal.as_deref().map(Cow::Borrowed),
            caller_transaction: record.caller_transaction,
            own_transaction: record.own_transaction,
            timings_us: Cow::Borrowed(&record.timings_us),
            duration_us: record.duration_us,
        };
        match &record.about {
            About::Nothing => {
                Self { released: Some(Cow::Owned(Counts::default())), removed: Some(Cow::Owned(Counts::default())), ..flat }
            }
            About::TerminalAdgang(about) => Self {
                policy: Some(Cow::Borrowed(&about.policy)),
                window_asked: about.window_asked,
                window_applied: about.window_applied,
                settings: (!about.settings.is_empty()).then_some(Cow::Borrowed(&about.settings)),
                released: Some(Cow::Borrowed(&about.released)),
                removed: Some(Cow::Borrowed(&about.removed)),
                ..flat
            },
            About::PassThrough(about) => Self {
                schema: Some(Cow::Borrowed(&about.schema)),
                receiver: about.receiver,
                route: about.route,
                delivery: about.delivery.as_ref().map(Cow::Borrowed),
                ..flat
            },
        }
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
        let about = about(&flat)?;
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

/// The service's part.
fn about(flat: &Flat<'_>) -> Result<About, NotARecord> {
    let counts = [&flat.released, &flat.removed];
    let counted = counts.into_iter().flatten().any(|counts| !counts.is_empty());
    let windows = flat.window_asked.is_some() || flat.window_applied.is_some();
    let terminaladgang = flat.policy.is_some() || windows || flat.settings.is_some() || counted;
    let passthrough = flat.schema.is_some() || flat.receiver.is_some() || flat.route.is_some() || flat.delivery.is_some();
    match (terminaladgang, passthrough) {
        (false, false) => Ok(About::Nothing),
        (true, false) => {
            let policy = flat.policy.as_deref().cloned().ok_or(NotARecord::Without("policy"))?;
            let settings = flat.settings.as_deref().cloned().unwrap_or_default();
            let mut about = AboutTerminalAdgang::new(policy, settings);
            (about.window_asked, about.window_applied) = (flat.window_asked, flat.window_applied);
            about.released = flat.released.as_deref().cloned().unwrap_or_default();
            about.removed = flat.removed.as_deref().cloned().unwrap_or_default();
            Ok(about.into())
        }
        (false, true) if counts.into_iter().all(Option::is_none) => {
            let mut about = AboutPassThrough::new(flat.schema.as_deref().ok_or(NotARecord::Without("schema"))?.to_owned());
            (about.receiver, about.route) = (flat.receiver, flat.route);
            about.delivery = flat.delivery.as_deref().cloned();
            Ok(about.into())
        }
        (_, true) => Err(NotARecord::Mixed),
    }
}
