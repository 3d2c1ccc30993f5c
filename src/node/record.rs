//! Puts decisions into the node's audit chain, from the store in which they wait.

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::agreements::Store;
use crate::audit::Audit;
use crate::audit::decided::Standing;
use crate::clock::Clock;
use crate::store::StoreError;

/// How often the store is asked where no notice of a decision comes: those of the command line, and of nodes that have gone.
const EVERY: Duration = Duration::from_secs(2);

/// What writes decisions.
pub(super) struct Recorder {
    pub(super) store: Store,
    pub(super) audit: Audit,
    /// The folder of the audit, to look whether a decision stands there already.
    pub(super) directory: PathBuf,
    pub(super) clock: Clock,
    /// Told of decisions that were made here.
    pub(super) decided: Arc<Notify>,
    /// This run of this node, for its claims.
    pub(super) node: Uuid,
}

impl Recorder {
    /// Writes what waits until the gateway stops, and then once more.
    pub(super) async fn run(self, mut stopped: watch::Receiver<()>) {
        let (mut last, mut standing) = (false, Standing::default());
        loop {
            if let Err(error) = self.write(&mut standing).await {
                tracing::warn!(%error, "decisions wait for their place in the audit's chain: the store did not answer");
            }
            if last {
                return;
            }
            last = tokio::select! {
                _ = stopped.changed() => true,
                () = self.decided.notified() => false,
                () = tokio::time::sleep(EVERY) => false,
            };
        }
    }

    async fn write(&self, standing: &mut Standing) -> Result<(), StoreError> {
        loop {
            let waiting = self.store.claim_unrecorded(self.node, self.clock.now()).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            // Somebody claimed it and did not come to say that it was written: a crash in between, or an audit that was slow.
            if waiting.iter().any(|waiting| waiting.again) {
                *standing = self.looked(mem::take(standing)).await;
            }
            for waiting in waiting {
                let decision = waiting.decided.decision;
                if !(waiting.again && standing.has(&decision))
                    && let Err(refusal) = self.audit.decided(waiting.decided).await
                {
                    tracing::error!(%decision, code = refusal.code(), "a decision could not be put in the audit's chain; it waits");
                    return Ok(());
                }
                self.store.recorded(decision, self.clock.now()).await?;
                tracing::info!(%decision, "a decision was put in the audit's chain");
            }
        }
    }

    /// The decisions that stand in this node's chain by now. While the audit cannot be written this is asked every two seconds.
    async fn looked(&self, mut standing: Standing) -> Standing {
        let directory = self.directory.clone();
        let looked = tokio::task::spawn_blocking(move || {
            if let Err(error) = standing.look(&directory) {
                tracing::warn!(%error, "the audit's chain cannot be read for decisions that may stand in it already");
            }
            standing
        });
        looked.await.unwrap_or_default()
    }
}
