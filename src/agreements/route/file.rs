//! The file by which routes are added: TOML, with `[[route]]` tables. Certificates are named by PEM files, relative to it.

use std::{ops::Range, path::Path};

use rustls_pki_types::CertificateDer;
use toml::de::DeTable;
use uuid::Uuid;

use super::{Address, EntityId, Period, Pinned, ProviderSecurity, Roots, Route};
use crate::{
    agreements::{
        fields::{self, Fields, Problem, Reader},
        model::{Environment, ModelError},
        security::Security,
    },
    id::cvr::Cvr,
    signature::credentials::certificates_from_pem_file,
};

/// The keys of a route.
const KEYS: [&str; 13] = [
    "id",
    "service",
    "environment",
    "sender",
    "receiver",
    "valid_from",
    "valid_to",
    "system",
    "address",
    "entity_id",
    "security",
    "roots",
    "signing_certificates",
];

/// Reads a file's text; `folder` is the file's.
///
/// # Errors
/// Every problem found, in the file's order.
pub fn parse(text: &str, folder: &Path) -> Result<Vec<Route>, Vec<Problem>> {
    fields::read(text, |reader, document| {
        let mut routes = Vec::new();
        reader.tables(document, &["route"], |reader, _, at, table| routes.extend(route(reader, at, table, folder)));
        reader.twice(document, "route", routes.iter().map(|route: &Route| route.id.to_string()));
        routes
    })
}

/// An authority, or every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party(pub Option<Cvr>);

impl std::str::FromStr for Party {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        match text {
            Self::EVERY => Ok(Self(None)),
            text => {
                text.parse().map(|cvr| Self(Some(cvr))).map_err(|_| ModelError("write a CVR number of eight digits, or every"))
            }
        }
    }
}

impl Party {
    /// How every authority is written: it must be said, for a key that was forgotten would open the route to all.
    pub const EVERY: &str = "every";
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(cvr) => cvr.fmt(f),
            None => f.write_str(Self::EVERY),
        }
    }
}

fn route(reader: &mut Reader<'_>, at: Range<usize>, table: &DeTable<'_>, folder: &Path) -> Option<Route> {
    let mut fields = Fields::new(reader, at.clone(), table, &KEYS);
    let party = "the authority's CVR number, eight digits, in quotes, or \"every\"";
    let id = fields.parsed::<Uuid>("id", "a UUID");
    let service = fields.parsed::<Uuid>("service", "the service's UUID");
    let environment = fields.parsed::<Environment>("environment", "a name such as prod or exttest");
    let sender = fields.parsed::<Party>("sender", party);
    let receiver = fields.parsed::<Party>("receiver", party);
    let from = fields.day("valid_from");
    let to = if fields.has("valid_to") { fields.day("valid_to").map(Some) } else { Some(None) };
    let system = fields.parsed::<Uuid>("system", "the UUID of the system that receives");
    let address =
        fields.parsed::<Address>("address", "an https address without user, query or fragment: https://host.example/path");
    let entity_id = fields.parsed::<EntityId>("entity_id", "the URI by which tokens name the system");
    let known = [Security::Token, Security::AuthorityContext].map(|security| (security.name(), security));
    let security = fields.one_of("security", &known);
    let roots = certificates(&mut fields, "roots", folder);
    let signers = certificates(&mut fields, "signing_certificates", folder);
    let roots = roots.and_then(|roots| sound(reader, &at, "roots: ", Roots::new(roots)));
    let security = match (security?, signers?) {
        (Security::Token, signers) => sound(reader, &at, "signing_certificates: ", Pinned::new(signers))
            .map(|signing_certificates| ProviderSecurity::Token { signing_certificates }),
        (Security::AuthorityContext, signers) if signers.is_empty() => Some(ProviderSecurity::AuthorityContext),
        (Security::AuthorityContext, _) => {
            reader.problem(at.clone(), "signing_certificates are for security = \"token\" alone; remove them");
            None
        }
    };
    let period = sound(reader, &at, "", Period::new(from?, to?));
    Some(Route {
        id: id?,
        service: service?,
        environment: environment?,
        sender: sender?.0,
        receiver: receiver?.0,
        period: period?,
        system: system?,
        address: address?,
        entity_id: entity_id?,
        security: security?,
        roots: roots?,
    })
}

/// The certificates in PEM files, which may be left out here.
fn certificates(fields: &mut Fields<'_, '_, '_>, key: &str, folder: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let read = |name: &str| certificates_from_pem_file(&folder.join(name)).map_err(|error| format!("cannot be used: {error}"));
    Some(fields.each(key, read)?.concat())
}

fn sound<T, E: std::fmt::Display>(reader: &mut Reader<'_>, at: &Range<usize>, key: &str, read: Result<T, E>) -> Option<T> {
    read.map_err(|error| reader.problem(at.clone(), format!("{key}{error}"))).ok()
}
