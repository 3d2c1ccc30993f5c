//! Decisions on what a service keeps itself: value lists, who gets them, and times for tests. What is written is the service's own.

use uuid::Uuid;

use super::{Because, By, DecideError, record::What};
use crate::{
    agreements::{Change, Store},
    id::cvr::Cvr,
    refusal::api::ApiRefusal,
    users::{Actor, Whose, rights::Action},
};

/// For whom something is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// For all: only the gateway's operators may.
    All,
    /// What is an authority's own: only that authority may.
    Own(Cvr),
    /// For an authority, by itself or by the gateway's operators.
    Either(Cvr),
}

impl For {
    fn is_for(self, actor: &Actor, service: Uuid) -> bool {
        let scope = actor.scope();
        let whose = match (self, scope.whose) {
            (For::All | For::Either(_), Whose::Everybody) => true,
            (For::Own(authority) | For::Either(authority), Whose::Authority(own)) => own == authority,
            _ => false,
        };
        whose && (scope.services.is_empty() || scope.services.contains(&service))
    }
}

/// What is decided, and by what right.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// What.
    pub what: What,
    /// The action that it is.
    pub action: Action,
    /// For whom.
    pub whose: For,
    /// The service.
    pub service: Uuid,
    /// Why, and when.
    pub because: &'a Because,
}

/// Decides: `write` writes what is decided, and who decided stands beside it, both or neither.
///
/// # Errors
/// [`DecideError`]: a user who may not, what is another's; and those of `write`.
pub async fn decide<T, E: From<DecideError>>(
    store: &Store,
    by: By<'_>,
    decision: Decision<'_>,
    write: impl AsyncFnOnce(&mut Change) -> Result<T, E>,
) -> Result<T, E> {
    let Decision { what, action, whose, service, because } = decision;
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(action).map_err(DecideError::from)?;
    if !whose.is_for(&actor, service) {
        return Err(DecideError::from(ApiRefusal::ApiOtherParty).into());
    }
    let mut change = store.change().await.map_err(DecideError::from)?;
    let done = write(&mut change).await?;
    change.made_by(Some((&actor, role)), &what, because).await.map_err(DecideError::from)?;
    change.commit().await.map_err(DecideError::from)?;
    Ok(done)
}
