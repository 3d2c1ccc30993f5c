//! Reading a `ds:Signature` strictly: what a lenient reader passes over is where attackers put the second SignedInfo,
//! the second DigestValue or the comment inside it (CVE-2025-29774, CVE-2025-29775).

use super::algorithms::{DigestAlgorithm, Digester, SignatureAlgorithm, not_allowed};
use super::base64;
use super::c14n::{Exclusive, canonicalise, room_for};
use super::key::VerificationKey;
use super::names::{DSIG, ENVELOPED, EXC_C14N, STR_TRANSFORM, WSSE};
use crate::refusal::{Detail, Refusal};
use crate::soap::document::Element;

/// References of one signature. Honest messages have eight.
const MAX_REFERENCES: usize = 32;
/// For how many there is room at once.
const USUAL_REFERENCES: usize = 8;
/// Prefixes of one PrefixList.
const MAX_PREFIXES: usize = 32;

/// The transform chains there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transform {
    /// exc-c14n.
    Exclusive(Exclusive),
    /// enveloped-signature, then exc-c14n.
    Enveloped(Exclusive),
    /// STR-Transform with exc-c14n: the token behind the reference.
    Token(Exclusive),
}

/// One `ds:Reference`.
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub struct Reference<'d> {
    /// The id behind `#`.
    pub id: &'d str,
    pub transform: Transform,
    digest: DigestAlgorithm,
    value: Vec<u8>,
}

/// A digest that was found to be a token's: of this value, by this algorithm, over this canonical form. Only
/// `Reference::check_token` makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDigest {
    method: Exclusive,
    digest: DigestAlgorithm,
    value: Vec<u8>,
}

/// One `ds:Signature`, read but not verified.
#[derive(Debug)]
pub struct Signature<'d> {
    signed_info: Element<'d>,
    method: Exclusive,
    algorithm: SignatureAlgorithm,
    value: Vec<u8>,
    /// At least one.
    pub references: Vec<Reference<'d>>,
    /// KeyInfo, if there is one.
    pub key_info: Option<Element<'d>>,
}

pub(super) fn bad(da: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::SecurityStructure { what: Detail::new(da, en) }
}

/// The child elements, where there is no text beside them.
pub(super) fn children<'d>(element: Element<'d>) -> Result<impl Iterator<Item = Element<'d>> + use<'d>, Refusal> {
    match element.has_stray_text() {
        true => Err(bad(
            format!("tekst mellem delene af {}", element.local()),
            format!("text between the parts of {}", element.local()),
        )),
        false => Ok(element.elements()),
    }
}

fn take<'d>(children: &mut impl Iterator<Item = Element<'d>>, local: &str) -> Result<Element<'d>, Refusal> {
    children.next().filter(|child| child.is(DSIG, local)).ok_or_else(|| {
        bad(format!("{local} mangler eller står ikke på sin plads"), format!("{local} is missing or out of its order"))
    })
}

fn end<'d>(mut children: impl Iterator<Item = Element<'d>>, of: &str) -> Result<(), Refusal> {
    match children.next() {
        None => Ok(()),
        Some(_) => Err(bad(format!("{of} har en overflødig del"), format!("{of} has a part too many"))),
    }
}

fn algorithm<'d>(element: Element<'d>) -> Result<&'d str, Refusal> {
    let local = element.local();
    match element.attributes().all(|attribute| attribute.namespace.is_empty() && attribute.local == "Algorithm") {
        true => element
            .attribute("", "Algorithm")
            .ok_or_else(|| bad(format!("{local} angiver ingen Algorithm"), format!("{local} names no Algorithm"))),
        false => Err(bad(
            format!("{local} har en attribut, der ikke hører til"),
            format!("{local} has an attribute that does not belong there"),
        )),
    }
}

fn bytes(element: Element<'_>) -> Result<Vec<u8>, Refusal> {
    // `text` refuses elements, comments and CDATA inside; base64 refuses every other character.
    let value = element.text().and_then(|text| base64::decode(&text)).filter(|value| !value.is_empty());
    value.ok_or_else(|| bad(format!("{} er ikke base64", element.local()), format!("{} is not base64", element.local())))
}

/// The PrefixList of a method or transform whose algorithm must be exclusive canonicalisation without comments.
fn exclusive(element: Element<'_>) -> Result<Exclusive, Refusal> {
    let name = algorithm(element)?;
    if name != EXC_C14N {
        return Err(not_allowed(name));
    }
    let mut parts = children(element)?;
    let Some(list) = parts.next() else { return Ok(Exclusive::new()) };
    end(parts, element.local())?;
    let prefixes = list.attribute("", "PrefixList").unwrap_or("");
    if !list.is(EXC_C14N, "InclusiveNamespaces") || list.attributes().count() != 1 || !list.is_empty() {
        return Err(bad(
            "en kanonisering har en anden parameter end InclusiveNamespaces/@PrefixList",
            "a canonicalisation has another parameter than InclusiveNamespaces/@PrefixList",
        ));
    }
    if prefixes.split_whitespace().count() > MAX_PREFIXES {
        return Err(bad("en PrefixList er for lang", "a PrefixList is longer than any honest one"));
    }
    Ok(Exclusive::with_prefixes(prefixes))
}

fn no_parameters(element: Element<'_>) -> Result<(), Refusal> {
    end(children(element)?, element.local())
}

fn transform(transforms: Element<'_>) -> Result<Transform, Refusal> {
    if !transforms.is(DSIG, "Transforms") || transforms.attributes().next().is_some() {
        return Err(bad("en Reference har ingen Transforms", "a Reference has no Transforms"));
    }
    let mut chain = children(transforms)?;
    let first = take(&mut chain, "Transform")?;
    let read = match algorithm(first)? {
        EXC_C14N => Transform::Exclusive(exclusive(first)?),
        ENVELOPED => {
            no_parameters(first)?;
            Transform::Enveloped(exclusive(take(&mut chain, "Transform")?)?)
        }
        STR_TRANSFORM => {
            let mut parameters = children(first)?;
            let parameter = parameters.next().filter(|child| child.is(WSSE, "TransformationParameters")).ok_or_else(|| {
                bad("STR-Transform har ingen TransformationParameters", "the STR-Transform has no TransformationParameters")
            })?;
            end(parameters, "Transform")?;
            let mut methods = children(parameter)?;
            let method = exclusive(take(&mut methods, "CanonicalizationMethod")?)?;
            end(methods, "TransformationParameters")?;
            Transform::Token(method)
        }
        other => return Err(not_allowed(other)),
    };
    match chain.next() {
        None => Ok(read),
        Some(_) => Err(bad(
            "en kæde af transformationer, der hverken er exc-c14n, enveloped-signature + exc-c14n eller STR-Transform",
            "a chain of transforms that is not exc-c14n, enveloped-signature + exc-c14n, or STR-Transform",
        )),
    }
}

fn reference(element: Element<'_>) -> Result<Reference<'_>, Refusal> {
    if !element.is(DSIG, "Reference") {
        return Err(bad("SignedInfo rummer andet end Reference", "SignedInfo holds something else than References"));
    }
    if !element.attributes().all(|a| a.namespace.is_empty() && matches!(a.local, "URI" | "Id")) {
        return Err(bad(
            "en Reference har en attribut, der ikke hører til",
            "a Reference has an attribute that does not belong there",
        ));
    }
    let id = element.attribute("", "URI").and_then(|uri| uri.strip_prefix('#')).filter(|id| !id.is_empty());
    let id =
        id.ok_or_else(|| bad("en Reference udpeger ikke et element ved #id", "a Reference does not name an element by #id"))?;
    let mut parts = children(element)?;
    let transform =
        transform(parts.next().ok_or_else(|| bad("en Reference har ingen Transforms", "a Reference has no Transforms"))?)?;
    let method = take(&mut parts, "DigestMethod")?;
    let digest = DigestAlgorithm::from_uri(algorithm(method)?)?;
    no_parameters(method)?;
    let value = bytes(take(&mut parts, "DigestValue")?)?;
    end(parts, "Reference")?;
    Ok(Reference { id, transform, digest, value })
}

impl<'d> Signature<'d> {
    /// Reads a `ds:Signature`: SignedInfo, SignatureValue, perhaps KeyInfo, in that order and nothing else (an Object
    /// is where wrapped elements hide).
    ///
    /// # Errors
    /// `SecurityStructure` and `SignatureAlgorithm`.
    pub fn read(signature: Element<'d>) -> Result<Self, Refusal> {
        let mut parts = children(signature)?;
        let signed_info = take(&mut parts, "SignedInfo")?;
        let value = bytes(take(&mut parts, "SignatureValue")?)?;
        let key_info = parts.next();
        if key_info.is_some_and(|part| !part.is(DSIG, "KeyInfo")) {
            return Err(bad(
                "en Signature har andre dele end SignedInfo, SignatureValue og KeyInfo",
                "a Signature has another part than SignedInfo, SignatureValue and KeyInfo",
            ));
        }
        end(parts, "Signature")?;

        let mut parts = children(signed_info)?;
        let method = exclusive(take(&mut parts, "CanonicalizationMethod")?)?;
        let signature_method = take(&mut parts, "SignatureMethod")?;
        let algorithm = SignatureAlgorithm::from_uri(algorithm(signature_method)?)?;
        no_parameters(signature_method)?;
        let mut references = Vec::with_capacity(USUAL_REFERENCES);
        for part in parts {
            if references.len() == MAX_REFERENCES {
                return Err(bad(
                    "en Signature har for mange Reference-elementer",
                    "a Signature has more References than any honest one",
                ));
            }
            references.push(reference(part)?);
        }
        if references.is_empty() {
            return Err(bad("en Signature har ingen Reference", "a Signature has no Reference"));
        }
        Ok(Self { signed_info, method, algorithm, value, references, key_info })
    }

    /// SignedInfo as it was signed. Made once, also when several keys are tried.
    pub fn signed_bytes(&self) -> Vec<u8> {
        canonicalise(self.signed_info, &self.method, &[], Vec::with_capacity(room_for(self.signed_info)))
    }

    /// Whether `key` made the signature over `signed`, which is [`Signature::signed_bytes`].
    pub fn is_by(&self, key: &VerificationKey, signed: &[u8]) -> bool {
        key.verifies(self.algorithm, signed, &self.value)
    }
}

impl Reference<'_> {
    /// Whether the digest is that of `element`, without `omit`.
    ///
    /// # Errors
    /// `DigestMismatch`, naming the reference and the part; for an STR-Transform, too, whose digest is
    /// [`Reference::check_token`]'s.
    pub fn check(&self, element: Element<'_>, omit: Option<Element<'_>>) -> Result<(), Refusal> {
        let same = match &self.transform {
            Transform::Exclusive(method) | Transform::Enveloped(method) => {
                let omit = omit.map(|element| element.id());
                canonicalise(element, method, omit.as_slice(), self.digest.context()).finish().as_ref() == self.value
            }
            Transform::Token(_) => false,
        };
        same.then_some(()).ok_or_else(|| self.mismatch(element.local()))
    }

    /// Whether the digest of an STR-Transform is that of `token`. `known`: what this gave before, of the same token among
    /// the same namespaces.
    ///
    /// # Errors
    /// `DigestMismatch`.
    pub fn check_token(&self, token: Element<'_>, known: Option<&TokenDigest>) -> Result<TokenDigest, Refusal> {
        let Transform::Token(method) = &self.transform else { return Err(self.mismatch(token.local())) };
        let claimed = TokenDigest { method: method.clone(), digest: self.digest, value: self.value.clone() };
        if known == Some(&claimed) {
            return Ok(claimed);
        }
        let matches =
            |method: &Exclusive| canonicalise(token, method, &[], self.digest.context()).finish().as_ref() == self.value;
        // WSS4J writes the default namespace on the apex of a token, and passes over a PrefixList; .NET does neither. Both
        // digest all of the token.
        match matches(method) || matches(&Exclusive::new().with_default_on_apex()) {
            true => Ok(claimed),
            false => Err(self.mismatch(token.local())),
        }
    }

    pub(super) fn mismatch(&self, part: &str) -> Refusal {
        let short = |text: &str| text.chars().take(80).collect::<String>();
        Refusal::DigestMismatch { reference: format!("#{}", short(self.id)), part: short(part) }
    }

    pub(super) fn digest(&self) -> Digester {
        self.digest.context()
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }
}
