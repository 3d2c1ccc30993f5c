//! Published value lists to those who subscribe, as files: the worker of the deliveries that a publication writes down.
//!
//! A version goes from a user of the platform's own (`sortiment_user`) by a route order whose InfRef is the subscription's structure.
//! The job is done in the transaction that sends the file: whoever is killed meanwhile has sent it once or not at all. Without an order
//! the job fails and is tried again for days, so that there is time to have one approved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::agreements::Store;
use crate::clock::{Clock, civil_day};
use crate::files::core::{Failed, Files};
use crate::files::name::Name;
use crate::files::orders;
use crate::files::submit::Own;
use crate::files::users;
use crate::files::xml::trigger::same_inf_ref;
use crate::files::xml::written::{self, Routed};
use crate::services::finance::lists::subscription::{Delivery, deliveries};
use crate::services::finance::lists::transfer;
use crate::store::StoreError;
use crate::store::jobs::{Fate, JobError, Jobs, Taken};

/// How often it is looked for deliveries.
const LOOK: Duration = Duration::from_secs(5);
/// How many are made at a time: each holds a list in memory.
const AT_ONCE: u32 = 2;

/// Sends value lists. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    files: Files,
    store: Store,
    jobs: Jobs,
    clock: Clock,
    /// As which user, by service.
    users: Arc<BTreeMap<Uuid, String>>,
}

/// Why a version is not on its way yet. Names no value of a list.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum NotSent {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Job(#[from] JobError),
    /// The core of files.
    #[error(transparent)]
    Files(#[from] Failed),
    /// Who sends.
    #[error("the service {0} names no sortiment_user; add it to its section, and make the user with `hjemmel sftp user add`")]
    NoSender(Uuid),
    #[error("there is no SFTP user {0}, which sortiment_user names; make it with `hjemmel sftp user add`")]
    NoUser(String),
    /// No order.
    #[error(
        "no approved route order leads from {sender} to the system {system} of {authority} with the InfRef {inf_ref}; request one with `hjemmel sftp order`"
    )]
    NoOrder {
        /// Who sends.
        sender: String,
        /// Who subscribes.
        authority: String,
        system: Uuid,
        /// The structure.
        inf_ref: &'static str,
    },
    /// The recipient's home or the order would not take the file.
    #[error("the route order to the system {system} of {authority} leads nowhere now: {why}")]
    Hindered {
        /// Who subscribes.
        authority: String,
        system: Uuid,
        why: &'static str,
    },
    #[error("the version or the list cannot be written as a file: {0}")]
    Version(String),
}

impl Worker {
    /// For these services.
    pub fn new(files: Files, store: Store, clock: Clock, users: BTreeMap<Uuid, String>) -> Self {
        let jobs = deliveries(&store);
        Self { files, store, jobs, clock, users: Arc::new(users) }
    }

    /// Said of a node that sends no more: what was under way is another's at once.
    pub async fn stopped(&self) {
        if let Err(error) = self.jobs.give_back().await {
            tracing::warn!(%error, "value lists that were on their way to those who subscribe wait for their leases' ends");
        }
    }

    /// Sends what is due, for ever. It ends with the future: what was under way is another's, after its lease or once
    /// [`Worker::stopped`] is said.
    pub async fn work(&self) {
        loop {
            match self.work_once().await {
                Ok(done) if done > 0 => {}
                Ok(_) => tokio::time::sleep(LOOK).await,
                Err(error) => {
                    tracing::warn!(%error, "value lists cannot be sent to those who subscribe");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Sends what is due now; how many deliveries were looked at.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn work_once(&self) -> Result<usize, NotSent> {
        let taken = self.jobs.take(AT_ONCE).await?;
        for job in &taken {
            let Err(error) = self.sent(job).await else { continue };
            let fate = self.jobs.failed(job, &error.to_string()).await?;
            match fate {
                Fate::Again(pause) => {
                    tracing::warn!(%error, attempt = job.attempt, again_in = ?pause, "a value list is not on its way to a subscriber yet");
                }
                Fate::Dead => tracing::error!(
                    %error, job = job.id, "a value list was not sent to a subscriber, and is given up; see docs/failures.md"
                ),
            }
        }
        Ok(taken.len())
    }

    async fn sent(&self, job: &Taken) -> Result<(), NotSent> {
        let delivery: Delivery = serde_json::from_slice(&job.payload).map_err(|error| NotSent::Version(error.to_string()))?;
        let head = self.store.sortiment(delivery.sortiment).await?;
        let head = head.ok_or_else(|| NotSent::Version("there is no such version".to_owned()))?;
        let name = self.users.get(&head.service).ok_or(NotSent::NoSender(head.service))?;
        let now = self.clock.now();
        let (inf_ref, today) = (delivery.structure.name(), civil_day(now));
        let mut session = self.store.database().session().await?;
        let sender = users::named(&mut session, name).await?.ok_or_else(|| NotSent::NoUser(name.clone()))?;
        let mut way = None;
        for order in orders::of_sender(&mut session, sender.id).await? {
            let fits = order.inf_ref.as_deref().is_some_and(|own| same_inf_ref(own, inf_ref))
                && order.recipient_authority == delivery.authority
                && today.is_some_and(|today| order.usable(today).is_ok());
            if fits
                && let Some(user) = users::with_id(&mut session, order.recipient).await?
                && user.system == delivery.system
            {
                way = Some((order, user));
            }
        }
        drop(session);
        let (order, recipient) = way.ok_or_else(|| NotSent::NoOrder {
            sender: name.clone(),
            authority: delivery.authority.to_string(),
            system: delivery.system,
            inf_ref,
        })?;
        let content = transfer::written(&self.store, &head, &delivery).await.map_err(NotSent::Version)?;
        let file = format!("Sortiment_{}_{}_{}.xml", head.list, head.id, delivery.subscription);
        let file = Name::new(&file).map_err(|_| NotSent::Version("it has no name".to_owned()))?;
        let size = content.len() as u64;
        let hindrance = [
            (!recipient.is_open(now), "its user is disabled or has ended"),
            (recipient.environment != sender.environment, "its user is of another environment"),
            (
                order.pattern.as_ref().is_some_and(|pattern| !orders::fits(pattern, file.spelt())),
                "its pattern is for other names",
            ),
            (size > order.largest_bytes, "it allows no file so large"),
            (recipient.used.bytes.saturating_add(size) > recipient.bytes_limit, "its user's home has no room"),
        ];
        if let Some((_, why)) = hindrance.into_iter().find(|(hinders, _)| *hinders) {
            return Err(NotSent::Hindered { authority: delivery.authority.to_string(), system: delivery.system, why });
        }
        let trigger = written::trigger(&Routed {
            file: file.spelt(),
            size,
            sender: &sender.name,
            recipient: &recipient.name,
            inf_ref,
            sender_system: sender.system,
            sender_authority: order.sender_authority,
            // A version goes to a subscriber once; the file's name says to which.
            transaction: head.id,
            sent_at: now,
            recipient_system: delivery.system,
            recipient_authority: order.recipient_authority,
        });
        let own = Own { sender: sender.id, name: &file, content: content.as_bytes(), trigger: trigger.as_bytes() };
        Ok(self.files.submit(&own, &self.jobs, job).await?)
    }
}

/// Which users send the value lists of the services that have one.
pub fn senders<'a>(services: impl Iterator<Item = &'a crate::services::finance::settings::Settings>) -> BTreeMap<Uuid, String> {
    let of = |settings: &crate::services::finance::settings::Settings| {
        Some((settings.offered.offer.service_uuid, settings.sortiment_user.clone()?))
    };
    services.filter_map(of).collect()
}
