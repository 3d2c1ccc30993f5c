//! The store on a server that goes away, has no connection to spare, or lets another go first.

use std::sync::Arc;

use hjemmel::store::{Access, Database, Settings, StoreError, sql, until_it_holds};
use tokio::sync::Barrier;

use super::reach::pooled;
use crate::postgres::{Bouncer, Cluster, Mode};
use crate::tables;

async fn open(settings: &Settings) -> Result<Database, StoreError> {
    Database::open(settings, Access::Make).await
}

async fn asks(store: &Database) -> Result<i64, StoreError> {
    let row = store.first(sql("SELECT count(*) AS known FROM job")).await?;
    row.ok_or(StoreError::Unreadable { column: "known" })?.get("known")
}

/// Asks until there is an answer: a connection is made anew.
async fn answer(store: &Database) -> i64 {
    loop {
        if let Ok(known) = asks(store).await {
            return known;
        }
    }
}

fn add(kind: &str) -> hjemmel::store::Query {
    sql("INSERT INTO job (kind, payload, state, attempts, added_us, due_us) VALUES ($1, '', 'waiting', 0, 0, 0)").bind(kind)
}

#[tokio::test]
async fn the_store_outlives_its_server_however_that_ended_and_keeps_what_was_committed() {
    let Some(cluster) = Cluster::own() else { return };
    let store = open(&cluster.settings(&cluster.database().name)).await.unwrap();
    for (n, end) in [Cluster::stop, Cluster::kill].into_iter().enumerate() {
        let mut transaction = store.begin_beside_others().await.unwrap();
        transaction.execute(add(&format!("kept {n}"))).await.unwrap();
        transaction.commit().await.unwrap();
        let mut lost = store.begin_beside_others().await.unwrap();
        lost.execute(add("other")).await.unwrap();
        end(&cluster);
        assert!(lost.commit().await.is_err(), "what was not committed is told as lost");
        assert!(asks(&store).await.is_err());
        cluster.start();
        assert_eq!(answer(&store).await, n as i64 + 1);
    }
}

#[tokio::test]
async fn a_pool_and_a_server_without_a_connection_to_spare_say_so_in_time() {
    let Some(cluster) = Cluster::own() else { return };
    let mut settings = cluster.settings(&cluster.database().name);
    settings.max_connections = 1;
    let store = open(&settings).await.unwrap();
    let only = store.session().await.unwrap();
    let refused = asks(&store).await.unwrap_err().to_string();
    assert!(refused.contains("no connection was free") && refused.contains("max_connections"), "{refused}");
    drop(only);
    assert_eq!(answer(&store).await, 0);
    cluster.psql("ALTER ROLE hjemmel CONNECTION LIMIT 1");
    let refused = open(&settings).await.unwrap_err().to_string();
    assert!(refused.contains("lower max_connections or let the server take more"), "{refused}");
}

#[tokio::test]
async fn of_two_that_would_not_have_come_out_so_one_after_the_other_one_is_done_again() {
    let Some(cluster) = Cluster::own() else { return };
    cluster.psql("ALTER ROLE hjemmel SET default_transaction_isolation = 'serializable'");
    let store = open(&cluster.settings(&cluster.database().name)).await.unwrap();
    let met = Arc::new(Barrier::new(2));
    let both = ["one", "other"].map(|kind| {
        let (store, met) = (store.clone(), met.clone());
        tokio::spawn(async move {
            let mut attempts = 0;
            until_it_holds(|| {
                attempts += 1;
                let (store, met, first) = (store.clone(), met.clone(), attempts == 1);
                async move {
                    let mut transaction = store.begin_beside_others().await?;
                    let row = transaction.first(sql("SELECT count(*) AS known FROM job")).await?;
                    let known: i64 = row.ok_or(StoreError::Unreadable { column: "known" })?.get("known")?;
                    if first {
                        met.wait().await;
                    }
                    // The first alone adds one: two that both saw none would both.
                    if known == 0 {
                        transaction.execute(add(kind)).await?;
                    }
                    transaction.commit().await
                }
            })
            .await
        })
    });
    for one in both {
        one.await.unwrap().unwrap();
    }
    assert_eq!(asks(&store).await.unwrap(), 1);
}

/// Has each commit end so (`body`, in PL/pgSQL) where a job was written.
fn at_commit(cluster: &Cluster, database: &str, body: &str) {
    cluster.psql_in(
        database,
        &format!(
            "CREATE OR REPLACE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$;
             DROP TRIGGER IF EXISTS at_commit ON job;
             CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON job DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION at_commit()"
        ),
    );
}

async fn commits(store: &Database) -> Result<(), StoreError> {
    let mut transaction = store.begin_beside_others().await?;
    transaction.execute(add("test")).await?;
    transaction.commit().await
}

#[tokio::test]
async fn a_commit_that_the_server_refuses_was_not_made_and_of_one_whose_connection_broke_nobody_knows() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let store = open(&tables::patient(cluster.settings(&database))).await.unwrap();
    // A pooler's "server closed the connection", and a server that is ended while it commits.
    for (code, is_undecided) in [("08P01", true), ("57P01", true), ("57P02", true), ("40001", false), ("23505", false)] {
        at_commit(&cluster, &database, &format!("RAISE EXCEPTION 'of the test' USING ERRCODE = '{code}'"));
        let told = commits(&store).await.unwrap_err();
        assert_eq!(told.is_undecided(), is_undecided, "{code}: {told:?}");
        assert_eq!(told.is_away(), !is_undecided, "{code}: what may have been kept is not simply done again");
    }
    assert_eq!(answer(&store).await, 0);
}

#[tokio::test]
async fn through_pgbouncer_nobody_knows_of_a_commit_that_the_server_did_not_outlive() {
    let Some(cluster) = Cluster::own() else { return };
    let Some(bouncer) = Bouncer::newer(&cluster, Mode::Transaction, 2, "") else { return };
    let database = cluster.database().name;
    let (_, settings) = pooled(&tables::patient(cluster.settings(&database)), &bouncer);
    let store = open(&settings).await.unwrap();
    at_commit(&cluster, &database, "PERFORM pg_sleep(60)");
    let committing = tokio::spawn({
        let store = store.clone();
        async move { commits(&store).await }
    });
    cluster.wait_until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')").await;
    cluster.kill();
    let told = committing.await.unwrap().unwrap_err();
    assert!(told.is_undecided(), "{told:?}");
    cluster.start();
    assert_eq!(answer(&store).await, 0, "this time it was not");
}
