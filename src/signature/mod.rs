//! XML signatures: exclusive canonicalisation, verification by position, and signing.
//!
//! No XML security library fits: none knows the STR-Transform that OIO IDWS demands, and all of them verify an *id*
//! and hand it back to a reader that finds "its" element by another way (signature wrapping, McIntosh & Austel 2005).
//! Here an element of the arena is verified, and that same element is used.
//!
//! - [`c14n`]: the canonical bytes, streamed into a digest.
//! - [`algorithms`]: the allow-list; a name that is not in it does not verify.
//! - [`credentials`]: own certificates and keys, as files hold them.
//! - [`key`]: certificates and keys, parsed once.
//! - [`verify`]: requests with a token, issued assertions, messages with a certificate, answers whose Body streams.
//! - [`sign`]: messages whose bytes are already their canonical form.
//! - [`write`](mod@write): text and attributes as canonical XML spells them.
//! - [`timestamp`]: `xs:dateTime` with a zone, and the WS-Security Timestamp.

pub mod algorithms;
mod answer;
pub mod base64;
pub mod c14n;
pub mod credentials;
pub mod ids;
pub mod key;
pub mod sign;
mod signed_info;
pub mod timestamp;
pub mod verify;
pub mod write;

/// Namespace names and other fixed strings of the specifications.
pub mod names {
    pub use crate::soap::names::{LIBERTY_SB as LIBERTY, SOAP11, SOAP12, WSA, WSA_ANONYMOUS as ANONYMOUS, WSSE, WSU};

    /// XML Signature.
    pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
    /// WS-Security 1.1: TokenType, SignatureConfirmation.
    pub const WSSE11: &str = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd";
    /// SAML 2.0 assertions.
    pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
    /// SAML 2.0 metadata.
    pub const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
    /// Exclusive canonicalisation, both the algorithm and the namespace of InclusiveNamespaces.
    pub const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
    /// The enveloped-signature transform.
    pub const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
    /// The STR-Transform, as real messages spell it.
    pub const STR_TRANSFORM: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform";
    /// Encoding of a BinarySecurityToken.
    pub const BASE64: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";
    /// Value type of a BinarySecurityToken with one certificate.
    pub const X509V3: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";
    /// Value type of a KeyIdentifier that holds a SAML 2.0 assertion's ID.
    pub const SAML_ID: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID";
    /// Token type of a SAML 2.0 assertion.
    pub const SAML_TOKEN: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0";
}
