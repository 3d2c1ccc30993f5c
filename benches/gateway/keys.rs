//! Certificates and keys of a throw-away PKI, read from the folder that a demo wrote: this build's, or another's.

use std::path::{Path, PathBuf};

use hjemmel::signature::credentials::{Credentials, certificates_from_pem_file};
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::stub::pki::Role;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

/// The folder `pki` of a demo.
pub struct Keys(PathBuf);

impl Keys {
    /// Those in the folder of a demo.
    pub fn of(demo: &Path) -> Self {
        Self(demo.join("pki"))
    }

    /// A file of that role.
    pub fn file(&self, role: Role, ending: &str) -> PathBuf {
        self.0.join(format!("{}{ending}", role.file_name()))
    }

    pub fn credentials(&self, role: Role) -> Credentials {
        Credentials::from_pem_files(&self.file(role, ".pem"), &self.file(role, ".key.pem")).unwrap()
    }

    pub fn certificate(&self, role: Role) -> Certificate {
        Certificate::from_der(self.credentials(role).leaf()).unwrap()
    }

    pub fn signing_key(&self, role: Role) -> SigningKey {
        SigningKey::from_der(self.credentials(role).key()).unwrap()
    }

    pub fn root(&self) -> Vec<CertificateDer<'static>> {
        certificates_from_pem_file(&self.0.join("root.pem")).unwrap()
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        self.root().into_iter().for_each(|root| roots.add(root).unwrap());
        roots
    }
}
