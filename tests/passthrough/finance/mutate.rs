//! Deliveries with something changed by chance, in their text: structure, order, values at and beyond their bounds, namespaces,
//! white space, CDATA, comments, references, `xsi:` attributes. Well-formed all of them; what they are worth is for judges to say.

use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::strict::Limits;
use hjemmel::stub::finance::sample::Sample;
use hjemmel::stub::random::Random;

use super::contract::bounds;
use super::parties;
use crate::world::parsed;

const XSI: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"";

/// The delivery of a seed: every eighth is as it should be, the others have one to three changes.
pub fn mutant(seed: u64) -> String {
    let mut random = Random::new(seed ^ 0x1590_A000);
    let sample = match random.chance(50) {
        true => Sample::boundaries(seed, &parties()),
        false => Sample::ordinary(seed, &parties(), 1 + random.below(3)),
    };
    let mut xml = sample.delivery();
    if random.chance(30) {
        xml = unprefixed(&xml);
    }
    if random.chance(12) {
        return xml;
    }
    for _ in 0..1 + random.below(3) {
        let document = parsed(xml.as_bytes());
        // Of the root, what stands in it is changed; its name is another matter.
        let elements: Vec<Element<'_>> = document.root().descendants().skip(usize::from(!random.chance(2))).collect();
        let Some(element) = random.pick(&elements) else { continue };
        let new = changed(&xml, &document, *element, &mut random);
        // An attribute twice, say.
        if Document::parse(new.clone().into(), &Limits::default()).is_ok() {
            xml = new;
        }
    }
    xml
}

/// The same with the namespace as the default.
fn unprefixed(xml: &str) -> String {
    xml.replace("<fb:", "<").replace("</fb:", "</").replace("xmlns:fb=", "xmlns=")
}

/// An element's text in parts: start tag up to its end, content, end tag. Empty content has no end tag only where it came so.
fn parts<'x>(xml: &'x str, element: Element<'_>) -> (&'x str, &'x str, &'x str) {
    let own = &xml[element.source_range()];
    let start = own.find('>').unwrap() + 1;
    if own[..start].ends_with("/>") {
        return (own, "", "");
    }
    let end = own.rfind("</").unwrap();
    (&own[..start], &own[start..end], &own[end..])
}

/// The same element with more in its start tag.
fn with_attributes(own: (&str, &str, &str), attributes: &str) -> String {
    let (start, content, end) = own;
    let open = start.trim_end_matches('>').trim_end_matches('/');
    let close = &start[open.len()..];
    format!("{open} {attributes}{close}{content}{end}")
}

fn changed(xml: &str, document: &Document, element: Element<'_>, random: &mut Random) -> String {
    let range = element.source_range();
    let (before, own, after) = (&xml[..range.start], &xml[range.clone()], &xml[range.end..]);
    let is_root = element == document.root();
    let around = |new: String| format!("{before}{new}{after}");
    let (start, content, end) = parts(xml, element);
    let inside = |new: &str| if end.is_empty() { own.to_owned() } else { format!("{start}{new}{end}") };
    let leaf = element.elements().next().is_none();
    let name = start[1..].split(|c: char| c.is_whitespace() || "/>".contains(c)).next().unwrap();
    match random.below(if is_root { 6 } else { 14 }) {
        // Attributes.
        0 => {
            let types = [
                "xs:string",
                "xs:anyType",
                "xs:decimal",
                "xs:date",
                "fb:UUIDType",
                "fb:Tekst20Type",
                "fb:Tekst255Type",
                "fb:FinansbilagType",
                "fb:FinansbilagLeveranceType",
                "fb:BeloebType",
                "fb:SumType",
                "fb:KodeType",
                "fb:DatoType",
                "fb:Ukendt",
                "ukendt:Type",
                "Type",
                "",
                " fb:KodeType ",
                "fb:FejlType",
                "fb:PlatformType",
            ];
            let kind = random.pick(&types).unwrap();
            let fb = "xmlns:fb=\"urn:hjemmel:oekonomi:finansbilag:1\"";
            let fb = if start.contains("xmlns:fb") { "" } else { fb };
            around(with_attributes((start, content, end), &format!("{XSI} {fb} xsi:type=\"{kind}\"")))
        }
        1 => {
            let nil = random.pick(&["true", "false", "1", "0", " true ", "ja", ""]).unwrap();
            around(with_attributes((start, content, end), &format!("{XSI} xsi:nil=\"{nil}\"")))
        }
        2 => {
            let attributes = [
                "ukendt=\"1\"",
                "xml:lang=\"da\"",
                "xml:space=\"preserve\"",
                "xmlns:o=\"urn:o\" o:ukendt=\"1\"",
                "xmlns:o=\"urn:o\"",
                "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:hjemmel:oekonomi:finansbilag:1 Ukendt.xsd\"",
                "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:noNamespaceSchemaLocation=\"Ukendt.xsd\"",
                "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:ukendt=\"1\"",
            ];
            around(with_attributes((start, content, end), random.pick(&attributes).unwrap()))
        }
        // Between the children, or in the value.
        3 => {
            let more = [
                "tekst",
                " ",
                "\n\t",
                "<!-- 5 -->",
                "<![CDATA[]]>",
                "<![CDATA[ ]]>",
                "<![CDATA[x]]>",
                "&#32;",
                "&#13;",
                "&#160;",
                "&#x2003;",
                "\u{85}",
                "&#x1F600;",
                "<x/>",
                "<fb:x xmlns:fb=\"urn:hjemmel:oekonomi:finansbilag:1\"/>",
            ];
            let more = random.pick(&more).unwrap();
            around(if random.chance(50) { inside(&format!("{more}{content}")) } else { inside(&format!("{content}{more}")) })
        }
        4 if leaf && content.len() > 1 && !content.contains(['<', '&']) => {
            // The same value, written otherwise.
            let at = content.char_indices().map(|(at, _)| at).nth(1).unwrap_or(0);
            let (one, rest) = content.split_at(at);
            let ways = [
                format!("<![CDATA[{content}]]>"),
                format!("{one}<!-- -->{rest}"),
                format!("{one}<![CDATA[{rest}]]>"),
                one.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect::<String>() + rest,
                format!("\n  {content}\t"),
                format!("{content} "),
            ];
            around(inside(random.pick(&ways).unwrap()))
        }
        4 | 5 => {
            // Order: two children change places, or one is drawn to the end.
            let children: Vec<Element<'_>> = element.elements().collect();
            if children.len() < 2 {
                return around(inside("")); // a leaf is emptied
            }
            let first = random.below(children.len() - 1);
            let second = if random.chance(50) { first + 1 } else { children.len() - 1 };
            let [one, other] = [first, second].map(|at| children[at].source_range());
            if one == other {
                return xml.to_owned();
            }
            format!(
                "{}{}{}{}{}",
                &xml[..one.start],
                &xml[other.clone()],
                &xml[one.end..other.start],
                &xml[one],
                &xml[other.end..]
            )
        }
        6 => around(String::new()),
        7 => around(own.repeat(2 + random.below(2))),
        8 => {
            // Another name, or another namespace.
            let (prefix, local) = name.split_once(':').map_or(("", name), |(prefix, local)| (prefix, local));
            let renamed = |new: &str, declared: &str| {
                let tag = start.replacen(name, &format!("{new}{declared}"), 1);
                format!("{tag}{content}{}", end.replacen(name, new, 1))
            };
            around(match random.below(6) {
                0 => renamed(&format!("{name}X"), ""),
                1 => renamed(&name.to_lowercase(), ""),
                2 => renamed(local, " xmlns=\"\""),
                3 => renamed(local, " xmlns=\"urn:hjemmel:oekonomi:finansbilag:2\""),
                4 => renamed(&format!("n:{local}"), " xmlns:n=\"urn:hjemmel:oekonomi:finansbilag:1\""),
                _ if prefix.is_empty() => renamed(name, " xmlns=\"http://serviceplatformen.dk/xml/schemas/kvittering/1/\""),
                _ => renamed(name, &format!(" xmlns:{prefix}=\"urn:andet\"")),
            })
        }
        9 | 10 if leaf => {
            // A value of this element's own bounds.
            let (good, bad) = bounds()
                .into_iter()
                .find(|(bounded, ..)| *bounded == element.local())
                .map_or((vec!["true".to_owned(), "0".to_owned()], vec!["ja".to_owned()]), |(_, good, bad)| (good, bad));
            let values = if random.chance(50) { good } else { bad };
            around(inside(&values[random.below(values.len())]))
        }
        11 if leaf => {
            let values = [
                "",
                " ",
                "x",
                "0",
                "-0",
                "+0.00",
                "00000000000000.00",
                "0000000000.10",
                "1E3",
                "INF",
                "2026-02-30",
                "2024-02-29",
                "-0044-03-15",
                "12026-01-01",
                "0000-01-01",
                "2026-11-27Z",
                "2026-11-27T24:00:00",
                "2026-11-27T24:00:01",
                "2026-11-27T23:59:60",
                "2026-11-27T12:00:00+14:00",
                "2026-11-27T12:00:00+14:01",
                "2026-11-27T12:00:00.",
                "true",
                "1",
                "TRUE",
                " true ",
                "D",
                "K ",
                "&#9;D",
                "D&#xA;",
                "DKK",
                "&lt;x&gt;",
                "a b",
                "\u{1F600}",
                "\u{e9}",
                "e\u{301}",
                "\u{a0}a",
                "\u{2003}",
                "\u{a0}1.00",
                "1.00\u{2003}",
                "\u{85}2026-11-27",
                "\u{a0}true",
                "999999999",
                "0999999999",
                "4294967296",
                "\u{661}",
                "１",
            ];
            around(inside(random.pick(&values).unwrap()))
        }
        12 if leaf => {
            // As long as a text may be, in characters that are two units of UTF-16.
            let length = *random.pick(&[1, 20, 21, 35, 36, 64, 65, 255, 256]).unwrap();
            around(inside(&"\u{1F600}".repeat(length)))
        }
        // Out of its place: into another, or to where its parent ends.
        _ => {
            let others: Vec<Element<'_>> = document.root().descendants().skip(1).collect();
            let other = random.pick(&others).unwrap().source_range();
            if other.start < range.start {
                format!("{}{own}{}{after}", &xml[..other.start], &xml[other.start..range.start])
            } else if other.start >= range.end {
                format!("{before}{}{own}{}", &xml[range.end..other.start], &xml[other.start..])
            } else {
                around(inside(""))
            }
        }
    }
}
