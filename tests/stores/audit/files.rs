//! Files that go away under the gateway, and a disk that is full.

use super::*;
use crate::not_run::did_not_run;

/// Waits until the audit is ready again, as it comes to be by itself.
async fn ready(audit: &Audit) {
    let turned = async {
        while !audit.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, turned).await.is_ok(), "{:?}", audit.trouble());
}

#[tokio::test]
async fn no_call_is_admitted_into_a_file_that_was_removed_replaced_or_cut() {
    type Damage = fn(&House, &Path);
    let damages: [(&str, Damage, &str); 6] = [
        ("removed", |house, aside| std::fs::rename(house.segment(1), aside).unwrap(), "segment-00000001.jsonl"),
        (
            "replaced by a copy",
            |house, aside| {
                std::fs::rename(house.segment(1), aside).unwrap();
                std::fs::copy(aside, house.segment(1)).unwrap();
            },
            "segment-00000001.jsonl",
        ),
        (
            "cut short",
            |house, aside| {
                std::fs::copy(house.segment(1), aside).unwrap();
                std::fs::write(house.segment(1), b"").unwrap();
            },
            "segment-00000001.jsonl",
        ),
        (
            "written to by another",
            |house, aside| {
                let bytes = std::fs::read(house.segment(1)).unwrap();
                std::fs::write(aside, &bytes).unwrap();
                std::fs::write(house.segment(1), [&bytes[..], b"x"].concat()).unwrap();
            },
            "segment-00000001.jsonl",
        ),
        ("unlocked", |house, aside| std::fs::rename(house.log().join("lock"), aside).unwrap(), "lock"),
        ("moved away, the whole folder", |house, aside| std::fs::rename(house.log(), aside).unwrap(), "lock"),
    ];
    for (what, damage, named) in damages {
        let house = House::new();
        let settings = AuditSettings { retry: Duration::from_millis(20), ..house.settings() };
        let audit = house.start(settings);
        let aside = house.dir.path().join("aside");
        damage(&house, &aside);
        let mut open = audit.open(house.record(1)).unwrap();
        assert_eq!(open.admit().await.unwrap_err(), Refusal::AuditUnavailable, "{what}");
        let trouble = audit.trouble().unwrap();
        assert!(trouble.contains(named), "{what}: readiness names it: {trouble}");
        open.refused(&Refusal::AuditUnavailable);

        // Put back, it goes on by itself.
        match what {
            "removed" | "replaced by a copy" => std::fs::rename(&aside, house.segment(1)).unwrap(),
            "cut short" | "written to by another" => {
                std::fs::write(house.segment(1), std::fs::read(&aside).unwrap()).unwrap();
            }
            "unlocked" => std::fs::rename(&aside, house.log().join("lock")).unwrap(),
            _ => std::fs::rename(&aside, house.log()).unwrap(),
        }
        ready(&audit).await;
        assert_eq!(audit.trouble(), None);
        let mut open = audit.open(house.record(2)).unwrap();
        let _ = open.admit().await.unwrap();
        open.served();
        assert!(audit.stop(PATIENCE).await);
        let verified = house.verify().unwrap();
        assert_eq!((verified.admitted, verified.closed), (1, 2), "{what}");
    }
}

#[tokio::test]
async fn with_no_call_at_all_a_removed_file_is_noticed_within_a_checkpoint_interval() {
    let house = House::new();
    let mut settings = house.settings();
    settings.limits.checkpoint_interval = Duration::from_millis(20);
    let audit = house.start(settings);
    std::fs::remove_file(house.segment(1)).unwrap();
    let turned = async {
        while audit.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, turned).await.is_ok());
}

/// A file system of half a megabyte, gone when dropped.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_disk_that_is_full_refuses_calls_and_once_there_is_room_the_log_goes_on_whole() {
    let house = House::new();
    let Some(_disk) = Tiny::mount(&house.log()) else {
        did_not_run("a disk of its own", "it takes root to mount one; `prlimit` stands in in tests/gateway");
        return;
    };
    let settings = AuditSettings { retry: Duration::from_millis(20), ..house.settings() };
    let audit = house.start(settings);
    let mut before = audit.open(house.record(1)).unwrap();
    let _ = before.admit().await.unwrap();
    let filler = house.log().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}

    // What is left of the last page takes a record or two.
    let mut refused = 0;
    for n in 2..40 {
        let mut open = audit.open(house.record(n)).unwrap();
        if open.admit().await.is_err() {
            refused += 1;
            open.refused(&Refusal::AuditUnavailable);
        } else {
            open.served();
        }
    }
    assert!(refused >= 30, "{refused}");
    assert!(audit.trouble().unwrap().contains("No space left"), "{:?}", audit.trouble());
    assert!(audit.stats().failures >= 30 && audit.stats().waiting >= 30, "{:?}", audit.stats());

    drop(file);
    std::fs::remove_file(&filler).unwrap();
    ready(&audit).await;
    before.served();
    let mut after = audit.open(house.record(40)).unwrap();
    let _ = after.admit().await.unwrap();
    after.served();
    assert!(audit.stop(PATIENCE).await);
    let verified = house.verify().unwrap();
    assert_eq!((verified.closed, verified.unclosed), (40, 0), "no closing was lost");
}
