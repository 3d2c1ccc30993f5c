//! The policy file: what it says, and how a wrong one is refused, every problem with its line and its remedy.

use std::path::Path;

use hjemmel::services::terminaladgang::law::document::{Policy, PolicyErrors};
use hjemmel::services::terminaladgang::law::release::catalogue::{Field, Guard};
use hjemmel::services::terminaladgang::law::rules::{Future, Naive, Outside, PersonCheck, Reading};

const FILE: &str = include_str!("../../policies/terminaladgang-6.toml");

fn read(text: &str) -> Result<Policy, PolicyErrors> {
    Policy::read(text, Path::new("policies/terminaladgang-6.toml"))
}

#[test]
fn the_projects_policy_is_whole_and_says_why() {
    let policy = read(FILE).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        (policy.id(), policy.version(), policy.valid_from().to_string().as_str()),
        ("terminaladgang-6", "1", "2026-01-01")
    );
    assert!(policy.legal_basis().da.contains("§ 8, stk. 1"));
    let request = policy.request();
    assert_eq!((request.reading, request.naive, request.outside), (Reading::CalendarMonths, Naive::Copenhagen, Outside::Refuse));
    assert_eq!((request.direct_lookup, request.include, request.page_cap), (false, false, 500));
    let release = policy.release();
    assert_eq!((release.person_check(), release.empty_status()), (PersonCheck::Prove, 20));
    assert_eq!(release.future(), Future::Release, "as the documented service");
    for field in Field::ALL {
        let rule = release.field(*field).unwrap_or_else(|| panic!("{} has a rule", field.path()));
        let net = matches!(field, Field::NetAmount | Field::SentAmount | Field::PaidAmount);
        assert_eq!(rule.release, !net, "{}: only the net amounts are off by default", field.path());
    }
    for guard in Guard::ALL {
        assert!(release.words(guard.id()).is_some(), "{} is explained", guard.id());
    }
}

#[test]
fn the_digest_is_that_of_the_files_bytes() {
    let digest = |text: &str| *read(text).unwrap().digest();
    assert_eq!(digest(FILE), digest(FILE));
    assert_ne!(digest(FILE), digest(&format!("{FILE}\n")));
}

/// The line on which a text begins.
fn line_of(text: &str, part: &str) -> usize {
    1 + text.split(part).next().unwrap().matches('\n').count()
}

#[test]
fn a_wrong_policy_is_refused_with_line_and_remedy() {
    // What is replaced, by what, where the problem is reported, and what its message and remedy say.
    let cases = [
        (
            "a path that the code does not know",
            "\"E/oei:Dispositionsdato\"]\nform",
            "\"E/oei:Udbetalingsafdeling\"]\nform",
            "\"E/oei:Udbetalingsafdeling\"",
            "E/oei:Udbetalingsafdeling\" is not known",
            "Use one of: sd:StandardRetur/sd:StatusKode",
        ),
        ("a wildcard is no path", "\"Y/gd:ReferenceID\"", "\"Y/*\"", "\"Y/*\"", "\"Y/*\" is not known", "Use one of"),
        (
            "a rule without a basis",
            "basis = \"§ 8, stk. 1: \\\"modtaget de seneste 3 måneder\\\"\"\nda = \"Tidspunktet",
            "da = \"Tidspunktet",
            "[[release.field]]\nid = \"disposition-date\"",
            "disposition-date has no basis",
            "Add basis =",
        ),
        (
            "a basis that names no source",
            "basis = \"technical: paging\"\nbasis-da = \"teknisk: sideinddeling\"\nda = \"Antal",
            "basis = \"because\"\nda = \"Antal",
            "basis = \"because\"",
            "names no source",
            "\"inferred: \"",
        ),
        (
            "an unknown key",
            "form = \"kle\"\n",
            "form = \"kle\"\nallow = \"all\"\n",
            "allow = \"all\"",
            "\"allow\" is not known here",
            "Remove it",
        ),
        (
            "a wider form",
            "form = \"digits-4\"",
            "form = \"digits-9\"",
            "paths = [\"Y/gd:Indeks\"]",
            "cannot have the form digits-9",
            "Use digits-4, or a form that narrows it",
        ),
        ("an unknown form", "form = \"kle\"", "form = \".*\"", "form = \".*\"", "\".*\" is not known", "such as uuid"),
        (
            "a value that the schema requires is switched off",
            "[\"R/oei:ObjektType/sd:UUIDIdentifikator\"]\nform = \"uuid\"\nrelease = true",
            "[\"R/oei:ObjektType/sd:UUIDIdentifikator\"]\nform = \"uuid\"\nrelease = false",
            "[\"R/oei:ObjektType",
            "cannot be switched off",
            "release = true",
        ),
        (
            "a path under two rules",
            "\"Y/gd:Rolle\", ",
            "\"Y/gd:ReferenceID\", \"Y/gd:Rolle\", ",
            "paths = [\"Y/gd:ReferenceID\", \"Y/gd:Rolle\"",
            "named by two rules",
            "one of them",
        ),
        (
            "an id given twice",
            "id = \"paging\"",
            "id = \"count\"",
            "id = \"count\"\npaths = [\"yi:Antal/yi:Pag",
            "\"count\" is given twice",
            "its own id",
        ),
        ("an unknown reason", "id = \"sums\"", "id = \"sum\"", "id = \"sum\"", "\"sum\" is not known", "Use one of: grant"),
        (
            "a setting of the wrong kind",
            "value = 500",
            "value = \"500\"",
            "value = \"500\"",
            "not a whole number from 1 to 10000",
            "Write value as",
        ),
        ("a page cap of none", "value = 500", "value = 0", "value = 0", "not a whole number", "Write value as"),
        (
            "an unknown reading",
            "value = \"calendar-months\"",
            "value = \"four-months\"",
            "value = \"four-months\"",
            "\"four-months\" is not known",
            "calendar-months, rolling-start, rolling",
        ),
        (
            "an unknown criterion",
            "element = \"Ejer\"",
            "element = \"Foelsomhed\"",
            "element = \"Foelsomhed\"",
            "\"Foelsomhed\" is not known",
            "Use one of: Dispositionsdato",
        ),
        (
            "a criterion on a field that is not released",
            "element = \"SamletBruttobeloeb\"",
            "element = \"BeloebUdbetalt\"",
            "element = \"BeloebUdbetalt\"",
            "is not released, and hits would tell it",
            "Remove this [[request.criterion]]",
        ),
        (
            "an unknown person check",
            "check = \"prove\"",
            "check = \"none\"",
            "check = \"none\"",
            "\"none\" is not known",
            "prove, trust-index",
        ),
        ("another empty status", "\nstatus = 20", "\nstatus = 21", "status = 21", "not 20 or 44", "Write status"),
        (
            "a role that is no UUID",
            "owner = \"a91824c4-da1d-47f9-bce2-5d6597879415\"",
            "owner = \"Ejer\"",
            "owner = \"Ejer\"",
            "not a UUID",
            "role's UUID",
        ),
        (
            "a date that is no date",
            "valid-from = 2026-01-01",
            "valid-from = \"soon\"",
            "valid-from = \"soon\"",
            "not a date",
            "2026-11-01",
        ),
        (
            "a release that is no switch",
            "[\"yi:Antal\"]\nform = \"count\"\nrelease = true",
            "[\"yi:Antal\"]\nform = \"count\"\nrelease = \"yes\"",
            "release = \"yes\"",
            "not true or false",
            "Write release",
        ),
        (
            "no purpose in Danish",
            "da = \"Til brug for vurdering",
            "dk = \"Til brug for vurdering",
            "[purpose]",
            "\"da\" is missing",
            "Add da",
        ),
        ("broken TOML", "[roles]", "[roles", "[roles", "not TOML", "Mend the syntax"),
    ];
    for (name, from, to, at, what, remedy) in cases {
        assert_eq!(FILE.matches(from).count(), 1, "{name}: the case replaces one place");
        let text = FILE.replace(from, to);
        let errors = read(&text).expect_err(name);
        let line = line_of(&text, at);
        let found = errors.problems.iter().find(|problem| problem.what.contains(what) && problem.remedy.contains(remedy));
        let found = found.unwrap_or_else(|| panic!("{name}: {errors}"));
        assert_eq!(found.line, line, "{name}: {errors}");
        assert!(errors.to_string().contains(&format!("policies/terminaladgang-6.toml:{line}: ")), "{name}: {errors}");
    }
}

#[test]
fn a_missing_rule_is_told() {
    for (name, start) in [("silence", "[[release.guard]]\nid = \"silence\""), ("page-cap", "[[request.rule]]\nid = \"page-cap\"")]
    {
        let from = FILE.find(start).unwrap();
        let length = FILE.get(from + 2..).unwrap().find("\n[").map_or(FILE.len() - from, |end| end + 2);
        let text = FILE.replace(FILE.get(from..from + length).unwrap(), "");
        let errors = read(&text).unwrap_err().to_string();
        assert!(errors.contains(&format!("for {name}.")), "{errors}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = FILE
        .replace("value = 500", "value = 0")
        .replace("form = \"kle\"", "form = \"any\"")
        .replace("check = \"prove\"", "check = \"off\"")
        .replacen("version = \"1\"", "", 1);
    let errors = read(&text).unwrap_err();
    assert_eq!(errors.problems.len(), 4, "{errors}");
    assert!(errors.problems.is_sorted_by_key(|problem| problem.line), "{errors}");
    assert!(read("").unwrap_err().problems.len() >= 8, "an empty file lacks everything");
}
