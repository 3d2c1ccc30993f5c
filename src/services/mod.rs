//! The services that the gateway offers: what is special about each, in one place.

pub mod passthrough;
pub mod terminaladgang;
