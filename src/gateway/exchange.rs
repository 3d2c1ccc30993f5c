//! What must be in hand before anything is forwarded: a token for the index, and the record of admission on disk.

use std::pin::Pin;
use std::sync::Arc;

use tracing::Instrument;
use uuid::Uuid;

use super::call::{Call, OfCall};
use super::definition::Definition;
use super::step::Check;
use crate::audit::Durable;
use crate::refusal::Refusal;
use crate::services::terminaladgang::ask::Permitted;
use crate::sts::Token;
use crate::sts::cache::TokenCache;
use crate::sts::client::{Https, StsClient};
use crate::work::Work;

/// A call that may be forwarded as soon as it is recorded.
pub struct Authorised {
    grant: Grant,
    recording: Recording,
}

impl Authorised {
    /// What the call may ask, and the record that is on its way to the disk: the message may be made meanwhile, and is not
    /// sent without the proof.
    pub(super) fn part(self) -> (Grant, Recording) {
        (self.grant, self.recording)
    }
}

impl OfCall for Authorised {
    fn call(&self) -> &Call {
        self.grant.call()
    }
}

/// The record of admission on its way to the disk.
pub(super) type Recording = Pin<Box<dyn Future<Output = Result<Durable, Refusal>> + Send>>;

/// What a call may ask, and with which token.
pub struct Grant {
    permitted: Permitted,
    token: Arc<Token>,
    transaction: Uuid,
}

impl Grant {
    /// The call, and what it may ask.
    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }
    /// The gateway's token for the index, for the caller's authority.
    pub fn token(&self) -> &Token {
        &self.token
    }
    /// The gateway's own `TransactionUUID` for this call: what the index's log knows it by.
    pub fn transaction(&self) -> Uuid {
        self.transaction
    }
}

impl OfCall for Grant {
    fn call(&self) -> &Call {
        self.permitted.call()
    }
}

/// The step.
pub struct ExchangeStep {
    /// The service's names.
    pub definition: Arc<Definition>,
    /// The gateway's tokens.
    pub tokens: TokenCache<StsClient<Https>>,
    /// The calls that are worked on.
    pub work: Work,
}

impl Check for ExchangeStep {
    const NAME: &'static str = "exchange";
    type In = Permitted;
    type Out = Authorised;

    async fn check(&self, permitted: Permitted) -> Result<Authorised, Refusal> {
        let authority = permitted.admitted().authenticated().caller().authority().to_string();
        // In the record of admission, so that after a crash a durable record still leads to the entry in the index's log.
        let transaction = Uuid::new_v4();
        permitted.call().note(|record| record.own_transaction = Some(transaction));
        // On its way to the disk from here on. While it is waited for, the call is not worked on.
        let (admission, work) = (permitted.call().admit(), self.work.clone());
        let recording = Box::pin(async move {
            let _away = work.away();
            admission.await
        });
        // A token at hand is there at once; one that is not is waited for by every call that needs it.
        let away = self.work.away();
        let span = tracing::info_span!("exchange", call = %permitted.call().id());
        let token = self.tokens.token(&authority, &self.definition.index_entity_id).instrument(span).await?;
        drop(away);
        Ok(Authorised { grant: Grant { permitted, token, transaction }, recording })
    }
}
