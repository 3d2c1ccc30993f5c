//! What outlives a reload of what is known of a peer.

use std::sync::Arc;

use crate::config;
use crate::outbound::breaker::{Breaker, BreakerSettings};
use crate::outbound::counts;

/// What is known of one peer, from reload to reload.
#[derive(Clone)]
pub struct Known {
    /// Whether it is left alone.
    pub breaker: Arc<Breaker>,
    settings: BreakerSettings,
    /// What became of connections to it.
    pub connections: Arc<counts::Counts>,
}

impl Known {
    /// What is known after a reload: nothing of a peer that is new, and its breaker begins anew where its settings changed.
    pub fn of(peer: &config::Peer, before: Option<&Self>) -> Self {
        let settings = BreakerSettings {
            failures: peer.reach.breaker_failures,
            rest: peer.reach.breaker_rest,
            at_once: peer.reach.calls_at_once,
        };
        let same = before.filter(|before| before.settings == settings);
        Self {
            breaker: same.map_or_else(|| Arc::new(Breaker::new(settings)), |same| same.breaker.clone()),
            settings,
            connections: before.map(|before| before.connections.clone()).unwrap_or_default(),
        }
    }
}
