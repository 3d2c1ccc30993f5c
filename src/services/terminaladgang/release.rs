//! What the answer may contain: filtered object by object while its signature is verified ([`crate::gateway::answer`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::Service;

use super::ask::Judged;
use crate::audit::Record;
use crate::gateway::answer::{Release, Sink, Verifier};
use crate::gateway::call::{Call, OfCall};
use crate::gateway::exchange::Authorised;
use crate::gateway::forward::Answer;
use crate::gateway::step::Step;
use crate::id::cvr::Cvr;
use crate::refusal::Refusal;
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::law::release::{Ask, Counts, Filter, Limits as ReleaseLimits};
use crate::signature::verify::VerifiedBody;
use crate::soap::reading::Reading;
use crate::soap::stream::StreamError;
use crate::soap::strict::Token;

/// The step.
#[derive(Clone)]
pub struct ResponsePolicyStep {
    /// Whose answers are taken.
    pub verifier: Verifier,
    /// Bounds on what is held: one object, and what is released, in bytes.
    pub release: ReleaseLimits,
}

/// The release filter of one call. What it decided is written into the call's record.
struct Filtering {
    filter: Filter,
    call: Call,
}

impl Sink for Filtering {
    #[inline]
    fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal> {
        self.filter.feed(token, read)
    }

    fn finish(self, verified: VerifiedBody) -> Result<Release, Refusal> {
        let mut filtered = self.filter.finish()?;
        let counts = filtered.take_counts();
        self.call.note(|record| note(record, counts));
        Ok(Release::new(verified, filtered.into_body()))
    }
}

impl ResponsePolicyStep {
    async fn filter(&self, answer: Answer) -> Result<Release, Refusal> {
        let Answer { grant, message_id, body, deadline, allowed, pass, .. } = answer;
        let permitted = grant.permitted();
        let ask = ask(permitted.judged(), permitted.policy(), permitted.admitted().owners(), self.release);
        let filter = Filter::new(permitted.policy().release().clone(), ask);
        let read = self.verifier.read(body, &message_id, Filtering { filter, call: grant.call().clone() }).await;
        // An index that answers nonsense or breaks off is a failing index; a refusal of ours is not its fault.
        let late = tokio::time::Instant::now() >= deadline;
        let outcome = read.map_err(|error| match error {
            StreamError::Connection if late => Refusal::PeerTimeout { seconds: allowed.as_secs() },
            StreamError::Connection => Refusal::PeerUnavailable,
            StreamError::Content(refusal) => as_ours(refusal),
        });
        match &outcome {
            Err(
                Refusal::PeerTimeout { .. }
                | Refusal::PeerUnavailable
                | Refusal::PeerAnswerInvalid
                | Refusal::PeerSignatureInvalid,
            ) => pass.failed(std::time::Instant::now()),
            _ => pass.succeeded(),
        }
        outcome
    }
}

/// The caller must not be told that *its* message is malformed when it is the index's.
fn as_ours(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::PeerFault | Refusal::PeerSignatureInvalid | Refusal::Service(_) | Refusal::Internal => refusal,
        Refusal::SignatureInvalid { .. }
        | Refusal::DigestMismatch { .. }
        | Refusal::SignatureCoverage { .. }
        | Refusal::SignatureAlgorithm { .. }
        | Refusal::SecurityStructure { .. }
        | Refusal::DuplicateId
        | Refusal::TimestampOutside { .. } => Refusal::PeerSignatureInvalid,
        _ => Refusal::PeerAnswerInvalid,
    }
}

/// What the answer is judged by, as it follows from the request and the agreements.
pub fn ask(judged: &Judged, policy: &Policy, owners: &BTreeMap<Cvr, String>, limits: ReleaseLimits) -> Ask {
    let search = &judged.search;
    let cvrs = owners.keys().map(ToString::to_string).collect();
    Ask {
        person: search.person().clone(),
        window: *search.window(),
        counterpart: cvrs,
        names: Arc::new(owners.iter().map(|(cvr, name)| (cvr.to_string(), name.clone())).collect()),
        kle: judged.kle.clone(),
        sensitivity: judged.sensitivity.clone(),
        asked: search.asked(),
        naive: policy.request().naive,
        limits,
        decisions: false,
    }
}

fn note(record: &mut Record, counts: Counts) {
    if counts.objects_released > 0 {
        record.released.objects.insert("released".to_owned(), counts.objects_released);
    }
    record.released.fields = counts.fields_released;
    record.removed.objects = counts.objects_removed;
    record.removed.fields = counts.fields_removed;
}

impl<S> Step<S> for ResponsePolicyStep
where
    S: Service<Authorised, Response = Answer, Error = Refusal> + Send + 'static,
    S::Future: Send,
{
    type In = Authorised;
    type Out = Release;
    type Error = Refusal;

    async fn pass(&self, authorised: Authorised, mut inner: S) -> Result<Release, Refusal> {
        let call = authorised.call().clone();
        let answer = inner.call(authorised).await?;
        let started = call.start();
        let released = self.filter(answer).await;
        call.finish("response_policy", started);
        released
    }
}
