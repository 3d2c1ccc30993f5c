//! Hjemmel: an open service-platform gateway.
//!
//! *Hjemmel* is Danish for "legal basis": no authority may hand data to another without one. The gateway lets a call
//! through only on a proven identity, an agreement and a legal basis, and lets out only the fields the law names.

pub mod clock;
pub mod hex;
pub mod refusal;

pub mod outbound;
pub mod signature;
pub mod soap;

pub mod agreements;
pub mod audit;
pub mod policy;
pub mod saml;
pub mod sts;

pub mod gateway;
pub mod services;

pub mod console;
pub mod edge;
pub mod stub;

pub mod config;
pub mod metrics;

pub mod cli;
