//! Exclusive XML Canonicalisation 1.0 without comments (W3C, 18 July 2002), with InclusiveNamespaces.
//!
//! One core writes the canonical bytes as they come into a [`Sink`], most often a digest, so that they are never held.
//! It is driven by walking an [`Element`] of the arena, or by the tokens of a message that streams. It cannot fail: the
//! strict reader has refused everything that makes other canonicalisers give up halfway, whose digest of nothing then
//! matched (void canonicalisation, "The Fragile Lock" 2025, CVE-2025-66568).

use std::ops::Range;

use crate::soap::document::{Attribute, Child, Element, NodeId};
use crate::soap::reading::{Path, Reading};
use crate::soap::strict::Token;

use super::write;

/// Where canonical bytes go.
pub trait Sink {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn write(&mut self, bytes: &[u8]) {
        (**self).write(bytes);
    }
}

/// How to canonicalise: the PrefixList, and the form of the apex.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusive {
    inclusive: Vec<Box<str>>,
    apex_default: bool,
}

impl Exclusive {
    /// Without a PrefixList.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the prefixes of a PrefixList, divided by white space; `#default` is the default namespace.
    pub fn with_prefixes(list: &str) -> Self {
        let prefix = |name: &str| if name == "#default" { "" } else { name }.into();
        let mut inclusive: Vec<Box<str>> =
            list.split(crate::soap::strict::is_space).filter(|name| !name.is_empty()).map(prefix).collect();
        inclusive.sort_unstable();
        inclusive.dedup();
        Self { inclusive, apex_default: false }
    }

    /// The same, in the form that WSS4J gives the apex of an STR-Transform: the default namespace is written on it
    /// always, as `xmlns=""` where there is none (WSS 1.1, § 8.3).
    #[must_use]
    pub fn with_default_on_apex(mut self) -> Self {
        if !self.inclusive.iter().any(|prefix| prefix.is_empty()) {
            self.inclusive.insert(0, "".into());
        }
        self.apex_default = true;
        self
    }
}

/// Writes the canonical form of `element`; `omit` leaves out one element below it (the enveloped signature).
pub fn canonicalise<S: Sink>(element: Element<'_>, method: &Exclusive, omit: Option<NodeId>, sink: S) -> S {
    let mut canonicaliser = Canonicaliser::new(method.clone(), sink);
    canonicaliser.start_element(element);
    let mut open = vec![element.children()];
    while let Some(children) = open.last_mut() {
        match children.next() {
            Some(Child::Element(child)) if Some(child.id()) == omit => {}
            Some(Child::Element(child)) => {
                canonicaliser.start_element(child);
                open.push(child.children());
            }
            Some(Child::Text { text, .. }) => canonicaliser.text(text),
            Some(Child::Comment) => {}
            None => {
                canonicaliser.end();
                open.pop();
            }
        }
    }
    canonicaliser.into_sink()
}

/// The canonical bytes of `element`.
pub fn canonical_bytes(element: Element<'_>) -> Vec<u8> {
    canonicalise(element, &Exclusive::new(), None, Vec::new())
}

/// The start tag of one [`Path`] below the apex: the open elements decide what is written of it, and they are the same
/// each time the path is.
struct Written {
    /// The canonical start tag, and the end tag behind it.
    tags: Box<[u8]>,
    /// How long the start tag is.
    start: usize,
    /// Whether the start tag is written in the source as it is here.
    as_it_stands: bool,
    /// The declarations that it writes: prefix and name.
    renders: Box<[(Box<str>, Box<str>)]>,
}

/// The longest start tag that is remembered, in bytes: of the paths there are at most 512.
const LONGEST: usize = 1024;

enum Name {
    /// In `strings`.
    Here(Range<usize>),
    /// In what is remembered of this path.
    Of(Path),
}

struct Open {
    name: Name,
    /// How long `strings` and `rendered` were outside this element.
    strings: usize,
    rendered: usize,
}

/// The core: takes start tags, text and end tags, and writes canonical bytes.
pub struct Canonicaliser<S> {
    sink: S,
    method: Exclusive,
    /// The strings behind `rendered` and `open`: a stack, so that nothing is allocated for each element.
    strings: String,
    /// The namespace declarations written on the open elements, innermost last: prefix and name.
    rendered: Vec<(Range<usize>, Range<usize>)>,
    open: Vec<Open>,
    /// The start tag that is being written.
    tag: Vec<u8>,
    /// What was written below this apex, by the number of the path.
    written: Vec<Option<Written>>,
}

impl<S: Sink> Canonicaliser<S> {
    /// A canonicaliser whose first start tag is the apex. Of a stream it takes every token from there on, of one reader.
    pub fn new(method: Exclusive, sink: S) -> Self {
        let (strings, tag) = (String::new(), Vec::new());
        Self { sink, method, strings, rendered: Vec::new(), open: Vec::new(), tag, written: Vec::new() }
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Gives the sink back.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// Takes the start tag of an element of the arena.
    pub fn start_element(&mut self, element: Element<'_>) {
        let attributes = element.attributes().collect();
        let declared = |prefix: &str| element.declarations().find(|(known, _)| *known == prefix).map(|(_, uri)| uri);
        match self.open.is_empty() {
            true => self.start(element.prefix(), element.local(), element.namespace(), attributes, |p| element.namespace_of(p)),
            false => self.start(element.prefix(), element.local(), element.namespace(), attributes, declared),
        }
    }

    /// Takes one token of a stream; comments and what stands outside an element are passed over.
    pub fn token(&mut self, token: Token, read: &impl Reading) {
        match token {
            Token::Start | Token::Empty | Token::Leaf => {
                if self.again(token, read) {
                    return;
                }
                let uris = read.uris();
                let attributes = read
                    .attributes()
                    .map(|a| Attribute { prefix: a.prefix, local: a.local, namespace: uris.get(a.uri), value: a.value })
                    .collect();
                let apex = self.open.is_empty();
                let declared = |prefix: &str| {
                    let own = read.declarations().find(|(known, _)| *known == prefix).map(|(_, uri)| uri);
                    // An empty element's own declarations are out of scope by now, so they are asked first.
                    own.or_else(|| if apex { read.binding(prefix) } else { None }).map(|uri| uris.get(uri))
                };
                self.start(read.prefix(), read.local(), uris.get(read.uri()), attributes, declared);
                match read.path() {
                    Some(path) if !apex => self.remember(path, read),
                    _ => {}
                }
                match token {
                    Token::Start => {}
                    Token::Leaf => {
                        self.text(read.text());
                        self.end();
                    }
                    _ => self.end(),
                }
            }
            Token::End => self.end(),
            Token::Text | Token::CData => self.text(read.text()),
            Token::Comment | Token::Nothing | Token::Eof => {}
        }
    }

    /// Writes the start tag as it was written before on the same path, and what else the token stands for. `false`: it was
    /// not written before.
    fn again(&mut self, token: Token, read: &impl Reading) -> bool {
        if self.open.is_empty() {
            // Another apex: nothing written below the one before says what is to be written here.
            self.written.clear();
            return false;
        }
        let Some(path) = read.path() else { return false };
        let Some(Some(written)) = self.written.get(path.index()) else { return false };
        // The text of a leaf holds nothing that canonical XML spells otherwise, and its end tag no white space.
        if token == Token::Leaf && written.as_it_stands {
            self.sink.write(read.source());
            return true;
        }
        let (start, end) = written.tags.split_at_checked(written.start).unwrap_or_default();
        self.sink.write(start);
        match token {
            Token::Leaf => {
                write::text(&mut self.sink, read.text());
                self.sink.write(end);
            }
            Token::Empty => self.sink.write(end),
            _ => {
                self.open.push(Open { name: Name::Of(path), strings: self.strings.len(), rendered: self.rendered.len() });
                for (prefix, uri) in &written.renders {
                    let declared = (store(&mut self.strings, &[prefix]), store(&mut self.strings, &[uri]));
                    self.rendered.push(declared);
                }
            }
        }
        true
    }

    /// Remembers the start tag that was written last.
    fn remember(&mut self, path: Path, read: &impl Reading) {
        let Some(Open { name: Name::Here(name), rendered, .. }) = self.open.last() else { return };
        if self.tag.len() > LONGEST {
            return;
        }
        let string = |range: &Range<usize>| self.strings.get(range.clone()).unwrap_or("");
        let renders = self.rendered.get(*rendered..).unwrap_or(&[]);
        let written = Written {
            tags: [&self.tag, b"</".as_slice(), string(name).as_bytes(), b">"].concat().into(),
            start: self.tag.len(),
            // Both end at the first `>` outside quotes, so that the one cannot begin the other without being it.
            as_it_stands: read.source().starts_with(&self.tag),
            renders: renders.iter().map(|(prefix, uri)| (string(prefix).into(), string(uri).into())).collect(),
        };
        if self.written.len() <= path.index() {
            self.written.resize_with(path.index() + 1, || None);
        }
        if let Some(place) = self.written.get_mut(path.index()) {
            *place = Some(written);
        }
    }

    /// Takes a piece of text.
    pub fn text(&mut self, text: &str) {
        if !self.open.is_empty() {
            write::text(&mut self.sink, text);
        }
    }

    /// Takes an end tag.
    pub fn end(&mut self) {
        if let Some(open) = self.open.pop() {
            match open.name {
                Name::Of(path) => {
                    let written = self.written.get(path.index()).and_then(Option::as_ref);
                    self.sink.write(written.and_then(|written| written.tags.get(written.start..)).unwrap_or(&[]));
                }
                Name::Here(name) => {
                    self.sink.write(b"</");
                    self.sink.write(self.strings.get(name).unwrap_or("").as_bytes());
                    self.sink.write(b">");
                }
            }
            self.strings.truncate(open.strings);
            self.rendered.truncate(open.rendered);
        }
    }

    /// `declared` answers for a prefix of the PrefixList: on the apex what is in scope, deeper what this tag declares.
    fn start<'t>(
        &mut self,
        prefix: &'t str,
        local: &'t str,
        namespace: &'t str,
        mut attributes: Vec<Attribute<'t>>,
        declared: impl Fn(&str) -> Option<&'t str>,
    ) {
        let (strings, rendered) = (self.strings.len(), self.rendered.len());
        let apex = self.open.is_empty();
        let name = store(&mut self.strings, &[prefix, if prefix.is_empty() { "" } else { ":" }, local]);
        let mut tag = std::mem::take(&mut self.tag);
        tag.clear();
        tag.push(b'<');
        tag.extend_from_slice(self.strings.get(name.clone()).unwrap_or("").as_bytes());

        // The prefixes that this tag makes visible, then those of the PrefixList that it (re)declares.
        let mut wanted: Vec<(&str, &str)> = Vec::new();
        let mut want = |canonicaliser: &Self, prefix: &'t str, uri: &'t str| {
            if prefix != "xml" && canonicaliser.must_render(prefix, uri) && wanted.iter().all(|(known, _)| *known != prefix) {
                wanted.push((prefix, uri));
            }
        };
        want(self, prefix, namespace);
        for attribute in attributes.iter().filter(|attribute| !attribute.prefix.is_empty()) {
            want(self, attribute.prefix, attribute.namespace);
        }
        let mut inclusive = std::mem::take(&mut self.method.inclusive);
        for listed in &inclusive {
            let known = wanted.iter().any(|(known, _)| **known == **listed);
            match declared(listed) {
                Some(uri) if !known && **listed != *"xml" && self.must_render(listed, uri) => wanted.push((listed, uri)),
                None | Some("") if apex && self.method.apex_default && listed.is_empty() && !known => wanted.push(("", "")),
                _ => {}
            }
        }
        wanted.sort_unstable_by_key(|(prefix, _)| *prefix);
        for (prefix, uri) in &wanted {
            tag.extend_from_slice(if prefix.is_empty() { b" xmlns" } else { b" xmlns:" });
            tag.extend_from_slice(prefix.as_bytes());
            tag.extend_from_slice(b"=\"");
            write::value(&mut tag, uri);
            tag.push(b'"');
            let declared = (store(&mut self.strings, &[prefix]), store(&mut self.strings, &[uri]));
            self.rendered.push(declared);
        }
        drop(wanted);
        std::mem::swap(&mut self.method.inclusive, &mut inclusive);

        attributes.sort_unstable_by(|a, b| (a.namespace, a.local).cmp(&(b.namespace, b.local)));
        for attribute in &attributes {
            tag.push(b' ');
            if !attribute.prefix.is_empty() {
                tag.extend_from_slice(attribute.prefix.as_bytes());
                tag.push(b':');
            }
            tag.extend_from_slice(attribute.local.as_bytes());
            tag.extend_from_slice(b"=\"");
            write::value(&mut tag, attribute.value);
            tag.push(b'"');
        }
        tag.push(b'>');
        self.sink.write(&tag);
        self.tag = tag;
        self.open.push(Open { name: Name::Here(name), strings, rendered });
    }

    /// Whether the open elements' declarations do not say already what `prefix` means.
    fn must_render(&self, prefix: &str, uri: &str) -> bool {
        let string = |range: &Range<usize>| self.strings.get(range.clone()).unwrap_or("");
        match self.rendered.iter().rev().find(|(known, _)| string(known) == prefix) {
            Some((_, known)) => string(known) != uri,
            None => !uri.is_empty(),
        }
    }
}

fn store(strings: &mut String, parts: &[&str]) -> Range<usize> {
    let start = strings.len();
    for part in parts {
        strings.push_str(part);
    }
    start..strings.len()
}
