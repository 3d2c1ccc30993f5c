//! The documents of a service's folder, read once. A location outside the folder is never followed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use xsd_schema::SchemaError;
use xsd_schema::parser::resolver::{EmbeddedLoader, SchemaLoader};

use crate::soap::document::Document;
use crate::soap::strict::Limits;

/// The most documents in a folder.
const DOCUMENTS: usize = 500;
/// The largest document, in bytes.
const DOCUMENT_BYTES: u64 = 4 * 1024 * 1024;
/// How deep folders may nest.
const DEPTH: usize = 8;
/// The base of every location: relative ones resolve below it, and no file system and no network knows it.
const BASE: &str = "folder:///";

/// What is wrong with a folder, for its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The document, by its path in the folder.
    pub file: String,
    /// The line, from 1, where one is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {} {}", self.file, self.what, self.remedy),
            None => write!(f, "{}: {} {}", self.file, self.what, self.remedy),
        }
    }
}

/// The documents, by their paths in the folder (`xsd/common/SagDokObjekt.xsd`).
#[derive(Debug, Clone, Default)]
pub struct Sources {
    documents: BTreeMap<String, Arc<str>>,
}

impl Sources {
    /// Reads every `.xsd` and `.wsdl` below a folder.
    ///
    /// # Errors
    /// A symbolic link, a document that is not UTF-8, too large, or too many of them; all of them at once.
    pub fn read(folder: &Path) -> Result<Self, Vec<Problem>> {
        let (mut sources, mut problems) = (Self::default(), Vec::new());
        sources.gather(folder, "", DEPTH, &mut problems);
        if sources.documents.len() > DOCUMENTS {
            let what = format!("The folder has more than {DOCUMENTS} schema documents.");
            problems.push(problem(".", &what, "Keep one service's files in a folder of its own."));
        }
        if problems.is_empty() { Ok(sources) } else { Err(problems) }
    }

    /// Adds a document that stands in no file of its own, such as a schema inside a WSDL.
    pub fn add(&mut self, path: &str, text: impl Into<Arc<str>>) {
        self.documents.insert(path.to_owned(), text.into());
    }

    /// A document's text.
    pub fn get(&self, path: &str) -> Option<&Arc<str>> {
        self.documents.get(path)
    }

    /// The paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.documents.keys().map(String::as_str)
    }

    /// The path of a location as a document of the folder names it; `None` where it leads out of the folder.
    pub fn resolve(from: &str, location: &str) -> Option<String> {
        if location.contains(':') || location.contains('\\') || location.starts_with('/') {
            return None;
        }
        let mut parts: Vec<&str> = from.split('/').collect();
        parts.pop();
        for part in location.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                name => parts.push(name),
            }
        }
        Some(parts.join("/"))
    }

    fn gather(&mut self, folder: &Path, prefix: &str, depth: usize, problems: &mut Vec<Problem>) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                let file = if prefix.is_empty() { "." } else { prefix };
                problems.push(problem(file, &format!("The folder cannot be read: {error}."), "Check its path and permissions."));
                return;
            }
        };
        for entry in entries.flatten() {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // The entry's own kind, not that of what it leads to.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                problems.push(problem(&path, "It is a symbolic link.", "Put the file itself into the folder."));
            } else if kind.is_dir() {
                match depth.checked_sub(1) {
                    Some(depth) => self.gather(&entry.path(), &format!("{path}/"), depth, problems),
                    None => problems.push(problem(&path, "Folders nest too deep.", "Remove what is not the service's own.")),
                }
            } else if path.ends_with(".xsd") || path.ends_with(".wsdl") {
                match document(&entry.path()) {
                    Ok(text) => self.add(&path, text),
                    Err(what) => problems.push(problem(&path, &what, "Take the document as it was published.")),
                }
            }
        }
    }
}

fn problem(file: &str, what: &str, remedy: &str) -> Problem {
    Problem { file: file.to_owned(), line: None, what: what.to_owned(), remedy: remedy.to_owned() }
}

/// A document as UTF-8 without its byte order mark, strict XML without a DTD.
///
/// # Errors
/// Why it is not one, in words.
pub fn document(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("It cannot be read: {error}."))?.len();
    if size > DOCUMENT_BYTES {
        return Err(format!("It has {size} bytes; {DOCUMENT_BYTES} are the most."));
    }
    let bytes = fs::read(path).map_err(|error| format!("It cannot be read: {error}."))?;
    let text = String::from_utf8(bytes).map_err(|_| "It is not UTF-8.".to_owned())?;
    checked(&text)
}

/// The text of a document without its byte order mark, if it is strict XML without a DTD.
///
/// # Errors
/// Why it is not, in words.
pub fn checked(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    parse(text).map(|_| text.to_owned())
}

/// A document of the folder, by the strict reader.
///
/// # Errors
/// Why it is not strict XML without a DTD, in words.
pub fn parse(text: &str) -> Result<Document, String> {
    // A DTD can bring entities, which the validator's reader ignores: refused here, with whatever is no strict XML.
    let limits = Limits { attributes: 256, text: 1024 * 1024, nodes: 1_000_000, ..Limits::default() };
    Document::parse(bytes::Bytes::copy_from_slice(text.as_bytes()), &limits).map_err(|refusal| refusal.entry().en.what)
}

/// Gives the validator the folder's documents, and W3C's of the `xml` and XLink attributes, which it carries itself.
#[derive(Debug)]
pub(super) struct FolderLoader(pub Arc<Sources>);

impl FolderLoader {
    pub(super) fn uri(path: &str) -> String {
        format!("{BASE}{path}")
    }
    /// The path of a document of the folder.
    pub(super) fn inside(uri: &str) -> Option<&str> {
        uri.strip_prefix(BASE)
    }
    pub(super) fn path(uri: &str) -> &str {
        Self::inside(uri).unwrap_or(uri)
    }
}

impl SchemaLoader for FolderLoader {
    fn load(&self, location: &str) -> Result<String, SchemaError> {
        // The attributes `xml:lang` and its like, imported without a location: no document of a service declares them.
        if EmbeddedLoader::new().can_load(location) {
            return EmbeddedLoader::new().load(location);
        }
        match Self::inside(location).and_then(|path| self.0.get(path)) {
            Some(text) => Ok(text.to_string()),
            None => Err(SchemaError::resolution(format!("{} is not in the folder", Self::path(location)))),
        }
    }
    fn can_load(&self, _: &str) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_location_leads_nowhere_but_into_the_folder() {
        let from = |location| Sources::resolve("wsdl/token/A.wsdl", location);
        assert_eq!(from("../../xsd/B.xsd").as_deref(), Some("xsd/B.xsd"));
        assert_eq!(from("./C.xsd").as_deref(), Some("wsdl/token/C.xsd"));
        for out in ["../../../B.xsd", "/etc/passwd", "http://example.org/B.xsd", "file:///B.xsd", "..\\B.xsd"] {
            assert_eq!(from(out), None, "{out}");
        }
    }

    #[test]
    fn links_dtds_and_what_is_no_xml_are_refused_by_name_all_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("good.xsd", "\u{feff}<schema xmlns=\"http://www.w3.org/2001/XMLSchema\"/>");
        write("dtd.xsd", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>");
        write("half.xsd", "<schema>");
        write("notes.txt", "not read");
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link.xsd")).unwrap();
        let problems = Sources::read(dir.path()).unwrap_err();
        let files: std::collections::BTreeSet<_> = problems.iter().map(|problem| problem.file.as_str()).collect();
        assert_eq!(files, ["dtd.xsd", "half.xsd", "link.xsd"].into());
        for name in files {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
        assert_eq!(Sources::read(dir.path()).unwrap().paths().collect::<Vec<_>>(), ["good.xsd"]);
    }
}
