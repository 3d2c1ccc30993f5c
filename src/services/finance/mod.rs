//! SF1590_A Finans, immediate delivery: vouchers from a specialist system to an authority's ledger, on the pass-through engine.
//!
//! The way of a call is that of a pass-through service ([`super::passthrough`]), with the rules between the schema and the route:
//!
//! ```text
//! … ─agreement→ Admitted ─ask→ Valid ─rules→ Claimed ─direct→ Directed ─exchange→ Authorised ─forward→ Answer ─answer→ Release
//!   ─rules→ Release ─seal→ http::Response
//! ```
//!
//! - [`rules`] judges a delivery beyond its schema; [`judge`] is that on the way of a call, and [`receipt`] what the caller gets of it.
//! - [`mod@file`] judges a delivery that comes as a file, by the same schema and rules; [`files`] is that between mailboxes, with the
//!   ledgers' answers. [`said`] is what a delivery says, whichever way it comes.
//! - [`offer`] puts the service together; [`settings`] reads `[service.NAME]`; [`lists`] is where value lists lie, or [`shelf`];
//!   [`trials`] is when tests are taken, and [`memory`] how calls ask for what the store has of both.

#[cfg(test)]
mod faults_page;
pub mod file;
pub mod files;
pub mod judge;
pub mod lists;
pub mod memory;
pub mod offer;
pub mod receipt;
pub mod rules;
pub mod said;
pub mod settings;
pub mod shelf;
pub mod trials;

use bytes::Bytes;
use http_body::Body;
use tower::ServiceBuilder;

use crate::gateway::open::Client;
use crate::gateway::step::{StepLayer, StepService};
use crate::gateway::{Front, GatewayService};
use crate::refusal::Refusal;
use crate::services::passthrough::Own;
use judge::RulesStep;

/// Stacks the steps, as a pass-through service's are, with `rules` among them.
pub fn stack<B>(front: Front, own: Own, rules: RulesStep) -> impl Fn(Client) -> GatewayService<B> + Clone
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Refusal>,
{
    let stack = ServiceBuilder::new()
        .layer(front.open)
        .layer(StepLayer::new(front.seal))
        .layer(StepLayer::new(front.envelope))
        .layer(StepLayer::new(front.authenticate))
        .layer(StepLayer::new(front.persons))
        .layer(StepLayer::new(front.replay))
        .layer(StepLayer::new(front.agreement))
        .layer(StepLayer::new(own.ask))
        // After the schema, which says that what the rules look for is there; before the route, for a delivery that is refused as a whole
        // has no receiver. It asks the memory of deliveries itself: a delivery that a rule refuses is none that was passed on. Around all that is behind, so that the ledger's receipt leaves with what the rules warned of.
        .layer(StepLayer::new(rules))
        .layer(StepLayer::new(own.direct))
        .layer(StepLayer::new(own.exchange))
        .layer(StepLayer::new(own.answer))
        .service(StepService::innermost(own.forward));
    move |client| GatewayService::new(stack.for_client(client))
}
