//! "Nothing found" and "something found, nothing of it released" are one answer: nobody who sees every byte and every
//! header of it can tell them apart. The audit record tells.

use std::collections::BTreeSet;

use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::mode::FaultMode;

use crate::directions::{about, by_token, wrapped};
use crate::request::{and, input};
use crate::stage::{Stage, lines, on_stage, person};
use crate::wire::Answer;

/// An answer in pieces: the status, every header and every piece of markup and text, each under its name.
fn pieces(answer: &Answer) -> Vec<(String, String)> {
    let mut pieces = vec![("status".to_owned(), answer.status.to_string())];
    pieces.extend(answer.headers.iter().map(|(name, value)| (format!("header {name}"), value.to_str().unwrap().to_owned())));
    for piece in answer.text().split_inclusive(['<', '>']) {
        let before = pieces.last().map_or("", |(_, piece)| piece.as_str()).to_owned();
        pieces.push((before, piece.to_owned()));
    }
    pieces
}

/// The names of the pieces in which two answers differ. That they have other pieces is no difference that may be.
#[track_caller]
fn differences(one: &Answer, other: &Answer) -> BTreeSet<String> {
    let (left, right) = (pieces(one), pieces(other));
    assert_eq!(left.len(), right.len(), "{}\n{}", one.text(), other.text());
    let differ = left.into_iter().zip(right).filter(|(left, right)| left.1 != right.1);
    // What stands before a text is its start tag, where the name is.
    differ.map(|(left, _)| left.0).collect()
}

/// How many bytes there are beside the values of these pieces, and beside what says how many there are in all.
fn length(answer: &Answer, but: &BTreeSet<String>) -> usize {
    pieces(answer)
        .iter()
        .filter(|(name, _)| !but.contains(name) && name != "header content-length")
        .map(|(_, piece)| piece.len())
        .sum()
}

/// How many objects the call's record says were removed.
fn removed(stage: &Stage, answer: &Answer) -> u64 {
    stage.record(answer).about.counts().unwrap().1.objects.values().sum()
}

#[test]
fn a_withheld_answer_looks_like_an_empty_one_byte_for_byte() {
    on_stage(async |stage| {
        // The whole envelope of the AuthorityContext binding carries no ids of its own, so nothing needs masking.
        let nothing = stage.ask(demo::NOTHING).await;
        let withheld = stage.ask(demo::MUNICIPAL_ONLY).await;
        assert_eq!(nothing.status, 200);
        assert!(lines(&nothing).is_empty());
        assert_eq!(nothing.text(), withheld.text(), "nobody can tell that something was withheld");
        assert_eq!(removed(stage, &nothing), 0, "nothing was there");
        assert!(removed(stage, &withheld) > 0, "and something was");
        let told = differences(&nothing, &withheld);
        assert!(told.iter().all(|name| ["header x-call-id", "header date"].contains(&name.as_str())), "{told:?}");
        let filtered = |filter: &str, cpr: &str| input(&format!("{}{filter}", and(&[&person(cpr)])));
        for filter in [
            "<yi:Filter/>",
            "<yi:Filter><yi:OekonomiskEffektueringVis><yi:Vis>aktoer</yi:Vis></yi:OekonomiskEffektueringVis></yi:Filter>",
        ] {
            let mut answers = Vec::new();
            for cpr in [demo::NOTHING, demo::MUNICIPAL_ONLY] {
                let message = stage.by_tls(Version::V12, KORSBAEK, &filtered(filter, cpr));
                answers.push(stage.call(Version::V12, Some(Role::Korsbaek), message).await.text());
            }
            assert_eq!(answers[0], answers[1], "{filter}");
        }
    });
}

/// What may differ is what differs between two calls that both find nothing, and it is measured, not listed.
#[test]
fn so_it_does_in_the_token_binding_signature_headers_and_lengths_included() {
    on_stage(async |stage| {
        let token = stage.token(Role::Korsbaek, KORSBAEK).await;
        for (version, form) in [(Version::V12, false), (Version::V12, true), (Version::V11, false), (Version::V11, true)] {
            let ask = async |cpr: &str| {
                let body = if form { wrapped(&about(cpr)) } else { about(cpr) };
                by_token(stage, version, &token, Role::Korsbaek, &body).await
            };
            let nothing = ask(demo::NOTHING).await;
            assert!(lines(&nothing).is_empty());
            assert_eq!(removed(stage, &nothing), 0);
            let mut each_time = BTreeSet::new();
            for _ in 0..3 {
                each_time.extend(differences(&nothing, &ask(demo::NOTHING).await));
            }
            let ids = each_time.iter().filter(|name| name.contains("MessageID") || name.contains("SignatureValue"));
            assert!(ids.count() == 2 && each_time.len() < 14, "ids, times and the signature differ, little else: {each_time:?}");
            assert!(!each_time.iter().any(|name| name.contains("StatusKode") || name.starts_with("status")), "{each_time:?}");

            // The date of the response has seconds, and the digest of a part differs only where the part does.
            each_time.insert("header date".to_owned());
            stage.world.index_mode.set(FaultMode::Status(44));
            let not_found = ask(demo::UDK_ONLY).await;
            stage.world.index_mode.set(FaultMode::Honest);
            let withheld = ask(demo::MUNICIPAL_ONLY).await;
            assert!(removed(stage, &withheld) > 0, "something was withheld");
            for (sentence, answer) in [("something is withheld", &withheld), ("the index says 44", &not_found)] {
                let told = differences(&nothing, answer);
                assert!(told.is_subset(&each_time), "{sentence}: {:?}", told.difference(&each_time));
                assert_eq!(length(&nothing, &each_time), length(answer, &each_time), "{sentence}");
            }
        }
    });
}
