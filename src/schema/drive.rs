//! The nodes of a message through the validator, event by event.

use std::cell::RefCell;
use std::rc::Rc;

use xsd_schema::namespace::NamespaceContextSnapshot;
use xsd_schema::parser::frames::ComplexContentResult;
use xsd_schema::validation::{
    InstancePath, PathStep, SchemaValidator, ValidationError, ValidationRuntime, ValidationSink, ValidationWarning,
};
use xsd_schema::{NameId, SchemaSet, TypeKey};

use super::compile::Compiled;
use super::violation::{EXPECTED, Rule, TOLD, Violation, Violations};
use crate::soap::document::{Child, Element};
use crate::soap::names::XSI;
use crate::soap::strict::is_space;

/// What the validator reported, of which the first are kept. Its own words are dropped where they arrive, for they quote values.
#[derive(Clone, Default)]
struct Reports(Rc<RefCell<Reported>>);

#[derive(Default)]
struct Reported {
    kept: Vec<Report>,
    /// For how many of them it was said what was expected.
    explained: usize,
    count: usize,
}

struct Report {
    constraint: &'static str,
    path: Option<InstancePath>,
    expected: Vec<String>,
}

impl ValidationSink for Reports {
    fn on_error(&mut self, error: ValidationError) {
        let mut reported = self.0.borrow_mut();
        reported.count += 1;
        if reported.kept.len() < TOLD {
            let path = error.instance_path().cloned();
            reported.kept.push(Report { constraint: error.constraint, path, expected: Vec::new() });
        }
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
    if let Some(violations) = other_root(apex, root) {
        return Err(violations);
    }
    if compiled.accepted.as_ref().is_some_and(|accepted| accepted.accepts(apex, root)) {
        debug_assert!(run(compiled, validator, apex, false).is_ok(), "accepted, and not valid by the library");
        return Ok(());
    }
    if run(compiled, validator, apex, false).is_ok() {
        return Ok(());
    }
    // Once more, slower, to say what was expected where: only a message that is refused costs that.
    run(compiled, validator, apex, true)
}

/// The library takes an undeclared root that names its own xsi:type, as the recommendation allows.
pub(super) fn other_root(apex: Element<'_>, root: (&str, &str)) -> Option<Violations> {
    let violation =
        || Violation { path: "/".to_owned(), rule: Rule::Root, constraint: "cvc-elt.1", expected: vec![root.1.to_owned()] };
    (!apex.is(root.0, root.1)).then(|| Violations { told: vec![violation()], count: 1 })
}

fn run(compiled: &Compiled, validator: &SchemaValidator<'_>, apex: Element<'_>, explain: bool) -> Result<(), Violations> {
    let mut drive = Drive::new(compiled, validator, apex, explain);
    drive.element(apex);
    drive.finish()
}

/// One run of the validator over a message.
pub(super) struct Drive<'c, 'v> {
    compiled: &'c Compiled,
    runtime: ValidationRuntime<'v, Reports>,
    reports: Reports,
    explain: bool,
    /// What prefixes mean, for values that are qualified names.
    scopes: Vec<NamespaceContextSnapshot>,
}

/// An element whose end has not come.
pub(super) struct Open {
    kind: Option<TypeKey>,
    nil: bool,
    declares: bool,
}

impl<'c, 'v> Drive<'c, 'v> {
    /// A run that begins with this element. `explain` says what was expected where something is wrong.
    pub(super) fn new(compiled: &'c Compiled, validator: &'v SchemaValidator<'_>, apex: Element<'_>, explain: bool) -> Self {
        let reports = Reports::default();
        let runtime = validator.start_run(reports.clone());
        Self { compiled, runtime, reports, explain, scopes: vec![bindings(&compiled.set, apex)] }
    }

    /// Whether nothing was wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.reports.0.borrow().count == 0
    }

    /// The verdict, once the element that it began with has ended.
    pub(super) fn finish(mut self) -> Result<(), Violations> {
        if let Err(error) = self.runtime.end_validation() {
            self.reports.on_error(error);
        }
        if let Some(failure) = self.runtime.operational_failure() {
            self.reports.clone().on_error(failure.clone());
        }
        let reported = self.reports.0.borrow();
        if reported.count == 0 {
            return Ok(());
        }
        Err(Violations {
            told: reported.kept.iter().map(|report| violation(self.compiled, report)).collect(),
            count: reported.count,
        })
    }

    /// Depth is bounded by the strict reader's limit, far below what a worker's stack holds.
    fn element(&mut self, element: Element<'_>) {
        let open = self.begin(element);
        self.content(element, &open);
        self.end(&open);
    }

    /// An element's start tag.
    pub(super) fn begin(&mut self, element: Element<'_>) -> Open {
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
            let of_instances = attribute.namespace == XSI;
            // Never followed, so it need not come before what it is about, as the library would have it.
            if of_instances && ["schemaLocation", "noNamespaceSchemaLocation"].contains(&attribute.local) {
                continue;
            }
            // The library lets any name of this namespace stand at an element of a simple type, and refuses every other attribute.
            let unknown = of_instances && !["type", "nil"].contains(&attribute.local);
            let simple = matches!(info.schema_type, Some(TypeKey::Simple(_)));
            let namespace = if unknown && simple { "" } else { attribute.namespace };
            let attributed = self.runtime.validate_attribute(attribute.local, namespace, attribute.value);
            let set = &self.compiled.set;
            self.explain(|| attributed.schema_type.map(|kind| describe(set, kind)).unwrap_or_default());
        }
        let required = self.required();
        self.runtime.validate_end_of_attributes_novalue();
        self.explain(|| required);
        let nil = nil.is_some_and(|nil| ["true", "1"].contains(&nil.trim_matches(is_space)));
        Open { kind: info.schema_type, nil, declares }
    }

    /// Its end tag.
    pub(super) fn end(&mut self, open: &Open) {
        let before = self.expecting();
        self.runtime.validate_end_element_novalue();
        let set = &self.compiled.set;
        self.explain(|| if before.is_empty() { open.kind.map(|kind| describe(set, kind)).unwrap_or_default() } else { before });
        if open.declares {
            self.scopes.pop();
        }
    }

    /// What stands between the two, or the next part of it, which ends where no text goes on.
    pub(super) fn content(&mut self, element: Element<'_>, open: &Open) {
        // In what is nil no character may stand, white space neither.
        let base64 = !open.nil && open.kind.is_some_and(|kind| self.compiled.base64.contains(&kind));
        let mut run = String::new();
        for child in element.children() {
            match child {
                Child::Text { text, .. } if base64 => run.extend(text.chars().filter(|c| !is_space(*c))),
                Child::Text { text, .. } => run.push_str(text),
                Child::Comment => {}
                Child::Element(child) => {
                    self.text(&mut run, open);
                    self.element(child);
                }
            }
        }
        self.text(&mut run, open);
    }

    /// A whole run of text: in pieces it would be judged in pieces.
    fn text(&mut self, run: &mut String, open: &Open) {
        if run.is_empty() {
            return;
        }
        let is_empty = open.kind.is_some_and(|kind| self.compiled.empty.contains(&kind));
        let has_value = has_value(&self.compiled.set, open.kind);
        let takes_none = is_empty || open.nil && !has_value;
        if run.chars().all(is_space) && !takes_none {
            self.runtime.validate_whitespace(run);
        } else if run.trim().is_empty() && (open.nil || !has_value) {
            // A no-break space is a character like any other in XML, and where the content is empty or nil white space is one too. The library
            // takes both for none.
            self.runtime.validate_text("x");
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
        let mut reported = self.reports.0.borrow_mut();
        let explained = reported.explained;
        if explained == reported.kept.len() {
            return;
        }
        let mut expected = expected();
        if expected.len() > EXPECTED {
            expected.truncate(EXPECTED);
            expected.push("…".to_owned());
        }
        for report in reported.kept.iter_mut().skip(explained) {
            report.expected.clone_from(&expected);
        }
        reported.explained = reported.kept.len();
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

/// Whether an element of this type holds a value, of which every character counts.
fn has_value(set: &SchemaSet, kind: Option<TypeKey>) -> bool {
    match kind {
        Some(TypeKey::Simple(_)) => true,
        Some(TypeKey::Complex(key)) => {
            set.arenas.complex_types.get(key).is_some_and(|data| matches!(data.content, ComplexContentResult::Simple(_)))
        }
        None => false,
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
fn violation(compiled: &Compiled, report: &Report) -> Violation {
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
