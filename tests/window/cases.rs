//! What the case files (`cases/window`, tried by `tests/cases.rs`) cannot say: what no policy can list, and what is printed.

use hjemmel::policy::rules::{Criterion, RequestRules, SortingElement};

use crate::request::*;

#[test]
fn no_policy_can_list_a_field_that_is_never_shown() {
    for (name, criterion) in Criterion::EVERY {
        assert_eq!(
            (Criterion::named(name), format!("{criterion:?}")),
            (Some(criterion), name.to_owned()),
            "a policy names it as the wire does"
        );
    }
    assert_eq!((Criterion::named("Foelsomhed"), SortingElement::named("FuldtNavn")), (None, None));
    assert!(toml::from_str::<RequestRules>("criteria = [\"Foelsomhed\"]\nsorting = []").is_err());
    assert!(toml::from_str::<RequestRules>("criteria = []\nsorting = [\"FuldtNavn\"]").is_err());
}

#[test]
fn nothing_that_is_printed_by_accident_holds_the_person() {
    let asked = ask(&search(&and(&[&person(), &inside()]))).unwrap();
    assert!(!format!("{asked:?} {:?}", asked.decisions()).contains(PERSON));
    assert!(forwarded(&asked).contains(PERSON));
}
