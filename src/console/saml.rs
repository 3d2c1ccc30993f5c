//! Log-on and log-out by identity providers: what [`crate::signon`] judges, as pages and cookies.
//!
//! While somebody logs on, their browser keeps the request's secret in a cookie of its own, one for each request, so that two
//! tabs do not take each other's. It must be `SameSite=None`: the answer is posted from the provider's site. The session's
//! cookie need not, for it is set by that answer.

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Limited};
use jiff::{SignedDuration, Timestamp};

use super::form::Fields;
use super::session::{self, AtProvider, Means, Proven, Visit};
use super::stop::Stop;
use super::{Asked, Console, guard};
use crate::config;
use crate::decisions::{Because, delegation, user};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::refusal::logon::LogOnRefusal;
use crate::signon::logout::{Leaving, left, ordered};
use crate::signon::own::Own;
use crate::signon::person::{Roleless, Rules};
use crate::signon::provider::Provider;
use crate::signon::redirect::{Kind, Query, encoded};
use crate::signon::request::{RequestId, Secret, local_path, log_on};
use crate::signon::response::{Answer, NameId};
use crate::signon::{logout, names};
use crate::users::sessions::Session;

/// What the cookie of a request begins with; the tag of the request's ID follows.
const PENDING: &str = "__Host-hjemmel-saml-";
/// The most log-ons that a browser has under way.
const MOST_PENDING: usize = 5;
/// The cookie by which the provider can be left again: what it calls the person.
const AT_PROVIDER: &str = "__Host-hjemmel-provider";
/// The largest form that a provider may post, in bytes: a response in base64, percent-encoded.
const LARGEST: usize = names::LONGEST * 2;

/// What logs people on: the console as a provider knows it, its providers, and what is asked of them.
pub struct LogOn {
    own: Own,
    providers: Vec<Provider>,
    rules: Rules,
}

/// A setting that log-on cannot be built from.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {text}")]
#[allow(missing_docs)] // the names say it
pub struct LogOnError {
    pub setting: String,
    /// What is wrong, and what to do.
    pub text: String,
}

impl LogOn {
    /// What the configuration says; none without `[console.saml]`. Reads the providers' metadata.
    ///
    /// # Errors
    /// [`LogOnError`].
    pub fn of(
        console: &config::Console,
        skew: SignedDuration,
        max_age: SignedDuration,
        now: Timestamp,
    ) -> Result<Option<Self>, LogOnError> {
        let (Some(saml), Some(base)) = (&console.saml, console.base()) else { return Ok(None) };
        let own = Own::new(&base, saml.entity_id.as_deref(), std::slice::from_ref(&saml.credentials));
        let own = own.map_err(|error| LogOnError { setting: "console.saml.certificate".to_owned(), text: error.to_string() })?;
        let mut providers: Vec<Provider> = Vec::new();
        for (name, of) in &saml.providers {
            let setting = format!("console.saml.provider.{name}.metadata");
            let wrong = |text: String| LogOnError { setting: setting.clone(), text };
            let file = of.metadata.display();
            let xml = std::fs::read(&of.metadata)
                .map_err(|error| wrong(format!("{file} cannot be read: {error}; let the service's own user read it")))?;
            let provider = Provider::from_metadata(name, Bytes::from(xml), of.answers.clone(), now)
                .map_err(|error| wrong(format!("{file}: {error}; have the provider's administrator send its metadata again")))?;
            if providers.iter().any(|known| known.entity_id() == provider.entity_id()) {
                return Err(wrong(format!("{file} has the entity id of another provider; name each provider once")));
            }
            providers.push(provider);
        }
        let rules = Rules {
            skew,
            max_age,
            assurance: saml.assurance,
            contexts: saml.contexts.clone(),
            roles: saml.roles.clone(),
            role_attribute: saml.role_attribute.clone(),
            person_attribute: saml.person_attribute.clone(),
            operators: saml.operators,
            allow_cbc: saml.allow_cbc,
        };
        Ok(Some(Self { own, providers, rules }))
    }

    /// What an operator should know of the providers' certificates and metadata.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        self.providers.iter().flat_map(|provider| provider.warnings(now)).collect()
    }
}

/// What logs people on now; a reload exchanges it. Clones share it.
#[derive(Clone, Default)]
pub struct LogOnNow(Arc<RwLock<Option<Arc<LogOn>>>>);

impl LogOnNow {
    /// Begins with this.
    pub fn new(log_on: Option<LogOn>) -> Self {
        Self(Arc::new(RwLock::new(log_on.map(Arc::new))))
    }

    /// Takes another's place.
    pub fn replace(&self, log_on: Option<LogOn>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = log_on.map(Arc::new);
    }

    fn get(&self) -> Option<Arc<LogOn>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn in_force(console: &Console) -> Result<Arc<LogOn>, Stop> {
    console.log_on.get().ok_or_else(|| ConsoleRefusal::ConsolePageUnknown.into())
}

/// The providers by name, and where one logs on by each.
pub(super) fn providers(console: &Console, next: &str) -> Vec<(String, String)> {
    let log_on = console.log_on.get();
    let providers = log_on.iter().flat_map(|log_on| log_on.providers.iter());
    providers
        .map(|provider| {
            let name = provider.name();
            (name.to_owned(), format!("/saml/log-on?provider={}&next={}", encoded(name), encoded(local_path(next))))
        })
        .collect()
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/saml/log-on", get(begin))
        .route(Own::CONSUMER, post(consume))
        .route(Own::METADATA, get(metadata))
        .route(Own::LOG_OUT, get(log_out))
}

fn internal(error: impl std::fmt::Display) -> Stop {
    tracing::error!(%error, "a message for an identity provider could not be signed");
    ApiRefusal::ApiInternal.into()
}

fn set_cookie(response: &mut Response, cookie: &str) -> Result<(), Stop> {
    let value = HeaderValue::from_str(cookie).map_err(internal)?;
    response.headers_mut().append(SET_COOKIE, value);
    Ok(())
}

/// Sends a browser to its provider.
async fn begin(State(console): State<Console>, request: Request) -> Result<Response, Stop> {
    let in_force = in_force(&console)?;
    // A picture of another site's page that leads here begins no log-on. What is no browser says nothing.
    let mode = request.headers().get("sec-fetch-mode").map(|mode| mode.as_bytes());
    if mode.is_some_and(|mode| mode != b"navigate") {
        return Err(ConsoleRefusal::ConsoleOrigin.into());
    }
    let query = Fields::of_query(request.uri())?;
    let wanted = query.text("provider");
    let provider = in_force.providers.iter().find(|provider| provider.name() == wanted);
    let provider = provider.ok_or(ConsoleRefusal::ConsolePageUnknown)?;
    let secret = Secret::new().map_err(internal)?;
    let next = query.text("next");
    let address = log_on(&in_force.own, provider, &in_force.rules, &secret, &next, console.clock.now()).map_err(internal)?;
    let id = secret.request_id();
    let tag = RequestId::tag(id.as_str()).unwrap_or_default().to_owned();
    let mut response = Redirect::to(&address).into_response();
    // Those that were begun and never ended must not fill the browser's store of cookies.
    let pending = guard::names(request.headers(), PENDING);
    for name in pending.iter().skip(MOST_PENDING - 1) {
        set_cookie(&mut response, &format!("{name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=None"))?;
    }
    let cookie = format!("{PENDING}{tag}={}; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=None", secret.expose());
    set_cookie(&mut response, &cookie)?;
    Ok(response)
}

/// Takes a provider's answer.
async fn consume(State(console): State<Console>, asked: Asked, request: Request) -> Result<Response, Stop> {
    let in_force = in_force(&console)?;
    let headers = request.headers().clone();
    let fields = posted(request).await?;
    let answer = Answer::read(&fields.text("SAMLResponse"))?;
    let tag = answer.in_response_to().and_then(RequestId::tag).map(str::to_owned);
    let pending = tag.as_ref().map(|tag| format!("{PENDING}{tag}"));
    let secret = pending.as_ref().and_then(|name| guard::cookie(&headers, name)).and_then(Secret::from_cookie);
    // First what costs nothing: no signature is verified and nothing decrypted for whom began no log-on.
    let Some(secret) = secret else {
        return Err(match answer.in_response_to() {
            None => LogOnRefusal::LogOnUnsolicited.into(),
            Some(_) => LogOnRefusal::LogOnOtherRequest.into(),
        });
    };
    let (now, request) = (console.clock.now(), Some(secret.request_id()));
    let judging = in_force.clone();
    // Beside the threads that serve: a decryption by RSA is not waited for there.
    let judged = tokio::task::spawn_blocking(move || {
        let attested = answer.judge(&judging.own, &judging.providers, &judging.rules, request.as_ref(), now)?;
        let roleless = attested.without_role(&judging.rules);
        Ok::<_, LogOnRefusal>((attested.person(&judging.rules), roleless))
    });
    let (candidate, roleless) = judged.await.map_err(|_| ApiRefusal::ApiInternal)??;
    if let Some(roleless) = roleless {
        without_role(&console, &in_force, &roleless.once(&console.replay, now).await?, now).await?;
    }
    let person = candidate?.once(&console.replay, now).await?;

    let because = Because::new(format!("logged on by the identity provider {}", person.provider()), now);
    let user = user::at_provider(&console.store, &person, &because).await?;
    console.decided.notify_one();
    if !user.holds(now) {
        let what = Detail::new("driften har afsluttet brugeren", "the operators have ended the user");
        return Err(LogOnRefusal::LogOnNoRole { what }.into());
    }
    let leaving = Leaving::from(&person);
    let proven = Proven {
        user: user.id,
        means: Means::Saml,
        roles: Some(person.roles().to_vec()),
        at_provider: Some(at_provider(person.provider(), &leaving)),
        until: person.session_ends(),
    };
    // The session before does not come with a form of another site: one with other roles is ended here, so that what the
    // provider took away does not live on.
    console.store.end_other_sessions(&user, now).await?;
    delegation::end_lost(&console.store, user.person, user.party, person.roles(), &because).await?;
    console.decided.notify_one();
    let mut response = session::open(&console, &asked, &proven, local_path(&fields.text("RelayState"))).await?;
    if let Some(pending) = pending {
        set_cookie(&mut response, &format!("{pending}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=None"))?;
    }
    let kept = URL_SAFE_NO_PAD.encode(kept(person.provider(), &leaving).to_string());
    set_cookie(&mut response, &format!("{AT_PROVIDER}={kept}; Path=/; Secure; HttpOnly; SameSite=Lax"))?;
    Ok(response)
}

/// Whoever has no role at the provider any longer is not logged on, and acts no more by what its roles gave: neither in a session, nor
/// through a substitute.
async fn without_role(console: &Console, log_on: &LogOn, person: &Roleless, now: Timestamp) -> Result<(), Stop> {
    let organisation = Some(person.organisation());
    console.store.end_provider_sessions(person.id(), organisation, now).await?;
    if log_on.rules.operators == organisation {
        console.store.end_provider_sessions(person.id(), None, now).await?;
    }
    let because = Because::new(format!("has no role at the identity provider {}", person.provider()), now);
    delegation::end_lost(&console.store, person.id(), organisation, &[], &because).await?;
    console.decided.notify_one();
    Ok(())
}

/// The fields that a provider posted.
async fn posted(request: Request) -> Result<Fields, Stop> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim() != "application/x-www-form-urlencoded" {
        return Err(ConsoleRefusal::ConsoleFormUnreadable.into());
    }
    let read = Limited::new(request.into_body(), LARGEST).collect().await;
    let bytes = read.map_err(|_| ConsoleRefusal::ConsoleFormTooLarge { limit: LARGEST })?;
    Ok(Fields::read(&bytes.to_bytes())?)
}

/// By what the provider ends the session.
fn at_provider(provider: &str, leaving: &Leaving) -> AtProvider {
    AtProvider { subject: subject(provider, &leaving.name_id), session: leaving.session.clone() }
}

fn subject(provider: &str, name_id: &NameId) -> String {
    format!("{provider}\n{}", name_id.value)
}

/// What the person's own browser keeps, to leave the provider again.
fn kept(provider: &str, leaving: &Leaving) -> serde_json::Value {
    let NameId { value, format, qualifiers: [qualifier, own_qualifier] } = &leaving.name_id;
    serde_json::json!([provider, value, format, qualifier, own_qualifier, leaving.session])
}

type Kept = (String, String, Option<String>, Option<String>, Option<String>, Option<String>);

fn read_kept(cookie: &str) -> Option<(String, Leaving)> {
    let bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
    let (provider, value, format, qualifier, own_qualifier, session): Kept = serde_json::from_slice(&bytes).ok()?;
    Some((provider, Leaving { name_id: NameId { value, format, qualifiers: [qualifier, own_qualifier] }, session }))
}

/// Where somebody whose session was of an identity provider leaves that too. The cookie is the browser's word: it counts only
/// for the person whose session it was, or anybody could have us order that somebody else be logged off.
///
/// # Errors
/// A store that does not answer.
pub(super) async fn leave(console: &Console, session: &Session, headers: &HeaderMap) -> Result<Option<String>, Stop> {
    let (Some(in_force), Means::Saml) = (console.log_on.get(), session.means) else { return Ok(None) };
    let Some((provider, leaving)) = guard::cookie(headers, AT_PROVIDER).and_then(read_kept) else { return Ok(None) };
    let known = in_force.providers.iter().find(|known| known.entity_id() == provider);
    let Some(known) = known else { return Ok(None) };
    if !console.store.is_session_of(session.id, &at_provider(&provider, &leaving)).await? {
        return Ok(None);
    }
    logout::leave(&in_force.own, known, &leaving, console.clock.now()).map_err(internal)
}

/// Takes the provider's cookie away.
pub(super) fn forget(response: &mut Response) {
    let gone = HeaderValue::from_static("__Host-hjemmel-provider=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    response.headers_mut().append(SET_COOKIE, gone);
}

async fn metadata(State(console): State<Console>) -> Result<Response, Stop> {
    let xml = in_force(&console)?.own.metadata().map_err(internal)?;
    Ok(([(CONTENT_TYPE, "application/samlmetadata+xml")], xml).into_response())
}

/// A provider's order to log somebody off, or its answer to ours. Any site can lead a browser here with an order that a provider
/// signed for somebody else: what the browser keeps is taken away only where its own session does not go on.
async fn log_out(State(console): State<Console>, asked: Asked, request: Request) -> Result<Response, Stop> {
    let in_force = in_force(&console)?;
    let (own, now) = (&in_force.own, console.clock.now());
    let query = Query::read(request.uri().query().unwrap_or_default())?;
    if query.kind() == Kind::Response {
        let left = left(&query, own, &in_force.providers, &in_force.rules, now)?;
        return Ok(Redirect::to(if left { "/log-on?left=1" } else { "/log-on?left=0" }).into_response());
    }
    let order = ordered(&query, own, &in_force.providers, &in_force.rules, now)?;
    let subject = subject(order.provider(), order.name_id());
    let mut named: Vec<Option<String>> = order.sessions().iter().cloned().map(Some).collect();
    if named.is_empty() {
        named.push(None);
    }
    let mut ended = 0;
    for session in named {
        ended += console.store.end_sessions_of(&AtProvider { subject: subject.clone(), session }, now).await?;
    }
    tracing::info!(provider = order.provider(), ended, "an identity provider ended sessions of the console");
    let to = order.answer(&query, own, now).map_err(internal)?;
    let goes_on = Visit::of(&console, &asked).await?.is_some();
    let here = if goes_on { "/" } else { "/log-on?left=1" };
    let mut response = Redirect::to(to.as_deref().unwrap_or(here)).into_response();
    if !goes_on {
        session::forget(&mut response);
        forget(&mut response);
    }
    Ok(response)
}
