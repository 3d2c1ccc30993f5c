//! `docs/retention.md` names each table that there is, and no other.

use std::collections::BTreeSet;

use hjemmel::store::{Access, Database};

use crate::kept::Kept;

#[tokio::test]
async fn each_table_has_its_purpose_its_period_and_the_way_it_is_deleted() {
    let kept = Kept::in_sqlite();
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let mut tables: BTreeSet<String> = database.columns().await.unwrap().into_keys().collect();
    tables.insert("revision".to_owned());
    let page = include_str!("../../docs/retention.md").split("## Folders").next().unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let named: BTreeSet<String> =
        rows.iter().filter(|row| row.len() == 5).map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(named, tables, "docs/retention.md and migrations/");
    assert!(rows.iter().flatten().all(|cell| !cell.is_empty()));
}
