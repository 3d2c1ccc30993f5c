//! `hjemmel check --connect`: asks everything that the gateway depends on whether it answers, and tells what did.
//!
//! Nothing that is sent names a person or asks for data. STS and index get a GET without a body, which a SOAP service answers
//! with 405 or the like; with `--token` the STS is asked for a token, which the gateway gets for every authority anyhow.

use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::node::Config;
use crate::node::assemble::{read_signer, read_trust, sts_client, sts_outbound};
use crate::outbound::lists::Fetcher;
use crate::outbound::probe::{Met, Step, probe};
use crate::outbound::{Outbound, OutboundSettings, SetupError};
use crate::revocation::domain::{Domain, DomainSettings, Lists, Source};
use crate::revocation::verify::Stapling;
use crate::services::parts::peer_outbound;
use crate::signature::credentials::inspect;
use crate::store::{At, Schema, schema};
use crate::sts::cache::Source as _;
use crate::trust::domains::{self, Domains, ListsByDomain};
use crate::{config, node};

/// What one peer said.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Who was asked: the section of the configuration.
    pub peer: String,
    /// Where.
    pub at: String,
    /// Whether a call could rely on it now.
    pub ok: bool,
    /// What it said, in a line.
    pub said: String,
    /// What is wrong, and after a semicolon what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What was seen on the way.
    #[serde(flatten)]
    pub seen: Seen,
}

/// What was seen of a peer.
#[derive(Debug, Default, Serialize)]
#[allow(missing_docs)] // the fields are named for what they are
pub struct Seen {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u128>,
    /// How far the peer's clock is ahead of this machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_seconds: Option<i64>,
}

/// A peer's certificate.
#[derive(Debug, Serialize)]
#[allow(missing_docs)] // the fields are named for what they are
pub struct Shown {
    pub subject: String,
    pub issuer: String,
    pub ends: Timestamp,
    /// Whether it is one that the configuration trusts for this peer.
    pub trusted: bool,
}

/// Asks everyone. Whoever the gateway comes to depend on gets a line here.
pub async fn ask_all(config: &Config, token: Option<&Cvr>, clock: &Clock) -> Vec<Answer> {
    let asked = Asked { config, clock };
    let mut answers = asked.lists().await;
    let domains = asked.domains().await;
    let domain = |name: &str| domains.named(name).unwrap_or_else(|_| Domain::unasked());
    let sts = domain(domains::STS);
    answers.push(asked.sts(&sts).await);
    for (name, peer) in token.iter().flat_map(|_| &config.peers) {
        if let Some(authority) = token {
            answers.push(asked.token(&sts, authority, name, &peer.entity_id).await);
        }
    }
    for (name, peer) in &config.peers {
        answers.push(asked.behind(name, peer, &domain(&domains::peer(name))).await);
    }
    answers.push(asked.store().await);
    answers
}

struct Asked<'c> {
    config: &'c Config,
    clock: &'c Clock,
}

impl Asked<'_> {
    fn fetcher(&self) -> Result<Fetcher, SetupError> {
        domains::fetcher(&self.config.revocation, &self.config.outbound, &Arc::default())
    }

    /// Each list that is fetched, on its own.
    async fn lists(&self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for settings in node::domains::domains(self.config) {
            for source in &settings.sources {
                if matches!(source, Source::Address(_)) {
                    let alone = DomainSettings { sources: vec![source.clone()], ..settings.clone() };
                    answers.push(self.list(alone, source.to_string()).await);
                }
            }
        }
        answers
    }

    async fn list(&self, mut settings: DomainSettings, at: String) -> Answer {
        let peer = format!("{}.crls", settings.name);
        // Asked anew, whatever the cache has, and the cache left as it is.
        settings.keeping = Arc::new(crate::revocation::domain::Keeping { cache: None, ..(*settings.keeping).clone() });
        let began = Instant::now();
        let fetched = async {
            let fetcher = self.fetcher().map_err(|error| error.to_string())?;
            let mut lists = Lists::at_hand(settings, None, self.clock.now()).map_err(|error| error.to_string())?;
            match lists.fetch_missing(&fetcher, self.clock).await.pop() {
                None => Ok(lists),
                Some(error) => Err(error.to_string()),
            }
        };
        let fetched: Result<Lists, String> = fetched.await;
        let seen = Seen { milliseconds: Some(began.elapsed().as_millis()), ..Seen::default() };
        match fetched {
            Ok(lists) => {
                let each: Vec<_> = lists.held().map(|(issuer, due)| format!("{issuer}, next {}", day(due))).collect();
                let overdue = lists.held().find(|(_, due)| *due <= self.clock.now());
                let problem = overdue.map(|(issuer, due)| {
                    format!("the successor of the list of {issuer} was due {due}; ask the CA why it gives no newer one")
                });
                Answer {
                    peer,
                    at,
                    ok: problem.is_none(),
                    said: format!("{} list(s): {}", each.len(), each.join("; ")),
                    problem,
                    seen,
                }
            }
            Err(error) => {
                let problem = if error.contains(';') {
                    error
                } else {
                    format!("{error}; correct the address in {peer}, or open the way to it from this machine")
                };
                Answer { peer, at, ok: false, said: "no list".to_owned(), problem: Some(problem), seen }
            }
        }
    }

    /// The lists by which peers are judged: those at hand, and those that can be fetched now.
    async fn domains(&self) -> Domains {
        let lists = ListsByDomain::at_hand(node::domains::domains(self.config), None, self.clock.now());
        match (lists, self.fetcher()) {
            (Ok(mut lists), Ok(fetcher)) => {
                // What does not come has been told by `lists`.
                drop(lists.fetch_missing(&fetcher, self.clock).await);
                lists.into_domains()
            }
            _ => Domains::default(),
        }
    }

    async fn sts(&self, domain: &Arc<Domain>) -> Answer {
        let sts = &self.config.sts;
        let settings = sts_outbound(sts);
        let peer = Peer { name: "sts".to_owned(), shows: None };
        self.peer(peer, settings, domain, sts.stapling, &sts.address, sts.deadline).await
    }

    async fn behind(&self, name: &str, of: &config::Peer, domain: &Arc<Domain>) -> Answer {
        let settings = peer_outbound(of, &self.config.system);
        let peer = Peer { name: domains::peer(name), shows: Some("system.certificate") };
        self.peer(peer, settings, domain, of.stapling, &of.address, of.deadline).await
    }

    async fn peer(
        &self,
        peer: Peer,
        settings: OutboundSettings,
        domain: &Arc<Domain>,
        stapling: Stapling,
        uri: &http::Uri,
        deadline: Duration,
    ) -> Answer {
        let met = probe(settings, domain.clone(), stapling, uri, Instant::now() + deadline).await;
        let ahead = met.date.as_deref().and_then(|date| rfc2822::parse(date).ok());
        // The header tells whole seconds: half of one is added, so that equal clocks tell 0.
        let ahead =
            ahead.map(|date| (date.timestamp() + SignedDuration::from_millis(500)).duration_since(self.clock.now()).as_millis());
        let ahead = ahead.map(|milliseconds| i64::try_from((milliseconds as f64 / 1000.0).round() as i128).unwrap_or(i64::MAX));
        let trusted = !matches!(met.lost, Some((Step::Certificate, _)));
        let certificate = met.certificate.as_ref().and_then(|der| inspect(der).ok());
        let certificate =
            certificate.map(|facts| Shown { subject: facts.subject, issuer: facts.issuer, ends: facts.not_after, trusted });
        let problem = peer.problem(&met, certificate.as_ref(), uri).or_else(|| self.clock_problem(ahead));
        let seen = Seen {
            address: met.address.map(|address| address.to_string()),
            tls: met.tls,
            certificate,
            http_status: met.status.map(|status| status.as_u16()),
            milliseconds: Some(met.took.as_millis()),
            clock_ahead_seconds: ahead,
        };
        let said = match met.status {
            Some(status) => format!("HTTP {}", status.as_u16()),
            None => "no answer".to_owned(),
        };
        Answer { peer: peer.name, at: uri.to_string(), ok: problem.is_none(), said, problem, seen }
    }

    fn clock_problem(&self, ahead: Option<i64>) -> Option<String> {
        let ahead = ahead?;
        let allowed = self.config.clock_skew.as_secs();
        (ahead.unsigned_abs() > allowed).then(|| {
            let way = if ahead > 0 { "ahead of" } else { "behind" };
            format!(
                "its clock is {} s {way} this machine's, and clock_skew allows {allowed} s: tokens and messages will be refused; set this machine's clock by NTP, or tell the peer's operators",
                ahead.unsigned_abs()
            )
        })
    }

    /// A token for a peer, on behalf of an authority: the whole way through the STS.
    async fn token(&self, domain: &Arc<Domain>, authority: &Cvr, name: &str, entity_id: &str) -> Answer {
        let (config, began) = (self.config, Instant::now());
        let issued = async {
            let now = self.clock.now();
            let signer = read_signer(&config.system).map_err(|error| error.to_string())?;
            let trust = read_trust(&config.tokens, now).map_err(|error| error.to_string())?;
            let issuer = trust.issuers().first().ok_or("[tokens] names no issuer")?;
            let outbound = Outbound::checked(sts_outbound(&config.sts), domain.clone(), config.sts.stapling);
            let outbound = outbound.map_err(|error| error.to_string())?;
            let client = sts_client(&config.sts, issuer.clone(), &signer, outbound, self.clock);
            client.issue(&authority.to_string(), entity_id).await.map_err(|refusal| {
                let detail = refusal.to_string();
                format!(
                    "{}: {detail}; see docs/faults.md, and ask whether the STS has an agreement for {} by this gateway's certificate",
                    refusal.code(),
                    authority
                )
            })
        };
        let issued: Result<crate::sts::Token, String> = issued.await;
        let seen = Seen { milliseconds: Some(began.elapsed().as_millis()), ..Seen::default() };
        let (peer, at) = ("sts (token)".to_owned(), config.sts.address.to_string());
        match issued {
            Ok(token) => {
                let said = format!("a token for {authority} at {name} until {}", token.not_on_or_after());
                Answer { peer, at, ok: true, said, problem: None, seen }
            }
            Err(problem) => Answer { peer, at, ok: false, said: "no token".to_owned(), problem: Some(problem), seen },
        }
    }

    async fn store(&self) -> Answer {
        let (peer, store, began) = ("store".to_owned(), &self.config.store, Instant::now());
        let at = store.at.to_string();
        if matches!(&store.at, At::Sqlite(file) if !file.exists()) {
            let said = "not there yet: the gateway makes it when it starts, and without agreements refuses every call".to_owned();
            return Answer { peer, at, ok: true, said, problem: None, seen: Seen::default() };
        }
        let looked = schema(store).await;
        let seen = Seen { milliseconds: Some(began.elapsed().as_millis()), ..Seen::default() };
        match looked {
            Ok(Schema { version, latest }) => {
                let said = match version == latest {
                    true => format!("schema {version}"),
                    false => format!("schema {version}, which the gateway brings to {latest} when it starts"),
                };
                Answer { peer, at, ok: true, said, problem: None, seen }
            }
            Err(error) => {
                let problem = Some(format!("{error}; name the store, or restore it"));
                Answer { peer, at, ok: false, said: "no answer".to_owned(), problem, seen }
            }
        }
    }
}

/// A peer over TLS.
struct Peer {
    /// Its section.
    name: String,
    /// The setting of the certificate that it is shown.
    shows: Option<&'static str>,
}

impl Peer {
    fn problem(&self, met: &Met, certificate: Option<&Shown>, uri: &http::Uri) -> Option<String> {
        let name = &self.name;
        if let Some((step, why)) = &met.lost {
            let remedy = match step {
                Step::Setup => format!("correct {name}.roots"),
                Step::Name => format!("correct {name}.address, or this machine's name service"),
                Step::Connect => {
                    "ask whether it runs there, and whether the firewalls between let this machine through".to_owned()
                }
                Step::Tls => format!("correct the port in {name}.address; it must speak TLS 1.2 or 1.3"),
                Step::Certificate => return Some(self.certificate_problem(why, certificate, uri)),
                Step::Http => match self.shows {
                    Some(own) => format!(
                        "correct {name}.address; where the peer ended the connection, ask whether it knows the certificate of {own}"
                    ),
                    None => format!("correct {name}.address"),
                },
            };
            return Some(format!("{why}; {remedy}"));
        }
        let status = met.status?;
        let remedy = match status.as_u16() {
            404 | 410 => format!("there is nothing at this path: correct {name}.address"),
            300..=399 => format!("the gateway follows no redirect: write the address that it leads to into {name}.address"),
            401 | 403 => match self.shows {
                Some(own) => format!("it does not let the certificate of {own} in: give that to its operators"),
                None => "it does not let this machine in: ask its operators".to_owned(),
            },
            429 | 502..=504 => "it is away or overloaded behind its front: try again, then ask its operators".to_owned(),
            // A SOAP service takes POST alone, and says so in one of these ways or another.
            _ => return None,
        };
        Some(format!("HTTP {}; {remedy}", status.as_u16()))
    }

    fn certificate_problem(&self, why: &str, certificate: Option<&Shown>, uri: &http::Uri) -> String {
        let name = &self.name;
        let issuer = certificate.map_or("its issuer", |shown| &shown.issuer);
        let (what, remedy) = if why.contains("UnknownIssuer") || why.contains("InvalidSignature") {
            (
                format!("was issued by {issuer}, which is not below {name}.roots"),
                format!(
                    "add that CA to {name}.roots if it is the peer's, which its operators can tell; if not, somebody else answers"
                ),
            )
        } else if why.contains("NotValidForName") {
            (format!("is not for {}", uri.host().unwrap_or_default()), format!("correct {name}.address"))
        } else if why.contains("Expired") || why.contains("NotValidYet") {
            ("is not valid now".to_owned(), "see that this machine's clock is right, then tell the peer's operators".to_owned())
        } else if why.contains("Revocation") {
            ("has no revocation list in force".to_owned(), format!("give the list of {issuer} in {name}.crls"))
        } else if why.contains("Revoked") {
            ("is revoked".to_owned(), "tell the peer's operators at once".to_owned())
        } else if why.contains("Ocsp") {
            (
                "has no OCSP response that holds".to_owned(),
                format!("tell the peer's operators; without {name}.require_stapling none is demanded"),
            )
        } else {
            (format!("is refused ({why})"), "tell the peer's operators".to_owned())
        };
        format!("its certificate {what}; {remedy}")
    }
}

pub(super) fn day(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d").to_string()
}
