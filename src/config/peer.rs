//! `[peer.NAME]`: one system behind the gateway, which services ask.

use std::time::Duration;

use http::Uri;
use rustls_pki_types::CertificateDer;

use super::reader::Reader;
use super::sections::{read_lists, read_stapling, seconds};
use super::{DomainLists, Stapling};

/// One system behind the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Peer {
    pub address: Uri,
    /// Its entity id: what the gateway's tokens are issued for.
    pub entity_id: String,
    /// The CAs of its TLS server.
    pub roots: Vec<CertificateDer<'static>>,
    /// Revocation of its TLS certificate.
    pub revocation: DomainLists,
    /// Whether its TLS server must staple an OCSP response.
    pub stapling: Stapling,
    /// The certificates that may sign its answers.
    pub signing_certificates: Vec<CertificateDer<'static>>,
    /// How long an answer may take in all.
    pub deadline: Duration,
    /// What is done about one that does not answer.
    pub reach: Reach,
}

/// How a system behind the gateway is reached, and when it is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Whether a request is sent once more that the other side says it did not process.
    pub retry: bool,
    /// How many failures in a row open the circuit breaker.
    pub breaker_failures: u32,
    /// How long it is then left alone.
    pub breaker_rest: Duration,
    /// How many calls to it may be under way at once.
    pub calls_at_once: u32,
}

/// No bound of its own: `limits.concurrent_requests` holds.
const ANY: u64 = 100_000;
/// Of many providers behind one service none takes the places of all.
pub(crate) const A_PROVIDER: u64 = 64;

impl Reach {
    /// Reads its keys in a section of a peer, or of a service whose peers stand elsewhere.
    pub(crate) fn read(section: &mut Reader<'_>, calls_at_once: u64) -> Option<Self> {
        let connect_timeout = section.duration("connect_timeout", seconds(3), seconds(1)..=seconds(60));
        let retry = section.flag("retry", true);
        let breaker_failures = section.number("breaker_failures", 5, 1..=1000);
        let breaker_rest = section.duration("breaker_rest", seconds(10), seconds(1)..=seconds(600));
        let calls_at_once = section.number("calls_at_once", calls_at_once, 1..=ANY);
        Some(Self {
            connect_timeout: connect_timeout?,
            retry: retry?,
            breaker_failures: u32::try_from(breaker_failures?).ok()?,
            breaker_rest: breaker_rest?,
            calls_at_once: u32::try_from(calls_at_once?).ok()?,
        })
    }
}

/// What metrics call the others that the gateway connects to.
const TAKEN: [&str; 2] = ["sts", "lists"];

pub(super) fn read(name: &str, section: &mut Reader<'_>) -> Option<Peer> {
    if TAKEN.contains(&name) {
        section.problem_of_section("has a name that the gateway's metrics use themselves; choose another");
    }
    let address = section.https("address");
    let entity_id = section.text("entity_id", None);
    let roots = section.certificates("roots", true);
    let revocation = read_lists(section);
    let stapling = read_stapling(section);
    let signing_certificates = section.certificates("signing_certificates", true);
    let deadline = section.duration("deadline", seconds(30), seconds(1)..=seconds(300));
    let reach = Reach::read(section, ANY);
    Some(Peer {
        address: address?,
        entity_id: entity_id?,
        roots: roots?,
        revocation: revocation?,
        stapling: stapling?,
        signing_certificates: signing_certificates?,
        deadline: deadline?,
        reach: reach?,
    })
}
