//! Decisions on an agreement.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::AgreementView;
use crate::agreements::{Agreement, State as Stands};
use crate::api::Api;
use crate::api::extract::{Caller, Id, IfMatch, Json};
use crate::api::idempotency::{Answer, digest, once};
use crate::api::input::line;
use crate::api::problem::{WriteProblems, of_decision};
use crate::decisions::agreement as decisions;
use crate::decisions::{Because, By, Kept, shown};
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
    /// GODKENDT becomes SUSPENDERET.
    Suspend,
    /// SUSPENDERET becomes GODKENDT.
    Resume,
    /// GODKENDT or SUSPENDERET becomes OPSAGT.
    End,
}

impl<'de> Deserialize<'de> for Decision {
    /// By its name alone: of itself serde takes `{"approve": null}` for it too.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "approve" => Ok(Self::Approve),
            "reject" => Ok(Self::Reject),
            "withdraw" => Ok(Self::Withdraw),
            "suspend" => Ok(Self::Suspend),
            "resume" => Ok(Self::Resume),
            "end" => Ok(Self::End),
            _ => Err(serde::de::Error::custom("it is no decision")),
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
            Self::Suspend => (&[Stands::Approved], Stands::Suspended),
            Self::Resume => (&[Stands::Suspended], Stands::Approved),
            Self::End => (&[Stands::Approved, Stands::Suspended], Stands::Terminated),
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
    /// `text_sha256` of the agreement whose text was shown to the user.
    #[schema(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    pub shown: String,
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
        if value.shown != shown::sha256(&shown::text(&agreement)) {
            return Err(ApiRefusal::ApiShownDiffers);
        }
        let (from, to) = value.decision.states();
        if !from.contains(&agreement.state) {
            let (from, to) = (Detail::name(agreement.state.wire_name()), Detail::name(to.wire_name()));
            return Err(ApiRefusal::ApiTransition { from, to });
        }
        let because = Because::new(reason, own.clock.now());
        let answer = |decided: &Agreement| {
            let view = AgreementView::of(decided, because.at);
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::OK, &view)?.etag(view.etag.clone()))
        };
        let kept = |decided: &Agreement| answer(decided)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let decided = decisions::decide(&own.store, By::User(&actor), &agreement, to, &because, kept).await;
        let decided = decided.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&decided)
    };
    once(&api, &caller, &headers, digest(&["decide", &id.to_string(), &if_match.0], &bytes), work).await
}
