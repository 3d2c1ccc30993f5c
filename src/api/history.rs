//! What was decided on an agreement or a route: who, when, why, and on what proof.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::extract::{Caller, Id};
use super::problem::{ReadProblems, of_decision, of_store};
use crate::audit::Subject;
use crate::decisions::record::Made;
use crate::decisions::{agreement, route};
use crate::refusal::api::ApiRefusal;

/// One decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionView {
    /// The state before; null for what was not there.
    #[schema(max_length = 100)]
    pub from: Option<String>,
    /// The state after.
    #[schema(max_length = 100)]
    pub to: String,
    /// Who, by name.
    #[schema(max_length = 1000)]
    pub by: Option<String>,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// Why.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// The proof; null for a decision of before users had certificates.
    pub proof: Option<Proof>,
}

/// On what proof a decision stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Proof {
    /// The decision's id, by which the audit's chain has it.
    pub decision: Uuid,
    /// The user, by id.
    pub user: Option<Uuid>,
    /// The role in which it was decided.
    #[schema(max_length = 40)]
    pub role: Option<&'static str>,
    /// SHA-256 of the certificate that proved the user.
    #[schema(max_length = 64)]
    pub certificate: Option<String>,
    /// SHA-256 of the text that was shown.
    #[schema(max_length = 64)]
    pub shown: Option<String>,
    /// When a node put it in its audit's chain; null: not yet.
    pub recorded_at: Option<Timestamp>,
}

impl Proof {
    fn of(made: &Made) -> Self {
        Self {
            decision: made.id,
            user: made.user,
            role: made.role.map(|role| role.name()),
            certificate: made.certificate.map(|certificate| certificate.to_string()),
            shown: made.what.shown.clone(),
            recorded_at: made.recorded_at,
        }
    }
}

/// The history.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// The decisions, oldest first.
    #[schema(max_items = 10000)]
    pub items: Vec<DecisionView>,
}

/// What was decided on an agreement.
#[utoipa::path(get, operation_id = "listAgreementDecisions", path = "/api/v1/agreements/{id}/decisions", tag = "agreements", params(("id" = Uuid, Path, description = "The agreement.")),
    responses((status = 200, description = "The decisions, oldest first.", body = History), ReadProblems))]
pub async fn of_agreement(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    agreement::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    let (past, made) = (api.store.decisions(id).await.map_err(of_store)?, api.store.made_on(Subject::Agreement, id).await);
    let made = made.map_err(of_store)?;
    let items = past
        .into_iter()
        .map(|past| {
            let to = past.to.wire_name();
            // A request has no decision's name and time in the history.
            let same = |made: &&Made| made.what.to == to && past.decided_at.is_none_or(|at| at == made.because.at);
            let made = made.iter().find(same);
            DecisionView {
                from: past.from.map(|from| from.wire_name().to_owned()),
                to: to.to_owned(),
                by: past.by,
                decided_at: past.decided_at.or(made.map(|made| made.because.at)),
                reason: past.reason.or_else(|| made.map(|made| made.because.reason.clone())),
                proof: made.map(Proof::of),
            }
        })
        .collect();
    Ok(axum::Json(History { items }).into_response())
}

/// What was decided on a route.
#[utoipa::path(get, operation_id = "listRouteDecisions", path = "/api/v1/routes/{id}/decisions", tag = "routes", params(("id" = Uuid, Path, description = "The route.")),
    responses((status = 200, description = "The decisions, oldest first.", body = History), ReadProblems))]
pub async fn of_route(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    route::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    let (past, made) = (api.store.route_changes(id).await.map_err(of_store)?, api.store.made_on(Subject::Route, id).await);
    let made = made.map_err(of_store)?;
    let items = past
        .into_iter()
        .map(|past| DecisionView {
            from: None,
            to: match past.to {
                Some(to) => format!("{}, ends {to}", past.change.name()),
                None => past.change.name().to_owned(),
            },
            by: Some(past.decision.by),
            decided_at: Some(past.decision.at),
            reason: Some(past.decision.reason),
            proof: made.iter().find(|made| made.because.at == past.decision.at).map(Proof::of),
        })
        .collect();
    Ok(axum::Json(History { items }).into_response())
}
