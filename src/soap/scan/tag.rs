//! Start tags: read once, and then recognised.
//!
//! An answer of ten thousand objects has a hundred different start tags. A tag that stands letter for letter as one did
//! before has been read: its name, attributes and declarations are well-formed, and its references resolved. Only what
//! depends on where it stands is asked anew, each time: what its prefixes are bound to, and whether two attributes are
//! thereby the same.

use crate::refusal::Refusal;
use crate::soap::lexical::{is_absolute_uri, is_space, next_attribute, normalise_value, qname};
use crate::soap::reading::Path;
use crate::soap::strict::{Limits, TagAttribute, Uri, Uris, XML_NAMESPACE, XMLNS_NAMESPACE, malformed, too_complex};

use super::paths::{Expected, Paths};
use super::scope::{Prefix, Scope};

/// A part of [`Tag`]'s own text.
type Part = std::ops::Range<usize>;

#[derive(Debug)]
struct Attribute {
    prefix: Part,
    number: Prefix,
    local: Part,
    value: Part,
    uri: Uri,
}

/// One start tag.
#[derive(Debug, Default)]
pub(super) struct Tag {
    /// The tag as it stands behind `<`, with its `>`, and behind it what was read out of it.
    text: String,
    /// How long the tag itself is, in bytes, its `>` included.
    raw: usize,
    /// The end tag as it is without white space, from its `<` on.
    end: Part,
    name: Part,
    prefix: Part,
    number: Prefix,
    local: Part,
    uri: Option<Uri>,
    empty: bool,
    attributes: Vec<Attribute>,
    declarations: Vec<(Part, Prefix, Uri)>,
    /// The path for which the names are resolved.
    resolved: Option<Path>,
}

impl Tag {
    fn part(&self, part: &Part) -> &str {
        self.text.get(part.clone()).unwrap_or("")
    }
    fn add(&mut self, text: &str) -> Part {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
    pub(super) fn prefix(&self) -> &str {
        self.part(&self.prefix)
    }
    pub(super) fn local(&self) -> &str {
        self.part(&self.local)
    }
    pub(super) fn uri(&self) -> Uri {
        self.uri.unwrap_or(Uri::NONE)
    }
    /// The end tag as it is without white space, from its `<` on.
    #[inline]
    pub(super) fn end(&self) -> &[u8] {
        self.text.as_bytes().get(self.end.clone()).unwrap_or(&[])
    }
    /// The name as written, prefix included.
    pub(super) fn name(&self) -> &[u8] {
        self.text.as_bytes().get(self.name.clone()).unwrap_or(&[])
    }
    pub(super) fn is_empty_element(&self) -> bool {
        self.empty
    }
    pub(super) fn attributes(&self) -> impl Iterator<Item = TagAttribute<'_>> {
        self.attributes.iter().map(|a| TagAttribute {
            prefix: self.part(&a.prefix),
            local: self.part(&a.local),
            uri: a.uri,
            value: self.part(&a.value),
        })
    }
    pub(super) fn declarations(&self) -> impl Iterator<Item = (&str, Uri)> {
        self.declarations.iter().map(|(prefix, _, uri)| (self.part(prefix), *uri))
    }

    /// The tag as it stands behind `<`, with its `>`.
    #[inline]
    pub(super) fn raw(&self) -> &[u8] {
        self.text.as_bytes().get(..self.raw).unwrap_or(&[])
    }

    /// Reads the tag that stands so between `<` and `>`: all that does not depend on where it stands.
    fn read(&mut self, raw: &str, known: &mut Known<'_>) -> Result<(), Refusal> {
        let (limits, offset) = (known.limits, known.offset);
        let Self { text, attributes, declarations, .. } = self;
        text.clear();
        attributes.clear();
        declarations.clear();
        // Room for what is read out of it, and for the end tag.
        text.reserve(2 * raw.len() + "></>".len());
        text.push_str(raw);
        text.push('>');
        self.raw = text.len();
        self.resolved = None;
        let (inside, empty) = raw.strip_suffix('/').map_or((raw, false), |inside| (inside, true));
        self.empty = empty;
        let name = inside.split(is_space).next().unwrap_or("");
        self.name = 0..name.len();
        let (prefix, local) = split(name, limits, offset)?;
        self.prefix = 0..prefix.len();
        self.local = name.len() - local.len()..name.len();
        let mut rest = inside.get(name.len()..).unwrap_or("");
        let mut seen = 0usize;
        while let Some((name, value, after)) = next_attribute(rest, offset)? {
            rest = after;
            seen += 1;
            if seen > limits.attributes {
                return Err(too_complex("attributes of one element", limits.attributes));
            }
            let (prefix, local) = split(name, limits, offset)?;
            let from = self.text.len();
            normalise_value(value, &mut self.text, offset)?;
            let value = from..self.text.len();
            match (prefix, local) {
                ("xmlns", _) => self.declare(local, value, known)?,
                ("", "xmlns") => self.declare("", value, known)?,
                _ => {
                    let number = known.scope.prefix(prefix, limits.namespaces)?;
                    let (prefix, local) = (self.add(prefix), self.add(local));
                    self.attributes.push(Attribute { prefix, number, local, value, uri: Uri::NONE });
                }
            }
        }
        self.number = known.scope.prefix(prefix, limits.namespaces)?;
        let end = self.text.len();
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self.end = end..self.text.len();
        Ok(())
    }

    fn declare(&mut self, prefix: &str, value: Part, known: &mut Known<'_>) -> Result<(), Refusal> {
        let (limits, offset) = (known.limits, known.offset);
        if matches!(prefix, "xml" | "xmlns") {
            return Err(malformed(offset, "the prefixes xml and xmlns may not be declared"));
        }
        if self.declarations().any(|(known, _)| known == prefix) {
            return Err(malformed(offset, "a prefix is declared twice"));
        }
        let uri = match self.part(&value) {
            XML_NAMESPACE | XMLNS_NAMESPACE => {
                return Err(malformed(offset, "the namespaces of xml and xmlns may not be declared"));
            }
            "" if prefix.is_empty() => Uri::NONE,
            "" => return Err(malformed(offset, "a prefix is declared empty")),
            name => match known.uris.find(name) {
                // It was declared before in this document, and is of the right form.
                Some(uri) => uri,
                // A relative or unreadable namespace name makes some canonicalisers fail to an empty string (void canonicalisation).
                None if !is_absolute_uri(name) => {
                    return Err(malformed(offset, "a namespace name that is not an absolute URI"));
                }
                None => known.uris.intern(name, limits.namespaces)?,
            },
        };
        let number = known.scope.prefix(prefix, limits.namespaces)?;
        let prefix = self.add(prefix);
        self.declarations.push((prefix, number, uri));
        Ok(())
    }

    /// Opens the element that the tag begins, and resolves the names in it; `number` is the tag's own.
    fn open(&mut self, number: usize, known: &mut Opening<'_>) -> Result<(), Box<Refusal>> {
        let Opening { scope, paths, limits, offset } = known;
        let offset = *offset;
        if scope.depth() >= limits.depth {
            return Err(too_complex("element depth", limits.depth).into());
        }
        let Self { text, attributes, declarations, .. } = self;
        let part = |part: &Part| text.as_bytes().get(part.clone()).unwrap_or(&[]);
        scope.open(number, part(&self.name), paths.open());
        for (_, prefix, uri) in declarations.iter() {
            if scope.declarations() >= limits.declarations {
                return Err(too_complex("namespace declarations in scope", limits.declarations).into());
            }
            scope.bind(*prefix, *uri);
        }
        // On the same path the same letters have passed what follows, with the same meaning.
        if self.resolved.is_some() && self.resolved == paths.last() {
            return Ok(());
        }
        self.resolved = None;
        // Only now are this tag's own declarations in scope, wherever among the attributes they stood.
        let lookup = |prefix: Prefix| match scope.bound(prefix) {
            None if prefix != Prefix::NONE => Err(Box::new(malformed(offset, "a prefix that is not declared"))),
            uri => Ok(uri.unwrap_or(Uri::NONE)),
        };
        self.uri = Some(lookup(self.number)?);
        for attribute in attributes.iter_mut().filter(|attribute| attribute.number != Prefix::NONE) {
            attribute.uri = lookup(attribute.number)?;
        }
        // Two prefixes bound to one namespace make `a:x` and `b:x` the same attribute: readers would disagree.
        let same = |a: &Attribute, b: &Attribute| a.uri == b.uri && part(&a.local) == part(&b.local);
        let mut rest = attributes.as_slice();
        while let [first, others @ ..] = rest {
            if others.iter().any(|other| same(first, other)) {
                return Err(malformed(offset, "an attribute occurs twice").into());
            }
            rest = others;
        }
        self.resolved = paths.last();
        // Without a prefix an attribute has no namespace, wherever it stands.
        paths.resolved(self.uri.filter(|_| attributes.iter().all(|attribute| attribute.number == Prefix::NONE)));
        Ok(())
    }

    /// Whether it opens an element on this path, and all that is to be judged of it there has been: the same letters have
    /// been judged on the same path. Its names are resolved for that path then. `uri` is what the path knows of it.
    #[inline]
    pub(super) fn again(&mut self, expected: Expected) -> bool {
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

    /// Binds what it declares, in the element that was opened last.
    #[inline]
    pub(super) fn bind(&self, scope: &mut Scope) {
        for (_, prefix, uri) in &self.declarations {
            scope.bind(*prefix, *uri);
        }
    }
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

fn split<'n>(name: &'n str, limits: &Limits, offset: usize) -> Result<(&'n str, &'n str), Refusal> {
    if name.len() > limits.name {
        return Err(too_complex("the length of a name in bytes", limits.name));
    }
    qname(name).ok_or_else(|| malformed(offset, "a name that is not well-formed"))
}

/// How many tags are remembered, of these with attributes (whose values may never come again) only the first few, and how
/// long they may be: what an answer can make the gateway hold by them is bounded. None is forgotten for another, since
/// elements that are open are known by the numbers of their tags.
const REMEMBERED: usize = 512;
const WITH_ATTRIBUTES: usize = 128;
const LONGEST: usize = 512;
/// Places in the index of the remembered tags; a power of two.
const PLACES: usize = 4096;
/// How many places, from its own on, a tag may stand in.
const NEIGHBOURS: usize = 4;

/// The tags that were read, the last one among them.
#[derive(Debug)]
pub(super) struct Tags {
    /// The first is the last one that was not remembered.
    tags: Vec<Tag>,
    /// From each value of [`place`] on the numbers of tags, 0 for none. They may be others: what is found is compared.
    index: Vec<u16>,
    /// The number of the last tag.
    last: usize,
}

impl Default for Tags {
    fn default() -> Self {
        Self { tags: vec![Tag::default()], index: vec![0; PLACES + NEIGHBOURS], last: 0 }
    }
}

impl Tags {
    /// The last tag.
    pub(super) fn last(&self) -> Option<&Tag> {
        self.tags.get(self.last)
    }

    /// The name of the element that the tag with this number begins.
    pub(super) fn name(&self, number: usize) -> &[u8] {
        self.tags.get(number).map_or(&[], Tag::name)
    }

    /// The number of the last tag.
    pub(super) fn number(&self) -> usize {
        self.last
    }

    /// The tag that is expected, if what stands behind `<` is it, letter for letter; it becomes the last one.
    #[inline]
    pub(super) fn expect(&mut self, expected: Expected, inside: &[u8]) -> Option<&mut Tag> {
        let tag = self.tags.get_mut(expected.tag).filter(|tag| inside.starts_with(tag.raw()))?;
        self.last = expected.tag;
        Some(tag)
    }

    /// The end tag of an element by the number of its tag.
    #[inline]
    pub(super) fn end(&self, number: usize) -> &[u8] {
        self.tags.get(number).map_or(&[], Tag::end)
    }

    /// Whether the tag that stands so between `<` and `>`, the `>` included, has been read; it becomes the last one.
    pub(super) fn recognise(&mut self, raw: &[u8]) -> bool {
        let place = place(raw);
        for number in self.index.get(place..place + NEIGHBOURS).unwrap_or(&[]) {
            self.last = usize::from(*number);
            if *number == 0 {
                return false;
            }
            if self.tags.get(self.last).is_some_and(|tag| tag.raw() == raw) {
                return true;
            }
        }
        false
    }

    /// Reads a tag; it becomes the last one, and is remembered if there is room.
    pub(super) fn read(&mut self, raw: &str, known: &mut Known<'_>) -> Result<(), Refusal> {
        self.last = 0;
        let Some(tag) = self.tags.first_mut() else { return Err(Refusal::Internal) };
        tag.read(raw, known)?;
        let most = if tag.attributes.is_empty() { REMEMBERED } else { WITH_ATTRIBUTES };
        let place = place(tag.raw());
        if raw.len() <= LONGEST && self.tags.len() <= most {
            self.remember(place);
        }
        Ok(())
    }

    /// Keeps the tag that was read last, where its place in the index or one beside it is free.
    fn remember(&mut self, place: usize) {
        let number = self.tags.len();
        let mut places = self.index.get_mut(place..place + NEIGHBOURS).unwrap_or(&mut []).iter_mut();
        if let (Some(free), Ok(short)) = (places.find(|known| **known == 0), u16::try_from(number)) {
            *free = short;
            self.tags.push(Tag::default());
            self.tags.swap(0, number);
            self.last = number;
        }
    }

    /// Opens the element that the last tag begins.
    pub(super) fn open(&mut self, known: &mut Opening<'_>) -> Result<(), Box<Refusal>> {
        match self.tags.get_mut(self.last) {
            Some(tag) => tag.open(self.last, known),
            None => Err(Refusal::Internal.into()),
        }
    }
}

/// A place in the index. Tags for which there is none left (because somebody wants it so) are read anew each time, as all
/// would be without the index.
fn place(raw: &[u8]) -> usize {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = raw.as_chunks::<8>();
    let word = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let hash = words.iter().fold(raw.len() as u64, |hash, eight| word(hash, u64::from_le_bytes(*eight)));
    let last = rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte));
    usize::try_from(word(hash, last) >> 52).unwrap_or(0)
}
