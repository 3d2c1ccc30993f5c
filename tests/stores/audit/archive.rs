//! Segments in the archive: how they get there, what somebody does to them, and how they leave.

use std::sync::LazyLock;

use clap::Parser;
use hjemmel::agreements::Store;
use hjemmel::archive::ship::{Shipper, Waiting};
use hjemmel::archive::{Archive, ArchiveError};
use hjemmel::audit::Decided;
use hjemmel::audit::anchors::{self, Anchored};
use hjemmel::audit::log::read_head;
use hjemmel::audit::retire::{self, Retirement};
use hjemmel::cli::audit::{Args, run};
use hjemmel::objects::settings::Place as At;
use hjemmel::persons::erase::replay::{self, Logs};
use hjemmel::stub::pki::{DevPki, KeyBits};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::retirement::{decision, later};
use super::*;
use crate::objects::broken::{Broken, Fault};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// Runs `hjemmel audit` with these words.
fn audit(words: &[&str]) -> Result<String, String> {
    let args = Line::try_parse_from([&["audit"], words].concat()).map_err(|error| error.to_string())?.args;
    let (mut out, clock) = (Vec::new(), Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap()));
    run(args, &clock, &mut std::io::empty(), &mut out, &mut std::io::sink()).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

/// Keys of the time at which the commands are run.
static PKI: LazyLock<DevPki> =
    LazyLock::new(|| DevPki::generate(&Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap()), KeyBits::Bits2048).unwrap());

fn digest(bytes: &[u8]) -> String {
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl House {
    pub(super) fn at(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    pub(super) fn archive(&self) -> Archive {
        Archive::open(&At::Folder(self.at())).unwrap()
    }

    pub(super) fn name(&self) -> Uuid {
        anchors::named(&self.log()).unwrap()
    }

    pub(super) async fn ship(&self, archive: &Archive) -> usize {
        let shipper = Shipper::open(&self.log()).unwrap();
        let mut shipped = 0;
        while shipper.ship_next(archive).await.unwrap().is_some() {
            shipped += 1;
        }
        assert_eq!(shipper.waiting().unwrap(), Waiting::default());
        shipped
    }

    /// What lies in the archive of a segment of a log.
    fn archived(&self, log: Uuid, segment: u64) -> PathBuf {
        let begins = format!("segment-{segment:08}-");
        let found = std::fs::read_dir(self.at().join(log.to_string())).unwrap().map(|entry| entry.unwrap().path());
        let mut found = found.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&begins));
        found.next().unwrap_or_else(|| panic!("segment {segment} is not in the archive"))
    }

    /// Removes segments from the archive, as whoever may write there could.
    fn take_away(&self, segments: std::ops::RangeInclusive<u64>) {
        segments.for_each(|segment| std::fs::remove_file(self.archived(self.name(), segment)).unwrap());
    }

    /// Puts a statement in the archive, as whoever may write there could.
    fn put_there(&self, statement: &Retirement) -> PathBuf {
        let line = retire::line_of(statement).unwrap();
        let name = format!("retired-{:08}-{}.json", statement.from, digest(&line));
        let path = self.at().join(self.name().to_string()).join(name);
        std::fs::write(&path, line).unwrap();
        path
    }

    /// Retires all that the archive has of the log.
    pub(super) async fn retire_archived(&self, archive: &Archive) -> Retirement {
        let (log, key) = (archive.log(self.name()).await.unwrap(), keys::checkpoint_key(&self.key("checkpoint.key")).unwrap());
        let plan = retire::plan(&log, &key, &[key.public()], &decision(), later()).unwrap();
        archive.retire(&log, &plan).await.unwrap();
        plan.statement.unwrap()
    }

    /// Proves the archive of a configuration, whose store was told what was shipped.
    async fn prove_by_the_store(&self) -> Result<String, String> {
        let (store, config) = (self.dir.path().join("store.sqlite"), self.dir.path().join("hjemmel.toml"));
        let text =
            format!("[store]\nurl = \"sqlite:{}\"\n[audit.archive]\nurl = \"file:{}\"\n", store.display(), self.at().display());
        std::fs::write(&config, text).unwrap();
        let store = Store::open(&hjemmel::store::Settings::sqlite(&store)).await.unwrap();
        for (segment, mark) in Shipper::open(&self.log()).unwrap().marks() {
            anchors::record_archived(store.database(), self.name(), segment, &mark.sha256, later()).await.unwrap();
        }
        store.close().await;
        let key = self.key("checkpoint.pub");
        audit(&["verify", "--archive", "--config", config.to_str().unwrap(), "--key", key.to_str().unwrap()])
    }

    fn prove(&self, places: &[&Path]) -> Result<String, String> {
        let places: Vec<_> = places.iter().map(|place| place.to_str().unwrap()).collect();
        let key = self.key("checkpoint.pub");
        audit(&[&["verify", "--key", key.to_str().unwrap()], &places[..]].concat())
    }

    /// How many calls a report over these places counts.
    fn calls_in(&self, places: &[&Path]) -> String {
        let places: Vec<_> = places.iter().map(|place| place.to_str().unwrap()).collect();
        let (questions, key) = (self.dir.path().join("questions"), self.key("checkpoint.key"));
        let pki = self.dir.path().join("pki");
        if !pki.exists() {
            PKI.write(&pki, None).unwrap();
        }
        let [certificate, of_it] = ["person-operator.pem", "person-operator.key.pem"].map(|name| pki.join(name));
        let asked = ["--questions", questions.to_str().unwrap(), "--questions-key", key.to_str().unwrap()];
        let by = ["--signed-certificate", certificate.to_str().unwrap(), "--signed-key", of_it.to_str().unwrap()];
        let of = ["--reason", "tilsyn", "--all-authorities", "--authority", "11111111", "--lang", "en", "--count"];
        let told = audit(&[&["report"], &places[..], &asked, &by, &of].concat()).unwrap();
        told.lines().last().unwrap().to_owned()
    }
}

/// What the archive has of the log.
pub(super) async fn proven_there(house: &House) -> Verified {
    let log = house.archive().log(house.name()).await.unwrap();
    hjemmel::audit::verify::verify_at(&log, &[keys::checkpoint_public_key(&house.key("checkpoint.pub")).unwrap()], &[]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_segment_that_has_ended_is_in_the_archive_byte_for_byte_and_the_log_is_proven_from_there_alone() {
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    let segments = house.verify().unwrap().segments;
    let shipped = house.ship(&house.archive()).await as u64;
    assert!(shipped + 1 == segments && shipped > 3, "the last is open: {shipped} of {segments}");
    for number in 1..=shipped {
        assert_eq!(std::fs::read(house.archived(house.name(), number)).unwrap(), std::fs::read(house.segment(number)).unwrap());
    }
    let said = house.prove(&[&house.at()]).unwrap();
    assert!(said.contains(&format!("in {shipped} segments")), "{said}");
    // Once more, with nothing remembered: nothing is sent twice, and nothing is there twice.
    std::fs::remove_file(house.log().join("archived.jsonl")).unwrap();
    assert_eq!(house.ship(&house.archive()).await as u64, shipped);
    assert_eq!(std::fs::read_dir(house.at().join(house.name().to_string())).unwrap().count() as u64, shipped);
}

#[test]
fn of_many_that_name_a_log_at_once_all_are_told_the_same() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let names = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| anchors::named(dir.path()).unwrap())).collect();
            asked.into_iter().map(|thread| thread.join().unwrap()).collect::<BTreeSet<_>>()
        });
        assert_eq!(names.len(), 1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_of_a_mark_or_in_the_archive_is_made_whole_by_the_next_start() {
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    let shipped = house.ship(&house.archive()).await;
    let marks = house.log().join("archived.jsonl");
    let text = std::fs::read(&marks).unwrap();
    for cut in [0, 1, text.len() / 2, text.len() - 1] {
        std::fs::write(&marks, &text[..cut]).unwrap();
        house.ship(&house.archive()).await;
        assert_eq!(std::fs::read(&marks).unwrap(), text, "cut at {cut}");
    }
    // Half an object under the right name, as a store that lies about its writes would have it.
    std::fs::remove_file(&marks).unwrap();
    let third = house.archived(house.name(), 3);
    let whole = std::fs::read(&third).unwrap();
    std::fs::write(&third, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(house.ship(&house.archive()).await, shipped);
    assert_eq!(std::fs::read(&third).unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_full_or_loses_its_answers_keeps_nothing_from_arriving_later() {
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    let segments = house.verify().unwrap().segments;
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let shipper = Shipper::open(&house.log()).unwrap();
    let waiting = Waiting { segments: segments - 1, since: Some("2026-11-22T12:00:00Z".parse().unwrap()) };
    for fault in [Fault::Away, Fault::Full, Fault::AnswerLost] {
        let broken = Archive::of(Arc::new(Broken(memory.clone(), fault)), "broken");
        let error = shipper.ship_next(&broken).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Unavailable(_)), "{fault:?}: {error}");
        assert_eq!(shipper.waiting().unwrap(), waiting, "{fault:?}");
    }
    // A bucket that ignores conditions is as good as any.
    let archive = Archive::of(Arc::new(Broken(memory, Fault::Overwrites)), "memory");
    assert_eq!(house.ship(&archive).await as u64, segments - 1);
    assert_eq!(archive.shelf(house.name()).await.unwrap().segments.len() as u64, segments - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_was_altered_removed_or_put_there_by_somebody_is_told() {
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    house.ship(&house.archive()).await;
    let file = house.archived(house.name(), 2);
    let whole = std::fs::read(&file).unwrap();
    // A byte of a person's seal, so that every line is still one.
    let mut altered = whole.clone();
    let at = whole.windows(12).position(|window| window == b"ciphertext\":").unwrap() + 20;
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    std::fs::write(&file, &altered).unwrap();
    assert!(house.prove(&[&house.at()]).unwrap_err().contains("NOT WHOLE"));
    // The same under the name that it would have: there are two then.
    std::fs::write(&file, &whole).unwrap();
    let other = file.with_file_name(format!("segment-00000002-{}.jsonl", digest(&altered)));
    std::fs::write(&other, &altered).unwrap();
    assert!(house.prove(&[&house.at()]).unwrap_err().contains("two things for one"));
    std::fs::remove_file(&file).unwrap();
    assert!(house.prove(&[&house.at()]).unwrap_err().contains("NOT WHOLE"), "in the place of the other");
    std::fs::remove_file(&other).unwrap();
    assert!(house.prove(&[&house.at()]).unwrap_err().contains("segment 2 is missing"));
    std::fs::write(&file, &whole).unwrap();
    house.prove(&[&house.at()]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_was_cut_and_a_log_that_vanished_are_told_by_the_other_nodes_log_in_the_archive() {
    let one = House::new();
    one.write(small_segments(&one), 0..20).await;
    let (head, log) = (read_head(&one.log()).unwrap().unwrap(), one.name());
    // The other node has the same keys and archive, and names this one.
    let two = House::new();
    for key in ["checkpoint.key", "checkpoint.pub"] {
        std::fs::copy(one.key(key), two.key(key)).unwrap();
    }
    let audit = two.start(small_segments(&two));
    audit.anchored(Anchored { log, checkpoint: head.clone(), questions: false }).await.unwrap();
    assert!(audit.stop(PATIENCE).await);
    two.write(small_segments(&two), 20..40).await;
    one.ship(&one.archive()).await;
    two.ship(&one.archive()).await;
    let said = one.prove(&[&one.at()]).unwrap();
    assert!(said.contains(&format!("had come to entry {} in segment {}", head.covers, head.segment)), "{said}");
    assert!(said.contains("that one is on its node"), "{said}");

    let (last, aside) = (one.archived(log, head.segment - 1), one.dir.path().join("aside"));
    std::fs::rename(&last, &aside).unwrap();
    let said = one.prove(&[&one.at()]).unwrap_err();
    assert!(said.contains("as another node's log tells, and are not here"), "{said}");
    // With the node's folder beside it nothing is missing.
    let said = one.prove(&[&one.at(), &one.log()]).unwrap();
    assert!(!said.contains("is on its node"), "{said}");
    std::fs::rename(&aside, &last).unwrap();

    std::fs::rename(one.at().join(log.to_string()), &aside).unwrap();
    let said = one.prove(&[&one.at()]).unwrap_err();
    assert!(said.contains(&format!("none of the folders is the log {log}, which had entry {}", head.covers)), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_given_twice_counts_once_and_copies_that_part_are_told() {
    let house = House::new();
    house.write(small_segments(&house), 0..12).await;
    let early = house.dir.path().join("early");
    house.name();
    copy(&house.log(), &early);
    house.write(small_segments(&house), 12..20).await;
    house.ship(&house.archive()).await;
    for places in [vec![house.log()], vec![house.log(), house.at()], vec![early.clone(), house.at(), house.log()]] {
        let places: Vec<&Path> = places.iter().map(PathBuf::as_path).collect();
        assert_eq!(house.calls_in(&places), "20 calls", "{places:?}");
        house.prove(&places).unwrap();
    }
    assert_eq!(house.calls_in(&[&early, &early]), "12 calls");
    // A log without a name is known by how it begins.
    std::fs::remove_file(early.join("log-id")).unwrap();
    assert_eq!(house.calls_in(&[&early, &house.log()]), "20 calls");

    // Somebody went on with the copy: two logs of one name.
    let other = House { dir: tempfile::tempdir().unwrap() };
    copy(&early, &other.log());
    copy(&house.dir.path().join("keys"), &other.dir.path().join("keys"));
    std::fs::write(other.log().join("log-id"), house.name().to_string()).unwrap();
    other.write(small_segments(&other), 100..103).await;
    let said = house.prove(&[&other.log(), &house.log()]).unwrap_err();
    assert!(said.contains("another copy of the log says so"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_the_disk_that_the_archive_does_not_give_back_and_what_leaves_the_archive_is_stated_there() {
    use hjemmel::archive::retire::LeaveError;
    use hjemmel::audit::place::Folder;
    use hjemmel::audit::retire::Decision;
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    let archive = house.archive();
    let later = "2026-11-23T00:00:00Z".parse().unwrap();
    let key = keys::checkpoint_key(&house.key("checkpoint.key")).unwrap();
    let decision = Decision { before: later, kept_from: later, by: "Dataansvarlig".into(), reason: "fristen er udløbet".into() };
    let here = || retire::plan(&Folder(house.log()), &key, &[key.public()], &decision, later).unwrap();
    assert!(matches!(archive.holds(&house.log(), &[key.public()], &here()).await, Err(LeaveError::NotArchived(1))));
    house.ship(&archive).await;
    archive.holds(&house.log(), &[key.public()], &here()).await.unwrap();
    let third = house.archived(house.name(), 3);
    let whole = std::fs::read(&third).unwrap();
    std::fs::write(&third, whole.to_ascii_uppercase()).unwrap();
    assert!(
        matches!(archive.holds(&house.log(), &[key.public()], &here()).await, Err(LeaveError::NotArchived(3))),
        "it is asked for each byte"
    );
    std::fs::write(&third, &whole).unwrap();

    // The disk first: what the archive has counts on, and both together are whole from the beginning.
    retire::retire(&house.log(), &here()).unwrap();
    assert_eq!(house.calls_in(&[&house.log(), &house.at()]), "20 calls");
    assert!(house.prove(&[&house.at()]).unwrap().starts_with("The log is whole: "));

    // Then the archive, from which everything may go.
    let log = archive.log(house.name()).await.unwrap();
    let plan = retire::plan(&log, &key, &[key.public()], &decision, later).unwrap();
    archive.retire(&log, &plan).await.unwrap();
    let said = house.prove(&[&house.at()]).unwrap();
    let statement = plan.statement.clone().unwrap();
    assert!(said.contains("were retired on 2026-11-23T00:00:00Z by Dataansvarlig: fristen er udløbet"), "{said}");
    assert!(said.contains(&format!("from entry {} on: 0 entries", statement.sequence + 1)), "{said}");
    assert!(archive.shelf(house.name()).await.unwrap().segments.is_empty());
    // A decision that was carried out twice is taken once.
    archive.retire(&log, &plan).await.unwrap();
    // What comes later continues from the statement.
    house.write(small_segments(&house), 20..40).await;
    house.ship(&archive).await;
    let said = house.prove(&[&house.at(), &house.log()]).unwrap();
    assert!(said.contains(&format!("The log is whole from entry {} on", statement.sequence + 1)), "{said}");

    // Segments that somebody takes with a statement of their own are not excused by it.
    let own = house.dir.path().join("own");
    keys::generate(&own).unwrap();
    let own = keys::checkpoint_key(&own.join("checkpoint.key")).unwrap();
    let log = archive.log(house.name()).await.unwrap();
    let plan = retire::plan(&log, &own, &[key.public()], &decision, later).unwrap();
    archive.retire(&log, &plan).await.unwrap();
    assert!(house.prove(&[&house.at()]).unwrap_err().contains("not signed by any key given"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_freed_a_nodes_disk_excuses_nothing_in_the_archive() {
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    house.ship(&house.archive()).await;
    let freed = house.retire();
    house.write(small_segments(&house), 20..40).await;
    house.ship(&house.archive()).await;
    house.prove_by_the_store().await.unwrap();

    let put = house.put_there(&freed);
    for said in [house.prove(&[&house.at()]).unwrap_err(), house.prove_by_the_store().await.unwrap_err()] {
        assert!(said.contains("is of another place, and explains nothing here"), "{said}");
    }
    house.take_away(freed.from..=freed.to);
    let said = house.prove_by_the_store().await.unwrap_err();
    assert!(said.contains("is of the node's disk, and explains nothing here"), "{said}");
    // Nor does it under the mark of the archive, which is signed with the rest.
    std::fs::remove_file(put).unwrap();
    house.put_there(&Retirement { archive: Some(house.name()), ..freed });
    assert!(house.prove(&[&house.at()]).unwrap_err().contains("not signed by any key given"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_the_archive_names_its_log_and_is_refused_for_another_and_in_a_nodes_folder() {
    let (house, other) = (House::new(), House::new());
    copy(&house.dir.path().join("keys"), &other.dir.path().join("keys"));
    for house in [&house, &other] {
        house.write(small_segments(house), 0..20).await;
        house.ship(&house.archive()).await;
    }
    let stated = house.retire_archived(&house.archive()).await;
    assert_eq!(stated.archive, Some(house.name()));
    house.prove_by_the_store().await.unwrap();

    other.take_away(stated.from..=stated.to);
    other.put_there(&stated);
    assert!(other.prove(&[&other.at()]).unwrap_err().contains("is of another place"));

    for number in stated.from..=stated.to {
        std::fs::remove_file(house.segment(number)).unwrap();
    }
    std::fs::write(house.log().join("retired.jsonl"), retire::line_of(&stated).unwrap()).unwrap();
    assert!(house.prove(&[&house.log()]).unwrap_err().contains("what left the archive, which explains nothing here"));
    assert!(house.try_start(small_segments(&house)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_were_lost_make_nothing_in_the_archive_retired() {
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    let (archive, marks) = (house.archive(), house.log().join("archived.jsonl"));
    house.ship(&archive).await;
    house.retire();
    house.write(small_segments(&house), 20..40).await;
    house.ship(&archive).await;
    house.retire();
    // Both statements are of segments that the archive has.
    house.write(small_segments(&house), 40..60).await;
    std::fs::remove_file(&marks).unwrap();
    house.ship(&archive).await;
    assert!(archive.shelf(house.name()).await.unwrap().statements.is_empty());
    assert!(house.prove(&[&house.at()]).unwrap().starts_with("The log is whole: "));
    assert_eq!(house.calls_in(&[&house.log(), &house.at()]), "60 calls");

    // The archive states what left it; the node's statements of the same do not stand beside that.
    let stated = house.retire_archived(&archive).await;
    house.write(small_segments(&house), 60..80).await;
    std::fs::remove_file(&marks).unwrap();
    house.ship(&archive).await;
    assert_eq!(archive.log(house.name()).await.unwrap().statements(), [stated]);
    house.prove(&[&house.at(), &house.log()]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_marks_that_cannot_be_read_costs_no_other() {
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    let (archive, marks) = (house.archive(), house.log().join("archived.jsonl"));
    let shipped = house.ship(&archive).await;
    let text = std::fs::read_to_string(&marks).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    for (spoilt, lost) in
        [(format!("\n{text}"), 0), (format!("{}\n{rest}", first.replacen('{', "", 1)), 1), (format!("\n{text}{first}"), 0)]
    {
        std::fs::write(&marks, spoilt).unwrap();
        assert_eq!(Shipper::open(&house.log()).unwrap().marks().len(), shipped - lost);
        assert_eq!(house.ship(&archive).await, lost, "what the line told of goes once more");
        assert_eq!(Shipper::open(&house.log()).unwrap().marks().len(), shipped);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_segment_leaves_the_disk_while_the_archive_lacks_a_torn_end_that_it_names() {
    use hjemmel::archive::retire::LeaveError;
    let house = House::new();
    house.write(house.settings(), 0..2).await;
    let mut segment = std::fs::OpenOptions::new().append(true).open(house.segment(1)).unwrap();
    std::io::Write::write_all(&mut segment, b"{\"hash\":\"torn").unwrap();
    house.write(small_segments(&house), 2..10).await;
    let (archive, keys) = (house.archive(), [keys::checkpoint_public_key(&house.key("checkpoint.pub")).unwrap()]);
    house.ship(&archive).await;
    let plan = house.plan(&decision()).unwrap();
    archive.holds(&house.log(), &keys, &plan).await.unwrap();
    let files = std::fs::read_dir(house.at().join(house.name().to_string())).unwrap().map(|entry| entry.unwrap().path());
    let torn = files.into_iter().find(|path| path.extension().unwrap() == "bin").unwrap();
    let whole = std::fs::read(&torn).unwrap();
    std::fs::write(&torn, whole.to_ascii_uppercase()).unwrap();
    assert!(matches!(archive.holds(&house.log(), &keys, &plan).await, Err(LeaveError::NotArchived(1))));
    std::fs::remove_file(&torn).unwrap();
    assert!(matches!(archive.holds(&house.log(), &keys, &plan).await, Err(LeaveError::NotArchived(1))));
    std::fs::write(&torn, whole).unwrap();
    archive.holds(&house.log(), &keys, &plan).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_archive_first_leaves_the_disk_too_and_what_only_seems_to_have_left_stays() {
    use hjemmel::archive::retire::LeaveError;
    let (house, other) = (House::new(), House::new());
    house.write(small_segments(&house), 0..20).await;
    let (archive, own) = (house.archive(), [keys::checkpoint_public_key(&house.key("checkpoint.pub")).unwrap()]);
    house.ship(&archive).await;
    let stated = house.retire_archived(&archive).await;
    house.write(small_segments(&house), 20..40).await;
    let plan = house.plan(&decision()).unwrap();
    let refused = archive.holds(&house.log(), &own, &plan).await;
    assert!(
        matches!(refused, Err(LeaveError::NotArchived(number)) if number == stated.to + 1),
        "what was written since is nowhere else"
    );
    house.ship(&archive).await;
    archive.holds(&house.log(), &own, &plan).await.unwrap();

    // Signed by nobody who is known.
    let stranger = [keys::checkpoint_public_key(&other.key("checkpoint.pub")).unwrap()];
    assert!(matches!(archive.holds(&house.log(), &stranger, &plan).await, Err(LeaveError::NotArchived(1))));
    // Of this log by its name, and of other calls.
    copy(&house.dir.path().join("keys"), &other.dir.path().join("keys"));
    other.name();
    std::fs::write(other.log().join("log-id"), house.name().to_string()).unwrap();
    other.write(small_segments(&other), 100..140).await;
    let of_other = other.plan(&decision()).unwrap();
    assert!(matches!(archive.holds(&other.log(), &own, &of_other).await, Err(LeaveError::NotArchived(1))));

    retire::retire(&house.log(), &plan).unwrap();
    house.prove(&[&house.log(), &house.at()]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_end_goes_with_its_segment_and_a_log_that_was_retired_before_there_was_an_archive_says_so_there() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let retired = house.retire();
    let last = house.verify().unwrap().ends.last().unwrap().number;
    let mut segment = std::fs::OpenOptions::new().append(true).open(house.segment(last)).unwrap();
    std::io::Write::write_all(&mut segment, b"{\"hash\":\"torn").unwrap();
    house.write(small_segments(&house), 10..30).await;
    house.ship(&house.archive()).await;
    let said = house.prove(&[&house.at()]).unwrap();
    assert!(said.contains("1 torn ends") && said.contains(&format!("from entry {} on", retired.sequence + 1)), "{said}");
    let kept = std::fs::read_dir(house.at().join(house.name().to_string())).unwrap().map(|entry| entry.unwrap().path());
    let torn = kept.into_iter().find(|path| path.extension().unwrap() == "bin").unwrap();
    std::fs::write(&torn, b"{\"hash\":\"t0rn").unwrap();
    assert!(house.prove(&[&house.at()]).unwrap_err().contains("missing or altered"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_is_the_same_in_an_s3_compatible_store_also_of_segments_longer_than_a_part() {
    let house = House::new();
    let Some(at) = crate::objects::place_in_s3(house.dir.path(), "audit") else { return };
    let archive = Archive::open(&at).unwrap();
    house.write(small_segments(&house), 0..20).await;
    let segments = house.verify().unwrap().segments;
    assert_eq!(house.ship(&archive).await as u64, segments - 1);
    std::fs::remove_file(house.log().join("archived.jsonl")).unwrap();
    assert_eq!(house.ship(&archive).await as u64, segments - 1, "once more");
    assert!(archive.logs().await.unwrap().contains(&house.name()));
    let log = archive.log(house.name()).await.unwrap();
    let key = keys::checkpoint_key(&house.key("checkpoint.key")).unwrap();
    let verified = hjemmel::audit::verify::verify_at(&log, &[key.public()], &[]).unwrap();
    assert_eq!(verified.segments, segments - 1);
    let later = "2026-11-23T00:00:00Z".parse().unwrap();
    let decision = hjemmel::audit::retire::Decision { before: later, kept_from: later, by: "D".into(), reason: "frist".into() };
    let plan = hjemmel::audit::retire::plan(&log, &key, &[key.public()], &decision, later).unwrap();
    archive.retire(&log, &plan).await.unwrap();
    let shelf = archive.shelf(house.name()).await.unwrap();
    assert!(shelf.segments.is_empty() && shelf.statements.len() == 1);

    let long = house.dir.path().join("long");
    std::fs::write(&long, vec![b'x'; (20 << 20) + 7]).unwrap();
    let content = hjemmel::archive::Content { bytes: (20 << 20) + 7, sha256: hjemmel::audit::log::sha256_of(&long).unwrap() };
    let name = object_store::path::Path::from("long/one");
    archive.put(&name, &long, &content).await.unwrap();
    assert!(archive.gives_back(&name, &content).await.unwrap());
    // A file that is another than it was said to be is taken back, whatever was sent of it.
    let other = hjemmel::archive::Content { sha256: "00".repeat(32), ..content };
    let refused = archive.put(&object_store::path::Path::from("long/two"), &long, &other).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Changed(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_whose_segment_left_the_node_is_read_in_the_archive_after_a_store_was_put_back() {
    let house = House::new();
    let kept = crate::kept::Kept::in_sqlite();
    let store = Store::open_to(hjemmel::store::Access::Make, &kept.settings).await.unwrap();
    // The first line of the log is the erasure; then come calls until its segment has ended, is in the archive and retired here.
    let number = 4711;
    let decided = Decided {
        decision: Uuid::now_v7(),
        decided_at: later(),
        subject: hjemmel::audit::Subject::Person,
        id: hjemmel::persons::erase::id(number),
        from: Some("KENDT".into()),
        to: "SLETTET".into(),
        user: None,
        role: None,
        certificate: None,
        session: None,
        delegation: None,
        signature_sha256: None,
        shown_sha256: None,
        reason_sha256: "00".repeat(32),
    };
    let audit = house.start(small_segments(&house));
    audit.decided(decided).await.unwrap();
    assert!(audit.stop(PATIENCE).await);
    house.write(small_segments(&house), 0..20).await;
    house.ship(&house.archive()).await;
    house.retire();
    assert!(!house.segment(1).exists());
    let back = format!(
        "INSERT INTO person_number (pseudonym, number) VALUES (randomblob(32), {number});
         INSERT INTO person (number, staff, home, content) VALUES ({number}, '1', '11111111/A1', '{{}}')"
    );
    kept.execute(&back).await.unwrap();
    let mut noted = store.database().begin().await.unwrap();
    hjemmel::store::copies::note(&mut noted, "O. Drift", later()).await.unwrap();
    noted.commit().await.unwrap();
    let logs = Logs { folder: house.log(), ..Logs::default() };
    let refused = replay::own(store.database(), house.name(), &logs, &Clock::fixed(later())).await.unwrap_err().to_string();
    assert!(refused.contains("segment 1 is not there any more"), "{refused}");
    let missing = replay::missing(&mut store.database().session().await.unwrap(), house.name()).await.unwrap();
    assert_eq!(missing, [house.name()]);
    let logs = Logs { archive: Some(At::Folder(house.at())), ..logs };
    assert_eq!(replay::own(store.database(), house.name(), &logs, &Clock::fixed(later())).await.unwrap(), 1);
    let missing = replay::missing(&mut store.database().session().await.unwrap(), house.name()).await.unwrap();
    assert_eq!(missing, Vec::<Uuid>::new());
}
