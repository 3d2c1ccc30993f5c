//! Files that one system hands to another. This is the core; its doors are SFTP, the API and the command line, and nothing here
//! knows of them.
//!
//! [`home`] is what a door asks of the core, [`name`] what a file may be called there.

pub mod home;
pub mod name;
