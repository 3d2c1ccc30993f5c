//! Request and answer together: whatever the index does, nothing about another person, another owner or another time is
//! released. For every person of an invented population, both directions and both joins: the request is checked, the stub
//! index evaluates what would be sent, its answer is filtered, and what is left is held against the population itself.
//!
//! The judge below knows neither window, filter nor policy: it computes the window from the calendar, and looks each
//! released payment up in the population by its UUID.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hjemmel::cli::call::question::Question;
use hjemmel::id::cpr::Cpr;
use hjemmel::refusal::Refusal;
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use hjemmel::services::terminaladgang::law::refusal::LawRefusal;
use hjemmel::services::terminaladgang::law::release::{Ask, Filter, Filtered, Limits as ReleaseLimits};
use hjemmel::services::terminaladgang::law::request::{Search, check};
use hjemmel::services::terminaladgang::law::window::Window;
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::reading::Reading;
use hjemmel::soap::scan::{End, Scanner};
use hjemmel::soap::strict::{Limits, Token};
use hjemmel::stub::population::{Effectuation, Grant, LifeCycle, MUNICIPALITIES, Population, Registration, UDK};
use hjemmel::stub::ydelsesindeks::answer::Answer;
use hjemmel::stub::ydelsesindeks::evaluate::{Found, Index, Join};
use hjemmel::stub::ydelsesindeks::request;
use jiff::Timestamp;
use uuid::Uuid;

const PERSONS: usize = 240;
const NOW: &str = "2026-11-22T12:00:00+01:00";
/// The window of that day, by the calendar: the current month and the three before it, in Danish time.
const FROM: &str = "2026-07-31T22:00:00Z";
const TO: &str = "2026-11-30T23:00:00Z";

struct World {
    policy: Policy,
    population: Arc<Population>,
    index: Index,
    grants: HashMap<Uuid, Grant>,
    /// Payments by everybody they have to do with: grantees and payees.
    about: HashMap<String, BTreeSet<usize>>,
    payments: HashMap<String, Effectuation>,
}

#[derive(Default, Debug)]
struct Seen {
    calls: usize,
    served: usize,
    unproven: usize,
    came: usize,
    released: usize,
    due: usize,
}

fn world() -> World {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/terminaladgang-6.toml");
    let policy = Policy::read(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
    let population = Arc::new(Population::generate(7, PERSONS, NOW.parse().unwrap()));
    let grants: HashMap<_, _> = population.grants.iter().map(|grant| (grant.uuid, grant.clone())).collect();
    let mut about: HashMap<String, BTreeSet<usize>> = HashMap::new();
    for (n, payment) in population.effectuations.iter().enumerate() {
        for registration in &payment.registrations {
            let granted = registration.lines.iter().filter_map(|line| grants.get(&line.grant.as_ref()?.0));
            for person in granted.flat_map(|grant| &grant.grantees).chain(&registration.payees) {
                about.entry(person.clone()).or_default().insert(n);
            }
        }
    }
    World {
        policy,
        index: Index::new(population.clone()),
        grants,
        about,
        payments: population.effectuations.iter().map(|payment| (payment.uuid.to_string(), payment.clone())).collect(),
        population,
    }
}

/// Whose benefits each direction may see.
fn counterparts() -> [(&'static str, Vec<&'static str>); 2] {
    [("a municipality asks", vec![UDK]), ("UDK asks", MUNICIPALITIES.iter().map(|(cvr, _)| *cvr).skip(1).collect())]
}

fn asked(world: &World, cpr: &str) -> Search {
    let input = Document::parse(Bytes::from(Question::about(Cpr::parse(cpr).unwrap()).input()), &Limits::default()).unwrap();
    let rules = world.policy.request();
    let window = Window::at(NOW.parse().unwrap(), rules.reading).unwrap();
    check(input.root(), rules, &window, &Constraint::unconstrained()).unwrap()
}

fn filtered(world: &World, search: &Search, owners: &[&str], answer: &Answer) -> Result<Filtered, Refusal> {
    let ask = Ask {
        person: search.person().clone(),
        window: *search.window(),
        counterpart: owners.iter().map(|cvr| (*cvr).to_owned()).collect(),
        names: Arc::new(BTreeMap::from([(UDK.to_owned(), "Udbetaling Danmark".to_owned())])),
        kle: Constraint::unconstrained(),
        sensitivity: SensitivityConstraint::unconstrained(),
        asked: search.asked(),
        naive: world.policy.request().naive,
        limits: ReleaseLimits::default(),
        decisions: false,
    };
    let body = answer.pieces().collect::<Vec<_>>().concat();
    let mut filter = Filter::new(world.policy.release().clone(), ask);
    let mut scanner = Scanner::new(Limits { nodes: usize::MAX, ..Limits::default() });
    scanner.take(&body);
    scanner.finish(End::Whole);
    let mut first = true;
    while let Some(token) = scanner.next()? {
        let outermost = std::mem::take(&mut first) || (token == Token::End && scanner.depth() == 0);
        match token {
            Token::Eof => break,
            _ if outermost => {}
            token => filter.feed(token, &scanner)?,
        }
    }
    filter.finish()
}

/// What the index answers when it is asked as the gateway asks.
fn honest(world: &World, search: &Search, join: Join) -> Answer {
    let document = Document::parse(Bytes::copy_from_slice(search.forward()), &Limits::default()).unwrap();
    let search = request::read(&document.root()).unwrap();
    answer(world, world.index.search(&search, join))
}

fn answer(world: &World, found: Found) -> Answer {
    Answer { population: world.population.clone(), status: 20, text: None, found, filter: None, padding: None }
}

fn in_window(at: Timestamp) -> bool {
    static WINDOW: LazyLock<(Timestamp, Timestamp)> = LazyLock::new(|| (FROM.parse().unwrap(), TO.parse().unwrap()));
    WINDOW.0 <= at && at < WINDOW.1
}

/// Whether a registration of a payment may be shown to whoever asks about `cpr` and may see `owners`.
fn may_be_shown(world: &World, registration: &Registration, cpr: &str, owners: &[&str]) -> bool {
    let theirs = registration.lines.iter().filter_map(|line| line.grant.as_ref()).any(|(grant, _)| {
        let grant = world.grants.get(grant);
        grant.is_some_and(|grant| grant.grantees == [cpr])
    });
    let owner = matches!(registration.owners.as_slice(), [Some(owner)] if owners.contains(&owner.as_str()));
    // No date outside, and one inside; properties without a date of their own are held to account below.
    let mut dates = registration.properties.iter().filter_map(|of| of.disposition.as_ref()).peekable();
    let timely = dates.peek().is_some() && dates.all(|date| in_window(date.instant()));
    theirs && owner && timely && registration.life_cycle != LifeCycle::Slettet
}

/// Payments of `cpr` with nothing doubtful about them: they must be there.
fn due(world: &World, cpr: &str, owners: &[&str]) -> BTreeSet<Uuid> {
    let plain = |payment: &Effectuation| match payment.registrations.as_slice() {
        [registration] => {
            let granted = registration.lines.iter().all(|line| {
                let grant = line.grant.as_ref().and_then(|(grant, _)| world.grants.get(grant));
                grant.is_some_and(|of| {
                    of.grantees == [cpr] && of.sensitivity != "VIP_SAGER" && of.life_cycle == LifeCycle::Opstaaet
                })
            });
            granted
                && registration.properties.iter().all(|of| of.disposition.is_some())
                && may_be_shown(world, registration, cpr, owners)
        }
        _ => false,
    };
    let payments = world.about.get(cpr).into_iter().flatten().map(|n| &world.population.effectuations[*n]);
    payments.filter(|payment| plain(payment)).map(|payment| payment.uuid).collect()
}

fn text(element: Element<'_>, local: &str) -> Option<String> {
    element.descendants().find(|child| child.local() == local).and_then(|child| child.text()).map(|text| text.into_owned())
}

fn every(element: Element<'_>, local: &str) -> Vec<String> {
    element.descendants().filter(|e| e.local() == local).filter_map(|e| e.text()).map(|text| text.into_owned()).collect()
}

/// Holds what was released against the population; gives the UUIDs of the payments.
fn judge(world: &World, what: &str, released: &Filtered, cpr: &str, owners: &[&str]) -> BTreeSet<String> {
    let xml = std::str::from_utf8(released.body()).unwrap();
    for person in &world.population.persons {
        assert!(person.cpr == cpr || !xml.contains(&person.cpr), "{what}: another person's number");
        assert!(!xml.contains(&person.name), "{what}: a person's name");
    }
    let document =
        Document::parse(Bytes::copy_from_slice(released.body()), &Limits { nodes: 10_000_000, ..Limits::default() }).unwrap();
    let mut shown = BTreeSet::new();
    for object in document.root().elements().filter(|e| e.local() != "StandardRetur" && e.local() != "Antal") {
        assert_eq!(object.local(), "OekonomiskEffektueringFiltreretOejebliksbillede", "{what}");
        let uuid = text(object, "UUIDIdentifikator").unwrap();
        let payment = &world.payments[&uuid];
        let permitted: Vec<_> =
            payment.registrations.iter().filter(|registration| may_be_shown(world, registration, cpr, owners)).collect();
        assert!(!permitted.is_empty(), "{what}: {uuid} is another person's, another owner's or of another time");
        for owner in every(object, "CVR-nr") {
            assert!(owners.contains(&owner.as_str()), "{what}: owner {owner}");
        }
        // Each date and each amount is one that stands in a registration that may be shown, and is not another's.
        for date in every(object, "Dispositionsdato") {
            let properties = permitted.iter().flat_map(|registration| &registration.properties);
            assert!(properties.filter_map(|of| of.disposition.as_ref()).any(|of| of.text() == date), "{what}: {uuid} {date}");
        }
        for sum in every(object, "SamletBruttobeloeb") {
            let mut dated =
                permitted.iter().flat_map(|registration| &registration.properties).filter(|of| of.disposition.is_some());
            assert!(dated.any(|of| of.gross.as_ref() == Some(&sum)), "{what}: {uuid} shows a sum without a date");
        }
        for amount in every(object, "Ydelsesbeloeb") {
            let lines = permitted.iter().flat_map(|registration| &registration.lines);
            let own = |(grant, _): &(Uuid, String)| world.grants.get(grant).is_some_and(|of| of.grantees == [cpr]);
            let mut theirs = lines.filter(|line| line.grant.as_ref().is_some_and(own));
            assert!(theirs.any(|line| line.amount.as_ref() == Some(&amount)), "{what}: {uuid} {amount}");
        }
        shown.insert(uuid);
    }
    shown
}

fn hold(world: &World, seen: &mut Seen, what: &str, cpr: &str, owners: &[&str], answer: &Answer) -> Option<BTreeSet<String>> {
    let search = asked(world, cpr);
    seen.calls += 1;
    seen.came += answer.found.effectuations.len();
    match filtered(world, &search, owners, answer) {
        Ok(released) => {
            seen.served += 1;
            let shown = judge(world, what, &released, cpr, owners);
            seen.released += shown.len();
            Some(shown)
        }
        Err(refusal) if refusal == LawRefusal::PersonUnproven.into() => {
            seen.unproven += 1;
            None
        }
        Err(refusal) => panic!("{what}: {refusal}"),
    }
}

#[test]
fn whatever_the_join_nothing_of_another_person_owner_or_time_is_released_and_what_is_due_is_there() {
    let world = world();
    for join in [Join::Pointwise, Join::Leafwise] {
        for (direction, owners) in counterparts() {
            let mut seen = Seen::default();
            for (n, person) in world.population.persons.iter().enumerate() {
                let what = format!("{join:?}, {direction}, person {n}");
                let answer = honest(&world, &asked(&world, &person.cpr), join);
                let due = due(&world, &person.cpr, &owners);
                seen.due += due.len();
                if let Some(shown) = hold(&world, &mut seen, &what, &person.cpr, &owners, &answer) {
                    let missing: Vec<_> = due.iter().filter(|uuid| !shown.contains(&uuid.to_string())).collect();
                    assert!(missing.is_empty(), "{what}: {missing:?} are due and not there");
                }
            }
            eprintln!("{join:?}, {direction}: {seen:?}");
            assert_eq!(seen.calls, PERSONS);
            assert!(
                seen.served > PERSONS / 2 && seen.released > 100 && seen.came > seen.released,
                "{seen:?}: too little was tried"
            );
        }
    }
}

#[test]
fn an_index_that_answers_another_question_shows_nothing_of_it() {
    let world = world();
    let persons = &world.population.persons;
    for (direction, owners) in counterparts() {
        let mut seen = Seen::default();
        for (n, person) in persons.iter().enumerate() {
            // The answers to the questions about the next two persons, over all times, and their grants, beside the own.
            let mut found = Found::default();
            for other in (0..3).map(|step| &persons[(n + step) % persons.len()].cpr) {
                let grants = &world.population.grants;
                found.grants.extend((0..grants.len()).filter(|n| grants[*n].grantees.contains(other)));
                found.effectuations.extend(world.about.get(other).into_iter().flatten());
            }
            for list in [&mut found.grants, &mut found.effectuations] {
                list.sort_unstable();
                list.dedup();
            }
            let what = format!("hostile, {direction}, person {n}");
            hold(&world, &mut seen, &what, &person.cpr, &owners, &answer(&world, found));
        }
        eprintln!("hostile, {direction}: {seen:?}");
        assert!(seen.served > 0 && seen.came > 15 * seen.released.max(1), "{seen:?}: too little was tried");
    }
}

#[test]
fn the_judge_sees_a_foreign_payment() {
    let world = world();
    let [first, second] = [&world.population.persons[0].cpr, &world.population.persons[1].cpr];
    // The payments that one person may be shown, held against another person.
    let of_first =
        hold(&world, &mut Seen::default(), "own", first, &[UDK], &honest(&world, &asked(&world, first), Join::Pointwise));
    let uuid = of_first.expect("the well-known person is served").into_iter().next().expect("and has a payment");
    let payment = &world.payments[&uuid];
    assert!(payment.registrations.iter().any(|registration| may_be_shown(&world, registration, first, &[UDK])));
    assert!(!payment.registrations.iter().any(|registration| may_be_shown(&world, registration, second, &[UDK])));
    assert!(!payment.registrations.iter().any(|registration| may_be_shown(&world, registration, first, &["99999982"])));
}
