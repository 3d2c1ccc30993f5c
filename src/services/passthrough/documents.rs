//! The documents of a WSDL: those that it imports, and the schemas inside it as documents of their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::source::{self, Problem, Sources};
use crate::soap::document::{Document, Element};
use crate::soap::names::XSD;
use crate::text::line_at;

/// WSDL 1.1.
pub(super) const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
/// The most elements of a WSDL, those of its schemas not counted: looking names and lines up must take no time to speak of.
const ELEMENTS: usize = 5000;

/// Between a WSDL's path and the number of a schema in it.
const INLINE: &str = "#schema";

/// The file in which a document of the sources stands: a schema inside a WSDL has the WSDL's path.
pub fn file_of(document: &str) -> &str {
    document.split_once(INLINE).map_or(document, |(path, _)| path)
}

/// A document that is needed and not there: `found` where its place would be in the folder, else `location` as it is written.
pub(super) fn absent(file: &str, line: usize, found: Option<String>, location: &str) -> Problem {
    let what = match found {
        Some(found) => format!("It needs {found}, which is not in the folder."),
        None if location.is_empty() => "It imports a document and does not say which.".to_owned(),
        None => format!("It needs {location}, which lies outside the folder."),
    };
    let remedy = "Put that document into the folder, and name it by a relative location.".to_owned();
    Problem { file: file.to_owned(), line: Some(line), what, remedy }
}

/// A WSDL and all that it imports, by path; and the schemas among the imports.
pub(super) fn gather(sources: &Sources, path: &str, problems: &mut Vec<Problem>) -> (BTreeMap<String, Document>, Vec<String>) {
    let (mut documents, mut schemas) = (BTreeMap::new(), Vec::new());
    let mut next = vec![(path.to_owned(), None::<(String, usize)>)];
    while let Some((path, from)) = next.pop() {
        if documents.contains_key(&path) || schemas.contains(&path) {
            continue;
        }
        let Some(text) = sources.get(&path) else {
            problems.push(match from {
                Some((file, line)) => absent(&file, line, Some(path), ""),
                None => absent(&path, 1, Some(path.clone()), ""),
            });
            continue;
        };
        let document = match source::parse(text) {
            Ok(document) => document,
            Err(what) => {
                problems.push(Problem { file: path, line: None, what, remedy: "Take it as it was published.".to_owned() });
                continue;
            }
        };
        let root = document.root();
        if root.is(XSD, "schema") {
            schemas.push(path);
            continue;
        }
        if !root.is(WSDL, "definitions") {
            let (what, remedy) = ("It is not a WSDL 1.1 document.", "Name the service's WSDL 1.1; WSDL 2.0 is not read.");
            problems.push(Problem { file: path, line: Some(1), what: what.to_owned(), remedy: remedy.to_owned() });
            continue;
        }
        let counted = |element: &Element<'_>| element.namespace() != XSD && element.namespace() != "";
        if root.descendants().filter(counted).count() > ELEMENTS {
            let what = format!("It has more than {ELEMENTS} elements beside its schemas.");
            problems.push(Problem { file: path, line: None, what, remedy: "Keep one service in a WSDL.".to_owned() });
            continue;
        }
        for import in root.named(WSDL, "import") {
            let location = import.attribute("", "location").unwrap_or("");
            match Sources::resolve(&path, location).filter(|_| !location.is_empty()) {
                Some(imported) => next.push((imported, Some((path.clone(), line(import))))),
                None => problems.push(absent(&path, line(import), None, location)),
            }
        }
        documents.insert(path, document);
    }
    (documents, schemas)
}

/// What a WSDL or a schema includes or imports: line and location.
pub fn links(document: &Document) -> Vec<(usize, String)> {
    let location = |element: Element<'_>| match (element.namespace(), element.local()) {
        (WSDL, "import") => element.attribute("", "location").map(str::to_owned),
        (XSD, "include" | "import" | "redefine") => element.attribute("", "schemaLocation").map(str::to_owned),
        _ => None,
    };
    document.root().descendants().filter_map(|element| Some((line(element), location(element)?))).collect()
}

/// The line on which an element begins, from 1.
pub(super) fn line(element: Element<'_>) -> usize {
    line_at(element.document().source(), element.source_range().start)
}

/// A schema inside a WSDL as a document of its own: with the prefixes that the WSDL declares, on the same lines.
fn alone(schema: Element<'_>) -> String {
    let (mut declared, mut added): (BTreeSet<&str>, String) =
        (schema.declarations().map(|(prefix, _)| prefix).collect(), String::new());
    let mut place = schema.parent();
    while let Some(element) = place {
        for (prefix, uri) in element.declarations() {
            if declared.insert(prefix) {
                let colon = if prefix.is_empty() { "" } else { ":" };
                let uri = uri.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
                added.push_str(&format!(" xmlns{colon}{prefix}=\"{uri}\""));
            }
        }
        place = element.parent();
    }
    let source = String::from_utf8_lossy(schema.source());
    let colon = if schema.prefix().is_empty() { 0 } else { 1 };
    let (name, rest) = source.split_at_checked(1 + schema.prefix().len() + colon + schema.local().len()).unwrap_or((&source, ""));
    format!("{}{name}{added}{rest}", "\n".repeat(line(schema) - 1))
}

/// Adds the schemas inside WSDLs to the sources, and gives their names.
pub(super) fn lift(sources: &mut Sources, documents: &BTreeMap<String, Document>) -> Vec<String> {
    let mut names = Vec::new();
    for (path, document) in documents {
        let inline = document.root().named(WSDL, "types").flat_map(|types| types.named(XSD, "schema"));
        for (number, schema) in inline.enumerate() {
            let name = format!("{path}{INLINE}{}", number + 1);
            sources.add(&name, alone(schema));
            names.push(name);
        }
    }
    names
}
