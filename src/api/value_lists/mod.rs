//! `/api/v1/value-lists`: versions of value lists (*sortimenter*), drafts and published ones.

pub mod change;
pub mod subscriptions;
pub mod view;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, ETAG};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::extract::{Caller, Id, Query};
use super::input::{uuid_parameter, wrong_parameter};
use super::page::{self, after, limit};
use super::problem::{ReadProblems, of_decision, of_store};
use crate::clock::civil_day;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::services::finance::lists::draft::DraftError;
use crate::services::finance::lists::kept::{Head, MOST_VERSIONS, Seen, Wanted};
use crate::services::finance::lists::publish::{Proposal, PublishError};
use crate::services::finance::rules::sortiment::diff::Direction;
use crate::services::finance::rules::sortiment::xml;
use crate::users::rights::Action;
use crate::users::{Actor, Whose};
use view::{ChangeView, ChangesView, ValueListView, VersionView, etag};

/// The most changes of one answer; the text has all of them.
const CHANGES: usize = 1000;

/// What the user sees of value lists.
pub(crate) fn sees(actor: &Actor) -> Seen {
    match actor.scope().whose {
        Whose::Everybody => Seen::All,
        Whose::Authority(own) => Seen::AndOwn(own),
        Whose::Supplier(_) | Whose::Nobody => Seen::Published,
    }
}

fn not_found() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("version af et sortiment", "version of a value list") }
}

/// A version that the user may see, without its content.
pub(super) async fn is_seen(api: &Api, actor: &Actor, id: Uuid) -> Result<Head, ApiRefusal> {
    actor.may(Action::SeeSortiment)?;
    let services = actor.scope().services;
    let head = api.store.sortiment(id).await.map_err(of_store)?;
    let is_seen = |head: &Head| sees(actor).takes(head) && (services.is_empty() || services.contains(&head.service));
    head.filter(is_seen).ok_or_else(not_found)
}

/// A version that the user may see, beside the one before it.
async fn seen(api: &Api, actor: &Actor, id: Uuid) -> Result<Proposal, ApiRefusal> {
    is_seen(api, actor, id).await?;
    Proposal::of(&api.store, id).await.map_err(of_publish)
}

/// The first of what is wrong with a list: a title has room for a few.
fn describe(wrong: &[String]) -> Detail {
    let mut en = String::new();
    for sentence in wrong {
        if !en.is_empty() && en.len() + sentence.len() > 1000 {
            en += " There is more; correct this first.";
            break;
        }
        en += if en.is_empty() { "" } else { " " };
        en.extend(sentence.chars().take(1000));
    }
    Detail::new(
        format!("{} forhold skal rettes; Accept-Language: en nævner dem", wrong.len()),
        en.trim_end_matches('.').to_owned(),
    )
}

/// The words for what keeps a draft from being brought in or removed.
pub(crate) fn of_draft(error: DraftError) -> ApiRefusal {
    let en = error.to_string();
    match error {
        DraftError::Decide(error) => of_decision(error),
        DraftError::Wrong(wrong) => ApiRefusal::ApiFieldInvalid { field: "content".to_owned(), what: describe(&wrong) },
        DraftError::Published(head) => ApiRefusal::ApiConflict {
            what: Detail::new(
                format!("{head} er offentliggjort med andet indhold og bliver stående; importér ændringen som en ny version"),
                en,
            ),
        },
        DraftError::NoDraft(_) => not_a_draft(),
    }
}

/// What is published stays.
pub(crate) fn not_a_draft() -> ApiRefusal {
    ApiRefusal::ApiConflict {
        what: Detail::new("versionen er offentliggjort og bliver stående", "the version is published, and stays"),
    }
}

/// The words for what keeps a version from being published.
pub(crate) fn of_publish(error: PublishError) -> ApiRefusal {
    let en = error.to_string();
    match error {
        PublishError::Decide(error) => of_decision(error),
        PublishError::NoSuch(_) => not_found(),
        PublishError::Already { .. } => not_a_draft(),
        PublishError::TooSoon { from, days, earliest, .. } => ApiRefusal::ApiConflict {
            what: Detail::new(
                format!(
                    "versionen gælder fra {from}, og den skal offentliggøres {days} dage før, så bogføringssystemerne når at følge med; \
                     lad den gælde fra {earliest}, eller send sooner med en begrundelse"
                ),
                format!(
                    "the version holds from {from}, and {days} days are needed, so that ledgers can map it; let it hold from {earliest}, \
                     or send sooner with a reason"
                ),
            ),
        },
        PublishError::TooMany(published) => ApiRefusal::ApiConflict {
            what: Detail::new(
                format!("der er offentliggjort {published} versioner, og {MOST_VERSIONS} er det højeste antal"),
                en,
            ),
        },
        PublishError::Wrong(wrong) => ApiRefusal::ApiConflict { what: describe(&wrong) },
        PublishError::ChangedSinceShown(_) => ApiRefusal::ApiPreconditionFailed,
        PublishError::Job(_) => {
            tracing::error!(error = en, "the deliveries of a value list could not be written down");
            ApiRefusal::ApiInternal
        }
    }
}

/// The query of a list of versions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// By service.
    #[param(value_type = Option<Uuid>)]
    service: Option<String>,
    /// By value list.
    #[param(value_type = Option<Uuid>)]
    list: Option<String>,
    /// Drafts alone, or published versions alone.
    #[param(value_type = Option<PublishedName>)]
    state: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 200)]
    after: Option<String>,
    /// How many; 50 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// Whether a version is published.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code)] // for the contract alone
pub enum PublishedName {
    /// It is not.
    Draft,
    /// It is.
    Published,
}

/// A page of versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValueListPage {
    /// The versions, in the order of their ids.
    #[schema(max_items = 200)]
    pub items: Vec<ValueListView>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// The versions of value lists that the user may see, a page at a time: published ones, and an authority's own drafts.
#[utoipa::path(get, operation_id = "listValueLists", path = "/api/v1/value-lists", tag = "value lists", params(ListQuery),
    responses((status = 200, description = "A page of versions.", body = ValueListPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeSortiment)?;
    let published = match query.state.as_deref() {
        None => None,
        Some("draft") => Some(false),
        Some("published") => Some(true),
        Some(_) => {
            return Err(wrong_parameter("state", "det er hverken draft eller published", "it is neither draft nor published"));
        }
    };
    let wanted = Wanted {
        service: uuid_parameter("service", query.service.as_deref())?,
        services: caller.scope().services,
        list: uuid_parameter("list", query.list.as_deref())?,
        published,
        seen: sees(&caller),
        after: None,
        limit: 0,
    };
    let own = page::list("value lists", &wanted, caller.user().id);
    let (many, from) = (limit(query.limit.as_deref())?, after(query.after.as_deref(), &own)?);
    let wanted = Wanted { after: from, limit: many + 1, ..wanted };
    let found = api.store.sortiment_page(&wanted).await.map_err(of_store)?;
    let (found, next) = page::cut(found, many, &own, |head| head.id);
    let today = civil_day(api.clock.now());
    let items = found.iter().map(|head| ValueListView::of(head, today)).collect();
    Ok(axum::Json(ValueListPage { items, next }).into_response())
}

/// One version: its part lists, what it changes against the one before it, and the digest of the text that is shown to whoever
/// publishes it.
#[utoipa::path(get, operation_id = "getValueList", path = "/api/v1/value-lists/{id}", tag = "value lists", params(("id" = Uuid, Path, description = "The version.")),
    responses((status = 200, description = "The version.", body = VersionView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let (proposal, today) = (seen(&api, &caller, id).await?, civil_day(api.clock.now()));
    let etag = HeaderValue::from_str(&etag(&proposal.head)).map_err(|_| ApiRefusal::ApiInternal)?;
    let shown = proposal.shown().await.map_err(of_publish)?;
    let view = off_the_runtime(move || Ok(VersionView::of(&proposal, shown, today))).await?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// The whole of a version, as XML, which an import takes.
#[utoipa::path(get, operation_id = "getValueListContent", path = "/api/v1/value-lists/{id}/content", tag = "value lists", params(("id" = Uuid, Path, description = "The version.")),
    responses((status = 200, description = "The version.", body = String, content_type = "application/xml"), ReadProblems))]
pub async fn content(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let list = seen(&api, &caller, id).await?.list;
    let text = off_the_runtime(move || xml::write(&list).map_err(|_| ApiRefusal::ApiInternal)).await?;
    Ok(as_text("application/xml", text))
}

/// The text that is to be shown to whoever publishes the version: the whole of it, and what it changes. Its SHA-256 is
/// `text_sha256` of the version.
#[utoipa::path(get, operation_id = "getValueListText", path = "/api/v1/value-lists/{id}/text", tag = "value lists", params(("id" = Uuid, Path, description = "The version.")),
    responses((status = 200, description = "The text.", body = String, content_type = "text/plain"), ReadProblems))]
pub async fn text(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let proposal = seen(&api, &caller, id).await?;
    let text = off_the_runtime(move || proposal.text().map_err(of_publish)).await?;
    Ok(as_text("text/plain; charset=utf-8", text))
}

fn as_text(kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The version that one is held against.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Against {
    /// Another version of the same value list; left out: the published one before it.
    #[param(value_type = Option<Uuid>)]
    against: Option<String>,
}

/// What a version widens and narrows against another.
#[utoipa::path(get, operation_id = "listValueListChanges", path = "/api/v1/value-lists/{id}/changes", tag = "value lists", params(("id" = Uuid, Path, description = "The version."), Against),
    responses((status = 200, description = "The changes, in the order of the lists.", body = ChangesView), ReadProblems))]
pub async fn changes(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Query(query): Query<Against>,
) -> Result<Response, ApiRefusal> {
    let mut proposal = seen(&api, &caller, id).await?;
    if let Some(other) = uuid_parameter("against", query.against.as_deref())? {
        let other = seen(&api, &caller, other).await?;
        if other.list.id != proposal.list.id {
            let (da, en) = ("det er et andet sortiment", "it is another value list");
            return Err(wrong_parameter("against", da, en));
        }
        proposal.before = Some(other.list);
    }
    let view = off_the_runtime(move || {
        let changes = proposal.changes();
        let count = |direction| changes.iter().filter(|change| change.direction == direction).count();
        let first = changes.iter().take(CHANGES);
        Ok(ChangesView {
            against: proposal.before.as_ref().map(|before| before.version.clone()),
            narrows: count(Direction::Narrows),
            widens: count(Direction::Widens),
            all: changes.len(),
            items: first.map(ChangeView::of).collect(),
        })
    });
    Ok(axum::Json(view.await?).into_response())
}

/// A list may have a hundred thousand codes: it is read, compared and written beside the runtime's threads.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiRefusal> + Send + 'static,
) -> Result<T, ApiRefusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ApiRefusal::ApiInternal))
}
