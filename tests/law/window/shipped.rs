//! The policy file that ships lets the honest searches of the cases through, and lists what the cases take it to list.

use std::path::Path;

use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::kle::Constraint;
use hjemmel::services::terminaladgang::law::request::Outcome;
use hjemmel::services::terminaladgang::law::rules::{Criterion, SortingElement};

use crate::request::*;

#[test]
fn the_shipped_policy_searches_by_the_rules_that_the_cases_use() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/terminaladgang-6.toml");
    let policy = Policy::read(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
    let shipped = policy.request();
    let cases = rules("");
    for (name, criterion) in Criterion::EVERY {
        assert_eq!(shipped.criteria.contains(&criterion), cases.criteria.contains(&criterion), "{name}");
    }
    assert_eq!(shipped.criteria.len(), cases.criteria.len(), "no name of the file is lost on the way");
    assert!(
        [SortingElement::Dispositionsdato, SortingElement::Ydelsesnavn].iter().all(|element| shipped.sorting.contains(element))
    );
    assert_eq!((shipped.reading, shipped.naive, shipped.outside), (cases.reading, cases.naive, cases.outside));
    assert_eq!((shipped.direct_lookup, shipped.include, shipped.page_cap), (cases.direct_lookup, cases.include, cases.page_cap));
    let asked = search(&and(&[&person(), &effectuation("", &kle("32.03.04"))]));
    assert_eq!(ask_with(&asked, shipped, &Constraint::unconstrained()).unwrap().outcome(), Outcome::Inserted);
}
