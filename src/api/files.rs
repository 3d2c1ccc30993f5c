//! Many things as one file: brought in, all or none, and sent while they are read.

use std::io;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{json, media_type, read};
use super::input::{Object, wrong, wrong_parameter};
use super::page::MOST;
use super::{Api, table};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::store::StoreError;

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportDone {
    /// Agreements or routes that were not there before.
    #[schema(maximum = 1000000)]
    pub added: usize,
    /// Those that were there already.
    #[schema(maximum = 1000000)]
    pub unchanged: usize,
}

/// The most that one import brings in.
pub const IMPORTED: usize = 1000;

/// How an export is written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Format {
    /// `json` where it is left out.
    #[param(value_type = Option<FormatName>)]
    pub(super) format: Option<String>,
}

/// A format.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code)] // for the contract alone
pub enum FormatName {
    /// A JSON list.
    Json,
    /// Comma-separated values (RFC 4180) in UTF-8.
    Csv,
}

impl Format {
    pub(super) fn is_csv(&self) -> Result<bool, ApiRefusal> {
        match self.format.as_deref() {
            None | Some("json") => Ok(false),
            Some("csv") => Ok(true),
            Some(_) => Err(wrong_parameter("format", "det er hverken json eller csv", "it is neither json nor csv")),
        }
    }
}

/// The requests of an import, with the media type and the bytes for the digest of an Idempotency-Key.
///
/// # Errors
/// A body that is not read, or has none or too many.
pub(super) async fn requested<T: DeserializeOwned>(
    api: &Api,
    headers: &HeaderMap,
    body: Body,
    row: fn(&mut table::Row<'_>) -> Result<T, ApiRefusal>,
) -> Result<(Vec<T>, String, Bytes), ApiRefusal> {
    let kind = media_type(headers)?;
    let bytes = read(body, api.body_bytes).await?;
    let requests: Vec<T> = match kind.as_str() {
        "application/json" => json::<Vec<Object<T>>>(&bytes)?.into_iter().map(|Object(request)| request).collect(),
        "text/csv" => table::read(&bytes, row)?,
        _ => {
            return Err(ApiRefusal::ApiMediaType {
                expected: Detail::new("application/json eller text/csv", "application/json or text/csv"),
            });
        }
    };
    if requests.is_empty() || requests.len() > IMPORTED {
        return Err(wrong("[]", format!("der skal være 1 til {IMPORTED}"), format!("there must be 1 to {IMPORTED}")));
    }
    Ok((requests, kind, bytes))
}

/// What an import has once for all of it, so that none of several is dropped.
pub(super) fn the_same<T: PartialEq>(
    mut values: impl Iterator<Item = T>,
    field: &str,
    da: &str,
    en: &str,
) -> Result<Option<T>, ApiRefusal> {
    let first = values.next();
    if values.any(|value| Some(value) != first) { Err(wrong(field, da, en)) } else { Ok(first) }
}

/// The reason of an import: one decision has one.
pub(super) fn one_reason<'r>(reasons: impl Iterator<Item = &'r str>) -> Result<String, ApiRefusal> {
    let (da, en) = ("en import har én begrundelse, ens overalt", "an import has one reason, the same throughout");
    Ok(the_same(reasons, "reason", da, en)?.unwrap_or_default().to_owned())
}

/// Sends what `after` gives, page by page, until a page is not full.
pub(super) fn exported<V, F>(
    name: &str,
    csv: bool,
    after: impl Fn(Option<Uuid>) -> F + Send + 'static,
    id: fn(&V) -> Uuid,
    rows: fn(&[V], bool) -> io::Result<Vec<u8>>,
) -> Response
where
    V: Serialize + Send + Sync + 'static,
    F: Future<Output = Result<Vec<V>, StoreError>> + Send,
{
    let (sender, pieces) = table::pieces();
    tokio::spawn(async move {
        let (mut from, mut first) = (None, true);
        loop {
            let views = match after(from).await {
                Ok(views) => views,
                Err(error) => {
                    tracing::warn!(%error, "an export was cut short");
                    // A body that breaks off is no whole file to anybody.
                    let _ = sender.send(Err(io::Error::other("the store does not answer"))).await;
                    return;
                }
            };
            from = views.last().map(id);
            let last = views.len() < MOST as usize;
            let piece = if csv { rows(&views, first) } else { table::items(&views, first, last) };
            if sender.send(piece.map(Bytes::from)).await.is_err() || last {
                return;
            }
            first = false;
        }
    });
    file(name, csv, pieces)
}

/// A file that is sent as it is made.
fn file(name: &str, csv: bool, pieces: Body) -> Response {
    let (kind, extension) = if csv { ("text/csv; charset=utf-8", "csv") } else { ("application/json", "json") };
    let mut response = Response::new(pieces);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.{extension}\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    response
}
