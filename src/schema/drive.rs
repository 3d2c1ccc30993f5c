//! The nodes of a message through the validator, event by event.

use std::cell::RefCell;
use std::rc::Rc;

use xsd_schema::namespace::NamespaceContextSnapshot;
use xsd_schema::validation::{
    InstancePath, PathStep, SchemaValidator, ValidationError, ValidationRuntime, ValidationSink, ValidationWarning,
};
use xsd_schema::{NameId, SchemaSet, TypeKey};

use super::compile::Compiled;
use super::violation::{EXPECTED, Rule, TOLD, Violation, Violations};
use crate::soap::document::{Child, Element};
use crate::soap::strict::is_space;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What the validator reported. Its own words are dropped where they arrive, for they quote values.
#[derive(Clone, Default)]
struct Reports(Rc<RefCell<Vec<Report>>>);

struct Report {
    constraint: &'static str,
    path: Option<InstancePath>,
    expected: Vec<String>,
}

impl ValidationSink for Reports {
    fn on_error(&mut self, error: ValidationError) {
        let path = error.instance_path().cloned();
        self.0.borrow_mut().push(Report { constraint: error.constraint, path, expected: Vec::new() });
    }
    fn on_warning(&mut self, _: ValidationWarning) {}
}

/// Validates the element `apex`, which must be the schema's element of the name `root` (namespace, local name).
///
/// # Errors
/// What is wrong with it.
pub(super) fn validate(
    compiled: &Compiled,
    validator: &SchemaValidator<'_>,
    apex: Element<'_>,
    root: (&str, &str),
) -> Result<(), Violations> {
    // The library takes an undeclared root that names its own xsi:type, as the recommendation allows.
    if !apex.is(root.0, root.1) {
        let violation =
            Violation { path: "/".to_owned(), rule: Rule::Root, constraint: "cvc-elt.1", expected: vec![root.1.to_owned()] };
        return Err(Violations { told: vec![violation], count: 1 });
    }
    let reports = run(compiled, validator, apex, false);
    if reports.is_empty() {
        return Ok(());
    }
    // Once more, slower, to say what was expected where: only a message that is refused costs that.
    let reports = run(compiled, validator, apex, true);
    let told = reports.iter().take(TOLD).map(|report| told(compiled, report)).collect();
    Err(Violations { told, count: reports.len() })
}

fn run(compiled: &Compiled, validator: &SchemaValidator<'_>, apex: Element<'_>, explain: bool) -> Vec<Report> {
    let reports = Reports::default();
    let runtime = validator.start_run(reports.clone());
    let mut drive = Drive { compiled, runtime, reports: reports.clone(), explain, scopes: vec![bindings(&compiled.set, apex)] };
    drive.element(apex);
    if let Err(error) = drive.runtime.end_validation() {
        drive.reports.clone().on_error(error);
    }
    if let Some(failure) = drive.runtime.operational_failure() {
        drive.reports.clone().on_error(failure.clone());
    }
    drop(drive);
    reports.0.take()
}

struct Drive<'c, 'v> {
    compiled: &'c Compiled,
    runtime: ValidationRuntime<'v, Reports>,
    reports: Reports,
    explain: bool,
    /// What prefixes mean, for values that are qualified names.
    scopes: Vec<NamespaceContextSnapshot>,
}

impl Drive<'_, '_> {
    /// Depth is bounded by the strict reader's limit, far below what a worker's stack holds.
    fn element(&mut self, element: Element<'_>) {
        let declares = element.declarations().next().is_some();
        if declares {
            self.scopes.push(bindings(&self.compiled.set, element));
        }
        let before = self.expecting();
        let scope = self.scopes.last().cloned().unwrap_or_default();
        let (kind, nil) = (element.attribute(XSI, "type"), element.attribute(XSI, "nil"));
        let info = self.runtime.validate_element(element.local(), element.namespace(), kind, nil, &scope);
        self.explain(|| before);
        for attribute in element.attributes() {
            let info = self.runtime.validate_attribute(attribute.local, attribute.namespace, attribute.value);
            let set = &self.compiled.set;
            self.explain(|| info.schema_type.map(|kind| describe(set, kind)).unwrap_or_default());
        }
        let required = self.required();
        self.runtime.validate_end_of_attributes_novalue();
        self.explain(|| required);
        self.content(element, info.schema_type);
        let before = self.expecting();
        self.runtime.validate_end_element_novalue();
        let set = &self.compiled.set;
        self.explain(|| {
            if before.is_empty() { info.schema_type.map(|kind| describe(set, kind)).unwrap_or_default() } else { before }
        });
        if declares {
            self.scopes.pop();
        }
    }

    fn content(&mut self, element: Element<'_>, kind: Option<TypeKey>) {
        let base64 = kind.is_some_and(|kind| self.compiled.base64.contains(&kind));
        let mut run = String::new();
        for child in element.children() {
            match child {
                Child::Text { text, .. } if base64 => run.extend(text.chars().filter(|c| !is_space(*c))),
                Child::Text { text, .. } => run.push_str(text),
                Child::Comment => {}
                Child::Element(child) => {
                    self.text(&mut run);
                    self.element(child);
                }
            }
        }
        self.text(&mut run);
    }

    /// A whole run of text: in pieces it would be judged in pieces.
    fn text(&mut self, run: &mut String) {
        if run.is_empty() {
            return;
        }
        if run.chars().all(is_space) {
            self.runtime.validate_whitespace(run);
        } else {
            self.runtime.validate_text(run);
        }
        self.explain(Vec::new);
        run.clear();
    }

    /// Gives what was expected to the reports that came since.
    fn explain(&self, expected: impl FnOnce() -> Vec<String>) {
        if !self.explain {
            return;
        }
        let mut reports = self.reports.0.borrow_mut();
        let told = reports.iter().rev().take_while(|report| report.expected.is_empty()).count();
        if told == 0 {
            return;
        }
        let mut expected = expected();
        if expected.len() > EXPECTED {
            expected.truncate(EXPECTED);
            expected.push("…".to_owned());
        }
        for report in reports.iter_mut().rev().take(told) {
            report.expected.clone_from(&expected);
        }
    }

    fn expecting(&self) -> Vec<String> {
        if !self.explain {
            return Vec::new();
        }
        let names = &self.compiled.set.name_table;
        self.runtime.get_expected_elements().iter().map(|element| names.resolve(element.local_name)).collect()
    }

    fn required(&self) -> Vec<String> {
        if !self.explain {
            return Vec::new();
        }
        let names = &self.compiled.set.name_table;
        let attributes = self.runtime.get_expected_attributes();
        attributes.iter().filter(|a| a.required).map(|a| format!("@{}", names.resolve(a.local_name))).collect()
    }
}

/// What the prefixes mean at an element, its ancestors' declarations included.
fn bindings(set: &SchemaSet, element: Element<'_>) -> NamespaceContextSnapshot {
    let mut snapshot = NamespaceContextSnapshot::default();
    let mut seen = std::collections::HashSet::new();
    let mut place = Some(element);
    while let Some(element) = place {
        for (prefix, uri) in element.declarations() {
            if !seen.insert(prefix) || uri.is_empty() {
                continue;
            }
            let uri = set.name_table.add(uri);
            match prefix {
                "" => snapshot.default_ns = Some(uri),
                prefix => snapshot.bindings.push((set.name_table.add(prefix), uri)),
            }
        }
        place = element.parent();
    }
    snapshot
}

/// A report in the schema's own names; a name that came with the message could say anything, and is not reported.
fn told(compiled: &Compiled, report: &Report) -> Violation {
    let known = |name: &str| match compiled.set.name_table.get(name) {
        Some(NameId(number)) if (number as usize) < compiled.names => name.to_owned(),
        _ => "?".to_owned(),
    };
    let mut path = String::new();
    for step in report.path.iter().flat_map(InstancePath::steps) {
        path.push('/');
        if matches!(step, PathStep::Attribute { .. }) {
            path.push('@');
        }
        path.push_str(&known(step.name().local_name()));
        if let Some(position) = step.position().filter(|position| *position > 1) {
            path.push_str(&format!("[{position}]"));
        }
    }
    if path.is_empty() {
        path.push('/');
    }
    Violation { path, rule: Rule::of(report.constraint), constraint: report.constraint, expected: report.expected.clone() }
}

/// What a simple type takes: its name and its facets, which stand in the schema for all to read.
fn describe(set: &SchemaSet, kind: TypeKey) -> Vec<String> {
    let (mut said, mut next) = (Vec::new(), Some(kind));
    while let Some(kind) = next {
        let (name, base) = match kind {
            TypeKey::Complex(key) => match set.arenas.complex_types.get(key) {
                Some(data) => (None, data.resolved_simple_content_type.or(data.resolved_base_type)),
                None => (None, None),
            },
            TypeKey::Simple(key) => match set.arenas.simple_types.get(key) {
                Some(data) => {
                    let facets = &data.facets;
                    let text = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
                    said.extend(facets.patterns.iter().flatten().map(|pattern| format!("pattern {}", pattern.value)));
                    if let Some(values) = &facets.enumeration {
                        let mut values: Vec<_> = values.values.iter().cloned().collect();
                        values.sort_unstable();
                        said.extend(values);
                    }
                    said.extend(
                        [
                            text("length", facets.length.as_ref().map(|facet| facet.value.to_string())),
                            text("minLength", facets.min_length.as_ref().map(|facet| facet.value.to_string())),
                            text("maxLength", facets.max_length.as_ref().map(|facet| facet.value.to_string())),
                            text("minInclusive", facets.min_inclusive.as_ref().map(|facet| facet.value.clone())),
                            text("maxInclusive", facets.max_inclusive.as_ref().map(|facet| facet.value.clone())),
                            text("minExclusive", facets.min_exclusive.as_ref().map(|facet| facet.value.clone())),
                            text("maxExclusive", facets.max_exclusive.as_ref().map(|facet| facet.value.clone())),
                            text("totalDigits", facets.total_digits.as_ref().map(|facet| facet.value.to_string())),
                            text("fractionDigits", facets.fraction_digits.as_ref().map(|facet| facet.value.to_string())),
                        ]
                        .into_iter()
                        .flatten(),
                    );
                    (data.name.filter(|_| set.get_type_code(key).is_some()), data.resolved_base_type)
                }
                None => (None, None),
            },
        };
        if let Some(name) = name {
            // The built-in type at the end of the chain; what it is derived from says nothing to a reader.
            said.insert(0, format!("xs:{}", set.name_table.resolve(name)));
            return said;
        }
        next = base.filter(|base| *base != kind);
    }
    said
}
