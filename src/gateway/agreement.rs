//! The agreement in front: nobody calls a service without an authority's approval.

use std::sync::Arc;

use super::authenticate::Authenticated;
use super::call::{Call, OfCall};
use super::definition::Definition;
use super::persons::Named;
use super::replay::Fresh;
use super::step::Check;
use crate::agreements::{Agreement, Agreements, ClientSystem, Environment, Thumbprint};
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::refusal::Refusal;

/// A call that an agreement in front of the service admits. What the service itself demands is not judged yet.
pub struct Admitted {
    fresh: Fresh,
    front: Arc<Agreement>,
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
    /// Proof of the agreement, which outlives the request.
    pub fn agreed(&self) -> Agreed {
        Agreed(())
    }
    /// The agreement between the client system and this service.
    pub fn front(&self) -> &Arc<Agreement> {
        &self.front
    }
}

impl OfCall for Admitted {
    fn call(&self) -> &Call {
        self.authenticated().call()
    }
}

/// Proof that an authority has agreed to the caller's calls. Made by [`Admitted::agreed`] alone.
#[derive(Debug, Clone, Copy)]
pub struct Agreed(());

/// The step.
#[allow(missing_docs)] // the names say it
pub struct AgreementStep {
    /// The service's names.
    pub definition: Arc<Definition>,
    pub agreements: Agreements,
    /// Where this gateway stands.
    pub environment: Environment,
    pub clock: Clock,
}

impl Check for AgreementStep {
    const NAME: &'static str = "agreement";
    type In = Fresh;
    type Out = Admitted;

    async fn check(&self, fresh: Fresh) -> Result<Admitted, Refusal> {
        let caller = fresh.authenticated().caller();
        let client = ClientSystem::Certificate(Thumbprint::from(*caller.system()));
        let front = self.front(client, *caller.authority()).await?;
        fresh.call().note(|record| {
            record.client_system = Some(front.system);
            record.front_agreement = Some(front.id);
            record.purpose = Some(front.purpose.clone());
        });
        Ok(Admitted { fresh, front })
    }
}

impl AgreementStep {
    /// The step's verdict: the agreement that admits calls of this system for this authority. The claim of an authority
    /// (AuthorityContext) is worth exactly as much as this agreement: it must stand between that authority and the system
    /// whose certificate was proven.
    ///
    /// # Errors
    /// `ServiceAgreementNotFound`, `ServiceAgreementNotActive`, `AuthorityUnknown`, `AgreementsUnavailable`.
    pub async fn front(&self, client: ClientSystem, authority: Cvr) -> Result<Arc<Agreement>, Refusal> {
        let (service, now) = (self.definition.uuid, self.clock.now());
        self.agreements.front(client, authority, service, &self.environment, now).await
    }
}
