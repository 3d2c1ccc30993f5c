//! The person who decides at the command line: known by a certificate, and proven by its key.

use std::path::PathBuf;

use uuid::Uuid;

use crate::decisions::statement::{SignError, Signer};
use crate::signature::credentials::{Credentials, CredentialsError};

/// Who decides.
#[derive(Debug, clap::Args)]
pub(super) struct Person {
    /// The certificate (PEM) of the person who decides, a user of the store (`hjemmel user add`)
    #[arg(long, value_name = "FILE", required_unless_present = "by")]
    certificate: Option<PathBuf>,
    /// Its key (PEM), which signs the decision
    #[arg(long, value_name = "FILE", required_unless_present = "by")]
    key: Option<PathBuf>,
    /// The delegation by which the person decides for a colleague (`hjemmel user delegations`); left out: in their own right
    #[arg(long, value_name = "UUID", conflicts_with = "by")]
    delegation: Option<Uuid>,
    /// Gone: a name proves nobody
    #[arg(long, value_name = "NAME", hide = true)]
    by: Option<String>,
}

/// Why nobody is proven.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum PersonError {
    /// A name in place of a key.
    #[error(
        "--by is gone, as a name proves nobody: sign with --certificate FILE --key FILE, those of a user (`hjemmel user list` shows them, `hjemmel user add` adds one)"
    )]
    ByIsGone,
    #[error("the certificate and key of whoever decides: {0}")]
    Files(#[from] CredentialsError),
    /// What they hold.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Person {
    /// Whoever holds these, where a command has options of its own for them.
    pub(super) fn of(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Self {
        Self { certificate: certificate.clone(), key: key.clone(), delegation: None, by: None }
    }

    /// Reads the key and its certificate.
    pub(super) fn signer(&self) -> Result<Signer, PersonError> {
        match (&self.by, &self.certificate, &self.key) {
            (None, Some(certificate), Some(key)) => {
                let signer = Signer::new(&Credentials::from_pem_files(certificate, key)?)?;
                Ok(signer.by_delegation(self.delegation))
            }
            _ => Err(PersonError::ByIsGone),
        }
    }
}
