//! A refusal as a SOAP fault: canonical bytes, ready to be signed or sent as they stand.

use super::envelope::Version;
use super::names::{SERVICEPLATFORM_FAULT, SOAP11, SOAP12};
use crate::refusal::{Party, Refusal};

/// The codes of both versions' faults: SOAP 1.1, section 4.4.1; SOAP 1.2 part 1, section 5.4.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The root is not the Envelope of the version.
    VersionMismatch,
    /// A header that demands to be understood is not.
    MustUnderstand,
    /// A part is encoded by rules that are not known here.
    DataEncodingUnknown,
    /// The caller's fault.
    Sender,
    /// The gateway's, or of what stands behind it.
    Receiver,
}

impl Code {
    /// The code of a refusal.
    pub fn of(refusal: &Refusal) -> Self {
        match (refusal, refusal.entry().party) {
            (Refusal::NotSoap | Refusal::ContentTypeMismatch { .. }, _) => Code::VersionMismatch,
            (Refusal::MustUnderstand { .. }, _) => Code::MustUnderstand,
            (Refusal::DataEncodingUnknown { .. }, _) => Code::DataEncodingUnknown,
            (_, Party::Caller) => Code::Sender,
            (_, Party::Gateway) => Code::Receiver,
        }
    }

    /// What the version calls it. SOAP 1.1 has no code for an encoding; the caller chose it.
    pub fn name(self, version: Version) -> &'static str {
        match (self, version) {
            (Code::VersionMismatch, _) => "VersionMismatch",
            (Code::MustUnderstand, _) => "MustUnderstand",
            (Code::DataEncodingUnknown, Version::V12) => "DataEncodingUnknown",
            (Code::Sender | Code::DataEncodingUnknown, Version::V11) => "Client",
            (Code::Sender, Version::V12) => "Sender",
            (Code::Receiver, Version::V11) => "Server",
            (Code::Receiver, Version::V12) => "Receiver",
        }
    }

    /// The HTTP status that goes with it: 500 for every fault of SOAP 1.1 (section 6.2), and in SOAP 1.2 (part 2, table 20)
    /// for all but `Sender`, for which the installation chooses.
    pub fn status(self, version: Version, sender: u16) -> u16 {
        match (self, version) {
            (Code::Sender, Version::V12) => sender,
            _ => 500,
        }
    }
}

/// The content of `Body` for a refusal: a `Fault` with the platform's `ServiceplatformFault` as its detail.
///
/// The detail's schema is closed: one `Error` a language, Danish first, the code the same, remedy and call id inside the
/// text. The bytes are in exclusive canonical form and declare their own namespaces.
pub fn body(version: Version, refusal: &Refusal, call_id: &str) -> Vec<u8> {
    body_with(version, refusal, call_id, "")
}

/// The same, with an element in canonical form beside the platform's in the detail: a fault of the provider's own.
pub fn body_with(version: Version, refusal: &Refusal, call_id: &str, beside: &str) -> Vec<u8> {
    let entry = refusal.entry();
    let (danish, english) = (entry.error_text_da(call_id), entry.error_text_en(call_id));
    let detail = format!(
        "<spf:ServiceplatformFault xmlns:spf=\"{SERVICEPLATFORM_FAULT}\"><spf:ErrorList>{}{}</spf:ErrorList></spf:ServiceplatformFault>{beside}",
        error(entry.code, &danish),
        error(entry.code, &english),
    );
    let soap = version.namespace();
    let code = Code::of(refusal).name(version);
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

/// The HTTP status that goes with the fault, where a fault of SOAP 1.2 that is the sender's goes out with `sender`.
pub fn status(version: Version, refusal: &Refusal, sender: u16) -> u16 {
    refusal.entry().http.unwrap_or_else(|| Code::of(refusal).status(version, sender))
}

/// The version in which a refusal is told to a caller whose HTTP headers promised `promised`. Where the envelope is of the
/// other one, that is SOAP 1.1 either way (SOAP 1.2 part 1, appendix A).
pub fn version(promised: Version, refusal: &Refusal) -> Version {
    match refusal {
        Refusal::ContentTypeMismatch { .. } => Version::V11,
        _ => promised,
    }
}

/// The header blocks that SOAP puts beside a fault: which versions are taken (SOAP 1.2 part 1, section 5.4.7; in a SOAP 1.1
/// message by appendix A), and in SOAP 1.2 each header that was not understood (section 5.4.8).
pub fn headers(version: Version, refusal: &Refusal) -> String {
    match (refusal, version) {
        (Refusal::NotSoap | Refusal::ContentTypeMismatch { .. }, _) => format!(
            "<u:Upgrade xmlns:u=\"{SOAP12}\"><u:SupportedEnvelope xmlns:e=\"{SOAP12}\" qname=\"e:Envelope\"></u:SupportedEnvelope>\
             <u:SupportedEnvelope xmlns:e=\"{SOAP11}\" qname=\"e:Envelope\"></u:SupportedEnvelope></u:Upgrade>"
        ),
        (Refusal::MustUnderstand { headers }, Version::V12) => headers
            .sayable()
            .map(|header| {
                let namespace = escape(&header.namespace).replace('"', "&quot;");
                format!(
                    "<n:NotUnderstood xmlns:h=\"{namespace}\" xmlns:n=\"{SOAP12}\" qname=\"h:{}\"></n:NotUnderstood>",
                    header.local
                )
            })
            .collect(),
        _ => String::new(),
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
