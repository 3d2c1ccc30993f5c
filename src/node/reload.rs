//! Hot reload: the configuration file is read anew, and all that it names, while calls go on.
//!
//! Everything is prepared before anything is exchanged. What cannot be used leaves all of the old in force, and says so in
//! the log and in `hjemmel_reload_total`. No call is dropped: one that has begun ends with what it began with, connections
//! stay open, and the memories that a restart would lose (replay, agreements, tokens that still hold) are kept.
//!
//! Agreements need no reload: a decision in the store holds within a second.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::domains::domains;
use super::{Config, ServeError};
use crate::api::Clients;
use crate::clock::Clock;
use crate::config::{Binding, ServiceSection as _};
use crate::console::saml::{LogOn, LogOnError, LogOnNow};
use crate::edge::http::RequestBody;
use crate::edge::router::{InForce, Services, Serving};
use crate::edge::tls::{self, ServerTls, Shown};
use crate::files::content::ByInfRef;
use crate::gateway::authenticate::TokenTrust;
use crate::metrics::{Metrics, Reload};
use crate::node::assemble::{Assembled, Lasting, Tokens, assemble};
use crate::outbound::lists::Fetcher;
use crate::replay::ReplayMemory;
use crate::revocation::ocsp::{self, StapleError};
use crate::saml::memory::AssertionMemory;
use crate::services::concerns::Concerns;
use crate::services::parts::Offered;
use crate::services::standing::{Next, Standing};
use crate::signature::key::Certificate;
use crate::store::StoreError;
use crate::trust::clients::{ClientCertificate, ClientTrust};
use crate::trust::domains::{self, ListsByDomain};

/// Puts configurations in force.
pub struct Reloader {
    /// Held while one reload is made, so that two cannot mix.
    running: Mutex<Running>,
    /// Told of every configuration that is put in force.
    exchanged: Notify,
    /// Exchanged with the configuration, as peers come and go.
    lasting: RwLock<Lasting>,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// What calls are served with.
    pub(super) in_force: Arc<InForce<RequestBody>>,
    /// TLS towards callers.
    pub(super) tls: Arc<ServerTls>,
    /// TLS towards operators, where the admin listener has it.
    pub(super) admin_tls: Option<Arc<ServerTls>>,
    /// TLS towards the users of the API, and what their certificates are judged by, where there is an API.
    pub(super) api: Option<(Arc<ServerTls>, Arc<Clients>)>,
    /// TLS towards the browsers of the console, where there is one.
    pub(super) console_tls: Option<Arc<ServerTls>>,
    /// What logs people on to the console.
    pub(super) log_on: LogOnNow,
    /// What of the services holds beside their calls.
    pub(super) standing: Standing,
}

/// What is in force, as far as the next reload and the metrics need to know.
struct Running {
    config: Config,
    known: Known,
}

/// What is kept of [`Assembled`] once its steps are stacked.
struct Known {
    tokens: Tokens,
    trust: Arc<TokenTrust>,
    shown: Arc<Shown>,
    fetcher: Fetcher,
    expiries: Vec<(String, Timestamp)>,
}

/// All that one configuration puts in force, known to be in order.
struct Prepared {
    services: Services<RequestBody>,
    contents: ByInfRef,
    standing: Next,
    known: Known,
    tls: tls::Prepared,
    admin_tls: Option<tls::Prepared>,
    api: Option<(tls::Prepared, Arc<ClientTrust>)>,
    console_tls: Option<tls::Prepared>,
    log_on: Option<LogOn>,
}

impl Reloader {
    /// Puts the first configuration in force.
    pub(super) fn start(
        config: Config,
        lasting: Lasting,
        clock: &Clock,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, ServeError> {
        let Prepared { services, contents, standing, known, tls, admin_tls, api, console_tls, log_on } =
            prepare(&config, &lasting, None, clock)?;
        lasting.contents.replace(contents);
        let reloader = Self {
            lasting: RwLock::new(lasting),
            clock: clock.clone(),
            metrics: metrics.clone(),
            in_force: Arc::new(InForce::new(services)),
            tls: Arc::new(ServerTls::new(tls)),
            admin_tls: admin_tls.map(|tls| Arc::new(ServerTls::new(tls))),
            api: api.map(|(tls, trust)| (Arc::new(ServerTls::new(tls)), Arc::new(Clients::new(trust)))),
            console_tls: console_tls.map(|tls| Arc::new(ServerTls::new(tls))),
            log_on: LogOnNow::new(log_on),
            standing: Standing::new(standing),
            running: Mutex::new(Running { config, known }),
            exchanged: Notify::new(),
        };
        metrics.in_force_since(clock.now());
        Ok(Arc::new(reloader))
    }

    /// Reads `file` and puts it in force, or leaves everything as it is. What came of it is logged and counted.
    ///
    /// # Errors
    /// What is wrong with the file, or with what it names; nothing has changed then.
    pub async fn reload(&self, file: &Path) -> Result<(), ServeError> {
        let mut running = self.running.lock().await;
        match self.exchange(&mut running, file).await {
            Ok(differing) => {
                self.metrics.reloaded(Reload::Configuration, Some(self.clock.now()));
                tracing::info!(file = %file.display(), "the configuration was read anew and is in force");
                for setting in differing {
                    tracing::warn!(setting, "changed in the file, but holds only after a restart");
                }
                Ok(())
            }
            Err(error) => {
                self.metrics.reloaded(Reload::Configuration, None);
                tracing::error!(file = %file.display(), %error, "the configuration was refused; the old one stays in force");
                Err(error)
            }
        }
    }

    async fn exchange(&self, running: &mut Running, file: &Path) -> Result<Vec<&'static str>, ServeError> {
        let loaded = super::read(file, &self.clock).await?;
        super::warn_of(&loaded);
        let mut config = loaded.config;
        let differing = config.keep_until_restart(&running.config);
        let (lasting, before, clock) = (self.lasting(), running.known.tokens.clone(), self.clock.clone());
        let made = super::off_the_runtime(move || {
            let lists = ListsByDomain::at_hand(domains(&config), Some(&lasting.domains), clock.now())?;
            let lasting = lasting.of(&config, &lists);
            let prepared = prepare(&config, &lasting, Some(&before), &clock)?;
            Ok::<_, ServeError>((config, lists, lasting, prepared))
        });
        let (config, mut lists, lasting, prepared) = made.await??;
        // A list that was never seen is a slip in its address more likely than not: the old lists are better than none.
        if let Some(error) = lists.fetch_missing(&prepared.known.fetcher, &self.clock).await.pop() {
            return Err(error.into());
        }
        // From here on nothing can fail.
        lasting.domains.replace(lists);
        lasting.contents.replace(prepared.contents);
        *self.lasting.write().unwrap_or_else(PoisonError::into_inner) = lasting;
        self.tls.replace(prepared.tls);
        if let (Some(own), Some(fresh)) = (&self.admin_tls, prepared.admin_tls) {
            own.replace(fresh);
        }
        if let (Some(own), Some(fresh)) = (&self.console_tls, prepared.console_tls) {
            own.replace(fresh);
        }
        self.log_on.replace(prepared.log_on);
        if let (Some((tls, clients)), Some((fresh, trust))) = (&self.api, prepared.api) {
            tls.replace(fresh);
            clients.replace(trust);
        }
        self.standing.replace(prepared.standing);
        self.in_force.replace(prepared.services);
        *running = Running { config, known: prepared.known };
        self.exchanged.notify_one();
        Ok(differing)
    }

    fn lasting(&self) -> Lasting {
        self.lasting.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps revocation lists and the stapled OCSP response fresh until the gateway stops. What cannot be used leaves the old
    /// one in force until that one has ended by itself.
    pub(super) async fn keep_revocation_fresh(self: Arc<Self>, mut stopped: watch::Receiver<()>) {
        let mut read = Instant::now();
        loop {
            let next_read = read + self.running.lock().await.config.revocation.keeping.interval;
            let due = self.lasting().domains.due().map_or(next_read, |due| due.min(next_read));
            tokio::select! {
                _ = stopped.changed() => return,
                // Other sources, and another pace, maybe.
                () = self.exchanged.notified() => {}
                () = sleep_until(due) => self.renew_revocation_lists().await,
            }
            if next_read <= Instant::now() {
                read = Instant::now();
                self.renew_staple().await;
            }
        }
    }

    /// No lock is held while a list is fetched: a reload need not wait for an authority that does not answer.
    async fn renew_revocation_lists(&self) {
        let fetcher = self.running.lock().await.known.fetcher.clone();
        let renewed = self.lasting().domains.renew(&fetcher, &self.clock).await;
        for error in &renewed.errors {
            self.metrics.reloaded(Reload::RevocationLists, None);
            tracing::error!(%error, "a revocation list was refused; the one before it stays in force until it ends");
        }
        if renewed.changed {
            self.metrics.reloaded(Reload::RevocationLists, Some(self.clock.now()));
            tracing::info!("new revocation lists are in force");
        }
    }

    async fn renew_staple(&self) {
        let running = self.running.lock().await;
        let listen = &running.config.listen;
        let (file, chain, clock) = (listen.ocsp_response.clone(), listen.credentials.chain().to_vec(), self.clock.clone());
        match super::off_the_runtime(move || staple(file.as_deref(), &chain, &clock)).await {
            Ok(Ok(response)) => running.known.shown.staple(response),
            Err(error) => tracing::error!(%error, "the OCSP response was not read"),
            Ok(Err(error)) => {
                self.metrics.reloaded(Reload::OcspResponse, None);
                tracing::error!(%error, "the OCSP response was refused; the one before it is stapled until it ends");
            }
        }
    }

    /// When each configured certificate ends, by setting.
    pub(super) async fn expiries(&self) -> Vec<(String, Timestamp)> {
        self.running.lock().await.known.expiries.clone()
    }

    /// The services of the configuration in force, for the catalogue.
    pub(super) async fn services(&self) -> Vec<crate::console::known::Offered> {
        let (running, failing) = (self.running.lock().await, self.failing());
        let shown = running.config.services.iter().map(|(name, service)| {
            let offer = service.offer();
            crate::console::known::Offered {
                name: name.clone(),
                id: offer.service_uuid,
                entity_id: offer.entity_id.clone(),
                path: offer.path.clone(),
                bindings: offer
                    .bindings
                    .iter()
                    .map(|binding| match binding {
                        Binding::Token => "token",
                        Binding::AuthorityContext => "authority_context",
                    })
                    .collect(),
                policy: service.policy().cloned(),
                failing: service.peer().is_some_and(|peer| failing.iter().any(|failing| failing == peer)),
                terms: offer.terms.clone(),
            }
        });
        shown.collect()
    }

    /// What an operator is warned of about the stored routes.
    pub(super) async fn route_warnings(&self) -> Result<Vec<String>, StoreError> {
        let (environment, services) = {
            let config = &self.running.lock().await.config;
            (config.environment.clone(), super::routes::Known::of(&config.services))
        };
        let routes = self.lasting().agreements.routes().await?;
        Ok(super::routes::warnings(&routes, &environment, &services, self.clock.now()))
    }

    /// The peers, and the systems that routes lead to, that do not answer just now: their breakers are open.
    pub(super) fn failing(&self) -> Vec<String> {
        let lasting = self.lasting();
        let peers = lasting.peers.iter();
        let failing = peers.filter(|(_, peer)| matches!(super::breaker_state(&peer.breaker), crate::metrics::Breaker::Open));
        let routed = lasting.kept.breakers.open().into_iter().map(|system| system.to_string());
        failing.map(|(name, _)| name.to_string()).chain(routed).collect()
    }

    /// Where this node stands.
    pub(super) async fn environment(&self) -> String {
        self.running.lock().await.config.environment.as_str().to_owned()
    }

    /// What the operations of providers that routes lead to are to be told.
    pub(super) fn concerns(&self) -> Arc<Concerns> {
        self.lasting().kept.concerns.clone()
    }

    /// The metrics, after taking over into them what is only known here. A reload under way is not waited for: its figures
    /// come next time.
    pub(super) fn show_metrics(&self) -> String {
        let (metrics, lasting) = (&self.metrics, self.lasting());
        metrics.observe_audit(&lasting.audit.stats());
        let peers = lasting.peers.iter();
        metrics.observe_peers(peers.map(|(name, peer)| (name.as_str(), super::breaker_state(&peer.breaker), &*peer.connections)));
        metrics.observe_connections("sts", &lasting.connections.sts);
        metrics.observe_connections("lists", &lasting.connections.lists);
        metrics.observe_work(lasting.work.stats());
        metrics.observe_log(super::log::dropped());
        metrics.observe_traces(crate::telemetry::lost());
        match &*lasting.replay {
            ReplayMemory::Node(memory) => metrics.observe_replay(memory.len(), memory.capacity()),
            ReplayMemory::Database(memory) => metrics.observe_shared_replay(&memory.stats()),
        }
        if let Ok(running) = self.running.try_lock() {
            let known = &running.known;
            metrics.observe_deliveries(&lasting.kept.deliveries.stats());
            metrics.observe_tokens(lasting.token_counts.stats(), known.tokens.cache.entries());
            let remembered = known.trust.memory.as_ref().map_or(0, AssertionMemory::entries);
            metrics.observe_assertions(lasting.assertion_counts.stats(), remembered);
            metrics.certificates_expire(&known.expiries);
            metrics.ocsp_response_ends(known.shown.stapled_until());
        }
        metrics.revocation_lists(&lasting.domains.states());
        metrics.render().unwrap_or_default()
    }
}

fn prepare(config: &Config, lasting: &Lasting, before: Option<&Tokens>, clock: &Clock) -> Result<Prepared, ServeError> {
    let Assembled { services, trust, clients, tokens, contents, standing } = assemble(config, lasting, before, clock)?;
    let shown = Shown::new(&config.listen.credentials, clock)?;
    let listen = &config.listen;
    shown.staple(staple(listen.ocsp_response.as_deref(), listen.credentials.chain(), clock)?);
    let tls = tls::Prepared::new(shown.clone(), clients.verifier().clone())?;
    let admin_tls = match config.admin.client_roots.as_slice() {
        [] => None,
        roots => {
            let clients = ClientTrust::new(roots, lasting.domains.named(domains::ADMIN)?, ClientCertificate::Required)?;
            Some(tls::Prepared::new(shown.clone(), clients.verifier().clone())?)
        }
    };
    let api = match (config.api.address, config.api.client_roots.as_slice()) {
        (None, _) | (Some(_), []) => None,
        (Some(_), roots) => {
            let clients = ClientTrust::new(roots, lasting.domains.named(domains::API)?, ClientCertificate::Required)?;
            Some((tls::Prepared::new(shown.clone(), clients.verifier().clone())?, Arc::new(clients)))
        }
    };
    let console_tls = match (config.console.address, &config.console.credentials) {
        (None, _) => None,
        (Some(_), None) => Some(tls::Prepared::without_clients(shown.clone())?),
        (Some(_), Some(own)) => Some(tls::Prepared::without_clients(Shown::new(own, clock)?)?),
    };
    let log_on = log_on(config, clock)?;
    let mut expiries = config.expiries();
    let issuers = trust.trust.issuers().iter().flat_map(|issuer| issuer.certificates());
    expiries.extend(issuers.map(Certificate::not_after).max().map(|ends| ("tokens.metadata".to_owned(), ends)));
    let services = services.into_iter().map(serving).collect();
    let fetcher = domains::fetcher(&config.revocation, &config.outbound, &lasting.connections.lists)?;
    Ok(Prepared {
        services,
        contents,
        standing,
        known: Known { tokens, trust, shown, fetcher, expiries },
        tls,
        admin_tls,
        api,
        console_tls,
        log_on,
    })
}

/// What logs people on to the console by the configuration.
fn log_on(config: &Config, clock: &Clock) -> Result<Option<LogOn>, LogOnError> {
    let [skew, max_age] = [config.clock_skew, config.timestamp_max_age]
        .map(|duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::from_mins(1)));
    let log_on = LogOn::of(&config.console, skew, max_age, clock.now())?;
    for warning in log_on.iter().flat_map(|log_on| log_on.warnings(clock.now())) {
        tracing::warn!("console.saml: {warning}");
    }
    Ok(log_on)
}

/// The path of a service, and what is served there.
fn serving(service: Offered<RequestBody>) -> (String, Serving<RequestBody>) {
    let Offered { gateway, path, metadata, contract } = service;
    let documents = move |query: &str| match query {
        "metadata" => Some(("application/samlmetadata+xml", metadata.to_string())),
        query => contract(query),
    };
    (path, Serving { documents: Box::new(documents), gateway })
}

/// The OCSP response to be stapled.
fn staple(file: Option<&Path>, chain: &[CertificateDer<'_>], clock: &Clock) -> Result<Option<ocsp::Staple>, StapleError> {
    let Some(file) = file else { return Ok(None) };
    let response = ocsp::from_file(file, chain, clock.now())?;
    if response.is_none() {
        tracing::warn!(file = %file.display(), "the OCSP response has ended and is not stapled; fetch it again");
    }
    Ok(response)
}
