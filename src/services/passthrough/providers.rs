//! The providers that routes lead to: one pool of connections, one breaker and one bound on calls each, so that a slow one takes
//! no other's places.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use uuid::Uuid;

use crate::agreements::route::{ProviderSecurity, Route};
use crate::outbound::breaker::{Breaker, BreakerSettings, BreakerState};
use crate::outbound::{Outbound, OutboundSettings};
use crate::peer::{Peer, Security, TokenSecurity};
use crate::refusal::{PeerName, Refusal};
use crate::revocation::domain::Domain;
use crate::revocation::verify::Stapling;
use crate::signature::key::Certificate;
use crate::sts::cache::TokenCache;
use crate::sts::client::{Https, StsClient};
use crate::work::Work;

/// How many providers are held at once. Beyond this those that no call uses are forgotten, with their connections.
const MOST: usize = 4096;

/// How providers are reached.
pub struct Reached {
    /// Everything but a provider's own roots.
    pub outbound: OutboundSettings,
    /// When one is left alone.
    pub breaker: BreakerSettings,
    /// What is known already of those that are.
    pub breakers: Arc<Breakers>,
    /// How long a call may take in all.
    pub deadline: Duration,
    /// The revocation lists that their TLS certificates are looked up in.
    pub domain: Arc<Domain>,
    /// The revocation lists that their signing certificates are looked up in.
    pub signers: Arc<Domain>,
    /// The gateway's tokens.
    pub tokens: TokenCache<StsClient<Https>>,
    /// The calls that are worked on.
    pub work: Work,
}

/// What a provider is made of, digested.
type Key = [u8; 32];

/// The breaker of each provider of each service. They outlive a reload: a provider that is away stays left alone.
#[derive(Debug, Default)]
pub struct Breakers(Mutex<HashMap<(Uuid, Key), OfSystem>>);

/// The it-system that is a provider, and its breaker.
type OfSystem = (Uuid, Arc<Breaker>);

impl Breakers {
    fn of(&self, service: Uuid, provider: (Uuid, Key), settings: BreakerSettings) -> Arc<Breaker> {
        let (system, key) = provider;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, breaker)) = known.get(&(service, key)).filter(|(_, breaker)| breaker.settings() == settings) {
            return breaker.clone();
        }
        if known.len() >= MOST {
            known.retain(|_, (_, breaker)| {
                breaker.state(Instant::now()) != BreakerState::Closed || Arc::strong_count(breaker) > 1
            });
        }
        let breaker = Arc::new(Breaker::new(settings));
        if known.len() < MOST {
            known.insert((service, key), (system, breaker.clone()));
        }
        breaker
    }

    /// The it-systems of the providers that are left alone just now, each once.
    pub fn open(&self) -> BTreeSet<Uuid> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = known.values().filter(|(_, breaker)| breaker.state(Instant::now()) == BreakerState::Open);
        open.map(|(system, _)| *system).collect()
    }
}

/// The providers that have been called.
pub struct Providers {
    reached: Reached,
    known: Mutex<HashMap<Key, Arc<Peer>>>,
}

/// What a provider is made of. Routes that say the same of it share it, with its breaker; one that says anything else has its own.
fn made_of(route: &Route) -> Key {
    let address = route.address.uri().to_string();
    let pinned = route.security.signing_certificates().iter().map(Certificate::der);
    let parts = [route.system.as_bytes().as_slice(), address.as_bytes(), route.entity_id.as_str().as_bytes()].into_iter();
    let parts = parts.chain([route.security.model().name().as_bytes()]).chain(pinned);
    let mut digest = Context::new(&SHA256);
    for part in parts.chain(route.roots.as_slice().iter().map(AsRef::as_ref)) {
        // The lengths first, so that no two routes give the same bytes.
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut key = [0; 32];
    key.iter_mut().zip(digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
    key
}

impl Providers {
    /// None yet.
    pub fn new(reached: Reached) -> Self {
        Self { reached, known: Mutex::default() }
    }

    /// The provider of a route.
    ///
    /// # Errors
    /// `Internal`, where its certificates cannot be used: they were judged when the route was saved.
    pub fn of(&self, route: &Route) -> Result<Arc<Peer>, Refusal> {
        let key = made_of(route);
        if let Some(peer) = self.known().get(&key) {
            return Ok(peer.clone());
        }
        // Reading its certificates takes a while, in which calls to others go on. Of two that were made at once one is kept.
        let peer = Arc::new(self.make(route, key).map_err(|error| {
            tracing::error!(route = %route.id, %error, "a route's provider cannot be reached with its certificates");
            Refusal::Internal
        })?);
        let mut known = self.known();
        if known.len() >= MOST {
            known.retain(|_, peer| Arc::strong_count(peer) > 1);
        }
        // Where all are in use this one serves the call that it was made for, and is made anew for the next.
        match known.len() < MOST {
            true => Ok(known.entry(key).or_insert(peer).clone()),
            false => Ok(peer),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Arc<Peer>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, route: &Route, key: Key) -> Result<Peer, crate::outbound::SetupError> {
        let reached = &self.reached;
        let settings = OutboundSettings { roots: route.roots.as_slice().to_vec(), ..reached.outbound.clone() };
        let outbound = Outbound::checked(settings, reached.domain.clone(), Stapling::Optional)?.waited_for_by(&reached.work);
        let security = match &route.security {
            ProviderSecurity::Token { signing_certificates } => Security::Token(TokenSecurity {
                tokens: reached.tokens.clone(),
                pinned: Arc::new(signing_certificates.as_slice().to_vec()),
                signers: reached.signers.clone(),
            }),
            ProviderSecurity::AuthorityContext => Security::AuthorityContext,
        };
        Ok(Peer {
            name: route.system.to_string().into(),
            told: PeerName::new(
                &format!("modtagerens system {}", route.system),
                &format!("the receiving system {}", route.system),
            ),
            address: route.address.uri().clone(),
            entity_id: route.entity_id.as_str().to_owned(),
            security,
            outbound,
            deadline: reached.deadline,
            breaker: reached.breakers.of(route.service, (route.system, key), reached.breaker),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings { failures: 1, rest: Duration::from_secs(60), at_once: 64 };

    const SYSTEM: Uuid = Uuid::from_u128(7);

    fn fail(breaker: &Breaker) {
        let now = Instant::now();
        breaker.admit(now).unwrap().failed(now);
    }

    #[test]
    fn a_provider_that_is_left_alone_stays_so_over_a_reload() {
        let breakers = Breakers::default();
        fail(&breakers.of(Uuid::nil(), (SYSTEM, [1; 32]), SETTINGS));
        assert!(breakers.of(Uuid::nil(), (SYSTEM, [1; 32]), SETTINGS).admit(Instant::now()).is_err());
    }

    #[test]
    fn who_is_left_alone_is_told_by_its_system_and_who_is_not_is_not() {
        let breakers = Breakers::default();
        breakers.of(Uuid::nil(), (Uuid::from_u128(8), [2; 32]), SETTINGS);
        assert_eq!(breakers.open(), BTreeSet::new());
        fail(&breakers.of(Uuid::nil(), (SYSTEM, [1; 32]), SETTINGS));
        fail(&breakers.of(Uuid::max(), (SYSTEM, [1; 32]), SETTINGS));
        assert_eq!(breakers.open(), [SYSTEM].into());
    }

    #[test]
    fn another_provider_another_service_and_other_settings_begin_anew() {
        let breakers = Breakers::default();
        fail(&breakers.of(Uuid::nil(), (SYSTEM, [1; 32]), SETTINGS));
        let others = [
            (Uuid::nil(), [2; 32], SETTINGS),
            (Uuid::max(), [1; 32], SETTINGS),
            (Uuid::nil(), [1; 32], BreakerSettings { failures: 2, ..SETTINGS }),
        ];
        for (service, provider, settings) in others {
            assert!(breakers.of(service, (SYSTEM, provider), settings).admit(Instant::now()).is_ok());
        }
    }

    #[test]
    fn of_too_many_those_that_fail_are_remembered() {
        let breakers = Breakers::default();
        let number = |n: usize| (n as u64).to_be_bytes().repeat(4).try_into().unwrap();
        fail(&breakers.of(Uuid::nil(), (SYSTEM, number(7)), SETTINGS));
        for n in 0..2 * MOST {
            breakers.of(Uuid::nil(), (SYSTEM, number(n)), SETTINGS);
        }
        assert!(breakers.of(Uuid::nil(), (SYSTEM, number(7)), SETTINGS).admit(Instant::now()).is_err());
    }
}
