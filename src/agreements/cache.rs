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

/// The register of authorities.
pub type Register = BTreeMap<Cvr, Arc<Authority>>;

/// What a question found: shared with whoever asks, so that asking costs the same however much there is. Agreements stand
/// latest beginning first.
#[derive(Debug, Clone)]
enum Found {
    Front(Arc<[Arc<Agreement>]>),
    Back(Arc<BTreeMap<Cvr, Vec<Arc<Agreement>>>>),
    Register(Arc<Register>),
}

impl Found {
    fn is_empty(&self) -> bool {
        match self {
            Found::Front(agreements) => agreements.is_empty(),
            Found::Back(agreements) => agreements.is_empty(),
            Found::Register(register) => register.is_empty(),
        }
    }
}

#[derive(Clone)]
struct Entry {
    found: Found,
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
    absent: Cache<Key, Found>,
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
        match self.ask(Key::Front(client, authority, service, environment.clone())).await? {
            Found::Front(candidates) => choose(&candidates, at, Refusal::ServiceAgreementNotFound),
            _ => Err(Refusal::Internal),
        }
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
        match self.ask(Key::Back(service, environment.clone())).await? {
            Found::Back(all) => choose(all.get(&authority).map_or(&[], Vec::as_slice), at, Refusal::BackAgreementNotFound),
            _ => Err(Refusal::Internal),
        }
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
        let Found::Back(all) = self.ask(Key::Back(service, environment.clone())).await? else { return Err(Refusal::Internal) };
        let chosen = all.iter().filter_map(|(authority, candidates)| Some((*authority, holding(candidates, at)?.clone())));
        let holding: BTreeMap<_, _> = chosen.collect();
        if holding.is_empty() { Err(Refusal::BackAgreementNotFound) } else { Ok(holding) }
    }

    /// One authority of the register.
    ///
    /// # Errors
    /// [`Refusal::AuthorityUnknown`], [`Refusal::AgreementsUnavailable`].
    pub async fn authority(&self, cvr: Cvr) -> Result<Arc<Authority>, Refusal> {
        self.register().await?.get(&cvr).cloned().ok_or(Refusal::AuthorityUnknown)
    }

    /// The register of authorities, by CVR number.
    ///
    /// # Errors
    /// [`Refusal::AgreementsUnavailable`].
    pub async fn register(&self) -> Result<Arc<Register>, Refusal> {
        match self.ask(Key::Register).await? {
            Found::Register(register) => Ok(register),
            _ => Err(Refusal::Internal),
        }
    }

    /// Whether the store answers, for readiness.
    pub async fn store_answers(&self) -> bool {
        self.store.answers().await
    }

    async fn ask(&self, key: Key) -> Result<Found, Refusal> {
        let remembered = self.present.get(&key).await;
        if let Some(entry) = &remembered
            && Instant::now() < entry.next
            && entry.loaded.elapsed() < self.settings.refresh.max(self.settings.staleness)
        {
            return Ok(entry.found.clone());
        }
        if remembered.is_none()
            && let Some(nothing) = self.absent.get(&key).await
        {
            return Ok(nothing);
        }
        match self.load(&key).await {
            Ok(found) => {
                if found.is_empty() {
                    self.present.invalidate(&key).await;
                    self.absent.insert(key, found.clone()).await;
                } else {
                    let loaded = Instant::now();
                    self.present.insert(key, Entry { found: found.clone(), loaded, next: loaded + self.settings.refresh }).await;
                }
                Ok(found)
            }
            Err(error) => {
                tracing::warn!(%error, "the agreements store did not answer");
                match remembered {
                    Some(entry) if entry.loaded.elapsed() < self.settings.staleness => {
                        let found = entry.found.clone();
                        self.present.insert(key, Entry { next: Instant::now() + self.settings.negative, ..entry }).await;
                        Ok(found)
                    }
                    _ => Err(Refusal::AgreementsUnavailable),
                }
            }
        }
    }

    async fn load(&self, key: &Key) -> Result<Found, StoreError> {
        Ok(match key {
            Key::Front(client, authority, service, environment) => {
                let found = match client {
                    ClientSystem::Certificate(thumbprint) => {
                        self.store.front_by_certificate(thumbprint, *authority, *service, environment).await?
                    }
                    ClientSystem::System(system) => {
                        self.store.front_by_system(*system, *authority, *service, environment).await?
                    }
                };
                Found::Front(found.into_iter().map(Arc::new).collect())
            }
            Key::Back(service, environment) => {
                let mut by_authority: BTreeMap<_, Vec<_>> = BTreeMap::new();
                for agreement in self.store.back(*service, environment).await? {
                    by_authority.entry(agreement.authority).or_default().push(Arc::new(agreement));
                }
                Found::Back(Arc::new(by_authority))
            }
            Key::Register => {
                let authorities = self.store.authorities().await?;
                Found::Register(Arc::new(authorities.into_iter().map(|authority| (authority.cvr, Arc::new(authority))).collect()))
            }
        })
    }
}

/// The first that holds.
fn holding(candidates: &[Arc<Agreement>], at: Timestamp) -> Option<&Arc<Agreement>> {
    candidates.iter().find(|agreement| agreement.standing(at) == Standing::Holds)
}

/// The first that holds. Where none does, the latest tells why.
fn choose(candidates: &[Arc<Agreement>], at: Timestamp, none: Refusal) -> Result<Arc<Agreement>, Refusal> {
    let latest = candidates.first().ok_or(none)?;
    holding(candidates, at).cloned().ok_or_else(|| Refusal::ServiceAgreementNotActive { state: latest.standing(at).told() })
}
