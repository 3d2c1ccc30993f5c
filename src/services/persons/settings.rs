//! What `[service.NAME]` says of a person import.

use uuid::Uuid;

use super::names;
use crate::config::reader::Reader;
use crate::config::{Offer, service};

/// What files of persons are called, where no setting says so.
pub const INF_REF: &str = "PersonImport_1";

/// The section.
#[derive(Debug)]
pub struct Settings {
    /// Where and as what it is offered.
    pub offer: Offer,
    /// The privilege that a token must hold, where one is demanded.
    pub privilege_role: Option<String>,
    /// The InfRef of files of persons.
    pub inf_ref: String,
}

/// The service in the catalogue of services, and in agreements.
pub const UUID: Uuid = Uuid::from_u128(0x6a2f_9d1c_7b40_4e55_9c31_0d5e_8f7a_1b01);

pub(crate) fn read(section: &mut Reader<'_>) -> Option<Settings> {
    let entity_id = section.text("entity_id", None);
    let service_uuid = section.uuid("service_uuid", UUID);
    let path = service::path(section, names::PATH);
    let bindings = service::bindings(section);
    let sender_fault_status = service::sender_fault_status(section);
    let privilege_role = section.optional_text("privilege_role");
    let inf_ref = section.text("inf_ref", Some(INF_REF));
    let terms = service::terms(section);
    Some(Settings {
        offer: Offer {
            entity_id: entity_id?,
            service_uuid: service_uuid?,
            path: path?,
            bindings: bindings?,
            sender_fault_status: sender_fault_status?,
            terms: terms?,
        },
        privilege_role: privilege_role?,
        inf_ref: inf_ref?,
    })
}
