//! The reader of messages: HTTP headers, strict XML, the SOAP envelope.
//!
//! The bytes are a message's headers (`Name: value`, one a line), an empty line and its body; or only a body.

use bytes::Bytes;
use hjemmel::gateway::envelope::content_type;
use hjemmel::signature::c14n::canonical_bytes;
use hjemmel::signature::ids::Ids;
use hjemmel::soap::document::Document;
use hjemmel::soap::envelope::{Envelope, Version};
use hjemmel::soap::strict::Limits;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::reading::reread;

pub fn check(data: &[u8]) {
    let (headers, body) = divide(data);
    media_type(&headers);
    let Ok(document) = Document::parse(Bytes::copy_from_slice(body), &Limits::default()) else { return };
    places(&document, body.len());

    let written = canonical_bytes(document.root());
    let again = reread(&written);
    assert_eq!(canonical_bytes(again.root()), written, "the canonical form of a canonical form is itself");
    assert_eq!(document.elements().count(), again.elements().count());
    let names = |document: &Document| Ids::of(document).is_ok();
    assert_eq!(names(&document), names(&again), "whether ids are unique");

    let plain = !document.has_comments() && !contains(body, b"<![CDATA[");
    let Ok(first) = Envelope::read(document) else { return };
    let second = Envelope::read(again).expect("an envelope stays one");
    assert_eq!(first.version(), second.version());
    assert_eq!(first.addressing(), second.addressing());
    assert_eq!(first.must_be_signed().len(), second.must_be_signed().len());
    assert_eq!(first.security().is_some(), second.security().is_some());
    if plain {
        // Comments and CDATA hide a transaction's number, and the canonical form has none of them.
        assert_eq!(first.transaction(), second.transaction());
    }
    let (body, payload) = (first.body().expect("Body"), first.payload().expect("a payload"));
    assert_eq!(payload.parent(), Some(body), "the payload stands in Body itself");
    assert_eq!(body.parent(), Some(first.document().root()), "Body stands in Envelope itself");
    assert_eq!(first.document().root().elements().last(), Some(body), "nothing stands behind Body");
}

/// Every element lies inside the source, inside its parent, and behind its elder siblings, from `<` to `>`.
fn places(document: &Document, length: usize) {
    for element in document.elements() {
        let place = element.source_range();
        assert!(place.start < place.end && place.end <= length, "{place:?} of {length}");
        assert!(element.source().starts_with(b"<") && element.source().ends_with(b">"));
        assert!(std::str::from_utf8(element.source()).is_ok(), "a place between characters");
        if let Some(parent) = element.parent() {
            let outer = parent.source_range();
            assert!(outer.start < place.start && place.end < outer.end, "{place:?} in {outer:?}");
        }
        let mut from = place.start;
        for child in element.elements() {
            let inner = child.source_range();
            assert!(from < inner.start, "children in order");
            from = inner.end - 1;
        }
    }
    assert_eq!(document.root().descendants().count(), document.elements().count());
}

fn media_type(headers: &HeaderMap) {
    let Ok((version, action)) = content_type(headers) else { return };
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values.next().expect("no message without a type is taken").to_str().expect("text").to_ascii_lowercase();
    assert!(values.next().is_none(), "one type");
    assert!(!headers.contains_key(header::CONTENT_ENCODING));
    let promised = if version == Version::V11 { "text/xml" } else { "application/soap+xml" };
    assert!(value.trim_start_matches([' ', '\t']).starts_with(promised), "{value}");
    assert!(action.is_none_or(|action| !action.is_empty()));
}

fn divide(data: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let end = data.windows(2).position(|two| two == b"\n\n");
    let Some(end) = end.filter(|_| data.first().is_some_and(u8::is_ascii_alphabetic)) else { return (headers, data) };
    for line in data[..end].split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (headers, &data[end + 2..])
}

fn contains(data: &[u8], needle: &[u8]) -> bool {
    data.windows(needle.len()).any(|window| window == needle)
}
