//! Tokens, kept for as long as they hold.
//!
//! Fetching a token costs a signature and a round trip, and the STS is not always up. So a token is asked for once, however
//! many calls want it at the same time, and again before it runs out, while the old one still serves. When the STS is down,
//! unexpired tokens go on serving; after that the call is refused, never let through without.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use moka::future::Cache;
use tracing::warn;

use super::Token;
use crate::clock::Clock;
use crate::refusal::Refusal;

/// How many tokens are kept: one for each authority and service.
const CAPACITY: u64 = 10_000;
/// A token is renewed at the latest this long before it runs out, where it lives long enough.
const RENEW_AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// A token is not used in its very last seconds: it has to arrive before it runs out.
const TRAVEL: SignedDuration = SignedDuration::from_secs(30);
/// After a renewal that failed, the next one waits this long.
const RETRY_SECONDS: i64 = 10;

/// What asks the STS; the cache's source.
pub trait Source: Send + Sync + 'static {
    /// Fetches a token for `authority` (a CVR number) and `service` (an entity id).
    fn issue(&self, authority: &str, service: &str) -> impl Future<Output = Result<Token, Refusal>> + Send;
}

/// The cache. Cheap to clone; clones share their tokens.
pub struct TokenCache<S> {
    shared: Arc<Shared<S>>,
}

impl<S> Clone for TokenCache<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// What the cache did, counted since the process began: for the metrics. One may serve several caches in turn.
#[derive(Debug, Default)]
pub struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    renewed: AtomicU64,
    failed: AtomicU64,
}

/// [`Counts`] at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that got a token and fetched none themselves.
    pub hits: u64,
    /// Calls that fetched a token.
    pub misses: u64,
    /// Tokens fetched anew while the old one still served.
    pub renewed: u64,
    /// Attempts to fetch one that failed.
    pub failed: u64,
}

impl Counts {
    /// The figures now.
    pub fn stats(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats { hits: read(&self.hits), misses: read(&self.misses), renewed: read(&self.renewed), failed: read(&self.failed) }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

struct Shared<S> {
    source: S,
    clock: Clock,
    counts: Arc<Counts>,
    tokens: Cache<(String, String), Arc<Entry>>,
}

/// What the last attempt came to. A refusal is kept only for those who waited for the same attempt.
struct Entry {
    outcome: Result<Arc<Token>, Refusal>,
    /// Seconds since 1970 at which a renewal may begin; moved ahead by whoever begins one.
    renew_at: AtomicI64,
}

impl<S: Source> TokenCache<S> {
    /// An empty cache before `source`, which counts what it does in `counts`.
    pub fn new(source: S, clock: Clock, counts: Arc<Counts>) -> Self {
        Self { shared: Arc::new(Shared { source, clock, counts, tokens: Cache::new(CAPACITY) }) }
    }

    /// About how many tokens are held.
    pub fn entries(&self) -> u64 {
        self.shared.tokens.entry_count()
    }

    /// A token that holds now.
    ///
    /// # Errors
    /// `StsUnavailable` or `StsRefused` where there is no unexpired one and none could be fetched.
    pub async fn token(&self, authority: &str, service: &str) -> Result<Arc<Token>, Refusal> {
        let now = self.shared.clock.now();
        let key = (authority.to_owned(), service.to_owned());
        if let Some(entry) = self.shared.tokens.get(&key).await.filter(|entry| entry.serves(now)) {
            count(&self.shared.counts.hits);
            return self.renewed(entry, key, now);
        }
        // On the heap: it holds a whole call of the STS, and hardly a call makes one.
        Box::pin(self.fetched(authority, service, key, now)).await
    }

    /// Single flight: concurrent callers wait for one evaluation of `fetch`, and share its outcome.
    async fn fetched(
        &self,
        authority: &str,
        service: &str,
        key: (String, String),
        now: Timestamp,
    ) -> Result<Arc<Token>, Refusal> {
        let fetch = self.shared.fetch(authority, service);
        let entry = self.shared.tokens.entry(key.clone()).or_insert_with_if(fetch, |entry| !entry.serves(now)).await;
        let counts = &self.shared.counts;
        match (entry.is_fresh(), &entry.value().outcome) {
            (true, Ok(_)) => count(&counts.misses),
            (true, Err(_)) => count(&counts.failed),
            (false, Ok(_)) => count(&counts.hits),
            (false, Err(_)) => {}
        }
        self.renewed(entry.into_value(), key, now)
    }

    /// What the entry holds; its renewal is begun where it is due.
    fn renewed(&self, entry: Arc<Entry>, key: (String, String), now: Timestamp) -> Result<Arc<Token>, Refusal> {
        if entry.begins_renewal(now) {
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                let fresh = shared.fetch(&key.0, &key.1).await;
                match &fresh.outcome {
                    Ok(_) => {
                        count(&shared.counts.renewed);
                        shared.tokens.insert(key, fresh).await;
                    }
                    Err(refusal) => {
                        count(&shared.counts.failed);
                        warn!(code = refusal.code(), "a token could not be renewed; the old one serves on");
                    }
                }
            });
        }
        entry.outcome.clone()
    }
}

impl<S: Source> Shared<S> {
    async fn fetch(&self, authority: &str, service: &str) -> Arc<Entry> {
        let outcome = self.source.issue(authority, service).await.map(Arc::new);
        let renew_at = outcome.as_ref().map_or(i64::MAX, |token| renewal(token).as_second());
        Arc::new(Entry { outcome, renew_at: AtomicI64::new(renew_at) })
    }
}

impl Entry {
    fn serves(&self, now: Timestamp) -> bool {
        self.outcome.as_ref().is_ok_and(|token| now < earlier(token.not_on_or_after, TRAVEL))
    }

    /// Whether the caller is the one who begins a renewal.
    fn begins_renewal(&self, now: Timestamp) -> bool {
        let due = self.renew_at.load(Ordering::Acquire);
        let now = now.as_second();
        now >= due
            && self.renew_at.compare_exchange(due, now.saturating_add(RETRY_SECONDS), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// When to renew: before the last tenth of its life and its last five minutes, but not before half of it.
fn renewal(token: &Token) -> Timestamp {
    let life = token.not_on_or_after.duration_since(token.fetched);
    let ahead = (life / 10).max(RENEW_AHEAD).min(life / 2);
    earlier(token.not_on_or_after, ahead)
}

fn earlier(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
