//! Why a TLS handshake failed, in an operator's terms.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Cause, Shown};

tokio::task_local! {
    /// The certificate that the client of the handshake under way has shown. rustls gives it out of a handshake that
    /// succeeds alone.
    static SHOWN: RefCell<Option<Shown>>;
}

/// Runs a handshake. Where it fails: why, the certificate that was shown in it, and what it was made over.
pub async fn accepting<T, I>(
    handshake: impl Future<Output = Result<T, (io::Error, I)>>,
) -> Result<T, (io::Error, Option<Shown>, I)> {
    let noting = async { handshake.await.map_err(|(error, io)| (error, SHOWN.try_with(RefCell::take).ok().flatten(), io)) };
    SHOWN.scope(RefCell::default(), noting).await
}

/// Judges clients as the verifier in it does, and notes what it was shown for [`accepting`].
#[derive(Debug)]
pub struct Noting(pub Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Noting {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }
    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now);
        // Outside of `accepting` nobody asks.
        let _ = SHOWN.try_with(|shown| shown.replace(Some(Shown::new(end_entity, intermediates.len()))));
        verified
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The cause of a handshake's failure, and the detail that the cause alone does not tell.
pub fn cause(error: &io::Error, shown: Option<&Shown>) -> (Cause, String) {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return (Cause::Closed, String::new());
    };
    let detail = format!(" ({tls})");
    match tls {
        Error::NoCertificatesPresented => (Cause::NoCertificate, String::new()),
        Error::InvalidCertificate(certificate) => of_certificate(certificate, shown),
        Error::NoApplicationProtocol => (Cause::ApplicationProtocol, String::new()),
        Error::PeerIncompatible(what) => match what {
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired
            // Asked before the version; TLS 1.1 has no such extension.
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => (Cause::ProtocolVersion, String::new()),
            PeerIncompatible::NoCipherSuitesInCommon
            | PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::NoEcPointFormatsInCommon
            | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => (Cause::NothingShared, detail),
            _ => (Cause::Tls, detail),
        },
        Error::AlertReceived(alert) => match alert {
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate => (Cause::ClientDistrusts, format!(" (alert {alert:?})")),
            _ => (Cause::ClientAlert, format!(" (alert {alert:?})")),
        },
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } | Error::PeerSentOversizedRecord => {
            (Cause::NotTls, String::new())
        }
        _ => (Cause::Tls, detail),
    }
}

fn of_certificate(error: &CertificateError, shown: Option<&Shown>) -> (Cause, String) {
    use CertificateError as E;
    let cause = match error {
        E::Expired | E::ExpiredContext { .. } => Cause::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => Cause::NotYetValid,
        E::Revoked => Cause::Revoked,
        E::UnknownRevocationStatus | E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            Cause::RevocationUnknown
        }
        E::UnknownIssuer if shown.is_some_and(Shown::alone) => Cause::IssuerMissing,
        E::UnknownIssuer => Cause::UnknownIssuer,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => Cause::WrongPurpose,
        E::BadSignature => Cause::BadSignature,
        E::Other(other) if other.0.downcast_ref() == Some(&webpki::Error::InvalidSignatureForPublicKey) => Cause::BadSignature,
        // webpki's names of what it found hold nothing of the certificate.
        E::Other(other) => return (Cause::CertificateInvalid, format!(" ({other})")),
        other => return (Cause::CertificateInvalid, format!(" ({other:?})")),
    };
    (cause, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause_of(error: Error, shown: Option<&Shown>) -> Cause {
        cause(&io::Error::other(error), shown).0
    }

    #[test]
    fn what_the_verifier_says_of_a_certificate_has_a_cause_of_its_own() {
        for (error, expected) in [
            (CertificateError::Revoked, Cause::Revoked),
            (CertificateError::UnknownRevocationStatus, Cause::RevocationUnknown),
            (CertificateError::BadSignature, Cause::BadSignature),
            (CertificateError::BadEncoding, Cause::CertificateInvalid),
        ] {
            assert_eq!(cause_of(error.into(), None), expected);
        }
    }

    #[test]
    fn an_unknown_issuer_is_a_missing_one_where_the_certificate_came_alone() {
        let certificate = CertificateDer::from(vec![1]);
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(cause_of(unknown(), Some(&Shown::new(&certificate, 0))), Cause::IssuerMissing);
        assert_eq!(cause_of(unknown(), Some(&Shown::new(&certificate, 1))), Cause::UnknownIssuer);
    }
}
