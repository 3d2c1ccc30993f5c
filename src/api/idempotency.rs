//! `Idempotency-Key`: the same request sent again is answered as the first was, and not done again.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::Api;
use super::extract::one;
use super::problem::of_store;
use crate::decisions::shown::sha256;
use crate::refusal::api::ApiRefusal;
use crate::users::Actor;
use crate::users::keys::Claim;

/// The header field.
pub const FIELD: &str = "idempotency-key";

/// The answer to a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    status: u16,
    body: String,
    etag: Option<String>,
    location: Option<String>,
}

impl Answer {
    /// An answer with this body.
    pub fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, ApiRefusal> {
        let body = serde_json::to_string(body).map_err(|_| ApiRefusal::ApiInternal)?;
        Ok(Self { status: status.as_u16(), body, etag: None, location: None })
    }

    /// With the ETag of what it shows.
    #[must_use]
    pub fn etag(self, etag: String) -> Self {
        Self { etag: Some(etag), ..self }
    }

    /// With the place of what was made.
    #[must_use]
    pub fn location(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [(ETAG, self.etag), (LOCATION, self.location)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// What tells two requests apart: the operation, what it is on, and all that was sent.
pub fn digest(parts: &[&str], body: &[u8]) -> String {
    sha256(&format!("{parts:?} {}", crate::hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body).as_ref())))
}

/// Does `work` once for a key. It is not called off where the client hangs up: whoever asks again is answered by what came of it.
///
/// # Errors
/// Those of `work`, after which the key is free again; and those of the key.
pub async fn once(
    api: &Api,
    actor: &Actor,
    headers: &HeaderMap,
    digest: String,
    work: impl Future<Output = Result<Answer, ApiRefusal>> + Send + 'static,
) -> Result<Answer, ApiRefusal> {
    let Some(key) = key(headers)? else { return done(tokio::spawn(work).await) };
    let (user, now) = (actor.user().id, api.clock.now());
    match api.store.claim_key(user, &key, &digest, now).await.map_err(of_store)? {
        Claim::First => {}
        Claim::Other => return Err(ApiRefusal::ApiKeyReused),
        Claim::Pending => return Err(ApiRefusal::ApiKeyPending),
        Claim::Answered(answer) => return serde_json::from_str(&answer).map_err(|_| ApiRefusal::ApiInternal),
    }
    let store = api.store.clone();
    let all = async move {
        let answer = work.await;
        let kept = match &answer {
            Ok(answer) => match serde_json::to_string(answer) {
                Ok(text) => store.answer_key(user, &key, &text).await,
                Err(_) => Ok(()),
            },
            // Whether it was kept is not known, so that the key is not free for another try.
            Err(ApiRefusal::ApiUndecided | ApiRefusal::ApiInternal) => Ok(()),
            Err(_) => store.free_key(user, &key).await,
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "what came of a request with an Idempotency-Key could not be kept");
        }
        answer
    };
    done(tokio::spawn(all).await)
}

fn done(ended: Result<Result<Answer, ApiRefusal>, tokio::task::JoinError>) -> Result<Answer, ApiRefusal> {
    ended.unwrap_or(Err(ApiRefusal::ApiInternal))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiRefusal> {
    let Some(key) = one(headers, FIELD, || ApiRefusal::ApiKeyInvalid)? else { return Ok(None) };
    let fits = (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits { Ok(Some(key.to_owned())) } else { Err(ApiRefusal::ApiKeyInvalid) }
}
