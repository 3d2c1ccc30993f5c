//! How the console says no: a page with what was wrong, what follows from it, what to do, and the request's id. What somebody
//! had written is on it, ready to be sent again.

use askama::Template;
use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Response, StatusCode};

use super::frame::Frame;
use super::guard::LONGEST_PATH;
use super::session::Visit;
use super::{Asked, Console};
use crate::api::problem::{Language, of_decision, of_store};
use crate::decisions::DecideError;
use crate::refusal::api::ApiRefusal;
use crate::refusal::console::ConsoleRefusal;
use crate::refusal::logon::LogOnRefusal;
use crate::refusal::{Entry, Table as _};
use crate::store::StoreError;
use crate::users::sessions::Secret;

/// What is known of a browser in which something was written that was not sent. The page that it is sent from again has it in its
/// address beside what was written: others cannot make such an address.
pub(super) const COOKIE: &str = "__Host-hjemmel-kept";
/// For how long, in seconds: as long as it takes to log on again.
const COOKIE_HOLDS: u32 = 3600;

/// Why a request was not carried out.
#[derive(Debug, Clone)]
pub struct Stop {
    entry: Box<Entry>,
    kept: Option<Kept>,
}

/// A form that was not carried out, with what was written in it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Where it goes.
    pub action: String,
    /// Its fields, but for the session's token.
    pub fields: Vec<(String, String)>,
    /// Who wrote in it, by [`crate::users::sessions::writer`]; empty where that is not known. Nobody else sends it again, nor sees what was written.
    pub writer: String,
}

impl Stop {
    /// The same, with the form that is to be sent again.
    #[must_use]
    pub fn keeping(self, kept: Kept) -> Self {
        Self { kept: Some(kept), ..self }
    }
}

impl From<ConsoleRefusal> for Stop {
    fn from(refusal: ConsoleRefusal) -> Self {
        Self { entry: Box::new(refusal.entry()), kept: None }
    }
}

impl From<LogOnRefusal> for Stop {
    fn from(refusal: LogOnRefusal) -> Self {
        Self { entry: Box::new(refusal.row()), kept: None }
    }
}

impl From<ApiRefusal> for Stop {
    fn from(refusal: ApiRefusal) -> Self {
        Self { entry: Box::new(refusal.entry()), kept: None }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        of_store(error).into()
    }
}

impl From<DecideError> for Stop {
    fn from(error: DecideError) -> Self {
        of_decision(error).into()
    }
}

impl From<askama::Error> for Stop {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a page could not be drawn");
        ApiRefusal::ApiInternal.into()
    }
}

/// An answer that is still to be drawn.
pub(super) fn refuse(why: impl Into<Stop>) -> Response<Body> {
    let stop = why.into();
    let status = stop.entry.http.and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(stop);
    response
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response<Body> {
        refuse(self)
    }
}

impl Kept {
    /// The field that the browser is known again by.
    pub const FIELD: &str = "kept";

    /// The page that a decision was made on, where it was one. It is read again there: what was decided on stood on the page, and
    /// whoever is logged on now may be another person.
    pub fn page(&self) -> Option<&str> {
        let decides = self.fields.iter().any(|(name, _)| name == "decision" || name == "shown");
        self.action.rsplit_once('/').map(|(page, _)| page).filter(|_| decides)
    }

    /// Whether a field was written by hand.
    pub fn is_written(name: &str) -> bool {
        name == "reason"
    }

    /// Whether the page with what was written is too long an address to come back to after a log-on. `browser`: by what that is known again.
    fn is_too_long(&self, browser: &str) -> bool {
        let mut query = form_urlencoded::Serializer::new(String::new());
        // Browsers send line ends as CR LF.
        let written = self.fields.iter().filter(|(name, _)| Self::is_written(name));
        query.extend_pairs(written.map(|(name, value)| (name, value.replace("\r\n", "\n").replace('\n', "\r\n"))));
        query.append_pair(Self::FIELD, browser);
        self.page().is_some_and(|page| page.len() + "?".len() + query.finish().len() > LONGEST_PATH)
    }

    /// Whether a field is sent again as it is: one that is chosen or given by the page and not written, and one that has no name for readers,
    /// where no words stand in it.
    pub fn is_given(name: &str, value: &str) -> bool {
        GIVEN.contains(&name) || (Self::label(name).is_none() && !value.contains([' ', '\n']))
    }

    /// What a field that is written is called on the pages; none: it is another, which has its own name.
    pub fn label(name: &str) -> Option<(&'static str, &'static str)> {
        LABELS.iter().find(|(field, ..)| *field == name).map(|(_, da, en)| (*da, *en))
    }

    /// Whether it asks for a person's number, which is not kept.
    pub fn lacks_number(&self) -> bool {
        self.action == "/auditor"
    }
}

/// Fields that nobody writes: hidden ones, and choices.
const GIVEN: &[&str] = &[
    "back",
    "decision",
    "etag",
    "format",
    "graph",
    "id",
    "kind",
    "list",
    "option",
    "party",
    "party_demanded",
    "person",
    "read",
    "replace",
    "replaces",
    "service",
    "shown",
    "side",
    "sooner",
    "state",
    "structure",
    "supplemented",
    "task",
    "thumbprint",
    "what",
];

/// Fields that somebody writes, and what they are called.
const LABELS: &[(&str, &str, &str)] = &[
    ("address", "Adresse", "Address"),
    ("authorities", "CVR-numre, ét på hver linje", "CVR numbers, one a line"),
    ("authority", "Myndighed (CVR)", "Authority (CVR)"),
    ("categories", "Datakategorier, én på hver linje", "Categories of data, one a line"),
    ("certificate", "Certifikat i PEM", "Certificate in PEM"),
    ("certificates", "Certifikater, SHA-256, ét på hver linje", "Certificates, SHA-256, one a line"),
    ("client", "Anvendersystem (UUID)", "Client system (UUID)"),
    ("client_supplier", "Leverandør (CVR)", "Supplier (CVR)"),
    ("contact", "Kontakt", "Contact"),
    ("content", "Indhold", "Content"),
    ("contract", "Databehandleraftalens reference", "Reference of the data-processing agreement"),
    ("depends_on", "Afhænger af anmodninger (UUID), én på hver linje", "Depends on requests (UUID), one a line"),
    ("due", "Frist", "Due"),
    ("entity_id", "Entity id", "Entity id"),
    ("environment", "Miljø", "Environment"),
    ("justification", "Begrundelse, skrevet til dem, der skal godkende", "Justification, written for those who approve"),
    ("legal_basis", "Hjemmel", "Legal basis"),
    ("name", "Navn", "Name"),
    ("on", "Dag", "Day"),
    ("proof", "Bevis for, at systemet har certifikatets nøgle", "Proof that the system has the certificate's key"),
    ("purpose", "Formål", "Purpose"),
    ("reason", "Begrundelse", "Reason"),
    ("receiver", "Modtager", "Receiver"),
    ("receiver_authority", "Modtagers myndighed (CVR)", "Receiver's authority (CVR)"),
    ("receiver_supplier", "Modtagers leverandør (CVR)", "Receiver's supplier (CVR)"),
    ("reference", "Reference", "Reference"),
    ("retention", "Opbevaring og sletning", "Retention and deletion"),
    ("roots", "Rodcertifikater for adressens TLS (PEM)", "Root certificates of the address's TLS (PEM)"),
    ("sender", "Afsender", "Sender"),
    ("signing_certificates", "Certifikater, som svar underskrives med (PEM)", "Certificates that answers are signed with (PEM)"),
    ("system", "System (UUID)", "System (UUID)"),
    ("valid_from", "Gyldig fra", "Valid from"),
    ("valid_to", "Gyldig til", "Valid to"),
    ("version", "Version", "Version"),
    ("wave", "Bølge (1 til 999)", "Wave (1 to 999)"),
];

#[derive(Template)]
#[template(path = "console/stop.html")]
struct StopPage<'p> {
    frame: Frame,
    entry: &'p Entry,
    what: &'p str,
    remedy: &'p str,
    consequence: &'p str,
    call: String,
    kept: Option<&'p Kept>,
    /// Where what another wrote can be written by whoever is logged on now.
    anothers: Option<&'p str>,
    /// By what the browser is known again.
    browser: &'p str,
    /// Whether what was written does not come along through a log-on, where one is needed.
    too_long: bool,
}

/// Draws what was refused, in whatever step; axum's own 404 and 405 too.
pub(super) async fn render(console: &Console, mut response: Response<Body>, asked: &Asked) -> Response<Body> {
    let stop = match (response.extensions_mut().remove::<Stop>(), response.status()) {
        (Some(stop), _) => stop,
        (None, StatusCode::NOT_FOUND) => ConsoleRefusal::ConsolePageUnknown.into(),
        (None, StatusCode::METHOD_NOT_ALLOWED) => ConsoleRefusal::ConsoleMethod.into(),
        (None, _) => return response,
    };
    console.metrics.log_on_refused(stop.entry.code);
    let visit = Visit::of(console, asked).await.unwrap_or_default();
    let english = asked.language == Language::English;
    let text = if english { &stop.entry.en } else { &stop.entry.da };
    let frame = Frame::of(console, asked, visit.as_ref(), &text.what);
    // Nobody knows what came of it: then that is what is said.
    let undecided = stop.entry.code == ApiRefusal::ApiUndecided.code();
    let consequence = match (undecided, english) {
        (true, false) => "Ændringen kan være gemt. Se efter, før den sendes igen.",
        (true, true) => "The change may have been kept. Look before it is sent again.",
        _ if stop.entry.code.starts_with("Log") => &text.consequence,
        (false, false) => "Der er ikke ændret noget.",
        (false, true) => "Nothing was changed.",
    };
    // What was written as another, or by another person, is not sent in the name of whoever is logged on now.
    let is_own = |kept: &&Kept| visit.as_ref().is_none_or(|visit| visit.writer() == kept.writer);
    let kept = stop.kept.as_ref().filter(is_own);
    let anothers = stop.kept.as_ref().filter(|kept| !is_own(kept)).map(|kept| kept.page().unwrap_or("/"));
    let leads_back = kept.is_some_and(|kept| kept.page().is_some());
    // The same for every tab.
    let browser = asked.kept.clone().map_or_else(Secret::new, Ok).ok().filter(|_| leads_back);
    let known = browser.as_ref().map_or("", Secret::reveal);
    let page = StopPage {
        too_long: visit.is_none() && kept.is_some_and(|kept| kept.is_too_long(known)),
        frame,
        entry: &stop.entry,
        what: &text.what,
        remedy: if anothers.is_some() { "" } else { &text.remedy },
        consequence,
        call: asked.call.to_string(),
        kept,
        anothers,
        browser: known,
    };
    let body = page.render().unwrap_or_else(|_| format!("{} {}", text.what, text.remedy));
    let headers = response.headers_mut();
    if let Some(browser) = &browser
        && let Ok(cookie) = HeaderValue::from_str(&format!(
            "{COOKIE}={}; Path=/; Max-Age={COOKIE_HOLDS}; Secure; HttpOnly; SameSite=Lax",
            browser.reveal()
        ))
    {
        headers.append(SET_COOKIE, cookie);
    }
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Some(seconds) = stop.entry.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    *response.body_mut() = Body::from(body);
    response
}
