//! How fast persons are imported, beside inserting the same rows bare with sqlx in batches of 500, and how much memory it takes.
//!
//! ```sh
//! cargo run --release --example persons_speed            # 100,000 persons, on SQLite in a folder of its own
//! cargo run --release --example persons_speed -- 1000000 # more, and the most memory that was held
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
    let count = std::env::args().nth(1).map_or(100_000, |count| count.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measured(count));
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
    let bare = bare(&store, folder.path()).await;
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    println!("{count} persons");
    println!("  bare inserts of the same rows   {bare:>10.2?}");
    println!("  all new                         {first:>10.2?}   {:.2} times bare (goal: 3)", ratio(first, bare));
    println!("  the same again                  {again:>10.2?}   {:.2} times the first (goal: 0.3)", ratio(again, first));
    println!("  validation and reading alone    {:>10.2?}", read(&file));
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        println!("  {}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    }
}

async fn imported(persons: &Persons, file: &std::path::Path, due: Status, count: u64) -> Duration {
    let scope = Scope {
        authority: "11111111".parse().unwrap(),
        institutions: ["0701".to_owned()].into(),
        times: None,
        erase_after_months: None,
    };
    let begun = Instant::now();
    let mut import = persons.import(scope, Timestamp::now());
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

/// The rows of the three tables into a file of the same schema, 500 persons in a transaction, a statement a row.
async fn bare(store: &std::path::Path, folder: &std::path::Path) -> Duration {
    let path = folder.join("bare.sqlite");
    drop(Database::open(&Settings::sqlite(&path), Access::Make).await.unwrap());
    let options = SqliteConnectOptions::new().filename(&path).synchronous(sqlx::sqlite::SqliteSynchronous::Full);
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
        for (pseudonym, number) in numbers {
            let insert = sqlx::query("INSERT INTO person_number (pseudonym, number) VALUES ($1, $2)");
            insert.bind(pseudonym).bind(number).execute(&mut *transaction).await.unwrap();
        }
        for (number, staff, home, user, email, inactive, manager, waits, content) in persons {
            let insert = sqlx::query(
                "INSERT INTO person (number, staff, home, user_key, email_key, inactive_from, manager, manager_waits, content)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            );
            let insert = insert.bind(number).bind(staff).bind(home).bind(user).bind(email).bind(inactive);
            insert.bind(manager).bind(waits).bind(content).execute(&mut *transaction).await.unwrap();
        }
        for (number, content, at) in outbox {
            let insert = sqlx::query(
                "INSERT INTO person_outbox (number, what, content, state, attempts, added_us, due_us)
                 VALUES ($1, 'PERSON', $2, 'VENTER', 0, $3, $3)",
            );
            insert.bind(number).bind(content).bind(at).execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
    begun.elapsed()
}
