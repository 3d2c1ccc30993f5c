//! Ships segments of the audit log that have ended to the archive, and shows how many wait.
//!
//! Calls do not depend on it: a segment that waits stays on the node's disk, where nothing is removed that the archive has not got.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::agreements::Store;
use crate::archive::Archive;
use crate::archive::ship::{Mark, Shipper};
use crate::audit::anchors::{self, Anchored};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::objects::settings::Place;
use crate::store::StoreError;

/// How soon a try that failed is made again: at first, and at the most.
const RETRY: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

/// What ships.
pub(super) struct Archiver {
    /// Where to. Opened when it is first needed, and tried again where that fails: a start does not depend on it.
    pub(super) at: Place,
    pub(super) shipper: Shipper,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    /// How often it is looked whether a segment has ended.
    pub(super) every: Duration,
}

impl Archiver {
    /// Ships until the gateway stops. What is under way then is done once more by its next start.
    pub(super) async fn run(self, mut stopped: watch::Receiver<()>) {
        tokio::select! {
            _ = stopped.changed() => {}
            () = self.ship() => {}
            () = self.watch() => {}
        }
    }

    async fn ship(&self) {
        let (mut patience, mut failing, mut told, mut archive) = (*RETRY.start(), false, None, None);
        loop {
            let shipped = self.ship_next(&mut archive).await;
            self.report_to_store(&mut told).await;
            match shipped {
                Ok(mark) => {
                    if failing {
                        tracing::info!("audit segments are archived again");
                    }
                    (patience, failing) = (*RETRY.start(), false);
                    match mark {
                        Some(Mark { segment, bytes, sha256, .. }) => {
                            self.metrics.audit_segment_archived();
                            tracing::info!(segment, bytes, sha256, "an audit segment was archived");
                        }
                        None => tokio::time::sleep(self.every).await,
                    }
                }
                Err(error) => {
                    self.metrics.audit_archive_failed();
                    if !failing {
                        tracing::error!(%error, "an audit segment cannot be archived; it stays on this disk, and is tried again");
                    }
                    failing = true;
                    tokio::time::sleep(patience).await;
                    patience = patience.saturating_mul(2).min(*RETRY.end());
                }
            }
        }
    }

    async fn ship_next(&self, archive: &mut Option<Archive>) -> Result<Option<Mark>, Box<dyn std::error::Error + Send + Sync>> {
        let archive = match archive {
            Some(archive) => archive,
            None => {
                let at = self.at.clone();
                archive.insert(tokio::task::spawn_blocking(move || Archive::open(&at)).await??)
            }
        };
        Ok(self.shipper.ship_next(archive).await?)
    }

    /// Reports to the store what is in the archive. While the store does not answer, it is reported with the next segment.
    async fn report_to_store(&self, told: &mut Option<BTreeSet<u64>>) {
        if let Err(error) = self.try_report_to_store(told).await {
            tracing::debug!(%error, "the store was not told what is in the archive; it is told with the next segment");
        }
    }

    async fn try_report_to_store(&self, told: &mut Option<BTreeSet<u64>>) -> Result<(), StoreError> {
        let (database, log, now) = (self.store.database(), self.shipper.log(), self.clock.now());
        let known = match told {
            Some(known) => known,
            None => told.insert(anchors::archived(database, log).await?),
        };
        for (segment, mark) in self.shipper.marks() {
            if !known.contains(&segment) {
                // A segment that came and went between two anchors has none yet.
                let anchored = Anchored { log, checkpoint: mark.checkpoint, questions: false };
                anchors::keep(database, &anchored, now).await?;
                anchors::record_archived(database, log, segment, &mark.sha256, now).await?;
                known.insert(segment);
            }
        }
        Ok(())
    }

    /// Measures what waits, also while a try hangs.
    async fn watch(&self) {
        loop {
            let shipper = self.shipper.clone();
            match tokio::task::spawn_blocking(move || shipper.waiting()).await {
                Ok(Ok(waiting)) => {
                    let age = waiting.since.map_or(0, |since| self.clock.now().as_second().saturating_sub(since.as_second()));
                    self.metrics.audit_waits_for_archive(waiting.segments, age.max(0));
                }
                Ok(Err(error)) => tracing::debug!(%error, "what waits for the archive cannot be counted"),
                Err(_) => {}
            }
            tokio::time::sleep(self.every).await;
        }
    }
}
