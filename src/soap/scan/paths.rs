//! Where in the document an element stands: the start tags from the root down to it, letter for letter.
//!
//! An answer of ten thousand objects has a few hundred different paths. Whatever is decided of an element by its own
//! start tag and those around it (its namespaces, its canonical start tag, whether the filter reads it) is the same each
//! time the path is the same, so that whoever decides may remember it by the path's number.
//!
//! An attacker who exhausts the paths, or makes them collide, gets elements without one, which cost what every element
//! would cost without this.

use crate::soap::reading::Path;
use crate::soap::strict::Uri;

/// How many paths are remembered.
const REMEMBERED: usize = 512;
/// Places in the index, as the power of two: at first, when that fills up, and how many paths that is.
const PLACE_BITS: u32 = 9;
const MORE_PLACE_BITS: u32 = 11;
const FULL: usize = 192;
/// How many places, from its own on, a path may stand in.
const NEIGHBOURS: usize = 4;

/// Where no path is known; and the path of the document itself, around its root.
const UNKNOWN: u16 = 0;
const DOCUMENT: u16 = 1;

/// One path: that of the element around, and the number of the start tag.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    around: u16,
    tag: u16,
    /// The path of the start tag that came after this one the last time.
    next: u16,
    /// The element's namespace, where it is all that the path decides of the tag.
    uri: Option<Uri>,
}

/// The start tag that is likely to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    path: u16,
    /// Its number.
    pub(super) tag: usize,
    /// See [`Step::uri`].
    pub(super) uri: Option<Uri>,
}

impl Expected {
    pub(super) fn path(self) -> Option<Path> {
        Path::new(self.path)
    }
}

/// The paths met in one document.
#[derive(Debug)]
pub(super) struct Paths {
    steps: Vec<Step>,
    index: Vec<u16>,
    bits: u32,
    /// The path of the last start tag.
    last: u16,
    /// The path of the innermost open element.
    innermost: u16,
}

impl Default for Paths {
    fn default() -> Self {
        // Room for those of a request or a small answer, which have about a hundred.
        let mut steps = Vec::with_capacity(128);
        steps.resize(2, Step::default());
        Self { steps, index: vec![UNKNOWN; room(PLACE_BITS)], bits: PLACE_BITS, last: UNKNOWN, innermost: DOCUMENT }
    }
}

impl Paths {
    /// The path of the last start tag.
    pub(super) fn last(&self) -> Option<Path> {
        Path::new(self.last)
    }

    /// The start tag that is likely to come: the one that came the last time, if what is around is the same.
    #[inline]
    pub(super) fn expected(&self) -> Option<Expected> {
        let path = self.steps.get(usize::from(self.last))?.next;
        let next = self.steps.get(usize::from(path)).filter(|next| next.tag > 0 && next.around == self.innermost)?;
        Some(Expected { path, tag: usize::from(next.tag), uri: next.uri })
    }

    /// A start tag comes, which was [`Self::expected`].
    #[inline]
    pub(super) fn follow(&mut self, expected: Expected) {
        self.last = expected.path;
    }

    /// The namespace of the last start tag's element, if it is all that the path decides of the tag.
    pub(super) fn resolved(&mut self, uri: Option<Uri>) {
        if let Some(step) = self.steps.get_mut(usize::from(self.last)).filter(|step| step.tag > 0) {
            step.uri = uri;
        }
    }

    /// A start tag comes, by its number; 0 has none.
    pub(super) fn find(&mut self, tag: usize) {
        let path = match u16::try_from(tag) {
            Ok(tag) if tag > 0 && self.innermost != UNKNOWN => self.of(tag),
            _ => UNKNOWN,
        };
        if let Some(before) = self.steps.get_mut(usize::from(self.last)) {
            before.next = path;
        }
        self.last = path;
    }

    fn of(&mut self, tag: u16) -> u16 {
        if self.steps.len() == FULL && self.bits == PLACE_BITS {
            self.make_places();
        }
        let around = self.innermost;
        let place = place(around, tag, self.bits);
        for known in self.index.get_mut(place..place + NEIGHBOURS).unwrap_or(&mut []) {
            if *known == UNKNOWN {
                let Ok(number) = u16::try_from(self.steps.len()) else { return UNKNOWN };
                if self.steps.len() >= REMEMBERED {
                    return UNKNOWN;
                }
                self.steps.push(Step { around, tag, next: UNKNOWN, uri: None });
                *known = number;
                return number;
            }
            let step = self.steps.get(usize::from(*known)).copied().unwrap_or_default();
            if step.around == around && step.tag == tag {
                return *known;
            }
        }
        UNKNOWN
    }

    /// More places in the index, for the paths of a large answer.
    fn make_places(&mut self) {
        self.bits = MORE_PLACE_BITS;
        self.index = vec![UNKNOWN; room(self.bits)];
        for (number, step) in (0..).zip(&self.steps).filter(|(_, step)| step.tag > 0) {
            let place = place(step.around, step.tag, self.bits);
            let mut near = self.index.get_mut(place..place + NEIGHBOURS).unwrap_or(&mut []).iter_mut();
            if let Some(free) = near.find(|known| **known == UNKNOWN) {
                *free = number;
            }
        }
    }

    /// The element of the last start tag is open; what is the path around it, to be given back when it ends.
    pub(super) fn open(&mut self) -> u16 {
        std::mem::replace(&mut self.innermost, self.last)
    }

    /// The innermost element ends.
    pub(super) fn close(&mut self, around: u16) {
        self.innermost = around;
    }
}

fn place(around: u16, tag: u16, bits: u32) -> usize {
    let key = u32::from(around) << 16 | u32::from(tag);
    usize::try_from(key.wrapping_mul(0x9E37_79B1) >> (u32::BITS - bits)).unwrap_or(0)
}

fn room(bits: u32) -> usize {
    (1 << bits) + NEIGHBOURS
}
