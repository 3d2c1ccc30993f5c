//! What is refused before there is a call, and so before there is an audit record: in TCP, TLS and the head of HTTP.
//!
//! Each is counted by its cause (`hjemmel_refused_before_call_total`), and logged within a bound, so that a flood of
//! refusals is no flood of lines.

mod certificate;
mod tls;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, Response};
use tokio::time::Instant;

use super::http::{self, ResponseBody};
use crate::metrics::Metrics;
pub(super) use certificate::Shown;
pub(super) use tls::{Noting, accepting, cause};

/// So many lines of one cause within [`EVERY`].
const LINES: u32 = 10;
const EVERY: Duration = Duration::from_secs(60);

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident $label:literal $words:literal;)*) => {
        /// Why somebody was refused before there was a call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause { $($(#[$doc])* $name,)* }

        impl Cause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As the metric names it.
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// As an operator reads it.
            fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

causes! {
    /// The listener has as many connections as it may.
    TooManyConnections "too_many_connections" "there are as many connections as limits.connections allows";
    /// HTTP without TLS.
    PlainHttp "plain_http" "the client sent HTTP without TLS; it must use https://";
    /// Neither TLS nor HTTP.
    NotTls "not_tls" "what the client sent is not TLS";
    /// The handshake took too long.
    HandshakeTimeout "handshake_timeout" "the TLS handshake was not done within limits.handshake_timeout";
    /// The client hung up in the handshake.
    Closed "closed" "the client closed the connection in the TLS handshake";
    /// An old version of TLS.
    ProtocolVersion "protocol_version" "the client speaks neither TLS 1.2 nor TLS 1.3";
    /// Nothing in common with the client.
    NothingShared "no_shared_cipher" "the client and the gateway have no cipher suite, group or signature scheme in common";
    /// Another protocol by ALPN.
    ApplicationProtocol "no_application_protocol" "the client asked (ALPN) for a protocol other than h2 and http/1.1";
    /// The client refuses the gateway's certificate.
    ClientDistrusts "client_distrusts" "the client does not accept the gateway's certificate; it must trust the CA that issued it";
    /// Another alert from the client.
    ClientAlert "client_alert" "the client ended the TLS handshake with an alert";
    /// No certificate where one is demanded.
    NoCertificate "no_certificate" "the client showed no certificate, and here one is demanded";
    /// The certificate came alone, and its issuer is not trusted directly.
    IssuerMissing "issuer_missing" "the client sent its certificate alone, and the CA that issued it is not among client_roots: add that issuing CA there (beside its root), or have the client send its whole chain";
    /// No path to a trusted CA.
    UnknownIssuer "unknown_issuer" "no CA among client_roots stands above the client's certificate and the chain it sent";
    /// The certificate has ended.
    Expired "expired" "the client's certificate, or one above it, has expired";
    /// The certificate does not hold yet.
    NotYetValid "not_yet_valid" "the client's certificate, or one above it, is not valid yet";
    /// The certificate is revoked.
    Revoked "revoked" "the client's certificate, or one above it, is revoked";
    /// Nothing says that it is not revoked.
    RevocationUnknown "revocation_unknown" "no revocation list in force speaks for the client's certificate (crl_missing = \"refuse\")";
    /// A certificate for something else.
    WrongPurpose "wrong_purpose" "the client's certificate is not for client authentication (extendedKeyUsage)";
    /// A signature that does not hold.
    BadSignature "bad_signature" "a signature does not hold: the client has not the certificate's key, or the chain is not of one piece";
    /// Everything else about the certificate.
    CertificateInvalid "certificate_invalid" "the client's certificate cannot be used";
    /// Everything else about TLS.
    Tls "tls_other" "the TLS handshake failed";
    /// The head of a request that is not HTTP.
    HttpMalformed "http_malformed" "what came over the connection is not a request in HTTP (400)";
    /// The head of a request is too large.
    HttpHeadTooLarge "http_head_too_large" "the head of the request is larger than limits.header_bytes or has more than limits.header_fields (431, 414)";
    /// The head of a request took too long.
    HttpHeadTimeout "http_head_timeout" "the head of the request was not here within limits.header_timeout (408)";
    /// No room for the request.
    Overloaded "overloaded" "there was no room for the request (503)";
    /// No service at the address.
    NoSuchService "no_such_service" "there is no service at the address asked for (404)";
    /// Another method than POST.
    MethodNotAllowed "method_not_allowed" "the service takes POST, and GET for its documents alone (405)";
    /// Two hosts, or none.
    HostAmbiguous "host_ambiguous" "the request does not say without doubt which host it is for (400)";
}

/// Counts and logs what one listener refuses. Cheap to clone.
#[derive(Clone)]
pub struct Refusals(Arc<Inner>);

struct Inner {
    listener: &'static str,
    metrics: Arc<Metrics>,
    lines: Lines<Cause>,
    overloaded: Overloaded,
}

/// Lines of a log, of which there are few of one cause within a minute.
pub struct Lines<C>(Mutex<HashMap<C, Told>>);

impl<C> Default for Lines<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Answers a request, of which these are the header fields, where there is no room for it.
pub type Overloaded = fn(&HeaderMap) -> Response<ResponseBody>;

/// What has been logged of one cause since a moment.
struct Told {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl Refusals {
    /// For the listener of this name.
    pub fn new(listener: &'static str, metrics: Arc<Metrics>) -> Self {
        Self::answering(listener, metrics, |_| http::overloaded())
    }

    /// For a listener that answers an overload in its own words.
    pub fn answering(listener: &'static str, metrics: Arc<Metrics>, overloaded: Overloaded) -> Self {
        metrics.may_refuse_before_call(listener, Cause::ALL.iter().map(|cause| cause.label()));
        Self(Arc::new(Inner { listener, metrics, lines: Lines::default(), overloaded }))
    }

    /// The answer where there is no room.
    pub(super) fn overloaded(&self, headers: &HeaderMap) -> Response<ResponseBody> {
        (self.0.overloaded)(headers)
    }

    /// Counts and logs one. `more`: what is known beside the cause, nothing of it about a person.
    pub fn record(&self, address: SocketAddr, cause: Cause, more: &str) {
        let listener = self.0.listener;
        self.0.metrics.refused_before_call(listener, cause.label());
        // A load balancer that looks whether the port is open does this every few seconds.
        if cause == Cause::Closed {
            tracing::debug!(listener, %address, cause = cause.label(), "{}", cause.words());
        } else if let Some(left_out) = self.0.lines.may_log(cause, Instant::now()) {
            tracing::warn!(listener, %address, cause = cause.label(), left_out, "refused before any call: {}{more}", cause.words());
        }
    }
}

impl<C: Eq + Hash> Lines<C> {
    /// Whether another line may be written of this cause, and how many were not since the last.
    pub fn may_log(&self, cause: C, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(cause).or_insert(Told { since: now, lines: 0, left_out: 0 });
        if now.duration_since(told.since) >= EVERY {
            (told.since, told.lines) = (now, 0);
        }
        if told.lines >= LINES {
            told.left_out += 1;
            return None;
        }
        told.lines += 1;
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_minute_are_told_of_a_cause_and_the_next_says_how_many_were_left_out() {
        let lines = Lines::default();
        let began = Instant::now();
        let line = |cause, after| lines.may_log(cause, began + Duration::from_secs(after));
        assert!((0..10).all(|_| line(Cause::Expired, 1) == Some(0)));
        assert!((0..25).all(|_| line(Cause::Expired, 59).is_none()));
        assert_eq!(line(Cause::Revoked, 59), Some(0), "each cause has lines of its own");
        assert_eq!(line(Cause::Expired, 61), Some(25));
        assert_eq!(line(Cause::Expired, 61), Some(0));
    }

    #[test]
    fn every_cause_is_explained_to_operators() {
        let page = include_str!("../../../docs/operations.md");
        for cause in Cause::ALL {
            assert!(page.contains(&format!("`{}`", cause.label())), "{cause:?}");
        }
    }

    #[test]
    fn no_two_causes_have_one_name_and_each_is_shown_before_it_happens() {
        let metrics = Arc::new(Metrics::new().unwrap());
        Refusals::new("service", metrics.clone());
        let text = metrics.render().unwrap();
        for cause in Cause::ALL {
            let series = format!("hjemmel_refused_before_call_total{{cause=\"{}\",listener=\"service\"}} 0", cause.label());
            assert_eq!(text.lines().filter(|line| **line == series).count(), 1, "{series}");
        }
        assert_eq!(text.matches("hjemmel_refused_before_call_total{").count(), Cause::ALL.len());
    }
}
