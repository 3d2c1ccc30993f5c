//! From bytes to one SOAP message: the HTTP headers, strict XML, the envelope, and which operation it asks for.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tower::Service;

use super::answer::Release;
use super::call::{Call, OfCall};
use super::definition::{Definition, Shape};
use super::open::{Client, Received};
use super::reply::{Answered, Proof, Refused, RefusedReply, Reply};
use super::step::Step;
use crate::audit::Binding;
use crate::refusal::{Detail, Refusal};
use crate::soap::document::Document;
use crate::soap::envelope::{Envelope, Version};
use crate::soap::fault;
use crate::soap::quote::quotable;
use crate::soap::strict::Limits;

/// A message that is one SOAP envelope asking for an operation of this service.
pub struct Enveloped {
    call: Call,
    client: Client,
    envelope: Envelope,
    shape: Arc<Shape>,
}

impl Enveloped {
    /// The connection it came on.
    pub fn client(&self) -> &Client {
        &self.client
    }
    /// The message.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
    /// How it asks for its operation.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }
}

impl OfCall for Enveloped {
    fn call(&self) -> &Call {
        &self.call
    }
}

/// What SOAP version the HTTP headers promise, and the action they name.
///
/// # Errors
/// `MediaTypeRefused` (multipart included: a second root part could be read in place of the first, CVE-2022-46364),
/// `ContentCodingRefused`, `EncodingRefused`.
pub fn content_type(headers: &HeaderMap) -> Result<(Version, Option<String>), Refusal> {
    if headers.contains_key(http::header::CONTENT_ENCODING) {
        return Err(Refusal::ContentCodingRefused);
    }
    let mut values = headers.get_all(http::header::CONTENT_TYPE).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Refusal::MediaTypeRefused)?,
        _ => return Err(Refusal::MediaTypeRefused),
    };
    let mut parts = value.split(';').map(|part| part.trim_matches([' ', '\t']));
    let version = match parts.next().map(str::to_ascii_lowercase).as_deref() {
        Some("text/xml") => Version::V11,
        Some("application/soap+xml") => Version::V12,
        _ => return Err(Refusal::MediaTypeRefused),
    };
    let mut action = None;
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or(Refusal::MediaTypeRefused)?;
        let value = unquote(value);
        match name.to_ascii_lowercase().as_str() {
            "charset" if value.eq_ignore_ascii_case("utf-8") => {}
            "charset" => return Err(Refusal::EncodingRefused),
            "action" if version == Version::V12 && action.is_none() => action = Some(value.to_owned()),
            "action" if version == Version::V12 => {
                return Err(action_is("angivet to gange i Content-Type", "given twice in Content-Type"));
            }
            "action" => {
                return Err(action_is(
                    "angivet i Content-Type, hvor SOAP 1.1 bruger SOAPAction",
                    "given in Content-Type, where SOAP 1.1 uses SOAPAction",
                ));
            }
            // Whoever says "start" or "boundary" speaks of parts that are not read here.
            _ => return Err(Refusal::MediaTypeRefused),
        }
    }
    if version == Version::V11 {
        let mut values = headers.get_all("soapaction").iter();
        action = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => {
                Some(unquote(value.to_str().map_err(|_| action_is("ikke læselig tekst", "not readable text"))?).to_owned())
            }
            (Some(_), Some(_)) => return Err(action_is("angivet to gange i SOAPAction", "given twice in SOAPAction")),
        };
    }
    Ok((version, action.filter(|action| !action.is_empty())))
}

fn action_is(da: &str, en: &str) -> Refusal {
    Refusal::ActionMismatch { what: Detail::new(format!("den er {da}"), format!("it is {en}")) }
}

fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Parses and places the message: the step's verdict, for `hjemmel explain` too.
///
/// # Errors
/// What is wrong with the XML, the envelope, the operation or the addressing.
pub fn read(
    body: Bytes,
    promised: Version,
    action: Option<&str>,
    definition: &Definition,
    limits: &Limits,
) -> Result<(Envelope, Arc<Shape>), Refusal> {
    let envelope = Envelope::read_lean(Document::parse(body, limits)?)?;
    if envelope.version() != promised {
        let (said, right) = (promised.media_type(), envelope.version().media_type());
        return Err(Refusal::ContentTypeMismatch { said, envelope: envelope.version().name(), right });
    }
    let payload = envelope.payload().ok_or_else(|| definition.unknown_operation())?;
    let binding = if envelope.security().is_some() { Binding::Token } else { Binding::AuthorityContext };
    let named = action.or(envelope.addressing().action.as_deref());
    let shape = definition.shape(payload, binding, named).cloned().ok_or_else(|| definition.unknown_operation())?;
    let by_http = if promised == Version::V11 { "SOAPAction" } else { "action (Content-Type)" };
    // Three places may name the operation; one that names another invites the receiver behind to do that one.
    for (place, named) in [(by_http, action), ("wsa:Action", envelope.addressing().action.as_deref())] {
        match named {
            Some(named) if !definition.names(named, &shape) => {
                return Err(Refusal::ActionMismatch { what: differs(place, named, &shape.action) });
            }
            _ => {}
        }
    }
    match envelope.addressing().to.as_deref() {
        Some(to) if !definition.is_addressed(to) => {
            Err(Refusal::AddressingInvalid { what: differs("To", to, &definition.address) })
        }
        _ => Ok((envelope, shape)),
    }
}

/// What stands in a place, where it may be said back, and what must stand there.
fn differs(place: &str, found: &str, expected: &str) -> Detail {
    match quotable(found) {
        Some(found) => Detail::new(
            format!("{place} er {found}, men skal være {expected}"),
            format!("{place} is {found}, but must be {expected}"),
        ),
        None => Detail::new(
            format!("{place} er ikke {expected}, og den angivne værdi gengives ikke"),
            format!("{place} is not {expected}, and what it is is not repeated here"),
        ),
    }
}

/// The step. Below it everybody works on one parsed message; above it nobody looks inside.
#[derive(Clone)]
pub struct EnvelopeStep {
    /// The service's names.
    pub definition: Arc<Definition>,
    /// Bounds on the XML of a request.
    pub limits: Limits,
    /// The largest request that this service takes, in bytes; the listener's own bound comes first.
    pub largest: usize,
}

impl<S> Step<S> for EnvelopeStep
where
    S: Service<Enveloped, Response = (Release, Proof), Error = Refused> + Send + 'static,
    S::Future: Send,
{
    type In = Received;
    type Out = Answered;
    type Error = RefusedReply;

    async fn pass(&self, received: Received, mut inner: S) -> Result<Answered, RefusedReply> {
        let Received { call, client, version, action, body, .. } = received;
        let started = call.start();
        let result = match body.len() > self.largest {
            true => Err(Refusal::BodyTooLarge { limit: self.largest }),
            false => read(body, version, action.as_deref(), &self.definition, &self.limits),
        };
        call.finish("envelope", started);
        let (envelope, shape) =
            result.map_err(|refusal| Reply::unproven(fault::version(version, &refusal), &call).refuse(refusal))?;
        let reply = Reply::to(&envelope, &shape, &call);
        call.note(|record| record.caller_transaction = envelope.transaction().and_then(|id| id.parse().ok()));
        match inner.call(Enveloped { call, client, envelope, shape }).await {
            Ok((released, proof)) => Ok(reply.with(Some(proof)).answer(released)),
            Err(refused) => Err(refused.to(reply)),
        }
    }
}
