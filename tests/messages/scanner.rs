//! The scanner of answers beside two other readers: quick-xml with the strict reader, and libxml2.
//!
//! Documents are generated, and then torn: bytes changed, left out, doubled, and pieces put in that confuse readers. What
//! the scanner lets through both others must let through, with the same meaning.

use std::process::Command;

use crate::canonical::python_with_lxml;
use crate::checks::reading::{now, stream};
use crate::checks::tokenizer::{check, compare, judged, scanned};
use hjemmel::refusal::{Detail, Refusal};
use hjemmel::signature::c14n::{Canonicaliser, Exclusive};
use hjemmel::soap::reading::Reading;
use hjemmel::soap::scan::{End, Scanner};
use hjemmel::soap::strict::{Limits, Token};

/// Repeatable chance.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }
    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

const NAMESPACES: &[&str] = &["urn:1", "urn:2", "http://x.example/?a=1&amp;b=2#c", "urn:oio:sagdok:3.0.0"];
const TEXTS: &[&str] = &[
    "",
    " ",
    "x",
    "blåbærgrød",
    "a\r\nb\rc",
    "&lt;",
    "a &amp; b",
    "&#xD;&#10;",
    "]]",
    "]",
    "\u{1D518}",
    "\u{FFFD}",
    ">",
    "\"'",
    "<![CDATA[]]>",
    "<![CDATA[<&>]]]]>",
    "<![CDATA[\r\n]]>",
    "<!---->",
    "<!-- - å -->",
    "\t\n",
];
const VALUES: &[&str] = &["", "v", "a\tb\nc\r\nd", "&quot;&apos;", "&#x9;", ">", "/", "ø", "=", "  "];

/// A document in the strict subset.
fn document(chance: &mut Chance) -> String {
    let mut out = String::new();
    if chance.below(8) == 0 {
        out.push('\u{FEFF}');
    }
    if chance.below(4) == 0 {
        out.push_str(chance.of(&["<?xml version='1.0'?>", "<?xml version=\"1.0\" encoding='utf-8' standalone=\"yes\" ?>\r\n"]));
    }
    if chance.below(6) == 0 {
        out.push_str("\n<!-- before -->\n");
    }
    element(chance, &mut vec![], 0, &mut out);
    if chance.below(6) == 0 {
        out.push_str(chance.of(&["\n", "<!-- after -->", "\r\n\t "]));
    }
    out
}

fn element(chance: &mut Chance, bound: &mut Vec<&'static str>, depth: usize, out: &mut String) {
    let around = bound.len();
    let mut attributes = String::new();
    let mut own = vec![];
    for _ in 0..chance.below(3) {
        let prefix = *chance.of(&[&"a", &"b", &"é", &"c.-_"]);
        if !own.contains(&prefix) {
            own.push(prefix);
            attributes += &format!(" xmlns:{prefix}={}", quoted(chance, NAMESPACES));
        }
    }
    if chance.below(4) == 0 {
        let names = [NAMESPACES, &[""]].concat();
        attributes += &format!("\n xmlns = {}", quoted(chance, &names));
    }
    bound.extend(&own);
    let prefixed = |chance: &mut Chance, bound: &[&str]| match chance.below(2) {
        1 if !bound.is_empty() => format!("{}:", chance.of(bound)),
        _ => String::new(),
    };
    let name = prefixed(chance, bound) + chance.of(&["x", "Registrering", "_.-ø", "y1"]);
    for local in ["k", "l", "æ", "type"] {
        if chance.below(5) == 0 {
            attributes +=
                &format!(" {}{local}{}{}", prefixed(chance, bound), chance.of(&["=", " = ", "\n="]), quoted(chance, VALUES));
        }
    }
    if chance.below(9) == 0 {
        attributes += " xml:lang='da'";
    }
    out.extend(["<", &name, &attributes, chance.of(&["", "", " ", "\n"])]);
    if chance.below(5) == 0 {
        out.push_str("/>");
    } else {
        out.push('>');
        for _ in 0..chance.below(if depth > 5 { 1 } else { 5 }) {
            match chance.below(2) {
                0 => element(chance, bound, depth + 1, out),
                _ => out.push_str(chance.of(TEXTS)),
            }
        }
        out.extend(["</", &name, chance.of(&["", "", "", " ", "\r\n"]), ">"]);
    }
    bound.truncate(around);
}

fn quoted(chance: &mut Chance, values: &[&str]) -> String {
    let value = chance.of(values);
    match chance.below(2) {
        0 => format!("\"{}\"", value.replace('"', "&#34;")),
        _ => format!("'{}'", value.replace('\'', "&#39;")),
    }
}

/// Pieces that have confused a reader.
const CONFUSING: &[&[u8]] = &[
    b"<",
    b">",
    b"&",
    b";",
    b"'",
    b"\"",
    b"/",
    b"=",
    b" ",
    b":",
    b"!",
    b"?",
    b"-",
    b"--",
    b"]]>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"<!",
    b"<?",
    b"?>",
    b"</",
    b"/>",
    b"&#0;",
    b"&#xD800;",
    b"&#x10FFFF;",
    b"&#00000000065;",
    b"&nbsp;",
    b"&#xFFFE;",
    b"&lt",
    b"<!DOCTYPE x>",
    b"<!doctype",
    b"<!ENTITY",
    b"<?xml version='1.0'?>",
    b"<?xml?>",
    b"<?xml-x?>",
    b"<?XML?>",
    b" xmlns:p=''",
    b" xmlns='x'",
    b" xmlns:xml='urn:1'",
    b" xmlns:xmlns='urn:1'",
    b" a:k='1' b:k='2'",
    b" k='1' k='2'",
    b"<p:q/>",
    b"<x",
    b"<x/>",
    b"\0",
    b"\x01",
    b"\x0b",
    b"\x7f",
    b"\xc2\x85",
    b"\xef\xbf\xbe",
    b"\xef\xbf\xbf",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf0\x9f",
    b"\xff",
    b"\r",
    b"\r\n",
    b"<a:b:c/>",
    b"<:x/>",
    b"<x:/>",
    b"<1/>",
    b"<-x/>",
    b"<x a/>",
    b"<x a=1/>",
    b"<x a='<'/>",
    b"<x a='&'/>",
    b"<x a='1'b='2'/>",
    b"<x / >",
    b"< x>",
    b"<!-->",
    b"<!--->",
    b"<!-- -- -->",
    b"<![cdata[x]]>",
    b"<![CDATA[",
    b"]]",
    b"%",
    b" xml:x='1'",
    b" xmlns:a='http://www.w3.org/XML/1998/namespace'",
    b" xmlns='http://www.w3.org/2000/xmlns/'",
    b" xmlns:a='urn:%zz'",
    b"<xmlns:x/>",
    b"<xml:x/>",
    b" xmlns:e='a b:c'",
];

fn torn(chance: &mut Chance, document: &str) -> Vec<u8> {
    let mut bytes = document.as_bytes().to_vec();
    for _ in 0..1 + chance.below(3) {
        let at = chance.below(bytes.len() + 1);
        let length = chance.below(12).min(bytes.len() - at);
        match chance.below(6) {
            0 => drop(bytes.drain(at..at + length)),
            1 => {
                let doubled = bytes[at..at + length].to_vec();
                drop(bytes.splice(at..at, doubled));
            }
            2 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            3 => bytes.truncate(at.max(1)),
            _ => drop(bytes.splice(at..at, chance.of(CONFUSING).iter().copied())),
        }
    }
    bytes
}

/// Generated documents, each whole and torn in several ways.
fn documents(number: u64, torn_each: usize) -> impl Iterator<Item = Vec<u8>> {
    (1..=number).flat_map(move |seed| {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let whole = document(&mut chance);
        let torn: Vec<_> = (0..torn_each).map(|_| torn(&mut chance, &whole)).collect();
        std::iter::once(whole.into_bytes()).chain(torn)
    })
}

#[test]
fn what_it_reads_the_strict_reader_over_quick_xml_reads_alike() {
    let (mut read, mut refused) = (0, 0);
    for data in documents(6_000, 6) {
        check(&data);
        match scanned(&data, |_| usize::MAX, Limits::default()).refused {
            None => read += 1,
            Some(_) => refused += 1,
        }
    }
    println!("{read} documents read and {refused} refused by both");
    assert!(read > 5_000 && refused > 5_000, "{read} read, {refused} refused");
}

const STARTS: &[&str] = &[
    "<a>",
    "<a >",
    "<p:a>",
    "<a xmlns:p='urn:2'>",
    "<a xmlns:p=\"urn:2\">",
    "<a xmlns=\"urn:2\">",
    "<p:a xmlns:p=\"urn:1\">",
    "<a k=\"1\">",
    "<a p:k=\"1\">",
    "<a p:k=\"1\" q:k=\"1\">",
];
const WHOLE: &[&str] = &[
    "<c>x</c>",
    "<c>x</c\n>",
    "<p:c>x</p:c>",
    "<p:c>a text that is longer than sixteen bytes</p:c>",
    "<p:c p:k=\"2\">x</p:c>",
    "<c xmlns:p=\"urn:3\">1</c>",
    "<p:c xmlns:p=\"urn:3\">ø</p:c>",
    "<c/>",
    "<c></c>",
    "<c>&amp;</c>",
    "<c>a &#38; b</c>",
    "<c>a > b</c>",
    "<c>a\r\nb</c>",
    "<c>]</c>",
    "<c><![CDATA[x]]></c>",
    "<!-- -->",
    "text",
    "text > text",
    "\r\n  ",
];

/// A document that says a few things over and over, in different places.
fn repetitive(chance: &mut Chance) -> String {
    let starts: Vec<&str> = (0..1 + chance.below(3)).map(|_| chance.of(STARTS)).collect();
    let whole: Vec<&str> = (0..1 + chance.below(4)).map(|_| chance.of(WHOLE)).collect();
    let mut out = String::from("<r xmlns:p=\"urn:1\" xmlns:q=\"urn:2\">");
    let mut open = vec![];
    for _ in 0..chance.below(60) {
        match chance.below(4) {
            0 if open.len() < 7 => {
                let start = chance.of(&starts);
                out.push_str(start);
                open.push(start[1..].split([' ', '>']).next().unwrap());
            }
            1 if !open.is_empty() => out.extend(["</", open.pop().unwrap(), ">"]),
            _ => out.push_str(chance.of(&whole)),
        }
    }
    while let Some(name) = open.pop() {
        out.extend(["</", name, ">"]);
    }
    out + "</r>"
}

/// What repeats is taken without being judged again: it must be what it was, where it was.
#[test]
fn what_repeats_is_read_and_canonicalised_as_if_it_did_not() {
    let mut read = 0;
    for seed in 1..=2_000 {
        let mut chance = Chance(u64::wrapping_mul(seed, 0x9E37_79B9_7F4A_7C15));
        let whole = repetitive(&mut chance);
        for data in [whole.clone().into_bytes(), torn(&mut chance, &whole)] {
            check(&data);
            if seed % 20 == 0 {
                crate::checks::canonicaliser::check(&data);
            }
            read += usize::from(scanned(&data, |_| usize::MAX, Limits::default()).refused.is_none());
        }
    }
    println!("{read} documents read");
    assert!(read > 1_500, "{read} read");
}

#[test]
fn every_cut_into_two_pieces_and_into_equal_ones_reads_the_same() {
    for data in documents(300, 2).filter(|data| data.len() < 400) {
        let whole = scanned(&data, |_| usize::MAX, Limits::default());
        for cut in 1..data.len() {
            let two = scanned(&data, |n| if n == 0 { cut } else { usize::MAX }, Limits::default());
            assert_eq!(two, whole, "cut at {cut}: {}", String::from_utf8_lossy(&data));
        }
        for size in 1..16 {
            assert_eq!(scanned(&data, |_| size, Limits::default()), whole, "{}", String::from_utf8_lossy(&data));
        }
    }
}

/// Canonical bytes, where the document is read; not where a namespace name holds `&`, which libxml2 does not escape.
fn canonical(data: &[u8]) -> Option<Vec<u8>> {
    let mut reader = stream(data, 1 + data.len() % 40);
    let mut canonicaliser = Canonicaliser::new(Exclusive::new(), Vec::new());
    loop {
        match now(reader.next()) {
            Ok(Token::Eof) => return Some(canonicaliser.into_sink()),
            Ok(_) if reader.read().declarations().any(|(_, name)| reader.read().uris().get(name).contains('&')) => return None,
            Ok(token) => canonicaliser.token(token, reader.read()),
            Err(_) => return None,
        }
    }
}

/// libxml2 reads more than we do (DTDs, processing instructions, other encodings); here it must read all that we read.
#[test]
fn what_it_reads_libxml2_reads_and_canonicalises_alike() {
    let Some(python) = python_with_lxml() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("documents.txt");
    let read: Vec<(Vec<u8>, Vec<u8>)> = documents(6_000, 6).filter_map(|data| Some((canonical(&data)?, data))).collect();
    let coded: Vec<String> = read.iter().map(|(_, data)| hjemmel::signature::base64::encode(data)).collect();
    std::fs::write(&path, coded.join("\n")).unwrap();
    let script = "
import sys, base64
from lxml import etree
parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=False, strip_cdata=False)
for line in open(sys.argv[1]):
    try:
        root = etree.fromstring(base64.b64decode(line), parser)
        print(base64.b64encode(etree.tostring(root, method='c14n', exclusive=True, with_comments=False, with_tail=False)).decode())
    except etree.XMLSyntaxError as error:
        print('refused', error)
";
    let output = Command::new(&python).args(["-c", script]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(theirs.lines().count(), read.len());
    for ((ours, data), theirs) in read.iter().zip(theirs.lines()) {
        let theirs = hjemmel::signature::base64::decode(theirs)
            .unwrap_or_else(|| panic!("libxml2 says {theirs} of\n{}", String::from_utf8_lossy(data)));
        assert_eq!(String::from_utf8_lossy(ours), String::from_utf8_lossy(&theirs), "{}", String::from_utf8_lossy(data));
    }
    println!("{} documents read by libxml2 and canonicalised alike", read.len());
}

/// The one thing that is refused here and not there: there is no room for it.
#[test]
fn a_token_that_is_longer_than_a_token_may_be_is_refused_before_it_has_come() {
    let limits = Limits { text: 1000, ..Limits::default() };
    let long = "x".repeat(1001);
    for (begun, what) in [
        (format!("<a>{long}"), "a text"),
        (format!("<a b='{long}"), "an attribute"),
        (format!("<{long}"), "a name"),
        (format!("<a><!--{long}"), "a comment"),
        (format!("<a><![CDATA[{long}"), "a CDATA section"),
        (format!("<a></{long}"), "an end tag"),
        (format!("<?xml {long}"), "a declaration"),
        (" ".repeat(1001), "white space before the root"),
    ] {
        for size in [1, 7, usize::MAX] {
            let mut scanner = Scanner::new(limits);
            let mut refused = None;
            for piece in begun.as_bytes().chunks(size.min(begun.len())) {
                scanner.take(piece);
                while refused.is_none() {
                    match scanner.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(refusal) => refused = Some(refusal),
                    }
                }
            }
            let refused = refused.unwrap_or_else(|| panic!("{what} goes on and on, {size} bytes at a time"));
            assert_eq!(
                refused,
                Refusal::XmlTooComplex {
                    what: Detail::new("længden af et stykke opmærkning i byte", "the length of a token in bytes"),
                    limit: 1000
                },
                "{what}"
            );
        }
    }
    // One that ends in time is read by both.
    let just = format!("<a>{}</a>", "x".repeat(1000));
    compare(&scanned(just.as_bytes(), |_| 13, limits), &judged(just.as_bytes(), limits));
}

/// A connection that breaks off is not the content's fault; but what was wrong before is.
#[test]
fn a_broken_connection_is_told_from_a_document_that_ends_too_soon() {
    for (data, read) in [("<a><b>te", 2), ("<a><b", 1), ("", 0), ("<a/>", 1), ("<a>\u{0}", 1)] {
        for (end, told) in [(End::Broken, None), (End::Whole, Some("MalformedXml"))] {
            let mut scanner = Scanner::new(Limits::default());
            scanner.take(data.as_bytes());
            scanner.finish(end);
            let mut tokens = 0;
            let last = loop {
                match scanner.next() {
                    Ok(Some(Token::Eof)) => break Some("Eof"),
                    Ok(Some(_)) => tokens += 1,
                    Ok(None) => break None,
                    Err(refusal) => break Some(refusal.code()),
                }
            };
            let told = match (data, told) {
                ("<a/>", Some(_)) => Some("Eof"),
                ("<a>\u{0}", _) => Some("MalformedXml"),
                (_, told) => told,
            };
            assert_eq!(last, told, "{data:?} {end:?}");
            assert!(tokens >= read, "{data:?}: {tokens} tokens came before");
        }
    }
}

/// A root may be expected again, but there is only one: here what came first comes behind a tag that is not remembered.
#[test]
fn a_second_root_that_is_like_the_first_is_refused() {
    let long = "v".repeat(600);
    for inside in [format!("<x a='{long}'/>"), String::new(), "<r></r>".to_owned()] {
        let xml = format!("<r>{inside}</r><r></r>");
        let (ours, theirs) =
            (scanned(xml.as_bytes(), |_| usize::MAX, Limits::default()), judged(xml.as_bytes(), Limits::default()));
        assert!(ours.refused.is_some(), "{xml}");
        compare(&ours, &theirs);
    }
}

/// More different start tags than are remembered, and long ones, come out as few do.
#[test]
fn a_tag_that_is_not_remembered_is_read_again() {
    let mut xml = String::from("<r xmlns='urn:r' xmlns:p='urn:1'>");
    for n in 0..2_000 {
        let long = "v".repeat(if n % 7 == 0 { 600 } else { n % 5 });
        let name = n * 7919 % 601;
        xml += &format!("<p:e{name} a='{long}' p:b='{}'><x xmlns:p='urn:{}'/><p:y/></p:e{name}>", n % 3, n % 2);
    }
    xml += "</r>";
    let limits = Limits { nodes: usize::MAX, ..Limits::default() };
    let (ours, theirs) = (scanned(xml.as_bytes(), |_| 1000, limits), judged(xml.as_bytes(), limits));
    assert_eq!(ours.refused, None);
    compare(&ours, &theirs);
    assert_eq!(ours.tokens.len(), 2 + 4 * 2_000);
}
