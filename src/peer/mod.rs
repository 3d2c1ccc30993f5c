//! One system behind us: where it is, how we prove ourselves to it, whose answers are taken, and whether it answers.

mod known;

use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::outbound::Outbound;
use crate::outbound::breaker::Breaker;
use crate::refusal::PeerName;
use crate::revocation::domain::Domain;
use crate::signature::key::Certificate;
use crate::sts::cache::TokenCache;
use crate::sts::client::{Https, StsClient};
pub use known::Known;

/// How a peer and we prove ourselves to each other, beside TLS.
pub enum Security {
    /// OIO IDWS: a signed message with a token for the peer; its answers are signed by one of its pinned certificates.
    Token(TokenSecurity),
    /// Mutual TLS carries both; an AuthorityContext in the request names the authority.
    AuthorityContext,
}

/// See [`Security::Token`].
pub struct TokenSecurity {
    /// The gateway's tokens.
    pub tokens: TokenCache<StsClient<Https>>,
    /// The certificates that the peer signs answers with.
    pub pinned: Arc<Vec<Certificate>>,
    /// The revocation lists in which they are looked up.
    pub signers: Arc<Domain>,
}

/// A system behind us.
#[allow(missing_docs)] // the names say it
pub struct Peer {
    /// Its name in logs and metrics.
    pub name: Arc<str>,
    /// Its name in what callers are told.
    pub told: PeerName,
    pub address: Uri,
    /// Its entity id, for which tokens are fetched.
    pub entity_id: String,
    /// How it and we prove ourselves.
    pub security: Security,
    /// The connections to it.
    pub outbound: Outbound,
    /// How long a call may take in all.
    pub deadline: Duration,
    /// Leaves it alone while it fails.
    pub breaker: Arc<Breaker>,
}
