//! Which node puts a delivery together of its pieces: a row in the store, so that no two do at once, to whichever of them its sender comes.
//!
//! Whoever has it keeps it while it reads and writes, and gives it back, also where its node stops before it is done. A node that dies has it
//! until its time is over, by the database's clock. What is delivered is decided with the agreement's row locked ([`super::deliver`]): two that put together at once would deliver
//! once too. They would read and write all of a file twice, which is what a sender that asks again and again would have every node do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::{Database, Dialect, Query, Session, StoreError, by_dialect, sql};

/// For how long a node that died has a delivery: so long its sender waits. One that lives begins it anew at a fourth of it.
const LEASE: Duration = Duration::from_secs(15);
/// No node has one for longer than this. Where a row says so the database's clock was set back, and nobody has it.
const LONGEST: Duration = Duration::from_secs(60);

/// The database's clock, in microseconds since the Unix epoch: the clocks of nodes do not matter.
macro_rules! piece {
    (sqlite, NOW) => {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    };
    (postgres, NOW) => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
    ($dialect:ident, $text:literal) => {
        $text
    };
}

macro_rules! statement {
    ($($piece:tt)+) => {
        by_dialect(concat!($(piece!(sqlite, $piece)),+), concat!($(piece!(postgres, $piece)),+))
    };
}

/// The deliveries that this node puts together. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    /// By the claim.
    claims: HashMap<Uuid, (Of, CancellationToken)>,
    stopped: bool,
}

impl Claims {
    /// Gives all of them back: what is still at work on one works in vain, and none is taken any more.
    pub(super) async fn give_back(&self, database: &Database) {
        let given: Vec<_> = {
            let mut held = self.held();
            held.stopped = true;
            held.claims.values().cloned().collect()
        };
        // All are lost before the first is given back: none begins its time anew meanwhile.
        given.iter().for_each(|(_, lost)| lost.cancel());
        for (of, _) in given {
            give_back(database, of).await;
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A delivery that this node puts together. Dropped without [`Claim::give_back`], it is another's when its time is over.
pub(super) struct Claim {
    database: Database,
    claims: Claims,
    of: Of,
    lost: CancellationToken,
    keeping: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy)]
struct Of {
    mailbox: Uuid,
    delivery: Uuid,
    claim: Uuid,
}

impl Of {
    fn bound(self, query: Query) -> Query {
        query.bind(self.mailbox).bind(self.delivery).bind(self.claim)
    }
}

fn us(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

/// For how many seconds more a delivery is another's, who puts it together or died; none: it can be taken.
///
/// # Errors
/// The store.
pub(super) async fn left(session: &mut Session, mailbox: Uuid, delivery: Uuid) -> Result<Option<u64>, StoreError> {
    let left = statement!("SELECT until_us - " NOW " AS left_us FROM mailbox_joining WHERE mailbox = $1 AND delivery = $2");
    let Some(row) = session.first(left.bind(mailbox).bind(delivery)).await? else { return Ok(None) };
    let left = row.get::<i64>("left_us")?;
    let left = u64::try_from(left).ok().filter(|_| left > 0 && left <= us(LONGEST));
    Ok(left.map(|left| Duration::from_micros(left).as_secs() + 1))
}

impl Claim {
    /// Takes a delivery. `None`: it is being put together, here or elsewhere; or this node stops.
    ///
    /// # Errors
    /// The store.
    pub(super) async fn take(
        database: &Database,
        claims: &Claims,
        mailbox: Uuid,
        delivery: Uuid,
    ) -> Result<Option<Self>, StoreError> {
        let of = Of { mailbox, delivery, claim: Uuid::new_v4() };
        let lost = CancellationToken::new();
        {
            let mut held = claims.held();
            if held.stopped {
                return Ok(None);
            }
            held.claims.insert(of.claim, (of, lost.clone()));
        }
        let mut claim = Self { database: database.clone(), claims: claims.clone(), of, lost, keeping: None };
        let take = statement!(
            "INSERT INTO mailbox_joining AS held (mailbox, delivery, claim, until_us) VALUES ($1, $2, $3, " NOW " + $4)
             ON CONFLICT (mailbox, delivery) DO UPDATE SET claim = excluded.claim, until_us = excluded.until_us
             WHERE held.until_us <= " NOW " OR held.until_us > " NOW " + $5 OR held.claim = excluded.claim"
        );
        if database.write(of.bound(take).bind(us(LEASE)).bind(us(LONGEST))).await? == 0 {
            return Ok(None);
        }
        // Given back before it was taken.
        if claim.is_lost() {
            claim.give_back().await;
            return Ok(None);
        }
        claim.keeping = Some(tokio::spawn(kept(database.clone(), of, claim.lost.clone())));
        Ok(Some(claim))
    }

    /// Whether it is another's by now, or was given back: what this node does is in vain.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Gives it back: the next to ask for it has it at once.
    pub(super) async fn give_back(self) {
        self.keeps_no_more();
        give_back(&self.database, self.of).await;
    }

    fn keeps_no_more(&self) {
        if let Some(keeping) = &self.keeping {
            keeping.abort();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keeps_no_more();
        self.claims.held().claims.remove(&self.of.claim);
    }
}

async fn give_back(database: &Database, of: Of) {
    let give = sql("DELETE FROM mailbox_joining WHERE mailbox = $1 AND delivery = $2 AND claim = $3");
    if let Err(error) = database.write(of.bound(give)).await {
        let Of { mailbox, delivery, .. } = of;
        tracing::warn!(%error, %mailbox, %delivery, "a delivery in pieces is not given back; nobody puts it together until its time is over");
    }
}

/// Begins the time of a claim anew again and again. A store that is away meanwhile is asked again: nobody else takes it there either.
async fn kept(database: Database, of: Of, lost: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LEASE / 4) => {}
            () = lost.cancelled() => return,
        }
        let keep = statement!(
            "UPDATE mailbox_joining SET until_us = " NOW " + $4 WHERE mailbox = $1 AND delivery = $2 AND claim = $3"
        );
        if matches!(database.write(of.bound(keep).bind(us(LEASE))).await, Ok(0)) {
            return lost.cancel();
        }
    }
}

/// Deletes what nodes that died have left.
///
/// # Errors
/// The store.
pub(super) async fn clean(database: &Database) -> Result<(), StoreError> {
    let clean = statement!("DELETE FROM mailbox_joining WHERE until_us <= " NOW " OR until_us > " NOW " + $1");
    database.execute(clean.bind(us(LONGEST))).await.map(drop)
}

/// Deletes what an earlier run of the only node has left. A store in SQLite has no other; in PostgreSQL another node may have it.
///
/// # Errors
/// The store.
pub(super) async fn clean_at_start(database: &Database) -> Result<(), StoreError> {
    if database.dialect() == Dialect::Sqlite {
        database.write(sql("DELETE FROM mailbox_joining")).await?;
    }
    Ok(())
}
