//! Messages that are certainly valid, accepted without the library.
//!
//! Nearly every message is valid, and its schema is mostly of few kinds: sequences and choices of declared elements, text, numbers, dates, patterns.
//! For those the content is derived here from the schema's model, element by element, without a look-ahead of more than the next name: where
//! that succeeds, a derivation was found, so the message is valid. Where it does not, nothing follows: **the library judges the message whole**, as if
//! nobody had looked before, and says what is wrong. So nothing is refused here, and what is accepted must be what the library accepts:
//! a debug build asks it every time, and W3C's suite and the changed deliveries of `tests/passthrough` are judged with both.
//!
//! Left to the library: wildcards, `xsi:` attributes, mixed content, substitutes, fixed values, lists, unions, names and identifiers, identity
//! constraints, values that are written in an unusual way.

mod pattern;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;
use std::collections::HashMap;

use value::Check;

use super::model::{Content, Kind, Model, Name, Particle, Term};
use crate::soap::document::{Child, Element};
use crate::soap::names::XSI;
use crate::soap::strict::is_space;

/// How many particles all content models may have together, named groups written out where they are used.
const PARTS: usize = 50_000;
/// How deep groups may lie in each other.
const DEEP: usize = 32;

/// What is accepted, made of a schema's model.
pub(super) struct Accepted {
    elements: Vec<Declared>,
    complex: Vec<Complex>,
    simple: Vec<Option<Check>>,
    globals: HashMap<Name, usize>,
}

struct Declared {
    name: Name,
    kind: Kind,
    /// Abstract or of a fixed value: left to the library.
    is_left: bool,
}

struct Complex {
    holds: Holds,
    attributes: Vec<super::model::Attribute>,
}

enum Holds {
    /// Left to the library.
    Left,
    Value(usize),
    Nothing,
    Elements(Part),
}

struct Part {
    least: u32,
    most: u32,
    /// It may stand for nothing.
    nullable: bool,
    of: Of,
}

enum Of {
    Element(usize),
    Sequence(Vec<Part>),
    Choice(Vec<Part>),
}

impl Accepted {
    /// What is accepted of a schema without identity constraints; `None` where its model is too large.
    pub(super) fn new(model: &Model) -> Option<Self> {
        let mut left = PARTS;
        let simple = value::checks(model);
        // What it supplies may refer to what stands elsewhere, as an IDREF does.
        let supplies =
            |attribute: &super::model::Attribute| attribute.supplied && simple.get(attribute.kind).is_none_or(Option::is_none);
        let complex = model.complex.iter().map(|complex| {
            let holds = match &complex.content {
                _ if complex.is_abstract || complex.attributes.iter().any(supplies) => Holds::Left,
                Content::Simple(at) => Holds::Value(*at),
                Content::Elements(_, true) => Holds::Left,
                Content::Elements(parts, false) => match parts_of(model, parts, &mut left, 0) {
                    Some(parts) if parts.iter().all(|part| part.is_nothing() && part.nullable) => Holds::Nothing,
                    Some(parts) => Holds::Elements(Part::new(1, 1, Of::Sequence(parts))),
                    None => Holds::Left,
                },
            };
            Complex { holds, attributes: complex.attributes.clone() }
        });
        let complex: Vec<_> = complex.collect();
        let elements = model.elements.iter().map(|element| Declared {
            name: element.name.clone(),
            kind: element.kind,
            is_left: element.is_abstract || element.fixed.is_some(),
        });
        Some(Self { elements: elements.collect(), complex, simple, globals: model.globals.clone() }).filter(|_| left > 0)
    }

    /// Whether it is certain that the element, of this name, is valid.
    pub(super) fn accepts(&self, apex: Element<'_>, root: (&str, &str)) -> bool {
        // A handful of global elements; no name is made of two texts for one look.
        let declared = self.globals.iter().find(|((namespace, local), _)| (namespace.as_str(), local.as_str()) == root);
        declared.is_some_and(|(_, declared)| self.element(apex, *declared))
    }

    /// Depth is bounded by the strict reader's limit, far below what a worker's stack holds.
    fn element(&self, element: Element<'_>, declared: usize) -> bool {
        let Some(declared) = self.elements.get(declared).filter(|declared| !declared.is_left) else { return false };
        match declared.kind {
            Kind::Any => false,
            Kind::Simple(at) => element.attributes().next().is_none() && self.value(element, at),
            Kind::Complex(at) => {
                let Some(complex) = self.complex.get(at) else { return false };
                self.attributes(element, complex)
                    && match &complex.holds {
                        Holds::Left => false,
                        Holds::Value(at) => self.value(element, *at),
                        Holds::Nothing => element.children().next().is_none(),
                        Holds::Elements(part) => self.content(element, part),
                    }
            }
        }
    }

    fn attributes(&self, element: Element<'_>, complex: &Complex) -> bool {
        let mut required = complex.attributes.iter().filter(|attribute| attribute.required).count();
        for given in element.attributes() {
            let named =
                complex.attributes.iter().find(|declared| declared.name.0 == given.namespace && declared.name.1 == given.local);
            let Some(declared) = named.filter(|declared| declared.fixed.is_none() && given.namespace != XSI) else {
                return false;
            };
            if !self.simple.get(declared.kind).and_then(Option::as_ref).is_some_and(|check| check.accepts_attribute(given.value))
            {
                return false;
            }
            required -= usize::from(declared.required);
        }
        required == 0
    }

    fn value(&self, element: Element<'_>, at: usize) -> bool {
        let Some(check) = self.simple.get(at).and_then(Option::as_ref) else { return false };
        let mut value = Cow::Borrowed("");
        for child in element.children() {
            match child {
                Child::Text { text, .. } if value.is_empty() => value = Cow::Borrowed(text),
                Child::Text { text, .. } => value.to_mut().push_str(text),
                Child::Comment => {}
                Child::Element(_) => return false,
            }
        }
        check.accepts(&value)
    }

    fn content(&self, element: Element<'_>, part: &Part) -> bool {
        let mut coming = Coming { children: element.children(), next: None, count: 0, is_stray: false };
        coming.advance();
        self.part(part, &mut coming) && coming.next.is_none() && !coming.is_stray
    }

    fn part<'d>(&self, part: &Part, coming: &mut Coming<'d, impl Iterator<Item = Child<'d>>>) -> bool {
        let mut times = 0;
        while times < part.most && coming.next.is_some_and(|next| self.begins(part, next)) {
            let before = coming.count;
            let found = match &part.of {
                Of::Element(declared) => match coming.advance() {
                    Some(element) => self.element(element, *declared),
                    None => false,
                },
                Of::Sequence(parts) => parts.iter().all(|part| self.part(part, coming)),
                Of::Choice(parts) => match coming.next.and_then(|next| parts.iter().find(|part| self.begins(part, next))) {
                    Some(part) => self.part(part, coming),
                    None => false,
                },
            };
            if !found || coming.count == before {
                return false;
            }
            times += 1;
        }
        part.nullable || times >= part.least
    }

    /// Whether the element may be the first of this part.
    fn begins(&self, part: &Part, element: Element<'_>) -> bool {
        match &part.of {
            Of::Element(declared) => {
                self.elements.get(*declared).is_some_and(|declared| element.is(&declared.name.0, &declared.name.1))
            }
            Of::Sequence(parts) => {
                for part in parts {
                    if self.begins(part, element) {
                        return true;
                    }
                    if !part.nullable {
                        return false;
                    }
                }
                false
            }
            Of::Choice(parts) => parts.iter().any(|part| self.begins(part, element)),
        }
    }
}

/// The children of an element, with the next one of them that is an element.
struct Coming<'d, I> {
    children: I,
    next: Option<Element<'d>>,
    count: usize,
    /// There is text between them.
    is_stray: bool,
}

impl<'d, I: Iterator<Item = Child<'d>>> Coming<'d, I> {
    /// Takes the next element.
    fn advance(&mut self) -> Option<Element<'d>> {
        let taken = self.next.take();
        self.count += usize::from(taken.is_some());
        for child in self.children.by_ref() {
            match child {
                Child::Element(element) => {
                    self.next = Some(element);
                    break;
                }
                Child::Text { text, .. } => self.is_stray |= !text.chars().all(is_space),
                Child::Comment => {}
            }
        }
        taken
    }
}

impl Part {
    fn new(least: u32, most: u32, of: Of) -> Self {
        let nothing = match &of {
            Of::Element(_) => false,
            Of::Sequence(parts) => parts.iter().all(|part| part.nullable),
            Of::Choice(parts) => parts.iter().any(|part| part.nullable),
        };
        Self { least, most, nullable: least == 0 || nothing, of }
    }

    /// Content of such parts alone is empty, in which no white space may stand.
    fn is_nothing(&self) -> bool {
        match &self.of {
            Of::Element(_) => false,
            Of::Sequence(parts) | Of::Choice(parts) => parts.iter().all(Self::is_nothing),
        }
    }
}

/// The parts of a content model, named groups written out; `None` where one of them is left to the library.
fn parts_of(model: &Model, particles: &[Particle], left: &mut usize, deep: usize) -> Option<Vec<Part>> {
    particles.iter().map(|particle| part_of(model, particle, left, deep)).collect()
}

fn part_of(model: &Model, particle: &Particle, left: &mut usize, deep: usize) -> Option<Part> {
    *left = left.checked_sub(1)?;
    let deep = deep + 1;
    if deep > DEEP {
        return None;
    }
    let of = match &particle.term {
        Term::Element(at) => Of::Element(*at),
        Term::Sequence(parts) => Of::Sequence(parts_of(model, parts, left, deep)?),
        Term::Choice(parts) => Of::Choice(parts_of(model, parts, left, deep)?),
        Term::Group(at) => Of::Sequence(vec![part_of(model, model.groups.get(*at)?, left, deep)?]),
        Term::All(_) | Term::Any(_) => return None,
    };
    Some(Part::new(particle.min, particle.max.unwrap_or(u32::MAX), of))
}
