//! `/api/v1`: agreements, routes, value lists, times for tests and what was decided on them, for users known by their certificates; and
//! doors for systems, of mailboxes and of person imports.
//!
//! It has a listener of its own with mutual TLS (`[api]`), served by the edge as every other. [`problem`] is how it says no,
//! [`extract`] what every request goes through, and each resource has its file. What is decided is decided in
//! [`crate::decisions`], as on the command line. The contract is `/openapi.json`, made from the handlers themselves.

pub mod agreements;
pub mod authorities;
pub mod connections;
pub mod delegations;
pub mod extract;
pub mod files;
pub mod history;
pub mod idempotency;
pub mod input;
pub mod mailboxes;
pub mod meta;
pub mod page;
pub mod partners;
pub mod persons;
pub mod problem;
pub mod requests;
pub mod routes;
pub mod service;
pub mod systems;
pub mod table;
pub mod trials;
pub mod unread;
pub mod value_lists;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, State};
use axum::middleware::Next;
use http::{Method, Request, Response};
use rustls_pki_types::CertificateDer;
use tokio::sync::Notify;
use tower::{Service, ServiceExt, service_fn};
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::agreements::Store;
use crate::agreements::rules::Rules;
use crate::clock::Clock;
use crate::files::partner::core::Mailboxes;
use crate::refusal::api::ApiRefusal;
use crate::services::finance::lists::publish::Notices;
use crate::services::persons::door::Doors;
use crate::trust::clients::ClientTrust;
use extract::Query;
use problem::{Language, Matched, render};

/// How long a request may take, its body aside.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a delivery of a file may take, its body within.
const UPLOAD: Duration = Duration::from_secs(12 * 60 * 60);

/// What client certificates are judged by; exchanged by a reload.
#[derive(Debug)]
pub struct Clients(RwLock<Arc<ClientTrust>>);

impl Clients {
    /// Judged by this.
    pub fn new(trust: Arc<ClientTrust>) -> Self {
        Self(RwLock::new(trust))
    }

    /// Judged by this from the next request on.
    pub fn replace(&self, trust: Arc<ClientTrust>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = trust;
    }

    /// What is judged by now.
    pub fn current(&self) -> Arc<ClientTrust> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes note of a request: its path as the contract names it, and the status of the answer.
pub type Answered = Box<dyn Fn(&str, u16) + Send + Sync>;

/// What the API works with.
pub struct Settings {
    /// The store.
    pub store: Store,
    /// What client certificates are judged by.
    pub clients: Arc<Clients>,
    /// The time.
    pub clock: Clock,
    /// The mailboxes of partner agreements, where there is a place for their files.
    pub mailboxes: Option<Mailboxes>,
    /// The gateway's own listeners, to which no route may lead.
    pub own: Vec<SocketAddr>,
    /// How agreements of each service are asked for and ended.
    pub rules: Arc<Rules>,
    /// How many days ahead value lists are published.
    pub notices: Arc<Notices>,
    /// The person imports.
    pub doors: Arc<Doors>,
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// Told of every decision, so that it gets into the audit's chain at once.
    pub decided: Arc<Notify>,
    /// Told of every request.
    pub answered: Answered,
}

/// The API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    settings: Arc<Settings>,
    contract: Arc<str>,
}

/// The API with the ways to it.
#[derive(Clone)]
pub struct Served {
    api: Api,
    router: Router,
}

impl std::ops::Deref for Api {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// The client's certificate and what it sent of its chain.
#[derive(Debug, Clone)]
struct Chain(Arc<[CertificateDer<'static>]>);

/// The id of one request, in its log line and in what it is refused with.
#[derive(Debug, Clone, Copy)]
pub struct CallId(pub Uuid);

fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(meta::Contract::openapi())
        .routes(routes!(meta::whoami))
        .routes(routes!(meta::openapi))
        .routes(routes!(meta::problems))
        .routes(routes!(authorities::list))
        .routes(routes!(agreements::list, agreements::request::request))
        .routes(routes!(agreements::request::import))
        .routes(routes!(agreements::export))
        .routes(routes!(agreements::get))
        .routes(routes!(history::of_agreement, agreements::decide::decide))
        .routes(routes!(agreements::decide::ending))
        .routes(routes!(agreements::decide::remind))
        .routes(routes!(requests::list, requests::draft))
        .routes(routes!(requests::get, requests::write))
        .routes(routes!(requests::decide))
        .routes(routes!(systems::list, systems::register))
        .routes(routes!(systems::get))
        .routes(routes!(systems::change))
        .routes(routes!(routes::list, routes::add))
        .routes(routes!(routes::import))
        .routes(routes!(routes::export))
        .routes(routes!(routes::get))
        .routes(routes!(routes::end))
        .routes(routes!(history::of_route))
        .routes(routes!(routes::receiver))
        .routes(routes!(value_lists::list, value_lists::change::import))
        .routes(routes!(value_lists::get))
        .routes(routes!(value_lists::content))
        .routes(routes!(value_lists::text))
        .routes(routes!(value_lists::changes))
        .routes(routes!(value_lists::change::remove))
        .routes(routes!(value_lists::change::publish))
        .routes(routes!(history::of_value_list))
        .routes(routes!(value_lists::subscriptions::list, value_lists::subscriptions::subscribe))
        .routes(routes!(value_lists::subscriptions::get))
        .routes(routes!(value_lists::subscriptions::end))
        .routes(routes!(history::of_subscription))
        .routes(routes!(trials::list, trials::open))
        .routes(routes!(trials::get))
        .routes(routes!(trials::end))
        .routes(routes!(history::of_trial))
        .routes(routes!(connections::list, connections::add))
        .routes(routes!(connections::get))
        .routes(routes!(connections::drawn))
        .routes(routes!(connections::end))
        .routes(routes!(connections::consent))
        .routes(routes!(connections::state))
        .routes(routes!(connections::withdraw))
        .routes(routes!(connections::assign))
        .routes(routes!(history::of_connection))
        .routes(routes!(delegations::list, delegations::give))
        .routes(routes!(delegations::get))
        .routes(routes!(delegations::end))
        .routes(routes!(history::of_delegation))
        .routes(routes!(partners::list, partners::ask))
        .routes(routes!(partners::get))
        .routes(routes!(partners::decisions, partners::decide))
        .routes(routes!(partners::partner))
        .routes(routes!(partners::end))
        .routes(routes!(partners::block))
        .routes(routes!(partners::except))
        .routes(routes!(mailboxes::list))
        .routes(routes!(mailboxes::inbox))
        .routes(routes!(mailboxes::arrived))
        .routes(routes!(mailboxes::content))
        .routes(routes!(mailboxes::confirm))
        .routes(routes!(mailboxes::outbox))
        .routes(routes!(mailboxes::delivered, mailboxes::deliver))
        .routes(routes!(mailboxes::upload, mailboxes::take_back))
        .routes(routes!(mailboxes::status))
        .routes(routes!(persons::import))
}

/// The contract, OpenAPI 3.1.
pub fn contract() -> String {
    router().into_openapi().to_pretty_json().unwrap_or_default()
}

/// The parameters that the contract names in the query, by path and method.
#[derive(Clone)]
struct Queries(Arc<HashMap<(String, Method), Vec<String>>>);

impl Queries {
    fn of(contract: &utoipa::openapi::OpenApi) -> Self {
        let mut named = HashMap::new();
        for (path, item) in &contract.paths.paths {
            for (method, operation) in
                [(Method::GET, &item.get), (Method::POST, &item.post), (Method::PUT, &item.put), (Method::DELETE, &item.delete)]
            {
                // A method that the path does not have is refused as that.
                let Some(operation) = operation else { continue };
                let parameters = operation.parameters.iter().flatten();
                let of_query = parameters.filter_map(|parameter| match parameter {
                    RefOr::T(Parameter { name, parameter_in: ParameterIn::Query, .. }) => Some(name.clone()),
                    _ => None,
                });
                named.insert((path.clone(), method), of_query.collect());
            }
        }
        Self(Arc::new(named))
    }

    /// Refuses what the contract does not name, also where nothing reads the query: a misspelt filter must not be passed over.
    fn take(&self, request: &axum::extract::Request) -> Result<(), ApiRefusal> {
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(()) };
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let Some(named) = self.0.get(&(path.as_str().to_owned(), method.clone())) else { return Ok(()) };
        let asked = Query::<Vec<(String, String)>>::read(request.uri())?.0;
        match asked.iter().all(|(name, _)| named.contains(name)) {
            true => Ok(()),
            false => Err(Query::<()>::unknown()),
        }
    }
}

/// Judges the query, and notes the path as the contract names it, for the log.
async fn noted(State(queries): State<Queries>, request: axum::extract::Request, next: Next) -> Response<Body> {
    let matched = request.extensions().get::<MatchedPath>().map(|path| Matched(path.as_str().to_owned()));
    let mut response = match queries.take(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => problem::refuse(refusal),
    };
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
    }
    response
}

impl Served {
    /// The API as it is served.
    pub fn new(settings: Settings) -> Self {
        let (router, contract) = router().split_for_parts();
        let queries = Queries::of(&contract);
        let contract = contract.to_pretty_json().unwrap_or_default().into();
        let api = Api { settings: Arc::new(settings), contract };
        let router = router.layer(axum::middleware::from_fn_with_state(queries, noted)).with_state(api.clone());
        Self { api, router }
    }

    /// The service for one connection, whose client has shown `chain`.
    pub fn service<B>(
        &self,
        chain: Arc<[CertificateDer<'static>]>,
    ) -> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static + use<B>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (router, api) = (self.router.clone(), self.clone());
        service_fn(move |request: Request<B>| {
            let (router, api, chain) = (router.clone(), api.clone(), chain.clone());
            async move { Ok(api.api.answer(router, request.map(Body::new), chain).await) }
        })
    }
}

impl Api {
    async fn answer(&self, router: Router, mut request: Request<Body>, chain: Arc<[CertificateDer<'static>]>) -> Response<Body> {
        let (call, language) = (CallId(Uuid::now_v7()), Language::asked(request.headers()));
        let method = request.method().clone();
        request.extensions_mut().insert(Chain(chain));
        request.extensions_mut().insert(call);
        let within = if method == Method::PUT { UPLOAD } else { DEADLINE };
        let answered = tokio::time::timeout(within, router.oneshot(request)).await;
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => problem::refuse(problem::ran_out(&method)),
        };
        let response = render(response, language, call);
        let (path, status) = (problem::matched(&response), response.status().as_u16());
        (self.answered)(path, status);
        tracing::info!(call = %call.0, method = %method, path, status, "api");
        response
    }
}
