//! Decisions on what a service keeps itself: value lists, who gets them, and times for tests. What is written is the service's own.

use uuid::Uuid;

use super::{Because, By, DecideError, Kept, record::What};
use crate::{
    agreements::{Change, Store},
    id::cvr::Cvr,
    refusal::api::ApiRefusal,
    users::{
        Actor, User, Whose,
        rights::{Action, Role},
    },
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
    /// For one of these authorities or companies, by itself or by the gateway's operators.
    OneOf([Cvr; 2]),
}

impl For {
    /// Whether a user decides it for them.
    pub fn is_for(self, actor: &Actor, service: Uuid) -> bool {
        let scope = actor.scope();
        let whose = match (self, scope.whose) {
            (For::All | For::Either(_) | For::OneOf(_), Whose::Everybody) => true,
            (For::Own(authority) | For::Either(authority), Whose::Authority(own)) => own == authority,
            (For::OneOf(parties), Whose::Authority(own) | Whose::Supplier(own)) => parties.contains(&own),
            _ => false,
        };
        whose && (scope.services.is_empty() || scope.services.contains(&service))
    }
}

/// What is decided, and by what right.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Decision<'a> {
    pub what: What,
    pub action: Action,
    /// For whom.
    pub whose: For,
    pub service: Uuid,
    /// Why, and when.
    pub because: &'a Because,
}

impl<'a> Decision<'a> {
    /// Begins it, where the user may: what is decided is written to [`Deciding::change`], and who decided stands beside it, both
    /// or neither.
    ///
    /// # Errors
    /// [`DecideError`]: a user who may not, what is another's.
    pub async fn begin(self, store: &Store, by: By<'a>) -> Result<Deciding<'a>, DecideError> {
        let actor = by.of(store, &self.what, self.because).await?;
        let role = actor.may(self.action)?;
        if !self.whose.is_for(&actor, self.service) {
            return Err(ApiRefusal::ApiOtherParty.into());
        }
        Ok(Deciding { change: store.change().await?, by, actor, role, decision: self, also: Vec::new() })
    }
}

/// A decision that is under way. Dropped, it leaves nothing.
pub struct Deciding<'a> {
    /// What is decided is written here.
    pub change: Change,
    by: By<'a>,
    actor: Actor,
    role: Role,
    decision: Decision<'a>,
    also: Vec<(Actor, What)>,
}

impl Deciding<'_> {
    /// The user who decides.
    pub fn user(&self) -> &User {
        self.actor.user()
    }

    /// The same with whom it stands for.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What follows from it on something else, which the same person signs too.
    ///
    /// # Errors
    /// [`DecideError::Sign`].
    pub fn also(&mut self, what: What) -> Result<(), DecideError> {
        let actor = self.by.also(&self.actor, &what, self.decision.because)?;
        self.also.push((actor, what));
        Ok(())
    }

    /// Keeps what was written, with who decided, and the answer of whoever sent an Idempotency-Key.
    ///
    /// # Errors
    /// [`DecideError`]; nothing is kept then.
    pub async fn keep<T>(mut self, kept: Option<Kept<'_, T>>, done: &T) -> Result<(), DecideError> {
        let because = self.decision.because;
        self.change.made_by(Some((&self.actor, self.role)), &self.decision.what, because).await?;
        for (actor, what) in &self.also {
            self.change.made_by(Some((actor, self.role)), what, because).await?;
        }
        self.leave(kept, done).await
    }

    /// Keeps the answer alone, where it was so already.
    ///
    /// # Errors
    /// [`DecideError`].
    pub async fn leave<T>(mut self, kept: Option<Kept<'_, T>>, done: &T) -> Result<(), DecideError> {
        Kept::keep(kept, &mut self.change, done).await?;
        Ok(self.change.commit().await?)
    }
}
