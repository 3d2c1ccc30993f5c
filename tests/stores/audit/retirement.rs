//! Segments whose time is over leave, and the log says so.

use hjemmel::audit::retire::{self, Decision, Plan, RetireError, Retirement};
use hjemmel::audit::{keys, place::Folder, verify::Fault};
use jiff::Timestamp;

use super::*;

/// After everything that the fixed clock wrote.
pub(super) fn later() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

pub(super) fn decision() -> Decision {
    Decision { before: later(), kept_from: later(), by: "Dataansvarlig".into(), reason: "opbevaringsfristen er udløbet".into() }
}

impl House {
    pub(super) fn plan(&self, decision: &Decision) -> Result<Plan, RetireError> {
        let key = keys::checkpoint_key(&self.key("checkpoint.key")).unwrap();
        retire::plan(&Folder(self.log()), &key, &[key.public()], decision, later())
    }

    /// Retires all segments but the last.
    pub(super) fn retire(&self) -> Retirement {
        let plan = self.plan(&decision()).unwrap();
        retire::retire(&self.log(), &plan).unwrap();
        plan.statement.unwrap()
    }

    fn statements(&self) -> PathBuf {
        self.log().join("retired.jsonl")
    }
}

#[tokio::test]
async fn a_log_is_whole_from_where_the_signed_statement_ends_and_goes_on_from_there() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let before = house.verify().unwrap();
    let first = house.retire();
    assert_eq!((first.from, first.to), (1, before.segments - 1), "the last stays");
    for number in 1..before.segments {
        assert!(!house.segment(number).exists(), "segment {number}");
    }
    let after = house.verify().unwrap();
    assert_eq!((after.sequence, after.segments, after.entries), (before.sequence, 1, before.sequence - first.sequence));
    assert_eq!(after.retired, std::slice::from_ref(&first));

    house.write(small_segments(&house), 10..20).await;
    let second = house.retire();
    assert_eq!(second.from, first.to + 1);
    let verified = house.verify().unwrap();
    assert_eq!(verified.retired, [first, second]);
    let found = search(&house.log(), |_| true).unwrap();
    assert!(found.calls.len() < 20 && found.unreadable == 0);
}

#[tokio::test]
async fn the_gateway_may_run_while_segments_are_retired() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let audit = house.start(small_segments(&house));
    house.retire();
    let mut open = audit.open(house.record(10)).unwrap();
    let _ = open.admit().await.unwrap();
    open.served();
    assert!(audit.stop(PATIENCE).await);
    house.verify().unwrap();
}

#[tokio::test]
async fn a_gap_that_no_statement_explains_is_told_by_verify_and_stops_the_next_start() {
    let house = House::new();
    house.write(small_segments(&house), 0..20).await;
    let last = house.verify().unwrap().segments;
    let aside = house.dir.path().join("aside");
    for number in 1..last {
        std::fs::rename(house.segment(number), &aside).unwrap();
        assert_eq!(house.verify().unwrap_err().fault, Fault::SegmentMissing(number));
        let refused = house.try_start(house.settings()).unwrap_err();
        assert!(matches!(refused, LogError::Missing { segment, .. } if segment == number), "{refused}");
        std::fs::rename(&aside, house.segment(number)).unwrap();
    }
    // Nor is a gap explained by a statement of something else, or by one that is gone.
    house.retire();
    house.write(small_segments(&house), 20..40).await;
    let first_left = last;
    std::fs::rename(house.segment(first_left), &aside).unwrap();
    assert_eq!(house.verify().unwrap_err().fault, Fault::SegmentMissing(first_left));
    assert!(matches!(house.try_start(house.settings()), Err(LogError::Missing { .. })));
    std::fs::rename(&aside, house.segment(first_left)).unwrap();
    std::fs::remove_file(house.statements()).unwrap();
    assert_eq!(house.verify().unwrap_err().fault, Fault::SegmentMissing(1));
    assert!(matches!(house.try_start(house.settings()), Err(LogError::Missing { segment: 1, .. })));
}

#[tokio::test]
async fn no_byte_of_a_statement_can_be_altered_unseen_and_nobody_else_can_make_one() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let statement = house.retire();
    let whole = std::fs::read(house.statements()).unwrap();
    for position in 0..whole.len() {
        let mut altered = whole.clone();
        altered[position] ^= 1;
        std::fs::write(house.statements(), &altered).unwrap();
        assert!(house.verify().is_err(), "byte {position}");
    }
    // A text that reads as another number of fields, under the same signature.
    let moved = Retirement { by: format!("{}\nx", statement.by), ..statement.clone() };
    std::fs::write(house.statements(), format!("{}\n", serde_json::to_string(&moved).unwrap())).unwrap();
    assert!(matches!(house.verify().unwrap_err().fault, Fault::RetirementSignature(1, _)));

    let attacker = House::new();
    attacker.write(small_segments(&attacker), 0..10).await;
    attacker.retire();
    std::fs::copy(attacker.statements(), house.statements()).unwrap();
    assert!(matches!(house.verify().unwrap_err().fault, Fault::RetirementSignature(1, _)), "of a key of their own");
}

#[tokio::test]
async fn a_statement_of_another_log_under_the_same_key_fits_no_other() {
    let (house, other) = (House::new(), House::new());
    copy(&house.dir.path().join("keys"), &other.dir.path().join("keys"));
    house.write(small_segments(&house), 0..10).await;
    other.write(small_segments(&other), 100..110).await;
    let count = house.verify().unwrap().segments;
    assert_eq!(other.verify().unwrap().segments, count);
    other.retire();
    for number in 1..count {
        std::fs::remove_file(house.segment(number)).unwrap();
    }
    std::fs::copy(other.statements(), house.statements()).unwrap();
    assert_eq!(house.verify().unwrap_err().fault, Fault::RetirementEnd);
}

#[tokio::test]
async fn what_is_kept_not_whole_or_not_ended_is_not_retired() {
    let house = House::new();
    house.write(house.settings(), 0..4).await;
    assert!(matches!(house.plan(&decision()), Err(RetireError::Nothing)), "the only segment");
    house.write(small_segments(&house), 4..10).await;

    let young = Decision { before: "2026-11-22T12:00:00Z".parse().unwrap(), ..decision() };
    assert!(matches!(house.plan(&young), Err(RetireError::Nothing)), "an entry of that very instant is not before it");
    let kept = Decision { kept_from: "2026-11-22T00:00:00Z".parse().unwrap(), ..decision() };
    assert!(matches!(house.plan(&kept), Err(RetireError::Kept(_))), "within the retention period");
    for text in ["", " ", "angik 610180-1234", "angik 6101801234", "angik 610180 1234", "to\nlinjer", &"x".repeat(201)] {
        assert!(matches!(house.plan(&Decision { reason: text.into(), ..decision() }), Err(RetireError::Text)), "{text:?}");
        assert!(matches!(house.plan(&Decision { by: text.into(), ..decision() }), Err(RetireError::Text)), "{text:?}");
    }
    let lines = house.lines(2);
    house.write_lines(2, &lines[1..]);
    assert!(matches!(house.plan(&decision()), Err(RetireError::NotWhole(_))), "a statement covers nothing up");
    house.write_lines(2, &lines);
    house.plan(&decision()).unwrap();
    assert!(!house.statements().exists(), "a plan writes nothing");
}

#[tokio::test]
async fn a_crash_between_statement_and_removal_is_finished_by_the_next_run() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let before = house.dir.path().join("before");
    copy(&house.log(), &before);
    let statement = house.retire();
    let written = std::fs::read(house.statements()).unwrap();
    copy(&before, &house.log());
    std::fs::write(house.statements(), &written).unwrap();
    house.write(small_segments(&house), 10..11).await;
    assert_eq!(house.verify().unwrap().leftover, statement.to);

    // Nothing else is old enough to go; the files are.
    let plan = house.plan(&Decision { before: "2026-11-01T00:00:00Z".parse().unwrap(), ..decision() }).unwrap();
    assert!(plan.statement.is_none() && plan.files == statement.to);
    retire::retire(&house.log(), &plan).unwrap();
    assert_eq!(house.verify().unwrap().leftover, 0);
    assert_eq!(std::fs::read(house.statements()).unwrap(), written);
}

#[tokio::test]
async fn two_runs_of_one_plan_make_one_statement() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let (one, two) = (house.plan(&decision()).unwrap(), house.plan(&decision()).unwrap());
    retire::retire(&house.log(), &one).unwrap();
    assert!(matches!(retire::retire(&house.log(), &two), Err(RetireError::Locked)));
    assert_eq!(house.verify().unwrap().retired.len(), 1);
}

#[tokio::test]
async fn a_torn_end_goes_with_the_segment_that_tells_of_it() {
    let house = House::new();
    house.write(house.settings(), 0..2).await;
    let mut bytes = std::fs::read(house.segment(1)).unwrap();
    let torn = house.log().join(format!("torn-00000001-{}.bin", bytes.len()));
    bytes.extend_from_slice(b"{\"hash\":\"01");
    std::fs::write(house.segment(1), bytes).unwrap();
    house.write(small_segments(&house), 2..10).await;
    assert!(torn.exists());
    house.retire();
    assert!(!torn.exists());
    assert_eq!(house.verify().unwrap().torn, 0);
}

#[tokio::test]
async fn an_anchor_of_what_was_retired_is_no_fault_and_is_told() {
    let house = House::new();
    house.write(small_segments(&house), 0..10).await;
    let statement = house.retire();
    let anchor = |sequence: u64, hash: &str| format!("{sequence}:{hash}").parse::<Anchor>().unwrap();
    let early = anchor(3, &"00".repeat(32));
    assert_eq!(house.verify_with(&[early]).unwrap().anchors_retired, 1);
    house.verify_with(&[anchor(statement.sequence, &statement.hash)]).unwrap();
    let other = anchor(statement.sequence, &"00".repeat(32));
    assert_eq!(house.verify_with(&[other]).unwrap_err().fault, Fault::AnchorDiffers(statement.sequence));
}
