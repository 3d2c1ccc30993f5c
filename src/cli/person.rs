//! The person who decides at the command line: known by a certificate, and proven by its key.

use crate::decisions::statement::SignError;
use crate::signature::credentials::CredentialsError;

/// Why nobody is proven.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// The files.
    #[error("the certificate and key of whoever decides: {0}")]
    Files(#[from] CredentialsError),
    /// What they hold.
    #[error(transparent)]
    Sign(#[from] SignError),
}
