//! A security token service: WS-Trust 1.3 `Issue` as KOMBIT's does it, over TLS without a client certificate.
//!
//! It issues a token only to a system that is registered, for an authority and a service that its registration names,
//! bound to the certificate in `UseKey`. [`StsMode`] makes it fail in the ways that a token service fails.

pub mod development;
pub mod fault;
pub mod issue;
pub mod request;

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::moment::moved;
use super::server::{self, Handler, Reply, Running, StartError, reply};
use super::soap::{self, envelope};
use crate::clock::Clock;
use crate::signature::credentials::Credentials;
use crate::signature::key::{Certificate, KeyError, SigningKey};
use crate::signature::names::{WSA, WSSE};
use crate::signature::sign::{Message, SignError, SoapVersion, canonical_content, with_certificate};
use crate::signature::timestamp::{self, TimeRules};
use crate::signature::verify::{Parts, verify_with_certificate};
use crate::soap::document::Document;
use crate::soap::strict::Limits;
use fault::Fault;
use issue::Assertion;
use request::Order;

/// Where tokens are asked for.
pub const PATH: &str = "/sts";
/// Where the metadata is.
pub const METADATA_PATH: &str = "/metadata";

/// The action of a request for a token.
pub const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue";
/// The action of the answer.
pub const ISSUED: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTRC/IssueFinal";

/// A value that can be changed while the stub runs. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Switch<T>(Arc<RwLock<T>>);

impl<T: Clone> Switch<T> {
    /// Starts out as `value`.
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }
    /// The present value.
    pub fn get(&self) -> T {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Changes part of it.
    pub fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
    /// Changes it, from the next request on.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// How the token service behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StsMode {
    /// As it should.
    #[default]
    Honest,
    /// Waits this long before it answers.
    Slow(Duration),
    /// Closes every connection without a byte.
    Down,
    /// Answers with this fault code, whatever was asked.
    Fault(u16),
    /// The assertion was altered after it was signed; the answer around it is signed properly.
    BadSignature,
    /// The token was issued the day before.
    Expired,
    /// The token is for another service.
    WrongAudience,
    /// The token is for another authority.
    WrongAuthority,
    /// The token is bound to the service's own key.
    WrongKey,
    /// Answers a web page with this HTTP status, as a server does at a wrong address. For tests: no name on the command line.
    Page(u16),
    /// Answers these bytes, whatever was asked. For tests: no name on the command line.
    Says(&'static str),
}

/// The names that [`StsMode::from_str`] reads, for a help text.
pub const MODE_NAMES: &str =
    "honest, slow=SECONDS, down, fault=CODE, bad-signature, expired, wrong-audience, wrong-authority, wrong-key";

impl FromStr for StsMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("unknown mode {text}; choose one of {MODE_NAMES}");
        Ok(match text.split_once('=').unwrap_or((text, "")) {
            ("honest", "") => StsMode::Honest,
            ("down", "") => StsMode::Down,
            ("bad-signature", "") => StsMode::BadSignature,
            ("expired", "") => StsMode::Expired,
            ("wrong-audience", "") => StsMode::WrongAudience,
            ("wrong-authority", "") => StsMode::WrongAuthority,
            ("wrong-key", "") => StsMode::WrongKey,
            ("slow", seconds) => StsMode::Slow(Duration::from_secs(seconds.parse().map_err(|_| unknown())?)),
            ("fault", code) => {
                let code = code.parse().ok().filter(|code| fault::CODES.iter().any(|(known, ..)| known == code));
                StsMode::Fault(code.ok_or_else(unknown)?)
            }
            _ => return Err(unknown()),
        })
    }
}

/// A group of privileges, as `Privileges_intermediate` holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivilegeGroup {
    /// The CVR number that it applies to.
    pub scope: String,
    /// The roles.
    pub privileges: Vec<String>,
    /// Data constraints: name and value.
    pub constraints: Vec<(String, String)>,
}

/// What a system is registered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// SHA-256 of the system's certificate.
    pub system: [u8; 32],
    /// The entity ids of the services that it may ask tokens for.
    pub services: Vec<String>,
    /// The authorities that it may act for, and what it may do then. One token may cover scopes of many authorities, as
    /// Udbetaling Danmark's does on behalf of the municipalities.
    pub authorities: Vec<(String, Vec<PrivilegeGroup>)>,
    /// The systems (SHA-256 of their certificates) on whose behalf it may ask.
    pub on_behalf_of: Vec<[u8; 32]>,
}

/// How to start the token service.
#[derive(Debug, Clone)]
pub struct StsConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The certificate of the TLS server.
    pub server: Credentials,
    /// The certificate and key that sign tokens and answers.
    pub signing: Credentials,
    /// Further certificates to name in the metadata, as while keys are exchanged.
    pub also_trusted: Vec<Credentials>,
    /// The service's entity id: `Issuer` of its tokens.
    pub entity_id: String,
    /// Who may have which tokens.
    pub registrations: Vec<Registration>,
    /// How long tokens hold; KOMBIT's hold eight hours.
    pub lifetime: SignedDuration,
    /// How it behaves.
    pub mode: Switch<StsMode>,
    /// The time.
    pub clock: Clock,
}

/// Starts the token service.
///
/// # Errors
/// [`StartError`].
pub async fn start_sts(config: StsConfig) -> Result<Running, StartError> {
    let (address, server) = (config.address, config.server.clone());
    let sts = Sts::new(config).map_err(|error| StartError::Certificate(error.to_string()))?;
    server::start(address, &server, Arc::new(sts)).await
}

/// The service behind the listener.
pub struct Sts {
    config: StsConfig,
    certificate: Certificate,
    trusted: Vec<Certificate>,
    key: SigningKey,
}

/// What a request for a token comes to.
enum Outcome {
    Issued(Vec<u8>),
    Refused(Fault),
}

impl Sts {
    /// Makes the service without a listener.
    ///
    /// # Errors
    /// The signing certificate or key cannot be used.
    pub fn new(config: StsConfig) -> Result<Self, KeyError> {
        let certificate = Certificate::from_der(config.signing.leaf())?;
        let mut trusted = vec![certificate.clone()];
        for also in &config.also_trusted {
            trusted.push(Certificate::from_der(also.leaf())?);
        }
        let key = SigningKey::from_der(config.signing.key())?;
        Ok(Self { config, certificate, trusted, key })
    }

    /// Answers one envelope; `true` beside it where it is a fault.
    pub fn issue(&self, body: Bytes, mode: StsMode) -> (SoapVersion, bool, Vec<u8>) {
        let document = match Document::parse(body, &Limits::default()) {
            Ok(document) => document,
            Err(refusal) => return refused(SoapVersion::V12, &Fault::of(&refusal)),
        };
        let Some(parts) = envelope(&document) else {
            let fault = Fault::new(
                103,
                "Beskeden er ikke en SOAP-kuvert med Header og én forespørgsel i Body.",
                "The message is not a SOAP envelope with a Header and one request in Body.",
            );
            return refused(SoapVersion::V12, &fault);
        };
        let version = parts.version;
        if let StsMode::Fault(code) = mode {
            return refused(version, &Fault::code(code));
        }
        match self.judge(&document, &parts, mode) {
            Ok(Outcome::Issued(answer)) => (version, false, answer),
            Ok(Outcome::Refused(fault)) => refused(version, &fault),
            Err(_) => {
                let fault = Fault::new(100, "Svaret kunne ikke signeres.", "The answer could not be signed.");
                refused(version, &fault)
            }
        }
    }

    fn judge(&self, document: &Document, parts: &soap::Envelope<'_>, mode: StsMode) -> Result<Outcome, SignError> {
        let now = self.config.clock.now();
        let message_id = soap::header(parts, WSA, "MessageID");
        let authorised = self.caller(document, parts, now).and_then(|caller| {
            let order = request::read(&parts.payload)?;
            let groups = self.authorise(&caller, &order)?;
            message_id.as_deref().map(|id| (order, groups, id)).ok_or_else(|| request::missing("MessageID"))
        });
        let (order, groups, message_id) = match authorised {
            Ok(authorised) => authorised,
            Err(fault) => return Ok(Outcome::Refused(fault)),
        };
        let from = if mode == StsMode::Expired { moved(now, -1) } else { now };
        let assertion = Assertion {
            issuer: &self.config.entity_id,
            audience: if mode == StsMode::WrongAudience { "urn:hjemmel:stub:another-service" } else { &order.applies_to },
            cvr: if mode == StsMode::WrongAuthority { "99999989" } else { &order.cvr },
            holder: if mode == StsMode::WrongKey { &self.certificate } else { &order.use_key },
            groups: &groups,
            from,
            lifetime: self.config.lifetime,
        };
        let assertion = issue::spoil(mode, assertion.signed(&self.certificate, &self.key)?);
        let until = from.saturating_add(self.config.lifetime).unwrap_or(from);
        let body = issue::response(order.context.as_deref(), &order.applies_to, &assertion, from, until);
        let answer = Message {
            version: parts.version,
            action: Some(ISSUED),
            message_id: &format!("urn:uuid:{}", Uuid::new_v4()),
            relates_to: Some(message_id),
            to: Some(crate::signature::names::ANONYMOUS),
            reply_to: false,
            framework: false,
            created: now,
            lifetime: SignedDuration::from_mins(5),
            extra_headers: &[],
            body: &canonical_content(body.as_bytes())?,
        };
        with_certificate(&answer, &self.certificate, &self.key).map(Outcome::Issued)
    }

    /// Who signed: the registration of the system whose certificate the message carries.
    fn caller(&self, document: &Document, parts: &soap::Envelope<'_>, now: Timestamp) -> Result<Certificate, Fault> {
        let body = parts.payload.parent().ok_or_else(|| request::missing("Body"))?;
        let security = parts.header.only(WSSE, "Security").ok().flatten().ok_or_else(|| request::missing("wsse:Security"))?;
        // The service's WSDL lists the WS-Addressing headers to be signed, and no other.
        let places = Parts { header: parts.header, security, body, must_cover: vec![] };
        let verified = verify_with_certificate(document, &places).map_err(|refusal| Fault::of(&refusal))?;
        timestamp::check(verified.timestamp(), &TimeRules::default(), now).map_err(|refusal| Fault::of(&refusal))?;
        Ok(verified.certificate().clone())
    }

    fn authorise(&self, caller: &Certificate, order: &Order) -> Result<Vec<PrivilegeGroup>, Fault> {
        let registered = |thumbprint: &[u8; 32]| self.config.registrations.iter().find(|r| r.system == *thumbprint);
        let unregistered = |system: &Certificate| {
            let subject = system.subject();
            Fault::new(
                101,
                format!("Systemet med certifikatet »{subject}« er ikke registreret hos STS'en."),
                format!("The system with the certificate \"{subject}\" is not registered at the STS."),
            )
        };
        let own = registered(caller.thumbprint()).ok_or_else(|| unregistered(caller))?;
        let service = &order.applies_to;
        if !self.config.registrations.iter().any(|r| r.services.contains(service)) {
            return Err(Fault::new(
                101,
                format!("Servicen »{service}« i AppliesTo kendes ikke."),
                format!("The service \"{service}\" in AppliesTo is not known."),
            ));
        }
        // On behalf of another system, that system's rights decide.
        let holder = match &order.on_behalf_of {
            None => own,
            Some(other) if own.on_behalf_of.contains(other.thumbprint()) => {
                registered(other.thumbprint()).ok_or_else(|| unregistered(other))?
            }
            Some(_) => {
                return Err(Fault::new(
                    111,
                    "Systemet må ikke spørge på vegne af det system, hvis certifikat står i OnBehalfOf.",
                    "The system may not ask on behalf of the system whose certificate stands in OnBehalfOf.",
                ));
            }
        };
        if !holder.services.contains(service) {
            return Err(Fault::new(
                111,
                format!("Systemet har ikke adgang til servicen »{service}« i AppliesTo."),
                format!("The system has no access to the service \"{service}\" in AppliesTo."),
            ));
        }
        let cvr = &order.cvr;
        let authority = holder.authorities.iter().find(|(known, _)| known == cvr);
        authority.map(|(_, groups)| groups.clone()).ok_or_else(|| {
            Fault::new(
                111,
                format!("Systemet må ikke handle for myndigheden med CVR-nummer {cvr}."),
                format!("The system may not act for the authority with CVR number {cvr}."),
            )
        })
    }
}

fn refused(version: SoapVersion, fault: &Fault) -> (SoapVersion, bool, Vec<u8>) {
    (version, true, fault.envelope(version).into_bytes())
}

impl Handler for Sts {
    async fn answer(&self, request: Request<Bytes>) -> Option<Reply> {
        let mode = self.config.mode.get();
        match mode {
            StsMode::Down => return None,
            StsMode::Page(status) => return Some(reply(status, "text/html", "<!doctype html><br>No such page")),
            StsMode::Says(said) => return Some(reply(200, soap::content_type(SoapVersion::V12), said)),
            StsMode::Slow(pause) => tokio::time::sleep(pause).await,
            _ => {}
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, METADATA_PATH) => {
                let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
                let host = host.or(request.uri().host()).unwrap_or("localhost");
                let location = format!("https://{host}{PATH}");
                let metadata = issue::metadata(&self.config.entity_id, &location, &self.trusted);
                Some(reply(200, "application/samlmetadata+xml", metadata))
            }
            (&Method::POST, PATH) if soap::is_soap(request.headers()) => {
                let (version, fault, answer) = self.issue(request.into_body(), mode);
                Some(reply(if fault { 500 } else { 200 }, soap::content_type(version), answer))
            }
            (&Method::POST, PATH) => Some(reply(415, "text/plain", "Send SOAP.\n")),
            (_, PATH | METADATA_PATH) => Some(reply(405, "text/plain", "POST /sts, GET /metadata\n")),
            _ => Some(reply(404, "text/plain", "POST /sts, GET /metadata\n")),
        }
    }
}

#[cfg(test)]
mod tests;
