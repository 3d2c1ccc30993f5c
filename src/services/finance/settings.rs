//! What `[service.NAME]` says of a service of this kind: its folder, what each rule does, where the value lists lie, and when tests
//! are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lists::{Source, publish};
use super::rules::delivery::NAMESPACE;
use super::rules::mode::{Mode, Modes, RULES, Rules};
use super::rules::trial::{Opening, Openings};
use super::shelf::Shelf;
use crate::config::reader::{Reader, one_of};
use crate::id::cvr::Cvr;
use crate::services::passthrough::offered::{self, Offered};
use crate::services::passthrough::wsdl::Name;

/// What deliveries by file are called, and ledgers' answers to them, where no setting says so.
const VOUCHERS: &str = "SF1590_A_IF02-03";
const ANSWERS: &str = "SF1590_A_IF04";

/// The section.
#[derive(Debug)]
pub struct Settings {
    /// The folder of the contract, and what every pass-through service says.
    pub offered: Offered,
    /// What each rule does.
    pub rules: Arc<Rules>,
    /// Where the value lists lie.
    pub lists: Source,
    /// How many days ahead a version is published.
    pub notice: u16,
    /// When tests are taken, by sending authority, beside what the store has.
    pub trials: Arc<Openings>,
    /// The InfRef of deliveries by file.
    pub vouchers_inf_ref: String,
    /// That of ledgers' answers by file.
    pub answers_inf_ref: String,
    /// The SFTP user as which published value lists are sent to those who subscribe; without one they wait.
    pub sortiment_user: Option<String>,
}

pub(crate) fn read(section: &mut Reader<'_>) -> Option<Settings> {
    let rules = section.optional_section("rules", modes);
    let authorities = section.each("authority", |name, section| {
        let cvr = name.parse::<Cvr>();
        if cvr.is_err() {
            section.problem_of_section("is no authority; name it by its CVR number, eight digits");
        }
        let own = section.optional_section("rules", own_modes);
        let trials = section.optional_section("proeve", opening);
        Some((cvr.ok()?, own?.unwrap_or_default(), trials?))
    });
    let lists = lists(section);
    let notice = section.number("sortiment_notice_days", u64::from(publish::DAYS), 0..=365);
    let vouchers_inf_ref = section.optional_text("vouchers_inf_ref");
    let answers_inf_ref = section.optional_text("answers_inf_ref");
    let sortiment_user = section.optional_text("sortiment_user");
    let offered = offered::read(section)?;
    if let Some(other) = other_contract(&offered) {
        section.problem_at(
            "folder",
            format!(
                "has the message {other}, and a service of this kind has FinansbilagLeverance; name its folder, or leave out kind"
            ),
        );
        return None;
    }
    let trials = authorities.values().filter_map(|(cvr, _, trials)| Some((*cvr, (*trials)?)));
    let trials = Openings::new(trials);
    let own = authorities.into_values().map(|(cvr, own, _)| (cvr, own)).collect();
    let rules = Rules::new(rules?.unwrap_or_default(), own);
    Some(Settings {
        offered,
        rules: Arc::new(rules),
        lists: lists?,
        notice: u16::try_from(notice?).ok()?,
        trials: Arc::new(trials),
        vouchers_inf_ref: vouchers_inf_ref?.unwrap_or_else(|| VOUCHERS.to_owned()),
        answers_inf_ref: answers_inf_ref?.unwrap_or_else(|| ANSWERS.to_owned()),
        sortiment_user: sortiment_user?,
    })
}

fn opening(section: &mut Reader<'_>) -> Option<Opening> {
    let (from, to) = (section.instant("from"), section.instant("to"));
    let opening = Opening::new(from?, to?);
    if opening.is_none() {
        section.problem_at("to", "is not after from; write the instant at which the time for tests ends".to_owned());
    }
    opening
}

fn modes(section: &mut Reader<'_>) -> Option<Modes> {
    let said = RULES.iter().filter(|(rule, _)| section.has_any(&[*rule])).map(|(rule, _)| *rule).collect::<Vec<_>>();
    let mut modes = BTreeMap::new();
    let mut whole = true;
    for (rule, default) in RULES {
        // Read in any case, so that a misspelt one is reported with the nearest.
        match section.choice(rule, Some(default), &Mode::NAMES) {
            Some(mode) if said.contains(&rule) => drop(modes.insert(rule, mode)),
            Some(_) => {}
            None => whole = false,
        }
    }
    whole.then(|| Modes::new(modes))
}

/// What an authority's own settings say: where they say nothing the general ones hold, and not the default.
fn own_modes(section: &mut Reader<'_>) -> Option<Modes> {
    let mut modes = BTreeMap::new();
    let mut whole = true;
    for (rule, _) in RULES {
        match section.setting(rule, Some(None), |value| one_of(value, &Mode::NAMES).map(Some)) {
            Some(Some(mode)) => drop(modes.insert(rule, mode)),
            Some(None) => {}
            None => whole = false,
        }
    }
    whole.then(|| Modes::new(modes))
}

/// `store`, or a folder.
fn lists(section: &mut Reader<'_>) -> Option<Source> {
    match section.optional_text("sortiment")?.as_deref() {
        None => return Some(Source::None),
        Some("store") => return Some(Source::Store),
        Some(_) => {}
    }
    let folder = section.optional_directory("sortiment")??;
    match Shelf::at(&folder).read() {
        Ok(lists) => Some(Source::Folder(Arc::new(lists))),
        Err(problems) => {
            for problem in problems {
                section.problem_at("sortiment", problem.trim_end_matches('.').to_owned());
            }
            None
        }
    }
}

/// A message that is not the contract's: the rules would look for what is not there.
fn other_contract(offered: &Offered) -> Option<&Name> {
    let is = |name: &&Name, local: &str| name.namespace == NAMESPACE && name.local == local;
    let operations = offered.folder.contracts.iter().flat_map(|contract| &contract.wsdl.operations);
    operations
        .flat_map(|operation| {
            let request = Some(&operation.request).filter(|name| !is(name, "ModtagFinansbilagStraksleveranceRequest"));
            let answer = Some(&operation.answer).filter(|name| !is(name, "FinansbilagKvittering"));
            [request, answer]
        })
        .flatten()
        .next()
}
