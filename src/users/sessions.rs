//! Sessions of the console, and the links that open one without an identity provider: what the store keeps of them.
//!
//! A session begins with a [`Proven`] person and gives an [`Actor`], as a certificate does. Its secret is in the browser alone;
//! here is its digest.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::rights::{Role, Side};
use super::store::{ActorError, UserError};
use super::{Actor, Kind, Proof, User};
use crate::agreements::Store;
use crate::id::cvr::Cvr;
use crate::refusal::api::ApiRefusal;
use crate::store::value::to_microsecond;
use crate::store::{Row, StoreError, sql, until_it_holds};

/// How long a session that has ended, and a link whose time is over, are remembered: a decision names its session.
pub const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// How long a link of the command line may be used.
pub const LINK_HOLDS: SignedDuration = SignedDuration::from_mins(10);
/// A session's last use is written down no oftener.
const NOTED_EVERY: SignedDuration = SignedDuration::from_secs(30);

/// How a person was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// By a link that was printed at the terminal of the gateway's operators.
    Link,
    /// By an identity provider.
    Saml,
}

impl Means {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Means::Link => "link",
            Means::Saml => "saml",
        }
    }
}

impl std::str::FromStr for Means {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Means::Link, Means::Saml].into_iter().find(|means| means.name() == text).ok_or(())
    }
}

/// By what an identity provider knows a person, and its own session of that person. The store has the digests.
#[derive(Clone, PartialEq, Eq)]
pub struct AtProvider {
    /// The provider's entity id and the NameID, put together by whoever read them.
    pub subject: String,
    /// The SessionIndex, where there is one.
    pub session: Option<String>,
}

impl fmt::Debug for AtProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtProvider(..)")
    }
}

/// A person who has proven to be a user. Whoever makes one has judged the proof.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The user.
    pub user: Uuid,
    /// How.
    pub means: Means,
    /// The roles that the proof gives; of those that the user does not have, none. `None`: all that the user has.
    pub roles: Option<Vec<Role>>,
    /// By what the identity provider ends the session.
    pub at_provider: Option<AtProvider>,
    /// Until when the proof holds at the longest.
    pub until: Option<Timestamp>,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Without a request.
    pub idle: Duration,
    /// Altogether.
    pub lifetime: Duration,
}

/// What a browser, or a link, is known by: 32 random bytes. It prints itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new() -> Result<Self, StoreError> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| StoreError::Unreadable { column: "random" })?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What somebody showed; `None` where it is none.
    pub fn read(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (text.len() == 43 && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The text for the cookie or the link, and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What a form of this session must bring back: nobody without the cookie can make it.
    pub fn form_token(&self) -> String {
        hashed(&format!("form {}", self.0))
    }

    /// What the address of a page has where what this session sent was done there: a link from elsewhere cannot say so.
    pub fn done_mark(&self, place: &str) -> String {
        hashed(&format!("done {place} {}", self.0))
    }

    fn digest(&self) -> String {
        hashed(&self.0)
    }

    /// The same of a session that acts for somebody else. A node of a release that knows no delegations finds none by this cookie: it would take
    /// the session for the person's own.
    fn digest_acting(&self) -> String {
        hashed(&format!("acting {}", self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn hashed(text: &str) -> String {
    crate::hex::encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Who writes in the forms of a session: the same of each session of one person in one right, and of no other.
pub fn writer(actor: &Actor) -> String {
    let own = actor.own();
    let party = own.party.map_or("-".to_owned(), |cvr| cvr.to_string());
    let delegation = actor.by_delegation().map_or("-".to_owned(), |by| by.delegation.to_string());
    hashed(&format!("writer {} {party} {delegation}", own.person))
}

/// A session that goes on.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id, which decisions name.
    pub id: Uuid,
    /// How its person was proven.
    pub means: Means,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// Its person.
    pub actor: Actor,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user is none, is no person, has ended or has not begun, or has none of the roles that the proof gives.
    #[error("the user may not log on to the console: it is no person, has ended or not begun, or has none of the roles")]
    NotAllowed,
    /// The link was used, or its time is over, or it never was.
    #[error("the link does not hold")]
    Link,
}

impl From<UserError> for OpenError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Store(error) => Self::Store(error),
            _ => Self::NotAllowed,
        }
    }
}

/// The user with the roles that the proof gives, where it may be in the console now.
fn admitted(user: User, roles: Option<&[Role]>, now: Timestamp) -> Option<User> {
    let kept: Vec<Role> = user.roles.iter().copied().filter(|role| roles.is_none_or(|given| given.contains(role))).collect();
    let admitted = user.kind == Kind::Person && user.holds(now) && !kept.is_empty();
    admitted.then_some(User { roles: kept, ..user })
}

impl Store {
    /// Begins a session.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_session(&self, proven: &Proven, limits: Limits, now: Timestamp) -> Result<(Secret, Session), OpenError> {
        let user = admitted(self.user(proven.user).await?, proven.roles.as_deref(), now).ok_or(OpenError::NotAllowed)?;
        let now = to_microsecond(now);
        let lifetime = SignedDuration::try_from(limits.lifetime).unwrap_or(SignedDuration::from_hours(1));
        let ends_at = [proven.until, user.valid_to].into_iter().flatten().fold(now + lifetime, Timestamp::min);
        if ends_at <= now {
            return Err(OpenError::NotAllowed);
        }
        let (id, secret) = (Uuid::now_v7(), Secret::new()?);
        let roles = proven
            .roles
            .as_ref()
            .map(|roles| serde_json::json!(roles.iter().map(|role| role.name()).collect::<Vec<_>>()).to_string());
        let of_provider = proven.at_provider.as_ref();
        let open = sql(
            "INSERT INTO console_session (id, secret, api_user, means, roles, subject, session_index, began_at, seen_at, ends_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
        )
        .bind(id)
        .bind(secret.digest())
        .bind(user.id)
        .bind(proven.means.name())
        .bind(roles)
        .bind(of_provider.map(|known| hashed(&known.subject)))
        .bind(of_provider.and_then(|known| known.session.as_deref()).map(hashed))
        .bind(now)
        .bind(to_microsecond(ends_at));
        self.database().write(open).await?;
        let actor = Actor { user, proof: Proof::Session(id), stands_for: None };
        Ok((secret, Session { id, means: proven.means, began_at: now, ends_at, actor }))
    }

    /// The session of a browser, where it goes on and its user may act now.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn session(&self, secret: &Secret, limits: Limits, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let known =
            sql("SELECT s.id AS session, s.means, s.roles AS given, s.began_at, s.seen_at, s.ends_at, s.api_user, s.delegation
             FROM console_session AS s
             WHERE ((s.secret = $1 AND s.delegation IS NULL) OR (s.secret = $3 AND s.delegation IS NOT NULL))
                 AND s.ended_at IS NULL AND s.ends_at > $2");
        let known = known.bind(secret.digest()).bind(now).bind(secret.digest_acting());
        let Some(row) = self.database().first(known).await? else { return Ok(None) };
        let seen_at: Timestamp = row.get("seen_at")?;
        let idle = SignedDuration::try_from(limits.idle).unwrap_or(SignedDuration::ZERO);
        if seen_at + idle <= now {
            return Ok(None);
        }
        let given = given(&row)?;
        let Some(user) = self.user_by_id(row.get("api_user")?).await? else { return Ok(None) };
        let Some(user) = admitted(user, given.as_deref(), now) else { return Ok(None) };
        let id = row.get("session")?;
        if now.duration_since(seen_at) >= NOTED_EVERY {
            let seen = sql("UPDATE console_session SET seen_at = $1 WHERE id = $2 AND ended_at IS NULL AND seen_at < $1");
            self.database().execute(seen.bind(to_microsecond(now)).bind(id)).await?;
        }
        let means = row.parsed("means")?;
        let actor = Actor { user, proof: Proof::Session(id), stands_for: None };
        let actor = match row.maybe("delegation")? {
            None => actor,
            // It goes on no longer than the delegation, and does not become the person's own.
            Some(delegation) => match self.acting(actor, delegation, now).await {
                Ok(actor) => actor,
                Err(ActorError::Refused(_)) => return Ok(None),
                Err(ActorError::Store(error)) => return Err(error),
            },
        };
        Ok(Some(Session { id, means, began_at: row.get("began_at")?, ends_at: row.get("ends_at")?, actor }))
    }

    /// Begins a session of the same person and proof that acts for a colleague by this delegation, or in the person's own right again. The one
    /// before ends, and its forms with it: what was written as the one is not sent as the other.
    ///
    /// # Errors
    /// [`ActorError`]: a delegation that is not in force, a session that is over.
    pub async fn exchange_session(
        &self,
        before: &Session,
        delegation: Option<Uuid>,
        now: Timestamp,
    ) -> Result<(Secret, Session), ActorError> {
        let (id, secret, now) = (Uuid::now_v7(), Secret::new()?, to_microsecond(now));
        let own = Actor { user: before.actor.own().clone(), proof: Proof::Session(id), stands_for: None };
        let actor = match delegation {
            None => own,
            Some(delegation) => self.acting(own, delegation, now).await?,
        };
        let begin = sql("INSERT INTO console_session
                 (id, secret, api_user, means, roles, subject, session_index, began_at, seen_at, ends_at, delegation)
             SELECT $1, $2, api_user, means, roles, subject, session_index, $3, $3, ends_at, $4 FROM console_session
             WHERE id = $5 AND ended_at IS NULL AND ends_at > $3")
        .bind(id)
        .bind(if delegation.is_some() { secret.digest_acting() } else { secret.digest() })
        .bind(now)
        .bind(delegation)
        .bind(before.id);
        let end = sql("UPDATE console_session SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL").bind(now).bind(before.id);
        let begun = until_it_holds(async || {
            let mut transaction = self.database().begin_beside_others().await?;
            let begun = transaction.execute(begin.clone()).await? == 1 && transaction.execute(end.clone()).await? == 1;
            if begun {
                transaction.commit().await?;
            }
            Ok::<_, StoreError>(begun)
        })
        .await?;
        match begun {
            true => Ok((secret, Session { id, means: before.means, began_at: now, ends_at: before.ends_at, actor })),
            false => Err(ApiRefusal::ApiUserNotActive.into()),
        }
    }

    /// How many sessions go on.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn sessions(&self, limits: Limits, now: Timestamp) -> Result<u64, StoreError> {
        let idle = SignedDuration::try_from(limits.idle).unwrap_or(SignedDuration::ZERO);
        let open = sql("SELECT count(*) AS many FROM console_session WHERE ended_at IS NULL AND ends_at > $1 AND seen_at > $2");
        let row = self.database().first(open.bind(to_microsecond(now)).bind(to_microsecond(now - idle))).await?;
        let many: i64 = row.ok_or(StoreError::Unreadable { column: "many" })?.get("many")?;
        Ok(many.unsigned_abs())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn end_session(&self, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let end = sql("UPDATE console_session SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL");
        self.database().execute(end.bind(to_microsecond(now)).bind(id)).await.map(drop)
    }

    /// Whether a session, ended or not, is of this person at this provider.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn is_session_of(&self, id: Uuid, known: &AtProvider) -> Result<bool, StoreError> {
        let same = sql("SELECT 1 AS same FROM console_session WHERE id = $1 AND subject = $2");
        Ok(self.database().first(same.bind(id).bind(hashed(&known.subject))).await?.is_some())
    }

    /// Ends the sessions that an identity provider ends: that of its session, or all of the person where it names none. How many.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn end_sessions_of(&self, known: &AtProvider, now: Timestamp) -> Result<u64, StoreError> {
        let end = sql("UPDATE console_session SET ended_at = $1
             WHERE subject = $2 AND ended_at IS NULL AND ($3 IS NULL OR session_index = $3 OR session_index IS NULL)");
        let end = end.bind(to_microsecond(now)).bind(hashed(&known.subject)).bind(known.session.as_deref().map(hashed));
        self.database().execute(end).await
    }

    /// Ends the sessions that a person began by an identity provider as another user of the same authority or company: with roles
    /// that the provider gives no longer. How many.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn end_other_sessions(&self, now_is: &User, now: Timestamp) -> Result<u64, StoreError> {
        self.end_sessions_but(now_is.person, now_is.party, Some(now_is.id), now).await
    }

    /// Ends all that a person began by an identity provider for an authority or company, or as an operator: it gives no role there any longer. How
    /// many.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn end_provider_sessions(&self, person: Uuid, party: Option<Cvr>, now: Timestamp) -> Result<u64, StoreError> {
        self.end_sessions_but(person, party, None, now).await
    }

    async fn end_sessions_but(
        &self,
        person: Uuid,
        party: Option<Cvr>,
        but: Option<Uuid>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let end = sql("UPDATE console_session SET ended_at = $1 WHERE ended_at IS NULL AND means = $2 AND api_user IN (
                 SELECT id FROM api_user WHERE (person = $3 OR id = $3) AND ($4 IS NULL OR id <> $4) AND coalesce(party, '') = $5)")
        .bind(to_microsecond(now))
        .bind(Means::Saml.name())
        .bind(person)
        .bind(but)
        .bind(party.map(|cvr| cvr.to_string()).unwrap_or_default());
        self.database().execute(end).await
    }

    /// Makes a link by which this user logs on once, for so long. `any_role`: also one who is no operator.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn make_link(
        &self,
        user: Uuid,
        any_role: bool,
        holds: SignedDuration,
        now: Timestamp,
    ) -> Result<Secret, OpenError> {
        let user = admitted(self.user(user).await?, None, now).ok_or(OpenError::NotAllowed)?;
        if !any_role && user.side() != Some(Side::Operators) {
            return Err(OpenError::NotAllowed);
        }
        let (secret, now) = (Secret::new()?, to_microsecond(now));
        let make = sql("INSERT INTO console_link (secret, api_user, made_at, ends_at) VALUES ($1, $2, $3, $4)");
        let make = make.bind(secret.digest()).bind(user.id).bind(now).bind(now + holds);
        self.database().write(make).await?;
        Ok(secret)
    }

    /// Uses a link up, and gives whom it logs on. `any_role`: also one who is no operator.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn use_link(&self, secret: &Secret, any_role: bool, now: Timestamp) -> Result<Proven, OpenError> {
        let now = to_microsecond(now);
        let take =
            sql("UPDATE console_link SET used_at = $1 WHERE secret = $2 AND used_at IS NULL AND ends_at > $1 RETURNING api_user");
        let take = take.bind(now).bind(secret.digest());
        let row = until_it_holds(async || {
            let mut transaction = self.database().begin_beside_others().await?;
            let row = transaction.first(take.clone()).await?;
            transaction.commit().await.map(|()| row)
        })
        .await?;
        let user: Uuid = row.ok_or(OpenError::Link)?.get("api_user")?;
        if !any_role && self.user(user).await?.side() != Some(Side::Operators) {
            return Err(OpenError::NotAllowed);
        }
        Ok(Proven { user, means: Means::Link, roles: None, at_provider: None, until: None })
    }

    /// Forgets sessions that ended long ago, and links whose time is over; how many there were.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn forget_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let links = sql("DELETE FROM console_link WHERE ends_at < $1").bind(now - SignedDuration::from_hours(24));
        let links = self.database().execute(links).await?;
        let sessions = sql("DELETE FROM console_session WHERE ends_at < $1").bind(now - KEPT);
        Ok(links + self.database().execute(sessions).await?)
    }

    async fn user_by_id(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        match self.user(id).await {
            Ok(user) => Ok(Some(user)),
            Err(UserError::Store(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}

fn given(row: &Row) -> Result<Option<Vec<Role>>, StoreError> {
    let unreadable = || StoreError::Unreadable { column: "roles" };
    let Some(text) = row.maybe::<String>("given")? else { return Ok(None) };
    let names: Vec<String> = serde_json::from_str(&text).map_err(|_| unreadable())?;
    names.iter().map(|name| name.parse().map_err(|_| unreadable())).collect::<Result<_, _>>().map(Some)
}
