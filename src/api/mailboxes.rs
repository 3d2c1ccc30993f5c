//! `/api/v1/mailboxes`: files of partner agreements, for the systems that deliver and fetch. They are users of mailboxes, not of the
//! API's other paths: their certificates are in a register of their own.

use std::collections::HashMap;
use std::ops::Range;
use std::str::FromStr;

use axum::RequestPartsExt;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{Json, Query, body_refusal, client_certificate, one};
use super::input::wrong_parameter;
use super::page::limit;
use super::problem::{FileProblems, ReadProblems, of_store};
use super::{Api, table};
use crate::clock::civil_day;
use crate::decisions::shown::sha256;
use crate::edge::room::Room;
use crate::files::core::Failed;
use crate::files::name::{Name, NotAName};
use crate::files::partner::agreement::{Direction, Number};
use crate::files::partner::core::{Entered, MailboxError, Mailboxes, Purpose};
use crate::files::partner::deliver::{Begun, Delivery, Through};
use crate::files::partner::fetch::Which;
use crate::files::partner::pieces::{self, Come};
use crate::files::partner::rows::File;
use crate::files::partner::status;
use crate::files::partner::users::Shown;
use crate::files::partner::validate::Remark;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;

/// The header field with a file's name, percent-encoded UTF-8: a name can hold a person's data, and stands in no address.
const FILE_NAME: HeaderName = HeaderName::from_static("file-name");
/// How many bytes of a delivery have come in pieces.
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// RFC 9530.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// The longest period of a status, in days.
const MOST_DAYS: i32 = 366;

/// The mailboxes, and the user whose certificate was shown.
pub struct Mailbox(Mailboxes, Entered);

impl FromRequestParts<Api> for Mailbox {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiRefusal> {
        let certificate = client_certificate(parts, api)?;
        let mailboxes = api.mailboxes.clone().ok_or(ApiRefusal::ApiPathUnknown)?;
        let entered = mailboxes.enter(Shown::Certificate(certificate)).await.map_err(of_mailbox)?;
        Ok(Self(mailboxes, entered))
    }
}

/// The agreement in the path, and the file. What is none is that of nothing.
pub struct Place(Number, Uuid);

impl FromRequestParts<Api> for Place {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiRefusal> {
        let path: Result<Path<HashMap<String, String>>, _> = parts.extract().await;
        let path = path.map(|Path(path)| path).unwrap_or_default();
        let number = path.get("number").and_then(|text| Number::from_str(text).ok());
        let number = number.ok_or_else(|| ApiRefusal::ApiNotFound { what: Detail::new("partneraftale", "partner agreement") })?;
        let id = match path.get("id") {
            None => Uuid::nil(),
            Some(id) => crate::text::uuid(id).ok_or_else(|| ApiRefusal::ApiNotFound { what: Detail::new("fil", "file") })?,
        };
        Ok(Self(number, id))
    }
}

/// What is no business of the caller's goes to the log.
fn of_mailbox(error: MailboxError) -> ApiRefusal {
    match error {
        MailboxError::Refused(refusal) => refusal,
        MailboxError::Failed(Failed::Store(error)) => of_store(error),
        MailboxError::Failed(error) => {
            tracing::warn!(%error, "a file of a mailbox could not be handled");
            ApiRefusal::ApiUnavailable
        }
    }
}

/// The bytes of a file, as the contract describes them: a client made from it sends and takes them as they are. A list of numbers, as
/// which a `Vec<u8>` would be described, no client could send with its digest beside it.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct FileContent(pub Vec<u8>);

/// A partner agreement as its users see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxView {
    /// Its number.
    #[schema(pattern = "^PA[0-9]{5}$", max_length = 7)]
    pub number: String,
    /// AKTIV, SUSPENDERET or LUKKET.
    #[schema(max_length = 11)]
    pub state: &'static str,
    /// Whether the user fetches on it.
    pub fetches: bool,
    /// Whether the user delivers on it.
    pub delivers: bool,
    /// The streams that files are delivered by.
    #[schema(max_items = 500)]
    pub delivered: Vec<String>,
    /// The streams that files are fetched by.
    #[schema(max_items = 500)]
    pub fetched: Vec<String>,
}

/// The agreements that a user serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxList {
    /// The agreements, by number.
    #[schema(max_items = 10000)]
    pub items: Vec<MailboxView>,
}

/// What is wrong with a file, and what to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxRemark {
    /// The code.
    #[schema(max_length = 40)]
    pub code: String,
    /// What is wrong, in Danish.
    #[schema(max_length = 2000)]
    pub da: String,
    /// The same in English.
    #[schema(max_length = 2000)]
    pub en: String,
    /// What to do, in Danish.
    #[schema(max_length = 2000)]
    pub remedy_da: String,
    /// The same in English.
    #[schema(max_length = 2000)]
    pub remedy_en: String,
}

/// A file of a mailbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxFile {
    /// Its id in the inbox.
    pub id: Uuid,
    /// The id that its sender gave it: its id in the outbox.
    pub delivery: Uuid,
    /// The agreement that it comes from.
    #[schema(pattern = "^PA[0-9]{5}$", max_length = 7)]
    pub from: String,
    /// The agreement that it is for.
    #[schema(pattern = "^PA[0-9]{5}$", max_length = 7)]
    pub to: String,
    /// The stream's code.
    #[schema(max_length = 64)]
    pub stream: String,
    /// The alias's kind, such as LOENGRUPPE.
    #[schema(max_length = 40)]
    pub alias_kind: String,
    /// The alias's code.
    #[schema(max_length = 40)]
    pub alias: String,
    /// What its sender calls it.
    #[schema(max_length = 255)]
    pub name: String,
    /// In bytes.
    #[schema(maximum = 100_000_000_000_u64)]
    pub size: u64,
    /// SHA-256 of its content, in hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$", max_length = 64)]
    pub sha256: String,
    /// MODTAGET, GODKENDT, AFVIST or UNDTAGET.
    #[schema(max_length = 8)]
    pub validation: &'static str,
    /// What is wrong with it.
    #[schema(max_items = 21)]
    pub remarks: Vec<MailboxRemark>,
    /// Why it is UNDTAGET; null: it is not.
    #[schema(max_length = 1000)]
    pub excepted: Option<String>,
    /// By whom.
    #[schema(max_length = 1000)]
    pub excepted_by: Option<String>,
    /// KLAR, AFHENTET or UDLOEBET.
    #[schema(max_length = 8)]
    pub transport: &'static str,
    /// When it was taken.
    pub received: Timestamp,
    /// When it was first fetched; null: not yet.
    pub first_fetched: Option<Timestamp>,
    /// By which user.
    #[schema(max_length = 255)]
    pub fetched_by: Option<String>,
    /// When it was confirmed; null: not yet.
    pub confirmed: Option<Timestamp>,
    /// Whether its content is deleted.
    pub deleted: bool,
}

impl MailboxFile {
    fn of(file: &File) -> Self {
        let remark = |remark: &Remark| {
            let Remark { code, da, en, remedy_da, remedy_en } = remark.clone();
            MailboxRemark { code, da, en, remedy_da, remedy_en }
        };
        Self {
            id: file.id,
            delivery: file.delivery,
            from: file.from.to_string(),
            to: file.to.to_string(),
            stream: file.stream.clone(),
            alias_kind: file.alias_kind.clone(),
            alias: file.alias_code.clone(),
            name: file.name.spelt().to_owned(),
            size: file.size,
            sha256: file.sha256.clone(),
            validation: file.validation.name(),
            remarks: file.remarks.iter().map(remark).collect(),
            excepted: file.excepted.clone(),
            excepted_by: file.excepted_by.clone(),
            transport: file.transport.name(),
            received: file.received,
            first_fetched: file.fetched,
            fetched_by: file.fetched_by.clone(),
            confirmed: file.confirmed,
            deleted: file.content.is_none(),
        }
    }
}

/// A page of files.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxPage {
    /// The files, in the order in which they came to be seen.
    #[schema(max_items = 200)]
    pub items: Vec<MailboxFile>,
    /// What `after` is to be next time, also where nothing came: keep it, and no file is missed.
    #[schema(pattern = "^[0-9]{1,18}$", max_length = 18)]
    pub next: String,
    /// Whether there are more now.
    pub more: bool,
}

/// The query of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MailboxQuery {
    /// `next` of the page before; left out: from the beginning.
    #[param(max_length = 18, pattern = "^[0-9]{1,18}$")]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// The agreements that the user serves.
#[utoipa::path(get, operation_id = "listMailboxes", path = "/api/v1/mailboxes", tag = "mailboxes",
    responses((status = 200, description = "The agreements.", body = MailboxList), ReadProblems))]
pub async fn list(Mailbox(mailboxes, entered): Mailbox) -> Result<Response, ApiRefusal> {
    let mut items = Vec::new();
    for right in &entered.user.rights {
        let held = mailboxes.agreement(&entered, right.number, Purpose::See).await.map_err(of_mailbox)?;
        let streams = |way| {
            let streams = held.terms.streams.iter().filter(move |stream| stream.direction == way);
            streams.map(|stream| stream.code.clone()).collect()
        };
        items.push(MailboxView {
            number: right.number.to_string(),
            state: held.standing.name(),
            fetches: right.fetches,
            delivers: right.delivers,
            delivered: streams(Direction::Out),
            fetched: streams(Direction::In),
        });
    }
    Ok(axum::Json(MailboxList { items }).into_response())
}

async fn page(
    mailbox: Mailbox,
    number: Number,
    which: Which,
    query: &MailboxQuery,
    headers: &HeaderMap,
) -> Result<Response, ApiRefusal> {
    let Mailbox(mailboxes, entered) = mailbox;
    let many = limit(query.limit.as_deref())?;
    let after = query.after.as_deref().unwrap_or("0");
    let digits = (1..=18).contains(&after.len()) && after.bytes().all(|byte| byte.is_ascii_digit());
    let after: i64 = after.parse().ok().filter(|_| digits).ok_or(ApiRefusal::ApiCursorInvalid)?;
    let mut found = mailboxes.list(&entered, number, which, after, many + 1).await.map_err(of_mailbox)?;
    let more = found.len() > many as usize;
    found.truncate(many as usize);
    let place = |file: &File| if which == Which::Inbox { file.number.unwrap_or(after) } else { file.sent };
    let next = found.last().map_or(after, place).to_string();
    let page = MailboxPage { items: found.iter().map(MailboxFile::of).collect(), next, more };
    let body = serde_json::to_string(&page).map_err(|_| ApiRefusal::ApiInternal)?;
    let etag = format!("\"{}\"", sha256(&body));
    if one(headers, IF_NONE_MATCH.as_str(), || invalid("If-None-Match"))? == Some(etag.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
    }
    Ok(([(CONTENT_TYPE, "application/json".to_owned()), (ETAG, etag)], body).into_response())
}

fn invalid(field: &str) -> ApiRefusal {
    ApiRefusal::ApiHeaderInvalid { field: field.to_owned() }
}

/// What was sent to an agreement and may be fetched, since a place.
#[utoipa::path(get, operation_id = "listInbox", path = "/api/v1/mailboxes/{number}/inbox", tag = "mailboxes",
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), MailboxQuery,
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the same page before.", max_length = 66, pattern = "^\"[0-9a-f]{64}\"$")),
    responses((status = 200, description = "A page of files.", body = MailboxPage, headers(("ETag" = String, description = "What If-None-Match takes."))),
        (status = 304, description = "Nothing has changed."), ReadProblems))]
pub async fn inbox(
    mailbox: Mailbox,
    Place(number, _): Place,
    Query(query): Query<MailboxQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiRefusal> {
    page(mailbox, number, Which::Inbox, &query, &headers).await
}

/// What an agreement has delivered, since a place.
#[utoipa::path(get, operation_id = "listOutbox", path = "/api/v1/mailboxes/{number}/outbox", tag = "mailboxes",
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), MailboxQuery,
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the same page before.", max_length = 66, pattern = "^\"[0-9a-f]{64}\"$")),
    responses((status = 200, description = "A page of files.", body = MailboxPage, headers(("ETag" = String, description = "What If-None-Match takes."))),
        (status = 304, description = "Nothing has changed."), ReadProblems))]
pub async fn outbox(
    mailbox: Mailbox,
    Place(number, _): Place,
    Query(query): Query<MailboxQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiRefusal> {
    page(mailbox, number, Which::Outbox, &query, &headers).await
}

/// A file of an inbox.
#[utoipa::path(get, operation_id = "getInboxFile", path = "/api/v1/mailboxes/{number}/inbox/{id}", tag = "mailboxes",
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), ("id" = Uuid, Path, description = "The file.")),
    responses((status = 200, description = "The file.", body = MailboxFile), ReadProblems))]
pub async fn arrived(Mailbox(mailboxes, entered): Mailbox, Place(number, id): Place) -> Result<Response, ApiRefusal> {
    let file = mailboxes.file(&entered, number, Which::Inbox, id).await.map_err(of_mailbox)?;
    Ok(axum::Json(MailboxFile::of(&file)).into_response())
}

/// A file of an outbox, by the id that its sender gave it: what became of its validation, and whether its recipient has it.
#[utoipa::path(get, operation_id = "getOutboxFile", path = "/api/v1/mailboxes/{number}/outbox/{id}", tag = "mailboxes",
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), ("id" = Uuid, Path, description = "The delivery.")),
    responses((status = 200, description = "The file.", body = MailboxFile), FileProblems))]
pub async fn delivered(Mailbox(mailboxes, entered): Mailbox, Place(number, id): Place) -> Result<Response, ApiRefusal> {
    let file = mailboxes.file(&entered, number, Which::Outbox, id).await.map_err(of_mailbox)?;
    Ok(axum::Json(MailboxFile::of(&file)).into_response())
}

/// One range of bytes (RFC 9110, 14): `None`, all of it. Several at once are refused, whatever they are.
fn range(headers: &HeaderMap, etag: &str, size: u64) -> Result<Option<Range<u64>>, ApiRefusal> {
    let refused = || ApiRefusal::MailboxRange { size };
    let Some(asked) = one(headers, RANGE.as_str(), refused)? else { return Ok(None) };
    // Of another version than the one at hand: all of it.
    if one(headers, IF_RANGE.as_str(), || invalid("If-Range"))?.is_some_and(|known| known != etag) {
        return Ok(None);
    }
    let Some(ranges) = asked.strip_prefix("bytes=") else { return Ok(None) };
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (first, last) = ranges.split_once('-').ok_or_else(refused)?;
    let range = match (first, last) {
        ("", last) => size.saturating_sub(number(last).ok_or_else(refused)?)..size,
        (first, "") => number(first).ok_or_else(refused)?..size,
        (first, last) => {
            let (first, last) = (number(first).ok_or_else(refused)?, number(last).ok_or_else(refused)?);
            first..last.saturating_add(1).min(size)
        }
    };
    if range.is_empty() { Err(refused()) } else { Ok(Some(range)) }
}

/// Only what a header field can hold as it is stands for itself.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut name = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                name.push(u8::try_from(high * 16 + low).ok()?);
            }
            b' '..=b'~' => name.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(name).ok()
}

/// A file's content, or one range of it.
#[utoipa::path(get, operation_id = "fetchFile", path = "/api/v1/mailboxes/{number}/inbox/{id}/content", tag = "mailboxes",
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), ("id" = Uuid, Path, description = "The file."),
        ("Range" = Option<String>, Header, description = "One range of bytes, to go on where a fetch broke off.", max_length = 64, pattern = "^bytes=[0-9]{1,18}-[0-9]{0,18}$"),
        ("If-Range" = Option<String>, Header, description = "The ETag that the range is of.", max_length = 66, pattern = "^\"[0-9a-f]{64}\"$")),
    responses((status = 200, description = "All of it.", body = inline(FileContent), content_type = "application/octet-stream", headers(("ETag" = String, description = "What If-Range takes."))),
        (status = 206, description = "The range.", body = inline(FileContent), content_type = "application/octet-stream"), FileProblems))]
pub async fn content(
    Mailbox(mailboxes, entered): Mailbox,
    Place(number, id): Place,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiRefusal> {
    let file = mailboxes.file(&entered, number, Which::Inbox, id).await.map_err(of_mailbox)?;
    let (size, etag) = (file.size, format!("\"{}\"", file.sha256));
    let asked = match range(&headers, &etag, size) {
        Err(refusal @ ApiRefusal::MailboxRange { .. }) => {
            let mut response = refusal.into_response();
            let whole = HeaderValue::from_str(&format!("bytes */{size}")).map_err(|_| ApiRefusal::ApiInternal)?;
            response.headers_mut().insert(CONTENT_RANGE, whole);
            return Ok(response);
        }
        asked => asked?,
    };
    let bytes = asked.clone().unwrap_or(0..size);
    let (sender, body) = table::pieces();
    if method != Method::HEAD {
        let mut sending = mailboxes.open(&entered, number, id, bytes.clone()).await.map_err(of_mailbox)?;
        tokio::spawn(async move {
            loop {
                let piece = match sending.next().await {
                    Ok(Some(piece)) => Ok(piece),
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(%error, "a file of a mailbox broke off while it was fetched");
                        // A body that breaks off is no whole file to anybody.
                        Err(std::io::Error::other("the content cannot be read"))
                    }
                };
                let broken = piece.is_err();
                if sender.send(piece).await.is_err() || broken {
                    return;
                }
            }
        });
    }
    let mut response = Response::new(body);
    let digest = crate::hex::decode::<32>(&file.sha256).map(|digest| STANDARD.encode(digest)).unwrap_or_default();
    let mut fields = vec![
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, (bytes.end - bytes.start).to_string()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (ETAG, etag),
        (REPR_DIGEST, format!("sha-256=:{digest}:")),
        (FILE_NAME, encoded(file.name.spelt())),
    ];
    if asked.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        fields.push((CONTENT_RANGE, format!("bytes {}-{}/{size}", bytes.start, bytes.end - 1)));
    }
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_str(&value).map_err(|_| ApiRefusal::ApiInternal)?);
    }
    Ok(response)
}

/// What was fetched.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// SHA-256 of what was received, in hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    pub sha256: String,
}

/// Confirms that all of a file was received; the same once more changes nothing. The file is deleted after the agreed days.
#[utoipa::path(post, operation_id = "confirmFile", path = "/api/v1/mailboxes/{number}/inbox/{id}/confirm", tag = "mailboxes", request_body = Confirmation,
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), ("id" = Uuid, Path, description = "The file.")),
    responses((status = 200, description = "The file.", body = MailboxFile), FileProblems))]
pub async fn confirm(
    Mailbox(mailboxes, entered): Mailbox,
    Place(number, id): Place,
    Json { value, .. }: Json<Confirmation>,
) -> Result<Response, ApiRefusal> {
    let file = mailboxes.confirm(&entered, number, id, &value.sha256).await.map_err(of_mailbox)?;
    Ok(axum::Json(MailboxFile::of(&file)).into_response())
}

/// What is about to come.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// The stream's code.
    #[param(min_length = 1, max_length = 64)]
    stream: String,
    /// The alias's kind, such as LOENGRUPPE.
    #[param(min_length = 1, max_length = 40)]
    alias_kind: String,
    /// The alias's code.
    #[param(min_length = 1, max_length = 40)]
    alias: String,
    /// The file's size in bytes.
    #[param(value_type = u64, minimum = 0, maximum = 100000000000i64)]
    size: String,
    /// SHA-256 of the file, in hexadecimal.
    #[param(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    sha256: String,
}

fn file_name(headers: &HeaderMap) -> Result<Name, ApiRefusal> {
    let field = || invalid("File-Name");
    let text = one(headers, FILE_NAME.as_str(), field)?.and_then(decoded).ok_or_else(field)?;
    Name::new(&text).map_err(|wrong| {
        let (da, en) = match wrong {
            NotAName::Empty => ("det er tomt, . eller ..", "it is empty, . or .."),
            NotAName::Long => ("det fylder mere end 255 bytes", "it has more than 255 bytes"),
            NotAName::NotUtf8 => ("det er ikke UTF-8", "it is not UTF-8"),
            NotAName::Character => ("det indeholder / eller kontroltegn", "it has / or control characters in it"),
        };
        ApiRefusal::MailboxName { what: Detail::new(da, en) }
    })
}

/// What has come of a delivery in pieces.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxUpload {
    /// So many bytes from the file's beginning: the next piece begins there.
    #[schema(maximum = 100_000_000_000_u64)]
    pub offset: u64,
}

/// Which bytes of a file of `size` bytes a request brings (RFC 9110, 14.5); none: all of them.
fn brought(headers: &HeaderMap, size: u64) -> Result<Option<Range<u64>>, ApiRefusal> {
    let field = || invalid("Content-Range");
    let Some(text) = one(headers, CONTENT_RANGE.as_str(), field)? else { return Ok(None) };
    let number = |text: &str| -> Option<u64> {
        let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let read = || {
        let (bytes, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = bytes.split_once('-')?;
        Some((number(first)?, number(last)?, number(whole)?))
    };
    let (first, last, whole) = read().ok_or_else(field)?;
    if first > last || last >= whole || whole != size {
        return Err(field());
    }
    let piece = first..last + 1;
    if piece == (0..size) {
        return Ok(None);
    }
    let length = piece.end - piece.start;
    let least = pieces::least(size);
    if length > pieces::MOST || (length < least && piece.end < size) {
        return Err(ApiRefusal::MailboxPieceSize { least, most: pieces::MOST });
    }
    Ok(Some(piece))
}

/// What a client is told of a piece: where a piece was not the next one, where to go on too.
fn of_piece(error: MailboxError) -> Result<Response, ApiRefusal> {
    match of_mailbox(error) {
        refusal @ ApiRefusal::MailboxPiecePlace { offset } => {
            let mut response = refusal.into_response();
            response.headers_mut().insert(UPLOAD_OFFSET, HeaderValue::from(offset));
            Ok(response)
        }
        refusal => Err(refusal),
    }
}

/// What is to be delivered, by a request that may go on to send it.
fn announced(number: Number, id: Uuid, query: DeliveryQuery, headers: &HeaderMap) -> Result<Delivery, ApiRefusal> {
    let kind = || ApiRefusal::ApiMediaType { expected: Detail::name("application/octet-stream") };
    let told_kind = one(headers, CONTENT_TYPE.as_str(), kind)?;
    if headers.contains_key(CONTENT_ENCODING) || told_kind.is_some_and(|kind| kind != "application/octet-stream") {
        return Err(kind());
    }
    let digits = |text: &str| (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let size = query.size.parse().ok().filter(|_| digits(&query.size));
    let size = size.ok_or_else(|| wrong_parameter("size", "det er ikke et antal bytes", "it is not a number of bytes"))?;
    if crate::hex::decode::<32>(&query.sha256).is_none() || query.sha256.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let (da, en) = ("det er ikke 64 hexadecimale cifre med små bogstaver", "it is not 64 hexadecimal digits in lower case");
        return Err(wrong_parameter("sha256", da, en));
    }
    let DeliveryQuery { stream, alias_kind, alias, sha256, .. } = query;
    let (name, through) = (file_name(headers)?, Through::Api);
    Ok(Delivery { number, delivery: id, stream, alias: (alias_kind, alias), name, size, sha256, through })
}

/// Delivers a file, or the next piece of it. The id is chosen by its sender: the same file sent again under it is taken once.
///
/// With `Content-Range` the body is that piece of the file: 1 to 64 MiB, and a ten-thousandth of the file at least; the last may be smaller.
/// Pieces come in order, all with the same query and File-Name; the answer to each but the last is 202. The last is answered when all are put
/// together; sent again meanwhile it is 503. What breaks off is gone on with from where `getUpload` says it stands. Pieces are deleted where no
/// next one comes for a day, or by `takeBackUpload`.
#[utoipa::path(put, operation_id = "deliverFile", path = "/api/v1/mailboxes/{number}/outbox/{id}", tag = "mailboxes",
    request_body(content = inline(FileContent), content_type = "application/octet-stream", description = "The file, or a piece of it."),
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), ("id" = Uuid, Path, description = "The delivery's id."), DeliveryQuery,
        ("File-Name" = String, Header, description = "The file's name, percent-encoded UTF-8.", max_length = 765, pattern = "^[A-Za-z0-9._~%-]{1,765}$"),
        ("Content-Range" = Option<String>, Header, description = "Which bytes of the file the body is, and the file's size; left out: all of it.", max_length = 64, pattern = "^bytes [0-9]{1,18}-[0-9]{1,18}/[0-9]{1,18}$")),
    responses((status = 201, description = "The file: it is validated next.", body = MailboxFile),
        (status = 200, description = "The file, which was delivered before.", body = MailboxFile),
        (status = 202, description = "The piece is kept, and more is to come.", body = MailboxUpload, headers(("Upload-Offset" = String, description = "Where the next piece begins; also of 409 MailboxPiecePlace."))), FileProblems))]
pub async fn deliver(
    Mailbox(mailboxes, entered): Mailbox,
    Place(number, id): Place,
    Query(query): Query<DeliveryQuery>,
    headers: HeaderMap,
    room: Option<Extension<Room>>,
    mut body: Body,
) -> Result<Response, ApiRefusal> {
    let delivery = announced(number, id, query, &headers)?;
    let size = delivery.size;
    // Whoever may deliver so much may send it; everybody else keeps within the API's own limit.
    let allow = |bytes| {
        if let Some(Extension(room)) = &room {
            room.allow(bytes);
        }
    };
    let come = match brought(&headers, size)? {
        None => {
            let mut receiving = match mailboxes.deliver(&entered, delivery).await.map_err(of_mailbox)? {
                Begun::Known(file) => return Ok(axum::Json(MailboxFile::of(&file)).into_response()),
                Begun::Take(receiving) => receiving,
            };
            allow(size);
            while let Some(data) = next(&mut body).await? {
                receiving.write(&data).await.map_err(of_mailbox)?;
            }
            // Not called off where the client hangs up: it may be committed.
            let closed = tokio::spawn(receiving.close()).await.map_err(|_| ApiRefusal::ApiInternal)?;
            Come::Whole(Box::new(closed.map_err(of_mailbox)?))
        }
        Some(piece) => {
            let length = piece.end - piece.start;
            let mut receiving = match mailboxes.deliver_piece(&entered, delivery, piece).await {
                Ok(pieces::Begun::Known(file)) => return Ok(axum::Json(MailboxFile::of(&file)).into_response()),
                Ok(pieces::Begun::Take(receiving)) => receiving,
                Err(error) => return of_piece(error),
            };
            allow(length);
            while let Some(data) = next(&mut body).await? {
                receiving.write(&data).await.map_err(of_mailbox)?;
            }
            let closed = tokio::spawn(receiving.close()).await.map_err(|_| ApiRefusal::ApiInternal)?;
            match closed {
                Ok(come) => come,
                Err(error) => return of_piece(error),
            }
        }
    };
    Ok(match come {
        Come::Whole(file) => (StatusCode::CREATED, axum::Json(MailboxFile::of(&file))).into_response(),
        Come::Part(offset) => {
            let headers = [(UPLOAD_OFFSET, HeaderValue::from(offset))];
            (StatusCode::ACCEPTED, headers, axum::Json(MailboxUpload { offset })).into_response()
        }
    })
}

/// More of a body; none: that was all.
async fn next(body: &mut Body) -> Result<Option<Bytes>, ApiRefusal> {
    match body.frame().await {
        None => Ok(None),
        Some(frame) => Ok(Some(frame.map_err(body_refusal)?.into_data().unwrap_or_default())),
    }
}

/// How much of a delivery has come in pieces. 404 where nothing has, all of it is there, or no next piece came for a day.
#[utoipa::path(get, operation_id = "getUpload", path = "/api/v1/mailboxes/{number}/outbox/{id}/upload", tag = "mailboxes",
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), ("id" = Uuid, Path, description = "The delivery's id.")),
    responses((status = 200, description = "How much.", body = MailboxUpload), ReadProblems))]
pub async fn upload(Mailbox(mailboxes, entered): Mailbox, Place(number, id): Place) -> Result<Response, ApiRefusal> {
    let offset = mailboxes.come(&entered, number, id).await.map_err(of_mailbox)?;
    Ok(axum::Json(MailboxUpload { offset }).into_response())
}

/// Takes back what has come of a delivery in pieces: nothing is delivered of it, its room is free, and its id can be used for something else.
/// 404 where nothing has come, or all of it is delivered.
#[utoipa::path(delete, operation_id = "takeBackUpload", path = "/api/v1/mailboxes/{number}/outbox/{id}/upload", tag = "mailboxes",
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), ("id" = Uuid, Path, description = "The delivery's id.")),
    responses((status = 204, description = "Nothing of it is left."), ReadProblems))]
pub async fn take_back(Mailbox(mailboxes, entered): Mailbox, Place(number, id): Place) -> Result<Response, ApiRefusal> {
    mailboxes.take_back(&entered, number, id).await.map_err(of_mailbox)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The days of a status.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatusQuery {
    /// The first day, in Copenhagen; left out: today.
    #[param(format = "date", max_length = 10)]
    from: Option<String>,
    /// The last day; left out: today.
    #[param(format = "date", max_length = 10)]
    to: Option<String>,
}

/// Whether all files of some days are approved.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxStatus {
    /// The first day.
    #[schema(format = "date", max_length = 10)]
    pub from: String,
    /// The last day.
    #[schema(format = "date", max_length = 10)]
    pub to: String,
    /// Whether each is GODKENDT or UNDTAGET.
    pub settled: bool,
    /// The answer in one line, in Danish.
    #[schema(max_length = 1000)]
    pub da: String,
    /// The same in English.
    #[schema(max_length = 1000)]
    pub en: String,
    /// Those that are not GODKENDT, the oldest first; the first 200.
    #[schema(max_items = 200)]
    pub exceptions: Vec<MailboxFile>,
}

/// Whether all files that an agreement delivered on some days are approved, with those that are not.
#[utoipa::path(get, operation_id = "getMailboxStatus", path = "/api/v1/mailboxes/{number}/status", tag = "mailboxes",
    params(("number" = String, Path, description = "The agreement.", pattern = "^PA[0-9]{5}$", max_length = 7), StatusQuery),
    responses((status = 200, description = "The status.", body = MailboxStatus), ReadProblems))]
pub async fn status(
    State(api): State<Api>,
    Mailbox(mailboxes, entered): Mailbox,
    Place(number, _): Place,
    Query(query): Query<StatusQuery>,
) -> Result<Response, ApiRefusal> {
    let today = civil_day(api.clock.now()).ok_or(ApiRefusal::ApiInternal)?;
    let day = |name: &str, text: Option<&str>| -> Result<Date, ApiRefusal> {
        let wrong = |_| wrong_parameter(name, "det er ikke en dato", "it is not a day");
        text.map_or(Ok(today), |text| crate::agreements::route::day(text).map_err(wrong))
    };
    let (from, to) = (day("from", query.from.as_deref())?, day("to", query.to.as_deref())?);
    if to < from || (to - from).get_days() > MOST_DAYS {
        return Err(wrong_parameter(
            "to",
            "det er før from eller mere end et år efter",
            "it is before from or more than a year after it",
        ));
    }
    let held = mailboxes.agreement(&entered, number, Purpose::See).await.map_err(of_mailbox)?;
    let found = async { status::status(&mut api.store.database().session().await?, held.id, from, to).await };
    let found = found.await.map_err(of_store)?;
    let line = found.line();
    let view = MailboxStatus {
        from: from.to_string(),
        to: to.to_string(),
        settled: found.is_settled(),
        da: line.da().to_owned(),
        en: line.en().to_owned(),
        exceptions: found.exceptions.iter().map(MailboxFile::of).collect(),
    };
    Ok(axum::Json(view).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Option<Range<u64>>, ApiRefusal> {
        range(&HeaderMap::from_iter([(RANGE, text.parse().unwrap())]), "\"a\"", 100)
    }

    #[test]
    fn one_range_within_the_file_is_taken_and_every_other_refused() {
        for (text, due) in [("bytes=0-", 0..100), ("bytes=10-19", 10..20), ("bytes=-5", 95..100), ("bytes=99-200", 99..100)] {
            assert_eq!(asked(text), Ok(Some(due)), "{text}");
        }
        assert_eq!(asked("lines=1-2"), Ok(None), "another unit is none of ours");
        let many = format!("bytes={}", vec!["0-0"; 1000].join(","));
        for text in
            ["bytes=100-", "bytes=5-4", "bytes=-0", "bytes=", "bytes=-", "bytes=0-0,5-6", "bytes=+1-2", "bytes=a-b", &many]
        {
            assert_eq!(asked(text), Err(ApiRefusal::MailboxRange { size: 100 }), "{text}");
        }
        assert!(asked("bytes=18446744073709551615-18446744073709551615").is_err());
    }

    fn piece(text: &str, size: u64) -> Result<Option<Range<u64>>, &'static str> {
        brought(&HeaderMap::from_iter([(CONTENT_RANGE, text.parse().unwrap())]), size).map_err(|refusal| refusal.code())
    }

    #[test]
    fn a_piece_is_of_the_file_and_as_large_as_pieces_may_be() {
        let (least, most) = (pieces::LEAST, pieces::MOST);
        let size = 3 * most;
        for (first, last) in [(0, least - 1), (least, least + most - 1), (size - 1, size - 1)] {
            assert_eq!(piece(&format!("bytes {first}-{last}/{size}"), size), Ok(Some(first..last + 1)));
        }
        assert_eq!(piece("bytes 0-9/10", 10), Ok(None), "all of it is no piece");
        assert_eq!(brought(&HeaderMap::new(), size), Ok(None));
        for (first, last) in [(0, least - 2), (0, most), (size - least, size - 2)] {
            assert_eq!(piece(&format!("bytes {first}-{last}/{size}"), size), Err("MailboxPieceSize"), "{first}-{last}");
        }
        for text in [
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes 0-4/11",
            "bytes 0-4/*",
            "bytes */10",
            "bytes=0-4/10",
            "bytes -4/10",
            "bytes +0-4/10",
            "",
        ] {
            assert_eq!(piece(text, 10), Err("ApiHeaderInvalid"), "{text:?}");
        }
        assert_eq!(piece("bytes 0-18446744073709551615/10", 10), Err("ApiHeaderInvalid"));
        // Of a large file as many pieces as can be taken away at once.
        let size = 100_000_000_000;
        assert_eq!(piece(&format!("bytes 0-{}/{size}", least - 1), size), Err("MailboxPieceSize"));
        assert!(size.div_ceil(pieces::least(size)) <= pieces::MOST_PIECES && pieces::least(size) < most);
        assert_eq!(pieces::least(u64::MAX), most, "of what is too large for any stream too");
    }

    #[test]
    fn a_name_goes_through_a_header_field_and_comes_back() {
        for name in ["løn 2026-11.xml", "100 % \"a\".csv", "日本.txt"] {
            let field = encoded(name);
            assert!(HeaderValue::from_str(&field).is_ok());
            assert_eq!(decoded(&field).as_deref(), Some(name));
        }
        for bad in ["%", "%4", "%zz", "%ff", "æ"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
