//! A store with its tables for a test, in a file or on the cluster of the test program.
//!
//! The tables are made once a test program and copied from then on: making them anew is most of what a short test would do. And
//! the store is waited for as long as it takes: a disk that stands still for a moment is no fault of what a test shows. Tests of
//! the making itself, or of how long a store is waited for, make their own.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use hjemmel::store::{Access, Database, Settings};
use tokio::sync::OnceCell;

use crate::postgres::Cluster;

/// As long as a test may wait for a store.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same, waited for as long as it takes.
pub fn patient(settings: Settings) -> Settings {
    Settings { patience: PATIENCE, statement_timeout: PATIENCE, ..of_few(settings) }
}

/// The same with as many connections as `HJEMMEL_POOL` says. With one, who holds it and takes another waits for it in vain: no test
/// does, and nothing that it shows.
pub fn of_few(settings: Settings) -> Settings {
    let max_connections = std::env::var("HJEMMEL_POOL").map_or(settings.max_connections, |number| number.parse().unwrap());
    Settings { max_connections, ..settings }
}

/// A store in a new file.
pub async fn in_file(path: &Path) -> Settings {
    std::fs::write(path, bytes().await).unwrap();
    patient(Settings::sqlite(path))
}

/// The store of a world that will be started in `dir`, where there is none yet.
pub fn in_world(dir: &Path) {
    // On a thread of its own, for whoever asks may be on a runtime's.
    static TABLES: LazyLock<&'static [u8]> = LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::spawn(move || runtime.block_on(bytes())).join().unwrap()
    });
    let path = dir.join("agreements.sqlite");
    if !path.exists() {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(path, *TABLES).unwrap();
    }
}

/// A store's file that has its tables and nothing in them.
async fn bytes() -> &'static [u8] {
    static TABLES: OnceCell<Vec<u8>> = OnceCell::const_new();
    let made = async || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        make(&Settings::sqlite(&path)).await;
        std::fs::read(path).unwrap()
    };
    TABLES.get_or_init(made).await
}

/// A new database on the cluster of the test program: its name. `None`, and a line that says what did not run, without PostgreSQL.
pub async fn on_cluster() -> Option<(&'static Cluster, String)> {
    static TABLES: OnceCell<String> = OnceCell::const_new();
    let cluster = Cluster::shared()?;
    let made = async || {
        let name = cluster.database().name;
        make(&cluster.settings(&name)).await;
        name
    };
    let name = cluster.database_from(TABLES.get_or_init(made).await).name;
    Some((cluster, name))
}

/// A store in a file and, where PostgreSQL is there, one on it: the name of its kind, and a folder of its own.
pub async fn on_each() -> Vec<(&'static str, Settings, tempfile::TempDir)> {
    let folder = || tempfile::tempdir().unwrap();
    let first = folder();
    let mut all = vec![("SQLite", in_file(&first.path().join("store.sqlite")).await, first)];
    if let Some((cluster, name)) = on_cluster().await {
        all.push(("PostgreSQL", patient(cluster.settings(&name)), folder()));
    }
    all
}

async fn make(settings: &Settings) {
    Database::open(&patient(settings.clone()), Access::Make).await.unwrap().close().await;
}
