//! TLS for callers: 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, the client's certificate optional or demanded.
//!
//! Certificates are exchanged without a restart: [`ServerTls::replace`] puts another configuration in force, which
//! the next connection uses; connections under way keep theirs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;

use super::refused::Noting;
use crate::clock::Clock;
use crate::revocation::domain::Domain;
use crate::revocation::ocsp::Staple;
use crate::revocation::verify::RootsError;
use crate::signature::credentials::Credentials;
use crate::trust::clients::{ClientCertificate, ClientTrust};

/// The application protocols offered, the better first.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are named for what they are
pub enum TlsError {
    #[error("client certificates: {0}")]
    Clients(#[from] RootsError),
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
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = prepared.0;
    }

    /// The configuration for the next connection.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// TLS as it may be put in force, known to be in order.
#[derive(Debug)]
pub struct Prepared(Arc<ServerConfig>);

/// The server's certificate as clients are shown it: with the OCSP response of today, where there is one.
pub struct Shown {
    alone: Arc<CertifiedKey>,
    stapled: RwLock<Option<(Arc<CertifiedKey>, Timestamp)>>,
    clock: Clock,
}

impl Shown {
    /// The certificate and key, nothing stapled yet.
    ///
    /// # Errors
    /// Credentials that cannot be used.
    pub fn new(credentials: &Credentials, clock: &Clock) -> Result<Arc<Self>, TlsError> {
        let key = CertifiedKey::from_der(credentials.chain().to_vec(), credentials.key().clone_key(), &provider());
        let alone = Arc::new(key.map_err(TlsError::Credentials)?);
        Ok(Arc::new(Self { alone, stapled: RwLock::default(), clock: clock.clone() }))
    }

    /// Staples this response from the next handshake on, or none.
    pub fn staple(&self, staple: Option<Staple>) {
        let stapled = staple.map(|(response, until)| {
            (Arc::new(CertifiedKey { ocsp: Some(response), ..CertifiedKey::clone(&self.alone) }), until)
        });
        *self.stapled.write().unwrap_or_else(PoisonError::into_inner) = stapled;
    }

    /// Until when the response stapled now holds; `None` where none is stapled.
    pub fn stapled_until(&self) -> Option<Timestamp> {
        self.with_staple().map(|(_, until)| until)
    }

    /// A response that has ended while the gateway ran is not shown: a client would refuse the connection for it.
    fn with_staple(&self) -> Option<(Arc<CertifiedKey>, Timestamp)> {
        let stapled = self.stapled.read().unwrap_or_else(PoisonError::into_inner).clone();
        stapled.filter(|(_, until)| self.clock.now() < *until)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.with_staple().map_or_else(|| self.alone.clone(), |(key, _)| key))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl Prepared {
    /// The server's own certificate, and what judges its clients' certificates.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(shown: Arc<Shown>, clients: Arc<dyn ClientCertVerifier>) -> Result<Self, TlsError> {
        configure(shown, clients).map(Self)
    }

    /// The same where clients are asked for no certificate: a browser would ask the person for one.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn without_clients(shown: Arc<Shown>) -> Result<Self, TlsError> {
        Self::new(shown, rustls::server::WebPkiClientVerifier::no_client_auth())
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
        let clients = ClientTrust::new(client_roots, Domain::unasked(), client_certificate)?;
        Self::new(Shown::new(credentials, &Clock::system())?, clients.verifier().clone())
    }
}

fn configure(shown: Arc<Shown>, clients: Arc<dyn ClientCertVerifier>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_client_cert_verifier(Arc::new(Noting(clients)))
        .with_cert_resolver(shown);
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
