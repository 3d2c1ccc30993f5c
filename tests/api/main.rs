//! `/api/v1` over real mutual TLS: one scenario each.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says no by panicking, and so do its helpers"
)]

mod house;
#[allow(dead_code)] // the other test programs use the rest
#[path = "../stores/kept.rs"]
mod kept;
#[path = "../support/not_run.rs"]
mod not_run;
#[allow(dead_code, unused_imports)] // as above
#[path = "../support/postgres/mod.rs"]
mod postgres;
#[allow(dead_code)] // the tests of the stores and of services use the rest
#[path = "../support/settle.rs"]
mod settle;
#[allow(dead_code)] // the other test programs use the rest
#[path = "../support/tables.rs"]
mod tables;
#[allow(dead_code)] // as above
#[path = "../gateway/wire.rs"]
mod wire;

mod agreements;
mod chain;
mod connections;
mod console;
mod console_changes;
mod contract;
mod delegations;
mod http;
mod log_on;
mod mailboxes;
mod many;
mod on_postgres;
mod partners;
mod requests;
mod routes;
mod sweep;
mod trials;
mod users;
mod value_lists;
