//! OCSP responses (RFC 6960), as a TLS server staples them to its certificate.
//!
//! rustls carries them and judges none. What is judged here: that the response speaks for this very certificate, that its
//! issuer signed it (or one to whom the issuer gave that right by a certificate for OCSP alone), and that it is in time.
//! No responder is ever asked: which certificates are looked up, and when, is nobody else's business.

use std::io::Read;
use std::path::Path;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::{Any, Class, FromDer, GeneralizedTime, Oid, Tag};
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::signed_by;

/// How far the responder's clock may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// The longest response that is read, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// A response to be stapled, and until when.
pub type Staple = (Vec<u8>, Timestamp);

/// Reads the response in `file` on the first certificate of `chain`, the second being its issuer's. `None`: it has ended,
/// and is not to be stapled.
///
/// # Errors
/// What is wrong with the file, for operators: a client that is shown it would refuse the connection.
pub fn from_file(file: &Path, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<Option<Staple>, StapleError> {
    let name = || file.display().to_string();
    let unread = |cause| StapleError::File { file: name(), cause };
    let mut response = Vec::new();
    std::fs::File::open(file).and_then(|open| open.take(LONGEST as u64 + 1).read_to_end(&mut response)).map_err(unread)?;
    let [leaf, issuer, ..] = chain else { return Err(StapleError::NoIssuer) };
    let (_, issuer) = X509Certificate::from_der(issuer).map_err(|_| StapleError::NoIssuer)?;
    let verdict = judge(&response, leaf, issuer.public_key().raw, now);
    let verdict = verdict.map_err(|cause| StapleError::Response { file: name(), cause })?;
    match verdict.status {
        Status::Good => Ok((now < verdict.until).then_some((response, verdict.until))),
        Status::Revoked | Status::Unknown => Err(StapleError::NotGood { file: name() }),
    }
}

/// Why a response is not stapled.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum StapleError {
    #[error("{file}: {cause}; fetch the response again, or correct the path")]
    File {
        file: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The chain ends with the certificate.
    #[error("the certificate's file does not hold its issuer's, by which the response is judged; add it after the first")]
    NoIssuer,
    /// It says nothing of the certificate.
    #[error("{file} is not an OCSP response on the server's certificate: {cause}; fetch it again")]
    Response {
        file: String,
        /// Why.
        cause: OcspError,
    },
    /// It says something else.
    #[error("{file} says that the server's certificate is revoked or unknown; order another certificate")]
    NotGood { file: String },
}

/// Why a response says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum OcspError {
    #[error("it is not a successful OCSP response in DER")]
    NotAResponse,
    /// For another certificate.
    #[error("it does not speak for this certificate")]
    OtherCertificate,
    #[error("neither the certificate's issuer nor a responder of its own signed it")]
    Signature,
    /// Made in the future.
    #[error("it begins only {0}; check the machine's clock")]
    Future(Timestamp),
}

/// What a response says of the certificate. Its signature has been verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What it says.
    pub status: Status,
    /// Until when: its `nextUpdate`.
    pub until: Timestamp,
}

/// What a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has not been taken back.
    Good,
    /// It has.
    Revoked,
    /// The responder does not know it.
    Unknown,
}

/// Reads `response` as one on `certificate`, whose issuer has the key `issuer_spki` (SubjectPublicKeyInfo, DER).
///
/// # Errors
/// See [`OcspError`]. A response that has ended is no error: see [`Verdict::until`].
pub fn judge(response: &[u8], certificate: &[u8], issuer_spki: &[u8], now: Timestamp) -> Result<Verdict, OcspError> {
    let basic = basic(response).ok_or(OcspError::NotAResponse)?;
    let (_, leaf) = X509Certificate::from_der(certificate).map_err(|_| OcspError::OtherCertificate)?;
    let delegated = || basic.certificates.iter().any(|der| responder(der, &leaf, issuer_spki, now, &basic).unwrap_or(false));
    if !basic.signed_by(issuer_spki) && !delegated() {
        return Err(OcspError::Signature);
    }
    let (_, issuer_key) = SubjectPublicKeyInfo::from_der(issuer_spki).map_err(|_| OcspError::Signature)?;
    let mut own = basic.singles.iter().filter(|single| single.names(&leaf, &issuer_key.subject_public_key.data));
    let single = own.next().ok_or(OcspError::OtherCertificate)?;
    match single.this_update {
        begins if begins > now.saturating_add(AHEAD).unwrap_or(now) => Err(OcspError::Future(begins)),
        _ => Ok(Verdict { status: single.status, until: single.next_update }),
    }
}

/// Whether `der` is a responder's certificate, given by the issuer for that purpose, and its key signed the response.
fn responder(der: &[u8], leaf: &X509Certificate<'_>, issuer: &[u8], now: Timestamp, basic: &Basic<'_>) -> Option<bool> {
    let (_, own) = X509Certificate::from_der(der).ok()?;
    // Without the purpose, every certificate of that CA could speak for every other: its own, once revoked, for itself.
    let purpose = own.extended_key_usage().ok()??.value.ocsp_signing;
    let instant = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let valid = instant(own.validity().not_before)? <= now && now <= instant(own.validity().not_after)?;
    let issued = own.issuer().as_raw() == leaf.issuer().as_raw() && {
        let mut outer = content(der)?;
        let tbs = whole(&mut outer, Tag::Sequence)?;
        let algorithm = sequence(&mut outer)?;
        signed_by(issuer, algorithm, tbs, &own.signature_value.data)
    };
    Some(purpose && valid && issued && basic.signed_by(own.public_key().raw))
}

struct Basic<'a> {
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    singles: Vec<Single<'a>>,
    certificates: Vec<&'a [u8]>,
}

impl Basic<'_> {
    fn signed_by(&self, spki: &[u8]) -> bool {
        signed_by(spki, self.algorithm, self.signed, self.signature)
    }
}

struct Single<'a> {
    hash: String,
    name_hash: &'a [u8],
    key_hash: &'a [u8],
    serial: &'a [u8],
    status: Status,
    this_update: Timestamp,
    next_update: Timestamp,
}

impl Single<'_> {
    fn names(&self, leaf: &X509Certificate<'_>, issuer_key: &[u8]) -> bool {
        // A name, not a signature: SHA-1 is what RFC 5019 has responders use here.
        let algorithm = match self.hash.as_str() {
            "1.3.14.3.2.26" => &SHA1_FOR_LEGACY_USE_ONLY,
            "2.16.840.1.101.3.4.2.1" => &SHA256,
            _ => return false,
        };
        digest(algorithm, leaf.issuer().as_raw()).as_ref() == self.name_hash
            && digest(algorithm, issuer_key).as_ref() == self.key_hash
            && leaf.raw_serial() == self.serial
    }
}

/// OCSPResponse → BasicOCSPResponse (RFC 6960, 4.2.1). `None` for whatever is not exactly that.
fn basic(response: &[u8]) -> Option<Basic<'_>> {
    const BASIC: &str = "1.3.6.1.5.5.7.48.1.1";
    let mut outer = content(response)?;
    let successful = universal(&mut outer, Tag::Enumerated)? == [0];
    let mut bytes = tagged(&mut outer, 0)?;
    let mut response_bytes = sequence(&mut bytes)?;
    let kind = oid(&mut response_bytes)?;
    let basic = universal(&mut response_bytes, Tag::OctetString)?;
    if !successful || kind != BASIC || !(outer.is_empty() && bytes.is_empty() && response_bytes.is_empty()) {
        return None;
    }

    let mut basic = content(basic)?;
    let signed = whole(&mut basic, Tag::Sequence)?;
    let algorithm = sequence(&mut basic)?;
    let [0, signature @ ..] = universal(&mut basic, Tag::BitString)? else { return None };
    let mut certificates = Vec::new();
    if let Some(mut all) = tagged(&mut basic, 0) {
        let mut all = sequence(&mut all)?;
        while !all.is_empty() {
            certificates.push(whole(&mut all, Tag::Sequence)?);
        }
    }

    let mut data = content(signed)?;
    let _version = tagged(&mut data, 0);
    let _responder = tagged(&mut data, 1).or_else(|| tagged(&mut data, 2))?;
    universal(&mut data, Tag::GeneralizedTime)?;
    let mut responses = sequence(&mut data)?;
    let mut singles = Vec::new();
    while !responses.is_empty() {
        singles.push(single(sequence(&mut responses)?)?);
    }
    basic.is_empty().then_some(Basic { signed, algorithm, signature, singles, certificates })
}

fn single(mut single: &[u8]) -> Option<Single<'_>> {
    let mut id = sequence(&mut single)?;
    let hash = oid(&mut sequence(&mut id)?)?;
    let name_hash = universal(&mut id, Tag::OctetString)?;
    let key_hash = universal(&mut id, Tag::OctetString)?;
    let serial = universal(&mut id, Tag::Integer)?;
    let status = [(0, Status::Good), (1, Status::Revoked), (2, Status::Unknown)];
    let status = status.into_iter().find_map(|(tag, status)| tagged(&mut single, tag).map(|_| status))?;
    let this_update = time(&mut single)?;
    // Without an end it would hold for ever.
    let next_update = time(&mut tagged(&mut single, 0)?)?;
    Some(Single { hash, name_hash, key_hash, serial, status, this_update, next_update })
}

// ---- DER, value by value: each takes one off the front and gives its content ----

fn value<'a>(input: &mut &'a [u8], class: Class, tag: Tag) -> Option<(&'a [u8], &'a [u8])> {
    let before = *input;
    let (rest, any) = Any::from_der(before).ok()?;
    if any.class() != class || any.tag() != tag {
        return None;
    }
    let whole = before.get(..before.len().checked_sub(rest.len())?)?;
    let content = whole.get(whole.len().checked_sub(any.data.len())?..)?;
    *input = rest;
    Some((whole, content))
}

fn universal<'a>(input: &mut &'a [u8], tag: Tag) -> Option<&'a [u8]> {
    value(input, Class::Universal, tag).map(|(_, content)| content)
}

fn tagged<'a>(input: &mut &'a [u8], tag: u32) -> Option<&'a [u8]> {
    value(input, Class::ContextSpecific, Tag(tag)).map(|(_, content)| content)
}

fn sequence<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    universal(input, Tag::Sequence)
}

fn whole<'a>(input: &mut &'a [u8], tag: Tag) -> Option<&'a [u8]> {
    value(input, Class::Universal, tag).map(|(whole, _)| whole)
}

/// The content of the one SEQUENCE that `der` is.
fn content(mut der: &[u8]) -> Option<&[u8]> {
    let content = sequence(&mut der)?;
    der.is_empty().then_some(content)
}

fn oid(input: &mut &[u8]) -> Option<String> {
    Some(Oid::new(universal(input, Tag::Oid)?.into()).to_id_string())
}

fn time(input: &mut &[u8]) -> Option<Timestamp> {
    let (whole, _) = value(input, Class::Universal, Tag::GeneralizedTime)?;
    let (_, time) = GeneralizedTime::from_der(whole).ok()?;
    Timestamp::from_second(time.utc_datetime().ok()?.unix_timestamp()).ok()
}
