//! `Idempotency-Key`: the same request sent again is answered as the first was, and not done again.

use std::pin::Pin;

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
use crate::store::value::to_microsecond;
use crate::users::Actor;
use crate::users::keys::{Key, Known};

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

    /// As the store keeps it with a key.
    pub fn kept(&self) -> Result<String, ApiRefusal> {
        serde_json::to_string(self).map_err(|_| ApiRefusal::ApiInternal)
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

/// Does `work` once for a key; it keeps the answer in the transaction of what it does ([`crate::decisions::Kept`]). It is not
/// called off where the client hangs up.
///
/// # Errors
/// Those of `work`, after which the key is as free as before; and those of the key.
pub async fn once<F>(
    api: &Api,
    actor: &Actor,
    headers: &HeaderMap,
    digest: String,
    work: impl FnOnce(Option<Key>) -> F + Send,
) -> Result<Answer, ApiRefusal>
where
    F: Future<Output = Result<Answer, ApiRefusal>> + Send + 'static,
{
    // Boxed: a task and what waits for it are compiled once, not for each of the API's changes.
    carried_out(api, actor, headers, digest, Box::new(|key| Box::pin(work(key)))).await
}

type Working = Pin<Box<dyn Future<Output = Result<Answer, ApiRefusal>> + Send>>;

async fn carried_out(
    api: &Api,
    actor: &Actor,
    headers: &HeaderMap,
    digest: String,
    work: Box<dyn FnOnce(Option<Key>) -> Working + Send + '_>,
) -> Result<Answer, ApiRefusal> {
    // The same bytes by a delegation are another request.
    let digest = match actor.by_delegation() {
        Some(by) => sha256(&format!("{digest} by {}", by.delegation)),
        None => digest,
    };
    let Some(name) = name(headers)? else { return done(tokio::spawn(work(None)).await) };
    let key = Key { user: actor.user().id, name, digest, at: to_microsecond(api.clock.now()) };
    if let Some(answer) = answered(api, &key).await? {
        return Ok(answer);
    }
    let ended = done(tokio::spawn(work(Some(key.clone()))).await);
    match ended {
        Ok(answer) => Ok(answer),
        // The same request may have been done at the same time, and this one have found that; or it was done, and the store's
        // word for it lost.
        Err(refusal) => answered(api, &key).await.ok().flatten().ok_or(refusal),
    }
}

/// What the request was answered, if it was done.
async fn answered(api: &Api, key: &Key) -> Result<Option<Answer>, ApiRefusal> {
    match api.store.known_key(key).await.map_err(of_store)? {
        Known::Nothing => Ok(None),
        Known::Other => Err(ApiRefusal::ApiKeyReused),
        Known::Pending => Err(ApiRefusal::ApiKeyPending),
        Known::Answered(answer) => serde_json::from_str(&answer).map(Some).map_err(|_| ApiRefusal::ApiInternal),
    }
}

fn done(ended: Result<Result<Answer, ApiRefusal>, tokio::task::JoinError>) -> Result<Answer, ApiRefusal> {
    ended.unwrap_or(Err(ApiRefusal::ApiInternal))
}

/// The key of a request, where it has one.
pub(super) fn name(headers: &HeaderMap) -> Result<Option<String>, ApiRefusal> {
    let Some(key) = one(headers, FIELD, || ApiRefusal::ApiKeyInvalid)? else { return Ok(None) };
    let fits = (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits { Ok(Some(key.to_owned())) } else { Err(ApiRefusal::ApiKeyInvalid) }
}
