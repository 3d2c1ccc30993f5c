//! An agreement as the API shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::agreements::{Agreement, Standing};
use crate::decisions::approval::Approval;
use crate::decisions::shown;

/// A service agreement.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AgreementView {
    /// Its id.
    pub id: Uuid,
    /// `front`: a client system may call the service. `back`: the service may call what stands behind it.
    #[schema(max_length = 5)]
    pub side: &'static str,
    /// The client system; on the back the service itself, as what stands behind it knows it.
    pub system: Uuid,
    /// SHA-256 of the client system's certificates, in hexadecimal.
    #[schema(max_items = 16)]
    pub certificates: Vec<String>,
    /// The service.
    pub service: Uuid,
    /// The authority on whose behalf is called, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// Where it holds.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    pub environment: String,
    /// The first instant at which it holds.
    pub valid_from: Timestamp,
    /// The first instant at which it no longer holds; null if it has no end.
    pub valid_to: Option<Timestamp>,
    /// What was last decided: ANMODET, GODKENDT, AFVIST, TRUKKET, SUSPENDERET, OPSAGT or UDLØBET.
    #[schema(max_length = 11)]
    pub state: &'static str,
    /// Where it stands now, its period counted.
    #[schema(max_length = 11)]
    pub stands: &'static str,
    /// Whether it opens anything now.
    pub holds: bool,
    /// The paragraph that gives access.
    #[schema(max_length = 1000)]
    pub legal_basis: String,
    /// What the data may be used for.
    #[schema(max_length = 1000)]
    pub purpose: String,
    /// What it is narrowed to, in the service's words.
    pub scope: BTreeMap<String, serde_json::Value>,
    /// Who made the last decision, by name.
    #[schema(max_length = 1000)]
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// From when on it no longer holds, where it is OPSAGT with effect from later on.
    pub ends_at: Option<Timestamp>,
    /// The request that it is a line of; null where it was asked for by itself.
    pub request: Option<Uuid>,
    /// What the request is called.
    #[schema(max_length = 1000)]
    pub name: Option<String>,
    /// The type of the request.
    #[schema(max_length = 40)]
    pub kind: Option<&'static str>,
    /// Why it was asked for, written for those who approve.
    #[schema(max_length = 1000)]
    pub justification: Option<String>,
    /// The reference of the data-processing agreement.
    #[schema(max_length = 1000)]
    pub contract: Option<String>,
    /// The categories of data.
    #[schema(max_items = 50)]
    pub categories: Vec<String>,
    /// For how long the data are kept.
    #[schema(max_length = 1000)]
    pub retention: Option<String>,
    /// SHA-256 of the policy or the WSDL that the service applied when it was asked for.
    #[schema(max_length = 64)]
    pub basis: Option<String>,
    /// The agreement whose new version it is; that one holds until this is approved and begins.
    pub replaces: Option<Uuid>,
    /// Of one that waits to take the place of another, read by itself: what it says otherwise than that one, and what its policy or
    /// contract lets pass beyond that one's, a line each. Left out where there is nothing of the kind, and in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 100000)]
    pub differs: Vec<String>,
    /// Of one that waits for its answer while notice is given on what it depends on, read by itself: the end that it has from the first if it is
    /// approved, and what ends and is closed with it, a line each; they stand in `text` too. Left out where it has no end but its own, and in
    /// lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 100000)]
    pub ends_with: Vec<String>,
    /// The text that is to be shown to whoever decides.
    #[schema(max_length = 400000)]
    pub text: String,
    /// SHA-256 of the text, in hexadecimal: what a decision sends as `shown`.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub text_sha256: String,
    /// The agreement's ETag, as it stands in the header field of that name: what a decision sends in `If-Match`.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl AgreementView {
    /// With what its approval would decide besides, as it is shown and sent back.
    pub(super) fn shown_with(self, approval: &Approval) -> Self {
        let text = approval.text();
        Self { ends_with: approval.lines(), text_sha256: shown::sha256(&text), text, ..self }
    }

    pub(super) fn of(agreement: &Agreement, now: Timestamp) -> Self {
        let (standing, text) = (agreement.standing(now), shown::text(agreement));
        Self {
            id: agreement.id,
            side: agreement.side.name(),
            system: agreement.system,
            certificates: agreement.certificates.iter().map(ToString::to_string).collect(),
            service: agreement.service,
            authority: agreement.authority.to_string(),
            environment: agreement.environment.as_str().to_owned(),
            valid_from: agreement.valid_from,
            valid_to: agreement.valid_to,
            state: agreement.state.wire_name(),
            stands: standing.state().wire_name(),
            holds: standing == Standing::Holds,
            legal_basis: agreement.legal_basis.clone(),
            purpose: agreement.purpose.clone(),
            scope: agreement
                .scope
                .names()
                .filter_map(|name| Some((name.to_owned(), agreement.scope.get(name)?.clone())))
                .collect(),
            decided_by: agreement.decided_by.clone(),
            decided_at: agreement.decided_at,
            reason: agreement.reason.clone(),
            ends_at: agreement.ends_at,
            request: agreement.terms.as_ref().map(|terms| terms.request),
            name: agreement.terms.as_ref().map(|terms| terms.name.clone()),
            kind: agreement.terms.as_ref().map(|terms| terms.kind.name()),
            justification: agreement.terms.as_ref().map(|terms| terms.justification.clone()),
            contract: agreement.terms.as_ref().map(|terms| terms.contract.clone()),
            categories: agreement.terms.as_ref().map(|terms| terms.categories.clone()).unwrap_or_default(),
            retention: agreement.terms.as_ref().map(|terms| terms.retention.clone()),
            basis: agreement.terms.as_ref().and_then(|terms| terms.basis.clone()),
            replaces: agreement.terms.as_ref().and_then(|terms| terms.replaces),
            differs: Vec::new(),
            ends_with: Vec::new(),
            text_sha256: shown::sha256(&text),
            text,
            etag: shown::etag(agreement),
        }
    }
}
