//! Fills in digests and signatures where a message has placeholders, by what its own SignedInfo says.

use bytes::Bytes;
use hjemmel::signature::algorithms::DigestAlgorithm;
use hjemmel::signature::base64;
use hjemmel::signature::c14n::{Exclusive, canonicalise};
use hjemmel::signature::ids::Ids;
use hjemmel::signature::names::{DSIG, ENVELOPED, EXC_C14N, SAML, STR_TRANSFORM, WSU};
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::strict::Limits;

use crate::parties::Party;

/// What stands where a DigestValue or a SignatureValue is to be filled in.
pub const DIGEST: &str = "@digest@";
pub const VALUE: &str = "@signature@";

/// The canonical form of a token behind an STR-Transform.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TokenForm {
    /// With `xmlns=""` on the apex and without a PrefixList, as WSS4J has it.
    Wss4j,
    /// As the transform says, as .NET has it.
    Plain,
}

pub fn parse(xml: &str) -> Option<Document> {
    Document::parse(Bytes::copy_from_slice(xml.as_bytes()), &Limits::default()).ok()
}

pub fn signatures(document: &Document) -> Vec<Element<'_>> {
    document.elements().filter(|element| element.is(DSIG, "Signature")).collect()
}

/// Whether this is the signature on a token or on metadata, and not a message's.
pub fn is_issuers(signature: Element<'_>) -> bool {
    signature.parent().is_some_and(|parent| parent.local() != "Security")
}

fn prefix_list<'d>(method: Element<'d>) -> Option<&'d str> {
    method.named(EXC_C14N, "InclusiveNamespaces").next()?.attribute("", "PrefixList")
}

fn method(list: Option<&str>) -> Exclusive {
    list.map_or_else(Exclusive::new, Exclusive::with_prefixes)
}

fn digest(document: &Document, signature: Element<'_>, reference: Element<'_>, form: TokenForm) -> Option<String> {
    let ids = Ids::of(document).ok()?;
    let target = ids.get(reference.attribute("", "URI")?.strip_prefix('#')?)?;
    let transforms: Vec<_> = reference.named(DSIG, "Transforms").next()?.named(DSIG, "Transform").collect();
    let name = |at: usize| transforms.get(at).and_then(|transform| transform.attribute("", "Algorithm"));
    let algorithm = reference.named(DSIG, "DigestMethod").next()?.attribute("", "Algorithm")?;
    let context = DigestAlgorithm::from_uri(algorithm).ok()?.context();
    let digested = match name(0)? {
        ENVELOPED => canonicalise(target, &method(prefix_list(*transforms.get(1)?)), &[signature.id()], context),
        STR_TRANSFORM => {
            let inner = transforms[0].descendants().find(|element| element.is(DSIG, "CanonicalizationMethod"))?;
            let token = document.elements().find(|element| element.is(SAML, "Assertion"))?;
            let form = match form {
                TokenForm::Wss4j => Exclusive::new().with_default_on_apex(),
                TokenForm::Plain => method(prefix_list(inner)),
            };
            canonicalise(token, &form, &[], context)
        }
        _ => canonicalise(target, &method(prefix_list(transforms[0])), &[], context),
    };
    Some(base64::encode(digested.finish().as_ref()))
}

/// Whether the token is digested in .NET's form alone, which WSS4J does not know.
pub fn is_plain_only(xml: &str) -> Option<bool> {
    let document = parse(xml)?;
    let signature = signatures(&document).into_iter().find(|signature| !is_issuers(*signature))?;
    let info = signature.named(DSIG, "SignedInfo").next()?;
    let of_token = |reference: &Element<'_>| reference.descendants().any(|e| e.attribute("", "Algorithm") == Some(STR_TRANSFORM));
    let reference = info.named(DSIG, "Reference").find(of_token)?;
    let value = reference.named(DSIG, "DigestValue").next()?.text()?;
    let holds = |form| Some(digest(&document, signature, reference, form)?.as_str() == value.trim());
    Some(holds(TokenForm::Plain)? && !holds(TokenForm::Wss4j)?)
}

/// Whether each certificate in the message has a `wsu:Id`.
pub fn is_certificate_named(xml: &str) -> Option<bool> {
    let document = parse(xml)?;
    Some(document.elements().filter(|e| e.local() == "BinarySecurityToken").all(|e| e.attribute(WSU, "Id").is_some()))
}

fn replace(xml: &str, element: Element<'_>, from: &str, to: &str) -> String {
    let range = element.source_range();
    format!("{}{}{}", &xml[..range.start], xml[range.clone()].replacen(from, to, 1), &xml[range.end..])
}

/// Fills every placeholder: digests in their order, then the signature; tokens before the message that holds them.
pub fn seal(mut xml: String, issuer: &Party, holder: &Party, form: TokenForm) -> Option<String> {
    loop {
        let document = parse(&xml)?;
        let mut open: Vec<_> =
            signatures(&document).into_iter().filter(|s| contains(*s, DIGEST) || contains(*s, VALUE)).collect();
        open.sort_by_key(|signature| !is_issuers(*signature));
        let Some(signature) = open.first().copied() else { return Some(xml) };
        let info = signature.named(DSIG, "SignedInfo").next()?;
        let empty = info.named(DSIG, "Reference").find(|reference| contains(*reference, DIGEST));
        let next = match empty {
            Some(reference) => replace(&xml, reference, DIGEST, &digest(&document, signature, reference, form)?),
            None => {
                let party = if is_issuers(signature) { issuer } else { holder };
                let canonicalisation = info.named(DSIG, "CanonicalizationMethod").next()?;
                let bytes = canonicalise(info, &method(prefix_list(canonicalisation)), &[], Vec::new());
                let algorithm = info.named(DSIG, "SignatureMethod").next()?.attribute("", "Algorithm")?;
                replace(&xml, signature, VALUE, &base64::encode(&party.sign(algorithm, &bytes)))
            }
        };
        xml = next;
    }
}

fn contains(element: Element<'_>, what: &str) -> bool {
    element.source().windows(what.len()).any(|window| window == what.as_bytes())
}
