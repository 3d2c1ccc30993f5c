//! What the case files (`cases/window`, tried by `tests/law/cases.rs`) cannot say: what no policy can list, and what is printed.

use hjemmel::services::terminaladgang::law::kle::Constraint;
use hjemmel::services::terminaladgang::law::rules::{Criterion, RequestRules, SortingElement};

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
    for (allowed, withheld) in [("Startdato", "Foelsomhed"), ("Ydelsesnavn", "FuldtNavn")] {
        let listed =
            |name: &str| toml::from_str::<RequestRules>(&RULES.replace(&format!("\"{allowed}\""), &format!("\"{name}\"")));
        assert!(listed(allowed).is_ok(), "{allowed}");
        assert!(listed(withheld).unwrap_err().to_string().contains(withheld), "{withheld}");
    }
}

#[test]
fn a_search_names_the_roles_that_the_policy_names_and_no_others() {
    const OTHER: &str = "00000000-0000-4000-8000-00000000abcd";
    let named = |role: &str| format!("<gd:Rolle>{}</gd:Rolle>", uuid(role));
    let owned = |role: &str| {
        let owner = format!("<oei:Aktoer>{}<oei:CVR-nr>99999991</oei:CVR-nr></oei:Aktoer>", named(role));
        search(&and(&[&person(), &effectuation(&extensions(&[&interval(FROM, TO)]), &owner)]))
    };
    let granted = |role: &str| {
        let party =
            format!("<bi:Bevillingspart>{}<gd:ReferenceID>{}</gd:ReferenceID></bi:Bevillingspart>", named(role), cpr(PERSON));
        search(&and(&[&grant(&party), &inside()]))
    };
    for (name, asked) in [("owner", &owned as &dyn Fn(&str) -> String), ("grantee", &granted)] {
        let shipped: toml::Table = toml::from_str(RULES).unwrap();
        let role = shipped["roles"][name].as_str().unwrap();
        let moved: RequestRules = toml::from_str(&RULES.replace(role, OTHER)).unwrap();
        let ask = |role: &str, rules: &RequestRules| ask_with(&asked(role), rules, &Constraint::unconstrained());
        assert!(ask(role, &rules("")).is_ok() && ask(OTHER, &moved).is_ok(), "{name}: the policy's role is taken");
        assert!(ask(OTHER, &rules("")).is_err() && ask(role, &moved).is_err(), "{name}: another is not");
    }
}

#[test]
fn nothing_that_is_printed_by_accident_holds_the_person() {
    let asked = ask(&search(&and(&[&person(), &inside()]))).unwrap();
    assert!(!format!("{asked:?} {:?}", asked.decisions()).contains(PERSON));
    assert!(forwarded(&asked).contains(PERSON));
}
