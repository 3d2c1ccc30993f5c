//! The keys by which a user's requests are done once, and what they were answered.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::agreements::Store;
use crate::store::{StoreError, sql};

/// How long a key is remembered.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: the request is done now.
    First,
    /// It belongs to another request.
    Other,
    /// It belongs to this request, which has not been answered yet.
    Pending,
    /// This was answered.
    Answered(String),
}

impl Store {
    /// Claims a key for the request with this digest. What is older than [`KEPT`] is forgotten.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn claim_key(&self, user: Uuid, key: &str, digest: &str, now: Timestamp) -> Result<Claim, StoreError> {
        let mut transaction = self.database().begin_beside_others().await?;
        transaction.execute(sql("DELETE FROM idempotency WHERE at < $1").bind(now - KEPT)).await?;
        let claimed = sql("INSERT INTO idempotency (api_user, key, digest, at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (api_user, key) DO NOTHING")
        .bind(user)
        .bind(key)
        .bind(digest)
        .bind(now);
        let claim = if transaction.execute(claimed).await? == 1 {
            Claim::First
        } else {
            let held = sql("SELECT digest, answer FROM idempotency WHERE api_user = $1 AND key = $2").bind(user).bind(key);
            match transaction.first(held).await? {
                // It ended in this moment, and the next try is the first.
                None => Claim::Pending,
                Some(row) if row.get::<String>("digest")? != digest => Claim::Other,
                Some(row) => row.maybe("answer")?.map_or(Claim::Pending, Claim::Answered),
            }
        };
        transaction.commit().await?;
        Ok(claim)
    }

    /// Keeps what the request was answered.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn answer_key(&self, user: Uuid, key: &str, answer: &str) -> Result<(), StoreError> {
        let mut transaction = self.database().begin_beside_others().await?;
        let kept = sql("UPDATE idempotency SET answer = $1 WHERE api_user = $2 AND key = $3").bind(answer).bind(user).bind(key);
        transaction.execute(kept).await?;
        transaction.commit().await
    }

    /// Forgets the key of a request that changed nothing.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn free_key(&self, user: Uuid, key: &str) -> Result<(), StoreError> {
        let mut transaction = self.database().begin_beside_others().await?;
        let freed = sql("DELETE FROM idempotency WHERE api_user = $1 AND key = $2 AND answer IS NULL").bind(user).bind(key);
        transaction.execute(freed).await?;
        transaction.commit().await
    }
}
