//! `CallContext` and `AuthorityContext`: what the platform puts in front of a request, and the authority claimed there.

use super::definition::{Layout, Name};
use crate::id::cvr::Cvr;
use crate::refusal::{Detail, Refusal};
use crate::soap::document::Element;
use crate::soap::envelope::Envelope;
use crate::soap::names::{AUTHORITY_CONTEXT, CALL_CONTEXT};

/// What may stand in `CallContext`.
const CALL_CONTEXT_PARTS: [&str; 3] = ["OnBehalfOfUser", "CallersServiceCallIdentifier", "AccountingInfo"];

/// A request and the contexts in front of it.
#[derive(Clone, Copy)]
pub struct Contexts<'d> {
    /// The request: what stands in the wrapper, or the element that the contexts stand in.
    pub request: Element<'d>,
    /// `AuthorityContext`.
    pub authority: Option<Element<'d>>,
}

/// Whether an element is one of the two contexts.
pub fn is_context(element: Element<'_>) -> bool {
    element.is(CALL_CONTEXT, "CallContext") || element.is(AUTHORITY_CONTEXT, "AuthorityContext")
}

/// Finds them in the element of a request's Body, or where its schema has no place for them, in the Header.
///
/// # Errors
/// `RequestInvalid`, where something stands there that `layout` does not have, or a context stands where none is read; `AuthorityContextInvalid` for two headers.
pub fn find<'d>(envelope: &'d Envelope, layout: &Layout) -> Result<Contexts<'d>, Refusal> {
    let payload = envelope.payload().ok_or(Refusal::Internal)?;
    match layout {
        Layout::Request => Ok(Contexts { request: payload, authority: None }),
        Layout::Wrapped(request) => unwrapped(payload, request),
        Layout::Contexts => {
            let mut children = payload.elements().peekable();
            let authority = contexts(&mut children)?;
            // One further in is proven by nobody, and the provider might believe it.
            if children.any(is_context) { Err(misplaced()) } else { Ok(Contexts { request: payload, authority }) }
        }
        Layout::Header if payload.elements().any(|child| child.is(AUTHORITY_CONTEXT, "AuthorityContext")) => Err(misplaced()),
        Layout::Header => {
            let blocks = envelope.header().into_iter().flat_map(|header| header.elements());
            let mut authority = blocks.filter(|block| block.is(AUTHORITY_CONTEXT, "AuthorityContext"));
            match (authority.next(), authority.next()) {
                (authority, None) => Ok(Contexts { request: payload, authority }),
                (_, Some(_)) => Err(Refusal::AuthorityContextInvalid {
                    what: Detail::new("den forekommer to gange i Header", "it stands twice in the Header"),
                }),
            }
        }
    }
}

fn misplaced() -> Refusal {
    Refusal::RequestInvalid {
        what: Detail::new(
            "CallContext eller AuthorityContext står et andet sted end først i forespørgslen eller mere end én gang",
            "CallContext or AuthorityContext stands elsewhere than first in the request, or more than once",
        ),
    }
}

/// `CallContext?`, `AuthorityContext?`, in that order; gives the second.
fn contexts<'d, I: Iterator<Item = Element<'d>>>(children: &mut std::iter::Peekable<I>) -> Result<Option<Element<'d>>, Refusal> {
    if let Some(context) = children.next_if(|child| child.is(CALL_CONTEXT, "CallContext")) {
        check_call_context(context)?;
    }
    Ok(children.next_if(|child| child.is(AUTHORITY_CONTEXT, "AuthorityContext")))
}

/// The contexts, then the request, and nothing else.
fn unwrapped<'d>(wrapper: Element<'d>, request: &Name) -> Result<Contexts<'d>, Refusal> {
    let invalid = |da: &str, en: &str| Refusal::RequestInvalid { what: Detail::new(da, en) };
    if wrapper.has_stray_text() {
        return Err(invalid("tekst ved siden af elementerne i det yderste element", "text beside the elements of the wrapper"));
    }
    if wrapper.attributes().next().is_some() {
        return Err(invalid("en attribut på det yderste element", "an attribute on the wrapper"));
    }
    let mut children = wrapper.elements().peekable();
    let authority = contexts(&mut children)?;
    match (children.next(), children.next()) {
        (Some(found), None) if request.is(found) => Ok(Contexts { request: found, authority }),
        _ => Err(invalid(
            "det yderste element indeholder ikke CallContext (valgfri), AuthorityContext (valgfri) og forespørgslen i denne rækkefølge",
            "the wrapper does not hold CallContext?, AuthorityContext?, the request, in that order",
        )),
    }
}

/// The caller's particulars of the call: nothing is done by them, and nothing stands there that the schema does not have.
fn check_call_context(context: Element<'_>) -> Result<(), Refusal> {
    let mut seen = Vec::new();
    let mut known = |part: Element<'_>| {
        let (local, plain) = (part.local().to_owned(), part.attributes().next().is_none() && part.elements().next().is_none());
        let fits = !seen.contains(&local) && plain && part.namespace() == CALL_CONTEXT && CALL_CONTEXT_PARTS.contains(&&*local);
        seen.push(local);
        fits
    };
    if context.attributes().next().is_none() && !context.has_stray_text() && context.elements().all(&mut known) {
        return Ok(());
    }
    let parts = CALL_CONTEXT_PARTS.join(", ");
    Err(Refusal::RequestInvalid {
        what: Detail::new(
            format!("CallContext må højst indeholde ét af hver af {parts} og ingen attributter"),
            format!("CallContext holds something beside at most one each of {parts}, without attributes"),
        ),
    })
}

/// The authority that an `AuthorityContext` claims. Worth nothing without an agreement for the certificate of the caller.
///
/// # Errors
/// `AuthorityContextInvalid`.
pub fn claim(context: Element<'_>) -> Result<Cvr, Refusal> {
    let invalid = |da: &str, en: &str| Refusal::AuthorityContextInvalid { what: Detail::new(da, en) };
    if context.attributes().chain(context.elements().flat_map(|claim| claim.attributes())).next().is_some() {
        return Err(invalid(
            "en attribut på AuthorityContext eller på et af dens elementer",
            "an attribute on AuthorityContext or inside it",
        ));
    }
    let mut children = context.elements();
    let claim = match (children.next(), children.next()) {
        (Some(claim), None) if claim.is(AUTHORITY_CONTEXT, "MunicipalityCVR") && !context.has_stray_text() => claim,
        _ => {
            return Err(invalid("den indeholder ikke netop ét MunicipalityCVR", "it does not hold exactly one MunicipalityCVR"));
        }
    };
    claim
        .text()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| invalid("MunicipalityCVR er ikke otte cifre", "MunicipalityCVR is not eight digits"))
}
