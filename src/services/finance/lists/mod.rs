//! Where a service's value lists come from, and how they are changed.
//!
//! They lie in the store ([`kept`]), where a version is a [`draft`] until it is published ([`publish`]) and those who subscribe are
//! told ([`subscription`]), each by a file ([`mod@transfer`]); calls remember what is [`published`]. A folder of files
//! ([`super::shelf`]) is the other place, for a demo or a test.

pub mod draft;
pub mod kept;
pub mod publish;
pub mod published;
pub mod subscription;
pub mod transfer;

use std::sync::Arc;

use self::published::Published;
use super::memory::Memory;
use super::rules::sortiment::Lists;
use crate::refusal::Refusal;

/// What the settings say of where they lie.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the names say it
pub enum Source {
    /// Nowhere: no code is judged.
    #[default]
    None,
    /// In a folder that was read at start.
    Folder(Arc<Lists>),
    Store,
}

/// The value lists as calls ask for them.
#[derive(Clone)]
pub enum Held {
    /// No code is judged.
    None,
    /// What was read at start.
    Fixed(Arc<Lists>),
    /// What is published in the store.
    Stored(Arc<Memory<Published>>),
}

impl Held {
    /// The lists as they are now; `None` where no code is judged.
    ///
    /// # Errors
    /// [`Refusal::AgreementsUnavailable`]: the store has not answered for too long.
    pub async fn now(&self) -> Result<Option<Arc<Lists>>, Refusal> {
        Ok(match self {
            Self::None => None,
            Self::Fixed(lists) => Some(lists.clone()),
            Self::Stored(memory) => Some(memory.now().await?.lists),
        })
    }
}
