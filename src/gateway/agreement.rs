//! The agreements on both sides: nobody calls, and nobody's data is shown, without an authority's approval.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::authenticate::Authenticated;
use super::call::{Call, OfCall};
use super::definition::Definition;
use super::persons::Named;
use super::replay::Fresh;
use super::step::Check;
use crate::agreements::{Agreement, Agreements, ClientSystem, Environment, Role, Thumbprint};
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::refusal::Refusal;

/// A call that agreements on both sides bear.
pub struct Admitted {
    fresh: Fresh,
    front: Arc<Agreement>,
    back: Arc<Agreement>,
    owners: BTreeMap<Cvr, String>,
}

/// What the agreements on both sides give. Opens nothing by itself: the step makes [`Admitted`] of it.
pub struct Borne {
    /// The agreement between the client system and this service.
    pub front: Arc<Agreement>,
    /// The agreement between this service and the index.
    pub back: Arc<Agreement>,
    /// Whose benefits may be shown (the counterpart), with the names of our own register.
    pub owners: BTreeMap<Cvr, String>,
    /// The counterpart's back agreements.
    pub others: Vec<Uuid>,
}

/// Whose benefits may be shown, and the back agreements that say so beside the caller's own.
struct Counterpart {
    owners: BTreeMap<Cvr, String>,
    agreements: Vec<Uuid>,
}

impl Admitted {
    /// The call, and who makes it.
    pub fn authenticated(&self) -> &Authenticated {
        self.fresh.authenticated()
    }
    /// The call, and whom it names.
    pub fn named(&self) -> &Named {
        self.fresh.named()
    }
    /// The agreement between the client system and this service.
    pub fn front(&self) -> &Agreement {
        &self.front
    }
    /// The agreement between this service and the index.
    pub fn back(&self) -> &Agreement {
        &self.back
    }
    /// Whose benefits the caller may be shown (the counterpart), with the names that our own register has for them.
    pub fn owners(&self) -> &BTreeMap<Cvr, String> {
        &self.owners
    }
}

impl OfCall for Admitted {
    fn call(&self) -> &Call {
        self.authenticated().call()
    }
}

/// The step.
pub struct AgreementStep {
    /// The service's names.
    pub definition: Arc<Definition>,
    /// The agreements.
    pub agreements: Agreements,
    /// Where this gateway stands.
    pub environment: Environment,
    /// Udbetaling Danmark's number here.
    pub udk: Cvr,
    /// The clock.
    pub clock: Clock,
}

impl Check for AgreementStep {
    const NAME: &'static str = "agreement";
    type In = Fresh;
    type Out = Admitted;

    async fn check(&self, fresh: Fresh) -> Result<Admitted, Refusal> {
        let caller = fresh.authenticated().caller();
        let client = ClientSystem::Certificate(Thumbprint::from(*caller.thumbprint()));
        let Borne { front, back, owners, others } = self.bear(client, *caller.authority()).await?;
        fresh.call().note(|record| {
            record.client_system = Some(front.system);
            record.front_agreement = Some(front.id);
            record.back_agreements = std::iter::once(back.id).chain(others).collect();
            record.purpose = Some(front.purpose.clone());
        });
        Ok(Admitted { fresh, front, back, owners })
    }
}

impl AgreementStep {
    /// The step's verdict: the agreements that bear a call of this system for this authority.
    ///
    /// # Errors
    /// `ServiceAgreementNotFound`, `BackAgreementNotFound`, `ServiceAgreementNotActive`, `AuthorityUnknown`,
    /// `AgreementsUnavailable`.
    pub async fn bear(&self, client: ClientSystem, authority: Cvr) -> Result<Borne, Refusal> {
        let now = self.clock.now();
        let (service, environment) = (self.definition.uuid, &self.environment);
        // The claim of an authority (AuthorityContext) is worth exactly as much as this agreement: it must stand between
        // that authority and the system whose certificate was proven.
        let front = self.agreements.front(client, authority, service, environment, now).await?;
        let role = self.role(authority).await?;
        let back = self.agreements.back(service, authority, environment, now).await?;
        let Counterpart { owners, agreements: others } = self.counterpart(role, authority).await?;
        Ok(Borne { front, back, owners, others })
    }

    async fn role(&self, authority: Cvr) -> Result<Role, Refusal> {
        let role = self.agreements.authority(authority).await?.role;
        // Two places say who UDK is, the configuration and the register. Where they differ nobody is UDK.
        match (role, authority == self.udk) {
            (Role::Udk, true) | (Role::Municipality, false) => Ok(role),
            _ => Err(Refusal::AuthorityUnknown),
        }
    }

    /// A municipality is shown UDK's benefits; UDK is shown those of the municipalities that approved it.
    async fn counterpart(&self, role: Role, authority: Cvr) -> Result<Counterpart, Refusal> {
        let register = self.agreements.register().await?;
        if role == Role::Municipality {
            let udk = register.get(&self.udk).ok_or(Refusal::AuthorityUnknown)?;
            return Ok(Counterpart { owners: BTreeMap::from([(self.udk, udk.name.clone())]), agreements: Vec::new() });
        }
        let approved = self.agreements.back_all(self.definition.uuid, &self.environment, self.clock.now()).await?;
        let (mut owners, mut agreements) = (BTreeMap::new(), Vec::new());
        for (cvr, agreement) in approved.iter() {
            if let Some(known) = register.get(cvr).filter(|known| *cvr != authority && known.role == Role::Municipality) {
                owners.insert(*cvr, known.name.clone());
                agreements.push(agreement.id);
            }
        }
        if owners.is_empty() { Err(Refusal::BackAgreementNotFound) } else { Ok(Counterpart { owners, agreements }) }
    }
}
