//! TLS for callers: 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, the client's certificate optional or demanded.
//!
//! Certificates are exchanged without a restart: [`ServerTls::replace`] puts another configuration in force, which
//! the next connection uses; connections under way keep theirs.

use std::sync::{Arc, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;

use crate::config::WithoutList;
use crate::gateway::clients::{ClientCertificate, ClientTrustError, verifier};
use crate::signature::credentials::Credentials;

/// The application protocols offered, the better first.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are named for what they are
pub enum TlsError {
    #[error(transparent)]
    Clients(#[from] ClientTrustError),
    #[error("the certificate and key cannot be used for TLS: {0}")]
    Credentials(rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// The gateway's side of TLS, replaceable while it serves.
#[derive(Debug)]
pub struct ServerTls(RwLock<Arc<ServerConfig>>);

impl ServerTls {
    /// Sets TLS up.
    pub fn new(prepared: Prepared) -> Self {
        Self(RwLock::new(prepared.0))
    }

    /// Exchanges certificates and roots for every connection from now on.
    pub fn replace(&self, prepared: Prepared) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = prepared.0;
    }

    /// The configuration for the next connection.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// TLS as it may be put in force, known to be in order.
#[derive(Debug)]
pub struct Prepared(Arc<ServerConfig>);

impl Prepared {
    /// The server's own `credentials`, and what judges its clients' certificates.
    ///
    /// # Errors
    /// Credentials that cannot be used.
    pub fn new(credentials: &Credentials, clients: Arc<dyn ClientCertVerifier>) -> Result<Self, TlsError> {
        configure(credentials, clients).map(Self)
    }

    /// The same where clients are judged by their roots alone.
    ///
    /// # Errors
    /// Credentials or roots that cannot be used.
    pub fn with_roots(
        credentials: &Credentials,
        client_roots: &[CertificateDer<'static>],
        client_certificate: ClientCertificate,
    ) -> Result<Self, TlsError> {
        Self::new(credentials, verifier(client_roots, &[], WithoutList::Refuse, client_certificate)?)
    }
}

fn configure(credentials: &Credentials, clients: Arc<dyn ClientCertVerifier>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_client_cert_verifier(clients)
        .with_single_cert(credentials.chain().to_vec(), credentials.key().clone_key())
        .map_err(TlsError::Credentials)?;
    config.alpn_protocols = ALPN.iter().map(|protocol| protocol.to_vec()).collect();
    // A resumed session skips the verification of the client's certificate: one that has expired or whose CA is no longer
    // trusted would live on in its ticket. Clients keep their connections, so full handshakes cost little.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    // Early data can be replayed by anyone who saw it.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// The one cryptographic provider.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
