//! Pass-through services: a folder with published WSDL and XSD files and `service.toml`, and no code.
//!
//! 1. [`folder`] loads one, all problems at once: [`settings`] reads `service.toml`, [`documents`] finds what a WSDL imports, [`wsdl`] its
//!    operations, [`crate::schema`] compiles what a message must look like.
//! 2. [`path`] names places in a message's body.

pub mod documents;
pub mod folder;
pub mod offered;
pub mod path;
mod security;
pub mod settings;
pub mod wsdl;
