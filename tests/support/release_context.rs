//! Runs the filter in a generated context.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use hjemmel::refusal::Refusal;
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use hjemmel::services::terminaladgang::law::release::{Ask, Filtered};
use hjemmel::services::terminaladgang::law::rules::{Asked, Naive};

use super::release_generator::{Asked as AskedFor, Context, NOW, Options};
use super::release_run::{ask, filter, policy};

thread_local! {
    /// One policy for each setting of the options: reading the file for every case would take most of the time.
    static POLICIES: RefCell<HashMap<String, Policy>> = RefCell::default();
}

fn policy_for(options: &Options) -> Policy {
    POLICIES.with_borrow_mut(|known| known.entry(format!("{options:?}")).or_insert_with(|| read(options)).clone())
}

fn read(options: &Options) -> Policy {
    let mut changes = Vec::new();
    if options.person_check == "trust-index" {
        changes.push(("check = \"prove\"", "check = \"trust-index\""));
    }
    if options.future == "withhold" {
        changes.push(("future = \"release\"", "future = \"withhold\""));
    }
    if options.empty_status == 44 {
        changes.push(("\nstatus = 20", "\nstatus = 44"));
    }
    const NET: (&str, &str) = ("form = \"amount\"\nrelease = false", "form = \"amount\"\nrelease = true");
    if options.net_amounts {
        changes.push(NET);
    }
    const PERIOD: &str = "paths = [\"E/oei:Startdato\", \"E/oei:Slutdato\"]\nform = \"date-time\"\nrelease = true";
    let off = PERIOD.replace("true", "false");
    const CRITERIA: [&str; 2] =
        ["id = \"criterion-start\"\nelement = \"Startdato\"", "id = \"criterion-end\"\nelement = \"Slutdato\""];
    if !options.periods {
        changes.push((PERIOD, &off));
        // A field that is not released may not be searched on; the criteria play no part here.
        changes.push((CRITERIA[0], "id = \"criterion-start\"\nelement = \"Dispositionsdato\""));
        changes.push((CRITERIA[1], "id = \"criterion-end\"\nelement = \"Dispositionsdato\""));
    }
    policy(&changes)
}

/// What the filter makes of an answer in this context.
pub fn run(context: &Context, answer: &str) -> Result<Filtered, Refusal> {
    let options = &context.options;
    let lists = |lists: &Option<Vec<Vec<String>>>| lists.clone().unwrap_or_default();
    let mut kle = Constraint::unconstrained();
    for source in lists(&context.kle) {
        kle = kle.and(source.iter().map(String::as_str)).unwrap();
    }
    let mut sensitivity = SensitivityConstraint::unconstrained();
    for source in lists(&context.sensitivity) {
        sensitivity = sensitivity.and(source.iter().map(String::as_str)).unwrap();
    }
    let counterpart = context.counterpart_cvrs.iter().cloned().collect();
    let asked = match &context.asked {
        AskedFor::Word("nothing") => Asked::Nothing,
        AskedFor::Word(_) => Asked::Everything,
        AskedFor::Parts(parts) => Asked::Parts {
            properties: parts.contains(&"egenskaber"),
            actors: parts.contains(&"aktoer"),
            lines: parts.contains(&"oekonomiskeydelseeffektueringer"),
        },
    };
    let naive = if options.naive == "refuse" { Naive::Refuse } else { Naive::Copenhagen };
    let ask = Ask { kle, sensitivity, counterpart, asked, naive, names: Arc::new(context.names.clone()), ..ask(NOW) };
    filter(&policy_for(options), ask, answer)
}
