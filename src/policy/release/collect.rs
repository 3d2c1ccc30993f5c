//! Reads one object of the answer, from tokens to a small tree that holds only what the rules look at.
//!
//! [`Place`] is the whole of what is read: an element that it does not know in that very position is passed over with
//! everything below it, however large, and only counted. So nothing reaches the judge, let alone the answer, because it
//! was not recognised, and an object hidden in a `LokalUdvidelseListe` or behind an `xsi:type` is never met.

use crate::refusal::Refusal;
use crate::soap::strict::Strict;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The namespaces that the filter reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ns {
    Yi,
    Oei,
    Bi,
    Gd,
    Sd,
}

impl Ns {
    pub(super) fn uri(self) -> &'static str {
        match self {
            Self::Yi => "urn:oio:sts:ydelse:ydelseindeks:6",
            Self::Oei => "urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6",
            Self::Bi => "urn:oio:sts:ydelse:bevillingindeks:6",
            Self::Gd => "urn:oio:sts:generelledefinitioner:6",
            Self::Sd => "urn:oio:sagdok:3.0.0",
        }
    }

    fn of(uri: &str) -> Option<Self> {
        [Self::Yi, Self::Oei, Self::Bi, Self::Gd, Self::Sd].into_iter().find(|ns| ns.uri() == uri)
    }
}

/// A position in the answer that the filter reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Output,
    // the head of the answer
    Return,
    StatusCode,
    Count,
    CountElement,
    CountNumber,
    Paging,
    PagingFirst,
    PagingMost,
    // a grant
    Grant,
    GrantRegistration,
    GrantAttributes,
    GrantProperties,
    Sensitivity,
    GrantRelations,
    GrantParty,
    // an effectuation
    Object,
    Registration,
    Attributes,
    Properties,
    Relations,
    Line,
    LineGrant,
    Actor,
    Party,
    // values of an effectuation
    PeriodStart,
    PeriodEnd,
    GrossAmount,
    DispositionDate,
    NetAmount,
    SentAmount,
    PaidAmount,
    LineStart,
    LineEnd,
    LineAmount,
    LineKle,
    Cvr,
    // what several of them have
    ObjectType,
    LifeCycle,
    Role,
    Type,
    Index,
    Reference,
    Uuid,
    Urn,
}

impl Place {
    /// What a child element of this place is, if the filter reads it.
    pub(super) fn child(self, namespace: &str, local: &str) -> Option<Place> {
        use Place as P;
        Some(match (self, Ns::of(namespace)?, local) {
            (P::Output, Ns::Sd, "StandardRetur") => P::Return,
            (P::Return, Ns::Sd, "StatusKode") => P::StatusCode,
            (P::Output, Ns::Yi, "Antal") => P::Count,
            (P::Count, Ns::Yi, "Element") => P::CountElement,
            (P::Count, Ns::Yi, "Antal") => P::CountNumber,
            (P::Count, Ns::Yi, "Paginering") => P::Paging,
            (P::Paging, Ns::Sd, "FoersteResultatReference") => P::PagingFirst,
            (P::Paging, Ns::Sd, "MaksimalAntalKvantitet") => P::PagingMost,

            (P::Output, Ns::Yi, "BevillingFiltreretOejebliksbillede") => P::Grant,
            (P::Grant, Ns::Bi, "ObjektType") => P::ObjectType,
            (P::Grant, Ns::Bi, "Registrering") => P::GrantRegistration,
            (P::GrantRegistration, Ns::Bi, "AttributListe") => P::GrantAttributes,
            (P::GrantAttributes, Ns::Bi, "Egenskaber") => P::GrantProperties,
            (P::GrantProperties, Ns::Bi, "Foelsomhed") => P::Sensitivity,
            (P::GrantRegistration, Ns::Bi, "RelationListe") => P::GrantRelations,
            (P::GrantRelations, Ns::Bi, "Bevillingspart") => P::GrantParty,
            (P::GrantParty, Ns::Gd, "Rolle") => P::Role,
            (P::GrantParty, Ns::Gd, "ReferenceID") => P::Reference,

            (P::Output, Ns::Yi, "OekonomiskEffektueringFiltreretOejebliksbillede") => P::Object,
            (P::Object, Ns::Oei, "ObjektType") => P::ObjectType,
            (P::Object, Ns::Oei, "Registrering") => P::Registration,
            (P::Registration | P::GrantRegistration, Ns::Sd, "LivscyklusKode") => P::LifeCycle,
            (P::Registration, Ns::Oei, "AttributListe") => P::Attributes,
            (P::Attributes, Ns::Oei, "Egenskaber") => P::Properties,
            (P::Properties, Ns::Oei, "Startdato") => P::PeriodStart,
            (P::Properties, Ns::Oei, "Slutdato") => P::PeriodEnd,
            (P::Properties, Ns::Oei, "SamletBruttobeloeb") => P::GrossAmount,
            (P::Properties, Ns::Oei, "Dispositionsdato") => P::DispositionDate,
            (P::Properties, Ns::Oei, "BeloebEfterSkatATP") => P::NetAmount,
            (P::Properties, Ns::Oei, "BeloebSendtTilUdbetaling") => P::SentAmount,
            (P::Properties, Ns::Oei, "BeloebUdbetalt") => P::PaidAmount,
            (P::Registration, Ns::Oei, "RelationListe") => P::Relations,
            (P::Relations, Ns::Oei, "OekonomiskYdelseEffektueringRelation") => P::Line,
            (P::Relations, Ns::Oei, "Aktoer") => P::Actor,
            (P::Relations, Ns::Oei, "OekonomiskEffektueringPart") => P::Party,
            (P::Line | P::Actor | P::Party, Ns::Gd, "Rolle") => P::Role,
            (P::Line | P::Actor | P::Party, Ns::Gd, "Type") => P::Type,
            (P::Line, Ns::Gd, "Indeks") => P::Index,
            (P::Line | P::Party, Ns::Gd, "ReferenceID") => P::Reference,
            (P::Line, Ns::Oei, "YdelsesperiodeStartdato") => P::LineStart,
            (P::Line, Ns::Oei, "YdelsesperiodeSlutdato") => P::LineEnd,
            (P::Line, Ns::Oei, "Ydelsesbeloeb") => P::LineAmount,
            (P::Line, Ns::Oei, "Klassifikationsbeskrivelse") => P::LineKle,
            (P::Line, Ns::Oei, "BevilgetYdelseRef") => P::LineGrant,
            (P::Actor, Ns::Oei, "CVR-nr") => P::Cvr,

            (P::ObjectType | P::LineGrant | P::Role | P::Type | P::Reference, Ns::Sd, "UUIDIdentifikator") => P::Uuid,
            (P::Role | P::Type | P::Reference, Ns::Sd, "URNIdentifikator") => P::Urn,
            _ => return None,
        })
    }

    /// Whether it holds text; all other places hold elements, and text in them is dropped.
    fn is_value(self) -> bool {
        use Place as P;
        matches!(
            self,
            P::StatusCode
                | P::CountElement
                | P::CountNumber
                | P::PagingFirst
                | P::PagingMost
                | P::Sensitivity
                | P::PeriodStart
                | P::PeriodEnd
                | P::GrossAmount
                | P::DispositionDate
                | P::NetAmount
                | P::SentAmount
                | P::PaidAmount
                | P::LineStart
                | P::LineEnd
                | P::LineAmount
                | P::LineKle
                | P::Cvr
                | P::LifeCycle
                | P::Index
                | P::Uuid
                | P::Urn
        )
    }

    /// Whether it wraps one identifier (`UUIDIdentifikator` or `URNIdentifikator`), and so is read as a value.
    fn is_identifier(self) -> bool {
        matches!(self, Place::Role | Place::Type | Place::Reference | Place::LineGrant)
    }
}

/// One element that was read.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    /// It carries `xsi:type` or `xsi:nil`, or is a value with an element inside: what it means is not sure.
    odd: bool,
    text: String,
    children: Vec<Node>,
    /// How many values below it were passed over.
    passed_over: u64,
}

/// What one value amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'n> {
    Absent,
    /// Given twice, or odd: two readers could read two values.
    Unreadable,
    Text(&'n str),
}

/// What one identifier amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identifier<'n> {
    Absent,
    Unreadable,
    Uuid(&'n str),
    Urn(&'n str),
}

impl Node {
    /// The children at one place.
    pub(super) fn all(&self, place: Place) -> impl Iterator<Item = &Node> {
        self.children.iter().filter(move |node| node.place == place)
    }

    /// The one child at a place; `Err(())` where there are two, among which nobody may choose.
    pub(super) fn only(&self, place: Place) -> Result<Option<&Node>, ()> {
        let mut found = self.all(place);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(()),
            (one, None) => Ok(one),
        }
    }

    /// The value at a place.
    pub(super) fn value(&self, place: Place) -> Value<'_> {
        match self.only(place) {
            Ok(None) => Value::Absent,
            Ok(Some(node)) if !node.odd => Value::Text(&node.text),
            _ => Value::Unreadable,
        }
    }

    /// The identifier at a place: exactly one, a well-formed UUID or a URN.
    pub(super) fn identifier(&self, place: Place) -> Identifier<'_> {
        match self.only(place) {
            Ok(None) => Identifier::Absent,
            Ok(Some(node)) => node.identifier_here(),
            Err(()) => Identifier::Unreadable,
        }
    }

    /// The identifier that this very element wraps.
    pub(super) fn identifier_here(&self) -> Identifier<'_> {
        match (self.value(Place::Uuid), self.value(Place::Urn)) {
            _ if self.odd => Identifier::Unreadable,
            (Value::Text(uuid), Value::Absent) if is_uuid(uuid) => Identifier::Uuid(uuid),
            (Value::Absent, Value::Text(urn)) => Identifier::Urn(urn),
            _ => Identifier::Unreadable,
        }
    }

    /// Whether a part that is no value, here or below, carries `xsi:type` or `xsi:nil`: its type decides what all in it
    /// means, so nothing in it is trusted.
    pub(super) fn is_distorted(&self) -> bool {
        let part = !self.place.is_value() && !self.place.is_identifier();
        part && (self.odd || self.children.iter().any(Node::is_distorted))
    }

    /// How many values (elements without child elements) it holds, those passed over included.
    pub(super) fn fields(&self) -> u64 {
        let below = self.children.iter().map(Node::fields).sum::<u64>() + self.passed_over;
        below.max(u64::from(self.children.is_empty() && self.passed_over == 0))
    }
}

/// Whether the current tag carries `xsi:type` or `xsi:nil`, with whatever value.
pub(super) fn is_odd(strict: &Strict) -> bool {
    strict
        .tag()
        .attributes()
        .any(|attribute| matches!(attribute.local, "type" | "nil") && strict.uris().get(attribute.uri) == XSI)
}

/// A UUID as the schema writes it.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The bytes that one element costs beside its text, roughly: what the object limit counts it as.
const NODE_COST: usize = std::mem::size_of::<Node>() + 32;

/// Gathers the object that is being read.
#[derive(Debug, Default)]
pub(super) struct Collector {
    open: Vec<Node>,
    /// Open elements that are passed over.
    skipping: usize,
    /// Whether the last tag was a start tag: an end tag after it closes a value.
    leaf: bool,
    held: usize,
}

impl Collector {
    /// An element begins. `limit` is in bytes held.
    pub(super) fn start(&mut self, strict: &Strict, limit: usize) -> Result<(), Refusal> {
        let tag = strict.tag();
        let namespace = strict.uris().get(tag.uri());
        self.leaf = true;
        let place = match self.open.last_mut() {
            _ if self.skipping > 0 => None,
            None => Place::Output.child(namespace, tag.local()),
            Some(parent) => {
                // An element inside a value: one reader sees the text before it, another the text after it.
                parent.odd |= parent.place.is_value();
                parent.place.child(namespace, tag.local())
            }
        };
        let Some(place) = place else {
            self.skipping += 1;
            return Ok(());
        };
        let odd = is_odd(strict);
        self.hold(NODE_COST, limit)?;
        self.open.push(Node { place, odd, text: String::new(), children: Vec::new(), passed_over: 0 });
        Ok(())
    }

    /// Text: kept only in a value.
    pub(super) fn text(&mut self, text: &str, limit: usize) -> Result<(), Refusal> {
        if self.skipping == 0 && self.open.last().is_some_and(|node| node.place.is_value()) {
            self.hold(text.len(), limit)?;
            if let Some(node) = self.open.last_mut() {
                node.text.push_str(text);
            }
        }
        Ok(())
    }

    /// An element ends; the object, if it was the object's own end.
    pub(super) fn end(&mut self) -> Option<Node> {
        let leaf = std::mem::take(&mut self.leaf);
        if self.skipping > 0 {
            self.skipping -= 1;
            if let Some(node) = self.open.last_mut() {
                node.passed_over += u64::from(leaf);
            }
            return None;
        }
        let node = self.open.pop()?;
        match self.open.last_mut() {
            Some(parent) => {
                parent.children.push(node);
                None
            }
            None => {
                self.held = 0;
                Some(node)
            }
        }
    }

    fn hold(&mut self, bytes: usize, limit: usize) -> Result<(), Refusal> {
        self.held = self.held.saturating_add(bytes);
        // No effectuation or grant is that large; a narrower search would meet it again, so it is the answer's fault.
        if self.held > limit { Err(Refusal::IndexAnswerInvalid) } else { Ok(()) }
    }
}
