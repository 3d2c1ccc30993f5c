//! `/api/v1/delegations`: a person of an authority lets a colleague act in one of their roles for a time.
//!
//! Whoever acts by one names it in the header field [`FIELD`] of any request, and has its role and its services alone for that request.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::extract::{Caller, Id, IfMatch, Json, Query};
use super::idempotency::{Answer, digest, once};
use super::input::{instant, line, list as each, parsed, uuid, wrong};
use super::page::{self, after, limit};
use super::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use super::value_lists::change::EndingRequest;
use crate::decisions::delegation::{self as decisions, New};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, Kept};
use crate::refusal::api::ApiRefusal;
use crate::users::delegation::{Delegation, Told};
use crate::users::keys::Key;
use crate::users::rights::{Action, Role};

/// The header field with the id of the delegation by which a request is made.
pub const FIELD: &str = "hjemmel-delegation";

/// That a person lets a colleague act in one of their roles for a time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DelegationView {
    /// Its id.
    pub id: Uuid,
    /// The user who gave it.
    pub principal: Uuid,
    /// What they are called.
    #[schema(max_length = 200)]
    pub principal_name: String,
    /// The user who may act by it.
    pub substitute: Uuid,
    /// What they are called.
    #[schema(max_length = 200)]
    pub substitute_name: String,
    /// The role.
    #[schema(max_length = 40)]
    pub role: &'static str,
    /// The services; empty: all that the role is for.
    #[schema(max_items = 1000)]
    pub services: Vec<Uuid>,
    /// The first instant at which it holds.
    pub valid_from: Timestamp,
    /// The first at which it no longer does.
    pub valid_to: Timestamp,
    /// `to-come`, `in-force`, `over` or `ended`.
    #[schema(max_length = 8)]
    pub stands: &'static str,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it was ended before its time; null if it was not.
    pub ended_at: Option<Timestamp>,
    /// Why it was given.
    #[schema(max_length = 1000)]
    pub reason: String,
    /// The ETag: what taking it back sends in `If-Match`.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl DelegationView {
    fn of(told: &Told, now: Timestamp) -> Self {
        let delegation = &told.delegation;
        Self {
            id: delegation.id,
            principal: delegation.principal,
            principal_name: told.principal.clone(),
            substitute: delegation.substitute,
            substitute_name: told.substitute.clone(),
            role: delegation.role.name(),
            services: delegation.services.clone(),
            valid_from: delegation.valid_from,
            valid_to: delegation.valid_to,
            stands: delegation.stands(now),
            given_at: delegation.given_at,
            ended_at: delegation.ended_at,
            reason: told.reason.clone(),
            etag: etag(delegation),
        }
    }
}

fn etag(delegation: &Delegation) -> String {
    format!("\"{}\"", sha256(&format!("{} {:?}", delegation.id, delegation.ended_at)))
}

/// A page of delegations.
#[derive(Debug, Serialize, ToSchema)]
pub struct DelegationPage {
    /// The delegations, in the order of their ids; those that are over too.
    #[schema(max_items = 200)]
    pub items: Vec<DelegationView>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// The query of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfDelegations {
    /// `next` of the page before.
    #[param(max_length = 200)]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// The delegations that the user gave and was given; an auditor sees the authority's, an operator all. A page at a time.
#[utoipa::path(get, operation_id = "listDelegations", path = "/api/v1/delegations", tag = "delegations", params(OfDelegations),
    responses((status = 200, description = "A page of delegations.", body = DelegationPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<OfDelegations>) -> Result<Response, ApiRefusal> {
    let mut wanted = decisions::seen_by(&caller)?;
    let own = page::list("delegations", &wanted, caller.user().id);
    let many = limit(query.limit.as_deref())?;
    (wanted.after, wanted.limit) = (after(query.after.as_deref(), &own)?, many + 1);
    let found = api.store.delegations(&wanted).await.map_err(of_store)?;
    let (found, next) = page::cut(found, many, &own, |told| told.delegation.id);
    let now = api.clock.now();
    let items = found.iter().map(|told| DelegationView::of(told, now)).collect();
    Ok(axum::Json(DelegationPage { items, next }).into_response())
}

/// One delegation.
#[utoipa::path(get, operation_id = "getDelegation", path = "/api/v1/delegations/{id}", tag = "delegations", params(("id" = Uuid, Path, description = "The delegation.")),
    responses((status = 200, description = "The delegation.", body = DelegationView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let told = decisions::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    let view = DelegationView::of(&told, api.clock.now());
    let etag = HeaderValue::from_str(&view.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// A delegation that is to be given.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegationRequest {
    /// The user of the same authority who may act by it.
    #[serde(deserialize_with = "uuid")]
    pub substitute: Uuid,
    /// The role, one of one's own: `signatory`, say. An auditor's is not delegated.
    #[schema(max_length = 40)]
    pub role: String,
    /// The services, of those that the role is for; empty or left out: all of them.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, max_items = 1000)]
    pub services: Vec<String>,
    /// The first instant at which it holds, with an offset; left out: now.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    pub valid_from: Option<String>,
    /// The first at which it no longer does; 366 days from now at most.
    #[schema(value_type = Timestamp)]
    pub valid_to: String,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Lets a colleague act in one's role for a time. Both are told by mail.
#[utoipa::path(post, operation_id = "giveDelegation", path = "/api/v1/delegations", tag = "delegations", request_body = DelegationRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The delegation.", body = DelegationView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "Its address."))), WriteProblems))]
pub async fn give(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<DelegationRequest>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::Delegate)?;
    let role = parsed::<Role>("role", &value.role, "det er ingen rolle", "it is no role")?;
    let service = |text: &str| {
        crate::text::uuid(text).ok_or_else(|| wrong("services", "en af dem er ikke en UUID", "one of them is not a UUID"))
    };
    let services = each("services", &value.services, 1000, service)?;
    decisions::are_services(&services, &api.rules)?;
    let from = value.valid_from.as_deref().map(|text| instant("valid_from", text)).transpose()?;
    let (to, reason) = (instant("valid_to", &value.valid_to)?, line("reason", &value.reason)?);
    let new = New { id: Uuid::now_v7(), substitute: value.substitute, role, services, from, to };
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let answer = |given: &Told| {
            let place = format!("/api/v1/delegations/{}", given.delegation.id);
            let view = DelegationView::of(given, because.at);
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::CREATED, &view)?.etag(etag(&given.delegation)).location(place))
        };
        let kept = |given: &Told| answer(given)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let given = decisions::give(&own.store, By::User(&actor), &new, &because, kept).await.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&given)
    };
    once(&api, &caller, &headers, digest(&["give delegation"], &bytes), work).await
}

/// Takes a delegation back, at once: whoever gave it, whoever may act by it, or an operator.
#[utoipa::path(post, operation_id = "endDelegation", path = "/api/v1/delegations/{id}/end", tag = "delegations", request_body = EndingRequest,
    params(("id" = Uuid, Path, description = "The delegation."),
        ("If-Match" = String, Header, description = "Its ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The delegation as it is now.", body = DelegationView,
        headers(("ETag" = String, description = "What If-Match takes."))), WriteProblems))]
pub async fn end(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<EndingRequest>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let told = decisions::seen(&own.store, &actor, id).await.map_err(of_decision)?;
        IfMatch(matching).holds(&etag(&told.delegation))?;
        let because = Because::new(reason, own.clock.now());
        let answer = |ended: &Told| {
            let view = DelegationView::of(ended, because.at);
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::OK, &view)?.etag(etag(&ended.delegation)))
        };
        let kept = |ended: &Told| answer(ended)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let ended = decisions::take_back(&own.store, By::User(&actor), id, &because, kept).await.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&ended)
    };
    once(&api, &caller, &headers, digest(&["end delegation", &id.to_string(), &if_match.0], &bytes), work).await
}
