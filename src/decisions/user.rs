//! Decisions on users: to add one, and to end one.
//!
//! Whoever holds the store may do both without a certificate, as the first user has to come from somewhere, and whoever holds
//! the store could write to it by other means. That it was so is recorded.

use uuid::Uuid;

use super::{Because, By, DecideError, record::What, shown};
use crate::{
    agreements::Store,
    audit::Subject,
    signature::key::Certificate,
    users::{User, rights::Action},
};

/// What a user is, a line each. The name is left out: the digest must not tell who it is to whoever guesses names.
fn text(user: &User) -> String {
    let texts = |items: Vec<String>| items.join(" ");
    format!(
        "user: {}\nkind: {}\nparty: {}\nroles: {}\nservices: {}\ncertificates: {}\n",
        user.id,
        user.kind,
        user.party.map_or("-".to_owned(), |cvr| cvr.to_string()),
        texts(user.roles.iter().map(ToString::to_string).collect()),
        texts(user.services.iter().map(ToString::to_string).collect()),
        texts(user.certificates.iter().map(ToString::to_string).collect()),
    )
}

fn what(user: &User, from: Option<&str>, to: &str) -> What {
    let shown = Some(shown::sha256(&text(user)));
    What { subject: Subject::User, id: user.id, from: from.map(str::to_owned), to: to.to_owned(), shown }
}

/// Adds a user. `by` none: whoever holds the store.
///
/// # Errors
/// [`DecideError`].
pub async fn add(
    store: &Store,
    by: Option<By<'_>>,
    user: &User,
    certificates: &[Certificate],
    because: &Because,
) -> Result<(), DecideError> {
    let what = what(user, None, "added");
    let proven = match by {
        Some(by) => {
            let actor = by.of(store, &what, because).await?;
            let role = actor.may(Action::ManageUsers)?;
            Some((actor, role))
        }
        None => None,
    };
    let mut change = store.change().await?;
    change.add_user(user, certificates).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    Ok(change.commit().await?)
}

/// Ends a user from now on.
///
/// # Errors
/// [`DecideError`].
pub async fn end(store: &Store, by: Option<By<'_>>, id: Uuid, because: &Because) -> Result<User, DecideError> {
    let what = what(&store.user(id).await?, Some("added"), "ended");
    let proven = match by {
        Some(by) => {
            let actor = by.of(store, &what, because).await?;
            let role = actor.may(Action::ManageUsers)?;
            Some((actor, role))
        }
        None => None,
    };
    let mut change = store.change().await?;
    let user = change.end_user(id, because.at).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    change.commit().await?;
    Ok(user)
}
