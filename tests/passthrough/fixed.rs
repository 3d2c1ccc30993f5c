//! A service with one receiver for all: by which route its calls go, and whom the record and the notices name.

use std::fs;

use hjemmel::agreements::Store;
use hjemmel::agreements::system::System;
use hjemmel::audit::Outcome;
use hjemmel::notices::Kind;
use hjemmel::services::passthrough::wsdl::Security;
use hjemmel::store::Settings;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::service::mode::Mode;
use hjemmel::users::rights;
use tempfile::TempDir;

use crate::back::Letters;
use crate::finance::gateway::told_by_mail;
use crate::gateway::{POST, SERVICE, WSDL, code, delivery, folder, plain, with_settings};
use crate::world::{BY_CONTEXT, BY_TOKEN, NOBODY, Passing, authority_context, content};

const IMPLICIT: &str = "receiver = \"implicit-by-entity-id\"";
const PATH: &str = "receiver = [\"/Levering/Modtager\"]\n";

fn fixed() -> String {
    assert!(SERVICE.contains(IMPLICIT) && SERVICE.contains(PATH));
    SERVICE.replace(IMPLICIT, "receiver = \"fixed\"").replace(PATH, "")
}

fn with_one_receiver() -> TempDir {
    with_settings(&fixed(), POST, WSDL, WSDL)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_goes_by_the_route_from_every_to_every_and_its_record_names_that_route_and_no_receiving_authority() {
    let folder = with_one_receiver();
    for own in [Security::Token, Security::AuthorityContext] {
        let passing = Passing::start_for(folder.path(), "", own).await;
        let provider = if own == Security::Token { &passing.by_token } else { &passing.by_context };
        // Whoever the message names, it is for the one receiver.
        let by_token = passing.by_token(&[], &plain(NOBODY)).await;
        let first = passing.record();
        let in_body = delivery(&authority_context(KORSBAEK), BY_TOKEN, "<p:Antal>1</p:Antal>");
        let by_context = passing.by_context(Role::Korsbaek, "", &in_body).await;
        let second = passing.record();
        assert_eq!((by_token.status, by_context.status), (200, 200), "{} {}", by_token.text(), by_context.text());
        assert_eq!(provider.received.get().accepted, 2);
        for record in [first, second] {
            assert_eq!(record.outcome, Some(Outcome::Served));
            let about = record.about.passthrough().unwrap();
            assert_eq!((about.receiver, about.for_all), (None, true));
            assert_eq!(about.route.unwrap().to_string(), "7a000000-0000-4000-8000-000000000003");
            assert!(record.about.summary().unwrap().starts_with("receiver every, route 7a000000"), "{:?}", record.about);
            let line = serde_json::to_value(&record).unwrap();
            assert!(line.get("receiver").is_none() && line.get("route").is_some(), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_of_particular_authorities_carries_no_call_of_a_service_with_one_receiver_for_all() {
    let folder = folder();
    // By these routes it was sent to the sender's own authority, and to another.
    let passing = Passing::start(folder.path(), "").await;
    for receiver in [KORSBAEK, BY_CONTEXT] {
        assert_eq!(passing.by_token(&[], &plain(receiver)).await.status, 200);
        passing.record();
    }
    fs::write(folder.path().join("service.toml"), fixed()).unwrap();
    passing.world.reload().await.unwrap();
    for receiver in [KORSBAEK, BY_CONTEXT] {
        let answer = passing.by_token(&[], &plain(receiver)).await;
        assert_eq!(code(&answer), "FixedRouteNotFound", "{}", answer.text());
        assert!(answer.text().contains("én modtager for alle") && answer.text().contains("one receiver for all"));
        assert!(!answer.text().contains(receiver), "no authority is told of as one that receives: {}", answer.text());
        let record = passing.record();
        assert_eq!(record.refusal.as_deref(), Some("FixedRouteNotFound"));
        let about = record.about.passthrough().unwrap();
        assert_eq!((about.receiver, about.route), (None, None));
    }
    assert_eq!((passing.by_token.received.get().count, passing.by_context.received.get().count), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_bad_answer_the_holder_of_the_one_receiver_and_the_operators_are_told_and_nobody_of_the_senders() {
    let folder = with_one_receiver();
    let passing = Passing::start(folder.path(), "").await;
    let store = Store::open(&Settings::sqlite(&passing.world.dir.join("agreements.sqlite"))).await.unwrap();
    let now = passing.world.clock.now();
    let system = "7a000000-0000-4000-8000-000000000103".parse().unwrap();
    let mut change = store.change().await.unwrap();
    let (party, contact) = (Some(NOBODY.parse().unwrap()), "drift@modtager.eksempel.dk".to_owned());
    change
        .write_system(&System { id: system, party, name: "Modtager".into(), contact, made_at: now, changed_at: now })
        .await
        .unwrap();
    change.commit().await.unwrap();
    told_by_mail(&store, None, rights::Role::Operator, "drift@example.dk").await;
    told_by_mail(&store, Some(NOBODY), rights::Role::SystemResponsible, "modtager@example.dk").await;
    told_by_mail(&store, Some(KORSBAEK), rights::Role::SystemResponsible, "afsender@example.dk").await;
    passing.by_token.mode.set(Mode::Invalid);
    assert_eq!(code(&passing.by_token(&[], &plain(BY_TOKEN)).await), "AnswerViolated");
    let letters = Letters::of(&store).until(|letters| letters.len() >= 2).await;
    let to: Vec<&str> = letters.iter().map(|letter| letter.to.as_str()).collect();
    assert_eq!(to, ["drift@example.dk", "modtager@example.dk"]);
    for letter in &letters {
        assert_eq!((letter.notice.kind, letter.notice.name.as_str()), (Kind::ProviderAnswerRefused, "Modtager"));
        assert_eq!((letter.notice.system, letter.notice.authority), (Some(system), None));
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_one_receiver_gets_is_what_was_signed() {
    let folder = with_one_receiver();
    let passing = Passing::start(folder.path(), "").await;
    let sent = plain(NOBODY);
    assert_eq!(passing.by_token(&[], &sent).await.status, 200);
    assert_eq!(content(&passing.by_token.received.get().last), sent);
}
