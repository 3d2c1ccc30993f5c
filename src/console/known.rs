//! What the console asks of the node that it runs in.

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use uuid::Uuid;

use crate::config::ServiceTerms;
use crate::services::terminaladgang::settings::PolicyFile;

/// What comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A service as the catalogue shows it.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Its name in the configuration, in records and metrics.
    pub name: String,
    /// By which agreements name it.
    pub id: Uuid,
    /// For which tokens are issued.
    pub entity_id: String,
    /// Where it is called.
    pub path: String,
    /// How callers prove themselves, in records' words.
    pub bindings: Vec<&'static str>,
    /// The policy that it applies, where it has one.
    pub policy: Option<PolicyFile>,
    /// Whether the system behind it does not answer just now.
    pub failing: bool,
    /// How its agreements are asked for and ended.
    pub terms: ServiceTerms,
}

/// The node.
pub trait Known: Send + Sync {
    /// The services of the configuration in force.
    fn services(&self) -> Later<'_, Vec<Offered>>;
    /// Until when each of the node's certificates holds, by setting.
    fn expiries(&self) -> Later<'_, Vec<(String, Timestamp)>>;
}
