//! Notices by mail: what happened or will happen, with what consequence, and what to do about it.
//!
//! A notice is put in the outbox in the transaction of what it tells ([`outbox`]), so that it is there exactly when that is. The
//! worker ([`work`]) writes each letter ([`letter`]) and hands it to the post ([`post`]): a folder, or an SMTP server. Whom a notice
//! goes to is decided by role ([`audience`]). A notice holds nothing of a person that a service is about, and names nobody who
//! decided, but for a substitute and whom they stand for ([`crate::users::delegation`]): whoever is stood for is told of what was decided on
//! agreements in their name, whatever their role is told of.

pub mod address;
pub mod audience;
pub mod letter;
pub mod outbox;
pub mod post;
pub mod work;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agreements::Agreement;
use crate::agreements::request::names_a_person;
use crate::id::cvr::Cvr;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the names say it
pub enum Kind {
    /// An agreement was asked for.
    Requested,
    /// It was asked for days ago and is not answered.
    Reminder,
    /// The authority approved it.
    Approved,
    /// The authority rejected it.
    Rejected,
    Suspended,
    /// It ends.
    Ended,
    NoticeTakenBack,
    /// Its time runs out before long.
    Expiring,
    /// Its service came to cover more than was approved.
    Outgrown,
    /// A certificate runs out before long.
    CertificateExpiring,
    /// A connection that names whoever is told waits for them to agree to it.
    ConnectionAsked,
    /// A task of a connection can be done, by whoever is told.
    TaskNext,
    /// It was to be done by a day that is near or over, or has waited for a week.
    TaskWaits,
    FileNotFetched,
    /// A file was deleted because nobody fetched it in its days.
    FileExpired,
    /// What stands behind a service does not answer.
    ProviderFailing,
    /// What stands behind a service answered against the contract.
    ProviderAnswerRefused,
    /// It is not known whether what stands behind a service has a delivery.
    DeliveryUnknown,
    /// A person could not be handed on to the learning platform, and is not tried any more.
    PersonNotHandedOn,
    /// Nothing was exchanged for longer than agreed.
    Silence,
    /// A user's name was given in upper or lower case as it is not written.
    LogOnName,
    /// The SFTP server gets another host key.
    HostKeyChanges,
    /// A person lets a colleague act in their role for a time.
    DelegationGiven,
    /// That is over before its time.
    DelegationEnded,
    /// An operator wrote down that two users are two persons.
    ToldApart,
    /// Whom an identity provider logged on for the first time has the name of another user.
    Namesake,
}

impl Kind {
    /// Whether it reports what somebody decided on an agreement.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Approved | Self::Rejected | Self::Suspended | Self::Ended | Self::NoticeTakenBack)
    }

    /// Each.
    pub const ALL: [Self; 26] = [
        Self::Requested,
        Self::Reminder,
        Self::Approved,
        Self::Rejected,
        Self::Suspended,
        Self::Ended,
        Self::NoticeTakenBack,
        Self::Expiring,
        Self::Outgrown,
        Self::CertificateExpiring,
        Self::ConnectionAsked,
        Self::TaskNext,
        Self::TaskWaits,
        Self::FileNotFetched,
        Self::FileExpired,
        Self::ProviderFailing,
        Self::ProviderAnswerRefused,
        Self::DeliveryUnknown,
        Self::PersonNotHandedOn,
        Self::Silence,
        Self::LogOnName,
        Self::HostKeyChanges,
        Self::DelegationGiven,
        Self::DelegationEnded,
        Self::ToldApart,
        Self::Namesake,
    ];
}

/// The most lines of what differs that a letter has, and how long each may be; the rest is read where one logs on.
const DIFFERING: (usize, usize) = (50, 300);

/// A notice: what is told, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Notice {
    /// What is told.
    pub kind: Kind,
    /// What it is about, by name.
    pub name: String,
    /// The page of it, below the console's address.
    pub page: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Cvr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// When it happens, or since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why, in the words of whoever decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What differs from the version before, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// The name in English, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub english: Option<String>,
    /// Who decided, where that was somebody for another by delegation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Notice {
    /// A notice of an agreement.
    pub fn of(kind: Kind, agreement: &Agreement) -> Self {
        let name = agreement.terms.as_ref().map_or_else(|| agreement.legal_basis.clone(), |terms| terms.name.clone());
        Self {
            kind,
            name: without_persons(name),
            page: format!("/agreements/{}", agreement.id),
            authority: Some(agreement.authority),
            service: Some(agreement.service),
            system: Some(agreement.system),
            environment: Some(agreement.environment.as_str().to_owned()),
            at: None,
            reason: None,
            differs: Vec::new(),
            english: None,
            by: None,
        }
    }

    /// The same with when.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    /// The same with why.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        Self { reason: Some(without_persons(reason.to_owned())), ..self }
    }

    /// The same with what differs from the version before.
    #[must_use]
    pub fn differing(self, differs: Vec<String>) -> Self {
        let all = differs.len();
        let short = |line: String| {
            if line.chars().count() > DIFFERING.1 { line.chars().take(DIFFERING.1).chain(['…']).collect() } else { line }
        };
        let mut differs: Vec<_> = differs.into_iter().take(DIFFERING.0).map(without_persons).map(short).collect();
        if all > DIFFERING.0 {
            differs.push(format!("… ({all})"));
        }
        Self { differs, ..self }
    }
}

/// Words that hold what looks like a CPR number are left out of mails; they can be read where one must be logged on.
fn without_persons(text: String) -> String {
    if names_a_person(&text) { "…".to_owned() } else { text }
}
