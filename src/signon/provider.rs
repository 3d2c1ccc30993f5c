//! The identity providers that are trusted, from their metadata.

use bytes::Bytes;
use jiff::Timestamp;

use super::names::REDIRECT;
use crate::id::cvr::Cvr;
use crate::saml::trust::{Issuer, TrustError};
use crate::signature::key::VerificationKey;
use crate::signature::names::METADATA;
use crate::soap::document::{Document, Element};
use crate::soap::strict::Limits;

/// For whom a provider's word counts. One authority's own provider must not log on another authority's people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// Everybody: a common provider, as NemLog-in or the context handler.
    ForAll,
    /// These authorities and companies.
    For(Vec<Cvr>),
}

impl Answers {
    /// Whether its word counts for this one.
    pub fn includes(&self, cvr: Cvr) -> bool {
        match self {
            Answers::ForAll => true,
            Answers::For(these) => these.contains(&cvr),
        }
    }
}

/// One identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    name: String,
    issuer: Issuer,
    log_on: String,
    log_out: Option<LogOut>,
    answers: Answers,
}

/// Where a provider takes log-outs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct LogOut {
    pub requests: String,
    pub responses: String,
}

impl Provider {
    /// Reads a provider's metadata: its signing keys, several while one replaces another, and its addresses by HTTP-Redirect.
    /// The file is trusted as it is: an operator put it there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_metadata(name: &str, xml: Bytes, answers: Answers, now: Timestamp) -> Result<Self, TrustError> {
        let document = Document::parse(xml.clone(), &Limits::default()).map_err(TrustError::Unreadable)?;
        let root = document.root();
        if root.is(METADATA, "EntitiesDescriptor") {
            return Err(TrustError::Content(
                "the file describes several entities; give the EntityDescriptor of this provider alone",
            ));
        }
        let issuer = Issuer::from_metadata(xml, None, now)?;
        let role = match root.only(METADATA, "IDPSSODescriptor") {
            Ok(Some(role)) => role,
            _ => return Err(TrustError::Content("it has not exactly one IDPSSODescriptor")),
        };
        let log_on = endpoints(role, "SingleSignOnService").find_map(|endpoint| endpoint.attribute("", "Location"));
        let log_on = log_on.ok_or(TrustError::Content("it has no SingleSignOnService by HTTP-Redirect"))?;
        let log_out = endpoints(role, "SingleLogoutService").find_map(|endpoint| {
            let requests = endpoint.attribute("", "Location")?;
            let responses = endpoint.attribute("", "ResponseLocation").unwrap_or(requests);
            Some(LogOut { requests: requests.to_owned(), responses: responses.to_owned() })
        });
        let addresses = [Some(log_on), log_out.as_ref().map(|out| &*out.requests), log_out.as_ref().map(|out| &*out.responses)];
        if !addresses.into_iter().flatten().all(is_web_address) {
            return Err(TrustError::Content("an address in it is neither https nor http"));
        }
        Ok(Self { name: name.to_owned(), issuer, log_on: log_on.to_owned(), log_out, answers })
    }

    /// What the configuration calls it.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Its entity id.
    pub fn entity_id(&self) -> &str {
        self.issuer.entity_id()
    }
    /// Its keys that hold now.
    pub fn keys(&self, now: Timestamp) -> Vec<VerificationKey> {
        self.issuer.keys(now)
    }
    /// Where it logs people on.
    pub fn log_on(&self) -> &str {
        &self.log_on
    }
    /// Where it takes log-outs, if it does.
    pub fn log_out(&self) -> Option<&LogOut> {
        self.log_out.as_ref()
    }
    /// For whom its word counts.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }
    /// What an operator should know about its certificates and metadata.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        self.issuer.warnings(now)
    }
}

fn endpoints<'d>(role: Element<'d>, local: &'d str) -> impl Iterator<Item = Element<'d>> {
    role.named(METADATA, local).filter(|endpoint| endpoint.attribute("", "Binding") == Some(REDIRECT))
}

/// A person's browser is sent there: nothing that runs in it, and no line of its own in the answer's head.
fn is_web_address(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://")) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
