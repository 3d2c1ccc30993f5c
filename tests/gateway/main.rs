//! The gateway from outside: real TLS, both bindings, a token service and an index that fail in every way they can.
//!
//! Each test has a world of its own; they share the keys, which take longest to make. After those that play on the stage
//! the log, the metrics and the audit are searched for personal data, tokens and keys, and the audit log is verified.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![allow(clippy::print_stderr, clippy::print_stdout)]

mod bad_input;
mod broken_pipe;
mod call;
mod check;
mod clock;
mod database;
#[allow(dead_code)] // the other test programs use the rest
#[path = "../support/decides.rs"]
mod decides;
mod deploy;
mod directions;
mod files;
mod future;
mod golden;
mod handed_on;
mod hostile_answers;
mod imports;
mod lifetime;
mod load;
mod log;
mod manager;
mod narrowed;
mod nodes;
#[path = "../support/not_run.rs"]
mod not_run;
mod operations;
mod outbound;
mod peers;
#[allow(dead_code, unused_imports)] // tests/stores uses the rest
#[path = "../support/postgres/mod.rs"]
mod postgres;
mod process;
mod refusals;
mod report;
#[allow(dead_code)] // shared with the tests of the window, which use all of it
#[path = "../support/request.rs"]
mod request;
mod revocation;
mod services;
mod silence;
mod soap;
mod stage;
#[allow(dead_code)] // the tests of the stores use the rest
#[path = "../support/tables.rs"]
mod tables;
mod traces;
mod wire;
