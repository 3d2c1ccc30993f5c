//! Routes through the real store: who receives a call on which day, and what is refused when it is saved.

use std::{sync::LazyLock, time::Duration};

use hjemmel::store::{Access, Settings};
use hjemmel::{
    agreements::{
        Agreements, CacheSettings, Environment, Route, Store,
        route::{
            Period, Pinned, ProviderSecurity, Roots, Standing, day,
            store::{Change, Decision, InTheWay, RouteError},
        },
    },
    clock::Clock,
    decisions::{Because, user},
    id::cvr::Cvr,
    refusal::{Detail, Refusal},
    signature::key::Certificate,
    stub::pki::{DevPki, KeyBits, Role as Key},
    users::{Kind, User, rights::Role},
};
use jiff::{ToSpan, civil::Date};
use proptest::{prelude::*, test_runner::TestRunner};
use uuid::Uuid;

use super::{SERVICE, at, exttest, mv};
use crate::decides::Decides;
use crate::kept::Kept;

/// Noon on the day of most tests.
const NOW: &str = "2026-11-22T12:00:00Z";
const SENDER: &str = "99999991";
const RECEIVER: &str = "11111111";

/// A certificate that any day may be the day of: it is never asked here whether it holds.
static CERTIFICATE: LazyLock<rustls_pki_types::CertificateDer<'static>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(["ledger.example".to_owned()]).unwrap().cert.der().clone());

fn cvr(text: &str) -> Cvr {
    text.parse().unwrap()
}

fn period(from: &str, to: Option<&str>) -> Period {
    Period::new(day(from).unwrap(), to.map(|to| day(to).unwrap())).unwrap()
}

/// The route with number `id` from [`SENDER`] to [`RECEIVER`].
pub fn route(id: u128, from: &str, to: Option<&str>) -> Route {
    Route {
        id: Uuid::from_u128(id),
        service: SERVICE,
        environment: exttest(),
        sender: Some(cvr(SENDER)),
        receiver: Some(cvr(RECEIVER)),
        period: period(from, to),
        system: Uuid::from_u128(id + 1000),
        address: "https://ledger.example/finans".parse().unwrap(),
        entity_id: "http://ledger.example/finans".parse().unwrap(),
        security: ProviderSecurity::Token { signing_certificates: Pinned::new(vec![CERTIFICATE.clone()]).unwrap() },
        roots: Roots::new(vec![CERTIFICATE.clone()]).unwrap(),
    }
}

pub fn decision(instant: &str) -> Decision {
    Decision { by: "A. Jensen".to_owned(), reason: "sag 7".to_owned(), at: at(instant) }
}

async fn open(kept: &Kept) -> Store {
    Store::open(&kept.settings).await.unwrap()
}

async fn add(store: &Store, routes: &[Route]) -> Result<usize, RouteError> {
    store.add_routes(routes, InTheWay::Refuse, &decision(NOW)).await.map(|done| done.added)
}

async fn end(store: &Store, id: u128, on: &str) -> Result<(Route, bool), RouteError> {
    store.end_route(Uuid::from_u128(id), day(on).unwrap(), &decision(NOW)).await
}

/// Asks the store every time, and remembers for `staleness`.
fn cached(store: &Store, staleness: Duration) -> Agreements {
    let settings = CacheSettings { refresh: Duration::ZERO, staleness, negative: Duration::ZERO, capacity: 100 };
    Agreements::new(store.clone(), settings)
}

/// The number of the route that the gateway would use.
async fn chosen(agreements: &Agreements, instant: &str) -> Result<u128, Refusal> {
    let found = agreements.route(SERVICE, cvr(SENDER), cvr(RECEIVER), &exttest(), at(instant)).await;
    found.map(|route| route.id.as_u128())
}

fn conflicts(refused: Result<usize, RouteError>) -> Vec<String> {
    match refused {
        Err(RouteError::Conflicts(conflicts)) => conflicts,
        other => panic!("conflicts were expected: {other:?}"),
    }
}

crate::on_both! {
    every_field_of_a_route_comes_back_as_it_was;
    another_service_sender_receiver_or_environment_has_no_route;
    a_route_without_sender_or_receiver_carries_the_calls_of_every_one;
    one_receiver_for_all_is_reached_by_the_route_from_every_to_every_alone;
    the_particular_route_does_not_win_over_the_general_one_but_is_refused;
    a_day_begins_and_ends_at_midnight_in_copenhagen_also_where_the_clocks_are_changed;
    where_there_is_none_today_the_caller_is_told_of_the_nearest_one;
    an_added_and_an_ended_route_reach_the_gateway_at_the_next_refresh;
    while_the_store_is_away_remembered_routes_serve_for_the_bounded_time_and_the_rest_is_refused;
    receivers_that_a_sender_makes_up_do_not_fill_the_memory;
    a_file_is_added_whole_or_not_at_all_and_every_conflict_is_told;
    a_file_that_was_added_is_added_again_without_effect_whatever_was_ended_since;
    every_change_is_kept_with_who_when_and_why;
    a_route_is_ended_today_or_later_and_what_has_passed_stays;
    midnight_in_copenhagen_and_not_in_utc_decides_which_day_has_passed;
    an_end_can_be_put_off_until_another_route_is_in_the_way;
    a_new_route_can_end_the_one_before_it_in_the_same_stroke;
    room_is_made_only_where_no_day_of_the_past_is_altered_and_none_is_left_without_a_route;
    of_processes_that_add_routes_at_once_one_wins_and_the_others_are_told;
    the_schema_refuses_what_is_written_by_other_means;
}

async fn every_field_of_a_route_comes_back_as_it_was(kept: Kept) {
    let token = route(1, "2026-01-01", Some("2027-01-01"));
    let context = Route {
        sender: None,
        receiver: None,
        security: ProviderSecurity::AuthorityContext,
        service: Uuid::from_u128(5),
        ..route(2, "2026-01-01", None)
    };
    let store = open(&kept).await;
    add(&store, &[token.clone(), context.clone()]).await.unwrap();
    store.close().await;
    let store = open(&kept).await;
    assert_eq!(store.route(token.id).await.unwrap(), token);
    assert_eq!(store.route(context.id).await.unwrap(), context);
    assert_eq!(store.routes().await.unwrap().len(), 2);
    assert!(matches!(store.route(Uuid::nil()).await, Err(RouteError::NoSuchRoute(_))));
}

async fn another_service_sender_receiver_or_environment_has_no_route(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    let agreements = cached(&store, Duration::ZERO);
    assert_eq!(chosen(&agreements, NOW).await, Ok(1));
    let (sender, receiver, other) = (cvr(SENDER), cvr(RECEIVER), cvr("99999981"));
    for (service, sender, receiver, environment) in [
        (Uuid::nil(), sender, receiver, exttest()),
        (SERVICE, other, receiver, exttest()),
        (SERVICE, sender, other, exttest()),
        (SERVICE, receiver, sender, exttest()),
        (SERVICE, sender, receiver, "prod".parse::<Environment>().unwrap()),
    ] {
        let refusal = agreements.route(service, sender, receiver, &environment, at(NOW)).await.unwrap_err();
        assert_eq!(
            refusal,
            Refusal::RouteNotFound {
                sender: sender.to_string(),
                receiver: receiver.to_string(),
                day: day("2026-11-22").unwrap(),
                others: Detail::new("der er heller ingen på andre dage", "nor is there one on other days"),
            }
        );
    }
}

async fn a_route_without_sender_or_receiver_carries_the_calls_of_every_one(kept: Kept) {
    let store = open(&kept).await;
    let to_all = Uuid::from_u128(50);
    let from_all = Uuid::from_u128(51);
    let general = |service, sender: Option<&str>, receiver: Option<&str>, id| Route {
        service,
        sender: sender.map(cvr),
        receiver: receiver.map(cvr),
        ..route(id, "2026-01-01", None)
    };
    let routes =
        [general(SERVICE, None, None, 1), general(to_all, Some(SENDER), None, 2), general(from_all, None, Some(RECEIVER), 3)];
    add(&store, &routes).await.unwrap();
    let agreements = cached(&store, Duration::ZERO);
    let found = async |service, sender: &str, receiver: &str| {
        let found = agreements.route(service, cvr(sender), cvr(receiver), &exttest(), at(NOW)).await;
        found.ok().map(|route| route.id.as_u128())
    };
    assert_eq!(found(SERVICE, "12345678", "87654321").await, Some(1));
    assert_eq!(found(to_all, SENDER, "87654321").await, Some(2));
    assert_eq!(found(to_all, "12345678", RECEIVER).await, None);
    assert_eq!(found(from_all, "12345678", RECEIVER).await, Some(3));
    assert_eq!(found(from_all, SENDER, "87654321").await, None);
}

async fn one_receiver_for_all_is_reached_by_the_route_from_every_to_every_alone(kept: Kept) {
    let store = open(&kept).await;
    let service = Uuid::from_u128;
    let particular = |n: u128, sender: Option<&str>, receiver: Option<&str>| Route {
        service: service(50 + n),
        sender: sender.map(cvr),
        receiver: receiver.map(cvr),
        ..route(n, "2026-01-01", None)
    };
    let general = |n: u128, from, to| Route { service: service(60), sender: None, receiver: None, ..route(n, from, to) };
    let routes = [
        particular(1, Some(SENDER), Some(SENDER)),
        particular(2, Some(SENDER), None),
        particular(3, None, Some(RECEIVER)),
        general(7, "2026-01-01", Some("2027-01-01")),
        general(8, "2027-02-01", None),
    ];
    add(&store, &routes).await.unwrap();
    let agreements = cached(&store, Duration::ZERO);
    let found = async |service, instant: &str| {
        let found = agreements.route_for_all(service, cvr(SENDER), &exttest(), at(instant)).await;
        found.map(|route| route.id.as_u128())
    };
    let none = |day_of: &str, da: &str, en: &str| {
        Err(Refusal::FixedRouteNotFound { day: day(day_of).unwrap(), others: Detail::new(da, en) })
    };
    // Routes of particular authorities are neither taken nor told of.
    for n in 51..=53 {
        let nor = none("2026-11-22", "der er heller ingen på andre dage", "nor is there one on other days");
        assert_eq!(found(service(n), NOW).await, nor);
    }
    let service = service(60);
    assert_eq!(found(service, NOW).await, Ok(7));
    assert_eq!(found(service, "2027-03-01T12:00:00Z").await, Ok(8));
    let next = none("2027-01-15", "den første begynder 2027-02-01", "the first begins on 2027-02-01");
    assert_eq!(found(service, "2027-01-15T12:00:00Z").await, next);
}

async fn the_particular_route_does_not_win_over_the_general_one_but_is_refused(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[Route { sender: None, receiver: None, ..route(1, "2026-01-01", None) }]).await.unwrap();
    let told = conflicts(add(&store, &[route(2, "2027-01-01", Some("2027-02-01"))]).await);
    assert_eq!(
        told,
        ["route 00000000-0000-0000-0000-000000000002: route 00000000-0000-0000-0000-000000000001 carries the same calls \
          (from every authority to every authority), 2026-01-01 – no end"]
    );
}

async fn a_day_begins_and_ends_at_midnight_in_copenhagen_also_where_the_clocks_are_changed(kept: Kept) {
    let store = open(&kept).await;
    let routes = [
        route(1, "2026-10-25", Some("2026-10-26")), // 25 hours
        route(2, "2026-10-26", Some("2027-01-01")),
        route(3, "2027-03-28", Some("2027-03-29")), // 23 hours
    ];
    add(&store, &routes).await.unwrap();
    let agreements = Agreements::new(store, CacheSettings { refresh: Duration::from_secs(3600), ..CacheSettings::default() });
    for (instant, expected) in [
        ("2026-10-24T21:59:59.999Z", None),
        ("2026-10-24T22:00:00Z", Some(1)),
        ("2026-10-25T00:30:00Z", Some(1)), // 02:30, the first time
        ("2026-10-25T01:30:00Z", Some(1)), // 02:30, the second
        ("2026-10-25T22:59:59.999Z", Some(1)),
        ("2026-10-25T23:00:00Z", Some(2)),
        ("2026-12-31T22:59:59.999Z", Some(2)),
        ("2026-12-31T23:00:00Z", None),
        ("2027-03-27T22:59:59.999Z", None),
        ("2027-03-27T23:00:00Z", Some(3)),
        ("2027-03-28T21:59:59.999Z", Some(3)),
        ("2027-03-28T22:00:00Z", None),
    ] {
        assert_eq!(chosen(&agreements, instant).await.ok(), expected, "at {instant}, from the same memory");
    }
}

async fn where_there_is_none_today_the_caller_is_told_of_the_nearest_one(kept: Kept) {
    let store = open(&kept).await;
    let routes = [
        route(1, "2025-01-01", Some("2025-06-01")),
        route(2, "2026-01-01", Some("2026-06-01")),
        route(3, "2027-01-01", Some("2027-06-01")),
        route(4, "2028-01-01", Some("2028-06-01")),
    ];
    add(&store, &routes).await.unwrap();
    let agreements = cached(&store, Duration::ZERO);
    let told = async |instant| match chosen(&agreements, instant).await {
        Err(Refusal::RouteNotFound { others, .. }) => (others.da().to_owned(), others.en().to_owned()),
        other => panic!("{other:?}"),
    };
    let first = ("den første begynder 2027-01-01".to_owned(), "the first begins on 2027-01-01".to_owned());
    assert_eq!(told(NOW).await, first);
    let last = ("den seneste ophørte 2028-06-01".to_owned(), "the last one ended on 2028-06-01".to_owned());
    assert_eq!(told("2029-01-01T12:00:00Z").await, last);
}

async fn an_added_and_an_ended_route_reach_the_gateway_at_the_next_refresh(kept: Kept) {
    let store = open(&kept).await;
    let agreements = cached(&store, Duration::from_secs(3600));
    chosen(&agreements, NOW).await.unwrap_err();
    let before = store.database().revision().await.unwrap();
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    let added = store.database().revision().await.unwrap();
    assert_ne!(added, before, "a cache asks by the revision");
    assert_eq!(chosen(&agreements, NOW).await, Ok(1));
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    assert_eq!(store.database().revision().await.unwrap(), added, "the same route again changes nothing");
    end(&store, 1, "2026-11-22").await.unwrap();
    chosen(&agreements, NOW).await.unwrap_err();
}

async fn while_the_store_is_away_remembered_routes_serve_for_the_bounded_time_and_the_rest_is_refused(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", Some("2027-01-01"))]).await.unwrap();
    let (bounded, over) = (cached(&store, Duration::from_secs(3600)), cached(&store, Duration::ZERO));
    for agreements in [&bounded, &over] {
        assert_eq!(chosen(agreements, NOW).await, Ok(1));
    }
    store.close().await;
    assert_eq!(chosen(&bounded, NOW).await, Ok(1));
    let ended = chosen(&bounded, "2027-01-01T12:00:00Z").await.unwrap_err();
    assert_eq!(ended.code(), "RouteNotFound", "a remembered route still ends in its time");
    assert_eq!(chosen(&over, NOW).await, Err(Refusal::AgreementsUnavailable));
    let never_seen = bounded.route(SERVICE, cvr("99999981"), cvr(RECEIVER), &exttest(), at(NOW)).await;
    assert_eq!(never_seen.unwrap_err(), Refusal::AgreementsUnavailable);
}

async fn receivers_that_a_sender_makes_up_do_not_fill_the_memory(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[Route { receiver: None, ..route(1, "2026-01-01", None) }]).await.unwrap();
    let settings = CacheSettings { refresh: Duration::from_secs(3600), capacity: 1, ..CacheSettings::default() };
    let agreements = Agreements::new(store.clone(), settings);
    assert_eq!(chosen(&agreements, NOW).await, Ok(1));
    store.close().await; // from here on only memory answers
    for number in 0..100 {
        let made_up = cvr(&format!("{:08}", 20_000_000 + number));
        agreements.route(SERVICE, cvr(SENDER), made_up, &exttest(), at(NOW)).await.unwrap();
    }
}

async fn a_file_is_added_whole_or_not_at_all_and_every_conflict_is_told(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", Some("2027-01-01"))]).await.unwrap();
    let other_receiver = |id, from, to| Route { receiver: Some(cvr("99999981")), ..route(id, from, to) };
    let file = [
        other_receiver(2, "2026-01-01", None),
        route(3, "2026-12-31", Some("2027-02-01")),
        other_receiver(4, "2029-01-01", None),
        Route { system: Uuid::nil(), ..route(1, "2026-01-01", Some("2027-01-01")) },
    ];
    let told = conflicts(add(&store, &file).await);
    let told: Vec<_> = told.iter().map(|line| line.split_once(": ").unwrap()).collect();
    let route_number = |number| format!("route {}", Uuid::from_u128(number));
    let in_the_way = |number, rest: &str| format!("{} carries the same calls {rest}", route_number(number));
    assert_eq!(
        told,
        [
            (&*route_number(3), &*in_the_way(1, "(from 99999991 to 11111111), 2026-01-01 – 2027-01-01")),
            (&*route_number(4), &*in_the_way(2, "(from 99999991 to 99999981), 2026-01-01 – no end")),
            (&*route_number(1), "the id belongs to a route with other terms already; give it a new id"),
        ]
    );
    assert_eq!(store.routes().await.unwrap().len(), 1, "nothing of the file was written");
}

async fn a_file_that_was_added_is_added_again_without_effect_whatever_was_ended_since(kept: Kept) {
    let store = open(&kept).await;
    let file = [route(1, "2026-01-01", None), route(2, "2025-01-01", Some("2026-01-01"))];
    add(&store, &file[..1]).await.unwrap();
    assert_eq!(add(&store, &file).await.unwrap(), 1, "the rest of a file whose beginning was added before");
    end(&store, 1, "2027-01-01").await.unwrap();
    let again = store.add_routes(&file, InTheWay::Refuse, &decision(NOW)).await.unwrap();
    assert_eq!((again.added, again.unchanged, again.made_room.len()), (0, 2, 0));
    assert_eq!(again.ended_since.iter().map(|route| route.id.as_u128()).collect::<Vec<_>>(), [1]);
    assert_eq!(store.route_changes(file[0].id).await.unwrap().len(), 2);

    let told = conflicts(add(&store, &[route(1, "2026-01-01", Some("2028-01-01"))]).await);
    assert!(told[0].contains("it is there with another end (2026-01-01 – 2027-01-01)"), "{told:?}");
}

async fn every_change_is_kept_with_who_when_and_why(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    let later = Decision { by: "B. Hansen".to_owned(), reason: "nyt system".to_owned(), at: at("2026-11-23T08:00:00Z") };
    store.end_route(Uuid::from_u128(1), day("2027-01-01").unwrap(), &later).await.unwrap();
    let past = store.route_changes(Uuid::from_u128(1)).await.unwrap();
    let told: Vec<_> = past.iter().map(|past| (past.change, past.to.map(|to| to.to_string()), past.decision.clone())).collect();
    assert_eq!(told, [(Change::Added, None, decision(NOW)), (Change::Ended, Some("2027-01-01".to_owned()), later)]);
}

async fn a_route_is_ended_today_or_later_and_what_has_passed_stays(kept: Kept) {
    let store = open(&kept).await;
    let routes = [
        route(1, "2026-01-01", None),
        Route { sender: None, receiver: Some(cvr("99999981")), ..route(2, "2025-01-01", Some("2026-11-22")) },
        Route { sender: None, receiver: Some(cvr("99999982")), ..route(3, "2027-01-01", None) },
    ];
    add(&store, &routes).await.unwrap();
    let refused = async |id, on| end(&store, id, on).await.unwrap_err().to_string();
    assert!(refused(1, "2026-11-21").await.starts_with("2026-11-21 has passed"));
    assert!(refused(2, "2026-12-01").await.contains("ended on 2026-11-22, and what has passed is not altered"));
    assert!(refused(3, "2026-12-31").await.contains("begins on 2027-01-01; to cancel it before it begins, end it on that day"));
    assert!(refused(9, "2027-01-01").await.contains("there is no route"));

    let (cancelled, changed) = end(&store, 3, "2027-01-01").await.unwrap();
    assert!(changed);
    assert_eq!(cancelled.period.standing(day("2027-01-01").unwrap()), Standing::Cancelled);
    let (_, changed) = end(&store, 1, "2027-01-01").await.unwrap();
    assert!(changed);
    let (_, changed) = end(&store, 1, "2027-01-01").await.unwrap();
    assert!(!changed, "the same end again writes nothing");
    assert_eq!(store.route_changes(Uuid::from_u128(1)).await.unwrap().len(), 2);
}

async fn midnight_in_copenhagen_and_not_in_utc_decides_which_day_has_passed(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    let on = async |instant| store.end_route(Uuid::from_u128(1), day("2026-11-22").unwrap(), &decision(instant)).await;
    assert!(matches!(on("2026-11-22T23:00:00Z").await, Err(RouteError::PastDay { .. })), "in Copenhagen it is the 23rd");
    on("2026-11-22T22:59:59Z").await.unwrap();
}

async fn an_end_can_be_put_off_until_another_route_is_in_the_way(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", Some("2027-01-01")), route(2, "2027-02-01", None)]).await.unwrap();
    end(&store, 1, "2027-02-01").await.unwrap();
    let refused = end(&store, 1, "2027-02-02").await.unwrap_err().to_string();
    assert!(refused.contains(&format!("cannot go on until 2027-02-02: route {}", Uuid::from_u128(2))), "{refused}");
}

async fn a_new_route_can_end_the_one_before_it_in_the_same_stroke(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    let done = store.add_routes(&[route(2, "2027-01-01", None)], InTheWay::End, &decision(NOW)).await.unwrap();
    assert_eq!((done.added, done.made_room.len()), (1, 1));
    let agreements = cached(&store, Duration::ZERO);
    assert_eq!(chosen(&agreements, "2026-12-31T22:59:59Z").await, Ok(1));
    assert_eq!(chosen(&agreements, "2026-12-31T23:00:00Z").await, Ok(2));
    let past = store.route_changes(Uuid::from_u128(1)).await.unwrap();
    assert_eq!(past.last().unwrap().decision, decision(NOW), "who, when and why stand with the route that was ended too");
}

async fn room_is_made_only_where_no_day_of_the_past_is_altered_and_none_is_left_without_a_route(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    let told = async |routes: &[Route]| {
        let refused = store.add_routes(routes, InTheWay::End, &decision(NOW)).await;
        conflicts(refused.map(|done| done.added)).join("\n")
    };
    assert!(told(&[route(2, "2026-11-21", None)]).await.contains("2026-11-21 has passed; begin today (2026-11-22) or later"));
    assert!(told(&[route(2, "2027-01-01", Some("2027-02-01"))]).await.contains("goes on when this one ends; end it yourself"));
    assert!(told(&[route(2, "2025-12-31", None)]).await.contains("begins later; end it yourself"));
    let both = [route(2, "2027-01-01", None), route(3, "2027-02-01", None)];
    assert!(told(&both).await.contains(&format!("route {} carries", Uuid::from_u128(2))), "of one file none ends another");
    assert_eq!(store.routes().await.unwrap(), [route(1, "2026-01-01", None)], "nothing was written");
}

async fn of_processes_that_add_routes_at_once_one_wins_and_the_others_are_told(kept: Kept) {
    let store = open(&kept).await;
    let pki = DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap();
    pki.write(&kept.dir.path().join("pki"), None).unwrap();
    add_operator(&store, pki.credentials(Key::GatewayClient).unwrap().leaf()).await;
    store.close().await;
    kept.write_configuration();
    std::fs::write(kept.dir.path().join("ledger.pem"), route(1, "2026-01-01", None).roots.to_pem()).unwrap();
    let add = |number: u128| {
        let command = format!(
            "route add --id {} --service {SERVICE} --environment exttest --sender {SENDER} --receiver {RECEIVER} --from 2026-01-01 \
             --system {SERVICE} --address https://ledger.example/ --entity-id urn:ledger --security authority-context \
             --roots ledger.pem --config hjemmel.toml --reason B --certificate pki/{key}.pem --key pki/{key}.key.pem",
            Uuid::from_u128(number),
            key = Key::GatewayClient.file_name()
        );
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_hjemmel"));
        process.args(command.split(' ')).current_dir(kept.dir.path()).kill_on_drop(true).output()
    };
    let (one, two, three) = tokio::join!(add(1), add(2), add(3));
    let ended = [one.unwrap(), two.unwrap(), three.unwrap()];
    assert_eq!(ended.iter().filter(|output| output.status.success()).count(), 1, "{ended:?}");
    for output in ended.iter().filter(|output| !output.status.success()) {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("carries the same calls (from 99999991 to 11111111)"), "{told}");
    }
    assert_eq!(open(&kept).await.routes().await.unwrap().len(), 1);
}

/// Adds an operator whose certificate this is: processes decide at the real time.
async fn add_operator(store: &Store, leaf: &rustls_pki_types::CertificateDer<'_>) {
    let (certificate, now) = (Certificate::from_der(leaf).unwrap(), Clock::system().now());
    let user = User {
        id: Uuid::from_u128(77),
        person: Uuid::from_u128(77),
        name: "O. Drift".to_owned(),
        kind: Kind::Person,
        party: None,
        roles: vec![Role::Operator],
        services: Vec::new(),
        certificates: vec![(*certificate.thumbprint()).into()],
        valid_from: now,
        valid_to: None,
        known: hjemmel::users::Known::default(),
    };
    let because = Because::new("prøve".to_owned(), now);
    user::add(store, None, &user.sound().unwrap(), &[certificate], &because).await.unwrap();
}

#[tokio::test]
async fn routes_of_a_store_that_is_restored_by_rename_are_read_from_the_next_call_on() {
    let kept = Kept::in_sqlite();
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    let agreements = cached(&store, Duration::from_secs(3600));
    assert_eq!(chosen(&agreements, NOW).await, Ok(1));
    let copy = Store::open(&Settings::sqlite(&kept.dir.path().join("copy.sqlite"))).await.unwrap();
    add(&copy, &[route(2, "2026-01-01", None)]).await.unwrap();
    copy.close().await;
    mv(&kept.dir.path().join("copy.sqlite"), &kept.dir.path().join("agreements.sqlite"));
    assert_eq!(chosen(&agreements, NOW).await, Ok(2));
}

/// A store's file, reached without the product.
pub(super) async fn raw(dir: &tempfile::TempDir) -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("agreements.sqlite"));
    sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options.create_if_missing(true)).await.unwrap()
}

async fn the_schema_refuses_what_is_written_by_other_means(kept: Kept) {
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", Some("2027-01-01")), route(2, "2027-01-01", None)]).await.unwrap();
    let copied = |days: &str| {
        format!(
            "INSERT INTO route SELECT '00000000-0000-4000-8000-00000000000f', service, environment, NULL, receiver, {days}, system, address, entity_id, security,
             roots, signing_certificates FROM route WHERE valid_to IS NULL"
        )
    };
    let in_sqlite = matches!(kept.settings.at, hjemmel::store::At::Sqlite(_));
    let before_it_begins = if in_sqlite { "check constraint" } else { "range lower bound must be less" };
    for (change, why) in [
        (copied("'2026-12-31', '2027-01-01'"), "carries the same calls"),
        ("UPDATE route SET valid_to = '2027-01-02' WHERE valid_to IS NOT NULL".to_owned(), "carries the same calls"),
        ("UPDATE route SET valid_to = '2025-01-01'".to_owned(), before_it_begins),
        ("UPDATE route SET address = 'https://other.example/'".to_owned(), "never altered"),
        ("DELETE FROM route".to_owned(), "never deleted"),
        ("UPDATE route_change SET reason = 'another'".to_owned(), "never altered"),
        ("DELETE FROM route_change".to_owned(), "never deleted"),
    ] {
        let refused = kept.execute(&change).await.unwrap_err().to_string();
        assert!(refused.to_lowercase().contains(why), "{change}: {refused}");
    }
    let allowed = copied("'2025-01-01', '2026-01-01'");
    kept.execute(&allowed).await.unwrap();
    if in_sqlite {
        let day = "UPDATE route SET valid_to = '2026-06-1' WHERE valid_to = '2027-01-01'";
        assert!(kept.execute(day).await.unwrap_err().to_string().contains("CHECK constraint"), "PostgreSQL has a type for days");
    }
}

/// The migrations of this release up to `version`.
pub(super) async fn migrations_to(version: i64) -> sqlx::migrate::Migrator {
    let all = sqlx::migrate::Migrator::new(std::path::Path::new("migrations/sqlite")).await.unwrap();
    sqlx::migrate::Migrator::with_migrations(all.iter().filter(|one| one.version <= version).cloned().collect())
}

#[tokio::test]
async fn the_release_before_goes_on_while_this_one_brings_the_store_up_to_date() {
    let kept = Kept::in_sqlite();
    let before = raw(&kept.dir).await;
    migrations_to(3).await.run(&before).await.unwrap();
    let write = async |name: &str| {
        sqlx::query("INSERT INTO authority (cvr, name, role) VALUES ('11111111', ?, 'municipality') ON CONFLICT (cvr) DO UPDATE SET name = excluded.name")
            .bind(name.to_owned())
            .execute(&before)
            .await
            .map(|_| ())
    };
    write("Korsbæk Kommune").await.unwrap();
    let store = open(&kept).await;
    add(&store, &[route(1, "2026-01-01", None)]).await.unwrap();
    write("Korsbæk").await.unwrap();
    assert_eq!(store.authorities().await.unwrap()[0].name, "Korsbæk");
    let restarted = migrations_to(3).await.run(&before).await.unwrap_err();
    assert!(matches!(restarted, sqlx::migrate::MigrateError::VersionMissing(4)), "what it says when it is started again");
}

#[tokio::test]
async fn who_looks_at_routes_makes_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agreements.sqlite");
    Store::open_to(Access::Look, &Settings::sqlite(&path)).await.unwrap_err();
    assert!(!path.exists());
}

/// What is done to a store, with days counted from [`first`].
#[derive(Debug, Clone)]
enum Step {
    Add { sender: Option<usize>, receiver: Option<usize>, from: i64, to: Option<i64> },
    End { number: usize, on: i64 },
}

/// The first of thirty days that are tried; today is the tenth of them.
fn first() -> Date {
    "2027-03-20".parse().unwrap()
}
const TODAY: i64 = 10;
const DAYS: std::ops::Range<i64> = 0..30;
/// The last authority is named by no route.
const AUTHORITIES: [&str; 3] = ["11111111", "99999981", "99999991"];

fn nth(number: i64) -> Date {
    first() + number.days()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let authority = || prop_oneof![1 => Just(None), 3 => (0..2usize).prop_map(Some)];
    let days = || (0..24i64, prop_oneof![1 => Just(None), 3 => (1..6i64).prop_map(Some)]);
    let add = (authority(), authority(), days()).prop_map(|(sender, receiver, (from, length))| Step::Add {
        sender,
        receiver,
        from,
        to: length.map(|length| from + length),
    });
    let end = (0..8usize, 5..29i64).prop_map(|(number, on)| Step::End { number, on });
    prop::collection::vec(prop_oneof![3 => add, 1 => end], 1..14)
}

/// What a route comes to: the calls that it carries, each a sender, a receiver and a day. Days beyond the last do not matter
/// here, but that a route without end goes on over them all does.
#[derive(Debug, Clone)]
struct Reference {
    sender: Option<usize>,
    receiver: Option<usize>,
    from: i64,
    to: Option<i64>,
}

impl Reference {
    fn carries(&self, sender: usize, receiver: usize, day: i64) -> bool {
        let days = self.from..self.to.unwrap_or(i64::MAX);
        [(self.sender, sender), (self.receiver, receiver)].iter().all(|(own, asked)| own.is_none() || *own == Some(*asked))
            && days.contains(&day)
    }

    fn meets(&self, other: &Self) -> bool {
        let pairs = (0..3).flat_map(|sender| (0..3).map(move |receiver| (sender, receiver)));
        pairs.into_iter().any(|(sender, receiver)| {
            (0..40).any(|day| self.carries(sender, receiver, day) && other.carries(sender, receiver, day))
        })
    }

    /// The same with its end put to `on`, if that may be done today.
    fn ended(&self, on: i64) -> Option<Self> {
        let gone = self.to.is_some_and(|to| to <= TODAY || to <= self.from);
        let unchanged = self.to == Some(on);
        (unchanged || (!gone && on >= TODAY && on >= self.from)).then(|| Self { to: Some(on), ..self.clone() })
    }
}

#[test]
fn whatever_is_added_and_ended_each_call_has_one_receiver_at_most_on_any_day_in_sqlite() {
    whatever_is_added_and_ended(&Kept::in_sqlite(), 64);
}

#[test]
fn whatever_is_added_and_ended_each_call_has_one_receiver_at_most_on_any_day_in_postgres() {
    if let Some(kept) = Kept::in_postgres() {
        whatever_is_added_and_ended(&kept, 32);
    }
}

fn whatever_is_added_and_ended(kept: &Kept, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(open(kept));
    let case = std::cell::Cell::new(1_u128);
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let tried = runner.run(&steps(), |steps| {
        // A service of its own for each case, in one store: making a store takes longer than the rest.
        let service = case.replace(case.get() + 1) << 32;
        runtime.block_on(try_out(&store, service, &steps));
        Ok(())
    });
    tried.unwrap();
}

async fn try_out(store: &Store, service: u128, steps: &[Step]) {
    let noon = |number: i64| nth(number).at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let now = Decision { at: noon(TODAY), ..decision(NOW) };
    let mut held: Vec<(Uuid, Reference)> = Vec::new();
    for (number, step) in (1..).zip(steps) {
        match step {
            Step::Add { sender, receiver, from, to } => {
                let reference = Reference { sender: *sender, receiver: *receiver, from: *from, to: *to };
                let authority = |which: &Option<usize>| which.map(|which| cvr(AUTHORITIES[which]));
                let route = Route {
                    service: Uuid::from_u128(service),
                    sender: authority(sender),
                    receiver: authority(receiver),
                    period: Period::new(nth(*from), to.map(nth)).unwrap(),
                    ..route(service + number, "2026-01-01", None)
                };
                let free = !held.iter().any(|(_, other)| other.meets(&reference));
                let added = store.add_routes(std::slice::from_ref(&route), InTheWay::Refuse, &now).await;
                assert_eq!(added.is_ok(), free, "{step:?} to {held:?}: {added:?}");
                if free {
                    held.push((route.id, reference));
                }
            }
            Step::End { number, on } => {
                let Some((id, reference)) = held.get(*number).cloned() else { continue };
                let ended =
                    reference.ended(*on).filter(|ended| !held.iter().any(|(other, with)| *other != id && with.meets(ended)));
                let done = store.end_route(id, nth(*on), &now).await;
                assert_eq!(done.is_ok(), ended.is_some(), "{step:?} of {held:?}: {done:?}");
                if let Some(ended) = ended {
                    held[*number].1 = ended;
                }
            }
        }
    }
    let agreements = Agreements::new(store.clone(), CacheSettings::default());
    for (sender, receiver, number) in
        (0..3).flat_map(|sender| (0..3).flat_map(move |receiver| DAYS.map(move |number| (sender, receiver, number))))
    {
        let expected: Vec<_> = held.iter().filter(|(_, route)| route.carries(sender, receiver, number)).collect();
        assert!(expected.len() <= 1);
        let (sender, receiver) = (cvr(AUTHORITIES[sender]), cvr(AUTHORITIES[receiver]));
        let found = agreements.route(Uuid::from_u128(service), sender, receiver, &exttest(), noon(number)).await;
        assert_eq!(found.ok().map(|route| route.id), expected.first().map(|(id, _)| *id), "on day {number} of {held:?}");
    }
}

#[test]
fn a_day_is_written_in_one_way() {
    for good in ["2027-01-01", "2028-02-29", "0001-01-01"] {
        assert_eq!(day(good).unwrap().to_string(), good);
    }
    for bad in
        ["", "2027-1-1", "2027-02-29", "20270101", "2027-01-01T00:00", "2027-01-01 ", "+002027-01-01", "01-01-2027", "i dag"]
    {
        assert!(day(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_period_has_at_least_one_day() {
    let from: Date = "2027-01-01".parse().unwrap();
    assert!(Period::new(from, Some(from)).is_err());
    assert!(Period::new(from, Some(from - 1.day())).is_err());
    assert!(Period::new(from, Some(from + 1.day())).is_ok());
    assert!(Period::new("-000001-01-01".parse().unwrap(), None).is_err());
}

#[test]
fn an_address_is_https_and_says_nothing_but_where() {
    use hjemmel::agreements::route::Address;
    for good in ["https://ledger.example", "https://ledger.example:8443/finans/1", "https://[2001:db8::1]/finans"] {
        assert!(good.parse::<Address>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "http://ledger.example/",
        "ledger.example/finans",
        "https:///finans",
        "https://user@ledger.example/",
        "https://ledger.example/#part",
        "https://ledger.example/?a=b",
        "https://ledger.example/a b",
        " https://ledger.example/",
        &format!("https://ledger.example/{}", "a".repeat(1000)),
    ] {
        assert!(bad.parse::<Address>().is_err(), "{bad}");
    }
}

#[test]
fn certificates_are_at_least_one_each_usable_and_in_an_order_that_does_not_matter() {
    let other = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap().cert.der().clone();
    let one = CERTIFICATE.clone();
    let pinned = |certificates: &[_]| Pinned::new(certificates.to_vec());
    assert_eq!(pinned(&[one.clone(), other.clone(), one.clone()]), pinned(&[other.clone(), one.clone()]));
    assert_eq!(pinned(&[]).unwrap_err().to_string(), "a route has 1 to 16 certificates of a kind, and these are 0");
    assert!(Roots::new(Vec::new()).is_err());
    let broken = rustls_pki_types::CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
    assert!(pinned(std::slice::from_ref(&broken)).is_err() && Roots::new(vec![broken]).is_err());
    let many: Vec<_> = (0..17)
        .map(|number| rcgen::generate_simple_self_signed([format!("{number}.example")]).unwrap().cert.der().clone())
        .collect();
    assert!(Roots::new(many).unwrap_err().to_string().ends_with("these are 17"));
    let roots = Roots::new(vec![one, other]).unwrap();
    assert_eq!(roots.to_pem().parse::<Roots>().unwrap(), roots);
}
