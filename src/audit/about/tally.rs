//! What is counted of calls in a service's own words. The metrics add it up, and know none of the words.

use crate::audit::record::Record;

/// A family of counters: one for each service and each value of its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// As Prometheus sees it.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Its label beside `service`.
    pub label: &'static str,
}

impl Family {
    pub(super) fn add<'r>(self, value: &'r str, by: u64) -> Tally<'r> {
        Tally { family: self, value, by }
    }
}

/// What a call adds to a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Tally<'r> {
    pub family: Family,
    /// The value of its label. Others wrote some of them: not to be a label's value as it stands.
    pub value: &'r str,
    /// How much.
    pub by: u64,
}

impl Record {
    /// What the call adds to the families of its service, whatever way it came. For a record that closes a call.
    pub fn tallies(&self) -> Vec<Tally<'_>> {
        let vouchers = self.about.vouchers().map(|figures| figures.tallies(self));
        let persons = self.about.persons().map(|about| about.tallies(self));
        vouchers.into_iter().chain(persons).flatten().collect()
    }
}
