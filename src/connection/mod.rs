//! Connecting a system: what must be done before a service can be used, by whom, and what is done of it.
//!
//! The tasks of a service are a [`graph`](mod@graph), which is data (`policies/onboarding`): [`load`] refuses one that could never be finished.
//! [`standing`] says of each task where it stands, a pure function. [`store`] keeps the connections, with what persons state of
//! them; [`sight`] looks up what the gateway sees by itself, for many connections with one query a table. [`shown`] puts both
//! together, [`picture`] draws it, and [`reminders`] remind who is next by mail. [`consent`]: who agrees to a connection, for which side.

pub mod consent;
pub mod decide;
pub mod export;
pub mod graph;
pub mod load;
pub mod picture;
pub mod reminders;
pub mod shown;
pub mod sight;
pub mod standing;
pub mod store;

use std::sync::OnceLock;

use graph::Graph;

/// The graphs that come with the program.
const FILES: [&str; 5] = [
    include_str!("../../policies/onboarding/sf1590a.toml"),
    include_str!("../../policies/onboarding/terminaladgang.toml"),
    include_str!("../../policies/onboarding/sftp.toml"),
    include_str!("../../policies/onboarding/campus.toml"),
    include_str!("../../policies/onboarding/oedup.toml"),
];

/// The graphs that come with the program. A test holds that each can be read.
pub fn graphs() -> &'static [Graph] {
    static GRAPHS: OnceLock<Vec<Graph>> = OnceLock::new();
    GRAPHS.get_or_init(|| FILES.iter().filter_map(|file| load::graph(file).ok()).collect())
}

/// One of them.
pub fn graph(id: &str) -> Option<&'static Graph> {
    graphs().iter().find(|graph| graph.id == id)
}

#[cfg(test)]
mod tests;
