//! The row that is written with each decision: who made it, in which role, proven by what, on which text.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Because, DecideError};
use crate::{
    agreements::{Change, Store, Thumbprint},
    audit::Subject,
    id::cvr::Cvr,
    store::{Query, Row, Session, StoreError, sql},
    users::{
        Actor, User,
        delegation::{ByDelegation, named},
        rights::Role,
        store::known,
    },
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
    /// The delegation by which the user made it for another, and that user; none: in their own right.
    pub by_delegation: Option<ByDelegation>,
    /// The signature of the statement, base64, where the command line made one.
    pub signature: Option<String>,
    /// Why, and when.
    pub because: Because,
    /// When a node put it in its audit chain.
    pub recorded_at: Option<Timestamp>,
}

impl Made {
    /// Who made it, by the names of users, with whom they stood for. None: whoever holds the store.
    pub fn by(&self, name: impl Fn(Uuid) -> Option<String>) -> Option<String> {
        let name = |user: Uuid| name(user).unwrap_or_else(|| user.to_string());
        let user = name(self.user?);
        Some(match self.by_delegation {
            Some(by) => named(&user, &name(by.principal), by.delegation),
            None => user,
        })
    }

    /// The users whose names it takes to say who made it.
    pub fn users(&self) -> impl Iterator<Item = Uuid> + use<> {
        self.user.into_iter().chain(self.by_delegation.map(|by| by.principal))
    }

    /// The user in whose right it was made; none: whoever holds the store.
    pub fn right_of(&self) -> Option<Uuid> {
        self.by_delegation.map_or(self.user, |by| Some(by.principal))
    }
}

/// The users who stand behind a decision: whoever made it, and whom they stood for. None: whoever holds the store.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub(crate) async fn behind(session: &mut Session, made: &Made) -> Result<Vec<User>, DecideError> {
    let mut found = Vec::new();
    for user in made.users() {
        found.push(known(session, user).await?);
    }
    Ok(found)
}

impl Change {
    /// Writes who made a decision beside what it decides. `by`: the user, in which role; none: whoever holds the store. Whoever acts by a
    /// delegation must still be able to: it is judged here, under the lock of what is written.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiNotFound`](crate::refusal::api::ApiRefusal::ApiNotFound): a delegation that was taken back, or a store that does not
    /// answer.
    pub(crate) async fn made_by(
        &mut self,
        by: Option<(&Actor, Role)>,
        what: &What,
        because: &Because,
    ) -> Result<Uuid, DecideError> {
        if let Some((actor, _)) = by {
            self.still_acts(actor, because.at).await?;
        }
        Ok(self.made(by, what, because).await?)
    }

    /// Writes down what the gateway does by itself, or whoever holds the store.
    ///
    /// # Errors
    /// A store that does not answer.
    pub(crate) async fn made_by_nobody(&mut self, what: &What, because: &Because) -> Result<Uuid, StoreError> {
        self.made(None, what, because).await
    }

    async fn made(&mut self, by: Option<(&Actor, Role)>, what: &What, because: &Because) -> Result<Uuid, StoreError> {
        let id = Uuid::now_v7();
        let actor = by.map(|(actor, _)| actor);
        let made = sql(
            "INSERT INTO decision (id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature,
                 shown, reason, decided_at, session, delegation)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
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
        .bind(actor.and_then(Actor::session))
        .bind(actor.and_then(Actor::by_delegation).map(|by| by.delegation));
        self.connection().execute(made).await?;
        let both = actor.and_then(|actor| actor.by_delegation().map(|by| (actor.user().name.clone(), by.principal)));
        self.is_decided_for(both);
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
         decided_at, recorded_at, claimed_by, session, delegation,
         (SELECT principal FROM delegation WHERE delegation.id = decision.delegation) AS stood_for
         FROM decision WHERE subject = $1 AND subject_id = $2 ORDER BY id")
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
             reason, decided_at, recorded_at, claimed_by, session, delegation,
         (SELECT principal FROM delegation WHERE delegation.id = decision.delegation) AS stood_for
         FROM decision ORDER BY id");
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
        by_delegation: match row.maybe("delegation")? {
            // Whose right it was is never left open.
            Some(delegation) => Some(ByDelegation { delegation, principal: row.get("stood_for")? }),
            None => None,
        },
        signature: row.maybe("signature")?,
        because: Because { reason: row.get("reason")?, at: row.get("decided_at")? },
        recorded_at: row.maybe("recorded_at")?,
    })
}
