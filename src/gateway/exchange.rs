//! What must be in hand before anything is forwarded: the record of admission on disk, and a token for the index.

use std::sync::Arc;

use super::call::{Call, OfCall};
use super::definition::Definition;
use super::request_policy::Permitted;
use super::step::Step;
use crate::audit::Durable;
use crate::refusal::Refusal;
use crate::sts::Token;
use crate::sts::cache::TokenCache;
use crate::sts::client::{Https, StsClient};

/// A call that may be forwarded: recorded, and with a token for the index.
pub struct Authorised {
    permitted: Permitted,
    token: Arc<Token>,
    _recorded: Durable,
}

impl Authorised {
    /// The call, and what it may ask.
    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }
    /// The gateway's token for the index, for the caller's authority.
    pub fn token(&self) -> &Token {
        &self.token
    }
}

impl OfCall for Authorised {
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
}

impl Step for ExchangeStep {
    const NAME: &'static str = "exchange";
    type In = Permitted;
    type Out = Authorised;

    async fn check(&self, permitted: Permitted) -> Result<Authorised, Refusal> {
        let authority = permitted.admitted().authenticated().caller().authority().to_string();
        // Side by side: neither waits for the other, and both must succeed.
        let (recorded, token) =
            tokio::join!(permitted.call().admit(), self.tokens.token(&authority, &self.definition.index_entity_id));
        Ok(Authorised { permitted, _recorded: recorded?, token: token? })
    }
}
