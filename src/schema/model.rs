//! A schema's declarations as plain data, for whoever writes messages by it.
//!
//! Components refer to each other by index, for types may hold themselves. Facets are gathered over a type's whole derivation,
//! the content of an extension stands behind that of its base.

use std::collections::HashMap;
use std::hash::Hash;

use xsd_schema::arenas::ComplexTypeDefData;
use xsd_schema::ids::{AttributeGroupKey, ComplexTypeKey, ElementKey, ModelGroupKey, SimpleTypeKey};
use xsd_schema::parser::frames::{
    AttributeUseKind, AttributeUseResult, ComplexContentResult, Compositor, DerivationMethod, NamespaceToken, ParticleResult,
    ParticleTerm, ProcessContents, SimpleTypeVariety, WildcardNamespace, WildcardResult,
};
use xsd_schema::types::facets::{FacetSet, WhitespaceMode};
use xsd_schema::{NameId, SchemaSet, TypeKey};

use super::inspect::Inspected;

/// A namespace, empty for none, and a local name.
pub type Name = (String, String);

/// The declarations of a schema.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Element declarations.
    pub elements: Vec<Element>,
    /// Complex types.
    pub complex: Vec<Complex>,
    /// Simple types, and the contents of complex types that are simple.
    pub simple: Vec<Simple>,
    /// Named groups.
    pub groups: Vec<Particle>,
    /// Global elements.
    pub globals: HashMap<Name, usize>,
}

/// An element declaration.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Element {
    pub name: Name,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be nil.
    pub nillable: bool,
    /// Its only value, if it has one.
    pub fixed: Option<String>,
    /// Whether another must stand in its place.
    pub is_abstract: bool,
    /// Elements that may stand in its place.
    pub substitutes: Vec<usize>,
}

/// The type of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of [`Model::simple`].
    Simple(usize),
    /// One of [`Model::complex`].
    Complex(usize),
    /// `xs:anyType`.
    Any,
}

/// A complex type.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Complex {
    /// Its name, which an `xsi:type` could give.
    pub name: Option<Name>,
    /// Whether an instance must name a derived type.
    pub is_abstract: bool,
    /// What an element of it holds.
    pub content: Content,
    pub attributes: Vec<Attribute>,
    /// Named types derived from it that an `xsi:type` may give in its place.
    pub derived: Vec<usize>,
}

/// What an element holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// A value: one of [`Model::simple`].
    Simple(usize),
    /// Elements, one particle after the other, and text between them where it is mixed.
    Elements(Vec<Particle>, bool),
}

/// A part of a content model.
#[derive(Debug, Clone)]
pub struct Particle {
    /// At least so many.
    pub min: u32,
    /// At most so many; `None` for no bound.
    pub max: Option<u32>,
    /// Of this.
    pub term: Term,
}

/// What a particle repeats.
#[derive(Debug, Clone)]
pub enum Term {
    /// One of [`Model::elements`].
    Element(usize),
    /// One of [`Model::groups`].
    Group(usize),
    /// One after the other.
    Sequence(Vec<Particle>),
    /// One of them.
    Choice(Vec<Particle>),
    /// Each, in any order.
    All(Vec<Particle>),
    /// Whatever a wildcard lets in.
    Any(Wildcard),
}

/// What `xs:any` lets in.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Wildcard {
    pub namespaces: Namespaces,
    /// Whether the element must be declared.
    pub strict: bool,
}

/// Namespaces that a wildcard lets in.
#[derive(Debug, Clone)]
pub enum Namespaces {
    /// Every one.
    Any,
    /// Every one but this, and but none.
    Other(String),
    /// These; the empty one is none.
    These(Vec<String>),
}

/// An attribute of a type.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Attribute {
    pub name: Name,
    /// One of [`Model::simple`].
    pub kind: usize,
    /// Whether it must be there.
    pub required: bool,
    /// Its only value, if it has one.
    pub fixed: Option<String>,
    /// Whether it has a value where it is not there: its fixed one, or a default.
    pub supplied: bool,
}

/// A simple type.
#[derive(Debug, Clone)]
pub struct Simple {
    /// What it is made of.
    pub variety: Variety,
    /// What its values must keep.
    pub facets: Facets,
}

/// What a simple type is made of.
#[derive(Debug, Clone)]
pub enum Variety {
    /// A built-in type, by its local name: `token`, `dateTime`.
    Atomic(String),
    /// Values of a simple type with spaces between them.
    List(usize),
    /// A value of one of these simple types.
    Union(Vec<usize>),
}

/// The facets of a simple type, those of the types that it is derived from included.
#[derive(Debug, Clone, Default)]
pub struct Facets {
    /// Of each of these at least one pattern must fit.
    pub patterns: Vec<Vec<String>>,
    /// The values that there are; none for no such facet.
    pub enumeration: Option<Vec<String>>,
    /// `length`.
    pub length: Option<u64>,
    /// `minLength`.
    pub min_length: Option<u64>,
    /// `maxLength`.
    pub max_length: Option<u64>,
    /// `minInclusive`.
    pub min_inclusive: Option<String>,
    /// `maxInclusive`.
    pub max_inclusive: Option<String>,
    /// `minExclusive`.
    pub min_exclusive: Option<String>,
    /// `maxExclusive`.
    pub max_exclusive: Option<String>,
    /// `totalDigits`.
    pub total_digits: Option<u32>,
    /// `fractionDigits`.
    pub fraction_digits: Option<u32>,
    /// Whether white space around and between words does not count.
    pub collapse: Option<bool>,
}

impl Inspected {
    /// The declarations of everything that global elements lead to.
    ///
    /// # Errors
    /// What could not be followed, in words.
    pub fn model(&self) -> Result<Model, String> {
        Model::of(self.set())
    }
}

impl Model {
    pub(super) fn of(set: &SchemaSet) -> Result<Self, String> {
        let mut builder = Builder { set, model: Self::default(), seen: Seen::default() };
        builder.globals();
        while let Some(work) = builder.seen.work.pop() {
            builder.fill(work)?;
        }
        Ok(builder.model)
    }
}

/// A component whose place is taken and whose content is still to be read.
#[derive(Debug, Clone, Copy)]
enum Work {
    Element(ElementKey, usize),
    Complex(ComplexTypeKey, usize),
    Simple(TypeKey, usize),
    Group(ModelGroupKey, usize),
}

#[derive(Default)]
struct Seen {
    elements: HashMap<ElementKey, usize>,
    complex: HashMap<ComplexTypeKey, usize>,
    simple: HashMap<TypeKey, usize>,
    groups: HashMap<ModelGroupKey, usize>,
    work: Vec<Work>,
}

/// The index of a component, a place for it taken where it is new.
fn place<K: Copy + Eq + Hash, T>(seen: &mut HashMap<K, usize>, all: &mut Vec<T>, key: K, new: T) -> (usize, bool) {
    if let Some(at) = seen.get(&key) {
        return (*at, false);
    }
    all.push(new);
    seen.insert(key, all.len() - 1);
    (all.len() - 1, true)
}

struct Builder<'s> {
    set: &'s SchemaSet,
    model: Model,
    seen: Seen,
}

impl Builder<'_> {
    fn text(&self, name: Option<NameId>) -> String {
        name.map(|name| self.set.name_table.resolve(name).to_string()).unwrap_or_default()
    }

    fn globals(&mut self) {
        let keys: Vec<ElementKey> = self.set.arenas.elements.keys().collect();
        for key in keys {
            let Some(data) = self.set.arenas.elements.get(key) else { continue };
            if data.name.is_some_and(|name| self.set.lookup_element(data.target_namespace, name) == Some(key)) {
                let at = self.element(key);
                let name = (self.text(data.target_namespace), self.text(data.name));
                self.model.globals.insert(name, at);
            }
        }
    }

    fn element(&mut self, key: ElementKey) -> usize {
        let new = Element {
            name: Name::default(),
            kind: Kind::Any,
            nillable: false,
            fixed: None,
            is_abstract: false,
            substitutes: Vec::new(),
        };
        let (at, first) = place(&mut self.seen.elements, &mut self.model.elements, key, new);
        if first {
            self.seen.work.push(Work::Element(key, at));
        }
        at
    }

    fn complex(&mut self, key: ComplexTypeKey) -> usize {
        let new = Complex {
            name: None,
            is_abstract: false,
            content: Content::Elements(Vec::new(), false),
            attributes: Vec::new(),
            derived: Vec::new(),
        };
        let (at, first) = place(&mut self.seen.complex, &mut self.model.complex, key, new);
        if first {
            self.seen.work.push(Work::Complex(key, at));
        }
        at
    }

    /// A simple type, or the simple content of a complex one.
    fn simple(&mut self, key: TypeKey) -> usize {
        let new = Simple { variety: Variety::Union(Vec::new()), facets: Facets::default() };
        let (at, first) = place(&mut self.seen.simple, &mut self.model.simple, key, new);
        if first {
            self.seen.work.push(Work::Simple(key, at));
        }
        at
    }

    fn group(&mut self, key: ModelGroupKey) -> usize {
        let new = Particle { min: 1, max: Some(1), term: Term::Sequence(Vec::new()) };
        let (at, first) = place(&mut self.seen.groups, &mut self.model.groups, key, new);
        if first {
            self.seen.work.push(Work::Group(key, at));
        }
        at
    }

    fn fill(&mut self, work: Work) -> Result<(), String> {
        match work {
            Work::Element(key, at) => self.fill_element(key, at),
            Work::Complex(key, at) => self.fill_complex(key, at)?,
            Work::Simple(key, at) => self.fill_simple(key, at)?,
            Work::Group(key, at) => {
                let Some(data) = self.set.arenas.model_groups.get(key) else { return Ok(()) };
                let mut index = 0;
                let parts =
                    self.particles(&data.particles, &data.resolved_particle_elements, &mut index, data.target_namespace)?;
                if let Some(group) = self.model.groups.get_mut(at) {
                    group.term = composed(data.compositor, parts);
                }
            }
        }
        Ok(())
    }

    fn fill_element(&mut self, key: ElementKey, at: usize) {
        let Some(data) = self.set.arenas.elements.get(key) else { return };
        let kind = match data.resolved_type {
            Some(kind) if self.set.is_any_type(kind) => Kind::Any,
            Some(TypeKey::Complex(kind)) => Kind::Complex(self.complex(kind)),
            Some(kind @ TypeKey::Simple(_)) => Kind::Simple(self.simple(kind)),
            None => Kind::Any,
        };
        let mut substitutes = Vec::new();
        // Blocked in part counts as blocked: the head itself may stand there.
        if data.block.is_empty() {
            let (mut heads, mut found) = (vec![key], Vec::new());
            while let Some(head) = heads.pop() {
                for (other, _) in
                    self.set.arenas.elements.iter().filter(|(_, other)| other.resolved_substitution_groups.contains(&head))
                {
                    if other != key && !found.contains(&other) {
                        found.push(other);
                        heads.push(other);
                    }
                }
            }
            substitutes = found.into_iter().map(|other| self.element(other)).collect();
        }
        let name = (self.text(data.target_namespace), self.text(data.name));
        if let Some(element) = self.model.elements.get_mut(at) {
            *element = Element {
                name,
                kind,
                nillable: data.nillable,
                fixed: data.fixed_value.clone(),
                is_abstract: data.is_abstract,
                substitutes,
            };
        }
    }

    fn fill_complex(&mut self, key: ComplexTypeKey, at: usize) -> Result<(), String> {
        let Some(data) = self.set.arenas.complex_types.get(key) else { return Ok(()) };
        let content = match &data.content {
            ComplexContentResult::Simple(_) => Content::Simple(self.simple(TypeKey::Complex(key))),
            _ => {
                let (mut parts, mut mixed) = (Vec::new(), data.mixed);
                for step in bases(self.set, key) {
                    let ComplexContentResult::Complex(content) = &step.content else { continue };
                    mixed |= content.mixed;
                    let Some(particle) = &content.particle else { continue };
                    let mut index = 0;
                    let elements = &step.resolved_content_particle_elements;
                    parts.extend(self.particle(particle, elements, &mut index, step.target_namespace)?);
                }
                Content::Elements(parts, mixed)
            }
        };
        let attributes = self.attributes(key);
        let name = data.name.map(|name| (self.text(data.target_namespace), self.text(Some(name))));
        let mut derived = Vec::new();
        if data.block.is_empty() {
            let from: Vec<ComplexTypeKey> = self.set.arenas.complex_types.keys().filter(|other| *other != key).collect();
            for other in from {
                let named =
                    self.set.arenas.complex_types.get(other).is_some_and(|other| other.name.is_some() && !other.is_abstract);
                if named && self.derives(other, key) {
                    derived.push(self.complex(other));
                }
            }
        }
        if let Some(complex) = self.model.complex.get_mut(at) {
            *complex = Complex { name, is_abstract: data.is_abstract, content, attributes, derived };
        }
        Ok(())
    }

    fn derives(&self, from: ComplexTypeKey, base: ComplexTypeKey) -> bool {
        let mut next = Some(from);
        // A schema with a circle does not compile; the bound is for safety.
        for _ in 0..256 {
            next = next.and_then(|key| self.set.arenas.complex_types.get(key)).and_then(|data| match data.resolved_base_type {
                Some(TypeKey::Complex(base)) => Some(base),
                _ => None,
            });
            if next == Some(base) {
                return true;
            }
        }
        false
    }

    /// A particle; `None` where it stands for nothing.
    fn particle(
        &mut self,
        particle: &ParticleResult,
        elements: &[Option<ElementKey>],
        index: &mut usize,
        target: Option<NameId>,
    ) -> Result<Option<Particle>, String> {
        let term = match &particle.term {
            ParticleTerm::Element(element) => {
                let own = elements.get(*index).copied().flatten();
                *index += 1;
                let key = match &element.ref_name {
                    Some(name) => self.set.lookup_element(name.namespace, name.local_name),
                    None => own,
                };
                let name = element.ref_name.as_ref().map(|name| name.local_name).or(element.name);
                Term::Element(self.element(key.ok_or_else(|| format!("the element {} has no declaration", self.text(name)))?))
            }
            ParticleTerm::Group(group) => match &group.ref_name {
                Some(name) => {
                    let key = self.set.lookup_model_group(name.namespace, name.local_name);
                    Term::Group(self.group(key.ok_or_else(|| format!("there is no group {}", self.text(Some(name.local_name))))?))
                }
                None => {
                    let parts = self.particles(&group.particles, elements, index, target)?;
                    composed(group.compositor, parts)
                }
            },
            ParticleTerm::Any(wildcard) => Term::Any(self.wildcard(wildcard, target)),
        };
        let nothing = particle.max_occurs == Some(0);
        Ok((!nothing).then_some(Particle { min: particle.min_occurs, max: particle.max_occurs, term }))
    }

    fn particles(
        &mut self,
        particles: &[ParticleResult],
        elements: &[Option<ElementKey>],
        index: &mut usize,
        target: Option<NameId>,
    ) -> Result<Vec<Particle>, String> {
        let mut found = Vec::new();
        for particle in particles {
            found.extend(self.particle(particle, elements, index, target)?);
        }
        Ok(found)
    }

    fn wildcard(&self, wildcard: &WildcardResult, target: Option<NameId>) -> Wildcard {
        let namespaces = match &wildcard.namespace {
            WildcardNamespace::Any => Namespaces::Any,
            WildcardNamespace::Other => Namespaces::Other(self.text(target)),
            WildcardNamespace::TargetNamespace => Namespaces::These(vec![self.text(target)]),
            WildcardNamespace::Local => Namespaces::These(vec![String::new()]),
            WildcardNamespace::List(tokens) => {
                Namespaces::These(tokens.iter().map(|token: &NamespaceToken| self.text(token.resolve(target))).collect())
            }
        };
        Wildcard { namespaces, strict: wildcard.process_contents == ProcessContents::Strict }
    }

    /// The attributes of a type: its own, its groups', and those of its bases that it does not repeat or prohibit.
    fn attributes(&mut self, key: ComplexTypeKey) -> Vec<Attribute> {
        let (mut found, mut settled, mut next): (Vec<Attribute>, Vec<Name>, _) = (Vec::new(), Vec::new(), Some(key));
        let set = self.set;
        for _ in 0..256 {
            let Some(data) = next.and_then(|key| set.arenas.complex_types.get(key)) else { break };
            let mut uses: Vec<_> =
                data.attributes.iter().zip(&data.resolved_attributes).map(|used| (used, data.target_namespace)).collect();
            let (mut groups, mut seen): (Vec<AttributeGroupKey>, Vec<AttributeGroupKey>) =
                (data.resolved_attribute_groups.clone(), Vec::new());
            while let Some(group) = groups.pop() {
                if seen.contains(&group) {
                    continue;
                }
                seen.push(group);
                let Some(data) = set.arenas.attribute_groups.get(group) else { continue };
                uses.extend(data.attributes.iter().zip(&data.resolved_attributes).map(|used| (used, data.target_namespace)));
                groups.extend(&data.resolved_attribute_groups);
            }
            // A prohibition takes away what the base has, where the type itself restricts it. Elsewhere it says nothing (XSD 1.0 Structures 3.4.2).
            let restricts = data.derivation_method != Some(DerivationMethod::Extension);
            let (own, mut prohibited) = (data.attributes.len(), Vec::new());
            for (at, ((used, resolved), target)) in uses.into_iter().enumerate() {
                let declared = resolved.resolved_ref.and_then(|key| set.arenas.attributes.get(key));
                let name = match (declared, used.attribute.ref_name.is_some()) {
                    (Some(declared), true) => (self.text(declared.target_namespace), self.text(declared.name)),
                    _ => self.attribute_name(used, target),
                };
                if used.use_kind == AttributeUseKind::Prohibited {
                    if restricts && at < own {
                        prohibited.push(name);
                    }
                    continue;
                }
                if settled.contains(&name) {
                    continue;
                }
                settled.push(name.clone());
                let kind = resolved.resolved_type.or(declared.and_then(|declared| declared.resolved_type));
                let kind = kind.or_else(|| {
                    set.get_built_in_simple_type_by_code(xsd_schema::XmlTypeCode::AnySimpleType).map(TypeKey::Simple)
                });
                let Some(kind) = kind else { continue };
                let fixed =
                    used.attribute.fixed_value.clone().or_else(|| declared.and_then(|declared| declared.fixed_value.clone()));
                let defaults =
                    used.attribute.default_value.is_some() || declared.is_some_and(|declared| declared.default_value.is_some());
                let (kind, required) = (self.simple(kind), used.use_kind == AttributeUseKind::Required);
                found.push(Attribute { name, kind, required, supplied: fixed.is_some() || defaults, fixed });
            }
            settled.extend(prohibited);
            next = match data.resolved_base_type {
                Some(TypeKey::Complex(base)) if !set.is_any_type(TypeKey::Complex(base)) => Some(base),
                _ => None,
            };
        }
        found
    }

    fn attribute_name(&self, used: &AttributeUseResult, target: Option<NameId>) -> Name {
        let attribute = &used.attribute;
        let namespace = self.set.effective_local_attribute_namespace(
            attribute.target_namespace,
            attribute.form.as_deref(),
            attribute.source.as_ref(),
            target,
        );
        (self.text(namespace), self.text(attribute.name))
    }

    fn fill_simple(&mut self, key: TypeKey, at: usize) -> Result<(), String> {
        let (mut facets, mut next) = (Facets::default(), Some(key));
        let mut variety = None;
        for _ in 0..256 {
            let Some(kind) = next else { break };
            next = match kind {
                TypeKey::Complex(key) => {
                    let Some(data) = self.set.arenas.complex_types.get(key) else { break };
                    if let ComplexContentResult::Simple(content) = &data.content {
                        facets.add(&content.facets);
                    }
                    data.resolved_simple_content_type.or(data.resolved_base_type)
                }
                TypeKey::Simple(key) => {
                    let Some(data) = self.set.arenas.simple_types.get(key) else { break };
                    facets.add(&data.facets);
                    variety = match (data.variety, data.resolved_item_type) {
                        (SimpleTypeVariety::List, Some(item)) => Some(Variety::List(self.simple(item))),
                        (SimpleTypeVariety::Union, _) if !data.resolved_member_types.is_empty() => {
                            Some(Variety::Union(data.resolved_member_types.iter().map(|member| self.simple(*member)).collect()))
                        }
                        _ => self.built_in(key),
                    };
                    if variety.is_some() { None } else { data.resolved_base_type.filter(|base| *base != kind) }
                }
            };
        }
        let variety = variety.ok_or_else(|| "a simple type leads to no built-in type".to_owned())?;
        if let Some(simple) = self.model.simple.get_mut(at) {
            *simple = Simple { variety, facets };
        }
        Ok(())
    }

    fn built_in(&self, key: SimpleTypeKey) -> Option<Variety> {
        let name = self.set.get_type_code(key)?.local_name()?;
        Some(Variety::Atomic(name.to_owned()))
    }
}

/// A type and the types that it extends, the base first. A restriction repeats what it keeps.
fn bases(set: &SchemaSet, key: ComplexTypeKey) -> Vec<&ComplexTypeDefData> {
    let (mut found, mut next) = (Vec::new(), Some(key));
    while let Some(data) = next.and_then(|key| set.arenas.complex_types.get(key)) {
        found.push(data);
        next = match (data.derivation_method, data.resolved_base_type) {
            (Some(DerivationMethod::Extension), Some(TypeKey::Complex(base))) if found.len() < 256 => Some(base),
            _ => None,
        };
    }
    found.reverse();
    found
}

fn composed(compositor: Option<Compositor>, parts: Vec<Particle>) -> Term {
    match compositor {
        Some(Compositor::Choice) => Term::Choice(parts),
        Some(Compositor::All) => Term::All(parts),
        Some(Compositor::Sequence) | None => Term::Sequence(parts),
    }
}

impl Facets {
    /// Adds what a base type demands. What the derived type says stands already, and is the narrower.
    fn add(&mut self, base: &FacetSet) {
        self.patterns.extend(base.patterns.iter().map(|step| step.iter().map(|pattern| pattern.value.clone()).collect()));
        if self.enumeration.is_none() {
            self.enumeration = base.enumeration.as_ref().map(|facet| {
                let mut values: Vec<String> = facet.values.iter().cloned().collect();
                values.sort_unstable();
                values
            });
        }
        self.length = self.length.or(base.length.as_ref().map(|facet| facet.value));
        self.min_length = self.min_length.or(base.min_length.as_ref().map(|facet| facet.value));
        self.max_length = self.max_length.or(base.max_length.as_ref().map(|facet| facet.value));
        let bound = |own: &mut Option<String>, base: Option<&String>| {
            if own.is_none() {
                *own = base.cloned();
            }
        };
        bound(&mut self.min_inclusive, base.min_inclusive.as_ref().map(|facet| &facet.value));
        bound(&mut self.max_inclusive, base.max_inclusive.as_ref().map(|facet| &facet.value));
        bound(&mut self.min_exclusive, base.min_exclusive.as_ref().map(|facet| &facet.value));
        bound(&mut self.max_exclusive, base.max_exclusive.as_ref().map(|facet| &facet.value));
        self.total_digits = self.total_digits.or(base.total_digits.as_ref().map(|facet| facet.value));
        self.fraction_digits = self.fraction_digits.or(base.fraction_digits.as_ref().map(|facet| facet.value));
        self.collapse = self.collapse.or(base.whitespace.as_ref().map(|facet| facet.value == WhitespaceMode::Collapse));
    }
}
