//! The sections of the configuration file, their settings, defaults and ranges.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::reader::Reader;
use super::{
    Admin, Agreements, Api, Archive, Audit, Config, ConnectionLimits, Console, Credentials, Deliveries, DomainLists, EdgeLimits,
    Keeping, Listen, LogFormat, MessageLimits, Peer, ReplayKept, Revocation, ServiceSection, Sftp, SharedSections, Signers,
    Stapling, Sts, Tokens, WithoutList, console, deliveries, limits, mail, objects, peer, retired, sftp, store,
};
use crate::id::cpr::TestNumbers;
use crate::objects::settings::Place::Folder;
use crate::telemetry::Callers;

/// The sections, each as far as it could be read: `None` where a problem with it has been reported.
#[derive(Debug)]
#[allow(missing_docs)] // each is explained in `Config`
pub struct Sections<S: ServiceSection> {
    pub environment: Option<String>,
    pub test_numbers: Option<Option<TestNumbers>>,
    pub clock_skew: Option<Duration>,
    pub timestamp_max_age: Option<Duration>,
    pub replay_memory: Option<ReplayKept>,
    pub replay_capacity: Option<usize>,
    pub replay_wait: Option<Duration>,
    pub log_format: Option<LogFormat>,
    pub telemetry: Option<Option<crate::telemetry::Settings>>,
    pub listen: Option<Listen>,
    pub admin: Option<Admin>,
    pub api: Option<Api>,
    pub console: Option<Console>,
    pub system: Option<Credentials>,
    pub services: BTreeMap<String, S>,
    pub shared: S::Shared,
    pub peers: BTreeMap<String, Peer>,
    pub tokens: Option<Tokens>,
    pub signers: Option<Signers>,
    pub revocation: Option<Revocation>,
    pub sts: Option<Sts>,
    pub outbound: Option<ConnectionLimits>,
    pub store: Option<crate::store::Settings>,
    pub agreements: Option<Agreements>,
    pub audit: Option<Audit>,
    /// That of `audit` alone, for commands that need no more of the section.
    pub archive: Option<Option<Archive>>,
    pub objects: Option<Option<crate::objects::Settings>>,
    pub deliveries: Option<Option<Deliveries>>,
    pub sftp: Option<Option<Sftp>>,
    pub mail: Option<Option<crate::notices::post::Settings>>,
    pub limits: Option<(EdgeLimits, MessageLimits)>,
}

/// Nothing of a file could be read.
impl<S: ServiceSection> Default for Sections<S> {
    fn default() -> Self {
        Self {
            environment: None,
            test_numbers: None,
            clock_skew: None,
            timestamp_max_age: None,
            replay_memory: None,
            replay_capacity: None,
            replay_wait: None,
            log_format: None,
            telemetry: None,
            listen: None,
            admin: None,
            api: None,
            console: None,
            system: None,
            services: BTreeMap::new(),
            shared: S::Shared::default(),
            peers: BTreeMap::new(),
            tokens: None,
            signers: None,
            revocation: None,
            sts: None,
            outbound: None,
            store: None,
            agreements: None,
            audit: None,
            archive: None,
            objects: None,
            deliveries: None,
            sftp: None,
            mail: None,
            limits: None,
        }
    }
}

impl<S: ServiceSection> Sections<S> {
    /// Every address listened on, as far as it can be read, with the setting that names it.
    pub fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let own = [
            ("listen.address", self.listen.as_ref().map(|listen| listen.address)),
            ("admin.address", self.admin.as_ref().map(|admin| admin.address)),
            ("api.address", self.api.as_ref().and_then(|api| api.address)),
            ("console.address", self.console.as_ref().and_then(|console| console.address)),
            ("sftp.address", self.sftp.as_ref().and_then(|sftp| Some(sftp.as_ref()?.address))),
        ];
        own.into_iter().filter_map(|(setting, address)| Some((setting, address?))).collect()
    }

    pub(super) fn whole(self) -> Option<Config<S>> {
        let (limits, messages) = self.limits?;
        Some(Config {
            environment: self.environment?,
            test_numbers: self.test_numbers?,
            clock_skew: self.clock_skew?,
            timestamp_max_age: self.timestamp_max_age?,
            replay_memory: self.replay_memory?,
            replay_capacity: self.replay_capacity?,
            replay_wait: self.replay_wait?,
            log_format: self.log_format?,
            telemetry: self.telemetry?,
            listen: self.listen?,
            admin: self.admin?,
            api: self.api?,
            console: self.console?,
            system: self.system?,
            services: self.services,
            shared: self.shared,
            peers: self.peers,
            tokens: self.tokens?,
            signers: self.signers?,
            revocation: self.revocation?,
            sts: self.sts?,
            outbound: self.outbound?,
            store: self.store?,
            agreements: self.agreements?,
            audit: self.audit?,
            objects: self.objects?,
            deliveries: self.deliveries?,
            sftp: self.sftp?,
            mail: self.mail?,
            limits,
            messages,
        })
    }
}

/// Every setting is asked for before the first `?`, so that each is checked whatever the others are.
pub(super) fn read<S: ServiceSection>(root: &mut Reader<'_>) -> Sections<S> {
    let moved = retired::report(root, S::RETIRED);
    let store_moved = retired::report(root, retired::STORE);
    let services = root.each("service", S::read);
    if !moved && !root.has_any(&["service"]) {
        root.missing_section("service", "is missing; name each service offered in a section of its own, [service.NAME]");
    }
    let mut archive = None;
    let audit = root.section("audit", |section| read_audit(section, &mut archive));
    let environment = root.environment("environment");
    let test_numbers = root.test_numbers("test_numbers", environment.as_deref());
    Sections {
        environment,
        test_numbers,
        clock_skew: root.duration("clock_skew", seconds(60), seconds(0)..=seconds(300)),
        timestamp_max_age: root.duration("timestamp_max_age", seconds(300), seconds(30)..=seconds(3600)),
        replay_memory: root.choice(
            "replay_memory",
            Some(ReplayKept::Node),
            &[("node", ReplayKept::Node), ("database", ReplayKept::Database)],
        ),
        replay_capacity: root.size("replay_capacity", 1_000_000, 1_000..=100_000_000),
        replay_wait: root.duration("replay_wait", seconds(2), Duration::from_millis(100)..=seconds(10)),
        log_format: root.choice("log_format", Some(LogFormat::Json), &[("json", LogFormat::Json), ("text", LogFormat::Text)]),
        telemetry: root.optional_section("telemetry", read_telemetry),
        listen: root.section("listen", read_listen),
        admin: root.section("admin", read_admin),
        api: root.section("api", read_api),
        console: root.section("console", console::read),
        system: root.section("system", Reader::credentials),
        services,
        peers: root.each("peer", peer::read),
        tokens: root.section("tokens", read_tokens),
        signers: root.section("signers", read_signers),
        revocation: root.section("revocation", read_revocation),
        sts: root.section("sts", read_sts),
        outbound: root.section("outbound", read_outbound),
        store: match store_moved && !root.has_any(&["store"]) {
            true => None,
            false => root.section("store", store::read),
        },
        agreements: root.section("agreements", read_agreements),
        audit,
        archive,
        objects: root.optional_section("objects", objects::read),
        deliveries: root.optional_section("deliveries", deliveries::read),
        shared: <S::Shared as SharedSections>::read(root),
        sftp: root.optional_section("sftp", sftp::read),
        mail: root.optional_section("mail", mail::read),
        limits: root.section("limits", |section| limits::read(section)),
    }
}

fn read_listen(section: &mut Reader<'_>) -> Option<Listen> {
    let address = section.socket("address", Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443))));
    let public_url = section.https("public_url");
    let credentials = section.credentials();
    let client_roots = section.certificates("client_roots", true);
    let ocsp_response = section.optional_file("ocsp_response");
    let revocation = read_lists(section);
    Some(Listen {
        address: address?,
        public_url: public_url?,
        credentials: credentials?,
        client_roots: client_roots?,
        ocsp_response: ocsp_response?,
        revocation: revocation?,
    })
}

pub(crate) fn read_lists(section: &mut Reader<'_>) -> Option<DomainLists> {
    let crls = section.sources("crls");
    let choices = [("refuse", WithoutList::Refuse), ("accept", WithoutList::Accept)];
    let crl_missing = section.choice("crl_missing", Some(WithoutList::Refuse), &choices);
    Some(DomainLists { crls: crls?, crl_missing: crl_missing? })
}

pub(crate) fn read_stapling(section: &mut Reader<'_>) -> Option<Stapling> {
    let required = section.flag("require_stapling", false)?;
    Some(if required { Stapling::Required } else { Stapling::Optional })
}

fn read_signers(section: &mut Reader<'_>) -> Option<Signers> {
    let authorities = section.certificates("authorities", false);
    let revocation = read_lists(section);
    Some(Signers { authorities: authorities?, revocation: revocation? })
}

fn read_revocation(section: &mut Reader<'_>) -> Option<Revocation> {
    let interval = section.duration("interval", seconds(60), seconds(1)..=seconds(24 * 3600));
    let refresh = section.duration("refresh", seconds(3600), seconds(1)..=seconds(7 * 24 * 3600));
    let grace = section.duration("grace", seconds(0), seconds(0)..=seconds(7 * 24 * 3600));
    let timeout = section.duration("timeout", seconds(10), seconds(1)..=seconds(120));
    let list_bytes = section.size("list_bytes", 32 << 20, 1 << 10..=1 << 28);
    let cache = section.optional_directory("cache");
    let roots = section.certificates("roots", false);
    Some(Revocation {
        keeping: Arc::new(Keeping {
            interval: interval?,
            refresh: refresh?,
            grace: grace?,
            list_bytes: list_bytes?,
            cache: cache?,
        }),
        timeout: timeout?,
        roots: roots?,
    })
}

fn read_admin(section: &mut Reader<'_>) -> Option<Admin> {
    let address = section.socket("address", Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))));
    let client_roots = section.certificates("client_roots", false);
    let revocation = read_lists(section);
    let (address, client_roots, revocation) = (address?, client_roots?, revocation?);
    // Metrics and health are for operators: the open network gets them only with a proven client.
    if !address.ip().is_loopback() && client_roots.is_empty() {
        let text =
            "is not a loopback address; use 127.0.0.1 or [::1], or give client_roots, so that clients must show a certificate";
        section.problem_at("address", text.to_owned());
        return None;
    }
    Some(Admin { address, client_roots, revocation })
}

fn read_api(section: &mut Reader<'_>) -> Option<Api> {
    let address = section.optional_socket("address");
    let client_roots = section.certificates("client_roots", false);
    let revocation = read_lists(section);
    let (address, client_roots, revocation) = (address?, client_roots?, revocation?);
    // Whoever decides on agreements is known by a certificate: without roots nobody could show one.
    if address.is_some() && client_roots.is_empty() {
        let text = "is missing; name the CAs (PEM) whose certificates the users of the API show, or remove address";
        section.problem_at("client_roots", text.to_owned());
        return None;
    }
    Some(Api { address, client_roots, revocation })
}

fn read_tokens(section: &mut Reader<'_>) -> Option<Tokens> {
    let issuer = section.optional_text("issuer");
    let metadata = section.files("metadata");
    let certificates = section.certificates("certificates", false);
    let remembered_bytes = section.size("remembered_bytes", 64 << 20, 0..=1 << 30);
    let (issuer, metadata, certificates) = (issuer?, metadata?, certificates?);
    if metadata.is_empty() && certificates.is_empty() {
        let text =
            "is missing, and so are certificates; name the security token service's SAML metadata or its signing certificates";
        section.problem_at("metadata", text.to_owned());
        return None;
    }
    if metadata.is_empty() && issuer.is_none() {
        section.problem_at("issuer", "is missing; certificates alone do not tell the issuer's entity id: add it".to_owned());
        return None;
    }
    Some(Tokens { issuer, metadata, certificates, remembered_bytes: remembered_bytes? })
}

fn read_sts(section: &mut Reader<'_>) -> Option<Sts> {
    let address = section.https("address");
    let roots = section.certificates("roots", true);
    let revocation = read_lists(section);
    let stapling = read_stapling(section);
    let connect_timeout = section.duration("connect_timeout", seconds(3), seconds(1)..=seconds(60));
    let deadline = section.duration("deadline", seconds(10), seconds(1)..=seconds(120));
    Some(Sts {
        address: address?,
        roots: roots?,
        revocation: revocation?,
        stapling: stapling?,
        connect_timeout: connect_timeout?,
        deadline: deadline?,
    })
}

fn read_outbound(section: &mut Reader<'_>) -> Option<ConnectionLimits> {
    let usual = ConnectionLimits::default();
    let idle = section.duration("idle_timeout", usual.idle, seconds(1)..=seconds(3600));
    let lifetime = section.duration("lifetime", usual.lifetime, seconds(1)..=seconds(24 * 3600));
    let ping_interval = section.duration("ping_interval", usual.ping_interval, seconds(1)..=seconds(3600));
    let ping_timeout = section.duration("ping_timeout", usual.ping_timeout, seconds(1)..=seconds(60));
    Some(ConnectionLimits { idle: idle?, lifetime: lifetime?, ping_interval: ping_interval?, ping_timeout: ping_timeout? })
}

fn read_agreements(section: &mut Reader<'_>) -> Option<Agreements> {
    section.known.extend(retired::STORE.iter().map(|retired| retired.key));
    let cache_ttl = section.duration("cache_ttl", seconds(10), seconds(1)..=seconds(600));
    let max_staleness = section.duration("max_staleness", seconds(15 * 60), seconds(1)..=seconds(24 * 3600));
    if let (Some(ttl), Some(staleness)) = (cache_ttl, max_staleness)
        && staleness < ttl
    {
        section.problem_at("max_staleness", "is shorter than cache_ttl; make it at least as long".to_owned());
    }
    Some(Agreements { cache_ttl: cache_ttl?, max_staleness: max_staleness? })
}

fn read_audit(section: &mut Reader<'_>, alone: &mut Option<Option<Archive>>) -> Option<Audit> {
    let directory = section.directory("directory");
    let checkpoint_key = section.file("checkpoint_key");
    let pseudonym_key = section.file("pseudonym_key");
    let auditors = section.file("auditors");
    let segment_bytes = section.number("segment_bytes", 64 << 20, 1 << 20..=1 << 32);
    let checkpoint_interval = section.duration("checkpoint_interval", seconds(10), seconds(1)..=seconds(3600));
    let commit_delay = section.duration("commit_delay", Duration::from_millis(2), seconds(0)..=Duration::from_millis(20));
    let anchor_interval = section.duration("anchor_interval", seconds(600), seconds(1)..=seconds(24 * 3600));
    let retention_days = section.number("retention_days", 0, 0..=36_525);
    let archive = section.optional_section("archive", |section| {
        let at = objects::read_place(section);
        let local_days = section.number("local_days", 0, 0..=36_525);
        Some(Archive { at: at?, local_days: local_days? })
    });
    alone.clone_from(&archive);
    if let (Some(directory), Some(Some(Archive { at: Folder(archive), .. }))) = (&directory, &archive)
        && (archive.starts_with(directory) || directory.starts_with(archive))
    {
        let text = "is the folder of the audit log, or one lies in the other; what takes the one takes both: name another";
        section.problem_at("archive", text.to_owned());
    }
    Some(Audit {
        directory: directory?,
        checkpoint_key: checkpoint_key?,
        pseudonym_key: pseudonym_key?,
        auditors: auditors?,
        segment_bytes: segment_bytes?,
        checkpoint_interval: checkpoint_interval?,
        commit_delay: commit_delay?,
        anchor_interval: anchor_interval?,
        archive: archive?,
        retention_days: retention_days?,
    })
}

fn read_telemetry(section: &mut Reader<'_>) -> Option<crate::telemetry::Settings> {
    let url = section.setting("url", None, |value| {
        objects::https_or_loopback(value).ok_or_else(|| {
            "is not an https address, nor an http one of the loopback; write for instance \"https://collector.example:4318/v1/traces\"".to_owned()
        })
    });
    let roots = section.certificates("roots", false);
    let per_mille = section.number("per_mille", 100, 0..=1000);
    let choices = [("link", Callers::Link), ("ignore", Callers::Ignore)];
    let callers = section.choice("callers", Some(Callers::Link), &choices);
    let peers = section.flag("peers", true);
    let (url, roots) = (url?, roots?);
    if url.scheme_str() == Some("https") && roots.is_empty() {
        section.problem_at("roots", "is missing; name the CAs (PEM) of the collector's TLS server".to_owned());
        return None;
    }
    Some(crate::telemetry::Settings { url, roots, per_mille: per_mille?, callers: callers?, peers: peers? })
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
