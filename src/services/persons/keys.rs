//! `Idempotency-Key` of imports: a client system's import for an authority is done once for a key, and answered the same again.
//!
//! What was sent has CPR numbers in it, and a caller may take one for a key, so that both are kept as keyed digests: whoever has the
//! store cannot try numbers.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::audit::Sealer;
use crate::id::cvr::Cvr;
use crate::store::{Database, Query, StoreError, sql};

/// How long a key is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// After so long nobody works on an import that was not answered: its node died.
const LOST: SignedDuration = SignedDuration::from_mins(2);

/// A key for one import.
#[derive(Debug, Clone)]
pub struct Key {
    system: Uuid,
    authority: Cvr,
    name: String,
    digest: String,
    at: Timestamp,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is the caller's from now on, to be answered or freed.
    Mine,
    /// So too, but another had it from this instant on and never answered: that import may have been done. It is not to be freed, or
    /// an erasure would find nothing to note that this import is not to be done again.
    Lost(Timestamp),
    /// It belongs to another import.
    Other,
    /// It belongs to this import, which is not answered yet.
    Pending,
    /// This was answered.
    Answered(String),
    /// It belongs to this import, and a person of the authority was erased since: the answer is not kept, and nothing is imported again.
    Erased,
}

fn us(at: Timestamp) -> i64 {
    at.as_microsecond()
}

impl Key {
    /// The key of this name for what was sent to a service.
    pub fn new(sealer: &Sealer, who: (Uuid, Cvr, Uuid), name: &str, sent: &[u8], at: Timestamp) -> Self {
        let (system, authority, service) = who;
        let mark = sealer.marker("person import key").part(service.as_bytes()).part(sent).finish();
        // The name too: a caller may take a CPR number for one.
        let name = crate::hex::encode(&sealer.marker("person import key's name").part(name.as_bytes()).finish());
        Self { system, authority, name, digest: crate::hex::encode(&mark), at }
    }

    /// Takes it, or says what became of it.
    ///
    /// # Errors
    /// The store.
    pub async fn claim(&self, database: &Database) -> Result<Known, StoreError> {
        let over = sql("DELETE FROM person_key WHERE system = $1 AND authority = $2 AND key = $3 AND at_us < $4");
        database.execute(self.bound(over).bind(us(self.at - KEPT))).await?;
        let mine = sql("INSERT INTO person_key (system, authority, key, digest, at_us) VALUES ($1, $2, $3, $4, $5)
                        ON CONFLICT (system, authority, key) DO NOTHING");
        if database.execute(self.bound(mine).bind(&self.digest).bind(us(self.at))).await? == 1 {
            return Ok(Known::Mine);
        }
        let held = sql("SELECT digest, answer, at_us FROM person_key WHERE system = $1 AND authority = $2 AND key = $3");
        // It was freed this moment.
        let Some(held) = database.first(self.bound(held)).await? else { return Ok(Known::Pending) };
        if held.get::<String>("digest")? != self.digest {
            return Ok(Known::Other);
        }
        let since: i64 = held.get("at_us")?;
        match held.maybe::<String>("answer")? {
            Some(blank) if blank.is_empty() => Ok(Known::Erased),
            Some(answer) => Ok(Known::Answered(answer)),
            None if since >= us(self.at - LOST) => Ok(Known::Pending),
            None => {
                // The row stays the same one, so that an erasure at this moment blanks it.
                let lost = sql("UPDATE person_key SET at_us = $4
                                WHERE system = $1 AND authority = $2 AND key = $3 AND at_us = $5 AND answer IS NULL");
                let taken = database.execute(self.bound(lost).bind(us(self.at)).bind(since)).await? == 1;
                let since = Timestamp::from_microsecond(since).map_err(|_| StoreError::Unreadable { column: "at_us" })?;
                Ok(if taken { Known::Lost(since) } else { Known::Pending })
            }
        }
    }

    fn bound(&self, query: Query) -> Query {
        query.bind(self.system).bind(self.authority.to_string()).bind(&self.name)
    }

    /// It was answered; where a person of the authority was erased meanwhile the answer is not kept.
    ///
    /// # Errors
    /// The store.
    pub async fn answered(&self, database: &Database, answer: &str) -> Result<(), StoreError> {
        let answered = sql("UPDATE person_key SET answer = $5
             WHERE system = $1 AND authority = $2 AND key = $3 AND digest = $4 AND answer IS NULL");
        let answered = self.bound(answered).bind(&self.digest).bind(answer);
        database.execute(answered).await.map(drop)
    }

    /// A person of the authority was erased since it was first claimed: it is answered so from now on.
    ///
    /// # Errors
    /// The store.
    pub async fn erased(&self, database: &Database) -> Result<(), StoreError> {
        self.answered(database, "").await
    }

    /// Nothing was kept: it is free again.
    ///
    /// # Errors
    /// The store.
    pub async fn free(&self, database: &Database) -> Result<(), StoreError> {
        let free =
            sql("DELETE FROM person_key WHERE system = $1 AND authority = $2 AND key = $3 AND digest = $4 AND answer IS NULL");
        database.execute(self.bound(free).bind(&self.digest)).await.map(drop)
    }
}

/// Forgets keys whose time is over; how many there were.
///
/// # Errors
/// The store.
pub async fn forget(database: &Database, now: Timestamp) -> Result<u64, StoreError> {
    database.execute(sql("DELETE FROM person_key WHERE at_us < $1").bind(us(now - KEPT))).await
}
