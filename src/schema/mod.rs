//! XML Schema 1.0: what a pass-through service's messages must look like, both ways.
//!
//! 1. [`source`] holds a folder's published documents; nothing outside the folder is ever read.
//! 2. [`compile`] makes a schema of them, or says what of it could not be taken: an import that is missing, a type that
//!    does not resolve, a DTD. A schema is never "valid" because a part of it was not understood.
//!    An untrusted schema is counted first ([`expansion`]): a small schema can become larger than memory.
//! 3. [`pool`] validates the very nodes that the signature covered, on threads that each own a schema.
//!    [`mod@file`] does the same for a document that is larger than memory, piece by piece.
//! 4. [`violation`] says which element breaks which rule and what was expected, in Danish and English, and never a value.
//! 5. [`meaning`] decides whether a later contract lets more pass than an earlier one did.
//!
//! Most messages are plainly valid and are accepted by `accept`, which refuses nothing. For all others the validator is the library `xsd-schema` (docs/decisions/schema.md). Its messages quote values and its names stay in
//! memory for ever, so neither is used: `drive` pushes events and asks for codes, and a pool builds its schema anew
//! when messages have doubled its names.

mod accept;
pub mod compile;
mod drive;
pub mod expansion;
pub mod file;
mod guard;
pub mod inspect;
pub mod meaning;
pub mod model;
pub mod pool;
pub mod source;
pub mod violation;
