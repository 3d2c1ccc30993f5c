//! What must be in hand before anything is forwarded: a token for the peer, where it takes one, and the record of admission
//! on disk.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use tracing::Instrument;
use uuid::Uuid;

use super::call::{Call, OfCall};
use super::route::Routed;
use super::step::Check;
use crate::audit::Durable;
use crate::peer::Security;
use crate::refusal::Refusal;
use crate::soap::envelope::Version;
use crate::sts::Token;
use crate::work::Work;

/// What a service sends on, once it has judged a call: to whom, on whose behalf, and what.
pub trait Outgoing: OfCall + Send + Sync + 'static {
    /// The proof that the call may go on, to whom and for whom.
    fn routed(&self) -> &Routed;
    /// The version of SOAP that the peer is spoken to in.
    fn version(&self) -> Version;
    /// The action of the request.
    fn action(&self) -> &str;
    /// The action that HTTP names, where the contract has another there.
    fn http_action(&self) -> &str {
        self.action()
    }
    /// Whether a SOAP fault is an answer, to be read as any other: a provider that refuses what it was sent is not a failing
    /// one, and its breaker must not shut out the next caller.
    fn fault_is_an_answer(&self) -> bool {
        false
    }
    /// Said just before anything leaves; an error keeps it from leaving.
    ///
    /// # Errors
    /// Why it must not leave any more.
    fn leaving(&self) -> Result<(), Refusal> {
        Ok(())
    }
    /// Said where nothing left after all, because no connection came about.
    fn stayed(&self) {}
    /// Said once the message is made: the content is in it, and is not asked for again.
    fn made(&mut self) {}
    /// Headers beside those of the gateway.
    fn headers(&self) -> &str {
        ""
    }
    /// The content of the request's Body, in exclusive canonical form.
    fn body(&self) -> &[u8];
    /// The prefixes that this form keeps, a PrefixList, where types in it are written with them.
    fn prefixes(&self) -> &str {
        ""
    }
}

/// A call that may be forwarded as soon as it is recorded.
pub struct Authorised<P> {
    grant: Grant<P>,
    recording: Recording,
}

impl<P> Authorised<P> {
    /// What the call may ask, and the record that is on its way to the disk: the message may be made meanwhile, and is not
    /// sent without the proof.
    pub(super) fn part(self) -> (Grant<P>, Recording) {
        (self.grant, self.recording)
    }
}

impl<P: OfCall> OfCall for Authorised<P> {
    fn call(&self) -> &Call {
        self.grant.call()
    }
}

/// The record of admission on its way to the disk.
pub(super) type Recording = Pin<Box<dyn Future<Output = Result<Durable, Refusal>> + Send>>;

/// What a call may ask, and with which token.
pub struct Grant<P> {
    outgoing: P,
    token: Option<Arc<Token>>,
    transaction: Uuid,
}

impl<P> Grant<P> {
    /// What is sent on.
    pub fn outgoing(&self) -> &P {
        &self.outgoing
    }
    /// Says that the message is made.
    pub(super) fn made(&mut self)
    where
        P: Outgoing,
    {
        self.outgoing.made();
    }
    /// The gateway's token for the peer, for the caller's authority; none where mutual TLS is the peer's security.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_deref()
    }
    /// The gateway's own `TransactionUUID` for this call: what the peer's log knows it by.
    pub fn transaction(&self) -> Uuid {
        self.transaction
    }
}

impl<P: OfCall> OfCall for Grant<P> {
    fn call(&self) -> &Call {
        self.outgoing.call()
    }
}

/// Gets the token for the peer, where it takes one, and has the record of admission on disk.
pub struct ExchangeStep<P> {
    work: Work,
    outgoing: PhantomData<fn(P)>,
}

impl<P> ExchangeStep<P> {
    /// `work`: the calls that are worked on.
    pub fn new(work: Work) -> Self {
        Self { work, outgoing: PhantomData }
    }
}

impl<P: Outgoing> Check for ExchangeStep<P> {
    const NAME: &'static str = "exchange";
    type In = P;
    type Out = Authorised<P>;

    async fn check(&self, outgoing: P) -> Result<Authorised<P>, Refusal> {
        let (authority, peer) = (outgoing.routed().authority().to_string(), outgoing.routed().peer().clone());
        // In the record of admission, so that after a crash a durable record still leads to the entry in the peer's log.
        let transaction = Uuid::new_v4();
        outgoing.call().note(|record| record.own_transaction = Some(transaction));
        // On its way to the disk from here on. While it is waited for, the call is not worked on.
        let (admission, work) = (outgoing.call().admit(), self.work.clone());
        let recording = Box::pin(async move {
            let _away = work.away();
            admission.await
        });
        let token = match &peer.security {
            Security::Token(security) => {
                // A token at hand is there at once; one that is not is waited for by every call that needs it.
                let away = self.work.away();
                let span = tracing::info_span!("exchange", call = %outgoing.call().id());
                let token = security.tokens.token(&authority, &peer.entity_id).instrument(span).await?;
                drop(away);
                Some(token)
            }
            Security::AuthorityContext => None,
        };
        Ok(Authorised { grant: Grant { outgoing, token, transaction }, recording })
    }
}
