//! A throw-away public key infrastructure for development: certificates shaped like OCES3, worth nothing outside the
//! machine that made them.
//!
//! Like OCES3, every certificate is signed with RSASSA-PSS (SHA-256, salt of 32 bytes), because that is what many tools
//! trip over, and each leaf names its holder by `organizationIdentifier=NTRDK-<CVR>` and `serialNumber=UI:DK-O:G:<uuid>`.
//! rcgen cannot sign with PSS. It writes the certificate's content with the algorithm that it knows; [`with_pss`] then
//! names PSS in its place and signs the result.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, PublicKeyData, SanType, SignatureAlgorithm, SigningKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::Clock;
use crate::signature::credentials::Credentials;

/// How long development certificates are valid.
const LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

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

/// The size of the RSA keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyBits {
    /// 2048 bits: fast to make, enough for keys that live an hour.
    #[default]
    Bits2048,
    /// 3072 bits, as OCES3 demands.
    Bits3072,
}

/// Whom a certificate of the development PKI stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The gateway's TLS server.
    GatewayServer,
    /// The gateway's own system, TerminalAdgang: signs answers, and is the client of the index and the STS.
    GatewayClient,
    /// The security token service's TLS server.
    StsServer,
    /// The key that signs the tokens of the security token service.
    StsSigning,
    /// The benefit index's TLS server.
    IndexServer,
    /// The key that signs the answers of the benefit index.
    IndexSigning,
    /// The subject system of Korsbæk Kommune, CVR 11111111.
    Korsbaek,
    /// The system of Udbetaling Danmark, here with CVR 99999991.
    Udk,
    /// The subject system of a second municipality, CVR 99999981.
    OtherMunicipality,
    /// A system with a certificate in good order and no agreement at all, CVR 99999989.
    Intruder,
}

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A TLS server on this machine: localhost, 127.0.0.1 and ::1.
    Server,
    /// A client system: TLS client, and signatures on messages and tokens.
    System,
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

impl Role {
    /// Every role, in the order in which they are shown.
    pub const ALL: [Role; 10] = [
        Role::GatewayServer,
        Role::GatewayClient,
        Role::StsServer,
        Role::StsSigning,
        Role::IndexServer,
        Role::IndexSigning,
        Role::Korsbaek,
        Role::Udk,
        Role::OtherMunicipality,
        Role::Intruder,
    ];

    /// The name of its files, without extension.
    pub fn file_name(self) -> &'static str {
        self.row().0
    }

    /// What it is for, in a sentence.
    pub fn purpose(self) -> &'static str {
        self.row().1
    }

    /// The CVR number in its certificate.
    pub fn cvr(self) -> &'static str {
        self.row().4
    }

    /// The UUID in its certificate's serial number; the same in every development PKI.
    pub fn uuid(self) -> &'static str {
        self.row().5
    }

    /// File name, purpose, common name, organisation, CVR, UUID, usage.
    #[rustfmt::skip] // a table
    fn row(self) -> (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, Usage) {
        match self {
            Role::GatewayServer => ("gateway-server", "the gateway's TLS server",
                "localhost", "Hjemmel (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1001", Usage::Server),
            Role::GatewayClient => ("gateway-client", "the gateway's own system, TerminalAdgang: signs answers, calls the index and the STS",
                "TerminalAdgang", "Hjemmel (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1002", Usage::System),
            Role::StsServer => ("sts-server", "the security token service's TLS server",
                "localhost", "STS stub (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1003", Usage::Server),
            Role::StsSigning => ("sts-signing", "signs the tokens of the security token service",
                "Security token service", "STS stub (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1004", Usage::System),
            Role::IndexServer => ("index-server", "the benefit index's TLS server",
                "localhost", "Index stub (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1005", Usage::Server),
            Role::IndexSigning => ("index-signing", "signs the answers of the benefit index",
                "Ydelsesindeks", "Index stub (development)", "99999990", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1006", Usage::System),
            Role::Korsbaek => ("client-korsbaek", "the subject system of Korsbæk Kommune",
                "Fagsystem Korsbæk", "Korsbæk Kommune", "11111111", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1007", Usage::System),
            Role::Udk => ("client-udk", "the system of Udbetaling Danmark",
                "UDK sagssystem", "Udbetaling Danmark (development)", "99999991", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1008", Usage::System),
            Role::OtherMunicipality => ("client-other", "the subject system of a second municipality",
                "Fagsystem Andeby", "Andeby Kommune", "99999981", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1009", Usage::System),
            Role::Intruder => ("client-intruder", "a system without any agreement",
                "Fremmed system", "Uden aftale ApS (development)", "99999989", "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a", Usage::System),
        }
    }
}

/// A root, an issuing authority below it, and a certificate for each [`Role`].
pub struct DevPki {
    root: CertificateDer<'static>,
    issuing: CertificateDer<'static>,
    issuing_params: CertificateParams,
    issuing_key: RsaKey,
    bits: KeyBits,
    credentials: BTreeMap<Role, Credentials>,
}

impl DevPki {
    /// Makes the whole PKI in memory, valid from the day before `clock`'s today for 90 days.
    ///
    /// # Errors
    /// The random number generator or a library failed.
    pub fn generate(clock: &Clock, bits: KeyBits) -> Result<Self, PkiError> {
        let mut keys = RsaKey::generate_many(bits, Role::ALL.len() + 2)?.into_iter();
        let mut key = || keys.next().ok_or_else(|| PkiError::Made("too few keys".to_owned()));
        let (not_before, not_after) = validity(clock.now());

        let root_params = authority("Hjemmel development root", not_before, not_after)?;
        let root_key = key()?;
        let root = root_params.self_signed(&root_key).map_err(made)?;
        let root = with_pss(root.der(), &root_key)?;

        let issuing_params = authority("Hjemmel development issuing CA", not_before, not_after)?;
        let issuing_key = key()?;
        let issuing = issuing_params
            .signed_by(&issuing_key, &Issuer::from_params(&root_params, &root_key))
            .map_err(made)?;
        let issuing = with_pss(issuing.der(), &root_key)?;

        let mut pki = Self { root, issuing, issuing_params, issuing_key, bits, credentials: BTreeMap::new() };
        for role in Role::ALL {
            let (_, _, common_name, organization, cvr, uuid, usage) = role.row();
            let leaf = Leaf {
                common_name: common_name.to_owned(),
                organization: organization.to_owned(),
                cvr: cvr.to_owned(),
                uuid: uuid.to_owned(),
                usage,
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

    fn sign(&self, leaf: &Leaf, key: RsaKey) -> Result<Credentials, PkiError> {
        let mut params = params(leaf.not_before, leaf.not_after)?;
        params.distinguished_name = leaf_subject(leaf);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        match leaf.usage {
            Usage::Server => {
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                params.subject_alt_names = vec![
                    SanType::DnsName("localhost".try_into().map_err(made)?),
                    SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
                    SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()),
                ];
            }
            Usage::System => {
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
        }
        let issuer = Issuer::from_params(&self.issuing_params, &self.issuing_key);
        let certificate = params.signed_by(&key, &issuer).map_err(made)?;
        let certificate = with_pss(certificate.der(), &self.issuing_key)?;
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
    let mut text = format!("-----BEGIN {label}-----\n");
    for (place, character) in STANDARD.encode(der).chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
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

fn validity(now: Timestamp) -> (Timestamp, Timestamp) {
    let day = SignedDuration::from_hours(24);
    (now.checked_sub(day).unwrap_or(now), now.checked_add(LIFETIME).unwrap_or(now))
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

fn authority(common_name: &str, not_before: Timestamp, not_after: Timestamp) -> Result<CertificateParams, PkiError> {
    let mut params = params(not_before, not_after)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "DK");
    params.distinguished_name.push(DnType::OrganizationName, "Hjemmel (development)");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn leaf_subject(leaf: &Leaf) -> DistinguishedName {
    let organization_identifier = DnType::CustomDnType(vec![2, 5, 4, 97]);
    let serial_number = DnType::CustomDnType(vec![2, 5, 4, 5]);
    let printable = |text: &str| {
        text.try_into().map_or_else(|_| DnValue::Utf8String(text.to_owned()), DnValue::PrintableString)
    };
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, printable("DK"));
    name.push(organization_identifier, format!("NTRDK-{}", leaf.cvr));
    name.push(DnType::OrganizationName, leaf.organization.as_str());
    name.push(serial_number, printable(&format!("UI:DK-O:G:{}", leaf.uuid)));
    name.push(DnType::CommonName, leaf.common_name.as_str());
    name
}

// ---- keys, and RSASSA-PSS in place of what rcgen writes ----

/// An RSA key as rcgen wants it: it tells its public half, and leaves the signature to [`with_pss`].
struct RsaKey(rsa::KeyPair);

impl RsaKey {
    fn generate(bits: KeyBits) -> Result<Self, PkiError> {
        let size = match bits {
            KeyBits::Bits2048 => KeySize::Rsa2048,
            KeyBits::Bits3072 => KeySize::Rsa3072,
        };
        rsa::KeyPair::generate(size).map(Self).map_err(made)
    }

    /// Makes `count` keys on all cores: searching for primes is most of a PKI's cost.
    fn generate_many(bits: KeyBits, count: usize) -> Result<Vec<Self>, PkiError> {
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

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, PkiError> {
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
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Vec::new())
    }
}

/// AlgorithmIdentifier sha256WithRSAEncryption, as rcgen writes it.
const RSA_PKCS1_SHA256: &[u8] = &[48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 11, 5, 0];

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
fn with_pss(certificate: &CertificateDer<'_>, issuer: &RsaKey) -> Result<CertificateDer<'static>, PkiError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(made)?;
    let tbs = parsed.tbs_certificate.as_ref();
    // The tag and length of the outer SEQUENCE: 30 82 xx xx, since no certificate here is under 256 bytes or over 64 kB.
    let content = tbs.get(4..).unwrap_or_default();
    let place = content
        .windows(RSA_PKCS1_SHA256.len())
        .position(|window| window == RSA_PKCS1_SHA256)
        .ok_or_else(|| PkiError::Made("the certificate names no signature algorithm".to_owned()))?;
    let (before, after) = content.split_at(place);
    let after = after.get(RSA_PKCS1_SHA256.len()..).unwrap_or_default();
    let tbs = sequence(0x30, &[before, RSA_PSS_SHA256_SALT32, after]);

    let mut signature = vec![0; issuer.0.public_modulus_len()];
    issuer.0.sign(&RSA_PSS_SHA256, &SystemRandom::new(), &tbs, &mut signature).map_err(made)?;
    let bit_string = sequence(0x03, &[&[0], &signature]);
    Ok(sequence(0x30, &[&tbs, RSA_PSS_SHA256_SALT32, &bit_string]).into())
}

/// A DER value of the given tag over the joined parts, 256 to 65535 bytes in all.
fn sequence(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let [.., high, low] = length.to_be_bytes();
    let mut out = vec![tag, 0x82, high, low];
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
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
mod tests;
