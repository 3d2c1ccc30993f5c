//! What is shipped beside the program must speak of the same codes and metrics as the program does.

use std::collections::BTreeSet;

use crate::decides::Decides;
use hjemmel::agreements::import::Import;
use hjemmel::agreements::route::file;
use hjemmel::agreements::route::store::{Decision, InTheWay};
use hjemmel::agreements::{State, Store};
use hjemmel::refusal::{Party, Retry};
use hjemmel::store::Settings;

const RULES: &str = include_str!("../../deploy/prometheus-rules.yaml");
const DASHBOARD: &str = include_str!("../../deploy/grafana-dashboard.json");

/// The alternatives of every `code=~"…"` in the rules: a name, or the beginning of names where it ends in `.*`.
fn alternatives() -> Vec<Vec<&'static str>> {
    let lists = RULES.split("code=~\"").skip(1).filter_map(|rest| rest.split('"').next());
    lists.map(|list| list.split('|').collect()).collect()
}

fn matches(alternative: &str, code: &str) -> bool {
    alternative.strip_suffix(".*").map_or(alternative == code, |start| code.starts_with(start))
}

#[test]
fn every_code_in_an_alert_is_a_code_of_the_gateway() {
    let every = hjemmel::services::refusals();
    for alternative in alternatives().concat() {
        assert!(every.iter().any(|refusal| matches(alternative, refusal.code())), "{alternative} matches no code");
    }
}

#[test]
fn the_alert_on_failures_counts_each_failure_that_may_pass_and_nothing_that_a_caller_can_mend() {
    let failures = alternatives().into_iter().next().expect("the rule hjemmel:gateway_failures:rate5m comes first");
    for refusal in hjemmel::services::refusals() {
        let entry = refusal.entry();
        let counted = failures.iter().any(|alternative| matches(alternative, entry.code));
        let failure = entry.party == Party::Gateway && entry.retry == Retry::Later;
        assert_eq!(counted, failure, "{}", entry.code);
    }
}

#[test]
fn the_dashboard_is_json_and_no_panel_is_without_a_query() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let titles: BTreeSet<_> = panels.iter().map(|panel| panel["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), panels.len(), "each panel has a title of its own");
    for panel in panels {
        let targets = panel["targets"].as_array().unwrap();
        assert!(targets.iter().all(|target| target["expr"].as_str().unwrap().contains("hjemmel")), "{}", panel["title"]);
    }
}

const AGREEMENTS: &str = include_str!("../../deploy/agreements.example.toml");
const SETTINGS: &str = include_str!("../../deploy/hjemmel.example.toml");

#[tokio::test]
async fn the_sample_agreements_are_imported_once_and_fit_the_sample_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&Settings::sqlite(&dir.path().join("agreements.sqlite"))).await.unwrap();
    let import = Import::parse(AGREEMENTS, &hjemmel::services::vocabulary()).unwrap();
    let at = "2026-11-22T12:00:00Z".parse().unwrap();
    assert_eq!(store.import(&import, at).await.unwrap().added, 2);
    let again = store.import(&import, at).await.unwrap();
    assert_eq!((again.added, again.changed, again.unchanged), (0, 0, 2));
    for requested in &import.agreements {
        assert_eq!(requested.state, State::Requested, "an import makes no other");
        store.decide(requested.id, State::Approved, "A. Underskriver", "prøve", at).await.unwrap();
    }
    assert_eq!(store.import(&import, at).await.unwrap().unchanged, 2, "and once more after the approval that it asks for");

    let settings: toml::Table = SETTINGS.parse().unwrap();
    for agreement in store.list().await.unwrap() {
        assert_eq!(settings["environment"].as_str(), Some(agreement.environment.as_str()));
        assert!(SETTINGS.contains(&format!("# service_uuid = \"{}\"", agreement.service)), "the default service");
        assert_eq!(agreement.state, State::Approved);
    }
    assert!(
        import
            .authorities
            .iter()
            .any(|authority| settings["service"]["terminaladgang-6"]["udk_cvr"].as_str() == Some(&authority.cvr.to_string()))
    );
}

#[test]
fn the_sample_agreements_explain_every_key_that_an_import_knows() {
    let unknown = Import::parse(&format!("{AGREEMENTS}\nno_such_key = 1\n"), &hjemmel::services::vocabulary()).unwrap_err();
    let known = unknown[0].message.split_once("known are ").unwrap().1;
    for key in known.split(", ") {
        let stands = AGREEMENTS.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} = ")));
        assert!(stands, "{key} is not in deploy/agreements.example.toml");
    }
}

const ROUTES: &str = include_str!("../../deploy/routes.example.toml");

/// A folder with the certificates that the sample routes name.
#[allow(clippy::unwrap_used, reason = "a helper of tests says no by panicking")]
fn certificates() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ledger-ca.pem", "ledger-signing.pem", "register-ca.pem"] {
        let made = rcgen::generate_simple_self_signed([format!("{name}.example")]).unwrap();
        std::fs::write(dir.path().join(name), made.cert.pem()).unwrap();
    }
    dir
}

#[tokio::test]
async fn the_sample_routes_are_added_once_and_fit_the_sample_configuration() {
    let dir = certificates();
    let store = Store::open(&Settings::sqlite(&dir.path().join("agreements.sqlite"))).await.unwrap();
    let routes = file::parse(ROUTES, dir.path()).unwrap();
    let at = "2026-11-22T12:00:00Z".parse().unwrap();
    let decision = Decision { by: "A. Jensen".to_owned(), reason: "prøve".to_owned(), at };
    assert_eq!(store.add_routes(&routes, InTheWay::Refuse, &decision).await.unwrap().added, 2);
    assert_eq!(store.add_routes(&routes, InTheWay::Refuse, &decision).await.unwrap().unchanged, 2);
    let settings: toml::Table = SETTINGS.parse().unwrap();
    assert!(routes.iter().all(|route| settings["environment"].as_str() == Some(route.environment.as_str())));
    assert!(routes.iter().any(|route| route.sender.is_none() && route.receiver.is_none()), "a fixed receiver is shown");
}

#[test]
fn the_sample_routes_explain_every_key_that_a_route_has() {
    let unknown = file::parse(&format!("{ROUTES}\nno_such_key = 1\n"), certificates().path()).unwrap_err();
    let known = unknown[0].message.split_once("known are ").unwrap().1;
    let first = ROUTES.split("[[route]]").nth(1).unwrap();
    for key in known.split(", ") {
        let before = first.split_once(&format!("\n{key} = ")).unwrap_or_else(|| panic!("{key} is not there")).0;
        let explained = before.lines().next_back().unwrap().starts_with("# ") || key == "valid_to";
        assert!(explained, "{key} is not explained in deploy/routes.example.toml");
    }
}

/// Every Rust source below a folder, as one text.
fn sources(folder: &std::path::Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => all += &sources(&path),
            false if path.extension().is_some_and(|extension| extension == "rs") => {
                all += &std::fs::read_to_string(&path).unwrap()
            }
            false => {}
        }
    }
    all
}

const FAILURES: &str = include_str!("../../docs/failures.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// The names in a text that begin so and go on with these letters.
fn names(text: &str, start: &str, more: fn(char) -> bool) -> BTreeSet<String> {
    let begun =
        text.match_indices(start).filter(|(at, _)| !text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    let name = |at: usize| text[at..].chars().take_while(|c| more(*c)).collect::<String>();
    begun.map(|(at, _)| name(at)).filter(|name| name.len() > start.len()).collect()
}

#[test]
fn every_alert_leads_to_a_row_of_what_fails_and_every_alert_that_is_told_of_is_one() {
    let alerts: BTreeSet<_> = RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    let rows: Vec<_> = FAILURES.lines().filter(|line| line.starts_with("| ")).collect();
    for alert in &alerts {
        assert!(rows.iter().any(|row| row.contains(alert.as_str())), "{alert} is in no row of docs/failures.md");
    }
    for page in [FAILURES, OPERATIONS, include_str!("../../docs/audit.md")] {
        let told = names(page, "Hjemmel", |c| c.is_ascii_alphanumeric());
        let told: BTreeSet<_> =
            told.into_iter().filter(|name| name["Hjemmel".len()..].starts_with(|c: char| c.is_ascii_uppercase())).collect();
        assert!(told.is_subset(&alerts), "{:?}", told.difference(&alerts));
    }
}

#[test]
fn every_failure_of_the_gateways_own_has_a_row_of_what_fails() {
    let pages = [
        include_str!("../../docs/faults.md"),
        include_str!("../../docs/faults-finans.md"),
        include_str!("../../docs/faults-persons.md"),
    ];
    let mut failures = 0;
    for row in pages.iter().flat_map(|page| page.lines()) {
        let cells: Vec<_> = row.split(" | ").collect();
        let [code, "gateway", ..] = cells[..] else { continue };
        let code = code.trim_start_matches("| ").trim_matches('`');
        failures += 1;
        let told = FAILURES.split('`').skip(1).step_by(2).any(|name| name == code);
        assert!(told, "{code} is in no row of docs/failures.md");
    }
    assert!(failures > 20, "{failures}");
}

#[test]
fn every_metric_that_operators_are_told_of_is_one_of_a_nodes() {
    let code = sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for told in [FAILURES, OPERATIONS, RULES, DASHBOARD, include_str!("../../docs/audit.md")] {
        let metrics = names(told, "hjemmel_", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert!(!metrics.is_empty());
        for metric in metrics {
            let of_histogram = ["_bucket", "_count", "_sum"].iter().find_map(|end| metric.strip_suffix(end));
            assert!(code.contains(&metric) || of_histogram.is_some_and(|name| code.contains(name)), "{metric} is no metric");
        }
    }
}

#[test]
fn every_loss_has_a_figure_and_every_test_that_the_page_of_losses_names_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = sources(&root.join("src")) + &sources(&root.join("tests"));
    let page = include_str!("../../docs/losses.md");
    let mut named = 0;
    let table = |first: &'static str| {
        let rows = page.lines().skip_while(move |line| !line.starts_with(first)).skip(1);
        rows.take_while(|line| line.starts_with('|')).filter(|line| line.starts_with("| "))
    };
    for row in table("| Loss") {
        let figure = row.split(" | ").nth(1).unwrap();
        assert!(figure.contains(|c: char| c.is_ascii_digit()), "{row}");
    }
    // The last cell has the tests: others have codes, settings and commands.
    let tests_of = |row: &'static str| row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
    let two_nodes = table("| Away").filter(|row| row.contains("**two nodes**")).count();
    assert!(two_nodes >= 10, "rules are held with two nodes: {two_nodes}");
    for row in table("| Loss").chain(table("| Away")).map(tests_of) {
        let tests: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let there = if test.contains('/') { root.join(test).exists() } else { code.contains(&format!("fn {test}(")) };
            assert!(there, "{test}, in: {row}");
            named += 1;
        }
    }
    assert!(named >= 20, "{named}");
}
