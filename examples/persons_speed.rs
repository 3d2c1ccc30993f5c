//! How fast persons are imported, beside inserting the same rows bare with sqlx in batches of 500, and how much memory it takes.
//!
//! ```sh
//! cargo run --release --example persons_speed                    # 100,000 persons, on SQLite in a folder of its own
//! cargo run --release --example persons_speed -- memory          # 1,000,000 beside 10,000, a process each
//! HJEMMEL_PYTHON=python3 cargo run --release --example persons_speed -- validation # beside pydantic (pip install pydantic)
//! HJEMMEL_PYTHON=python3 cargo run --release --example persons_speed -- all        # all three, one after the other
//! ```

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)] // a measurement that cannot be made must stop

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hjemmel::persons::file::Rows;
use hjemmel::persons::{AT_ONCE, PersonKeys, Persons, Scope, Status};
use hjemmel::store::{Access, Database, Settings};
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use uuid::Uuid;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let count = |at: usize, usual: u64| words.get(at).map_or(usual, |count| count.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match words.first().map(String::as_str) {
        Some("memory") => memory(count(1, 10_000), count(2, 1_000_000)),
        Some("held") => runtime.block_on(held(count(1, 10_000))),
        Some("validation") => runtime.block_on(validation(count(1, 100_000))),
        Some("all") => {
            runtime.block_on(measured(count(1, 100_000)));
            runtime.block_on(validation(count(1, 100_000)));
            memory(10_000, 1_000_000);
        }
        _ => runtime.block_on(measured(count(0, 100_000))),
    }
}

/// The most memory that importing so many takes, each in a process of its own.
fn memory(few: u64, many: u64) {
    let [few, many] = [few, many].map(|count| {
        let own = std::env::current_exe().unwrap();
        let done = std::process::Command::new(own).args(["held", &count.to_string()]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let kilobytes: u64 = String::from_utf8(done.stdout).unwrap().trim().parse().unwrap();
        println!("  {count:>9} persons, all new, then unchanged   {:>7.1} MB", kilobytes as f64 / 1024.0);
        kilobytes
    });
    println!("  difference {:.1} MB (goal: 16)", (many as f64 - few as f64) / 1024.0);
}

async fn held(count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("persons.csv");
    written(&file, count);
    // One connection imports. Of four that a node may have, more are opened the longer an import lasts, each with a cache of its own.
    let settings = Settings { max_connections: 1, ..Settings::sqlite(&folder.path().join("store.sqlite")) };
    let database = Database::open(&settings, Access::Make).await.unwrap();
    let persons = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), Uuid::nil());
    imported(&persons, &file, Status::Created, count).await;
    imported(&persons, &file, Status::Unchanged, count).await;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB"));
}

/// Validation alone, beside the same rules in pydantic: `HJEMMEL_PYTHON` names a Python that has it.
async fn validation(count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("persons.csv");
    written(&file, count);
    let database = Database::open(&Settings::sqlite(&folder.path().join("store.sqlite")), Access::Make).await.unwrap();
    let persons = Persons::new(database, Arc::new(PersonKeys::new(&[7; 32])), Uuid::nil());
    let mut all = Vec::new();
    let mut rows = Rows::open(std::fs::File::open(&file).unwrap()).unwrap();
    loop {
        let some = rows.some(AT_ONCE).unwrap();
        if some.is_empty() {
            break;
        }
        all.push(some);
    }
    let begun = Instant::now();
    let wrong: usize = all.iter_mut().map(|some| persons.judge_alone(&scope(), some)).sum();
    let own = count as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(wrong, 0);
    println!("  validation alone, one thread   {own:>9.0} persons a second");
    let Ok(python) = std::env::var("HJEMMEL_PYTHON") else {
        println!("  pydantic was not measured: HJEMMEL_PYTHON names no Python that has it");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/persons_pydantic.py");
    let done = std::process::Command::new(python).arg(script).arg(&file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = String::from_utf8(done.stdout).unwrap();
    let (version, rate) = told.trim().rsplit_once(' ').unwrap();
    let theirs: f64 = rate.parse().unwrap();
    println!("  {version:<30} {theirs:>9.0} persons a second: {:.1} times (goal: 5)", own / theirs);
}

fn scope() -> Scope {
    Scope {
        authority: "11111111".parse().unwrap(),
        institutions: ["0701".to_owned()].into(),
        times: None,
        erase_after_months: None,
    }
}

/// A file of so many persons; one in ten has a manager.
fn written(path: &std::path::Path, count: u64) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let columns = "InstitutionsID1;InstitutionsID2;Kommunekode;CPRnummer;Medarbejdernummer;Koen;Fornavne;Efternavn;Email;Brugernavn;\
                   Stillingsbetegnelse;Telefon;LederCPRnummer;Ansaettelsesdato";
    writeln!(file, "{columns}").unwrap();
    // Days 61 to 88, twelve months, and seven digits of which the first two are the year.
    let cpr = |n: u64| format!("{}{:02}{:06}", 61 + n % 28, 1 + n / 28 % 12, n / 336 % 1_000_000);
    for n in 0..count {
        let manager = if n % 10 == 9 { cpr(n - 9) } else { String::new() };
        writeln!(
            file,
            "0701;{};101;{};{n};1;Prøve Nummer;Person {n};person{n}@institution.dk;person{n};Konsulent;+45 12 34 56 78;{manager};2020-01-01",
            n % 50,
            cpr(n)
        )
        .unwrap();
    }
    file.into_inner().unwrap();
}

async fn measured(count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("persons.csv");
    written(&file, count);
    let store = folder.path().join("store.sqlite");
    let database = Database::open(&Settings::sqlite(&store), Access::Make).await.unwrap();
    let persons = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), Uuid::nil());
    let first = imported(&persons, &file, Status::Created, count).await;
    let again = imported(&persons, &file, Status::Unchanged, count).await;
    database.close().await;
    let each = bare(&store, folder.path(), 1).await;
    let many = bare(&store, folder.path(), 500).await;
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    println!("{count} persons");
    println!("  bare inserts of the same rows, a statement a row    {each:>8.2?}");
    println!("  bare inserts of the same rows, 500 in a statement   {many:>8.2?}");
    let (to_each, to_many) = (ratio(first, each), ratio(first, many));
    println!("  all new                {first:>8.2?}   {to_each:.2} and {to_many:.2} times bare (goal: 3)");
    println!("  the same again         {again:>8.2?}   {:.2} times the first (goal: 0.3)", ratio(again, first));
    println!("  reading alone          {:>8.2?}", read(&file));
    let [kept, overwritten] = ["OFF", "ON"].map(|secure| (secure, folder.path().join(format!("deleted-{secure}.sqlite"))));
    let (kept, overwritten) = (deleted(&store, kept).await, deleted(&store, overwritten).await);
    println!("  handed-on rows deleted {overwritten:>8.2?}   {:.2} times deleting without overwriting", ratio(overwritten, kept));
}

/// All rows of the outbox, deleted as they are when they have been handed on, 500 in a transaction, from a copy of the store.
async fn deleted(store: &std::path::Path, (secure, copy): (&'static str, std::path::PathBuf)) -> Duration {
    std::fs::copy(store, &copy).unwrap();
    let options = SqliteConnectOptions::new().filename(&copy).pragma("secure_delete", secure);
    let mut connection =
        SqliteConnection::connect_with(&options.synchronous(sqlx::sqlite::SqliteSynchronous::Extra)).await.unwrap();
    let begun = Instant::now();
    let some = "DELETE FROM person_outbox WHERE id IN (SELECT id FROM person_outbox ORDER BY id LIMIT 500)";
    while sqlx::query(some).execute(&mut connection).await.unwrap().rows_affected() > 0 {}
    begun.elapsed()
}

async fn imported(persons: &Persons, file: &std::path::Path, due: Status, count: u64) -> Duration {
    let begun = Instant::now();
    let mut import = persons.import(scope(), Timestamp::now());
    let mut rows = Rows::open(std::fs::File::open(file).unwrap()).unwrap();
    let mut seen = 0;
    loop {
        let some = rows.some(AT_ONCE).unwrap();
        if some.is_empty() {
            break;
        }
        let answers = import.batch(some).await.unwrap();
        assert!(answers.iter().all(|answer| answer.status == due), "{:?}", answers.first());
        seen += answers.len() as u64;
    }
    assert_eq!(seen, count);
    begun.elapsed()
}

fn read(file: &std::path::Path) -> Duration {
    let begun = Instant::now();
    let mut rows = Rows::open(std::fs::File::open(file).unwrap()).unwrap();
    while !rows.some(AT_ONCE).unwrap().is_empty() {}
    begun.elapsed()
}

/// The rows of the three tables into a file of the same schema, 500 persons in a transaction, so many in a statement.
async fn bare(store: &std::path::Path, folder: &std::path::Path, at_once: usize) -> Duration {
    let path = folder.join(format!("bare-{at_once}.sqlite"));
    drop(Database::open(&Settings::sqlite(&path), Access::Make).await.unwrap());
    // As durable as the store, and as careful with what was deleted.
    let options = SqliteConnectOptions::new().filename(&path).pragma("secure_delete", "ON");
    let options = options.synchronous(sqlx::sqlite::SqliteSynchronous::Extra);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let attach = format!("ATTACH '{}' AS was", store.display());
    sqlx::raw_sql(AssertSqlSafe(attach)).execute(&mut connection).await.unwrap();
    let columns = "number, staff, home, user_key, email_key, inactive_from, manager, manager_waits, content";
    type Person = (i64, String, String, Option<String>, Option<String>, Option<String>, Option<i64>, Option<Vec<u8>>, String);
    let all = format!("SELECT {columns} FROM was.person ORDER BY rowid");
    let persons: Vec<Person> = sqlx::query_as(AssertSqlSafe(all)).fetch_all(&mut connection).await.unwrap();
    let numbers: Vec<(Vec<u8>, i64)> = sqlx::query_as(
        "SELECT pseudonym, person.number FROM was.person_number JOIN was.person ON person.number = person_number.number ORDER BY person.rowid",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let outbox: Vec<(i64, Vec<u8>, i64)> =
        sqlx::query_as("SELECT number, content, added_us FROM was.person_outbox ORDER BY id LIMIT $1")
            .bind(i64::try_from(persons.len()).unwrap())
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let begun = Instant::now();
    for ((persons, numbers), outbox) in persons.chunks(500).zip(numbers.chunks(500)).zip(outbox.chunks(500)) {
        let mut transaction = connection.begin().await.unwrap();
        for some in numbers.chunks(at_once) {
            let mut insert = sqlx::QueryBuilder::new("INSERT INTO person_number (pseudonym, number) ");
            insert.push_values(some, |mut row, (pseudonym, number)| {
                row.push_bind(pseudonym).push_bind(number);
            });
            insert.build().execute(&mut *transaction).await.unwrap();
        }
        for some in persons.chunks(at_once) {
            let mut insert = sqlx::QueryBuilder::new(format!("INSERT INTO person ({columns}) "));
            insert.push_values(some, |mut row, (number, staff, home, user, email, inactive, manager, waits, content)| {
                row.push_bind(number).push_bind(staff).push_bind(home).push_bind(user).push_bind(email);
                row.push_bind(inactive).push_bind(manager).push_bind(waits).push_bind(content);
            });
            insert.build().execute(&mut *transaction).await.unwrap();
        }
        for some in outbox.chunks(at_once) {
            let mut insert =
                sqlx::QueryBuilder::new("INSERT INTO person_outbox (number, what, content, state, attempts, added_us, due_us) ");
            insert.push_values(some, |mut row, (number, content, at)| {
                row.push_bind(number).push_bind("PERSON").push_bind(content).push_bind("VENTER").push_bind(0);
                row.push_bind(at).push_bind(at);
            });
            insert.build().execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
    begun.elapsed()
}
