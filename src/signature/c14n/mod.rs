//! Exclusive XML Canonicalisation 1.0 without comments (W3C, 18 July 2002), with InclusiveNamespaces.
//!
//! One core writes the canonical bytes as they come into a [`Sink`], most often a digest, so that they are never held.
//! It is driven by walking an [`Element`] of the arena, or by the tokens of a message that streams. It cannot fail: the
//! strict reader has refused everything that makes other canonicalisers give up halfway, whose digest of nothing then
//! matched (void canonicalisation, "The Fragile Lock" 2025, CVE-2025-66568).

use std::ops::Range;

mod written;

use self::written::Written;
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

    /// The prefixes of the PrefixList; the default namespace is the empty one.
    pub fn prefixes(&self) -> &[Box<str>] {
        &self.inclusive
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

/// Writes the canonical form of `element`; `omit` leaves out elements below it (the enveloped signature).
pub fn canonicalise<S: Sink>(element: Element<'_>, method: &Exclusive, omit: &[NodeId], sink: S) -> S {
    let mut canonicaliser = Canonicaliser::new(method.clone(), sink);
    canonicaliser.start_element(element);
    let mut open = vec![element.children()];
    while let Some(children) = open.last_mut() {
        match children.next() {
            Some(Child::Element(child)) if omit.contains(&child.id()) => {}
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
    canonicalise(element, &Exclusive::new(), &[], Vec::with_capacity(room_for(element)))
}

/// How many bytes the canonical form of `element` is likely to have: as many as it came in, and the declarations that it
/// takes over. No more than a message without an answer has, whoever wrote it.
pub(super) fn room_for(element: Element<'_>) -> usize {
    element.source_range().len().saturating_add(256).min(16 * 1024)
}

enum Name {
    /// In `strings`.
    Here(Range<usize>),
    /// In what is remembered of this path.
    Of(Path),
}

struct Open {
    /// Its name, and with it what it declares: where it was written before, that is remembered of its path.
    name: Name,
    /// Whether it declares anything in canonical form.
    declares: bool,
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
    /// The namespace declarations written on the open elements that are not remembered, innermost last: prefix and name.
    rendered: Vec<(Range<usize>, Range<usize>)>,
    open: Vec<Open>,
    /// The start tag that is being written.
    tag: Vec<u8>,
    /// What was written below this apex.
    written: Written,
    /// Where in the source stands what comes next and is not written yet, since its canonical form is how it came: many
    /// tokens then are written as one.
    standing: Range<usize>,
    /// Whether the reader no longer had what was standing: what was written is not the whole.
    lost: bool,
}

impl<S: Sink> Canonicaliser<S> {
    /// A canonicaliser whose first start tag is the apex. Of a stream it takes every token from there on, of one reader.
    pub fn new(method: Exclusive, sink: S) -> Self {
        // Room for what most parts of a message need, in pieces that an allocator keeps at hand: a message has ten parts.
        let (strings, tag) = (String::with_capacity(512), Vec::with_capacity(512));
        let (rendered, open, written) = (Vec::with_capacity(8), Vec::with_capacity(16), Written::default());
        Self { sink, method, strings, rendered, open, tag, written, standing: 0..0, lost: false }
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Gives the sink back.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// Whether an element was taken to its end, and all of it written.
    pub fn is_whole(&self) -> bool {
        self.open.is_empty() && self.standing.is_empty() && !self.lost
    }

    /// Writes what [`Self::gather`] left to wait. What the reader no longer has is not written, and [`Self::is_whole`] tells.
    pub fn settle(&mut self, read: &impl Reading) {
        if !self.standing.is_empty() {
            match read.bytes(std::mem::take(&mut self.standing)) {
                Some(bytes) => self.sink.write(bytes),
                None => self.lost = true,
            }
        }
    }

    /// The last token is canonical as it came.
    fn stands(&mut self, read: &impl Reading) {
        let range = read.range();
        if self.standing.end != range.start {
            self.settle(read);
            self.standing.start = range.start;
        }
        self.standing.end = range.end;
    }

    /// Takes the start tag of an element of the arena.
    pub fn start_element(&mut self, element: Element<'_>) {
        let attributes = element.attributes();
        let declared = |prefix: &str| element.declarations().find(|(known, _)| *known == prefix).map(|(_, uri)| uri);
        match self.open.is_empty() {
            true => self.start(element.prefix(), element.local(), element.namespace(), attributes, |p| element.namespace_of(p)),
            false => self.start(element.prefix(), element.local(), element.namespace(), attributes, declared),
        }
    }

    /// Takes one token of a stream; comments and what stands outside an element are passed over.
    pub fn token(&mut self, token: Token, read: &impl Reading) {
        self.gather(token, read);
        self.settle(read);
    }

    /// The same, and what is canonical as it came may wait, to be written with what comes behind it: [`Self::settle`] must be
    /// called before the reader takes more.
    pub fn gather(&mut self, token: Token, read: &impl Reading) {
        match token {
            Token::Start | Token::Empty | Token::Leaf => {
                if !self.again(token, read) && !self.stands_plainly(token, read) {
                    self.settle(read);
                    self.first(token, read);
                }
            }
            Token::End => {
                // The reader has seen that the name is the element's, so that only white space can make it longer.
                match self.end_length() == Some(read.range().len()) {
                    true => {
                        self.stands(read);
                        self.close();
                    }
                    false => {
                        self.settle(read);
                        self.end();
                    }
                }
                // Whoever reads on need not think of what is done.
                if self.open.is_empty() {
                    self.settle(read);
                }
            }
            Token::Text | Token::CData => {
                let text = read.text_bytes();
                match write::is_plain(text) && read.bytes(read.range()) == Some(text) && !self.open.is_empty() {
                    true => self.stands(read),
                    false => {
                        self.settle(read);
                        self.text(read.text());
                    }
                }
            }
            Token::Comment | Token::Nothing | Token::Eof => {}
        }
    }

    /// Writes a start tag that no path remembers, and what else the token stands for.
    fn first(&mut self, token: Token, read: &impl Reading) {
        let uris = read.uris();
        let attributes =
            read.attributes().map(|a| Attribute { prefix: a.prefix, local: a.local, namespace: uris.get(a.uri), value: a.value });
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

    /// Takes a start tag that no path remembers and that is canonical as it came: a name, whose prefix means what the open
    /// elements' declarations say already, or with the one declaration that says so. `false`: it must be written.
    fn stands_plainly(&mut self, token: Token, read: &impl Reading) -> bool {
        let (prefix, local) = (read.prefix(), read.local());
        let name = if prefix.is_empty() { local.len() } else { prefix.len() + 1 + local.len() };
        if token == Token::Empty || self.open.is_empty() || read.has_attributes() || prefix == "xml" {
            return false;
        }
        let (Some(path), Some(source)) = (read.path(), read.bytes(read.range())) else { return false };
        let mut declarations = read.declarations();
        let (first, second) = (declarations.next(), declarations.next());
        let uri = read.uris().get(read.uri());
        let must = self.must_render(self.rendered.len(), prefix, uri);
        // What stands behind the name, letter for letter: no white space, no other quotes, and nothing in the value that is
        // spelt otherwise.
        let behind = source.get(name + 1..).unwrap_or(&[]);
        let declared = match (first, second) {
            (None, _) if !must && behind.starts_with(b">") => None,
            (Some((own, _)), None) if must && own == prefix && declares_only(behind, prefix, uri) => Some((prefix, uri)),
            _ => return false,
        };
        if !self.written.remember_plain(path, source.get(1..=name).unwrap_or(&[]), declared) {
            return false;
        }
        if token == Token::Start {
            let (strings, rendered) = (self.strings.len(), self.rendered.len());
            self.open.push(Open { name: Name::Of(path), declares: declared.is_some(), strings, rendered });
        }
        // As in `again`: what stands in a leaf is canonical.
        self.stands(read);
        true
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
        let Some(tag) = self.written.get(path) else { return false };
        if token == Token::Start {
            let (strings, rendered) = (self.strings.len(), self.rendered.len());
            self.open.push(Open { name: Name::Of(path), declares: tag.declares, strings, rendered });
        }
        // The text of a leaf holds nothing that canonical XML spells otherwise, and its end tag no white space.
        if tag.as_it_stands {
            self.stands(read);
            return true;
        }
        self.settle(read);
        let tag = self.written.get(path).unwrap_or_default();
        self.sink.write(tag.start);
        match token {
            Token::Leaf => {
                write::text(&mut self.sink, read.text());
                tag.end.iter().for_each(|part| self.sink.write(part));
            }
            Token::Empty => tag.end.iter().for_each(|part| self.sink.write(part)),
            _ => {}
        }
        true
    }

    /// Remembers the start tag that was written last.
    fn remember(&mut self, path: Path, read: &impl Reading) {
        let Some(Open { name: Name::Here(name), rendered, .. }) = self.open.last() else { return };
        let string = |range: &Range<usize>| self.strings.get(range.clone()).unwrap_or("");
        let declarations = self.rendered.get(*rendered..).unwrap_or(&[]);
        let declarations = declarations.iter().map(|(prefix, uri)| (string(prefix), string(uri)));
        // Both end at the first `>` outside quotes, so that the one cannot begin the other without being it.
        let as_it_stands = read.bytes(read.range()).is_some_and(|source| source.starts_with(&self.tag));
        self.written.remember(path, &self.tag, string(name), as_it_stands, declarations);
    }

    /// Takes a piece of text.
    pub fn text(&mut self, text: &str) {
        if !self.open.is_empty() {
            write::text(&mut self.sink, text);
        }
    }

    /// Takes an end tag.
    pub fn end(&mut self) {
        match self.open.last().map(|open| &open.name) {
            Some(Name::Of(path)) => {
                for part in self.written.get(*path).unwrap_or_default().end {
                    self.sink.write(part);
                }
            }
            Some(Name::Here(name)) => {
                self.sink.write(b"</");
                self.sink.write(self.strings.get(name.clone()).unwrap_or("").as_bytes());
                self.sink.write(b">");
            }
            None => {}
        }
        self.close();
    }

    /// How long the end tag of the innermost element is in canonical form.
    fn end_length(&self) -> Option<usize> {
        Some(match &self.open.last()?.name {
            Name::Of(path) => self.written.get(*path).unwrap_or_default().end.iter().map(|part| part.len()).sum(),
            Name::Here(name) => name.len() + "</>".len(),
        })
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
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
        mut attributes: impl Iterator<Item = Attribute<'t>>,
        declared: impl Fn(&str) -> Option<&'t str>,
    ) {
        let (strings, rendered) = (self.strings.len(), self.rendered.len());
        let apex = self.open.is_empty();
        // Most tags have one or none, for which nothing is allocated.
        let (mut first, second) = (attributes.next(), attributes.next());
        let mut several: Vec<Attribute<'t>>;
        let attributes = match second {
            None => first.as_mut_slice(),
            Some(_) => {
                several = first.into_iter().chain(second).chain(attributes).collect();
                &mut several
            }
        };
        let name = store(&mut self.strings, &[prefix, if prefix.is_empty() { "" } else { ":" }, local]);
        let mut tag = std::mem::take(&mut self.tag);
        tag.clear();
        tag.push(b'<');
        tag.extend_from_slice(self.strings.get(name.clone()).unwrap_or("").as_bytes());

        // The prefixes that this tag makes visible, then those of the PrefixList that it (re)declares.
        self.render(rendered, prefix, namespace);
        for attribute in attributes.iter().filter(|attribute| !attribute.prefix.is_empty()) {
            self.render(rendered, attribute.prefix, attribute.namespace);
        }
        let inclusive = std::mem::take(&mut self.method.inclusive);
        for listed in &inclusive {
            let uri = declared(listed);
            if apex && self.method.apex_default && listed.is_empty() && uri.is_none_or(str::is_empty) {
                if !self.is_rendered(rendered, "") {
                    self.declare("", "");
                }
            } else if let Some(uri) = uri {
                self.render(rendered, listed, uri);
            }
        }
        self.method.inclusive = inclusive;
        let Self { strings: known, rendered: all, .. } = &mut *self;
        let string = |range: &Range<usize>| known.get(range.clone()).unwrap_or("");
        let own = all.get_mut(rendered..).unwrap_or(&mut []);
        own.sort_unstable_by(|(a, _), (b, _)| string(a).cmp(string(b)));
        for (prefix, uri) in &*own {
            tag.extend_from_slice(if prefix.is_empty() { b" xmlns" } else { b" xmlns:" });
            tag.extend_from_slice(string(prefix).as_bytes());
            tag.extend_from_slice(b"=\"");
            write::value(&mut tag, string(uri));
            tag.push(b'"');
        }

        attributes.sort_unstable_by(|a, b| (a.namespace, a.local).cmp(&(b.namespace, b.local)));
        for attribute in attributes.iter() {
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
        let declares = self.rendered.len() > rendered;
        self.open.push(Open { name: Name::Here(name), declares, strings, rendered });
    }

    /// Declares on the tag that is being written what `prefix` means, unless it does so already, or the open elements'
    /// declarations do. Its own are those from number `own` on.
    fn render(&mut self, own: usize, prefix: &str, uri: &str) {
        if prefix != "xml" && !self.is_rendered(own, prefix) && self.must_render(own, prefix, uri) {
            self.declare(prefix, uri);
        }
    }

    fn declare(&mut self, prefix: &str, uri: &str) {
        let declared = (store(&mut self.strings, &[prefix]), store(&mut self.strings, &[uri]));
        self.rendered.push(declared);
    }

    /// Whether one of the declarations from number `own` on is of this prefix.
    fn is_rendered(&self, own: usize, prefix: &str) -> bool {
        let string = |range: &Range<usize>| self.strings.get(range.clone()).unwrap_or("");
        self.rendered.get(own..).unwrap_or(&[]).iter().any(|(known, _)| known.len() == prefix.len() && string(known) == prefix)
    }

    /// Whether the open elements' declarations, those up to number `own`, do not say already what `prefix` means.
    fn must_render(&self, own: usize, prefix: &str, uri: &str) -> bool {
        let string = |range: &Range<usize>| self.strings.get(range.clone()).unwrap_or("");
        let mut inside = own;
        for open in self.open.iter().rev().filter(|open| open.declares) {
            let known = match open.name {
                Name::Of(path) => self.written.declares(path, prefix),
                Name::Here(_) => {
                    let declarations = self.rendered.get(open.rendered..inside).unwrap_or(&[]);
                    let of_prefix = |known: &Range<usize>| known.len() == prefix.len() && string(known) == prefix;
                    declarations.iter().find(|(known, _)| of_prefix(known)).map(|(_, uri)| string(uri).as_bytes())
                }
            };
            if let Some(known) = known {
                return known != uri.as_bytes();
            }
            inside = open.rendered;
        }
        !uri.is_empty()
    }
}

/// Whether what stands behind the name in a tag is the declaration of that prefix alone, as canonical XML spells it.
fn declares_only(behind: &[u8], prefix: &str, uri: &str) -> bool {
    let value = match prefix {
        "" => behind.strip_prefix(b" xmlns=\""),
        _ => behind.strip_prefix(b" xmlns:").and_then(|rest| rest.strip_prefix(prefix.as_bytes())?.strip_prefix(b"=\"")),
    };
    !uri.is_empty() && value.and_then(|value| value.strip_prefix(uri.as_bytes())).is_some_and(|rest| rest.starts_with(b"\">"))
}

fn store(strings: &mut String, parts: &[&str]) -> Range<usize> {
    let start = strings.len();
    for part in parts {
        strings.push_str(part);
    }
    start..strings.len()
}
