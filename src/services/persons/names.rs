//! The names of the contract.

/// The namespace of request and answer, which files have too.
pub use crate::persons::file::NAMESPACE as NS;

/// The operation.
pub const OPERATION: &str = "ImporterPersoner";
/// The action of a request.
pub const ACTION: &str = "urn:hjemmel:campus:personimport:1:ImporterPersoner";
/// The action of an answer.
pub const RESPONSE_ACTION: &str = "urn:hjemmel:campus:personimport:1:ImporterPersonerResponse";
/// The element of a request.
pub const REQUEST: &str = "ImporterPersonerRequest";
/// The element of an answer.
pub const RESPONSE: &str = "ImporterPersonerResponse";
/// A person, in a request.
pub const PERSON: &str = "Person";
/// The path of the service.
pub const PATH: &str = "/service/Campus/PersonImport/1";
