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

mod command;
mod instances;
mod judges;
mod official;
mod property;
mod settings;
mod support;
mod wsdl;
