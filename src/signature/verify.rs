//! Verification by position: what is verified is a place in the message, and that place is used.
//!
//! First structure and coverage, which cost nothing; then the signature over SignedInfo; then the digests. Junk costs a
//! scan, a forged SignedInfo costs one RSA operation and the digests of
//! what it names, each part once: they tell a sender whose message was altered after signing which part it was.
//!
//! Wrapping (XSW 1–8, McIntosh & Austel 2005, CVE-2011-1411) needs a reference that leads somewhere else than where the
//! reader looks. `resolve` lets references lead only to children of Header, to children of Security and to Body, and
//! `cover` demands that the very elements the gateway reads are among them.

pub use super::answer::{
    PendingBody, VerifiedBody, VerifiedMessage, verify_response, verify_whole_response, verify_with_certificate,
};
use super::base64;
use super::ids::Ids;
use super::key::{Certificate, VerificationKey};
use super::names::{BASE64, DSIG, SAML, SAML_ID, SAML_TOKEN, WSA, WSSE, WSSE11, WSU};
pub use super::signed_info::TokenDigest;
use super::signed_info::{Reference, Signature, Transform, bad, children};
use crate::refusal::{Detail, Refusal};
use crate::soap::document::{Document, Element};

/// Where the envelope's parts stand.
#[derive(Debug, Clone)]
pub struct Parts<'d> {
    /// The one Header, first child of the root.
    pub header: Element<'d>,
    /// The one `wsse:Security`, child of Header.
    pub security: Element<'d>,
    /// The one Body, second child of the root.
    pub body: Element<'d>,
    /// Header blocks that the signature must cover beside WS-Addressing's: what the policy of this message lists, such as
    /// Liberty's `Framework`.
    pub must_cover: Vec<Element<'d>>,
}

/// What a message is signed with, which decides how Security is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// The holder-of-key assertion in Security.
    Token,
    /// A certificate; Body may hold assertions (an answer of the STS, a request on behalf of someone).
    Certificate,
}

/// The signature of a message: its structure and coverage are checked, nothing is verified.
pub(super) struct Located<'d> {
    pub(super) signature: Signature<'d>,
    pub(super) resolved: Vec<Element<'d>>,
    pub(super) timestamp: Element<'d>,
    assertion: Option<Element<'d>>,
    pub(super) certificate: Option<Element<'d>>,
    pub(super) ids: Ids<'d>,
}

pub(super) fn locate<'d>(document: &'d Document, parts: &Parts<'d>, profile: Profile) -> Result<Located<'d>, Refusal> {
    if document.has_comments() {
        return Err(Refusal::CommentRefused { place: Detail::new("den signerede besked", "the signed message") });
    }
    if !document.root().elements().eq([parts.header, parts.body]) || parts.security.parent() != Some(parts.header) {
        return Err(bad("Header, Security eller Body står ikke på sin plads", "Header, Security or Body is not in its place"));
    }
    let ids = Ids::of(document)?;

    let (mut timestamp, mut assertion, mut token_reference, mut certificate, mut message_signature) =
        (None, None, None, None, None);
    for child in children(parts.security)? {
        let place = match (child.namespace(), child.local()) {
            (WSU, "Timestamp") => &mut timestamp,
            (DSIG, "Signature") => &mut message_signature,
            (SAML, "Assertion") if profile == Profile::Token => &mut assertion,
            (WSSE, "SecurityTokenReference") if profile == Profile::Token => &mut token_reference,
            (WSSE, "BinarySecurityToken") if profile == Profile::Certificate => &mut certificate,
            (WSSE11, "SignatureConfirmation") if profile == Profile::Certificate => continue,
            (_, local) => {
                return Err(bad(
                    format!("Security indeholder {local}, som ikke hører til der"),
                    format!("Security holds a {local}, which does not belong there"),
                ));
            }
        };
        if place.replace(child).is_some() {
            let local = child.local();
            return Err(bad(format!("to {local}-elementer i Security"), format!("two {local} elements in Security")));
        }
    }
    let timestamp = timestamp.ok_or_else(|| bad("der er ingen Timestamp", "there is no Timestamp"))?;
    let message_signature = message_signature.ok_or_else(|| bad("der er ingen Signature", "there is no Signature"))?;
    if profile == Profile::Token && assertion.is_none() {
        return Err(bad("der er ingen Assertion", "there is no Assertion"));
    }
    only_in_place(parts, profile)?;

    let signature = Signature::read(message_signature)?;
    let mut key_reference = None;
    if let Some(assertion) = assertion {
        if let Some(reference) = token_reference {
            names_assertion(reference, assertion)?;
        }
        let key_info = signature.key_info.ok_or_else(|| bad("Signature har ingen KeyInfo", "the Signature has no KeyInfo"))?;
        let mut info = children(key_info)?;
        match (info.next(), info.next()) {
            (Some(reference), None) if reference.is(WSSE, "SecurityTokenReference") => {
                names_assertion(reference, assertion)?;
                key_reference = Some(reference);
            }
            _ => {
                return Err(bad(
                    "KeyInfo er ikke netop én SecurityTokenReference til Assertion",
                    "KeyInfo is not one SecurityTokenReference to the Assertion",
                ));
            }
        }
    }
    let resolved = signature
        .references
        .iter()
        .map(|reference| resolve(reference, &ids, parts, message_signature, [token_reference, key_reference], assertion))
        .collect::<Result<Vec<_>, _>>()?;
    // The token alone may be covered more than once: through a reference to it and by its own ID, as CXF reads the published
    // policy (SignedSupportingTokens and ProtectTokens). Each is checked.
    let named = || signature.references.iter().map(|reference| reference.id).zip(&resolved);
    let twice = named().enumerate().any(|(n, (id, element))| {
        named().skip(n + 1).any(|(other_id, other)| other_id == id || (other == element && Some(*other) != assertion))
    });
    if twice {
        return Err(bad("to Reference-elementer til samme del", "two References to one part"));
    }
    let located = Located { signature, resolved, timestamp, assertion, certificate, ids };
    located.cover(parts)?;
    Ok(located)
}

/// Security, Timestamp, Assertion and Signature occur nowhere else: a second one is a decoy for some reader.
///
/// A Signature in Body is content (a signed document), and no reader's of ours: the message's is the one child of Security,
/// the token's stands in the token, and no reference leads into Body.
fn only_in_place(parts: &Parts<'_>, profile: Profile) -> Result<(), Refusal> {
    let (mut security, mut timestamps, mut assertions, mut signatures) = (0_usize, 0_usize, 0_usize, 0_usize);
    let body = (profile == Profile::Token).then_some(parts.body);
    for (part, is_body) in [(Some(parts.header), false), (body, true)] {
        for element in part.into_iter().flat_map(|part| part.descendants()) {
            // The local name first: it says of nearly every element that it is none of these.
            let (namespace, found) = match element.local() {
                "Security" => (WSSE, &mut security),
                "Timestamp" => (WSU, &mut timestamps),
                "Assertion" | "EncryptedAssertion" => (SAML, &mut assertions),
                "Signature" if !is_body => (DSIG, &mut signatures),
                _ => continue,
            };
            *found += usize::from(element.namespace() == namespace);
        }
    }
    let tokens = usize::from(profile == Profile::Token);
    let checks = [
        ("Security", security, 1),
        ("Timestamp", timestamps, 1),
        ("Assertion", assertions, tokens),
        ("Signature", signatures, 1 + tokens),
    ];
    match checks.into_iter().find(|(_, found, wanted)| found != wanted) {
        Some((what, found, wanted)) => Err(bad(
            format!("beskeden indeholder {found} {what}-elementer, men skal indeholde {wanted}"),
            format!("the message holds {found} {what} elements where {wanted} is right"),
        )),
        None => Ok(()),
    }
}

/// A SecurityTokenReference that holds one KeyIdentifier with the assertion's ID, and nothing else. An EncodingType says
/// nothing: what is read is the ID itself, letter by letter.
fn names_assertion(reference: Element<'_>, assertion: Element<'_>) -> Result<(), Refusal> {
    let wrong = || {
        bad(
            "en SecurityTokenReference er ikke netop én KeyIdentifier med ID fra Assertion",
            "a SecurityTokenReference is not one KeyIdentifier with the Assertion's ID",
        )
    };
    let mut parts = children(reference)?;
    let identifier = parts.next().filter(|part| part.is(WSSE, "KeyIdentifier")).ok_or_else(wrong)?;
    let mut types = reference.attributes().filter(|attribute| attribute.local == "TokenType");
    let id = identifier.text().ok_or_else(wrong)?;
    let mut attributes = identifier.attributes();
    let named = attributes
        .all(|a| matches!((a.namespace, a.local, a.value), ("", "ValueType", SAML_ID) | ("", "EncodingType", BASE64)))
        && identifier.attribute("", "ValueType").is_some()
        && assertion.attribute("", "ID") == Some(id.trim_matches(crate::soap::strict::is_space));
    match named && parts.next().is_none() && types.all(|kind| kind.value == SAML_TOKEN) {
        true => Ok(()),
        false => Err(wrong()),
    }
}

/// The place that a reference covers: for the STR-Transform the assertion, else the element itself.
///
/// The STR-Transform may be on the SecurityTokenReference in Security (OIO IDWS) or on the one in the Signature's own
/// KeyInfo (WSS4J's way to protect a token): `token_references`, both found by position and known to name the assertion.
fn resolve<'d>(
    reference: &Reference<'d>,
    ids: &Ids<'d>,
    parts: &Parts<'d>,
    message_signature: Element<'d>,
    token_references: [Option<Element<'d>>; 2],
    assertion: Option<Element<'d>>,
) -> Result<Element<'d>, Refusal> {
    let id = || reference.id.chars().take(80).collect::<String>();
    let element = ids.get(reference.id).ok_or_else(|| {
        bad(format!("Reference #{} henviser ikke til noget element", id()), format!("the Reference #{} leads nowhere", id()))
    })?;
    if matches!(reference.transform, Transform::Token(_)) && token_references.contains(&Some(element)) {
        return assertion.ok_or_else(|| bad("en STR-Transform uden en Assertion", "an STR-Transform without an Assertion"));
    }
    let in_place = element == parts.body || element.parent() == Some(parts.header) || element.parent() == Some(parts.security);
    if !in_place || element == parts.security || element == message_signature {
        let (id, local) = (id(), element.local());
        return Err(bad(
            format!("Reference #{id} henviser til {local}, som en signatur ikke må dække"),
            format!("the Reference #{id} leads to {local}, which is no part that a signature may name"),
        ));
    }
    match reference.transform {
        Transform::Exclusive(_) => Ok(element),
        Transform::Token(_) => Err(bad(
            format!("STR-Transform for #{} står ikke på en SecurityTokenReference til tokenet", id()),
            format!("the STR-Transform of #{} is not on a SecurityTokenReference to the token", id()),
        )),
        Transform::Enveloped(_) => Err(bad(
            format!("Reference #{} udelader en signatur, der står et andet sted", id()),
            format!("the Reference #{} leaves out a signature that stands elsewhere", id()),
        )),
    }
}

impl<'d> Located<'d> {
    fn cover(&self, parts: &Parts<'d>) -> Result<(), Refusal> {
        let missing = |part: &str| Refusal::SignatureCoverage { part: part.chars().take(80).collect() };
        let covered = |element| self.resolved.contains(&element);
        let always = parts.header.elements().filter(|block| block.namespace() == WSA);
        let wanted = [parts.body, self.timestamp].into_iter().chain(always).chain(parts.must_cover.iter().copied());
        if let Some(element) = wanted.into_iter().find(|element| !covered(*element)) {
            return Err(missing(element.local()));
        }
        // The token only counts through its reference (OIO IDWS): a bare one would say nothing about what KeyInfo means.
        let through_reference =
            || self.signature.references.iter().any(|reference| matches!(reference.transform, Transform::Token(_)));
        match self.assertion {
            Some(_) if !through_reference() => Err(missing("Assertion")),
            _ => Ok(()),
        }
    }

    pub(super) fn verify_signature(&self, key: &VerificationKey, signed: &[u8]) -> Result<(), Refusal> {
        match self.signature.is_by(key, signed) {
            true => Ok(()),
            false => Err(Refusal::SignatureInvalid { of: Detail::new("beskedens signatur", "the message's signature") }),
        }
    }

    pub(super) fn verify_digests(&self, except: Option<Element<'d>>) -> Result<(), Refusal> {
        let mut digested = self.digested().filter(|(_, element)| except != Some(*element));
        digested.try_for_each(|(reference, element)| reference.check(element, None))
    }

    /// Each reference, and what it covers.
    fn digested(&self) -> impl Iterator<Item = (&Reference<'d>, Element<'d>)> {
        self.signature.references.iter().zip(self.resolved.iter().copied())
    }
}

/// A request with a holder-of-key token, its structure and coverage checked. Nothing is verified yet: the key is found
/// only by reading the assertion, which its issuer must have signed ([`verify_issued`]).
pub struct RequestSignature<'d> {
    located: Located<'d>,
    assertion: Element<'d>,
    body: Element<'d>,
}

impl<'d> RequestSignature<'d> {
    /// Finds the message's Signature and checks what it covers.
    ///
    /// # Errors
    /// `CommentRefused`, `SecurityStructure`, `DuplicateId`, `SignatureAlgorithm`, `SignatureCoverage`.
    pub fn locate(document: &'d Document, parts: &Parts<'d>) -> Result<Self, Refusal> {
        let located = locate(document, parts, Profile::Token)?;
        let assertion = located.assertion.ok_or_else(|| bad("der er ingen Assertion", "there is no Assertion"))?;
        Ok(Self { located, assertion, body: parts.body })
    }

    /// The one assertion of the message.
    pub fn assertion(&self) -> Element<'d> {
        self.assertion
    }

    /// The one Timestamp of the message, to be judged once the message is verified.
    pub fn timestamp(&self) -> Element<'d> {
        self.located.timestamp
    }

    /// Verifies the issuer's signature on the assertion, as [`verify_issued`] does.
    ///
    /// # Errors
    /// `SecurityStructure`, `SignatureAlgorithm`, `TokenIssuerUntrusted`, `DigestMismatch`.
    pub fn verify_assertion(&self, keys: &[VerificationKey]) -> Result<VerifiedAssertion<'d>, Refusal> {
        // That the document has no comment and no id twice was seen when the signature was located.
        let signer = enveloped(self.assertion, keys)?;
        Ok(VerifiedAssertion { assertion: self.assertion, signer })
    }

    /// Verifies the signature with the holder's key, then every digest. `known`: the digest of the assertion in this very
    /// place among these very namespaces, where it was worked out before.
    ///
    /// # Errors
    /// `SignatureInvalid`, `DigestMismatch`.
    pub fn verify(self, holder: &VerificationKey, known: Option<&TokenDigest>) -> Result<VerifiedRequest<'d>, Refusal> {
        if let Err(refusal) = self.located.verify_signature(holder, &self.located.signature.signed_bytes()) {
            return Err(self.altered().unwrap_or(refusal));
        }
        let (mut token_digest, mut body_prefixes) = (None, Vec::new());
        for (reference, element) in self.located.digested() {
            match &reference.transform {
                Transform::Token(_) => token_digest = Some(reference.check_token(element, known)?),
                _ => reference.check(element, None)?,
            }
            if let (true, Transform::Exclusive(method)) = (element == self.body, &reference.transform) {
                body_prefixes = method.prefixes().to_vec();
            }
        }
        let token_digest =
            token_digest.ok_or_else(|| bad("ingen Reference henviser til Assertion", "no Reference leads to the Assertion"))?;
        let Located { resolved, timestamp, .. } = self.located;
        Ok(VerifiedRequest { covered: resolved, timestamp, body: self.body, body_prefixes, token_digest })
    }
}

impl RequestSignature<'_> {
    /// The first part that is not what was signed. A message that was indented after signing has another SignedInfo too; what
    /// its sender can mend is told by the part, and "the wrong key" would mislead.
    fn altered(&self) -> Option<Refusal> {
        let mut digested = self.located.digested();
        digested.find_map(|(reference, element)| match reference.transform {
            Transform::Token(_) => reference.check_token(element, None).err(),
            _ => reference.check(element, None).err(),
        })
    }
}

/// A request whose signature was verified. Only [`RequestSignature::verify`] makes it.
pub struct VerifiedRequest<'d> {
    covered: Vec<Element<'d>>,
    timestamp: Element<'d>,
    body: Element<'d>,
    body_prefixes: Vec<Box<str>>,
    token_digest: TokenDigest,
}

impl<'d> VerifiedRequest<'d> {
    /// Whether the signature covers this very element.
    pub fn covers(&self, element: Element<'d>) -> bool {
        self.covered.contains(&element)
    }
    /// The Timestamp.
    pub fn timestamp(&self) -> Element<'d> {
        self.timestamp
    }
    /// Body.
    pub fn body(&self) -> Element<'d> {
        self.body
    }
    /// The prefixes whose every declaration in Body the signature covers, though no element uses them: its PrefixList.
    pub fn body_prefixes(&self) -> &[Box<str>] {
        &self.body_prefixes
    }
    /// The digest of the assertion, as the signature has it.
    pub fn token_digest(&self) -> &TokenDigest {
        &self.token_digest
    }
}

/// An assertion that one of the given keys signed. Only [`verify_issued`] and [`RequestSignature::verify_assertion`] make it.
#[derive(Clone)]
pub struct VerifiedAssertion<'d> {
    assertion: Element<'d>,
    signer: VerificationKey,
}

impl<'d> VerifiedAssertion<'d> {
    /// The assertion.
    pub fn element(&self) -> Element<'d> {
        self.assertion
    }
    /// The key that made the signature.
    pub fn signer(&self) -> &VerificationKey {
        &self.signer
    }
}

/// Verifies the issuer's enveloped signature on an assertion. What its KeyInfo says is no matter: trust never comes
/// from the message (CVE-2024-32962), only from `keys`.
///
/// # Errors
/// `CommentRefused`, `DuplicateId`, `SecurityStructure`, `SignatureAlgorithm`, `TokenIssuerUntrusted` (no key made the
/// signature), `DigestMismatch`.
pub fn verify_issued<'d>(assertion: Element<'d>, keys: &[VerificationKey]) -> Result<VerifiedAssertion<'d>, Refusal> {
    if !assertion.is(SAML, "Assertion") {
        return Err(bad("tokenet er ikke en Assertion efter SAML 2.0", "the token is no SAML 2.0 Assertion"));
    }
    one_reading(assertion.document())?;
    let signer = enveloped(assertion, keys)?;
    Ok(VerifiedAssertion { assertion, signer })
}

/// Verifies the enveloped signature on signed metadata.
///
/// # Errors
/// As [`verify_issued`].
pub fn verify_metadata(root: Element<'_>, keys: &[VerificationKey]) -> Result<(), Refusal> {
    one_reading(root.document())?;
    enveloped(root, keys).map(|_| ())
}

/// Verifies the enveloped signature that stands directly in `signed`, and gives the key that made it. What else the document
/// holds is for the caller to judge: that it has [`one_reading`], and that no signature and no assertion stands out of place.
///
/// # Errors
/// As [`verify_issued`], but for `CommentRefused` and `DuplicateId`.
pub fn verify_enveloped(signed: Element<'_>, keys: &[VerificationKey]) -> Result<VerificationKey, Refusal> {
    match signed.only(DSIG, "Signature") {
        Ok(Some(signature)) => by(signed, signature, keys),
        _ => Err(not_one(signed)),
    }
}

/// No comment, and no id twice: where there is one, readers disagree about what was signed.
///
/// # Errors
/// `CommentRefused`, `DuplicateId`, `SecurityStructure`.
pub fn one_reading(document: &Document) -> Result<(), Refusal> {
    if document.has_comments() {
        return Err(Refusal::CommentRefused { place: Detail::new("det signerede token", "the signed token") });
    }
    Ids::of(document).map(|_| ())
}

/// Verifies an enveloped signature and gives the key that made it. The document has [`one_reading`].
fn enveloped(signed: Element<'_>, keys: &[VerificationKey]) -> Result<VerificationKey, Refusal> {
    let mut signatures = signed.descendants().filter(|element| element.is(DSIG, "Signature"));
    let signature = match (signatures.next(), signatures.next()) {
        (Some(one), None) if one.parent() == Some(signed) => one,
        _ => return Err(not_one(signed)),
    };
    // An assertion inside an assertion (Advice) is what XSW 3 to 8 are made of.
    if signed.descendants().filter(|element| element.is(SAML, "Assertion")).any(|inner| inner != signed) {
        return Err(bad("Assertion rummer endnu en Assertion", "the Assertion holds another Assertion"));
    }
    by(signed, signature, keys)
}

fn not_one(signed: Element<'_>) -> Refusal {
    let local = signed.local();
    bad(format!("{local} har ikke netop én Signature"), format!("the {local} does not have one Signature of its own"))
}

/// The key that made `signature`, which stands in `signed` and covers it.
fn by(signed: Element<'_>, signature: Element<'_>, keys: &[VerificationKey]) -> Result<VerificationKey, Refusal> {
    let read = Signature::read(signature)?;
    let [reference] = read.references.as_slice() else {
        return Err(bad("tokenets Signature har mere end én Reference", "the token's Signature has more than one Reference"));
    };
    if Some(reference.id) != signed.attribute("", "ID") || !matches!(reference.transform, Transform::Enveloped(_)) {
        return Err(bad(
            "tokenets Signature dækker ikke selve tokenet (enveloped-signature og exc-c14n)",
            "the token's Signature does not cover the token itself (enveloped-signature and exc-c14n)",
        ));
    }
    let bytes = read.signed_bytes();
    let signer = keys.iter().find(|key| read.is_by(key, &bytes));
    // Asked without a signer too: indenting a token changes SignedInfo as well, and "not trusted" would mislead its sender.
    reference.check(signed, Some(signature))?;
    signer.cloned().ok_or_else(|| match read.key_info.is_some_and(|info| names_one_of(info, keys)) {
        true => Refusal::SignatureInvalid { of: Detail::new("tokenets signatur", "the token's signature") },
        false => Refusal::TokenIssuerUntrusted,
    })
}

/// Whether KeyInfo claims one of these keys. It says nothing of trust; it tells a signature that does not hold from one of
/// another issuer, and both are refused.
fn names_one_of(key_info: Element<'_>, keys: &[VerificationKey]) -> bool {
    let named = key_info.descendants().filter(|element| element.is(DSIG, "X509Certificate")).take(4);
    let ders = named.filter_map(|element| element.text().and_then(|text| base64::decode(&text)));
    ders.filter_map(|der| Certificate::from_der(&der).ok()).any(|certificate| keys.contains(certificate.key()))
}
