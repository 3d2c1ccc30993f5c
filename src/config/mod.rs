//! The configuration file: read once, checked once, every problem in one report.
//!
//! [`load`] reads the file and all that it names: certificates, keys, metadata. What it gives is ready to use, and nothing
//! after it finds a setting wrong. `deploy/hjemmel.example.toml` documents every setting. Relative paths start in the
//! file's own folder. A key that is not a setting is refused: a misspelt limit must not silently be no limit.

mod certificates;
mod console;
mod deliveries;
mod draft;
mod limits;
mod mail;
mod objects;
pub(crate) mod peer;
pub(crate) mod reader;
mod report;
mod restart;
mod retired;
mod saml;
mod sections;
pub(crate) mod service;
mod sftp;
mod store;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

use crate::id::cpr::TestNumbers;
pub use crate::outbound::ConnectionLimits;
pub use crate::revocation::domain::{Keeping, Source, WithoutList};
pub use crate::revocation::verify::Stapling;
use crate::signature::credentials::{Credentials, inspect};
pub(crate) use certificates::{WARN_BEFORE, ends};
pub use console::{Console, OneTimeLinks};
pub use deliveries::Deliveries;
pub use draft::{Content, Draft, FileRead, Finished};
pub use limits::{EdgeLimits, MessageLimits};
pub use peer::{Peer, Reach};
pub use report::{Problem, Report};
pub use retired::Retired;
pub use saml::{Provider as SamlProvider, Saml};
pub use sections::Sections;
pub(crate) use sections::{read_lists, read_stapling, seconds};
pub use service::{Binding, Offer, ServiceSection, ServiceTerms, SharedSections};
pub use sftp::{Sftp, SftpLimits};

/// A checked configuration, certificates and keys read. `S` is what a service reads of its own section.
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub struct Config<S: ServiceSection> {
    /// The environment whose agreements hold here, such as `prod` or `exttest`.
    pub environment: String,
    /// Who alone may be named here, where it is the environment for tests.
    pub test_numbers: Option<TestNumbers>,
    /// How far peers' clocks may be from ours.
    pub clock_skew: Duration,
    /// How old a message's Timestamp may be.
    pub timestamp_max_age: Duration,
    /// Who remembers messages against replay.
    pub replay_memory: ReplayKept,
    /// How many message ids a node remembers against replay; full means refuse.
    pub replay_capacity: usize,
    /// How long a call waits for a shared memory.
    pub replay_wait: Duration,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where traces are sent; `None`: nothing is traced.
    pub telemetry: Option<crate::telemetry::Settings>,
    /// Where callers come in.
    pub listen: Listen,
    /// Where operators look.
    pub admin: Admin,
    /// Where agreements and routes are administered.
    pub api: Api,
    pub console: Console,
    /// The gateway's own system certificate: signs answers and messages, and is its TLS client certificate.
    pub system: Credentials,
    /// The services offered, by name.
    pub services: BTreeMap<String, S>,
    /// The sections that services have beside theirs.
    pub shared: S::Shared,
    /// The systems behind the gateway that services name, by name.
    pub peers: BTreeMap<String, Peer>,
    /// Whose tokens are accepted.
    pub tokens: Tokens,
    /// Revocation of the certificates that sign tokens and answers.
    pub signers: Signers,
    /// How revocation lists are kept.
    pub revocation: Revocation,
    /// Where the gateway's own tokens come from.
    pub sts: Sts,
    /// How long connections to peers, the STS and the sources of lists live.
    pub outbound: ConnectionLimits,
    /// Where agreements, routes and what else is kept lie.
    pub store: crate::store::Settings,
    /// How agreements are remembered.
    pub agreements: Agreements,
    /// The audit log.
    pub audit: Audit,
    /// Where contents of files lie; `None`: nothing here keeps any.
    pub objects: Option<crate::objects::Settings>,
    /// The keys of the memory of deliveries; `None`: no service here has one.
    pub deliveries: Option<Deliveries>,
    /// The SFTP server; `None`: there is none.
    pub sftp: Option<Sftp>,
    /// Where notices go; `None`: they wait in the store.
    pub mail: Option<crate::notices::post::Settings>,
    /// Limits at the edge.
    pub limits: EdgeLimits,
    /// Limits on messages and answers.
    pub messages: MessageLimits,
}

/// The environment of the demo, whose providers are on its own machine.
pub const DEMO: &str = "demo";

impl<S: ServiceSection> Config<S> {
    /// Every address listened on, to which no route may lead.
    pub fn listeners(&self) -> Vec<SocketAddr> {
        let sftp = self.sftp.as_ref().map(|sftp| sftp.address);
        let all = [Some(self.listen.address), Some(self.admin.address), self.api.address, self.console.address, sftp];
        all.into_iter().flatten().collect()
    }

    /// Each setting that holds certificates of our own or pinned ones, and when the last of them ends: for the metric on
    /// which operators set their alarm.
    pub fn expiries(&self) -> Vec<(String, Timestamp)> {
        let own = |credentials: &Credentials| std::slice::from_ref(credentials.leaf()).to_vec();
        let all = [
            ("listen.certificate", own(&self.listen.credentials)),
            ("listen.client_roots", self.listen.client_roots.clone()),
            ("system.certificate", own(&self.system)),
            ("console.certificate", self.console.credentials.as_ref().map(own).unwrap_or_default()),
            ("console.saml.certificate", self.console.saml.as_ref().map(|saml| own(&saml.credentials)).unwrap_or_default()),
            ("admin.client_roots", self.admin.client_roots.clone()),
            ("api.client_roots", self.api.client_roots.clone()),
            ("tokens.certificates", self.tokens.certificates.clone()),
            ("signers.authorities", self.signers.authorities.clone()),
            ("revocation.roots", self.revocation.roots.clone()),
            ("sts.roots", self.sts.roots.clone()),
        ];
        let of_peers = self.peers.iter().flat_map(|(name, peer)| {
            let settings = [("roots", &peer.roots), ("signing_certificates", &peer.signing_certificates)];
            settings.map(|(key, certificates)| (format!("peer.{name}.{key}"), certificates.clone()))
        });
        all.into_iter()
            .chain(self.shared.certificates())
            .map(|(setting, certificates)| (setting.to_owned(), certificates))
            .chain(of_peers)
            .filter_map(|(setting, certificates)| {
                let ends = certificates.iter().filter_map(|certificate| inspect(certificate).ok());
                Some((setting, ends.map(|facts| facts.not_after).max()?))
            })
            .collect()
    }
}

/// Who remembers messages against replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayKept {
    /// Each node for itself.
    Node,
    /// All nodes together, in the store.
    Database,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
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

/// Revocation of the certificates that sign what the gateway believes: tokens of the STS, and answers of peers.
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub struct Signers {
    /// The CAs whose lists count.
    pub authorities: Vec<CertificateDer<'static>>,
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

/// Where agreements and routes are administered. The listener is TLS with the certificate of [`Listen`], and demands a
/// client certificate below one of the roots.
#[derive(Debug)]
pub struct Api {
    /// The address and port listened on; none: no listener.
    pub address: Option<SocketAddr>,
    /// The CAs of the users' certificates.
    pub client_roots: Vec<CertificateDer<'static>>,
    /// Revocation of the users' certificates.
    pub revocation: DomainLists,
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

/// How agreements are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreements {
    /// How old a remembered agreement may be before the store is asked again, though nothing was heard of a change.
    pub cache_ttl: Duration,
    /// How old it may be while the store does not answer.
    pub max_staleness: Duration,
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
    /// How often the checkpoint of another node goes into this node's chain, at the least.
    pub anchor_interval: Duration,
    /// Where segments that have ended are shipped to.
    pub archive: Option<Archive>,
    /// How many days a record is kept at the least, before `hjemmel audit retire` may remove it; 0: for ever.
    pub retention_days: u64,
}

/// Where segments of the audit log are shipped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// A folder or a bucket.
    pub at: crate::objects::settings::Place,
    /// How many days a segment stays on the node's disk at the least once it is in the archive; 0: as long as records are kept.
    pub local_days: u64,
}

/// A configuration, and what will be wrong with it before long.
#[derive(Debug)]
pub struct Loaded<S: ServiceSection> {
    /// The configuration.
    pub config: Config<S>,
    /// Certificates that end within 30 days, or have ended beside others that are valid.
    pub warnings: Report,
}

/// Reads and checks the configuration in `file` and the certificates and keys that it names, as of `now`.
///
/// # Errors
/// Everything that is wrong, in one [`Report`].
pub fn load<S: ServiceSection>(file: &Path, now: Timestamp) -> Result<Loaded<S>, Report> {
    let Finished { config, problems, warnings, .. } = Draft::open(file, now).finish();
    config.map(|config| Loaded { config, warnings }).ok_or(problems)
}

/// What `[store]` of the configuration in `file` says, whatever else is wrong with it.
///
/// # Errors
/// What is wrong with the section.
pub fn store_of<S: ServiceSection>(file: &Path, now: Timestamp) -> Result<crate::store::Settings, Report> {
    let draft = Draft::<S>::open(file, now);
    let store = draft.sections().store.clone();
    store.ok_or_else(|| draft.problems_of(&["store", "agreements.store", ""]))
}

/// What `[audit.archive]` of the configuration in `file` says, whatever else is wrong with it.
///
/// # Errors
/// What is wrong with the section.
pub fn archive_of<S: ServiceSection>(file: &Path, now: Timestamp) -> Result<Option<Archive>, Report> {
    let draft = Draft::<S>::open(file, now);
    let archive = draft.sections().archive.clone();
    archive.ok_or_else(|| draft.problems_of(&["audit", "audit.archive", ""]))
}

#[cfg(test)]
mod tests;
