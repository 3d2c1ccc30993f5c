//! The times within which tests (`Proeve`) are taken: opened in the store by a person's decision, or said by the settings.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::memory::{Content, Memory};
use super::rules::trial::{Opening, Openings};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::decisions::record::What;
use crate::decisions::service::{Decision, For};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, DecideError, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::Refusal;
use crate::store::page::Wanted;
use crate::store::value::to_microsecond;
use crate::store::{Row, StoreError, sql, until_it_holds};
use crate::users::rights::Action;

/// The longest time that one opening lasts, in days.
pub const MOST_DAYS: i64 = 31;
/// How many days ahead one may begin.
pub const MOST_AHEAD: i64 = 366;
/// The most openings of one authority that have not passed.
pub const MOST_OPEN: usize = 20;
/// The most openings that calls know; of more, those that close last.
const MOST_KNOWN: i64 = 10_000;

/// Reads openings. The condition follows.
macro_rules! trials {
    () => {
        "SELECT id, service, authority, opens_at, closes_at, opened_at, ended_at FROM trial WHERE "
    };
}

macro_rules! trials_where {
    ($condition:literal) => {
        sql(concat!(trials!(), $condition))
    };
}

/// When tests are taken, as calls ask for it: within what the settings say, and within what the store has.
#[derive(Clone)]
pub struct Trials {
    /// What the settings say.
    pub said: Arc<Openings>,
    /// What the store has.
    pub kept: Arc<Memory<Arc<Openings>>>,
}

impl Trials {
    /// Whether a test of this sender is taken at this instant.
    ///
    /// # Errors
    /// [`Refusal::AgreementsUnavailable`]: the settings open nothing, and the store has not answered for too long.
    pub async fn are_open(&self, sender: &Cvr, at: Timestamp) -> Result<bool, Refusal> {
        Ok(self.said.are_open(sender, at) || self.kept.now().await?.are_open(sender, at))
    }
}

impl Content for Arc<Openings> {
    const WHAT: &'static str = "times for tests";

    async fn read(store: &Store, service: Uuid, _: Option<&Self>) -> Result<Self, StoreError> {
        let query = trials_where!("service = $1 AND ended_at IS NULL ORDER BY closes_at DESC, id LIMIT $2");
        let rows = store.database().all(query.bind(service).bind(MOST_KNOWN)).await?;
        let trials = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Openings::new(trials.into_iter().map(|trial| (trial.authority, trial.opening)))))
    }
}

/// One opening of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Trial {
    pub id: Uuid,
    /// The service to which the deliveries go.
    pub service: Uuid,
    /// The authority that sends.
    pub authority: Cvr,
    /// From when to when.
    pub opening: Opening,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it was ended before its time.
    pub ended: Option<Timestamp>,
}

/// Why a time for tests is not as asked. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum TrialError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The end is not after the beginning.
    #[error("{to} is not after {from}; say an instant that is")]
    Empty {
        /// The beginning.
        from: Timestamp,
        /// The end.
        to: Timestamp,
    },
    /// It is over.
    #[error("it would be over already, at {0}; say an end that is to come")]
    Past(Timestamp),
    #[error("a time for tests lasts {MOST_DAYS} days at most, from {from} to {latest}; open another when it ends")]
    TooLong {
        /// The beginning.
        from: Timestamp,
        /// The latest end.
        latest: Timestamp,
    },
    /// It begins too late.
    #[error("it would begin at {0}, and may begin {MOST_AHEAD} days ahead at most; open it nearer to the day")]
    TooFarAhead(Timestamp),
    /// There are many.
    #[error("{0} has {MOST_OPEN} times for tests that have not passed, which is the most; end one first")]
    TooMany(Cvr),
    /// There is none, or it is over.
    #[error("there is no time for tests {0} that is not over; `hjemmel trial list` shows them")]
    NoSuch(Uuid),
}

impl From<StoreError> for TrialError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

impl Trial {
    /// A new one.
    ///
    /// # Errors
    /// [`TrialError`]: a time that is empty, past, too long, or too far ahead.
    pub fn new(service: Uuid, authority: Cvr, from: Timestamp, to: Timestamp, now: Timestamp) -> Result<Self, TrialError> {
        let (from, to, now) = (to_microsecond(from), to_microsecond(to), to_microsecond(now));
        let opening = Opening::new(from, to).ok_or(TrialError::Empty { from, to })?;
        if to <= now {
            return Err(TrialError::Past(to));
        }
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        if from.duration_until(to) > days(MOST_DAYS) {
            let latest = from.saturating_add(days(MOST_DAYS)).unwrap_or(from);
            return Err(TrialError::TooLong { from, latest });
        }
        if now.duration_until(from) > days(MOST_AHEAD) {
            return Err(TrialError::TooFarAhead(from));
        }
        Ok(Self { id: Uuid::now_v7(), service, authority, opening, opened: now, ended: None })
    }

    /// Whether it is over at an instant, by itself or because it was ended.
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.ended.is_some() || self.opening.to <= at
    }

    /// Where it stands at an instant: `to-come`, `open`, `over` by itself or `ended` before.
    pub fn stands(&self, at: Timestamp) -> &'static str {
        let Opening { from, to } = self.opening;
        match self.ended {
            Some(_) => "ended",
            None if to <= at => "over",
            None if at < from => "to-come",
            None => "open",
        }
    }

    fn what(&self, from: Option<&str>, to: String) -> What {
        let Self { id, service, authority, opening: Opening { from: opens, to: closes }, .. } = self;
        let text = format!("prøver: {id}\nservice: {service}\nmyndighed: {authority}\nåbnes: {opens}\nlukkes: {closes}\n");
        What { subject: Subject::Trial, id: *id, from: from.map(str::to_owned), to, shown: Some(sha256(&text)) }
    }

    fn decision<'a>(&self, what: What, action: Action, because: &'a Because) -> Decision<'a> {
        Decision { what, action, whose: For::Either(self.authority), service: self.service, because }
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`TrialError`]: a user who may not, or too many.
    pub async fn open(
        &self,
        store: &Store,
        by: By<'_>,
        because: &Because,
        kept: Option<Kept<'_, Self>>,
    ) -> Result<(), TrialError> {
        until_it_holds(async || self.open_once(store, by, because, kept).await).await
    }

    async fn open_once(
        &self,
        store: &Store,
        by: By<'_>,
        because: &Because,
        kept: Option<Kept<'_, Self>>,
    ) -> Result<(), TrialError> {
        // Whoever reads the chain sees for how long.
        let what = self.what(None, format!("open from {} to {}", self.opening.from, self.opening.to));
        let mut deciding = self.decision(what, Action::OpenTrials, because).begin(store, by).await?;
        let session = deciding.change.connection();
        let known = trials_where!("service = $1 AND authority = $2 AND ended_at IS NULL");
        let known = session.all(known.bind(self.service).bind(self.authority.to_string())).await?;
        let known = known.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if known.iter().filter(|trial| !trial.is_over(because.at)).count() >= MOST_OPEN {
            return Err(TrialError::TooMany(self.authority));
        }
        let opened = sql("INSERT INTO trial (id, service, authority, opens_at, closes_at, opened_at)
             VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(self.id)
        .bind(self.service)
        .bind(self.authority.to_string())
        .bind(self.opening.from)
        .bind(self.opening.to)
        .bind(self.opened);
        session.execute(opened).await?;
        Ok(deciding.keep(kept, self).await?)
    }

    /// Ends it before its time.
    ///
    /// # Errors
    /// [`TrialError`]: a user who may not, or one that is over.
    pub async fn end(
        &self,
        store: &Store,
        by: By<'_>,
        because: &Because,
        kept: Option<Kept<'_, Self>>,
    ) -> Result<Self, TrialError> {
        until_it_holds(async || self.end_once(store, by, because, kept).await).await
    }

    async fn end_once(
        &self,
        store: &Store,
        by: By<'_>,
        because: &Because,
        kept: Option<Kept<'_, Self>>,
    ) -> Result<Self, TrialError> {
        let what = self.what(Some("open"), "ended".to_owned());
        let mut deciding = self.decision(what, Action::EndTrials, because).begin(store, by).await?;
        let ended = sql("UPDATE trial SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL").bind(because.at).bind(self.id);
        if self.opening.to <= because.at || deciding.change.connection().execute(ended).await? == 0 {
            return Err(TrialError::NoSuch(self.id));
        }
        let ended = Self { ended: Some(because.at), ..self.clone() };
        deciding.keep(kept, &ended).await?;
        Ok(ended)
    }
}

impl Store {
    /// The times for tests wanted, in the order of their ids.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn trial_page(&self, wanted: &Wanted) -> Result<Vec<Trial>, StoreError> {
        self.database().all(wanted.of(trials!())).await?.iter().map(read).collect()
    }

    /// The times for tests of a service, those that are over too: at most the last thousand, the newest first.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn trials(&self, service: Uuid) -> Result<Vec<Trial>, StoreError> {
        let query = trials_where!("service = $1 ORDER BY closes_at DESC, id LIMIT 1000");
        self.database().all(query.bind(service)).await?.iter().map(read).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`TrialError::NoSuch`], or a store that does not answer.
    pub async fn trial(&self, id: Uuid) -> Result<Trial, TrialError> {
        let row = self.database().first(trials_where!("id = $1").bind(id)).await?;
        row.as_ref().map(read).transpose()?.ok_or(TrialError::NoSuch(id))
    }
}

fn read(row: &Row) -> Result<Trial, StoreError> {
    let opening = Opening::new(row.get("opens_at")?, row.get("closes_at")?);
    Ok(Trial {
        id: row.get("id")?,
        service: row.get("service")?,
        authority: row.parsed("authority")?,
        opening: opening.ok_or(StoreError::Unreadable { column: "closes_at" })?,
        opened: row.get("opened_at")?,
        ended: row.maybe("ended_at")?,
    })
}
