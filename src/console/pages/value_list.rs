//! One version of a value list: its codes, what it changes, and how a draft is published or removed. Whoever imported it does not
//! publish it; what was on the page is what is published.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;

use super::history::{Past, past};
use super::{authority_names, named};
use crate::api::value_lists::view::etag;
use crate::api::value_lists::{not_a_draft, of_draft, of_publish, off_the_runtime, sees};
use crate::audit::Subject;
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, page};
use crate::console::note::Note;
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::service::For;
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::services::finance::lists::draft;
use crate::services::finance::lists::kept::Head;
use crate::services::finance::lists::publish::{Notice, Proposal};
use crate::services::finance::rules::sortiment::List;
use crate::services::finance::rules::sortiment::diff::{Change, Direction};
use crate::text::LONGEST;
use crate::users::rights::Action;

/// The most codes of a part list, and changes, that a page shows.
const CODES: usize = 200;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/value-lists/{id}", get(show))
        .route("/value-lists/{id}/text", get(text))
        .route("/value-lists/{id}/publish", post(publish))
        .route("/value-lists/{id}/remove", post(remove))
}

#[derive(Template)]
#[template(path = "console/value-list.html")]
struct VersionPage {
    frame: Frame,
    head: Head,
    whose: Option<String>,
    content: Arc<List>,
    /// The version that it takes the place of.
    before: Option<String>,
    changes: Vec<Change>,
    /// How many changes there are besides.
    more: usize,
    /// The digest of the whole text, which a publication is of.
    shown: String,
    etag: String,
    /// How many days ahead it is to be published.
    days: u16,
    may_publish: bool,
    may_remove: bool,
    past: Vec<Past>,
    note: Option<Note>,
    reason: String,
    sooner: bool,
}

/// A version that the visitor may see, beside the one before it.
async fn seen(console: &Console, visit: &Visit, id: &str) -> Result<Proposal, Stop> {
    visit.may(Action::SeeSortiment)?;
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("version af et sortiment", "version of a value list") };
    let (seen, services) = (sees(visit.actor()), visit.actor().scope().services);
    let id = crate::text::uuid(id).ok_or_else(nothing)?;
    let head = console.store.sortiment(id).await?;
    let is_seen = |head: &Head| seen.takes(head) && (services.is_empty() || services.contains(&head.service));
    head.filter(is_seen).ok_or_else(nothing)?;
    Ok(Proposal::of(&console.store, id).await.map_err(of_publish)?)
}

async fn drawn(
    console: &Console,
    visit: &Visit,
    proposal: Proposal,
    note: Option<Note>,
    written: Option<&Fields>,
) -> Result<Response, Stop> {
    let frame = visit.frame(console, &proposal.head.name, &proposal.head.name);
    let (actor, names) = (visit.actor(), authority_names(console).await?);
    // A list may have a hundred thousand codes: its text is made beside the runtime's threads.
    let (proposal, text, changes) = off_the_runtime(move || {
        let text = proposal.text().map_err(of_publish)?;
        let changes = proposal.changes();
        Ok((proposal, text, changes))
    })
    .await?;
    let Proposal { head, list, before, .. } = proposal;
    let draft = head.published_at.is_none();
    let publishes = head.authority.map_or(For::All, For::Own).is_for(actor, head.service);
    let removes = head.authority.map_or(For::All, For::Either).is_for(actor, head.service);
    let status = Note::status(note.as_ref());
    let drawn = page(&VersionPage {
        whose: head.authority.map(|cvr| named(&names, cvr)),
        before: before.map(|before| before.version.clone()),
        more: changes.len().saturating_sub(CODES),
        changes: changes.into_iter().take(CODES).collect(),
        shown: sha256(&text),
        etag: etag(&head),
        days: console.notices.of(head.service),
        may_publish: draft && publishes && actor.may(Action::PublishSortiment).is_ok(),
        may_remove: draft && removes && actor.may(Action::ImportSortiment).is_ok(),
        past: past(console, &frame, Subject::Sortiment, head.id).await?,
        reason: written.map(|fields| fields.text("reason").into_owned()).unwrap_or_default(),
        sooner: written.is_some_and(|fields| fields.text("sooner") == "1"),
        content: list,
        head,
        note,
        frame,
    })?;
    Ok((status, drawn).into_response())
}

async fn show(State(console): State<Console>, visit: Visit, Path(id): Path<String>, request: Request) -> Result<Response, Stop> {
    let proposal = seen(&console, &visit, &id).await?;
    let fields = Fields::of_query(request.uri())?;
    let (done, written) = (visit.was_done(&fields), visit.wrote(&fields).then_some(&fields));
    drawn(&console, &visit, proposal, done.then_some(Note::Done), written).await
}

/// The whole text, however long.
async fn text(State(console): State<Console>, visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let proposal = seen(&console, &visit, &id).await?;
    let text = off_the_runtime(move || proposal.text().map_err(of_publish)).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn publish(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let proposal = seen(&console, visit, &id).await.map_err(|stop| form.stop(stop))?;
    visit.may(Action::PublishSortiment).map_err(|stop| form.stop(stop))?;
    let shown = proposal.shown().await.map_err(of_publish)?;
    if form.fields.text("etag") != etag(&proposal.head) || form.fields.text("shown") != shown {
        return drawn(&console, visit, proposal, Some(Note::Changed), Some(&form.fields)).await;
    }
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason, console.clock.now());
    let notice = Notice { days: console.notices.of(proposal.head.service), sooner: form.fields.text("sooner") == "1" };
    match proposal.publish(&console.store, By::User(visit.actor()), notice, &because, None).await.map_err(of_publish) {
        Ok(done) => {
            console.decided.notify_one();
            Ok(form.visit.done_at(&format!("/value-lists/{}", done.head.id)))
        }
        Err(refusal) => refused(&console, &form, &id, proposal, refusal).await,
    }
}

async fn remove(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let proposal = seen(&console, visit, &id).await.map_err(|stop| form.stop(stop))?;
    visit.may(Action::ImportSortiment).map_err(|stop| form.stop(stop))?;
    if form.fields.text("etag") != etag(&proposal.head) {
        return drawn(&console, visit, proposal, Some(Note::Changed), Some(&form.fields)).await;
    }
    if proposal.head.published_at.is_some() {
        return refused(&console, &form, &id, proposal, not_a_draft()).await;
    }
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason, console.clock.now());
    let removed = draft::remove(&console.store, proposal.head.id, By::User(visit.actor()), &because, None).await;
    match removed.map_err(of_draft) {
        Ok(_) => {
            console.decided.notify_one();
            Ok(form.visit.done_at("/value-lists"))
        }
        Err(refusal) => refused(&console, &form, &id, proposal, refusal).await,
    }
}

/// The page again, with why nothing was done.
async fn refused(console: &Console, form: &Form, id: &str, proposal: Proposal, refusal: ApiRefusal) -> Result<Response, Stop> {
    if matches!(refusal, ApiRefusal::ApiPreconditionFailed) {
        let now = seen(console, &form.visit, id).await?;
        return drawn(console, &form.visit, now, Some(Note::Changed), Some(&form.fields)).await;
    }
    match Note::of(&form.visit, &refusal, &[]) {
        Some(note) => drawn(console, &form.visit, proposal, Some(note), Some(&form.fields)).await,
        None => Err(form.stop(refusal)),
    }
}
