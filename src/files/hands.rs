//! Who works on transfers on this node: a trigger that comes here is begun at once where there is a place for it, without being looked for.
//!
//! Its job is added as taken, in the transaction that takes the trigger, and handed over once that is committed. Where all places are taken, older ones
//! wait, or nobody works here, it is added for whoever comes first, as every job is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::jobs::Taken;

/// How many jobs a node has under way.
pub(super) const AT_ONCE: usize = 8;

/// A job, and the place that it is worked on in.
pub(super) type Handed = (Taken, OwnedSemaphorePermit);

pub(super) struct Hands {
    places: Arc<Semaphore>,
    /// Whether others may wait in the store.
    behind: AtomicBool,
    to: Mutex<Option<UnboundedSender<Handed>>>,
}

impl Default for Hands {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), behind: AtomicBool::new(true), to: Mutex::default() }
    }
}

impl Hands {
    /// Somebody works from now on, and has what is handed over. No more comes than there are places.
    pub(super) fn work(&self) -> UnboundedReceiver<Handed> {
        let (to, handed) = unbounded_channel();
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
        handed
    }

    /// Whether others may wait in the store: they were there first.
    pub(super) fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Relaxed);
    }

    /// A place.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// A place for what comes to this node.
    pub(super) fn free(&self) -> Option<Hand> {
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|to| !to.is_closed())?;
        if self.behind.load(Ordering::Relaxed) {
            return None;
        }
        Some(Hand { to, place: self.place()? })
    }
}

/// A place with whoever works on this node.
pub(super) struct Hand {
    to: UnboundedSender<Handed>,
    place: OwnedSemaphorePermit,
}

impl Hand {
    /// Hands a job over; it comes back where nobody works any more.
    pub(super) fn over(self, job: Taken) -> Result<(), Taken> {
        self.to.send((job, self.place)).map_err(|handed| handed.0.0)
    }
}
