//! To whom a call goes on, and the agreement behind the service that lets it.

use std::sync::Arc;

use uuid::Uuid;

use super::agreement::Admitted;
use super::call::{Call, OfCall};
use crate::agreements::{Agreement, Agreements, Environment};
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::peer::Peer;
use crate::refusal::{PeerName, Refusal};

/// The proof that an admitted call may go on to a peer, for its authority. Made by [`BackAgreements::route`] alone.
#[derive(Clone)]
pub struct Routed {
    call: Call,
    authority: Cvr,
    back: Arc<Agreement>,
    peer: Arc<Peer>,
}

impl Routed {
    /// On whose behalf.
    pub fn authority(&self) -> &Cvr {
        &self.authority
    }
    /// The agreement between the service and the peer.
    pub fn back(&self) -> &Arc<Agreement> {
        &self.back
    }
    /// To whom.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }
}

impl OfCall for Routed {
    fn call(&self) -> &Call {
        &self.call
    }
}

/// The agreements between a service and what stands behind it.
#[derive(Clone)]
#[allow(missing_docs)] // the names say it
pub struct BackAgreements {
    /// The service, as agreements name it.
    pub service: Uuid,
    pub agreements: Agreements,
    /// Where this gateway stands.
    pub environment: Environment,
    pub clock: Clock,
}

impl BackAgreements {
    /// The agreement by which an authority's calls go on to the peer of this name.
    ///
    /// # Errors
    /// `BackAgreementNotFound`, `ServiceAgreementNotActive`, `AgreementsUnavailable`.
    pub async fn of(&self, authority: Cvr, peer: &PeerName) -> Result<Arc<Agreement>, Refusal> {
        let back = self.agreements.back(self.service, authority, &self.environment, self.clock.now()).await;
        back.map_err(|refusal| refusal.of_peer(peer))
    }

    /// Lets an admitted call go on to `peer`.
    ///
    /// # Errors
    /// As [`BackAgreements::of`].
    pub async fn route(&self, admitted: &Admitted, peer: &Arc<Peer>) -> Result<Routed, Refusal> {
        let authority = *admitted.authenticated().caller().authority();
        let back = self.of(authority, &peer.told).await?;
        admitted.call().note(|record| record.back_agreements = vec![back.id]);
        Ok(Routed { call: admitted.call().clone(), authority, back, peer: peer.clone() })
    }
}
