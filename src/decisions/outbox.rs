//! The decisions that wait for a place in an audit chain.
//!
//! A node claims some, writes each into its chain, and says so. A claim whose node has gone is taken over after
//! [`CLAIM`]; whoever takes it over looks in its own chain first, so that a decision stands there once.

use std::borrow::Cow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    record::{self, Made},
    shown::sha256,
};
use crate::{
    agreements::Store,
    audit::Decided,
    store::{StoreError, by_dialect, sql, until_it_holds},
};

/// How long a claim holds.
pub const CLAIM: Duration = Duration::from_secs(60);

/// The most that are claimed at once.
const BATCH: i64 = 100;

/// A decision that waits, and whether somebody had claimed it before: it may have been written then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What is to be written.
    pub decided: Decided,
    /// Whether it may stand in a chain already.
    pub again: bool,
}

impl Store {
    /// Claims the oldest decisions that wait, for the node `node`. Those that this release cannot read are left, and logged.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn claim_unrecorded(&self, node: Uuid, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        let stale = now - SignedDuration::try_from(CLAIM).unwrap_or(SignedDuration::ZERO);
        // Looked at first, without a lock: most of the time there is nothing.
        if self.database().first(sql("SELECT id FROM decision WHERE recorded_at IS NULL LIMIT 1")).await?.is_none() {
            return Ok(Vec::new());
        }
        let waiting = by_dialect(
            "SELECT id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature, shown, reason,
                 decided_at, recorded_at, claimed_by, session, delegation,
         (SELECT principal FROM delegation WHERE delegation.id = decision.delegation) AS stood_for
         FROM decision
             WHERE recorded_at IS NULL AND (claimed_at IS NULL OR claimed_at < $1 OR claimed_by = $2) AND id > $3
             ORDER BY id LIMIT $4",
            "SELECT id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature, shown, reason,
                 decided_at, recorded_at, claimed_by, session, delegation,
         (SELECT principal FROM delegation WHERE delegation.id = decision.delegation) AS stood_for
         FROM decision
             WHERE recorded_at IS NULL AND (claimed_at IS NULL OR claimed_at < $1 OR claimed_by = $2) AND id > $3
             ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED",
        );
        until_it_holds(async || {
            let mut transaction = self.database().begin_beside_others().await?;
            let (mut claimed, mut unreadable, mut after) = (Vec::new(), 0_usize, Uuid::nil());
            loop {
                let rows = transaction.all(waiting.clone().bind(stale).bind(node).bind(after).bind(BATCH)).await?;
                let Some(last) = rows.last() else { break };
                after = last.get("id")?;
                for row in &rows {
                    // One that a later release wrote waits for a node of that; it must not keep back those after it.
                    let Ok(made) = record::read(row) else {
                        unreadable += 1;
                        continue;
                    };
                    let again = row.maybe::<Uuid>("claimed_by")?.is_some();
                    let claim =
                        sql("UPDATE decision SET claimed_by = $1, claimed_at = $2 WHERE id = $3").bind(node).bind(now).bind(made.id);
                    transaction.execute(claim).await?;
                    claimed.push(Waiting { decided: decided(made), again });
                }
                if !claimed.is_empty() {
                    break;
                }
            }
            transaction.commit().await?;
            if unreadable > 0 {
                tracing::error!(
                    unreadable,
                    "decisions that this release cannot read wait for the audit chain; a node of the release that wrote them puts them there"
                );
            }
            Ok::<_, StoreError>(claimed)
        })
        .await
    }

    /// Notes that a decision stands in a chain.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn recorded(&self, decision: Uuid, at: Timestamp) -> Result<(), StoreError> {
        let written = sql("UPDATE decision SET recorded_at = $1 WHERE id = $2 AND recorded_at IS NULL").bind(at).bind(decision);
        self.database().write(written).await.map(drop)
    }
}

/// What the chain has of a decision: no name, and of the words their digest alone.
pub fn decided(made: Made) -> Decided {
    Decided {
        decision: made.id,
        decided_at: made.because.at,
        subject: made.what.subject,
        id: made.what.id,
        from: made.what.from.map(Cow::Owned),
        to: Cow::Owned(made.what.to),
        user: made.user,
        role: made.role.map(|role| Cow::Borrowed(role.name())),
        certificate: made.certificate,
        session: made.session,
        delegation: made.by_delegation.map(|by| by.delegation),
        signature_sha256: made.signature.as_deref().map(sha256),
        shown_sha256: made.what.shown,
        reason_sha256: sha256(&made.because.reason),
    }
}
