//! Route orders: the agreement for files. A file goes from one user to another only by an order that the recipient's authority
//! has approved, with a legal basis and a purpose, on a day on which it holds.

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::users::count;
use super::xml::trigger::same_inf_ref;
use crate::{
    agreements::State,
    id::cvr::Cvr,
    refusal::Detail,
    store::{Row, Session, StoreError, sql},
};

/// A route order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its identity.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// The sending user.
    pub sender: Uuid,
    /// The receiving user.
    pub recipient: Uuid,
    /// The authority that is sent for.
    pub sender_authority: Cvr,
    /// The authority that receives.
    pub recipient_authority: Cvr,
    /// The integration, as given; routed files are found by it.
    pub inf_ref: Option<String>,
    /// The names of files that are sent to the recipient by name: `*` and `?` stand for any characters and for one.
    pub pattern: Option<String>,
    /// The paragraph.
    pub legal_basis: String,
    /// The purpose.
    pub purpose: String,
    /// The first day.
    pub valid_from: Date,
    /// The first day on which it no longer holds.
    pub valid_to: Option<Date>,
    /// The largest file, in bytes.
    pub largest_bytes: u64,
    /// Days that a copy is kept after the recipient has fetched it: 0 to 30.
    pub keep_days: i64,
    /// Hours after which a file that was not fetched raises an alarm.
    pub alarm_hours: i64,
    /// Days after which a file that still lies there is deleted: 11 to 60.
    pub delete_days: i64,
}

/// Why an order cannot be as asked.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its parts.
    #[error("{0}")]
    Unsound(&'static str),
    /// Another carries the same files on one of its days.
    #[error("route order {0} carries the same files on some of these days; end it first, or give other days")]
    InTheWay(Uuid),
    /// There is none.
    #[error("there is no route order {0}")]
    NoSuchOrder(Uuid),
}

/// Whether a name fits a pattern. Both are compared in NFC.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.nfc().collect(), name.nfc().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stood, and how far it has been taken to reach.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || name.get(n) == Some(c) => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, reached)) => {
                    star = Some((at, reached + 1));
                    (p, n) = (at + 1, reached + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

/// Whether a name fits both patterns.
fn overlap(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.nfc().collect(), other.nfc().collect());
    // `ends[j]`: whether what is left of `one` and of `other` from `j` have a name in common.
    let mut ends = vec![false; other.len() + 1];
    for i in (0..=one.len()).rev() {
        let after = std::mem::replace(&mut ends, vec![false; other.len() + 1]);
        for j in (0..=other.len()).rev() {
            let at = |row: &[bool], j: usize| row.get(j).copied().unwrap_or(false);
            let common = match (one.get(i), other.get(j)) {
                (None, None) => true,
                (Some('*'), _) if at(&after, j) => true,
                (_, Some('*')) if at(&ends, j + 1) => true,
                (Some('*'), Some(_)) => at(&ends, j + 1),
                (Some(_), Some('*')) => at(&after, j),
                (Some(a), Some(b)) => (a == b || *a == '?' || *b == '?') && at(&after, j + 1),
                _ => false,
            };
            if let Some(end) = ends.get_mut(j) {
                *end = common;
            }
        }
    }
    ends.first().copied().unwrap_or(false)
}

impl Order {
    /// Checks what its parts must be.
    ///
    /// # Errors
    /// What is wrong.
    pub fn sound(self) -> Result<Self, OrderError> {
        let line = |text: &str, longest: usize| (1..=longest).contains(&text.len()) && !text.chars().any(char::is_control);
        match () {
            () if self.inf_ref.is_none() && self.pattern.is_none() => {
                Err(OrderError::Unsound("a route order names an InfRef, a pattern of file names, or both"))
            }
            () if !self.inf_ref.iter().chain(&self.pattern).all(|text| line(text, 200)) => {
                Err(OrderError::Unsound("an InfRef and a pattern are one line of 1-200 bytes"))
            }
            () if self.sender == self.recipient => Err(OrderError::Unsound("a route order leads from one user to another")),
            () if !line(&self.legal_basis, 500) || !line(&self.purpose, 500) => {
                Err(OrderError::Unsound("legal basis and purpose are one line of 1-500 bytes each"))
            }
            () if self.valid_to.is_some_and(|to| to <= self.valid_from) => {
                Err(OrderError::Unsound("it would end before it begins"))
            }
            () if !(0..=30).contains(&self.keep_days) => Err(OrderError::Unsound("a copy is kept for 0 to 30 days")),
            () if !(11..=60).contains(&self.delete_days) => {
                Err(OrderError::Unsound("a file is deleted after 11 to 60 days: some recipients remove their own after ten"))
            }
            () if !(1..=24 * 60).contains(&self.alarm_hours) => {
                Err(OrderError::Unsound("an alarm is raised after 1 to 1440 hours"))
            }
            () => Ok(self),
        }
    }

    /// Whether its time has not run out on a day: what is over carries nothing, not for the day before either.
    ///
    /// # Errors
    /// Until when it held.
    pub fn not_over(&self, today: Date) -> Result<(), Detail> {
        match self.valid_to {
            Some(to) if to <= today => Err(Detail::new(format!("den gjaldt til {to}"), format!("it held until {to}"))),
            _ => Ok(()),
        }
    }

    /// Whether it can be used on a day.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn usable(&self, on: Date) -> Result<(), Detail> {
        match self.state {
            State::Approved if on < self.valid_from => Err(Detail::new(
                format!("den gælder først fra {}", self.valid_from),
                format!("it holds from {} only", self.valid_from),
            )),
            State::Approved => match self.valid_to {
                Some(to) if to <= on => Err(Detail::new(format!("den gjaldt til {to}"), format!("it held until {to}"))),
                _ => Ok(()),
            },
            State::Requested => Err(Detail::new("den er ikke godkendt endnu", "it is not approved yet")),
            State::Suspended => Err(Detail::new("den er suspenderet", "it is suspended")),
            _ => Err(Detail::new("den er afsluttet", "it is over")),
        }
    }

    /// Whether it could carry a file that the other carries on the same day.
    fn meets(&self, other: &Order) -> bool {
        let days = self.valid_to.is_none_or(|to| other.valid_from < to) && other.valid_to.is_none_or(|to| self.valid_from < to);
        let authorities =
            (self.sender_authority, self.recipient_authority) == (other.sender_authority, other.recipient_authority);
        let same = match (&self.inf_ref, &other.inf_ref) {
            // Who receives must be clear from InfRef and authorities.
            (Some(one), Some(two)) => authorities && same_inf_ref(one, two),
            // The pair is given; two orders for the same names could differ in what they allow.
            (None, None) => match (&self.pattern, &other.pattern) {
                (Some(one), Some(two)) => self.recipient == other.recipient && overlap(one, two),
                _ => false,
            },
            _ => false,
        };
        self.id != other.id && self.sender == other.sender && days && same
    }

    /// Whether it may yet carry something.
    fn lives(&self) -> bool {
        matches!(self.state, State::Requested | State::Approved | State::Suspended)
    }
}

macro_rules! orders_where {
    ($condition:literal) => {
        sql(concat!(
            "SELECT id, state, sender, recipient, sender_authority, recipient_authority, inf_ref, pattern, legal_basis, purpose,
                 valid_from, valid_to, largest_bytes, keep_days, alarm_hours, delete_days FROM file_order WHERE ",
            $condition
        ))
    };
}

fn read(row: &Row) -> Result<Order, StoreError> {
    let state: String = row.get("state")?;
    Ok(Order {
        id: row.get("id")?,
        state: state.parse().map_err(|_| StoreError::Unreadable { column: "state" })?,
        sender: row.get("sender")?,
        recipient: row.get("recipient")?,
        sender_authority: row.parsed("sender_authority")?,
        recipient_authority: row.parsed("recipient_authority")?,
        inf_ref: row.maybe("inf_ref")?,
        pattern: row.maybe("pattern")?,
        legal_basis: row.get("legal_basis")?,
        purpose: row.get("purpose")?,
        valid_from: row.get("valid_from")?,
        valid_to: row.maybe("valid_to")?,
        largest_bytes: count(row, "largest_bytes")?,
        keep_days: row.get("keep_days")?,
        alarm_hours: row.get("alarm_hours")?,
        delete_days: row.get("delete_days")?,
    })
}

/// Every order, by sender and recipient.
///
/// # Errors
/// The store.
pub async fn all(session: &mut Session) -> Result<Vec<Order>, StoreError> {
    session.all(orders_where!("TRUE ORDER BY sender, recipient, id")).await?.iter().map(read).collect()
}

/// One order.
///
/// # Errors
/// [`OrderError::NoSuchOrder`], or the store.
pub async fn with_id(session: &mut Session, id: Uuid) -> Result<Order, OrderError> {
    let row = session.first(orders_where!("id = $1").bind(id)).await?;
    row.as_ref().map(read).transpose()?.ok_or(OrderError::NoSuchOrder(id))
}

/// The orders by which a user sends.
///
/// # Errors
/// The store.
pub async fn of_sender(session: &mut Session, sender: Uuid) -> Result<Vec<Order>, StoreError> {
    session.all(orders_where!("sender = $1 ORDER BY id").bind(sender)).await?.iter().map(read).collect()
}

/// Whether any order has this InfRef.
///
/// # Errors
/// The store.
pub async fn knows(session: &mut Session, inf_ref: &str) -> Result<bool, StoreError> {
    // Kept in NFC, so that the database can compare it.
    let query = sql("SELECT id FROM file_order WHERE inf_ref = $1 LIMIT 1").bind(inf_ref.nfc().collect::<String>());
    Ok(session.first(query).await?.is_some())
}

/// Adds an order, which must be in nobody's way.
///
/// # Errors
/// [`OrderError`].
pub async fn add(session: &mut Session, order: &Order) -> Result<(), OrderError> {
    let others = of_sender(session, order.sender).await?;
    if let Some(other) = others.iter().find(|other| other.lives() && order.meets(other)) {
        return Err(OrderError::InTheWay(other.id));
    }
    let add =
        sql("INSERT INTO file_order (id, state, sender, recipient, sender_authority, recipient_authority, inf_ref, pattern,
                       legal_basis, purpose, valid_from, valid_to, largest_bytes, keep_days, alarm_hours, delete_days)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)")
        .bind(order.id)
        .bind(order.state.wire_name())
        .bind(order.sender)
        .bind(order.recipient)
        .bind(order.sender_authority.to_string())
        .bind(order.recipient_authority.to_string())
        .bind(order.inf_ref.as_ref().map(|inf_ref| inf_ref.nfc().collect::<String>()))
        .bind(&order.pattern)
        .bind(&order.legal_basis)
        .bind(&order.purpose)
        .bind(order.valid_from)
        .bind(order.valid_to)
        .bind(i64::try_from(order.largest_bytes).unwrap_or(i64::MAX))
        .bind(order.keep_days)
        .bind(order.alarm_hours)
        .bind(order.delete_days);
    session.execute(add).await?;
    Ok(())
}

/// Gives an order another state.
///
/// # Errors
/// The store.
pub async fn set_state(session: &mut Session, id: Uuid, state: State) -> Result<(), StoreError> {
    session.execute(sql("UPDATE file_order SET state = $1 WHERE id = $2").bind(state.wire_name()).bind(id)).await.map(drop)
}
