//! What stands in for the parties of SF1590_A Finans: a specialist system's deliveries, and a ledger that answers them.

pub mod ledger;
pub mod refused;
pub mod sample;
