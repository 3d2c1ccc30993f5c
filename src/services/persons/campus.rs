//! `[campus]`: the learning platform that persons are handed on to, by SCIM.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use rustls_pki_types::CertificateDer;

use crate::config::reader::Reader;
use crate::config::{DomainLists, Stapling, read_lists, read_stapling, seconds};
use crate::outbound::OutboundSettings;
use crate::signature::credentials::Credentials;

/// Where persons are handed on to. Without the section they wait in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campus {
    /// The root of its SCIM resources.
    pub address: Uri,
    /// The CAs of its TLS server.
    pub roots: Vec<CertificateDer<'static>>,
    /// Revocation of its TLS certificate.
    pub revocation: DomainLists,
    /// Whether its TLS server must staple an OCSP response.
    pub stapling: Stapling,
    /// The file of the bearer token; none: the system certificate proves the gateway.
    pub token: Option<PathBuf>,
    /// How long an answer may take in all.
    pub deadline: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Whether it knows the gateway's extension of SCIM's user.
    pub extension: bool,
    /// How many persons are handed on at once.
    pub at_once: u32,
}

impl Campus {
    /// The trust domain of its TLS server.
    pub fn domain(&self) -> &'static str {
        "campus"
    }

    /// How it is reached: the system certificate is shown where it is asked for.
    pub fn outbound(&self, system: &Credentials) -> OutboundSettings {
        OutboundSettings {
            credentials: Some(system.clone()),
            connect_timeout: self.connect_timeout,
            ..OutboundSettings::new(self.roots.clone())
        }
    }
}

pub(crate) fn read(section: &mut Reader<'_>) -> Option<Campus> {
    let address = section.https("address");
    let roots = section.certificates("roots", true);
    let revocation = read_lists(section);
    let stapling = read_stapling(section);
    let token = section.optional_file("token");
    let deadline = section.duration("deadline", seconds(30), seconds(1)..=seconds(120));
    let connect_timeout = section.duration("connect_timeout", seconds(3), seconds(1)..=seconds(60));
    let extension = section.flag("extension", true);
    let at_once = section.number("at_once", 4, 1..=64);
    if let Some(Some(token)) = &token {
        section.note("token", token, Vec::new(), true);
    }
    let address = address?;
    if is_on_the_link(&address) {
        section.problem_at("address", "is link-local, where no learning platform is; write its https address".to_owned());
        return None;
    }
    if address.query().is_some() {
        section.problem_at(
            "address",
            "has a query; write the root of its SCIM resources, such as https://campus.example/scim/v2".to_owned(),
        );
        return None;
    }
    Some(Campus {
        address,
        roots: roots?,
        revocation: revocation?,
        stapling: stapling?,
        token: token?,
        deadline: deadline?,
        connect_timeout: connect_timeout?,
        extension: extension?,
        at_once: u32::try_from(at_once?).ok()?,
    })
}

fn is_on_the_link(address: &Uri) -> bool {
    let host = address.host().unwrap_or_default();
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_unicast_link_local(),
        Err(_) => host.contains('%'),
    }
}
