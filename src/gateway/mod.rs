//! The steps that services share. Each service stacks them on a page of its own, with steps of its own between them.
//!
//! Each step takes what only the step before it can make (private fields, no other constructor), so a step that is left
//! out, or put elsewhere, does not compile:
//!
//! ```text
//! http::Request ─open→ Received ─envelope→ Enveloped ─authenticate→ Authenticated ─persons→ Named ─replay→ Fresh
//!   ─agreement→ Admitted … the service's own judgement, which ends in an Outgoing with its proof Routed …
//!   ─exchange→ Authorised ─forward→ Answer … the service's own Sink, which is given Proven … → Release ─seal→ http::Response
//! ```
//!
//! A step is given what the step before it made, and nothing earlier. Below, what compiles stands before the same without one step, which does
//! not. Without the caller's proof:
//!
//! ```
//! # use hjemmel::gateway::envelope::Enveloped; // so that below it is not the name that fails
//! use hjemmel::gateway::{authenticate::Authenticated, persons::{Named, PersonsStep}, step::Check};
//! async fn name(step: &PersonsStep, authenticated: Authenticated) -> Option<Named> {
//!     step.check(authenticated).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{envelope::Enveloped, persons::{Named, PersonsStep}, step::Check};
//! async fn name(step: &PersonsStep, enveloped: Enveloped) -> Option<Named> {
//!     step.check(enveloped).await.ok()
//! }
//! ```
//!
//! Without the persons in the record:
//!
//! ```
//! use hjemmel::gateway::{persons::Named, replay::{Fresh, Replay}, step::Check};
//! async fn once(step: &Replay, named: Named) -> Option<Fresh> {
//!     step.check(named).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{authenticate::Authenticated, replay::{Fresh, Replay}, step::Check};
//! async fn once(step: &Replay, authenticated: Authenticated) -> Option<Fresh> {
//!     step.check(authenticated).await.ok()
//! }
//! ```
//!
//! Without the replay memory:
//!
//! ```
//! use hjemmel::gateway::{agreement::{AgreementStep, Admitted}, replay::Fresh, step::Check};
//! async fn ask(step: &AgreementStep, fresh: Fresh) -> Option<Admitted> {
//!     step.check(fresh).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{agreement::{AgreementStep, Admitted}, persons::Named, step::Check};
//! async fn ask(step: &AgreementStep, named: Named) -> Option<Admitted> {
//!     step.check(named).await.ok()
//! }
//! ```
//!
//! Without the agreement in front:
//!
//! ```
//! use hjemmel::{gateway::{agreement::Admitted, route::{BackAgreements, Routed}}, peer::Peer};
//! async fn route(back: &BackAgreements, admitted: Admitted, peer: &std::sync::Arc<Peer>) -> Option<Routed> {
//!     back.route(&admitted, peer).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::{gateway::{replay::Fresh, route::{BackAgreements, Routed}}, peer::Peer};
//! async fn route(back: &BackAgreements, fresh: Fresh, peer: &std::sync::Arc<Peer>) -> Option<Routed> {
//!     back.route(&fresh, peer).await.ok()
//! }
//! ```
//!
//! Without the record of admission:
//!
//! ```
//! use hjemmel::gateway::{exchange::{Authorised, Outgoing}, forward::{Answer, Forward}, step::Step};
//! async fn send<P: Outgoing>(step: &Forward<P>, authorised: Authorised<P>) -> Option<Answer<P>> {
//!     step.pass(authorised, ()).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{exchange::Outgoing, forward::{Answer, Forward}, step::Step};
//! async fn send<P: Outgoing>(step: &Forward<P>, outgoing: P) -> Option<Answer<P>> {
//!     step.pass(outgoing, ()).await.ok()
//! }
//! ```
//!
//! On the way back, what is answered is a [`answer::Release`], which only a proven Body gives; a peer's answer that nothing
//! read is none, and an unproven caller cannot make the gateway sign:
//!
//! ```
//! # use hjemmel::gateway::exchange::Outgoing; // as above
//! # use hjemmel::gateway::forward::Answer;
//! use hjemmel::gateway::{answer::Release, reply::{Answered, Proof, Reply}};
//! use hjemmel::saml::Identity;
//! fn answer(reply: Reply, caller: &Identity, released: Release) -> Answered {
//!     reply.with(Some(Proof::of_message(caller))).answer(released)
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{exchange::Outgoing, forward::Answer, reply::{Answered, Proof, Reply}};
//! use hjemmel::saml::Identity;
//! fn answer<P: Outgoing>(reply: Reply, caller: &Identity, answer: Answer<P>) -> Answered {
//!     reply.with(Some(Proof::of_message(caller))).answer(answer)
//! }
//! ```
//!
//! A service that answers itself needs the agreement and the record of admission instead:
//!
//! ```
//! use hjemmel::{audit::Durable, gateway::{agreement::Admitted, answer::Release}};
//! fn answer(admitted: &Admitted, recorded: &Durable, body: Vec<u8>) -> Release {
//!     Release::own(admitted.agreed(), recorded, body)
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::{audit::Durable, gateway::{replay::Fresh, answer::Release}};
//! fn answer(fresh: &Fresh, recorded: &Durable, body: Vec<u8>) -> Release {
//!     Release::own(fresh.agreed(), recorded, body)
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::reply::{Proof, Reply};
//! fn signed(reply: Reply) -> Reply {
//!     reply.with(Some(Proof { signed: true }))
//! }
//! ```

pub mod agreement;
pub mod answer;
pub mod authenticate;
pub mod call;
pub mod context;
pub mod definition;
pub mod envelope;
pub mod exchange;
pub mod forward;
pub mod open;
pub mod persons;
pub mod replay;
pub mod reply;
pub mod route;
pub mod seal;
pub mod step;

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::util::BoxCloneSyncService;

/// The steps that every service begins with, in the order of its page.
pub struct Front {
    /// Call id and audit record.
    pub open: open::OpenLayer,
    /// Answers and faults.
    pub seal: seal::SealStep,
    /// HTTP headers, XML, SOAP, operation.
    pub envelope: envelope::EnvelopeStep,
    /// Token, or mutual TLS.
    pub authenticate: authenticate::AuthenticateStep,
    /// Everybody named, sealed.
    pub persons: persons::PersonsStep,
    /// Seen before?
    pub replay: replay::Replay,
    /// The agreement in front.
    pub agreement: agreement::AgreementStep,
}

/// The stack with its types put away.
pub type GatewayService<B> = BoxCloneSyncService<Request<B>, Response<Full<Bytes>>, Infallible>;
