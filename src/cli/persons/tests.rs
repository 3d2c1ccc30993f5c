//! Persons are imported, shown and erased at the command line, and no output holds a CPR number.

use std::path::Path;

use clap::Parser;

use super::*;
use crate::cli::as_user;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// What is typed, read from standard input, and told; with the exit code.
async fn types(dir: &Path, who: Option<&str>, words: &[&str], input: &str) -> Result<(ExitCode, String), String> {
    let config = dir.join("hjemmel.toml").display().to_string();
    let signed = who.map(|who| as_user::options(dir, who).to_vec()).unwrap_or_default();
    let all = ["persons", "--config", &config].into_iter().chain(words.iter().copied()).chain(signed.iter().map(String::as_str));
    let line = Line::try_parse_from(all).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    match run(line.args, &Clock::fixed(as_user::now()), &mut input.as_bytes(), &mut out).await {
        Ok(code) => Ok((code, String::from_utf8(out).unwrap())),
        Err(error) => Err(error.to_string()),
    }
}

const HEADER: &str = "InstitutionsID1;InstitutionsID2;Kommunekode;CPRnummer;Medarbejdernummer;Koen;Fornavne;Efternavn;Email;Brugernavn;Stillingsbetegnelse";

async fn house() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = "[store]\nurl = \"sqlite:store.sqlite\"\n[persons]\nkey = \"keys/persons.key\"\n";
    std::fs::write(dir.path().join("hjemmel.toml"), config).unwrap();
    std::fs::create_dir(dir.path().join("keys")).unwrap();
    crate::objects::keys::generate(&dir.path().join("keys/persons.key")).unwrap();
    as_user::keys(dir.path());
    as_user::add_all(&dir.path().join("store.sqlite")).await;
    dir
}

#[tokio::test]
async fn a_file_is_imported_and_each_person_answered_beside_it_and_the_same_again_changes_nothing() {
    let house = house().await;
    let dir = house.path();
    let file = dir.join("medarbejdere.csv");
    let rows = [
        "0701;1;101;6101801234;1;1;Åse;Prøve;aase@institution.dk;aase;=cmd()",
        "0701;1;101;101801235;1;1;Bo;Prøve;bo@institution.dk;bo;+x",
        "0799;1;101;6101801236;1;9;Ib;Prøve;ib;ib;",
    ];
    std::fs::write(&file, format!("\u{feff}{HEADER}\r\n{}\r\n", rows.join("\r\n"))).unwrap();
    let import = ["import", file.to_str().unwrap(), "--authority", "11111111", "--institution", "0701", "--reason", "sag 7"];
    let (code, told) = types(dir, None, &import, "").await.unwrap();
    assert_eq!(code, ExitCode::FAILURE, "some were refused");
    assert!(told.starts_with("3 persons: 1 OPRETTET, 0 OPDATERET, 0 UAENDRET, 2 AFVIST; each is answered in "), "{told}");
    let result = std::fs::read_to_string(dir.join("medarbejdere.csv.result.csv")).unwrap();
    let cells: Vec<Vec<&str>> = result.lines().skip(1).map(|line| line.split(';').collect()).collect();
    let codes: Vec<[&str; 4]> = cells.iter().map(|cells| [cells[0], cells[1], cells[4], cells[5]]).collect();
    let due = [
        ["1", "OPRETTET", "", ""],
        ["2", "AFVIST", "CPRnummer", "PER011"],
        ["3", "AFVIST", "InstitutionsID1", "PER006"],
        ["3", "AFVIST", "Koen", "PER005"],
        ["3", "AFVIST", "Email", "PER016"],
    ];
    assert_eq!(codes, due);
    assert!(!result.contains("cmd") && !result.contains("01801"), "{result}");
    let again = types(dir, None, &import, "").await.unwrap_err();
    assert!(again.contains("result.csv"), "an answer is never overwritten: {again}");
    let other = dir.join("igen.csv").display().to_string();
    let again = [&import[..], &["--result", &other]].concat();
    let (_, told) = types(dir, None, &again, "").await.unwrap();
    assert!(told.starts_with("3 persons: 0 OPRETTET, 0 OPDATERET, 1 UAENDRET, 2 AFVIST"), "{told}");
}

#[tokio::test]
async fn a_person_is_found_by_the_cpr_number_on_standard_input_and_erased_by_the_data_controller_alone() {
    let house = house().await;
    let dir = house.path();
    let file = dir.join("en.csv");
    std::fs::write(&file, format!("{HEADER}\n0701;1;101;6101801234;1;1;Åse;Prøve;aase@institution.dk;aase;Konsulent\n")).unwrap();
    let import = ["import", file.to_str().unwrap(), "--authority", "11111111", "--institution", "0701", "--reason", "sag 7"];
    assert_eq!(types(dir, None, &import, "").await.unwrap().0, ExitCode::SUCCESS);
    let find = ["show", "--cpr", "--authority", "11111111", "--institution", "0701"];
    let (_, shown) = types(dir, None, &find, "6101801234\n").await.unwrap();
    assert!(shown.contains("11111111/0701  1\n") && shown.contains("Stillingsbetegnelse    Konsulent"), "{shown}");
    assert!(!shown.contains("6101801234"));
    assert!(types(dir, None, &find, "6101801235\n").await.unwrap_err().contains("no such person"));
    assert!(types(dir, None, &find, "x\n").await.unwrap_err().contains("ten digits"));
    let number = shown.split_whitespace().next().unwrap();
    assert!(types(dir, None, &["show", number], "").await.unwrap().1.contains("Åse"));
    let erase = ["erase", number, "--reason", "sag 8"];
    assert!(types(dir, None, &erase, "").await.unwrap_err().contains("--certificate"));
    for other in ["O. Drift", "S. Fremmed"] {
        assert!(types(dir, Some(other), &erase, "").await.is_err(), "{other}");
    }
    types(dir, Some("A. Prøve"), &erase, "").await.unwrap();
    assert!(types(dir, None, &["show", number], "").await.unwrap_err().contains("no such person"));
}
