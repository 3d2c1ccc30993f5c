//! The elements that are open, and the namespaces that are bound in them.

use crate::soap::strict::Uri;

#[derive(Debug)]
struct Open {
    /// Where the element's name stands in `words`.
    from: usize,
    to: usize,
    /// How many bindings were in scope outside.
    bindings: usize,
}

#[derive(Debug)]
struct Binding {
    from: usize,
    to: usize,
    uri: Uri,
}

/// A stack: nothing is allocated for an element once it has been as deep before.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// For each open element its name, then the prefixes that it declares.
    words: Vec<u8>,
    open: Vec<Open>,
    bindings: Vec<Binding>,
}

impl Scope {
    /// How many elements are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// How many bindings are in scope.
    pub(super) fn bindings(&self) -> usize {
        self.bindings.len()
    }

    /// Opens an element.
    pub(super) fn open(&mut self, name: &[u8]) {
        let from = self.words.len();
        self.words.extend_from_slice(name);
        self.open.push(Open { from, to: self.words.len(), bindings: self.bindings.len() });
    }

    /// Binds a prefix (empty for the default) in the element that was opened last.
    pub(super) fn bind(&mut self, prefix: &[u8], uri: Uri) {
        let from = self.words.len();
        self.words.extend_from_slice(prefix);
        self.bindings.push(Binding { from, to: self.words.len(), uri });
    }

    /// What a prefix is bound to.
    pub(super) fn binding(&self, prefix: &[u8]) -> Option<Uri> {
        let is = |binding: &&Binding| self.words.get(binding.from..binding.to) == Some(prefix);
        self.bindings.iter().rev().find(is).map(|binding| binding.uri)
    }

    /// The name of the innermost open element, prefix included.
    pub(super) fn innermost(&self) -> Option<&[u8]> {
        let open = self.open.last()?;
        self.words.get(open.from..open.to)
    }

    /// Closes the innermost open element.
    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.bindings.truncate(open.bindings);
            self.words.truncate(open.from);
        }
    }
}
