//! Files that were handed over, and mailboxes: where each stands. The name of a file can hold a person's data, and is not shown.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use uuid::Uuid;

use crate::console::Console;
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::files::partner::agreement::{self, Standing};
use crate::files::sweep::{self, Figures};
use crate::files::transfers::{self, State as Stands};
use crate::files::users;
use crate::refusal::api::ApiRefusal;
use crate::users::Actor;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place { href: "/files", name: ("Filer", "Files"), for_whom: operates };

/// The most transfers, and mailboxes, of a page.
const MOST: u32 = 100;

/// The gateway's operators, of all services: what an authority sees of its files comes to it over SFTP and the API.
fn operates(actor: &Actor) -> bool {
    actor.scope().is_everything() && actor.may(Action::SeeCalls).is_ok()
}

pub(super) fn router() -> Router<Console> {
    Router::new().route("/files", get(list))
}

#[derive(Template)]
#[template(path = "console/files.html")]
struct FilesPage {
    frame: Frame,
    figures: Figures,
    transfers: Vec<Line>,
    mailboxes: Vec<(String, Standing)>,
}

struct Line {
    id: Uuid,
    sender: String,
    state: Stands,
    codes: String,
    received: Timestamp,
    ended: Option<Timestamp>,
}

async fn list(State(console): State<Console>, visit: Visit) -> Result<Response, Stop> {
    if !operates(visit.actor()) {
        return Err(ApiRefusal::ApiNotAllowed { action: Action::SeeCalls.describe() }.into());
    }
    let frame = visit.frame(&console, "Filer og postkasser", "Files and mailboxes");
    let mut session = console.store.database().session().await?;
    let figures = sweep::figures(&mut session, console.clock.now()).await?;
    let names: BTreeMap<Uuid, String> = users::all(&mut session).await?.into_iter().map(|user| (user.id, user.name)).collect();
    let newest = transfers::newest(&mut session, None, MOST).await?;
    let transfers = newest.into_iter().map(|transfer| Line {
        id: transfer.id,
        sender: names.get(&transfer.sender).cloned().unwrap_or_default(),
        state: transfer.state,
        codes: transfer.codes,
        received: transfer.received,
        ended: transfer.ended,
    });
    let mailboxes = agreement::all(&mut session).await?.into_iter().take(MOST as usize);
    let mailboxes = mailboxes.map(|agreement| (agreement.terms.number.to_string(), agreement.standing));
    page(&FilesPage { figures, transfers: transfers.collect(), mailboxes: mailboxes.collect(), frame })
}
