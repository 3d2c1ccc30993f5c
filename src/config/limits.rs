//! What an unauthenticated caller may use of the gateway: bytes, places and time.

use std::time::Duration;

use super::reader::Reader;

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
    /// How many requests are open at once, however far they have come; one more is answered 503.
    pub concurrent_requests: usize,
    /// How many whole requests are worked on at once for each processor, those not counted that wait for a peer; more only
    /// as a burst ([`crate::work`]).
    pub calls_per_processor: usize,
    /// The same while calls have to be refused; at most as many.
    pub calls_per_processor_overloaded: usize,
    /// How many connections are open at once; one more is closed.
    pub connections: usize,
    /// How many requests are open at once on one HTTP/2 connection.
    pub streams: u32,
    /// How long a node that is told to stop takes calls yet, while it says that it goes.
    pub drain_delay: Duration,
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
            calls_per_processor: 8,
            calls_per_processor_overloaded: 2,
            connections: 1024,
            streams: 64,
            drain_delay: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// The limits on messages and answers, once they are read as XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageLimits {
    /// How deep elements may nest.
    pub xml_depth: usize,
    /// How many attributes one element may have, namespace declarations included.
    pub xml_attributes: usize,
    /// How many elements, texts and comments a message may have; it follows from `request_bytes` unless it is set.
    pub xml_nodes: usize,
    /// How long one text or attribute value may be, in bytes.
    pub xml_text_bytes: usize,
    /// How large one object of a peer's answer may be, in bytes.
    pub object_bytes: usize,
    /// How much may be released in one answer, in bytes.
    pub released_bytes: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self {
            xml_depth: 64,
            xml_attributes: 64,
            xml_nodes: 100_000,
            xml_text_bytes: 512 * 1024,
            object_bytes: 1024 * 1024,
            released_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Reads `[limits]`.
pub(super) fn read(section: &mut Reader<'_>) -> Option<(EdgeLimits, MessageLimits)> {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    let (edge, message) = (EdgeLimits::default(), MessageLimits::default());
    let millisecond = Duration::from_millis(1);
    let short = millisecond * 100..=Duration::from_secs(120);
    let long = millisecond * 100..=Duration::from_secs(3600);

    let request_bytes = section.size("request_bytes", edge.request_bytes, KIB..=64 * MIB);
    // hyper holds an unfinished head in a buffer of 16 KiB at the least.
    let header_bytes = section.size("header_bytes", edge.header_bytes, KIB..=MIB);
    let header_fields = section.size("header_fields", edge.header_fields, 16..=1000);
    let handshake_timeout = section.duration("handshake_timeout", edge.handshake_timeout, short.clone());
    let header_timeout = section.duration("header_timeout", edge.header_timeout, short.clone());
    let body_timeout = section.duration("body_timeout", edge.body_timeout, short);
    let idle_timeout = section.duration("idle_timeout", edge.idle_timeout, long.clone());
    let drain_delay = section.duration("drain_delay", edge.drain_delay, Duration::ZERO..=Duration::from_secs(300));
    let drain_timeout = section.duration("drain_timeout", edge.drain_timeout, long);
    let concurrent_requests = section.size("concurrent_requests", edge.concurrent_requests, 1..=100_000);
    let calls_per_processor = section.size("calls_per_processor", edge.calls_per_processor, 1..=100_000);
    // Under overload fewer are worked on, never more.
    let usual = calls_per_processor.unwrap_or(100_000);
    let fewer = edge.calls_per_processor_overloaded.min(usual);
    let calls_per_processor_overloaded = section.size("calls_per_processor_overloaded", fewer, 1..=usual as u64);
    let connections = section.size("connections", edge.connections, 1..=100_000);
    let streams = section.number("streams", edge.streams.into(), 1..=1000);
    let xml_depth = section.size("xml_depth", message.xml_depth, 32..=1000);
    let xml_attributes = section.size("xml_attributes", message.xml_attributes, 16..=1000);
    // A larger message has more nodes: the densest known have one for each 17 bytes.
    let times = request_bytes.unwrap_or(0).div_ceil(edge.request_bytes);
    let nodes = message.xml_nodes.saturating_mul(times.max(1));
    let xml_nodes = section.size("xml_nodes", nodes, 1000..=10_000_000);
    let xml_text_bytes = section.size("xml_text_bytes", message.xml_text_bytes, 16 * KIB..=64 * MIB);
    let object_bytes = section.size("object_bytes", message.object_bytes, 16 * KIB..=64 * MIB);
    let released_bytes = section.size("released_bytes", message.released_bytes, 64 * KIB..=256 * MIB);

    let edge = EdgeLimits {
        request_bytes: request_bytes?,
        header_bytes: header_bytes?,
        header_fields: header_fields?,
        handshake_timeout: handshake_timeout?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        idle_timeout: idle_timeout?,
        concurrent_requests: concurrent_requests?,
        calls_per_processor: calls_per_processor?,
        calls_per_processor_overloaded: calls_per_processor_overloaded?,
        connections: connections?,
        streams: u32::try_from(streams?).ok()?,
        drain_delay: drain_delay?,
        drain_timeout: drain_timeout?,
    };
    let message = MessageLimits {
        xml_depth: xml_depth?,
        xml_attributes: xml_attributes?,
        xml_nodes: xml_nodes?,
        xml_text_bytes: xml_text_bytes?,
        object_bytes: object_bytes?,
        released_bytes: released_bytes?,
    };
    Some((edge, message))
}
