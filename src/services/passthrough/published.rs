//! The contract as callers fetch it: the published files, in which only addresses are the gateway's.
//!
//! `?wsdl` is the WSDL of the first binding that is offered, `?wsdl=token` and `?wsdl=authoritycontext` that of one; `?file=PATH` is what
//! they import, by its path in the folder.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::documents::{self, WSDL};
use super::folder::Folder;
use super::wsdl::{SOAP11, SOAP12, Security};
use crate::schema::source::Sources;
use crate::soap::document::Document;
use crate::soap::fault::escape;
use crate::soap::strict::Limits;

const XML: &str = "text/xml; charset=utf-8";

/// What is served for a query: the media type and the document.
pub struct Published {
    wsdls: Vec<(Security, String)>,
    files: BTreeMap<String, String>,
}

impl Published {
    /// The files of a folder, for a service at `address`.
    pub fn new(folder: &Folder, address: &str) -> Self {
        let wsdls = folder.contracts.iter().map(|contract| (contract.security, contract.wsdl.path.clone())).collect();
        let mut files = BTreeMap::new();
        for contract in &folder.contracts {
            let sources = contract.schema.sources();
            let mut next = vec![contract.wsdl.path.clone()];
            let mut seen = BTreeSet::new();
            while let Some(path) = next.pop() {
                let Some(text) = sources.get(&path).filter(|_| seen.insert(path.clone())) else { continue };
                let Some((text, linked)) = addressed(&path, text, address) else { continue };
                files.insert(path, text);
                next.extend(linked);
            }
        }
        Self { wsdls, files }
    }

    /// The document that a query names.
    pub fn get(&self, query: &str) -> Option<(&'static str, String)> {
        let (key, name) = query.split_once('=').unwrap_or((query, ""));
        let path = if key.eq_ignore_ascii_case("wsdl") {
            let wanted = match name {
                "" => None,
                "token" => Some(Security::Token),
                "authoritycontext" => Some(Security::AuthorityContext),
                _ => return None,
            };
            &self.wsdls.iter().find(|(security, _)| wanted.is_none_or(|wanted| wanted == *security))?.1
        } else if key == "file" {
            name
        } else {
            return None;
        };
        self.files.get(path).map(|text| (XML, text.clone()))
    }
}

/// A document with its addresses made the gateway's, and the paths that it leads to. `None` where it cannot be read: it was, when the
/// folder was loaded.
fn addressed(path: &str, text: &str, address: &str) -> Option<(String, Vec<String>)> {
    let limits = Limits { nodes: usize::MAX, text: usize::MAX, ..Limits::default() };
    let document = Document::parse(Bytes::copy_from_slice(text.as_bytes()), &limits).ok()?;
    let (mut text, mut linked) = (text.to_owned(), Vec::new());
    let mut replace = |attribute: &str, value: &str, by: &str| {
        for quote in ['"', '\''] {
            text = text.replace(&format!("{attribute}={quote}{value}{quote}"), &format!("{attribute}=\"{}\"", escape(by)));
        }
    };
    let places = document.root().descendants().filter(|element| element.local() == "address");
    let own = places.filter(|element| [SOAP11, SOAP12].contains(&element.namespace()));
    let own: BTreeSet<&str> = own.filter_map(|element| element.attribute("", "location")).collect();
    own.into_iter().for_each(|location| replace("location", location, address));
    let links: BTreeSet<String> = documents::links(&document).into_iter().map(|(_, location)| location).collect();
    for location in links {
        if let Some(resolved) = Sources::resolve(path, &location) {
            let by = format!("{address}?file={resolved}");
            replace("schemaLocation", &location, &by);
            if document.root().is(WSDL, "definitions") {
                replace("location", &location, &by);
            }
            linked.push(resolved);
        }
    }
    Some((text, linked))
}
