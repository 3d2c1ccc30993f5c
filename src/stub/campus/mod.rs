//! A learning platform that speaks SCIM 2.0 (RFC 7643, 7644), for real: users are created, replaced, changed, looked for, page by page,
//! and deleted; ETags, uniqueness, schemas; and, on request, the faults and the habits of real servers.
//!
//! It shares nothing with the client that it is the other side of ([`crate::persons::campus`]).

mod patch;
mod path;
mod schemas;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, IF_MATCH};
use http::{HeaderMap, HeaderValue, Method, Request};
use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::server::{Handler, Reply, Running, StartError, reply, start, start_mutual};
use super::sts::Switch;
use crate::clock::Clock;
use crate::signature::credentials::Credentials;

/// The root of its resources.
pub const PATH: &str = "/scim/v2";
/// The most users on a page.
pub const MOST: usize = 200;
/// The most users that it keeps.
const ROOM: usize = 1_000_000;
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// How it behaves. Every number counts the requests that change something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Behaviour {
    /// 503, whatever is asked.
    pub is_down: bool,
    /// Waits so long before it answers.
    pub slow: Option<Duration>,
    /// Does every so-many-th change and closes the connection without an answer.
    pub loses: Option<u64>,
    /// Refuses every so-many-th request with 429.
    pub busy: Option<u64>,
    /// What Retry-After says then, in seconds; none: there is none.
    pub retry_after: Option<u64>,
    /// Answers a change with 204 and nothing, not even an ETag.
    pub is_silent: bool,
    /// ETags are a strong hash, or absent and If-Match is ignored.
    pub etags: Etags,
    /// Sends errors as `application/json`, and locations relative.
    pub is_loose: bool,
    /// Knows no PATCH.
    pub without_patch: bool,
    /// Sends everyone elsewhere.
    pub redirects: Option<String>,
    /// Refuses every user name that begins so.
    pub refuses: Option<String>,
    /// Lets nobody look at, change or delete a user whose name begins so: 403.
    pub forbids: Option<String>,
    /// Deletes nobody.
    pub without_delete: bool,
    /// A filter on user names heeds case.
    pub heeds_case: bool,
    /// Answers no more from this point of a request on, so that a test can end the caller there.
    pub stalls: Option<Stall>,
}

/// Where a request is left without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// When somebody looks.
    LookUp,
    /// Before a change is made.
    BeforeChange,
    /// When a change is made, and nobody was told.
    AfterChange,
}

/// What its ETags are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Etags {
    /// `W/"n"`, compared weakly.
    #[default]
    Weak,
    /// `W/"n"`, which matches nothing where it is compared strongly (RFC 9110, 13.1.1).
    WeakAndStrict,
    /// None, and If-Match is ignored.
    None,
}

/// The words for a command line.
pub const WORDS: &str = "down, slow=SECONDS, lost=N, busy=N, retry-after=SECONDS, silent, strict-etags, no-etags, loose, no-patch, no-delete, heeds-case";

impl Behaviour {
    /// Adds a word of [`WORDS`].
    ///
    /// # Errors
    /// It is none.
    pub fn add(&mut self, word: &str) -> Result<(), String> {
        let unknown = || format!("unknown word {word}; choose of {WORDS}");
        let (name, number) = match word.split_once('=') {
            Some((name, number)) => (name, Some(u64::from_str(number).ok().filter(|n| *n > 0).ok_or_else(unknown)?)),
            None => (word, None),
        };
        match (name, number) {
            ("down", None) => self.is_down = true,
            ("slow", Some(seconds)) => self.slow = Some(Duration::from_secs(seconds.min(600))),
            ("lost", Some(_)) => self.loses = number,
            ("busy", Some(_)) => self.busy = number,
            ("retry-after", Some(_)) => self.retry_after = number,
            ("silent", None) => self.is_silent = true,
            ("strict-etags", None) => self.etags = Etags::WeakAndStrict,
            ("no-etags", None) => self.etags = Etags::None,
            ("loose", None) => self.is_loose = true,
            ("no-patch", None) => self.without_patch = true,
            ("no-delete", None) => self.without_delete = true,
            ("heeds-case", None) => self.heeds_case = true,
            _ => return Err(unknown()),
        }
        Ok(())
    }
}

/// What it is started with.
pub struct CampusConfig {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its TLS certificate.
    pub server: Credentials,
    /// The CAs of its callers; none: anybody, who then needs the token.
    pub clients: Vec<CertificateDer<'static>>,
    /// The bearer token that every caller must send.
    pub token: Option<String>,
    /// How it behaves.
    pub behaviour: Switch<Behaviour>,
    /// The time.
    pub clock: Clock,
}

/// A user as it is kept.
#[derive(Debug, Clone)]
struct Kept {
    user: Map<String, Value>,
    version: u64,
    created: String,
    changed: String,
}

/// What was done to one user, in the order in which it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The user's externalId, as it was after it.
    pub external: String,
    /// POST, PUT, PATCH or DELETE.
    pub method: Method,
    /// Whether the user was active after it.
    pub active: bool,
    /// The title after it, by which a test tells states apart.
    pub title: String,
}

#[derive(Debug, Default)]
struct Memory {
    users: BTreeMap<String, Kept>,
    /// In the order in which they came, for pages.
    order: Vec<String>,
    changes: Vec<Change>,
    stalled: usize,
}

/// What a tester sees of it.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Memory>>);

impl Seen {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The users, in the order in which they came.
    pub fn users(&self) -> Vec<Value> {
        let memory = self.memory();
        memory.order.iter().filter_map(|id| memory.users.get(id)).map(|kept| Value::Object(kept.user.clone())).collect()
    }

    /// What was done to users.
    pub fn changes(&self) -> Vec<Change> {
        self.memory().changes.clone()
    }

    /// How many requests were left without an answer, by [`Behaviour::stalls`].
    pub fn stalled(&self) -> usize {
        self.memory().stalled
    }

    /// Puts a user there, as one who was there before; gives the id.
    ///
    /// # Panics
    /// It is no user.
    pub fn put(&self, user: &Value) -> String {
        let user = user.as_object().cloned().unwrap_or_default();
        let mut memory = self.memory();
        let id = Uuid::new_v4().simple().to_string();
        let at = "2026-01-01T00:00:00Z".to_owned();
        memory.order.push(id.clone());
        memory.users.insert(id.clone(), Kept { user, version: 1, created: at.clone(), changed: at });
        id
    }
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    kind: &'static str,
    detail: String,
}

impl Refusal {
    fn of(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into() }
    }

    fn invalid(detail: impl Into<String>) -> Self {
        Self::of(400, "invalidValue", detail)
    }
}

struct Answer {
    status: u16,
    body: Option<Value>,
    headers: Vec<(HeaderName, String)>,
}

impl Answer {
    fn of(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), headers: Vec::new() }
    }
}

struct Server {
    config: CampusConfig,
    seen: Seen,
    requests: AtomicU64,
    changes: AtomicU64,
    base: Mutex<String>,
}

/// Starts it; what comes beside it shows what became of users.
///
/// # Errors
/// [`StartError`].
pub async fn start_campus(config: CampusConfig) -> Result<(Running, Seen), StartError> {
    let seen = Seen::default();
    let running = start_campus_with(config, seen.clone()).await?;
    Ok((running, seen))
}

/// The same with the users of one that was stopped.
///
/// # Errors
/// [`StartError`].
pub async fn start_campus_with(config: CampusConfig, seen: Seen) -> Result<Running, StartError> {
    let (address, server, clients) = (config.address, config.server.clone(), config.clients.clone());
    let handler = Arc::new(Server {
        config,
        seen,
        requests: AtomicU64::new(0),
        changes: AtomicU64::new(0),
        base: Mutex::new(PATH.to_owned()),
    });
    let running = match clients.as_slice() {
        [] => start(address, &server, handler.clone()).await?,
        clients => start_mutual(address, &server, clients, handler.clone()).await?,
    };
    let base = format!("https://localhost:{}{PATH}", running.address().port());
    *handler.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
    Ok(running)
}

impl Handler for Server {
    async fn answer(&self, request: Request<Bytes>) -> Option<Reply> {
        let behaviour = self.config.behaviour.get();
        if let Some(slow) = behaviour.slow {
            tokio::time::sleep(slow).await;
        }
        let nth = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(to) = &behaviour.redirects {
            let mut reply = reply(307, "text/html", "elsewhere");
            if let Ok(to) = HeaderValue::from_str(to) {
                reply.headers_mut().insert(http::header::LOCATION, to);
            }
            return Some(reply);
        }
        if behaviour.is_down {
            return Some(reply(503, "text/html", "<html>down for maintenance</html>"));
        }
        let behaviour_stalls = behaviour.stalls;
        let is_busy = behaviour.busy.is_some_and(|each| nth.is_multiple_of(each));
        let is_change = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(request.method());
        let stalls_at = |point| async move {
            if behaviour_stalls == Some(point) {
                self.seen.memory().stalled += 1;
                std::future::pending::<()>().await;
            }
        };
        stalls_at(if is_change { Stall::BeforeChange } else { Stall::LookUp }).await;
        let answer = match is_busy {
            true => {
                let mut answer = error(&Refusal::of(429, "", "too many requests"));
                answer.headers.extend(behaviour.retry_after.map(|after| (http::header::RETRY_AFTER, after.to_string())));
                answer
            }
            false => self.judge(&request, &behaviour).unwrap_or_else(|refusal| error(&refusal)),
        };
        // It was done, and nobody is told.
        if is_change && answer.status < 300 && !request.uri().path().ends_with(".search") {
            let nth = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
            if behaviour.loses.is_some_and(|each| nth.is_multiple_of(each)) {
                return None;
            }
            stalls_at(Stall::AfterChange).await;
        }
        Some(self.sent(answer, &behaviour))
    }
}

fn error(refusal: &Refusal) -> Answer {
    let mut body = json!({"schemas": [ERROR], "status": refusal.status.to_string(), "detail": refusal.detail});
    if let (Some(body), false) = (body.as_object_mut(), refusal.kind.is_empty()) {
        body.insert("scimType".to_owned(), json!(refusal.kind));
    }
    Answer::of(refusal.status, body)
}

impl Server {
    fn base(&self) -> String {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sent(&self, answer: Answer, behaviour: &Behaviour) -> Reply {
        let kind = if behaviour.is_loose && answer.status >= 400 { "application/json" } else { "application/scim+json" };
        let mut reply = reply(answer.status, kind, answer.body.map_or_else(String::new, |body| body.to_string()));
        for (name, value) in answer.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                reply.headers_mut().insert(name, value);
            }
        }
        if reply.status() == 204 {
            reply.headers_mut().remove(http::header::CONTENT_TYPE);
        }
        reply
    }

    fn judge(&self, request: &Request<Bytes>, behaviour: &Behaviour) -> Result<Answer, Refusal> {
        if let Some(token) = &self.config.token {
            let expected = format!("Bearer {token}");
            if request.headers().get(AUTHORIZATION).is_none_or(|sent| sent.as_bytes() != expected.as_bytes()) {
                return Err(Refusal::of(401, "", "the token is missing or another"));
            }
        }
        let not_found = || Refusal::of(404, "", "there is nothing here");
        let path = request.uri().path().strip_prefix(PATH).ok_or_else(not_found)?;
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (method, base) = (request.method(), self.base());
        let only_get = || if *method == Method::GET { Ok(()) } else { Err(Refusal::of(405, "", "this is only to be looked at")) };
        match parts.as_slice() {
            ["ServiceProviderConfig"] => {
                only_get()?;
                Ok(Answer::of(200, schemas::provider(&base, !behaviour.without_patch)))
            }
            ["ResourceTypes"] => {
                only_get()?;
                Ok(Answer::of(200, whole_list(vec![schemas::resource_type(&base)])))
            }
            ["ResourceTypes", "User"] => {
                only_get()?;
                Ok(Answer::of(200, schemas::resource_type(&base)))
            }
            ["Schemas"] => {
                only_get()?;
                Ok(Answer::of(200, whole_list(schemas::documents(&base))))
            }
            ["Schemas", urn] => {
                only_get()?;
                let found = schemas::documents(&base).into_iter().find(|document| document["id"].as_str() == Some(urn));
                found.map(|document| Answer::of(200, document)).ok_or_else(not_found)
            }
            ["Users" | ".search"] | ["Users", ".search"] => match (method, parts.last() == Some(&".search")) {
                (&Method::GET, false) => self.list(&Asked::of_query(request.uri().query().unwrap_or_default())?, behaviour),
                (&Method::POST, true) => self.list(&Asked::of_body(&body(request)?), behaviour),
                (&Method::POST, false) => self.create(&body(request)?, behaviour),
                _ => Err(Refusal::of(405, "", "users are listed and created here")),
            },
            ["Users", id] if self.forbids(id, behaviour) => Err(Refusal::of(403, "sensitive", "this one is not for you")),
            ["Users", id] => match *method {
                Method::GET => {
                    let asked = Asked::of_query(request.uri().query().unwrap_or_default())?;
                    let memory = self.seen.memory();
                    let kept = memory.users.get(*id).ok_or_else(not_found)?;
                    Ok(self.whole(200, id, kept, Some(&asked), behaviour))
                }
                Method::PUT => self.change(id, request.headers(), behaviour, Method::PUT, |_| replaced(&body(request)?)),
                Method::PATCH if behaviour.without_patch => Err(Refusal::of(501, "", "there is no PATCH here")),
                Method::PATCH => {
                    self.change(id, request.headers(), behaviour, Method::PATCH, |kept| patch::apply(kept, &body(request)?))
                }
                Method::DELETE if behaviour.without_delete => Err(Refusal::of(405, "", "nobody is deleted here")),
                Method::DELETE => self.delete(id, request.headers(), behaviour),
                _ => Err(Refusal::of(405, "", "a user is looked at, replaced, changed or deleted")),
            },
            _ => Err(not_found()),
        }
    }

    fn forbids(&self, id: &str, behaviour: &Behaviour) -> bool {
        let Some(begin) = &behaviour.forbids else { return false };
        let memory = self.seen.memory();
        let name = memory.users.get(id).and_then(|kept| kept.user.get("userName")?.as_str());
        name.is_some_and(|name| name.starts_with(begin))
    }

    fn create(&self, body: &Value, behaviour: &Behaviour) -> Result<Answer, Refusal> {
        let user = replaced(body)?;
        refused(&user, behaviour)?;
        let at = self.config.clock.now().to_string();
        let mut memory = self.seen.memory();
        unique(&memory, &user, None)?;
        if memory.users.len() >= ROOM {
            return Err(Refusal::of(507, "", "there is no room for more users"));
        }
        let id = Uuid::new_v4().simple().to_string();
        let kept = Kept { user, version: 1, created: at.clone(), changed: at };
        memory.changes.push(change_of(&kept.user, Method::POST));
        let mut answer = self.whole(201, &id, &kept, None, behaviour);
        answer.headers.push((http::header::LOCATION, self.location(&id, behaviour)));
        memory.order.push(id.clone());
        memory.users.insert(id, kept);
        Ok(answer)
    }

    fn change(
        &self,
        id: &str,
        headers: &HeaderMap,
        behaviour: &Behaviour,
        method: Method,
        changed: impl FnOnce(&Map<String, Value>) -> Result<Map<String, Value>, Refusal>,
    ) -> Result<Answer, Refusal> {
        let mut memory = self.seen.memory();
        let kept = memory.users.get(id).ok_or_else(|| Refusal::of(404, "", "there is no such user"))?.clone();
        matches(headers, kept.version, behaviour)?;
        let user = changed(&kept.user)?;
        refused(&user, behaviour)?;
        unique(&memory, &user, Some(id))?;
        let same = user == kept.user;
        let (version, at) = match same {
            true => (kept.version, kept.changed),
            false => (kept.version + 1, self.config.clock.now().to_string()),
        };
        let kept = Kept { user, version, created: kept.created, changed: at };
        memory.changes.push(change_of(&kept.user, method));
        let answer = match behaviour.is_silent {
            true => Answer { status: 204, body: None, headers: Vec::new() },
            false => self.whole(200, id, &kept, None, behaviour),
        };
        memory.users.insert(id.to_owned(), kept);
        Ok(answer)
    }

    fn delete(&self, id: &str, headers: &HeaderMap, behaviour: &Behaviour) -> Result<Answer, Refusal> {
        let mut memory = self.seen.memory();
        let kept = memory.users.get(id).ok_or_else(|| Refusal::of(404, "", "there is no such user"))?.clone();
        matches(headers, kept.version, behaviour)?;
        memory.changes.push(change_of(&kept.user, Method::DELETE));
        memory.users.remove(id);
        memory.order.retain(|other| other != id);
        Ok(Answer { status: 204, body: None, headers: Vec::new() })
    }

    fn list(&self, asked: &Asked, behaviour: &Behaviour) -> Result<Answer, Refusal> {
        let filter = asked.filter.as_deref().map(path::filter).transpose()?;
        let memory = self.seen.memory();
        let found: Vec<(&String, &Kept)> = memory
            .order
            .iter()
            .filter_map(|id| Some((id, memory.users.get(id)?)))
            .filter(|(id, kept)| {
                let with_id = || {
                    let mut user = kept.user.clone();
                    user.insert("id".to_owned(), json!(id));
                    user
                };
                let named = || kept.user.get("userName").and_then(Value::as_str).unwrap_or_default();
                let spelt = asked.filter.as_ref().is_none_or(|text| !text.contains("userName") || text.contains(named()));
                (spelt || !behaviour.heeds_case) && filter.as_ref().is_none_or(|filter| filter.holds(&with_id()))
            })
            .collect();
        let (start, count) = (asked.start.max(1), asked.count.min(MOST));
        let page: Vec<Value> =
            found.iter().skip(start - 1).take(count).map(|(id, kept)| self.shown(id, kept, Some(asked), behaviour)).collect();
        let mut body = json!({"schemas": [LIST], "totalResults": found.len(), "itemsPerPage": page.len(), "startIndex": start});
        if let (Some(body), false) = (body.as_object_mut(), page.is_empty()) {
            body.insert("Resources".to_owned(), Value::Array(page));
        }
        Ok(Answer::of(200, body))
    }

    fn location(&self, id: &str, behaviour: &Behaviour) -> String {
        if behaviour.is_loose { format!("Users/{id}") } else { format!("{}/Users/{id}", self.base()) }
    }

    fn whole(&self, status: u16, id: &str, kept: &Kept, asked: Option<&Asked>, behaviour: &Behaviour) -> Answer {
        let mut answer = Answer::of(status, self.shown(id, kept, asked, behaviour));
        if behaviour.etags != Etags::None {
            answer.headers.push((http::header::ETAG, etag(kept.version)));
        }
        answer
    }

    /// A user as it is shown.
    fn shown(&self, id: &str, kept: &Kept, asked: Option<&Asked>, behaviour: &Behaviour) -> Value {
        let mut user = kept.user.clone();
        // Never shown (RFC 7643, 4.1.1).
        user.remove("password");
        let mut meta = json!({
            "resourceType": "User", "created": kept.created, "lastModified": kept.changed,
            "location": self.location(id, behaviour),
        });
        if let (Some(meta), true) = (meta.as_object_mut(), behaviour.etags != Etags::None) {
            meta.insert("version".to_owned(), json!(etag(kept.version)));
        }
        user.insert("meta".to_owned(), meta);
        if let Some(asked) = asked {
            asked.leave(&mut user);
        }
        let urns =
            schemas::SCHEMAS.iter().map(|(urn, ..)| *urn).filter(|urn| *urn == schemas::CORE || kept.user.contains_key(*urn));
        user.insert("schemas".to_owned(), urns.collect());
        user.insert("id".to_owned(), json!(id));
        Value::Object(user)
    }
}

fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

fn matches(headers: &HeaderMap, version: u64, behaviour: &Behaviour) -> Result<(), Refusal> {
    let Some(sent) = headers.get(IF_MATCH).and_then(|sent| sent.to_str().ok()) else { return Ok(()) };
    let own = etag(version);
    let one = |sent: &str| sent == "*" || behaviour.etags == Etags::Weak && sent == own;
    match behaviour.etags == Etags::None || sent.split(',').map(str::trim).any(one) {
        true => Ok(()),
        false => Err(Refusal::of(412, "", "the user is of another version")),
    }
}

fn change_of(user: &Map<String, Value>, method: Method) -> Change {
    let text = |name: &str| user.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let active = user.get("active") == Some(&Value::Bool(true));
    Change { external: text("externalId"), method, active, title: text("title") }
}

fn body(request: &Request<Bytes>) -> Result<Value, Refusal> {
    let kind = request.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !["application/scim+json", "application/json"].contains(&kind) {
        return Err(Refusal::of(415, "", "a body is application/scim+json"));
    }
    serde_json::from_slice(request.body()).map_err(|_| Refusal::of(400, "invalidSyntax", "the body is no JSON"))
}

fn replaced(body: &Value) -> Result<Map<String, Value>, Refusal> {
    let body = body.as_object().ok_or_else(|| Refusal::of(400, "invalidSyntax", "a user is an object"))?;
    let names_core = |schemas: &Vec<Value>| schemas.iter().any(|schema| schema.as_str() == Some(schemas::CORE));
    if !body.get("schemas").and_then(Value::as_array).is_some_and(names_core) {
        return Err(Refusal::invalid("schemas names no user"));
    }
    schemas::shaped(body)
}

fn refused(user: &Map<String, Value>, behaviour: &Behaviour) -> Result<(), Refusal> {
    let name = user.get("userName").and_then(Value::as_str).unwrap_or_default();
    match behaviour.refuses.as_deref().is_some_and(|refused| name.starts_with(refused)) {
        true => Err(Refusal::invalid("this user name is not taken")),
        false => Ok(()),
    }
}

fn unique(memory: &Memory, user: &Map<String, Value>, own: Option<&str>) -> Result<(), Refusal> {
    let name = |user: &Map<String, Value>| user.get("userName").and_then(Value::as_str).map(str::to_lowercase);
    let external = |user: &Map<String, Value>| user.get("externalId").cloned();
    let others = memory.users.iter().filter(|(id, _)| own != Some(id.as_str())).map(|(_, kept)| &kept.user);
    for other in others {
        let same = name(other) == name(user) || external(other).is_some() && external(other) == external(user);
        if same {
            return Err(Refusal::of(409, "uniqueness", "the user name or externalId is another user's"));
        }
    }
    Ok(())
}

fn whole_list(resources: Vec<Value>) -> Value {
    let many = resources.len();
    json!({"schemas": [LIST], "totalResults": many, "itemsPerPage": many, "startIndex": 1, "Resources": resources})
}

/// What a lookup asks for.
#[derive(Debug)]
struct Asked {
    filter: Option<String>,
    start: usize,
    count: usize,
    only: Vec<String>,
    without: Vec<String>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { filter: None, start: 1, count: MOST, only: Vec::new(), without: Vec::new() }
    }
}

/// A number as RFC 7644, 3.4.2.4 has it: what is below its least is its least.
fn number(text: &str) -> usize {
    if text.trim().starts_with('-') { 0 } else { text.trim().parse().unwrap_or(MOST) }
}

impl Asked {
    fn of_query(query: &str) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(&value.replace('+', " "));
            let list = || value.split(',').map(|name| name.trim().to_owned()).collect();
            match decoded(name).as_str() {
                "filter" => asked.filter = Some(value),
                "startIndex" => asked.start = number(&value),
                "count" => asked.count = number(&value),
                "attributes" => asked.only = list(),
                "excludedAttributes" => asked.without = list(),
                _ => {}
            }
        }
        if !asked.only.is_empty() && !asked.without.is_empty() {
            return Err(Refusal::invalid("attributes and excludedAttributes exclude each other"));
        }
        Ok(asked)
    }

    fn of_body(body: &Value) -> Self {
        let list = |name: &str| {
            let list = body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let number = |name: &str, default| {
            body.get(name).and_then(Value::as_i64).map_or(default, |number| usize::try_from(number).unwrap_or_default())
        };
        Self {
            filter: body.get("filter").and_then(Value::as_str).map(str::to_owned),
            start: number("startIndex", 1),
            count: number("count", MOST),
            only: list("attributes"),
            without: list("excludedAttributes"),
        }
    }

    /// Leaves what was asked for.
    fn leave(&self, user: &mut Map<String, Value>) {
        if !self.only.is_empty() {
            let mut left = Map::new();
            for name in &self.only {
                copy(user, name, &mut left);
            }
            *user = left;
        }
        for name in &self.without {
            take_out(user, name);
        }
    }
}

/// Where a name leads: the extension, the attribute, its part.
fn steps(name: &str) -> Option<Vec<String>> {
    if name.eq_ignore_ascii_case("meta") || name.to_ascii_lowercase().starts_with("meta.") {
        return Some(name.split('.').map(str::to_owned).collect());
    }
    let path = path::path(name).ok()?;
    let names =
        [path.extension.map(str::to_owned), path.attribute.map(|of| of.name.to_owned()), path.part.map(|of| of.name.to_owned())];
    Some(names.into_iter().flatten().collect())
}

fn copy(from: &Map<String, Value>, name: &str, to: &mut Map<String, Value>) {
    let Some(steps) = steps(name) else { return };
    fn go(from: &Value, steps: &[String]) -> Option<Value> {
        let Some((first, rest)) = steps.split_first() else { return Some(from.clone()) };
        match from {
            Value::Array(values) => {
                let some: Vec<Value> = values.iter().filter_map(|value| go(value, steps)).collect();
                (!some.is_empty()).then_some(Value::Array(some))
            }
            Value::Object(of) => Some(json!({first: go(of.get(first)?, rest)?})),
            _ => None,
        }
    }
    if let Some(Value::Object(some)) = go(&Value::Object(from.clone()), &steps) {
        for (name, value) in some {
            match (to.get_mut(&name), value) {
                (Some(Value::Object(is)), Value::Object(more)) => is.extend(more),
                (_, value) => drop(to.insert(name, value)),
            }
        }
    }
}

fn take_out(user: &mut Map<String, Value>, name: &str) {
    let Some(steps) = steps(name) else { return };
    fn go(of: &mut Value, steps: &[String]) {
        match (of, steps) {
            (Value::Array(values), steps) => values.iter_mut().for_each(|value| go(value, steps)),
            (Value::Object(of), [last]) => drop(of.remove(last)),
            (Value::Object(of), [first, rest @ ..]) => {
                if let Some(inner) = of.get_mut(first) {
                    go(inner, rest);
                }
            }
            _ => {}
        }
    }
    let mut whole = Value::Object(std::mem::take(user));
    go(&mut whole, &steps);
    if let Value::Object(whole) = whole {
        *user = whole;
    }
}

/// Without percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?')),
                _ => bytes.push(b'?'),
            },
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
