//! Requests for agreements: the form, from the draft on, and where each authority's line stands. A draft may be left unfinished; a
//! form that comes from an older edition, from a second tab or twice changes nothing and loses nothing.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;
use uuid::Uuid;

use super::{authority_names, named};
use crate::agreements::request::{Request, Standing};
use crate::agreements::terms::Kind;
use crate::agreements::{Agreement, Side, State as Stands};
use crate::api::page::{after, cut, limit, list as of_list};
use crate::api::problem::of_decision;
use crate::api::requests::{RequestForm, RequestedService, wanted};
use crate::clock::copenhagen;
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::request as decisions;
use crate::decisions::{Because, By, DecideError, agreement, shown};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::services;
use crate::text::LONGEST;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place =
    Place { href: "/requests", name: ("Anmodninger", "Requests"), for_whom: |actor| actor.may(Action::SeeAgreements).is_ok() };

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/requests", get(list).post(draft))
        .route("/requests/new", get(begin))
        .route("/requests/{id}", get(show).post(write))
        .route("/requests/{id}/decide", post(decide))
        .route("/requests/{id}/renew", post(renew))
        .route("/agreements/{id}/remind", post(remind))
}

#[derive(Template)]
#[template(path = "console/requests.html")]
struct ListPage {
    frame: Frame,
    state: String,
    requests: Vec<(Request, String)>,
    may_request: bool,
    next: Option<String>,
}

async fn list(State(console): State<Console>, visit: Visit, request: HttpRequest) -> Result<Response, Stop> {
    visit.may(Action::SeeAgreements)?;
    let frame = visit.frame(&console, "Anmodninger om serviceaftaler", "Requests for service agreements");
    let fields = Fields::of_query(request.uri())?;
    let state = fields.text("state").into_owned();
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut wanted = wanted(visit.actor())?;
    let read = |text: String| text.parse::<Standing>().map_err(|_| ConsoleRefusal::ConsoleFormUnreadable);
    wanted.state = given(&state).map(read).transpose()?;
    let own = of_list("console requests", &wanted, visit.actor().user().id);
    let (many, from) = (limit(None)?, given(&fields.text("after")));
    (wanted.after, wanted.limit) = (after(from.as_deref(), &own)?, many + 1);
    let (found, next) = cut(console.store.requests(&wanted).await?, many, &own, |request| request.id);
    let names = authority_names(&console).await?;
    let party = |request: &Request| match request.party {
        Some(cvr) => named(&names, cvr),
        None => frame.t("Driften", "The operators").to_owned(),
    };
    let requests = found.into_iter().map(|request| (request.clone(), party(&request))).collect();
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !state.is_empty() {
        query.append_pair("state", &state);
    }
    let next = next.map(|next| format!("/requests?{}", query.append_pair("after", &next).finish()));
    let may_request = visit.actor().may(Action::RequestAgreement).is_ok();
    page(&ListPage { requests, state, may_request, next, frame })
}

/// A service on the form.
struct Choice {
    /// Its field: the service and the side.
    field: String,
    name: String,
    front: bool,
    chosen: bool,
    /// What it may be narrowed by, each with what is written.
    scope: Vec<(&'static str, String)>,
}

/// What came of a form.
enum Note {
    Kept,
    /// It was sent, or taken back.
    Done,
    /// The request is another than the one that was shown; nothing was kept.
    Changed,
    /// It may not be; nothing was kept.
    Refused(String, String),
}

#[derive(Template)]
#[template(path = "console/request.html")]
struct RequestPage {
    frame: Frame,
    id: Uuid,
    /// What is in the store; none of one that is just begun.
    request: Option<Request>,
    etag: String,
    text: String,
    shown: String,
    form: RequestForm,
    choices: Vec<Choice>,
    kinds: [Kind; 4],
    lines: Vec<(Agreement, String, String, Stands)>,
    /// Whether this user may write it.
    writes: bool,
    /// Whether this user may take it back, or begin a new version.
    owns: bool,
    note: Option<Note>,
    reason: String,
}

impl RequestPage {
    fn is_draft(&self) -> bool {
        self.request.as_ref().is_none_or(|request| request.state == Standing::Draft)
    }

    fn per_line(&self, items: &[String]) -> String {
        items.join("\n")
    }
}

async fn drawn(
    console: &Console,
    visit: &Visit,
    (id, request): (Uuid, Option<Request>),
    form: RequestForm,
    note: Option<Note>,
    reason: String,
) -> Result<Response, Stop> {
    let frame = visit.frame(console, "En anmodning", "A request");
    let known: Vec<_> = console.known.services().await.into_iter().map(|service| (service.id, service.name)).collect();
    let service_name =
        |id: Uuid| known.iter().find(|(known, _)| *known == id).map_or_else(|| id.to_string(), |(_, name)| name.clone());
    let names = authority_names(console).await?;
    let lines = match &request {
        Some(request) => decisions::lines_seen(&console.store, visit.actor(), request).await?,
        None => Vec::new(),
    };
    let now = console.clock.now();
    let lines = lines.into_iter().map(|line| {
        let (authority, service) = (named(&names, line.authority), service_name(line.service));
        let state = line.standing(now).state();
        (line, authority, service, state)
    });
    let actor = visit.actor();
    let own_side = request.as_ref().is_none_or(|request| request.party == actor.user().party || actor.user().party.is_none());
    let text = request.as_ref().map(Request::text).unwrap_or_default();
    let status = match note {
        Some(Note::Changed | Note::Refused(..)) => StatusCode::CONFLICT,
        _ => StatusCode::OK,
    };
    let drawn = page(&RequestPage {
        id,
        etag: request.as_ref().map(decisions::etag).unwrap_or_default(),
        shown: shown::sha256(&text),
        text,
        choices: choices(&form, &known),
        kinds: Kind::ALL,
        lines: lines.collect(),
        writes: own_side && actor.may(Action::RequestAgreement).is_ok(),
        owns: own_side && actor.may(Action::WithdrawAgreement).is_ok(),
        request,
        form,
        note,
        reason,
        frame,
    })?;
    Ok((status, drawn).into_response())
}

/// Every service of the gateway on either side, and what else the request names.
fn choices(form: &RequestForm, known: &[(Uuid, String)]) -> Vec<Choice> {
    let keys: Vec<&'static str> = services::vocabulary().scope.into_iter().map(|key| key.name).collect();
    let asked = |id: Uuid, side: Side| form.services.iter().find(|part| part.service == id && part.side == side.name());
    let mut all: Vec<(Uuid, String)> = known.to_vec();
    for part in &form.services {
        if !all.iter().any(|(id, _)| *id == part.service) {
            all.push((part.service, part.service.to_string()));
        }
    }
    let choice = |(id, name): &(Uuid, String), side: Side| {
        let part = asked(*id, side);
        let written = |key: &str| part.and_then(|part| part.scope.get(key)).map(|values| values.join(", ")).unwrap_or_default();
        Choice {
            field: format!("{id}:{}", side.name()),
            name: name.clone(),
            front: side == Side::Front,
            chosen: part.is_some(),
            scope: keys.iter().map(|key| (*key, written(key))).collect(),
        }
    };
    all.iter().flat_map(|service| [choice(service, Side::Front), choice(service, Side::Back)]).collect()
}

fn filled(fields: &Fields) -> RequestForm {
    let text = |name: &str| fields.text(name).into_owned();
    let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let items = |name: &str| -> Vec<String> {
        let text = text(name);
        text.lines().flat_map(|line| line.split(',')).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    let per_line = |name: &str| -> Vec<String> {
        text(name).lines().map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    let keys: Vec<&'static str> = services::vocabulary().scope.into_iter().map(|key| key.name).collect();
    let services = fields.all("service").filter_map(|field| {
        let (id, side) = field.split_once(':')?;
        let scope = keys.iter().map(|key| ((*key).to_owned(), items(&format!("{key}:{field}"))));
        Some(RequestedService {
            service: crate::text::uuid(id)?,
            side: side.to_owned(),
            scope: scope.filter(|(_, values)| !values.is_empty()).collect(),
        })
    });
    RequestForm {
        kind: given("kind"),
        name: text("name"),
        justification: text("justification"),
        environment: given("environment"),
        valid_from: given("valid_from").map(instant),
        valid_to: given("valid_to").map(instant),
        system: crate::text::uuid(&text("system")),
        certificates: items("certificates"),
        authorities: items("authorities"),
        services: services.collect(),
        contract: text("contract"),
        purpose: text("purpose"),
        legal_basis: text("legal_basis"),
        categories: per_line("categories"),
        retention: text("retention"),
        depends_on: items("depends_on"),
        replaces: crate::text::uuid(&text("replaces")),
    }
}

/// A day is its midnight in Copenhagen.
fn instant(text: String) -> String {
    let midnight = || {
        let day: jiff::civil::Date = text.parse().ok().filter(|_| text.len() == 10)?;
        day.to_zoned(copenhagen()?).ok().map(|midnight| midnight.timestamp().to_string())
    };
    midnight().unwrap_or(text)
}

async fn begin(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    visit.may(Action::RequestAgreement)?;
    let form = RequestForm { environment: Some(console.environment.clone()), ..RequestForm::default() };
    // The id goes with the form: sent twice, it is one draft.
    drawn(&console, &visit, (Uuid::now_v7(), None), form, None, String::new()).await
}

async fn seen(console: &Console, visit: &Visit, id: &str) -> Result<Request, Stop> {
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("anmodning", "request") };
    let id = crate::text::uuid(id).ok_or_else(nothing)?;
    Ok(decisions::seen(&console.store, visit.actor(), id).await?)
}

async fn show(
    State(console): State<Console>,
    visit: Visit,
    Path(id): Path<String>,
    asked: HttpRequest,
) -> Result<Response, Stop> {
    let request = seen(&console, &visit, &id).await?;
    let fields = Fields::of_query(asked.uri())?;
    let note = match &*fields.text("note") {
        _ if !visit.was_done(&fields) => None,
        "kept" => Some(Note::Kept),
        _ => Some(Note::Done),
    };
    let form = RequestForm::of(&request.content);
    drawn(&console, &visit, (request.id, Some(request)), form, note, visit.written_reason(&fields)).await
}

/// What a refusal says on a page.
fn note(visit: &Visit, refusal: &ApiRefusal) -> Note {
    let entry = refusal.entry();
    let text = if visit.asked.language.tag() == "en" { entry.en } else { entry.da };
    Note::Refused(text.what, text.remedy)
}

/// Why nothing is kept, where the page can say it beside what was written.
fn on_the_page(refusal: &ApiRefusal) -> bool {
    matches!(
        refusal,
        ApiRefusal::ApiFieldInvalid { .. }
            | ApiRefusal::ApiRequestUnfinished { .. }
            | ApiRefusal::ApiServiceLocked { .. }
            | ApiRefusal::ApiConflict { .. }
            | ApiRefusal::ApiTransition { .. }
            | ApiRefusal::ApiOtherParty
    )
}

async fn draft(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let id = crate::text::uuid(&form.fields.text("id")).ok_or(ConsoleRefusal::ConsoleFormUnreadable)?;
    // The back button, and a second press: the draft is there.
    if let Ok(there) = decisions::seen(&console.store, visit.actor(), id).await {
        return Ok(Redirect::to(&format!("/requests/{}", there.id)).into_response());
    }
    let filled = filled(&form.fields);
    let content = match filled.read() {
        Ok(content) => content,
        Err(refusal) if on_the_page(&refusal) => {
            return drawn(&console, visit, (id, None), filled, Some(note(visit, &refusal)), String::new()).await;
        }
        Err(refusal) => return Err(form.stop(refusal)),
    };
    let because = Because::new("kladde".to_owned(), console.clock.now());
    let made = decisions::draft(&console.store, By::User(visit.actor()), id, content, &because, None).await;
    let made = made.map_err(|error| form.stop(error))?;
    console.decided.notify_one();
    Ok(visit.done_with(&format!("/requests/{}", made.id), "&note=kept"))
}

async fn write(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let request = seen(&console, visit, &id).await.map_err(|stop| form.stop(stop))?;
    let filled = filled(&form.fields);
    let place = (request.id, Some(request.clone()));
    if form.fields.text("etag") != decisions::etag(&request) {
        return drawn(&console, visit, place, filled, Some(Note::Changed), String::new()).await;
    }
    let content = match filled.read() {
        Ok(content) => content,
        Err(refusal) if on_the_page(&refusal) => {
            return drawn(&console, visit, place, filled, Some(note(visit, &refusal)), String::new()).await;
        }
        Err(refusal) => return Err(form.stop(refusal)),
    };
    let because = Because::new("kladde".to_owned(), console.clock.now());
    let written = decisions::write(&console.store, By::User(visit.actor()), &request, content, &because, None).await;
    match written.map_err(of_decision) {
        Ok(_) => {
            console.decided.notify_one();
            Ok(visit.done_with(&format!("/requests/{}", request.id), "&note=kept"))
        }
        Err(ApiRefusal::ApiPreconditionFailed) => {
            let now = seen(&console, visit, &id).await?;
            drawn(&console, visit, (now.id, Some(now)), filled, Some(Note::Changed), String::new()).await
        }
        Err(refusal) if on_the_page(&refusal) => {
            drawn(&console, visit, place, filled, Some(note(visit, &refusal)), String::new()).await
        }
        Err(refusal) => Err(form.stop(refusal)),
    }
}

async fn decide(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let request = seen(&console, visit, &id).await.map_err(|stop| form.stop(stop))?;
    let written = form.fields.text("reason").into_owned();
    let as_it_is = RequestForm::of(&request.content);
    let place = (request.id, Some(request.clone()));
    // Another edition, or where it stands: nothing is decided of what was not shown.
    if form.fields.text("etag") != decisions::etag(&request) {
        return drawn(&console, visit, place, as_it_is, Some(Note::Changed), written).await;
    }
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason, console.clock.now());
    let (store, by) = (&console.store, By::User(visit.actor()));
    let decided: Result<Request, DecideError> = match &*form.fields.text("decision") {
        "submit" => {
            let vocabulary = services::vocabulary();
            decisions::submit(store, by, &request, &console.rules, &vocabulary, &because, None).await
        }
        "withdraw" => decisions::withdraw(store, by, &request, &because, None).await,
        _ => return Err(ConsoleRefusal::ConsoleFormUnreadable.into()),
    };
    match decided.map_err(of_decision) {
        Ok(_) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/requests/{}", request.id)))
        }
        Err(ApiRefusal::ApiPreconditionFailed) => {
            let now = seen(&console, visit, &id).await?;
            let form = RequestForm::of(&now.content);
            drawn(&console, visit, (now.id, Some(now)), form, Some(Note::Changed), written).await
        }
        Err(refusal) if on_the_page(&refusal) => {
            drawn(&console, visit, place, as_it_is, Some(note(visit, &refusal)), written).await
        }
        Err(refusal) => Err(form.stop(refusal)),
    }
}

async fn renew(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let request = seen(&console, visit, &id).await.map_err(|stop| form.stop(stop))?;
    let because = Because::new("kladde".to_owned(), console.clock.now());
    let content = decisions::renewed(&request, because.at);
    let made = decisions::draft(&console.store, By::User(visit.actor()), Uuid::now_v7(), content, &because, None).await;
    let made = made.map_err(|error| form.stop(error))?;
    console.decided.notify_one();
    Ok(Redirect::to(&format!("/requests/{}", made.id)).into_response())
}

/// "Gensend advis".
async fn remind(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("serviceaftale", "service agreement") };
    let id = crate::text::uuid(&id).ok_or_else(nothing)?;
    let now = console.clock.now();
    agreement::remind(&console.store, form.visit.actor(), id, now).await.map_err(|error| form.stop(error))?;
    let back = form.fields.text("back").into_owned();
    let back = if back.starts_with("/requests/") { back } else { format!("/agreements/{id}") };
    Ok(Redirect::to(crate::console::session::next_page(&back)).into_response())
}
