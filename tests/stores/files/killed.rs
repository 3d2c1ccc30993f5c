//! A process that is killed at each step of a file's way, by SIGKILL, on both stores: nothing is lost, nothing is there twice, and
//! nobody sees half of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hjemmel::files::core::Step;
use hjemmel::files::home::Folder;
use hjemmel::store::settings::Postgres;
use hjemmel::store::{Access, At, Database, Settings};
use jiff::Timestamp;

use super::world::*;
use crate::settle::leases_end;
use crate::tables;

const CHILD: &str = "HJEMMEL_TEST_FILES_CHILD";
const CONTENT: &[u8] = b"<bilag/>";

pub(super) fn now() -> Timestamp {
    "2026-11-29T10:00:00Z".parse().unwrap()
}

/// Where the killed process and its successor find the store.
pub(super) fn settings(folder: &std::path::Path, server: Option<&str>) -> Settings {
    let Some(server) = server else { return tables::patient(Settings::sqlite(&folder.join("store.sqlite"))) };
    let [address, roots, password]: [&str; 3] = server.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let postgres = Postgres {
        tls_roots: std::fs::read_to_string(roots).unwrap(),
        password_file: Some(PathBuf::from(password)),
        ..Postgres::at(address.parse().unwrap())
    };
    tables::patient(Settings::usual(At::Postgres(Box::new(postgres))))
}

/// An empty database, in words for another process.
pub(super) fn server(cluster: &crate::postgres::Cluster) -> String {
    let At::Postgres(postgres) = cluster.settings(&cluster.database().name).at else { panic!("a server") };
    let password = postgres.password_file.unwrap();
    let roots = password.with_file_name("roots.pem");
    std::fs::write(&roots, postgres.tls_roots).unwrap();
    format!("{} {} {}", postgres.address, roots.display(), password.display())
}

/// Not a test of its own: the process that is killed. It puts, triggers and delivers, and kills itself at its step.
#[tokio::test]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let parts: Vec<&str> = told.split('|').collect();
    let [folder, step, database] = parts.as_slice() else { panic!("{told}") };
    let (folder, step) = (PathBuf::from(folder), Step::ALL[step.parse::<usize>().unwrap()]);
    let at_step = move |reached: Step| {
        if reached == step {
            let own = std::process::id().to_string();
            Command::new("kill").args(["-9", &own]).status().unwrap();
            std::thread::sleep(Duration::from_secs(60));
        }
    };
    let settings = settings(&folder, (!database.is_empty()).then_some(*database));
    let database = Database::open(&settings, Access::Make).await.unwrap();
    let parts = parts_in(&folder, database.clone(), Arc::new(Mutex::new(now())));
    let files = files_in(&folder, parts, RULES, Some(Arc::new(at_step)));
    let sender = home(&files, SENDER).await;
    put(&sender, NAME, CONTENT).await.unwrap();
    put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
    settle(&files, &database).await;
    panic!("it should not have lived through {step:?}");
}

async fn killed_at_each_step(database: impl Fn() -> Option<String>) {
    for (at, step) in Step::ALL.into_iter().enumerate() {
        let temporary = tempfile::tempdir().unwrap();
        let (folder, url) = (temporary.path(), database());
        let settings = settings(folder, url.as_deref());
        let store = Database::open(&settings, Access::Make).await.unwrap();
        populate(&store, now()).await;
        // The keys are made before the process that is killed needs them.
        drop(parts_in(folder, store.clone(), Arc::new(Mutex::new(now()))));
        store.close().await;
        let ended = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "files::killed::child", "--nocapture"])
            .env(CHILD, format!("{}|{at}|{}", folder.display(), url.unwrap_or_default()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "{step:?}");

        let store = Database::open(&settings, Access::Change).await.unwrap();
        let files = files_in(folder, parts_in(folder, store.clone(), Arc::new(Mutex::new(now()))), RULES, None);
        let (sender, recipient) = (home(&files, SENDER).await, home(&files, RECIPIENT).await);
        let seen = list(&recipient, Folder::In).await;
        assert!(seen.is_empty() || seen == [NAME.to_owned(), format!("{NAME}.metadata")], "{step:?}: all or nothing: {seen:?}");
        // The client was told nothing of what was not closed, and does it again.
        if matches!(step, Step::Stored) {
            assert!(list(&sender, Folder::Out).await.is_empty(), "{step:?}: nothing half");
            put(&sender, NAME, CONTENT).await.unwrap();
        }
        if matches!(step, Step::Stored | Step::Uploaded) {
            put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
        }
        let until = std::time::Instant::now() + Duration::from_secs(60);
        while list(&recipient, Folder::In).await.is_empty() && std::time::Instant::now() < until {
            // The lease of the dead is over.
            leases_end(&store).await;
            files.work_once().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(
            list(&recipient, Folder::In).await,
            [NAME.to_owned(), format!("{NAME}.metadata")],
            "{step:?}: delivered, once"
        );
        assert_eq!(get(&recipient, NAME).await.unwrap().as_bytes(), CONTENT, "{step:?}");
        assert_eq!(list(&sender, Folder::In).await, [format!("{NAME}.sftpreceipt")], "{step:?}: one receipt");
        assert!(list(&sender, Folder::Out).await.is_empty(), "{step:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn nothing_is_lost_twice_or_half_seen_whenever_the_process_is_killed_on_sqlite() {
    killed_at_each_step(|| None).await;
}

#[tokio::test]
async fn nothing_is_lost_twice_or_half_seen_whenever_the_process_is_killed_on_postgresql() {
    let Some(cluster) = crate::postgres::Cluster::shared() else { return };
    killed_at_each_step(|| Some(server(cluster))).await;
}
