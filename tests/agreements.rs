//! Agreements through the real store: import, decisions, and what the gateway is told.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says no by panicking, and so do its helpers"
)]

use std::{sync::Arc, time::Duration};

use hjemmel::{
    agreements::{
        Agreements, CacheSettings, ClientSystem, Cvr, Environment, State, Store, StoreError, StoreSettings, Thumbprint,
        import::Import,
    },
    refusal::Refusal,
};
use jiff::Timestamp;
use uuid::{Uuid, uuid};

const SERVICE: Uuid = uuid!("3053ec89-31fe-4206-878b-bba6783d7a88");
const SYSTEM: Uuid = uuid!("6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11");
const FRONT: Uuid = uuid!("00000000-0000-4000-8000-000000000001");
const KORSBAEK_BACK: Uuid = uuid!("00000000-0000-4000-8000-000000000002");

const AUTHORITIES: &str = r#"
    [[authority]]
    cvr = "11111111"
    name = "Korsbæk Kommune"
    role = "municipality"
    [[authority]]
    cvr = "99999981"
    name = "Prøvekommunen"
    role = "municipality"
    [[authority]]
    cvr = "99999991"
    name = "Udbetaling Danmark (prøve)"
    role = "udk"
"#;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
fn korsbaek() -> Cvr {
    "11111111".parse().unwrap()
}
fn exttest() -> Environment {
    "exttest".parse().unwrap()
}
fn certificate() -> ClientSystem {
    ClientSystem::Certificate(Thumbprint::of_der(b"client"))
}

/// One agreement in the import format.
fn agreement(id: Uuid, side: &str, authority: &str, state: &str, from: &str, to: &str) -> String {
    format!(
        r#"
        [[agreement]]
        id = "{id}"
        side = "{side}"
        system = "{SYSTEM}"
        certificates = ["{}", "{}"]
        service = "{SERVICE}"
        authority = "{authority}"
        environment = "exttest"
        valid_from = {from}T00:00:00+01:00
        valid_to = {to}T00:00:00+01:00
        state = "{state}"
        legal_basis = "LUD § 8, stk. 1"
        purpose = "prøve"
        decided_by = "prøve"
        decided_at = 2026-01-01T00:00:00+01:00
        "#,
        Thumbprint::of_der(b"client"),
        Thumbprint::of_der(b"client, renewed"),
    )
}

fn both_sides() -> String {
    [
        AUTHORITIES,
        &agreement(FRONT, "front", "11111111", "GODKENDT", "2026-01-01", "2027-01-01"),
        &agreement(KORSBAEK_BACK, "back", "11111111", "GODKENDT", "2026-01-01", "2027-01-01"),
    ]
    .concat()
}

struct House {
    _dir: tempfile::TempDir,
    store: Store,
}

impl House {
    async fn with(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("agreements.sqlite"), &StoreSettings::default()).await.unwrap();
        store.import(&Import::parse(text).unwrap(), at("2026-01-02T00:00:00Z")).await.unwrap();
        Self { _dir: dir, store }
    }

    /// Asks the store every time, and remembers for `staleness`.
    fn agreements(&self, staleness: Duration) -> Agreements {
        let settings = CacheSettings { refresh: Duration::ZERO, staleness, negative: Duration::ZERO, capacity: 100 };
        Agreements::new(self.store.clone(), settings)
    }
}

const NOW: &str = "2026-11-22T12:00:00Z";

#[tokio::test]
async fn an_approved_agreement_is_found_by_any_of_the_systems_certificates_and_by_its_uuid() {
    let house = House::with(&both_sides()).await;
    let agreements = house.agreements(Duration::ZERO);
    let renewed = ClientSystem::Certificate(Thumbprint::of_der(b"client, renewed"));
    for client in [certificate(), renewed, ClientSystem::System(SYSTEM)] {
        let found = agreements.front(client, korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap();
        assert_eq!((found.id, found.certificates.len()), (FRONT, 2));
    }
    assert_eq!(agreements.back(SERVICE, korsbaek(), &exttest(), at(NOW)).await.unwrap().id, KORSBAEK_BACK);
}

#[tokio::test]
async fn another_system_authority_service_environment_or_side_finds_nothing() {
    let house = House::with(&both_sides()).await;
    let agreements = house.agreements(Duration::ZERO);
    let stranger = ClientSystem::Certificate(Thumbprint::of_der(b"stranger"));
    let (korsbaek, other) = (korsbaek(), "99999981".parse().unwrap());
    for (client, authority, service, environment) in [
        (stranger, korsbaek, SERVICE, exttest()),
        (ClientSystem::System(Uuid::nil()), korsbaek, SERVICE, exttest()),
        (certificate(), other, SERVICE, exttest()),
        (certificate(), korsbaek, Uuid::nil(), exttest()),
        (certificate(), korsbaek, SERVICE, "prod".parse().unwrap()),
    ] {
        let refusal = agreements.front(client, authority, service, &environment, at(NOW)).await.unwrap_err();
        assert_eq!(refusal, Refusal::ServiceAgreementNotFound);
    }
    assert_eq!(agreements.back(SERVICE, other, &exttest(), at(NOW)).await.unwrap_err(), Refusal::BackAgreementNotFound);

    let front_only =
        House::with(&[AUTHORITIES, &agreement(FRONT, "front", "11111111", "GODKENDT", "2026-01-01", "2027-01-01")].concat())
            .await;
    let refusal = front_only.agreements(Duration::ZERO).back(SERVICE, korsbaek, &exttest(), at(NOW)).await.unwrap_err();
    assert_eq!(refusal, Refusal::BackAgreementNotFound, "a front agreement opens nothing on the back");
}

#[tokio::test]
async fn an_agreement_that_is_not_approved_is_told_by_its_state() {
    for state in State::ALL.into_iter().filter(|state| *state != State::Approved) {
        let text = [AUTHORITIES, &agreement(FRONT, "front", "11111111", state.wire_name(), "2026-01-01", "2027-01-01")].concat();
        let house = House::with(&text).await;
        let refusal =
            house.agreements(Duration::ZERO).front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap_err();
        assert_eq!(refusal, Refusal::ServiceAgreementNotActive { state: state.wire_name().to_owned() });
    }
}

#[tokio::test]
async fn an_agreement_holds_from_its_first_instant_until_its_end_even_when_it_was_remembered_before() {
    let house = House::with(&both_sides()).await;
    let agreements =
        Agreements::new(house.store.clone(), CacheSettings { refresh: Duration::from_secs(3600), ..CacheSettings::default() });
    let verdict = async |instant: &str| {
        agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(instant)).await.map(|found| found.id)
    };
    assert_eq!(verdict("2026-12-31T22:59:59.999Z").await, Ok(FRONT));
    assert_eq!(
        verdict("2026-12-31T23:00:00Z").await,
        Err(Refusal::ServiceAgreementNotActive { state: "UDLØBET".into() }),
        "the end is not included"
    );
    assert_eq!(verdict("2025-12-31T23:00:00Z").await, Ok(FRONT));
    let Err(Refusal::ServiceAgreementNotActive { state }) = verdict("2025-12-31T22:59:59Z").await else { panic!("not begun") };
    assert!(state.contains("2025-12-31T23:00:00Z"), "the caller is told when it begins: {state}");
}

#[tokio::test]
async fn of_several_agreements_over_time_the_one_that_holds_is_chosen() {
    let renewal = Uuid::from_u128(9);
    let text = [
        AUTHORITIES,
        &agreement(FRONT, "front", "11111111", "GODKENDT", "2026-01-01", "2026-12-01"),
        &agreement(renewal, "front", "11111111", "GODKENDT", "2026-11-25", "2027-12-01"),
        &agreement(Uuid::from_u128(10), "front", "11111111", "AFVIST", "2026-11-26", "2027-12-01"),
    ]
    .concat();
    let house = House::with(&text).await;
    let agreements = house.agreements(Duration::ZERO);
    let chosen =
        async |instant: &str| agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(instant)).await.unwrap().id;
    assert_eq!(chosen("2026-11-22T00:00:00Z").await, FRONT, "the renewal has not begun");
    assert_eq!(chosen("2026-11-28T00:00:00Z").await, renewal, "where two hold, the one that began last; a rejected one never");
    assert_eq!(chosen("2026-12-24T00:00:00Z").await, renewal, "the old one is over");
}

#[tokio::test]
async fn udk_is_shown_only_municipalities_whose_back_agreement_holds() {
    let other: Cvr = "99999981".parse().unwrap();
    let text = [&both_sides(), &agreement(Uuid::from_u128(3), "back", "99999981", "ANMODET", "2026-01-01", "2027-01-01")]
        .map(String::as_str)
        .concat();
    let house = House::with(&text).await;
    let agreements = house.agreements(Duration::ZERO);
    let approved =
        async || agreements.back_all(SERVICE, &exttest(), at(NOW)).await.map(|all| all.keys().copied().collect::<Vec<_>>());
    assert_eq!(approved().await, Ok(vec![korsbaek()]));
    house.store.decide(Uuid::from_u128(3), State::Approved, "underskriver", "prøve", at(NOW)).await.unwrap();
    assert_eq!(approved().await, Ok(vec![korsbaek(), other]));
    for id in [KORSBAEK_BACK, Uuid::from_u128(3)] {
        house.store.decide(id, State::Suspended, "underskriver", "prøve", at(NOW)).await.unwrap();
    }
    assert_eq!(approved().await, Err(Refusal::BackAgreementNotFound));
}

#[tokio::test]
async fn what_udk_may_see_follows_every_beginning_and_end_though_it_is_worked_out_only_once_between_them() {
    let other = |from, to| agreement(Uuid::from_u128(3), "back", "99999981", "GODKENDT", from, to);
    let house = House::with(&[both_sides(), other("2026-11-23", "2026-11-25")].concat()).await;
    let settings = CacheSettings { refresh: Duration::from_secs(3600), ..CacheSettings::default() };
    let agreements = Agreements::new(house.store.clone(), settings);
    let shown = async |day: &str| agreements.back_all(SERVICE, &exttest(), at(day)).await.map_or(0, |all| all.len());
    for (instant, count) in [
        ("2026-11-22T12:00:00Z", 1),
        ("2026-11-22T22:59:59Z", 1),
        ("2026-11-22T23:00:00Z", 2),
        ("2026-11-24T22:59:59Z", 2),
        ("2026-11-24T23:00:00Z", 1),
        ("2026-11-23T12:00:00Z", 2),
        ("2025-12-31T22:59:59Z", 0),
        ("2026-12-31T23:00:00Z", 0),
        ("2026-11-22T12:00:00Z", 1),
    ] {
        assert_eq!(shown(instant).await, count, "at {instant}; a clock that was set back must not be served the later span");
    }
}

#[tokio::test]
async fn every_write_that_could_change_an_answer_makes_a_new_revision_and_nothing_else_does() {
    let house = House::with(&both_sides()).await;
    let before = house.store.revision().await.unwrap();
    house.store.list().await.unwrap();
    assert_eq!(house.store.revision().await.unwrap(), before, "reading changes nothing");
    house.store.decide(FRONT, State::Suspended, "underskriver", "prøve", at(NOW)).await.unwrap();
    let suspended = house.store.revision().await.unwrap();
    assert_ne!(suspended, before, "a decision");
    house.store.import(&Import::parse(AUTHORITIES).unwrap(), at(NOW)).await.unwrap();
    assert_ne!(house.store.revision().await.unwrap(), suspended, "the register");
    let held = house.store.revision().await.unwrap();
    house.store.decide(FRONT, State::Approved, "underskriver", "prøve", at(NOW)).await.unwrap_err();
    assert_eq!(house.store.revision().await.unwrap(), held, "what was refused was not written");
}

#[tokio::test]
async fn a_suspension_reaches_the_gateway_at_the_next_refresh() {
    let house = House::with(&both_sides()).await;
    let agreements = house.agreements(Duration::from_secs(3600));
    agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap();
    house.store.decide(FRONT, State::Suspended, "underskriver", "misbrug", at(NOW)).await.unwrap();
    let refusal = agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap_err();
    assert_eq!(refusal, Refusal::ServiceAgreementNotActive { state: "SUSPENDERET".into() });
}

#[tokio::test]
async fn while_the_store_is_away_what_is_remembered_serves_and_the_rest_is_refused() {
    let house = House::with(&both_sides()).await;
    let agreements = house.agreements(Duration::from_secs(3600));
    agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap();
    let absent = agreements.front(ClientSystem::System(Uuid::nil()), korsbaek(), SERVICE, &exttest(), at(NOW)).await;
    assert_eq!(absent.unwrap_err(), Refusal::ServiceAgreementNotFound);
    house.store.close().await;

    assert!(!agreements.store_answers().await, "readiness tells");
    assert_eq!(agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap().id, FRONT);
    let over = agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at("2027-06-01T00:00:00Z")).await.unwrap_err();
    assert_eq!(
        over,
        Refusal::ServiceAgreementNotActive { state: "UDLØBET".into() },
        "a remembered agreement still ends in its time"
    );
    let never_seen = agreements.back(SERVICE, korsbaek(), &exttest(), at(NOW)).await.unwrap_err();
    assert_eq!(never_seen, Refusal::AgreementsUnavailable);
    let absent = agreements.front(ClientSystem::System(Uuid::nil()), korsbaek(), SERVICE, &exttest(), at(NOW)).await;
    assert_eq!(absent.unwrap_err(), Refusal::AgreementsUnavailable, "it cannot be known that there still is none");
}

#[tokio::test]
async fn what_is_remembered_stops_serving_once_it_is_too_old() {
    let house = House::with(&both_sides()).await;
    let agreements = house.agreements(Duration::from_millis(200));
    agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap();
    house.store.close().await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    let refusal = agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap_err();
    assert_eq!(refusal, Refusal::AgreementsUnavailable);
}

#[tokio::test]
async fn the_register_names_authorities_and_refuses_unknown_ones() {
    let house = House::with(AUTHORITIES).await;
    let agreements = house.agreements(Duration::ZERO);
    assert_eq!(agreements.authority(korsbaek()).await.unwrap().name, "Korsbæk Kommune");
    assert_eq!(agreements.authority("99999999".parse().unwrap()).await.unwrap_err(), Refusal::AuthorityUnknown);
    assert_eq!(agreements.register().await.unwrap().len(), 3);
}

#[tokio::test]
async fn importing_again_changes_nothing_and_never_lifts_a_suspension() {
    let house = House::with(&both_sides()).await;
    let import = Import::parse(&both_sides()).unwrap();
    let again = house.store.import(&import, at(NOW)).await.unwrap();
    assert_eq!((again.added, again.changed, again.unchanged), (0, 0, 2));
    assert_eq!(house.store.decisions(FRONT).await.unwrap().len(), 1, "no decision was made");

    house.store.decide(FRONT, State::Suspended, "underskriver", "misbrug", at(NOW)).await.unwrap();
    let Err(StoreError::Conflicts(conflicts)) = house.store.import(&import, at(NOW)).await else { panic!("a conflict") };
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(house.store.get(FRONT).await.unwrap().state, State::Suspended);
}

#[tokio::test]
async fn an_import_is_all_or_nothing_and_reports_every_contradiction() {
    let house = House::with(&both_sides()).await;
    let mut import = Import::parse(&both_sides()).unwrap();
    import.authorities[0].name = "Et andet navn".into();
    import.agreements[0].system = Uuid::nil();
    import.agreements[1].authority = "99999999".parse().unwrap();
    let Err(StoreError::Conflicts(conflicts)) = house.store.import(&import, at(NOW)).await else { panic!("conflicts") };
    assert_eq!(conflicts.len(), 2, "{conflicts:?}");
    assert_eq!(house.store.authorities().await.unwrap()[0].name, "Korsbæk Kommune", "nothing of it was written");
}

#[tokio::test]
async fn every_decision_is_recorded_and_illegal_ones_are_refused() {
    let house = House::with(&both_sides()).await;
    house.store.decide(FRONT, State::Suspended, "underskriver", "misbrug", at(NOW)).await.unwrap();
    let refused = house.store.decide(FRONT, State::Approved, "underskriver", "fortrudt", at(NOW)).await;
    assert!(matches!(refused, Err(StoreError::IllegalTransition { from: State::Suspended, to: State::Approved, .. })));
    let unknown = house.store.decide(Uuid::nil(), State::Approved, "x", "y", at(NOW)).await;
    assert!(matches!(unknown, Err(StoreError::NoSuchAgreement(_))));

    let decisions = house.store.decisions(FRONT).await.unwrap();
    let steps: Vec<_> = decisions.iter().map(|d| (d.from, d.to, d.by.as_deref(), d.reason.as_deref())).collect();
    assert_eq!(
        steps,
        [
            (None, State::Approved, Some("prøve"), None),
            (Some(State::Approved), State::Suspended, Some("underskriver"), Some("misbrug")),
        ]
    );
}

#[tokio::test]
async fn two_decisions_at_once_end_in_one() {
    let house = Arc::new(House::with(&both_sides()).await);
    let tasks: Vec<_> = [State::Suspended, State::Terminated, State::Suspended, State::Terminated]
        .into_iter()
        .map(|to| {
            let house = Arc::clone(&house);
            tokio::spawn(async move { house.store.decide(FRONT, to, "x", "y", at(NOW)).await.is_ok() })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn agreements_survive_closing_and_opening_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agreements.sqlite");
    let import = Import::parse(&both_sides()).unwrap();
    let store = Store::open(&path, &StoreSettings::default()).await.unwrap();
    store.import(&import, at(NOW)).await.unwrap();
    store.close().await;
    let store = Store::open(&path, &StoreSettings::default()).await.unwrap();
    let mut held = store.list().await.unwrap();
    held.sort_by_key(|agreement| agreement.id);
    assert_eq!(held, import.agreements, "every field comes back as it was");
}
