//! Messages signed with a certificate: answers of the index (whose Body streams) and of the STS, requests to an STS.

use std::collections::HashSet;

use super::algorithms::Digester;
use super::base64;
use super::c14n::Canonicaliser;
use super::ids::is_id;
use super::key::Certificate;
use super::names::{BASE64, DSIG, WSSE, X509V3};
use super::signed_info::{Transform, bad, children};
use super::verify::{Located, Parts, Profile, locate};
use crate::refusal::{Detail, Refusal};
use crate::soap::document::{Document, Element};
use crate::soap::reading::Reading;
use crate::soap::strict::Token;

/// A message whose signature by a certificate was verified. Only this module makes it.
pub struct VerifiedMessage<'d> {
    certificate: Certificate,
    covered: Vec<Element<'d>>,
    timestamp: Element<'d>,
}

impl<'d> VerifiedMessage<'d> {
    /// The certificate whose key signed.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
    /// Whether the signature covers this very element. Of a Body that streams only [`PendingBody::finish`] says whether
    /// what came is what was covered.
    pub fn covers(&self, element: Element<'d>) -> bool {
        self.covered.contains(&element)
    }
    /// The Timestamp.
    pub fn timestamp(&self) -> Element<'d> {
        self.timestamp
    }
}

/// Verifies a message that carries its own certificate (a request to an STS). Whether that certificate is anybody's is
/// for the caller to ask.
///
/// # Errors
/// As [`super::verify::RequestSignature`], and `SecurityStructure` where there is no certificate.
pub fn verify_with_certificate<'d>(document: &'d Document, parts: &Parts<'d>) -> Result<VerifiedMessage<'d>, Refusal> {
    let located = locate(document, parts, Profile::Certificate)?;
    let der = carried(&located)?
        .ok_or_else(|| bad("beskeden medbringer ikke sit certifikat", "the message does not carry its certificate"))?;
    let certificate = Certificate::from_der(&der).map_err(|error| Refusal::SecurityStructure { what: error.describe() })?;
    if let Some(token) = located.certificate.filter(|token| !located.resolved.contains(token)) {
        return Err(Refusal::SignatureCoverage { part: token.local().to_owned() });
    }
    located.verify_signature(certificate.key(), &located.signature.signed_bytes())?;
    located.verify_digests(None)?;
    let Located { resolved, timestamp, .. } = located;
    Ok(VerifiedMessage { certificate, covered: resolved, timestamp })
}

/// Verifies an answer whose Body is still on its way: everything but Body's digest.
///
/// `document` holds the whole Header and the start tag of Body, closed without content; feed what stands inside Body,
/// and its end tag, to the [`PendingBody`]. The signer must be one of `signers`. That `RelatesTo` is the MessageID asked
/// with, and the Timestamp's time, are for the caller to check.
///
/// # Errors
/// As [`super::verify::RequestSignature`], and `SignatureInvalid` where another than `signers` signed.
pub fn verify_response<'d>(
    document: &'d Document,
    parts: &Parts<'d>,
    signers: &[Certificate],
) -> Result<(VerifiedMessage<'d>, PendingBody), Refusal> {
    let (message, located) = by_pinned(document, parts, signers)?;
    located.verify_digests(Some(parts.body))?;
    let pending = PendingBody::new(&located, parts.body)?;
    Ok((message, pending))
}

/// Verifies an answer that is here as a whole (an answer of the STS).
///
/// # Errors
/// As [`verify_response`], and `DigestMismatch` for Body.
pub fn verify_whole_response<'d>(
    document: &'d Document,
    parts: &Parts<'d>,
    signers: &[Certificate],
) -> Result<VerifiedMessage<'d>, Refusal> {
    let (message, located) = by_pinned(document, parts, signers)?;
    located.verify_digests(None)?;
    Ok(message)
}

fn by_pinned<'d>(
    document: &'d Document,
    parts: &Parts<'d>,
    signers: &[Certificate],
) -> Result<(VerifiedMessage<'d>, Located<'d>), Refusal> {
    let located = locate(document, parts, Profile::Certificate)?;
    // A certificate that the answer carries only chooses among those that are pinned, so it is never read; without one each
    // is tried.
    let carried = carried(&located)?;
    let signed = located.signature.signed_bytes();
    let signer = signers
        .iter()
        .filter(|signer| carried.as_ref().is_none_or(|carried| carried == signer.der()))
        .find(|signer| located.signature.is_by(signer.key(), &signed))
        .ok_or_else(|| Refusal::SignatureInvalid { of: Detail::new("svarets signatur", "the answer's signature") })?;
    let message =
        VerifiedMessage { certificate: signer.clone(), covered: located.resolved.clone(), timestamp: located.timestamp };
    Ok((message, located))
}

/// The certificate that KeyInfo leads to inside the message, if it leads to one, in DER.
fn carried(located: &Located<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(key_info) = located.signature.key_info else { return Ok(None) };
    let mut parts = children(key_info)?;
    let (Some(first), None) = (parts.next(), parts.next()) else {
        return Err(bad("KeyInfo har ikke netop én del", "KeyInfo does not have one part"));
    };
    let mut inner = children(first)?;
    let (Some(part), None) = (inner.next(), inner.next()) else {
        return Err(bad("KeyInfo udpeger ikke netop én nøgle", "KeyInfo does not name one key"));
    };
    let text = match (first.namespace(), first.local(), part.namespace(), part.local()) {
        (WSSE, "SecurityTokenReference", WSSE, "Reference") => {
            let id = part.attribute("", "URI").and_then(|uri| uri.strip_prefix('#'));
            let token = id.and_then(|id| located.ids.get(id)).filter(|token| located.certificate == Some(*token));
            let token = token.ok_or_else(|| {
                bad(
                    "KeyInfo henviser ikke til BinarySecurityToken i Security",
                    "KeyInfo does not lead to the BinarySecurityToken in Security",
                )
            })?;
            let encoding = token.attribute("", "EncodingType");
            if token.attribute("", "ValueType") != Some(X509V3) || encoding.is_some_and(|encoding| encoding != BASE64) {
                return Err(bad(
                    "BinarySecurityToken er ikke netop ét X.509-certifikat i base64",
                    "the BinarySecurityToken is not one X.509 certificate in base64",
                ));
            }
            token.text()
        }
        (DSIG, "X509Data", DSIG, "X509Certificate") => part.text(),
        // A thumbprint, an issuer and serial number: names for a key that only a pinned certificate can answer.
        (WSSE, "SecurityTokenReference", WSSE, "KeyIdentifier") | (WSSE, "SecurityTokenReference", DSIG, "X509Data") => {
            return Ok(None);
        }
        _ => {
            return Err(bad(
                "KeyInfo er hverken en SecurityTokenReference eller et X509Certificate",
                "KeyInfo is neither a SecurityTokenReference nor an X509Certificate",
            ));
        }
    };
    text.and_then(|text| base64::decode(&text))
        .map(Some)
        .ok_or_else(|| bad("certifikatet er ikke base64", "the certificate is not base64"))
}

/// The digest of a Body that streams.
pub struct PendingBody {
    canonicaliser: Canonicaliser<Digester>,
    value: Vec<u8>,
    mismatch: Refusal,
    /// The ids of the Header: Body may not use one again.
    ids: HashSet<Box<str>>,
}

/// The proof that all of Body was fed and its digest matched. Only [`PendingBody::finish`] makes it.
#[derive(Debug)]
pub struct VerifiedBody(());

impl PendingBody {
    fn new(located: &Located<'_>, body: Element<'_>) -> Result<Self, Refusal> {
        let pair = located.signature.references.iter().zip(&located.resolved).find(|(_, element)| **element == body);
        let (reference, method) = match pair {
            Some((reference, _)) => match &reference.transform {
                Transform::Exclusive(method) => (reference, method),
                _ => return Err(bad("Body er ikke kanoniseret med exc-c14n", "Body is not canonicalised by exc-c14n")),
            },
            None => return Err(Refusal::SignatureCoverage { part: "Body".into() }),
        };
        if body.elements().next().is_some() || body.has_stray_text() {
            return Err(bad("Body forekommer tidligere i beskeden end forventet", "Body was to come, and is here already"));
        }
        let mut canonicaliser = Canonicaliser::new(method.clone(), reference.digest());
        canonicaliser.start_element(body);
        Ok(Self {
            canonicaliser,
            value: reference.value().to_vec(),
            mismatch: reference.mismatch("Body"),
            ids: located.ids.names().map(Box::from).collect(),
        })
    }

    /// Takes the next token inside Body, its end tag included. What follows Body is passed over, unless it is content.
    ///
    /// # Errors
    /// `CommentRefused`, `DuplicateId`, and `SecurityStructure` for an element behind Body.
    #[inline]
    pub fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal> {
        self.take(token, read).map_err(|refusal| *refusal)
    }

    /// A refusal is large and rare, and so stands aside: an answer has thousands of tokens.
    fn take(&mut self, token: Token, read: &impl Reading) -> Result<(), Box<Refusal>> {
        match token {
            Token::Comment => {
                return Err(Refusal::CommentRefused { place: Detail::new("det signerede svar", "the signed answer") }.into());
            }
            Token::Start | Token::Empty | Token::Leaf => {
                if self.canonicaliser.depth() == 0 {
                    return Err(bad("der er et element efter Body", "there is an element behind Body").into());
                }
                if read.has_attributes() && read.attributes().any(|a| is_id(a.local) && self.ids.contains(a.value)) {
                    return Err(Refusal::DuplicateId.into());
                }
            }
            _ => {}
        }
        if self.canonicaliser.depth() > 0 {
            self.canonicaliser.gather(token, read);
        }
        Ok(())
    }

    /// To be called before the reader takes more bytes: digests those that it has.
    pub fn settle(&mut self, read: &impl Reading) {
        self.canonicaliser.settle(read);
    }

    /// Compares the digest, once Body has ended.
    ///
    /// # Errors
    /// `DigestMismatch`, also where Body has not ended.
    pub fn finish(self) -> Result<VerifiedBody, Refusal> {
        let whole = self.canonicaliser.is_whole();
        match whole && self.canonicaliser.into_sink().finish().as_ref() == self.value {
            true => Ok(VerifiedBody(())),
            false => Err(self.mismatch),
        }
    }
}
