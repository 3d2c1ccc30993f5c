//! Client certificates: which are accepted in TLS, and whether one that was accepted still holds.
//!
//! TLS verifies a certificate once, in the handshake. A connection may then last for hours, in which the certificate ends,
//! is revoked, or loses its CA's trust. So each call over the AuthorityContext binding has its certificate judged again, by
//! the verifier in force at that moment; and the holder of a token is looked up in the revocation lists, for a token
//! outlives its holder's revocation too.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::config::{self, WithoutList};
use crate::refusal::Refusal;
use crate::signature::revocation::{RevocationError, RevocationList, Standing, standing};

/// Why client certificates cannot be judged as configured.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are named for what they are
pub enum ClientTrustError {
    #[error("a trust root cannot be used: {0}; name the CA's own certificate")]
    Root(String),
    #[error("no trust root for client certificates is given; name the OCES CAs")]
    NoRoots,
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    #[error("the verifier of client certificates cannot be made: {0}")]
    Setup(String),
}

/// Whether a client must show a certificate in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It may: one that is shown must be in order; a binding that needs one refuses without it.
    Optional,
    /// It must.
    Required,
}

/// CAs, and the revocation lists that are asked.
#[derive(Debug)]
pub struct Rules {
    verifier: Arc<dyn ClientCertVerifier>,
    lists: Vec<RevocationList>,
    without_list: WithoutList,
}

impl Rules {
    /// What `[listen]` says: its roots, its lists (read now), and what holds where a list is missing.
    ///
    /// # Errors
    /// See [`ClientTrustError`].
    pub fn read(listen: &config::Listen) -> Result<Self, ClientTrustError> {
        let read = |file: &std::path::PathBuf| RevocationList::from_file(file, &listen.client_roots);
        let lists: Vec<_> = listen.crls.iter().map(read).collect::<Result<_, _>>()?;
        let verifier = verifier(&listen.client_roots, &lists, listen.crl_missing, ClientCertificate::Optional)?;
        Ok(Self { verifier, lists, without_list: listen.crl_missing })
    }

    /// For TLS: what judges a client's certificate in the handshake.
    pub fn verifier(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.verifier
    }

    /// Whether both ask the same editions of the same lists.
    pub fn same_lists(&self, other: &Self) -> bool {
        self.lists.iter().map(RevocationList::der).eq(other.lists.iter().map(RevocationList::der))
    }

    /// The lists.
    pub fn lists(&self) -> &[RevocationList] {
        &self.lists
    }
}

/// Makes what judges a client's certificate in the handshake.
///
/// # Errors
/// Roots or lists that cannot be used.
pub fn verifier(
    roots: &[CertificateDer<'static>],
    lists: &[RevocationList],
    without_list: WithoutList,
    client_certificate: ClientCertificate,
) -> Result<Arc<dyn ClientCertVerifier>, ClientTrustError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).map_err(|error| ClientTrustError::Root(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(ClientTrustError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut builder = WebPkiClientVerifier::builder_with_provider(store.into(), provider);
    if !lists.is_empty() {
        builder = builder.with_crls(lists.iter().map(|list| list.der().clone()));
        builder = match without_list {
            WithoutList::Refuse => builder.enforce_revocation_expiration(),
            WithoutList::Accept => builder.allow_unknown_revocation_status(),
        };
    }
    if client_certificate == ClientCertificate::Optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| ClientTrustError::Setup(error.to_string()))
}

/// The rules in force. Exchanged whole, at once for every later call.
#[derive(Debug)]
pub struct ClientTrust(RwLock<Arc<Rules>>);

impl ClientTrust {
    /// Puts rules in force.
    pub fn new(rules: Rules) -> Self {
        Self(RwLock::new(Arc::new(rules)))
    }

    /// Puts others in force.
    pub fn replace(&self, rules: Rules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// The rules now.
    pub fn current(&self) -> Arc<Rules> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Judges a certificate that TLS accepted once more: its end, its revocation, its CA. `chain`: the certificate first.
    ///
    /// # Errors
    /// `ClientCertificateMissing`, `ClientCertificateInvalid`.
    pub fn still_holds(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), Refusal> {
        let (certificate, intermediates) = chain.split_first().ok_or(Refusal::ClientCertificateMissing)?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)));
        self.current().verifier.verify_client_cert(certificate, intermediates, now).map(|_| ()).map_err(|error| {
            let what = match error {
                rustls::Error::InvalidCertificate(cause) => words(&cause),
                _ => "it cannot be verified",
            };
            Refusal::ClientCertificateInvalid { what: what.to_owned() }
        })
    }

    /// Asks the revocation lists for the holder of a token, whose issuer need not have a list where no lists are given.
    ///
    /// # Errors
    /// `HolderOfKey`.
    pub fn holder_stands(&self, certificate: &[u8], now: Timestamp) -> Result<(), Refusal> {
        let rules = self.current();
        let what = match (standing(&rules.lists, certificate, now), rules.without_list) {
            (Standing::Revoked, _) => "the certificate in the token is revoked",
            (Standing::Unknown, WithoutList::Refuse) if !rules.lists.is_empty() => {
                "there is no revocation list in force for the certificate in the token"
            }
            _ => return Ok(()),
        };
        Err(Refusal::HolderOfKey { what: what.to_owned() })
    }
}

/// What the caller may know of why its own certificate is refused.
fn words(cause: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError::{
        Expired, ExpiredContext, ExpiredRevocationList, ExpiredRevocationListContext, NotValidYet, NotValidYetContext, Revoked,
        UnknownIssuer, UnknownRevocationStatus,
    };
    match cause {
        Expired | ExpiredContext { .. } => "it has expired",
        NotValidYet | NotValidYetContext { .. } => "it is not valid yet",
        Revoked => "it is revoked",
        UnknownRevocationStatus | ExpiredRevocationList | ExpiredRevocationListContext { .. } => {
            "there is no revocation list in force for it"
        }
        UnknownIssuer => "its issuer is not trusted any more",
        _ => "it cannot be verified",
    }
}
