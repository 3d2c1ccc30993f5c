//! The issuers that are trusted, from their SAML metadata or from plain certificates.
//!
//! Trust is configured and never read from a message. An issuer may have several signing certificates at once, so that
//! they can be changed without a pause.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::refusal::Refusal;
use crate::revocation::domain::Domain;
use crate::signature::base64;
use crate::signature::key::{Certificate, KeyError, VerificationKey};
use crate::signature::names::{DSIG, METADATA};
use crate::signature::timestamp::instant;
use crate::signature::verify::verify_metadata;
use crate::soap::document::{Document, Element};
use crate::soap::names::XSI;
use crate::soap::strict::Limits;

const FEDERATION: &str = "http://docs.oasis-open.org/wsfed/federation/200706";
/// How long before a certificate ends there is a warning.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why an issuer cannot be trusted as configured. For operators.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The metadata cannot be read.
    #[error("the metadata cannot be read: {0}")]
    Unreadable(Refusal),
    /// The metadata's signature does not hold.
    #[error("the metadata's signature does not hold: {0}")]
    Signature(Refusal),
    /// Something is missing or wrong.
    #[error("the metadata is not that of a token issuer: {0}")]
    Content(&'static str),
    /// `validUntil` has passed.
    #[error("the metadata was valid until {0}; fetch it again from the issuer")]
    Expired(Timestamp),
    /// A certificate cannot be used.
    #[error("a certificate cannot be used: {0}")]
    Certificate(#[from] KeyError),
}

/// One trusted issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    entity_id: String,
    certificates: Vec<Certificate>,
    /// For each certificate in its place: until when the metadata that names it holds; `None` where nothing ends it.
    until: Vec<Option<Timestamp>>,
    watched: Watched,
}

/// The revocation lists in which an issuer's certificates are looked up. Equal where it is the same trust domain.
#[derive(Debug, Clone, Default)]
struct Watched(Option<Arc<Domain>>);

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().map(Arc::as_ptr) == other.0.as_ref().map(Arc::as_ptr)
    }
}
impl Eq for Watched {}

impl Watched {
    fn stands(&self, certificate: &Certificate, now: Timestamp) -> bool {
        self.0.as_ref().is_none_or(|domain| domain.current().refusal(certificate.der(), now).is_none())
    }
}

impl Issuer {
    /// An issuer known by its entity id and plain certificates.
    ///
    /// # Errors
    /// `Content` where either is missing.
    pub fn from_certificates(entity_id: impl Into<String>, certificates: Vec<Certificate>) -> Result<Self, TrustError> {
        let entity_id = entity_id.into();
        if entity_id.is_empty() {
            return Err(TrustError::Content("there is no entity id"));
        }
        if certificates.is_empty() {
            return Err(TrustError::Content("there is no signing certificate"));
        }
        let until = vec![None; certificates.len()];
        Ok(Self { entity_id, certificates, until, watched: Watched::default() })
    }

    /// This issuer with the certificates of `other` too: the same issuer in a second file, or certificates configured
    /// beside its metadata. Each certificate holds as long as the longer of the two sources lets it.
    fn and(mut self, other: Self) -> Self {
        for (certificate, until) in other.certificates.into_iter().zip(other.until) {
            match self.certificates.iter().position(|known| *known == certificate).and_then(|place| self.until.get_mut(place)) {
                Some(known) => *known = known.zip(until).map(|(one, other)| one.max(other)),
                None => {
                    self.certificates.push(certificate);
                    self.until.push(until);
                }
            }
        }
        self
    }

    /// Reads an EntityDescriptor with an IDPSSODescriptor or a RoleDescriptor of type SecurityTokenServiceType; its
    /// signing keys are those of KeyDescriptors with `use="signing"` or without `use`.
    ///
    /// `signers`: the keys that must have signed it, or `None` where the file itself is trusted (it came by hand).
    ///
    /// # Errors
    /// See [`TrustError`].
    pub fn from_metadata(xml: Bytes, signers: Option<&[VerificationKey]>, now: Timestamp) -> Result<Self, TrustError> {
        let document = Document::parse(xml, &Limits::default()).map_err(TrustError::Unreadable)?;
        let entity = document.root();
        if !entity.is(METADATA, "EntityDescriptor") {
            return Err(TrustError::Content("the root is not an EntityDescriptor of SAML 2.0 metadata"));
        }
        if let Some(signers) = signers {
            verify_metadata(entity, signers).map_err(TrustError::Signature)?;
        }
        let entity_id = entity.attribute("", "entityID").unwrap_or("");
        let mut valid_until = valid_until(entity)?;
        let mut certificates: Vec<Certificate> = Vec::new();
        for role in entity.elements().filter(|element| is_issuer_role(*element)) {
            valid_until = match (valid_until, self::valid_until(role)?) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            for descriptor in role.named(METADATA, "KeyDescriptor") {
                if matches!(descriptor.attribute("", "use"), None | Some("signing")) {
                    for certificate in key_certificates(descriptor)? {
                        if !certificates.contains(&certificate) {
                            certificates.push(certificate);
                        }
                    }
                }
            }
        }
        if let Some(until) = valid_until.filter(|until| *until <= now) {
            return Err(TrustError::Expired(until));
        }
        let until = vec![valid_until; certificates.len()];
        Ok(Self { until, ..Self::from_certificates(entity_id, certificates)? })
    }

    /// The entity id, which every token's Issuer must equal.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// All signing certificates, valid today or not.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The keys that may verify a token now: none of a certificate outside its validity, none that is revoked, and none
    /// whose metadata has ended.
    pub fn keys(&self, now: Timestamp) -> Vec<VerificationKey> {
        self.keys_at(now).cloned().collect()
    }

    /// Whether `key` is among [`Issuer::keys`].
    pub fn trusts(&self, key: &VerificationKey, now: Timestamp) -> bool {
        self.keys_at(now).any(|known| known == key)
    }

    fn keys_at(&self, now: Timestamp) -> impl Iterator<Item = &VerificationKey> {
        let holds = self.until.iter().map(move |until| until.is_none_or(|until| now < until));
        let valid = self.certificates.iter().zip(holds).filter(move |(certificate, holds)| *holds && certificate.valid_at(now));
        valid
            .map(|(certificate, _)| certificate)
            .filter(move |certificate| self.watched.stands(certificate, now))
            .map(Certificate::key)
    }

    /// What an operator should know about the certificates' and the metadata's validity; empty when all is well.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut say = |what: &str, until: Timestamp| match until.duration_since(now) {
            left if left <= SignedDuration::ZERO => {
                warnings.push(format!("issuer {}: {what} ended {until} and is not used", self.entity_id));
            }
            left if left < WARN_BEFORE => warnings.push(format!("issuer {}: {what} ends {until}", self.entity_id)),
            _ => {}
        };
        if let Some(until) = self.until.iter().flatten().min() {
            say("the metadata", *until);
        }
        for certificate in &self.certificates {
            let name = format!("the signing certificate {}", certificate.thumbprint_hex());
            say(&name, certificate.not_after());
        }
        for certificate in self.certificates.iter().filter(|certificate| now < certificate.not_before()) {
            let from = certificate.not_before();
            warnings.push(format!(
                "issuer {}: the signing certificate {} is not used before {from}",
                self.entity_id,
                certificate.thumbprint_hex()
            ));
        }
        warnings
    }
}

fn is_issuer_role(role: Element<'_>) -> bool {
    let is_sts = |name: &str| {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        local == "SecurityTokenServiceType" && role.namespace_of(prefix) == Some(FEDERATION)
    };
    role.is(METADATA, "IDPSSODescriptor")
        || (role.is(METADATA, "RoleDescriptor") && role.attribute(XSI, "type").is_some_and(is_sts))
}

fn valid_until(element: Element<'_>) -> Result<Option<Timestamp>, TrustError> {
    match element.attribute("", "validUntil") {
        None => Ok(None),
        Some(text) => instant(text).map(Some).ok_or(TrustError::Content("validUntil is not a dateTime with a zone")),
    }
}

fn key_certificates(descriptor: Element<'_>) -> Result<Vec<Certificate>, TrustError> {
    let infos = descriptor.named(DSIG, "KeyInfo").flat_map(|info| info.named(DSIG, "X509Data"));
    infos
        .flat_map(|data| data.named(DSIG, "X509Certificate"))
        .map(|element| {
            let der = element.text().and_then(|text| base64::decode(&text));
            Ok(Certificate::from_der(&der.ok_or(TrustError::Content("an X509Certificate is not base64"))?)?)
        })
        .collect()
}

/// All trusted issuers.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    issuers: Vec<Issuer>,
}

impl Trust {
    /// Trust in these; what is given of one entity id in several places is one issuer.
    pub fn new(issuers: Vec<Issuer>) -> Self {
        let mut one_each: Vec<Issuer> = Vec::new();
        for issuer in issuers {
            match one_each.iter().position(|known| known.entity_id == issuer.entity_id) {
                Some(place) => {
                    let known = one_each.remove(place);
                    one_each.insert(place, known.and(issuer));
                }
                None => one_each.push(issuer),
            }
        }
        Self { issuers: one_each }
    }
    /// The same, the issuers' certificates looked up in the revocation lists of `domain`, as they are at each token.
    #[must_use]
    pub fn watched(mut self, domain: &Arc<Domain>) -> Self {
        for issuer in &mut self.issuers {
            issuer.watched = Watched(Some(domain.clone()));
        }
        self
    }
    /// The issuer of exactly this entity id.
    pub fn issuer(&self, entity_id: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.entity_id == entity_id)
    }
    /// All of them.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::stub::pki::{Role, for_tests};

    fn certificate(role: Role) -> Certificate {
        Certificate::from_der(for_tests().credentials(role).unwrap().leaf()).unwrap()
    }

    fn issuer(role: Role, until: Option<Timestamp>) -> Issuer {
        let issuer = Issuer::from_certificates("urn:sts", vec![certificate(role)]).unwrap();
        Issuer { until: vec![until], ..issuer }
    }

    #[test]
    fn what_two_sources_give_of_one_issuer_is_trusted_together_each_as_long_as_its_source_holds() {
        let now = Clock::system().now();
        let soon = now + SignedDuration::from_hours(1);
        let trust = Trust::new(vec![issuer(Role::StsSigning, Some(soon)), issuer(Role::Intruder, None)]);
        assert_eq!(trust.issuers().len(), 1);
        let one = trust.issuer("urn:sts").unwrap();
        let (old, new) = (certificate(Role::StsSigning).key().clone(), certificate(Role::Intruder).key().clone());
        assert_eq!(one.keys(now), [old, new.clone()], "the old and the new one overlap");
        assert_eq!(one.keys(soon), [new], "metadata that has ended takes only its own certificate with it");
    }

    #[test]
    fn a_certificate_that_two_sources_name_holds_as_long_as_the_longer_of_them() {
        let now = Clock::system().now();
        let [soon, later] = [1, 2].map(|hours| now + SignedDuration::from_hours(hours));
        let both = |one, other| Trust::new(vec![issuer(Role::StsSigning, one), issuer(Role::StsSigning, other)]);
        assert_eq!(both(Some(soon), Some(later)).issuers()[0].keys(soon).len(), 1);
        assert_eq!(both(Some(soon), None).issuers()[0].keys(later).len(), 1);
        assert_eq!(both(Some(soon), Some(soon)).issuers()[0].keys(soon).len(), 0);
        assert_eq!(both(None, None).issuers()[0].certificates().len(), 1, "named once");
    }

    #[test]
    fn a_certificate_that_is_revoked_verifies_nothing_new_and_nothing_that_is_remembered() {
        use crate::revocation::domain::{Domain, DomainSettings, Keeping, Lists, Source, WithoutList};
        use std::time::Duration;
        let (dir, now) = (tempfile::tempdir().unwrap(), Clock::system().now());
        let file = dir.path().join("signers.crl");
        let lists = |revoked: Role, grace: Duration| {
            let (hour, leaf) = (SignedDuration::from_hours(1), for_tests().credentials(revoked).unwrap().leaf());
            std::fs::write(&file, for_tests().revocation_list(&[leaf], now - hour, now + hour).unwrap()).unwrap();
            let interval = Duration::from_secs(1);
            let settings = DomainSettings {
                name: "signers".to_owned(),
                authorities: vec![for_tests().issuing().clone()],
                authorities_setting: "signers.authorities".to_owned(),
                sources: vec![Source::File(file.clone())],
                without_list: WithoutList::Refuse,
                keeping: Arc::new(Keeping { interval, refresh: interval, grace, list_bytes: 1 << 20, cache: None }),
            };
            Lists::at_hand(settings, None, now).unwrap()
        };
        let domain = Arc::new(Domain::new(lists(Role::Intruder, Duration::ZERO)));
        let trust = Trust::new(vec![issuer(Role::StsSigning, None)]).watched(&domain);
        let (one, key) = (trust.issuer("urn:sts").unwrap(), certificate(Role::StsSigning).key().clone());
        assert_eq!(one.keys(now), std::slice::from_ref(&key));
        assert!(one.trusts(&key, now), "what a remembered token is judged by");

        let overdue = now + SignedDuration::from_hours(1);
        assert!(one.keys(overdue).is_empty() && !one.trusts(&key, overdue), "the list is overdue");
        domain.replace(lists(Role::Intruder, Duration::from_secs(60)));
        assert!(one.trusts(&key, overdue), "a minute of grace");
        assert!(!one.trusts(&key, overdue + SignedDuration::from_mins(1)), "and no more");

        domain.replace(lists(Role::StsSigning, Duration::ZERO));
        assert!(one.keys(now).is_empty() && !one.trusts(&key, now), "the list names it");
    }
}
