//! Messages that are good, and the hands to forge them with. What they are forged into stands in the modules below.
//!
//! The same messages are judged by the library (`tests/messages`) and sent over TLS (`tests/attacks`): whoever includes
//! this module has a module `parties` with the keys, the time and the payload.

pub mod algorithms;
pub mod references;
pub mod tokens;
pub mod wrapping;

use bytes::Bytes;
use hjemmel::refusal::Refusal;
use hjemmel::saml::trust::{Issuer, Trust};
use hjemmel::saml::{Expectations, Identity, authenticate};
use hjemmel::signature::base64;
use hjemmel::signature::c14n::canonical_bytes;
use hjemmel::signature::names::{DSIG, LIBERTY, WSSE};
use hjemmel::signature::sign::{self, Message, SoapVersion, Token};
use hjemmel::signature::verify::Parts;
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::strict::Limits;
use jiff::{SignedDuration, Timestamp};

pub use crate::parties::*;

pub fn trust() -> Trust {
    Trust::new(vec![Issuer::from_certificates(ISSUER, vec![STS.certificate.clone()]).unwrap()])
}

/// The assertion before it is signed.
pub fn assertion() -> String {
    let privileges = base64::encode(
        br#"<b:PrivilegeList xmlns:b="http://itst.dk/oiosaml/basic_privilege_profile"><PrivilegeGroup Scope="urn:dk:gov:saml:cvrNumberIdentifier:11111111"><Privilege>http://hjemmel.example/roles/usersystemrole/terminaladgang/1</Privilege></PrivilegeGroup></b:PrivilegeList>"#,
    );
    let attribute = |name: &str, value: &str| {
        format!(
            "<Attribute Name=\"dk:gov:saml:attribute:{name}\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\">\
             <AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" a:type=\"xs:string\" \
             xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\">{value}</AttributeValue></Attribute>"
        )
    };
    let (from, until) = (at(-3600), at(7 * 3600));
    format!(
        "<Assertion xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_token\" IssueInstant=\"{from}\" Version=\"2.0\">\
         <Issuer>{ISSUER}</Issuer><Subject><NameID>C=DK,CN=client &amp; co</NameID>\
         <SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:holder-of-key\"><SubjectConfirmationData \
         a:type=\"KeyInfoConfirmationDataType\" NotBefore=\"{from}\" NotOnOrAfter=\"{until}\" \
         Recipient=\"{ENTITY}\" xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\"><KeyInfo xmlns=\"{DSIG}\"><X509Data>\
         <X509Certificate>{}</X509Certificate></X509Data></KeyInfo></SubjectConfirmationData></SubjectConfirmation></Subject>\
         <Conditions NotBefore=\"{from}\" NotOnOrAfter=\"{until}\"><AudienceRestriction>\
         <Audience>{ENTITY}</Audience></AudienceRestriction></Conditions><AttributeStatement>{}{}{}{}{}</AttributeStatement>\
         <AuthnStatement AuthnInstant=\"{from}\"><AuthnContext><AuthnContextClassRef>\
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

/// The instant so many seconds from now, as messages write it.
pub fn at(seconds: i64) -> String {
    (now() + SignedDuration::from_secs(seconds)).to_string()
}

pub fn message(version: SoapVersion) -> Message<'static> {
    named(Message {
        version,
        action: None,
        message_id: "",
        relates_to: None,
        to: None,
        reply_to: true,
        framework: true,
        created: now() - SignedDuration::from_millis(29_500),
        lifetime: SignedDuration::from_mins(5),
        extra_headers: &[],
        body: b"",
    })
}

/// A whole signed request of SOAP 1.2.
pub fn request() -> String {
    request_in(SoapVersion::V12)
}

/// A whole signed request.
pub fn request_in(version: SoapVersion) -> String {
    String::from_utf8(sign::with_token(&message(version), &issued(&assertion()), &CLIENT.key).unwrap()).unwrap()
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
    let must_cover = header.elements().filter(|block| block.namespace() == LIBERTY).collect();
    Some(Parts { header, security, body, must_cover })
}

pub fn accept(xml: &str) -> Result<Identity, Refusal> {
    accept_at(xml, now())
}

pub fn accept_at(xml: &str, now: Timestamp) -> Result<Identity, Refusal> {
    let document = parse(xml)?;
    // As the envelope's reader does: two Bodies, Headers or Securities have no place to stand.
    let parts =
        parts(&document).ok_or(Refusal::EnvelopeStructure { what: hjemmel::refusal::Detail::new("i testen", "in the test") })?;
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

/// Each case: the reason, the forged message, and the codes that may refuse it.
pub type Case = (&'static str, String, &'static [&'static str]);

/// A row of the catalogue of attacks, and messages of that kind.
pub struct Group {
    pub row: u8,
    pub sentence: &'static str,
    pub cases: Vec<Case>,
}

const STRUCTURE: &[&str] = &["SecurityStructure"];
const COVERAGE: &[&str] = &["SignatureCoverage"];
const ALGORITHM: &[&str] = &["SignatureAlgorithm"];
const IDS: &[&str] = &["DuplicateId", "SecurityStructure"];

/// The message as it is, after its Signature was edited and its holder signed it again.
fn signed_again(xml: &str, from: &str, to: &str) -> String {
    resign(&in_signature(xml, from, to))
}

/// Every forged message, each group made from a good message of its own.
pub fn groups() -> Vec<Group> {
    [
        (1, "a forged assertion is refused wherever the real one went", wrapping::token as fn() -> Vec<Case>),
        (2, "a signed part that was moved away does not cover what stands in its place", wrapping::parts),
        (2, "a Signature in Body is content and takes nobody's place", wrapping::signatures_in_body),
        (3, "one id names one element whatever the attribute is called", wrapping::ids),
        (4, "a signature that covers too little is refused though it is valid", wrapping::coverage),
        (5, "the reference to the token leads to the one token and nowhere else", references::token),
        (5, "the reference in KeyInfo leads to the one token and nowhere else", references::key_info),
        (6, "no transform computes anything", references::transforms),
        (7, "a namespace that canonicalisation cannot write is no way to an empty digest", references::void),
        (8, "only the algorithms of the list verify", algorithms::algorithms),
        (9, "the message does not say which key is trusted", algorithms::keys),
        (10, "SignedInfo is read once and whole", algorithms::signed_info),
        (11, "a signed text is read whole or not at all", algorithms::split_text),
        (12, "a token counts for the holder of its key alone", tokens::holder),
        (13, "a token counts for this service, from its issuer, under conditions that are known", tokens::audience),
        (14, "a token counts in its time", tokens::time),
        (14, "a Timestamp counts in its time, and says it in one way", tokens::timestamp),
        (16, "the authority and its privileges are said once and plainly", tokens::attributes),
    ]
    .into_iter()
    .map(|(row, sentence, cases)| Group { row, sentence, cases: cases() })
    .collect()
}
