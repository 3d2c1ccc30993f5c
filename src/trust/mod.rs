//! Whom we trust: client certificates, and the trust domains with their revocation lists.

pub mod clients;
pub mod domains;
