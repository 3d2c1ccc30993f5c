//! Whom a notice goes to: by role, and by whom the role is for.

use uuid::Uuid;

use super::address::Told;
use crate::id::cvr::Cvr;
use crate::users::rights::Role;

/// Who is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Who signs for the authority, for this service.
    Signatories(Cvr, Uuid),
    /// Who owns the authority's systems, is responsible for them or signs.
    Owners(Cvr, Uuid),
    /// Who asked for it: the company's administrators, or where no company did the very user, with whom they stood for.
    Requester(Option<Cvr>, [Option<Uuid>; 2]),
    /// Who answers for what a company or an authority decides: its administrators, owners, signatories and auditors.
    Accountable(Option<Cvr>),
    /// Who looks after the systems of a company or an authority.
    Holders(Option<Cvr>),
    /// Who has this role for a company or an authority, for this service.
    Doers(Cvr, Uuid, Role),
    /// Who runs the gateway.
    Operators,
    /// This user.
    User(Uuid),
}

impl Audience {
    /// Whether this user is among them.
    pub(super) fn has(&self, told: &Told) -> bool {
        let acts = |party: Cvr, service: Uuid, roles: &[Role]| {
            told.party == Some(party)
                && (told.services.is_empty() || told.services.contains(&service))
                && told.roles.iter().any(|role| roles.contains(role))
        };
        match self {
            Self::Signatories(authority, service) => acts(*authority, *service, &[Role::Signatory]),
            Self::Owners(authority, service) => {
                acts(*authority, *service, &[Role::SystemOwner, Role::SystemResponsible, Role::Signatory])
            }
            Self::Requester(party, users) => {
                let administers = told.roles.contains(&Role::SupplierAdministrator);
                users.contains(&Some(told.user)) || (party.is_some() && told.party == *party && administers)
            }
            Self::Accountable(party) => {
                const ARE: [Role; 4] = [Role::SupplierAdministrator, Role::SystemOwner, Role::Signatory, Role::Auditor];
                party.is_some() && told.party == *party && told.roles.iter().any(|role| ARE.contains(role))
            }
            Self::Holders(party) => {
                const HOLD: [Role; 4] = [
                    Role::SupplierAdministrator,
                    Role::SystemResponsible,
                    Role::SystemAdministrator,
                    Role::InfrastructureResponsible,
                ];
                party.is_some() && told.party == *party && told.roles.iter().any(|role| HOLD.contains(role))
            }
            Self::Doers(party, service, role) => acts(*party, *service, &[*role]),
            Self::Operators => told.roles.contains(&Role::Operator),
            Self::User(user) => told.user == *user,
        }
    }
}
