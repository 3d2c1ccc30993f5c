//! Everything that keeps a configuration from being served, or will cost its operator a call: looked at before anything is
//! started. `hjemmel check` and `hjemmel serve` both go through here, so that what the one refuses or warns of, the other does.
//!
//! Nothing is written but a file of a moment in the folders that the gateway must be able to write to.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Finished;
use super::domains::domains_of;
use super::files::{Who, can_write_in, can_write_to, others_who_read, reads};
use super::{agreements, routes};
use crate::agreements::Environment;
use crate::audit::{keys, log};
use crate::clock::Clock;
use crate::config::{self, ConnectionLimits, Console, Content, FileRead, Listen, OneTimeLinks, ReplayKept, Tokens};
use crate::console::saml::{LogOn, LogOnError};
use crate::edge::sftp::host_keys;
use crate::edge::tls::{self, Shown};
use crate::node::assemble::{read_signer, read_trust, sts_outbound};
use crate::objects::ContentKeys;
use crate::objects::settings::Place;
use crate::outbound::Outbound;
use crate::persons::PersonKeys;
use crate::revocation::domain::{Domain, Lists, Source};
use crate::revocation::ocsp;
use crate::revocation::verify::Stapling;
use crate::services::Service;
use crate::services::parts::{Beside, Found, peer_outbound};
use crate::signature::key::Certificate;
use crate::store::{At, Schema, schema};
use crate::trust::clients::{ClientCertificate, ClientTrust};
use crate::trust::domains;

/// The environment of demonstrations.
const DEMO: &str = "demo";

type Draft = config::Draft<Service>;

/// What a configuration is examined for.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// To tell somebody who asks. Whether a port is free is tried too.
    Check(Who),
    /// To serve it, or to go on with it: ports are taken then or are ours already.
    Serve,
}

/// Examines `file` and everything that it names.
pub async fn examine(file: &Path, clock: &Clock, purpose: &Purpose) -> Finished {
    let (own_file, own_clock, own_purpose) = (file.to_owned(), clock.clone(), purpose.clone());
    // Files may lie on a disk that hangs: not on a thread that serves calls.
    let draft = tokio::task::spawn_blocking(move || {
        let draft = Draft::open(&own_file, own_clock.now());
        let (who, ports) = match own_purpose {
            Purpose::Check(who) => (who, true),
            Purpose::Serve => (Who::Myself, false),
        };
        Examination { draft: &draft, clock: &own_clock, who: &who }.everything(ports);
        draft
    });
    let draft = draft.await.unwrap_or_else(|error| Draft::failed(file, &error.to_string()));
    // What `serve` would find when it opens the store; it makes the one that is not there.
    let there = |at: &At| !matches!(at, At::Sqlite(file) if !file.exists());
    let store = draft.sections().store.clone().filter(|store| there(&store.at));
    if let Some(store) = store {
        match schema(&store).await {
            // A reload must not wait for the database: what is remembered serves. A start finds it out when it opens the store.
            Err(error) if matches!((purpose, &store.at), (Purpose::Serve, At::Postgres(_))) && error.is_away() => {
                draft.warning("store.url", format!("{error}; until it answers, agreements.max_staleness bounds what is served"));
            }
            Err(error) => draft.problem("store.url", format!("{error}; name the store, or restore it")),
            Ok(Schema { version, latest }) => {
                let holds = vec![Content { kind: "store", subject: format!("schema {version} of {latest}"), ends: None }];
                // An older schema is brought up to date by `serve`, and cannot be read before. A section with a problem is not
                // there to hold a route against.
                let environment = draft.sections().environment.clone().filter(|_| version == latest && draft.is_sound());
                if let Some(environment) = environment {
                    let services = routes::Known::of(&draft.sections().services);
                    match routes::of_store(&store, &environment, &services, clock.now()).await {
                        Ok(warnings) => warnings.into_iter().for_each(|text| draft.warning("store.url", text)),
                        // Calls that need no route are served all the same.
                        Err(error) => draft.warning("store.url", format!("its routes cannot be read: {error}; restore it")),
                    }
                    match agreements::read(&store).await {
                        Ok(stored) => agreements::warnings(&stored, &environment, &draft.sections().services)
                            .into_iter()
                            .for_each(|text| draft.warning("store.url", text)),
                        Err(error) => draft.warning("store.url", format!("its agreements cannot be read: {error}; restore it")),
                    }
                }
                let file = PathBuf::from(store.at.to_string());
                draft.note(FileRead { setting: "store.url".to_owned(), file, holds, secret: false });
            }
        }
    }
    draft.finish()
}

struct Examination<'d> {
    draft: &'d Draft,
    clock: &'d Clock,
    who: &'d Who,
}

impl Examination<'_> {
    fn everything(&self, ports: bool) {
        if ports {
            self.ports();
        }
        self.names();
        self.replay();
        self.listeners();
        self.own_certificates();
        self.trusted();
        self.lists();
        self.peers();
        self.services();
        self.audit();
        self.keys();
        self.sftp();
        self.auditors();
        self.rights();
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reports what went wrong, with a remedy where the error itself has none.
    fn look<T, E: std::fmt::Display>(&self, setting: &str, outcome: Result<T, E>) -> Option<T> {
        let problem = |error: E| {
            let text = error.to_string();
            let text = if text.contains("; ") { text } else { format!("{}; {}", text.trim_end_matches('.'), remedy(setting)) };
            self.draft.problem(setting, text);
        };
        outcome.map_err(problem).ok()
    }

    fn names(&self) {
        let sections = self.draft.sections();
        if let Some(environment) = &sections.environment {
            let known = Environment::try_from(environment.clone());
            self.look("environment", known.map_err(|_| "is no name of an environment; use 1 to 32 of a-z, 0-9 and hyphen"));
        }
    }

    fn replay(&self) {
        let sections = self.draft.sections();
        let shared = sections.store.as_ref().is_some_and(|store| matches!(store.at, At::Postgres(_)));
        if shared && sections.replay_memory == Some(ReplayKept::Node) {
            let text = "is \"node\", and the store is PostgreSQL: where several nodes share it, a message passes once on each of them; \
                        write \"database\", unless this is the only node";
            self.draft.warning("replay_memory", text.to_owned());
        }
    }

    fn listeners(&self) {
        let sections = self.draft.sections();
        let own = sections.listeners();
        for (at, (setting, address)) in own.iter().enumerate() {
            if let Some((other, taken)) = own.iter().take(at).find(|(_, taken)| overlap(*taken, *address)) {
                let text = format!("is {address}, and {other} is {taken}: both cannot have one port; choose another");
                self.draft.problem(setting, text);
            }
        }
        let Some(listen) = &sections.listen else { return };
        self.public_url(listen);
        self.issuing_authorities("listen.client_roots", &listen.client_roots);
        let trust = |roots: &[CertificateDer<'static>], needed| ClientTrust::new(roots, Domain::unasked(), needed);
        let clients = self.look("listen.client_roots", trust(&listen.client_roots, ClientCertificate::Optional));
        let shown = self.look("listen.certificate", Shown::new(&listen.credentials, self.clock));
        if let (Some(clients), Some(shown)) = (clients, &shown) {
            self.look("listen.certificate", tls::Prepared::new(shown.clone(), clients.verifier().clone()));
        }
        if let Some(file) = &listen.ocsp_response {
            match self.look("listen.ocsp_response", ocsp::from_file(file, listen.credentials.chain(), self.now())) {
                Some(None) => {
                    let text = format!("{}: the response has ended and is not stapled; fetch it again", file.display());
                    self.draft.warning("listen.ocsp_response", text);
                }
                Some(Some((_, ends))) => {
                    let content = Content { kind: "OCSP response", subject: String::new(), ends: Some(ends) };
                    self.note("listen.ocsp_response", file, vec![content], false);
                }
                None => {}
            }
        }
        if let Some(credentials) = sections.console.as_ref().and_then(|console| console.credentials.as_ref())
            && let Some(shown) = self.look("console.certificate", Shown::new(credentials, self.clock))
        {
            self.look("console.certificate", tls::Prepared::without_clients(shown));
        }
        if let Some(console) = sections.console.as_ref() {
            self.links(console);
        }
        if let (Some(console), Some(skew), Some(max_age)) =
            (sections.console.as_ref(), sections.clock_skew, sections.timestamp_max_age)
        {
            let [skew, max_age] =
                [skew, max_age].map(|duration| jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::ZERO));
            match LogOn::of(console, skew, max_age, self.clock.now()) {
                Ok(log_on) => {
                    for warning in log_on.iter().flat_map(|log_on| log_on.warnings(self.clock.now())) {
                        self.draft.warning("console.saml", warning);
                    }
                }
                Err(LogOnError { setting, text }) => self.draft.problem(&setting, text),
            }
        }
        let demanding = [
            ("admin.client_roots", sections.admin.as_ref().map(|admin| &admin.client_roots)),
            ("api.client_roots", sections.api.as_ref().map(|api| &api.client_roots)),
        ];
        for (setting, roots) in demanding {
            let Some(roots) = roots.filter(|roots| !roots.is_empty()) else { continue };
            self.issuing_authorities(setting, roots);
            let clients = self.look(setting, trust(roots, ClientCertificate::Required));
            if let (Some(clients), Some(shown)) = (clients, &shown) {
                self.look(setting, tls::Prepared::new(shown.clone(), clients.verifier().clone()));
            }
        }
    }

    /// A link logs on whom an operator names: it is the operators' own, and stands beside no identity provider. A demonstration
    /// shows both.
    fn links(&self, console: &Console) {
        let is_demo = self.draft.sections().environment.as_deref() == Some(DEMO);
        let setting = "console.one_time_links";
        match console.one_time_links {
            _ if is_demo => {}
            OneTimeLinks::Off => {}
            OneTimeLinks::Everybody => {
                let text = format!(
                    "is \"everybody\", which is for a demonstration (environment = \"{DEMO}\"); write \"operators\" or \"off\""
                );
                self.draft.problem(setting, text);
            }
            OneTimeLinks::Operators if console.saml.is_some() => {
                let text = "is \"operators\", and an identity provider logs people on; write \"off\", or leave it out";
                self.draft.problem(setting, text.to_owned());
            }
            OneTimeLinks::Operators => {}
        }
    }

    /// Whether each address can be listened on. One that is taken is taken by the gateway itself, where it runs.
    fn ports(&self) {
        let sections = self.draft.sections();
        let addresses = [
            ("listen.address", sections.listen.as_ref().map(|listen| listen.address)),
            ("admin.address", sections.admin.as_ref().map(|admin| admin.address)),
            ("api.address", sections.api.as_ref().and_then(|api| api.address)),
            ("console.address", sections.console.as_ref().and_then(|console| console.address)),
            ("sftp.address", sections.sftp.as_ref().and_then(|sftp| Some(sftp.as_ref()?.address))),
        ];
        for (setting, address) in addresses.into_iter().filter_map(|(setting, address)| Some((setting, address?))) {
            match std::net::TcpListener::bind(address) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    let text = format!(
                        "{address} is taken: by the gateway, if it runs; if not, `ss -ltnp` tells by whom: free the port"
                    );
                    self.draft.warning(setting, text);
                }
                Err(error) => {
                    let text = format!(
                        "cannot listen on {address}: {error}; name an address of this machine and a port that the service may take"
                    );
                    self.draft.problem(setting, text);
                }
            }
        }
    }

    fn public_url(&self, listen: &Listen) {
        const SETTING: &str = "listen.public_url";
        let host = listen.public_url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let leaf = EndEntityCert::try_from(listen.credentials.leaf());
        if let (Ok(leaf), Ok(name)) = (leaf, ServerName::try_from(host))
            && leaf.verify_is_valid_for_subject_name(&name).is_err()
        {
            let names = names_of(listen.credentials.leaf());
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let text = format!(
                "names {host}, and the server's certificate does not (its names: {names}): callers that come straight to the gateway refuse it; order a certificate with that name, or correct the address"
            );
            self.draft.warning(SETTING, text);
        }
        if let Some(written) = self.draft.written(SETTING)
            && let Some(normal) = normal_form(&written)
        {
            let text = format!("is not in its normal form: callers' programs send it as {normal} (RFC 3986, 6.2); write it so");
            self.draft.warning(SETTING, text);
        }
    }

    /// TLS builds a path from what the client sends and what is configured; many clients send their own certificate alone.
    fn issuing_authorities(&self, setting: &str, roots: &[CertificateDer<'static>]) {
        let is_root = |der: &CertificateDer<'_>| {
            X509Certificate::from_der(der).is_ok_and(|(_, x509)| x509.subject().as_raw() == x509.issuer().as_raw())
        };
        if !roots.is_empty() && roots.iter().all(is_root) {
            let text = "holds roots only, and no CA that issues certificates below them: a client that sends its own certificate \
                        alone (many do) ends in a TLS error; add the issuing CAs' certificates";
            self.draft.warning(setting, text.to_owned());
        }
    }

    fn own_certificates(&self) {
        if let Some(system) = &self.draft.sections().system {
            self.look("system", read_signer(system));
        }
    }

    /// Whether there is an issuer, and a key of each that verifies tokens today.
    fn trusted(&self) {
        let sections = self.draft.sections();
        for (name, peer) in &sections.peers {
            let pinned = peer.signing_certificates.iter().try_for_each(|der| Certificate::from_der(der).map(drop));
            self.look(&format!("peer.{name}.signing_certificates"), pinned);
        }
        let Some(tokens) = &sections.tokens else { return };
        for file in &tokens.metadata {
            let alone = Tokens { metadata: vec![file.clone()], certificates: Vec::new(), issuer: None, remembered_bytes: 0 };
            let read = read_trust(&alone, self.now()).map_err(|error| format!("{}: {error}", file.display()));
            let Some(trust) = self.look("tokens.metadata", read) else { return };
            let holds = trust.issuers().iter().flat_map(|issuer| {
                issuer.certificates().iter().map(|certificate| Content {
                    kind: "signing certificate",
                    subject: issuer.entity_id().to_owned(),
                    ends: Some(certificate.not_after()),
                })
            });
            self.note("tokens.metadata", file, holds.collect(), false);
        }
        let Some(trust) = self.look("tokens", read_trust(tokens, self.now())) else { return };
        for warning in trust.issuers().iter().flat_map(|issuer| issuer.warnings(self.now())) {
            self.draft
                .warning("tokens", format!("{warning}; fetch the metadata again, or ask the issuer for its next certificate"));
        }
        if let Some(issuer) = trust.issuers().iter().find(|issuer| issuer.keys(self.now()).is_empty()) {
            let id = issuer.entity_id();
            self.draft.problem("tokens", format!("{id} has no signing certificate that is valid now; fetch its metadata again"));
        }
    }

    fn lists(&self) {
        if let Some(revocation) = &self.draft.sections().revocation {
            self.look("revocation.roots", domains::fetcher(revocation, &ConnectionLimits::default(), &Arc::default()));
        }
        for settings in domains_of(self.draft.sections()) {
            let setting = &format!("{}.crls", settings.name);
            for source in &settings.sources {
                let Source::File(file) = source else { continue };
                let alone = crate::revocation::domain::DomainSettings { sources: vec![source.clone()], ..settings.clone() };
                let Some(lists) = self.look(setting, Lists::at_hand(alone, None, self.now())) else { continue };
                let list = |(issuer, ends): (&str, Timestamp)| Content {
                    kind: "revocation list",
                    subject: issuer.to_owned(),
                    ends: Some(ends),
                };
                let holds: Vec<_> = lists.held().map(list).collect();
                for (issuer, ends) in lists.held().filter(|(_, ends)| *ends <= self.now()) {
                    let text = format!("{}: the successor of the list of {issuer} was due {ends}; fetch it", file.display());
                    self.draft.warning(setting, text);
                }
                self.note(setting, file, holds, false);
            }
        }
    }

    fn peers(&self) {
        let sections = self.draft.sections();
        let usable = |settings, stapling| Outbound::checked(settings, Domain::unasked(), stapling);
        if let Some(sts) = &sections.sts {
            self.look("sts.roots", usable(sts_outbound(sts), Stapling::Optional));
        }
        if let (Some(campus), Some(system)) = (&sections.shared.campus, &sections.system) {
            self.look("campus.roots", usable(campus.outbound(system), Stapling::Optional));
        }
        for (name, peer) in &sections.peers {
            if let Some(system) = &sections.system {
                self.look(&format!("peer.{name}.roots"), usable(peer_outbound(peer, system), Stapling::Optional));
            }
        }
    }

    fn services(&self) {
        let sections = self.draft.sections();
        let signer = sections.system.as_ref().and_then(|system| read_signer(system).ok());
        let beside = Beside {
            listen: sections.listen.as_ref(),
            request_bytes: sections.limits.as_ref().map(|(limits, _)| limits.request_bytes),
            signer: signer.as_ref(),
            deliveries: sections.deliveries.as_ref().is_none_or(Option::is_some),
            now: self.now(),
        };
        for (name, service) in &sections.services {
            for found in service.examine(name, &beside) {
                match found {
                    Found::Problem(key, text) => {
                        self.look(&format!("service.{name}.{key}"), Err::<(), _>(text));
                    }
                    Found::Warning(key, text) => self.draft.warning(&format!("service.{name}.{key}"), text),
                }
            }
        }
    }

    fn audit(&self) {
        let Some(audit) = &self.draft.sections().audit else { return };
        let key = self.look("audit.checkpoint_key", keys::checkpoint_key(&audit.checkpoint_key));
        if self.look("audit.pseudonym_key", keys::pseudonym_key(&audit.pseudonym_key)).is_some() {
            self.look("audit.auditors", keys::sealer(&audit.pseudonym_key, &audit.auditors));
        }
        self.look("audit.directory", log::look(&audit.directory, key.as_ref()));
        let one = |kind| vec![Content { kind, subject: String::new(), ends: None }];
        self.note("audit.checkpoint_key", &audit.checkpoint_key, one("private key"), true);
        self.note("audit.pseudonym_key", &audit.pseudonym_key, one("secret"), true);
        self.note("audit.auditors", &audit.auditors, one("public key"), false);
    }

    /// Whoever has the auditors' private key opens what the gateway seals: it is not where the gateway could read it.
    fn auditors(&self) {
        for file in self.auditors_private_keys() {
            let text = format!(
                "the auditors' private key lies on this machine ({}): whoever takes the gateway over opens every sealed person; move it to the auditors and remove it here",
                file.display()
            );
            self.draft.problem("audit.auditors", text);
        }
    }

    /// The keys of what is kept: usable, each of one use, and none where what it opens is copied.
    fn keys(&self) {
        let sections = self.draft.sections();
        let mut uses = Vec::new();
        let mut all: Vec<(&str, &Path)> = Vec::new();
        // What is no key is reported as that alone.
        if let Some(audit) = &sections.audit
            && keys::pseudonym_key(&audit.pseudonym_key).is_ok()
        {
            uses.push(("audit.pseudonym_key", "the marks that are made with it", vec![audit.pseudonym_key.as_path()]));
        }
        if let Some(Some(deliveries)) = &sections.deliveries
            && self.look("deliveries.key", ContentKeys::read(&deliveries.key, &deliveries.earlier_keys)).is_some()
        {
            uses.push(("deliveries.key", "the receipts", with_earlier(&deliveries.key, &deliveries.earlier_keys)));
        }
        if let Some(persons) = &sections.shared.persons
            && self.look("persons.key", PersonKeys::read(&persons.key)).is_some()
        {
            uses.push(("persons.key", "the persons", vec![persons.key.as_path()]));
        }
        if let Some(Some(objects)) = &sections.objects
            && self.look("objects.key", ContentKeys::read(&objects.key, &objects.earlier_keys)).is_some()
        {
            uses.push(("objects.key", "the sealed keys of contents", with_earlier(&objects.key, &objects.earlier_keys)));
        }
        for (setting, what, keys) in uses {
            for key in &keys {
                if let Some((other, _)) = all.iter().find(|(_, other)| same_content(key, other)) {
                    let text = format!(
                        "{} is also {other}, and a key that serves two uses cannot be exchanged or given out for one; make another with `{}`",
                        key.display(),
                        if setting.starts_with("audit.") { "hjemmel audit keys DIR" } else { "hjemmel objects key FILE" }
                    );
                    self.draft.problem(setting, text);
                }
                self.apart(setting, key, what);
            }
            all.extend(keys.into_iter().map(|key| (setting, key)));
        }
    }

    /// A key does not lie where what is under it is copied, nor where the audit's log is: whoever is given that to read is not given
    /// what opens anything. `what`: what is under it.
    fn apart(&self, setting: &str, key: &Path, what: &str) {
        let sections = self.draft.sections();
        let Some(folder) = folder_of(key) else { return };
        let store = match sections.store.as_ref().map(|store| &store.at) {
            Some(At::Sqlite(file)) => file.parent().and_then(canonical),
            _ => None,
        };
        let objects = match sections.objects.as_ref().and_then(Option::as_ref).map(|objects| &objects.place) {
            Some(Place::Folder(folder)) => canonical(folder),
            _ => None,
        };
        let log = sections.audit.as_ref().and_then(|audit| canonical(&audit.directory));
        let within = |place: &Option<PathBuf>| place.as_ref().is_some_and(|place| folder.starts_with(place));
        let text = if store.as_ref() == Some(&folder) || within(&objects) {
            format!("lies in the folder of the store, so that whoever copies that has {what} and their key")
        } else if within(&log) {
            "lies in the audit's folder, which is copied to those who verify it".to_owned()
        } else {
            return;
        };
        self.draft.problem(setting, format!("{} {text}; move it to a folder of its own", key.display()));
    }

    /// The SFTP server's host keys, and where its files would lie.
    fn sftp(&self) {
        let sections = self.draft.sections();
        let Some(Some(sftp)) = &sections.sftp else { return };
        if let Some(keys) = self.look("sftp.host_keys", host_keys::read(&sftp.host_keys)) {
            for (waiting, shown) in host_keys::waiting(&keys) {
                let file = |at: usize| sftp.host_keys.get(at).map_or_else(String::new, |file| file.display().to_string());
                let text = format!(
                    "{} is of the same kind as {}, which stands before it and is the one that clients are shown; it waits until it stands first",
                    file(waiting),
                    file(shown)
                );
                self.draft.warning("sftp.host_keys", text);
            }
        }
        for file in &sftp.host_keys {
            self.note("sftp.host_keys", file, vec![Content { kind: "private key", subject: String::new(), ends: None }], true);
        }
        if matches!(sections.objects, Some(None)) {
            let text = "needs [objects], where the contents of files lie; deploy/hjemmel.example.toml shows one";
            self.draft.problem("sftp", text.to_owned());
        }
    }

    /// Files that open sealed persons, beside the configuration, beside any file that it names, and in any folder that the gateway uses.
    fn auditors_private_keys(&self) -> Vec<PathBuf> {
        /// No key is longer. Files of the kernel tell no size, and some of them never end.
        const SIZES: std::ops::RangeInclusive<u64> = 1..=64 * 1024;
        let sections = self.draft.sections();
        let Some(audit) = &sections.audit else { return Vec::new() };
        let store = match sections.store.as_ref().map(|store| &store.at) {
            Some(At::Sqlite(file)) => Some(file.clone()),
            _ => None,
        };
        let objects = sections.objects.as_ref().and_then(Option::as_ref).map(|objects| &objects.place);
        let places = objects.into_iter().chain(audit.archive.as_ref().map(|archive| &archive.at));
        let places = places.filter_map(|place| match place {
            Place::Folder(folder) => Some(folder.clone()),
            Place::S3(_) => None,
        });
        let cache = sections.revocation.as_ref().and_then(|revocation| revocation.keeping.cache.clone());
        let staging = sections.sftp.as_ref().and_then(Option::as_ref).map(|sftp| sftp.staging.clone());
        let named = self.draft.read().into_iter().map(|read| read.file).chain(store);
        let beside = named.map(|file| match file.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        });
        let own = [self.draft.folder().to_owned(), audit.directory.clone()];
        let folders: BTreeSet<PathBuf> = own.into_iter().chain(beside).chain(places).chain(cache).chain(staging).collect();
        let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().filter_map(Result::ok);
        // Not the entry's own metadata: what Kubernetes mounts of a secret is a link.
        let small = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|data| data.is_file() && SIZES.contains(&data.len()));
        let files = entries.map(|entry| entry.path()).filter(small);
        let mut found: Vec<_> = files.filter(|file| keys::auditors(file).is_ok()).collect();
        found.sort();
        found
    }

    /// Who may read what is secret, and whether the service may write where it must.
    fn rights(&self) {
        for FileRead { setting, file, secret, .. } in self.draft.read() {
            if let Err(text) = reads(&file, self.who) {
                self.draft.problem(&setting, text);
            }
            if secret && let Some(text) = others_who_read(&file, self.who) {
                self.draft.warning(&setting, text);
            }
        }
        let sections = self.draft.sections();
        if let Some(audit) = &sections.audit {
            self.look("audit.directory", can_write_in(&audit.directory, self.who));
        }
        if let Some(At::Sqlite(file)) = sections.store.as_ref().map(|store| &store.at) {
            self.look("store.url", can_write_to(file, self.who));
        }
        if let Some(cache) = sections.revocation.as_ref().and_then(|revocation| revocation.keeping.cache.as_ref()) {
            self.look("revocation.cache", can_write_in(cache, self.who));
        }
        if let Some(Some(sftp)) = &sections.sftp {
            self.look("sftp.staging", can_write_in(&sftp.staging, self.who));
        }
    }

    fn note(&self, setting: &str, file: &Path, holds: Vec<Content>, secret: bool) {
        self.draft.note(FileRead { setting: setting.to_owned(), file: file.to_owned(), holds, secret });
    }
}

/// What to do about a setting whose error says only what is wrong.
fn remedy(setting: &str) -> &'static str {
    match setting {
        "listen.certificate" => {
            "use an RSA key of 2048 bits or more, or ECDSA on P-256 or P-384, and the certificate issued for it"
        }
        "listen.ocsp_response" => "fetch the response on this certificate again",
        "system" => "name the certificate and the key that OCES issued together",
        "tokens" | "tokens.metadata" => "fetch the metadata of the token service again, and name it and its issuer",
        "sftp.host_keys" => "make one with `hjemmel sftp host-key new FILE`, and let the service's own user read it",
        "sftp.staging" => "let the service's own user write there",
        "deliveries.key" | "objects.key" | "persons.key" => "name the file that `hjemmel objects key FILE` made",
        "audit.directory" => "run `hjemmel audit verify` on the folder, and let the service's own user write there",
        "audit.checkpoint_key" | "audit.pseudonym_key" | "audit.auditors" => {
            "name the file that `hjemmel audit keys` made, and let the service's own user read it"
        }
        _ => match (setting.split('.').next(), setting.rsplit('.').next()) {
            (Some("service"), Some("entity_id")) => "write it without characters that XML cannot hold",
            (Some("service"), Some("policy")) => "mend the policy, or name the one that is shipped",
            (Some("peer"), Some("signing_certificates")) => "fetch the peer's certificates again",
            _ => "name the certificates of the right CAs",
        },
    }
}

/// Whether one socket would keep the other from its port.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let any = |address: SocketAddr| address.ip().is_unspecified();
    // Linux gives a socket on [::] the port of every IPv4 address too.
    let reaches = |wide: SocketAddr, narrow: SocketAddr| any(wide) && (wide.is_ipv6() || narrow.is_ipv4());
    one.port() != 0 && one.port() == other.port() && (one.ip() == other.ip() || reaches(one, other) || reaches(other, one))
}

fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, x509)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(names)) = x509.subject_alternative_name() else { return Vec::new() };
    let name = |name: &x509_parser::extensions::GeneralName<'_>| match name {
        x509_parser::extensions::GeneralName::DNSName(name) => Some((*name).to_owned()),
        x509_parser::extensions::GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
        x509_parser::extensions::GeneralName::IPAddress(bytes) => {
            <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())
        }
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

/// The address as programs write it that take it apart and put it together again, where that differs.
fn normal_form(written: &str) -> Option<String> {
    let (scheme, rest) = written.split_once("://")?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |place| rest.split_at(place));
    let host = authority.strip_suffix(":443").or(authority.strip_suffix(':')).unwrap_or(authority);
    let normal = format!("{}://{}{path}", scheme.to_lowercase(), host.to_lowercase());
    (normal != written).then_some(normal)
}

fn canonical(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// A key, and those of before.
fn with_earlier<'k>(key: &'k Path, earlier: &'k [PathBuf]) -> Vec<&'k Path> {
    std::iter::once(key).chain(earlier.iter().map(PathBuf::as_path)).collect()
}

/// The folder in which a file lies, links followed.
fn folder_of(file: &Path) -> Option<PathBuf> {
    Some(canonical(file)?.parent()?.to_owned())
}

/// Whether two key files hold the same, under one name or as copies.
fn same_content(one: &Path, other: &Path) -> bool {
    let small = |file: &Path| std::fs::metadata(file).ok().filter(|found| found.is_file() && found.len() <= MOST_OF_A_KEY);
    let read = |file: &Path| small(file).and_then(|_| std::fs::read(file).ok());
    read(one).zip(read(other)).is_some_and(|(one, other)| one.trim_ascii() == other.trim_ascii())
}

/// The largest key file that is compared, in bytes.
const MOST_OF_A_KEY: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_overlap_where_one_takes_the_others_port() {
        let pairs = [
            ("0.0.0.0:443", "127.0.0.1:443", true),
            ("127.0.0.1:443", "0.0.0.0:443", true),
            ("127.0.0.1:443", "127.0.0.1:443", true),
            ("[::]:443", "127.0.0.1:443", true),
            ("[::]:443", "[::1]:443", true),
            ("0.0.0.0:443", "[::1]:443", false),
            ("127.0.0.1:443", "127.0.0.2:443", false),
            ("0.0.0.0:8443", "127.0.0.1:9464", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ];
        for (one, other, expected) in pairs {
            assert_eq!(overlap(one.parse().unwrap(), other.parse().unwrap()), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_normal_form_has_no_capitals_in_the_host_and_no_default_port() {
        let differing = [
            ("https://Gateway.example", "https://gateway.example"),
            ("https://gateway.example:443", "https://gateway.example"),
            ("HTTPS://gateway.example:/Sti", "https://gateway.example/Sti"),
        ];
        for (written, normal) in differing {
            assert_eq!(normal_form(written).as_deref(), Some(normal));
        }
        for normal in
            ["https://gateway.example", "https://gateway.example:8443", "https://gateway.example/Sti", "https://[::1]:8443"]
        {
            assert_eq!(normal_form(normal), None, "{normal}");
        }
    }
}
