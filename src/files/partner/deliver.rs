//! A file comes in: it is taken only where stream and alias belong to the agreement today, and what came is what was announced.

use uuid::Uuid;

use super::agreement::{self, Agreement, Direction, Number, Standing, Stream};
use super::core::{Entered, MailboxError, Mailboxes, Moved, Passing, Purpose, Step, allowed, lock};
use super::pieces;
use super::room;
use super::rows::{self, File, Validation};
use super::users;
use crate::audit::Durable;
use crate::clock::civil_day;
use crate::files::codes::Code;
use crate::files::core::{Failed, drop_content};
use crate::files::home::Problem;
use crate::files::judge::name_is_allowed;
use crate::files::name::Name;
use crate::files::shelf;
use crate::files::users::{count, us};
use crate::objects::{Object, ObjectError, Writing};
use crate::refusal::Detail;
use crate::refusal::Refusal;
use crate::refusal::api::ApiRefusal;
use crate::store::{Session, StoreError, sql, until_it_holds};

/// Days that a file lies where nobody confirms it.
pub const UNFETCHED_DAYS: i64 = 60;

/// What is about to come.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The agreement that it comes from.
    pub number: Number,
    /// The id that its sender gives it: the same once more is the same delivery.
    pub delivery: Uuid,
    /// The stream's code.
    pub stream: String,
    /// The alias's kind and code.
    pub alias: (String, String),
    /// What its sender calls it.
    pub name: Name,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// By which door it comes.
    pub through: Through,
}

/// By which door a file comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The API: its sender knows it by the id of the delivery.
    Api,
    /// The API, in pieces: so many bytes came before the last one.
    Pieces(u64),
    /// SFTP: its sender is told by a receipt. It has lain there under another name, by this upload.
    Sftp(Option<Uuid>),
}

/// What to do with a delivery.
pub enum Begun {
    /// It was taken before; nothing of it is read.
    Known(Box<File>),
    /// Its content is taken.
    Take(Box<Receiving>),
}

/// What an announcement comes to.
pub(super) enum Announced {
    /// It was taken before.
    Known(Box<File>),
    /// It may be taken; so many bytes have come in pieces.
    New {
        /// The agreement that it is delivered under.
        own: Uuid,
        /// Bytes.
        come: u64,
    },
}

/// Where a delivery leads.
pub(super) struct Way {
    pub(super) own: Agreement,
    pub(super) stream: Stream,
    to: Agreement,
}

/// A content that comes in. Dropped before [`Receiving::close`], it leaves nothing.
pub struct Receiving {
    mailboxes: Mailboxes,
    entered: Entered,
    delivery: Delivery,
    writing: Writing,
    _passing: Passing,
}

fn not_agreed() -> MailboxError {
    ApiRefusal::MailboxNotAgreed.into()
}

impl Mailboxes {
    /// Where a delivery leads as things stand, for a user who may deliver it.
    pub(super) async fn way(
        &self,
        session: &mut Session,
        entered: &Entered,
        number: Number,
        stream: &str,
        (kind, code): (&str, &str),
    ) -> Result<Way, MailboxError> {
        let missing = || super::core::nothing("partneraftale", "partner agreement");
        let today = civil_day(self.now()).ok_or(StoreError::Unreadable { column: "today" })?;
        let right = entered.user.right(number).ok_or_else(missing)?;
        let own = agreement::numbered(session, number).await?.ok_or_else(missing)?;
        allowed(&own, right, Purpose::Deliver)?;
        let stream = own.terms.stream(stream, Direction::Out).cloned().ok_or_else(not_agreed)?;
        let to = match stream.counterpart {
            // An institution sends for its own alias.
            Some(counterpart) if own.terms.has_alias(kind, code, today) => agreement::numbered(session, counterpart).await?,
            Some(_) => None,
            // A central system sends to whoever has the alias.
            None => {
                let found = agreement::with_alias(session, kind, code, today).await?;
                found.into_iter().find(|held| held.terms.environment == self.0.environment)
            }
        };
        // The other party has agreed to it too: one of the two names the other, and neither names somebody else.
        let takes = |held: &Agreement| {
            let theirs = held.terms.stream(&stream.code, Direction::In);
            let agreed = theirs.is_some_and(|theirs| match (stream.counterpart, theirs.counterpart) {
                (_, Some(named)) => named == number,
                (ours, None) => ours.is_some(),
            });
            let here = held.terms.environment == self.0.environment;
            agreed && here && held.id != own.id && held.standing == Standing::Active
        };
        let to = to.filter(|held| takes(held)).ok_or_else(not_agreed)?;
        Ok(Way { own, stream, to })
    }

    pub(super) async fn way_of(
        &self,
        session: &mut Session,
        entered: &Entered,
        delivery: &Delivery,
    ) -> Result<Way, MailboxError> {
        let alias = (delivery.alias.0.as_str(), delivery.alias.1.as_str());
        self.way(session, entered, delivery.number, &delivery.stream, alias).await
    }

    /// Whether what is announced may be taken, before anything of it is.
    pub(super) async fn announced(
        &self,
        session: &mut Session,
        entered: &Entered,
        delivery: &Delivery,
    ) -> Result<Announced, MailboxError> {
        if let Err(Code::FIL1004 { what }) = name_is_allowed(&delivery.name) {
            return Err(ApiRefusal::MailboxName { what }.into());
        }
        let way = self.way_of(session, entered, delivery).await?;
        if let Some(known) = known(session, &way.own, delivery).await? {
            return Ok(Announced::Known(Box::new(known)));
        }
        if delivery.size > way.stream.largest_bytes {
            return Err(ApiRefusal::MailboxTooLarge { limit: way.stream.largest_bytes }.into());
        }
        let come = pieces::come(session, way.own.id, delivery).await?;
        let (left, limit) = room::left(session, way.own.id).await?;
        // What has come of it gives way to the whole.
        let left = left.saturating_add(come);
        if delivery.size > left || left == 0 {
            return Err(ApiRefusal::MailboxFull { limit }.into());
        }
        Ok(Announced::New { own: way.own.id, come })
    }

    /// Begins a delivery. What has come of the same in pieces is taken away when all of it is there.
    ///
    /// # Errors
    /// [`MailboxError`]: stream or alias not agreed, too large, an id that was used for something else.
    pub async fn deliver(&self, entered: &Entered, delivery: Delivery) -> Result<Begun, MailboxError> {
        let mut session = self.database().session().await?;
        if let Announced::Known(file) = self.announced(&mut session, entered, &delivery).await? {
            return Ok(Begun::Known(file));
        }
        let passing = self.passing(entered.user.id)?;
        let writing = self.0.parts.objects.begin(delivery.size)?;
        shelf::announce(&mut session, writing.name(), self.now()).await?;
        Ok(Begun::Take(Box::new(Receiving::new(self.clone(), entered.clone(), delivery, writing, passing))))
    }
}

/// A delivery of which only that it was is known.
pub(super) fn is_past(validation: Validation) -> MailboxError {
    ApiRefusal::MailboxDeliveryPast { validation: Detail::name(validation.name()) }.into()
}

/// The same delivery, if it was taken before.
pub(super) async fn known(session: &mut Session, own: &Agreement, delivery: &Delivery) -> Result<Option<File>, MailboxError> {
    let Some(file) = rows::delivered(session, own.id, delivery.delivery).await? else {
        let past = rows::past(session, own.id, delivery.delivery).await?;
        return past.map_or(Ok(None), |validation| Err(is_past(validation)));
    };
    let same = (&file.stream, &file.alias_kind, &file.alias_code, &file.name, file.size, &file.sha256)
        == (&delivery.stream, &delivery.alias.0, &delivery.alias.1, &delivery.name, delivery.size, &delivery.sha256);
    if same { Ok(Some(file)) } else { Err(ApiRefusal::MailboxDeliveryReused.into()) }
}

/// The same file put a moment ago: a client that does not know whether its upload was taken sends it again. Refused or fetched, or a day
/// later, it is another.
async fn just_put(
    session: &mut Session,
    own: &Agreement,
    delivery: &Delivery,
    now: jiff::Timestamp,
) -> Result<Option<File>, StoreError> {
    let since = us(now.checked_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(now));
    let query = super::rows::files_where!(
        "f.sender = $1 AND f.received_us > $2 AND f.stream = $3 AND f.alias_kind = $4 AND f.alias_code = $5 AND f.name = $6
             AND f.sha256 = $7 AND f.by_sftp AND f.validation IN ('MODTAGET', 'GODKENDT') AND f.transport = 'KLAR'
         ORDER BY f.sent LIMIT 1"
    );
    let query = query.bind(own.id).bind(since).bind(&delivery.stream).bind(&delivery.alias.0).bind(&delivery.alias.1);
    let row = session.first(query.bind(delivery.name.spelt()).bind(&delivery.sha256)).await?;
    row.as_ref().map(rows::read).transpose()
}

pub(super) fn differs() -> MailboxError {
    ApiRefusal::MailboxContentDiffers.into()
}

/// Takes more of a content, which is no longer than was announced.
pub(super) async fn written_to(writing: &mut Writing, bytes: &[u8]) -> Result<(), MailboxError> {
    writing.write(bytes).await.map_err(|error| match error {
        ObjectError::TooLong { .. } => differs(),
        error => error.into(),
    })
}

impl Receiving {
    pub(super) fn new(mailboxes: Mailboxes, entered: Entered, delivery: Delivery, writing: Writing, passing: Passing) -> Self {
        Self { mailboxes, entered, delivery, writing, _passing: passing }
    }

    /// Takes more of the content.
    ///
    /// # Errors
    /// [`ApiRefusal::MailboxContentDiffers`] beyond the size that was announced; the object store.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), MailboxError> {
        written_to(&mut self.writing, bytes).await
    }

    /// Ends the content: from then on the file is in the outbox, and its judgement waits; or nothing of it is left.
    ///
    /// # Errors
    /// [`MailboxError`].
    pub async fn close(self) -> Result<File, MailboxError> {
        let Self { mailboxes, entered, delivery, writing, _passing } = self;
        if writing.length() != delivery.size {
            writing.abandon().await;
            return Err(differs());
        }
        let object = writing.finish().await?;
        mailboxes.reached(Step::Stored);
        let taken = match crate::hex::encode(&object.sha256) == delivery.sha256 {
            true => mailboxes.taken(&entered, &delivery, &object).await,
            false => Err(differs()),
        };
        match &taken {
            Ok(file) if file.content == Some(object.name.uuid()) => mailboxes.0.due.notify_one(),
            // Somebody else's delivery of the same was quicker, or it is refused.
            Ok(_) | Err(MailboxError::Refused(_)) => drop_content(&mailboxes.0.parts, Some(object.name.uuid())).await,
            // Whether it was kept is not known; what is in use by nothing is cleaned up later.
            Err(MailboxError::Failed(_)) => {}
        }
        taken
    }
}

impl Mailboxes {
    pub(super) async fn taken(&self, entered: &Entered, delivery: &Delivery, object: &Object) -> Result<File, MailboxError> {
        let mut session = self.database().session().await?;
        let way = self.way_of(&mut session, entered, delivery).await?;
        // What is here already is not delivered, and not recorded as if it were.
        if let Some(known) = self.here(&mut session, &way.own, delivery).await? {
            return Ok(known);
        }
        drop(session);
        let id = Uuid::now_v7();
        let moved = Moved {
            id,
            name: &delivery.name,
            size: delivery.size,
            sha256: &delivery.sha256,
            own: &way.own,
            other: way.to.id,
            recipient: way.to.id,
            receiver: way.to.terms.owner,
        };
        let (mut record, recorded) = self.admitted("AfleverFil", entered, &moved).await?;
        self.reached(Step::Admitted);
        match until_it_holds(async || self.written(entered, delivery, object, id, &recorded).await).await {
            Ok((file, pieces)) => {
                self.reached(Step::Taken);
                self.dropped_aside(pieces);
                // Another was quicker with the same: the record ends with its file.
                record.own_transaction = Some(file.id);
                record.served();
                Ok(file)
            }
            Err(error) => {
                record.refused(&match &error {
                    MailboxError::Refused(refusal) => refusal.clone().into(),
                    MailboxError::Failed(_) => Refusal::Internal,
                });
                Err(error)
            }
        }
    }

    /// The file that a delivery has become before.
    async fn here(&self, session: &mut Session, own: &Agreement, delivery: &Delivery) -> Result<Option<File>, MailboxError> {
        match (known(session, own, delivery).await?, delivery.through) {
            (None, Through::Sftp(_)) => Ok(just_put(session, own, delivery, self.now()).await?),
            (known, _) => Ok(known),
        }
    }

    /// Locks the agreement's row, and asks anew whether a delivery may be taken: a user may have been blocked, or terms have changed,
    /// while the content came.
    pub(super) async fn locked(
        &self,
        session: &mut Session,
        entered: &Entered,
        delivery: &Delivery,
    ) -> Result<(Entered, Way), MailboxError> {
        let own = agreement::numbered(session, delivery.number).await?.ok_or_else(not_agreed)?;
        lock(session, &[own.id]).await?;
        let user = users::who(session, entered.shown).await?.filter(|user| user.is_open(self.now()));
        let entered = Entered { user: user.ok_or(ApiRefusal::MailboxRefused)?, shown: entered.shown };
        let way = self.way_of(session, &entered, delivery).await?;
        Ok((entered, way))
    }

    /// Writes it down. With the file it gives contents of pieces to delete.
    async fn written(
        &self,
        entered: &Entered,
        delivery: &Delivery,
        object: &Object,
        id: Uuid,
        _recorded: &Durable,
    ) -> Result<(File, Vec<Uuid>), MailboxError> {
        let now = self.now();
        let mut transaction = self.database().begin_beside_others().await?;
        let (entered, way) = self.locked(&mut transaction, entered, delivery).await?;
        if let Some(known) = self.here(&mut transaction, &way.own, delivery).await? {
            return Ok((known, Vec::new()));
        }
        if let Through::Pieces(from) = delivery.through {
            // Its sender may have taken them back while they were put together.
            let come = pieces::come(&mut transaction, way.own.id, delivery).await?;
            if come != from {
                return Err(pieces::misplaced(come));
            }
        }
        let pieces = match delivery.through {
            Through::Api | Through::Pieces(_) => pieces::taken_away(&mut transaction, way.own.id, delivery.delivery, now).await?,
            Through::Sftp(_) => Vec::new(),
        };
        if let Through::Sftp(Some(upload)) = delivery.through {
            let gone = sql("DELETE FROM mailbox_upload WHERE id = $1 RETURNING mailbox, size").bind(upload);
            // Delivered by another session under another name, or taken away with its content.
            let gone = transaction.first(gone).await?.ok_or(Failed::Told(Problem::NoSuchFile))?;
            room::give_back(&mut transaction, gone.get("mailbox")?, count(&gone, "size")?).await?;
        }
        room::take(&mut transaction, way.own.id, delivery.size).await?;
        let content = shelf::keep(&mut transaction, object).await?;
        let sent = rows::next(&mut transaction, way.own.id, false).await?;
        let job = self.0.jobs.add(&mut transaction, id.as_bytes(), None).await?;
        let days = jiff::SignedDuration::from_hours(24 * UNFETCHED_DAYS);
        let add = sql("INSERT INTO mailbox_file (id, delivery, sender, recipient, stream, alias_kind, alias_code, name, size, sha256, content,
                 validation, transport, received_us, delivered_by, delete_us, keep_days, sent, job, by_sftp)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'MODTAGET', 'KLAR', $12, $13, $14, $15, $16, $17, $18)")
        .bind(id)
        .bind(delivery.delivery)
        .bind(way.own.id)
        .bind(way.to.id)
        .bind(&delivery.stream)
        .bind(&delivery.alias.0)
        .bind(&delivery.alias.1)
        .bind(delivery.name.spelt())
        .bind(i64::try_from(delivery.size).unwrap_or(i64::MAX))
        .bind(&delivery.sha256)
        .bind(content)
        .bind(us(now))
        .bind(entered.user.id)
        .bind(us(now.checked_add(days).unwrap_or(now)))
        .bind(i64::from(way.stream.keep_days))
        .bind(sent)
        .bind(job)
        .bind(matches!(delivery.through, Through::Sftp(_)));
        transaction.execute(add).await?;
        let file = rows::with_id(&mut transaction, id).await?.ok_or(StoreError::Unreadable { column: "mailbox_file" })?;
        transaction.commit().await.map_err(Failed::from)?;
        Ok((file, pieces))
    }
}
