//! A provider for any service folder: answers made from its schema, both security models, and the ways to fail.
//!
//! 1. [`instance`] makes valid messages of a schema by a seed, [`value`] their values, [`pattern`] texts by a pattern.
//! 2. [`serve`] proves the caller, validates the request and answers; [`mode`] says how else it can behave.

pub mod instance;
pub mod mode;
pub mod pattern;
pub mod serve;
pub mod value;
