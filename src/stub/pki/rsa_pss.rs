//! RSA keys, and RSASSA-PSS in place of the algorithm that rcgen writes.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256};
use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::asn1_rs::Sequence;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::{KeyBits, PkiError, made};

/// An RSA key as rcgen wants it, which signs as rcgen can: with PKCS#1 and SHA-256.
pub(super) struct RsaKey(rsa::KeyPair);

impl RsaKey {
    pub(super) fn new(pair: rsa::KeyPair) -> Self {
        Self(pair)
    }

    pub(super) fn of(key: &PrivateKeyDer<'_>) -> Result<Self, PkiError> {
        rsa::KeyPair::from_pkcs8(key.secret_der()).map(Self).map_err(made)
    }

    pub(super) fn generate(bits: KeyBits) -> Result<Self, PkiError> {
        let size = match bits {
            KeyBits::Bits2048 => KeySize::Rsa2048,
            KeyBits::Bits3072 => KeySize::Rsa3072,
        };
        rsa::KeyPair::generate(size).map(Self).map_err(made)
    }

    /// Makes `count` keys on all cores: searching for primes is most of a PKI's cost.
    pub(super) fn generate_many(bits: KeyBits, count: usize) -> Result<Vec<Self>, PkiError> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(count.max(1));
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..workers)
                .map(|worker| {
                    let share = count / workers + usize::from(worker < count % workers);
                    scope.spawn(move || (0..share).map(|_| Self::generate(bits)).collect::<Result<Vec<_>, _>>())
                })
                .collect();
            let mut keys = Vec::with_capacity(count);
            for worker in running {
                keys.extend(worker.join().map_err(|_| PkiError::Made("a worker stopped".to_owned()))??);
            }
            Ok(keys)
        })
    }

    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, PkiError> {
        let pkcs8 = self.0.as_der().map_err(made)?;
        Ok(PrivateKeyDer::Pkcs8(pkcs8.as_ref().to_vec().into()))
    }
}

impl PublicKeyData for RsaKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl SigningKey for RsaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature)
    }
}

/// AlgorithmIdentifier sha256WithRSAEncryption, as rcgen writes it.
const SHA256_WITH_RSA: &[u8] = &[48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 11, 5, 0];

/// AlgorithmIdentifier id-RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 4055, section 3.1).
const RSA_PSS_SHA256_SALT32: &[u8] = &[
    0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, // id-RSASSA-PSS
    0x30, 0x34, //
    0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, // SHA-256
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, // MGF1
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, // … with SHA-256
    0xa2, 0x03, 0x02, 0x01, 0x20, // salt 32
];

/// The certificate with RSASSA-PSS named as its algorithm, signed by `issuer`.
pub(super) fn with_pss(certificate: &CertificateDer<'_>, issuer: &RsaKey) -> Result<CertificateDer<'static>, PkiError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(made)?;
    Ok(signed_with_pss(naming_pss(parsed.tbs_certificate.as_ref())?, issuer, &[])?.into())
}

/// The revocation list with RSASSA-PSS named as its algorithm, signed by `issuer`.
pub(super) fn list_with_pss(list: &[u8], issuer: &RsaKey) -> Result<Vec<u8>, PkiError> {
    let (_, parsed) = CertificateRevocationList::from_der(list).map_err(made)?;
    signed_with_pss(naming_pss(parsed.tbs_cert_list.as_ref())?, issuer, &[])
}

/// The revocation list with one more extension, its signature broken: to be made anew by [`list_with_pss`].
pub(super) fn extended(list: &[u8], extension: &[u8]) -> Result<Vec<u8>, PkiError> {
    let (_, outer) = Sequence::from_der(list).map_err(made)?;
    let (rest, tbs) = Sequence::from_der(&outer.content).map_err(made)?;
    // The extensions come last, and rcgen's are two, of less than 128 bytes in all: [0] { SEQUENCE { … } }.
    let content = &*tbs.content;
    let place = (0..content.len()).rev().find(|place| {
        content.get(*place) == Some(&0xa0)
            && content.get(place + 1).is_some_and(|length| place + 2 + usize::from(*length) == content.len())
    });
    let (before, extensions) = content.split_at(place.ok_or_else(|| PkiError::Made("the list has no extensions".to_owned()))?);
    let all = value(0xa0, &[&value(0x30, &[extensions.get(4..).unwrap_or_default(), extension])]);
    Ok(value(0x30, &[&value(0x30, &[before, &all]), rest]))
}

/// What is to be signed, with the algorithm that it names in itself changed to RSASSA-PSS.
fn naming_pss(to_be_signed: &[u8]) -> Result<Vec<u8>, PkiError> {
    let (_, outer) = Sequence::from_der(to_be_signed).map_err(made)?;
    let content = &*outer.content;
    let place = content
        .windows(SHA256_WITH_RSA.len())
        .position(|window| window == SHA256_WITH_RSA)
        .ok_or_else(|| PkiError::Made("no signature algorithm is named".to_owned()))?;
    let (before, after) = content.split_at(place);
    let after = after.get(SHA256_WITH_RSA.len()..).unwrap_or_default();
    Ok(value(0x30, &[before, RSA_PSS_SHA256_SALT32, after]))
}

/// A SEQUENCE of what is signed, the algorithm, the signature, and `more`.
pub(super) fn signed_with_pss(tbs: Vec<u8>, issuer: &RsaKey, more: &[u8]) -> Result<Vec<u8>, PkiError> {
    let mut signature = vec![0; issuer.0.public_modulus_len()];
    issuer.0.sign(&RSA_PSS_SHA256, &SystemRandom::new(), &tbs, &mut signature).map_err(made)?;
    let bit_string = value(0x03, &[&[0], &signature]);
    Ok(value(0x30, &[&tbs, RSA_PSS_SHA256_SALT32, &bit_string, more]))
}

/// A DER value of the given tag over the joined parts, at most 65535 bytes in all.
pub(super) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let [.., high, low] = length.to_be_bytes();
    let mut out = match (high, low) {
        (0, ..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}
