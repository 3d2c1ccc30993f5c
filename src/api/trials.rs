//! `/api/v1/trials`: the times within which an authority's deliveries may be tests (`Proeve`).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::extract::{Caller, Id, IfMatch, Json, Query};
use super::idempotency::{Answer, digest, once};
use super::input::{instant, line, parsed, uuid, wrong};
use super::page;
use super::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use super::service::OfService;
use super::value_lists::change::EndingRequest;
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::services::finance::trials::{MOST_AHEAD, MOST_DAYS, MOST_OPEN, Trial, TrialError};
use crate::users::Actor;
use crate::users::keys::Key;
use crate::users::rights::Action;

/// A time within which an authority's deliveries may be tests.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TrialView {
    /// Its id.
    pub id: Uuid,
    /// The service to which the deliveries go.
    pub service: Uuid,
    /// The authority that sends, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// The first instant at which tests are taken.
    pub opens_at: Timestamp,
    /// The first at which they no longer are.
    pub closes_at: Timestamp,
    /// `to-come`, `open`, `over` or `ended`.
    #[schema(max_length = 7)]
    pub stands: &'static str,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was ended before its time; null if it was not.
    pub ended_at: Option<Timestamp>,
    /// The ETag: what ending it sends in `If-Match`.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl TrialView {
    fn of(trial: &Trial, now: Timestamp) -> Self {
        Self {
            id: trial.id,
            service: trial.service,
            authority: trial.authority.to_string(),
            opens_at: trial.opening.from,
            closes_at: trial.opening.to,
            stands: trial.stands(now),
            opened_at: trial.opened,
            ended_at: trial.ended,
            etag: etag(trial),
        }
    }
}

fn etag(trial: &Trial) -> String {
    format!("\"{}\"", sha256(&format!("{} {:?}", trial.id, trial.ended)))
}

/// A page of times for tests.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialPage {
    /// The times, in the order of their ids; those that are over too.
    #[schema(max_items = 200)]
    pub items: Vec<TrialView>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

fn of_trial(error: TrialError) -> ApiRefusal {
    let conflict = |da: String, en: String| ApiRefusal::ApiConflict { what: Detail::new(da, en) };
    match error {
        TrialError::Decide(error) => of_decision(error),
        TrialError::Empty { .. } => wrong("closes_at", "det er ikke efter opens_at", "it is not after opens_at"),
        TrialError::Past(at) => wrong("closes_at", format!("{at} er passeret"), format!("{at} has passed")),
        TrialError::TooLong { latest, .. } => wrong(
            "closes_at",
            format!("et tidsrum for prøver varer højst {MOST_DAYS} dage, her til {latest}"),
            format!("a time for tests lasts {MOST_DAYS} days at most, here until {latest}"),
        ),
        TrialError::TooFarAhead(_) => wrong(
            "opens_at",
            format!("det er mere end {MOST_AHEAD} dage frem; åbn det nærmere dagen"),
            format!("it is more than {MOST_AHEAD} days ahead; open it nearer to the day"),
        ),
        TrialError::TooMany(authority) => conflict(
            format!("{authority} har {MOST_OPEN} tidsrum for prøver, der ikke er slut, og det er det højeste"),
            format!("{authority} has {MOST_OPEN} times for tests that have not passed, which is the most"),
        ),
        TrialError::NoSuch(_) => conflict("tidsrummet er slut".to_owned(), "the time is over".to_owned()),
    }
}

/// A time for tests that the user may see.
pub(super) async fn seen(api: &Api, actor: &Actor, id: Uuid) -> Result<Trial, ApiRefusal> {
    actor.may(Action::SeeTrials)?;
    let not_found = || ApiRefusal::ApiNotFound { what: Detail::new("tidsrum for prøver", "time for tests") };
    match api.store.trial(id).await {
        Ok(found) if actor.scope().takes(found.authority, found.service, None) => Ok(found),
        Ok(_) | Err(TrialError::NoSuch(_)) => Err(not_found()),
        Err(error) => Err(of_trial(error)),
    }
}

/// The times for tests that the user may see, a page at a time.
#[utoipa::path(get, operation_id = "listTrials", path = "/api/v1/trials", tag = "trials", params(OfService),
    responses((status = 200, description = "A page of times for tests.", body = TrialPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<OfService>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeTrials)?;
    let (wanted, many, own) = query.wanted("trials", &caller)?;
    let found = api.store.trial_page(&wanted).await.map_err(of_store)?;
    let (found, next) = page::cut(found, many, &own, |trial| trial.id);
    let now = api.clock.now();
    let items = found.iter().map(|trial| TrialView::of(trial, now)).collect();
    Ok(axum::Json(TrialPage { items, next }).into_response())
}

/// One time for tests.
#[utoipa::path(get, operation_id = "getTrial", path = "/api/v1/trials/{id}", tag = "trials", params(("id" = Uuid, Path, description = "The time for tests.")),
    responses((status = 200, description = "The time for tests.", body = TrialView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let view = TrialView::of(&seen(&api, &caller, id).await?, api.clock.now());
    let etag = HeaderValue::from_str(&view.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// A time for tests that is to be opened.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    /// The service to which the deliveries go.
    #[serde(deserialize_with = "uuid")]
    pub service: Uuid,
    /// The authority that sends, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// The first instant at which tests are taken, with an offset; left out: now.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    pub opens_at: Option<String>,
    /// The first at which they no longer are; 31 days later at most.
    #[schema(value_type = Timestamp)]
    pub closes_at: String,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Opens a time for tests.
#[utoipa::path(post, operation_id = "openTrial", path = "/api/v1/trials", tag = "trials", request_body = TrialRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The time for tests.", body = TrialView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "Its address."))), WriteProblems))]
pub async fn open(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<TrialRequest>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::OpenTrials)?;
    let authority = parsed::<Cvr>("authority", &value.authority, "det er ikke otte cifre", "it is not eight digits")?;
    let opens_at = value.opens_at.as_deref().map(|text| instant("opens_at", text)).transpose()?;
    let (closes_at, reason) = (instant("closes_at", &value.closes_at)?, line("reason", &value.reason)?);
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let trial = Trial::new(value.service, authority, opens_at.unwrap_or(because.at), closes_at, because.at);
        let trial = trial.map_err(of_trial)?;
        let place = format!("/api/v1/trials/{}", trial.id);
        let answer = Answer::new(StatusCode::CREATED, &TrialView::of(&trial, because.at))?.etag(etag(&trial)).location(place);
        let kept = |_: &Trial| answer.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        trial.open(&own.store, By::User(&actor), &because, kept).await.map_err(of_trial)?;
        own.decided.notify_one();
        Ok(answer)
    };
    once(&api, &caller, &headers, digest(&["open trial"], &bytes), work).await
}

/// Ends a time for tests before its time.
#[utoipa::path(post, operation_id = "endTrial", path = "/api/v1/trials/{id}/end", tag = "trials", request_body = EndingRequest,
    params(("id" = Uuid, Path, description = "The time for tests."),
        ("If-Match" = String, Header, description = "Its ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The time for tests as it is now.", body = TrialView,
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
        let trial = seen(&own, &actor, id).await?;
        IfMatch(matching).holds(&etag(&trial))?;
        let because = Because::new(reason, own.clock.now());
        let answer = |ended: &Trial| {
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::OK, &TrialView::of(ended, because.at))?.etag(etag(ended)))
        };
        let kept = |ended: &Trial| answer(ended)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let ended = trial.end(&own.store, By::User(&actor), &because, kept).await.map_err(of_trial)?;
        own.decided.notify_one();
        answer(&ended)
    };
    once(&api, &caller, &headers, digest(&["end trial", &id.to_string(), &if_match.0], &bytes), work).await
}
