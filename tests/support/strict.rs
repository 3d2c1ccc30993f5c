//! The judge of the strict subset of XML over quick-xml's events: what [`hjemmel::soap::scan`], which reads the messages, is
//! held against. Neither knows the other; they share the letters of XML (`soap::lexical`).
//!
//! quick-xml finds the tokens; [`Strict`] says which of them are let through. It refuses what a lenient reader passes on
//! and two readers understand differently: DTDs and processing instructions, undeclared or re-bound prefixes, relative
//! namespace names (they make canonicalisation void), attributes that are equal once prefixes are resolved, characters
//! that XML forbids, text outside the root, and anything past a limit.

use hjemmel::refusal::Refusal;
use hjemmel::soap::lexical::{check_characters, check_declaration, is_absolute_uri, next_attribute, normalise_value, resolve};
use hjemmel::soap::reading::Reading;
use hjemmel::soap::strict::{
    Limits, TagAttribute, Token, Uri, Uris, XML_NAMESPACE, XMLNS_NAMESPACE, is_ncname, is_space, malformed, too_complex,
};
use quick_xml::events::{BytesStart, Event};

/// A part of [`Tag`]'s own text.
type Part = std::ops::Range<usize>;

#[derive(Debug, Clone)]
struct RawAttribute {
    prefix: Part,
    local: Part,
    value: Part,
    uri: Uri,
}

/// The start tag that was read last: names resolved, values normalised. Reused from tag to tag.
#[derive(Debug, Default)]
pub struct Tag {
    text: String,
    prefix: Part,
    local: Part,
    uri: Option<Uri>,
    attributes: Vec<RawAttribute>,
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
    /// The prefix as written, empty for none.
    pub fn prefix(&self) -> &str {
        self.part(&self.prefix)
    }
    /// The local name.
    pub fn local(&self) -> &str {
        self.part(&self.local)
    }
    /// The namespace.
    pub fn uri(&self) -> Uri {
        self.uri.unwrap_or(Uri::NONE)
    }
    /// The attributes in document order, without namespace declarations.
    pub fn attributes(&self) -> impl Iterator<Item = TagAttribute<'_>> {
        self.attributes.iter().map(|a| TagAttribute {
            prefix: self.part(&a.prefix),
            local: self.part(&a.local),
            uri: a.uri,
            value: self.part(&a.value),
        })
    }
    /// The namespace declarations of this very tag: prefix (empty for the default) and name.
    pub fn declarations(&self) -> impl Iterator<Item = (&str, Uri)> {
        self.declarations.iter().map(|(prefix, uri)| (self.part(prefix), *uri))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Prolog,
    Root,
    Epilog,
}

struct Binding {
    prefix: Box<str>,
    uri: Uri,
}

/// The judge of events. Feed it every event of one document, in order.
pub struct Strict {
    limits: Limits,
    phase: Phase,
    first: bool,
    nodes: usize,
    bindings: Vec<Binding>,
    /// How many bindings were in scope outside each open element.
    open: Vec<usize>,
    uris: Uris,
    tag: Tag,
    text: String,
}

impl Strict {
    /// A judge for one document.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Prolog,
            first: true,
            nodes: 0,
            bindings: Vec::new(),
            open: Vec::new(),
            uris: Uris::default(),
            tag: Tag::default(),
            text: String::new(),
        }
    }

    /// Judges one event; `offset` (in bytes) is where it stands, for the refusal's text.
    pub fn accept(&mut self, event: &Event<'_>, offset: usize) -> Result<Token, Refusal> {
        let first = std::mem::take(&mut self.first);
        match event {
            Event::Start(start) => self.start(start, offset).map(|()| Token::Start),
            Event::Empty(start) => {
                self.start(start, offset)?;
                self.end();
                Ok(Token::Empty)
            }
            Event::End(_) => {
                self.end();
                Ok(Token::End)
            }
            Event::Text(text) => self.set_text(&text.xml10_content(), offset, Token::Text),
            Event::CData(text) => {
                if self.phase != Phase::Root {
                    return Err(malformed(offset, "CDATA uden for rodelementet", "CDATA outside the root element"));
                }
                self.set_text(&text.xml10_content(), offset, Token::CData)
            }
            Event::GeneralRef(reference) => {
                if self.phase != Phase::Root {
                    return Err(malformed(offset, "en reference uden for rodelementet", "a reference outside the root element"));
                }
                let character = resolve(reference, offset)?;
                let mut buffer = [0; 4];
                self.set_text(character.encode_utf8(&mut buffer), offset, Token::Text)
            }
            Event::Comment(comment) => {
                if comment.contains("--") || comment.ends_with('-') {
                    return Err(malformed(
                        offset,
                        "en kommentar indeholder to bindestreger i træk",
                        "a comment holds two hyphens in a row",
                    ));
                }
                check_characters(comment, offset)?;
                self.count()?;
                Ok(Token::Comment)
            }
            Event::Decl(declaration) => {
                // quick-xml reports a declaration wherever it stands; only the very first bytes may hold one.
                if !first || offset != 0 {
                    return Err(malformed(
                        offset,
                        "XML-erklæringen står ikke allerførst",
                        "the XML declaration is not at the very beginning",
                    ));
                }
                check_declaration(declaration, offset)?;
                Ok(Token::Nothing)
            }
            Event::PI(_) => Err(Refusal::ProcessingInstructionRefused),
            Event::DocType(_) => Err(Refusal::DtdRefused),
            Event::Eof => match self.phase {
                Phase::Epilog => Ok(Token::Eof),
                Phase::Root => {
                    Err(malformed(offset, "dokumentet slutter midt i et element", "the document ends inside an element"))
                }
                Phase::Prolog => Err(malformed(offset, "dokumentet er tomt", "the document is empty")),
            },
        }
    }

    fn count(&mut self) -> Result<(), Refusal> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(too_complex(
                "antallet af elementer, tekster og kommentarer",
                "elements, texts and comments",
                self.limits.nodes,
            ));
        }
        Ok(())
    }

    fn set_text(&mut self, text: &str, offset: usize, token: Token) -> Result<Token, Refusal> {
        if self.phase != Phase::Root {
            return match text.chars().all(is_space) {
                true => Ok(Token::Nothing),
                false => Err(malformed(offset, "tekst uden for rodelementet", "text outside the root element")),
            };
        }
        if text.len() > self.limits.text {
            return Err(too_complex("længden af en tekst i byte", "the length of a text in bytes", self.limits.text));
        }
        if token == Token::Text && text.contains("]]>") {
            return Err(malformed(offset, "]]> i en tekst", "]]> in text"));
        }
        check_characters(text, offset)?;
        self.count()?;
        self.text.clear();
        self.text.push_str(text);
        Ok(token)
    }

    fn end(&mut self) {
        if let Some(outside) = self.open.pop() {
            self.bindings.truncate(outside);
        }
        if self.open.is_empty() {
            self.phase = Phase::Epilog;
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, offset: usize) -> Result<(), Refusal> {
        match self.phase {
            Phase::Prolog => self.phase = Phase::Root,
            Phase::Root => {}
            Phase::Epilog => return Err(malformed(offset, "mere end ét rodelement", "a second root element")),
        }
        if self.open.len() >= self.limits.depth {
            return Err(too_complex("elementernes dybde", "element depth", self.limits.depth));
        }
        self.count()?;
        self.open.push(self.bindings.len());
        self.tag.text.clear();
        self.tag.attributes.clear();
        self.tag.declarations.clear();

        let mut prefixed = Vec::new();
        let mut rest = start.attributes_raw();
        let mut seen = 0usize;
        while let Some((name, value, after)) = next_attribute(rest, offset)? {
            rest = after;
            seen += 1;
            if seen > self.limits.attributes {
                return Err(too_complex(
                    "antallet af attributter på ét element",
                    "attributes of one element",
                    self.limits.attributes,
                ));
            }
            let (prefix, local) = self.split(name, offset)?;
            let from = self.tag.text.len();
            normalise_value(value, &mut self.tag.text, offset)?;
            if self.tag.text.len() - from > self.limits.text {
                return Err(too_complex(
                    "længden af en attribut i byte",
                    "the length of an attribute in bytes",
                    self.limits.text,
                ));
            }
            let value = from..self.tag.text.len();
            match (prefix, local) {
                ("xmlns", _) => self.declare(local, value, offset)?,
                ("", "xmlns") => self.declare("", value, offset)?,
                _ => prefixed.push((prefix, local, value)),
            }
        }
        // Only now are this tag's own declarations in scope, wherever among the attributes they stood.
        let (prefix, local) = self.split(start.name().0, offset)?;
        self.tag.uri = Some(self.lookup(prefix, offset)?);
        self.tag.prefix = self.tag.add(prefix);
        self.tag.local = self.tag.add(local);
        for (prefix, local, value) in prefixed {
            let uri = if prefix.is_empty() { Uri::NONE } else { self.lookup(prefix, offset)? };
            // Two prefixes bound to one namespace make `a:x` and `b:x` the same attribute: readers would disagree.
            let again = self.tag.attributes.iter().any(|a| a.uri == uri && self.tag.part(&a.local) == local);
            if again {
                return Err(malformed(offset, "en attribut forekommer to gange", "an attribute occurs twice"));
            }
            let prefix = self.tag.add(prefix);
            let local = self.tag.add(local);
            self.tag.attributes.push(RawAttribute { prefix, local, value, uri });
        }
        Ok(())
    }

    fn split<'n>(&self, name: &'n str, offset: usize) -> Result<(&'n str, &'n str), Refusal> {
        if name.len() > self.limits.name {
            return Err(too_complex("længden af et navn i byte", "the length of a name in bytes", self.limits.name));
        }
        let (prefix, local) = match name.split_once(':') {
            Some((prefix, local)) if is_ncname(prefix) => (prefix, local),
            Some(_) => return Err(malformed(offset, "et navn, der ikke er velformet", "a name that is not well-formed")),
            None => ("", name),
        };
        match is_ncname(local) {
            true => Ok((prefix, local)),
            false => Err(malformed(offset, "et navn, der ikke er velformet", "a name that is not well-formed")),
        }
    }

    fn lookup(&self, prefix: &str, offset: usize) -> Result<Uri, Refusal> {
        if prefix == "xml" {
            return Ok(Uri::XML);
        }
        match self.bindings.iter().rev().find(|binding| *binding.prefix == *prefix) {
            Some(binding) => Ok(binding.uri),
            None if prefix.is_empty() => Ok(Uri::NONE),
            None => Err(malformed(offset, "et præfiks, der ikke er erklæret", "a prefix that is not declared")),
        }
    }

    fn declare(&mut self, prefix: &str, value: Part, offset: usize) -> Result<(), Refusal> {
        if matches!(prefix, "xml" | "xmlns") {
            return Err(malformed(
                offset,
                "præfikserne xml og xmlns må ikke erklæres",
                "the prefixes xml and xmlns may not be declared",
            ));
        }
        if self.tag.declarations.iter().any(|(known, _)| self.tag.part(known) == prefix) {
            return Err(malformed(offset, "et præfiks er erklæret to gange", "a prefix is declared twice"));
        }
        let name = self.tag.part(&value).to_owned();
        if name == XML_NAMESPACE || name == XMLNS_NAMESPACE {
            return Err(malformed(
                offset,
                "navnerummene for xml og xmlns må ikke erklæres",
                "the namespaces of xml and xmlns may not be declared",
            ));
        }
        if name.is_empty() && !prefix.is_empty() {
            return Err(malformed(offset, "et præfiks er erklæret uden navnerum", "a prefix is declared empty"));
        }
        // A relative or unreadable namespace name makes some canonicalisers fail to an empty string (void canonicalisation).
        if !name.is_empty() && !is_absolute_uri(&name) {
            return Err(malformed(
                offset,
                "et navnerum, der ikke er en absolut URI",
                "a namespace name that is not an absolute URI",
            ));
        }
        if self.bindings.len() >= self.limits.declarations {
            return Err(too_complex(
                "antallet af navnerumserklæringer, der gælder samtidig",
                "namespace declarations in scope",
                self.limits.declarations,
            ));
        }
        let uri = match name.is_empty() {
            true => Uri::NONE,
            false => self.uris.intern(&name, self.limits.namespaces)?,
        };
        let part = self.tag.add(prefix);
        self.tag.declarations.push((part, uri));
        self.bindings.push(Binding { prefix: prefix.into(), uri });
        Ok(())
    }
}

impl Reading for Strict {
    fn prefix(&self) -> &str {
        self.tag.prefix()
    }
    fn local(&self) -> &str {
        self.tag.local()
    }
    fn uri(&self) -> Uri {
        self.tag.uri()
    }
    fn attributes(&self) -> impl Iterator<Item = TagAttribute<'_>> {
        self.tag.attributes()
    }
    fn declarations(&self) -> impl Iterator<Item = (&str, Uri)> {
        self.tag.declarations()
    }
    fn text(&self) -> &str {
        &self.text
    }
    fn uris(&self) -> &Uris {
        &self.uris
    }
    fn depth(&self) -> usize {
        self.open.len()
    }
    fn binding(&self, prefix: &str) -> Option<Uri> {
        self.bindings.iter().rev().find(|binding| *binding.prefix == *prefix).map(|binding| binding.uri)
    }
}
