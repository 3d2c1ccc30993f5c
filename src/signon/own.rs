//! The console as a service provider: its addresses, its keys, and its metadata.

use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};
use rustls_pki_types::PrivateKeyDer;

use super::names::{PERSISTENT, POST, REDIRECT, SAMLP, XENC, XENC11};
use super::{attribute, escaped};
use crate::signature::base64;
use crate::signature::credentials::Credentials;
use crate::signature::key::{Certificate, KeyError, SigningKey};
use crate::signature::names::{DSIG, METADATA};
use crate::signature::sign::{SignError, sign_enveloped};

/// The console, as identity providers know it.
pub struct Own {
    entity_id: String,
    consumer: String,
    log_out: String,
    key: SigningKey,
    certificate: Certificate,
    /// The newest first: a provider may encrypt for the one before, until it has fetched the metadata again.
    decrypting: Vec<OaepPrivateDecryptingKey>,
    certificates: Vec<Certificate>,
}

/// Why the console's own key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// The certificate or the key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key that decrypts must be in PKCS#8.
    #[error("the private key is not RSA in PKCS#8, which decryption needs; convert it with `openssl pkcs8 -topk8 -nocrypt`")]
    NotPkcs8,
    /// There is none.
    #[error("there is no certificate with its key")]
    None,
}

impl Own {
    /// `base` is the console's address without a slash at its end; `credentials` are its keys, the newest first.
    ///
    /// # Errors
    /// A key that cannot sign and decrypt.
    pub fn new(base: &str, entity_id: Option<&str>, credentials: &[Credentials]) -> Result<Self, OwnError> {
        let entity_id = entity_id.map_or_else(|| format!("{base}{}", Self::METADATA), str::to_owned);
        Self::at(entity_id, format!("{base}{}", Self::CONSUMER), format!("{base}{}", Self::LOG_OUT), credentials)
    }

    /// The same at addresses of another form.
    ///
    /// # Errors
    /// As [`Own::new`].
    pub fn at(entity_id: String, consumer: String, log_out: String, credentials: &[Credentials]) -> Result<Self, OwnError> {
        let newest = credentials.first().ok_or(OwnError::None)?;
        let certificates = credentials.iter().map(|one| Certificate::from_der(one.leaf())).collect::<Result<Vec<_>, _>>()?;
        let certificate = certificates.first().ok_or(OwnError::None)?.clone();
        let decrypting = credentials.iter().map(|one| decrypting(one.key())).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { entity_id, consumer, log_out, key: SigningKey::from_der(newest.key())?, certificate, decrypting, certificates })
    }

    /// Where the metadata are.
    pub const METADATA: &str = "/saml/metadata";
    /// Where responses are posted.
    pub const CONSUMER: &str = "/saml/acs";
    /// Where log-outs come.
    pub const LOG_OUT: &str = "/saml/logout";

    /// The entity id: the Audience of every assertion.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }
    /// The Assertion Consumer Service: Destination and Recipient of every response.
    pub fn consumer(&self) -> &str {
        &self.consumer
    }
    /// The address of log-out.
    pub fn log_out(&self) -> &str {
        &self.log_out
    }
    /// What signs requests.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
    /// What opens encrypted assertions.
    pub(super) fn decrypting(&self) -> &[OaepPrivateDecryptingKey] {
        &self.decrypting
    }

    /// The metadata, signed: what is put into the identity provider. It asks for AES-GCM, which some providers choose only
    /// where it is listed.
    ///
    /// # Errors
    /// The key did not sign.
    pub fn metadata(&self) -> Result<Vec<u8>, SignError> {
        let info = |certificate: &Certificate| {
            let der = base64::encode(certificate.der());
            format!("<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>")
        };
        let signing: String = self
            .certificates
            .iter()
            .map(|certificate| format!("<md:KeyDescriptor use=\"signing\">{}</md:KeyDescriptor>", info(certificate)))
            .collect();
        let methods = format!(
            "<md:EncryptionMethod Algorithm=\"{XENC11}aes256-gcm\"></md:EncryptionMethod>\
             <md:EncryptionMethod Algorithm=\"{XENC11}aes128-gcm\"></md:EncryptionMethod>\
             <md:EncryptionMethod Algorithm=\"{XENC}rsa-oaep-mgf1p\"></md:EncryptionMethod>\
             <md:EncryptionMethod Algorithm=\"{XENC11}rsa-oaep\"><ds:DigestMethod Algorithm=\"{XENC}sha256\"></ds:DigestMethod>\
             <xenc11:MGF xmlns:xenc11=\"{XENC11}\" Algorithm=\"{XENC11}mgf1sha256\"></xenc11:MGF></md:EncryptionMethod>"
        );
        let encryption = format!("<md:KeyDescriptor use=\"encryption\">{}{methods}</md:KeyDescriptor>", info(&self.certificate));
        let xml = format!(
            "<md:EntityDescriptor xmlns:ds=\"{DSIG}\" xmlns:md=\"{METADATA}\" ID=\"console\" entityID=\"{}\">\
             <md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\" \
             protocolSupportEnumeration=\"{SAMLP}\">{signing}{encryption}\
             <md:SingleLogoutService Binding=\"{REDIRECT}\" Location=\"{log_out}\"></md:SingleLogoutService>\
             <md:NameIDFormat>{PERSISTENT}</md:NameIDFormat>\
             <md:AssertionConsumerService Binding=\"{POST}\" Location=\"{}\" index=\"0\" isDefault=\"true\">\
             </md:AssertionConsumerService></md:SPSSODescriptor></md:EntityDescriptor>",
            attribute(&self.entity_id),
            attribute(&self.consumer),
            log_out = attribute(&self.log_out),
        );
        sign_enveloped(xml.as_bytes(), &self.key, &self.certificate)
    }

    /// The Issuer of what the console sends.
    pub(super) fn issuer(&self) -> String {
        format!("<saml:Issuer>{}</saml:Issuer>", escaped(&self.entity_id))
    }
}

fn decrypting(key: &PrivateKeyDer<'_>) -> Result<OaepPrivateDecryptingKey, OwnError> {
    let PrivateKeyDer::Pkcs8(der) = key else { return Err(OwnError::NotPkcs8) };
    let key = PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| OwnError::NotPkcs8)?;
    OaepPrivateDecryptingKey::new(key).map_err(|_| OwnError::NotPkcs8)
}
