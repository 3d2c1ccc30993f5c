//! `/api/v1` over real mutual TLS: one scenario each.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says no by panicking, and so do its helpers"
)]

mod house;
#[allow(dead_code)] // the other test programs use the rest
#[path = "../gateway/wire.rs"]
mod wire;

mod agreements;
mod chain;
mod http;
mod routes;
mod users;
