//! To bring in a version of a value list, to remove a draft, and to publish one.

use std::collections::BTreeMap;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::{PublishedView, ValueListView, etag};
use super::{describe, is_seen, not_a_draft, of_draft, of_publish, off_the_runtime, seen};
use crate::api::Api;
use crate::api::extract::{Caller, Id, IfMatch, Json};
use crate::api::idempotency::{Answer, digest, once};
use crate::api::input::{Object, civil, line, list as items, parsed, uuid, wrong};
use crate::api::problem::WriteProblems;
use crate::clock::civil_day;
use crate::decisions::{Because, By, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::api::ApiRefusal;
use crate::services::finance::lists::draft::{self, Imported};
use crate::services::finance::lists::kept::Head;
use crate::services::finance::lists::publish::{Notice, Published};
use crate::services::finance::rules::sortiment::{List, Part, csv, xml};
use crate::users::keys::Key;
use crate::users::rights::Action;

/// How a version is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Written {
    /// XML (`urn:hjemmel:oekonomi:sortiment:1`).
    Xml,
    /// A table as Danish Excel writes it ("CSV UTF-8", columns divided by `;`).
    Csv,
}

impl<'de> Deserialize<'de> for Written {
    /// By its name alone: of itself serde takes `{"xml": null}` for it too.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "xml" => Ok(Self::Xml),
            "csv" => Ok(Self::Csv),
            _ => Err(serde::de::Error::unknown_variant("", &["xml", "csv"])),
        }
    }
}

/// What a table does not say of itself.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableAbout {
    /// The value list.
    #[serde(deserialize_with = "uuid")]
    pub list: Uuid,
    /// Its name.
    #[schema(min_length = 1, max_length = 1000)]
    pub name: String,
    /// The version.
    #[schema(min_length = 1, max_length = 1000)]
    pub version: String,
    /// The first day on which it holds, in Copenhagen.
    #[schema(format = "date", max_length = 10)]
    pub valid_from: String,
    /// The last day; left out: no end.
    #[serde(default)]
    #[schema(format = "date", max_length = 10)]
    pub valid_to: Option<String>,
    /// The authority whose supplement it is, by its CVR number; left out: common to all.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{8}$", max_length = 8)]
    pub authority: Option<String>,
    /// The part lists that authorities may supplement.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub supplemented: Vec<String>,
    /// The part lists whose codes demand a party.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub party_demanded: Vec<String>,
}

impl TableAbout {
    pub(crate) fn read(self) -> Result<List, ApiRefusal> {
        let part = |field: &str, names: &[String]| items(field, names, 1000, |name| Ok(name.to_owned()));
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        for name in part("table.supplemented", &self.supplemented)? {
            parts.entry(name).or_default().supplement = true;
        }
        for name in part("table.party_demanded", &self.party_demanded)? {
            parts.entry(name).or_default().party = true;
        }
        let authority = self.authority.as_deref();
        let authority = authority
            .map(|text| parsed::<Cvr>("table.authority", text, "det er ikke otte cifre", "it is not eight digits"))
            .transpose()?;
        Ok(List {
            id: self.list,
            name: line("table.name", &self.name)?,
            version: line("table.version", &self.version)?,
            from: civil("table.valid_from", &self.valid_from)?,
            to: self.valid_to.as_deref().map(|text| civil("table.valid_to", text)).transpose()?,
            authority,
            parts,
        })
    }
}

/// A version that is to be brought in as a draft.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// The service.
    #[serde(deserialize_with = "uuid")]
    pub service: Uuid,
    /// How it is written.
    pub format: Written,
    /// The file, whole: at most 64 MiB, and with the rest of the request at most `limits.request_bytes` of the gateway.
    #[schema(max_length = 67_108_864)]
    pub content: String,
    /// With `csv`: what the table does not say. With `xml` left out.
    #[serde(default)]
    #[schema(value_type = Option<TableAbout>)]
    pub table: Option<Object<TableAbout>>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// The version as it is written.
pub(crate) fn read(format: Written, content: &str, about: Option<List>) -> Result<List, ApiRefusal> {
    let unreadable = |wrong: Vec<String>| ApiRefusal::ApiFieldInvalid { field: "content".to_owned(), what: describe(&wrong) };
    match (format, about) {
        (Written::Xml, None) => xml::read(content.as_bytes()).map_err(unreadable),
        (Written::Csv, Some(about)) => csv::read(content.as_bytes(), about).map_err(unreadable),
        (Written::Xml, Some(_)) => {
            Err(wrong("table", "XML siger selv, hvad det er; udelad feltet", "XML says itself what it is; leave it out"))
        }
        (Written::Csv, None) => Err(wrong("table", "en tabel siger ikke, hvad den er", "a table does not say what it is")),
    }
}

/// Brings in a version as a draft, which no call knows; a draft of the same version is replaced. Another person publishes it.
#[utoipa::path(post, operation_id = "importValueList", path = "/api/v1/value-lists", tag = "value lists", request_body = ImportRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The version is there already, just so.", body = ValueListView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "The version's address."))),
        (status = 201, description = "The draft.", body = ValueListView,
        headers(("ETag" = String, description = "What If-Match takes."), ("Location" = String, description = "The version's address."))), WriteProblems))]
pub async fn import(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Json { value, bytes }: Json<ImportRequest>,
) -> Result<Answer, ApiRefusal> {
    caller.may(Action::ImportSortiment)?;
    let ImportRequest { service, format, content, table, reason } = value;
    let (reason, about) = (line("reason", &reason)?, table.map(|Object(about)| about.read()).transpose()?);
    let list = off_the_runtime(move || read(format, &content, about)).await?;
    let (own, actor) = (api.clone(), caller.0.clone());
    let work = |key: Option<Key>| async move {
        let because = Because::new(reason, own.clock.now());
        let today = civil_day(because.at);
        let answer = |(imported, head): &(Imported, Head)| {
            let status = if matches!(imported, Imported::Same(_)) { StatusCode::OK } else { StatusCode::CREATED };
            let place = format!("/api/v1/value-lists/{}", head.id);
            Ok::<_, ApiRefusal>(Answer::new(status, &ValueListView::of(head, today))?.etag(etag(head)).location(place))
        };
        let kept = |done: &(Imported, Head)| answer(done)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let done = draft::import(&own.store, service, &list, By::User(&actor), &because, kept).await.map_err(of_draft)?;
        own.decided.notify_one();
        answer(&done)
    };
    once(&api, &caller, &headers, digest(&["import value list"], &bytes), work).await
}

/// Why something is removed or ended.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndingRequest {
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// Removes a draft. A published version stays.
#[utoipa::path(post, operation_id = "removeValueListDraft", path = "/api/v1/value-lists/{id}/remove", tag = "value lists", request_body = EndingRequest,
    params(("id" = Uuid, Path, description = "The draft."),
        ("If-Match" = String, Header, description = "The draft's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The draft as it was.", body = ValueListView), WriteProblems))]
pub async fn remove(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<EndingRequest>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let head = is_seen(&own, &actor, id).await?;
        IfMatch(matching).holds(&etag(&head))?;
        if head.published_at.is_some() {
            return Err(not_a_draft());
        }
        let because = Because::new(reason, own.clock.now());
        let today = civil_day(because.at);
        let answer = |head: &Head| Answer::new(StatusCode::OK, &ValueListView::of(head, today));
        let kept = |head: &Head| answer(head)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let removed = draft::remove(&own.store, id, By::User(&actor), &because, kept).await.map_err(of_draft)?;
        own.decided.notify_one();
        answer(&removed)
    };
    once(&api, &caller, &headers, digest(&["remove value list", &id.to_string(), &if_match.0], &bytes), work).await
}

/// A publication.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// `text_sha256` of the version whose text was shown to the user.
    #[schema(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    pub shown: String,
    /// Whether it is published although it takes force in fewer days than are needed.
    #[serde(default)]
    pub sooner: bool,
}

/// Publishes a draft: from then on it stays, and its codes are known on its days. Whoever imported it cannot publish it.
#[utoipa::path(post, operation_id = "publishValueList", path = "/api/v1/value-lists/{id}/publish", tag = "value lists", request_body = PublishRequest,
    params(("id" = Uuid, Path, description = "The draft."),
        ("If-Match" = String, Header, description = "The draft's ETag.", max_length = 200, pattern = "^\"[0-9a-f]{64}\"$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request sent again with it is not done again.", max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, description = "The version as it is now.", body = PublishedView,
        headers(("ETag" = String, description = "The version's ETag."))), WriteProblems))]
pub async fn publish(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Json { value, bytes }: Json<PublishRequest>,
) -> Result<Answer, ApiRefusal> {
    let reason = line("reason", &value.reason)?;
    let (own, actor, matching) = (api.clone(), caller.0.clone(), if_match.0.clone());
    let work = |key: Option<Key>| async move {
        let proposal = seen(&own, &actor, id).await?;
        // Before anything is said of its content.
        actor.may(Action::PublishSortiment)?;
        IfMatch(matching).holds(&etag(&proposal.head))?;
        if proposal.head.published_at.is_none() && value.shown != proposal.shown().await.map_err(of_publish)? {
            return Err(ApiRefusal::ApiShownDiffers);
        }
        let because = Because::new(reason, own.clock.now());
        let today = civil_day(because.at);
        let answer = |done: &Published| {
            Ok::<_, ApiRefusal>(Answer::new(StatusCode::OK, &PublishedView::of(done, today))?.etag(etag(&done.head)))
        };
        let kept = |done: &Published| answer(done)?.kept();
        let kept = key.as_ref().map(|key| Kept { key, answer: &kept });
        let notice = Notice { days: own.notices.of(proposal.head.service), sooner: value.sooner };
        let done = proposal.publish(&own.store, By::User(&actor), notice, &because, kept).await.map_err(of_publish)?;
        own.decided.notify_one();
        answer(&done)
    };
    once(&api, &caller, &headers, digest(&["publish value list", &id.to_string(), &if_match.0], &bytes), work).await
}
