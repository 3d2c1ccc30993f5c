//! What Prometheus sees of files: how many stand where. No name, no user.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::sweep::Figures;

/// The gauges.
#[derive(Debug, Clone)]
pub struct Counts {
    standing: IntGaugeVec,
    oldest: IntGauge,
    silent: IntGauge,
    nearly_full: IntGauge,
    staging: IntGauge,
}

fn shown(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

impl Counts {
    /// Registers them.
    ///
    /// # Errors
    /// Only when a metric of the same name is there.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let standing = IntGaugeVec::new(
            Opts::new(
                "hjemmel_files",
                "Files by where they stand: taken, awaiting_data, unfetched (beyond the hours of their order), without_trigger (in OUT for more than a day), unanswered (beyond the days for a business receipt), stuck (left by the last sweep of this node).",
            ),
            &["state"],
        )?;
        let oldest =
            IntGauge::new("hjemmel_files_oldest_seconds", "For how long the oldest file that was taken waits to be delivered.")?;
        let silent = IntGauge::new(
            "hjemmel_files_silent",
            "Monitoring orders for which no file was sent or received within their rhythm.",
        )?;
        let nearly_full = IntGauge::new("hjemmel_files_homes_nearly_full", "Users of files whose quota is used to nine tenths.")?;
        let staging =
            IntGauge::new("hjemmel_files_staging_free_bytes", "Bytes that are free on the disk for files that are being sent.")?;
        registry.register(Box::new(standing.clone()))?;
        for gauge in [&oldest, &silent, &nearly_full, &staging] {
            registry.register(Box::new(gauge.clone()))?;
        }
        let counts = Self { standing, oldest, silent, nearly_full, staging };
        counts.show(&Figures::default());
        counts.left(0);
        Ok(counts)
    }

    /// Shows how much room there is.
    pub fn staging(&self, free: u64) {
        self.staging.set(shown(free));
    }

    /// Shows how many rows the last sweep had to leave.
    pub fn left(&self, left: u64) {
        self.standing.with_label_values(&["stuck"]).set(shown(left));
    }

    /// Shows these figures.
    pub fn show(&self, figures: &Figures) {
        let states = [
            ("taken", figures.taken),
            ("awaiting_data", figures.awaiting),
            ("unfetched", figures.unfetched),
            ("without_trigger", figures.without_trigger),
            ("unanswered", figures.unanswered),
        ];
        self.silent.set(shown(figures.silent));
        self.nearly_full.set(shown(figures.nearly_full));
        for (state, figure) in states {
            self.standing.with_label_values(&[state]).set(shown(figure));
        }
        self.oldest.set(shown(figures.oldest_seconds));
    }
}
