//! What the API says of itself and of whoever asks.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::openapi::security::SecurityScheme;
use utoipa::{Modify, OpenApi, ToSchema};
use uuid::Uuid;

use super::Api;
use super::agreements::filter::{SideName, StateName};
use super::extract::Caller;
use super::files::FormatName;
use super::problem::{Problem, ReadProblems, audience};
use super::value_lists::PublishedName;
use crate::refusal::api::ApiRefusal;

/// The contract, to which the router adds its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hjemmel",
        version = "1",
        description = "Service agreements, routes, value lists, times for tests and connections. Every user is known by a client certificate (mutual TLS). Refusals are problems (RFC 9457), in Danish or English by Accept-Language.",
        license(name = "MPL-2.0", identifier = "MPL-2.0")
    ),
    servers((url = "/", description = "The gateway's API listener.")),
    tags(
        (name = "agreements", description = "Service agreements: request, decide, look up."),
        (name = "requests", description = "Requests for agreements: one header, a line for each authority, from the draft on."),
        (name = "systems", description = "Client systems and their certificates."),
        (name = "routes", description = "Which system receives a service's calls, on which days."),
        (name = "mailboxes", description = "Files of partner agreements: fetch, confirm, deliver. For mailbox users."),
        (name = "partner agreements", description = "Partner agreements and their users: ask, decide as another person, suspend, block."),
        (name = "persons", description = "Import of an institution's persons. For HR systems with a service agreement."),
        (name = "authorities", description = "The register of authorities."),
        (name = "value lists", description = "Versions of value lists: import a draft, publish it, say who gets it."),
        (name = "trials", description = "The times within which an authority's deliveries may be tests."),
        (name = "connections", description = "What must be done before a system may use a service, and what is done of it."),
        (name = "delegations", description = "That a colleague acts in one's role for a time. Whoever does names the delegation in the header field Hjemmel-Delegation of any request."),
        (name = "meta", description = "The API itself.")
    ),
    components(schemas(Problem, SideName, StateName, FormatName, PublishedName)),
    modifiers(&MutualTls),
    security(("mutualTLS" = []))
)]
pub struct Contract;

struct MutualTls;

impl Modify for MutualTls {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Default::default);
        let scheme = SecurityScheme::MutualTls {
            description: Some("A client certificate that belongs to a user.".to_owned()),
            deprecated: None,
            extensions: None,
        };
        components.add_security_scheme("mutualTLS", scheme);
    }
}

/// Whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoAmI {
    /// The user's id.
    pub id: Uuid,
    /// Its name; by delegation also whom it stands for, and by which.
    #[schema(max_length = 500)]
    pub name: String,
    /// `person` or `system`.
    #[schema(max_length = 6)]
    pub kind: &'static str,
    /// The CVR number of the authority or company that it acts for; null for the gateway's operators.
    #[schema(max_length = 8)]
    pub party: Option<String>,
    /// Its roles.
    #[schema(max_items = 10)]
    pub roles: Vec<&'static str>,
    /// The services that its roles are for; empty: all.
    #[schema(max_items = 1000)]
    pub services: Vec<Uuid>,
    /// The delegation by which it acts, where the request names one: then the roles and services are those of that alone.
    pub delegation: Option<Uuid>,
    /// SHA-256 of the certificate that was shown.
    #[schema(max_length = 64)]
    pub certificate: String,
    /// The first instant at which it may no longer do anything; null: no end.
    pub valid_to: Option<Timestamp>,
}

/// The user to whom the client certificate belongs, and what it may do.
#[utoipa::path(get, operation_id = "whoami", path = "/api/v1/whoami", tag = "meta",
    responses((status = 200, description = "The user.", body = WhoAmI), ReadProblems))]
pub async fn whoami(caller: Caller) -> Response {
    let user = caller.user();
    let view = WhoAmI {
        id: user.id,
        name: user.name.clone(),
        kind: user.kind.name(),
        party: user.party.map(|cvr| cvr.to_string()),
        roles: user.roles.iter().map(|role| role.name()).collect(),
        services: user.services.clone(),
        delegation: caller.by_delegation().map(|by| by.delegation),
        certificate: caller.certificate().map(|shown| shown.to_string()).unwrap_or_default(),
        valid_to: user.valid_to,
    };
    axum::Json(view).into_response()
}

/// This contract.
#[utoipa::path(get, operation_id = "getContract", path = "/openapi.json", tag = "meta",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object), ReadProblems))]
pub async fn openapi(State(api): State<Api>) -> Response {
    let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind], api.contract.to_string()).into_response()
}

/// One kind of problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemKind {
    /// Its code, and the fragment of its type.
    #[schema(max_length = 100)]
    pub code: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong, in Danish, with sample values.
    #[schema(max_length = 2000)]
    pub title_da: String,
    /// What to do, in Danish.
    #[schema(max_length = 2000)]
    pub detail_da: String,
    /// What is wrong, in English.
    #[schema(max_length = 2000)]
    pub title_en: String,
    /// What to do, in English.
    #[schema(max_length = 2000)]
    pub detail_en: String,
    /// Who can mend it.
    #[schema(max_length = 20)]
    pub audience: &'static str,
}

/// Every kind of problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemKinds {
    /// The kinds.
    #[schema(max_items = 200)]
    pub items: Vec<ProblemKind>,
}

/// Every kind of problem that the API answers with: what their types refer to.
#[utoipa::path(get, operation_id = "listProblems", path = "/api/v1/problems", tag = "meta",
    responses((status = 200, description = "The kinds of problems.", body = ProblemKinds), ReadProblems))]
pub async fn problems() -> Response {
    let items = ApiRefusal::every()
        .iter()
        .map(ApiRefusal::entry)
        .map(|entry| ProblemKind {
            code: entry.code,
            status: entry.http.unwrap_or(500),
            title_da: entry.da.what,
            detail_da: entry.da.remedy,
            title_en: entry.en.what,
            detail_en: entry.en.remedy,
            audience: audience(entry.audience),
        })
        .collect();
    axum::Json(ProblemKinds { items }).into_response()
}
