//! What the metrics say of the calls since the node started, for a page that people read.

use std::collections::BTreeMap;

use prometheus::proto::{Histogram, Metric};

use super::Metrics;

/// Calls, and how long they took.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the names say it
pub struct Calls {
    /// Closed altogether.
    pub closed: u64,
    /// Answered.
    pub served: u64,
    pub refused: u64,
    /// Those, by the code of the refusal.
    pub by_cause: BTreeMap<String, u64>,
    /// How many took no longer than so many seconds, each count with those before it.
    within: Vec<(f64, u64)>,
    total_seconds: f64,
    timed: u64,
}

/// The calls of a node, altogether and by service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// All of them.
    pub all: Calls,
    /// Those of each service, by its name.
    pub by_service: BTreeMap<String, Calls>,
}

impl Calls {
    /// The time within which this part of the answered calls was answered, in milliseconds; `None` where there is none. Within a
    /// bucket it lies where Prometheus puts it too: as far as the part is on the way from one count to the next.
    pub fn quantile_ms(&self, part: f64) -> Option<f64> {
        let due = self.timed as f64 * part;
        let (mut from, mut below) = (0.0, 0);
        for (bound, count) in &self.within {
            if self.timed > 0 && *count as f64 >= due {
                let inside = (count - below) as f64;
                let way = if inside > 0.0 { (due - below as f64) / inside } else { 1.0 };
                return Some((from + (bound - from) * way) * 1000.0);
            }
            (from, below) = (*bound, *count);
        }
        // Longer than the last bound.
        (self.timed > 0).then_some(from * 1000.0)
    }

    /// The average of the answered calls, in milliseconds; `None` where there is none.
    pub fn average_ms(&self) -> Option<f64> {
        (self.timed > 0).then(|| self.total_seconds / self.timed as f64 * 1000.0)
    }

    fn count(&mut self, outcome: &str, code: &str, many: u64) {
        self.closed += many;
        match outcome {
            "served" => self.served += many,
            "refused" => {
                self.refused += many;
                *self.by_cause.entry(code.to_owned()).or_default() += many;
            }
            _ => {}
        }
    }

    fn time(&mut self, histogram: &Histogram) {
        let buckets = histogram.get_bucket();
        if self.within.is_empty() {
            self.within = buckets.iter().map(|bucket| (bucket.upper_bound(), 0)).collect();
        }
        for ((_, count), bucket) in self.within.iter_mut().zip(buckets) {
            *count += bucket.cumulative_count();
        }
        self.total_seconds += histogram.get_sample_sum();
        self.timed += histogram.get_sample_count();
    }
}

impl Metrics {
    /// The calls since the node started.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for family in self.registry.gather() {
            let of_calls = family.name() == "hjemmel_calls_total";
            if !of_calls && family.name() != "hjemmel_call_duration_seconds" {
                continue;
            }
            for metric in family.get_metric() {
                let service = summary.by_service.entry(label(metric, "service").to_owned()).or_default();
                let outcome = label(metric, "outcome");
                if of_calls {
                    let many = metric.get_counter().get_value() as u64;
                    service.count(outcome, label(metric, "code"), many);
                    summary.all.count(outcome, label(metric, "code"), many);
                } else if outcome == "served" {
                    service.time(metric.get_histogram());
                    summary.all.time(metric.get_histogram());
                }
            }
        }
        summary
    }
}

fn label<'m>(metric: &'m Metric, name: &str) -> &'m str {
    metric.get_label().iter().find(|label| label.name() == name).map_or("", |label| label.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Outcome, Record};

    #[test]
    fn calls_are_counted_by_outcome_cause_and_service_and_timed_where_they_were_answered() {
        let metrics = Metrics::new().unwrap();
        assert_eq!((metrics.summary().all.quantile_ms(0.5), metrics.summary().all.average_ms()), (None, None));
        let call = |service: &str, outcome, refusal: Option<&str>, micros| {
            let mut record = Record::new(uuid::Uuid::now_v7(), jiff::Timestamp::UNIX_EPOCH, service);
            (record.outcome, record.refusal, record.duration_us) = (Some(outcome), refusal.map(str::to_owned), Some(micros));
            metrics.observe(&record);
        };
        // Ten within 5 ms, ten between 50 and 100.
        (0..10).for_each(|_| call("a", Outcome::Served, None, 4_000));
        (0..10).for_each(|_| call("a", Outcome::Served, None, 90_000));
        call("b", Outcome::Refused, Some("AuthorityUnknown"), 9_000_000);
        call("b", Outcome::Abandoned, None, 9_000_000);
        let summary = metrics.summary();
        assert_eq!((summary.all.closed, summary.all.served, summary.all.refused), (22, 20, 1));
        assert_eq!(summary.all.by_cause, BTreeMap::from([("AuthorityUnknown".to_owned(), 1)]));
        assert_eq!(summary.by_service["b"].closed, 2);
        assert_eq!(summary.all.quantile_ms(0.5).map(|ms| ms.round()), Some(5.0));
        assert_eq!(summary.all.quantile_ms(0.75).map(|ms| ms.round()), Some(75.0));
        assert_eq!(summary.all.average_ms().map(|ms| ms.round()), Some(47.0));
        assert_eq!(summary.by_service["b"].quantile_ms(0.5), None);
    }
}
