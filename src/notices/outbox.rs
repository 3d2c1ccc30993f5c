//! The outbox: a letter to each who is told, written down in the transaction of what it tells.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Notice;
use super::address::{self, Language, everybody};
use super::audience::Audience;
use crate::agreements::{Change, Store};
use crate::store::jobs::{JobError, Jobs, Rules};
use crate::store::{Database, Session, StoreError, Transaction, sql};

/// The kind of the jobs.
pub const KIND: &str = "notice";

/// How long it is remembered that a notice was given, in days: longer than any is ahead of what it tells.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(400 * 24);

/// A letter that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Its id: the letter's Message-ID, however often it is sent.
    pub id: Uuid,
    /// To whom.
    pub to: String,
    /// In which language.
    pub language: Language,
    /// What.
    pub notice: Notice,
}

/// The letters: tried for half a day, then given up.
pub fn jobs(database: &Database) -> Jobs {
    let rules = Rules {
        lease: Duration::from_secs(180),
        attempts: 15,
        first_pause: Duration::from_secs(30),
        longest_pause: Duration::from_secs(3600),
    };
    Jobs::new(database.clone(), KIND, rules)
}

impl Change {
    /// Puts a letter to each of `audience` in the outbox; how many. To each address it goes once, whatever roles its user has. What was decided
    /// on an agreement for somebody by delegation is told to them too.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn notify(
        &mut self,
        database: &Database,
        notice: &Notice,
        audience: &[Audience],
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut told = everybody(self.connection(), now).await?;
        let both = self.decided_for().cloned();
        let principal = both.as_ref().filter(|_| notice.kind.is_decided()).map(|(_, principal)| Audience::User(*principal));
        told.retain(|told| audience.iter().chain(&principal).any(|audience| audience.has(told)));
        told.sort_by(|one, other| one.address.cmp(&other.address));
        told.dedup_by(|one, other| one.address == other.address);
        if told.is_empty() {
            tracing::warn!(kind = ?notice.kind, page = notice.page, "nobody who is to be told has an e-mail address; `hjemmel user mail` gives one");
        }
        let jobs = jobs(database);
        let notice = Notice { by: both.map(|(by, _)| by), ..notice.clone() };
        for told in &told {
            let waiting =
                Waiting { id: Uuid::new_v4(), to: told.address.clone(), language: told.language, notice: notice.clone() };
            let payload = serde_json::to_vec(&waiting).map_err(|_| StoreError::Unreadable { column: "payload" })?;
            match jobs.add(self.transaction(), &payload, None).await {
                Ok(_) => {}
                Err(JobError::Store(error)) => return Err(error),
                // What differs between two versions may be long: it is read where one logs on.
                Err(error) => tracing::warn!(%error, kind = ?notice.kind, "a notice could not be written down"),
            }
        }
        Ok(told.len())
    }

    /// Whether anybody of `audience` is told by mail at `now`.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn reaches(&mut self, audience: &[Audience], now: Timestamp) -> Result<bool, StoreError> {
        let all = everybody(self.connection(), now).await?;
        Ok(all.iter().any(|told| audience.iter().any(|audience| audience.has(told))))
    }

    /// Notes that a notice is given which time alone brings about; false where it was given before.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn gives(&mut self, mark: &str, at: Timestamp) -> Result<bool, StoreError> {
        gives(self.connection(), mark, at).await
    }

    /// Takes the next of so many places; false where all are taken.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn takes_place(&mut self, places: &str, most: u32, at: Timestamp) -> Result<bool, StoreError> {
        // They are taken in their order: the first that is free is found by halves.
        let (mut taken, mut free) = (0, most);
        while taken < free {
            let middle = taken + (free - taken) / 2;
            match was_given(self.connection(), &format!("{places} {middle}")).await? {
                true => taken = middle + 1,
                false => free = middle,
            }
        }
        Ok(taken < most && self.gives(&format!("{places} {taken}"), at).await?)
    }

    /// Notes the same of a notice that may be given again: false where it was given within `pause` before `at`.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn gives_again(&mut self, mark: &str, at: Timestamp, pause: SignedDuration) -> Result<bool, StoreError> {
        let note = sql("INSERT INTO notice_given (mark, at) VALUES ($1, $2)
             ON CONFLICT (mark) DO UPDATE SET at = excluded.at WHERE notice_given.at <= $3");
        Ok(self.connection().execute(note.bind(mark).bind(at).bind(at - pause)).await? == 1)
    }
}

/// The same, in whatever transaction.
///
/// # Errors
/// A store that does not answer.
pub async fn gives(session: &mut Session, mark: &str, at: Timestamp) -> Result<bool, StoreError> {
    let note = sql("INSERT INTO notice_given (mark, at) VALUES ($1, $2) ON CONFLICT (mark) DO NOTHING");
    Ok(session.execute(note.bind(mark).bind(at)).await? == 1)
}

/// Whether it was given.
///
/// # Errors
/// A store that does not answer.
pub async fn was_given(session: &mut Session, mark: &str) -> Result<bool, StoreError> {
    let known = sql("SELECT 1 AS known FROM notice_given WHERE mark = $1").bind(mark);
    Ok(session.first(known).await?.is_some())
}

/// The mark under which it is kept that no letter goes to any of these functional mailboxes for what `mark` names: that is said once,
/// and is not written again and again. What was told to nobody is not noted as told; where another mailbox is named it is told at once.
pub fn nobody<'a>(mark: &str, mailboxes: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = Context::new(&SHA256);
    all.update(mark.as_bytes());
    for mailbox in mailboxes {
        all.update(b"\n");
        all.update(mailbox.as_bytes());
    }
    format!("nobody/{}", crate::hex::encode(all.finish().as_ref()))
}

/// Puts a letter to a functional mailbox in the outbox, with whatever else `transaction` writes; false where none goes to it, which the
/// log says: what is named is no address that mail goes to, or the letter is too long.
///
/// # Errors
/// A store that does not answer.
pub async fn notify_mailbox(
    database: &Database,
    transaction: &mut Transaction,
    mailbox: &str,
    notice: &Notice,
) -> Result<bool, StoreError> {
    let Ok(to) = address::read(mailbox) else {
        tracing::error!(
            kind = ?notice.kind, about = notice.name,
            "nobody is told: the functional mailbox is no e-mail address that mail goes to; mend it in the agreement or the order"
        );
        return Ok(false);
    };
    let waiting = Waiting { id: Uuid::new_v4(), to, language: Language::Da, notice: notice.clone() };
    let payload = serde_json::to_vec(&waiting).map_err(|_| StoreError::Unreadable { column: "payload" })?;
    match jobs(database).add(transaction, &payload, None).await {
        Ok(_) => Ok(true),
        Err(JobError::Store(error)) => Err(error),
        Err(error) => {
            tracing::error!(%error, kind = ?notice.kind, about = notice.name, "nobody is told: the notice could not be written down");
            Ok(false)
        }
    }
}

impl Store {
    /// Whether a notice that time alone brings about was given.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn was_given(&self, mark: &str) -> Result<bool, StoreError> {
        was_given(&mut self.database().session().await?, mark).await
    }

    /// Whether one that is given again was given after `since`.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn was_given_since(&self, mark: &str, since: Timestamp) -> Result<bool, StoreError> {
        let known = sql("SELECT 1 AS known FROM notice_given WHERE mark = $1 AND at > $2").bind(mark).bind(since);
        Ok(self.database().first(known).await?.is_some())
    }

    /// Forgets which notices were given long ago; how many there were.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn forget_notices(&self, now: Timestamp) -> Result<u64, StoreError> {
        let forget = sql("DELETE FROM notice_given WHERE at < $1").bind(now - REMEMBERED);
        self.database().execute(forget).await
    }
}
