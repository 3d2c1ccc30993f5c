//! The subcommands, one file each.

pub mod certs;
pub mod check;
