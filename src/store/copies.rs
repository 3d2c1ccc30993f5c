//! Copies of an SQLite store: made while it is used, and put back while it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{ConnectOptions, Connection, Row as _, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::place::{self, to_read};
use super::tables::{TableDigest, digests, tables};
use super::{Database, Session, Settings, StoreError, Transaction, moving, session, sql};

/// Copies the store at `from` to `to`, which must not be there, and gives the digest that each table has in both. Whoever reads the
/// store goes on; a change waits until it is copied and read.
///
/// # Errors
/// The store cannot be read, or the copy not be written, or it is not the same. No copy is left behind then.
pub async fn backup(from: &Path, to: &Path) -> Result<Vec<TableDigest>, StoreError> {
    place::look(from, &Settings::sqlite(from)).await?;
    let written = to.to_owned();
    // Made first, and empty, which is all that SQLite asks for: by itself it would let everybody read the copy.
    blocking(move || private(&written).map(drop)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => unusable(to, "it is there already and is not overwritten; name another file"),
        _ => unusable(to, &error.to_string()),
    })?;
    let copied = copy(from, to).await;
    if copied.is_err() {
        let _ = tokio::fs::remove_file(to).await;
    }
    copied
}

async fn copy(from: &Path, to: &Path) -> Result<Vec<TableDigest>, StoreError> {
    let settings = Settings::sqlite(from);
    let held = SqlitePoolOptions::new().max_connections(1).connect_with(place::options(from, &settings)).await?;
    let here = held_still(&held, from, to).await;
    held.close().await;
    let here = here?;
    let written = to.to_owned();
    blocking(move || durable(&written)).await.map_err(|error| unusable(to, &error.to_string()))?;
    whole(to).await?;
    the_same(&here, &of_file(to, digests).await?).map_err(|table| {
        unusable(to, &format!("the table {table} is not as it is in the store; look at the disk, and copy it again"))
    })?;
    Ok(here)
}

/// Copies a store and reads it, while `held` keeps others from changing it.
async fn held_still(held: &SqlitePool, from: &Path, to: &Path) -> Result<Vec<TableDigest>, StoreError> {
    let name = to.to_str().ok_or_else(|| unusable(to, "its name is not UTF-8"))?;
    let mut session = Session(session::Inner::Sqlite(held.acquire().await?));
    session.execute(sql("BEGIN IMMEDIATE")).await.map_err(|error| {
        unusable(from, &format!("it cannot be held still while it is copied ({error}); try again, as a user who may write it"))
    })?;
    let copied = async {
        let mut connection = to_read(from, &Settings::sqlite(from)).await.connect().await?;
        sqlx::query("VACUUM INTO ?").bind(name).execute(&mut connection).await?;
        connection.close().await.map_err(StoreError::from)
    };
    let (copied, here) = tokio::join!(copied, digests(&mut session));
    copied?;
    here
}

/// The first table that is not the same in both.
fn the_same(here: &[TableDigest], there: &[TableDigest]) -> Result<(), String> {
    let other = |one: &&TableDigest| !there.contains(one);
    let differs = here.iter().find(other).or_else(|| there.iter().find(|one| !here.contains(one)));
    differs.map_or(Ok(()), |differs| Err(differs.table.clone()))
}

/// Makes sure that a file is a store in every part, as far as SQLite can tell.
///
/// # Errors
/// It is not.
pub async fn whole(file: &Path) -> Result<(), StoreError> {
    let schema = super::schema(&Settings::sqlite(file)).await?;
    let mut connection = to_read(file, &Settings::sqlite(file)).await.connect().await?;
    let checked = check(&mut connection).await;
    connection.close().await?;
    if schema.version == 0 || !checked? { Err(StoreError::NotAStore(file.to_owned())) } else { Ok(()) }
}

async fn check(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let found: String = sqlx::query("PRAGMA integrity_check(1)").fetch_one(&mut *connection).await?.try_get(0)?;
    Ok(found == "ok" && sqlx::query("PRAGMA foreign_key_check").fetch_optional(connection).await?.is_none())
}

/// What stands in a store and not in a copy that is to take its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lost {
    /// When the last decision in the copy was recorded; none where there is none.
    pub decided_to: Option<Timestamp>,
    /// Whether the present store could be read, so that the rest is known.
    pub known: bool,
    /// Agreements that would stand otherwise: their state in the copy (none: not there), and now.
    pub agreements: Vec<(Uuid, Option<String>, String)>,
    /// Routes that would be missing, or have another end.
    pub routes: Vec<Uuid>,
    /// Tables with rows that the copy has not, or has otherwise, and how many.
    pub rows: Vec<(String, usize)>,
}

impl Lost {
    /// Whether the copy lacks nothing that is known of.
    pub fn is_nothing(&self) -> bool {
        self.known && self.rows.is_empty()
    }

    /// Agreements that the copy would open again.
    pub fn revived(&self) -> impl Iterator<Item = Uuid> {
        let opens = |state: &Option<String>| state.as_deref() == Some("GODKENDT");
        self.agreements.iter().filter(move |(_, copy, now)| opens(copy) && now != "GODKENDT").map(|(id, ..)| *id)
    }
}

/// What would be lost if `copy` took the place of the store.
///
/// # Errors
/// The copy is not whole, or of a later release.
pub async fn lost(store: &Path, copy: &Path) -> Result<Lost, StoreError> {
    whole(copy).await?;
    let held = states(copy).await?;
    let mut lost = Lost { decided_to: held.decided_to, ..Lost::default() };
    if let Ok(now) = states(store).await {
        lost.known = true;
        for (id, state) in now.agreements {
            let before = held.agreements.get(&id);
            if before != Some(&state) {
                lost.agreements.push((id, before.cloned(), state));
            }
        }
        lost.rows = rows_lost(store, copy).await?;
        lost.routes = now.routes.into_iter().filter(|(id, end)| held.routes.get(id) != Some(end)).map(|(id, _)| id).collect();
    }
    Ok(lost)
}

/// Tables with rows that the copy has not, and how many.
async fn rows_lost(store: &Path, copy: &Path) -> Result<Vec<(String, usize)>, StoreError> {
    let (here, there) = (rows(store).await?, rows(copy).await?);
    let lost = here.into_iter().filter_map(|(table, rows)| {
        let held = there.get(&table);
        let lost = rows.iter().filter(|row| held.is_none_or(|held| !held.contains(*row))).count();
        (lost > 0).then_some((table, lost))
    });
    Ok(lost.collect())
}

/// The digest of each row of each table that is put back: not of what begins anew.
async fn rows(file: &Path) -> Result<BTreeMap<String, BTreeSet<[u8; 32]>>, StoreError> {
    of_file(file, async |session: &mut Session| {
        let mut all = BTreeMap::new();
        for table in tables(session).await? {
            if !moving::ANEW.contains(&table.name.as_str()) {
                all.insert(table.name.clone(), table.rows(session).await?.into_iter().collect());
            }
        }
        Ok(all)
    })
    .await
}

/// What is read of a file that is not a store in use.
async fn of_file<T>(file: &Path, read: impl AsyncFnOnce(&mut Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let readable = to_read(file, &Settings::sqlite(file)).await;
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(readable).await?;
    let read = async {
        let mut session = Session(session::Inner::Sqlite(pool.acquire().await?));
        read(&mut session).await
    }
    .await;
    pool.close().await;
    read
}

struct States {
    decided_to: Option<Timestamp>,
    agreements: BTreeMap<Uuid, String>,
    routes: BTreeMap<Uuid, Option<String>>,
}

/// What a store of this or an earlier release says, with nothing of it written.
async fn states(file: &Path) -> Result<States, StoreError> {
    let unreadable = |column| move |_| StoreError::Unreadable { column };
    let mut connection = to_read(file, &Settings::sqlite(file)).await.connect().await?;
    let read = async {
        let agreements = sqlx::query("SELECT id, state FROM agreement").fetch_all(&mut connection).await?;
        let routes = sqlx::query("SELECT id, valid_to FROM route").fetch_all(&mut connection).await;
        let routes = routes.unwrap_or_default(); // there were none in the first releases
        let last: Option<String> =
            sqlx::query("SELECT max(at) FROM agreement_decision").fetch_one(&mut connection).await?.try_get(0)?;
        let id = |row: &sqlx::sqlite::SqliteRow| -> Result<Uuid, StoreError> {
            row.try_get::<String, _>("id")?.parse().map_err(unreadable("id"))
        };
        let agreements = agreements.iter().map(|row| Ok((id(row)?, row.try_get("state")?)));
        let routes = routes.iter().map(|row| Ok((id(row)?, row.try_get("valid_to")?)));
        Ok(States {
            decided_to: last.map(|at| at.parse()).transpose().map_err(|_| StoreError::Unreadable { column: "at" })?,
            agreements: agreements.collect::<Result<_, StoreError>>()?,
            routes: routes.collect::<Result<_, StoreError>>()?,
        })
    }
    .await;
    connection.close().await?;
    read
}

/// Puts `copy` in the place of the store, which nobody may have open, once each of its tables has arrived as it is in the copy, and
/// `note` has brought it up to date and noted in it that it was put back. What was there is kept beside it; its new name is given back.
///
/// # Errors
/// The store is in use, a file cannot be written, or whatever `note` says. The store is as it was then.
pub async fn restore<E: From<StoreError>>(
    store: &Path,
    copy: &Path,
    at: Timestamp,
    note: impl AsyncFnOnce(Settings) -> Result<(), E>,
) -> Result<Option<PathBuf>, E> {
    let (place, held) = (store.to_owned(), copy.to_owned());
    let users = blocking(move || Ok(who_has_open(&place))).await.map_err(|error| unusable(store, &error.to_string()))?;
    if !users.is_empty() {
        let users: Vec<_> = users.iter().map(u32::to_string).collect();
        let why = format!("it is in use, by process {}; stop the gateway, and try again", users.join(", "));
        return Err(unusable(store, &why).into());
    }
    let fresh = beside(store, ".restoring");
    let fresh_place = fresh.clone();
    let copied = blocking(move || {
        let mut target = private(&fresh_place)?;
        io::copy(&mut File::open(&held)?, &mut target)?;
        target.sync_all()
    });
    copied.await.map_err(|error| unusable(&fresh, &error.to_string()))?;
    let noted = async {
        let (there, here) = (of_file(copy, digests).await?, of_file(&fresh, digests).await?);
        the_same(&there, &here).map_err(|table| {
            unusable(&fresh, &format!("the table {table} is not as it is in the copy; look at the disk, and put it back again"))
        })?;
        note(Settings::sqlite(&fresh)).await
    };
    if let Err(error) = noted.await {
        let _ = tokio::fs::remove_file(&fresh).await;
        return Err(error);
    }
    let before = beside(store, &format!(".before-{}", at.strftime("%Y%m%dT%H%M%SZ")));
    let (place, kept) = (store.to_owned(), before.clone());
    let exchanged = blocking(move || {
        let was_there = place.exists();
        if was_there {
            fs::set_permissions(&fresh, fs::metadata(&place)?.permissions())?;
            fs::hard_link(&place, &kept)?;
        }
        // A log or an index of one would be read into the file that takes the place of theirs.
        for left in ["-wal", "-shm", "-journal"].map(|end| beside(&place, end)) {
            match fs::remove_file(left) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&fresh, &place)?;
        durable(&place)?;
        Ok(was_there)
    });
    let was_there = exchanged.await.map_err(|error| unusable(store, &error.to_string()))?;
    Ok(was_there.then_some(before))
}

/// The store's own name.
///
/// # Errors
/// The store does not answer.
pub async fn name(database: &Database) -> Result<Uuid, StoreError> {
    let row = database.first(sql("SELECT store FROM revision")).await?;
    row.ok_or(StoreError::Unreadable { column: "revision" })?.get("store")
}

/// Notes in a store that it was put back, makes its revision anew, and has the memory against replay begin anew.
///
/// # Errors
/// The store does not answer.
pub async fn note(transaction: &mut Transaction, by: &str, at: Timestamp) -> Result<(), StoreError> {
    let last = transaction.first(sql("SELECT max(at) AS last FROM agreement_decision")).await?;
    let last: Option<Timestamp> = last.map(|row| row.maybe("last")).transpose()?.flatten();
    let noted = sql("INSERT INTO store_restored (at, decided_to, by) VALUES ($1, $2, $3)").bind(at).bind(last).bind(by);
    transaction.execute(noted).await?;
    let anew = super::by_dialect(
        "UPDATE revision SET value = randomblob(16)",
        "UPDATE revision SET value = uuid_send(gen_random_uuid())",
    );
    transaction.execute(anew).await?;
    // Also where the database cannot tell a copy from itself: on a disk that was put back.
    transaction.execute(sql("UPDATE replay_memory SET memory = ''")).await.map(drop)
}

/// When a store was last put back from a copy, and when the last decision in that copy was recorded.
///
/// # Errors
/// The store does not answer.
pub async fn restored(database: &Database) -> Result<Option<(Timestamp, Option<Timestamp>)>, StoreError> {
    let row = database.first(sql("SELECT at, decided_to FROM store_restored ORDER BY at DESC LIMIT 1")).await?;
    row.map(|row| Ok((row.get("at")?, row.maybe("decided_to")?))).transpose()
}

/// The processes that have a file open, as far as this one may see.
fn who_has_open(file: &Path) -> Vec<u32> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        let Ok(wanted) = fs::metadata(file) else { return Vec::new() };
        let same = |data: fs::Metadata| (data.dev(), data.ino()) == (wanted.dev(), wanted.ino());
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbered = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let has_open = |process: &u32| {
            let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
            open.filter_map(|entry| fs::metadata(entry.path()).ok()).any(same)
        };
        numbered.filter(|process| *process != std::process::id()).filter(has_open).collect()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        Vec::new()
    }
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// A new file that only its owner may read.
fn private(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// Waits until a file and its name are on the disk.
fn durable(file: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn unusable(file: &Path, why: &str) -> StoreError {
    StoreError::Unusable { at: file.display().to_string(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_lacks_has_more_or_has_another_row_is_not_the_same() {
        let of = |table: &str, rows, digest| TableDigest { table: table.to_owned(), rows, digest: [digest; 32] };
        let store = [of("agreement", 2, 1), of("route", 1, 2)];
        assert_eq!(the_same(&store, &store.clone()), Ok(()));
        for (copy, differs) in [
            (vec![of("agreement", 2, 1)], "route"),
            (vec![of("agreement", 2, 1), of("route", 1, 3)], "route"),
            (vec![of("agreement", 1, 1), of("route", 1, 2)], "agreement"),
            (vec![of("agreement", 2, 1), of("route", 1, 2), of("job", 1, 4)], "job"),
        ] {
            assert_eq!(the_same(&store, &copy), Err(differs.to_owned()));
        }
    }
}
