//! The provider's answer: proven to be its own, and by its schema, before anyone outside sees it.

use std::sync::Arc;

use tower::Service;
use uuid::Uuid;

use super::direct::Directed;
use super::judged::{Whole, Withheld};
use super::refusal::ContractRefusal;
use crate::gateway::answer::{AnswerReader, Release};
use crate::gateway::call::OfCall;
use crate::gateway::exchange::Authorised;
use crate::gateway::forward::Answer;
use crate::gateway::step::Step;
use crate::refusal::Refusal;
use crate::services::concerns::{Concern, Concerns, What};
use crate::soap::strict::Limits;

/// Verifies a provider's answer and holds it against the schema.
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

impl AnswerStep {
    async fn released(&self, answer: Answer<Directed>) -> Result<Release, Refusal> {
        let is_fault = answer.is_fault();
        let unjudged = self.answers.read(answer, |directed: &Directed| Whole::of(directed, is_fault, self.largest)).await?;
        match unjudged.judged(&self.limits).await {
            Ok(release) => Ok(release),
            Err(Withheld::Refused(refusal)) => Err(refusal),
            Err(Withheld::Violates { operation, peer, receiver, violations }) => {
                // For the provider's operations: where, and by which rule, never a value.
                tracing::error!(operation = %operation, places = violations.detail().en(), "a provider's answer breaks the schema");
                let (what, service, system) = (What::AnswerRefused, self.service, peer.name.parse().ok());
                self.concerns.note(Concern { what, service, system, receiver });
                Err(ContractRefusal::AnswerViolated.into())
            }
        }
    }
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
        let released = self.released(answer).await;
        call.finish("answer_schema", started);
        released
    }
}
