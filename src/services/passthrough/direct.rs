//! To whom a request goes: the route of its sender and receiver, the agreement behind, and the content for that provider.

use std::sync::Arc;

use bytes::Bytes;

use super::ask::Unnarrowed;
use super::content::{self, Sent};
use super::deliveries::{Claimed, Held};
use super::folder::passing;
use super::providers::Providers;
use super::refusal::ContractRefusal;
use super::settings::{Receiver, Settings};
use super::side::{Bound, Sides};
use crate::agreements::Agreements;
use crate::agreements::basis::Applied;
use crate::gateway::call::{Call, OfCall};
use crate::gateway::exchange::Outgoing;
use crate::gateway::route::{BackAgreements, Routed};
use crate::gateway::step::Check;
use crate::id::cvr::Cvr;
use crate::refusal::Refusal;
use crate::schema::violation::Violations;
use crate::signature::c14n::{Exclusive, canonicalise};
use crate::soap::document::{Document, Element};
use crate::soap::envelope::Version;
use crate::soap::strict::Limits;

/// A request for its provider.
pub struct Directed {
    routed: Routed,
    receiver: Option<Cvr>,
    held: Option<Arc<Held>>,
    operation: Bound,
    action: String,
    http_action: String,
    sent: Sent,
}

impl Directed {
    /// The operation, as the provider's binding has it.
    pub fn operation(&self) -> &Bound {
        &self.operation
    }
    /// The authority that it is for; none where one provider receives for all.
    pub fn receiver(&self) -> Option<Cvr> {
        self.receiver
    }
}

impl OfCall for Directed {
    fn call(&self) -> &Call {
        self.routed.call()
    }
}

impl Outgoing for Directed {
    fn routed(&self) -> &Routed {
        &self.routed
    }
    fn version(&self) -> Version {
        self.operation.version()
    }
    fn action(&self) -> &str {
        &self.action
    }
    fn http_action(&self) -> &str {
        &self.http_action
    }
    fn fault_is_an_answer(&self) -> bool {
        true
    }
    fn leaving(&self) -> Result<(), Refusal> {
        self.held.as_ref().map_or(Ok(()), |held| held.may_leave())
    }
    fn stayed(&self) {
        self.held.iter().for_each(|held| held.stayed());
    }
    fn made(&mut self) {
        self.sent.body = Bytes::new();
    }
    fn headers(&self) -> &str {
        &self.sent.headers
    }
    fn body(&self) -> &[u8] {
        &self.sent.body
    }
    fn prefixes(&self) -> &str {
        &self.sent.prefixes
    }
}

/// Finds the route of a message, and the agreement with the provider it leads to.
pub struct DirectStep {
    /// The service.
    pub sides: Arc<Sides>,
    /// The routes.
    pub agreements: Agreements,
    /// The agreements between this service and its providers.
    pub back: BackAgreements,
    /// The contract, held against what was approved.
    pub applied: Arc<Applied>,
    /// The providers that routes lead to.
    pub providers: Arc<Providers>,
    /// Bounds on the XML of a request.
    pub limits: Limits,
}

impl Check for DirectStep {
    const NAME: &'static str = "route";
    type In = Claimed;
    type Out = Directed;

    async fn check(&self, claimed: Claimed) -> Result<Directed, Refusal> {
        let (valid, held) = claimed.part();
        let request = valid.request().ok_or(Refusal::Internal)?;
        let sender = *valid.admitted().authenticated().caller().authority();
        let receiver = receiver(self.sides.settings(), request, sender)?;
        let (service, environment, now) = (self.back.service, &self.back.environment, self.back.clock.now());
        let route = match receiver {
            Some(receiver) => self.agreements.route(service, sender, receiver, environment, now).await?,
            None => self.agreements.route_for_all(service, sender, environment, now).await?,
        };
        let (route_id, peer) = (route.id, self.providers.of(&route)?);
        valid.call().note(|record| {
            if let Some(about) = record.about.passthrough_mut() {
                (about.receiver, about.for_all, about.route) = (receiver, receiver.is_none(), Some(route_id));
            }
        });
        let routed = self.back.route(valid.admitted(), &peer).await?;
        routed.back().scope.to::<Unnarrowed>()?;
        let asked = valid.operation().operation().ok_or(Refusal::Internal)?;
        self.applied.covers(routed.back(), &passing(valid.operation().security(), &asked.name)).await?;
        let security = route.security.model();
        let bound = self.sides.towards(valid.operation(), security);
        let operation = bound.operation().ok_or(Refusal::Internal)?;
        // In canonical form a type's prefix that no element uses loses its declaration. It is kept where it is proven what the
        // prefix stands for; otherwise anybody could have made another type of it, and the request is refused, not sent.
        let types = content::prefixes_of_types(request);
        let caller = valid.admitted().authenticated().caller();
        let kept = content::prefix_list(types.iter().copied().filter(|prefix| caller.proves_prefix(prefix)));
        if !types.is_empty() {
            let proven = canonicalise(request, &Exclusive::with_prefixes(&kept), &[], Vec::new());
            let judged = self.judge(valid.operation(), proven.into()).await?;
            judged.map_err(|violations| ContractRefusal::SchemaViolated { places: violations.detail() })?;
        }
        let sent = content::towards(request, operation, security, &sender, kept);
        if sent.changed {
            self.judge_again(&bound, &sent).await?;
        }
        let action = operation.request_action.clone();
        let http_action = operation.action.clone().unwrap_or_else(|| action.clone());
        Ok(Directed { routed, receiver, held, operation: bound, action, http_action, sent })
    }
}

impl DirectStep {
    /// What we changed ourselves must still follow the schema: a contract that demands a context which the provider's binding
    /// has no use for is a fault of the set-up, not of the caller.
    async fn judge_again(&self, bound: &Bound, sent: &Sent) -> Result<(), Refusal> {
        self.judge(bound, sent.body.clone()).await?.map_err(|violations| {
            tracing::error!(
                places = violations.detail().en(),
                "a request breaks the schema once its contexts are the provider's"
            );
            Refusal::Internal
        })
    }

    /// Judges a request in canonical form.
    async fn judge(&self, bound: &Bound, body: Bytes) -> Result<Result<(), Violations>, Refusal> {
        let document = Document::parse(body, &self.limits).map_err(|_| Refusal::Internal)?;
        let (document, operation) = (Arc::new(document), bound.operation().ok_or(Refusal::Internal)?);
        let root = document.root().id();
        bound.judge(document, root, &operation.request).await
    }
}

/// The authority that the request is for: named in it, or where the service has no place for that, the sender's own. None where
/// one provider receives for all: it is no authority of the call's, so that no record and no notice may name one.
fn receiver(settings: &Settings, request: Element<'_>, sender: Cvr) -> Result<Option<Cvr>, Refusal> {
    if settings.receiver == Receiver::Fixed {
        return Ok(None);
    }
    let mut paths = settings.receiver_paths.iter().map(|path| &path.value);
    let Some(path) = paths.find(|path| path.root() == request.local()) else { return Ok(Some(sender)) };
    let values = path.values(request);
    let named = match values.as_slice() {
        [Some(one)] => cvr(one),
        _ => None,
    };
    named.map(Some).ok_or_else(|| ContractRefusal::ReceiverMissing { path: path.to_string() }.into())
}

/// `11111111`, or `urn:oio:cvr-nr:11111111`.
fn cvr(text: &str) -> Option<Cvr> {
    let text = text.trim();
    Cvr::of_urn(text).or_else(|| text.parse().ok())
}
