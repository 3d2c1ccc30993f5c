//! The allow-list of algorithms, and nothing beside it.
//!
//! What is not named here does not verify: no HMAC (a public key must never become a shared secret, CVE-2009-0217 and
//! CVE-2015-9235), no SHA-1, no MD5, no inclusive or commented canonicalisation, no transform that computes.

use aws_lc_rs::digest;

use crate::refusal::Refusal;
use crate::signature::c14n::Sink;

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name in a DigestMethod.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            Self::Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384",
            Self::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
        }
    }

    /// The algorithm of this exact name.
    ///
    /// # Errors
    /// `SignatureAlgorithm` for every other name.
    pub fn from_uri(uri: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|algorithm| algorithm.uri() == uri).ok_or_else(|| not_allowed(uri))
    }

    /// A digest to write into.
    pub fn context(self) -> Digester {
        Digester { context: digest::Context::new(self.implementation()), waiting: Vec::with_capacity(ENOUGH) }
    }

    /// The digest of bytes that are all here.
    pub fn of(self, bytes: &[u8]) -> digest::Digest {
        digest::digest(self.implementation(), bytes)
    }

    fn implementation(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// How many bytes wait before they are digested together: canonical bytes come a few at a time, and each call of the
/// library costs as much as digesting some fifty. No more than what the C library's allocator keeps at hand.
const ENOUGH: usize = 1024;

/// A digest that canonical bytes are written into as they come.
pub struct Digester {
    context: digest::Context,
    waiting: Vec<u8>,
}

impl Digester {
    /// The digest of all that was written.
    pub fn finish(mut self) -> digest::Digest {
        self.context.update(&self.waiting);
        self.context.finish()
    }
}

impl Sink for Digester {
    fn write(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > ENOUGH {
            self.context.update(&self.waiting);
            self.waiting.clear();
        }
        match bytes.len() > ENOUGH {
            true => self.context.update(bytes),
            false => self.waiting.extend_from_slice(bytes),
        }
    }
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    RsaSha256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    RsaSha384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    RsaSha512,
    /// ECDSA on P-256 or P-384 with SHA-256, the signature as r‖s.
    EcdsaSha256,
    /// ECDSA on P-256 or P-384 with SHA-384, the signature as r‖s.
    EcdsaSha384,
}

impl SignatureAlgorithm {
    const ALL: [Self; 5] = [Self::RsaSha256, Self::RsaSha384, Self::RsaSha512, Self::EcdsaSha256, Self::EcdsaSha384];

    /// The name in a SignatureMethod.
    pub fn uri(self) -> &'static str {
        match self {
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::RsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
            Self::RsaSha512 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            Self::EcdsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            Self::EcdsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        }
    }

    /// The algorithm of this exact name.
    ///
    /// # Errors
    /// `SignatureAlgorithm` for every other name.
    pub fn from_uri(uri: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|algorithm| algorithm.uri() == uri).ok_or_else(|| not_allowed(uri))
    }
}

/// The refusal of an algorithm, its name cut short, for it is untrusted.
pub(crate) fn not_allowed(uri: &str) -> Refusal {
    Refusal::SignatureAlgorithm { algorithm: uri.chars().take(120).collect() }
}

impl Sink for digest::Context {
    fn write(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}
