//! Person import (Campus): an institution's HR system creates and maintains its users in the learning platform, and each person is
//! answered by itself.
//!
//! The service answers itself: nothing is forwarded while the caller waits, and no agreement behind it is asked for. What is to be handed
//! on is written down with the persons ([`crate::persons`]). The way of a call, on one page:
//!
//! ```text
//! http::Request ─open→ Received ─envelope→ Enveloped ─authenticate→ Authenticated ─persons→ Named ─replay→ Fresh
//!   ─agreement→ Admitted ─ask→ Asked ─import→ Release ─seal→ http::Response
//! ```
//!
//! - [`door`] is what every door goes through, SOAP, REST and files: the agreement's terms, the record of admission on disk, then the
//!   import. [`ask`] and [`import`] are that on the way of a call; [`file`](mod@file) for files of the InfRef `PersonImport_1`;
//!   `crate::api::persons` for `POST /api/v1/persons`.
//! - [`contract`] has WSDL and XSD, and [`names`] their names; [`offer`] puts the service together; [`settings`] reads `[service.NAME]`.

pub mod ask;
pub mod campus;
pub mod contract;
pub mod door;
pub mod file;
pub mod import;
pub mod key;
pub mod keys;
pub mod names;
pub mod offer;
pub mod refusal;
pub mod scope;
pub mod settings;

use bytes::Bytes;
use http_body::Body;
use tower::ServiceBuilder;

use crate::gateway::open::Client;
use crate::gateway::step::{StepLayer, StepService};
use crate::gateway::{Front, GatewayService};
use crate::refusal::Refusal;
use ask::AskStep;
use import::ImportStep;

/// Stacks the steps. Read it top-down: this is the way of a request, and the reason why each stands where it does.
pub fn stack<B>(front: Front, ask: AskStep, import: ImportStep) -> impl Fn(Client) -> GatewayService<B> + Clone
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
        // Seals nobody here: a sealed CPR number would be a way back to it. The running numbers are sealed once they are known.
        .layer(StepLayer::new(front.persons))
        // After authenticate, so that only proven senders fill the memory; before the rest, so that a copy costs nothing.
        .layer(StepLayer::new(front.replay))
        // A proven identity has no access by itself: an agreement gives it.
        .layer(StepLayer::new(front.agreement))
        // After the agreement, whose terms say which institutions; what is no import ends here, and nothing of it was kept.
        .layer(StepLayer::new(ask))
        // Innermost: the record of admission is on disk, and then each person is judged, kept and answered.
        .service(StepService::innermost(import));
    move |client| GatewayService::new(stack.for_client(client))
}
