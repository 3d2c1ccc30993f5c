//! The verification test as a specialist system's supplier runs it, and the same delivery as the platform's operator follows it: processes
//! before and behind a running gateway.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hjemmel::cli::demo::invitation::Invitation;
use hjemmel::services::finance::rules::delivery::NAMESPACE;
use hjemmel::services::finance::rules::sortiment::xml;
use hjemmel::stub::finance::refused::CASES;
use hjemmel::stub::finance::sample::{LIST, VERSION};
use hjemmel::stub::pki::Role;
use hjemmel::stub::service::mode::Mode;

use super::gateway::{Finance, texts};
use super::rules::list;
use crate::world::BY_TOKEN;

/// Ended by a code other than 0, and what was said on both outputs.
fn hjemmel(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hjemmel")).args(arguments).current_dir(dir).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

struct House {
    finance: Finance,
}

impl House {
    async fn start(more: &str) -> Self {
        let finance = Finance::start(more).await;
        let (world, folder) = (&finance.passing.world, &finance.passing.folder);
        Invitation::new(world).unwrap().write(world).unwrap();
        let settings = fs::read_to_string(world.dir.join("client.env")).unwrap();
        let others = settings.lines().filter(|line| !line.contains(" SERVICE=") && !line.contains(" ENTITY_ID="));
        let others: String = others.map(|line| format!("{line}\n")).collect();
        let service = format!("{}{}", finance.passing.address(), folder.settings.path);
        let own = format!("SERVICE={service}\nENTITY_ID={}\nSYSTEM={}\n", folder.settings.entity_id, Role::Korsbaek.uuid());
        fs::write(world.dir.join("finance.env"), own + &others).unwrap();
        fs::write(world.dir.join("list.xml"), xml::write(&list()).unwrap()).unwrap();
        Self { finance }
    }

    fn dir(&self) -> &Path {
        &self.finance.passing.world.dir
    }

    fn verify(&self, more: &[&str]) -> (Option<i32>, String, serde_json::Value) {
        let first = ["call", "finance", "--verify", "--env", "finance.env", "--receiver", BY_TOKEN, "--report", "report.json"];
        let (code, said) = hjemmel(self.dir(), &[&first[..], more].concat());
        let report = fs::read(self.dir().join("report.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
        (code, said, serde_json::from_slice(&report).unwrap())
    }

    /// The sample deliveries, by a binding.
    fn samples(&self, binding: &str, more: &[&str]) -> (Option<i32>, String, serde_json::Value) {
        let first = ["call", "finance", "--sample", "--env", "finance.env", "--receiver", BY_TOKEN, "--report", "samples.json"];
        let (code, said) = hjemmel(self.dir(), &[&first[..], &["--binding", binding], more].concat());
        let report = fs::read(self.dir().join("samples.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
        (code, said, serde_json::from_slice(&report).unwrap())
    }

    /// What the operator is shown, once the closing record is on the disk: a moment after the answer has left.
    fn followed(&self, id: &str) -> (Option<i32>, String) {
        let mut last = (None, String::new());
        for _ in 0..500 {
            last = hjemmel(self.dir(), &["audit", "delivery", id, "audit"]);
            if last.1.contains("  ok      closed: ") {
                return last;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never closed: {}", last.1);
    }
}

/// The line of a code.
fn line<'r>(report: &'r serde_json::Value, code: &str) -> &'r serde_json::Value {
    report["lines"].as_array().unwrap().iter().find(|line| line["code"] == code).unwrap_or_else(|| panic!("{code}: {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_code_that_holds_on_the_day_is_sent_once_to_and_fro_and_its_account_is_told() {
    let house = House::start("").await;
    let (code, said, report) = house.verify(&["--sortiment", "list.xml", "--day", "2026-11-27"]);
    assert_eq!(code, Some(0), "{said}");
    // Four of Art, three of Funktion and one of Ydelse; of Art one has ended, and one begins the next day.
    let expected = ["22.0", "29.1", "40.5", "52.2", "5.48.67", "5.57.71", "5.57.72", "hjælp"];
    let codes: Vec<_> = report["lines"].as_array().unwrap().iter().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, expected);
    let accounts: BTreeSet<_> = report["lines"].as_array().unwrap().iter().map(|line| line["debit"].as_str().unwrap()).collect();
    assert_eq!(accounts.len(), expected.len(), "each its own");
    for (account, code) in report["lines"].as_array().unwrap().iter().map(|line| (&line["debit"], &line["code"])) {
        assert!(said.contains(account.as_str().unwrap()), "{code}: {said}");
    }
    assert_eq!((report["landed"].as_u64(), report["receipt"].as_str()), (Some(8), Some("ACCEPTERET")));
    let booked = house.finance.ledger.booked();
    assert!(booked.len() == 8 && booked.values().all(|times| *times == 1), "{booked:?}");
    // What came to the ledger: 0.01 both ways on the same codes, and the authority itself where a party is demanded.
    let got = house.finance.passing.by_token.received.get().last;
    let got = String::from_utf8_lossy(&got).into_owned();
    assert_eq!(texts(&got, "DebetKredit"), ["D", "K"].repeat(8));
    assert!(texts(&got, "Beloeb").iter().all(|amount| amount == "0.01"));
    assert_eq!(texts(&got, "SumDebet"), ["0.08"]);
    let own = format!("urn:oio:cvr-nr:{}", hjemmel::stub::population::KORSBAEK);
    assert_eq!(texts(&got, "Part"), [own.clone(), own]);
    assert!(!got.contains("Proeve>") && got.contains(NAMESPACE));

    let id = report["delivery"].as_str().unwrap();
    assert!(said.starts_with(&format!("delivery {id}: 8 codes")), "{said}");
    let (code, told) = house.followed(id);
    assert_eq!(code, Some(0), "{told}");
    let steps = ["received", "identity proven", "agreement of the sender", "schema", "rules", "route", "recorded", "forwarded"];
    let at: Vec<_> =
        steps.iter().map(|step| told.find(&format!("  ok      {step}")).unwrap_or_else(|| panic!("{step}: {told}"))).collect();
    assert!(at.is_sorted(), "in the order of the way: {told}");
    assert!(told.contains("ok      receipt: ACCEPTERET, 8 vouchers accepted, 0 rejected") && !told.contains("FAILED"), "{told}");
    // A second run is another delivery, of other vouchers.
    let (code, said, again) = house.verify(&["--sortiment", "list.xml", "--day", "2026-11-27", "--binding", "authority-context"]);
    assert!(code == Some(0) && again["delivery"] != report["delivery"], "{said}");
    assert_eq!(line(&again, "22.0")["debit"], line(&report, "22.0")["debit"]);
    assert_eq!(house.finance.ledger.booked().len(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_written_is_told_before_anything_is_booked() {
    let house = House::start("").await;
    for kind in ["--verify", "--sample"] {
        let (code, said) = hjemmel(
            house.dir(),
            &["call", "finance", kind, "--env", "finance.env", "--receiver", BY_TOKEN, "--report", "no/such/folder/report.json"],
        );
        assert!(code == Some(1) && said.contains("no/such/folder/report.json") && said.contains("correct the path"), "{said}");
    }
    assert!(house.finance.ledger.booked().is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_are_reported_one_by_one_with_what_was_expected_and_came_and_end_by_one_where_it_was_another() {
    let house = House::start("").await;
    for binding in ["token", "authority-context"] {
        let (code, said, report) = house.samples(binding, &["--count", "3"]);
        assert_eq!(code, Some(0), "{binding}: {said}");
        let sent = 3 + CASES.len();
        assert_eq!((report["sent"].as_u64(), report["otherwise"].as_u64()), (Some(sent as u64), Some(0)), "{binding}");
        let deliveries = report["deliveries"].as_array().unwrap();
        assert_eq!(deliveries.len(), sent);
        assert!(deliveries.iter().all(|one| one["expected"] == one["got"] && one["as_expected"] == true), "{binding}: {report}");
        let ids: BTreeSet<_> = deliveries.iter().map(|one| one["delivery"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), sent, "{binding}");
        let valid = ["valid", "valid", "valid, at the bounds of the schema"].map(|what| (what, "ACCEPTERET"));
        let expected: Vec<_> = valid.into_iter().chain(CASES.iter().map(|case| (case.what, case.code))).collect();
        let came = deliveries.iter().map(|one| (one["sent"].as_str().unwrap(), one["got"].as_str().unwrap()));
        assert_eq!(came.collect::<Vec<_>>(), expected, "{binding}");
        assert!(
            said.contains(&format!("{sent} deliveries sent, {sent} as expected, 0 otherwise")) && !said.contains("OTHERWISE"),
            "{said}"
        );
    }
    let booked = house.finance.ledger.booked();
    assert!(!booked.is_empty() && booked.values().all(|times| *times == 1), "{booked:?}");
    // A ledger that answers against the contract.
    house.finance.passing.by_token.mode.set(Mode::Invalid);
    let (code, said, report) = house.samples("token", &["--count", "2", "--valid-only"]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!((report["sent"].as_u64(), report["otherwise"].as_u64()), (Some(2), Some(2)));
    for one in report["deliveries"].as_array().unwrap() {
        assert_eq!((one["expected"].as_str(), one["got"].as_str()), (Some("ACCEPTERET"), Some("FB090")), "{one}");
        assert!(one["as_expected"] == false && one["said"][0].as_str().unwrap().contains("FB090 til DRIFT: "), "{one}");
    }
    assert!(said.contains("OTHERWISE") && said.contains("2 leverancer blev besvaret anderledes end forventet"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_does_not_land_is_told_with_whose_job_it_is_and_what_to_mend() {
    let house = House::start("").await;
    let table = "\u{feff}Delsortiment;Kode;Navn\r\nArt;22.0;Løn\r\nArt;9999;Ikke kendt\r\nArt;4711;Ikke i sortimentet\r\n";
    fs::write(house.dir().join("own.csv"), table).unwrap();
    let (id, version) = (LIST.to_string(), VERSION.to_owned());
    let csv = |from: &'static str, day: &'static str| {
        let of = ["--sortiment", "own.csv", "--list", &id, "--list-name", "Sociale ydelser", "--list-version", &version];
        house.verify(&[&of[..], &["--list-from", from, "--day", day]].concat())
    };
    let (code, said, report) = csv("2026-01-01", "2026-11-27");
    assert!(code == Some(1) && said.contains("2 of 3 codes landed") && said.contains("2 af 3 koder ramte en konto"), "{said}");
    // No account stands behind 9999, and the ledger says so; the platform's list does not have it either, nor 4711.
    let missed = line(&report, "9999");
    assert_eq!((missed["landed"].as_bool(), missed["debit"].is_null()), (Some(false), true));
    let told: Vec<_> = missed["told"]
        .as_array()
        .unwrap()
        .iter()
        .map(|told| (told["code"].as_str().unwrap(), told["audience"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("FB022", "ADMINISTRATOR"), ("FB020", "SLUTBRUGER")], "each once, of two postings");
    assert!(
        said.contains("MISSED  Art 9999 (Ikke kendt): no account\n") && said.contains("FEJL FB022 to ADMINISTRATOR: "),
        "{said}"
    );
    let warned = line(&report, "4711");
    assert_eq!((warned["landed"].as_bool(), warned["told"][0]["code"].as_str()), (Some(true), Some("FB020")));
    assert!(
        !warned["told"][0]["remedy"]["da"].as_str().unwrap().is_empty()
            && !warned["told"][0]["remedy"]["en"].as_str().unwrap().is_empty()
    );
    assert!(line(&report, "22.0")["told"].as_array().unwrap().is_empty());
    let (code, told) = house.followed(report["delivery"].as_str().unwrap());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("FB020 ×4") && told.contains("FAILED  receipt: AFVIST, 2 vouchers accepted, 1 rejected"), "{told}");
    assert!(told.contains("to mend: "), "{told}");
    // In a year that is closed nothing lands, and it is the user who chose the day.
    let (code, said, report) = csv("2025-01-01", "2025-12-31");
    assert!(code == Some(1) && said.contains("0 of 3 codes landed"), "{said}");
    assert!(said.contains("FB012 to SLUTBRUGER"), "{said}");
    assert_eq!(report["receipt"].as_str(), Some("AFVIST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_refuses_is_told_of_the_whole_delivery_and_the_operator_sees_at_which_step() {
    let house = House::start("").await;
    let given = ["--sortiment", "list.xml", "--day", "2026-11-27"];
    let (code, said, report) = house.verify(&[&given[..], &["--proeve"]].concat());
    assert!(code == Some(1) && said.contains("0 of 8 codes landed") && said.contains("FB006 to ADMINISTRATOR"), "{said}");
    assert_eq!((report["proeve"].as_bool(), report["receipt"].as_str()), (Some(true), Some("FEJL")));
    assert!(house.finance.ledger.booked().is_empty());
    let (code, told) = house.followed(report["delivery"].as_str().unwrap());
    assert!(code == Some(1) && told.contains("  FAILED  rules: ") && !told.contains("forwarded"), "{told}");
    assert!(told.contains("FB006, to mend by ADMINISTRATOR: Få myndighedens systemansvarlige"), "{told}");
    let _ = house.finance.passing.record();

    // Before its content is read a delivery has no id in the log: the call has.
    let (code, said, report) =
        house.verify(&[&given[..], &["--binding", "authority-context", "--authority", "99999981"]].concat());
    let record = house.finance.passing.record();
    assert!(code == Some(1) && said.contains(&record.call.to_string()), "the fault names the call: {said}");
    assert!(said.contains("hjemmel audit delivery CALL-ID AUDIT-DIR"), "{said}");
    assert_eq!(report["told"][0]["code"].as_str(), record.refusal.as_deref());
    let (code, told) = house.followed(&record.call.to_string());
    assert!(code == Some(1) && told.contains("  FAILED  agreement of the sender: "), "{told}");
    let (code, told) = hjemmel(house.dir(), &["audit", "delivery", report["delivery"].as_str().unwrap(), "audit"]);
    assert!(code == Some(1) && told.contains("by the call id of its fault alone"), "{told}");
    // A day on which no version holds is no delivery.
    let arguments = ["call", "finance", "--verify", "--env", "finance.env", "--sortiment", "list.xml", "--day", "2027-01-01"];
    let (code, said) = hjemmel(house.dir(), &arguments);
    assert!(code == Some(2) && said.contains("no value list holds on 2027-01-01"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_shows_each_step_of_a_test_done_or_missing_and_what_to_mend() {
    let house = House::start("").await;
    let given = ["--sortiment", "list.xml", "--day", "2026-11-27"];
    let (_, _, report) = house.verify(&given);
    let id = report["delivery"].as_str().unwrap();
    house.followed(id);
    let ask = |more: &[&str]| hjemmel(house.dir(), &[&["verify-connection"][..], more].concat());
    let (code, told) = ask(&["--report", "report.json", "audit"]);
    assert_eq!(code, Some(0), "{told}");
    let steps = [
        &format!("test sent: delivery {id}: 8 codes"),
        "received by the platform: call ",
        "identity proven",
        "agreement of the sender",
        "schema",
        "rules",
        "route and agreement of the platform",
        "recorded, token",
        "forwarded",
        "accepted by the ledger",
        "every code landed: 8 of 8",
    ];
    let at: Vec<_> =
        steps.iter().map(|step| told.find(&format!("  done     {step}")).unwrap_or_else(|| panic!("{step}: {told}"))).collect();
    assert!(at.is_sorted() && !told.contains("MISSING") && !told.contains("unseen"), "{told}");
    // Each side alone sees its own.
    let (code, told) = ask(&["--report", "report.json"]);
    assert!(code == Some(0) && told.contains(&format!("unseen   way through the platform: the platform's operator sees: hjemmel verify-connection --delivery {id} AUDIT-DIR")), "{told}");
    let (code, told) = ask(&["--delivery", id, "audit"]);
    assert!(
        code == Some(0) && told.contains("  unseen   test sent") && told.contains("  done     accepted by the ledger"),
        "{told}"
    );

    // Refused by a rule: what comes after it is missing, and the remedy is told.
    let (_, _, report) = house.verify(&[&given[..], &["--proeve"]].concat());
    house.followed(report["delivery"].as_str().unwrap());
    let (code, told) = ask(&["--report", "report.json", "audit"]);
    assert_eq!(code, Some(1), "{told}");
    for step in [
        "rules: it refused",
        "route and agreement of the platform",
        "recorded, token",
        "forwarded",
        "accepted by the ledger",
        "every code landed: 0 of 8",
    ] {
        assert!(told.contains(&format!("  MISSING  {step}")), "{step}: {told}");
    }
    assert!(told.contains("  done     schema") && told.contains("FB006, to mend by ADMINISTRATOR: Få myndighedens"), "{told}");

    // A code without an account.
    fs::write(house.dir().join("own.csv"), "Delsortiment;Kode\r\nArt;22.0\r\nArt;9999\r\n").unwrap();
    let (id, of) = (
        LIST.to_string(),
        ["--sortiment", "own.csv", "--list-name", "x", "--list-version", VERSION, "--list-from", "2026-01-01"],
    );
    let (_, _, report) = house.verify(&[&of[..], &["--list", &id, "--day", "2026-11-27"]].concat());
    house.followed(report["delivery"].as_str().unwrap());
    let (code, told) = ask(&["--report", "report.json", "audit"]);
    assert!(
        code == Some(1)
            && told.contains("MISSING  accepted by the ledger")
            && told.contains("MISSING  every code landed: 1 of 2"),
        "{told}"
    );
    assert!(
        told.contains("MISSED  Art 9999: no account")
            && told.contains("FB022 to ADMINISTRATOR")
            && !told.contains("ok      Art 22.0"),
        "{told}"
    );

    // Nothing came to the platform.
    let (code, told) = ask(&["--delivery", "00000000-0000-4000-8000-000000000000", "audit"]);
    assert!(code == Some(1) && told.contains("MISSING  received by the platform") && told.contains("--delivery"), "{told}");
    let (code, told) = ask(&["--report", "own.csv", "audit"]);
    assert!(code == Some(1) && told.contains("own.csv") && told.contains("call finance --verify --report FILE"), "{told}");
}
