//! What `[service.NAME]` says of a pass-through service: its folder, and what depends on the installation.

use super::folder::{self, Folder};
use super::wsdl::Security;
use crate::config::reader::Reader;
use crate::config::{Binding, Offer, Reach, service};

/// The section of a pass-through service, and its folder.
#[derive(Debug)]
pub struct Offered {
    /// The folder, loaded whole.
    pub folder: Folder,
    /// Where and as what it is offered: what `service.toml` says.
    pub offer: Offer,
    /// How each provider is reached, whose address and certificates the routes give.
    pub reach: Reach,
}

/// Reads the section and the folder that it names.
pub(crate) fn read(section: &mut Reader<'_>) -> Option<Offered> {
    let sender_fault_status = service::sender_fault_status(section);
    let reach = Reach::read(section);
    let path = section.directory("folder")?;
    let folder = match folder::load(&path) {
        Ok(folder) => folder,
        Err(problems) => {
            // Each names its own file; the line is that of the folder.
            for problem in problems {
                section.problem_at("folder", format!("{}: {problem}", path.display()));
            }
            return None;
        }
    };
    for warning in &folder.warnings {
        section.warning_at("folder", format!("{}: {warning}", path.display()));
    }
    let binding = |security: Security| match security {
        Security::Token => Binding::Token,
        Security::AuthorityContext => Binding::AuthorityContext,
    };
    let offer = Offer {
        entity_id: folder.settings.entity_id.clone(),
        service_uuid: folder.settings.uuid,
        path: folder.settings.path.clone(),
        bindings: folder.contracts.iter().map(|contract| binding(contract.security)).collect(),
        sender_fault_status: sender_fault_status?,
    };
    Some(Offered { folder, offer, reach: reach? })
}
