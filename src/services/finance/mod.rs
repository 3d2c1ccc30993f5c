//! SF1590_A Finans, immediate delivery: vouchers from a specialist system to an authority's ledger, on the pass-through engine.
//!
//! [`rules`] judges a delivery beyond its schema.

pub mod rules;
