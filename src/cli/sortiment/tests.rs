//! The command as a person types it, on a store of its own.

use clap::Parser;
use jiff::SignedDuration;

use super::*;
use crate::cli::as_user;
use crate::decisions::delegation;
use crate::store::Settings;
use crate::stub::pki::Role as Key;
use crate::users::rights::Role;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const SERVICE: &str = "15900000-0000-4000-8000-000000000001";
const AUTHORITY: &str = "11111111";
/// Who brings versions in.
const IMPORTER: &str = "I. Drift";
const LIST: &str = "1c5b4a56-0b9e-4d0f-8f5c-5a0f1590a001";

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        as_user::keys(dir.path());
        as_user::add_all(&dir.path().join("store.sqlite")).await;
        Self { dir }
    }

    fn table(&self, name: &str, rows: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("\u{feff}Delsortiment;Kode;Navn;Foelsomhedsniveau\r\n{rows}")).unwrap();
        path.display().to_string()
    }

    async fn types(&self, words: &[&str]) -> Result<String, String> {
        let store = self.dir.path().join("store.sqlite").display().to_string();
        let all = ["sortiment", "--store", &store, "--service", SERVICE].into_iter().chain(words.iter().copied());
        let line = Line::try_parse_from(all).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        match run(line.args, &Clock::fixed(as_user::now()), &mut out).await {
            Ok(_) => Ok(String::from_utf8(out).unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn types_as(&self, who: &str, words: &[&str]) -> Result<String, String> {
        self.types_with(&as_user::options(self.dir.path(), who), words).await
    }

    async fn types_by(&self, key: Key, words: &[&str]) -> Result<String, String> {
        self.types_with(&as_user::options_of(self.dir.path(), key), words).await
    }

    async fn types_with(&self, options: &[String], words: &[&str]) -> Result<String, String> {
        let all: Vec<&str> = words.iter().copied().chain(options.iter().map(String::as_str)).collect();
        self.types(&all).await
    }

    async fn store(&self) -> Store {
        Store::open(&Settings::sqlite(&self.dir.path().join("store.sqlite"))).await.unwrap()
    }
}

fn import<'a>(file: &'a str, version: &'a str, from: &'a str) -> Vec<&'a str> {
    let about = ["--uuid", LIST, "--navn", "Sociale ydelser", "--version", version, "--from", from, "--supplement", "Art"];
    ["import", file, "--reason", "sag 6"].into_iter().chain(about).collect()
}

/// The id at the beginning of the line of a listing that says `what`.
fn id(listing: &str, what: &str) -> String {
    let line = listing.lines().find(|line| line.contains(what)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_table_becomes_a_draft_is_shown_with_what_it_changes_and_published_by_a_person() {
    let desk = Desk::new().await;
    let first = desk.table("a.csv", "Art;22.0;Fødevarer;1\r\nArt;29.1;Tjenester;3,0\r\n");
    let told = desk.types_as(IMPORTER, &import(&first, "2027.1", "2027-01-01")).await.unwrap();
    assert!(told.contains("is a draft now") && told.contains("it is the first, with 2 codes"), "{told}");
    let draft = id(&desk.types(&["list"]).await.unwrap(), "draft");
    let system = "6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11";
    let subscribe = ["subscribe", "--authority", AUTHORITY, "--system", system, "--structure", "_2", "--reason", "sag 8"];
    assert!(desk.types_as("O. Drift", &subscribe).await.unwrap().contains("SortimentOverfør_2"));
    let publish = ["publish", &draft, "--reason", "sag 7"];
    let refused = desk.types_as("A. Prøve", &publish).await.unwrap_err();
    assert!(refused.contains("publish value lists"), "{refused}");
    let refused = desk.types_as(IMPORTER, &publish).await.unwrap_err();
    assert!(refused.contains("Whoever imported the value list cannot publish it"), "{refused}");
    let told = desk.types_as("O. Drift", &publish).await.unwrap();
    assert!(told.contains("is published, 40 days ahead; it holds from 2027-01-01"), "{told}");
    assert!(told.contains(&format!("waits to be delivered to system {system} of 11111111 as SortimentOverfør_2")), "{told}");
    assert!(told.contains("as the user that sortiment_user names"), "{told}");
    // The next one is held against it.
    let second = desk.table("b.csv", "Art;22.0;Fødevarer;1\r\nArt;40.5;Øvrige;1\r\n");
    let told = desk.types_as(IMPORTER, &import(&second, "2026.9", "2026-12-01")).await.unwrap();
    assert!(told.contains("it is the first"), "of before the published one: {told}");
    let told = desk.types_as(IMPORTER, &import(&second, "2027.2", "2027-02-01")).await.unwrap();
    for line in ["narrows  Art 29.1: gone (Tjenester)", "widens   Art 40.5: new (Øvrige)", "1 narrow, 1 widen, 2 in all"] {
        assert!(told.contains(line), "{line}\nin\n{told}");
    }
    let soon = id(&desk.types(&["list"]).await.unwrap(), "2026.9");
    let refused = desk.types_as("O. Drift", &["publish", &soon, "--reason", "sag 9"]).await.unwrap_err();
    assert!(refused.contains("in 9 days, and 30 days are needed") && refused.contains("from 2026-12-22"), "{refused}");
    let told = desk.types_as("O. Drift", &["publish", &soon, "--reason", "sag 9", "--sooner"]).await.unwrap();
    assert!(told.contains("9 days ahead"), "{told}");
    let listed = desk.types(&["list"]).await.unwrap();
    assert_eq!(listed.lines().filter(|line| line.contains("  published  ")).count(), 2, "{listed}");
    let subscriptions = desk.types(&["subscriptions"]).await.unwrap();
    assert!(subscriptions.contains("2 deliveries wait, 0 were given up"), "{subscriptions}");
    let subscription = id(&subscriptions, system);
    assert!(desk.types_as("O. Drift", &["unsubscribe", &subscription, "--reason", "slut"]).await.is_ok());
    let drop = ["drop", &soon, "--reason", "sag 9"];
    assert!(desk.types_as("O. Drift", &drop).await.unwrap_err().contains("a published version stays"));
}

#[tokio::test]
async fn a_version_is_imported_for_a_colleague_by_their_delegation_alone() {
    let desk = Desk::new().await;
    let file = desk.table("a.csv", "Art;22.0;Fødevarer;1\r\n");
    let nobodys = Uuid::from_u128(77).to_string();
    let mut words = import(&file, "2027.1", "2027-01-01");
    words.extend(["--delegation", &nobodys]);
    let refused = desk.types_as(IMPORTER, &words).await.unwrap_err();
    assert!(refused.contains("delegation in force"), "it is not done in one's own right: {refused}");
    assert!(desk.types(&["list"]).await.unwrap().contains("There are no value lists"));
    let folder = desk.dir.path().join("lists").display().to_string();
    let refused = desk.types(&["import", &file, "--into", &folder, "--delegation", &nobodys]).await.unwrap_err();
    assert!(refused.contains("cannot be used with") && refused.contains("--delegation"), "a folder proves nobody: {refused}");
    desk.types_as(IMPORTER, &import(&file, "2027.1", "2027-01-01")).await.unwrap();
    let common = id(&desk.types(&["list"]).await.unwrap(), "draft");
    desk.types_as("O. Drift", &["publish", &common, "--reason", "sag 7"]).await.unwrap();
    // Two who may each bring in and publish their authority's supplement; one stands for the other.
    let (principal, substitute, store) = (Key::PersonSignatory, Key::PersonSupplier, desk.store().await);
    let role = Role::SortimentAdministrator;
    let for_whom = as_user::add(&store, ("P. Liste", principal, role, Some(AUTHORITY))).await;
    let by_whom = as_user::add(&store, ("Q. Liste", substitute, role, Some(AUTHORITY))).await;
    let (given, to) = (Uuid::from_u128(78), as_user::now() + SignedDuration::from_hours(24));
    let new = delegation::New { id: given, substitute: by_whom, role, services: Vec::new(), from: None, to };
    let because = Because::new("ferie".to_owned(), as_user::now());
    delegation::give(&store, By::Key(&as_user::signer(principal)), &new, &because, None).await.unwrap();
    let (own, named) = (desk.table("egen.csv", "Art;30.0;Egne ydelser;1\r\n"), given.to_string());
    let about = ["--uuid", LIST, "--navn", "Sociale ydelser", "--version", "2027.1", "--from", "2027-01-01"];
    let supplement = ["--authority", AUTHORITY, "--delegation", &named];
    let words: Vec<&str> = ["import", &own, "--reason", "sag 8"].into_iter().chain(about).chain(supplement).collect();
    let told = desk.types_by(substitute, &words).await.unwrap();
    let (_, draft) = told.split_once("is a draft now, ").unwrap();
    let draft = draft.lines().next().unwrap().to_owned();
    let made = store.made_on(Subject::Sortiment, draft.parse().unwrap()).await.unwrap().pop().unwrap();
    let by = made.by_delegation.unwrap();
    assert_eq!((made.user, by.delegation, by.principal), (Some(by_whom), given, for_whom));
    for key in [principal, substitute] {
        let refused = desk.types_by(key, &["publish", &draft, "--reason", "sag 9"]).await.unwrap_err();
        assert!(refused.contains("Whoever imported the value list cannot publish it"), "{key:?}: {refused}");
    }
}

#[tokio::test]
async fn what_a_version_changes_is_told_of_drafts_published_versions_and_files_alike() {
    let desk = Desk::new().await;
    let first = desk.table("a.csv", "Art;22.0;Fødevarer;1\r\nArt;29.1;Tjenester;3,0\r\n");
    desk.types_as(IMPORTER, &import(&first, "2027.1", "2027-01-01")).await.unwrap();
    let old = id(&desk.types(&["list"]).await.unwrap(), "2027.1");
    let told = desk.types(&["diff", &old]).await.unwrap();
    assert!(told.contains("it is the first, with 2 codes"), "{told}");
    desk.types_as("O. Drift", &["publish", &old, "--reason", "sag 7"]).await.unwrap();
    let second = desk.table("b.csv", "Art;22.0;Fødevarer;1\r\nArt;40.5;Øvrige;1\r\n");
    desk.types_as(IMPORTER, &import(&second, "2027.2", "2027-02-01")).await.unwrap();
    let new = id(&desk.types(&["list"]).await.unwrap(), "2027.2");
    // Against the published version before it, and the two by name.
    let against = desk.types(&["diff", &new]).await.unwrap();
    let both = desk.types(&["diff", &old, &new]).await.unwrap();
    for told in [&against, &both] {
        for line in ["narrows  Art 29.1: gone (Tjenester)", "widens   Art 40.5: new (Øvrige)", "1 narrow, 1 widen, 2 in all"] {
            assert!(told.contains(line), "{line}\nin\n{told}");
        }
    }
    // The other way round what was widened is narrowed.
    let back = desk.types(&["diff", &new, &old]).await.unwrap();
    for line in ["widens   Art 29.1: new (Tjenester)", "narrows  Art 40.5: gone (Øvrige)"] {
        assert!(back.contains(line), "{line}\nin\n{back}");
    }
    let same = desk.types(&["diff", &new, &new]).await.unwrap();
    assert!(same.contains("0 narrow, 0 widen, 0 in all"), "{same}");
    // Files need no store of it.
    let files = [&old, &new].map(|id| desk.dir.path().join(format!("{id}.xml")));
    for (id, file) in [&old, &new].into_iter().zip(&files) {
        std::fs::write(file, desk.types(&["show", id, "--xml"]).await.unwrap()).unwrap();
    }
    let [one, two] = files.map(|file| file.display().to_string());
    assert_eq!(desk.types(&["diff", &one, &two]).await.unwrap(), both);
    let nobody = uuid::Uuid::nil().to_string();
    assert!(desk.types(&["diff", &nobody]).await.unwrap_err().contains(&nobody));
}

#[tokio::test]
async fn a_version_is_shown_with_its_parts_its_codes_and_their_days_from_the_store_a_file_and_a_folder() {
    let desk = Desk::new().await;
    let path = desk.dir.path().join("c.csv");
    let rows = "Art;22.0;Fødevarer;1;;\r\nArt;29.1;Tjenester;3;01-02-2027;30-06-2027\r\nFunktion;5.57.71;Sociale formål;;;\r\n";
    std::fs::write(&path, format!("\u{feff}Delsortiment;Kode;Navn;Foelsomhedsniveau;GyldigFra;GyldigTil\r\n{rows}")).unwrap();
    desk.types_as(IMPORTER, &import(&path.display().to_string(), "2027.1", "2027-01-01")).await.unwrap();
    let draft = id(&desk.types(&["list"]).await.unwrap(), "draft");
    let shown = desk.types(&["show", &draft]).await.unwrap();
    let file = desk.dir.path().join("lists/one.xml");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, desk.types(&["show", &draft, "--xml"]).await.unwrap()).unwrap();
    let of_file = desk.types(&["show", &file.display().to_string()]).await.unwrap();
    let of_folder = desk.types(&["show", &file.parent().unwrap().display().to_string()]).await.unwrap();
    for told in [&shown, &of_file, &of_folder] {
        for words in [
            "2027.1",
            "Sociale ydelser  2027-01-01 – no end",
            "Art: 2 codes, authorities may add codes",
            "Tjenester from 2027-02-01 until 2027-06-30",
            "Funktion: 1 codes",
            "5.57.71",
            "Sociale formål",
        ] {
            assert!(told.contains(words), "{words}\nin\n{told}");
        }
    }
}

#[tokio::test]
async fn a_listing_says_who_imported_a_version_who_published_it_and_why() {
    let desk = Desk::new().await;
    let first = desk.table("a.csv", "Art;22.0;Fødevarer;1\r\n");
    let nobody = desk.types(&import(&first, "2027.1", "2027-01-01")).await.unwrap_err();
    assert!(nobody.contains("--certificate"), "{nobody}");
    let refused = desk.types_as("A. Prøve", &import(&first, "2027.1", "2027-01-01")).await.unwrap_err();
    assert!(refused.contains("import and remove drafts of value lists"), "{refused}");
    desk.types_as(IMPORTER, &import(&first, "2027.1", "2027-01-01")).await.unwrap();
    let draft = id(&desk.types(&["list"]).await.unwrap(), "draft");
    desk.types_as("O. Drift", &["publish", &draft, "--reason", "sag 7"]).await.unwrap();
    let listed = desk.types(&["list"]).await.unwrap();
    let told: Vec<&str> = listed.lines().skip(1).map(str::trim).collect();
    let at = as_user::NOW;
    let expected =
        [format!("sag 6: draft at {at}, by I. Drift as operator"), format!("sag 7: published at {at}, by O. Drift as operator")];
    assert_eq!(told, expected, "{listed}");
}

#[tokio::test]
async fn a_draft_is_removed_by_a_person() {
    let desk = Desk::new().await;
    let first = desk.table("a.csv", "Art;22.0;Fødevarer;1\r\n");
    desk.types_as(IMPORTER, &import(&first, "2027.1", "2027-01-01")).await.unwrap();
    let draft = id(&desk.types(&["list"]).await.unwrap(), "draft");
    let drop = ["drop", &draft, "--reason", "fejl i filen"];
    assert!(desk.types(&drop).await.unwrap_err().contains("--certificate"), "nobody decides");
    assert!(desk.types_as("A. Prøve", &drop).await.is_err());
    assert!(desk.types_as(IMPORTER, &drop).await.unwrap().contains("is removed"));
    assert!(desk.types(&["list"]).await.unwrap().contains("There are no value lists"));
}

#[tokio::test]
async fn what_is_shown_as_xml_is_imported_again_as_the_same() {
    let desk = Desk::new().await;
    let first = desk.table("a.csv", "Art;22.0;\"Fødevarer; drikke\";1\r\n");
    desk.types_as(IMPORTER, &import(&first, "2027.1", "2027-01-01")).await.unwrap();
    let draft = id(&desk.types(&["list"]).await.unwrap(), "draft");
    let file = desk.dir.path().join("a.xml").display().to_string();
    std::fs::write(&file, desk.types(&["show", &draft, "--xml"]).await.unwrap()).unwrap();
    let told = desk.types_as(IMPORTER, &["import", &file, "--reason", "sag 6"]).await.unwrap();
    assert!(told.contains("is there already, just so"), "{told}");
}

#[tokio::test]
async fn a_table_that_is_not_utf_8_is_refused_with_the_row_and_what_to_choose() {
    let desk = Desk::new().await;
    let path = desk.dir.path().join("latin.csv");
    std::fs::write(&path, b"Delsortiment;Kode;Navn\r\nArt;1;Mad\r\nArt;2;\xD8vrige\r\n").unwrap();
    let told = desk.types_as(IMPORTER, &import(&path.display().to_string(), "2027.1", "2027-01-01")).await.unwrap_err();
    assert!(told.contains("row 3, Windows-1252") && told.contains("\"CSV UTF-8\""), "{told}");
    let utf16: Vec<u8> = "\u{feff}Delsortiment;Kode\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&path, utf16).unwrap();
    let told = desk.types_as(IMPORTER, &import(&path.display().to_string(), "2027.1", "2027-01-01")).await.unwrap_err();
    assert!(told.contains("UTF-16"), "{told}");
}
