//! The SCIM client (RFC 7644), as real servers are: an answer to a change may be without a body, an ETag weak or absent or
//! ignored, an error may come as `application/json`, and a lookup is believed only for what it shows.
//!
//! Nothing is followed: neither a redirect nor a `Location`, of which the last part is read as an id and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::user::{differences, emptied, member, patch, replaced};
use crate::clock::Clock;
use crate::decisions::endpoint;
use crate::outbound::{Outbound, OutboundError, describe};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// The longest id of a user, in bytes.
const LONGEST_ID: usize = 200;
/// The longest that a Retry-After is heeded.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// The longest token, in bytes.
const LONGEST_TOKEN: u64 = 16 * 1024;
const SCIM: &str = "application/scim+json";
/// How often a change is made anew because the user changed meanwhile.
const ATTEMPTS: usize = 3;

/// Why Campus did not take it. Holds nothing of a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum Trouble {
    /// Campus does not take anything just now.
    #[error("{why}")]
    Away {
        why: String,
        /// For how long it says so.
        wait: Option<Duration>,
        /// Whether it may have seen this request, so that the fault may lie in it.
        seen: bool,
    },
    /// Nothing is taken before somebody mends the settings here or there.
    #[error("{0}")]
    Unusable(String),
    /// Something of it is another's there. That one may be about to give it up: erased, or with another name, in a row of the queue
    /// beside this one.
    #[error("{0}")]
    Conflict(String),
    /// What it answers of this one cannot be used. Answers of others may be usable.
    #[error("{0}")]
    Odd(String),
    /// It does not take this, and would not the next time.
    #[error("{0}")]
    Refused(String),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The user is new.
    Created,
    /// The user was changed.
    Changed,
    /// The user was so already.
    Unchanged,
    /// The user is gone.
    Deleted,
    /// Campus deletes nobody: the user is not active, and holds nothing but the running number.
    Emptied,
}

/// Where a test may end the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A row was taken; nothing was sent.
    Taken,
    /// It was looked up, and nothing was changed.
    LookedUp,
    /// Campus has it; nothing is noted.
    Sent,
    /// Everything is written, and nothing is committed.
    Written,
}

impl Step {
    /// Each, in order.
    pub const ALL: [Step; 4] = [Step::Taken, Step::LookedUp, Step::Sent, Step::Written];
}

/// Campus.
#[derive(Clone)]
pub struct Campus {
    outbound: Outbound,
    /// Without a slash at its end.
    base: String,
    token: Option<PathBuf>,
    deadline: Duration,
    clock: Clock,
    extension: bool,
}

struct Answer {
    status: StatusCode,
    etag: Option<HeaderValue>,
    location: Option<String>,
    /// `None`: it is no JSON.
    body: Option<Value>,
}

fn unusable(why: impl Into<String>) -> Trouble {
    Trouble::Unusable(why.into())
}

fn odd(why: impl Into<String>) -> Trouble {
    Trouble::Odd(why.into())
}

impl Campus {
    /// Campus at `address`, which is the root of its SCIM resources. `token`: the file of a bearer token.
    pub fn new(outbound: Outbound, address: &Uri, token: Option<PathBuf>, deadline: Duration, clock: Clock) -> Self {
        Self { outbound, base: address.to_string().trim_end_matches('/').to_owned(), token, deadline, clock, extension: true }
    }

    /// The same where Campus does not know the gateway's extension.
    #[must_use]
    pub fn with_extension(self, extension: bool) -> Self {
        Self { extension, ..self }
    }

    /// Whether Campus knows the gateway's extension.
    pub fn has_extension(&self) -> bool {
        self.extension
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The longest that a person may take: each request its deadline.
    pub fn longest(&self) -> Duration {
        self.deadline * 10
    }

    /// Refuses to send anything where the address leads to this machine's own link.
    ///
    /// # Errors
    /// [`Trouble::Unusable`].
    pub async fn may_be_reached(&self) -> Result<(), Trouble> {
        let uri = self.uri("/Users")?;
        match endpoint::is_on_the_link(&uri).await {
            true => Err(unusable("campus.address leads to a link-local address; nothing is sent there")),
            false => Ok(()),
        }
    }

    fn uri(&self, path: &str) -> Result<Uri, Trouble> {
        format!("{}{path}", self.base).parse().map_err(|_| unusable("campus.address is no address"))
    }

    async fn headers(&self) -> Result<HeaderMap, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/scim+json, application/json"));
        if let Some(file) = &self.token {
            // Read each time: whoever renews it need not tell the gateway.
            let read = async {
                let size = tokio::fs::metadata(file).await?.len();
                if size > LONGEST_TOKEN {
                    return Err(std::io::Error::other(format!("{size} bytes are no token")));
                }
                tokio::fs::read_to_string(file).await
            };
            let token = read.await.map_err(|error| unusable(format!("campus.token cannot be read: {error}")))?;
            let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
            let mut value = value.map_err(|_| unusable("campus.token holds no token: write one line of visible characters"))?;
            if token.trim().is_empty() {
                return Err(unusable("campus.token is empty; nothing is sent without a token"));
            }
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        matching: Option<&HeaderValue>,
    ) -> Result<Answer, Trouble> {
        let mut headers = self.headers().await?;
        let body = match body {
            Some(body) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(SCIM));
                serde_json::to_vec(body).map_err(|_| unusable("a user cannot be written as JSON"))?
            }
            None => Vec::new(),
        };
        if let Some(etag) = matching {
            headers.insert(IF_MATCH, etag.clone());
        }
        let (uri, deadline) = (self.uri(path)?, Instant::now() + self.deadline);
        let response =
            self.outbound.send(method.clone(), &uri, headers, Bytes::from(body), deadline).await.map_err(|error| away(&error))?;
        let (head, body) = response.into_parts();
        let status = head.status;
        let wait = retry_after(head.headers.get(RETRY_AFTER), self.clock.now());
        match status {
            status if status.is_redirection() => return Err(unusable(describe(status, &head.headers))),
            // Of a single user it may be about that user.
            StatusCode::FORBIDDEN if is_of_one(path, &method) => return Err(odd(describe(status, &head.headers))),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(unusable(format!(
                    "{}: Campus does not know the gateway, or lets it do nothing",
                    describe(status, &head.headers)
                )));
            }
            StatusCode::TOO_MANY_REQUESTS => return Err(Trouble::Away { why: "HTTP 429".to_owned(), wait, seen: false }),
            StatusCode::SERVICE_UNAVAILABLE => return Err(Trouble::Away { why: "HTTP 503".to_owned(), wait, seen: false }),
            StatusCode::NOT_IMPLEMENTED => {}
            status if status.is_server_error() || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY].contains(&status) => {
                return Err(Trouble::Away { why: format!("HTTP {}", status.as_u16()), wait, seen: true });
            }
            _ => {}
        }
        let body = match Limited::new(body, LONGEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => match error.downcast::<OutboundError>() {
                Ok(error) => return Err(away(&error)),
                Err(_) => return Err(odd(format!("an answer of Campus is longer than {LONGEST} bytes"))),
            },
        };
        let location = head.headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        let etag = head.headers.get(ETAG).cloned().or_else(|| {
            let version = body.as_ref().and_then(|body| member(member(body, "meta")?, "version")?.as_str());
            version.and_then(|version| HeaderValue::from_str(version).ok())
        });
        Ok(Answer { status, etag, location, body })
    }

    /// The users that a filter gives, of which `holds` is true.
    async fn found(&self, filter: &str, holds: impl Fn(&Value) -> bool) -> Result<Vec<Value>, Trouble> {
        let answer = self.ask(Method::GET, &format!("/Users?filter={}&count=10", encoded(filter)), None, None).await?;
        let list = match (answer.status, answer.body) {
            (StatusCode::OK, Some(list)) => list,
            (StatusCode::BAD_REQUEST, _) => return Err(odd("Campus takes no look-up by filter (HTTP 400)")),
            (status, _) => {
                return Err(odd(format!("a look-up in Campus was answered HTTP {} and no list", status.as_u16())));
            }
        };
        let total = member(&list, "totalResults").and_then(Value::as_u64);
        let shown: Vec<Value> = member(&list, "Resources").and_then(Value::as_array).cloned().unwrap_or_default();
        let total = total.ok_or_else(|| odd("a look-up in Campus was answered without totalResults"))?;
        let many = shown.len();
        let found: Vec<Value> = shown.into_iter().filter(|user| holds(user)).collect();
        // A server that ignores the filter shows others, and the one that is looked for may be among those it does not show.
        if found.is_empty() && total > u64::try_from(many).unwrap_or(u64::MAX) {
            return Err(odd("Campus does not heed the filter of a look-up, so that nobody knows whether a user is there"));
        }
        Ok(found)
    }

    /// Campus's id of the user with this running number.
    ///
    /// # Errors
    /// [`Trouble`]; also where there are two.
    pub async fn with_number(&self, number: i64) -> Result<Option<String>, Trouble> {
        let mut found = self.all_with_number(number).await?;
        match found.len() {
            0 | 1 => Ok(found.pop()),
            many => Err(Trouble::Refused(format!("Campus has {many} users with the same externalId; delete all but one there"))),
        }
    }

    async fn all_with_number(&self, number: i64) -> Result<Vec<String>, Trouble> {
        let number = number.to_string();
        let found = self.found(&format!("externalId eq \"{number}\""), |user| external(user) == Some(&number)).await?;
        found.iter().map(|user| id(user).ok_or_else(|| odd("a user in Campus has no id"))).collect()
    }

    /// The users with this user name, whatever its case: Campus's id of each, and the running number that it has.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn with_user_name(&self, name: &str) -> Result<Vec<(String, Option<String>)>, Trouble> {
        let same = |user: &Value| {
            let is = member(user, "userName").and_then(Value::as_str);
            is.is_some_and(|is| is.to_lowercase() == name.to_lowercase())
        };
        let mut users = BTreeMap::new();
        // The filter of some servers heeds case, whatever the schema says of it.
        for spelt in BTreeSet::from([name.to_owned(), name.to_lowercase(), name.to_uppercase()]) {
            let quoted = spelt.replace('\\', "\\\\").replace('"', "\\\"");
            let found = self.found(&format!("userName eq \"{quoted}\""), same).await?;
            users.extend(found.iter().filter_map(|user| Some((id(user)?, external(user).map(str::to_owned)))));
        }
        Ok(users.into_iter().collect())
    }

    /// Sees to it that the user is as `wanted`, and gives Campus's id. `known`: its id, where it was noted.
    ///
    /// # Errors
    /// [`Trouble`]; the same again does what is left of it.
    pub async fn ensure(
        &self,
        number: i64,
        known: Option<String>,
        wanted: &Value,
        reached: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<(String, Done), Trouble> {
        if let Some(id) = known {
            match self.change(&id, number, wanted).await {
                Ok(Some(done)) => return Ok((id, done)),
                Ok(None) => {}
                Err(trouble) => return Err(self.of_one(number, trouble).await),
            }
        }
        // Not noted, or gone from Campus. It may be there all the same: an answer may have been lost.
        let found = self.with_number(number).await?;
        reached(Step::LookedUp);
        match found {
            Some(id) => match self.change(&id, number, wanted).await? {
                Some(done) => Ok((id, done)),
                None => Err(Trouble::Away { why: "a user came and went in Campus".to_owned(), wait: None, seen: true }),
            },
            None => self.create(number, wanted).await,
        }
    }

    /// What a trouble with one user is: where Campus answers nothing of anybody, it is not this one's.
    async fn of_one(&self, number: i64, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Odd(_) => match self.all_with_number(number).await {
                Err(all @ (Trouble::Unusable(_) | Trouble::Away { .. })) => all,
                _ => trouble,
            },
            trouble => trouble,
        }
    }

    async fn create(&self, number: i64, wanted: &Value) -> Result<(String, Done), Trouble> {
        let answer = self.ask(Method::POST, "/Users", Some(wanted), None).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::OK => {
                let of_location = || answer.location.as_deref().and_then(last_part);
                let of_body = answer.body.as_ref().and_then(id);
                match of_body.or_else(of_location) {
                    Some(id) => Ok((id, Done::Created)),
                    None => {
                        let found = self.with_number(number).await?;
                        let missing = || odd("Campus says that it created a user, and shows none");
                        Ok((found.ok_or_else(missing)?, Done::Created))
                    }
                }
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                Err(unusable(format!("HTTP {}: campus.address is not the root of a SCIM service", answer.status.as_u16())))
            }
            StatusCode::CONFLICT => {
                // The one who took the place may be this one, by another node.
                if let Some(id) = self.with_number(number).await? {
                    let done = self.change(&id, number, wanted).await?;
                    return done.map(|done| (id, done)).ok_or_else(|| odd("a user came and went in Campus"));
                }
                let name = member(wanted, "userName").and_then(Value::as_str).unwrap_or_default();
                let whose = self.with_user_name(name).await?;
                let why = match whose.first() {
                    Some((_, None)) => {
                        "the user name is in Campus, of a user who was not handed on from here; if it is the same person, `hjemmel persons adopt` says so"
                    }
                    Some((_, Some(_))) => "the user name is another person's in Campus",
                    None => "something of the user is another's in Campus",
                };
                Err(Trouble::Conflict(format!("{}: {why}", says(&answer))))
            }
            _ => Err(Trouble::Refused(says(&answer))),
        }
    }

    /// Makes the user as `wanted`; `None` where there is none any more.
    async fn change(&self, id: &str, number: i64, wanted: &Value) -> Result<Option<Done>, Trouble> {
        let path = user_path(id);
        for attempt in 1..=ATTEMPTS {
            let answer = self.ask(Method::GET, &path, None, None).await?;
            let there = match (answer.status, answer.body) {
                (StatusCode::NOT_FOUND | StatusCode::GONE, _) => return Ok(None),
                (StatusCode::OK, Some(there)) if there.is_object() => there,
                (status, _) => {
                    return Err(odd(format!("a user in Campus was answered HTTP {} and no user", status.as_u16())));
                }
            };
            if external(&there).is_some_and(|other| other != number.to_string()) {
                return Err(Trouble::Refused("the user that was noted is another person's in Campus".to_owned()));
            }
            let differing = differences(&there, wanted);
            if differing.is_empty() {
                return Ok(Some(Done::Unchanged));
            }
            // A weak ETag matches nothing on a strict server: what is changed is ours alone, so the last attempt goes without.
            let etag = answer.etag.filter(|_| attempt < ATTEMPTS);
            let mut answer = self.ask(Method::PATCH, &path, Some(&patch(&differing)), etag.as_ref()).await?;
            if [StatusCode::NOT_IMPLEMENTED, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status) {
                answer = self.ask(Method::PUT, &path, Some(&replaced(&there, &differing)), etag.as_ref()).await?;
            }
            match answer.status {
                StatusCode::OK | StatusCode::NO_CONTENT => return Ok(Some(Done::Changed)),
                StatusCode::PRECONDITION_FAILED => {}
                StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
                StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED => {
                    return Err(odd("Campus takes neither PATCH nor PUT of a user"));
                }
                StatusCode::CONFLICT => {
                    return Err(Trouble::Conflict(format!("{}: something of the user is another's in Campus", says(&answer))));
                }
                _ => return Err(Trouble::Refused(says(&answer))),
            }
        }
        Err(Trouble::Away { why: "HTTP 412: the user changes all the time".to_owned(), wait: None, seen: true })
    }

    /// Writes the running number on a user who is in Campus already.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn adopt(&self, id: &str, number: i64) -> Result<(), Trouble> {
        let only = serde_json::json!({"schemas": [super::user::PATCH],
            "Operations": [{"op": "replace", "path": "externalId", "value": number.to_string()}]});
        let answer = self.ask(Method::PATCH, &user_path(id), Some(&only), None).await?;
        match answer.status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(Trouble::Refused(says(&answer))),
        }
    }

    /// Deletes the user, where there is one: whoever has the running number, and under the noted id nobody else. Where Campus deletes
    /// nobody, the user is emptied.
    ///
    /// # Errors
    /// [`Trouble`]; the same again does what is left of it.
    pub async fn delete(&self, number: i64, known: Option<String>) -> Result<Done, Trouble> {
        // All of them: nobody with this number is to stay.
        let mut ids = self.all_with_number(number).await?;
        if let Some(known) = known.filter(|known| !ids.contains(known)) {
            match self.whose(&known).await? {
                Whose::Nobodys => return Err(Trouble::Refused(
                    "the user that was noted has no externalId in Campus; see whether it is the person's, delete it there, and try again"
                        .to_owned(),
                )),
                Whose::Number(found) if found == number.to_string() => ids.push(known),
                // Campus has given the id to another, or the user is gone.
                Whose::Number(_) | Whose::Gone => {}
            }
        }
        let mut done = Done::Unchanged;
        for id in ids {
            let answer = self.ask(Method::DELETE, &user_path(&id), None, None).await?;
            done = match answer.status {
                StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::NOT_FOUND | StatusCode::GONE => {
                    Done::Deleted
                }
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => self.empty(&id, number).await?,
                _ => return Err(Trouble::Refused(says(&answer))),
            };
        }
        Ok(done)
    }

    /// Whose a user is.
    async fn whose(&self, id: &str) -> Result<Whose, Trouble> {
        let answer = self.ask(Method::GET, &user_path(id), None, None).await?;
        match (answer.status, answer.body) {
            (StatusCode::NOT_FOUND | StatusCode::GONE, _) => Ok(Whose::Gone),
            (StatusCode::OK, Some(there)) if there.is_object() => {
                Ok(external(&there).map_or(Whose::Nobodys, |number| Whose::Number(number.to_owned())))
            }
            (status, _) => Err(odd(format!("a user in Campus was answered HTTP {} and no user", status.as_u16()))),
        }
    }

    /// Leaves of a user the running number, and that it is not active.
    async fn empty(&self, id: &str, number: i64) -> Result<Done, Trouble> {
        let wanted = emptied(number);
        // As a whole, so that what Campus keeps of the person itself goes too; a server without PUT is told what differs.
        let answer = self.ask(Method::PUT, &user_path(id), Some(&wanted), None).await?;
        match answer.status {
            StatusCode::OK
            | StatusCode::NO_CONTENT
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED
            | StatusCode::NOT_FOUND
            | StatusCode::GONE => {}
            _ => return Err(Trouble::Refused(says(&answer))),
        }
        // And looked at: some servers keep what a PUT leaves out.
        match self.change(id, number, &wanted).await? {
            Some(_) => Ok(Done::Emptied),
            None => Ok(Done::Deleted),
        }
    }
}

/// Whose a user in Campus is.
enum Whose {
    Number(String),
    /// It has no externalId.
    Nobodys,
    Gone,
}

/// Whether a request is about one user, and not about what the gateway may do at all.
fn is_of_one(path: &str, method: &Method) -> bool {
    path.starts_with("/Users/") || *method == Method::POST
}

fn user_path(id: &str) -> String {
    // Encoded, so that an id leads nowhere else.
    format!("/Users/{}", encoded(id))
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn id(user: &Value) -> Option<String> {
    let id = member(user, "id")?.as_str()?;
    (!id.is_empty() && id.len() <= LONGEST_ID).then(|| id.to_owned())
}

fn external(user: &Value) -> Option<&str> {
    member(user, "externalId").and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The last part of an address, absolute or relative.
fn last_part(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let last = path.rsplit('/').next()?;
    let plain = last.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    (plain && !last.is_empty() && last.len() <= LONGEST_ID).then(|| last.to_owned())
}

/// What an answer says, without the words of it, which may name a person.
fn says(answer: &Answer) -> String {
    const KNOWN: [&str; 11] = [
        "invalidFilter",
        "tooMany",
        "uniqueness",
        "mutability",
        "invalidSyntax",
        "invalidPath",
        "noTarget",
        "invalidValue",
        "invalidVers",
        "sensitive",
        "invalidType",
    ];
    let kind = answer.body.as_ref().and_then(|body| member(body, "scimType")?.as_str());
    let kind = kind.and_then(|kind| KNOWN.iter().find(|known| known.eq_ignore_ascii_case(kind)));
    format!("HTTP {}{}", answer.status.as_u16(), kind.map(|kind| format!(" {kind}")).unwrap_or_default())
}

fn away(error: &OutboundError) -> Trouble {
    let seen = !matches!(error, OutboundError::Connect(_));
    Trouble::Away { why: error.to_string(), wait: None, seen }
}

/// For how long a Retry-After asks to wait: seconds, or until an instant in one of the three forms that are to be understood (RFC 9110,
/// 5.6.7).
fn retry_after(value: Option<&HeaderValue>, now: Timestamp) -> Option<Duration> {
    let text = value?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let obsolete = |form| jiff::civil::DateTime::strptime(form, text).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
            let at = jiff::fmt::rfc2822::parse(text).ok();
            let at =
                at.or_else(|| obsolete("%A, %d-%b-%y %H:%M:%S GMT")).or_else(|| obsolete("%a %b %e %H:%M:%S %Y"))?.timestamp();
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_seconds_or_an_instant_and_never_longer_than_a_day() {
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let wait = |text: &str| retry_after(Some(&HeaderValue::from_str(text).unwrap()), now).map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 29 Nov 2026 10:00:30 GMT"), Some(30));
        assert_eq!(wait("Sun, 29 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(wait("999999999999"), Some(24 * 3600));
        assert_eq!(wait("Sunday, 29-Nov-26 10:00:30 GMT"), Some(30), "RFC 850");
        assert_eq!(wait("Sun Nov 29 10:00:30 2026"), Some(30), "asctime");
        assert_eq!(wait("Sun Nov  1 10:00:30 2026"), Some(0), "asctime, a day of one digit");
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn an_id_is_read_of_an_absolute_and_of_a_relative_location_and_leads_nowhere_else() {
        assert_eq!(last_part("https://campus.example/v2/Users/2819c223"), Some("2819c223".to_owned()));
        assert_eq!(last_part("Users/2819c223/"), Some("2819c223".to_owned()));
        assert_eq!(last_part("/Users/a b"), None);
        assert_eq!(user_path("../Groups/1?x"), "/Users/%2E%2E%2FGroups%2F1%3Fx");
    }
}
