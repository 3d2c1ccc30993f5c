//! One object of the answer, as far as it was read: a small tree that holds only what the rules look at.

use super::place::Place;

/// One element that was read.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) place: Place,
    /// It carries `xsi:type` or `xsi:nil`, or is a value with an element inside: what it means is not sure.
    pub(super) odd: bool,
    /// Where its text stands in [`Object::text`].
    pub(super) text: std::ops::Range<usize>,
    /// A part that is no value, it or one below it, carries `xsi:type` or `xsi:nil`.
    pub(super) distorted: bool,
    /// How many parts that were read are below it: the ones that follow it in [`Object::parts`].
    pub(super) below: usize,
    /// How many values (elements without child elements) it holds or is, those passed over included.
    pub(super) fields: u64,
}

/// A child of the output, whole: its parts in document order, and their texts one after another.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) parts: Vec<Part>,
    pub(super) text: Vec<u8>,
}

impl Object {
    /// The element that is the object.
    pub(super) fn root(&self) -> Option<Node<'_>> {
        // Looked at here, once, instead of at each value: the reader lets nothing else through.
        let text = std::str::from_utf8(&self.text).ok()?;
        Node::first(&self.parts, text).map(|(root, _)| root)
    }
}

/// One element of an object, with what is below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'o> {
    part: &'o Part,
    below: &'o [Part],
    text: &'o str,
}

/// What stands at one place among an element's children.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'o> {
    first: Option<Node<'o>>,
    /// There is a second, and nobody may choose among them.
    twice: bool,
    /// How many values they hold or are.
    pub(super) fields: u64,
}

/// What one value amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'o> {
    Absent,
    /// Given twice, or odd: two readers could read two values.
    Unreadable,
    Text(&'o str),
}

/// What one identifier amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identifier<'o> {
    Absent,
    Unreadable,
    Uuid(&'o str),
    Urn(&'o str),
}

impl<'o> Node<'o> {
    /// The first of some siblings, and the others.
    #[inline]
    fn first(siblings: &'o [Part], text: &'o str) -> Option<(Self, &'o [Part])> {
        let (part, rest) = siblings.split_first()?;
        let (below, others) = rest.split_at_checked(part.below)?;
        Some((Self { part, below, text }, others))
    }

    /// Where it stands.
    pub(super) fn place(self) -> Place {
        self.part.place
    }

    /// The children at one place.
    pub(super) fn all(self, place: Place) -> impl Iterator<Item = Node<'o>> {
        let mut siblings = self.below;
        let children = std::iter::from_fn(move || {
            let (child, others) = Self::first(siblings, self.text)?;
            siblings = others;
            Some(child)
        });
        children.filter(move |child| child.part.place == place)
    }

    /// What stands at a place.
    pub(super) fn at(self, place: Place) -> At<'o> {
        let mut at = At { first: None, twice: false, fields: 0 };
        for child in self.all(place) {
            at.fields += child.fields();
            at.twice = at.first.is_some();
            at.first = at.first.or(Some(child));
        }
        at
    }

    /// The one child at a place; `Err(())` where there are two, among which nobody may choose.
    pub(super) fn only(self, place: Place) -> Result<Option<Node<'o>>, ()> {
        self.at(place).only()
    }

    /// The value at a place.
    pub(super) fn value(self, place: Place) -> Value<'o> {
        self.at(place).value()
    }

    /// The identifier at a place: exactly one, a well-formed UUID or a URN.
    pub(super) fn identifier(self, place: Place) -> Identifier<'o> {
        self.at(place).identifier()
    }

    /// The identifier that this very element wraps.
    pub(super) fn identifier_here(self) -> Identifier<'o> {
        match (self.value(Place::Uuid), self.value(Place::Urn)) {
            _ if self.part.odd => Identifier::Unreadable,
            (Value::Text(uuid), Value::Absent) if is_uuid(uuid) => Identifier::Uuid(uuid),
            (Value::Absent, Value::Text(urn)) => Identifier::Urn(urn),
            _ => Identifier::Unreadable,
        }
    }

    /// Whether a part that is no value, here or below, carries `xsi:type` or `xsi:nil`: its type decides what all in it
    /// means, so nothing in it is trusted.
    pub(super) fn is_distorted(self) -> bool {
        self.part.distorted
    }

    /// How many values (elements without child elements) it holds or is, those passed over included.
    pub(super) fn fields(self) -> u64 {
        self.part.fields
    }
}

impl<'o> At<'o> {
    fn only(self) -> Result<Option<Node<'o>>, ()> {
        if self.twice { Err(()) } else { Ok(self.first) }
    }

    /// See [`Node::value`].
    pub(super) fn value(self) -> Value<'o> {
        match self.only() {
            Ok(None) => Value::Absent,
            Ok(Some(node)) if !node.part.odd => node.text.get(node.part.text.clone()).map_or(Value::Unreadable, Value::Text),
            _ => Value::Unreadable,
        }
    }

    /// See [`Node::identifier`].
    pub(super) fn identifier(self) -> Identifier<'o> {
        match self.only() {
            Ok(None) => Identifier::Absent,
            Ok(Some(node)) => node.identifier_here(),
            Err(()) => Identifier::Unreadable,
        }
    }
}

/// A UUID as the schema writes it.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
