//! What agreements are bound to: the rules or the contract under which they were approved.
//!
//! A contract that lets no more pass than the one that was approved needs no new approval; one that lets more pass does, for each
//! operation whose messages it widens, and until then calls of these are refused. How wide a contract is, is [`Meaning`]; what was
//! approved is kept in the store, by its digest, and never altered. One that is not kept counts as wider.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use super::model::Agreement;
use super::store::{Change, Store};
use crate::refusal::{Detail, Refusal};
use crate::schema::meaning::Meaning;
use crate::store::{Query, Row, Session, StoreError, by_dialect, sql};

/// The most verdicts that are remembered.
const REMEMBERED: usize = 10_000;

/// What a service applies now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// SHA-256 of it, in hexadecimal.
    pub digest: String,
    /// What it lets pass.
    pub meaning: Arc<Meaning>,
}

/// What an operation lets pass beyond a contract, by the contract's digest and the operation.
type Beyond = BTreeMap<(String, String), Arc<[String]>>;

/// The contract of a running service, held against what each agreement was approved under.
#[derive(Debug)]
pub struct Applied {
    contract: Contract,
    store: Store,
    /// What each operation lets pass beyond each approved contract.
    beyond: Mutex<Beyond>,
}

impl Applied {
    /// A contract in force.
    pub fn new(contract: Contract, store: Store) -> Self {
        Self { contract, store, beyond: Mutex::default() }
    }

    /// Whether an agreement's approval covers an operation as it is now. One that is bound to nothing yet is covered: it is bound to
    /// what is in force (by every node that serves).
    ///
    /// # Errors
    /// [`Refusal::ServiceAgreementOutgrown`], [`Refusal::AgreementsUnavailable`].
    pub async fn covers(&self, agreement: &Agreement, operation: &str) -> Result<(), Refusal> {
        let Some(basis) = agreement.basis().filter(|basis| *basis != self.contract.digest) else { return Ok(()) };
        let key = (basis.to_owned(), operation.to_owned());
        let known = self.beyond.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let beyond = match known {
            Some(beyond) => beyond,
            None => {
                let before = self.store.meaning(basis).await.map_err(|error| {
                    tracing::warn!(%error, "what an agreement was approved under cannot be looked up");
                    Refusal::AgreementsUnavailable
                })?;
                let Some(before) = before else {
                    return Err(outgrown(&Detail::new("det godkendte er ikke bevaret", "what was approved is not kept")));
                };
                let (meaning, operation) = (self.contract.meaning.clone(), operation.to_owned());
                let judged = tokio::task::spawn_blocking(move || meaning.beyond(&before, Some(&operation))).await;
                let beyond: Arc<[String]> = judged.map_err(|_| Refusal::Internal)?.into();
                let mut known = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(key, beyond.clone());
                beyond
            }
        };
        match beyond.first() {
            None => Ok(()),
            Some(first) => Err(outgrown(&more(first, beyond.len()))),
        }
    }
}

/// The first of what is more, and how many there are.
pub fn more(first: &str, all: usize) -> Detail {
    let first: String = first.chars().take(200).collect();
    Detail::new(format!("{first} ({all} i alt)"), format!("{first} ({all} in all)"))
}

/// The refusal of a call that goes beyond what was approved.
pub fn outgrown(what: &Detail) -> Refusal {
    Refusal::ServiceAgreementOutgrown { what: what.clone() }
}

impl Change {
    /// Keeps what a contract lets pass. One that is kept already stays as it is.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn keep_basis(&mut self, contract: &Contract, at: Timestamp) -> Result<(), StoreError> {
        let known = sql("SELECT 1 AS known FROM agreement_basis WHERE digest = $1").bind(&contract.digest);
        if self.connection().first(known).await?.is_some() {
            return Ok(());
        }
        let kept =
            sql("INSERT INTO agreement_basis (digest, meaning, seen_at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING");
        let meaning = serde_json::to_string(&*contract.meaning).map_err(|_| StoreError::Unreadable { column: "meaning" })?;
        self.connection().execute(kept.bind(&contract.digest).bind(meaning).bind(at)).await.map(drop)
    }

    /// Binds an agreement that is bound to nothing yet.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn bind_to(&mut self, id: Uuid, basis: &str) -> Result<(), StoreError> {
        let bound = sql("UPDATE agreement SET basis = $1 WHERE id = $2 AND basis IS NULL");
        self.connection().execute(bound.bind(basis).bind(id)).await.map(drop)
    }
}

/// What the contract with this digest let pass, where it is kept.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub(crate) async fn meaning(session: &mut Session, digest: &str) -> Result<Option<Meaning>, StoreError> {
    read(session.first(kept_at(digest)).await?.as_ref())
}

fn kept_at(digest: &str) -> Query {
    sql("SELECT meaning FROM agreement_basis WHERE digest = $1").bind(digest)
}

fn read(row: Option<&Row>) -> Result<Option<Meaning>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let read = serde_json::from_str(&row.get::<String>("meaning")?);
    read.map(Some).map_err(|_| StoreError::Unreadable { column: "meaning" })
}

impl Store {
    /// What the contract with this digest let pass, where it is kept.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn meaning(&self, digest: &str) -> Result<Option<Meaning>, StoreError> {
        read(self.database().first(kept_at(digest)).await?.as_ref())
    }

    /// Whether what a contract lets pass is kept.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn keeps(&self, digest: &str) -> Result<bool, StoreError> {
        let rows = self.database().all(sql("SELECT 1 AS known FROM agreement_basis WHERE digest = $1").bind(digest)).await?;
        Ok(!rows.is_empty())
    }

    /// The ids of agreements of a service that open something at `now` or may do so again, and are bound to nothing, so many at most.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn unbound(&self, service: Uuid, now: Timestamp, most: i64) -> Result<Vec<Uuid>, StoreError> {
        let query = sql(
            "SELECT id FROM agreement WHERE service = $1 AND basis IS NULL AND (state IN ('GODKENDT', 'SUSPENDERET') OR (state = 'OPSAGT' AND ends_at > $2))
             ORDER BY id LIMIT $3",
        );
        let query = query.bind(service).bind(now).bind(most);
        self.database().all(query).await?.iter().map(|row| row.get("id")).collect()
    }

    /// The ids of agreements of a service that open something at `now` or may do so again, are bound to something else than `digest` and
    /// were not told of by `mark` (followed by the id), so many at most.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn bound_elsewhere(
        &self,
        service: Uuid,
        digest: &str,
        mark: &str,
        now: Timestamp,
        most: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        let query = by_dialect(
            "SELECT id FROM agreement WHERE service = $1 AND basis IS NOT NULL AND basis <> $2
                 AND (state IN ('GODKENDT', 'SUSPENDERET') OR (state = 'OPSAGT' AND ends_at > $4))
                 AND NOT EXISTS (SELECT 1 FROM notice_given WHERE mark = $3 || id) ORDER BY id LIMIT $5",
            "SELECT id FROM agreement WHERE service = $1 AND basis IS NOT NULL AND basis <> $2
                 AND (state IN ('GODKENDT', 'SUSPENDERET') OR (state = 'OPSAGT' AND ends_at > $4))
                 AND NOT EXISTS (SELECT 1 FROM notice_given WHERE mark = $3 || id::text) ORDER BY id LIMIT $5",
        );
        let query = query.bind(service).bind(digest).bind(mark).bind(now).bind(most);
        self.database().all(query).await?.iter().map(|row| row.get("id")).collect()
    }
}
