//! A process of mailboxes that is killed at each step of a file's way, by SIGKILL, on both stores: nothing is lost, nothing is there
//! twice, and no content is left that nobody refers to.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hjemmel::files::partner::core::{JOBS, Step};
use hjemmel::files::partner::deliver::Delivery;
use hjemmel::files::partner::fetch::Which;
use hjemmel::files::partner::users::Shown;
use hjemmel::store::{Access, Database};
use jiff::SignedDuration;
use uuid::Uuid;

use super::killed::{now, server, settings};
use super::mailboxes::{
    CENTRAL, GOOD, INSTITUTION, certificate, deliver, delivery, mailboxes, number, parts, populate, read, walk,
};
use crate::settle::{leases_end, settle};

const CHILD: &str = "HJEMMEL_TEST_MAILBOXES_CHILD";
const ID: Uuid = uuid::uuid!("6f0d3d5b-1b4e-4a58-9a0d-5d1f4a9e0020");
/// Hours after which a content that nothing came of is cleaned up, and one more.
const ABANDONED: i64 = 49;

/// The delivery that is sent again under its own id.
fn same() -> Delivery {
    Delivery { delivery: ID, ..delivery(GOOD) }
}

/// Not a test of its own: the process that is killed. It delivers and judges, and kills itself at its step.
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
    let clock = Arc::new(Mutex::new(now()));
    let mailboxes = mailboxes(&folder, database.clone(), clock, Some(Arc::new(at_step)), "audit");
    let own = mailboxes.enter(Shown::Certificate(certificate(INSTITUTION))).await.unwrap();
    deliver(&mailboxes, &own, same(), GOOD).await.unwrap();
    settle(&database, JOBS, || mailboxes.work_once()).await;
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
        drop(parts(folder, store.clone(), Arc::new(Mutex::new(now())), "audit"));
        store.close().await;
        let ended = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "files::mailboxes_killed::child", "--nocapture"])
            .env(CHILD, format!("{}|{at}|{}", folder.display(), url.unwrap_or_default()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "{step:?}");

        let store = Database::open(&settings, Access::Change).await.unwrap();
        let clock = Arc::new(Mutex::new(now()));
        let mailboxes = mailboxes(folder, store.clone(), clock.clone(), None, "audit");
        let enter = async |of: &str| mailboxes.enter(Shown::Certificate(certificate(of))).await.unwrap();
        let (own, central) = (enter(INSTITUTION).await, enter(CENTRAL).await);
        let inbox = async || mailboxes.list(&central, number(CENTRAL), Which::Inbox, 0, 100).await.unwrap();
        assert!(inbox().await.is_empty(), "{step:?}: nobody sees half of it");
        // Its sender does not know what became of it, and sends it again.
        deliver(&mailboxes, &own, same(), GOOD).await.unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while inbox().await.is_empty() {
            assert!(Instant::now() < until, "{step:?}: it never arrives");
            // The lease of the dead is over.
            leases_end(&store).await;
            mailboxes.work_once().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let arrived = inbox().await;
        assert_eq!((arrived.len(), arrived[0].delivery), (1, ID), "{step:?}: once");
        let sent = mailboxes.list(&own, number(INSTITUTION), Which::Outbox, 0, 100).await.unwrap();
        assert_eq!(sent.len(), 1, "{step:?}: once");
        assert_eq!(read(&mailboxes, &central, CENTRAL, &arrived[0], 0).await.unwrap(), GOOD, "{step:?}");
        let later = now().checked_add(SignedDuration::from_hours(ABANDONED)).unwrap();
        *clock.lock().unwrap() = later;
        assert_eq!(mailboxes.sweep().await.unwrap(), 0, "{step:?}");
        let left = walk(&folder.join("objects"));
        assert_eq!(left.len(), 1, "{step:?}: what nobody refers to is gone: {left:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn nothing_of_a_mailbox_is_lost_twice_or_left_whenever_the_process_is_killed_on_sqlite() {
    killed_at_each_step(|| None).await;
}

#[tokio::test]
async fn nothing_of_a_mailbox_is_lost_twice_or_left_whenever_the_process_is_killed_on_postgresql() {
    let Some(cluster) = crate::postgres::Cluster::shared() else { return };
    killed_at_each_step(|| Some(server(cluster))).await;
}
