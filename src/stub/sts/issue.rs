//! What the token service writes: assertions, the answer around them, and its metadata.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{PrivilegeGroup, StsMode};
use crate::signature::base64;
use crate::signature::key::{Certificate, SigningKey};
use crate::signature::names::{DSIG, METADATA, SAML, SAML_TOKEN, WSA, WSU};
use crate::signature::sign::{Prefix, SignError, sign_enveloped_as};
use crate::signature::write::{escaped, escaped_value as attribute};

/// What is to be asserted.
#[derive(Debug)]
pub struct Assertion<'a> {
    /// The STS's entity id.
    pub issuer: &'a str,
    /// The entity id of the service that the token is for.
    pub audience: &'a str,
    /// The authority's CVR number.
    pub cvr: &'a str,
    /// The certificate whose key the token's holder must prove.
    pub holder: &'a Certificate,
    /// What the holder may do.
    pub groups: &'a [PrivilegeGroup],
    /// From when, and for how long.
    pub from: Timestamp,
    /// How long it holds.
    pub lifetime: SignedDuration,
}

impl Assertion<'_> {
    /// Writes and signs the assertion, laid out as KOMBIT's STS does: clients in the field rebuild it, and read its attributes
    /// by their position.
    ///
    /// # Errors
    /// The key did not sign.
    pub fn signed(&self, certificate: &Certificate, key: &SigningKey) -> Result<Vec<u8>, SignError> {
        let until = self.from.saturating_add(self.lifetime).unwrap_or(self.from);
        let (from, until) = (format!("{:.3}", self.from), format!("{until:.3}"));
        let attributes: String = [
            ("dk:gov:saml:attribute:CvrNumberIdentifier", self.cvr.to_owned()),
            ("dk:gov:saml:attribute:AssuranceLevel", "3".to_owned()),
            ("dk:gov:saml:attribute:SpecVer", "DK-SAML-2.0".to_owned()),
            ("dk:gov:saml:attribute:KombitSpecVer", "1.0".to_owned()),
            ("dk:gov:saml:attribute:Privileges_intermediate", privileges(self.groups)),
        ]
        .iter()
        .map(|(name, value)| {
            format!(
                "<Attribute Name=\"{name}\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\">\
                 <AttributeValue>{value}</AttributeValue></Attribute>"
            )
        })
        .collect();
        let id = Uuid::new_v4();
        let issuer = escaped(self.issuer);
        let audience = escaped(self.audience);
        let recipient = attribute(self.audience);
        let subject = escaped(self.holder.subject());
        let holder = base64::encode(self.holder.der());
        let xml = format!(
            "<Assertion ID=\"_{id}\" IssueInstant=\"{from}\" Version=\"2.0\" xmlns=\"{SAML}\">\
             <Issuer Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:entity\">{issuer}</Issuer>\
             <Subject>\
             <NameID Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName\">{subject}</NameID>\
             <SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:holder-of-key\">\
             <SubjectConfirmationData a:type=\"KeyInfoConfirmationDataType\" NotBefore=\"{from}\" NotOnOrAfter=\"{until}\" \
             Recipient=\"{recipient}\" xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\">\
             <KeyInfo xmlns=\"{DSIG}\"><X509Data><X509Certificate>{holder}</X509Certificate></X509Data></KeyInfo>\
             </SubjectConfirmationData></SubjectConfirmation></Subject>\
             <Conditions NotBefore=\"{from}\" NotOnOrAfter=\"{until}\">\
             <AudienceRestriction><Audience>{audience}</Audience></AudienceRestriction></Conditions>\
             <AttributeStatement>{attributes}</AttributeStatement>\
             <AuthnStatement AuthnInstant=\"{from}\"><AuthnContext>\
             <AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:X509</AuthnContextClassRef>\
             </AuthnContext></AuthnStatement></Assertion>"
        );
        sign_enveloped_as(Prefix::None, xml.as_bytes(), key, certificate)
    }
}

/// The basic privilege profile, base64 of a document of its own.
fn privileges(groups: &[PrivilegeGroup]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><bpp:PrivilegeList xmlns:bpp=\"http://itst.dk/oiosaml/basic_privilege_profile\">",
    );
    for group in groups {
        xml.push_str(&format!("<PrivilegeGroup Scope=\"urn:dk:gov:saml:cvrNumberIdentifier:{}\">", attribute(&group.scope)));
        for privilege in &group.privileges {
            xml.push_str(&format!("<Privilege>{}</Privilege>", escaped(privilege)));
        }
        for (name, value) in &group.constraints {
            xml.push_str(&format!("<Constraint Name=\"{}\">{}</Constraint>", attribute(name), escaped(value)));
        }
        xml.push_str("</PrivilegeGroup>");
    }
    xml.push_str("</bpp:PrivilegeList>");
    base64::encode(xml.as_bytes())
}

/// The body of the answer to a request for a token.
pub fn response(context: Option<&str>, applies_to: &str, assertion: &[u8], from: Timestamp, until: Timestamp) -> String {
    let context = context.map_or(String::new(), |context| format!(" Context=\"{}\"", attribute(context)));
    let applies_to = escaped(applies_to);
    // Written by this service a moment ago, so it is UTF-8.
    let assertion = String::from_utf8_lossy(assertion);
    format!(
        "<wst:RequestSecurityTokenResponseCollection xmlns:wst=\"{WST}\"><wst:RequestSecurityTokenResponse{context}>\
         <wst:TokenType>{SAML_TOKEN}</wst:TokenType>\
         <wsp:AppliesTo xmlns:wsp=\"http://schemas.xmlsoap.org/ws/2004/09/policy\"><wsa:EndpointReference xmlns:wsa=\"{WSA}\">\
         <wsa:Address>{applies_to}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>\
         <wst:RequestedSecurityToken>{assertion}</wst:RequestedSecurityToken>\
         <wst:Lifetime><wsu:Created xmlns:wsu=\"{WSU}\">{from:.3}</wsu:Created><wsu:Expires xmlns:wsu=\"{WSU}\">{until:.3}</wsu:Expires></wst:Lifetime>\
         </wst:RequestSecurityTokenResponse></wst:RequestSecurityTokenResponseCollection>"
    )
}

/// WS-Trust 1.3.
pub const WST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";

/// The service's SAML metadata, which names every certificate it may sign with.
pub fn metadata(entity_id: &str, location: &str, certificates: &[Certificate]) -> String {
    let keys: String = certificates
        .iter()
        .map(|certificate| {
            format!(
                "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate>\
                 </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                base64::encode(certificate.der())
            )
        })
        .collect();
    format!(
        "<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\">\
         <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol {WST}\">{keys}\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:SOAP\" Location=\"{}\"></md:SingleSignOnService>\
         </md:IDPSSODescriptor></md:EntityDescriptor>",
        attribute(entity_id),
        attribute(location)
    )
}

/// Does to an assertion what the mode asks for.
pub fn spoil(mode: StsMode, assertion: Vec<u8>) -> Vec<u8> {
    match mode {
        StsMode::BadSignature => {
            let text = String::from_utf8_lossy(&assertion);
            text.replacen("<AttributeValue>3</AttributeValue>", "<AttributeValue>4</AttributeValue>", 1).into_bytes()
        }
        _ => assertion,
    }
}
