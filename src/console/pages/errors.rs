//! Errors to mend: what was refused lately, by who can mend it, how bad it is and how old.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;

use super::{calls, refusal};
use crate::audit::Outcome;
use crate::console::Console;
use crate::console::form::Fields;
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::id::cvr::Cvr;
use crate::refusal::console::ConsoleRefusal;
use crate::refusal::{Audience, Party};
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place =
    Place { href: "/errors", name: ("Fejl at rette", "Errors to mend"), for_whom: |actor| actor.may(Action::SeeCalls).is_ok() };

/// So many refused calls are looked at, the newest.
const MOST: usize = 5_000;

pub(super) fn router() -> Router<Console> {
    Router::new().route("/errors", get(list))
}

#[derive(Template)]
#[template(path = "console/errors.html")]
struct ErrorsPage {
    frame: Frame,
    audience: String,
    audiences: Vec<(&'static str, String)>,
    errors: Vec<Error>,
    looked_at: u64,
    read_back_to: Option<Timestamp>,
}

/// The refusals of one code at one service.
struct Error {
    code: String,
    service: String,
    what: String,
    remedy: String,
    mended_by: String,
    /// The gateway's, or of what stands behind it.
    severe: bool,
    many: u64,
    authorities: usize,
    first: Timestamp,
    last: Timestamp,
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    let sees = calls::sees(&console, &visit).await?;
    let fields = Fields::of_query(request.uri())?;
    let audience = fields.text("audience").into_owned();
    let wanted = Audience::CODES.iter().find(|(code, _)| *code == audience).map(|(_, audience)| *audience);
    if wanted.is_none() && !audience.is_empty() {
        return Err(ConsoleRefusal::ConsoleFormUnreadable.into());
    }
    let frame = visit.frame(&console, "Fejl at rette", "Errors to mend");
    let refused = move |record: &crate::audit::Record| record.outcome == Some(Outcome::Refused) && sees(record);
    let found = calls::read(&console, MOST, refused).await?;
    let mut by_code = BTreeMap::<(String, String), (u64, BTreeSet<Cvr>, Timestamp, Timestamp)>::new();
    for call in &found.calls {
        let record = &call.record;
        let Some(code) = record.refusal.clone() else { continue };
        let at = record.opened_at;
        let (many, authorities, first, last) =
            by_code.entry((code, record.service.clone())).or_insert_with(|| (0, BTreeSet::new(), at, at));
        *many += 1;
        authorities.extend(record.authority.filter(|_| record.front_agreement.is_some()));
        (*first, *last) = ((*first).min(at), (*last).max(at));
    }
    let said = |who: Audience| {
        let who = who.describe();
        if frame.english() { who.en().to_owned() } else { who.da().to_owned() }
    };
    let mut errors: Vec<_> = by_code
        .into_iter()
        .filter_map(|((code, service), (many, authorities, first, last))| {
            let entry = refusal(&code);
            if wanted.is_some() && entry.map(|entry| entry.audience) != wanted {
                return None;
            }
            let text = entry.map(|entry| if frame.english() { &entry.en } else { &entry.da });
            Some(Error {
                what: text.map(|text| text.what.clone()).unwrap_or_default(),
                remedy: text.map(|text| text.remedy.clone()).unwrap_or_default(),
                mended_by: entry.map(|entry| said(entry.audience)).unwrap_or_default(),
                severe: entry.is_some_and(|entry| entry.party == Party::Gateway),
                authorities: authorities.len(),
                code,
                service,
                many,
                first,
                last,
            })
        })
        .collect();
    // What the gateway's own side must mend comes first, then what happened last.
    errors.sort_by(|one, other| other.severe.cmp(&one.severe).then(other.last.cmp(&one.last)));
    let audiences = Audience::CODES.iter().map(|(code, who)| (*code, said(*who))).collect();
    page(&ErrorsPage {
        audience,
        audiences,
        errors,
        looked_at: found.calls.len() as u64,
        read_back_to: found.read_back_to,
        frame,
    })
}
