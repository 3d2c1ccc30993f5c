//! TerminalAdgang (SF2860, version 6): which cash benefits a citizen has received in the last three months.
//!
//! The way of a call, on one page:
//!
//! ```text
//! http::Request ─open→ Received ─envelope→ Enveloped ─authenticate→ Authenticated ─persons→ Named ─replay→ Fresh
//!   ─agreement→ Admitted ─owners→ Owned ─ask→ Permitted ─exchange→ Authorised ─forward→ Answer ─release→ Release
//!   ─seal→ http::Response
//! ```
//!
//! Its own steps, like [those that services share](crate::gateway), take only what the step before them makes. Below, what compiles stands
//! before the same without one step, which does not. Without the agreement behind:
//!
//! ```
//! use hjemmel::{gateway::step::Check, services::terminaladgang::{ask::{AskStep, Permitted}, owners::Owned}};
//! async fn ask(step: &AskStep, owned: Owned) -> Option<Permitted> {
//!     step.check(owned).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::{gateway::{agreement::Admitted, step::Check}, services::terminaladgang::ask::{AskStep, Permitted}};
//! async fn ask(step: &AskStep, admitted: Admitted) -> Option<Permitted> {
//!     step.check(admitted).await.ok()
//! }
//! ```
//!
//! Without the law:
//!
//! ```
//! use hjemmel::gateway::{exchange::{Authorised, ExchangeStep}, step::Check};
//! use hjemmel::services::terminaladgang::ask::Permitted;
//! async fn ask(step: &ExchangeStep<Permitted>, permitted: Permitted) -> Option<Authorised<Permitted>> {
//!     step.check(permitted).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{exchange::{Authorised, ExchangeStep}, step::Check};
//! use hjemmel::services::terminaladgang::{ask::Permitted, owners::Owned};
//! async fn ask(step: &ExchangeStep<Permitted>, owned: Owned) -> Option<Authorised<Permitted>> {
//!     step.check(owned).await.ok()
//! }
//! ```
//!
//! On the way back, a filtered answer is released only by the sink that verified it:
//!
//! ```
//! # use hjemmel::services::terminaladgang::law::release::Filtered; // so that below it is not the name that fails
//! use hjemmel::gateway::{answer::Release, reply::{Answered, Reply}};
//! fn answer(reply: Reply, released: Release) -> Answered {
//!     reply.answer(released)
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::reply::{Answered, Reply};
//! use hjemmel::services::terminaladgang::law::release::Filtered;
//! fn answer(reply: Reply, filtered: Filtered) -> Answered {
//!     reply.answer(filtered)
//! }
//! ```

pub mod ask;
pub mod cases;
pub mod contract;
pub mod law;
pub mod names;
pub mod offer;
pub mod owners;
pub mod persons;
pub mod policies;
pub mod release;
pub mod scope;
pub mod settings;

use bytes::Bytes;
use http_body::Body;
use tower::ServiceBuilder;

use crate::gateway::exchange::ExchangeStep;
use crate::gateway::forward::Forward;
use crate::gateway::open::Client;
use crate::gateway::step::{StepLayer, StepService};
use crate::gateway::{Front, GatewayService};
use crate::refusal::Refusal;
use ask::{AskStep, Permitted};
use owners::OwnersStep;
use release::ReleaseStep;

/// The steps of this service's own.
pub struct Own {
    /// Whose benefits may be shown.
    pub owners: OwnersStep,
    /// Window, person, criteria.
    pub ask: AskStep,
    /// Durable record, token for the index.
    pub exchange: ExchangeStep<Permitted>,
    /// Verify and filter.
    pub release: ReleaseStep,
    /// The index.
    pub forward: Forward<Permitted>,
}

/// Stacks the steps. Read it top-down: this is the way of a request, and the reason why each stands where it does.
pub fn stack<B>(front: Front, own: Own) -> impl Fn(Client) -> GatewayService<B> + Clone
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Refusal>,
{
    let stack = ServiceBuilder::new()
        // First of all: from here on every request ends in a record, even an abandoned one.
        .layer(front.open)
        // Around everything that may refuse, for it sends the refusals; inside `open`, which must know the outcome.
        .layer(StepLayer::new(front.seal))
        // One parse, before anyone trusts a byte: everything below looks at the same nodes.
        .layer(StepLayer::new(front.envelope))
        // Before any store lookup: an unauthenticated caller must not cause database work or a signed fault.
        .layer(StepLayer::new(front.authenticate))
        // Before any other step can refuse: a refused call is found by its person too. After authenticate: an unproven
        // sender must not fill the log with persons.
        .layer(StepLayer::new(front.persons))
        // After authenticate, so that only proven senders fill the memory; before the rest, so that a copy costs nothing.
        .layer(StepLayer::new(front.replay))
        // A proven identity has no access by itself: an agreement on each side gives it.
        .layer(StepLayer::new(front.agreement))
        // The agreements behind the service say who has approved that its benefits are shown.
        .layer(StepLayer::new(own.owners))
        // After the agreements, which narrow what may be asked; before the token, so that nothing leaves for a request
        // without a legal basis.
        .layer(StepLayer::new(own.ask))
        // Last step before `forward`: fails the call if the record of admission is not durable.
        .layer(StepLayer::new(own.exchange))
        // Around forward: what the index answers is verified and filtered before anyone outside sees it.
        .layer(StepLayer::new(own.release))
        .service(StepService::innermost(own.forward));
    move |client| GatewayService::new(stack.for_client(client))
}
