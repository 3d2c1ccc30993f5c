//! What of the services holds beside their calls, for the API, the console and jobs, which outlive a configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::finance::lists::publish::Notices;
use super::parts::{OfferError, Parts};
use super::persons::door::{Door, Doors};
use super::{Service, agreement_rules, notices};
use crate::agreements::rules::{Rule, Rules};

/// What holds. A reload exchanges it.
pub struct Standing {
    /// How agreements of each service are asked for and ended.
    pub rules: Arc<Rules>,
    /// How many days ahead value lists are published.
    pub notices: Arc<Notices>,
    /// The doors of person imports.
    pub doors: Arc<Doors>,
}

/// What will hold by a configuration, known to be in order.
pub struct Next {
    rules: BTreeMap<Uuid, Rule>,
    notices: BTreeMap<Uuid, u16>,
    doors: Vec<Door>,
}

impl Next {
    /// By what the services of a configuration say. Reads files.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn of(services: &BTreeMap<String, Service>, parts: &Parts<'_>) -> Result<Self, OfferError> {
        let doors = services.iter().map(|(name, service)| service.door(name, parts));
        let doors = doors.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(Self { rules: agreement_rules(services, parts.clock.now()), notices: notices(services), doors })
    }
}

impl Standing {
    /// What holds first.
    pub fn new(next: Next) -> Self {
        let Next { rules, notices, doors } = next;
        let open = Doors::default();
        open.replace(doors.into_iter().map(Arc::new));
        Self { rules: Arc::new(Rules::new(rules)), notices: Arc::new(Notices::new(notices)), doors: Arc::new(open) }
    }

    /// From now on this holds.
    pub fn replace(&self, next: Next) {
        let Next { rules, notices, doors } = next;
        self.rules.replace(rules);
        self.notices.replace(notices);
        self.doors.replace(doors.into_iter().map(Arc::new));
    }
}
