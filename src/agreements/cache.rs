//! How the gateway asks for agreements: from memory, for a bounded time.
//!
//! What is remembered are agreements, never verdicts: whether one holds is judged at each use, against the instant given.
//! So an agreement that ends at midnight ends at midnight, however fresh or stale the memory is. Routes are remembered in the
//! same way, by their sender.
//!
//! Fail rules:
//! - An entry younger than `refresh` is used as it is, unless something may have changed since it was read.
//! - Something may have where the store notifies of a change ([`Database::listen`](crate::store::Database::listen)), where it is
//!   found out by asking ([`Database::ask`](crate::store::Database::ask)) or the store does not answer that in time, and with
//!   each write of this program's own. A serving node does both, so that a decision holds within a second (and as long as the
//!   store takes to answer).
//! - An older one is asked for again: whether anything changed, and only if so for itself, by one call at a time while
//!   the others use what is there. The asking goes on where that call's caller hangs up. If the store does not answer, the entry still serves until it is `staleness` old;
//!   past that, and where nothing was remembered, the call is refused with [`Refusal::AgreementsUnavailable`]; so is it at
//!   once where the store is an earlier state that was put back ([`crate::store::seen`]).
//! - That nothing was found is remembered for `negative` only, apart from what was found: a stranger who asks for a
//!   million absent agreements cannot push the present ones out. It never serves while the store is away.

use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use jiff::civil::Date;
use moka::{future::Cache, ops::compute::Op};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    model::{Agreement, Authority, Environment, Standing, State, Thumbprint},
    route::{OnDay, Route, on_day, on_day_for_all},
    store::Store,
};
use crate::clock::civil_day;
use crate::id::cvr::Cvr;
use crate::refusal::{Detail, Refusal};
use crate::store::StoreError;

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
#[allow(missing_docs)] // the names say it
pub enum ClientSystem {
    Certificate(Thumbprint),
    System(Uuid),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Front(ClientSystem, Cvr, Uuid, Environment),
    Back(Uuid, Cvr, Environment),
    BackAll(Uuid, Environment),
    /// By sender alone: the receiver is whatever a request says, and must not fill the memory.
    Routes(Uuid, Cvr, Environment),
    Register,
}

#[derive(Debug)]
enum Found {
    Agreements(Vec<Arc<Agreement>>),
    BackAll(BackAll),
    Routes(Vec<Arc<Route>>),
    Register(Arc<BTreeMap<Cvr, Arc<Authority>>>),
}

impl Found {
    fn is_empty(&self) -> bool {
        match self {
            Found::Agreements(agreements) => agreements.is_empty(),
            Found::BackAll(all) => all.candidates.is_empty(),
            Found::Routes(routes) => routes.is_empty(),
            Found::Register(register) => register.is_empty(),
        }
    }
}

/// Every authority's back agreements, and which of them hold, worked out once for each span of time in which none begins
/// and none ends: a call must not cost more for every agreement that others have.
#[derive(Debug)]
struct BackAll {
    /// Latest beginning first.
    candidates: Vec<Arc<Agreement>>,
    holding: Mutex<Option<Holding>>,
}

#[derive(Debug, Clone)]
struct Holding {
    /// The last instant, up to the one asked about, at which an agreement begins or ends.
    since: Option<Timestamp>,
    /// The first after it.
    until: Option<Timestamp>,
    agreements: Arc<BTreeMap<Cvr, Arc<Agreement>>>,
}

impl BackAll {
    fn at(&self, at: Timestamp) -> Arc<BTreeMap<Cvr, Arc<Agreement>>> {
        let mut holding = self.holding.lock().unwrap_or_else(PoisonError::into_inner);
        match &*holding {
            Some(known) if known.since.is_none_or(|since| since <= at) && known.until.is_none_or(|until| at < until) => {
                Arc::clone(&known.agreements)
            }
            _ => {
                let fresh = self.work_out(at);
                let agreements = Arc::clone(&fresh.agreements);
                *holding = Some(fresh);
                agreements
            }
        }
    }

    fn work_out(&self, at: Timestamp) -> Holding {
        let mut agreements = BTreeMap::new();
        for agreement in self.candidates.iter().filter(|agreement| agreement.standing(at) == Standing::Holds) {
            // Candidates stand latest first, so the first of an authority is the one `back` would choose.
            agreements.entry(agreement.authority).or_insert_with(|| Arc::clone(agreement));
        }
        let of = |agreement: &Arc<Agreement>| [Some(agreement.valid_from), agreement.valid_to, agreement.ends_at];
        let instants = || self.candidates.iter().flat_map(of).flatten();
        Holding {
            since: instants().filter(|instant| *instant <= at).max(),
            until: instants().filter(|instant| *instant > at).min(),
            agreements: Arc::new(agreements),
        }
    }
}

#[derive(Clone)]
struct Entry {
    found: Arc<Found>,
    /// What the store's revision was before it was read.
    revision: Arc<[u8]>,
    /// What had been heard of changes before it was read.
    changes: u64,
    /// When the store last said that this is how it is.
    confirmed: Instant,
    /// When the store is asked again; put off while a call asks, and after a failure, so that a dead store is not waited
    /// for at every call.
    next: Instant,
}

/// The agreements, as the gateway asks for them. Cheap to clone.
#[derive(Clone)]
pub struct Agreements {
    store: Store,
    settings: CacheSettings,
    present: Cache<Key, Entry>,
    /// Beside it, what had been heard of changes before it was read.
    absent: Cache<Key, (Arc<Found>, u64)>,
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
        let candidates = self.agreements(Key::Back(service, authority, environment.clone())).await?;
        choose(&candidates, at, Refusal::BACK_AGREEMENT_NOT_FOUND)
    }

    /// Every authority's back agreement that holds at `at`, at most one an authority.
    ///
    /// # Errors
    /// [`Refusal::BackAgreementNotFound`] if none holds, [`Refusal::AgreementsUnavailable`].
    pub async fn back_all(
        &self,
        service: Uuid,
        environment: &Environment,
        at: Timestamp,
    ) -> Result<Arc<BTreeMap<Cvr, Arc<Agreement>>>, Refusal> {
        let holding = match &*self.ask(Key::BackAll(service, environment.clone())).await? {
            Found::BackAll(all) => all.at(at),
            _ => return Err(Refusal::Internal),
        };
        if holding.is_empty() { Err(Refusal::BACK_AGREEMENT_NOT_FOUND) } else { Ok(holding) }
    }

    /// The route that carries the service's calls from `sender` to `receiver` on the day that it is in Copenhagen at `at`.
    ///
    /// # Errors
    /// [`Refusal::RouteNotFound`], [`Refusal::AgreementsUnavailable`].
    pub async fn route(
        &self,
        service: Uuid,
        sender: Cvr,
        receiver: Cvr,
        environment: &Environment,
        at: Timestamp,
    ) -> Result<Arc<Route>, Refusal> {
        let day = civil_day(at).ok_or(Refusal::Internal)?;
        let found = self.ask(Key::Routes(service, sender, environment.clone())).await?;
        let Found::Routes(routes) = &*found else { return Err(Refusal::Internal) };
        holding(on_day(routes, sender, receiver, day), day)?.map_err(|others| Refusal::RouteNotFound {
            sender: sender.to_string(),
            receiver: receiver.to_string(),
            day,
            others,
        })
    }

    /// The route that carries the calls of a service with one receiver for all, whoever sends: from every authority to every
    /// authority. One for particular authorities carries none of them.
    ///
    /// # Errors
    /// [`Refusal::FixedRouteNotFound`], [`Refusal::AgreementsUnavailable`].
    pub async fn route_for_all(
        &self,
        service: Uuid,
        sender: Cvr,
        environment: &Environment,
        at: Timestamp,
    ) -> Result<Arc<Route>, Refusal> {
        let day = civil_day(at).ok_or(Refusal::Internal)?;
        let found = self.ask(Key::Routes(service, sender, environment.clone())).await?;
        let Found::Routes(routes) = &*found else { return Err(Refusal::Internal) };
        holding(on_day_for_all(routes, day), day)?.map_err(|others| Refusal::FixedRouteNotFound { day, others })
    }

    /// Every route, asked of the store and not of memory: for operators, not for calls.
    ///
    /// # Errors
    /// The store does not answer, or holds what the model does not have.
    pub async fn routes(&self) -> Result<Vec<Route>, StoreError> {
        self.store.routes().await
    }

    /// One authority of the register.
    ///
    /// # Errors
    /// [`Refusal::AuthorityUnknown`], [`Refusal::AgreementsUnavailable`].
    pub async fn authority(&self, cvr: Cvr) -> Result<Arc<Authority>, Refusal> {
        self.register().await?.get(&cvr).map(Arc::clone).ok_or(Refusal::AuthorityUnknown)
    }

    /// The register of authorities, by CVR number.
    ///
    /// # Errors
    /// [`Refusal::AgreementsUnavailable`].
    pub async fn register(&self) -> Result<Arc<BTreeMap<Cvr, Arc<Authority>>>, Refusal> {
        match &*self.ask(Key::Register).await? {
            Found::Register(register) => Ok(Arc::clone(register)),
            _ => Err(Refusal::Internal),
        }
    }

    /// The store itself, for whoever decides on what is in it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether the store answers, for readiness.
    pub async fn store_answers(&self) -> bool {
        self.store.answers().await
    }

    async fn agreements(&self, key: Key) -> Result<Vec<Arc<Agreement>>, Refusal> {
        match &*self.ask(key).await? {
            Found::Agreements(agreements) => Ok(agreements.clone()),
            _ => Err(Refusal::Internal),
        }
    }

    async fn ask(&self, key: Key) -> Result<Arc<Found>, Refusal> {
        let keep = self.settings.refresh.max(self.settings.staleness);
        // Before the store is asked: what is heard of from now on is asked for the next time.
        let changes = self.store.database().changes();
        let remembered = self.present.get(&key).await.filter(|entry| entry.confirmed.elapsed() < keep);
        match &remembered {
            Some(entry) if entry.changes == changes && Instant::now() < entry.next => return Ok(Arc::clone(&entry.found)),
            Some(_) => {}
            None => {
                if let Some((nothing, _)) = self.absent.get(&key).await.filter(|(_, before)| *before == changes) {
                    return Ok(nothing);
                }
            }
        }
        match remembered {
            // On a task of its own: it puts off when the others ask, and a caller who hangs up while the store is asked must not
            // leave that behind without the answer.
            Some(_) => {
                let asking = self.clone();
                let renewed = async move { asking.ask_store(key, remembered, changes).await };
                tokio::spawn(renewed.in_current_span()).await.unwrap_or(Err(Refusal::Internal))
            }
            // On the heap: a query is large, and hardly a call makes one.
            None => Box::pin(self.ask_store(key, None, changes)).await,
        }
    }

    async fn ask_store(&self, key: Key, remembered: Option<Entry>, changes: u64) -> Result<Arc<Found>, Refusal> {
        if let Some(entry) = &remembered {
            self.put_off(&key, entry, changes).await;
        }
        match self.renew(&key, remembered.as_ref(), changes).await {
            Ok(entry) => {
                let found = Arc::clone(&entry.found);
                if found.is_empty() {
                    self.present.invalidate(&key).await;
                    self.absent.insert(key, (Arc::clone(&found), changes)).await;
                } else {
                    self.present.insert(key, entry).await;
                }
                Ok(found)
            }
            Err(error) => {
                tracing::warn!(%error, "the agreements store did not answer");
                match remembered {
                    // It may have been read of the state that was put back.
                    _ if error.is_put_back() => {
                        self.present.invalidate(&key).await;
                        Err(Refusal::AgreementsUnavailable)
                    }
                    Some(entry) if entry.confirmed.elapsed() < self.settings.staleness => {
                        self.put_off(&key, &entry, changes).await;
                        Ok(entry.found)
                    }
                    _ => Err(Refusal::AgreementsUnavailable),
                }
            }
        }
    }

    /// Lets the others use `seen` a while yet. Does nothing where another call has put something newer in its place: what
    /// was withdrawn must not come back.
    async fn put_off(&self, key: &Key, seen: &Entry, changes: u64) {
        let next = Instant::now() + self.settings.negative.min(self.settings.refresh);
        let replace = |current: Option<moka::Entry<Key, Entry>>| {
            let same = current.is_some_and(|current| current.value().confirmed == seen.confirmed);
            ready(if same { Op::Put(Entry { next, changes, ..seen.clone() }) } else { Op::Nop })
        };
        self.present.entry_by_ref(key).and_compute_with(replace).await;
    }

    /// What the store says now. Nothing is read that is known already.
    async fn renew(&self, key: &Key, remembered: Option<&Entry>, changes: u64) -> Result<Entry, StoreError> {
        // Asked before the reading, so that a write in between is seen the next time.
        let revision: Arc<[u8]> = self.store.database().revision().await?.into();
        let found = match remembered {
            Some(entry) if entry.revision == revision => Arc::clone(&entry.found),
            _ => Arc::new(self.load(key).await?),
        };
        let confirmed = Instant::now();
        Ok(Entry { found, revision, changes, confirmed, next: confirmed + self.settings.refresh })
    }

    async fn load(&self, key: &Key) -> Result<Found, StoreError> {
        let agreements = match key {
            Key::Front(ClientSystem::Certificate(thumbprint), authority, service, environment) => {
                self.store.front_by_certificate(thumbprint, *authority, *service, environment).await?
            }
            Key::Front(ClientSystem::System(system), authority, service, environment) => {
                self.store.front_by_system(*system, *authority, *service, environment).await?
            }
            Key::Back(service, authority, environment) => self.store.back(*service, *authority, environment).await?,
            Key::BackAll(service, environment) => {
                let candidates = self.store.back_all(*service, environment).await?.into_iter().map(Arc::new).collect();
                return Ok(Found::BackAll(BackAll { candidates, holding: Mutex::new(None) }));
            }
            Key::Routes(service, sender, environment) => {
                let routes = self.store.routes_of(*service, *sender, environment).await?;
                return Ok(Found::Routes(routes.into_iter().map(Arc::new).collect()));
            }
            Key::Register => {
                let authorities = self.store.authorities().await?.into_iter();
                let register = authorities.map(|authority| (authority.cvr, Arc::new(authority))).collect();
                return Ok(Found::Register(Arc::new(register)));
            }
        };
        Ok(Found::Agreements(agreements.into_iter().map(Arc::new).collect()))
    }
}

/// The route that holds; inside, which one comes nearest where none does.
fn holding(found: OnDay, day: Date) -> Result<Result<Arc<Route>, Detail>, Refusal> {
    match found {
        OnDay::Route(route) => Ok(Ok(route)),
        OnDay::Several(one, other) => {
            tracing::error!(%one, %other, "two routes carry the same calls: end one with `hjemmel route end`");
            Err(Refusal::Internal)
        }
        OnDay::Nobody { next: Some(next), .. } => {
            let from = next.period.from();
            Ok(Err(Detail::new(format!("den første begynder {from}"), format!("the first begins on {from}"))))
        }
        OnDay::Nobody { last: Some(last), .. } => {
            let to = last.period.to().unwrap_or(day);
            Ok(Err(Detail::new(format!("den seneste ophørte {to}"), format!("the last one ended on {to}"))))
        }
        OnDay::Nobody { last: None, next: None } => {
            Ok(Err(Detail::new("der er heller ingen på andre dage", "nor is there one on other days")))
        }
    }
}

/// The first that holds; candidates stand latest beginning first. Where none does, one that is suspended in its period says why, for it
/// alone is to be resumed; else the latest does.
fn choose(candidates: &[Arc<Agreement>], at: Timestamp, none: Refusal) -> Result<Arc<Agreement>, Refusal> {
    let suspended = candidates.iter().find(|agreement| {
        let before = |end: Option<Timestamp>| end.is_none_or(|end| at < end);
        agreement.state == State::Suspended
            && agreement.valid_from <= at
            && before(agreement.valid_to)
            && before(agreement.ends_at)
    });
    let nearest = suspended.or(candidates.first()).ok_or(none)?;
    candidates
        .iter()
        .find(|agreement| agreement.standing(at) == Standing::Holds)
        .map(Arc::clone)
        .ok_or_else(|| Refusal::ServiceAgreementNotActive { state: nearest.standing(at).describe() })
}
