//! Persons: what institutions' HR systems import, and what Campus is told of it.
//!
//! - [`outbox`]: what is to be handed on, written with what changes the person.
//! - [`campus`]: hands it on, by SCIM.

pub mod campus;
pub mod outbox;
