//! Strict, bounded XML and the SOAP envelope.

pub mod document;
pub mod envelope;
pub mod fault;
pub mod lexical;
pub mod names;
pub mod pieces;
pub mod quote;
pub mod reading;
pub mod scan;
pub mod stream;
pub mod strict;
