//! What a stranger may use of the gateway: bytes, places and time.

use std::time::Duration;

/// The limits at the edge, before anything of a call is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeLimits {
    /// The largest request body, in bytes.
    pub request_bytes: usize,
    /// The largest request head (start line and headers together), in bytes.
    pub header_bytes: usize,
    /// The most header fields in a request over HTTP/1.1.
    pub header_fields: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a request head may take to arrive, from its first byte.
    pub header_timeout: Duration,
    /// How long a request body may take to arrive, from the end of the head.
    pub body_timeout: Duration,
    /// How long a connection may stand without a request, or with an answer that the caller does not fetch.
    pub idle_timeout: Duration,
    /// How many requests are worked on at once; one more is answered 503.
    pub concurrent_requests: usize,
    /// How many connections are open at once; one more is closed.
    pub connections: usize,
    /// How many requests are open at once on one HTTP/2 connection.
    pub streams: u32,
    /// How long calls under way may take to finish once the node drains.
    pub drain_timeout: Duration,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            request_bytes: 1024 * 1024,
            header_bytes: 16 * 1024,
            header_fields: 64,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            concurrent_requests: 256,
            connections: 1024,
            streams: 64,
            drain_timeout: Duration::from_secs(30),
        }
    }
}
