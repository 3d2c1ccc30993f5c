//! The suite's groups, as its lists and NIST's names have them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hjemmel::schema::source::{self, Sources};
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::strict::Limits;

const SUITE: &str = "http://www.w3.org/XML/2004/xml-schema-test-suite/";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// Schema documents, and instances with what is expected of each.
pub struct Group {
    pub name: String,
    pub schema: Vec<String>,
    pub schema_valid: Option<bool>,
    pub instances: Vec<(String, bool)>,
}

pub fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

pub fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_string_lossy().into_owned()
}

/// The suite names namespaces by relative references ("NIST…-NS", "foo"), which the strict reader refuses in every message,
/// for they make canonicalisation void. Here they are made absolute, in schemas and instances alike.
fn absolute(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 200);
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (name, value) = rest.split_at(at + 1);
        let word = name[..at].trim_end().rsplit(|c: char| c.is_whitespace() || c == '<').next().unwrap_or("");
        let is_name = word == "xmlns" || word.starts_with("xmlns:") || word == "targetNamespace" || word == "namespace";
        out.push_str(name);
        rest = value;
        let trimmed = value.trim_start();
        let Some(quote) = trimmed.chars().next().filter(|c| is_name && (*c == '"' || *c == '\'')) else { continue };
        let Some(end) = trimmed[1..].find(quote) else { continue };
        let names = trimmed[1..=end].split_whitespace().map(|one| match one {
            one if one.contains(':') || one.starts_with("##") => one.to_owned(),
            one => format!("urn:suite:{one}"),
        });
        out.push(quote);
        out.push_str(&names.collect::<Vec<_>>().join(" "));
        rest = &trimmed[1 + end..];
    }
    out.push_str(rest);
    out
}

/// A schema or an instance of the suite, or why it is not read.
pub fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    source::checked(&absolute(&text))
}

pub fn parse(text: &str) -> Option<Arc<Document>> {
    let limits = Limits { depth: 400, attributes: 400, nodes: 2_000_000, text: 4 << 20, ..Limits::default() };
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), &limits).ok().map(Arc::new)
}

/// Whether something holds for XSD 1.0: it names no version, or that one.
fn is_for_1_0(element: Element<'_>) -> bool {
    element.attribute("", "version").is_none_or(|version| version.split_whitespace().any(|one| one == "1.0"))
}

fn expected(test: Element<'_>) -> Option<bool> {
    let validity = test.named(SUITE, "expected").find(|one| is_for_1_0(*one))?.attribute("", "validity")?;
    match validity {
        "valid" => Some(true),
        "invalid" => Some(false),
        // "notKnown", "implementation-defined" …: nothing to agree with.
        _ => None,
    }
}

fn documents(test: Element<'_>, kind: &str, from: &str) -> Vec<String> {
    test.named(SUITE, kind).filter_map(|one| Sources::resolve(from, one.attribute(XLINK, "href")?)).collect()
}

/// The groups of a test set.
fn groups(root: &Path, path: &Path) -> Vec<Group> {
    let from = relative(root, path);
    let Some(set) = fs::read_to_string(path).ok().and_then(|text| parse(text.trim_start_matches('\u{feff}'))) else {
        return Vec::new();
    };
    let set = set.root();
    if !set.is(SUITE, "testSet") || !is_for_1_0(set) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for group in set.named(SUITE, "testGroup").filter(|group| is_for_1_0(*group)) {
        let test = group.named(SUITE, "schemaTest").find(|test| is_for_1_0(*test));
        let instances = group
            .named(SUITE, "instanceTest")
            .filter(|test| is_for_1_0(*test))
            .filter_map(|test| Some((documents(test, "instanceDocument", &from).pop()?, expected(test)?)))
            .collect();
        found.push(Group {
            name: format!("{from}#{}", group.attribute("", "name").unwrap_or("?")),
            schema: test.map(|test| documents(test, "schemaDocument", &from)).unwrap_or_default(),
            schema_valid: test.and_then(expected),
            instances,
        });
    }
    found
}

/// NIST's cases, whose list is not in the suite: what is expected stands in the names.
fn nist(root: &Path, all: &[PathBuf]) -> Vec<Group> {
    let mut found: BTreeMap<String, Group> = BTreeMap::new();
    for path in all.iter().filter(|path| path.starts_with(root.join("nistData"))) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let extension = path.extension().unwrap_or_default();
        let folder = path.parent().unwrap();
        let schema = match (name.strip_prefix("NISTXML-"), extension.to_str()) {
            (Some(name), Some("xml")) => folder.join(format!("NISTSchema-{}.xsd", name.rsplit_once('-').unwrap().0)),
            (None, Some("xsd")) => path.clone(),
            _ => continue,
        };
        let schema = relative(root, &schema);
        let group = found.entry(schema.clone()).or_insert_with(|| Group {
            name: schema.clone(),
            schema: vec![schema],
            schema_valid: Some(true),
            instances: Vec::new(),
        });
        if extension == "xml" {
            group.instances.push((relative(root, path), name.contains("-SV-IV-")));
        }
    }
    found.into_values().collect()
}

/// Every group that speaks of XSD 1.0.
pub fn all(root: &Path, files: &[PathBuf]) -> Vec<Group> {
    // An editor's backup of a list was published with the suite.
    let is_backup = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".#"));
    let is_set =
        |path: &&PathBuf| !is_backup(path) && path.parent().is_some_and(|parent| parent.to_string_lossy().ends_with("Meta"));
    let mut found: Vec<Group> = files.iter().filter(is_set).flat_map(|path| groups(root, path)).collect();
    found.extend(nist(root, files));
    found
}
