//! The keys by which a user's requests are done once, and what they were answered.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::agreements::{Change, Store};
use crate::store::{StoreError, sql};

/// How long a key is remembered.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A user's key for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The user.
    pub user: Uuid,
    /// What the user named it.
    pub name: String,
    /// The digest of the request.
    pub digest: String,
    /// When the request came.
    pub at: Timestamp,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: what it is for was not done.
    Nothing,
    /// It belongs to another request.
    Other,
    /// It belongs to this request, which a node of the release before has not answered yet.
    Pending,
    /// This was answered.
    Answered(String),
}

impl Store {
    /// What is known of a key.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn known_key(&self, key: &Key) -> Result<Known, StoreError> {
        let held = sql("SELECT digest, answer FROM idempotency WHERE api_user = $1 AND key = $2 AND at >= $3");
        let held = held.bind(key.user).bind(&key.name).bind(key.at - KEPT);
        match self.database().first(held).await? {
            None => Ok(Known::Nothing),
            Some(row) if row.get::<String>("digest")? != key.digest => Ok(Known::Other),
            Some(row) => Ok(row.maybe("answer")?.map_or(Known::Pending, Known::Answered)),
        }
    }

    /// Forgets keys whose time is over; how many there were.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn forget_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.database().execute(sql("DELETE FROM idempotency WHERE at < $1").bind(now - KEPT)).await
    }
}

impl Change {
    /// Keeps what the request with this key was answered; false where the key is known already.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn keep_answer(&mut self, key: &Key, answer: &str) -> Result<bool, StoreError> {
        let connection = self.connection();
        let over = sql("DELETE FROM idempotency WHERE api_user = $1 AND key = $2 AND at < $3");
        connection.execute(over.bind(key.user).bind(&key.name).bind(key.at - KEPT)).await?;
        let kept = sql("INSERT INTO idempotency (api_user, key, digest, answer, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (api_user, key) DO NOTHING")
        .bind(key.user)
        .bind(&key.name)
        .bind(&key.digest)
        .bind(answer)
        .bind(key.at);
        Ok(connection.execute(kept).await? == 1)
    }
}
