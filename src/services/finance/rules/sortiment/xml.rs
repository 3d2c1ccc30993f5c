//! A value list as XML (`urn:hjemmel:oekonomi:sortiment:1`).
//!
//! The strict reader goes first, so that a DTD or an entity never reaches the library; then serde over quick-xml, which knows
//! every element and refuses what it does not know.

use bytes::Bytes;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Entry, List, Part, shown};
use crate::id::cvr::Cvr;
use crate::soap::document::Document;
use crate::soap::strict::Limits;

/// The namespace of a value list.
pub const NAMESPACE: &str = "urn:hjemmel:oekonomi:sortiment:1";
/// The largest file that is read, in bytes.
pub const LARGEST: usize = 64 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename = "Sortiment", deny_unknown_fields)]
struct Written {
    #[serde(rename = "@xmlns")]
    namespace: String,
    #[serde(rename = "UUID")]
    id: Uuid,
    #[serde(rename = "Navn")]
    name: String,
    #[serde(rename = "Version")]
    version: String,
    #[serde(rename = "GyldigFra")]
    from: Date,
    #[serde(rename = "GyldigTil", skip_serializing_if = "Option::is_none")]
    to: Option<Date>,
    #[serde(rename = "Myndighed", skip_serializing_if = "Option::is_none")]
    authority: Option<Cvr>,
    #[serde(rename = "Delsortiment", default)]
    parts: Vec<WrittenPart>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPart {
    #[serde(rename = "@navn")]
    name: String,
    #[serde(rename = "@kanSuppleres", default)]
    supplement: bool,
    #[serde(rename = "@kraeverPart", default)]
    party: bool,
    #[serde(rename = "Element", default)]
    codes: Vec<WrittenCode>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCode {
    #[serde(rename = "Kode")]
    code: String,
    #[serde(rename = "Navn", default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(rename = "KlasseUUID", skip_serializing_if = "Option::is_none")]
    class: Option<Uuid>,
    #[serde(rename = "Foelsomhedsniveau", skip_serializing_if = "Option::is_none")]
    sensitivity: Option<u8>,
    #[serde(rename = "GyldigFra", skip_serializing_if = "Option::is_none")]
    from: Option<Date>,
    #[serde(rename = "GyldigTil", skip_serializing_if = "Option::is_none")]
    to: Option<Date>,
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it, each in a sentence.
pub fn read(bytes: &[u8]) -> Result<List, Vec<String>> {
    if bytes.len() > LARGEST {
        return Err(vec![format!("The file has more than {LARGEST} bytes; divide the list.")]);
    }
    let limits = Limits { nodes: usize::MAX, ..Limits::default() };
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let document = Document::parse(Bytes::copy_from_slice(bytes), &limits).map_err(|refusal| {
        let text = refusal.entry().en;
        vec![format!("{} {}", text.what, text.remedy)]
    })?;
    if !document.root().is(NAMESPACE, "Sortiment") {
        return Err(vec![format!("The file is not a Sortiment of the namespace {NAMESPACE}; correct its first element.")]);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| vec!["The file is not UTF-8; save it as UTF-8.".to_owned()])?;
    let written: Written = quick_xml::de::from_str(text)
        .map_err(|error| vec![format!("The list cannot be read: {error}; correct it by docs/services.md.")])?;
    let mut wrong = Vec::new();
    let mut list = List {
        id: written.id,
        name: written.name,
        version: written.version,
        from: written.from,
        to: written.to,
        authority: written.authority,
        parts: std::collections::BTreeMap::new(),
    };
    for part in written.parts {
        if list.parts.contains_key(&part.name) {
            wrong.push(format!("The part list {} stands twice; make one of them.", shown(&part.name)));
        }
        let own = list.parts.entry(part.name.clone()).or_insert_with(|| Part {
            supplement: part.supplement,
            party: part.party,
            codes: std::collections::BTreeMap::new(),
        });
        for WrittenCode { code, name, class, sensitivity, from, to } in part.codes {
            if own.codes.insert(code.clone(), Entry { name, class, sensitivity, from, to }).is_some() {
                wrong.push(format!("{}: the code {} stands twice; keep one.", shown(&part.name), shown(&code)));
            }
        }
    }
    wrong.extend(list.check().err().unwrap_or_default());
    if wrong.is_empty() { Ok(list) } else { Err(wrong) }
}

/// Writes a list as [`read`] reads it.
///
/// # Errors
/// The library's.
pub fn write(list: &List) -> Result<String, String> {
    let code = |(code, entry): (&String, &Entry)| WrittenCode {
        code: code.clone(),
        name: entry.name.clone(),
        class: entry.class,
        sensitivity: entry.sensitivity,
        from: entry.from,
        to: entry.to,
    };
    let part = |(name, part): (&String, &Part)| WrittenPart {
        name: name.clone(),
        supplement: part.supplement,
        party: part.party,
        codes: part.codes.iter().map(code).collect(),
    };
    let written = Written {
        namespace: NAMESPACE.to_owned(),
        id: list.id,
        name: list.name.clone(),
        version: list.version.clone(),
        from: list.from,
        to: list.to,
        authority: list.authority,
        parts: list.parts.iter().map(part).collect(),
    };
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let mut serializer = quick_xml::se::Serializer::new(&mut text);
    serializer.indent(' ', 2);
    written.serialize(serializer).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}
