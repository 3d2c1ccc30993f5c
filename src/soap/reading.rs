//! What a reader reports of the token that it read last.
//!
//! There are two readers. [`Scanner`](super::scan::Scanner) reads requests and answers alike, so that there is one idea of
//! what a message is; the judge over quick-xml's events (`tests/support/strict.rs`), which it is held against by
//! `tests/messages/scanner.rs` and the fuzz target `tokenizer`, is in no program. Whoever takes tokens takes them from either.

use std::ops::Range;

use super::strict::{TagAttribute, Uri, Uris};

/// The start tags from the root down to an element, letter for letter, by number: what is decided by them alone may be
/// remembered by it. The numbers are those of one reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path(std::num::NonZeroU16);

impl Path {
    pub(super) fn new(number: u16) -> Option<Self> {
        std::num::NonZeroU16::new(number).map(Self)
    }

    /// The number, small enough to index with: below 512.
    pub fn index(self) -> usize {
        usize::from(self.0.get())
    }
}

/// The details of the last token. What belongs to a tag is that of the last start tag, until the next.
pub trait Reading {
    /// The tag's prefix as written, empty for none.
    fn prefix(&self) -> &str;
    /// The tag's local name.
    fn local(&self) -> &str;
    /// The tag's namespace.
    fn uri(&self) -> Uri;
    /// The tag's attributes in document order, without namespace declarations.
    fn attributes(&self) -> impl Iterator<Item = TagAttribute<'_>>;
    /// Whether it has any: most tags have none.
    fn has_attributes(&self) -> bool {
        self.attributes().next().is_some()
    }
    /// The tag's own namespace declarations: prefix (empty for the default) and name.
    fn declarations(&self) -> impl Iterator<Item = (&str, Uri)>;
    /// The last text or CDATA, references resolved and line ends normalised.
    fn text(&self) -> &str;
    /// The same in bytes, for whoever need not see characters.
    fn text_bytes(&self) -> &[u8] {
        self.text().as_bytes()
    }
    /// The namespace names met so far.
    fn uris(&self) -> &Uris;
    /// How many elements are open.
    fn depth(&self) -> usize;
    /// What a prefix (empty for the default) is bound to by the elements that are open, if it is.
    fn binding(&self, prefix: &str) -> Option<Uri>;
    /// Where the last start tag stands, if the reader knows the place again.
    fn path(&self) -> Option<Path> {
        None
    }
    /// Where the last token stands, in bytes; nowhere if the reader cannot tell.
    fn range(&self) -> Range<usize> {
        0..0
    }
    /// The bytes that stand there, as they came; `None` where the reader has them no more: it need not, once it has taken
    /// more.
    fn bytes(&self, _: Range<usize>) -> Option<&[u8]> {
        None
    }
}
