//! The services that the gateway offers: what is special about each, in one place.

pub mod passthrough;
pub mod terminaladgang;

use crate::refusal::Refusal;

/// One of each refusal that the program knows, in the order of `docs/faults.md`: the gateway's own, then those of the services.
pub fn refusals() -> Vec<Refusal> {
    let law = terminaladgang::law::refusal::LawRefusal::every();
    Refusal::every().into_iter().chain(law.into_iter().map(Refusal::from)).collect()
}
