//! What the policy file decides, as checked values. The file itself is read in [`super::document`].

use serde::Deserialize;

pub use super::criteria::Criterion;

/// How "the current month and three months back" is read (WINDOW: `reading`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// From the first instant of the month three before the current, to the first instant of the next month.
    #[default]
    CalendarMonths,
    /// From the same day three months before, to the first instant of the next month.
    RollingStart,
    /// From the same day three months before, to the first instant of tomorrow.
    Rolling,
}

/// What a date without an offset means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Naive {
    /// Local time in Europe/Copenhagen.
    #[default]
    Copenhagen,
    /// Nothing: the date is refused.
    Refuse,
}

/// What happens to a window that reaches outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// The call is refused, as the documented service does.
    #[default]
    Refuse,
    /// The window is rewritten to its intersection. Departs from the documented service; recorded in the audit record.
    Narrow,
}

/// How an answer's objects are bound to the person asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonCheck {
    /// Each benefit line must refer to a grant, in the same answer, whose only grantee is the person.
    #[default]
    Prove,
    /// The index's own join is trusted: a recorded decision of the data controller.
    TrustIndex,
}

/// What happens to a payment whose disposition date is still to come on the day of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Future {
    /// Released like any other in the window, as the documented service does.
    #[default]
    Release,
    /// Withheld until its day: the citizen has not received it yet.
    Withhold,
}

/// The role UUIDs that the index's guidance gives, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Roles {
    /// The owner (*Ejer*) of an effectuation.
    pub owner: String,
    /// The party (*Effektueringsmodtager*) of an effectuation.
    pub party: String,
    /// The grantee (*Bevillingsmodtager*) of a grant.
    pub grantee: String,
}

/// The request side of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestRules {
    /// The roles that a search may name.
    pub roles: Roles,
    /// How the window is computed.
    #[serde(default)]
    pub reading: Reading,
    /// What a date without an offset means, in requests and in answers.
    #[serde(default)]
    pub naive: Naive,
    /// What happens to a window that reaches outside.
    #[serde(default)]
    pub outside: Outside,
    /// Whether lookups by UUID are allowed.
    #[serde(default)]
    pub direct_lookup: bool,
    /// Whether `…Inkluder` is allowed in a filter.
    #[serde(default)]
    pub include: bool,
    /// The greatest page, and the page that is inserted where none is asked for (objects, 1–10,000).
    #[serde(default = "default_page_cap")]
    pub page_cap: u64,
    /// What a search for effectuations may test. A name that is no [`Criterion`] is refused when the policy is read.
    pub criteria: Vec<Criterion>,
    /// What may be sorted by.
    pub sorting: Vec<SortingElement>,
}

/// What the index can sort by and an answer shows. `FuldtNavn` would rank by a withheld name, so no policy can let it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum SortingElement {
    /// Of an effectuation.
    Dispositionsdato,
    /// Of a grant.
    Ydelsesnavn,
}

impl SortingElement {
    /// All of them.
    pub const EVERY: [Self; 2] = [Self::Dispositionsdato, Self::Ydelsesnavn];

    /// The element as it is spelt on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dispositionsdato => "Dispositionsdato",
            Self::Ydelsesnavn => "Ydelsesnavn",
        }
    }

    /// The element of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|element| element.as_str() == name)
    }
}

/// One key to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Sorting {
    pub element: SortingElement,
    /// `Faldende` rather than `Stigende`.
    pub descending: bool,
    /// Where it stands among several keys (0–999).
    pub sequence: u16,
}

fn default_page_cap() -> u64 {
    500
}

/// Which parts of an effectuation the caller asked to see (the request's `Filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// No filter: everything that may be released.
    Everything,
    /// An empty filter: no data, the shape of nothing found.
    Nothing,
    /// These parts only.
    Parts {
        /// `egenskaber`
        properties: bool,
        /// `aktoer`
        actors: bool,
        /// `oekonomiskeydelseeffektueringer`
        lines: bool,
    },
}
