//! Certificates in TLS handshakes: webpki's path building, with the lists of the trust domain as they are at that moment.
//!
//! rustls' own verifiers hold their lists for good, know no grace, and pass a stapled OCSP response by unread.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, RevocationOptionsBuilder, UnknownStatusPolicy};

use super::domain::{Domain, WithoutList};
use super::ocsp::{self, Status};
use super::timestamp;

/// Roots that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// One is not a CA's certificate.
    #[error("a trust root cannot be used: {0}; name the CA's own certificate")]
    Unusable(String),
    /// There is none.
    #[error("no trust root is given")]
    None,
}

/// What paths are built to, and the lists asked about every certificate on them.
struct Paths {
    anchors: Vec<TrustAnchor<'static>>,
    domain: Arc<Domain>,
    provider: Arc<CryptoProvider>,
}

impl Paths {
    fn new(roots: &[CertificateDer<'static>], domain: Arc<Domain>) -> Result<Self, RootsError> {
        let store = store(roots)?;
        Ok(Self { anchors: store.roots, domain, provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()) })
    }

    /// Verifies `certificate` and gives the key of its issuer: that of the path that was found, not of whoever claims the
    /// issuer's name.
    fn verify<'p>(
        &'p self,
        certificate: &'p EndEntityCert<'p>,
        intermediates: &'p [CertificateDer<'p>],
        usage: KeyUsage,
        now: UnixTime,
    ) -> Result<SubjectPublicKeyInfoDer<'p>, Error> {
        let lists = self.domain.current();
        let in_force = lists.in_force(timestamp(now));
        let policy = match lists.settings().without_list {
            WithoutList::Refuse => UnknownStatusPolicy::Deny,
            WithoutList::Accept => UnknownStatusPolicy::Allow,
        };
        // Fails for want of a list alone.
        let revocation = RevocationOptionsBuilder::new(&in_force).ok().map(|options| options.with_status_policy(policy).build());
        if revocation.is_none() && lists.asked() && lists.settings().without_list == WithoutList::Refuse {
            return Err(CertificateError::UnknownRevocationStatus.into());
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        let path = certificate.verify_for_usage(algorithms, &self.anchors, intermediates, now, usage, revocation, None);
        path.map(|path| path.issuer_spki()).map_err(refused)
    }
}

impl fmt::Debug for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paths").field("anchors", &self.anchors.len()).field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// Whether paths can be built to these.
///
/// # Errors
/// [`RootsError`].
pub fn usable_roots(roots: &[CertificateDer<'static>]) -> Result<(), RootsError> {
    store(roots).map(drop)
}

fn store(roots: &[CertificateDer<'static>]) -> Result<RootCertStore, RootsError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|error| RootsError::Unusable(error.to_string()))?;
    }
    if store.is_empty() { Err(RootsError::None) } else { Ok(store) }
}

/// What TLS reports of a path that is none; the other side learns no more than the alert that follows from it.
fn refused(error: webpki::Error) -> Error {
    use webpki::Error::{
        CertExpired, CertNotValidForName, CertNotValidYet, CertRevoked, RequiredEkuNotFoundContext, UnknownIssuer,
        UnknownRevocationStatus,
    };
    match error {
        CertExpired { .. } => CertificateError::Expired,
        CertNotValidYet { .. } => CertificateError::NotValidYet,
        CertRevoked => CertificateError::Revoked,
        UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        UnknownIssuer => CertificateError::UnknownIssuer,
        CertNotValidForName(_) => CertificateError::NotValidForName,
        RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    }
    .into()
}

/// Judges clients.
#[derive(Debug)]
pub struct ClientVerifier {
    paths: Paths,
    /// rustls' own, for all that is not the path.
    base: Arc<dyn ClientCertVerifier>,
}

impl ClientVerifier {
    /// Clients below `roots`, by the lists of `domain`. `mandatory`: without a certificate there is no connection.
    ///
    /// # Errors
    /// Roots that cannot be used.
    pub fn new(roots: &[CertificateDer<'static>], domain: Arc<Domain>, mandatory: bool) -> Result<Self, RootsError> {
        let paths = Paths::new(roots, domain)?;
        let builder = WebPkiClientVerifier::builder_with_provider(store(roots)?.into(), paths.provider.clone());
        let builder = if mandatory { builder } else { builder.allow_unauthenticated() };
        let base = builder.build().map_err(|error| RootsError::Unusable(error.to_string()))?;
        Ok(Self { paths, base })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        self.base.offer_client_auth()
    }
    fn client_auth_mandatory(&self) -> bool {
        self.base.client_auth_mandatory()
    }
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.base.root_hint_subjects()
    }
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(refused)?;
        self.paths.verify(&certificate, intermediates, KeyUsage::client_auth(), now)?;
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.base.verify_tls12_signature(message, cert, dss)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.base.verify_tls13_signature(message, cert, dss)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.base.supported_verify_schemes()
    }
}

/// Whether a server must staple an OCSP response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stapling {
    /// It may; one that is there must hold.
    Optional,
    /// It must: without one in time, there is no connection.
    Required,
}

/// Judges servers.
#[derive(Debug)]
pub struct ServerVerifier {
    paths: Paths,
    stapling: Stapling,
}

impl ServerVerifier {
    /// Servers below `roots`, by the lists of `domain`, and by what they staple.
    ///
    /// # Errors
    /// Roots that cannot be used.
    pub fn new(roots: &[CertificateDer<'static>], domain: Arc<Domain>, stapling: Stapling) -> Result<Self, RootsError> {
        Ok(Self { paths: Paths::new(roots, domain)?, stapling })
    }

    fn stapled(&self, response: &[u8], certificate: &[u8], issuer: &[u8], now: UnixTime) -> Result<(), CertificateError> {
        let absent = match self.stapling {
            Stapling::Optional => Ok(()),
            Stapling::Required => Err(CertificateError::InvalidOcspResponse),
        };
        if response.is_empty() {
            return absent;
        }
        let now = timestamp(now);
        let verdict = ocsp::judge(response, certificate, issuer, now).map_err(|_| CertificateError::InvalidOcspResponse)?;
        match verdict.status {
            // A revocation is for good, however old the response is.
            Status::Revoked => Err(CertificateError::Revoked),
            Status::Unknown => Err(CertificateError::UnknownRevocationStatus),
            Status::Good if now < verdict.until => Ok(()),
            Status::Good => absent,
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(refused)?;
        let issuer = self.paths.verify(&certificate, intermediates, KeyUsage::server_auth(), now)?;
        certificate.verify_is_valid_for_subject_name(server_name).map_err(refused)?;
        self.stapled(ocsp_response, end_entity, issuer.as_ref(), now)?;
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.paths.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.paths.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// `now` as TLS counts.
pub fn unix_time(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)))
}
