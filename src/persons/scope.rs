//! What an agreement lets its caller import.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Time;

use crate::clock::copenhagen;
use crate::id::cvr::Cvr;

/// What an agreement lets its caller import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The authority that is the data controller. Institutions are an authority's own: of two that name the same InstitutionsID1
    /// neither sees anything of the other's persons.
    pub authority: Cvr,
    /// The institutions (InstitutionsID1) that it covers.
    pub institutions: BTreeSet<String>,
    /// Between which times of the day, in Copenhagen, persons are to come; the second may be past midnight. None: at any time.
    /// Outside them each person is taken with a warning.
    pub times: Option<(Time, Time)>,
    /// How many months after it became inactive a person is erased. None: as it was said last; not by itself where it was never said.
    pub erase_after_months: Option<u16>,
}

impl Scope {
    /// Whether an institution is covered.
    pub fn covers(&self, institution: &str) -> bool {
        self.institutions.contains(institution)
    }

    /// Whether persons are to come at this instant.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let (Some((from, to)), Some(zone)) = (self.times, copenhagen()) else { return true };
        let time = at.to_zoned(zone).time();
        if from <= to { from <= time && time < to } else { from <= time || time < to }
    }

    /// The name under which an institution's persons are kept.
    pub(super) fn home(&self, institution: &str) -> String {
        format!("{}/{institution}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agreed_times_are_those_of_clocks_in_copenhagen_and_may_pass_midnight() {
        let scope = |from: i8, to: i8| Scope {
            authority: "11111111".parse().unwrap(),
            institutions: BTreeSet::new(),
            times: Some((jiff::civil::time(from, 0, 0, 0), jiff::civil::time(to, 0, 0, 0))),
            erase_after_months: None,
        };
        for (at, day, night) in [
            ("2026-11-29T05:00:00Z", true, false), // 6 o'clock in winter
            ("2026-11-29T04:59:59Z", false, true),
            ("2026-06-29T04:00:00Z", true, false), // 6 o'clock in summer
            ("2026-11-29T21:00:00Z", false, true),
        ] {
            let at = at.parse().unwrap();
            assert_eq!((scope(6, 22).is_open(at), scope(22, 6).is_open(at)), (day, night), "{at}");
        }
    }
}
