//! The schema, and what it refuses to whoever writes by other means.

use hjemmel::store::{Access, Database, StoreError, schema, sql};

use crate::kept::Kept;

crate::on_both! {
    a_store_is_made_once_and_found_as_it_was;
    a_store_of_a_later_release_is_refused;
    what_is_written_is_all_there_or_nothing;
}

async fn a_store_is_made_once_and_found_as_it_was(kept: Kept) {
    let kept = kept.another();
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let revision = database.revision().await.unwrap();
    assert_eq!(revision.len(), 16);
    database.close().await;
    assert!(database.revision().await.is_err(), "what is closed stays closed");
    let again = Database::open(&kept.settings, Access::Make).await.unwrap();
    assert_eq!(again.revision().await.unwrap(), revision);
    assert!(schema(&kept.settings).await.unwrap().is_current());
}

async fn a_store_of_a_later_release_is_refused(kept: Kept) {
    Database::open(&kept.settings, Access::Make).await.unwrap().close().await;
    kept.execute("UPDATE _sqlx_migrations SET version = 1000 WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .await
        .unwrap();
    for access in [Access::Make, Access::Change, Access::Look] {
        let refused = Database::open(&kept.settings, access).await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherSchema { older: false, .. }), "{access:?}: {refused}");
    }
}

async fn what_is_written_is_all_there_or_nothing(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let add = |cvr: &str| sql("INSERT INTO authority (cvr, name, role) VALUES ($1, $2, $3)").bind(cvr).bind("x").bind("y");
    let mut dropped = database.begin().await.unwrap();
    dropped.execute(add("11111111")).await.unwrap();
    drop(dropped);
    let mut kept = database.begin().await.unwrap();
    kept.execute(add("22222222")).await.unwrap();
    kept.commit().await.unwrap();
    let rows = database.all(sql("SELECT cvr FROM authority")).await.unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get("cvr").unwrap()).collect();
    assert_eq!(found, ["22222222"]);
}
