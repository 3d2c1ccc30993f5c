//! What stands in for the outside world: a benefit index with an invented population, a security token service, a provider
//! for any service folder, and a throw-away PKI.
//!
//! The stubs are the other side. They share XML, signatures and the reading of tokens with the gateway, but none of its
//! judgement of searches and answers: the index searches with code of its own, so that it does not confirm the gateway's
//! mistakes.

pub mod campus;
pub mod files;
pub mod finance;
pub mod idp;
pub mod moment;
pub mod pki;
pub mod population;
pub mod random;
pub mod server;
pub mod service;
pub mod soap;
pub mod sts;
pub mod ydelsesindeks;

pub use idp::{IdpConfig, start_idp};
pub use server::Running;
pub use service::serve::{ServiceConfig, start_service};
pub use sts::{StsConfig, start_sts};
pub use ydelsesindeks::serve::{IndexConfig, start_ydelsesindeks};
