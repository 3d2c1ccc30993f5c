//! Pass-through services: a folder with published WSDL and XSD files and `service.toml`, and no code.
//!
//! 1. [`folder`] loads one, all problems at once: [`settings`] reads `service.toml`, [`documents`] finds what a WSDL imports, [`wsdl`] its
//!    operations, [`crate::schema`] compiles what a message must look like. [`path`] names places in a message's body.
//! 2. [`side`] is a contract at work; the way of a call is on this page:
//!
//! ```text
//! http::Request ─open→ Received ─envelope→ Enveloped ─authenticate→ Authenticated ─persons→ Named ─replay→ Fresh
//!   ─agreement→ Admitted ─ask→ Valid ─deliveries→ Claimed ─direct→ Directed ─exchange→ Authorised ─forward→ Answer
//!   ─answer→ Release ─deliveries→ Release ─seal→ http::Response
//! ```
//!
//! Its own steps are given what the step before made, as [those that services share](crate::gateway) are. Without an agreement no schema is applied:
//!
//! ```
//! use hjemmel::{gateway::{agreement::Admitted, step::Check}, services::passthrough::ask::{SchemaStep, Valid}};
//! async fn ask(step: &SchemaStep, admitted: Admitted) -> Option<Valid> {
//!     step.check(admitted).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::{gateway::{replay::Fresh, step::Check}, services::passthrough::ask::{SchemaStep, Valid}};
//! async fn ask(step: &SchemaStep, fresh: Fresh) -> Option<Valid> {
//!     step.check(fresh).await.ok()
//! }
//! ```
//!
//! Without the schema, or the memory of deliveries, there is no route:
//!
//! ```
//! use hjemmel::{gateway::step::Check, services::passthrough::{deliveries::Claimed, direct::{DirectStep, Directed}}};
//! async fn route(step: &DirectStep, claimed: Claimed) -> Option<Directed> {
//!     step.check(claimed).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::{gateway::{agreement::Admitted, step::Check}, services::passthrough::direct::{DirectStep, Directed}};
//! async fn route(step: &DirectStep, admitted: Admitted) -> Option<Directed> {
//!     step.check(admitted).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::{gateway::step::Check, services::passthrough::{ask::Valid, direct::{DirectStep, Directed}}};
//! async fn route(step: &DirectStep, valid: Valid) -> Option<Directed> {
//!     step.check(valid).await.ok()
//! }
//! ```
//!
//! Without the route, nothing is admitted:
//!
//! ```
//! use hjemmel::gateway::{exchange::{Authorised, ExchangeStep}, step::Check};
//! use hjemmel::services::passthrough::direct::Directed;
//! async fn admit(step: &ExchangeStep<Directed>, directed: Directed) -> Option<Authorised<Directed>> {
//!     step.check(directed).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{exchange::{Authorised, ExchangeStep}, step::Check};
//! use hjemmel::services::passthrough::{deliveries::Claimed, direct::Directed};
//! async fn admit(step: &ExchangeStep<Directed>, claimed: Claimed) -> Option<Authorised<Directed>> {
//!     step.check(claimed).await.ok()
//! }
//! ```
//!
//! And what a provider answered is no answer of ours, before it is proven and judged:
//!
//! ```
//! use hjemmel::gateway::{answer::Release, reply::{Answered, Reply}};
//! fn answer(reply: Reply, released: Release) -> Answered {
//!     reply.answer(released)
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{forward::Answer, reply::{Answered, Reply}};
//! use hjemmel::services::passthrough::direct::Directed;
//! fn answer(reply: Reply, answer: Answer<Directed>) -> Answered {
//!     reply.answer(answer)
//! }
//! ```

pub mod answer;
pub mod ask;
pub mod content;
pub mod deliveries;
pub mod direct;
pub mod documents;
pub mod folder;
mod judged;
pub mod offer;
pub mod offered;
pub mod path;
pub mod persons;
pub mod providers;
pub mod published;
pub mod refusal;
mod security;
pub mod settings;
pub mod side;
pub mod wsdl;

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;
use tower::ServiceBuilder;

use crate::gateway::exchange::ExchangeStep;
use crate::gateway::forward::Forward;
use crate::gateway::open::Client;
use crate::gateway::step::{StepLayer, StepService};
use crate::gateway::{Front, GatewayService};
use crate::refusal::Refusal;
use answer::AnswerStep;
use ask::SchemaStep;
use deliveries::{Deliveries, DeliveriesStep};
use direct::{DirectStep, Directed};

/// The steps of a pass-through service's own.
pub struct Own {
    /// The request by the schema.
    pub ask: SchemaStep,
    /// What was passed on before.
    pub deliveries: Arc<Deliveries>,
    /// Route, agreement behind, content.
    pub direct: DirectStep,
    /// Durable record, token for the provider.
    pub exchange: ExchangeStep<Directed>,
    /// The answer, proven and by the schema.
    pub answer: AnswerStep,
    /// The provider.
    pub forward: Forward<Directed>,
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
        // Before any other step can refuse: a refused call is found by its persons too.
        .layer(StepLayer::new(front.persons))
        // After authenticate, so that only proven senders fill the memory; before the rest, so that a copy costs nothing.
        .layer(StepLayer::new(front.replay))
        // A proven identity has no access by itself: an agreement on each side gives it.
        .layer(StepLayer::new(front.agreement))
        // After the agreement, so that nobody without one can make the validator work.
        .layer(StepLayer::new(own.ask))
        // After the schema, which says where a delivery's id stands. Around all that is behind, so that what came of it is remembered; before
        // the route, for what was answered keeps its answer when routes change.
        .layer(StepLayer::new(DeliveriesStep(own.deliveries)))
        // After the schema, which says that the receiver stands where it is looked for.
        .layer(StepLayer::new(own.direct))
        // The last thing before the wire: the record of admission is on disk, or nothing is forwarded.
        .layer(StepLayer::new(own.exchange))
        // Around forward: what the provider answers is proven and judged before anyone outside sees it.
        .layer(StepLayer::new(own.answer))
        .service(StepService::innermost(own.forward));
    move |client| GatewayService::new(stack.for_client(client))
}
