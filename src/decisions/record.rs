//! The row that is written with each decision: who made it, in which role, proven by what, on which text.

use jiff::Timestamp;
use uuid::Uuid;

use super::Because;
use crate::{
    agreements::{Change, Store, Thumbprint},
    audit::Subject,
    id::cvr::Cvr,
    store::{Query, Row, Session, StoreError, sql},
    users::{Actor, rights::Role},
};

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct What {
    /// On what.
    pub subject: Subject,
    /// Its id.
    pub id: Uuid,
    /// The state before; none for what was not there.
    pub from: Option<String>,
    /// The state after.
    pub to: String,
    /// SHA-256 of the text that was shown, in hexadecimal.
    pub shown: Option<String>,
}

/// One decision as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Made {
    pub id: Uuid,
    pub what: What,
    /// The user; none: whoever holds the store.
    pub user: Option<Uuid>,
    /// The authority or company for which the user acted.
    pub party: Option<Cvr>,
    pub role: Option<Role>,
    /// The certificate that proved the user.
    pub certificate: Option<Thumbprint>,
    /// The session of the console in which it was made, where no certificate was shown.
    pub session: Option<Uuid>,
    /// The signature of the statement, base64, where the command line made one.
    pub signature: Option<String>,
    /// Why, and when.
    pub because: Because,
    /// When a node put it in its audit chain.
    pub recorded_at: Option<Timestamp>,
}

impl Change {
    /// Writes who made a decision beside what it decides. `by`: the user, in which role; none: whoever holds the store.
    ///
    /// # Errors
    /// A store that does not answer.
    pub(crate) async fn made_by(
        &mut self,
        by: Option<(&Actor, Role)>,
        what: &What,
        because: &Because,
    ) -> Result<Uuid, StoreError> {
        let id = Uuid::now_v7();
        let actor = by.map(|(actor, _)| actor);
        let made = sql(
            "INSERT INTO decision (id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature,
                 shown, reason, decided_at, session)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(id)
        .bind(what.subject.name())
        .bind(what.id)
        .bind(&what.from)
        .bind(&what.to)
        .bind(actor.map(|actor| actor.user().id))
        .bind(actor.and_then(|actor| actor.user().party).map(|cvr| cvr.to_string()))
        .bind(by.map(|(_, role)| role.name().to_owned()))
        .bind(actor.and_then(Actor::certificate).map(|shown| shown.to_string()))
        .bind(actor.and_then(Actor::signature).map(str::to_owned))
        .bind(&what.shown)
        .bind(&because.reason)
        .bind(because.at)
        .bind(actor.and_then(Actor::session));
        self.connection().execute(made).await?;
        Ok(id)
    }

    /// The decisions made on one thing, oldest first.
    pub(crate) async fn made_on(&mut self, subject: Subject, id: Uuid) -> Result<Vec<Made>, StoreError> {
        on(self.connection(), subject, id).await
    }
}

/// The same, within whatever is under way.
pub(super) async fn on(session: &mut Session, subject: Subject, id: Uuid) -> Result<Vec<Made>, StoreError> {
    session.all(made_on(subject, id)).await?.iter().map(read).collect()
}

fn made_on(subject: Subject, id: Uuid) -> Query {
    sql("SELECT id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature, shown, reason,
         decided_at, recorded_at, claimed_by, session FROM decision WHERE subject = $1 AND subject_id = $2 ORDER BY id")
    .bind(subject.name())
    .bind(id)
}

impl Store {
    /// Every decision, oldest first.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn every_decision(&self) -> Result<Vec<Made>, StoreError> {
        let query =
            sql("SELECT id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature, shown,
             reason, decided_at, recorded_at, claimed_by, session FROM decision ORDER BY id");
        self.database().all(query).await?.iter().map(read).collect()
    }

    /// The decisions made on one thing, oldest first; those of before users had certificates are not among them.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn made_on(&self, subject: Subject, id: Uuid) -> Result<Vec<Made>, StoreError> {
        self.database().all(made_on(subject, id)).await?.iter().map(read).collect()
    }
}

pub(super) fn read(row: &Row) -> Result<Made, StoreError> {
    let subject: String = row.get("subject")?;
    Ok(Made {
        id: row.get("id")?,
        what: What {
            subject: subject.parse().map_err(|()| StoreError::Unreadable { column: "subject" })?,
            id: row.get("subject_id")?,
            from: row.maybe("from_state")?,
            to: row.get("to_state")?,
            shown: row.maybe("shown")?,
        },
        user: row.maybe("api_user")?,
        party: row.maybe_parsed("party")?,
        role: row.maybe_parsed("role")?,
        certificate: row.maybe_parsed("certificate")?,
        session: row.maybe("session")?,
        signature: row.maybe("signature")?,
        because: Because { reason: row.get("reason")?, at: row.get("decided_at")? },
        recorded_at: row.maybe("recorded_at")?,
    })
}
