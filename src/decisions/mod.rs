//! Decisions on agreements, routes, users and what services keep: what the API and the command line both do.
//!
//! Each checks that the user may ([`crate::users::rights`]) and that what is decided on is as it was shown ([`shown`]), and is
//! written in one transaction with the proof of who made it ([`record`]). A serving node then puts it in its audit chain
//! ([`outbox`]).

pub mod agreement;
mod along;
pub mod approval;
pub mod closing;
pub mod delegation;
pub mod ending;
pub mod endpoint;
mod ends;
pub mod life;
pub mod outbox;
pub mod record;
pub mod request;
pub mod restored;
pub mod retired;
pub mod route;
pub mod service;
pub mod shown;
pub mod statement;
mod suspension;
pub mod system;
pub mod user;
mod versions;

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    agreements::{AgreementError, Change, Store, request::names_a_person, route::store::RouteError},
    refusal::{Detail, api::ApiRefusal},
    store::{StoreError, value::to_microsecond},
    users::{
        Actor,
        keys::Key,
        store::{ActorError, UserError},
    },
};
use record::What;
use statement::{SignError, Signer};

/// Of two that come in together with one id, it would be open which was decided on.
fn each_once(ids: impl Iterator<Item = Uuid>) -> Result<(), ApiRefusal> {
    let mut seen = BTreeSet::new();
    match { ids }.find(|id| !seen.insert(*id)) {
        None => Ok(()),
        Some(id) => Err(ApiRefusal::ApiConflict {
            what: Detail::new(format!("id'et {id} står to gange"), format!("the id {id} stands twice")),
        }),
    }
}

/// Why something was not decided. Nothing was written, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] ApiRefusal),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key and certificate of whoever decides.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The agreements cannot be so.
    #[error(transparent)]
    Agreement(AgreementError),
    /// The routes cannot be so.
    #[error(transparent)]
    Route(RouteError),
    /// The user cannot be so.
    #[error(transparent)]
    User(UserError),
}

impl From<ActorError> for DecideError {
    fn from(error: ActorError) -> Self {
        match error {
            ActorError::Refused(refusal) => Self::Refused(refusal),
            ActorError::Store(error) => Self::Store(error),
        }
    }
}

impl From<AgreementError> for DecideError {
    fn from(error: AgreementError) -> Self {
        match error {
            AgreementError::Store(error) => Self::Store(error),
            error => Self::Agreement(error),
        }
    }
}

impl From<RouteError> for DecideError {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::Store(error) => Self::Store(error),
            error => Self::Route(error),
        }
    }
}

impl From<UserError> for DecideError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Store(error) => Self::Store(error),
            error => Self::User(error),
        }
    }
}

/// Why, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// Why, in a sentence. It stands in the store; the audit's chain has its digest.
    pub reason: String,
    /// When, to the microsecond, as the store keeps it.
    pub at: Timestamp,
}

impl Because {
    /// Why, now.
    pub fn new(reason: String, now: Timestamp) -> Self {
        Self { reason, at: to_microsecond(now) }
    }
}

/// What a request with an Idempotency-Key is answered, kept in the transaction of what it does: the one is there exactly when
/// the other is.
pub struct Kept<'a, T> {
    /// The key.
    pub key: &'a Key,
    /// The answer, of what was done.
    pub answer: &'a (dyn Fn(&T) -> Result<String, ApiRefusal> + Send + Sync),
}

impl<T> Clone for Kept<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Kept<'_, T> {}

impl<T> Kept<'_, T> {
    pub(crate) async fn keep(kept: Option<Kept<'_, T>>, change: &mut Change, done: &T) -> Result<(), DecideError> {
        let Some(Kept { key, answer }) = kept else { return Ok(()) };
        match change.keep_answer(key, &answer(done)?).await? {
            true => Ok(()),
            // Another request with the key was answered meanwhile, or is under way on a node of the release before.
            false => Err(ApiRefusal::ApiKeyPending.into()),
        }
    }
}

/// By whom something is decided.
#[derive(Clone, Copy)]
pub enum By<'a> {
    /// A user whom TLS has proven.
    User(&'a Actor),
    /// The user to whom this key belongs: it signs what is decided.
    Key(&'a Signer),
}

impl By<'_> {
    /// The user who decides `what`. A reason is shown to many, and mailed: it names no person by number.
    pub(crate) async fn of(self, store: &Store, what: &What, because: &Because) -> Result<Actor, DecideError> {
        if names_a_person(&because.reason) {
            let what = Detail::new("det indeholder noget, der ligner et CPR-nummer", "it holds what looks like a CPR number");
            return Err(ApiRefusal::ApiFieldInvalid { field: "reason".to_owned(), what }.into());
        }
        match self {
            By::User(actor) => Ok(actor.clone()),
            By::Key(signer) => signer.sign(store, what, because).await,
        }
    }

    /// The same user, who also decides what follows from it, and signs that too.
    pub(crate) fn also(self, actor: &Actor, what: &What, because: &Because) -> Result<Actor, DecideError> {
        match self {
            By::User(_) => Ok(actor.clone()),
            By::Key(signer) => Ok(actor.signing(signer.signature(what, because, actor.by_delegation())?)),
        }
    }

    /// The user, where nothing is decided yet.
    pub(crate) async fn who(self, store: &Store, now: Timestamp) -> Result<Actor, DecideError> {
        match self {
            By::User(actor) => Ok(actor.clone()),
            By::Key(signer) => Ok(signer.actor(store, now).await?),
        }
    }
}
