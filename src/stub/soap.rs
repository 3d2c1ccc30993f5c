//! What the stubs need of SOAP: envelopes, faults, callers with a token, and who signs answers.

use http::{HeaderMap, header::CONTENT_TYPE};
use jiff::Timestamp;

use crate::refusal::{Detail, Refusal};
use crate::saml::trust::Trust;
use crate::saml::{self, Expectations};
use crate::signature::credentials::Credentials;
use crate::signature::key::{Certificate, KeyError, SigningKey};
use crate::signature::names::{WSA, WSSE};
use crate::signature::sign::SoapVersion;
use crate::signature::verify::Parts;
use crate::soap::document::{Document, Element};

/// The MIME type of a version, with the character set.
pub fn content_type(version: SoapVersion) -> &'static str {
    match version {
        SoapVersion::V11 => "text/xml; charset=utf-8",
        SoapVersion::V12 => "application/soap+xml; charset=utf-8",
    }
}

/// Whether the request says that it is SOAP.
pub fn is_soap(headers: &HeaderMap) -> bool {
    let mime = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mime = mime.split(';').next().unwrap_or("").trim();
    mime.eq_ignore_ascii_case("text/xml") || mime.eq_ignore_ascii_case("application/soap+xml")
}

/// The parts of an envelope.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the names say it
pub struct Envelope<'d> {
    pub version: SoapVersion,
    /// The header; a message to a stub always has one.
    pub header: Element<'d>,
    /// What stands in the body: one element.
    pub payload: Element<'d>,
}

/// Finds the parts of an envelope; `None` where it is none, or its body does not hold one element.
pub fn envelope(document: &Document) -> Option<Envelope<'_>> {
    let root = document.root();
    let version = [SoapVersion::V12, SoapVersion::V11].into_iter().find(|v| root.is(v.namespace(), "Envelope"))?;
    let header = root.only(version.namespace(), "Header").ok()??;
    let body = root.only(version.namespace(), "Body").ok()??;
    let mut payload = body.elements();
    match (payload.next(), payload.next()) {
        (Some(payload), None) => Some(Envelope { version, header, payload }),
        _ => None,
    }
}

/// The text of one header.
pub fn header(envelope: &Envelope<'_>, namespace: &str, local: &str) -> Option<String> {
    envelope.header.only(namespace, local).ok()??.text().map(|text| text.trim().to_owned())
}

/// Who signs answers.
#[allow(missing_docs)] // the names say it
pub struct Signer {
    pub certificate: Certificate,
    pub key: SigningKey,
}

impl Signer {
    /// Takes a certificate and its key.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn new(credentials: &Credentials) -> Result<Self, KeyError> {
        Ok(Self { certificate: Certificate::from_der(credentials.leaf())?, key: SigningKey::from_der(credentials.key())? })
    }
}

/// The caller's MessageID, once token and message are proven and the message is for `action`.
///
/// # Errors
/// Why the caller is not proven.
pub fn authenticate(
    document: &Document,
    parts: &Envelope<'_>,
    trust: &Trust,
    entity_id: &str,
    action: &str,
    now: Timestamp,
) -> Result<String, Refusal> {
    let missing =
        |what: &str| Refusal::SecurityStructure { what: Detail::new(format!("{what} mangler"), format!("{what} is missing")) };
    let body = parts.payload.parent().ok_or_else(|| missing("Body"))?;
    let security = parts.header.only(WSSE, "Security").ok().flatten().ok_or_else(|| missing("Security"))?;
    let places = Parts { header: parts.header, security, body, must_cover: vec![] };
    saml::authenticate(document, &places, &Expectations::new(trust, entity_id), now)?;
    if header(parts, WSA, "Action").as_deref() != Some(action) {
        let what = Detail::new(format!("wsa:Action er ikke {action}"), format!("wsa:Action is not {action}"));
        return Err(Refusal::ActionMismatch { what });
    }
    let invalid = || Refusal::AddressingInvalid { what: Detail::new("MessageID mangler", "MessageID is missing") };
    header(parts, WSA, "MessageID").ok_or_else(invalid)
}

/// An unsigned envelope. Headers and body are XML already.
pub fn plain(version: SoapVersion, headers: &[Vec<u8>], body: &[u8]) -> Vec<u8> {
    let start = format!("<soap:Envelope xmlns:soap=\"{}\"><soap:Header>", version.namespace());
    [start.as_bytes(), &headers.concat(), b"</soap:Header><soap:Body>", body, b"</soap:Body></soap:Envelope>"].concat()
}

/// An unsigned envelope that holds a fault. The reasons (each with its language) and `detail` are XML already.
pub fn fault(version: SoapVersion, sender: bool, reasons: &[(&str, &str)], detail: &str) -> String {
    let envelope = plain(version, &[], fault_content(version, sender, reasons, detail).as_bytes());
    String::from_utf8_lossy(&envelope).into_owned()
}

/// A fault as the content of a Body, whose prefix `soap` it uses; canonical where its parts are.
pub fn fault_content(version: SoapVersion, sender: bool, reasons: &[(&str, &str)], detail: &str) -> String {
    match version {
        SoapVersion::V11 => {
            let code = if sender { "Client" } else { "Server" };
            let reason = reasons.iter().map(|(_, reason)| *reason).collect::<Vec<_>>().join(" / ");
            format!(
                "<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{reason}</faultstring>\
                 <detail>{detail}</detail></soap:Fault>"
            )
        }
        SoapVersion::V12 => {
            let code = if sender { "Sender" } else { "Receiver" };
            let text = |(language, reason): &(&str, &str)| format!("<soap:Text xml:lang=\"{language}\">{reason}</soap:Text>");
            let reasons: String = reasons.iter().map(text).collect();
            format!(
                "<soap:Fault><soap:Code><soap:Value>soap:{code}</soap:Value></soap:Code>\
                 <soap:Reason>{reasons}</soap:Reason><soap:Detail>{detail}</soap:Detail></soap:Fault>"
            )
        }
    }
}
