//! Text and attributes as canonical XML spells them, for everyone who writes XML that is signed.

/// Appends character data: `&`, `<`, `>` and carriage returns escaped, all else as it is.
pub fn text(out: &mut impl super::c14n::Sink, text: &str) {
    escape(out, text, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
}

/// Appends an attribute's value (without its quotes, which must be `"`).
pub fn value(out: &mut impl super::c14n::Sink, value: &str) {
    escape(out, value, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
}

/// Appends ` name="value"`.
pub fn attribute(out: &mut impl super::c14n::Sink, name: &str, content: &str) {
    out.write(b" ");
    out.write(name.as_bytes());
    out.write(b"=\"");
    value(out, content);
    out.write(b"\"");
}

/// Appends `<name>text</name>`; `start` is the start tag's inside (name and attributes), already escaped.
pub fn element(out: &mut impl super::c14n::Sink, start: &str, content: &str) {
    out.write(b"<");
    out.write(start.as_bytes());
    out.write(b">");
    text(out, content);
    out.write(b"</");
    out.write(start.split(' ').next().unwrap_or(start).as_bytes());
    out.write(b">");
}

fn escape(out: &mut impl super::c14n::Sink, from: &str, replacement: impl Fn(u8) -> Option<&'static str>) {
    let bytes = from.as_bytes();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if let Some(escaped) = replacement(*byte) {
            out.write(bytes.get(start..at).unwrap_or(&[]));
            out.write(escaped.as_bytes());
            start = at + 1;
        }
    }
    out.write(bytes.get(start..).unwrap_or(&[]));
}
