//! One connection at work, and what is written whole or not at all.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Sqlite};
use tokio::sync::OwnedSemaphorePermit;

use super::notices::Heard;
use super::place::{Opened, Place};
use super::postgres::{self, Server};
use super::value::{Inner as RowInner, Query, Row};
use super::{Dialect, StoreError};

/// A connection of the pool, for as long as it is held.
#[derive(Debug)]
pub struct Session(pub(super) Inner);

#[derive(Debug)]
pub(super) enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    SqliteWriting(sqlx::Transaction<'static, Sqlite>),
    Postgres(PoolConnection<Postgres>, Arc<Server>),
    PostgresWriting(sqlx::Transaction<'static, Postgres>, Arc<Server>),
}

/// Runs a statement on whichever connection it is.
macro_rules! on {
    ($session:expr, $query:expr, $run:ident, $sqlite:expr, $postgres:expr) => {
        match &mut $session.0 {
            Inner::Sqlite(connection) => $query.for_sqlite().$run(&mut **connection).await.map_err(StoreError::from).map($sqlite),
            Inner::SqliteWriting(connection) => {
                $query.for_sqlite().$run(&mut **connection).await.map_err(StoreError::from).map($sqlite)
            }
            Inner::Postgres(connection, server) => {
                server.within($query.for_postgres().$run(&mut **connection)).await.map($postgres)
            }
            Inner::PostgresWriting(connection, server) => {
                server.within($query.for_postgres().$run(&mut **connection)).await.map($postgres)
            }
        }
    };
}

impl Session {
    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        match self.0 {
            Inner::Sqlite(_) | Inner::SqliteWriting(_) => Dialect::Sqlite,
            Inner::Postgres(..) | Inner::PostgresWriting(..) => Dialect::Postgres,
        }
    }

    /// Runs a statement, and says how many rows it changed.
    ///
    /// # Errors
    /// The database does not answer, or refuses.
    pub async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        on!(self, query, execute, |done| done.rows_affected(), |done| done.rows_affected())
    }

    /// Every row.
    ///
    /// # Errors
    /// The database does not answer, or refuses.
    pub async fn all(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        on!(self, query, fetch_all, |rows| rows.into_iter().map(|row| Row(RowInner::Sqlite(row))).collect(), |rows| rows
            .into_iter()
            .map(|row| Row(RowInner::Postgres(row)))
            .collect())
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// The database does not answer, or refuses.
    pub async fn first(&mut self, query: Query) -> Result<Option<Row>, StoreError> {
        on!(self, query, fetch_optional, |row| row.map(|row| Row(RowInner::Sqlite(row))), |row| row
            .map(|row| Row(RowInner::Postgres(row))))
    }
}

/// A session whose statements are kept when it is committed, all of them, and forgotten when it is dropped.
#[derive(Debug)]
pub struct Transaction {
    pub(super) session: Session,
    /// The file that it writes to, which must still be the store when it is done.
    pub(super) file: Option<Written>,
    /// Who is told of the change, where it may be one of what the program remembers.
    pub(super) heard: Option<Arc<Heard>>,
    /// This program's turn to write, where it has one writer at a time.
    pub(super) _turn: Option<OwnedSemaphorePermit>,
}

/// A file that is written to.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) place: Arc<Place>,
    pub(super) opened: Opened,
}

impl Deref for Transaction {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Transaction {
    /// Keeps what was written.
    ///
    /// # Errors
    /// It was not kept; or, with [`StoreError::Replaced`] and [`StoreError::Undecided`], nobody knows.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self { session, file, heard, _turn } = self;
        let committed = match session.0 {
            Inner::SqliteWriting(transaction) => transaction.commit().await.map_err(StoreError::from),
            Inner::PostgresWriting(transaction, server) => server.within(transaction.commit()).await.map_err(undecided),
            Inner::Sqlite(_) | Inner::Postgres(..) => Ok(()),
        };
        // Also where it failed: what was undecided may have been written.
        if let Some(heard) = heard {
            heard.change();
        }
        committed?;
        match file {
            Some(Written { place, opened }) => place.holds(&opened).await,
            None => Ok(()),
        }
    }
}

/// A connection that broke while it committed leaves open whether the database did; also where a pooler, or a server that goes down,
/// says so by an error of its own.
fn undecided(error: StoreError) -> StoreError {
    match error {
        error if postgres::is_lost(&error) => StoreError::Undecided(error.to_string()),
        StoreError::Database(sqlx::Error::Database(refused)) => StoreError::Database(sqlx::Error::Database(refused)),
        StoreError::Database(error) => StoreError::Undecided(error.to_string()),
        StoreError::TooSlow(limit) => StoreError::Undecided(StoreError::TooSlow(limit).to_string()),
        other => other,
    }
}

/// An error after which the same may succeed: the database chose this transaction to give way to another.
pub trait GaveWay {
    /// Whether it is one.
    fn gave_way(&self) -> bool;
}

/// Whatever an error is wrapped in, so that none is left out.
impl<E: std::error::Error + 'static> GaveWay for E {
    fn gave_way(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(sqlx::Error::Database(refused)) = error.downcast_ref() {
                // serialization_failure and deadlock_detected.
                return matches!(refused.code().as_deref(), Some("40001" | "40P01"));
            }
            cause = error.source();
        }
        false
    }
}

/// How often a transaction that gave way is tried in all.
const ATTEMPTS: u32 = 5;

/// Does a transaction, and again where it gave way to another: `once` is all of it, from its beginning to its commit.
///
/// # Errors
/// Those of `once`; of the last attempt where each gave way.
pub async fn until_it_holds<T, E: GaveWay, F: Future<Output = Result<T, E>>>(mut once: impl FnMut() -> F) -> Result<T, E> {
    // On the heap: decisions nest in each other, and the compiler would look through each of them to lay out the outermost.
    for attempt in 1..ATTEMPTS {
        match Box::pin(once()).await {
            Err(error) if error.gave_way() => tokio::time::sleep(Duration::from_millis(5 << attempt)).await,
            done => return done,
        }
    }
    Box::pin(once()).await
}
