//! The file that the store lies in: opened, and opened anew when another file takes its path.
//!
//! Whoever restores a copy renames it over the store (`mv`, rsync, most editors do). The connections then still read the
//! file that is gone. So every use compares the file at the path, by device and inode, with the one that is open:
//!
//! - Another store: it is opened in place of the old one, once `PRAGMA quick_check` finds it whole.
//! - No file, or one that is no store: an error, as when the store does not answer; readiness and the cache's bounded
//!   staleness follow from that.
//!
//! The journal is a rollback journal and not a write-ahead log. SQLite finds a log by the store's name alone, so one left
//! from the file that is gone would be applied to the file that took its place. A transaction is kept once its journal is
//! empty: the file stays, for to make and to remove one at each commit costs the disk more than what is written.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, Row, SqliteConnection, SqlitePool,
    migrate::MigrateError,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Mutex, Semaphore};

use super::migrations::OF_SQLITE as MIGRATIONS;
use super::schema::{APPLIED, Schema, empty, judged};
use super::settings::Settings;
use super::{Access, StoreError};

/// A file, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

/// The connections to one file.
#[derive(Debug, Clone)]
pub struct Opened {
    pub(super) pool: SqlitePool,
    file: Identity,
}

/// A path, and what is open of it.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    settings: Settings,
    access: Access,
    opened: RwLock<Opened>,
    /// Held while it is opened anew, so that many calls at once open it once.
    opening: Mutex<()>,
    /// Has one permit: whose turn it is to write. SQLite would let each ask again and again, whoever came first.
    pub(super) writing: Arc<Semaphore>,
}

impl Place {
    pub(super) async fn open(path: &Path, settings: &Settings, access: Access) -> Result<Self, StoreError> {
        if access == Access::Look {
            look(path, settings).await?;
        } else {
            prepare(path, settings, access).await?;
        }
        let opened = connect(path, settings, access).await?;
        Ok(Self {
            path: path.to_owned(),
            settings: settings.clone(),
            access,
            opened: RwLock::new(opened),
            opening: Mutex::new(()),
            writing: Arc::new(Semaphore::new(1)),
        })
    }

    /// What is open, if it is the file at the path; otherwise that file, opened now. What was closed stays closed.
    pub(super) async fn current(&self) -> Result<Opened, StoreError> {
        if let Some(opened) = self.unchanged().await? {
            return Ok(opened);
        }
        let _alone = self.opening.lock().await;
        if let Some(opened) = self.unchanged().await? {
            return Ok(opened);
        }
        match self.access {
            Access::Look => look(&self.path, &self.settings).await?,
            Access::Make | Access::Change => prepare(&self.path, &self.settings, Access::Change).await?,
        }
        let fresh = connect(&self.path, &self.settings, self.access).await?;
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        tracing::warn!(store = %self.path.display(), "the store was replaced by another file, which is used from now on");
        Ok(fresh)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How long a connection, and then its lock, are waited for.
    pub(super) fn patience(&self) -> Duration {
        self.settings.patience
    }

    /// Which file it is, by device and inode.
    pub(super) async fn file(&self) -> Result<String, StoreError> {
        let Identity(device, inode) = self.current().await?.file;
        Ok(format!("{device}:{inode}"))
    }

    async fn unchanged(&self) -> Result<Option<Opened>, StoreError> {
        let opened = self.held();
        let same = opened.pool.is_closed() || identity(&self.path).await? == opened.file;
        Ok(same.then_some(opened))
    }

    /// Whether `opened` is still the file at the path: what was written to it counts only then.
    pub(super) async fn holds(&self, opened: &Opened) -> Result<(), StoreError> {
        match identity(&self.path).await {
            Ok(file) if file == opened.file => Ok(()),
            _ => Err(StoreError::Replaced(self.path.clone())),
        }
    }

    pub(super) async fn close(&self) {
        self.held().pool.close().await;
    }

    fn held(&self) -> Opened {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(unix)]
async fn identity(path: &Path) -> Result<Identity, StoreError> {
    use std::os::unix::fs::MetadataExt;
    let file = tokio::fs::metadata(path).await.map_err(|cause| unreachable_file(path, cause))?;
    Ok(Identity(file.dev(), file.ino()))
}

/// Where files have no inode, a store cannot be replaced while it is open.
#[cfg(not(unix))]
async fn identity(path: &Path) -> Result<Identity, StoreError> {
    tokio::fs::metadata(path).await.map_err(|cause| unreachable_file(path, cause))?;
    Ok(Identity(0, 0))
}

fn unreachable_file(path: &Path, cause: io::Error) -> StoreError {
    match cause.kind() {
        io::ErrorKind::NotFound => StoreError::Missing(path.to_owned()),
        _ => StoreError::Database(cause.into()),
    }
}

pub(super) fn options(path: &Path, settings: &Settings) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        // A decision on access, or that a delivery is passed on, must survive the power cut that follows it. With `FULL` the removal of a journal,
        // which is the commit where it is not emptied, may not be on the disk yet: the journal comes back, and what was committed is taken back.
        .synchronous(SqliteSynchronous::Extra)
        // What is deleted is overwritten: an erased person is in no free page either.
        .pragma("secure_delete", "ON")
        .busy_timeout(settings.patience)
}

/// To read alone. Whoever was killed while it wrote left a journal, and SQLite reads nothing before what was half written is
/// taken back, which a connection that only reads cannot do: one that may write does it first. A journal of a process that
/// lives is left to it by SQLite's locks.
pub(super) async fn to_read(path: &Path, settings: &Settings) -> SqliteConnectOptions {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    // An empty one is of a transaction that was kept.
    if tokio::fs::metadata(&journal).await.is_ok_and(|left| left.len() > 0) {
        // Where it may not write either, reading says so.
        if let Ok(mut connection) = options(path, settings).connect().await {
            let _ = sqlx::query("SELECT 1 FROM sqlite_schema").fetch_optional(&mut connection).await;
            let _ = connection.close().await;
        }
    }
    options(path, settings).read_only(true)
}

/// Brings the file into the state that is needed, on a connection of its own.
async fn prepare(path: &Path, settings: &Settings, access: Access) -> Result<(), StoreError> {
    let make = access == Access::Make;
    if !make {
        identity(path).await?;
    }
    // A pool of one: the migrations take no plain connection in a future that is sent between threads.
    let one = SqlitePoolOptions::new().max_connections(1).acquire_timeout(settings.patience);
    let connected = one.connect_with(options(path, settings).create_if_missing(make)).await;
    let pool = connected.map_err(|error| not_a_database(error, path))?;
    let prepared = bring_up_to_date(&pool, path, make).await;
    pool.close().await;
    prepared
}

async fn bring_up_to_date(pool: &SqlitePool, path: &Path, make: bool) -> Result<(), StoreError> {
    if !make {
        is_a_store(&mut *pool.acquire().await?, path).await?;
        // A copy that was cut short must not take the store's place, and must not be written to.
        let found: String = sqlx::query("PRAGMA quick_check(1)").fetch_one(pool).await?.try_get(0)?;
        if found != "ok" {
            return Err(StoreError::NotAStore(path.to_owned()));
        }
    }
    MIGRATIONS.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) => StoreError::OtherSchema { at: path.display().to_string(), older: false },
        error => error.into(),
    })?;
    // Changes nothing where it is so already. Where another program has the store open with a log, it stays.
    if let Err(error) = sqlx::query("PRAGMA journal_mode = DELETE").execute(pool).await {
        tracing::warn!(%error, "the store keeps its write-ahead log until the next start: another program has it open");
    }
    Ok(())
}

/// Makes sure that the file can be read as it is.
pub(super) async fn look(path: &Path, settings: &Settings) -> Result<(), StoreError> {
    identity(path).await?;
    let mut connection = to_read(path, settings).await.connect().await.map_err(|error| not_a_database(error, path))?;
    let looked = async {
        is_a_store(&mut connection, path).await?;
        match applied(&mut connection, path).await? {
            schema if schema.is_current() => Ok(()),
            _ => Err(StoreError::OtherSchema { at: path.display().to_string(), older: true }),
        }
    }
    .await;
    connection.close().await?;
    looked
}

/// The schema of the store at `path`; nothing of it is written.
///
/// # Errors
/// What would keep the gateway from opening it: not there, no store, or written by a later release.
pub(super) async fn schema(path: &Path, settings: &Settings) -> Result<Schema, StoreError> {
    identity(path).await?;
    let mut connection = to_read(path, settings).await.connect().await.map_err(|error| not_a_database(error, path))?;
    let looked = async {
        let nothing = sqlx::query("SELECT 1 FROM sqlite_schema").fetch_optional(&mut connection).await;
        if matches!(nothing, Ok(None)) {
            return Ok(empty(&MIGRATIONS));
        }
        is_a_store(&mut connection, path).await?;
        applied(&mut connection, path).await
    }
    .await;
    connection.close().await?;
    looked
}

async fn applied(connection: &mut SqliteConnection, path: &Path) -> Result<Schema, StoreError> {
    let rows = sqlx::query(APPLIED).fetch_all(connection).await?;
    let applied = rows.iter().map(|row| Ok((row.try_get("version")?, row.try_get("checksum")?, row.try_get("success")?)));
    judged(&applied.collect::<Result<Vec<_>, sqlx::Error>>()?, &MIGRATIONS, &path.display().to_string())
}

async fn is_a_store(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let found = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'").fetch_optional(connection).await;
    match found {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(StoreError::NotAStore(path.to_owned())),
        Err(error) => Err(not_a_database(error, path)),
    }
}

/// Connecting reads the file's head already, so that this is the error of either.
fn not_a_database(error: sqlx::Error, path: &Path) -> StoreError {
    const SQLITE_NOTADB: &str = "26";
    match error {
        sqlx::Error::Database(error) if error.code().as_deref() == Some(SQLITE_NOTADB) => StoreError::NotAStore(path.to_owned()),
        error => error.into(),
    }
}

/// The pool, every connection of which is to the file that was at the path when the pool was made.
async fn connect(path: &Path, settings: &Settings, access: Access) -> Result<Opened, StoreError> {
    let file = identity(path).await?;
    let (here, writes) = (path.to_owned(), access != Access::Look);
    let options = match access {
        Access::Look => to_read(path, settings).await,
        Access::Make | Access::Change => options(path, settings),
    };
    let pool = SqlitePoolOptions::new()
        .max_connections(settings.max_connections.max(1))
        .acquire_timeout(settings.patience)
        // Each is tried when it is given back, and no network lies between that a connection could be lost on meanwhile.
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let here = here.clone();
            Box::pin(async move {
                match identity(&here).await {
                    Ok(found) if found == file => {}
                    _ => return Err(sqlx::Error::Io(io::Error::other("the file was replaced while it was being opened"))),
                }
                if writes { empties_its_journal(connection).await } else { Ok(()) }
            })
        })
        .connect_with(options)
        .await?;
    Ok(Opened { pool, file })
}

/// Has a transaction kept by emptying its journal, as durably as by removing it: with `FULL` and more SQLite syncs the file once
/// it is empty. A log that another program keeps stays one.
async fn empties_its_journal(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mode: String = sqlx::query("PRAGMA journal_mode").fetch_one(&mut *connection).await?.try_get(0)?;
    if mode == "delete" {
        sqlx::query("PRAGMA journal_mode = TRUNCATE").execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_written_to_a_file_that_was_replaced_meanwhile_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let settings = Settings::sqlite(&path);
        let place = Place::open(&path, &settings, Access::Make).await.unwrap();
        let written_to = place.current().await.unwrap();
        place.holds(&written_to).await.unwrap();
        Place::open(&dir.path().join("b.sqlite"), &settings, Access::Make).await.unwrap().close().await;
        std::fs::rename(dir.path().join("b.sqlite"), &path).unwrap();
        assert!(matches!(place.holds(&written_to).await, Err(StoreError::Replaced(_))));
        place.holds(&place.current().await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_committed_is_on_the_disk_with_the_emptying_of_its_journal_and_who_looks_sets_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let settings = Settings::sqlite(&path);
        let made = Place::open(&path, &settings, Access::Make).await.unwrap();
        let looked = Place::open(&path, &settings, Access::Look).await.unwrap();
        for (place, mode) in [(&made, "truncate"), (&looked, "delete")] {
            let pool = place.current().await.unwrap().pool;
            let told = sqlx::query("PRAGMA synchronous").fetch_one(&pool).await.unwrap();
            // EXTRA: with a journal that is emptied, as FULL, the emptying is synced; with one that is removed the folder too
            // (https://sqlite.org/pragma.html#pragma_synchronous).
            assert_eq!(told.get::<i64, _>(0), 3);
            let told = sqlx::query("PRAGMA journal_mode").fetch_one(&pool).await.unwrap();
            assert_eq!(told.get::<String, _>(0), mode);
        }
        let (pool, journal) = (made.current().await.unwrap().pool, dir.path().join("a.sqlite-journal"));
        let length = || std::fs::metadata(&journal).unwrap().len();
        let mut writing = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("CREATE TABLE word (text TEXT)").execute(&mut *writing).await.unwrap();
        sqlx::query("INSERT INTO word VALUES ('et')").execute(&mut *writing).await.unwrap();
        writing.commit().await.unwrap();
        assert_eq!(length(), 0, "it stays, and says nothing");
        let read = sqlx::query("SELECT text FROM word").fetch_one(&looked.current().await.unwrap().pool).await.unwrap();
        assert_eq!(read.get::<String, _>(0), "et");
    }

    #[tokio::test]
    async fn a_store_whose_writer_was_killed_is_as_before_that_write_for_whoever_opens_it_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let settings = Settings::sqlite(&path);
        Place::open(&path, &settings, Access::Make).await.unwrap().close().await;
        let mut writer = options(&path, &settings).connect().await.unwrap();
        // More than fits in memory, so that a part of it is in the file before it is committed.
        for statement in [
            "PRAGMA cache_size = 1",
            "BEGIN IMMEDIATE",
            "CREATE TABLE half (text TEXT)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO half SELECT hex(randomblob(1000)) FROM n",
        ] {
            sqlx::query(statement).execute(&mut writer).await.unwrap();
        }
        for (name, access) in [("schema", None), ("look", Some(Access::Look)), ("change", Some(Access::Change))] {
            let left = dir.path().join(name);
            std::fs::copy(&path, &left).unwrap();
            std::fs::copy(dir.path().join("a.sqlite-journal"), dir.path().join(format!("{name}-journal"))).unwrap();
            match access {
                None => assert!(schema(&left, &settings).await.unwrap().is_current()),
                Some(access) => Place::open(&left, &settings, access).await.unwrap().close().await,
            }
            let mut reader = options(&left, &settings).read_only(true).connect().await.unwrap();
            let half = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetch_optional(&mut reader).await;
            assert!(half.unwrap().is_none(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_told_to_be_none_whoever_opens_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let settings = Settings::sqlite(&path);
        std::fs::write(&path, "neither a list nor a database, but long enough to be taken for one: ".repeat(100)).unwrap();
        for access in [Access::Make, Access::Change, Access::Look] {
            let told = Place::open(&path, &settings, access).await.unwrap_err();
            assert!(matches!(told, StoreError::NotAStore(_)), "{access:?}: {told}");
        }
    }

    #[tokio::test]
    async fn who_looks_is_told_that_a_store_is_of_another_release() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let settings = Settings::sqlite(&path);
        let place = Place::open(&path, &settings, Access::Make).await.unwrap();
        let pool = place.current().await.unwrap().pool;
        for (change, is_older) in [
            ("UPDATE _sqlx_migrations SET version = 1000 WHERE version = (SELECT max(version) FROM _sqlx_migrations)", false),
            ("DELETE FROM _sqlx_migrations WHERE version > 1", true),
        ] {
            sqlx::query(change).execute(&pool).await.unwrap();
            let told = Place::open(&path, &settings, Access::Look).await.unwrap_err();
            assert!(matches!(told, StoreError::OtherSchema { older, .. } if older == is_older), "{told}");
        }
    }
}
