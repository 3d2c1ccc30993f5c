//! How the store's server is reached, and what an operator is told where it is not.

use hjemmel::agreements::{State, Store, import::Import};
use hjemmel::store::settings::{Address, Postgres};
use hjemmel::store::{Access, At, Database, Settings, StoreError, sql};
use sqlx::Executor;

use crate::agreements::{FRONT, NOW, at, both_sides};
use crate::decides::Decides;
use crate::kept::{Kept, on};
use crate::postgres::{Bouncer, Cluster, Mode, PASSWORD, Shown};

fn server(settings: &mut Settings) -> &mut Postgres {
    match &mut settings.at {
        At::Postgres(server) => server,
        At::Sqlite(_) => panic!("a server"),
    }
}

async fn error(settings: &Settings) -> String {
    match Database::open(settings, Access::Make).await.unwrap_err() {
        StoreError::Unusable { at, why } => format!("{at}: {why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_thing_that_keeps_the_server_from_being_used_is_told_with_its_remedy() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (good, dir) = on(&cluster, &database);
    let changed = |change: &dyn Fn(&mut Postgres)| {
        let mut settings = good.clone();
        change(server(&mut settings));
        settings
    };
    let wrong_password = dir.path().join("wrong");
    std::fs::write(&wrong_password, "forkert").unwrap();
    let another_root = std::fs::read_to_string(cluster.another_root()).unwrap();
    for (settings, says) in [
        (changed(&|server| server.tls_roots = another_root.clone()), "name the CA that issued it in tls_roots"),
        (changed(&|server| server.tls_roots.clear()), "name its CAs as tls_roots"),
        (changed(&|server| server.password_file = Some(wrong_password.clone())), "see password_file and pg_hba.conf"),
        (changed(&|server| server.password_file = Some(dir.path().join("none"))), "cannot be read"),
        (changed(&|server| server.address.database = "ingen".to_owned()), "make it with createdb"),
        (changed(&|server| server.address.port = 1), "it does not answer"),
    ] {
        let told = error(&settings).await;
        assert!(told.contains(says) && !told.contains("forkert"), "{says}\nin\n{told}");
    }
    for shown in [Shown::WrongName, Shown::Expired, Shown::WrongRoot] {
        cluster.show(shown);
        assert!(error(&good).await.contains("its certificate is not accepted"), "{shown:?}");
    }
    cluster.show(Shown::Good);
    cluster.psql_in(&database, "REVOKE ALL ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO postgres");
    cluster.psql_in(&database, "GRANT USAGE ON SCHEMA public TO hjemmel");
    assert!(error(&good).await.contains("run `hjemmel store migrate` as its owner"));
}

#[tokio::test]
async fn what_is_shown_of_a_store_holds_no_password() {
    let Some(kept) = Kept::in_postgres() else { return };
    // One for each of the two that are shown.
    let settings = Settings { max_connections: 2, ..kept.settings.clone() };
    let store = Store::open(&settings).await.unwrap();
    let session = store.database().session().await.unwrap();
    let transaction = store.database().begin_beside_others().await.unwrap();
    for shown in [format!("{store:?}"), format!("{:?}", kept.settings), format!("{session:?}"), format!("{transaction:?}")] {
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}

#[tokio::test]
async fn who_only_looks_makes_no_tables() {
    let Some(kept) = Kept::in_postgres() else { return };
    let refused = Database::open(&kept.settings, Access::Look).await.unwrap_err().to_string();
    assert!(refused.contains("`hjemmel store migrate` makes the tables"), "{refused}");
}

#[tokio::test]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let Some(kept) = Kept::in_postgres() else { return };
    let open = || Database::open(&kept.settings, Access::Make);
    let (one, two, three) = tokio::join!(open(), open(), open());
    let revision = one.unwrap().revision().await.unwrap();
    assert_eq!(two.unwrap().revision().await.unwrap(), revision);
    assert_eq!(three.unwrap().revision().await.unwrap(), revision);
}

#[tokio::test]
async fn a_lock_on_the_migrations_that_does_not_go_is_told_with_who_holds_it() {
    use sqlx::migrate::Migrate as _;
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (mut settings, _dir) = on(&cluster, &database);
    settings.patience = std::time::Duration::from_secs(1);
    let mut other = cluster.superuser(&database).await;
    other.lock().await.unwrap();
    let row = other.fetch_one("SELECT pg_backend_pid()::text").await.unwrap();
    let holder: String = sqlx::Row::get(&row, 0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut refused = error(&settings).await;
    // Where the machine is busy, not even the way to the lock is in time.
    while !refused.contains(&format!("process {holder} ")) && std::time::Instant::now() < deadline {
        refused = error(&settings).await;
    }
    assert!(refused.contains(&format!("process {holder} ")) && refused.contains("pg_terminate_backend"), "{refused}");
    other.unlock().await.unwrap();
    settings.patience = on(&cluster, &database).0.patience;
    Database::open(&settings, Access::Make).await.unwrap();
    let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(cluster.psql(left).trim(), "0", "the lock is gone with the connection");
}

/// A database asked by a pooler: without an address of the server itself, and with it.
pub fn pooled(direct: &Settings, bouncer: &Bouncer) -> (Settings, Settings) {
    let (mut alone, mut with_direct) = (direct.clone(), direct.clone());
    let own: Address = server(&mut with_direct).address.clone();
    for settings in [&mut alone, &mut with_direct] {
        server(settings).address.port = bouncer.port();
    }
    server(&mut with_direct).direct = Some(own);
    (alone, with_direct)
}

#[tokio::test]
async fn a_pooler_that_keeps_no_statements_apart_is_refused_by_what_it_does_whatever_its_version() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (direct, _dir) = on(&cluster, &database);
    let poolers = [
        Bouncer::before(&cluster, Mode::Transaction, 2),
        Bouncer::newer(&cluster, Mode::Transaction, 2, "max_prepared_statements = 0"),
    ];
    for bouncer in poolers.into_iter().flatten() {
        let (alone, with_direct) = pooled(&direct, &bouncer);
        for settings in [&alone, &with_direct] {
            let told = error(settings).await;
            assert!(told.contains("use PgBouncer 1.24 or later"), "PgBouncer {:?}: {told}", bouncer.version);
        }
        let mut backwards = direct.clone();
        server(&mut backwards).direct = Some(server(&mut alone.clone()).address.clone());
        assert!(error(&backwards).await.contains("direct_url leads to a pooler"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn through_pgbouncer_in_transaction_mode_each_statement_gets_its_own_rows_and_decisions_are_made_and_heard() {
    let Some(cluster) = Cluster::own() else { return };
    let Some(bouncer) = Bouncer::newer(&cluster, Mode::Transaction, 2, "") else { return };
    let database = cluster.database().name;
    let (direct, _dir) = on(&cluster, &database);
    let (alone, with_direct) = pooled(&direct, &bouncer);
    assert!(error(&alone).await.contains("name the server itself as direct_url"), "PgBouncer {:?}", bouncer.version);
    // Its tables are made through it, by the direct address.
    let store = Store::open(&with_direct).await.unwrap();
    store.import(&Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap(), at(NOW)).await.unwrap();
    store.database().listen();
    while !store.database().is_listening() {
        tokio::task::yield_now().await;
    }
    let heard = store.database().changes();
    // More programs than the pooler has connections, each of which gives the same names to other statements.
    let mut opened = Vec::new();
    for _ in 0..8 {
        opened.push(Database::open(&with_direct, Access::Change).await.unwrap());
    }
    let programs: Vec<_> = opened
        .into_iter()
        .enumerate()
        .map(|(number, database)| {
            tokio::spawn(async move {
                for round in number..number + 60 {
                    match round % 4 {
                        0 => {
                            let asked = sql("SELECT cvr FROM authority WHERE cvr = $1").bind("11111111");
                            let row = database.first(asked).await.unwrap().unwrap();
                            assert_eq!(row.get::<String>("cvr").unwrap(), "11111111");
                        }
                        1 => {
                            let asked = sql("SELECT id, state FROM agreement WHERE id = $1").bind(FRONT);
                            let row = database.first(asked).await.unwrap().unwrap();
                            assert_eq!(row.get::<uuid::Uuid>("id").unwrap(), FRONT);
                        }
                        2 => assert_eq!(database.revision().await.unwrap().len(), 16),
                        _ => {
                            let mut transaction = database.begin_beside_others().await.unwrap();
                            let add = "INSERT INTO job (kind, payload, state, attempts, added_us, due_us) VALUES ($1, '', 'waiting', 0, 0, 0)";
                            transaction.execute(sql(add).bind(format!("{number} {round}"))).await.unwrap();
                            transaction.commit().await.unwrap();
                        }
                    }
                }
                database.close().await;
            })
        })
        .collect();
    for program in programs {
        program.await.unwrap();
    }
    let row = store.database().first(sql("SELECT count(DISTINCT kind) AS many FROM job")).await.unwrap().unwrap();
    assert_eq!(row.get::<i64>("many").unwrap(), 8 * 15, "each was written once");
    let by_other_means = format!("UPDATE agreement SET reason = 'ved siden af' WHERE id = '{FRONT}'");
    cluster.psql_in(&database, &by_other_means);
    while store.database().changes() == heard {
        tokio::task::yield_now().await;
    }
    store.decide(FRONT, State::Suspended, "x", "y", at(NOW)).await.unwrap();
    assert_eq!(store.get(FRONT).await.unwrap().state, State::Suspended);
    bouncer.restart();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while store.get(FRONT).await.is_err() {
        assert!(std::time::Instant::now() < until, "never again");
    }
    assert_eq!(cluster.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").trim(), "0", "no lock stays behind");
}

#[tokio::test]
async fn a_decision_waits_for_another_and_gives_up_in_time_with_nothing_written() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    // The usual patience: it bounds the way to a connection, too, which a busy machine makes long.
    let (settings, _dir) = on(&cluster, &database);
    let store = Store::open(&settings).await.unwrap();
    store.import(&Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap(), at(NOW)).await.unwrap();
    let mut other = cluster.superuser(&database).await;
    other.execute("BEGIN; LOCK TABLE revision IN EXCLUSIVE MODE").await.unwrap();
    let refused = store.decide(FRONT, State::Suspended, "x", "y", at(NOW)).await.unwrap_err().to_string();
    assert!(refused.contains("another writes to it, and did not end in time; do it again"), "{refused}");
    assert_eq!(store.get(FRONT).await.unwrap().state, State::Approved, "who reads does not wait");
    other.execute("COMMIT").await.unwrap();
    store.decide(FRONT, State::Suspended, "x", "y", at(NOW)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time_and_asked_again_when_it_goes_on() {
    let Some(cluster) = Cluster::own() else { return };
    let (mut settings, _dir) = on(&cluster, &cluster.database().name);
    settings.statement_timeout = std::time::Duration::from_millis(200);
    settings.patience = std::time::Duration::from_millis(500);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let database = loop {
        match Database::open(&settings, Access::Make).await {
            Ok(database) => break database,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
    };
    while database.revision().await.is_err() {
        tokio::task::yield_now().await;
    }
    let paused = cluster.pause();
    for _ in 0..6 {
        let began = std::time::Instant::now();
        database.revision().await.unwrap_err();
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
    }
    drop(paused);
    while database.revision().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server_in_a_transaction() {
    let Some(kept) = Kept::in_postgres() else { return };
    let mut settings = kept.settings.clone();
    settings.statement_timeout = std::time::Duration::from_millis(200);
    let database = Database::open(&settings, Access::Make).await.unwrap();
    let mut transaction = database.begin_beside_others().await.unwrap();
    let ended = transaction.first(sql("SELECT pg_sleep(10)::text AS slept")).await.unwrap_err().to_string();
    assert!(ended.contains("statement timeout"), "{ended}");
    drop(transaction);
    let mut session = database.session().await.unwrap();
    let setting = session.first(sql("SELECT current_setting('statement_timeout') AS setting")).await.unwrap().unwrap();
    assert_eq!(setting.get::<String>("setting").unwrap(), "0", "the limit was the transaction's and not the session's");
}
