//! What was written of a start tag, by the [`Path`] on which it stands: the open elements decide it, and they are the same
//! each time the path is.

use std::ops::Range;

use crate::soap::reading::Path;

/// The longest start tag that is remembered, in bytes: of the paths there are at most 512.
const LONGEST: usize = 1024;

/// For how many paths there is room at once: a small answer has about as many.
const USUAL_PATHS: usize = 192;

/// The tags written below one apex. One allocation serves them all: an answer has a hundred, and may be as short as they.
#[derive(Default)]
pub(super) struct Written {
    bytes: Vec<u8>,
    /// Of all tags, one after another: prefix and name of a declaration, in `bytes`.
    declarations: Vec<(Range<usize>, Range<usize>)>,
    /// By the number of the path.
    tags: Vec<Option<Kept>>,
}

#[derive(Clone)]
struct Kept {
    /// In `bytes`. The name has a `>` behind it.
    start: Range<usize>,
    name: Range<usize>,
    as_it_stands: bool,
    /// In `declarations`.
    declares: Range<usize>,
}

/// One tag, in canonical form.
#[derive(Clone, Copy, Default)]
pub(super) struct Tag<'w> {
    pub(super) start: &'w [u8],
    /// The end tag: what stands before the name, and the name with its `>`.
    pub(super) end: [&'w [u8]; 2],
    /// Whether the start tag is written in the source as it is here.
    pub(super) as_it_stands: bool,
    /// Whether it declares anything.
    pub(super) declares: bool,
}

impl Written {
    /// Forgets all: below another apex other declarations are to be written.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.declarations.clear();
        self.tags.clear();
    }

    /// The tag on this path, if it was written before.
    #[inline]
    pub(super) fn get(&self, path: Path) -> Option<Tag<'_>> {
        let kept = self.kept(path)?;
        let part = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or(&[]);
        let (as_it_stands, declares) = (kept.as_it_stands, !kept.declares.is_empty());
        Some(Tag { start: part(&kept.start), end: [b"</", part(&kept.name)], as_it_stands, declares })
    }

    /// The namespace name that the tag on this path declares for a prefix.
    pub(super) fn declares(&self, path: Path, prefix: &str) -> Option<&[u8]> {
        let declarations = self.declarations.get(self.kept(path)?.declares.clone())?;
        let part = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or(&[]);
        declarations.iter().find(|(known, _)| part(known) == prefix.as_bytes()).map(|(_, name)| part(name))
    }

    /// Remembers a tag, unless it is very long.
    pub(super) fn remember<'t>(
        &mut self,
        path: Path,
        start: &[u8],
        name: &str,
        as_it_stands: bool,
        declarations: impl Iterator<Item = (&'t str, &'t str)>,
    ) {
        if start.len() > LONGEST {
            return;
        }
        self.make_room();
        let first = self.declarations.len();
        for (prefix, uri) in declarations {
            let declared = (self.add(&[prefix.as_bytes()]), self.add(&[uri.as_bytes()]));
            self.declarations.push(declared);
        }
        let declares = first..self.declarations.len();
        let (start, name) = (self.add(&[start]), self.add(&[name.as_bytes(), b">"]));
        self.keep(path, Kept { start, name, as_it_stands, declares });
    }

    /// Remembers a tag that is written in the source as it is in canonical form, and what it declares: all that is ever written
    /// of it anew is its end. `false`: it is too long to be remembered.
    pub(super) fn remember_plain(&mut self, path: Path, name: &[u8], declared: Option<(&str, &str)>) -> bool {
        if name.len() > LONGEST {
            return false;
        }
        self.make_room();
        let first = self.declarations.len();
        if let Some((prefix, uri)) = declared {
            let declared = (self.add(&[prefix.as_bytes()]), self.add(&[uri.as_bytes()]));
            self.declarations.push(declared);
        }
        let declares = first..self.declarations.len();
        let name = self.add(&[name, b">"]);
        self.keep(path, Kept { start: 0..0, name, as_it_stands: true, declares });
        true
    }

    fn make_room(&mut self) {
        if self.tags.is_empty() {
            self.tags.reserve(USUAL_PATHS);
            self.declarations.reserve(USUAL_PATHS / 4);
            self.bytes.reserve(USUAL_PATHS * 32);
        }
    }

    fn keep(&mut self, path: Path, kept: Kept) {
        if self.tags.len() <= path.index() {
            self.tags.resize(path.index() + 1, None);
        }
        if let Some(place) = self.tags.get_mut(path.index()) {
            *place = Some(kept);
        }
    }

    fn kept(&self, path: Path) -> Option<&Kept> {
        self.tags.get(path.index())?.as_ref()
    }

    fn add(&mut self, parts: &[&[u8]]) -> Range<usize> {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        start..self.bytes.len()
    }
}
