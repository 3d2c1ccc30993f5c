//! What is counted of deliveries of vouchers: what became of them, and whom their errors are for. No party, no authority.

use prometheus::IntCounterVec;

use super::{Labels, Maker};
use crate::audit::{FinanceFigures, Outcome, Record};

pub(super) struct FinanceMetrics {
    deliveries: IntCounterVec,
    vouchers: IntCounterVec,
    findings: IntCounterVec,
    errors: IntCounterVec,
}

/// What became of a delivery, in one word.
fn outcome(record: &Record, figures: &FinanceFigures) -> &'static str {
    match (figures.receipt.as_deref(), record.outcome) {
        _ if figures.repeated => "repeated",
        (Some("ACCEPTERET"), _) => "accepted",
        (Some("AFVIST" | "FEJLET" | "FEJL"), _) => "rejected",
        (Some(_), _) => "received",
        (None, Some(Outcome::Refused)) if record.refusal.as_deref().is_some_and(may_be_booked) => "unanswered",
        // The first of the same is on its way, and has an outcome of its own.
        (None, Some(Outcome::Refused)) if record.refusal.as_deref() == Some("FB032") => "under_way",
        (None, Some(Outcome::Refused)) => "refused",
        (None, Some(Outcome::Served)) => "received",
        (None, Some(Outcome::Abandoned) | None) => "abandoned",
    }
}

/// Whether a refusal leaves open what the ledger did. A peer that is left alone, or has enough to do, was sent nothing.
fn may_be_booked(code: &str) -> bool {
    code.starts_with("Peer") && !["PeerResting", "PeerBusy"].contains(&code)
        || ["AnswerViolated", "ProviderAnswerTooLarge"].contains(&code)
}

impl FinanceMetrics {
    pub(super) fn register(make: &Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            deliveries: make.counters(
                "hjemmel_finance_deliveries_total",
                "Deliveries of vouchers, by what became of them.",
                &["service", "outcome"],
            )?,
            vouchers: make.counters(
                "hjemmel_finance_vouchers_total",
                "Vouchers that ledgers gave a verdict on, by the verdict.",
                &["service", "outcome"],
            )?,
            findings: make.counters(
                "hjemmel_finance_findings_total",
                "What the rules found in deliveries and told, by code.",
                &["service", "code"],
            )?,
            errors: make.counters(
                "hjemmel_finance_errors_total",
                "Errors and warnings of receipts, the platform's and the ledgers', by whom they are for.",
                &["service", "audience"],
            )?,
        })
    }

    pub(super) fn observe(&self, labels: &Labels, record: &Record, figures: &FinanceFigures) {
        let service = labels.bound("service", &record.service);
        self.deliveries.with_label_values(&[service, outcome(record, figures)]).inc();
        // The receipt of before was counted then.
        if figures.repeated {
            return;
        }
        for (outcome, vouchers) in [("accepted", figures.accepted), ("rejected", figures.rejected)] {
            if let Some(vouchers) = vouchers {
                self.vouchers.with_label_values(&[service, outcome]).inc_by(vouchers);
            }
        }
        for (code, count) in &figures.findings {
            self.findings.with_label_values(&[service, labels.bound("code", code)]).inc_by(*count);
        }
        for (audience, count) in &figures.audiences {
            self.errors.with_label_values(&[service, labels.bound("audience", audience)]).inc_by(*count);
        }
    }
}
