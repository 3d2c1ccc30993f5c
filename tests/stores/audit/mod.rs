//! The audit through real files: what is written, what an attacker changes, and what is proven.

mod archive;
mod files;
mod record;
mod retirement;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::not_run::did_not_run;
use hjemmel::{
    agreements::Thumbprint,
    audit::{
        About, AboutPassThrough, AboutTerminalAdgang, Audit, AuditSettings, Binding, Outcome, PolicyRef, Record, Window, chain,
        keys,
        log::{LogError, segment_name},
        retire,
        search::search,
        verify::{Anchor, Failure, Fault, Verified, verify},
    },
    clock::Clock,
    refusal::Refusal,
};
use proptest::prelude::*;
use uuid::Uuid;

const CPR: &str = "6101801234";
/// For a disk that is slow, and no fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// A log in a directory of its own, and its keys beside it.
struct House {
    dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        keys::generate(&dir.path().join("keys")).unwrap();
        Self { dir }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn key(&self, name: &str) -> PathBuf {
        self.dir.path().join("keys").join(name)
    }

    fn settings(&self) -> AuditSettings {
        AuditSettings { patience: PATIENCE, ..AuditSettings::in_dir(self.log()) }
    }

    fn try_start(&self, settings: AuditSettings) -> Result<Audit, LogError> {
        let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
        Audit::start(settings, keys::checkpoint_key(&self.key("checkpoint.key")).unwrap(), clock, |_| {})
    }

    fn start(&self, settings: AuditSettings) -> Audit {
        self.try_start(settings).unwrap()
    }

    /// The record of call number `n`, with its person sealed.
    fn record(&self, n: u128) -> Record {
        let mut record = Record::new(Uuid::from_u128(n), "2026-11-22T12:00:00Z".parse().unwrap(), "terminaladgang");
        let sealer = keys::sealer(&self.key("pseudonym.key"), &self.key("auditors.pub")).unwrap();
        record.persons = vec![sealer.seal(record.call, CPR).unwrap()];
        record.operation = Some("fremsoeg".into());
        record.binding = Some(Binding::Token);
        record.certificate = Some(Thumbprint::of_der(b"client"));
        record.authority = Some("11111111".parse().unwrap());
        record.front_agreement = Some(Uuid::from_u128(1));
        record.back_agreements = vec![Uuid::from_u128(2)];
        let policy = PolicyRef { id: "terminaladgang-6".into(), version: "1".into(), digest: "00".into() };
        let mut about = AboutTerminalAdgang::new(policy, BTreeMap::new());
        about.window_applied = Some(Window { from: Some(record.opened_at), to: None });
        record.about = about.into();
        record.legal_basis = Some("LUD § 8, stk. 1".into());
        record.purpose = Some("prøve".into());
        record.own_transaction = Some(Uuid::from_u128(n ^ 0xffff));
        record
    }

    /// The record of call number `n` of a pass-through service, which names no person.
    fn passed_through(&self, n: u128) -> Record {
        let mut about = AboutPassThrough::new("00".into());
        (about.receiver, about.route) = (Some("22222222".parse().unwrap()), Some(Uuid::from_u128(3)));
        Record { persons: Vec::new(), about: about.into(), ..self.record(n) }
    }

    /// Writes `calls` calls, each admitted and served, and stops in good order.
    async fn write(&self, settings: AuditSettings, calls: std::ops::Range<u128>) {
        let audit = self.start(settings);
        for n in calls {
            let mut open = audit.open(self.record(n)).unwrap();
            let _ = open.admit().await.unwrap();
            open.served();
        }
        assert!(audit.stop(PATIENCE).await);
    }

    fn verify(&self) -> Result<Verified, Box<Failure>> {
        self.verify_with(&[])
    }

    fn verify_with(&self, anchors: &[Anchor]) -> Result<Verified, Box<Failure>> {
        verify(&self.log(), &[keys::checkpoint_public_key(&self.key("checkpoint.pub")).unwrap()], anchors)
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.log().join(segment_name(number))
    }

    fn lines(&self, number: u64) -> Vec<Vec<u8>> {
        let bytes = std::fs::read(self.segment(number)).unwrap();
        bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn write_lines(&self, number: u64, lines: &[Vec<u8>]) {
        std::fs::write(self.segment(number), lines.concat()).unwrap();
    }
}

fn small_segments(house: &House) -> AuditSettings {
    let mut settings = house.settings();
    settings.limits.segment_bytes = 4000;
    settings
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

// ---- what is written ----

#[tokio::test]
async fn every_call_ends_in_a_record_and_the_log_is_proven_whole() {
    let house = House::new();
    let audit = house.start(house.settings());
    let (served, refused, abandoned) = (1, 2, 3);
    let mut open = audit.open(house.record(served)).unwrap();
    assert_eq!(open.admit().await.unwrap().call(), Uuid::from_u128(served));
    open.step("forward", Duration::from_micros(1500));
    open.about.terminaladgang_mut().unwrap().released.objects.insert("released".into(), 2);
    open.served();
    audit.open(house.record(refused)).unwrap().refused(&Refusal::ServiceAgreementNotFound);
    drop(audit.open(house.record(abandoned)).unwrap());
    assert!(audit.stop(PATIENCE).await);

    let calls = search(&house.log(), |_| true).unwrap().calls;
    let of = |n| &calls[&Uuid::from_u128(n)];
    assert_eq!(
        (of(served).outcome, of(served).timings_us["forward"], of(served).about.counts().unwrap().0.objects["released"]),
        (Some(Outcome::Served), 1500, 2)
    );
    assert_eq!((of(refused).outcome, of(refused).refusal.as_deref()), (Some(Outcome::Refused), Some("ServiceAgreementNotFound")));
    assert_eq!(of(abandoned).outcome, Some(Outcome::Abandoned));
    let verified = house.verify().unwrap();
    assert_eq!((verified.admitted, verified.closed, verified.unclosed, verified.unsigned), (1, 3, 0, 0));
    assert!(verified.stopped);
}

#[tokio::test]
async fn the_record_of_admission_is_on_disk_before_the_proof_of_it_is_given() {
    let house = House::new();
    let audit = house.start(house.settings());
    for n in 1..20 {
        let mut open = audit.open(house.record(n)).unwrap();
        let _proof = open.admit().await.unwrap();
        let found = search(&house.log(), |record| record.call == Uuid::from_u128(n)).unwrap();
        assert_eq!(found.calls[&Uuid::from_u128(n)].outcome, None, "admitted, and not yet closed");
    }
}

#[tokio::test]
async fn a_call_whose_record_does_not_say_who_why_and_about_whom_is_not_admitted() {
    let house = House::new();
    let audit = house.start(house.settings());
    let lacks: [(&str, TakeAway); 12] = [
        ("operation", |record| record.operation = None),
        ("binding", |record| record.binding = None),
        ("certificate", |record| record.certificate = None),
        ("authority", |record| record.authority = None),
        ("front_agreement", |record| record.front_agreement = None),
        ("back_agreements", |record| record.back_agreements.clear()),
        ("about", |record| record.about = About::Nothing),
        ("legal_basis", |record| record.legal_basis = None),
        ("purpose", |record| record.purpose = None),
        ("persons", |record| record.persons.clear()),
        ("window_applied", |record| record.about.terminaladgang_mut().unwrap().window_applied = None),
        ("own_transaction", |record| record.own_transaction = None),
    ];
    for (field, take_away) in lacks {
        refused_without(&audit, house.record(1), field, take_away).await;
    }
    assert!(audit.stop(PATIENCE).await);
    assert_eq!(house.verify().unwrap().admitted, 0);
}

#[tokio::test]
async fn a_passed_through_call_whose_record_does_not_say_to_whom_and_by_which_route_is_not_admitted() {
    let house = House::new();
    let audit = house.start(house.settings());
    let lacks: [(&str, TakeAway); 4] = [
        ("about", |record| record.about = About::Nothing),
        ("receiver", |record| record.about.passthrough_mut().unwrap().receiver = None),
        ("receiver", |record| record.about.passthrough_mut().unwrap().for_all = true),
        ("route", |record| record.about.passthrough_mut().unwrap().route = None),
    ];
    for (field, take_away) in lacks {
        refused_without(&audit, house.passed_through(1), field, take_away).await;
    }
    let _ = audit.open(house.passed_through(2)).unwrap().admit().await.unwrap();
    assert!(audit.stop(PATIENCE).await);
    assert_eq!(house.verify().unwrap().admitted, 1);
}

type TakeAway = fn(&mut Record);

/// Takes something from a whole record, and sees that the call is refused for want of `field`.
async fn refused_without(audit: &Audit, mut record: Record, field: &str, take_away: TakeAway) {
    assert_eq!(record.missing_for_admission(), None);
    take_away(&mut record);
    assert_eq!(record.missing_for_admission(), Some(field));
    assert_eq!(audit.open(record).unwrap().admit().await.unwrap_err(), Refusal::Internal);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_erase_the_record() {
    let house = House::new();
    let audit = house.start(house.settings());
    let mut open = audit.open(house.record(1)).unwrap();
    let (admitted, comes) = tokio::sync::oneshot::channel();
    let call = tokio::spawn(async move {
        let _proof = open.admit().await.unwrap();
        admitted.send(()).unwrap();
        std::future::pending::<()>().await; // the index never answers
        open.served();
    });
    comes.await.unwrap();
    call.abort();
    assert!(call.await.is_err());
    assert!(audit.stop(PATIENCE).await);
    let calls = search(&house.log(), |_| true).unwrap().calls;
    assert_eq!(calls[&Uuid::from_u128(1)].outcome, Some(Outcome::Abandoned));
}

#[tokio::test]
async fn no_personal_identifier_reaches_the_files_and_only_auditors_find_and_open_it() {
    let house = House::new();
    house.write(house.settings(), 1..4).await;
    for entry in std::fs::read_dir(house.log()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(CPR.len()).any(|window| window == CPR.as_bytes()));
    }
    let pseudonym = keys::pseudonym_key(&house.key("pseudonym.key")).unwrap().pseudonym(CPR).unwrap();
    let found = search(&house.log(), |record| record.names(&pseudonym)).unwrap();
    assert_eq!(found.calls.len(), 3);
    let auditors = keys::auditors(&house.key("auditors.key")).unwrap();
    for (call, record) in &found.calls {
        assert_eq!(auditors.open(*call, &record.persons[0]).unwrap().as_str(), CPR);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_share_one_sync_and_every_closing_is_seen_once() {
    let house = House::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let closed = Arc::clone(&seen);
    let key = keys::checkpoint_key(&house.key("checkpoint.key")).unwrap();
    let audit =
        Audit::start(house.settings(), key, Clock::system(), move |record| closed.lock().unwrap().push(record.call)).unwrap();
    let record = house.record(0);
    let calls: Vec<_> = (0..500)
        .map(|n| {
            let mut open = audit.open(Record { call: Uuid::from_u128(n), ..record.clone() }).unwrap();
            tokio::spawn(async move {
                let _ = open.admit().await.unwrap();
                open.served();
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert!(audit.stop(PATIENCE).await);
    let stats = audit.stats();
    assert_eq!(stats.records, 1000);
    assert!(stats.commits < 500, "group commit: {} commits for 1000 records", stats.commits);
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (500, 500));
    let verified = house.verify().unwrap();
    assert_eq!((verified.admitted, verified.closed, verified.unclosed), (500, 500, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_waits_for_calls_on_their_way_and_a_call_that_comes_alone_does_not() {
    let house = House::new();
    let hour = Duration::from_secs(3600);
    let audit = house.start(AuditSettings { commit_delay: hour, ..house.settings() });
    for n in 0..3 {
        // Another call that has ended is not on its way; with one that were, this would time out.
        let mut alone = audit.open(house.record(n)).unwrap();
        let _ = alone.admit().await.unwrap();
        alone.served();
    }
    let _on_its_way = audit.open(house.record(3)).unwrap();
    let mut waits = audit.open(house.record(4)).unwrap();
    let soon = tokio::time::timeout(Duration::from_millis(300), waits.admit()).await;
    assert!(soon.is_err(), "a call on its way is waited for");

    let house = House::new();
    let audit = house.start(AuditSettings { commit_delay: Duration::from_secs(10), ..house.settings() });
    let mut calls: Vec<_> = (0..100).map(|n| audit.open(house.record(n)).unwrap()).collect();
    let admissions: Vec<_> = calls.iter_mut().map(hjemmel::audit::OpenRecord::admit).collect();
    for admission in admissions {
        let _ = admission.await.unwrap();
    }
    assert_eq!((audit.stats().records, audit.stats().commits), (100, 1), "all that came in the meantime go together");
    drop(calls);
    assert!(audit.stop(PATIENCE).await);
    assert!(audit.stats().commits < 20, "nobody waits for a closing: {} commits for 100", audit.stats().commits);
    assert_eq!(house.verify().unwrap().closed, 100, "and none is lost for that");
}

#[tokio::test]
async fn segments_follow_one_another_and_a_restart_continues_the_chain() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let first = house.verify().unwrap();
    assert!(first.segments > 2, "{first:?}");
    house.write(small_segments(&house), 10..20).await;
    let second = house.verify().unwrap();
    assert!(second.segments > first.segments && second.sequence > first.sequence);
    assert_eq!((second.admitted, second.closed), (20, 20));
}

#[tokio::test]
async fn a_log_is_verified_while_it_is_being_written() {
    let house = House::new();
    let audit = house.start(small_segments(&house));
    for n in 0..30 {
        let mut open = audit.open(house.record(n)).unwrap();
        let _ = open.admit().await.unwrap();
        let verified = house.verify().unwrap();
        assert!(!verified.stopped && verified.unclosed >= 1);
        open.served();
    }
}

// ---- what an attacker changes ----

#[tokio::test]
async fn no_byte_can_be_altered_unseen() {
    let house = House::new();
    house.write(house.settings(), 0..2).await;
    for file in [house.segment(1), house.log().join("head.json")] {
        let whole = std::fs::read(&file).unwrap();
        for position in 0..whole.len() {
            let mut altered = whole.clone();
            altered[position] ^= 1;
            std::fs::write(&file, &altered).unwrap();
            assert!(house.verify().is_err(), "byte {position} of {}", file.display());
        }
        std::fs::write(&file, &whole).unwrap();
    }
    house.verify().unwrap();
}

#[tokio::test]
async fn no_line_can_be_removed_repeated_or_moved_unseen_and_the_place_is_told() {
    let house = House::new();
    house.write(house.settings(), 0..4).await;
    let lines = house.lines(1);
    let failure = |changed: &[Vec<u8>]| {
        house.write_lines(1, changed);
        *house.verify().unwrap_err()
    };
    for at in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(at);
        let told = failure(&removed);
        if at + 1 < lines.len() {
            assert_eq!((told.line, told.good_until), (at as u64 + 1, at as u64), "{told}");
        } else {
            assert!(matches!(told.fault, Fault::CutOff(_)), "the last line: {told}");
        }
        let mut repeated = lines.clone();
        repeated.insert(at, lines[at].clone());
        assert_eq!(failure(&repeated).line, at as u64 + 2);
        if at > 0 {
            let mut moved = lines.clone();
            moved.swap(at - 1, at);
            assert_eq!(failure(&moved).line, at as u64);
        }
    }
    house.write_lines(1, &lines);
    house.verify().unwrap();
}

#[tokio::test]
async fn a_log_cut_short_at_any_byte_is_seen() {
    let house = House::new();
    house.write(house.settings(), 0..2).await;
    let whole = std::fs::read(house.segment(1)).unwrap();
    for length in 0..whole.len() {
        std::fs::write(house.segment(1), &whole[..length]).unwrap();
        assert!(house.verify().is_err(), "cut to {length} bytes");
    }
}

#[tokio::test]
async fn no_segment_can_be_removed_exchanged_or_cut_unseen() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let last = house.verify().unwrap().segments;
    let whole = house.dir.path().join("whole");
    copy(&house.log(), &whole);
    let aside = house.dir.path().join("aside");
    for number in 1..=last {
        std::fs::rename(house.segment(number), &aside).unwrap();
        let told = house.verify().unwrap_err();
        assert_eq!(told.fault, if number < last { Fault::SegmentMissing(number) } else { told.fault.clone() });
        assert!(number < last || matches!(told.fault, Fault::CutOff(_) | Fault::HeadDiffers(_)), "{told}");
        std::fs::rename(&aside, house.segment(number)).unwrap();
    }
    let lines = house.lines(2);
    house.write_lines(2, &lines[..lines.len() - 1]);
    let told = house.verify().unwrap_err();
    assert_eq!((told.file.clone(), &told.fault), (house.segment(2), &Fault::SegmentEnd), "{told}");
    copy(&whole, &house.log());
    std::fs::copy(whole.join(segment_name(2)), house.segment(3)).unwrap();
    assert_eq!(house.verify().unwrap_err().file, house.segment(3));
    copy(&whole, &house.log());
    house.verify().unwrap();
}

/// Chains lines anew, as anyone can who knows the format, with `change` applied to each entry's text.
fn rechain(lines: &[Vec<u8>], change: impl Fn(&str) -> Option<String>) -> Vec<Vec<u8>> {
    let mut previous = [0; 32];
    let mut chained = Vec::new();
    for line in lines {
        let entry = std::str::from_utf8(chain::split(line).unwrap().1).unwrap();
        let Some(entry) = change(entry) else { continue };
        let hash = chain::link(&previous, entry.as_bytes());
        chained.push(format!("{{\"hash\":\"{}\",\"entry\":{entry}}}\n", hjemmel::hex::encode(&hash)).into_bytes());
        previous = hash;
    }
    chained
}

#[tokio::test]
async fn a_chain_made_anew_without_the_key_is_seen() {
    let house = House::new();
    house.write(house.settings(), 0..4).await;
    let lines = house.lines(1);
    assert_eq!(rechain(&lines, |entry| Some(entry.to_owned())), lines, "the attacker knows the format");

    let forged = rechain(&lines, |entry| Some(entry.replace("\"served\"", "\"abandoned\"")));
    house.write_lines(1, &forged);
    assert_eq!(house.verify().unwrap_err().fault, Fault::CheckpointContent, "the checkpoint tells of the true line");

    let without = rechain(&lines, |entry| (!entry.contains("\"checkpoint\"")).then(|| entry.to_owned()));
    house.write_lines(1, &without);
    assert_eq!(house.verify().unwrap_err().fault, Fault::Line(chain::Broken::Sequence), "numbers have no gap");

    // A whole log of the attacker's own, with keys of their own, put in the place of this one.
    let attacker = House::new();
    attacker.write(attacker.settings(), 0..4).await;
    attacker.verify().unwrap();
    copy(&attacker.log(), &house.log());
    assert_eq!(house.verify().unwrap_err().fault, Fault::CheckpointSignature);
}

#[tokio::test]
async fn a_log_without_its_head_or_with_a_foreign_one_is_refused() {
    let house = House::new();
    house.write(house.settings(), 0..4).await;
    let head = house.log().join("head.json");
    let whole = std::fs::read(&head).unwrap();
    std::fs::remove_file(&head).unwrap();
    assert_eq!(house.verify().unwrap_err().fault, Fault::HeadMissing);
    let attacker = House::new();
    attacker.write(attacker.settings(), 0..1).await;
    std::fs::copy(attacker.log().join("head.json"), &head).unwrap();
    assert!(house.verify().is_err());
    std::fs::write(&head, whole).unwrap();
    house.verify().unwrap();
}

#[tokio::test]
async fn a_log_rolled_back_together_with_its_head_is_seen_by_an_anchor_kept_elsewhere() {
    let house = House::new();
    house.write(house.settings(), 0..2).await;
    let earlier = house.dir.path().join("earlier");
    copy(&house.log(), &earlier);
    house.write(house.settings(), 2..4).await;
    let later = house.verify().unwrap();
    let anchor: Anchor = format!("{}:{}", later.sequence, later.hash).parse().unwrap();
    house.verify_with(&[anchor]).unwrap();

    copy(&earlier, &house.log());
    house.verify().expect("by itself the earlier log is whole");
    assert_eq!(house.verify_with(&[anchor]).unwrap_err().fault, Fault::BeforeAnchor(anchor.sequence));
    let other = Anchor { sequence: 3, hash: [0; 32] };
    assert_eq!(house.verify_with(&[other]).unwrap_err().fault, Fault::AnchorDiffers(3));
}

#[test]
fn an_empty_directory_proves_nothing() {
    let house = House::new();
    std::fs::create_dir_all(house.log()).unwrap();
    assert_eq!(house.verify().unwrap_err().fault, Fault::Empty);
}

// ---- crashes and failing disks ----

#[tokio::test]
async fn a_torn_last_line_is_kept_aside_recorded_and_never_silently_dropped() {
    let house = House::new();
    house.write(house.settings(), 0..2).await;
    let torn = b"{\"hash\":\"0123\",\"entry\":{\"seq\":9";
    let mut bytes = std::fs::read(house.segment(1)).unwrap();
    let offset = bytes.len();
    bytes.extend_from_slice(torn);
    std::fs::write(house.segment(1), bytes).unwrap();
    assert_eq!(house.verify().unwrap_err().fault, Fault::Line(chain::Broken::Form));

    house.write(house.settings(), 2..4).await;
    let verified = house.verify().unwrap();
    assert_eq!((verified.torn, verified.admitted), (1, 4));
    let kept = house.log().join(format!("torn-00000001-{offset}.bin"));
    assert_eq!(std::fs::read(&kept).unwrap(), torn);
    std::fs::remove_file(&kept).unwrap();
    assert!(matches!(house.verify().unwrap_err().fault, Fault::TornFile(_)));
}

#[tokio::test]
async fn a_crash_while_a_segment_was_begun_is_mended() {
    for left_behind in [&b""[..], b"{\"hash\":\""] {
        let house = House::new();
        let mut settings = house.settings();
        settings.limits.segment_bytes = 1; // every write ends its segment
        house.write(settings, 0..2).await;
        let last = house.verify().unwrap().segments;
        let lines = house.lines(last);
        assert!(String::from_utf8_lossy(lines.last().unwrap()).contains("\"stopped\""), "the last segment is not ended");
        // Go back to the end of the segment before, and begin the next as a crash leaves it.
        std::fs::write(house.segment(last), left_behind).unwrap();
        let before = house.lines(last - 1);
        let end = String::from_utf8(before.last().unwrap().clone()).unwrap();
        let checkpoint = end.split_once("{\"checkpoint\":").unwrap().1.trim_end().trim_end_matches('}');
        std::fs::write(house.log().join("head.json"), format!("{checkpoint}}}")).unwrap();
        house.write(house.settings(), 2..3).await;
        let verified = house.verify().unwrap();
        assert_eq!(verified.torn, u64::from(!left_behind.is_empty()));
    }
}

#[tokio::test]
async fn nothing_is_written_on_top_of_a_log_that_was_cut_or_exchanged() {
    let house = House::new();
    house.write(house.settings(), 0..4).await;
    let lines = house.lines(1);
    house.write_lines(1, &lines[..lines.len() - 1]);
    assert!(matches!(house.try_start(house.settings()), Err(LogError::Shortened(_))), "what head.json tells of was on disk");
    house.write_lines(1, &rechain(&lines, |entry| Some(entry.replace("\"served\"", "\"abandoned\""))));
    assert!(matches!(house.try_start(house.settings()), Err(LogError::Altered(_))));
    house.write_lines(1, &lines);
    std::fs::remove_file(house.log().join("head.json")).unwrap();
    assert!(matches!(house.try_start(house.settings()), Err(LogError::Shortened(_))));
}

#[tokio::test]
async fn one_log_has_one_writer() {
    let house = House::new();
    let audit = house.start(house.settings());
    assert!(matches!(house.try_start(house.settings()), Err(LogError::Locked(_))));
    assert!(audit.stop(PATIENCE).await);
    house.start(house.settings());
}

#[tokio::test]
async fn while_the_disk_fails_calls_are_refused_and_no_closing_is_lost() {
    let house = House::new();
    let mut settings = house.settings();
    settings.limits.segment_bytes = 1; // every write ends its segment …
    settings.retry = Duration::from_millis(20);
    settings.open_calls = 3;
    let audit = house.start(settings);
    let mut before = audit.open(house.record(1)).unwrap();
    let _ = before.admit().await.unwrap();
    let next = house.verify().unwrap().segments + 1;
    std::fs::create_dir(house.segment(next)).unwrap(); // … and the next cannot be begun

    let mut open = audit.open(house.record(2)).unwrap();
    assert_eq!(open.admit().await.unwrap_err(), Refusal::AuditUnavailable);
    assert!(!audit.is_ready());
    open.refused(&Refusal::AuditUnavailable);
    before.served();
    drop(audit.open(house.record(3)).unwrap());
    assert_eq!(audit.open(house.record(4)).err(), Some(Refusal::AuditUnavailable), "every place is held by a record that waits");

    std::fs::remove_dir(house.segment(next)).unwrap();
    let ready = async {
        while !audit.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, ready).await.is_ok(), "{:?}", audit.stats());
    let mut again = audit.open(house.record(5)).unwrap();
    let _ = again.admit().await.unwrap();
    again.served();
    assert!(audit.stop(PATIENCE).await);

    let outcomes: Vec<_> = search(&house.log(), |_| true).unwrap().calls.values().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Served), Some(Outcome::Refused), Some(Outcome::Abandoned), Some(Outcome::Served)]);
    let verified = house.verify().unwrap();
    assert_eq!((verified.admitted, verified.closed), (2, 4), "the admission that was refused is not on disk");
}

#[tokio::test]
async fn a_disk_that_hangs_refuses_calls_in_time_and_turns_readiness_off() {
    let house = House::new();
    let hangs = Arc::new(AtomicBool::new(false));
    let disk = Arc::clone(&hangs);
    // The writer reads the clock at each write, so a clock that stands still for it is a disk that does.
    let clock = Clock::from_fn(move || {
        while disk.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        "2026-11-22T12:00:00Z".parse().unwrap()
    });
    let mut settings = house.settings();
    settings.patience = Duration::from_millis(50);
    let audit = Audit::start(settings, keys::checkpoint_key(&house.key("checkpoint.key")).unwrap(), clock, |_| {}).unwrap();
    let mut open = audit.open(house.record(1)).unwrap();
    hangs.store(true, Relaxed);
    assert_eq!(open.admit().await.unwrap_err(), Refusal::AuditUnavailable);
    // Readiness follows the writer's patience; how soon a busy machine lets that be seen is not what is judged.
    let turned = async {
        while audit.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, turned).await.is_ok(), "readiness turns off");
    hangs.store(false, Relaxed);
    open.refused(&Refusal::AuditUnavailable);
    assert!(audit.stop(PATIENCE).await);
    let calls = search(&house.log(), |_| true).unwrap().calls;
    assert_eq!(calls[&Uuid::from_u128(1)].outcome, Some(Outcome::Refused));
}

#[tokio::test]
async fn after_the_stop_no_call_is_opened_or_admitted() {
    let house = House::new();
    let audit = house.start(house.settings());
    let mut left_open = audit.open(house.record(1)).unwrap();
    assert!(!audit.stop(Duration::from_millis(20)).await, "a call was still open");
    assert_eq!(audit.open(house.record(2)).err(), Some(Refusal::AuditUnavailable));
    assert_eq!(left_open.admit().await.unwrap_err(), Refusal::AuditUnavailable);
    assert!(!audit.is_ready());
}

// ---- properties ----

#[derive(Debug, Clone)]
enum Act {
    Serve,
    Refuse,
    Abandon,
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![4 => Just(Act::Serve), 2 => Just(Act::Refuse), 1 => Just(Act::Abandon), 1 => Just(Act::Restart)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was done, the log verifies and holds every call; whatever is then put in the place of any stretch of any
    /// of its files, it does not, unless the bytes are the same.
    #[test]
    fn any_history_verifies_and_any_change_of_it_does_not(
        acts in proptest::collection::vec(act(), 1..12),
        segment_bytes in 1_u64..6000,
        checkpoint_entries in 1_u64..5,
        place in any::<prop::sample::Index>(),
        length in 0_usize..200,
        put_in in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let house = House::new();
        let mut settings = house.settings();
        settings.limits.segment_bytes = segment_bytes;
        settings.limits.checkpoint_entries = checkpoint_entries;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut expected = Vec::new();
        runtime.block_on(async {
            let mut audit = house.start(settings.clone());
            for (n, act) in acts.iter().enumerate() {
                let mut open = audit.open(house.record(n as u128)).unwrap();
                match act {
                    Act::Serve => {
                        let _ = open.admit().await.unwrap();
                        open.served();
                        expected.push(Outcome::Served);
                    }
                    Act::Refuse => {
                        open.refused(&Refusal::ServiceAgreementNotFound);
                        expected.push(Outcome::Refused);
                    }
                    Act::Abandon | Act::Restart => {
                        drop(open);
                        expected.push(Outcome::Abandoned);
                    }
                }
                if matches!(act, Act::Restart) {
                    assert!(audit.stop(PATIENCE).await);
                    audit = house.start(settings.clone());
                }
            }
            assert!(audit.stop(PATIENCE).await);
        });
        let verified = house.verify().unwrap();
        let outcomes: Vec<_> = search(&house.log(), |_| true).unwrap().calls.into_values().filter_map(|record| record.outcome).collect();
        prop_assert_eq!(&outcomes, &expected);
        prop_assert_eq!(verified.closed, expected.len() as u64);

        let mut files: Vec<_> = (1..=verified.segments).map(|number| house.segment(number)).collect();
        files.push(house.log().join("head.json"));
        let sizes: Vec<_> = files.iter().map(|file| std::fs::metadata(file).unwrap().len() as usize).collect();
        let mut position = place.index(sizes.iter().sum());
        let chosen = sizes.iter().position(|size| if position < *size { true } else { position -= size; false }).unwrap();
        let whole = std::fs::read(&files[chosen]).unwrap();
        let end = (position + length).min(whole.len());
        let changed = [&whole[..position], &put_in, &whole[end..]].concat();
        prop_assume!(changed != whole);
        std::fs::write(&files[chosen], changed).unwrap();
        prop_assert!(house.verify().is_err());
    }
}

// ---- an oracle that shares nothing with the code ----

#[tokio::test(flavor = "multi_thread")]
async fn python_and_openssl_agree_that_the_log_is_whole_and_that_a_changed_one_is_not() {
    let runs = |program: &str, argument: &str| {
        std::process::Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
    };
    if !runs("python3", "--version") || !runs("openssl", "version") {
        did_not_run("python3 and openssl", "apt-get install python3 openssl");
        return;
    }
    let house = House::new();
    house.write(small_segments(&house), 0..6).await;
    let oracle_at = |log: &Path| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/audit_oracle.py");
        std::process::Command::new("python3").arg(script).arg(log).arg(house.key("checkpoint.pub")).output().unwrap()
    };
    let oracle = || oracle_at(&house.log());
    let verified = house.verify().unwrap();
    let said = oracle();
    let expected = format!("whole: {} entries, {} checkpoints\n", verified.entries, verified.checkpoints);
    assert_eq!(String::from_utf8_lossy(&said.stdout), expected, "{}", String::from_utf8_lossy(&said.stderr));

    house.retire();
    let verified = house.verify().unwrap();
    let expected = format!("whole: {} entries, {} checkpoints\n", verified.entries, verified.checkpoints);
    assert_eq!(String::from_utf8_lossy(&oracle().stdout), expected, "from the statement on");
    house.write(small_segments(&house), 6..8).await;

    // The archive, of which some segments were retired: here and there other statements hold.
    let shipped = house.ship(&house.archive()).await;
    let stated = house.retire_archived(&house.archive()).await;
    house.write(small_segments(&house), 8..12).await;
    house.ship(&house.archive()).await;
    let archived = house.at().join(house.name().to_string());
    let verified = archive::proven_there(&house).await;
    let expected = format!("whole: {} entries, {} checkpoints\n", verified.entries, verified.checkpoints);
    let said = oracle_at(&archived);
    assert!(shipped > 0 && verified.segments > 0);
    assert_eq!(String::from_utf8_lossy(&said.stdout), expected, "{}", String::from_utf8_lossy(&said.stderr));
    let statements = std::fs::read(house.log().join("retired.jsonl")).unwrap();
    let with_that_of_the_archive = [statements.clone(), retire::line_of(&stated).unwrap()].concat();
    std::fs::write(house.log().join("retired.jsonl"), with_that_of_the_archive).unwrap();
    assert!(!oracle().status.success());
    std::fs::write(house.log().join("retired.jsonl"), statements).unwrap();
    assert!(oracle().status.success());

    let last = house.verify().unwrap().ends.last().unwrap().number;
    let text = std::fs::read_to_string(house.segment(last)).unwrap().replacen("11111111", "99999981", 1);
    std::fs::write(house.segment(last), text).unwrap();
    assert!(!oracle().status.success());
    assert!(house.verify().is_err());
}
