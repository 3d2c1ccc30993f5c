//! Text and attributes as canonical XML spells them, for everyone who writes XML that is signed.

/// Appends character data: `&`, `<`, `>` and carriage returns escaped, all else as it is.
pub fn text(out: &mut impl super::c14n::Sink, text: &str) {
    escape(out, text, is_special_in_text);
}

/// Whether character data is spelt as it is.
pub(super) fn is_plain(text: &[u8]) -> bool {
    plain_prefix(text, is_special_in_text) == text.len()
}

/// Appends an attribute's value (without its quotes, which must be `"`).
pub fn value(out: &mut impl super::c14n::Sink, value: &str) {
    escape(out, value, is_special_in_value);
}

/// The text as character data.
pub fn escaped(content: &str) -> String {
    let mut out = Vec::new();
    text(&mut out, content);
    String::from_utf8_lossy(&out).into_owned()
}

/// The text as an attribute's value, without its quotes.
pub fn escaped_value(content: &str) -> String {
    let mut out = Vec::new();
    value(&mut out, content);
    String::from_utf8_lossy(&out).into_owned()
}

// Each character by itself, without `matches!`: that becomes a table of bits, which cannot be asked for many bytes together.

fn is_special_in_text(byte: u8) -> bool {
    (byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == b'\r')
}

fn is_special_in_value(byte: u8) -> bool {
    (byte == b'&') | (byte == b'<') | (byte == b'"') | (byte == b'\t') | (byte == b'\n') | (byte == b'\r')
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

/// How many bytes there are before the first special one. Most text has none, so sixteen or eight are looked at together, of
/// what is left after them the last that overlap, and one by one only what is shorter or has one.
fn plain_prefix(bytes: &[u8], special: impl Fn(u8) -> bool) -> usize {
    let whole = bytes.as_chunks::<16>().0.iter().take_while(|chunk| all_plain(chunk, &special)).count() * 16;
    let rest = bytes.get(whole..).unwrap_or(&[]);
    let rest_is_plain = match (bytes.last_chunk::<16>(), rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        (Some(last), ..) => rest.len() < 16 && all_plain(last, &special),
        (None, Some(first), Some(last)) => all_plain(first, &special) && all_plain(last, &special),
        _ => false,
    };
    match rest_is_plain {
        true => bytes.len(),
        false => whole + rest.iter().position(|byte| special(*byte)).unwrap_or(rest.len()),
    }
}

/// No branch stands in the loop, so that the compiler looks at all of them together.
#[inline]
fn all_plain<const N: usize>(bytes: &[u8; N], special: impl Fn(u8) -> bool) -> bool {
    !bytes.iter().fold(false, |found, byte| found | special(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces overlap, so each length and each place in it is another case.
    #[test]
    fn a_special_character_is_escaped_wherever_it_stands() {
        for length in 0..70 {
            for at in 0..=length {
                for (special, in_text, in_value) in [
                    ("&", "&amp;", "&amp;"),
                    ("<", "&lt;", "&lt;"),
                    (">", "&gt;", ">"),
                    ("\"", "\"", "&quot;"),
                    ("\t", "\t", "&#x9;"),
                    ("\n", "\n", "&#xA;"),
                    ("\r", "&#xD;", "&#xD;"),
                    ("æ", "æ", "æ"),
                    ("", "", ""),
                ] {
                    let (before, after) = ("a".repeat(at), "b".repeat(length - at));
                    let from = format!("{before}{special}{after}");
                    let (mut out, mut of_value) = (Vec::new(), Vec::new());
                    text(&mut out, &from);
                    value(&mut of_value, &from);
                    assert_eq!(String::from_utf8(out).as_deref(), Ok(&*format!("{before}{in_text}{after}")));
                    assert_eq!(String::from_utf8(of_value).as_deref(), Ok(&*format!("{before}{in_value}{after}")));
                    assert_eq!(is_plain(from.as_bytes()), special == in_text, "{from:?}");
                }
            }
        }
    }
}
