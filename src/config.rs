//! The configuration file: read once, checked once, every problem in one report.
//!
//! [`load`] reads the file and all that it names: certificates, keys, metadata. What it gives is ready to use, and nothing
//! after it finds a setting wrong. `deploy/hjemmel.example.toml` documents every setting. Relative paths start in the
//! file's own folder. A key that is not a setting is refused: a misspelt limit must not silently be no limit.

mod limits;
mod reader;
mod report;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use toml::de::DeTable;
use uuid::Uuid;

use crate::signature::credentials::{Credentials, inspect};
pub use limits::{EdgeLimits, MessageLimits};
use reader::{Gathered, Reader};
pub use report::{Problem, Report};

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
    /// Where the gateway's own tokens come from.
    pub sts: Sts,
    /// The benefit index.
    pub index: Index,
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
            ("tokens.certificates", self.tokens.certificates.clone()),
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
}

/// Where operators look.
#[derive(Debug)]
pub struct Admin {
    /// The address and port listened on; loopback unless `client_roots` are given.
    pub address: SocketAddr,
    /// Where not empty, the listener is TLS with the certificate of [`Listen`], and demands a client certificate below
    /// one of these.
    pub client_roots: Vec<CertificateDer<'static>>,
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
}

/// Where the gateway's own tokens come from.
#[derive(Debug)]
pub struct Sts {
    /// The WS-Trust address.
    pub address: Uri,
    /// The CAs of its TLS server.
    pub roots: Vec<CertificateDer<'static>>,
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
    /// The certificates that may sign its answers.
    pub signing_certificates: Vec<CertificateDer<'static>>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long an answer may take in all.
    pub deadline: Duration,
    /// Whether a request is sent once more after a connection that failed before a byte was answered.
    pub retry: bool,
    /// How many failures in a row open the circuit breaker.
    pub breaker_failures: u32,
    /// How long the index is then left alone.
    pub breaker_rest: Duration,
}

/// Service agreements.
#[derive(Debug)]
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
#[derive(Debug)]
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
}

/// A configuration, and what will be wrong with it before long.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Certificates that end within 30 days, or have ended beside others that are valid.
    pub warnings: Report,
}

/// Reads and checks the configuration in `file` and everything that it names, as of `now`.
///
/// # Errors
/// Everything that is wrong, in one [`Report`].
pub fn load(file: &Path, now: Timestamp) -> Result<Loaded, Report> {
    let text = std::fs::read_to_string(file).map_err(|cause| {
        let text = format!("cannot be read ({cause}); name the configuration with --config FILE");
        Report::new(file, "", vec![Problem { setting: String::new(), text, span: None }])
    })?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let (config, gathered) = read(&text, folder, now);
    let problems = gathered.problems.into_inner();
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { config, warnings: Report::new(file, &text, gathered.warnings.into_inner()) })
        }
        _ => Err(Report::new(file, &text, problems)),
    }
}

fn read(text: &str, folder: &Path, now: Timestamp) -> (Option<Config>, Gathered) {
    let gathered = Gathered::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let text = format!("is not TOML ({}); correct the line", error.message());
        let problem = Problem { setting: String::new(), text, span: error.span() };
        gathered.problems.borrow_mut().push(problem);
    }
    // What follows from a line that cannot be read would only bury it.
    if !errors.is_empty() {
        return (None, gathered);
    }
    let mut root = Reader::root(Some(table.get_ref()), folder, now, &gathered);
    let config = read_root(&mut root);
    root.finish();
    (config, gathered)
}

/// Every setting is asked for before the first `?`, so that each is checked whatever the others are.
fn read_root(root: &mut Reader<'_>) -> Option<Config> {
    let environment = root.environment("environment");
    let udk_cvr = root.cvr("udk_cvr");
    let clock_skew = root.duration("clock_skew", seconds(60), seconds(0)..=seconds(300));
    let timestamp_max_age = root.duration("timestamp_max_age", seconds(300), seconds(30)..=seconds(3600));
    let replay_capacity = root.size("replay_capacity", 1_000_000, 1_000..=100_000_000);
    let log_format =
        root.choice("log_format", LogFormat::Json, &[("json", LogFormat::Json), ("text", LogFormat::Text)]);
    let listen = root.section("listen", read_listen);
    let admin = root.section("admin", read_admin);
    let system = root.section("system", Reader::credentials);
    let service = root.section("service", read_service);
    let tokens = root.section("tokens", read_tokens);
    let sts = root.section("sts", read_sts);
    let index = root.section("index", read_index);
    let agreements = root.section("agreements", read_agreements);
    let policy = root.section("policy", read_policy);
    let audit = root.section("audit", read_audit);
    let limits = root.section("limits", |section| limits::read(section));
    let (limits, messages) = limits?;
    Some(Config {
        environment: environment?,
        udk_cvr: udk_cvr?,
        clock_skew: clock_skew?,
        timestamp_max_age: timestamp_max_age?,
        replay_capacity: replay_capacity?,
        log_format: log_format?,
        listen: listen?,
        admin: admin?,
        system: system?,
        service: service?,
        tokens: tokens?,
        sts: sts?,
        index: index?,
        agreements: agreements?,
        policy: policy?,
        audit: audit?,
        limits,
        messages,
    })
}

fn read_listen(section: &mut Reader<'_>) -> Option<Listen> {
    let address = section.socket("address", Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443))));
    let public_url = section.https("public_url");
    let credentials = section.credentials();
    let client_roots = section.certificates("client_roots", true);
    Some(Listen {
        address: address?,
        public_url: public_url?,
        credentials: credentials?,
        client_roots: client_roots?,
    })
}

fn read_admin(section: &mut Reader<'_>) -> Option<Admin> {
    let address = section.socket("address", Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))));
    let client_roots = section.certificates("client_roots", false);
    let (address, client_roots) = (address?, client_roots?);
    // Metrics and health are for operators: the open network gets them only with a proven client.
    if !address.ip().is_loopback() && client_roots.is_empty() {
        let text = "is not a loopback address; use 127.0.0.1 or [::1], or give client_roots, so that clients must show a certificate";
        section.problem_at("address", text.to_owned());
        return None;
    }
    Some(Admin { address, client_roots })
}

fn read_service(section: &mut Reader<'_>) -> Option<Service> {
    let default_uuid = Uuid::from_u128(0x3053ec89_31fe_4206_878b_bba6783d7a88);
    let entity_id = section.text("entity_id", None);
    let service_uuid = section.uuid("service_uuid", default_uuid);
    let path = section.text("path", Some("/service/Ydelse/TerminalAdgang/6"));
    if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        section.problem_at("path", "is not a path; begin it with /".to_owned());
    }
    let known = [("token", Binding::Token), ("authority-context", Binding::AuthorityContext)];
    let bindings = section.choices("bindings", &[Binding::Token], &known);
    let wrapper_namespace = section
        .text("wrapper_namespace", Some("http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/"));
    let privilege_role = section.optional_text("privilege_role");
    Some(Service {
        entity_id: entity_id?,
        service_uuid: service_uuid?,
        path: path?,
        bindings: bindings?,
        wrapper_namespace: wrapper_namespace?,
        privilege_role: privilege_role?,
    })
}

fn read_tokens(section: &mut Reader<'_>) -> Option<Tokens> {
    let issuer = section.optional_text("issuer");
    let metadata = section.files("metadata");
    let certificates = section.certificates("certificates", false);
    let (issuer, metadata, certificates) = (issuer?, metadata?, certificates?);
    if metadata.is_empty() && certificates.is_empty() {
        let text = "is missing, and so are certificates; name the security token service's SAML metadata or its signing certificates";
        section.problem_at("metadata", text.to_owned());
        return None;
    }
    if metadata.is_empty() && issuer.is_none() {
        section.problem_at("issuer", "is missing; certificates alone do not tell the issuer's entity id: add it".to_owned());
        return None;
    }
    Some(Tokens { issuer, metadata, certificates })
}

fn read_sts(section: &mut Reader<'_>) -> Option<Sts> {
    let address = section.https("address");
    let roots = section.certificates("roots", true);
    let connect_timeout = section.duration("connect_timeout", seconds(3), seconds(1)..=seconds(60));
    let deadline = section.duration("deadline", seconds(10), seconds(1)..=seconds(120));
    Some(Sts { address: address?, roots: roots?, connect_timeout: connect_timeout?, deadline: deadline? })
}

fn read_index(section: &mut Reader<'_>) -> Option<Index> {
    let address = section.https("address");
    let entity_id = section.text("entity_id", Some("http://entityid.kombit.dk/service/ydi/ydelseindeks/6"));
    let roots = section.certificates("roots", true);
    let signing_certificates = section.certificates("signing_certificates", true);
    let connect_timeout = section.duration("connect_timeout", seconds(3), seconds(1)..=seconds(60));
    let deadline = section.duration("deadline", seconds(30), seconds(1)..=seconds(300));
    let retry = section.flag("retry", true);
    let breaker_failures = section.number("breaker_failures", 5, 1..=1000);
    let breaker_rest = section.duration("breaker_rest", seconds(10), seconds(1)..=seconds(600));
    Some(Index {
        address: address?,
        entity_id: entity_id?,
        roots: roots?,
        signing_certificates: signing_certificates?,
        connect_timeout: connect_timeout?,
        deadline: deadline?,
        retry: retry?,
        breaker_failures: u32::try_from(breaker_failures?).ok()?,
        breaker_rest: breaker_rest?,
    })
}

fn read_agreements(section: &mut Reader<'_>) -> Option<Agreements> {
    let store = section.new_file("store");
    let cache_ttl = section.duration("cache_ttl", seconds(10), seconds(1)..=seconds(600));
    let max_staleness = section.duration("max_staleness", seconds(15 * 60), seconds(1)..=seconds(24 * 3600));
    if let (Some(ttl), Some(staleness)) = (cache_ttl, max_staleness)
        && staleness < ttl
    {
        section.problem_at("max_staleness", "is shorter than cache_ttl; make it at least as long".to_owned());
    }
    Some(Agreements { store: store?, cache_ttl: cache_ttl?, max_staleness: max_staleness? })
}

fn read_policy(section: &mut Reader<'_>) -> Option<Policy> {
    let directory = section.directory("directory");
    let name = section.text("name", Some("terminaladgang-6"));
    let (directory, name) = (directory?, name?);
    let file = directory.join(format!("{name}.toml"));
    if !file.is_file() {
        section.problem_at("name", format!("names {}, which is not a file; correct name or directory", file.display()));
        return None;
    }
    Some(Policy { directory, name })
}

fn read_audit(section: &mut Reader<'_>) -> Option<Audit> {
    let directory = section.directory("directory");
    let checkpoint_key = section.file("checkpoint_key");
    let pseudonym_key = section.file("pseudonym_key");
    let auditors = section.file("auditors");
    let segment_bytes = section.number("segment_bytes", 64 << 20, 1 << 20..=1 << 32);
    let checkpoint_interval = section.duration("checkpoint_interval", seconds(10), seconds(1)..=seconds(3600));
    Some(Audit {
        directory: directory?,
        checkpoint_key: checkpoint_key?,
        pseudonym_key: pseudonym_key?,
        auditors: auditors?,
        segment_bytes: segment_bytes?,
        checkpoint_interval: checkpoint_interval?,
    })
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests;
