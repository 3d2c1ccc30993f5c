//! A WSDL 1.1 with document/literal SOAP bindings: its operations, its schemas, its security binding.
//!
//! What cannot be offered as it is written is a problem with its line; all of them are reported at once.

use std::collections::BTreeMap;
use std::fmt;

use super::documents::{self, WSDL, line};
use super::security;
pub use super::security::Security;
use crate::schema::source::{Problem, Sources};
use crate::soap::document::{Document, Element};
use crate::soap::envelope::Version;

pub(super) const SOAP11: &str = "http://schemas.xmlsoap.org/wsdl/soap/";
pub(super) const SOAP12: &str = "http://schemas.xmlsoap.org/wsdl/soap12/";
const MIME: &str = "http://schemas.xmlsoap.org/wsdl/mime/";
/// Where `wsam:Action` and its forerunner `wsaw:Action` stand.
const ACTION: [&str; 2] = ["http://www.w3.org/2007/05/addressing/metadata", "http://www.w3.org/2006/05/addressing/wsdl"];
/// SOAP over HTTP, as WSDL 1.1 names it, and as some name it for SOAP 1.2.
const HTTP: [&str; 2] = ["http://schemas.xmlsoap.org/soap/http", "http://www.w3.org/2003/05/soap/bindings/HTTP/"];

/// An element's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The namespace, empty for none.
    pub namespace: String,
    /// The local name.
    pub local: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.local)
    }
}

/// A fault that an operation declares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Fault {
    pub name: String,
    /// The element in the fault's detail.
    pub element: Name,
    /// The document and the line where it is declared.
    pub place: (String, usize),
}

/// An operation of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Operation {
    pub name: String,
    /// `soapAction`; `None` where it is empty or not given.
    pub action: Option<String>,
    /// `wsa:Action` of the request: written, else `soapAction`, else by the rule of WS-Addressing's WSDL binding.
    pub request_action: String,
    /// `wsa:Action` of the answer: written, else by that rule.
    pub answer_action: String,
    /// The element in the request's body.
    pub request: Name,
    /// The element in the answer's body.
    pub answer: Name,
    /// Whether the schema lets CallContext and AuthorityContext stand first in the request.
    pub contexts: bool,
    /// Headers that a request has.
    pub request_headers: Vec<Name>,
    /// Headers that an answer has.
    pub answer_headers: Vec<Name>,
    /// Faults that the provider may answer with.
    pub faults: Vec<Fault>,
    /// The document and the line where it is bound to SOAP.
    pub place: (String, usize),
}

/// What a WSDL says of a service.
#[derive(Debug, Clone)]
pub struct Wsdl {
    /// Its path in the folder.
    pub path: String,
    /// The name of the SOAP binding that was read.
    pub binding: String,
    /// The version of SOAP.
    pub version: Version,
    /// What its WS-Policy is for; `None` where it does not say.
    pub security: Option<Security>,
    /// The operations, in the WSDL's order.
    pub operations: Vec<Operation>,
    /// What is odd, yet keeps nobody from offering the service.
    pub warnings: Vec<Problem>,
}

/// Reads a WSDL of the folder and those that it imports, and adds the schemas in them to `sources`. `chosen` names the SOAP
/// binding, or its port, where there is more than one.
///
/// Gives the names under which the schemas were added, and the WSDL or everything in it that cannot be offered.
pub fn read(sources: &mut Sources, path: &str, chosen: Option<&str>) -> (Vec<String>, Result<Wsdl, Vec<Problem>>) {
    let mut problems = Vec::new();
    let (documents, mut schemas) = documents::gather(sources, path, &mut problems);
    schemas.extend(documents::lift(sources, &documents));
    let whole = problems.is_empty();
    let mut reader = Reader { documents: &documents, whole, problems, warnings: Vec::new() };
    let read = match reader.service(path, chosen) {
        Some(wsdl) if reader.problems.is_empty() => Ok(Wsdl { warnings: reader.warnings, ..wsdl }),
        _ => Err(reader.problems),
    };
    (schemas, read)
}

struct Reader<'d> {
    documents: &'d BTreeMap<String, Document>,
    /// Whether every document is there: else a name that is not found says nothing new.
    whole: bool,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// A SOAP binding.
#[derive(Clone, Copy)]
struct Bound<'d> {
    binding: Element<'d>,
    /// Its `soap:binding`.
    soap: Element<'d>,
    version: Version,
}

impl Bound<'_> {
    fn name(&self) -> &str {
        self.binding.attribute("", "name").unwrap_or("")
    }
}

impl<'d> Reader<'d> {
    fn place(&self, element: Element<'_>) -> (String, usize) {
        let file = self.documents.iter().find(|(_, document)| std::ptr::eq(*document, element.document()));
        (file.map(|(path, _)| path.clone()).unwrap_or_default(), line(element))
    }

    fn problem_at(&self, at: Element<'_>, what: String, remedy: &str) -> Problem {
        let (file, line) = self.place(at);
        Problem { file, line: Some(line), what, remedy: remedy.to_owned() }
    }

    fn problem(&mut self, at: Element<'_>, what: String, remedy: &str) {
        let problem = self.problem_at(at, what, remedy);
        self.problems.push(problem);
    }

    /// A name as an attribute gives it, or a problem.
    fn qname(&mut self, element: Element<'_>, attribute: &str) -> Option<Name> {
        let Some(value) = element.attribute("", attribute).map(str::trim).filter(|value| !value.is_empty()) else {
            self.problem(element, format!("<{}> has no {attribute}.", element.local()), "Take the WSDL as it was published.");
            return None;
        };
        let (prefix, local) = value.split_once(':').unwrap_or(("", value));
        match element.namespace_of(prefix) {
            None if !prefix.is_empty() => {
                self.problem(element, format!("The prefix of \"{value}\" is not declared."), "Declare it with xmlns.");
                None
            }
            namespace => Some(Name { namespace: namespace.unwrap_or_default().to_owned(), local: local.to_owned() }),
        }
    }

    /// The message, port type or binding that an attribute names, or a problem.
    fn definition(&mut self, from: Element<'_>, attribute: &str, kind: &str) -> Option<Element<'d>> {
        let name = self.qname(from, attribute)?;
        let documents = self.documents;
        let of = documents.values().filter(|d| d.root().attribute("", "targetNamespace").unwrap_or("") == name.namespace);
        let mut found =
            of.flat_map(|document| document.root().named(WSDL, kind)).filter(|e| e.attribute("", "name") == Some(&name.local));
        let first = found.next();
        if first.is_none() && self.whole {
            self.problem(from, format!("There is no {kind} {name}."), "Correct the name, or import the WSDL that has it.");
        } else if first.is_some() && found.next().is_some() {
            self.problem(from, format!("There are two of the {kind} {name}."), "Keep one of them.");
        }
        first
    }

    fn service(&mut self, path: &str, chosen: Option<&str>) -> Option<Wsdl> {
        let main = self.documents.get(path)?.root();
        let (bound, ports) = self.binding(main, chosen)?;
        let transport = bound.soap.attribute("", "transport").unwrap_or("");
        if !HTTP.contains(&transport) {
            self.problem(
                bound.soap,
                format!("The binding's transport \"{transport}\" is not HTTP."),
                "Name a binding over HTTP.",
            );
        }
        let policies = security::read(self.documents, ports.into_iter().chain([bound.binding]).collect());
        let unresolved = if self.whole { policies.unresolved.as_slice() } else { &[] };
        for (at, uri) in unresolved {
            self.problem(
                *at,
                format!("There is no policy {uri}."),
                "Put the document with the policy into the folder, and import it.",
            );
        }
        if let Some(at) = policies.mtom {
            self.problem(at, "It asks for MTOM.".to_owned(), "Name a binding without attachments outside the message.");
        }
        let port_type = self.definition(bound.binding, "type", "portType")?;
        let mut operations: Vec<Operation> = Vec::new();
        for element in bound.binding.named(WSDL, "operation") {
            if let Some(operation) = self.operation(element, bound, port_type) {
                operations.push(operation);
            }
        }
        for unbound in port_type.named(WSDL, "operation") {
            let name = unbound.attribute("", "name");
            if !bound.binding.named(WSDL, "operation").any(|element| element.attribute("", "name") == name) {
                let what = format!("The operation {} has no place in the binding {}.", name.unwrap_or("?"), bound.name());
                self.warnings.push(self.problem_at(unbound, what, "It is not offered."));
            }
        }
        self.apart(&operations);
        if operations.is_empty() && self.problems.is_empty() {
            self.problem(bound.binding, "The binding has no operation.".to_owned(), "Name the service's own binding.");
        }
        Some(Wsdl {
            path: path.to_owned(),
            binding: bound.name().to_owned(),
            version: bound.version,
            security: policies.security(),
            operations,
            warnings: Vec::new(),
        })
    }

    /// A request must show which operation it is for.
    fn apart(&mut self, operations: &[Operation]) {
        for (at, one) in operations.iter().enumerate() {
            let mut before = operations.iter().take(at);
            if let Some(other) = before.find(|other| {
                other.request == one.request && (other.action == one.action || one.action.is_none() || other.action.is_none())
            }) {
                self.problems.push(Problem {
                    file: one.place.0.clone(),
                    line: Some(one.place.1),
                    what: format!(
                        "{} and {} have the same request element and no soapAction that tells them apart.",
                        other.name, one.name
                    ),
                    remedy: "Give each a soapAction of its own.".to_owned(),
                });
            }
        }
    }

    /// The one SOAP binding, and its ports.
    fn binding(&mut self, main: Element<'d>, chosen: Option<&str>) -> Option<(Bound<'d>, Vec<Element<'d>>)> {
        let documents = self.documents;
        let all = |kind: &'static str| documents.values().flat_map(move |document| document.root().named(WSDL, kind));
        let bound = |binding: Element<'d>| {
            let versions = [(SOAP11, Version::V11), (SOAP12, Version::V12)];
            versions.into_iter().find_map(|(namespace, version)| {
                binding.named(namespace, "binding").next().map(|soap| Bound { binding, soap, version })
            })
        };
        let mut ports = Vec::new();
        for port in all("service").flat_map(|service| service.named(WSDL, "port")) {
            let Some(bound) = self.definition(port, "binding", "binding").and_then(bound) else { continue };
            ports.push((port, bound));
        }
        let mut found: Vec<Bound<'d>> = Vec::new();
        let bindings = ports.iter().map(|(_, bound)| *bound).chain(all("binding").filter(|_| ports.is_empty()).filter_map(bound));
        for bound in bindings {
            let named = |port: &Element<'_>| port.attribute("", "name") == chosen;
            let wanted = chosen.is_none()
                || chosen == Some(bound.name())
                || ports.iter().any(|(port, of)| of.binding == bound.binding && named(port));
            if wanted && !found.iter().any(|known| known.binding == bound.binding) {
                found.push(bound);
            }
        }
        match found.as_slice() {
            [one] => {
                let own = ports.iter().filter(|(_, bound)| bound.binding == one.binding);
                Some((*one, own.map(|(port, _)| *port).collect()))
            }
            [] => {
                let what = match chosen {
                    Some(name) => format!("There is no SOAP binding or port \"{name}\" in it."),
                    None => "There is no SOAP binding in it.".to_owned(),
                };
                self.problem(main, what, "Name a WSDL with a binding for SOAP 1.1 or 1.2, and one of its bindings or ports.");
                None
            }
            several => {
                let names: Vec<_> = several.iter().map(Bound::name).collect();
                let what = format!("It has several SOAP bindings: {}.", names.join(", "));
                self.problem(main, what, "Say which one with binding = \"…\" in service.toml.");
                None
            }
        }
    }

    fn operation(&mut self, element: Element<'d>, bound: Bound<'d>, port_type: Element<'d>) -> Option<Operation> {
        let name = element.attribute("", "name").unwrap_or("").to_owned();
        let namespace = bound.soap.namespace();
        let mut offered = port_type.named(WSDL, "operation").filter(|offered| offered.attribute("", "name") == Some(&name));
        let (Some(offered), None) = (offered.next(), offered.next()) else {
            let what = format!("The port type does not have exactly one operation {name}.");
            self.problem(element, what, "Take the WSDL as it was published; an operation's name may stand once.");
            return None;
        };
        let soap = element.named(namespace, "operation").next();
        let own = soap.and_then(|soap| soap.attribute("", "style"));
        let style = own.or_else(|| bound.soap.attribute("", "style")).unwrap_or("document");
        if style != "document" {
            self.problem(element, format!("The operation {name} has style \"{style}\"."), "Only document/literal is offered.");
            return None;
        }
        let (Some(input), Some(output)) = (offered.named(WSDL, "input").next(), offered.named(WSDL, "output").next()) else {
            let what = format!("The operation {name} does not have both an input and an output.");
            self.problem(offered, what, "Only operations with a request and an answer are offered.");
            return None;
        };
        // All of them, so that what is wrong with one does not hide what is wrong with the next.
        let request = self.message(element, "input", input, namespace);
        let answer = self.message(element, "output", output, namespace);
        let faults: Vec<_> = offered.named(WSDL, "fault").filter_map(|fault| self.fault(element, fault, namespace)).collect();
        let ((request, request_headers), (answer, answer_headers)) = (request?, answer?);
        let action =
            soap.and_then(|soap| soap.attribute("", "soapAction")).filter(|action| !action.is_empty()).map(str::to_owned);
        Some(Operation {
            request_action: written(input)
                .map(str::to_owned)
                .or_else(|| action.clone())
                .unwrap_or_else(|| by_rule(port_type, input, &name, "Request")),
            answer_action: written(output).map_or_else(|| by_rule(port_type, output, &name, "Response"), str::to_owned),
            name,
            action,
            request,
            answer,
            contexts: false,
            request_headers,
            answer_headers,
            faults,
            place: self.place(element),
        })
    }

    /// The body's element and the headers of a request or an answer.
    fn message(&mut self, operation: Element<'d>, side: &str, offered: Element<'d>, soap: &str) -> Option<(Name, Vec<Name>)> {
        let message = self.definition(offered, "message", "message");
        let Some(bound) = operation.named(WSDL, side).next() else {
            self.problem(operation, format!("It binds no {side}."), "Take the WSDL as it was published.");
            return None;
        };
        if let Some(mime) = bound.elements().find(|child| child.namespace() == MIME) {
            self.problem(mime, "It is bound to MIME parts.".to_owned(), "Only messages without attachments are offered.");
            return None;
        }
        let extension = |child: &Element<'_>| child.namespace() != soap && child.attribute(WSDL, "required") == Some("true");
        if let Some(child) = bound.elements().find(extension) {
            self.problem(child, format!("It demands {child:?}, which is not known here."), "Name a binding without it.");
        }
        let (mut headers, mut in_headers) = (Vec::new(), Vec::new());
        for header in bound.named(soap, "header") {
            self.literal(header);
            let Some(of) = self.definition(header, "message", "message") else { continue };
            let part = header.attribute("", "part").unwrap_or("");
            if Some(of) == message {
                in_headers.push(part);
            }
            headers.extend(self.part(header, of, part));
        }
        let message = message?;
        let Ok(Some(body)) = bound.only(soap, "body") else {
            self.problem(bound, format!("Its {side} does not have exactly one SOAP body."), "Take the WSDL as it was published.");
            return None;
        };
        self.literal(body);
        let named: Vec<&str> = match body.attribute("", "parts") {
            Some(parts) => parts.split_ascii_whitespace().collect(),
            None => {
                let parts = message.named(WSDL, "part").map(|part| part.attribute("", "name").unwrap_or(""));
                parts.filter(|part| !in_headers.contains(part)).collect()
            }
        };
        let [part] = named.as_slice() else {
            let what = format!("The body has {} parts: {}.", named.len(), named.join(", "));
            self.problem(body, what, "A document/literal body has exactly one; name it with parts=\"…\".");
            return None;
        };
        Some((self.part(body, message, part)?, headers))
    }

    /// The element of a message's part, or a problem.
    fn part(&mut self, from: Element<'_>, message: Element<'d>, name: &str) -> Option<Name> {
        let Some(part) = message.named(WSDL, "part").find(|part| part.attribute("", "name") == Some(name)) else {
            let what = format!("The message {} has no part \"{name}\".", message.attribute("", "name").unwrap_or("?"));
            self.problem(from, what, "Correct the part's name.");
            return None;
        };
        if part.attribute("", "element").is_none() {
            self.problem(
                part,
                format!("The part \"{name}\" names no element."),
                "Only document/literal is offered: element=\"…\", not type=\"…\".",
            );
            return None;
        }
        self.qname(part, "element")
    }

    fn fault(&mut self, operation: Element<'d>, offered: Element<'d>, soap: &str) -> Option<Fault> {
        let name = offered.attribute("", "name").unwrap_or("").to_owned();
        let bound = operation.named(WSDL, "fault").find(|fault| fault.attribute("", "name") == Some(&name));
        if let Some(fault) = bound.and_then(|bound| bound.named(soap, "fault").next()) {
            self.literal(fault);
        }
        let message = self.definition(offered, "message", "message")?;
        let parts: Vec<_> = message.named(WSDL, "part").filter_map(|part| part.attribute("", "name")).collect();
        let [part] = parts.as_slice() else {
            self.problem(message, format!("The fault {name} has {} parts.", parts.len()), "A fault has exactly one.");
            return None;
        };
        Some(Fault { element: self.part(offered, message, part)?, name, place: self.place(offered) })
    }

    fn literal(&mut self, element: Element<'_>) {
        let encoding = element.attribute("", "use").unwrap_or("literal");
        if encoding != "literal" {
            self.problem(element, format!("It is \"{encoding}\"."), "Only document/literal is offered.");
        }
    }
}

fn written<'d>(side: Element<'d>) -> Option<&'d str> {
    ACTION.iter().find_map(|namespace| side.attribute(namespace, "Action")).filter(|action| !action.is_empty())
}

/// WS-Addressing 1.0 – Metadata, 4.4.4: the default action.
fn by_rule(port_type: Element<'_>, side: Element<'_>, operation: &str, suffix: &str) -> String {
    let namespace = port_type.document().root().attribute("", "targetNamespace").unwrap_or("");
    let delimiter = if namespace.starts_with("urn:") { ":" } else { "/" };
    let namespace = namespace.strip_suffix(delimiter).unwrap_or(namespace);
    let port_type = port_type.attribute("", "name").unwrap_or("");
    let name = side.attribute("", "name").map_or_else(|| format!("{operation}{suffix}"), str::to_owned);
    [namespace, port_type, &name].join(delimiter)
}
