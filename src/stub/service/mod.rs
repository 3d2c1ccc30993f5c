//! A provider for any service folder: answers made from its schema, both security models, and the ways to fail.
//!
//! 1. [`instance`] makes valid messages of a schema by a seed, `node` writes them, [`value`] their values: [`pattern`] texts by a pattern, `number` numbers,
//!    and `person` keeps out numbers that could be a person's.
//! 2. [`serve`] proves the caller, validates the request and answers; [`mode`] says how else it can behave.

pub mod instance;
pub mod mode;
mod node;
mod number;
pub mod pattern;
mod person;
pub mod serve;
pub mod value;
