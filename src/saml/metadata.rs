//! The gateway's own metadata: the EntityDescriptor that is handed to the STS and to callers.

use crate::signature::key::{Certificate, SigningKey};
use crate::signature::names::{DSIG, METADATA, WSA};
use crate::signature::sign::{SignError, sign_enveloped};
use crate::signature::{base64, write};

/// What the metadata says.
#[derive(Debug, Clone, Copy)]
pub struct Entity<'a> {
    /// The service's entity id.
    pub entity_id: &'a str,
    /// The service's address.
    pub address: &'a str,
    /// The certificates that the gateway signs with: during a change of certificates, both.
    pub certificates: &'a [Certificate],
}

fn attribute(name: &str, value: &str) -> String {
    let mut out = Vec::new();
    write::attribute(&mut out, name, value);
    String::from_utf8_lossy(&out).into_owned()
}

impl Entity<'_> {
    /// An EntityDescriptor with a RoleDescriptor of type ApplicationServiceType (WS-Federation): what a web service is.
    /// An SPSSODescriptor would promise web single sign-on.
    pub fn to_xml(&self) -> String {
        self.write("")
    }

    /// The same, with an `ID` and an enveloped signature.
    ///
    /// # Errors
    /// See [`SignError`].
    pub fn to_signed_xml(&self, key: &SigningKey, certificate: &Certificate) -> Result<Vec<u8>, SignError> {
        sign_enveloped(self.write(" ID=\"entity\"").as_bytes(), key, certificate)
    }

    fn write(&self, id: &str) -> String {
        let mut keys = String::new();
        for certificate in self.certificates {
            keys.push_str("<md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>");
            keys.push_str(&base64::encode(certificate.der()));
            keys.push_str("</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>");
        }
        let mut address = Vec::new();
        write::text(&mut address, self.address);
        format!(
            "<md:EntityDescriptor xmlns:ds=\"{DSIG}\" xmlns:fed=\"http://docs.oasis-open.org/wsfed/federation/200706\" \
             xmlns:md=\"{METADATA}\" xmlns:wsa=\"{WSA}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"{id}{}>\
             <md:RoleDescriptor protocolSupportEnumeration=\"http://docs.oasis-open.org/ws-sx/ws-trust/200512\" \
             xsi:type=\"fed:ApplicationServiceType\">{keys}<fed:ApplicationServiceEndpoint><wsa:EndpointReference>\
             <wsa:Address>{}</wsa:Address></wsa:EndpointReference></fed:ApplicationServiceEndpoint></md:RoleDescriptor>\
             </md:EntityDescriptor>",
            attribute("entityID", self.entity_id),
            String::from_utf8_lossy(&address)
        )
    }
}
