//! XML signatures and the credentials that make them.

pub mod credentials;
