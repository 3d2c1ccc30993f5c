//! Who signs: RSA keys whose certificates are signed with RSASSA-PSS, as OCES3 has it, elliptic keys, and a stranger.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use hjemmel::clock::Clock;
use hjemmel::signature::base64;
use hjemmel::signature::key::Certificate;
use hjemmel::stub::pki::{DevPki, KeyBits, Leaf, Usage};

enum Key {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

/// A key and its certificate.
pub struct Party {
    pub name: &'static str,
    pub certificate: Certificate,
    key: Key,
}

impl Party {
    fn rsa(pki: &DevPki, name: &'static str) -> Self {
        let day = |text: &str| text.parse().unwrap();
        let leaf = Leaf {
            common_name: name.to_owned(),
            organization: "Korsbæk Kommune (test)".to_owned(),
            cvr: "11111111".to_owned(),
            uuid: "00000000-0000-4000-8000-000000000001".to_owned(),
            usage: Usage::System,
            not_before: day("2026-01-01T00:00:00Z"),
            not_after: day("2028-01-01T00:00:00Z"),
        };
        let credentials = pki.issue(&leaf).unwrap();
        let key = RsaKeyPair::from_pkcs8(credentials.key().secret_der()).unwrap();
        Self { name, certificate: Certificate::from_der(credentials.leaf()).unwrap(), key: Key::Rsa(Box::new(key)) }
    }

    fn elliptic(name: &'static str, large: bool) -> Self {
        let (kind, algorithm) = match large {
            false => (&rcgen::PKCS_ECDSA_P256_SHA256, &ECDSA_P256_SHA256_FIXED_SIGNING),
            true => (&rcgen::PKCS_ECDSA_P384_SHA384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        };
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = parameters.self_signed(&pair).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, &pair.serialize_der()).unwrap();
        let key = if large { Key::P384(key) } else { Key::P256(key) };
        Self { name, certificate: Certificate::from_der(certificate.der()).unwrap(), key }
    }

    /// The names of the signature algorithms that this key can make.
    pub fn algorithms(&self) -> &'static [&'static str] {
        match self.key {
            Key::Rsa(_) => &[
                "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
                "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            ],
            Key::P256(_) => &["http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"],
            Key::P384(_) => &["http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"],
        }
    }

    /// The signature by the algorithm of that name, or by the key's own where the name is none that it can make.
    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Rsa(key) => {
                let encoding = match algorithm.rsplit('#').next() {
                    Some("rsa-sha384") => &signature::RSA_PKCS1_SHA384,
                    Some("rsa-sha512") => &signature::RSA_PKCS1_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut value = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut value).unwrap();
                value
            }
            Key::P256(key) | Key::P384(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    pub fn pem(&self) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64::encode(self.certificate.der()))
    }
}

/// All of them, each with its own key: of issuers, holders and strangers an RSA key, one on P-256 and one on P-384.
pub struct Parties {
    pub issuers: Vec<Party>,
    pub holders: Vec<Party>,
    pub strangers: Vec<Party>,
}

impl Parties {
    pub fn new() -> Self {
        // At the instant of the messages: nothing here depends on the day on which it is run.
        let at = "2026-11-22T12:00:00Z".parse().unwrap();
        let pki = DevPki::generate(&Clock::fixed(at), KeyBits::Bits2048).unwrap();
        Self {
            issuers: vec![
                Party::rsa(&pki, "issuer-rsa"),
                Party::elliptic("issuer-p256", false),
                Party::elliptic("issuer-p384", true),
            ],
            holders: vec![
                Party::rsa(&pki, "holder-rsa"),
                Party::elliptic("holder-p256", false),
                Party::elliptic("holder-p384", true),
            ],
            strangers: vec![
                Party::rsa(&pki, "stranger-rsa"),
                Party::elliptic("stranger-p256", false),
                Party::elliptic("stranger-p384", true),
            ],
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &Party> {
        self.issuers.iter().chain(&self.holders).chain(&self.strangers)
    }
}
