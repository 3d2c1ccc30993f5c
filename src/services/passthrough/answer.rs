//! The provider's answer: proven to be its own, and by its schema, before anyone outside sees it.

use std::sync::Arc;

use bytes::Bytes;
use tower::Service;
use uuid::Uuid;

use super::concerns::{Concern, Concerns, What};
use super::direct::Directed;
use super::refusal::ContractRefusal;
use super::side::Bound;
use crate::gateway::answer::{AnswerReader, Proven, Release, Sink};
use crate::gateway::call::OfCall;
use crate::gateway::exchange::{Authorised, Outgoing};
use crate::gateway::forward::Answer;
use crate::gateway::step::Step;
use crate::id::cvr::Cvr;
use crate::peer::Peer;
use crate::refusal::{PeerName, Refusal};
use crate::signature::c14n::{self, Canonicaliser, Exclusive, canonical_bytes};
use crate::soap::document::Document;
use crate::soap::reading::Reading;
use crate::soap::strict::{Limits, Token};

/// The step.
pub struct AnswerStep {
    /// The service, as agreements name it.
    pub service: Uuid,
    /// What the providers' operations are to be told.
    pub concerns: Arc<Concerns>,
    /// How answers are read.
    pub answers: AnswerReader,
    /// The largest answer, in bytes.
    pub largest: usize,
    /// Bounds on the XML of an answer.
    pub limits: Limits,
}

/// The content of Body as it is signed: in exclusive canonical form.
struct Whole {
    canonicaliser: Canonicaliser<Bounded>,
    operation: Bound,
    peer: Arc<Peer>,
    receiver: Cvr,
}

/// Bytes up to a bound; what goes beyond it is not kept.
struct Bounded {
    bytes: Vec<u8>,
    largest: usize,
    over: bool,
}

impl c14n::Sink for Bounded {
    fn write(&mut self, bytes: &[u8]) {
        self.over |= self.bytes.len() + bytes.len() > self.largest;
        if !self.over {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

/// An answer that is the provider's, and not yet judged.
struct Unjudged {
    proven: Proven,
    body: Vec<u8>,
    operation: Bound,
    peer: Arc<Peer>,
    receiver: Cvr,
}

impl Sink for Whole {
    type Out = Unjudged;

    fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal> {
        self.canonicaliser.token(token, read);
        Ok(())
    }

    fn finish(self, proven: Proven) -> Result<Unjudged, Refusal> {
        let Self { canonicaliser, operation, peer, receiver } = self;
        let Bounded { bytes, largest, over } = canonicaliser.into_sink();
        match over {
            true => Err(ContractRefusal::ProviderAnswerTooLarge { limit: largest }.into()),
            false => Ok(Unjudged { proven, body: bytes, operation, peer, receiver }),
        }
    }
}

impl AnswerStep {
    async fn judged(&self, answer: Answer<Directed>) -> Result<Release, Refusal> {
        let sink = |directed: &Directed| Whole {
            canonicaliser: Canonicaliser::new(
                Exclusive::new(),
                Bounded { bytes: Vec::new(), largest: self.largest, over: false },
            ),
            operation: directed.operation().clone(),
            peer: directed.routed().peer().clone(),
            receiver: directed.receiver(),
        };
        let is_fault = answer.is_fault();
        let Unjudged { proven, body, operation, peer, receiver } = self.answers.read(answer, sink).await?;
        let document = Document::parse(Bytes::copy_from_slice(&body), &self.limits)
            .map_err(|_| Refusal::PEER_ANSWER_INVALID.of_peer(&peer.told))?;
        let (document, bound) = (Arc::new(document), &operation);
        if is_fault {
            return fault(proven, document, bound, &peer.told).await;
        }
        let (root, operation) = (document.root().id(), bound.operation().ok_or(Refusal::Internal)?);
        match bound.judge(document, root, &operation.answer).await? {
            Ok(()) => Ok(Release::new(proven, body)),
            Err(violations) => {
                // For the provider's operations: where, and by which rule, never a value.
                tracing::error!(operation = %operation.name, places = violations.detail().en(), "a provider's answer breaks the schema");
                let (service, system, receiver) = (self.service, peer.name.parse().ok(), Some(receiver));
                self.concerns.note(Concern { what: What::AnswerRefused, service, system, receiver });
                Err(ContractRefusal::AnswerViolated.into())
            }
        }
    }
}

/// The fault that the contract declares, by the schema: handed on as the provider's. Of any other nothing is.
async fn fault(proven: Proven, document: Arc<Document>, bound: &Bound, peer: &PeerName) -> Result<Release, Refusal> {
    let operation = bound.operation().ok_or(Refusal::Internal)?;
    let details = document.root().elements().filter(|part| matches!(part.local(), "detail" | "Detail"));
    let elements: Vec<_> = details.flat_map(|detail| detail.elements()).map(|element| element.id()).collect();
    for id in elements {
        let Some(element) = document.element(id) else { continue };
        let declared = operation.faults.iter().find(|fault| element.is(&fault.element.namespace, &fault.element.local));
        let Some(declared) = declared else { continue };
        if bound.judge(document.clone(), id, &declared.element).await?.is_ok() {
            let told = ContractRefusal::ProviderFault { peer: peer.clone(), fault: declared.name.clone() };
            return Ok(Release::fault(proven, told.into(), canonical_bytes(element)));
        }
    }
    Err(Refusal::PEER_FAULT.of_peer(peer))
}

impl<S> Step<S> for AnswerStep
where
    S: Service<Authorised<Directed>, Response = Answer<Directed>, Error = Refusal> + Send + 'static,
    S::Future: Send,
{
    type In = Authorised<Directed>;
    type Out = Release;
    type Error = Refusal;

    async fn pass(&self, authorised: Authorised<Directed>, mut inner: S) -> Result<Release, Refusal> {
        let call = authorised.call().clone();
        let answer = inner.call(authorised).await?;
        let started = call.start();
        let judged = self.judged(answer).await;
        call.finish("answer_schema", started);
        judged
    }
}
