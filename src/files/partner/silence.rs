//! Streams on which nothing was exchanged within the agreed rhythm, and files that lie or go unread, each with its likely cause: told by
//! mail to the agreement's contact, once, whatever node sees it and however often it starts.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::agreement::{self, Agreement, Direction, Number, Standing, Stream};
use super::core::Mailboxes;
use super::rows::File;
use crate::clock::civil_day;
use crate::files::users::{instant, us};
use crate::notices::{Kind, Notice, outbox};
use crate::refusal::Detail;
use crate::store::{Row, Session, StoreError, Transaction, sql};

/// How long an approved file may lie unread before both parties are told.
const UNREAD: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many of them are told at a time.
const MOST: i64 = 200;

/// How long a file may wait for its judgement before the fault is ours.
const STUCK: SignedDuration = SignedDuration::from_mins(15);

/// Why nothing was exchanged, as far as it can be seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// No user of the agreement was ever let in.
    NeverConnected,
    /// A user was refused since it was last let in: its key was wrong, or it is blocked, has expired or is deleted.
    LogOnRefused,
    /// Users were let in; what lies there was not fetched.
    NothingFetched,
    /// Users were let in, and delivered nothing.
    NothingDelivered,
    /// Nothing came for it from the other party.
    NothingSent,
    /// Files wait for their judgement here.
    OwnFault,
}

impl Cause {
    /// Each.
    pub const ALL: [Self; 6] = [
        Self::NeverConnected,
        Self::LogOnRefused,
        Self::NothingFetched,
        Self::NothingDelivered,
        Self::NothingSent,
        Self::OwnFault,
    ];

    /// The name in metrics and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverConnected => "never_connected",
            Self::LogOnRefused => "log_on_refused",
            Self::NothingFetched => "nothing_fetched",
            Self::NothingDelivered => "nothing_delivered",
            Self::NothingSent => "nothing_sent",
            Self::OwnFault => "own_fault",
        }
    }

    /// What a person is told.
    pub fn describe(self) -> Detail {
        let (da, en) = match self {
            Self::NeverConnected => ("ingen af aftalens brugere har været logget på", "no user of the agreement was ever let in"),
            Self::LogOnRefused => (
                "en bruger er blevet afvist: nøglen er en anden, eller brugeren er spærret, udløbet eller slettet",
                "a user was refused: the key is another, or the user is blocked, has expired or is deleted",
            ),
            Self::NothingFetched => ("brugeren er logget på, men henter ikke", "the user is let in, and fetches nothing"),
            Self::NothingDelivered => ("brugeren er logget på, men afleverer ikke", "the user is let in, and delivers nothing"),
            Self::NothingSent => ("modparten har intet sendt", "the other party has sent nothing"),
            Self::OwnFault => ("filer venter på validering hos platformen", "files wait to be validated here"),
        };
        Detail::new(da, en)
    }
}

/// A stream that is silent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Silent {
    /// The agreement.
    pub number: Number,
    /// The stream's code.
    pub stream: String,
    /// Which way it goes.
    pub direction: Direction,
    /// When something was last exchanged, or since when something is expected.
    pub since: Timestamp,
    /// The likely cause.
    pub cause: Cause,
}

/// What was silent at the look before, so that its end is told.
#[derive(Debug, Default)]
pub(super) struct Heard(BTreeSet<(Number, String, Direction, Cause)>);

impl Heard {
    pub(super) fn log_ends(&mut self, silent: &[Silent]) {
        let now: BTreeSet<_> =
            silent.iter().map(|silent| (silent.number, silent.stream.clone(), silent.direction, silent.cause)).collect();
        for (number, stream, direction, cause) in self.0.difference(&now) {
            let (direction, cause) = (direction.name(), cause.name());
            tracing::info!(agreement = %number, stream, direction, cause, "a stream of a mailbox is no longer silent so");
        }
        self.0 = now;
    }
}

impl Mailboxes {
    /// The streams that are silent now.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn silent(&self) -> Result<Vec<Silent>, StoreError> {
        let mut silent = silent(&mut self.database().session().await?, self.now()).await?;
        silent.sort();
        Ok(silent)
    }

    /// Tells the contact of each agreement of its silent streams. How many were told.
    ///
    /// # Errors
    /// The store does not answer; who was told is not told again.
    pub async fn notify_of_silence(&self, silent: &[Silent]) -> Result<usize, StoreError> {
        let (now, mut told) = (self.now(), 0);
        for silent in silent {
            let Silent { number, stream, direction, since, cause } = silent;
            let (way, why) = (direction.name(), cause.name());
            let mark = format!("mailbox-silent/{number}/{stream}/{way}/{}/{why}", us(*since));
            let mut session = self.database().session().await?;
            if outbox::was_given(&mut session, &mark).await? {
                continue;
            }
            let Some(held) = agreement::numbered(&mut session, *number).await? else { continue };
            let contact = &held.terms.contact.email;
            let nobody = outbox::nobody(&mark, [contact.as_str()]);
            if outbox::was_given(&mut session, &nobody).await? {
                continue;
            }
            // The session is given back first: SQLite has one writer at a time.
            drop(session);
            let mut transaction = self.database().begin_beside_others().await?;
            let notice = notice(Kind::Silence, &held, format!("{number} {stream} {way}"), *since, *cause);
            let goes = outbox::notify_mailbox(self.database(), &mut transaction, contact, &notice).await?;
            if outbox::gives(&mut transaction, if goes { &mark } else { &nobody }, now).await? {
                transaction.commit().await?;
                told += usize::from(goes);
                tracing::warn!(agreement = %number, stream, direction = way, %since, cause = why, "a stream of a mailbox is silent");
            }
        }
        Ok(told)
    }

    /// Tells both parties of approved files that have lain unread for a week: for a stream from one to the other once, until the oldest of
    /// them is another. How many were told.
    ///
    /// # Errors
    /// As [`Mailboxes::notify_of_silence`].
    pub async fn notify_of_unread(&self) -> Result<usize, StoreError> {
        let (mut told, mut after) = (0, (Uuid::nil(), Uuid::nil(), String::new()));
        loop {
            let rows = self.unread_after(&after).await?;
            for row in &rows {
                after = (row.get("recipient")?, row.get("sender")?, row.get("stream")?);
                match self.notify_of_unread_of(&after, row.get("oldest")?).await {
                    Ok(now) => told += usize::from(now),
                    // One agreement that cannot be read keeps nothing from the others.
                    Err(error @ StoreError::Unreadable { .. }) => {
                        tracing::error!(%error, recipient = %after.0, sender = %after.1, "it is not told that files of a mailbox lie unread");
                    }
                    Err(error) => return Err(error),
                }
            }
            if i64::try_from(rows.len()).is_ok_and(|many| many < MOST) {
                return Ok(told);
            }
        }
    }

    /// Recipient, sender and stream of files that lie unread, a page after one.
    async fn unread_after(&self, (recipient, sender, stream): &(Uuid, Uuid, String)) -> Result<Vec<Row>, StoreError> {
        let now = self.now();
        let before = us(now.checked_sub(UNREAD).unwrap_or(now));
        let lying = sql("SELECT recipient, sender, stream, min(received_us) AS oldest FROM mailbox_file
             WHERE number IS NOT NULL AND transport = 'KLAR' AND fetched_us IS NULL AND content IS NOT NULL AND received_us <= $1
                 AND (recipient, sender, stream) > ($2, $3, $4)
             GROUP BY recipient, sender, stream ORDER BY recipient, sender, stream LIMIT $5");
        self.database().all(lying.bind(before).bind(*recipient).bind(*sender).bind(stream).bind(MOST)).await
    }

    /// Whether it was told now.
    async fn notify_of_unread_of(
        &self,
        (recipient, sender, stream): &(Uuid, Uuid, String),
        oldest: i64,
    ) -> Result<bool, StoreError> {
        let mark = format!("mailbox-unread/{recipient}/{sender}/{stream}/{oldest}");
        let mut session = self.database().session().await?;
        if outbox::was_given(&mut session, &mark).await? {
            return Ok(false);
        }
        let parties = parties(&mut session, *sender, *recipient).await?;
        let nobody = outbox::nobody(&mark, [&parties.0, &parties.1].map(|held| held.terms.contact.email.as_str()));
        if outbox::was_given(&mut session, &nobody).await? {
            return Ok(false);
        }
        let cause = of_users(&mut session, *recipient, Direction::In).await?;
        drop(session);
        let mut transaction = self.database().begin_beside_others().await?;
        let since = instant(oldest, "oldest")?;
        // Noted as told where a letter goes to one of them at least.
        let goes = self.notify_both(&mut transaction, Kind::FileNotFetched, &parties, stream, since, cause).await?;
        if !outbox::gives(&mut transaction, if goes { &mark } else { &nobody }, self.now()).await? {
            return Ok(false);
        }
        transaction.commit().await?;
        tracing::warn!(%recipient, %sender, stream, cause = cause.name(), "approved files of a mailbox lie unread");
        Ok(goes)
    }

    /// Tells both parties of an approved file that is deleted unread: for a stream from one to the other once a day. With the deletion.
    pub(super) async fn notify_of_loss(&self, transaction: &mut Transaction, file: &File) -> Result<(), StoreError> {
        let now = self.now();
        let day = civil_day(now).ok_or(StoreError::Unreadable { column: "today" })?;
        let mark = format!("mailbox-lost/{}/{}/{}/{day}", file.recipient, file.sender, file.stream);
        if outbox::gives(transaction, &mark, now).await? {
            let cause = of_users(transaction, file.recipient, Direction::In).await?;
            let parties = parties(transaction, file.sender, file.recipient).await?;
            self.notify_both(transaction, Kind::FileExpired, &parties, &file.stream, file.received, cause).await?;
            tracing::warn!(
                recipient = %file.to, sender = %file.from, stream = file.stream, cause = cause.name(),
                "an approved file of a mailbox is deleted, and nobody fetched it"
            );
        }
        Ok(())
    }

    /// Whether a letter goes to one of them at least.
    async fn notify_both(
        &self,
        transaction: &mut Transaction,
        kind: Kind,
        (from, to): &(Agreement, Agreement),
        stream: &str,
        since: Timestamp,
        cause: Cause,
    ) -> Result<bool, StoreError> {
        let name = format!("{stream}, {} - {}", from.terms.number, to.terms.number);
        let (mut contacts, mut told) = (BTreeSet::new(), false);
        for held in [to, from] {
            let contact = &held.terms.contact.email;
            if contacts.insert(contact) {
                let notice = notice(kind, held, name.clone(), since, cause);
                told |= outbox::notify_mailbox(self.database(), transaction, contact, &notice).await?;
            }
        }
        Ok(told)
    }
}

/// The agreements of sender and recipient.
async fn parties(session: &mut Session, sender: Uuid, recipient: Uuid) -> Result<(Agreement, Agreement), StoreError> {
    let missing = |column| StoreError::Unreadable { column };
    let from = agreement::with_id(session, sender).await?.ok_or_else(|| missing("sender"))?;
    let to = agreement::with_id(session, recipient).await?.ok_or_else(|| missing("recipient"))?;
    Ok((from, to))
}

/// Names no file: a name may hold a person's data.
fn notice(kind: Kind, held: &Agreement, name: String, at: Timestamp, cause: Cause) -> Notice {
    Notice {
        kind,
        name,
        english: None,
        by: None,
        page: "/".to_owned(),
        authority: Some(held.terms.owner),
        service: None,
        system: None,
        environment: Some(held.terms.environment.to_string()),
        at: Some(at),
        reason: Some(cause.describe().da().to_owned()),
        differs: Vec::new(),
    }
}

/// The same, of every environment that the store has.
///
/// # Errors
/// The store does not answer.
pub async fn silent(session: &mut Session, now: Timestamp) -> Result<Vec<Silent>, StoreError> {
    let mut found = Vec::new();
    for row in session.all(sql("SELECT id FROM mailbox WHERE state = 'AKTIV' ORDER BY number")).await? {
        let id: Uuid = row.get("id")?;
        let held = match agreement::with_id(session, id).await {
            Ok(held) => held,
            // One that cannot be read keeps nothing from the others.
            Err(error @ StoreError::Unreadable { .. }) => {
                tracing::error!(%error, agreement = %id, "it is not known whether streams of a mailbox are silent");
                continue;
            }
            Err(error) => return Err(error),
        };
        let Some(held) = held.filter(|held| held.standing == Standing::Active) else { continue };
        for stream in &held.terms.streams {
            let Some(hours) = stream.rhythm_hours else { continue };
            let within = now.checked_sub(SignedDuration::from_hours(i64::from(hours))).unwrap_or(now);
            if let Some((since, cause)) = of(session, &held, stream, within, now).await? {
                let (number, direction) = (held.terms.number, stream.direction);
                found.push(Silent { number, stream: stream.code.clone(), direction, since, cause });
            }
        }
    }
    Ok(found)
}

/// Since when a stream is silent, and why; nothing where something was exchanged since `within`.
async fn of(
    session: &mut Session,
    held: &Agreement,
    stream: &Stream,
    within: Timestamp,
    now: Timestamp,
) -> Result<Option<(Timestamp, Cause)>, StoreError> {
    let last = match stream.direction {
        Direction::Out => {
            sql("SELECT COALESCE(max(f.received_us), 0) AS last FROM mailbox_file AS f WHERE f.sender = $1 AND f.stream = $2")
        }
        Direction::In => {
            sql("SELECT COALESCE(max(f.confirmed_us), 0) AS last FROM mailbox_file AS f WHERE f.recipient = $1 AND f.stream = $2")
        }
    };
    let unreadable = StoreError::Unreadable { column: "last" };
    let last: i64 = session.first(last.bind(held.id).bind(&stream.code)).await?.ok_or(unreadable)?.get("last")?;
    let expected = sql("SELECT since_us FROM mailbox_stream WHERE mailbox = $1 AND code = $2 AND direction = $3");
    let expected = expected.bind(held.id).bind(&stream.code).bind(stream.direction.name());
    let expected: i64 = session.first(expected).await?.map_or(Ok(0), |row| row.get("since_us"))?;
    let since = last.max(expected);
    if since > us(within) {
        return Ok(None);
    }
    let since = instant(since, "since_us")?;
    let stuck = us(now.checked_sub(STUCK).unwrap_or(now));
    let waiting = sql("SELECT id FROM mailbox_file WHERE validation = 'MODTAGET' AND received_us <= $1 AND stream = $2
         AND (sender = $3 OR recipient = $3) LIMIT 1");
    if session.first(waiting.bind(stuck).bind(&stream.code).bind(held.id)).await?.is_some() {
        return Ok(Some((since, Cause::OwnFault)));
    }
    if stream.direction == Direction::In {
        let lying = sql(
            "SELECT id FROM mailbox_file WHERE recipient = $1 AND stream = $2 AND number IS NOT NULL AND transport = 'KLAR' LIMIT 1",
        );
        if session.first(lying.bind(held.id).bind(&stream.code)).await?.is_none() {
            return Ok(Some((since, Cause::NothingSent)));
        }
    }
    Ok(Some((since, of_users(session, held.id, stream.direction).await?)))
}

/// Why nothing is exchanged, as far as the users of an agreement say.
async fn of_users(session: &mut Session, mailbox: Uuid, direction: Direction) -> Result<Cause, StoreError> {
    let users = match direction {
        Direction::Out => {
            sql("SELECT u.seen_us, u.refused_us, u.state FROM mailbox_user AS u JOIN mailbox_right AS r ON r.mailbox_user = u.id
             WHERE r.mailbox = $1 AND r.delivers")
        }
        Direction::In => {
            sql("SELECT u.seen_us, u.refused_us, u.state FROM mailbox_user AS u JOIN mailbox_right AS r ON r.mailbox_user = u.id
             WHERE r.mailbox = $1 AND r.fetches")
        }
    };
    // Of users that are there, and of deleted ones: these tell of the cause only where no other was ever let in.
    let (mut seen, mut refused, mut seen_past, mut refused_past) = (false, false, false, false);
    for row in session.all(users.bind(mailbox)).await? {
        let (last_seen, last_refused) = (row.maybe::<i64>("seen_us")?, row.maybe::<i64>("refused_us")?);
        let (seen, refused) = match row.get::<String>("state")?.as_str() {
            "SLETTET" => (&mut seen_past, &mut refused_past),
            _ => (&mut seen, &mut refused),
        };
        *seen |= last_seen.is_some();
        *refused |= last_refused > last_seen;
    }
    if !seen {
        (seen, refused) = (seen_past, refused || refused_past);
    }
    Ok(match (refused, seen, direction) {
        (true, ..) => Cause::LogOnRefused,
        (_, false, _) => Cause::NeverConnected,
        (_, _, Direction::In) => Cause::NothingFetched,
        (_, _, Direction::Out) => Cause::NothingDelivered,
    })
}
