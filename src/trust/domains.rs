//! The trust domains, and whose certificates are looked up in the revocation lists of which.

use std::sync::Arc;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;

use crate::clock::Clock;
use crate::config::{Admin, Config, ConnectionLimits, DomainLists, Index, Keeping, Listen, Revocation, Sections, Signers, Sts};
use crate::outbound::counts::Counts;
use crate::outbound::lists::Fetcher;
use crate::outbound::{OutboundSettings, SetupError};
use crate::revocation::domain::{Domain, DomainSettings, ListState, Lists, Renewed};
use crate::revocation::list::RevocationError;

/// One of a kind for each trust domain.
#[derive(Debug, Clone)]
pub struct Each<T> {
    /// TLS clients, and the holders of tokens: `[listen]`.
    pub clients: T,
    /// The admin listener's clients: `[admin]`.
    pub admin: T,
    /// The STS's TLS server: `[sts]`.
    pub sts: T,
    /// The index's TLS server: `[index]`.
    pub index: T,
    /// Who signs tokens and answers: `[signers]`.
    pub signers: T,
}

impl<T> Each<T> {
    fn try_map<U, E>(&self, mut of: impl FnMut(&T) -> Result<U, E>) -> Result<Each<U>, E> {
        Ok(Each {
            clients: of(&self.clients)?,
            admin: of(&self.admin)?,
            sts: of(&self.sts)?,
            index: of(&self.index)?,
            signers: of(&self.signers)?,
        })
    }

    fn all(&self) -> [&T; 5] {
        [&self.clients, &self.admin, &self.sts, &self.index, &self.signers]
    }

    fn all_mut(&mut self) -> [&mut T; 5] {
        [&mut self.clients, &mut self.admin, &mut self.sts, &mut self.index, &mut self.signers]
    }
}

impl Each<DomainSettings> {
    /// Each by the setting that names its lists.
    pub fn by_setting(self) -> [(&'static str, DomainSettings); 5] {
        [
            ("listen.crls", self.clients),
            ("admin.crls", self.admin),
            ("sts.crls", self.sts),
            ("index.crls", self.index),
            ("signers.crls", self.signers),
        ]
    }
}

/// The trust domains of a running gateway: they outlast reloads.
pub type Domains = Each<Arc<Domain>>;

/// What `config` says of each domain.
pub fn settings(config: &Config) -> Each<DomainSettings> {
    let keeping = &config.revocation.keeping;
    Each {
        clients: clients(&config.listen, keeping),
        admin: admin(&config.admin, keeping),
        sts: sts(&config.sts, keeping),
        index: index(&config.index, keeping),
        signers: signers(&config.signers, keeping),
    }
}

/// The same of a configuration as far as it could be read, each by the setting that names its lists.
pub fn settings_of(sections: &Sections) -> Vec<(&'static str, DomainSettings)> {
    let Some(Revocation { keeping, .. }) = &sections.revocation else { return Vec::new() };
    let all = [
        ("listen.crls", sections.listen.as_ref().map(|listen| clients(listen, keeping))),
        ("admin.crls", sections.admin.as_ref().map(|section| admin(section, keeping))),
        ("sts.crls", sections.sts.as_ref().map(|section| sts(section, keeping))),
        ("index.crls", sections.index.as_ref().map(|section| index(section, keeping))),
        ("signers.crls", sections.signers.as_ref().map(|section| signers(section, keeping))),
    ];
    all.into_iter().filter_map(|(setting, settings)| Some((setting, settings?))).collect()
}

fn clients(listen: &Listen, keeping: &Arc<Keeping>) -> DomainSettings {
    domain("listen", "listen.client_roots", &listen.client_roots, &listen.revocation, keeping)
}

fn admin(admin: &Admin, keeping: &Arc<Keeping>) -> DomainSettings {
    domain("admin", "admin.client_roots", &admin.client_roots, &admin.revocation, keeping)
}

fn sts(sts: &Sts, keeping: &Arc<Keeping>) -> DomainSettings {
    domain("sts", "sts.roots", &sts.roots, &sts.revocation, keeping)
}

fn index(index: &Index, keeping: &Arc<Keeping>) -> DomainSettings {
    domain("index", "index.roots", &index.roots, &index.revocation, keeping)
}

fn signers(signers: &Signers, keeping: &Arc<Keeping>) -> DomainSettings {
    domain("signers", "signers.authorities", &signers.authorities, &signers.revocation, keeping)
}

fn domain(
    name: &'static str,
    setting: &'static str,
    authorities: &[CertificateDer<'static>],
    lists: &DomainLists,
    keeping: &Arc<Keeping>,
) -> DomainSettings {
    DomainSettings {
        name,
        authorities: authorities.to_vec(),
        authorities_setting: setting,
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

impl Each<Lists> {
    /// The lists that are at hand without the network.
    ///
    /// # Errors
    /// A file that is no list of one of its domain's authorities.
    pub fn at_hand(settings: &Each<DomainSettings>, before: Option<&Domains>, now: Timestamp) -> Result<Self, RevocationError> {
        let before: Vec<_> = before.into_iter().flat_map(|before| before.all().map(|domain| domain.current())).collect();
        settings.try_map(|settings| {
            let before = before.iter().find(|lists| lists.settings().name == settings.name);
            Lists::at_hand(settings.clone(), before.map(Arc::as_ref), now)
        })
    }

    /// Fetches what is not at hand, and gives what did not come.
    pub async fn fetch_missing(&mut self, fetcher: &Fetcher, clock: &Clock) -> Vec<RevocationError> {
        let mut errors = Vec::new();
        for lists in self.all_mut() {
            errors.extend(lists.fetch_missing(fetcher, clock).await);
        }
        errors
    }

    /// Domains with these lists.
    pub fn into_domains(self) -> Domains {
        let new = |lists| Arc::new(Domain::new(lists));
        Each {
            clients: new(self.clients),
            admin: new(self.admin),
            sts: new(self.sts),
            index: new(self.index),
            signers: new(self.signers),
        }
    }
}

impl Domains {
    /// Puts other lists in force.
    pub fn replace(&self, lists: Each<Lists>) {
        self.clients.replace(lists.clients);
        self.admin.replace(lists.admin);
        self.sts.replace(lists.sts);
        self.index.replace(lists.index);
        self.signers.replace(lists.signers);
    }

    /// When a source is to be asked next.
    pub fn due(&self) -> Option<tokio::time::Instant> {
        self.all().into_iter().filter_map(|domain| domain.due()).min()
    }

    /// Asks the sources whose time has come.
    pub async fn renew(&self, fetcher: &Fetcher, clock: &Clock) -> Renewed {
        let mut all = Renewed::default();
        for domain in self.all() {
            let one = domain.renew(fetcher, clock).await;
            all.changed |= one.changed;
            all.errors.extend(one.errors);
        }
        all
    }

    /// What operators are shown of every list.
    pub fn states(&self) -> Vec<ListState> {
        self.all().into_iter().flat_map(|domain| domain.current().states()).collect()
    }
}
