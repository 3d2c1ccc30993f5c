//! The configuration file: read once, checked once, every problem in one report.
//!
//! [`load`] reads the file and all that it names: certificates, keys, metadata. What it gives is ready to use, and nothing
//! after it finds a setting wrong. `deploy/hjemmel.example.toml` documents every setting. Relative paths start in the
//! file's own folder. A key that is not a setting is refused: a misspelt limit must not silently be no limit.

mod certificates;
mod draft;
mod limits;
pub(crate) mod reader;
mod report;
mod restart;
mod sections;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use uuid::Uuid;

pub use crate::outbound::ConnectionLimits;
pub use crate::revocation::domain::{Keeping, Source, WithoutList};
pub use crate::revocation::verify::Stapling;
use crate::signature::credentials::{Credentials, inspect};
pub(crate) use certificates::{WARN_BEFORE, ends};
pub use draft::{Content, Draft, FileRead, Finished};
pub use limits::{EdgeLimits, MessageLimits};
pub use report::{Problem, Report};
pub use sections::Sections;

/// A checked configuration, certificates and keys read.
#[derive(Debug)]
pub struct Config {
    /// The environment whose agreements hold here, such as `prod` or `exttest`.
    pub environment: String,
    /// The CVR number of Udbetaling Danmark.
    pub udk_cvr: String,
    /// How far peers' clocks may be from ours.
    pub clock_skew: Duration,
    /// How old a message's Timestamp may be.
    pub timestamp_max_age: Duration,
    /// How many message ids are remembered against replay; full means refuse.
    pub replay_capacity: usize,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where callers come in.
    pub listen: Listen,
    /// Where operators look.
    pub admin: Admin,
    /// The gateway's own system certificate: signs answers and messages, and is its TLS client certificate.
    pub system: Credentials,
    /// The service offered.
    pub service: Service,
    /// Whose tokens are accepted.
    pub tokens: Tokens,
    /// Revocation of the certificates that sign tokens and answers.
    pub signers: Signers,
    /// How revocation lists are kept.
    pub revocation: Revocation,
    /// Where the gateway's own tokens come from.
    pub sts: Sts,
    /// The benefit index.
    pub index: Index,
    /// How long connections to the index, the STS and the sources of lists live.
    pub outbound: ConnectionLimits,
    /// Service agreements.
    pub agreements: Agreements,
    /// The policy applied.
    pub policy: Policy,
    /// The audit log.
    pub audit: Audit,
    /// Limits at the edge.
    pub limits: EdgeLimits,
    /// Limits on messages and answers.
    pub messages: MessageLimits,
}

impl Config {
    /// Each setting that holds certificates of our own or pinned ones, and when the last of them ends: for the metric on
    /// which operators set their alarm.
    pub fn expiries(&self) -> Vec<(&'static str, Timestamp)> {
        let own = |credentials: &Credentials| std::slice::from_ref(credentials.leaf()).to_vec();
        let all = [
            ("listen.certificate", own(&self.listen.credentials)),
            ("listen.client_roots", self.listen.client_roots.clone()),
            ("system.certificate", own(&self.system)),
            ("admin.client_roots", self.admin.client_roots.clone()),
            ("tokens.certificates", self.tokens.certificates.clone()),
            ("signers.authorities", self.signers.authorities.clone()),
            ("revocation.roots", self.revocation.roots.clone()),
            ("sts.roots", self.sts.roots.clone()),
            ("index.roots", self.index.roots.clone()),
            ("index.signing_certificates", self.index.signing_certificates.clone()),
        ];
        all.into_iter()
            .filter_map(|(setting, certificates)| {
                let ends = certificates.iter().filter_map(|certificate| inspect(certificate).ok());
                Some((setting, ends.map(|facts| facts.not_after).max()?))
            })
            .collect()
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How a caller may prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// A SAML token and a signed message (OIO IDWS).
    Token,
    /// Mutual TLS and an AuthorityContext.
    AuthorityContext,
}

/// Where callers come in.
#[derive(Debug)]
pub struct Listen {
    /// The address and port listened on.
    pub address: SocketAddr,
    /// The address that callers use, for the WSDL and for `To`.
    pub public_url: Uri,
    /// The TLS server's certificate and key.
    pub credentials: Credentials,
    /// The CAs whose client certificates are accepted (OCES).
    pub client_roots: Vec<CertificateDer<'static>>,
    /// The OCSP response (DER) that is stapled to the server's certificate.
    pub ocsp_response: Option<PathBuf>,
    /// Revocation of clients' certificates: of TLS clients, and of the holders of tokens.
    pub revocation: DomainLists,
}

/// The revocation lists of one trust domain, as its section names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainLists {
    /// The lists, each of one of the domain's CAs. Empty: revocation is not asked for.
    pub crls: Vec<Source>,
    /// What holds for a certificate for which no list in force is at hand.
    pub crl_missing: WithoutList,
}

/// Revocation of the certificates that sign what the gateway believes: tokens of the STS, and the index's answers.
#[derive(Debug)]
pub struct Signers {
    /// The CAs whose lists count.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Their lists.
    pub revocation: DomainLists,
}

/// How revocation lists are kept.
#[derive(Debug)]
pub struct Revocation {
    /// How often they are asked for, how long they stand, how large they may be, where they are kept.
    pub keeping: Arc<Keeping>,
    /// How long fetching one may take.
    pub timeout: Duration,
    /// The CAs of https servers that lists are fetched from.
    pub roots: Vec<CertificateDer<'static>>,
}

/// Where operators look.
#[derive(Debug)]
pub struct Admin {
    /// The address and port listened on; loopback unless `client_roots` are given.
    pub address: SocketAddr,
    /// Where not empty, the listener is TLS with the certificate of [`Listen`], and demands a client certificate below
    /// one of these.
    pub client_roots: Vec<CertificateDer<'static>>,
    /// Revocation of these clients' certificates.
    pub revocation: DomainLists,
}

/// The service offered.
#[derive(Debug)]
pub struct Service {
    /// The entity id that tokens must be issued for.
    pub entity_id: String,
    /// The service's UUID in agreements.
    pub service_uuid: Uuid,
    /// The path of the service.
    pub path: String,
    /// The bindings offered, at least one.
    pub bindings: Vec<Binding>,
    /// The namespace of the AuthorityContext binding's wrapper.
    pub wrapper_namespace: String,
    /// The privilege that a token must hold, where one is demanded.
    pub privilege_role: Option<String>,
    /// The HTTP status of a SOAP 1.2 fault that is the sender's: 500 or 400.
    pub sender_fault_status: u16,
}

/// Whose tokens are accepted.
#[derive(Debug)]
pub struct Tokens {
    /// The issuer that tokens must name. `None`: the entity id in the metadata.
    pub issuer: Option<String>,
    /// SAML metadata files of the security token service.
    pub metadata: Vec<PathBuf>,
    /// Signing certificates, beside those in the metadata.
    pub certificates: Vec<CertificateDer<'static>>,
    /// How much may be remembered of assertions that were verified, in bytes; 0: nothing.
    pub remembered_bytes: usize,
}

/// Where the gateway's own tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sts {
    /// The WS-Trust address.
    pub address: Uri,
    /// The CAs of its TLS server.
    pub roots: Vec<CertificateDer<'static>>,
    /// Revocation of its TLS certificate.
    pub revocation: DomainLists,
    /// Whether its TLS server must staple an OCSP response.
    pub stapling: Stapling,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a token may take in all.
    pub deadline: Duration,
}

/// The benefit index.
#[derive(Debug)]
pub struct Index {
    /// Its address.
    pub address: Uri,
    /// Its entity id: what the gateway's tokens are issued for.
    pub entity_id: String,
    /// The CAs of its TLS server.
    pub roots: Vec<CertificateDer<'static>>,
    /// Revocation of its TLS certificate.
    pub revocation: DomainLists,
    /// Whether its TLS server must staple an OCSP response.
    pub stapling: Stapling,
    /// The certificates that may sign its answers.
    pub signing_certificates: Vec<CertificateDer<'static>>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long an answer may take in all.
    pub deadline: Duration,
    /// Whether a request that the index says it did not process is sent once more.
    pub retry: bool,
    /// How many failures in a row open the circuit breaker.
    pub breaker_failures: u32,
    /// How long the index is then left alone.
    pub breaker_rest: Duration,
}

/// Service agreements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreements {
    /// The SQLite file.
    pub store: PathBuf,
    /// How old a remembered agreement may be before the store is asked again.
    pub cache_ttl: Duration,
    /// How old it may be while the store does not answer.
    pub max_staleness: Duration,
}

/// The policy applied.
#[derive(Debug)]
pub struct Policy {
    /// The folder of policies.
    pub directory: PathBuf,
    /// The policy's name: its file without `.toml`.
    pub name: String,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The folder of its segments.
    pub directory: PathBuf,
    /// The key that signs checkpoints (Ed25519, PEM).
    pub checkpoint_key: PathBuf,
    /// The key that makes pseudonyms.
    pub pseudonym_key: PathBuf,
    /// The auditors' public key (X25519, PEM), to which identifiers are sealed.
    pub auditors: PathBuf,
    /// The size at which a segment ends, in bytes.
    pub segment_bytes: u64,
    /// How often a checkpoint is signed, at the least.
    pub checkpoint_interval: Duration,
    /// How long an admission may wait for others that are on their way, to share their `fsync`.
    pub commit_delay: Duration,
    /// How many days a record is kept at the least, before `hjemmel audit retire` may remove it; 0: for ever.
    pub retention_days: u64,
}

/// A configuration, and what will be wrong with it before long.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Certificates that end within 30 days, or have ended beside others that are valid.
    pub warnings: Report,
}

/// Reads and checks the configuration in `file` and the certificates and keys that it names, as of `now`.
///
/// # Errors
/// Everything that is wrong, in one [`Report`].
pub fn load(file: &Path, now: Timestamp) -> Result<Loaded, Report> {
    let Finished { config, problems, warnings, .. } = Draft::open(file, now).finish();
    config.map(|config| Loaded { config, warnings }).ok_or(problems)
}

#[cfg(test)]
mod tests;
