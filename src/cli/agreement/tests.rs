//! The command as an operator types it, on a store of its own.

use super::*;
use crate::cli::as_user;
use clap::Parser;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const ID: &str = "00000000-0000-4000-8000-000000000001";
const OTHER: &str = "00000000-0000-4000-8000-000000000002";
const FILE: &str = r#"
    [[authority]]
    cvr = "11111111"
    name = "Korsbæk Kommune"
    role = "municipality"
    [[agreement]]
    id = "00000000-0000-4000-8000-000000000001"
    side = "back"
    system = "3053ec89-31fe-4206-878b-bba6783d7a88"
    service = "3053ec89-31fe-4206-878b-bba6783d7a88"
    authority = "11111111"
    environment = "exttest"
    valid_from = 2026-01-01T00:00:00+01:00
    state = "ANMODET"
    legal_basis = "LUD § 8, stk. 1"
    purpose = "prøve"
    kle = ["32.03.*", "32.06.04"]
"#;

struct House(tempfile::TempDir);

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("agreements.toml"), FILE).unwrap();
        std::fs::write(dir.path().join("hjemmel.toml"), "[store]\nurl = \"sqlite:agreements.sqlite\"\n").unwrap();
        as_user::keys(dir.path());
        Self(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Makes the users, and imports the file as the operator.
    async fn import(&self) -> Result<String, String> {
        as_user::add_all(&self.0.path().join("agreements.sqlite")).await;
        self.run(&["import", &self.path("agreements.toml"), "AS", "O. Drift"]).await
    }

    /// Runs the command where there is no terminal.
    async fn run(&self, words: &[&str]) -> Result<String, String> {
        self.run_before(None, words).await.1
    }

    /// Runs the command at a terminal, where the operator types `answer`: what was printed, and how it ended.
    async fn run_before(&self, answer: Option<&str>, words: &[&str]) -> (String, Result<String, String>) {
        let config = self.path("hjemmel.toml");
        let words = as_user::signed(self.0.path(), words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let line = [&["agreement"], &words[..], &["--config", &config]].concat();
        let args = match Line::try_parse_from(line) {
            Ok(line) => line.args,
            Err(error) => return (String::new(), Err(error.to_string())),
        };
        let mut out = Vec::new();
        let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
        let mut typed = answer.unwrap_or_default().as_bytes();
        let operator = answer.is_some().then_some(&mut typed as &mut dyn BufRead);
        let ended = run(args, &clock, operator, &mut out).await.map_err(|error| error.to_string());
        let printed = String::from_utf8(out).unwrap();
        (printed.clone(), ended.map(|()| printed))
    }

    /// What stands in the folder.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn an_agreement_is_imported_listed_approved_and_shown_with_its_history() {
    let house = House::new();
    let imported = house.import().await.unwrap();
    assert_eq!(imported, "1 authorities; agreements: 1 added, 0 changed, 0 unchanged\n");
    assert!(house.run(&["list"]).await.unwrap().contains("ANMODET"));
    house.run(&["approve", ID, "AS", "A. Prøve", "--reason", "sag 1", "--yes"]).await.unwrap();
    let shown = house.run(&["show", ID]).await.unwrap();
    assert!(shown.contains("holds now     GODKENDT"), "{shown}");
    assert!(shown.contains("ANMODET -> GODKENDT  A. Prøve  sag 1"), "{shown}");
    assert!(shown.contains("Korsbæk Kommune"), "{shown}");
    assert!(shown.contains("kle           32.03.*, 32.06.04\nsensitivity   no constraint\n"), "{shown}");
    let again = house.import().await.unwrap();
    assert!(again.starts_with("1 authorities; agreements: 0 added, 0 changed, 1 unchanged\n"), "{again}");
    assert!(again.contains(&format!("agreement {ID} stays GODKENDT")), "{again}");
}

#[tokio::test]
async fn what_is_approved_is_shown_before_it_is_asked_for_and_only_a_yes_approves_it() {
    let house = House::new();
    house.import().await.unwrap();
    let approve = ["approve", ID, "AS", "A. Prøve", "--reason", "sag 1"];
    for answer in ["", "\n", "n\n", "nej\n", "yesterday\n"] {
        let (printed, ended) = house.run_before(Some(answer), &approve).await;
        assert_eq!(ended.unwrap_err(), "nothing was changed", "{answer:?}");
        let question = printed.find("Approve this agreement, decided by A. Prøve: sag 1? [y/N]").unwrap();
        for shown in ["11111111 Korsbæk Kommune", "LUD § 8, stk. 1", "valid from    2026-01-01\n", "valid to      no end"] {
            assert!(printed.find(shown).unwrap() < question, "{shown} stands before the question: {printed}");
        }
    }
    let unasked = house.run(&approve).await.unwrap_err();
    assert!(unasked.contains("no terminal") && unasked.contains("--yes"), "a script is not kept waiting: {unasked}");
    assert!(house.run(&["show", ID]).await.unwrap().contains("holds now     ANMODET"));
    for (answer, id) in [("y\n", ID), ("Ja\n", OTHER)] {
        std::fs::write(house.path("agreements.toml"), FILE.replace(ID, id)).unwrap();
        house.import().await.unwrap();
        let (_, ended) = house.run_before(Some(answer), &["approve", id, "AS", "A. Prøve", "--reason", "sag 1"]).await;
        assert!(ended.unwrap().ends_with(&format!("agreement {id} is now GODKENDT, decided by A. Prøve: sag 1\n")));
    }
    let twice = house.run_before(Some("y\n"), &approve).await;
    assert!(twice.0.is_empty() && twice.1.unwrap_err().contains("is GODKENDT and cannot become GODKENDT"));
}

#[tokio::test]
async fn a_suspended_agreement_is_resumed_with_a_yes_or_terminated() {
    let house = House::new();
    house.import().await.unwrap();
    house.run(&["approve", ID, "AS", "A. Prøve", "--reason", "sag 1", "--yes"]).await.unwrap();
    let not_suspended = house.run(&["resume", ID, "AS", "A. Prøve", "--reason", "sag 2", "--yes"]).await.unwrap_err();
    assert!(not_suspended.contains("is GODKENDT"), "{not_suspended}");
    house.run(&["suspend", ID, "AS", "A. Prøve", "--reason", "misbrug"]).await.unwrap();
    let not_requested = house.run(&["approve", ID, "AS", "A. Prøve", "--reason", "sag 2", "--yes"]).await.unwrap_err();
    assert!(not_requested.contains("is SUSPENDERET"), "approving is not resuming: {not_requested}");
    let equal = house.run(&["resume", ID, "AS", "B. Prøve", "--reason", "afklaret", "--yes"]).await.unwrap_err();
    assert!(equal.contains("ApiSuspendedAbove"), "a colleague is not above: {equal}");
    let (asked, ended) = house.run_before(Some("y\n"), &["resume", ID, "AS", "A. Prøve", "--reason", "afklaret"]).await;
    ended.unwrap();
    assert!(
        asked.contains("GODKENDT -> SUSPENDERET  A. Prøve  misbrug"),
        "why it was stopped stands before the question: {asked}"
    );
    let shown = house.run(&["show", ID]).await.unwrap();
    assert!(shown.contains("SUSPENDERET -> GODKENDT  A. Prøve  afklaret"), "{shown}");
    house.run(&["suspend", ID, "AS", "A. Prøve", "--reason", "misbrug igen"]).await.unwrap();
    let ended = house.run(&["terminate", ID, "AS", "A. Prøve", "--reason", "opsagt"]).await.unwrap();
    assert!(ended.contains("is now OPSAGT"), "{ended}");
}

#[tokio::test]
async fn who_only_looks_makes_no_store_and_neither_does_a_file_that_is_not_in_order() {
    let house = House::new();
    let before = house.files();
    for words in [&["list"][..], &["list", "--json"], &["show", ID], &["suspend", ID, "AS", "A. Prøve", "--reason", "sag 1"]] {
        let missing = house.run(words).await.unwrap_err();
        assert!(missing.contains("there is no agreements store at") && missing.contains("import"), "{missing}");
    }
    std::fs::write(house.path("agreements.toml"), "[[agreement]]\n").unwrap();
    house.run(&["import", &house.path("agreements.toml"), "AS", "O. Drift"]).await.unwrap_err();
    assert_eq!(house.files(), before);
}

#[tokio::test]
async fn a_list_tells_period_system_and_basis_and_shows_what_fits_every_filter() {
    let house = House::new();
    let more = FILE.split_once("[[agreement]]").unwrap().1.replace(ID, OTHER).replace("\"back\"", "\"front\"").replace(
        "state =",
        "valid_to = 2026-06-01T00:00:00+02:00\ncertificates = [\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]\n\
         decided_by = \"A. Prøve\"\ndecided_at = 2026-01-01T12:00:00+01:00\nstate =",
    );
    let text = format!("{FILE}[[agreement]]{}", more.replace("ANMODET", "GODKENDT"));
    // As an earlier release brought it in: an import makes no GODKENDT any more.
    let import = Import::parse(&text, &crate::services::vocabulary()).unwrap();
    let store = Store::open(&crate::store::Settings::sqlite(&house.0.path().join("agreements.sqlite"))).await.unwrap();
    store.import(&import, as_user::now()).await.unwrap();
    store.close().await;
    let all = house.run(&["list"]).await.unwrap();
    assert!(
        all.contains(&format!(
            "{OTHER}  front  UDLØBET      exttest   11111111 Korsbæk Kommune\n  \
         2026-01-01 – 2026-06-01  system 3053ec89-31fe-4206-878b-bba6783d7a88\n  LUD § 8, stk. 1\n"
        )),
        "{all}"
    );
    assert!(all.contains(&format!("{ID}  back   ANMODET")) && all.contains("2026-01-01 – no end"), "{all}");

    let system = "3053ec89-31fe-4206-878b-bba6783d7a88";
    for (filter, fits) in [
        (&["--state", "ANMODET"][..], &[ID][..]),
        (&["--state", "UDLØBET"], &[OTHER]),
        (&["--state", "UDLØBET", "--state", "ANMODET"], &[ID, OTHER]),
        (&["--state", "GODKENDT"], &[]),
        (&["--holds"], &[]),
        (&["--side", "front"], &[OTHER]),
        (&["--side", "front", "--state", "ANMODET"], &[]),
        (&["--authority", "11111111"], &[ID, OTHER]),
        (&["--authority", "99999981"], &[]),
        (&["--system", system, "--service", system], &[ID, OTHER]),
        (&["--system", ID], &[]),
        (&["--service", ID], &[]),
        (&["--environment", "exttest"], &[ID, OTHER]),
        (&["--environment", "prod"], &[]),
    ] {
        let listed = house.run(&[&["list"], filter].concat()).await.unwrap();
        for id in [ID, OTHER] {
            assert_eq!(listed.contains(id), fits.contains(&id), "{filter:?}: {listed}");
        }
        assert_eq!(listed == "There are agreements, and none of them fits.\n", fits.is_empty(), "{listed}");
        let json: Vec<serde_json::Value> =
            serde_json::from_str(&house.run(&[&["list", "--json"], filter].concat()).await.unwrap()).unwrap();
        let mut ids: Vec<_> = json.iter().map(|row| row["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, fits, "{filter:?}");
    }
    for (filter, told) in [(["--side", "left"], "front or back"), (["--state", "godkendt"], "GODKENDT")] {
        let refused = house.run(&[&["list"], &filter[..]].concat()).await.unwrap_err();
        assert!(refused.contains(told), "{refused}");
    }
}

#[tokio::test]
async fn json_has_every_field_of_the_file_and_the_history() {
    let house = House::new();
    house.import().await.unwrap();
    house.run(&["approve", ID, "AS", "A. Prøve", "--reason", "sag 1", "--yes"]).await.unwrap();
    let shown: serde_json::Value = serde_json::from_str(&house.run(&["show", ID, "--json"]).await.unwrap()).unwrap();
    let in_file: toml::Table = FILE.parse().unwrap();
    let agreement = in_file["agreement"].as_array().unwrap()[0].as_table().unwrap();
    assert_eq!((&shown["kle"], &shown["sensitivity"]), (&serde_json::json!(["32.03.*", "32.06.04"]), &serde_json::json!([])));
    for (field, value) in agreement.iter().filter(|(field, _)| !["state", "valid_from", "kle"].contains(&field.as_str())) {
        assert_eq!(shown[field].as_str(), value.as_str(), "{field}");
    }
    assert_eq!((shown["valid_from"].as_str(), &shown["valid_to"]), (Some("2025-12-31T23:00:00Z"), &serde_json::Value::Null));
    assert_eq!((shown["state"].as_str(), shown["stands"].as_str()), (Some("GODKENDT"), Some("GODKENDT")));
    assert_eq!((shown["holds"].as_bool(), shown["authority_name"].as_str()), (Some(true), Some("Korsbæk Kommune")));
    let last = &shown["decisions"][1];
    assert_eq!((last["from"].as_str(), last["to"].as_str()), (Some("ANMODET"), Some("GODKENDT")));
    assert_eq!((last["by"].as_str(), last["reason"].as_str()), (Some("A. Prøve"), Some("sag 1")));
    assert_eq!(last["decided_at"].as_str(), Some("2026-11-22T12:00:00Z"));
}

#[tokio::test]
async fn what_is_refused_says_why_and_what_to_do() {
    let house = House::new();
    house.import().await.unwrap();
    let illegal = house.run(&["suspend", ID, "AS", "A. Prøve", "--reason", "sag 2"]).await.unwrap_err();
    assert!(illegal.contains("is ANMODET and cannot become SUSPENDERET"), "{illegal}");
    let nobody = house.run(&["approve", ID, "--reason", "sag 2"]).await.unwrap_err();
    assert!(nobody.contains("--certificate") && nobody.contains("--key"), "a decision is somebody's: {nobody}");
    let named = house.run(&["approve", ID, "--by", "A. Jensen", "--reason", "sag 2", "--yes"]).await.unwrap_err();
    assert!(named.contains("--by is gone") && named.contains("hjemmel user add"), "{named}");
    let reasonless = house.run(&["approve", ID, "AS", "A. Prøve"]).await.unwrap_err();
    assert!(reasonless.contains("--reason"), "{reasonless}");
    std::fs::write(house.path("agreements.toml"), FILE.replace("purpose", "porpoise")).unwrap();
    let wrong = house.import().await.unwrap_err();
    assert!(wrong.contains("line 16: unknown key porpoise") && wrong.contains("purpose is missing"), "{wrong}");
    std::fs::write(house.path("hjemmel.toml"), "[other]\n").unwrap();
    assert!(house.run(&["list"]).await.unwrap_err().contains("[store] url"));
}

#[tokio::test]
async fn a_key_decides_as_the_user_whose_certificate_it_is_and_in_its_role_alone() {
    let house = House::new();
    house.import().await.unwrap();
    let approve = async |who: &str| house.run(&["approve", ID, "AS", who, "--reason", "sag 1", "--yes"]).await;
    let operator = approve("O. Drift").await.unwrap_err();
    assert!(operator.contains("ApiNotAllowed"), "{operator}");
    let stranger = approve("S. Fremmed").await.unwrap_err();
    assert!(stranger.contains("ApiNotFound"), "another authority's: {stranger}");
    let [certificate, file, key, _] = as_user::options(house.0.path(), "A. Prøve");
    let [.., of_another] = as_user::options(house.0.path(), "B. Prøve");
    let words = ["approve", ID, &certificate, &file, &key, &of_another, "--reason", "sag 1", "--yes"];
    let mixed = house.run(&words).await.unwrap_err();
    assert!(mixed.contains("belongs to the private key"), "{mixed}");
    let approved = approve("A. Prøve").await.unwrap();
    assert!(approved.contains("decided by A. Prøve: sag 1"), "{approved}");
}

#[tokio::test]
async fn what_was_signed_is_verified_by_the_certificate_that_the_store_has_and_nothing_else_is() {
    let house = House::new();
    house.import().await.unwrap();
    house.run(&["approve", ID, "AS", "A. Prøve", "--reason", "sag 1", "--yes"]).await.unwrap();
    let store = Store::open(&crate::store::Settings::sqlite(&house.0.path().join("agreements.sqlite"))).await.unwrap();
    let made = store.made_on(crate::audit::Subject::Agreement, ID.parse().unwrap()).await.unwrap().pop().unwrap();
    let [_, file, ..] = as_user::options(house.0.path(), "A. Prøve");
    let der = crate::signature::credentials::certificates_from_pem_file(Path::new(&file)).unwrap();
    let certificate = crate::signature::key::Certificate::from_der(&der[0]).unwrap();
    let signature = made.signature.clone().unwrap();
    let verifies = |what: &decisions::record::What, because: &Because| {
        decisions::statement::is_signed(&certificate, &signature, what, because)
    };
    assert!(verifies(&made.what, &made.because));
    for altered in [
        decisions::record::What { to: "AFVIST".to_owned(), ..made.what.clone() },
        decisions::record::What { id: OTHER.parse().unwrap(), ..made.what.clone() },
        decisions::record::What { shown: Some("0".repeat(64)), ..made.what.clone() },
    ] {
        assert!(!verifies(&altered, &made.because), "{altered:?}");
    }
    assert!(!verifies(&made.what, &Because { reason: "sag 2".to_owned(), at: made.because.at }));
}

#[tokio::test]
async fn an_import_makes_requests_and_never_an_approval() {
    let house = House::new();
    let approved = FILE.replace("\"ANMODET\"", "\"GODKENDT\"\n    decided_by = \"A\"\n    decided_at = 2026-01-01T00:00:00Z");
    std::fs::write(house.path("agreements.toml"), approved).unwrap();
    let refused = house.import().await.unwrap_err();
    assert!(refused.contains("an import makes ANMODET alone"), "{refused}");
    assert_eq!(
        house.run(&["list"]).await.unwrap(),
        "There are no agreements. Bring some in with `hjemmel agreement import FILE`.\n"
    );
}

#[tokio::test]
async fn what_closes_an_agreement_is_shown_too_and_binds_to_the_text_that_was_looked_at() {
    let house = House::new();
    house.import().await.unwrap();
    house.run(&["approve", ID, "AS", "A. Prøve", "--reason", "sag 1", "--yes"]).await.unwrap();
    let shown = house.run(&["show", ID]).await.unwrap();
    let digest = shown.lines().find_map(|line| line.strip_prefix("text          ")?.split(' ').next()).unwrap().to_owned();
    let suspend = ["suspend", ID, "AS", "A. Prøve", "--reason", "sag 2", "--shown"];
    let other = house.run(&[&suspend[..], &[&"0".repeat(64)]].concat()).await.unwrap_err();
    assert!(other.contains("ApiShownDiffers"), "{other}");
    assert!(house.run(&["show", ID]).await.unwrap().contains("holds now     GODKENDT"));
    let done = house.run(&[&suspend[..], &[&digest]].concat()).await.unwrap();
    assert!(done.contains(&format!("The text that is signed (SHA-256 {digest})")) && done.contains("hjemmel: LUD § 8"), "{done}");
    let store = Store::open(&crate::store::Settings::sqlite(&house.0.path().join("agreements.sqlite"))).await.unwrap();
    let made = store.made_on(crate::audit::Subject::Agreement, ID.parse().unwrap()).await.unwrap();
    assert_eq!(made.last().unwrap().what.shown, Some(digest));
}
