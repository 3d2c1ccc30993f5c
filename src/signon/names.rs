//! Names that SAML 2.0, XML Encryption and the Danish profiles have given.

/// SAML 2.0 protocol messages.
pub const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// XML Encryption.
pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
/// XML Encryption 1.1.
pub const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
/// The binding by which requests and log-out travel.
pub const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
/// The binding by which responses come.
pub const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
/// The confirmation of a browser's user.
pub const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// What the beginning of each status is.
pub const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";
/// A name that is an entity id.
pub const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
/// A name that is the same each time, and for this receiver only.
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// A name that is another each time.
pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// NSIS level of assurance: an attribute, and with the level behind it an AuthnContext (OIOSAML 3).
pub const LOA: &str = "https://data.gov.dk/concept/core/nsis/loa";
/// The level of assurance of OIOSAML 2.
pub const ASSURANCE_LEVEL: &str = "dk:gov:saml:attribute:AssuranceLevel";
/// The authority's CVR number, in OIOSAML 2 and 3.
pub const CVR: [&str; 2] = ["dk:gov:saml:attribute:CvrNumberIdentifier", "https://data.gov.dk/model/core/eid/professional/cvr"];
/// The basic privilege profile's list, in OIOSAML 2 and 3.
pub const PRIVILEGES: [&str; 2] =
    ["dk:gov:saml:attribute:Privileges_intermediate", "https://data.gov.dk/model/core/eid/privilegesIntermediate"];
/// What a person is called: OIOSAML 3, and the `cn` of OIOSAML 2 and of most providers.
pub const FULL_NAME: [&str; 2] = ["https://data.gov.dk/model/core/eid/fullName", "urn:oid:2.5.4.3"];

/// The greatest that a SAML message may be, in bytes, and a few times what real ones are.
pub const LONGEST: usize = 128 * 1024;
