//! The calls of a question counted: an account to an authority, or of a year.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::audit::{Outcome, Record};

/// What calls are counted by. Each is of the gateway's own making or from an agreement, so that there are few.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Of {
    /// On whose behalf.
    pub authority: Option<String>,
    pub service: String,
    pub operation: Option<String>,
    pub legal_basis: Option<String>,
    pub purpose: Option<String>,
    /// How the calls ended.
    pub outcome: &'static str,
    /// The code of the refusal.
    pub refusal: Option<String>,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Sum {
    pub calls: u64,
    /// Persons that they named, each as often as it was named.
    pub persons_named: u64,
    /// Objects that were released.
    pub objects_released: u64,
    /// Objects that were removed.
    pub objects_removed: u64,
    /// Fields that were removed from what was released.
    pub fields_removed: u64,
}

/// The account.
#[derive(Debug, Default)]
pub struct Account(pub BTreeMap<Of, Sum>);

impl Account {
    /// Counts a call.
    pub fn count(&mut self, record: &Record) {
        let of = Of {
            authority: record.authority.map(|cvr| cvr.to_string()),
            service: record.service.clone(),
            operation: record.operation.clone(),
            legal_basis: record.legal_basis.clone(),
            purpose: record.purpose.clone(),
            outcome: record.outcome.map_or("unfinished", Outcome::name),
            refusal: record.refusal.clone(),
        };
        let sum = self.0.entry(of).or_default();
        sum.calls += 1;
        sum.persons_named += record.persons.len() as u64 + record.persons_left_out;
        if let Some((released, removed)) = record.about.counts() {
            sum.objects_released += released.objects.values().sum::<u64>();
            sum.objects_removed += removed.objects.values().sum::<u64>();
            sum.fields_removed += removed.fields.values().sum::<u64>();
        }
    }
}
