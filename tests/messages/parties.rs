//! The parties of the messages, and the time. The attacks over the wire have parties of their own.

use std::sync::LazyLock;

use hjemmel::signature::base64;
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::signature::sign::Message;
use jiff::Timestamp;

pub const ENTITY: &str = "http://entityid.hjemmel.example/service/terminaladgang/6";
pub const ISSUER: &str = "https://sts.hjemmel.example/runtime";

/// The payload of the messages, and places in it.
pub const XML: &str =
    "<q:Search xmlns:q=\"urn:example:q\" kind=\"a\"><q:Person>6101801234</q:Person>\n<Empty></Empty></q:Search>";
pub const OPEN: &str = "<q:Search ";
pub const END: &str = "</q:Search>";
pub const INNER: &str = "<Empty>";
pub const NAMESPACE: &str = "xmlns:q=\"urn:example:q\"";
pub const PERSON: &str = "6101801234";

pub struct Party {
    pub key: SigningKey,
    pub certificate: Certificate,
}

impl Party {
    fn new(name: &str) -> Self {
        let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2028, 1, 1);
        let certificate = parameters.self_signed(&pair).unwrap();
        Self {
            key: SigningKey::from_pkcs8_der(&pair.serialize_der()).unwrap(),
            certificate: Certificate::from_der(certificate.der()).unwrap(),
        }
    }

    pub fn pem(&self) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64::encode(self.certificate.der()))
    }
}

pub static STS: LazyLock<Party> = LazyLock::new(|| Party::new("STS"));
pub static CLIENT: LazyLock<Party> = LazyLock::new(|| Party::new("client"));
/// Someone with a key and a certificate of the same name as the STS, whom nobody trusts.
pub static STRANGER: LazyLock<Party> = LazyLock::new(|| Party::new("STS"));

pub fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Identifies a message in what only this world knows of it.
pub fn named(message: Message<'static>) -> Message<'static> {
    Message {
        action: Some("urn:example:fremsoeg"),
        message_id: "urn:uuid:00000000-0000-4000-8000-000000000001",
        to: Some("https://hjemmel.example/service?a=1&b=\"2\""),
        body: XML.as_bytes(),
        ..message
    }
}
