//! SF1590_A Finans put together: a pass-through service with its rules.

use bytes::Bytes;
use http_body::Body;

use super::judge::RulesStep;
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
    let rules = RulesStep {
        rules: settings.rules.clone(),
        lists: settings.lists.clone(),
        trials: settings.trials.clone(),
        clock: parts.clock.clone(),
    };
    stacked(name, &settings.offered, parts, |front, own| Box::new(stack(front, own, rules)))
}
