//! One id space over the whole document.
//!
//! A verifier that looks for `wsu:Id` and a reader that looks for `ID` can be sent to two elements by one name
//! (attribute pollution, "The Fragile Lock" 2025; CVE-2025-66567). So every attribute whose local name is `id`, in any
//! namespace and any case, names its element; no name may be used twice, and no element may have two.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::names::WSU;
use crate::refusal::{Detail, Refusal};
use crate::soap::document::{Document, Element};

/// Whether an attribute of this local name names its element.
pub fn is_id(local: &str) -> bool {
    local.eq_ignore_ascii_case("id")
}

/// The elements by id.
pub struct Ids<'d>(BTreeMap<&'d str, Element<'d>>);

impl<'d> Ids<'d> {
    /// Reads all ids of a document.
    ///
    /// # Errors
    /// `DuplicateId`, and `SecurityStructure` for an element with two.
    pub fn of(document: &'d Document) -> Result<Self, Refusal> {
        let mut ids = BTreeMap::new();
        for element in document.elements() {
            let mut own = element.attributes().filter(|attribute| is_id(attribute.local));
            let Some(id) = own.next() else { continue };
            if own.next().is_some() {
                return Err(Refusal::SecurityStructure {
                    what: Detail::new("et element har to id'er", "an element has two ids"),
                });
            }
            match ids.entry(id.value) {
                Entry::Occupied(_) => return Err(Refusal::DuplicateId),
                Entry::Vacant(place) => place.insert(element),
            };
        }
        Ok(Self(ids))
    }

    /// The element that a `#id` names: by `wsu:Id`, or by an attribute without a namespace (SAML's `ID`). An id in another
    /// namespace counts where names must be unique, but leads nowhere: other verifiers would not find it.
    pub fn get(&self, id: &str) -> Option<Element<'d>> {
        let known = |element: &Element<'d>| {
            element.attributes().any(|attribute| is_id(attribute.local) && matches!(attribute.namespace, "" | WSU))
        };
        self.0.get(id).copied().filter(known)
    }

    /// All ids.
    pub fn names(&self) -> impl Iterator<Item = &'d str> {
        self.0.keys().copied()
    }
}
