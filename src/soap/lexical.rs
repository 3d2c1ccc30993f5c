//! The letters and words of XML 1.0: characters, names, references, attributes, the declaration. Strict, and total: every
//! input is either read or refused.

use memchr::memchr2;

use super::strict::malformed;
use crate::refusal::Refusal;

/// White space as XML means it.
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The same of a byte.
pub(crate) fn is_space_byte(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A character that XML 1.0 allows.
pub fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

/// Holds characters to what XML allows.
///
/// # Errors
/// A character that is none.
pub fn check_characters(text: &str, offset: usize) -> Result<(), Refusal> {
    match text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || text.chars().all(is_char) {
        true => Ok(()),
        false => Err(malformed(offset, "et tegn, som XML ikke tillader", "a character that XML forbids")),
    }
}

/// A set of bytes: for each, whether it is in it. A look into it costs less than asking range after range.
type Bytes = [bool; 256];

/// The letters, digits and `more`.
#[allow(clippy::indexing_slicing)] // the compiler evaluates it, and refuses a place that is none
const fn alphanumeric_and(more: &[u8]) -> Bytes {
    let (mut set, mut at) = ([false; 256], 0);
    let mut byte = 0_u8;
    while byte < 128 {
        set[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    while at < more.len() {
        set[more[at] as usize] = true;
        at += 1;
    }
    set
}

static IN_NAME: Bytes = alphanumeric_and(b"_-.");
static IN_URI: Bytes = alphanumeric_and(b"-._~:/?#@!$&'()*+,;=");

fn holds(set: &Bytes, byte: u8) -> bool {
    set.get(usize::from(byte)).copied().unwrap_or(false)
}

/// A name without a colon (XML 1.0, fifth edition; Namespaces in XML).
pub fn is_ncname(name: &str) -> bool {
    let start = |c: char| {
        matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
            | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
            | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
            | '\u{10000}'..='\u{EFFFF}')
    };
    let more =
        |c: char| start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}');
    // The same, looked at byte by byte: nearly every name there is.
    let mut bytes = name.bytes();
    if bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_') && bytes.all(|byte| holds(&IN_NAME, byte)) {
        return true;
    }
    if name.is_ascii() {
        return false;
    }
    let mut characters = name.chars();
    characters.next().is_some_and(start) && characters.all(more)
}

/// How long the prefix is of a qualified name of plain letters: 0 where there is none. `None` says nothing of the name.
pub(super) fn plain_qname(name: &[u8]) -> Option<usize> {
    let begins = |name: &[u8]| name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let plain = |name: &[u8]| begins(name) && all_in_name(name);
    let Some(colon) = name.iter().position(|byte| *byte == b':') else { return plain(name).then_some(0) };
    let (prefix, local) = (name.get(..colon)?, name.get(colon + 1..)?);
    (plain(local) && plain(prefix)).then_some(colon)
}

/// Whether all of a name are letters, digits, `_`, `-` or `.`: sixteen are looked at together, the last of them again where
/// they overlap.
fn all_in_name(name: &[u8]) -> bool {
    let letter = |byte: u8| {
        ((byte | 0x20).wrapping_sub(b'a') < 26)
            | (byte.wrapping_sub(b'0') < 10)
            | (byte == b'_')
            | (byte == b'-')
            | (byte == b'.')
    };
    let all = |bytes: &[u8; 16]| bytes.iter().fold(true, |all, byte| all & letter(*byte));
    match name.last_chunk::<16>() {
        Some(last) => name.as_chunks::<16>().0.iter().all(all) && all(last),
        None => name.iter().all(|byte| holds(&IN_NAME, *byte)),
    }
}

/// The prefix (empty for none) and the local name of a qualified name; `None` where it is none.
pub(super) fn qname(name: &str) -> Option<(&str, &str)> {
    let Some(colon) = name.bytes().position(|byte| byte == b':') else {
        return is_ncname(name).then_some(("", name));
    };
    let (prefix, local) = (name.get(..colon)?, name.get(colon + 1..)?);
    (is_ncname(local) && is_ncname(prefix)).then_some((prefix, local))
}

/// An absolute URI of plain ASCII: a scheme, a colon, and only characters that every reader accepts.
pub fn is_absolute_uri(name: &str) -> bool {
    let Some(colon) = name.bytes().position(|byte| byte == b':') else { return false };
    let (scheme, rest) = (name.get(..colon).unwrap_or(""), name.get(colon + 1..).unwrap_or(""));
    let mut letters = scheme.bytes();
    let scheme_ok = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let plain = |part: &str| part.bytes().all(|byte| holds(&IN_URI, byte));
    let escaped = |part: &str| {
        let (digits, behind) = (part.as_bytes().first_chunk::<2>(), part.get(2..).unwrap_or(""));
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) && plain(behind)
    };
    let mut parts = rest.split('%');
    let rest_ok = !rest.is_empty() && parts.next().is_some_and(plain) && parts.all(escaped);
    let fragments = rest.bytes().filter(|byte| *byte == b'#').count();
    scheme_ok && rest_ok && fragments <= 1 && has_plain_authority(rest)
}

/// Whether what stands between `//` and the path, if anything, is a host and perhaps a port: `http://x:/` is a URI to
/// some readers and none to others (libxml2), and a user's name in it is nobody's namespace.
fn has_plain_authority(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix("//") else { return true };
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or("");
    let port_ok = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    !authority.bytes().any(|byte| byte == b'@') && authority.split_once(':').is_none_or(|(_, port)| port_ok(port))
}

fn trim_start(text: &str) -> &str {
    let start = text.bytes().position(|byte| !is_space_byte(byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or("")
}

/// Takes the next `name="value"` off a start tag's raw attributes; `None` when only white space is left.
///
/// Strict where lenient readers are not: white space before every attribute, quotes, no `<` in a value.
///
/// # Errors
/// What is no attribute.
pub fn next_attribute(raw: &str, offset: usize) -> Result<Option<(&str, &str, &str)>, Refusal> {
    let rest = trim_start(raw);
    if rest.is_empty() {
        return Ok(None);
    }
    if rest.len() == raw.len() {
        return Err(malformed(offset, "der mangler mellemrum før en attribut", "no white space before an attribute"));
    }
    let bad =
        || malformed(offset, "en attribut, der ikke er skrevet som navn=\"værdi\"", "an attribute that is not name=\"value\"");
    // Names are short, values long: a loop for the one, a search of many bytes at a time for the other.
    let sign = rest.bytes().position(|byte| byte == b'=').ok_or_else(bad)?;
    let (name, rest) = (rest.get(..sign).unwrap_or(""), rest.get(sign + 1..).unwrap_or(""));
    let name_end = name.bytes().rposition(|byte| !is_space_byte(byte)).map_or(0, |last| last + 1);
    let (name, rest) = (name.get(..name_end).unwrap_or(""), trim_start(rest));
    let (quote, rest) = match rest.strip_prefix('"') {
        Some(rest) => (b'"', rest),
        None => (b'\'', rest.strip_prefix('\'').ok_or_else(bad)?),
    };
    let end = memchr2(quote, b'<', rest.as_bytes()).ok_or_else(bad)?;
    let (value, rest) = (rest.get(..end).unwrap_or(""), rest.get(end..).unwrap_or(""));
    let Some(rest) = rest.strip_prefix(char::from(quote)) else {
        return Err(malformed(offset, "< i en attributværdi", "< in an attribute"));
    };
    Ok(Some((name, value, rest)))
}

/// Whether nothing in an attribute's value is refused, and nothing stands for something else. So are nearly all.
pub(super) fn is_plain_value(raw: &str) -> bool {
    raw.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte) & (byte != b'&'))
}

/// Appends an attribute's value: references resolved, literal white space turned into spaces (XML 1.0 § 3.3.3).
///
/// # Errors
/// A reference that leads nowhere, or a character that may not stand there.
pub fn normalise_value(raw: &str, out: &mut String, offset: usize) -> Result<(), Refusal> {
    if is_plain_value(raw) {
        out.push_str(raw);
        return Ok(());
    }
    check_characters(raw, offset)?;
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix('&') {
            let (name, after) =
                after.split_once(';').ok_or_else(|| malformed(offset, "& uden en reference", "& without a reference"))?;
            out.push(resolve(name, offset)?);
            rest = after;
        } else {
            out.push(' ');
            rest = from.strip_prefix("\r\n").or_else(|| from.get(1..)).unwrap_or("");
        }
    }
    out.push_str(rest);
    Ok(())
}

/// The character behind a reference: one of the five predefined entities, or a number. There is no DTD, so no others.
///
/// # Errors
/// Any other name or number.
pub fn resolve(name: &str, offset: usize) -> Result<char, Refusal> {
    let number = |digits: &str, radix: u32| {
        let all = !digits.is_empty() && digits.len() <= 8 && digits.chars().all(|c| c.is_digit(radix));
        all.then(|| u32::from_str_radix(digits, radix).ok()).flatten().and_then(char::from_u32).filter(|c| is_char(*c))
    };
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => match name.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => name.strip_prefix('#').and_then(|digits| number(digits, 10)),
        },
    }
    .ok_or_else(|| {
        malformed(
            offset,
            "en ukendt entitet eller et tegn, som XML ikke tillader",
            "an unknown entity or a character that XML forbids",
        )
    })
}

/// `version="1.0"`, then perhaps `encoding="UTF-8"`, then perhaps `standalone`: nothing else, in that order.
///
/// # Errors
/// Anything else.
pub fn check_declaration(raw: &str, offset: usize) -> Result<(), Refusal> {
    let bad = || malformed(offset, "en XML-erklæring, der ikke er velformet", "an XML declaration that is not well-formed");
    let mut rest = raw.strip_prefix("xml").ok_or_else(bad)?;
    let mut expected = ["version", "encoding", "standalone"].iter();
    let mut version = false;
    while let Some((name, value, after)) = next_attribute(rest, offset)? {
        rest = after;
        if !expected.any(|known| *known == name) {
            return Err(bad());
        }
        match name {
            "version" if value == "1.0" => version = true,
            "version" => return Err(malformed(offset, "en anden XML-version end 1.0", "another version of XML than 1.0")),
            "encoding" if value.eq_ignore_ascii_case("utf-8") => {}
            "encoding" => return Err(Refusal::EncodingRefused),
            _ if matches!(value, "yes" | "no") => {}
            _ => return Err(bad()),
        }
    }
    if version { Ok(()) } else { Err(bad()) }
}
