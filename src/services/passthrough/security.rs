//! WS-Policy in a WSDL: which security binding it is for.

use std::collections::BTreeMap;

pub use crate::agreements::Security;
use crate::schema::source::Sources;
use crate::soap::document::{Document, Element, NodeId};
use crate::soap::names::WSU;

const POLICY: [&str; 2] = ["http://www.w3.org/ns/ws-policy", "http://schemas.xmlsoap.org/ws/2004/09/policy"];
const SECURITY_POLICY: [&str; 2] =
    ["http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702", "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy"];
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// What the policies of a binding and its port say.
#[derive(Default)]
pub(super) struct Found<'d> {
    token: bool,
    transport: bool,
    /// An assertion that asks for MTOM.
    pub(super) mtom: Option<Element<'d>>,
    /// References that lead to no policy.
    pub(super) unresolved: Vec<(Element<'d>, String)>,
}

impl Found<'_> {
    /// The binding, where they name one. A token over TLS is a token.
    pub(super) fn security(&self) -> Option<Security> {
        match (self.token, self.transport) {
            (true, _) => Some(Security::Token),
            (false, true) => Some(Security::AuthorityContext),
            (false, false) => None,
        }
    }
}

/// Reads every policy in and below `subjects`, and those that they refer to.
pub(super) fn read<'d>(documents: &'d BTreeMap<String, Document>, subjects: Vec<Element<'d>>) -> Found<'d> {
    let (mut found, mut seen, mut next) = (Found::default(), Vec::<(*const Document, NodeId)>::new(), subjects);
    while let Some(subject) = next.pop() {
        let place = (std::ptr::from_ref(subject.document()), subject.id());
        if seen.contains(&place) {
            continue;
        }
        seen.push(place);
        for element in subject.descendants() {
            if POLICY.contains(&element.namespace()) && element.local() == "PolicyReference" {
                follow(documents, element, element.attribute("", "URI").unwrap_or(""), &mut found, &mut next);
            } else if SECURITY_POLICY.contains(&element.namespace()) {
                found.token |= matches!(element.local(), "SamlToken" | "IssuedToken");
                found.transport |= element.local() == "TransportBinding";
            } else if element.local() == "OptimizedMimeSerialization" || element.local() == "MTOM" {
                found.mtom = Some(element);
            }
            let uris = POLICY.iter().filter_map(|namespace| element.attribute(namespace, "PolicyURIs"));
            for uri in uris.flat_map(str::split_ascii_whitespace).take(100) {
                follow(documents, element, uri, &mut found, &mut next);
            }
        }
    }
    found
}

fn follow<'d>(
    documents: &'d BTreeMap<String, Document>,
    from: Element<'d>,
    uri: &str,
    found: &mut Found<'d>,
    next: &mut Vec<Element<'d>>,
) {
    match policy(documents, from, uri) {
        Some(policy) => next.push(policy),
        None => found.unresolved.push((from, uri.to_owned())),
    }
}

/// The policy of a reference. `#id` is looked for in the own document first, then in those that it imports: that is how the
/// published files use it. A policy may also have the whole reference for its Name.
fn policy<'d>(documents: &'d BTreeMap<String, Document>, from: Element<'d>, uri: &str) -> Option<Element<'d>> {
    let own = documents.iter().find(|(_, document)| std::ptr::eq(*document, from.document()));
    let (path, id) = uri.split_once('#').unwrap_or((uri, ""));
    let named = match path {
        "" => own.map(|(path, _)| path.clone()),
        location => own.and_then(|(own, _)| Sources::resolve(own, location)),
    };
    let has_id = |policy: &Element<'_>| {
        let ids = [policy.attribute(WSU, "Id"), policy.attribute(XML, "id"), policy.attribute("", "Name")];
        ids.iter().flatten().any(|own| (!id.is_empty() && *own == id) || *own == uri)
    };
    let of = |document: &'d Document| {
        let mut policies = document
            .root()
            .descendants()
            .filter(|element| POLICY.contains(&element.namespace()) && element.local() == "Policy" && has_id(element));
        policies.next()
    };
    let first = named.and_then(|path| documents.get(&path)).and_then(of);
    if path.is_empty() { first.or_else(|| documents.values().find_map(of)) } else { first }
}
