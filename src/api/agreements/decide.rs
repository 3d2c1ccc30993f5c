//! Decisions on an agreement.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::AgreementView;
use crate::agreements::{Agreement, State as Stands};
use crate::api::Api;
use crate::api::extract::{Caller, Id, IfMatch, Json, Query};
use crate::api::idempotency::{Answer, digest, once};
use crate::api::input::{instant, line, wrong};
use crate::api::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use crate::decisions::agreement as decisions;
use crate::decisions::ending::{self, Ending};
use crate::decisions::{Because, By, Kept, approval, shown};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::users::keys::Key;

/// What is decided.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Decision {
    /// ANMODET becomes GODKENDT.
    Approve,
    /// ANMODET becomes AFVIST.
    Reject,
    /// ANMODET becomes TRUKKET.
    Withdraw,
    /// GODKENDT becomes SUSPENDERET; so does OPSAGT while it holds.
    Suspend,
    /// SUSPENDERET becomes GODKENDT, or OPSAGT where it was under notice; OPSAGT that still holds becomes GODKENDT: the notice is taken back.
    /// Of one that ended while it was suspended the suspension alone is lifted, and it stays over.
    Resume,
    /// GODKENDT or SUSPENDERET becomes OPSAGT; OPSAGT that still holds ends sooner.
    End,
}

impl<'de> Deserialize<'de> for Decision {
    /// By its name alone: of itself serde takes `{"approve": null}` for it too.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        const NAMES: &[&str] = &["approve", "reject", "withdraw", "suspend", "resume", "end"];
        match String::deserialize(from)?.as_str() {
            "approve" => Ok(Self::Approve),
            "reject" => Ok(Self::Reject),
            "withdraw" => Ok(Self::Withdraw),
            "suspend" => Ok(Self::Suspend),
            "resume" => Ok(Self::Resume),
            "end" => Ok(Self::End),
            _ => Err(serde::de::Error::unknown_variant("", NAMES)),
        }
    }
}

impl Decision {
    /// The states that it is for, and the one that it leads to.
    fn states(self) -> (&'static [Stands], Stands) {
        match self {
            Self::Approve => (&[Stands::Requested], Stands::Approved),
            Self::Reject => (&[Stands::Requested], Stands::Rejected),
            Self::Withdraw => (&[Stands::Requested], Stands::Withdrawn),
            Self::Suspend => (&[Stands::Approved, Stands::Terminated], Stands::Suspended),
            Self::Resume => (&[Stands::Suspended, Stands::Terminated, Stands::Expired], Stands::Approved),
            Self::End => (&[Stands::Approved, Stands::Suspended, Stands::Terminated], Stands::Terminated),
        }
    }
}

/// A decision on an agreement.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// What is decided.
    pub decision: Decision,
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// `text_sha256` of the agreement whose text was shown to the user; of an end, that of its list (`ending`).
    #[schema(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    pub shown: String,
    /// Of an end: the first instant at which it no longer holds. Left out: as early as the service's terms allow.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    pub ends_at: Option<String>,
}

/// Decides on an agreement: approve, reject, withdraw, suspend, resume, end. Whoever requested it cannot approve it.
#[utoipa::path(post, operation_id = "decideOnAgreement", path = "/api/v1/agreements/{id}/decisions", tag = "agreements", request_body = DecisionRequest,
    params(("id" = Uuid, Path, description = "The agreement."),
        ("If-Match" = String, Header, description = "The agreement's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The agreement as it is now.", body = AgreementView,
        headers(("ETag" = String, description = "What If-Match takes."))), WriteProblems))]
pub async fn decide(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<DecisionRequest>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let agreement = decisions::seen(&own.store, &actor, id).await.map_err(of_decision)?;
        IfMatch(matching).holds(&shown::etag(&agreement))?;
        let (from, to) = value.decision.states();
        let ends_at = value.ends_at.as_deref().map(|text| instant("ends_at", text)).transpose()?;
        let now = own.clock.now();
        let ending = match to {
            Stands::Terminated => Some(proposed(&own, &agreement, ends_at, now).await?),
            _ if ends_at.is_some() => {
                return Err(wrong("ends_at", "det hører til en opsigelse", "it belongs to an end"));
            }
            _ => None,
        };
        let approval = approval::propose(&own.store, &agreement, &own.rules, now).await.map_err(of_store)?;
        let text = ending.as_ref().map_or_else(|| approval.text(), Ending::text);
        if value.shown != shown::sha256(&text) {
            return Err(ApiRefusal::ApiShownDiffers);
        }
        if !from.contains(&agreement.state) {
            let (from, to) = (Detail::name(agreement.state.wire_name()), Detail::name(to.wire_name()));
            return Err(ApiRefusal::ApiTransition { from, to });
        }
        let because = Because::new(reason, now);
        let answer = |decided: &Agreement| {
            let view = AgreementView::of(decided, because.at);
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::OK, &view)?.etag(view.etag.clone()))
        };
        let kept = |decided: &Agreement| answer(decided)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let decided = match &ending {
            Some(ending) => ending::end(&own.store, By::User(&actor), ending, &because, kept).await,
            None if to == Stands::Approved && decisions::is_over(&agreement, now) => {
                decisions::lift(&own.store, By::User(&actor), &agreement, &because, kept).await
            }
            None => decisions::decide_as_shown(&own.store, By::User(&actor), &approval, to, &because, kept).await,
        };
        let decided = decided.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&decided)
    };
    once(&api, &caller, &headers, digest(&["decide", &id.to_string(), &if_match.0], &bytes), work).await
}

async fn proposed(api: &Api, agreement: &Agreement, at: Option<Timestamp>, now: Timestamp) -> Result<Ending, ApiRefusal> {
    ending::propose(&api.store, agreement, at, &api.rules, now).await.map_err(of_store)
}

/// When it is to end.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EndsAt {
    /// The first instant at which it no longer holds, with an offset. Left out: as early as the service's terms allow.
    #[param(value_type = Option<Timestamp>)]
    ends_at: Option<String>,
}

/// What would end with an agreement, and be closed: it is shown before anything is decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndingView {
    /// The first instant at which it would no longer hold.
    pub ends_at: Timestamp,
    /// The earliest that the service's terms allow.
    pub earliest: Timestamp,
    /// The agreements that depend on it, and end with it, or with the last version of it where another lasts longer.
    #[schema(max_items = 1000)]
    pub agreements: Vec<Uuid>,
    /// The routes that would carry nothing, and are closed; where another agreement has their calls carried until its own end, then.
    #[schema(max_items = 1000)]
    pub routes: Vec<Uuid>,
    /// How many files lie unfetched by the route orders that are closed, now; what is left of them is deleted then. It stands in no text that is
    /// decided on, for it changes with each file.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    pub files_waiting: i64,
    /// The text that is to be shown to whoever ends it.
    #[schema(max_length = 400000)]
    pub text: String,
    /// SHA-256 of the text, in hexadecimal: what the decision sends as `shown`.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub text_sha256: String,
}

/// What ending an agreement would end and close. Nothing is changed.
#[utoipa::path(get, operation_id = "proposeEnding", path = "/api/v1/agreements/{id}/ending", tag = "agreements",
    params(("id" = Uuid, Path, description = "The agreement."), EndsAt),
    responses((status = 200, description = "The list.", body = EndingView), ReadProblems))]
pub async fn ending(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Query(asked): Query<EndsAt>,
) -> Result<Response, ApiRefusal> {
    let agreement = decisions::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    let read = |text: &str| {
        let (da, en) = ("det er ikke et tidspunkt med tidszone", "it is not an instant with an offset");
        crate::text::instant(text).ok_or_else(|| crate::api::input::wrong_parameter("ends_at", da, en))
    };
    let ends_at = asked.ends_at.as_deref().map(read).transpose()?;
    let ending = proposed(&api, &agreement, ends_at, api.clock.now()).await?;
    let text = ending.text();
    let view = EndingView {
        ends_at: ending.ends_at,
        earliest: ending.earliest,
        agreements: ending.with.iter().map(|taken| taken.thing.id).collect(),
        routes: ending.routes.iter().map(|taken| taken.thing.id).collect(),
        files_waiting: ending.files.waiting,
        text_sha256: shown::sha256(&text),
        text,
    };
    Ok(axum::Json(view).into_response())
}

/// How many were told.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reminded {
    /// Letters that were written; 0: no signatory has an e-mail address.
    #[schema(maximum = 100000)]
    pub told: usize,
}

/// Notifies the signatories of a request that waits for them once more, at most once an hour.
#[utoipa::path(post, operation_id = "remindOfAgreement", path = "/api/v1/agreements/{id}/reminders", tag = "agreements",
    params(("id" = Uuid, Path, description = "The agreement.")),
    responses((status = 200, description = "They are told.", body = Reminded), WriteProblems))]
pub async fn remind(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let told = decisions::remind(&api.store, &caller, id, api.clock.now()).await.map_err(of_decision)?;
    Ok(axum::Json(Reminded { told }).into_response())
}
