//! Value lists in the store: drafts, who publishes them and when, who gets them, and when calls know them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hjemmel::agreements::{Store, Thumbprint};
use hjemmel::audit::Subject;
use hjemmel::decisions::{By, DecideError, statement};
use hjemmel::id::cvr::Cvr;
use hjemmel::refusal::Refusal;
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::services::finance::lists::draft::{self, DraftError, Imported};
use hjemmel::services::finance::lists::publish::{Notice, Proposal, PublishError, Published};
use hjemmel::services::finance::lists::published;
use hjemmel::services::finance::lists::subscription::{self, Delivery, Structure, Subscription, SubscriptionError};
use hjemmel::services::finance::memory::{self, Pace};
use hjemmel::services::finance::rules::sortiment::{Entry, List, MOST_CODES, Part, Standing};
use hjemmel::store::StoreError;
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::rights::Role;
use jiff::civil::Date;
use uuid::Uuid;

use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

type Memory = memory::Memory<published::Published>;

const SERVICE: Uuid = Uuid::from_u128(0x1590);
const LIST: Uuid = Uuid::from_u128(0x1590_a001);
const KORSBAEK: &str = "11111111";

/// Longer than any test takes: what is seen before was not seen by asking again.
const NEVER: Duration = Duration::from_secs(3600);

on_both! {
    a_draft_is_known_to_no_call_and_replaced_and_a_published_version_stays_as_it_is;
    a_common_list_is_published_by_an_operator_and_a_supplement_by_its_own_authority_alone;
    whoever_imported_a_version_does_not_publish_it_and_the_chain_says_who_each_was;
    a_draft_that_nobody_known_imported_is_published_once_somebody_has;
    a_version_that_would_take_force_too_soon_is_refused_unless_that_is_meant;
    what_was_shown_beside_another_version_than_is_published_now_is_not_published;
    a_supplement_to_what_is_not_published_or_closed_is_not_published;
    each_system_gets_what_it_subscribes_to_in_its_structure_and_in_order;
    what_is_written_by_other_means_is_refused_or_found;
    what_is_remembered_serves_while_the_store_is_away;
    tens_of_thousands_of_codes_are_kept_and_read_whole;
}

fn day(day: &str) -> Date {
    day.parse().unwrap()
}

fn cvr(number: &str) -> Cvr {
    number.parse().unwrap()
}

/// A version with the codes 1, 2 … of Art, which authorities may supplement, and one of Funktion.
fn version(name: &str, from: &str, codes: usize) -> List {
    let art = (1..=codes).map(|code| (code.to_string(), Entry { name: format!("ydelse {code}"), ..Entry::default() })).collect();
    let parts = [
        ("Art", Part { supplement: true, party: false, codes: art }),
        ("Funktion", Part { codes: [("5.57".to_owned(), Entry::default())].into(), ..Part::default() }),
    ];
    List {
        id: LIST,
        name: "Sociale ydelser".to_owned(),
        version: name.to_owned(),
        from: day(from),
        to: None,
        authority: None,
        parts: parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect(),
    }
}

fn supplement(authority: &str, name: &str, from: &str, part: &str) -> List {
    let codes: BTreeMap<_, _> = [("egen".to_owned(), Entry { sensitivity: Some(3), ..Entry::default() })].into();
    let parts = [(part.to_owned(), Part { codes, ..Part::default() })].into();
    List { authority: Some(cvr(authority)), parts, ..version(name, from, 1) }
}

const OPERATOR: Key = Key::GatewayClient;
/// An operator too, who brings versions in.
const IMPORTER: Key = Key::PersonOperator;
const ADMINISTRATOR: Key = Key::Korsbaek;
const OTHER_ADMINISTRATOR: Key = Key::OtherMunicipality;
const SIGNATORY: Key = Key::Udk;

struct House {
    store: Store,
}

impl House {
    async fn in_store(kept: &Kept) -> Self {
        let store = Store::open(&kept.settings).await.unwrap();
        let people = [
            (OPERATOR, Role::Operator, None),
            (IMPORTER, Role::Operator, None),
            (ADMINISTRATOR, Role::SortimentAdministrator, Some(KORSBAEK)),
            (OTHER_ADMINISTRATOR, Role::SortimentAdministrator, Some("99999981")),
            (SIGNATORY, Role::Signatory, Some(KORSBAEK)),
        ];
        people::add(&store, &people).await;
        Self { store }
    }

    async fn import(&self, list: &List) -> Uuid {
        self.import_by(IMPORTER, list).await.unwrap().id()
    }

    async fn import_by(&self, who: Key, list: &List) -> Result<Imported, DraftError> {
        let (by, because) = (signer(who), because(NOW));
        Ok(draft::import(&self.store, SERVICE, list, By::Key(&by), &because, None).await?.0)
    }

    async fn remove(&self, who: Key, id: Uuid) -> Result<(), DraftError> {
        draft::remove(&self.store, id, By::Key(&signer(who)), &because(NOW), None).await.map(drop)
    }

    async fn publish(&self, id: Uuid, by: Key, notice: Notice, now: &str) -> Result<Published, PublishError> {
        let by = signer(by);
        Proposal::of(&self.store, id).await?.publish(&self.store, By::Key(&by), notice, &because(now), None).await
    }

    /// Imports and publishes, whenever it takes force.
    async fn published(&self, list: &List, by: Key) -> Uuid {
        let id = self.import(list).await;
        self.publish(id, by, SOONER, NOW).await.unwrap();
        id
    }

    fn memory(&self) -> Arc<Memory> {
        Arc::new(Memory::new(self.store.clone(), SERVICE, Pace { refresh: NEVER, staleness: NEVER }))
    }
}

const IN_TIME: Notice = Notice { days: 30, sooner: false };
const SOONER: Notice = Notice { days: 30, sooner: true };

/// Whether calls of Korsbæk know a code on a day, by this version; `None` where they do not know the version.
async fn knows(memory: &Arc<Memory>, name: &str, code: &str, on: &str) -> Option<Option<bool>> {
    let lists = memory.now().await.unwrap().lists;
    match lists.standing(LIST, name, cvr(KORSBAEK)) {
        Standing::Known(known) => Some(known.code("Art", code, None, day(on))),
        Standing::NoList | Standing::NoVersion => None,
    }
}

async fn a_draft_is_known_to_no_call_and_replaced_and_a_published_version_stays_as_it_is(kept: Kept) {
    let house = House::in_store(&kept).await;
    let memory = house.memory();
    let first = house.import(&version("2027.1", "2027-01-01", 2)).await;
    assert_eq!(knows(&memory, "2027.1", "1", "2027-01-01").await, None, "a draft");
    let same = house.import_by(OPERATOR, &version("2027.1", "2027-01-01", 2)).await;
    assert_eq!(same.unwrap(), Imported::Same(first));
    let shown = Proposal::of(&house.store, first).await.unwrap();
    let second = house.import(&version("2027.1", "2027-01-01", 3)).await;
    assert_ne!(first, second);
    let gone = shown.publish(&house.store, By::Key(&signer(OPERATOR)), IN_TIME, &because(NOW), None).await;
    assert!(matches!(gone, Err(PublishError::ChangedSinceShown(_))), "what was shown is not what would be published");
    assert_eq!(house.publish(second, OPERATOR, IN_TIME, NOW).await.unwrap().ahead, 33);
    assert_eq!(knows(&memory, "2027.1", "3", "2027-01-01").await, Some(Some(true)));
    assert_eq!(knows(&memory, "2027.1", "4", "2027-01-01").await, Some(None));
    let altered = house.import_by(IMPORTER, &version("2027.1", "2027-01-01", 4)).await;
    assert!(matches!(altered, Err(DraftError::Published(_))));
    assert!(matches!(house.remove(IMPORTER, second).await, Err(DraftError::NoDraft(_))));
    assert!(matches!(house.publish(second, OPERATOR, IN_TIME, NOW).await, Err(PublishError::Already { .. })));
    let draft = house.import(&version("2027.2", "2027-06-01", 1)).await;
    house.remove(IMPORTER, draft).await.unwrap();
    assert_eq!(house.store.sortimenter(SERVICE).await.unwrap().len(), 1);
}

async fn a_common_list_is_published_by_an_operator_and_a_supplement_by_its_own_authority_alone(kept: Kept) {
    let house = House::in_store(&kept).await;
    let common = house.import(&version("2027.1", "2027-01-01", 2)).await;
    for who in [ADMINISTRATOR, SIGNATORY] {
        assert!(is_refused(house.publish(common, who, IN_TIME, NOW).await), "a common list by {who:?}");
    }
    house.publish(common, OPERATOR, IN_TIME, NOW).await.unwrap();
    let own = house.import(&supplement(KORSBAEK, "2027.1", "2027-01-01", "Art")).await;
    for who in [OPERATOR, OTHER_ADMINISTRATOR, SIGNATORY] {
        assert!(is_refused(house.publish(own, who, IN_TIME, NOW).await), "a supplement by {who:?}");
    }
    house.publish(own, ADMINISTRATOR, IN_TIME, NOW).await.unwrap();
    assert_eq!(knows(&house.memory(), "2027.1", "egen", "2027-01-01").await, Some(Some(true)));
    let waiting = house.store.claim_unrecorded(Uuid::new_v4(), at(NOW)).await.unwrap();
    let waiting: Vec<_> = waiting.into_iter().map(|waiting| waiting.decided).collect();
    let of_lists: Vec<_> =
        waiting.iter().filter(|decided| decided.subject == Subject::Sortiment && decided.to != "draft").collect();
    assert_eq!(of_lists.iter().map(|decided| decided.id).collect::<Vec<_>>(), [common, own], "what waits for the audit's chain");
    assert!(of_lists.iter().all(|decided| decided.to == "published" && decided.signature_sha256.is_some()));
    assert!(of_lists.iter().all(|decided| decided.shown_sha256.is_some() && decided.user.is_some()));
}

async fn whoever_imported_a_version_does_not_publish_it_and_the_chain_says_who_each_was(kept: Kept) {
    let house = House::in_store(&kept).await;
    // The same person with another certificate and user is the same person.
    let importer = house.store.user_of(thumbprint(IMPORTER)).await.unwrap().unwrap();
    let again = people::another_of(&house.store, importer.person, Key::PersonSupplier, Role::Operator).await;
    let common = house.import(&version("2027.1", "2027-01-01", 2)).await;
    for own in [IMPORTER, again] {
        let refused = house.publish(common, own, IN_TIME, NOW).await;
        assert!(
            matches!(refused, Err(PublishError::Decide(DecideError::Refused(ApiRefusal::ApiImporterPublishes { .. })))),
            "{own:?}: {refused:?}"
        );
    }
    assert!(matches!(house.import_by(ADMINISTRATOR, &version("2027.2", "2027-01-01", 2)).await, Err(DraftError::Decide(_))));
    assert!(matches!(house.remove(ADMINISTRATOR, common).await, Err(DraftError::Decide(_))), "another's draft");
    house.publish(common, OPERATOR, IN_TIME, NOW).await.unwrap();
    let first = house.import(&version("2027.3", "2027-01-01", 2)).await;
    let second = house.import_by(OPERATOR, &version("2027.3", "2027-01-01", 3)).await.unwrap().id();
    assert!(house.publish(second, OPERATOR, IN_TIME, NOW).await.is_err(), "who replaced a draft imported it");
    house.remove(IMPORTER, second).await.unwrap();
    let operator = house.store.user_of(thumbprint(OPERATOR)).await.unwrap().unwrap();
    let (replaced, [i, o]) = (format!("replaced by {second}"), [importer.id, operator.id]);
    let expected = [
        (common, "draft", i),
        (common, "published", o),
        (first, "draft", i),
        (first, replaced.as_str(), o),
        (second, "draft", o),
        (second, "removed", i),
    ];
    let waiting = house.store.claim_unrecorded(Uuid::new_v4(), at(NOW)).await.unwrap();
    let mut told: Vec<_> = waiting.iter().map(|waiting| &waiting.decided).filter(|it| it.subject == Subject::Sortiment).collect();
    assert!(told.iter().all(|it| it.signature_sha256.is_some() && it.shown_sha256.is_some()));
    told.sort_by_key(|it| expected.iter().position(|(id, to, _)| (*id, *to) == (it.id, &*it.to)));
    let told: Vec<_> = told.into_iter().map(|it| (it.id, &*it.to, it.user.unwrap())).collect();
    assert_eq!(told, expected);
    for made in house.store.every_decision().await.unwrap().iter().filter(|made| made.what.subject == Subject::Sortiment) {
        let certificate = made.certificate.unwrap();
        let key = [IMPORTER, OPERATOR].into_iter().find(|key| thumbprint(*key) == certificate).unwrap();
        let signature = made.signature.as_deref().unwrap();
        assert!(statement::is_signed(&people::certificate(key), signature, &made.what, &made.because), "{:?}", made.what);
    }
}

async fn a_draft_that_nobody_known_imported_is_published_once_somebody_has(kept: Kept) {
    let house = House::in_store(&kept).await;
    let list = version("2027.1", "2027-01-01", 2);
    let id = house.import(&list).await;
    house.store.close().await;
    // As a release before this one left it: a draft without a decision.
    let old = Uuid::from_u128(7);
    let columns = "service, list, name, version, authority, valid_from, valid_to, sha256, imported_at, published_at";
    kept.execute(&format!("INSERT INTO sortiment (id, {columns}) SELECT '{old}', service, list, name, 'gammel', authority, valid_from, valid_to, sha256, imported_at, published_at FROM sortiment WHERE id = '{id}'")).await.unwrap();
    let house = House { store: Store::open(&kept.settings).await.unwrap() };
    let mut unknown = Proposal::of(&house.store, id).await.unwrap();
    unknown.head.id = old;
    let refused = unknown.publish(&house.store, By::Key(&signer(OPERATOR)), IN_TIME, &because(NOW), None).await;
    assert!(matches!(refused, Err(PublishError::Decide(DecideError::Refused(ApiRefusal::ApiImporterUnknown)))), "{refused:?}");
    let known = house.import_by(IMPORTER, &List { version: "gammel".to_owned(), ..list }).await.unwrap();
    assert!(matches!(known, Imported::Replaced(new) if new != old), "{known:?}");
    house.publish(known.id(), OPERATOR, IN_TIME, NOW).await.unwrap();
}

fn thumbprint(key: Key) -> Thumbprint {
    Thumbprint::from(*people::certificate(key).thumbprint())
}

fn is_refused(outcome: Result<Published, PublishError>) -> bool {
    matches!(
        outcome,
        Err(PublishError::Decide(DecideError::Refused(ApiRefusal::ApiOtherParty | ApiRefusal::ApiNotAllowed { .. })))
    )
}

async fn a_version_that_would_take_force_too_soon_is_refused_unless_that_is_meant(kept: Kept) {
    let house = House::in_store(&kept).await;
    let id = house.import(&version("2026.2", "2026-12-30", 2)).await;
    // Midnight in Copenhagen is 23:00 UTC: one second before, the thirtieth of November has not begun.
    let late = house.publish(id, OPERATOR, IN_TIME, "2026-11-30T23:00:00Z").await;
    match late {
        Err(error @ PublishError::TooSoon { ahead: 29, days: 30, .. }) => {
            assert!(error.to_string().contains("from 2026-12-31"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(house.publish(id, OPERATOR, IN_TIME, "2026-11-30T22:59:59Z").await.unwrap().ahead, 30);
    let soon = house.import(&version("2026.3", "2026-12-01", 2)).await;
    assert_eq!(house.publish(soon, OPERATOR, SOONER, NOW).await.unwrap().ahead, 2);
    let waiting = house.store.claim_unrecorded(Uuid::new_v4(), at(NOW)).await.unwrap();
    let told: Vec<_> = waiting.iter().filter(|waiting| waiting.decided.id == soon).map(|waiting| &*waiting.decided.to).collect();
    assert_eq!(told, ["draft", "published 2 days ahead of 30"], "the chain says that it was sooner");
}

async fn what_was_shown_beside_another_version_than_is_published_now_is_not_published(kept: Kept) {
    let house = House::in_store(&kept).await;
    house.published(&version("2027.1", "2027-01-01", 2), OPERATOR).await;
    let last = house.import(&version("2027.3", "2027-03-01", 2)).await;
    let shown = Proposal::of(&house.store, last).await.unwrap();
    house.published(&version("2027.2", "2027-02-01", 3), OPERATOR).await;
    let outcome = shown.publish(&house.store, By::Key(&signer(OPERATOR)), IN_TIME, &because(NOW), None).await;
    assert!(matches!(outcome, Err(PublishError::ChangedSinceShown(_))), "what it changes is not what was shown: {outcome:?}");
    house.publish(last, OPERATOR, IN_TIME, NOW).await.unwrap();
}

async fn a_supplement_to_what_is_not_published_or_closed_is_not_published(kept: Kept) {
    let house = House::in_store(&kept).await;
    house.import(&version("2027.1", "2027-01-01", 2)).await;
    let own = house.import(&supplement(KORSBAEK, "2027.1", "2027-01-01", "Art")).await;
    let wrong = |outcome: Result<Published, PublishError>| match outcome {
        Err(PublishError::Wrong(wrong)) => wrong.join("\n"),
        other => panic!("{other:?}"),
    };
    assert!(wrong(house.publish(own, ADMINISTRATOR, IN_TIME, NOW).await).contains("import the common list"), "a draft is none");
    house.published(&version("2027.1", "2027-01-01", 2), OPERATOR).await;
    let closed = house.import(&supplement(KORSBAEK, "2027.1", "2027-02-01", "Funktion")).await;
    assert!(wrong(house.publish(closed, ADMINISTRATOR, IN_TIME, NOW).await).contains("does not let authorities supplement"));
    house.publish(own, ADMINISTRATOR, IN_TIME, NOW).await.unwrap();
}

async fn each_system_gets_what_it_subscribes_to_in_its_structure_and_in_order(kept: Kept) {
    let house = House::in_store(&kept).await;
    let (store, now) = (&house.store, at(NOW));
    let of = |authority: &str, system: u128, list: Option<Uuid>, structure| {
        Subscription::new(SERVICE, cvr(authority), Uuid::from_u128(system), list, structure, now)
    };
    let begin =
        async |subscription: &Subscription, by: Key| subscription.begin(store, By::Key(&signer(by)), &because(NOW), None).await;
    let all = of(KORSBAEK, 1, None, Structure::One);
    let other_list = of(KORSBAEK, 2, Some(Uuid::from_u128(7)), Structure::One);
    let others = of("99999981", 3, Some(LIST), Structure::Two);
    begin(&all, ADMINISTRATOR).await.unwrap();
    begin(&other_list, OPERATOR).await.unwrap();
    assert!(begin(&others, ADMINISTRATOR).await.is_err(), "another authority's");
    begin(&others, OTHER_ADMINISTRATOR).await.unwrap();
    let twice = begin(&of(KORSBAEK, 1, None, Structure::Two), ADMINISTRATOR).await;
    assert!(matches!(twice, Err(SubscriptionError::Twice(id)) if id == all.id));
    let common = house.published(&version("2027.1", "2027-01-01", 2), OPERATOR).await;
    let own = house.published(&supplement(KORSBAEK, "2027.1", "2027-01-01", "Art"), ADMINISTRATOR).await;
    let jobs = subscription::deliveries(store);
    let mut delivered = Vec::new();
    loop {
        let taken = jobs.take(10).await.unwrap();
        if taken.is_empty() {
            break;
        }
        for job in taken {
            let delivery: Delivery = serde_json::from_slice(&job.payload).unwrap();
            delivered.push((delivery.subscription, delivery.sortiment, delivery.structure));
            jobs.done(&job).await.unwrap();
        }
    }
    let expected = [(all.id, common, Structure::One), (others.id, common, Structure::Two), (all.id, own, Structure::One)];
    assert_eq!(delivered, expected, "what is common goes to both, the supplement to its authority, after it");
    others.end(store, By::Key(&signer(OTHER_ADMINISTRATOR)), &because(NOW), None).await.unwrap();
    let again = others.end(store, By::Key(&signer(OTHER_ADMINISTRATOR)), &because(NOW), None).await;
    assert!(matches!(again, Err(SubscriptionError::NoSuch(_))));
    house.published(&version("2027.2", "2027-06-01", 2), OPERATOR).await;
    assert_eq!(store.sortiment_deliveries().await.unwrap().waiting, 1);
    let listed = store.sortiment_subscriptions(SERVICE).await.unwrap();
    assert_eq!(
        listed.iter().filter(|subscription| subscription.ended.is_some()).map(|ended| ended.id).collect::<Vec<_>>(),
        [others.id]
    );
}

async fn what_is_written_by_other_means_is_refused_or_found(kept: Kept) {
    let house = House::in_store(&kept).await;
    let id = house.published(&version("2027.1", "2027-01-01", 2), OPERATOR).await;
    house.store.close().await;
    for statement in [
        "UPDATE sortiment SET valid_from = '2026-01-01'",
        "UPDATE sortiment SET published_at = NULL",
        "DELETE FROM sortiment",
        "UPDATE sortiment_code SET name = 'x'",
        "DELETE FROM sortiment_code WHERE code = '1'",
        "DELETE FROM sortiment_part WHERE part = 'Funktion'",
        "UPDATE sortiment_part SET part = 'Formål'",
    ] {
        assert!(kept.execute(statement).await.is_err(), "{statement}");
    }
    let added = format!("INSERT INTO sortiment_code (sortiment, part, code, name) VALUES ('{id}', 'Art', '9', 'smuglet')");
    kept.execute(&added).await.unwrap();
    let store = Store::open(&kept.settings).await.unwrap();
    let head = store.sortiment(id).await.unwrap().unwrap();
    let read = store.sortiment_content(&head).await;
    assert!(matches!(read, Err(StoreError::Unreadable { column: "sortiment.sha256" })), "{read:?}");
    let refused = Arc::new(Memory::new(store, SERVICE, Pace { refresh: NEVER, staleness: NEVER })).now().await;
    assert!(matches!(refused, Err(Refusal::AgreementsUnavailable)), "no call is judged by it");
}

async fn what_is_remembered_serves_while_the_store_is_away(kept: Kept) {
    let house = House::in_store(&kept).await;
    house.published(&version("2027.1", "2027-01-01", 2), OPERATOR).await;
    let pace = |staleness| Pace { refresh: Duration::ZERO, staleness };
    let asks_always = |staleness| Arc::new(Memory::new(house.store.clone(), SERVICE, pace(staleness)));
    let (patient, strict) = (asks_always(NEVER), asks_always(Duration::ZERO));
    assert!(patient.now().await.is_ok() && strict.now().await.is_ok());
    house.store.close().await;
    assert_eq!(knows(&patient, "2027.1", "1", "2027-01-01").await, Some(Some(true)));
    assert!(matches!(strict.now().await, Err(Refusal::AgreementsUnavailable)), "what is too old serves nobody");
    assert!(matches!(asks_always(NEVER).now().await, Err(Refusal::AgreementsUnavailable)), "and neither does nothing");
}

async fn tens_of_thousands_of_codes_are_kept_and_read_whole(kept: Kept) {
    let house = House::in_store(&kept).await;
    let many = std::env::var("HJEMMEL_CODES").map_or(30_000, |many| many.parse().unwrap());
    let large = version("2027.1", "2027-01-01", many);
    let began = Instant::now();
    let id = house.import(&large).await;
    let imported = began.elapsed();
    house.publish(id, OPERATOR, IN_TIME, NOW).await.unwrap();
    let (memory, began) = (house.memory(), Instant::now());
    assert_eq!(knows(&memory, "2027.1", &many.to_string(), "2027-01-01").await, Some(Some(true)));
    let read = began.elapsed();
    println!("{many} codes: imported in {imported:?}, read in {read:?}");
    let head = house.store.sortiment(id).await.unwrap().unwrap();
    assert_eq!(house.store.sortiment_content(&head).await.unwrap(), large);
    let too_large = house.import_by(IMPORTER, &version("2027.2", "2027-06-01", MOST_CODES + 1)).await;
    assert!(too_large.unwrap_err().to_string().contains("divide the list"));
}

#[tokio::test]
async fn a_version_published_on_one_node_is_known_on_another_within_a_second() {
    let Some(kept) = Kept::in_postgres() else { return };
    let one = House::in_store(&kept).await;
    let other = Store::open(&kept.settings).await.unwrap();
    other.database().listen();
    while !other.database().is_listening() {
        tokio::task::yield_now().await;
    }
    let memory = Arc::new(Memory::new(other, SERVICE, Pace { refresh: NEVER, staleness: NEVER }));
    let mut took = Vec::new();
    for (name, from) in [("2027.1", "2027-01-01"), ("2027.2", "2027-06-01"), ("2027.3", "2027-09-01")] {
        assert_eq!(knows(&memory, name, "1", from).await, None, "that there is none is remembered");
        one.published(&version(name, from, 500), OPERATOR).await;
        let began = Instant::now();
        while knows(&memory, name, "1", from).await.is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "{name}: never");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took.push(began.elapsed());
    }
    // The least: another program may have the machine meanwhile.
    assert!(took.iter().min().unwrap() < &Duration::from_secs(1), "{took:?}");
}
