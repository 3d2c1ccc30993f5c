//! What is counted of imports of persons: what became of them, and what was wrong. No person, no authority.

use prometheus::IntCounterVec;

use super::{Labels, Maker};
use crate::audit::{AboutPersons, Outcome, Record};

pub(super) struct PersonMetrics {
    imports: IntCounterVec,
    persons: IntCounterVec,
    findings: IntCounterVec,
}

/// What became of an import, in one word.
fn outcome(record: &Record, about: &AboutPersons) -> &'static str {
    match record.outcome {
        Some(Outcome::Served) if about.repeated => "repeated",
        Some(Outcome::Served) => "answered",
        Some(Outcome::Refused) => "refused",
        Some(Outcome::Abandoned) | None => "abandoned",
    }
}

impl PersonMetrics {
    pub(super) fn register(make: &Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            imports: make.counters(
                "hjemmel_persons_imports_total",
                "Imports of persons by call or file, by what became of them.",
                &["service", "outcome"],
            )?,
            persons: make.counters(
                "hjemmel_persons_total",
                "Persons that imports answered, by the status.",
                &["service", "status"],
            )?,
            findings: make.counters(
                "hjemmel_persons_findings_total",
                "Errors and warnings that persons were answered with, by code.",
                &["service", "code"],
            )?,
        })
    }

    pub(super) fn observe(&self, labels: &Labels, record: &Record, about: &AboutPersons) {
        let service = labels.bound("service", &record.service);
        self.imports.with_label_values(&[service, outcome(record, about)]).inc();
        // The answer of before was counted then.
        if about.repeated {
            return;
        }
        for (status, count) in &about.statuses {
            self.persons.with_label_values(&[service, labels.bound("status", status)]).inc_by(*count);
        }
        for (code, count) in &about.findings {
            self.findings.with_label_values(&[service, labels.bound("code", code)]).inc_by(*count);
        }
    }
}
