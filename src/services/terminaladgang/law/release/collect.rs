//! Gathers one object of the answer from the tokens, as far as it is read.

use super::Fed;
use super::node::{Object, Part};
use super::place::{Ns, Place};
use crate::refusal::Refusal;
use crate::soap::names::XSI;
use crate::soap::reading::{Path, Reading};
use crate::soap::strict::{Uri, Uris};

/// Whether the current tag carries `xsi:type` or `xsi:nil`, with whatever value.
pub(super) fn is_odd(read: &impl Reading) -> bool {
    read.attributes().any(|attribute| matches!(attribute.local, "type" | "nil") && read.uris().get(attribute.uri) == XSI)
}

/// Which of an answer's namespace names are ours: each is compared once, and known by its number from then on.
#[derive(Debug, Default)]
struct Namespaces(Vec<Option<Ns>>);

impl Namespaces {
    fn of(&mut self, uri: Uri, uris: &Uris) -> Option<Ns> {
        while self.0.len() <= uri.index() {
            let next = uris.at(self.0.len()).and_then(Ns::of);
            self.0.push(next);
        }
        *self.0.get(uri.index())?
    }
}

/// Whether an element that carries `xsi:type` or `xsi:nil` changes by it what others mean. Of a value only its own text does.
fn distorts(place: Place, odd: bool) -> bool {
    odd && !place.is_value() && !place.is_identifier()
}

/// What one element counts in the object limit beside its text, in bytes: about twice what it takes.
const ELEMENT: usize = 96;

/// Gathers the object that is being read.
#[derive(Debug, Default)]
pub(super) struct Collector {
    object: Object,
    /// The open elements, by their number among the object's parts.
    open: Vec<usize>,
    /// Open elements that are passed over.
    skipping: usize,
    /// Whether the last tag was a start tag: an end tag after it closes a value.
    leaf: bool,
    held: usize,
    /// How many values of the object have ended.
    fields: u64,
    namespaces: Namespaces,
    /// What was found out of an element by its path, by the path's number.
    met: Vec<Option<Met>>,
}

/// What the start tags from the root down to an element make of it.
#[derive(Debug, Clone, Copy)]
struct Met {
    place: Option<Place>,
    odd: bool,
}

impl Collector {
    /// An element begins. `limit` is in bytes held.
    pub(super) fn start(&mut self, read: &impl Reading, limit: usize) -> Fed {
        self.leaf = true;
        if self.skipping > 0 {
            self.skipping += 1;
            return Ok(());
        }
        let around = self.around();
        let Met { place: Some(place), odd } = self.meet(around, read) else {
            self.skipping = 1;
            return Ok(());
        };
        self.hold(ELEMENT, limit)?;
        let text = self.object.text.len()..self.object.text.len();
        self.open.push(self.object.parts.len());
        // Until it ends, `fields` are those before it.
        self.object.parts.push(Part { place, odd, text, distorted: distorts(place, odd), below: 0, fields: self.fields });
        Ok(())
    }

    /// The place in which an element begins.
    fn around(&mut self) -> Place {
        match self.innermost() {
            None => Place::Output,
            Some(parent) => {
                // An element inside a value: one reader sees the text before it, another the text after it.
                parent.odd |= parent.place.is_value();
                parent.place
            }
        }
    }

    /// A leaf inside an object: as [`Self::start`], [`Self::text`] and [`Self::end`], one after another.
    pub(super) fn leaf(&mut self, read: &impl Reading, limit: usize) -> Fed {
        self.leaf = false;
        let met = if self.skipping > 0 { None } else { Some(self.around()).map(|around| self.meet(around, read)) };
        self.fields += 1;
        let Some(Met { place: Some(place), odd }) = met else { return Ok(()) };
        let value = if place.is_value() { read.text_bytes() } else { &[] };
        self.hold(ELEMENT + value.len(), limit)?;
        let start = self.object.text.len();
        self.object.text.extend_from_slice(value);
        let text = start..self.object.text.len();
        let distorted = distorts(place, odd);
        if distorted && let Some(around) = self.innermost() {
            around.distorted = true;
        }
        self.object.parts.push(Part { place, odd, text, distorted, below: 0, fields: 1 });
        Ok(())
    }

    /// What an element is, directly in the place `around`: remembered by its path, which says as much as `around` does.
    fn meet(&mut self, around: Place, read: &impl Reading) -> Met {
        let number = read.path().map(Path::index);
        if let Some(Some(met)) = number.and_then(|number| self.met.get(number)) {
            return *met;
        }
        let namespace = self.namespaces.of(read.uri(), read.uris());
        let place = namespace.and_then(|namespace| around.child(namespace, read.local()));
        let met = Met { place, odd: is_odd(read) };
        if let Some(number) = number {
            if self.met.len() <= number {
                self.met.resize(number + 1, None);
            }
            if let Some(free) = self.met.get_mut(number) {
                *free = Some(met);
            }
        }
        met
    }

    /// Text: kept only in a value.
    pub(super) fn text(&mut self, text: &[u8], limit: usize) -> Fed {
        if self.skipping == 0 && self.innermost().is_some_and(|part| part.place.is_value()) {
            self.hold(text.len(), limit)?;
            self.object.text.extend_from_slice(text);
            let end = self.object.text.len();
            // No value holds another that is read, so what is pushed while it is open is its own.
            if let Some(part) = self.innermost() {
                part.text.end = end;
            }
        }
        Ok(())
    }

    /// An element ends; the object, if it was the object's own end. Give it back with [`Self::take_back`].
    pub(super) fn end(&mut self) -> Option<Object> {
        let leaf = std::mem::take(&mut self.leaf);
        if self.skipping > 0 {
            self.skipping -= 1;
            self.fields += u64::from(leaf);
            return None;
        }
        let number = self.open.pop()?;
        let (all, fields) = (self.object.parts.len(), &mut self.fields);
        let part = self.object.parts.get_mut(number)?;
        part.below = all - number - 1;
        // What holds no value is one itself.
        *fields += u64::from(*fields == part.fields);
        part.fields = *fields - part.fields;
        let distorted = part.distorted;
        match self.innermost() {
            Some(around) => {
                around.distorted |= distorted;
                None
            }
            None => Some(std::mem::take(&mut self.object)),
        }
    }

    /// Takes an object back for its memory, to read the next one into.
    pub(super) fn take_back(&mut self, mut object: Object) {
        object.parts.clear();
        object.text.clear();
        self.object = object;
        self.held = 0;
        self.fields = 0;
    }

    fn innermost(&mut self) -> Option<&mut Part> {
        self.object.parts.get_mut(*self.open.last()?)
    }

    fn hold(&mut self, bytes: usize, limit: usize) -> Fed {
        self.held = self.held.saturating_add(bytes);
        // No effectuation or grant is that large; a narrower search would meet it again, so it is the answer's fault.
        if self.held > limit { Err(Refusal::PEER_ANSWER_INVALID.into()) } else { Ok(()) }
    }
}
