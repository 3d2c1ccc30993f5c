//! What happens to a sealed message: spellings that change nothing, changes that must be seen, and forgeries.
//!
//! Each mutation says what it did; whether it matters is for the verifiers to say.

use std::ops::Range;

use hjemmel::signature::base64;
use hjemmel::signature::names::{DSIG, EXC_C14N, WSSE};
use hjemmel::soap::document::{Document, Element};

use crate::message::{Kind, Unsealed};
use crate::parties::Party;
use crate::seal::{DIGEST, VALUE, is_issuers, parse, seal, signatures};
use crate::xml_documents::Random;

/// A sealed message and what it takes to mutate it.
pub struct Good<'a> {
    pub kind: Kind,
    pub xml: &'a str,
    pub message: &'a Unsealed,
    pub issuer: &'a Party,
    pub holder: &'a Party,
    /// With the issuer's kind of key, and with the holder's.
    pub strangers: (&'a Party, &'a Party),
    /// Another sealed message of the same parties and kind.
    pub other: &'a str,
}

/// The end of the start tag that `text` begins with, behind its `>`.
pub fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '>') => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The attributes of a start tag as written: where each stands, its leading white space included.
fn items(tag: &str) -> Vec<Range<usize>> {
    let (mut found, mut quote, mut from) = (Vec::new(), None, None);
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => {
                quote = None;
                found.push(from.take().unwrap_or(at)..at + 1);
            }
            (None, c) if c.is_whitespace() && from.is_none() => from = Some(at),
            (None, c) if c.is_whitespace() && tag[from.unwrap_or(at)..at].trim().is_empty() => {}
            _ => {}
        }
    }
    found
}

fn splice(xml: &str, range: Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &xml[..range.start], &xml[range.end..])
}

fn one<T>(random: &mut Random, mut of: Vec<T>) -> Option<T> {
    match of.len() {
        0 => None,
        n => Some(of.swap_remove(random.below(n as u64) as usize)),
    }
}

/// A part of the message in which to look for something to change.
fn region<'d>(random: &mut Random, document: &'d Document) -> Element<'d> {
    let root = document.root();
    let named: Vec<Element<'d>> = root
        .descendants()
        .filter(|e| {
            matches!(e.local(), "Body" | "Timestamp" | "SignedInfo" | "KeyInfo" | "Assertion" | "Signature" | "Header" | "Extra")
        })
        .collect();
    one(random, named).filter(|_| random.below(4) > 0).unwrap_or(root)
}

fn any<'d>(random: &mut Random, document: &'d Document) -> Option<Element<'d>> {
    let region = region(random, document);
    one(random, region.descendants().collect())
}

fn tag(xml: &str, element: Element<'_>) -> Range<usize> {
    let start = element.source_range().start;
    start..start + tag_end(&xml[start..]).unwrap_or(0)
}

/// A raw text run of the message: between tags, outside CDATA, not empty.
fn run(random: &mut Random, xml: &str, document: &Document) -> Option<Range<usize>> {
    let region = region(random, document).source_range();
    let mut runs = Vec::new();
    let mut from = None;
    for (at, c) in xml[region.clone()].char_indices() {
        match c {
            '>' => from = Some(region.start + at + 1),
            '<' => runs.extend(from.take().filter(|from| *from < region.start + at).map(|from| from..region.start + at)),
            _ => {}
        }
    }
    runs.retain(|run| !xml[run.clone()].contains("]]") && !xml[..run.start].ends_with("]]>"));
    one(random, runs)
}

/// The place of one letter in a run that is no part of a reference.
fn letter(random: &mut Random, xml: &str, run: Range<usize>) -> Option<(Range<usize>, char)> {
    let mut reference = false;
    let mut places = Vec::new();
    for (at, c) in xml[run.clone()].char_indices() {
        reference |= c == '&';
        if !reference && c != '\r' && c != '>' {
            places.push((run.start + at..run.start + at + c.len_utf8(), c));
        }
        reference &= c != ';';
    }
    one(random, places)
}

/// Spellings that canonicalisation takes away.
fn spelling(random: &mut Random, xml: &str, document: &Document) -> Option<(&'static str, String)> {
    let which = random.below(12);
    Some(match which {
        0 => {
            let tag = tag(xml, any(random, document)?);
            let items = items(&xml[tag.clone()]);
            let (a, b) = (items.first()?.clone(), items.last()?.clone());
            let text = &xml[tag.clone()];
            let swapped = format!(
                "{}{}{}{}{}",
                &text[..a.start],
                &text[b.clone()],
                &text[a.end..b.start.max(a.end)],
                &text[a.clone()],
                &text[b.end..]
            );
            (a != b).then(|| ("spelling: order of attributes", splice(xml, tag, &swapped)))?
        }
        1 => {
            let tag = tag(xml, any(random, document)?);
            let item = one(random, items(&xml[tag.clone()]))?;
            let text = &xml[tag.start + item.start..tag.start + item.end];
            let other = if text.ends_with('"') { '\'' } else { '"' };
            let swapped: String = text.chars().map(|c| if text.ends_with(c) { other } else { c }).collect();
            (!text.contains(other))
                .then(|| ("spelling: quotes", splice(xml, tag.start + item.start..tag.start + item.end, &swapped)))?
        }
        2 => {
            let tag = tag(xml, any(random, document)?);
            let end = tag.end - if xml[..tag.end].ends_with("/>") { 2 } else { 1 };
            ("spelling: white space in a tag", splice(xml, end..end, random.pick(&[" ", "\n", "\t ", "\r\n"])))
        }
        3 => {
            let element = any(random, document)?;
            let tag = tag(xml, element);
            let whole = element.source_range();
            let name = xml[tag.start + 1..].split(|c: char| c.is_whitespace() || c == '>' || c == '/').next()?;
            if xml[tag.clone()].ends_with("/>") {
                ("spelling: empty element", splice(xml, tag.end - 2..tag.end, &format!("></{name}>")))
            } else if xml[tag.end..whole.end].starts_with("</") {
                ("spelling: empty element", splice(xml, tag.end - 1..whole.end, "/>"))
            } else {
                return None;
            }
        }
        4 => {
            let tag = tag(xml, any(random, document)?);
            let at = tag.end - if xml[..tag.end].ends_with("/>") { 2 } else { 1 };
            (
                "spelling: a declaration that nothing uses",
                splice(xml, at..at, random.pick(&[" xmlns:zz='urn:zz'", " xmlns:nowhere='urn:n'"])),
            )
        }
        5 => {
            let element = any(random, document)?;
            let tag = tag(xml, element);
            let at = tag.end - if xml[..tag.end].ends_with("/>") { 2 } else { 1 };
            let own = element.declarations().any(|(prefix, _)| prefix == element.prefix());
            let (item, uri) = (element.prefix(), element.namespace());
            let item = if item.is_empty() { " xmlns".to_owned() } else { format!(" xmlns:{item}") };
            (!own && !uri.is_empty())
                .then(|| ("spelling: a declaration said again", splice(xml, at..at, &format!("{item}=\"{uri}\""))))?
        }
        6 | 7 => {
            let run = run(random, xml, document)?;
            let (place, c) = letter(random, xml, run)?;
            let new = if random.below(2) == 0 { format!("&#{};", u32::from(c)) } else { format!("&#x{:X};", u32::from(c)) };
            ("spelling: a character by reference", splice(xml, place, &new))
        }
        8 => {
            let run = run(random, xml, document)?;
            let (place, c) = letter(random, xml, run)?;
            ("spelling: CDATA", splice(xml, place, &format!("<![CDATA[{c}]]>")))
        }
        9 => {
            let tag = tag(xml, any(random, document)?);
            let item = one(random, items(&xml[tag.clone()]))?;
            let text = &xml[tag.start + item.start..tag.start + item.end];
            let value = text.find(['"', '\''])? + 1;
            let c = text[value..].chars().next().filter(|c| !"&\"'".contains(*c))?;
            let at = tag.start + item.start + value;
            (
                "spelling: a character of an attribute by reference",
                splice(xml, at..at + c.len_utf8(), &format!("&#{};", u32::from(c))),
            )
        }
        10 => {
            let run = run(random, xml, document)?;
            let text = xml[run.clone()].replace("\r\n", "\n").replace('\n', "\r\n");
            (text != xml[run.clone()]).then(|| ("spelling: line ends", splice(xml, run, &text)))?
        }
        _ => match random.below(3) {
            0 => ("spelling: white space behind the root", format!("{xml} \n\r\n")),
            1 if !xml.starts_with("<?") => ("spelling: an XML declaration", format!("<?xml version='1.0'?>{xml}")),
            1 => {
                ("spelling: another XML declaration", splice(xml, 0..xml.find("?>")?, "<?xml version=\"1.0\" standalone=\"yes\""))
            }
            _ => ("spelling: a byte order mark", format!("\u{feff}{xml}")),
        },
    })
}

/// Changes of content, wherever they fall.
fn content(random: &mut Random, xml: &str, document: &Document) -> Option<(&'static str, String)> {
    Some(match random.below(14) {
        0 | 1 => {
            let run = run(random, xml, document)?;
            let (place, c) = letter(random, xml, run)?;
            let new = if c == 'x' { "y" } else { random.pick(&["x", "0", "A", "ø", " "]) };
            ("content: a character", splice(xml, place, new))
        }
        2 => {
            let tag = tag(xml, any(random, document)?);
            let item = one(random, items(&xml[tag.clone()]))?;
            let end = tag.start + item.end - 1;
            ("content: an attribute or a declaration", splice(xml, end..end, random.pick(&["x", "1", " ", "ø"])))
        }
        3 => {
            let element = any(random, document)?;
            let at = element.elements().next()?.source_range().start;
            ("content: white space between tags", splice(xml, at..at, random.pick(&[" ", "\n", "\t", "&#13;", "&#32;"])))
        }
        4 => {
            let element = any(random, document).filter(|e| e.parent().is_some())?;
            ("content: an element taken away", splice(xml, element.source_range(), ""))
        }
        5 => {
            let element = any(random, document).filter(|e| e.parent().is_some())?;
            let range = element.source_range();
            ("content: an element twice", splice(xml, range.end..range.end, &xml[range.clone()]))
        }
        6 => {
            let parent = any(random, document)?;
            let children: Vec<_> = parent.elements().map(|e| e.source_range()).collect();
            let (a, b) = (children.first()?.clone(), children.last()?.clone());
            let moved = format!(
                "{}{}{}{}{}",
                &xml[..a.start],
                &xml[b.clone()],
                &xml[a.end..b.start.max(a.end)],
                &xml[a.clone()],
                &xml[b.end..]
            );
            (a != b).then_some(("content: elements in another order", moved))?
        }
        7 => {
            // Another prefix for the same namespace: the same to a reader, another canonical form.
            let element = any(random, document)?;
            let (tag, whole) = (tag(xml, element), element.source_range());
            let old = xml[tag.start + 1..].split(|c: char| c.is_whitespace() || c == '>' || c == '/').next()?;
            let new = format!("yy:{}", element.local());
            let uri = Some(element.namespace()).filter(|uri| !uri.is_empty())?;
            let inner = &xml[tag.start + 1 + old.len()..whole.end];
            let close = inner.rfind("</").map_or(inner.to_owned(), |at| {
                if xml[tag.clone()].ends_with("/>") { inner.to_owned() } else { splice(inner, at + 2..at + 2 + old.len(), &new) }
            });
            ("content: another prefix", splice(xml, whole, &format!("<{new} xmlns:yy=\"{uri}\"{close}")))
        }
        8 => {
            let element = any(random, document)?;
            let (prefix, uri) = one(random, element.declarations().collect())?;
            let tag = tag(xml, element);
            let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            let at = xml[tag.clone()].find(&name)? + tag.start;
            let value = xml[at..].find(uri)? + at;
            ("content: another namespace", splice(xml, value..value + uri.len(), "urn:other"))
        }
        9 => {
            let tag = tag(xml, any(random, document)?);
            let at = tag.end - if xml[..tag.end].ends_with("/>") { 2 } else { 1 };
            (
                "content: an attribute more",
                splice(xml, at..at, random.pick(&[" q='1'", " xml:lang='da'", " Id='q'", " xmlns:a='urn:q'", " xmlns=''"])),
            )
        }
        10 => {
            let tag = tag(xml, any(random, document)?);
            let item = one(random, items(&xml[tag.clone()]))?;
            ("content: an attribute or a declaration less", splice(xml, tag.start + item.start..tag.start + item.end, ""))
        }
        11 => {
            let run = run(random, xml, document)?;
            let at = letter(random, xml, run)?.0.start;
            let new = random.pick(&["<!-- -->", "<?p i?>", "<!-- x -->", "<x/>", "&unknown;", "\u{1}"]);
            ("content: a comment, an instruction or worse", splice(xml, at..at, new))
        }
        12 => {
            let element = any(random, document).filter(|e| e.parent().is_some())?;
            let range = element.source_range();
            let wrapped = format!("<w:W xmlns:w='urn:w'>{}</w:W>", &xml[range.clone()]);
            ("content: an element in another", splice(xml, range, &wrapped))
        }
        _ => {
            let bytes = xml.len() as u64;
            let mut at = random.below(bytes) as usize;
            while !xml.is_char_boundary(at) {
                at -= 1;
            }
            let c = xml[at..].chars().next()?;
            let new = match random.below(3) {
                0 => String::new(),
                1 => format!("{c}{c}"),
                _ => random.pick(&["<", ">", "&", "\"", "'", "=", " ", "/", ":", "\n", "a", "Z", "0", "#"]).to_owned(),
            };
            ("content: a byte anywhere", splice(xml, at..at + c.len_utf8(), &new))
        }
    })
}

/// Parts that stand in other places, and names that lead elsewhere.
fn places(random: &mut Random, good: &Good<'_>, document: &Document) -> Option<(&'static str, String)> {
    let xml = good.xml;
    let ids: Vec<_> =
        document.elements().filter_map(|e| Some((e, e.attributes().find(|a| a.local.eq_ignore_ascii_case("id"))?))).collect();
    let (element, id) = one(random, ids)?;
    let range = element.source_range();
    let piece = xml[range.clone()].to_owned();
    Some(match random.below(7) {
        0 => ("place: an id renamed at both ends", xml.replace(id.value, "renamed")),
        1 => ("place: an id renamed at its element", splice(xml, range, &piece.replacen(id.value, "renamed", 1))),
        2 => {
            let tag = tag(xml, element);
            let text = &xml[tag.clone()];
            let at = text.find(&format!(":{}", id.local)).filter(|_| !id.prefix.is_empty())?;
            let start = text[..at].rfind(char::is_whitespace)? + 1;
            ("place: Id without its namespace", splice(xml, tag.start + start..tag.start + at + 1, ""))
        }
        3 => {
            let forged = piece.replacen(id.value, "forged", 1).replace("11111111", "11111112").replace("urn:", "urm:");
            let wrapped = format!("<w:W xmlns:w='urn:w'>{piece}</w:W>");
            let header = document.elements().find(|e| e.local() == "Security").unwrap_or(document.root()).source_range();
            let forged = splice(xml, range.clone(), &forged);
            let at = if range.start < header.start { header.start + forged.len() - xml.len() } else { header.start };
            ("place: the signed part moved, a forged one in its place", splice(&forged, at..at, &wrapped))
        }
        4 => {
            let other = one(random, document.elements().collect())?.source_range();
            let inside =
                range.start <= other.start && other.end <= range.end || other.start <= range.start && range.end <= other.end;
            if inside {
                return None;
            }
            let moved = if other.start < range.start {
                splice(&splice(xml, range.clone(), ""), other.start..other.start, &piece)
            } else {
                splice(&splice(xml, other.end..other.end, &piece), range.clone(), "")
            };
            ("place: a signed part moved", moved)
        }
        5 => {
            let theirs = parse(good.other)?;
            let same = |e: &Element<'_>| e.local() == element.local() && e.namespace() == element.namespace();
            let other = theirs.elements().find(same)?;
            ("place: a part of another message", splice(xml, range, &good.other[other.source_range()]))
        }
        _ => {
            let theirs = parse(good.other)?;
            let (mine, other) = (signatures(document).pop()?, signatures(&theirs).pop()?);
            ("place: the signature of another message", splice(xml, mine.source_range(), &good.other[other.source_range()]))
        }
    })
}

/// Changes of a Signature, half of them signed again by the rightful key: then only digests can tell.
fn signature(random: &mut Random, good: &Good<'_>, document: &Document) -> Option<(&'static str, String)> {
    let xml = good.xml;
    let signature = one(random, signatures(document))?;
    let info = signature.named(DSIG, "SignedInfo").next()?;
    let reference = one(random, info.named(DSIG, "Reference").collect())?;
    let value = signature.named(DSIG, "SignatureValue").next()?;
    let within = |name: &str| reference.descendants().find(|e| e.local() == name);
    let text = |element: Element<'_>| -> Option<(String, Range<usize>)> {
        let range = element.source_range();
        let text = element.text()?.trim().to_owned();
        let at = xml[range.clone()].find(&text)? + range.start;
        Some((text.clone(), at..at + text.len()))
    };
    let attribute = |element: Element<'_>, name: &str, new: &str| -> Option<String> {
        let old = element.attribute("", name)?;
        let tag = tag(xml, element);
        let at = xml[tag.clone()].find(old)? + tag.start;
        Some(splice(xml, at..at + old.len(), new))
    };
    let (what, changed) = match random.below(16) {
        0 => {
            let (old, place) = text(within("DigestValue")?)?;
            let mut bytes = base64::decode(&old)?;
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
            ("signature: a digest", splice(xml, place, &base64::encode(&bytes)))
        }
        1 => {
            let (old, place) = text(value)?;
            let mut bytes = base64::decode(&old)?;
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(0, 0),
                2 => bytes.push(0),
                _ => bytes[at] ^= 1 << random.below(8),
            }
            ("signature: its value", splice(xml, place, &base64::encode(&bytes)))
        }
        2 => {
            let (old, place) = text(value)?;
            let half = old.len() / 2;
            let space = random.pick(&[" ", "\n", "&#13;\n", "\t", "\r\n", "&#32;", "\u{a0}", "=", "&#65;"]);
            ("signature: white space in its value", splice(xml, place.start + half..place.start + half, space))
        }
        3 => {
            let (_, place) = text(within("DigestValue")?)?;
            ("signature: white space in a digest", splice(xml, place.start + 7..place.start + 7, random.pick(&[" ", "\n"])))
        }
        4 => ("signature: a Reference less", splice(xml, reference.source_range(), "")),
        5 => {
            let first = info.named(DSIG, "Reference").next()?.source_range();
            let range = reference.source_range();
            let moved = splice(&splice(xml, range.clone(), ""), first.start..first.start, &xml[range]);
            ("signature: References in another order", moved)
        }
        6 => {
            let ids: Vec<_> =
                document.elements().filter_map(|e| e.attributes().find(|a| a.local.eq_ignore_ascii_case("id"))).collect();
            let other = one(random, ids)?.value;
            let new = if random.below(4) == 0 {
                random.pick(&["", "#nowhere", "#xpointer(/)", "file:///etc/hostname"]).to_owned()
            } else {
                format!("#{other}")
            };
            ("signature: a Reference leads elsewhere", attribute(reference, "URI", &new)?)
        }
        7 => {
            let new = random.pick(&[
                "http://www.w3.org/2001/04/xmlenc#sha256",
                "http://www.w3.org/2001/04/xmlenc#sha512",
                "http://www.w3.org/2001/04/xmldsig-more#sha384",
                "http://www.w3.org/2000/09/xmldsig#sha1",
                "none",
            ]);
            ("signature: another digest algorithm", attribute(within("DigestMethod")?, "Algorithm", new)?)
        }
        8 => {
            let method = info.named(DSIG, "SignatureMethod").next()?;
            let names = ["rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256", "ecdsa-sha384", "hmac-sha256"];
            let new = format!("http://www.w3.org/2001/04/xmldsig-more#{}", random.pick(&names));
            ("signature: another signature algorithm", attribute(method, "Algorithm", &new)?)
        }
        9 => {
            let methods: Vec<_> = info.descendants().filter(|e| e.attribute("", "Algorithm") == Some(EXC_C14N)).collect();
            let new = random.pick(&[
                "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
                "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
                "http://www.w3.org/2006/12/xml-c14n11",
            ]);
            ("signature: another canonicalisation", attribute(one(random, methods)?, "Algorithm", new)?)
        }
        10 | 11 => {
            // A PrefixList changed or added: whether it matters depends on what the prefixes are bound to there.
            let methods: Vec<_> = info.descendants().filter(|e| e.attribute("", "Algorithm") == Some(EXC_C14N)).collect();
            let method = one(random, methods)?;
            let list = random.pick(&["", "a", "a b c", "#default", "p1 p2 p3 p4", "xml", "soap s wsu u", "ns1 A #default", "xs"]);
            let changed = match method.elements().next() {
                Some(old) => attribute(old, "PrefixList", list).filter(|_| old.attribute("", "PrefixList") != Some(""))?,
                None => {
                    let range = method.source_range();
                    let new = format!("<i:InclusiveNamespaces xmlns:i=\"{EXC_C14N}\" PrefixList=\"{list}\"/>");
                    let text = &xml[range.clone()];
                    let name = text[1..].split(|c: char| c.is_whitespace() || c == '>' || c == '/').next()?;
                    let tag = tag(xml, method);
                    match text.ends_with("/>") && tag.end == range.end {
                        true => splice(xml, range.end - 2..range.end, &format!(">{new}</{name}>")),
                        false => splice(xml, tag.end..tag.end, &new),
                    }
                }
            };
            ("signature: another PrefixList", changed)
        }
        12 => {
            let other = one(random, info.named(DSIG, "Reference").collect())?;
            let (a, b) = (text(within("DigestValue")?)?, text(other.descendants().find(|e| e.local() == "DigestValue")?)?);
            let (a, b) = if a.1.start < b.1.start { (a, b) } else { (b, a) };
            let swapped = splice(&splice(xml, b.1, &a.0), a.1, &b.0);
            ("signature: digests exchanged", swapped)
        }
        13 => {
            // By another key altogether.
            let empty = text(value)?.1;
            let forged = seal(splice(xml, empty, VALUE), good.strangers.0, good.strangers.1, good.message.form)?;
            return Some(("signature: by another key", forged));
        }
        14 => {
            let certificate = one(
                random,
                document.elements().filter(|e| matches!(e.local(), "X509Certificate" | "BinarySecurityToken")).collect(),
            )?;
            let place = text(certificate)?.1;
            ("signature: another certificate beside it", splice(xml, place, &base64::encode(good.strangers.1.certificate.der())))
        }
        _ => {
            let str_ = one(random, document.elements().filter(|e| e.is(WSSE, "KeyIdentifier")).collect())?;
            let tag = tag(xml, str_);
            let at = tag.end - 1;
            match random.below(3) {
                0 => ("signature: a KeyIdentifier of another token", splice(xml, tag.end..tag.end, "x")),
                1 => ("signature: a KeyIdentifier with another EncodingType", splice(xml, at..at, " EncodingType='urn:x'")),
                _ => (
                    "signature: a KeyIdentifier of another type",
                    attribute(
                        str_,
                        "ValueType",
                        "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID",
                    )?,
                ),
            }
        }
    };
    if random.below(2) == 0 {
        return Some((what, changed));
    }
    // Signed again: what is left to see is what was digested.
    let document = parse(&changed)?;
    let which = signatures(&document).into_iter().find(|s| is_issuers(*s) == is_issuers(signature))?;
    let value = which.named(DSIG, "SignatureValue").next()?;
    let range = value.source_range();
    let old = value.text()?.into_owned();
    let at = changed[range.clone()].find(old.trim())? + range.start;
    let mut open = splice(&changed, at..at + old.trim().len(), VALUE);
    if is_issuers(signature) && good.kind == Kind::Request {
        // The token is covered by the message: its digest and signature are made anew too.
        let again = parse(&open)?;
        let message = signatures(&again).into_iter().find(|s| !is_issuers(*s))?;
        let token = message
            .descendants()
            .find(|e| e.is(DSIG, "Reference") && e.descendants().any(|t| t.local() == "TransformationParameters"))?;
        let digest = token.named(DSIG, "DigestValue").next()?.source_range();
        let value = message.named(DSIG, "SignatureValue").next()?.source_range();
        let leaf = |range: Range<usize>, new: &str| {
            let text = &open[range.clone()];
            let (from, to) = (tag_end(text).unwrap_or(0), text.rfind("</").unwrap_or(text.len()));
            (range.start + from..range.start + to, new.to_owned())
        };
        let (digest, value) = (leaf(digest, DIGEST), leaf(value, VALUE));
        open = splice(&splice(&open, value.0, &value.1), digest.0, &digest.1);
    }
    let sealed = seal(open, good.issuer, good.holder, good.message.form)?;
    let signed: &'static str = Box::leak(format!("{what}, signed again").into_boxed_str());
    Some((signed, sealed))
}

/// One mutation of any kind; `None` where the one that was drawn has nothing to change here.
pub fn mutate(random: &mut Random, good: &Good<'_>) -> Option<(&'static str, String)> {
    let document = parse(good.xml)?;
    let mutated = match random.below(10) {
        0..=2 => spelling(random, good.xml, &document),
        3..=5 => content(random, good.xml, &document),
        6 => places(random, good, &document),
        _ => signature(random, good, &document),
    }?;
    (mutated.1 != good.xml).then_some(mutated)
}
