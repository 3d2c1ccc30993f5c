//! Campus, the learning platform, by SCIM 2.0.
//!
//! [`work`] takes what is to be handed on ([`super::outbox`]); [`user`] says what a person is in SCIM; [`client`] sees to it that
//! Campus has it; [`known`] is what is known of Campus. [`queue`] is what operators decide on what Campus refuses, [`adopt`] how users
//! who were in Campus before are matched.

pub mod adopt;
pub mod client;
pub mod counts;
pub mod known;
pub mod queue;
pub mod user;
pub mod work;
