//! `/api/v1/agreements`.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{Caller, Id, IfMatch, Json, Query, json, media_type, read};
use super::idempotency::{Answer, digest, once};
use super::input::{instant, line, list as items, named_once, one_reason, parsed, wrong, wrong_parameter};
use super::page::{self, after, cursor, limit};
use super::problem::{ReadProblems, WriteProblems, of_agreement, of_decision, of_store};
use super::{Api, table};
use crate::agreements::import::Import;
use crate::agreements::page::Wanted;
use crate::agreements::{Agreement, Environment, Scope, Side, Standing, State as Stands, Thumbprint};
use crate::decisions::agreement as decisions;
use crate::decisions::shown;
use crate::decisions::{Because, By};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::services;
use crate::users::Actor;
use crate::users::Whose;
use crate::users::rights::Action;

/// A service agreement.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AgreementView {
    /// Its id.
    pub id: Uuid,
    /// `front`: a client system may call the service. `back`: the service may call what stands behind it.
    #[schema(max_length = 5)]
    pub side: &'static str,
    /// The client system; on the back the service itself, as what stands behind it knows it.
    pub system: Uuid,
    /// SHA-256 of the client system's certificates, in hexadecimal.
    #[schema(max_items = 16)]
    pub certificates: Vec<String>,
    /// The service.
    pub service: Uuid,
    /// The authority on whose behalf is called, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// Where it holds.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    pub environment: String,
    /// The first instant at which it holds.
    pub valid_from: Timestamp,
    /// The first instant at which it no longer holds; null if it has no end.
    pub valid_to: Option<Timestamp>,
    /// What was last decided: ANMODET, GODKENDT, AFVIST, TRUKKET, SUSPENDERET, OPSAGT or UDLØBET.
    #[schema(max_length = 11)]
    pub state: &'static str,
    /// Where it stands now, its period counted.
    #[schema(max_length = 11)]
    pub stands: &'static str,
    /// Whether it opens anything now.
    pub holds: bool,
    /// The paragraph that gives access.
    #[schema(max_length = 1000)]
    pub legal_basis: String,
    /// What the data may be used for.
    #[schema(max_length = 1000)]
    pub purpose: String,
    /// What it is narrowed to, in the service's words.
    pub scope: BTreeMap<String, serde_json::Value>,
    /// Who made the last decision, by name.
    #[schema(max_length = 1000)]
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// The text that is to be shown to whoever decides.
    #[schema(max_length = 300000)]
    pub text: String,
    /// SHA-256 of the text, in hexadecimal: what a decision sends as `shown`.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub text_sha256: String,
    /// The agreement's ETag, as it stands in the header field of that name: what a decision sends in `If-Match`.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl AgreementView {
    fn of(agreement: &Agreement, now: Timestamp) -> Self {
        let (standing, text) = (agreement.standing(now), shown::text(agreement));
        Self {
            id: agreement.id,
            side: agreement.side.name(),
            system: agreement.system,
            certificates: agreement.certificates.iter().map(ToString::to_string).collect(),
            service: agreement.service,
            authority: agreement.authority.to_string(),
            environment: agreement.environment.as_str().to_owned(),
            valid_from: agreement.valid_from,
            valid_to: agreement.valid_to,
            state: agreement.state.wire_name(),
            stands: standing.state().wire_name(),
            holds: standing == Standing::Holds,
            legal_basis: agreement.legal_basis.clone(),
            purpose: agreement.purpose.clone(),
            scope: agreement
                .scope
                .names()
                .filter_map(|name| Some((name.to_owned(), agreement.scope.get(name)?.clone())))
                .collect(),
            decided_by: agreement.decided_by.clone(),
            decided_at: agreement.decided_at,
            reason: agreement.reason.clone(),
            text_sha256: shown::sha256(&text),
            text,
            etag: shown::etag(agreement),
        }
    }
}

/// A page of agreements.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgreementPage {
    /// The agreements, in the order of their ids.
    #[schema(max_items = 200)]
    pub items: Vec<AgreementView>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// Which agreements to list, those that fit everything given, and where the page begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// By the authority's CVR number.
    #[param(pattern = "^[0-9]{8}$", max_length = 8)]
    authority: Option<String>,
    /// By service.
    #[param(value_type = Option<Uuid>)]
    service: Option<String>,
    /// By client system.
    #[param(value_type = Option<Uuid>)]
    system: Option<String>,
    /// By side.
    #[param(value_type = Option<SideName>)]
    side: Option<String>,
    /// By environment.
    #[param(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    environment: Option<String>,
    /// By what was last decided.
    #[param(value_type = Option<StateName>)]
    state: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 200)]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// A side.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code)] // for the contract alone: what comes in is read by `Side`'s own names
pub enum SideName {
    /// Towards client systems.
    Front,
    /// Towards what stands behind the service.
    Back,
}

/// A state.
#[derive(ToSchema)]
#[allow(dead_code)] // as above
pub enum StateName {
    /// Requested.
    #[schema(rename = "ANMODET")]
    Requested,
    /// Approved.
    #[schema(rename = "GODKENDT")]
    Approved,
    /// Rejected.
    #[schema(rename = "AFVIST")]
    Rejected,
    /// Withdrawn.
    #[schema(rename = "TRUKKET")]
    Withdrawn,
    /// Suspended.
    #[schema(rename = "SUSPENDERET")]
    Suspended,
    /// Ended.
    #[schema(rename = "OPSAGT")]
    Terminated,
    /// Expired.
    #[schema(rename = "UDLØBET")]
    Expired,
}

impl Filter {
    fn wanted(&self, actor: &Actor) -> Result<Wanted, ApiRefusal> {
        fn read<T: std::str::FromStr>(name: &str, text: Option<&String>, da: &str, en: &str) -> Result<Option<T>, ApiRefusal> {
            text.map(|text| text.parse().map_err(|_| wrong_parameter(name, da, en))).transpose()
        }
        let uuid = ("det er ikke en UUID", "it is not a UUID");
        let scope = actor.scope();
        let mut wanted = Wanted {
            authority: read("authority", self.authority.as_ref(), "det er ikke otte cifre", "it is not eight digits")?,
            service: read("service", self.service.as_ref(), uuid.0, uuid.1)?,
            system: read("system", self.system.as_ref(), uuid.0, uuid.1)?,
            side: self.side.as_deref().map(side_parameter).transpose()?,
            environment: read(
                "environment",
                self.environment.as_ref(),
                "det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg",
                "it is not 1 to 32 of a-z, 0-9 and hyphen",
            )?,
            state: read("state", self.state.as_ref(), "det er ikke en tilstand", "it is not a state")?,
            services: scope.services,
            ..Wanted::default()
        };
        match scope.whose {
            Whose::Everybody => {}
            Whose::Authority(own) => wanted.only_authority = Some(own),
            Whose::Supplier(own) => wanted.requested_by = Some(own),
            Whose::Nobody => return Err(ApiRefusal::ApiInternal),
        }
        Ok(wanted)
    }
}

fn side_of(text: &str) -> Option<Side> {
    [Side::Front, Side::Back].into_iter().find(|side| side.name() == text)
}

fn side_parameter(text: &str) -> Result<Side, ApiRefusal> {
    side_of(text).ok_or_else(|| wrong_parameter("side", "det er hverken front eller back", "it is neither front nor back"))
}

/// The agreements that the user may see, a page at a time.
#[utoipa::path(get, operation_id = "listAgreements", path = "/api/v1/agreements", tag = "agreements", params(Filter),
    responses((status = 200, description = "A page of agreements.", body = AgreementPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(filter): Query<Filter>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeAgreements)?;
    let mut wanted = filter.wanted(&caller)?;
    let own = page::list("agreements", &wanted, caller.user().id);
    let many = limit(filter.limit.as_deref())?;
    (wanted.after, wanted.limit) = (after(filter.after.as_deref(), &own)?, many + 1);
    let mut found = api.store.page(&wanted).await.map_err(of_store)?;
    let more = found.len() > many as usize;
    found.truncate(many as usize);
    let next = found.last().filter(|_| more).map(|last| cursor(last.id, &own));
    let now = api.clock.now();
    let items = found.iter().map(|agreement| AgreementView::of(agreement, now)).collect();
    Ok(axum::Json(AgreementPage { items, next }).into_response())
}

/// One agreement, with the text that is shown to whoever decides on it.
#[utoipa::path(get, operation_id = "getAgreement", path = "/api/v1/agreements/{id}", tag = "agreements", params(("id" = Uuid, Path, description = "The agreement.")),
    responses((status = 200, description = "The agreement.", body = AgreementView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let agreement = decisions::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    let view = AgreementView::of(&agreement, api.clock.now());
    let etag = HeaderValue::from_str(&view.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// What is asked for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementRequest {
    /// Its id, where the client chooses it; otherwise one is made.
    #[serde(default)]
    pub id: Option<Uuid>,
    /// `front` or `back`.
    #[schema(value_type = SideName)]
    pub side: String,
    /// The client system.
    pub system: Uuid,
    /// SHA-256 of the client system's certificates, in hexadecimal. On the front at least one.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub certificates: Vec<String>,
    /// The service.
    pub service: Uuid,
    /// The authority, by its CVR number.
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: String,
    /// Where it is to hold.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    pub environment: String,
    /// The first instant, with an offset.
    #[schema(value_type = Timestamp)]
    pub valid_from: String,
    /// The first instant at which it no longer holds; left out: no end.
    #[serde(default)]
    #[schema(value_type = Option<Timestamp>)]
    pub valid_to: Option<String>,
    /// The paragraph that gives access.
    #[schema(min_length = 1, max_length = 1000)]
    pub legal_basis: String,
    /// What the data may be used for.
    #[schema(min_length = 1, max_length = 1000)]
    pub purpose: String,
    /// What it is narrowed to, in the service's words, such as `kle` and `sensitivity`.
    #[serde(default, deserialize_with = "named_once")]
    pub scope: BTreeMap<String, Vec<String>>,
    /// Why it is asked for.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

impl AgreementRequest {
    pub(super) fn read(self) -> Result<(Agreement, String), ApiRefusal> {
        let side = side_of(&self.side)
            .ok_or_else(|| wrong("side", "det er hverken front eller back", "it is neither front nor back"))?;
        let mut certificates = items("certificates", &self.certificates, 16, |text| {
            parsed::<Thumbprint>(
                "certificates",
                text,
                "et fingeraftryk er SHA-256, 64 hexadecimale cifre",
                "a thumbprint is SHA-256, 64 hexadecimal digits",
            )
        })?;
        certificates.sort_unstable();
        certificates.dedup();
        if side == Side::Front && certificates.is_empty() {
            return Err(wrong("certificates", "en aftale på front har mindst ét", "an agreement on the front has at least one"));
        }
        let valid_from = instant("valid_from", &self.valid_from)?;
        let valid_to = self.valid_to.as_deref().map(|text| instant("valid_to", text)).transpose()?;
        if valid_to.is_some_and(|end| end <= valid_from) {
            return Err(wrong("valid_to", "det er ikke efter valid_from", "it is not after valid_from"));
        }
        let agreement = Agreement {
            id: self.id.unwrap_or_else(Uuid::now_v7),
            side,
            system: self.system,
            certificates,
            service: self.service,
            authority: parsed::<Cvr>("authority", &self.authority, "det er ikke otte cifre", "it is not eight digits")?,
            environment: parsed::<Environment>(
                "environment",
                &self.environment,
                "det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg",
                "it is not 1 to 32 of a-z, 0-9 and hyphen",
            )?,
            valid_from,
            valid_to,
            state: Stands::Requested,
            legal_basis: line("legal_basis", &self.legal_basis)?,
            purpose: line("purpose", &self.purpose)?,
            scope: scope(self.scope)?,
            decided_by: None,
            decided_at: None,
            reason: None,
        };
        Ok((agreement, line("reason", &self.reason)?))
    }
}

/// What an agreement is narrowed to: by what the services know, with values that are of it. An empty list narrows nothing.
fn scope(asked: BTreeMap<String, Vec<String>>) -> Result<Scope, ApiRefusal> {
    let known = services::vocabulary().scope;
    let mut entries = Vec::new();
    for (name, texts) in asked {
        let field =
            format!("scope.{}", name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect::<String>());
        let key = known
            .iter()
            .find(|key| key.name == name)
            .ok_or_else(|| wrong(&field, "ingen service afgrænser efter det", "no service narrows by it"))?;
        let mut texts = items(&field, &texts, 1000, |text| match (key.fits)(text) {
            true => Ok(text.to_owned()),
            false => {
                Err(wrong(&field, "en af værdierne er ikke en, som servicen kender", format!("a value is not {}", key.what)))
            }
        })?;
        texts.sort();
        texts.dedup();
        if !texts.is_empty() {
            entries.push((name, texts.into()));
        }
    }
    Scope::of(entries).map_err(|_| wrong("scope", "den er længere end 256 KiB", "it is longer than 256 KiB"))
}

/// Requests an agreement: it is ANMODET, and another person approves it.
#[utoipa::path(post, operation_id = "requestAgreement", path = "/api/v1/agreements", tag = "agreements", request_body = AgreementRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The agreement that was requested.", body = AgreementView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "The agreement's address."))), WriteProblems))]
pub async fn request(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<AgreementRequest>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::RequestAgreement)?;
    let (agreement, reason) = value.read()?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = async move {
        let id = agreement.id;
        let because = Because::new(reason, own.clock.now());
        in_register(&own, agreement.authority).await?;
        let import = Import { authorities: Vec::new(), agreements: vec![agreement] };
        let done = decisions::request(&own.store, By::User(&actor), &import, &because).await.map_err(of_decision)?;
        if done.added == 0 {
            return Err(ApiRefusal::ApiConflict {
                what: Detail::new("der er en aftale med id'et", "there is an agreement with the id"),
            });
        }
        own.decided.notify_one();
        let made = own.store.get(id).await.map_err(of_agreement)?;
        let view = AgreementView::of(&made, own.clock.now());
        let etag = view.etag.clone();
        Ok(Answer::new(StatusCode::CREATED, &view)?.etag(etag).location(format!("/api/v1/agreements/{id}")))
    };
    once(&api, &caller, &headers, digest(&["request"], &bytes), work).await
}

async fn in_register(api: &Api, authority: Cvr) -> Result<(), ApiRefusal> {
    let register = api.store.authorities().await.map_err(of_store)?;
    if register.iter().any(|known| known.cvr == authority) {
        return Ok(());
    }
    let what = Detail::new(
        format!("myndigheden {authority} er ikke i registeret"),
        format!("authority {authority} is not in the register"),
    );
    Err(ApiRefusal::ApiConflict { what })
}

/// What is decided.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
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
    let work = async move {
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
        let decided = decisions::decide(&own.store, By::User(&actor), &agreement, to, &because).await.map_err(of_decision)?;
        own.decided.notify_one();
        let view = AgreementView::of(&decided, own.clock.now());
        let etag = view.etag.clone();
        Ok(Answer::new(StatusCode::OK, &view)?.etag(etag))
    };
    once(&api, &caller, &headers, digest(&["decide", &id.to_string(), &if_match.0], &bytes), work).await
}

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportDone {
    /// Agreements or routes that were not there before.
    #[schema(maximum = 1000000)]
    pub added: usize,
    /// Those that were there already.
    #[schema(maximum = 1000000)]
    pub unchanged: usize,
}

/// The most that one import brings in.
pub const IMPORTED: usize = 1000;

/// Requests many agreements, all or none: a JSON list of requests, or CSV with their names in the first line. Each is ANMODET.
#[utoipa::path(post, operation_id = "importAgreements", path = "/api/v1/agreements/import", tag = "agreements",
    request_body(description = "The requests: at most 1000.", content((Vec<AgreementRequest> = "application/json"), (String = "text/csv"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "What was done.", body = ImportDone), WriteProblems))]
pub async fn import(State(api): State<Api>, caller: Caller, headers: HeaderMap, body: Body) -> Result<Answer, ApiRefusal> {
    caller.may(Action::RequestAgreement)?;
    let kind = media_type(&headers)?;
    let bytes = read(body, api.body_bytes).await?;
    let requests: Vec<AgreementRequest> = match kind.as_str() {
        "application/json" => json(&bytes)?,
        "text/csv" => table::read(&bytes, table::request)?,
        _ => {
            return Err(ApiRefusal::ApiMediaType {
                expected: Detail::new("application/json eller text/csv", "application/json or text/csv"),
            });
        }
    };
    if requests.is_empty() || requests.len() > IMPORTED {
        return Err(wrong("[]", format!("der skal være 1 til {IMPORTED}"), format!("there must be 1 to {IMPORTED}")));
    }
    let read = requests.into_iter().map(AgreementRequest::read).collect::<Result<Vec<_>, _>>()?;
    let reason = one_reason(read.iter().map(|(_, reason)| reason.as_str()))?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = async move {
        let agreements: Vec<_> = read.into_iter().map(|(agreement, _)| agreement).collect();
        let mut authorities: Vec<_> = agreements.iter().map(|agreement| agreement.authority).collect();
        authorities.sort_unstable();
        authorities.dedup();
        for authority in authorities {
            in_register(&own, authority).await?;
        }
        let because = Because::new(reason, own.clock.now());
        let import = Import { authorities: Vec::new(), agreements };
        let done = decisions::request(&own.store, By::User(&actor), &import, &because).await.map_err(of_decision)?;
        own.decided.notify_one();
        Answer::new(StatusCode::OK, &ImportDone { added: done.added, unchanged: done.unchanged + done.changed })
    };
    once(&api, &caller, &headers, digest(&["import", &kind], &bytes), work).await
}

/// How an export is written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Format {
    /// `json` where it is left out.
    #[param(value_type = Option<FormatName>)]
    pub(super) format: Option<String>,
}

/// A format.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code)] // for the contract alone
pub enum FormatName {
    /// A JSON list.
    Json,
    /// Comma-separated values (RFC 4180) in UTF-8.
    Csv,
}

impl Format {
    pub(super) fn is_csv(&self) -> Result<bool, ApiRefusal> {
        match self.format.as_deref() {
            None | Some("json") => Ok(false),
            Some("csv") => Ok(true),
            Some(_) => Err(wrong_parameter("format", "det er hverken json eller csv", "it is neither json nor csv")),
        }
    }
}

/// Every agreement that the user may see, as one file.
#[utoipa::path(get, operation_id = "exportAgreements", path = "/api/v1/agreements/export", tag = "agreements", params(Format),
    responses((status = 200, description = "The agreements.", content((Vec<AgreementView> = "application/json"), (String = "text/csv"))), ReadProblems))]
pub async fn export(State(api): State<Api>, caller: Caller, Query(format): Query<Format>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeAgreements)?;
    let csv = format.is_csv()?;
    let wanted = Wanted { limit: page::MOST, ..Filter::default().wanted(&caller)? };
    let (sender, pieces) = table::pieces();
    let now = api.clock.now();
    tokio::spawn(async move {
        let mut wanted = wanted;
        let mut first = true;
        loop {
            let found = match api.store.page(&wanted).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "an export was cut short");
                    // A body that breaks off is no whole file to anybody.
                    let _ = sender.send(Err(std::io::Error::other("the store does not answer"))).await;
                    return;
                }
            };
            let views: Vec<_> = found.iter().map(|agreement| AgreementView::of(agreement, now)).collect();
            wanted.after = found.last().map(|last| last.id);
            let last = found.len() < page::MOST as usize;
            let piece = if csv { table::agreements(&views, first) } else { table::items(&views, first, last) };
            if sender.send(piece.map(Bytes::from)).await.is_err() || last {
                return;
            }
            first = false;
        }
    });
    Ok(file("agreements", csv, pieces))
}

/// A file that is sent as it is made.
pub(super) fn file(name: &str, csv: bool, pieces: Body) -> Response {
    let (kind, extension) = if csv { ("text/csv; charset=utf-8", "csv") } else { ("application/json", "json") };
    let mut response = Response::new(pieces);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.{extension}\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    response
}
