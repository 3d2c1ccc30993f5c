//! The way of a request, on one page.
//!
//! Each step takes what only the step before it can make (private fields, no other constructor), so a step that is left
//! out, or put elsewhere, does not compile:
//!
//! ```text
//! http::Request ─open→ Received ─envelope→ Enveloped ─authenticate→ Authenticated ─persons→ Named ─replay→ Fresh
//!   ─agreement→ Admitted ─request policy→ Permitted ─exchange→ Authorised ─forward→ Answer ─response policy→ Release
//!   ─seal→ http::Response
//! ```
//!
//! A step is given what the step before it made, and nothing earlier. This compiles:
//!
//! ```
//! use hjemmel::gateway::{agreement::{AgreementStep, Admitted}, replay::Fresh, step::Check};
//! async fn ask(step: &AgreementStep, fresh: Fresh) -> Option<Admitted> {
//!     step.check(fresh).await.ok()
//! }
//! ```
//!
//! Without the replay memory it does not:
//!
//! ```compile_fail
//! use hjemmel::gateway::{agreement::{AgreementStep, Admitted}, persons::Named, step::Check};
//! async fn ask(step: &AgreementStep, named: Named) -> Option<Admitted> {
//!     step.check(named).await.ok()
//! }
//! ```
//!
//! Nor without the agreements, nor without the policy, nor without the record of admission:
//!
//! ```compile_fail
//! use hjemmel::{gateway::{replay::Fresh, step::Check}, services::terminaladgang::ask::{Permitted, RequestPolicyStep}};
//! async fn ask(step: &RequestPolicyStep, fresh: Fresh) -> Option<Permitted> {
//!     step.check(fresh).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::{agreement::Admitted, exchange::{Authorised, ExchangeStep}, step::Check};
//! async fn ask(step: &ExchangeStep, admitted: Admitted) -> Option<Authorised> {
//!     step.check(admitted).await.ok()
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::{gateway::{forward::{Answer, Forward}, step::Step}, services::terminaladgang::ask::Permitted};
//! async fn send(step: &Forward, permitted: Permitted) -> Option<Answer> {
//!     step.pass(permitted, ()).await.ok()
//! }
//! ```
//!
//! On the way back, what is answered is a [`answer::Release`], which only a verified Body gives; a filtered answer alone
//! is none, and an unproven caller cannot make the gateway sign:
//!
//! ```
//! use hjemmel::gateway::{answer::Release, reply::{Answered, Proof, Reply}};
//! use hjemmel::saml::Identity;
//! fn answer(reply: Reply, caller: &Identity, released: Release) -> Answered {
//!     reply.with(Some(Proof::of_message(caller))).answer(released)
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
pub mod definition;
pub mod envelope;
pub mod exchange;
pub mod forward;
pub mod open;
pub mod persons;
pub mod replay;
pub mod reply;
pub mod seal;
pub mod step;

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder};

use crate::refusal::Refusal;
use step::{StepLayer, StepService};

/// The steps of one service, ready to be stacked.
pub struct Gateway {
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
    /// Front and back.
    pub agreement: agreement::AgreementStep,
    /// Window, person, criteria.
    pub request_policy: crate::services::terminaladgang::ask::RequestPolicyStep,
    /// Durable record, token for the index.
    pub exchange: exchange::ExchangeStep,
    /// Verify and filter.
    pub response_policy: crate::services::terminaladgang::release::ResponsePolicyStep,
    /// The index.
    pub forward: forward::Forward,
}

impl Gateway {
    /// Stacks the steps. Read it top-down: this is the way of a request, and the reason why each stands where it does.
    pub fn stack<B>(self) -> impl Fn(open::Peer) -> GatewayService<B> + Clone
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Refusal>,
    {
        let stack = ServiceBuilder::new()
            // First of all: from here on every request ends in a record, even an abandoned one.
            .layer(self.open)
            // Around everything that may refuse, for it tells the refusals; inside `open`, which must know the outcome.
            .layer(StepLayer::new(self.seal))
            // One parse, before anyone trusts a byte: everything below looks at the same nodes.
            .layer(StepLayer::new(self.envelope))
            // Before any look-up: what is not proven buys no work in the stores, and no signed fault.
            .layer(StepLayer::new(self.authenticate))
            // Before any other step can refuse: a refused call is found by its person too. After authenticate: an unproven
            // sender must not fill the log with persons.
            .layer(StepLayer::new(self.persons))
            // After authenticate, so that only proven senders fill the memory; before the rest, so that a copy costs nothing.
            .layer(StepLayer::new(self.replay))
            // A proven identity has no access by itself: an agreement on each side gives it.
            .layer(StepLayer::new(self.agreement))
            // After the agreements, which narrow what may be asked; before the token, so that nothing leaves for a request
            // that the law does not bear.
            .layer(StepLayer::new(self.request_policy))
            // The last thing before the wire: the record of admission is on disk, or nothing is forwarded.
            .layer(StepLayer::new(self.exchange))
            // Around forward: what the index answers is verified and filtered before anyone outside sees it.
            .layer(StepLayer::new(self.response_policy))
            .service(StepService::innermost(self.forward));
        move |peer| GatewayService::new(stack.for_peer(peer))
    }
}

/// The stack with its types put away.
pub struct GatewayService<B>(BoxCloneSyncService<Request<B>, Response<Full<Bytes>>, Infallible>);

impl<B> GatewayService<B> {
    fn new<S>(service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self(BoxCloneSyncService::new(service))
    }
}

impl<B> Clone for GatewayService<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> Service<Request<B>> for GatewayService<B> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = step::BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }
    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request)
    }
}
