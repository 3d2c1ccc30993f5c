//! What of an answer is read at all.
//!
//! [`Place`] is the whole of it: an element that it does not know in that very position is passed over with everything
//! below it, however large, and only counted. So nothing reaches the judge, let alone the answer, because it was not
//! recognised, and an object hidden in a `LokalUdvidelseListe` or behind an `xsi:type` is never met.

use crate::services::terminaladgang::law::schema;

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
            Self::Yi => schema::YI,
            Self::Oei => schema::OEI,
            Self::Bi => schema::BI,
            Self::Gd => schema::GD,
            Self::Sd => schema::SD,
        }
    }

    pub(super) fn of(uri: &str) -> Option<Self> {
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
    pub(super) fn child(self, namespace: Ns, local: &str) -> Option<Place> {
        use Place as P;
        Some(match (self, namespace, local) {
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
    pub(super) fn is_value(self) -> bool {
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
    pub(super) fn is_identifier(self) -> bool {
        matches!(self, Place::Role | Place::Type | Place::Reference | Place::LineGrant)
    }
}
