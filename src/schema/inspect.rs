//! What a schema declares, for whoever loads a service: elements, and the places below them.

use std::collections::HashSet;
use std::sync::Arc;

use xsd_schema::ids::{ComplexTypeKey, ElementKey};
use xsd_schema::parser::frames::{ComplexContentResult, ParticleResult, ParticleTerm};
use xsd_schema::{NameId, SchemaSet, TypeKey};

use super::compile::{Compiled, Schema};
use super::source::{FolderLoader, Problem, Sources};

/// A namespace, empty for none, and a local name.
type Name<'n> = (&'n str, &'n str);

/// A schema that can be asked. It belongs to one thread, like the validators.
pub struct Inspected(Compiled);

impl Schema {
    /// A schema, and its declarations to look at while a service is loaded.
    ///
    /// # Errors
    /// As [`Schema::new`].
    pub fn inspected(sources: Arc<Sources>, roots: impl IntoIterator<Item = String>) -> Result<(Self, Inspected), Vec<Problem>> {
        Self::checked(sources, roots).map(|(schema, compiled)| (schema, Inspected(compiled)))
    }

    /// Its declarations to look at.
    ///
    /// # Errors
    /// As [`Schema::new`]; a schema that compiled once compiles again.
    pub fn inspect(&self) -> Result<Inspected, Vec<Problem>> {
        self.compile().map(Inspected)
    }
}

impl Inspected {
    pub(super) fn set(&self) -> &SchemaSet {
        &self.0.set
    }

    /// The paths of the documents that it was made of.
    pub fn documents(&self) -> Vec<String> {
        let documents = &self.0.set.documents;
        let mut paths: Vec<String> =
            documents.iter().filter_map(|document| FolderLoader::inside(&document.base_uri)).map(str::to_owned).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Whether there is a global element of this name.
    pub fn declares(&self, namespace: &str, local: &str) -> bool {
        self.global(namespace, local).is_some()
    }

    /// Follows a path in the messages with this root: the elements `below` it, one in the other, and in the last of them
    /// `attribute`. Below a wildcard everything may stand.
    ///
    /// # Errors
    /// The first name that the schema does not have there.
    pub fn follow<'p>(&self, root: Name<'p>, below: &'p [String], attribute: Option<&'p str>) -> Result<(), &'p str> {
        let mut here = vec![self.global(root.0, root.1).ok_or(root.1)?];
        for step in below {
            let mut next = Vec::new();
            for kind in here.iter().filter_map(|element| self.kind(*element)) {
                if self.children(kind, step, &mut next) {
                    return Ok(());
                }
            }
            if next.is_empty() {
                return Err(step);
            }
            here = next;
        }
        let has = |name| here.iter().filter_map(|element| self.kind(*element)).any(|kind| self.attribute(kind, name));
        match attribute {
            Some(name) if !has(name) => Err(name),
            _ => Ok(()),
        }
    }

    /// Whether the element `root` may hold an element of this very name; one that only a wildcard lets in does not count.
    pub fn holds(&self, root: Name<'_>, child: Name<'_>) -> bool {
        let mut found = Vec::new();
        if let Some(kind) = self.global(root.0, root.1).and_then(|element| self.kind(element)) {
            self.children(kind, child.1, &mut found);
        }
        let namespace = self.0.set.name_table.get(child.0);
        let elements = &self.0.set.arenas.elements;
        found.iter().filter_map(|key| elements.get(*key)).any(|element| element.target_namespace == namespace)
    }

    fn global(&self, namespace: &str, local: &str) -> Option<ElementKey> {
        let set = &self.0.set;
        let namespace = if namespace.is_empty() { None } else { Some(set.name_table.get(namespace)?) };
        set.lookup_element(namespace, set.name_table.get(local)?)
    }

    fn kind(&self, element: ElementKey) -> Option<ComplexTypeKey> {
        match self.0.set.arenas.elements.get(element)?.resolved_type? {
            TypeKey::Complex(key) => Some(key),
            TypeKey::Simple(_) => None,
        }
    }

    /// Adds the elements of this name that may stand in a type; true where a wildcard takes anything.
    fn children(&self, kind: ComplexTypeKey, local: &str, found: &mut Vec<ElementKey>) -> bool {
        let set = &self.0.set;
        let Some(local) = set.name_table.get(local) else { return false };
        let (mut next, mut seen, mut any) = (Some(kind), HashSet::new(), false);
        while let Some(kind) = next.filter(|kind| seen.insert(*kind)) {
            let Some(data) = set.arenas.complex_types.get(kind) else { break };
            self.named(&data.resolved_content_particle_elements, local, found);
            if let ComplexContentResult::Complex(content) = &data.content {
                any |=
                    content.particle.as_ref().is_some_and(|particle| self.particle(particle, local, found, &mut HashSet::new()));
            }
            next = match data.resolved_base_type {
                Some(TypeKey::Complex(base)) => Some(base),
                _ => None,
            };
        }
        any
    }

    fn named(&self, elements: &[Option<ElementKey>], local: NameId, found: &mut Vec<ElementKey>) {
        let has = |key: &ElementKey| self.0.set.arenas.elements.get(*key).is_some_and(|element| element.name == Some(local));
        found.extend(elements.iter().flatten().filter(|key| has(key)));
    }

    /// Elements by reference, of the group itself and of the groups that it names.
    fn particle(
        &self,
        particle: &ParticleResult,
        local: NameId,
        found: &mut Vec<ElementKey>,
        seen: &mut HashSet<(Option<NameId>, NameId)>,
    ) -> bool {
        let set = &self.0.set;
        match &particle.term {
            ParticleTerm::Any(_) => true,
            ParticleTerm::Element(element) => {
                let Some(reference) = &element.ref_name else { return false };
                let Some(head) = set.lookup_element(reference.namespace, reference.local_name) else { return false };
                self.named(&[Some(head)], local, found);
                // Whatever may stand in its place.
                let substitutes =
                    set.arenas.elements.iter().filter(|(_, element)| element.resolved_substitution_groups.contains(&head));
                let substitutes: Vec<_> = substitutes.map(|(key, _)| Some(key)).collect();
                self.named(&substitutes, local, found);
                false
            }
            ParticleTerm::Group(group) => {
                // All of them: a wildcard hides no element that stands beside it.
                let mut any = false;
                for particle in &group.particles {
                    any |= self.particle(particle, local, found, seen);
                }
                if let Some(name) =
                    group.ref_name.as_ref().map(|name| (name.namespace, name.local_name)).filter(|name| seen.insert(*name))
                    && let Some(named) = set.lookup_model_group(name.0, name.1).and_then(|key| set.arenas.model_groups.get(key))
                {
                    self.named(&named.resolved_particle_elements, local, found);
                    for particle in &named.particles {
                        any |= self.particle(particle, local, found, seen);
                    }
                }
                any
            }
        }
    }

    fn attribute(&self, kind: ComplexTypeKey, local: &str) -> bool {
        let set = &self.0.set;
        let Some(local) = set.name_table.get(local) else { return false };
        let (mut next, mut seen) = (Some(kind), HashSet::new());
        while let Some(kind) = next.filter(|kind| seen.insert(*kind)) {
            let Some(data) = set.arenas.complex_types.get(kind) else { break };
            let (uses, groups, wildcard) = match &data.content {
                ComplexContentResult::Simple(content) => {
                    (&content.attributes, &content.attribute_groups, &content.attribute_wildcard)
                }
                _ => (&data.attributes, &data.attribute_groups, &data.attribute_wildcard),
            };
            let own =
                data.attributes.iter().chain(uses).any(|used| {
                    used.attribute.name.or(used.attribute.ref_name.as_ref().map(|name| name.local_name)) == Some(local)
                });
            // What a group or a wildcard brings is not looked into.
            if own || !groups.is_empty() || wildcard.is_some() || !data.attribute_groups.is_empty() {
                return true;
            }
            next = match data.resolved_base_type {
                Some(TypeKey::Complex(base)) => Some(base),
                _ => None,
            };
        }
        false
    }
}
