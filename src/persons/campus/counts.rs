//! What Prometheus sees of what is handed on to Campus. No person, no institution.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::client::Done;
use crate::persons::outbox::Figures;

/// The figures.
#[derive(Debug, Clone)]
pub struct Counts {
    standing: IntGaugeVec,
    oldest: IntGauge,
    handed: IntCounterVec,
    waits: IntGauge,
}

impl Counts {
    /// Registers them.
    ///
    /// # Errors
    /// Only when a metric of the same name is there.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let standing = Opts::new(
            "hjemmel_persons_queue",
            "What waits to be handed on to Campus: waiting, dead (Campus refuses it; it holds up what follows of the same person).",
        );
        let handed = Opts::new(
            "hjemmel_persons_handed_total",
            "What became of what was handed on to Campus: created, changed, unchanged, deleted, emptied (Campus deletes nobody), refused, away (it is tried again).",
        );
        let oldest =
            IntGauge::new("hjemmel_persons_queue_oldest_seconds", "For how long the oldest that waits for Campus has waited.")?;
        let waits = IntGauge::new(
            "hjemmel_persons_campus_paused",
            "1 while this node leaves Campus alone: it does not answer, asks to wait, the settings are wrong, or the store was put back and not every audit log was read for erasures.",
        )?;
        let counts = Self {
            standing: IntGaugeVec::new(standing, &["state"])?,
            oldest,
            handed: IntCounterVec::new(handed, &["outcome"])?,
            waits,
        };
        registry.register(Box::new(counts.standing.clone()))?;
        registry.register(Box::new(counts.oldest.clone()))?;
        registry.register(Box::new(counts.handed.clone()))?;
        registry.register(Box::new(counts.waits.clone()))?;
        counts.show(&Figures::default());
        for outcome in ["created", "changed", "unchanged", "deleted", "emptied", "refused", "away"] {
            counts.handed.with_label_values(&[outcome]).inc_by(0);
        }
        Ok(counts)
    }

    /// Shows these figures.
    pub fn show(&self, figures: &Figures) {
        let shown = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
        self.standing.with_label_values(&["waiting"]).set(shown(figures.waiting));
        self.standing.with_label_values(&["dead"]).set(shown(figures.dead));
        self.oldest.set(shown(figures.oldest.as_secs()));
    }

    /// Counts what Campus has.
    pub fn done(&self, done: Done) {
        let outcome = match done {
            Done::Created => "created",
            Done::Changed => "changed",
            Done::Unchanged => "unchanged",
            Done::Deleted => "deleted",
            Done::Emptied => "emptied",
        };
        self.handed.with_label_values(&[outcome]).inc();
    }

    /// Counts what it has not.
    pub fn not_taken(&self, refused: bool) {
        self.handed.with_label_values(&[if refused { "refused" } else { "away" }]).inc();
    }

    /// Shows whether Campus is left alone.
    pub fn paused(&self, is_paused: bool) {
        self.waits.set(i64::from(is_paused));
    }
}
