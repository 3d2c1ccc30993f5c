//! Log-out, both ways: a provider that ends its sessions, and a person who leaves the console.
//!
//! What a provider orders is followed only with its signature: an unsigned order would let anybody log anybody off. An order
//! that names no session is for all of that name's.

use bytes::Bytes;
use jiff::Timestamp;

use super::names::{LONGEST, SAMLP, STATUS};
use super::own::Own;
use super::person::{Person, Rules};
use super::provider::Provider;
use super::redirect::{self, Kind, Query};
use super::request::Secret;
use super::response::{NameId, name_id, short_id, time};
use super::{attribute, escaped};
use crate::refusal::Detail;
use crate::refusal::logon::LogOnRefusal;
use crate::signature::key::KeyError;
use crate::signature::names::SAML;
use crate::soap::document::{Document, Element};
use crate::soap::strict::Limits;

/// For how many sessions one order may name them.
const MOST_SESSIONS: usize = 64;

/// Sessions that a provider has ended. Only [`ordered`] makes it.
pub struct Order {
    id: String,
    provider: Provider,
    name_id: NameId,
    sessions: Vec<String>,
}

impl Order {
    /// The entity id of the provider that gave it.
    pub fn provider(&self) -> &str {
        self.provider.entity_id()
    }
    /// Whose sessions end.
    pub fn name_id(&self) -> &NameId {
        &self.name_id
    }
    /// Which of them. Empty: all.
    pub fn sessions(&self) -> &[String] {
        &self.sessions
    }
    /// Whether a session of this provider's, of this name, is among them.
    pub fn ends(&self, provider: &str, name_id: &str, session: Option<&str>) -> bool {
        let of_theirs = provider == self.provider() && name_id == self.name_id.value;
        of_theirs && (self.sessions.is_empty() || session.is_some_and(|own| self.sessions.iter().any(|ended| ended == own)))
    }
}

fn invalid(da: &str, en: &str) -> LogOnRefusal {
    LogOnRefusal::LogOutInvalid { what: Detail::new(da, en) }
}

/// A message by Redirect whose signature was verified, and its provider.
fn verified<'p>(query: &Query<'_>, providers: &'p [Provider], now: Timestamp) -> Result<(Document, &'p Provider), LogOnRefusal> {
    if !query.is_signed() {
        return Err(LogOnRefusal::LogOutUnsigned);
    }
    let limits = Limits { depth: 16, nodes: 1_000, text: LONGEST, ..Limits::default() };
    let document = Document::parse(Bytes::from(query.message()?), &limits)
        .map_err(|_| invalid("den er ikke XML, som det læses her", "it is not XML as it is read here"))?;
    if document.has_comments() {
        return Err(invalid("der er en kommentar i den", "there is a comment in it"));
    }
    // Read before it is verified, only to choose among the keys.
    let issuer = document.root().only(SAML, "Issuer").ok().flatten().and_then(|issuer| issuer.text());
    let issuer = issuer.ok_or_else(|| invalid("Issuer mangler", "the Issuer is missing"))?.into_owned();
    let provider = providers.iter().find(|provider| provider.entity_id() == issuer);
    let provider = provider.ok_or_else(|| invalid("den er udstedt af en ukendt", "its issuer is not known"))?;
    query.verify(&provider.keys(now))?;
    Ok((document, provider))
}

/// What every message of log-out must be: its name, its version, for us, and new.
fn addressed(root: Element<'_>, local: &str, own: &Own, rules: &Rules, now: Timestamp) -> Result<(), LogOnRefusal> {
    if !root.is(SAMLP, local) || root.attribute("", "Version") != Some("2.0") {
        return Err(invalid("den er ikke en besked om log-ud efter SAML 2.0", "it is no message of log-out of SAML 2.0"));
    }
    if root.attribute("", "Destination") != Some(own.log_out()) {
        return Err(invalid(
            "Destination er ikke konsollens adresse for log-ud",
            "the Destination is not the console's address for log-out",
        ));
    }
    let issued = time(root, "IssueInstant")
        .ok()
        .flatten()
        .ok_or_else(|| invalid("IssueInstant mangler", "the IssueInstant is missing"))?;
    let until =
        time(root, "NotOnOrAfter").map_err(|_| invalid("NotOnOrAfter er ikke et tidspunkt", "the NotOnOrAfter is no instant"))?;
    let age = now.duration_since(issued);
    match age > rules.max_age + rules.skew
        || age < -rules.skew
        || until.is_some_and(|until| now.duration_since(until) >= rules.skew)
    {
        true => {
            Err(invalid("den er for gammel, eller urene er langt fra hinanden", "it is too old, or the clocks are far apart"))
        }
        false => Ok(()),
    }
}

/// Judges a provider's LogoutRequest.
///
/// # Errors
/// `LogOutUnsigned`, `LogOutInvalid`, `LogOnAlgorithm`, `LogOnSignature`.
pub fn ordered(
    query: &Query<'_>,
    own: &Own,
    providers: &[Provider],
    rules: &Rules,
    now: Timestamp,
) -> Result<Order, LogOnRefusal> {
    let (document, provider) = verified(query, providers, now)?;
    let root = document.root();
    addressed(root, "LogoutRequest", own, rules, now)?;
    let id = root.attribute("", "ID").filter(|id| !id.is_empty() && id.len() <= 256);
    let id = id.ok_or_else(|| invalid("der er intet ID", "there is no ID"))?.to_owned();
    let named = root.only(SAML, "NameID").ok().flatten().and_then(|element| name_id(element).ok());
    let name_id = named.ok_or_else(|| invalid("der er ikke netop ét NameID", "there is not exactly one NameID"))?;
    let indices = root.named(SAMLP, "SessionIndex").take(MOST_SESSIONS + 1).map(|index| {
        let text = index.text().ok_or_else(|| invalid("SessionIndex er ikke ren tekst", "a SessionIndex is not plain text"))?;
        short_id(text.trim()).map_err(|_| invalid("SessionIndex er for langt", "a SessionIndex is too long"))
    });
    let sessions = indices.collect::<Result<Vec<_>, _>>()?;
    match sessions.len() > MOST_SESSIONS {
        true => Err(invalid("den nævner for mange sessioner", "it names too many sessions")),
        false => Ok(Order { id, provider: provider.clone(), name_id, sessions }),
    }
}

impl Order {
    /// The address to which the browser is sent with the answer; `None` where the provider takes none.
    ///
    /// # Errors
    /// The key did not sign.
    pub fn answer(&self, query: &Query<'_>, own: &Own, now: Timestamp) -> Result<Option<String>, KeyError> {
        let Some(log_out) = self.provider.log_out() else { return Ok(None) };
        let id = Secret::new()?.request_id();
        let xml = format!(
            "<samlp:LogoutResponse xmlns:saml=\"{SAML}\" xmlns:samlp=\"{SAMLP}\" Destination=\"{}\" ID=\"{}\" InResponseTo=\"{}\" \
             IssueInstant=\"{now:.0}\" Version=\"2.0\">{}<samlp:Status><samlp:StatusCode Value=\"{STATUS}Success\">\
             </samlp:StatusCode></samlp:Status></samlp:LogoutResponse>",
            attribute(&log_out.responses),
            id.as_str(),
            attribute(&self.id),
            own.issuer(),
        );
        let relay_state = query.relay_state().filter(|text| text.len() <= 1024);
        redirect::address(&log_out.responses, Kind::Response, xml.as_bytes(), relay_state.as_deref(), own.key()).map(Some)
    }
}

/// The address to which a person's browser is sent to log out at the provider; `None` where the provider takes none. The
/// console's own session has ended before.
///
/// # Errors
/// The key did not sign.
pub fn leave(own: &Own, provider: &Provider, person: &Leaving, now: Timestamp) -> Result<Option<String>, KeyError> {
    let Some(log_out) = provider.log_out() else { return Ok(None) };
    let id = Secret::new()?.request_id();
    let mut name_id = String::from("<saml:NameID");
    let [qualifier, own_qualifier] = &person.name_id.qualifiers;
    for (name, value) in [("Format", &person.name_id.format), ("NameQualifier", qualifier), ("SPNameQualifier", own_qualifier)] {
        if let Some(value) = value {
            name_id.push_str(&format!(" {name}=\"{}\"", attribute(value)));
        }
    }
    name_id.push_str(&format!(">{}</saml:NameID>", escaped(&person.name_id.value)));
    let session = person
        .session
        .as_ref()
        .map_or(String::new(), |index| format!("<samlp:SessionIndex>{}</samlp:SessionIndex>", escaped(index)));
    let xml = format!(
        "<samlp:LogoutRequest xmlns:saml=\"{SAML}\" xmlns:samlp=\"{SAMLP}\" Destination=\"{}\" ID=\"{}\" IssueInstant=\"{now:.0}\" \
         Version=\"2.0\">{}{name_id}{session}</samlp:LogoutRequest>",
        attribute(&log_out.requests),
        id.as_str(),
        own.issuer(),
    );
    redirect::address(&log_out.requests, Kind::Request, xml.as_bytes(), None, own.key()).map(Some)
}

/// What the provider must be told of a person who leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// What the provider calls the person.
    pub name_id: NameId,
    /// The provider's session, if it named one.
    pub session: Option<String>,
}

impl From<&Person> for Leaving {
    fn from(person: &Person) -> Self {
        Self { name_id: person.name_id().clone(), session: person.session().map(str::to_owned) }
    }
}

/// Judges a provider's LogoutResponse: whether it says that the person is logged out there too.
///
/// # Errors
/// As [`ordered`].
pub fn left(query: &Query<'_>, own: &Own, providers: &[Provider], rules: &Rules, now: Timestamp) -> Result<bool, LogOnRefusal> {
    let (document, _) = verified(query, providers, now)?;
    addressed(document.root(), "LogoutResponse", own, rules, now)?;
    let code = document.root().only(SAMLP, "Status").ok().flatten();
    let code = code.and_then(|status| status.only(SAMLP, "StatusCode").ok().flatten());
    Ok(code.and_then(|code| code.attribute("", "Value")) == Some(&*format!("{STATUS}Success")))
}
