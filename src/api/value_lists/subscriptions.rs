//! `/api/v1/value-list-subscriptions`: which systems get each version that is published.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::change::EndingRequest;
use crate::agreements::Store;
use crate::api::Api;
use crate::api::extract::{Caller, Id, IfMatch, Json, Query};
use crate::api::idempotency::{Answer, digest, once};
use crate::api::input::{line, maybe_uuid, parsed, uuid, wrong};
use crate::api::page;
use crate::api::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use crate::api::service::OfService;
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::services::finance::lists::subscription::{Structure, Subscription, SubscriptionError};
use crate::users::Actor;
use crate::users::keys::Key;
use crate::users::rights::Action;

/// A system that gets the published versions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// Its id.
    pub id: Uuid,
    /// The service.
    pub service: Uuid,
    /// The authority that receives, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// Its system.
    pub system: Uuid,
    /// The value list; null for all of the service.
    pub list: Option<Uuid>,
    /// In which structure: 1 (`SortimentOverfør_1`) or 2 (`SortimentOverfør_2`).
    #[schema(minimum = 1, maximum = 2)]
    pub structure: i64,
    /// Since when.
    pub subscribed_at: Timestamp,
    /// When it ended; null if it has not.
    pub ended_at: Option<Timestamp>,
    /// The subscription's ETag: what ending it sends in `If-Match`.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl SubscriptionView {
    fn of(subscription: &Subscription) -> Self {
        Self {
            id: subscription.id,
            service: subscription.service,
            authority: subscription.authority.to_string(),
            system: subscription.system,
            list: subscription.list,
            structure: subscription.structure.number(),
            subscribed_at: subscription.since,
            ended_at: subscription.ended,
            etag: etag(subscription),
        }
    }
}

pub(crate) fn etag(subscription: &Subscription) -> String {
    format!("\"{}\"", sha256(&format!("{} {:?}", subscription.id, subscription.ended)))
}

/// A page of subscriptions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionPage {
    /// The subscriptions, in the order of their ids; those that have ended too.
    #[schema(max_items = 200)]
    pub items: Vec<SubscriptionView>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// The words for what keeps a subscription from being made or ended.
pub(crate) fn of_subscription(error: SubscriptionError) -> ApiRefusal {
    match error {
        SubscriptionError::Decide(error) => of_decision(error),
        SubscriptionError::Twice(id) => ApiRefusal::ApiConflict {
            what: Detail::new(
                format!("abonnementet {id} siger det samme; afslut det, før et andet tager dets plads"),
                format!("subscription {id} says the same; end it before another takes its place"),
            ),
        },
        SubscriptionError::NoSuch(_) => {
            ApiRefusal::ApiConflict { what: Detail::new("abonnementet er afsluttet", "the subscription has ended") }
        }
    }
}

/// A subscription that the user may see.
pub(crate) async fn seen(store: &Store, actor: &Actor, id: Uuid) -> Result<Subscription, ApiRefusal> {
    actor.may(Action::SeeSubscriptions)?;
    let not_found = || ApiRefusal::ApiNotFound { what: Detail::new("abonnement på sortimenter", "subscription to value lists") };
    match store.sortiment_subscription(id).await {
        Ok(found) if actor.scope().takes(found.authority, found.service, None) => Ok(found),
        Ok(_) | Err(SubscriptionError::NoSuch(_)) => Err(not_found()),
        Err(error) => Err(of_subscription(error)),
    }
}

/// The subscriptions that the user may see, a page at a time.
#[utoipa::path(get, operation_id = "listValueListSubscriptions", path = "/api/v1/value-list-subscriptions", tag = "value lists", params(OfService),
    responses((status = 200, description = "A page of subscriptions.", body = SubscriptionPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<OfService>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeSubscriptions)?;
    let (wanted, many, own) = query.wanted("value list subscriptions", &caller)?;
    let found = api.store.sortiment_subscription_page(&wanted).await.map_err(of_store)?;
    let (found, next) = page::cut(found, many, &own, |subscription| subscription.id);
    Ok(axum::Json(SubscriptionPage { items: found.iter().map(SubscriptionView::of).collect(), next }).into_response())
}

/// One subscription.
#[utoipa::path(get, operation_id = "getValueListSubscription", path = "/api/v1/value-list-subscriptions/{id}", tag = "value lists", params(("id" = Uuid, Path, description = "The subscription.")),
    responses((status = 200, description = "The subscription.", body = SubscriptionView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let view = SubscriptionView::of(&seen(&api.store, &caller, id).await?);
    let etag = HeaderValue::from_str(&view.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// A subscription that is to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionRequest {
    /// The service.
    #[serde(deserialize_with = "uuid")]
    pub service: Uuid,
    /// The authority that receives, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// Its system.
    #[serde(deserialize_with = "uuid")]
    pub system: Uuid,
    /// The value list; left out: all of the service.
    #[serde(default, deserialize_with = "maybe_uuid")]
    pub list: Option<Uuid>,
    /// In which structure: 1 (`SortimentOverfør_1`) or 2 (`SortimentOverfør_2`).
    #[schema(minimum = 1, maximum = 2)]
    pub structure: i64,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Lets a system get each version that is published.
#[utoipa::path(post, operation_id = "subscribeToValueLists", path = "/api/v1/value-list-subscriptions", tag = "value lists", request_body = SubscriptionRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The subscription.", body = SubscriptionView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "The subscription's address."))), WriteProblems))]
pub async fn subscribe(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<SubscriptionRequest>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::SubscribeSortiment)?;
    let authority = parsed::<Cvr>("authority", &value.authority, "det er ikke otte cifre", "it is not eight digits")?;
    let structure =
        Structure::of(value.structure).ok_or_else(|| wrong("structure", "det er hverken 1 eller 2", "it is neither 1 nor 2"))?;
    let reason = line("reason", &value.reason)?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let made = Subscription::new(value.service, authority, value.system, value.list, structure, because.at);
        let place = format!("/api/v1/value-list-subscriptions/{}", made.id);
        let answer = Answer::new(StatusCode::CREATED, &SubscriptionView::of(&made))?.etag(etag(&made)).location(place);
        let kept = |_: &Subscription| answer.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        made.begin(&own.store, By::User(&actor), &because, kept).await.map_err(of_subscription)?;
        own.decided.notify_one();
        Ok(answer)
    };
    once(&api, &caller, &headers, digest(&["subscribe"], &bytes), work).await
}

/// Ends a subscription. What waits to be delivered still is.
#[utoipa::path(post, operation_id = "endValueListSubscription", path = "/api/v1/value-list-subscriptions/{id}/end", tag = "value lists", request_body = EndingRequest,
    params(("id" = Uuid, Path, description = "The subscription."),
        ("If-Match" = String, Header, description = "The subscription's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The subscription as it is now.", body = SubscriptionView,
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
        let subscription = seen(&own.store, &actor, id).await?;
        IfMatch(matching).holds(&etag(&subscription))?;
        let because = Because::new(reason, own.clock.now());
        let kept = |ended: &Subscription| answered(ended)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let ended = subscription.end(&own.store, By::User(&actor), &because, kept).await.map_err(of_subscription)?;
        own.decided.notify_one();
        answered(&ended)
    };
    once(&api, &caller, &headers, digest(&["end subscription", &id.to_string(), &if_match.0], &bytes), work).await
}

fn answered(subscription: &Subscription) -> Result<Answer, ApiRefusal> {
    Ok(Answer::new(StatusCode::OK, &SubscriptionView::of(subscription))?.etag(etag(subscription)))
}
