//! What both stubs need of SOAP.

use http::{HeaderMap, header::CONTENT_TYPE};

use crate::signature::sign::SoapVersion;
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
pub struct Envelope<'d> {
    /// The version.
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

/// An unsigned envelope that holds a fault. The reasons (each with its language) and `detail` are XML already.
pub fn fault(version: SoapVersion, sender: bool, reasons: &[(&str, &str)], detail: &str) -> String {
    let soap = version.namespace();
    match version {
        SoapVersion::V11 => {
            let code = if sender { "Client" } else { "Server" };
            let reason = reasons.iter().map(|(_, reason)| *reason).collect::<Vec<_>>().join(" / ");
            format!(
                "<soap:Envelope xmlns:soap=\"{soap}\"><soap:Header></soap:Header><soap:Body><soap:Fault><faultcode>soap:{code}</faultcode>\
                 <faultstring>{reason}</faultstring><detail>{detail}</detail></soap:Fault></soap:Body></soap:Envelope>"
            )
        }
        SoapVersion::V12 => {
            let code = if sender { "Sender" } else { "Receiver" };
            let text = |(language, reason): &(&str, &str)| format!("<soap:Text xml:lang=\"{language}\">{reason}</soap:Text>");
            let reasons: String = reasons.iter().map(text).collect();
            format!(
                "<soap:Envelope xmlns:soap=\"{soap}\"><soap:Header></soap:Header><soap:Body><soap:Fault><soap:Code><soap:Value>soap:{code}</soap:Value>\
                 </soap:Code><soap:Reason>{reasons}</soap:Reason><soap:Detail>{detail}</soap:Detail>\
                 </soap:Fault></soap:Body></soap:Envelope>"
            )
        }
    }
}
