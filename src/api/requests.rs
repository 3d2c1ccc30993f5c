//! `/api/v1/requests`: requests for agreements, from the draft on; the lines of one are agreements.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::agreements::filter::{SideName, side_of};
use super::extract::{Caller, Id, IfMatch, Json, Query};
use super::idempotency::{Answer, digest, once};
use super::input::{instant, line, list as items, maybe_uuid, named_once, parsed, uuid, within, wrong, wrong_parameter};
use super::page::{self, after, limit};
use super::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use crate::agreements::request::store::Wanted;
use crate::agreements::request::{Content, Part, Request, Standing};
use crate::agreements::terms::Kind;
use crate::agreements::{Agreement, Environment, Thumbprint};
use crate::decisions::{Because, By, Kept, request as decisions, shown};
use crate::id::cvr::Cvr;
use crate::refusal::api::ApiRefusal;
use crate::services;
use crate::text;
use crate::users::keys::Key;
use crate::users::rights::Action;
use crate::users::{Actor, Scope, Whose};

/// The most of one request.
const MOST: usize = 1000;

/// A service that is asked for.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedService {
    /// The service.
    #[serde(deserialize_with = "uuid")]
    pub service: Uuid,
    /// `front` or `back`.
    #[schema(value_type = SideName)]
    pub side: String,
    /// What it is narrowed to, in the service's words, such as `kle` and `sensitivity`.
    #[serde(default, deserialize_with = "named_once")]
    pub scope: BTreeMap<String, Vec<String>>,
}

/// What a request says. In a draft anything may be left out.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestForm {
    /// `without-passing-on`, `several-receivers`, `several-owners` or `one-owner-one-receiver`.
    #[schema(max_length = 40)]
    pub kind: Option<String>,
    /// What it is called.
    #[schema(max_length = 1000)]
    pub name: String,
    /// Why it is asked for, written for those who approve.
    #[schema(max_length = 1000)]
    pub justification: String,
    /// Where it is to hold.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    pub environment: Option<String>,
    /// The first instant, with an offset; left out: as soon as it is requested.
    #[schema(value_type = Option<Timestamp>)]
    pub valid_from: Option<String>,
    /// The first instant at which it no longer holds; left out: no end.
    #[schema(value_type = Option<Timestamp>)]
    pub valid_to: Option<String>,
    /// The client system.
    #[serde(deserialize_with = "maybe_uuid")]
    pub system: Option<Uuid>,
    /// SHA-256 of the client system's certificates, in hexadecimal.
    #[schema(max_items = 16)]
    pub certificates: Vec<String>,
    /// The authorities, by CVR number: a line for each and each service.
    #[schema(max_items = 1000)]
    pub authorities: Vec<String>,
    /// The services.
    #[schema(max_items = 50)]
    pub services: Vec<RequestedService>,
    /// The reference of the data-processing agreement.
    #[schema(max_length = 1000)]
    pub contract: String,
    /// What the data may be used for.
    #[schema(max_length = 1000)]
    pub purpose: String,
    /// The paragraph that gives access.
    #[schema(max_length = 1000)]
    pub legal_basis: String,
    /// The categories of data.
    #[schema(max_items = 50)]
    pub categories: Vec<String>,
    /// For how long the data are kept.
    #[schema(max_length = 1000)]
    pub retention: String,
    /// The requests without whose agreements it makes no sense: they end together.
    #[schema(max_items = 50)]
    pub depends_on: Vec<String>,
    /// The request whose new version it is.
    #[serde(deserialize_with = "maybe_uuid")]
    pub replaces: Option<Uuid>,
}

impl RequestForm {
    /// Reads what is given; what is left out stays empty.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiFieldInvalid`].
    pub fn read(&self) -> Result<Content, ApiRefusal> {
        let words = |field: &str, text: &str| if text.trim().is_empty() { Ok(String::new()) } else { line(field, text) };
        let environment = |text: &String| {
            let (da, en) = ("det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg", "it is not 1 to 32 of a-z, 0-9 and hyphen");
            parsed::<Environment>("environment", text, da, en)
        };
        let kind = |text: &String| parsed::<Kind>("kind", text, "det er ikke en af typerne", "it is none of the types");
        let mut certificates = items("certificates", &self.certificates, 16, |text| {
            let (da, en) =
                ("et fingeraftryk er SHA-256, 64 hexadecimale cifre", "a thumbprint is SHA-256, 64 hexadecimal digits");
            parsed::<Thumbprint>("certificates", text, da, en)
        })?;
        certificates.sort_unstable();
        certificates.dedup();
        let mut authorities = items("authorities", &self.authorities, MOST, |text| {
            parsed::<Cvr>("authorities", text, "det er ikke otte cifre", "it is not eight digits")
        })?;
        authorities.sort_unstable();
        authorities.dedup();
        if self.services.len() > 50 {
            return Err(wrong("services", "der er flere end 50", "there are more than 50"));
        }
        let service = |asked: &RequestedService| {
            let side = side_of(&asked.side)
                .ok_or_else(|| wrong("services", "side er hverken front eller back", "side is neither front nor back"))?;
            let lengths = asked.scope.iter().map(|(name, values)| name.len() + values.iter().map(String::len).sum::<usize>());
            if lengths.sum::<usize>() > 256 * 1024 {
                return Err(wrong("services", "en afgrænsning er længere end 256 KiB", "a narrowing is longer than 256 KiB"));
            }
            Ok(Part { service: asked.service, side, scope: asked.scope.clone() })
        };
        Ok(Content {
            kind: self.kind.as_ref().map(kind).transpose()?.unwrap_or_default(),
            name: words("name", &self.name)?,
            justification: words("justification", &self.justification)?,
            environment: self.environment.as_ref().map(environment).transpose()?,
            valid_from: self.valid_from.as_deref().map(|text| instant("valid_from", text)).transpose()?,
            valid_to: self.valid_to.as_deref().map(|text| instant("valid_to", text)).transpose()?,
            system: self.system,
            certificates,
            authorities,
            services: self.services.iter().map(service).collect::<Result<_, _>>()?,
            contract: words("contract", &self.contract)?,
            purpose: words("purpose", &self.purpose)?,
            legal_basis: words("legal_basis", &self.legal_basis)?,
            categories: items("categories", &self.categories, 50, |text| line("categories", text))?,
            retention: words("retention", &self.retention)?,
            depends_on: items("depends_on", &self.depends_on, 50, |text| {
                text::uuid(text).ok_or_else(|| wrong("depends_on", "det er ikke en UUID", "it is not a UUID"))
            })?,
            replaces: self.replaces,
        })
    }

    /// As it was given.
    pub fn of(content: &Content) -> Self {
        Self {
            kind: Some(content.kind.name().to_owned()),
            name: content.name.clone(),
            justification: content.justification.clone(),
            environment: content.environment.as_ref().map(|environment| environment.as_str().to_owned()),
            valid_from: content.valid_from.map(|from| from.to_string()),
            valid_to: content.valid_to.map(|to| to.to_string()),
            system: content.system,
            certificates: content.certificates.iter().map(ToString::to_string).collect(),
            authorities: content.authorities.iter().map(ToString::to_string).collect(),
            services: content
                .services
                .iter()
                .map(|part| RequestedService {
                    service: part.service,
                    side: part.side.name().to_owned(),
                    scope: part.scope.clone(),
                })
                .collect(),
            contract: content.contract.clone(),
            purpose: content.purpose.clone(),
            legal_basis: content.legal_basis.clone(),
            categories: content.categories.clone(),
            retention: content.retention.clone(),
            depends_on: content.depends_on.iter().map(ToString::to_string).collect(),
            replaces: content.replaces,
        }
    }
}

/// A line of a request: an agreement with a state of its own.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LineView {
    /// The agreement.
    pub agreement: Uuid,
    /// The authority, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// The service.
    pub service: Uuid,
    /// `front` or `back`.
    #[schema(max_length = 5)]
    pub side: &'static str,
    /// Where it stands now, its period counted.
    #[schema(max_length = 11)]
    pub stands: &'static str,
    /// Why, in the words of whoever decided last.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
}

/// A request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestView {
    /// Its id.
    pub id: Uuid,
    /// KLADDE, ANMODET or TRUKKET.
    #[schema(max_length = 11)]
    pub state: &'static str,
    /// How often it was written.
    #[schema(minimum = 1, maximum = 9007199254740991_i64)]
    pub edition: i64,
    /// The authority or company for which it is made; null for the gateway's operators.
    #[schema(max_length = 8)]
    pub party: Option<String>,
    /// When it was begun.
    pub made_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// What it says.
    pub form: RequestForm,
    /// Its lines: none of a draft, and of another party's request one's own.
    #[schema(max_items = 1000)]
    pub lines: Vec<LineView>,
    /// The text that is to be shown to whoever sends or withdraws it.
    #[schema(max_length = 20000000)]
    pub text: String,
    /// SHA-256 of the text, in hexadecimal: what a decision sends as `shown`.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub text_sha256: String,
    /// Its ETag, as it stands in the header field of that name.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl RequestView {
    fn of(request: &Request, lines: &[Agreement], now: Timestamp) -> Self {
        let text = request.text();
        let line = |line: &Agreement| LineView {
            agreement: line.id,
            authority: line.authority.to_string(),
            service: line.service,
            side: line.side.name(),
            stands: line.standing(now).state().wire_name(),
            reason: line.reason.clone(),
        };
        Self {
            id: request.id,
            state: request.state.wire_name(),
            edition: request.edition,
            party: request.party.map(|cvr| cvr.to_string()),
            made_at: request.made_at,
            changed_at: request.changed_at,
            form: RequestForm::of(&request.content),
            lines: lines.iter().map(line).collect(),
            text_sha256: shown::sha256(&text),
            text,
            etag: decisions::etag(request),
        }
    }
}

/// A request in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestSummary {
    /// Its id.
    pub id: Uuid,
    /// KLADDE, ANMODET or TRUKKET.
    #[schema(max_length = 11)]
    pub state: &'static str,
    /// What it is called.
    #[schema(max_length = 1000)]
    pub name: String,
    /// The authority or company for which it is made; null for the gateway's operators.
    #[schema(max_length = 8)]
    pub party: Option<String>,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

/// A page of requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestPage {
    /// The requests, in the order of their ids.
    #[schema(max_items = 200)]
    pub items: Vec<RequestSummary>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// Which requests to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// KLADDE, ANMODET or TRUKKET.
    #[param(max_length = 11)]
    state: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 200)]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// Which requests somebody sees: a supplier its own, an authority those that it made or is asked by; of the user's services alone.
pub(crate) fn wanted(actor: &Actor) -> Result<Wanted, ApiRefusal> {
    let Scope { whose, services } = actor.scope();
    let wanted = Wanted { services, ..Wanted::default() };
    match whose {
        Whose::Everybody => Ok(wanted),
        Whose::Authority(own) => Ok(Wanted { authority: Some(own), ..wanted }),
        Whose::Supplier(own) => Ok(Wanted { party: Some(own), ..wanted }),
        Whose::Nobody => Err(ApiRefusal::ApiInternal),
    }
}

/// The requests that the user may see, a page at a time.
#[utoipa::path(get, operation_id = "listRequests", path = "/api/v1/requests", tag = "requests", params(Filter),
    responses((status = 200, description = "A page of requests.", body = RequestPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(filter): Query<Filter>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeAgreements)?;
    let state = |text: &str| {
        let (da, en) = ("det er ikke KLADDE, ANMODET eller TRUKKET", "it is not KLADDE, ANMODET or TRUKKET");
        text.parse::<Standing>().map_err(|_| wrong_parameter("state", da, en))
    };
    let wanted = Wanted { state: filter.state.as_deref().map(state).transpose()?, ..wanted(&caller)? };
    let own = page::list("requests", &wanted, caller.user().id);
    let many = limit(filter.limit.as_deref())?;
    let wanted = Wanted { after: after(filter.after.as_deref(), &own)?, limit: many + 1, ..wanted };
    let found = api.store.requests(&wanted).await.map_err(of_store)?;
    let (found, next) = page::cut(found, many, &own, |request| request.id);
    let summary = |request: &Request| RequestSummary {
        id: request.id,
        state: request.state.wire_name(),
        name: request.content.name.clone(),
        party: request.party.map(|cvr| cvr.to_string()),
        changed_at: request.changed_at,
    };
    Ok(axum::Json(RequestPage { items: found.iter().map(summary).collect(), next }).into_response())
}

/// One request with its lines, and the text that is shown to whoever sends it.
#[utoipa::path(get, operation_id = "getRequest", path = "/api/v1/requests/{id}", tag = "requests", params(("id" = Uuid, Path, description = "The request.")),
    responses((status = 200, description = "The request.", body = RequestView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let request = decisions::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    let lines = decisions::lines_seen(&api.store, &caller, &request).await.map_err(of_decision)?;
    let view = RequestView::of(&request, &lines, api.clock.now());
    let etag = HeaderValue::from_str(&view.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// A draft as it is answered.
fn answered(request: &Request, status: StatusCode) -> Result<Answer, ApiRefusal> {
    let view = RequestView::of(request, &[], request.changed_at);
    Ok(Answer::new(status, &view)?.etag(view.etag.clone()).location(format!("/api/v1/requests/{}", request.id)))
}

/// What is written down of a change that has no reason of its own.
const DRAFTED: &str = "kladde";

/// Begins a request: it is KLADDE, and nobody is asked yet.
#[utoipa::path(post, operation_id = "draftRequest", path = "/api/v1/requests", tag = "requests", request_body = RequestForm,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The draft.", body = RequestView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "The request's address."))), WriteProblems))]
pub async fn draft(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<RequestForm>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::RequestAgreement)?;
    let content = value.read()?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(DRAFTED.to_owned(), own.clock.now());
        let answer = |request: &Request| answered(request, StatusCode::CREATED);
        let kept = |request: &Request| answer(request)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let made = decisions::draft(&own.store, By::User(&actor), Uuid::now_v7(), content, &because, kept).await;
        let made = made.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&made)
    };
    once(&api, &caller, &headers, digest(&["draft"], &bytes), work).await
}

/// Writes a draft anew, as a whole.
#[utoipa::path(put, operation_id = "writeRequest", path = "/api/v1/requests/{id}", tag = "requests", request_body = RequestForm,
    params(("id" = Uuid, Path, description = "The request."),
        ("If-Match" = String, Header, description = "The request's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The draft as it is now.", body = RequestView,
        headers(("ETag" = String, description = "What If-Match takes."))), WriteProblems))]
pub async fn write(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<RequestForm>,
) -> Result<Answer, ApiRefusal> {
    let content = value.read()?;
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let request = decisions::seen(&own.store, &actor, id).await.map_err(of_decision)?;
        IfMatch(matching).holds(&decisions::etag(&request))?;
        let because = Because::new(DRAFTED.to_owned(), own.clock.now());
        let answer = |request: &Request| answered(request, StatusCode::OK);
        let kept = |request: &Request| answer(request)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let written = decisions::write(&own.store, By::User(&actor), &request, content, &because, kept).await;
        let written = written.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&written)
    };
    once(&api, &caller, &headers, digest(&["write", &id.to_string(), &if_match.0], &bytes), work).await
}

/// What is decided on a request.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum RequestDecision {
    /// KLADDE becomes ANMODET, and each line an agreement that is ANMODET.
    Submit,
    /// It becomes TRUKKET, and so does each line that nobody has answered.
    Withdraw,
}

impl<'de> Deserialize<'de> for RequestDecision {
    /// By its name alone: of itself serde takes `{"submit": null}` for it too.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "submit" => Ok(Self::Submit),
            "withdraw" => Ok(Self::Withdraw),
            _ => Err(serde::de::Error::unknown_variant("", &["submit", "withdraw"])),
        }
    }
}

/// A decision on a request.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestDecisionRequest {
    /// What is decided.
    pub decision: RequestDecision,
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// `text_sha256` of the request whose text was shown to the user.
    #[schema(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    pub shown: String,
}

/// Sends a draft to its authorities, or takes a request back.
#[utoipa::path(post, operation_id = "decideOnRequest", path = "/api/v1/requests/{id}/decisions", tag = "requests", request_body = RequestDecisionRequest,
    params(("id" = Uuid, Path, description = "The request."),
        ("If-Match" = String, Header, description = "The request's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The request as it is now; its lines are read by its id.", body = RequestView,
        headers(("ETag" = String, description = "What If-Match takes."))), WriteProblems))]
pub async fn decide(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<RequestDecisionRequest>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    within("shown", &value.shown, 64)?;
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let request = decisions::seen(&own.store, &actor, id).await.map_err(of_decision)?;
        IfMatch(matching).holds(&decisions::etag(&request))?;
        if value.shown != shown::sha256(&request.text()) {
            return Err(ApiRefusal::ApiShownDiffers);
        }
        let because = Because::new(reason, own.clock.now());
        let answer = |request: &Request| answered(request, StatusCode::OK);
        let kept = |request: &Request| answer(request)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let (store, by) = (&own.store, By::User(&actor));
        let decided = match value.decision {
            RequestDecision::Submit => {
                let vocabulary = services::vocabulary();
                decisions::submit(store, by, &request, &own.rules, &vocabulary, &because, kept).await
            }
            RequestDecision::Withdraw => decisions::withdraw(store, by, &request, &because, kept).await,
        };
        let decided = decided.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&decided)
    };
    once(&api, &caller, &headers, digest(&["decide on request", &id.to_string(), &if_match.0], &bytes), work).await
}
