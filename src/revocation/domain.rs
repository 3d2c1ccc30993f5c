//! The revocation lists of one trust domain, and how they are kept fresh.
//!
//! What cannot be fetched or is not believed leaves the list before it in force, until that one's `nextUpdate` and the
//! configured grace have passed: from then on it says of no certificate any more that it stands, and what holds without a
//! list holds. Nothing has to happen for that to come true; each question carries its time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::Uri;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;
use webpki::CertRevocationList;

use super::Fetch;
use super::list::{Authorities, RevocationError, RevocationList, Standing, standing};
use crate::clock::Clock;
use crate::{hex, pem};

/// Why a certificate may not be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyRefused {
    /// A list names it.
    Revoked,
    /// No list speaks for its CA.
    NoList,
}

impl WhyRefused {
    /// The same as a clause after "the certificate", in Danish and in English.
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            WhyRefused::Revoked => ("er spærret", "is revoked"),
            WhyRefused::NoList => ("har ingen gældende spærreliste", "has no revocation list in force"),
        }
    }
}

/// Where a list comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, kept fresh by something outside the gateway.
    File(PathBuf),
    /// An http or https address, from which the gateway fetches it.
    Address(Uri),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Address(uri) => write!(f, "{uri}"),
        }
    }
}

/// What holds for a certificate whose issuer has no revocation list, or only one whose successor is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutList {
    /// It is refused.
    Refuse,
    /// It is accepted; what a list names as revoked is refused all the same.
    Accept,
}

/// How lists are kept, the same for all domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// How often files are read anew, and how long after a failed fetch the next is tried: then twice that, and so on.
    pub interval: Duration,
    /// How often lists are fetched anew at the least; oftener as their `nextUpdate` comes near.
    pub refresh: Duration,
    /// How long a list stands past its `nextUpdate`.
    pub grace: Duration,
    /// The longest list that is read, in bytes.
    pub list_bytes: usize,
    /// The folder in which fetched lists outlast a restart.
    pub cache: Option<PathBuf>,
}

/// One trust domain.
#[derive(Debug, Clone)]
pub struct DomainSettings {
    /// Its name: the section of the configuration.
    pub name: String,
    /// The CAs that may have signed its lists.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The setting that names these CAs.
    pub authorities_setting: String,
    /// Its lists. Empty: revocation is not asked for.
    pub sources: Vec<Source>,
    /// What holds without a list in force.
    pub without_list: WithoutList,
    /// How its lists are kept.
    pub keeping: Arc<Keeping>,
}

impl DomainSettings {
    fn judged(&self, name: &str, bytes: Vec<u8>, now: Timestamp) -> Result<Vec<Arc<RevocationList>>, RevocationError> {
        RevocationList::from_bytes(name, bytes, self.allowed(), now).map(shared)
    }

    fn allowed(&self) -> Authorities<'_> {
        Authorities { certificates: &self.authorities, setting: &self.authorities_setting }
    }

    fn read(&self, file: &Path, now: Timestamp) -> Result<Vec<Arc<RevocationList>>, RevocationError> {
        RevocationList::from_file(file, self.keeping.list_bytes, self.allowed(), now).map(shared)
    }
}

fn shared(lists: Vec<RevocationList>) -> Vec<Arc<RevocationList>> {
    lists.into_iter().map(Arc::new).collect()
}

/// One source, and the lists that it gave: as many as its file has, none before the first was believed.
#[derive(Debug, Clone)]
struct Held {
    source: Source,
    lists: Vec<Arc<RevocationList>>,
    /// When the source last gave a list that was believed.
    fetched: Option<Timestamp>,
    failures: u32,
    due: Instant,
}

/// What operators are shown of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListState {
    /// The setting, the list's place in it, and the last part of where it comes from: `listen.crls.0/issuing.crl`.
    pub name: String,
    /// When its successor is due; of several lists in one file, the first that is. `None`: there is no list.
    pub next_update: Option<Timestamp>,
    /// When the source last gave a list that was believed.
    pub fetched: Option<Timestamp>,
    /// How many times in a row it has not.
    pub failures: u32,
}

/// The lists of one trust domain at one time.
#[derive(Debug, Clone)]
pub struct Lists {
    settings: DomainSettings,
    held: Vec<Held>,
}

impl Lists {
    /// What is at hand without the network: files, read now; and for addresses the list of `before`, or the one in the
    /// cache. What neither has is missing: see [`fetch_missing`](Self::fetch_missing).
    ///
    /// # Errors
    /// A file that is not a list of one of the domain's authorities.
    pub fn at_hand(settings: DomainSettings, before: Option<&Self>, now: Timestamp) -> Result<Self, RevocationError> {
        let mut held = Vec::with_capacity(settings.sources.len());
        for source in &settings.sources {
            let empty = Held { source: source.clone(), lists: Vec::new(), fetched: None, failures: 0, due: Instant::now() };
            held.push(match source {
                Source::File(file) => Held {
                    lists: settings.read(file, now)?,
                    fetched: Some(now),
                    due: empty.due + settings.keeping.interval,
                    ..empty
                },
                Source::Address(uri) => {
                    let known = before.and_then(|before| before.held.iter().find(|held| held.source == *source));
                    match known.and_then(|known| settings.still_believed(known, now)) {
                        Some(known) => known,
                        None => Held { lists: settings.cached(uri, now), ..empty },
                    }
                }
            });
        }
        Ok(Self { settings, held })
    }

    /// Fetches what is not at hand; gives what went wrong. A list that does not come leaves its CA without one.
    pub async fn fetch_missing(&mut self, fetcher: &dyn Fetch, clock: &Clock) -> Vec<RevocationError> {
        let mut errors = Vec::new();
        for held in self.held.iter_mut().filter(|held| held.lists.is_empty()) {
            errors.extend(self.settings.renew(held, fetcher, clock).await.err());
        }
        errors
    }

    /// Whether revocation is asked for.
    pub fn asked(&self) -> bool {
        !self.held.is_empty()
    }

    /// Each list's CA, for people to read, and when its successor is due.
    pub fn held(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.lists().map(|list| (list.issuer(), list.next_update()))
    }

    /// The settings.
    pub fn settings(&self) -> &DomainSettings {
        &self.settings
    }

    fn lists(&self) -> impl Iterator<Item = &RevocationList> {
        self.held.iter().flat_map(|held| held.lists.iter().map(Arc::as_ref))
    }

    /// The lists to put before webpki at `now`. Where a certificate without a list is accepted, an overdue list counts too:
    /// for what it names. The latest first: of several editions of one list webpki asks the first alone.
    pub(super) fn in_force(&self, now: Timestamp) -> Vec<&CertRevocationList<'static>> {
        let overdue_counts = self.settings.without_list == WithoutList::Accept;
        let mut lists: Vec<_> = self.lists().filter(|list| overdue_counts || now < self.ends(list)).collect();
        lists.sort_by_key(|list| std::cmp::Reverse(list.this_update()));
        lists.into_iter().map(RevocationList::parsed).collect()
    }

    fn ends(&self, list: &RevocationList) -> Timestamp {
        list.next_update().saturating_add(self.grace()).unwrap_or(Timestamp::MAX)
    }

    fn grace(&self) -> SignedDuration {
        SignedDuration::try_from(self.settings.keeping.grace).unwrap_or(SignedDuration::ZERO)
    }

    /// What the lists say of a certificate.
    pub fn standing(&self, certificate: &[u8], now: Timestamp) -> Standing {
        standing(self.lists(), certificate, self.grace(), now)
    }

    /// Why a certificate may not be relied on, by the domain's rule; `None` where it may.
    pub fn refusal(&self, certificate: &[u8], now: Timestamp) -> Option<WhyRefused> {
        if !self.asked() {
            return None;
        }
        match (self.standing(certificate, now), self.settings.without_list) {
            (Standing::Revoked, _) => Some(WhyRefused::Revoked),
            (Standing::Unknown, WithoutList::Refuse) => Some(WhyRefused::NoList),
            _ => None,
        }
    }

    /// What operators are shown.
    pub fn states(&self) -> Vec<ListState> {
        let state = |(place, held): (usize, &Held)| {
            let source = held.source.to_string();
            let last = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            ListState {
                name: format!("{}.crls.{place}/{last}", self.settings.name),
                next_update: held.lists.iter().map(|list| list.next_update()).min(),
                fetched: held.fetched,
                failures: held.failures,
            }
        };
        self.held.iter().enumerate().map(state).collect()
    }
}

impl DomainSettings {
    /// What was fetched before a reload, where the authorities of after it believe it too.
    fn still_believed(&self, known: &Held, now: Timestamp) -> Option<Held> {
        let judged = known.lists.iter().map(|list| self.judged(list.name(), list.der().to_vec(), now));
        let lists = judged.collect::<Result<Vec<_>, _>>().ok()?.concat();
        (!lists.is_empty()).then(|| Held { lists, ..known.clone() })
    }

    fn cache_file(&self, uri: &Uri) -> Option<PathBuf> {
        let name = hex::encode(digest(&SHA256, uri.to_string().as_bytes()).as_ref());
        Some(self.keeping.cache.as_ref()?.join(format!("{name}.crl")))
    }

    fn cached(&self, uri: &Uri, now: Timestamp) -> Vec<Arc<RevocationList>> {
        let Some(file) = self.cache_file(uri).filter(|file| file.exists()) else { return Vec::new() };
        // What is kept is PEM, a third longer than the DER that was fetched.
        let limit = self.keeping.list_bytes.saturating_mul(2);
        RevocationList::from_file(&file, limit, self.allowed(), now).map(shared).unwrap_or_else(|error| {
            tracing::warn!(%uri, %error, "the cached revocation list is not used");
            Vec::new()
        })
    }

    /// So that a restart without the network has the list: whole or not at all, whatever stops the process.
    async fn keep_on_disk(&self, uri: &Uri, lists: &[Arc<RevocationList>]) {
        let Some(file) = self.cache_file(uri) else { return };
        let fresh = file.with_extension(format!("{}.new", std::process::id()));
        let text: String = lists.iter().map(|list| pem::encode("X509 CRL", list.der()).to_string()).collect();
        let written = async {
            tokio::fs::write(&fresh, text).await?;
            tokio::fs::rename(&fresh, &file).await
        };
        if let Err(error) = written.await {
            tracing::warn!(%uri, %error, "the revocation list cannot be kept on disk; a restart without the network lacks it");
        }
    }

    /// Asks the source of a list anew. `true`: another edition is in force.
    async fn renew(&self, held: &mut Held, fetcher: &dyn Fetch, clock: &Clock) -> Result<bool, RevocationError> {
        match self.renewed(held, fetcher, clock).await {
            Ok(fresh) => {
                let next = fresh.iter().map(|list| list.next_update()).min().unwrap_or(Timestamp::MAX);
                let lists = with_what_is_missing(fresh, held);
                let is_held = |list: &Arc<RevocationList>| held.lists.iter().any(|held| held.der() == list.der());
                let changed = lists.len() != held.lists.len() || !lists.iter().all(is_held);
                if let (Source::Address(uri), true) = (&held.source, changed) {
                    self.keep_on_disk(uri, &lists).await;
                }
                held.fetched = Some(clock.now());
                held.failures = 0;
                held.due = Instant::now() + self.next_asked(&held.source, next, clock.now());
                held.lists = lists;
                Ok(changed)
            }
            Err(error) => {
                // Doubled with each failure, up to the usual pace, so that an authority in trouble is not pressed.
                let wait = self.keeping.interval.saturating_mul(1 << held.failures.min(16)).min(self.pace(&held.source));
                held.failures = held.failures.saturating_add(1);
                held.due = Instant::now() + jittered(wait);
                Err(error)
            }
        }
    }

    async fn renewed(
        &self,
        held: &Held,
        fetcher: &dyn Fetch,
        clock: &Clock,
    ) -> Result<Vec<Arc<RevocationList>>, RevocationError> {
        // A list may have a million entries, and a disk may hang: no call waits while it is read.
        let (settings, now) = (self.clone(), clock.now());
        let read = match &held.source {
            Source::File(file) => {
                let file = file.clone();
                tokio::task::spawn_blocking(move || settings.read(&file, now)).await
            }
            Source::Address(uri) => {
                let (name, bytes) = (uri.to_string(), fetcher.get(uri).await?);
                tokio::task::spawn_blocking(move || settings.judged(&name, bytes, now)).await
            }
        };
        let lists =
            read.map_err(|error| RevocationError::NotAList { name: held.source.to_string(), cause: error.to_string() })??;
        // An old list has a good signature too: played back, it would bring back what was revoked since.
        for list in &lists {
            let later = |old: &&Arc<RevocationList>| old.same_as(list) && list.this_update() < old.this_update();
            if let Some(old) = held.lists.iter().find(later) {
                return Err(RevocationError::Older {
                    name: list.name().to_owned(),
                    offered: list.this_update(),
                    in_force: old.this_update(),
                });
            }
        }
        Ok(lists)
    }

    fn pace(&self, source: &Source) -> Duration {
        match source {
            Source::File(_) => self.keeping.interval,
            Source::Address(_) => self.keeping.refresh.max(self.keeping.interval),
        }
    }

    /// The usual pace; near the list's end half of what is left, so that its successor is found as soon as it is there.
    fn next_asked(&self, source: &Source, next_update: Timestamp, now: Timestamp) -> Duration {
        let left = Duration::try_from(next_update.duration_since(now)).unwrap_or(Duration::ZERO);
        let wait = self.pace(source).min(left / 2).max(self.keeping.interval);
        if matches!(source, Source::File(_)) { wait } else { jittered(wait) }
    }
}

/// The fresh lists, and those in force whose CA the source gives no list of any more: left out, by whoever stands on the
/// way or by mistake, it would say nothing of what it names. A reload lets go of a CA that is trusted no longer.
fn with_what_is_missing(mut fresh: Vec<Arc<RevocationList>>, held: &Held) -> Vec<Arc<RevocationList>> {
    for old in &held.lists {
        if !fresh.iter().any(|list| list.same_as(old)) {
            tracing::warn!(source = %held.source, issuer = old.issuer(), "gives no list of this CA any more; the one before stays in force until it ends");
            fresh.push(old.clone());
        }
    }
    fresh
}

/// A tenth more or less, so that nodes which were started together do not ask together for ever.
fn jittered(wait: Duration) -> Duration {
    let mut random = [128_u8];
    // Without chance there is no jitter, which harms nobody.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let [random] = random;
    wait.mul_f64(0.9 + 0.2 * f64::from(random) / 255.0)
}

/// What came of asking the sources of a domain.
#[derive(Debug, Default)]
pub struct Renewed {
    /// Whether another edition of a list is in force.
    pub changed: bool,
    /// What went wrong; the lists before stay in force.
    pub errors: Vec<RevocationError>,
}

/// A trust domain: its lists, exchanged whole. It outlasts reloads, so that connections and tokens that outlast them too
/// are judged by the lists of today.
#[derive(Debug)]
pub struct Domain(RwLock<Arc<Lists>>);

impl Domain {
    /// A domain in which revocation is not asked for.
    pub fn unasked() -> Arc<Self> {
        let keeping =
            Keeping { interval: Duration::ZERO, refresh: Duration::ZERO, grace: Duration::ZERO, list_bytes: 0, cache: None };
        let settings = DomainSettings {
            name: String::new(),
            authorities: Vec::new(),
            authorities_setting: String::new(),
            sources: Vec::new(),
            without_list: WithoutList::Accept,
            keeping: Arc::new(keeping),
        };
        Arc::new(Self::new(Lists { settings, held: Vec::new() }))
    }

    /// A domain with these lists.
    pub fn new(lists: Lists) -> Self {
        Self(RwLock::new(Arc::new(lists)))
    }

    /// Puts others in force.
    pub fn replace(&self, lists: Lists) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(lists);
    }

    /// The lists now.
    pub fn current(&self) -> Arc<Lists> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When a source is to be asked next.
    pub fn due(&self) -> Option<Instant> {
        self.current().held.iter().map(|held| held.due).min()
    }

    /// Asks the sources whose time has come.
    pub async fn renew(&self, fetcher: &dyn Fetch, clock: &Clock) -> Renewed {
        let before = self.current();
        let mut lists = Lists::clone(&before);
        let mut renewed = Renewed::default();
        for held in lists.held.iter_mut().filter(|held| held.due <= Instant::now()) {
            match lists.settings.renew(held, fetcher, clock).await {
                Ok(changed) => renewed.changed |= changed,
                Err(error) => renewed.errors.push(error),
            }
        }
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // A reload that came in between knows better.
        if Arc::ptr_eq(&current, &before) {
            *current = Arc::new(lists);
        }
        renewed
    }
}
