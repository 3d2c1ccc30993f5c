//! The rules, by an oracle that does not read the delivery: what is planted is what must be found.

use std::collections::{BTreeMap, BTreeSet};

use hjemmel::id::cpr::TestNumbers;
use hjemmel::services::finance::rules::mode::{Mode, Modes, RULES, Rules};
use hjemmel::services::finance::rules::sortiment::{Entry, List, Lists, Part};
use hjemmel::services::finance::rules::trial::{Opening, Openings};
use hjemmel::services::finance::rules::{Against, MOST, Severity, Verdict, judge};
use hjemmel::stub::finance::sample::{FUNCTIONS, KINDS, LIST, Posting, Sample, VERSION, VERSION_FROM, Voucher, kroner};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::gateway::texts;
use super::parties;
use crate::world::parsed;

/// The samples' value list: "Art" demands no party, "Ydelse" does; one code ended, one has not begun.
pub fn list() -> List {
    let entry = |code: &str| (code.to_owned(), Entry { name: format!("kode {code}"), ..Entry::default() });
    let mut art: BTreeMap<String, Entry> = KINDS.iter().map(|code| entry(code)).collect();
    art.insert("ended".to_owned(), Entry { to: Some(date(2026, 11, 26)), ..Entry::default() });
    art.insert("to-come".to_owned(), Entry { from: Some(date(2026, 11, 28)), ..Entry::default() });
    let functions = FUNCTIONS.iter().map(|code| entry(code)).collect();
    let parts = [
        ("Art", Part { codes: art, supplement: true, ..Part::default() }),
        ("Funktion", Part { codes: functions, ..Part::default() }),
        ("Ydelse", Part { party: true, codes: [entry("hjælp")].into(), ..Part::default() }),
    ];
    List {
        id: LIST,
        name: "Sociale ydelser".to_owned(),
        version: VERSION.to_owned(),
        from: VERSION_FROM.parse().unwrap(),
        to: Some(date(2026, 12, 31)),
        authority: None,
        parts: parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect(),
    }
}

fn judged_against(sample: &Sample, modes: &Modes, lists: Option<&Lists>, trials: bool) -> Verdict {
    let document = parsed(sample.delivery().as_bytes());
    let parties = parties();
    let against = Against { modes, lists, caller: parties.sender, system: Some(parties.system), trials };
    judge(document.root(), against).unwrap().1
}

fn judged_with(sample: &Sample, modes: &Modes, lists: Option<&Lists>) -> Verdict {
    judged_against(sample, modes, lists, true)
}

fn judged(sample: &Sample) -> Verdict {
    judged_with(sample, &Modes::default(), Some(&Lists::new([list()]).unwrap()))
}

fn codes(verdict: &Verdict) -> BTreeSet<&'static str> {
    verdict.findings.iter().map(|finding| finding.rule.code()).collect()
}

pub type Plant = fn(&mut Sample);

/// One fault that can be planted in a voucher with at least two postings, and the code that must come of it alone.
pub const FAULTS: [(&str, Plant); 27] = [
    ("FB001", |sample| sample.sender = "22222222".to_owned()),
    ("FB001", |sample| sample.system = LIST.to_string()),
    ("FB002", |sample| sample.list[0] = "00000000-0000-4000-8000-000000000000".to_owned()),
    ("FB002", |sample| sample.list[2] = "2025.9".to_owned()),
    ("FB002", |sample| sample.list[3] = "2026-01-02".to_owned()),
    ("FB002", |sample| sample.vouchers[0].date = "2025-12-31".to_owned()),
    ("FB002", |sample| sample.vouchers[0].date = "2027-01-01".to_owned()),
    ("FB003", |sample| sample.control[0] = Some((sample.vouchers.len() + 1).to_string())),
    ("FB003", |sample| sample.control[1] = Some("1".to_owned())),
    ("FB004", |sample| sample.control[2] = Some("0.01".to_owned())),
    ("FB005", |sample| sample.control[3] = Some("9999999999999999.99".to_owned())),
    ("FB010", |sample| sample.vouchers[0].postings[0].amount = "77777777777.77".to_owned()),
    ("FB010", |sample| sample.vouchers[0].postings[0].side = "K"),
    ("FB011", |sample| both(sample, "5.5")),
    ("FB011", |sample| both(sample, "5")),
    ("FB011", |sample| sample.control[2] = Some(short(sample))),
    ("FB013", |sample| {
        let again = sample.vouchers[0].clone();
        sample.vouchers.push(again);
    }),
    ("FB014", |sample| sample.vouchers[0].postings[1].number = sample.vouchers[0].postings[0].number.clone()),
    ("FB014", |sample| sample.vouchers[0].postings[0].number = "999999999".to_owned()),
    ("FB015", |sample| both(sample, "0.00")),
    ("FB020", |sample| code(sample, "Art", "4711")),
    ("FB020", |sample| code(sample, "Ukendt", KINDS[0])),
    ("FB021", |sample| code(sample, "Art", "ended")),
    ("FB021", |sample| code(sample, "Art", "to-come")),
    ("FB040", |sample| {
        code(sample, "Ydelse", "hjælp");
        sample.vouchers[0].postings[0].rest.clear();
    }),
    ("FB040", |sample| party(sample, "urn:oio:cpr-nr:3102801234")),
    ("FB040", |sample| party(sample, "urn:oio:cvr-nr:01234567")),
];

/// The first voucher as two postings of this amount.
fn both(sample: &mut Sample, amount: &str) {
    let voucher = &mut sample.vouchers[0];
    voucher.postings.truncate(1);
    let other = Posting { number: "7".to_owned(), side: "K", rest: Vec::new(), ..voucher.postings[0].clone() };
    voucher.postings.push(other);
    voucher.postings.iter_mut().for_each(|posting| posting.amount = amount.to_owned());
}

/// All vouchers become one of whole kroner, and the sum is written without decimals.
fn short(sample: &mut Sample) -> String {
    both(sample, "100.00");
    sample.vouchers.truncate(1);
    "100".to_owned()
}

fn code(sample: &mut Sample, part: &str, code: &str) {
    sample.vouchers[0].postings[0].codes.push([part.to_owned(), code.to_owned(), String::new()]);
}

fn party(sample: &mut Sample, party: &str) {
    sample.vouchers[0].postings[0].rest = vec![("Part", party.to_owned())];
}

#[test]
fn a_delivery_without_a_fault_is_passed_on_and_counted() {
    for seed in 0..100 {
        let sample = Sample::ordinary(seed, &parties(), 5);
        let verdict = judged(&sample);
        assert_eq!((verdict.findings.len(), verdict.left_out), (0, 0), "{seed}: {:?}", verdict.findings);
        assert_eq!(verdict.totals.vouchers, 5);
        assert_eq!(verdict.totals.postings, sample.vouchers.iter().map(|voucher| voucher.postings.len() as u64).sum::<u64>());
        assert_eq!(verdict.totals.debit, verdict.totals.credit);
    }
    let boundaries = judged_with(&Sample::boundaries(1, &parties()), &Modes::default(), None);
    assert!(boundaries.findings.is_empty(), "{:?}", boundaries.findings);
}

#[test]
fn each_planted_fault_is_found_as_what_it_is_and_nothing_else_is() {
    for (at, (code, plant)) in FAULTS.iter().enumerate() {
        for seed in 0..20 {
            let mut sample = Sample::ordinary(seed, &parties(), 3);
            plant(&mut sample);
            let verdict = judged(&sample);
            assert_eq!(codes(&verdict), [*code].into(), "fault {at}, seed {seed}: {:?}", verdict.findings);
            let default = RULES.iter().find(|(rule, _)| rule == code).unwrap().1;
            assert_eq!(verdict.refused().is_some(), default == Mode::Refuse, "{code}");
        }
    }
    // What earlier deliveries were is not in a delivery: see `deliveries`.
    let planted: BTreeSet<&str> = FAULTS.iter().map(|(code, _)| *code).chain(["FB016", "FB031"]).collect();
    assert_eq!(planted, RULES.iter().map(|(rule, _)| *rule).collect(), "every rule that can be set has a fault of its own here");
}

/// The large one sums to more øre than a binary fraction tells one by one.
#[test]
fn a_sum_a_balance_and_a_count_that_are_one_off_are_found_however_large_they_are() {
    let small = Sample::ordinary(11, &parties(), 3);
    let mut large = Sample::ordinary(12, &parties(), 1);
    both(&mut large, "99999999999.99");
    let voucher = large.vouchers.remove(0);
    large.vouchers.extend((0..2_000).map(|at| Voucher { id: format!("00000000-0000-4000-8000-{at:012}"), ..voucher.clone() }));
    for sample in [small, large] {
        assert_eq!(codes(&judged(&sample)), BTreeSet::new());
        let xml = sample.delivery();
        for (at, (name, code)) in
            [("AntalBilag", "FB003"), ("AntalPosteringer", "FB003"), ("SumDebet", "FB004"), ("SumKredit", "FB005")]
                .iter()
                .enumerate()
        {
            let stated = texts(&xml, name).remove(0);
            let least: u64 = stated.replace('.', "").parse().unwrap();
            for other in [least - 1, least + 1] {
                let mut sample = sample.clone();
                sample.control[at] = Some(if stated.contains('.') { kroner(other) } else { other.to_string() });
                assert_eq!(codes(&judged(&sample)), [*code].into(), "{name} is {stated}");
            }
        }
        let mut sample = sample;
        let credit = sample.vouchers[0].postings.last_mut().unwrap();
        credit.amount = kroner(credit.amount.replace('.', "").parse::<u64>().unwrap() - 1);
        assert_eq!(codes(&judged(&sample)), ["FB010"].into(), "the sums are of what is there");
    }
}

#[test]
fn a_test_may_have_amounts_of_nothing() {
    let mut sample = Sample::ordinary(1, &parties(), 2);
    both(&mut sample, "0.00");
    sample.trial = true;
    assert!(judged(&sample).findings.is_empty());
}

#[test]
fn a_test_outside_the_time_for_tests_is_refused_whatever_is_set_and_no_other_delivery_is() {
    let off = Modes::new(RULES.iter().map(|(rule, _)| (*rule, Mode::Off)).collect());
    let mut sample = Sample::ordinary(1, &parties(), 2);
    assert!(judged_against(&sample, &off, None, false).findings.is_empty());
    sample.trial = true;
    let verdict = judged_against(&sample, &off, None, false);
    assert_eq!((codes(&verdict), verdict.findings.len()), (["FB006"].into(), 1));
    assert!(verdict.refused().is_some());
    assert!(judged_against(&sample, &off, None, true).findings.is_empty());
}

#[test]
fn a_time_for_tests_begins_with_its_first_instant_and_ends_before_its_last_and_is_the_authority_s_own() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let (from, to) = (at("2026-12-01T07:00:00Z"), at("2026-12-01T15:00:00Z"));
    assert_eq!((Opening::new(to, from), Opening::new(from, from)), (None, None));
    let (own, other) = (parties().sender, parties().receiver);
    let openings = Openings::new([(own, Opening::new(from, to).unwrap())]);
    let open = ["2026-12-01T06:59:59.999Z", "2026-12-01T07:00:00Z", "2026-12-01T14:59:59.999Z", "2026-12-01T15:00:00Z"]
        .map(|instant| openings.are_open(&own, at(instant)));
    assert_eq!(open, [false, true, true, false]);
    assert!(!openings.are_open(&other, from) && !Openings::default().are_open(&own, from));
}

#[test]
fn white_space_around_a_number_and_cdata_change_nothing() {
    let sample = Sample::ordinary(3, &parties(), 2);
    let amount = &sample.vouchers[0].postings[0].amount;
    let (written, id) = (format!("<fb:Beloeb>{amount}</fb:Beloeb>"), &sample.vouchers[0].id);
    let odd = sample.delivery().replace(&written, &format!("<fb:Beloeb>\n {amount}\t</fb:Beloeb>"));
    let odd = odd.replace(&format!("<fb:BilagID>{id}"), &format!("<fb:BilagID><![CDATA[{}]]>{}", &id[..8], &id[8..]));
    let document = parsed(odd.as_bytes());
    let (parties, modes) = (parties(), Modes::default());
    let against = Against { modes: &modes, lists: None, caller: parties.sender, system: Some(parties.system), trials: true };
    assert_eq!(judge(document.root(), against).unwrap().1, judged_with(&sample, &modes, None));
}

#[test]
fn each_rule_refuses_warns_or_is_silent_as_it_is_set() {
    let lists = Lists::new([list()]).unwrap();
    for (code, plant) in FAULTS {
        let mut sample = Sample::ordinary(9, &parties(), 2);
        plant(&mut sample);
        let of = |mode| {
            judged_with(
                &sample,
                &Modes::new([(RULES.iter().find(|(rule, _)| *rule == code).unwrap().0, mode)].into()),
                Some(&lists),
            )
        };
        let severities = |verdict: &Verdict| verdict.findings.iter().map(|finding| finding.severity).collect::<BTreeSet<_>>();
        assert_eq!(severities(&of(Mode::Refuse)), [Severity::Error].into(), "{code}");
        assert_eq!(severities(&of(Mode::Warn)), [Severity::Warning].into(), "{code}");
        assert_eq!(severities(&of(Mode::Off)), BTreeSet::new(), "{code}");
    }
}

#[test]
fn at_most_twenty_are_told_the_errors_first_and_the_rest_is_counted() {
    let mut sample = Sample::ordinary(5, &parties(), 60);
    for (at, voucher) in sample.vouchers.iter_mut().enumerate() {
        match at % 2 {
            0 => voucher.postings[0].codes.push(["Art".to_owned(), format!("x{at}"), String::new()]),
            _ => voucher.postings[0].side = "K",
        }
    }
    let verdict = judged(&sample);
    assert_eq!((verdict.findings.len(), verdict.left_out), (MOST, 40));
    assert!(verdict.findings.iter().all(|finding| finding.severity == Severity::Error));
}

#[test]
fn no_text_says_what_may_be_a_person_s_number() {
    for person in ["6101801234", "610180-1234", "610180 1234", "A6101801234B", "99 610180-1234"] {
        let mut sample = Sample::ordinary(1, &parties(), 1);
        code(&mut sample, person, person);
        party(&mut sample, "urn:oio:cpr-nr:3102801234");
        sample.list[2] = person.to_owned();
        let with = |sample: &Sample| {
            format!(
                "{:?}",
                judged(sample).findings.iter().map(|finding| (finding.rule.entry(), &finding.place)).collect::<Vec<_>>()
            )
        };
        let unknown_version = with(&sample);
        sample.list[2] = VERSION.to_owned();
        for told in [unknown_version, with(&sample)] {
            for number in ["6101801234", "610180", "3102801234"] {
                assert!(!told.contains(number), "{told}");
            }
        }
    }
}

#[test]
fn the_list_is_judged_by_the_voucher_s_date_to_the_day() {
    let holds = |day: Date| {
        let mut sample = Sample::ordinary(1, &parties(), 1);
        sample.vouchers[0].date = day.to_string();
        code(&mut sample, "Art", "ended");
        codes(&judged(&sample))
    };
    assert_eq!(holds(date(2025, 12, 31)), ["FB002"].into());
    assert_eq!(holds(date(2026, 1, 1)), BTreeSet::new());
    assert_eq!(holds(date(2026, 11, 26)), BTreeSet::new(), "the last day is included");
    assert_eq!(holds(date(2026, 11, 27)), ["FB021"].into());
    assert_eq!(holds(date(2026, 12, 31)), ["FB021"].into());
    assert_eq!(holds(date(2027, 1, 1)), ["FB002"].into());
}

#[test]
fn an_authority_s_own_codes_hold_for_it_alone() {
    let supplement = |authority: &str| List {
        authority: Some(authority.parse().unwrap()),
        parts: [("Art".to_owned(), Part { codes: [("egen".to_owned(), Entry::default())].into(), ..Part::default() })].into(),
        ..list()
    };
    let mut sample = Sample::ordinary(1, &parties(), 1);
    code(&mut sample, "Art", "egen");
    for (authority, expected) in [(parties().sender.to_string(), BTreeSet::new()), ("99999981".to_owned(), ["FB020"].into())] {
        let lists = Lists::new([list(), supplement(&authority)]).unwrap();
        assert_eq!(codes(&judged_with(&sample, &Modes::default(), Some(&lists))), expected);
    }
}

#[test]
fn a_version_holds_until_the_end_of_its_last_day_whoever_s_day_it_is() {
    let until = |to: &str| Lists::new([List { to: Some(to.parse().unwrap()), ..list() }]).unwrap();
    let sample = Sample::ordinary(1, &parties(), 2);
    let dates: BTreeSet<&str> = sample.vouchers.iter().map(|voucher| voucher.date.as_str()).collect();
    let last = dates.last().unwrap();
    let day: Date = last.parse().unwrap();
    let found = |lists: &Lists| codes(&judged_with(&sample, &Modes::default(), Some(lists)));
    assert_eq!(found(&until(last)), BTreeSet::new());
    assert_eq!(found(&until(&day.yesterday().unwrap().to_string())), ["FB002"].into(), "it ended yesterday");
}

#[test]
fn of_an_authority_s_supplements_the_one_holds_that_began_last() {
    let own = |code: &str, from: &str, to: Option<&str>| List {
        authority: Some(parties().sender),
        from: from.parse().unwrap(),
        to: to.map(|to| to.parse().unwrap()),
        parts: [("Art".to_owned(), Part { codes: [(code.to_owned(), Entry::default())].into(), ..Part::default() })].into(),
        ..list()
    };
    let lists = Lists::new([
        list(),
        own("egen", "2026-02-01", None),
        own("ny", "2026-06-01", Some("2026-11-29")),
        own("senere", "2026-12-01", None),
    ])
    .unwrap();
    let found = |kode: &str, date: &str| {
        let mut sample = Sample::ordinary(1, &parties(), 1);
        code(&mut sample, "Art", kode);
        sample.vouchers[0].date = date.to_owned();
        codes(&judged_with(&sample, &Modes::default(), Some(&lists)))
    };
    let none = BTreeSet::new();
    assert_eq!(found("egen", "2026-05-31"), none);
    assert_eq!(found("egen", "2026-06-01"), ["FB021"].into(), "another took its place");
    assert_eq!(found("ny", "2026-05-31"), ["FB021"].into(), "not begun");
    assert_eq!(found("ny", "2026-11-29"), none);
    assert_eq!(found("ny", "2026-11-30"), ["FB021"].into(), "ended, and the one before does not come back");
    assert_eq!(found("egen", "2026-11-30"), ["FB021"].into());
    assert_eq!(found("senere", "2026-12-01"), none);
    assert_eq!(found("aldrig", "2026-12-01"), ["FB020"].into());
    let early = Lists::new([list(), own("egen", "2025-12-31", None)]).unwrap_err().join("");
    assert!(early.contains("begins on a day on which the common list does not hold"), "{early}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any choice of faults, each in a voucher of its own: the codes that come are those that were planted.
    #[test]
    fn what_is_planted_is_what_is_found(seed: u64, chosen in proptest::collection::btree_set(11..FAULTS.len(), 0..8)) {
        let mut sample = Sample::ordinary(seed, &parties(), 1);
        let mut expected = BTreeSet::new();
        for at in chosen.into_iter().filter(|at| !(15..=16).contains(at)) {
            let (code, plant) = FAULTS[at];
            let mut one = Sample::ordinary(seed ^ at as u64, &parties(), 1);
            plant(&mut one);
            sample.vouchers.extend(one.vouchers);
            expected.insert(code);
        }
        prop_assert_eq!(codes(&judged(&sample)), expected);
    }
}

/// One is of day 61, the other a person's who is born in 2057.
#[test]
fn among_tests_a_party_whose_number_may_be_somebodys_is_refused_whatever_is_set() {
    let rules = Rules::new(Modes::new([("FB040", Mode::Off)].into()), Default::default());
    for (number, tests, due) in [
        ("6101801234", true, BTreeSet::new()),
        ("0101575234", true, BTreeSet::from(["FB041"])),
        ("0101575234", false, BTreeSet::new()),
    ] {
        let rules = rules.of_tests(tests.then(TestNumbers::default).as_ref());
        let mut sample = Sample::ordinary(9, &parties(), 2);
        party(&mut sample, &format!("urn:oio:cpr-nr:{number}"));
        let verdict = judged_with(&sample, rules.of(&parties().sender), None);
        assert_eq!(codes(&verdict), due, "{number} {tests}");
        assert_eq!(verdict.refused().is_some(), !due.is_empty());
        assert!(verdict.findings.iter().all(|finding| !finding.rule.entry().da.what.contains(number)));
    }
}
