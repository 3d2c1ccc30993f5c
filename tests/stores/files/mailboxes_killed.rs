//! A process of mailboxes that is killed at each step of a file's way, by SIGKILL, on both stores, whether the file goes by the API or by
//! SFTP: nothing is lost, nothing is there twice, nobody sees half of it, and no content is left that nobody refers to. Of files in
//! pieces `pieces.rs` shows the same.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hjemmel::audit::{keys, search, verify};
use hjemmel::files::core::{Files, Settings};
use hjemmel::files::partner::core::{Entered, JOBS, Mailboxes, Step};
use hjemmel::files::partner::deliver::Delivery;
use hjemmel::files::partner::fetch::Which;
use hjemmel::files::partner::rows::{File, Transport};
use hjemmel::files::partner::users::Shown;
use hjemmel::store::{Access, Database, Dialect, sql};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::killed::now;
use super::mailboxes::{CENTRAL, GOOD, INSTITUTION, certificate, deliver, delivery, digest, number, parts, populate, read, walk};
use super::partner_door::{IN, OUT, get, log_on_to, names, put, remove, rename};
use super::world::RULES;
use crate::dies;
use crate::settle::{leases_end, settle};

const CHILD: &str = "HJEMMEL_TEST_MAILBOXES_CHILD";
const ID: Uuid = uuid::uuid!("6f0d3d5b-1b4e-4a58-9a0d-5d1f4a9e0020");
const NAME: &str = "løn.txt";
/// Hours after which a content that nothing came of is cleaned up, and one more.
const ABANDONED: i64 = 49;
/// Hours after which a file that was confirmed is deleted: its stream says no days of its own.
const OVER: i64 = 14 * 24;

fn after(hours: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_hours(hours)).unwrap()
}

/// By which door a file comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// The API, whole.
    Api,
    /// SFTP, under its final name.
    Sftp,
    /// SFTP, under a name that is not final until it is renamed.
    Renamed,
}

/// Where the process is killed: at each step of each door, and once at those that two have in common.
fn places() -> Vec<(Door, Step)> {
    let steps = |door: Door, more: &[Step]| more.iter().map(|step| (door, *step)).collect::<Vec<_>>();
    [
        steps(Door::Api, &Step::DELIVERY),
        steps(Door::Api, &[Step::Fetched, Step::Confirmed, Step::Ending, Step::Ended]),
        steps(Door::Sftp, &[Step::Staged]),
        steps(Door::Sftp, &Step::DELIVERY),
        steps(Door::Sftp, &[Step::Fetched, Step::Confirmed]),
        steps(Door::Renamed, &[Step::Stored, Step::Waiting, Step::Admitted, Step::Taken]),
    ]
    .concat()
}

/// What serves over a folder.
struct Served {
    mailboxes: Mailboxes,
    files: Files,
    store: Database,
    now: Arc<Mutex<Timestamp>>,
}

impl Served {
    fn new(folder: &Path, store: Database, at: Timestamp, at_step: Option<Arc<dyn Fn(Step) + Send + Sync>>) -> Self {
        let (now, staging) = (Arc::new(Mutex::new(at)), folder.join("staging"));
        std::fs::create_dir_all(&staging).unwrap();
        let parts = parts(folder, store.clone(), now.clone(), "audit");
        let mailboxes = Mailboxes::with(parts.clone(), "test".parse().unwrap(), RULES, at_step);
        let files = Files::new(parts, Settings::usual("test".parse().unwrap(), staging));
        Self { mailboxes, files, store, now }
    }

    async fn enter(&self, of: &str) -> Entered {
        self.mailboxes.enter(Shown::Certificate(certificate(of))).await.unwrap()
    }

    async fn inbox(&self) -> Vec<File> {
        self.mailboxes.list(&self.enter(CENTRAL).await, number(CENTRAL), Which::Inbox, 0, 100).await.unwrap()
    }

    /// What its sender does, and does again as long as it does not know what became of it.
    async fn send(&self, by: Door) {
        let sftp = async || log_on_to(self.mailboxes.clone(), self.files.clone(), INSTITUTION).await;
        let path = format!("{OUT}/{NAME}");
        match by {
            Door::Api => {
                let same = Delivery { delivery: ID, ..delivery(GOOD) };
                deliver(&self.mailboxes, &self.enter(INSTITUTION).await, same, GOOD).await.unwrap();
            }
            Door::Sftp => put(&sftp().await, &path, GOOD).await.unwrap(),
            Door::Renamed => {
                let (home, part) = (sftp().await, format!("{path}.part"));
                put(&home, &part, GOOD).await.unwrap();
                rename(&home, &part, &path).await.unwrap();
            }
        }
    }

    /// What its recipient does: it has all of it, and says so.
    async fn collect(&self, by: Door) {
        if by == Door::Api {
            let (central, file) = (self.enter(CENTRAL).await, self.inbox().await.remove(0));
            assert_eq!(read(&self.mailboxes, &central, CENTRAL, &file, 0).await.unwrap(), GOOD);
            self.mailboxes.confirm(&central, number(CENTRAL), file.id, &digest(GOOD)).await.unwrap();
        } else {
            let home = log_on_to(self.mailboxes.clone(), self.files.clone(), CENTRAL).await;
            assert_eq!(names(&home, IN).await, [NAME]);
            assert_eq!(get(&home, &format!("{IN}/{NAME}")).await.unwrap(), GOOD);
            remove(&home, &format!("{IN}/{NAME}")).await.unwrap();
        }
    }

    async fn sweep(&self, at: Timestamp) {
        *self.now.lock().unwrap() = at;
        assert_eq!(self.mailboxes.sweep().await.unwrap(), 0, "each is gone on with");
    }
}

async fn ids(store: &Database, query: &'static str) -> BTreeSet<Uuid> {
    store.all(sql(query)).await.unwrap().iter().map(|row| row.get("id").unwrap()).collect()
}

/// The contents that are referred to, those that have a row, and those that lie in the object store.
async fn contents(store: &Database, folder: &Path) -> [BTreeSet<Uuid>; 3] {
    let referred = "SELECT content AS id FROM mailbox_file WHERE content IS NOT NULL
        UNION SELECT content FROM mailbox_upload UNION SELECT content FROM mailbox_part";
    let lying = walk(&folder.join("objects"))
        .into_iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().parse::<Uuid>().unwrap());
    [ids(store, referred).await, ids(store, "SELECT id FROM file_content").await, lying.collect()]
}

/// Right after a kill: what is referred to is there, and what is there has a row, by which it is found if nothing refers to it.
pub(super) async fn nothing_is_loose(store: &Database, folder: &Path, place: impl Debug) {
    let [referred, rows, lying] = contents(store, folder).await;
    assert!(referred.is_subset(&lying), "{place:?}: a row without its content: {referred:?} {lying:?}");
    assert!(lying.is_subset(&rows), "{place:?}: a content without a row: {lying:?} {rows:?}");
}

/// Once what nothing came of is cleaned up: so many contents are referred to, and no other has a row or lies there.
pub(super) async fn only_these_lie(store: &Database, folder: &Path, many: usize, place: impl Debug) {
    let [referred, rows, lying] = contents(store, folder).await;
    assert_eq!(referred.len(), many, "{place:?}");
    assert_eq!((&rows, &lying), (&referred, &referred), "{place:?}: what nobody refers to is gone");
}

/// The log goes on over the kill, and has the delivery of a file once.
pub(super) fn the_log_is_whole(folder: &Path, file: &File, place: impl Debug) {
    let (log, key) = (folder.join("audit"), folder.join("audit-keys/checkpoint.pub"));
    let checked = verify::verify(&log, &[keys::checkpoint_public_key(&key).unwrap()], &[]);
    assert!(checked.is_ok(), "{place:?}: {checked:?}");
    let delivered = search::search(&log, |record| {
        record.operation.as_deref() == Some("AfleverFil") && record.own_transaction == Some(file.id)
    });
    assert_eq!(delivered.unwrap().calls.len(), 1, "{place:?}: it is recorded, once");
}

/// Not a test of its own: the process that is killed. A file goes all its way, and it kills itself at its step.
#[tokio::test]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let parts: Vec<&str> = told.split('|').collect();
    let [folder, place, database] = parts.as_slice() else { panic!("{told}") };
    let (folder, (door, step)) = (PathBuf::from(folder), places()[place.parse::<usize>().unwrap()]);
    let at_step = move |reached: Step| {
        if reached == step {
            dies::die();
        }
    };
    let store = Database::open(&dies::from_words(database, &folder), Access::Change).await.unwrap();
    let served = Served::new(&folder, store, now(), Some(Arc::new(at_step)));
    served.send(door).await;
    settle(&served.store, JOBS, || served.mailboxes.work_once()).await;
    served.collect(door).await;
    served.sweep(after(OVER)).await;
    panic!("it should not have lived through {door:?} {step:?}");
}

async fn killed_at_each_place(dialect: Dialect) {
    for (at, place) in places().into_iter().enumerate() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let Some(settings) = dies::store(dialect, folder).await else { return };
        let store = Database::open(&settings, Access::Change).await.unwrap();
        populate(&store, now()).await;
        // The keys are made before the process that is killed needs them.
        drop(parts(folder, store.clone(), Arc::new(Mutex::new(now())), "audit"));
        store.close().await;
        let told = format!("{}|{at}|{}", folder.display(), dies::in_words(&settings, folder));
        dies::run("files::mailboxes_killed::child", (CHILD, told), place);

        let (door, step) = place;
        let is_over = matches!(step, Step::Ending | Step::Ended);
        let is_settled = is_over || matches!(step, Step::Settled | Step::Fetched | Step::Confirmed);
        let store = Database::open(&settings, Access::Change).await.unwrap();
        let served = Served::new(folder, store.clone(), if is_over { after(OVER) } else { now() }, None);
        nothing_is_loose(&store, folder, place).await;
        assert_eq!(served.inbox().await.len(), usize::from(is_settled), "{place:?}: nobody sees half of it");
        // Its sender does not know what became of it, and sends it again.
        served.send(door).await;
        let until = Instant::now() + Duration::from_secs(60);
        while served.inbox().await.is_empty() {
            assert!(Instant::now() < until, "{place:?}: it never arrives");
            // The lease of the dead is over.
            leases_end(&store).await;
            served.mailboxes.work_once().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        settle(&store, JOBS, || served.mailboxes.work_once()).await;
        let own = served.enter(INSTITUTION).await;
        let sent = served.mailboxes.list(&own, number(INSTITUTION), Which::Outbox, 0, 100).await.unwrap();
        let arrived = served.inbox().await;
        assert_eq!((arrived.len(), sent.len()), (1, 1), "{place:?}: once");
        assert_eq!((arrived[0].id, &arrived[0].sha256), (sent[0].id, &digest(GOOD)), "{place:?}");
        if door == Door::Api {
            assert_eq!(arrived[0].delivery, ID, "{place:?}");
        } else {
            let home = log_on_to(served.mailboxes.clone(), served.files.clone(), INSTITUTION).await;
            assert!(names(&home, OUT).await.is_empty(), "{place:?}: nothing waits there");
            assert_eq!(names(&home, "PA85858/RECEIPT").await, [format!("{NAME}.sftpreceipt")], "{place:?}: one receipt");
        }
        if !is_over {
            served.sweep(after(ABANDONED)).await;
            only_these_lie(&store, folder, 1, place).await;
            served.collect(door).await;
        }
        served.sweep(after(ABANDONED + OVER)).await;
        only_these_lie(&store, folder, 0, place).await;
        let left = served.inbox().await;
        let told = (left.len(), left[0].transport, left[0].content);
        assert_eq!(told, (1, Transport::Fetched, None), "{place:?}: confirmed once, and deleted");
        the_log_is_whole(folder, &left[0], place);
        store.close().await;
    }
}

#[tokio::test]
async fn nothing_of_a_mailbox_is_lost_twice_or_left_whenever_the_process_is_killed_on_sqlite() {
    killed_at_each_place(Dialect::Sqlite).await;
}

#[tokio::test]
async fn nothing_of_a_mailbox_is_lost_twice_or_left_whenever_the_process_is_killed_on_postgresql() {
    killed_at_each_place(Dialect::Postgres).await;
}
