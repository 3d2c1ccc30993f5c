//! `docs/retention.md` names each table that there is, and no other, and each folder that is written to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hjemmel::store::{Access, Database};

use crate::kept::Kept;

#[tokio::test]
async fn each_table_has_its_purpose_its_period_and_the_way_it_is_deleted() {
    let kept = Kept::in_sqlite();
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let mut tables: BTreeSet<String> = database.columns().await.unwrap().into_keys().collect();
    tables.insert("revision".to_owned());
    let (page, _) = halves();
    let rows = rows(page);
    let named: BTreeSet<String> = rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(named, tables, "docs/retention.md and migrations/");
}

fn halves() -> (&'static str, &'static str) {
    include_str!("../../docs/retention.md").split_once("## Folders").unwrap()
}

/// The rows of a table, each with all of its cells.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Table ") && !line.starts_with("| What "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for row in &rows {
        assert!(row.len() == 5 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    rows
}

/// Folders that a setting names, and nothing is written to.
const READ: [&str; 3] = ["service.policies", "service.sortiment", "console.assets"];

/// The settings that name a folder, by how the configuration reads one.
fn folders() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut sources = vec![PathBuf::from("src/config"), PathBuf::from("src/services")];
    let mut settings = String::new();
    while let Some(path) = sources.pop() {
        match path.is_dir() {
            true => sources.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path())),
            false => settings += &std::fs::read_to_string(&path).unwrap(),
        }
    }
    for reads in [".directory(\"", ".optional_directory(\""] {
        for after in settings.split(reads).skip(1) {
            found.insert(after.split('"').next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn each_folder_that_is_written_to_has_its_purpose_its_period_and_the_way_it_is_deleted() {
    assert!(Path::new("src/config").is_dir(), "the sources are read");
    let (_, page) = halves();
    let named: BTreeSet<&str> = rows(page).iter().filter_map(|row| row[0].split('`').nth(1)).collect();
    // A folder or a bucket, and what is made where it is not, each read by a function of its own.
    let mut due: BTreeSet<String> = ["objects.url", "audit.archive.url", "mail.folder"].map(str::to_owned).into();
    for key in folders() {
        let setting = named.iter().chain(&READ).find(|setting| setting.rsplit('.').next() == Some(&key));
        due.insert(
            setting.unwrap_or_else(|| panic!("docs/retention.md does not say how long what {key} names is kept")).to_string(),
        );
    }
    for setting in due.iter().filter(|setting| !READ.contains(&setting.as_str())) {
        assert!(named.contains(setting.as_str()), "docs/retention.md does not name {setting}");
    }
    for setting in named.iter().filter(|name| name.contains('.') && !name.contains("json") && !name.contains("TIME")) {
        assert!(due.contains(*setting), "{setting} names no folder any more");
    }
}
