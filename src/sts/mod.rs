//! Tokens for the back call: a WS-Trust client of the security token service, and a cache before it.

pub mod cache;
pub mod client;

use jiff::Timestamp;

/// A token for one authority and one service. Made only by [`client::StsClient`], once the assertion's own signature,
/// audience, holder, validity and authority were checked.
#[derive(Debug, Clone)]
pub struct Token {
    assertion: crate::signature::sign::Token,
    authority: String,
    service: String,
    fetched: Timestamp,
    not_on_or_after: Timestamp,
}

impl Token {
    /// The assertion as it came, ready to be put into a message that the holder's key signs.
    pub fn assertion(&self) -> &crate::signature::sign::Token {
        &self.assertion
    }
    /// The authority's CVR number.
    pub fn authority(&self) -> &str {
        &self.authority
    }
    /// The entity id of the service that it is for.
    pub fn service(&self) -> &str {
        &self.service
    }
    /// The first instant at which it does not hold any more.
    pub fn not_on_or_after(&self) -> Timestamp {
        self.not_on_or_after
    }
}
