//! The console: pages for the people who answer for agreements, routes and calls.
//!
//! It has a listener of its own (`[console]`), served by the edge as every other, and stands on [`crate::decisions`] as the API
//! and the command line do: it writes nothing to the store itself. A page is drawn on the server, works without a script, and
//! stands in Danish and in English side by side in its template (`templates/console`). [`guard`] is what every request passes,
//! [`session`] who asks, [`frame`] what stands around a page, [`stop`] how it says no, and each group of pages has a file in
//! [`pages`].

pub mod assets;
pub mod form;
pub mod frame;
pub mod guard;
pub mod known;
pub mod note;
pub mod pages;
pub mod saml;
pub mod session;
pub mod stop;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use http::{Request, Response};
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use tower::{Service, ServiceExt, service_fn};
use uuid::Uuid;

use crate::agreements::Store;
use crate::agreements::rules::Rules;
use crate::api::problem::{Language, ran_out};
use crate::audit::{Audit, Sealer};
use crate::clock::Clock;
use crate::config::OneTimeLinks;
use crate::metrics::Metrics;
use crate::replay::ReplayMemory;
use crate::services::finance::lists::publish::Notices;
use crate::users::sessions::{Limits, Secret};
use assets::Assets;
use guard::Origin;
use known::Known;
use saml::LogOnNow;

/// How long a request may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest form, in bytes.
pub const FORM_BYTES: usize = 256 * 1024;
/// The largest form with a value list. `[limits] request_bytes` bounds it too.
pub const LIST_BYTES: usize = 4 * 1024 * 1024;

/// What the console works with.
#[allow(missing_docs)] // the names say it
pub struct Settings {
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The metrics of this node.
    pub metrics: Arc<Metrics>,
    /// The folder of this node's audit log.
    pub audit: PathBuf,
    /// What writes in it.
    pub log: Audit,
    /// What hides persons in it.
    pub sealer: Arc<Sealer>,
    /// The node itself.
    pub known: Arc<dyn Known>,
    /// The environment whose agreements hold here.
    pub environment: String,
    /// Where the gateway's operators are reached, as each page says.
    pub contact: Option<String>,
    /// Where browsers find the console.
    pub origin: Origin,
    /// How long sessions last.
    pub sessions: Limits,
    /// Who logs on by a one-time link.
    pub one_time_links: OneTimeLinks,
    /// Log-on by identity providers.
    pub log_on: LogOnNow,
    /// What remembers that an identity provider's answer was used.
    pub replay: Arc<ReplayMemory>,
    /// The files of the common design system, where they are.
    pub assets: Assets,
    /// How agreements of each service are asked for and ended.
    pub rules: Arc<Rules>,
    /// How many days ahead value lists are published.
    pub notices: Arc<Notices>,
    /// The gateway's own listeners, to which no route may lead.
    pub own: Vec<SocketAddr>,
    /// Told of every decision, so that it gets into the audit's chain at once.
    pub decided: Arc<Notify>,
}

/// At most so many read the audit log at once.
const READERS: usize = 2;

/// The console. Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

/// The console's settings, and what it keeps of itself.
pub struct Inner {
    settings: Settings,
    /// When the node started.
    since: Timestamp,
    /// Who may read the audit log.
    readers: Arc<Semaphore>,
}

impl std::ops::Deref for Inner {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl std::ops::Deref for Console {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The console with the ways to it.
#[derive(Clone)]
pub struct Served {
    console: Console,
    router: Router,
}

/// What is known of a request before anybody is.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its id, in its log line and on the page that it is refused with.
    pub call: Uuid,
    /// The language of the page.
    pub language: Language,
    /// The path with the query, for the link to the other language and for the way back after log-on.
    pub path: String,
    /// What the browser is known by.
    pub secret: Option<Secret>,
    /// By what the browser is known again that wrote something which was not sent ([`stop`]).
    pub kept: Option<Secret>,
    /// The page that the browser was led to log-on from.
    pub next: Option<String>,
    /// Where the connection comes from.
    pub from: SocketAddr,
}

impl Served {
    /// The console as it is served.
    pub fn new(settings: Settings) -> Self {
        let since = settings.clock.now();
        let console = Console(Arc::new(Inner { settings, since, readers: Arc::new(Semaphore::new(READERS)) }));
        let router =
            pages::router().merge(session::router()).merge(saml::router()).merge(assets::router()).with_state(console.clone());
        Self { console, router }
    }

    /// The service for one connection, from this address.
    pub fn service<B>(
        &self,
        from: SocketAddr,
    ) -> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static + use<B>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let served = self.clone();
        service_fn(move |request: Request<B>| {
            let served = served.clone();
            async move { Ok(served.console.answer(served.router, request.map(Body::new), from).await) }
        })
    }
}

impl Console {
    async fn answer(&self, router: Router, mut request: Request<Body>, from: SocketAddr) -> Response<Body> {
        let mut asked = guard::asked(&request, from);
        let method = request.method().clone();
        request.extensions_mut().insert(asked.clone());
        let passed = guard::judge(&request, &self.origin);
        if passed.is_err() {
            // Whoever leads a browser here under another name reads nothing of its person.
            asked.secret = None;
        }
        let chosen = guard::chosen_language(request.uri());
        let response = match passed {
            Err(refusal) => stop::refuse(refusal),
            Ok(()) => match tokio::time::timeout(DEADLINE, router.oneshot(request)).await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(_) => stop::refuse(ran_out(&method)),
            },
        };
        let mut response = stop::render(self, response, &asked).await;
        guard::protect(&mut response, &self.origin);
        if let Some(language) = chosen {
            guard::remember_language(&mut response, language);
        }
        self.metrics.console_answered(response.status().as_u16());
        // Neither path nor query: a person's number may have been put in either by mistake.
        tracing::info!(call = %asked.call, %method, status = response.status().as_u16(), "console");
        response
    }
}

/// The answer where the listener has no room for a request with these header fields.
pub fn overloaded(headers: &http::HeaderMap) -> Response<Body> {
    let entry = crate::refusal::console::ConsoleRefusal::ConsoleOverloaded.entry();
    let english = Language::asked(headers) == Language::English;
    let text = if english { &entry.en } else { &entry.da };
    let mut response = Response::new(Body::from(format!("{} {}\n", text.what, text.remedy)));
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("1"));
    response
}
