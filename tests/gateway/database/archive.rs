//! Two nodes that ship their audit to one archive, are killed meanwhile, and meet an archive that is away.

use hjemmel::audit::Outcome::Served;
use hjemmel::audit::chain::Event;
use hjemmel::audit::log::{Limits, Log};
use hjemmel::audit::{AuditSettings, Record, keys};
use hjemmel::stub::population::KORSBAEK;
use uuid::Uuid;

use super::*;
use crate::stage::auditor;

impl Shared {
    fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A log of many short segments, as a node of before has left it.
    fn has_written(&self, name: &str, calls: std::ops::Range<u128>) {
        let folder = self.folder(&format!("audit-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let limits = Limits { segment_bytes: 700, ..AuditSettings::in_dir(&folder).limits };
        let key = keys::checkpoint_key(&self.folder("audit-keys/checkpoint.key")).unwrap();
        let now = Clock::system().now();
        let mut log = Log::open(&folder, key, limits, now).unwrap();
        for call in calls {
            let (authority, front_agreement) = (KORSBAEK.parse().ok(), Some(Uuid::from_u128(1)));
            let record = Record::new(Uuid::from_u128(call), now, "terminaladgang");
            let record = Record { outcome: Some(Served), authority, front_agreement, ..record };
            log.append(now, &[Event::Closed(Box::new(record))]).unwrap();
        }
    }

    /// What `hjemmel audit` says, and whether it is content.
    fn audit(&self, words: &[&str]) -> (bool, String) {
        let said = Command::new(HJEMMEL).current_dir(self.dir.path()).arg("audit").args(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (said.status.success(), text(&said.stdout) + &text(&said.stderr))
    }

    fn verify(&self, places: &[&str]) -> (bool, String) {
        self.audit(&[&["verify", "--key", "audit-keys/checkpoint.pub", "--config", "one.toml"], places].concat())
    }

    /// How many segments the archive has of a node's log.
    fn archived(&self, name: &str) -> usize {
        let log = anchors::name_of(&self.folder(&format!("audit-{name}"))).unwrap();
        let found = log.and_then(|log| std::fs::read_dir(self.folder("archive").join(log.to_string())).ok());
        let names = found.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".jsonl")).count()
    }

    /// How many of its segments have ended: all but the last.
    fn ended(&self, name: &str) -> usize {
        let files = std::fs::read_dir(self.folder(&format!("audit-{name}"))).unwrap();
        files.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().starts_with("segment-")).count() - 1
    }
}

#[test]
fn segments_of_two_nodes_that_are_killed_while_they_ship_are_whole_in_the_archive_and_what_is_taken_from_there_is_told() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        shared.has_written("one", 0..300);
        shared.has_written("two", 300..320);
        let archive = "[audit.archive]\nurl = \"file:archive\"\n";
        let two = shared.node_with("two", archive).await;
        let mut one = shared.node_with("one", archive).await;
        for enough in [1, 10, 30, 60] {
            comes_to("some of it is in the archive", async || shared.archived("one") >= enough).await;
            one.gateway.signal("-KILL");
            assert!(!one.gateway.ended().await);
            one = shared.node_with("one", archive).await;
        }
        let caller = shared.caller().await;
        assert_eq!(caller.calls(&one).await, Outcome::Served);
        comes_to("nothing waits", async || {
            shared.archived("one") == shared.ended("one")
                && shared.archived("two") == shared.ended("two")
                && one.metric("hjemmel_audit_archive_waiting_segments").await == 0.0
                && anchored(&shared, "one", "two").await.0 > 0
        })
        .await;
        let database = Database::open(&shared.cluster.settings(&shared.database), Access::Look).await.unwrap();
        comes_to("the store knows", async || {
            let known = anchors::Known::of(&database).await.unwrap();
            known.archived.values().map(std::collections::BTreeMap::len).sum::<usize>()
                == shared.archived("one") + shared.archived("two")
        })
        .await;
        database.close().await;
        for node in [one, two] {
            node.gateway.signal("-TERM");
            assert!(node.gateway.ended().await);
        }
        let (whole, said) = shared.verify(&["--archive"]);
        assert!(whole && said.matches("The log is whole").count() == 2, "{said}");
        assert_eq!(said.matches("that one is on its node").count(), 2, "{said}");
        let (whole, said) = shared.verify(&["--archive", "audit-one", "audit-two"]);
        assert!(whole && !said.contains("on its node"), "{said}");

        // A question over archive and folders counts each call once, and is anchored: the auditors' log may not be cut either.
        let asked = ["--questions", "questions", "--questions-key", "audit-keys/checkpoint.key", "--reason", "tilsyn"];
        let by = auditor(&shared.world, &shared.cluster.settings(&shared.database)).await;
        let about = [&by[..], &["--from", "2020", "--count", "--lang", "en", "--config", "one.toml"]].concat();
        let (good, said) = shared.audit(&[&["report", "--archive", "audit-one", "audit-two"], &asked[..], &about].concat());
        assert!(good && said.contains("\n321 calls\n") && !said.contains("WARNING"), "{said}");
        let early = std::fs::read(shared.folder("questions/head.json")).unwrap();
        let first = std::fs::read(shared.folder("questions/segment-00000001.jsonl")).unwrap();
        let (good, said) = shared.audit(&[&["report", "--archive"], &asked[..], &about].concat());
        assert!(good, "{said}");
        let (whole, said) = shared.verify(&["--archive"]);
        assert!(whole && said.contains("of auditors' questions was not given"), "{said}");
        let (whole, said) = shared.verify(&["--archive", "questions"]);
        assert!(whole && !said.contains("was not given"), "{said}");
        std::fs::write(shared.folder("questions/head.json"), early).unwrap();
        std::fs::write(shared.folder("questions/segment-00000001.jsonl"), first).unwrap();
        let (whole, said) = shared.verify(&["--archive", "questions"]);
        assert!(!whole && said.contains("its end was cut off"), "{said}");

        // The last segment is taken from the archive, and then the whole log.
        let log = anchors::name_of(&shared.folder("audit-one")).unwrap().unwrap();
        let folder = shared.folder("archive").join(log.to_string());
        let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
        names.sort();
        std::fs::remove_file(names.pop().unwrap()).unwrap();
        let (whole, said) = shared.verify(&["--archive"]);
        assert!(!whole && said.contains("were archived, as the store tells, and are gone"), "{said}");
        std::fs::remove_dir_all(&folder).unwrap();
        let (whole, said) = shared.verify(&["--archive"]);
        assert!(!whole && said.contains(&format!("none of the folders is the log {log}")), "{said}");
    });
}

#[test]
fn an_archive_that_is_away_stops_no_call_and_no_start_and_gets_what_waited_when_it_is_back() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        shared.has_written("one", 0..20);
        // A file where the archive's folder should be.
        std::fs::write(shared.folder("mounted"), "").unwrap();
        let mut node = shared.node_with("one", "[audit.archive]\nurl = \"file:mounted/archive\"\n").await;
        let caller = shared.caller().await;
        let waiting = shared.ended("one") as f64;
        comes_to("what waits is told", async || {
            node.metric("hjemmel_audit_archive_waiting_segments").await == waiting
                && node.metric("hjemmel_audit_archive_failures_total").await > 0.0
        })
        .await;
        assert_eq!(caller.calls(&node).await, Outcome::Served);
        assert_eq!(admin(node.admin, "/readyz").await.0, 200);
        assert!(node.logged().contains("an audit segment cannot be archived; it stays on this disk"), "{}", node.logged());
        std::fs::remove_file(shared.folder("mounted")).unwrap();
        comes_to("what waited is there", async || {
            node.metric("hjemmel_audit_archive_waiting_segments").await == 0.0
                && node.metric("hjemmel_audit_archived_segments_total").await == waiting
        })
        .await;
        let (whole, said) = shared.verify(&["mounted/archive"]);
        assert!(whole, "{said}");
        node.gateway.signal("-TERM");
        assert!(node.gateway.0.wait().unwrap().success());
    });
}
