//! That segments of an audit log leave their place, since their time is over: in the store, and in the chain of whichever node serves.
//!
//! The statement that stays in their place names the user. Who that is, the reason and the signature stand here.

use uuid::Uuid;

use super::{Because, By, DecideError, record::What};
use crate::{
    agreements::Store,
    audit::{Subject, retire::Retirement},
    refusal::api::ApiRefusal,
    store::until_it_holds,
    users::{
        Actor,
        rights::{Action, Role},
    },
};

/// The user who would decide it, where that user may.
///
/// # Errors
/// [`DecideError`].
pub async fn who(store: &Store, by: By<'_>, because: &Because) -> Result<Actor, DecideError> {
    let actor = by.who(store, because.at).await?;
    may(&actor)?;
    Ok(actor)
}

/// A log holds the calls of every service, which a user of some of them does not decide on.
fn may(actor: &Actor) -> Result<Role, ApiRefusal> {
    let role = actor.may(Action::RetireAudit)?;
    if actor.scope().is_everything() { Ok(role) } else { Err(ApiRefusal::ApiOtherParty) }
}

/// Decides that the segments of `log` which `statement` names leave. The digest of what the statement says is signed with it.
///
/// # Errors
/// [`DecideError`]; nothing may be removed then.
pub async fn decide(store: &Store, by: By<'_>, log: Uuid, statement: &Retirement, because: &Because) -> Result<(), DecideError> {
    let place = if statement.archive.is_some() { " from the archive" } else { "" };
    let to = format!("retired {}-{}{place}", statement.from, statement.to);
    let what = What { subject: Subject::AuditLog, id: log, from: None, to, shown: Some(statement.digest()) };
    let actor = by.of(store, &what, because).await?;
    let role = may(&actor)?;
    until_it_holds(async || {
        let mut change = store.change().await?;
        change.made_by(Some((&actor, role)), &what, because).await?;
        Ok(change.commit().await?)
    })
    .await
}
