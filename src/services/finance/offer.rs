//! SF1590_A Finans put together: a pass-through service with its rules.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;

use super::judge::RulesStep;
use super::lists::{Held, Source};
use super::memory::Pace;
use super::rules::mode::Rules;
use super::settings::Settings;
use super::stack;
use super::trials::Trials;
use crate::refusal::Refusal;
use crate::services::parts::{OfferError, Offered, Parts};
use crate::services::passthrough::offer::stacked;

/// How often a test asks whether anything of the store is another.
const OFTEN: Duration = Duration::from_millis(500);

/// Puts it together.
///
/// # Errors
/// [`OfferError`].
pub fn assemble<B>(name: &str, settings: &Settings, parts: &Parts<'_>) -> Result<Offered<B>, OfferError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Refusal>,
{
    let rules = |deliveries| RulesStep {
        deliveries,
        rules: tested(settings, parts),
        lists: held(settings, parts),
        trials: trials(settings, parts),
        clock: parts.clock.clone(),
    };
    stacked(name, &settings.offered, parts, |front, own| {
        let rules = rules(own.deliveries.clone());
        Box::new(stack(front, own, rules))
    })
}

/// What each rule does here.
pub(super) fn tested(settings: &Settings, parts: &Parts<'_>) -> Arc<Rules> {
    Arc::new(settings.rules.of_tests(parts.config.test_numbers.as_ref()))
}

/// The value lists as calls ask for them. Those of the store are read now, so that no call waits for them.
pub(super) fn held(settings: &Settings, parts: &Parts<'_>) -> Held {
    match &settings.lists {
        Source::None => Held::None,
        Source::Folder(lists) => Held::Fixed(lists.clone()),
        Source::Store => {
            let memory = parts.kept.sortimenter.of(settings.offered.offer.service_uuid, parts.agreements.store(), pace(parts));
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                let memory = memory.clone();
                // What it fails for is logged there, and asked for again by the first call.
                runtime.spawn(async move { memory.now().await.map(drop) });
            }
            Held::Stored(memory)
        }
    }
}

/// When tests are taken. Only tests ask, so that the store is not read before the first of them; and for a test it is asked often
/// enough that one that was ended is refused within a second, whether the store notifies of changes or not.
pub(super) fn trials(settings: &Settings, parts: &Parts<'_>) -> Trials {
    let pace = pace(parts);
    let pace = Pace { refresh: pace.refresh.min(OFTEN), ..pace };
    let kept = parts.kept.trials.of(settings.offered.offer.service_uuid, parts.agreements.store(), pace);
    Trials { said: settings.trials.clone(), kept }
}

fn pace(parts: &Parts<'_>) -> Pace {
    let agreements = &parts.config.agreements;
    Pace { refresh: agreements.cache_ttl, staleness: agreements.max_staleness }
}
