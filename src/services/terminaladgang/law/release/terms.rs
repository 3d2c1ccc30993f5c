//! What the release is judged by: the policy's rules, compiled, and what one call asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalogue::{Field, Form, Guard};
use crate::id::cpr::Cpr;
use crate::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use crate::services::terminaladgang::law::rules::{Asked, Future, Naive, PersonCheck, Roles};
use crate::services::terminaladgang::law::window::Window;

/// What one rule of the policy says in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The rule's id, as counts and the audit record name it.
    pub id: String,
    /// The words of the law it rests on, or `technical…` or `inferred…`.
    pub basis: String,
    /// The same in Danish, where it says more than the words of the law.
    pub basis_da: Option<String>,
    /// The explanation in Danish.
    pub da: String,
    /// The explanation in English.
    pub en: String,
}

/// A field that the policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct FieldRule {
    pub words: Words,
    /// Whether it is released.
    pub release: bool,
    /// The form that its value must have.
    pub form: Form,
}

/// The release side of a policy, compiled. Made by [`Policy::read`](crate::services::terminaladgang::law::document::Policy::read) only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRules {
    pub(in crate::services::terminaladgang::law) fields: Vec<Option<FieldRule>>,
    pub(in crate::services::terminaladgang::law) guards: Vec<(Guard, Words)>,
    pub(in crate::services::terminaladgang::law) roles: Roles,
    pub(in crate::services::terminaladgang::law) person_check: PersonCheck,
    pub(in crate::services::terminaladgang::law) future: Future,
    pub(in crate::services::terminaladgang::law) empty_status: u16,
}

impl ReleaseRules {
    /// The rule of a field, if the policy names the field.
    pub fn field(&self, field: Field) -> Option<&FieldRule> {
        self.fields.get(field.index())?.as_ref()
    }

    /// The fields that the policy names, each with its rule.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &FieldRule)> {
        Field::ALL.iter().copied().zip(&self.fields).filter_map(|(field, rule)| Some((field, rule.as_ref()?)))
    }

    /// The reasons for removal, each with its words.
    pub fn guards(&self) -> impl Iterator<Item = &(Guard, Words)> {
        self.guards.iter()
    }

    /// The words of the rule with this id, as [`Counts`](super::Counts) names it.
    pub fn words(&self, id: &str) -> Option<&Words> {
        let fields = self.fields.iter().flatten().map(|rule| &rule.words);
        fields.chain(self.guards.iter().map(|(_, words)| words)).find(|words| words.id == id)
    }

    /// The role UUIDs.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// How objects are bound to the person. `TrustIndex` is a decision that the audit record names.
    pub fn person_check(&self) -> PersonCheck {
        self.person_check
    }

    /// What happens to a payment whose date is still to come. `Withhold` is a decision that the audit record names.
    pub fn future(&self) -> Future {
        self.future
    }

    /// The status of an answer without objects (20 or 44).
    pub fn empty_status(&self) -> u16 {
        self.empty_status
    }

    pub(super) fn rule_of(&self, field: Field) -> &str {
        self.field(field).map_or(Guard::Unnamed.id(), |rule| &rule.words.id)
    }
}

/// Bounds on one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What one object may hold in memory while it is judged, in bytes; past it the answer is `PeerAnswerInvalid`.
    pub object_bytes: usize,
    /// What may be released, in bytes; past it the call is refused with `AnswerTooLarge`.
    pub released_bytes: usize,
    /// How many grants are remembered; past it the call is refused with `AnswerTooLarge`.
    pub grants: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { object_bytes: 1024 * 1024, released_bytes: 8 * 1024 * 1024, grants: 50_000 }
    }
}

/// What one call asked, as far as the answer is judged by it.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The person asked about.
    pub person: Cpr,
    /// The window of disposition dates.
    pub window: Window,
    /// Whose benefits may be seen, by CVR number: UDK's where a municipality asks; where UDK asks, those of the
    /// municipalities with an approved back agreement.
    pub counterpart: BTreeSet<String>,
    /// The gateway's own names of authorities, by CVR number.
    pub names: Arc<BTreeMap<String, String>>,
    /// The KLE numbers of token and agreement.
    pub kle: Constraint,
    /// The sensitivities of token and agreement.
    pub sensitivity: SensitivityConstraint,
    /// What the caller's filter asked to see.
    pub asked: Asked,
    /// What a date without an offset means.
    pub naive: Naive,
    /// The bounds.
    pub limits: Limits,
    /// Whether each verdict is kept, for `hjemmel explain`.
    pub decisions: bool,
}

impl Ask {
    /// A filter that names no part of effectuations asks for none, as an empty one does.
    pub(super) fn asks_nothing(&self) -> bool {
        matches!(self.asked, Asked::Nothing | Asked::Parts { properties: false, actors: false, lines: false })
    }
}
