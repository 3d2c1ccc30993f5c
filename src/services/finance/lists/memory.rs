//! How calls ask for value lists: from memory, exchanged whole.
//!
//! As agreements and routes: what is remembered is used as it is until the store tells of a change or `refresh` has passed; then
//! one call asks whether anything of the lists is another, and the others go on with what is there. Where the store does not
//! answer, what is remembered serves until it is `staleness` old. Whether a list holds on a day is judged at each use.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex as Held, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use uuid::Uuid;

use super::kept::MOST_VERSIONS;
use crate::agreements::Store;
use crate::refusal::Refusal;
use crate::services::finance::rules::sortiment::{List, Lists};
use crate::store::StoreError;

/// How long what is remembered serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After so long the store is asked again, also where it told of no change.
    pub refresh: Duration,
    /// So long it serves where the store does not answer.
    pub staleness: Duration,
}

/// How long a store that did not answer is left alone.
const REST: Duration = Duration::from_secs(2);

/// The memories of all services. They outlive a reload, which would read every code again.
#[derive(Debug, Default)]
pub struct Memories(Held<HashMap<Uuid, Arc<Memory>>>);

impl Memories {
    /// The memory of a service.
    pub fn of(&self, service: Uuid, store: &Store, pace: Pace) -> Arc<Memory> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&service) {
            Some(memory) if memory.pace == pace => memory.clone(),
            _ => {
                let memory = Arc::new(Memory::new(store.clone(), service, pace));
                known.insert(service, memory.clone());
                memory
            }
        }
    }
}

/// What is published of one service.
#[derive(Debug)]
pub struct Memory {
    store: Store,
    service: Uuid,
    pace: Pace,
    entry: RwLock<Option<Entry>>,
    /// Held by the call that asks.
    asking: Mutex<()>,
}

#[derive(Debug, Clone)]
struct Entry {
    lists: Arc<Lists>,
    /// Each version by its id in the store, where it never changes.
    versions: Arc<BTreeMap<Uuid, Arc<List>>>,
    revision: Arc<[u8]>,
    /// What had been heard of changes before it was read.
    changes: u64,
    confirmed: Instant,
    next: Instant,
}

impl Memory {
    /// Nothing is read yet.
    pub fn new(store: Store, service: Uuid, pace: Pace) -> Self {
        Self { store, service, pace, entry: RwLock::default(), asking: Mutex::default() }
    }

    /// The lists that are published now.
    ///
    /// # Errors
    /// [`Refusal::AgreementsUnavailable`]: the store has not answered for too long.
    pub async fn now(&self) -> Result<Arc<Lists>, Refusal> {
        match self.current() {
            Some(lists) => Ok(lists),
            None => Box::pin(self.ask()).await,
        }
    }

    fn remembered(&self) -> Option<Entry> {
        self.entry.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What need not be asked for.
    fn current(&self) -> Option<Arc<Lists>> {
        let entry = self.entry.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entry.as_ref().filter(|entry| self.serves(entry))?;
        (entry.changes == self.store.database().changes() && Instant::now() < entry.next).then(|| entry.lists.clone())
    }

    fn serves(&self, entry: &Entry) -> bool {
        entry.confirmed.elapsed() < self.pace.refresh.max(self.pace.staleness)
    }

    async fn ask(&self) -> Result<Arc<Lists>, Refusal> {
        let _asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            Err(_) => match self.remembered().filter(|entry| self.serves(entry)) {
                Some(entry) => return Ok(entry.lists),
                None => self.asking.lock().await,
            },
        };
        // Another may have asked while this one waited.
        if let Some(lists) = self.current() {
            return Ok(lists);
        }
        let before = self.remembered();
        // Before the store is asked: what is heard of from now on is asked for the next time.
        let changes = self.store.database().changes();
        let renewed = match self.renew(before.as_ref(), changes).await {
            Ok(entry) => entry,
            Err(error) => {
                tracing::warn!(%error, "the value lists cannot be read from the store");
                let entry = before.filter(|entry| self.serves(entry)).ok_or(Refusal::AgreementsUnavailable)?;
                Entry { changes, next: Instant::now() + REST.min(self.pace.refresh), ..entry }
            }
        };
        let lists = renewed.lists.clone();
        *self.entry.write().unwrap_or_else(PoisonError::into_inner) = Some(renewed);
        Ok(lists)
    }

    async fn renew(&self, before: Option<&Entry>, changes: u64) -> Result<Entry, StoreError> {
        // Asked before the reading, so that a write in between is seen the next time.
        let revision: Arc<[u8]> = self.store.database().revision().await?.into();
        let (lists, versions) = match before {
            Some(entry) if entry.revision == revision => (entry.lists.clone(), entry.versions.clone()),
            _ => self.read(before).await?,
        };
        let confirmed = Instant::now();
        Ok(Entry { lists, versions, revision, changes, confirmed, next: confirmed + self.pace.refresh })
    }

    /// What is published now; of what was known no code is read again.
    async fn read(&self, before: Option<&Entry>) -> Result<(Arc<Lists>, Arc<BTreeMap<Uuid, Arc<List>>>), StoreError> {
        let heads = self.store.published(self.service).await?;
        if heads.len() > MOST_VERSIONS {
            tracing::error!(versions = heads.len(), most = MOST_VERSIONS, "there are more published value lists than are read");
            return Err(StoreError::Unreadable { column: "sortiment" });
        }
        let known = |id: &Uuid| before.and_then(|entry| entry.versions.get(id)).cloned();
        if let Some(entry) = before
            && entry.versions.len() == heads.len()
            && heads.iter().all(|head| entry.versions.contains_key(&head.id))
        {
            return Ok((entry.lists.clone(), entry.versions.clone()));
        }
        let mut versions = BTreeMap::new();
        for head in &heads {
            let list = match known(&head.id) {
                Some(list) => list,
                None => Arc::new(self.store.sortiment_content(head).await?),
            };
            versions.insert(head.id, list);
        }
        let lists = Lists::new(versions.values().cloned()).map_err(|wrong| {
            tracing::error!(wrong = wrong.join(" "), "published value lists do not fit each other");
            StoreError::Unreadable { column: "sortiment" }
        })?;
        tracing::info!(service = %self.service, versions = versions.len(), "the published value lists were read");
        Ok((Arc::new(lists), Arc::new(versions)))
    }
}
