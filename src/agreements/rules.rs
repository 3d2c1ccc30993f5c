//! What each service's owner has set for its agreements: whether new ones may be asked for, how they are ended, and the rules that
//! they are approved under.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use jiff::{Span, Timestamp, Zoned, tz::TimeZone};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::basis::Contract;
use super::model::Environment;
use crate::clock::copenhagen;
use crate::id::cvr::Cvr;

/// The environment in which an agreement may hold on trial.
pub const TRIAL: &str = "exttest";

/// What is set for one service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// What the configuration calls it.
    pub name: Option<String>,
    /// SHA-256 of the rules or the contract that new agreements are approved under; none where it has none.
    pub basis: Option<String>,
    /// What that contract lets pass, where it is one.
    pub contract: Option<Contract>,
    /// The contract in force, where that is another.
    pub in_force: Option<Contract>,
    /// What the rules in force give beyond each earlier version of them, a line each, by its digest.
    pub widened: BTreeMap<String, Vec<String>>,
    /// The kinds of files that go by its agreements.
    pub inf_refs: Vec<String>,
    /// Those of them whose contents it judges by themselves, for a mailbox's data stream.
    pub judges: Vec<String>,
    /// Whether no new agreements may be asked for. Those that are there go on, and so do new versions of them.
    pub locked: bool,
    /// For how many months after it began an agreement cannot end.
    pub binding_months: u8,
    /// How many months ahead notice is given.
    pub notice_months: u8,
    /// The authorities on whose behalf a system may be connected for trial without their approval.
    pub trial: BTreeSet<Cvr>,
}

impl Rule {
    /// The earliest instant at which an agreement that began to hold at `began` may end, where notice is given at `at`: at once where the
    /// service has no terms, or from the midnight in Copenhagen after binding period and notice are over.
    pub fn earliest_end(&self, began: Timestamp, at: Timestamp) -> Timestamp {
        if self.binding_months == 0 && self.notice_months == 0 {
            return at;
        }
        let zone = copenhagen().unwrap_or(TimeZone::UTC);
        let later = |from: Timestamp, months: u8| {
            let later = from.to_zoned(zone.clone()).checked_add(Span::new().months(i64::from(months)))?;
            let midnight = later.start_of_day()?;
            if midnight == later { Ok(midnight) } else { midnight.checked_add(Span::new().days(1))?.start_of_day() }
        };
        let ends = [later(at, self.notice_months), later(began, self.binding_months)];
        let ends = ends.into_iter().map(|end: Result<Zoned, jiff::Error>| end.map_or(Timestamp::MAX, |end| end.timestamp()));
        ends.max().unwrap_or(at)
    }

    /// SHA-256 of the rules or the contract in force; none where it has none. New agreements may be approved under the next already.
    pub fn applied(&self) -> Option<&str> {
        self.in_force.as_ref().map(|contract| &contract.digest).or(self.basis.as_ref()).map(String::as_str)
    }

    /// Whether an agreement for this authority and environment holds without its approval.
    pub fn is_on_trial(&self, authority: Cvr, environment: &Environment) -> bool {
        environment.as_str() == TRIAL && self.trial.contains(&authority)
    }
}

/// What is set for the services, by UUID; exchanged by a reload.
#[derive(Debug, Default)]
pub struct Rules(RwLock<BTreeMap<Uuid, Rule>>);

impl Rules {
    /// As the configuration has them.
    pub fn new(rules: BTreeMap<Uuid, Rule>) -> Self {
        Self(RwLock::new(rules))
    }

    /// These from now on.
    pub fn replace(&self, rules: BTreeMap<Uuid, Rule>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Those of every service.
    pub fn all(&self) -> Vec<(Uuid, Rule)> {
        let rules = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rules.iter().map(|(service, rule)| (*service, rule.clone())).collect()
    }

    /// The first of these that is none of the services in the configuration. With none configured nothing is known of any.
    pub fn unknown(&self, services: &[Uuid]) -> Option<Uuid> {
        let rules = self.0.read().unwrap_or_else(PoisonError::into_inner);
        services.iter().copied().find(|service| !rules.is_empty() && !rules.contains_key(service))
    }

    /// Whether a service judges files of an InfRef by themselves, and no other service has files of the same.
    pub fn judge(&self, inf_ref: &str) -> bool {
        let inf_ref: String = inf_ref.nfc().collect();
        let rules = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut of = rules.values().filter(|rule| rule.inf_refs.contains(&inf_ref));
        of.next().is_some_and(|rule| rule.judges.contains(&inf_ref)) && of.next().is_none()
    }

    /// That of a service. One that is not in the configuration has no rules of its own.
    pub fn of(&self, service: Uuid) -> Rule {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&service).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bound for six months, three months' notice. Midnight in Copenhagen is 23:00 in winter and 22:00 in summer, UTC.
    #[test]
    fn an_agreement_ends_when_its_binding_and_its_notice_are_over_and_not_before() {
        let rule = Rule { binding_months: 6, notice_months: 3, ..Rule::default() };
        for (from, at, ends) in [
            // New: the binding period decides.
            ("2026-11-01T23:00:00Z", "2026-11-29T12:00:00Z", "2027-05-01T22:00:00Z"),
            // Old: the notice, from the midnight after it is over.
            ("2024-01-31T23:00:00Z", "2026-11-29T12:00:00Z", "2027-02-28T23:00:00Z"),
            // Three months after the last of November is the last of February.
            ("2024-01-31T23:00:00Z", "2026-11-29T23:00:00Z", "2027-02-27T23:00:00Z"),
        ] {
            let earliest = rule.earliest_end(from.parse().unwrap(), at.parse().unwrap());
            assert_eq!(earliest.to_string(), ends, "{from} {at}");
        }
        let at = "2026-11-29T12:00:00Z".parse().unwrap();
        assert_eq!(Rule::default().earliest_end("2026-11-01T23:00:00Z".parse().unwrap(), at), at);
    }

    #[test]
    fn a_service_judges_files_of_an_inf_ref_where_it_says_so_and_no_other_has_files_of_it() {
        let of = |inf_refs: &[&str], judges: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(ToString::to_string).collect();
            (Uuid::new_v4(), Rule { inf_refs: owned(inf_refs), judges: owned(judges), ..Rule::default() })
        };
        let rules = Rules::new([of(&["FILER", "SVAR", "L\u{d8}N_\u{e5}"], &["FILER", "L\u{d8}N_\u{e5}"])].into());
        assert!(rules.judge("FILER") && rules.judge("L\u{d8}N_a\u{30a}"));
        assert!(!rules.judge("SVAR") && !rules.judge("X_1"));
        rules.replace([of(&["FILER"], &["FILER"]), of(&["FILER"], &[])].into());
        assert!(!rules.judge("FILER"), "it is not known whose rule is meant");
    }

    #[test]
    fn a_trial_is_of_the_test_environment_and_the_authorities_that_allow_it() {
        let rule = Rule { trial: ["11111111".parse().unwrap()].into(), ..Rule::default() };
        let on_trial =
            |authority: &str, environment: &str| rule.is_on_trial(authority.parse().unwrap(), &environment.parse().unwrap());
        assert!(on_trial("11111111", "exttest"));
        assert!(!on_trial("11111111", "prod") && !on_trial("99999981", "exttest"));
    }
}
