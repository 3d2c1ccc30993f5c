//! What every request passes before a page sees it, and what every answer says to the browser.

use std::net::SocketAddr;

use axum::body::Body;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, ORIGIN, REFERRER_POLICY, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use uuid::Uuid;

use super::{Asked, session, stop};
use crate::api::problem::Language;
use crate::refusal::console::ConsoleRefusal;
use crate::users::sessions::Secret;

/// The cookie that remembers the language.
const LANGUAGE: &str = "__Host-hjemmel-language";
/// The longest path that is remembered for the way back, in bytes: with a reason of the longest in its query. In base64 it fits a cookie.
pub(super) const LONGEST_PATH: usize = 2_400;
/// Forms that come from elsewhere by their nature: the answer of an identity provider. They prove themselves by what is in them.
pub const FROM_ELSEWHERE: &[&str] = &["/saml/acs", "/saml/logout"];

/// No script, no style, font or picture from anywhere but here, no frame around it, and forms to here alone.
const POLICY: &str = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// Where browsers find the console: `https://` and one of these hosts, the first its own.
#[derive(Debug, Clone)]
pub struct Origin {
    hosts: Vec<String>,
    /// Whether others than this machine's browsers come.
    public: bool,
}

impl Origin {
    /// The address that the configuration names.
    pub fn public(url: &Uri) -> Self {
        let authority = url.authority().map(|authority| authority.as_str().to_ascii_lowercase()).unwrap_or_default();
        Self { hosts: vec![authority.strip_suffix(":443").unwrap_or(&authority).to_owned()], public: true }
    }

    /// This machine, at the port that is listened on.
    pub fn loopback(bound: SocketAddr) -> Self {
        let port = bound.port();
        Self { hosts: ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")).into(), public: false }
    }

    /// The address of the front page, without a slash at its end.
    pub fn url(&self) -> String {
        format!("https://{}", self.hosts.first().map_or("localhost", String::as_str))
    }

    fn has_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|own| *own == host || format!("{own}:443") == host)
    }

    fn is(&self, origin: &str) -> bool {
        origin.strip_prefix("https://").is_some_and(|host| self.has_host(host))
    }
}

/// What is known of a request before anybody is.
pub(super) fn asked(request: &Request<Body>, from: SocketAddr) -> Asked {
    let headers = request.headers();
    let language = chosen_language(request.uri())
        .or_else(|| cookie(headers, LANGUAGE).and_then(language_of))
        .unwrap_or_else(|| Language::asked(headers));
    let path = request.uri().path_and_query().map(|path| path.as_str()).unwrap_or("/");
    let path = if path.len() <= LONGEST_PATH { path } else { "/" };
    let secret = cookie(headers, session::COOKIE).and_then(Secret::read);
    let kept = cookie(headers, stop::COOKIE).and_then(Secret::read);
    let next = cookie(headers, session::NEXT).and_then(session::remembered);
    Asked { call: Uuid::now_v7(), language, path: path.to_owned(), secret, kept, next, from }
}

/// The one cookie of this name; of two, none.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut found = all.filter_map(|pair| pair.trim().split_once('=')).filter(|(of, _)| *of == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// The names of the cookies that begin so.
pub fn names(headers: &HeaderMap, begins: &str) -> Vec<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let named = all.filter_map(|pair| pair.trim().split_once('=')).map(|(name, _)| name);
    named.filter(|name| name.starts_with(begins)).map(str::to_owned).collect()
}

fn language_of(tag: &str) -> Option<Language> {
    [Language::Danish, Language::English].into_iter().find(|language| language.tag() == tag)
}

/// The language that the query chooses.
pub(super) fn chosen_language(uri: &Uri) -> Option<Language> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.filter(|(name, _)| name == "lang").find_map(|(_, value)| language_of(&value))
}

/// Refuses what is for another host, and what another site sends.
///
/// The host is checked because a name that an attacker points at this machine (DNS rebinding) would make a page of theirs one of
/// ours. A form must come from here: every browser says so (`Origin`, `Sec-Fetch-Site`); what is no browser says neither, and
/// still needs the token of its session.
///
/// # Errors
/// [`ConsoleRefusal::ConsoleHost`], [`ConsoleRefusal::ConsoleOrigin`].
pub(super) fn judge(request: &Request<Body>, own: &Origin) -> Result<(), ConsoleRefusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let named = (hosts.next().map(|host| host.to_str().unwrap_or("?")), hosts.next(), request.uri().authority());
    let for_us = match named {
        (Some(host), None, None) => own.has_host(host),
        (None, None, Some(address)) => own.has_host(address.as_str()),
        (Some(host), None, Some(address)) => host.eq_ignore_ascii_case(address.as_str()) && own.has_host(host),
        _ => false,
    };
    if !for_us {
        return Err(ConsoleRefusal::ConsoleHost);
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) || FROM_ELSEWHERE.contains(&request.uri().path()) {
        return Ok(());
    }
    let field = |name: HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    let from_here = field(ORIGIN).is_none_or(|origin| own.is(origin));
    let site = field(HeaderName::from_static("sec-fetch-site"));
    if from_here && site.is_none_or(|site| matches!(site, "same-origin" | "none")) {
        Ok(())
    } else {
        Err(ConsoleRefusal::ConsoleOrigin)
    }
}

/// Sets the headers that say what the browser may do with an answer.
pub(super) fn protect(response: &mut Response<Body>, own: &Origin) {
    let headers = response.headers_mut();
    let fixed = |text: &'static str| HeaderValue::from_static(text);
    headers.insert(CONTENT_SECURITY_POLICY, fixed(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(X_FRAME_OPTIONS, fixed("DENY"));
    // Not `no-referrer`: with it a browser sends `Origin: null` with our own forms.
    headers.insert(REFERRER_POLICY, fixed("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), fixed("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), fixed("same-origin"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        fixed("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    );
    // Of `localhost` it would hold for every other program there.
    if own.public {
        headers.insert(STRICT_TRANSPORT_SECURITY, fixed("max-age=31536000"));
    }
    // A page that is gone back to is asked for again: what it shows may have been decided meanwhile.
    headers.entry(CACHE_CONTROL).or_insert(fixed("no-store"));
}

/// Keeps the language that was chosen, for a year.
pub(super) fn remember_language(response: &mut Response<Body>, language: Language) {
    let cookie = format!("{LANGUAGE}={}; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax", language.tag());
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
