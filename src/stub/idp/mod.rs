//! An identity provider for the console: SAML 2.0 Web SSO with OIOSAML's attributes, and invented people.
//!
//! It reads the console's metadata, as a real one does: requests must be signed by the key in them, and answers go to the
//! address in them. On its page one chooses who logs on, and how it answers: as it should, or in one of the ways that the
//! console must refuse ([`answer::Mode`]).

pub mod answer;
mod page;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request};
use rustls_pki_types::CertificateDer;
use uuid::Uuid;

use super::server::{self, Handler, Reply, Running, StartError, reply};
use super::sts::Switch;
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::signature::base64;
use crate::signature::credentials::Credentials;
use crate::signature::key::{Certificate, KeyError, SigningKey, VerificationKey};
use crate::signature::names::{DSIG, METADATA, SAML};
use crate::signature::write::{escaped, escaped_value as attribute};
use crate::signon::names::{LONGEST, PERSISTENT, POST, REDIRECT, SAMLP, STATUS};
use crate::signon::redirect::{self, Kind, Query};
use crate::soap::document::Document;
use crate::soap::strict::Limits;
use crate::users::rights::Role;
use answer::{Asked, Mode, respond};

/// Where the metadata are.
pub const METADATA_PATH: &str = "/metadata";
/// Where people log on.
pub const LOG_ON_PATH: &str = "/sso";
/// Where log-outs come.
pub const LOG_OUT_PATH: &str = "/slo";

/// Somebody who can log on. Invented.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Person {
    /// The persistent NameID.
    pub id: String,
    /// What the person is called.
    pub name: String,
    /// For whom they act.
    pub cvr: Cvr,
    pub roles: Vec<Role>,
}

/// The privilege that stands for a role.
pub fn privilege(role: Role) -> String {
    format!("https://hjemmel.example/roles/usersystemrole/{}/1", role.name())
}

/// A key that signs, with its certificate.
pub struct Signer {
    key: SigningKey,
    certificate: Certificate,
    credentials: Credentials,
}

impl Signer {
    /// From credentials with an RSA key.
    ///
    /// # Errors
    /// Another kind of key.
    pub fn new(credentials: Credentials) -> Result<Self, KeyError> {
        let (key, certificate) = (SigningKey::from_der(credentials.key())?, Certificate::from_der(credentials.leaf())?);
        Ok(Self { key, certificate, credentials })
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
    /// The key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}

/// The provider's keys: its own, and one that is not.
pub struct Keys {
    /// What it signs with.
    pub own: Signer,
    /// What nobody trusts.
    pub other: Signer,
}

/// The console, as its metadata tell.
#[derive(Debug, Clone)]
pub struct Partner {
    entity_id: String,
    consumer: String,
    log_out: String,
    certificate: CertificateDer<'static>,
    key: VerificationKey,
}

impl Partner {
    /// Reads the console's metadata; `None` where they are not those of a service provider.
    pub fn from_metadata(xml: &[u8]) -> Option<Self> {
        let document = Document::parse(Bytes::copy_from_slice(xml), &Limits::default()).ok()?;
        let role = document.root().only(METADATA, "SPSSODescriptor").ok()??;
        let location = |local: &'static str| role.named(METADATA, local).find_map(|place| place.attribute("", "Location"));
        let certificate = role.descendants().find(|element| element.is(DSIG, "X509Certificate"))?;
        let der = base64::decode(&certificate.text()?)?;
        Some(Self {
            entity_id: document.root().attribute("", "entityID")?.to_owned(),
            consumer: location("AssertionConsumerService")?.to_owned(),
            log_out: location("SingleLogoutService")?.to_owned(),
            key: VerificationKey::from_certificate_der(&der).ok()?,
            certificate: der.into(),
        })
    }

    /// The certificate that assertions are encrypted for.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
    /// The key that requests are signed with.
    pub fn key(&self) -> &VerificationKey {
        &self.key
    }
}

/// What the provider is.
#[allow(missing_docs)] // the names say it
pub struct IdpConfig {
    /// Where to listen; port 0 for any free one.
    pub address: SocketAddr,
    /// The TLS server's.
    pub server: Credentials,
    /// What it signs with.
    pub keys: Keys,
    pub entity_id: String,
    /// Who can log on.
    pub people: Vec<Person>,
    /// The console; none until its metadata are known.
    pub partner: Switch<Option<Partner>>,
    /// A file with the console's metadata, which is read at every request.
    pub partner_file: Option<PathBuf>,
    pub clock: Clock,
}

/// Starts the provider.
///
/// # Errors
/// [`StartError`].
pub async fn start_idp(config: IdpConfig) -> Result<Running, StartError> {
    let idp = Idp {
        keys: config.keys,
        entity_id: config.entity_id,
        people: config.people,
        partner: config.partner,
        partner_file: config.partner_file,
        clock: config.clock,
        last: Mutex::default(),
    };
    server::start(config.address, &config.server, Arc::new(idp)).await
}

struct Idp {
    keys: Keys,
    entity_id: String,
    people: Vec<Person>,
    partner: Switch<Option<Partner>>,
    partner_file: Option<PathBuf>,
    clock: Clock,
    /// The last Response, which `again` sends once more.
    last: Mutex<Option<Vec<u8>>>,
}

impl Handler for Idp {
    async fn answer(&self, request: Request<Bytes>) -> Option<Reply> {
        if let Some(file) = &self.partner_file
            && let Ok(xml) = tokio::fs::read(file).await
        {
            self.partner.set(Partner::from_metadata(&xml));
        }
        let query = request.uri().query().unwrap_or_default();
        // Its metadata name the address at which they were asked for.
        let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str())).unwrap_or("localhost");
        Some(match (request.method(), request.uri().path()) {
            (&Method::GET, METADATA_PATH) => reply(
                200,
                "application/samlmetadata+xml",
                metadata(&self.entity_id, &format!("https://{host}"), &self.keys.own.certificate),
            ),
            (&Method::GET, LOG_ON_PATH) => self.choose(query).unwrap_or_else(page::wrong),
            (&Method::POST, LOG_ON_PATH) => self.log_on(request.body()).unwrap_or_else(page::wrong),
            (&Method::GET, LOG_OUT_PATH) => self.log_out(query).unwrap_or_else(page::wrong),
            (&Method::GET, "/end") => self.end(query).unwrap_or_else(page::wrong),
            _ => page::wrong("Der er intet på denne adresse. There is nothing at this address."),
        })
    }
}

const NO_METADATA: &str = "Konsollens metadata mangler. The console's metadata are missing.";

impl Idp {
    fn partner(&self) -> Result<Partner, &'static str> {
        self.partner.get().ok_or(NO_METADATA)
    }

    /// A message of the console's, its signature verified by the key in its metadata.
    fn verified(&self, query: &Query<'_>, partner: &Partner) -> Result<Document, &'static str> {
        query
            .verify(std::slice::from_ref(&partner.key))
            .map_err(|_| "Anmodningen er ikke signeret med konsollens nøgle. The request is not signed by the console's key.")?;
        let xml = query.message().map_err(|_| "Anmodningen kan ikke læses. The request cannot be read.")?;
        let limits = Limits { text: LONGEST, ..Limits::default() };
        Document::parse(Bytes::from(xml), &limits).map_err(|_| "Anmodningen er ikke XML. The request is not XML.")
    }

    fn choose(&self, query: &str) -> Result<Reply, &'static str> {
        let partner = self.partner()?;
        let read = Query::read(query).map_err(|_| "Der er ingen SAMLRequest. There is no SAMLRequest.")?;
        let document = self.verified(&read, &partner)?;
        let root = document.root();
        let to = root.attribute("", "AssertionConsumerServiceURL");
        if !root.is(SAMLP, "AuthnRequest") || to != Some(&*partner.consumer) {
            return Err("Anmodningen er ikke fra konsollen. The request is not from the console.");
        }
        let id = root.attribute("", "ID").unwrap_or_default();
        Ok(page::choice(&self.people, id, &read.relay_state().unwrap_or_default()))
    }

    fn log_on(&self, body: &Bytes) -> Result<Reply, &'static str> {
        let partner = self.partner()?;
        let form = std::str::from_utf8(body).unwrap_or_default();
        let field = |name: &str| {
            let found = form.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
            found.and_then(|(_, value)| redirect::decoded(value)).unwrap_or_default()
        };
        let person = self.people.iter().find(|person| person.id == field("person")).ok_or("Vælg en person. Choose a person.")?;
        let mode = field("mode").parse().unwrap_or(Mode::Plain);
        let request = field("request");
        let asked = Asked {
            issuer: &self.entity_id,
            consumer: &partner.consumer,
            audience: &partner.entity_id,
            request: &request,
            certificate: Some(&partner.certificate),
            person,
            now: self.clock.now(),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let response = match (mode, last.take()) {
            (Mode::Again, Some(response)) => response,
            _ => {
                respond(&asked, mode, &self.keys).map_err(|_| "Svaret kunne ikke signeres. The response could not be signed.")?
            }
        };
        let page = page::post(&partner.consumer, &base64::encode(&response), &field("relay_state"));
        *last = Some(response);
        Ok(page)
    }

    fn log_out(&self, query: &str) -> Result<Reply, &'static str> {
        let partner = self.partner()?;
        let read = Query::read(query).map_err(|_| "Der er ingen besked om log-ud. There is no message of log-out.")?;
        let document = self.verified(&read, &partner)?;
        if read.kind() == Kind::Response {
            return Ok(page::left());
        }
        let root = document.root();
        if !root.is(SAMLP, "LogoutRequest") {
            return Err("Beskeden er ikke om log-ud. The message is not of log-out.");
        }
        let xml = format!(
            "<samlp:LogoutResponse xmlns:saml=\"{SAML}\" xmlns:samlp=\"{SAMLP}\" Destination=\"{}\" ID=\"_{}\" InResponseTo=\"{}\" \
             IssueInstant=\"{:.3}\" Version=\"2.0\"><saml:Issuer>{}</saml:Issuer><samlp:Status><samlp:StatusCode \
             Value=\"{STATUS}Success\"></samlp:StatusCode></samlp:Status></samlp:LogoutResponse>",
            attribute(&partner.log_out),
            Uuid::new_v4().simple(),
            attribute(root.attribute("", "ID").unwrap_or_default()),
            self.clock.now(),
            escaped(&self.entity_id),
        );
        self.send(&partner.log_out, Kind::Response, &xml, read.relay_state().as_deref())
    }

    /// Ends a person's sessions from here: `person`, and `session` where only that one.
    fn end(&self, query: &str) -> Result<Reply, &'static str> {
        let partner = self.partner()?;
        let field = |name: &str| {
            let found = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
            found.and_then(|(_, value)| redirect::decoded(value))
        };
        let person = field("person").ok_or("Vælg en person. Choose a person.")?;
        let xml = log_out_request(&self.entity_id, &partner.log_out, &person, field("session").as_deref(), self.clock.now());
        self.send(&partner.log_out, Kind::Request, &xml, None)
    }

    fn send(&self, to: &str, kind: Kind, xml: &str, relay_state: Option<&str>) -> Result<Reply, &'static str> {
        let address = redirect::address(to, kind, xml.as_bytes(), relay_state, &self.keys.own.key);
        Ok(page::see(&address.map_err(|_| "Beskeden kunne ikke signeres. The message could not be signed.")?))
    }
}

/// A LogoutRequest of the provider's.
pub fn log_out_request(issuer: &str, to: &str, person: &str, session: Option<&str>, now: jiff::Timestamp) -> String {
    let session = session.map_or(String::new(), |index| format!("<samlp:SessionIndex>{}</samlp:SessionIndex>", escaped(index)));
    format!(
        "<samlp:LogoutRequest xmlns:saml=\"{SAML}\" xmlns:samlp=\"{SAMLP}\" Destination=\"{}\" ID=\"_{}\" IssueInstant=\"{now:.3}\" \
         Version=\"2.0\"><saml:Issuer>{}</saml:Issuer><saml:NameID Format=\"{PERSISTENT}\">{}</saml:NameID>{session}\
         </samlp:LogoutRequest>",
        attribute(to),
        Uuid::new_v4().simple(),
        escaped(issuer),
        escaped(person),
    )
}

/// The provider's metadata.
pub fn metadata(entity_id: &str, base: &str, certificate: &Certificate) -> String {
    let base = attribute(base);
    format!(
        "<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\"><md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" \
         protocolSupportEnumeration=\"{SAMLP}\"><md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data>\
         <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleLogoutService \
         Binding=\"{REDIRECT}\" Location=\"{base}{LOG_OUT_PATH}\"></md:SingleLogoutService><md:NameIDFormat>{PERSISTENT}\
         </md:NameIDFormat><md:SingleSignOnService Binding=\"{POST}\" Location=\"{base}{LOG_ON_PATH}\"></md:SingleSignOnService>\
         <md:SingleSignOnService Binding=\"{REDIRECT}\" Location=\"{base}{LOG_ON_PATH}\"></md:SingleSignOnService>\
         </md:IDPSSODescriptor></md:EntityDescriptor>",
        attribute(entity_id),
        base64::encode(certificate.der()),
    )
}

/// The people of the demonstration: the gateway's operators, a supplier, and three of Korsbæk Kommune, for who asks for an
/// agreement does not approve it.
pub fn demo_people() -> Vec<Person> {
    let person = |id: &str, name: &str, cvr: &str, roles: &[Role]| {
        Some(Person { id: id.to_owned(), name: name.to_owned(), cvr: cvr.parse().ok()?, roles: roles.to_vec() })
    };
    [
        person("drift-1", "Ditte Drift", OPERATORS, &[Role::Operator]),
        person("leverandoer-1", "Lars Leverandør", SUPPLIER, &[Role::SupplierAdministrator]),
        person("korsbaek-1", "Ulla Underskriver", super::population::KORSBAEK, &[Role::Signatory]),
        person("korsbaek-2", "Søren Systemansvarlig", super::population::KORSBAEK, &[Role::SystemOwner, Role::SystemResponsible]),
        person("korsbaek-3", "Rie Revisor", super::population::KORSBAEK, &[Role::Auditor]),
        person("andeby-1", "Anders Andeby", "99999981", &[Role::Signatory]),
        person("lundeby-1", "Lis Lundeby", "99999982", &[Role::Signatory]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The CVR number of the gateway's operators in the demonstration.
pub const OPERATORS: &str = "99999999";
/// That of the supplier.
pub const SUPPLIER: &str = "99999998";
