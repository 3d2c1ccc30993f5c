//! What a provider's operations are to be told by mail, noted by calls. The node takes it and writes the letters, so that no call waits for one.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::id::cvr::Cvr;

/// The most that wait for a letter. Of what comes beyond them the log, the metrics and their alerts tell.
const MOST: usize = 1_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A provider's answer breaks the contract, and was not handed on.
    AnswerRefused,
    /// The answer to a delivery was lost: nobody here knows whether the provider has it.
    AnswerLost,
}

/// What happened, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the names say it
pub struct Concern {
    pub what: What,
    pub service: Uuid,
    /// The provider's it-system, where it is known.
    pub system: Option<Uuid>,
    /// The authority that it receives for, where that is known.
    pub receiver: Option<Cvr>,
}

/// What nobody was notified of yet, each once.
#[derive(Debug, Default)]
pub struct Concerns(Mutex<BTreeSet<Concern>>);

impl Concerns {
    /// Notes one.
    pub fn note(&self, concern: Concern) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < MOST {
            noted.insert(concern);
        }
    }

    /// All of them, which are somebody else's to tell from now on.
    pub fn take(&self) -> BTreeSet<Concern> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_and_no_more_wait_than_there_is_room_for() {
        let concerns = Concerns::default();
        let concern = |n: u128| Concern { what: What::AnswerLost, service: Uuid::from_u128(n), system: None, receiver: None };
        concerns.note(concern(1));
        concerns.note(concern(1));
        assert_eq!(concerns.take(), [concern(1)].into());
        assert_eq!(concerns.take(), BTreeSet::new());
        (0..2 * MOST as u128).for_each(|n| concerns.note(concern(n)));
        assert_eq!(concerns.take().len(), MOST);
    }
}
