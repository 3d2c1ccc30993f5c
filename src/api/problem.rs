//! How the API says no: a problem (RFC 9457), made of the table of refusals, in the language that was asked for.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response as Described, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::CallId;
use crate::agreements::{AgreementError, route::store::RouteError};
use crate::decisions::DecideError;
use crate::refusal::api::ApiRefusal;
use crate::refusal::{Audience, Detail, Retry};
use crate::store::StoreError;

/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Where the types of problems are.
pub const TYPES: &str = "/api/v1/problems#";

/// Why a request was refused. Nothing of it was carried out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Which problem it is: a reference to its description, which ends in its code.
    #[schema(format = "uri-reference", max_length = 200, examples("/api/v1/problems#ApiNotAllowed"))]
    pub r#type: String,
    /// The code. A program acts on it; it never changes its meaning.
    #[schema(max_length = 100)]
    pub code: String,
    /// What was wrong, in one sentence.
    #[schema(max_length = 2000)]
    pub title: String,
    /// What to do.
    #[schema(max_length = 2000)]
    pub detail: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// The request's id, by which the operators find it.
    #[schema(format = "uri", max_length = 100, examples("urn:uuid:0193a1b0-0000-7000-8000-000000000000"))]
    pub instance: String,
    /// Who can mend it: SLUTBRUGER, ADMINISTRATOR or DRIFT.
    #[schema(max_length = 20)]
    pub audience: &'static str,
    /// Whether the same request may be sent again later.
    pub retry: bool,
}

/// Danish or English.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Where nothing is asked for, or something else.
    Danish,
    /// Where it is preferred.
    English,
}

impl Language {
    /// What `Accept-Language` asks for (RFC 9110, 12.5.4).
    pub fn asked(headers: &HeaderMap) -> Self {
        let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let quality = |wanted: &str| {
            let ranges = text.split(',').filter_map(|range| {
                let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
                let tag = tag.trim().to_ascii_lowercase();
                let named = tag == wanted || tag.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-'));
                let quality = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse::<f32>().ok());
                named.then(|| quality.unwrap_or(0.0))
            });
            ranges.fold(0.0, f32::max)
        };
        if quality("en") > quality("da") { Self::English } else { Self::Danish }
    }

    /// The tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Danish => "da",
            Self::English => "en",
        }
    }
}

/// An answer that is still to be written in the language asked for.
pub fn refuse(refusal: ApiRefusal) -> Response<Body> {
    let status = refusal.entry().http.and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(refusal);
    response
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response<Body> {
        refuse(self)
    }
}

/// The path as the contract names it, for the log.
#[derive(Debug, Clone)]
pub(super) struct Matched(pub(super) String);

/// The path of what was answered, as the contract names it: never what a client made up.
pub(super) fn matched(response: &Response<Body>) -> &str {
    response.extensions().get::<Matched>().map_or("-", |matched| matched.0.as_str())
}

/// Writes what was refused, in whatever step; axum's own 404 and 405 too.
pub(super) fn render(mut response: Response<Body>, language: Language, call: CallId) -> Response<Body> {
    let refusal = match (response.extensions_mut().remove::<ApiRefusal>(), response.status()) {
        (Some(refusal), _) => refusal,
        (None, StatusCode::NOT_FOUND) => ApiRefusal::ApiPathUnknown,
        (None, StatusCode::METHOD_NOT_ALLOWED) => ApiRefusal::ApiMethodNotAllowed,
        // What changes between two users, or at the next decision, is not kept by whatever stands between.
        (None, _) => {
            response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            return response;
        }
    };
    let (entry, status) = (refusal.entry(), response.status());
    let text = if language == Language::English { &entry.en } else { &entry.da };
    let problem = Problem {
        r#type: format!("{TYPES}{}", entry.code),
        code: entry.code.to_owned(),
        title: text.what.clone(),
        detail: text.remedy.clone(),
        status: status.as_u16(),
        instance: call.0.urn().to_string(),
        audience: audience(entry.audience),
        retry: entry.retry == Retry::Later,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = entry.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    *response.body_mut() = Body::from(body);
    response
}

/// The answer where the listener has no room for a request with these header fields.
pub fn overloaded(headers: &HeaderMap) -> Response<Body> {
    render(refuse(ApiRefusal::ApiOverloaded), Language::asked(headers), CallId(uuid::Uuid::now_v7()))
}

pub(super) fn audience(audience: Audience) -> &'static str {
    Audience::CODES.iter().find(|(_, known)| *known == audience).map_or("DRIFT", |(code, _)| code)
}

/// What the store or a decision said, as a refusal. What is no business of the caller's goes to the log.
pub fn of_decision(error: DecideError) -> ApiRefusal {
    match error {
        DecideError::Refused(refusal) => refusal,
        DecideError::Store(error) => of_store(error),
        DecideError::Agreement(error) => of_agreement(error),
        DecideError::Route(error) => of_route(error),
        // Users and signatures are of the command line.
        error @ (DecideError::Sign(_) | DecideError::User(_)) => {
            tracing::error!(%error, "a decision failed in a way that the API has no words for");
            ApiRefusal::ApiInternal
        }
    }
}

/// The same of agreements.
pub fn of_agreement(error: AgreementError) -> ApiRefusal {
    match error {
        AgreementError::Store(error) => of_store(error),
        AgreementError::IllegalTransition { from, to, .. } => {
            ApiRefusal::ApiTransition { from: Detail::name(from.wire_name()), to: Detail::name(to.wire_name()) }
        }
        AgreementError::Conflicts(conflicts) => ApiRefusal::ApiConflict {
            what: Detail::new(
                "myndigheden mangler i registeret, eller id'et er i brug af en aftale med andre vilkår",
                conflicts.join("; "),
            ),
        },
        AgreementError::ChangedSinceShown(_) => ApiRefusal::ApiPreconditionFailed,
        AgreementError::NoSuchAgreement(_) => ApiRefusal::ApiNotFound { what: Detail::new("serviceaftale", "service agreement") },
    }
}

/// What a request is told whose time ran out. One that only reads has changed nothing, and is sent again.
pub fn ran_out(method: &Method) -> ApiRefusal {
    if method.is_safe() { ApiRefusal::ApiUnavailable } else { ApiRefusal::ApiUndecided }
}

/// The same of the store alone.
pub fn of_store(error: StoreError) -> ApiRefusal {
    match error {
        error @ (StoreError::Replaced(_) | StoreError::Undecided(_)) => {
            tracing::error!(%error, "nobody knows whether a change was kept");
            ApiRefusal::ApiUndecided
        }
        error @ StoreError::Unreadable { .. } => {
            tracing::error!(%error, "the store cannot be read");
            ApiRefusal::ApiInternal
        }
        error => {
            tracing::warn!(%error, "the store did not answer");
            ApiRefusal::ApiUnavailable
        }
    }
}

fn of_route(error: RouteError) -> ApiRefusal {
    let conflict = |da: String, en: String| ApiRefusal::ApiConflict { what: Detail::new(da, en) };
    let en = error.to_string();
    match error {
        RouteError::Store(error) => of_store(error),
        RouteError::Conflicts(conflicts) => conflict(
            "en anden rute bærer de samme kald på en af dagene, eller id'et er i brug af en anden rute".to_owned(),
            conflicts.join("; "),
        ),
        RouteError::NoSuchRoute(_) => ApiRefusal::ApiNotFound { what: Detail::new("rute", "route") },
        RouteError::AlreadyOver { to, .. } => conflict(format!("ruten ophørte {to}, og det forgangne ændres ikke"), en),
        RouteError::PastDay { on, .. } => conflict(format!("{on} er passeret, og det forgangne ændres ikke"), en),
        RouteError::BeforeItBegins { from, .. } => conflict(format!("ruten begynder først {from}"), en),
        RouteError::WouldOverlap { other, .. } => conflict(format!("ruten {} bærer de samme kald", other.id), en),
        RouteError::NoZone => ApiRefusal::ApiInternal,
    }
}

/// What reading may be refused with.
pub struct ReadProblems;
/// What changing may be refused with.
pub struct WriteProblems;
/// What fetching and delivering files may be refused with.
pub struct FileProblems;

const READ: &[(&str, &str)] = &[
    ("400", "A parameter or a header field cannot be read."),
    ("403", "The certificate is no user's, or the user's roles give no right to it."),
    ("404", "There is nothing here that the user may see."),
    ("405", "Another method than those in Allow."),
    ("500", "A fault of the gateway's own."),
    ("503", "The store does not answer; try again later."),
];
const WRITE: &[(&str, &str)] = &[
    ("408", "The body did not arrive in time."),
    ("409", "It contradicts what is there."),
    ("412", "What is to be changed has changed since it was read."),
    ("413", "The body is too large."),
    ("415", "The body is of another media type."),
    ("422", "A field has a value that it may not have, or the Idempotency-Key was used for another request."),
    ("428", "If-Match is missing."),
];

const FILE: &[(&str, &str)] = &[
    ("410", "The file's content is deleted, or its history."),
    ("416", "The file does not have that range, or more than one was asked for."),
];

fn described(rows: &[(&str, &str)]) -> BTreeMap<String, RefOr<Described>> {
    let schema = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let one = |(status, words): &(&str, &str)| {
        let response = ResponseBuilder::new().description(*words).content(MEDIA_TYPE, schema()).build();
        ((*status).to_owned(), RefOr::T(response))
    };
    rows.iter().map(one).collect()
}

impl IntoResponses for ReadProblems {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        described(READ)
    }
}

impl IntoResponses for WriteProblems {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let mut all = described(READ);
        all.extend(described(WRITE));
        all
    }
}

impl IntoResponses for FileProblems {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let mut all = described(READ);
        all.extend(described(WRITE));
        all.extend(described(FILE));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_is_preferred_and_danish_otherwise() {
        for (asked, due) in [
            ("", Language::Danish),
            ("en", Language::English),
            ("en-GB,en;q=0.9", Language::English),
            ("da-DK, en;q=0.9", Language::Danish),
            ("da;q=0.1, en;q=0.2", Language::English),
            ("en;q=0", Language::Danish),
            ("de, fr;q=0.5", Language::Danish),
            ("english", Language::Danish),
            ("en;q=broken", Language::Danish),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, asked.parse().unwrap())]);
            assert_eq!(Language::asked(&headers), due, "{asked:?}");
        }
    }

    #[test]
    fn whether_something_was_done_is_in_doubt_only_where_something_was_to_be_done() {
        for (method, due) in [
            (Method::GET, ApiRefusal::ApiUnavailable),
            (Method::HEAD, ApiRefusal::ApiUnavailable),
            (Method::POST, ApiRefusal::ApiUndecided),
            (Method::PUT, ApiRefusal::ApiUndecided),
        ] {
            assert_eq!(ran_out(&method).code(), due.code(), "{method}");
        }
    }

    #[test]
    fn every_refusal_is_a_whole_problem_with_its_status_in_both_languages() {
        for refusal in ApiRefusal::every() {
            let code = refusal.code();
            for language in [Language::Danish, Language::English] {
                let response = render(refuse(refusal.clone()), language, CallId(uuid::Uuid::nil()));
                assert!(response.status().is_client_error() || response.status().is_server_error(), "{code}");
                assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE, "{code}");
                assert_eq!(response.headers()[CONTENT_LANGUAGE], language.tag());
            }
            let documented = FileProblems::responses().contains_key(&refusal.entry().http.unwrap().to_string());
            assert!(documented, "{code}: its status is in the contract");
        }
    }
}
