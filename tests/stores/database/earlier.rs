//! Migrations beside the release before: what that reads and writes stays readable and writable, on both databases, and a node
//! of it goes on while a later one changes the schema under it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hjemmel::agreements::page::Wanted;
use hjemmel::agreements::{State, Store, import::Import};
use hjemmel::clock::Clock;
use hjemmel::replay::Seen;
use hjemmel::replay::database::{DatabaseMemory, Rules as Remembered};
use hjemmel::store::jobs::{Jobs, Rules};
use hjemmel::store::{At, Dialect};
use sqlx::migrate::{Migration, Migrator};
use sqlx::{Connection, Row};

use crate::agreements::{FRONT, NOW, SERVICE, at, both_sides, exttest, korsbaek};
use crate::decides::Decides;
use crate::kept::Kept;
use crate::postgres::Cluster;

crate::on_both! {
    no_migration_takes_from_the_release_before_what_it_reads_or_asks_of_it_what_it_does_not_write;
    a_node_goes_on_while_a_later_release_adds_to_every_table_under_it;
}

/// SQLite's steps up to what PostgreSQL began with: the fifth takes two columns away that became one.
const BEGUN: i64 = 5;

/// Of a column: its type, and whether a row must give it a value.
type Columns = BTreeMap<(String, String), (String, bool)>;

/// What may refuse what is written to a table, and its words: on PostgreSQL constraints, unique indexes and triggers; on SQLite, whose
/// constraints stand in the text of the table, the latter two.
type Refusals = BTreeMap<(String, String), String>;

/// What a migration brought to a table that the release before writes to, or words otherwise, and why it refuses nothing of that
/// release.
const REFUSES_NOTHING_OF_BEFORE: &[(i64, &str, &str)] = &[
    (14, "decision_subject_check", "wider: any subject, and not three alone"),
    (16, "api_user_person_stays", "of a column that it does not know"),
    (16, "api_user_certificate_stays", "wider: the end of a certificate may be written"),
    (16, "api_user_certificate_ends_once", "of a column that it does not know"),
    (38, "decision_session_stays", "of a column that it does not know"),
    (47, "agreement_stays_bound", "of a column that it does not know"),
    (51, "mailbox_file_shown", "of a column that it leaves empty, and of rows where it is not empty"),
    (53, "client_system_certificate_ended", "refuses nothing: tells that it changed"),
    (61, "client_system_stays", "wider: a system may go to another"),
    (61, "client_system_certificate_stays", "wider: a certificate may go to another system"),
    (61, "client_system_certificate_moves", "it moves none: it was refused that"),
    (61, "client_system_certificate_ends_once", "wider: one that goes to another system is open again"),
    (68, "mailbox_quota_bytes_check", "of a column that it leaves empty"),
    (87, "decision_delegation_stays", "of a column that it does not know"),
    (87, "console_session_delegation_stays", "of a column that it does not know"),
    (92, "api_user_known_by_stays", "of a column that it does not know"),
];

#[test]
fn an_index_is_taken_away_by_a_migration_that_does_nothing_else_for_nobody_reads_the_table_meanwhile() {
    for file in std::fs::read_dir("migrations/postgres").unwrap() {
        let file = file.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let without_remarks: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let without_remarks = without_remarks.join("\n");
        let statements = without_remarks.split(';').filter(|statement| !statement.trim().is_empty()).count();
        assert!(!without_remarks.contains("DROP INDEX") || statements == 1, "{}", file.display());
    }
}

/// A database that is migrated step by step.
enum Stepped {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Stepped {
    async fn of(kept: &Kept) -> Self {
        match &kept.settings.at {
            At::Sqlite(file) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
                Self::Sqlite(sqlx::SqliteConnection::connect_with(&options).await.unwrap())
            }
            At::Postgres(server) => Self::Postgres(Cluster::shared().unwrap().superuser(&server.address.database).await),
        }
    }

    async fn migrated_to(&mut self, migrations: &[Migration]) {
        let migrator = Migrator { migrations: Cow::Owned(migrations.to_vec()), ..Migrator::DEFAULT };
        match self {
            Self::Sqlite(connection) => migrator.run(connection).await.unwrap(),
            Self::Postgres(connection) => migrator.run(connection).await.unwrap(),
        }
    }

    async fn columns(&mut self) -> Columns {
        let of = |table: String, column: String, kind: String, needed: bool| ((table, column), (kind, needed));
        match self {
            Self::Sqlite(connection) => {
                let asked =
                    "SELECT t.name AS a, c.name AS b, c.type AS c, c.\"notnull\" = 1 AND c.dflt_value IS NULL AND c.pk = 0 AS d
                     FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'";
                let rows = sqlx::query(asked).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| of(row.get("a"), row.get("b"), row.get("c"), row.get("d"))).collect()
            }
            Self::Postgres(connection) => {
                let asked = "SELECT table_name::text AS a, column_name::text AS b, data_type::text AS c,
                         is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AS d
                     FROM information_schema.columns WHERE table_schema = 'public'";
                let rows = sqlx::query(asked).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| of(row.get("a"), row.get("b"), row.get("c"), row.get("d"))).collect()
            }
        }
    }
}

impl Stepped {
    async fn refusals(&mut self) -> Refusals {
        let rows: Vec<(String, String, String)> = match self {
            Self::Sqlite(connection) => {
                let asked = "SELECT tbl_name, name, sql FROM sqlite_schema
                     WHERE sql IS NOT NULL AND (type = 'trigger' OR type = 'index' AND sql LIKE 'CREATE UNIQUE%')";
                sqlx::query_as(asked).fetch_all(connection).await.unwrap()
            }
            Self::Postgres(connection) => {
                let asked = "SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) FROM pg_constraint
                         WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
                     UNION ALL SELECT tablename::text, indexname::text, indexdef FROM pg_indexes
                         WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE%'
                     UNION ALL SELECT tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid) FROM pg_trigger
                         WHERE NOT tgisinternal";
                sqlx::query_as(asked).fetch_all(connection).await.unwrap()
            }
        };
        rows.into_iter().map(|(table, name, words)| ((table, name), words)).collect()
    }
}

async fn no_migration_takes_from_the_release_before_what_it_reads_or_asks_of_it_what_it_does_not_write(kept: Kept) {
    let kept = kept.another();
    let folder = match kept.settings.at {
        At::Sqlite(_) => "migrations/sqlite",
        At::Postgres(_) => "migrations/postgres",
    };
    let all = Migrator::new(Path::new(folder)).await.unwrap();
    let all: Vec<Migration> = all.iter().cloned().collect();
    assert!(all.len() > 20, "{}", all.len());
    let mut stepped = Stepped::of(&kept).await;
    let (mut before, mut refused) = (Columns::new(), Refusals::new());
    let mut wrong = Vec::new();
    for done in 1..=all.len() {
        stepped.migrated_to(&all[..done]).await;
        let (now, refuses) = (stepped.columns().await, stepped.refusals().await);
        let version = all[done - 1].version;
        if version <= BEGUN {
            (before, refused) = (now, refuses);
            continue;
        }
        for ((table, column), (kind, needed)) in &before {
            match now.get(&(table.clone(), column.clone())) {
                None => wrong.push(format!("{version} takes {table}.{column} away")),
                Some((other, _)) if other != kind => wrong.push(format!("{version} makes {table}.{column} {other} of {kind}")),
                Some((_, true)) if !needed => wrong.push(format!("{version} asks for {table}.{column}, which could be left out")),
                Some(_) => {}
            }
        }
        let tables: std::collections::BTreeSet<_> = before.keys().map(|(table, _)| table).collect();
        let new = now.iter().filter(|(name, _)| tables.contains(&name.0) && !before.contains_key(name));
        wrong.extend(
            new.filter(|(_, (_, needed))| *needed)
                .map(|((table, column), _)| format!("{version} adds {table}.{column}, which the release before does not write")),
        );
        let is_known = |name: &str| REFUSES_NOTHING_OF_BEFORE.iter().any(|(of, known, _)| (*of, *known) == (version, name));
        for ((table, name), words) in refuses.iter().filter(|((table, name), _)| tables.contains(table) && !is_known(name)) {
            if refused.get(&(table.clone(), name.clone())) != Some(words) {
                wrong.push(format!("{version} may refuse what the release before writes to {table}: {name} {words}"));
            }
        }
        (before, refused) = (now, refuses);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What was made step by step is what a start finds in order.
    drop(stepped);
    if matches!(kept.settings.at, At::Sqlite(_)) {
        assert!(hjemmel::store::schema(&kept.settings).await.unwrap().is_current());
    }
}

/// What a node does all day, again and again until it is told to stop; each failure is kept.
async fn works(store: Store, done: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> Vec<String> {
    let clock = Clock::system();
    let [keep, skew, patience] = [3600, 60, 30].map(Duration::from_secs);
    let rules = Remembered { keep, skew, patience };
    let memory = DatabaseMemory::open(store.database().clone(), rules, clock.clone()).await.unwrap();
    let jobs = Jobs::new(store.database().clone(), "test", Rules::default());
    let mut failed = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let number = done.load(Ordering::SeqCst);
        let once = async {
            store.back(SERVICE, korsbaek(), &exttest()).await.map_err(|error| error.to_string())?;
            store.get(FRONT).await.map_err(|error| error.to_string())?;
            store.page(&Wanted { limit: 5, ..Wanted::default() }).await.map_err(|error| error.to_string())?;
            store.routes().await.map_err(|error| error.to_string())?;
            store.every_decision().await.map_err(|error| error.to_string())?;
            let to = if number.is_multiple_of(2) { State::Suspended } else { State::Approved };
            store.decide(FRONT, to, "underskriver", "sag", at(NOW)).await.map_err(|error| error.to_string())?;
            let now = clock.now();
            memory.remember(Seen::new(b"k", &number.to_string(), now), now).await.map_err(|refusal| format!("{refusal:?}"))?;
            let mut transaction = store.database().begin_beside_others().await.map_err(|error| error.to_string())?;
            jobs.add(&mut transaction, b"a delivery", None).await.map_err(|error| error.to_string())?;
            transaction.commit().await.map_err(|error| error.to_string())
        };
        if let Err(error) = once.await {
            failed.push(error);
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
    failed
}

async fn a_node_goes_on_while_a_later_release_adds_to_every_table_under_it(kept: Kept) {
    let store = Store::open(&kept.settings).await.unwrap();
    store.import(&Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap(), at(NOW)).await.unwrap();
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let node = tokio::spawn(works(store.clone(), done.clone(), stop.clone()));
    let more = async |times: usize| {
        let due = done.load(Ordering::SeqCst) + times;
        while done.load(Ordering::SeqCst) < due {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Each of its statements is prepared on each of its connections.
    more(10).await;
    let tables: Vec<String> =
        store.database().columns().await.unwrap().into_keys().filter(|table| !table.starts_with('_')).collect();
    assert!(tables.len() > 40, "{}", tables.len());
    for table in &tables {
        kept.execute(&format!("ALTER TABLE {table} ADD COLUMN of_later text")).await.unwrap();
    }
    let filled = if store.database().dialect() == Dialect::Sqlite { "random()" } else { "md5(random()::text)" };
    kept.execute(&format!("CREATE TABLE of_later (text text PRIMARY KEY); INSERT INTO of_later SELECT {filled}")).await.unwrap();
    more(10).await;
    stop.store(true, Ordering::SeqCst);
    let failed = node.await.unwrap();
    assert!(failed.is_empty(), "of {} times: {failed:#?}", done.load(Ordering::SeqCst));
}
