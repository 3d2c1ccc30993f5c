//! The strict subset of XML that the gateway reads, in words: its bounds, its namespace names, and what a reader reports of a
//! token. [`super::scan`] reads by it.

pub(crate) use super::lexical::is_space_byte;
pub use super::lexical::{is_char, is_ncname, is_space};

use crate::refusal::{Detail, Refusal};

/// The namespace that the prefix `xml` is bound to, always.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace that the prefix `xmlns` is bound to, always.
pub const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// Bounds on what one document may ask of the reader. All are counts; `text` and `name` are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open elements, the root included.
    pub depth: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Namespace declarations in scope at any one place.
    pub declarations: usize,
    /// Distinct namespace names in the document.
    pub namespaces: usize,
    /// Elements, texts and comments in the document.
    pub nodes: usize,
    /// One piece of text or one attribute's value, in bytes.
    pub text: usize,
    /// One name, prefix included, in bytes.
    pub name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, attributes: 64, declarations: 64, namespaces: 128, nodes: 100_000, text: 512 * 1024, name: 256 }
    }
}

/// A namespace name that the document has used, by number. [`Uri::NONE`] is "no namespace".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uri(u16);

impl Uri {
    /// No namespace.
    pub const NONE: Uri = Uri(0);
    /// The namespace of the prefix `xml`.
    pub const XML: Uri = Uri(1);

    /// The number, from 0: at most [`Limits::namespaces`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// For how many namespace names there is room at once: a message has a dozen.
const USUAL_NAMESPACES: usize = 16;

/// The namespace names of one document.
#[derive(Debug, Clone)]
pub struct Uris(Vec<Box<str>>);

impl Default for Uris {
    fn default() -> Self {
        let mut names = Vec::with_capacity(USUAL_NAMESPACES);
        names.extend(["".into(), XML_NAMESPACE.into()]);
        Self(names)
    }
}

/// The longest name of a namespace, in bytes. Canonicalisation writes it anew at every element that uses it: one of half a
/// megabyte would make ten gigabytes of a message of one, before anybody has proved anything. Honest ones have a hundred.
const LONGEST_NAMESPACE: usize = 512;

impl Uris {
    /// The name behind a number; empty for [`Uri::NONE`].
    pub fn get(&self, uri: Uri) -> &str {
        self.0.get(usize::from(uri.0)).map_or("", |name| name)
    }

    /// The name with this [`Uri::index`], if the document has used so many.
    pub fn at(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(|name| &**name)
    }

    /// The number of a name, if the document has used it.
    pub fn find(&self, name: &str) -> Option<Uri> {
        self.0.iter().position(|known| **known == *name).and_then(|n| u16::try_from(n).ok()).map(Uri)
    }

    /// The number of a name, which is new if the document has not used it yet.
    ///
    /// # Errors
    /// It is too long, or one more than `limit`.
    pub fn intern(&mut self, name: &str, limit: usize) -> Result<Uri, Refusal> {
        if let Some(uri) = self.find(name) {
            return Ok(uri);
        }
        if name.len() > LONGEST_NAMESPACE {
            return Err(too_complex(
                "længden af et navnerum i byte",
                "the length of a namespace name in bytes",
                LONGEST_NAMESPACE,
            ));
        }
        if self.0.len() >= limit {
            return Err(too_complex("antallet af navnerum", "namespace names", limit));
        }
        let number = u16::try_from(self.0.len()).map_err(|_| too_complex("antallet af navnerum", "namespace names", limit))?;
        self.0.push(name.into());
        Ok(Uri(number))
    }
}

/// An attribute of the tag that was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagAttribute<'t> {
    /// The prefix as written, empty for none.
    pub prefix: &'t str,
    /// The local name.
    pub local: &'t str,
    /// The namespace; an attribute without a prefix has none.
    pub uri: Uri,
    /// The value, references resolved and white space normalised.
    pub value: &'t str,
}

/// What was read; the details are asked of the reader, by [`Reading`](super::reading::Reading).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Token {
    /// A start tag.
    Start,
    /// An element without content. No [`Token::End`] follows.
    Empty,
    /// An element with nothing but text, whole: start tag, text and end tag in one. Only a reader that was asked for such
    /// tells it so; its text holds no `<`, `>`, `&` or carriage return, and is not empty.
    Leaf,
    /// An end tag.
    End,
    /// A piece of text. Several pieces may follow each other: join before judging.
    Text,
    /// The content of a CDATA section.
    CData,
    Comment,
    /// Nothing to act on: the XML declaration, or white space outside the root.
    Nothing,
    /// The document has ended, whole.
    Eof,
}

/// What is not well-formed, in Danish and English, and where.
pub fn malformed(offset: usize, da: &str, en: &str) -> Refusal {
    Refusal::MalformedXml { offset, reason: Detail::new(da, en) }
}

/// What is past which limit, in Danish and English.
pub fn too_complex(da: &str, en: &str, limit: usize) -> Refusal {
    Refusal::XmlTooComplex { what: Detail::new(da, en), limit }
}
