//! The canonicaliser: driven by a tree and by a stream, with PrefixLists, and beside a plain one written apart from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use hjemmel::refusal::Refusal;
use hjemmel::signature::c14n::{Canonicaliser, Exclusive, canonical_bytes, canonicalise};
use hjemmel::soap::document::{Child, Document, Element};
use hjemmel::soap::strict::{Limits, Token, XML_NAMESPACE};

use super::reading::{now, refusal, reread, stream};

/// How many elements of a document are taken for an apex: the cost is their number times the document's length.
const APEXES: usize = 16;

pub fn check(data: &[u8]) {
    let document = Document::parse(Bytes::copy_from_slice(data), &Limits::default());
    for size in [usize::MAX, 1 + data.len() % 13] {
        match (&document, streamed(data, size, &Exclusive::new(), 0)) {
            (Ok(document), Ok(bytes)) => assert_eq!(canonical_bytes(document.root()), bytes, "a tree and a stream"),
            (Err(_), Err(_)) => {}
            (Ok(_), Err(refusal)) => panic!("the tree is read, the stream refused: {refusal}"),
            (Err(refusal), Ok(_)) => panic!("the stream is read, the tree refused: {refusal}"),
        }
    }
    let Ok(document) = document else { return };
    let mut lists: Vec<String> = ["", "#default", "xml nowhere"].map(str::to_owned).into();
    let declared = document.elements().flat_map(|element| element.declarations()).map(|(prefix, _)| prefix);
    lists.push(declared.filter(|prefix| !prefix.is_empty()).take(8).collect::<Vec<_>>().join(" "));
    let step = document.elements().count().div_ceil(APEXES).max(1);
    for (number, apex) in document.elements().enumerate().step_by(step) {
        let mut plainly = String::new();
        plain(apex, &BTreeMap::new(), &mut plainly);
        assert_eq!(String::from_utf8(canonical_bytes(apex)).as_deref(), Ok(&*plainly), "the plain canonicaliser");
        for list in &lists {
            one(data, apex, number, &Exclusive::with_prefixes(list));
            one(data, apex, number, &Exclusive::with_prefixes(list).with_default_on_apex());
        }
    }
}

/// One element, one method: a stream writes the same; what was written is its own canonical form.
fn one(data: &[u8], apex: Element<'_>, number: usize, method: &Exclusive) {
    let written = canonicalise(apex, method, &[], Vec::new());
    for size in [7, 100, usize::MAX] {
        assert_eq!(streamed(data, size, method, number).expect("it was read"), written, "{method:?}, pieces of {size}");
    }
    let again = reread(&written);
    assert_eq!(canonicalise(again.root(), method, &[], Vec::new()), written, "{method:?}");
    assert_eq!(canonical_bytes(again.root()), canonical_bytes(apex), "a PrefixList adds declarations and changes nothing else");
}

/// The canonical form of the element with this number in document order, by the tokens of a stream.
fn streamed(data: &[u8], size: usize, method: &Exclusive, number: usize) -> Result<Vec<u8>, Refusal> {
    let mut reader = stream(data, size);
    let mut canonicaliser = Canonicaliser::new(method.clone(), Vec::new());
    let (mut seen, mut ended) = (0, false);
    loop {
        // In large pieces with leaves and in runs, in small ones mostly token by token.
        let token = match if size > 64 { reader.ready().map_err(refusal)? } else { None } {
            Some(token) => token,
            None => {
                canonicaliser.settle(reader.read());
                now(reader.next()).map_err(refusal)?
            }
        };
        let starts = matches!(token, Token::Start | Token::Empty | Token::Leaf);
        if token == Token::Eof {
            assert!(canonicaliser.is_whole());
            return Ok(canonicaliser.into_sink());
        }
        seen += usize::from(starts);
        if seen > number && !ended {
            canonicaliser.gather(token, reader.read());
            ended = canonicaliser.depth() == 0;
        }
    }
}

/// Exclusive canonicalisation without comments, the plain way: what an element uses is written if the nearest output
/// ancestor wrote otherwise.
fn plain(element: Element<'_>, outside: &BTreeMap<String, String>, out: &mut String) {
    let name = |prefix: &str, local: &str| if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") };
    let mut attributes: Vec<_> = element.attributes().collect();
    attributes.sort_by_key(|attribute| (attribute.namespace, attribute.local));
    let mut used = BTreeMap::from([(element.prefix(), element.namespace())]);
    used.extend(attributes.iter().filter(|a| !a.prefix.is_empty()).map(|a| (a.prefix, a.namespace)));
    used.retain(|_, namespace| *namespace != XML_NAMESPACE);
    let mut inside = outside.clone();
    let tag = name(element.prefix(), element.local());
    out.extend(["<", &tag]);
    for (prefix, namespace) in used {
        if outside.get(prefix).map_or("", |known| known) != namespace {
            out.extend([" ", &if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") }]);
            out.extend(["=\"", &value(namespace), "\""]);
            inside.insert(prefix.to_owned(), namespace.to_owned());
        }
    }
    for attribute in attributes {
        out.extend([" ", &name(attribute.prefix, attribute.local), "=\"", &value(attribute.value), "\""]);
    }
    out.push('>');
    for child in element.children() {
        match child {
            Child::Element(child) => plain(child, &inside, out),
            Child::Text { text, .. } => out.push_str(&escaped(text).replace('>', "&gt;")),
            Child::Comment => {}
        }
    }
    out.extend(["</", &tag, ">"]);
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\r', "&#xD;")
}

fn value(text: &str) -> String {
    escaped(text).replace('"', "&quot;").replace('\t', "&#x9;").replace('\n', "&#xA;")
}
