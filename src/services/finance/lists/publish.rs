//! To publish a version: ahead of the day on which it takes force, so that ledgers can map what it changes.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use uuid::Uuid;

use super::draft;
use super::kept::{Head, MOST_VERSIONS};
use super::subscription::{self, Subscription};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::clock::civil_day;
use crate::decisions::record::{What, behind};
use crate::decisions::service::{Decision, For};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, DecideError, Kept};
use crate::refusal::api::ApiRefusal;
use crate::services::finance::rules::sortiment::diff::{Change, diff};
use crate::services::finance::rules::sortiment::{List, describe, xml};
use crate::store::jobs::JobError;
use crate::store::{StoreError, until_it_holds};
use crate::users::rights::Action;

/// How many days ahead a version is published, where no setting says so.
pub const DAYS: u16 = 30;

/// How long ahead it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Notice {
    pub days: u16,
    /// Whether sooner is meant.
    pub sooner: bool,
}

/// How many days ahead the value lists of each service are published; exchanged by a reload.
#[derive(Debug, Default)]
pub struct Notices(RwLock<BTreeMap<Uuid, u16>>);

impl Notices {
    /// As the configuration has them, by service.
    pub fn new(days: BTreeMap<Uuid, u16>) -> Self {
        Self(RwLock::new(days))
    }

    /// These from now on.
    pub fn replace(&self, days: BTreeMap<Uuid, u16>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = days;
    }

    /// How many days for a service.
    pub fn of(&self, service: Uuid) -> u16 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&service).copied().unwrap_or(DAYS)
    }
}

/// A version beside the one before it: what whoever decides is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Where it is in the store.
    pub head: Head,
    /// The whole of it.
    pub list: Arc<List>,
    /// The version before it; `None` for the first.
    pub before: Option<Arc<List>>,
    /// What was published of the service when it was read: what was shown holds beside these alone.
    beside: Vec<Uuid>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The version as it is now.
    pub head: Head,
    /// How many days ahead.
    pub ahead: i32,
    /// The subscriptions for which a delivery waits.
    pub deliveries: Vec<Subscription>,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// There is no such version.
    #[error("there is no version of a value list with the id {0}; `hjemmel sortiment list` shows them")]
    NoSuch(Uuid),
    /// It is published.
    #[error("{head} was published at {at} already")]
    Already {
        /// The version.
        head: Box<Head>,
        /// When.
        at: Timestamp,
    },
    /// It would take force too soon.
    #[error(
        "{head} holds from {from}, {}, and {days} days are needed, so that ledgers can map it; let it hold from {earliest}, or publish it with --sooner and a reason", in_days(*.ahead)
    )]
    TooSoon {
        /// The version.
        head: Box<Head>,
        /// The first day on which it holds.
        from: Date,
        /// In how many days that is.
        ahead: i32,
        /// How many are needed.
        days: u16,
        /// The first day that would do.
        earliest: Date,
    },
    /// The service has as many as it may.
    #[error("{0} versions are published, and {MOST_VERSIONS} is the most")]
    TooMany(usize),
    /// It does not fit what is published.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
    /// Somebody imported another content, or published another version of the service.
    #[error("{0} is not as it was shown any more; look at it again")]
    ChangedSinceShown(Box<Head>),
    /// A delivery could not be written down.
    #[error(transparent)]
    Job(#[from] JobError),
}

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

fn ids(published: &[Head]) -> Vec<Uuid> {
    published.iter().map(|head| head.id).collect()
}

fn in_days(ahead: i32) -> String {
    match ahead {
        1 => "tomorrow".to_owned(),
        2.. => format!("in {ahead} days"),
        0 => "today".to_owned(),
        _ => "which has passed".to_owned(),
    }
}

impl Proposal {
    /// Reads a version, and the published one before it.
    ///
    /// # Errors
    /// [`PublishError::NoSuch`], or a store that does not answer.
    pub async fn of(store: &Store, id: Uuid) -> Result<Self, PublishError> {
        let head = store.sortiment(id).await?.ok_or(PublishError::NoSuch(id))?;
        let list = Arc::new(store.sortiment_content(&head).await?);
        let published = store.published(head.service).await?;
        let before = published.iter().filter(|other| head.follows(other)).max_by_key(|other| (other.from, other.published_at));
        let before = match before {
            Some(before) => Some(Arc::new(store.sortiment_content(before).await?)),
            None => None,
        };
        let beside = ids(&published);
        Ok(Self { head, list, before, beside })
    }

    /// What it changes; nothing is reported of the first version of a list, which has all that it has.
    pub fn changes(&self) -> Vec<Change> {
        self.before.as_ref().map(|before| diff(before, &self.list)).unwrap_or_default()
    }

    /// The text that is shown and signed: the whole version, against which, and what it changes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn text(&self) -> Result<String, PublishError> {
        let whole = xml::write(&self.list).map_err(|error| PublishError::Wrong(vec![error]))?;
        let against = self.before.as_deref().map_or_else(|| "nothing".to_owned(), describe);
        let changes: String = self.changes().iter().map(|change| format!("{change}\n")).collect();
        Ok(format!("{whole}against {against}\n{changes}"))
    }

    /// The digest of that text. It is made off the runtime's threads: a list may have a hundred thousand codes.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn shown(&self) -> Result<String, PublishError> {
        let own = self.clone();
        let made = tokio::task::spawn_blocking(move || own.text().map(|text| sha256(&text)));
        made.await.map_err(|_| StoreError::Unreadable { column: "sortiment" })?
    }

    /// Publishes it. From then on it stays as it is, and its codes are known on its days.
    ///
    /// # Errors
    /// [`PublishError`]: a user who may not, or who imported it; a version that would take force too soon, that does not fit, or that was altered.
    pub async fn publish(
        &self,
        store: &Store,
        by: By<'_>,
        notice: Notice,
        because: &Because,
        kept: Option<Kept<'_, Published>>,
    ) -> Result<Published, PublishError> {
        until_it_holds(async || self.publish_once(store, by, notice, because, kept).await).await
    }

    async fn publish_once(
        &self,
        store: &Store,
        by: By<'_>,
        notice: Notice,
        because: &Because,
        kept: Option<Kept<'_, Published>>,
    ) -> Result<Published, PublishError> {
        let head = || Box::new(self.head.clone());
        if let Some(at) = self.head.published_at {
            return Err(PublishError::Already { head: head(), at });
        }
        let today = civil_day(because.at).ok_or(StoreError::Unreadable { column: "today" })?;
        let ahead = today.until(self.head.from).map_or(i32::MIN, |span| span.get_days());
        let soon = ahead < i32::from(notice.days);
        if soon && !notice.sooner {
            let earliest = today.saturating_add(Span::new().days(notice.days));
            return Err(PublishError::TooSoon { head: head(), from: self.head.from, ahead, days: notice.days, earliest });
        }
        let published = store.published(self.head.service).await?.len();
        if published >= MOST_VERSIONS {
            return Err(PublishError::TooMany(published));
        }
        store.lists_with(self.head.service, self.list.clone()).await?.map_err(PublishError::Wrong)?;
        let what = What {
            subject: Subject::Sortiment,
            id: self.head.id,
            from: Some(draft::DRAFT.to_owned()),
            // Whoever reads the chain sees which ones were not known in time.
            to: if soon { format!("published {ahead} days ahead of {}", notice.days) } else { "published".to_owned() },
            shown: Some(self.shown().await?),
        };
        let whose = self.head.authority.map_or(For::All, For::Own);
        let decision = Decision { what, action: Action::PublishSortiment, whose, service: self.head.service, because };
        let mut deciding = decision.begin(store, by).await?;
        // Another publication may have been decided while this one waited for its turn.
        if ids(&deciding.change.published(self.head.service).await?) != self.beside {
            return Err(PublishError::ChangedSinceShown(head()));
        }
        let importer = draft::importer(&mut deciding, self.head.id).await?;
        let importer = importer.ok_or(DecideError::Refused(ApiRefusal::ApiImporterUnknown))?;
        // By person: one with two users is not two, nor are a substitute and whom they stand for.
        let importers = behind(deciding.change.connection(), &importer).await?;
        if let Some(same) = deciding.actor().same_among(&importers, because.at) {
            return Err(DecideError::Refused(ApiRefusal::ApiImporterPublishes { or: same.describe() }).into());
        }
        if !deciding.change.publish_sortiment(&self.head, because.at).await? {
            return Err(PublishError::ChangedSinceShown(head()));
        }
        let deliveries = subscription::write_down(store, &mut deciding.change, &self.head).await?;
        let head = Head { published_at: Some(because.at), ..self.head.clone() };
        let published = Published { head, ahead, deliveries };
        deciding.keep(kept, &published).await?;
        Ok(published)
    }
}
