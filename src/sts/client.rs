//! Asks a security token service for a token (WS-Trust 1.3 `Issue`, as KOMBIT's STS takes it) and judges what comes back.
//!
//! The answer crosses a network that others may stand in, so nothing of it is believed for having come over TLS: the
//! assertion's own signature is always verified with the pinned keys, and it must say what was asked for. A token for
//! another authority would let a call see what that authority may see; one bound to another key would be useless, or a
//! sign that somebody else asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use jiff::SignedDuration;
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use super::Token;
use super::cache::Source;
use crate::clock::Clock;
use crate::outbound::{Outbound, describe};
use crate::refusal::Refusal;
use crate::saml::Expectations;
use crate::saml::assertion::Statement;
use crate::saml::trust::{Issuer, Trust};
use crate::signature::base64;
use crate::signature::key::{Certificate, SigningKey};
use crate::signature::names::{BASE64, SAML, SAML_TOKEN, SOAP11, SOAP12, WSA, WSSE, WSU, X509V3};
use crate::signature::sign::{self, Message, SignError, SoapVersion, canonical_content, with_certificate};
use crate::signature::verify::{Parts, VerifiedAssertion, verify_issued, verify_whole_response};
use crate::signature::write::escaped;
use crate::soap::document::{Document, Element};
use crate::soap::strict::Limits;

const WST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue";
/// The service's fault codes.
const FAULT_CODES: [&str; 8] = ["100", "101", "103", "104", "106", "110", "111", "130"];
/// Those that report trouble inside the service, which may pass, rather than of the request.
const PASSING: [&str; 3] = ["100", "106", "130"];
/// The longest answer, in bytes: a token is some ten thousand.
const LONGEST: usize = 512 * 1024;

/// How an envelope reaches the service and its answer comes back.
pub trait Transport: Send + Sync + 'static {
    /// Posts a SOAP 1.2 envelope and gives the SOAP message that comes back, a fault too.
    fn post(&self, envelope: Bytes) -> impl Future<Output = Result<Bytes, NoAnswer>> + Send;
}

/// There is no SOAP message; the text says why, for the log.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// No connection, no whole answer, or a server in front of the service that cannot reach it.
    #[error("the STS cannot be reached: {0}")]
    Unreachable(String),
    /// An answer from something else than the service.
    #[error("the STS's address answers with {said} and not with a SOAP message; correct the address")]
    NotSoap {
        /// The HTTP status.
        status: u16,
        /// The status and the type of the content, and what they mean.
        said: String,
    },
}

/// The transport over TLS.
#[derive(Clone)]
pub struct Https {
    /// The client.
    pub outbound: Outbound,
    /// Where the service takes requests.
    pub uri: Uri,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Transport for Https {
    async fn post(&self, envelope: Bytes) -> Result<Bytes, NoAnswer> {
        let unreachable = |error: &dyn std::fmt::Display| NoAnswer::Unreachable(error.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/soap+xml; charset=utf-8"));
        let deadline = Instant::now() + self.timeout;
        let answer = self.outbound.post(&self.uri, headers, envelope, deadline).await.map_err(|e| unreachable(&e))?;
        let (status, said) = (answer.status(), describe(answer.status(), answer.headers()));
        // The interface description leaves open with which status a fault comes.
        let speaks = status.is_success() || status.is_client_error() || status.is_server_error();
        if !speaks || !is_soap(answer.headers()) {
            return Err(match status {
                StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => unreachable(&said),
                _ => NoAnswer::NotSoap { status: status.as_u16(), said },
            });
        }
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| unreachable(&error))
    }
}

fn is_soap(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mime = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    matches!(mime.as_str(), "application/soap+xml" | "text/xml")
}

/// How to ask, and whom to believe.
#[derive(Debug, Clone)]
pub struct StsSettings {
    /// `wsa:To`: the service's address as it knows itself.
    pub to: String,
    /// The `Issuer` that its tokens name, and the certificates that it signs with.
    pub issuer: Issuer,
    /// The own system's certificate: it signs the request, and the token is to be bound to it.
    pub certificate: Certificate,
    /// The key of that certificate.
    pub key: SigningKey,
    /// The certificate of the system on whose behalf to ask, if on another's.
    pub on_behalf_of: Option<Certificate>,
}

/// The client.
pub struct StsClient<T> {
    settings: Arc<StsSettings>,
    trust: Trust,
    transport: T,
    clock: Clock,
}

/// Why an answer was not a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A SOAP fault, with its code where it has one that is known.
    Fault(String),
    /// A signature, or what must be signed.
    Signature(Refusal),
    /// Not an answer, or not the one that was asked for.
    Unfit(Unfit),
}

/// Why an answer is not the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    NotSoap,
    OtherRequest,
    PartMissing,
    PartRepeated,
    OtherKey,
    OtherAuthority,
    Over,
    CannotBeSentOn,
}

impl Unfit {
    /// In Danish and in English, as a sentence.
    pub(crate) fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::NotSoap => ("Svaret er ikke en SOAP-kuvert.", "The answer is no SOAP envelope."),
            Self::OtherRequest => ("Svaret hører til en anden anmodning.", "The answer belongs to another request."),
            Self::PartMissing => ("Svaret mangler en del.", "A part of the answer is missing."),
            Self::PartRepeated => ("En del af svaret forekommer to gange.", "A part of the answer is repeated."),
            Self::OtherKey => ("Tokenet er bundet til en anden nøgle.", "The token is bound to another key."),
            Self::OtherAuthority => ("Tokenet er udstedt for en anden myndighed.", "The token is for another authority."),
            Self::Over => ("Tokenet er udløbet.", "The token has expired."),
            Self::CannotBeSentOn => ("Tokenet kan ikke sendes videre i en besked.", "The token cannot be sent on in a message."),
        }
    }
}

impl Flaw {
    /// What it is, for the log: without the values of a refusal, among which the token's id may be.
    fn kind(&self) -> &str {
        match self {
            Flaw::Fault(code) => code,
            Flaw::Signature(refusal) => refusal.code(),
            Flaw::Unfit(unfit) => unfit.describe().1,
        }
    }
}

impl From<Refusal> for Flaw {
    fn from(refusal: Refusal) -> Self {
        Flaw::Signature(refusal)
    }
}

impl<T: Transport> StsClient<T> {
    /// A client that asks over `transport`.
    pub fn new(settings: StsSettings, transport: T, clock: Clock) -> Self {
        let trust = Trust::new(vec![settings.issuer.clone()]);
        Self { settings: Arc::new(settings), trust, transport, clock }
    }

    pub(crate) fn request(&self, authority: &str, service: &str, message_id: &str) -> Result<Vec<u8>, SignError> {
        let own = &self.settings;
        let on_behalf_of = own
            .on_behalf_of
            .as_ref()
            .map_or(String::new(), |system| format!("<wst:OnBehalfOf>{}</wst:OnBehalfOf>", binary_token(system)));
        let body = format!(
            "<wst:RequestSecurityToken xmlns:wst=\"{WST}\" Context=\"{message_id}\">\
             <wst:RequestType>{WST}/Issue</wst:RequestType><wst:TokenType>{SAML_TOKEN}</wst:TokenType>\
             <wst:KeyType>{WST}/PublicKey</wst:KeyType>\
             <wsp:AppliesTo xmlns:wsp=\"http://schemas.xmlsoap.org/ws/2004/09/policy\"><wsa:EndpointReference xmlns:wsa=\"{WSA}\">\
             <wsa:Address>{}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>\
             <wst:Claims Dialect=\"http://docs.oasis-open.org/wsfed/authorization/200706/authclaims\">\
             <auth:ClaimType xmlns:auth=\"http://docs.oasis-open.org/wsfed/authorization/200706\" \
             Uri=\"dk:gov:saml:attribute:CvrNumberIdentifier\" Optional=\"false\"><auth:Value>{}</auth:Value></auth:ClaimType>\
             </wst:Claims>{on_behalf_of}<wst:UseKey>{}</wst:UseKey></wst:RequestSecurityToken>",
            escaped(service),
            escaped(authority),
            binary_token(&own.certificate)
        );
        let message = Message {
            version: SoapVersion::V12,
            action: Some(ISSUE),
            message_id,
            relates_to: None,
            to: Some(&own.to),
            reply_to: true,
            framework: false,
            created: self.clock.now(),
            lifetime: SignedDuration::from_mins(5),
            extra_headers: &[],
            body: &canonical_content(body.as_bytes())?,
        };
        with_certificate(&message, &own.certificate, &own.key)
    }

    pub(crate) fn accept(&self, answer: Bytes, authority: &str, service: &str, message_id: &str) -> Result<Token, Flaw> {
        let document = Document::parse(answer, &Limits::default())?;
        let root = document.root();
        let soap = [SOAP12, SOAP11].into_iter().find(|soap| root.is(soap, "Envelope"));
        let soap = soap.ok_or(Flaw::Unfit(Unfit::NotSoap))?;
        let body = one(root, soap, "Body")?;
        if let Some(fault) = at_most_one(body, soap, "Fault")? {
            return Err(Flaw::Fault(fault_code(fault)));
        }
        if let Some(header) = at_most_one(root, soap, "Header")? {
            for related in header.named(WSA, "RelatesTo") {
                if related.text().is_none_or(|id| id.trim() != message_id) {
                    return Err(Flaw::Unfit(Unfit::OtherRequest));
                }
            }
            // The interface description says that the answer is signed; its examples differ in how. Where it is, it must
            // hold. What the token is worth rests on the token's own signature below, always.
            if let Some(security) = at_most_one(header, WSSE, "Security")? {
                let parts = Parts { header, security, body, must_cover: vec![] };
                verify_whole_response(&document, &parts, self.settings.issuer.certificates())?;
            }
        }
        let collection = one(body, WST, "RequestSecurityTokenResponseCollection")?;
        let response = one(collection, WST, "RequestSecurityTokenResponse")?;
        if response.attribute("", "Context").is_some_and(|context| context != message_id) {
            return Err(Flaw::Unfit(Unfit::OtherRequest));
        }
        let assertion = one(one(response, WST, "RequestedSecurityToken")?, SAML, "Assertion")?;
        let verified = verify_issued(assertion, &self.settings.issuer.keys(self.clock.now()))?;
        self.judge(verified, authority, service)
    }

    /// Whether a verified assertion is the one that was asked for.
    fn judge(&self, verified: VerifiedAssertion<'_>, authority: &str, service: &str) -> Result<Token, Flaw> {
        let now = self.clock.now();
        let expectations = Expectations::new(&self.trust, service);
        let claims = Statement::read(&verified)?.judge(&self.settings.issuer, &expectations, now)?;
        if claims.holder() != &self.settings.certificate {
            return Err(Flaw::Unfit(Unfit::OtherKey));
        }
        if claims.cvr() != authority {
            return Err(Flaw::Unfit(Unfit::OtherAuthority));
        }
        if claims.not_on_or_after() <= now {
            return Err(Flaw::Unfit(Unfit::Over));
        }
        let assertion = sign::Token::from_element(verified.element()).map_err(|_| Flaw::Unfit(Unfit::CannotBeSentOn))?;
        Ok(Token {
            assertion,
            authority: authority.to_owned(),
            service: service.to_owned(),
            fetched: now,
            not_on_or_after: claims.not_on_or_after(),
        })
    }
}

fn binary_token(certificate: &Certificate) -> String {
    format!(
        "<wsse:BinarySecurityToken xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\" EncodingType=\"{BASE64}\" ValueType=\"{X509V3}\" \
         wsu:Id=\"uuid-{}\">{}</wsse:BinarySecurityToken>",
        Uuid::new_v4(),
        base64::encode(certificate.der())
    )
}

fn one<'d>(parent: Element<'d>, namespace: &str, local: &str) -> Result<Element<'d>, Flaw> {
    at_most_one(parent, namespace, local)?.ok_or(Flaw::Unfit(Unfit::PartMissing))
}

fn at_most_one<'d>(parent: Element<'d>, namespace: &str, local: &str) -> Result<Option<Element<'d>>, Flaw> {
    parent.only(namespace, local).map_err(|()| Flaw::Unfit(Unfit::PartRepeated))
}

/// The code in a fault. Where it stands is not described, so it is looked for as a word of its own in every text.
fn fault_code(fault: Element<'_>) -> String {
    let texts = fault.descendants().filter_map(|element| element.text().map(std::borrow::Cow::into_owned));
    let found = texts.flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect::<Vec<_>>());
    found.into_iter().find(|word| FAULT_CODES.contains(&word.as_str())).unwrap_or_else(|| "ukendt".to_owned())
}

impl<T: Transport> Source for StsClient<T> {
    async fn issue(&self, authority: &str, service: &str) -> Result<Token, Refusal> {
        let message_id = format!("urn:uuid:{}", Uuid::new_v4());
        let request = self.request(authority, service, &message_id)?;
        let answer = self.transport.post(request.into()).await.map_err(|error| {
            warn!(%error, "no token could be fetched");
            match error {
                NoAnswer::Unreachable(_) => Refusal::StsUnavailable,
                NoAnswer::NotSoap { status, .. } => Refusal::StsNotSoap { status },
            }
        })?;
        self.accept(answer, authority, service, &message_id).map_err(|flaw| {
            warn!(flaw = flaw.kind(), "the STS did not answer with the token asked for");
            match flaw {
                Flaw::Fault(code) if PASSING.contains(&code.as_str()) => Refusal::StsUnavailable,
                Flaw::Fault(fault) => Refusal::StsRefused { fault },
                _ => Refusal::StsAnswerInvalid,
            }
        })
    }
}
