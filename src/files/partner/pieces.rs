//! A delivery in pieces, so that a long upload goes on where it broke off, on any node. Each piece is a content of its own under a key of
//! its own: what encrypts and digests a content cannot be taken up by another process. The last piece has no row. It and those before it
//! are put together to one content, which is delivered as any other is, by the SHA-256 of the whole.

use std::ops::Range;

use jiff::Timestamp;
use uuid::Uuid;

use super::agreement::{Agreement, Number};
use super::core::{Entered, MailboxError, Mailboxes, Passing, Purpose, Step, lock, nothing};
use super::deliver::{self, Announced, Delivery, Through, differs, known};
use super::joining::{self, Claim};
use super::room;
use super::rows::File;
use crate::files::core::drop_content;
use crate::files::shelf;
use crate::files::users::{count, us};
use crate::objects::{Object, Writing};
use crate::refusal::api::ApiRefusal;
use crate::store::{Session, StoreError, sql, until_it_holds};

/// How small a piece that is not the last may be of any file, in bytes. See [`least`].
pub const LEAST: u64 = 1 << 20;
/// How large a piece may be, in bytes.
pub const MOST: u64 = 64 << 20;
/// In how many pieces a file may come: the rows of all of them are taken away in the transaction that delivers it.
pub const MOST_PIECES: u64 = 10_000;
/// Hours that pieces wait for the next one.
pub(super) const STAY_HOURS: i64 = 24;

/// How small a piece of a file of `size` bytes may be, if it is not the last, in bytes.
pub fn least(size: u64) -> u64 {
    size.div_ceil(MOST_PIECES).clamp(LEAST, MOST)
}

/// What to do with a piece.
pub enum Begun {
    /// All of the file was taken before; nothing of the piece is read.
    Known(Box<File>),
    /// Its content is taken.
    Take(Box<Receiving>),
}

/// What has come, once a piece is there.
#[derive(Debug)]
pub enum Come {
    /// So many bytes, in order.
    Part(u64),
    /// All of it: the file is delivered.
    Whole(Box<File>),
}

/// A piece that comes in. Dropped before [`Receiving::close`], it leaves nothing.
pub struct Receiving {
    mailboxes: Mailboxes,
    entered: Entered,
    delivery: Delivery,
    piece: Range<u64>,
    writing: Writing,
    passing: Passing,
}

/// What was announced of a delivery, in a form that holds no name.
fn announced(delivery: &Delivery) -> String {
    let Delivery { stream, alias: (kind, code), name, size, sha256, .. } = delivery;
    crate::decisions::shown::sha256(&serde_json::json!([stream, kind, code, name.spelt(), size, sha256]).to_string())
}

/// Told where a piece is not the next one.
pub(super) fn misplaced(come: u64) -> MailboxError {
    ApiRefusal::MailboxPiecePlace { offset: come }.into()
}

/// How many bytes of a delivery have come in pieces.
///
/// # Errors
/// [`ApiRefusal::MailboxDeliveryReused`] where they are of something else.
pub(super) async fn come(session: &mut Session, mailbox: Uuid, delivery: &Delivery) -> Result<u64, MailboxError> {
    let (come, of) = standing(session, mailbox, delivery.delivery).await?;
    match of {
        Some(of) if of != announced(delivery) => Err(ApiRefusal::MailboxDeliveryReused.into()),
        _ => Ok(come),
    }
}

/// The same, with what it is of; none: nothing has come. Pieces come without gaps, so the last one tells all: their number must not count
/// each time that one comes.
async fn standing(session: &mut Session, mailbox: Uuid, delivery: Uuid) -> Result<(u64, Option<String>), StoreError> {
    let query = sql("SELECT at, size, announced FROM mailbox_part WHERE mailbox = $1 AND delivery = $2 ORDER BY at DESC LIMIT 1");
    let Some(last) = session.first(query.bind(mailbox).bind(delivery)).await? else { return Ok((0, None)) };
    Ok((count(&last, "at")?.saturating_add(count(&last, "size")?), Some(last.get("announced")?)))
}

/// The pieces of a delivery, in order.
async fn objects(session: &mut Session, mailbox: Uuid, delivery: Uuid) -> Result<Vec<Object>, StoreError> {
    let query = sql("SELECT c.id, c.sealed_key, c.length, c.sha256 FROM mailbox_part p JOIN file_content c ON c.id = p.content
         WHERE p.mailbox = $1 AND p.delivery = $2 AND c.in_use = $3 ORDER BY p.at");
    session.all(query.bind(mailbox).bind(delivery).bind(true)).await?.iter().map(shelf::object_of).collect()
}

/// Takes away what has come of a delivery in pieces, and its keys; its room is free again. Returns the contents to delete. The
/// agreement's row is locked by whoever asks.
pub(super) async fn taken_away(
    session: &mut Session,
    mailbox: Uuid,
    delivery: Uuid,
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    let pieces = sql("SELECT content, size FROM mailbox_part WHERE mailbox = $1 AND delivery = $2 ORDER BY at");
    let pieces = session.all(pieces.bind(mailbox).bind(delivery)).await?;
    if pieces.is_empty() {
        return Ok(Vec::new());
    }
    let (mut contents, mut bytes) = (Vec::new(), 0);
    for piece in &pieces {
        contents.push(piece.get("content")?);
        bytes += count(piece, "size")?;
    }
    shelf::release_pieces(session, mailbox, delivery, now).await?;
    let delete = sql("DELETE FROM mailbox_part WHERE mailbox = $1 AND delivery = $2");
    session.execute(delete.bind(mailbox).bind(delivery)).await?;
    room::give_back_all(session, mailbox, bytes, pieces.len() as u64).await?;
    Ok(contents)
}

impl Mailboxes {
    /// Begins a piece of a delivery: the bytes `piece` of it, which are what is next.
    ///
    /// # Errors
    /// [`MailboxError`]: as of a whole delivery; [`ApiRefusal::MailboxPiecePlace`]; [`ApiRefusal::MailboxJoining`] of the last one.
    pub async fn deliver_piece(&self, entered: &Entered, delivery: Delivery, piece: Range<u64>) -> Result<Begun, MailboxError> {
        let mut session = self.database().session().await?;
        let (own, come) = match self.announced(&mut session, entered, &delivery).await? {
            Announced::Known(file) => return Ok(Begun::Known(file)),
            Announced::New { own, come } => (own, come),
        };
        if piece.start != come {
            return Err(misplaced(come));
        }
        // Nothing of the last piece is read where nothing could be done with it: its sender would send it again and again.
        if piece.end == delivery.size
            && let Some(seconds) = joining::left(&mut session, own, delivery.delivery).await?
        {
            return Err(ApiRefusal::MailboxJoining { seconds }.into());
        }
        let passing = self.passing(entered.user.id)?;
        let writing = self.0.parts.objects.begin(piece.end.saturating_sub(piece.start))?;
        shelf::announce(&mut session, writing.name(), self.now()).await?;
        let (mailboxes, entered) = (self.clone(), entered.clone());
        Ok(Begun::Take(Box::new(Receiving { mailboxes, entered, delivery, piece, writing, passing })))
    }

    /// How many bytes of a delivery have come in pieces.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiNotFound`] where none has; [`MailboxError`].
    pub async fn come(&self, entered: &Entered, number: Number, delivery: Uuid) -> Result<u64, MailboxError> {
        let own = self.agreement(entered, number, Purpose::Deliver).await?;
        match standing(&mut self.database().session().await?, own.id, delivery).await? {
            (come, Some(_)) => Ok(come),
            (_, None) => Err(nothing("aflevering i stykker", "delivery in pieces").into()),
        }
    }

    /// Takes back what has come of a delivery in pieces: its room is free again, and nothing is delivered of it, also where it is being put
    /// together just now.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiNotFound`] where nothing has come, or all of it is delivered; [`MailboxError`].
    pub async fn take_back(&self, entered: &Entered, number: Number, delivery: Uuid) -> Result<(), MailboxError> {
        let own = self.agreement(entered, number, Purpose::Deliver).await?;
        let gone = self.let_go(own.id, delivery, None).await?;
        if gone.is_empty() {
            return Err(nothing("aflevering i stykker", "delivery in pieces").into());
        }
        self.dropped_aside(gone);
        Ok(())
    }

    /// Said once of a node that starts, before anything is delivered: nobody puts a delivery together in a store that has no other node.
    ///
    /// # Errors
    /// The store.
    pub async fn started(&self) -> Result<(), StoreError> {
        joining::clean_at_start(self.database()).await
    }

    /// Said once of a node that stops, after its last request: another puts together what this one had begun to, and judges what this one
    /// was judging, without waiting.
    pub async fn stopped(&self) {
        self.0.claims.give_back(self.database()).await;
        self.judges_no_more().await;
    }

    /// Said of a node that works on no more files: what it was judging is another's at once.
    pub async fn judges_no_more(&self) {
        if let Err(error) = self.0.jobs.give_back().await {
            tracing::warn!(%error, "files of mailboxes that were being judged wait for their leases' ends");
        }
    }

    /// Deletes contents whose keys are gone, without keeping anybody waiting. What is not deleted here is cleaned up later.
    pub(super) fn dropped_aside(&self, contents: Vec<Uuid>) {
        if contents.is_empty() {
            return;
        }
        let parts = self.0.parts.clone();
        tokio::spawn(async move {
            for content in contents {
                drop_content(&parts, Some(content)).await;
            }
        });
    }

    /// Takes away the pieces of a delivery, or with `before_us` only where none came since. Returns how many those were.
    pub(super) async fn pieces_gone(&self, mailbox: Uuid, delivery: Uuid, before_us: Option<i64>) -> Result<usize, MailboxError> {
        let gone = self.let_go(mailbox, delivery, before_us).await?;
        for content in &gone {
            drop_content(&self.0.parts, Some(*content)).await;
        }
        Ok(gone.len())
    }

    /// The same, and gives the contents to delete.
    async fn let_go(&self, mailbox: Uuid, delivery: Uuid, before_us: Option<i64>) -> Result<Vec<Uuid>, MailboxError> {
        let now = self.now();
        until_it_holds(async || -> Result<Vec<Uuid>, MailboxError> {
            let mut transaction = self.database().begin_beside_others().await?;
            lock(&mut transaction, &[mailbox]).await?;
            let later = sql("SELECT at FROM mailbox_part WHERE mailbox = $1 AND delivery = $2 AND since_us > $3 LIMIT 1");
            let later = later.bind(mailbox).bind(delivery).bind(before_us.unwrap_or(i64::MAX));
            if transaction.first(later).await?.is_some() {
                return Ok(Vec::new());
            }
            let gone = taken_away(&mut transaction, mailbox, delivery, now).await?;
            transaction.commit().await?;
            Ok(gone)
        })
        .await
    }

    /// Keeps a piece, if it is the next one also now that the agreement's row is locked.
    async fn piece_kept(
        &self,
        entered: &Entered,
        delivery: &Delivery,
        piece: &Range<u64>,
        object: &Object,
    ) -> Result<Come, MailboxError> {
        let mut transaction = self.database().begin_beside_others().await?;
        let (_, way) = self.locked(&mut transaction, entered, delivery).await?;
        if let Some(known) = known(&mut transaction, &way.own, delivery).await? {
            return Ok(Come::Whole(Box::new(known)));
        }
        let come = come(&mut transaction, way.own.id, delivery).await?;
        if come != piece.start {
            return Err(misplaced(come));
        }
        room::take(&mut transaction, way.own.id, object.length).await?;
        let content = shelf::keep(&mut transaction, object).await?;
        let add = sql("INSERT INTO mailbox_part (mailbox, delivery, at, size, content, announced, since_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(way.own.id)
        .bind(delivery.delivery)
        .bind(i64::try_from(piece.start).unwrap_or(i64::MAX))
        .bind(i64::try_from(object.length).unwrap_or(i64::MAX))
        .bind(content)
        .bind(announced(delivery))
        .bind(us(self.now()));
        transaction.execute(add).await?;
        transaction.commit().await?;
        Ok(Come::Part(piece.end))
    }

    /// Delivers what came before `from` with the last piece. It is done once at a time, by whichever node: a sender that no longer waits for
    /// the answer and sends the last piece again would have all of it read and written beside the first.
    ///
    /// # Errors
    /// [`ApiRefusal::MailboxJoining`]: it is under way, and is there when it is asked for again.
    async fn put_together(
        &self,
        entered: Entered,
        delivery: Delivery,
        from: u64,
        last: &Object,
        passing: Passing,
    ) -> Result<File, MailboxError> {
        let own = self.way_of(&mut self.database().session().await?, &entered, &delivery).await?.own;
        let Some(claim) = Claim::take(self.database(), &self.0.claims, own.id, delivery.delivery).await? else {
            let left = joining::left(&mut self.database().session().await?, own.id, delivery.delivery).await?;
            return Err(ApiRefusal::MailboxJoining { seconds: left.unwrap_or(1) }.into());
        };
        let done = self.put_together_alone(&own, entered, delivery, (from, last), passing, &claim).await;
        claim.give_back().await;
        done
    }

    async fn put_together_alone(
        &self,
        own: &Agreement,
        entered: Entered,
        delivery: Delivery,
        (from, last): (u64, &Object),
        passing: Passing,
        claim: &Claim,
    ) -> Result<File, MailboxError> {
        let mut session = self.database().session().await?;
        let mut pieces = objects(&mut session, own.id, delivery.delivery).await?;
        let come = pieces.iter().map(|piece| piece.length).sum::<u64>();
        if come != from {
            let known = known(&mut session, own, &delivery).await?;
            return known.ok_or_else(|| misplaced(come));
        }
        let writing = self.0.parts.objects.begin(delivery.size)?;
        shelf::announce(&mut session, writing.name(), self.now()).await?;
        drop(session);
        pieces.push(last.clone());
        let delivery = Delivery { through: Through::Pieces(from), ..delivery };
        let whole = deliver::Receiving::new(self.clone(), entered, delivery.clone(), writing, passing);
        let error = match self.joined(whole, &pieces, claim).await {
            Ok(file) => return Ok(file),
            Err(error) => error,
        };
        if matches!(error, MailboxError::Refused(ApiRefusal::MailboxContentDiffers)) {
            // What lies there is not what was announced: it is sent anew, from its beginning.
            self.pieces_gone(own.id, delivery.delivery, None).await?;
        } else if matches!(error, MailboxError::Failed(_) | MailboxError::Refused(ApiRefusal::MailboxJoining { .. })) {
            // Another request may have put it together meanwhile, and taken the pieces away.
            let known = known(&mut self.database().session().await?, own, &delivery).await?;
            if let Some(known) = known {
                return Ok(known);
            }
        }
        Err(error)
    }

    async fn joined(&self, mut whole: deliver::Receiving, pieces: &[Object], claim: &Claim) -> Result<File, MailboxError> {
        for piece in pieces {
            let mut reading = self.0.parts.objects.read(piece, 0).await?;
            while let Some(bytes) = reading.next().await? {
                if claim.is_lost() {
                    return Err(ApiRefusal::MailboxJoining { seconds: 1 }.into());
                }
                whole.write(&bytes).await?;
            }
        }
        whole.close().await
    }
}

impl Receiving {
    /// Takes more of the piece.
    ///
    /// # Errors
    /// [`ApiRefusal::MailboxContentDiffers`] beyond the piece's length; the object store.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), MailboxError> {
        deliver::written_to(&mut self.writing, bytes).await
    }

    /// Ends the piece: from then on it is kept, or with the last one the file is in the outbox; or nothing of the piece is left.
    ///
    /// # Errors
    /// [`MailboxError`]. [`ApiRefusal::MailboxContentDiffers`] where the piece is not as long as it says, which leaves the others; and after
    /// the last piece where the SHA-256 of the whole is another, which leaves nothing of the others either. What has come tells which.
    pub async fn close(self) -> Result<Come, MailboxError> {
        let Self { mailboxes, entered, delivery, piece, writing, passing } = self;
        if writing.length() != piece.end.saturating_sub(piece.start) {
            writing.abandon().await;
            return Err(differs());
        }
        let object = writing.finish().await?;
        mailboxes.reached(Step::Piece);
        let content = Some(object.name.uuid());
        if piece.end < delivery.size {
            let kept = until_it_holds(async || mailboxes.piece_kept(&entered, &delivery, &piece, &object).await).await;
            // After another error it is not known whether it was kept.
            if matches!(kept, Ok(Come::Whole(_)) | Err(MailboxError::Refused(_))) {
                drop_content(&mailboxes.0.parts, content).await;
            }
            return kept;
        }
        let whole = mailboxes.put_together(entered, delivery, piece.start, &object, passing).await;
        drop_content(&mailboxes.0.parts, content).await;
        whole.map(|file| Come::Whole(Box::new(file)))
    }
}
