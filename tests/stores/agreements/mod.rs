//! Agreements through the real store: import, decisions, and what the gateway is told.

pub mod routes;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use hjemmel::{
    agreements::{
        AgreementError, Agreements, CacheSettings, ClientSystem, Environment, State, Store, Thumbprint, import::Import,
    },
    id::cvr::Cvr,
    refusal::{Detail, Refusal},
    store::{Access, Settings, StoreError},
};
use jiff::Timestamp;
use uuid::{Uuid, uuid};

use crate::decides::Decides;
use crate::kept::Kept;

pub const SERVICE: Uuid = uuid!("3053ec89-31fe-4206-878b-bba6783d7a88");
pub const SYSTEM: Uuid = uuid!("6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11");
pub const FRONT: Uuid = uuid!("00000000-0000-4000-8000-000000000001");
pub const KORSBAEK_BACK: Uuid = uuid!("00000000-0000-4000-8000-000000000002");

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

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
pub fn korsbaek() -> Cvr {
    "11111111".parse().unwrap()
}
pub fn exttest() -> Environment {
    "exttest".parse().unwrap()
}
pub fn certificate() -> ClientSystem {
    ClientSystem::Certificate(Thumbprint::of_der(b"client"))
}

/// One agreement in the import format.
pub fn agreement(id: Uuid, side: &str, authority: &str, state: &str, from: &str, to: &str) -> String {
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

pub fn both_sides() -> String {
    [
        AUTHORITIES,
        &agreement(FRONT, "front", "11111111", "GODKENDT", "2026-01-01", "2027-01-01"),
        &agreement(KORSBAEK_BACK, "back", "11111111", "GODKENDT", "2026-01-01", "2027-01-01"),
    ]
    .concat()
}

struct House {
    kept: Kept,
    store: Store,
}

impl House {
    async fn with(kept: Kept, text: &str) -> Self {
        let store = Store::open(&kept.settings).await.unwrap();
        store.import(&Import::parse(text, &hjemmel::services::vocabulary()).unwrap(), at("2026-01-02T00:00:00Z")).await.unwrap();
        Self { kept, store }
    }

    fn path(&self) -> PathBuf {
        self.kept.path()
    }

    /// A copy of the store, as a backup has it, in which `FRONT` is suspended.
    async fn suspended_copy(&self) -> PathBuf {
        let copy = self.kept.dir.path().join("copy.sqlite");
        std::fs::copy(self.path(), &copy).unwrap();
        let store = Store::open(&Settings::sqlite(&copy)).await.unwrap();
        store.decide(FRONT, State::Suspended, "underskriver", "misbrug", at(NOW)).await.unwrap();
        store.close().await;
        copy
    }

    /// Asks the store every time, and remembers for `staleness`.
    fn agreements(&self, staleness: Duration) -> Agreements {
        let settings = CacheSettings { refresh: Duration::ZERO, staleness, negative: Duration::ZERO, capacity: 100 };
        Agreements::new(self.store.clone(), settings)
    }
}

pub const NOW: &str = "2026-11-22T12:00:00Z";

crate::on_both! {
    an_approved_agreement_is_found_by_any_of_the_systems_certificates_and_by_its_uuid;
    another_system_authority_service_environment_or_side_finds_nothing;
    an_agreement_that_is_not_approved_is_told_by_its_state;
    an_agreement_holds_from_its_first_instant_until_its_end_even_when_it_was_remembered_before;
    of_several_agreements_over_time_the_one_that_holds_is_chosen;
    of_several_agreements_of_which_none_holds_the_suspended_one_says_why;
    udk_is_shown_only_municipalities_whose_back_agreement_holds;
    what_udk_may_see_follows_every_beginning_and_end_though_it_is_worked_out_only_once_between_them;
    every_write_that_could_change_an_answer_makes_a_new_revision_and_nothing_else_does;
    a_suspension_reaches_the_gateway_at_the_next_refresh;
    while_the_store_is_away_what_is_remembered_serves_and_the_rest_is_refused;
    what_is_remembered_stops_serving_once_it_is_too_old;
    the_register_names_authorities_and_refuses_unknown_ones;
    importing_the_same_file_again_changes_nothing_whatever_was_decided_since;
    an_import_never_lifts_a_suspension_but_may_end_the_agreement;
    a_requested_agreement_on_other_terms_never_changes_an_approved_one;
    terms_that_change_by_a_new_approval_have_it_in_their_history;
    a_suspension_is_lifted_or_ended_by_a_decision_of_its_own;
    a_decision_on_what_was_shown_is_refused_where_it_has_changed_since;
    an_import_is_all_or_nothing_and_reports_every_contradiction;
    every_decision_is_recorded_and_illegal_ones_are_refused;
    two_decisions_at_once_end_in_one;
    agreements_survive_closing_and_opening_the_store;
}

async fn an_approved_agreement_is_found_by_any_of_the_systems_certificates_and_by_its_uuid(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let agreements = house.agreements(Duration::ZERO);
    let renewed = ClientSystem::Certificate(Thumbprint::of_der(b"client, renewed"));
    for client in [certificate(), renewed, ClientSystem::System(SYSTEM)] {
        let found = agreements.front(client, korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap();
        assert_eq!((found.id, found.certificates.len()), (FRONT, 2));
    }
    assert_eq!(agreements.back(SERVICE, korsbaek(), &exttest(), at(NOW)).await.unwrap().id, KORSBAEK_BACK);
}

async fn another_system_authority_service_environment_or_side_finds_nothing(kept: Kept) {
    let another = kept.another();
    let house = House::with(kept, &both_sides()).await;
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
    assert_eq!(agreements.back(SERVICE, other, &exttest(), at(NOW)).await.unwrap_err(), Refusal::BACK_AGREEMENT_NOT_FOUND);

    let front_only = House::with(
        another,
        &[AUTHORITIES, &agreement(FRONT, "front", "11111111", "GODKENDT", "2026-01-01", "2027-01-01")].concat(),
    )
    .await;
    let refusal = front_only.agreements(Duration::ZERO).back(SERVICE, korsbaek, &exttest(), at(NOW)).await.unwrap_err();
    assert_eq!(refusal, Refusal::BACK_AGREEMENT_NOT_FOUND, "a front agreement opens nothing on the back");
}

async fn an_agreement_that_is_not_approved_is_told_by_its_state(kept: Kept) {
    for state in State::ALL.into_iter().filter(|state| *state != State::Approved) {
        let text = [AUTHORITIES, &agreement(FRONT, "front", "11111111", state.wire_name(), "2026-01-01", "2027-01-01")].concat();
        let house = House::with(kept.another(), &text).await;
        let refusal =
            house.agreements(Duration::ZERO).front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap_err();
        assert_eq!(refusal, Refusal::ServiceAgreementNotActive { state: Detail::name(state.wire_name()) });
    }
}

async fn an_agreement_holds_from_its_first_instant_until_its_end_even_when_it_was_remembered_before(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let agreements =
        Agreements::new(house.store.clone(), CacheSettings { refresh: Duration::from_secs(3600), ..CacheSettings::default() });
    let verdict = async |instant: &str| {
        agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(instant)).await.map(|found| found.id)
    };
    assert_eq!(verdict("2026-12-31T22:59:59.999Z").await, Ok(FRONT));
    assert_eq!(
        verdict("2026-12-31T23:00:00Z").await,
        Err(Refusal::ServiceAgreementNotActive { state: Detail::name("UDLØBET") }),
        "the end is not included"
    );
    assert_eq!(verdict("2025-12-31T23:00:00Z").await, Ok(FRONT));
    let Err(Refusal::ServiceAgreementNotActive { state }) = verdict("2025-12-31T22:59:59Z").await else { panic!("not begun") };
    assert!(state.en().contains("2025-12-31T23:00:00Z"), "the caller is told when it begins: {state:?}");
}

async fn of_several_agreements_over_time_the_one_that_holds_is_chosen(kept: Kept) {
    let renewal = Uuid::from_u128(9);
    let text = [
        AUTHORITIES,
        &agreement(FRONT, "front", "11111111", "GODKENDT", "2026-01-01", "2026-12-01"),
        &agreement(renewal, "front", "11111111", "GODKENDT", "2026-11-25", "2027-12-01"),
        &agreement(Uuid::from_u128(10), "front", "11111111", "AFVIST", "2026-11-26", "2027-12-01"),
    ]
    .concat();
    let house = House::with(kept.another(), &text).await;
    let agreements = house.agreements(Duration::ZERO);
    let chosen =
        async |instant: &str| agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(instant)).await.unwrap().id;
    assert_eq!(chosen("2026-11-22T00:00:00Z").await, FRONT, "the renewal has not begun");
    assert_eq!(chosen("2026-11-28T00:00:00Z").await, renewal, "where two hold, the one that began last; a rejected one never");
    assert_eq!(chosen("2026-12-24T00:00:00Z").await, renewal, "the old one is over");
}

async fn of_several_agreements_of_which_none_holds_the_suspended_one_says_why(kept: Kept) {
    let text = [
        AUTHORITIES,
        &agreement(FRONT, "front", "11111111", "SUSPENDERET", "2026-01-01", "2026-12-01"),
        &agreement(Uuid::from_u128(9), "front", "11111111", "ANMODET", "2026-06-01", "2027-12-01"),
    ]
    .concat();
    let house = House::with(kept.another(), &text).await;
    let agreements = house.agreements(Duration::ZERO);
    let said =
        async |instant: &str| agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(instant)).await.unwrap_err();
    let not_active = |state: &'static str| Refusal::ServiceAgreementNotActive { state: Detail::name(state) };
    assert_eq!(said("2026-11-22T00:00:00Z").await, not_active("SUSPENDERET"));
    assert_eq!(
        said("2026-12-24T00:00:00Z").await,
        not_active("ANMODET"),
        "where its period is over, resuming it would help nobody"
    );
}

async fn udk_is_shown_only_municipalities_whose_back_agreement_holds(kept: Kept) {
    let other: Cvr = "99999981".parse().unwrap();
    let text = [&both_sides(), &agreement(Uuid::from_u128(3), "back", "99999981", "ANMODET", "2026-01-01", "2027-01-01")]
        .map(String::as_str)
        .concat();
    let house = House::with(kept.another(), &text).await;
    let agreements = house.agreements(Duration::ZERO);
    let approved =
        async || agreements.back_all(SERVICE, &exttest(), at(NOW)).await.map(|all| all.keys().copied().collect::<Vec<_>>());
    assert_eq!(approved().await, Ok(vec![korsbaek()]));
    house.store.decide(Uuid::from_u128(3), State::Approved, "underskriver", "prøve", at(NOW)).await.unwrap();
    assert_eq!(approved().await, Ok(vec![korsbaek(), other]));
    for id in [KORSBAEK_BACK, Uuid::from_u128(3)] {
        house.store.decide(id, State::Suspended, "underskriver", "prøve", at(NOW)).await.unwrap();
    }
    assert_eq!(approved().await, Err(Refusal::BACK_AGREEMENT_NOT_FOUND));
}

async fn what_udk_may_see_follows_every_beginning_and_end_though_it_is_worked_out_only_once_between_them(kept: Kept) {
    let other = |from, to| agreement(Uuid::from_u128(3), "back", "99999981", "GODKENDT", from, to);
    let house = House::with(kept, &[both_sides(), other("2026-11-23", "2026-11-25")].concat()).await;
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

async fn every_write_that_could_change_an_answer_makes_a_new_revision_and_nothing_else_does(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let before = house.store.database().revision().await.unwrap();
    house.store.list().await.unwrap();
    assert_eq!(house.store.database().revision().await.unwrap(), before, "reading changes nothing");
    house.store.decide(FRONT, State::Suspended, "underskriver", "prøve", at(NOW)).await.unwrap();
    let suspended = house.store.database().revision().await.unwrap();
    assert_ne!(suspended, before, "a decision");
    house.store.import(&Import::parse(AUTHORITIES, &hjemmel::services::vocabulary()).unwrap(), at(NOW)).await.unwrap();
    assert_eq!(house.store.database().revision().await.unwrap(), suspended, "the same register again");
    let renamed = AUTHORITIES.replace("Prøvekommunen", "Prøve Kommune");
    house.store.import(&Import::parse(&renamed, &hjemmel::services::vocabulary()).unwrap(), at(NOW)).await.unwrap();
    assert_ne!(house.store.database().revision().await.unwrap(), suspended, "the register");
    let held = house.store.database().revision().await.unwrap();
    house.store.decide(FRONT, State::Rejected, "underskriver", "prøve", at(NOW)).await.unwrap_err();
    assert_eq!(house.store.database().revision().await.unwrap(), held, "what was refused was not written");
}

async fn a_suspension_reaches_the_gateway_at_the_next_refresh(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let agreements = house.agreements(Duration::from_secs(3600));
    agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap();
    house.store.decide(FRONT, State::Suspended, "underskriver", "misbrug", at(NOW)).await.unwrap();
    let refusal = agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap_err();
    assert_eq!(refusal, Refusal::ServiceAgreementNotActive { state: Detail::name("SUSPENDERET") });
}

async fn while_the_store_is_away_what_is_remembered_serves_and_the_rest_is_refused(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
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
        Refusal::ServiceAgreementNotActive { state: Detail::name("UDLØBET") },
        "a remembered agreement still ends in its time"
    );
    let never_seen = agreements.back(SERVICE, korsbaek(), &exttest(), at(NOW)).await.unwrap_err();
    assert_eq!(never_seen, Refusal::AgreementsUnavailable);
    let absent = agreements.front(ClientSystem::System(Uuid::nil()), korsbaek(), SERVICE, &exttest(), at(NOW)).await;
    assert_eq!(absent.unwrap_err(), Refusal::AgreementsUnavailable, "it cannot be known that there still is none");
}

/// As the tool does it: the file at `to` is gone, and whoever has it open does not notice.
fn mv(from: &Path, to: &Path) {
    assert!(Command::new("mv").arg("-f").args([from, to]).status().unwrap().success());
}

#[tokio::test]
async fn a_store_that_another_is_moved_over_is_read_from_the_next_call_on_and_decided_on() {
    let house = House::with(Kept::in_sqlite(), &both_sides()).await;
    let agreements = house.agreements(Duration::from_secs(3600));
    let front = async || agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.map(|found| found.id);
    assert_eq!(front().await, Ok(FRONT));

    mv(&house.suspended_copy().await, &house.path());
    assert_eq!(front().await, Err(Refusal::ServiceAgreementNotActive { state: Detail::name("SUSPENDERET") }));
    assert!(agreements.store_answers().await);

    let command = Store::open_to(Access::Change, &Settings::sqlite(&house.path())).await.unwrap();
    command.decide(FRONT, State::Approved, "underskriver", "afklaret", at(NOW)).await.unwrap();
    command.close().await;
    assert_eq!(front().await, Ok(FRONT), "a decision made after the restore reaches the gateway");
    assert_eq!(house.store.decisions(FRONT).await.unwrap().len(), 3, "and so do those that came with the copy");
}

#[tokio::test]
async fn many_calls_that_meet_a_replaced_store_at_once_are_all_answered_from_the_new_one() {
    let house = Arc::new(House::with(Kept::in_sqlite(), &both_sides()).await);
    mv(&house.suspended_copy().await, &house.path());
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let house = Arc::clone(&house);
            tokio::spawn(async move { house.store.get(FRONT).await.map(|agreement| agreement.state) })
        })
        .collect();
    for one in asked {
        assert_eq!(one.await.unwrap().unwrap(), State::Suspended);
    }
}

#[tokio::test]
async fn a_store_that_was_moved_away_is_away_until_it_is_back() {
    let house = House::with(Kept::in_sqlite(), &both_sides()).await;
    let patient = house.agreements(Duration::from_secs(3600));
    let strict = house.agreements(Duration::ZERO);
    let front = async |agreements: &Agreements| {
        agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.map(|found| found.id)
    };
    assert_eq!((front(&patient).await, front(&strict).await), (Ok(FRONT), Ok(FRONT)));

    let elsewhere = house.kept.dir.path().join("elsewhere.sqlite");
    mv(&house.path(), &elsewhere);
    assert!(!patient.store_answers().await, "readiness tells");
    assert_eq!(front(&patient).await, Ok(FRONT), "what is remembered serves");
    assert_eq!(front(&strict).await, Err(Refusal::AgreementsUnavailable), "past max_staleness nothing does");
    assert!(!house.path().exists(), "nothing is made in its place");

    mv(&elsewhere, &house.path());
    assert!(strict.store_answers().await);
    assert_eq!(front(&strict).await, Ok(FRONT));
}

#[tokio::test]
async fn what_is_no_whole_store_never_takes_its_place_and_is_never_written_to() {
    let house = House::with(Kept::in_sqlite(), &both_sides()).await;
    let agreements = house.agreements(Duration::ZERO);
    let whole = std::fs::read(house.path()).unwrap();
    let cut = whole.get(..whole.len() / 2).unwrap();
    for (bytes, what) in
        [(&b""[..], "an empty file"), (&b"not a database, whatever its name says"[..], "text"), (cut, "half a copy")]
    {
        let other = house.kept.dir.path().join("other.sqlite");
        std::fs::write(&other, bytes).unwrap();
        mv(&other, &house.path());
        assert!(!agreements.store_answers().await, "{what}: readiness tells");
        let refusal = agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap_err();
        assert_eq!(refusal, Refusal::AgreementsUnavailable, "{what}");
        assert_eq!(std::fs::read(house.path()).unwrap(), bytes, "{what} is left as it is");
    }
    let copy = house.kept.dir.path().join("whole.sqlite");
    std::fs::write(&copy, &whole).unwrap();
    mv(&copy, &house.path());
    assert_eq!(agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap().id, FRONT);
}

#[tokio::test]
async fn a_copy_that_still_has_a_write_ahead_log_is_taken_and_none_lies_beside_a_store_in_use() {
    use sqlx::{ConnectOptions, Connection};
    let house = House::with(Kept::in_sqlite(), &both_sides()).await;
    let beside = || {
        let names =
            std::fs::read_dir(house.kept.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with("-wal") || name.ends_with("-shm")).collect::<Vec<_>>()
    };
    assert_eq!(beside(), [""; 0], "SQLite would apply a log to whatever file lies at the store's path");

    // As releases before this one left a store.
    let copy = house.suspended_copy().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&copy);
    let mut connection = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal).connect().await.unwrap();
    sqlx::query("UPDATE revision SET value = randomblob(16)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    mv(&copy, &house.path());
    assert_eq!(house.store.get(FRONT).await.unwrap().state, State::Suspended);
    assert_eq!(beside(), [""; 0]);
}

#[tokio::test]
async fn who_only_looks_or_decides_never_makes_a_store_and_who_looks_never_writes_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agreements.sqlite");
    for access in [Access::Look, Access::Change] {
        let missing = Store::open_to(access, &Settings::sqlite(&path)).await.unwrap_err();
        assert!(matches!(missing, StoreError::Missing(_)), "{access:?}: {missing}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{access:?}");
    }
    let house = House::with(Kept::in_sqlite(), &both_sides()).await;
    house.store.close().await;
    let beside = || {
        let entries = std::fs::read_dir(house.kept.dir.path()).unwrap().map(Result::unwrap);
        let mut all: Vec<_> = entries.map(|entry| (entry.file_name(), entry.metadata().unwrap().len())).collect();
        all.sort();
        all
    };
    let (before, stood) = (std::fs::read(house.path()).unwrap(), beside());
    let look = Store::open_to(Access::Look, &Settings::sqlite(&house.path())).await.unwrap();
    assert_eq!(look.list().await.unwrap().len(), 2);
    look.decide(FRONT, State::Suspended, "x", "y", at(NOW)).await.unwrap_err();
    look.close().await;
    assert_eq!(std::fs::read(house.path()).unwrap(), before);
    assert_eq!(beside(), stood, "nothing is left beside it");
}

async fn what_is_remembered_stops_serving_once_it_is_too_old(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let agreements = house.agreements(Duration::from_millis(200));
    agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap();
    house.store.close().await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    let refusal = agreements.front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap_err();
    assert_eq!(refusal, Refusal::AgreementsUnavailable);
}

async fn the_register_names_authorities_and_refuses_unknown_ones(kept: Kept) {
    let house = House::with(kept, AUTHORITIES).await;
    let agreements = house.agreements(Duration::ZERO);
    assert_eq!(agreements.authority(korsbaek()).await.unwrap().name, "Korsbæk Kommune");
    assert_eq!(agreements.authority("99999999".parse().unwrap()).await.unwrap_err(), Refusal::AuthorityUnknown);
    assert_eq!(agreements.register().await.unwrap().len(), 3);
}

async fn importing_the_same_file_again_changes_nothing_whatever_was_decided_since(kept: Kept) {
    let requested = [AUTHORITIES, &agreement(FRONT, "front", "11111111", "ANMODET", "2026-01-01", "2027-01-01")].concat();
    let house = House::with(kept, &requested).await;
    let import = Import::parse(&requested, &hjemmel::services::vocabulary()).unwrap();
    let steps = [None, Some(State::Approved), Some(State::Suspended), Some(State::Approved), Some(State::Terminated)];
    for (made, to) in steps.into_iter().enumerate() {
        if let Some(to) = to {
            house.store.decide(FRONT, to, "underskriver", "sag", at(NOW)).await.unwrap();
        }
        let (state, revision) = (house.store.get(FRONT).await.unwrap(), house.store.database().revision().await.unwrap());
        let again = house.store.import(&import, at(NOW)).await.unwrap();
        assert_eq!((again.added, again.changed, again.unchanged), (0, 0, 1), "after {to:?}");
        assert_eq!(again.decided_since, Vec::from_iter(to.map(|to| (FRONT, to))), "who imports is told");
        assert_eq!(house.store.get(FRONT).await.unwrap(), state);
        assert_eq!(house.store.database().revision().await.unwrap(), revision, "not even the revision");
        assert_eq!(house.store.decisions(FRONT).await.unwrap().len(), 1 + made, "no decision was made");
    }
}

async fn an_import_never_lifts_a_suspension_but_may_end_the_agreement(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let file = |state: &str| {
        let text = agreement(FRONT, "front", "11111111", state, "2026-01-01", "2027-01-01");
        Import::parse(
            &[AUTHORITIES, &text.replace("2026-01-01T00:00:00+01:00\n        ", "2026-11-21T00:00:00+01:00\n        ")].concat(),
            &hjemmel::services::vocabulary(),
        )
        .unwrap()
    };
    house.store.decide(FRONT, State::Suspended, "underskriver", "misbrug", at(NOW)).await.unwrap();
    let Err(AgreementError::Conflicts(conflicts)) = house.store.import(&file("GODKENDT"), at(NOW)).await else {
        panic!("a conflict")
    };
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(house.store.get(FRONT).await.unwrap().state, State::Suspended);
    house.store.import(&file("OPSAGT"), at(NOW)).await.unwrap();
    assert_eq!(house.store.get(FRONT).await.unwrap().state, State::Terminated);
}

async fn a_requested_agreement_on_other_terms_never_changes_an_approved_one(kept: Kept) {
    let requested = [AUTHORITIES, &agreement(FRONT, "front", "11111111", "ANMODET", "2026-01-01", "2027-01-01")].concat();
    let house = House::with(kept, &requested).await;
    house.store.decide(FRONT, State::Approved, "underskriver", "sag", at(NOW)).await.unwrap();
    let approved = house.store.get(FRONT).await.unwrap();
    let wider = Import::parse(&requested.replace("2027-01-01", "2037-01-01"), &hjemmel::services::vocabulary()).unwrap();
    assert!(matches!(house.store.import(&wider, at(NOW)).await, Err(AgreementError::Conflicts(_))));
    assert_eq!(house.store.get(FRONT).await.unwrap(), approved);
}

async fn terms_that_change_by_a_new_approval_have_it_in_their_history(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let mut import = Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap();
    import.agreements[0].purpose = "et andet formål".into();
    import.agreements[0].reason = Some("tillæg til aftalen".into());
    assert_eq!(house.store.import(&import, at(NOW)).await.unwrap().changed, 1);
    let last = house.store.decisions(FRONT).await.unwrap().pop().unwrap();
    assert_eq!((last.from, last.to), (Some(State::Approved), State::Approved));
    assert_eq!(last.reason.as_deref(), Some("tillæg til aftalen"));
}

async fn a_suspension_is_lifted_or_ended_by_a_decision_of_its_own(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let decide = async |id, to, reason| house.store.decide(id, to, "underskriver", reason, at(NOW)).await.unwrap();
    for id in [FRONT, KORSBAEK_BACK] {
        decide(id, State::Suspended, "misbrug").await;
    }
    decide(FRONT, State::Approved, "afklaret").await;
    decide(KORSBAEK_BACK, State::Terminated, "ikke afklaret").await;
    let steps = async |id| {
        let decisions = house.store.decisions(id).await.unwrap().into_iter();
        decisions.map(|d| (d.from.unwrap(), d.to, d.by, d.at, d.reason)).next_back().unwrap()
    };
    let by = Some("underskriver".to_owned());
    assert_eq!(steps(FRONT).await, (State::Suspended, State::Approved, by.clone(), at(NOW), Some("afklaret".into())));
    assert_eq!(steps(KORSBAEK_BACK).await, (State::Suspended, State::Terminated, by, at(NOW), Some("ikke afklaret".into())));
    let found = house.agreements(Duration::ZERO).front(certificate(), korsbaek(), SERVICE, &exttest(), at(NOW)).await.unwrap();
    assert_eq!(found.id, FRONT, "a resumed agreement opens again");
}

async fn a_decision_on_what_was_shown_is_refused_where_it_has_changed_since(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let shown = house.store.get(FRONT).await.unwrap();
    let mut import = Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap();
    import.agreements[0].purpose = "et andet formål".into();
    house.store.import(&import, at(NOW)).await.unwrap();
    let refused = house.store.decide_as_shown(&shown, State::Suspended, "underskriver", "sag", at(NOW)).await;
    assert!(matches!(refused, Err(AgreementError::ChangedSinceShown(FRONT))));
    let shown = house.store.get(FRONT).await.unwrap();
    house.store.decide_as_shown(&shown, State::Suspended, "underskriver", "sag", at(NOW)).await.unwrap();
}

async fn an_import_is_all_or_nothing_and_reports_every_contradiction(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    let mut import = Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap();
    import.authorities[0].name = "Et andet navn".into();
    import.agreements[0].system = Uuid::nil();
    import.agreements[1].authority = "99999999".parse().unwrap();
    let Err(AgreementError::Conflicts(conflicts)) = house.store.import(&import, at(NOW)).await else { panic!("conflicts") };
    assert_eq!(conflicts.len(), 2, "{conflicts:?}");
    assert_eq!(house.store.authorities().await.unwrap()[0].name, "Korsbæk Kommune", "nothing of it was written");
}

async fn every_decision_is_recorded_and_illegal_ones_are_refused(kept: Kept) {
    let house = House::with(kept, &both_sides()).await;
    house.store.decide(FRONT, State::Suspended, "underskriver", "misbrug", at(NOW)).await.unwrap();
    let refused = house.store.decide(FRONT, State::Rejected, "underskriver", "fortrudt", at(NOW)).await;
    assert!(matches!(refused, Err(AgreementError::IllegalTransition { from: State::Suspended, to: State::Rejected, .. })));
    let unknown = house.store.decide(Uuid::nil(), State::Approved, "x", "y", at(NOW)).await;
    assert!(matches!(unknown, Err(AgreementError::NoSuchAgreement(_))));

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

async fn two_decisions_at_once_end_in_one(kept: Kept) {
    let house = Arc::new(House::with(kept, &both_sides()).await);
    let tasks: Vec<_> = [State::Expired, State::Terminated, State::Expired, State::Terminated]
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

async fn agreements_survive_closing_and_opening_the_store(kept: Kept) {
    let import = Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap();
    let store = Store::open(&kept.settings).await.unwrap();
    store.import(&import, at(NOW)).await.unwrap();
    store.close().await;
    let store = Store::open(&kept.settings).await.unwrap();
    let mut held = store.list().await.unwrap();
    held.sort_by_key(|agreement| agreement.id);
    assert_eq!(held, import.agreements, "every field comes back as it was");
}

/// What the release before wrote for an agreement with these lists.
const BEFORE: &str = "INSERT INTO agreement (id, side, system, service, authority, environment, valid_from, valid_to, state,
        legal_basis, purpose, kle, sensitivity, decided_by, decided_at, reason)
    VALUES (?, 'front', '6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11', '3053ec89-31fe-4206-878b-bba6783d7a88', '11111111', 'exttest',
        '2025-12-31T23:00:00Z', NULL, 'GODKENDT', 'LUD § 8, stk. 1', 'prøve', ?, ?, 'prøve', '2025-12-31T23:00:00Z', NULL)";

/// A store of the release before, with a narrowed agreement for each pair of lists.
async fn store_of_before(dir: &tempfile::TempDir, narrowed: &[(&str, &str)]) -> sqlx::SqlitePool {
    let before = routes::raw(dir).await;
    routes::migrations_to(4).await.run(&before).await.unwrap();
    for (cvr, name, role) in [("11111111", "Korsbæk Kommune", "municipality"), ("99999991", "Udbetaling Danmark", "udk")] {
        let authority = sqlx::query("INSERT INTO authority (cvr, name, role) VALUES (?, ?, ?)").bind(cvr).bind(name).bind(role);
        authority.execute(&before).await.unwrap();
    }
    for (number, (kle, sensitivity)) in (1..).zip(narrowed) {
        let id = Uuid::from_u128(number).to_string();
        sqlx::query(BEFORE).bind(&id).bind(*kle).bind(*sensitivity).execute(&before).await.unwrap();
        for certificate in [&b"client"[..], b"client, renewed"] {
            let thumbprint = Thumbprint::of_der(certificate).to_string();
            let held = sqlx::query("INSERT INTO agreement_certificate (agreement, thumbprint) VALUES (?, ?)");
            held.bind(&id).bind(thumbprint).execute(&before).await.unwrap();
        }
        let decided = "INSERT INTO agreement_decision (agreement, from_state, to_state, decided_by, decided_at, at, reason)
             VALUES (?, NULL, 'GODKENDT', 'prøve', '2025-12-31T23:00:00Z', '2026-01-02T00:00:00Z', NULL)";
        sqlx::query(decided).bind(&id).execute(&before).await.unwrap();
    }
    before
}

#[tokio::test]
async fn a_store_of_the_release_before_keeps_what_its_agreements_are_narrowed_to_and_the_roles() {
    let dir = tempfile::tempdir().unwrap();
    let narrowed = [
        ("[]", "[]", "{}"),
        (r#"["32.*","33.03.04"]"#, "[]", r#"{"kle":["32.*","33.03.04"]}"#),
        ("[]", r#"["VIP_SAGER"]"#, r#"{"sensitivity":["VIP_SAGER"]}"#),
        (r#"["32.*"]"#, r#"["VIP_SAGER"]"#, r#"{"kle":["32.*"],"sensitivity":["VIP_SAGER"]}"#),
    ];
    store_of_before(&dir, &narrowed.map(|(kle, sensitivity, _)| (kle, sensitivity))).await.close().await;
    let store = Store::open(&Settings::sqlite(&dir.path().join("agreements.sqlite"))).await.unwrap();
    for (number, (_, _, scope)) in (1..).zip(narrowed) {
        let held = store.get(Uuid::from_u128(number)).await.unwrap();
        assert_eq!((held.scope.to_string().as_str(), held.certificates.len()), (scope, 2));
        assert_eq!(store.decisions(held.id).await.unwrap().len(), 1);
    }
    let roles = store.authorities().await.unwrap().into_iter().map(|authority| authority.role.as_str().to_owned());
    assert_eq!(roles.collect::<Vec<_>>(), ["municipality", "udk"]);
    // The file that the last of them came from says the same as the store, whose form is canonical.
    let text = agreement(Uuid::from_u128(4), "front", "11111111", "GODKENDT", "2026-01-01", "2027-01-01")
        .replace("valid_to = 2027-01-01T00:00:00+01:00", "sensitivity = [\"VIP_SAGER\"]\nkle = [\"32.*\", \"32.*\"]");
    let import = Import::parse(&text, &hjemmel::services::vocabulary()).unwrap();
    assert_eq!(store.import(&import, at(NOW)).await.unwrap().unchanged, 1);
}

#[tokio::test]
async fn a_row_without_a_scope_or_with_another_spelling_of_one_is_no_agreement() {
    let house = House::with(Kept::in_sqlite(), &both_sides()).await;
    let raw = routes::raw(&house.kept.dir).await;
    for scope in ["", "[]", "{ }", r#"{"kle":["32.*"],"kle":[]}"#] {
        sqlx::query("UPDATE agreement SET scope = ?").bind(scope).execute(&raw).await.unwrap();
        let unreadable = house.store.get(FRONT).await;
        assert!(
            matches!(unreadable, Err(AgreementError::Store(StoreError::Unreadable { column: "scope" }))),
            "{scope}: {unreadable:?}"
        );
    }
    sqlx::query("INSERT INTO authority (cvr, name) VALUES ('99999999', 'uden rolle')").execute(&raw).await.unwrap();
    assert!(matches!(house.store.authorities().await, Err(StoreError::Unreadable { column: "role" })));
}
