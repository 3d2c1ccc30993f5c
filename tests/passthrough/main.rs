//! Pass-through services from folders: what a WSDL and a `service.toml` say, what keeps a folder from being offered, and
//! the official folders, as they were published.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout
)]

mod back;
mod command;
#[allow(dead_code)] // the other test programs use the rest
#[path = "../support/decides.rs"]
mod decides;
mod deliveries;
#[path = "../support/dies.rs"]
mod dies;
mod finance;
mod fixed;
mod gateway;
mod instances;
#[path = "../support/jdk.rs"]
mod jdk;
mod judges;
#[path = "../gateway/log.rs"]
mod log;
#[path = "../stores/files/world.rs"]
#[allow(dead_code)] // the tests of files use the rest
mod mailboxes;
#[path = "../support/not_run.rs"]
mod not_run;
mod official;
#[path = "../stores/people.rs"]
#[allow(dead_code)] // the tests of the stores use the rest
mod people;
mod persons;
#[path = "../support/postgres/mod.rs"]
#[allow(dead_code, unused_imports)] // the tests of the stores use the rest
mod postgres;
mod property;
mod provider;
#[path = "../support/reference.rs"]
mod reference;
mod reload;
mod settings;
#[path = "../support/settle.rs"]
mod settle;
mod support;
#[path = "../support/tables.rs"]
#[allow(dead_code)] // the tests of the stores use the rest
mod tables;
#[path = "../gateway/wire.rs"]
#[allow(dead_code)] // the gateway's own tests use the rest
mod wire;
mod world;
mod wsdl;
