//! Start tags: read once, and then recognised.
//!
//! An answer of ten thousand objects has a hundred different start tags. A tag that stands letter for letter as one did
//! before has been read: its name, attributes and declarations are well-formed, and its references resolved. Only what
//! depends on where it stands is asked anew, each time: what its prefixes are bound to, and whether two attributes are
//! thereby the same.

use crate::refusal::Refusal;
use crate::soap::lexical::{is_absolute_uri, is_plain_value, is_space_byte, next_attribute, normalise_value, qname};
use crate::soap::reading::Path;
use crate::soap::strict::{Limits, TagAttribute, Uri, Uris, XML_NAMESPACE, XMLNS_NAMESPACE, malformed, too_complex};

use super::paths::{Expected, Paths};
use super::scope::{Prefix, Scope};
use super::starts_with;

/// A part of [`Store`]: of its text, or of one of its lists. A beginning and a length that are added as what is twice as
/// wide cannot be out of order, which asks less at each look than a range does.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    start: u32,
    length: u32,
}

impl Part {
    /// What does not fit is a part of nothing; [`Store::read`] refuses it before.
    fn new(start: usize, end: usize) -> Self {
        match (u32::try_from(start), u32::try_from(end.saturating_sub(start))) {
            (Ok(start), Ok(length)) => Self { start, length },
            _ => Self::default(),
        }
    }
    #[inline]
    fn length(self) -> usize {
        usize::try_from(self.length).unwrap_or(0)
    }
    #[inline]
    fn range(self) -> std::ops::Range<usize> {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        start..start.saturating_add(self.length())
    }
}

#[derive(Debug)]
struct Attribute {
    prefix: Part,
    number: Prefix,
    local: Part,
    value: Part,
    uri: Uri,
}

/// What was read out of the tags, one tag's behind another's, so that nothing is allocated for each of them.
#[derive(Debug, Default)]
struct Store {
    /// Each tag as it stands behind `<`, with its `>`; behind it those of its values that mean something else than stands
    /// there, and its end tag.
    text: String,
    attributes: Vec<Attribute>,
    declarations: Vec<(Part, Prefix, Uri)>,
}

/// How much of a [`Store`] is in use: its text and its lists.
type Mark = (usize, usize, usize);

impl Store {
    fn part(&self, part: Part) -> &str {
        self.text.get(part.range()).unwrap_or("")
    }
    #[inline]
    fn bytes(&self, part: Part) -> &[u8] {
        self.text.as_bytes().get(part.range()).unwrap_or(&[])
    }
    fn attributes(&self, part: Part) -> &[Attribute] {
        self.attributes.get(part.range()).unwrap_or(&[])
    }
    fn declarations(&self, part: Part) -> &[(Part, Prefix, Uri)] {
        self.declarations.get(part.range()).unwrap_or(&[])
    }
    fn mark(&self) -> Mark {
        (self.text.len(), self.attributes.len(), self.declarations.len())
    }
    fn truncate(&mut self, (text, attributes, declarations): Mark) {
        self.text.truncate(text);
        self.attributes.truncate(attributes);
        self.declarations.truncate(declarations);
    }
}

/// One start tag: where in the [`Store`] its parts are.
#[derive(Debug, Default)]
struct Parts {
    /// The tag as it stands behind `<`, with its `>`.
    raw: Part,
    /// The end tag as it is without white space, from its `<` on.
    end: Part,
    name: Part,
    prefix: Part,
    number: Prefix,
    local: Part,
    uri: Option<Uri>,
    empty: bool,
    attributes: Part,
    declarations: Part,
    /// The path for which the names are resolved.
    resolved: Option<Path>,
}

impl Parts {
    /// Whether it opens an element on this path, and all that is to be judged of it there has been: the same letters have
    /// been judged on the same path. Its names are resolved for that path then. `uri` is what the path knows of it.
    #[inline]
    fn again(&mut self, expected: Expected) -> bool {
        let path = expected.path();
        if path.is_none() || self.resolved != path {
            if path.is_none() || expected.uri.is_none() {
                return false;
            }
            self.uri = expected.uri;
            self.resolved = path;
        }
        !self.empty
    }
}

/// One start tag, to be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'t> {
    parts: &'t Parts,
    store: &'t Store,
}

impl<'t> Tag<'t> {
    pub(super) fn prefix(self) -> &'t str {
        self.store.part(self.parts.prefix)
    }
    pub(super) fn local(self) -> &'t str {
        self.store.part(self.parts.local)
    }
    pub(super) fn uri(self) -> Uri {
        self.parts.uri.unwrap_or(Uri::NONE)
    }
    /// The name as written, prefix included.
    pub(super) fn name(self) -> &'t [u8] {
        self.store.bytes(self.parts.name)
    }
    pub(super) fn is_empty_element(self) -> bool {
        self.parts.empty
    }
    pub(super) fn attributes(self) -> impl Iterator<Item = TagAttribute<'t>> {
        let store = self.store;
        store.attributes(self.parts.attributes).iter().map(|a| TagAttribute {
            prefix: store.part(a.prefix),
            local: store.part(a.local),
            uri: a.uri,
            value: store.part(a.value),
        })
    }
    #[inline]
    pub(super) fn has_attributes(self) -> bool {
        self.parts.attributes.length > 0
    }
    pub(super) fn declarations(self) -> impl Iterator<Item = (&'t str, Uri)> {
        let store = self.store;
        store.declarations(self.parts.declarations).iter().map(|(prefix, _, uri)| (store.part(*prefix), *uri))
    }
    /// The tag as it stands behind `<`, with its `>`.
    fn raw(self) -> &'t [u8] {
        self.store.bytes(self.parts.raw)
    }
    /// How long that is, in bytes.
    #[inline]
    pub(super) fn length(self) -> usize {
        self.parts.raw.length()
    }
    /// The end tag as it is without white space, from its `<` on.
    #[inline]
    pub(super) fn end(self) -> &'t [u8] {
        self.store.bytes(self.parts.end)
    }
    /// Whether it declares namespaces: most tags do not.
    #[inline]
    pub(super) fn declares(self) -> bool {
        self.parts.declarations.length > 0
    }
    /// Binds what it declares, in the element that was opened last.
    pub(super) fn bind(self, scope: &mut Scope) {
        for (_, prefix, uri) in self.store.declarations(self.parts.declarations) {
            scope.bind(*prefix, *uri);
        }
    }
}

impl Store {
    /// Reads a tag that is nothing but a name of plain letters, whose prefix is so long: most tags are.
    fn read_plain(&mut self, raw: &str, prefix: usize, known: &mut Known<'_>) -> Result<Parts, Refusal> {
        let (start, attributes, declarations) = self.mark();
        if start.saturating_add(raw.len().saturating_mul(4)) > LARGEST {
            return Err(too_long());
        }
        within(raw, known.limits)?;
        let number = known.scope.prefix(raw.get(..prefix).unwrap_or(""), known.limits.namespaces)?;
        let end = start + raw.len() + 1;
        for part in [raw, "></", raw, ">"] {
            self.text.push_str(part);
        }
        let local = start + if prefix > 0 { prefix + 1 } else { 0 };
        Ok(Parts {
            raw: Part::new(start, end),
            end: Part::new(end, self.text.len()),
            name: Part::new(start, end - 1),
            prefix: Part::new(start, start + prefix),
            number,
            local: Part::new(local, end - 1),
            uri: None,
            empty: false,
            attributes: Part::new(attributes, attributes),
            declarations: Part::new(declarations, declarations),
            resolved: None,
        })
    }

    /// Reads the tag that stands so between `<` and `>`: all that does not depend on where it stands.
    fn read(&mut self, raw: &str, known: &mut Known<'_>) -> Result<Parts, Refusal> {
        let (limits, offset) = (known.limits, known.offset);
        let (start, first_attribute, first_declaration) = self.mark();
        if start.saturating_add(raw.len().saturating_mul(4)) > LARGEST {
            return Err(too_long());
        }
        self.text.push_str(raw);
        self.text.push('>');
        let whole = Part::new(start, self.text.len());
        let (inside, empty) = raw.strip_suffix('/').map_or((raw, false), |inside| (inside, true));
        let name_end = inside.bytes().position(is_space_byte).unwrap_or(inside.len());
        let (name, mut rest) = inside.split_at(name_end);
        let (prefix, local) = split(name, limits, offset)?;

        let mut seen = 0usize;
        while let Some((name, value, after)) = next_attribute(rest, offset)? {
            let name_start = start + inside.len() - rest.len() + rest.bytes().take_while(|byte| is_space_byte(*byte)).count();
            // The quote stands between the value and what comes after it.
            let value_end = start + inside.len() - after.len() - 1;
            rest = after;
            seen += 1;
            if seen > limits.attributes {
                return Err(too_complex("antallet af attributter på ét element", "attributes of one element", limits.attributes));
            }
            let (prefix, local) = split(name, limits, offset)?;
            let value = match is_plain_value(value) {
                true => Part::new(value_end - value.len(), value_end),
                false => {
                    let from = self.text.len();
                    normalise_value(value, &mut self.text, offset)?;
                    Part::new(from, self.text.len())
                }
            };
            let (prefix_at, local_at) = places(name_start, name.len(), prefix, local);
            match (prefix, local) {
                ("xmlns", _) => self.declare(local, local_at, value, first_declaration, known)?,
                ("", "xmlns") => self.declare("", Part::default(), value, first_declaration, known)?,
                _ => {
                    let number = known.scope.prefix(prefix, limits.namespaces)?;
                    self.attributes.push(Attribute { prefix: prefix_at, number, local: local_at, value, uri: Uri::NONE });
                }
            }
        }
        let number = known.scope.prefix(prefix, limits.namespaces)?;
        let (prefix, local) = places(start, name.len(), prefix, local);
        let end = self.text.len();
        self.text.push_str("</");
        self.text.push_str(inside.get(..name_end).unwrap_or(""));
        self.text.push('>');
        let (behind, attributes, declarations) = self.mark();
        Ok(Parts {
            raw: whole,
            end: Part::new(end, behind),
            name: Part::new(start, start + name_end),
            prefix,
            number,
            local,
            uri: None,
            empty,
            attributes: Part::new(first_attribute, attributes),
            declarations: Part::new(first_declaration, declarations),
            resolved: None,
        })
    }

    /// Keeps the declaration of `prefix`, which stands at `prefix_at`; the tag's first one is `first`.
    fn declare(
        &mut self,
        prefix: &str,
        prefix_at: Part,
        value: Part,
        first: usize,
        known: &mut Known<'_>,
    ) -> Result<(), Refusal> {
        let (limits, offset) = (known.limits, known.offset);
        if matches!(prefix, "xml" | "xmlns") {
            return Err(malformed(
                offset,
                "præfikserne xml og xmlns må ikke erklæres",
                "the prefixes xml and xmlns may not be declared",
            ));
        }
        if self.declarations(Part::new(first, self.declarations.len())).iter().any(|(known, ..)| self.part(*known) == prefix) {
            return Err(malformed(offset, "et præfiks er erklæret to gange", "a prefix is declared twice"));
        }
        let uri = match self.part(value) {
            XML_NAMESPACE | XMLNS_NAMESPACE => {
                return Err(malformed(
                    offset,
                    "navnerummene for xml og xmlns må ikke erklæres",
                    "the namespaces of xml and xmlns may not be declared",
                ));
            }
            "" if prefix.is_empty() => Uri::NONE,
            "" => return Err(malformed(offset, "et præfiks er erklæret uden navnerum", "a prefix is declared empty")),
            name => match known.uris.find(name) {
                // It was declared before in this document, and is of the right form.
                Some(uri) => uri,
                // A relative or unreadable namespace name makes some canonicalisers fail to an empty string (void canonicalisation).
                None if !is_absolute_uri(name) => {
                    return Err(malformed(
                        offset,
                        "et navnerum, der ikke er en absolut URI",
                        "a namespace name that is not an absolute URI",
                    ));
                }
                None => known.uris.intern(name, limits.namespaces)?,
            },
        };
        let number = known.scope.prefix(prefix, limits.namespaces)?;
        self.declarations.push((prefix_at, number, uri));
        Ok(())
    }

    /// Opens the element that the tag begins, and resolves the names in it; `number` is the tag's own.
    fn open(&mut self, tag: &mut Parts, number: usize, known: &mut Opening<'_>) -> Result<(), Box<Refusal>> {
        let Opening { scope, paths, limits, offset } = known;
        let offset = *offset;
        if scope.depth() >= limits.depth {
            return Err(too_complex("elementernes dybde", "element depth", limits.depth).into());
        }
        let Self { text, attributes, declarations } = self;
        let part = |part: Part| text.as_bytes().get(part.range()).unwrap_or(&[]);
        scope.open(number, part(tag.name), paths.open());
        for (_, prefix, uri) in declarations.get(tag.declarations.range()).unwrap_or(&[]) {
            if scope.declarations() >= limits.declarations {
                return Err(too_complex(
                    "antallet af navnerumserklæringer, der gælder samtidig",
                    "namespace declarations in scope",
                    limits.declarations,
                )
                .into());
            }
            scope.bind(*prefix, *uri);
        }
        // On the same path the same letters have passed what follows, with the same meaning.
        if tag.resolved.is_some() && tag.resolved == paths.last() {
            return Ok(());
        }
        tag.resolved = None;
        // Only now are this tag's own declarations in scope, wherever among the attributes they stood.
        let lookup = |prefix: Prefix| match scope.bound(prefix) {
            None if prefix != Prefix::NONE => {
                Err(Box::new(malformed(offset, "et præfiks, der ikke er erklæret", "a prefix that is not declared")))
            }
            uri => Ok(uri.unwrap_or(Uri::NONE)),
        };
        tag.uri = Some(lookup(tag.number)?);
        let attributes = attributes.get_mut(tag.attributes.range()).unwrap_or(&mut []);
        for attribute in attributes.iter_mut().filter(|attribute| attribute.number != Prefix::NONE) {
            attribute.uri = lookup(attribute.number)?;
        }
        // Two prefixes bound to one namespace make `a:x` and `b:x` the same attribute: readers would disagree.
        let same = |a: &Attribute, b: &Attribute| a.uri == b.uri && part(a.local) == part(b.local);
        let mut rest = &*attributes;
        while let [first, others @ ..] = rest {
            if others.iter().any(|other| same(first, other)) {
                return Err(malformed(offset, "en attribut forekommer to gange", "an attribute occurs twice").into());
            }
            rest = others;
        }
        tag.resolved = paths.last();
        // Without a prefix an attribute has no namespace, wherever it stands.
        paths.resolved(tag.uri.filter(|_| attributes.iter().all(|attribute| attribute.number == Prefix::NONE)));
        Ok(())
    }
}

/// Where the prefix and the local name stand of a name that stands at `start` and is so long.
fn places(start: usize, length: usize, prefix: &str, local: &str) -> (Part, Part) {
    (Part::new(start, start + prefix.len()), Part::new(start + length - local.len(), start + length))
}

/// What a tag is read with.
pub(super) struct Known<'k> {
    pub(super) scope: &'k mut Scope,
    pub(super) uris: &'k mut Uris,
    pub(super) limits: &'k Limits,
    /// Where the tag stands, in bytes.
    pub(super) offset: usize,
}

/// What a tag is opened with.
pub(super) struct Opening<'k> {
    pub(super) scope: &'k mut Scope,
    pub(super) paths: &'k mut Paths,
    pub(super) limits: &'k Limits,
    /// Where the tag stands, in bytes.
    pub(super) offset: usize,
}

fn too_long() -> Refusal {
    too_complex("længden af starttags i byte", "the length of start tags in bytes", LARGEST)
}

fn within(name: &str, limits: &Limits) -> Result<(), Refusal> {
    match name.len() > limits.name {
        true => Err(too_complex("længden af et navn i byte", "the length of a name in bytes", limits.name)),
        false => Ok(()),
    }
}

fn split<'n>(name: &'n str, limits: &Limits, offset: usize) -> Result<(&'n str, &'n str), Refusal> {
    within(name, limits)?;
    qname(name).ok_or_else(|| malformed(offset, "et navn, der ikke er velformet", "a name that is not well-formed"))
}

/// How many tags are remembered, of these with attributes (whose values may never come again) only the first few, and how
/// long they may be: what an answer can make the gateway hold by them is bounded. None is forgotten for another, since
/// elements that are open are known by the numbers of their tags.
const REMEMBERED: usize = 512;
const WITH_ATTRIBUTES: usize = 128;
const LONGEST: usize = 512;
/// How long the text of a [`Store`] may be: less than a number in a [`Part`] can tell.
const LARGEST: usize = 1 << 30;
/// Places in the index of the remembered tags, as the power of two: at first, when that fills up, and how many tags that is.
const PLACE_BITS: u32 = 9;
const MORE_PLACE_BITS: u32 = 11;
const FULL: usize = 192;
/// How many places, from its own on, a tag may stand in.
const NEIGHBOURS: usize = 4;

/// The tags that were read, the last one among them.
#[derive(Debug)]
pub(super) struct Tags {
    store: Store,
    /// How much of `store` belongs to tags that are remembered. Behind it is the last one that was not.
    kept: Mark,
    /// The first is the last one that was not remembered.
    tags: Vec<Parts>,
    /// From each value of [`place`] on the numbers of tags, 0 for none. They may be others: what is found is compared.
    index: Vec<u16>,
    bits: u32,
    /// The number of the last tag.
    last: usize,
}

impl Default for Tags {
    fn default() -> Self {
        // Room for the tags of a request or a small answer, which have about a hundred.
        let mut tags = Vec::with_capacity(128);
        tags.push(Parts::default());
        let store = Store {
            text: String::with_capacity(8 * 1024),
            attributes: Vec::with_capacity(32),
            declarations: Vec::with_capacity(32),
        };
        Self { store, kept: (0, 0, 0), tags, index: vec![0; room(PLACE_BITS)], bits: PLACE_BITS, last: 0 }
    }
}

impl Tags {
    fn tag(&self, number: usize) -> Option<Tag<'_>> {
        self.tags.get(number).map(|parts| Tag { parts, store: &self.store })
    }

    pub(super) fn last(&self) -> Option<Tag<'_>> {
        self.tag(self.last)
    }

    /// The name of the element that the tag with this number begins.
    pub(super) fn name(&self, number: usize) -> &[u8] {
        self.tag(number).map_or(&[], Tag::name)
    }

    /// The number of the last tag.
    pub(super) fn number(&self) -> usize {
        self.last
    }

    /// The tag that is expected, if what stands behind `<` is it, letter for letter, and nothing of it is to be judged again;
    /// it becomes the last one.
    #[inline]
    pub(super) fn again(&mut self, expected: Expected, inside: &[u8]) -> Option<Tag<'_>> {
        let Self { store, tags, last, .. } = self;
        let parts = tags.get_mut(expected.tag).filter(|parts| starts_with(inside, store.bytes(parts.raw)))?;
        if !parts.again(expected) {
            return None;
        }
        *last = expected.tag;
        Some(Tag { parts, store })
    }

    /// The end tag of an element by the number of its tag.
    #[inline]
    pub(super) fn end(&self, number: usize) -> &[u8] {
        self.tag(number).map_or(&[], Tag::end)
    }

    /// Whether the tag that stands so between `<` and `>`, the `>` included, has been read; it becomes the last one.
    pub(super) fn recognise(&mut self, raw: &[u8]) -> bool {
        let place = place(raw, self.bits);
        for number in self.index.get(place..place + NEIGHBOURS).unwrap_or(&[]) {
            let number = usize::from(*number);
            self.last = number;
            if number == 0 {
                return false;
            }
            if self.tag(number).is_some_and(|tag| tag.raw() == raw) {
                return true;
            }
        }
        false
    }

    /// Reads a tag; it becomes the last one, and is remembered if there is room. `plain`: it is a name of plain letters with a
    /// prefix of that length.
    pub(super) fn read(&mut self, raw: &str, plain: Option<usize>, known: &mut Known<'_>) -> Result<(), Refusal> {
        self.last = 0;
        self.store.truncate(self.kept);
        let parts = match plain {
            Some(prefix) => self.store.read_plain(raw, prefix, known)?,
            None => self.store.read(raw, known)?,
        };
        let most = if parts.attributes.length == 0 { REMEMBERED } else { WITH_ATTRIBUTES };
        let number = self.tags.len();
        if number == FULL && self.bits == PLACE_BITS {
            self.make_places();
        }
        if raw.len() <= LONGEST && number <= most && self.index(number, place(self.store.bytes(parts.raw), self.bits)) {
            self.tags.push(parts);
            self.kept = self.store.mark();
            self.last = number;
        } else if let Some(first) = self.tags.first_mut() {
            *first = parts;
        }
        Ok(())
    }

    /// More places in the index, for the tags of a large answer.
    fn make_places(&mut self) {
        self.bits = MORE_PLACE_BITS;
        self.index = vec![0; room(self.bits)];
        for number in 1..self.tags.len() {
            let place = place(self.tag(number).map_or(&[], Tag::raw), self.bits);
            self.index(number, place);
        }
    }

    /// Puts the number of a tag where its place in the index or one beside it is free, if one is.
    fn index(&mut self, number: usize, place: usize) -> bool {
        let mut places = self.index.get_mut(place..place + NEIGHBOURS).unwrap_or(&mut []).iter_mut();
        match (places.find(|known| **known == 0), u16::try_from(number)) {
            (Some(free), Ok(short)) => {
                *free = short;
                true
            }
            _ => false,
        }
    }

    /// Opens the element that the last tag begins.
    pub(super) fn open(&mut self, known: &mut Opening<'_>) -> Result<(), Box<Refusal>> {
        match self.tags.get_mut(self.last) {
            Some(tag) => self.store.open(tag, self.last, known),
            None => Err(Refusal::Internal.into()),
        }
    }
}

/// A place in the index. Tags for which there is none left (because somebody wants it so) are read anew each time, as all
/// would be without the index.
fn place(raw: &[u8], bits: u32) -> usize {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = raw.as_chunks::<8>();
    let word = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let hash = words.iter().fold(raw.len() as u64, |hash, eight| word(hash, u64::from_le_bytes(*eight)));
    let last = rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte));
    usize::try_from(word(hash, last) >> (u64::BITS - bits)).unwrap_or(0)
}

fn room(bits: u32) -> usize {
    (1 << bits) + NEIGHBOURS
}
