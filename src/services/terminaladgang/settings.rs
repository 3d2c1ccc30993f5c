//! What `[service.NAME]` says of TerminalAdgang.

use std::path::PathBuf;

use uuid::Uuid;

use super::names::{SERVICE_PATH, WRAPPER_NS};
use crate::config::reader::{Reader, as_text};
use crate::config::{Offer, Retired, service};
use crate::id::cvr::Cvr;

/// The section of a service of this kind.
#[derive(Debug)]
pub struct Settings {
    /// Where and as what it is offered.
    pub offer: Offer,
    /// The CVR number of Udbetaling Danmark: it alone is authorised by the back agreements.
    pub udk: Cvr,
    /// The namespace of the AuthorityContext binding's wrapper.
    pub wrapper_namespace: String,
    /// The privilege that a token must hold, where one is demanded.
    pub privilege_role: Option<String>,
    /// The policy applied.
    pub policy: PolicyFile,
    /// The benefit index: the name of a peer.
    pub peer: String,
}

/// Which policy is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// The folder of policies.
    pub directory: PathBuf,
    /// The policy's name: its file without `.toml`.
    pub name: String,
}

/// The service in the catalogue of services, and in agreements.
const UUID: Uuid = Uuid::from_u128(0x3053ec89_31fe_4206_878b_bba6783d7a88);

/// When this was the only service, its settings and those of its one peer had no names.
pub const RETIRED: &[Retired] = &[
    moved(None, "udk_cvr", "it in [service.NAME]"),
    moved(Some("service"), "entity_id", "it in [service.NAME]"),
    moved(Some("service"), "service_uuid", "it in [service.NAME]"),
    moved(Some("service"), "path", "it in [service.NAME]"),
    moved(Some("service"), "bindings", "it in [service.NAME]"),
    moved(Some("service"), "wrapper_namespace", "it in [service.NAME]"),
    moved(Some("service"), "privilege_role", "it in [service.NAME]"),
    moved(Some("service"), "sender_fault_status", "it in [service.NAME]"),
    moved(Some("policy"), "", "policies = \"FOLDER\" and policy = \"NAME\" in [service.NAME]"),
    moved(Some("index"), "", "[peer.NAME], and peer = \"NAME\" in [service.NAME]"),
];

const fn moved(section: Option<&'static str>, key: &'static str, now: &'static str) -> Retired {
    Retired { section, key, now }
}

pub(crate) fn read(section: &mut Reader<'_>) -> Option<Settings> {
    let entity_id = section.text("entity_id", None);
    let service_uuid = section.uuid("service_uuid", UUID);
    let path = service::path(section, SERVICE_PATH);
    let bindings = service::bindings(section);
    let sender_fault_status = service::sender_fault_status(section);
    let terms = service::terms(section);
    let udk = section.setting("udk_cvr", None, |value| {
        as_text(value)?.parse::<Cvr>().map_err(|_| "is not a CVR number; write exactly eight digits".to_owned())
    });
    let wrapper_namespace = section.text("wrapper_namespace", Some(WRAPPER_NS));
    let privilege_role = section.optional_text("privilege_role");
    let policy = policy(section);
    let peer = section.text("peer", None);
    Some(Settings {
        offer: Offer {
            entity_id: entity_id?,
            service_uuid: service_uuid?,
            path: path?,
            bindings: bindings?,
            sender_fault_status: sender_fault_status?,
            terms: terms?,
        },
        udk: udk?,
        wrapper_namespace: wrapper_namespace?,
        privilege_role: privilege_role?,
        policy: policy?,
        peer: peer?,
    })
}

fn policy(section: &mut Reader<'_>) -> Option<PolicyFile> {
    let directory = section.directory("policies");
    let name = section.text("policy", Some("terminaladgang-6"));
    let (directory, name) = (directory?, name?);
    let file = directory.join(format!("{name}.toml"));
    if !file.is_file() {
        section.problem_at("policy", format!("names {}, which is not a file; correct policy or policies", file.display()));
        return None;
    }
    Some(PolicyFile { directory, name })
}
