//! What stands in for the outside world: a benefit index with an invented population, a security token service, and a
//! throw-away PKI.
//!
//! The stubs are the other side. They share the base (XML, signatures) with the gateway, but none of its judgement: the
//! index searches with code of its own, so that it does not confirm the gateway's mistakes.

pub mod moment;
pub mod pki;
pub mod population;
pub mod random;
pub mod server;
pub mod soap;
pub mod sts;
pub mod ydelsesindeks;
