//! Whose benefits the caller may be shown: the counterpart, by its own agreements.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agreements::{Agreement, Agreements, basis};
use crate::gateway::agreement::Admitted;
use crate::gateway::call::{Call, OfCall};
use crate::gateway::route::{BackAgreements, Routed};
use crate::gateway::step::Check;
use crate::id::cvr::Cvr;
use crate::peer::Peer;
use crate::refusal::{Detail, Refusal};
use crate::services::terminaladgang::names;
use crate::services::terminaladgang::scope::Part;

/// A call that may go on to the index, and whose benefits it may be shown.
pub struct Owned {
    admitted: Admitted,
    routed: Routed,
    owners: BTreeMap<Cvr, String>,
    /// The back agreements of those of them that have one.
    by: Vec<Arc<Agreement>>,
}

impl Owned {
    /// The agreement in front, and who calls.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }
    /// To whom the call goes on.
    pub fn routed(&self) -> &Routed {
        &self.routed
    }
    /// Whose benefits the caller may be shown (the counterpart), with the names that our own register has for them.
    pub fn owners(&self) -> &BTreeMap<Cvr, String> {
        &self.owners
    }

    /// The same without those whose own agreement does not cover what the call is judged by.
    ///
    /// # Errors
    /// `ServiceAgreementOutgrown`, where nobody is left.
    pub(super) fn approving(mut self, covers: impl Fn(&Agreement) -> bool) -> Result<Self, Refusal> {
        let not: Vec<_> = self.by.iter().filter(|agreement| !covers(agreement)).cloned().collect();
        if not.is_empty() {
            not.iter().for_each(|agreement| drop(self.owners.remove(&agreement.authority)));
            if self.owners.is_empty() {
                return Err(basis::outgrown(&Detail::new(
                    "myndighedernes aftaler bag servicen",
                    "the authorities' agreements behind the service",
                )));
            }
            let left_out: Vec<_> = not.iter().map(|agreement| agreement.id).collect();
            self.admitted.call().note(|record| record.back_agreements.retain(|id| !left_out.contains(id)));
        }
        Ok(self)
    }
}

impl OfCall for Owned {
    fn call(&self) -> &Call {
        self.admitted.call()
    }
}

/// Whose benefits may be shown, and the back agreements that say so beside the caller's own.
pub struct Counterpart {
    /// With the names of our own register.
    pub owners: BTreeMap<Cvr, String>,
    /// The counterpart's back agreements.
    pub agreements: Vec<Arc<Agreement>>,
}

/// What the agreements behind the service give. Opens nothing by itself: the step makes [`Owned`] of it.
pub struct Behind {
    /// The caller's own agreement between this service and the index.
    pub back: Arc<Agreement>,
    /// Whose benefits may be shown.
    pub counterpart: Counterpart,
}

/// Finds the agreement with the index, and whose benefits the caller may see.
pub struct OwnersStep {
    /// The agreements between this service and the index.
    pub back: BackAgreements,
    /// The index.
    pub peer: Arc<Peer>,
    /// Who may be whom.
    pub register: Register,
}

impl Check for OwnersStep {
    const NAME: &'static str = "owners";
    type In = Admitted;
    type Out = Owned;

    async fn check(&self, admitted: Admitted) -> Result<Owned, Refusal> {
        let authority = *admitted.authenticated().caller().authority();
        let part = self.register.part(authority).await?;
        let routed = self.back.route(&admitted, &self.peer).await?;
        let Counterpart { owners, agreements } = self.register.counterpart(&self.back, part, authority).await?;
        admitted.call().note(|record| record.back_agreements.extend(agreements.iter().map(|agreement| agreement.id)));
        Ok(Owned { admitted, routed, owners, by: agreements })
    }
}

/// The register of authorities, and which of them is Udbetaling Danmark here.
#[derive(Clone)]
pub struct Register {
    /// The agreements' register.
    pub agreements: Agreements,
    /// Udbetaling Danmark's number here.
    pub udk: Cvr,
}

impl Register {
    /// The verdict on an authority without a call: its own back agreement, and the counterpart.
    ///
    /// # Errors
    /// `AuthorityUnknown`, `BackAgreementNotFound`, `ServiceAgreementNotActive`, `AgreementsUnavailable`.
    pub async fn behind(&self, back: &BackAgreements, authority: Cvr) -> Result<Behind, Refusal> {
        let part = self.part(authority).await?;
        let own = back.of(authority, &names::index()).await?;
        Ok(Behind { back: own, counterpart: self.counterpart(back, part, authority).await? })
    }

    async fn part(&self, authority: Cvr) -> Result<Part, Refusal> {
        let part = Part::of(&self.agreements.authority(authority).await?.role);
        // Two places say who UDK is, the configuration and the register. Where they differ nobody is UDK.
        match (part, authority == self.udk) {
            (Some(part @ Part::Udk), true) | (Some(part @ Part::Municipality), false) => Ok(part),
            _ => Err(Refusal::AuthorityUnknown),
        }
    }

    /// A municipality is shown UDK's benefits; UDK is shown those of the municipalities that approved it.
    async fn counterpart(&self, back: &BackAgreements, part: Part, authority: Cvr) -> Result<Counterpart, Refusal> {
        let register = self.agreements.register().await?;
        if part == Part::Municipality {
            let udk = register.get(&self.udk).ok_or(Refusal::AuthorityUnknown)?;
            return Ok(Counterpart { owners: BTreeMap::from([(self.udk, udk.name.clone())]), agreements: Vec::new() });
        }
        let approved = self.agreements.back_all(back.service, &back.environment, back.clock.now()).await;
        let approved = approved.map_err(|refusal| refusal.of_peer(&names::index()))?;
        let (mut owners, mut agreements) = (BTreeMap::new(), Vec::new());
        for (cvr, agreement) in approved.iter() {
            let known = register.get(cvr).filter(|known| Part::of(&known.role) == Some(Part::Municipality));
            if let Some(known) = known.filter(|_| *cvr != authority) {
                owners.insert(*cvr, known.name.clone());
                agreements.push(agreement.clone());
            }
        }
        if owners.is_empty() {
            Err(Refusal::BackAgreementNotFound { peer: names::index() })
        } else {
            Ok(Counterpart { owners, agreements })
        }
    }
}
