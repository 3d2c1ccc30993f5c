//! A provider for any service folder: answers made from its schema, both security models, and the ways to fail.
//!
//! 1. [`instance`] makes valid messages of a schema by a seed, [`value`] their values, [`pattern`] texts by a pattern.

pub mod instance;
pub mod pattern;
pub mod value;
