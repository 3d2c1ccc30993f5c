//! `[console]`: the pages for people.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use super::reader::{Reader, as_text};
use crate::signature::credentials::Credentials;

/// Who logs on by a link that is printed at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneTimeLinks {
    /// Nobody.
    Off,
    /// The gateway's operators.
    Operators,
    /// Everybody who is a user: for demonstrations.
    Everybody,
}

/// The console: pages for people, on a listener of its own.
#[derive(Debug)]
pub struct Console {
    /// The address and port listened on; none: no listener.
    pub address: Option<SocketAddr>,
    /// Where browsers find it; none: `https://localhost` with the listener's port.
    pub public_url: Option<Uri>,
    /// The certificate that browsers are shown; none: that of `[listen]`.
    pub credentials: Option<Credentials>,
    /// The folder of the common design system's files (npm `dkfds`, `dist`); none: the style sheet of our own.
    pub assets: Option<PathBuf>,
    /// Where the gateway's operators are reached, as each page says; none: it says nothing.
    pub contact: Option<String>,
    /// After how long without a request a session ends.
    pub idle_timeout: Duration,
    /// How long a session may last.
    pub lifetime: Duration,
    /// Who logs on by a one-time link.
    pub one_time_links: OneTimeLinks,
    /// Log-on by identity providers, where there are any.
    pub saml: Option<super::Saml>,
}

impl Console {
    /// Where browsers find it, without a slash at its end; none where only the open listener would know.
    pub fn base(&self) -> Option<String> {
        match &self.public_url {
            Some(url) => Some(url.to_string().trim_end_matches('/').to_owned()),
            None => {
                self.address.filter(|address| address.port() != 0).map(|address| format!("https://localhost:{}", address.port()))
            }
        }
    }
}

/// Whether an address names the machine itself.
fn is_this_machine(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

pub(super) fn read(section: &mut Reader<'_>) -> Option<Console> {
    let minutes = |number: u64| Duration::from_secs(60 * number);
    let address = section.optional_socket("address");
    let public_url = if section.has_any(&["public_url"]) { section.https("public_url").map(Some) } else { Some(None) };
    let credentials = if section.has_any(&["certificate", "pkcs12"]) { section.credentials().map(Some) } else { Some(None) };
    let assets = section.optional_directory("assets");
    let contact = section.setting("contact", Some(None), |value| {
        let unfit =
            |unfit: crate::text::Unfit| format!("{}; write one line, for instance \"drift@example.dk\"", unfit.describe().en());
        crate::text::line(&as_text(value)?).map(Some).map_err(unfit)
    });
    let idle_timeout = section.duration("idle_timeout", minutes(30), minutes(1)..=minutes(12 * 60));
    let lifetime = section.duration("lifetime", minutes(8 * 60), minutes(5)..=minutes(24 * 60));
    let saml = section.optional_section("saml", super::saml::read);
    // Where an identity provider logs people on, or browsers come from elsewhere, there is no link unless it is asked for.
    let elsewhere = matches!(&public_url, Some(Some(url)) if !is_this_machine(url));
    let default = if elsewhere || matches!(saml, Some(Some(_))) { OneTimeLinks::Off } else { OneTimeLinks::Operators };
    let one_time_links = section.choice(
        "one_time_links",
        Some(default),
        &[("off", OneTimeLinks::Off), ("operators", OneTimeLinks::Operators), ("everybody", OneTimeLinks::Everybody)],
    );
    let (address, one_time_links, saml, contact) = (address?, one_time_links?, saml?, contact?);
    let public_url = public_url?;
    // Behind a proxy every browser comes from loopback.
    if elsewhere && one_time_links != OneTimeLinks::Off {
        let text = "are for this machine alone, and public_url names another; use an identity provider, or leave public_url out";
        section.problem_at("one_time_links", text.to_owned());
        return None;
    }
    // Whoever sees such a link is logged on: it stays on the machine on whose terminal it was printed.
    if address.is_some_and(|address| !address.ip().is_loopback()) && one_time_links != OneTimeLinks::Off {
        let text = "is not a loopback address, and one-time links are for loopback alone; use 127.0.0.1 or [::1], or set \
                    one_time_links = \"off\" where an identity provider logs people on";
        section.problem_at("address", text.to_owned());
        return None;
    }
    if address.is_some_and(|address| !address.ip().is_loopback()) && public_url.is_none() {
        let text = "is missing; say at which https address browsers find the console: requests for another host are refused";
        section.problem_at("public_url", text.to_owned());
        return None;
    }
    if public_url.as_ref().is_some_and(|url| !matches!(url.path(), "" | "/") || url.query().is_some()) {
        let text = "has a path; the console has its host to itself: write for instance \"https://konsol.example.dk\"";
        section.problem_at("public_url", text.to_owned());
        return None;
    }
    if saml.is_some() && public_url.is_none() && address.is_some_and(|address| address.port() == 0) {
        let text = "is missing; identity providers send people to one address, so say it, or give address a port of its own";
        section.problem_at("public_url", text.to_owned());
        return None;
    }
    Some(Console {
        address,
        public_url,
        credentials: credentials?,
        assets: assets?,
        contact,
        idle_timeout: idle_timeout?,
        lifetime: lifetime?,
        one_time_links,
        saml,
    })
}
