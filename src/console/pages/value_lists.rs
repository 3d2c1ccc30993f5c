//! Value lists (*sortimenter*): versions and from when each holds, how one is brought in as a draft, and who gets them.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::civil::Date;
use uuid::Uuid;

use super::{authority_names, named};
use crate::api::input::{parsed, wrong};
use crate::api::page::{after, cut, limit, list as of_list};
use crate::api::value_lists::change::{self, TableAbout, Written};
use crate::api::value_lists::subscriptions::{self, of_subscription};
use crate::api::value_lists::{of_draft, off_the_runtime, sees};
use crate::clock::civil_day;
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, Place, page};
use crate::console::note::Note;
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::service::For;
use crate::decisions::{Because, By};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::services::finance::lists::draft;
use crate::services::finance::lists::kept::{Head, Wanted};
use crate::services::finance::lists::subscription::{Structure, Subscription};
use crate::services::finance::rules::sortiment::List;
use crate::store::page::Wanted as OfService;
use crate::text::LONGEST;
use crate::users::Whose;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place {
    href: "/value-lists",
    name: ("Sortimenter", "Value lists"),
    for_whom: |actor| actor.may(Action::SeeSortiment).is_ok(),
};

/// The most subscriptions that a page shows.
const SUBSCRIPTIONS: u32 = 200;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/value-lists", get(list).post(import))
        .route("/value-lists/new", get(begin))
        .route("/value-lists/subscriptions", get(subscribed).post(subscribe))
        .route("/value-lists/subscriptions/{id}/end", post(unsubscribe))
}

#[derive(Template)]
#[template(path = "console/value-lists.html")]
struct ListsPage {
    frame: Frame,
    today: Date,
    lists: Vec<(Head, Option<String>)>,
    may_import: bool,
    may_see_subscriptions: bool,
    next: Option<String>,
    note: Option<Note>,
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    visit.may(Action::SeeSortiment)?;
    let seen = sees(visit.actor());
    let frame = visit.frame(&console, "Sortimenter", "Value lists");
    let own = of_list("console value lists", &(), visit.actor().user().id);
    let (many, fields) = (limit(None)?, Fields::of_query(request.uri())?);
    let from = fields.text("after");
    let from = after((!from.is_empty()).then_some(&*from), &own)?;
    let wanted = Wanted { seen, services: visit.actor().scope().services, after: from, limit: many + 1, ..Wanted::default() };
    let (found, next) = cut(console.store.sortiment_page(&wanted).await?, many, &own, |head| head.id);
    let names = authority_names(&console).await?;
    let today = civil_day(console.clock.now()).ok_or(ApiRefusal::ApiInternal)?;
    let lists = found.into_iter().map(|head| {
        let whose = head.authority.map(|cvr| named(&names, cvr));
        (head, whose)
    });
    page(&ListsPage {
        today,
        lists: lists.collect(),
        may_import: visit.actor().may(Action::ImportSortiment).is_ok(),
        may_see_subscriptions: visit.actor().may(Action::SeeSubscriptions).is_ok(),
        next,
        note: visit.was_done(&fields).then_some(Note::Done),
        frame,
    })
}

/// What the fields of the import are called on the page.
const LABELS: [(&str, &str, &str); 10] = [
    ("content", "Indhold", "Content"),
    ("table", "Format", "Format"),
    ("table.list", "Sortimentets UUID", "The value list's UUID"),
    ("table.name", "Navn", "Name"),
    ("table.version", "Version", "Version"),
    ("table.valid_from", "Første dag", "First day"),
    ("table.valid_to", "Sidste dag", "Last day"),
    ("table.authority", "Myndighed", "Authority"),
    ("service", "Service", "Service"),
    ("reason", "Begrundelse", "Reason"),
];

#[derive(Template)]
#[template(path = "console/value-list-new.html")]
struct NewPage {
    frame: Frame,
    services: Vec<(Uuid, String)>,
    /// The authority whose supplement it is, where the user acts for one.
    authority: Option<Cvr>,
    fields: Fields,
    note: Option<Note>,
}

async fn services(console: &Console) -> Vec<(Uuid, String)> {
    console.known.services().await.into_iter().map(|service| (service.id, service.name)).collect()
}

async fn blank(console: &Console, visit: &Visit, fields: Fields, note: Option<Note>) -> Result<Response, Stop> {
    visit.may(Action::ImportSortiment)?;
    let frame = visit.frame(console, "Importér en version af et sortiment", "Import a version of a value list");
    let authority = match visit.actor().scope().whose {
        Whose::Authority(own) => Some(own),
        _ => None,
    };
    let status = Note::status(note.as_ref());
    Ok((status, page(&NewPage { services: services(console).await, authority, fields, note, frame })?).into_response())
}

async fn begin(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    blank(&console, &visit, Fields::default(), None).await
}

/// The form as the API's request: the service, and the version.
async fn filled(fields: &Fields) -> Result<(Uuid, List), ApiRefusal> {
    let text = |name: &str| fields.text(name).into_owned();
    let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let uuid = |field: &str, name: &str| {
        crate::text::uuid(&text(name)).ok_or_else(|| wrong(field, "det er ikke en UUID", "it is not a UUID"))
    };
    let names = |name: &str| {
        let text = text(name);
        text.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let service = uuid("service", "service")?;
    let (format, about) = match &*text("format") {
        "xml" => (Written::Xml, None),
        _ => {
            let about = TableAbout {
                list: uuid("table.list", "list")?,
                name: text("name"),
                version: text("version"),
                valid_from: text("valid_from"),
                valid_to: given("valid_to"),
                authority: given("authority"),
                supplemented: names("supplemented"),
                party_demanded: names("party_demanded"),
            };
            (Written::Csv, Some(about.read()?))
        }
    };
    let content = text("content");
    Ok((service, off_the_runtime(move || change::read(format, &content, about)).await?))
}

async fn import(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    visit.may(Action::ImportSortiment).map_err(|stop| form.stop(stop))?;
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason, console.clock.now());
    let imported = match filled(&form.fields).await {
        Ok((service, list)) => {
            draft::import(&console.store, service, &list, By::User(visit.actor()), &because, None).await.map_err(of_draft)
        }
        Err(refusal) => Err(refusal),
    };
    match imported {
        // The same version once more is the draft that is there.
        Ok((_, head)) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/value-lists/{}", head.id)))
        }
        Err(refusal) => match Note::of(visit, &refusal, &LABELS) {
            Some(note) => blank(&console, visit, form.fields.clone(), Some(note)).await,
            None => Err(form.stop(refusal)),
        },
    }
}

#[derive(Template)]
#[template(path = "console/subscriptions.html")]
struct SubscriptionsPage {
    frame: Frame,
    services: Vec<(Uuid, String)>,
    /// The lists that are published: what one may subscribe to beside all of them.
    lists: Vec<(Uuid, String)>,
    subscriptions: Vec<Line>,
    authority: Option<Cvr>,
    may_subscribe: bool,
    fields: Fields,
    note: Option<Note>,
}

struct Line {
    of: Subscription,
    authority: String,
    list: Option<String>,
    etag: String,
    may_end: bool,
}

async fn subscriptions_page(console: &Console, visit: &Visit, fields: Fields, note: Option<Note>) -> Result<Response, Stop> {
    visit.may(Action::SeeSubscriptions)?;
    let frame = visit.frame(console, "Abonnementer på sortimenter", "Subscriptions to value lists");
    let (actor, names) = (visit.actor(), authority_names(console).await?);
    let authority = match actor.scope().whose {
        Whose::Authority(own) => Some(own),
        _ => None,
    };
    let services_of = actor.scope().services;
    let wanted = Wanted { seen: sees(actor), services: services_of.clone(), limit: SUBSCRIPTIONS, ..Wanted::default() };
    let published = console.store.sortiment_page(&wanted).await?;
    let lists: BTreeSet<(String, Uuid)> = published.into_iter().map(|head| (head.name, head.list)).collect();
    let called = |list: Uuid| lists.iter().find(|(_, id)| *id == list).map_or_else(|| list.to_string(), |(name, _)| name.clone());
    let wanted = OfService { services: services_of, authority, limit: SUBSCRIPTIONS, ..OfService::default() };
    let found = console.store.sortiment_subscription_page(&wanted).await?;
    let may_subscribe = actor.may(Action::SubscribeSortiment).is_ok();
    let lines = found.into_iter().map(|of| Line {
        authority: named(&names, of.authority),
        list: of.list.map(called),
        etag: subscriptions::etag(&of),
        may_end: may_subscribe && of.ended.is_none() && For::Either(of.authority).is_for(actor, of.service),
        of,
    });
    let status = Note::status(note.as_ref());
    let drawn = page(&SubscriptionsPage {
        services: services(console).await,
        subscriptions: lines.collect(),
        lists: lists.iter().map(|(name, id)| (*id, name.clone())).collect(),
        authority,
        may_subscribe,
        fields,
        note,
        frame,
    })?;
    Ok((status, drawn).into_response())
}

async fn subscribed(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    let done = visit.was_done(&Fields::of_query(request.uri())?);
    subscriptions_page(&console, &visit, Fields::default(), done.then_some(Note::Done)).await
}

/// What the fields of a subscription are called on the page.
const OF_SUBSCRIPTION: [(&str, &str, &str); 4] = [
    ("authority", "Myndighed", "Authority"),
    ("system", "System", "System"),
    ("structure", "Struktur", "Structure"),
    ("service", "Service", "Service"),
];

fn wanted(fields: &Fields) -> Result<(Uuid, Cvr, Uuid, Option<Uuid>, Structure), ApiRefusal> {
    let uuid =
        |name: &str| crate::text::uuid(&fields.text(name)).ok_or_else(|| wrong(name, "det er ikke en UUID", "it is not a UUID"));
    let authority = parsed::<Cvr>("authority", &fields.text("authority"), "det er ikke otte cifre", "it is not eight digits")?;
    let list = if fields.text("list").is_empty() { None } else { Some(uuid("list")?) };
    let structure =
        parsed::<Structure>("structure", &fields.text("structure"), "det er hverken 1 eller 2", "it is neither 1 nor 2")?;
    Ok((uuid("service")?, authority, uuid("system")?, list, structure))
}

async fn subscribe(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    visit.may(Action::SubscribeSortiment).map_err(|stop| form.stop(stop))?;
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason, console.clock.now());
    let begun = match wanted(&form.fields) {
        Ok((service, authority, system, list, structure)) => {
            let made = Subscription::new(service, authority, system, list, structure, because.at);
            made.begin(&console.store, By::User(visit.actor()), &because, None).await.map_err(of_subscription)
        }
        Err(refusal) => Err(refusal),
    };
    over(&console, &form, begun).await
}

async fn unsubscribe(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("abonnement på sortimenter", "subscription to value lists") };
    let id = crate::text::uuid(&id).ok_or_else(nothing)?;
    let subscription = subscriptions::seen(&console.store, visit.actor(), id).await.map_err(|refusal| form.stop(refusal))?;
    visit.may(Action::SubscribeSortiment).map_err(|stop| form.stop(stop))?;
    if form.fields.text("etag") != subscriptions::etag(&subscription) {
        return subscriptions_page(&console, visit, form.fields.clone(), Some(Note::Changed)).await;
    }
    let reason = form.fields.line("reason", Detail::new("Begrundelse", "Reason"), LONGEST).map_err(|why| form.stop(why))?;
    let because = Because::new(reason, console.clock.now());
    let ended = subscription.end(&console.store, By::User(visit.actor()), &because, None).await;
    over(&console, &form, ended.map(drop).map_err(of_subscription)).await
}

/// Where a form on subscriptions leads to.
async fn over(console: &Console, form: &Form, done: Result<(), ApiRefusal>) -> Result<Response, Stop> {
    let refusal = match done {
        Ok(()) => {
            console.decided.notify_one();
            return Ok(form.visit.done_at("/value-lists/subscriptions"));
        }
        Err(refusal) => refusal,
    };
    match Note::of(&form.visit, &refusal, &OF_SUBSCRIPTION) {
        Some(note) => subscriptions_page(console, &form.visit, form.fields.clone(), Some(note)).await,
        None => Err(form.stop(refusal)),
    }
}
