//! Client systems: whose each is, its certificates, and a calendar of what of it begins and ends when.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;
use jiff::Timestamp;
use uuid::Uuid;

use super::{authority_names, named, seen_agreements};
use crate::agreements::page::Wanted as Agreements;
use crate::agreements::system::{System, SystemCertificate};
use crate::agreements::{Agreement, State as Stands, Thumbprint};
use crate::api::page::{after, cut, limit, list as of_list};
use crate::api::problem::of_decision;
use crate::api::systems::wanted;
use crate::console::Console;
use crate::console::form::{Fields, Form};
use crate::console::frame::{Frame, Place, page};
use crate::console::session::Visit;
use crate::console::stop::Stop;
use crate::decisions::system::{self as decisions, Changes};
use crate::decisions::{Because, By};
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::signature::key::Certificate;
use crate::text::LONGEST;
use crate::users::Whose;
use crate::users::rights::Action;

/// In the menu.
pub const PLACE: Place = Place {
    href: "/systems",
    name: ("Systemer og certifikater", "Systems and certificates"),
    for_whom: |actor| actor.may(Action::SeeSystems).is_ok(),
};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/systems", get(list).post(register))
        .route("/systems/{id}", get(show))
        .route("/systems/{id}/change", post(change))
}

#[derive(Template)]
#[template(path = "console/systems.html")]
struct ListPage {
    frame: Frame,
    systems: Vec<(System, String)>,
    may_register: bool,
    /// The id that the form sends: sent twice, it is one system.
    id: Uuid,
    next: Option<String>,
}

async fn list(State(console): State<Console>, visit: Visit, request: Request) -> Result<Response, Stop> {
    visit.may(Action::SeeSystems)?;
    let frame = visit.frame(&console, "Systemer og certifikater", "Systems and certificates");
    let fields = Fields::of_query(request.uri())?;
    let mut wanted = wanted(visit.actor())?;
    let own = of_list("console systems", &wanted, visit.actor().user().id);
    let from = Some(fields.text("after").into_owned()).filter(|from| !from.is_empty());
    let many = limit(None)?;
    (wanted.after, wanted.limit) = (after(from.as_deref(), &own)?, many + 1);
    let (found, next) = cut(console.store.systems(&wanted).await?, many, &own, |system| system.id);
    let names = authority_names(&console).await?;
    let party = |system: &System| match system.party {
        Some(cvr) => named(&names, cvr),
        None => frame.t("Driften", "The operators").to_owned(),
    };
    let systems = found.into_iter().map(|system| (system.clone(), party(&system))).collect();
    let may_register = visit.actor().may(Action::ManageSystems).is_ok();
    page(&ListPage { systems, may_register, id: Uuid::now_v7(), next, frame })
}

/// What came of a form.
enum Note {
    Done,
    /// The system is another than the one that was shown; nothing was done.
    Changed,
    /// It may not be; nothing was done.
    Refused(String, String),
}

/// What begins or ends, and when.
struct Event {
    at: Timestamp,
    begins: bool,
    /// The certificate, or the agreement's authority.
    what: String,
    agreement: Option<Uuid>,
    past: bool,
}

#[derive(Template)]
#[template(path = "console/system.html")]
struct SystemPage {
    frame: Frame,
    system: System,
    party: String,
    certificates: Vec<SystemCertificate>,
    now: Timestamp,
    agreements: Vec<(Agreement, String, Stands)>,
    calendar: Vec<Event>,
    etag: String,
    may_change: bool,
    note: Option<Note>,
    name: String,
    contact: String,
    pem: String,
    proof: String,
    /// Whether a certificate needs no proof: by an operator.
    operates: bool,
    reason: String,
}

/// The most agreements and dates that a page has.
const MOST: u32 = 200;

async fn drawn(
    console: &Console,
    visit: &Visit,
    (system, certificates): (System, Vec<SystemCertificate>),
    note: Option<Note>,
    fields: Option<&Fields>,
) -> Result<Response, Stop> {
    let frame = visit.frame(console, "Et system", "A system");
    let wanted = Agreements { system: Some(system.id), limit: MOST, ..seen_agreements(visit.actor())? };
    let (found, names, now) = (console.store.page(&wanted).await?, authority_names(console).await?, console.clock.now());
    let mut calendar = Vec::new();
    let mut event = |at: Timestamp, begins, what: String, agreement| {
        calendar.push(Event { at, begins, what, agreement, past: at <= now });
    };
    for certificate in certificates.iter().filter(|certificate| certificate.ended_at.is_none()) {
        let what = frame.t("Certifikat", "Certificate");
        let short: String = certificate.thumbprint.to_string().chars().take(12).collect();
        event(certificate.not_before, true, format!("{what} {short}…"), None);
        event(certificate.not_after, false, format!("{what} {short}…"), None);
    }
    for agreement in found.iter().filter(|agreement| matches!(agreement.state, Stands::Approved | Stands::Terminated)) {
        let authority = named(&names, agreement.authority);
        let what = format!("{} {authority}", frame.t("Serviceaftale med", "Service agreement with"));
        if agreement.state == Stands::Approved {
            event(agreement.valid_from, true, what.clone(), Some(agreement.id));
        }
        if let Some(ends) = agreement.ends_at.or(agreement.valid_to) {
            event(ends, false, what, Some(agreement.id));
        }
    }
    calendar.sort_by_key(|event| event.at);
    let agreements = found.into_iter().map(|agreement| {
        let (authority, state) = (named(&names, agreement.authority), agreement.standing(now).state());
        (agreement, authority, state)
    });
    let written = |name: &str, kept: &str| fields.map_or_else(|| kept.to_owned(), |fields| fields.text(name).into_owned());
    let actor = visit.actor();
    let own_side = system.party == actor.user().party || actor.user().party.is_none();
    let status = match note {
        Some(Note::Changed | Note::Refused(..)) => StatusCode::CONFLICT,
        _ => StatusCode::OK,
    };
    let drawn = page(&SystemPage {
        party: system.party.map_or_else(|| frame.t("Driften", "The operators").to_owned(), |cvr| named(&names, cvr)),
        etag: decisions::etag(&system, &certificates),
        may_change: own_side && actor.may(Action::ManageSystems).is_ok(),
        name: written("name", &system.name),
        contact: written("contact", &system.contact),
        pem: written("certificate", ""),
        proof: written("proof", ""),
        operates: actor.scope().whose == Whose::Everybody,
        reason: written("reason", ""),
        agreements: agreements.collect(),
        system,
        certificates,
        now,
        calendar,
        note,
        frame,
    })?;
    Ok((status, drawn).into_response())
}

async fn seen(console: &Console, visit: &Visit, id: &str) -> Result<(System, Vec<SystemCertificate>), Stop> {
    let nothing = || ApiRefusal::ApiNotFound { what: Detail::new("system", "system") };
    let id = crate::text::uuid(id).ok_or_else(nothing)?;
    Ok(decisions::seen(&console.store, visit.actor(), id).await?)
}

async fn show(State(console): State<Console>, visit: Visit, Path(id): Path<String>, request: Request) -> Result<Response, Stop> {
    let shown = seen(&console, &visit, &id).await?;
    let done = visit.was_done(&Fields::of_query(request.uri())?);
    drawn(&console, &visit, shown, done.then_some(Note::Done), None).await
}

async fn register(State(console): State<Console>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let id = crate::text::uuid(&form.fields.text("id")).ok_or(ConsoleRefusal::ConsoleFormUnreadable)?;
    // The back button, and a second press: the system is there.
    if let Ok((there, _)) = decisions::seen(&console.store, visit.actor(), id).await {
        return Ok(Redirect::to(&format!("/systems/{}", there.id)).into_response());
    }
    let line =
        |name: &str, da: &str, en: &str| form.fields.line(name, Detail::new(da, en), LONGEST).map_err(|why| form.stop(why));
    let (name, contact) = (line("name", "Navn", "Name")?, line("contact", "Kontakt", "Contact")?);
    let because = Because::new(line("reason", "Begrundelse", "Reason")?, console.clock.now());
    let registered = decisions::register(&console.store, By::User(visit.actor()), (id, name, contact), &because, None).await;
    let registered = registered.map_err(|error| form.stop(error))?;
    console.decided.notify_one();
    Ok(visit.done_at(&format!("/systems/{}", registered.id)))
}

async fn change(State(console): State<Console>, Path(id): Path<String>, form: Form) -> Result<Response, Stop> {
    let visit = &form.visit;
    let shown = seen(&console, visit, &id).await.map_err(|stop| form.stop(stop))?;
    if form.fields.text("etag") != decisions::etag(&shown.0, &shown.1) {
        return drawn(&console, visit, shown, Some(Note::Changed), Some(&form.fields)).await;
    }
    let line =
        |name: &str, da: &str, en: &str| form.fields.line(name, Detail::new(da, en), LONGEST).map_err(|why| form.stop(why));
    let changes = match &*form.fields.text("what") {
        "named" => Changes::Named(line("name", "Navn", "Name")?, line("contact", "Kontakt", "Contact")?),
        "add" => match certificate(&form.fields.text("certificate")) {
            Some(certificate) => {
                let proof = form.fields.text("proof").into_owned();
                Changes::CertificateAdded(Box::new(certificate), (!proof.is_empty()).then_some(proof))
            }
            None => {
                let field = Detail::new("Certifikat", "Certificate");
                let what = Detail::new("det er ikke ét certifikat i PEM", "it is not one certificate in PEM");
                let entry = ConsoleRefusal::ConsoleField { field, what }.entry();
                let text = if visit.asked.language.tag() == "en" { entry.en } else { entry.da };
                let note = Note::Refused(text.what, text.remedy);
                return drawn(&console, visit, shown, Some(note), Some(&form.fields)).await;
            }
        },
        "end" => {
            let thumbprint = form.fields.text("thumbprint").parse::<Thumbprint>();
            Changes::CertificateEnded(thumbprint.map_err(|_| ConsoleRefusal::ConsoleFormUnreadable)?)
        }
        _ => return Err(ConsoleRefusal::ConsoleFormUnreadable.into()),
    };
    let because = Because::new(line("reason", "Begrundelse", "Reason")?, console.clock.now());
    let changed = decisions::change(&console.store, By::User(visit.actor()), &shown, &changes, &because, None).await;
    match changed.map_err(of_decision) {
        Ok(changed) => {
            console.decided.notify_one();
            Ok(visit.done_at(&format!("/systems/{}", changed.system.id)))
        }
        Err(ApiRefusal::ApiPreconditionFailed) => {
            let now = seen(&console, visit, &id).await?;
            drawn(&console, visit, now, Some(Note::Changed), Some(&form.fields)).await
        }
        Err(refusal @ (ApiRefusal::ApiConflict { .. } | ApiRefusal::ApiFieldInvalid { .. })) => {
            let entry = refusal.entry();
            let text = if visit.asked.language.tag() == "en" { entry.en } else { entry.da };
            drawn(&console, visit, shown, Some(Note::Refused(text.what, text.remedy)), Some(&form.fields)).await
        }
        Err(refusal) => Err(form.stop(refusal)),
    }
}

fn certificate(pem: &str) -> Option<Certificate> {
    let sections = crate::pem::sections(pem.as_bytes(), &[crate::pem::Kind::Certificate]).ok()?;
    match sections.as_slice() {
        [section] => Certificate::from_der(&section.der).ok(),
        _ => None,
    }
}
