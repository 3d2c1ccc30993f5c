//! TLS for callers: 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, the client's certificate optional or demanded.
//!
//! Certificates are exchanged without a restart: [`ServerTls::replace`] makes a new configuration, which the next
//! connection uses; connections under way keep theirs.

use std::sync::{Arc, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;

use crate::signature::credentials::Credentials;

/// The application protocols offered, the better first.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Whether a client must show a certificate in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It may: one that is shown must be in order; a binding that needs one refuses without it.
    Optional,
    /// It must.
    Required,
}

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are named for what they are
pub enum TlsError {
    #[error("a trust root cannot be used: {0}; name the CA's own certificate")]
    Root(String),
    #[error("no trust root for client certificates is given; name the OCES CAs")]
    NoRoots,
    #[error("the certificate and key cannot be used for TLS: {0}")]
    Credentials(rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// The gateway's side of TLS, replaceable while it serves.
#[derive(Debug)]
pub struct ServerTls(RwLock<Arc<ServerConfig>>);

impl ServerTls {
    /// Sets TLS up with the server's own `credentials` and the `client_roots` that client certificates must descend from.
    ///
    /// # Errors
    /// Roots or credentials that cannot be used.
    pub fn new(
        credentials: &Credentials,
        client_roots: &[CertificateDer<'static>],
        client_certificate: ClientCertificate,
    ) -> Result<Self, TlsError> {
        Ok(Self(RwLock::new(configure(credentials, client_roots, client_certificate)?)))
    }

    /// Exchanges certificates and roots for every connection from now on. On error the old ones stay.
    ///
    /// # Errors
    /// As [`ServerTls::new`].
    pub fn replace(
        &self,
        credentials: &Credentials,
        client_roots: &[CertificateDer<'static>],
        client_certificate: ClientCertificate,
    ) -> Result<(), TlsError> {
        let fresh = configure(credentials, client_roots, client_certificate)?;
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The configuration for the next connection.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

fn configure(
    credentials: &Credentials,
    client_roots: &[CertificateDer<'static>],
    client_certificate: ClientCertificate,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let roots = root_store(client_roots)?;
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let verifier = match client_certificate {
        ClientCertificate::Optional => verifier.allow_unauthenticated(),
        ClientCertificate::Required => verifier,
    };
    let verifier = verifier.build().map_err(|error| TlsError::Setup(error.to_string()))?;

    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_client_cert_verifier(verifier)
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

fn root_store(roots: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|error| TlsError::Root(error.to_string()))?;
    }
    Ok(store)
}
