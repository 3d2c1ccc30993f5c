//! Streams on which nothing was exchanged within the agreed rhythm, each with its likely cause.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::agreement::{self, Agreement, Direction, Number, Standing, Stream};
use super::core::Mailboxes;
use crate::files::users::{instant, us};
use crate::refusal::Detail;
use crate::store::{Session, StoreError, sql};

/// How long a file may wait for its judgement before the fault is ours.
const STUCK: SignedDuration = SignedDuration::from_mins(15);

/// Why nothing was exchanged, as far as it can be seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// No user of the agreement was ever let in.
    NeverConnected,
    /// A user was refused since it was last let in.
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
    pub fn told(self) -> Detail {
        let (da, en) = match self {
            Self::NeverConnected => ("ingen af aftalens brugere har været logget på", "no user of the agreement was ever let in"),
            Self::LogOnRefused => (
                "en bruger er blevet afvist: den er spærret, udløbet eller slettet",
                "a user was refused: it is blocked, has expired or is deleted",
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

/// What was told before, so that each silence is told once.
#[derive(Debug, Default)]
pub(super) struct Heard(BTreeSet<(Number, String, Direction, Cause)>);

impl Heard {
    pub(super) fn tell(&mut self, silent: &[Silent]) {
        let now: BTreeSet<_> =
            silent.iter().map(|silent| (silent.number, silent.stream.clone(), silent.direction, silent.cause)).collect();
        for silent in silent {
            let key = (silent.number, silent.stream.clone(), silent.direction, silent.cause);
            if !self.0.contains(&key) {
                tracing::warn!(
                    agreement = %silent.number, stream = silent.stream, direction = silent.direction.name(),
                    since = %silent.since, cause = silent.cause.name(), "a stream of a mailbox is silent"
                );
            }
        }
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
}

/// The same, of every environment that the store has.
///
/// # Errors
/// The store does not answer.
pub async fn silent(session: &mut Session, now: Timestamp) -> Result<Vec<Silent>, StoreError> {
    let mut found = Vec::new();
    for held in agreement::all(session).await?.iter().filter(|held| held.standing == Standing::Active) {
        for stream in &held.terms.streams {
            let Some(hours) = stream.rhythm_hours else { continue };
            let within = now.checked_sub(SignedDuration::from_hours(i64::from(hours))).unwrap_or(now);
            if let Some((since, cause)) = of(session, held, stream, within, now).await? {
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
    let users = match stream.direction {
        Direction::Out => {
            sql("SELECT u.seen_us, u.refused_us FROM mailbox_user AS u JOIN mailbox_right AS r ON r.mailbox_user = u.id
             WHERE r.mailbox = $1 AND r.delivers")
        }
        Direction::In => {
            sql("SELECT u.seen_us, u.refused_us FROM mailbox_user AS u JOIN mailbox_right AS r ON r.mailbox_user = u.id
             WHERE r.mailbox = $1 AND r.fetches")
        }
    };
    let (mut seen, mut refused) = (false, false);
    for row in session.all(users.bind(held.id)).await? {
        let (last_seen, last_refused) = (row.maybe::<i64>("seen_us")?, row.maybe::<i64>("refused_us")?);
        seen |= last_seen.is_some();
        refused |= last_refused > last_seen;
    }
    let cause = match (refused, seen, stream.direction) {
        (true, ..) => Cause::LogOnRefused,
        (_, false, _) => Cause::NeverConnected,
        (_, _, Direction::In) => Cause::NothingFetched,
        (_, _, Direction::Out) => Cause::NothingDelivered,
    };
    Ok(Some((since, cause)))
}
