//! Who calls the index: an OIO IDWS client, whose token and message the index verifies with a reading of its own.

use jiff::{SignedDuration, Timestamp};

use crate::signature::base64;
use crate::signature::key::{Certificate, VerificationKey};
use crate::signature::names::{DSIG, SAML, WSA, WSSE};
use crate::signature::timestamp::{self, TimeRules, instant};
use crate::signature::verify::{Parts, RequestSignature, verify_issued};
use crate::soap::document::{Document, Element};
use crate::stub::soap::{Envelope, header};

/// Whom the index believes.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The `Issuer` of tokens.
    pub issuer: String,
    /// The certificates that tokens are signed with.
    pub signers: Vec<Certificate>,
    /// The index's own entity id: what tokens must be for.
    pub entity_id: String,
}

/// A caller whose token and message hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The authority's CVR number.
    pub cvr: String,
    /// The request's `MessageID`.
    pub message_id: String,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// The token has run out: told in an answer, status 41, as the index does.
    Expired,
    /// Anything else: a fault.
    Refused(String),
}

fn refused(reason: impl Into<String>) -> Stranger {
    Stranger::Refused(reason.into())
}

/// Verifies token and message.
///
/// # Errors
/// [`Stranger`].
pub fn authenticate(
    document: &Document,
    envelope: &Envelope<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Caller, Stranger> {
    let body = envelope.payload.parent().ok_or_else(|| refused("Body mangler"))?;
    let security = one(envelope.header, WSSE, "Security")?;
    let parts = Parts { header: envelope.header, security, body, must_cover: vec![] };
    let signature = RequestSignature::locate(document, &parts).map_err(|refusal| refused(refusal.code()))?;
    let keys: Vec<VerificationKey> = trust.signers.iter().map(|signer| signer.key().clone()).collect();
    let assertion = verify_issued(signature.assertion(), &keys).map_err(|refusal| refused(refusal.code()))?.element();

    if text(one(assertion, SAML, "Issuer")?)? != trust.issuer {
        return Err(refused("tokenets udsteder kendes ikke"));
    }
    let conditions = one(assertion, SAML, "Conditions")?;
    if text(one(one(conditions, SAML, "AudienceRestriction")?, SAML, "Audience")?)? != trust.entity_id {
        return Err(refused("tokenet er til en anden service"));
    }
    let bound = |name| conditions.attribute("", name).and_then(instant).ok_or_else(|| refused("tokenet har ingen gyldighed"));
    if bound("NotOnOrAfter")? <= now {
        return Err(Stranger::Expired);
    }
    if bound("NotBefore")? > now.checked_add(SignedDuration::from_secs(60)).unwrap_or(now) {
        return Err(refused("tokenet gælder ikke endnu"));
    }
    let confirmation = one(one(assertion, SAML, "Subject")?, SAML, "SubjectConfirmation")?;
    if confirmation.attribute("", "Method") != Some("urn:oasis:names:tc:SAML:2.0:cm:holder-of-key") {
        return Err(refused("tokenet er ikke holder-of-key"));
    }
    let key_info = one(one(confirmation, SAML, "SubjectConfirmationData")?, DSIG, "KeyInfo")?;
    let holder = text(one(one(key_info, DSIG, "X509Data")?, DSIG, "X509Certificate")?)?;
    let holder = base64::decode(&holder).and_then(|der| Certificate::from_der(&der).ok());
    let holder = holder.ok_or_else(|| refused("tokenets certifikat kan ikke læses"))?;
    let verified = signature.verify(holder.key()).map_err(|refusal| refused(refusal.code()))?;

    timestamp::check(verified.timestamp(), &TimeRules::default(), now)
       .map_err(|refusal| refused(refusal.code()))?;
    let message_id = header(envelope, WSA, "MessageID").ok_or_else(|| refused("MessageID mangler"))?;
    if header(envelope, WSA, "Action").as_deref() != Some(super::names::SEARCH) {
        return Err(refused("Action er ikke fremsoeg"));
    }
    let attributes = one(assertion, SAML, "AttributeStatement")?;
    let cvr = attributes
        .named(SAML, "Attribute")
        .find(|attribute| attribute.attribute("", "Name") == Some("dk:gov:saml:attribute:CvrNumberIdentifier"))
        .ok_or_else(|| refused("tokenet nævner ingen myndighed"))?;
    Ok(Caller { cvr: text(one(cvr, SAML, "AttributeValue")?)?, message_id })
}

fn one<'d>(parent: Element<'d>, namespace: &str, local: &str) -> Result<Element<'d>, Stranger> {
    parent.only(namespace, local).ok().flatten().ok_or_else(|| refused(format!("{local} mangler eller er der to gange")))
}

fn text(element: Element<'_>) -> Result<String, Stranger> {
    let text = element.text().ok_or_else(|| refused(format!("{} er ikke ren tekst", element.local())))?;
    Ok(text.trim_matches(crate::soap::strict::is_space).to_owned())
}
