//! The rules told a second time, in Python (`tests/interop/finance_oracle.py`): for any delivery both find the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use hjemmel::services::finance::rules::mode::{Mode, Modes, RULES};
use hjemmel::services::finance::rules::sortiment::{Lists, xml};
use hjemmel::services::finance::rules::{Against, judge};
use hjemmel::stub::finance::sample::{KINDS, Sample, kroner};
use hjemmel::stub::random::Random;

use super::parties;
use super::rules::list;
use crate::world::parsed;

/// A delivery in which chance changed some of everything that the rules look at.
fn torn(seed: u64) -> Sample {
    let mut random = Random::new(seed);
    let mut sample = Sample::ordinary(seed, &parties(), 1 + random.below(3));
    if random.chance(10) {
        sample.trial = true;
    }
    if random.chance(10) {
        sample.sender = (*random.pick(&["11111111", "99999981"]).unwrap()).to_owned();
    }
    if random.chance(10) {
        sample.list[2] = (*random.pick(&["2026.1", "2026.2"]).unwrap()).to_owned();
    }
    if random.chance(10) {
        sample.list[3] = "2026-01-02".to_owned();
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
                        ("Ydelse", "hjælp"),
                        ("Ukendt", KINDS[0]),
                        ("Funktion", "5.48.67"),
                    ];
                    let (part, code) = *random.pick(&codes).unwrap();
                    posting.codes.push([part.to_owned(), code.to_owned(), String::new()]);
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
                    posting.rest = vec![("Part", format!("urn:oio:{}", random.pick(&numbers).unwrap()))];
                }
                _ => {}
            }
        }
    }
    sample
}

#[test]
fn python_finds_the_same_in_any_delivery() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("list.xml"), xml::write(&list()).unwrap()).unwrap();
    let lists = Lists::new([list()]).unwrap();
    // All refuse, so that none is put behind another.
    let modes = Modes::new(RULES.iter().map(|(rule, _)| (*rule, Mode::Refuse)).collect());
    let parties = parties();
    let against = Against { modes: &modes, lists: Some(&lists), caller: parties.sender, system: parties.system, trials: false };
    let mut ours = Vec::new();
    for seed in 0..3_000 {
        let xml = torn(seed).delivery();
        let (_, verdict) = judge(parsed(xml.as_bytes()).root(), against).unwrap();
        let found = verdict.findings.iter().map(|finding| {
            (finding.rule.code().to_owned(), finding.place.voucher.map(|id| id.to_string()), finding.place.posting)
        });
        ours.push((format!("{seed:06}"), found.collect::<Vec<_>>(), verdict.left_out));
        fs::write(dir.path().join(format!("{seed:06}.delivery")), xml).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/finance_oracle.py");
    let system = parties.system.to_string();
    let run = Command::new("python3").arg(script).arg(dir.path()).args([&parties.sender.to_string(), &system]).output();
    let Ok(run) = run else {
        println!("DID NOT RUN: python3 is not on this machine, so nobody told the rules a second time");
        return;
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    type Theirs = (String, Vec<(String, Option<String>, Option<u32>)>);
    let theirs: Vec<Theirs> =
        String::from_utf8(run.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(theirs.len(), ours.len());
    let mut clean = 0;
    for ((name, found, left_out), (other, expected)) in ours.into_iter().zip(theirs) {
        assert_eq!(name, other);
        let told = expected.iter().take(found.len()).cloned().collect::<Vec<_>>();
        assert_eq!((&found, left_out), (&told, (expected.len() - told.len()) as u64), "{name}");
        clean += usize::from(expected.is_empty());
    }
    assert!((50..2_500).contains(&clean), "{clean} of 3,000 without a fault");
}
