//! The trust domains by name: whose certificates are looked up in the revocation lists of which section.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

use crate::clock::Clock;
use crate::config::{ConnectionLimits, DomainLists, Keeping, Revocation};
use crate::outbound::counts::Counts;
use crate::outbound::lists::Fetcher;
use crate::outbound::{OutboundSettings, SetupError};
use crate::revocation::domain::{Domain, DomainSettings, ListState, Lists, Renewed};
use crate::revocation::list::RevocationError;

/// TLS clients, and the holders of tokens: `[listen]`.
pub const CLIENTS: &str = "listen";
/// The admin listener's clients: `[admin]`.
pub const ADMIN: &str = "admin";
/// The API's users: `[api]`.
pub const API: &str = "api";
/// The STS's TLS server: `[sts]`.
pub const STS: &str = "sts";
/// Who signs tokens and answers: `[signers]`.
pub const SIGNERS: &str = "signers";

/// A peer's TLS server: `[peer.NAME]`.
pub fn peer(name: &str) -> String {
    format!("peer.{name}")
}

/// A domain that nothing was configured for.
#[derive(Debug, thiserror::Error)]
#[error("there is no trust domain {0}")]
pub struct UnknownDomain(String);

/// What a section says of its domain. `authorities_key`: the section's setting that names the CAs.
pub fn settings(
    section: &str,
    authorities_key: &str,
    authorities: &[CertificateDer<'static>],
    lists: &DomainLists,
    keeping: &Arc<Keeping>,
) -> DomainSettings {
    DomainSettings {
        name: section.to_owned(),
        authorities: authorities.to_vec(),
        authorities_setting: format!("{section}.{authorities_key}"),
        sources: lists.crls.clone(),
        without_list: lists.crl_missing,
        keeping: keeping.clone(),
    }
}

/// The client that lists are fetched with.
///
/// # Errors
/// Roots that cannot be used.
pub fn fetcher(revocation: &Revocation, connections: &ConnectionLimits, counts: &Arc<Counts>) -> Result<Fetcher, SetupError> {
    let settings = OutboundSettings {
        connect_timeout: revocation.timeout,
        connections: connections.clone(),
        counts: counts.clone(),
        ..OutboundSettings::new(revocation.roots.clone())
    };
    Fetcher::new(settings, revocation.timeout, revocation.keeping.list_bytes)
}

/// The lists of each domain, before they are put in force.
#[derive(Debug)]
pub struct ListsByDomain(BTreeMap<String, Lists>);

impl ListsByDomain {
    /// The lists that are at hand without the network.
    ///
    /// # Errors
    /// A file that is no list of one of its domain's authorities.
    pub fn at_hand(settings: Vec<DomainSettings>, before: Option<&Domains>, now: Timestamp) -> Result<Self, RevocationError> {
        let lists = settings.into_iter().map(|settings| {
            let before = before.and_then(|before| before.0.get(&settings.name)).map(|domain| domain.current());
            Ok((settings.name.clone(), Lists::at_hand(settings, before.as_deref(), now)?))
        });
        lists.collect::<Result<_, _>>().map(Self)
    }

    /// Fetches what is not at hand, and gives what did not come.
    pub async fn fetch_missing(&mut self, fetcher: &Fetcher, clock: &Clock) -> Vec<RevocationError> {
        let mut errors = Vec::new();
        for lists in self.0.values_mut() {
            errors.extend(lists.fetch_missing(fetcher, clock).await);
        }
        errors
    }

    /// Domains with these lists.
    pub fn into_domains(self) -> Domains {
        Domains(self.0.into_iter().map(|(name, lists)| (name, Arc::new(Domain::new(lists)))).collect())
    }
}

/// The trust domains of a running gateway. Each outlasts the reloads that still name it.
#[derive(Debug, Clone, Default)]
pub struct Domains(BTreeMap<String, Arc<Domain>>);

impl Domains {
    /// The domain of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(&self, name: &str) -> Result<Arc<Domain>, UnknownDomain> {
        self.0.get(name).cloned().ok_or_else(|| UnknownDomain(name.to_owned()))
    }

    /// The domains of another configuration: those that it names too are the same, with what is in force in them; others are
    /// new, or gone.
    #[must_use]
    pub fn of(&self, lists: &ListsByDomain) -> Self {
        let one = |(name, lists): (&String, &Lists)| {
            let domain = self.0.get(name).cloned().unwrap_or_else(|| Arc::new(Domain::new(lists.clone())));
            (name.clone(), domain)
        };
        Self(lists.0.iter().map(one).collect())
    }

    /// Puts other lists in force.
    pub fn replace(&self, lists: ListsByDomain) {
        for (name, lists) in lists.0 {
            if let Some(domain) = self.0.get(&name) {
                domain.replace(lists);
            }
        }
    }

    /// When a source is to be asked next.
    pub fn due(&self) -> Option<tokio::time::Instant> {
        self.0.values().filter_map(|domain| domain.due()).min()
    }

    /// Asks the sources whose time has come.
    pub async fn renew(&self, fetcher: &Fetcher, clock: &Clock) -> Renewed {
        let mut all = Renewed::default();
        for domain in self.0.values() {
            let one = domain.renew(fetcher, clock).await;
            all.changed |= one.changed;
            all.errors.extend(one.errors);
        }
        all
    }

    /// What operators are shown of every list.
    pub fn states(&self) -> Vec<ListState> {
        self.0.values().flat_map(|domain| domain.current().states()).collect()
    }
}
