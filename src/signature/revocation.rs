//! Certificate revocation lists (X.509 CRLs, RFC 5280): read from files that something outside the gateway fetches.
//!
//! A list is fetched over plain HTTP more often than not, so it is believed only for its signature: an empty list put in
//! its place would bring every revoked certificate back to life. It must be signed by an authority that is trusted already.

use std::path::Path;

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::asn1_rs::{FromDer, Sequence};
use x509_parser::prelude::{CertificateRevocationList, X509Certificate};

/// Why a list cannot be used. Shown to operators, so it says what to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// The file.
    #[error("{file}: {cause}; fetch the list again, or correct the path")]
    File {
        /// Which.
        file: String,
        /// Why.
        cause: String,
    },
    /// Not a list, or of a kind that is not read (delta, indirect).
    #[error("{file} is not a complete X.509 CRL in DER or PEM ({cause}); fetch the list again from its authority")]
    NotAList {
        /// Which.
        file: String,
        /// Why.
        cause: String,
    },
    /// No trusted authority issued it.
    #[error("{file} was issued by {issuer}, which is not among the trusted CAs; add that CA's own certificate to client_roots")]
    Authority {
        /// Which.
        file: String,
        /// By whom.
        issuer: String,
    },
    /// The signature does not hold.
    #[error("{file}: the signature of {issuer} does not hold; fetch the list again, and find out who changed it")]
    Signature {
        /// Which.
        file: String,
        /// Whose.
        issuer: String,
    },
}

/// One list, its signature verified.
#[derive(Debug)]
pub struct RevocationList {
    name: String,
    der: CertificateRevocationListDer<'static>,
    parsed: CertRevocationList<'static>,
    next_update: Timestamp,
}

/// What the lists say of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its issuer's list is in force and does not name it.
    Good,
    /// Its issuer's list names it.
    Revoked,
    /// Its issuer has no list here, or only one whose successor is overdue.
    Unknown,
}

impl RevocationList {
    /// Reads the list in `file` (DER or PEM), which one of `authorities` must have signed.
    ///
    /// # Errors
    /// See [`RevocationError`]. A list whose successor is overdue is no error here: see [`standing`].
    pub fn from_file(file: &Path, authorities: &[CertificateDer<'_>]) -> Result<Self, RevocationError> {
        let named = || file.display().to_string();
        let bytes = std::fs::read(file).map_err(|cause| RevocationError::File { file: named(), cause: cause.to_string() })?;
        let not_a_list = |cause: String| RevocationError::NotAList { file: named(), cause };
        let der = if bytes.starts_with(b"-----BEGIN") {
            CertificateRevocationListDer::from_pem_slice(&bytes).map_err(|cause| not_a_list(cause.to_string()))?
        } else {
            CertificateRevocationListDer::from(bytes)
        };
        let parsed = OwnedCertRevocationList::from_der(&der).map_err(|cause| not_a_list(format!("{cause:?}")))?;
        let (_, list) = CertificateRevocationList::from_der(&der).map_err(|cause| not_a_list(cause.to_string()))?;
        let next_update = list.next_update().and_then(|time| Timestamp::from_second(time.timestamp()).ok());
        let next_update = next_update.ok_or_else(|| not_a_list("it does not say when the next one comes".to_owned()))?;

        let issuer = list.issuer().to_string();
        let mut named_authority = false;
        let signed = authorities.iter().filter_map(|der| X509Certificate::from_der(der).ok()).any(|(_, authority)| {
            let issued = authority.subject().as_raw() == list.issuer().as_raw();
            named_authority |= issued;
            issued && signed_by(&der, &list, &authority).is_some()
        });
        match (signed, named_authority) {
            (true, _) => Ok(Self { name: named(), parsed: parsed.into(), next_update, der }),
            (false, true) => Err(RevocationError::Signature { file: named(), issuer }),
            (false, false) => Err(RevocationError::Authority { file: named(), issuer }),
        }
    }

    /// The file it came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes, for TLS.
    pub fn der(&self) -> &CertificateRevocationListDer<'static> {
        &self.der
    }

    /// When its successor is due; past that, the list says nothing any more.
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }
}

/// What `lists` say of `certificate` at `now`.
pub fn standing(lists: &[RevocationList], certificate: &[u8], now: Timestamp) -> Standing {
    let Ok((_, x509)) = X509Certificate::from_der(certificate) else { return Standing::Unknown };
    // webpki names an issuer by what stands inside its SEQUENCE.
    let Ok((_, issuer)) = Sequence::from_der(x509.issuer().as_raw()) else { return Standing::Unknown };
    let mut standing = Standing::Unknown;
    for list in lists.iter().filter(|list| list.parsed.issuer() == &*issuer.content) {
        match list.parsed.find_serial(x509.raw_serial()) {
            // A revocation is for good, however old the list is.
            Ok(Some(_)) => return Standing::Revoked,
            Ok(None) if now <= list.next_update => standing = Standing::Good,
            _ => {}
        }
    }
    standing
}

/// Whether `authority` signed `list`, whose bytes are `der`: by whichever algorithm that TLS takes too, RSASSA-PSS among
/// them, which OCES3 uses.
fn signed_by(der: &[u8], list: &CertificateRevocationList<'_>, authority: &X509Certificate<'_>) -> Option<()> {
    if authority.key_usage().ok()?.is_some_and(|usage| !usage.value.crl_sign()) {
        return None;
    }
    let (_, outer) = Sequence::from_der(der).ok()?;
    let (after_content, _) = Sequence::from_der(&outer.content).ok()?;
    let (_, algorithm) = Sequence::from_der(after_content).ok()?;
    let (_, key) = Sequence::from_der(authority.tbs_certificate.subject_pki.raw).ok()?;
    let (_, key_algorithm) = Sequence::from_der(&key.content).ok()?;
    let public_key = &authority.tbs_certificate.subject_pki.subject_public_key.data;
    let fitting = webpki::ALL_VERIFICATION_ALGS.iter().filter(|verifier| {
        *verifier.signature_alg_id() == *algorithm.content && *verifier.public_key_alg_id() == *key_algorithm.content
    });
    let mut verified =
        fitting.map(|verifier| verifier.verify_signature(public_key, list.tbs_cert_list.as_ref(), &list.signature_value.data));
    verified.any(|outcome| outcome.is_ok()).then_some(())
}
