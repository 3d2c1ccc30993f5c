//! Which sections of a configuration have a trust domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Config;
use crate::config::{Admin, Api, Keeping, Listen, Peer, Sections, Signers, Sts};
use crate::revocation::domain::DomainSettings;
use crate::services::Service;
use crate::services::shared::Shared;
use crate::trust::domains::{ADMIN, API, CLIENTS, SIGNERS, STS, peer, settings};

/// What `config` says of each domain.
pub fn domains(config: &Config) -> Vec<DomainSettings> {
    let Config { listen, admin, api, sts, signers, shared, peers, revocation, .. } = config;
    let mut all = each(Some(listen), Some(admin), Some(api), Some(sts), Some(signers), peers, &revocation.keeping);
    all.extend(of_shared(shared, &revocation.keeping));
    all
}

/// The same of a configuration as far as it could be read.
pub fn domains_of(sections: &Sections<Service>) -> Vec<DomainSettings> {
    let Some(revocation) = &sections.revocation else { return Vec::new() };
    let Sections { listen, admin, api, sts, signers, shared, peers, .. } = sections;
    let mut all = each(listen.as_ref(), admin.as_ref(), api.as_ref(), sts.as_ref(), signers.as_ref(), peers, &revocation.keeping);
    all.extend(of_shared(shared, &revocation.keeping));
    all
}

fn of_shared(shared: &Shared, keeping: &Arc<Keeping>) -> impl Iterator<Item = DomainSettings> {
    shared.domains().map(|(section, roots, lists)| settings(section, "roots", roots, lists, keeping))
}

fn each(
    listen: Option<&Listen>,
    admin: Option<&Admin>,
    api: Option<&Api>,
    sts: Option<&Sts>,
    signers: Option<&Signers>,
    peers: &BTreeMap<String, Peer>,
    keeping: &Arc<Keeping>,
) -> Vec<DomainSettings> {
    let fixed = [
        listen.map(|of| settings(CLIENTS, "client_roots", &of.client_roots, &of.revocation, keeping)),
        admin.map(|of| settings(ADMIN, "client_roots", &of.client_roots, &of.revocation, keeping)),
        api.map(|of| settings(API, "client_roots", &of.client_roots, &of.revocation, keeping)),
        sts.map(|of| settings(STS, "roots", &of.roots, &of.revocation, keeping)),
        signers.map(|of| settings(SIGNERS, "authorities", &of.authorities, &of.revocation, keeping)),
    ];
    let peers = peers.iter().map(|(name, of)| settings(&peer(name), "roots", &of.roots, &of.revocation, keeping));
    fixed.into_iter().flatten().chain(peers).collect()
}
