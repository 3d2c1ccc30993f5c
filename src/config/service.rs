//! `[service.NAME]`: what the gateway must know of any service. The rest a service reads itself, and nothing here knows it.

use std::collections::BTreeMap;
use std::fmt::Debug;

use rustls_pki_types::CertificateDer;
use uuid::Uuid;

use super::reader::{Reader, as_array, as_text, nearest};
use super::retired::Retired;
use crate::id::cvr::Cvr;

/// How a caller may prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// A SAML token and a signed message (OIO IDWS).
    Token,
    /// Mutual TLS and an AuthorityContext.
    AuthorityContext,
}

/// Where a service is offered, under which names, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The entity id that tokens must be issued for.
    pub entity_id: String,
    /// The service's UUID in agreements.
    pub service_uuid: Uuid,
    /// The path of its address.
    pub path: String,
    /// The bindings offered, at least one.
    pub bindings: Vec<Binding>,
    /// The HTTP status of a SOAP 1.2 fault that is the sender's: 500 or 400.
    pub sender_fault_status: u16,
    /// How its agreements are asked for and ended.
    pub terms: ServiceTerms,
}

/// `[service.NAME.agreements]`: how a service's agreements are asked for and ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceTerms {
    /// Whether no new ones may be asked for.
    pub locked: bool,
    /// For how many months after it began one cannot end.
    pub binding_months: u8,
    /// How many months ahead notice is given.
    pub notice_months: u8,
    /// The authorities on whose behalf a system may be connected for trial without their approval.
    pub trial: Vec<Cvr>,
}

/// Reads `[service.NAME.agreements]`.
pub(crate) fn terms(section: &mut Reader<'_>) -> Option<ServiceTerms> {
    section.section("agreements", |section| {
        let locked = section.flag("locked", false);
        let binding = section.number("binding_months", 0, 0..=120);
        let notice = section.number("notice_months", 0, 0..=60);
        let trial = section.setting("trial_without_approval", Some(Vec::new()), |value| {
            let wrong = || "holds what is not a CVR number; write [\"11111111\"]".to_owned();
            as_array(value)?.iter().map(|item| as_text(item.get_ref())?.parse::<Cvr>().map_err(|_| wrong())).collect()
        });
        let months = |months: u64| u8::try_from(months).ok();
        Some(ServiceTerms { locked: locked?, binding_months: months(binding?)?, notice_months: months(notice?)?, trial: trial? })
    })
}

/// Sections that services have beside theirs, such as a key or a system behind several of them: an installation has each once.
pub trait SharedSections: Debug + Default {
    /// Reads them from the root of the file, each as far as it can be. Of one with a problem, which is reported, nothing is given.
    fn read(root: &mut Reader<'_>) -> Self;

    /// Their settings that hold certificates.
    fn certificates(&self) -> Vec<(&'static str, Vec<CertificateDer<'static>>)>;

    /// Puts back what only a restart can change to what `running` has, and gives the names of the sections that differed.
    fn keep_until_restart(&mut self, running: &Self) -> Vec<&'static str>;
}

/// What reads `[service.NAME]`. Everything that it says of the file is reported beside all other problems.
pub trait ServiceSection: Sized + Debug {
    /// The sections beside those of single services.
    type Shared: SharedSections;

    /// Settings that files had before services and peers had names.
    const RETIRED: &'static [Retired];

    /// Reads the section of the service `name`; `None` where a problem has been reported.
    fn read(name: &str, section: &mut Reader<'_>) -> Option<Self>;

    /// Where and as what it is offered.
    fn offer(&self) -> &Offer;

    /// The `[peer.NAME]` that it asks, where there is one alone.
    fn peer(&self) -> Option<&str>;
}

/// The HTTP status of faults, which every service may set.
pub(crate) fn sender_fault_status(section: &mut Reader<'_>) -> Option<u16> {
    section.setting("sender_fault_status", Some(500), |value| match value.as_integer() {
        Some(number) if number.radix() == 10 && number.as_str() == "500" => Ok(500),
        Some(number) if number.radix() == 10 && number.as_str() == "400" => Ok(400),
        _ => Err("is not one of the two statuses; use 500 or 400".to_owned()),
    })
}

/// The bindings that a service offers.
pub(crate) fn bindings(section: &mut Reader<'_>) -> Option<Vec<Binding>> {
    let known = [("token", Binding::Token), ("authority-context", Binding::AuthorityContext)];
    section.choices("bindings", &[Binding::Token], &known)
}

/// The path of a service's address.
pub(crate) fn path(section: &mut Reader<'_>, default: &str) -> Option<String> {
    let path = section.text("path", Some(default))?;
    if !path.starts_with('/') {
        section.problem_at("path", "is not a path; begin it with /".to_owned());
        return None;
    }
    Some(path)
}

/// What is wrong between the services, and between them and the peers: the setting and the text.
pub(super) fn clashes<S: ServiceSection>(services: &BTreeMap<String, S>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let all: Vec<_> = services.iter().collect();
    for (at, (name, service)) in all.iter().enumerate() {
        let own = service.offer();
        for (other, offer) in all.iter().take(at).map(|(other, service)| (other, service.offer())) {
            let mut same = |key: &str, what: &str, value: &str| {
                let text = format!("is {value}, which is {what} of [service.{other}] too; each service needs its own");
                found.push((format!("service.{name}.{key}"), text));
            };
            if own.path.trim_end_matches('/') == offer.path.trim_end_matches('/') {
                same("path", "the path", &own.path);
            }
            if own.service_uuid == offer.service_uuid {
                same("service_uuid", "the UUID", &own.service_uuid.to_string());
            }
            if own.entity_id == offer.entity_id {
                same("entity_id", "the entity id", &own.entity_id);
            }
        }
    }
    found
}

/// Services that name a peer which is not there.
pub(super) fn without_peer<S: ServiceSection>(services: &BTreeMap<String, S>, peers: &[&str]) -> Vec<(String, String)> {
    let lost = services.iter().filter_map(|(name, service)| Some((name, service.peer()?)));
    lost.filter(|(_, peer)| !peers.contains(peer))
        .map(|(name, peer)| {
            let near = nearest(peers.iter().copied(), peer).map(|near| format!("did you mean \"{near}\"?"));
            let remedy = near.unwrap_or_else(|| format!("write the section [peer.{peer}]"));
            (format!("service.{name}.peer"), format!("names \"{peer}\", and there is no [peer.{peer}]; {remedy}"))
        })
        .collect()
}
