//! What Prometheus sees of files: how many stand where. No name, no user.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::sweep::Figures;

/// The gauges.
#[derive(Debug, Clone)]
pub struct Counts {
    standing: IntGaugeVec,
    oldest: IntGauge,
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
                "Files by where they stand: taken, awaiting_data, unfetched (beyond the hours of their order), without_trigger (in OUT for more than a day).",
            ),
            &["state"],
        )?;
        let oldest =
            IntGauge::new("hjemmel_files_oldest_seconds", "For how long the oldest file that was taken waits to be delivered.")?;
        registry.register(Box::new(standing.clone()))?;
        registry.register(Box::new(oldest.clone()))?;
        let counts = Self { standing, oldest };
        counts.show(&Figures::default());
        Ok(counts)
    }

    /// Shows these figures.
    pub fn show(&self, figures: &Figures) {
        let states = [
            ("taken", figures.taken),
            ("awaiting_data", figures.awaiting),
            ("unfetched", figures.unfetched),
            ("without_trigger", figures.without_trigger),
        ];
        for (state, figure) in states {
            self.standing.with_label_values(&[state]).set(shown(figure));
        }
        self.oldest.set(shown(figures.oldest_seconds));
    }
}
