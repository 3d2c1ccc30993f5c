//! Strict, bounded XML and the SOAP envelope.

pub mod document;
pub mod strict;
