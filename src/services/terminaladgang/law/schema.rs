//! Walking a request by the operation's schema: each element in its order and number, nothing beside it.
//!
//! The message was checked for form, not for meaning: a second element in a place that the schema gives to one, an
//! attribute such as `xsi:type`, a value split by a comment, all make two readers see two searches. So what a walk did
//! not ask for is refused by name, and the search is rebuilt from what was read.

use std::borrow::Cow;

use super::refusal::LawRefusal;
use crate::refusal::{Detail, Refusal};
use crate::soap::document::{Child, Element, Elements};
use crate::soap::strict::is_space;

/// The namespace of the index's operations (`yi`).
pub const YI: &str = "urn:oio:sts:ydelse:ydelseindeks:6";
/// The namespace of economic effectuations (`oei`).
pub const OEI: &str = "urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6";
/// The namespace of grants (`bi`).
pub const BI: &str = "urn:oio:sts:ydelse:bevillingindeks:6";
/// The namespace of the operations' common types (`go`).
pub const GO: &str = "urn:oio:sts:generelleoperationer:6";
/// The namespace of the common definitions (`gd`).
pub const GD: &str = "urn:oio:sts:generelledefinitioner:6";
/// The namespace of the case and document standard (`sd`).
pub const SD: &str = "urn:oio:sagdok:3.0.0";

/// Times of registration and of effect, wherever they stand.
const TEMPORAL: [&str; 5] = ["SoegRegistrering", "SoegVirkning", "SoegStsFraTidspunkt", "SoegStsTilTidspunkt", "Virkning"];
/// The two ways to name a disposition date.
const DATES: [&str; 2] = ["Dispositionsdato", "DispositionsDatoInterval"];

/// An element and where it stands, for the caller's eyes: `SoegUdtryk/NOT[1]/SoegOekonomiskEffektueringIndeks[1]`.
pub(super) struct Place<'d> {
    pub(super) element: Element<'d>,
    pub(super) path: String,
}

impl<'d> Place<'d> {
    pub(super) fn root(element: Element<'d>) -> Self {
        Self { element, path: String::new() }
    }

    /// The child elements, to be walked. `withheld` are those that the schema has here and a search may not use.
    pub(super) fn children(&self, withheld: &'static [&'static str]) -> Result<Children<'d>, Refusal> {
        self.no_attributes()?;
        if self.element.has_stray_text() {
            return Err(invalid(
                format!("tekst mellem elementerne i {}", self.name()),
                format!("text between the elements of {}", self.name()),
            ));
        }
        let elements = self.element.elements().peekable();
        Ok(Children { path: self.path.clone(), parent: self.element, elements, withheld, asked: Asked::default() })
    }

    /// The whole text.
    pub(super) fn value(&self) -> Result<Cow<'d, str>, Refusal> {
        self.no_attributes()?;
        self.element.text().ok_or_else(|| {
            if self.element.children().any(|child| matches!(child, Child::Comment)) {
                Refusal::CommentRefused { place: Detail::name(&self.path) }
            } else {
                invalid(format!("{} rummer ikke ren tekst", self.name()), format!("{} does not hold plain text", self.name()))
            }
        })
    }

    /// The whole text of a type that the schema collapses (dateTime, boolean, the integers), without the white space around
    /// it. White space inside is left for the type to refuse: none of them has any. What is forwarded is this text, so the
    /// index reads what was judged.
    pub(super) fn collapsed(&self) -> Result<Cow<'d, str>, Refusal> {
        Ok(match self.value()? {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(is_space)),
            Cow::Owned(text) => Cow::Owned(text.trim_matches(is_space).to_owned()),
        })
    }

    fn no_attributes(&self) -> Result<(), Refusal> {
        match self.element.attributes().next() {
            Some(attribute) => {
                let (attribute, on) = (shown(attribute.local), self.name());
                Err(invalid(format!("attributten {attribute} på {on}"), format!("attribute {attribute} on {on}")))
            }
            None => Ok(()),
        }
    }

    /// Its place, or its name at the top.
    pub(super) fn name(&self) -> &str {
        if self.path.is_empty() { self.element.local() } else { &self.path }
    }
}

/// The children of an element that have not been asked for yet.
pub(super) struct Children<'d> {
    path: String,
    parent: Element<'d>,
    elements: std::iter::Peekable<Elements<'d>>,
    withheld: &'static [&'static str],
    asked: Asked,
}

/// The names asked for last at the place where the walk stands, for the fault about what stands there instead. A few are
/// enough, and kept in place: a walk allocates nothing for a fault that it does not end in.
#[derive(Default)]
struct Asked([&'static str; 4]);

impl Asked {
    fn add(&mut self, name: &'static str) {
        self.0.rotate_left(1);
        if let Some(last) = self.0.last_mut() {
            *last = name;
        }
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.into_iter().filter(|name| !name.is_empty())
    }
}

impl<'d> Children<'d> {
    fn below(&self, element: Element<'d>, number: Option<usize>) -> Place<'d> {
        let mut path = String::with_capacity(self.path.len() + element.local().len() + "/[999]".len());
        if !self.path.is_empty() {
            path.extend([&self.path, "/"]);
        }
        path.push_str(element.local());
        if let Some(number) = number {
            path.extend(["[", &number.to_string(), "]"]);
        }
        Place { element, path }
    }

    /// The next child, if it has this name.
    pub(super) fn optional(&mut self, namespace: &str, local: &'static str) -> Option<Place<'d>> {
        match self.elements.next_if(|element| element.is(namespace, local)) {
            Some(element) => {
                self.asked = Asked::default();
                Some(self.below(element, None))
            }
            None => {
                self.asked.add(local);
                None
            }
        }
    }

    /// The next child, which must have this name.
    pub(super) fn required(&mut self, namespace: &str, local: &'static str) -> Result<Place<'d>, Refusal> {
        if let Some(place) = self.optional(namespace, local) {
            return Ok(place);
        }
        // What stands here instead matters only where it has a fault of its own (a decoy, a withheld criterion).
        match self.unexpected() {
            Some(Refusal::RequestInvalid { .. }) | None => {
                let (parent, found) = (self.parent_name().to_owned(), self.elements.peek().map(|next| shown(next.local())));
                let da = found.map(|found| format!("; her står {found}")).unwrap_or_default();
                let en = found.map(|found| format!("; {found} stands here")).unwrap_or_default();
                Err(invalid(format!("{local} mangler i {parent}{da}"), format!("{local} is missing in {parent}{en}")))
            }
            Some(other) => Err(other),
        }
    }

    /// The next children of this name, however many.
    pub(super) fn repeated(&mut self, namespace: &str, local: &'static str) -> Vec<Place<'d>> {
        let mut found = Vec::new();
        while let Some(element) = self.elements.next_if(|element| element.is(namespace, local)) {
            found.push(self.below(element, Some(found.len() + 1)));
        }
        self.asked.add(local);
        found
    }

    /// The next child, whichever of `names` (all of one namespace) it has; `None` at the end. Numbered by name.
    pub(super) fn choice(
        &mut self,
        namespace: &str,
        names: &mut [(&'static str, usize)],
    ) -> Result<Option<(&'static str, Place<'d>)>, Refusal> {
        let Some(element) = self.elements.peek().copied() else { return Ok(None) };
        let Some((name, count)) = names.iter_mut().find(|(name, _)| element.is(namespace, name)) else {
            names.iter().for_each(|(name, _)| self.asked.add(name));
            return Err(self.unexpected().unwrap_or(Refusal::Internal));
        };
        self.elements.next();
        *count += 1;
        Ok(Some((name, self.below(element, Some(*count)))))
    }

    /// Refuses whatever was not asked for.
    pub(super) fn end(mut self) -> Result<(), Refusal> {
        self.unexpected().map_or(Ok(()), Err)
    }

    fn parent_name(&self) -> &str {
        if self.path.is_empty() { self.parent.local() } else { &self.path }
    }

    fn unexpected(&mut self) -> Option<Refusal> {
        let element = self.elements.peek().copied()?;
        let date = element.descendants().any(|inner| DATES.contains(&inner.local()));
        // A date element in its own parent is one too many or out of order, not a decoy.
        let at_home =
            self.parent.namespace() == OEI && ["Egenskaber", "SoegEgenskaberLokalUdvidelse"].contains(&self.parent.local());
        let temporal = element.descendants().find(|inner| TEMPORAL.contains(&inner.local()));
        Some(if date && !at_home {
            LawRefusal::DateMisplaced { place: self.below_shown(element) }.into()
        } else if let Some(temporal) = temporal {
            LawRefusal::TemporalCriterion { criterion: temporal.local().to_owned() }.into()
        } else if self.withheld.contains(&element.local()) {
            // Named to the first field inside: "Egenskaber/Foelsomhed" tells the caller what to remove.
            let field = element.descendants().skip(1).find(|inner| inner.elements().next().is_none());
            let field = field.map(|field| format!("/{}", shown(field.local()))).unwrap_or_default();
            LawRefusal::CriterionWithheld { criterion: Detail::name(&format!("{}{field}", element.local())) }.into()
        } else {
            let (name, parent) = (shown(element.local()), self.parent_name());
            let expected: Vec<_> = self.asked.names().collect();
            let (mut da, mut en) =
                (format!("uventet element {name} i {parent}"), format!("unexpected element {name} in {parent}"));
            if !expected.is_empty() {
                da += &format!("; her forventes {}", expected.join(" eller "));
                en += &format!("; {} is expected here", expected.join(" or "));
            }
            invalid(da, en)
        })
    }

    fn below_shown(&self, element: Element<'d>) -> String {
        format!("{}/{}", self.parent_name(), shown(element.local()))
    }
}

/// What is not as the schema has it, in Danish and in English.
pub(super) fn invalid(da: String, en: String) -> Refusal {
    Refusal::RequestInvalid { what: Detail::new(da, en) }
}

/// A name as it may be shown: texts of refusals reach logs, and an untrusted element name may be a person's number.
pub(crate) fn shown(name: &str) -> &str {
    let digits = name.chars().filter(|c| c.is_numeric()).count();
    if name.len() <= 64 && digits <= 3 { name } else { "(…)" }
}
