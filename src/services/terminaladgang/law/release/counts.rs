//! What was released and what was removed, by rule: for the audit record, metrics and `hjemmel explain`. Never a value.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ReleaseRules;
use super::catalogue::{Field, Guard, wire_path};

/// Objects and fields released and removed, each by the id of the rule that decided. A *field* is an element without
/// child elements in an effectuation; an *object* is an effectuation or a grant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Effectuations released.
    pub objects_released: u64,
    /// Objects removed, by rule.
    pub objects_removed: BTreeMap<String, u64>,
    /// Fields released, by rule.
    pub fields_released: BTreeMap<String, u64>,
    /// Fields removed, by rule.
    pub fields_removed: BTreeMap<String, u64>,
    /// The same once more, by rule and by the place of the field as the policy spells it; `ELSEWHERE` for what stands at none.
    pub places_removed: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Fields that the gateway knows no place for, and those of objects that were removed whole.
pub const ELSEWHERE: &str = "*";

/// One verdict, for `hjemmel explain`. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The object's number in the answer, from 1; grants are counted too.
    pub object: u64,
    /// The wire path of what was judged.
    pub path: String,
    /// Whether it was released.
    pub released: bool,
    /// The id of the rule that decided.
    pub rule: String,
}

/// Decisions kept in one answer; those past it are only counted.
const MOST_DECISIONS: usize = 100_000;

/// Counts while the answer passes. Cheap: arrays by rule, named only at the end.
#[derive(Debug, Default)]
pub(super) struct Tally {
    objects_released: u64,
    objects_removed: [u64; Guard::ALL.len()],
    fields_released: [u64; Field::ALL.len()],
    fields_off: [u64; Field::ALL.len()],
    fields_removed: [u64; Guard::ALL.len()],
    /// Those of `fields_removed` whose place is known.
    places_removed: [[u64; Field::ALL.len()]; Guard::ALL.len()],
    decisions: Option<Vec<(u64, Judged, bool)>>,
}

#[derive(Debug, Clone, Copy)]
enum Judged {
    Object(Option<Guard>),
    Field(Field, Option<Guard>),
    Part(Guard),
}

fn add(counts: &mut [u64], at: usize, many: u64) {
    if let Some(count) = counts.get_mut(at) {
        *count += many;
    }
}

impl Tally {
    pub(super) fn new(decisions: bool) -> Self {
        Self { decisions: decisions.then(Vec::new), ..Self::default() }
    }

    fn decide(&mut self, object: u64, judged: Judged, released: bool) {
        if let Some(decisions) = self.decisions.as_mut().filter(|decisions| decisions.len() < MOST_DECISIONS) {
            decisions.push((object, judged, released));
        }
    }

    pub(super) fn object_released(&mut self, object: u64) {
        self.objects_released += 1;
        self.decide(object, Judged::Object(None), true);
    }

    pub(super) fn object_removed(&mut self, object: u64, guard: Guard, fields: u64) {
        add(&mut self.objects_removed, guard.index(), 1);
        add(&mut self.fields_removed, guard.index(), fields);
        self.decide(object, Judged::Object(Some(guard)), false);
    }

    pub(super) fn field_released(&mut self, object: u64, field: Field) {
        add(&mut self.fields_released, field.index(), 1);
        self.decide(object, Judged::Field(field, None), true);
    }

    /// The field's own rule switches it off.
    pub(super) fn field_off(&mut self, object: u64, field: Field, many: u64) {
        add(&mut self.fields_off, field.index(), many);
        self.decide(object, Judged::Field(field, None), false);
    }

    pub(super) fn field_removed(&mut self, object: u64, field: Field, guard: Guard, many: u64) {
        add(&mut self.fields_removed, guard.index(), many);
        self.place_removed(field, guard, many);
        self.decide(object, Judged::Field(field, Some(guard)), false);
    }

    /// Of the fields that are counted as removed for this reason, so many stood here.
    pub(super) fn place_removed(&mut self, field: Field, guard: Guard, many: u64) {
        if let Some(places) = self.places_removed.get_mut(guard.index()) {
            add(places, field.index(), many);
        }
    }

    /// Several fields of one object that one rule removes together.
    pub(super) fn part_removed(&mut self, object: u64, guard: Guard, fields: u64) {
        if fields > 0 {
            add(&mut self.fields_removed, guard.index(), fields);
            self.decide(object, Judged::Part(guard), false);
        }
    }

    /// Names the rules.
    pub(super) fn finish(self, rules: &ReleaseRules) -> (Counts, Option<Vec<Decision>>) {
        let mut counts = Counts { objects_released: self.objects_released, ..Counts::default() };
        for (guard, (objects, fields)) in Guard::ALL.iter().zip(self.objects_removed.into_iter().zip(self.fields_removed)) {
            note(&mut counts.objects_removed, guard.id(), objects);
            note(&mut counts.fields_removed, guard.id(), fields);
            let places = self.places_removed.get(guard.index()).map_or(&[][..], |places| places);
            let named: u64 =
                Field::ALL.iter().zip(places).map(|(field, many)| counts.removed_at(guard.id(), field.path(), *many)).sum();
            counts.removed_at(guard.id(), ELSEWHERE, fields.saturating_sub(named));
        }
        for (field, (released, off)) in Field::ALL.iter().zip(self.fields_released.into_iter().zip(self.fields_off)) {
            note(&mut counts.fields_released, rules.rule_of(*field), released);
            note(&mut counts.fields_removed, rules.rule_of(*field), off);
            counts.removed_at(rules.rule_of(*field), field.path(), off);
        }
        (counts, self.decisions(rules))
    }

    /// What was decided until now, where it is kept.
    pub(super) fn decisions(&self, rules: &ReleaseRules) -> Option<Vec<Decision>> {
        self.decisions.as_ref().map(|decisions| decisions.iter().map(|each| name(*each, rules)).collect())
    }
}

impl Counts {
    /// Adds to the places, and gives back what was added.
    fn removed_at(&mut self, rule: &str, place: &str, many: u64) -> u64 {
        if many > 0 {
            note(self.places_removed.entry(rule.to_owned()).or_default(), place, many);
        }
        many
    }
}

fn note(counts: &mut BTreeMap<String, u64>, rule: &str, many: u64) {
    match counts.get_mut(rule) {
        _ if many == 0 => {}
        Some(count) => *count += many,
        None => {
            counts.insert(rule.to_owned(), many);
        }
    }
}

fn name((object, judged, released): (u64, Judged, bool), rules: &ReleaseRules) -> Decision {
    let (path, rule) = match judged {
        Judged::Object(None) => (super::catalogue::R.to_owned(), rules.rule_of(Field::ObjectId)),
        Judged::Object(Some(Guard::Grant)) => ("yi:BevillingFiltreretOejebliksbillede".to_owned(), Guard::Grant.id()),
        Judged::Object(Some(guard)) => (super::catalogue::R.to_owned(), guard.id()),
        Judged::Field(field, guard) => (
            field.wire_path(),
            match guard {
                Some(guard) => guard.id(),
                None => rules.rule_of(field),
            },
        ),
        Judged::Part(guard) => (wire_path("R/*"), guard.id()),
    };
    Decision { object, path, released, rule: rule.to_owned() }
}
