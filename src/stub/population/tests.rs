//! The population is the same for the same seed, and holds every hazard.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_population_and_another_seed_another() {
    let one = Population::generate(42, 500, now());
    assert_eq!(one, Population::generate(42, 500, now()));
    assert_ne!(one.effectuations, Population::generate(43, 500, now()).effectuations);
}

#[test]
fn nobody_in_it_can_be_anybody() {
    let population = Population::generate(42, 600, now());
    assert_eq!(population.persons.len(), 600);
    for person in &population.persons {
        let day: u32 = person.cpr.get(..2).unwrap().parse().unwrap();
        let month: u32 = person.cpr.get(2..4).unwrap().parse().unwrap();
        assert!(person.cpr.len() == 10 && (61..=91).contains(&day) && (1..=12).contains(&month), "{}", person.cpr);
    }
    let distinct: BTreeSet<_> = population.persons.iter().map(|person| &person.cpr).collect();
    assert_eq!(distinct.len(), 600);
    let uuids: BTreeSet<_> = population.effectuations.iter().map(|effectuation| effectuation.uuid).collect();
    assert_eq!(uuids.len(), population.effectuations.len());
}

#[test]
fn five_hundred_persons_hold_every_hazard() {
    let population = Population::generate(42, 500, now());
    let from: Timestamp = "2026-07-31T22:00:00Z".parse().unwrap();
    let to: Timestamp = "2026-11-30T23:00:00Z".parse().unwrap();
    let inside = |properties: &Properties| {
        properties.disposition.as_ref().is_some_and(|date| from <= date.instant() && date.instant() < to)
    };
    let grantees = |uuid: &Uuid| population.grants.iter().find(|grant| grant.uuid == *uuid).map(|grant| &grant.grantees);
    let registration = |test: &dyn Fn(&Registration) -> bool| {
        population.effectuations.iter().filter(|e| e.registrations.iter().any(test)).count()
    };
    let line = |test: &dyn Fn(&Line) -> bool| registration(&|r| r.lines.iter().any(test));
    let gross = |test: &dyn Fn(&str) -> bool| {
        registration(&|r| r.properties.iter().filter_map(|properties| properties.gross.as_deref()).any(test))
    };
    let date = |test: &dyn Fn(&str) -> bool| {
        registration(&|r| r.properties.iter().filter_map(|properties| properties.disposition.as_ref()).any(|d| test(d.text())))
    };
    let grant = |test: &dyn Fn(&Grant) -> bool| population.grants.iter().filter(|grant| test(grant)).count();

    let owned = |cvr: &str, within: bool| {
        registration(&|r| r.owners == [Some(cvr.to_owned())] && r.properties.iter().any(|p| inside(p) == within))
    };
    let cases = [
        ("owned by UDK, inside", owned(UDK, true)),
        ("owned by UDK, outside", owned(UDK, false)),
        ("owned by Korsbæk, inside", owned(KORSBAEK, true)),
        ("owned by Andeby, outside", owned("99999981", false)),
        ("without a disposition date", registration(&|r| r.properties.iter().all(|p| p.disposition.is_none()))),
        (
            "two sets of properties, one inside and one not",
            registration(&|r| r.properties.iter().any(inside) && !r.properties.iter().all(inside)),
        ),
        ("several registrations", population.effectuations.iter().filter(|e| e.registrations.len() > 1).count()),
        ("deleted", registration(&|r| r.life_cycle == LifeCycle::Slettet)),
        ("without an owner", registration(&|r| r.owners.is_empty())),
        ("an owner without a number", registration(&|r| r.owners == [None])),
        ("two owners", registration(&|r| r.owners.len() == 2)),
        (
            "paid to somebody who is not the grantee",
            registration(&|r| {
                r.lines
                    .iter()
                    .filter_map(|l| l.grant.as_ref())
                    .filter_map(|(uuid, _)| grantees(uuid))
                    .any(|grantees| r.payees.iter().any(|payee| !grantees.contains(payee)))
            }),
        ),
        (
            "lines of grants to different persons",
            registration(&|r| {
                let persons: BTreeSet<_> = r.lines.iter().filter_map(|l| grantees(&l.grant.as_ref()?.0)).collect();
                persons.len() > 1
            }),
        ),
        ("a line without a reference", line(&|l| l.grant.is_none())),
        (
            "a line that refers to no grant there is",
            line(&|l| l.grant.as_ref().is_some_and(|(uuid, _)| grantees(uuid).is_none())),
        ),
        ("no lines", registration(&|r| r.lines.is_empty())),
        ("several lines", registration(&|r| r.lines.len() > 1)),
        ("no payee", registration(&|r| r.payees.is_empty())),
        ("two payees", registration(&|r| r.payees.len() > 1)),
        ("a negative amount", gross(&|a| a.starts_with('-'))),
        ("an amount with decimals", gross(&|a| a.contains('.'))),
        ("an amount that no number type holds", gross(&|a| a.len() > 20)),
        ("an amount with leading zeros", gross(&|a| a.starts_with("00"))),
        ("no amount", registration(&|r| r.properties.iter().any(|p| p.gross.is_none()))),
        ("a line without KLE", line(&|l| l.kle.is_none())),
        ("a KLE that hides a number", line(&|l| l.kle.as_ref().is_some_and(|kle| kle.len() > 8))),
        ("a line without a class", line(&|l| l.class.is_none())),
        ("a split benefit", line(&|l| l.kle.as_deref() == Some(SPLIT_BENEFIT.kle))),
        ("a date without an offset", date(&|d| d.len() == 19)),
        ("a date from the far side of the world", date(&|d| d.ends_with("+14:00"))),
        ("a winter date with a summer offset", date(&|d| d.starts_with("2026-11") && d.ends_with("+02:00"))),
        ("a date with a fraction", date(&|d| d.contains('.'))),
        ("a VIP case", grant(&|g| g.sensitivity == "VIP_SAGER")),
        ("a grant to nobody", grant(&|g| g.grantees.is_empty())),
        ("a grant to two", grant(&|g| g.grantees.len() == 2)),
    ];
    for (hazard, count) in cases {
        assert!(count > 0, "{hazard}: none in five hundred persons");
    }
}

#[test]
fn the_well_known_persons_are_as_described_under_every_seed() {
    for seed in [0, 1, 42, u64::MAX] {
        let population = Population::generate(seed, 500, now());
        let owners_of = |cpr: &str| {
            let grants: Vec<_> = population.grants.iter().filter(|grant| grant.grantees.iter().any(|g| g == cpr)).collect();
            let owners: BTreeSet<_> = grants.iter().map(|grant| grant.owner.as_str()).collect();
            (grants.len(), owners.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(owners_of(demo::UDK_ONLY), (1, vec![UDK]));
        assert_eq!(owners_of(demo::MUNICIPAL_ONLY), (2, vec![KORSBAEK, "99999981"]));
        assert_eq!(owners_of(demo::NOTHING), (0, vec![]));
        assert_eq!(owners_of(demo::UNPROVEN), (1, vec![UDK]));
        assert_eq!(owners_of(demo::BOTH), (3, vec![KORSBAEK, UDK]));
        let paid_to = |cpr: &str| {
            population.effectuations.iter().filter(|e| e.registrations.iter().any(|r| r.payees.iter().any(|p| p == cpr))).count()
        };
        assert_eq!((paid_to(demo::UDK_ONLY), paid_to(demo::NOTHING), paid_to(demo::THIRD_PERSON)), (10, 0, 10));
        let unproven = population.effectuations.iter().filter(|e| {
            e.registrations.iter().any(|r| r.payees == [demo::UNPROVEN] && r.lines.iter().all(|l| l.grant.is_none()))
        });
        assert_eq!(unproven.count(), 1);
    }
}
