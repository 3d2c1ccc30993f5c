//! Mailboxes of partner agreements: an institution's account with an inbox and an outbox (ØDUP's profile).
//!
//! [`agreement`] is what is agreed: aliases and data streams. [`users`] are the systems that deliver and fetch. Both come into force
//! when another person approves what one asked for ([`request`]). A file is taken in [`mod@deliver`], or piece by piece in [`pieces`], judged by its stream's validator
//! ([`validate`], [`by_schema`]) as a job on any node ([`work`]), and fetched and confirmed in [`fetch`]; [`rows`] are the files as they are kept.
//! [`mod@status`] answers whether all are approved, [`silence`] which stream has been quiet for too long, and why.
//!
//! Contents lie where the first profile's do: in the object store, each under a key of its own. Doors are the
//! API, the command line and SFTP ([`door`], with `receipts` for its senders).

pub mod agreement;
pub mod by_schema;
pub mod core;
pub mod counts;
pub mod deliver;
pub mod door;
pub mod fetch;
mod joining;
pub mod pieces;
mod receipts;
pub mod request;
pub mod room;
pub mod rows;
pub mod silence;
pub mod status;
mod told;
pub mod users;
pub mod validate;
pub mod work;
