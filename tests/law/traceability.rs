//! From the words of the law to the rule, from the rule to its cases and to the audit record: the document that says so
//! is held against the policy file, the tests and the record, so that it cannot grow old.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hjemmel::refusal::Refusal;
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::release::Words;

const DOCUMENT: &str = include_str!("../../docs/law/udbetaling-danmark-8-1.md");
const POLICY: &str = include_str!("../../policies/terminaladgang-6.toml");
const RECORD: &str = concat!(include_str!("../../src/audit/record.rs"), include_str!("../../src/audit/about/terminaladgang.rs"));

/// One row of the document's tables.
struct Row<'d> {
    heading: &'d str,
    id: &'d str,
    words: &'d str,
    cases: Vec<&'d str>,
    record: &'d str,
}

fn rows(document: &str) -> Vec<Row<'_>> {
    let mut heading = "";
    let mut found = Vec::new();
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title;
        }
        let Some(cells) = line.strip_prefix("| `").and_then(|line| line.strip_suffix(" |")) else { continue };
        let cells: Vec<_> = cells.split(" | ").collect();
        let [id, words, cases, record] = cells.as_slice() else { panic!("four cells: {line}") };
        let cases = quoted(cases);
        found.push(Row { heading, id: id.trim_end_matches('`'), words, cases, record });
    }
    found
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn policy() -> Policy {
    Policy::read(POLICY, Path::new("policies/terminaladgang-6.toml")).unwrap()
}

/// The words of the law that the document quotes.
fn law(document: &str) -> String {
    let lines: Vec<_> = document.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    lines.join(" ")
}

/// The words of § 8, stk. 1 that a basis cites.
fn cited(basis: &str) -> Option<&str> {
    basis.strip_prefix("§ 8, stk. 1: \"")?.split('"').next()
}

/// Whether a test of this name stands in the file.
fn is_test(case: &str) -> bool {
    let Some((file, name)) = case.split_once(": ") else { return false };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(path).unwrap_or_default();
    file.starts_with("tests/") && source.contains(&format!("fn {name}("))
}

/// Every case of the case files, such as `window/person: two-persons`, with the rules that it says it shows.
fn cases() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut found = BTreeMap::new();
    for folder in ["window", "release"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let file: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
            let name = format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap());
            for case in file["case"].as_array().unwrap() {
                let shows = case.get("shows").or_else(|| file.get("shows")).and_then(toml::Value::as_array);
                let shows = shows.into_iter().flatten().map(|rule| rule.as_str().unwrap().to_owned());
                found.insert(format!("{name}: {}", case["id"].as_str().unwrap()), shows.collect());
            }
        }
    }
    found
}

/// Everything that is not true of the document.
fn problems(document: &str, rules: &[&Words], cases: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut found = Vec::new();
    let rows = rows(document);
    let known: BTreeMap<&str, &Words> = rules.iter().map(|words| (words.id.as_str(), *words)).collect();
    let law = law(document);
    for id in known.keys() {
        let times = rows.iter().filter(|row| row.id == *id).count();
        if times != 1 {
            found.push(format!("{id} stands there {times} times"));
        }
    }
    for row in &rows {
        let Some(rule) = known.get(row.id) else {
            found.push(format!("{} is no rule of the policy", row.id));
            continue;
        };
        let law_alone = cited(&rule.basis).is_some_and(|cited| rule.basis.ends_with(&format!("{cited}\"")));
        if law_alone == rule.basis_da.is_some() {
            found.push(format!("{}: what is not the law's own words is said in Danish too (basis-da)", row.id));
        }
        if row.words != format!("{}<br>{}", rule.da, rule.en) {
            found.push(format!("{}: other words than the policy's", row.id));
        }
        let phrase = row.heading.strip_prefix('»').and_then(|rest| rest.split('«').next());
        let placed = match (cited(&rule.basis), phrase) {
            (Some(cited), Some(phrase)) => law.contains(cited) && (phrase.contains(cited) || cited.contains(phrase)),
            (None, None) => rule.basis.starts_with("inferred: ") == row.heading.contains("Inferred"),
            _ => false,
        };
        if !placed {
            found.push(format!("{} stands under {} and rests on {}", row.id, row.heading, rule.basis));
        }
        let (tests, files): (Vec<&str>, Vec<&str>) = row.cases.iter().partition(|case| case.starts_with("tests/"));
        if files.is_empty() {
            found.push(format!("{} has no case", row.id));
        }
        found.extend(tests.into_iter().filter(|test| !is_test(test)).map(|test| format!("{}: there is no test {test}", row.id)));
        for case in files {
            match cases.get(case) {
                None => found.push(format!("{}: there is no case {case}", row.id)),
                Some(shows) if !shows.iter().any(|rule| rule == row.id) => {
                    found.push(format!("{}: {case} does not say that it shows it", row.id));
                }
                Some(_) => {}
            }
        }
        found.extend(record(row, &known));
    }
    for (case, shows) in cases {
        if shows.is_empty() {
            found.push(format!("{case} names no rule"));
        }
        found.extend(
            shows
                .iter()
                .filter(|rule| !known.contains_key(rule.as_str()))
                .map(|rule| format!("{case} shows {rule}, which is no rule")),
        );
    }
    found
}

/// What is not true of a row's last cell: each field is one of the record's, each refusal is one of ours.
fn record(row: &Row<'_>, known: &BTreeMap<&str, &Words>) -> Vec<String> {
    let mut found = Vec::new();
    if row.record.trim().is_empty() {
        found.push(format!("{}: nothing is said of the record", row.id));
    }
    for field in quoted(row.record) {
        let mut parts = field.split('.');
        let first = parts.next().unwrap_or_default();
        if !RECORD.contains(&format!("    pub {first}: ")) {
            found.push(format!("{}: the record has no {field}", row.id));
        }
        if first != "settings" && parts.nth(1).is_some_and(|rule| !known.contains_key(rule)) {
            found.push(format!("{}: {field} is counted by no rule", row.id));
        }
    }
    let refusals: BTreeSet<&str> = hjemmel::services::refusals().iter().map(Refusal::code).collect();
    if let Some((_, named)) = row.record.split_once("`refusal` ") {
        let named = named.split(" where ").next().unwrap_or_default().split(", ");
        found.extend(named.filter(|code| !refusals.contains(code)).map(|code| format!("{}: no refusal {code}", row.id)));
    }
    found
}

#[test]
fn each_rule_leads_from_the_law_to_its_cases_and_to_the_record() {
    let policy = policy();
    let found = problems(DOCUMENT, &policy.words(), &cases());
    assert!(found.is_empty(), "docs/law/udbetaling-danmark-8-1.md: {found:#?}");
    assert!(policy.words().len() > 40, "the rules were read");
}

#[test]
fn each_phrase_of_the_law_that_the_page_quotes_leads_to_a_rule() {
    let law = law(DOCUMENT);
    for phrase in DOCUMENT.lines().filter_map(|line| line.strip_prefix("## »")?.split('«').next()) {
        assert!(law.contains(phrase), "{phrase} is quoted from the law");
        assert!(rows(DOCUMENT).iter().any(|row| row.heading.contains(phrase)), "{phrase} leads to a rule");
    }
}

#[test]
fn the_check_sees_what_is_missing_or_wrong() {
    let (policy, cases) = (policy(), cases());
    let line = DOCUMENT.lines().find(|line| line.starts_with("| `window` ")).expect("the row of the window");
    let found = |changed: &str, to: &str| {
        assert!(DOCUMENT.contains(changed), "{changed}");
        problems(&DOCUMENT.replacen(changed, to, 1), &policy.words(), &cases).join("; ")
    };
    let found_in = |row: &str| found(line, row);
    for (changed, to, told) in [
        (line, "", "window stands there 0 times"),
        (line, &*format!("{line}\n{line}"), "window stands there 2 times"),
        ("| `window` ", "| `windows` ", "windows is no rule of the policy"),
        ("release/payment: date-before-the-window", "release/payment: date-that-nobody-tries", "there is no case"),
        ("release/payment: date-before-the-window", "window/person: two-persons", "does not say that it shows it"),
        ("tests/law/window/days.rs: the_window", "tests/law/window/days.rs: a_window", "there is no test"),
        ("`removed.objects.window`", "`removed.objects.windows`", "is counted by no rule"),
        ("`window_asked`", "`window_wished`", "the record has no window_wished"),
        ("DirectLookup", "IndirectLookup", "no refusal IndirectLookup"),
        ("Effektueringens id.", "Betalingens id.", "other words than the policy's"),
        ("> modtaget de seneste 3 måneder", "> modtaget de seneste 4 måneder", "and rests on"),
        ("## Udledt · Inferred", "## Teknisk · Technical", "and rests on"),
    ] {
        let found = found(changed, to);
        assert!(found.contains(told), "{changed} → {to}: {found}");
    }
    let mut rules: Vec<Words> = policy.words().into_iter().cloned().collect();
    rules.push(Words { id: "new".to_owned(), ..rules[0].clone() });
    let found = problems(DOCUMENT, &rules.iter().collect::<Vec<_>>(), &cases);
    assert_eq!(found, ["new stands there 0 times"], "a rule that the page does not know");

    let with = |shows: &[&str]| {
        let mut cases = cases.clone();
        cases.insert("window/new: new".to_owned(), shows.iter().map(|rule| (*rule).to_owned()).collect());
        problems(DOCUMENT, &policy.words(), &cases)
    };
    assert_eq!(with(&[]), ["window/new: new names no rule"]);
    assert_eq!(with(&["new"]), ["window/new: new shows new, which is no rule"]);
    assert!(with(&["window"]).is_empty());
    let row =
        line.split(" | ").map(|cell| if cell.contains("release/") { "`tests/law/traceability.rs: problems`" } else { cell });
    assert!(found_in(&row.collect::<Vec<_>>().join(" | ")).contains("window has no case"), "a test alone is no case file");
}
