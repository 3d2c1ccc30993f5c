//! Own certificates and private keys, as they are read from PEM and PKCS#12 files, and what a certificate says of its
//! holder.
//!
//! OCES delivers a key as PKCS#12: older files encrypted with 3DES and RC2, newer ones with AES. Operators often turn
//! them into PEM. Both are read, and the private key is matched with its certificate by the public key, never by a
//! file's order or by names in it, so that a chain listed backwards cannot put the wrong certificate in front.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use jiff::Timestamp;
use p12_keystore::Pkcs12Archive;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use zeroize::Zeroizing;

use crate::hex;
use crate::pem::{self, Kind, PemError, Section};

/// The largest certificate, key or PKCS#12 file that is read, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// A certificate chain, leaf first, and the private key that belongs to the leaf.
pub struct Credentials {
    leaf: CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    left_out: usize,
}

/// Why credentials could not be read. The text names the file and the remedy; it never holds key material.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are named for what they are
pub enum CredentialsError {
    #[error("cannot read {}: {cause}; check the path, and that the service's own user may read the file", file.display())]
    Unreadable { file: PathBuf, cause: std::io::Error },
    #[error("{} is larger than {LARGEST_FILE} bytes; name a certificate, key or PKCS#12 file", file.display())]
    TooLarge { file: PathBuf },
    #[error("{} holds no certificate (-----BEGIN CERTIFICATE-----); name a PEM file with the chain, leaf first", file.display())]
    NoCertificate { file: PathBuf },
    #[error("{} holds no private key (-----BEGIN PRIVATE KEY-----); name the PEM file of the key", file.display())]
    NoKey { file: PathBuf },
    #[error("the private key in {} is encrypted; use the PKCS#12 file with a password file, or decrypt it with `openssl pkey -in {} -out KEY.pem` and keep that file at mode 0600", file.display(), file.display())]
    EncryptedKey { file: PathBuf },
    #[error("{} {cause}", file.display())]
    Pem { file: PathBuf, cause: PemError },
    #[error("certificate {number} in {} cannot be read as X.509; fetch the file again from its issuer", file.display())]
    NotX509 { file: PathBuf, number: usize },
    #[error("the private key in {} is of a kind that is not supported; use RSA (2048 bits or more, as OCES issues) or ECDSA on P-256 or P-384", file.display())]
    UnsupportedKey { file: PathBuf },
    #[error("the password does not open {}; check the password file (its first line is the password)", file.display())]
    WrongPassword { file: PathBuf },
    #[error("{} is not a usable PKCS#12 file ({cause}); export it again, for instance with `openssl pkcs12 -export`", file.display())]
    NotPkcs12 { file: PathBuf, cause: String },
    #[error("{} holds {keys} private keys; name a file with exactly one", file.display())]
    SeveralKeys { file: PathBuf, keys: usize },
    #[error("no certificate in {} belongs to the private key in {}; name the certificate that was issued for this key", certificates.display(), key.display())]
    Mismatch { certificates: PathBuf, key: PathBuf },
}

/// What a certificate says of its holder, by the OCES3 profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The holder's CVR number, eight digits, from `organizationIdentifier=NTRDK-<CVR>`. `None` where the subject has no
    /// such attribute, more than one, or one of another form: a certificate that says two things says nothing.
    pub cvr: Option<String>,
    /// The subject's `serialNumber`, such as `UI:DK-O:G:<uuid>`, where there is exactly one.
    pub serial_number: Option<String>,
    /// The subject's common name, where there is exactly one.
    pub common_name: Option<String>,
    /// The subject as text, for people to read.
    pub subject: String,
    /// The issuer as text, for people to read.
    pub issuer: String,
    /// The first instant at which the certificate is valid.
    pub not_before: Timestamp,
    /// The last instant at which the certificate is valid.
    pub not_after: Timestamp,
    /// The public key: SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
}

/// The bytes are not an X.509 certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate")]
pub struct NotX509;

impl Credentials {
    /// Reads a chain and its key from PEM files, which may be one and the same.
    ///
    /// # Errors
    /// Files that cannot be read, hold no certificate or key, an encrypted key, or a key without its certificate.
    pub fn from_pem_files(certificates: &Path, key: &Path) -> Result<Self, CredentialsError> {
        let (chain, private_key) = if same_file(certificates, key) {
            let both = [&[Kind::Certificate], pem::PRIVATE_KEY].concat();
            let found = sections(certificates, &both)?;
            let (chain, keys): (Vec<_>, Vec<_>) = found.into_iter().partition(|section| section.kind == Kind::Certificate);
            (certificates_of(chain, certificates)?, only_key(keys, key)?)
        } else {
            (certificates_from_pem_file(certificates)?, only_key(sections(key, pem::PRIVATE_KEY)?, key)?)
        };
        Self::matched(chain, private_key, certificates, key)
    }

    /// Reads a chain and its key from a PKCS#12 file, its password standing in the first line of `password_file`.
    ///
    /// # Errors
    /// Files that cannot be read, a wrong password, a file with no key or several, or a key without its certificate.
    pub fn from_pkcs12_file(file: &Path, password_file: &Path) -> Result<Self, CredentialsError> {
        let bytes = read(file)?;
        let password = read(password_file)?;
        let password = std::str::from_utf8(&password).map_err(|_| CredentialsError::WrongPassword { file: file.to_owned() })?;
        let password = password.lines().next().unwrap_or_default();
        Self::from_pkcs12(&bytes, password, file)
    }

    fn from_pkcs12(bytes: &[u8], password: &str, file: &Path) -> Result<Self, CredentialsError> {
        let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| match error {
            p12_keystore::error::Error::MacError(_) => CredentialsError::WrongPassword { file: file.to_owned() },
            other => CredentialsError::NotPkcs12 { file: file.to_owned(), cause: other.to_string() },
        })?;
        let key = match archive.keys.as_slice() {
            [] => return Err(CredentialsError::NoKey { file: file.to_owned() }),
            [only] => PrivateKeyDer::Pkcs8(only.key.as_der().to_vec().into()),
            several => return Err(CredentialsError::SeveralKeys { file: file.to_owned(), keys: several.len() }),
        };
        let certificates: Vec<_> = archive.certs.iter().map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect();
        if certificates.is_empty() {
            return Err(CredentialsError::NoCertificate { file: file.to_owned() });
        }
        Self::matched(certificates, key, file, file)
    }

    /// Puts the certificate of `key` first and its issuers after it, and leaves out what belongs to neither.
    fn matched(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        certificates_file: &Path,
        key_file: &Path,
    ) -> Result<Self, CredentialsError> {
        let public_key = public_key_bits(&key).ok_or_else(|| CredentialsError::UnsupportedKey { file: key_file.to_owned() })?;
        let mut parsed = Vec::with_capacity(certificates.len());
        for (number, certificate) in (1..).zip(&certificates) {
            let not_x509 = |NotX509| CredentialsError::NotX509 { file: certificates_file.to_owned(), number };
            parsed.push(parse(certificate).map_err(not_x509)?);
        }
        let mut place = parsed
            .iter()
            .position(|x509| x509.public_key().subject_public_key.data.as_ref() == public_key.as_slice())
            .ok_or_else(|| CredentialsError::Mismatch { certificates: certificates_file.to_owned(), key: key_file.to_owned() })?;

        let mut order = vec![place];
        while let Some(current) = parsed.get(place)
            && let Some(issuer) = parsed.iter().position(|x509| x509.subject() == current.issuer())
            && !order.contains(&issuer)
        {
            order.push(issuer);
            place = issuer;
        }
        let chain: Vec<_> = order.iter().filter_map(|place| certificates.get(*place)).cloned().collect();
        let leaf =
            chain.first().cloned().ok_or_else(|| CredentialsError::NoCertificate { file: certificates_file.to_owned() })?;
        let left_out = certificates.len() - chain.len();
        Ok(Self { leaf, chain, key, left_out })
    }

    /// Credentials made in memory, for a throw-away PKI. `None` unless `chain` begins with the certificate of `key`.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Option<Self> {
        let leaf = chain.first()?.clone();
        let matches = parse(&leaf).ok()?.public_key().subject_public_key.data.as_ref() == public_key_bits(&key)?.as_slice();
        matches.then_some(Self { leaf, chain, key, left_out: 0 })
    }

    /// The certificate of the key.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }

    /// The leaf and its issuers, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// How many certificates stood beside the chain and are no part of it.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// SHA-256 of the leaf certificate's DER.
    pub fn thumbprint(&self) -> [u8; 32] {
        thumbprint(&self.leaf)
    }
}

impl Clone for Credentials {
    fn clone(&self) -> Self {
        Self { leaf: self.leaf.clone(), chain: self.chain.clone(), key: self.key.clone_key(), left_out: self.left_out }
    }
}

/// Shows the certificate's thumbprint; never the key.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", hex::encode(&self.thumbprint()))
    }
}

/// SHA-256 of a certificate's DER.
pub fn thumbprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, certificate).as_ref());
    out
}

/// What `certificate` says of its holder. Nothing is verified here: whether to trust it is decided before.
///
/// # Errors
/// [`NotX509`] where the bytes are not one X.509 certificate with nothing after it.
pub fn inspect(certificate: &CertificateDer<'_>) -> Result<CertificateFacts, NotX509> {
    const ORGANIZATION_IDENTIFIER: &str = "2.5.4.97";
    const SERIAL_NUMBER: &str = "2.5.4.5";
    const COMMON_NAME: &str = "2.5.4.3";

    let x509 = parse(certificate)?;
    let instant = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|_| NotX509);
    Ok(CertificateFacts {
        cvr: only_attribute(x509.subject(), ORGANIZATION_IDENTIFIER)
            .and_then(|identifier| identifier.strip_prefix("NTRDK-").map(str::to_owned))
            .filter(|cvr| cvr.len() == 8 && cvr.bytes().all(|byte| byte.is_ascii_digit())),
        serial_number: only_attribute(x509.subject(), SERIAL_NUMBER),
        common_name: only_attribute(x509.subject(), COMMON_NAME),
        subject: x509.subject().to_string(),
        issuer: x509.issuer().to_string(),
        not_before: instant(x509.validity().not_before)?,
        not_after: instant(x509.validity().not_after)?,
        public_key: x509.public_key().raw.to_vec(),
    })
}

/// Every certificate in a PEM file, in its order.
///
/// # Errors
/// The file cannot be read, holds anything else, or holds no certificate.
pub fn certificates_from_pem_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    certificates_of(sections(file, &[Kind::Certificate])?, file)
}

fn sections(file: &Path, wanted: &[Kind]) -> Result<Vec<Section>, CredentialsError> {
    pem::sections(&read(file)?, wanted).map_err(|cause| CredentialsError::Pem { file: file.to_owned(), cause })
}

fn certificates_of(sections: Vec<Section>, file: &Path) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    if sections.is_empty() {
        return Err(CredentialsError::NoCertificate { file: file.to_owned() });
    }
    let certificate = |(number, section): (usize, Section)| {
        let certificate = CertificateDer::from(section.der.to_vec());
        match parse(&certificate) {
            Ok(_) => Ok(certificate),
            Err(NotX509) => Err(CredentialsError::NotX509 { file: file.to_owned(), number }),
        }
    };
    (1..).zip(sections).map(certificate).collect()
}

fn only_key(sections: Vec<Section>, file: &Path) -> Result<PrivateKeyDer<'static>, CredentialsError> {
    let mut keys: Vec<_> = sections.into_iter().filter(|section| section.kind != Kind::CurveParameters).collect();
    let (only, others) = (keys.pop(), keys.len());
    let only = only.ok_or_else(|| CredentialsError::NoKey { file: file.to_owned() })?;
    if others > 0 {
        return Err(CredentialsError::SeveralKeys { file: file.to_owned(), keys: others + 1 });
    }
    let der = only.der.to_vec();
    match only.kind {
        Kind::Pkcs1 => Ok(PrivateKeyDer::Pkcs1(der.into())),
        Kind::Sec1 => Ok(PrivateKeyDer::Sec1(der.into())),
        Kind::Pkcs8 => Ok(PrivateKeyDer::Pkcs8(der.into())),
        _ => Err(CredentialsError::EncryptedKey { file: file.to_owned() }),
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The public key of `key` as a certificate's subjectPublicKey holds it; `None` for a kind not supported.
fn public_key_bits(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    let der = key.secret_der();
    let rsa = match key {
        PrivateKeyDer::Pkcs1(_) => rsa::KeyPair::from_der(der),
        _ => rsa::KeyPair::from_pkcs8(der),
    };
    if let Ok(rsa) = rsa {
        return Some(rsa.public_key().as_ref().to_vec());
    }
    [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING].into_iter().find_map(|algorithm| {
        let pair = EcdsaKeyPair::from_private_key_der(algorithm, der).ok()?;
        Some(pair.public_key().as_ref().to_vec())
    })
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, NotX509> {
    match X509Certificate::from_der(certificate) {
        Ok(([], x509)) => Ok(x509),
        _ => Err(NotX509),
    }
}

fn only_attribute(name: &X509Name<'_>, oid: &str) -> Option<String> {
    let mut values = name.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == oid);
    match (values.next(), values.next()) {
        (Some(only), None) => only.as_str().ok().map(str::to_owned),
        _ => None,
    }
}

/// Reads a bounded file into memory that is wiped when it is let go.
fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CredentialsError> {
    let unreadable = |cause| CredentialsError::Unreadable { file: file.to_owned(), cause };
    if std::fs::metadata(file).map_err(unreadable)?.len() > LARGEST_FILE {
        return Err(CredentialsError::TooLarge { file: file.to_owned() });
    }
    std::fs::read(file).map(Zeroizing::new).map_err(unreadable)
}
