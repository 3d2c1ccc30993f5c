//! An index that is hostile or broken: its callers get the gateway's fault and nothing of what it said.

use std::time::Duration;

use hjemmel::stub::population::demo;
use hjemmel::stub::ydelsesindeks::mode::FaultMode;

use crate::stage::{lines, on_hasty_stage, on_stage};

/// What stands in the stub's answers and may never leave: names, an internal error, its own envelope, a redirect's target.
const MARKERS: [&str; 8] =
    ["Eksempel", "Fejl i indekset", "Intern fejl", "6101801234", "xxxxxxxx", "elsewhere", "PDF", "Effektuering"];

#[test]
fn nothing_that_a_hostile_index_says_reaches_the_caller() {
    on_hasty_stage(async |stage| {
        let cases = [
            (FaultMode::SoapFault, &["PeerFault"][..]),
            (FaultMode::Status(50), &["PeerFault", "PeerAnswerInvalid", "PeerUnavailable"]),
            (FaultMode::Truncated, &["PeerAnswerInvalid"]),
            (FaultMode::Cut, &["PeerUnavailable"]),
            (FaultMode::Dtd, &["PeerAnswerInvalid"]),
            (FaultMode::WrongContentType, &["PeerAnswerInvalid"]),
            (FaultMode::WrongRelation, &["PeerAnswerInvalid"]),
            (FaultMode::Unsigned, &["PeerSignatureInvalid"]),
            (FaultMode::WrongSigner, &["PeerSignatureInvalid"]),
            (FaultMode::Altered, &["PeerSignatureInvalid"]),
            (FaultMode::TwoAnswers, &["PeerAnswerInvalid"]),
            (FaultMode::Garbage, &["PeerAnswerInvalid"]),
            (FaultMode::HugeText(3 * 1024 * 1024), &["PeerAnswerInvalid"]),
            (FaultMode::GzipClaim, &["PeerAnswerInvalid"]),
            (FaultMode::Redirect, &["PeerAnswerInvalid"]),
            (FaultMode::Slow(Duration::from_secs(60)), &["PeerTimeout"]),
            (FaultMode::Hang, &["PeerTimeout"]),
        ];
        for (mode, codes) in cases {
            stage.world.index_mode.set(mode);
            let before = stage.world.index_requests();
            let answer = stage.ask(demo::UDK_ONLY).await;
            let told = codes.iter().find(|code| answer.text().contains(*code));
            let told = told.unwrap_or_else(|| panic!("{mode:?}: one of {codes:?}: {}", answer.text()));
            stage.refused(&answer, told);
            for marker in MARKERS {
                assert!(!answer.text().contains(marker), "{mode:?}: {marker:?} of the index's came through: {}", answer.text());
            }
            assert_eq!(stage.world.index_requests(), before + 1, "{mode:?}: an answer that came is not asked for again");
            stage.world.index_mode.set(FaultMode::Honest);
            stage.serves().await;
        }
    });
}

/// What stands behind an answer is covered by no signature: it is not read, and changes nothing.
#[test]
fn trailers_of_the_index_are_passed_over() {
    on_stage(async |stage| {
        let honest = stage.ask(demo::UDK_ONLY).await;
        stage.world.index_mode.set(FaultMode::Trailers);
        let answer = stage.ask(demo::UDK_ONLY).await;
        stage.world.index_mode.set(FaultMode::Honest);
        assert_eq!((answer.status, lines(&answer)), (200, lines(&honest)), "{}", answer.text());
        assert_eq!(answer.header("content-type"), honest.header("content-type"));
        let headers = format!("{:?}", answer.headers);
        assert!(!headers.contains("x-person") && !headers.contains("6101801234"), "{headers}");
    });
}

#[test]
fn a_request_that_was_written_is_not_sent_again_though_no_byte_of_an_answer_came() {
    on_stage(async |stage| {
        stage.serves().await;
        stage.world.index_mode.set(FaultMode::Reset);
        let before = stage.world.index_requests();
        let answer = stage.ask(demo::UDK_ONLY).await;
        stage.refused(&answer, "PeerUnavailable");
        assert_eq!(stage.world.index_requests(), before + 1, "the index may have looked the person up");
    });
}
