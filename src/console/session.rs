//! Who asks: the session of a browser, how one begins and how it ends.
//!
//! A session begins with a [`Proven`] person alone: by a one-time link here, by an identity provider in `sso`. Its secret is in a
//! cookie that no script reads and that goes to this host alone; the store has its digest. The cookie is `SameSite=Lax`, not
//! `Strict`: with `Strict` a browser would not send it where somebody follows the link of a mail, nor after the identity
//! provider's answer, and whoever is logged on would be asked to log on. What changes anything is a form, and needs the session's
//! token besides.

use askama::Template;
use axum::Router;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::form::{Fields, Form};
use super::frame::{Frame, page};
use super::stop::{Kept, Stop};
use super::{Asked, Console, saml};
use crate::config::OneTimeLinks;
use crate::decisions::DecideError;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::signon::request::local_path;
use crate::users::Actor;
use crate::users::rights::Action;
pub use crate::users::sessions::{AtProvider, Means, Proven};
use crate::users::sessions::{OpenError, Secret, Session, writer};

/// The cookie with the session's secret. Browsers take a name that begins so from this host alone, over TLS, for every path.
pub const COOKIE: &str = "__Host-hjemmel";
/// The cookie with the page that somebody was led to log-on from. SAML's RelayState has no room for one with what was written there, and a
/// one-time link has none at all. It must be `SameSite=None`: the answer that ends a log-on is posted from the provider's site.
pub const NEXT: &str = "__Host-hjemmel-next";
/// For how long, in seconds: as a log-on may take.
const NEXT_HOLDS: u32 = 600;

/// Somebody who is logged on.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Visit {
    pub session: Session,
    pub asked: Asked,
    pub(super) secret: Secret,
}

impl Visit {
    /// The session of this request, where there is one that goes on.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn of(console: &Console, asked: &Asked) -> Result<Option<Self>, Stop> {
        let Some(secret) = &asked.secret else { return Ok(None) };
        let session = console.store.session(secret, console.sessions, console.clock.now()).await?;
        Ok(session.map(|session| Self { session, asked: asked.clone(), secret: secret.clone() }))
    }

    /// The user who asks.
    pub fn actor(&self) -> &Actor {
        &self.session.actor
    }

    /// Who writes in the forms of this session.
    pub(super) fn writer(&self) -> String {
        writer(self.actor())
    }

    /// What its forms bring back.
    pub(super) fn form_token(&self) -> String {
        format!("{}.{}", self.secret.form_token(), self.writer())
    }

    /// Whether the user may do this.
    ///
    /// # Errors
    /// As [`Actor::may`].
    pub fn may(&self, action: Action) -> Result<(), Stop> {
        self.actor().may(action)?;
        Ok(())
    }

    /// Leads to a page that says that what was sent is done.
    pub fn done_at(&self, place: &str) -> Response {
        self.done_with(place, "")
    }

    /// The same with more in its address.
    pub fn done_with(&self, place: &str, more: &str) -> Response {
        Redirect::to(&format!("{place}?done={}{more}", self.secret.done_mark(place))).into_response()
    }

    /// Whether the address says that what was sent is done, and it was this session that was led here to read so.
    pub fn was_done(&self, query: &Fields) -> bool {
        let place = self.asked.path.split('?').next().unwrap_or_default();
        let due = self.secret.done_mark(place);
        aws_lc_rs::constant_time::verify_slices_are_equal(due.as_bytes(), query.text("done").as_bytes()).is_ok()
    }

    /// Whether what the address has for the fields of the page was written in this browser, as a form that was not sent: nobody
    /// puts words into a form by a link.
    pub fn wrote(&self, query: &Fields) -> bool {
        let given = query.text(Kept::FIELD);
        self.asked.kept.as_ref().is_some_and(|kept| {
            aws_lc_rs::constant_time::verify_slices_are_equal(kept.reveal().as_bytes(), given.as_bytes()).is_ok()
        })
    }

    /// The reason that the address brings back, where it was written in this browser.
    pub fn written_reason(&self, query: &Fields) -> String {
        if self.wrote(query) { query.text("reason").into_owned() } else { String::new() }
    }

    /// The frame of a page of this name, in Danish and in English.
    pub fn frame(&self, console: &Console, da: &str, en: &str) -> Frame {
        let title = if self.asked.language == crate::api::problem::Language::English { en } else { da };
        Frame::of(console, &self.asked, Some(self), title)
    }
}

impl FromRequestParts<Console> for Visit {
    type Rejection = Response;

    /// Whoever is not logged on is led to where one logs on, and back afterwards.
    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let asked =
            parts.extensions.get::<Asked>().cloned().ok_or_else(|| Stop::from(ApiRefusal::ApiInternal).into_response())?;
        match Self::of(console, &asked).await {
            Ok(Some(visit)) => Ok(visit),
            Ok(None) => Err(led_to_log_on(&asked)),
            Err(stop) => Err(stop.into_response()),
        }
    }
}

impl FromRequestParts<Console> for Asked {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &Console) -> Result<Self, Stop> {
        parts.extensions.get::<Asked>().cloned().ok_or_else(|| ApiRefusal::ApiInternal.into())
    }
}

/// Leads to where one logs on. The way back is in the address where SAML's RelayState has room for it, and in the browser always.
fn led_to_log_on(asked: &Asked) -> Response {
    let (name, value) = if local_path(&asked.path) == asked.path { ("next", asked.path.as_str()) } else { ("back", "1") };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(name, value);
    let mut response = Redirect::to(&format!("/log-on?{}", query.finish())).into_response();
    match asked.path.as_str() {
        "/" => forget_next(&mut response, asked),
        path => {
            let cookie =
                format!("{NEXT}={}; Path=/; Max-Age={NEXT_HOLDS}; Secure; HttpOnly; SameSite=None", URL_SAFE_NO_PAD.encode(path));
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
        }
    }
    response
}

/// The page that the cookie of it names.
pub(super) fn remembered(cookie: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cookie).ok()?).ok()
}

/// Takes the cookie with the way back away, where the browser has it.
fn forget_next(response: &mut Response, asked: &Asked) {
    if asked.next.is_some() {
        let gone = HeaderValue::from_static("__Host-hjemmel-next=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=None");
        response.headers_mut().append(SET_COOKIE, gone);
    }
}

/// Where somebody goes after log-on: a page of ours, whatever the address says.
pub fn next_page(wanted: &str) -> &str {
    let plain = wanted.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let ours = wanted.starts_with('/') && !wanted.starts_with("//") && plain;
    let again = ["/log-on", "/log-off", "/link", "/saml"].iter().any(|path| wanted.starts_with(path));
    if ours && !again { wanted } else { "/" }
}

/// Begins a session for a proven person, and leads them to the page that they wanted: `next`, or where that is the front page, the one that the
/// browser was led to log-on from. The browser's session before it ends, so that nobody goes on as somebody else.
///
/// # Errors
/// A person who may not log on, a store that does not answer.
pub async fn open(console: &Console, asked: &Asked, proven: &Proven, next: &str) -> Result<Response, Stop> {
    let now = console.clock.now();
    if let Some(before) = Visit::of(console, asked).await? {
        console.store.end_session(before.session.id, now).await?;
    }
    let (secret, session) = console.store.open_session(proven, console.sessions, now).await.map_err(refused)?;
    console.metrics.logged_on(proven.means.name());
    tracing::info!(session = %session.id, user = %session.actor.user().id, means = proven.means.name(), "logged on to the console");
    let next = asked.next.as_deref().filter(|_| next == "/").unwrap_or(next);
    let mut response = leads(&secret, next)?;
    forget_next(&mut response, asked);
    Ok(response)
}

/// Goes on in a session that acts for a colleague by this delegation, or in one's own right again; the one before ends.
///
/// # Errors
/// A delegation that is not in force, a store that does not answer.
pub async fn exchange(console: &Console, visit: &Visit, delegation: Option<Uuid>, next: &str) -> Result<Response, Stop> {
    let now = console.clock.now();
    let exchanged = console.store.exchange_session(&visit.session, delegation, now).await;
    let (secret, session) = exchanged.map_err(DecideError::from)?;
    tracing::info!(session = %session.id, before = %visit.session.id, acts = delegation.is_some(), "a session of the console gave way to another");
    leads(&secret, next)
}

/// Leads to a page of ours, with the cookie of a session that has begun.
fn leads(secret: &Secret, next: &str) -> Result<Response, Stop> {
    let mut response = Redirect::to(next_page(next)).into_response();
    let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax", secret.reveal());
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| ApiRefusal::ApiInternal)?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

fn refused(error: OpenError) -> Stop {
    match error {
        OpenError::Store(error) => error.into(),
        OpenError::NotAllowed | OpenError::Link => ConsoleRefusal::ConsoleLinkInvalid.into(),
    }
}

/// Takes the session's cookie away.
pub fn forget(response: &mut Response) {
    let gone = HeaderValue::from_static("__Host-hjemmel=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    response.headers_mut().append(SET_COOKIE, gone);
}

pub(super) fn router() -> Router<Console> {
    Router::new().route("/log-on", get(log_on)).route("/log-off", post(log_off)).route("/link/{secret}", get(link).post(by_link))
}

#[derive(Template)]
#[template(path = "console/log-on.html")]
struct LogOnPage {
    frame: Frame,
    links: bool,
    left: bool,
    /// Whether the provider said that it did not log the person off.
    not_left: bool,
    /// Where one leaves the identity provider too.
    leave: Option<String>,
    /// The identity providers: what each is called, and where one logs on by it.
    providers: Vec<(String, String)>,
}

impl LogOnPage {
    fn of(console: &Console, asked: &Asked, next: &str) -> Self {
        let title = if asked.language.tag() == "en" { "Log on" } else { "Log på" };
        let frame = Frame::of(console, asked, None, title);
        let links = console.one_time_links != OneTimeLinks::Off;
        Self { frame, links, left: false, not_left: false, leave: None, providers: saml::providers(console, next) }
    }
}

/// How one logs on.
async fn log_on(State(console): State<Console>, asked: Asked, request: Request) -> Result<Response, Stop> {
    let query = Fields::of_query(request.uri())?;
    // Whoever is logged on is not told by a link that they are not.
    let goes_on = Visit::of(&console, &asked).await?.is_some();
    let (left, not_left) = (query.text("left") == "1" && !goes_on, query.text("left") == "0" && !goes_on);
    let mut response = page(&LogOnPage { left, not_left, ..LogOnPage::of(&console, &asked, &query.text("next")) })?;
    // Whoever comes here by themselves goes nowhere that they wanted to before.
    if query.text("next").is_empty() && query.text("back").is_empty() {
        forget_next(&mut response, &asked);
    }
    Ok(response)
}

#[derive(Template)]
#[template(path = "console/link.html")]
struct LinkPage {
    frame: Frame,
    secret: String,
}

/// The page behind a link. It uses nothing up: a mail program or a browser may look at it before its person does.
async fn link(State(console): State<Console>, asked: Asked, Path(secret): Path<String>) -> Result<Response, Stop> {
    let secret = usable(&console, &asked, &secret)?;
    let frame = Frame::of(&console, &asked, None, if asked.language.tag() == "en" { "Log on" } else { "Log på" });
    page(&LinkPage { frame, secret: secret.reveal().to_owned() })
}

async fn by_link(State(console): State<Console>, asked: Asked, Path(secret): Path<String>) -> Result<Response, Stop> {
    let secret = usable(&console, &asked, &secret)?;
    let any_role = console.one_time_links == OneTimeLinks::Everybody;
    let proven = console.store.use_link(&secret, any_role, console.clock.now()).await.map_err(refused)?;
    open(&console, &asked, &proven, "/").await
}

/// A link that may be one: from this machine, where links are on.
fn usable(console: &Console, asked: &Asked, secret: &str) -> Result<Secret, ConsoleRefusal> {
    let may_be = console.one_time_links != OneTimeLinks::Off && asked.from.ip().is_loopback();
    Secret::read(secret).filter(|_| may_be).ok_or(ConsoleRefusal::ConsoleLinkInvalid)
}

/// Ends the session. Whoever was logged on by an identity provider may leave that too, by a link: a form may lead to no other site.
async fn log_off(State(console): State<Console>, headers: HeaderMap, form: Form) -> Result<Response, Stop> {
    let session = &form.visit.session;
    console.store.end_session(session.id, console.clock.now()).await?;
    let mut response = match saml::leave(&console, session, &headers).await? {
        None => Redirect::to("/log-on?left=1").into_response(),
        leave => page(&LogOnPage { left: true, leave, ..LogOnPage::of(&console, &form.visit.asked, "/") })?,
    };
    forget(&mut response);
    saml::forget(&mut response);
    Ok(response)
}
