//! Messages from a schema: valid, varied, and the same for the same seed.
//!
//! Every choice is drawn from the seed. What must be there always fits, for each component's least size is known before:
//! where a message grows too deep or too large, the smallest way to its end is taken.

use super::node::{Node, Part, XSI, serialise};
use super::value::{Ids, Value, Values};
use crate::schema::model::{Attribute, Content, Kind, Model, Name, Namespaces, Particle, Term, Wildcard};
use crate::signature::names::{DSIG, SAML, WSSE, WSSE11, WSU};
use crate::signature::sign::canonical_content;
use crate::stub::random::Random;

/// The namespace of what the stub itself puts where a schema lets anything in.
pub const OWN: &str = "urn:hjemmel:stub";
/// The namespaces of signatures and tokens.
const SECURITY: [&str; 5] = [DSIG, SAML, WSSE, WSSE11, WSU];
/// Elements in a message before only what must be there is written.
const ENOUGH: u32 = 200;
/// Elements and turns in a message before it is given up: a schema can demand more than a stub should write.
const TOO_MANY: u32 = 20_000;
/// How deep elements stand in each other before only what must be there is written.
const DEEP: usize = 16;
/// How deep elements may stand in each other.
const TOO_DEEP: usize = 60;
const TOO_LARGE: &str = "the schema demands a message larger than a stub writes";
/// A size that nothing has: what cannot be written at all.
const NEVER: u32 = u32::MAX;

/// Why no message could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Unmade {
    /// The element, by its local names from the body's element down.
    pub place: String,
    /// What could not be written.
    pub what: String,
}

/// Makes messages of one schema.
#[derive(Debug)]
pub struct Maker {
    model: Model,
    values: Values,
    /// How many elements each element needs at least, itself included.
    elements: Vec<u32>,
    complex: Vec<u32>,
    groups: Vec<u32>,
}

/// A message under way.
struct Making<'m> {
    maker: &'m Maker,
    random: Random,
    ids: Ids,
    count: u32,
    /// How often a particle was begun.
    turns: u32,
    /// The local names of the open elements.
    path: Vec<String>,
    /// The namespaces of the open elements: their prefixes are declared, however the message is canonicalised.
    scopes: Vec<String>,
}

impl Maker {
    /// Prepares a schema.
    pub fn new(model: Model) -> Self {
        let values = Values::new(&model);
        let (elements, complex, groups) =
            (vec![NEVER; model.elements.len()], vec![NEVER; model.complex.len()], vec![NEVER; model.groups.len()]);
        let mut maker = Self { model, values, elements, complex, groups };
        // Sizes only fall, from "never" on: until nothing changes.
        while maker.measure() {}
        maker
    }

    /// The canonical bytes of an element, as the seed would have it. They are valid but for what no grammar tells: keys.
    ///
    /// # Errors
    /// [`Unmade`]: what of it could not be written.
    pub fn make(&self, namespace: &str, local: &str, seed: u64) -> Result<Vec<u8>, Unmade> {
        let mut making = Making {
            maker: self,
            random: Random::new(seed),
            ids: Ids::default(),
            count: 0,
            turns: 0,
            path: Vec::new(),
            scopes: Vec::new(),
        };
        let root = self.model.globals.get(&(namespace.to_owned(), local.to_owned()));
        let root = *root.ok_or_else(|| making.unmade(format!("the schema has no element {local}")))?;
        // A message's element is the operation's own: nothing stands in its place.
        let node = making.node(root)?;
        let written = serialise(&node);
        canonical_content(&written).map_err(|error| making.unmade(error.to_string()))
    }

    /// Lowers the sizes by what is known; whether any fell.
    fn measure(&mut self) -> bool {
        let mut fell = false;
        let mut lower = |sizes: &mut Vec<u32>, at: usize, size: u32| {
            if let Some(known) = sizes.get_mut(at)
                && size < *known
            {
                *known = size;
                fell = true;
            }
        };
        for at in 0..self.model.groups.len() {
            let size = self.model.groups.get(at).map_or(NEVER, |group| self.term(&group.term));
            lower(&mut self.groups, at, size);
        }
        for at in 0..self.model.complex.len() {
            let size = self.model.complex.get(at).map_or(NEVER, |kind| match &kind.content {
                Content::Simple(_) => 0,
                Content::Elements(parts, _) => sum(parts.iter().map(|part| self.particle(part))),
            });
            lower(&mut self.complex, at, size);
        }
        for at in 0..self.model.elements.len() {
            let own = self.model.elements.get(at).map_or(NEVER, |element| match element.kind {
                _ if element.is_abstract => NEVER,
                Kind::Simple(_) | Kind::Any => 1,
                Kind::Complex(kind) => self.of_type(kind).map_or(NEVER, |kind| self.size(kind).saturating_add(1)),
            });
            lower(&mut self.elements, at, own);
        }
        fell
    }

    fn size(&self, complex: usize) -> u32 {
        self.complex.get(complex).copied().unwrap_or(NEVER)
    }

    /// What an element needs where it or another in its place may stand.
    fn least(&self, element: usize) -> u32 {
        let own = self.elements.get(element).copied().unwrap_or(NEVER);
        let others = self.model.elements.get(element).into_iter().flat_map(|element| &element.substitutes);
        others.filter_map(|other| self.elements.get(*other).copied()).fold(own, u32::min)
    }

    /// The type itself, or the smallest that may stand for an abstract one.
    fn of_type(&self, complex: usize) -> Option<usize> {
        let kind = self.model.complex.get(complex)?;
        if !kind.is_abstract {
            return Some(complex);
        }
        kind.derived.iter().copied().filter(|other| self.size(*other) < NEVER).min_by_key(|other| self.size(*other))
    }

    fn particle(&self, particle: &Particle) -> u32 {
        match particle.min {
            0 => 0,
            min => match self.term(&particle.term) {
                NEVER => NEVER,
                size => size.saturating_mul(min).min(NEVER - 1),
            },
        }
    }

    fn term(&self, term: &Term) -> u32 {
        match term {
            Term::Element(element) => self.least(*element),
            Term::Group(group) => self.groups.get(*group).copied().unwrap_or(NEVER),
            Term::Sequence(parts) | Term::All(parts) => sum(parts.iter().map(|part| self.particle(part))),
            Term::Choice(parts) => parts.iter().map(|part| self.particle(part)).min().unwrap_or(NEVER),
            Term::Any(wildcard) if wildcard.strict => {
                self.declared(wildcard).map(|element| self.least(element)).min().unwrap_or(NEVER)
            }
            Term::Any(_) => 1,
        }
    }

    /// The global elements that a wildcard lets in, in the order of their names. Parts of signatures and tokens only where
    /// there is nothing else: a strict receiver takes them for decoys in a signed message.
    fn declared(&self, wildcard: &Wildcard) -> impl Iterator<Item = usize> + use<'_> {
        let wildcard = wildcard.clone();
        let mut found: Vec<(&Name, usize)> = self.model.globals.iter().map(|(name, at)| (name, *at)).collect();
        found.retain(|((namespace, _), at)| {
            wildcard.namespaces.has(namespace) && self.elements.get(*at).is_some_and(|size| *size < NEVER)
        });
        let plain = |name: &Name| !SECURITY.contains(&name.0.as_str());
        if found.iter().any(|(name, _)| plain(name)) {
            found.retain(|(name, _)| plain(name));
        }
        found.sort_unstable();
        found.into_iter().map(|(_, at)| at)
    }
}

fn sum(sizes: impl Iterator<Item = u32>) -> u32 {
    let mut total = 0_u32;
    for size in sizes {
        if size == NEVER {
            return NEVER;
        }
        total = total.saturating_add(size).min(NEVER - 1);
    }
    total
}

impl Namespaces {
    fn has(&self, namespace: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Other(not) => !namespace.is_empty() && namespace != not,
            Self::These(these) => these.iter().any(|one| one == namespace),
        }
    }
}

impl Making<'_> {
    fn unmade(&self, what: impl Into<String>) -> Unmade {
        let place: String = self.path.iter().map(|name| format!("/{name}")).collect();
        Unmade { place: if place.is_empty() { "/".to_owned() } else { place }, what: what.into() }
    }

    /// Whether only what must be there is still written.
    fn lean(&self) -> bool {
        self.count > ENOUGH || self.path.len() > DEEP
    }

    /// An element, or one that may stand in its place.
    fn element(&mut self, at: usize) -> Result<Node, Unmade> {
        let maker = self.maker;
        let Some(element) = maker.model.elements.get(at) else { return Err(self.unmade("an element that is not there")) };
        let others = element.substitutes.iter().copied();
        let mut fitting: Vec<usize> =
            [at].into_iter().chain(others).filter(|at| maker.elements.get(*at) < Some(&NEVER)).collect();
        if self.lean() {
            fitting.sort_by_key(|at| maker.elements.get(*at).copied());
            fitting.truncate(1);
        }
        match self.random.pick(&fitting).copied() {
            Some(at) => self.node(at),
            None => Err(self.unmade(format!("{} is abstract, and nothing stands in its place", element.name.1))),
        }
    }

    fn node(&mut self, at: usize) -> Result<Node, Unmade> {
        let maker = self.maker;
        let Some(element) = maker.model.elements.get(at) else { return Err(self.unmade("an element that is not there")) };
        self.count += 1;
        self.path.push(element.name.1.clone());
        if self.count > TOO_MANY || self.path.len() > TOO_DEEP {
            return Err(self.unmade(TOO_LARGE));
        }
        self.scopes.push(element.name.0.clone());
        let mut node = Node { name: element.name.clone(), attributes: Vec::new(), content: Vec::new() };
        let nil = element.nillable && element.fixed.is_none() && self.path.len() > 1 && self.random.chance(8);
        if nil {
            node.attributes.push(((XSI.to_owned(), "nil".to_owned()), Value::Text("true".to_owned())));
        }
        match element.kind {
            Kind::Simple(_) | Kind::Any if nil => {}
            _ if element.fixed.is_some() && matches!(element.kind, Kind::Simple(_) | Kind::Any) => {
                node.content.extend(element.fixed.clone().map(|fixed| Part::Value(Value::Text(fixed))));
            }
            Kind::Simple(kind) => {
                let value = self.value(kind)?;
                node.content.push(Part::Value(value));
            }
            Kind::Any => node.content.push(Part::Value(Value::Text("stub".to_owned()))),
            Kind::Complex(kind) => self.complex(kind, nil, element.fixed.as_ref(), &mut node)?,
        }
        self.scopes.pop();
        self.path.pop();
        Ok(node)
    }

    fn complex(&mut self, declared: usize, nil: bool, fixed: Option<&String>, node: &mut Node) -> Result<(), Unmade> {
        let maker = self.maker;
        let mut at = declared;
        if maker.model.complex.get(declared).is_some_and(|kind| kind.is_abstract) {
            let (kind, name) = self.derived(declared)?;
            node.attributes.push(((XSI.to_owned(), "type".to_owned()), Value::Name(name)));
            at = kind;
        }
        let Some(kind) = maker.model.complex.get(at) else { return Err(self.unmade("a type that is not there")) };
        for attribute in &kind.attributes {
            if attribute.required || (!self.lean() && self.random.chance(50)) {
                let value = self.attribute(attribute);
                match value {
                    Ok(value) => node.attributes.push((attribute.name.clone(), value)),
                    // Such as a reference before there is any ID: what may be left out is.
                    Err(_) if !attribute.required => {}
                    Err(unmade) => return Err(unmade),
                }
            }
        }
        if nil {
            return Ok(());
        }
        match &kind.content {
            Content::Simple(simple) => {
                let value = match fixed {
                    Some(fixed) => Value::Text(fixed.clone()),
                    None => self.value(*simple)?,
                };
                node.content.push(Part::Value(value));
            }
            Content::Elements(..) if fixed.is_some() => {
                node.content.extend(fixed.map(|fixed| Part::Value(Value::Text(fixed.clone()))));
            }
            Content::Elements(parts, mixed) => {
                for part in parts {
                    self.repeat(part, &mut node.content)?;
                }
                if *mixed && self.random.chance(50) {
                    let at = self.random.below(node.content.len() + 1);
                    node.content.insert(at, Part::Value(Value::Text("tekst".to_owned())));
                }
            }
        }
        Ok(())
    }

    /// A type that may stand for an abstract one, and the name that says so.
    fn derived(&mut self, declared: usize) -> Result<(usize, Name), Unmade> {
        let maker = self.maker;
        let all = maker.model.complex.get(declared).map(|kind| kind.derived.as_slice()).unwrap_or_default();
        let named = all.iter().filter(|at| maker.size(**at) < NEVER).filter_map(|at| {
            let name = maker.model.complex.get(*at)?.name.clone()?;
            // A prefix that stands in a value alone is lost when the message is canonicalised.
            (name.0.is_empty() || self.scopes.contains(&name.0)).then_some((*at, name))
        });
        let mut named: Vec<(usize, Name)> = named.collect();
        named.sort_by_key(|(at, name)| (maker.size(*at), name.clone()));
        if self.lean() {
            named.truncate(1);
        }
        self.random
            .pick(&named)
            .cloned()
            .ok_or_else(|| self.unmade("an abstract type, and no derived type that a message could name"))
    }

    fn attribute(&mut self, attribute: &Attribute) -> Result<Value, Unmade> {
        match &attribute.fixed {
            Some(fixed) => Ok(Value::Text(fixed.clone())),
            None => self.value(attribute.kind),
        }
    }

    fn value(&mut self, kind: usize) -> Result<Value, Unmade> {
        let maker = self.maker;
        let scope = self.scopes.first().cloned().unwrap_or_default();
        let made = maker.values.make(&maker.model, kind, &scope, &mut self.ids, &mut self.random);
        made.map_err(|what| self.unmade(what))
    }

    /// A particle as often as the seed has it, within its bounds.
    fn repeat(&mut self, particle: &Particle, into: &mut Vec<Part>) -> Result<(), Unmade> {
        let possible = self.maker.term(&particle.term) < NEVER;
        let mut times = particle.min;
        if possible && !self.lean() {
            let most = particle.max.unwrap_or(u32::MAX);
            let likely = if self.path.len() > 6 { 40 } else { 65 };
            while times < most && times < particle.min.saturating_add(3) && self.random.chance(likely) {
                times += 1;
            }
        }
        for at in 0..times {
            // An empty sequence, too, may be demanded four thousand million times.
            self.turns += 1;
            if self.turns > TOO_MANY {
                return Err(self.unmade(TOO_LARGE));
            }
            let (length, before) = (into.len(), (self.path.len(), self.scopes.len()));
            match self.term(&particle.term, into) {
                Ok(()) => {}
                // What cannot be written and need not be is left out.
                Err(_) if at >= particle.min => {
                    into.truncate(length);
                    self.path.truncate(before.0);
                    self.scopes.truncate(before.1);
                    break;
                }
                Err(unmade) => return Err(unmade),
            }
        }
        Ok(())
    }

    fn term(&mut self, term: &Term, into: &mut Vec<Part>) -> Result<(), Unmade> {
        let maker = self.maker;
        match term {
            Term::Element(element) => {
                let node = self.element(*element)?;
                into.push(Part::Node(node));
            }
            Term::Group(group) => {
                let Some(group) = maker.model.groups.get(*group) else { return Err(self.unmade("a group that is not there")) };
                self.term(&group.term, into)?;
            }
            Term::Sequence(parts) => {
                for part in parts {
                    self.repeat(part, into)?;
                }
            }
            Term::All(parts) => {
                let mut left: Vec<&Particle> = parts.iter().collect();
                while !left.is_empty() {
                    let part = left.swap_remove(self.random.below(left.len()));
                    self.repeat(part, into)?;
                }
            }
            Term::Choice(parts) => {
                let mut fitting: Vec<(u32, &Particle)> = parts.iter().map(|part| (maker.particle(part), part)).collect();
                fitting.retain(|(size, _)| *size < NEVER);
                if self.lean() {
                    fitting.sort_by_key(|(size, _)| *size);
                    fitting.truncate(1);
                }
                match self.random.pick(&fitting).copied() {
                    Some((_, part)) => self.repeat(part, into)?,
                    None => return Err(self.unmade("a choice of which nothing can be written")),
                }
            }
            Term::Any(wildcard) => {
                let node = self.anything(wildcard)?;
                into.push(Part::Node(node));
            }
        }
        Ok(())
    }

    /// What stands where a wildcard lets something in: a declared element where it must be one, else the stub's own.
    fn anything(&mut self, wildcard: &Wildcard) -> Result<Node, Unmade> {
        if wildcard.strict {
            let mut declared: Vec<usize> = self.maker.declared(wildcard).collect();
            declared.sort_by_key(|at| self.maker.elements.get(*at).copied());
            declared.truncate(8);
            return match self.random.pick(&declared).copied() {
                Some(at) => self.node(at),
                None => Err(self.unmade("a wildcard for declared elements, of which there are none")),
            };
        }
        let namespace = match &wildcard.namespaces {
            Namespaces::These(these) => these.first().cloned().unwrap_or_default(),
            Namespaces::Any | Namespaces::Other(_) => OWN.to_owned(),
        };
        self.count += 1;
        let text = format!("stub-{}", self.random.below(1000));
        Ok(Node { name: (namespace, "stub".to_owned()), attributes: Vec::new(), content: vec![Part::Value(Value::Text(text))] })
    }
}
