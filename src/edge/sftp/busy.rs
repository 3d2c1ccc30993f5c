//! Whether a connection is in the middle of something, for a node that drains.

use std::sync::Arc;

use tokio::sync::watch;

/// How much is under way on a connection. Cheap to clone.
#[derive(Clone)]
pub struct Busy(Arc<watch::Sender<usize>>);

impl Default for Busy {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Busy {
    /// Something is under way until what this gives is dropped.
    pub fn hold(&self) -> Held {
        self.0.send_modify(|held| *held += 1);
        Held(self.clone())
    }

    /// Waits until nothing is.
    pub async fn idle(&self) {
        let _ = self.0.subscribe().wait_for(|held| *held == 0).await;
    }
}

/// Something is under way.
pub struct Held(Busy);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.send_modify(|held| *held -= 1);
    }
}
