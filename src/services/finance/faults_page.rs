//! `docs/faults-finans.md`, written from the table of rules: for each audience its codes, with what follows and what to do.

use super::receipt::{audience, consequence};
use super::rules::mode::{Mode, RULES};
use super::rules::table::Rule;
use super::rules::{Finding, Place, Severity};
use crate::refusal::{Audience, Entry};

/// The codes that only a ledger sends.
const OF_LEDGERS: [&str; 2] = ["FB012", "FB022"];

/// Who says so, and how severely, in Danish and in English.
fn said_by(code: &str) -> (&'static str, &'static str) {
    match RULES.iter().find(|(rule, _)| *rule == code) {
        _ if OF_LEDGERS.contains(&code) => ("Bogføringssystemet: FEJL for bilaget", "The ledger: FEJL for the voucher"),
        Some((_, Mode::Warn)) => ("Platformen: ADVARSEL, kan indstilles til FEJL", "The platform: ADVARSEL, can be set to FEJL"),
        Some((_, Mode::Refuse)) => ("Platformen: FEJL, kan indstilles", "The platform: FEJL, can be set"),
        Some((_, Mode::Off)) => ("Platformen, når reglen er slået til", "The platform, where the rule is on"),
        None => ("Platformen: FEJL, kan ikke indstilles", "The platform: FEJL, cannot be set"),
    }
}

/// What follows from it as it is set by default.
fn follows(rule: &Rule) -> (&'static str, &'static str) {
    let code = rule.code();
    let warns = RULES.iter().any(|(rule, mode)| *rule == code && *mode == Mode::Warn);
    if OF_LEDGERS.contains(&code) {
        return (
            "Bilaget er afvist og skal sendes igen i en ny leverance; de andre bilag har hver sit resultat.",
            "The voucher is rejected and is to be sent again in a new delivery; the others have a result each.",
        );
    }
    let severity = if warns { Severity::Warning } else { Severity::Error };
    consequence(&Finding { rule: rule.clone(), severity, place: Place::default() })
}

fn page() -> String {
    let mut page = String::from(
        "# Finans: fejl efter målgruppe · Faults by audience\n\n\
         <!-- Generated from src/services/finance: UPDATE_DOCS=1 cargo test --lib faults_page -->\n\n\
         Koderne i en kvittering for SF1590_A Finans. `Maalgruppe` i hver fejl siger, hvem der skal handle, så den kan sendes til dem alene. \
         Numre, datoer og koder i teksterne er eksempler. Alle koder på platformen: [faults.md](faults.md).\n\n\
         The codes in a receipt of SF1590_A Finans. `Maalgruppe` in each error says who is to act, so that it can be sent to them alone. \
         Numbers, dates and codes in the texts are samples. Every code of the platform: [faults.md](faults.md).\n",
    );
    for (known, da, en) in [
        (Audience::User, "SLUTBRUGER: den, der har lavet bilaget", "the person who made the voucher"),
        (
            Audience::Administrator,
            "ADMINISTRATOR: fagsystemets eller bogføringssystemets administrator eller leverandør",
            "the administrator or supplier of the specialist system or of the ledger",
        ),
        (
            Audience::Operations,
            "DRIFT: driften af platformen og af det, der står bag den",
            "operations of the platform and of what stands behind it",
        ),
    ] {
        page += &format!("\n## {da} · {en}\n");
        for rule in Rule::every() {
            let entry: Entry = rule.entry();
            if entry.audience != known {
                continue;
            }
            assert_eq!(da.split(':').next(), Some(audience(known)), "the heading is the code of the audience");
            let ((by_da, by_en), (then_da, then_en)) = (said_by(entry.code), follows(&rule));
            page += &format!(
                "\n### {}\n\n| | Dansk | English |\n|---|---|---|\n| Hvem siger det · Who says so | {by_da} | {by_en} |\n\
                 | Hvad · What | {} | {} |\n| Konsekvens · Consequence | {then_da} | {then_en} |\n| Handling · Remedy | {} | {} |\n",
                entry.code, entry.da.what, entry.en.what, entry.da.remedy, entry.en.remedy
            );
        }
    }
    page
}

#[test]
fn the_pages_of_faults_by_audience_are_those_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults-finans.md");
    let page = page();
    for rule in Rule::every() {
        assert_eq!(page.matches(&format!("### {}\n", rule.code())).count(), 1, "each code stands once");
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let on_disk = std::fs::read_to_string(path).unwrap_or_default();
    assert!(on_disk == page, "docs/faults-finans.md is stale. Write it anew with: UPDATE_DOCS=1 cargo test --lib faults_page");
}
