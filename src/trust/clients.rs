//! Client certificates: which are accepted in TLS, and whether one that was accepted still holds.
//!
//! TLS verifies a certificate once, in the handshake. A connection may then last for hours, in which the certificate ends,
//! is revoked, or loses its CA's trust. So each call over the AuthorityContext binding has its certificate judged again, by
//! the verifier in force at that moment; and the holder of a token is looked up in the revocation lists, for a token
//! outlives its holder's revocation too.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;

use crate::refusal::{Detail, Refusal};
use crate::revocation::domain::{Domain, Lists};
use crate::revocation::verify::{ClientVerifier, RootsError, unix_time};
use crate::signature::credentials::thumbprint;

/// Whether a client must show a certificate in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It may: one that is shown must be in order; a binding that needs one refuses without it.
    Optional,
    /// It must.
    Required,
}

/// What client certificates are judged by.
#[derive(Debug)]
pub struct ClientTrust {
    verifier: Arc<dyn ClientCertVerifier>,
    domain: Arc<Domain>,
    held: Mutex<Option<Held>>,
}

/// The certificates, by thumbprint, that were found to hold in one second under the lists of that moment. The verifier is
/// told the time in whole seconds, so its verdict could be no other until the second or the lists change: nothing is
/// believed for longer than it would be if it were asked again, and each call is spared the signatures of the chain.
#[derive(Debug)]
struct Held {
    second: i64,
    lists: Arc<Lists>,
    certificates: HashSet<[u8; 32]>,
}

impl Held {
    fn is_of(&self, second: i64, lists: &Arc<Lists>) -> bool {
        self.second == second && Arc::ptr_eq(&self.lists, lists)
    }
}

impl ClientTrust {
    /// Certificates below `roots`, by the revocation lists of `domain`.
    ///
    /// # Errors
    /// Roots that cannot be used.
    pub fn new(
        roots: &[CertificateDer<'static>],
        domain: Arc<Domain>,
        client_certificate: ClientCertificate,
    ) -> Result<Self, RootsError> {
        let mandatory = client_certificate == ClientCertificate::Required;
        let verifier = Arc::new(ClientVerifier::new(roots, domain.clone(), mandatory)?);
        Ok(Self { verifier, domain, held: Mutex::new(None) })
    }

    /// For TLS: what judges a client's certificate in the handshake.
    pub fn verifier(&self) -> &Arc<dyn ClientCertVerifier> {
        &self.verifier
    }

    /// Judges a certificate that TLS accepted once more: its end, its revocation, its CA. `chain`: the certificate first.
    ///
    /// # Errors
    /// `ClientCertificateMissing`, `ClientCertificateInvalid`.
    pub fn still_holds(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), Refusal> {
        let (certificate, intermediates) = chain.split_first().ok_or(Refusal::ClientCertificateMissing)?;
        let (second, lists, own) = (now.as_second(), self.domain.current(), thumbprint(certificate));
        if self.held().as_ref().is_some_and(|held| held.is_of(second, &lists) && held.certificates.contains(&own)) {
            return Ok(());
        }
        self.verifier.verify_client_cert(certificate, intermediates, unix_time(now)).map(|_| ()).map_err(|error| {
            let what = match error {
                rustls::Error::InvalidCertificate(cause) => words(&cause),
                _ => NOT_VERIFIED,
            };
            Refusal::ClientCertificateInvalid { what: Detail::new(what.0, what.1) }
        })?;
        // Under the lists of before the verification: if they have changed since, no later call finds it.
        let mut held = self.held();
        match held.as_mut().filter(|held| held.is_of(second, &lists)) {
            Some(held) => drop(held.certificates.insert(own)),
            None => *held = Some(Held { second, lists, certificates: HashSet::from([own]) }),
        }
        Ok(())
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the revocation lists for the holder of a token, whose issuer need not have a list where no lists are given.
    ///
    /// # Errors
    /// `HolderOfKey`.
    pub fn holder_stands(&self, certificate: &[u8], now: Timestamp) -> Result<(), Refusal> {
        match self.domain.current().refusal(certificate, now) {
            None => Ok(()),
            Some(why) => {
                let (da, en) = why.describe();
                Err(Refusal::HolderOfKey {
                    what: Detail::new(format!("certifikatet i tokenet {da}"), format!("the certificate in the token {en}")),
                })
            }
        }
    }
}

/// What the caller may know of why its own certificate is refused.
fn words(cause: &rustls::CertificateError) -> (&'static str, &'static str) {
    use rustls::CertificateError::{Expired, NotValidYet, Revoked, UnknownIssuer, UnknownRevocationStatus};
    match cause {
        Expired => ("det er udløbet", "it has expired"),
        NotValidYet => ("det gælder ikke endnu", "it is not valid yet"),
        Revoked => ("det er spærret", "it is revoked"),
        UnknownRevocationStatus => ("der er ingen gældende spærreliste for det", "there is no revocation list in force for it"),
        UnknownIssuer => ("der er ikke længere tillid til udstederen", "its issuer is not trusted any more"),
        _ => NOT_VERIFIED,
    }
}

const NOT_VERIFIED: (&str, &str) = ("det kan ikke verificeres", "it cannot be verified");
