//! What a change of a policy means: what is newly released, what no longer, and where more may be asked.
//!
//! For an auditor, not for a text editor: rules are compared as the gateway applies them. Whatever cannot be shown to
//! narrow counts as a widening, so that nothing gets wider without somebody having said so in the changelog.

use std::fmt::Display;

use super::criteria::Criterion;
use super::document::Policy;
use super::release::catalogue::Field;
use super::release::{ReleaseRules, Words};
use super::rules::{Future, Naive, Outside, PersonCheck, Reading, SortingElement};

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// More can be asked or is released, or it cannot be shown that it is not so.
    Widening,
    /// Less can be asked or is released.
    Narrowing,
    /// Neither: words, status.
    Other,
}

/// One change of meaning.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs)] // the names say it
pub struct Difference {
    /// Which way it goes.
    pub effect: Effect,
    /// Its name, as a changelog acknowledges it.
    pub id: String,
    pub before: String,
    pub after: String,
    /// Whether the new policy's changelog acknowledges it.
    pub acknowledged: bool,
}

/// What became different from `old` to `new`, widenings first.
pub fn differences(old: &Policy, new: &Policy) -> Vec<Difference> {
    // Only what was written since counts: an old acknowledgement does not cover a new change.
    let since = new.changelog().iter().filter(|entry| !old.changelog().iter().any(|known| known.version == entry.version));
    let acknowledged: Vec<&String> = since.flat_map(|entry| &entry.widens).collect();
    let mut found = Vec::new();
    request(old, new, &mut found);
    release(old, new, &mut found);
    said(old, new, &mut found);
    for difference in &mut found {
        difference.acknowledged = acknowledged.contains(&&difference.id);
    }
    found.sort_by_key(|difference| difference.effect);
    found
}

/// Whether every widening is acknowledged, and a change of meaning has a version of its own.
pub fn is_declared(old: &Policy, new: &Policy, differences: &[Difference]) -> bool {
    let told = differences.iter().all(|difference| difference.effect != Effect::Widening || difference.acknowledged);
    let meaning = differences.iter().any(|difference| difference.effect != Effect::Other);
    told && (!meaning || old.version() != new.version())
}

fn note(found: &mut Vec<Difference>, effect: Effect, id: impl Display, before: impl Display, after: impl Display) {
    let (id, before, after) = (id.to_string(), before.to_string(), after.to_string());
    found.push(Difference { effect, id, before, after, acknowledged: false });
}

fn widens(wider: bool) -> Effect {
    if wider { Effect::Widening } else { Effect::Narrowing }
}

/// A setting, and how wide it is: of two settings the one with the greater number gives more.
fn setting(found: &mut Vec<Difference>, id: &str, (before, old): (impl Display, u64), (after, new): (impl Display, u64)) {
    if old != new {
        note(found, widens(new > old), id, before, after);
    }
}

/// The reading as the policy file spells it, and how wide it is: each begins no later and ends no earlier than the next.
pub fn reading(reading: Reading) -> (&'static str, u64) {
    match reading {
        Reading::CalendarMonths => ("calendar-months", 2),
        Reading::RollingStart => ("rolling-start", 1),
        Reading::Rolling => ("rolling", 0),
    }
}

/// Dates without an offset as the policy file spells it, and how wide it is.
pub fn naive(naive: Naive) -> (&'static str, u64) {
    match naive {
        Naive::Copenhagen => ("copenhagen", 1),
        Naive::Refuse => ("refuse", 0),
    }
}

/// Windows that reach outside, likewise: what is narrowed was refused before.
pub fn outside(outside: Outside) -> (&'static str, u64) {
    match outside {
        Outside::Narrow => ("narrow", 1),
        Outside::Refuse => ("refuse", 0),
    }
}

/// The binding to the person, likewise.
pub fn person_check(check: PersonCheck) -> (&'static str, u64) {
    match check {
        PersonCheck::TrustIndex => ("trust-index", 1),
        PersonCheck::Prove => ("prove", 0),
    }
}

/// Payments whose date is still to come, likewise.
pub fn future(future: Future) -> (&'static str, u64) {
    match future {
        Future::Release => ("release", 1),
        Future::Withhold => ("withhold", 0),
    }
}

fn switch(on: bool) -> (bool, u64) {
    (on, u64::from(on))
}

fn request(old: &Policy, new: &Policy, found: &mut Vec<Difference>) {
    let (before, after) = (old.request(), new.request());
    setting(found, "reading", reading(before.reading), reading(after.reading));
    setting(found, "naive", naive(before.naive), naive(after.naive));
    setting(found, "outside", outside(before.outside), outside(after.outside));
    setting(found, "direct-lookup", switch(before.direct_lookup), switch(after.direct_lookup));
    setting(found, "include", switch(before.include), switch(after.include));
    setting(found, "page-cap", (before.page_cap, before.page_cap), (after.page_cap, after.page_cap));
    for (name, criterion) in Criterion::EVERY {
        let held = |policy: &Policy| switch(policy.request().criteria.contains(&criterion));
        setting(found, &format!("criterion:{name}"), held(old), held(new));
    }
    for element in SortingElement::EVERY {
        let held = |policy: &Policy| switch(policy.request().sorting.contains(&element));
        setting(found, &format!("sorting:{}", element.as_str()), held(old), held(new));
    }
}

fn release(old: &Policy, new: &Policy, found: &mut Vec<Difference>) {
    let (before, after) = (old.release(), new.release());
    setting(found, "person-check", person_check(before.person_check()), person_check(after.person_check()));
    setting(found, "future", future(before.future()), future(after.future()));
    for field in Field::ALL.iter().copied() {
        let form = |rules: &ReleaseRules| rules.field(field).filter(|rule| rule.release).map(|rule| rule.form);
        let id = format!("release:{}", field.path());
        match (form(before), form(after)) {
            (None, Some(form)) => note(found, Effect::Widening, id, "withheld", format!("released as {}", form.name())),
            (Some(_), None) => note(found, Effect::Narrowing, id, "released", "withheld"),
            (Some(was), Some(is)) if was != is => {
                let effect = widens(!is.narrows(was));
                note(found, effect, format!("form:{}", field.path()), was.name(), is.name());
            }
            _ => {}
        }
    }
    // A role decides who counts as owner, payee and grantee; two UUIDs cannot be compared.
    let (was, is) = (before.roles(), after.roles());
    for (name, before, after) in
        [("owner", &was.owner, &is.owner), ("party", &was.party, &is.party), ("grantee", &was.grantee, &is.grantee)]
    {
        if before != after {
            note(found, Effect::Widening, format!("role:{name}"), before, after);
        }
    }
    if before.empty_status() != after.empty_status() {
        note(found, Effect::Other, "empty-status", before.empty_status(), after.empty_status());
    }
}

fn said(old: &Policy, new: &Policy, found: &mut Vec<Difference>) {
    // Another paragraph is another right; which is the wider one no program can tell.
    for (id, before, after) in [("legal-basis", old.legal_basis(), new.legal_basis()), ("purpose", old.purpose(), new.purpose())]
    {
        if before != after {
            note(found, Effect::Widening, id, &before.da, &after.da);
        }
    }
    let before = old.words();
    for words in new.words() {
        let Some(known) = before.iter().find(|known| known.id == words.id) else { continue };
        let danish = |words: &Words| words.basis_da.clone().unwrap_or_default();
        for (id, before, after) in [
            ("basis", &known.basis, &words.basis),
            ("basis-da", &danish(known), &danish(words)),
            ("da", &known.da, &words.da),
            ("en", &known.en, &words.en),
        ] {
            if before != after {
                note(found, Effect::Other, format!("{id}:{}", words.id), before, after);
            }
        }
    }
}
