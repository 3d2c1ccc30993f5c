//! A process that is killed at each step of a file's way, by SIGKILL, on both stores: nothing is lost, nothing is there twice, and
//! nobody sees half of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hjemmel::files::core::Step;
use hjemmel::files::home::Folder;
use hjemmel::store::{Access, Database, Dialect};
use jiff::Timestamp;

use super::world::*;
use crate::dies;
use crate::settle::leases_end;

const CHILD: &str = "HJEMMEL_TEST_FILES_CHILD";
const CONTENT: &[u8] = b"<bilag/>";

pub(super) fn now() -> Timestamp {
    "2026-11-29T10:00:00Z".parse().unwrap()
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
            dies::die();
        }
    };
    let database = Database::open(&dies::from_words(database, &folder), Access::Change).await.unwrap();
    let parts = parts_in(&folder, database.clone(), Arc::new(Mutex::new(now())));
    let files = files_in(&folder, parts, RULES, Some(Arc::new(at_step)));
    let sender = home(&files, SENDER).await;
    put(&sender, NAME, CONTENT).await.unwrap();
    put(&sender, &format!("{NAME}.trigger"), trigger(NAME, CONTENT.len()).as_bytes()).await.unwrap();
    settle(&files, &database).await;
    panic!("it should not have lived through {step:?}");
}

async fn killed_at_each_step(dialect: Dialect) {
    for (at, step) in Step::ALL.into_iter().enumerate() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let Some(settings) = dies::store(dialect, folder).await else { return };
        let store = Database::open(&settings, Access::Change).await.unwrap();
        populate(&store, now()).await;
        // The keys are made before the process that is killed needs them.
        drop(parts_in(folder, store.clone(), Arc::new(Mutex::new(now()))));
        store.close().await;
        let told = format!("{}|{at}|{}", folder.display(), dies::in_words(&settings, folder));
        dies::run("files::killed::child", (CHILD, told), step);

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
    killed_at_each_step(Dialect::Sqlite).await;
}

#[tokio::test]
async fn nothing_is_lost_twice_or_half_seen_whenever_the_process_is_killed_on_postgresql() {
    killed_at_each_step(Dialect::Postgres).await;
}
