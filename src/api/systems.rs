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
use super::input::{line, maybe_uuid, parsed, within, wrong};
use super::page::{self, after, limit};
use super::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use crate::agreements::Thumbprint;
use crate::agreements::system::{System, SystemCertificate, Wanted};
use crate::decisions::system::{self as decisions, Changed, Changes};
use crate::decisions::{Because, By, Kept};
use crate::id::cvr::Cvr;
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

/// What of a system goes on though it was given to another.
#[derive(Debug, Serialize, ToSchema)]
pub struct GoesOnView {
    /// `sftp-user`, `sftp-key`, `file-order` or `value-list-subscription`.
    #[schema(max_length = 30)]
    pub kind: &'static str,
    /// A user's name, a key's user and fingerprint, or an id.
    #[schema(max_length = 400)]
    pub name: String,
}

/// A system that was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedSystem {
    /// Its id.
    pub id: Uuid,
    /// The company or authority whose it is.
    #[schema(max_length = 8)]
    pub party: Option<String>,
    /// What it is called.
    #[schema(max_length = 1000)]
    pub name: String,
    /// Where it was given to another: what goes on beside its certificates and agreements, until somebody ends it; empty else.
    #[schema(max_items = 100000)]
    pub goes_on: Vec<GoesOnView>,
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
    /// By an operator: the CVR number of the company or authority whose it is.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub party: Option<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Registers a system of one's own company or authority, or by an operator for one. It gives no access. An id that things of others name
/// already is registered by the operators alone.
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
    let party = value.party.as_deref().map(cvr).transpose()?;
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
        let system = decisions::New { id: value.id.unwrap_or_else(Uuid::now_v7), name, contact, party };
        let registered = decisions::register(&own.store, By::User(&actor), system, &because, kept).await.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&registered)
    };
    once(&api, &caller, &headers, digest(&["register system"], &bytes), work).await
}

fn cvr(text: &str) -> Result<Cvr, ApiRefusal> {
    parsed("party", text, "det er ikke otte cifre", "it is not eight digits")
}

/// A change of a system: one of its fields beside the reason, or name and contact, or certificate and proof, together.
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
    /// By what it is shown that the system has that certificate's key, in base64: the key's signature (RSA PKCS#1 v1.5 or ECDSA in DER,
    /// with SHA-256) of the lines `hjemmel certificate v1`, `system ID` and `certificate SHA256`, each ended by a line feed. An operator
    /// may leave it out.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub proof: Option<String>,
    /// By an operator: SHA-256 of a certificate that stands in the register as another system's and is this one's. The other's agreements
    /// let it through no more.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub take_certificate: Option<String>,
    /// By an operator: the CVR number of the company or authority whose it is from now on.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub party: Option<String>,
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
        let thumbprint = |field: &str, text: &str| {
            parsed::<Thumbprint>(field, text, "det er ikke 64 hexadecimale cifre", "it is not 64 hexadecimal digits")
        };
        let given = [
            self.name.is_some() || self.contact.is_some(),
            self.certificate.is_some() || self.proof.is_some(),
            self.end_certificate.is_some(),
            self.take_certificate.is_some(),
            self.party.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() == 1 {
            if let (Some(name), Some(contact)) = (&self.name, &self.contact) {
                return Ok(Changes::Named(line("name", name)?, line("contact", contact)?));
            }
            if let Some(pem) = &self.certificate {
                let proof = self.proof.as_deref().map(|proof| within("proof", proof, 2000)).transpose()?;
                return Ok(Changes::CertificateAdded(Box::new(certificate(pem)?), proof.map(str::to_owned)));
            }
            if let Some(ended) = &self.end_certificate {
                return Ok(Changes::CertificateEnded(thumbprint("end_certificate", ended)?));
            }
            if let Some(taken) = &self.take_certificate {
                return Ok(Changes::CertificateTaken(thumbprint("take_certificate", taken)?));
            }
            if let Some(party) = &self.party {
                return Ok(Changes::Transferred(cvr(party)?));
            }
        }
        Err(wrong(
            "certificate",
            "angiv navn og kontakt, eller certificate med proof, eller end_certificate, take_certificate eller party",
            "give name and contact, or certificate with proof, or end_certificate, take_certificate or party",
        ))
    }
}

fn certificate(pem: &str) -> Result<Certificate, ApiRefusal> {
    let unreadable = || wrong("certificate", "det er ikke ét certifikat i PEM", "it is not one certificate in PEM");
    let sections = crate::pem::sections(pem.as_bytes(), &[crate::pem::Kind::Certificate]).map_err(|_| unreadable())?;
    let [section] = sections.as_slice() else { return Err(unreadable()) };
    Certificate::from_der(&section.der).map_err(|_| unreadable())
}

/// Changes a system: its name and whom to ask, a further certificate, or the end of one; by an operator also whose it is, and a
/// certificate that another system stands with.
#[utoipa::path(post, operation_id = "changeSystem", path = "/api/v1/systems/{id}/changes", tag = "systems", request_body = SystemChange,
    params(("id" = Uuid, Path, description = "The system."),
        ("If-Match" = String, Header, description = "The system's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "Its id: what it is now is read by it.", body = ChangedSystem), WriteProblems))]
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
        let answer = |Changed { system, goes_on }: &Changed| {
            let (party, name) = (system.party.map(|cvr| cvr.to_string()), system.name.clone());
            let goes_on = goes_on.iter().map(|one| GoesOnView { kind: one.kind(), name: one.name() }).collect();
            Answer::new(StatusCode::OK, &ChangedSystem { id: system.id, party, name, goes_on })
        };
        let kept = |changed: &Changed| answer(changed)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let changed = decisions::change(&own.store, By::User(&actor), &shown, &changes, &because, kept).await;
        let changed = changed.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&changed)
    };
    once(&api, &caller, &headers, digest(&["change system", &id.to_string(), &if_match.0], &bytes), work).await
}
