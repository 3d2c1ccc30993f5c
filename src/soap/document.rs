//! One message as an arena: parsed once, strictly, and used by everyone after that.
//!
//! Verification, SAML, routing and policy all look at the same nodes, so that what was verified is what is used: an
//! [`Element`] is a place in the document, and two places are the same only if they are the same node. The message is
//! never parsed a second time (a second parser could see a second message).

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::ops::Range;

use bytes::Bytes;

use super::reading::Reading;
use super::scan::{End, Scanner};
use super::strict::{Limits, Token, Uri, Uris, malformed};
use crate::refusal::Refusal;

/// A node's number within its document, from one, so that none takes no room of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(NonZeroU32);

impl NodeId {
    fn at(index: usize) -> Option<Self> {
        NonZeroU32::new(u32::try_from(index + 1).ok()?).map(Self)
    }
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Element,
    Text { cdata: bool },
    Comment,
}

/// Of these a large message has more bytes than it has itself: each is as small as it can be.
#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    uri: Uri,
    prefix_bytes: u16,
    parent: Option<NodeId>,
    next: Option<NodeId>,
    first_child: Option<NodeId>,
    /// Elements: the local name, in front of which the prefix stands. Texts: the text.
    local: Range<u32>,
    /// The first of its attributes and of its declarations; those of the next node begin where these end.
    attributes: u32,
    declarations: u32,
    source: Place,
}

/// Where a node stands in the source, in bytes. A file's nodes begin before 2⁴⁰; what is longer than 2³² goes on to the end.
#[derive(Debug, Clone, Copy)]
struct Place {
    low: u32,
    length: u32,
    high: u8,
}

impl Place {
    const NOWHERE: Self = Self { low: 0, length: 0, high: 0 };

    fn new(range: &Range<usize>) -> Result<Self, Refusal> {
        let high = u8::try_from(range.start >> 32).map_err(|_| Refusal::BodyTooLarge { limit: 1 << 40 })?;
        let mut place = Self { low: range.start as u32, length: 0, high };
        place.ends(range.end);
        Ok(place)
    }
    fn start(self) -> usize {
        usize::from(self.high) << 32 | self.low as usize
    }
    fn ends(&mut self, end: usize) {
        self.length = u32::try_from(end.saturating_sub(self.start())).unwrap_or(u32::MAX);
    }
    fn end(self) -> usize {
        if self.length == u32::MAX { usize::MAX } else { self.start() + self.length as usize }
    }
}

#[derive(Debug, Clone)]
struct AttributeNode {
    prefix: Range<u32>,
    local: Range<u32>,
    value: Range<u32>,
    uri: Uri,
}

/// A parsed message.
#[derive(Debug)]
pub struct Document {
    source: Bytes,
    text: String,
    nodes: Vec<Node>,
    attributes: Vec<AttributeNode>,
    declarations: Vec<(Range<u32>, Uri)>,
    uris: Uris,
    root: NodeId,
    comments: bool,
}

impl Document {
    /// Parses `source` strictly (see [`super::scan`]). One UTF-8 byte order mark is passed over.
    ///
    /// # Errors
    /// `EncodingRefused`, `MalformedXml`, `DtdRefused`, `ProcessingInstructionRefused`, `XmlTooComplex`.
    pub fn parse(source: Bytes, limits: &Limits) -> Result<Self, Refusal> {
        if u32::try_from(source.len()).is_err() {
            return Err(Refusal::BodyTooLarge { limit: u32::MAX as usize });
        }
        // Bytes in another encoding are told as that, whatever the scanner stumbled over in them first.
        Self::scan(&source, limits).map_err(|refusal| match std::str::from_utf8(&source) {
            Ok(_) => refusal,
            Err(_) => Refusal::EncodingRefused,
        })
    }

    fn scan(source: &Bytes, limits: &Limits) -> Result<Self, Refusal> {
        let mut builder = DocumentBuilder::with_room_for(source.len());
        let mut scanner = Scanner::new(*limits);
        scanner.take(source);
        scanner.finish(End::Whole);
        loop {
            match scanner.next()? {
                Some(Token::Eof) => break,
                Some(token) => builder.add(token, &scanner, scanner.range())?,
                None => return Err(malformed(source.len(), "opmærkning, der ikke afsluttes", "a token that does not end")),
            }
        }
        builder.finish(source.clone(), scanner.into_uris())
    }

    /// The root element.
    pub fn root(&self) -> Element<'_> {
        Element { document: self, id: self.root }
    }

    /// The element with this number, if it is one.
    pub fn element(&self, id: NodeId) -> Option<Element<'_>> {
        self.node(id).filter(|node| node.kind == Kind::Element).map(|_| Element { document: self, id })
    }

    /// Every element, in document order.
    pub fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        (0..self.nodes.len()).filter_map(|n| self.element(NodeId::at(n)?))
    }

    /// Whether a comment stands anywhere, also outside the root.
    pub fn has_comments(&self) -> bool {
        self.comments
    }

    /// The first element in which a comment stands beside text: readers disagree about what value is left.
    pub fn divided_value(&self) -> Option<Element<'_>> {
        let divides = |element: &Element<'_>| {
            element.children().any(|child| matches!(child, Child::Comment))
                && element.value().is_some_and(|value| !value.is_empty())
        };
        if self.comments { self.elements().find(divides) } else { None }
    }

    /// The same without the bytes that it was read from, where nobody asks for them again: what was read is here.
    #[must_use]
    pub fn without_source(self) -> Self {
        Self { source: Bytes::new(), ..self }
    }

    /// The bytes as they came, a byte order mark included.
    pub fn source(&self) -> &Bytes {
        &self.source
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index())
    }

    fn str(&self, range: &Range<u32>) -> &str {
        self.text.get(range.start as usize..range.end as usize).unwrap_or("")
    }
}

/// Builds a document token by token: a whole one in [`Document::parse`], or a part of one whose rest streams past.
#[derive(Default, Clone)]
pub struct DocumentBuilder {
    /// Characters, which are looked at as such once, when the document is whole.
    text: Vec<u8>,
    nodes: Vec<Node>,
    attributes: Vec<AttributeNode>,
    declarations: Vec<(Range<u32>, Uri)>,
    names: Names,
    open: Vec<Open>,
    root: Option<NodeId>,
    comments: bool,
}

/// An element that has not ended, and the last of its children so far.
#[derive(Debug, Clone, Copy)]
struct Open {
    id: NodeId,
    last: Option<NodeId>,
}

/// Where names stand that were read before: a large message has few, and each of them often.
#[derive(Debug, Default, Clone)]
struct Names(Vec<(Range<u32>, u16)>);

impl Names {
    /// A power of two.
    const ROOM: usize = 64;

    /// Where a name belongs, by its length and its last letters.
    fn slot(local: &[u8]) -> usize {
        let of = |back: usize| local.len().checked_sub(back).and_then(|at| local.get(at)).copied().map_or(0, usize::from);
        (local.len() + 7 * of(1) + 31 * of(4) + 3 * of(8)) % Self::ROOM
    }

    fn get(&self, text: &[u8], prefix: &[u8], local: &[u8]) -> Option<(Range<u32>, u16)> {
        let (range, prefix_bytes) = self.0.get(Self::slot(local))?;
        let whole = text.get((range.start as usize).checked_sub(usize::from(*prefix_bytes))?..range.end as usize)?;
        (usize::from(*prefix_bytes) == prefix.len() && whole.starts_with(prefix) && whole.get(prefix.len()..) == Some(local))
            .then(|| (range.clone(), *prefix_bytes))
    }

    fn keep(&mut self, local: &[u8], found: (Range<u32>, u16)) {
        if self.0.is_empty() {
            self.0.resize(Self::ROOM, (0..0, 0));
        }
        if let Some(kept) = self.0.get_mut(Self::slot(local)) {
            *kept = found;
        }
    }
}

impl DocumentBuilder {
    /// One that a document of so many bytes fits into, as messages usually are: it grows where it does not.
    pub fn with_room_for(bytes: usize) -> Self {
        Self {
            text: Vec::with_capacity(bytes),
            // A delivery of vouchers has a node for each nineteen bytes. Room that is not filled is not taken from the system; room that
            // grows is copied, and there twice for a while.
            nodes: Vec::with_capacity(bytes / 16),
            attributes: Vec::with_capacity(bytes / 128),
            declarations: Vec::with_capacity(bytes / 256),
            ..Self::default()
        }
    }

    /// Closes what is open and gives the document. `source` may be empty where the bytes were not kept.
    pub fn finish(mut self, source: Bytes, uris: Uris) -> Result<Document, Refusal> {
        for Open { id, .. } in std::mem::take(&mut self.open) {
            if let Some(node) = self.nodes.get_mut(id.index()) {
                node.source.ends(usize::MAX);
            }
        }
        let root = self.root.ok_or_else(|| malformed(0, "dokumentet er tomt", "the document is empty"))?;
        let Self { text, nodes, attributes, declarations, comments, .. } = self;
        let text = String::from_utf8(text).map_err(|_| Refusal::Internal)?;
        Ok(Document { source, text, nodes, attributes, declarations, uris, root, comments })
    }

    /// Adds what was read; `source` is where it stands, in bytes.
    pub fn add(&mut self, token: Token, read: &impl Reading, source: Range<usize>) -> Result<(), Refusal> {
        match token {
            Token::Start | Token::Empty => {
                let id = self.start(read, source)?;
                if token == Token::Start {
                    self.open.push(Open { id, last: None });
                }
            }
            Token::End => {
                if let Some(node) = self.open.pop().and_then(|open| self.nodes.get_mut(open.id.index())) {
                    node.source.ends(source.end);
                }
            }
            Token::Text | Token::CData => self.text(read.text_bytes(), token == Token::CData, source)?,
            Token::Comment => {
                self.comments = true;
                if !self.open.is_empty() {
                    let node = Node { source: Place::new(&source)?, ..self.without_attributes(Kind::Comment)? };
                    self.push(node)?;
                }
            }
            Token::Nothing | Token::Eof => {}
            // A tree is built of tokens each of which has its own place in the source.
            Token::Leaf => return Err(Refusal::Internal),
        }
        Ok(())
    }

    /// Whether the last child of the root, which has not ended, is an element of this name.
    pub fn ends_with(&self, (namespace, local): (&str, &str), uris: &Uris) -> bool {
        let last = self.open.first().and_then(|root| self.nodes.get(root.last?.index()));
        last.is_some_and(|node| {
            node.kind == Kind::Element
                && self.text.get(node.local.start as usize..node.local.end as usize) == Some(local.as_bytes())
                && uris.get(node.uri) == namespace
        })
    }

    fn store(&mut self, text: &[u8]) -> Result<Range<u32>, Refusal> {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        match (u32::try_from(start), u32::try_from(self.text.len())) {
            (Ok(start), Ok(end)) => Ok(start..end),
            _ => Err(Refusal::BodyTooLarge { limit: u32::MAX as usize }),
        }
    }

    /// The place of a name, in front of which its prefix stands, and the prefix's bytes.
    fn name(&mut self, prefix: &str, local: &str) -> Result<(Range<u32>, u16), Refusal> {
        if let Some(found) = self.names.get(&self.text, prefix.as_bytes(), local.as_bytes()) {
            return Ok(found);
        }
        let before = self.store(prefix.as_bytes())?;
        let range = self.store(local.as_bytes())?;
        let bytes = u16::try_from(before.len()).map_err(|_| Refusal::BodyTooLarge { limit: usize::from(u16::MAX) })?;
        self.names.keep(local.as_bytes(), (range.clone(), bytes));
        Ok((range, bytes))
    }

    fn push(&mut self, mut node: Node) -> Result<NodeId, Refusal> {
        let id = NodeId::at(self.nodes.len()).ok_or(Refusal::BodyTooLarge { limit: u32::MAX as usize })?;
        let (mut parent, mut previous) = (None, None);
        if let Some(open) = self.open.last_mut() {
            (parent, previous) = (Some(open.id), open.last.replace(id));
        }
        node.parent = parent;
        self.nodes.push(node);
        match (previous, parent) {
            (Some(previous), _) => {
                if let Some(previous) = self.nodes.get_mut(previous.index()) {
                    previous.next = Some(id);
                }
            }
            (None, Some(parent)) => {
                if let Some(parent) = self.nodes.get_mut(parent.index()) {
                    parent.first_child = Some(id);
                }
            }
            (None, None) => {}
        }
        Ok(id)
    }

    fn start(&mut self, read: &impl Reading, source: Range<usize>) -> Result<NodeId, Refusal> {
        let (local, prefix_bytes) = self.name(read.prefix(), read.local())?;
        let attributes = count(self.attributes.len())?;
        for attribute in read.attributes() {
            let prefix = self.store(attribute.prefix.as_bytes())?;
            let local = self.store(attribute.local.as_bytes())?;
            let value = self.store(attribute.value.as_bytes())?;
            self.attributes.push(AttributeNode { prefix, local, value, uri: attribute.uri });
        }
        let declarations = count(self.declarations.len())?;
        for (prefix, uri) in read.declarations() {
            let prefix = self.store(prefix.as_bytes())?;
            self.declarations.push((prefix, uri));
        }
        let id = self.push(Node {
            local,
            prefix_bytes,
            uri: read.uri(),
            attributes,
            declarations,
            source: Place::new(&source)?,
            ..Node::of(Kind::Element)
        })?;
        if self.open.is_empty() {
            self.root = Some(id);
        }
        Ok(id)
    }

    /// A node that has none: the next one's begin where the last one's end.
    fn without_attributes(&self, kind: Kind) -> Result<Node, Refusal> {
        Ok(Node { attributes: count(self.attributes.len())?, declarations: count(self.declarations.len())?, ..Node::of(kind) })
    }

    /// Adjacent pieces of text become one node, so that nobody judges half a value. CDATA stays apart, to be seen.
    fn text(&mut self, text: &[u8], cdata: bool, source: Range<usize>) -> Result<(), Refusal> {
        let last = self.open.last().and_then(|parent| parent.last);
        let range = self.store(text)?;
        if !cdata && let Some(node) = last.and_then(|id| self.nodes.get_mut(id.index()))
            // Only when nothing else was stored in between can the two pieces be one range.
            && node.kind == (Kind::Text { cdata: false }) && node.local.end == range.start
        {
            node.local.end = range.end;
            node.source.ends(source.end);
            return Ok(());
        }
        let node = Node { local: range, source: Place::new(&source)?, ..self.without_attributes(Kind::Text { cdata })? };
        self.push(node).map(|_| ())
    }
}

fn count(n: usize) -> Result<u32, Refusal> {
    u32::try_from(n).map_err(|_| Refusal::BodyTooLarge { limit: u32::MAX as usize })
}

impl Node {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            parent: None,
            next: None,
            first_child: None,
            uri: Uri::NONE,
            local: 0..0,
            prefix_bytes: 0,
            attributes: 0,
            declarations: 0,
            source: Place::NOWHERE,
        }
    }
}

/// A child of an element.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the names say it
pub enum Child<'d> {
    Element(Element<'d>),
    /// Text, references resolved; `cdata` says that it stood in a CDATA section.
    Text {
        text: &'d str,
        /// Whether it stood in a CDATA section.
        cdata: bool,
    },
    /// A comment (its content is nobody's business).
    Comment,
}

/// An attribute of an element; namespace declarations are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'d> {
    /// The prefix as written, empty for none.
    pub prefix: &'d str,
    /// The local name.
    pub local: &'d str,
    /// The namespace, empty for none.
    pub namespace: &'d str,
    /// The normalised value.
    pub value: &'d str,
}

/// The child elements of an element, in document order.
#[derive(Debug, Clone)]
pub struct Elements<'d> {
    document: &'d Document,
    next: Option<NodeId>,
}

impl<'d> Iterator for Elements<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        loop {
            let id = self.next?;
            let node = self.document.node(id)?;
            self.next = node.next;
            if node.kind == Kind::Element {
                return Some(Element { document: self.document, id });
            }
        }
    }
}

/// A place in a document: one element. Equal only to itself.
#[derive(Clone, Copy)]
pub struct Element<'d> {
    document: &'d Document,
    id: NodeId,
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.document, other.document) && self.id == other.id
    }
}
impl Eq for Element<'_> {}

impl std::fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}}}{}", self.namespace(), self.local())
    }
}

impl<'d> Element<'d> {
    fn node(&self) -> Option<&'d Node> {
        self.document.node(self.id)
    }

    /// The number of this place.
    pub fn id(&self) -> NodeId {
        self.id
    }
    /// The document it belongs to.
    pub fn document(&self) -> &'d Document {
        self.document
    }
    /// The prefix as written, empty for none.
    pub fn prefix(&self) -> &'d str {
        self.node().map_or("", |node| self.document.str(&(node.local.start - u32::from(node.prefix_bytes)..node.local.start)))
    }
    /// The local name.
    pub fn local(&self) -> &'d str {
        self.node().map_or("", |node| self.document.str(&node.local))
    }
    /// The namespace, empty for none.
    pub fn namespace(&self) -> &'d str {
        self.node().map_or("", |node| self.document.uris.get(node.uri))
    }
    /// Whether it has this expanded name.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local() == local && self.namespace() == namespace
    }
    /// The parent; `None` for the root.
    pub fn parent(&self) -> Option<Element<'d>> {
        self.node()?.parent.map(|id| Element { document: self.document, id })
    }
    /// Those of all attributes or declarations that are its own; there are `all`.
    fn run(&self, all: usize, first: impl Fn(&Node) -> u32) -> Range<usize> {
        let after = self.document.nodes.get(self.id.index() + 1).map_or(all, |next| first(next) as usize);
        self.node().map_or(0..0, |node| first(node) as usize..after)
    }
    /// The attributes, in document order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'d>> + use<'d> {
        let document = self.document;
        let range = self.run(document.attributes.len(), |node| node.attributes);
        document.attributes.get(range).unwrap_or(&[]).iter().map(move |a| Attribute {
            prefix: document.str(&a.prefix),
            local: document.str(&a.local),
            namespace: document.uris.get(a.uri),
            value: document.str(&a.value),
        })
    }
    /// The value of an attribute; `namespace` is empty for one without a prefix.
    pub fn attribute(&self, namespace: &str, local: &str) -> Option<&'d str> {
        self.attributes().find(|a| a.local == local && a.namespace == namespace).map(|a| a.value)
    }
    /// The namespace declarations of this very element: prefix (empty for the default) and name (empty to undeclare).
    pub fn declarations(&self) -> impl Iterator<Item = (&'d str, &'d str)> + use<'d> {
        let document = self.document;
        let range = self.run(document.declarations.len(), |node| node.declarations);
        document
            .declarations
            .get(range)
            .unwrap_or(&[])
            .iter()
            .map(move |(prefix, uri)| (document.str(prefix), document.uris.get(*uri)))
    }
    /// What a prefix means here; the empty prefix asks for the default namespace. `None`: not declared.
    pub fn namespace_of(&self, prefix: &str) -> Option<&'d str> {
        let mut place = Some(*self);
        while let Some(element) = place {
            if let Some((_, uri)) = element.declarations().find(|(declared, _)| *declared == prefix) {
                return Some(uri).filter(|uri| !uri.is_empty());
            }
            place = element.parent();
        }
        None
    }
    /// All children, in document order.
    pub fn children(&self) -> impl Iterator<Item = Child<'d>> + use<'d> {
        let document = self.document;
        let mut next = self.node().and_then(|node| node.first_child);
        std::iter::from_fn(move || {
            let id = next?;
            let node = document.node(id)?;
            next = node.next;
            Some(match node.kind {
                Kind::Element => Child::Element(Element { document, id }),
                Kind::Text { cdata } => Child::Text { text: document.str(&node.local), cdata },
                Kind::Comment => Child::Comment,
            })
        })
    }
    /// The child elements, in document order.
    pub fn elements(&self) -> Elements<'d> {
        Elements { document: self.document, next: self.node().and_then(|node| node.first_child) }
    }
    /// The child elements of one name.
    pub fn named<'a>(&self, namespace: &'a str, local: &'a str) -> impl Iterator<Item = Element<'d>> + use<'d, 'a> {
        self.elements().filter(move |element| element.is(namespace, local))
    }
    /// The one child of this name: `Ok(None)` for none, `Err(())` for several, which nobody may choose among.
    #[allow(clippy::result_unit_err)] // the caller knows which refusal it is
    pub fn only(&self, namespace: &str, local: &str) -> Result<Option<Element<'d>>, ()> {
        let mut found = self.named(namespace, local);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(()),
            (one, None) => Ok(one),
        }
    }
    /// This element and everything below it, in document order.
    pub fn descendants(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let document = self.document;
        let from = self.id.index();
        let end = self.source_range().end;
        // Nodes are numbered in document order, so a subtree is a run of numbers that ends where the element ends.
        (from..document.nodes.len())
            .map_while(move |n| document.nodes.get(n).filter(|node| node.source.start() < end).map(|node| (n, node)))
            .filter(|(_, node)| node.kind == Kind::Element)
            .filter_map(move |(n, _)| Some(Element { document, id: NodeId::at(n)? }))
    }
    /// The whole text of an element that holds text only: `None` where there is a child element, a comment or CDATA,
    /// for readers disagree about what those leave of a value (comment truncation, CVE-2017-11427 and its kin).
    pub fn text(&self) -> Option<Cow<'d, str>> {
        let mut whole = Cow::Borrowed("");
        for child in self.children() {
            match child {
                Child::Text { text, cdata: false } if whole.is_empty() => whole = Cow::Borrowed(text),
                Child::Text { text, cdata: false } => whole.to_mut().push_str(text),
                _ => return None,
            }
        }
        Some(whole)
    }
    /// Its value as a schema reads it, and every receiver of the canonical form: CDATA is text, and a comment is nothing. `None`
    /// where there is a child element. What is decided by a name or a signature asks for [`Element::text`].
    pub fn value(&self) -> Option<Cow<'d, str>> {
        let mut whole = Cow::Borrowed("");
        for child in self.children() {
            match child {
                Child::Text { text, .. } if whole.is_empty() => whole = Cow::Borrowed(text),
                Child::Text { text, .. } => whole.to_mut().push_str(text),
                Child::Comment => {}
                Child::Element(_) => return None,
            }
        }
        Some(whole)
    }
    /// Whether it holds no element and no text but white space.
    pub fn is_empty(&self) -> bool {
        self.children().all(|child| match child {
            Child::Element(_) => false,
            Child::Text { text, .. } => text.chars().all(super::strict::is_space),
            Child::Comment => true,
        })
    }
    /// Whether text other than white space stands beside its child elements.
    pub fn has_stray_text(&self) -> bool {
        self.children().any(|child| matches!(child, Child::Text { text, .. } if !text.chars().all(super::strict::is_space)))
    }
    /// Where it stands in the source, from `<` to the end of its end tag, in bytes.
    pub fn source_range(&self) -> Range<usize> {
        self.node().map_or(0..0, |node| node.source.start()..node.source.end())
    }
    /// Its bytes as they came.
    pub fn source(&self) -> &'d [u8] {
        self.document.source.get(self.source_range()).unwrap_or(&[])
    }
}
