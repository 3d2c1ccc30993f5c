//! The providers that routes lead to: one pool of connections and one breaker each, so that a slow one takes no other's places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::agreements::route::{ProviderSecurity, Route};
use crate::outbound::breaker::{Breaker, BreakerSettings};
use crate::outbound::{Outbound, OutboundSettings};
use crate::peer::{Peer, Security, TokenSecurity};
use crate::refusal::{PeerName, Refusal};
use crate::revocation::domain::Domain;
use crate::revocation::verify::Stapling;
use crate::sts::cache::TokenCache;
use crate::sts::client::{Https, StsClient};
use crate::work::Work;

/// How many providers are held at once. Beyond this those that no call uses are forgotten, with their connections.
const MOST: usize = 4096;

/// How providers are reached.
pub struct Reached {
    /// Everything but a provider's own roots.
    pub outbound: OutboundSettings,
    /// The breaker of each.
    pub breaker: BreakerSettings,
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

/// The providers that have been called.
pub struct Providers {
    reached: Reached,
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    /// What the peer was made of: another route may lead to the same system, and a new one to the same address otherwise.
    made_of: (ProviderSecurity, Vec<u8>),
    peer: Arc<Peer>,
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
        let key = format!("{} {}", route.address.uri(), route.entity_id.as_str());
        let roots: Vec<u8> = route.roots.as_slice().iter().flat_map(|root| root.iter().copied()).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let made_of = (route.security.clone(), roots);
        if let Some(known) = known.get(&key).filter(|known| known.made_of == made_of) {
            return Ok(known.peer.clone());
        }
        if known.len() >= MOST {
            known.retain(|_, known| Arc::strong_count(&known.peer) > 1);
        }
        let peer = Arc::new(self.make(route).map_err(|error| {
            tracing::error!(route = %route.id, %error, "a route's provider cannot be reached with its certificates");
            Refusal::Internal
        })?);
        known.insert(key, Known { made_of, peer: peer.clone() });
        Ok(peer)
    }

    fn make(&self, route: &Route) -> Result<Peer, crate::outbound::SetupError> {
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
            breaker: Arc::new(Breaker::new(reached.breaker)),
        })
    }
}
