//! That a store was put back from a copy, and that somebody accepts it as it is: in the store, and in the audit's chain.
//!
//! Whoever holds the store may do so without a certificate: the operators may all be of after the copy, and whoever holds the
//! store could put another there by other means. That it was so is recorded.

use super::{Because, By, DecideError, record::What};
use crate::{
    agreements::Store,
    audit::Subject,
    store::{copies, until_it_holds},
    users::rights::Action,
};

/// Accepts a store that was put back. `by` none: whoever holds it.
///
/// # Errors
/// [`DecideError`].
pub async fn accept(store: &Store, by: Option<By<'_>>, because: &Because) -> Result<(), DecideError> {
    let id = copies::name(store.database()).await?;
    let what = What { subject: Subject::Store, id, from: None, to: "RESTORED".to_owned(), shown: None };
    let proven = match by {
        None => None,
        Some(by) => {
            let actor = by.of(store, &what, because).await?;
            let role = actor.may(Action::AcceptStore)?;
            Some((actor, role))
        }
    };
    let by = proven.as_ref().map(|(actor, role)| (actor, *role));
    // The user and not the name: who that is stands with the user.
    let told = by.map_or("whoever holds the store".to_owned(), |(actor, _)| format!("user {}", actor.user().id));
    until_it_holds(async || {
        let mut change = store.change().await?;
        copies::note(change.transaction(), &told, because.at).await?;
        change.made_by(by, &what, because).await?;
        Ok(change.commit().await?)
    })
    .await
}
