//! The XML of Serviceplatformen's SFTP service: [`trigger`] is read, [`written`] is metadata and receipts.

pub mod business;
pub mod trigger;
pub mod written;

/// The namespace of triggers, metadata and receipts. Their children have none.
pub const NAMESPACE: &str = "http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types";
