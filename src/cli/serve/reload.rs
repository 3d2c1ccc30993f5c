//! Hot reload: the configuration file is read anew, and all that it names, while calls go on.
//!
//! Everything is prepared before anything is exchanged. What cannot be used leaves all of the old in force, and says so in
//! the log and in `hjemmel_reload_total`. No call is dropped: one that has begun ends with what it began with, connections
//! stay open, and the memories that a restart would lose (replay, agreements, tokens that still hold) are kept.
//!
//! Agreements need no reload: they are read from the store within `[agreements] cache_ttl`.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, Notify, watch};

use super::ServeError;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::edge::http::RequestBody;
use crate::edge::router::{InForce, Serving};
use crate::edge::tls::{self, ServerTls};
use crate::gateway::authenticate::TokenTrust;
use crate::gateway::clients::{ClientCertificate, ClientTrust, Rules};
use crate::metrics::{Metrics, Reload};
use crate::saml::memory::AssertionMemory;
use crate::services::terminaladgang::assemble::{Assembled, Lasting, Tokens, assemble};
use crate::services::terminaladgang::contract::contract;
use crate::signature::key::Certificate;

/// Puts configurations in force.
pub struct Reloader {
    /// Held while one reload is made, so that two cannot mix.
    running: Mutex<Running>,
    /// Told of every configuration that is put in force.
    exchanged: Notify,
    lasting: Lasting,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// What calls are served with.
    pub(super) in_force: Arc<InForce<RequestBody>>,
    /// TLS towards callers.
    pub(super) tls: Arc<ServerTls>,
    /// TLS towards operators, where the admin listener has it.
    pub(super) admin_tls: Option<Arc<ServerTls>>,
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
    clients: Arc<ClientTrust>,
    expiries: Vec<(&'static str, Timestamp)>,
}

/// All that one configuration puts in force, known to be in order.
struct Prepared {
    serving: Serving<RequestBody>,
    known: Known,
    tls: tls::Prepared,
    admin_tls: Option<tls::Prepared>,
}

impl Reloader {
    /// Puts the first configuration in force.
    pub(super) fn start(
        config: Config,
        lasting: Lasting,
        clock: &Clock,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, ServeError> {
        let Prepared { serving, known, tls, admin_tls } = prepare(&config, &lasting, None, clock)?;
        let reloader = Self {
            lasting,
            clock: clock.clone(),
            metrics: metrics.clone(),
            in_force: Arc::new(InForce::new(serving)),
            tls: Arc::new(ServerTls::new(tls)),
            admin_tls: admin_tls.map(|tls| Arc::new(ServerTls::new(tls))),
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
        match self.exchange(&mut running, file) {
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

    fn exchange(&self, running: &mut Running, file: &Path) -> Result<Vec<&'static str>, ServeError> {
        let loaded = config::load(file, self.clock.now()).map_err(ServeError::Config)?;
        for warning in loaded.warnings.problems() {
            tracing::warn!(setting = %warning.setting, "{}", warning.text);
        }
        let mut config = loaded.config;
        let differing = config.keep_until_restart(&running.config);
        let prepared = prepare(&config, &self.lasting, Some(&running.known), &self.clock)?;
        // From here on nothing can fail.
        self.tls.replace(prepared.tls);
        if let (Some(own), Some(fresh)) = (&self.admin_tls, prepared.admin_tls) {
            own.replace(fresh);
        }
        self.in_force.replace(prepared.serving);
        *running = Running { config, known: prepared.known };
        self.exchanged.notify_one();
        Ok(differing)
    }

    /// Reads the revocation lists anew, every `[listen] crl_interval`, until the gateway stops. A list that cannot be used
    /// leaves the old one in force until its successor is overdue.
    pub(super) async fn watch_revocation_lists(self: Arc<Self>, mut stopped: watch::Receiver<()>) {
        loop {
            let interval = self.running.lock().await.config.listen.crl_interval;
            tokio::select! {
                _ = stopped.changed() => return,
                // The interval may be another one now.
                () = self.exchanged.notified() => {}
                () = tokio::time::sleep(interval) => self.refresh_revocation_lists().await,
            }
        }
    }

    async fn refresh_revocation_lists(&self) {
        let running = self.running.lock().await;
        if running.config.listen.crls.is_empty() {
            return;
        }
        let listen = &running.config.listen;
        let refreshed = Rules::read(listen).map_err(ServeError::from).and_then(|rules| {
            let tls = tls::Prepared::new(&listen.credentials, rules.verifier().clone())?;
            Ok((rules, tls))
        });
        match refreshed {
            Ok((rules, _)) if rules.same_lists(&running.known.clients.current()) => {}
            Ok((rules, tls)) => {
                running.known.clients.replace(rules);
                self.tls.replace(tls);
                self.metrics.reloaded(Reload::RevocationLists, Some(self.clock.now()));
                tracing::info!("new revocation lists are in force");
            }
            Err(error) => {
                self.metrics.reloaded(Reload::RevocationLists, None);
                tracing::error!(%error, "the revocation lists were refused; the old ones stay in force");
            }
        }
    }

    /// When each configured certificate ends, by setting.
    pub(super) async fn expiries(&self) -> Vec<(&'static str, Timestamp)> {
        self.running.lock().await.known.expiries.clone()
    }

    /// The metrics, after taking over into them what is only known here. A reload under way is not waited for: its figures
    /// come next time.
    pub(super) fn show_metrics(&self) -> String {
        let metrics = &self.metrics;
        metrics.observe_audit(&self.lasting.audit.stats());
        metrics.breaker("index", super::breaker_state(&self.lasting.breaker));
        metrics.observe_replay(self.lasting.replay.len(), self.lasting.replay.capacity());
        if let Ok(running) = self.running.try_lock() {
            let known = &running.known;
            metrics.observe_tokens(self.lasting.token_counts.stats(), known.tokens.cache.entries());
            let remembered = known.trust.memory.as_ref().map_or(0, AssertionMemory::entries);
            metrics.observe_assertions(self.lasting.assertion_counts.stats(), remembered);
            metrics.certificates_expire(&known.expiries);
            let file = |name: &str| Path::new(name).file_name().map(|file| file.to_string_lossy().into_owned());
            let clients = known.clients.current();
            let lists = clients.lists().iter().map(|list| (file(list.name()).unwrap_or_default(), list.next_update()));
            metrics.revocation_lists_due(&lists.collect::<Vec<_>>());
        }
        metrics.render().unwrap_or_default()
    }
}

fn prepare(config: &Config, lasting: &Lasting, before: Option<&Known>, clock: &Clock) -> Result<Prepared, ServeError> {
    let Assembled { gateway, definition, trust, clients, tokens, metadata } =
        assemble(config, lasting, before.map(|before| &before.tokens), clock)?;
    let credentials = &config.listen.credentials;
    let tls = tls::Prepared::new(credentials, clients.current().verifier().clone())?;
    let admin_tls = match config.admin.client_roots.as_slice() {
        [] => None,
        roots => Some(tls::Prepared::with_roots(credentials, roots, ClientCertificate::Required)?),
    };
    let mut expiries = config.expiries();
    let issuers = trust.trust.issuers().iter().flat_map(|issuer| issuer.certificates());
    expiries.extend(issuers.map(Certificate::not_after).max().map(|ends| ("tokens.metadata", ends)));
    let documents = move |query: &str| match query {
        "metadata" => Some(("application/samlmetadata+xml", metadata.to_string())),
        query => contract(query, &definition.address),
    };
    let serving = Serving {
        path: config.service.path.trim_end_matches('/').to_owned(),
        documents: Box::new(documents),
        gateway: Box::new(gateway.stack::<RequestBody>()),
    };
    Ok(Prepared { serving, known: Known { tokens, trust, clients, expiries }, tls, admin_tls })
}
