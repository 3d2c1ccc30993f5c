//! What stands in for the outside world in development: a throw-away PKI.

pub mod pki;
