//! What an agreement on person import says: which institutions, when, and how long a person's number is kept.

use jiff::civil::Time;
use serde::Deserialize;

use crate::agreements::{Agreement, ScopeKey};
use crate::persons::field::Field;
use crate::persons::scope::Scope;
use crate::refusal::{Detail, Refusal};

/// What an agreement is narrowed to, as a file says it.
pub const KEYS: &[ScopeKey] = &[
    ScopeKey { name: "institutions", what: "an InstitutionsID1 of 1 to 10 characters", fits: is_institution },
    ScopeKey {
        name: "import_times",
        what: "the one time of the day at which persons come, such as 02:00-05:00 (Copenhagen)",
        fits: |text| times(text).is_some(),
    },
    ScopeKey {
        name: "erase_after_months",
        what: "the one number of months, 1 to 120, after which a person who is no longer active is erased",
        fits: |text| months(text).is_some(),
    },
];

/// The same in the agreement's scope.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Narrowed {
    institutions: Vec<String>,
    import_times: Vec<String>,
    erase_after_months: Vec<String>,
}

fn is_institution(text: &str) -> bool {
    (1..=Field::InstitutionsID1.spec().longest).contains(&text.chars().count())
        && text.chars().all(|c| c.is_alphanumeric() || "-._/".contains(c))
}

/// `02:00-05:00`; the second may be past midnight.
fn times(text: &str) -> Option<(Time, Time)> {
    let time = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        (digits(hour) && digits(minute)).then_some(())?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    let (from, to) = text.split_once('-')?;
    let (from, to) = (time(from)?, time(to)?);
    (from != to).then_some((from, to))
}

fn months(text: &str) -> Option<u16> {
    text.parse().ok().filter(|months| (1..=120).contains(months) && !text.starts_with(['0', '+']))
}

/// What an agreement lets its caller import.
///
/// # Errors
/// [`Refusal::ServiceAgreementNotActive`], where it does not say which institutions and for how long numbers are kept, or is narrowed by
/// something else.
pub fn terms(agreement: &Agreement) -> Result<Scope, Refusal> {
    let narrowed: Narrowed = agreement.scope.to()?;
    let lacking = |da: &str, en: &str| Refusal::ServiceAgreementNotActive { state: Detail::new(da, en) };
    if narrowed.institutions.is_empty() || !narrowed.institutions.iter().all(|name| is_institution(name)) {
        return Err(lacking("den nævner ingen institutioner (institutions)", "it names no institutions (institutions)"));
    }
    let erase_after_months = match narrowed.erase_after_months.as_slice() {
        [one] => months(one),
        _ => None,
    };
    if erase_after_months.is_none() {
        return Err(lacking(
            "den siger ikke, hvor længe personer gemmes efter deaktivering (erase_after_months)",
            "it does not say for how long persons are kept after they became inactive (erase_after_months)",
        ));
    }
    let times = match narrowed.import_times.as_slice() {
        [] => None,
        [one] if times(one).is_some() => times(one),
        _ => return Err(lacking("dens tider kan ikke læses (import_times)", "its times cannot be read (import_times)")),
    };
    Ok(Scope {
        authority: agreement.authority,
        institutions: narrowed.institutions.into_iter().collect(),
        times,
        erase_after_months,
    })
}

/// Whether an agreement of this scope says all that an import needs.
pub fn applies(scope: &crate::agreements::Scope) -> bool {
    scope.to::<Narrowed>().is_ok_and(|narrowed| !narrowed.institutions.is_empty() && narrowed.erase_after_months.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_two_of_a_day_and_months_a_number_without_ornaments() {
        let at = |hour, minute| jiff::civil::time(hour, minute, 0, 0);
        assert_eq!(times("02:00-05:30"), Some((at(2, 0), at(5, 30))));
        assert_eq!(times("22:00-04:00"), Some((at(22, 0), at(4, 0))));
        for wrong in ["", "02:00", "2:00-5:00", "02:00-24:00", "02:00-02:00", "02:00-05:60", "02:00–05:00", "+2:00-05:00"] {
            assert_eq!(times(wrong), None, "{wrong}");
        }
        assert_eq!((months("1"), months("120")), (Some(1), Some(120)));
        for wrong in ["0", "121", "012", "+6", "6 ", "", "6.0"] {
            assert_eq!(months(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_institution_is_named_as_the_field_has_it() {
        for name in ["1234", "L-10/2", "a.b_c"] {
            assert!(is_institution(name), "{name}");
        }
        for name in ["", "12345678901", "a b", "=1"] {
            assert!(!is_institution(name), "{name}");
        }
    }
}
