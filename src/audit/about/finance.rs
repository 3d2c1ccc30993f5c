use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::passthrough::AboutPassThrough;
use super::tally::{Family, Tally};
use crate::audit::record::{Outcome, Record};
use crate::audit::wire::{Flat, NotARecord};

const DELIVERIES: Family = Family {
    name: "hjemmel_finance_deliveries_total",
    help: "Deliveries of vouchers, by what became of them.",
    label: "outcome",
};
const VOUCHERS: Family = Family {
    name: "hjemmel_finance_vouchers_total",
    help: "Vouchers that ledgers gave a verdict on, by the verdict.",
    label: "outcome",
};
const FINDINGS: Family = Family {
    name: "hjemmel_finance_findings_total",
    help: "What the rules found in deliveries and told, by code.",
    label: "code",
};
const ERRORS: Family = Family {
    name: "hjemmel_finance_errors_total",
    help: "Errors and warnings of receipts, the platform's and the ledgers', by whom they are for.",
    label: "audience",
};
/// What is counted of deliveries of vouchers: what became of them, and whom their errors are for. No party, no authority.
pub(super) const FAMILIES: [Family; 4] = [DELIVERIES, VOUCHERS, FINDINGS, ERRORS];

/// A delivery of vouchers: where it went, as of every pass-through service, and what was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct AboutFinance {
    /// Where it went, and by which contract it was checked.
    pub pass: AboutPassThrough,
    pub figures: FinanceFigures,
}

/// Ids, counts and sums of a delivery, and what became of it. No party, no text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinanceFigures {
    /// The delivery's id: a UUID, by the schema.
    pub delivery: Uuid,
    /// How many vouchers.
    pub vouchers: u64,
    /// How many postings.
    pub postings: u64,
    /// The sum of the debit postings, in kroner with two decimals.
    pub debit: String,
    /// The sum of the credit postings.
    pub credit: String,
    /// The value list.
    pub list: Uuid,
    /// Its version, unless that could hold a person's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_version: Option<String>,
    /// Whether it was a test.
    #[serde(default, skip_serializing_if = "is_false")]
    pub trial: bool,
    /// What the rules found and told, counted by code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<String, u64>,
    /// What receipts told, the platform's and the ledger's, counted by whom it is for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub audiences: BTreeMap<String, u64>,
    /// Whether the receipt is that of the same delivery before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
    /// What they found beyond that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub findings_left_out: u64,
    /// The code of the ledger's receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// How many vouchers the ledger accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// How many it rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Whether a refusal leaves open what the ledger did. A peer that is left alone, or has enough to do, was sent nothing.
fn may_be_booked(code: &str) -> bool {
    code.starts_with("Peer") && !["PeerResting", "PeerBusy"].contains(&code)
        || ["DeliveryUnknown", "AnswerViolated", "ProviderAnswerTooLarge"].contains(&code)
}

impl FinanceFigures {
    /// What became of a delivery, in one word.
    fn outcome(&self, record: &Record) -> &'static str {
        match (self.receipt.as_deref(), record.outcome) {
            _ if self.repeated => "repeated",
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

    /// What it adds to [`FAMILIES`].
    pub(super) fn tallies(&self, record: &Record) -> Vec<Tally<'_>> {
        let mut tallies = vec![DELIVERIES.add(self.outcome(record), 1)];
        // The receipt of before was counted then.
        if !self.repeated {
            let verdicts = [("accepted", self.accepted), ("rejected", self.rejected)];
            tallies.extend(verdicts.into_iter().filter_map(|(verdict, vouchers)| Some(VOUCHERS.add(verdict, vouchers?))));
            tallies.extend(self.findings.iter().map(|(code, count)| FINDINGS.add(code, *count)));
            tallies.extend(self.audiences.iter().map(|(audience, count)| ERRORS.add(audience, *count)));
        }
        tallies
    }

    /// What it comes to, in a line.
    pub(super) fn summary(&self) -> String {
        let Self { delivery, vouchers, postings, debit, credit, findings, receipt, .. } = self;
        let found: String = findings.iter().map(|(code, count)| format!(", {code} ×{count}")).collect();
        let receipt = receipt.as_deref().unwrap_or("–");
        format!(
            "delivery {delivery}, {vouchers} vouchers, {postings} postings, debit {debit}, credit {credit}, receipt {receipt}{found}"
        )
    }
}

impl AboutFinance {
    /// What it comes to, in a line.
    pub(super) fn summary(&self) -> String {
        format!("{}, {}", self.pass.summary(), self.figures.summary())
    }

    /// Puts it into the record's line.
    pub(super) fn write<'r>(&'r self, line: &mut Flat<'r>) {
        self.pass.write(line);
        line.finance = Some(Cow::Borrowed(&self.figures));
    }

    /// What a record's line says of it.
    pub(super) fn read(line: &Flat<'_>) -> Result<Self, NotARecord> {
        let figures = line.finance.as_deref().cloned().ok_or(NotARecord::Without("finance"))?;
        Ok(Self { pass: AboutPassThrough::read(line)?, figures })
    }
}
