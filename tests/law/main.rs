//! The law of TerminalAdgang: what a search may ask, what is released of an answer, and the policy file that says so. No network,
//! but where a change of policy is tried on a gateway that runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test says no by panicking, and so do its helpers; what did not run is printed"
)]

mod cases;
#[path = "../support/not_run.rs"]
mod not_run;
mod policy_change;
mod policy_file;
#[path = "../support/reference.rs"]
mod reference;
#[path = "../support/release_context.rs"]
mod release_context;
#[path = "../support/release_generator.rs"]
mod release_generator;
mod release_oracle;
mod release_rules;
#[path = "../support/release_run.rs"]
mod release_run;
#[path = "../support/request.rs"]
mod request;
mod traceability;
mod whole_population;
mod window;
