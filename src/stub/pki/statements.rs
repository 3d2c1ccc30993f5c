//! What the issuing authority says later of the certificates that it gave: revocation lists and OCSP responses.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rsa;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{CertificateRevocationListParams, Issuer, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::rsa_pss::{RsaKey, extended, list_with_pss, signed_with_pss, value};
use super::{DevPki, PkiError, made};
use crate::signature::credentials::Credentials;

/// What a response says of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspStatus {
    /// It stands.
    Good,
    /// It was taken back at the response's own beginning.
    Revoked,
    /// The responder does not know it.
    Unknown,
}

/// Makes a list one of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// Of all certificates.
    Whole,
    /// Only what came after another list (RFC 5280, 5.2.4).
    Delta,
    /// Of other authorities' certificates (RFC 5280, 5.2.5).
    Indirect,
    /// Of CA certificates alone.
    AuthoritiesAlone,
}

impl ListKind {
    /// The extension, DER.
    fn extension(self) -> Option<&'static [u8]> {
        match self {
            Self::Whole => None,
            // deltaCRLIndicator, critical: BaseCRLNumber 1.
            Self::Delta => Some(&[0x30, 0x0d, 6, 3, 0x55, 0x1d, 0x1b, 1, 1, 0xff, 4, 3, 2, 1, 1]),
            // issuingDistributionPoint, critical: [4] indirectCRL TRUE.
            Self::Indirect => Some(&[0x30, 0x0f, 6, 3, 0x55, 0x1d, 0x1c, 1, 1, 0xff, 4, 5, 0x30, 3, 0x84, 1, 0xff]),
            // issuingDistributionPoint, critical: [0] [0] URI "http://a/", [2] onlyContainsCACerts TRUE.
            Self::AuthoritiesAlone => Some(&[
                0x30, 0x1e, 6, 3, 0x55, 0x1d, 0x1c, 1, 1, 0xff, 4, 0x14, 0x30, 0x12, 0xa0, 0x0d, 0xa0, 0x0b, 0x86, 9, b'h', b't',
                b't', b'p', b':', b'/', b'/', b'a', b'/', 0x82, 1, 0xff,
            ]),
        }
    }
}

impl DevPki {
    /// The issuing authority's revocation list (DER), which names `revoked`, was made at `this_update`, and whose successor
    /// is due at `next_update`; both to the second.
    ///
    /// # Errors
    /// A library failed.
    pub fn revocation_list(
        &self,
        revoked: &[&CertificateDer<'_>],
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Result<Vec<u8>, PkiError> {
        self.revocation_list_of(ListKind::Whole, revoked, this_update, next_update)
    }

    /// The same, of a kind.
    ///
    /// # Errors
    /// A library failed.
    pub fn revocation_list_of(
        &self,
        kind: ListKind,
        revoked: &[&CertificateDer<'_>],
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Result<Vec<u8>, PkiError> {
        let instant = |instant: Timestamp| {
            let seconds = u64::try_from(instant.as_second()).map_err(made)?;
            Ok::<_, PkiError>(rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds))
        };
        let this_update = instant(this_update)?;
        let revoked_certs = revoked.iter().map(|certificate| {
            let (_, parsed) = X509Certificate::from_der(certificate).map_err(made)?;
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(parsed.raw_serial()),
                revocation_time: this_update,
                reason_code: None,
                invalidity_date: None,
            })
        });
        let list = CertificateRevocationListParams {
            this_update,
            next_update: instant(next_update)?,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect::<Result<_, PkiError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = Issuer::from_params(&self.issuing_params, &self.issuing_key);
        let list = list.signed_by(&issuer).map_err(made)?;
        match kind.extension() {
            None => list_with_pss(list.der(), &self.issuing_key),
            Some(extension) => list_with_pss(&extended(list.der(), extension)?, &self.issuing_key),
        }
    }

    /// An OCSP response (DER) on `certificate`, of `this_update` and until `next_update`, signed by the issuing authority, or
    /// by `responder`, whose certificate is then sent along.
    ///
    /// # Errors
    /// A library failed.
    pub fn ocsp_response(
        &self,
        certificate: &CertificateDer<'_>,
        status: OcspStatus,
        this_update: Timestamp,
        next_update: Timestamp,
        responder: Option<&Credentials>,
    ) -> Result<Vec<u8>, PkiError> {
        const SHA1: &[u8] = &[0x30, 9, 6, 5, 0x2b, 14, 3, 2, 26, 5, 0];
        const BASIC: &[u8] = &[6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
        let (_, leaf) = X509Certificate::from_der(certificate).map_err(made)?;
        let (_, issuer) = X509Certificate::from_der(&self.issuing).map_err(made)?;
        let sha1 = |bytes: &[u8]| value(0x04, &[digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()]);
        let key_hash = sha1(&issuer.public_key().subject_public_key.data);
        let id = value(0x30, &[SHA1, &sha1(leaf.issuer().as_raw()), &key_hash, &value(0x02, &[leaf.raw_serial()])]);
        let begins = generalized(this_update);
        let status = match status {
            OcspStatus::Good => value(0x80, &[]),
            OcspStatus::Revoked => value(0xa1, &[&begins]),
            OcspStatus::Unknown => value(0x82, &[]),
        };
        let single = value(0x30, &[&id, &status, &begins, &value(0xa0, &[&generalized(next_update)])]);
        let who = match responder {
            None => value(0xa2, &[&key_hash]),
            Some(responder) => {
                let (_, own) = X509Certificate::from_der(responder.leaf()).map_err(made)?;
                value(0xa2, &[&sha1(&own.public_key().subject_public_key.data)])
            }
        };
        let data = value(0x30, &[&who, &begins, &value(0x30, &[&single])]);
        let basic = match responder {
            None => signed_with_pss(data, &self.issuing_key, &[])?,
            Some(responder) => {
                let key = RsaKey::new(rsa::KeyPair::from_pkcs8(responder.key().secret_der()).map_err(made)?);
                signed_with_pss(data, &key, &value(0xa0, &[&value(0x30, &[responder.leaf()])]))?
            }
        };
        let bytes = value(0x30, &[BASIC, &value(0x04, &[&basic])]);
        Ok(value(0x30, &[&[0x0a, 1, 0], &value(0xa0, &[&bytes])]))
    }
}

fn generalized(instant: Timestamp) -> Vec<u8> {
    value(0x18, &[instant.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%SZ").to_string().as_bytes()])
}
