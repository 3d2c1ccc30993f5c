//! A throw-away public key infrastructure for development: certificates shaped like OCES3, worth nothing outside the
//! machine that made them.
//!
//! Like OCES3, every certificate is signed with RSASSA-PSS (SHA-256, salt of 32 bytes), because that is what many tools
//! trip over, and each leaf names its holder by `organizationIdentifier=NTRDK-<CVR>` and `serialNumber=UI:DK-O:G:<uuid>`.
//! What they say stands in `certs/profiles.toml`.
//!
//! rcgen cannot sign with PSS. It signs with the algorithm that it knows; `with_pss` then names PSS in its place and signs
//! the result.

mod profiles;
mod rsa_pss;
mod statements;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, Issuer, SanType};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;

use crate::clock::Clock;
use crate::signature::credentials::Credentials;
use profiles::Signature;
pub use profiles::{Profiles, Role, Usage};
use rsa_pss::{RsaKey, with_pss};
pub use statements::{ListKind, OcspStatus};

/// Why the development PKI could not be made or written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are named for what they are
pub enum PkiError {
    #[error("a key or certificate could not be made: {0}")]
    Made(String),
    #[error("cannot write {}: {cause}; name a folder that you may write to", file.display())]
    Written { file: PathBuf, cause: std::io::Error },
    #[error("{} exists already; name another folder, or remove the old one, whose certificates it would replace", .0.display())]
    Exists(PathBuf),
}

/// The size of the RSA keys, in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "u16")]
pub enum KeyBits {
    /// Fast to make, enough for keys that live an hour.
    #[default]
    Bits2048,
    /// As OCES3 demands.
    Bits3072,
}

impl TryFrom<u16> for KeyBits {
    type Error = String;

    fn try_from(bits: u16) -> Result<Self, String> {
        match bits {
            2048 => Ok(Self::Bits2048),
            3072 => Ok(Self::Bits3072),
            other => Err(format!("{other} is no size of an RSA key; 2048 and 3072 are")),
        }
    }
}

impl std::fmt::Display for KeyBits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bits2048 => "2048",
            Self::Bits3072 => "3072",
        })
    }
}

/// What a leaf certificate is to say.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The subject's common name.
    pub common_name: String,
    /// The organisation's name.
    pub organization: String,
    /// The organisation's CVR number, eight digits.
    pub cvr: String,
    /// The UUID in the subject's serial number.
    pub uuid: String,
    /// What it may be used for.
    pub usage: Usage,
    /// From when it is valid; rounded down to midnight UTC.
    pub not_before: Timestamp,
    /// Until when it is valid; rounded down to midnight UTC.
    pub not_after: Timestamp,
}

/// A root, an issuing authority below it, and a certificate for each [`Role`].
pub struct DevPki {
    profiles: &'static Profiles,
    root: CertificateDer<'static>,
    issuing: CertificateDer<'static>,
    issuing_params: CertificateParams,
    issuing_key: RsaKey,
    bits: KeyBits,
    credentials: BTreeMap<Role, Credentials>,
}

impl DevPki {
    /// Makes the whole PKI in memory, valid from the day before `clock`'s today for as long as the profiles say.
    ///
    /// # Errors
    /// The random number generator or a library failed.
    pub fn generate(clock: &Clock, bits: KeyBits) -> Result<Self, PkiError> {
        Self::of(Profiles::embedded()?, clock, bits)
    }

    fn of(profiles: &'static Profiles, clock: &Clock, bits: KeyBits) -> Result<Self, PkiError> {
        let mut keys = RsaKey::generate_many(bits, Role::ALL.len() + 2)?.into_iter();
        let mut key = || keys.next().ok_or_else(|| PkiError::Made("too few keys".to_owned()));
        let (not_before, not_after) = validity(clock.now(), profiles.days);

        let root_params = authority(profiles, &profiles.authority.root, not_before, not_after)?;
        let root_key = key()?;
        let root = root_params.self_signed(&root_key).map_err(made)?;
        let root = signed(profiles, root.der(), &root_key)?;

        let issuing_params = authority(profiles, &profiles.authority.issuing, not_before, not_after)?;
        let issuing_key = key()?;
        let issuing = issuing_params.signed_by(&issuing_key, &Issuer::from_params(&root_params, &root_key)).map_err(made)?;
        let issuing = signed(profiles, issuing.der(), &root_key)?;

        let mut pki = Self { profiles, root, issuing, issuing_params, issuing_key, bits, credentials: BTreeMap::new() };
        for role in Role::ALL {
            let profile = profiles.certificate(role)?;
            let leaf = Leaf {
                common_name: profile.common_name.clone(),
                organization: profile.organization.clone(),
                cvr: role.cvr().to_owned(),
                uuid: role.uuid().to_owned(),
                usage: profile.usage,
                not_before,
                not_after,
            };
            let credentials = pki.sign(&leaf, key()?)?;
            pki.credentials.insert(role, credentials);
        }
        Ok(pki)
    }

    /// The root certificate: what a peer trusts.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The certificate of the issuing authority, which signs the leaves.
    pub fn issuing(&self) -> &CertificateDer<'static> {
        &self.issuing
    }

    /// The certificate and key of the issuing authority itself: for what nobody may sign with them.
    ///
    /// # Errors
    /// The key cannot be written out.
    pub fn issuing_credentials(&self) -> Result<Credentials, PkiError> {
        Credentials::new(vec![self.issuing.clone(), self.root.clone()], self.issuing_key.private_key()?)
            .ok_or_else(|| PkiError::Made("the certificate does not fit its key".to_owned()))
    }

    /// The certificate and key of `role`, the chain being leaf and issuing authority.
    pub fn credentials(&self, role: Role) -> Result<&Credentials, PkiError> {
        self.credentials.get(&role).ok_or_else(|| PkiError::Made(format!("no certificate for {role:?}")))
    }

    /// Issues one more certificate, with a new key: an expired one, say, or one for another organisation.
    ///
    /// # Errors
    /// The random number generator or a library failed, or a name cannot stand in a certificate.
    pub fn issue(&self, leaf: &Leaf) -> Result<Credentials, PkiError> {
        self.sign(leaf, RsaKey::generate(self.bits)?)
    }

    /// Issues one more certificate, for an RSA key that is there (PKCS#8): making a key is most of what a certificate costs.
    ///
    /// # Errors
    /// As [`DevPki::issue`], or it is no such key.
    pub fn issue_to(&self, key: &PrivateKeyDer<'_>, leaf: &Leaf) -> Result<Credentials, PkiError> {
        self.sign(leaf, RsaKey::of(key)?)
    }

    fn sign(&self, leaf: &Leaf, key: RsaKey) -> Result<Credentials, PkiError> {
        let mut params = params(leaf.not_before, leaf.not_after)?;
        params.distinguished_name = leaf_subject(leaf);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        let purposes = self.profiles.usage(leaf.usage);
        params.key_usages = purposes.key_usages();
        params.extended_key_usages = purposes.extended_key_usages();
        params.subject_alt_names = purposes
            .names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => Ok(SanType::IpAddress(address)),
                Err(_) => Ok(SanType::DnsName(name.as_str().try_into().map_err(made)?)),
            })
            .collect::<Result<_, PkiError>>()?;
        let issuer = Issuer::from_params(&self.issuing_params, &self.issuing_key);
        let certificate = params.signed_by(&key, &issuer).map_err(made)?;
        let certificate = signed(self.profiles, certificate.der(), &self.issuing_key)?;
        Credentials::new(vec![certificate, self.issuing.clone()], key.private_key()?)
            .ok_or_else(|| PkiError::Made("the certificate does not fit its key".to_owned()))
    }

    /// Writes every certificate and key into `dir`, which is made where it does not exist: `root.pem`, and for each role
    /// `NAME.pem` (the chain) and `NAME.key.pem` (mode 0600). With `pkcs12_password` also `NAME.p12` (mode 0600).
    ///
    /// # Errors
    /// The folder cannot be written to, or holds such a file already: an existing key is never replaced.
    pub fn write(&self, dir: &Path, pkcs12_password: Option<&str>) -> Result<(), PkiError> {
        std::fs::create_dir_all(dir).map_err(|cause| PkiError::Written { file: dir.to_owned(), cause })?;
        write_new(&dir.join("root.pem"), pem("CERTIFICATE", &self.root).as_bytes(), Secrecy::Public)?;
        write_new(&dir.join("issuing.pem"), pem("CERTIFICATE", &self.issuing).as_bytes(), Secrecy::Public)?;
        for (role, credentials) in &self.credentials {
            let name = role.file_name();
            let chain: String = credentials.chain().iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
            write_new(&dir.join(format!("{name}.pem")), chain.as_bytes(), Secrecy::Public)?;
            let key = pem("PRIVATE KEY", credentials.key().secret_der());
            write_new(&dir.join(format!("{name}.key.pem")), key.as_bytes(), Secrecy::Private)?;
            if let Some(password) = pkcs12_password {
                write_new(&dir.join(format!("{name}.p12")), &pkcs12(credentials, name, password)?, Secrecy::Private)?;
            }
        }
        Ok(())
    }
}

enum Secrecy {
    Public,
    Private,
}

/// Writes a file that did not exist, private ones with mode 0600 from their first byte on.
fn write_new(file: &Path, content: &[u8], secrecy: Secrecy) -> Result<(), PkiError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(match secrecy {
            Secrecy::Public => 0o644,
            Secrecy::Private => 0o600,
        });
    }
    let written = options.open(file).and_then(|mut open| open.write_all(content));
    written.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::AlreadyExists => PkiError::Exists(file.to_owned()),
        _ => PkiError::Written { file: file.to_owned(), cause },
    })
}

/// `der` as a PEM section, lines of 64 characters.
pub fn pem(label: &str, der: &[u8]) -> String {
    crate::pem::encode(label, der).to_string()
}

/// `credentials` as PKCS#12 (AES-256, PBKDF2 with SHA-256), under the friendly name `name`.
///
/// # Errors
/// The library failed.
pub fn pkcs12(credentials: &Credentials, name: &str, password: &str) -> Result<Vec<u8>, PkiError> {
    let key = PrivateKey::from_der(credentials.key().secret_der()).map_err(made)?;
    let certificates: Vec<_> =
        credentials.chain().iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>().map_err(made)?;
    let mut store = KeyStore::new();
    store.add_entry(name, KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(vec![1_u8], key, certificates)));
    store.writer(password).write().map_err(made)
}

// ---- names and validity ----

/// A certificate that rcgen has signed, with the signature that the profiles ask for.
fn signed(profiles: &Profiles, der: &CertificateDer<'static>, issuer: &RsaKey) -> Result<CertificateDer<'static>, PkiError> {
    match profiles.authority.signature {
        Signature::RsassaPss => with_pss(der, issuer),
        Signature::RsaPkcs1 => Ok(der.clone()),
    }
}

fn validity(now: Timestamp, days: u16) -> (Timestamp, Timestamp) {
    let day = SignedDuration::from_hours(24);
    (now.checked_sub(day).unwrap_or(now), now.checked_add(day * i32::from(days)).unwrap_or(now))
}

fn params(not_before: Timestamp, not_after: Timestamp) -> Result<CertificateParams, PkiError> {
    let date = |instant: Timestamp| {
        let date = instant.to_zoned(TimeZone::UTC).date();
        let month = u8::try_from(date.month()).map_err(made)?;
        Ok::<_, PkiError>(rcgen::date_time_ymd(date.year().into(), month, u8::try_from(date.day()).map_err(made)?))
    };
    let mut params = CertificateParams::default();
    params.not_before = date(not_before)?;
    params.not_after = date(not_after)?;
    Ok(params)
}

fn authority(
    profiles: &Profiles,
    common_name: &str,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, PkiError> {
    let mut params = params(not_before, not_after)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, profiles.authority.country.as_str());
    params.distinguished_name.push(DnType::OrganizationName, profiles.authority.organization.as_str());
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = profiles.authority.key_usages();
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn leaf_subject(leaf: &Leaf) -> DistinguishedName {
    let organization_identifier = DnType::CustomDnType(vec![2, 5, 4, 97]);
    let serial_number = DnType::CustomDnType(vec![2, 5, 4, 5]);
    let printable = |text: &str| text.try_into().map_or_else(|_| DnValue::Utf8String(text.to_owned()), DnValue::PrintableString);
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, printable("DK"));
    name.push(organization_identifier, format!("NTRDK-{}", leaf.cvr));
    name.push(DnType::OrganizationName, leaf.organization.as_str());
    name.push(serial_number, printable(&format!("UI:DK-O:G:{}", leaf.uuid)));
    name.push(DnType::CommonName, leaf.common_name.as_str());
    name
}

fn made(error: impl std::fmt::Display) -> PkiError {
    PkiError::Made(error.to_string())
}

/// One PKI for all tests of a process: making keys is slow.
#[cfg(test)]
pub fn for_tests() -> &'static DevPki {
    static PKI: std::sync::OnceLock<DevPki> = std::sync::OnceLock::new();
    PKI.get_or_init(|| DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap())
}

#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod tests;
