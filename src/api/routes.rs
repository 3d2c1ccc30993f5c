//! `/api/v1/routes`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{Caller, Id, IfMatch, Json, Query};
use super::files::{self, Format, ImportDone, one_reason, requested, the_same};
use super::idempotency::{Answer, digest, once};
use super::input::{civil, line, maybe_uuid, parsed, uuid, uuid_parameter, within, wrong, wrong_parameter};
use super::page::{self, after, limit};
use super::problem::{ReadProblems, WriteProblems, of_decision, of_store};
use super::{Api, table};
use crate::agreements::Environment;
use crate::agreements::route::file::Party;
use crate::agreements::route::store::{Added, InTheWay};
use crate::agreements::route::{Address, EntityId, OnDay, Period, Pinned, ProviderSecurity, Roots, Route, on_day};
use crate::clock::civil_day;
use crate::decisions::route as decisions;
use crate::decisions::shown;
use crate::decisions::{Because, By, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::users::keys::Key;
use crate::users::rights::Action;
use crate::users::{Actor, Whose};

/// A route: which system receives a service's calls, between which authorities, on which days.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RouteView {
    /// Its id.
    pub id: Uuid,
    /// The service whose calls it carries.
    pub service: Uuid,
    /// Where it holds.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    pub environment: String,
    /// The authority that sends, by its CVR number, or `every`.
    #[schema(pattern = "^([0-9]{8}|every)$", max_length = 8)]
    pub sender: String,
    /// The authority that receives, or `every`.
    #[schema(pattern = "^([0-9]{8}|every)$", max_length = 8)]
    pub receiver: String,
    /// The first day, in Copenhagen.
    #[schema(format = "date", max_length = 10)]
    pub valid_from: String,
    /// The first day on which it no longer holds; null if it has no end.
    #[schema(format = "date", max_length = 10)]
    pub valid_to: Option<String>,
    /// The system that receives.
    pub system: Uuid,
    /// Where it is called.
    #[schema(format = "uri", max_length = 1000)]
    pub address: String,
    /// The name for which tokens are issued.
    #[schema(max_length = 1000)]
    pub entity_id: String,
    /// The CAs of its TLS certificate, as PEM.
    #[schema(max_length = 200000)]
    pub roots: String,
    /// The certificates that sign its answers, as PEM; null where nothing is signed (AuthorityContext).
    #[schema(max_length = 200000)]
    pub signing_certificates: Option<String>,
    /// The route's ETag: what ending it sends in `If-Match`.
    #[schema(max_length = 66)]
    pub etag: String,
}

impl RouteView {
    fn of(route: &Route) -> Self {
        Self {
            id: route.id,
            service: route.service,
            environment: route.environment.as_str().to_owned(),
            sender: Party(route.sender).to_string(),
            receiver: Party(route.receiver).to_string(),
            valid_from: route.period.from().to_string(),
            valid_to: route.period.to().map(|to| to.to_string()),
            system: route.system,
            address: route.address.to_string(),
            entity_id: route.entity_id.as_str().to_owned(),
            roots: route.roots.to_pem(),
            signing_certificates: match &route.security {
                ProviderSecurity::Token { signing_certificates } => Some(signing_certificates.to_pem()),
                ProviderSecurity::AuthorityContext => None,
            },
            etag: shown::etag_of_route(route),
        }
    }
}

/// A page of routes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoutePage {
    /// The routes, in the order of their ids.
    #[schema(max_items = 200)]
    pub items: Vec<RouteView>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// Whose routes the user sees.
fn party(actor: &Actor) -> Result<Option<Cvr>, ApiRefusal> {
    match actor.scope().whose {
        Whose::Everybody => Ok(None),
        Whose::Authority(own) => Ok(Some(own)),
        Whose::Supplier(_) | Whose::Nobody => Err(ApiRefusal::ApiNotAllowed { action: Action::SeeRoutes.describe() }),
    }
}

/// The query of a list of routes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// By service.
    #[param(value_type = Option<Uuid>)]
    service: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 200)]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// The routes that the user may see, a page at a time.
#[utoipa::path(get, operation_id = "listRoutes", path = "/api/v1/routes", tag = "routes", params(ListQuery),
    responses((status = 200, description = "A page of routes.", body = RoutePage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeRoutes)?;
    let service = uuid_parameter("service", query.service.as_deref())?;
    let own = page::list("routes", &service, caller.user().id);
    let (many, from) = (limit(query.limit.as_deref())?, after(query.after.as_deref(), &own)?);
    let services = match service {
        // A service that is not the user's shows nothing.
        Some(service) if caller.user().services.is_empty() || caller.user().services.contains(&service) => vec![service],
        Some(_) => return Ok(axum::Json(RoutePage { items: Vec::new(), next: None }).into_response()),
        None => caller.user().services.clone(),
    };
    let found = api.store.route_page(party(&caller)?, &services, from, many + 1).await.map_err(of_store)?;
    let (found, next) = page::cut(found, many, &own, |route| route.id);
    Ok(axum::Json(RoutePage { items: found.iter().map(RouteView::of).collect(), next }).into_response())
}

/// One route.
#[utoipa::path(get, operation_id = "getRoute", path = "/api/v1/routes/{id}", tag = "routes", params(("id" = Uuid, Path, description = "The route.")),
    responses((status = 200, description = "The route.", body = RouteView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let view = RouteView::of(&decisions::seen(&api.store, &caller, id).await.map_err(of_decision)?);
    let etag = HeaderValue::from_str(&view.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// The longest text of certificates, in characters; the contract says it too.
const LONGEST_PEM: usize = 200_000;

/// A route that is to be added.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteRequest {
    /// Its id, where the client chooses it; otherwise one is made.
    #[serde(default, deserialize_with = "maybe_uuid")]
    pub id: Option<Uuid>,
    /// The service whose calls it carries.
    #[serde(deserialize_with = "uuid")]
    pub service: Uuid,
    /// Where it holds.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    pub environment: String,
    /// The authority that sends, by its CVR number, or `every`.
    #[schema(pattern = "^([0-9]{8}|every)$", max_length = 8)]
    pub sender: String,
    /// The authority that receives, or `every`.
    #[schema(pattern = "^([0-9]{8}|every)$", max_length = 8)]
    pub receiver: String,
    /// The first day, in Copenhagen.
    #[schema(format = "date", max_length = 10)]
    pub valid_from: String,
    /// The first day on which it no longer holds; left out: no end.
    #[serde(default)]
    #[schema(format = "date", max_length = 10)]
    pub valid_to: Option<String>,
    /// The system that receives.
    #[serde(deserialize_with = "uuid")]
    pub system: Uuid,
    /// Where it is called, over https. An address on the gateway's own machine or link is refused.
    #[schema(format = "uri", max_length = 1000)]
    pub address: String,
    /// The name for which tokens are issued.
    #[schema(min_length = 1, max_length = 1000)]
    pub entity_id: String,
    /// The CAs of its TLS certificate, as PEM; 1 to 16.
    #[schema(max_length = 200_000)]
    pub roots: String,
    /// The certificates that sign its answers, as PEM, 1 to 16; left out: nothing is signed (AuthorityContext).
    #[serde(default)]
    #[schema(max_length = 200_000)]
    pub signing_certificates: Option<String>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// Whether routes in its way are ended on its first day; in an import the same throughout.
    #[serde(default)]
    pub replace: bool,
}

impl RouteRequest {
    /// The route, what becomes of those in its way, and why.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiFieldInvalid`].
    pub(crate) fn read(self) -> Result<(Route, InTheWay, String), ApiRefusal> {
        let party = |field: &str, text: &str| {
            parsed::<Party>(field, text, "det er hverken otte cifre eller every", "it is neither eight digits nor every")
        };
        let period = Period::new(
            civil("valid_from", &self.valid_from)?,
            self.valid_to.as_deref().map(|text| civil("valid_to", text)).transpose()?,
        );
        let pem = ("det er ikke 1 til 16 brugbare certifikater i PEM", "it is not 1 to 16 usable certificates in PEM");
        let security = match self.signing_certificates.as_deref() {
            Some(text) => {
                let text = within("signing_certificates", text, LONGEST_PEM)?;
                ProviderSecurity::Token { signing_certificates: parsed::<Pinned>("signing_certificates", text, pem.0, pem.1)? }
            }
            None => ProviderSecurity::AuthorityContext,
        };
        let route = Route {
            id: self.id.unwrap_or_else(Uuid::now_v7),
            service: self.service,
            environment: parsed::<Environment>(
                "environment",
                &self.environment,
                "det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg",
                "it is not 1 to 32 of a-z, 0-9 and hyphen",
            )?,
            sender: party("sender", &self.sender)?.0,
            receiver: party("receiver", &self.receiver)?.0,
            period: period.map_err(|_| wrong("valid_to", "det er ikke efter valid_from", "it is not after valid_from"))?,
            system: self.system,
            address: parsed::<Address>(
                "address",
                &self.address,
                "det er ikke en https-adresse uden bruger, forespørgsel og fragment",
                "it is not an https address without user, query and fragment",
            )?,
            entity_id: parsed::<EntityId>("entity_id", &self.entity_id, "det er ikke en URI", "it is not a URI")?,
            security,
            roots: parsed::<Roots>("roots", within("roots", &self.roots, LONGEST_PEM)?, pem.0, pem.1)?,
        };
        let in_the_way = if self.replace { InTheWay::End } else { InTheWay::Refuse };
        Ok((route, in_the_way, line("reason", &self.reason)?))
    }
}

/// Adds a route. Where another carries the same calls on one of its days it is refused, unless `replace` ends that one.
#[utoipa::path(post, operation_id = "addRoute", path = "/api/v1/routes", tag = "routes", request_body = RouteRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 201, description = "The route that was added.", body = RouteView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "The route's address."))), WriteProblems))]
pub async fn add(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<RouteRequest>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::AddRoute)?;
    let (route, in_the_way, reason) = value.read()?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let view = RouteView::of(&route);
        let place = format!("/api/v1/routes/{}", route.id);
        let answer = Answer::new(StatusCode::CREATED, &view)?.etag(view.etag.clone()).location(place);
        let is_there =
            || ApiRefusal::ApiConflict { what: Detail::new("der er en rute med id'et", "there is a route with the id") };
        let kept = |done: &Added| if done.new.is_empty() { Err(is_there()) } else { answer.kept() };
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let done = decisions::add(&own.store, By::User(&actor), &[route], in_the_way, &own.own, &because, kept).await;
        if done.map_err(of_decision)?.new.is_empty() {
            return Err(is_there());
        }
        own.decided.notify_one();
        Ok(answer)
    };
    once(&api, &caller, &headers, digest(&["add route"], &bytes), work).await
}

/// The end of a route.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndRequest {
    /// The first day on which it no longer receives; its own first day cancels it. No day that has passed.
    #[schema(format = "date", max_length = 10)]
    pub on: String,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Gives a route an end, or another one.
#[utoipa::path(post, operation_id = "endRoute", path = "/api/v1/routes/{id}/end", tag = "routes", request_body = EndRequest,
    params(("id" = Uuid, Path, description = "The route."),
        ("If-Match" = String, Header, description = "The route's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The route as it is now.", body = RouteView,
        headers(("ETag" = String, description = "What If-Match takes."))), WriteProblems))]
pub async fn end(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<EndRequest>,
) -> Result<Answer, ApiRefusal> {
    let (on, reason) = (civil("on", &value.on)?, line("reason", &value.reason)?);
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let route = decisions::seen(&own.store, &actor, id).await.map_err(of_decision)?;
        IfMatch(matching).holds(&shown::etag_of_route(&route))?;
        let because = Because::new(reason, own.clock.now());
        let answer = |ended: &(Route, bool)| {
            let view = RouteView::of(&ended.0);
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::OK, &view)?.etag(view.etag.clone()))
        };
        let kept = |ended: &(Route, bool)| answer(ended)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let ended = decisions::end_on(&own.store, By::User(&actor), &route, on, &because, kept).await.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&ended)
    };
    once(&api, &caller, &headers, digest(&["end route", &id.to_string(), &if_match.0], &bytes), work).await
}

/// Adds many routes, all or none: a JSON list, or CSV with their names in the first line.
#[utoipa::path(post, operation_id = "importRoutes", path = "/api/v1/routes/import", tag = "routes",
    request_body(description = "The routes: at most 1000.", content((Vec<RouteRequest> = "application/json"), (String = "text/csv"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "What was done.", body = ImportDone), WriteProblems))]
pub async fn import(State(api): State<Api>, caller: Caller, headers: HeaderMap, body: Body) -> Result<Answer, ApiRefusal> {
    caller.may(Action::AddRoute)?;
    let (requests, kind, bytes) = requested(&api, &headers, body, table::route).await?;
    let read = requests.into_iter().map(RouteRequest::read).collect::<Result<Vec<_>, _>>()?;
    let reason = one_reason(read.iter().map(|(.., reason)| reason.as_str()))?;
    let (da, en) = ("en import har ét replace, ens overalt", "an import has one replace, the same throughout");
    let in_the_way = the_same(read.iter().map(|(_, in_the_way, _)| *in_the_way), "replace", da, en)?;
    let in_the_way = in_the_way.unwrap_or(InTheWay::Refuse);
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let routes: Vec<_> = read.into_iter().map(|(route, ..)| route).collect();
        let because = Because::new(reason, own.clock.now());
        let answer = |done: &Added| Answer::new(StatusCode::OK, &ImportDone { added: done.added, unchanged: done.unchanged });
        let kept = |done: &Added| answer(done)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let done = decisions::add(&own.store, By::User(&actor), &routes, in_the_way, &own.own, &because, kept).await;
        let done = done.map_err(of_decision)?;
        own.decided.notify_one();
        answer(&done)
    };
    once(&api, &caller, &headers, digest(&["import routes", &kind], &bytes), work).await
}

/// Every route that the user may see, as one file.
#[utoipa::path(get, operation_id = "exportRoutes", path = "/api/v1/routes/export", tag = "routes", params(Format),
    responses((status = 200, description = "The routes.", content((Vec<RouteView> = "application/json"), (String = "text/csv"))), ReadProblems))]
pub async fn export(State(api): State<Api>, caller: Caller, Query(format): Query<Format>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeRoutes)?;
    let (csv, party, services) = (format.is_csv()?, party(&caller)?, caller.user().services.clone());
    let after = move |after| {
        let (api, services) = (api.clone(), services.clone());
        async move { Ok(api.store.route_page(party, &services, after, page::MOST).await?.iter().map(RouteView::of).collect()) }
    };
    Ok(files::exported("routes", csv, after, |view: &RouteView| view.id, table::routes))
}

/// Who is asked about.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Question {
    /// The service.
    #[param(value_type = Uuid)]
    service: String,
    /// The authority that sends, by its CVR number.
    #[param(pattern = "^[0-9]{8}$", max_length = 8)]
    sender: String,
    /// The authority that receives.
    #[param(pattern = "^[0-9]{8}$", max_length = 8)]
    receiver: String,
    /// Where.
    #[param(pattern = "^[a-z0-9-]{1,32}$", max_length = 32)]
    environment: String,
    /// On which day; today where it is left out.
    #[param(format = "date", max_length = 10)]
    on: Option<String>,
}

/// Who would receive a call.
#[derive(Debug, Serialize, ToSchema)]
pub struct Receiver {
    /// The day that the answer is for.
    #[schema(format = "date", max_length = 10)]
    pub on: String,
    /// The route that would carry the call; null: none, and the call would be refused.
    pub route: Option<RouteView>,
    /// Where there is none: the one that ended last.
    pub last: Option<RouteView>,
    /// Where there is none: the one that begins next.
    pub next: Option<RouteView>,
}

/// Who would receive a call of a service, between two authorities, on a day.
#[utoipa::path(get, operation_id = "askReceiver", path = "/api/v1/receiver", tag = "routes", params(Question),
    responses((status = 200, description = "The route, or that there is none.", body = Receiver), ReadProblems))]
pub async fn receiver(State(api): State<Api>, caller: Caller, Query(asked): Query<Question>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeRoutes)?;
    let wrong_cvr = |name: &'static str| move |_| wrong_parameter(name, "det er ikke otte cifre", "it is not eight digits");
    let service = uuid_parameter("service", Some(&asked.service))?.ok_or(ApiRefusal::ApiInternal)?;
    let (sender, receiver): (Cvr, Cvr) =
        (asked.sender.parse().map_err(wrong_cvr("sender"))?, asked.receiver.parse().map_err(wrong_cvr("receiver"))?);
    let environment: Environment = asked.environment.parse().map_err(|_| {
        wrong_parameter(
            "environment",
            "det er ikke 1 til 32 tegn af a-z, 0-9 og bindestreg",
            "it is not 1 to 32 of a-z, 0-9 and hyphen",
        )
    })?;
    let day = match asked.on.as_deref() {
        Some(text) => {
            crate::agreements::route::day(text).map_err(|_| wrong_parameter("on", "det er ikke en dato", "it is not a day"))?
        }
        None => civil_day(api.clock.now()).ok_or(ApiRefusal::ApiInternal)?,
    };
    let mut routes = api.store.routes_between(service, sender, &environment).await.map_err(of_store)?;
    routes.retain(|route| decisions::is_seen(&caller, route));
    let routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
    let view = |route: Option<Arc<Route>>| route.as_deref().map(RouteView::of);
    let (route, last, next) = match on_day(&routes, sender, receiver, day) {
        OnDay::Route(route) => (Some(RouteView::of(&route)), None, None),
        OnDay::Nobody { last, next } => (None, view(last), view(next)),
        OnDay::Several(one, other) => {
            tracing::error!(%one, %other, "two routes carry the same calls: end one");
            return Err(ApiRefusal::ApiInternal);
        }
    };
    Ok(axum::Json(Receiver { on: day.to_string(), route, last, next }).into_response())
}
