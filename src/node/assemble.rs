//! From a checked configuration to a service that answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::agreements::{Agreements, CacheSettings, Store};
use crate::audit::anchors;
use crate::audit::{Audit, AuditSettings, Record, Sealer, keys};
use crate::clock::Clock;
use crate::config;
use crate::edge::http::RequestBody;
use crate::files::content::{ByInfRef, Contents, composed};
use crate::gateway::authenticate::TokenTrust;
use crate::gateway::seal::Signer;
use crate::metrics::Metrics;
use crate::node::Config;
use crate::node::domains::domains;
use crate::objects::Objects;
use crate::outbound::{ConnectionLimits, Outbound, OutboundSettings, SetupError, counts};
use crate::peer::Known;
use crate::replay::ReplayMemory;
use crate::replay::database::{DatabaseMemory, Rules};
use crate::replay::node::NodeMemory;
use crate::revocation::list::RevocationError;
use crate::revocation::verify::RootsError;
use crate::saml::memory::{self, AssertionMemory};
use crate::saml::trust::{Issuer, Trust, TrustError};
use crate::services::kept::Kept;
use crate::services::parts::{OfferError, Offered, Parts};
use crate::services::standing::Next;
use crate::signature::credentials::Credentials;
use crate::signature::key::{Certificate, KeyError, SigningKey};
use crate::signature::timestamp::TimeRules;
use crate::store::seen::Sight;
use crate::store::{Database, StoreError, copies};
use crate::sts::cache::{Counts, TokenCache};
use crate::sts::client::{Https, StsClient, StsSettings};
use crate::trust::clients::{ClientCertificate, ClientTrust};
use crate::trust::domains::{self, Domains, ListsByDomain, UnknownDomain};
use crate::work::Work;

/// Why the service cannot start. Each says what to mend.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum AssembleError {
    #[error("{path}: {error}")]
    File {
        path: String,
        /// Why.
        error: std::io::Error,
    },
    #[error(transparent)]
    Service(#[from] OfferError),
    /// The trusted STS.
    #[error("{0}")]
    Trust(#[from] TrustError),
    /// Metadata of an STS that the configuration does not name.
    #[error("{path} is the metadata of {found}, and [tokens] issuer names {expected}; correct the one or the other")]
    OtherIssuer {
        /// The file.
        path: String,
        /// Its entity id.
        found: String,
        /// The setting.
        expected: String,
    },
    /// Client certificates.
    #[error("client certificates: {0}")]
    Clients(#[from] RootsError),
    /// A revocation list.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// A section whose certificates nobody judges.
    #[error(transparent)]
    Domain(#[from] UnknownDomain),
    /// A certificate or key.
    #[error("a certificate or key cannot be used for signatures: {0}")]
    Key(#[from] KeyError),
    /// TLS towards the STS or a peer.
    #[error(transparent)]
    Outbound(#[from] SetupError),
    /// The agreements.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] crate::objects::settings::OpenError),
    /// The audit's keys.
    #[error(transparent)]
    AuditKeys(#[from] keys::KeyError),
    #[error(transparent)]
    Audit(#[from] crate::audit::log::LogError),
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A number or name that the configuration should have refused.
    #[error("{0}")]
    Setting(&'static str),
}

/// What outlives a reload: open files and sockets, and memories that would be dangerous or costly to lose.
#[derive(Clone)]
#[allow(missing_docs)] // the names say it
pub struct Lasting {
    pub agreements: Agreements,
    /// Where contents of files lie.
    pub objects: Option<Objects>,
    pub audit: Audit,
    /// Seals persons for the audit.
    pub sealer: Arc<Sealer>,
    pub replay: Arc<ReplayMemory>,
    /// What is known of each peer, by its name.
    pub peers: BTreeMap<String, Known>,
    /// What services keep.
    pub kept: Kept,
    /// What contents of files must be, by InfRef.
    pub contents: Arc<Contents>,
    /// What the token caches did.
    pub token_counts: Arc<Counts>,
    /// What the memories of verified assertions did.
    pub assertion_counts: Arc<memory::Counts>,
    /// The revocation lists: connections and tokens that outlast a reload are judged by those of after it.
    pub domains: Domains,
    /// The calls that are worked on.
    pub work: Work,
    /// What became of connections to others than peers.
    pub connections: Connections,
}

/// What became of the connections to others than peers.
#[derive(Clone, Default)]
pub struct Connections {
    /// The security token service.
    pub sts: Arc<counts::Counts>,
    /// The sources of revocation lists.
    pub lists: Arc<counts::Counts>,
}

/// Sees every audit record as its call closes.
pub type OnClose = Box<dyn Fn(&Record) + Send + Sync>;

impl Lasting {
    /// Opens what the configuration names.
    ///
    /// # Errors
    /// `Store`, `AuditKeys`, `Audit`, `Revocation`, `Outbound`. A list that cannot be fetched is none of them: what it should
    /// speak for is refused until it comes.
    pub async fn open(
        config: &Config,
        clock: &Clock,
        metrics: &Arc<Metrics>,
        on_close: OnClose,
    ) -> Result<(Self, Sight), AssembleError> {
        let mut lists = ListsByDomain::at_hand(domains(config), None, clock.now())?;
        let connections = Connections::default();
        for error in
            lists.fetch_missing(&domains::fetcher(&config.revocation, &config.outbound, &connections.lists)?, clock).await
        {
            tracing::error!(%error, "a revocation list is missing: what it should speak for is judged without it until it comes");
        }
        let store = Store::open(&config.store).await?;
        let sight = sight(store.database(), &config.audit.directory).await?;
        // A store that was put back is refused before anything of it is read.
        sight.examine().await?;
        store.database().listen();
        store.database().ask();
        if let Some((at, decided_to)) = copies::restored(store.database()).await? {
            let decided_to = decided_to.map_or_else(|| "none".to_owned(), |to| to.to_string());
            tracing::warn!(%at, %decided_to, "the store was restored from a copy: what was decided between the two is not in it");
        }
        let cache = CacheSettings {
            refresh: config.agreements.cache_ttl,
            staleness: config.agreements.max_staleness,
            ..CacheSettings::default()
        };
        let objects = config.objects.as_ref().map(|settings| settings.open()).transpose()?;
        tokio::spawn(log_objects(objects.clone()));
        let replay = replay_memory(config, store.database(), clock).await?;
        let audit = start_audit(&config.audit, clock, metrics, on_close)?;
        let lasting = Self {
            agreements: Agreements::new(store, cache),
            objects,
            audit,
            sealer: Arc::new(keys::sealer(&config.audit.pseudonym_key, &config.audit.auditors)?),
            replay: Arc::new(replay),
            peers: config.peers.iter().map(|(name, peer)| (name.clone(), Known::of(peer, None))).collect(),
            kept: Kept::default(),
            contents: Arc::default(),
            token_counts: Arc::default(),
            assertion_counts: Arc::default(),
            domains: lists.into_domains(),
            work: Work::for_processors(config.limits.calls_per_processor, config.limits.calls_per_processor_overloaded),
            connections,
        };
        Ok((lasting, sight))
    }

    /// The same for another configuration, before it is put in force.
    #[must_use]
    pub fn of(&self, config: &Config, lists: &ListsByDomain) -> Self {
        let known = |(name, peer): (&String, &config::Peer)| (name.clone(), Known::of(peer, self.peers.get(name)));
        Self { peers: config.peers.iter().map(known).collect(), domains: self.domains.of(lists), ..self.clone() }
    }
}

/// What this node has kept of its store, beside its audit log.
async fn sight(store: &Database, directory: &Path) -> Result<Sight, AssembleError> {
    let named = {
        let directory = directory.to_owned();
        move || anchors::named(&directory)
    };
    let node = tokio::task::spawn_blocking(named).await.map_err(std::io::Error::other).flatten();
    match node {
        Ok(node) => Sight::open(store, node, directory).await,
        Err(error) => Err(error),
    }
    .map_err(|error| AssembleError::File { path: directory.display().to_string(), error })
}

/// Asks the object store what it is good for, and logs it. Calls do not depend on it, so that the start does not either.
async fn log_objects(objects: Option<Objects>) {
    match objects {
        None => {}
        Some(objects) => match objects.probe().await {
            Ok(found) => tracing::info!(%found, "the object store answers"),
            Err(error) => tracing::error!(%error, "the object store cannot be used: no file can be taken or handed out"),
        },
    }
}

/// The memory against replay that the configuration chose.
async fn replay_memory(config: &Config, store: &Database, clock: &Clock) -> Result<ReplayMemory, StoreError> {
    // A message can be replayed as long as its Timestamp holds: the greatest age and the skew, and twice that to be safe.
    let keep = (config.timestamp_max_age + config.clock_skew) * 2;
    Ok(match config.replay_memory {
        config::ReplayKept::Node => ReplayMemory::Node(NodeMemory::new(config.replay_capacity, keep, clock.now())),
        config::ReplayKept::Database => {
            let rules = Rules { keep, skew: config.clock_skew, patience: config.replay_wait };
            ReplayMemory::Database(DatabaseMemory::open(store.clone(), rules, clock.clone()).await?)
        }
    })
}

/// All services, and what operators hold on to until the next ones take their place.
#[allow(missing_docs)] // the names say it
pub struct Assembled {
    pub services: Vec<Offered<RequestBody>>,
    /// Whose tokens are taken.
    pub trust: Arc<TokenTrust>,
    /// What client certificates are judged by.
    pub clients: Arc<ClientTrust>,
    /// The gateway's tokens.
    pub tokens: Tokens,
    /// What contents of files must be, by InfRef.
    pub contents: ByInfRef,
    /// What of the services will hold beside their calls.
    pub standing: Next,
}

/// The gateway's tokens, and what they were fetched with.
#[derive(Clone)]
#[allow(missing_docs)] // the names say it
pub struct Tokens {
    pub cache: TokenCache<StsClient<Https>>,
    fetched_with: FetchedWith,
}

/// As long as this stays the same, tokens that were fetched before a reload serve after it.
#[derive(Clone, PartialEq)]
struct FetchedWith {
    sts: config::Sts,
    connections: ConnectionLimits,
    issuer: Issuer,
    certificate: Certificate,
}

/// Puts the services together. `before`: the tokens of those that they take the place of.
///
/// # Errors
/// [`AssembleError`].
pub fn assemble(config: &Config, lasting: &Lasting, before: Option<&Tokens>, clock: &Clock) -> Result<Assembled, AssembleError> {
    let now = clock.now();
    let time = time_rules(config);
    let domains = &lasting.domains;
    // Made anew with the trust it was filled under, and never taken over: a reload costs each token one verification.
    let memory = match config.tokens.remembered_bytes {
        0 => None,
        bytes => Some(AssertionMemory::new(bytes, lasting.assertion_counts.clone())),
    };
    let trust = read_trust(&config.tokens, now)?.watched(&domains.named(domains::SIGNERS)?);
    let trust = Arc::new(TokenTrust { trust, time, memory });
    let (client_roots, optional) = (&config.listen.client_roots, ClientCertificate::Optional);
    let clients = Arc::new(ClientTrust::new(client_roots, domains.named(domains::CLIENTS)?, optional)?);
    let signer = Arc::new(read_signer(&config.system)?);
    let tokens = tokens(config, &trust.trust, &signer, before, lasting, clock)?;
    let parts = Parts {
        config,
        clock,
        agreements: &lasting.agreements,
        audit: &lasting.audit,
        sealer: &lasting.sealer,
        replay: &lasting.replay,
        work: &lasting.work,
        domains,
        peers: &lasting.peers,
        kept: &lasting.kept,
        trust: &trust,
        clients: &clients,
        signer: &signer,
        tokens: &tokens.cache,
    };
    let services = config.services.iter().map(|(name, service)| service.assemble(name, &parts));
    let services = services.collect::<Result<_, _>>()?;
    let contents = contents(config, &parts)?;
    let standing = Next::of(&config.services, &parts)?;
    Ok(Assembled { services, trust, clients, tokens, contents, standing })
}

/// What contents of files must be, where there are files: those of homes, and those of mailboxes, which the API alone opens too.
fn contents(config: &Config, parts: &Parts<'_>) -> Result<ByInfRef, AssembleError> {
    let mut contents = ByInfRef::new();
    if !super::mailboxes::are_in(config) {
        return Ok(contents);
    }
    let mut twice = BTreeSet::new();
    for (name, service) in &config.services {
        for (inf_ref, rule) in service.contents(name, parts)? {
            let inf_ref = composed(&inf_ref);
            if contents.insert(inf_ref.clone(), rule).is_some() {
                twice.insert(inf_ref);
            }
        }
    }
    for inf_ref in twice {
        if config.sftp.is_some() {
            return Err(AssembleError::Setting(
                "two services judge files of one InfRef; give each its own in vouchers_inf_ref and answers_inf_ref, or inf_ref",
            ));
        }
        // Mailboxes may never name it: it is not known whose rule would be meant.
        tracing::warn!(%inf_ref, "two services judge files of this InfRef, and no stream of a mailbox can name it");
        contents.remove(&inf_ref);
    }
    Ok(contents)
}

/// How far clocks may be apart, and how old a message may be.
pub fn time_rules(config: &Config) -> TimeRules {
    TimeRules { skew: signed(config.clock_skew), max_age: signed(config.timestamp_max_age), ..TimeRules::default() }
}

/// Reads the trusted STS's: what files and settings give of one issuer is one issuer, so that certificates may overlap
/// while one takes over from the other.
///
/// # Errors
/// `File`, `Trust`, `Key`, `OtherIssuer`.
pub fn read_trust(tokens: &config::Tokens, now: Timestamp) -> Result<Trust, AssembleError> {
    let mut issuers = Vec::new();
    for path in &tokens.metadata {
        let issuer = Issuer::from_metadata(Bytes::from(read(path)?), None, now)?;
        // The configuration names the issuer whose metadata it means: another file in its place is not taken.
        if let Some(expected) = tokens.issuer.as_deref().filter(|expected| *expected != issuer.entity_id()) {
            let (found, expected) = (issuer.entity_id().to_owned(), expected.to_owned());
            return Err(AssembleError::OtherIssuer { path: path.display().to_string(), found, expected });
        }
        issuers.push(issuer);
    }
    if !tokens.certificates.is_empty() {
        // Beside metadata the issuer need not be named again, where there is one alone.
        let mut named = issuers.iter().map(|issuer| issuer.entity_id().to_owned()).collect::<Vec<_>>();
        named.dedup();
        let issuer = match (&tokens.issuer, named.as_slice()) {
            (Some(issuer), _) => issuer.clone(),
            (None, [only]) => only.clone(),
            _ => return Err(AssembleError::Setting("[tokens] certificates are given and issuer is not; say whose they are")),
        };
        let certificates = tokens.certificates.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
        issuers.push(Issuer::from_certificates(issuer, certificates)?);
    }
    Ok(Trust::new(issuers))
}

/// The gateway's own key, tried.
///
/// # Errors
/// `Key`, `Setting`.
pub fn read_signer(system: &Credentials) -> Result<Signer, AssembleError> {
    let signer = Signer::new(SigningKey::from_der(system.key())?, Certificate::from_der(system.leaf())?);
    let signature = signer.key.sign(b"hjemmel")?;
    match signer.certificate.key().verifies(signer.key.algorithm(), b"hjemmel", &signature) {
        true => Ok(signer),
        false => Err(AssembleError::Setting("[system] key does not belong to its certificate; name the pair")),
    }
}

fn start_audit(
    settings: &config::Audit,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    on_close: OnClose,
) -> Result<Audit, AssembleError> {
    let mut audit = AuditSettings::in_dir(&settings.directory);
    audit.limits.segment_bytes = settings.segment_bytes;
    audit.limits.checkpoint_interval = settings.checkpoint_interval;
    audit.commit_delay = settings.commit_delay;
    let (key, metrics) = (keys::checkpoint_key(&settings.checkpoint_key)?, metrics.clone());
    Ok(Audit::start(audit, key, clock.clone(), move |record| {
        metrics.observe(record);
        on_close(record);
        tracing::info!(
            call = %record.call,
            outcome = record.outcome.map(|outcome| outcome.name()),
            refusal = record.refusal.as_deref(),
            binding = record.binding.map(|binding| binding.name()),
            duration_us = record.duration_us,
            "call"
        );
    })?)
}

fn tokens(
    config: &Config,
    trust: &Trust,
    signer: &Signer,
    before: Option<&Tokens>,
    lasting: &Lasting,
    clock: &Clock,
) -> Result<Tokens, AssembleError> {
    let issuer = trust.issuers().first().ok_or(AssembleError::Setting("[tokens] names no issuer"))?.clone();
    let fetched_with = FetchedWith {
        sts: config.sts.clone(),
        connections: config.outbound.clone(),
        issuer,
        certificate: signer.certificate.clone(),
    };
    // Kept where nothing changed: a reload while the STS is down must not take tokens away that still hold.
    if let Some(before) = before.filter(|before| before.fetched_with == fetched_with) {
        return Ok(before.clone());
    }
    let outbound = OutboundSettings {
        connections: config.outbound.clone(),
        counts: lasting.connections.sts.clone(),
        ..sts_outbound(&config.sts)
    };
    let outbound = Outbound::checked(outbound, lasting.domains.named(domains::STS)?, config.sts.stapling)?;
    let client = sts_client(&config.sts, fetched_with.issuer.clone(), signer, outbound, clock);
    Ok(Tokens { cache: TokenCache::new(client, clock.clone(), lasting.token_counts.clone()), fetched_with })
}

/// Asks the STS for the gateway's own tokens.
pub fn sts_client(sts: &config::Sts, issuer: Issuer, signer: &Signer, outbound: Outbound, clock: &Clock) -> StsClient<Https> {
    let settings = StsSettings {
        to: sts.address.to_string(),
        issuer,
        certificate: signer.certificate.clone(),
        key: signer.key.clone(),
        on_behalf_of: None,
    };
    let transport = Https { outbound, uri: sts.address.clone(), timeout: sts.deadline };
    StsClient::new(settings, transport, clock.clone())
}

/// How the STS is reached.
pub fn sts_outbound(sts: &config::Sts) -> OutboundSettings {
    OutboundSettings { connect_timeout: sts.connect_timeout, ..OutboundSettings::new(sts.roots.clone()) }
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn read(path: &Path) -> Result<String, AssembleError> {
    std::fs::read_to_string(path).map_err(|error| AssembleError::File { path: path.display().to_string(), error })
}
