//! Whether a certificate has been taken back: revocation lists (CRLs) and stapled OCSP responses.
//!
//! Each *trust domain* — TLS clients, the admin's clients, the STS's server, each peer's server, and those who sign what the
//! gateway believes — has lists of its own, judged by its own authorities, and a rule of its own for what holds without one:
//! a CA of one domain has no say in another. [`domain`] holds the lists and keeps them fresh; a [`Fetch`] gets them from
//! where the configuration says and from nowhere else (an address that stands in a certificate is untrusted); [`verify`]
//! asks them in every TLS handshake.

pub mod domain;
pub mod list;
pub mod ocsp;
pub mod verify;

use std::pin::Pin;

use http::Uri;
use rustls_pki_types::UnixTime;
use x509_parser::asn1_rs::{FromDer, Sequence};

use jiff::Timestamp;

/// A list on its way: its bytes, or `Fetch` or `TooLarge`.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, list::RevocationError>> + Send + 'a>>;

/// What gets a list from its address. The client is the outbound one, which itself asks the lists whom to trust.
pub trait Fetch: Send + Sync {
    /// The list's bytes.
    fn get<'a>(&'a self, uri: &'a Uri) -> Fetched<'a>;
}

/// Whether the key in `spki` (SubjectPublicKeyInfo, DER) made `signature` over `message`, by the algorithm whose
/// AlgorithmIdentifier has this content: by whichever that TLS takes too, RSASSA-PSS among them, which OCES3 uses.
fn signed_by(spki: &[u8], algorithm: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok((_, key)) = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki) else { return false };
    let Ok((_, outer)) = Sequence::from_der(spki) else { return false };
    let Ok((_, key_algorithm)) = Sequence::from_der(&outer.content) else { return false };
    webpki::ALL_VERIFICATION_ALGS
        .iter()
        .filter(|verifier| *verifier.signature_alg_id() == *algorithm && *verifier.public_key_alg_id() == *key_algorithm.content)
        .any(|verifier| verifier.verify_signature(&key.subject_public_key.data, message, signature).is_ok())
}

fn timestamp(time: UnixTime) -> Timestamp {
    i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod several_tests;
#[cfg(test)]
mod tests;
