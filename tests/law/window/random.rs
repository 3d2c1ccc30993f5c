//! Large random expressions, dates at every edge, and bytes at random.

use hjemmel::services::terminaladgang::law::dates::read;
use hjemmel::services::terminaladgang::law::kle::Constraint;
use hjemmel::services::terminaladgang::law::request::Outcome;
use hjemmel::services::terminaladgang::law::rules::Naive;
use jiff::Timestamp;
use proptest::prelude::*;

use super::exhaustive::xml;
use super::reference::{Expected, Kind, Place, Written, expected};
use crate::request::*;

fn place() -> impl Strategy<Value = (Kind, Place)> {
    let kind = prop_oneof![Just(Kind::Point), Just(Kind::Interval)];
    // Weighted, so that large trees are accepted now and then.
    let place = prop_oneof![6 => Just(Place::InW), 2 => Just(Place::Silent), 1 => Just(Place::BeyondW)];
    (kind, place)
}

fn payments() -> impl Strategy<Value = Written> {
    prop_oneof![
        3 => Just(Written::Payments(vec![(Kind::Interval, Place::InW)])),
        1 => Just(Written::Payments(vec![])),
        2 => prop::collection::vec(place(), 0..4).prop_map(Written::Payments),
    ]
}

fn expressions() -> impl Strategy<Value = Written> {
    payments().prop_recursive(8, 200, 6, |inner| {
        let several = prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            several.clone().prop_map(Written::All),
            several.prop_map(Written::Some),
            inner.prop_map(|operand| Written::Negated(vec![operand])),
        ]
    })
}

/// Expressions as honest clients make them: all searches alike, dated or not, few NOTs.
fn uniform() -> impl Strategy<Value = Written> {
    let leaf = any::<bool>().prop_map(|_| Written::Payments(vec![]));
    let shape = leaf.prop_recursive(6, 100, 5, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..5);
        prop_oneof![3 => several.clone().prop_map(Written::All), 3 => several.prop_map(Written::Some), 1 => inner.prop_map(|one| Written::Negated(vec![one]))]
    });
    (shape, any::<bool>()).prop_map(|(shape, dated)| if dated { date_all(&shape) } else { shape })
}

fn date_all(written: &Written) -> Written {
    let each = |operands: &[Written]| operands.iter().map(date_all).collect();
    match written {
        Written::All(operands) => Written::All(each(operands)),
        Written::Some(operands) => Written::Some(each(operands)),
        Written::Negated(operands) => Written::Negated(each(operands)),
        Written::Person => Written::Person,
        Written::Payments(_) => Written::Payments(vec![(Kind::Interval, Place::InW)]),
    }
}

/// The row of operands beside the person, with the person put in among them.
fn with_person(row: Vec<Written>, at: usize, nested: bool) -> Written {
    let mut operands = row;
    let person = if nested { Written::All(vec![Written::Person]) } else { Written::Person };
    operands.insert(at % (operands.len() + 1), person);
    Written::All(operands)
}

fn agrees(written: &Written) -> Result<(), TestCaseError> {
    let answer = ask(&search(&xml(written)));
    let expects = expected(written);
    prop_assert_eq!(answer.is_ok(), expects != Expected::Refused, "{:?}", &answer);
    let Ok(first) = answer else { return Ok(()) };
    prop_assert_eq!(first.outcome() == Outcome::Inserted, matches!(expects, Expected::Inserted { .. }));
    // What is sent parses, reads as the same search, and is delimited everywhere.
    let again =
        ask(forwarded(&first)).map_err(|refusal| TestCaseError::fail(format!("sent, and refused when read: {refusal}")))?;
    prop_assert_eq!(again.outcome(), Outcome::Unchanged);
    prop_assert_eq!(forwarded(&again), forwarded(&first));
    prop_assert_eq!(again.person(), first.person());
    if first.outcome() == Outcome::Unchanged {
        prop_assert_eq!(again.asked_windows(), first.asked_windows());
    }
    Ok(())
}

/// Dates around every edge of W and of the calendar, written in many ways.
fn date_text() -> impl Strategy<Value = String> {
    let offset = prop_oneof![
        Just(""),
        Just("Z"),
        Just("+00:00"),
        Just("-00:00"),
        Just("+01:00"),
        Just("+02:00"),
        Just("+14:00"),
        Just("-14:00"),
        Just("+05:45"),
    ];
    (local_text(), offset).prop_map(|(local, offset)| local + offset)
}

/// The same without an offset.
fn local_text() -> impl Strategy<Value = String> {
    let day = prop_oneof![
        Just("2026-07-31"),
        Just("2026-08-01"),
        Just("2026-08-02"),
        Just("2026-10-25"),
        Just("2026-11-30"),
        Just("2026-12-01"),
        Just("2026-12-02"),
        Just("2026-03-29"),
        Just("2024-02-29"),
        Just("2026-02-28"),
        Just("0001-01-01"),
        Just("9999-12-31"),
        Just("2026-10-31"),
        Just("2026-11-01"),
    ];
    let time = prop_oneof![
        Just("00:00:00"),
        Just("24:00:00"),
        Just("23:59:59"),
        Just("02:30:00"),
        Just("02:00:00"),
        Just("03:00:00"),
        Just("22:00:00"),
        Just("23:00:00"),
        Just("10:00:00"),
        Just("13:59:59"),
    ];
    let fraction = prop_oneof![4 => Just(""), 1 => Just(".000"), 1 => Just(".001"), 1 => Just(".999"), 1 => Just(".9999999"), 1 => Just(".0000001")];
    (day, time, fraction).prop_map(|(day, time, fraction)| format!("{day}T{time}{fraction}"))
}

/// Cases a property: `HJEMMEL_CASES`, or few enough for every run.
fn cases() -> u32 {
    std::env::var("HJEMMEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn large_expressions_agree_with_the_second_opinion(row in prop::collection::vec(expressions(), 0..4), at in any::<usize>(), nested in any::<bool>()) {
        agrees(&with_person(row, at, nested))?;
    }

    #[test]
    fn large_uniform_expressions_agree_with_the_second_opinion(row in prop::collection::vec(uniform(), 0..4), at in any::<usize>(), nested in any::<bool>()) {
        agrees(&with_person(row, at, nested))?;
    }

    #[test]
    fn an_interval_is_accepted_only_if_it_lies_in_w_under_every_reading(from in date_text(), to in date_text()) {
        let answer = ask(&search(&and(&[&person(), &delimited(&from, &to)])));
        let (w_from, w_to): (Timestamp, Timestamp) = (FROM.parse().unwrap(), TO.parse().unwrap());
        let inside = match (read(&from, Naive::Copenhagen), read(&to, Naive::Copenhagen)) {
            (Some(from), Some(to)) => w_from <= from.earliest() && to.latest() <= w_to && from.earliest() < to.latest(),
            _ => false,
        };
        prop_assert_eq!(answer.is_ok(), inside, "{:?}", answer);
        if let Ok(asked) = answer {
            prop_assert!(forwarded(&asked).contains(&format!(">{from}<")) && forwarded(&asked).contains(&format!(">{to}<")), "never altered");
        }
    }

    /// jiff's own parser is the oracle for dates with an offset that both understand.
    #[test]
    fn a_date_with_an_offset_is_the_instant_that_another_parser_reads(date in date_text()) {
        let Some(readings) = read(&date, Naive::Refuse) else { return Ok(()) };
        prop_assert!(readings.earliest() <= readings.latest());
        if let Ok(other) = date.parse::<Timestamp>() {
            prop_assert!(readings.earliest() <= other && other <= readings.latest(), "{} is {other}", date);
            prop_assert!(readings.latest().as_millisecond() - readings.earliest().as_millisecond() <= 1);
        }
    }

    #[test]
    fn a_date_without_an_offset_is_bracketed_by_both_of_copenhagens_offsets(date in local_text()) {
        prop_assert_eq!(read(&date, Naive::Refuse), None);
        let Some(naive) = read(&date, Naive::Copenhagen) else { return Ok(()) };
        if date.starts_with("2026") {
            let (summer, winter) = (read(&format!("{date}+02:00"), Naive::Refuse).unwrap(), read(&format!("{date}+01:00"), Naive::Refuse).unwrap());
            prop_assert!(summer.earliest() <= naive.earliest() && naive.latest() <= winter.latest());
            prop_assert!([summer.earliest(), winter.earliest()].contains(&naive.earliest()));
            prop_assert!([summer.latest(), winter.latest()].contains(&naive.latest()));
        }
    }

    #[test]
    fn narrowing_never_widens_and_always_ends_inside(from in date_text(), to in date_text()) {
        let narrow = rules("outside = \"narrow\"");
        let xml = search(&and(&[&person(), &delimited(&from, &to)]));
        if let Ok(narrowed) = ask_with(&xml, &narrow, &Constraint::unconstrained()) {
            let strict = ask(forwarded(&narrowed));
            prop_assert!(strict.is_ok(), "what was narrowed passes the strict policy: {strict:?}");
            prop_assert_eq!(narrowed.outcome() == Outcome::Unchanged, ask(&xml).is_ok());
        } else {
            prop_assert!(ask(&xml).is_err());
        }
    }

    /// A date is read whole or not at all: no text near one is taken for one by accident, and none panics.
    #[test]
    fn texts_near_a_date_never_panic_and_are_dates_only_if_they_look_like_one(date in date_text(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let mut near: Vec<char> = date.chars().collect();
        let at = at.index(near.len());
        near[at] = with;
        let near: String = near.into_iter().collect();
        if read(&near, Naive::Copenhagen).is_some() {
            prop_assert!(near.bytes().all(|byte| byte.is_ascii_digit() || b"-:T.Z+".contains(&byte)), "{near:?}");
        }
    }

    /// A request with one piece torn out or doubled is refused or is still bound to the person and to W.
    #[test]
    fn torn_requests_are_refused_or_still_bound(from in any::<prop::sample::Index>(), length in 1_usize..120, doubled in any::<bool>()) {
        let whole = search(&and(&[&person(), &inside(), &or(&[&effectuation(&properties(&point(FROM)), &kle("32.03.04")), &inside()])]));
        let from = from.index(whole.len());
        let (Some(head), Some(piece), Some(tail)) = (whole.get(..from), whole.get(from..(from + length).min(whole.len())), whole.get((from + length).min(whole.len())..)) else { return Ok(()) };
        let torn = if doubled { [head, piece, piece, tail].concat() } else { [head, tail].concat() };
        if let Ok(served) = ask(&torn) {
            prop_assert_eq!(served.person().expose().len(), 10);
            let again = ask(forwarded(&served)).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
            prop_assert_eq!(again.outcome(), Outcome::Unchanged);
        }
    }
}
