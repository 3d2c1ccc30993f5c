//! How calls ask for what the store keeps of a service: from memory, exchanged whole.
//!
//! As agreements and routes: what is remembered is used as it is until the store notifies of a change or `refresh` has passed; then
//! one call asks whether anything is another, also where its caller hangs up, and the others go on with what is there. Where the store does not answer, what is
//! remembered serves until it is `staleness` old. Whether something holds at an instant is judged at each use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Held, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tracing::Instrument;
use uuid::Uuid;

use crate::agreements::Store;
use crate::refusal::Refusal;
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

/// What is read of the store for one service. It is cloned for each call.
pub trait Content: Clone + Send + Sync + 'static {
    /// What it is, in the log.
    const WHAT: &'static str;

    /// Reads it; `before`: what was read the last time.
    fn read(store: &Store, service: Uuid, before: Option<&Self>) -> impl Future<Output = Result<Self, StoreError>> + Send;
}

/// The memories of all services. They outlive a reload, which would read all of it again.
#[derive(Debug)]
pub struct Memories<T>(Held<HashMap<Uuid, Arc<Memory<T>>>>);

impl<T> Default for Memories<T> {
    fn default() -> Self {
        Self(Held::default())
    }
}

impl<T: Content> Memories<T> {
    /// The memory of a service.
    pub fn of(&self, service: Uuid, store: &Store, pace: Pace) -> Arc<Memory<T>> {
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

/// What is remembered of one service.
#[derive(Debug)]
pub struct Memory<T> {
    store: Store,
    service: Uuid,
    pace: Pace,
    entry: RwLock<Option<Entry<T>>>,
    /// Held by the call that asks.
    asking: Mutex<()>,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    content: T,
    revision: Arc<[u8]>,
    /// What had been heard of changes before it was read.
    changes: u64,
    confirmed: Instant,
    next: Instant,
}

impl<T: Content> Memory<T> {
    /// Nothing is read yet.
    pub fn new(store: Store, service: Uuid, pace: Pace) -> Self {
        Self { store, service, pace, entry: RwLock::default(), asking: Mutex::default() }
    }

    /// What the store has now.
    ///
    /// # Errors
    /// [`Refusal::AgreementsUnavailable`]: the store has not answered for too long.
    pub async fn now(self: &Arc<Self>) -> Result<T, Refusal> {
        if let Some(content) = self.current() {
            return Ok(content);
        }
        match self.remembered().is_some_and(|entry| self.serves(&entry)) {
            // On a task of its own: the others go by what is there while it asks, and a caller who hangs up must not end that.
            true => {
                let asking = Arc::clone(self);
                let asked = async move { asking.ask().await };
                tokio::spawn(asked.in_current_span()).await.unwrap_or(Err(Refusal::Internal))
            }
            false => Box::pin(self.ask()).await,
        }
    }

    fn remembered(&self) -> Option<Entry<T>> {
        self.entry.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What need not be asked for.
    fn current(&self) -> Option<T> {
        let entry = self.entry.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entry.as_ref().filter(|entry| self.serves(entry))?;
        (entry.changes == self.store.database().changes() && Instant::now() < entry.next).then(|| entry.content.clone())
    }

    fn serves(&self, entry: &Entry<T>) -> bool {
        entry.confirmed.elapsed() < self.pace.refresh.max(self.pace.staleness)
    }

    async fn ask(&self) -> Result<T, Refusal> {
        let _asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            Err(_) => match self.remembered().filter(|entry| self.serves(entry)) {
                Some(entry) => return Ok(entry.content),
                None => self.asking.lock().await,
            },
        };
        // Another may have asked while this one waited.
        if let Some(content) = self.current() {
            return Ok(content);
        }
        let before = self.remembered();
        // Before the store is asked: what is heard of from now on is asked for the next time.
        let changes = self.store.database().changes();
        let renewed = match self.renew(before.as_ref(), changes).await {
            Ok(entry) => entry,
            Err(error) => {
                tracing::warn!(%error, service = %self.service, "the {} cannot be read from the store", T::WHAT);
                // It may have been read of the state that was put back.
                if error.is_put_back() {
                    *self.entry.write().unwrap_or_else(PoisonError::into_inner) = None;
                    return Err(Refusal::AgreementsUnavailable);
                }
                let entry = before.filter(|entry| self.serves(entry)).ok_or(Refusal::AgreementsUnavailable)?;
                Entry { changes, next: Instant::now() + REST.min(self.pace.refresh), ..entry }
            }
        };
        let content = renewed.content.clone();
        *self.entry.write().unwrap_or_else(PoisonError::into_inner) = Some(renewed);
        Ok(content)
    }

    async fn renew(&self, before: Option<&Entry<T>>, changes: u64) -> Result<Entry<T>, StoreError> {
        // Asked before the reading, so that a write in between is seen the next time.
        let revision: Arc<[u8]> = self.store.database().revision().await?.into();
        let content = match before {
            Some(entry) if entry.revision == revision => entry.content.clone(),
            _ => T::read(&self.store, self.service, before.map(|entry| &entry.content)).await?,
        };
        let confirmed = Instant::now();
        Ok(Entry { content, revision, changes, confirmed, next: confirmed + self.pace.refresh })
    }
}
