//! Files that one system hands to another. This is the core; its doors are SFTP, the API and the command line, and nothing here
//! knows of them.
//!
//! [`home`] is what a door asks of the core, [`name`] what a file may be called there.
//!
//! The way of a file: a door writes it ([`door`], `staged`) until it lies in OUT (`shelf`: the rows of all homes). Its trigger
//! makes a transfer ([`transfers`]) and a job in one transaction; any node takes the job ([`deliver`]), judges the trigger
//! ([`mod@judge`], by [`orders`] between [`users`]) and its file's content ([`content`], by the rules of a service), records the
//! admission, and delivers to all recipients in one transaction, or writes a receipt with every code ([`codes`]). A content that is
//! answered by its recipient has a clock ([`answers`]); one that is for the platform itself is taken in (`take`). [`submit`] sends what is the platform's own. [`sweep`] is what time does:
//! waits that end, files that nobody fetched, users from whom nothing comes ([`monitoring`]), copies whose days are over. Contents
//! lie encrypted in the object store; names of files can hold persons' data, and stand in the
//! store's rows alone.

pub mod announce;
pub mod answers;
pub mod both;
pub mod codes;
pub mod content;
pub mod core;
pub mod counts;
pub mod decide;
pub mod deliver;
pub mod door;
pub mod home;
pub mod judge;
pub mod key;
pub mod monitoring;
pub mod name;
pub mod operate;
pub mod orders;
pub mod partner;
pub(crate) mod parts;
mod seeking;
mod shelf;
mod staged;
pub mod submit;
pub mod sweep;
mod take;
pub mod transfers;
pub mod users;
mod wrong_keys;
pub mod xml;

pub use self::core::{Files, Parts, Settings};
