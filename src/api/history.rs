//! What was decided on an agreement, a route, a value list, a subscription or a time for tests: who, when, why, and on what proof.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::extract::{Caller, Id};
use super::problem::{ReadProblems, of_decision, of_store};
use super::{connections, trials, value_lists};
use crate::audit::Subject;
use crate::decisions::record::Made;
use crate::decisions::{agreement, agreement::NOTICE_TAKEN_BACK, delegation, route};
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
    /// The delegation by which the user decided for another; null: in their own right.
    pub delegation: Option<Uuid>,
    /// The user in whose right it was decided; null: the user's own.
    pub stood_for: Option<Uuid>,
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
            delegation: made.by_delegation.map(|by| by.delegation),
            stood_for: made.by_delegation.map(|by| by.principal),
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
            let becomes = |made: &Made| made.what.to == to || (past.from == Some(past.to) && made.what.to == NOTICE_TAKEN_BACK);
            let same = |made: &&Made| becomes(made) && past.decided_at.is_none_or(|at| at == made.because.at);
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

/// What was decided on a version of a value list: who imported it, who published it.
#[utoipa::path(get, operation_id = "listValueListDecisions", path = "/api/v1/value-lists/{id}/decisions", tag = "value lists", params(("id" = Uuid, Path, description = "The version.")),
    responses((status = 200, description = "The decisions, oldest first.", body = History), ReadProblems))]
pub async fn of_value_list(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    value_lists::is_seen(&api, &caller, id).await?;
    of(&api, Subject::Sortiment, id).await
}

/// What was decided on a subscription to value lists.
#[utoipa::path(get, operation_id = "listValueListSubscriptionDecisions", path = "/api/v1/value-list-subscriptions/{id}/decisions", tag = "value lists", params(("id" = Uuid, Path, description = "The subscription.")),
    responses((status = 200, description = "The decisions, oldest first.", body = History), ReadProblems))]
pub async fn of_subscription(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    value_lists::subscriptions::seen(&api.store, &caller, id).await?;
    of(&api, Subject::SortimentSubscription, id).await
}

/// What was decided on a time for tests: who opened it, who ended it.
#[utoipa::path(get, operation_id = "listTrialDecisions", path = "/api/v1/trials/{id}/decisions", tag = "trials", params(("id" = Uuid, Path, description = "The time for tests.")),
    responses((status = 200, description = "The decisions, oldest first.", body = History), ReadProblems))]
pub async fn of_trial(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    trials::seen(&api, &caller, id).await?;
    of(&api, Subject::Trial, id).await
}

/// What was decided on a connection: who added it, who stated what of its tasks, and whom they were given to.
#[utoipa::path(get, operation_id = "listConnectionDecisions", path = "/api/v1/connections/{id}/decisions", tag = "connections", params(("id" = Uuid, Path, description = "The connection.")),
    responses((status = 200, description = "The decisions, oldest first.", body = History), ReadProblems))]
pub async fn of_connection(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    connections::seen(&api, &caller, id).await?;
    of(&api, Subject::Connection, id).await
}

/// What was decided on a delegation: who gave it, and who took it back or with what it ended.
#[utoipa::path(get, operation_id = "listDelegationDecisions", path = "/api/v1/delegations/{id}/decisions", tag = "delegations", params(("id" = Uuid, Path, description = "The delegation.")),
    responses((status = 200, description = "The decisions, oldest first.", body = History), ReadProblems))]
pub async fn of_delegation(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    delegation::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    of(&api, Subject::Delegation, id).await
}

pub(super) async fn of(api: &Api, subject: Subject, id: Uuid) -> Result<Response, ApiRefusal> {
    let made = api.store.made_on(subject, id).await.map_err(of_store)?;
    let users = api.store.users().await.map_err(of_store)?;
    let name = |id: Uuid| users.iter().find(|user| user.id == id).map(|user| user.name.clone());
    let items = made
        .iter()
        .map(|made| DecisionView {
            from: made.what.from.clone(),
            to: made.what.to.clone(),
            by: made.by(name),
            decided_at: Some(made.because.at),
            reason: Some(made.because.reason.clone()),
            proof: Some(Proof::of(made)),
        })
        .collect();
    Ok(axum::Json(History { items }).into_response())
}
