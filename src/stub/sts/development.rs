//! What the systems of the development PKI are registered for, so that a demonstration needs no register of its own.

use super::{PrivilegeGroup, Registration};
use crate::stub::pki::Role;
use crate::stub::population::{KORSBAEK, MUNICIPALITIES, UDK};

/// The names that the registrations speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The gateway's entity id: what client systems ask tokens for.
    pub service: String,
    /// The privilege in those tokens.
    pub service_role: String,
    /// The index's entity id: what the gateway asks tokens for.
    pub index: String,
    /// The privilege in those tokens.
    pub index_role: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            service: "http://gateway.example/service/ydelse/terminaladgang/6".to_owned(),
            service_role: "http://gateway.example/roles/usersystemrole/terminaladgang/1".to_owned(),
            index: "http://entityid.kombit.dk/service/ydi/ydelseindeks/6".to_owned(),
            index_role: "http://entityid.kombit.dk/roles/usersystemrole/ydelseindeks/1".to_owned(),
        }
    }
}

/// The registrations of the development PKI; `system` gives the SHA-256 of a role's certificate.
///
/// - The client systems of Korsbæk, of UDK and of the second municipality may each act for their own authority towards the
///   gateway, and nowhere else. The intruder is registered for nothing.
/// - The gateway may act towards the index for UDK, in one token whose groups cover every municipality, and for each
///   municipality, in a token whose group covers UDK; and on behalf of its client systems, by their rights.
pub fn registrations(names: &Names, system: impl Fn(Role) -> Option<[u8; 32]>) -> Vec<Registration> {
    let group = |scope: &str, role: &str| PrivilegeGroup {
        scope: scope.to_owned(),
        privileges: vec![role.to_owned()],
        constraints: vec![],
    };
    let clients = [(Role::Korsbaek, KORSBAEK), (Role::Udk, UDK), (Role::OtherMunicipality, "99999981")];
    let mut registrations: Vec<Registration> = clients
        .iter()
        .filter_map(|(role, cvr)| {
            Some(Registration {
                system: system(*role)?,
                services: vec![names.service.clone()],
                authorities: vec![((*cvr).to_owned(), vec![group(cvr, &names.service_role)])],
                on_behalf_of: vec![],
            })
        })
        .collect();
    let municipalities: Vec<&str> = MUNICIPALITIES.iter().map(|(cvr, _)| *cvr).collect();
    let own_and = |own: &str, others: &[&str]| -> (String, Vec<PrivilegeGroup>) {
        let scopes = std::iter::once(&own).chain(others);
        (own.to_owned(), scopes.map(|scope| group(scope, &names.index_role)).collect())
    };
    let mut authorities = vec![own_and(UDK, &municipalities)];
    authorities.extend(municipalities.iter().map(|cvr| own_and(cvr, &[UDK])));
    registrations.extend(system(Role::GatewayClient).map(|gateway| Registration {
        system: gateway,
        services: vec![names.index.clone()],
        authorities,
        on_behalf_of: clients.iter().filter_map(|(role, _)| system(*role)).collect(),
    }));
    registrations
}
