//! The edge: TLS, HTTP, and the limits that hold before anything of a call is understood.
//!
//! [`serve::serve`] accepts connections, takes them through TLS ([`tls`]), and hands each request to the service within
//! the limits of [`http`]. Nothing here knows SOAP.

pub mod admin;
pub mod http;
pub mod linger;
pub mod refused;
pub mod room;
pub mod router;
pub mod serve;
pub mod sftp;
pub mod tls;
