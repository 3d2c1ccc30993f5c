use std::path::Path;

use clap::Parser;

use super::*;
use crate::cli::as_user;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

async fn types(dir: &Path, who: Option<&str>, words: &[&str]) -> Result<String, String> {
    let store = dir.join("store.sqlite").display().to_string();
    let signed = who.map(|who| [as_user::options(dir, who).to_vec(), vec!["--reason".to_owned(), "sag 7".to_owned()]].concat());
    let signed = signed.unwrap_or_default();
    let all = ["connection", "--store", &store].into_iter().chain(words.iter().copied());
    let line = Line::try_parse_from(all.chain(signed.iter().map(String::as_str))).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    match run(line.args, &Clock::fixed(as_user::now()), &mut out).await {
        Ok(_) => Ok(String::from_utf8(out).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

const ADD: [&str; 15] = [
    "add",
    "--graph",
    "sf1590a",
    "--service",
    "15900000-0000-4000-8000-000000000001",
    "--environment",
    "exttest",
    "--authority",
    "11111111",
    "--client",
    "6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11",
    "--receiver",
    "1c5b4a56-0b9e-4d0f-8f5c-5a0f1590a001",
    "--uses",
    "straks,verification",
];

/// Registers a client system of the authority's.
async fn register(store: &Path, id: &str) {
    let store = Store::open(&crate::store::Settings::sqlite(store)).await.unwrap();
    let (id, party, at) = (id.parse().unwrap(), Some("11111111".parse().unwrap()), as_user::now());
    let (name, contact) = ("Fagsystem A".to_owned(), "drift@example.dk".to_owned());
    let system = crate::agreements::system::System { id, party, name, contact, made_at: at, changed_at: at };
    let mut change = store.change().await.unwrap();
    change.write_system(&system).await.unwrap();
    change.commit().await.unwrap();
}

#[tokio::test]
async fn a_connection_is_added_shown_in_words_stated_given_to_somebody_and_exported() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    as_user::keys(dir);
    as_user::add_all(&dir.join("store.sqlite")).await;
    assert!(types(dir, None, &["list"]).await.unwrap().contains("hjemmel connection add"));
    assert!(types(dir, Some("S. Fremmed"), &ADD).await.unwrap_err().contains("add and end connections"));
    let others = types(dir, Some("R. Ansvarlig"), &ADD).await.unwrap_err();
    assert!(others.contains("not registered as yours"), "{others}");
    register(&dir.join("store.sqlite"), ADD[10]).await;
    let added = types(dir, Some("R. Ansvarlig"), &ADD).await.unwrap();
    let id = added.split_whitespace().next().unwrap();
    assert!(types(dir, Some("R. Ansvarlig"), &ADD).await.unwrap_err().contains("is there already"));

    assert!(added.ends_with("It waits for the receiver's side to agree to it\n"), "{added}");
    let shown = types(dir, None, &["show", id]).await.unwrap();
    assert!(shown.contains("The connection waits for the receiver's side to agree to the connection."), "{shown}");
    assert!(shown.contains("not agreed to FB201") && !shown.contains("FB201 The authority has an agreement"), "{shown}");
    assert!(shown.contains("not needed here FB204"), "{shown}");

    let state = ["state", id, "FB202", "--reference", "aftale 1"];
    let theirs = types(dir, Some("R. Ansvarlig"), &state).await.unwrap_err();
    assert_eq!(theirs, "FB202 is the receiver's side's, which has not agreed to the connection");
    let unsaid = types(dir, Some("O. Drift"), &["consent", id]).await.unwrap_err();
    assert_eq!(unsaid, "say for which side you agree: authority or receiver");
    types(dir, Some("O. Drift"), &["consent", id, "--for", "receiver"]).await.unwrap();
    let shown = types(dir, None, &["show", id]).await.unwrap();
    assert!(
        shown.contains(
            "FB201 The authority has an agreement to use the ledger's services: ready for the system owner of 11111111"
        ),
        "{shown}"
    );
    assert!(shown.contains("waits for FB201"), "{shown}");
    let waits = types(dir, Some("R. Ansvarlig"), &state).await.unwrap_err();
    assert_eq!(waits, "FB202 waits for FB201");
    let role = types(dir, Some("A. Prøve"), &["state", id, "FB201", "--reference", "aftale 1"]).await.unwrap_err();
    assert!(role.contains("system owner"), "{role}");
    let stated = types(dir, Some("O. Drift"), &["state", id, "FB201", "--reference", "aftale 2026-117"]).await.unwrap();
    assert!(stated.contains("stated by O. Drift, aftale 2026-117"), "{stated}");
    let seen = types(dir, Some("O. Drift"), &["state", id, "TF109", "--reference", "x"]).await.unwrap_err();
    assert!(seen.contains("sees by itself"), "{seen}");

    let given = ["assign", id, "FM002", "--to", "A. Prøve", "--due", "2026-12-24", "--wave", "2"];
    types(dir, Some("R. Ansvarlig"), &given).await.unwrap();
    let shown = types(dir, None, &["show", id, "--lang", "da"]).await.unwrap();
    assert!(shown.contains("givet til A. Prøve, frist 2026-12-24, bølge 2"), "{shown}");
    let listed = types(dir, None, &["list"]).await.unwrap();
    assert!(listed.contains("has waited longest, 0 minutes: with 11111111"), "{listed}");

    let table = types(dir, None, &["export"]).await.unwrap();
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows.len(), 37);
    assert!(rows.iter().any(|row| row.contains(",FB201,") && row.contains("aftale 2026-117")), "{table}");

    types(dir, Some("O. Drift"), &["state", id, "FB201", "--withdraw"]).await.unwrap();
    assert!(types(dir, None, &["show", id]).await.unwrap().contains("ready for the system owner"));
    types(dir, Some("R. Ansvarlig"), &["end", id]).await.unwrap();
    assert!(types(dir, None, &["list"]).await.unwrap().contains("There is no connection"));
}

#[tokio::test]
async fn a_graph_of_ones_own_is_checked_and_its_circle_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("own.toml");
    let named = file.display().to_string();
    let finance = include_str!("../../../policies/onboarding/sf1590a.toml");
    std::fs::write(&file, finance).unwrap();
    assert!(types(dir.path(), None, &["graphs", "--check", &named]).await.unwrap().contains("can be finished"));
    std::fs::write(&file, finance.replace("holds_back = false\n", "")).unwrap();
    let refused = types(dir.path(), None, &["graphs", "--check", &named]).await.unwrap_err();
    assert!(refused.contains("FB205 is a prerequisite") && refused.contains("holds_back = false"), "{refused}");
    assert!(types(dir.path(), None, &["graphs"]).await.unwrap().contains("--uses straks,masse"));
}
