//! Start tags: read once, and then recognised.
//!
//! An answer of ten thousand objects has a hundred different start tags. A tag that stands letter for letter as one did
//! before has been read: its name, attributes and declarations are well-formed, and its references resolved. Only what
//! depends on where it stands is asked anew, each time: what its prefixes are bound to, and whether two attributes are
//! thereby the same.

use crate::refusal::Refusal;
use crate::soap::lexical::{is_absolute_uri, is_ncname, is_space, next_attribute, normalise_value};
use crate::soap::strict::{Limits, TagAttribute, Uri, Uris, XML_NAMESPACE, XMLNS_NAMESPACE, malformed, too_complex};

use super::scope::Scope;

/// A part of [`Tag`]'s own text.
type Part = std::ops::Range<usize>;

#[derive(Debug)]
struct Attribute {
    prefix: Part,
    local: Part,
    value: Part,
    uri: Uri,
}

/// One start tag.
#[derive(Debug, Default)]
pub(super) struct Tag {
    /// The tag as it stands between `<` and `>`, and behind it what was read out of it.
    text: String,
    /// How long the tag itself is, in bytes.
    raw: usize,
    name: Part,
    prefix: Part,
    local: Part,
    uri: Option<Uri>,
    empty: bool,
    attributes: Vec<Attribute>,
    declarations: Vec<(Part, Uri)>,
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
    pub(super) fn is_empty(&self) -> bool {
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
        self.declarations.iter().map(|(prefix, uri)| (self.part(prefix), *uri))
    }

    /// Whether it is the tag that stands so between `<` and `>`.
    fn is(&self, raw: &[u8]) -> bool {
        self.text.as_bytes().get(..self.raw) == Some(raw)
    }

    /// Reads the tag that stands so between `<` and `>`: all that does not depend on where it stands.
    fn read(&mut self, raw: &str, uris: &mut Uris, limits: &Limits, offset: usize) -> Result<(), Refusal> {
        let Self { text, attributes, declarations, .. } = self;
        text.clear();
        attributes.clear();
        declarations.clear();
        text.push_str(raw);
        self.raw = raw.len();
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
                ("xmlns", _) => self.declare(local, value, uris, limits, offset)?,
                ("", "xmlns") => self.declare("", value, uris, limits, offset)?,
                _ => {
                    let (prefix, local) = (self.add(prefix), self.add(local));
                    self.attributes.push(Attribute { prefix, local, value, uri: Uri::NONE });
                }
            }
        }
        Ok(())
    }

    fn declare(&mut self, prefix: &str, value: Part, uris: &mut Uris, limits: &Limits, offset: usize) -> Result<(), Refusal> {
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
            // A relative or unreadable namespace name makes some canonicalisers fail to an empty string (void canonicalisation).
            name if !is_absolute_uri(name) => {
                return Err(malformed(offset, "a namespace name that is not an absolute URI"));
            }
            name => uris.intern(name, limits.namespaces)?,
        };
        let prefix = self.add(prefix);
        self.declarations.push((prefix, uri));
        Ok(())
    }

    /// Opens the element that the tag begins, and resolves the names in it.
    fn open(&mut self, scope: &mut Scope, limits: &Limits, offset: usize) -> Result<(), Refusal> {
        if scope.depth() >= limits.depth {
            return Err(too_complex("element depth", limits.depth));
        }
        let Self { text, attributes, declarations, .. } = self;
        let part = |part: &Part| text.as_bytes().get(part.clone()).unwrap_or(&[]);
        scope.open(part(&self.name));
        for (prefix, uri) in declarations.iter() {
            if scope.bindings() >= limits.declarations {
                return Err(too_complex("namespace declarations in scope", limits.declarations));
            }
            scope.bind(part(prefix), *uri);
        }
        let lookup = |prefix: &[u8]| match prefix {
            b"xml" => Ok(Uri::XML),
            b"" => Ok(scope.binding(b"").unwrap_or(Uri::NONE)),
            _ => scope.binding(prefix).ok_or_else(|| malformed(offset, "a prefix that is not declared")),
        };
        // Only now are this tag's own declarations in scope, wherever among the attributes they stood.
        self.uri = Some(lookup(part(&self.prefix))?);
        for attribute in attributes.iter_mut().filter(|attribute| !attribute.prefix.is_empty()) {
            attribute.uri = lookup(part(&attribute.prefix))?;
        }
        // Two prefixes bound to one namespace make `a:x` and `b:x` the same attribute: readers would disagree.
        let same = |a: &Attribute, b: &Attribute| a.uri == b.uri && part(&a.local) == part(&b.local);
        let mut rest = attributes.as_slice();
        while let [first, others @ ..] = rest {
            if others.iter().any(|other| same(first, other)) {
                return Err(malformed(offset, "an attribute occurs twice"));
            }
            rest = others;
        }
        Ok(())
    }
}

fn split<'n>(name: &'n str, limits: &Limits, offset: usize) -> Result<(&'n str, &'n str), Refusal> {
    if name.len() > limits.name {
        return Err(too_complex("the length of a name in bytes", limits.name));
    }
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let has_prefix = local.len() < name.len();
    match is_ncname(local) && (!has_prefix || is_ncname(prefix)) {
        true => Ok((prefix, local)),
        false => Err(malformed(offset, "a name that is not well-formed")),
    }
}

/// How many tags are remembered, and how long they may be: what an answer can make the gateway hold by them is bounded.
const REMEMBERED: usize = 256;
const LONGEST: usize = 512;
/// Places in the index of the remembered tags; a power of two.
const PLACES: usize = 4096;

/// The tags that were read, the last one among them.
#[derive(Debug)]
pub(super) struct Tags {
    tags: Vec<Tag>,
    /// For each value of [`place`] the number of a tag. It may be another tag's by now: what is found is compared.
    index: Vec<u16>,
    /// The tag to be forgotten next.
    oldest: usize,
    /// The number of the last tag.
    last: usize,
}

impl Default for Tags {
    fn default() -> Self {
        // The first is for tags that are too long to be remembered.
        Self { tags: vec![Tag::default()], index: vec![0; PLACES], oldest: 0, last: 0 }
    }
}

impl Tags {
    /// The last tag.
    pub(super) fn last(&self) -> Option<&Tag> {
        self.tags.get(self.last)
    }

    /// Whether the tag that stands so between `<` and `>` has been read; it becomes the last one.
    pub(super) fn recognise(&mut self, raw: &[u8]) -> bool {
        let number = self.index.get(place(raw)).copied().unwrap_or(0);
        self.last = usize::from(number);
        number != 0 && self.tags.get(self.last).is_some_and(|tag| tag.is(raw))
    }

    /// Reads a tag; it becomes the last one, and is remembered.
    pub(super) fn read(&mut self, raw: &str, uris: &mut Uris, limits: &Limits, offset: usize) -> Result<(), Refusal> {
        self.last = match raw.len() <= LONGEST {
            true => self.room(),
            false => 0,
        };
        if let Some(tag) = self.tags.get_mut(self.last) {
            tag.read(raw, uris, limits, offset)?;
        }
        if let (Some(known), Ok(number)) = (self.index.get_mut(place(raw.as_bytes())), u16::try_from(self.last)) {
            *known = number;
        }
        Ok(())
    }

    fn room(&mut self) -> usize {
        if self.tags.len() <= REMEMBERED {
            self.tags.push(Tag::default());
            return self.tags.len() - 1;
        }
        self.oldest = self.oldest % REMEMBERED + 1;
        self.oldest
    }

    /// Opens the element that the last tag begins.
    pub(super) fn open(&mut self, scope: &mut Scope, limits: &Limits, offset: usize) -> Result<(), Refusal> {
        match self.tags.get_mut(self.last) {
            Some(tag) => tag.open(scope, limits, offset),
            None => Err(Refusal::Internal),
        }
    }
}

/// A place in the index. Tags that share one (by chance, or because somebody wants to) are read anew each time, as all
/// would be without the index.
fn place(raw: &[u8]) -> usize {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = raw.as_chunks::<8>();
    let word = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let hash = words.iter().fold(raw.len() as u64, |hash, eight| word(hash, u64::from_le_bytes(*eight)));
    let last = rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte));
    usize::try_from(word(hash, last) >> 52).unwrap_or(0)
}
