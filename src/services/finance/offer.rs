//! SF1590_A Finans put together: a pass-through service with its rules.

use bytes::Bytes;
use http_body::Body;

use super::judge::RulesStep;
use super::lists::memory::Pace;
use super::lists::{Held, Source};
use super::settings::Settings;
use super::stack;
use crate::refusal::Refusal;
use crate::services::parts::{OfferError, Offered, Parts};
use crate::services::passthrough::offer::stacked;

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
        rules: settings.rules.clone(),
        lists: held(settings, parts),
        trials: settings.trials.clone(),
        clock: parts.clock.clone(),
    };
    stacked(name, &settings.offered, parts, |front, own| {
        let rules = rules(own.deliveries.clone());
        Box::new(stack(front, own, rules))
    })
}

/// The value lists as calls ask for them. Those of the store are read now, so that no call waits for them.
fn held(settings: &Settings, parts: &Parts<'_>) -> Held {
    match &settings.lists {
        Source::None => Held::None,
        Source::Folder(lists) => Held::Fixed(lists.clone()),
        Source::Store => {
            let agreements = &parts.config.agreements;
            let pace = Pace { refresh: agreements.cache_ttl, staleness: agreements.max_staleness };
            let memory = parts.sortimenter.of(settings.offered.offer.service_uuid, parts.agreements.store(), pace);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                let memory = memory.clone();
                // What it fails for is logged there, and asked for again by the first call.
                runtime.spawn(async move { memory.now().await.map(drop) });
            }
            Held::Stored(memory)
        }
    }
}
