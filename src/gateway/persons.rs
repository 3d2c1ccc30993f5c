//! Whom a call names goes into its record, sealed, before any step that follows can refuse the call.
//!
//! A refused call is a call about a person too: a client system that asks for more than it may has shown interest
//! in somebody, and the auditors must find it. Runs right after authentication and no earlier: an unproven sender could
//! otherwise fill the log with persons of its own choosing.

use std::sync::Arc;

use super::authenticate::Authenticated;
use super::call::{Call, OfCall};
use super::step::Check;
use crate::audit::Sealer;
use crate::id::cpr::{Cpr, TestNumbers};
use crate::refusal::Refusal;
use crate::soap::document::Element;

/// How many persons of one call are sealed. Beyond this they are counted, so that one message cannot become a record many
/// times its own size.
const MOST: usize = 16;

/// What identifies a person: a number, as the service has it. Does not print itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// An identifier.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// For the auditors' seal, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Everybody whom a request names, each once: a service knows where.
pub type Find = Arc<dyn Fn(Element<'_>) -> Vec<Identifier> + Send + Sync>;

/// A proven call in whose record everybody it names is sealed.
pub struct Named {
    authenticated: Authenticated,
    persons: Vec<Identifier>,
}

impl Named {
    /// The call, and who makes it.
    pub fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }
    /// Whether this person is sealed in the record.
    pub fn holds(&self, person: &str) -> bool {
        self.persons.iter().any(|named| named.expose() == person)
    }
}

impl OfCall for Named {
    fn call(&self) -> &Call {
        self.authenticated.call()
    }
}

/// Names the persons of a request in its record, sealed.
pub struct PersonsStep {
    /// Seals persons for the audit record.
    pub sealer: Arc<Sealer>,
    /// Finds them.
    pub find: Find,
    /// Who alone may be named here; none: anybody.
    pub test_numbers: Option<TestNumbers>,
}

impl Check for PersonsStep {
    const NAME: &'static str = "persons";
    type In = Authenticated;
    type Out = Named;

    async fn check(&self, authenticated: Authenticated) -> Result<Named, Refusal> {
        let mut persons = authenticated.request().map(|request| (self.find)(request)).unwrap_or_default();
        // Before anything of them is kept: somebody real has no business here, not even sealed.
        if let Some(known) = &self.test_numbers
            && persons.iter().filter_map(|person| Cpr::parse(person.expose())).any(|cpr| !known.has(&cpr))
        {
            return Err(Refusal::PersonNotForTest);
        }
        let left_out = persons.len().saturating_sub(MOST) as u64;
        persons.truncate(MOST);
        let call = authenticated.call();
        let sealed = persons.iter().map(|person| self.sealer.seal(call.id(), person.expose()));
        let sealed = sealed.collect::<Result<Vec<_>, _>>().map_err(|_| Refusal::AuditUnavailable)?;
        call.note(|record| {
            record.persons = sealed;
            record.persons_left_out = left_out;
        });
        Ok(Named { authenticated, persons })
    }
}
