//! How the gateway asks for agreements: from memory, for a bounded time.
//!
//! What is remembered are agreements, never verdicts: whether one holds is judged at each use, against the instant given.
//! So an agreement that ends at midnight ends at midnight, however fresh or stale the memory is.
//!
//! Fail rules:
//! - An entry younger than `refresh` is used as it is; so long may a suspension take to reach a running gateway.
//! - An older one is read anew. If the store does not answer, the entry still serves until it is `staleness` old; past
//!   that, and where nothing was remembered, the call is refused with [`Refusal::AgreementsUnavailable`].
//! - That nothing was found is remembered for `negative` only, apart from what was found: a stranger who asks for a
//!   million absent agreements cannot push the present ones out. It never serves while the store is away.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use moka::future::Cache;
use uuid::Uuid;

use super::{
    cvr::Cvr,
    model::{Agreement, Authority, Environment, Standing, Thumbprint},
    store::{Store, StoreError},
};
use crate::refusal::Refusal;

/// How long and how much is remembered.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// How old an entry may be before the store is asked again. Default 10 s.
    pub refresh: Duration,
    /// How old an entry may be when the store does not answer. Default 15 min.
    pub staleness: Duration,
    /// How long "there is none" is remembered. Default 2 s.
    pub negative: Duration,
    /// Entries at most, of either kind. Default 10,000.
    pub capacity: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(10),
            staleness: Duration::from_secs(15 * 60),
            negative: Duration::from_secs(2),
            capacity: 10_000,
        }
    }
}

/// How a client system is known: by the certificate of its TLS connection or token, or by its UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientSystem {
    /// By its certificate.
    Certificate(Thumbprint),
    /// By its UUID.
    System(Uuid),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Front(ClientSystem, Cvr, Uuid, Environment),
    Back(Uuid, Environment),
    Register,
}

#[derive(Debug)]
enum Found {
    Agreements(Vec<Arc<Agreement>>),
    Register(BTreeMap<Cvr, Arc<Authority>>),
}

impl Found {
    fn is_empty(&self) -> bool {
        match self {
            Found::Agreements(agreements) => agreements.is_empty(),
            Found::Register(register) => register.is_empty(),
        }
    }
}

#[derive(Clone)]
struct Entry {
    found: Arc<Found>,
    loaded: Instant,
    /// When the store is asked again; put off after a failure, so that a dead store is not waited for at every call.
    next: Instant,
}

/// The agreements, as the gateway asks for them. Cheap to clone.
#[derive(Clone)]
pub struct Agreements {
    store: Store,
    settings: CacheSettings,
    present: Cache<Key, Entry>,
    absent: Cache<Key, Arc<Found>>,
}

impl Agreements {
    /// Puts memory in front of a store.
    pub fn new(store: Store, settings: CacheSettings) -> Self {
        let present =
            Cache::builder().max_capacity(settings.capacity).time_to_live(settings.staleness.max(settings.refresh)).build();
        let absent = Cache::builder().max_capacity(settings.capacity).time_to_live(settings.negative).build();
        Self { store, settings, present, absent }
    }

    /// The front agreement that holds at `at` for this system, authority, service and environment. Where several hold,
    /// the one that began last: a renewal takes over from its first instant.
    ///
    /// # Errors
    /// [`Refusal::ServiceAgreementNotFound`], [`Refusal::ServiceAgreementNotActive`], [`Refusal::AgreementsUnavailable`].
    pub async fn front(
        &self,
        client: ClientSystem,
        authority: Cvr,
        service: Uuid,
        environment: &Environment,
        at: Timestamp,
    ) -> Result<Arc<Agreement>, Refusal> {
        let candidates = self.agreements(Key::Front(client, authority, service, environment.clone())).await?;
        choose(&candidates, at, Refusal::ServiceAgreementNotFound)
    }

    /// The back agreement that holds at `at` for this authority.
    ///
    /// # Errors
    /// [`Refusal::BackAgreementNotFound`], [`Refusal::ServiceAgreementNotActive`], [`Refusal::AgreementsUnavailable`].
    pub async fn back(
        &self,
        service: Uuid,
        authority: Cvr,
        environment: &Environment,
        at: Timestamp,
    ) -> Result<Arc<Agreement>, Refusal> {
        let mut candidates = self.agreements(Key::Back(service, environment.clone())).await?;
        candidates.retain(|agreement| agreement.authority == authority);
        choose(&candidates, at, Refusal::BackAgreementNotFound)
    }

    /// Every authority's back agreement that holds at `at`, at most one an authority: whose benefits UDK may be shown.
    ///
    /// # Errors
    /// [`Refusal::BackAgreementNotFound`] if none holds, [`Refusal::AgreementsUnavailable`].
    pub async fn back_all(
        &self,
        service: Uuid,
        environment: &Environment,
        at: Timestamp,
    ) -> Result<BTreeMap<Cvr, Arc<Agreement>>, Refusal> {
        let candidates = self.agreements(Key::Back(service, environment.clone())).await?;
        let mut holding = BTreeMap::new();
        for agreement in candidates {
            if agreement.standing(at) == Standing::Holds {
                // Candidates stand latest first, so the first of an authority is the one `back` would choose.
                holding.entry(agreement.authority).or_insert(agreement);
            }
        }
        if holding.is_empty() { Err(Refusal::BackAgreementNotFound) } else { Ok(holding) }
    }

    /// One authority of the register.
    ///
    /// # Errors
    /// [`Refusal::AuthorityUnknown`], [`Refusal::AgreementsUnavailable`].
    pub async fn authority(&self, cvr: Cvr) -> Result<Arc<Authority>, Refusal> {
        self.register().await?.remove(&cvr).ok_or(Refusal::AuthorityUnknown)
    }

    /// The register of authorities, by CVR number.
    ///
    /// # Errors
    /// [`Refusal::AgreementsUnavailable`].
    pub async fn register(&self) -> Result<BTreeMap<Cvr, Arc<Authority>>, Refusal> {
        match &*self.ask(Key::Register).await? {
            Found::Register(register) => Ok(register.clone()),
            Found::Agreements(_) => Err(Refusal::Internal),
        }
    }

    /// Whether the store answers, for readiness.
    pub async fn store_answers(&self) -> bool {
        self.store.answers().await
    }

    async fn agreements(&self, key: Key) -> Result<Vec<Arc<Agreement>>, Refusal> {
        match &*self.ask(key).await? {
            Found::Agreements(agreements) => Ok(agreements.clone()),
            Found::Register(_) => Err(Refusal::Internal),
        }
    }

    async fn ask(&self, key: Key) -> Result<Arc<Found>, Refusal> {
        let remembered = self.present.get(&key).await;
        if let Some(entry) = &remembered
            && Instant::now() < entry.next
            && entry.loaded.elapsed() < self.settings.refresh.max(self.settings.staleness)
        {
            return Ok(Arc::clone(&entry.found));
        }
        if remembered.is_none()
            && let Some(nothing) = self.absent.get(&key).await
        {
            return Ok(nothing);
        }
        match self.load(&key).await {
            Ok(found) => {
                let found = Arc::new(found);
                if found.is_empty() {
                    self.present.invalidate(&key).await;
                    self.absent.insert(key, Arc::clone(&found)).await;
                } else {
                    let loaded = Instant::now();
                    self.present
                        .insert(key, Entry { found: Arc::clone(&found), loaded, next: loaded + self.settings.refresh })
                        .await;
                }
                Ok(found)
            }
            Err(error) => {
                tracing::warn!(%error, "the agreements store did not answer");
                match remembered {
                    Some(entry) if entry.loaded.elapsed() < self.settings.staleness => {
                        let found = Arc::clone(&entry.found);
                        self.present.insert(key, Entry { next: Instant::now() + self.settings.negative, ..entry }).await;
                        Ok(found)
                    }
                    _ => Err(Refusal::AgreementsUnavailable),
                }
            }
        }
    }

    async fn load(&self, key: &Key) -> Result<Found, StoreError> {
        let agreements = match key {
            Key::Front(ClientSystem::Certificate(thumbprint), authority, service, environment) => {
                self.store.front_by_certificate(thumbprint, *authority, *service, environment).await?
            }
            Key::Front(ClientSystem::System(system), authority, service, environment) => {
                self.store.front_by_system(*system, *authority, *service, environment).await?
            }
            Key::Back(service, environment) => self.store.back(*service, environment).await?,
            Key::Register => {
                let authorities = self.store.authorities().await?;
                return Ok(Found::Register(
                    authorities.into_iter().map(|authority| (authority.cvr, Arc::new(authority))).collect(),
                ));
            }
        };
        Ok(Found::Agreements(agreements.into_iter().map(Arc::new).collect()))
    }
}

/// The first that holds; candidates stand latest beginning first. Where none does, the latest tells why.
fn choose(candidates: &[Arc<Agreement>], at: Timestamp, none: Refusal) -> Result<Arc<Agreement>, Refusal> {
    let latest = candidates.first().ok_or(none)?;
    candidates
        .iter()
        .find(|agreement| agreement.standing(at) == Standing::Holds)
        .map(Arc::clone)
        .ok_or_else(|| Refusal::ServiceAgreementNotActive { state: latest.standing(at).told() })
}
