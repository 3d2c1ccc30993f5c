//! What the validator takes and XML Schema 1.0 does not: refused when a schema is compiled.
//!
//! Each kind was found in W3C's suite (`tests/schema/w3c-differences.txt`), where the JDK refuses it too.

use std::collections::HashSet;

use xsd_schema::ids::ElementKey;
use xsd_schema::parser::frames::{ComplexContentResult, Compositor, DerivationMethod, ParticleResult, ParticleTerm};
use xsd_schema::parser::location::SourceRef;
use xsd_schema::{NameId, SchemaSet, TypeKey};

use super::source::{FolderLoader, Problem};

/// Everything in a schema that would be judged otherwise than XML Schema 1.0 says.
pub(super) fn problems(set: &SchemaSet) -> Vec<Problem> {
    let mut problems = redefined_twice(set);
    problems.extend(repeated_beyond_the_base(set));
    problems
}

fn problem(set: &SchemaSet, at: Option<&SourceRef>, what: String, remedy: &str) -> Problem {
    let at = at.and_then(|at| set.source_maps.locate(at));
    Problem {
        file: at.as_ref().map_or_else(String::new, |at| FolderLoader::path(&at.base_uri).to_owned()),
        line: at.map(|at| at.line),
        what,
        remedy: remedy.to_owned(),
    }
}

/// A type or group that two places redefine: the validator keeps either, and a message is judged by the one or the other.
fn redefined_twice(set: &SchemaSet) -> Vec<Problem> {
    let (mut seen, mut problems) = (HashSet::new(), Vec::new());
    for redefine in set.documents.iter().flat_map(|document| &document.redefines) {
        let arenas = &set.arenas;
        let simple = redefine.simple_types.iter().filter_map(|key| arenas.simple_types.get(*key)?.name);
        let complex = redefine.complex_types.iter().filter_map(|key| arenas.complex_types.get(*key)?.name);
        let groups = redefine.groups.iter().filter_map(|key| arenas.model_groups.get(*key)?.name);
        let attributes = redefine.attribute_groups.iter().filter_map(|key| arenas.attribute_groups.get(*key)?.name);
        let named = simple.chain(complex).map(|name| ("type", name));
        let named = named.chain(groups.map(|name| ("group", name))).chain(attributes.map(|name| ("attribute group", name)));
        for (kind, name) in named {
            if !seen.insert((redefine.resolved_doc_id, kind, name)) {
                let name = set.name_table.resolve(name);
                let what = format!("The {kind} {name} of {} is redefined in two places.", redefine.schema_location);
                problems.push(problem(set, redefine.source.as_ref(), what, "Redefine it once, and include that document."));
            }
        }
    }
    problems
}

/// An element in a content model, with how often it may stand there.
#[derive(Clone, Copy)]
struct Place<'s> {
    name: NameId,
    /// The global element, where it is a reference.
    global: Option<ElementKey>,
    least: u32,
    most: Option<u32>,
    /// It is a branch of a choice that may be made more than once.
    repeated: bool,
    source: Option<&'s SourceRef>,
}

/// `sequence(a*)` as a restriction of `choice(a | b)*`: fewer messages, but each `a` may stand once a choice, and XML Schema
/// 1.0 compares branch by branch. XML Schema 1.1 allows it.
fn repeated_beyond_the_base(set: &SchemaSet) -> Vec<Problem> {
    let mut problems = Vec::new();
    for derived in set.arenas.complex_types.values() {
        let ComplexContentResult::Complex(content) = &derived.content else { continue };
        let (DerivationMethod::Restriction, Some(TypeKey::Complex(base))) = (content.derivation, derived.resolved_base_type)
        else {
            continue;
        };
        let mut restricted = Vec::new();
        let mut next = Some(derived.redefine_original.unwrap_or(base));
        let mut seen = HashSet::new();
        // An extension adds to its base's content; a restriction states all of its own.
        while let Some(key) = next.filter(|key| seen.insert(*key)) {
            next = None;
            let Some(data) = set.arenas.complex_types.get(key) else { break };
            if let ComplexContentResult::Complex(content) = &data.content {
                places(set, content.particle.as_ref(), false, &mut HashSet::new(), &mut restricted);
                if let (DerivationMethod::Extension, Some(TypeKey::Complex(base))) = (content.derivation, data.resolved_base_type)
                {
                    next = Some(base);
                }
            }
        }
        let mut own = Vec::new();
        places(set, content.particle.as_ref(), false, &mut HashSet::new(), &mut own);
        for place in own.iter().filter(|place| !place.repeated) {
            let mut fitting = restricted.iter().filter_map(|base| fits(set, place, base)).peekable();
            if fitting.peek().is_some() && !fitting.any(|fits| fits) {
                let (name, kind) = (set.name_table.resolve(place.name), derived.name.map(|name| set.name_table.resolve(name)));
                let kind = kind.unwrap_or_else(|| "a type without a name".to_owned());
                let what =
                    format!("{kind} lets {name} stand more or less often than one branch of the choice that it restricts.");
                let remedy = "XML Schema 1.0 does not allow it: repeat the choice, with the one branch, as its base does.";
                problems.push(problem(set, place.source.or(derived.source.as_ref()), what, remedy));
            }
        }
    }
    problems
}

/// Whether a place lies within the range of one in the base; `None` where they have nothing to do with each other.
fn fits(set: &SchemaSet, own: &Place<'_>, base: &Place<'_>) -> Option<bool> {
    let within =
        |least: u32, most: Option<u32>| own.least >= least && most.is_none_or(|most| own.most.is_some_and(|own| own <= most));
    if own.name == base.name && own.global.is_some() == base.global.is_some() {
        return Some(!base.repeated || within(base.least, base.most));
    }
    // A head that may stand more than once is a choice between its substitutes, each once.
    let (own, head) = (own.global?, base.global?);
    substitutes(set, own, head).then(|| base.most == Some(1) || within(1, Some(1)))
}

fn substitutes(set: &SchemaSet, element: ElementKey, head: ElementKey) -> bool {
    let (mut waiting, mut seen) = (vec![element], HashSet::new());
    while let Some(next) = waiting.pop().filter(|next| seen.insert(*next)) {
        let heads = set.arenas.elements.get(next).map(|element| element.resolved_substitution_groups.as_slice());
        if heads.is_some_and(|heads| heads.contains(&head)) {
            return true;
        }
        waiting.extend(heads.into_iter().flatten());
    }
    false
}

fn places<'s>(
    set: &'s SchemaSet,
    particle: Option<&'s ParticleResult>,
    repeated: bool,
    seen: &mut HashSet<(Option<NameId>, NameId, bool)>,
    found: &mut Vec<Place<'s>>,
) {
    let Some(particle) = particle else { return };
    match &particle.term {
        ParticleTerm::Any(_) => {}
        ParticleTerm::Element(element) => {
            let reference = element.ref_name.as_ref();
            let Some(name) = element.name.or(reference.map(|name| name.local_name)) else { return };
            let global = reference.and_then(|name| set.lookup_element(name.namespace, name.local_name));
            let (least, most) = (particle.min_occurs, particle.max_occurs);
            found.push(Place { name, global, least, most, repeated, source: particle.source.as_ref() });
        }
        ParticleTerm::Group(group) => {
            let reference = group.ref_name.as_ref();
            let named = reference.and_then(|name| set.lookup_model_group(name.namespace, name.local_name));
            let named = named.and_then(|key| set.arenas.model_groups.get(key));
            let compositor = group.compositor.or(named.and_then(|named| named.compositor));
            let repeated = compositor == Some(Compositor::Choice) && particle.max_occurs != Some(1);
            // Once each way is enough, and groups of groups of groups stay cheap.
            if reference.is_some_and(|name| !seen.insert((name.namespace, name.local_name, repeated))) {
                return;
            }
            for particle in group.particles.iter().chain(named.into_iter().flat_map(|named| &named.particles)) {
                places(set, Some(particle), repeated, seen, found);
            }
        }
    }
}
