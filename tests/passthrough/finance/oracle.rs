//! The rules told a second time, in Python (`tests/interop/finance_oracle.py`): for any delivery both find the same.
//!
//! Some deliveries are the same in each run, so that it is known what they meet; the others are other ones each time. The seed of these is
//! printed: `HJEMMEL_SEED=NUMBER cargo test --test passthrough python_finds -- --nocapture` judges them once more.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use hjemmel::id::cpr::TestNumbers;
use hjemmel::services::finance::rules::mode::{Mode, Modes, RULES, Rules};
use hjemmel::services::finance::rules::sortiment::{Entry, List, Lists, Part, xml};
use hjemmel::services::finance::rules::table::Rule;
use hjemmel::services::finance::rules::{Against, Severity, judge};
use hjemmel::stub::finance::sample::{KINDS, LIST, Sample, kroner};
use hjemmel::stub::random::Random;
use jiff::civil::date;
use uuid::Uuid;

use super::contract::judged;
use super::mutate::mutant;
use super::parties;
use super::rules::list;
use crate::not_run::did_not_run;
use crate::world::parsed;

/// A delivery in which chance changed some of everything that the rules look at.
fn torn(seed: u64) -> Sample {
    let mut random = Random::new(seed);
    let mut sample = Sample::ordinary(seed, &parties(), 1 + random.below(3));
    if random.chance(10) {
        sample.trial = true;
    }
    if random.chance(10) {
        sample.sender = (*random.pick(&["11111111", "99999981", "99999991"]).unwrap()).to_owned();
    }
    if random.chance(10) {
        sample.list[2] = (*random.pick(&["2026.1", "2026.2"]).unwrap()).to_owned();
    }
    if random.chance(10) {
        sample.list[3] = "2026-01-02".to_owned();
    }
    if random.chance(5) {
        sample.list[0] = random.pick(&[CLASS, Uuid::nil()]).unwrap().to_string();
    }
    if random.chance(4) {
        sample.system = CLASS.to_string();
    }
    // More than are told.
    if random.chance(3) {
        let voucher = sample.vouchers[0].clone();
        sample.vouchers.extend(vec![voucher; 25]);
    }
    for control in &mut sample.control {
        if random.chance(10) {
            *control = Some(random.below(7).to_string());
        }
    }
    if random.chance(10) {
        let again = sample.vouchers[0].clone();
        sample.vouchers.push(again);
    }
    for voucher in &mut sample.vouchers {
        if random.chance(30) {
            let days =
                ["2025-12-31", "2026-01-01", "2026-11-26", "2026-11-27", "2026-11-28", "2026-12-31", "2027-01-01", "2024-02-29"];
            voucher.date = (*random.pick(&days).unwrap()).to_owned();
        }
        for posting in &mut voucher.postings {
            match random.below(12) {
                0 => {
                    posting.amount =
                        (*random.pick(&["0", "0.0", "0.00", "5", "5.5", "05.50", "99999999999.99"]).unwrap()).to_owned()
                }
                1 => posting.side = random.pick(&["D", "K"]).copied().unwrap(),
                2 => posting.number = random.below(4).to_string(),
                3 => posting.amount = kroner(random.bits() % 10_000),
                4 | 5 => {
                    let codes = [
                        ("Art", "ended"),
                        ("Art", "to-come"),
                        ("Art", "4711"),
                        ("Art", "own"),
                        ("Art", "own-later"),
                        ("Art", KINDS[0]),
                        ("Ydelse", "hjælp"),
                        ("Ukendt", KINDS[0]),
                        ("Funktion", "5.48.67"),
                    ];
                    let (part, code) = *random.pick(&codes).unwrap();
                    let class = match random.below(4) {
                        0 => CLASS.to_string(),
                        1 => LIST.to_string(),
                        _ => String::new(),
                    };
                    posting.codes.push([part.to_owned(), code.to_owned(), class]);
                }
                6 => posting.rest.clear(),
                7 => {
                    let numbers = [
                        "cpr-nr:6101801234",
                        "cpr-nr:3102801234",
                        "cpr-nr:8902001234",
                        "cpr-nr:8902004234",
                        "cpr-nr:6113801234",
                        "cpr-nr:9204804234",
                        "cvr-nr:01234567",
                        "cvr-nr:11111111",
                        "pnr:0000000001",
                        "pnr:1000000001",
                    ];
                    let born = UNBORN.map(|number| format!("cpr-nr:{number}"));
                    let numbers: Vec<&str> = numbers.into_iter().chain(born.iter().map(String::as_str)).collect();
                    posting.rest = vec![("Part", format!("urn:oio:{}", random.pick(&numbers).unwrap()))];
                }
                _ => {}
            }
        }
    }
    sample
}

/// What the samples' list is beside: another version of it, one authority's supplements of each, and another list.
fn lists() -> Vec<List> {
    let coded = |part: &str, codes: Vec<(&str, Entry)>| {
        let codes = codes.into_iter().map(|(code, entry)| (code.to_owned(), entry)).collect();
        (part.to_owned(), Part { codes, ..Part::default() })
    };
    let mut common = list();
    let art = common.parts.get_mut("Art").unwrap();
    art.codes.get_mut(KINDS[0]).unwrap().class = Some(CLASS);
    let supplement = |version: &List, authority: &str, parts: Vec<(String, Part)>| List {
        authority: Some(authority.parse().unwrap()),
        parts: parts.into_iter().collect(),
        ..version.clone()
    };
    let own = coded(
        "Art",
        vec![
            ("own", Entry::default()),
            // The same code as the common list's, which ended, for longer.
            ("ended", Entry { from: Some(date(2026, 11, 27)), ..Entry::default() }),
            (KINDS[0], Entry { class: Some(LIST), ..Entry::default() }),
        ],
    );
    // Another of the same authority takes its place, to the day, and ends before the version does.
    let later = List {
        from: date(2026, 11, 27),
        to: Some(date(2026, 12, 30)),
        ..supplement(
            &common,
            "99999991",
            vec![coded(
                "Art",
                vec![
                    ("own-later", Entry::default()),
                    ("ended", Entry::default()),
                    (KINDS[0], Entry { class: Some(LIST), ..Entry::default() }),
                ],
            )],
        )
    };
    let next = List { version: "2026.2".to_owned(), from: date(2026, 7, 1), to: None, ..common.clone() };
    let other = List { id: CLASS, name: "Andet".to_owned(), ..common.clone() };
    vec![
        supplement(&common, "99999991", vec![own.clone()]),
        later,
        supplement(&common, "11111111", vec![coded("Art", vec![("4711", Entry::default())])]),
        supplement(&next, "99999991", vec![own]),
        common,
        next,
        other,
    ]
}

/// Numbers of days on which people are born, in 2057: nobody's, and no test numbers.
const UNBORN: [&str; 2] = ["0101575234", "3112575321"];

/// A class that codes may have.
const CLASS: Uuid = Uuid::from_u128(0x7a3f_0d52_8c1e_4b6f_a1d4_3c5e_7f90_2b18);

/// What a delivery is held against, by chance, and the same for the oracle.
struct Case {
    modes: Modes,
    /// What is said of them: of the others the oracle knows by itself what they do.
    said: BTreeMap<&'static str, Mode>,
    lists: bool,
    trials: bool,
    /// In the environment for tests: the numbers of the operators' list.
    test_numbers: Option<Vec<&'static str>>,
}

impl Case {
    fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xCA5E);
        let mut modes = BTreeMap::new();
        // Often as they are set where nothing is said; else some of them, or all of them to refuse, so that none is put behind another.
        match random.below(3) {
            0 => {}
            1 => modes.extend(RULES.iter().map(|(rule, _)| (*rule, Mode::Refuse))),
            _ => {
                for (rule, _) in RULES {
                    if random.chance(50) {
                        modes.insert(rule, random.pick(&Mode::NAMES).unwrap().1);
                    }
                }
            }
        }
        let (lists, trials) = (!random.chance(10), random.chance(30));
        let listed = UNBORN.into_iter().filter(|_| random.chance(25)).collect::<Vec<_>>();
        let test_numbers = random.chance(50).then_some(listed);
        let known = test_numbers.as_ref().map(|listed| TestNumbers::read(&listed.join("\n")).unwrap());
        let rules = Rules::new(Modes::new(modes.clone()), BTreeMap::new()).of_tests(known.as_ref());
        Self { modes: rules.of(&parties().sender).clone(), said: modes, lists, trials, test_numbers }
    }

    fn to_json(&self) -> serde_json::Value {
        let name = |mode: Mode| Mode::NAMES.iter().find(|(_, known)| *known == mode).unwrap().0;
        let modes: BTreeMap<&str, &str> = self.said.iter().map(|(rule, mode)| (*rule, name(*mode))).collect();
        let (caller, system) = (parties().sender.to_string(), parties().system);
        serde_json::json!({
            "caller": caller, "system": system, "lists": self.lists, "trials": self.trials, "modes": modes,
            "test_numbers": self.test_numbers,
        })
    }
}

/// Code, mode, voucher, posting.
type Found = (String, String, Option<String>, Option<u32>);
/// Name, findings, how many were left out, and vouchers, postings, debit and credit.
type Told = (String, Vec<Found>, u64, (u64, u64, String, String));

#[tokio::test]
async fn python_finds_the_same_in_any_delivery() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("lists")).unwrap();
    for (at, list) in lists().iter().enumerate() {
        fs::write(dir.path().join(format!("lists/{at}.xml")), xml::write(list).unwrap()).unwrap();
    }
    let lists = Lists::new(lists()).unwrap();
    let parties = parties();
    let seed = std::env::var("HJEMMEL_SEED").map_or_else(|_| Uuid::new_v4().as_fields().0, |seed| seed.parse().unwrap());
    println!("HJEMMEL_SEED={seed}");
    let varied = |many: u64| (0..many).map(move |n| (u64::from(seed) << 20) + (1 << 19) + n);
    let mut deliveries: Vec<String> = (0..4_000).chain(varied(1_000)).map(|seed| torn(seed).delivery()).collect();
    // Written in other ways, but still what the schema allows.
    for seed in (0..1_500).chain(varied(500)) {
        let xml = mutant(seed);
        if judged(&xml, "FinansbilagLeverance").await.is_ok() {
            deliveries.push(xml);
        }
    }
    let mut ours: Vec<Told> = Vec::new();
    for (at, xml) in deliveries.iter().enumerate() {
        let case = Case::of(at as u64);
        let known = case.lists.then_some(&lists);
        let against = Against {
            modes: &case.modes,
            lists: known,
            caller: parties.sender,
            system: Some(parties.system),
            trials: case.trials,
        };
        let (_, verdict) = judge(parsed(xml.as_bytes()).root(), against).unwrap();
        let found = verdict.findings.iter().map(|finding| {
            let mode = if finding.severity == Severity::Error { "refuse" } else { "warn" };
            let (code, place) = (finding.rule.code().to_owned(), &finding.place);
            (code, mode.to_owned(), place.voucher.map(|id| id.to_string()), place.posting)
        });
        let totals = verdict.totals;
        let totals = (totals.vouchers, totals.postings, totals.debit.to_string(), totals.credit.to_string());
        ours.push((format!("{at:06}"), found.collect(), verdict.left_out, totals));
        fs::write(dir.path().join(format!("{at:06}.delivery")), xml).unwrap();
        fs::write(dir.path().join(format!("{at:06}.json")), case.to_json().to_string()).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/finance_oracle.py");
    let Ok(run) = Command::new("python3").arg(script).arg(dir.path()).output() else {
        did_not_run("the rules told a second time, in Python", "apt-get install python3");
        return;
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let theirs: Vec<Told> =
        String::from_utf8(run.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(theirs.len(), ours.len());
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let (mut clean, mut left_out) = (0, 0);
    for ((ours, theirs), xml) in ours.iter().zip(&theirs).zip(&deliveries) {
        assert_eq!(ours, theirs, "HJEMMEL_SEED={seed}: {xml}");
        ours.1.iter().for_each(|(code, mode, ..)| *seen.entry((code.clone(), mode.clone())).or_default() += 1);
        clean += usize::from(ours.1.is_empty());
        left_out += usize::from(ours.2 > 0);
    }
    assert!((200..4_500).contains(&clean) && left_out > 0, "{clean} without a fault, {left_out} with more than are told");
    // Every rule was met, refusing and warning, so that it was compared and not only never found.
    let settable = RULES.iter().filter(|(rule, _)| !NOT_OF_ONE_DELIVERY.iter().any(|(code, _)| code == rule));
    let met = settable.flat_map(|(rule, _)| [(*rule, "refuse"), (*rule, "warn")]);
    for (rule, mode) in met.chain(ALWAYS.map(|rule| (rule, "refuse"))) {
        let times = seen.get(&(rule.to_owned(), mode.to_owned())).copied().unwrap_or_default();
        assert!(times >= 10, "{rule} {mode}: {times} times, of {seen:?}");
    }
}

/// The rules that no setting turns off.
const ALWAYS: [&str; 2] = ["FB006", "FB041"];

/// The codes that are not told by looking at one delivery, and what tells them.
const NOT_OF_ONE_DELIVERY: [(&str, &str); 7] = [
    ("FB012", "the ledger"),
    ("FB016", "what was accepted before"),
    ("FB022", "the ledger"),
    ("FB030", "what was sent before"),
    ("FB031", "what was accepted before"),
    ("FB032", "what is under way"),
    ("FB090", "a ledger that does not answer"),
];

#[test]
fn each_code_is_told_in_python_too_or_it_is_said_what_tells_it() {
    let script = include_str!("../../interop/finance_oracle.py");
    for code in Rule::every().iter().map(Rule::code) {
        let elsewhere = NOT_OF_ONE_DELIVERY.iter().find(|(known, _)| *known == code);
        assert_eq!(script.contains(&format!("tell(\"{code}\"")), elsewhere.is_none(), "{code}: {elsewhere:?}");
        let judged = RULES.iter().any(|(rule, _)| *rule == code) || ALWAYS.contains(&code);
        assert!(judged || elsewhere.is_some(), "{code} can neither be set nor stands fast");
    }
}
