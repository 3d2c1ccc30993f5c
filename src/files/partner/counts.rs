//! What Prometheus sees of mailboxes. No agreement, no name.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::silence::{Cause, Silent};
use super::work::Figures;

/// The gauges.
#[derive(Debug, Clone)]
pub struct Counts {
    files: IntGaugeVec,
    oldest: IntGauge,
    nearly_full: IntGauge,
    silent: IntGaugeVec,
}

impl Counts {
    /// Registers them.
    ///
    /// # Errors
    /// Only when a metric of the same name is there.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let files = Opts::new(
            "hjemmel_mailbox_files",
            "Files of mailboxes by where they stand: unjudged, unfetched (approved more than a day ago and not confirmed), stuck (left by the last sweep of this node).",
        );
        let silent = Opts::new(
            "hjemmel_mailbox_silent",
            "Streams of mailboxes on which nothing was exchanged within the agreed rhythm, by likely cause.",
        );
        let oldest = IntGauge::new(
            "hjemmel_mailbox_oldest_seconds",
            "For how long the oldest file of a mailbox that is not validated waits for it.",
        )?;
        let nearly_full = IntGauge::new(
            "hjemmel_mailbox_nearly_full",
            "Partner agreements of which nine tenths of the bytes or files that they may have lying, lie.",
        )?;
        registry.register(Box::new(oldest.clone()))?;
        registry.register(Box::new(nearly_full.clone()))?;
        let (files, silent) = (IntGaugeVec::new(files, &["state"])?, IntGaugeVec::new(silent, &["cause"])?);
        let counts = Self { files, oldest, nearly_full, silent };
        registry.register(Box::new(counts.files.clone()))?;
        registry.register(Box::new(counts.silent.clone()))?;
        counts.show(&Figures::default());
        counts.left(0);
        counts.silent(&[]);
        Ok(counts)
    }

    /// Shows how many rows the last sweep had to leave.
    pub fn left(&self, left: u64) {
        self.files.with_label_values(&["stuck"]).set(i64::try_from(left).unwrap_or(i64::MAX));
    }

    /// Shows how files fare.
    pub fn show(&self, figures: &Figures) {
        self.files.with_label_values(&["unjudged"]).set(figures.unjudged);
        self.files.with_label_values(&["unfetched"]).set(figures.unfetched);
        self.oldest.set(figures.oldest_seconds);
        self.nearly_full.set(figures.nearly_full);
    }

    /// Shows which streams are silent.
    pub fn silent(&self, silent: &[Silent]) {
        for cause in Cause::ALL {
            let many = silent.iter().filter(|silent| silent.cause == cause).count();
            self.silent.with_label_values(&[cause.name()]).set(i64::try_from(many).unwrap_or(i64::MAX));
        }
    }
}
