//! What every request goes through: who asks, what the query, the header fields and the body say. Each that cannot be read is a
//! refusal of the table.

use axum::RequestPartsExt;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, IF_MATCH};
use http::request::Parts;
use http::{HeaderMap, Request, Uri};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::delegations::FIELD;
use super::input::{Object, wrong_parameter};
use super::{Api, Chain, problem::of_store, unread};
use crate::agreements::Thumbprint;
use crate::refusal::api::ApiRefusal;
use crate::refusal::{Detail, Refusal};
use crate::users::Actor;
use crate::users::store::ActorError;

/// The user who asks: the certificate of its connection still holds, and is that of a user who may act now.
pub struct Caller(pub Actor);

impl std::ops::Deref for Caller {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiRefusal> {
        let certificate = client_certificate(parts, api)?;
        let of = |error| match error {
            ActorError::Refused(refusal) => refusal,
            ActorError::Store(error) => of_store(error),
        };
        let now = api.clock.now();
        let actor = api.store.actor(certificate, None, now).await.map_err(of)?;
        // What is no delegation must not be done in the user's own right.
        let invalid = || ApiRefusal::ApiHeaderInvalid { field: "Hjemmel-Delegation".to_owned() };
        match one(&parts.headers, FIELD, invalid)? {
            None => Ok(Self(actor)),
            Some(id) => {
                let id = crate::text::uuid(id).ok_or_else(invalid)?;
                api.store.acting(actor, id, now).await.map(Self).map_err(of)
            }
        }
    }
}

/// The certificate of the connection, which still holds.
pub(super) fn client_certificate(parts: &Parts, api: &Api) -> Result<Thumbprint, ApiRefusal> {
    let chain = parts.extensions.get::<Chain>().cloned().ok_or(ApiRefusal::ApiInternal)?;
    api.clients.current().still_holds(&chain.0, api.clock.now()).map_err(|refusal| {
        let what = match refusal {
            Refusal::ClientCertificateInvalid { what } => what,
            _ => Detail::new("der er ikke vist noget", "none was shown"),
        };
        ApiRefusal::ApiCertificateRefused { what }
    })?;
    chain.0.first().map(|der| Thumbprint::of_der(der)).ok_or(ApiRefusal::ApiInternal)
}

/// The id in the path. What is no UUID is the id of nothing.
pub struct Id(pub Uuid);

impl FromRequestParts<Api> for Id {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiRefusal> {
        let path: Result<Path<String>, _> = parts.extract().await;
        let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("post", "entry") };
        path.ok().and_then(|Path(id)| crate::text::uuid(&id)).map(Id).ok_or_else(nothing)
    }
}

/// The query. Unknown parameters are refused: a misspelt filter must not show everything.
pub struct Query<T>(pub T);

impl<T> Query<T> {
    /// Of a query that the contract does not have.
    pub(super) fn unknown() -> ApiRefusal {
        ApiRefusal::ApiQueryInvalid {
            parameter: "?".to_owned(),
            what: Detail::new(
                "den er ukendt, gentaget, mangler eller er ikke URL-kodet",
                "it is unknown, repeated, missing or not URL-encoded",
            ),
        }
    }
}

impl<T: DeserializeOwned> Query<T> {
    pub(super) fn read(uri: &Uri) -> Result<Self, ApiRefusal> {
        let read = axum::extract::Query::try_from_uri(uri);
        read.map(|axum::extract::Query(query)| Self(query))
            .map_err(|wrong| unfit(&wrong.body_text()).unwrap_or_else(Self::unknown))
    }
}

/// What serde finds wrong with a query, by the names of the contract alone: what was sent may be a person's.
fn unfit(said: &str) -> Option<ApiRefusal> {
    let ours = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let named = |what: &str| said.rsplit_once(what)?.1.split('`').next().filter(ours);
    if let Some(name) = named("missing field `") {
        return Some(wrong_parameter(name, "den mangler", "it is missing"));
    }
    if let Some(name) = named("duplicate field `") {
        return Some(wrong_parameter(name, "den står flere gange", "it is repeated"));
    }
    let (_, expected) = said.rsplit_once(", expected ").filter(|_| said.contains("unknown field `"))?;
    let names: Vec<_> = expected.split('`').skip(1).step_by(2).filter(ours).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        wrong_parameter(
            "?",
            format!("den er ukendt; parametrene er {names}"),
            format!("it is unknown; the parameters are {names}"),
        )
    })
}

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiRefusal> {
        Self::read(&parts.uri)
    }
}

/// `If-Match`, which every change of something that is there must have: one strong ETag (RFC 9110, 13.1.1).
pub struct IfMatch(pub String);

impl FromRequestParts<Api> for IfMatch {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiRefusal> {
        let invalid = || ApiRefusal::ApiHeaderInvalid { field: "If-Match".to_owned() };
        let value = one(&parts.headers, IF_MATCH.as_str(), invalid)?.ok_or(ApiRefusal::ApiPreconditionMissing)?;
        let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        // `*` would be a decision on whatever is there.
        match inner {
            Some(inner) if !inner.contains('"') => Ok(Self(value.to_owned())),
            _ => Err(invalid()),
        }
    }
}

impl IfMatch {
    /// Whether what is to be changed is as it was read.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiPreconditionFailed`].
    pub fn holds(&self, etag: &str) -> Result<(), ApiRefusal> {
        if self.0 == etag { Ok(()) } else { Err(ApiRefusal::ApiPreconditionFailed) }
    }
}

/// A header field that stands at most once.
pub fn one<'h>(headers: &'h HeaderMap, name: &str, invalid: impl Fn() -> ApiRefusal) -> Result<Option<&'h str>, ApiRefusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| invalid()),
        (Some(_), Some(_)) => Err(invalid()),
    }
}

/// A body of JSON, read whole, with its bytes for the digest of an Idempotency-Key.
pub struct Json<T> {
    /// What it says.
    pub value: T,
    /// What was sent.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Api> for Json<T> {
    type Rejection = ApiRefusal;

    async fn from_request(request: Request<Body>, api: &Api) -> Result<Self, ApiRefusal> {
        if media_type(request.headers())? != "application/json" {
            return Err(ApiRefusal::ApiMediaType { expected: Detail::name("application/json") });
        }
        let bytes = read(request.into_body(), api.body_bytes).await?;
        let Object(value) = json(&bytes)?;
        Ok(Self { value, bytes })
    }
}

/// JSON, with the refusal that says where it is wrong.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiRefusal> {
    let refused = |error: serde_json::Error| {
        // No name: which field it is may be what was sent.
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => {
                ApiRefusal::ApiFieldInvalid { field: format!("{line}:{column}"), what: unread::describe(&error) }
            }
            _ => ApiRefusal::ApiBodyUnreadable {
                place: Detail::new(format!("linje {line}, tegn {column}"), format!("line {line}, column {column}")),
            },
        }
    };
    // What is no JSON at all is reported as such, whatever else is wrong before the place where it breaks off.
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(refused)?;
    serde_json::from_slice(bytes).map_err(refused)
}

/// The media type of a body, without its parameters. A coded body is none that is known here.
pub fn media_type(headers: &HeaderMap) -> Result<String, ApiRefusal> {
    let expected = || ApiRefusal::ApiMediaType { expected: Detail::name("application/json") };
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(expected());
    }
    let value = one(headers, CONTENT_TYPE.as_str(), expected)?.ok_or_else(expected)?;
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let kind = parts.next().unwrap_or_default();
    let mut charsets = parts.filter_map(|parameter| parameter.strip_prefix("charset=").map(str::to_owned));
    if charsets.all(|charset| charset.trim_matches('"') == "utf-8") { Ok(kind) } else { Err(expected()) }
}

/// What the edge says of a body.
pub(super) fn body_refusal(error: axum::Error) -> ApiRefusal {
    let refusal = error.into_inner().downcast::<Refusal>();
    match refusal.as_deref() {
        Ok(Refusal::BodyTooLarge { limit }) => ApiRefusal::ApiBodyTooLarge { limit: *limit },
        _ => ApiRefusal::ApiBodyIncomplete,
    }
}

/// Reads a body to its end; the edge bounds its size and time.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, ApiRefusal> {
    let read = body.collect().await.map_err(body_refusal)?;
    let bytes = read.to_bytes();
    if bytes.len() > limit { Err(ApiRefusal::ApiBodyTooLarge { limit }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[expect(dead_code, reason = "only what cannot be read is tried")]
        authority: String,
    }

    fn told(query: &str) -> String {
        let read = Query::<Asked>::read(&format!("/api/v1/persons{query}").parse().unwrap());
        let entry = read.map(|_| ()).unwrap_err().entry();
        format!("{} / {}", entry.da.what, entry.en.what)
    }

    #[test]
    fn a_parameter_that_is_missing_is_named() {
        let said = told("");
        assert!(said.contains("Parameteren authority kan ikke bruges: den mangler"), "{said}");
        assert!(said.contains("The parameter authority cannot be used: it is missing"), "{said}");
    }

    #[test]
    fn a_parameter_that_is_repeated_is_named() {
        let said = told("?authority=11111111&authority=11111111");
        assert!(said.contains("The parameter authority cannot be used: it is repeated"), "{said}");
    }

    #[test]
    fn one_that_is_unknown_is_told_the_known_ones_and_what_was_sent_is_not_repeated() {
        let said = told("?authority=11111111&6101801234=x");
        assert!(said.contains("it is unknown; the parameters are authority") && !said.contains("6101801234"), "{said}");
    }
}
