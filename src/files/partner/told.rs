//! What the functional mailbox of a partner agreement is told by mail: a name that was given in another case. Of silence and of unread
//! files: [`super::silence`].

use jiff::Timestamp;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::agreement::{Agreement, numbered};
use super::core::Mailboxes;
use super::users::{self, User};
use crate::clock::civil_day;
use crate::files::users::is_name;
use crate::notices::{Kind, Notice, outbox};
use crate::store::{Session, StoreError, sql, until_it_holds};

/// How many users of one name in other cases are told, at most.
const ALIKE: i64 = 5;

fn notice(kind: Kind, own: &Agreement, at: Timestamp, reason: &str) -> Notice {
    Notice {
        kind,
        name: own.terms.number.to_string(),
        english: None,
        by: None,
        page: "/".to_owned(),
        authority: Some(own.terms.owner),
        service: None,
        system: None,
        environment: Some(own.terms.environment.to_string()),
        at: Some(at),
        reason: Some(reason.to_owned()),
        differs: Vec::new(),
    }
}

impl Mailboxes {
    async fn notify_once(&self, own: &Agreement, notice: &Notice, mark: &str) -> Result<(), StoreError> {
        let contact = &own.terms.contact.email;
        let nobody = outbox::nobody(mark, [contact.as_str()]);
        // Looked at first: whoever guesses names sets no pace of writing or of the log.
        let mut session = self.database().session().await?;
        if outbox::was_given(&mut session, mark).await? || outbox::was_given(&mut session, &nobody).await? {
            return Ok(());
        }
        drop(session);
        until_it_holds(async || {
            let mut transaction = self.database().begin_beside_others().await?;
            let goes = outbox::notify_mailbox(self.database(), &mut transaction, contact, notice).await?;
            // Noted as told where a letter goes alone.
            if outbox::gives(&mut transaction, if goes { mark } else { &nobody }, self.now()).await? {
                transaction.commit().await?;
            }
            Ok(())
        })
        .await
    }

    /// Somebody gave a name by SFTP under which nobody may log on. Whoever did is answered as everybody; looked at aside, one at a time,
    /// so that neither the time nor a flood of names tells or costs anything.
    pub(super) fn not_let_in(&self, name: &str) {
        let (true, Ok(turn)) = (is_name(name), self.0.looking.clone().try_acquire_owned()) else { return };
        let (mailboxes, name) = (self.clone(), name.to_owned());
        tokio::spawn(async move {
            let _turn = turn;
            if let Err(error) = mailboxes.looked_at(&name).await {
                tracing::warn!(%error, "it is not known whose name was given in another case");
            }
        });
    }

    /// A connection gave a user's name and keys that are not its own. Noted aside, one after the other.
    pub(super) fn wrong_key(&self, user: Uuid) {
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.0.wrong_keys.add(user) {
            return;
        }
        let mailboxes = self.clone();
        runtime.spawn(async move {
            while let Some(user) = mailboxes.0.wrong_keys.take() {
                if let Err(error) = mailboxes.note_refused(user).await {
                    tracing::warn!(%error, "it is not noted that a user of mailboxes gave a wrong key");
                }
            }
        });
    }

    /// Notes that a user was refused, once a minute at the most.
    ///
    /// # Errors
    /// The store.
    pub async fn note_refused(&self, user: Uuid) -> Result<(), StoreError> {
        users::refused(&mut self.database().session().await?, user, self.now()).await
    }

    /// Notes that a user was refused; tells those of a name in another case how to write it, once a day.
    pub async fn looked_at(&self, name: &str) -> Result<(), StoreError> {
        let now = self.now();
        let mut session = self.database().session().await?;
        let alike = alike(&mut session, name).await?;
        let mut tell = Vec::new();
        for user in alike.into_iter().filter(|user| user.environment == self.0.environment) {
            if user.name == name {
                users::refused(&mut session, user.id, now).await?;
                continue;
            }
            for right in &user.rights {
                if let Some(own) = numbered(&mut session, right.number).await? {
                    tell.push((user.name.clone(), own));
                }
            }
        }
        // Given back first: SQLite has one writer at a time.
        drop(session);
        let day = civil_day(now).ok_or(StoreError::Unreadable { column: "today" })?;
        for (name, own) in tell {
            let reason = format!("Brugernavnet skrives netop sådan: {name}");
            let notice = notice(Kind::LogOnName, &own, now, &reason);
            self.notify_once(&own, &notice, &format!("name {} {name} {day}", own.terms.number)).await?;
        }
        Ok(())
    }
}

/// Users of a name, whatever its case.
async fn alike(session: &mut Session, name: &str) -> Result<Vec<User>, StoreError> {
    let ids = sql("SELECT id FROM mailbox_user WHERE lower(name) = lower($1) AND state <> 'SLETTET' ORDER BY name LIMIT $2");
    let mut found = Vec::new();
    for row in session.all(ids.bind(name).bind(ALIKE)).await? {
        found.extend(users::with_id(session, row.get::<Uuid>("id")?).await?);
    }
    Ok(found)
}
