//! What is kept, through real files and a real PostgreSQL: agreements, routes, the audit log, and contents of files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says no by panicking, and so do its helpers; what did not run is printed"
)]

mod agreement_life;
mod agreements;
mod audit;
mod campus;
mod connections;
mod database;
mod decided;
#[path = "../support/decides.rs"]
mod decides;
mod delegations;
mod deliveries;
#[path = "../support/dies.rs"]
mod dies;
mod endings;
mod eyes;
mod files;
#[path = "../support/jdk.rs"]
mod jdk;
mod jobs;
mod kept;
#[path = "../support/not_run.rs"]
mod not_run;
mod objects;
mod people;
mod persons;
#[allow(dead_code)] // the other test programs use the rest
#[path = "../support/postgres/mod.rs"]
mod postgres;
#[path = "../support/reference.rs"]
mod reference;
mod replay;
mod retention;
#[path = "../support/settle.rs"]
mod settle;
mod sortiment;
#[allow(dead_code)] // the gateway's worlds use the rest
#[path = "../support/tables.rs"]
mod tables;
mod trials;
