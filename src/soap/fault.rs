//! A refusal as a SOAP fault: canonical bytes, ready to be signed or sent as they stand.

use super::envelope::Version;
use super::names::SERVICEPLATFORM_FAULT;
use crate::refusal::{Party, Refusal};

/// The content of `Body` for a refusal: a `Fault` with the platform's `ServiceplatformFault` as its detail.
///
/// The detail's schema is closed: one `Error` a language, Danish first, the code the same, remedy and call id inside the
/// text. The bytes are in exclusive canonical form and declare their own namespaces.
pub fn body(version: Version, refusal: &Refusal, call_id: &str) -> Vec<u8> {
    let entry = refusal.entry();
    let (danish, english) = (entry.error_text_da(call_id), entry.error_text_en(call_id));
    let detail = format!(
        "<spf:ServiceplatformFault xmlns:spf=\"{SERVICEPLATFORM_FAULT}\"><spf:ErrorList>{}{}</spf:ErrorList></spf:ServiceplatformFault>",
        error(entry.code, &danish),
        error(entry.code, &english),
    );
    let soap = version.namespace();
    let code = fault_code(version, refusal, entry.party);
    match version {
        Version::V11 => format!(
            "<s:Fault xmlns:s=\"{soap}\"><faultcode>s:{code}</faultcode><faultstring xml:lang=\"en\">{}: {}</faultstring>\
             <detail>{detail}</detail></s:Fault>",
            entry.code,
            escape(&english),
        ),
        Version::V12 => format!(
            "<s:Fault xmlns:s=\"{soap}\"><s:Code><s:Value>s:{code}</s:Value></s:Code><s:Reason>\
             <s:Text xml:lang=\"da\">{0}: {1}</s:Text><s:Text xml:lang=\"en\">{0}: {2}</s:Text></s:Reason>\
             <s:Detail>{detail}</s:Detail></s:Fault>",
            entry.code,
            escape(&danish),
            escape(&english),
        ),
    }
    .into_bytes()
}

/// The HTTP status that goes with the fault.
pub fn status(version: Version, refusal: &Refusal) -> u16 {
    let entry = refusal.entry();
    match (entry.http, version, entry.party) {
        (Some(status), _, _) => status,
        (None, Version::V12, Party::Caller) => 400,
        _ => 500,
    }
}

fn fault_code(version: Version, refusal: &Refusal, party: Party) -> &'static str {
    match (refusal, version, party) {
        (Refusal::MustUnderstand { .. }, _, _) => "MustUnderstand",
        (Refusal::NotSoap, _, _) => "VersionMismatch",
        (_, Version::V11, Party::Caller) => "Client",
        (_, Version::V11, Party::Gateway) => "Server",
        (_, Version::V12, Party::Caller) => "Sender",
        (_, Version::V12, Party::Gateway) => "Receiver",
    }
}

fn error(code: &str, text: &str) -> String {
    format!("<spf:Error><spf:ErrorCode>{code}</spf:ErrorCode><spf:ErrorText>{}</spf:ErrorText></spf:Error>", escape(text))
}

/// Text in canonical form (Canonical XML 1.0 § 2.3).
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
    out
}
