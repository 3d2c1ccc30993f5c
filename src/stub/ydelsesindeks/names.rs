//! The index's wire names: namespaces, roles, actions.

/// `urn:oio:sts:ydelse:ydelseindeks:6`
pub const YI: &str = "urn:oio:sts:ydelse:ydelseindeks:6";
/// `urn:oio:sts:ydelse:bevillingindeks:6`
pub const BI: &str = "urn:oio:sts:ydelse:bevillingindeks:6";
/// `urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6`
pub const OEI: &str = "urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6";
/// `urn:oio:sts:generelledefinitioner:6`
pub const GD: &str = "urn:oio:sts:generelledefinitioner:6";
/// `urn:oio:sts:generelleoperationer:6`
pub const GO: &str = "urn:oio:sts:generelleoperationer:6";
/// `urn:oio:sagdok:3.0.0`
pub const SD: &str = "urn:oio:sagdok:3.0.0";
/// The header both ways.
pub const REQUEST_HEADER: &str = "http://kombit.dk/xml/schemas/RequestHeader/1/";

/// How a person is named.
pub const CPR_URN: &str = "urn:oio:cpr-nr:";
/// The role of a grantee (*Bevillingsmodtager*).
pub const GRANTEE: &str = "3102fa7e-f56e-4510-b0d4-1650c590dc3b";
/// The role of a grant's owner.
pub const GRANT_OWNER: &str = "abdf4d3e-f113-4282-b13e-6cd32a82621c";
/// The role of an effectuation's owner (*Ejer*).
pub const EFFECTUATION_OWNER: &str = "a91824c4-da1d-47f9-bce2-5d6597879415";
/// The role of a payee (*Effektueringsmodtager*).
pub const PAYEE: &str = "68d4b903-acae-4f2f-aafc-45bd999ed81f";

/// The action of a search.
pub const SEARCH: &str = "http://kombit.dk/sts/ydelseindeks/fremsoeg";
/// The action of its answer: the WSDL names none, so it follows from port type and operation (WS-Addressing Metadata § 4.4.4).
pub const SEARCH_ANSWER: &str = "http://stoettesystemerne.dk/ydelsesindeks/YdelseIndeksPortType/fremsoegResponse";
