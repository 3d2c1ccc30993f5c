//! Requests for agreements, one or many at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AgreementView;
use super::filter::{SideName, side_of};
use crate::agreements::import::Import;
use crate::agreements::store::Imported;
use crate::agreements::terms::{Kind, Terms};
use crate::agreements::{Agreement, Environment, Scope, Side, State as Stands, Thumbprint};
use crate::api::extract::{Caller, Json};
use crate::api::files::{ImportDone, one_reason, requested};
use crate::api::idempotency::{Answer, digest, once};
use crate::api::input::{instant, line, list as items, maybe_uuid, named_once, parsed, uuid, wrong};
use crate::api::problem::{WriteProblems, of_decision, of_store};
use crate::api::{Api, table};
use crate::decisions::agreement as decisions;
use crate::decisions::{Because, By, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::services;
use crate::store::value::to_microsecond;
use crate::users::keys::Key;
use crate::users::rights::Action;

/// What is asked for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementRequest {
    /// Its id, where the client chooses it; otherwise one is made.
    #[serde(default, deserialize_with = "maybe_uuid")]
    pub id: Option<Uuid>,
    /// `front` or `back`.
    #[schema(value_type = SideName)]
    pub side: String,
    /// The client system.
    #[serde(deserialize_with = "uuid")]
    pub system: Uuid,
    /// SHA-256 of the client system's certificates, in hexadecimal. On the front at least one.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub certificates: Vec<String>,
    /// The service.
    #[serde(deserialize_with = "uuid")]
    pub service: Uuid,
    /// The authority, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// Where it is to hold.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    pub environment: String,
    /// The first instant, with an offset.
    #[schema(value_type = Timestamp)]
    pub valid_from: String,
    /// The first instant at which it no longer holds; left out: no end.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    pub valid_to: Option<String>,
    /// The paragraph that gives access.
    #[schema(min_length = 1, max_length = 1000)]
    pub legal_basis: String,
    /// What the data may be used for.
    #[schema(min_length = 1, max_length = 1000)]
    pub purpose: String,
    /// What it is narrowed to, in the service's words, such as `kle` and `sensitivity`.
    #[serde(default, deserialize_with = "named_once")]
    pub scope: BTreeMap<String, Vec<String>>,
    /// What the request is called. With the next five it is a request with one line; only the gateway's operators leave them out.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub name: Option<String>,
    /// `without-passing-on`, `several-receivers`, `several-owners` or `one-owner-one-receiver`.
    #[serde(default)]
    #[schema(max_length = 40)]
    pub kind: Option<String>,
    /// Why it is asked for, written for those who approve.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub justification: Option<String>,
    /// The reference of the data-processing agreement.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub contract: Option<String>,
    /// The categories of data.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub categories: Vec<String>,
    /// For how long the data are kept.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub retention: Option<String>,
    /// Why it is asked for.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

impl AgreementRequest {
    /// What it says as a request with one line: that has the agreement's own id, so that the same sent again is the same. None where it
    /// says nothing of it.
    fn terms(&self, request: Uuid) -> Result<Option<Arc<Terms>>, ApiRefusal> {
        let texts = [&self.name, &self.kind, &self.justification, &self.contract, &self.retention];
        if texts.iter().all(|text| text.is_none()) && self.categories.is_empty() {
            return Ok(None);
        }
        let words = |field: &str, text: &Option<String>| match text.as_deref().filter(|text| !text.trim().is_empty()) {
            Some(text) => line(field, text),
            // What is missing is told with all else that is.
            None => Ok(String::new()),
        };
        let kind = |text: &String| parsed::<Kind>("kind", text, "det er ikke en af typerne", "it is none of the types");
        Ok(Some(Arc::new(Terms {
            request,
            kind: self.kind.as_ref().map(kind).transpose()?.unwrap_or_default(),
            name: words("name", &self.name)?,
            justification: words("justification", &self.justification)?,
            contract: words("contract", &self.contract)?,
            categories: items("categories", &self.categories, 50, |text| line("categories", text))?,
            retention: words("retention", &self.retention)?,
            basis: None,
            replaces: None,
            depends_on: Vec::new(),
        })))
    }

    fn read(self) -> Result<(Agreement, String), ApiRefusal> {
        let side = side_of(&self.side)
            .ok_or_else(|| wrong("side", "det er hverken front eller back", "it is neither front nor back"))?;
        let mut certificates = items("certificates", &self.certificates, 16, |text| {
            parsed::<Thumbprint>(
                "certificates",
                text,
                "et fingeraftryk er SHA-256, 64 hexadecimale cifre",
                "a thumbprint is SHA-256, 64 hexadecimal digits",
            )
        })?;
        certificates.sort_unstable();
        certificates.dedup();
        if side == Side::Front && certificates.is_empty() {
            return Err(wrong("certificates", "en aftale på front har mindst ét", "an agreement on the front has at least one"));
        }
        let valid_from = instant("valid_from", &self.valid_from)?;
        let valid_to = self.valid_to.as_deref().map(|text| instant("valid_to", text)).transpose()?;
        if valid_to.is_some_and(|end| end <= valid_from) {
            return Err(wrong("valid_to", "det er ikke efter valid_from", "it is not after valid_from"));
        }
        let id = self.id.unwrap_or_else(Uuid::now_v7);
        let terms = self.terms(id)?;
        let agreement = Agreement {
            id,
            side,
            system: self.system,
            certificates,
            service: self.service,
            authority: parsed::<Cvr>("authority", &self.authority, "det er ikke otte cifre", "it is not eight digits")?,
            environment: parsed::<Environment>(
                "environment",
                &self.environment,
                "det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg",
                "it is not 1 to 32 of a-z, 0-9 and hyphen",
            )?,
            // As the store keeps them.
            valid_from: to_microsecond(valid_from),
            valid_to: valid_to.map(to_microsecond),
            state: Stands::Requested,
            legal_basis: line("legal_basis", &self.legal_basis)?,
            purpose: line("purpose", &self.purpose)?,
            scope: scope(self.scope)?,
            decided_by: None,
            decided_at: None,
            reason: None,
            terms,
            ends_at: None,
            asked: None,
            basis: None,
        };
        Ok((agreement, line("reason", &self.reason)?))
    }
}

/// What an agreement is narrowed to: by what the services know, with values that are of it. An empty list narrows nothing.
fn scope(asked: BTreeMap<String, Vec<String>>) -> Result<Scope, ApiRefusal> {
    let known = services::vocabulary().scope;
    let mut entries = Vec::new();
    for (name, texts) in asked {
        let field =
            format!("scope.{}", name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect::<String>());
        let key = known
            .iter()
            .find(|key| key.name == name)
            .ok_or_else(|| wrong(&field, "ingen service afgrænser efter det", "no service narrows by it"))?;
        let mut texts = items(&field, &texts, 1000, |text| match (key.fits)(text) {
            true => Ok(text.to_owned()),
            false => {
                Err(wrong(&field, "en af værdierne er ikke en, som servicen kender", format!("a value is not {}", key.what)))
            }
        })?;
        texts.sort();
        texts.dedup();
        if !texts.is_empty() {
            entries.push((name, texts.into()));
        }
    }
    Scope::of(entries).map_err(|_| wrong("scope", "den er længere end 256 KiB", "it is longer than 256 KiB"))
}

/// Requests an agreement: it is ANMODET, and another person approves it.
#[utoipa::path(post, operation_id = "requestAgreement", path = "/api/v1/agreements", tag = "agreements", request_body = AgreementRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The agreement that was requested.", body = AgreementView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "The agreement's address."))), WriteProblems))]
pub async fn request(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<AgreementRequest>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::RequestAgreement)?;
    let (agreement, reason) = value.read()?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let id = agreement.id;
        let because = Because::new(reason, own.clock.now());
        in_register(&own, agreement.authority).await?;
        let answer = |done: &Imported| {
            let asked = done.asked.first().filter(|_| done.added > 0).ok_or_else(is_there)?;
            let view = AgreementView::of(asked, because.at);
            let answer = Answer::new(StatusCode::CREATED, &view)?;
            Ok::<_, ApiRefusal>(answer.etag(view.etag.clone()).location(format!("/api/v1/agreements/{id}")))
        };
        let kept = |done: &Imported| answer(done)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let import = Import { authorities: Vec::new(), agreements: vec![agreement] };
        let done =
            decisions::request(&own.store, By::User(&actor), &import, &own.rules, &because, kept).await.map_err(of_decision)?;
        let answer = answer(&done)?;
        own.decided.notify_one();
        Ok(answer)
    };
    once(&api, &caller, &headers, digest(&["request"], &bytes), work).await
}

fn is_there() -> ApiRefusal {
    ApiRefusal::ApiConflict { what: Detail::new("der er en aftale med id'et", "there is an agreement with the id") }
}

async fn in_register(api: &Api, authority: Cvr) -> Result<(), ApiRefusal> {
    let register = api.store.authorities().await.map_err(of_store)?;
    if register.iter().any(|known| known.cvr == authority) {
        return Ok(());
    }
    let what = Detail::new(
        format!("myndigheden {authority} er ikke i registeret"),
        format!("authority {authority} is not in the register"),
    );
    Err(ApiRefusal::ApiConflict { what })
}

/// Requests many agreements, all or none: a JSON list of requests, or CSV with their names in the first line. Each is ANMODET.
#[utoipa::path(post, operation_id = "importAgreements", path = "/api/v1/agreements/import", tag = "agreements",
    request_body(description = "The requests: at most 1000.", content((Vec<AgreementRequest> = "application/json"), (String = "text/csv"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "What was done.", body = ImportDone), WriteProblems))]
pub async fn import(State(api): State<Api>, caller: Caller, headers: HeaderMap, body: Body) -> Result<Answer, ApiRefusal> {
    caller.may(Action::RequestAgreement)?;
    let (requests, kind, bytes) = requested(&api, &headers, body, table::request).await?;
    let read = requests.into_iter().map(AgreementRequest::read).collect::<Result<Vec<_>, _>>()?;
    let reason = one_reason(read.iter().map(|(_, reason)| reason.as_str()))?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let agreements: Vec<_> = read.into_iter().map(|(agreement, _)| agreement).collect();
        let mut authorities: Vec<_> = agreements.iter().map(|agreement| agreement.authority).collect();
        authorities.sort_unstable();
        authorities.dedup();
        for authority in authorities {
            in_register(&own, authority).await?;
        }
        let because = Because::new(reason, own.clock.now());
        let import = Import { authorities: Vec::new(), agreements };
        let answer = |done: &Imported| {
            Answer::new(StatusCode::OK, &ImportDone { added: done.added, unchanged: done.unchanged + done.changed })
        };
        let kept = |done: &Imported| answer(done)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let done =
            decisions::request(&own.store, By::User(&actor), &import, &own.rules, &because, kept).await.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&done)
    };
    once(&api, &caller, &headers, digest(&["import", &kind], &bytes), work).await
}
