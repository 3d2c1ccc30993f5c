//! Hjemmel: an open service-platform gateway.
//!
//! *Hjemmel* is Danish for "legal basis": no authority may hand data to another without one. The gateway lets a call
//! through only on a proven identity, an agreement and a legal basis, and lets out only the fields the law names.
//!
//! # The map, in the order of a request
//!
//! 1. [`edge`] accepts the connection: TLS, HTTP, limits, shedding, drain. [`edge::router`] finds the service.
//! 2. [`services`]: each has a page that stacks the steps of [`gateway`] with what its own law demands between them. Each step
//!    takes what only the step before it can make:
//!    - [`gateway::open`] gives the call an id and opens its [`audit`] record,
//!    - [`gateway::envelope`] reads it: [`soap`], strict and once,
//!    - [`gateway::authenticate`] proves the caller: [`saml`] on [`signature`], or mutual TLS,
//!    - [`gateway::persons`] seals everybody named, for the auditors,
//!    - [`gateway::replay`] lets it through once, by the memory of [`replay`],
//!    - [`gateway::agreement`] asks [`agreements`] for the one in front, [`gateway::route`] for the one behind,
//!    - the service judges what is asked: [`services::terminaladgang::ask`] by the law,
//!    - [`gateway::exchange`] makes the record durable and fetches a token ([`sts`]),
//!    - [`gateway::forward`] calls the [`peer`] ([`outbound`]),
//!    - [`gateway::answer`] proves the answer while the service decides what of it is released,
//!    - [`gateway::seal`] answers, or tells the [`refusal`].
//! 3. [`connection`] says what must be done before a system may use a service, and what is done of it.
//! 4. [`config`] says what is special about each installation; [`node`] puts it together, reloads and watches it.
//! 5. [`stub`] stands in for the world outside; [`cli`] is the command line.
//!
//! A module imports only what stands above it in the list of `tests/architecture.rs`.

// A release build looks through a call's futures to the innermost to lay them out; some decisions nest more than the usual 128.
#![recursion_limit = "512"]

pub mod address;
pub mod clock;
pub mod hex;
pub mod id;
pub mod pem;
pub mod refusal;
pub mod telemetry;
pub mod text;
pub mod work;

pub mod outbound;
pub mod revocation;
pub mod schema;
pub mod signature;
pub mod soap;
pub mod store;

pub mod agreements;
pub mod archive;
pub mod audit;
pub mod decisions;
pub mod notices;
pub mod objects;
pub mod peer;
pub mod replay;
pub mod saml;
pub mod signon;
pub mod sts;
pub mod trust;
pub mod users;

pub mod files;
pub mod gateway;
pub mod persons;
pub mod services;

pub mod connection;

pub mod api;
pub mod console;
pub mod edge;
pub mod node;
pub mod stub;

pub mod config;
pub mod metrics;

pub mod cli;
