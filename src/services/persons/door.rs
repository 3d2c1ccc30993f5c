//! What every door of the import goes through, whichever way persons come: the agreement's terms, the record of admission on disk, then
//! each person judged, kept and answered ([`crate::persons`]).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use uuid::Uuid;

use super::names::OPERATION;
use super::refusal::ImportRefusal;
use super::scope;
use crate::agreements::basis::Applied;
use crate::agreements::{Agreement, Agreements, ClientSystem, Environment};
use crate::audit::{AboutPersons, Audit, Durable, Record, Sealer};
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::persons::answer::Answer;
use crate::persons::import::{AT_ONCE, Import, ImportError, Persons};
use crate::persons::row::Row;
use crate::persons::scope::Scope;
use crate::refusal::Refusal;

/// The most persons of one call; a file may have more, and is taken in parts of as many.
pub const MOST: usize = AT_ONCE;
/// How many persons of one call are sealed in its record.
const SEALED: usize = 16;

/// A service of this kind, for all its doors.
#[allow(missing_docs)] // the names say it
pub struct Door {
    /// What people call the service.
    pub name: String,
    /// Its UUID in agreements.
    pub service: Uuid,
    /// Where this gateway stands.
    pub environment: Environment,
    pub agreements: Agreements,
    /// Where each import is recorded before anything is kept.
    pub audit: Audit,
    /// Seals running numbers for it.
    pub sealer: Arc<Sealer>,
    pub persons: Persons,
    pub clock: Clock,
    /// The contract, held against what was approved.
    pub applied: Applied,
}

/// What an authority has agreed to: which institutions, when. Made by [`Door::terms`] alone.
pub struct Terms(Scope);

impl Door {
    /// The terms of an agreement that covers the contract as it is.
    ///
    /// # Errors
    /// `ServiceAgreementNotActive`, `ServiceAgreementOutgrown`, `AgreementsUnavailable`.
    pub async fn terms(&self, agreement: &Agreement) -> Result<Terms, Refusal> {
        self.applied.covers(agreement, OPERATION).await?;
        scope::terms(agreement).map(Terms)
    }

    /// The agreement that holds now between a client system and this service, for an authority.
    ///
    /// # Errors
    /// As [`Agreements::front`].
    pub async fn agreement(&self, client: ClientSystem, authority: Cvr) -> Result<Arc<Agreement>, Refusal> {
        self.agreements.front(client, authority, self.service, &self.environment, self.clock.now()).await
    }

    /// Begins to import what a call or a file has. Nothing is kept without the record.
    pub fn begin(&self, _recorded: &Durable, terms: Terms) -> Importing {
        Importing(self.persons.import(terms.0, self.clock.now()))
    }

    /// The same of a file or call that came at `came` and of which an attempt before may have imported some.
    pub fn begin_again(&self, _recorded: &Durable, terms: Terms, came: Timestamp) -> Importing {
        Importing(self.persons.import(terms.0, self.clock.now()).again(came))
    }

    /// Writes into a record what became of persons, and seals whom they are known as.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    pub fn note(&self, record: &mut Record, answers: &[Answer]) -> Result<(), Refusal> {
        let mut counted = Counted::default();
        counted.add(answers);
        let sealed = counted.persons.iter().map(|number| self.sealer.seal_running(record.call, number));
        record.persons = sealed.collect::<Result<_, _>>().map_err(|_| Refusal::AuditUnavailable)?;
        record.persons_left_out = counted.left_out;
        record.about = counted.about.into();
        Ok(())
    }
}

/// An import under way.
pub struct Importing(Import);

impl Importing {
    /// Judges, keeps and answers the next persons, [`MOST`] at most.
    ///
    /// # Errors
    /// [`NotImported`].
    pub async fn persons(&mut self, rows: Vec<Row>) -> Result<Vec<Answer>, NotImported> {
        self.0.batch(rows).await.map_err(|error| {
            tracing::warn!(%error, "persons could not be imported");
            match error {
                ImportError::Erased => NotImported::Erased,
                // The connection may have broken at the commit.
                ImportError::Store(_) => NotImported::Unknown,
                ImportError::OtherKey { .. } | ImportError::NotErasedYet(_) | ImportError::TooMany(_) | ImportError::Ending => {
                    NotImported::Nothing
                }
            }
        })
    }
}

/// Why persons were not imported, as far as whoever repeats must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotImported {
    /// Nothing of them was kept.
    Nothing,
    /// Nobody knows whether they were.
    Unknown,
    /// They may have been before, and a person was erased since. Nothing was kept.
    Erased,
}

impl From<NotImported> for Refusal {
    fn from(_: NotImported) -> Self {
        ImportRefusal::ImportUnavailable.into()
    }
}

/// What became of persons, as the audit and the metrics have it.
#[derive(Default)]
pub struct Counted {
    /// Counts.
    pub about: AboutPersons,
    /// The running numbers of the first of them.
    pub persons: Vec<String>,
    /// How many more.
    pub left_out: u64,
}

impl Counted {
    /// Counts these too.
    pub fn add(&mut self, answers: &[Answer]) {
        for answer in answers {
            self.about.persons += 1;
            *self.about.statuses.entry(answer.status.name().to_owned()).or_default() += 1;
            for remark in answer.errors.iter().chain(&answer.warnings) {
                *self.about.findings.entry(remark.code.code().to_owned()).or_default() += 1;
            }
            match answer.number {
                Some(number) if self.persons.len() < SEALED => self.persons.push(number.to_string()),
                Some(_) => self.left_out += 1,
                None => {}
            }
        }
    }
}

/// The services of this kind that are in force, for doors that outlive a configuration. A reload exchanges them.
#[derive(Default)]
pub struct Doors(RwLock<BTreeMap<Uuid, Arc<Door>>>);

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Doors")
    }
}

impl Doors {
    /// From now on these hold.
    pub fn replace(&self, doors: impl IntoIterator<Item = Arc<Door>>) {
        let doors = doors.into_iter().map(|door| (door.service, door)).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = doors;
    }

    /// The service of this UUID; without one the only one that there is.
    pub fn of(&self, service: Option<Uuid>) -> Option<Arc<Door>> {
        let doors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match (service, doors.len()) {
            (Some(service), _) => doors.get(&service).cloned(),
            (None, 1) => doors.values().next().cloned(),
            (None, _) => None,
        }
    }
}
