//! The contract: each element at its bounds and beyond them, by our validator and by libxml2's; and what it shares with others.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use hjemmel::schema::compile::Schema;
use hjemmel::schema::pool::Pool;
use hjemmel::services::finance::rules::delivery::NAMESPACE;
use hjemmel::services::passthrough::folder;
use hjemmel::stub::finance::sample::Sample;
use hjemmel::stub::service::instance::Maker;

use super::gateway::texts;
use super::{folder, parties};
use crate::not_run::did_not_run;
use crate::reference::reference;
use crate::world::parsed;

const REQUEST: &str = "ModtagFinansbilagStraksleveranceRequest";

pub fn schema() -> Schema {
    let folder = folder::load(&folder()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(folder.warnings.is_empty(), "{:?}", folder.warnings);
    assert_eq!(folder.contracts.len(), 2);
    folder.contracts[0].schema.clone()
}

static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::start(&schema(), 2).unwrap());

pub async fn judged(xml: &str, root: &str) -> Result<(), String> {
    let document = Arc::new(parsed(xml.as_bytes()));
    let node = document.root().id();
    let verdict = POOL.validate(document, node, Arc::new((NAMESPACE.to_owned(), root.to_owned()))).await.unwrap();
    verdict.map_err(|violations| violations.detail().en().to_owned())
}

/// What xmllint says of the same; `None` where it is not on this machine.
fn xmllint(documents: &[String]) -> Option<Vec<bool>> {
    let dir = tempfile::tempdir().unwrap();
    let path = |at: usize| dir.path().join(format!("{at}.xml"));
    documents.iter().enumerate().for_each(|(at, xml)| fs::write(path(at), xml).unwrap());
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]).arg(folder().join("Finansbilag.xsd"));
    let output = command.args((0..documents.len()).map(path)).output().ok()?;
    let said = String::from_utf8(output.stderr).unwrap();
    let valid = |at: usize| said.lines().any(|line| line == format!("{} validates", path(at).display()));
    Some((0..documents.len()).map(valid).collect())
}

/// The message with another text in the first element of this name.
fn with(xml: &str, element: &str, text: &str) -> String {
    let (start, end) = (format!("<fb:{element}>"), format!("</fb:{element}>"));
    let from = xml.find(&start).unwrap_or_else(|| panic!("no {element}")) + start.len();
    let to = from + xml[from..].find(&end).unwrap();
    format!("{}{text}{}", &xml[..from], &xml[to..])
}

/// Element, what it may be, what it may not be.
pub fn bounds() -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let text = |longest: usize| (vec!["x".to_owned(), "æ".repeat(longest)], vec![String::new(), "æ".repeat(longest + 1)]);
    let uuid = || {
        let good = owned(&["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]);
        let bad =
            owned(&["", "FFFFFFFF-ffff-ffff-ffff-ffffffffffff", "{00000000-0000-0000-0000-000000000000}", "0000000000000000"]);
        (good, bad)
    };
    let date = || {
        let good = owned(&["2024-02-29", "0001-01-01", "9999-12-31"]);
        (good, owned(&["", "2026-02-29", "2026-13-01", "2026-11-27Z", "2026-11-27+01:00", "27-11-2026", "2026-11-27T00:00:00"]))
    };
    let authority = || {
        (
            owned(&["urn:oio:cvr-nr:00000000", "urn:oio:cvr-nr:99999999"]),
            owned(&["", "11111111", "urn:oio:cvr-nr:1111111", "urn:oio:cvr-nr:111111111"]),
        )
    };
    let count = || (owned(&["0", "1", "999999999"]), owned(&["", "-1", "1000000000", "1.0"]));
    let amount = |whole: usize| {
        let good = [vec![format!("{}.99", "9".repeat(whole))], owned(&["0", "0.00", "0.1", "1.50"])].concat();
        (
            good,
            [
                vec![format!("1{}.00", "0".repeat(whole))],
                owned(&["", "-0.01", "+1.00", "1.000", ".50", "1.", "1,50", "1e2", "NaN"]),
            ]
            .concat(),
        )
    };
    let code = || {
        let good = vec!["a".to_owned(), "æ b".to_owned(), "x".repeat(64)];
        (good, vec![String::new(), " ".to_owned(), " a".to_owned(), "a ".to_owned(), "x".repeat(65)])
    };
    let one_of = |good: &[&str], bad: &[&str]| (owned(good), owned(bad));
    let of = |name, (good, bad): (Vec<String>, Vec<String>)| (name, good, bad);
    vec![
        of("LeveranceID", uuid()),
        of("AfsenderItSystem", uuid()),
        of("AfsenderMyndighed", authority()),
        of("ModtagerMyndighed", authority()),
        of(
            "AfsendtTidspunkt",
            one_of(
                &["2026-11-27T23:59:59", "2026-11-27T00:00:00.123Z", "2026-11-27T00:00:00+14:00"],
                &["", "2026-11-27", "2026-11-27T25:00:00"],
            ),
        ),
        of("UUID", uuid()),
        of("Navn", text(255)),
        of("Version", code()),
        of("GyldigFra", date()),
        of("AntalBilag", count()),
        of("AntalPosteringer", count()),
        of("SumDebet", amount(16)),
        of("SumKredit", amount(16)),
        of("Proeve", one_of(&["true", "false", "1", "0"], &["", "ja", "TRUE", "2"])),
        of("BilagID", uuid()),
        of("BilagNummer", text(20)),
        of("Bogfoeringsdato", date()),
        of("Bilagsdato", date()),
        of("Regnskabsaar", one_of(&["0000", "2026"], &["", "26", "20260"])),
        of("Posteringstype", one_of(&["NOR", "PRI", "SUP"], &["", "nor", "XXX"])),
        of("Bilagstekst", text(255)),
        of("UdbetalingReference", text(35)),
        of("AttesteretAf", text(64)),
        of("KonteretAf", text(64)),
        of("ErstatterBilagID", uuid()),
        of("PosteringNummer", count()),
        of("DebetKredit", one_of(&["D", "K"], &["", "d", "DK"])),
        of("Beloeb", amount(11)),
        of("Valuta", one_of(&["DKK"], &["", "EUR", "dkk"])),
        of("Delsortiment", code()),
        of("Kode", code()),
        of("KlasseUUID", uuid()),
        of(
            "Kontostreng",
            one_of(&["0000000000000000", "9999999999999999"], &["", "123456789012345", "12345678901234567", "12345678901234 6"]),
        ),
        of("Posteringstekst", text(255)),
        of("Momskode", text(20)),
        of("PeriodeFra", date()),
        of("PeriodeTil", date()),
        of("KLE", one_of(&["00.00.00", "99.99.99"], &["", "1.2.3", "32.18", "32.18.04.01"])),
        of("SagUUID", uuid()),
        of("OrganisationUUID", uuid()),
        of(
            "Part",
            one_of(
                &["urn:oio:cpr-nr:6101801234", "urn:oio:cvr-nr:11111111", "urn:oio:pnr:1000000001"],
                &["", "6101801234", "urn:oio:cpr-nr:610180-1234", "urn:oio:cvr-nr:1111111"],
            ),
        ),
        of("Foelsomhedsniveau", one_of(&["1", "9"], &["", "0", "10"])),
    ]
}

/// Elements of a delivery that hold others.
const WITH_CHILDREN: [&str; 6] = ["SortimentReference", "Kontrol", "Finansbilag", "Finanspostering", "Kontering", "Element"];

/// Every element of a delivery, as the XSD declares them.
fn elements() -> BTreeSet<String> {
    let xsd = fs::read_to_string(folder().join("Finansbilag.xsd")).unwrap();
    let (_, types) = xsd.split_once("<xs:complexType name=\"FinansbilagLeveranceType\">").unwrap();
    let (types, _) = types.split_once("<xs:complexType name=\"FinansbilagKvitteringType\">").unwrap();
    let declared = types.split("<xs:element name=\"").skip(1);
    declared.map(|declared| declared.split_once('"').unwrap().0.to_owned()).collect()
}

#[tokio::test]
async fn each_element_is_taken_at_its_bounds_and_refused_beyond_them() {
    let base = Sample::boundaries(1, &parties());
    // The second voucher has everything that may be there.
    let base = Sample { vouchers: base.vouchers[1..].to_vec(), ..base }.request("");
    let (xsd, bounds) = (elements(), bounds());
    let tried: BTreeSet<&str> = bounds.iter().map(|(element, ..)| *element).collect();
    assert_eq!(tried, xsd.iter().map(String::as_str).filter(|element| !WITH_CHILDREN.contains(element)).collect());
    assert_eq!(judged(&base, REQUEST).await, Ok(()));
    let (mut documents, mut expected) = (Vec::new(), Vec::new());
    for (element, good, bad) in bounds {
        for (text, valid) in good.iter().map(|text| (text, true)).chain(bad.iter().map(|text| (text, false))) {
            let document = with(&base, element, text);
            let verdict = judged(&document, REQUEST).await;
            assert_eq!(verdict.is_ok(), valid, "{element} = \"{text}\": {verdict:?}");
            if let Err(told) = verdict {
                assert!(told.contains(element), "{element} = \"{text}\": {told}");
            }
            documents.push(document);
            expected.push((element, text.clone(), valid));
        }
    }
    assert!(documents.len() > 250, "{}", documents.len());
    match xmllint(&documents) {
        Some(verdicts) => {
            let differs = expected.iter().zip(verdicts).filter(|((_, _, valid), judged)| valid != judged);
            assert_eq!(differs.collect::<Vec<_>>(), Vec::new());
        }
        None => did_not_run("xmllint", "apt-get install libxml2-utils"),
    }
}

#[tokio::test]
async fn what_is_left_out_or_comes_once_more_is_refused_where_the_contract_says_so() {
    let base = Sample::boundaries(1, &parties()).request("");
    for needed in [
        "LeveranceID",
        "AfsenderItSystem",
        "AfsenderMyndighed",
        "ModtagerMyndighed",
        "AfsendtTidspunkt",
        "SortimentReference",
        "Kontrol",
        "BilagID",
        "BilagNummer",
        "Bogfoeringsdato",
        "Posteringstype",
        "PosteringNummer",
        "DebetKredit",
        "Beloeb",
        "Valuta",
        "Kontering",
        "Element",
        "Delsortiment",
        "Kode",
    ] {
        let (start, end) = (format!("<fb:{needed}>"), format!("</fb:{needed}>"));
        let from = base.find(&start).unwrap();
        let to = from + base[from..].find(&end).unwrap() + end.len();
        let without = format!("{}{}", &base[..from], &base[to..]);
        // One of several may go.
        let one_of_several = needed == "Element";
        assert_eq!(judged(&without, REQUEST).await.is_ok(), one_of_several, "{needed} left out");
        let twice = format!("{}{}{}", &base[..to], &base[from..to], &base[to..]);
        assert_eq!(judged(&twice, REQUEST).await.is_ok(), one_of_several, "{needed} twice");
    }
    let sample = Sample { vouchers: Vec::new(), ..Sample::ordinary(1, &parties(), 1) };
    assert!(judged(&sample.request(""), REQUEST).await.is_err(), "no voucher");
}

#[tokio::test]
async fn samples_are_valid_and_the_same_for_the_same_seed() {
    for seed in 0..200 {
        let sample = Sample::ordinary(seed, &parties(), 1 + usize::try_from(seed).unwrap() % 7);
        assert_eq!(judged(&sample.request(""), REQUEST).await, Ok(()), "{seed}");
        assert_eq!(judged(&sample.delivery(), "FinansbilagLeverance").await, Ok(()), "{seed}: all of a file");
        assert_eq!(sample.request(""), Sample::ordinary(seed, &parties(), sample.vouchers.len()).request(""));
        assert_eq!(judged(&Sample::boundaries(seed, &parties()).request(""), REQUEST).await, Ok(()), "{seed}: boundaries");
    }
}

/// What a sender is to try before it goes live: an element, a kind or a length that no sample has is met for the first time with real vouchers.
#[test]
fn samples_have_every_element_each_of_its_kinds_and_the_shortest_and_longest_of_its_texts() {
    let both = |seed| [Sample::boundaries(seed, &parties()), Sample::ordinary(seed, &parties(), 3)];
    let samples: Vec<String> = (0..20).flat_map(both).map(|sample| sample.delivery()).collect();
    let sent = |element: &str| -> BTreeSet<String> { samples.iter().flat_map(|sample| texts(sample, element)).collect() };
    for element in elements() {
        assert!(samples.iter().any(|sample| sample.contains(&format!("<fb:{element}>"))), "{element}");
    }
    // Part lists, codes and versions are those of the value list, whose name is one text; sums and counts are of what is there.
    for (element, good, _) in bounds() {
        let sent = sent(element);
        match element {
            "Posteringstype" | "DebetKredit" | "Valuta" | "Foelsomhedsniveau" | "PosteringNummer" => {
                let missed: Vec<_> = good.iter().filter(|good| !sent.contains(*good)).collect();
                assert!(missed.is_empty(), "{element}: {missed:?}");
            }
            "Proeve" => assert_eq!(sent, ["false".to_owned()].into(), "a test is sent where one is asked for"),
            "Beloeb" => assert!(sent.contains("0.01") && sent.contains(&good[0]), "{sent:?}"),
            "Part" => {
                let schemes = |parties: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> {
                    parties.map(|party| party.rsplit_once(':').unwrap().0.to_owned()).collect()
                };
                assert_eq!(schemes(&mut sent.iter()), schemes(&mut good.iter()));
            }
            // A text is bounded by its length alone.
            _ if good[0] == "x" => {
                let lengths: BTreeSet<usize> = sent.iter().map(|text| text.chars().count()).collect();
                assert_eq!(lengths.last().copied(), good.iter().map(|text| text.chars().count()).max(), "{element}");
                assert!(element == "Navn" || lengths.first() == Some(&1), "{element}: {lengths:?}");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn our_receipt_follows_the_platform_s_own_schema() {
    let Some(official) = reference("sf2900/sp") else { return };
    let maker = Maker::new(schema().inspect().unwrap().model().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let shared = "http://serviceplatformen.dk/xml/schemas/kvittering/1/";
    for (name, seed) in
        ["TransportKvittering", "Forretningskvittering"].into_iter().flat_map(|name| (0..50).map(move |seed| (name, seed)))
    {
        let file = dir.path().join("kvittering.xml");
        fs::write(&file, maker.make(shared, name, seed).unwrap()).unwrap();
        let mut command = Command::new("xmllint");
        let Ok(output) = command.args(["--noout", "--schema"]).arg(official.join("Kvittering_1.xsd")).arg(&file).output() else {
            did_not_run("xmllint", "apt-get install libxml2-utils");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_platform_s_elements_are_described_as_in_the_other_services() {
    let other = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/services/contract");
    for file in ["AuthorityContext.xsd", "CallContext.xsd", "ServiceplatformFault.xsd"] {
        assert_eq!(fs::read_to_string(folder().join(file)).unwrap(), fs::read_to_string(other.join(file)).unwrap(), "{file}");
    }
}
