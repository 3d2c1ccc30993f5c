//! Text and attributes as canonical XML spells them, for everyone who writes XML that is signed.

/// Appends character data: `&`, `<`, `>` and carriage returns escaped, all else as it is.
pub fn text(out: &mut impl super::c14n::Sink, text: &str) {
    escape(out, text, |byte| matches!(byte, b'&' | b'<' | b'>' | b'\r'));
}

/// Whether character data is spelt as it is.
pub(super) fn is_plain(text: &[u8]) -> bool {
    plain_prefix(text, |byte| matches!(byte, b'&' | b'<' | b'>' | b'\r')) == text.len()
}

/// Appends an attribute's value (without its quotes, which must be `"`).
pub fn value(out: &mut impl super::c14n::Sink, value: &str) {
    escape(out, value, |byte| matches!(byte, b'&' | b'<' | b'"' | b'\t' | b'\n' | b'\r'));
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

/// Appends `from` with a reference in place of each `special` byte.
fn escape(out: &mut impl super::c14n::Sink, from: &str, special: impl Fn(u8) -> bool) {
    let mut rest = from.as_bytes();
    loop {
        let (plain, behind) = rest.split_at(plain_prefix(rest, &special));
        out.write(plain);
        let Some((byte, after)) = behind.split_first() else { return };
        out.write(match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            b'\t' => b"&#x9;",
            b'\n' => b"&#xA;",
            _ => b"&#xD;",
        });
        rest = after;
    }
}

/// How many bytes there are before the first special one. Most text has none, so sixteen are looked at together.
fn plain_prefix(bytes: &[u8], special: impl Fn(u8) -> bool) -> usize {
    let any = |chunk: &&[u8]| chunk.iter().fold(false, |found, byte| found | special(*byte));
    let whole = bytes.chunks_exact(16).take_while(|chunk| !any(chunk)).count() * 16;
    let rest = bytes.get(whole..).unwrap_or(&[]);
    whole + rest.iter().position(|byte| special(*byte)).unwrap_or(rest.len())
}
