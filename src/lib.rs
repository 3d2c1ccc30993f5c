//! Hjemmel: an open service-platform gateway.
//!
//! *Hjemmel* is Danish for "legal basis": no authority may hand data to another without one. The gateway lets a call
//! through only on a proven identity, an agreement and a legal basis, and lets out only the fields the law names.
//!
//! # The map, in the order of a request
//!
//! 1. [`edge`] accepts the connection: TLS, HTTP, limits, shedding, drain. [`edge::router`] finds the service.
//! 2. [`gateway`] is the way of a request, one page of steps; each takes what only the step before it can make:
//!    - [`gateway::open`] gives the call an id and opens its [`audit`] record,
//!    - [`gateway::envelope`] reads it: [`soap`], strict and once,
//!    - [`gateway::authenticate`] proves the caller: [`saml`] on [`signature`], or mutual TLS,
//!    - [`gateway::replay`] lets it through once,
//!    - [`gateway::agreement`] asks [`agreements`] on both sides,
//!    - [`services::terminaladgang::ask`] asks the law: the window, the person, the criteria,
//!    - [`gateway::exchange`] makes the record durable and fetches a token ([`sts`]),
//!    - [`gateway::forward`] calls the index ([`outbound`]),
//!    - [`services::terminaladgang::release`] verifies and filters the answer,
//!    - [`gateway::seal`] answers, or tells the [`refusal`].
//! 3. [`services`] says what is special about each service; [`config`] what is special about each installation.
//! 4. [`stub`] stands in for the world outside; [`cli`] is the command line.
//!
//! A module imports only what stands above it in the list of `tests/architecture.rs`.

pub mod address;
pub mod clock;
pub mod hex;
pub mod id;
pub mod pem;
pub mod refusal;
pub mod work;

pub mod outbound;
pub mod revocation;
pub mod schema;
pub mod signature;
pub mod soap;

pub mod agreements;
pub mod audit;
pub mod saml;
pub mod sts;
pub mod trust;

pub mod gateway;
pub mod services;

pub mod edge;
pub mod node;
pub mod stub;

pub mod config;
pub mod metrics;

pub mod cli;
