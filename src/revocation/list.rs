//! One certificate revocation list (X.509 CRL, RFC 5280).
//!
//! A list is fetched over plain HTTP more often than not, so it is believed only for its signature: an empty list put in
//! its place would bring every revoked certificate back to life. It must be signed by an authority that is trusted already.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::asn1_rs::{FromDer, Sequence};
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{CertificateRevocationList, X509Certificate};

use super::signed_by;
use crate::address;
use crate::pem::{self, Kind};

/// How far in the future a list may begin: the clock of its issuer may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Why a list cannot be used. Shown to operators, so it says what to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum RevocationError {
    #[error("{name}: {cause}; fetch the list again, or correct the path")]
    File {
        name: String,
        /// Why.
        cause: String,
    },
    /// The list could not be fetched.
    #[error("{name} cannot be fetched: {cause}")]
    Fetch {
        name: String,
        /// Why.
        cause: String,
    },
    /// Larger than `[revocation] list_bytes`.
    #[error("{name} is larger than {limit} bytes; raise revocation.list_bytes if the authority's list is that long")]
    TooLarge { name: String, limit: usize },
    /// Not a list, or of a kind that is not read (delta, indirect, by reason).
    #[error("{name} is not a complete X.509 CRL in DER or PEM ({cause}); fetch the list again from its authority")]
    NotAList {
        name: String,
        /// Why.
        cause: String,
    },
    /// The file holds something else than lists.
    #[error("{name} {cause}")]
    Pem {
        name: String,
        /// Why.
        cause: pem::PemError,
    },
    /// No trusted authority issued it.
    #[error("{name} was issued by {issuer}, which is not among the trusted CAs; add that CA's own certificate to {setting}")]
    Authority {
        name: String,
        /// By whom.
        issuer: String,
        /// Where its authorities are configured.
        setting: String,
    },
    /// The signature does not hold.
    #[error("{name}: the signature of {issuer} does not hold; fetch the list again, and find out who changed it")]
    Signature {
        name: String,
        /// Whose.
        issuer: String,
    },
    /// It begins in the future.
    #[error("{name} begins only {begins}; check the machine's clock")]
    Future {
        name: String,
        /// When.
        begins: Timestamp,
    },
    /// It is older than the one in force: somebody plays an old list back.
    #[error("{name} is of {offered}, and the one in force is of {in_force}; an older list is not taken")]
    Older {
        name: String,
        /// When this one was made.
        offered: Timestamp,
        /// When the one in force was made.
        in_force: Timestamp,
    },
}

/// One list, its signature verified.
#[derive(Debug)]
pub struct RevocationList {
    name: String,
    issuer: String,
    /// The key of its CA: two CAs of one name have lists of their own.
    signer: Vec<u8>,
    der: CertificateRevocationListDer<'static>,
    parsed: CertRevocationList<'static>,
    this_update: Timestamp,
    next_update: Timestamp,
    scope: Scope,
}

/// Which of its issuer's certificates a list speaks for: all of them, unless it has an issuing distribution point.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scope {
    authorities_alone: bool,
    others_alone: bool,
    addresses: Vec<String>,
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

/// By whom a list may have been signed.
#[derive(Debug, Clone, Copy)]
pub struct Authorities<'a> {
    /// The CAs.
    pub certificates: &'a [CertificateDer<'static>],
    /// The setting that names them.
    pub setting: &'a str,
}

impl RevocationList {
    /// Reads the lists in `file` (one in DER, or any number in PEM; at most `limit` bytes), each of which one of `authorities`
    /// must have signed.
    ///
    /// # Errors
    /// See [`RevocationError`]. A list whose successor is overdue is no error here: see [`standing`].
    pub fn from_file(
        file: &Path,
        limit: usize,
        authorities: Authorities<'_>,
        now: Timestamp,
    ) -> Result<Vec<Self>, RevocationError> {
        use std::io::Read;
        let name = file.display().to_string();
        let failed = |cause: std::io::Error| RevocationError::File { name: name.clone(), cause: cause.to_string() };
        let mut bytes = Vec::new();
        let open = std::fs::File::open(file).map_err(failed)?;
        open.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > limit {
            return Err(RevocationError::TooLarge { name, limit });
        }
        Self::from_bytes(&name, bytes, authorities, now)
    }

    /// Reads one list in DER, or all of a PEM file, each of which one of `authorities` must have signed: one that is not
    /// understood or not believed takes all with it. `name`: where they came from.
    ///
    /// # Errors
    /// See [`RevocationError`].
    pub fn from_bytes(
        name: &str,
        bytes: Vec<u8>,
        authorities: Authorities<'_>,
        now: Timestamp,
    ) -> Result<Vec<Self>, RevocationError> {
        // A DER list is a SEQUENCE whose length takes two bytes or more; a PEM file might begin with the digit 0.
        if let [0x30, 0x80..=0xFF, ..] = bytes.as_slice() {
            return Ok(vec![Self::from_der(name.to_owned(), bytes.into(), authorities, now)?]);
        }
        let sections = pem::sections(&bytes, &[Kind::RevocationList])
            .map_err(|cause| RevocationError::Pem { name: name.to_owned(), cause })?;
        if sections.is_empty() {
            let cause = "it has no section -----BEGIN X509 CRL-----".to_owned();
            return Err(RevocationError::NotAList { name: name.to_owned(), cause });
        }
        let several = sections.len() > 1;
        let read = |section: pem::Section| {
            let name = if several { format!("{name}, list {}", section.number) } else { name.to_owned() };
            Self::from_der(name, section.der.to_vec().into(), authorities, now)
        };
        sections.into_iter().map(read).collect()
    }

    fn from_der(
        name: String,
        der: CertificateRevocationListDer<'static>,
        authorities: Authorities<'_>,
        now: Timestamp,
    ) -> Result<Self, RevocationError> {
        let not_a_list = |cause: String| RevocationError::NotAList { name: name.clone(), cause };
        // Delta and indirect lists, and lists of some reasons only, fail here: the first alone say nothing, and the others
        // would have to be put together from several before a certificate that none of them names is known to stand.
        let parsed = OwnedCertRevocationList::from_der(&der).map_err(|cause| not_a_list(format!("{cause:?}")))?;
        let (_, list) = CertificateRevocationList::from_der(&der).map_err(|cause| not_a_list(cause.to_string()))?;
        let instant = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        let this_update = instant(list.last_update()).ok_or_else(|| not_a_list("it does not say when it was made".to_owned()))?;
        let next_update = list.next_update().and_then(instant);
        let next_update = next_update.ok_or_else(|| not_a_list("it does not say when the next one comes".to_owned()))?;
        let scope = Scope::of(&list);

        let issuer = list.issuer().to_string();
        let mut named_authority = false;
        let mut parsed_authorities = authorities.certificates.iter().filter_map(|der| X509Certificate::from_der(der).ok());
        let signer = parsed_authorities.find_map(|(_, authority)| {
            let issued = authority.subject().as_raw() == list.issuer().as_raw();
            named_authority |= issued;
            let signed = issued && signed_by_authority(&der, &list, &authority).unwrap_or(false);
            signed.then(|| authority.public_key().raw.to_vec())
        });
        match (signer, named_authority) {
            (Some(_), _) if this_update > now + AHEAD => Err(RevocationError::Future { name, begins: this_update }),
            (Some(signer), _) => Ok(Self { name, issuer, signer, parsed: parsed.into(), this_update, next_update, scope, der }),
            (None, true) => Err(RevocationError::Signature { name, issuer }),
            (None, false) => Err(RevocationError::Authority { name, issuer, setting: authorities.setting.to_owned() }),
        }
    }

    /// Where it came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes.
    pub fn der(&self) -> &CertificateRevocationListDer<'static> {
        &self.der
    }

    /// Its CA, for people to read.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether both are editions of one list: of one CA, about the same of its certificates.
    pub fn same_as(&self, other: &Self) -> bool {
        self.parsed.issuer() == other.parsed.issuer() && self.signer == other.signer && self.scope == other.scope
    }

    /// As webpki asks it.
    pub fn parsed(&self) -> &CertRevocationList<'static> {
        &self.parsed
    }

    /// When it was made.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// When its successor is due; past that, and the grace that the operator gives, the list says nothing any more.
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }

    fn speaks_for(&self, certificate: &X509Certificate<'_>) -> bool {
        // webpki names an issuer by what stands inside its SEQUENCE.
        let Ok((_, issuer)) = Sequence::from_der(certificate.issuer().as_raw()) else { return false };
        self.parsed.issuer() == &*issuer.content && self.scope.covers(certificate)
    }
}

impl Scope {
    fn of(list: &CertificateRevocationList<'_>) -> Self {
        let mut extensions = list.extensions().iter().map(|extension| extension.parsed_extension());
        let point = extensions.find_map(|parsed| match parsed {
            ParsedExtension::IssuingDistributionPoint(point) => Some(point),
            _ => None,
        });
        point.map_or_else(Self::default, |point| Self {
            authorities_alone: point.only_contains_ca_certs,
            others_alone: point.only_contains_user_certs,
            addresses: point.distribution_point.iter().flat_map(addresses).collect(),
        })
    }

    /// RFC 5280, 6.3.3 (b)(2): a list of one distribution point says nothing of a certificate that belongs to another. Their
    /// addresses are compared as addresses (7.4).
    fn covers(&self, certificate: &X509Certificate<'_>) -> bool {
        if (self.authorities_alone && !certificate.is_ca()) || (self.others_alone && certificate.is_ca()) {
            return false;
        }
        let mut points = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CRLDistributionPoints(points) => Some(points),
            _ => None,
        });
        match points.next() {
            Some(own) if !self.addresses.is_empty() => {
                let whole = own.points.iter().filter(|point| point.reasons.is_none() && point.crl_issuer.is_none());
                let mut own = whole.filter_map(|point| point.distribution_point.as_ref()).flat_map(addresses);
                own.any(|address| self.addresses.iter().any(|known| address::same(known, &address)))
            }
            _ => true,
        }
    }
}

fn addresses(point: &DistributionPointName<'_>) -> Vec<String> {
    let DistributionPointName::FullName(names) = point else { return Vec::new() };
    let address = |name: &GeneralName<'_>| match name {
        GeneralName::URI(address) => Some((*address).to_owned()),
        _ => None,
    };
    names.iter().filter_map(address).collect()
}

/// What `lists` say of `certificate` at `now`; each list stands for `grace` longer than it says.
pub fn standing<'l>(
    lists: impl Iterator<Item = &'l RevocationList>,
    certificate: &[u8],
    grace: SignedDuration,
    now: Timestamp,
) -> Standing {
    let Ok((_, x509)) = X509Certificate::from_der(certificate) else { return Standing::Unknown };
    let mut standing = Standing::Unknown;
    for list in lists.filter(|list| list.speaks_for(&x509)) {
        match list.parsed.find_serial(x509.raw_serial()) {
            // A revocation is for good, however old the list is.
            Ok(Some(_)) => return Standing::Revoked,
            Ok(None) if now < list.next_update.saturating_add(grace).unwrap_or(Timestamp::MAX) => standing = Standing::Good,
            _ => {}
        }
    }
    standing
}

/// Whether `authority` signed `list`, whose bytes are `der`.
fn signed_by_authority(der: &[u8], list: &CertificateRevocationList<'_>, authority: &X509Certificate<'_>) -> Option<bool> {
    if authority.key_usage().ok()?.is_some_and(|usage| !usage.value.crl_sign()) {
        return None;
    }
    let (_, outer) = Sequence::from_der(der).ok()?;
    let (after_content, _) = Sequence::from_der(&outer.content).ok()?;
    let (_, algorithm) = Sequence::from_der(after_content).ok()?;
    let (content, signature) = (list.tbs_cert_list.as_ref(), &list.signature_value.data);
    Some(signed_by(authority.public_key().raw, &algorithm.content, content, signature))
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint,
        IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
    };

    use super::*;

    /// Whether a list for one address covers a certificate that names another.
    fn covered(list: &str, certificate: &str) -> bool {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![certificate.to_owned()] }];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
        let der = params.self_signed(&key).unwrap();
        let made = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2026, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: Some(CrlIssuingDistributionPoint {
                distribution_point: CrlDistributionPoint { uris: vec![list.to_owned()] },
                scope: None,
            }),
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let made = made.signed_by(&Issuer::from_params(&params, &key)).unwrap();
        let (_, list) = CertificateRevocationList::from_der(made.der()).unwrap();
        let (_, certificate) = X509Certificate::from_der(der.der()).unwrap();
        Scope::of(&list).covers(&certificate)
    }

    #[test]
    fn a_list_belongs_to_a_certificate_that_spells_its_address_in_another_way_and_to_no_other() {
        assert!(covered("http://crl.example/ca.crl", "HTTP://CRL.example:80/c%61.crl"));
        assert!(!covered("http://crl.example/ca.crl", "http://crl.example/CA.crl"));
        assert!(!covered("http://crl.example/ca.crl", "https://crl.example/ca.crl"));
    }
}
