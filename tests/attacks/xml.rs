//! Rows 17 to 20: documents that two parsers read in two ways, that fetch, that grow, and that are not UTF-8.

use std::net::TcpListener;

use crate::arena::arena;
use crate::forge::{self, END, INNER, OPEN, PERSON, piece, reference};

type Document = (u8, &'static str, Vec<u8>, &'static [&'static str]);

const MALFORMED: &[&str] = &["MalformedXml"];
const DTD: &[&str] = &["DtdRefused"];
const INSTRUCTION: &[&str] = &["ProcessingInstructionRefused"];
const ENCODING: &[&str] = &["EncodingRefused", "MalformedXml"];
/// What grows past a limit, or breaks the signature where it stays within.
const GROWN: &[&str] = &["XmlTooComplex", "BodyTooLarge", "DigestMismatch", "SecurityStructure", "MalformedXml"];

/// Row 17: readers that disagree.
fn differentials(good: &str) -> Vec<Document> {
    let body = |with: &str| good.replace(INNER, &format!("{with}{INNER}")).into_bytes();
    let on_payload = |with: &str| good.replace(OPEN, &format!("{OPEN}{with} ")).into_bytes();
    let xml = "http://www.w3.org/XML/1998/namespace";
    let xmlns = "http://www.w3.org/2000/xmlns/";
    vec![
        (17, "an end tag of another name", body("<a></b>"), MALFORMED),
        (17, "an end tag too many", body("</a>"), MALFORMED),
        (17, "an element that does not end", body("<a>"), MALFORMED),
        (17, "overlapping elements", body("<a><b></a></b>"), MALFORMED),
        (17, "an attribute twice", on_payload("a=\"1\" a=\"2\""), MALFORMED),
        (17, "an attribute by two prefixes", on_payload("xmlns:p=\"urn:x\" xmlns:q=\"urn:x\" p:a=\"1\" q:a=\"2\""), MALFORMED),
        (17, "a prefix declared twice", on_payload("xmlns:p=\"urn:x\" xmlns:p=\"urn:y\""), MALFORMED),
        (17, "a prefix that is not declared", body("<p:a/>"), MALFORMED),
        (17, "an undeclared prefix on an attribute", on_payload("p:a=\"1\""), MALFORMED),
        (17, "xml bound to another namespace", on_payload("xmlns:xml=\"urn:x\""), MALFORMED),
        (17, "another prefix bound to xml's namespace", on_payload(&format!("xmlns:p=\"{xml}\"")), MALFORMED),
        (17, "xmlns bound", on_payload("xmlns:xmlns=\"urn:x\""), MALFORMED),
        (17, "the default namespace bound to xmlns's", on_payload(&format!("xmlns=\"{xmlns}\"")), MALFORMED),
        (17, "a prefix unbound", on_payload("xmlns:p=\"\""), MALFORMED),
        (17, "two colons in a name", body("<a:b:c xmlns:a=\"urn:x\"/>"), MALFORMED),
        (17, "a name that begins with a colon", body("<:a/>"), MALFORMED),
        (17, "a name that begins with a digit", body("<1/>"), MALFORMED),
        (17, "an attribute without quotes", on_payload("a=1"), MALFORMED),
        (17, "an attribute without a value", on_payload("a"), MALFORMED),
        (17, "attributes without space between", on_payload("a=\"1\"b=\"2\""), MALFORMED),
        (17, "a less-than in an attribute", on_payload("a=\"<\""), MALFORMED),
        (17, "an ampersand alone", body("&"), MALFORMED),
        (17, "an entity of no DTD", body("&e;"), MALFORMED),
        (17, "an entity of HTML", body("&nbsp;"), MALFORMED),
        (17, "a reference to character zero", body("&#0;"), MALFORMED),
        (17, "a reference to a control character", body("&#1;"), MALFORMED),
        (17, "a reference to half a pair", body("&#xD800;"), MALFORMED),
        (17, "a reference beyond Unicode", body("&#x110000;"), MALFORMED),
        (17, "a reference that overflows", body("&#4294967361;"), MALFORMED),
        (17, "a reference with a capital X", body("&#X41;"), MALFORMED),
        (17, "the end of CDATA in text", body("]]>"), MALFORMED),
        (17, "CDATA that does not end", body("<![CDATA["), MALFORMED),
        (17, "two hyphens in a comment", body("<!-- -- -->"), MALFORMED),
        (17, "a comment that does not end", body("<!--"), MALFORMED),
        (17, "two roots", format!("{good}{good}").into_bytes(), MALFORMED),
        (17, "text after the root", format!("{good}x").into_bytes(), MALFORMED),
        (17, "text before the root", format!("x{good}").into_bytes(), MALFORMED),
        (
            17,
            "a declaration after white space",
            format!(" <?xml version=\"1.0\"?>{good}").into_bytes(),
            &["MalformedXml", "ProcessingInstructionRefused"],
        ),
        (
            17,
            "two declarations",
            format!("<?xml version=\"1.0\"?><?xml version=\"1.0\"?>{good}").into_bytes(),
            &["MalformedXml", "ProcessingInstructionRefused"],
        ),
        (17, "XML 1.1", format!("<?xml version=\"1.1\"?>{good}").into_bytes(), MALFORMED),
        (
            17,
            "a declaration in capitals",
            format!("<?XML version=\"1.0\"?>{good}").into_bytes(),
            &["MalformedXml", "ProcessingInstructionRefused"],
        ),
        (17, "nothing", Vec::new(), MALFORMED),
        (17, "white space alone", b" \n ".to_vec(), MALFORMED),
        (17, "half a message", good.as_bytes()[..good.len() / 2].to_vec(), MALFORMED),
        (17, "JSON", b"{\"Envelope\":{}}".to_vec(), MALFORMED),
    ]
}

/// Row 18: what fetches, grows or declares.
fn dtds(good: &str, beacon: &str) -> Vec<Document> {
    let before = |dtd: &str| format!("{dtd}{good}").into_bytes();
    let with_entity = |dtd: &str| format!("{dtd}{}", good.replace(INNER, &format!("&e;{INNER}"))).into_bytes();
    let lol: String = (1..10).map(|n| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10))).collect();
    let body = |with: &str| good.replace(INNER, &format!("{with}{INNER}")).into_bytes();
    let padding = |length| format!("<!--{}-->", " ".repeat(length));
    vec![
        (18, "an empty DOCTYPE", before("<!DOCTYPE x>"), DTD),
        (18, "a DOCTYPE in another case", before("<!doctype x>"), &["DtdRefused", "MalformedXml"]),
        (18, "a DOCTYPE behind a long comment", before(&format!("{}<!DOCTYPE x>", padding(500_000))), DTD),
        (18, "a DOCTYPE behind long comments", before(&format!("{}<!DOCTYPE x>", padding(300_000).repeat(3))), DTD),
        (18, "a DOCTYPE behind a comment too long", before(&format!("{}<!DOCTYPE x>", padding(900_000))), &["XmlTooComplex"]),
        (18, "a DOCTYPE behind white space", before(&format!("{}<!DOCTYPE x>", "\n".repeat(100_000))), DTD),
        (18, "a DOCTYPE after the declaration", before("<?xml version=\"1.0\"?><!DOCTYPE x>"), DTD),
        (18, "a DOCTYPE after the message", format!("{good}<!DOCTYPE x>").into_bytes(), &["DtdRefused", "MalformedXml"]),
        (18, "a DOCTYPE in Body", body("<!DOCTYPE x>"), &["DtdRefused", "MalformedXml"]),
        (18, "an external subset", before(&format!("<!DOCTYPE x SYSTEM \"{beacon}\">")), DTD),
        (18, "a public external subset", before(&format!("<!DOCTYPE x PUBLIC \"-//x\" \"{beacon}\">")), DTD),
        (18, "an external entity", with_entity(&format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"{beacon}\">]>")), DTD),
        (18, "an entity of a file", with_entity("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>"), DTD),
        (18, "a parameter entity", before(&format!("<!DOCTYPE x [<!ENTITY % e SYSTEM \"{beacon}\">%e;]>")), DTD),
        (18, "ten to the tenth", with_entity(&format!("<!DOCTYPE x [<!ENTITY e0 \"x\">{lol}<!ENTITY e \"&e9;\">]>")), DTD),
        (18, "one long entity, often", with_entity(&format!("<!DOCTYPE x [<!ENTITY e \"{}\">]>", "x".repeat(100_000))), DTD),
        (18, "an entity that calls itself", with_entity("<!DOCTYPE x [<!ENTITY e \"&e;\">]>"), DTD),
        (18, "an attribute that is an id by declaration", before("<!DOCTYPE x [<!ATTLIST x y ID #IMPLIED>]>"), DTD),
        (18, "an attribute by default", before("<!DOCTYPE x [<!ATTLIST x wsu:Id CDATA \"body\">]>"), DTD),
        (18, "a namespace by default", before("<!DOCTYPE x [<!ATTLIST x xmlns CDATA \"urn:x\">]>"), DTD),
        (18, "a notation", before(&format!("<!DOCTYPE x [<!NOTATION n SYSTEM \"{beacon}\">]>")), DTD),
        (18, "a stylesheet", before(&format!("<?xml-stylesheet href=\"{beacon}\"?>")), INSTRUCTION),
        (
            18,
            "a stylesheet behind a declaration",
            before(&format!("<?xml version=\"1.0\"?><?xml-stylesheet href=\"{beacon}\"?>")),
            INSTRUCTION,
        ),
        (18, "an instruction in Body", body("<?php system('id') ?>"), INSTRUCTION),
        (18, "an instruction after the message", format!("{good}<?x?>").into_bytes(), INSTRUCTION),
        (
            18,
            "XInclude",
            body(&format!("<i:include xmlns:i=\"http://www.w3.org/2001/XInclude\" href=\"{beacon}\"/>")),
            &["DigestMismatch"],
        ),
        (
            18,
            "XInclude of a text",
            body(&format!("<i:include xmlns:i=\"http://www.w3.org/2001/XInclude\" parse=\"text\" href=\"{beacon}\"/>")),
            &["DigestMismatch"],
        ),
        (
            18,
            "a schema's place",
            good.replace(
                OPEN,
                &format!("{OPEN}xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:schemaLocation=\"urn:x {beacon}\" "),
            )
            .into_bytes(),
            &["DigestMismatch"],
        ),
    ]
}

/// Row 19: bytes that are not what they are said to be.
fn encodings(good: &str) -> Vec<Document> {
    let declared = |encoding: &str| format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>{good}").into_bytes();
    let utf16 = |mark: bool, bytes: fn(u16) -> [u8; 2]| {
        let text = format!("{}{good}", if mark { "\u{feff}" } else { "" });
        text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    let utf32 = |bytes: fn(u32) -> [u8; 4]| good.chars().flat_map(|letter| bytes(letter as u32)).collect::<Vec<u8>>();
    let inside = |bytes: &[u8]| {
        let at = good.find(INNER).unwrap();
        [&good.as_bytes()[..at], bytes, &good.as_bytes()[at..]].concat()
    };
    vec![
        (19, "UTF-16, little end first, with a mark", utf16(true, u16::to_le_bytes), ENCODING),
        (19, "UTF-16, big end first, with a mark", utf16(true, u16::to_be_bytes), ENCODING),
        (19, "UTF-16, little end first", utf16(false, u16::to_le_bytes), ENCODING),
        (19, "UTF-16, big end first", utf16(false, u16::to_be_bytes), ENCODING),
        (19, "UTF-32, little end first", utf32(u32::to_le_bytes), ENCODING),
        (19, "UTF-32, big end first", utf32(u32::to_be_bytes), ENCODING),
        (19, "UTF-7", b"+ADw-x+AD4-".to_vec(), ENCODING),
        (19, "EBCDIC", b"\x4c\x6f\xa7\x94\x93\x40".to_vec(), ENCODING),
        (19, "declared as UTF-16", declared("UTF-16"), ENCODING),
        (19, "declared as UTF-7", declared("UTF-7"), ENCODING),
        (19, "declared as ISO-8859-1", declared("ISO-8859-1"), ENCODING),
        (19, "declared as US-ASCII", declared("US-ASCII"), ENCODING),
        (19, "declared as nothing", declared(""), ENCODING),
        (19, "an overlong less-than", inside(b"\xc0\xbc"), ENCODING),
        (19, "an overlong slash", inside(b"\xe0\x80\xaf"), ENCODING),
        (19, "an overlong NUL", inside(b"\xc0\x80"), ENCODING),
        (19, "half a pair", inside(b"\xed\xa0\x80"), ENCODING),
        (19, "beyond Unicode", inside(b"\xf4\x90\x80\x80"), ENCODING),
        (19, "a byte of ISO-8859-1", inside(b"\xe6"), ENCODING),
        (19, "half a character at the end", [good.as_bytes(), b"\xc3"].concat(), ENCODING),
        (19, "a NUL", inside(b"\0"), ENCODING),
        (19, "a NUL at the end", [good.as_bytes(), b"\0"].concat(), ENCODING),
        (19, "a control character", inside(b"\x01"), ENCODING),
        (19, "a character that is none", inside("\u{ffff}".as_bytes()), ENCODING),
        (19, "two byte order marks", format!("\u{feff}\u{feff}{good}").into_bytes(), ENCODING),
        (19, "a byte order mark after the declaration", format!("<?xml version=\"1.0\"?>\u{feff}{good}").into_bytes(), ENCODING),
        (19, "a byte order mark of UTF-16 before UTF-8", [b"\xff\xfe", good.as_bytes()].concat(), ENCODING),
    ]
}

/// Row 20: what a megabyte can be made to cost.
fn resources(good: &str) -> Vec<Document> {
    let body = |with: &str| good.replace(INNER, &format!("{with}{INNER}")).into_bytes();
    let on_payload = |with: &str| good.replace(OPEN, &format!("{OPEN}{with} ")).into_bytes();
    let numbered = |count: usize, one: fn(usize) -> String| (0..count).map(one).collect::<String>();
    let used = |times: usize| format!("<x xmlns:p=\"urn:{}\">{}</x>", "a".repeat(100_000), "<p:a/>".repeat(times));
    let refers = reference(good, "body").to_owned();
    let chain = piece(&refers, "<ds:Transforms>", "</ds:Transforms>");
    let listed = numbered(10_000, |n| format!("p{n} "));
    let list = chain.replace(
        "></ds:Transform>",
        &format!(
            "><e:InclusiveNamespaces xmlns:e=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"{listed}\"/></ds:Transform>"
        ),
    );
    vec![
        (20, "a hundred thousand deep", body(&"<a>".repeat(100_000)), GROWN),
        (20, "deep and closed", body(&format!("{}{}", "<a>".repeat(60_000), "</a>".repeat(60_000))), GROWN),
        (
            20,
            "deep in Header",
            good.replace("<wsse:Security ", &format!("{}<wsse:Security ", "<a>".repeat(100_000))).into_bytes(),
            GROWN,
        ),
        (20, "fifty thousand attributes", on_payload(&numbered(50_000, |n| format!("a{n}=\"\" "))), GROWN),
        (20, "thirty thousand namespaces", on_payload(&numbered(30_000, |n| format!("xmlns:n{n}=\"urn:{n}\" "))), GROWN),
        (
            20,
            "a namespace declared again at every depth",
            body(&format!("{}{}", numbered(60, |n| format!("<a xmlns:n=\"urn:{n}\">")), "</a>".repeat(60))),
            GROWN,
        ),
        (
            20,
            "ten thousand elements with namespaces of their own",
            body(&numbered(10_000, |n| format!("<a xmlns:n{n}=\"urn:{n}\"/>"))),
            GROWN,
        ),
        (20, "a name of 900 kB", body(&format!("<{}/>", "a".repeat(900_000))), GROWN),
        (20, "a namespace of 900 kB", body(&format!("<a xmlns=\"urn:{}\"/>", "a".repeat(900_000))), GROWN),
        // Canonicalised, each of these is a gigabyte and more: before the token's issuer is known, as the digests are.
        (20, "a long namespace used by ten thousand elements", body(&used(10_000)), GROWN),
        (
            20,
            "a long namespace used by ten thousand elements in a token",
            good.replace("</Conditions>", &format!("{}</Conditions>", used(10_000))).into_bytes(),
            GROWN,
        ),
        (20, "an attribute of 900 kB", on_payload(&format!("a=\"{}\"", "a".repeat(900_000))), GROWN),
        (20, "a text of 900 kB", body(&"a".repeat(900_000)), GROWN),
        (20, "a comment of 900 kB", body(&format!("<!--{}-->", "a".repeat(900_000))), &["CommentRefused", "XmlTooComplex"]),
        (20, "a hundred thousand comments", body(&"<!---->".repeat(100_000)), &["CommentRefused", "XmlTooComplex"]),
        (20, "a hundred thousand references to characters", body(&"&#65;".repeat(100_000)), GROWN),
        (20, "two hundred thousand empty elements", body(&"<a/>".repeat(200_000)), GROWN),
        (
            20,
            "five thousand references",
            good.replace(&refers, &format!("<ds:Reference URI=\"#body\">{chain}</ds:Reference>").repeat(1500)).into_bytes(),
            GROWN,
        ),
        (20, "ten thousand prefixes in a list", good.replace(&refers, &refers.replace(chain, &list)).into_bytes(), GROWN),
        (20, "more than a megabyte", body(&"a".repeat(1_100_000)), &["BodyTooLarge"]),
    ]
}

fn table(beacon: &str) -> Vec<Document> {
    let good = forge::request();
    assert!(good.contains(END));
    [differentials(&good), dtds(&good, beacon), encodings(&good), resources(&good)].concat()
}

pub fn count() -> Vec<(u8, usize)> {
    table("http://beacon.invalid/").iter().map(|(row, ..)| (*row, 1)).chain([(19, 4), (20, 2)]).collect()
}

#[test]
fn what_is_not_one_plain_document_is_refused_and_nothing_is_fetched() {
    let arena = arena();
    let beacon = TcpListener::bind("127.0.0.1:0").unwrap();
    beacon.set_nonblocking(true).unwrap();
    let address = format!("http://{}/", beacon.local_addr().unwrap());
    arena.nothing_passes(|arena| {
        let mut wrong = Vec::new();
        for (row, reason, document, codes) in table(&address) {
            let answer = arena.send(document);
            if !codes.contains(&answer.code.as_str()) || !(400..600).contains(&answer.status) {
                wrong.push(format!("row {row}: {reason}: HTTP {} {} instead of {codes:?}", answer.status, answer.code));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
    assert!(beacon.accept().is_err(), "nothing called the beacon");
}

/// What canonicalisation does not see cannot be refused by the signature; it must not travel on either.
#[test]
fn what_the_signature_does_not_see_is_served_and_left_behind() {
    let arena = arena();
    for (reason, added) in [
        ("seventy thousand empty CDATA sections", "<![CDATA[]]>".repeat(70_000)),
        ("one empty CDATA section", "<![CDATA[]]>".to_owned()),
    ] {
        assert!(arena.send(forge::request().replace(INNER, &format!("{added}{INNER}"))).is_served(), "{reason}");
        let forwarded = arena.last_reached();
        assert!(forwarded.contains(PERSON) && !forwarded.contains("CDATA"), "{reason}");
    }
    arena.serves();
}

#[test]
fn a_charset_that_is_not_utf_8_is_refused_whatever_the_bytes_are() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        for kind in ["iso-8859-1", "utf-16", "utf-7", "us-ascii"] {
            let answer = arena.send_as(&[("content-type", &format!("application/soap+xml; charset={kind}"))], forge::request());
            assert_eq!(answer.code, "EncodingRefused", "{kind}");
        }
    });
    assert!(arena.send(format!("\u{feff}{}", forge::request())).is_served(), "one mark of UTF-8 is fine");
}
