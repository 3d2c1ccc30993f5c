//! Every kind of attack that the gateway must withstand, over TLS against a running world.

// All of this is test code, helpers included: a panic here is a failed test, and what did not run is printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod arena;
#[path = "../support/forge/mod.rs"]
#[allow(dead_code)] // tests/signature uses the rest
mod forge;
mod http;
mod mutual_tls;
mod parties;
mod replay;
mod signature;
mod soap;
mod xml;
