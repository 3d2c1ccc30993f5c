//! Monitoring orders, which are clean-up orders too: for a user and the files of one InfRef or pattern, how often some are
//! expected, after how many hours one that was not fetched raises an alarm, after how many days it is deleted, and who is told.
//!
//! A delivery to the user that an order fits takes its hours and days in place of the route order's; of several the alarm that
//! comes first and the deletion that comes last. Sent and received files alike show that the user is not silent.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::orders::{Order, fits};
use super::users::{User, count, instant, us};
use super::xml::trigger::same_inf_ref;
use crate::notices::address;
use crate::refusal::Detail;
use crate::store::{Row, Session, StoreError, sql};

const HOUR_US: i64 = 3_600_000_000;

/// A monitoring order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitoring {
    /// Its identity.
    pub id: Uuid,
    /// The user.
    pub user: Uuid,
    /// The integration of the files.
    pub inf_ref: Option<String>,
    /// The names of the files, with `*` and `?`.
    pub pattern: Option<String>,
    /// Within how many hours there is a file, sent or received; none: nothing is expected.
    pub rhythm_hours: Option<i64>,
    /// Hours after which a file that was not fetched raises an alarm.
    pub alarm_hours: i64,
    /// Days after which a file that still lies there is deleted: 11 to 60.
    pub delete_days: i64,
    /// The functional mailbox that is told.
    pub told: String,
    /// Since when it holds.
    pub since: Timestamp,
    /// The last file that it fits.
    pub last: Option<Timestamp>,
    /// When it was ended.
    pub ended: Option<Timestamp>,
}

/// Why an order cannot be as asked.
#[derive(Debug, thiserror::Error)]
pub enum MonitoringError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its parts.
    #[error("{0}")]
    Unsound(&'static str),
    /// There is one for these files.
    #[error("monitoring order {0} is for the same files of this user; end it first")]
    InTheWay(Uuid),
    /// There is none, or it has ended.
    #[error("there is no monitoring order {0} that holds")]
    NoSuchOrder(Uuid),
}

impl Monitoring {
    /// Checks what its parts must be.
    ///
    /// # Errors
    /// What is wrong.
    pub fn sound(self) -> Result<Self, MonitoringError> {
        let line = |text: &str| (1..=200).contains(&text.len()) && !text.chars().any(char::is_control);
        // As letters are addressed: one that none goes to would never be told.
        let mailbox = |text: &str| line(text) && address::read(text).is_ok();
        match () {
            () if self.inf_ref.is_none() && self.pattern.is_none() => {
                Err(MonitoringError::Unsound("a monitoring order names an InfRef, a pattern of file names, or both"))
            }
            () if !self.inf_ref.iter().chain(&self.pattern).all(|text| line(text)) => {
                Err(MonitoringError::Unsound("an InfRef and a pattern are one line of 1-200 bytes"))
            }
            () if self.rhythm_hours.is_some_and(|hours| !(1..=9600).contains(&hours)) => {
                Err(MonitoringError::Unsound("a rhythm is 1 to 9600 hours"))
            }
            () if !(1..=24 * 60).contains(&self.alarm_hours) => {
                Err(MonitoringError::Unsound("an alarm is raised after 1 to 1440 hours"))
            }
            () if !(11..=60).contains(&self.delete_days) => {
                Err(MonitoringError::Unsound("a file is deleted after 11 to 60 days: some recipients remove their own after ten"))
            }
            () if !mailbox(&self.told) => Err(MonitoringError::Unsound(
                "who is told is the address of a functional mailbox, such as drift@example.dk, of ASCII",
            )),
            () => Ok(self),
        }
    }

    /// Whether it is for a file.
    fn is_for(&self, name: &str, inf_ref: Option<&str>) -> bool {
        let of = self.inf_ref.as_deref().is_none_or(|own| inf_ref.is_some_and(|given| same_inf_ref(own, given)));
        of && self.pattern.as_deref().is_none_or(|pattern| fits(pattern, name))
    }

    /// Since when nothing has come, where that is longer than its rhythm.
    pub fn silent_since(&self, now: Timestamp) -> Option<Timestamp> {
        let since = self.last.unwrap_or(self.since);
        let until = since.checked_add(SignedDuration::from_hours(self.rhythm_hours?)).ok()?;
        (self.ended.is_none() && until <= now).then_some(since)
    }
}

/// What an order is, a line each.
pub fn text(order: &Monitoring, user: &User) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "overvågningsordre: {}\nSFTP-bruger: {}\nInfRef: {}\nfilnavne: {}\nforventet mindst hver (timer): {}\nalarm efter (timer): {}\n\
         slettes efter (dage): {}\nbesked til: {}\n",
        order.id,
        user.name,
        or_dash(&order.inf_ref),
        or_dash(&order.pattern),
        order.rhythm_hours.map_or("-".to_owned(), |hours| hours.to_string()),
        order.alarm_hours,
        order.delete_days,
        order.told,
    )
}

macro_rules! orders_where {
    ($condition:literal) => {
        sql(concat!(
            "SELECT id, sftp_user, inf_ref, pattern, rhythm_hours, alarm_hours, delete_days, told, since_us, last_us, ended_us
             FROM file_monitoring WHERE ",
            $condition
        ))
    };
}

fn read(row: &Row) -> Result<Monitoring, StoreError> {
    let maybe = |column| row.maybe::<i64>(column)?.map(|us| instant(us, column)).transpose();
    Ok(Monitoring {
        id: row.get("id")?,
        user: row.get("sftp_user")?,
        inf_ref: row.maybe("inf_ref")?,
        pattern: row.maybe("pattern")?,
        rhythm_hours: row.maybe("rhythm_hours")?,
        alarm_hours: row.get("alarm_hours")?,
        delete_days: row.get("delete_days")?,
        told: row.get("told")?,
        since: instant(row.get("since_us")?, "since_us")?,
        last: maybe("last_us")?,
        ended: maybe("ended_us")?,
    })
}

/// Every order that holds, by user.
///
/// # Errors
/// The store.
pub async fn all(session: &mut Session) -> Result<Vec<Monitoring>, StoreError> {
    session.all(orders_where!("ended_us IS NULL ORDER BY sftp_user, id")).await?.iter().map(read).collect()
}

/// One order that holds.
///
/// # Errors
/// [`MonitoringError::NoSuchOrder`], or the store.
pub async fn with_id(session: &mut Session, id: Uuid) -> Result<Monitoring, MonitoringError> {
    let row = session.first(orders_where!("id = $1 AND ended_us IS NULL").bind(id)).await?;
    row.as_ref().map(read).transpose()?.ok_or(MonitoringError::NoSuchOrder(id))
}

/// The functional mailboxes that are told of a user's file, by the orders that are for it.
pub(super) async fn mailboxes(
    session: &mut Session,
    user: Uuid,
    name: &str,
    inf_ref: Option<&str>,
) -> Result<BTreeSet<String>, StoreError> {
    Ok(for_file(session, user, name, inf_ref).await?.into_iter().map(|order| order.told).collect())
}

async fn of_user(session: &mut Session, user: Uuid) -> Result<Vec<Monitoring>, StoreError> {
    session.all(orders_where!("sftp_user = $1 AND ended_us IS NULL ORDER BY id").bind(user)).await?.iter().map(read).collect()
}

/// Adds an order; there is none of the user for the same InfRef and pattern.
///
/// # Errors
/// [`MonitoringError`].
pub async fn add(session: &mut Session, order: &Monitoring) -> Result<(), MonitoringError> {
    let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => a.nfc().eq(b.nfc()),
        (a, b) => a.is_none() && b.is_none(),
    };
    let others = of_user(session, order.user).await?;
    if let Some(other) = others.iter().find(|o| same(&o.inf_ref, &order.inf_ref) && same(&o.pattern, &order.pattern)) {
        return Err(MonitoringError::InTheWay(other.id));
    }
    let add = sql(
        "INSERT INTO file_monitoring (id, sftp_user, inf_ref, pattern, rhythm_hours, alarm_hours, delete_days, told, since_us)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(order.id)
    .bind(order.user)
    .bind(&order.inf_ref)
    .bind(&order.pattern)
    .bind(order.rhythm_hours)
    .bind(order.alarm_hours)
    .bind(order.delete_days)
    .bind(&order.told)
    .bind(us(order.since));
    session.execute(add).await?;
    Ok(())
}

/// Ends an order.
///
/// # Errors
/// [`MonitoringError::NoSuchOrder`], or the store.
pub async fn end(session: &mut Session, id: Uuid, now: Timestamp) -> Result<(), MonitoringError> {
    let end = sql("UPDATE file_monitoring SET ended_us = $1 WHERE id = $2 AND ended_us IS NULL");
    match session.execute(end.bind(us(now)).bind(id)).await? {
        0 => Err(MonitoringError::NoSuchOrder(id)),
        _ => Ok(()),
    }
}

/// Notes that there is a file for these orders: none of them is silent. The user's home is locked.
async fn noted(session: &mut Session, orders: &[Monitoring], now: Timestamp) -> Result<(), StoreError> {
    for order in orders {
        let heard = sql("UPDATE file_monitoring SET last_us = $1, silent_us = NULL WHERE id = $2");
        session.execute(heard.bind(us(now)).bind(order.id)).await?;
    }
    Ok(())
}

async fn for_file(session: &mut Session, user: Uuid, name: &str, inf_ref: Option<&str>) -> Result<Vec<Monitoring>, StoreError> {
    Ok(of_user(session, user).await?.into_iter().filter(|order| order.is_for(name, inf_ref)).collect())
}

/// A user sends a file.
pub(super) async fn sent(
    session: &mut Session,
    sender: Uuid,
    name: &str,
    inf_ref: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let orders = for_file(session, sender, name, inf_ref).await?;
    noted(session, &orders, now).await
}

/// The recipient of a route order receives a file: when it raises an alarm, and when it is deleted, in microseconds.
pub(super) async fn received(
    session: &mut Session,
    order: &Order,
    name: &str,
    inf_ref: Option<&str>,
    now: Timestamp,
) -> Result<(i64, i64), StoreError> {
    let own = for_file(session, order.recipient, name, inf_ref).await?;
    noted(session, &own, now).await?;
    let alarm = own.iter().map(|order| order.alarm_hours).min().unwrap_or(order.alarm_hours);
    let delete = own.iter().map(|order| order.delete_days).max().unwrap_or(order.delete_days);
    Ok((us(now).saturating_add(alarm * HOUR_US), us(now).saturating_add(delete * 24 * HOUR_US)))
}

/// How many orders that hold are silent.
pub(super) async fn silent(session: &mut Session, now: Timestamp) -> Result<u64, StoreError> {
    let query = sql("SELECT count(*) AS n FROM file_monitoring WHERE ended_us IS NULL
                         AND coalesce(last_us, since_us) + rhythm_hours * 3600000000 <= $1");
    let row = session.first(query.bind(us(now))).await?.ok_or(StoreError::Unreadable { column: "n" })?;
    count(&row, "n")
}

/// Orders whose silence nobody was told of.
pub(super) const UNTOLD: &str = "SELECT id FROM file_monitoring WHERE ended_us IS NULL AND silent_us IS NULL
    AND coalesce(last_us, since_us) + rhythm_hours * 3600000000 <= $1 ORDER BY id LIMIT $2 OFFSET $3";

/// Notes that the silence of an order is told. `false`: another node does so, or a file came meanwhile.
pub(super) async fn note_silent(session: &mut Session, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let told = sql("UPDATE file_monitoring SET silent_us = $1 WHERE id = $2 AND silent_us IS NULL AND ended_us IS NULL
         AND coalesce(last_us, since_us) + rhythm_hours * 3600000000 <= $1");
    Ok(session.execute(told.bind(us(now)).bind(id)).await? == 1)
}

/// Why a user is silent, most likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Files of it have waited for a quarter of an hour: the platform does not deliver.
    OwnFault,
    /// It is disabled, or its time is over.
    Closed,
    /// None of its keys may be used.
    NoKey,
    /// Its name was given with a wrong key since it last logged on.
    LogOnRefused,
    /// It has never logged on.
    NeverConnected,
    /// It has not logged on since the last file.
    NotConnected,
    /// It logs on, and files lie in its IN that it does not fetch.
    NotFetched,
    /// It logs on, and has sent and been sent nothing.
    NothingSent,
}

impl Cause {
    /// What a person is told.
    pub fn describe(self) -> Detail {
        let (da, en) = match self {
            Self::OwnFault => (
                "filer fra brugeren venter på at blive afleveret: fejlen er platformens egen",
                "files of this user wait to be delivered: the platform's own fault",
            ),
            Self::Closed => ("brugeren er spærret, eller dens tid er udløbet", "the user is disabled or its time is over"),
            Self::NoKey => (
                "brugeren har ingen nøgle, der må bruges: den afvises, når den logger på",
                "the user has no key that may be used: its log-ons are refused",
            ),
            Self::LogOnRefused => (
                "brugerens navn er givet med en nøgle, der ikke er dens, og den har ikke logget på siden",
                "the user's name was given with a key that is not its own, and it has not logged on since",
            ),
            Self::NeverConnected => ("brugeren har aldrig logget på", "the user has never logged on"),
            Self::NotConnected => ("brugeren har ikke logget på siden", "the user has not logged on since"),
            Self::NotFetched => (
                "brugeren logger på og henter ikke det, der ligger i dens IN",
                "the user logs on and does not fetch what lies in its IN",
            ),
            Self::NothingSent => (
                "brugeren logger på; der er intet sendt fra den eller til den",
                "the user logs on; nothing was sent by it or to it",
            ),
        };
        Detail::new(da, en)
    }
}

/// Why an order's user is silent since then, most likely.
///
/// # Errors
/// The store.
pub async fn cause(session: &mut Session, user: &User, since: Timestamp, now: Timestamp) -> Result<Cause, StoreError> {
    let late = us(now) - HOUR_US / 4;
    let waits = sql("SELECT id FROM transfer WHERE state = 'MODTAGET' AND sender = $1 AND received_us <= $2 LIMIT 1");
    if session.first(waits.bind(user.id).bind(late)).await?.is_some() {
        return Ok(Cause::OwnFault);
    }
    if !user.is_open(now) {
        return Ok(Cause::Closed);
    }
    let usable = sql(
        "SELECT fingerprint FROM sftp_key WHERE sftp_user = $1 AND NOT disabled AND (valid_to_us IS NULL OR valid_to_us > $2) LIMIT 1",
    );
    if session.first(usable.bind(user.id).bind(us(now))).await?.is_none() {
        return Ok(Cause::NoKey);
    }
    let lies = sql(
        "SELECT transfer FROM file_delivery WHERE recipient = $1 AND state IN ('KLAR', 'GENLEVERET') AND alarm_us <= $2 LIMIT 1",
    );
    Ok(match user.seen {
        _ if user.refused > user.seen => Cause::LogOnRefused,
        None => Cause::NeverConnected,
        Some(seen) if seen <= since => Cause::NotConnected,
        Some(_) if session.first(lies.bind(user.id).bind(us(now))).await?.is_some() => Cause::NotFetched,
        Some(_) => Cause::NothingSent,
    })
}

/// How many files lie unfetched beyond their hours at a user, and since when the oldest does.
///
/// # Errors
/// The store.
pub async fn unfetched(session: &mut Session, user: Uuid, now: Timestamp) -> Result<(u64, Option<Timestamp>), StoreError> {
    let query = sql("SELECT count(*) AS n, min(delivered_us) AS oldest FROM file_delivery
                     WHERE recipient = $1 AND state IN ('KLAR', 'GENLEVERET') AND alarm_us <= $2");
    let row = session.first(query.bind(user).bind(us(now))).await?.ok_or(StoreError::Unreadable { column: "n" })?;
    Ok((count(&row, "n")?, row.maybe::<i64>("oldest")?.map(|us| instant(us, "oldest")).transpose()?))
}
