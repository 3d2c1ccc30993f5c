//! What the provider is sent: the request as it was signed, but for the contexts, which follow the provider's binding.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::wsdl::{Operation, Security};
use crate::gateway::context::is_context;
use crate::id::cvr::Cvr;
use crate::signature::c14n::{Exclusive, canonicalise};
use crate::soap::document::{Attribute, Element, NodeId};
use crate::soap::names::{AUTHORITY_CONTEXT, CALL_CONTEXT, XSI};

/// What is sent on.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// The content of Body, in exclusive canonical form.
    pub body: Bytes,
    /// The prefixes with which the body is canonical: a PrefixList.
    pub prefixes: String,
    /// Headers for the provider.
    pub headers: String,
    /// Whether the body is other than what the caller sent: then it is judged by the schema once more.
    pub changed: bool,
}

/// The request for a provider of this binding, on behalf of `authority`.
///
/// Towards a token nothing stands in front of the request, for the token names the authority. Towards AuthorityContext the
/// authority that was proven is named: in the body where the schema has a place for it, else in a header.
///
/// `prefixes` are those of types, which canonical form would lose where no element uses them ([`prefixes_of_types`]).
pub fn towards(request: Element<'_>, operation: &Operation, security: Security, authority: &Cvr, prefixes: String) -> Sent {
    let contexts: Vec<Element<'_>> =
        request.elements().take(2).filter(|child| operation.contexts && is_context(*child)).collect();
    let named = contexts.iter().any(|context| context.is(AUTHORITY_CONTEXT, "AuthorityContext"));
    let method = Exclusive::with_prefixes(&prefixes);
    // As many bytes as it came in, and some for what is declared or added: a room that grows is, for a while, there twice.
    let came = request.source_range().len();
    let whole = |omit: &[NodeId]| canonicalise(request, &method, omit, Vec::with_capacity(came + came / 32 + 1024));
    match security {
        Security::Token => {
            let omit: Vec<NodeId> = contexts.iter().map(|context| context.id()).collect();
            Sent { body: whole(&omit).into(), prefixes, headers: String::new(), changed: !omit.is_empty() }
        }
        Security::AuthorityContext if !operation.contexts => {
            Sent { body: whole(&[]).into(), prefixes, headers: authority_context(authority), changed: false }
        }
        // It came with mutual TLS, so it names the authority that was proven.
        Security::AuthorityContext if named => Sent { body: whole(&[]).into(), prefixes, headers: String::new(), changed: false },
        Security::AuthorityContext => {
            let mut body = whole(&[]);
            let call_context = contexts.iter().any(|context| context.is(CALL_CONTEXT, "CallContext"));
            let at = end_of_tag(&body).map(|at| if call_context { behind_call_context(&body, at) } else { at });
            let at = at.unwrap_or(body.len());
            body.splice(at..at, authority_context(authority).into_bytes());
            Sent { body: body.into(), prefixes, headers: String::new(), changed: true }
        }
    }
}

/// The most prefixes that are kept for types; a PrefixList is no place for more.
const MOST_PREFIXES: usize = 32;

/// The prefixes that types (`xsi:type`) in the request are written with; the default namespace is the empty one.
pub fn prefixes_of_types(request: Element<'_>) -> BTreeSet<&str> {
    let is_type = |attribute: &Attribute<'_>| attribute.namespace == XSI && attribute.local == "type";
    let types = request.descendants().flat_map(|element| element.attributes().filter(is_type).map(|attribute| attribute.value));
    types.map(|name| name.trim().split_once(':').map_or("", |(prefix, _)| prefix)).collect()
}

/// As many of them as a PrefixList may have. What is left out loses its declaration, and is refused.
pub fn prefix_list<'p>(prefixes: impl Iterator<Item = &'p str>) -> String {
    let named = prefixes.map(|prefix| if prefix.is_empty() { "#default" } else { prefix });
    named.take(MOST_PREFIXES).collect::<Vec<_>>().join(" ")
}

fn authority_context(authority: &Cvr) -> String {
    let cvr = "MunicipalityCVR";
    format!("<AuthorityContext xmlns=\"{AUTHORITY_CONTEXT}\"><{cvr}>{authority}</{cvr}></AuthorityContext>")
}

/// Behind the first tag of a canonical form, in which every attribute stands in double quotes.
fn end_of_tag(canonical: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let end = canonical.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b'>' && !quoted
    });
    end.map(|end| end + 1)
}

/// Behind the end tag of CallContext, which is the first element there and holds none of its own name.
fn behind_call_context(canonical: &[u8], from: usize) -> usize {
    let rest = canonical.get(from..).unwrap_or_default();
    memchr::memmem::find(rest, b"CallContext>").map_or(from, |at| {
        let first = from + at + b"CallContext>".len();
        // The start tag may end so too, where it has no attributes.
        let is_end = |end: usize| {
            let tag = canonical.get(..end).and_then(|before| before.iter().rposition(|byte| *byte == b'<'));
            tag.is_some_and(|tag| canonical.get(tag + 1) == Some(&b'/'))
        };
        if is_end(first) {
            return first;
        }
        let rest = canonical.get(first..).unwrap_or_default();
        memchr::memmem::find(rest, b"CallContext>").map_or(first, |at| first + at + b"CallContext>".len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::passthrough::wsdl::Name;
    use crate::soap::document::Document;
    use crate::soap::strict::Limits;

    const CALL: &str = "<c:CallContext xmlns:c=\"http://serviceplatformen.dk/xml/schemas/CallContext/1/\"><c:AccountingInfo>x&gt;y</c:AccountingInfo></c:CallContext>";
    const AUTHORITY: &str = "<a:AuthorityContext xmlns:a=\"http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/\"><a:MunicipalityCVR>11111111</a:MunicipalityCVR></a:AuthorityContext>";
    const OURS: &str = "<AuthorityContext xmlns=\"http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/\"><MunicipalityCVR>11111111</MunicipalityCVR></AuthorityContext>";

    fn sent(request: &str, contexts: bool, security: Security) -> (String, String, bool) {
        let document = Document::parse(bytes::Bytes::from(request.to_owned()), &Limits::default()).unwrap();
        let name = || Name { namespace: "urn:x".into(), local: "R".into() };
        let operation = Operation {
            name: "r".into(),
            action: None,
            request_action: "r".into(),
            answer_action: "s".into(),
            request: name(),
            answer: name(),
            contexts,
            request_headers: Vec::new(),
            answer_headers: Vec::new(),
            faults: Vec::new(),
            place: ("x.wsdl".into(), 1),
        };
        let sent = towards(document.root(), &operation, security, &"11111111".parse().unwrap(), String::new());
        (String::from_utf8(sent.body.to_vec()).unwrap(), sent.headers, sent.changed)
    }

    fn request(inside: &str) -> String {
        format!("<x:R xmlns:x=\"urn:x\" k=\"a>b\">{inside}<x:V>1</x:V></x:R>")
    }

    #[test]
    fn towards_a_token_no_context_stands_in_front_of_the_request() {
        let plain = (request(""), String::new(), false);
        assert_eq!(sent(&request(""), true, Security::Token), plain);
        let changed = (request(""), String::new(), true);
        assert_eq!(sent(&request(&format!("{CALL}{AUTHORITY}")), true, Security::Token), changed);
        assert_eq!(sent(&request(AUTHORITY), true, Security::Token), changed);
    }

    #[test]
    fn towards_authority_context_the_proven_authority_is_named_behind_the_call_context() {
        let named = |inside: &str, changed| (request(inside), String::new(), changed);
        let context = Security::AuthorityContext;
        assert_eq!(sent(&request(""), true, context), named(OURS, true));
        assert_eq!(sent(&request(CALL), true, context), named(&format!("{CALL}{OURS}"), true));
        assert_eq!(sent(&request(AUTHORITY), true, context), named(AUTHORITY, false));
        let both = format!("{CALL}{AUTHORITY}");
        assert_eq!(sent(&request(&both), true, context), named(&both, false));
    }

    #[test]
    fn where_the_schema_has_no_place_for_it_the_authority_is_a_header() {
        assert_eq!(sent(&request(""), false, Security::AuthorityContext), (request(""), OURS.to_owned(), false));
        // What only looks like a context is content of the service's own.
        assert_eq!(sent(&request(AUTHORITY), false, Security::Token), (request(AUTHORITY), String::new(), false));
    }

    #[test]
    fn a_call_context_without_attributes_on_its_tag_is_passed_over_whole() {
        let call = "<CallContext><AccountingInfo>x</AccountingInfo></CallContext>";
        let request = format!("<R xmlns=\"{CALL_CONTEXT}\">{call}<V>1</V></R>");
        let (body, _, _) = sent(&request, true, Security::AuthorityContext);
        assert_eq!(body, format!("<R xmlns=\"{CALL_CONTEXT}\">{call}{OURS}<V>1</V></R>"));
    }

    #[test]
    fn the_prefixes_of_types_are_found_each_once_and_no_more_than_a_list_may_have() {
        let of = |inside: &str| {
            let request = format!("<x:R xmlns:x=\"urn:x\" xmlns:i=\"{XSI}\" xmlns:b=\"urn:b\" xmlns:a=\"urn:a\">{inside}</x:R>");
            let document = Document::parse(bytes::Bytes::from(request), &Limits::default()).unwrap();
            prefix_list(prefixes_of_types(document.root()).into_iter())
        };
        assert_eq!(of("<x:V i:type=\"b:T\"/><x:V i:type=\" a:T \"/><x:V i:type=\"b:U\"/>"), "a b");
        assert_eq!(of("<x:V i:type=\"T\"/>"), "#default");
        assert_eq!(of("<x:V type=\"b:T\" i:nil=\"true\"/>"), "");
        let many: String = (0..100).map(|n| format!("<x:V xmlns:p{n}=\"urn:{n}\" i:type=\"p{n}:T\"/>")).collect();
        assert_eq!(of(&many).split(' ').count(), MOST_PREFIXES);
    }
}
