//! The command line: one file a subcommand.

pub mod agreement;
pub mod audit;
pub mod call;
pub mod certs;
pub mod check;
pub mod serve;
pub mod stub;
