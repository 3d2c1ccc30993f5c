//! What a node does for services beside their calls.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Service;
use super::finance::files::lists::{Worker, senders};
use super::kept::Kept;
use super::{passthrough, persons};
use crate::agreements::Store;
use crate::clock::Clock;
use crate::files::Files;
use crate::store::{Database, StoreError};

/// Looks for deliveries whose node went, and forgets those whose days are over, for ever.
pub async fn look_after(store: Database, kept: Kept) {
    passthrough::deliveries::look_after(store, kept.deliveries, kept.concerns).await;
}

/// Deletes from the store what its time is over of; how many rows there were.
///
/// # Errors
/// The store.
pub async fn forget(database: &Database, now: Timestamp) -> Result<u64, StoreError> {
    persons::keys::forget(database, now).await
}

/// Sends the files that services send without being asked: value lists to those who subscribe to them. Cheap to clone.
#[derive(Clone)]
pub struct Sending(Worker);

impl Sending {
    /// By what the services of a configuration say.
    pub fn new(services: &BTreeMap<String, Service>, files: Files, store: Store, clock: Clock) -> Self {
        Self(Worker::new(files, store, clock, senders(services.values().filter_map(Service::finance))))
    }

    /// Sends what is due, for ever.
    pub async fn work(&self) {
        self.0.work().await;
    }

    /// Said of a node that sends no more: what was under way is another's at once.
    pub async fn stopped(&self) {
        self.0.stopped().await;
    }
}
