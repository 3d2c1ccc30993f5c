//! `/api/v1/systems`: client systems, their certificates, and what of them holds when.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::extract::{Caller, Id, IfMatch, Json, Query};
use super::idempotency::{Answer, digest, once};
use super::input::{line, maybe_uuid, parsed, wrong};
use super::page::{self, after, limit};
use super::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use crate::agreements::Thumbprint;
use crate::agreements::system::{System, SystemCertificate, Wanted};
use crate::decisions::system::{self as decisions, Changes};
use crate::decisions::{Because, By, Kept};
use crate::refusal::api::ApiRefusal;
use crate::signature::key::Certificate;
use crate::users::keys::Key;
use crate::users::rights::Action;
use crate::users::{Actor, Whose};

/// A certificate of a system.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SystemCertificateView {
    /// SHA-256 of it, in hexadecimal: by this agreements name it.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub thumbprint: String,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When the system stopped using it; null: it has not.
    pub ended_at: Option<Timestamp>,
}

/// A client system.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SystemView {
    /// Its id, by which agreements name it.
    pub id: Uuid,
    /// The company or authority whose it is; null: the gateway's operators keep it.
    #[schema(max_length = 8)]
    pub party: Option<String>,
    /// What it is called.
    #[schema(max_length = 1000)]
    pub name: String,
    /// Whom to ask.
    #[schema(max_length = 1000)]
    pub contact: String,
    /// Its certificates, the one that begins first before the others; several overlap while one takes over from another.
    #[schema(max_items = 1000)]
    pub certificates: Vec<SystemCertificateView>,
    /// Its ETag, as it stands in the header field of that name.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl SystemView {
    fn of(system: &System, certificates: &[SystemCertificate]) -> Self {
        let certificate = |certificate: &SystemCertificate| SystemCertificateView {
            thumbprint: certificate.thumbprint.to_string(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            ended_at: certificate.ended_at,
        };
        Self {
            id: system.id,
            party: system.party.map(|cvr| cvr.to_string()),
            name: system.name.clone(),
            contact: system.contact.clone(),
            certificates: certificates.iter().map(certificate).collect(),
            etag: decisions::etag(system, certificates),
        }
    }
}

/// A page of systems.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemPage {
    /// The systems, in the order of their ids.
    #[schema(max_items = 200)]
    pub items: Vec<SystemSummary>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// A system in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemSummary {
    /// Its id.
    pub id: Uuid,
    /// The company or authority whose it is.
    #[schema(max_length = 8)]
    pub party: Option<String>,
    /// What it is called.
    #[schema(max_length = 1000)]
    pub name: String,
}

/// Where the page begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Pages {
    /// `next` of the page before.
    #[param(max_length = 200)]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// Which systems somebody sees: a supplier its own, an authority its own and those that its agreements name.
pub(crate) fn wanted(actor: &Actor) -> Result<Wanted, ApiRefusal> {
    match actor.scope().whose {
        Whose::Everybody => Ok(Wanted::default()),
        Whose::Authority(own) => Ok(Wanted { authority: Some(own), services: actor.scope().services, ..Wanted::default() }),
        Whose::Supplier(own) => Ok(Wanted { party: Some(own), ..Wanted::default() }),
        Whose::Nobody => Err(ApiRefusal::ApiInternal),
    }
}

/// The systems that the user may see, a page at a time.
#[utoipa::path(get, operation_id = "listSystems", path = "/api/v1/systems", tag = "systems", params(Pages),
    responses((status = 200, description = "A page of systems.", body = SystemPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(pages): Query<Pages>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeSystems)?;
    let wanted = wanted(&caller)?;
    let own = page::list("systems", &wanted, caller.user().id);
    let many = limit(pages.limit.as_deref())?;
    let wanted = Wanted { after: after(pages.after.as_deref(), &own)?, limit: many + 1, ..wanted };
    let found = api.store.systems(&wanted).await.map_err(of_store)?;
    let (found, next) = page::cut(found, many, &own, |system| system.id);
    let summary = |system: &System| SystemSummary {
        id: system.id,
        party: system.party.map(|cvr| cvr.to_string()),
        name: system.name.clone(),
    };
    Ok(axum::Json(SystemPage { items: found.iter().map(summary).collect(), next }).into_response())
}

/// One system with its certificates.
#[utoipa::path(get, operation_id = "getSystem", path = "/api/v1/systems/{id}", tag = "systems", params(("id" = Uuid, Path, description = "The system.")),
    responses((status = 200, description = "The system.", body = SystemView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let (system, certificates) = decisions::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    let view = SystemView::of(&system, &certificates);
    let etag = HeaderValue::from_str(&view.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// A system to be registered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemRequest {
    /// Its id, where the client chooses it; otherwise one is made.
    #[serde(default, deserialize_with = "maybe_uuid")]
    pub id: Option<Uuid>,
    /// What it is called.
    #[schema(min_length = 1, max_length = 1000)]
    pub name: String,
    /// Whom to ask: a function's mailbox or number, and no person's.
    #[schema(min_length = 1, max_length = 1000)]
    pub contact: String,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Registers a system of one's own company or authority. It gives no access.
#[utoipa::path(post, operation_id = "registerSystem", path = "/api/v1/systems", tag = "systems", request_body = SystemRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The system.", body = SystemView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "The system's address."))), WriteProblems))]
pub async fn register(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<SystemRequest>,
) -> Result<Answer, ApiRefusal> {
    let (name, contact, reason) = (line("name", &value.name)?, line("contact", &value.contact)?, line("reason", &value.reason)?);
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let answer = |system: &System| {
            let view = SystemView::of(system, &[]);
            let answer = Answer::new(StatusCode::CREATED, &view)?;
            Ok::<_, ApiRefusal>(answer.etag(view.etag.clone()).location(format!("/api/v1/systems/{}", system.id)))
        };
        let kept = |system: &System| answer(system)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let system = (value.id.unwrap_or_else(Uuid::now_v7), name, contact);
        let registered = decisions::register(&own.store, By::User(&actor), system, &because, kept).await.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&registered)
    };
    once(&api, &caller, &headers, digest(&["register system"], &bytes), work).await
}

/// A change of a system: one of its fields beside the reason, or name and contact together.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemChange {
    /// What it is called from now on.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub name: Option<String>,
    /// Whom to ask from now on.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub contact: Option<String>,
    /// A further certificate (PEM).
    #[serde(default)]
    #[schema(max_length = 20000)]
    pub certificate: Option<String>,
    /// SHA-256 of a certificate that it uses no more.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub end_certificate: Option<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

impl SystemChange {
    fn read(&self) -> Result<Changes, ApiRefusal> {
        match (&self.name, &self.contact, &self.certificate, &self.end_certificate) {
            (Some(name), Some(contact), None, None) => Ok(Changes::Named(line("name", name)?, line("contact", contact)?)),
            (None, None, Some(pem), None) => {
                let unreadable = || wrong("certificate", "det er ikke ét certifikat i PEM", "it is not one certificate in PEM");
                let sections =
                    crate::pem::sections(pem.as_bytes(), &[crate::pem::Kind::Certificate]).map_err(|_| unreadable())?;
                let [section] = sections.as_slice() else { return Err(unreadable()) };
                Certificate::from_der(&section.der)
                    .map(|certificate| Changes::CertificateAdded(Box::new(certificate)))
                    .map_err(|_| unreadable())
            }
            (None, None, None, Some(thumbprint)) => {
                let (da, en) = ("det er ikke 64 hexadecimale cifre", "it is not 64 hexadecimal digits");
                Ok(Changes::CertificateEnded(parsed::<Thumbprint>("end_certificate", thumbprint, da, en)?))
            }
            _ => Err(wrong(
                "certificate",
                "angiv navn og kontakt, eller certificate, eller end_certificate",
                "give name and contact, or certificate, or end_certificate",
            )),
        }
    }
}

/// Changes a system: its name and whom to ask, a further certificate, or the end of one.
#[utoipa::path(post, operation_id = "changeSystem", path = "/api/v1/systems/{id}/changes", tag = "systems", request_body = SystemChange,
    params(("id" = Uuid, Path, description = "The system."),
        ("If-Match" = String, Header, description = "The system's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "Its id: what it is now is read by it.", body = SystemSummary), WriteProblems))]
pub async fn change(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<SystemChange>,
) -> Result<Answer, ApiRefusal> {
    let (changes, reason) = (value.read()?, line("reason", &value.reason)?);
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let shown = decisions::seen(&own.store, &actor, id).await.map_err(of_decision)?;
        IfMatch(matching).holds(&decisions::etag(&shown.0, &shown.1))?;
        let because = Because::new(reason, own.clock.now());
        let answer = |system: &System| {
            let (party, name) = (system.party.map(|cvr| cvr.to_string()), system.name.clone());
            Answer::new(StatusCode::OK, &SystemSummary { id: system.id, party, name })
        };
        let kept = |system: &System| answer(system)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let changed = decisions::change(&own.store, By::User(&actor), &shown, &changes, &because, kept).await;
        let changed = changed.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&changed)
    };
    once(&api, &caller, &headers, digest(&["change system", &id.to_string(), &if_match.0], &bytes), work).await
}
