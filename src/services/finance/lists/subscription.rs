//! Who gets each published version, in which of the field's two structures (`SortimentOverfør_1` and `_2`).
//!
//! With each version that is published a delivery is written down for each subscription that it concerns, in the transaction that
//! publishes it: a job of the kind [`KIND`], in the order of the subscription. The job names the version and the subscription;
//! the worker ([`crate::services::finance::files::lists`]) takes it, sends the file, and finishes it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kept::Head;
use super::publish::PublishError;
use crate::agreements::{Change, Store};
use crate::audit::Subject;
use crate::decisions::record::What;
use crate::decisions::service::{Decision, For};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, DecideError, Kept};
use crate::id::cvr::Cvr;
use crate::store::jobs::{Figures, Jobs, Rules};
use crate::store::page::Wanted;
use crate::store::{Row, StoreError, sql, until_it_holds};
use crate::users::rights::Action;

/// The kind of the jobs that deliver versions.
pub const KIND: &str = "sortiment-delivery";

/// How they are tried: for a fortnight, in which a route order that is missing can be approved.
const RULES: Rules = Rules {
    lease: Duration::from_secs(300),
    attempts: 64,
    first_pause: Duration::from_secs(30),
    longest_pause: Duration::from_secs(6 * 3600),
};

/// The field's structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Structure {
    /// `SortimentOverfør_1`.
    #[serde(rename = "SortimentOverfør_1")]
    One,
    /// `SortimentOverfør_2`.
    #[serde(rename = "SortimentOverfør_2")]
    Two,
}

impl Structure {
    /// The one with this number.
    pub fn of(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => None,
        }
    }

    /// Its number.
    pub fn number(self) -> i64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The name by which files of it are routed.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "SortimentOverfør_1",
            Self::Two => "SortimentOverfør_2",
        }
    }
}

impl std::str::FromStr for Structure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim_start_matches('_') {
            "1" => Ok(Self::One),
            "2" => Ok(Self::Two),
            _ => Err("a structure is 1 (SortimentOverfør_1) or 2 (SortimentOverfør_2)".to_owned()),
        }
    }
}

/// A system that gets the published versions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Subscription {
    pub id: Uuid,
    /// The service whose value lists they are.
    pub service: Uuid,
    /// The authority that receives.
    pub authority: Cvr,
    pub system: Uuid,
    /// The value list; `None` for all of the service.
    pub list: Option<Uuid>,
    pub structure: Structure,
    /// Since when.
    pub since: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// What a job says: which version goes to whom, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Delivery {
    /// The version, by its id in the store.
    pub sortiment: Uuid,
    pub subscription: Uuid,
    /// The authority that receives.
    pub authority: Cvr,
    pub system: Uuid,
    pub structure: Structure,
}

/// Why a subscription is not as asked.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The same is there.
    #[error("subscription {0} says the same already; end it before another takes its place")]
    Twice(Uuid),
    /// There is none, or it has ended.
    #[error("there is no subscription {0} that has not ended; `hjemmel sortiment subscriptions` shows them")]
    NoSuch(Uuid),
}

impl From<StoreError> for SubscriptionError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

impl Subscription {
    /// A new one.
    pub fn new(service: Uuid, authority: Cvr, system: Uuid, list: Option<Uuid>, structure: Structure, now: Timestamp) -> Self {
        Self { id: Uuid::now_v7(), service, authority, system, list, structure, since: now, ended: None }
    }

    /// Whether it is about this version: an authority gets what is common, and its own supplements.
    fn concerns(&self, head: &Head) -> bool {
        self.list.is_none_or(|list| list == head.list) && head.authority.is_none_or(|authority| authority == self.authority)
    }

    fn what(&self, from: Option<&str>, to: &str) -> What {
        let list = self.list.map_or_else(|| "all".to_owned(), |list| list.to_string());
        let (service, authority, system, structure) = (self.service, self.authority, self.system, self.structure.name());
        let text = format!(
            "abonnement: {}\nservice: {service}\nmyndighed: {authority}\nsystem: {system}\nsortiment: {list}\nstruktur: {structure}\n",
            self.id
        );
        let subject = Subject::SortimentSubscription;
        What { subject, id: self.id, from: from.map(str::to_owned), to: to.to_owned(), shown: Some(sha256(&text)) }
    }

    fn decision<'a>(&self, what: What, because: &'a Because) -> Decision<'a> {
        let whose = For::Either(self.authority);
        Decision { what, action: Action::SubscribeSortiment, whose, service: self.service, because }
    }

    /// Begins it.
    ///
    /// # Errors
    /// [`SubscriptionError`].
    pub async fn begin(
        &self,
        store: &Store,
        by: By<'_>,
        because: &Because,
        kept: Option<Kept<'_, Self>>,
    ) -> Result<(), SubscriptionError> {
        until_it_holds(async || self.begin_once(store, by, because, kept).await).await
    }

    async fn begin_once(
        &self,
        store: &Store,
        by: By<'_>,
        because: &Because,
        kept: Option<Kept<'_, Self>>,
    ) -> Result<(), SubscriptionError> {
        let mut deciding = self.decision(self.what(None, "subscribed"), because).begin(store, by).await?;
        let session = deciding.change.connection();
        let known = session.all(open().bind(self.service)).await?;
        for other in known.iter().map(read).collect::<Result<Vec<_>, _>>()? {
            if (other.authority, other.system, other.list) == (self.authority, self.system, self.list) {
                return Err(SubscriptionError::Twice(other.id));
            }
        }
        let begun = sql("INSERT INTO sortiment_subscription (id, service, authority, system, list, structure, subscribed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(self.id)
        .bind(self.service)
        .bind(self.authority.to_string())
        .bind(self.system)
        .bind(self.list)
        .bind(self.structure.number())
        .bind(self.since);
        session.execute(begun).await?;
        Ok(deciding.keep(kept, self).await?)
    }

    /// Ends it. What waits to be delivered still is.
    ///
    /// # Errors
    /// [`SubscriptionError`].
    pub async fn end(
        &self,
        store: &Store,
        by: By<'_>,
        because: &Because,
        kept: Option<Kept<'_, Self>>,
    ) -> Result<Self, SubscriptionError> {
        until_it_holds(async || self.end_once(store, by, because, kept).await).await
    }

    async fn end_once(
        &self,
        store: &Store,
        by: By<'_>,
        because: &Because,
        kept: Option<Kept<'_, Self>>,
    ) -> Result<Self, SubscriptionError> {
        let mut deciding = self.decision(self.what(Some("subscribed"), "ended"), because).begin(store, by).await?;
        let ended = sql("UPDATE sortiment_subscription SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL");
        if deciding.change.connection().execute(ended.bind(because.at).bind(self.id)).await? == 0 {
            return Err(SubscriptionError::NoSuch(self.id));
        }
        let ended = Self { ended: Some(because.at), ..self.clone() };
        deciding.keep(kept, &ended).await?;
        Ok(ended)
    }
}

/// The deliveries that wait, for whoever delivers files.
pub fn deliveries(store: &Store) -> Jobs {
    Jobs::new(store.database().clone(), KIND, RULES)
}

/// Writes down a delivery of a version for each subscription that it concerns.
pub(super) async fn write_down(store: &Store, change: &mut Change, head: &Head) -> Result<Vec<Subscription>, PublishError> {
    let known = change.connection().all(open().bind(head.service)).await?;
    let known = known.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let concerned: Vec<Subscription> = known.into_iter().filter(|subscription| subscription.concerns(head)).collect();
    let jobs = deliveries(store);
    for subscription in &concerned {
        let Subscription { id, authority, system, structure, .. } = *subscription;
        let delivery = Delivery { sortiment: head.id, subscription: id, authority, system, structure };
        let payload = serde_json::to_vec(&delivery).map_err(|error| PublishError::Wrong(vec![error.to_string()]))?;
        jobs.add(change.transaction(), &payload, Some(&id.to_string())).await?;
    }
    Ok(concerned)
}

impl Store {
    /// Every subscription of a service, those that have ended too.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn sortiment_subscriptions(&self, service: Uuid) -> Result<Vec<Subscription>, StoreError> {
        let query = sql("SELECT id, service, authority, system, list, structure, subscribed_at, ended_at
             FROM sortiment_subscription WHERE service = $1 ORDER BY authority, id");
        self.database().all(query.bind(service)).await?.iter().map(read).collect()
    }

    /// The subscriptions wanted, in the order of their ids.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn sortiment_subscription_page(&self, wanted: &Wanted) -> Result<Vec<Subscription>, StoreError> {
        let query = wanted.of("SELECT id, service, authority, system, list, structure, subscribed_at, ended_at
             FROM sortiment_subscription WHERE ");
        self.database().all(query).await?.iter().map(read).collect()
    }

    /// One subscription.
    ///
    /// # Errors
    /// [`SubscriptionError::NoSuch`], or a store that does not answer.
    pub async fn sortiment_subscription(&self, id: Uuid) -> Result<Subscription, SubscriptionError> {
        let query = sql("SELECT id, service, authority, system, list, structure, subscribed_at, ended_at
             FROM sortiment_subscription WHERE id = $1");
        let row = self.database().first(query.bind(id)).await?;
        row.as_ref().map(read).transpose()?.ok_or(SubscriptionError::NoSuch(id))
    }

    /// The state of the deliveries of published versions.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn sortiment_deliveries(&self) -> Result<Figures, StoreError> {
        deliveries(self).figures().await
    }
}

/// Those of a service that have not ended.
fn open() -> crate::store::Query {
    sql("SELECT id, service, authority, system, list, structure, subscribed_at, ended_at
         FROM sortiment_subscription WHERE service = $1 AND ended_at IS NULL ORDER BY id")
}

fn read(row: &Row) -> Result<Subscription, StoreError> {
    let structure = Structure::of(row.get("structure")?).ok_or(StoreError::Unreadable { column: "structure" })?;
    Ok(Subscription {
        id: row.get("id")?,
        service: row.get("service")?,
        authority: row.parsed("authority")?,
        system: row.get("system")?,
        list: row.maybe("list")?,
        structure,
        since: row.get("subscribed_at")?,
        ended: row.maybe("ended_at")?,
    })
}
