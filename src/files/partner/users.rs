//! Users of mailboxes: systems that deliver and fetch for one agreement or for many, known by their certificates, and by SFTP by their
//! keys. There are no passwords.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::agreement::Number;
use crate::agreements::{Environment, Thumbprint};
use crate::files::home::Fingerprint;
use crate::files::users::{instant, is_name, us};
use crate::id::cvr::Cvr;
use crate::store::{Row, Session, StoreError, sql};

/// Where a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may be used.
    Active,
    /// It is blocked until a second person unblocks it.
    Blocked,
    /// It is deleted. Its name is not given out again, for files name it.
    Deleted,
}

impl Standing {
    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "AKTIV",
            Self::Blocked => "SPAERRET",
            Self::Deleted => "SLETTET",
        }
    }
}

impl FromStr for Standing {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Active, Self::Blocked, Self::Deleted].into_iter().find(|known| known.name() == text).ok_or(())
    }
}

/// How often it is written down that a user was seen, or refused.
pub(super) const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What a user may do on one agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// The agreement.
    pub number: Number,
    /// Whether it fetches and confirms.
    pub fetches: bool,
    /// Whether it delivers.
    pub delivers: bool,
}

/// `PA85858=fetch,deliver`; `PA85858=none` takes the rights away.
impl FromStr for Right {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "a right is an agreement's number, = and fetch, deliver, both or none, as PA85858=fetch,deliver".to_owned();
        let (number, rights) = text.split_once('=').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        let mut right = Right { number, fetches: false, delivers: false };
        for word in rights.split(',').filter(|_| rights != "none") {
            match word {
                "fetch" if !right.fetches => right.fetches = true,
                "deliver" if !right.delivers => right.delivers = true,
                _ => return Err(wrong()),
            }
        }
        Ok(right)
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its identity, which logs and records have.
    pub id: Uuid,
    /// Its name, exactly so.
    pub name: String,
    /// Where it may be used.
    pub environment: Environment,
    /// Whose signatory approves what is asked for it.
    pub authority: Cvr,
    /// Where it stands.
    pub standing: Standing,
    /// The first instant at which it may no longer be used.
    pub valid_to: Option<Timestamp>,
    /// When it was last let in.
    pub seen: Option<Timestamp>,
    /// When it was last refused, though it is known: a wrong key, or it is blocked, has expired or is deleted.
    pub refused: Option<Timestamp>,
    /// Its certificates.
    pub certificates: Vec<Thumbprint>,
    /// Its SSH keys.
    pub keys: Vec<Fingerprint>,
    /// What it may do, by agreement.
    pub rights: Vec<Right>,
}

/// What a user is known by: each is one user's for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Shown {
    /// A certificate, by the API.
    Certificate(Thumbprint),
    /// A key, by SFTP.
    Key(Fingerprint),
}

impl Shown {
    /// Its SHA-256, as records have it.
    pub fn thumbprint(self) -> Thumbprint {
        match self {
            Shown::Certificate(certificate) => certificate,
            Shown::Key(key) => Thumbprint::from(key.0),
        }
    }
}

/// Why a user cannot be as asked.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name.
    #[error("a mailbox user's name has 1-255 of the characters A-Z, a-z, 0-9, _, . and -")]
    Name,
    /// The name is in use, or was.
    #[error("there is, or was, a mailbox user {0}; choose another name")]
    Taken(String),
    /// Somebody has the certificate, or had it.
    #[error("the certificate {0} is, or was, a mailbox user's; order another")]
    CertificateTaken(Thumbprint),
    /// Somebody has the key, or had it.
    #[error("the key {0} is, or was, a mailbox user's; make another")]
    KeyTaken(Fingerprint),
    /// By SFTP a name is one user's.
    #[error("{0} is a user of the SFTP service (`hjemmel sftp user`); choose another name")]
    OfTheOther(String),
    /// It would be known by nothing.
    #[error("a mailbox user has a certificate, a key, or both")]
    Nothing,
    /// There is none.
    #[error("there is no mailbox user {0}; names are exact, upper and lower case too: `hjemmel mailbox user list`")]
    NoSuch(String),
    /// It is in another state.
    #[error("mailbox user {0} is {1}")]
    Standing(String, &'static str),
}

impl User {
    /// Whether it may be used at an instant.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.standing == Standing::Active && self.valid_to.is_none_or(|to| at < to)
    }

    /// What it may do on an agreement.
    pub fn right(&self, number: Number) -> Option<Right> {
        self.rights.iter().copied().find(|right| right.number == number)
    }
}

macro_rules! users_where {
    ($condition:literal) => {
        sql(concat!(
            "SELECT id, name, environment, authority, state, valid_to_us, seen_us, refused_us FROM mailbox_user WHERE ",
            $condition
        ))
    };
}

async fn whole(session: &mut Session, row: &Row) -> Result<User, StoreError> {
    let id: Uuid = row.get("id")?;
    let certificates =
        sql("SELECT thumbprint FROM mailbox_user_certificate WHERE mailbox_user = $1 AND ended_us IS NULL ORDER BY thumbprint");
    let certificates = session.all(certificates.bind(id)).await?;
    let keys = sql("SELECT fingerprint FROM mailbox_user_key WHERE mailbox_user = $1 AND ended_us IS NULL ORDER BY fingerprint");
    let keys = session.all(keys.bind(id)).await?;
    let key = |row: &Row| {
        let text: String = row.get("fingerprint")?;
        text.parse().map_err(|()| StoreError::Unreadable { column: "fingerprint" })
    };
    let rights = sql("SELECT b.number, r.fetches, r.delivers FROM mailbox_right AS r JOIN mailbox AS b ON b.id = r.mailbox
         WHERE r.mailbox_user = $1 ORDER BY b.number");
    let rights = session.all(rights.bind(id)).await?;
    let right =
        |row: &Row| Ok(Right { number: row.parsed("number")?, fetches: row.get("fetches")?, delivers: row.get("delivers")? });
    let at = |column| row.maybe::<i64>(column)?.map(|us| instant(us, column)).transpose();
    let state: String = row.get("state")?;
    Ok(User {
        id,
        name: row.get("name")?,
        environment: row.parsed("environment")?,
        authority: row.parsed("authority")?,
        standing: state.parse().map_err(|()| StoreError::Unreadable { column: "state" })?,
        valid_to: at("valid_to_us")?,
        seen: at("seen_us")?,
        refused: at("refused_us")?,
        certificates: certificates.iter().map(|row| row.parsed("thumbprint")).collect::<Result<_, _>>()?,
        keys: keys.iter().map(key).collect::<Result<_, StoreError>>()?,
        rights: rights.iter().map(right).collect::<Result<_, StoreError>>()?,
    })
}

/// Every user, by name.
///
/// # Errors
/// The store.
pub async fn all(session: &mut Session) -> Result<Vec<User>, StoreError> {
    let rows = session.all(users_where!("TRUE ORDER BY name")).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(whole(session, row).await?);
    }
    Ok(found)
}

/// The user of exactly this name.
///
/// # Errors
/// The store.
pub async fn named(session: &mut Session, name: &str) -> Result<Option<User>, StoreError> {
    match session.first(users_where!("name = $1").bind(name)).await? {
        Some(row) => whole(session, &row).await.map(Some),
        None => Ok(None),
    }
}

/// The user with an id.
///
/// # Errors
/// The store.
pub(super) async fn with_id(session: &mut Session, id: Uuid) -> Result<Option<User>, StoreError> {
    match session.first(users_where!("id = $1").bind(id)).await? {
        Some(row) => whole(session, &row).await.map(Some),
        None => Ok(None),
    }
}

/// The same, or that there is none.
///
/// # Errors
/// [`UserError::NoSuch`], or the store.
pub async fn known(session: &mut Session, name: &str) -> Result<User, UserError> {
    named(session, name).await?.ok_or_else(|| UserError::NoSuch(name.to_owned()))
}

/// The user to whom a certificate or a key belongs.
///
/// # Errors
/// The store.
pub async fn who(session: &mut Session, shown: Shown) -> Result<Option<User>, StoreError> {
    let query = match shown {
        Shown::Certificate(certificate) => {
            users_where!("id = (SELECT mailbox_user FROM mailbox_user_certificate WHERE thumbprint = $1 AND ended_us IS NULL)")
                .bind(certificate.to_string())
        }
        Shown::Key(key) => {
            users_where!("id = (SELECT mailbox_user FROM mailbox_user_key WHERE fingerprint = $1 AND ended_us IS NULL)")
                .bind(key.to_string())
        }
    };
    match session.first(query).await? {
        Some(row) => whole(session, &row).await.map(Some),
        None => Ok(None),
    }
}

/// The keys that a user of this name may log on with now. One statement whatever the name is, so that the time tells nothing.
///
/// # Errors
/// The store.
pub async fn may_log_on(
    session: &mut Session,
    name: &str,
    environment: &Environment,
    now: Timestamp,
) -> Result<Option<(Uuid, Vec<Fingerprint>)>, StoreError> {
    let query = sql("SELECT u.id, k.fingerprint FROM mailbox_user AS u
                         LEFT JOIN mailbox_user_key AS k ON k.mailbox_user = u.id AND k.ended_us IS NULL
                     WHERE u.name = $1 AND u.environment = $2 AND u.state = 'AKTIV' AND (u.valid_to_us IS NULL OR u.valid_to_us > $3)");
    let asked = if is_name(name) { name } else { "-" };
    let rows = session.all(query.bind(asked).bind(environment.to_string()).bind(us(now))).await?;
    let Some(first) = rows.first().filter(|_| is_name(name)) else { return Ok(None) };
    let mut keys = Vec::new();
    for row in &rows {
        if let Some(fingerprint) = row.maybe::<String>("fingerprint")? {
            keys.push(fingerprint.parse().map_err(|()| StoreError::Unreadable { column: "fingerprint" })?);
        }
    }
    Ok(Some((first.get("id")?, keys)))
}

/// Notes that a user was let in.
///
/// # Errors
/// The store.
pub async fn saw(session: &mut Session, user: Uuid, now: Timestamp) -> Result<(), StoreError> {
    session.execute(sql("UPDATE mailbox_user SET seen_us = $1 WHERE id = $2").bind(us(now)).bind(user)).await.map(drop)
}

/// Notes that a user was refused, where that was not noted lately, since it was last let in.
///
/// # Errors
/// The store.
pub(super) async fn refused(session: &mut Session, user: Uuid, now: Timestamp) -> Result<(), StoreError> {
    let lately = now.checked_sub(SEEN_EVERY).unwrap_or(now);
    let refused = sql("UPDATE mailbox_user SET refused_us = $1 WHERE id = $2
                           AND (refused_us IS NULL OR refused_us <= $3 OR refused_us < COALESCE(seen_us, 0))");
    session.execute(refused.bind(us(now)).bind(user).bind(us(lately))).await.map(drop)
}

/// Whether a user can be added as asked.
///
/// # Errors
/// [`UserError`].
pub async fn fit(session: &mut Session, name: &str, shown: &[Shown]) -> Result<(), UserError> {
    if !is_name(name) {
        return Err(UserError::Name);
    }
    if named(session, name).await?.is_some() {
        return Err(UserError::Taken(name.to_owned()));
    }
    can_be(session, name, shown).await
}

/// Whether a user of this name can be known by these, of which each was nobody's.
///
/// # Errors
/// [`UserError`].
pub async fn can_be(session: &mut Session, name: &str, shown: &[Shown]) -> Result<(), UserError> {
    if shown.is_empty() {
        return Err(UserError::Nothing);
    }
    for shown in shown {
        let (held, taken) = match *shown {
            Shown::Certificate(certificate) => (
                sql("SELECT mailbox_user FROM mailbox_user_certificate WHERE thumbprint = $1").bind(certificate.to_string()),
                UserError::CertificateTaken(certificate),
            ),
            Shown::Key(key) => {
                if crate::files::users::named(session, name).await?.is_some() {
                    return Err(UserError::OfTheOther(name.to_owned()));
                }
                let held = sql("SELECT mailbox_user FROM mailbox_user_key WHERE fingerprint = $1").bind(key.to_string());
                (held, UserError::KeyTaken(key))
            }
        };
        if session.first(held).await?.is_some() {
            return Err(taken);
        }
    }
    Ok(())
}

/// Adds a user with what it is known by; its rights are given by [`give`].
///
/// # Errors
/// As [`fit`].
pub async fn add(session: &mut Session, user: &User, now: Timestamp) -> Result<(), UserError> {
    let certificates = user.certificates.iter().copied().map(Shown::Certificate);
    let shown: Vec<Shown> = certificates.chain(user.keys.iter().copied().map(Shown::Key)).collect();
    fit(session, &user.name, &shown).await?;
    let add = sql("INSERT INTO mailbox_user (id, name, environment, authority, state, valid_to_us, added_us)
         VALUES ($1, $2, $3, $4, 'AKTIV', $5, $6)")
    .bind(user.id)
    .bind(&user.name)
    .bind(user.environment.to_string())
    .bind(user.authority.to_string())
    .bind(user.valid_to.map(us))
    .bind(us(now));
    session.execute(add).await?;
    for shown in shown {
        known_by(session, user.id, shown, now).await?;
    }
    Ok(())
}

/// Lets a user be known by one more.
///
/// # Errors
/// The store.
pub async fn known_by(session: &mut Session, user: Uuid, shown: Shown, now: Timestamp) -> Result<(), StoreError> {
    let add = match shown {
        Shown::Certificate(certificate) => {
            sql("INSERT INTO mailbox_user_certificate (thumbprint, mailbox_user, added_us) VALUES ($1, $2, $3)")
                .bind(certificate.to_string())
        }
        Shown::Key(key) => {
            sql("INSERT INTO mailbox_user_key (fingerprint, mailbox_user, added_us) VALUES ($1, $2, $3)").bind(key.to_string())
        }
    };
    session.execute(add.bind(user).bind(us(now))).await.map(drop)
}

/// Ends what a user is known by of one kind, but for one.
///
/// # Errors
/// The store.
pub async fn end_others(session: &mut Session, user: Uuid, but: Shown, now: Timestamp) -> Result<(), StoreError> {
    let (end, but) = match but {
        Shown::Certificate(certificate) => (
            sql(
                "UPDATE mailbox_user_certificate SET ended_us = $1 WHERE mailbox_user = $2 AND thumbprint <> $3 AND ended_us IS NULL",
            ),
            certificate.to_string(),
        ),
        Shown::Key(key) => (
            sql("UPDATE mailbox_user_key SET ended_us = $1 WHERE mailbox_user = $2 AND fingerprint <> $3 AND ended_us IS NULL"),
            key.to_string(),
        ),
    };
    session.execute(end.bind(us(now)).bind(user).bind(but)).await.map(drop)
}

/// Gives a user rights on an agreement, or takes them away.
///
/// # Errors
/// The store.
pub async fn give(session: &mut Session, user: Uuid, mailbox: Uuid, right: Right) -> Result<(), StoreError> {
    let gone = sql("DELETE FROM mailbox_right WHERE mailbox_user = $1 AND mailbox = $2");
    session.execute(gone.bind(user).bind(mailbox)).await?;
    if right.fetches || right.delivers {
        let give = sql("INSERT INTO mailbox_right (mailbox_user, mailbox, fetches, delivers) VALUES ($1, $2, $3, $4)");
        session.execute(give.bind(user).bind(mailbox).bind(right.fetches).bind(right.delivers)).await?;
    }
    Ok(())
}

/// Gives a user another standing.
///
/// # Errors
/// The store.
pub async fn stand(session: &mut Session, user: Uuid, standing: Standing) -> Result<(), StoreError> {
    session.execute(sql("UPDATE mailbox_user SET state = $1 WHERE id = $2").bind(standing.name()).bind(user)).await.map(drop)
}
