//! Certificates and keys, parsed once and then only used.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{self, KeyPair as _, ParsedPublicKey};
use jiff::Timestamp;
use rustls_pki_types::PrivateKeyDer;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS,
};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate};

use super::algorithms::SignatureAlgorithm;
use crate::refusal::Detail;

/// Why a certificate or key cannot be used. Shown to operators, so it says what to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not one X.509 certificate in DER.
    #[error("this is not one X.509 certificate in DER; give the certificate alone, without anything after it")]
    NotCertificate,
    /// The key is neither RSA nor on P-256 or P-384.
    #[error("the public key is neither RSA nor ECDSA on P-256 or P-384")]
    KeyKind,
    /// The key may only sign with RSASSA-PSS.
    #[error(
        "the public key itself is restricted to RSASSA-PSS (a certificate *signed* with PSS is fine); use a key of type rsaEncryption"
    )]
    PssOnly,
    /// RSA outside 2048–8192 bits, or a key that is not valid.
    #[error("the public key is not valid, or RSA outside 2048-8192 bits")]
    KeyRejected,
    /// Not an RSA private key in PKCS#8 or PKCS#1.
    #[error("this is not an RSA private key in PKCS#8 or PKCS#1 of at least 2048 bits")]
    NotPrivateKey,
    /// The library could not sign.
    #[error("the signature could not be made")]
    Signing,
}

impl KeyError {
    /// The same to the caller, in both languages.
    pub fn describe(&self) -> Detail {
        let da = match self {
            KeyError::NotCertificate => {
                "det er ikke netop ét X.509-certifikat i DER; angiv certifikatet alene, uden noget efter det"
            }
            KeyError::KeyKind => "den offentlige nøgle er hverken RSA eller ECDSA på P-256 eller P-384",
            KeyError::PssOnly => {
                "den offentlige nøgle må kun bruges til RSASSA-PSS (et certifikat, der er *signeret* med PSS, kan bruges); brug en nøgle \
                 af typen rsaEncryption"
            }
            KeyError::KeyRejected => "den offentlige nøgle er ikke gyldig, eller RSA-nøglen er uden for 2048-8192 bit",
            KeyError::NotPrivateKey => "det er ikke en privat RSA-nøgle i PKCS#8 eller PKCS#1 på mindst 2048 bit",
            KeyError::Signing => "signaturen kunne ikke dannes",
        };
        Detail::new(da, self.to_string())
    }
}

enum Parsed {
    /// One parsed key for each digest: SHA-256, SHA-384, SHA-512.
    Rsa(Box<[ParsedPublicKey; 3]>),
    /// One parsed key for each digest: SHA-256, SHA-384; and the length of r and of s in bytes.
    Ecdsa(Box<[ParsedPublicKey; 2]>, usize),
}

/// A public key that may verify signatures. Cheap to clone; equal when the SubjectPublicKeyInfo is the same.
#[derive(Clone)]
pub struct VerificationKey {
    parsed: Arc<Parsed>,
    spki: Arc<[u8]>,
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}
impl Eq for VerificationKey {}

impl std::fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerificationKey")
    }
}

impl VerificationKey {
    /// The key of a certificate, in DER.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn from_certificate_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_spki(&parse_certificate(der)?.tbs_certificate.subject_pki)
    }

    /// Only the key's own type is looked at: a certificate that its issuer signed with RSASSA-PSS, as OCES3 does, holds
    /// an rsaEncryption key like any other.
    fn from_spki(spki: &SubjectPublicKeyInfo<'_>) -> Result<Self, KeyError> {
        let point = &*spki.subject_public_key.data;
        let parse = |algorithm| ParsedPublicKey::new(algorithm, point).map_err(|_| KeyError::KeyRejected);
        let kind = &spki.algorithm.algorithm;
        let parsed = if *kind == OID_PKCS1_RSAENCRYPTION {
            Parsed::Rsa(Box::new([
                parse(&signature::RSA_PKCS1_2048_8192_SHA256)?,
                parse(&signature::RSA_PKCS1_2048_8192_SHA384)?,
                parse(&signature::RSA_PKCS1_2048_8192_SHA512)?,
            ]))
        } else if *kind == OID_PKCS1_RSASSAPSS {
            return Err(KeyError::PssOnly);
        } else if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = spki.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).ok_or(KeyError::KeyKind)?;
            if curve == OID_EC_P256 {
                let both = [parse(&signature::ECDSA_P256_SHA256_ASN1)?, parse(&signature::ECDSA_P256_SHA384_ASN1)?];
                Parsed::Ecdsa(Box::new(both), 32)
            } else if curve == OID_NIST_EC_P384 {
                let both = [parse(&signature::ECDSA_P384_SHA256_ASN1)?, parse(&signature::ECDSA_P384_SHA384_ASN1)?];
                Parsed::Ecdsa(Box::new(both), 48)
            } else {
                return Err(KeyError::KeyKind);
            }
        } else {
            return Err(KeyError::KeyKind);
        };
        // aws-lc-rs bounds the modulus when it verifies; a short key must be refused before it is trusted.
        if matches!(parsed, Parsed::Rsa(_)) && !(2048..=8192).contains(&rsa_bits(spki)) {
            return Err(KeyError::KeyRejected);
        }
        Ok(Self { parsed: Arc::new(parsed), spki: spki.raw.into() })
    }

    /// Whether it verifies RSA signatures, and not those of elliptic curves.
    pub fn is_rsa(&self) -> bool {
        matches!(&*self.parsed, Parsed::Rsa(_))
    }

    /// Whether `signature`, as tools write one (of an elliptic key in DER), is this key's over `message` with SHA-256.
    pub fn verifies_sha256(&self, message: &[u8], signature: &[u8]) -> bool {
        let sha256 = match &*self.parsed {
            Parsed::Rsa(keys) => keys.first(),
            Parsed::Ecdsa(keys, _) => keys.first(),
        };
        sha256.is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }

    /// Whether `signature`, in the form that XML Signature writes it, is this key's over `message`.
    ///
    /// An algorithm of another family than the key's is simply not a signature by this key.
    pub fn verifies(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&*self.parsed, algorithm) {
            (Parsed::Rsa(keys), _) => {
                let [sha256, sha384, sha512] = &**keys;
                let key = match algorithm {
                    SignatureAlgorithm::RsaSha256 => sha256,
                    SignatureAlgorithm::RsaSha384 => sha384,
                    SignatureAlgorithm::RsaSha512 => sha512,
                    SignatureAlgorithm::EcdsaSha256 | SignatureAlgorithm::EcdsaSha384 => {
                        return false;
                    }
                };
                key.verify_sig(message, signature).is_ok()
            }
            (Parsed::Ecdsa(keys, size), _) => {
                let [sha256, sha384] = &**keys;
                let key = match algorithm {
                    SignatureAlgorithm::EcdsaSha256 => sha256,
                    SignatureAlgorithm::EcdsaSha384 => sha384,
                    _ => return false,
                };
                ecdsa_der(signature, *size).is_some_and(|der| key.verify_sig(message, &der).is_ok())
            }
        }
    }
}

fn rsa_bits(spki: &SubjectPublicKeyInfo<'_>) -> usize {
    match spki.parsed() {
        Ok(x509_parser::public_key::PublicKey::RSA(key)) => {
            let modulus = key.modulus.iter().skip_while(|byte| **byte == 0);
            let bytes = modulus.clone().count();
            let leading = modulus.clone().next().map_or(0, |byte| byte.leading_zeros() as usize);
            bytes * 8 - leading
        }
        _ => 0,
    }
}

/// r‖s, as XML Signature writes an ECDSA signature, to the DER that the library reads: it has no r‖s form for every
/// pair of curve and digest.
fn ecdsa_der(raw: &[u8], size: usize) -> Option<Vec<u8>> {
    if raw.len() != 2 * size {
        return None;
    }
    let mut content = Vec::with_capacity(raw.len() + 6);
    for number in raw.chunks(size) {
        let digits: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = usize::from(digits.first().is_none_or(|byte| byte & 0x80 != 0));
        content.extend([0x02, u8::try_from(digits.len() + sign).ok()?]);
        content.extend(std::iter::repeat_n(0, sign));
        content.extend(digits);
    }
    let mut der = vec![0x30, u8::try_from(content.len()).ok().filter(|length| *length < 0x80)?];
    der.extend(content);
    Some(der)
}

fn parse_certificate(der: &[u8]) -> Result<X509Certificate<'_>, KeyError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(KeyError::NotCertificate),
    }
}

/// One certificate with its key. Equal when the bytes are the same. Cheap to clone.
#[derive(Clone)]
pub struct Certificate {
    der: Arc<[u8]>,
    thumbprint: [u8; 32],
    key: VerificationKey,
    subject: Arc<str>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}
impl Eq for Certificate {}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.thumbprint_hex())
    }
}

impl Certificate {
    /// Reads one certificate in DER.
    ///
    /// # Errors
    /// See [`KeyError`]. A certificate that holds today or not is not asked here.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let parsed = parse_certificate(der)?;
        let instant = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| KeyError::NotCertificate);
        let mut thumbprint = [0; 32];
        for (to, from) in thumbprint.iter_mut().zip(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der).as_ref()) {
            *to = *from;
        }
        Ok(Self {
            der: der.into(),
            thumbprint,
            key: VerificationKey::from_spki(&parsed.tbs_certificate.subject_pki)?,
            subject: parsed.subject().to_string().into(),
            not_before: instant(parsed.validity().not_before.timestamp())?,
            not_after: instant(parsed.validity().not_after.timestamp())?,
        })
    }

    /// The bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
    /// SHA-256 of the bytes.
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }
    /// SHA-256 of the bytes in lower-case hexadecimal.
    pub fn thumbprint_hex(&self) -> String {
        crate::hex::encode(&self.thumbprint)
    }
    /// The key that verifies what its holder signs.
    pub fn key(&self) -> &VerificationKey {
        &self.key
    }
    /// The subject's name, for people to read.
    pub fn subject(&self) -> &str {
        &self.subject
    }
    /// The first instant of its validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }
    /// The last instant of its validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
    /// Whether `now` lies within its validity.
    pub fn valid_at(&self, now: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// A private RSA key that signs with RSA-SHA256. Cheap to clone; never printed.
#[derive(Clone)]
pub struct SigningKey(Arc<RsaKeyPair>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads an RSA key in PKCS#8.
    ///
    /// # Errors
    /// [`KeyError::NotPrivateKey`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        RsaKeyPair::from_pkcs8(der).map(|pair| Self(Arc::new(pair))).map_err(|_| KeyError::NotPrivateKey)
    }

    /// Reads an RSA key in PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// [`KeyError::NotPrivateKey`].
    pub fn from_der(der: &PrivateKeyDer<'_>) -> Result<Self, KeyError> {
        match der {
            PrivateKeyDer::Pkcs8(key) => Self::from_pkcs8_der(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => {
                RsaKeyPair::from_der(key.secret_pkcs1_der()).map(|pair| Self(Arc::new(pair))).map_err(|_| KeyError::NotPrivateKey)
            }
            _ => Err(KeyError::NotPrivateKey),
        }
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RsaSha256
    }

    /// Whether `certificate` holds the public half.
    pub fn belongs_to(&self, certificate: &Certificate) -> bool {
        parse_certificate(&certificate.der)
            .is_ok_and(|parsed| *parsed.tbs_certificate.subject_pki.subject_public_key.data == *self.0.public_key().as_ref())
    }

    /// Signs `message`.
    ///
    /// # Errors
    /// [`KeyError::Signing`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| KeyError::Signing)?;
        Ok(signature)
    }
}
