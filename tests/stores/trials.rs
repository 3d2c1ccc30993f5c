//! Times for tests (`Proeve`) in the store: who opens and ends them, how long they last, and when calls know them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hjemmel::agreements::Store;
use hjemmel::audit::Subject;
use hjemmel::decisions::statement;
use hjemmel::decisions::{By, DecideError};
use hjemmel::refusal::Refusal;
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::services::finance::memory::{Memory, Pace};
use hjemmel::services::finance::rules::trial::{Opening, Openings};
use hjemmel::services::finance::trials::{MOST_OPEN, Trial, TrialError, Trials};
use hjemmel::store::Dialect;
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::rights::Role;
use uuid::Uuid;

use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

const SERVICE: Uuid = Uuid::from_u128(0x1590);
const KORSBAEK: &str = "11111111";
const OTHER: &str = "99999981";
const FROM: &str = "2026-11-30T07:00:00Z";
const TO: &str = "2026-11-30T15:00:00Z";
/// Within.
const THEN: &str = "2026-11-30T12:00:00Z";

const OPERATOR: Key = Key::GatewayClient;
const RESPONSIBLE: Key = Key::Korsbaek;
const OTHER_RESPONSIBLE: Key = Key::OtherMunicipality;
const SIGNATORY: Key = Key::Udk;

/// Longer than any test takes: what is seen before was not seen by asking again.
const NEVER: Duration = Duration::from_secs(3600);

on_both! {
    a_time_that_its_system_responsible_opens_is_open_to_that_authority_and_service_alone_and_closes_by_the_clock;
    only_the_authoritys_system_responsible_and_an_operator_open_a_time_and_the_chain_gets_who_did;
    what_is_ended_is_refused_on_another_handle_within_a_second;
    a_time_that_is_empty_past_long_far_ahead_or_one_too_many_is_refused;
    settings_and_store_open_the_union_and_a_store_that_is_away_opens_nothing;
    what_is_opened_is_never_altered_or_deleted;
}

async fn opened_for_tests(kept: &Kept) -> Store {
    let store = Store::open(&kept.settings).await.unwrap();
    let people = [
        (OPERATOR, Role::Operator, None),
        (RESPONSIBLE, Role::SystemResponsible, Some(KORSBAEK)),
        (OTHER_RESPONSIBLE, Role::SystemResponsible, Some(OTHER)),
        (SIGNATORY, Role::Signatory, Some(KORSBAEK)),
    ];
    people::add(&store, &people).await;
    store
}

fn korsbaeks() -> Trial {
    Trial::new(SERVICE, KORSBAEK.parse().unwrap(), at(FROM), at(TO), at(NOW)).unwrap()
}

async fn open(store: &Store, trial: &Trial, by: Key) -> Result<(), TrialError> {
    trial.open(store, By::Key(&signer(by)), &because(NOW), None).await
}

fn trials_of(store: &Store, service: Uuid, refresh: Duration) -> Trials {
    let kept = Memory::new(store.clone(), service, Pace { refresh, staleness: refresh });
    Trials { said: Arc::default(), kept: Arc::new(kept) }
}

async fn takes(trials: &Trials, authority: &str, instant: &str) -> bool {
    trials.are_open(&authority.parse().unwrap(), at(instant)).await.unwrap()
}

async fn a_time_that_its_system_responsible_opens_is_open_to_that_authority_and_service_alone_and_closes_by_the_clock(
    kept: Kept,
) {
    let store = opened_for_tests(&kept).await;
    let (trials, of_another) = (trials_of(&store, SERVICE, NEVER), trials_of(&store, Uuid::from_u128(7), NEVER));
    assert!(!takes(&trials, KORSBAEK, THEN).await, "nothing is opened");
    open(&store, &korsbaeks(), RESPONSIBLE).await.unwrap();
    for (instant, taken) in
        [("2026-11-30T06:59:59.999999Z", false), (FROM, true), (THEN, true), ("2026-11-30T14:59:59.999999Z", true), (TO, false)]
    {
        assert_eq!(takes(&trials, KORSBAEK, instant).await, taken, "{instant}");
    }
    assert!(!takes(&trials, OTHER, THEN).await, "another authority");
    assert!(!takes(&of_another, KORSBAEK, THEN).await, "another service");
    let later = Trial::new(SERVICE, KORSBAEK.parse().unwrap(), at(TO), at("2026-12-01T15:00:00Z"), at(NOW)).unwrap();
    open(&store, &later, RESPONSIBLE).await.unwrap();
    assert!(takes(&trials, KORSBAEK, THEN).await && takes(&trials, KORSBAEK, TO).await, "two of one authority");
}

async fn only_the_authoritys_system_responsible_and_an_operator_open_a_time_and_the_chain_gets_who_did(kept: Kept) {
    let store = opened_for_tests(&kept).await;
    let (trial, on_behalf) = (korsbaeks(), korsbaeks());
    let allowed = open(&store, &trial, SIGNATORY).await;
    assert!(matches!(allowed, Err(TrialError::Decide(DecideError::Refused(ApiRefusal::ApiNotAllowed { .. })))), "{allowed:?}");
    let others = open(&store, &trial, OTHER_RESPONSIBLE).await;
    assert!(matches!(others, Err(TrialError::Decide(DecideError::Refused(ApiRefusal::ApiOtherParty)))), "{others:?}");
    assert!(open(&store, &trial, Key::Intruder).await.is_err(), "nobody's key");
    assert_eq!(store.trials(SERVICE).await.unwrap(), []);
    open(&store, &trial, RESPONSIBLE).await.unwrap();
    open(&store, &on_behalf, OPERATOR).await.unwrap();
    let ended = |by: Key| {
        let (store, trial) = (store.clone(), trial.clone());
        async move { trial.end(&store, By::Key(&signer(by)), &because(NOW), None).await }
    };
    assert!(ended(OTHER_RESPONSIBLE).await.is_err() && ended(SIGNATORY).await.is_err());
    ended(RESPONSIBLE).await.unwrap();
    assert!(matches!(ended(RESPONSIBLE).await, Err(TrialError::NoSuch(id)) if id == trial.id));
    let waiting = store.claim_unrecorded(Uuid::new_v4(), at(NOW)).await.unwrap();
    let waiting = waiting.into_iter().map(|waiting| waiting.decided).filter(|decided| decided.subject == Subject::Trial);
    let waiting: Vec<_> = waiting.collect();
    let told: Vec<_> = waiting.iter().map(|decided| (decided.id, decided.to.to_string())).collect();
    let opened = format!("open from {FROM} to {TO}");
    assert_eq!(told, [(trial.id, opened.clone()), (on_behalf.id, opened), (trial.id, "ended".to_owned())]);
    let roles: Vec<_> = waiting.iter().filter_map(|decided| decided.role.as_deref()).collect();
    assert_eq!(roles, ["system-responsible", "operator", "system-responsible"]);
    assert!(waiting.iter().all(|decided| decided.signature_sha256.is_some() && decided.shown_sha256.is_some()));
    let made = store.made_on(Subject::Trial, trial.id).await.unwrap();
    let certificate = store.certificate(made[0].certificate.unwrap()).await.unwrap().unwrap();
    assert!(statement::is_signed(&certificate, made[0].signature.as_ref().unwrap(), &made[0].what, &made[0].because));
}

async fn what_is_ended_is_refused_on_another_handle_within_a_second(kept: Kept) {
    let store = opened_for_tests(&kept).await;
    let other = Store::open(&kept.settings).await.unwrap();
    // SQLite tells nobody, and a gateway asks it as often as this; of PostgreSQL the notice alone is heard here.
    let refresh = match other.database().dialect() {
        Dialect::Sqlite => Duration::from_millis(500),
        Dialect::Postgres => NEVER,
    };
    if other.database().dialect() == Dialect::Postgres {
        other.database().listen();
        while !other.database().is_listening() {
            tokio::task::yield_now().await;
        }
    }
    let trials = trials_of(&other, SERVICE, refresh);
    assert!(!takes(&trials, KORSBAEK, THEN).await, "that there is none is remembered");
    let until = async |taken: bool| {
        let began = Instant::now();
        while takes(&trials, KORSBAEK, THEN).await != taken {
            assert!(began.elapsed() < Duration::from_secs(60), "{taken}: never");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        began.elapsed()
    };
    let (mut opened, mut ended) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let trial = korsbaeks();
        open(&store, &trial, RESPONSIBLE).await.unwrap();
        opened.push(until(true).await);
        trial.end(&store, By::Key(&signer(OPERATOR)), &because(NOW), None).await.unwrap();
        ended.push(until(false).await);
    }
    // The least: another program may have the machine meanwhile.
    for took in [opened, ended] {
        assert!(took.iter().min().unwrap() < &Duration::from_secs(1), "{took:?}");
    }
}

async fn a_time_that_is_empty_past_long_far_ahead_or_one_too_many_is_refused(kept: Kept) {
    let store = opened_for_tests(&kept).await;
    let of = |from: &str, to: &str| Trial::new(SERVICE, KORSBAEK.parse().unwrap(), at(from), at(to), at(NOW));
    assert!(matches!(of(FROM, FROM), Err(TrialError::Empty { .. })));
    assert!(matches!(of(TO, FROM), Err(TrialError::Empty { .. })));
    assert!(matches!(of("2026-11-28T12:00:00Z", NOW), Err(TrialError::Past(_))));
    assert!(of("2026-11-28T12:00:00Z", "2026-11-29T12:00:00.000001Z").is_ok(), "it is not over yet");
    assert!(of(NOW, "2026-12-30T12:00:00Z").is_ok(), "31 days");
    let long = of(NOW, "2026-12-30T12:00:00.000001Z").unwrap_err().to_string();
    assert!(long.contains("31 days at most") && long.contains("2026-12-30T12:00:00Z"), "{long}");
    assert!(of("2027-11-30T12:00:00Z", "2027-12-01T00:00:00Z").is_ok(), "366 days ahead");
    let far = of("2027-11-30T12:00:00.000001Z", "2027-12-01T00:00:00Z");
    assert!(matches!(far, Err(TrialError::TooFarAhead(_))));
    for _ in 0..MOST_OPEN {
        open(&store, &korsbaeks(), RESPONSIBLE).await.unwrap();
    }
    assert!(matches!(open(&store, &korsbaeks(), RESPONSIBLE).await, Err(TrialError::TooMany(_))));
    let others = Trial { authority: OTHER.parse().unwrap(), ..korsbaeks() };
    open(&store, &others, OTHER_RESPONSIBLE).await.unwrap();
    // Those that have passed count no more, and are not ended.
    let past = store.trials(SERVICE).await.unwrap().pop().unwrap();
    let late = past.end(&store, By::Key(&signer(OPERATOR)), &because(TO), None).await;
    assert!(matches!(late, Err(TrialError::NoSuch(_))), "{late:?}");
    let next = Trial::new(SERVICE, KORSBAEK.parse().unwrap(), at(TO), at("2026-12-01T15:00:00Z"), at(TO)).unwrap();
    next.open(&store, By::Key(&signer(RESPONSIBLE)), &because(TO), None).await.unwrap();
}

async fn settings_and_store_open_the_union_and_a_store_that_is_away_opens_nothing(kept: Kept) {
    let store = opened_for_tests(&kept).await;
    open(&store, &korsbaeks(), RESPONSIBLE).await.unwrap();
    let said = Opening::new(at("2026-12-01T07:00:00Z"), at("2026-12-01T15:00:00Z")).unwrap();
    let said = Arc::new(Openings::new([(KORSBAEK.parse().unwrap(), said)]));
    let trials = Trials { said, ..trials_of(&store, SERVICE, Duration::ZERO) };
    let (of_settings, of_neither) = ("2026-12-01T12:00:00Z", "2026-11-30T18:00:00Z");
    assert!(takes(&trials, KORSBAEK, THEN).await && takes(&trials, KORSBAEK, of_settings).await);
    assert!(!takes(&trials, KORSBAEK, of_neither).await);
    store.close().await;
    let away = trials.are_open(&KORSBAEK.parse().unwrap(), at(THEN)).await;
    assert!(matches!(away, Err(Refusal::AgreementsUnavailable)), "what is too old opens nothing: {away:?}");
    assert!(takes(&trials, KORSBAEK, of_settings).await, "what the settings say needs no store");
}

async fn what_is_opened_is_never_altered_or_deleted(kept: Kept) {
    let store = opened_for_tests(&kept).await;
    let trial = korsbaeks();
    open(&store, &trial, RESPONSIBLE).await.unwrap();
    for statement in [
        "UPDATE trial SET closes_at = '2027-12-01T00:00:00Z'",
        "UPDATE trial SET opens_at = '2026-11-01T00:00:00Z'",
        "UPDATE trial SET authority = '99999981'",
        "DELETE FROM trial",
    ] {
        assert!(kept.execute(statement).await.is_err(), "{statement}");
    }
    trial.end(&store, By::Key(&signer(RESPONSIBLE)), &because(NOW), None).await.unwrap();
    assert!(kept.execute("UPDATE trial SET ended_at = NULL").await.is_err(), "what has ended stays so");
    let listed = store.trials(SERVICE).await.unwrap();
    assert_eq!(listed, [Trial { ended: Some(at(NOW)), ..trial }]);
}
