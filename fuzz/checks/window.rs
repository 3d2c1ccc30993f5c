//! The window checker, with the policy that ships: what is accepted is bound to one person and to the window.
//!
//! The bytes are a `FremsoegYdelseIndeksInput`. What the checker accepts is asked of the stub's index, which searches with
//! code of its own, in both of its readings.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::kle::Constraint;
use hjemmel::services::terminaladgang::law::request::{self, Outcome, Search};
use hjemmel::services::terminaladgang::law::window::Window;
use hjemmel::signature::c14n::canonical_bytes;
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;
use hjemmel::stub::population::{Population, Registration};
use hjemmel::stub::ydelsesindeks::evaluate::{Index, Join};
use hjemmel::stub::ydelsesindeks::request as stub;
use jiff::Timestamp;

use super::reading::reread;

/// The instant at which everything is judged.
pub const NOW: &str = "2026-11-22T12:00:00+01:00";

pub static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let text = include_str!("../../policies/terminaladgang-6.toml");
    Policy::read(text, Path::new("policies/terminaladgang-6.toml")).expect("the policy that ships is read")
});

/// The same, where what is still to come is withheld.
pub static WITHHOLDING: LazyLock<Policy> = LazyLock::new(|| {
    let text = include_str!("../../policies/terminaladgang-6.toml").replace("future = \"release\"", "future = \"withhold\"");
    Policy::read(&text, Path::new("policies/terminaladgang-6.toml")).expect("the policy that withholds is read")
});

/// A small index: the well-known persons, among them those whose data are hazards.
static INDEX: LazyLock<Index> = LazyLock::new(|| Index::new(Arc::new(Population::generate(7, 0, now()))));

fn now() -> Timestamp {
    NOW.parse().expect("an instant")
}

pub fn window() -> Window {
    Window::at(now(), POLICY.request().reading).expect("a window")
}

pub fn check(data: &[u8]) {
    let Ok(document) = Document::parse(Bytes::copy_from_slice(data), &Limits::default()) else { return };
    let narrow = Constraint::unconstrained().and(["32.03.*", "32.06.04"]).expect("a constraint");
    let free = accepted(&document, &Constraint::unconstrained());
    let bound = accepted(&document, &narrow);
    if let Some(bound) = bound {
        let free = free.expect("a constraint only takes away");
        assert!(free.forward() == bound.forward(), "a constraint is enforced in the answer; the search stays");
        assert!(bound.kle_asked().iter().all(|kle| narrow.permits(kle)), "only KLE numbers that are given");
    }
}

fn accepted(document: &Document, constraint: &Constraint) -> Option<Search> {
    let (rules, window) = (POLICY.request(), window());
    let search = request::check(document.root(), rules, &window, constraint).ok()?;
    let sent = std::str::from_utf8(search.forward()).expect("UTF-8");

    let again = reread(search.forward());
    assert!(canonical_bytes(again.root()) == search.forward(), "what is sent is canonical: {sent}");
    let second = match request::check(again.root(), rules, &window, constraint) {
        Ok(second) => second,
        Err(refusal) => panic!("sent, and refused when read: {refusal}\n{sent}"),
    };
    assert_eq!(second.outcome(), Outcome::Unchanged, "{sent}");
    assert!(second.forward() == search.forward(), "{sent}");
    assert!(second.person() == search.person() && second.kle_asked() == search.kle_asked());
    assert_eq!(search.outcome() == Outcome::Inserted, search.asked_windows().is_empty());

    let person = search.person().expose_urn();
    let urns = sent.split("<sd:URNIdentifikator").skip(1).map(|rest| rest.split(['>', '<']).nth(1).unwrap_or_default());
    assert!(sent.contains(&person), "the person is in the search");
    assert!(urns.filter(|urn| urn.contains("cpr")).all(|urn| urn == person), "and is the only one: {sent}");
    assert_eq!(sent.matches("urn:oio:cpr-nr:").count(), sent.matches(&*person).count(), "{sent}");

    found(again.root(), &search);
    Some(search)
}

/// Whatever the index finds by this search has a disposition date in the window, and no grant is another person's.
fn found(input: hjemmel::soap::document::Element<'_>, search: &Search) {
    let asked = match stub::read(&input) {
        Ok(asked) => asked,
        Err(_) => return, // the stub does not know every criterion that an index may
    };
    let population = INDEX.population();
    let in_window = |registration: &Registration| {
        let dates = registration.properties.iter().filter_map(|properties| properties.disposition.as_ref());
        dates.map(|date| date.instant()).any(|at| search.window().from() <= at && at < search.window().to())
    };
    for join in [Join::Pointwise, Join::Leafwise] {
        let found = INDEX.search(&asked, join);
        for n in found.effectuations {
            let effectuation = &population.effectuations[n];
            assert!(effectuation.registrations.iter().any(in_window), "{join:?} finds a payment outside the window");
        }
        if join == Join::Pointwise {
            let whose = |n: &usize| population.grants[*n].grantees.iter().any(|cpr| cpr == search.person().expose());
            assert!(found.grants.iter().all(whose), "a grant of another person");
        }
    }
}
