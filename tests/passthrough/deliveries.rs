//! The memory of deliveries of a service without rules: one is passed on once, whatever the contract.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hjemmel::store::{Access, Database, Settings};
use hjemmel::stub::finance::ledger::Ledger;
use hjemmel::stub::finance::sample::{Parties, Sample};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::service::mode::Mode;

use crate::wire::Answer;
use crate::world::{BY_TOKEN, Passing, content};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies/services/finansbilag")
}

/// The contract of vouchers as a folder without code, whose receiver may not be asked again.
pub fn without_asking_again(dir: &Path) -> PathBuf {
    let to = dir.join("service");
    std::fs::create_dir(&to).unwrap();
    for file in std::fs::read_dir(folder()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    let text = std::fs::read_to_string(to.join("service.toml")).unwrap();
    assert!(text.contains("ask_again = true\n"));
    std::fs::write(to.join("service.toml"), text.replace("ask_again = true\n", "")).unwrap();
    to
}

fn request(seed: u64) -> String {
    let system = Role::Korsbaek.uuid().parse().unwrap();
    let (sender, receiver) = (KORSBAEK.parse().unwrap(), BY_TOKEN.parse().unwrap());
    Sample::ordinary(seed, &Parties { system, sender, receiver, day: jiff::civil::date(2026, 11, 27) }, 1).request("")
}

fn is_fault(answer: &Answer, code: &str) {
    assert!(answer.text().contains(&format!(">{code}<")), "{code}: {}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_answered_again_and_other_content_under_its_id_is_refused() {
    let passing = Passing::start(&folder(), "").await;
    let first = passing.by_token(&[], &request(1)).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let again = passing.by_token(&[], &request(1)).await;
    assert!(passing.is_signed(&again) && again.body != first.body, "signed anew, in answer to another message");
    assert_eq!(content(&again.body), content(&first.body));
    assert!(passing.record().about.passthrough_mut().unwrap().repeated);
    is_fault(&passing.by_token(&[], &request(1).replace("08:30:00", "08:30:01")).await, "DeliveryAltered");
    assert_eq!(passing.by_token.received.get().count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_told_and_what_was_lost_is_not_asked_for_where_the_service_does_not_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let passing = Passing::start(&without_asking_again(dir.path()), "[service.pass.deliveries]\nwait = \"0s\"").await;
    passing.by_token.mode.set(Mode::Slow(Duration::from_secs(10)));
    let body = request(2);
    let second = async {
        while passing.by_token.received.get().count == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        passing.by_token(&[], &body).await
    };
    let (first, second) = tokio::join!(passing.by_token(&[], &body), second);
    assert_eq!(first.status, 200, "{}", first.text());
    is_fault(&second, "DeliveryUnderWay");
    passing.by_token.mode.set(Mode::Cut);
    is_fault(&passing.by_token(&[], &request(3)).await, "PeerUnavailable");
    passing.by_token.mode.set(Mode::Honest);
    is_fault(&passing.by_token(&[], &request(3)).await, "DeliveryUnknown");
    assert_eq!(passing.by_token.received.get().count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_contract_leaves_the_id_free_and_a_caller_who_hangs_up_hears_the_answer_later() {
    let passing = Passing::start(&folder(), "").await;
    passing.by_token.mode.set(Mode::DeclaredFault(None));
    is_fault(&passing.by_token(&[], &request(4)).await, "ProviderFault");
    passing.by_token.mode.set(Mode::Slow(Duration::from_secs(5)));
    let body = request(4);
    {
        let call = passing.by_token(&[], &body);
        let seen = async {
            while passing.by_token.received.get().count < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = call => panic!("it answered at once"),
            () = seen => {}
        }
    }
    // The gateway goes on with the call, which has its place until then: it waits for the receiver, and nothing else is taken off.
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while !passing.metrics().await.contains("hjemmel_inflight_requests 0\n") {
        assert!(std::time::Instant::now() < until, "the caller is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let metrics = passing.metrics().await;
    assert!(metrics.contains("hjemmel_working_requests 0\n"), "{metrics}");
    let again = passing.by_token(&[], &body).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(passing.by_token.received.get().count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_while_the_store_is_waited_for_leaves_no_claim_behind() {
    let dir = tempfile::tempdir().unwrap();
    let passing = Passing::start(&without_asking_again(dir.path()), "[service.pass.deliveries]\nwait = \"0s\"").await;
    let store = Settings::sqlite(&passing.world.dir.join("agreements.sqlite"));
    let held = Database::open(&store, Access::Change).await.unwrap().begin_beside_others().await.unwrap();
    let body = request(7);
    // The gateway waits for the store, which tells nobody.
    let gave_up = tokio::time::timeout(Duration::from_millis(700), passing.by_token(&[], &body)).await;
    assert!(gave_up.is_err(), "answered without the store");
    drop(held);
    let again = passing.by_token(&[], &body).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(passing.by_token.received.get().count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_nothing_is_passed_on() {
    let passing = Passing::start(&folder(), "").await;
    assert_eq!(passing.by_token(&[], &request(5)).await.status, 200);
    let store = passing.world.dir.join("agreements.sqlite");
    std::fs::rename(&store, store.with_extension("away")).unwrap();
    is_fault(&passing.by_token(&[], &request(6)).await, "DeliveriesUnavailable");
    is_fault(&passing.by_token(&[], &request(5)).await, "DeliveriesUnavailable");
    assert_eq!(passing.by_token.received.get().count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_lies_with_the_store_and_a_service_without_one_are_refused_by_check() {
    let passing = Passing::without_gateway(&folder(), "", Arc::new(Ledger::default())).await;
    let world = &passing.world;
    let text = std::fs::read_to_string(&world.configuration).unwrap();
    let key = world.dir.join("delivery-keys/deliveries.key");
    let checked = |settings: &str| {
        std::fs::write(&world.configuration, settings).unwrap();
        let told = Command::new(env!("CARGO_BIN_EXE_hjemmel")).args(["check", "--config"]).arg(&world.configuration).output();
        let told = told.unwrap();
        (told.status.success(), String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr))
    };
    assert!(checked(&text).0, "{}", checked(&text).1);
    std::fs::copy(&key, world.dir.join("deliveries.key")).unwrap();
    let (sound, told) = checked(&text.replace("delivery-keys/deliveries.key", "deliveries.key"));
    assert!(!sound && told.contains("deliveries.key") && told.contains("lies in the folder of the store"), "{told}");
    // The key of persons is judged alike, and is no other's.
    hjemmel::objects::keys::generate(&world.dir.join("delivery-keys/persons.key")).unwrap();
    std::fs::copy(world.dir.join("delivery-keys/persons.key"), world.dir.join("persons.key")).unwrap();
    for (key, said) in [
        ("delivery-keys/persons.key", None),
        ("persons.key", Some("lies in the folder of the store")),
        ("delivery-keys/deliveries.key", Some("is also deliveries.key")),
        ("audit-keys/pseudonym.key", Some("is also audit.pseudonym_key")),
        ("audit-keys/auditors.pub", Some("is not 32 bytes in hexadecimal")),
    ] {
        let (sound, told) = checked(&format!("{text}\n[persons]\nkey = \"{key}\"\n"));
        assert_eq!(sound, said.is_none(), "{key}: {told}");
        assert!(said.is_none_or(|said| told.contains("persons.key") && told.contains(said)), "{key}: {told}");
    }
    let mut settings: toml::Table = text.parse().unwrap();
    settings.remove("deliveries").unwrap();
    let (sound, told) = checked(&toml::to_string(&settings).unwrap());
    assert!(!sound && told.contains("hjemmel objects key FILE"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_serves_the_audit_too_or_lies_in_its_folder_is_refused_by_check_and_at_start() {
    let passing = Passing::without_gateway(&folder(), "", Arc::new(Ledger::default())).await;
    let world = &passing.world;
    let text = std::fs::read_to_string(&world.configuration).unwrap();
    let refused = |key: &str, said: &str| {
        let settings = text.replace("delivery-keys/deliveries.key", key);
        assert_ne!(settings, text);
        std::fs::write(&world.configuration, settings).unwrap();
        for command in ["check", "serve"] {
            let told = Command::new(env!("CARGO_BIN_EXE_hjemmel"))
                .args([command, "--config"])
                .arg(&world.configuration)
                .output()
                .unwrap();
            let all = String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
            assert!(!told.status.success() && all.contains("deliveries.key") && all.contains(said), "{command} {key}: {all}");
        }
    };
    refused("audit-keys/pseudonym.key", "is also audit.pseudonym_key");
    let copy = world.dir.join("delivery-keys/copy.key");
    std::fs::copy(world.dir.join("audit-keys/pseudonym.key"), &copy).unwrap();
    refused("delivery-keys/copy.key", "is also audit.pseudonym_key");
    std::fs::create_dir_all(world.dir.join("audit")).unwrap();
    std::fs::copy(world.dir.join("delivery-keys/deliveries.key"), world.dir.join("audit/deliveries.key")).unwrap();
    refused("audit/deliveries.key", "lies in the audit's folder");
}
