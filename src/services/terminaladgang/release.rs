//! What the answer may contain: filtered object by object while its signature is verified ([`crate::gateway::answer`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::Service;

use super::ask::{Judged, Permitted};
use crate::audit::AboutTerminalAdgang;
use crate::gateway::answer::{AnswerReader, Proven, Release, Sink};
use crate::gateway::call::{Call, OfCall};
use crate::gateway::exchange::Authorised;
use crate::gateway::forward::Answer;
use crate::gateway::step::Step;
use crate::id::cvr::Cvr;
use crate::refusal::Refusal;
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::law::release::{Ask, Counts, Filter, Limits as ReleaseLimits};
use crate::soap::reading::Reading;
use crate::soap::strict::Token;

/// The step.
#[derive(Clone)]
pub struct ReleaseStep {
    /// How answers are read.
    pub answers: AnswerReader,
    /// Bounds on what is held: one object, and what is released, in bytes.
    pub limits: ReleaseLimits,
}

/// The release filter of one call. What it decided is written into the call's record.
struct Filtering {
    filter: Filter,
    call: Call,
}

impl Sink for Filtering {
    type Out = Release;

    #[inline]
    fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal> {
        self.filter.feed(token, read).map_err(as_ours)
    }

    fn finish(self, proven: Proven) -> Result<Release, Refusal> {
        let mut filtered = self.filter.finish().map_err(as_ours)?;
        let counts = filtered.take_counts();
        self.call.note(|record| {
            if let Some(about) = record.about.terminaladgang_mut() {
                note(about, counts);
            }
        });
        Ok(Release::new(proven, filtered.into_body()))
    }
}

/// The caller must not be told that *its* message is malformed when it is the index's.
fn as_ours(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::PeerFault { .. } | Refusal::AnswerTooLarge { .. } | Refusal::Service(_) | Refusal::Internal => refusal,
        _ => Refusal::PEER_ANSWER_INVALID,
    }
}

impl ReleaseStep {
    fn sink(&self, permitted: &Permitted) -> Filtering {
        let ask = ask(permitted.judged(), permitted.policy(), permitted.owned().owners(), self.limits);
        Filtering { filter: Filter::new(permitted.policy().release().clone(), ask), call: permitted.call().clone() }
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

fn note(about: &mut AboutTerminalAdgang, counts: Counts) {
    if counts.objects_released > 0 {
        about.released.objects.insert("released".to_owned(), counts.objects_released);
    }
    about.released.fields = counts.fields_released;
    about.removed.objects = counts.objects_removed;
    about.removed.fields = counts.fields_removed;
    about.removed.places = counts.places_removed;
}

impl<S> Step<S> for ReleaseStep
where
    S: Service<Authorised<Permitted>, Response = Answer<Permitted>, Error = Refusal> + Send + 'static,
    S::Future: Send,
{
    type In = Authorised<Permitted>;
    type Out = Release;
    type Error = Refusal;

    async fn pass(&self, authorised: Authorised<Permitted>, mut inner: S) -> Result<Release, Refusal> {
        let call = authorised.call().clone();
        let answer = inner.call(authorised).await?;
        let started = call.start();
        let released = self.answers.read(answer, |permitted| self.sink(permitted)).await;
        call.finish("response_policy", started);
        released
    }
}
