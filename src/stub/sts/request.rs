//! Reads a request for a token (WS-Trust 1.3 `RequestSecurityToken`, as KOMBIT's STS takes it).

use crate::signature::base64;
use crate::signature::key::Certificate;
use crate::signature::names::{SAML, SAML_TOKEN, WSA, WSSE, X509V3};
use crate::soap::document::Element;

use super::fault::Fault;
use super::issue::WST;

/// The claim that names the authority.
pub const CVR_CLAIM: &str = "dk:gov:saml:attribute:CvrNumberIdentifier";
const AUTH: &str = "http://docs.oasis-open.org/wsfed/authorization/200706";
const POLICIES: [&str; 3] = [
    "http://schemas.xmlsoap.org/ws/2004/09/policy",
    "http://schemas.xmlsoap.org/ws/2002/12/policy",
    "http://www.w3.org/ns/ws-policy",
];

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// `Context`, to be repeated in the answer.
    pub context: Option<String>,
    /// The entity id of the service that the token is for.
    pub applies_to: String,
    /// The authority's CVR number.
    pub cvr: String,
    /// The certificate whose key the token is to be bound to.
    pub use_key: Certificate,
    /// The certificate of the system on whose behalf the caller asks.
    pub on_behalf_of: Option<Certificate>,
}

/// Reads the one element of the body.
///
/// # Errors
/// 103, a request that is not formed as it must be; 110, one that asks for something else than a holder-of-key token.
pub fn read(request: &Element<'_>) -> Result<Order, Fault> {
    if !request.is(WST, "RequestSecurityToken") {
        return Err(Fault::new(103, "Body indeholder ikke RequestSecurityToken.", "Body does not hold a RequestSecurityToken."));
    }
    let request_type = only(request, &[WST], "RequestType")?;
    if text(request_type.ok_or_else(|| missing("RequestType"))?)? != format!("{WST}/Issue") {
        return Err(Fault::new(110, "Kun Issue udbydes.", "Only Issue is offered."));
    }
    // Left out, as in KOMBIT's own sample and in the official request, it means what this service issues.
    if let Some(kind) = only(request, &[WST], "TokenType")?
        && text(kind)? != SAML_TOKEN
    {
        return Err(Fault::new(110, "Kun SAML 2.0 udstedes.", "Only SAML 2.0 is issued."));
    }
    if let Some(kind) = only(request, &[WST], "KeyType")?
        && text(kind)? != format!("{WST}/PublicKey")
    {
        return Err(Fault::new(110, "Kun KeyType PublicKey understøttes.", "Only the KeyType PublicKey is supported."));
    }
    let use_key = only(request, &[WST], "UseKey")?.ok_or_else(|| missing("UseKey"))?;
    let on_behalf_of = match only(request, &[WST], "OnBehalfOf")? {
        Some(element) => Some(certificate(element)?),
        None => None,
    };
    Ok(Order {
        context: request.attribute("", "Context").map(str::to_owned),
        applies_to: applies_to(request)?,
        cvr: claim(request)?,
        use_key: certificate(use_key)?,
        on_behalf_of,
    })
}

fn applies_to(request: &Element<'_>) -> Result<String, Fault> {
    let missing = || missing("AppliesTo/EndpointReference/Address");
    let element = only(request, &POLICIES, "AppliesTo")?.ok_or_else(missing)?;
    let element = only(&element, &[WSA], "EndpointReference")?.ok_or_else(missing)?;
    text(only(&element, &[WSA], "Address")?.ok_or_else(missing)?)
}

fn claim(request: &Element<'_>) -> Result<String, Fault> {
    let claims = only(request, &[WST], "Claims")?.ok_or_else(|| missing("Claims"))?;
    let mut types = claims.elements();
    let one = match (types.next(), types.next()) {
        (Some(one), None) if one.is(AUTH, "ClaimType") => one,
        _ => return Err(Fault::new(103, "Claims skal indeholde netop ét ClaimType.", "Claims must hold exactly one ClaimType.")),
    };
    if one.attribute("", "Uri") != Some(CVR_CLAIM) {
        return Err(Fault::new(103, "ClaimType er ikke CvrNumberIdentifier.", "The ClaimType is not CvrNumberIdentifier."));
    }
    let cvr = text(only(&one, &[AUTH], "Value")?.ok_or_else(|| missing("ClaimType/Value"))?)?;
    match cvr.len() == 8 && cvr.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(cvr),
        false => Err(Fault::new(103, "CVR-nummeret er ikke otte cifre.", "The CVR number is not eight digits.")),
    }
}

/// A certificate: in a `BinarySecurityToken`, or as base64 text directly.
fn certificate(element: Element<'_>) -> Result<Certificate, Fault> {
    if element.named(SAML, "Assertion").next().is_some() {
        return Err(Fault::new(
            110,
            "OnBehalfOf med et token understøttes ikke her; angiv systemets certifikat.",
            "OnBehalfOf with a token is not supported here; give the system's certificate.",
        ));
    }
    let token = only(&element, &[WSSE], "BinarySecurityToken")?;
    if token.and_then(|token| token.attribute("", "ValueType")).is_some_and(|kind| kind != X509V3) {
        return Err(Fault::new(110, "Kun X509v3 understøttes.", "Only X509v3 is supported."));
    }
    let der = base64::decode(&text(token.unwrap_or(element))?)
        .ok_or_else(|| Fault::new(103, "Certifikatet er ikke base64.", "The certificate is not base64."))?;
    Certificate::from_der(&der).map_err(|_| Fault::new(103, "Certifikatet kan ikke læses.", "The certificate cannot be read."))
}

fn only<'d>(element: &Element<'d>, namespaces: &[&str], local: &str) -> Result<Option<Element<'d>>, Fault> {
    let mut found = element.elements().filter(|child| child.local() == local && namespaces.contains(&child.namespace()));
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(Fault::new(103, format!("{local} forekommer to gange."), format!("{local} occurs twice."))),
        (one, None) => Ok(one),
    }
}

fn text(element: Element<'_>) -> Result<String, Fault> {
    let mixed = || {
        let name = element.local();
        Fault::new(103, format!("{name} skal kun indeholde tekst."), format!("{name} must hold text alone."))
    };
    element.text().map(|text| text.trim().to_owned()).ok_or_else(mixed)
}

/// 103: a part is not there.
pub(super) fn missing(name: &str) -> Fault {
    Fault::new(103, format!("{name} mangler."), format!("{name} is missing."))
}
