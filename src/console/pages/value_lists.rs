//! Value lists (*sortimenter*): versions, and from when each holds.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use jiff::civil::Date;

use super::{authority_names, named};
use crate::api::page::{after, cut, limit, list as of_list};
use crate::clock::civil_day;
use crate::console::Console;
use crate::console::form::Fields;
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::services::finance::lists::kept::{Head, Seen, Wanted};
use crate::services::finance::rules::sortiment::List;
use crate::users::Whose;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place {
    href: "/value-lists",
    name: ("Sortimenter", "Value lists"),
    for_whom: |actor| actor.may(Action::SeeSortiment).is_ok(),
};

/// The most codes of a part list that a page shows.
const CODES: usize = 200;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/value-lists", get(list)).route("/value-lists/{id}", get(show))
}

#[derive(Template)]
#[template(path = "console/value-lists.html")]
struct ListsPage {
    frame: Frame,
    today: Date,
    lists: Vec<(Head, Option<String>)>,
    next: Option<String>,
}

fn sees(visit: &Visit) -> Result<Seen, Stop> {
    visit.may(Action::SeeSortiment)?;
    Ok(match visit.actor().scope().whose {
        Whose::Everybody => Seen::All,
        Whose::Authority(own) => Seen::AndOwn(own),
        Whose::Supplier(_) | Whose::Nobody => Seen::Published,
    })
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    let seen = sees(&visit)?;
    let frame = visit.frame(&console, "Sortimenter", "Value lists");
    let own = of_list("console value lists", &(), visit.actor().user().id);
    let (many, from) = (limit(None)?, Fields::of_query(request.uri())?);
    let from = from.text("after");
    let from = after((!from.is_empty()).then_some(&*from), &own)?;
    let wanted = Wanted { seen, services: visit.actor().scope().services, after: from, limit: many + 1, ..Wanted::default() };
    let (found, next) = cut(console.store.sortiment_page(&wanted).await?, many, &own, |head| head.id);
    let names = authority_names(&console).await?;
    let today = civil_day(console.clock.now()).ok_or(ApiRefusal::ApiInternal)?;
    let lists = found.into_iter().map(|head| {
        let whose = head.authority.map(|cvr| named(&names, cvr));
        (head, whose)
    });
    page(&ListsPage { today, lists: lists.collect(), next, frame })
}

#[derive(Template)]
#[template(path = "console/value-list.html")]
struct ListPage {
    frame: Frame,
    head: Head,
    whose: Option<String>,
    content: List,
}

async fn show(State(console): State<Console>, visit: Visit, Path(id): Path<String>) -> Result<Response, Stop> {
    let (seen, services) = (sees(&visit)?, visit.actor().scope().services);
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("version af et sortiment", "version of a value list") };
    let id = crate::text::uuid(&id).ok_or_else(nothing)?;
    let head = console.store.sortiment(id).await?;
    let head =
        head.filter(|head| seen.takes(head) && (services.is_empty() || services.contains(&head.service))).ok_or_else(nothing)?;
    let content = console.store.sortiment_content(&head).await?;
    let names = authority_names(&console).await?;
    let frame = visit.frame(&console, &head.name, &head.name);
    page(&ListPage { whose: head.authority.map(|cvr| named(&names, cvr)), content, head, frame })
}
