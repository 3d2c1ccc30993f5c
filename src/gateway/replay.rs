//! The step that lets a message through once. What remembers is [`crate::replay`].

use std::sync::Arc;

use super::authenticate::{Authenticated, Message};
use super::call::{Call, OfCall};
use super::persons::Named;
use super::step::Check;
use crate::clock::Clock;
use crate::refusal::Refusal;
use crate::replay::{ReplayMemory, Seen};
use crate::work::Work;

/// A call that was not seen before.
pub struct Fresh {
    named: Named,
}

impl Fresh {
    /// The call, and who makes it.
    pub fn authenticated(&self) -> &Authenticated {
        self.named.authenticated()
    }
    /// The call, and whom it names.
    pub fn named(&self) -> &Named {
        &self.named
    }
}

impl OfCall for Fresh {
    fn call(&self) -> &Call {
        self.named.call()
    }
}

/// The step. Stands after `authenticate`: only a proven sender's id is worth a place in the memory, so junk cannot fill it.
#[allow(missing_docs)] // the names say it
pub struct Replay {
    pub memory: Arc<ReplayMemory>,
    pub clock: Clock,
    /// The calls that are worked on.
    pub work: Work,
}

impl Check for Replay {
    const NAME: &'static str = "replay";
    type In = Named;
    type Out = Fresh;

    async fn check(&self, named: Named) -> Result<Fresh, Refusal> {
        let authenticated = named.authenticated();
        // Mutual TLS keeps a recorded AuthorityContext call from being sent again by anyone but the system itself.
        if let Some(Message { id, created }) = authenticated.caller().message() {
            let message = Seen::new(authenticated.caller().system(), id, *created);
            // While the database is waited for the call is not worked on; a memory of the node's own answers at once. After a pause of the
            // database all who waited come back in one moment.
            let away = matches!(*self.memory, ReplayMemory::Database(_)).then(|| self.work.away_together());
            self.memory.remember(message, self.clock.now()).await?;
            drop(away);
        }
        Ok(Fresh { named })
    }
}
