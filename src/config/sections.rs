//! The sections of the configuration file, their settings, defaults and ranges.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::reader::Reader;
use super::{
    Admin, Agreements, Audit, Binding, Config, ConnectionLimits, Credentials, DomainLists, EdgeLimits, Index, Keeping, Listen,
    LogFormat, MessageLimits, Policy, Revocation, Service, Signers, Stapling, Sts, Tokens, WithoutList, limits,
};

/// The sections, each as far as it could be read: `None` where a problem with it has been reported.
#[derive(Debug, Default)]
#[allow(missing_docs)] // each is explained in `Config`
pub struct Sections {
    pub environment: Option<String>,
    pub udk_cvr: Option<String>,
    pub clock_skew: Option<Duration>,
    pub timestamp_max_age: Option<Duration>,
    pub replay_capacity: Option<usize>,
    pub log_format: Option<LogFormat>,
    pub listen: Option<Listen>,
    pub admin: Option<Admin>,
    pub system: Option<Credentials>,
    pub service: Option<Service>,
    pub tokens: Option<Tokens>,
    pub signers: Option<Signers>,
    pub revocation: Option<Revocation>,
    pub sts: Option<Sts>,
    pub index: Option<Index>,
    pub outbound: Option<ConnectionLimits>,
    pub agreements: Option<Agreements>,
    pub policy: Option<Policy>,
    pub audit: Option<Audit>,
    pub limits: Option<(EdgeLimits, MessageLimits)>,
}

impl Sections {
    pub(super) fn whole(self) -> Option<Config> {
        let (limits, messages) = self.limits?;
        Some(Config {
            environment: self.environment?,
            udk_cvr: self.udk_cvr?,
            clock_skew: self.clock_skew?,
            timestamp_max_age: self.timestamp_max_age?,
            replay_capacity: self.replay_capacity?,
            log_format: self.log_format?,
            listen: self.listen?,
            admin: self.admin?,
            system: self.system?,
            service: self.service?,
            tokens: self.tokens?,
            signers: self.signers?,
            revocation: self.revocation?,
            sts: self.sts?,
            index: self.index?,
            outbound: self.outbound?,
            agreements: self.agreements?,
            policy: self.policy?,
            audit: self.audit?,
            limits,
            messages,
        })
    }
}

/// Every setting is asked for before the first `?`, so that each is checked whatever the others are.
pub(super) fn read(root: &mut Reader<'_>) -> Sections {
    Sections {
        environment: root.environment("environment"),
        udk_cvr: root.cvr("udk_cvr"),
        clock_skew: root.duration("clock_skew", seconds(60), seconds(0)..=seconds(300)),
        timestamp_max_age: root.duration("timestamp_max_age", seconds(300), seconds(30)..=seconds(3600)),
        replay_capacity: root.size("replay_capacity", 1_000_000, 1_000..=100_000_000),
        log_format: root.choice("log_format", LogFormat::Json, &[("json", LogFormat::Json), ("text", LogFormat::Text)]),
        listen: root.section("listen", read_listen),
        admin: root.section("admin", read_admin),
        system: root.section("system", Reader::credentials),
        service: root.section("service", read_service),
        tokens: root.section("tokens", read_tokens),
        signers: root.section("signers", read_signers),
        revocation: root.section("revocation", read_revocation),
        sts: root.section("sts", read_sts),
        index: root.section("index", read_index),
        outbound: root.section("outbound", read_outbound),
        agreements: root.section("agreements", read_agreements),
        policy: root.section("policy", read_policy),
        audit: root.section("audit", read_audit),
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

fn read_lists(section: &mut Reader<'_>) -> Option<DomainLists> {
    let crls = section.sources("crls");
    let choices = [("refuse", WithoutList::Refuse), ("accept", WithoutList::Accept)];
    let crl_missing = section.choice("crl_missing", WithoutList::Refuse, &choices);
    Some(DomainLists { crls: crls?, crl_missing: crl_missing? })
}

fn read_stapling(section: &mut Reader<'_>) -> Option<Stapling> {
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

fn read_service(section: &mut Reader<'_>) -> Option<Service> {
    let default_uuid = Uuid::from_u128(0x3053ec89_31fe_4206_878b_bba6783d7a88);
    let entity_id = section.text("entity_id", None);
    let service_uuid = section.uuid("service_uuid", default_uuid);
    let path = section.text("path", Some("/service/Ydelse/TerminalAdgang/6"));
    if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        section.problem_at("path", "is not a path; begin it with /".to_owned());
    }
    let known = [("token", Binding::Token), ("authority-context", Binding::AuthorityContext)];
    let bindings = section.choices("bindings", &[Binding::Token], &known);
    let wrapper_namespace =
        section.text("wrapper_namespace", Some("http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/"));
    let privilege_role = section.optional_text("privilege_role");
    let sender_fault_status = section.setting("sender_fault_status", Some(500), |value| match value.as_integer() {
        Some(number) if number.radix() == 10 && number.as_str() == "500" => Ok(500),
        Some(number) if number.radix() == 10 && number.as_str() == "400" => Ok(400),
        _ => Err("is not one of the two statuses; use 500 or 400".to_owned()),
    });
    Some(Service {
        entity_id: entity_id?,
        service_uuid: service_uuid?,
        path: path?,
        bindings: bindings?,
        wrapper_namespace: wrapper_namespace?,
        privilege_role: privilege_role?,
        sender_fault_status: sender_fault_status?,
    })
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

fn read_index(section: &mut Reader<'_>) -> Option<Index> {
    let address = section.https("address");
    let entity_id = section.text("entity_id", Some("http://entityid.kombit.dk/service/ydi/ydelseindeks/6"));
    let roots = section.certificates("roots", true);
    let revocation = read_lists(section);
    let stapling = read_stapling(section);
    let signing_certificates = section.certificates("signing_certificates", true);
    let connect_timeout = section.duration("connect_timeout", seconds(3), seconds(1)..=seconds(60));
    let deadline = section.duration("deadline", seconds(30), seconds(1)..=seconds(300));
    let retry = section.flag("retry", true);
    let breaker_failures = section.number("breaker_failures", 5, 1..=1000);
    let breaker_rest = section.duration("breaker_rest", seconds(10), seconds(1)..=seconds(600));
    Some(Index {
        address: address?,
        entity_id: entity_id?,
        roots: roots?,
        revocation: revocation?,
        stapling: stapling?,
        signing_certificates: signing_certificates?,
        connect_timeout: connect_timeout?,
        deadline: deadline?,
        retry: retry?,
        breaker_failures: u32::try_from(breaker_failures?).ok()?,
        breaker_rest: breaker_rest?,
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
    let store = section.new_file("store");
    let cache_ttl = section.duration("cache_ttl", seconds(10), seconds(1)..=seconds(600));
    let max_staleness = section.duration("max_staleness", seconds(15 * 60), seconds(1)..=seconds(24 * 3600));
    if let (Some(ttl), Some(staleness)) = (cache_ttl, max_staleness)
        && staleness < ttl
    {
        section.problem_at("max_staleness", "is shorter than cache_ttl; make it at least as long".to_owned());
    }
    Some(Agreements { store: store?, cache_ttl: cache_ttl?, max_staleness: max_staleness? })
}

fn read_policy(section: &mut Reader<'_>) -> Option<Policy> {
    let directory = section.directory("directory");
    let name = section.text("name", Some("terminaladgang-6"));
    let (directory, name) = (directory?, name?);
    let file = directory.join(format!("{name}.toml"));
    if !file.is_file() {
        section.problem_at("name", format!("names {}, which is not a file; correct name or directory", file.display()));
        return None;
    }
    Some(Policy { directory, name })
}

fn read_audit(section: &mut Reader<'_>) -> Option<Audit> {
    let directory = section.directory("directory");
    let checkpoint_key = section.file("checkpoint_key");
    let pseudonym_key = section.file("pseudonym_key");
    let auditors = section.file("auditors");
    let segment_bytes = section.number("segment_bytes", 64 << 20, 1 << 20..=1 << 32);
    let checkpoint_interval = section.duration("checkpoint_interval", seconds(10), seconds(1)..=seconds(3600));
    let commit_delay = section.duration("commit_delay", Duration::from_millis(2), seconds(0)..=Duration::from_millis(20));
    let retention_days = section.number("retention_days", 0, 0..=36_525);
    Some(Audit {
        directory: directory?,
        checkpoint_key: checkpoint_key?,
        pseudonym_key: pseudonym_key?,
        auditors: auditors?,
        segment_bytes: segment_bytes?,
        checkpoint_interval: checkpoint_interval?,
        commit_delay: commit_delay?,
        retention_days: retention_days?,
    })
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
