//! The elements that are open, and the namespaces that are bound in them.

use std::ops::Range;

use crate::refusal::Refusal;
use crate::soap::strict::{Uri, too_complex};

/// A prefix of the document, by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Prefix(u16);

impl Prefix {
    /// No prefix: the default namespace, for an element.
    pub(super) const NONE: Prefix = Prefix(0);
}

#[derive(Debug)]
struct Known {
    /// What it begins with: see [`beginning`].
    beginning: u64,
    /// Where it stands in [`Scope::names`].
    name: Range<usize>,
    /// What it is bound to where the document is now.
    uri: Option<Uri>,
}

/// An element that is open.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// The number of its start tag among those that are remembered; 0 for one that is not.
    tag: usize,
    /// The path of the element around it.
    around: u16,
    /// How long `words` and `outside` were before it.
    words: usize,
    outside: usize,
}

/// The first eight bytes of a prefix, which is all of most: numbers are compared without a call.
fn beginning(prefix: &str) -> u64 {
    let mut bytes = [0; size_of::<u64>()];
    bytes.iter_mut().zip(prefix.bytes()).for_each(|(to, from)| *to = from);
    u64::from_le_bytes(bytes)
}

/// What is open and bound: stacks, so that nothing is allocated for an element once it has been as deep before.
#[derive(Debug)]
pub(super) struct Scope {
    open: Vec<Open>,
    /// The names of open elements whose start tags are not remembered, one after another.
    words: Vec<u8>,
    prefixes: Vec<Known>,
    /// The prefixes, one after another.
    names: Vec<u8>,
    /// What each declaration in scope has hidden: a prefix, and what it was bound to before.
    outside: Vec<(Prefix, Option<Uri>)>,
}

impl Default for Scope {
    fn default() -> Self {
        let mut prefixes = Vec::with_capacity(16);
        prefixes.push(Known { beginning: beginning(""), name: 0..0, uri: None });
        prefixes.push(Known { beginning: beginning("xml"), name: 0..3, uri: Some(Uri::XML) });
        let mut names = Vec::with_capacity(64);
        names.extend_from_slice(b"xml");
        Self { open: Vec::with_capacity(16), words: Vec::new(), prefixes, names, outside: Vec::with_capacity(16) }
    }
}

impl Scope {
    /// How many elements are open.
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// How many declarations are in scope.
    pub(super) fn declarations(&self) -> usize {
        self.outside.len()
    }

    /// The number of a prefix; of how many a document may use, there is a limit.
    pub(super) fn prefix(&mut self, prefix: &str, limit: usize) -> Result<Prefix, Refusal> {
        let known = self.known(prefix);
        let number = known.unwrap_or(self.prefixes.len());
        if known.is_none() {
            let start = self.names.len();
            self.names.extend_from_slice(prefix.as_bytes());
            self.prefixes.push(Known { beginning: beginning(prefix), name: start..self.names.len(), uri: None });
        }
        match u16::try_from(number) {
            Ok(number) if usize::from(number) <= limit => Ok(Prefix(number)),
            _ => Err(too_complex("antallet af navnerumspræfikser", "namespace prefixes", limit)),
        }
    }

    pub(super) fn bound(&self, prefix: Prefix) -> Option<Uri> {
        self.prefixes.get(usize::from(prefix.0))?.uri
    }

    /// What a prefix is bound to, by its name.
    pub(super) fn binding(&self, prefix: &str) -> Option<Uri> {
        self.prefixes.get(self.known(prefix)?)?.uri
    }

    /// The number of a prefix that the document has used.
    fn known(&self, prefix: &str) -> Option<usize> {
        let (begins, short) = (beginning(prefix), prefix.len() <= size_of::<u64>());
        self.prefixes.iter().position(|known| {
            known.beginning == begins
                && known.name.len() == prefix.len()
                && (short || self.names.get(known.name.clone()) == Some(prefix.as_bytes()))
        })
    }

    /// Opens an element: by the number of its start tag, or by its name where that is not remembered.
    /// `around` is the path of the element around.
    #[inline]
    pub(super) fn open(&mut self, tag: usize, name: &[u8], around: u16) {
        self.open.push(Open { tag, around, words: self.words.len(), outside: self.outside.len() });
        if tag == 0 {
            self.words.extend_from_slice(name);
        }
    }

    /// Binds a prefix in the element that was opened last.
    #[inline]
    pub(super) fn bind(&mut self, prefix: Prefix, uri: Uri) {
        if let Some(known) = self.prefixes.get_mut(usize::from(prefix.0)) {
            self.outside.push((prefix, known.uri.replace(uri)));
        }
    }

    /// The innermost open element: the number of its start tag, and its name where that is 0.
    pub(super) fn innermost(&self) -> Option<(usize, &[u8])> {
        let open = self.open.last()?;
        Some((open.tag, self.words.get(open.words..).unwrap_or(&[])))
    }

    /// The number of the innermost open element's start tag, where it is remembered.
    #[inline]
    pub(super) fn innermost_tag(&self) -> Option<usize> {
        Some(self.open.last()?.tag).filter(|tag| *tag > 0)
    }

    /// Closes the innermost open element, and tells the path of the one around it.
    #[inline]
    pub(super) fn close(&mut self) -> Option<u16> {
        let open = self.open.pop()?;
        self.words.truncate(open.words);
        while self.outside.len() > open.outside
            && let Some((prefix, uri)) = self.outside.pop()
        {
            if let Some(known) = self.prefixes.get_mut(usize::from(prefix.0)) {
                known.uri = uri;
            }
        }
        Some(open.around)
    }
}
