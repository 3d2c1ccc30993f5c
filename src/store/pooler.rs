//! What stands between the gateway and PostgreSQL, found out by what it does.
//!
//! A pooler in transaction mode gives each transaction another of its connections. sqlx prepares statements under names, once
//! for each of its own connections: right only where the pooler keeps the names apart, as PgBouncer does from 1.21 with
//! `max_prepared_statements` (on by itself from 1.24). Otherwise a name may stand for what somebody else prepared. Locks of a
//! session and notices are lost behind any such pooler.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row, raw_sql};

/// What stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Nothing, or what gives each of our connections one of its own.
    None,
    /// A connection for each transaction, statements kept apart.
    Transactions,
    /// A connection for each transaction, and the names of statements are everybody's.
    TransactionsWithNamesInCommon,
}

/// Finds it out, with two connections.
pub(super) async fn pooling(options: &PgConnectOptions, patience: Duration) -> Result<Pooling, sqlx::Error> {
    let mut one = options.connect().await?;
    let mut other = options.connect().await?;
    let pooled = in_transactions(&mut one, &mut other, patience).await;
    let found = match pooled {
        Ok(true) => names_in_common(&mut one).await.map(|common| match common {
            true => Pooling::TransactionsWithNamesInCommon,
            false => Pooling::Transactions,
        }),
        Ok(false) => Ok(Pooling::None),
        Err(error) => Err(error),
    };
    let _ = tokio::join!(one.close(), other.close());
    found
}

/// Whether transactions of one connection are served by several processes. Two are held open at once, so that the pooler has
/// two to give; whichever of them it gives out first, one of the two connections then gets the other's.
async fn in_transactions(one: &mut PgConnection, other: &mut PgConnection, patience: Duration) -> Result<bool, sqlx::Error> {
    let first = begin(one).await?;
    let Ok(second) = tokio::time::timeout(patience, begin(other)).await else {
        // A server would have begun at once: a pooler has no second connection to give.
        end(one).await?;
        return Ok(true);
    };
    let second = second?;
    end(one).await?;
    end(other).await?;
    for _ in 0..2 {
        for (connection, process) in [(&mut *one, &first), (&mut *other, &second)] {
            let now = begin(connection).await?;
            end(connection).await?;
            if now != *process {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Begins a transaction, and says which process serves it.
async fn begin(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    // Of several statements the process serves the whole: by the simple protocol, which prepares nothing.
    raw_sql("BEGIN").execute(&mut *connection).await?;
    raw_sql("SELECT pg_backend_pid()::text AS process").fetch_one(connection).await?.try_get("process")
}

async fn end(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    raw_sql("COMMIT").execute(connection).await.map(drop)
}

/// Whether a statement reaches the server under the name that sqlx gave it.
async fn names_in_common(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    raw_sql("BEGIN").execute(&mut *connection).await?;
    let prepared = sqlx::query("SELECT count(*) AS own FROM pg_prepared_statements WHERE starts_with(name, 'sqlx_s_')");
    let common = match prepared.fetch_one(&mut *connection).await {
        Ok(row) => row.try_get::<i64, _>("own")? > 0,
        // Another has the name already, or somebody took it away.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P05" | "26000")) => true,
        Err(error) => return Err(error),
    };
    if common {
        // What was prepared here must not be in anybody's way.
        raw_sql("ROLLBACK; DEALLOCATE ALL").execute(connection).await?;
    } else {
        end(connection).await?;
    }
    Ok(common)
}
