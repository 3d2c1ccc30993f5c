//! Signatures and tokens, judged from outside: real messages, attacks, and tools that this project did not write.

// All of this is test code, helpers included: a panic here is a failed test, and what did not run is printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod attacks;
mod canonical;
#[path = "../support/forge/mod.rs"]
mod forge;
mod golden;
mod keys;
mod memory;
mod oracles;
mod parties;
mod responses;
#[path = "../support/strict.rs"]
mod strict;
mod tokens;
#[path = "../support/xml_documents.rs"]
mod xml_documents;
