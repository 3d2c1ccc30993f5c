//! Parties with keys, and the messages they make.

use std::sync::LazyLock;

use bytes::Bytes;
use hjemmel::refusal::Refusal;
use hjemmel::saml::trust::{Issuer, Trust};
use hjemmel::saml::{Expectations, Identity, authenticate};
use hjemmel::signature::base64;
use hjemmel::signature::c14n::canonical_bytes;
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::signature::names::{DSIG, WSSE};
use hjemmel::signature::sign::{self, Message, SoapVersion, Token};
use hjemmel::signature::verify::Parts;
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::strict::Limits;
use jiff::{SignedDuration, Timestamp};

pub const ENTITY: &str = "http://entityid.hjemmel.example/service/terminaladgang/6";
pub const ISSUER: &str = "https://sts.hjemmel.example/runtime";

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

pub fn trust() -> Trust {
    Trust::new(vec![Issuer::from_certificates(ISSUER, vec![STS.certificate.clone()]).unwrap()])
}

/// The assertion before it is signed.
pub fn assertion() -> String {
    let privileges = base64::encode(
        br#"<b:PrivilegeList xmlns:b="http://itst.dk/oiosaml/basic_privilege_profile"><PrivilegeGroup Scope="urn:dk:gov:saml:cvrNumberIdentifier:11111111"><Privilege>http://hjemmel.example/roles/terminaladgang/1</Privilege></PrivilegeGroup></b:PrivilegeList>"#,
    );
    let attribute = |name: &str, value: &str| {
        format!(
            "<Attribute Name=\"dk:gov:saml:attribute:{name}\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\">\
             <AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" a:type=\"xs:string\" \
             xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\">{value}</AttributeValue></Attribute>"
        )
    };
    format!(
        "<Assertion xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_token\" IssueInstant=\"2026-11-22T11:00:00Z\" Version=\"2.0\">\
         <Issuer>{ISSUER}</Issuer><Subject><NameID>C=DK,CN=client &amp; co</NameID>\
         <SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:holder-of-key\"><SubjectConfirmationData \
         a:type=\"KeyInfoConfirmationDataType\" NotBefore=\"2026-11-22T11:00:00Z\" NotOnOrAfter=\"2026-11-22T19:00:00Z\" \
         Recipient=\"{ENTITY}\" xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\"><KeyInfo xmlns=\"{DSIG}\"><X509Data>\
         <X509Certificate>{}</X509Certificate></X509Data></KeyInfo></SubjectConfirmationData></SubjectConfirmation></Subject>\
         <Conditions NotBefore=\"2026-11-22T11:00:00Z\" NotOnOrAfter=\"2026-11-22T19:00:00Z\"><AudienceRestriction>\
         <Audience>{ENTITY}</Audience></AudienceRestriction></Conditions><AttributeStatement>{}{}{}{}{}</AttributeStatement>\
         <AuthnStatement AuthnInstant=\"2026-11-22T11:00:00Z\"><AuthnContext><AuthnContextClassRef>\
         urn:oasis:names:tc:SAML:2.0:ac:classes:X509</AuthnContextClassRef></AuthnContext></AuthnStatement></Assertion>",
        base64::encode(CLIENT.certificate.der()),
        attribute("CvrNumberIdentifier", "11111111"),
        attribute("AssuranceLevel", "3"),
        attribute("SpecVer", "DK-SAML-2.0"),
        attribute("KombitSpecVer", "1.0"),
        attribute("Privileges_intermediate", &privileges),
    )
}

pub fn issued(assertion: &str) -> Token {
    issued_by(assertion, &STS)
}

pub fn issued_by(assertion: &str, issuer: &Party) -> Token {
    Token::from_bytes(&sign::sign_enveloped(assertion.as_bytes(), &issuer.key, &issuer.certificate).unwrap()).unwrap()
}

pub fn message(version: SoapVersion) -> Message<'static> {
    Message {
        version,
        action: Some("urn:example:fremsoeg"),
        message_id: "urn:uuid:00000000-0000-4000-8000-000000000001",
        relates_to: None,
        to: Some("https://hjemmel.example/service?a=1&b=\"2\""),
        reply_to: true,
        framework: true,
        created: "2026-11-22T11:59:30.5Z".parse().unwrap(),
        lifetime: SignedDuration::from_mins(5),
        extra_headers: &[],
        body: b"<q:Search xmlns:q=\"urn:example:q\" kind=\"a\"><q:Person>6101801234</q:Person>\n<Empty></Empty></q:Search>",
    }
}

/// A whole signed request of SOAP 1.2.
pub fn request() -> String {
    request_with(&issued(&assertion()), &CLIENT)
}

pub fn request_with(token: &Token, holder: &Party) -> String {
    String::from_utf8(sign::with_token(&message(SoapVersion::V12), token, &holder.key).unwrap()).unwrap()
}

pub fn parse(xml: &str) -> Result<Document, Refusal> {
    Document::parse(Bytes::copy_from_slice(xml.as_bytes()), &Limits::default())
}

pub fn parts(document: &Document) -> Option<Parts<'_>> {
    let root = document.root();
    let header = root.only(root.namespace(), "Header").ok()??;
    let body = root.only(root.namespace(), "Body").ok()??;
    let security = header.only(WSSE, "Security").ok()??;
    Some(Parts { header, security, body, must_cover: Vec::new() })
}

pub fn accept(xml: &str) -> Result<Identity, Refusal> {
    accept_at(xml, now())
}

pub fn accept_at(xml: &str, now: Timestamp) -> Result<Identity, Refusal> {
    let document = parse(xml)?;
    // As the envelope's reader does: two Bodies, Headers or Securities have no place to stand.
    let parts = parts(&document).ok_or(Refusal::EnvelopeStructure { what: "in the test".into() })?;
    authenticate(&document, &parts, &Expectations::new(&trust(), ENTITY), now).map(|(identity, _)| identity)
}

/// What stands from `from` to the end of the next `to`.
pub fn piece<'x>(xml: &'x str, from: &str, to: &str) -> &'x str {
    let start = xml.find(from).unwrap_or_else(|| panic!("no {from} in {xml}"));
    let end = xml[start..].find(to).unwrap_or_else(|| panic!("no {to} in {xml}")) + start + to.len();
    &xml[start..end]
}

/// The message's Signature (behind the STR; the token has its own before).
pub fn message_signature(xml: &str) -> &str {
    let start = xml.find("</wsse:SecurityTokenReference><ds:Signature").unwrap() + "</wsse:SecurityTokenReference>".len();
    &xml[start..start + xml[start..].find("</ds:Signature>").unwrap() + "</ds:Signature>".len()]
}

/// Replaces inside the message's Signature only.
pub fn in_signature(xml: &str, from: &str, to: &str) -> String {
    let signature = message_signature(xml);
    assert!(signature.contains(from), "{from} is in {signature}");
    xml.replace(signature, &signature.replace(from, to))
}

/// Signs SignedInfo of the message anew, as the holder of the key can: what is left to refuse is what it covers.
pub fn resign(xml: &str) -> String {
    let document = parse(xml).unwrap();
    let security = parts(&document).unwrap().security;
    let signature = security.named(DSIG, "Signature").last().unwrap();
    let info: Element<'_> = signature.named(DSIG, "SignedInfo").next().unwrap();
    let value = base64::encode(&CLIENT.key.sign(&canonical_bytes(info)).unwrap());
    let old = signature.named(DSIG, "SignatureValue").next().unwrap();
    let range = old.source_range();
    format!("{}<ds:SignatureValue>{value}</ds:SignatureValue>{}", &xml[..range.start], &xml[range.end..])
}

/// The reference to `id` in the message's Signature.
pub fn reference<'x>(xml: &'x str, id: &str) -> &'x str {
    piece(xml, &format!("<ds:Reference URI=\"#{id}\">"), "</ds:Reference>")
}
