//! Keeps how far this node's audit chain has come in the store, and that of the next node in this node's chain.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use crate::agreements::Store;
use crate::audit::anchors::{self, Anchored};
use crate::audit::chain::Checkpoint;
use crate::audit::{Audit, log};
use crate::clock::Clock;
use crate::metrics::Metrics;

/// What anchors.
pub(super) struct Anchorer {
    pub(super) store: Store,
    pub(super) audit: Audit,
    /// The folder of the audit.
    pub(super) directory: PathBuf,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    /// How often the store is updated.
    pub(super) every: Duration,
    /// How often the other node's checkpoint is written into this node's chain, at the most while it stays in one segment.
    pub(super) in_chain_every: Duration,
}

/// What was anchored last.
#[derive(Default)]
struct Before {
    own: Option<Checkpoint>,
    other: Option<(Anchored, Instant)>,
    questions: BTreeMap<Uuid, (Anchored, Instant)>,
    failing: bool,
}

impl Anchorer {
    /// Anchors until the gateway stops. Its last checkpoints are anchored by its next start.
    pub(super) async fn run(self, mut stopped: watch::Receiver<()>) {
        let mut before = Before::default();
        loop {
            let anchored = self.anchor(&mut before).await;
            match &anchored {
                // Once, not at each try: a store that is away is reported elsewhere too.
                Err(error) if !before.failing => {
                    tracing::warn!(%error, "the audit log's checkpoints cannot be anchored in the store; they are tried again");
                }
                Ok(()) if before.failing => tracing::info!("the audit log's checkpoints are anchored again"),
                _ => {}
            }
            before.failing = anchored.is_err();
            self.metrics.audit_anchored(anchored.is_ok().then(|| self.clock.now()));
            tokio::select! {
                _ = stopped.changed() => return,
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    async fn anchor(&self, before: &mut Before) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let directory = self.directory.clone();
        let read = move || Ok::<_, std::io::Error>((anchors::named(&directory)?, log::read_head(&directory)?));
        let (own, head) = tokio::task::spawn_blocking(read).await??;
        let database = self.store.database();
        if let Some(checkpoint) = head.filter(|head| before.own.as_ref() != Some(head)) {
            let anchored = Anchored { log: own, checkpoint, questions: false };
            anchors::keep(database, &anchored, self.clock.now()).await?;
            before.own = Some(anchored.checkpoint);
        }
        if let Some(other) = next(own, anchors::last_of_each(database).await?)
            && before.other.as_ref().is_none_or(|(known, at)| is_due(known, &other, at.elapsed() >= self.in_chain_every))
        {
            self.audit.anchored(other.clone()).await.map_err(|refusal| refusal.code())?;
            before.other = Some((other, Instant::now()));
        }
        // Auditors' own logs anchor nothing themselves, so each node reports them.
        for asked in anchors::last_questions(database).await? {
            let due = before
                .questions
                .get(&asked.log)
                .is_none_or(|(known, at)| is_due(known, &asked, at.elapsed() >= self.in_chain_every));
            if due {
                self.audit.anchored(asked.clone()).await.map_err(|refusal| refusal.code())?;
                before.questions.insert(asked.log, (asked, Instant::now()));
            }
        }
        Ok(())
    }
}

/// The log after this one in the order of their names, and after the last the first; none where there is this one alone.
fn next(own: Uuid, all: Vec<Anchored>) -> Option<Anchored> {
    let (before, after): (Vec<_>, Vec<_>) = all.into_iter().filter(|anchored| anchored.log != own).partition(|of| of.log < own);
    after.into_iter().chain(before).next()
}

/// Whether another anchor of the log goes into the chain: at once where a segment has begun, else when it is time. Each is an
/// entry of this log, which the other node anchors in turn: two idle nodes would fill their disks with nothing else.
fn is_due(known: &Anchored, now: &Anchored, time: bool) -> bool {
    known.log != now.log || known.checkpoint.segment != now.checkpoint.segment || (time && known != now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The anchor of log `log` at an entry of a segment.
    fn at(log: u128, segment: u64, covers: u64) -> Anchored {
        let checkpoint = serde_json::json!({
            "covers": covers, "head": "", "segment": segment, "at": "2026-11-29T09:00:00Z", "occasion": "due", "key": "", "signature": "",
        });
        Anchored { log: Uuid::from_u128(log), checkpoint: serde_json::from_value(checkpoint).unwrap(), questions: false }
    }

    #[test]
    fn each_log_is_told_of_by_exactly_one_other_and_none_by_itself() {
        let all = || (1..=4).map(|log| at(log, 1, 7)).collect::<Vec<_>>();
        let told: Vec<_> = (1..=4).map(|own| next(Uuid::from_u128(own), all()).unwrap().log.as_u128()).collect();
        assert_eq!(told, [2, 3, 4, 1]);
        assert_eq!(next(Uuid::from_u128(1), vec![at(1, 1, 7)]), None, "alone");
        assert_eq!(next(Uuid::from_u128(1), Vec::new()), None, "before the first anchor");
    }

    #[test]
    fn two_idle_nodes_do_not_answer_each_others_entries_before_it_is_time() {
        let known = at(2, 1, 7);
        assert!(!is_due(&known, &at(2, 1, 9), false), "an entry more");
        assert!(is_due(&known, &at(2, 1, 9), true), "it is time");
        assert!(!is_due(&known, &known, true), "nothing came");
        assert!(is_due(&known, &at(2, 2, 9), false), "a segment has begun");
        assert!(is_due(&known, &at(3, 1, 7), false), "another node is the next");
    }
}
