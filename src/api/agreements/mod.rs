//! `/api/v1/agreements`.

pub mod decide;
pub mod filter;
pub mod request;
pub mod view;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::ETAG;
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{Caller, Id, Query};
use super::files::{self, Format};
use super::page::{self, after, limit};
use super::problem::{ReadProblems, of_decision, of_store};
use super::{Api, table};
use crate::agreements::page::Wanted;
use crate::decisions::{agreement as decisions, approval, life};
use crate::refusal::api::ApiRefusal;
use crate::users::rights::Action;
use filter::Filter;
pub use view::AgreementView;

/// A page of agreements.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgreementPage {
    /// The agreements, in the order of their ids.
    #[schema(max_items = 200)]
    pub items: Vec<AgreementView>,
    /// What `after` is to be for the next page; null on the last.
    #[schema(max_length = 200)]
    pub next: Option<String>,
}

/// The agreements that the user may see, a page at a time.
#[utoipa::path(get, operation_id = "listAgreements", path = "/api/v1/agreements", tag = "agreements", params(Filter),
    responses((status = 200, description = "A page of agreements.", body = AgreementPage), ReadProblems))]
pub async fn list(State(api): State<Api>, caller: Caller, Query(filter): Query<Filter>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeAgreements)?;
    let mut wanted = filter.wanted(&caller)?;
    let own = page::list("agreements", &wanted, caller.user().id);
    let many = limit(filter.limit.as_deref())?;
    (wanted.after, wanted.limit) = (after(filter.after.as_deref(), &own)?, many + 1);
    let found = api.store.page(&wanted).await.map_err(of_store)?;
    let (found, next) = page::cut(found, many, &own, |agreement| agreement.id);
    let now = api.clock.now();
    let items = found.iter().map(|agreement| AgreementView::of(agreement, now)).collect();
    Ok(axum::Json(AgreementPage { items, next }).into_response())
}

/// One agreement, with the text that is shown to whoever decides on it.
#[utoipa::path(get, operation_id = "getAgreement", path = "/api/v1/agreements/{id}", tag = "agreements", params(("id" = Uuid, Path, description = "The agreement.")),
    responses((status = 200, description = "The agreement.", body = AgreementView,
        headers(("ETag" = String, description = "What If-Match takes."))), ReadProblems))]
pub async fn get(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Response, ApiRefusal> {
    let agreement = decisions::seen(&api.store, &caller, id).await.map_err(of_decision)?;
    let differs = life::differs(&api.store, &api.rules, &agreement).await.map_err(of_decision)?;
    let now = api.clock.now();
    let approval = approval::propose(&api.store, &agreement, &api.rules, now).await.map_err(of_store)?;
    let view = AgreementView { differs, ..AgreementView::of(&agreement, now) }.shown_with(&approval);
    let etag = HeaderValue::from_str(&view.etag).map_err(|_| ApiRefusal::ApiInternal)?;
    Ok(([(ETAG, etag)], axum::Json(view)).into_response())
}

/// Every agreement that the user may see, as one file.
#[utoipa::path(get, operation_id = "exportAgreements", path = "/api/v1/agreements/export", tag = "agreements", params(Format),
    responses((status = 200, description = "The agreements.", content((Vec<AgreementView> = "application/json"), (String = "text/csv"))), ReadProblems))]
pub async fn export(State(api): State<Api>, caller: Caller, Query(format): Query<Format>) -> Result<Response, ApiRefusal> {
    caller.may(Action::SeeAgreements)?;
    let csv = format.is_csv()?;
    let wanted = Wanted { limit: page::MOST, ..Filter::default().wanted(&caller)? };
    let after = move |after| {
        let (api, wanted) = (api.clone(), Wanted { after, ..wanted.clone() });
        async move {
            let now = api.clock.now();
            Ok(api.store.page(&wanted).await?.iter().map(|agreement| AgreementView::of(agreement, now)).collect())
        }
    };
    Ok(files::exported("agreements", csv, after, |view: &AgreementView| view.id, table::agreements))
}
