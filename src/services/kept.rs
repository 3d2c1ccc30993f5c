//! What services keep over a reload: memories that would be dangerous or costly to lose.

use std::sync::Arc;

use super::concerns::Concerns;
use super::finance::lists::published::Published;
use super::finance::memory::Memories;
use super::finance::rules::trial::Openings;
use super::passthrough::deliveries::counts::Counts;
use super::passthrough::providers::Breakers;

/// The memories of all services. Copies share them.
#[derive(Clone, Default)]
pub struct Kept {
    /// What is known of the providers that routes lead to.
    pub breakers: Arc<Breakers>,
    /// What the providers' operations are to be told.
    pub concerns: Arc<Concerns>,
    /// What is known of each service's value lists.
    pub sortimenter: Arc<Memories<Published>>,
    /// What is known of each service's times for tests.
    pub trials: Arc<Memories<Arc<Openings>>>,
    /// What became of deliveries that were known before.
    pub deliveries: Arc<Counts>,
}
