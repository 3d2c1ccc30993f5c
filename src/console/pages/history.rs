//! Who decided what on one thing, as a page shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::audit::Subject;
use crate::console::Console;
use crate::console::frame::Frame;
use crate::console::stop::Stop;
use crate::decisions::record::Made;

/// A decision that was made.
pub struct Past {
    /// What it led to.
    pub to: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// The decisions on one thing, the oldest first.
///
/// # Errors
/// A store that does not answer.
pub async fn past(console: &Console, frame: &Frame, subject: Subject, id: Uuid) -> Result<Vec<Past>, Stop> {
    let made = console.store.made_on(subject, id).await?;
    let mut names = BTreeMap::new();
    for user in made.iter().flat_map(Made::users) {
        if let std::collections::btree_map::Entry::Vacant(place) = names.entry(user) {
            place.insert(console.store.user(user).await.map_or_else(|_| user.to_string(), |user| user.name));
        }
    }
    let at_the_store = || frame.t("Driften, ved lageret", "The operators, at the store").to_owned();
    let past = made.into_iter().map(|made| Past {
        by: made.by(|user| names.get(&user).cloned()).unwrap_or_else(at_the_store),
        to: made.what.to,
        at: made.because.at,
        reason: made.because.reason,
    });
    Ok(past.collect())
}
