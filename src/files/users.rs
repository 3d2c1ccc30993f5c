//! Users of the SFTP service: it-systems that hand files to each other, each with its keys.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::home::Fingerprint;
use super::key::PublicKey;
use crate::{
    agreements::Environment,
    id::cvr::Cvr,
    store::{Query, Row, Session, StoreError, sql},
};

/// How often it is noted that a user is refused.
const REFUSED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its identity, which logs and records have.
    pub id: Uuid,
    /// The name that it logs on with and that triggers have: exactly so, upper and lower case.
    pub name: String,
    /// The environment that it belongs to.
    pub environment: Environment,
    /// The it-system whose it is.
    pub system: Uuid,
    /// The authority or company that answers for it.
    pub authority: Cvr,
    /// Whether its metadata has the root that it had before 2023.
    pub older_root: bool,
    /// How much may lie in its home, in bytes.
    pub bytes_limit: u64,
    /// Whether it is disabled.
    pub disabled: bool,
    /// The first instant at which it may no longer log on.
    pub valid_to: Option<Timestamp>,
    /// When it last logged on.
    pub seen: Option<Timestamp>,
    /// When its name was last given with a key that is not its own.
    pub refused: Option<Timestamp>,
    /// How much lies in its home.
    pub used: Used,
}

/// What lies in a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct Used {
    pub bytes: u64,
    pub files: u64,
}

/// A key of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// What it is called.
    pub label: String,
    /// The key as OpenSSH writes it.
    pub public: String,
    /// Whether it is disabled.
    pub disabled: bool,
    /// The first instant at which it may no longer be used.
    pub valid_to: Option<Timestamp>,
    /// When it was last used.
    pub seen: Option<Timestamp>,
}

/// What keeps a user or a key from being one.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name.
    #[error("an SFTP user's name has 1-255 of the characters A-Z, a-z, 0-9, _, . and -")]
    Name,
    /// The name or the id is in use.
    #[error("there is an SFTP user of that name already")]
    Taken,
    /// By SFTP a name is one user's.
    #[error("there is a mailbox user of that name with a key (`hjemmel mailbox user`); choose another name")]
    OfTheOther,
    /// There is none.
    #[error("there is no SFTP user {0}")]
    NoSuchUser(String),
    /// It has this key already.
    #[error("the user has the key {0} already; `hjemmel sftp key list` shows its keys")]
    KeyTaken(Fingerprint),
    /// It had it, and whoever disabled it had a reason.
    #[error("the key {0} of this user is disabled, and stays so; have the user make a new one, and add that")]
    KeyDisabled(Fingerprint),
    /// It has no such key.
    #[error("the user has no key {0}")]
    NoSuchKey(String),
}

/// Whether it is a name that a user can have.
pub fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// Microseconds since the Unix epoch, as instants are kept that statements compare.
pub(super) fn us(instant: Timestamp) -> i64 {
    instant.as_microsecond()
}

pub(super) fn instant(us: i64, column: &'static str) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(us).map_err(|_| StoreError::Unreadable { column })
}

pub(super) fn count(row: &Row, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(row.get::<i64>(column)?).map_err(|_| StoreError::Unreadable { column })
}

impl User {
    /// Whether it may log on and receive at `at`.
    pub fn is_open(&self, at: Timestamp) -> bool {
        !self.disabled && self.valid_to.is_none_or(|to| at < to)
    }
}

macro_rules! users_where {
    ($condition:literal) => {
        sql(concat!(
            "SELECT id, name, environment, system, authority, older_root, bytes_limit, disabled, valid_to_us, seen_us, refused_us,
                 bytes_used, files_used FROM sftp_user WHERE ",
            $condition
        ))
    };
}

fn read(row: &Row) -> Result<User, StoreError> {
    let maybe = |column| row.maybe::<i64>(column)?.map(|us| instant(us, column)).transpose();
    Ok(User {
        id: row.get("id")?,
        name: row.get("name")?,
        environment: row.parsed("environment")?,
        system: row.get("system")?,
        authority: row.parsed("authority")?,
        older_root: row.get("older_root")?,
        bytes_limit: count(row, "bytes_limit")?,
        disabled: row.get("disabled")?,
        valid_to: maybe("valid_to_us")?,
        seen: maybe("seen_us")?,
        refused: maybe("refused_us")?,
        used: Used {
            bytes: u64::try_from(row.get::<i64>("bytes_used")?).unwrap_or_default(),
            files: u64::try_from(row.get::<i64>("files_used")?).unwrap_or_default(),
        },
    })
}

fn read_key(row: &Row) -> Result<Key, StoreError> {
    let maybe = |column| row.maybe::<i64>(column)?.map(|us| instant(us, column)).transpose();
    let fingerprint: String = row.get("fingerprint")?;
    Ok(Key {
        fingerprint: fingerprint.parse().map_err(|()| StoreError::Unreadable { column: "fingerprint" })?,
        label: row.get("label")?,
        public: row.get("public_key")?,
        disabled: row.get("disabled")?,
        valid_to: maybe("valid_to_us")?,
        seen: maybe("seen_us")?,
    })
}

/// Every user, by name.
///
/// # Errors
/// The store.
pub async fn all(session: &mut Session) -> Result<Vec<User>, StoreError> {
    session.all(users_where!("TRUE ORDER BY name")).await?.iter().map(read).collect()
}

/// The user of this name.
///
/// # Errors
/// The store.
pub async fn named(session: &mut Session, name: &str) -> Result<Option<User>, StoreError> {
    one(session, users_where!("name = $1").bind(name)).await
}

/// The user with this id.
///
/// # Errors
/// The store.
pub async fn with_id(session: &mut Session, id: Uuid) -> Result<Option<User>, StoreError> {
    one(session, users_where!("id = $1").bind(id)).await
}

async fn one(session: &mut Session, query: Query) -> Result<Option<User>, StoreError> {
    session.first(query).await?.as_ref().map(read).transpose()
}

/// A user's keys, by label.
///
/// # Errors
/// The store.
pub async fn keys(session: &mut Session, user: Uuid) -> Result<Vec<Key>, StoreError> {
    let query = sql("SELECT fingerprint, label, public_key, disabled, valid_to_us, seen_us FROM sftp_key WHERE sftp_user = $1
                     ORDER BY label, fingerprint");
    session.all(query.bind(user)).await?.iter().map(read_key).collect()
}

/// Adds a user.
///
/// # Errors
/// [`UserError`].
pub async fn add(session: &mut Session, user: &User, now: Timestamp) -> Result<(), UserError> {
    if !is_name(&user.name) {
        return Err(UserError::Name);
    }
    if named(session, &user.name).await?.is_some() || with_id(session, user.id).await?.is_some() {
        return Err(UserError::Taken);
    }
    // By SFTP a name is one user's: a home of this name would shut a mailbox user with a key out.
    let other = sql("SELECT u.id FROM mailbox_user AS u WHERE u.name = $1 AND u.state <> 'SLETTET' AND EXISTS
         (SELECT 1 FROM mailbox_user_key AS k WHERE k.mailbox_user = u.id AND k.ended_us IS NULL)");
    if session.first(other.bind(&user.name)).await?.is_some() {
        return Err(UserError::OfTheOther);
    }
    let add =
        sql("INSERT INTO sftp_user (id, name, environment, system, authority, older_root, bytes_limit, disabled, valid_to_us,
                       added_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(user.id)
        .bind(&user.name)
        .bind(user.environment.to_string())
        .bind(user.system)
        .bind(user.authority.to_string())
        .bind(user.older_root)
        .bind(i64::try_from(user.bytes_limit).unwrap_or(i64::MAX))
        .bind(user.disabled)
        .bind(user.valid_to.map(us))
        .bind(us(now));
    session.execute(add).await?;
    Ok(())
}

/// What may be changed of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Disabled, or enabled again.
    pub disabled: Option<bool>,
    /// Another root of its metadata.
    pub older_root: Option<bool>,
    /// Another quota.
    pub bytes_limit: Option<u64>,
    /// Another end.
    pub valid_to: Option<Timestamp>,
}

/// Changes a user.
///
/// # Errors
/// [`UserError::NoSuchUser`], or the store.
pub async fn change(session: &mut Session, user: &User, changed: &Changed) -> Result<(), UserError> {
    let limit = changed.bytes_limit.unwrap_or(user.bytes_limit);
    let change = sql("UPDATE sftp_user SET disabled = $1, older_root = $2, bytes_limit = $3, valid_to_us = $4 WHERE id = $5")
        .bind(changed.disabled.unwrap_or(user.disabled))
        .bind(changed.older_root.unwrap_or(user.older_root))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(changed.valid_to.or(user.valid_to).map(us))
        .bind(user.id);
    match session.execute(change).await? {
        0 => Err(UserError::NoSuchUser(user.name.clone())),
        _ => Ok(()),
    }
}

/// Gives a user a key.
///
/// # Errors
/// [`UserError::KeyTaken`], [`UserError::KeyDisabled`], or the store.
pub async fn add_key(
    session: &mut Session,
    user: Uuid,
    key: &PublicKey,
    label: &str,
    valid_to: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), UserError> {
    let fingerprint = key.fingerprint();
    if let Some(held) = keys(session, user).await?.iter().find(|held| held.fingerprint == fingerprint) {
        return Err(if held.disabled { UserError::KeyDisabled(fingerprint) } else { UserError::KeyTaken(fingerprint) });
    }
    let add = sql("INSERT INTO sftp_key (sftp_user, fingerprint, label, public_key, disabled, valid_to_us, added_us)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(user)
    .bind(fingerprint.to_string())
    .bind(label)
    .bind(key.to_string())
    .bind(false)
    .bind(valid_to.map(us))
    .bind(us(now));
    session.execute(add).await?;
    Ok(())
}

/// Disables a user's key.
///
/// # Errors
/// [`UserError::NoSuchKey`], or the store.
pub async fn disable_key(session: &mut Session, user: Uuid, fingerprint: Fingerprint) -> Result<(), UserError> {
    let disable = sql("UPDATE sftp_key SET disabled = $1 WHERE sftp_user = $2 AND fingerprint = $3");
    match session.execute(disable.bind(true).bind(user).bind(fingerprint.to_string())).await? {
        0 => Err(UserError::NoSuchKey(fingerprint.to_string())),
        _ => Ok(()),
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
    let query = sql("SELECT u.id, k.fingerprint FROM sftp_user AS u LEFT JOIN sftp_key AS k ON k.sftp_user = u.id
                         AND NOT k.disabled AND (k.valid_to_us IS NULL OR k.valid_to_us > $2)
                     WHERE u.name = $1 AND u.environment = $3 AND NOT u.disabled AND (u.valid_to_us IS NULL OR u.valid_to_us > $2)");
    let asked = if is_name(name) { name } else { "-" };
    let rows = session.all(query.bind(asked).bind(us(now)).bind(environment.to_string())).await?;
    let Some(first) = rows.first().filter(|_| is_name(name)) else { return Ok(None) };
    let mut keys = Vec::new();
    for row in &rows {
        if let Some(fingerprint) = row.maybe::<String>("fingerprint")? {
            keys.push(fingerprint.parse().map_err(|()| StoreError::Unreadable { column: "fingerprint" })?);
        }
    }
    Ok(Some((first.get("id")?, keys)))
}

/// Whether a user may go on with a key.
///
/// # Errors
/// The store.
pub async fn may_go_on(session: &mut Session, user: Uuid, key: Fingerprint, now: Timestamp) -> Result<bool, StoreError> {
    let query = sql("SELECT u.id FROM sftp_user AS u JOIN sftp_key AS k ON k.sftp_user = u.id
                     WHERE u.id = $1 AND k.fingerprint = $2 AND NOT u.disabled AND NOT k.disabled
                         AND (u.valid_to_us IS NULL OR u.valid_to_us > $3) AND (k.valid_to_us IS NULL OR k.valid_to_us > $3)");
    Ok(session.first(query.bind(user).bind(key.to_string()).bind(us(now))).await?.is_some())
}

/// Notes that a user logged on with a key.
///
/// # Errors
/// The store.
pub async fn saw(session: &mut Session, user: Uuid, key: Fingerprint, now: Timestamp) -> Result<(), StoreError> {
    session.execute(sql("UPDATE sftp_user SET seen_us = $1 WHERE id = $2").bind(us(now)).bind(user)).await?;
    let key_seen = sql("UPDATE sftp_key SET seen_us = $1 WHERE sftp_user = $2 AND fingerprint = $3");
    session.execute(key_seen.bind(us(now)).bind(user).bind(key.to_string())).await.map(drop)
}

/// Notes that a user gave a key that is not its own, where that was not noted within the last minute and since it last logged on.
///
/// # Errors
/// The store.
pub(super) async fn refused(session: &mut Session, user: Uuid, now: Timestamp) -> Result<(), StoreError> {
    let before = now.checked_sub(REFUSED_EVERY).unwrap_or(now);
    let refused = sql("UPDATE sftp_user SET refused_us = $1 WHERE id = $2
                           AND (refused_us IS NULL OR refused_us <= $3 OR refused_us < coalesce(seen_us, 0))");
    session.execute(refused.bind(us(now)).bind(user).bind(us(before))).await.map(drop)
}
